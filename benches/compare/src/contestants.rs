//! The same calls, made four ways.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use contiguity::{Client, Error, NewOtp, VerifyReverseOtp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::Agent;

/// Who makes the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This crate, every safety on.
    Sdk,
    /// Bare ureq with the limits that a careful user sets.
    Limited,
    /// Bare ureq as it comes: no time limits, no bounds. The yardstick.
    Bare,
    /// A socket, and no more HTTP than these answers need. The floor.
    Raw,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// `POST /otp/new`, answered 200.
    New,
    /// `GET /otp/reverse/verify/{otp_id}`, answered 200.
    Status,
    /// `POST /otp/new`, answered 400.
    Refused,
    /// `POST /otp/new` with a number that is none. Only the SDK knows that before the call.
    Invalid,
}

/// Makes one call and reads its answer into typed values. Panics unless the answer is the expected one.
pub trait Caller: Send + Sync {
    fn call(&self, what: What);
}

pub fn caller(who: Who, base: &str) -> Box<dyn Caller> {
    match who {
        Who::Sdk => Box::new(Client::builder(KEY).base_url(base).allow_insecure_http().build().expect("a client")),
        Who::Limited => {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .timeout_global(Some(Duration::from_secs(30)))
                .timeout_connect(Some(Duration::from_secs(5)))
                .max_response_header_size(64 * 1024)
                .max_idle_age(Duration::from_secs(3))
                .max_idle_connections_per_host(8);
            Box::new(Bare { agent: config.build().into(), base: base.to_owned(), most: Some(1024 * 1024) })
        }
        Who::Bare => {
            let config = Agent::config_builder().http_status_as_error(false);
            Box::new(Bare { agent: config.build().into(), base: base.to_owned(), most: None })
        }
        Who::Raw => Box::new(Raw::connect(base)),
    }
}

impl Caller for Client {
    fn call(&self, what: What) {
        match what {
            What::New => {
                let sent = NewOtp::to(NUMBER).language("en").name(NAME).send(self).expect("an answer");
                assert_eq!(sent.otp_id.as_str(), OTP_ID);
            }
            What::Status => {
                let status = VerifyReverseOtp::otp_id(SESSION_ID).send(self).expect("an answer");
                assert_eq!(status.status.as_str(), "pending");
            }
            What::Refused => {
                let error = NewOtp::to(NUMBER).language("en").name(REFUSED).send(self).expect_err("a refusal");
                let Error::Api(error) = error else { panic!("{error:?}") };
                assert_eq!(error.message(), REASON);
            }
            What::Invalid => {
                let error = NewOtp::to("415 555").language("en").name(NAME).send(self).expect_err("a refusal");
                assert!(matches!(error, Error::Validation(_)));
            }
        }
    }
}

#[derive(Serialize)]
struct Fields<'a> {
    to: &'a str,
    language: &'a str,
    name: &'a str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read as the SDK reads it, for whoever wants it")]
struct Answer<T> {
    id: String,
    timestamp: u64,
    api_version: String,
    data: T,
}

#[derive(Deserialize)]
struct Sent {
    otp_id: String,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read as the SDK reads it, for whoever wants it")]
struct Session {
    otp_id: String,
    status: String,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "read as the SDK reads it, for whoever wants it")]
struct Refusal {
    error: String,
    status: u16,
}

/// What a program without the SDK has, once for the whole program.
struct Bare {
    agent: Agent,
    base: String,
    /// Bytes of an answer that are read at most.
    most: Option<u64>,
}

impl Bare {
    fn post<T: DeserializeOwned>(&self, name: &str, status: u16) -> T {
        let mut response = self
            .agent
            .post(format!("{}/otp/new", self.base))
            .header("Authorization", format!("Token {KEY}"))
            .send_json(Fields { to: NUMBER, language: "en", name })
            .expect("an answer");
        assert_eq!(response.status(), status);
        self.read(response.body_mut())
    }

    fn read<T: DeserializeOwned>(&self, body: &mut ureq::Body) -> T {
        let answer: Result<Answer<T>, _> = match self.most {
            Some(most) => body.with_config().limit(most).read_json(),
            None => body.read_json(),
        };
        answer.expect("JSON").data
    }
}

