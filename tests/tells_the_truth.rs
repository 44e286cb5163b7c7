//! Every error says what happened: what kind it is, whether the service may have acted, whether trying again is safe; and
//! every call ends, in its time, whatever the other side does.
//!
//! Each row of the design's delivery table, against real sockets.

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use contiguity::{Client, ClientBuilder, Error, NewOtp, VerifyOtp, VerifyReverseOtp};
use socket2::{Domain, SockAddr, Socket, Type};

use support::{Connection, Ending, KEY, NUMBER, Operation, PATIENCE, Server, answer, chunked, envelope, head};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Transport,
    Api,
    Decode,
}

/// What an error says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    kind: Kind,
    status: Option<u16>,
    is_timeout: bool,
    is_retryable: bool,
    may_have_sent: bool,
}

impl Told {
    fn by(error: &Error) -> Self {
        let kind = match error {
            Error::Transport(_) => Kind::Transport,
            Error::Api(_) => Kind::Api,
            Error::Decode(_) => Kind::Decode,
            other => panic!("the call did not get as far as the network: {other}"),
        };
        let (status, is_timeout) = (error.status(), error.is_timeout());
        Self { kind, status, is_timeout, is_retryable: error.is_retryable(), may_have_sent: error.may_have_sent() }
    }

    fn timed_out(self) -> Self {
        Self { is_timeout: true, ..self }
    }
}

/// Nothing was sent, and the next try may succeed.
const UNSENT: Told =
    Told { kind: Kind::Transport, status: None, is_timeout: false, is_retryable: true, may_have_sent: false };

/// Nothing was sent, and nothing would be the next time.
const REFUSED: Told = Told { is_retryable: false, ..UNSENT };

/// The request may have arrived, and no answer came back. Only what reads is repeated.
fn lost(operation: Operation) -> Told {
    Told { is_retryable: !operation.acts(), may_have_sent: true, ..UNSENT }
}

/// The same once the head of a 200 was there.
fn lost_after_head(operation: Operation) -> Told {
    Told { status: Some(200), ..lost(operation) }
}

fn api(operation: Operation, status: u16) -> Told {
    let is_fault = (500..600).contains(&status);
    Told {
        kind: Kind::Api,
        status: Some(status),
        is_timeout: false,
        is_retryable: status == 429 || (is_fault && !operation.acts()),
        may_have_sent: is_fault,
    }
}

fn unreadable(status: u16) -> Told {
    Told { kind: Kind::Decode, status: Some(status), is_timeout: false, is_retryable: false, may_have_sent: true }
}

/// Makes a call that fails, once and without repeats, and holds what the error says against `expected`.
#[track_caller]
fn fails(operation: Operation, client: ClientBuilder, expected: Told) -> Error {
    let client = client.retries(0).build().expect("a client");
    let began = Instant::now();
    let result = operation.call(&client);
    let took = began.elapsed();
    let error = result.expect_err("the call must fail");
    assert_eq!(Told::by(&error), expected, "{operation:?}: {error}");
    assert!(took < PATIENCE / 2, "{operation:?} took {took:?}: {error}");
    let in_words = if error.may_have_sent() { "did not act" } else { "may have acted" };
    assert!(!error.to_string().contains(in_words), "{error}");
    assert!(error.is_retryable() || !error.to_string().contains("again"), "{error}");
    error
}

/// One operation with a body, the one that acts without, and the one that reads.
const EACH: [Operation; 3] = [Operation::New, Operation::Cancel, Operation::Status];

/// Enough for an exchange on loopback on a busy machine, and little to wait for.
const SHORT: Duration = Duration::from_millis(700);

mod before_anything_is_sent {
    use super::*;

