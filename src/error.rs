//! `Error` and its parts.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::phone::PhoneNumber;
use crate::refusal::Refusal;
use crate::retry::{Effect, Failure, Operation};
use crate::value::debug_is_display;

/// The error type of all calls.
///
/// Every error reports whether the service may have acted on the call
/// ([`may_have_sent`](Self::may_have_sent)) and whether the call can be retried
/// ([`is_retryable`](Self::is_retryable)). A text message costs money and annoys people, so check
/// before you send another one.
///
/// The cookbook maps errors to [HTTP statuses](crate::_cookbook#http-statuses).
///
/// The message of a call that was made begins with its method and path template, such as
/// `POST /otp/new`. No error shows the API key, a code or a whole phone number. `Debug` shows the
/// same message as `Display`, since that is what a `main` that returns an error prints.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Error, NewOtp};
///
/// let result = NewOtp::to("+1 415")
///     .language("en")
///     .name("MyApp")
///     .send(&client);
/// match result {
///     Ok(sent) => println!("sent {}", sent.otp_id),
///     Err(Error::Validation(error)) => {
///         for issue in error.issues() {
///             println!("{}: {}", issue.field, issue.message);
///         }
///     }
///     Err(error) if error.may_have_sent() => {
///         println!("a text may be on its way: {error}");
///     }
///     Err(Error::Api(error)) => {
///         println!("the service refused: {}", error.message());
///     }
///     Err(error) => println!("nothing was sent: {error}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client cannot be used as it is configured. Nothing was sent.
    #[error(transparent)]
    Config(ConfigError),
    /// The request has problems, all of which are listed. Nothing was sent.
    #[error(transparent)]
    Validation(ValidationError),
    /// A limit of your own refused the call. Nothing was sent.
    #[error(transparent)]
    Refused(Refusal),
    /// No complete response was received.
    #[error(transparent)]
    Transport(TransportError),
    /// The service, or a gateway in front of it, returned a status other than 2xx.
    #[error(transparent)]
    Api(ApiError),
    /// The service returned 2xx with a response that cannot be read. The service most likely acted.
    #[error(transparent)]
    Decode(DecodeError),
}

impl Error {
    /// Returns the HTTP status, if the head of a response was received.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Config(_) | Self::Validation(_) | Self::Refused(_) => None,
            Self::Transport(error) => error.inner.status,
            Self::Api(error) => Some(error.inner.status),
            Self::Decode(error) => Some(error.inner.status),
        }
    }

    /// Returns the service's id of this request, such as `err_…`, if the response contains one. The
    /// vendor's support asks for it.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Config(_) | Self::Validation(_) | Self::Refused(_) | Self::Transport(_) => None,
            Self::Api(error) => error.request_id(),
            Self::Decode(error) => error.inner.request_id.as_deref(),
        }
    }

    /// Returns the wait before a retry that the response asked for (`Retry-After`, RFC 9110 §10.2.3).
    ///
    /// For [`Refused`](Self::Refused), returns [`Refusal::retry_after`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            Self::Refused(refusal) => refusal.retry_after(),
            _ => None,
        }
    }

    /// Reports whether time ran out while connecting, sending or waiting for the response.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_timeout())
    }

    /// Reports whether the call can be retried safely and may then succeed.
    ///
    /// This is true for a call that the service certainly did not act on and whose failure may be
    /// temporary: a host that was not found, a refused connection, 429. It is also true for every
    /// temporary failure of a status read. The client has already retried such a call as often as
    /// [`retries`](crate::ClientBuilder::retries) and the timeout allow.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.delivery().is_some_and(|delivery| delivery.failure.can_be_retried(delivery.operation.effect))
    }

    /// Reports whether the service may have acted on this call.
    ///
    /// For [`NewOtp`](crate::NewOtp) and [`ResendOtp`](crate::ResendOtp) this means that a text may
    /// have been sent. `false` is definite. `true` means that it is unknown, because a lost response
    /// looks the same as a request that was received and dropped.
    #[must_use]
    pub fn may_have_sent(&self) -> bool {
        self.delivery().is_some_and(Delivery::may_have_acted)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Config(ConfigError { message: message.into() })
    }

    /// Records that the service may have acted on an earlier try of the same call.
    pub(crate) fn after_an_act(mut self) -> Self {
        match &mut self {
            Self::Transport(error) => error.inner.delivery.acted_before = true,
            Self::Api(error) => error.inner.delivery.acted_before = true,
            // The service acted, or nothing was tried.
            Self::Decode(_) | Self::Config(_) | Self::Validation(_) | Self::Refused(_) => {}
        }
        self
    }

    fn delivery(&self) -> Option<Delivery> {
        match self {
            Self::Config(_) | Self::Validation(_) | Self::Refused(_) => None,
            Self::Transport(error) => Some(error.inner.delivery),
            Self::Api(error) => Some(error.inner.delivery),
            Self::Decode(error) => Some(error.inner.delivery),
        }
    }
}

