//! A resolver that remembers addresses for a while.
//!
//! ureq looks up the host for every request, even if it reuses a connection, and starts a thread
//! for that if the call has a timeout. This resolver looks a name up once and remembers the
//! addresses, so that most calls start no thread and wait for no name server.
//!
//! This file uses `ureq::unversioned`, which may change in any minor release of ureq: the
//! `Resolver` trait, `ArrayVec::from_fn` and `push`, and `NextTimeout::after`. If it does,
//! `tests/keeps_up_with_ureq.rs` does not compile either.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::web_url::{ip_literal, is_localhost};

/// Looks up names as the operating system does, and remembers their addresses. Clones share what
/// they remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct RememberingResolver {
    shared: Arc<Shared>,
}

impl RememberingResolver {
    /// Forgets all addresses. The host may have moved if a connection failed.
    pub(super) fn forget(&self) {
        for entry in &mut *self.shared.entries() {
            entry.known = None;
        }
    }

    fn addresses(&self, host: &str, port: u16, patience: Duration) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let began = Instant::now();
        let mut now = began;
        let mut entries = self.shared.entries();
        let mut has_asked = false;
        loop {
            let entry = entry(&mut entries, host);
            let is_stale = entry.known.as_ref().is_none_or(|known| !known.is_younger(FRESH, now));
            // Each call asks once. Otherwise it would ask for a name that does not exist until its
            // time is over. It asks again if another call made the resolver forget the addresses
            // before this call saw them.
            let is_forgotten = entry.known.is_none() && entry.failure.is_none();
            if is_stale && (!has_asked || is_forgotten) {
                has_asked = true;
                if !entry.is_being_looked_up {
                    entry.is_being_looked_up = true;
                    entry.failure = None;
                    if let Err(error) = self.look_up_in_background(host.to_owned()) {
                        entry.is_being_looked_up = false;
                        return Err(error.into());
                    }
                }
            }
            if let Some(known) = entry.known.as_ref().filter(|known| known.is_younger(USABLE, now)) {
                return Ok(with_port(&known.addresses, port));
            }
            // All calls that waited fail. The next call asks again.
            if let (Some(failure), false) = (&entry.failure, entry.is_being_looked_up) {
                return Err(io::Error::other(failure.clone()).into());
            }
            let left = patience.saturating_sub(now.saturating_duration_since(began));
            if left.is_zero() {
                return Err(ureq::Error::Timeout(ureq::Timeout::Resolve));
            }
            let waited = self.shared.looked_up.wait_timeout(entries, left.min(LONGEST_WAIT));
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
            now = Instant::now();
        }
    }

    /// Starts a lookup. There is only one for a host at a time, since the operating system cannot
    /// cancel it: one that hangs keeps its thread until the system gives up. Meanwhile, calls that
    /// wait for it end in time.
    fn look_up_in_background(&self, host: String) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let look_up = move || {
            // Any port will do: each call sets its own.
            let found = (host.as_str(), 0).to_socket_addrs();
            let mut entries = shared.entries();
            let entry = entry(&mut entries, &host);
            entry.is_being_looked_up = false;
            match distinct(found) {
                Ok(addresses) => entry.known = Some(Known { addresses, at: Instant::now() }),
                Err(error) => entry.failure = Some(error),
            }
            drop(entries);
            shared.looked_up.notify_all();
        };
        thread::Builder::new().name("contiguity-resolver".into()).spawn(look_up).map(drop)
    }
}

impl Resolver for RememberingResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let authority = uri.authority().ok_or(ureq::Error::HostNotFound)?;
        let is_https = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        if let Some(address) = ip_literal(authority.host()) {
            Ok(with_port(&[address], port))
        } else if is_localhost(authority.host()) {
            Ok(with_port(&LOOPBACK, port))
        } else {
            self.addresses(authority.host(), port, *timeout.after)
        }
    }
}

/// A name could not be looked up, so nothing was sent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NameError(String);

#[derive(Debug, Default)]
struct Shared {
    /// A list is enough: a client has one host, or two with a proxy.
    entries: Mutex<Vec<Entry>>,
    looked_up: Condvar,
}

impl Shared {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Entry {
    host: String,
    known: Option<Known>,
    failure: Option<NameError>,
    is_being_looked_up: bool,
}

#[derive(Debug)]
struct Known {
    addresses: Vec<IpAddr>,
    at: Instant,
}

impl Known {
    fn is_younger(&self, than: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < than
    }
}

fn entry<'a>(entries: &'a mut Vec<Entry>, host: &str) -> &'a mut Entry {
    let index = entries.iter().position(|entry| entry.host == host).unwrap_or_else(|| {
        entries.push(Entry { host: host.to_owned(), known: None, failure: None, is_being_looked_up: false });
        entries.len() - 1
    });
    &mut entries[index]
}

/// Returns each address once, as many as ureq has room for.
fn distinct(found: io::Result<impl Iterator<Item = SocketAddr>>) -> Result<Vec<IpAddr>, NameError> {
    let mut addresses = Vec::new();
    for address in found.map_err(|error| NameError(error.to_string()))? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() { Err(NameError("the name has no address".into())) } else { Ok(addresses) }
}

