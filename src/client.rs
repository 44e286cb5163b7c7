//! `Client` and `ClientBuilder`: key, base URL, time-outs, repeats.

use std::env;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::envelope::{Envelope, Metadata};
use crate::error::Error;
use crate::redact::Redactor;
use crate::transport::{self, Answer, Call, Limits, Operation, Settings, Tls, Transport};
use crate::web_url::WebUrl;

/// The service, with your key: what every request is sent with.
///
/// A client holds a pool of connections. It is cheap to clone, clones share the pool, and it may be used from many
/// threads at once: make one and keep it.
///
/// # One call, one text message
///
/// A call is repeated only where the service certainly did not act on it: while no connection could be made, and after a
/// 429. (A status read acts on nothing, and is repeated after every passing failure.) Whatever may have been acted on is
/// reported instead, and [`Error::may_have_sent`] says so. What remains: a connection that the server drops in the very
/// instant in which it is used again fails a call that can't be repeated. Connections are therefore kept for a few idle
/// seconds only ([`pool_idle_timeout`](ClientBuilder::pool_idle_timeout)).
///
/// # In asynchronous programs
///
/// Calls block. Inside an async runtime, move them to a thread that may block, as `tokio::task::spawn_blocking` does.
///
/// # Examples
///
/// ```no_run
/// use contiguity::{Client, NewOtp}; // no_run: a real key stands here
///
/// let client = Client::new("your-api-key")?;
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    limits: Limits,
}

struct Shared {
    transport: Transport,
    key: String,
}

impl Client {
    /// A client for `https://api.contiguity.com` with the default settings of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the key is blank or holds a character that cannot stand in a header, or if the environment
    /// names a proxy that can't be used. No I/O is done.
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

