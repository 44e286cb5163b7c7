//! The API's six operations: the key, the fields of each request, and the envelope around each
//! response.
//!
//! The rules are written down again, independent of the client's validation, so that a mistake in
//! one shows in the other.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::language::Language;
use crate::phone::PhoneNumber;
use crate::sandbox::fault::{Endpoint, Target};
use crate::sandbox::state::{Session, SessionRequest, SessionStatus, State, UnknownId, random_text};

/// Acts on a request to the API, and returns the response in its envelope.
pub(super) fn respond(request: &ApiRequest<'_>, state: &mut State, now: SystemTime) -> ApiResponse {
    match authorize(request).and_then(|()| act(request, state, now)) {
        Ok(data) => ApiResponse::new(StatusCode::OK, &envelope("req_", "response", data, now)),
        Err(rejection) => rejection.into_response(now),
    }
}

/// A request that has arrived whole.
pub(super) struct ApiRequest<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) authorization: Option<&'a [u8]>,
    /// `None` if it is longer than [`MAX_BODY_BYTES`].
    pub(super) body: Option<&'a [u8]>,
}

/// A response, before it is written to a socket.
pub(super) struct ApiResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why a request is not acted on.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    header: Option<(HeaderName, HeaderValue)>,
    message: String,
}

fn authorize(request: &ApiRequest<'_>) -> Result<(), Rejection> {
    let unauthorized = |message: &str| Rejection {
        header: Some((WWW_AUTHENTICATE, HeaderValue::from_static("Token"))),
        ..Rejection::new(StatusCode::UNAUTHORIZED, message)
    };
    let value = request.authorization.ok_or_else(|| unauthorized("the Authorization header is missing"))?;
    let text = std::str::from_utf8(value).unwrap_or_default();
    let (scheme, key) = text.split_once(' ').unwrap_or_default();
    // The scheme is case-insensitive (RFC 9110, section 11.1).
    if !scheme.eq_ignore_ascii_case("token") {
        return Err(unauthorized("the Authorization header must be `Token <API key>`"));
    }
    if !key.trim().starts_with(KEY_PREFIX) {
        return Err(unauthorized(&format!("the API key must begin with {KEY_PREFIX}")));
    }
    Ok(())
}

/// Returns what a request is about. It may be malformed, and is not acted on.
pub(super) fn target(request: &ApiRequest<'_>, state: &State) -> Target {
    let Some((endpoint, id)) = endpoint(request.path) else { return Target { endpoint: None, number: None } };
    let fields = request.body.and_then(|body| serde_json::from_slice::<Value>(body).ok()).unwrap_or_default();
    let field = |name: &str| fields.get(name).and_then(Value::as_str);
    let number = match endpoint {
        Endpoint::New => field("to").and_then(|to| PhoneNumber::parse(to).ok()),
        Endpoint::Initiate => field("number").and_then(|number| PhoneNumber::parse(number).ok()),
        Endpoint::Verify | Endpoint::Resend => field("otp_id").and_then(|id| state.number_of_code(id)),
        Endpoint::Status | Endpoint::Cancel => state.session(&id).ok().map(|session| session.number),
    };
    Target { endpoint: Some(endpoint), number }
}

fn act(request: &ApiRequest<'_>, state: &mut State, now: SystemTime) -> Result<Value, Rejection> {
    let (endpoint, id) = endpoint(request.path).ok_or_else(Rejection::not_found)?;
    match endpoint {
        Endpoint::New => new(&request.fields()?, state, now),
        Endpoint::Verify => verify(&request.fields()?, state, now),
        Endpoint::Resend => resend(&request.fields()?, state, now),
        Endpoint::Initiate => initiate(&request.fields()?, state, now),
        Endpoint::Status => {
            request.require(&Method::GET)?;
            status(&id, state, now)
        }
        Endpoint::Cancel => {
            // Clients send no body, an empty object, or an empty body that they call JSON.
            request.require(&Method::POST)?;
            cancel(&id, state, now)
        }
    }
}

/// Returns the endpoint at a path, and the id at its end, which is empty for most endpoints.
fn endpoint(path: &str) -> Option<(Endpoint, String)> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (endpoint, id) = match *segments.as_slice() {
        ["otp", "new"] => (Endpoint::New, ""),
        ["otp", "verify"] => (Endpoint::Verify, ""),
        ["otp", "resend"] => (Endpoint::Resend, ""),
        ["otp", "reverse", "initiate"] => (Endpoint::Initiate, ""),
        ["otp", "reverse", "verify", id] if !id.is_empty() => (Endpoint::Status, id),
        ["otp", "reverse", "cancel", id] if !id.is_empty() => (Endpoint::Cancel, id),
        _ => return None,
    };
    Some((endpoint, decoded(id)))
}

