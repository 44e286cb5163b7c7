//! `Error` and its parts.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::phone::PhoneNumber;
use crate::retry::{Effect, Failure};

/// Everything that can go wrong with a call.
///
/// Each error says whether the service may have acted on the call ([`may_have_sent`](Self::may_have_sent)) and whether
/// doing it again is safe and may help ([`is_retryable`](Self::is_retryable)): a text costs money and annoys people, so the
/// difference matters.
///
/// No error shows the API key, a code or a whole phone number, neither in its text nor in its `Debug`.
///
/// # Examples
///
/// Telling what the person can mend from what the service said:
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Error, NewOtp};
///
/// match NewOtp::to("+1 415").language("en").name("MyApp").send(&client) {
///     Ok(sent) => println!("sent {}", sent.otp_id),
///     Err(Error::Validation(error)) => {
///         for issue in error.issues() {
///             println!("{}: {}", issue.field, issue.message);
///         }
///     }
///     Err(Error::Api(error)) => println!("the service refused: {}", error.message()),
///     Err(error) if error.may_have_sent() => println!("a text may be on its way: {error}"),
///     Err(error) => println!("nothing was sent: {error}"),
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client cannot be used as it was set up. Nothing was sent.
    #[error(transparent)]
    Config(ConfigError),
    /// The request has faults, all of which are listed. Nothing was sent.
    #[error(transparent)]
    Validation(ValidationError),
    /// No complete answer came back.
    #[error(transparent)]
    Transport(TransportError),
    /// The service, or a gateway in front of it, answered with a status other than 2xx.
    #[error(transparent)]
    Api(ApiError),
    /// The service answered 2xx, and the answer cannot be read. It has most likely acted.
    #[error(transparent)]
    Decode(DecodeError),
}

impl Error {
    /// The HTTP status, if an answer's head arrived.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Config(_) | Self::Validation(_) => None,
            Self::Transport(error) => error.inner.status,
            Self::Api(error) => Some(error.inner.status),
            Self::Decode(error) => Some(error.inner.status),
        }
    }

    /// The service's id of this request, such as `err_…`, if the answer named one: for the vendor's support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Config(_) | Self::Validation(_) | Self::Transport(_) => None,
            Self::Api(error) => error.inner.request_id.as_deref(),
            Self::Decode(error) => error.inner.request_id.as_deref(),
        }
    }

    /// How long the service asked to wait before the next try (`Retry-After`, RFC 9110 §10.2.3), counted from its
    /// answer.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.inner.retry_after,
            _ => None,
        }
    }

    /// Whether time ran out: while connecting, sending, or waiting for the answer.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport(error) if error.inner.kind == TransportKind::TimedOut)
    }

    /// Whether doing the same call again cannot act twice and may succeed.
    ///
    /// True for what was certainly not acted on and may pass (a name that does not resolve, a refused connection, 429),
    /// and for every passing failure of a status read. The client has then already tried as often as
    /// [`retries`](crate::ClientBuilder::retries) and the time-out allow.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.outcome().is_some_and(|outcome| outcome.failure.may_be_repeated(outcome.effect))
    }

    /// Whether the service may have acted on this call, whatever the operation: for
    /// [`NewOtp`](crate::NewOtp) and [`ResendOtp`](crate::ResendOtp), whether a text may have gone out.
    ///
    /// `false` is certain. `true` means that it may have: an answer lost on its way back looks the same as a request that
    /// was read and dropped.
    #[must_use]
    pub fn may_have_sent(&self) -> bool {
        self.outcome().is_some_and(Outcome::may_have_acted)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Config(ConfigError { message: message.into() })
    }

    /// An earlier try of the same call may have been acted on, even if this last one was not.
    pub(crate) fn after_an_act(mut self) -> Self {
        match &mut self {
            Self::Config(_) | Self::Validation(_) => {}
            Self::Transport(error) => error.inner.outcome.acted_before = true,
            Self::Api(error) => error.inner.outcome.acted_before = true,
            Self::Decode(error) => error.inner.outcome.acted_before = true,
        }
        self
    }

    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Config(_) | Self::Validation(_) => None,
            Self::Transport(error) => Some(error.inner.outcome),
            Self::Api(error) => Some(error.inner.outcome),
            Self::Decode(error) => Some(error.inner.outcome),
        }
    }
}

