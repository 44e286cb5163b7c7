//! An absolute http or https URL, as the base URL and `success_url` are.

use std::borrow::Cow;
use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// An absolute URL with a host that can be reached.
#[derive(Clone, Debug)]
pub(crate) struct WebUrl {
    pub(crate) scheme: Scheme,
    /// The host is not empty, and the port is a port.
    pub(crate) authority: Authority,
    /// A fragment is not kept.
    pub(crate) path: PathAndQuery,
    pub(crate) is_loopback: bool,
}

impl WebUrl {
    /// The error is the end of a sentence about the URL.
    pub(crate) fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        if text.trim().is_empty() {
            return Err("must not be blank; use one such as https://example.com".into());
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("must be visible ASCII; percent-encode the path and write the host in Punycode".into());
        }
        if text.len() > MAX_LENGTH {
            return Err("must have at most 8000 characters".into());
        }
        let uri: Uri = text.parse().map_err(|_| not_absolute(text))?;
        let scheme = uri.scheme().ok_or_else(|| not_absolute(text))?.clone();
        if ![Scheme::HTTPS, Scheme::HTTP].contains(&scheme) {
            return Err(UNKNOWN_SCHEME.into());
        }
        let authority = uri.authority().ok_or_else(|| not_absolute(text))?.clone();
        if !is_host(authority.host()) {
            return Err("has an invalid host; use a name or an address after ://".into());
        }
        // The http crate takes an invalid port for no port, and then the default port would be called.
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        let has_port = host_and_port.len() > authority.host().len();
        if has_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("has an invalid port; use 1 to 65535".into());
        }
        let is_loopback = is_loopback(authority.host());
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok(Self { scheme, authority, path, is_loopback })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

/// Reports whether a host name is loopback by definition.
pub(crate) fn is_localhost(host: &str) -> bool {
    // RFC 6761 §6.3: `localhost` and the names below it are loopback and need no lookup.
    let host = host.strip_suffix('.').unwrap_or(host);
    host.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
}

/// Returns the address that a host is, if it is an IPv4 address or an IPv6 address in brackets.
pub(crate) fn ip_literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

/// Reports whether a host is loopback by its name or address, without a lookup.
pub(crate) fn is_loopback(host: &str) -> bool {
    is_localhost(host) || ip_literal(host).is_some_and(|address| address.to_canonical().is_loopback())
}

fn is_host(host: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    ip_literal(host).is_some() || host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

/// The problem of a string that is not an absolute URL. People often leave out the scheme.
///
/// Only a loopback host is quoted. Other text may be a secret in the wrong place.
fn not_absolute(text: &str) -> Cow<'static, str> {
    let (authority, rest) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0);
    let host = authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host);
    if !is_host(host) {
        return NOT_ABSOLUTE.into();
    }
    if is_loopback(host) {
        let verb = if rest.trim_matches('/').is_empty() { "write" } else { "start it with" };
        return format!("has no scheme; {verb} http://{authority}").into();
    }
    if host.contains('.') { "has no scheme; start it with https://".into() } else { NOT_ABSOLUTE.into() }
}

pub(crate) const UNKNOWN_SCHEME: &str = "has an unknown scheme; use http:// or https://";

const NOT_ABSOLUTE: &str = "must be an absolute URL with a host, such as https://example.com";

/// More than any real URL has, and less than the http crate's limit once an id is appended.
const MAX_LENGTH: usize = 8_000;

#[cfg(test)]
mod tests {
    use super::WebUrl;

    #[test]
    fn absolute_urls_with_a_host() {
        for (text, is_https, is_loopback) in [
            ("https://api.contiguity.com", true, false),
            ("HTTPS://API.contiguity.com:8443/a/b?c=d#e", true, false),
            ("http://127.0.0.1:4010", false, true),
            ("http://127.255.255.254/", false, true),
            ("http://localhost", false, true),
            ("http://app.LocalHost.:80", false, true),
            ("https://[::1]:443/", true, true),
            ("http://[::ffff:127.0.0.1]", false, true),
            ("http://[fe80::1]", false, false),
            ("http://localhost.example.com", false, false),
            ("http://127.0.0.1.example.com", false, false),
            ("http://128.0.0.1", false, false),
            ("http://user:password@127.0.0.1:80/", false, true),
            ("http://127.0.0.1@example.com/", false, false),
            ("https://under_score.example.com", true, false),
        ] {
            let url = WebUrl::parse(text).unwrap_or_else(|error| panic!("{text} {error}"));
            assert_eq!((url.is_https(), url.is_loopback), (is_https, is_loopback), "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        let too_long = format!("https://example.com/{}", "a".repeat(8_000));
        for text in [
            too_long.as_str(),
            "",
            " ",
            "example.com",
            "/path",
            "//example.com",
            "ftp://example.com",
            "https://",
            "https:///path",
            "https:",
            "https://:443",
            "https://exa mple.com",
            "https://ex\u{e4}mple.com",
            "https://example.com:99999",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:http",
            "https://a..b",
            "https://[::1",
            "https://[zz]",
            "https://user@",
            "mailto:a@example.com",
            "https://example.com/\n",
            "javascript:alert(1)",
            "https://a!b",
        ] {
            assert!(WebUrl::parse(text).is_err(), "{text:?}");
        }
    }
}