    #[test]
    fn no_such_host() {
        for operation in EACH {
            // RFC 6761 §6.4: nothing below .invalid ever resolves. A system without a network may take its time to say so.
            let client = Client::builder(KEY).base_url("http://nobody.invalid").allow_insecure_http();
            let client = client.timeout(SHORT).retries(0).build().expect("a client");
            let error = operation.call(&client).expect_err("there is no such host");
            assert_eq!(Told { is_timeout: false, ..Told::by(&error) }, UNSENT, "{error}");

            // A label longer than 63 characters is no name at all (RFC 1035 §2.3.4): no system asks for it.
            let url = format!("http://{}.invalid", "a".repeat(64));
            fails(operation, Client::builder(KEY).base_url(url).allow_insecure_http(), UNSENT);
        }
    }

    #[test]
    fn nobody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        for operation in EACH {
            let error = fails(operation, Client::builder(KEY).base_url(url.as_str()), UNSENT);
            // What the operating system said is kept.
            let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
            assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused), "{error}");
        }
    }

    #[test]
    fn nobody_accepts() {
        let full = Full::new();
        for operation in EACH {
            let client = Client::builder(KEY).base_url(full.url()).connect_timeout(SHORT);
            fails(operation, client, UNSENT.timed_out());
            // The time of the whole call may be the shorter one.
            let client = Client::builder(KEY).base_url(full.url()).timeout(SHORT);
            fails(operation, client, UNSENT.timed_out());
        }
    }

    /// A listener that lets nobody in: its queue is full, and connecting takes as long as one likes.
    struct Full {
        address: SocketAddr,
        _listener: Socket,
        _queue: Vec<Socket>,
    }

    impl Full {
        fn new() -> Self {
            let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            listener.bind(&any.into()).expect("a port");
            listener.listen(0).expect("a listener");
            let address = listener.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
            let mut queue = Vec::new();
            // How many fit is the system's business: connect until one has to wait.
            loop {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                let result = socket.connect_timeout(&SockAddr::from(address), Duration::from_millis(500));
                queue.push(socket);
                if result.is_err() {
                    return Self { address, _listener: listener, _queue: queue };
                }
                assert!(queue.len() < 1000, "the queue never fills");
            }
        }

        fn url(&self) -> String {
            format!("http://{}", self.address)
        }
    }

    #[test]
    fn the_handshake_is_never_answered() {
        for operation in EACH {
            let server = Server::tls(Connection::wait_for_the_end);
            fails(operation, server.client().connect_timeout(SHORT), UNSENT.timed_out());
            fails(operation, server.client().timeout(SHORT), UNSENT.timed_out());
            assert_eq!(server.requests().len(), 0);
        }
    }

    #[test]
    fn the_handshake_is_cut() {
        for operation in EACH {
            for ending in [Ending::Close, Ending::Reset] {
                let server = Server::tls(move |connection| {
                    connection.limit(100, 0);
                    connection.request();
                    let half_open = connection.end(ending);
                    if half_open.is_some() {
                        connection.wait_for_the_end();
                    }
                });
                // Without a body nothing tells a cut handshake from a cut exchange: that counts as sent.
                let expected = if operation.has_body() { UNSENT } else { lost(operation) };
                fails(operation, server.client(), expected);
                assert_eq!(server.requests().len(), 0);
            }
        }
    }

    #[test]
    fn the_certificate_is_refused() {
        for operation in EACH {
            let server = Server::tls(|connection| drop(connection.request()));
            // Mozilla's authorities do not know it.
            fails(operation, Client::builder(KEY).base_url(server.url()), REFUSED);
            server.settle();
            assert_eq!(server.requests().len(), 0);
        }
    }

    #[test]
    fn the_certificate_is_for_another_host() {
        for operation in EACH {
            let server = Server::tls(|connection| drop(connection.request()));
            let url = format!("https://other.localhost:{}", server.address.port());
            fails(operation, server.client().base_url(url), REFUSED);
            server.settle();
            assert_eq!(server.requests().len(), 0);
        }
    }

    #[test]
    fn the_server_does_not_speak_tls() {
        for operation in EACH {
            let server = Server::plain(|connection| {
                connection.send(answer(400, "", "speak TLS? I do not"));
                connection.wait_for_the_end();
            });
            let client = Client::builder(KEY).base_url(server.url().replace("http:", "https:"));
            // Without a body nothing tells a message in the handshake from a later one: that counts as sent.
            fails(operation, client, if operation.has_body() { REFUSED } else { lost(operation) });
        }
    }

    #[test]
    fn the_proxy_refuses() {
        for status in [403, 407, 502] {
            for operation in EACH {
                let proxy = Server::answering(answer(status, "", ""));
                let client = Client::builder(KEY).base_url("https://nobody.invalid").proxy(proxy.url());
                let error = fails(operation, client, UNSENT);
                assert!(!error.may_have_sent());
                let asked = proxy.requests();
                assert_eq!(asked.len(), 1);
                assert!(asked[0].head.starts_with("CONNECT nobody.invalid:443 "), "{}", asked[0].head);
                assert!(!asked[0].head.contains(KEY), "the key is not for the proxy");
            }
        }
    }
}

