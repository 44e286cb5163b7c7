//! `Client` and `ClientBuilder`.

use std::borrow::Cow;
use std::env;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::call::{Call, Response};
use crate::error::Error;
use crate::gate::{Gate, Permit, Settled, Subject, WallClock};
use crate::redact::Redactor;
use crate::transport::{Limits, Settings, Tls, Transport};
use crate::web_url::WebUrl;

/// A client for the Contiguity OTP API.
///
/// A client holds a pool of connections. It is cheap to clone, and clones share the pool. Create one
/// client, keep it, and use it from any number of threads.
///
/// # Operations
///
/// Each operation is a builder that is sent with `send(&client)`:
///
/// | to | use |
/// |---|---|
/// | text a code to a phone | [`NewOtp`](crate::NewOtp) |
/// | check the code that the person typed | [`SentOtp::verify`](crate::SentOtp::verify), [`VerifyOtp`](crate::VerifyOtp) |
/// | text the same code again | [`SentOtp::resend`](crate::SentOtp::resend), [`ResendOtp`](crate::ResendOtp) |
/// | have the person text you | [`InitiateReverseOtp`](crate::InitiateReverseOtp) |
/// | ask whether they have | [`VerifyReverseOtp`](crate::VerifyReverseOtp) |
/// | wait until they have | [`ReverseSession::wait`](crate::ReverseSession::wait) |
/// | cancel the session | [`CancelReverseOtp`](crate::CancelReverseOtp) |
///
/// # One call, one text message
///
/// A call is retried only if the service certainly did not act on it: if no connection could be
/// made, and after a 429. Status reads change nothing, so they are retried after any temporary
/// failure. Every other error is returned at once, and [`Error::may_have_sent`] reports whether the
/// service may have acted.
///
/// One limitation: if the server closes a pooled connection just as it is reused, the call fails
/// and cannot safely be retried. Connections are therefore kept for only a few seconds
/// ([`pool_idle_timeout`](ClientBuilder::pool_idle_timeout)).
///
/// # In async programs
///
/// Calls block. In an async runtime, move them to a blocking thread, for example with
/// `tokio::task::spawn_blocking`. The cookbook shows [how](crate::_cookbook#async-programs), and what
/// cancelling means for a text that is on its way.
///
/// # Examples
///
/// ```no_run
/// use contiguity::{Client, NewOtp};
///
/// let client = Client::new("your-api-key")?;
/// let sent = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    limits: Limits,
    clock: WallClock,
    gate: Option<Arc<dyn Gate>>,
}

struct Shared {
    transport: Transport,
    key: String,
}

impl Client {
    /// Creates a client for `https://api.contiguity.com` with the default settings of
    /// [`ClientBuilder`].
    ///
    /// Of the environment, it reads only the proxy. [`from_env`](Self::from_env) reads the other
    /// variables, such as `CONTIGUITY_CA_FILE`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the key is blank or not visible ASCII, or if the environment sets a proxy
    /// that cannot be used. White space around the key is removed. No I/O is done.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Client;
    ///
    /// let client = Client::new("your-api-key")?;
    /// assert!(Client::new("  ").is_err());
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn new(key: impl Into<String>) -> Result<Self, Error> {
        Self::builder(key).build()
    }

