//! One call, one text message. Whatever breaks, and wherever, the service never receives a call
//! twice, and no error says that nothing was sent when something may have been.
//!
//! The exchange is cut at every byte, and the sandbox fails at random.

mod support;

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{Client, Error, NewOtp, ResendOtp};

use support::{Connection, Ending, Operation, Server, answer, chunked, envelope, head};

#[test]
fn cut_at_every_byte_of_a_plain_exchange() {
    cut_all(Link::Plain, every_exchange(Link::Plain));
}

#[test]
fn cut_at_every_byte_of_an_exchange_on_a_used_connection() {
    let cuts = Operation::ALL.into_iter().flat_map(|operation| every_cut(operation, Responses::Sized, Link::Used));
    cut_all(Link::Used, cuts.collect());
}

#[test]
fn cut_at_every_byte_of_a_tls_exchange() {
    cut_all(Link::Tls, every_exchange(Link::Tls));
}

#[test]
fn cut_at_every_byte_of_a_tls_handshake() {
    // Whether there is a body, and whether the call acts, is all that matters before the exchange.
    let operations = [Operation::New, Operation::Cancel, Operation::Status];
    cut_all(Link::TlsHandshake, operations.into_iter().flat_map(handshake_cuts).collect());
}

/// Every operation with every kind of response, cut at every byte.
fn every_exchange(link: Link) -> Vec<Cut> {
    let cuts = |operation| Responses::ALL.into_iter().flat_map(move |kind| every_cut(operation, kind, link));
    Operation::ALL.into_iter().flat_map(cuts).collect()
}

/// The connection between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Plain,
    /// A connection on which a call has succeeded before.
    Used,
    /// Bytes are counted from the end of the handshake.
    Tls,
    /// Bytes are counted from the start of the connection.
    TlsHandshake,
}

/// The response that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Responses {
    Sized,
    Chunked,
    UntilClose,
    TooMany,
    TimedOut,
    Broken,
    Elsewhere,
}

impl Responses {
    const ALL: [Self; 7] =
        [Self::Sized, Self::Chunked, Self::UntilClose, Self::TooMany, Self::TimedOut, Self::Broken, Self::Elsewhere];

    fn parts(self, operation: Operation) -> Parts {
        let body = envelope(operation.data());
        let error = r#"{"id":"err_1","data":{"error":"told to"}}"#;
        let (status, head, body, rest) = match self {
            Self::Sized => (200, head(200, &format!("Content-Length: {}\r\n", body.len())), body, ""),
            Self::Chunked => {
                let chunks = chunked(&body, 50);
                let body = chunks.strip_suffix("\r\n").expect("the end of the last chunk").to_owned();
                (200, head(200, "Transfer-Encoding: chunked\r\n"), body, "\r\n")
            }
            Self::UntilClose => (200, head(200, "Connection: close\r\n"), body, "\n"),
            Self::TooMany | Self::TimedOut | Self::Broken | Self::Elsewhere => {
                let status = match self {
                    Self::TooMany => 429,
                    Self::TimedOut => 408,
                    Self::Broken => 500,
                    _ => 302,
                };
                let headers = format!("Location: http://127.0.0.1:1/\r\nContent-Length: {}\r\n", error.len());
                (status, head(status, &headers), error.to_owned(), "")
            }
        };
        Parts { status, head, enough: body.into_bytes(), rest: rest.as_bytes().to_vec() }
    }
}

/// A response in pieces.
#[derive(Clone, Debug)]
struct Parts {
    status: u16,
    head: Vec<u8>,
    /// The part of the body that a client needs to know that it is complete.
    enough: Vec<u8>,
    rest: Vec<u8>,
}

/// The place where the exchange ends.
#[derive(Clone, Debug)]
struct Cut {
    operation: Operation,
    kind: Responses,
    parts: Arc<Parts>,
    /// The maximum number of bytes that the server reads and writes.
    most_read: usize,
    most_written: usize,
    ending: Ending,
    retries: u32,
}

