//! The only room that knows ureq: a call in, an answer or an `Error` out.

#[cfg(fuzzing)]
pub mod fuzzing;
mod probe;
mod resolver;
mod tls;

use std::fmt::{self, Write as _};
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, RETRY_AFTER, USER_AGENT};
use http::header::{HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;
use ureq::{Agent, Body, Proxy, SendBody, Timeout};

use crate::envelope::Envelope;
use crate::error::{ApiError, ApiInner, DecodeError, DecodeInner, Error, Outcome, TransportError, TransportKind};
use crate::redact::Redactor;
use crate::retry::{self, Effect, Failure};
use crate::web_url::WebUrl;

use self::probe::Probe;
use self::resolver::{NameError, RememberingResolver};
pub use self::tls::Tls;

/// One of the service's operations: where it is and what it does.
pub(crate) struct Operation {
    /// Below the base URL; `{otp_id}` stands for the id of the call.
    pub(crate) path: &'static str,
    pub(crate) effect: Effect,
}

/// One request of an operation.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static Operation,
    /// What stands for `{otp_id}` in the path.
    pub(crate) otp_id: Option<&'a str>,
    /// JSON.
    pub(crate) body: Option<&'a [u8]>,
}

/// How long a call may take, and how often it may be repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For the whole call. A client's own is that of its transport, unless it was given another.
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retries: u32,
}

impl Limits {
    /// The time for connecting, a little shorter than the whole, so that a time-out of the connection or the handshake is
    /// told from a later one: of a call without a body nothing else tells whether it was sent.
    fn connect_within(self) -> Duration {
        let margin = (self.timeout / 10).min(CONNECT_MARGIN);
        self.connect_timeout.min(self.timeout.saturating_sub(margin))
    }

    /// The time for one read or write, shorter than the whole by a hair. What is left of the whole differs at every step of
    /// every call, and ureq would tell the socket each time; this stays the same, and the socket knows it already. A call
    /// that hangs ends by that hair before its time.
    fn wait_within(self) -> Duration {
        self.timeout.saturating_sub((self.timeout / 100).min(WAIT_MARGIN))
    }
}

/// A complete 2xx answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The service at one base URL, with one pool of connections.
pub(crate) struct Transport {
    agent: Agent,
    resolver: RememberingResolver,
    scheme: Scheme,
    authority: Authority,
    /// The base URL's path without a slash at its end.
    prefix: String,
    heads: Heads,
    /// What the agent is set to; a call with other limits carries them along.
    limits: Limits,
}

impl Transport {
    pub(crate) fn new(settings: Settings<'_>) -> Result<Self, Error> {
        let Settings { base_url, key, user_agent, pool_idle_timeout, limits, tls, root_certificates, proxy } = settings;
        let mut authorization = HeaderValue::try_from(format!("Token {key}")).map_err(|_| {
            Error::config("the API key has a character that cannot stand in a header, such as a line break; remove it")
        })?;
        authorization.set_sensitive(true);
        let user_agent = HeaderValue::try_from(user_agent).map_err(|_| {
            Error::config("the user agent suffix has a character that cannot stand in a header; remove it")
        })?;
        let proxy = match proxy {
            Some(url) => Some(proxy_from_url(&url)?),
            None if base_url.is_loopback => None,
            None => proxy_from_env(&base_url.uri)?,
        };
        let config = Agent::config_builder()
            // Every status is looked at here, and no redirect is followed: the key never goes to another host.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .timeout_global(Some(limits.timeout))
            .timeout_connect(Some(limits.connect_within()))
            .timeout_per_read(Some(limits.wait_within()))
            .timeout_per_write(Some(limits.wait_within()))
            // Answers are a few hundred bytes; ours is to read them as they are.
            .accept_encoding("")
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_idle_age(pool_idle_timeout)
            // As many connections as there are threads that call: none is thrown away for a number.
            .max_idle_connections(usize::MAX)
            .max_idle_connections_per_host(usize::MAX);
        #[cfg(fuzzing)]
        let config = config.middleware(fuzzing::answer);
        let config = tls::configure(config, base_url.is_https, tls, root_certificates.as_deref())?.build();
        let resolver = RememberingResolver::default();
        let agent = resolver.agent(config);
        let parts = base_url.uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(Error::config("the base URL is not an absolute URL with a host"));
        };
        let prefix = parts.path_and_query.map(|path| path.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        let heads = Heads::new(&scheme, &authority, authorization, user_agent)?;
        Ok(Self { agent, resolver, scheme, authority, prefix, heads, limits })
    }