    /// Creates a client from environment variables.
    ///
    /// The same as [`ClientBuilder::from_env`] and [`build`](ClientBuilder::build).
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if no key is set, or if a value cannot be used.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use contiguity::Client;
    ///
    /// let client = Client::from_env()?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Creates a builder for a client with custom settings.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::Client;
    ///
    /// let client = Client::builder("your-api-key")
    ///     .timeout(Duration::from_secs(10))
    ///     .retries(0)
    ///     .build()?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn builder(key: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            key: key.into(),
            base_url: ("the base URL", BASE_URL.to_owned()),
            limits: Limits { timeout: TIMEOUT, connect_timeout: CONNECT_TIMEOUT, retries: RETRIES },
            user_agent_suffix: None,
            pool_idle_timeout: POOL_IDLE_TIMEOUT,
            allow_insecure_http: false,
            tls: None,
            root_certificates: None,
            proxy: None,
            clock: WallClock::default(),
        }
    }

    /// Returns a client with a different [`timeout`](ClientBuilder::timeout) that shares this client's
    /// connections.
    ///
    /// A timeout of zero makes every call time out before anything is sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use std::time::Duration;
    /// use contiguity::NewOtp;
    ///
    /// let patient = client.with_timeout(Duration::from_secs(60));
    /// let sent = NewOtp::to("+14155552671")
    ///     .language("en")
    ///     .name("MyApp")
    ///     .send(&patient)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let timeout = timeout.min(MAX_TIMEOUT);
        Self { limits: Limits { timeout, ..self.limits }, ..self.clone() }
    }

    /// Returns a client with a different number of [`retries`](ClientBuilder::retries) that shares this
    /// client's connections.
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
    ///     .send(&client.with_retries(0))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_retries(&self, retries: u32) -> Self {
        let retries = retries.min(MAX_RETRIES);
        Self { limits: Limits { retries, ..self.limits }, ..self.clone() }
    }

    /// Returns the same client for a call that must be over within `max`.
    pub(crate) fn within(&self, max: Duration) -> Self {
        self.with_timeout(self.limits.timeout.min(max))
    }

    /// Returns the gate that calls must pass.
    #[cfg(feature = "guard")]
    pub(crate) fn gate(&self) -> Option<&Arc<dyn Gate>> {
        self.gate.as_ref()
    }

    /// Returns the same client with another gate.
    #[cfg(feature = "guard")]
    pub(crate) fn with_gate(&self, gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), ..self.clone() }
    }

    /// Returns the time by the client's clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Makes a call. What `call` marks as private appears in no error.
    pub(crate) fn call<'a>(&'a self, call: &Call<'a>) -> Result<Response<'a>, Error> {
        let redactor = Redactor::new(&self.shared.key, call.private);
        let (permit, limits) = self.admit(call.subject.as_ref())?;
        match self.shared.transport.call(call, limits, redactor) {
            Ok(response) => Ok(Response { permit, ..response }),
            Err(error) => {
                if let Some(permit) = permit.filter(|_| !error.may_have_sent()) {
                    permit.settle(Settled::Unsent);
                }
                Err(error)
            }
        }
    }

    /// Asks the gate, if there is one and the call is limited. The decision takes part of the call's
    /// time.
    fn admit(&self, subject: Option<&Subject<'_>>) -> Result<(Option<Box<dyn Permit>>, Limits), Error> {
        let (Some(gate), Some(subject)) = (&self.gate, subject) else {
            return Ok((None, self.limits));
        };
        let began = Instant::now();
        let permit = gate.admit(subject, &self.clock)?;
        let timeout = self.limits.timeout.saturating_sub(began.elapsed());
        Ok((Some(permit), Limits { timeout, ..self.limits }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { timeout, connect_timeout, retries } = self.limits;
        f.debug_struct("Client")
            .field("base_url", &self.shared.transport)
            .field("timeout", &timeout)
            .field("connect_timeout", &connect_timeout)
            .field("retries", &retries)
            .finish_non_exhaustive()
    }
}

/// The settings of a [`Client`]. Created by [`Client::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use contiguity::Client;
///
/// let client = Client::builder("your-api-key")
///     .timeout(Duration::from_secs(10))
///     .user_agent_suffix("my-app/1.2")
///     .build()?;
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "call `.build()` to create the client"]
pub struct ClientBuilder {
    key: String,
    /// What messages call it, and the URL.
    base_url: (&'static str, String),
    limits: Limits,
    user_agent_suffix: Option<String>,
    pool_idle_timeout: Duration,
    allow_insecure_http: bool,
    tls: Option<Tls>,
    /// What messages call them, and the PEM.
    root_certificates: Option<(&'static str, Vec<u8>)>,
    proxy: Option<String>,
    clock: WallClock,
}

impl ClientBuilder {
    /// Creates a builder from environment variables, to set more before [`build`](Self::build).
    ///
    /// | variable | |
    /// |---|---|
    /// | `CONTIGUITY_API_KEY`, or else `CONTIGUITY_TOKEN` | the API key |
    /// | `CONTIGUITY_BASE_URL` | [`base_url`](Self::base_url), if set |
    /// | `CONTIGUITY_CA_FILE` | the path of a file with [`root_certificates`](Self::root_certificates), if set |
    /// | `CONTIGUITY_ALLOW_INSECURE_HTTP` | 1 for [`allow_insecure_http`](Self::allow_insecure_http) |
    ///
    /// A blank variable counts as not set. The proxy variables are read by [`build`](Self::build), see
    /// [`proxy`](Self::proxy).
    ///
    /// **With `CONTIGUITY_ALLOW_INSECURE_HTTP=1` and a plain http base URL, anyone on the network path
    /// can read the key, numbers and codes.** It is meant for a sandbox in another container.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if no key is set, a variable is not UTF-8, or the file cannot be read.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use contiguity::ClientBuilder;
    ///
    /// let client = ClientBuilder::from_env()?
    ///     .timeout(Duration::from_secs(10))
    ///     .build()?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        let [first, second] = KEY_VARIABLES;
        let key = match variable(first)? {
            Some(key) => Some(key),
            None => variable(second)?,
        };
        let key =
            key.ok_or_else(|| Error::config(format!("no API key; set {first} (or {second}) in the environment")))?;
        let mut builder = Client::builder(key);
        match variable(INSECURE_VARIABLE)?.as_deref().map(str::trim) {
            None | Some("0") => {}
            Some("1") => builder = builder.allow_insecure_http(),
            Some(_) => return Err(Error::config(format!("{INSECURE_VARIABLE} must be 1 or 0, or not set"))),
        }
        if let Some(url) = variable(URL_VARIABLE)? {
            builder.base_url = (URL_VARIABLE, url);
        }
        if let Some(path) = variable(CERTIFICATES_VARIABLE)? {
            let pem = fs::read(&path)
                .map_err(|error| Error::config(format!("{CERTIFICATES_VARIABLE}: cannot read {path}: {error}")))?;
            builder.root_certificates = Some((CERTIFICATES_VARIABLE, pem));
        }
        Ok(builder)
    }

    /// Sets the base URL of the service: an absolute http or https URL with a host.
    ///
    /// A path is kept as a prefix, and a trailing slash is ignored. A URL on loopback (`localhost`,
    /// 127.0.0.0/8, `[::1]`) may be plain http, and never uses the proxy from the environment.
    ///
    /// Defaults to `https://api.contiguity.com`.
    pub fn base_url(self, url: impl Into<String>) -> Self {
        Self { base_url: ("the base URL", url.into()), ..self }
    }

    /// Sets the maximum duration of a call, including retries and the waits between them.
    ///
    /// No call takes longer. Zero is refused, and values over a year are capped at one year.
    ///
    /// Defaults to 30 seconds.
    pub fn timeout(self, timeout: Duration) -> Self {
        let timeout = timeout.min(MAX_TIMEOUT);
        Self { limits: Limits { timeout, ..self.limits }, ..self }
    }

    /// Sets the maximum duration of connecting, including the TLS handshake.
    ///
    /// Connecting counts toward the call's [`timeout`](Self::timeout). The DNS lookup happens first and
    /// is limited only by that timeout. Zero is refused.
    ///
    /// Defaults to 5 seconds.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        let connect_timeout = connect_timeout.min(MAX_TIMEOUT);
        Self { limits: Limits { connect_timeout, ..self.limits }, ..self }
    }

