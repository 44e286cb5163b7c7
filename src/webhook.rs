//! The webhook that the service posts to `success_url`: whether it is authentic, and what it says.
//!
//! A [`Verifier`] checks the `Contiguity-Signature` header against the secret that you share with the service, and gives the
//! [`Event`] that the body holds.
//!
//! ```
//! use contiguity::Verified;
//! use contiguity::webhook::{Event, Verifier};
//!
//! /// What to answer, whatever the HTTP server is called.
//! fn receive(verifier: &Verifier, body: &[u8], signature: Option<&str>) -> u16 {
//!     match verifier.verify(body, signature) {
//!         Ok(Event::OtpReverseVerified(event)) => {
//!             log_in(event.proof());
//!             200
//!         }
//!         Ok(_) => 200, // an event of another kind
//!         Err(error) => {
//!             eprintln!("refused a webhook: {error}");
//!             401
//!         }
//!     }
//! }
//!
//! fn log_in(proof: Verified) {
//!     println!("session {} is signed in", proof.otp_id());
//! }
//! # let verifier = Verifier::new("whsec_example")?;
//! # assert_eq!(receive(&verifier, b"{}", None), 401);
//! # Ok::<(), contiguity::webhook::InvalidSecret>(())
//! ```
//!
//! # What a receiver owes
//!
//! - **The raw bytes.** The signature covers the body as it was sent. Give [`verify`](Verifier::verify) the bytes from the
//!   connection, up to a limit of your own (an event has less than 1 KiB), before any JSON library has read and rewritten
//!   them.
//! - **401 to whatever is refused,** and nothing done: anyone can post to a public address.
//! - **A look at the event.** `verify(..).is_ok()` says who sent the webhook, not that a person is verified: events of other
//!   kinds are signed as well. The [`proof`](OtpReverseVerified::proof) is what counts.
//! - **The session it belongs to.** Let in the browser or terminal that opened the session with that
//!   [`otp_id`](OtpReverseVerified::otp_id), and nobody else.
//! - **A fast answer.** Answer 2xx as soon as the event is noted, and do slow work afterwards: a service that waits too long
//!   takes the webhook for lost and sends it again.
//!
//! # Replay
//!
//! A webhook may arrive twice: sent again by the service after an answer that it missed, or by somebody who recorded it. The
//! [tolerance](Verifier::tolerance) ends the second, but only after up to twice its length (a signature may be that far ahead
//! of your clock, and then as far behind). So let an event count once: keep its [`id`](Event::id) under a unique key in the
//! database that holds your sessions, written in the same transaction as what the event changes, and answer 200 to an id
//! that is there already. Keep ids for as long as the service may send an event again, some days; ten minutes, twice the
//! default tolerance, is the least. Where an event only moves a session from waiting to verified, that move is the
//! unique key: do nothing for a session that does not wait.

use std::fmt;
use std::str;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::envelope;
use crate::otp::OtpId;
use crate::phone::PhoneNumber;
use crate::verified::Verified;

/// Tells the service's webhooks from everybody else's.
///
/// Make one when the program starts, and share it between threads by reference.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::{self, Event, Verifier};
///
/// let verifier = Verifier::new("whsec_new")?.also("whsec_old");
///
/// let body = br#"{"id":"evt_1","type":"otp.reverse.verified","timestamp":1726502400,"api_version":"v2025.12.10",
///     "data":{"otp_id":"r_otp_123456","number":"+15551234567","status":"verified"}}"#;
/// let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
/// let signature = webhook::sign("whsec_old", now, body);
///
/// let Event::OtpReverseVerified(event) = verifier.verify(body, Some(&signature))? else { panic!("of another kind") };
/// assert_eq!(event.id(), "evt_1");
/// assert_eq!(event.proof().otp_id().as_str(), "r_otp_123456");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Hmac<Sha256>>,
    tolerance: Duration,
}

