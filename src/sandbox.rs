//! A local server that behaves like the Contiguity OTP API, for tests without an account.
//!
//! Requires the feature `sandbox`.
//!
//! [`Sandbox::start`] takes milliseconds and needs no network. The server listens on loopback and
//! stops when the [`Sandbox`] is dropped. It sends no real messages: [`Sandbox::phone`] returns the
//! messages of a phone. [`Sandbox::advance`] moves the clock, and [`Sandbox::fail_next`] makes a
//! request fail.
//!
//! ```
//! use std::time::Duration;
//! use contiguity::sandbox::Sandbox;
//! use contiguity::{NewOtp, VerifyOtp};
//!
//! let sandbox = Sandbox::start()?;
//! let client = sandbox.client();
//!
//! let request = NewOtp::to("+14155552671").language("en").name("MyApp");
//! let sent = request.send(&client)?;
//! let sms = sandbox.phone("+14155552671").last_message().expect("a message");
//! assert_eq!(sms.text, format!("Your MyApp code is {}", sms.code));
//!
//! sandbox.advance(Duration::from_secs(16 * 60)); // codes expire after 15 minutes
//! let check = VerifyOtp::otp_id(&sent.otp_id).otp(&sms.code).send(&client)?;
//! assert!(!check.verified);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Behavior
//!
//! - **Codes** are six random digits. They expire 15 minutes after the first message. A resend
//!   sends the same code, and its expiry does not change. Resending a used or expired code returns
//!   `resent: false` and sends nothing. A wrong, used or expired code is `verified: false`.
//! - **Reverse sessions** expire after ten minutes. A session is verified when its phone texts its
//!   factor to its number ([`Phone::text`]). Case and surrounding white space are ignored. Any other
//!   text changes nothing. A cancelled session can be cancelled again. A verified or expired one
//!   cannot be cancelled, and the response is 400.
//! - **Languages** are the 34 that the vendor documents. Any other is refused with 400, unless
//!   [`Sandbox::any_language`] was called. Messages and instructions are in English regardless.
//! - **Webhooks** are posted to the session's `success_url` when it is verified, signed with
//!   [`Sandbox::webhook_secret`]. Without a 2xx response within 3 seconds, the webhook is sent
//!   again after 0.1, 0.4 and 1.6 seconds. Webhooks are sent to loopback hosts only. Names
//!   under `localhost` are loopback, without a DNS lookup. See [`Sandbox::webhooks`].
//! - **API keys** must begin with `contiguity_sk_`. Other keys are refused with 401.
//! - **Malformed requests** are refused with 400, or another 4xx status, and a message that says
//!   why.
//!
//! # Limits
//!
//! - The sandbox serves only programs on this machine, not web pages. A request whose `Host` is not a
//!   loopback name or address is refused with 421. A request with an `Origin` other than the
//!   sandbox's own is refused with 403.
//! - The newest 10,000 messages, codes, sessions and webhook attempts are kept, with up to 8 MiB of
//!   text of each kind. Older ones are dropped. [`Sandbox::deliveries`] counts the messages to the
//!   last 100,000 numbers.
//! - Up to 256 connections are served at a time, and more have to wait. A connection is closed if
//!   the next request does not arrive within 60 seconds.
//! - Up to 1,000 webhooks can be pending. Further webhooks are not sent, and [`Sandbox::webhooks`]
//!   lists them with an error.
//!
//! # Other programs and languages
//!
//! Any HTTP client can use the server. [`Sandbox::start_on`] gives it a fixed port:
//!
//! ```text
//! curl http://127.0.0.1:4010/otp/new \
//!     -H 'Authorization: Token contiguity_sk_sandbox' \
//!     -d '{"to":"+14155552671","language":"en","name":"MyApp"}'
//! ```
//!
//! These control calls mirror the methods of [`Sandbox`]. They use JSON and need no API key.
//!
//! | call | body | response |
//! |---|---|---|
//! | `GET /sandbox/messages` | | the messages, oldest first |
//! | `GET /sandbox/webhooks` | | the webhook attempts, oldest first |
//! | `POST /sandbox/text` | `{"from","to","body"}` | the sessions that this text verified |
//! | `POST /sandbox/advance` | `{"seconds"}` | the sandbox's time |
//! | `POST /sandbox/fail` | `{"fault"}` and its options | the number of queued faults |
//! | `POST /sandbox/reset` | none, or `{}` | `{}` |
//!
//! ```text
//! messages: [{"to","text","code","otp_id","language","at"}]
//! webhooks: [{"url","event_id","otp_id","attempt","status","error","at"}]
//! text:     {"verified":[otp_id]}
//! advance:  {"now"}
//! fail:     {"waiting"}
//! ```
//!
//! Times are ISO 8601 in UTC, by the sandbox's clock. The faults are those of [`Fault`]:
//!
//! | `"fault"` | options |
//! |---|---|
//! | `"status"` | `"status"`, and optionally `"after_acting"` and `"retry_after"` in seconds |
//! | `"delay"` | `"seconds"` |
//! | `"drop_before"`, `"drop_after"`, `"half"`, `"garbage"` | none |