    /// Sets the maximum number of retries, from 0 to 10. More than 10 counts as 10.
    ///
    /// Calls that the service certainly did not act on are retried, and status reads. The client waits
    /// for `Retry-After` if given, otherwise a random time up to 0.5 s, doubling up to 8 s. If the wait
    /// would exceed the [`timeout`](Self::timeout), the error is returned at once.
    ///
    /// Defaults to 2.
    pub fn retries(self, retries: u32) -> Self {
        let retries = retries.min(MAX_RETRIES);
        Self { limits: Limits { retries, ..self.limits }, ..self }
    }

    /// Sets how long an idle connection is kept for the next call. Zero keeps no connection.
    ///
    /// If the server closes a connection just as it is reused, a call that acts, such as a new OTP,
    /// fails with an error whose [`may_have_sent`](Error::may_have_sent) is true. A shorter time makes
    /// that less likely.
    /// A status read can be retried, so it may use a connection that was idle for up to 30 seconds.
    /// The client keeps at most 100 idle connections.
    ///
    /// Defaults to 3 seconds. Common servers close idle connections after 5 seconds or more.
    pub fn pool_idle_timeout(self, pool_idle_timeout: Duration) -> Self {
        Self { pool_idle_timeout, ..self }
    }

    /// Appends text to the `User-Agent` header, which begins with `contiguity-rust/VERSION`: visible
    /// ASCII and spaces, such as `my-app/1.2`.
    ///
    /// Defaults to no suffix.
    pub fn user_agent_suffix(self, suffix: impl Into<String>) -> Self {
        Self { user_agent_suffix: Some(suffix.into()), ..self }
    }

