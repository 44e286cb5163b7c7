//! No response answers another call: a connection on which anything arrived after a response is not
//! used again.
//!
//! Each server here sends a second response that the client did not ask for. It says that the code
//! was correct. If the client kept the connection, that response would be the result of the next
//! call.

#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::sync::mpsc;

use contiguity::{Client, ClientBuilder, Error, Verification, VerifyOtp};

use proxy::Proxy;
use support::{CODE, Connection, PATIENCE, Server, answer, envelope};

#[test]
fn plain_http() {
    assert_no_stray_is_used(false, Server::client);
}

#[test]
fn rustls() {
    assert_no_stray_is_used(true, Server::client);
}

#[test]
fn rustls_through_a_proxy() {
    // What the proxy passes on at once.
    for pad in [0, 500, 3_000] {
        for following in [Following::SameRecord, Following::NextRecord, Following::Cut(60), Following::AlmostWhole] {
            let name = format!("{following:?} through a proxy");
            let client = |server: &Server| {
                let proxy = Proxy::start(server.address.port());
                server.client().proxy(format!("http://127.0.0.1:{}", proxy.port))
            };
            assert_stray_is_not_used(true, pad, &name, client, move |connection, stray| {
                following.send(connection, &answer(200, "", wrong(0)), stray)
            });
        }
    }
}

#[test]
#[cfg(feature = "native-tls")]
fn native_tls() {
    assert_no_stray_is_used(true, |server| server.client().tls(contiguity::Tls::NativeTls));
}

/// A TLS library decrypts whole records. What does not fit into the client's buffer stays in the
/// library.
#[test]
fn a_head_and_body_that_fill_the_buffer_exactly() {
    for is_tls in [false, true] {
        for size in BUFFERS {
            assert_stray_is_not_used(is_tls, 0, &format!("a buffer of {size} bytes"), Server::client, {
                move |connection, stray| {
                    // The head stays in the buffer until its end arrives, in the record that also
                    // holds the rest.
                    let head_length = 60 * 1024;
                    let body = wrong(size - head_length - wrong(0).len());
                    let mut head = support::head(200, &format!("Content-Length: {}\r\nX-Pad: ", body.len()));
                    head.truncate(head.len() - 2);
                    head.resize(head_length - 4, b'x');
                    let end = [b"\r\n\r\n", body.as_bytes(), stray].concat();
                    send_together(connection, &[&head, &end]);
                    Vec::new()
                }
            });
        }
    }
}

#[test]
fn a_trailer_that_fills_the_buffer_exactly() {
    for is_tls in [false, true] {
        for size in BUFFERS {
            assert_stray_is_not_used(is_tls, 0, &format!("a buffer of {size} bytes"), Server::client, {
                move |connection, stray| {
                    let body = support::chunked(&wrong(0), 100);
                    let body = body.strip_suffix("\r\n").expect("the empty line at the end");
                    let start = [&support::head(200, "Transfer-Encoding: chunked\r\n"), body.as_bytes()].concat();
                    // The trailer stays in the buffer until its end arrives.
                    let trailer = format!("X-Pad: {}\r\n\r\n", "x".repeat(size - 11));
                    let (trailer, end) = trailer.as_bytes().split_at(size - 1_000);
                    send_together(connection, &[&start, trailer, &[end, stray].concat()]);
                    Vec::new()
                }
            });
        }
    }
}

#[test]
fn ordinary_calls_share_a_connection() {
    for is_tls in [false, true] {
        let server = Server::speaking(is_tls, |connection| {
            let mut call = 0;
            while connection.request().is_some() {
                call += 1;
                let response = answer(200, "", wrong(PADS[call % PADS.len()]));
                // In one record, in two records of one write, or in two writes.
                let (start, end) = response.split_at(response.len() / 2);
                match call % 3 {
                    0 => send_together(connection, &[&response]),
                    1 => send_together(connection, &[start, end]),
                    _ => {
                        connection.send(start);
                        connection.send(end);
                    }
                }
            }
        });
        let choices = [
            server.client(),
            #[cfg(feature = "native-tls")]
            server.client().tls(contiguity::Tls::NativeTls),
        ];
        for (number, client) in choices.into_iter().enumerate() {
            let client = client.pool_idle_timeout(PATIENCE).build().expect("a client");
            for _ in 0..20 {
                assert!(!verify(&client).expect("a response").verified);
            }
            assert_eq!(server.connections(), number + 1, "TLS: {is_tls}");
        }
    }
}

