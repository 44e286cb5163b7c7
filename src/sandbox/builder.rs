//! The settings of a sandbox.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;

use crate::sandbox::backend::Settings;
use crate::sandbox::server::Server;
use crate::sandbox::state::{State, random_text};
use crate::sandbox::state_file::{Content, StateFile};
use crate::webhook::Verifier;

/// The settings of a [`Sandbox`](crate::sandbox::Sandbox). Created by
/// [`Sandbox::builder`](crate::sandbox::Sandbox::builder).
///
/// # Examples
///
/// ```
/// use contiguity::sandbox::Sandbox;
///
/// let sandbox = Sandbox::builder()
///     .code("123456")
///     .webhook_secret("whsec_0123456789abcdef0123")
///     .start()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "call `.start()` to start the sandbox"]
pub struct SandboxBuilder {
    host: IpAddr,
    port: u16,
    hosts: Vec<String>,
    code: Option<String>,
    webhook_secret: Option<String>,
    state_file: Option<PathBuf>,
}

impl Default for SandboxBuilder {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            hosts: Vec::new(),
            code: None,
            webhook_secret: None,
            state_file: None,
        }
    }
}

impl SandboxBuilder {
    /// Sets the address to listen on.
    ///
    /// **On any address except loopback, everyone who can reach the port can read codes and move the
    /// clock.** Use it only in a network that is yours, such as that of containers. The sandbox
    /// serves requests that are addressed to loopback, to this address and to the names of
    /// [`allow_host`](Self::allow_host), and refuses others with 421.
    ///
    /// Defaults to 127.0.0.1.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// // In a container that others reach as http://sandbox:4010.
    /// let builder = Sandbox::builder()
    ///     .host(Ipv4Addr::UNSPECIFIED)
    ///     .port(4010)
    ///     .allow_host("sandbox");
    /// ```
    pub fn host(self, address: impl Into<IpAddr>) -> Self {
        Self { host: address.into(), ..self }
    }

    /// Sets the port to listen on.
    ///
    /// Defaults to 0, a free port.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Allows requests that are addressed to this name or address, without a port. Can be called
    /// repeatedly.
    ///
    /// Other requests are refused, so that a web page whose name resolves to the sandbox cannot read
    /// from it (DNS rebinding). Loopback names and addresses are always allowed.
    ///
    /// Defaults to no further names.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Makes every code this one: 4 to 10 digits.
    ///
    /// Defaults to six random digits.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::builder().code("000000").start()?;
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// request.send(&sandbox.client())?;
    /// let code = sandbox.phone("+14155552671").last_code();
    /// assert_eq!(code.as_deref(), Some("000000"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// Sets the secret that signs webhooks.
    ///
    /// Defaults to that of the [`state_file`](Self::state_file), or else to a random one.
    pub fn webhook_secret(self, secret: impl Into<String>) -> Self {
        Self { webhook_secret: Some(secret.into()), ..self }
    }

    /// Keeps the state in a file, so that the next sandbox with this file goes on where this one
    /// ended.
    ///
    /// The file contains messages, codes, sessions, texts, the clock and the webhook secret, but not
    /// the log of requests, the webhook attempts and the faults. It is written after every change and
    /// before the response, as a new file that replaces the old one. If it cannot be written, the
    /// request gets a 500 response. If it does not exist, it is created. Two sandboxes must not use
    /// one file at a time.
    ///
    /// Defaults to no file: the state is lost when the sandbox stops.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::NewOtp;
    ///
    /// # let folder = std::env::temp_dir().join(format!("contiguity-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let path = folder.join("sandbox.json");
    /// let sandbox = Sandbox::builder().state_file(&path).start()?;
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// request.send(&sandbox.client())?;
    /// drop(sandbox);
    ///
    /// let sandbox = Sandbox::builder().state_file(&path).start()?;
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_file(self, path: impl Into<PathBuf>) -> Self {
        Self { state_file: Some(path.into()), ..self }
    }

    pub(super) fn run(self) -> io::Result<(Server, String)> {
        let mut state = State::default();
        state.fixed_code = self.checked_code()?;
        let mut hosts = self.checked_hosts()?;
        hosts.push(in_url(self.host));
        if let Some(secret) = &self.webhook_secret {
            Verifier::new(secret).map_err(|error| invalid(error.to_string()))?;
        }

        let file = self.state_file.map(StateFile::new);
        let mut webhook_secret = None;
        if let Some(Content { webhook_secret: kept, state: saved, .. }) =
            file.as_ref().map(StateFile::read).transpose()?.flatten()
        {
            state.restore(saved);
            webhook_secret = Some(kept);
        }
        let webhook_secret = self.webhook_secret.or(webhook_secret).unwrap_or_else(|| random_text("whsec_"));
        if let Some(file) = &file {
            // A file that cannot be written is noticed here, and not by the first request.
            file.write(&webhook_secret, state.save())?;
        }

        let is_exposed = !self.host.is_loopback();
        let settings = Settings { state, file, webhook_secret, hosts, is_exposed, max_request_time: MAX_REQUEST_TIME };
        let address = SocketAddr::new(self.host, self.port);
        let server = Server::start(address, settings).map_err(|error| cannot_listen(address, &error))?;
        let url = format!("http://{}:{}", in_url(reachable(self.host)), server.address.port());
        Ok((server, url))
    }

    fn checked_code(&self) -> io::Result<Option<String>> {
        let is_code = |code: &String| (4..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
        match &self.code {
            Some(code) if !is_code(code) => Err(invalid("`code` must have 4 to 10 digits, such as 123456")),
            code => Ok(code.clone()),
        }
    }

    /// Returns the allowed hosts as they are in a URL.
    fn checked_hosts(&self) -> io::Result<Vec<String>> {
        let in_url = |name: &String| {
            let name = name.parse().map_or_else(|_| name.clone(), in_url);
            let is_host = name.parse().is_ok_and(|authority: Authority| authority.host() == name);
            let problem = "`allow_host` must be a name or an address without a port, such as sandbox or 192.0.2.1";
            if is_host { Ok(name) } else { Err(invalid(problem)) }
        };
        self.hosts.iter().map(in_url).collect()
    }
}

/// The secret and the code are left out.
impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("hosts", &self.hosts)
            .field("state_file", &self.state_file)
            .finish_non_exhaustive()
    }
}

fn invalid(problem: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem.into())
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "; stop the program that uses the port, or choose another port",
        io::ErrorKind::PermissionDenied => "; choose a port from 1024 to 65535",
        io::ErrorKind::AddrNotAvailable => "; choose an address of this machine",
        _ => "",
    };
    io::Error::new(error.kind(), format!("the sandbox cannot listen on {address}: {error}{advice}"))
}

/// Returns an address by which this machine reaches a server that listens on `host`.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}

fn in_url(host: IpAddr) -> String {
    match host {
        IpAddr::V4(host) => host.to_string(),
        IpAddr::V6(host) => format!("[{host}]"),
    }
}

/// Longer than clients keep idle connections, so that none sends a request as its connection is
/// closed.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);
