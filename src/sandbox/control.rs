//! The control calls under `/sandbox/`: what [`Sandbox`](crate::sandbox::Sandbox)'s methods do, for programs in any
//! language. They need no key, and no fault hits them.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::PhoneNumber;
use crate::sandbox::api::{Answer, Call, Refusal, iso_8601};
use crate::sandbox::fault::{Fault, FaultKind, StatusFault};
use crate::sandbox::{Shared, Sms, WebhookAttempt};

/// Whether a path is the sandbox's own, and not one of the API.
pub(super) fn is_control(path: &str) -> bool {
    path == "/sandbox" || path.starts_with("/sandbox/")
}

pub(super) fn answer(call: &Call<'_>, shared: &Arc<Shared>) -> Answer {
    match act(call, shared) {
        Ok(body) => Answer::new(StatusCode::OK, &body),
        Err(refusal) => shared.with(|_, now| refusal.into_answer(now)),
    }
}

fn act(call: &Call<'_>, shared: &Arc<Shared>) -> Result<Value, Refusal> {
    match call.path {
        "/sandbox/messages" => {
            call.expect(&Method::GET)?;
            Ok(shared.with(|state, _| state.messages().map(message).collect()))
        }
        "/sandbox/webhooks" => {
            call.expect(&Method::GET)?;
            Ok(shared.with(|state, _| state.attempts().map(attempt).collect()))
        }
        "/sandbox/text" => {
            let Text { from, to, body } = posted(call)?;
            let verified = shared.text(number("from", &from)?, number("to", &to)?.as_str(), &body);
            Ok(json!({ "verified": verified.iter().map(crate::OtpId::as_str).collect::<Vec<_>>() }))
        }
        "/sandbox/advance" => {
            let Advance { seconds } = posted(call)?;
            let by = duration("seconds", seconds)?;
            shared.with(|state, _| state.advance(by));
            Ok(json!({ "now": shared.with(|_, now| iso_8601(now)) }))
        }
        "/sandbox/fail" => {
            let fault = posted::<NextFault>(call)?.into_fault()?;
            shared.with(|state, _| {
                if state.waiting_faults() >= MOST_FAULTS {
                    return Err(Refusal::bad_request(format!("{MOST_FAULTS} faults are waiting already")));
                }
                state.fail_next(fault);
                Ok(json!({ "waiting": state.waiting_faults() }))
            })
        }
        "/sandbox/reset" => {
            // With or without the empty object that clients like to send.
            if !call.posted()?.trim_ascii().is_empty() {
                posted::<Reset>(call)?;
            }
            shared.with(|state, _| state.reset());
            Ok(json!({}))
        }
        _ => Err(Refusal::not_found()),
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
struct Text {
    from: String,
    to: String,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {}

/// Braces on every variant: serde lets unknown fields of a plain one pass.
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
    fn into_fault(self) -> Result<Fault, Refusal> {
        let kind = match self {
            Self::Status { status, after_acting, retry_after } => {
                let mut fault = StatusFault::checked(status).ok_or_else(|| Refusal::bad_request(StatusFault::RANGE))?;
                if after_acting {
                    fault = fault.after_acting();
                }
                if let Some(seconds) = retry_after {
                    fault = fault.retry_after(duration("retry_after", seconds)?);
                }
                return Ok(fault.into());
            }
            Self::Delay { seconds } => FaultKind::Delay(duration("seconds", seconds)?),
            Self::DropBefore {} => FaultKind::DropBefore,
            Self::DropAfter {} => FaultKind::DropAfter,
            Self::Half {} => FaultKind::Half,
            Self::Garbage {} => FaultKind::Garbage,
        };
        Ok(kind.into())
    }
}

fn posted<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Refusal> {
    serde_json::from_slice(call.posted()?)
        .map_err(|error| Refusal::bad_request(format!("the body does not fit {}: {error}", call.path)))
}

fn number(field: &str, text: &str) -> Result<PhoneNumber, Refusal> {
    PhoneNumber::parse(text)
        .map_err(|_| Refusal::bad_request(format!("{field} must be a phone number in E.164, such as +14155552671")))
}

fn duration(field: &str, seconds: f64) -> Result<Duration, Refusal> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Refusal::bad_request(format!("{field} must be a number of seconds, 0 or more")))
}

/// Faults queued over HTTP, so that a script in a loop does not fill the memory.
const MOST_FAULTS: usize = 10_000;
