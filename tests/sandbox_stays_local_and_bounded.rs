//! The sandbox serves programs on this machine and no web page, and no client can make it hold
//! memory without bounds.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{InitiateReverseOtp, NewOtp};

const PHONE: &str = "+14155552671";

// ---------------------------------------------------------------------------------------------------------------------
// Requests from web pages

#[test]
fn requests_for_other_hosts_get_421() {
    let sandbox = Sandbox::start().unwrap();
    for host in [
        "localhost",
        "localhost:{port}",
        "LOCALHOST:{port}",
        "localhost.:{port}",
        "app.localhost:{port}",
        "127.0.0.1:{port}",
        "127.0.0.1:1",
        "127.255.255.254",
        "[::1]:{port}",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(status(&sandbox, &format!("GET /sandbox/messages HTTP/1.1\nHost: {host}")), 200, "{host}");
    }
    for host in [
        "rebind.example.com",
        "rebind.example.com:{port}",
        "127.0.0.1.example.com:{port}",
        "localhost.example.com:{port}",
        "127.0.0.1@example.com:{port}",
        "example.com@127.0.0.1:{port}",
        "notlocalhost:{port}",
        "localhost..:{port}",
        "192.168.0.1:{port}",
        "128.0.0.1:{port}",
        "0.0.0.0:{port}",
        "0:{port}",
        "127.1:{port}",
        "2130706433:{port}",
        "[::]:{port}",
        "[::2]:{port}",
        "[::ffff:10.0.0.1]:{port}",
        "::1",
        "localhost, example.com",
        "localhost/",
        "http://localhost",
        "sandbox",
        "",
    ] {
        assert_eq!(status(&sandbox, &format!("GET /sandbox/messages HTTP/1.1\nHost: {host}")), 421, "{host}");
    }
}

#[test]
fn the_host_is_the_one_that_the_request_targets() {
    let sandbox = Sandbox::start().unwrap();
    for (head, expected) in [
        ("GET http://127.0.0.1:{port}/sandbox/messages HTTP/1.1\nHost: localhost", 200),
        ("GET http://localhost/sandbox/messages HTTP/1.1\nHost: 127.0.0.1:{port}", 200),
        ("GET http://example.com/sandbox/messages HTTP/1.1\nHost: localhost", 421),
        ("GET http://localhost@example.com/sandbox/messages HTTP/1.1\nHost: localhost", 421),
        ("GET http://localhost/sandbox/messages HTTP/1.1\nHost: example.com", 421),
        ("GET https://example.com/sandbox/messages HTTP/1.1\nHost: localhost", 421),
        ("CONNECT example.com:443 HTTP/1.1\nHost: localhost", 421),
        // RFC 9112, section 3.2: exactly one `Host`, except in HTTP/1.0.
        ("GET /sandbox/messages HTTP/1.1", 400),
        ("GET /sandbox/messages HTTP/1.1\nHost: localhost\nHost: localhost", 400),
        ("GET /sandbox/messages HTTP/1.1\nHost: localhost\nHost: example.com", 400),
        ("GET /sandbox/messages HTTP/1.1\nHost: example.com\nHost: localhost", 400),
        ("GET /sandbox/messages HTTP/1.0\nHost: localhost\nHost: example.com", 400),
        ("GET /sandbox/messages HTTP/1.0", 200),
        ("GET /sandbox/messages HTTP/1.0\nHost: example.com", 421),
    ] {
        assert_eq!(status(&sandbox, head), expected, "{head}");
    }
}

