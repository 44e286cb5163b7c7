//! The only file, with those below it, that knows HTTP: a [`Call`] in, a [`Response`] or an [`Error`]
//! out.
//!
//! Three things are not plain use of ureq:
//!
//! - **The probe** tells whether a request was sent. ureq asks for a body only after it has written
//!   the whole head. So a POST's body is a reader that records whether it was asked for: if not, the
//!   request was certainly not sent, whatever the error looks like. For a request without a body, the
//!   connection records whether anything was written.
//! - **The resolver** remembers addresses. ureq looks up the host for every request, and with a time
//!   limit it starts a thread each time.
//! - **The deadline** of a call covers its retries, so each try gets the time that is left. ureq's own
//!   limits cover a step each; the connection ends every read and write at the deadline.

mod connection;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod probe;
mod proxy;
pub(crate) mod resolver;
mod tls;

use std::env;
use std::fmt;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap,
    HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;
use ureq::{Agent, Body, SendBody, Timeout};

use crate::call::{self, Call, Response};
use crate::envelope::Envelope;
use crate::error::{ApiError, ApiInner, Delivery, Error, TransportError, TransportInner};
use crate::redact::Redactor;
use crate::retry::{self, Effect, Failure, Operation};
use crate::web_url::WebUrl;

use self::probe::Probe;
use self::proxy::ProxyError;
use self::resolver::{NameError, RememberingResolver};
pub use self::tls::Tls;

/// How long a call may take, and how often it may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// For the whole call, retries included.
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retries: u32,
}

impl Limits {
    /// The limit of a single read or write: the whole, less a hair. What is left of the whole changes at
    /// every step, and ureq would set the socket's timeout each time (3 of 12 system calls). This stays
    /// the same, so the socket has it already.
    fn io_timeout(self) -> Duration {
        self.timeout.saturating_sub((self.timeout / 100).min(Duration::from_millis(10)))
    }
}

/// The settings of a transport.
pub(crate) struct Settings<'a> {
    pub(crate) base_url: WebUrl,
    pub(crate) key: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) pool_idle_timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    /// What messages call them, and the PEM.
    pub(crate) root_certificates: Option<(&'static str, Vec<u8>)>,
    pub(crate) proxy: Option<String>,
    pub(crate) allow_insecure_http: bool,
}

/// The service at one base URL, with one pool of connections.
pub(crate) struct Transport {
    agent: Agent,
    resolver: RememberingResolver,
    base_url: WebUrl,
    /// Prepared, since writing them again for every request costs 4 % of a call.
    headers: HeaderMap,
    headers_with_body: HeaderMap,
    /// What the agent is configured for.
    limits: Limits,
    /// How long a connection may have been idle, for calls that act and for those that read.
    pool_idle_timeout: Duration,
    read_idle_timeout: Duration,
    /// What messages call the certificate authorities, if they were set.
    roots: Option<&'static str>,
}

