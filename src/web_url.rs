//! An absolute http or https URL, as the base URL and `success_url` are.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::Scheme;

/// An absolute URL with a host that can be reached.
#[derive(Clone, Debug)]
pub(crate) struct WebUrl {
    /// The scheme is lower case, the host is not empty, the port a port. A fragment is not kept.
    pub(crate) uri: Uri,
    pub(crate) is_https: bool,
    pub(crate) is_loopback: bool,
}

impl WebUrl {
    /// The error is the end of a sentence about the URL.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim().is_empty() {
            return Err("is blank; give one such as https://example.com");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("has a character that is not visible ASCII; percent-encode it, and write the host in punycode");
        }
        let uri: Uri = text.parse().map_err(|_| NOT_ABSOLUTE)?;
        let mut parts = uri.into_parts();
        let is_https = match parts.scheme.as_ref().map(|scheme| scheme.as_str().to_ascii_lowercase()).as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NOT_ABSOLUTE),
        };
        parts.scheme = Some(if is_https { Scheme::HTTPS } else { Scheme::HTTP });
        let uri = Uri::from_parts(parts).map_err(|_| NOT_ABSOLUTE)?;
        let authority = uri.authority().ok_or(NOT_ABSOLUTE)?;
        if !is_host(authority.host()) {
            return Err("has no host that can be looked up; give a name or an address after ://");
        }
        // The http crate reads a port that is none as no port, and the default one would be called instead.
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        let has_port = host_and_port.len() > authority.host().len();
        if has_port && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("has a port that is no number from 1 to 65535");
        }
        let is_loopback = is_loopback(authority.host());
        Ok(Self { uri, is_https, is_loopback })
    }
}

/// Whether a host's name is loopback by definition.
pub(crate) fn is_localhost(host: &str) -> bool {
    // RFC 6761 §6.3: "localhost" and the names below it are loopback, and need no look-up.
    let host = host.strip_suffix('.').unwrap_or(host);
    host.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
}

/// The address between the brackets of an IPv6 literal.
pub(crate) fn ipv6_literal(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn is_loopback(host: &str) -> bool {
    let is_loopback_v4 = |address: Ipv4Addr| address.is_loopback();
    is_localhost(host)
        || host.parse().is_ok_and(is_loopback_v4)
        || ipv6_literal(host)
            .is_some_and(|address| address.is_loopback() || address.to_ipv4_mapped().is_some_and(is_loopback_v4))
}

fn is_host(host: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    ipv6_literal(host).is_some() || host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

const NOT_ABSOLUTE: &str = "is not an absolute URL with a host; begin it with https://, as in https://example.com";

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
            assert_eq!((url.is_https, url.is_loopback), (is_https, is_loopback), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
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