impl Verifier {
    /// A verifier with the endpoint's signing secret, such as `whsec_…`: all of the text is the key, `whsec_` included.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret`] if the secret is blank, since anyone could sign with that, or has a control character, such as the
    /// line break at the end of a file.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::webhook::Verifier;
    ///
    /// assert!(Verifier::new("whsec_example").is_ok());
    /// assert!(Verifier::new(std::env::var("NO_SUCH_VARIABLE").unwrap_or_default()).is_err());
    /// ```
    pub fn new(secret: impl Into<String>) -> Result<Self, InvalidSecret> {
        let secret = secret.into();
        if secret.trim().is_empty() {
            return Err(InvalidSecret { fault: SecretFault::Blank });
        }
        if secret.chars().any(char::is_control) {
            return Err(InvalidSecret { fault: SecretFault::Control });
        }
        Ok(Self { keys: vec![key(&secret)], tolerance: DEFAULT_TOLERANCE })
    }

    /// Accepts another secret besides, as often as wanted: the old one, while a secret is being replaced. A blank one is no
    /// secret and adds nothing, so that an old secret that is not there any more may simply be left empty. Nothing else is checked: one with a line
    /// break at its end matches no signature.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::webhook::Verifier;
    ///
    /// let old = std::env::var("CONTIGUITY_OLD_WEBHOOK_SECRET").unwrap_or_default();
    /// let verifier = Verifier::new("whsec_new")?.also(old);
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    #[must_use]
    pub fn also(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        if !secret.trim().is_empty() {
            self.keys.push(key(&secret));
        }
        self
    }

    /// How far the time of a signature may be from the clock of this machine, past or future, the bound included. Defaults
    /// to 300 seconds.
    ///
    /// A longer one accepts a recorded webhook for longer; see [Replay](self#replay).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::webhook::Verifier;
    ///
    /// let verifier = Verifier::new("whsec_example")?.tolerance(Duration::from_secs(60));
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    #[must_use]
    pub fn tolerance(self, tolerance: Duration) -> Self {
        Self { tolerance, ..self }
    }

    /// Checks that the service signed this body lately, and reads it.
    ///
    /// `body` is the request's body as it came, byte for byte. `signature` is the value of its `Contiguity-Signature`
    /// header, and `None` if it has none. Signatures are compared in constant time.
    ///
    /// # Errors
    ///
    /// [`Error`], which tells apart a missing header, a malformed one, a signature of another secret or body, one that is too
    /// old or from the future, and a signed body that is no event. Answer 401 and do nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::webhook::Verifier;
    ///
    /// let verifier = Verifier::new("whsec_example")?;
    /// let error = verifier.verify(b"{}", None).unwrap_err();
    /// assert!(error.is_missing_header());
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    pub fn verify(&self, body: &[u8], signature: Option<&str>) -> Result<Event, Error> {
        self.verify_at(body, signature, SystemTime::now())
    }

    /// The same by a clock of your own, for tests.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use contiguity::webhook::{self, Verifier};
    ///
    /// let verifier = Verifier::new("whsec_example")?;
    /// let body = br#"{"id":"evt_1","type":"ping","timestamp":1726502400,"data":{}}"#;
    /// let signature = webhook::sign("whsec_example", 1_726_502_400, body);
    ///
    /// let error = verifier.verify(body, Some(&signature)).unwrap_err(); // signed in 2024
    /// assert!(error.is_stale());
    ///
    /// let now = UNIX_EPOCH + Duration::from_secs(1_726_502_401);
    /// assert!(verifier.verify_at(body, Some(&signature), now).is_ok());
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    pub fn verify_at(&self, body: &[u8], signature: Option<&str>, now: SystemTime) -> Result<Event, Error> {
        let header = Header::parse(signature.ok_or(Fault::MissingHeader)?).map_err(Fault::MalformedHeader)?;
        // Before the age: "stale" is then said of the service's own webhooks alone, and hints at a clock or a replay.
        if !self.has_signed(body, &header) {
            return Err(Fault::Mismatch.into());
        }
        self.check_age(header.signed_at, now)?;
        Ok(event(body).map_err(Fault::BadBody)?)
    }

    fn has_signed(&self, body: &[u8], header: &Header<'_>) -> bool {
        self.keys.iter().any(|key| {
            let mac = signing(key, header.t, body);
            // In constant time: the time of a plain comparison tells how many bytes were right.
            header.tags.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
        })
    }

