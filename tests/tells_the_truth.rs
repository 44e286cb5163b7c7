//! Every error says what happened: its kind, whether the service may have acted, and whether a retry
//! is safe. Every call ends in time, whatever the other side does.
//!
//! Each way in which a call can fail, against real sockets.

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

/// A certificate authority that signed no certificate of the tests.
const OTHER_AUTHORITY: &str = include_str!("support/other.pem");

/// Nothing was sent, and the next try may succeed.
const UNSENT: Told =
    Told { kind: Kind::Transport, status: None, is_timeout: false, is_retryable: true, may_have_sent: false };

/// Nothing was sent, and the next try would fail the same way.
const REFUSED: Told = Told { is_retryable: false, ..UNSENT };

/// The request may have been received, and no response came back. Only a read is retried.
fn lost(operation: Operation) -> Told {
    Told { is_retryable: !operation.acts(), may_have_sent: true, ..UNSENT }
}

/// The same after the head of a 200 was received.
fn lost_after_head(operation: Operation) -> Told {
    Told { status: Some(200), ..lost(operation) }
}

fn api(operation: Operation, status: u16) -> Told {
    let is_retryable = match status {
        429 => true,
        408 | 421 | 425 | 500..600 => !operation.acts(),
        _ => false,
    };
    let may_have_sent = status == 408 || !(400..500).contains(&status);
    Told { kind: Kind::Api, status: Some(status), is_timeout: false, is_retryable, may_have_sent }
}

fn unreadable(status: u16) -> Told {
    Told { kind: Kind::Decode, status: Some(status), is_timeout: false, is_retryable: false, may_have_sent: true }
}

/// Makes a call that fails, without retries, and compares what the error says with `expected`.
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
    assert!(error.is_retryable() || !error.to_string().contains("can be retried"), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string(), "`Debug` is the message");
    error
}

/// One operation with a body, the one that acts without a body, and the one that reads.
const EACH: [Operation; 3] = [Operation::New, Operation::Cancel, Operation::Status];

/// Enough for an exchange on loopback on a busy machine, and short enough to wait for.
const SHORT: Duration = Duration::from_millis(700);

mod before_anything_is_sent {
    use super::*;

    #[test]
    fn no_such_host() {
        for operation in EACH {
            // RFC 6761 §6.4: nothing below .invalid resolves. Without a network, the lookup may time out.
            let client = Client::builder(KEY).base_url("http://unknown.invalid").allow_insecure_http();
            let client = client.timeout(SHORT).retries(0).build().expect("a client");
            let error = operation.call(&client).expect_err("there is no such host");
            assert_eq!(Told { is_timeout: false, ..Told::by(&error) }, UNSENT, "{error}");

            // A label of more than 63 characters is not a valid name (RFC 1035 §2.3.4), so it is not looked up.
            let host = format!("{}.invalid", "a".repeat(64));
            let client = Client::builder(KEY).base_url(format!("http://{host}")).allow_insecure_http();
            let message = fails(operation, client, UNSENT).to_string();
            // The operating system's words are in the middle.
            assert!(message.starts_with(&format!("{}: could not look up {host}: ", operation.name())), "{message}");
            assert!(message.ends_with("; the service did not act on this call"), "{message}");
        }
    }

