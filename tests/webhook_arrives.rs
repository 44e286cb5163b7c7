//! The whole way of a webhook: the person texts, the sandbox posts, and the receiver verifies.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use contiguity::sandbox::Sandbox;
use contiguity::webhook::{Event, Verifier};
use contiguity::{InitiateReverseOtp, Verified};

#[test]
fn a_text_verifies_the_session_by_webhook() {
    let sandbox = Sandbox::start().unwrap();
    let receiver = Receiver::new(&sandbox);
    let session = receiver.open(&sandbox);
    sandbox.phone("+14155552671").text(&session.to, &session.factor);

    let request = receiver.accept();
    let proof = request.verify(&receiver.verifier).unwrap();
    assert_eq!(proof.otp_id(), &session.otp_id);
    assert_eq!(proof.number(), Some(session.number));
    request.respond("200 OK");
}

/// Without a 2xx response, the sandbox sends the event again with the same id.
#[test]
fn a_retried_event_has_the_same_id() {
    let sandbox = Sandbox::start().unwrap();
    let receiver = Receiver::new(&sandbox);
    let session = receiver.open(&sandbox);
    sandbox.phone("+14155552671").text(&session.to, &session.factor);

    let mut seen = HashSet::new();
    for (status, is_new) in [("503 Service Unavailable", true), ("200 OK", false)] {
        let request = receiver.accept();
        let event = receiver.verifier.verify(&request.body, request.signature.as_deref()).unwrap();
        assert_eq!(seen.insert(event.id().unwrap().to_owned()), is_new);
        request.respond(status);
    }
}

#[test]
fn a_webhook_of_another_sandbox_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let receiver = Receiver::new(&Sandbox::start().unwrap());
    let session = receiver.open(&sandbox);
    sandbox.phone("+14155552671").text(&session.to, &session.factor);

    let request = receiver.accept();
    let error = receiver.verifier.verify(&request.body, request.signature.as_deref()).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    request.respond("401 Unauthorized");
}

#[test]
fn a_receiver_that_does_not_respond_is_listed_with_an_error() {
    let sandbox = Sandbox::start().unwrap();
    let receiver = Receiver::new(&sandbox);
    let session = receiver.open(&sandbox);
    sandbox.phone("+14155552671").text(&session.to, &session.factor);

    let _unanswered = receiver.accept();
    let began = Instant::now();
    let error = loop {
        let attempt = sandbox.webhooks().swap_remove(0);
        if let Some(error) = attempt.error {
            assert_eq!(attempt.status, None);
            break error;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no error");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(error, "no response within 3 s");
}

struct Receiver {
    listener: TcpListener,
    verifier: Verifier,
}

impl Receiver {
    fn new(sandbox: &Sandbox) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { listener, verifier: Verifier::new(sandbox.webhook_secret()).unwrap() }
    }

    fn open(&self, sandbox: &Sandbox) -> contiguity::ReverseSession {
        let url = format!("http://{}/otp-verified", self.listener.local_addr().unwrap());
        InitiateReverseOtp::number("+14155552671").success_url(url).send(&sandbox.client()).unwrap()
    }

    /// Reads one request, with as much of HTTP/1.1 as a webhook needs.
    fn accept(&self) -> Request {
        let (stream, _) = self.listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        assert_eq!(head[0], "POST /otp-verified HTTP/1.1");
        let header = |name: &str| {
            let mut headers = head.iter().filter_map(|line| line.split_once(": "));
            headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("Content-Length").unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        Request { signature: header("Contiguity-Signature"), body, stream: reader.into_inner() }
    }
}

struct Request {
    signature: Option<String>,
    body: Vec<u8>,
    stream: TcpStream,
}

impl Request {
    fn verify(&self, verifier: &Verifier) -> Option<Verified> {
        match verifier.verify(&self.body, self.signature.as_deref()).unwrap() {
            Event::OtpReverseVerified(event) => Some(event.proof()),
            _ => None,
        }
    }

    fn respond(mut self, status: &str) {
        write!(self.stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    }
}
