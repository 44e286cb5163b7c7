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
//! The cookbook has [tests](crate::_cookbook#testing) with a fault, the clock and a fixed code.
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
//!   [`Sandbox::any_language`] was called. See [texts in other
//!   languages](#texts-in-other-languages).
//! - **Webhooks** are posted to the session's `success_url` when it is verified, signed with
//!   [`Sandbox::webhook_secret`]. Without a 2xx response within 3 seconds, the webhook is sent
//!   again after 0.1, 0.4 and 1.6 seconds. Webhooks are sent to loopback hosts only. Names
//!   under `localhost` are loopback, without a DNS lookup. See [`Sandbox::webhooks`].
//! - **API keys** must begin with `contiguity_sk_`. Other keys are refused with 401.
//! - **Malformed requests** are refused with 400, or another 4xx status, and a message that says
//!   why.
//!
//! # Texts in other languages
//!
//! A message is in the requested language if that is Afrikaans, Danish, Dutch, French, German,
//! Italian, Norwegian, Portuguese (of Portugal or Brazil), Spanish or Swedish, and in English
//! otherwise. The service's own wording may differ, so read [`Sms::code`] instead of searching the
//! text. The instructions of a reverse session are in English.
//!
//! # Limits
//!
//! - The sandbox serves only programs on this machine, not web pages. A request whose `Host` is not a
//!   loopback name or address is refused with 421, unless [`SandboxBuilder::allow_host`] allows it. A
//!   request with an `Origin` other than the sandbox's own is refused with 403.
//! - The newest 10,000 messages, codes, sessions, texts from phones, requests and webhook attempts
//!   are kept, with up to 8 MiB of text of each kind. Older ones are dropped. [`Sandbox::deliveries`] counts the messages to the
//!   last 100,000 numbers.
//! - Up to 256 connections are served at a time, and more have to wait. A connection is closed if
//!   the next request does not arrive within 60 seconds.
//! - Up to 1,000 webhooks can be pending. Further webhooks are not sent, and [`Sandbox::webhooks`]
//!   lists them with an error.
//!
//! # Other programs and languages
//!
//! Any HTTP client can use the server. The command `contiguity sandbox` (feature `cli`) runs it beside
//! other programs, and [`Sandbox::start_on`] gives it a fixed port:
//!
//! ```text
//! curl http://127.0.0.1:4010/otp/new \
//!     -H 'Authorization: Token contiguity_sk_sandbox' \
//!     -d '{"to":"+14155552671","language":"en","name":"MyApp"}'
//! ```
//!
//! In a browser, its URL shows a page with the phones and their messages, the sessions, the requests,
//! the clock and the faults.
//!
//! These control calls mirror the methods of [`Sandbox`]. They use JSON and need no API key.
//!
//! | call | body | response |
//! |---|---|---|
//! | `GET /sandbox/messages` | | the messages, oldest first |
//! | `GET /sandbox/phones/{number}` | | the last code of a phone, and its messages |
//! | `GET /sandbox/sessions` | | the reverse sessions, oldest first |
//! | `GET /sandbox/requests` | | the requests that arrived, oldest first |
//! | `GET /sandbox/webhooks` | | the webhook attempts, oldest first |
//! | `GET /sandbox/faults` | | the queued and the standing faults |
//! | `GET /sandbox/snapshot` | | the newest 200 of each of these, and the texts from phones |
//! | `GET /sandbox/events` | | server-sent events: one at once, and one after each change |
//! | `POST /sandbox/text` | `{"from","to","body"}` | the sessions that this text verified |
//! | `POST /sandbox/advance` | `{"seconds"}` | the sandbox's time |
//! | `POST /sandbox/fail` | `{"fault"}` and its options | the number of queued faults |
//! | `POST /sandbox/heal` | none, or `{}` | `{}` |
//! | `POST /sandbox/reset` | none, or `{}` | `{}` |
//!
//! ```text
//! messages: [{"to","text","code","otp_id","language","at"}]
//! phones:   {"number","last_code","deliveries","messages"}
//! sessions: [{"otp_id","number","to","factor","service","status",
//!             "expires_at","link","success_url"}]
//! requests: [{"method","path","body","status","response","fault","at"}]
//! webhooks: [{"url","event_id","otp_id","attempt","status","error","at"}]
//! faults:   {"queued":[…],"standing":[…]}
//! snapshot: {"now","api_key","messages","texts","sessions","requests",
//!            "webhooks","faults"}, where texts are
//!           [{"from","to","body","verified":[otp_id],"at"}]
//! events:   event: change, data: {"version"}
//! text:     {"verified":[otp_id]}
//! advance:  {"now"}
//! fail:     {"waiting"}
//! ```
//!
//! Times are ISO 8601 in UTC, by the sandbox's clock. `advance` moves this clock only: a program that
//! talks to the sandbox keeps its own, by which its challenges and guards count. To test those, use
//! [`Sandbox::advance`] in the program itself. The faults are those of [`Fault`]:
//!
//! | `"fault"` | options |
//! |---|---|
//! | `"status"` | `"status"`, and optionally `"after_acting"` and `"retry_after"` in seconds |
//! | `"delay"` | `"seconds"` |
//! | `"drop_before"`, `"drop_after"`, `"half"`, `"garbage"` | none |
//!
//! Each fault can also have
//!
//! - `"times"`, the number of requests that it affects (1 by default), or `"always": true`,
//! - `"endpoint"`: `"new"`, `"verify"`, `"resend"`, `"initiate"`, `"status"` or `"cancel"`,
//! - `"number"`, the phone that the requests are about.

