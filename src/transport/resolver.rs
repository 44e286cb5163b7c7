//! Addresses remembered for a while.
//!
//! ureq resolves the host on every request, pooled connection or not, and under a time limit it does so on a new thread
//! each time. This resolver asks once and remembers: a call on a warm client starts no thread and asks nobody.
//!
//! It stands on `ureq::unversioned`, which may change in minor releases of ureq. This file is all that does, and what
//! it uses is: the `Resolver` trait, `ArrayVec::from_fn` and `push`, `NextTimeout::after`, `DefaultConnector`. If a new ureq does not compile
//! here, `tests/keeps_up_with_ureq.rs` says so.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http::Uri;
use ureq::Agent;
use ureq::config::Config;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::web_url::{ipv6_literal, is_localhost};

/// Looks names up in the system and remembers the answers; cheap to clone, clones share what they know.
#[derive(Clone, Default)]
pub(super) struct RememberingResolver {
    shared: Arc<Shared>,
}

impl RememberingResolver {
    /// An agent that asks this resolver.
    pub(super) fn agent(&self, config: Config) -> Agent {
        Agent::with_parts(config, DefaultConnector::default(), self.clone())
    }

    /// Forgets every address, since one of them could not be connected to: the host may have moved.
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
            // Once a call, since a name that is not found would be asked for until the time is over; unless another call
            // has made the answer forgotten before this one saw it.
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
            // Every call that waited is told; the next one asks anew.
            if let (Some(failure), false) = (&entry.failure, entry.is_being_looked_up) {
                return Err(io::Error::other(failure.clone()).into());
            }
            let left = patience.saturating_sub(now.saturating_duration_since(began));
            if left.is_zero() {
                return Err(ureq::Error::Timeout(ureq::Timeout::Resolve));
            }
            let waited = self.shared.answered.wait_timeout(entries, left.min(LONGEST_WAIT));
            entries = waited.unwrap_or_else(PoisonError::into_inner).0;
            now = Instant::now();
        }
    }

    /// One look-up a host at a time. The system's look-up can't be stopped: one that hangs keeps its thread until the
    /// system gives up, while calls end in time and others join it.
    fn look_up_in_background(&self, host: String) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let look_up = move || {
            // The port plays no part in a look-up.
            let found = (host.as_str(), 0).to_socket_addrs();
            let mut entries = shared.entries();
            let entry = entry(&mut entries, &host);
            entry.is_being_looked_up = false;
            match found {
                Ok(found) => {
                    let mut addresses: Vec<IpAddr> = Vec::new();
                    for address in found {
                        if !addresses.contains(&address.ip()) {
                            addresses.push(address.ip());
                        }
                    }
                    addresses.truncate(MAX_ADDRESSES);
                    if addresses.is_empty() {
                        entry.failure = Some(NameError("the name has no address".into()));
                    } else {
                        entry.known = Some(Known { addresses, at: Instant::now() });
                    }
                }
                Err(error) => entry.failure = Some(NameError(error.to_string())),
            }
            drop(entries);
            shared.answered.notify_all();
        };
        thread::Builder::new().name("contiguity-resolver".into()).spawn(look_up).map(drop)
    }
}

impl Resolver for RememberingResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let authority = uri.authority().ok_or(ureq::Error::HostNotFound)?;
        let is_https = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        if let Some(literal) = literal(authority.host()) {
            Ok(with_port(&[literal], port))
        } else if is_localhost(authority.host()) {
            Ok(with_port(&LOOPBACK, port))
        } else {
            self.addresses(authority.host(), port, *timeout.after)
        }
    }
}

impl fmt::Debug for RememberingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberingResolver")
    }
}

/// A name that could not be looked up: nothing was sent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot look up the host's name: {0}")]
pub(super) struct NameError(String);

#[derive(Default)]
struct Shared {
    /// A client knows one host, two with a proxy: a list is enough.
    entries: Mutex<Vec<Entry>>,
    answered: Condvar,
}

impl Shared {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Entry {
    host: String,
    known: Option<Known>,
    failure: Option<NameError>,
    is_being_looked_up: bool,
}

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

fn with_port(addresses: &[IpAddr], port: u16) -> ResolvedSocketAddrs {
    let mut found: ResolvedSocketAddrs = ArrayVec::from_fn(|_| SocketAddr::new(LOOPBACK[0], 0));
    for address in addresses {
        found.push(SocketAddr::new(*address, port));
    }
    found
}

fn literal(host: &str) -> Option<IpAddr> {
    host.parse::<Ipv4Addr>().map(IpAddr::V4).ok().or_else(|| ipv6_literal(host).map(IpAddr::V6))
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// As long as this an address is used without asking again: about as long as the records of a service that moves live.
const FRESH: Duration = Duration::from_secs(30);

/// As long as this an address is still used while it is being asked for again, so that no call waits for a slow name
/// server.
const USABLE: Duration = Duration::from_secs(300);

/// More than this ureq has no room for.
const MAX_ADDRESSES: usize = 16;

/// A bound for one wait on the condition variable, whose clocks dislike centuries.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Known, LOOPBACK, RememberingResolver, entry};

    /// A name that every system knows.
    const HOST: &str = "localhost";

    #[test]
    fn an_answer_that_is_forgotten_before_it_is_seen_is_asked_for_again() {
        let resolver = RememberingResolver::default();
        // A look-up that nobody makes is under way, so that the call below waits for it.
        entry(&mut resolver.shared.entries(), HOST).is_being_looked_up = true;
        thread::scope(|scope| {
            let waiting = scope.spawn(|| resolver.addresses(HOST, 443, Duration::from_secs(20)).map(|_| ()));
            thread::sleep(Duration::from_millis(100));
            // It is answered, and another call forgets the answer, before the waiting one has the lock again.
            entry(&mut resolver.shared.entries(), HOST).is_being_looked_up = false;
            resolver.shared.answered.notify_all();
            let found = waiting.join();
            assert!(matches!(found, Ok(Ok(()))), "{found:?}");
        });
    }

    #[test]
    fn a_remembered_address_is_used_without_asking() {
        let resolver = RememberingResolver::default();
        entry(&mut resolver.shared.entries(), HOST).known =
            Some(Known { addresses: LOOPBACK.to_vec(), at: Instant::now() });
        let found = resolver.addresses(HOST, 443, Duration::ZERO).map(|found| found.len());
        assert!(matches!(found, Ok(2)), "{found:?}");
    }
}
