//! The TLS library and the certificate authorities it trusts.

use std::io;

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::error::Error;

/// A TLS library for https, and the certificate authorities it trusts.
///
/// Each variant requires the feature of its name, and features only add variants. Defaults to
/// `Tls::Rustls`. Without the feature `rustls`, call [`ClientBuilder::tls`](crate::ClientBuilder::tls)
/// to use https.
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
    /// rustls, with Mozilla's certificate authorities built in. Needs the feature `rustls`, which
    /// is on by default.
    #[cfg(feature = "rustls")]
    Rustls,
    /// rustls, with the certificate authorities of the operating system. Needs the feature
    /// `platform-verifier`.
    #[cfg(feature = "platform-verifier")]
    PlatformVerifier,
    /// The operating system's own TLS library and certificate authorities (OpenSSL on Linux). Needs
    /// the feature `native-tls`.
    #[cfg(feature = "native-tls")]
    NativeTls,
}

/// Sets up https. A plain http base URL needs no setup.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(super) fn configure(
    config: ConfigBuilder<AgentScope>,
    is_https: bool,
    tls: Option<Tls>,
    root_certificates: Option<(&'static str, Vec<u8>)>,
) -> Result<ConfigBuilder<AgentScope>, Error> {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

    // Checked for plain http too, so that a mistake shows before the base URL becomes https.
    let parse =
        |(name, pem): (&str, Vec<u8>)| parse_roots(&pem).map_err(|problem| Error::config(format!("{name} {problem}")));
    let roots = root_certificates.map(parse).transpose()?;
    if !is_https {
        return Ok(config);
    }
    let (provider, default_roots) = match tls.or(DEFAULT) {
        #[cfg(feature = "rustls")]
        Some(Tls::Rustls) => (TlsProvider::Rustls, RootCerts::WebPki),
        #[cfg(feature = "platform-verifier")]
        Some(Tls::PlatformVerifier) => (TlsProvider::Rustls, RootCerts::PlatformVerifier),
        #[cfg(feature = "native-tls")]
        Some(Tls::NativeTls) => (TlsProvider::NativeTls, RootCerts::PlatformVerifier),
        None => {
            return Err(Error::config(
                "the base URL is https, but the feature `rustls` is off; enable it, or call `.tls(Tls::NativeTls)`",
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
    root_certificates: Option<(&'static str, Vec<u8>)>,
) -> Result<ConfigBuilder<AgentScope>, Error> {
    let what = match root_certificates {
        _ if is_https => "https",
        Some((name, _)) => name,
        None => return Ok(config),
    };
    let features = "enable the feature `rustls`, `platform-verifier` or `native-tls`";
    Err(Error::config(format!("{what} needs TLS; {features}")))
}

#[cfg(feature = "rustls")]
const DEFAULT: Option<Tls> = Some(Tls::Rustls);

#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
const DEFAULT: Option<Tls> = None;

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn parse_roots(pem: &[u8]) -> Result<ureq::tls::RootCerts, &'static str> {
    use ureq::tls::{Certificate, PemItem, parse_pem};

    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| NOT_PEM)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(NOT_PEM);
    }
    if !certificates.iter().any(|certificate| is_readable(certificate.der())) {
        return Err("has no certificate that can be read; export it again");
    }
    Ok(certificates.into())
}

/// A bundle of a system may have some that cannot be read. ureq skips them.
#[cfg(feature = "rustls")]
fn is_readable(der: &[u8]) -> bool {
    rustls::RootCertStore::empty().add(der.into()).is_ok()
}

#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn is_readable(_: &[u8]) -> bool {
    true
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
const NOT_PEM: &str = "has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----";

/// Reports whether the certificate's authority is not trusted.
pub(super) fn is_untrusted(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if describe(error) == Some(UNTRUSTED))
}

const UNTRUSTED: &str = "the certificate's authority is not trusted";

/// Describes an error of rustls in our own words, since its own may quote the certificate.
#[cfg(feature = "rustls")]
pub(super) fn describe(error: &io::Error) -> Option<&'static str> {
    use rustls::CertificateError as C;
    use rustls::Error as E;
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<E>())?;
    Some(match error {
        E::InvalidCertificate(C::UnknownIssuer) => UNTRUSTED,
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "the certificate is for another host"
        }
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => "the certificate has expired",
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "the certificate is not valid yet; check this machine's clock"
        }
        E::InvalidCertificate(_) | E::NoCertificatesPresented => "the certificate is not valid",
        E::InvalidMessage(_) | E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            "this port does not speak TLS"
        }
        E::PeerIncompatible(_) => "the server supports no TLS version or cipher of this client",
        E::AlertReceived(_) => "the server refused the handshake",
        _ => "the handshake failed",
    })
}

#[cfg(not(feature = "rustls"))]
pub(super) fn describe(_: &io::Error) -> Option<&'static str> {
    None
}

/// `.ci/run` builds these too.
#[cfg(all(test, not(feature = "rustls")))]
mod tests {
    use crate::client::Client;

    #[test]
    fn https_without_a_tls_library_is_refused() {
        let expected = if cfg!(feature = "native-tls") {
            "the base URL is https, but the feature `rustls` is off; enable it, or call `.tls(Tls::NativeTls)`"
        } else {
            "https needs TLS; enable the feature `rustls`, `platform-verifier` or `native-tls`"
        };
        let error = Client::new("your-api-key").expect_err("no TLS library is chosen");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    #[cfg(not(feature = "native-tls"))]
    fn root_certificates_without_a_tls_library_are_refused() {
        let builder = Client::builder("your-api-key").base_url("http://127.0.0.1:4010").root_certificates("");
        let expected =
            "`root_certificates` needs TLS; enable the feature `rustls`, `platform-verifier` or `native-tls`";
        assert_eq!(builder.build().expect_err("there is no TLS").to_string(), expected);
    }
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use std::io;

    use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

    use super::describe;

    #[test]
    fn each_error_of_a_handshake_has_its_words() {
        let certificate = Error::InvalidCertificate;
        for (error, words) in [
            (certificate(CertificateError::UnknownIssuer), "the certificate's authority is not trusted"),
            (certificate(CertificateError::NotValidForName), "the certificate is for another host"),
            (certificate(CertificateError::Expired), "the certificate has expired"),
            (
                certificate(CertificateError::NotValidYet),
                "the certificate is not valid yet; check this machine's clock",
            ),
            (certificate(CertificateError::Revoked), "the certificate is not valid"),
            (Error::NoCertificatesPresented, "the certificate is not valid"),
            (InvalidMessage::InvalidContentType.into(), "this port does not speak TLS"),
            (
                PeerIncompatible::NoCipherSuitesInCommon.into(),
                "the server supports no TLS version or cipher of this client",
            ),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), "the server refused the handshake"),
            (Error::General("quoted".to_owned()), "the handshake failed"),
        ] {
            assert_eq!(describe(&io::Error::new(io::ErrorKind::InvalidData, error)), Some(words));
        }
        assert_eq!(describe(&io::Error::other("not of rustls")), None);
    }
}
