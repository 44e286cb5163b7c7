//! The control calls under `/sandbox/`, for programs in any language. They need no key, and faults
//! do not affect them.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::otp_id::OtpId;
use crate::sandbox::api::{ApiRequest, ApiResponse, Rejection, iso_8601, phone_number};
use crate::sandbox::backend::Backend;
use crate::sandbox::fault::{Fault, FaultKind, StatusFault};
use crate::sandbox::message::{Sms, WebhookAttempt};

/// Returns whether a path is a control call, and not one of the API.
pub(super) fn is_control(path: &str) -> bool {
    path == "/sandbox" || path.starts_with("/sandbox/")
}

pub(super) fn respond(request: &ApiRequest<'_>, backend: &Arc<Backend>) -> ApiResponse {
    match act(request, backend) {
        Ok(body) => ApiResponse::new(StatusCode::OK, &body),
        Err(rejection) => backend.with(|_, now| rejection.into_response(now)),
    }
}

fn act(request: &ApiRequest<'_>, backend: &Arc<Backend>) -> Result<Value, Rejection> {
    match request.path {
        "/sandbox/messages" => {
            request.require(&Method::GET)?;
            Ok(backend.with(|state, _| state.messages().map(message).collect()))
        }
        "/sandbox/webhooks" => {
            request.require(&Method::GET)?;
            Ok(backend.with(|state, _| state.attempts().map(attempt).collect()))
        }
        "/sandbox/text" => {
            let TextBody { from, to, body } = posted(request, TEXT)?;
            let verified = backend.text(phone_number("from", &from)?, phone_number("to", &to)?.as_str(), &body);
            Ok(json!({ "verified": verified.iter().map(OtpId::as_str).collect::<Vec<_>>() }))
        }
        "/sandbox/advance" => {
            let AdvanceBody { seconds } = posted(request, ADVANCE)?;
            let by = duration("seconds", seconds)?;
            backend.with(|state, _| state.advance(by));
            Ok(json!({ "now": backend.with(|_, now| iso_8601(now)) }))
        }
        "/sandbox/fail" => {
            let fault = posted::<NextFault>(request, FAIL)?.into_fault()?;
            backend.with(|state, _| {
                if state.faults.len() >= MAX_FAULTS {
                    return Err(Rejection::bad_request(format!("{MAX_FAULTS} faults are waiting already")));
                }
                state.faults.push_back(fault);
                Ok(json!({ "waiting": state.faults.len() }))
            })
        }
        "/sandbox/reset" => {
            if !request.posted()?.trim_ascii().is_empty() {
                posted::<ResetBody>(request, RESET)?;
            }
            backend.with(|state, _| state.reset());
            Ok(json!({}))
        }
        _ => Err(Rejection::not_found()),
    }
}

fn message(sms: &Sms) -> Value {
    json!({
        "to": sms.to.as_str(),
        "text": sms.text,
        "code": sms.code,
        "otp_id": sms.otp_id.as_str(),
        "language": sms.language.as_str(),
        "at": iso_8601(sms.at),
    })
}

fn attempt(attempt: &WebhookAttempt) -> Value {
    json!({
        "url": attempt.url,
        "event_id": attempt.event_id,
        "otp_id": attempt.otp_id.as_str(),
        "attempt": attempt.attempt,
        "status": attempt.status,
        "error": attempt.error,
        "at": iso_8601(attempt.at),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextBody {
    from: String,
    to: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceBody {
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetBody {}

/// Each variant has braces, since serde accepts unknown fields for a variant without.
#[derive(Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
enum NextFault {
    Status {
        status: u16,
        #[serde(default)]
        after_acting: bool,
        retry_after: Option<f64>,
    },
    Delay {
        seconds: f64,
    },
    DropBefore {},
    DropAfter {},
    Half {},
    Garbage {},
}

impl NextFault {
    fn into_fault(self) -> Result<Fault, Rejection> {
        let kind = match self {
            Self::Status { status, after_acting, retry_after } => {
                let fault = StatusFault::checked(status).map_err(Rejection::bad_request)?;
                let retry_after = retry_after.map(|seconds| duration("retry_after", seconds)).transpose()?;
                FaultKind::Status(StatusFault { after_acting, retry_after, ..fault })
            }
            Self::Delay { seconds } => FaultKind::Delay(duration("seconds", seconds)?),
            Self::DropBefore {} => FaultKind::DropBefore,
            Self::DropAfter {} => FaultKind::DropAfter,
            Self::Half {} => FaultKind::Half,
            Self::Garbage {} => FaultKind::Garbage,
        };
        Ok(Fault { kind })
    }
}

/// Reads the body. `example` is one for the error, since serde's own message may quote the body.
fn posted<T: DeserializeOwned>(request: &ApiRequest<'_>, example: &str) -> Result<T, Rejection> {
    serde_json::from_slice(request.posted()?).map_err(|error| {
        if error.is_data() {
            Rejection::bad_request(format!("the body must be JSON such as {example}"))
        } else {
            Rejection::not_json(&error)
        }
    })
}

fn duration(field: &str, seconds: f64) -> Result<Duration, Rejection> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Rejection::bad_request(format!("{field} must be a number of seconds, 0 or more")))
}

/// Keeps a script in a loop from filling the memory.
const MAX_FAULTS: usize = 10_000;

const TEXT: &str = r#"{"from":"+14155552671","to":"+16465550123","body":"1234"}"#;

const ADVANCE: &str = r#"{"seconds":960}"#;

const FAIL: &str = r#"{"fault":"status","status":502}, {"fault":"delay","seconds":2} or {"fault":"half"}"#;

const RESET: &str = "{}";
