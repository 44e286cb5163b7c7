//! The same calls, made by the SDK, by ureq and over a raw socket.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use contiguity::{Client, Error, NewOtp, VerifyReverseOtp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::responder::read_message;

/// Makes calls and decodes the responses. Panics if a response is not the expected one.
pub trait Contestant {
    fn call(&self, call: &str);
}

impl Contestant for Client {
    fn call(&self, call: &str) {
        let new = |name| NewOtp::to(NUMBER).language("en").name(name).send(self);
        match call {
            "new" => assert_eq!(new(NAME).expect("a response").otp_id.as_str(), OTP_ID),
            "status read" => {
                let status = VerifyReverseOtp::otp_id(SESSION_ID).send(self).expect("a response");
                assert_eq!(status.status.as_str(), "pending");
            }
            "400" => {
                let Err(Error::Api(error)) = new(REFUSED) else { panic!("not refused") };
                assert_eq!(error.message(), REASON);
            }
            _ => panic!("unknown call {call}"),
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
#[expect(dead_code, reason = "the SDK decodes all of it")]
struct Response<T> {
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
#[expect(dead_code, reason = "the SDK decodes all of it")]
struct Session {
    otp_id: String,
    status: String,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "the SDK decodes all of it")]
struct Refusal {
    error: String,
    status: u16,
}

/// What a program without the SDK writes itself.
trait Http {
    /// Sends a POST with this name, or a GET without one. Checks the status, decodes the body.
    fn exchange<T: DeserializeOwned>(&self, name: Option<&str>, status: u16) -> T;
}

impl<H: Http> Contestant for H {
    fn call(&self, call: &str) {
        match call {
            "new" => assert_eq!(self.exchange::<Sent>(Some(NAME), 200).otp_id, OTP_ID),
            "status read" => assert_eq!(self.exchange::<Session>(None, 200).status, "pending"),
            "400" => assert_eq!(self.exchange::<Refusal>(Some(REFUSED), 400).error, REASON),
            _ => panic!("unknown call {call}"),
        }
    }
}

/// Bare ureq.
pub struct Ureq {
    agent: ureq::Agent,
    url: String,
}

impl Ureq {
    /// With ureq's default settings, or with the limits that a careful user sets.
    pub fn new(url: &str, pem: &str, is_limited: bool) -> Self {
        let root = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).build();
        let mut config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls);
        if is_limited {
            let (timeout, connect) = (Some(Duration::from_secs(30)), Some(Duration::from_secs(5)));
            config = config.timeout_global(timeout).timeout_connect(connect).max_redirects(0);
            config = config.max_response_header_size(64 * 1024).max_idle_age(Duration::from_secs(3));
        }
        Self { agent: config.build().into(), url: url.to_owned() }
    }
}

impl Http for Ureq {
    fn exchange<T: DeserializeOwned>(&self, name: Option<&str>, status: u16) -> T {
        let key = format!("Token {KEY}");
        let response = if let Some(name) = name {
            let request = self.agent.post(format!("{}/otp/new", self.url)).header("Authorization", key);
            request.send_json(Fields { to: NUMBER, language: "en", name })
        } else {
            self.agent.get(format!("{}{STATUS_PATH}", self.url)).header("Authorization", key).call()
        };
        let mut response = response.expect("a response");
        assert_eq!(response.status(), status);
        response.body_mut().read_json::<Response<T>>().expect("JSON").data
    }
}

/// A socket, and no more HTTP than these responses need.
pub struct Raw {
    authority: String,
    tls: Option<Arc<ClientConfig>>,
    /// The open connection, unless the responder has closed it.
    connection: RefCell<Option<Box<dyn Stream>>>,
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Raw {
    pub fn new(url: &str, pem: &str) -> Self {
        let (scheme, authority) = url.split_once("://").expect("a URL");
        let tls = (scheme == "https").then(|| {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a certificate");
            Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        });
        Self { authority: authority.to_owned(), tls, connection: RefCell::new(None) }
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::from(stream.peer_addr()?.ip());
        let connection = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, stream)))
    }
}

impl Http for Raw {
    fn exchange<T: DeserializeOwned>(&self, name: Option<&str>, status: u16) -> T {
        let fields = |name| serde_json::to_string(&Fields { to: NUMBER, language: "en", name }).expect("JSON");
        let (method, path, body) = match name {
            Some(name) => ("POST", "/otp/new", fields(name)),
            None => ("GET", STATUS_PATH, String::new()),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Token {KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority,
            body.len()
        );
        let mut slot = self.connection.borrow_mut();
        let mut stream = slot.take().unwrap_or_else(|| self.connect().expect("a connection"));
        stream.write_all(request.as_bytes()).expect("an open connection");
        let (head, body) = read_message(&mut stream).expect("a response");
        assert!(head.starts_with(if status == 200 { "HTTP/1.1 200" } else { "HTTP/1.1 400" }));
        let response: Response<T> = serde_json::from_str(&body).expect("JSON");
        if !head.contains("Connection: close") {
            *slot = Some(stream);
        }
        response.data
    }
}

pub const KEY: &str = "contiguity_sk_0123456789abcdef0123456789abcdef";
const NUMBER: &str = "+14155552671";
const NAME: &str = "MyApp";
/// A name that the responder refuses.
pub const REFUSED: &str = "Refused";
pub const REASON: &str = "Bad Request";
pub const OTP_ID: &str = "otp_1234567890";
pub const SESSION_ID: &str = "r_otp_123456";
const STATUS_PATH: &str = "/otp/reverse/verify/r_otp_123456";