    /// Makes the call, and makes it again where [`retry`] allows it and the time is enough.
    pub(crate) fn call(&self, call: &Call<'_>, limits: Limits, redactor: &Redactor<'_>) -> Result<Answer, Error> {
        let effect = call.operation.effect;
        let began = Instant::now();
        let mut tried = began;
        let mut acted_before = false;
        let mut repeats = 0;
        loop {
            // The first try has the whole time, which the agent may already be set to.
            let left = if repeats == 0 { limits.timeout } else { limits.timeout.saturating_sub(began.elapsed()) };
            let result = self.attempt(call, Limits { timeout: left, ..limits }, redactor);
            log_attempt(call, repeats, tried, &result, redactor);
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if repeats < limits.retries && error.is_retryable() {
                let wait = retry::wait_before(repeats, error.retry_after(), fastrand::f64());
                // A wait that does not fit is not begun: the error is worth more now than later.
                if wait < limits.timeout.saturating_sub(began.elapsed()) {
                    thread::sleep(wait);
                    tried = Instant::now();
                    // A sleep may take longer than it was asked to.
                    if tried.saturating_duration_since(began) < limits.timeout {
                        acted_before |= error.may_have_sent();
                        repeats += 1;
                        continue;
                    }
                }
            }
            debug_assert!(
                effect == Effect::Reads || !acted_before,
                "what acts is not repeated after it may have acted"
            );
            return Err(if acted_before { error.after_an_act() } else { error });
        }
    }

    fn attempt(&self, call: &Call<'_>, limits: Limits, redactor: &Redactor<'_>) -> Result<Answer, Error> {
        let uri = self.uri(call)?;
        let effect = call.operation.effect;
        let run = |body: SendBody<'_>| {
            let mut request = Request::new(body);
            *request.method_mut() = method(effect);
            *request.uri_mut() = uri;
            *request.headers_mut() = self.heads.of(call);
            if limits.timeout == self.limits.timeout && limits.connect_timeout == self.limits.connect_timeout {
                return self.agent.run(request);
            }
            let request = self
                .agent
                .configure_request(request)
                .timeout_global(Some(limits.timeout))
                .timeout_connect(Some(limits.connect_within()))
                .timeout_per_read(Some(limits.wait_within()))
                .timeout_per_write(Some(limits.wait_within()));
            self.agent.run(request.build())
        };
        let (result, handed_over) = match call.body {
            Some(body) => {
                let mut probe = Probe::new(body);
                let result = run(SendBody::from_reader(&mut probe));
                (result, if probe.was_asked() { HandedOver::Yes } else { HandedOver::No })
            }
            None => (run(SendBody::none()), HandedOver::Unknown),
        };
        let response = result.map_err(|error| {
            let failure = classify(&error, handed_over);
            if !failure.may_have_acted() {
                // The host may have moved: the next try looks it up again.
                self.resolver.forget();
            }
            let place = format!("no answer from {}", self.authority);
            transport_error(Outcome::new(effect, failure), &place, error, None, redactor)
        })?;
        read(response, effect, redactor)
    }

    fn uri(&self, call: &Call<'_>) -> Result<Uri, Error> {
        let template = call.operation.path;
        let path = match (call.otp_id, self.prefix.as_str()) {
            (None, "") => Ok(PathAndQuery::from_static(template)),
            (id, prefix) => {
                let mut path = String::with_capacity(prefix.len() + template.len() + 32);
                path.push_str(prefix);
                let (before, after) = template.split_once("{otp_id}").unwrap_or((template, ""));
                path.push_str(before);
                if let Some(id) = id {
                    // Writing to a String cannot fail.
                    let _ = write!(path, "{}", utf8_percent_encode(id, SEGMENT));
                }
                path.push_str(after);
                PathAndQuery::try_from(path)
            }
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.map_err(|_| id_too_long())?);
        Uri::from_parts(parts).map_err(|_| id_too_long())
    }
}

/// The headers of a request, with a body and without one: written once, and copied for every call.
struct Heads {
    with_body: HeaderMap,
    without_body: HeaderMap,
}

