//! The proxy of a client, and what its failures mean.
//!
//! The environment is read as curl reads it, except that
//!
//! - `HTTP_PROXY` is also read in upper case, unless the program is a CGI program;
//! - a variable that is set but empty turns the proxy off, whatever the ones after it contain;
//! - a URL that is almost one (`http:/host`, `http://host:`) is refused;
//! - `no_proxy` can contain ports, a `*` beside other entries, and networks of length 0.

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use ureq::unversioned::transport::{ConnectProxyConnector, ConnectionDetails, Connector, Transport};
use ureq::{Proxy, ProxyProtocol};

use crate::error::Error;
use crate::retry::Failure;
use crate::web_url::{UNKNOWN_SCHEME, WebUrl, ip_literal};

/// Returns the proxy for `base_url`: `explicit` if given, otherwise the environment's.
///
/// `variable` returns the value of an environment variable. No message quotes the URL, which may
/// contain a password.
pub(super) fn choose(
    explicit: Option<&str>,
    base_url: &WebUrl,
    allow_insecure_http: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Proxy>, Error> {
    let found = match explicit {
        Some(url) => Some(("`proxy`", url.to_owned())),
        None if base_url.is_loopback => None,
        None => from_environment(base_url, variable)?,
    };
    let Some((name, url)) = found else { return Ok(None) };
    let proxy = parse(&url).map_err(|problem| Error::config(format!("{name} {problem}")))?;
    if !base_url.is_https() && !allow_insecure_http {
        return Err(Error::config(
            "the base URL is plain http, which would show the API key to the proxy; use https, or call \
             `allow_insecure_http()` on a test network",
        ));
    }
    Ok(Some(proxy))
}

/// Reports whether connecting to the proxy itself takes TLS.
pub(super) fn is_https(proxy: &Proxy) -> bool {
    proxy.protocol() == ProxyProtocol::Https
}

/// Returns the name of the variable that decides, and the proxy's URL.
fn from_environment(
    base_url: &WebUrl,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(&'static str, String)>, Error> {
    let first_set = |names: &[&'static str]| {
        let Some((name, value)) = names.iter().find_map(|name| Some((*name, variable(name)?))) else { return Ok(None) };
        match value.into_string() {
            Ok(value) => Ok(Some((name, value))),
            Err(_) => Err(Error::config(format!("{name} is not UTF-8; set it to plain text"))),
        }
    };
    let by_scheme: &[&str] = match (base_url.is_https(), variable("REQUEST_METHOD").is_some()) {
        (true, _) => &["https_proxy", "HTTPS_PROXY"],
        (false, false) => &["http_proxy", "HTTP_PROXY"],
        // A CGI server sets HTTP_PROXY to the request's `Proxy` header (https://httpoxy.org). On
        // Windows both names are the same variable.
        (false, true) if cfg!(windows) => &[],
        (false, true) => &["http_proxy"],
    };
    let Some((name, url)) = first_set(&[by_scheme, &["all_proxy", "ALL_PROXY"]].concat())? else { return Ok(None) };
    if url.is_empty() {
        return Ok(None);
    }
    let no_proxy = first_set(&["no_proxy", "NO_PROXY"])?;
    Ok(if no_proxy.is_some_and(|(_, list)| is_exempt(base_url, &list)) { None } else { Some((name, url)) })
}

/// Parses the URL of a proxy, with or without a scheme. The error completes a sentence about it.
fn parse(url: &str) -> Result<Proxy, &'static str> {
    if url.is_empty() {
        return Err("is empty; use a URL such as http://proxy.example.com:3128");
    }
    if url.contains(|c: char| c == ' ' || c.is_control()) {
        return Err("contains a space or a control character; remove it");
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (protocol, default_port) = match scheme.to_ascii_lowercase().as_str() {
        // The port that curl uses.
        "http" => (ProxyProtocol::Http, 1080),
        "https" => (ProxyProtocol::Https, 443),
        scheme if scheme.starts_with("socks") => {
            return Err("is a SOCKS proxy, which is not supported; use an http:// or https:// proxy");
        }
        scheme if !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            return Err(UNKNOWN_SCHEME);
        }
        _ => return Err(INVALID),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // The `http` in `http//host` is a scheme without its colon.
    if rest.len() == url.len() && path.starts_with("//") {
        return Err(INVALID);
    }
    if path.contains('@') {
        // Otherwise a part of the password would be the host, and errors would show it.
        return Err("has a `/`, `?` or `#` in its user name or password; percent-encode it");
    }
    let (credentials, host_and_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = split_port(host_and_port);
    // The port is empty in `http://host:` and in `http:/host`.
    if port == Some("") || WebUrl::parse(&format!("http://{host}")).is_err() {
        return Err(INVALID);
    }
    let port = match port {
        Some(port) => parse_port(port).ok_or("has an invalid port; use 1 to 65535")?,
        None => default_port,
    };
    let mut proxy = Proxy::builder(protocol).host(host).port(port);
    if !credentials.is_empty() {
        let (username, password) = match credentials.split_once(':') {
            Some((username, password)) => (username, Some(password)),
            None => (credentials, None),
        };
        proxy = proxy.username(&decode(username)?);
        if let Some(password) = password {
            proxy = proxy.password(&decode(password)?);
        }
    }
    proxy.build().map_err(|_| INVALID)
}

/// Decodes a user name or password, which RFC 7617 §2 allows no control characters.
fn decode(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8().ok().filter(|text| !text.contains(char::is_control));
    decoded.map(String::from).ok_or("has a user name or password that is not plain text; percent-encode it as UTF-8")
}

/// Splits the port off a host. An IPv6 address has one only after its brackets.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

/// Reports whether the list of `no_proxy` contains the URL's host.
fn is_exempt(url: &WebUrl, list: &str) -> bool {
    let host = url.authority.host();
    let port = url.authority.port_u16().unwrap_or(if url.is_https() { 443 } else { 80 });
    let address = ip_literal(host);
    list.split(|c: char| c == ',' || c.is_whitespace()).any(|entry| {
        let (entry, entry_port) = split_port(entry);
        entry_port.is_none_or(|text| parse_port(text) == Some(port))
            && (entry == "*"
                || address.map_or_else(|| is_within_domain(host, entry), |ip| is_within_network(ip, entry)))
    })
}

/// Reports whether a host is the domain or one of its subdomains. A dot at the domain's start, or at the
/// end of either, is ignored.
fn is_within_domain(host: &str, domain: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let Some((before, end)) = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at)) else {
        return false;
    };
    end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
}

/// Reports whether an address is in a network such as `192.0.2.0/24`, or is the address given instead.
fn is_within_network(address: IpAddr, network: &str) -> bool {
    let (base, length) = network.split_once('/').map_or((network, None), |(base, length)| (base, Some(length)));
    let base = ip_literal(base).or_else(|| base.parse().ok());
    let (address, base, width) = match (address, base) {
        (IpAddr::V4(address), Some(IpAddr::V4(base))) => (address.to_bits().into(), base.to_bits().into(), 32),
        (IpAddr::V6(address), Some(IpAddr::V6(base))) => (address.to_bits(), base.to_bits(), 128),
        _ => return false,
    };
    let differences: u128 = address ^ base;
    let Ok(length) = length.map_or(Ok(width), str::parse::<u32>) else { return false };
    width.checked_sub(length).is_some_and(|rest| differences.checked_shr(rest).unwrap_or(0) == 0)
}

/// Opens a tunnel through the proxy. Every error is a [`ProxyError`].
///
/// Nothing is sent to the service before the tunnel is open, so it cannot have acted on a call that
/// fails here.
#[derive(Debug, Default)]
pub(super) struct ProxyConnector {
    inner: ConnectProxyConnector,
}

impl<In: Transport> Connector<In> for ProxyConnector {
    type Out = <ConnectProxyConnector as Connector<In>>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        self.inner.connect(details, chained).map_err(|error| match details.config.proxy() {
            Some(proxy) => {
                let name = format!("the proxy {}:{}", proxy.host(), proxy.port());
                let has_credentials = proxy.username().is_some() || proxy.password().is_some();
                ureq::Error::Other(Box::new(ProxyError { name, has_credentials, error }))
            }
            None => error,
        })
    }
}

