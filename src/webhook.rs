//! Verifies the webhook that the service posts to `success_url`, and reads its event.
//!
//! Requires the feature `webhook`.
//!
//! A [`Verifier`] checks the `Contiguity-Signature` header with the secret that you share with the
//! service, and returns the [`Event`] in the body.
//!
//! ```
//! use contiguity::Verified;
//! use contiguity::webhook::{Event, Verifier};
//!
//! /// Returns the status to respond with, in any HTTP server.
//! fn receive(
//!     verifier: &Verifier,
//!     body: &[u8],
//!     signature: Option<&str>,
//! ) -> u16 {
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
//! The cookbook has a [receiver](crate::_cookbook#a-webhook-receiver) that ignores replays.
//!
//! # Handling webhooks safely
//!
//! - **Verify the raw body.** The signature covers the exact bytes that were sent. Pass those bytes
//!   to [`verify`](Verifier::verify), before a JSON library parses them. Limit how many you read:
//!   an event has less than 1 KiB.
//! - **Respond 401 to every error,** and do nothing else. Anyone can post to a public URL. For a signed
//!   body that is not an event ([`is_bad_body`](Error::is_bad_body)), 400 is right as well.
//! - **Check the event, not only the signature.** Events of other kinds are signed too, so
//!   `verify(..).is_ok()` does not mean that a person is verified. Ask for the
//!   [`proof`](OtpReverseVerified::proof).
//! - **Sign in the right session.** Only the browser or terminal that opened the session with that
//!   [`otp_id`](OtpReverseVerified::otp_id) may be signed in.
//! - **Respond quickly.** Respond with 2xx as soon as the event is stored, and do slow work
//!   afterwards. If the response takes too long, the service sends the webhook again.
//!
//! # Replays
//!
//! A webhook can arrive twice. The service sends it again if it misses the response, and an
//! attacker can send a recorded copy. The [tolerance](Verifier::tolerance) limits how long a copy
//! is accepted: up to twice the tolerance, since a signature may also be from the future.
//!
//! Process each event once. Store its [`id`](Event::id) under a unique key in the database of your
//! sessions, in the same transaction as the changes that the event causes. Respond 200 if the id is
//! already stored. Keep the ids for as long as the service may send an event again, such as a few
//! days. The minimum is ten minutes, twice the default tolerance.
//!
//! If an event only changes a session from pending to verified, you don't need to store ids. Ignore
//! events for sessions that are not pending.

use std::fmt;
use std::str;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::envelope::Field;
use crate::otp_id::OtpId;
use crate::phone::{PhoneNumber, is_invisible};
use crate::redact;
use crate::value::debug_is_display;
use crate::verified::Verified;

/// Verifies that a webhook was sent by Contiguity.
///
/// Create one when the program starts, and share it between threads by reference.
///
/// # Examples
///
/// ```
/// use std::time::{SystemTime, UNIX_EPOCH};
/// use contiguity::webhook::{self, Event, Verifier};
///
/// let verifier = Verifier::new("whsec_new")?.also("whsec_old")?;
///
/// let body = br#"{
///     "id": "evt_1",
///     "type": "otp.reverse.verified",
///     "timestamp": 1726502400,
///     "api_version": "v2025.12.10",
///     "data": {
///         "otp_id": "r_otp_123456",
///         "number": "+15551234567",
///         "status": "verified"
///     }
/// }"#;
/// let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
/// let signature = webhook::sign("whsec_old", now, body);
///
/// match verifier.verify(body, Some(&signature))? {
///     Event::OtpReverseVerified(event) => {
///         assert_eq!(event.id(), "evt_1");
///         assert_eq!(event.proof().otp_id().as_str(), "r_otp_123456");
///     }
///     other => panic!("unexpected event: {other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Hmac<Sha256>>,
    tolerance: Duration,
}