mod refusals {
    use super::*;

    #[test]
    fn too_many_requests() {
        for operation in EACH {
            let server = Server::answering(answer(429, "Retry-After: 7\r\n", r#"{"data":{"error":"slow down"}}"#));
            let error = fails(operation, server.client(), api(operation, 429));
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
            assert!(error.to_string().contains("slow down"), "{error}");
            assert_eq!(server.requests().len(), 1);
        }
    }

    #[test]
    fn too_many_requests_until_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        let later = httpdate::fmt_http_date(now + Duration::from_secs(11));
        let headers = format!("Date: {}\r\nRetry-After: {later}\r\n", httpdate::fmt_http_date(now));
        let server = Server::answering(answer(429, &headers, ""));
        let error = fails(Operation::New, server.client(), api(Operation::New, 429));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(11)));
    }

    #[test]
    fn what_is_refused_for_a_while_is_repeated_for_everyone() {
        for operation in Operation::ALL {
            let server = Server::answering(answer(429, "Retry-After: 0\r\n", ""));
            let client = server.client().build().expect("a client");
            for (retries, requests) in [(0, 1), (1, 2), (5, 6)] {
                let before = server.requests().len();
                let error = operation.call(&client.with_retries(retries)).expect_err("always 429");
                assert_eq!(Told::by(&error), api(operation, 429));
                assert_eq!(server.requests().len() - before, requests, "{operation:?}");
            }
        }
    }

    #[test]
    fn a_wait_that_does_not_fit_is_not_begun() {
        for wait in ["60", "99999999999999999999"] {
            let server = Server::answering(answer(429, &format!("Retry-After: {wait}\r\n"), ""));
            let client = server.client().timeout(Duration::from_secs(30)).retries(5).build().expect("a client");
            let began = Instant::now();
            let error = Operation::New.call(&client).expect_err("always 429");
            assert!(began.elapsed() < Duration::from_secs(15), "it waited {:?}", began.elapsed());
            assert!(error.retry_after() >= Some(Duration::from_secs(60)));
            assert_eq!(server.requests().len(), 1);
        }
    }

    #[test]
    fn other_refusals() {
        for status in [400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 426, 451, 499] {
            for operation in EACH {
                // What is not repeated is not, whatever Retry-After says.
                let body = r#"{"id":"err_9","data":{"error":"no,\nnot you"}}"#;
                let server = Server::answering(answer(status, "Retry-After: 0\r\n", body));
                let client = server.client().build().expect("a client");
                let error = operation.call(&client).expect_err("refused");
                assert_eq!(Told::by(&error), api(operation, status), "{error}");
                assert_eq!(error.request_id(), Some("err_9"));
                let text = error.to_string();
                let parts = [status.to_string(), "no, not you".to_owned(), "err_9".to_owned()];
                assert!(parts.iter().all(|part| text.contains(part)), "{text}");
                assert_eq!(server.requests().len(), 1, "{operation:?} {status}");
            }
        }
    }

    #[test]
    fn redirects_are_not_followed() {
        let elsewhere = Server::answering(answer(200, "", envelope(Operation::New.data())));
        let same = |location: &str| location.to_owned();
        for status in [300, 301, 302, 303, 307, 308] {
            for operation in Operation::ALL {
                let urls = [
                    format!("{}/otp/new", elsewhere.url()),
                    format!("//{}/otp/new", elsewhere.address),
                    same("/elsewhere"),
                    same("http://[bad"),
                ];
                for location in urls {
                    let bytes = answer(status, &format!("Location: {location}\r\n"), "go there");
                    let server = Server::answering(bytes);
                    let client = server.client().build().expect("a client");
                    let error = operation.call(&client).expect_err("not followed");
                    assert_eq!(Told::by(&error), api(operation, status), "{error}");
                    assert_eq!(server.requests().len(), 1);
                }
            }
        }
        elsewhere.settle();
        assert_eq!(elsewhere.connections(), 0, "the key went to another host");
    }

    #[test]
    fn the_head_of_a_refusal_is_enough() {
        for status in [302, 403, 429, 500] {
            for operation in EACH {
                for ending in [Ending::Close, Ending::Reset] {
                    let server = Server::plain(move |connection| {
                        connection.request();
                        connection.send(head(status, "Content-Length: 1000\r\n"));
                        connection.send("half a ");
                        // A reset may overtake what was sent before it; here it is given time.
                        std::thread::sleep(Duration::from_millis(50));
                        connection.end(ending);
                    });
                    let error = fails(operation, server.client(), api(operation, status));
                    assert!(error.to_string().contains("half a"), "{error}");
                }
            }
        }
    }
}