impl Transport {
    pub(crate) fn new(settings: Settings<'_>) -> Result<Self, Error> {
        let Settings { base_url, key, user_agent, limits, tls, root_certificates, proxy, .. } = settings;
        let Settings { pool_idle_timeout, allow_insecure_http, .. } = settings;
        let mut authorization =
            HeaderValue::try_from(format!("Token {key}")).expect("a key of visible ASCII fits in a header");
        authorization.set_sensitive(true);
        let user_agent = HeaderValue::from_str(user_agent).expect("visible ASCII and spaces fit in a header");
        let proxy = proxy::choose(proxy.as_deref(), &base_url, allow_insecure_http, |name| env::var_os(name))?;
        let needs_tls = base_url.is_https() || proxy.as_ref().is_some_and(proxy::is_https);
        // Zero keeps no connection.
        let keeps_none = pool_idle_timeout.is_zero();
        let read_idle_timeout = if keeps_none { Duration::ZERO } else { pool_idle_timeout.max(READ_IDLE_TIMEOUT) };
        let config = Agent::config_builder()
            // Every status is handled here, and no redirect is followed: the key never goes to
            // another host.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .timeout_global(Some(limits.timeout))
            .timeout_connect(Some(limits.connect_timeout))
            .timeout_per_read(Some(limits.io_timeout()))
            .timeout_per_write(Some(limits.io_timeout()))
            .max_response_header_size(MAX_HEAD)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            // The longer of the two. Each call decides which connections are too old for it.
            .max_idle_age(read_idle_timeout)
            .max_idle_connections(MAX_IDLE)
            .max_idle_connections_per_host(MAX_IDLE);
        #[cfg(fuzzing)]
        let config = config.middleware(fuzzing::respond);
        let roots = root_certificates.as_ref().map(|(name, _)| *name);
        let config = tls::configure(config, needs_tls, tls, root_certificates)?.build();
        let resolver = RememberingResolver::default();
        let agent = connection::agent(config, resolver.clone());
        // With room for the length of a body: a full map grows even if a value is only replaced.
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(HOST, host(&base_url));
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(USER_AGENT, user_agent);
        headers.insert(ACCEPT, HeaderValue::from_static(JSON));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut headers_with_body = headers.clone();
        headers_with_body.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers_with_body.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(Self {
            agent,
            resolver,
            base_url,
            headers,
            headers_with_body,
            limits,
            pool_idle_timeout,
            read_idle_timeout,
            roots,
        })
    }