impl Verifier {
    /// Creates a verifier with the endpoint's signing secret, such as `whsec_…`.
    ///
    /// The whole string is the key, including `whsec_`. Contiguity issues it: see the
    /// [console](https://console.contiguity.com). The vendor's documentation of the OTP API does not
    /// say where in the console it is. A sandbox returns its own from `Sandbox::webhook_secret`.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidSecret`] if the secret is blank, starts or ends with white space, or
    /// contains anything except visible ASCII characters.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::webhook::Verifier;
    ///
    /// assert!(Verifier::new("whsec_example").is_ok());
    ///
    /// let unset = std::env::var("NO_SUCH_VARIABLE").unwrap_or_default();
    /// assert!(Verifier::new(unset).is_err());
    /// ```
    pub fn new(secret: impl Into<String>) -> Result<Self, InvalidSecret> {
        Self { keys: Vec::new(), tolerance: DEFAULT_TOLERANCE }.also(secret)
    }

    /// Adds another secret, such as the old one while a secret is being replaced.
    ///
    /// A webhook is accepted if it is signed with any of the secrets. You can add any number.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidSecret`] for the same secrets as [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::webhook::Verifier;
    ///
    /// let mut verifier = Verifier::new("whsec_new")?;
    /// if let Ok(old) = std::env::var("OLD_WEBHOOK_SECRET") {
    ///     verifier = verifier.also(old)?;
    /// }
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    pub fn also(mut self, secret: impl Into<String>) -> Result<Self, InvalidSecret> {
        let secret = secret.into();
        check_secret(&secret).map_err(|problem| InvalidSecret { problem })?;
        self.keys.push(key(&secret));
        Ok(self)
    }

    /// Sets how far the time of a signature may be from this machine's clock, in either direction.
    ///
    /// With a longer tolerance, a recorded webhook is accepted for longer. See
    /// [Replays](self#replays).
    ///
    /// Defaults to 300 seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::webhook::Verifier;
    ///
    /// let verifier = Verifier::new("whsec_example")?
    ///     .tolerance(Duration::from_secs(60));
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    #[must_use]
    pub fn tolerance(self, tolerance: Duration) -> Self {
        Self { tolerance, ..self }
    }

    /// Verifies that the service signed this body recently, and returns its event.
    ///
    /// `body` is the body of the request, byte for byte. `signature` is the value of its
    /// `Contiguity-Signature` header, or `None` if the header is missing. Signatures are compared in
    /// constant time.
    ///
    /// # Errors
    ///
    /// Returns an [`Error`] if the header is missing or malformed, if the signature does not match
    /// or is too far from this machine's time, or if the signed body is not an event. [Handling webhooks
    /// safely](self#handling-webhooks-safely) says how to respond.
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

    /// Verifies like [`verify`](Self::verify), with the given time instead of this machine's, for
    /// tests.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`verify`](Self::verify).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use contiguity::webhook::{self, Verifier};
    ///
    /// let verifier = Verifier::new("whsec_example")?;
    /// let body = br#"{"id":"evt_1","type":"ping","data":{}}"#;
    /// let signature = webhook::sign("whsec_example", 1_726_502_400, body);
    ///
    /// // The signature is from 2024.
    /// let error = verifier.verify(body, Some(&signature)).unwrap_err();
    /// assert!(error.is_stale());
    ///
    /// let now = UNIX_EPOCH + Duration::from_secs(1_726_502_401);
    /// assert!(verifier.verify_at(body, Some(&signature), now).is_ok());
    /// # Ok::<(), contiguity::webhook::InvalidSecret>(())
    /// ```
    pub fn verify_at(&self, body: &[u8], signature: Option<&str>, now: SystemTime) -> Result<Event, Error> {
        let signature = signature.ok_or(WebhookProblem::MissingHeader)?;
        let header = Header::parse(signature).ok_or(WebhookProblem::MalformedHeader)?;
        // Before the age, so that only the service's own webhooks are reported as stale.
        if !self.has_signed(body, &header) {
            return Err(WebhookProblem::Mismatch.into());
        }
        self.check_age(header.seconds, now)?;
        Ok(event(body).map_err(WebhookProblem::BadBody)?)
    }