fn with_port(addresses: &[IpAddr], port: u16) -> ResolvedSocketAddrs {
    let mut found: ResolvedSocketAddrs = ArrayVec::from_fn(|_| SocketAddr::new(LOOPBACK[0], 0));
    for address in addresses {
        found.push(SocketAddr::new(*address, port));
    }
    found
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// How long an address is used without another lookup: about as long as the DNS records of a
/// service that moves are valid.
const FRESH: Duration = Duration::from_secs(30);

/// How long an address is used while another lookup is under way, so that no call waits for a slow
/// name server.
const USABLE: Duration = Duration::from_secs(300);

/// The number of addresses that ureq has room for.
const MAX_ADDRESSES: usize = 16;

/// The longest single wait on the condition variable. Some systems fail if it is centuries.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
    use std::thread;
    use std::time::{Duration, Instant};

    use ureq::{Agent, Proxy};

    use super::{Known, LOOPBACK, RememberingResolver, distinct, entry};
    use crate::transport::connection;
    use crate::transport::proxy::ProxyError;

    /// A name that every system can look up.
    const HOST: &str = "localhost";

    #[test]
    fn an_address_that_is_forgotten_before_it_is_seen_is_looked_up_again() {
        let resolver = RememberingResolver::default();
        // As if a lookup were under way, so that the call below waits for it.
        entry(&mut resolver.shared.entries(), HOST).is_being_looked_up = true;
        thread::scope(|scope| {
            let waiting = scope.spawn(|| resolver.addresses(HOST, 443, Duration::from_secs(20)).map(|_| ()));
            thread::sleep(Duration::from_millis(100));
            // The lookup ends, and another call forgets the addresses, before the waiting call has
            // the lock again.
            entry(&mut resolver.shared.entries(), HOST).is_being_looked_up = false;
            resolver.shared.looked_up.notify_all();
            let found = waiting.join();
            assert!(matches!(found, Ok(Ok(()))), "{found:?}");
        });
    }

    #[test]
    fn a_remembered_address_is_used_without_a_lookup() {
        let resolver = RememberingResolver::default();
        entry(&mut resolver.shared.entries(), HOST).known =
            Some(Known { addresses: LOOPBACK.to_vec(), at: Instant::now() });
        let found = resolver.addresses(HOST, 443, Duration::ZERO).map(|found| found.len());
        assert!(matches!(found, Ok(2)), "{found:?}");
    }

    #[test]
    fn a_lookup_gives_each_address_once_and_up_to_16_of_them() {
        let addresses = |last: &[u8]| -> Vec<SocketAddr> {
            last.iter().map(|last| SocketAddr::new(Ipv4Addr::new(192, 0, 2, *last).into(), 0)).collect()
        };
        let ips = |last: &[u8]| -> Vec<IpAddr> { addresses(last).iter().map(SocketAddr::ip).collect() };
        let look_up =
            |found: io::Result<Vec<SocketAddr>>| distinct(found.map(Vec::into_iter)).map_err(|error| error.to_string());
        let many: Vec<u8> = (1..=40).collect();
        assert_eq!(look_up(Ok(addresses(&[2, 1, 2, 1, 3]))), Ok(ips(&[2, 1, 3])));
        assert_eq!(look_up(Ok(addresses(&many))), Ok(ips(&many[..16])));
        assert_eq!(look_up(Ok(Vec::new())), Err("the name has no address".to_owned()));
        assert_eq!(look_up(Err(io::Error::other("no such name"))), Err("no such name".to_owned()));
    }

    #[test]
    fn a_lookup_that_takes_too_long_is_a_timeout() {
        let resolver = RememberingResolver::default();
        entry(&mut resolver.shared.entries(), HOST).is_being_looked_up = true;
        let result = resolver.addresses(HOST, 443, Duration::from_millis(10)).map(drop);
        assert!(matches!(result, Err(ureq::Error::Timeout(ureq::Timeout::Resolve))), "{result:?}");
    }

    #[test]
    fn a_slow_proxy_name_and_a_silent_proxy_share_the_time_for_connecting() {
        const TIMEOUT: Duration = Duration::from_secs(2);

        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = silent.local_addr().expect("the bound address").port();
        let proxy = Proxy::new(&format!("http://proxy.test:{port}")).expect("a proxy");
        let config = Agent::config_builder().proxy(Some(proxy)).timeout_connect(Some(TIMEOUT)).build();
        let resolver = RememberingResolver::default();
        let agent = connection::agent(config, resolver.clone());
        // The name server takes most of the time.
        entry(&mut resolver.shared.entries(), "proxy.test").is_being_looked_up = true;
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(TIMEOUT.mul_f32(0.9));
                let mut entries = resolver.shared.entries();
                let entry = entry(&mut entries, "proxy.test");
                entry.known = Some(Known { addresses: LOOPBACK.to_vec(), at: Instant::now() });
                entry.is_being_looked_up = false;
                resolver.shared.looked_up.notify_all();
            });
            let began = Instant::now();
            let result = agent.get("https://api.example.test").call();
            let error = ProxyError::take(result.expect_err("the proxy is silent")).expect("an error of the proxy");
            assert!(matches!(error.error, ureq::Error::Timeout(ureq::Timeout::Connect)), "{error:?}");
            assert!(began.elapsed() < TIMEOUT + Duration::from_secs(1), "took {:?}", began.elapsed());
        });
    }
}