#[test]
fn requests_of_other_origins_get_403() {
    let sandbox = Sandbox::start().unwrap();
    for (host, origin) in [
        ("localhost:{port}", "http://localhost:{port}"),
        ("LOCALHOST:{port}", "http://localhost:{port}"),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}"),
        ("[::1]:{port}", "http://[::1]:{port}"),
        ("app.localhost:{port}", "http://app.localhost:{port}"),
    ] {
        let head = format!("GET /sandbox/messages HTTP/1.1\nHost: {host}\nOrigin: {origin}");
        assert_eq!(status(&sandbox, &head), 200, "{head}");
    }
    for (host, origin) in [
        ("localhost:{port}", "https://example.com"),
        ("localhost:{port}", "http://example.com:{port}"),
        ("localhost:{port}", "null"),
        ("localhost:{port}", ""),
        ("localhost:{port}", "*"),
        ("localhost:{port}", "localhost:{port}"),
        ("localhost:{port}", "//localhost:{port}"),
        ("localhost:{port}", "https://localhost:{port}"),
        ("localhost:{port}", "http://localhost"),
        ("localhost:{port}", "http://localhost:1"),
        ("localhost:1", "http://localhost:1"),
        ("localhost", "http://localhost"),
        ("localhost:{port}", "http://localhost:{port}/"),
        ("localhost:{port}", "http://localhost:{port}.example.com"),
        ("localhost:{port}", "http://localhost:{port}@example.com"),
        ("localhost:{port}", "http://localhost:{port} http://example.com"),
        ("localhost:{port}", "http://localhost:{port}\nOrigin: https://example.com"),
        ("localhost:{port}", "https://example.com\nOrigin: http://localhost:{port}"),
        // Another program may listen at the same port of another loopback address.
        ("localhost:{port}", "http://127.0.0.2:{port}"),
        ("127.0.0.1:{port}", "http://[::1]:{port}"),
        ("localhost:{port}", "chrome-extension://abcdefghijklmnop"),
    ] {
        let head = format!("GET /sandbox/messages HTTP/1.1\nHost: {host}\nOrigin: {origin}");
        assert_eq!(status(&sandbox, &head), 403, "{head}");
    }
    assert_eq!(status(&sandbox, "GET /sandbox/messages HTTP/1.0\nOrigin: http://127.0.0.1:{port}"), 403);
}