    /// Makes the call, and retries it where [`retry`] allows it and enough time is left.
    pub(crate) fn call<'a>(
        &self,
        call: &Call<'_>,
        limits: Limits,
        redactor: Redactor<'a>,
    ) -> Result<Response<'a>, Error> {
        let started = Instant::now();
        let mut tried = started;
        // The first try has the whole time, which the agent may already be configured for.
        let mut left = limits.timeout;
        let mut retries = 0;
        let mut acted_before = false;
        loop {
            let result = self.attempt(call, tried, left, limits, redactor);
            log_attempt(call, retries, tried, &result);
            let error = match result {
                Ok(response) => return Ok(response),
                Err(error) if acted_before => error.after_an_act(),
                Err(error) => error,
            };
            let wait = retry::wait_before(retries, error.retry_after(), fastrand::f64());
            // A wait that does not fit is not begun: the error is worth more now than later.
            let is_in_time = wait < limits.timeout.saturating_sub(started.elapsed());
            if retries == limits.retries || !error.is_retryable() || !is_in_time {
                return Err(error);
            }
            acted_before |= error.may_have_sent();
            debug_assert!(
                !acted_before || call.operation.effect == Effect::Reads,
                "only a read is retried after an act"
            );
            retries += 1;
            thread::sleep(wait);
            tried = Instant::now();
            left = limits.timeout.saturating_sub(tried.duration_since(started));
            if left.is_zero() {
                // The sleep took longer than asked.
                return Err(error);
            }
        }
    }

    /// Makes the call once, from `tried` on and within `left`.
    fn attempt<'a>(
        &self,
        call: &Call<'_>,
        tried: Instant,
        left: Duration,
        limits: Limits,
        redactor: Redactor<'a>,
    ) -> Result<Response<'a>, Error> {
        let operation = call.operation;
        if left.is_zero() {
            // ureq takes zero for no limit.
            return Err(Error::Transport(TransportError::new(TransportInner {
                delivery: Delivery::new(operation, Failure::Refused),
                is_timeout: true,
                is_proxy: false,
                message: NO_TIME.to_owned(),
                status: None,
                source: None,
            })));
        }
        let max_idle = match operation.effect {
            Effect::Acts => self.pool_idle_timeout,
            Effect::Reads => self.read_idle_timeout,
        };
        // Until the body is read.
        let scope = connection::Scope::enter(tried.checked_add(left), max_idle);
        let run = |body: SendBody<'_>| {
            let request = self.request(call, body);
            if left == self.limits.timeout && limits.connect_timeout == self.limits.connect_timeout {
                return self.agent.run(request);
            }
            let request = self.agent.configure_request(request);
            let limits = Limits { timeout: left, ..limits };
            let request = request
                .timeout_global(Some(left))
                .timeout_connect(Some(limits.connect_timeout))
                .timeout_per_read(Some(limits.io_timeout()))
                .timeout_per_write(Some(limits.io_timeout()));
            self.agent.run(request.build())
        };
        let (result, sent) = match &call.body {
            Some(body) => {
                let mut probe = Probe::new(body);
                let result = run(SendBody::from_reader(&mut probe));
                (result, probe.was_asked())
            }
            None => (run(SendBody::none()), scope.has_sent()),
        };
        match result {
            Ok(response) => self.read(response, operation, limits, redactor),
            Err(error) => {
                let reached = match (sent, scope.has_connected()) {
                    (true, _) => Reached::Sent,
                    (false, true) => Reached::Host,
                    (false, false) => Reached::Nothing,
                };
                // The limit that ended a retry may be what was left of the whole.
                let connect_timeout =
                    if left < limits.connect_timeout { limits.timeout } else { limits.connect_timeout };
                Err(self.no_response(error, reached, operation, Limits { connect_timeout, ..limits }))
            }
        }
    }

    fn request<'b>(&self, call: &Call<'_>, body: SendBody<'b>) -> http::Request<SendBody<'b>> {
        let mut request = http::Request::new(body);
        *request.method_mut() = match call.operation.effect {
            Effect::Acts => Method::POST,
            Effect::Reads => Method::GET,
        };
        *request.uri_mut() = self.uri(call);
        *request.headers_mut() = if call.body.is_some() { &self.headers_with_body } else { &self.headers }.clone();
        let headers = request.headers_mut();
        if let Some(body) = &call.body {
            // Explicit, so that a body that is a reader is not sent in chunks.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        } else if call.operation.effect == Effect::Acts {
            // RFC 9110 §8.6: a POST without a body says so. Some servers return 411 otherwise.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        request
    }

    fn uri(&self, call: &Call<'_>) -> Uri {
        let template = call.operation.path;
        let prefix = self.base_url.path.path().trim_end_matches('/');
        let path = match (prefix, call.otp_id) {
            ("", None) => PathAndQuery::from_static(template),
            (prefix, id) => {
                let mut path = String::with_capacity(prefix.len() + template.len() + 32);
                path.push_str(prefix);
                path.push_str(template.strip_suffix("{otp_id}").unwrap_or(template));
                for part in utf8_percent_encode(id.unwrap_or_default(), SEGMENT) {
                    path.push_str(part);
                }
                PathAndQuery::try_from(path).expect("a prefix that was parsed, and a path that is percent-encoded")
            }
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.base_url.scheme.clone());
        parts.authority = Some(self.base_url.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("scheme, authority and path make a URL")
    }

    /// Reads what follows the head: a 2xx whole and bounded, of anything else enough for a message.
    fn read<'a>(
        &self,
        response: http::Response<Body>,
        operation: &'static Operation,
        limits: Limits,
        redactor: Redactor<'a>,
    ) -> Result<Response<'a>, Error> {
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let max = if head.status.is_success() { MAX_BODY } else { MAX_ERROR_BODY };
        // The length that was announced is trusted only up to the limit.
        let length = body.content_length();
        let capacity = length.unwrap_or(USUAL_BODY).min(max);
        let mut bytes = Vec::with_capacity(usize::try_from(capacity).expect("at most 1 MiB") + 1);
        let result = body.into_reader().take(max + 1).read_to_end(&mut bytes);
        let encoding = text(&head.headers, CONTENT_ENCODING).filter(|encoding| *encoding != "identity");
        if !head.status.is_success() {
            // The status is the truth. The body only adds words, as far as it was received.
            return Err(api_error(status, &head.headers, &bytes, encoding, operation, redactor));
        }
        let encoding = encoding.map(str::to_owned);
        let response = Response { status, body: bytes, encoding, operation, redactor, permit: None };
        if response.body.len() as u64 > max {
            return Err(response.unreadable("the body is longer than 1 MiB", None));
        }
        // A body that ends with the connection looks complete when it was cut (RFC 9112 §6.3), unless
        // its JSON is not.
        let has_end = length.is_some()
            || head.status == StatusCode::NO_CONTENT
            // An empty body, for which ureq reports no length.
            || head.headers.contains_key(CONTENT_LENGTH)
            || head.headers.contains_key(TRANSFER_ENCODING);
        let is_cut = |body: &[u8]| serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof());
        let result = match result {
            Ok(_) if !has_end && is_cut(&response.body) => Err(io::ErrorKind::UnexpectedEof.into()),
            result => result,
        };
        match result {
            Ok(_) => Ok(response),
            Err(error) => {
                let error = ureq::Error::from(error);
                let (is_timeout, message) = describe(&error, Reached::Sent, self.base_url.authority.as_str(), limits);
                Err(Error::Transport(TransportError::new(TransportInner {
                    delivery: Delivery::new(operation, Failure::Lost),
                    is_timeout,
                    is_proxy: false,
                    message: format!("the response was incomplete (status {status}): {message}"),
                    status: Some(status),
                    source: os_error(error),
                })))
            }
        }
    }

    fn no_response(
        &self,
        error: ureq::Error,
        reached: Reached,
        operation: &'static Operation,
        limits: Limits,
    ) -> Error {
        let (failure, is_proxy, (is_timeout, mut message), error) = match ProxyError::take(error) {
            Ok(proxy) => {
                let (is_timeout, message) = describe(&proxy.error, reached, &proxy.name, limits);
                (proxy.failure(), true, (is_timeout, proxy.response().unwrap_or(message)), proxy.error)
            }
            Err(error) => {
                let host = self.base_url.authority.as_str();
                let (is_timeout, mut message) = describe(&error, reached, host, limits);
                if self.base_url.is_loopback && is_refused(&error) {
                    message.push_str(" (is the sandbox still running?)");
                }
                (classify(&error, reached), false, (is_timeout, message), error)
            }
        };
        if tls::is_untrusted(&error) {
            message += &match self.roots {
                Some(roots) => format!("; it is not one of those in {roots}"),
                None => "; if your network has its own, call `root_certificates`, or set CONTIGUITY_CA_FILE and use \
                         `from_env`"
                    .to_owned(),
            };
        }
        if !failure.may_have_acted() {
            // The host may have moved: the next try looks it up again.
            self.resolver.forget();
        }
        Error::Transport(TransportError::new(TransportInner {
            delivery: Delivery::new(operation, failure),
            is_timeout,
            is_proxy,
            message,
            status: None,
            source: os_error(error),
        }))
    }
}