debug_is_display!(Error, ConfigError, ValidationError, Refusal, TransportError, ApiError, DecodeError);

/// What is known of a call that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    operation: &'static Operation,
    failure: Failure,
    acted_before: bool,
}

impl Delivery {
    pub(crate) fn new(operation: &'static Operation, failure: Failure) -> Self {
        Self { operation, failure, acted_before: false }
    }

    fn may_have_acted(self) -> bool {
        self.acted_before || self.failure.may_have_acted()
    }

    /// The end of every message about a call that reached the network.
    fn in_words(self) -> &'static str {
        match (self.may_have_acted(), self.operation.effect) {
            (false, _) => "the service did not act on this call",
            (true, Effect::Acts) => "the service may have acted on this call",
            (true, Effect::Reads) if self.failure.can_be_retried(Effect::Reads) => {
                "this call is read-only and can be retried"
            }
            (true, Effect::Reads) => "this call is read-only",
        }
    }
}

/// An invalid configuration of a [`Client`](crate::Client).
///
/// The message names the setting and what to do.
///
/// # Examples
///
/// ```
/// use contiguity::Client;
///
/// let error = Client::builder("your-api-key")
///     .base_url("api.contiguity.com")
///     .build()
///     .unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the base URL has no scheme; start it with https://"
/// );
/// ```
#[derive(Clone, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    message: String,
}

/// The problems with a request. It was not sent.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Error, NewOtp};
///
/// let error = NewOtp::to("+1 (415) 555-2671")
///     .language("english, please")
///     .name(" ")
///     .send(&client)
///     .unwrap_err();
/// let Error::Validation(error) = error else { panic!("{error}") };
/// let fields: Vec<_> = error.issues().iter().map(|i| i.field).collect();
/// assert_eq!(fields, ["to", "language", "name"]);
/// assert_eq!(error.issues()[0].suggestion(), Some("+14155552671"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, thiserror::Error)]
pub struct ValidationError {
    issues: Vec<Issue>,
}

impl ValidationError {
    pub(crate) fn new(issues: Vec<Issue>) -> Self {
        Self { issues }
    }

    /// Returns the problems, in the order of the request's fields. The list is never empty.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }
}

/// One problem is shown on the same line; several get a line each.
impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid request, nothing was sent:")?;
        if let [issue] = self.issues.as_slice() {
            return write!(f, " {issue}");
        }
        self.issues.iter().try_for_each(|issue| write!(f, "\n- {issue}"))
    }
}

/// A problem with one field of a request.
///
/// # Examples
///
/// ```
/// # let client = contiguity::Client::new("your-api-key")?;
/// use contiguity::{Error, IssueKind, VerifyOtp};
///
/// let error = VerifyOtp::otp_id("otp_1").otp("12").send(&client).unwrap_err();
/// let Error::Validation(error) = error else { panic!("{error}") };
/// let issue = &error.issues()[0];
/// assert_eq!((issue.field, issue.kind), ("otp", IssueKind::TooShort));
/// assert_eq!(issue.to_string(), "`otp` must have 4 to 10 digits");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The name of the field in the API, such as `to` or `success_url`.
    pub field: &'static str,
    /// The kind of problem, to match on.
    pub kind: IssueKind,
    /// The problem and what to do, in words. Reads after the field's name, for example `must not be
    /// blank`. Never contains a phone number or a code.
    pub message: String,
    suggestion: Option<PhoneNumber>,
}

impl Issue {
    pub(crate) fn new(field: &'static str, kind: IssueKind, message: String, suggestion: Option<PhoneNumber>) -> Self {
        Self { field, kind, message, suggestion }
    }

    /// Returns the phone number that the text most likely means, such as `+14155552671` for
    /// `+1 (415) 555-2671`.
    ///
    /// Ask the person to confirm it. Returns `None` if there is any doubt.
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
    /// Empty, or only white space.
    Blank,
    /// Too few characters or digits.
    TooShort,
    /// Too many characters or digits.
    TooLong,
    /// A character that the field does not allow.
    Character,
    /// Not in the form that the field requires.
    Format,
    /// A well-formed value that this version does not support in requests.
    Unsupported,
}

/// A call that received no complete response.
///
/// If the operating system reported the cause, its [`io::Error`] is the
/// [source](std::error::Error::source).
///
/// # Examples
///
/// ```
/// use contiguity::{Client, Error, NewOtp};
///
/// // Nothing listens on this port.
/// let client = Client::builder("your-api-key")
///     .base_url("http://127.0.0.1:1")
///     .retries(0)
///     .build()?;
/// let error = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)
///     .unwrap_err();
/// assert!(matches!(error, Error::Transport(_)));
/// assert!(!error.may_have_sent() && error.is_retryable());
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct TransportError {
    inner: Box<TransportInner>,
}

