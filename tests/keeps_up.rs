//! A client that many threads share for a long time: every call gets its own response, nothing blocks,
//! and connections are neither hoarded nor reused after the server closed them.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use contiguity::sandbox::Sandbox;
use contiguity::{Client, Error, NewOtp, OtpId, PhoneNumber, VerifyOtp};

use support::{Connection, KEY, Operation, PATIENCE, Server, answer, envelope};

#[test]
fn every_result_is_accounted_for() {
    let sent = Arc::new(Count::default());
    let server = Server::plain({
        let sent = Arc::clone(&sent);
        let next = AtomicUsize::new(0);
        move |connection| {
            while let Some(request) = connection.request() {
                let (counter, bytes) = match next.fetch_add(1, Ordering::Relaxed) % 13 {
                    3 => (&sent.broken, answer(500, "", "")),
                    5 | 6 => (&sent.too_many, answer(429, "Retry-After: 0\r\n", "")),
                    9 => {
                        sent.lost.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    _ => {
                        // The response names the number of the request, so that mixed-up responses show.
                        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
                        let data = format!(r#"{{"otp_id":{}}}"#, body["to"]);
                        (&sent.good, answer(200, "", envelope(&data)))
                    }
                };
                counter.fetch_add(1, Ordering::Relaxed);
                connection.send(bytes);
            }
        }
    });
    let client = server.client().timeout(PATIENCE).build().expect("a client");
    let got = Count::default();
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let (client, got) = (client.clone(), &got);
            scope.spawn(move || {
                for call in 0..CALLS {
                    let number = format!("+1415{worker}{call:06}");
                    match NewOtp::to(number.as_str()).language("en").name("MyApp").send(&client) {
                        Ok(sent) => {
                            assert_eq!(sent.otp_id.as_str(), number, "the response to another call");
                            got.good.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Error::Api(error)) if error.status() == 500 => {
                            got.broken.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Error::Api(error)) if error.status() == 429 => {
                            got.too_many.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Error::Transport(_)) => {
                            got.lost.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => panic!("the server sent no such response: {error}"),
                    }
                }
            });
        }
    });
    let [good, broken, lost, too_many] = got.all();
    assert_eq!(good + broken + lost + too_many, THREADS * CALLS, "every call has a result");
    let sent = sent.all();
    assert_eq!([good, broken, lost], sent[..3], "every response has a call: {got:?}");
    assert!(too_many <= sent[3], "a call gives up on a 429 only when there was one");
    assert_eq!(server.requests().len(), sent.iter().sum::<usize>());
    assert!(server.connections() <= THREADS + lost, "{} connections", server.connections());
}

#[derive(Debug, Default)]
struct Count {
    good: AtomicUsize,
    broken: AtomicUsize,
    lost: AtomicUsize,
    too_many: AtomicUsize,
}

impl Count {
    fn all(&self) -> [usize; 4] {
        [&self.good, &self.broken, &self.lost, &self.too_many].map(|count| count.load(Ordering::Relaxed))
    }
}

#[test]
fn one_connection_serves_calls_in_a_row() {
    for is_tls in [false, true] {
        let server = Server::speaking(is_tls, |connection| {
            while connection.request().is_some() {
                connection.send(answer(200, "", envelope(Operation::New.data())));
            }
        });
        let client = server.client().pool_idle_timeout(PATIENCE).build().expect("a client");
        for _ in 0..200 {
            Operation::New.call(&client).expect("a good response");
        }
        let other_limits = client.with_retries(0).with_timeout(PATIENCE);
        for _ in 0..10 {
            Operation::New.call(&other_limits).expect("a good response");
        }
        assert_eq!(server.connections(), 1, "clones share the pool");
    }
}

#[test]
fn no_more_connections_than_threads() {
    let server = Server::plain(|connection| {
        while connection.request().is_some() {
            // Long enough for the calls of a burst to overlap.
            thread::sleep(Duration::from_millis(20));
            connection.send(answer(200, "", envelope(Operation::New.data())));
        }
    });
    let client = server.client().pool_idle_timeout(PATIENCE).build().expect("a client");
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..10 {
                    start.wait();
                    for _ in 0..3 {
                        Operation::New.call(&client).expect("a good response");
                    }
                }
            });
        }
    });
    assert!(server.connections() <= THREADS, "{} connections for {THREADS} threads", server.connections());
}