/// The base URL.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WebUrl { scheme, authority, path, .. } = &self.base_url;
        write!(f, "{scheme}://{authority}{}", path.path().trim_end_matches('/'))
    }
}

/// How far a request came before it failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    Nothing,
    /// The host, or the proxy in front of it, accepted a connection.
    Host,
    /// The request may have been sent.
    Sent,
}

/// Returns what an error of ureq means for the call. Whether the request was sent comes first, the
/// kind of error second.
fn classify(error: &ureq::Error, reached: Reached) -> Failure {
    use ureq::Error as E;
    if reached == Reached::Sent {
        return Failure::Lost;
    }
    match error {
        E::Io(error) if error.kind() != io::ErrorKind::InvalidData => Failure::Unsent,
        E::Timeout(_) | E::HostNotFound | E::ConnectionFailed => Failure::Unsent,
        // A certificate, a TLS message, a request that ureq does not make: the next one would fail the
        // same way.
        _ => Failure::Refused,
    }
}

/// Describes an error of ureq, and reports whether time ran out. Its own text is not used: it may
/// quote what was received.
fn describe(error: &ureq::Error, reached: Reached, host: &str, limits: Limits) -> (bool, String) {
    use ureq::Error as E;
    // The tighter limit gives the reason.
    let connect_timeout = in_words(limits.connect_timeout.min(limits.timeout));
    let message = match (error, reached) {
        (E::Timeout(Timeout::Resolve), _) => format!("could not look up {host} within {}", in_words(limits.timeout)),
        (E::Timeout(_), Reached::Nothing) => format!("could not connect to {host} within {connect_timeout}"),
        // To a TLS handshake, or to a proxy's CONNECT.
        (E::Timeout(_), Reached::Host) => format!("no response from {host} within {connect_timeout}"),
        (E::Timeout(_), Reached::Sent) => format!("no response from {host} within {}", in_words(limits.timeout)),
        (E::HostNotFound, _) => format!("could not look up {host}"),
        (E::ConnectionFailed, _) => format!("could not connect to {host}"),
        (E::LargeResponseHeader(..), _) => format!("the response of {host} has a head longer than 64 KiB"),
        (E::Protocol(_) | E::Http(_), _) => format!("the response of {host} is not valid HTTP"),
        (E::Io(error), _) => match tls::describe(error) {
            Some(problem) => format!("TLS with {host} failed: {problem}"),
            None => describe_io(error, host),
        },
        _ => format!("the connection to {host} failed"),
    };
    let is_timeout = match error {
        E::Timeout(_) => true,
        E::Io(error) => error.kind() == io::ErrorKind::TimedOut,
        _ => false,
    };
    (is_timeout, message)
}