/// What is known of a call that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) effect: Effect,
    pub(crate) failure: Failure,
    acted_before: bool,
}

impl Outcome {
    pub(crate) fn new(effect: Effect, failure: Failure) -> Self {
        Self { effect, failure, acted_before: false }
    }

    fn may_have_acted(self) -> bool {
        self.acted_before || self.failure.may_have_acted()
    }

    /// The end of every message about a call that got as far as the network.
    fn in_words(self) -> &'static str {
        match (self.may_have_acted(), self.effect) {
            (false, _) => "the service did not act on this call",
            (true, Effect::Acts) => "the service may have acted on this call",
            (true, Effect::Reads) if self.failure.may_be_repeated(self.effect) => {
                "this call only reads and may be made again"
            }
            (true, Effect::Reads) => "this call only reads",
        }
    }
}

/// Why a [`Client`](crate::Client) cannot be used as it was set up: a key, a URL, a time-out or an environment variable. The
/// message says what to do.
///
/// # Examples
///
/// ```
/// use contiguity::Client;
///
/// let error = Client::builder("your-api-key").base_url("api.contiguity.com").build().unwrap_err();
/// assert!(error.to_string().contains("https://"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    message: String,
}

/// Every fault of a request that was not sent.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Error, NewOtp};
///
/// let error = NewOtp::to("+1 (415) 555-2671").language("english, please").name(" ").send(&client).unwrap_err();
/// let Error::Validation(error) = error else { panic!("{error}") };
/// let fields: Vec<_> = error.issues().iter().map(|issue| issue.field).collect();
/// assert_eq!(fields, ["to", "language", "name"]);
/// assert_eq!(error.issues()[0].suggestion(), Some("+14155552671"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ValidationError {
    issues: Vec<Issue>,
}

impl ValidationError {
    pub(crate) fn new(issues: Vec<Issue>) -> Self {
        Self { issues }
    }

    /// The faults, in the order of the request's fields. Never empty.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }
}

impl std::error::Error for ValidationError {}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was sent: ")?;
        for (index, issue) in self.issues.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            issue.fmt(f)?;
        }
        Ok(())
    }
}

/// One fault of one field.
///
/// # Examples
///
/// ```
/// # let client = contiguity::Client::new("your-api-key")?;
/// use contiguity::{Error, IssueKind, VerifyOtp};
///
/// let Err(Error::Validation(error)) = VerifyOtp::otp_id("otp_1").otp("12").send(&client) else { panic!() };
/// let issue = &error.issues()[0];
/// assert_eq!((issue.field, issue.kind), ("otp", IssueKind::TooShort));
/// assert_eq!(issue.to_string(), "`otp` has fewer than 4 digits; give the whole code");
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The field's name in the API, such as `to` or `success_url`.
    pub field: &'static str,
    /// What kind of fault it is, for programs.
    pub kind: IssueKind,
    /// What is wrong and what to do, for people, to follow the field's name: `is blank; give at least one visible
    /// character`. Never repeats a phone number or a code.
    pub message: String,
    suggestion: Option<PhoneNumber>,
}

impl Issue {
    pub(crate) fn new(field: &'static str, kind: IssueKind, message: String, suggestion: Option<PhoneNumber>) -> Self {
        Self { field, kind, message, suggestion }
    }

    /// The phone number that the text would be without separators, to offer to the person: `+14155552671` for
    /// `+1 (415) 555-2671`.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_ref().map(PhoneNumber::as_str)
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.message)
    }
}

/// The kind of an [`Issue`].
///
/// # Examples
///
/// ```
/// use contiguity::IssueKind;
///
/// fn hint(kind: IssueKind) -> &'static str {
///     match kind {
///         IssueKind::Blank => "please fill this in",
///         IssueKind::TooLong => "please shorten this",
///         _ => "please check this",
///     }
/// }
/// assert_eq!(hint(IssueKind::Blank), "please fill this in");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IssueKind {
    /// Empty, or nothing but white space.
    Blank,
    /// Too few characters or digits.
    TooShort,
    /// Too many characters or digits.
    TooLong,
    /// A character that the field cannot hold.
    Character,
    /// Not of the form that the field has.
    Format,
    /// Well-formed, and not to be sent: an unknown value that came from an answer.
    Unsupported,
}