    fn check_age(&self, signed_at: Option<SystemTime>, now: SystemTime) -> Result<(), Fault> {
        let tolerance = self.tolerance;
        match signed_at.map(|signed_at| now.duration_since(signed_at)) {
            Some(Ok(age)) if age > tolerance => Err(Fault::TooOld { age, tolerance }),
            Some(Err(error)) if error.duration() > tolerance => Err(Fault::Future { tolerance }),
            Some(_) => Ok(()),
            None => Err(Fault::Future { tolerance }),
        }
    }
}

/// How many secrets, and nothing of them.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("secrets", &self.keys.len()).field("tolerance", &self.tolerance).finish()
    }
}

/// Signs a body as the service does: the value of a `Contiguity-Signature` header, `t=…,v1=…`. For tests of a receiver.
///
/// `timestamp` is the time of signing in whole seconds since 1970, by which the receiver judges the signature's age.
///
/// # Examples
///
/// ```
/// use contiguity::webhook;
///
/// let signature = webhook::sign("whsec_example", 1_726_502_400, br#"{"hello":"world"}"#);
/// assert!(signature.starts_with("t=1726502400,v1="));
/// ```
#[must_use]
pub fn sign(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let tag = signing(&key(secret), &timestamp.to_string(), body).finalize().into_bytes();
    format!("t={timestamp},v1={}", base16ct::lower::encode_string(&tag))
}

/// What the service has to tell. Made by [`Verifier::verify`].
///
/// # Examples
///
/// ```
/// use contiguity::webhook::Event;
///
/// fn describe(event: &Event) -> String {
///     match event {
///         Event::OtpReverseVerified(event) => format!("session {} is verified", event.otp_id()),
///         Event::Other(event) => format!("{}: {}", event.kind(), event.data()),
///         _ => "something newer than this program".to_owned(),
///     }
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A person is verified: type `otp.reverse.verified` and status `verified`.
    OtpReverseVerified(OtpReverseVerified),
    /// Anything else, as the service said it. Nobody is verified.
    Other(OtherEvent),
}

impl Event {
    /// The event's id, such as `evt_…`, the same each time that the event is sent: what to know a replay by. `None` if an
    /// event that this version does not know has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use contiguity::webhook::Event;
    ///
    /// /// In life, a table of the database that holds the sessions.
    /// fn is_new(event: &Event, seen: &mut HashSet<String>) -> bool {
    ///     event.id().is_none_or(|id| seen.insert(id.to_owned()))
    /// }
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::OtpReverseVerified(event) => Some(event.id()),
            Self::Other(event) => event.id(),
        }
    }
}

/// A person texted the right factor from the right phone: `otp.reverse.verified`.
///
/// # Examples
///
/// ```
/// use contiguity::Verified;
/// use contiguity::webhook::OtpReverseVerified;
///
/// fn log_in(event: OtpReverseVerified) -> Verified {
///     println!("{} is verified for {}", event.number(), event.otp_id());
///     event.proof()
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct OtpReverseVerified {
    id: Box<str>,
    number: PhoneNumber,
    timestamp: Option<SystemTime>,
    proof: Verified,
}

impl OtpReverseVerified {
    /// The event's id, such as `evt_…`: what to know a [replay](self#replay) by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The session that is verified: [`ReverseSession::otp_id`](crate::ReverseSession::otp_id).
    #[must_use]
    pub fn otp_id(&self) -> &OtpId {
        self.proof.otp_id()
    }

    /// The phone that texted.
    #[must_use]
    pub fn number(&self) -> &PhoneNumber {
        &self.number
    }

    /// When it happened, by the service's clock, to the second, if the event says so readably.
    #[must_use]
    pub fn timestamp(&self) -> Option<SystemTime> {
        self.timestamp
    }

    /// The proof that the person was verified, for the function that lets them in. It names the session and the number.
    pub fn proof(self) -> Verified {
        self.proof
    }
}

/// An event of a kind that this version does not know, or one that says of itself that nobody is verified.
///
/// Its `Debug` leaves the data out, which may hold phone numbers.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::OtherEvent;
///
/// fn note(event: &OtherEvent) -> Result<(), serde_json::Error> {
///     let data: serde_json::Value = serde_json::from_str(event.data())?;
///     println!("{}: {data}", event.kind());
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OtherEvent {
    id: Option<Box<str>>,
    kind: Box<str>,
    timestamp: Option<SystemTime>,
    data: Box<str>,
}