/// All cuts of an exchange: after every byte of the request and of the response, by close and by reset.
fn every_cut(operation: Operation, kind: Responses, link: Link) -> Vec<Cut> {
    let parts = Arc::new(kind.parts(operation));
    let (request, response) = lengths(operation, &parts, link);
    // The request is the same for every kind of response.
    let requests = if kind == Responses::Sized { 0..request } else { 0..0 };
    cuts(
        operation,
        kind,
        &parts,
        requests.map(|read| (read, usize::MAX)),
        (0..=response).map(|written| (usize::MAX, written)),
    )
}

fn handshake_cuts(operation: Operation) -> Vec<Cut> {
    let parts = Arc::new(Responses::Sized.parts(operation));
    let (all_read, all_written) = lengths(operation, &parts, Link::TlsHandshake);
    let (read, written) = lengths(operation, &parts, Link::Tls);
    // The lengths of signatures vary.
    let (read, written) = (all_read - read + 8, all_written - written + 8);
    let kind = Responses::Sized;
    cuts(
        operation,
        kind,
        &parts,
        (0..read).map(|read| (read, usize::MAX)),
        (0..written).map(|written| (usize::MAX, written)),
    )
}

fn cuts(
    operation: Operation,
    kind: Responses,
    parts: &Arc<Parts>,
    of_request: impl Iterator<Item = (usize, usize)>,
    of_response: impl Iterator<Item = (usize, usize)>,
) -> Vec<Cut> {
    let places = of_request.chain(of_response);
    let both = places.flat_map(|place| [(place, Ending::Close), (place, Ending::Reset)]);
    both.map(|((most_read, most_written), ending)| Cut {
        operation,
        kind,
        parts: Arc::clone(parts),
        most_read,
        most_written,
        ending,
        retries: 0,
    })
    .collect()
}

/// The number of bytes that the server reads and writes if nothing is cut.
fn lengths(operation: Operation, parts: &Arc<Parts>, link: Link) -> (usize, usize) {
    let cut = Cut {
        operation,
        kind: Responses::Sized,
        parts: Arc::clone(parts),
        most_read: usize::MAX,
        most_written: usize::MAX,
        ending: Ending::Close,
        retries: 0,
    };
    let course = Course::new(link, cut);
    let client = course.server.client().build().expect("a client");
    course.warm(&client);
    let _ = operation.call(&client);
    let events = course.events();
    (events[0].read, events[0].written)
}

/// Makes every cut, on several threads, and judges the result.
fn cut_all(link: Link, mut cuts: Vec<Cut>) {
    assert!(cuts.len() > 100, "there is something to cut");
    for (index, cut) in cuts.iter_mut().enumerate() {
        // The waits before two retries take up to 1.5 s. Where most calls would be retried, a sample is.
        let is_rarely_retried =
            cut.operation.acts() && matches!(link, Link::Plain | Link::Used) && cut.kind != Responses::TooMany;
        if is_rarely_retried || index % 23 == 0 {
            cut.retries = 2;
        }
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let course = Course::new(link, cuts[0].clone());
                let mut client = course.server.client().build().expect("a client");
                while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    course.set(cut.clone());
                    if link == Link::TlsHandshake {
                        // A client that was connected before makes a shorter handshake.
                        client = course.server.client().build().expect("a client");
                    }
                    course.warm(&client);
                    let result = cut.operation.call(&client.with_retries(cut.retries));
                    judge(link, cut, &course.events(), &result);
                }
            });
        }
    });
}

/// What the server received of one request, and what it sent.
#[derive(Clone, Debug)]
struct Event {
    had_request: bool,
    sent_head: bool,
    sent_enough: bool,
    read: usize,
    written: usize,
}

