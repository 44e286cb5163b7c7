//! The JSON around every answer, and `Metadata`.

use std::borrow::Cow;
use std::str;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::redact::Redactor;

/// What the service says about an answer, each where it said so: for support requests and logs.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::NewOtp;
///
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// assert!(sent.metadata.request_id.is_some_and(|id| id.starts_with("req_")));
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The id of this request, such as `req_…`: the one to name to the vendor's support.
    pub request_id: Option<String>,
    /// When the service answered, by its own clock.
    pub timestamp: Option<SystemTime>,
    /// The version of the API that answered, such as `v2026.7.29`.
    pub api_version: Option<String>,
}

/// An answer's outer object: the fields around `data` are trimmings, and odd ones never make an answer unreadable.
#[derive(Default)]
pub(crate) struct Envelope<'a> {
    id: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    api_version: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    pub(crate) data: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        match str::from_utf8(body) {
            // Looked at as a whole, an answer is known to be UTF-8 in a fraction of the time that its parts take.
            Ok(text) => serde_json::from_str(text),
            // One that is not may still be read, if the odd bytes stand where nobody looks.
            Err(_) => serde_json::from_slice(body),
        }
    }

    pub(crate) fn metadata(&self, redactor: &Redactor<'_>) -> Metadata {
        Metadata {
            request_id: self.request_id(redactor),
            timestamp: self.timestamp.and_then(timestamp),
            api_version: self.api_version.and_then(text).map(|version| redactor.value(version)),
        }
    }

    pub(crate) fn request_id(&self, redactor: &Redactor<'_>) -> Option<String> {
        let id = self.id.and_then(text)?;
        if id.is_empty() { None } else { Some(redactor.value(id)) }
    }

    /// What went wrong, of an answer that is not 2xx: `data.error` as documented, or `message` as sometimes seen.
    pub(crate) fn complaint(&self) -> Complaint<'a> {
        let inner: Complaint<'a> = self.data.and_then(read).unwrap_or_default();
        let message = [inner.error, inner.message, self.message, self.error].into_iter().flatten();
        Complaint { first: message.filter_map(text).find(|text| !text.trim().is_empty()), ..inner }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnvelopeVisitor;

        impl<'de> Visitor<'de> for EnvelopeVisitor {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with the answer in `data`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(key) = map.next_key()? {
                    let place = match key {
                        Key::Id => &mut envelope.id,
                        Key::Timestamp => &mut envelope.timestamp,
                        Key::ApiVersion => &mut envelope.api_version,
                        Key::Message => &mut envelope.message,
                        Key::Error => &mut envelope.error,
                        Key::Data if envelope.data.is_some() => {
                            // Which of the two is the answer? A guess could let a stranger in.
                            return Err(serde::de::Error::duplicate_field("data"));
                        }
                        Key::Data => &mut envelope.data,
                        Key::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *place = Some(map.next_value()?);
                }
                Ok(envelope)
            }
        }

        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Id,
    Timestamp,
    ApiVersion,
    Message,
    Error,
    Data,
    #[serde(other)]
    Other,
}

/// The texts of an error answer.
#[derive(Default, Deserialize)]
pub(crate) struct Complaint<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    agreement_url: Option<&'a RawValue>,
    #[serde(skip)]
    pub(crate) first: Option<Cow<'a, str>>,
}

impl<'a> Complaint<'a> {
    pub(crate) fn agreement_url(&self) -> Option<Cow<'a, str>> {
        self.agreement_url.and_then(text)
    }
}

/// A field's value if it is of that type; what is odd counts as absent.
pub(crate) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// A field's text if it is text, borrowed where it has no escapes.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { read::<Text<'_>>(raw).map(|text| text.0) } else { Some(Cow::Borrowed(inner)) }
}

/// A time in ISO 8601, as in `expires_at`.
pub(crate) fn time(raw: &RawValue) -> Option<SystemTime> {
    humantime::parse_rfc3339(&text(raw)?).ok()
}

/// Unix milliseconds: a number, or the same as text.
fn timestamp(raw: &RawValue) -> Option<SystemTime> {
    let text = text(raw).unwrap_or(Cow::Borrowed(raw.get()));
    let milliseconds = match text.parse::<u64>() {
        Ok(milliseconds) => Duration::from_millis(milliseconds),
        // A JSON number may also be written with a fraction or an exponent. Divided last, since thousandths have no
        // exact float.
        Err(_) => Duration::try_from_secs_f64(text.parse().ok()?).ok()? / 1000,
    };
    UNIX_EPOCH.checked_add(milliseconds)
}
