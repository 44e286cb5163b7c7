//! The six operations over HTTP: who may call, what a request must hold, and the envelope around the answer.
//!
//! The rules are written here once more, and not taken from the client's validation, so that each shows the other's
//! mistakes.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::{ALLOW, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::sandbox::KEY_PREFIX;
use crate::sandbox::state::{SessionRequest, SessionStatus, State, UnknownId, random_text};
use crate::{Language, PhoneNumber};

/// Lets the service act on a call, and puts what comes of it into the envelope.
pub(super) fn answer(call: &Call<'_>, state: &mut State, now: SystemTime) -> Answer {
    match authorize(call).and_then(|()| act(call, state, now)) {
        Ok(data) => Answer::new(StatusCode::OK, &envelope("req_", "response", &data, now)),
        Err(refusal) => refusal.into_answer(now),
    }
}

/// A request that has arrived whole.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) authorization: Option<&'a [u8]>,
    /// None: more than the service reads.
    pub(super) body: Option<&'a [u8]>,
}

/// A response, before it has to do with sockets.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) body: Vec<u8>,
}

/// Why the service does not act.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    header: Option<(HeaderName, HeaderValue)>,
    message: String,
}

fn authorize(call: &Call<'_>) -> Result<(), Refusal> {
    let unauthorized = |message: &str| Refusal {
        header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Token"))),
        ..Refusal::new(StatusCode::UNAUTHORIZED, message)
    };
    let value = call.authorization.ok_or_else(|| unauthorized("the header Authorization is missing"))?;
    let text = std::str::from_utf8(value).unwrap_or_default();
    match text.split_once(' ') {
        // The name of a scheme has no case (RFC 9110 §11.1).
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("token") => {
            if key.trim().starts_with(KEY_PREFIX) {
                Ok(())
            } else {
                Err(unauthorized(&format!("the sandbox takes any API key that begins with {KEY_PREFIX}")))
            }
        }
        _ => Err(unauthorized("the header Authorization must read `Token <API key>`")),
    }
}

fn act(call: &Call<'_>, state: &mut State, now: SystemTime) -> Result<Value, Refusal> {
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    match *segments.as_slice() {
        ["otp", "new"] => new(&call.posted_fields()?, state, now),
        ["otp", "verify"] => verify(&call.posted_fields()?, state, now),
        ["otp", "resend"] => resend(&call.posted_fields()?, state, now),
        ["otp", "reverse", "initiate"] => initiate(&call.posted_fields()?, state, now),
        ["otp", "reverse", "verify", id] if !id.is_empty() => {
            call.expect(&Method::GET)?;
            status(&decoded(id), state, now)
        }
        ["otp", "reverse", "cancel", id] if !id.is_empty() => {
            // Whatever stands in the body: clients send none, an empty object, or nothing called JSON.
            call.expect(&Method::POST)?;
            cancel(&decoded(id), state, now)
        }
        _ => Err(Refusal::not_found()),
    }
}

fn new(fields: &Fields, state: &mut State, now: SystemTime) -> Result<Value, Refusal> {
    let to = fields.number("to")?.ok_or_else(|| missing("to"))?;
    let language = fields.language()?.ok_or_else(|| missing("language"))?;
    let name = fields.text("name")?.ok_or_else(|| missing("name"))?;
    Ok(json!({ "otp_id": state.send_code(to, language, name, now).as_str() }))
}

fn verify(fields: &Fields, state: &mut State, now: SystemTime) -> Result<Value, Refusal> {
    let id = fields.text("otp_id")?.ok_or_else(|| missing("otp_id"))?;
    let otp = fields.text("otp")?.ok_or_else(|| missing("otp"))?;
    Ok(json!({ "verified": state.check_code(id, otp, now)? }))
}

fn resend(fields: &Fields, state: &mut State, now: SystemTime) -> Result<Value, Refusal> {
    let id = fields.text("otp_id")?.ok_or_else(|| missing("otp_id"))?;
    Ok(json!({ "resent": state.resend_code(id, now)? }))
}

fn initiate(fields: &Fields, state: &mut State, now: SystemTime) -> Result<Value, Refusal> {
    let number = fields.number("number")?.ok_or_else(|| missing("number"))?;
    let factor = fields.text("factor")?.map(str::to_owned);
    if factor.as_ref().is_some_and(|factor| factor.chars().count() > MOST_FACTOR_CHARACTERS) {
        return Err(Refusal::bad_request("factor must have 1 to 16 characters"));
    }
    let to = fields.number("to")?;
    let service = fields.text("service")?.unwrap_or("sms");
    if !["sms", "imessage"].contains(&service) {
        return Err(Refusal::bad_request("service must be `sms` or `imessage`"));
    }
    // The instruction is English whatever the language, which only has to be one.
    fields.language()?;
    let success_url = fields.text("success_url")?.map(str::to_owned);
    if success_url.as_ref().is_some_and(|url| !is_absolute_url(url)) {
        return Err(Refusal::bad_request("success_url must be an absolute http or https URL"));
    }

    let session = state.open_session(SessionRequest { number, factor, to, success_url }, now);
    Ok(json!({
        "otp_id": session.otp_id.as_str(),
        "number": session.number.as_str(),
        "factor": session.factor,
        "to": session.to,
        "service": service,
        "expires_at": iso_8601(session.expires_at),
        "ui": {
            "text": format!("Text {} to {} to verify your phone number.", session.factor, session.to),
            "qr_code": format!("sms:{}?body={}", session.to, utf8_percent_encode(&session.factor, UNRESERVED)),
        },
        "success_url": session.success_url,
    }))
}

