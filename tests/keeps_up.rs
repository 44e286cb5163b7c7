//! A client that many threads share, that lives long, and that is called in odd places: every call gets its own answer,
//! nothing blocks for ever, and connections are neither hoarded nor used when they are dead.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use contiguity::sandbox::Sandbox;
use contiguity::{Error, NewOtp, OtpId, PhoneNumber, VerifyOtp};

use support::{Operation, PATIENCE, Server, answer, envelope};

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
                        // The answer names the number that was asked for: no thread may get another's.
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
                        Ok(answer) => {
                            assert_eq!(answer.otp_id.as_str(), number, "the answer of another call");
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
                        Err(error) => panic!("no such answer was given: {error}"),
                    }
                }
            });
        }
    });
    let [good, broken, lost, too_many] = got.all();
    assert_eq!(good + broken + lost + too_many, THREADS * CALLS, "every call has a result");
    let sent = sent.all();
    assert_eq!([good, broken, lost], sent[..3], "every answer has a call: {got:?}");
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
            Operation::New.call(&client).expect("a good answer");
        }
        let other_limits = client.with_retries(0).with_timeout(PATIENCE);
        for _ in 0..10 {
            Operation::New.call(&other_limits).expect("a good answer");
        }
        assert_eq!(server.connections(), 1, "clones share the pool");
    }
}

#[test]
fn no_more_connections_than_threads() {
    let server = Server::plain(|connection| {
        while connection.request().is_some() {
            // Long enough for the calls of a burst to meet.
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
                        Operation::New.call(&client).expect("a good answer");
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
                // Nothing says that the connection will close.
                connection.send(answer(200, "Keep-Alive: timeout=60\r\n", envelope(Operation::New.data())));
                if says_goodbye {
                    connection.say_goodbye();
                }
            });
            let client = server.client().pool_idle_timeout(PATIENCE).retries(0).build().expect("a client");
            for call in 0..12 {
                let result = Operation::New.call(&client);
                assert!(result.is_ok(), "call {call}, TLS {is_tls}: {result:?}");
                // The pause begins when the server has closed, however busy this machine is.
                server.settle();
                thread::sleep(Duration::from_millis(50));
            }
            assert_eq!(server.requests().len(), 12);
        }
    }
}

#[test]
fn connections_are_not_kept_longer_than_allowed() {
    let server = Server::answering(answer(200, "", envelope(Operation::New.data())));
    let client = server.client().pool_idle_timeout(Duration::from_millis(50)).build().expect("a client");
    for _ in 0..3 {
        Operation::New.call(&client).expect("a good answer");
        thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(server.connections(), 3);

    let client = server.client().pool_idle_timeout(Duration::ZERO).build().expect("a client");
    for _ in 0..3 {
        Operation::New.call(&client).expect("a good answer");
    }
    assert_eq!(server.connections(), 6);
}

#[test]
fn unread_bytes_do_not_reach_the_next_call() {
    let server = Server::plain(|connection| {
        let mut call = 0;
        while connection.request().is_some() {
            call += 1;
            let good = answer(200, "", envelope(r#"{"otp_id":"otp_good"}"#));
            let stray = answer(200, "", envelope(r#"{"otp_id":"otp_stray"}"#));
            connection.send(if call == 1 { [good, stray].concat() } else { good });
        }
    });
    let client = server.client().build().expect("a client");
    for _ in 0..5 {
        let answer = Operation::New.call(&client).expect("a good answer");
        assert!(answer.contains("otp_good"), "{answer}");
        thread::sleep(Duration::from_millis(20));
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
            // As programs should, and as the client's docs say.
            let check = tokio::task::spawn_blocking(move || VerifyOtp::otp_id(id).otp(code).send(&client));
            assert!(check.await.expect("no panic").expect("an answer").verified);
        });
    }
    several.block_on(async {
        let server = Server::tls(|connection| {
            connection.request();
            connection.send(answer(200, "", envelope(Operation::New.data())));
        });
        let client = server.client().build().expect("a client");
        let call = tokio::spawn(async move { Operation::New.call(&client) });
        call.await.expect("no panic").expect("a good answer");
    });
}

const THREADS: usize = 8;

const CALLS: usize = 500;
