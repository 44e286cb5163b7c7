//! The control calls under `/sandbox/`, for programs in any language. They need no key, and faults
//! do not affect them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::sandbox::api::{self, ApiRequest, ApiResponse, Rejection, iso_8601, phone_number};
use crate::sandbox::backend::Backend;
use crate::sandbox::fault::{Endpoint, Fault, FaultKind, Faults, StatusFault};
use crate::sandbox::message::{PhoneText, ReceivedRequest, Sms, WebhookAttempt};
use crate::sandbox::state::{Session, State};

/// Returns whether a path is a control call, and not one of the API.
pub(super) fn is_control(path: &str) -> bool {
    path == "/sandbox" || path.starts_with("/sandbox/")
}

pub(super) fn respond(request: &ApiRequest<'_>, backend: &Arc<Backend>) -> ApiResponse {
    match act(request, backend) {
        Ok(body) => ApiResponse::new(StatusCode::OK, &body),
        Err(rejection) => backend.read(|_, now| rejection.into_response(now)),
    }
}

fn act(request: &ApiRequest<'_>, backend: &Arc<Backend>) -> Result<Value, Rejection> {
    let path = request.path.strip_prefix("/sandbox/").unwrap_or_default();
    if let Some(number) = path.strip_prefix("phones/") {
        let number = phone_number("the phone in the path", &api::decoded(number))?;
        return read(request, backend, |state, _| phone(state, number));
    }
    match path {
        "messages" => read(request, backend, |state, _| state.messages().map(message).collect()),
        "sessions" => read(request, backend, |state, now| state.sessions().map(|it| session(it, now)).collect()),
        "requests" => read(request, backend, |state, _| state.requests().map(received).collect()),
        "webhooks" => read(request, backend, |state, _| state.attempts().map(attempt).collect()),
        "faults" => read(request, backend, |state, _| faults(&state.faults)),
        "snapshot" => read(request, backend, snapshot),
        "text" => {
            let TextBody { from, to, body } = posted(request, TEXT)?;
            let verified = backend.text(phone_number("from", &from)?, phone_number("to", &to)?.as_str(), &body);
            Ok(json!({ "verified": verified.iter().map(OtpId::as_str).collect::<Vec<_>>() }))
        }
        "advance" => {
            let AdvanceBody { seconds } = posted(request, ADVANCE)?;
            let by = duration("seconds", seconds)?;
            backend.change(|state, _| state.advance(by));
            Ok(json!({ "now": backend.read(|_, now| iso_8601(now)) }))
        }
        "fail" => {
            let InjectedFault { fault, times, always } = InjectedFault::parse(posted(request, FAIL)?)?;
            backend.change(|state, _| {
                if state.faults.len() >= MAX_FAULTS {
                    return Err(Rejection::bad_request(format!("{MAX_FAULTS} faults are waiting already")));
                }
                if always {
                    state.faults.standing.push(fault);
                } else {
                    state.faults.queue(fault, times);
                }
                Ok(json!({ "waiting": state.faults.queued.len() }))
            })
        }
        "heal" => {
            empty(request)?;
            backend.change(|state, _| state.faults = Faults::default());
            Ok(json!({}))
        }
        "reset" => {
            empty(request)?;
            backend.change(|state, _| state.reset());
            Ok(json!({}))
        }
        _ => Err(Rejection::not_found()),
    }
}

fn read(
    request: &ApiRequest<'_>,
    backend: &Backend,
    read: impl FnOnce(&State, SystemTime) -> Value,
) -> Result<Value, Rejection> {
    request.require(&Method::GET)?;
    Ok(backend.read(read))
}

/// Everything that the page shows.
fn snapshot(state: &State, now: SystemTime) -> Value {
    json!({
        "now": iso_8601(now),
        "api_key": api::API_KEY,
        "messages": newest(state.messages(), message),
        "texts": newest(state.texts(), text),
        "sessions": newest(state.sessions(), |it| session(it, now)),
        "requests": newest(state.requests(), received),
        "webhooks": newest(state.attempts(), attempt),
        "faults": faults(&state.faults),
    })
}

/// Returns the newest items, oldest first.
fn newest<T>(items: impl DoubleEndedIterator<Item = T>, json: impl Fn(T) -> Value) -> Value {
    let mut newest: Vec<Value> = items.rev().take(MAX_SHOWN).map(json).collect();
    newest.reverse();
    newest.into()
}

