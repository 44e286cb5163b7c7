//! `Caller`: on whose behalf a request is made.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use super::store::LOG_TARGET;

/// The source of a request to your program: an IP address, an account, or both.
///
/// Each part is limited separately. An IP address or a string converts into a caller, so
/// [`Guarded::by`](super::Guarded::by) takes either.
///
/// `Debug` does not show the parts.
///
/// # Examples
///
/// ```
/// use std::net::IpAddr;
/// use contiguity::guard::Caller;
///
/// let ip: IpAddr = "203.0.113.7".parse()?;
/// let caller = Caller::ip(ip).and(Caller::key("account 42"));
/// assert_eq!(Caller::from("203.0.113.7"), Caller::ip(ip));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    keys: Vec<Box<[u8]>>,
}

impl Caller {
    /// Creates a caller from an IP address.
    ///
    /// An IPv6 address counts as its /64 network, since a single customer usually has all addresses
    /// in it. An IPv4-mapped address counts as the IPv4 address.
    ///
    /// The address must be the person's. Behind a proxy the peer of the connection is the proxy,
    /// and all people would share one limit. Read the header that your proxy sets. The first
    /// loopback or private address logs a warning.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        static WARNED: Once = Once::new();
        let address = address.to_canonical();
        if is_internal(address) {
            WARNED.call_once(|| {
                log::warn!(
                    target: LOG_TARGET,
                    "a caller has a loopback or private address; behind a proxy, everyone would share that limit"
                );
            });
        }
        let mut key = Vec::with_capacity(9);
        match address {
            IpAddr::V4(address) => {
                key.push(b'4');
                key.extend(address.octets());
            }
            IpAddr::V6(address) => {
                key.push(b'6');
                key.extend(&address.octets()[..8]);
            }
        }
        Self { keys: vec![key.into()] }
    }

    /// Creates a caller from a string, such as the id of an account or a device.
    #[must_use]
    pub fn key(key: impl Into<String>) -> Self {
        let key = ["k", &key.into()].concat();
        Self { keys: vec![key.into_bytes().into()] }
    }

    /// Creates a caller without a limit of its own, for command-line programs and background jobs.
    ///
    /// All limits of the guard apply except [`per_caller`](super::GuardBuilder::per_caller).
    #[must_use]
    pub fn nobody() -> Self {
        Self { keys: Vec::new() }
    }

    /// Adds the parts of another caller.
    #[must_use]
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        for key in other.into().keys {
            // Counted once, however often it is named.
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
        self
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(AsRef::as_ref)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("parts", &self.keys.len()).finish_non_exhaustive()
    }
}

impl From<IpAddr> for Caller {
    fn from(address: IpAddr) -> Self {
        Self::ip(address)
    }
}

impl From<SocketAddr> for Caller {
    fn from(address: SocketAddr) -> Self {
        Self::ip(address.ip())
    }
}

/// A string that is an IP address, with or without a port, counts as that address.
impl From<&str> for Caller {
    fn from(text: &str) -> Self {
        let address = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
        address.map_or_else(|_| Self::key(text), Self::ip)
    }
}

/// As for `&str`.
impl From<String> for Caller {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let is_shared = (u32::from(address) >> 22) == (u32::from(Ipv4Addr::new(100, 64, 0, 0)) >> 22);
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared
        }
        IpAddr::V6(address) => {
            address == Ipv6Addr::LOCALHOST
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_internal;

    #[test]
    fn loopback_and_private_addresses_are_internal() {
        for address in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.1.1", "100.64.0.1", "0.0.0.0"] {
            assert!(is_internal(address.parse().unwrap()), "{address}");
        }
        for address in ["::1", "::", "fe80::1", "fd00::1"] {
            assert!(is_internal(address.parse().unwrap()), "{address}");
        }
        for address in ["203.0.113.7", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2001:db8::1"] {
            assert!(!is_internal(address.parse().unwrap()), "{address}");
        }
    }
}
