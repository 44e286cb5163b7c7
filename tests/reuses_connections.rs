//! Connections and TLS sessions are used again where that is safe, and idle connections do not pile
//! up.

mod support;

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use contiguity::Client;

use support::{Operation, PATIENCE, Server, answer, envelope};

#[test]
fn clients_with_another_timeout_resume_tls_sessions() {
    let handshakes = Arc::new(Mutex::new(Vec::new()));
    let server = Server::tls({
        let handshakes = Arc::clone(&handshakes);
        move |connection| {
            connection.request();
            handshakes.lock().expect("no panic").push(connection.is_resumed().expect("a handshake"));
            connection.send(answer(200, "Connection: close\r\n", envelope(Operation::New.data())));
        }
    });
    let client = server.client().build().expect("a client").with_timeout(PATIENCE);
    for _ in 0..20 {
        Operation::New.call(&client).expect("a response");
    }
    let handshakes = handshakes.lock().expect("no panic");
    assert_eq!(handshakes.len(), 20);
    assert_eq!(handshakes.iter().filter(|is_resumed| !**is_resumed).count(), 1, "full handshakes");
}

#[test]
fn a_status_read_uses_a_connection_that_is_too_old_for_other_calls() {
    for is_tls in [false, true] {
        let server = server(is_tls);
        let client = server.client().pool_idle_timeout(SHORT).build().expect("a client");
        for (operation, connections) in [
            (Operation::New, 1),
            (Operation::Status, 1),
            (Operation::Status, 1),
            // Acts, and finds none that is fresh.
            (Operation::Cancel, 2),
            (Operation::Status, 2),
            (Operation::New, 3),
        ] {
            operation.call(&client).expect("a response");
            assert_eq!(server.connections(), connections, "{operation:?}, TLS: {is_tls}");
            thread::sleep(3 * SHORT);
        }
        // The one that was too old is not kept for a later status read either.
        server.wait_for_open(1);
    }
}

#[test]
fn a_pool_idle_timeout_of_zero_keeps_no_connection() {
    let server = server(false);
    let client = server.client().pool_idle_timeout(Duration::ZERO).build().expect("a client");
    for (index, operation) in [Operation::New, Operation::Status, Operation::Status].into_iter().enumerate() {
        operation.call(&client).expect("a response");
        assert_eq!(server.connections(), index + 1, "{operation:?}");
        server.wait_for_open(0);
    }
}

#[test]
fn connections_that_idle_too_long_are_closed_by_the_next_call() {
    let (server, client) = after_a_burst_of(5, SHORT);
    server.wait_for_open(5);
    thread::sleep(3 * SHORT);
    Operation::New.call(&client).expect("a response");
    server.wait_for_open(1);
}

#[test]
fn a_hundred_idle_connections_are_kept() {
    let (server, _client) = after_a_burst_of(110, PATIENCE);
    server.wait_for_open(100);
}

/// A server, and a client that has made this many calls at the same time.
fn after_a_burst_of(calls: usize, pool_idle_timeout: Duration) -> (Server, Client) {
    let all = Barrier::new(calls);
    let is_first = Mutex::new(calls);
    let server = Server::plain(move |connection| {
        while connection.request().is_some() {
            let mut left = is_first.lock().expect("no panic");
            let is_burst = *left > 0;
            *left = left.saturating_sub(1);
            drop(left);
            if is_burst {
                all.wait();
            }
            connection.send(answer(200, "", envelope(Operation::New.data())));
        }
    });
    let client = server.client().timeout(PATIENCE).pool_idle_timeout(pool_idle_timeout).build().expect("a client");
    thread::scope(|scope| {
        for _ in 0..calls {
            scope.spawn(|| Operation::New.call(&client).expect("a response"));
        }
    });
    (server, client)
}

/// A server that responds to every operation.
fn server(is_tls: bool) -> Server {
    Server::speaking(is_tls, |connection| {
        while let Some(request) = connection.request() {
            let operation = if request.head.starts_with("GET") {
                Operation::Status
            } else if request.body.is_empty() {
                Operation::Cancel
            } else {
                Operation::New
            };
            connection.send(answer(200, "", envelope(operation.data())));
        }
    })
}

/// A time for which a connection may be idle.
const SHORT: Duration = Duration::from_millis(60);