fn status(id: &str, state: &State, now: SystemTime) -> Result<Value, Refusal> {
    let session = state.session(id)?;
    Ok(json!({
        "otp_id": session.otp_id.as_str(),
        "status": session.status(now).as_str(),
        "expires_at": iso_8601(session.expires_at),
    }))
}

fn cancel(id: &str, state: &mut State, now: SystemTime) -> Result<Value, Refusal> {
    match state.cancel_session(id, now)? {
        SessionStatus::Cancelled => Ok(json!({ "otp_id": id, "status": SessionStatus::Cancelled.as_str() })),
        ended => Err(Refusal::bad_request(format!("the session is {} and cannot be cancelled", ended.as_str()))),
    }
}

fn is_absolute_url(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn missing(field: &str) -> Refusal {
    Refusal::bad_request(format!("{field} is missing"))
}

impl<'a> Call<'a> {
    pub(super) fn expect(&self, method: &'static Method) -> Result<(), Refusal> {
        if self.method == method {
            return Ok(());
        }
        Err(Refusal {
            header: HeaderValue::from_str(method.as_str()).ok().map(|method| (ALLOW, method)),
            ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("use {method} here"))
        })
    }

    /// The body of a POST.
    pub(super) fn posted(&self) -> Result<&'a [u8], Refusal> {
        self.expect(&Method::POST)?;
        self.body.ok_or_else(|| {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {MOST_BODY_BYTES} bytes"))
        })
    }

    fn posted_fields(&self) -> Result<Fields, Refusal> {
        match serde_json::from_slice(self.posted()?) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(Refusal::bad_request("the body must be a JSON object")),
            Err(error) => Err(Refusal::bad_request(format!("the body is not JSON: {error}"))),
        }
    }
}

/// The fields of a request. One that is not there is `None`, `null` is a wrong type, and unknown ones are ignored.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => {
                Err(Refusal::bad_request(format!("{name} must not be blank")))
            }
            Some(Value::String(text)) if text.contains(char::is_control) => {
                Err(Refusal::bad_request(format!("{name} must not hold control characters")))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::bad_request(format!("{name} must be text"))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<PhoneNumber>, Refusal> {
        let number = |text| {
            PhoneNumber::parse(text).map_err(|_| {
                Refusal::bad_request(format!("{name} must be a phone number in E.164, such as +14155552671"))
            })
        };
        self.text(name)?.map(number).transpose()
    }

    fn language(&self) -> Result<Option<Language>, Refusal> {
        let language = |text: &str| {
            text.parse().map_err(|_| Refusal::bad_request("language must be a language code, such as en or pt-br"))
        };
        self.text("language")?.map(language).transpose()
    }
}

impl Refusal {
    pub(super) fn bad_request(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such endpoint")
    }

    pub(super) fn new(status: StatusCode, message: impl Display) -> Self {
        Self { status, header: None, message: message.to_string() }
    }

    pub(super) fn into_answer(self, now: SystemTime) -> Answer {
        let data = json!({ "error": self.message, "status": self.status.as_u16() });
        Answer { header: self.header, ..Answer::new(self.status, &envelope("err_", "error", &data, now)) }
    }
}

impl From<UnknownId> for Refusal {
    fn from(_: UnknownId) -> Self {
        Self::bad_request("otp_id is unknown")
    }
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        // Text, numbers and maps by text: nothing that JSON cannot hold.
        Self { status, header: None, body: serde_json::to_vec(body).unwrap_or_default() }
    }
}

fn envelope<'a>(id: &str, object: &'a str, data: &'a Value, now: SystemTime) -> Envelope<'a> {
    Envelope { id: random_text(id), timestamp: unix_milliseconds(now), api_version: API_VERSION, object, data }
}

#[derive(Serialize)]
struct Envelope<'a> {
    id: String,
    timestamp: u64,
    api_version: &'a str,
    object: &'a str,
    data: &'a Value,
}

fn unix_milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

/// As the API writes times, `2026-02-01T12:00:00.000Z`. Times of the service are in the range that this can write.
pub(super) fn iso_8601(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The version whose behaviour this is.
pub(super) const API_VERSION: &str = "v2026.7.29";

/// No request of the API comes near.
pub(super) const MOST_BODY_BYTES: usize = 64 << 10;

/// By the API's `OpenAPI` document.
const MOST_FACTOR_CHARACTERS: usize = 16;

/// What needs no encoding in any part of a URL (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
