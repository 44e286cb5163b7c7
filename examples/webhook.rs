//! Signs a person in by webhook, in a plain synchronous program.
//!
//! The program starts a reverse OTP session and a small HTTP server. When the person has texted the
//! factor, the service posts a webhook to the server, which verifies it and completes the sign-in.
//!
//! ```text
//! cargo run --example webhook
//! ```
//!
//! Without an API key in the environment, the program runs on the embedded sandbox, acts as the
//! person's phone and ends when the person is signed in. With an API key, it uses the service and
//! needs a public URL that forwards to its port on this machine:
//!
//! ```text
//! export CONTIGUITY_API_KEY=… CONTIGUITY_WEBHOOK_SECRET=whsec_… PORT=8787
//! cargo run --example webhook -- +14155552671 https://myapp.com/otp-verified
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use contiguity::sandbox::Sandbox;
use contiguity::webhook::{Event, Verifier};
use contiguity::{Client, InitiateReverseOtp, OtpId, ReverseSession, Verified};
use oxhttp::Server;
use oxhttp::model::{Body, Method, Request, Response, StatusCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("webhook: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let setup = Setup::from_env()?;
    let sign_ins = Arc::new(SignIns::default());
    listen(setup.port, Verifier::new(setup.secret)?, Arc::clone(&sign_ins))?;

    let session = InitiateReverseOtp::number(setup.number).success_url(setup.success_url).send(&setup.client)?;
    sign_ins.open(session.otp_id.clone());
    println!("Text {} to {} from {}.", session.factor, session.to, session.number);
    if let Some(sandbox) = &setup.sandbox {
        println!("The sandbox simulates this text message now.");
        sandbox.phone(session.number).text(&session.to, &session.factor);
    }

    let proof = sign_ins.wait(&session, Duration::from_secs(300)).ok_or("the person did not text in time")?;
    welcome(&proof);
    Ok(())
}

/// Shows what only a verified person may see. Callers need the proof of a successful check.
fn welcome(proof: &Verified) {
    if let Some(number) = proof.number() {
        println!("Welcome, {number}! You are signed in (session {}).", proof.otp_id());
    }
}

/// Serves the webhook on loopback, on its own threads. In production, a proxy in front adds TLS.
fn listen(port: u16, verifier: Verifier, sign_ins: Arc<SignIns>) -> Result<(), Box<dyn Error>> {
    Server::new(move |request| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = receive(request, &verifier, &sign_ins);
        response
    })
    .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    .with_global_timeout(Duration::from_secs(10))
    .with_max_concurrent_connections(64)
    .spawn()?;
    Ok(())
}

/// Handles a request. Do nothing slow here, since the service waits for the response.
fn receive(request: &mut Request<Body>, verifier: &Verifier, sign_ins: &SignIns) -> StatusCode {
    if request.uri().path() != "/otp-verified" {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    // The signature covers the raw bytes. Their number is limited, since anyone can post here.
    let mut body = Vec::new();
    match request.body_mut().take(MAX_BODY_BYTES + 1).read_to_end(&mut body) {
        Ok(read) if read as u64 <= MAX_BODY_BYTES => {}
        Ok(_) => return StatusCode::PAYLOAD_TOO_LARGE,
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    let signature = request.headers().get("contiguity-signature").and_then(|value| value.to_str().ok());
    match verifier.verify(&body, signature) {
        Ok(Event::OtpReverseVerified(event)) => {
            println!("Event {}: session {} is verified.", event.id(), event.otp_id());
            if !sign_ins.complete(event.proof()) {
                println!("Ignored the event: the session is unknown or already signed in.");
            }
            StatusCode::OK
        }
        // An event of another kind. 200 tells the service not to send it again.
        Ok(_) => StatusCode::OK,
        Err(error) => {
            eprintln!("Refused a webhook: {error}");
            StatusCode::UNAUTHORIZED
        }
    }
}

/// Plenty: an event has less than 1 KiB.
const MAX_BODY_BYTES: u64 = 64 * 1024;

/// The sessions of this program and their states. In production, use a table in your database.
#[derive(Default)]
struct SignIns {
    sessions: Mutex<HashMap<OtpId, SignIn>>,
    changed: Condvar,
}

enum SignIn {
    Waiting,
    SignedIn(Verified),
}

impl SignIns {
    fn open(&self, otp_id: OtpId) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(otp_id, SignIn::Waiting);
    }

    /// Signs in the session of the proof.
    ///
    /// Returns false if the session is not waiting, such as for an event that arrives twice.
    fn complete(&self, proof: Verified) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sign_in @ SignIn::Waiting) = sessions.get_mut(proof.otp_id()) else { return false };
        *sign_in = SignIn::SignedIn(proof);
        self.changed.notify_all();
        true
    }

    /// Waits until the session is signed in, and returns its proof, or `None` after the timeout.
    fn wait(&self, session: &ReverseSession, timeout: Duration) -> Option<Verified> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_waiting = |sessions: &mut HashMap<_, _>| matches!(sessions.get(&session.otp_id), Some(SignIn::Waiting));
        let waited = self.changed.wait_timeout_while(sessions, timeout, is_waiting);
        let (mut sessions, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match sessions.remove(&session.otp_id) {
            Some(SignIn::SignedIn(proof)) => Some(proof),
            _ => None,
        }
    }
}

/// Uses the service if an API key is set, and a sandbox otherwise.
struct Setup {
    client: Client,
    sandbox: Option<Sandbox>,
    secret: String,
    number: String,
    success_url: String,
    port: u16,
}

impl Setup {
    fn from_env() -> Result<Self, Box<dyn Error>> {
        let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
        if is_set("CONTIGUITY_API_KEY") || is_set("CONTIGUITY_TOKEN") {
            let mut arguments = std::env::args().skip(1);
            let (Some(number), Some(success_url)) = (arguments.next(), arguments.next()) else {
                return Err("usage: webhook <phone number> <public URL of /otp-verified on this machine>".into());
            };
            let secret = std::env::var("CONTIGUITY_WEBHOOK_SECRET")
                .map_err(|_| "set CONTIGUITY_WEBHOOK_SECRET to the endpoint's signing secret, such as whsec_…")?;
            let port = std::env::var("PORT").as_deref().unwrap_or("8787").parse()?;
            return Ok(Self { client: Client::from_env()?, sandbox: None, secret, number, success_url, port });
        }
        println!("CONTIGUITY_API_KEY is not set, so this program uses the embedded sandbox.");
        let sandbox = Sandbox::start()?;
        // Finds a free port, since the server takes only a fixed one.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self {
            client: sandbox.client(),
            secret: sandbox.webhook_secret().to_owned(),
            sandbox: Some(sandbox),
            number: "+14155552671".to_owned(),
            success_url: format!("http://127.0.0.1:{port}/otp-verified"),
            port,
        })
    }
}