    #[test]
    fn connection_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        for operation in EACH {
            let error = fails(operation, Client::builder(KEY).base_url(url.as_str()), UNSENT);
            let host = url.trim_start_matches("http://");
            let expected = "connection refused (is the sandbox still running?); the service did not act on this call";
            assert_eq!(error.to_string(), format!("{}: could not connect to {host}: {expected}", operation.name()));
            // The operating system's error is the source.
            let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
            assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused), "{error}");
        }
    }

    #[test]
    fn connecting_times_out() {
        let full = Full::new();
        for operation in EACH {
            let client = || Client::builder(KEY).base_url(full.url());
            // The timeout of the whole call may be the shorter one.
            for client in [client().connect_timeout(SHORT), client().timeout(SHORT)] {
                let error = fails(operation, client, UNSENT.timed_out());
                let expected = "within 700 ms; the service did not act on this call";
                let (name, address) = (operation.name(), full.address);
                assert_eq!(error.to_string(), format!("{name}: could not connect to {address} {expected}"));
            }
        }
    }

    #[test]
    fn a_retry_that_runs_out_of_time_names_the_whole_time() {
        let full = Full::new();
        let client = Client::builder(KEY).base_url(full.url()).timeout(3 * SHORT).connect_timeout(2 * SHORT);
        let client = client.retries(1).build().expect("a client");
        let error = Operation::Status.call(&client).expect_err("nothing answers");
        let expected = format!("could not connect to {} within 2100 ms;", full.address);
        assert!(error.to_string().contains(&expected), "{error}");
    }

    /// A listener whose queue is full, so that connecting never ends.
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
            // The system decides how many fit: connect until one has to wait.
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
    fn the_handshake_times_out() {
        for operation in EACH {
            let server = Server::tls(Connection::wait_for_the_end);
            for client in [server.client().connect_timeout(SHORT), server.client().timeout(SHORT)] {
                let error = fails(operation, client, UNSENT.timed_out());
                let expected = "within 700 ms; the service did not act on this call";
                let (name, host) = (operation.name(), server.url().replace("https://", ""));
                assert_eq!(error.to_string(), format!("{name}: no response from {host} {expected}"));
            }
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
                fails(operation, server.client(), UNSENT);
                assert_eq!(server.requests().len(), 0);
            }
        }
    }

    #[test]
    fn the_certificate_is_refused() {
        for operation in EACH {
            let server = Server::tls(|connection| drop(connection.request()));
            let error = fails(operation, Client::builder(KEY).base_url(server.url()), REFUSED);
            assert_eq!(
                error.to_string(),
                format!(
                    "{}: TLS with {} failed: the certificate's authority is not trusted; if your network has its own, call `root_certificates`, \
                     or set CONTIGUITY_CA_FILE and use `from_env`; the service did not act on this call",
                    operation.name(),
                    server.address
                )
            );
            let other = Client::builder(KEY).base_url(server.url()).root_certificates(OTHER_AUTHORITY);
            let error = fails(operation, other, REFUSED).to_string();
            assert!(error.contains("is not trusted; it is not one of those in `root_certificates`; the "), "{error}");
            server.settle();
            assert_eq!(server.requests().len(), 0);
        }
    }

    #[test]
    fn the_certificate_is_for_another_host() {
        for operation in EACH {
            let server = Server::tls(|connection| drop(connection.request()));
            let url = format!("https://other.localhost:{}", server.address.port());
            let error = fails(operation, server.client().base_url(url), REFUSED);
            assert!(error.to_string().contains("failed: the certificate is for another host;"), "{error}");
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
            let error = fails(operation, client, REFUSED);
            let expected = format!("TLS with {} failed: this port does not speak TLS", server.address);
            let end = "the service did not act on this call";
            assert_eq!(error.to_string(), format!("{}: {expected}; {end}", operation.name()));
        }
    }

    #[test]
    fn a_timeout_of_zero() {
        for operation in EACH {
            let server = Server::answering(answer(200, "", envelope(operation.data())));
            let client = server.client().build().expect("a client").with_timeout(Duration::ZERO);
            let error = operation.call(&client).expect_err("no time");
            assert_eq!(Told::by(&error), REFUSED.timed_out(), "{error}");
            let Error::Transport(transport) = &error else { panic!("{error}") };
            assert!(transport.is_timeout() && !transport.is_proxy());
            let expected = "the timeout is zero, or the guard took all of it; the service did not act on this call";
            assert_eq!(error.to_string(), format!("{}: {expected}", operation.name()));
            server.settle();
            assert_eq!(server.connections(), 0);
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
            assert_eq!(
                error.to_string(),
                operation.name().to_owned()
                    + ": the service returned 429 Too Many Requests: slow down; retry after 7 s; the service did not \
                       act on this call"
            );
            let Error::Api(api) = &error else { panic!("{error}") };
            let seven = Some(Duration::from_secs(7));
            assert_eq!((error.retry_after(), api.retry_after()), (seven, seven));
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
    fn too_many_requests_are_retried_by_every_operation() {
        for operation in Operation::ALL {
            let server = Server::answering(answer(429, "Retry-After: 0\r\n", ""));
            let client = server.client().build().expect("a client");
            for (retries, requests) in [(0, 1), (1, 2), (2, 3)] {
                let before = server.requests().len();
                let error = operation.call(&client.with_retries(retries)).expect_err("always 429");
                assert_eq!(Told::by(&error), api(operation, 429));
                assert_eq!(server.requests().len() - before, requests, "{operation:?}");
            }
        }
    }

    #[test]
    fn a_wait_of_zero_does_not_make_a_busy_loop() {
        let server = Server::answering(answer(429, "Retry-After: 0\r\n", ""));
        let client = server.client().timeout(Duration::from_secs(2)).retries(u32::MAX).build().expect("a client");
        Operation::New.call(&client).expect_err("always 429");
        // Up to 10 retries, and the backoff leaves no time for most of them.
        assert!((2..=11).contains(&server.requests().len()), "{} requests", server.requests().len());
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

    /// A sleep takes a little longer than asked, so a wait that just fits leaves no time for a retry.
    #[test]
    fn a_wait_that_takes_all_the_time_ends_with_its_reason() {
        let waited_and_kept_the_reason = |_| {
            // A date is the only wait that can be compared with the timeout to the microsecond.
            let soon = SystemTime::now() + Duration::from_millis(1200);
            let until = httpdate::parse_http_date(&httpdate::fmt_http_date(soon)).expect("a date");
            let headers = format!("Retry-After: {}\r\n", httpdate::fmt_http_date(until));
            let server = Server::answering(answer(429, &headers, ""));
            let client = server.client().build().expect("a client");
            let began = Instant::now();
            let timeout =
                until.duration_since(SystemTime::now()).expect("the date is ahead") + Duration::from_micros(1);
            let error = Operation::New.call(&client.with_timeout(timeout)).expect_err("always 429");
            began.elapsed() >= timeout && error.status() == Some(429)
        };
        // A busy machine may leave time for a retry, which then times out.
        assert!((0..10).any(waited_and_kept_the_reason), "the 429 is lost");
    }

    #[test]
    fn every_call_is_named_by_its_path_template() {
        for operation in Operation::ALL {
            let server = Server::answering(answer(401, "", r#"{"id":"err_1","data":{"error":"Unauthorized"}}"#));
            let error = fails(operation, server.client(), api(operation, 401));
            assert_eq!(
                error.to_string(),
                format!(
                    "{}: the service returned 401 Unauthorized (request err_1); check the API key; the service did not \
                     act on this call",
                    operation.name()
                )
            );
        }
    }

    #[test]
    fn the_message_says_what_to_do() {
        let (not_acted, may_have_acted) =
            ("the service did not act on this call", "the service may have acted on this call");
        for (status, body, message, end) in [
            (400, r#"{"data":{"error":"to is invalid"}}"#, "400 Bad Request: to is invalid", not_acted),
            (401, r#"{"message":"no such key"}"#, "401 Unauthorized: no such key; check the API key", not_acted),
            (
                403,
                r#"{"id":"err_1","data":{"error":"not yet","agreement_url":"https://example.com/a"}}"#,
                "403 Forbidden (request err_1): not yet; accept the agreement at https://example.com/a",
                not_acted,
            ),
            (404, "", "404 Not Found; check the base URL, and the OTP id if there is one", not_acted),
            (429, "", "429 Too Many Requests", not_acted),
            (308, "", "308 Permanent Redirect; redirects are not followed: check the base URL", may_have_acted),
            (
                502,
                "<h1>Bad gateway</h1>",
                "502 Bad Gateway; the body is not a documented error: \"<h1>Bad gateway</h1>\"",
                may_have_acted,
            ),
            (599, "{}", "599; the body is not a documented error", may_have_acted),
        ] {
            let server = Server::answering(answer(status, "", body));
            let error = fails(Operation::New, server.client(), api(Operation::New, status));
            assert_eq!(error.to_string(), format!("POST /otp/new: the service returned {message}; {end}"), "{body}");
        }
    }

    #[test]
    fn other_refusals() {
        for status in [400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 418, 422, 426, 451, 499] {
            for operation in EACH {
                // `Retry-After` does not make these retryable.
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
    fn refusals_of_a_gateway_are_retried_for_a_read() {
        for status in [408, 421, 425] {
            for operation in EACH {
                let server = Server::answering(answer(status, "", ""));
                let client = server.client().retries(1).build().expect("a client");
                let error = operation.call(&client).expect_err("refused");
                assert_eq!(Told::by(&error), api(operation, status), "{error}");
                let requests = if operation.acts() { 1 } else { 2 };
                assert_eq!(server.requests().len(), requests, "{operation:?} {status}");
            }
        }
    }

    #[test]
    fn redirects_are_not_followed() {
        let elsewhere = Server::answering(answer(200, "", envelope(Operation::New.data())));
        for status in [300, 301, 302, 303, 307, 308] {
            for operation in Operation::ALL {
                let urls = [
                    format!("{}/otp/new", elsewhere.url()),
                    format!("//{}/otp/new", elsewhere.address),
                    "/elsewhere".to_owned(),
                    "http://[bad".to_owned(),
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
    fn the_head_of_an_error_is_enough() {
        for status in [302, 403, 429, 500] {
            for operation in EACH {
                for ending in [Ending::Close, Ending::Reset] {
                    let server = Server::plain(move |connection| {
                        connection.request();
                        connection.send(head(status, "Content-Length: 1000\r\n"));
                        connection.send("half a ");
                        // A reset may overtake what was sent before it.
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
    fn errors_of_the_service() {
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
    fn a_retried_read_that_cannot_be_decoded() {
        let server = Server::plain(|connection| {
            connection.request();
            connection.send(answer(503, "", ""));
            connection.request();
            connection.send(answer(200, "", "nonsense"));
        });
        let error =
            Operation::Status.call(&server.client().retries(1).build().expect("a client")).expect_err("nonsense");
        let expected =
            Told { kind: Kind::Decode, status: Some(200), is_retryable: false, may_have_sent: true, ..UNSENT };
        assert_eq!(Told::by(&error), expected, "{error}");
    }

    #[test]
    fn only_a_read_is_retried() {
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
                        // A reset may overtake what was sent before it.
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
    fn closed_or_reset_without_a_response() {
        for operation in EACH {
            for ending in [Ending::Close, Ending::Reset] {
                for is_tls in [false, true] {
                    let server = Server::speaking(is_tls, move |connection| {
                        connection.request();
                        connection.end(ending);
                    });
                    let error = fails(operation, server.client(), lost(operation));
                    let end = if operation.acts() {
                        "the service may have acted on this call"
                    } else {
                        "this call is read-only and can be retried"
                    };
                    let (name, host) = (operation.name(), server.url());
                    let host = host.split("://").last().expect("a host");
                    assert_eq!(error.to_string(), format!("{name}: {host} closed the connection; {end}"));
                    assert_eq!(server.requests().len(), 1);
                }
            }
        }
    }
}

mod responses_that_cannot_be_read {
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
    fn the_message_names_the_problem() {
        let end = "the service may have acted on this call";
        for (body, message) in [
            ("", "invalid response (status 201): the body is empty"),
            (" <p>\x1b[mhi\0", "invalid response (status 201): the body is not a JSON object: \"<p> [mhi\""),
            ("[]", "invalid response (status 201): the body is not a JSON object: \"[]\""),
            ("\u{feff}{\"id\":\"req_1\"}", "invalid response (status 201, request req_1): `data` is missing"),
            (
                "{\"id\":\"req_7\",\r\n\"data\":",
                "invalid response (status 201): the body is not valid JSON (line 2, column 7)",
            ),
            (
                r#"{"id":"req_7","data":{"otp_id":"a","otp_id":"b"}}"#,
                "invalid response (status 201, request req_7): `data` has a field twice",
            ),
            (r#"{"id":"req_7","data":7}"#, "invalid response (status 201, request req_7): `data` is not a JSON object"),
            (r#"{"data":{"number":7}}"#, "invalid response (status 201): `data.otp_id` is missing"),
            (r#"{"data":{"otp_id":7}}"#, "invalid response (status 201): `data.otp_id` is not text"),
            (r#"{"data":{"otp_id":" "}}"#, "invalid response (status 201): `data.otp_id` must not be blank"),
        ] {
            let server = Server::answering(answer(201, "", body));
            let error = fails(Operation::New, server.client(), unreadable(201));
            assert_eq!(error.to_string(), format!("POST /otp/new: {message}; {end}"), "{body}");
            assert_eq!(error.request_id().is_some(), message.contains("request"), "{body}");
        }
    }

    #[test]
    fn a_response_that_names_another_id() {
        for operation in [Operation::Status, Operation::Cancel] {
            for status in ["verified", "cancelled"] {
                let data = format!(r#"{{"otp_id":"r_otp_2","status":"{status}"}}"#);
                let server = Server::answering(answer(200, "", envelope(&data)));
                let error = fails(operation, server.client(), unreadable(200));
                let end =
                    if operation.acts() { "the service may have acted on this call" } else { "this call is read-only" };
                let problem = "`data.otp_id` is not the id of this call";
                assert_eq!(
                    error.to_string(),
                    format!("{}: invalid response (status 200, request req_1): {problem}; {end}", operation.name())
                );
            }
        }
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
    fn interim_responses() {
        let interim =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n";
        for operation in EACH {
            let bytes = [interim.as_bytes(), &answer(200, "", envelope(operation.data()))].concat();
            let server = Server::answering(bytes);
            let client = server.client().build().expect("a client");
            let result = operation.call(&client);
            // The client may wait for the final response or give up on the first one.
            if let Err(error) = result {
                assert!(error.may_have_sent(), "{error}");
            }
            assert_eq!(server.requests().len(), 1);
        }
    }

    #[test]
    fn endless_interim_responses() {
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
    fn a_content_encoding_that_was_not_asked_for() {
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00";
        let named = "the body has the unexpected Content-Encoding \"gzip\"";
        for operation in EACH {
            let server = Server::answering(answer(200, "Content-Encoding: gzip\r\n", gzip));
            let error = fails(operation, server.client(), unreadable(200));
            assert!(error.to_string().contains(named), "{error}");
            let head = server.requests()[0].head.to_ascii_lowercase();
            assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");

            let server = Server::answering(answer(403, "Content-Encoding: gzip\r\n", gzip));
            let error = fails(operation, server.client(), api(operation, 403));
            assert!(error.to_string().contains(named), "{error}");

            let response = answer(200, "Content-Encoding: identity\r\n", envelope(operation.data()));
            let client = Server::answering(response);
            operation.call(&client.client().build().expect("a client")).expect("a readable response");
        }
    }

    #[test]
    fn not_http() {
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

/// What is sent, and the message about the service at `{host}`.
#[test]
fn lost_and_late_responses_in_words() {
    let spaces = " ".repeat(1024 * 1024 + 1);
    for (bytes, message) in [
        (
            head(200, "Content-Length: 100\r\n"),
            "the response was incomplete (status 200): {host} closed the connection",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nX: ", "x".repeat(100_000).as_bytes()].concat(),
            "the response of {host} has a head longer than 64 KiB",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n\r\n".to_vec(), "the response of {host} is not valid HTTP"),
        (answer(200, "", &spaces), "invalid response (status 200): the body is longer than 1 MiB"),
        (answer(200, "", b"{\"data\":\"\xff\"}"), "invalid response (status 200): the body is not UTF-8"),
        (
            answer(200, "Content-Encoding: gzip\r\n", "\x1f"),
            "invalid response (status 200): the body has the unexpected Content-Encoding \"gzip\"",
        ),
    ] {
        let server = Server::plain(move |connection| {
            connection.request();
            connection.send(&bytes);
        });
        let error = Operation::New.call(&server.client().retries(0).build().expect("a client")).expect_err(message);
        let message = message.replace("{host}", &server.address.to_string());
        assert_eq!(error.to_string(), format!("POST /otp/new: {message}; the service may have acted on this call"));
    }
    let silent = Server::plain(|connection| {
        connection.request();
        connection.wait_for_the_end();
    });
    let client = silent.client().timeout(SHORT).retries(0).build().expect("a client");
    for (operation, end) in [
        (Operation::Verify, "the service may have acted on this call"),
        (Operation::Status, "this call is read-only and can be retried"),
    ] {
        let error = operation.call(&client).expect_err("no response");
        let (name, address) = (operation.name(), silent.address);
        assert_eq!(error.to_string(), format!("{name}: no response from {address} within 700 ms; {end}"));
    }
}

mod odd_metadata {
    use super::*;

    #[test]
    fn never_loses_a_sent_id() {
        for (before, after) in [
            ("", ""),
            (r#""id":null,"#, r#","timestamp":null,"api_version":null,"object":null"#),
            (r#""id":7,"#, r#","timestamp":"soon","api_version":{},"object":[]"#),
            (r#""id":{"a":[1]},"#, r#","timestamp":-1e400,"api_version":[[]],"object":false"#),
            (r#""timestamp":{},"#, r#","message":7,"error":{},"extra":[{}],"extra":7"#),
            (r#""id":"","#, r#","timestamp":99999999999999999999999999"#),
            (r#""id":"\ud800","#, r#","timestamp":"99999999999999999999999999""#),
            (r#""timestamp":1785380854155.5,"#, r#","api_version":"\u0000""#),
            ("\n\t ", "\r\n"),
        ] {
            let body = format!(r#"{{{before}"data":{{"extra":1,"otp_id":"otp_\u0031é/7","more":null}}{after}}}"#);
            let body = format!("\u{feff}\n{body} ");
            for status in [200, 201, 202, 299] {
                let server = Server::answering(answer(status, "", &body));
                let client = server.client().build().expect("a client");
                let sent = NewOtp::to(NUMBER).language("en").name("MyApp").send(&client);
                assert_eq!(sent.unwrap_or_else(|error| panic!("{body}: {error}")).otp_id.as_str(), "otp_1é/7");
            }
        }
    }

    #[test]
    fn nor_do_odd_headers() {
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
