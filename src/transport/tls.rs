//! Which TLS, and whom it trusts.

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::error::Error;

/// A way to speak https, each with the feature that brings it.
///
/// Features only add choices: what is in use is `Tls::Rustls` unless [`ClientBuilder::tls`](crate::ClientBuilder::tls)
/// says otherwise, whichever features are on. In a build without the feature `rustls`, https needs that call.
///
/// # Examples
///
/// ```
/// use contiguity::{Client, Tls};
///
/// let client = Client::builder("your-api-key").tls(Tls::Rustls).build()?;
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// rustls with Mozilla's certificate authorities built in. Feature `rustls`, on by default.
    #[cfg(feature = "rustls")]
    Rustls,
    /// rustls with the certificate authorities of the operating system. Feature `platform-verifier`.
    #[cfg(feature = "platform-verifier")]
    PlatformVerifier,
    /// The operating system's own TLS and certificate authorities (OpenSSL on Linux). Feature `native-tls`.
    #[cfg(feature = "native-tls")]
    NativeTls,
}

/// Sets the agent up for https. A base URL in plain http needs nothing.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(super) fn configure(
    config: ConfigBuilder<AgentScope>,
    is_https: bool,
    tls: Option<Tls>,
    root_certificates: Option<&[u8]>,
) -> Result<ConfigBuilder<AgentScope>, Error> {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

    // Roots are checked in any case: a mistake in them should not wait for the day of https.
    let roots = root_certificates.map(parse_roots).transpose()?;
    if !is_https {
        return Ok(config);
    }
    let (provider, default_roots) = match tls.or_else(default_tls) {
        #[cfg(feature = "rustls")]
        Some(Tls::Rustls) => (TlsProvider::Rustls, RootCerts::WebPki),
        #[cfg(feature = "platform-verifier")]
        Some(Tls::PlatformVerifier) => (TlsProvider::Rustls, RootCerts::PlatformVerifier),
        #[cfg(feature = "native-tls")]
        Some(Tls::NativeTls) => (TlsProvider::NativeTls, RootCerts::PlatformVerifier),
        None => {
            return Err(Error::config(
                "the base URL is https, and this build is without the feature `rustls`: turn it on, or choose another \
                 with `.tls(Tls::NativeTls)`",
            ));
        }
    };
    let tls = TlsConfig::builder().provider(provider).root_certs(roots.unwrap_or(default_roots)).build();
    Ok(config.tls_config(tls))
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
pub(super) fn configure(
    config: ConfigBuilder<AgentScope>,
    is_https: bool,
    _: Option<Tls>,
    root_certificates: Option<&[u8]>,
) -> Result<ConfigBuilder<AgentScope>, Error> {
    if is_https || root_certificates.is_some() {
        return Err(Error::config(
            "this build has no TLS: turn on the feature `rustls` (or `native-tls`) for an https base URL",
        ));
    }
    Ok(config)
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[expect(clippy::unnecessary_wraps, reason = "without the feature `rustls` there is no default")]
fn default_tls() -> Option<Tls> {
    #[cfg(feature = "rustls")]
    return Some(Tls::Rustls);
    #[cfg(not(feature = "rustls"))]
    None
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn parse_roots(pem: &[u8]) -> Result<ureq::tls::RootCerts, Error> {
    use ureq::tls::{Certificate, PemItem, parse_pem};

    let bad =
        || Error::config("`root_certificates` is not PEM; give text that begins with -----BEGIN CERTIFICATE-----");
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| bad())? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(bad()) } else { Ok(certificates.into()) }
}