mod access;
mod api;
mod backend;
mod bounded_map;
mod control;
mod fault;
mod message;
mod server;
mod state;
mod webhooks;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::backend::Backend;
use self::server::Server;
use crate::client::Client;
use crate::phone::PhoneNumber;
use crate::reverse;
use crate::validate::Input;

pub use self::fault::{Fault, StatusFault};
pub use self::message::{Sms, WebhookAttempt};

/// A running sandbox server. It listens on loopback and stops when dropped.
///
/// All methods take `&self`, so threads can share one sandbox by reference. The [module](self)
/// describes its behavior.
///
/// # Examples
///
/// ```
/// use contiguity::sandbox::Sandbox;
/// use contiguity::{NewOtp, VerifyOtp};
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
///
/// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
/// let sent = request.send(&client)?;
/// let sms = sandbox.phone("+14155552671").last_message().expect("a message");
/// let check = VerifyOtp::otp_id(&sent.otp_id).otp(sms.code).send(&client)?;
/// assert!(check.verified);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sandbox {
    server: Server,
    url: String,
    client: Client,
}

impl Sandbox {
    /// Starts a sandbox on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Returns an error if the system provides no port or no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// assert!(sandbox.url().starts_with("http://127.0.0.1:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// Starts a sandbox on a fixed port of 127.0.0.1, so that other programs can find it.
    ///
    /// Port 0 is a free port, as with [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`AddrInUse`](io::ErrorKind::AddrInUse) if the port is in use,
    /// and [`PermissionDenied`](io::ErrorKind::PermissionDenied) if this program may not use it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = match Sandbox::start_on(4010) {
    ///     Ok(sandbox) => sandbox,
    ///     Err(error) if error.kind() == ErrorKind::AddrInUse => Sandbox::start()?,
    ///     Err(error) => return Err(error),
    /// };
    /// println!("listening on {}", sandbox.url());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_on(port: u16) -> io::Result<Self> {
        let server = Server::start(port, MAX_REQUEST_TIME).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => "; stop the program that uses the port, or choose another port",
                io::ErrorKind::PermissionDenied => "; choose a port from 1024 to 65535",
                _ => "",
            };
            io::Error::new(error.kind(), format!("the sandbox cannot listen on 127.0.0.1:{port}: {error}{advice}"))
        })?;
        let url = format!("http://{}", server.address);
        let client = client_of(&url, Arc::clone(&server.backend));
        Ok(Self { server, url, client })
    }

    /// Returns a client of this sandbox with default settings.
    ///
    /// All clients that this method returns share their connections. For other settings, build a
    /// client from [`url`](Self::url) and [`api_key`](Self::api_key).
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::{Client, NewOtp};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    ///
    /// let custom = Client::builder(sandbox.api_key())
    ///     .base_url(sandbox.url())
    ///     .retries(0)
    ///     .build()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&custom)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the server's URL, `http://127.0.0.1:PORT`: the base URL for a client.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// println!("export CONTIGUITY_BASE_URL={}", sandbox.url());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns an API key that the sandbox accepts.
    ///
    /// It accepts any other key that begins with `contiguity_sk_` as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// assert!(sandbox.api_key().starts_with("contiguity_sk_"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn api_key(&self) -> &str {
        API_KEY
    }

    /// Returns the phone with this number, to read its messages and to text from it.
    ///
    /// # Panics
    ///
    /// Panics if the number is not in E.164, such as `+14155552671`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// assert!(sandbox.phone("+14155552671").messages().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn phone(&self, number: impl Into<Input<PhoneNumber>>) -> Phone<'_> {
        Phone { sandbox: self, number: checked(number.into()) }
    }

    /// Moves the sandbox's clock forward, so that codes and sessions expire.
    ///
    /// All times that the sandbox returns move with it. The real clock still applies to delays,
    /// timeouts and the signatures of webhooks. The clock stops at the end of the year 9999.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::{InitiateReverseOtp, Status, VerifyReverseOtp};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    ///
    /// sandbox.advance(Duration::from_secs(11 * 60)); // more than ten minutes
    /// let status = VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
    /// assert_eq!(status.status, Status::Expired);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance(&self, by: Duration) {
        self.server.backend.with(|state, _| state.advance(by));
    }

    /// Returns the sandbox's clock for [`Wait::clock`](reverse::Wait::clock).
    ///
    /// Sleeping by this clock moves it forward and takes no real time, so that a wait of five
    /// minutes ends at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::InitiateReverseOtp;
    /// use contiguity::reverse::Outcome;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    ///
    /// // No text arrives.
    /// let outcome = session.wait(&client).clock(&sandbox.clock()).run()?;
    /// assert_eq!(outcome, Outcome::TimedOut { cancelled: true });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn clock(&self) -> SandboxClock<'_> {
        SandboxClock { sandbox: self, began: Instant::now() }
    }

    /// Queues a [`Fault`] or [`StatusFault`] for the next API request.
    ///
    /// Each queued fault affects one API request, in the order in which they were queued. A
    /// client's retry is another request. Faults do not affect control calls, requests that do not
    /// arrive whole, or those of web pages.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let send = || {
    ///     NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)
    /// };
    ///
    /// sandbox.fail_next(Fault::status(502).after_acting());
    /// let error = send().unwrap_err();
    /// assert_eq!(error.status(), Some(502));
    /// assert!(error.may_have_sent());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    ///
    /// assert!(send().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fail_next(&self, fault: impl Into<Fault>) {
        let fault = fault.into();
        self.server.backend.with(|state, _| state.faults.push_back(fault));
    }

    /// Accepts languages that the vendor does not document, such as `eo`.
    ///
    /// The sandbox otherwise refuses them with 400, so that tests do not pass where the real
    /// service may fail. [`reset`](Self::reset) keeps this setting.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let send = || {
    ///     NewOtp::to("+14155552671").language("eo").name("MyApp").send(&client)
    /// };
    /// assert_eq!(send().unwrap_err().status(), Some(400));
    ///
    /// sandbox.any_language();
    /// assert!(send().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn any_language(&self) {
        self.server.backend.with(|state, _| state.any_language = true);
    }

    /// Returns the number of text messages sent to a number.
    ///
    /// It counts what the person received, regardless of the responses. Messages that are no longer
    /// kept count as well.
    ///
    /// # Panics
    ///
    /// Panics if the number is not in E.164, such as `+14155552671`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::{NewOtp, ResendOtp};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let sent = request.send(&client)?;
    /// ResendOtp::otp_id(&sent.otp_id).send(&client)?;
    /// assert_eq!(sandbox.deliveries("+14155552671"), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn deliveries(&self, number: impl Into<Input<PhoneNumber>>) -> usize {
        let number = checked(number.into());
        self.server.backend.with(|state, _| state.deliveries(number))
    }

    /// Returns the secret that signs this sandbox's webhooks, such as `whsec_…`.
    ///
    /// Each sandbox has its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::webhook::Verifier;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let verifier = Verifier::new(sandbox.webhook_secret())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn webhook_secret(&self) -> &str {
        &self.server.backend.webhook_secret
    }

    /// Returns all attempts to deliver webhooks, oldest first.
    ///
    /// An attempt is listed as soon as it begins.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::InitiateReverseOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let receiver = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let session = InitiateReverseOtp::number("+14155552671")
    ///     .success_url(format!("http://{}/verified", receiver.local_addr()?))
    ///     .send(&sandbox.client())?;
    ///
    /// sandbox.phone("+14155552671").text(&session.to, &session.factor);
    /// let (_connection, _) = receiver.accept()?;
    ///
    /// let attempts = sandbox.webhooks();
    /// assert_eq!(attempts[0].otp_id, session.otp_id);
    /// assert_eq!(attempts[0].attempt, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookAttempt> {
        self.server.backend.with(|state, _| state.attempts().cloned().collect())
    }

    /// Removes all messages, codes, sessions, counts, faults and webhooks, and sets the clock to
    /// the real time.
    ///
    /// The URL, the webhook secret and [`any_language`](Self::any_language) stay as they are.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// sandbox.reset();
    /// assert_eq!(sandbox.deliveries("+14155552671"), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(&self) {
        self.server.backend.with(|state, _| state.reset());
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A sandbox's clock, for [`Wait::clock`](reverse::Wait::clock).
///
/// Created by [`Sandbox::clock`]. Sleeping by it moves the sandbox's clock forward and takes no
/// real time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use contiguity::InitiateReverseOtp;
/// use contiguity::reverse::Outcome;
/// use contiguity::sandbox::Sandbox;
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
///
/// let clock = sandbox.clock();
/// let an_hour = Duration::from_secs(60 * 60);
/// let outcome = session.wait(&client).timeout(an_hour).clock(&clock).run()?;
/// assert_eq!(outcome, Outcome::Expired); // at once, and not after 10 minutes
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SandboxClock<'a> {
    sandbox: &'a Sandbox,
    began: Instant,
}