impl TransportError {
    pub(crate) fn new(inner: TransportInner) -> Self {
        Self { inner: Box::new(inner) }
    }

    /// Reports whether time ran out while connecting, sending or waiting for the response.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.is_timeout
    }

    /// What happened, without the call and what it means for it.
    pub(crate) fn cause(&self) -> &str {
        &self.inner.message
    }

    /// Reports whether the proxy failed or refused, and not the service.
    ///
    /// See [`ClientBuilder::proxy`](crate::ClientBuilder::proxy).
    #[must_use]
    pub fn is_proxy(&self) -> bool {
        self.inner.is_proxy
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{}: {message}; {}", delivery.operation, delivery.in_words())]
pub(crate) struct TransportInner {
    pub(crate) delivery: Delivery,
    pub(crate) is_timeout: bool,
    pub(crate) is_proxy: bool,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) source: Option<io::Error>,
}

/// A response with a status other than 2xx.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// use contiguity::{Client, Error, NewOtp};
///
/// let client = Client::builder("a-wrong-key").base_url(sandbox.url()).build()?;
/// let error = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)
///     .unwrap_err();
/// assert!(!error.may_have_sent());
/// let Error::Api(error) = error else { panic!("{error}") };
/// assert_eq!(error.status(), 401);
/// println!("{}", error.message());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
#[error("{inner}")]
pub struct ApiError {
    inner: Box<ApiInner>,
}

impl ApiError {
    pub(crate) fn new(inner: ApiInner) -> Self {
        Self { inner: Box::new(inner) }
    }

    /// Returns the HTTP status.
    ///
    /// An unknown OTP id cannot be told from other invalid fields: Contiguity does not document the
    /// response to one. The sandbox returns 400.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.inner.status
    }

    /// Returns the service's description of the problem, or the standard name of the status if the
    /// response contains none.
    #[must_use]
    pub fn message(&self) -> &str {
        self.inner.message.as_deref().or(self.inner.reason).unwrap_or("no message")
    }

    /// Returns the service's id of this request, such as `err_…`, if the response contains one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.inner.request_id.as_deref()
    }

    /// Returns the wait before a retry that the response asked for (`Retry-After`).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// Returns the address of an agreement that the account must accept first. Some responses with
    /// status 403 contain one.
    #[must_use]
    pub fn agreement_url(&self) -> Option<&str> {
        self.inner.agreement_url.as_deref()
    }
}

pub(crate) struct ApiInner {
    pub(crate) delivery: Delivery,
    pub(crate) status: u16,
    /// The standard name of the status, if it has one.
    pub(crate) reason: Option<&'static str>,
    pub(crate) message: Option<String>,
    pub(crate) agreement_url: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// What the body is, if it is not an error of the service.
    pub(crate) body: Option<String>,
}

impl fmt::Display for ApiInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the service returned {}", self.delivery.operation, self.status)?;
        if let Some(reason) = self.reason {
            write!(f, " {reason}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        if let Some(message) = self.message.as_deref().filter(|message| Some(*message) != self.reason) {
            write!(f, ": {message}")?;
        }
        if let Some(url) = &self.agreement_url {
            write!(f, "; accept the agreement at {url}")?;
        }
        if let Some(body) = &self.body {
            write!(f, "; {body}")?;
        }
        match self.status {
            300..=399 => f.write_str("; redirects are not followed: check the base URL")?,
            401 => f.write_str("; check the API key")?,
            404 => f.write_str("; check the base URL, and the OTP id if there is one")?,
            _ => {}
        }
        if let Some(wait) = self.retry_after.filter(|wait| !wait.is_zero()) {
            write!(f, "; retry after {} s", wait.as_secs())?;
        }
        write!(f, "; {}", self.delivery.in_words())
    }
}

/// A complete 2xx response that could not be read.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::sandbox::Fault;
/// use contiguity::{Error, NewOtp};
///
/// sandbox.fail_next(Fault::garbage()); // a gateway's page, status 200
/// let error = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)
///     .unwrap_err();
/// assert!(matches!(error, Error::Decode(_)));
/// assert!(error.may_have_sent());
/// assert!(error.to_string().contains("It works!"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
#[error("{inner}")]
pub struct DecodeError {
    inner: Box<DecodeInner>,
}

impl DecodeError {
    pub(crate) fn new(inner: DecodeInner) -> Self {
        Self { inner: Box::new(inner) }
    }
}

pub(crate) struct DecodeInner {
    pub(crate) delivery: Delivery,
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
}

impl fmt::Display for DecodeInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: invalid response (status {}", self.delivery.operation, self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        write!(f, "): {}; {}", self.message, self.delivery.in_words())
    }
}