    fn has_signed(&self, body: &[u8], header: &Header<'_>) -> bool {
        self.keys.iter().any(|key| {
            let mac = signing(key, header.t, body);
            // In constant time: a plain comparison takes longer the more bytes are right.
            header.tags.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
        })
    }

    fn check_age(&self, signed_at: u64, now: SystemTime) -> Result<(), WebhookProblem> {
        let tolerance = self.tolerance;
        // Both since 1970. A clock that is set before 1970 counts as 1970.
        let signed_at = Duration::from_secs(signed_at);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = now.saturating_sub(signed_at);
        let ahead = signed_at.saturating_sub(now);
        if age > tolerance {
            Err(WebhookProblem::TooOld { age, tolerance })
        } else if ahead > tolerance {
            Err(WebhookProblem::Future { ahead, tolerance })
        } else {
            Ok(())
        }
    }
}

/// Shows the number of secrets, but not the secrets.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("secrets", &self.keys.len()).field("tolerance", &self.tolerance).finish()
    }
}

/// Signs a body as the service does, for tests of a receiver.
///
/// Returns the value of a `Contiguity-Signature` header, `t=…,v1=…`. `timestamp` is the time of
/// signing, in whole seconds since 1970.
///
/// # Examples
///
/// ```
/// use contiguity::webhook;
///
/// let body = br#"{"hello":"world"}"#;
/// let signature = webhook::sign("whsec_example", 1_726_502_400, body);
/// assert!(signature.starts_with("t=1726502400,v1="));
/// ```
#[must_use]
pub fn sign(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let tag = signing(&key(secret), &timestamp.to_string(), body).finalize().into_bytes();
    format!("t={timestamp},v1={}", base16ct::lower::encode_string(&tag))
}

/// An event that the service reports. Returned by [`Verifier::verify`].
///
/// # Examples
///
/// ```
/// use contiguity::webhook::Event;
///
/// fn describe(event: &Event) -> String {
///     match event {
///         Event::OtpReverseVerified(event) => {
///             format!("session {} is verified", event.otp_id())
///         }
///         Event::Other(event) => {
///             format!("{}: {}", event.kind(), event.data())
///         }
///         _ => "an event that this program does not know".to_owned(),
///     }
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A person is verified: the type is `otp.reverse.verified` and the status is `verified`.
    OtpReverseVerified(OtpReverseVerified),
    /// Any other event. It does not verify anyone.
    Other(OtherEvent),
}

impl Event {
    /// Returns the event's id, such as `evt_…`.
    ///
    /// The id is the same each time that the event is sent, so you can recognize a replay by it.
    /// `None` if an [`OtherEvent`] has no id.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use contiguity::webhook::Event;
    ///
    /// /// Use a table in the database of your sessions instead.
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

/// An `otp.reverse.verified` event: a person texted the right factor from the right phone.
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
    /// Returns the event's id, such as `evt_…`, which identifies a [replay](self#replays).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the id of the verified session, which is
    /// [`ReverseSession::otp_id`](crate::ReverseSession::otp_id).
    #[must_use]
    pub fn otp_id(&self) -> &OtpId {
        self.proof.otp_id()
    }

    /// Returns the number of the phone that sent the text message.
    #[must_use]
    pub fn number(&self) -> PhoneNumber {
        self.number
    }

    /// Returns the time of the event by the service's clock, in whole seconds.
    ///
    /// `None` if the event has no valid time.
    #[must_use]
    pub fn timestamp(&self) -> Option<SystemTime> {
        self.timestamp
    }

    /// Returns the proof that the person is verified, with the session's id and the number.
    pub fn proof(self) -> Verified {
        self.proof
    }
}

/// An event of an unknown kind, or an `otp.reverse.verified` event with another status.
///
/// Its `Debug` output leaves out the data, which may contain phone numbers.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::OtherEvent;
///
/// fn log(event: &OtherEvent) -> Result<(), serde_json::Error> {
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
    /// Returns the event's id, such as `evt_…`, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the event's `type`.
    ///
    /// An event whose type is `otp.reverse.verified` does not verify anyone here, since its status
    /// is not `verified`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the time of the event by the service's clock, in whole seconds.
    ///
    /// `None` if the event has no valid time.
    #[must_use]
    pub fn timestamp(&self) -> Option<SystemTime> {
        self.timestamp
    }

    /// Returns the event's `data` as the JSON text that was sent, or `null` if it has none.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }
}