/// Why no complete answer came back. Where the operating system said so, its [`io::Error`] is the
/// [source](std::error::Error::source).
///
/// # Examples
///
/// ```
/// use contiguity::{Client, Error, NewOtp};
///
/// // Nobody listens there.
/// let client = Client::builder("your-api-key").base_url("http://127.0.0.1:1").retries(0).build()?;
/// let error = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).unwrap_err();
/// assert!(matches!(error, Error::Transport(_)));
/// assert!(!error.may_have_sent() && error.is_retryable());
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct TransportError {
    inner: Box<TransportInner>,
}

/// The whole message: it is what a `main` that returns an error prints.
impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportError({:?})", self.to_string())
    }
}

impl TransportError {
    pub(crate) fn new(
        outcome: Outcome,
        kind: TransportKind,
        message: String,
        status: Option<u16>,
        source: Option<io::Error>,
    ) -> Self {
        Self { inner: Box::new(TransportInner { outcome, kind, message, status, source }) }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{message}; {}", outcome.in_words())]
struct TransportInner {
    outcome: Outcome,
    kind: TransportKind,
    message: String,
    status: Option<u16>,
    source: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportKind {
    TimedOut,
    Other,
}

/// An answer with a status other than 2xx.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// use contiguity::{Client, Error, NewOtp};
///
/// let client = Client::builder("no such key").base_url(sandbox.url()).build()?;
/// let error = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).unwrap_err();
/// assert_eq!(error.status(), Some(401));
/// assert!(!error.may_have_sent());
/// let Error::Api(error) = error else { panic!("{error}") };
/// println!("{}", error.message());
/// # Ok::<(), Error>(())
/// ```
#[derive(thiserror::Error)]
#[error("{inner}")]
pub struct ApiError {
    inner: Box<ApiInner>,
}

/// The whole message: it is what a `main` that returns an error prints.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiError({:?})", self.to_string())
    }
}

impl ApiError {
    pub(crate) fn new(inner: ApiInner) -> Self {
        Self { inner: Box::new(inner) }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.inner.status
    }

    /// What the service said was wrong; the status's own name where it said nothing readable.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Where an agreement must be accepted before the service does this, as some 403 answers say.
    #[must_use]
    pub fn agreement_url(&self) -> Option<&str> {
        self.inner.agreement_url.as_deref()
    }
}

#[derive(Debug)]
pub(crate) struct ApiInner {
    pub(crate) outcome: Outcome,
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) agreement_url: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of a body that is no error of the service, such as a gateway's page.
    pub(crate) excerpt: Option<String>,
}

impl fmt::Display for ApiInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered with status {}: {}", self.status, self.message)?;
        if let Some(url) = &self.agreement_url {
            write!(f, ", accept the agreement at {url}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        if let Some(excerpt) = &self.excerpt {
            write!(f, ", with a body that is no error of the service: {excerpt:?}")?;
        }
        if let Some(wait) = self.retry_after {
            write!(f, "; wait {} s before the next try", wait.as_secs())?;
        }
        write!(f, "; {}", self.outcome.in_words())
    }
}

/// A complete 2xx answer that cannot be read.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::sandbox::Fault;
/// use contiguity::{Error, NewOtp};
///
/// sandbox.fail_next(Fault::garbage()); // a gateway's page, with status 200
/// let error = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).unwrap_err();
/// assert!(matches!(error, Error::Decode(_)));
/// assert!(error.may_have_sent());
/// assert!(error.to_string().contains("It works!"));
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(thiserror::Error)]
#[error("{inner}")]
pub struct DecodeError {
    inner: Box<DecodeInner>,
}

/// The whole message: it is what a `main` that returns an error prints.
impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({:?})", self.to_string())
    }
}

impl DecodeError {
    pub(crate) fn new(inner: DecodeInner) -> Self {
        Self { inner: Box::new(inner) }
    }
}

#[derive(Debug)]
pub(crate) struct DecodeInner {
    pub(crate) outcome: Outcome,
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) excerpt: String,
}

impl fmt::Display for DecodeInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the answer (status {}", self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        write!(f, "): {}", self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, ", in {:?}", self.excerpt)?;
        }
        write!(f, "; {}", self.outcome.in_words())
    }
}