impl OtherEvent {
    /// The event's id, such as `evt_…`, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The event's `type`, as the service said it.
    ///
    /// Even `otp.reverse.verified` is no verification here: that event's status is another one then.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When it happened, by the service's clock, to the second, if the event says so readably.
    #[must_use]
    pub fn timestamp(&self) -> Option<SystemTime> {
        self.timestamp
    }

    /// The event's `data`: JSON, as it was sent; `null` if there is none.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }
}

impl fmt::Debug for OtherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherEvent")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// Why a webhook is refused. Made by [`Verifier::verify`].
///
/// The text is for the receiver's own log: it shows nothing of the secret, of the signature that was expected, or of phone
/// numbers.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::Error;
///
/// /// 401 would be right in all cases. This receiver wants to hear of an event that it cannot read.
/// fn status(error: &Error) -> u16 {
///     if error.is_bad_body() { 400 } else { 401 }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Error {
    fault: Fault,
}

impl Error {
    /// Whether the request has no `Contiguity-Signature` header.
    #[must_use]
    pub fn is_missing_header(&self) -> bool {
        matches!(self.fault, Fault::MissingHeader)
    }

    /// Whether the header is not of the form `t=<seconds>,v1=<64 hexadecimal digits>`.
    #[must_use]
    pub fn is_malformed_header(&self) -> bool {
        matches!(self.fault, Fault::MalformedHeader(_))
    }