mod after_it_was_sent {
    use super::*;

    #[test]
    fn faults_of_the_service() {
        for status in [500, 501, 502, 503, 504, 520, 599] {
            for operation in EACH {
                let server = Server::answering(answer(status, "", "<html>\r\n\x07<b>oh no</b>"));
                let error = fails(operation, server.client(), api(operation, status));
                let text = error.to_string();
                assert!(text.contains(&status.to_string()) && text.contains("<b>oh no</b>"), "{text}");
                assert!(!text.contains(char::is_control), "{text:?}");
                assert_eq!(server.requests().len(), 1);
            }
        }
    }

    #[test]
    fn only_what_reads_is_repeated() {
        for operation in Operation::ALL {
            let requests = if operation.acts() { 1 } else { 3 };
            let server = Server::answering(answer(503, "Retry-After: 0\r\n", ""));
            let error = operation.call(&server.client().build().expect("a client")).expect_err("always 503");
            assert_eq!(Told::by(&error), api(operation, 503));
            assert_eq!(server.requests().len(), requests, "{operation:?}");

            let server = Server::plain(|connection| drop(connection.request()));
            let error = operation.call(&server.client().build().expect("a client")).expect_err("always lost");
            assert_eq!(Told::by(&error), lost(operation));
            assert_eq!(server.requests().len(), requests, "{operation:?}");
        }
    }

    #[test]
    fn silence() {
        for operation in EACH {
            let server = Server::plain(|connection| {
                connection.request();
                connection.wait_for_the_end();
            });
            fails(operation, server.client().timeout(SHORT), lost(operation).timed_out());
            assert_eq!(server.requests().len(), 1);
        }
        let server = Server::tls(|connection| {
            connection.request();
            connection.wait_for_the_end();
        });
        for operation in EACH {
            fails(operation, server.client().timeout(SHORT * 2), lost(operation).timed_out());
        }
    }

    #[test]
    fn a_byte_every_half_second() {
        for operation in EACH {
            let server = Server::plain(move |connection| {
                connection.request();
                for byte in answer(200, "", envelope(operation.data())) {
                    std::thread::sleep(Duration::from_millis(500));
                    if !connection.send([byte]) {
                        break;
                    }
                }
            });
            fails(operation, server.client().timeout(SHORT * 2), lost(operation).timed_out());
        }
    }