    /// A client set up by the environment: the key from `CONTIGUITY_API_KEY`, else from `CONTIGUITY_TOKEN`, the base URL
    /// from `CONTIGUITY_BASE_URL` if it is set. A variable that is set and blank counts as not set.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if no key is set, or a value cannot be used.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use contiguity::Client; // no_run: the environment of a test has no key
    ///
    /// let client = Client::from_env()?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        let key = match variable(KEY_VARIABLES[0])? {
            Some(key) => Some(key),
            None => variable(KEY_VARIABLES[1])?,
        };
        let key = key.ok_or_else(|| {
            let [first, second] = KEY_VARIABLES;
            Error::config(format!("no API key: set {first} (or {second}) to your key"))
        })?;
        let builder = Self::builder(key);
        match variable(URL_VARIABLE)? {
            Some(url) => builder.base_url(url).build_with_url_from(URL_VARIABLE),
            None => builder.build(),
        }
    }

    /// A client with settings of your own.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::Client;
    ///
    /// let client = Client::builder("your-api-key").timeout(Duration::from_secs(10)).retries(0).build()?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn builder(key: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            key: key.into(),
            base_url: BASE_URL.to_owned(),
            limits: Limits { timeout: TIMEOUT, connect_timeout: CONNECT_TIMEOUT, retries: RETRIES },
            user_agent_suffix: None,
            pool_idle_timeout: POOL_IDLE_TIMEOUT,
            allow_insecure_http: false,
            tls: None,
            root_certificates: None,
            proxy: None,
        }
    }

    /// The same client with another [`timeout`](ClientBuilder::timeout): for one call, or one kind of call. It shares the
    /// pool of connections.
    ///
    /// A time-out of zero makes every call fail with [`Error::Config`], before anything is sent.
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
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&patient)?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let timeout = timeout.min(LONGEST_TIMEOUT);
        Self { shared: Arc::clone(&self.shared), limits: Limits { timeout, ..self.limits } }
    }

    /// The same client with another number of [`retries`](ClientBuilder::retries). It shares the pool of connections.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::NewOtp;
    ///
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client.with_retries(0))?;
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    #[must_use]
    pub fn with_retries(&self, retries: u32) -> Self {
        Self { shared: Arc::clone(&self.shared), limits: Limits { retries, ..self.limits } }
    }

    /// The same client for a call that has to be over in `most`.
    pub(crate) fn hurried(&self, most: Duration) -> Self {
        self.with_timeout(self.limits.timeout.min(most))
    }

    /// Makes a request's call and reads the answer. What `private` lists appears in no error, whoever quotes it.
    pub(crate) fn call<'a>(&'a self, request: Request<'a>) -> Result<Reply<'a>, Error> {
        check_timeout("timeout", self.limits.timeout)?;
        let redactor = Redactor::new(&self.shared.key, request.private);
        let Request { operation, otp_id, body, .. } = request;
        let call = Call { operation, otp_id, body: body.as_deref() };
        let answer = self.shared.transport.call(&call, self.limits, &redactor)?;
        Ok(Reply { answer, operation, redactor })
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

/// The settings of a [`Client`], made by [`Client::builder`].
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
#[must_use = "settings do nothing until `.build()` makes a client of them"]
pub struct ClientBuilder {
    key: String,
    base_url: String,
    limits: Limits,
    user_agent_suffix: Option<String>,
    pool_idle_timeout: Duration,
    allow_insecure_http: bool,
    tls: Option<Tls>,
    root_certificates: Option<Vec<u8>>,
    proxy: Option<String>,
}

impl ClientBuilder {
    /// Where the service is: an absolute http or https URL with a host. A path is kept as a prefix, a slash at the end is
    /// ignored. Defaults to `https://api.contiguity.com`.
    ///
    /// A URL on loopback (`localhost`, 127.0.0.0/8, `[::1]`) may be plain http, and the environment's proxy is not used for it.
    pub fn base_url(self, url: impl Into<String>) -> Self {
        Self { base_url: url.into(), ..self }
    }

    /// How long a call may take as a whole, repeats and the waits between them included. No call lasts longer. Defaults to
    /// 30 seconds; zero is refused, and more than a year counts as a year.
    pub fn timeout(self, timeout: Duration) -> Self {
        let timeout = timeout.min(LONGEST_TIMEOUT);
        Self { limits: Limits { timeout, ..self.limits }, ..self }
    }

    /// How long connecting may take, the TLS handshake included, within the whole [`timeout`](Self::timeout). Looking up the
    /// host's name comes before and has the whole time. Defaults to 5 seconds; zero is refused.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        let connect_timeout = connect_timeout.min(LONGEST_TIMEOUT);
        Self { limits: Limits { connect_timeout, ..self.limits }, ..self }
    }

    /// How often a call is repeated at most, where repeating cannot act twice. Defaults to 2; `0` turns it off.
    ///
    /// Between repeats lies what the service asked for (`Retry-After`), else a random share of 0.5 s, doubling up to 8 s. A
    /// wait that does not fit into the [`timeout`](Self::timeout) is not begun: the error comes back at once.
    pub fn retries(self, retries: u32) -> Self {
        Self { limits: Limits { retries, ..self.limits }, ..self }
    }

    /// How long a connection that nobody uses is kept for the next call. Defaults to 3 seconds, less than the 5 after
    /// which common servers close theirs; zero keeps none.
    ///
    /// The client looks at a kept connection before it uses it again, and drops one that the server has closed. A server
    /// that closes in the very instant of reuse costs a call that fails with [`Error::may_have_sent`]; the shorter this
    /// time, the rarer that is.
    pub fn pool_idle_timeout(self, pool_idle_timeout: Duration) -> Self {
        Self { pool_idle_timeout, ..self }
    }

    /// Text after `contiguity-rust/VERSION` in the User-Agent, such as `my-app/1.2`. Defaults to none.
    pub fn user_agent_suffix(self, suffix: impl Into<String>) -> Self {
        Self { user_agent_suffix: Some(suffix.into()), ..self }
    }

    /// Which TLS to speak https with. Defaults to `Tls::Rustls`, whichever features are on.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The certificate authorities to trust, in PEM, in place of the built-in ones: for a network whose proxy or gateway
    /// has a certificate of its own. Defaults to those of the [`tls`](Self::tls) in use.
    pub fn root_certificates(self, pem: impl AsRef<[u8]>) -> Self {
        Self { root_certificates: Some(pem.as_ref().to_vec()), ..self }
    }

    /// The proxy to go through, such as `http://proxy.example.com:3128` or `http://user:password@proxy.example.com:3128`. It
    /// is asked to CONNECT, so that what is sent by https stays between this program and the service. Defaults to what the
    /// environment names (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case), and to none for a base URL
    /// on loopback. SOCKS proxies are refused.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        Self { proxy: Some(url.into()), ..self }
    }

    /// Allows plain http to hosts other than loopback. Key, numbers and codes then cross the network readable for
    /// everyone on the way: for a test network only. Defaults to not allowed.
    pub fn allow_insecure_http(self) -> Self {
        Self { allow_insecure_http: true, ..self }
    }

    /// Makes the client. No I/O is done.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the key is blank or holds a character that cannot stand in a header; if the base URL is no
    /// absolute http or https URL with a host, or carries credentials, a query or a fragment, or is plain http to another
    /// host than loopback, or https in a build without TLS; if a time-out is zero; if the user agent suffix can't stand in a
    /// header; if the root certificates are not PEM; or if the proxy, or the one that the environment names, is no proxy's
    /// URL or a SOCKS proxy.
    pub fn build(self) -> Result<Client, Error> {
        self.build_with_url_from("the base URL")
    }

    fn build_with_url_from(self, url_name: &str) -> Result<Client, Error> {
        let Self { key, base_url, limits, user_agent_suffix, pool_idle_timeout, allow_insecure_http, .. } = self;
        // Lost on the way, as HTTP has it: what the service is told, and may repeat, is the key without them.
        let key = key.trim_matches([' ', '\t']);
        if key.trim().is_empty() {
            return Err(Error::config("the API key is blank; give the key from your Contiguity console"));
        }
        check_timeout("timeout", limits.timeout)?;
        check_timeout("connect_timeout", limits.connect_timeout)?;
        let base_url = check_base_url(&base_url, allow_insecure_http)
            .map_err(|fault| Error::config(format!("{url_name} {fault}")))?;
        let mut user_agent = concat!("contiguity-rust/", env!("CARGO_PKG_VERSION")).to_owned();
        if let Some(suffix) = user_agent_suffix {
            user_agent.push(' ');
            user_agent.push_str(&suffix);
        }
        let transport = Transport::new(Settings {
            base_url,
            key,
            user_agent,
            pool_idle_timeout,
            limits,
            tls: self.tls,
            root_certificates: self.root_certificates,
            proxy: self.proxy,
        })?;
        Ok(Client { shared: Arc::new(Shared { transport, key: key.to_owned() }), limits })
    }
}

