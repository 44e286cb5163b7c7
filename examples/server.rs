//! A whole sign-in in a small synchronous web server: it sends a code, verifies it and sends it again,
//! within limits.
//!
//! Start it with `cargo run --example server`. It prints the text with the code, which replaces `CODE`
//! in another terminal:
//!
//! ```text
//! curl -c cookies -d +14155552671 http://127.0.0.1:8787/sign-in
//! curl -b cookies -X POST http://127.0.0.1:8787/resend    # after 30 seconds
//! curl -b cookies -d CODE http://127.0.0.1:8787/code
//! ```
//!
//! Without an API key in the environment, it runs on the embedded sandbox and shows the texts. With
//! `CONTIGUITY_API_KEY` set, it uses the service and texts real phones. `PORT` changes the port.
//!
//! Built with `--features redis` and with `REDIS_URL` and `GUARD_SECRET` set, several of these servers
//! share their limits.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use contiguity::guard::{Caller, Guard, Guarded};
use contiguity::sandbox::Sandbox;
use contiguity::{Attempt, Challenge, Client, Error, Limit, NewOtp, PhoneNumber, Policy};
use oxhttp::Server;
use oxhttp::model::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use oxhttp::model::{Body, Method, Request, Response, StatusCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let sandbox = if is_set("CONTIGUITY_API_KEY") || is_set("CONTIGUITY_TOKEN") {
        None
    } else {
        println!("CONTIGUITY_API_KEY is not set. Using the embedded sandbox, which sends no real texts.");
        Some(Sandbox::start()?)
    };
    let client = sandbox.as_ref().map_or_else(Client::from_env, |sandbox| Ok(sandbox.client()))?;
    let app = App { sign_in: client.guarded(guard()?), sessions: Mutex::default(), sandbox };

    let port = std::env::var("PORT").as_deref().unwrap_or("8787").parse()?;
    let server = Server::new(move |request| app.handle(request).unwrap_or_else(Failure::into_response))
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .with_global_timeout(Duration::from_secs(60))
        .with_max_concurrent_connections(64)
        .spawn()?;
    println!("Listening on http://127.0.0.1:{port}");
    server.join()?;
    Ok(())
}

/// Sets a budget and the countries of the users, without their premium-rate and personal numbers.
/// Everything else has a default.
fn guard() -> Result<Guard, Error> {
    let guard =
        Guard::total([Limit::per_hour(500), Limit::per_day(2_000)]).only(["US", "CA", "GB"]).deny(["+1900", "+4470"]);
    #[cfg(feature = "redis")]
    if let (Ok(url), Ok(secret)) = (std::env::var("REDIS_URL"), std::env::var("GUARD_SECRET")) {
        use contiguity::guard::{Redis, WhenAway};

        let store = Redis::connect(&url, secret)?;
        return guard.shared(store).when_away(WhenAway::Alone { processes: 4 }).build();
    }
    guard.build()
}

struct App {
    sign_in: Guarded,
    /// Sessions by the id in the person's cookie. A web framework has a store for them.
    sessions: Mutex<HashMap<String, Session>>,
    sandbox: Option<Sandbox>,
}

#[derive(Clone)]
enum Session {
    SigningIn(Challenge),
    SignedIn(PhoneNumber),
}

