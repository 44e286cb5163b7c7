//! What the log of requests keeps of a request and its response.

use std::time::SystemTime;

use crate::sandbox::api::{ApiRequest, ApiResponse, KEY_PREFIX};
use crate::sandbox::fault::FaultKind;
use crate::sandbox::message::ReceivedRequest;

pub(super) fn received(
    request: &ApiRequest<'_>,
    fault: Option<&FaultKind>,
    response: Option<&ApiResponse>,
    now: SystemTime,
) -> ReceivedRequest {
    ReceivedRequest {
        method: request.method.to_string(),
        path: without_keys(request.path),
        body: without_keys(&String::from_utf8_lossy(request.body.unwrap_or_default())),
        status: response.map(|response| response.status.as_u16()),
        response: response.map(|response| String::from_utf8_lossy(&response.body).into_owned()).unwrap_or_default(),
        fault: fault.map(FaultKind::name),
        at: now,
    }
}

/// Masks API keys, which belong into a header and may be elsewhere by mistake.
fn without_keys(text: &str) -> String {
    let mut parts = text.split(KEY_PREFIX);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_key = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        masked.push_str(KEY_PREFIX);
        masked.push_str("•••••");
        masked.push_str(part.trim_start_matches(is_key));
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::without_keys;

    #[test]
    fn keys_are_masked_wherever_they_are() {
        for (text, masked) in [
            ("", ""),
            ("/otp/new", "/otp/new"),
            ("contiguity_sk_1", "contiguity_sk_•••••"),
            ("/a/contiguity_sk_Ab-9_/b", "/a/contiguity_sk_•••••/b"),
            (
                r#"{"a":"contiguity_sk_1","b":"contiguity_sk_contiguity_sk_2"}"#,
                r#"{"a":"contiguity_sk_•••••","b":"contiguity_sk_•••••contiguity_sk_•••••"}"#,
            ),
        ] {
            assert_eq!(without_keys(text), masked);
        }
    }
}