fn new(fields: &RequestFields, state: &mut State, now: SystemTime) -> Result<Value, Rejection> {
    let to = fields.number("to")?.ok_or_else(|| missing("to"))?;
    let language = fields.language(state.any_language)?.ok_or_else(|| missing("language"))?;
    let name = fields.text("name")?.ok_or_else(|| missing("name"))?;
    Ok(json!({ "otp_id": state.send_code(to, language, name, now).as_str() }))
}

fn verify(fields: &RequestFields, state: &mut State, now: SystemTime) -> Result<Value, Rejection> {
    let id = fields.text("otp_id")?.ok_or_else(|| missing("otp_id"))?;
    let otp = fields.text("otp")?.ok_or_else(|| missing("otp"))?;
    Ok(json!({ "verified": state.check_code(id, otp, now)? }))
}

fn resend(fields: &RequestFields, state: &mut State, now: SystemTime) -> Result<Value, Rejection> {
    let id = fields.text("otp_id")?.ok_or_else(|| missing("otp_id"))?;
    Ok(json!({ "resent": state.resend_code(id, now)? }))
}

fn initiate(fields: &RequestFields, state: &mut State, now: SystemTime) -> Result<Value, Rejection> {
    let number = fields.number("number")?.ok_or_else(|| missing("number"))?;
    let factor = fields.text("factor")?.map(str::to_owned);
    if factor.as_ref().is_some_and(|factor| factor.chars().count() > MAX_FACTOR_CHARACTERS) {
        return Err(Rejection::bad_request("factor must have 1 to 16 characters"));
    }
    let to = fields.number("to")?;
    let service = fields.text("service")?.unwrap_or("sms");
    if !["sms", "imessage"].contains(&service) {
        return Err(Rejection::bad_request("service must be `sms` or `imessage`"));
    }
    // The instructions are in English regardless.
    fields.language(state.any_language)?;
    let success_url = fields.text("success_url")?.map(str::to_owned);
    if success_url.as_ref().is_some_and(|url| !is_absolute_url(url)) {
        return Err(Rejection::bad_request("success_url must be an absolute http or https URL"));
    }

    let service = service.to_owned();
    let session = state.open_session(SessionRequest { number, factor, to, service, success_url }, now);
    Ok(json!({
        "otp_id": session.otp_id.as_str(),
        "number": session.number.as_str(),
        "factor": session.factor,
        "to": session.to,
        "service": session.service,
        "expires_at": iso_8601(session.expires_at),
        "ui": {
            "text": format!("Text {} to {} to verify your phone number.", session.factor, session.to),
            "qr_code": link(&session),
        },
        "success_url": session.success_url.as_deref(),
    }))
}

/// Returns the link that opens the messages of a phone, with number and text filled in.
pub(super) fn link(session: &Session) -> String {
    format!("sms:{}?body={}", session.to, utf8_percent_encode(&session.factor, UNRESERVED))
}

fn status(id: &str, state: &State, now: SystemTime) -> Result<Value, Rejection> {
    let session = state.session(id)?;
    Ok(json!({
        "otp_id": session.otp_id.as_str(),
        "status": session.status(now).as_str(),
        "expires_at": iso_8601(session.expires_at),
    }))
}

fn cancel(id: &str, state: &mut State, now: SystemTime) -> Result<Value, Rejection> {
    match state.cancel_session(id, now)? {
        SessionStatus::Cancelled => Ok(json!({ "otp_id": id, "status": SessionStatus::Cancelled.as_str() })),
        ended => Err(Rejection::bad_request(format!("the session is {} and cannot be cancelled", ended.as_str()))),
    }
}

fn is_absolute_url(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}

pub(super) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

pub(super) fn phone_number(field: &str, text: &str) -> Result<PhoneNumber, Rejection> {
    PhoneNumber::parse(text)
        .map_err(|_| Rejection::bad_request(format!("{field} must be a phone number in E.164, such as +14155552671")))
}

fn missing(field: &str) -> Rejection {
    Rejection::bad_request(format!("{field} is missing"))
}

impl<'a> ApiRequest<'a> {
    pub(super) fn require(&self, method: &'static Method) -> Result<(), Rejection> {
        if self.method == method {
            return Ok(());
        }
        let allowed = HeaderValue::from_str(method.as_str()).expect("a method is a header value");
        Err(Rejection {
            header: Some((ALLOW, allowed)),
            ..Rejection::new(StatusCode::METHOD_NOT_ALLOWED, format!("the method must be {method}"))
        })
    }