fn describe_io(error: &io::Error, host: &str) -> String {
    use io::ErrorKind as K;
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<NameError>()) {
        return format!("could not look up {host}: {error}");
    }
    match error.kind() {
        K::ConnectionRefused => format!("could not connect to {host}: connection refused"),
        K::UnexpectedEof | K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => {
            format!("{host} closed the connection")
        }
        // The operating system's words. Those of a library may quote what was received.
        _ if error.raw_os_error().is_some() => format!("the connection to {host} failed: {error}"),
        kind => format!("the connection to {host} failed: {kind}"),
    }
}

/// The source of an error is kept only if it is the operating system's.
fn os_error(error: ureq::Error) -> Option<io::Error> {
    match error {
        // ureq replaces the system's error by its kind and a text of its own.
        _ if is_refused(&error) => Some(io::ErrorKind::ConnectionRefused.into()),
        ureq::Error::Io(error) if error.raw_os_error().is_some() => Some(error),
        _ => None,
    }
}

/// Reports whether nothing listens at the address.
fn is_refused(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

fn in_words(time: Duration) -> String {
    if time.subsec_nanos() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

fn api_error(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    encoding: Option<&str>,
    operation: &'static Operation,
    redactor: Redactor<'_>,
) -> Error {
    let envelope = Envelope::parse(body).unwrap_or_default();
    let complaint = envelope.complaint();
    let message = complaint.message.map(|message| redactor.line(&message));
    let is_foreign = message.is_none() && !body.trim_ascii().is_empty();
    let body = is_foreign.then(|| call::describe("the body is not a documented error", body, encoding, &redactor));
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Error::Api(ApiError::new(ApiInner {
        delivery: Delivery::new(operation, Failure::Returned(status)),
        status,
        reason,
        message,
        agreement_url: complaint.agreement_url.map(|url| redactor.value(&url)),
        request_id: envelope.request_id(&redactor),
        retry_after: text(headers, RETRY_AFTER)
            .and_then(|wait| retry::retry_after(wait, text(headers, DATE), SystemTime::now())),
        body,
    }))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn log_attempt(call: &Call<'_>, retries: u32, tried: Instant, result: &Result<Response<'_>, Error>) {
    if !log::log_enabled!(target: LOG_TARGET, log::Level::Debug) {
        return;
    }
    let (outcome, request_id) = match result {
        Ok(response) => {
            let envelope = Envelope::parse(&response.body).unwrap_or_default();
            (response.status.to_string(), envelope.request_id(&response.redactor))
        }
        Err(Error::Transport(error)) => (error.cause().to_owned(), None),
        Err(error) => (error.status().unwrap_or_default().to_string(), error.request_id().map(str::to_owned)),
    };
    log::debug!(
        target: LOG_TARGET,
        "{}: {outcome}, attempt {}, {} ms, request {}",
        call.operation,
        retries + 1,
        tried.elapsed().as_millis(),
        request_id.as_deref().unwrap_or("unknown"),
    );
}

/// The `Host` header, without the port that the scheme implies (RFC 9110 §4.2.3). ureq would write it
/// again for every request.
fn host(url: &WebUrl) -> HeaderValue {
    let implied = if url.is_https() { 443 } else { 80 };
    let host = match url.authority.port_u16() {
        Some(port) if port != implied => format!("{}:{port}", url.authority.host()),
        _ => url.authority.host().to_owned(),
    };
    HeaderValue::try_from(host).expect("a host of visible ASCII")
}

/// A client with a guard waits for its decision first.
const NO_TIME: &str =
    if cfg!(feature = "guard") { "the timeout is zero, or the guard took all of it" } else { "the timeout is zero" };

const JSON: &str = "application/json";

/// The target of every log record of this crate.
const LOG_TARGET: &str = "contiguity";

/// The characters that are not percent-encoded in a path segment (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The maximum size of a response, in bytes. The longest documented one has some 500.
const MAX_BODY: u64 = 1024 * 1024;

/// The number of bytes of an error's body that are read: enough for any message.
const MAX_ERROR_BODY: u64 = 64 * 1024;

/// The maximum size of a response's head, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// The size of a connection's buffers, in bytes: the longest head, and some room. ureq's own are twice
/// as long, and every byte of them is memory in use.
const BUFFER: usize = MAX_HEAD + 8 * 1024;

/// The buffer for a body of unknown length, in bytes.
const USUAL_BODY: u64 = 512;

/// One for each thread of a busy program. More would only keep sockets open.
const MAX_IDLE: usize = 100;

/// How long a connection may have been idle for a status read, which is retried if the connection
/// turns out to be closed. Longer than the time between two polls of a wait.
const READ_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind as K};
    use std::time::Duration;

    use super::{Limits, describe};

    #[test]
    fn each_error_of_a_connection_has_its_words() {
        use super::Reached as R;
        use ureq::Error as E;
        use ureq::Timeout as T;

        let io = E::Io;
        let limits =
            Limits { timeout: Duration::from_secs(30), connect_timeout: Duration::from_millis(1_500), retries: 0 };
        let system = Error::from_raw_os_error(101);
        let unreachable = format!("the connection to host:1 failed: {system}");
        for (error, reached, is_timeout, words) in [
            (E::Timeout(T::Resolve), R::Nothing, true, "could not look up host:1 within 30 s"),
            (E::Timeout(T::Connect), R::Nothing, true, "could not connect to host:1 within 1500 ms"),
            (E::Timeout(T::Connect), R::Host, true, "no response from host:1 within 1500 ms"),
            (E::Timeout(T::Global), R::Sent, true, "no response from host:1 within 30 s"),
            (E::HostNotFound, R::Nothing, false, "could not look up host:1"),
            (E::ConnectionFailed, R::Nothing, false, "could not connect to host:1"),
            (io(K::ConnectionRefused.into()), R::Nothing, false, "could not connect to host:1: connection refused"),
            (io(K::ConnectionReset.into()), R::Sent, false, "host:1 closed the connection"),
            (io(system), R::Nothing, false, unreachable.as_str()),
            (io(Error::new(K::TimedOut, "quoted")), R::Sent, true, "the connection to host:1 failed: timed out"),
            (io(Error::other("quoted")), R::Sent, false, "the connection to host:1 failed: other error"),
            (E::LargeResponseHeader(9, 1), R::Sent, false, "the response of host:1 has a head longer than 64 KiB"),
            (E::BadUri("quoted".to_owned()), R::Nothing, false, "the connection to host:1 failed"),
        ] {
            assert_eq!(describe(&error, reached, "host:1", limits), (is_timeout, words.to_owned()), "{error:?}");
        }
    }
}