/// How the second response follows the first.
#[derive(Clone, Copy, Debug)]
enum Following {
    /// In the same TLS record, as far as one record has room.
    SameRecord,
    /// In a record of its own, in the same write.
    NextRecord,
    /// In a record of its own, as soon as the first has left.
    NextWrite,
    /// Only this many of its first bytes on the wire. The rest follows the next request.
    Cut(usize),
    /// All but the last byte. The last byte follows the next request.
    AlmostWhole,
}

impl Following {
    const ALL: [Self; 9] = [
        Self::SameRecord,
        Self::NextRecord,
        Self::NextWrite,
        Self::Cut(1),
        Self::Cut(4),
        Self::Cut(5),
        Self::Cut(6),
        Self::Cut(60),
        Self::AlmostWhole,
    ];

    /// Sends the first response and what this says of the second one. Returns the rest.
    fn send(self, connection: &mut Connection, first: &[u8], second: &[u8]) -> Vec<u8> {
        match self {
            Self::SameRecord => send_together(connection, &[&[first, second].concat()]),
            Self::NextRecord => send_together(connection, &[first, second]),
            Self::NextWrite => {
                connection.send(first);
                connection.send(second);
            }
            Self::Cut(_) | Self::AlmostWhole => {
                let mut bytes = connection.encode(&[first]);
                let mut second = connection.encode(&[second]);
                let length = if let Self::Cut(length) = self { length } else { second.len() - 1 };
                let rest = second.split_off(length);
                bytes.append(&mut second);
                connection.send_encoded(&bytes);
                return rest;
            }
        }
        Vec::new()
    }
}

#[track_caller]
fn assert_no_stray_is_used(is_tls: bool, client: impl Fn(&Server) -> ClientBuilder) {
    for pad in PADS {
        for following in Following::ALL {
            assert_stray_is_not_used(is_tls, pad, &format!("{following:?}"), &client, move |connection, stray| {
                following.send(connection, &answer(200, "", wrong(0)), stray)
            });
        }
    }
}

/// Makes two calls with a wrong code. `respond` sends the first response and as much as it likes of
/// the second one, and returns the bytes to send when another request arrives on the same
/// connection.
#[track_caller]
fn assert_stray_is_not_used(
    is_tls: bool,
    pad: usize,
    name: &str,
    client: impl FnOnce(&Server) -> ClientBuilder,
    respond: impl Fn(&mut Connection, &[u8]) -> Vec<u8> + Send + Sync + 'static,
) {
    let (sender, sent) = mpsc::channel();
    let server = Server::speaking(is_tls, move |connection| {
        if connection.request().is_none() {
            return;
        }
        let rest = respond(connection, &answer(200, "", envelope(&data(true, pad))));
        let _ = sender.send(());
        while connection.request().is_some() {
            connection.send_encoded(&rest);
            connection.send(answer(200, "", wrong(0)));
        }
    });
    let client = client(&server).pool_idle_timeout(PATIENCE).build().expect("a client");
    let case = format!("TLS: {is_tls}, {pad} more bytes, {name}");
    for _ in 0..2 {
        // An error is right too: not every buffer has room for the longest trailers.
        let is_verified = verify(&client).is_ok_and(|check| check.proof().is_ok());
        assert!(!is_verified, "a wrong code is verified by the response to no request ({case})");
        sent.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the connection was used again ({case})"));
    }
}

fn verify(client: &Client) -> Result<Verification, Error> {
    VerifyOtp::otp_id("otp_1").otp(CODE).send(client)
}

/// The body of a response to a wrong code, with a pad of this many bytes.
fn wrong(pad: usize) -> String {
    envelope(&data(false, pad))
}

fn data(verified: bool, pad: usize) -> String {
    format!(r#"{{"verified":{verified},"pad":"{}"}}"#, "x".repeat(pad))
}

/// Sends each part in TLS records of its own, all in a single write.
fn send_together(connection: &mut Connection, parts: &[&[u8]]) {
    let bytes = connection.encode(parts);
    connection.send_encoded(&bytes);
}

/// How much the second response is longer than it needs to be. A client that reads up to 4,096 or
/// 16,384 bytes at a time has no more than a part of the longer ones.
const PADS: [usize; 7] = [0, 500, 3_000, 4_000, 6_000, 20_000, 100_000];

/// Sizes that the client's buffer may have.
const BUFFERS: [usize; 5] = [64 * 1024, 72 * 1024, 80 * 1024, 96 * 1024, 128 * 1024];