    /// Whether no signature in the header was made with any of the secrets, over this body and time.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        matches!(self.fault, Fault::Mismatch)
    }

    /// Whether the webhook is authentic, and was signed longer ago than the tolerance allows, or as far in the future: it
    /// was recorded and sent again, or a clock is wrong.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self.fault, Fault::TooOld { .. } | Fault::Future { .. })
    }

    /// Whether the webhook is authentic and fresh, and its body is no event that could be read: not JSON, a field twice, no
    /// `type`, or a verification without id, session or number.
    #[must_use]
    pub fn is_bad_body(&self) -> bool {
        matches!(self.fault, Fault::BadBody(_))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self { fault }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("the webhook has no `Contiguity-Signature` header; check that nothing on its way here drops the header")]
    MissingHeader,
    #[error("the webhook's `Contiguity-Signature` header {0}; give the header's value as it came")]
    MalformedHeader(HeaderFault),
    #[error(
        "the webhook's signature is of another secret or another body; check that the secret is this endpoint's, and that \
         the body is given as it came, byte for byte"
    )]
    Mismatch,
    #[error(
        "the webhook was signed {age:?} ago, longer than {tolerance:?}; check this machine's clock, or it was sent again"
    )]
    TooOld { age: Duration, tolerance: Duration },
    #[error("the webhook's signature is more than {tolerance:?} in the future; check this machine's clock")]
    Future { tolerance: Duration },
    #[error("the webhook is authentic, and its body {0}")]
    BadBody(BodyFault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum HeaderFault {
    #[error("has a part that is not `name=value`")]
    Part,
    #[error("has no `t`")]
    NoTime,
    #[error("has `t` twice")]
    TwoTimes,
    #[error("has a `t` that is not a number of whole seconds")]
    Time,
    #[error("has no `v1`")]
    NoTag,
    #[error("has a `v1` that is not 64 hexadecimal digits in lower case")]
    Tag,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BodyFault {
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is not a JSON object")]
    NotAnObject,
    /// In serde's words: of syntax, or of a field that is there twice. Neither repeats a value.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("says that a person is verified, but has no {0} that can be read")]
    Lacks(&'static str),
    #[error("has no `type`")]
    NoType,
}

/// Why a text cannot be a signing secret. Made by [`Verifier::new`]; shows nothing of the text.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::Verifier;
///
/// let error = Verifier::new(" ").unwrap_err();
/// assert!(error.to_string().contains("blank"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("webhook secret {fault}")]
pub struct InvalidSecret {
    fault: SecretFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum SecretFault {
    #[error("is blank, and anyone could sign with that; give the endpoint's signing secret, whsec_…")]
    Blank,
    #[error("has a control character, such as the line break at the end of a file; leave it out")]
    Control,
}

/// The signature header, `t=<seconds>,v1=<hexadecimal>[,v1=…]`. Schemes other than `v1` are passed over, as are spaces
/// after a comma.
struct Header<'a> {
    /// As it stands in the header, which is what was signed.
    t: &'a str,
    /// None is a time that no clock of this machine will ever show.
    signed_at: Option<SystemTime>,
    /// Several while a secret is being replaced.
    tags: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    /// Strict, so that there is one way only to write a header: what is tampered with is refused, whatever it then reads as.
    fn parse(text: &'a str) -> Result<Self, HeaderFault> {
        let mut time = None;
        let mut tags = Vec::new();
        for (index, part) in text.split(',').enumerate() {
            let part = if index == 0 { part } else { part.trim_start_matches(' ') };
            match part.split_once('=').ok_or(HeaderFault::Part)? {
                ("", _) => return Err(HeaderFault::Part),
                ("t", _) if time.is_some() => return Err(HeaderFault::TwoTimes),
                ("t", t) => time = Some((t, seconds(t).ok_or(HeaderFault::Time)?)),
                ("v1", tag) => tags.push(decode(tag).ok_or(HeaderFault::Tag)?),
                (_unknown_scheme, _) => {}
            }
        }
        let (t, seconds) = time.ok_or(HeaderFault::NoTime)?;
        if tags.is_empty() {
            return Err(HeaderFault::NoTag);
        }
        Ok(Self { t, signed_at: UNIX_EPOCH.checked_add(Duration::from_secs(seconds)), tags })
    }
}

/// Digits alone, as a number is written: no sign and no leading zero.
fn seconds(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    let decoded = base16ct::lower::decode(text, &mut tag).ok()?;
    if decoded.len() == 32 { Some(tag) } else { None }
}

fn key(secret: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length")
}

fn signing(key: &Hmac<Sha256>, t: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(t.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// Serde refuses a field that stands twice, so that no two readers take different people from one body.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct VerifiedData<'a> {
    #[serde(borrow, default)]
    otp_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    number: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

fn event(body: &[u8]) -> Result<Event, BodyFault> {
    let body: Body<'_> = object(str::from_utf8(body).map_err(|_| BodyFault::NotUtf8)?)?;
    let kind = body.kind.and_then(envelope::text).ok_or(BodyFault::NoType)?;
    let id = body.id.and_then(envelope::text).filter(|id| !id.trim().is_empty()).map(Box::from);
    let timestamp = body.timestamp.and_then(time);
    let data = body.data.map_or("null", RawValue::get);
    if kind == "otp.reverse.verified" && data.starts_with('{') {
        let data: VerifiedData<'_> = object(data)?;
        if data.status.and_then(envelope::text).is_some_and(|status| status == "verified") {
            // A proof of nobody knows whom would be none, and an event without id could count any number of times.
            let id = id.ok_or(BodyFault::Lacks("`id`"))?;
            let otp_id: OtpId = data.otp_id.and_then(envelope::read).ok_or(BodyFault::Lacks("`data.otp_id`"))?;
            let number = data.number.and_then(envelope::read).ok_or(BodyFault::Lacks("`data.number` in E.164"))?;
            let proof = Verified::new(otp_id, Some(number));
            return Ok(Event::OtpReverseVerified(OtpReverseVerified { id, number, timestamp, proof }));
        }
    }
    Ok(Event::Other(OtherEvent { id, kind: kind.into(), timestamp, data: data.into() }))
}

/// An object's fields. Serde would take them from an array as well, in order.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, BodyFault> {
    if !json.trim_ascii_start().starts_with('{') {
        return Err(BodyFault::NotAnObject);
    }
    serde_json::from_str(json).map_err(|error| BodyFault::Unreadable(error.to_string()))
}

/// Whole seconds since 1970, as events have them, unlike answers.
fn time(raw: &RawValue) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(envelope::read(raw)?))
}

/// What is customary: enough for clocks that are not kept well, and for a queue on the way.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);
