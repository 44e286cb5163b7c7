//! Refuses requests from web pages.
//!
//! Any page in the developer's browser can send requests to loopback, and read the responses once
//! its name resolves to a loopback address (DNS rebinding). The browser then sends the page's name
//! as `Host`, or its site as `Origin`.

use http::header::{HOST, HeaderValue, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Version};

use crate::sandbox::api::Rejection;
use crate::sandbox::backend::Backend;
use crate::web_url::is_loopback;

/// Checks that a request is meant for this server, which listens on `port`, and that no page of
/// another origin sent it.
pub(super) fn check(head: &Parts, backend: &Backend, port: u16) -> Result<(), Rejection> {
    let allowed = |text: &str| allowed(text, &backend.hosts);
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        // Browsers do not speak HTTP/1.0, the only version that may leave `Host` out.
        (None, _) if head.version == Version::HTTP_10 => None,
        (Some(host), None) => Some(host.to_str().ok().and_then(allowed).ok_or_else(misdirected)?),
        // RFC 9112, section 3.2.
        _ => return Err(Rejection::bad_request("the request must have exactly one Host header")),
    };
    // The host in `GET http://host/path` takes precedence over `Host` (RFC 9112, section 3.2.2).
    if head.uri.authority().is_some_and(|target| allowed(target.as_str()).is_none()) {
        return Err(misdirected());
    }

    let is_own_port = |host: &Authority| backend.is_exposed || host.port_u16().unwrap_or(80) == port;
    let own_origin = host.filter(is_own_port).map(|host| format!("http://{host}"));
    let is_own = |origin: &HeaderValue| {
        own_origin.as_ref().is_some_and(|own| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()))
    };
    if head.headers.get_all(ORIGIN).iter().all(is_own) {
        Ok(())
    } else {
        Err(Rejection::new(StatusCode::FORBIDDEN, OTHER_ORIGIN))
    }
}

/// Reads a host and port, if the host is a loopback name or address, or one of `hosts`. Names are
/// not looked up.
fn allowed(text: &str, hosts: &[String]) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    let is_allowed = is_loopback(host) || hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
    (is_allowed && !text.contains('@')).then_some(authority)
}

fn misdirected() -> Rejection {
    Rejection::new(StatusCode::MISDIRECTED_REQUEST, OTHER_HOST)
}

const OTHER_HOST: &str = "this host is not allowed; use localhost, 127.0.0.1 or [::1] in the URL, or start the sandbox \
    with `--allow-host` (in Rust, `allow_host`)";

const OTHER_ORIGIN: &str =
    "the sandbox serves no web page of another origin; call it from a program, without an Origin header";