mod access;
mod api;
mod backend;
mod bounded_map;
mod builder;
mod control;
mod events;
mod fault;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod log;
mod message;
mod page;
mod saved;
mod server;
mod state;
mod state_file;
mod webhooks;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::backend::Backend;
use self::fault::Faults;
use self::server::Server;
use crate::client::{Client, ClientBuilder};
use crate::phone::PhoneNumber;
use crate::reverse;
use crate::validate::Input;

pub use self::builder::SandboxBuilder;
pub use self::fault::{Endpoint, Fault, StatusFault};
pub use self::message::{ReceivedRequest, Sms, WebhookAttempt};

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
        Self::builder().port(port).start()
    }

    /// Creates a builder for a sandbox with other settings.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::builder().code("123456").start()?;
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let sent = request.send(&sandbox.client())?;
    /// assert!(sent.verify("123456").send(&sandbox.client())?.verified);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// Returns a client of this sandbox with default settings.
    ///
    /// All clients that this method returns share their connections. For other settings, use
    /// [`client_builder`](Self::client_builder).
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
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns a builder for a client of this sandbox with custom settings.
    ///
    /// The client has the sandbox's clock, so [`advance`](Self::advance) also ends the times of its
    /// challenges and guards. A client that you create from [`url`](Self::url) and
    /// [`api_key`](Self::api_key) has the real clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client_builder()
    ///     .timeout(Duration::from_secs(2))
    ///     .retries(0)
    ///     .build()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn client_builder(&self) -> ClientBuilder {
        client_builder(&self.url, &self.server.backend)
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
        api::API_KEY
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
        Phone { sandbox: self, number: number.into().expect_valid("phone number") }
    }

    /// Moves the clock of the sandbox and of its clients forward, so that codes, sessions and
    /// challenges expire.
    ///
    /// Its clients are those of [`client`](Self::client) and [`client_builder`](Self::client_builder).
    /// All times that the sandbox returns move with it. The real clock still applies to delays,
    /// timeouts, the waits between retries and the signatures of webhooks. The clock stops at the end
    /// of the year 9999.
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
        self.server.backend.change(|state, _| state.advance(by));
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
    /// Each queued fault affects one API request, in the order in which they were queued. A fault
    /// that is limited to an endpoint or a number waits for the first request that it affects. A
    /// client's retry is another request. Faults do not affect control calls, incomplete
    /// requests, or requests from web pages.
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
        self.fail_times(1, fault);
    }

    /// Queues a fault for the next `times` API requests that it affects.
    ///
    /// See [`fail_next`](Self::fail_next). If `times` is 0, nothing is queued.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// sandbox.fail_times(2, Fault::status(429));
    ///
    /// // The client retries, since the service did not act.
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// request.send(&sandbox.client())?;
    /// assert_eq!(sandbox.requests().len(), 3);
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fail_times(&self, times: u32, fault: impl Into<Fault>) {
        let fault = fault.into();
        self.server.backend.change(|state, _| state.faults.queue(fault, times));
    }

    /// Makes all API requests that the fault affects fail, until [`heal`](Self::heal) or
    /// [`reset`](Self::reset).
    ///
    /// A queued fault comes first. Among several standing faults, the latest that affects a request
    /// applies.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Endpoint, Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client().with_retries(0);
    /// sandbox.fail_always(Fault::status(503).on(Endpoint::Verify));
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let sent = request.send(&client)?;
    /// let error = sent.verify("123456").send(&client).unwrap_err();
    /// assert_eq!(error.status(), Some(503));
    ///
    /// sandbox.heal();
    /// assert!(sent.verify("123456").send(&client).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fail_always(&self, fault: impl Into<Fault>) {
        let fault = fault.into();
        self.server.backend.change(|state, _| state.faults.standing.push(fault));
    }

    /// Removes all faults, queued and standing.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// sandbox.fail_always(Fault::garbage());
    /// sandbox.heal();
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// assert!(request.send(&sandbox.client()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heal(&self) {
        self.server.backend.change(|state, _| state.faults = Faults::default());
    }

    /// Returns the requests that arrived, oldest first, with their responses.
    ///
    /// Requests that were refused are listed as well, and each retry of a client. Control calls are
    /// not. The newest 10,000 are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// request.send(&sandbox.client())?;
    /// let requests = sandbox.requests();
    /// assert_eq!(
    ///     requests[0].body,
    ///     r#"{"to":"+14155552671","language":"en","name":"MyApp"}"#,
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.server.backend.read(|state, _| state.requests().cloned().collect())
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
        self.server.backend.change(|state, _| state.any_language = true);
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
        let number = number.into().expect_valid("phone number");
        self.server.backend.read(|state, _| state.deliveries(number))
    }

    /// Returns the secret that signs this sandbox's webhooks, such as `whsec_…`.
    ///
    /// Each sandbox has its own, unless [`SandboxBuilder::webhook_secret`] sets it.
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
        self.server.backend.read(|state, _| state.attempts().cloned().collect())
    }

    /// Removes all messages, codes, sessions, counts, faults and webhooks, and sets the clock to
    /// the real time.
    ///
    /// The URL, the settings of the builder and [`any_language`](Self::any_language) stay as they
    /// are.
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
        self.server.backend.change(|state, _| state.reset());
    }
}

