//! The part of ureq that may change in a minor release, held still.
//!
//! `src/transport/resolver.rs` stands on `ureq::unversioned`, because ureq has no other way to remember addresses, and
//! without that each call under a time limit looks the host up again, on a new thread. This file uses the same parts, and
//! no others, in the smallest resolver that works:
//!
//! - **It does not compile:** ureq has changed one of them. Mend [`Loopback`] first, then the crate's resolver the same way.
//!   Until then, hold ureq back: `cargo update ureq --precise 3.5.2`.
//! - **It compiles and a test fails:** the message says which habit of ureq is gone.

#[path = "support/responder.rs"]
mod responder;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use contiguity::{Client, NewOtp};
use responder::respond;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// The surface, all of it: the trait and its signature, `ArrayVec::from_fn` and `push`, `NextTimeout::after`, and
/// `Agent::with_parts` with the `DefaultConnector`.
#[derive(Clone, Debug, Default)]
struct Loopback {
    asked: Arc<AtomicUsize>,
}

impl Resolver for Loopback {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let patience: Duration = *timeout.after;
        assert!(
            patience > Duration::from_secs(29) && patience <= Duration::from_secs(30),
            "ureq gives a resolver another time than what is left of the call: {patience:?} of 30 s"
        );
        let port = uri.port_u16().expect("a port");
        let mut addresses: ResolvedSocketAddrs = ArrayVec::from_fn(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
        addresses.push(SocketAddr::from(([127, 0, 0, 1], port)));
        Ok(addresses)
    }
}

#[test]
fn a_resolver_of_our_own_is_asked_and_believed() {
    let port = serve("127.0.0.1:0");
    let resolver = Loopback::default();
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), resolver.clone());
    for _ in 0..CALLS {
        let response = agent.get(format!("http://no-such-host.invalid:{port}/")).call();
        let mut response = response.unwrap_or_else(|error| panic!("ureq did not go where the resolver said: {error}"));
        response.body_mut().read_to_string().expect("a body");
    }
    let asked = resolver.asked.load(Ordering::Relaxed);
    assert_eq!(
        asked, CALLS,
        "ureq asks its resolver at every call, pooled connection or not; now it did so {asked} times"
    );
}

#[test]
fn a_warm_client_starts_no_thread() {
    // In a process of its own, since the other test starts threads too.
    if std::env::var_os(ALONE).is_none() {
        let myself = std::env::current_exe().expect("this test");
        let output = std::process::Command::new(myself)
            .args(["a_warm_client_starts_no_thread", "--exact", "--nocapture", "--test-threads=1"])
            .env(ALONE, "1")
            .output()
            .expect("a process");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        println!("{text}");
        return;
    }
    // The control: bare ureq under a time limit starts one each time, even for an address.
    let agent: Agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
    let url = format!("http://127.0.0.1:{}", serve("127.0.0.1:0"));
    let started = threads_started_by(|| {
        agent.get(&url).call().expect("an answer").body_mut().read_to_string().expect("a body");
    });
    assert!(
        started >= CALLS,
        "bare ureq started {started} threads in {CALLS} calls: is the crate's own resolver still worth having?"
    );

    assert_none_is_started(&format!("http://127.0.0.1:{}", serve("127.0.0.1:0")));
    let Some((host, address)) = name_of_this_machine() else {
        println!("no name but localhost stands for this machine: that a name is looked up once was not tried");
        return;
    };
    let port = serve((address, 0));
    assert_none_is_started(&format!("http://{host}:{port}"));
}

#[track_caller]
fn assert_none_is_started(url: &str) {
    let client = Client::builder("contiguity_sk_test").base_url(url).allow_insecure_http().build().expect("a client");
    let call = || drop(NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).expect("an answer"));
    // The first may look the name up, and does that on a thread.
    call();
    let started = threads_started_by(call);
    assert_eq!(
        started, 0,
        "{CALLS} calls to {url} started {started} threads: ureq no longer goes by the crate's resolver, or it no longer \
         remembers"
    );
}

/// How many threads this process starts while it makes the calls, whether they still live or not: std numbers them.
fn threads_started_by(call: impl Fn()) -> usize {
    let newest = || {
        let id = thread::spawn(|| thread::current().id()).join().expect("a thread");
        let digits: String = format!("{id:?}").chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().expect("ThreadId(number)")
    };
    let before = newest();
    (0..CALLS).for_each(|_| call());
    newest() - before - 1
}

/// A name that has to be looked up and leads back here.
fn name_of_this_machine() -> Option<(String, std::net::IpAddr)> {
    let own = fs::read_to_string("/etc/hostname").unwrap_or_default();
    [own.trim(), "localhost.localdomain", "ip6-localhost"].into_iter().filter(|name| !name.is_empty()).find_map(
        |name| {
            // ureq tries the addresses in this order, so the first has to be ours.
            let address = (name, 0).to_socket_addrs().ok()?.next()?.ip();
            TcpListener::bind((address, 0)).ok()?;
            Some((name.to_owned(), address))
        },
    )
}

/// Answers whatever comes on the first connection, on one thread, so that none is started later. Gives its port.
fn serve(address: impl ToSocketAddrs) -> u16 {
    const BODY: &str = r#"{"data":{"otp_id":"otp_1"}}"#;

    respond(address, |_| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).into_bytes())
}

const CALLS: usize = 20;

/// Set for the process in which a test is alone.
const ALONE: &str = "CONTIGUITY_TEST_ALONE";