fn phone(state: &State, number: PhoneNumber) -> Value {
    let messages: Vec<&Sms> = state.messages().filter(|sms| sms.to == number).collect();
    json!({
        "number": number.as_str(),
        "last_code": messages.last().map(|sms| &sms.code),
        "deliveries": state.deliveries(number),
        "messages": messages.into_iter().map(message).collect::<Value>(),
    })
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

fn text(text: &PhoneText) -> Value {
    json!({
        "from": text.from.as_str(),
        "to": text.to,
        "body": text.body,
        "verified": text.verified,
        "at": iso_8601(text.at),
    })
}

fn session(session: &Session, now: SystemTime) -> Value {
    json!({
        "otp_id": session.otp_id.as_str(),
        "number": session.number.as_str(),
        "to": session.to,
        "factor": session.factor,
        "service": session.service,
        "status": session.status(now).as_str(),
        "expires_at": iso_8601(session.expires_at),
        "link": api::link(session),
        "success_url": session.success_url,
    })
}

fn received(request: &ReceivedRequest) -> Value {
    json!({
        "method": request.method,
        "path": request.path,
        "body": request.body,
        "status": request.status,
        "response": request.response,
        "fault": request.fault,
        "at": iso_8601(request.at),
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

fn faults(faults: &Faults) -> Value {
    let queued = faults.queued.iter().map(|(fault, times)| FaultBody::describe(fault, Some(*times)));
    let standing = faults.standing.iter().map(|fault| FaultBody::describe(fault, None));
    json!({ "queued": queued.collect::<Value>(), "standing": standing.collect::<Value>() })
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
struct NoBody {}

/// A fault with its options, as it is posted and listed. An option of another fault is refused.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct FaultBody {
    fault: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_acting: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    always: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
}

impl FaultBody {
    fn describe(fault: &Fault, times: Option<u32>) -> Value {
        let mut body = Self {
            fault: fault.kind.name().to_owned(),
            times,
            endpoint: fault.endpoint,
            number: fault.number.map(|number| number.to_string()),
            ..Self::default()
        };
        match &fault.kind {
            FaultKind::Status(StatusFault { status, after_acting, retry_after }) => {
                body.status = Some(*status);
                body.after_acting = after_acting.then_some(true);
                body.retry_after = retry_after.map(|wait| wait.as_secs_f64());
            }
            FaultKind::Delay(delay) => body.seconds = Some(delay.as_secs_f64()),
            FaultKind::DropBefore | FaultKind::DropAfter | FaultKind::Half | FaultKind::Garbage => {}
        }
        serde_json::to_value(body).expect("text and numbers are valid JSON")
    }
}

struct InjectedFault {
    fault: Fault,
    times: u32,
    always: bool,
}

impl InjectedFault {
    fn parse(body: FaultBody) -> Result<Self, Rejection> {
        let wrong = || Rejection::bad_request(format!("the body must be JSON such as {FAIL}"));
        if !FAULTS.contains(&&*body.fault) {
            return Err(Rejection::bad_request(format!("fault must be one of {}", FAULTS.join(", "))));
        }
        let kind = match (&*body.fault, body.status, body.seconds) {
            ("status", Some(status), None) => {
                let fault = StatusFault::checked(status).map_err(Rejection::bad_request)?;
                let retry_after = body.retry_after.map(|seconds| duration("retry_after", seconds)).transpose()?;
                FaultKind::Status(StatusFault {
                    after_acting: body.after_acting.unwrap_or(false),
                    retry_after,
                    ..fault
                })
            }
            ("status", None, _) => return Err(Rejection::bad_request("status must be a status from 200 to 599")),
            (_, Some(_), _) => return Err(wrong()),
            _ if body.after_acting.is_some() || body.retry_after.is_some() => return Err(wrong()),
            ("delay", None, Some(seconds)) => FaultKind::Delay(duration("seconds", seconds)?),
            ("delay", None, None) => {
                return Err(Rejection::bad_request("seconds must be a number of seconds, 0 or more"));
            }
            ("drop_before", None, None) => FaultKind::DropBefore,
            ("drop_after", None, None) => FaultKind::DropAfter,
            ("half", None, None) => FaultKind::Half,
            ("garbage", None, None) => FaultKind::Garbage,
            _ => return Err(wrong()),
        };
        if body.times == Some(0) {
            return Err(Rejection::bad_request("times must be 1 or more"));
        }
        let always = body.always.unwrap_or(false);
        if always && body.times.is_some() {
            return Err(Rejection::bad_request("times and always exclude each other; give one of them"));
        }
        let number = body.number.map(|number| phone_number("number", &number)).transpose()?;
        let fault = Fault { kind, endpoint: body.endpoint, number };
        Ok(Self { fault, times: body.times.unwrap_or(1), always })
    }
}

/// Reads a body that may be missing.
fn empty(request: &ApiRequest<'_>) -> Result<(), Rejection> {
    if !request.posted()?.trim_ascii().is_empty() {
        posted::<NoBody>(request, NO_FIELDS)?;
    }
    Ok(())
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

/// A snapshot is sent after each change, and a person reads fewer.
const MAX_SHOWN: usize = 200;

/// Keeps a script in a loop from filling the memory.
const MAX_FAULTS: usize = 10_000;

const TEXT: &str = r#"{"from":"+14155552671","to":"+16465550123","body":"1234"}"#;

const ADVANCE: &str = r#"{"seconds":960}"#;

const FAIL: &str = r#"{"fault":"status","status":502}, {"fault":"delay","seconds":2} or {"fault":"half"}"#;

const FAULTS: [&str; 6] = ["status", "delay", "drop_before", "drop_after", "half", "garbage"];

const NO_FIELDS: &str = "{}";