impl Heads {
    fn new(
        scheme: &Scheme,
        authority: &Authority,
        authorization: HeaderValue,
        user_agent: HeaderValue,
    ) -> Result<Self, Error> {
        // Room for more than there are: an insertion into a full map makes it grow, even one that replaces.
        let mut without_body = HeaderMap::with_capacity(8);
        // Otherwise ureq would make the same of the URL each time.
        without_body.insert(HOST, host(scheme, authority)?);
        without_body.insert(AUTHORIZATION, authorization);
        without_body.insert(USER_AGENT, user_agent);
        without_body.insert(ACCEPT, HeaderValue::from_static(JSON));
        let mut with_body = without_body.clone();
        with_body.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        with_body.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(Self { with_body, without_body })
    }

    fn of(&self, call: &Call<'_>) -> HeaderMap {
        if let Some(body) = call.body {
            let mut headers = self.with_body.clone();
            // Explicit, so that the body can be a reader and yet is not sent in chunks.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            return headers;
        }
        let mut headers = self.without_body.clone();
        if call.operation.effect == Effect::Acts {
            // RFC 9110 §8.6: a POST without a body says so; some servers answer 411 otherwise.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers
    }
}

/// Without the port that the scheme implies (RFC 9110 §4.2.3).
fn host(scheme: &Scheme, authority: &Authority) -> Result<HeaderValue, Error> {
    let implied = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != implied => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    HeaderValue::try_from(host).map_err(|_| Error::config("the base URL has a host that cannot stand in a header"))
}

/// The base URL.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

/// What a transport is made of.
pub(crate) struct Settings<'a> {
    pub(crate) base_url: WebUrl,
    pub(crate) key: &'a str,
    pub(crate) user_agent: String,
    pub(crate) pool_idle_timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    /// PEM.
    pub(crate) root_certificates: Option<Vec<u8>>,
    pub(crate) proxy: Option<String>,
}

/// Whether a request's body left our hands.
#[derive(Clone, Copy)]
enum HandedOver {
    Yes,
    No,
    /// It has none.
    Unknown,
}

/// What an error of ureq means for the call. The probe comes first, the kind of error second.
fn classify(error: &ureq::Error, handed_over: HandedOver) -> Failure {
    use ureq::Error as E;
    match handed_over {
        HandedOver::Yes => Failure::Lost,
        HandedOver::No => match error {
            E::Io(error) if error.kind() != io::ErrorKind::InvalidData => Failure::Unsent,
            E::Timeout(_) | E::HostNotFound | E::ConnectionFailed | E::ConnectProxyFailed(_) => Failure::Unsent,
            // A certificate, a TLS message, a request that ureq will not make: the next one would go the same way.
            _ => Failure::Refused,
        },
        HandedOver::Unknown => match error {
            E::Timeout(Timeout::Resolve | Timeout::Connect)
            | E::HostNotFound
            | E::ConnectionFailed
            | E::ConnectProxyFailed(_) => Failure::Unsent,
            // No other step of a call ends like this.
            E::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused || is_name_error(error) => Failure::Unsent,
            E::Io(error) if is_certificate_refusal(error) => Failure::Refused,
            E::TlsRequired | E::Tls(_) | E::RequireHttpsOnly(_) | E::BadUri(_) | E::InvalidProxyUrl => Failure::Refused,
            // Later than in the handshake native-tls gives errors of I/O.
            #[cfg(feature = "native-tls")]
            E::NativeTls(_) | E::Der(_) => Failure::Refused,
            #[cfg(feature = "rustls")]
            E::Rustls(_) => Failure::Refused,
            // What is ambiguous counts as sent.
            _ => Failure::Lost,
        },
    }
}

fn is_name_error(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<NameError>()).is_some()
}

/// Errors that rustls gives in a handshake alone, before any request is written.
#[cfg(feature = "rustls")]
fn is_certificate_refusal(error: &io::Error) -> bool {
    use rustls::Error as E;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<E>());
    matches!(inner, Some(E::InvalidCertificate(_) | E::NoCertificatesPresented | E::PeerIncompatible(_)))
}

#[cfg(not(feature = "rustls"))]
fn is_certificate_refusal(_: &io::Error) -> bool {
    false
}

