//! The part of ureq that may change in a minor release.
//!
//! `src/transport/resolver.rs` and `src/transport/connection.rs` use `ureq::unversioned`. ureq has
//! no other way to remember addresses, to see what arrived on an idle connection, or to limit the
//! time of a CONNECT handshake. This file uses the same parts in the smallest resolver and the
//! smallest connection that work:
//!
//! - **It does not compile:** ureq has changed one of them. Fix [`Loopback`] or [`Layer`] first,
//!   then the crate's own files in the same way. Until then, hold ureq back: `cargo update ureq
//!   --precise 3.5.2`.
//! - **It compiles and a test fails:** the message says what ureq no longer does.

#[path = "support/responder.rs"]
mod responder;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;
use std::{fs, thread};

use contiguity::{Client, NewOtp};
use responder::respond;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant as UreqInstant};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, DefaultConnector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport,
};

/// All that the crate's resolver uses: the trait, `ArrayVec::from_fn` and `push`, and
/// `NextTimeout::after`.
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
            "ureq no longer passes the time that is left of the call: {patience:?} of 30 s"
        );
        let port = uri.port_u16().expect("a port");
        let mut addresses: ResolvedSocketAddrs = ArrayVec::from_fn(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
        addresses.push(SocketAddr::from(([127, 0, 0, 1], port)));
        Ok(addresses)
    }
}

#[test]
fn ureq_uses_a_custom_resolver() {
    let port = serve("127.0.0.1:0");
    let resolver = Loopback::default();
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), resolver.clone());
    for _ in 0..CALLS {
        let response = agent.get(format!("http://no-such-host.invalid:{port}/")).call();
        let mut response =
            response.unwrap_or_else(|error| panic!("ureq did not connect to the address of the resolver: {error}"));
        response.body_mut().read_to_string().expect("a body");
    }
    let asked = resolver.asked.load(Ordering::Relaxed);
    assert_eq!(asked, CALLS, "ureq used to call its resolver for every call; now it did so {asked} times");
}

/// All that the crate's connections use: a chain of connectors, `ConnectionDetails` with all its
/// fields, and a transport with buffers of its own on top of another.
#[derive(Clone, Debug, Default)]
struct LayerConnector {
    log: Log,
}

/// What ureq asked for, and on which thread.
type Log = Arc<Mutex<Vec<(&'static str, ThreadId)>>>;

impl<In: Transport> Connector<In> for LayerConnector {
    type Out = Either<(), Layer<In>>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        record(&self.log, "connect");
        let NextTimeout { after: UreqDuration::Exact(_), reason: _, per_read: _, per_write: _ } = details.timeout
        else {
            panic!("ureq gives a connector no time limit");
        };
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: (details.current_time)(),
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        assert!(!details.needs_tls() && matches!(details.now, UreqInstant::Exact(_)));
        let size = details.config.output_buffer_size();
        let layer = |inner| Layer { inner, buffers: LazyBuffers::new(size, size), log: Arc::clone(&self.log) };
        Ok(chained.map(|inner| Either::B(layer(inner))))
    }
}

#[derive(Debug)]
struct Layer<T> {
    inner: T,
    buffers: LazyBuffers,
    log: Log,
}

impl<T: Transport> Transport for Layer<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        record(&self.log, "write");
        self.inner.buffers().output()[..amount].copy_from_slice(&self.buffers.output()[..amount]);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        record(&self.log, "read");
        let has_more = self.inner.await_input(timeout)?;
        let input = self.inner.buffers();
        let count = input.input().len();
        self.buffers.input_append_buf()[..count].copy_from_slice(input.input());
        input.input_consume(count);
        self.buffers.input_appended(count);
        Ok(has_more)
    }

    fn is_open(&mut self) -> bool {
        record(&self.log, "is open?");
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn record(log: &Log, event: &'static str) {
    log.lock().expect("no panic").push((event, thread::current().id()));
}

#[test]
fn a_layer_on_a_connection_is_asked_on_the_thread_of_the_call() {
    let port = serve("127.0.0.1:0");
    let layer = LayerConnector::default();
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
    let chain = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(layer.clone());
    let agent = Agent::with_parts(config, chain, Loopback::default());
    for _ in 0..2 {
        let mut response = agent.get(format!("http://127.0.0.1:{port}/")).call().expect("a response");
        response.body_mut().read_to_string().expect("a body");
    }
    let log = layer.log.lock().expect("no panic");
    let events: Vec<&str> = log.iter().map(|(event, _)| *event).collect();
    assert_eq!(
        events,
        ["connect", "write", "read", "is open?", "is open?", "write", "read", "is open?"],
        "ureq asks whether a connection is open when it goes back to the pool, and before it is used again"
    );
    let here = thread::current().id();
    assert!(log.iter().all(|(_, thread)| *thread == here), "ureq uses connections on other threads: {log:?}");
}

#[test]
fn a_warm_client_starts_no_thread() {
    // In its own process, since the other test starts threads, too.
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
    // The control: with a timeout, bare ureq starts a thread for each call, even for an address.
    let agent: Agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
    let url = format!("http://127.0.0.1:{}", serve("127.0.0.1:0"));
    let started = threads_started_by(|| {
        agent.get(&url).call().expect("a response").body_mut().read_to_string().expect("a body");
    });
    assert!(
        started >= CALLS,
        "bare ureq started {started} threads in {CALLS} calls: the crate may not need its own resolver"
    );

    assert_none_is_started(&format!("http://127.0.0.1:{}", serve("127.0.0.1:0")));
    let Some((host, address)) = name_of_this_machine() else {
        println!("not tested that a name is looked up once: this machine has no name other than localhost");
        return;
    };
    let port = serve((address, 0));
    assert_none_is_started(&format!("http://{host}:{port}"));
}

#[track_caller]
fn assert_none_is_started(url: &str) {
    let client = Client::builder("contiguity_sk_test").base_url(url).allow_insecure_http().build().expect("a client");
    let call = || drop(NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).expect("a response"));
    // The first call may look up the name, on a thread.
    call();
    let started = threads_started_by(call);
    assert_eq!(
        started, 0,
        "{CALLS} calls to {url} started {started} threads: ureq no longer uses the crate's resolver"
    );
}

/// How many threads this process starts while it makes the calls, whether they still live or not:
/// std numbers them.
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

/// Returns a name of this machine that has to be looked up.
fn name_of_this_machine() -> Option<(String, std::net::IpAddr)> {
    let own = fs::read_to_string("/etc/hostname").unwrap_or_default();
    [own.trim(), "localhost.localdomain", "ip6-localhost"].into_iter().filter(|name| !name.is_empty()).find_map(
        |name| {
            // ureq tries the addresses in this order, so the first has to be local.
            let address = (name, 0).to_socket_addrs().ok()?.next()?.ip();
            TcpListener::bind((address, 0)).ok()?;
            Some((name.to_owned(), address))
        },
    )
}

/// Answers whatever comes on the first connection, on one thread, so that none is started later.
/// Gives its port.
fn serve(address: impl ToSocketAddrs) -> u16 {
    const BODY: &str = r#"{"data":{"otp_id":"otp_1"}}"#;

    respond(address, |_| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()).into_bytes())
}

const CALLS: usize = 20;

/// Set in a process that runs only one test.
const ALONE: &str = "CONTIGUITY_TEST_ALONE";