/// The promise.
#[track_caller]
fn judge(link: Link, cut: &Cut, events: &[Event], result: &Result<String, Error>) {
    let Cut { operation, parts, .. } = cut;
    let told = |problem: &str| format!("{problem}: {link:?} {cut:?}\nserver: {events:?}\nclient: {result:?}");

    let whole: Vec<&Event> = events.iter().filter(|event| event.had_request).collect();
    if operation.acts() {
        let all_but_the_last = whole.len().saturating_sub(1);
        let refused = whole.iter().filter(|event| parts.status == 429 && event.sent_head).count();
        assert!(all_but_the_last <= refused, "{}", told("the server had more than one whole request"));
    }
    assert!(whole.len() <= cut.retries as usize + 1, "{}", told("the call was retried too often"));
    match result {
        Ok(_) => {
            assert!(parts.status == 200, "{}", told("the server sent no such response"));
            assert!(whole.iter().any(|event| event.sent_enough), "{}", told("the response was cut"));
        }
        Err(error) => {
            let is_refusal = parts.status == 429;
            let may_have_acted = whole.iter().any(|event| !(is_refusal && event.sent_head));
            assert!(error.may_have_sent() || !may_have_acted, "{}", told("the server had the request whole"));
            if let Some(status) = error.status() {
                assert_eq!(status, parts.status, "{}", told("the server sent no such status"));
                assert!(whole.iter().any(|event| event.sent_head), "{}", told("the head was cut"));
                // An earlier try of a read may have been lost.
                if operation.acts() || cut.retries == 0 {
                    assert_eq!(error.may_have_sent(), !is_refusal, "{}", told("the head was received"));
                }
            }
            // A status other than 2xx counts once it is received, whatever happens to the body.
            assert_eq!(matches!(error, Error::Api(_)), error.status().is_some_and(|s| s != 200), "{}", told("kind"));
            assert!(!matches!(error, Error::Decode(_)), "{}", told("a cut response is not an unreadable one"));
            let is_early = |event: &Event| event.read < LEAST_HELLO || event.written < LEAST_SERVER_FLIGHT;
            if link == Link::TlsHandshake && operation.has_body() && events.iter().all(is_early) {
                assert!(!error.may_have_sent(), "{}", told("nothing was sent in the handshake"));
            }
        }
    }
}

/// A server whose next exchange is cut where the test says.
struct Course {
    server: Server,
    link: Link,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    cut: Cut,
    /// Whether the call that succeeds was made.
    is_warm: bool,
    events: Vec<Event>,
    /// Connections whose server side is closed.
    half_open: Vec<TcpStream>,
}

impl Course {
    fn new(link: Link, cut: Cut) -> Self {
        let shared = Arc::new(Mutex::new(Shared { cut, is_warm: false, events: Vec::new(), half_open: Vec::new() }));
        let act = {
            let shared = Arc::clone(&shared);
            move |connection: &mut Connection| exchange(connection, link, &shared)
        };
        let server = Server::speaking(matches!(link, Link::Tls | Link::TlsHandshake), act);
        Self { server, link, shared }
    }

    fn set(&self, cut: Cut) {
        self.lock().cut = cut;
    }

    /// Makes the call that succeeds, if the link needs one.
    fn warm(&self, client: &Client) {
        if self.link == Link::Used {
            let operation = {
                let mut shared = self.lock();
                shared.is_warm = false;
                shared.cut.operation
            };
            operation.call(client).expect("the first call succeeds");
            self.lock().events.clear();
        }
    }

    /// Returns the events since the last call of this method.
    fn events(&self) -> Vec<Event> {
        self.server.settle();
        let mut shared = self.lock();
        shared.half_open.clear();
        std::mem::take(&mut shared.events)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exchange(connection: &mut Connection, link: Link, shared: &Mutex<Shared>) {
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let cut = lock().cut.clone();
    match link {
        Link::Used => {
            if !std::mem::replace(&mut lock().is_warm, true) {
                connection.request();
                connection.send(answer(200, "", envelope(cut.operation.data())));
            }
            connection.limit(cut.most_read, cut.most_written);
        }
        Link::Tls => {
            connection.shake_hands();
            connection.limit(cut.most_read, cut.most_written);
        }
        Link::Plain | Link::TlsHandshake => connection.limit(cut.most_read, cut.most_written),
    }
    let had_request = connection.request().is_some();
    let sent_head = had_request && connection.send(&cut.parts.head);
    let sent_enough = sent_head && connection.send(&cut.parts.enough);
    if sent_enough && connection.send(&cut.parts.rest) {
        connection.say_goodbye();
    }
    let (read, written) = connection.traffic();
    let mut shared = lock();
    shared.events.push(Event { had_request, sent_head, sent_enough, read, written });
    shared.half_open.extend(connection.end(cut.ending));
}

/// The number of threads that call. They mostly wait for each other.
const WORKERS: usize = 8;

/// Fewer bytes than the first flight of a client has, and than that of a server with its certificate.
/// Until both are complete, no client can send a request.
const LEAST_HELLO: usize = 150;
const LEAST_SERVER_FLIGHT: usize = 400;

#[test]
fn ten_thousand_random_faults() {
    if let Some(seed) = std::env::var(SEED).ok().map(|seed| seed.parse().expect("a number")) {
        return play(&Sandbox::start().expect("a sandbox"), 0, seed);
    }
    let first = fastrand::u64(..);
    println!("the seeds of the scripts start at {first}");
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        // Most of them sleep before a retry.
        for _ in 0..4 * WORKERS {
            scope.spawn(|| {
                // A fault hits the next call of any thread, so each thread has its own sandbox.
                let sandbox = Sandbox::start().expect("a sandbox");
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= SCRIPTS {
                        break;
                    }
                    play(&sandbox, index, first.wrapping_add(index as u64));
                }
            });
        }
    });
}