/// The key is not shown, and neither are the base URL and the proxy, which may hold credentials.
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

/// What an operation asks for, in its own words.
pub(crate) struct Request<'a> {
    operation: &'static Operation,
    otp_id: Option<&'a str>,
    body: Option<Vec<u8>>,
    private: &'a [&'a str],
}

impl<'a> Request<'a> {
    pub(crate) fn new(operation: &'static Operation) -> Self {
        Self { operation, otp_id: None, body: None, private: &[] }
    }

    /// The id that the operation's path has a place for.
    pub(crate) fn otp_id(self, otp_id: &'a str) -> Self {
        Self { otp_id: Some(otp_id), ..self }
    }

    /// The fields of the request.
    pub(crate) fn body(self, fields: &impl Serialize) -> Self {
        let mut body = Vec::with_capacity(USUAL_REQUEST);
        // Fields are texts in a struct, which always make JSON.
        let written = serde_json::to_writer(&mut body, fields);
        debug_assert!(written.is_ok(), "a request's fields make JSON: {written:?}");
        Self { body: Some(body), ..self }
    }

    /// Codes and phone numbers of this request, to be shown nowhere.
    pub(crate) fn hiding(self, private: &'a [&'a str]) -> Self {
        Self { private, ..self }
    }
}

/// A complete 2xx answer, still to be read by its operation.
pub(crate) struct Reply<'a> {
    answer: Answer,
    operation: &'static Operation,
    redactor: Redactor<'a>,
}