impl App {
    fn handle(&self, request: &mut Request<Body>) -> Result<Response<Body>, Failure> {
        // A client for this request, which counts for this caller.
        let client = self.sign_in.by(caller(request));
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/sign-in") => {
                let number = PhoneNumber::from_user_input(&text(request)?, "US")
                    .map_err(|_| invalid("Please enter your phone number with its area code or country code."))?;
                let id = random_id()?;
                let otp = NewOtp::to(number).language("en").name("MyApp");
                let challenge = otp.challenge(&client, Policy::DEFAULT)?;
                self.save(&id, Session::SigningIn(challenge));
                self.show_inbox(number);
                let mut response = response(StatusCode::OK, "We have texted you a code.");
                let cookie = format!("session={id}; HttpOnly; Secure; SameSite=Lax; Path=/");
                response.headers_mut().insert(SET_COOKIE, cookie.parse().expect("hexadecimal digits"));
                Ok(response)
            }
            (&Method::POST, "/code") => {
                let (id, mut challenge) = self.signing_in(request)?;
                let outcome = challenge.verify(&client, text(request)?);
                // The attempt is used, whatever the outcome.
                self.save(&id, Session::SigningIn(challenge));
                match outcome? {
                    Attempt::Verified(proof) => {
                        let number = proof.number().expect("a challenge has a number");
                        self.save(&id, Session::SignedIn(number));
                        Ok(response(StatusCode::OK, &format!("Welcome, {number}!")))
                    }
                    Attempt::Wrong { attempts_left } => {
                        let message = format!("Wrong code. Attempts left: {attempts_left}.");
                        Ok(response(StatusCode::UNAUTHORIZED, &message))
                    }
                }
            }
            (&Method::POST, "/resend") => {
                let (id, mut challenge) = self.signing_in(request)?;
                let (outcome, number) = (challenge.resend(&client), challenge.number());
                self.save(&id, Session::SigningIn(challenge));
                outcome?;
                self.show_inbox(number);
                Ok(response(StatusCode::OK, "We have texted you the code again."))
            }
            _ => Ok(response(StatusCode::NOT_FOUND, "POST to /sign-in, /code or /resend.")),
        }
    }

    fn signing_in(&self, request: &Request<Body>) -> Result<(String, Challenge), Failure> {
        let cookies = request.headers().get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
        let id = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("session=")).unwrap_or_default();
        match self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            Some(Session::SigningIn(challenge)) => Ok((id.to_owned(), challenge.clone())),
            Some(Session::SignedIn(number)) => {
                Err(Failure::Person(StatusCode::CONFLICT, format!("You are signed in as {number}.")))
            }
            None => Err(Failure::Person(StatusCode::BAD_REQUEST, "Please start with your number.".to_owned())),
        }
    }

    fn save(&self, id: &str, session: Session) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), session);
    }

    /// Prints the newest message of a sandbox phone, as the person would read it.
    fn show_inbox(&self, number: PhoneNumber) {
        if let Some(sms) = self.sandbox.as_ref().and_then(|sandbox| sandbox.phone(number).last_message()) {
            println!("[{number}] {}", sms.text);
        }
    }
}

/// Returns the person's address, from the header that the proxy in front of this server sets. The
/// proxy must replace one that the person sent. Without a proxy, all people share one limit.
fn caller(request: &Request<Body>) -> Caller {
    let address = request.headers().get("x-real-ip").and_then(|address| address.to_str().ok());
    Caller::from(address.unwrap_or("no proxy"))
}

/// A request that failed.
enum Failure {
    Person(StatusCode, String),
    Call(Error),
    Machine(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Machine(error)
    }
}

impl Failure {
    /// Returns what to show to the person. The messages of errors are for the log only.
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Person(status, message) => response(status, &message),
            // The number is valid, so what is not is the code.
            Self::Call(Error::Validation(_)) => {
                response(StatusCode::BAD_REQUEST, "Please enter the digits of the code.")
            }
            Self::Call(Error::Refused(refusal)) => match refusal.retry_after() {
                Some(wait) => {
                    let mut response = response(StatusCode::TOO_MANY_REQUESTS, &refusal.advice());
                    response.headers_mut().insert(RETRY_AFTER, (wait.as_secs() + 1).into());
                    response
                }
                None => response(StatusCode::FORBIDDEN, &refusal.advice()),
            },
            Self::Call(error) => {
                eprintln!("{error}");
                response(StatusCode::BAD_GATEWAY, "Something went wrong. Please try again in a moment.")
            }
            Self::Machine(error) => {
                eprintln!("{error}");
                response(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong. Please try again in a moment.")
            }
        }
    }
}

fn invalid(message: &str) -> Failure {
    Failure::Person(StatusCode::BAD_REQUEST, message.to_owned())
}

fn response(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    response
}

/// Returns the body, which is a number or a code.
fn text(request: &mut Request<Body>) -> Result<String, Failure> {
    let mut text = String::new();
    request
        .body_mut()
        .take(MAX_BODY)
        .read_to_string(&mut text)
        .map_err(|_| invalid("Please send a number or a code."))?;
    Ok(text.trim().to_owned())
}

/// Returns an id that no one can guess.
fn random_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

const MAX_BODY: u64 = 100;