/// Every endpoint checks, and before it acts: the fault stays queued, the clock and the inbox stay
/// as they are.
#[test]
fn a_refused_request_changes_nothing() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fail_next(Fault::status(500));
    for (path, body) in [
        ("/otp/new", r#"{"to":"+14155552671","language":"en","name":"MyApp"}"#),
        ("/otp/nothing", "{}"),
        ("/sandbox/advance", r#"{"seconds":86400}"#),
        ("/sandbox/fail", r#"{"fault":"half"}"#),
        ("/sandbox/reset", "{}"),
        ("/sandbox/nothing", "{}"),
    ] {
        for (header, expected) in [("Host: example.com", 421), ("Host: localhost\nOrigin: https://example.com", 403)] {
            let head = format!("POST {path} HTTP/1.1\n{header}\nAuthorization: Token contiguity_sk_test");
            assert_eq!(send(&sandbox, &head, body).status, expected, "{path} {header}");
        }
    }
    assert_eq!(sandbox.deliveries(PHONE), 0);
    let new_otp = || NewOtp::to(PHONE).language("en").name("MyApp").send(&sandbox.client());
    assert_eq!(new_otp().unwrap_err().status(), Some(500), "the fault is still queued");
    let _ = new_otp().expect("no other fault was queued");
    let sent_at = sandbox.phone(PHONE).last_message().unwrap().at;
    assert!(sent_at.elapsed().is_ok(), "the clock was not moved");
}

#[test]
fn a_refusal_says_what_to_do() {
    let sandbox = Sandbox::start().unwrap();
    for (head, message) in [
        (
            "GET / HTTP/1.1\nHost: example.com",
            "this host is not allowed; use localhost, 127.0.0.1 or [::1] in the URL, or start the sandbox with \
             `--allow-host` (in Rust, `allow_host`)",
        ),
        (
            "GET / HTTP/1.1\nHost: localhost\nOrigin: https://example.com",
            "the sandbox serves no web page of another origin; call it from a program, without an Origin header",
        ),
        ("GET / HTTP/1.1", "the request must have exactly one Host header"),
    ] {
        assert_eq!(send(&sandbox, head, "").json["data"]["error"], message, "{head}");
    }
}

/// Preflights get no permission, so browsers do not send what they ask for.
#[test]
fn preflights_get_no_permission() {
    let sandbox = Sandbox::start().unwrap();
    let head = "OPTIONS /sandbox/advance HTTP/1.1\nHost: localhost:{port}\nOrigin: https://example.com\n\
                Access-Control-Request-Method: POST\nAccess-Control-Request-Private-Network: true";
    let response = send(&sandbox, head, "");
    assert_eq!(response.status, 403);
    assert!(!response.head.to_ascii_lowercase().contains("access-control"), "{}", response.head);
}

// ---------------------------------------------------------------------------------------------------------------------
// Bounds

/// Connections over the limit wait until another one ends.
#[test]
fn simultaneous_connections_are_limited() {
    let sandbox = Sandbox::start().unwrap();
    let mut unfinished: Vec<TcpStream> = (0..MAX_CONNECTIONS)
        .map(|_| {
            let mut stream = connect(&sandbox);
            stream.write_all(b"POST /otp/new HTTP/1.1\r\nX-Unfinished: ").unwrap();
            stream
        })
        .collect();
    let mut waiting = connect(&sandbox);
    waiting.write_all(b"GET /sandbox/messages HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let error = waiting.read(&mut [0; 1]).expect_err("no response while the others are open");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");

    unfinished.pop();
    waiting.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(Response::read(waiting).status, 200);
}

#[test]
fn pending_webhooks_are_limited_and_the_others_are_listed_as_not_sent() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let open = || {
        let request = InitiateReverseOtp::number(PHONE).factor("MyApp2024").success_url(url.as_str());
        request.send(&client).unwrap()
    };
    let too_many = 50;
    let sessions: Vec<_> = (0..MAX_PENDING_WEBHOOKS + too_many).map(|_| open()).collect();
    sandbox.phone(PHONE).text(&sessions[0].to, "MyApp2024");

    let attempts = sandbox.webhooks();
    let (not_sent, others): (Vec<_>, Vec<_>) = attempts.iter().partition(|attempt| attempt.error.is_some());
    assert_eq!(not_sent.len(), too_many);
    assert!(others.len() <= MAX_PENDING_WEBHOOKS);
    for attempt in &not_sent {
        assert_eq!(
            attempt.error.as_deref(),
            Some("not sent: 1000 webhooks are pending; make the receiver respond faster")
        );
        assert_eq!((attempt.attempt, attempt.status, attempt.url.as_str()), (1, None, url.as_str()));
    }
    let events: HashSet<_> = not_sent.iter().map(|attempt| &attempt.event_id).collect();
    assert_eq!(events.len(), too_many, "each is another event");
    // The newest sessions are the ones that find no room.
    let newest: HashSet<_> = sessions[MAX_PENDING_WEBHOOKS..].iter().map(|session| &session.otp_id).collect();
    assert_eq!(not_sent.iter().map(|attempt| &attempt.otp_id).collect::<HashSet<_>>(), newest);
}

// ---------------------------------------------------------------------------------------------------------------------
// Names

/// Where no name server knows these names, a look-up would fail.
#[test]
fn webhooks_to_names_under_localhost_need_no_name_server() {
    for host in ["localhost", "hook.localhost", "HOOK.LocalHost.", "no-such-name.test.localhost"] {
        let sandbox = Sandbox::start().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let session = InitiateReverseOtp::number(PHONE)
            .success_url(format!("http://{host}:{port}/hook"))
            .send(&sandbox.client())
            .unwrap();
        sandbox.phone(PHONE).text(&session.to, &session.factor);

        let stream = accept(&listener).unwrap_or_else(|| panic!("{host}: {:?}", sandbox.webhooks()));
        let mut head = String::new();
        let mut reader = BufReader::new(stream);
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0);
        }
        let expected = format!("\r\nhost: {host}:{port}\r\n").to_lowercase();
        assert!(head.to_lowercase().contains(&expected), "{head}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Languages

#[test]
fn the_vendors_languages_are_accepted_and_others_refused() {
    let sandbox = Sandbox::start().unwrap();
    let new_otp = |language: &str| {
        let head = "POST /otp/new HTTP/1.1\nHost: localhost\nAuthorization: Token contiguity_sk_test";
        send(&sandbox, head, &format!(r#"{{"to":"{PHONE}","language":"{language}","name":"MyApp"}}"#))
    };
    let known = "en af ar ca zh zh-hk hr cs da nl fi fr de el he hi hu id it ja ko ms nb pl pt-br pt ro ru es sv tl th \
                 tr vi EN Pt-BR zh-HK";
    for language in known.split(' ') {
        assert_eq!(new_otp(language).status, 200, "{language}");
    }
    for language in ["eo", "uk", "en-US", "pt_br", "zh-tw", "zh-hk-x", "no", "fil", "english", "e", "en "] {
        let response = new_otp(language);
        assert_eq!(response.status, 400, "{language}");
        let message = "language must be one of the 34 that the service supports, such as en or pt-br; in a test, Sandbox::any_language allows others";
        assert_eq!(response.json["data"]["error"], message, "{language}");
    }
    assert_eq!(sandbox.deliveries(PHONE), known.split(' ').count());
}

#[test]
fn any_language_is_accepted_on_request() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let new_otp = || NewOtp::to(PHONE).language("eo").name("MyApp").send(&client);
    let initiate = || InitiateReverseOtp::number(PHONE).language("eo").send(&client);
    assert_eq!(new_otp().unwrap_err().status(), Some(400));
    assert_eq!(initiate().unwrap_err().status(), Some(400));

    sandbox.any_language();
    let _ = new_otp().unwrap();
    initiate().unwrap();
    assert_eq!(sandbox.phone(PHONE).last_message().unwrap().language.as_str(), "eo");
    sandbox.reset();
    let _ = new_otp().expect("a reset keeps the setting");
    let head = "POST /otp/new HTTP/1.1\nHost: localhost\nAuthorization: Token contiguity_sk_test";
    let body = format!(r#"{{"to":"{PHONE}","language":"e n","name":"MyApp"}}"#);
    assert_eq!(send(&sandbox, head, &body).status, 400, "not a language tag at all");
}

// ---------------------------------------------------------------------------------------------------------------------
// The port

#[test]
#[cfg(target_os = "linux")]
fn the_port_is_open_on_127_0_0_1_only() {
    let sandbox = Sandbox::start().unwrap();
    let (_, port) = sandbox.url().rsplit_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let error = TcpStream::connect(("127.0.0.2", port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_port_in_use_is_an_io_error_that_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error: std::io::Error = Sandbox::start_on(port).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let message = error.to_string();
    assert!(message.starts_with(&format!("the sandbox cannot listen on 127.0.0.1:{port}: ")), "{message}");
    assert!(message.ends_with("; stop the program that uses the port, or choose another port"), "{message}");
}

// ---------------------------------------------------------------------------------------------------------------------

/// The limits that the sandbox's documentation names.
const MAX_CONNECTIONS: usize = 256;
const MAX_PENDING_WEBHOOKS: usize = 1_000;

struct Response {
    status: u16,
    head: String,
    json: serde_json::Value,
}

impl Response {
    #[track_caller]
    fn read(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "a whole response, not {head:?}");
        }
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Self { status: head[9..12].parse().unwrap(), head, json }
    }
}

#[track_caller]
fn status(sandbox: &Sandbox, head: &str) -> u16 {
    send(sandbox, head, "").status
}

/// Sends a request whose head is written with `\n` between lines and `{port}` for the sandbox's
/// port.
#[track_caller]
fn send(sandbox: &Sandbox, head: &str, body: &str) -> Response {
    let (_, port) = sandbox.url().rsplit_once(':').unwrap();
    let head = head.replace("{port}", port).replace('\n', "\r\n");
    let mut stream = connect(sandbox);
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    Response::read(stream)
}

fn connect(sandbox: &Sandbox) -> TcpStream {
    let stream = TcpStream::connect(sandbox.url().strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn accept(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}