/// Reads what follows the head: a 2xx whole and bounded, of anything else as much as makes a good message.
fn read(response: Response<Body>, effect: Effect, redactor: &Redactor<'_>) -> Result<Answer, Error> {
    let (head, body) = response.into_parts();
    let status = head.status.as_u16();
    let length = body.content_length();
    let is_success = head.status.is_success();
    let limit = if is_success { MAX_BODY } else { MAX_ERROR_BODY };
    // A length that was announced is believed only as far as it is allowed.
    let capacity = usize::try_from(length.unwrap_or(USUAL_BODY).min(limit as u64)).unwrap_or(limit) + 1;
    let mut bytes = Vec::with_capacity(capacity);
    let result = body.into_reader().take(limit as u64 + 1).read_to_end(&mut bytes);
    if !is_success {
        // The status is the truth; the body only adds words, as far as it came.
        return Err(api_error(status, &head.headers, &bytes, effect, redactor));
    }
    if bytes.len() > limit {
        let outcome = Outcome::new(effect, Failure::Unreadable);
        let message = format!("it is longer than {} KiB", MAX_BODY / 1024);
        return Err(decode_error(outcome, status, &message, &bytes, redactor));
    }
    let lost = |error: io::Error| {
        let place = format!("lost the answer after its head (status {status})");
        transport_error(Outcome::new(effect, Failure::Lost), &place, error.into(), Some(status), redactor)
    };
    result.map_err(lost)?;
    // A body that ends with the connection looks complete when it was cut (RFC 9112 §6.3), unless the JSON is not.
    let has_end = head.status == StatusCode::NO_CONTENT
        || head.headers.contains_key(CONTENT_LENGTH)
        || head.headers.contains_key(TRANSFER_ENCODING);
    if !has_end && serde_json::from_slice::<IgnoredAny>(&bytes).is_err_and(|error| error.is_eof()) {
        let cut = "the connection closed in the middle of the answer";
        return Err(lost(io::Error::new(io::ErrorKind::UnexpectedEof, cut)));
    }
    Ok(Answer { status, body: bytes })
}

/// An answer that cannot be read, with what can be said about it.
pub(crate) fn unreadable(answer: &Answer, effect: Effect, message: &str, redactor: &Redactor<'_>) -> Error {
    decode_error(Outcome::new(effect, Failure::Unreadable), answer.status, message, &answer.body, redactor)
}

fn decode_error(outcome: Outcome, status: u16, message: &str, body: &[u8], redactor: &Redactor<'_>) -> Error {
    let request_id = Envelope::parse(body).ok().and_then(|envelope| envelope.request_id(redactor));
    Error::Decode(DecodeError::new(DecodeInner {
        outcome,
        status,
        message: redactor.line(message),
        request_id,
        excerpt: redactor.excerpt(body),
    }))
}

fn api_error(status: u16, headers: &HeaderMap, body: &[u8], effect: Effect, redactor: &Redactor<'_>) -> Error {
    let envelope = Envelope::parse(body).unwrap_or_default();
    let complaint = envelope.complaint();
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let (message, excerpt) = if let Some(message) = &complaint.first {
        (redactor.line(message), None)
    } else {
        let excerpt = Some(redactor.excerpt(body)).filter(|excerpt| !excerpt.is_empty());
        (reason.unwrap_or("no reason given").to_owned(), excerpt)
    };
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Error::Api(ApiError::new(ApiInner {
        outcome: Outcome::new(effect, Failure::Answered(status)),
        status,
        message,
        agreement_url: complaint.agreement_url().map(|url| redactor.value(url)),
        request_id: envelope.request_id(redactor),
        retry_after: text(RETRY_AFTER).and_then(|wait| retry::retry_after(wait, text(DATE), SystemTime::now())),
        excerpt,
    }))
}

fn transport_error(
    outcome: Outcome,
    place: &str,
    error: ureq::Error,
    status: Option<u16>,
    redactor: &Redactor<'_>,
) -> Error {
    let (kind, message) = match &error {
        // Of the whole, less a hair.
        ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
            (TransportKind::TimedOut, format!("timed out ({})", Timeout::Global))
        }
        ureq::Error::Timeout(phase) => (TransportKind::TimedOut, format!("timed out ({phase})")),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            (TransportKind::TimedOut, format!("timed out ({error})"))
        }
        ureq::Error::Io(error) => (TransportKind::Other, error.to_string()),
        error => (TransportKind::Other, error.to_string()),
    };
    // Only what the operating system said is kept whole: texts of others may quote what was sent.
    let source = match error {
        ureq::Error::Io(error) if error.raw_os_error().is_some() => Some(error),
        _ => None,
    };
    Error::Transport(TransportError::new(
        outcome,
        kind,
        format!("{place}: {}", redactor.line(&message)),
        status,
        source,
    ))
}

