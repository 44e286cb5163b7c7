//! The JSON around every response, and `Metadata`.

use std::borrow::Cow;
use std::str;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::otp_id::OtpId;
use crate::redact::Redactor;

/// Response metadata, for logs and support requests. Every field is optional.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::NewOtp;
///
/// let sent = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// let request_id = sent.metadata.request_id;
/// assert!(request_id.is_some_and(|id| id.starts_with("req_")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The id of this request, such as `req_…`. The vendor's support asks for it.
    pub request_id: Option<String>,
    /// The time of the response, by the service's clock.
    pub timestamp: Option<SystemTime>,
    /// The version of the API that responded, such as `v2026.7.29`.
    pub api_version: Option<String>,
}

/// The outer object of a response. Odd metadata never makes a response unreadable.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Envelope<'a> {
    id: Field<'a>,
    timestamp: Field<'a>,
    api_version: Field<'a>,
    message: Field<'a>,
    error: Field<'a>,
    data: Field<'a>,
}

impl<'a> Envelope<'a> {
    /// The error is the end of a sentence about the response.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, String> {
        let text = str::from_utf8(without_mark(body)).map_err(|_| "the body is not UTF-8".to_owned())?;
        if text.trim_ascii().is_empty() {
            return Err("the body is empty".to_owned());
        }
        object(text, "the body")
    }

    /// Returns the fields of `data`, or the end of a sentence about the response.
    pub(crate) fn data<D: Deserialize<'a>>(&self) -> Result<D, String> {
        let data = self.data.0.ok_or("`data` is missing")?;
        object(data.get(), "`data`")
    }

    pub(crate) fn metadata(&self, redactor: &Redactor<'_>) -> Metadata {
        Metadata {
            request_id: self.request_id(redactor),
            timestamp: self.timestamp.0.and_then(timestamp),
            api_version: self.api_version.text().map(|version| redactor.value(&version)),
        }
    }

    pub(crate) fn request_id(&self, redactor: &Redactor<'_>) -> Option<String> {
        self.id.text().filter(|id| !id.is_empty()).map(|id| redactor.value(&id))
    }

    /// Returns what a response other than 2xx says of the problem: `data.error` as documented, or a
    /// `message` as sometimes seen.
    pub(crate) fn complaint(&self) -> Complaint<'a> {
        let data: ErrorData<'a> = self.data.read().unwrap_or_default();
        let messages = [data.error, data.message, self.message, self.error];
        Complaint {
            message: messages.iter().filter_map(Field::text).find(|text| !text.trim().is_empty()),
            agreement_url: data.agreement_url.text(),
        }
    }
}

/// What an error response says.
pub(crate) struct Complaint<'a> {
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) agreement_url: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct ErrorData<'a> {
    error: Field<'a>,
    message: Field<'a>,
    agreement_url: Field<'a>,
}

/// A field of a response, whatever its type. `null` counts as missing.
///
/// A struct of such fields has `#[serde(default, bound(deserialize = "'de: 'a"))]`: any of them may
/// be missing, and all borrow from the response.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Field<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl<'a> Field<'a> {
    pub(crate) fn is_present(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the JSON as it was sent.
    #[cfg(feature = "webhook")]
    pub(crate) fn json(&self) -> &'a str {
        self.0.map_or("null", RawValue::get)
    }

    /// Returns the value if it has that type.
    pub(crate) fn read<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.0?.get()).ok()
    }

    /// Returns the text if it is text. It is borrowed if it has no escapes.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

        let inner = self.0?.get().strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') { self.read().map(|Text(text)| text) } else { Some(Cow::Borrowed(inner)) }
    }

    /// Returns a time in ISO 8601, as in `expires_at`.
    pub(crate) fn time(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339(&self.text()?).ok()
    }

    /// Returns text that has to be there. The error is the end of a sentence about the response.
    pub(crate) fn required_text(&self, name: &str) -> Result<Cow<'a, str>, String> {
        self.text().ok_or_else(|| self.problem(name, "text"))
    }

    /// Returns a boolean that has to be there. The error is the end of a sentence about the response.
    pub(crate) fn required_bool(&self, name: &str) -> Result<bool, String> {
        self.read().ok_or_else(|| self.problem(name, "a boolean"))
    }

    /// Returns an id that has to be there. The error is the end of a sentence about the response.
    pub(crate) fn required_otp_id(&self) -> Result<OtpId, String> {
        let text = self.required_text("otp_id")?;
        OtpId::parse(&text).map_err(|error| format!("`data.otp_id` {}", error.problem))
    }

    /// Checks the id of a response to a call that named one: absent, or the same.
    pub(crate) fn expect_otp_id(&self, asked: &OtpId) -> Result<(), String> {
        if self.is_present() && self.required_text("otp_id")? != asked.as_str() {
            return Err("`data.otp_id` is not the id of this call".to_owned());
        }
        Ok(())
    }

    fn problem(&self, name: &str, expected: &str) -> String {
        let problem = if self.is_present() { format!("is not {expected}") } else { "is missing".to_owned() };
        format!("`data.{name}` {problem}")
    }
}

/// Skips a byte order mark, which RFC 8259 §8.1 lets a reader ignore.
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// Deserializes a struct from a JSON object. Serde would also take an array, field by field.
///
/// The error is in our own words, since serde's may quote the text.
fn object<'a, T: Deserialize<'a>>(json: &'a str, name: &str) -> Result<T, String> {
    if !json.trim_ascii_start().starts_with('{') {
        return Err(format!("{name} is not a JSON object"));
    }
    serde_json::from_str(json).map_err(|error| {
        let is_json = serde_json::from_str::<IgnoredAny>(json).is_ok();
        if is_json {
            return format!("{name} has a field twice");
        }
        format!("{name} is not valid JSON (line {}, column {})", error.line(), error.column())
    })
}

/// Reads Unix milliseconds: a number, or the same as text.
fn timestamp(raw: &RawValue) -> Option<SystemTime> {
    let text = raw.get().trim_matches('"');
    let milliseconds = match text.parse::<u64>() {
        Ok(milliseconds) => Duration::from_millis(milliseconds),
        // A JSON number may also have a fraction or an exponent. Divided last, since thousandths have
        // no exact float.
        Err(_) => Duration::try_from_secs_f64(text.parse().ok()?).ok()? / 1000,
    };
    UNIX_EPOCH.checked_add(milliseconds)
}