impl Reply<'_> {
    /// Reads the answer's `data`, and makes the operation's own answer of it and of the metadata. `read` may refuse: its
    /// error is the end of a sentence about the answer.
    pub(crate) fn read<'s, D: Deserialize<'s>, T>(
        &'s self,
        read: impl FnOnce(D, Metadata) -> Result<T, String>,
    ) -> Result<T, Error> {
        let envelope = match Envelope::parse(&self.answer.body) {
            Ok(envelope) => envelope,
            Err(error) => return Err(self.unreadable(&format!("it is not the JSON of an answer: {error}"))),
        };
        let Some(data) = envelope.data else {
            return Err(self.unreadable("it has no `data`"));
        };
        // Structs would also be read from an array, field by field: `[true]` is no `verified`.
        if !data.get().starts_with('{') {
            return Err(self.unreadable("its `data` is not an object"));
        }
        match serde_json::from_str(data.get()) {
            Ok(data) => read(data, envelope.metadata(&self.redactor)).map_err(|fault| self.unreadable(&fault)),
            Err(error) => Err(self.unreadable(&format!("its `data` is not as documented: {error}"))),
        }
    }

    /// What makes a text of the answer fit to be shown.
    pub(crate) fn redactor(&self) -> &Redactor<'_> {
        &self.redactor
    }

    #[cold]
    fn unreadable(&self, message: &str) -> Error {
        transport::unreadable(&self.answer, self.operation.effect, message, &self.redactor)
    }
}

/// A variable's value, if it is set and not blank.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::config(format!("{name} is not UTF-8; set it to plain text"))),
    }
}

fn check_timeout(name: &str, timeout: Duration) -> Result<(), Error> {
    if timeout.is_zero() {
        return Err(Error::config(format!("`{name}` is zero, in which no call can succeed; give a longer time")));
    }
    Ok(())
}

fn check_base_url(text: &str, allow_insecure_http: bool) -> Result<WebUrl, &'static str> {
    let url = WebUrl::parse(text)?;
    if url.uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("carries credentials; leave them out, the API key is given apart");
    }
    if url.uri.query().is_some() || text.contains('#') {
        return Err("carries a query or a fragment; leave out what follows ? or #");
    }
    if !url.is_https && !url.is_loopback && !allow_insecure_http {
        return Err("is plain http to a host that is not loopback, which would show the key to everyone on the way; \
                    use https, or call `allow_insecure_http()` on a test network");
    }
    Ok(url)
}

const BASE_URL: &str = "https://api.contiguity.com";

/// The names that the vendor's own clients read, in their order.
const KEY_VARIABLES: [&str; 2] = ["CONTIGUITY_API_KEY", "CONTIGUITY_TOKEN"];

const URL_VARIABLE: &str = "CONTIGUITY_BASE_URL";

/// A text that takes longer to be accepted is a fault of the service; a person at a form waits no longer either.
const TIMEOUT: Duration = Duration::from_secs(30);

/// As good as never, and a time from now that every clock can hold.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Two lost SYN packets and their repeats (RFC 6298) fit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Passing faults of a connection are over after the second try, or not soon.
const RETRIES: u32 = 2;

/// Common servers close idle connections after 5 s (Node.js) or more: ours are gone before.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of a request's JSON, for one allocation.
const USUAL_REQUEST: usize = 128;