fn log_attempt(call: &Call<'_>, repeats: u32, tried: Instant, result: &Result<Answer, Error>, redactor: &Redactor<'_>) {
    if !log::log_enabled!(target: LOG_TARGET, log::Level::Debug) {
        return;
    }
    let (status, request_id) = match result {
        Ok(answer) => {
            let envelope = Envelope::parse(&answer.body).unwrap_or_default();
            (Some(answer.status), envelope.request_id(redactor))
        }
        Err(error) => (error.status(), error.request_id().map(str::to_owned)),
    };
    let status = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    log::debug!(
        target: LOG_TARGET,
        "{} {}: {status}, attempt {}, {} ms, request {}",
        method(call.operation.effect),
        call.operation.path,
        repeats + 1,
        tried.elapsed().as_millis(),
        request_id.as_deref().unwrap_or("unknown"),
    );
}

fn method(effect: Effect) -> Method {
    match effect {
        Effect::Acts => Method::POST,
        Effect::Reads => Method::GET,
    }
}

/// A proxy that was asked for by name.
fn proxy_from_url(url: &str) -> Result<Proxy, Error> {
    // The text may hold credentials, and is not repeated.
    let proxy = Proxy::new(url).map_err(|_| {
        Error::config("`proxy` is not the URL of a proxy; give one such as http://proxy.example.com:3128")
    })?;
    if is_spoken(&proxy) { Ok(proxy) } else { Err(Error::config(format!("`proxy` {NO_SOCKS}"))) }
}

/// The environment's proxy for this host, by ureq's rules.
fn proxy_from_env(base_url: &Uri) -> Result<Option<Proxy>, Error> {
    let Some(proxy) = Proxy::try_from_env().filter(|proxy| !proxy.is_no_proxy(base_url)) else {
        return Ok(None);
    };
    // ureq would go around a SOCKS proxy that it cannot speak to. A proxy is there for a reason.
    if is_spoken(&proxy) {
        Ok(Some(proxy))
    } else {
        Err(Error::config(format!(
            "the environment (ALL_PROXY and the like) {NO_SOCKS}, or put the host into NO_PROXY"
        )))
    }
}

fn is_spoken(proxy: &Proxy) -> bool {
    matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https)
}

fn id_too_long() -> Error {
    use crate::error::{Issue, IssueKind, ValidationError};
    let message = "is too long for a URL; give an id as the service made it".to_owned();
    Error::Validation(ValidationError::new(vec![Issue::new("otp_id", IssueKind::TooLong, message, None)]))
}

const NO_SOCKS: &str = "names a SOCKS proxy, which this crate does not speak; name an http:// proxy";

const JSON: &str = "application/json";

/// The target of every log record of this crate.
const LOG_TARGET: &str = "contiguity";

/// What stands for itself in a path segment (RFC 3986 §2.3); everything else is percent-encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bytes of an answer that are read at most. The longest documented one has some 500.
const MAX_BODY: usize = 1024 * 1024;

/// Bytes of an error's body that are read at most: enough for any message.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Bytes of an answer's head that are read at most.
const MAX_HEAD: usize = 64 * 1024;

/// Bytes of a connection's buffers, each way: the longest head that is read, the longest URL that is written (64 KiB, by
/// the http crate) and what stands around it. ureq's own are twice as long, and every byte of them is memory in use.
const BUFFER: usize = MAX_HEAD + 8 * 1024;

/// Bytes of a body of unknown length to begin with.
const USUAL_BODY: u64 = 512;

/// By how much a single read or write ends before the whole call, at most: longer than a warm call takes to come to it.
const WAIT_MARGIN: Duration = Duration::from_millis(10);

/// By how much connecting ends before the whole call, at most.
const CONNECT_MARGIN: Duration = Duration::from_millis(50);