/// The proxy could not be connected to, or did not open the tunnel.
#[derive(Debug, thiserror::Error)]
#[error("{name} failed")]
pub(super) struct ProxyError {
    /// `the proxy HOST:PORT`.
    pub(super) name: String,
    has_credentials: bool,
    pub(super) error: ureq::Error,
}

impl ProxyError {
    /// Returns any other error unchanged.
    pub(super) fn take(error: ureq::Error) -> Result<Self, ureq::Error> {
        match error {
            ureq::Error::Other(error) => error.downcast().map(|error| *error).map_err(ureq::Error::Other),
            error => Err(error),
        }
    }

    pub(super) fn failure(&self) -> Failure {
        use ureq::Error as E;
        let is_temporary = match (self.status(), &self.error) {
            (Some(status), _) => matches!(status, 502..=504),
            // The certificate or a TLS message of an https proxy is `InvalidData`.
            (None, E::Io(error)) => error.kind() != io::ErrorKind::InvalidData,
            (None, error) => {
                matches!(error, E::Timeout(_) | E::HostNotFound | E::ConnectionFailed | E::ConnectProxyFailed(_))
            }
        };
        if is_temporary { Failure::Unsent } else { Failure::Refused }
    }

    /// Describes a response of the proxy, or its absence. Contains nothing that the proxy wrote.
    pub(super) fn response(&self) -> Option<String> {
        let name = &self.name;
        match (self.status(), &self.error) {
            (Some(status), _) => {
                let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
                let advice = match status {
                    403 => "; it has to allow the host of the base URL",
                    407 if self.has_credentials => "; check the user name and password in its URL",
                    407 => "; put a user name and a password in its URL, such as http://user:password@host:3128",
                    _ => "",
                };
                Some(format!("{name} returned {status} {}", reason.unwrap_or_default()).trim_end().to_owned() + advice)
            }
            (None, ureq::Error::ConnectProxyFailed(_)) => {
                Some(format!("{name} closed the connection before responding"))
            }
            (None, ureq::Error::Protocol(_)) => Some(format!("{name} did not respond with HTTP")),
            _ => None,
        }
    }