#[test]
fn a_connection_that_was_closed_while_idle_fails_no_call() {
    for is_tls in [false, true] {
        for says_goodbye in [false, true] {
            let server = Server::speaking(is_tls, move |connection| {
                connection.request();
                // The response does not announce that the connection closes.
                connection.send(answer(200, "Keep-Alive: timeout=60\r\n", envelope(Operation::New.data())));
                if says_goodbye {
                    connection.say_goodbye();
                }
            });
            let client = server.client().pool_idle_timeout(PATIENCE).retries(0).build().expect("a client");
            for call in 0..12 {
                let result = Operation::New.call(&client);
                assert!(result.is_ok(), "call {call}, TLS {is_tls}: {result:?}");
                // The pause begins once the server has closed the connection.
                server.settle();
                thread::sleep(Duration::from_millis(50));
            }
            assert_eq!(server.requests().len(), 12);
        }
    }
}

#[test]
fn no_proxy_delays_a_call_beyond_its_timeout() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    /// For a machine that is busy. Without the timeout, each call takes several times as long.
    const MARGIN: Duration = Duration::from_secs(3);

    type Behavior = fn(&mut Connection);
    let behaviors: [(&str, &str, Behavior); 4] = [
        ("silent", "http", Connection::wait_for_the_end),
        ("silent in its own TLS handshake", "https", Connection::wait_for_the_end),
        ("drips a status line", "http", |connection| drip(connection, b"HTTP/1.1 200 ", b"x")),
        ("connects and drips a TLS record", "http", |connection| {
            drip(connection, b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\x3f\xff", b"\x0b");
        }),
    ];
    // Either limit holds: the one for connecting and the one for the whole call.
    let limits = [(PATIENCE, TIMEOUT), (TIMEOUT, PATIENCE)];
    thread::scope(|scope| {
        for (name, scheme, act) in behaviors {
            for (timeout, connect_timeout) in limits {
                for operation in [Operation::New, Operation::Status] {
                    scope.spawn(move || {
                        let proxy = Server::plain(move |connection| {
                            connection.request();
                            act(connection);
                        });
                        let url = proxy.url().replace("http", scheme);
                        let client = Client::builder(KEY).base_url("https://api.example.test").proxy(url).retries(0);
                        let client = client.timeout(timeout).connect_timeout(connect_timeout);
                        let client = client.build().expect("a client");
                        let began = Instant::now();
                        let error = operation.call(&client).expect_err("nothing came of it");
                        let took = began.elapsed();
                        assert!(took < TIMEOUT + MARGIN, "{name}: {operation:?} took {took:?}");
                        assert!(error.is_timeout() && !error.may_have_sent(), "{name}: {error}");
                    });
                }
            }
        }
    });
}

/// Sends `start`, and then `step` again and again until the client is gone, for up to 10 seconds.
fn drip(connection: &mut Connection, start: &[u8], step: &[u8]) {
    connection.send(start);
    for _ in 0..200 {
        thread::sleep(Duration::from_millis(50));
        if !connection.send(step) {
            return;
        }
    }
}

#[test]
fn calls_inside_a_tokio_runtime() {
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let several =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for runtime in [&current, &several] {
        runtime.block_on(async {
            let sandbox = Sandbox::start().expect("a sandbox");
            let number = PhoneNumber::parse("+14155552671").expect("a number");
            let client = sandbox.client();
            let sent = NewOtp::to(number).language("en").name("MyApp").send(&client).expect("a text");
            let code = sandbox.phone(number).last_message().expect("a text").code;
            let id: OtpId = sent.otp_id;
            // As the docs of the client recommend.
            let check = tokio::task::spawn_blocking(move || VerifyOtp::otp_id(id).otp(code).send(&client));
            assert!(check.await.expect("no panic").expect("a response").verified);
        });
    }
    several.block_on(async {
        let server = Server::tls(|connection| {
            connection.request();
            connection.send(answer(200, "", envelope(Operation::New.data())));
        });
        let client = server.client().build().expect("a client");
        let call = tokio::spawn(async move { Operation::New.call(&client) });
        call.await.expect("no panic").expect("a good response");
    });
}

const THREADS: usize = 8;

const CALLS: usize = 500;