impl SandboxBuilder {
    /// Starts the sandbox.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind
    ///
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput) if the code, the webhook secret or an allowed
    ///   host is not valid,
    /// - [`AddrInUse`](io::ErrorKind::AddrInUse) if the port is in use,
    ///   [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) if this machine does not have the
    ///   address, and [`PermissionDenied`](io::ErrorKind::PermissionDenied) if this program may not
    ///   use the port,
    /// - [`InvalidData`](io::ErrorKind::InvalidData) if the state file is not one, which leaves it as
    ///   it is. Other kinds are those of reading and writing it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let error = Sandbox::builder().code("abc").start().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// assert_eq!(error.to_string(), "`code` must have 4 to 10 digits, such as 123456");
    /// ```
    pub fn start(self) -> io::Result<Sandbox> {
        let (server, url) = self.run()?;
        // Only a proxy of the environment can be unusable, for an address that is not loopback.
        let client = client_builder(&url, &server.backend).build().map_err(io::Error::other)?;
        Ok(Sandbox { server, url, client })
    }
}

fn client_builder(url: &str, backend: &Arc<Backend>) -> ClientBuilder {
    let backend = Arc::clone(backend);
    // The address is one of this machine, and nothing is secret.
    let builder = Client::builder(api::API_KEY).base_url(url).allow_insecure_http();
    builder.clock(move || backend.read(|_, now| now))
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
        let advanced = self.sandbox.server.backend.read(|state, _| state.advanced);
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
        backend.read(|state, _| state.messages().filter(|sms| sms.to == self.number).cloned().collect())
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
        backend.read(|state, _| state.messages().rfind(|sms| sms.to == self.number).cloned())
    }

    /// Returns the code in the newest message, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let sent = request.send(&client)?;
    /// let code = sandbox.phone("+14155552671").last_code().expect("a code");
    /// assert!(sent.verify(code).send(&client)?.verified);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_code(&self) -> Option<String> {
        self.last_message().map(|sms| sms.code)
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