    /// Selects the TLS implementation for https.
    ///
    /// Defaults to `Tls::Rustls`, whichever features are enabled.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Replaces the trusted certificate authorities with these, in PEM. For networks whose proxy or
    /// gateway has its own certificate.
    ///
    /// They are trusted for the service and for an https proxy. To keep the public authorities, add
    /// them to the same PEM, which may hold any number of certificates.
    ///
    /// Defaults to the authorities of the selected [`tls`](Self::tls).
    pub fn root_certificates(self, pem: impl AsRef<[u8]>) -> Self {
        Self { root_certificates: Some(("`root_certificates`", pem.as_ref().to_vec())), ..self }
    }

    /// Sets the proxy, such as `http://proxy.example.com:3128`. See also [Proxies and
    /// certificates](crate::_cookbook#proxies-and-certificates).
    ///
    /// Connections go through the proxy with CONNECT, so it cannot read what is sent over https. The
    /// proxy URL must be http or https, and is http without a scheme. It may contain a user name and a password, percent-encoded where needed:
    /// `http://user:p%40ss@proxy.example.com:3128`. The port defaults to 1080, or 443 for https, as in
    /// curl. SOCKS proxies are not supported. A plain http base URL goes through a proxy only with
    /// [`allow_insecure_http`](Self::allow_insecure_http).
    ///
    /// [`build`](Self::build) fails if the proxy cannot be used. It is never skipped.
    ///
    /// Defaults to the proxy from the environment, read much as curl reads it, and to none for a base URL on
    /// loopback:
    ///
    /// - `https_proxy` or `HTTPS_PROXY` for an https base URL, `http_proxy` or `HTTP_PROXY` for http,
    ///   otherwise `all_proxy` or `ALL_PROXY`. The first one that is set is used. If it is empty, no
    ///   proxy is used. `HTTP_PROXY` is ignored in a CGI program (`REQUEST_METHOD` is set).
    /// - `no_proxy` or `NO_PROXY` lists the hosts to connect to directly, separated by commas or
    ///   spaces. A name also matches its subdomains. Addresses, networks (`192.0.2.0/24`), ports
    ///   (`example.com:8443`) and `*` for every host are supported.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        Self { proxy: Some(url.into()), ..self }
    }

    /// Allows plain http to hosts other than loopback.
    ///
    /// Anyone on the network path can then read the key, numbers and codes. Use it on a test network
    /// only.
    ///
    /// Plain http is not allowed by default.
    pub fn allow_insecure_http(self) -> Self {
        Self { allow_insecure_http: true, ..self }
    }

    /// Sets the clock that a [`Challenge`](crate::Challenge) and a guard (feature `guard`) read, for
    /// tests. Timeouts and waits between retries do not use it.
    ///
    /// Defaults to [`SystemTime::now`]. The client of a sandbox has the sandbox's clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use contiguity::Client;
    ///
    /// static SECONDS: AtomicU64 = AtomicU64::new(0);
    ///
    /// let client = Client::builder("your-api-key")
    ///     .clock(|| {
    ///         let seconds = SECONDS.load(Ordering::Relaxed);
    ///         UNIX_EPOCH + Duration::from_secs(seconds)
    ///     })
    ///     .build()?;
    /// SECONDS.fetch_add(600, Ordering::Relaxed); // ten minutes later
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: WallClock::new(clock), ..self }
    }

    /// Creates the client. No I/O is done.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if
    ///
    /// - the key is blank or not visible ASCII,
    /// - the base URL is not an absolute http or https URL with a host, contains credentials, a query
    ///   or a fragment, or is plain http to a host other than loopback,
    /// - the base URL is https and this build has no TLS,
    /// - a timeout is zero,
    /// - the user agent suffix is not visible ASCII and spaces,
    /// - the root certificates are not PEM, or no certificate in them can be read,
    /// - the proxy, or the one from the environment, is not a valid http or https URL, or
    /// - the base URL is plain http and would go through a proxy.
    pub fn build(self) -> Result<Client, Error> {
        let Self { key, limits, .. } = self;
        // HTTP drops blanks at the ends of a header. The service then sees the key without them.
        let key = key.trim();
        if key.is_empty() {
            return Err(Error::config("the API key must not be blank; use the key from your Contiguity console"));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::config("the API key must be visible ASCII; copy it again from your Contiguity console"));
        }
        for (name, timeout) in [("timeout", limits.timeout), ("connect_timeout", limits.connect_timeout)] {
            if timeout.is_zero() {
                return Err(Error::config(format!("`{name}` must be longer than zero")));
            }
        }
        let (url_name, base_url) = self.base_url;
        let base_url = check_base_url(&base_url, self.allow_insecure_http)
            .map_err(|problem| Error::config(format!("{url_name} {problem}")))?;
        let mut user_agent = concat!("contiguity-rust/", env!("CARGO_PKG_VERSION")).to_owned();
        if let Some(suffix) = self.user_agent_suffix {
            user_agent.push(' ');
            user_agent.push_str(&suffix);
        }
        if !user_agent.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(Error::config("`user_agent_suffix` must be visible ASCII and spaces"));
        }
        let transport = Transport::new(Settings {
            base_url,
            key,
            user_agent: &user_agent,
            pool_idle_timeout: self.pool_idle_timeout,
            limits,
            tls: self.tls,
            root_certificates: self.root_certificates,
            proxy: self.proxy,
            allow_insecure_http: self.allow_insecure_http,
        })?;
        let shared = Arc::new(Shared { transport, key: key.to_owned() });
        Ok(Client { shared, limits, clock: self.clock, gate: None })
    }
}