    /// The status of the response to CONNECT. ureq reports it as "proxy server responded 407/407".
    fn status(&self) -> Option<u16> {
        let ureq::Error::ConnectProxyFailed(reason) = &self.error else { return None };
        reason.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse().ok())
    }
}

const INVALID: &str = "is not a valid proxy URL; use one such as http://proxy.example.com:3128";

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{choose, is_exempt, parse};
    use crate::error::Error;
    use crate::web_url::WebUrl;

    const INVALID: &str = "is not a valid proxy URL; use one such as http://proxy.example.com:3128";
    const PORT: &str = "has an invalid port; use 1 to 65535";
    const SPACE: &str = "contains a space or a control character; remove it";
    const SOCKS: &str = "is a SOCKS proxy, which is not supported; use an http:// or https:// proxy";
    const RESERVED: &str = "has a `/`, `?` or `#` in its user name or password; percent-encode it";
    const CREDENTIALS: &str = "has a user name or password that is not plain text; percent-encode it as UTF-8";

    #[test]
    fn proxy_urls() {
        // (URL, `scheme host:port username password`)
        for (url, expected) in [
            ("http://127.0.0.1:3128", "HTTP 127.0.0.1:3128"),
            ("HTTP://proxy.example.com:8080/path?query#fragment", "HTTP proxy.example.com:8080"),
            ("https://proxy.example.com:8443", "HTTPS proxy.example.com:8443"),
            ("http://proxy.example.com", "HTTP proxy.example.com:1080"),
            ("https://proxy.example.com", "HTTPS proxy.example.com:443"),
            ("proxy.example.com:3128", "HTTP proxy.example.com:3128"),
            ("proxy", "HTTP proxy:1080"),
            ("http://[::1]:3128", "HTTP [::1]:3128"),
            ("http://[2001:db8::1]", "HTTP [2001:db8::1]:1080"),
            ("http://proxy.example.com.:3128", "HTTP proxy.example.com.:3128"),
            (r"http://DOM\user:pw@127.0.0.1:3128", r"HTTP 127.0.0.1:3128 DOM\user pw"),
            ("http://user%40example.com:p%3Aw%25@host:1", "HTTP host:1 user@example.com p:w%"),
            ("http://user@example.com:p:w@host:1", "HTTP host:1 user@example.com p:w"),
            ("user:pw@host:1", "HTTP host:1 user pw"),
            ("http://user@host:1", "HTTP host:1 user"),
            ("http://:pw@host:1", "HTTP host:1  pw"),
            ("http://@host:1", "HTTP host:1"),
            ("http://user:100%@host:1", "HTTP host:1 user 100%"),
            ("http://user:\u{e9}+%C3%A9@host:1", "HTTP host:1 user \u{e9}+\u{e9}"),
        ] {
            let proxy = parse(url).unwrap_or_else(|problem| panic!("{url} {problem}"));
            let mut read = format!("{} {}:{}", proxy.protocol(), proxy.host(), proxy.port());
            for credential in [proxy.username(), proxy.password()].into_iter().flatten() {
                read.push_str(&format!(" {credential}"));
            }
            assert_eq!(read, expected, "{url}");
        }
    }

    #[test]
    fn texts_that_are_not_proxy_urls() {
        for (url, problem) in [
            ("", "is empty; use a URL such as http://proxy.example.com:3128"),
            ("http//127.0.0.1:3128", INVALID),
            (" ", SPACE),
            ("http://127.0.0.1:3128 ", SPACE),
            (" http://127.0.0.1:3128", SPACE),
            ("http://127.0.0.1:3128\r", SPACE),
            ("http://127.0.0.1:3128\n", SPACE),
            ("http://user:p w@127.0.0.1:3128", SPACE),
            ("\"http://127.0.0.1:3128\"", INVALID),
            ("'http://127.0.0.1:3128'", INVALID),
            ("\"127.0.0.1:3128\"", INVALID),
            ("http:/127.0.0.1:3128", INVALID),
            ("http:127.0.0.1:3128", INVALID),
            ("http:///127.0.0.1:3128", INVALID),
            ("//127.0.0.1:3128", INVALID),
            ("://127.0.0.1:3128", INVALID),
            ("ftp://127.0.0.1:3128", "has an unknown scheme; use http:// or https://"),
            ("http://", INVALID),
            ("http://:3128", INVALID),
            ("http://user:pw@", INVALID),
            ("http://user:pw@:3128", INVALID),
            ("http://127.0.0.1:", INVALID),
            ("http://a..b:3128", INVALID),
            ("http://[::1:3128", INVALID),
            ("http://[fe80::1%25eth0]:3128", INVALID),
            ("http://::1", INVALID),
            ("http://pr\u{f6}xy:3128", INVALID),
            ("http://127.0.0.1:port", PORT),
            ("http://127.0.0.1:99999", PORT),
            ("http://127.0.0.1:0", PORT),
            ("http://127.0.0.1:+80", PORT),
            ("http://127.0.0.1:-1", PORT),
            ("http://[::1]:port", PORT),
            ("http://user:p/w@127.0.0.1:3128", RESERVED),
            ("http://user:1?w@127.0.0.1:3128", RESERVED),
            ("user:p@ss#w@127.0.0.1:3128", RESERVED),
            ("socks://127.0.0.1:1", SOCKS),
            ("SOCKS5h://user:pw@127.0.0.1:1", SOCKS),
            ("http://user:%FF@127.0.0.1:3128", CREDENTIALS),
            ("http://us%0D%0Aer:pw@127.0.0.1:3128", CREDENTIALS),
        ] {
            assert_eq!(parse(url).map(|proxy| proxy.uri().clone()), Err(problem), "{url:?}");
        }
    }

    #[test]
    fn variables() {
        const P: &str = "http://p:1";
        const Q: &str = "http://q:1";
        const HTTPS: &str = "https://api.example.test";
        const HTTP: &str = "http://api.example.test";
        let direct = "direct";
        for (base_url, variables, expected) in [
            (HTTPS, &[][..], direct),
            (HTTPS, &[("https_proxy", P)], "p:1"),
            (HTTPS, &[("HTTPS_PROXY", P)], "p:1"),
            (HTTPS, &[("https_proxy", P), ("HTTPS_PROXY", Q)], "p:1"),
            (HTTPS, &[("http_proxy", P), ("HTTP_PROXY", P)], direct),
            (HTTPS, &[("all_proxy", P), ("ALL_PROXY", Q)], "p:1"),
            (HTTPS, &[("ALL_PROXY", P)], "p:1"),
            (HTTPS, &[("ALL_PROXY", Q), ("HTTPS_PROXY", P)], "p:1"),
            (HTTPS, &[("ALL_PROXY", "socks://127.0.0.1:1"), ("HTTPS_PROXY", P)], "p:1"),
            (HTTPS, &[("HTTPS_PROXY", "socks5://127.0.0.1:1"), ("ALL_PROXY", P)], &format!("HTTPS_PROXY {SOCKS}")),
            (HTTPS, &[("all_proxy", "http://127.0.0.1:port")], &format!("all_proxy {PORT}")),
            (HTTPS, &[("HTTPS_PROXY", "http://127.0.0.1:1\r")], &format!("HTTPS_PROXY {SPACE}")),
            // An empty variable.
            (HTTPS, &[("HTTPS_PROXY", "")], direct),
            (HTTPS, &[("HTTPS_PROXY", ""), ("ALL_PROXY", P)], direct),
            (HTTPS, &[("https_proxy", ""), ("HTTPS_PROXY", P)], direct),
            (HTTPS, &[("ALL_PROXY", "")], direct),
            (HTTP, &[("http_proxy", P)], "p:1"),
            (HTTP, &[("HTTP_PROXY", P)], "p:1"),
            (HTTP, &[("HTTPS_PROXY", P), ("https_proxy", P)], direct),
            (HTTP, &[("ALL_PROXY", P)], "p:1"),
            // In a CGI program HTTP_PROXY is what a client sent.
            (HTTP, &[("HTTP_PROXY", P), ("REQUEST_METHOD", "GET")], direct),
            (HTTP, &[("HTTP_PROXY", P), ("ALL_PROXY", Q), ("REQUEST_METHOD", "GET")], "q:1"),
            (HTTPS, &[("HTTPS_PROXY", P), ("REQUEST_METHOD", "GET")], "p:1"),
            // Loopback.
            ("https://localhost:1", &[("HTTPS_PROXY", P), ("ALL_PROXY", P)], direct),
            ("http://127.0.0.1:1", &[("http_proxy", "socks://q"), ("ALL_PROXY", "x y")], direct),
            ("https://[::1]:1", &[("HTTPS_PROXY", P)], direct),
            // Exemptions.
            (HTTPS, &[("HTTPS_PROXY", P), ("NO_PROXY", "localhost, api.example.test")], direct),
            (HTTPS, &[("ALL_PROXY", P), ("no_proxy", "example.test")], direct),
            (HTTPS, &[("HTTPS_PROXY", P), ("no_proxy", ""), ("NO_PROXY", "*")], "p:1"),
            (HTTPS, &[("HTTPS_PROXY", "socks5://q"), ("NO_PROXY", "*")], direct),
            (HTTPS, &[("HTTPS_PROXY", P), ("NO_PROXY", "example.com")], "p:1"),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(chosen(None, base_url, true, variable), expected, "{base_url} {variables:?}");
        }
    }

    #[test]
    fn an_explicit_proxy() {
        let environment = |_: &str| Some(OsString::from("*"));
        let insecure = "the base URL is plain http, which would show the API key to the proxy; use https, or call \
                        `allow_insecure_http()` on a test network";
        for (base_url, allow_insecure_http, url, expected) in [
            ("https://api.example.test", false, "http://p:1", "p:1"),
            ("https://localhost", false, "http://p:1", "p:1"),
            ("http://127.0.0.1:1", false, "http://p:1", insecure),
            ("http://127.0.0.1:1", true, "http://p:1", "p:1"),
            ("https://api.example.test", false, "socks4a://p:1", &format!("`proxy` {SOCKS}")),
            ("https://api.example.test", false, "http://", &format!("`proxy` {INVALID}")),
        ] {
            assert_eq!(chosen(Some(url), base_url, allow_insecure_http, environment), expected, "{base_url} {url}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn variables_that_are_not_utf_8() {
        use std::os::unix::ffi::OsStringExt as _;

        let is = |wanted: &'static str, proxy: &'static str| {
            move |name: &str| match name {
                name if name == wanted => Some(OsString::from_vec(vec![b'x', 0xff])),
                name if name == proxy => Some(OsString::from("http://p:1")),
                _ => None,
            }
        };
        let base_url = "https://api.example.test";
        for (name, expected) in [
            ("HTTPS_PROXY", "HTTPS_PROXY is not UTF-8; set it to plain text"),
            ("no_proxy", "no_proxy is not UTF-8; set it to plain text"),
            // Not read.
            ("http_proxy", "p:1"),
        ] {
            assert_eq!(chosen(None, base_url, false, is(name, "ALL_PROXY")), expected, "{name}");
        }
    }

    #[test]
    fn exemptions() {
        const NAME: &str = "https://api.example.test";
        for (url, list, expected) in [
            (NAME, "", false),
            (NAME, ",", false),
            (NAME, ".", false),
            (NAME, "api.example.test", true),
            (NAME, "API.Example.TEST", true),
            (NAME, "example.test", true),
            (NAME, ".example.test", true),
            (NAME, "test", true),
            (NAME, "example.test.", true),
            ("https://api.example.test.", "example.test", true),
            ("https://API.EXAMPLE.TEST", ".example.test.", true),
            (NAME, "pi.example.test", false),
            (NAME, "ample.test", false),
            (NAME, "v1.api.example.test", false),
            (NAME, "example", false),
            (NAME, "\u{e4}xample.test", false),
            // The wildcard is an entry, not a pattern.
            (NAME, "*", true),
            (NAME, "localhost,*", true),
            (NAME, "*.example.test", false),
            // Separators.
            (NAME, "localhost,example.test", true),
            (NAME, "localhost, example.test", true),
            (NAME, " example.test\t", true),
            (NAME, "localhost example.test", true),
            (NAME, ",,localhost,,\nexample.test\r\n", true),
            // Ports.
            (NAME, "example.test:443", true),
            (NAME, "example.test:80", false),
            (NAME, "example.test:", false),
            ("https://api.example.test:8443", "example.test:8443", true),
            ("https://api.example.test:8443", "example.test", true),
            ("http://api.example.test", "example.test:80", true),
            ("https://192.0.2.1:8443", "192.0.2.1:8443", true),
            ("https://[2001:db8::1]", "[2001:db8::1]:443", true),
            ("https://[2001:db8::1]", "[2001:db8::1]:80", false),
            // Addresses.
            ("https://192.0.2.1", "192.0.2.1", true),
            ("https://192.0.2.1", "192.0.2.2", false),
            ("https://192.0.2.1", "2.1", false),
            ("https://192.0.2.1", "*", true),
            ("https://192.0.2.1", "192.0.2.0/24", true),
            ("https://192.0.2.129", "192.0.2.0/25", false),
            ("https://192.0.2.129", "192.0.2.0/24", true),
            ("https://192.0.2.1", "192.0.2.1/32", true),
            ("https://192.0.2.1", "192.0.2.0/32", false),
            ("https://192.0.2.1", "0.0.0.0/0", true),
            ("https://192.0.2.1", "192.0.2.1/33", false),
            ("https://192.0.2.1", "192.0.2.0/a24", false),
            ("https://192.0.2.1", "192.0.2.0/24a", false),
            ("https://192.0.2.1", "192.0.2.0/", false),
            ("https://192.0.2.1", "::/0", false),
            ("https://[2001:db8::1]", "2001:db8::1", true),
            ("https://[2001:db8::1]", "[2001:db8::1]", true),
            ("https://[2001:db8::1]", "2001:0DB8:0::1", true),
            ("https://[2001:db8::1]", "2001:db8::/32", true),
            ("https://[2001:db8:8000::1]", "2001:db8::/33", false),
            ("https://[2001:db8::1]", "::/0", true),
            ("https://[2001:db8::1]", "2001:db8::1/129", false),
            ("https://[2001:db8::1]", "192.0.2.0/0", false),
            (NAME, "0.0.0.0/0", false),
        ] {
            assert_eq!(is_exempt(&WebUrl::parse(url).unwrap(), list), expected, "{url} {list:?}");
        }
    }

    /// The proxy's host and port, or the message of the error.
    #[track_caller]
    fn chosen(
        explicit: Option<&str>,
        base_url: &str,
        allow_insecure_http: bool,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> String {
        match choose(explicit, &WebUrl::parse(base_url).unwrap(), allow_insecure_http, variable) {
            Ok(Some(proxy)) => format!("{}:{}", proxy.host(), proxy.port()),
            Ok(None) => "direct".to_owned(),
            Err(Error::Config(error)) => error.to_string(),
            Err(error) => panic!("another error: {error}"),
        }
    }
}