/// Plays one script: some faults, and a call that they hit.
fn play(sandbox: &Sandbox, index: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let number = format!("+1415{:07}", 2_000_000 + index);
    // The waits before retries are real, so a quarter of the scripts retries.
    let retries = if random.u8(..4) == 0 { random.u32(1..=3) } else { 0 };
    let client = sandbox.client().with_retries(retries);
    let resent = random.bool().then(|| {
        let sent =
            NewOtp::to(number.as_str()).language("en").name("MyApp").send(&client).expect("no fault is queued yet");
        sent.otp_id
    });
    let client = if random.u8(..32) == 0 { client.with_timeout(Duration::from_millis(15)) } else { client };
    let faults: Vec<Fault> = (0..random.usize(1..=4)).map(|_| fault(&mut random)).collect();
    for fault in &faults {
        sandbox.fail_next(fault.clone());
    }

    let before = sandbox.deliveries(number.as_str());
    let result = match &resent {
        None => NewOtp::to(number.as_str()).language("en").name("MyApp").send(&client).map(|_| ()),
        Some(id) => ResendOtp::otp_id(id).send(&client).map(|_| ()),
    };
    // A call that timed out may still be on its way to the service.
    if matches!(&result, Err(error) if error.is_timeout()) {
        thread::sleep(Duration::from_millis(100));
    }
    let texts = sandbox.deliveries(number.as_str()) - before;

    let told = || format!("{texts} texts; rerun with {SEED}={seed}\n{client:?}\n{faults:?}\n{result:?}");
    assert!(texts <= 1, "one call, {}", told());
    match &result {
        Ok(()) => assert_eq!(texts, 1, "sent, {}", told()),
        Err(error) => assert!(texts == 0 || error.may_have_sent(), "nothing was sent, {}", told()),
    }
    sandbox.reset();
}

/// Any fault other than a lie: a service that acts and then returns that it refuses to.
fn fault(random: &mut fastrand::Rng) -> Fault {
    let any = |random: &mut fastrand::Rng, from: &[u16]| from[random.usize(..from.len())];
    match random.u8(..12) {
        0..=2 => Fault::status(429).retry_after(Duration::ZERO).into(),
        3 => Fault::status(any(random, &[300, 302, 303, 307, 308, 408])).after_acting().into(),
        4 => Fault::status(any(random, &[500, 502, 503, 504, 599])).into(),
        5 => Fault::status(any(random, &[500, 502, 503, 504, 599])).after_acting().into(),
        6 => Fault::status(any(random, &[302, 307, 400, 401, 403, 404, 408, 413, 421, 425, 451])).into(),
        7 => Fault::drop_before(),
        8 => Fault::drop_after(),
        9 => Fault::half(),
        10 => Fault::garbage(),
        _ => Fault::delay(Duration::from_millis(random.u64(..30))),
    }
}

const SCRIPTS: usize = 10_000;

/// The environment variable with the seed of a single script to play.
const SEED: &str = "CONTIGUITY_TEST_SEED";
