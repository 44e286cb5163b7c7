//! Webhooks: tells `success_url` that a person is verified, and tries again if nobody listens.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::sandbox::Shared;
use crate::sandbox::api::API_VERSION;
use crate::sandbox::state::Verification;
use crate::web_url::WebUrl;

/// Posts the event until an answer of 2xx takes it, or the attempts are used up.
pub(super) async fn deliver(shared: Arc<Shared>, verification: Verification) {
    let Some(url) = &verification.success_url else { return };
    let body = event(&verification);

    for (attempt, wait) in (1..).zip(WAITS) {
        tokio::time::sleep(wait).await;
        let Some(number) = shared.with(|state, now| state.begin_attempt(&verification, url, attempt, now)) else {
            return;
        };
        let refused = !is_on_loopback(url);
        let outcome = if refused { Err(NOT_LOOPBACK.to_owned()) } else { post(&shared, url, &body).await };
        let taken = matches!(outcome, Ok(200..=299));
        shared.with(|state, _| state.end_attempt(number, outcome));
        if taken || refused {
            return;
        }
    }
}

fn event(verification: &Verification) -> Vec<u8> {
    let event = json!({
        "id": verification.event_id,
        "type": "otp.reverse.verified",
        "timestamp": unix_seconds(verification.at),
        "api_version": API_VERSION,
        "data": {
            "otp_id": verification.otp_id.as_str(),
            "number": verification.number.as_str(),
            "status": "verified",
        },
    });
    event.to_string().into_bytes()
}

/// On a thread of the runtime's blocking pool: ureq blocks, and the server goes on serving, the receiver perhaps.
async fn post(shared: &Arc<Shared>, url: &str, body: &[u8]) -> Result<u16, String> {
    // Signed anew each time, and by the real clock: receivers check the age of a signature by theirs.
    let signature = crate::webhook::sign(&shared.webhook_secret, unix_seconds(SystemTime::now()), body);
    let request = shared
        .agent
        .get_or_init(agent)
        .post(url)
        .header("content-type", "application/json")
        .header("contiguity-signature", signature);
    let body = body.to_vec();
    let answer = tokio::task::spawn_blocking(move || request.send(&body[..])).await;
    match answer {
        Ok(answer) => answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .user_agent("contiguity-sandbox")
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // A receiver in a test comes and goes: no attempt is to die of the connection of the one before.
        .max_idle_connections(0)
        .build();
    config.new_agent()
}

/// A sandbox is no way to send requests to other hosts.
fn is_on_loopback(url: &str) -> bool {
    WebUrl::parse(url).is_ok_and(|url| url.is_loopback)
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The wait before each attempt. Services go on for hours; a test does not.
const WAITS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];

/// For one attempt: a receiver is on the same machine, and is asked to be fast.
const TIMEOUT: Duration = Duration::from_secs(3);

const NOT_LOOPBACK: &str = "not sent: the sandbox posts to localhost, 127.0.0.0/8 and [::1] only";

#[cfg(test)]
mod tests {
    use super::is_on_loopback;

    #[test]
    fn loopback_is_this_machine_alone() {
        for url in ["http://localhost/a", "http://LOCALHOST:80", "https://127.9.9.9:8443/", "http://[::1]:9/hook"] {
            assert!(is_on_loopback(url), "{url}");
        }
        for url in [
            "https://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost@example.com/",
            "http://[::2]/",
            "/hook",
        ] {
            assert!(!is_on_loopback(url), "{url}");
        }
    }
}