/// Key, base URL and proxy are not shown: they may contain credentials.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("timeout", &self.limits.timeout)
            .field("connect_timeout", &self.limits.connect_timeout)
            .field("retries", &self.limits.retries)
            .field("user_agent_suffix", &self.user_agent_suffix)
            .field("pool_idle_timeout", &self.pool_idle_timeout)
            .field("allow_insecure_http", &self.allow_insecure_http)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Returns the value of an environment variable, if it is set and not blank.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::config(format!("{name} must be UTF-8"))),
    }
}

fn check_base_url(text: &str, allow_insecure_http: bool) -> Result<WebUrl, Cow<'static, str>> {
    let url = WebUrl::parse(text)?;
    if url.authority.as_str().contains('@') {
        return Err("must not contain credentials; the API key is set separately".into());
    }
    if url.path.query().is_some() || text.contains('#') {
        return Err("must not contain a query or a fragment; remove what follows `?` or `#`".into());
    }
    if !url.is_https() && !url.is_loopback && !allow_insecure_http {
        return Err(
            "is plain http to a host other than loopback, which would show the key to anyone on the network path; \
                    use https, or on a test network, call `allow_insecure_http()` or set CONTIGUITY_ALLOW_INSECURE_HTTP=1"
                .into(),
        );
    }
    Ok(url)
}

const BASE_URL: &str = "https://api.contiguity.com";

/// The names that the vendor's own clients read, in their order.
const KEY_VARIABLES: [&str; 2] = ["CONTIGUITY_API_KEY", "CONTIGUITY_TOKEN"];

const URL_VARIABLE: &str = "CONTIGUITY_BASE_URL";

const CERTIFICATES_VARIABLE: &str = "CONTIGUITY_CA_FILE";

const INSECURE_VARIABLE: &str = "CONTIGUITY_ALLOW_INSECURE_HTTP";

/// A service that takes longer to accept a text is not well, and a person at a form does not wait
/// longer either.
const TIMEOUT: Duration = Duration::from_secs(30);

/// As good as never, and a time that every clock can add.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Enough for two lost SYN packets to be sent again (RFC 6298).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Temporary failures of a connection are over after the second try, or last longer than a call.
const RETRIES: u32 = 2;

/// With a long timeout and a server that returns 429 at once, more would only be load.
const MAX_RETRIES: u32 = 10;

/// Common servers close idle connections after 5 s (Node.js) or more. Ours are gone before.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(3);