    #[test]
    fn a_body_byte_by_byte() {
        for operation in EACH {
            let server = Server::plain(move |connection| {
                connection.request();
                connection.send(head(200, "Content-Length: 100000\r\n"));
                while connection.send(" ") {
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            fails(operation, server.client().timeout(SHORT), lost_after_head(operation).timed_out());
        }
    }

    #[test]
    fn a_body_cut() {
        for operation in EACH {
            for ending in [Ending::Close, Ending::Reset] {
                let body = envelope(operation.data());
                let half = body[..body.len() / 2].to_owned();
                let chunk = format!("{:x}\r\n{half}", body.len());
                let sized = (head(200, &format!("Content-Length: {}\r\n", body.len())), half.clone());
                let chunked = (head(200, "Transfer-Encoding: chunked\r\n"), chunk);
                let until_close = (head(200, ""), half);
                for (head, half) in [sized, chunked, until_close] {
                    let server = Server::plain(move |connection| {
                        connection.request();
                        connection.send(&head);
                        connection.send(&half);
                        // A reset may overtake what was sent before it; here it is given time.
                        std::thread::sleep(Duration::from_millis(50));
                        connection.end(ending);
                    });
                    fails(operation, server.client(), lost_after_head(operation));
                    assert_eq!(server.requests().len(), 1);
                }
            }
        }
    }

    #[test]
    fn a_body_late() {
        for operation in EACH {
            let server = Server::plain(|connection| {
                connection.request();
                connection.send(head(200, "Content-Length: 100\r\n"));
                connection.wait_for_the_end();
            });
            fails(operation, server.client().timeout(SHORT), lost_after_head(operation).timed_out());
        }
    }

    #[test]
    fn closed_or_reset_without_an_answer() {
        for operation in EACH {
            for ending in [Ending::Close, Ending::Reset] {
                for is_tls in [false, true] {
                    let server = Server::speaking(is_tls, move |connection| {
                        connection.request();
                        connection.end(ending);
                    });
                    fails(operation, server.client(), lost(operation));
                    assert_eq!(server.requests().len(), 1);
                }
            }
        }
    }
}

mod answers_that_cannot_be_read {
    use super::*;

    #[test]
    fn odd_bodies() {
        let deep = format!(r#"{{"id":"req_1","data":{}}}"#, "[".repeat(200_000));
        let deep_object = r#"{"data":"#.repeat(200_000);
        let bodies: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"   ".to_vec(),
            b"null".to_vec(),
            b"true".to_vec(),
            b"[]".to_vec(),
            b"{}".to_vec(),
            b"\"text\"".to_vec(),
            br#"{"data":null}"#.to_vec(),
            br#"{"data":[]}"#.to_vec(),
            br#"{"data":"text"}"#.to_vec(),
            br#"{"data":{}}"#.to_vec(),
            // Not an object, although its values would do.
            br#"{"data":[true]}"#.to_vec(),
            br#"{"data":["otp_1","verified","verified","verified",null,null,null,null]}"#.to_vec(),
            br#"{"data":{"otp_id":7,"verified":"true","resent":1,"status":9}}"#.to_vec(),
            br#"{"data":{"otp_id":null,"verified":null,"resent":null,"status":null}}"#.to_vec(),
            br#"{"data":{"otp_id":"  ","verified":[true],"resent":{},"status":[]}}"#.to_vec(),
            br#"{"data":{"otp_id":"a","otp_id":"b","verified":false,"verified":true,"resent":true,"resent":true,"status":"pending","status":"verified"}}"#.to_vec(),
            br#"{"data":{"otp_id":"a"},"data":{"otp_id":"b","verified":true,"resent":true,"status":"verified","factor":"1","to":"2"}}"#.to_vec(),
            b"{\"data\":{\"otp_id\":\"\xff\xfe\",\"verified\":\xff,\"resent\":\xff,\"status\":\xff}}".to_vec(),
            b"\xff\xfe\x00".to_vec(),
            b"<!doctype html><html><title>Welcome</title></html>".to_vec(),
            b"{\"data\":{\"otp_id\":\"a\"".to_vec(),
            b"{\"data\":{\"verified\":true,\"otp_id\":\"a\",\"resent\":true,\"status\":\"verified\",\"factor\":\"1\",\"to\":\"2\"}}garbage".to_vec(),
            "[".repeat(200_000).into_bytes(),
            deep.into_bytes(),
            deep_object.into_bytes(),
        ];
        for body in bodies {
            for operation in Operation::ALL {
                let server = Server::answering(answer(200, "", &body));
                let client = server.client().build().expect("a client");
                let shown = String::from_utf8_lossy(&body[..body.len().min(150)]).into_owned();
                let error = operation.call(&client).map(|got| panic!("{operation:?} reads {shown}: {got}"));
                let error = error.unwrap_or_else(|error| error);
                assert_eq!(Told::by(&error), unreadable(200), "{operation:?} {shown}: {error}");
                assert_eq!(server.requests().len(), 1, "{operation:?} {shown}");
                let text = error.to_string();
                assert!(text.contains("200") && text.len() < 1500 && !text.contains(char::is_control), "{text:?}");
            }
        }
    }

    #[test]
    fn no_content() {
        for status in [204, 205] {
            for operation in EACH {
                let bytes = if status == 204 { head(204, "") } else { answer(205, "", "") };
                let server = Server::answering(bytes);
                fails(operation, server.client(), unreadable(status));
            }
        }
    }

    #[test]
    fn an_excerpt_with_status_and_request_id() {
        let body = "{\"id\":\"req_77\",\"data\":{\"otp_id\":\"\\u001b[31m\",\r\n\x1b[31m \"x\":";
        let server = Server::answering(answer(201, "", body));
        let text = fails(Operation::New, server.client(), unreadable(201)).to_string();
        assert!(text.contains("201") && text.contains("req_77\\\""), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");

        let server = Server::answering(answer(200, "", r#"{"id":"req_78","data":{"number":7}}"#));
        let error = fails(Operation::New, server.client(), unreadable(200));
        assert_eq!(error.request_id(), Some("req_78"));
        assert!(error.to_string().contains("request req_78"), "{error}");
    }

    #[test]
    fn one_mebibyte_and_no_more() {
        let data = Operation::New.data();
        let filled = |length: usize| {
            let body = envelope(data);
            let spaces = " ".repeat(length - body.len());
            body + &spaces
        };
        let mebibyte = 1024 * 1024;
        let server = Server::answering(answer(200, "", filled(mebibyte)));
        let client = server.client().build().expect("a client");
        Operation::New.call(&client).expect("just short enough");

        let server = Server::answering(answer(200, "", filled(mebibyte + 1)));
        fails(Operation::New, server.client(), unreadable(200));

        let headers = head(200, "Transfer-Encoding: chunked\r\n");
        let bytes = [headers, chunked(&filled(mebibyte + 1), 60_000).into_bytes()].concat();
        fails(Operation::New, Server::answering(bytes).client(), unreadable(200));
    }

    #[test]
    fn an_endless_body() {
        for (headers, piece) in [
            ("Content-Length: 18446744073709551615\r\n", "a".repeat(10_000)),
            ("Transfer-Encoding: chunked\r\n", format!("2710\r\n{}\r\n", "a".repeat(10_000))),
            ("", "a".repeat(10_000)),
        ] {
            for operation in EACH {
                let piece = piece.clone();
                let server = Server::plain(move |connection| {
                    connection.request();
                    connection.send(head(200, headers));
                    while connection.send(&piece) {}
                });
                fails(operation, server.client(), unreadable(200));
            }
        }
    }

    #[test]
    fn an_endless_body_of_a_refusal() {
        for operation in EACH {
            let server = Server::plain(|connection| {
                connection.request();
                connection.send(head(403, "Transfer-Encoding: chunked\r\n"));
                while connection.send("5\r\nno no\r\n") {}
            });
            fails(operation, server.client(), api(operation, 403));
        }
    }

    #[test]
    fn endless_headers() {
        for line in ["X-More: and more\r\n", "and more"] {
            for operation in EACH {
                let server = Server::plain(move |connection| {
                    connection.request();
                    connection.send("HTTP/1.1 200 OK\r\n");
                    let lines = line.repeat(500);
                    while connection.send(&lines) {}
                });
                fails(operation, server.client(), lost(operation));
                assert_eq!(server.requests().len(), 1);
            }
        }
    }

    #[test]
    fn interim_answers() {
        let interim =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n";
        for operation in EACH {
            let bytes = [interim.as_bytes(), &answer(200, "", envelope(operation.data()))].concat();
            let server = Server::answering(bytes);
            let client = server.client().build().expect("a client");
            let result = operation.call(&client);
            // Whether the client waits for the answer proper or gives up on the first one: never a wrong "not sent".
            if let Err(error) = result {
                assert!(error.may_have_sent(), "{error}");
            }
            assert_eq!(server.requests().len(), 1);
        }
    }

    #[test]
    fn endless_interim_answers() {
        for operation in EACH {
            let server = Server::plain(|connection| {
                connection.request();
                while connection.send("HTTP/1.1 100 Continue\r\n\r\n") {}
            });
            let client = server.client().timeout(SHORT).retries(0).build().expect("a client");
            let began = Instant::now();
            let error = operation.call(&client).expect_err("no answer ever comes");
            assert!(error.may_have_sent(), "{error}");
            assert!(began.elapsed() < PATIENCE / 2, "took {:?}", began.elapsed());
        }
    }

    #[test]
    fn switching_protocols() {
        for operation in EACH {
            let server = Server::answering(head(101, "Upgrade: websocket\r\nConnection: upgrade\r\n"));
            let client = server.client().timeout(SHORT).retries(0).build().expect("a client");
            let error = operation.call(&client).expect_err("no answer");
            assert!(error.may_have_sent(), "{error}");
        }
    }

    #[test]
    fn compressed_although_nobody_asked() {
        for operation in EACH {
            let server =
                Server::answering(answer(200, "Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"));
            fails(operation, server.client(), unreadable(200));
            let head = server.requests()[0].head.to_ascii_lowercase();
            assert!(!head.contains("accept-encoding"), "{head}");
        }
    }

    #[test]
    fn no_http_at_all() {
        for bytes in [
            "SSH-2.0-OpenSSH_9.6\r\n\r\n\r\n",
            "HTTP/1.1 abc OK\r\n\r\n",
            "HTTP/3.7 200 OK\r\n\r\n",
            "\r\n\r\n\r\n\0\0",
        ] {
            for operation in EACH {
                let server = Server::plain(move |connection| {
                    connection.request();
                    connection.send(bytes);
                });
                let client = server.client().retries(0).build().expect("a client");
                let error = operation.call(&client).expect_err("no answer");
                let told = Told::by(&error);
                assert!(told.may_have_sent && told.kind == Kind::Transport, "{bytes:?} {error}");
            }
        }
    }
}

mod odd_trimmings {
    use super::*;

    #[test]
    fn never_lose_a_sent_id() {
        for (before, after) in [
            ("", ""),
            (r#""id":null,"#, r#","timestamp":null,"api_version":null,"object":null"#),
            (r#""id":7,"#, r#","timestamp":"soon","api_version":{},"object":[]"#),
            (r#""id":{"a":[1]},"#, r#","timestamp":-1e400,"api_version":[[]],"object":false"#),
            (r#""id":"a","id":"b","timestamp":1,"timestamp":{},"#, r#","message":7,"error":{},"extra":[{}]"#),
            (r#""id":"","#, r#","timestamp":99999999999999999999999999"#),
            (r#""id":"\ud800","#, r#","timestamp":"99999999999999999999999999""#),
            (r#""timestamp":1785380854155.5,"#, r#","api_version":"\u0000""#),
            ("\n\t ", "\r\n"),
        ] {
            let body = format!(r#"{{{before}"data":{{"extra":1,"otp_id":"otp_\u0031é/7","more":null}}{after}}}"#);
            for status in [200, 201, 202, 299] {
                let server = Server::answering(answer(status, "", &body));
                let client = server.client().build().expect("a client");
                let sent = NewOtp::to(NUMBER).language("en").name("MyApp").send(&client);
                assert_eq!(sent.unwrap_or_else(|error| panic!("{body}: {error}")).otp_id.as_str(), "otp_1é/7");
            }
        }
    }

    #[test]
    fn neither_do_odd_headers() {
        let body = envelope(Operation::New.data());
        for headers in [
            "Content-Type: text/html; charset=utf-16\r\n",
            "Content-Type: \r\n",
            "Set-Cookie: a=b; Path=/\r\nSet-Cookie: c\r\n",
            "Date: yesterday\r\nRetry-After: 9\r\nLocation: http://127.0.0.1:1/\r\n",
            "X-Latin: \u{e9}\r\n",
        ] {
            let server = Server::answering(answer(200, headers, &body));
            let client = server.client().build().expect("a client");
            let sent = Operation::New.call(&client);
            assert!(sent.is_ok(), "{headers}: {sent:?}");
        }
    }

    #[test]
    fn verified_is_true_and_nothing_else() {
        let verify = |data: &str| {
            let server = Server::answering(answer(200, "", envelope(data)));
            let client = server.client().build().expect("a client");
            VerifyOtp::otp_id("otp_1").otp("123456").send(&client).map(|check| (check.verified, check.proof().is_ok()))
        };
        assert_eq!(verify(r#"{"verified":true}"#).expect("an answer"), (true, true));
        assert_eq!(verify(r#"{"verified" : true , "more":{}}"#).expect("an answer"), (true, true));
        assert_eq!(verify(r#"{"verified":false}"#).expect("an answer"), (false, false));
        for odd in
            ["\"true\"", "1", "\"yes\"", "[true]", "{\"a\":true}", "null", "1.0", "\"\"", "True", "TRUE", "truee"]
        {
            let result = verify(&format!(r#"{{"verified":{odd}}}"#));
            assert!(matches!(result, Err(Error::Decode(_))), "{odd}: {result:?}");
        }
        for odd in
            [r#"{"Verified":true}"#, r#"{"verified ":true}"#, r#"{"result":{"verified":true}}"#, "true", "[true]"]
        {
            let result = verify(odd);
            assert!(matches!(result, Err(Error::Decode(_))), "{odd}: {result:?}");
        }
    }

    #[test]
    fn a_status_is_verified_if_the_service_says_so() {
        let ask = |data: &str| {
            let server = Server::answering(answer(200, "", envelope(data)));
            let client = server.client().build().expect("a client");
            VerifyReverseOtp::otp_id("r_otp_1").send(&client).map(|status| status.proof().is_ok())
        };
        for yes in [r#"{"status":"verified"}"#, r#"{"verified":true}"#, r#"{"status":"verified","verified":false}"#] {
            assert!(ask(yes).expect("an answer"), "{yes}");
        }
        for no in [
            r#"{"verified":false}"#,
            r#"{"status":"pending","verified":true}"#,
            r#"{"status":"Verified"}"#,
            r#"{"status":"verified "}"#,
            r#"{"status":"unverified"}"#,
            r#"{"status":"cancelled","verified":true}"#,
        ] {
            assert!(!ask(no).expect("an answer"), "{no}");
        }
        for odd in [r#"{"verified":"true"}"#, r#"{"verified":1}"#, r#"{"status":true}"#, "[]", "\"verified\""] {
            assert!(matches!(ask(odd), Err(Error::Decode(_))), "{odd}");
        }
    }
}

#[test]
fn no_call_outlasts_its_time_with_all_its_repeats() {
    let silent = Server::plain(|connection| {
        connection.request();
        connection.wait_for_the_end();
    });
    let broken = Server::answering(answer(500, "", ""));
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for url in [silent.url(), broken.url(), format!("http://{closed}")] {
        let client =
            Client::builder(KEY).base_url(url.as_str()).timeout(SHORT * 2).retries(1000).build().expect("a client");
        for operation in EACH {
            let began = Instant::now();
            operation.call(&client).expect_err("it cannot succeed");
            let took = began.elapsed();
            // Ten times over: this is about calls that hang, not about the clock of a busy machine.
            assert!(took < SHORT * 20, "{operation:?} {url} took {took:?}");
        }
    }
    assert!(TcpStream::connect(silent.address).is_ok(), "the server still listens");
}