impl reverse::sealed::Clock for SandboxClock<'_> {
    fn now(&self) -> Instant {
        let advanced = self.sandbox.server.backend.with(|state, _| state.advanced);
        self.began.checked_add(advanced).unwrap_or(self.began)
    }

    fn sleep(&self, duration: Duration, _: &reverse::Stop) {
        self.sandbox.advance(duration);
    }
}

/// A simulated phone. It receives the sandbox's messages and can text the sandbox.
///
/// Created by [`Sandbox::phone`].
///
/// # Examples
///
/// ```
/// use contiguity::sandbox::Sandbox;
/// use contiguity::{InitiateReverseOtp, VerifyReverseOtp};
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
/// let session = InitiateReverseOtp::number("+14155552671")
///     .factor("MyApp2024")
///     .send(&client)?;
///
/// let phone = sandbox.phone("+14155552671");
/// phone.text(&session.to, "myapp2024");
///
/// let status = VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// assert!(status.is_verified());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Phone<'a> {
    sandbox: &'a Sandbox,
    number: PhoneNumber,
}

impl Phone<'_> {
    /// Returns the messages that the phone received, oldest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// for sms in sandbox.phone("+14155552671").messages() {
    ///     println!("{}", sms.text);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn messages(&self) -> Vec<Sms> {
        let backend = &self.sandbox.server.backend;
        backend.with(|state, _| state.messages().filter(|sms| sms.to == self.number).cloned().collect())
    }

    /// Returns the newest message, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// let sms = sandbox.phone("+14155552671").last_message().expect("a message");
    /// assert_eq!(sms.code.len(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_message(&self) -> Option<Sms> {
        let backend = &self.sandbox.server.backend;
        backend.with(|state, _| state.messages().rfind(|sms| sms.to == self.number).cloned())
    }

    /// Texts `body` from this phone to the number `to`.
    ///
    /// This verifies the pending sessions of this phone with this factor and number, and sends
    /// their webhooks. A text that matches no session changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::{InitiateReverseOtp, VerifyReverseOtp};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    ///
    /// sandbox.phone("+14155552671").text(&session.to, &session.factor);
    /// let status = VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
    /// assert!(status.is_verified());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(&self, to: &str, body: &str) {
        self.sandbox.server.backend.text(self.number, to, body);
    }
}

fn client_of(url: &str, backend: Arc<Backend>) -> Client {
    let clock = move || backend.with(|_, now| now);
    let client = Client::builder(API_KEY).base_url(url).clock(clock).build();
    client.expect("a loopback URL and a visible key are valid settings")
}

#[track_caller]
fn checked(number: Input<PhoneNumber>) -> PhoneNumber {
    match number.check() {
        Ok(number) => number,
        Err(problem) => panic!("invalid phone number: {problem}"),
    }
}

const API_KEY: &str = "contiguity_sk_sandbox";

/// Longer than clients keep idle connections, so that none sends a request as its connection is
/// closed.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);