impl fmt::Debug for OtherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherEvent")
            .field("id", &self.id.as_deref().map(redact::line))
            .field("kind", &redact::line(&self.kind))
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// An error that [`Verifier::verify`] returns.
///
/// The message is for your own log. It contains no secrets, no expected signatures and no phone
/// numbers.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::Error;
///
/// /// Responds 400 instead of 401 to a signed body that is not an event.
/// fn status(error: &Error) -> u16 {
///     if error.is_bad_body() { 400 } else { 401 }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Error {
    #[from]
    problem: WebhookProblem,
}

impl Error {
    /// Returns true if the request has no `Contiguity-Signature` header.
    #[must_use]
    pub fn is_missing_header(&self) -> bool {
        matches!(self.problem, WebhookProblem::MissingHeader)
    }

    /// Returns true if the header does not have the form `t=<seconds>,v1=<64 hex digits>`.
    #[must_use]
    pub fn is_malformed_header(&self) -> bool {
        matches!(self.problem, WebhookProblem::MalformedHeader)
    }

    /// Returns true if no signature in the header was made for this body and time with one of the
    /// secrets.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        matches!(self.problem, WebhookProblem::Mismatch)
    }

    /// Returns true if the signature is valid, but older or further in the future than the
    /// tolerance allows.
    ///
    /// Either a recorded webhook was sent again, or a clock is wrong.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self.problem, WebhookProblem::TooOld { .. } | WebhookProblem::Future { .. })
    }

    /// Returns true if the signature is valid and recent, but the body is not a valid event.
    ///
    /// The body is not a JSON object, contains a field twice, has no `type`, or reports a verified
    /// person without a valid id, session or number.
    #[must_use]
    pub fn is_bad_body(&self) -> bool {
        matches!(self.problem, WebhookProblem::BadBody(_))
    }
}

debug_is_display!(Error, InvalidSecret);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum WebhookProblem {
    #[error("the webhook has no `Contiguity-Signature` header; check that no proxy removes the header")]
    MissingHeader,
    #[error(
        "the webhook's `Contiguity-Signature` header is malformed: expected `t=<seconds>,v1=<64 hex digits>`; pass the \
         header's value unchanged"
    )]
    MalformedHeader,
    #[error(
        "the webhook's signature does not match; check that the secret is this endpoint's, and pass the body unchanged, \
         byte for byte"
    )]
    Mismatch,
    // The age is rounded up, so that it is never shown as equal to the tolerance.
    #[error(
        "the webhook's signature is {:.0} s old, more than the tolerance of {} s: a replay, or this machine's clock is \
         wrong",
        .age.as_secs_f64().ceil(),
        .tolerance.as_secs_f64()
    )]
    TooOld { age: Duration, tolerance: Duration },
    #[error(
        "the webhook's signature is {:.0} s in the future, more than the tolerance of {} s: this machine's clock is wrong",
        .ahead.as_secs_f64().ceil(),
        .tolerance.as_secs_f64()
    )]
    Future { ahead: Duration, tolerance: Duration },
    #[error("the webhook's signature is valid, but its body {0}")]
    BadBody(String),
}

/// A string that is not a valid signing secret. Returned by [`Verifier::new`].
///
/// The message contains nothing of the string.
///
/// # Examples
///
/// ```
/// use contiguity::webhook::Verifier;
///
/// let error = Verifier::new(" ").unwrap_err();
/// assert!(error.to_string().contains("blank"));
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid webhook secret: {problem}")]
pub struct InvalidSecret {
    problem: &'static str,
}