impl Caller for Bare {
    fn call(&self, what: What) {
        match what {
            What::New => assert_eq!(self.post::<Sent>(NAME, 200).otp_id, OTP_ID),
            What::Status => {
                let mut response = self
                    .agent
                    .get(format!("{}/otp/reverse/verify/{SESSION_ID}", self.base))
                    .header("Authorization", format!("Token {KEY}"))
                    .call()
                    .expect("an answer");
                assert_eq!(response.status(), 200);
                assert_eq!(self.read::<Session>(response.body_mut()).status, "pending");
            }
            What::Refused => assert_eq!(self.post::<Refusal>(REFUSED, 400).error, REASON),
            What::Invalid => unimplemented!("bare ureq sends whatever it is given"),
        }
    }
}

struct Raw {
    stream: TcpStream,
    host: String,
}

impl Raw {
    fn connect(base: &str) -> Self {
        let host = base.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).expect("the responder");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, host }
    }

    fn exchange<T: DeserializeOwned>(&self, request: &[u8], status: &[u8]) -> T {
        let mut stream = &self.stream;
        stream.write_all(request).expect("a connection");
        let mut buffer = [0; 4096];
        let mut filled = 0;
        loop {
            let read = stream.read(&mut buffer[filled..]).expect("a connection");
            assert_ne!(read, 0, "the responder hung up");
            filled += read;
            let Some(head) = buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let body = &buffer[head + 4..filled];
            let length = content_length(&buffer[..head]);
            if body.len() == length {
                assert!(buffer[..head].starts_with(status));
                let answer: Answer<T> = serde_json::from_slice(body).expect("JSON");
                return answer.data;
            }
        }
    }

    fn post<T: DeserializeOwned>(&self, name: &str, status: &[u8]) -> T {
        let body = serde_json::to_vec(&Fields { to: NUMBER, language: "en", name }).expect("JSON");
        let mut request = Vec::with_capacity(512);
        let _ = write!(
            request,
            "POST /otp/new HTTP/1.1\r\nHost: {}\r\nAuthorization: Token {KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        request.extend_from_slice(&body);
        self.exchange(&request, status)
    }
}

impl Caller for Raw {
    fn call(&self, what: What) {
        match what {
            What::New => assert_eq!(self.post::<Sent>(NAME, b"HTTP/1.1 200").otp_id, OTP_ID),
            What::Status => {
                let request = format!(
                    "GET /otp/reverse/verify/{SESSION_ID} HTTP/1.1\r\nHost: {}\r\nAuthorization: Token {KEY}\r\n\r\n",
                    self.host
                );
                assert_eq!(self.exchange::<Session>(request.as_bytes(), b"HTTP/1.1 200").status, "pending");
            }
            What::Refused => assert_eq!(self.post::<Refusal>(REFUSED, b"HTTP/1.1 400").error, REASON),
            What::Invalid => unimplemented!("a socket sends whatever it is given"),
        }
    }
}

/// The number after the head's `Content-Length:`.
pub fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    head.split(|byte| *byte == b'\n')
        .find(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME))
        .map_or(0, |line| line.iter().filter(|b| b.is_ascii_digit()).fold(0, |n, b| n * 10 + usize::from(b - b'0')))
}

pub const KEY: &str = "contiguity_sk_0123456789abcdef0123456789abcdef";
pub const NUMBER: &str = "+14155552671";
pub const NAME: &str = "MyApp";
/// An app's name that the responder refuses.
pub const REFUSED: &str = "Refused";
pub const REASON: &str = "Bad Request";
pub const OTP_ID: &str = "otp_1234567890";
pub const SESSION_ID: &str = "r_otp_123456";

impl Who {
    pub const ALL: [Self; 4] = [Self::Sdk, Self::Limited, Self::Bare, Self::Raw];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sdk => "sdk",
            Self::Limited => "limited",
            Self::Bare => "bare",
            Self::Raw => "raw",
        }
    }

    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|who| who.name() == name).expect("sdk, limited, bare or raw")
    }
}

impl What {
    const ALL: [Self; 4] = [Self::New, Self::Status, Self::Refused, Self::Invalid];

    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Status => "status",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
        }
    }

    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|what| what.name() == name).expect("new, status, refused or invalid")
    }
}
