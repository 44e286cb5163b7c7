//! Is told by webhook that a person has texted, in a plain synchronous program: the raw body, its signature, 401 otherwise,
//! and the sign-in that it completes.
//!
//! ```text
//! cargo run --example webhook
//! ```
//!
//! Without an API key in the environment it runs on the embedded sandbox, plays the person's phone, and ends when they are
//! signed in. With a key it uses the service, and wants a public URL that leads to its port on this machine:
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
        println!("(The sandbox does that now.)");
        sandbox.phone(session.number).text(&session.to, &session.factor);
    }

    let proof = sign_ins.wait(&session, Duration::from_secs(300)).ok_or("nobody has texted in time")?;
    welcome(&proof);
    Ok(())
}

/// What only a verified person may see: it cannot be called without the proof.
fn welcome(proof: &Verified) {
    let number = proof.number().map(ToString::to_string).unwrap_or_default();
    println!("Welcome, {number}! You are signed in (by {}).", proof.otp_id());
}

/// Serves the webhook on loopback, on threads of its own. A proxy in front of it brings TLS, and its own limits.
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

/// The whole of a webhook's reception. Nothing slow happens here: the service waits for the answer.
fn receive(request: &mut Request<Body>, verifier: &Verifier, sign_ins: &SignIns) -> StatusCode {
    if request.uri().path() != "/otp-verified" {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    // The raw bytes, which are what is signed; and not more of them than an event can have, since anyone may post here.
    let mut body = Vec::new();
    match request.body_mut().take(MOST_BODY_BYTES + 1).read_to_end(&mut body) {
        Ok(read) if read as u64 <= MOST_BODY_BYTES => {}
        Ok(_) => return StatusCode::PAYLOAD_TOO_LARGE,
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    let signature = request.headers().get("contiguity-signature").and_then(|value| value.to_str().ok());
    match verifier.verify(&body, signature) {
        Ok(Event::OtpReverseVerified(event)) => {
            println!("Event {}: session {} is verified.", event.id(), event.otp_id());
            if !sign_ins.complete(event.proof()) {
                println!("No session waits for that: it came twice, or belongs to another program.");
            }
            StatusCode::OK
        }
        // Of another kind, and well received: it is not to be sent again.
        Ok(_) => StatusCode::OK,
        Err(error) => {
            eprintln!("Refused a webhook: {error}.");
            StatusCode::UNAUTHORIZED
        }
    }
}

/// An event has less than 1 KiB.
const MOST_BODY_BYTES: u64 = 64 * 1024;

/// The sessions that this program opened, and how far they are: in life, a table of its database.
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

    /// Signs in whoever opened the session that the proof names. Once: an event that comes again finds nothing that waits.
    fn complete(&self, proof: Verified) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sign_in @ SignIn::Waiting) = sessions.get_mut(proof.otp_id()) else { return false };
        *sign_in = SignIn::SignedIn(proof);
        self.changed.notify_all();
        true
    }

    /// What the person's own page or terminal does meanwhile.
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

/// The service itself, or the sandbox in its place.
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
                return Err("give the number of the phone, and the public URL of this program's /otp-verified".into());
            };
            let secret = std::env::var("CONTIGUITY_WEBHOOK_SECRET")
                .map_err(|_| "set CONTIGUITY_WEBHOOK_SECRET to the webhook's signing secret, whsec_…")?;
            let port = std::env::var("PORT").as_deref().unwrap_or("8787").parse()?;
            return Ok(Self { client: Client::from_env()?, sandbox: None, secret, number, success_url, port });
        }
        println!("No CONTIGUITY_API_KEY in the environment: this runs on the embedded sandbox, and texts nobody.");
        let sandbox = Sandbox::start()?;
        // A port that was free a moment ago; the server takes it by its number.
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