    /// Returns the body of a POST.
    pub(super) fn posted(&self) -> Result<&'a [u8], Rejection> {
        self.require(&Method::POST)?;
        self.body.ok_or_else(|| {
            Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body must have at most {MAX_BODY_BYTES} bytes"))
        })
    }

    fn fields(&self) -> Result<RequestFields, Rejection> {
        match serde_json::from_slice(self.posted()?) {
            Ok(Value::Object(fields)) => Ok(RequestFields(fields)),
            Ok(_) => Err(Rejection::bad_request("the body must be a JSON object")),
            Err(error) => Err(Rejection::not_json(&error)),
        }
    }
}

/// The fields of a request. A missing one is `None`, `null` is a wrong type, and unknown ones are
/// ignored.
struct RequestFields(Map<String, Value>);

impl RequestFields {
    fn text(&self, name: &str) -> Result<Option<&str>, Rejection> {
        let problem = match self.0.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => "must not be blank",
            Some(Value::String(text)) if text.contains(char::is_control) => "must not have control characters",
            Some(Value::String(text)) => return Ok(Some(text)),
            Some(_) => "must be text",
        };
        Err(Rejection::bad_request(format!("{name} {problem}")))
    }

    fn number(&self, name: &str) -> Result<Option<PhoneNumber>, Rejection> {
        self.text(name)?.map(|text| phone_number(name, text)).transpose()
    }

    fn language(&self, any: bool) -> Result<Option<Language>, Rejection> {
        let Some(text) = self.text("language")? else { return Ok(None) };
        if !any && !LANGUAGES.iter().any(|code| code.eq_ignore_ascii_case(text)) {
            return Err(Rejection::bad_request(NOT_A_LANGUAGE));
        }
        let language = text.parse().map_err(|_| Rejection::bad_request(NOT_A_LANGUAGE_CODE))?;
        Ok(Some(language))
    }
}

impl Rejection {
    pub(super) fn bad_request(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Says where the body is wrong. serde's own message may quote the body.
    pub(super) fn not_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::bad_request(format!("the body is not valid JSON (line {line}, column {column})"))
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no such endpoint")
    }

    pub(super) fn new(status: StatusCode, message: impl Display) -> Self {
        Self { status, header: None, message: message.to_string() }
    }

    pub(super) fn into_response(self, now: SystemTime) -> ApiResponse {
        let data = json!({ "error": self.message, "status": self.status.as_u16() });
        let mut response = ApiResponse::new(self.status, &envelope("err_", "error", data, now));
        response.headers.extend(self.header);
        response
    }
}

impl From<UnknownId> for Rejection {
    fn from(_: UnknownId) -> Self {
        Self::bad_request("otp_id is unknown")
    }
}

impl ApiResponse {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("text, numbers and maps with text keys are valid JSON");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { status, headers, body }
    }
}

fn envelope(id: &str, object: &'static str, mut data: Value, now: SystemTime) -> ApiEnvelope {
    let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let metadata = ApiMetadata { id: random_text(id), timestamp, api_version: API_VERSION, object };
    // The vendor's Python client requires it there too. Others ignore it.
    data["metadata"] = json!(metadata);
    ApiEnvelope { metadata, data }
}

#[derive(Serialize)]
struct ApiEnvelope {
    #[serde(flatten)]
    metadata: ApiMetadata,
    data: Value,
}

#[derive(Serialize)]
struct ApiMetadata {
    id: String,
    timestamp: u128,
    api_version: &'static str,
    object: &'static str,
}

/// Returns the time as the API writes it: `2026-02-01T12:00:00.000Z`.
pub(super) fn iso_8601(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The API version that the sandbox behaves as.
pub(super) const API_VERSION: &str = "v2026.7.29";

/// More than any request of the API has.
pub(super) const MAX_BODY_BYTES: usize = 64 << 10;

/// As the vendor's `OpenAPI` document says.
const MAX_FACTOR_CHARACTERS: usize = 16;

/// A key for clients that have none of their own.
pub(super) const API_KEY: &str = "contiguity_sk_sandbox";

/// Real keys begin with this. A key for another service is noticed.
pub(super) const KEY_PREFIX: &str = "contiguity_sk_";

/// The languages that the vendor documents.
const LANGUAGES: [&str; 34] = [
    "en", "af", "ar", "ca", "zh", "zh-hk", "hr", "cs", "da", "nl", "fi", "fr", "de", "el", "he", "hi", "hu", "id",
    "it", "ja", "ko", "ms", "nb", "pl", "pt-br", "pt", "ro", "ru", "es", "sv", "tl", "th", "tr", "vi",
];

const NOT_A_LANGUAGE: &str = "language must be one of the 34 that the service supports, such as en or pt-br; in a test, Sandbox::any_language allows others";

const NOT_A_LANGUAGE_CODE: &str = "language must be a language code, such as en or pt-br";

/// The characters that need no encoding in any part of a URL (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