/// Signing secrets are visible ASCII. Other characters come from a file or a copied page, and a
/// secret that contains them matches no signature.
fn check_secret(secret: &str) -> Result<(), &'static str> {
    if secret.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c)) {
        Err("blank; use the endpoint's signing secret, such as whsec_…")
    } else if secret != secret.trim() {
        Err("starts or ends with white space, such as the line break at the end of a file; trim the secret")
    } else if secret.contains(|c: char| !c.is_ascii_graphic()) {
        Err(
            "contains a space or another character that is not visible ASCII; copy the secret again, without invisible \
             characters",
        )
    } else {
        Ok(())
    }
}

/// The `Contiguity-Signature` header: `t=<seconds>,v1=<hex>[,v1=…]`.
struct Header<'a> {
    /// The time as it is written in the header, since that text is signed.
    t: &'a str,
    seconds: u64,
    /// More than one while a secret is being replaced.
    tags: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut time = None;
        let mut tags = Vec::new();
        for part in text.split(',') {
            match part.trim_start_matches(' ').split_once('=')? {
                ("t", _) if time.is_some() => return None,
                ("t", value) => time = Some(value),
                ("v1", value) => tags.push(base16ct::lower::decode_vec(value).ok()?.try_into().ok()?),
                _ => {} // another signature scheme
            }
        }
        let t = time?;
        let seconds = t.parse().ok()?;
        if tags.is_empty() { None } else { Some(Self { t, seconds, tags }) }
    }
}

fn key(secret: &str) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length")
}

fn signing(key: &Hmac<Sha256>, t: &str, body: &[u8]) -> Hmac<Sha256> {
    key.clone().chain_update(t).chain_update(".").chain_update(body)
}

/// Serde rejects duplicate fields, which two parsers could read differently.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Body<'a> {
    id: Field<'a>,
    #[serde(rename = "type")]
    kind: Field<'a>,
    timestamp: Field<'a>,
    data: Field<'a>,
}

#[derive(Deserialize)]
struct VerifiedBody<'a> {
    #[serde(borrow)]
    data: VerifiedData<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct VerifiedData<'a> {
    otp_id: Field<'a>,
    number: Field<'a>,
    status: Field<'a>,
}

/// The error is the end of a sentence about the body.
fn event(body: &[u8]) -> Result<Event, String> {
    let json = str::from_utf8(body).map_err(|_| "is not UTF-8")?;
    // Serde would also take the fields from an array, in order.
    if !json.trim_ascii_start().starts_with('{') {
        return Err("is not a JSON object".to_owned());
    }
    let body: Body<'_> = parse(json)?;
    let kind = body.kind.text().ok_or("has no valid `type`")?;
    let id = body.id.text().filter(|id| !id.trim().is_empty()).map(Box::from);
    let timestamp = time(&body.timestamp);
    let data = body.data.json();
    if kind == "otp.reverse.verified" && data.starts_with('{') {
        // From the whole body, so that an error has the right line and column.
        let VerifiedBody { data } = parse(json)?;
        if data.status.text().is_some_and(|status| status == "verified") {
            // A proof needs a person and a session. Without an id, replays look like new events.
            let id = id.ok_or("has no valid `id`")?;
            let otp_id: OtpId = data.otp_id.read().ok_or("has no valid `data.otp_id`")?;
            let number = data.number.read().ok_or("has no valid `data.number`")?;
            let proof = Verified::new(otp_id, Some(number));
            return Ok(Event::OtpReverseVerified(OtpReverseVerified { id, number, timestamp, proof }));
        }
    }
    Ok(Event::Other(OtherEvent { id, kind: kind.into(), timestamp, data: data.into() }))
}

/// Reads fields of any type, so that the only error beyond syntax is a field that is given twice.
fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| {
        let problem = if error.is_data() { "contains a field twice" } else { "is not valid JSON" };
        format!("{problem} (line {}, column {})", error.line(), error.column())
    })
}

/// In whole seconds since 1970, unlike the times of responses.
fn time(field: &Field<'_>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(field.read()?))
}

/// The customary value: enough for imprecise clocks and for a queue on the way.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);
