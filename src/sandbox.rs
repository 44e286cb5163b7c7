//! The service in a box: an HTTP server in this process that behaves as the Contiguity OTP API does, with an inbox to
//! read the codes from, a clock to move and faults to inject.
//!
//! [`Sandbox::start`] takes milliseconds and needs neither an account nor a network. The server listens on loopback
//! only, and stops when the [`Sandbox`] is dropped.
//!
//! ```
//! use std::time::Duration;
//! use contiguity::sandbox::Sandbox;
//! use contiguity::{NewOtp, VerifyOtp};
//!
//! let sandbox = Sandbox::start()?;
//! let client = sandbox.client();
//!
//! let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
//! let sms = sandbox.phone("+14155552671").last_message().expect("a text");
//! assert_eq!(sms.text, format!("Your MyApp code is {}", sms.code));
//!
//! sandbox.advance(Duration::from_secs(16 * 60)); // codes live for 15 minutes
//! let check = VerifyOtp::otp_id(&sent.otp_id).otp(&sms.code).send(&client)?;
//! assert!(!check.verified);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does
//!
//! - Codes are six random digits and expire 15 minutes after they were first sent. A resend sends the same code and
//!   does not renew it; of a used or expired code it answers `resent: false` and sends nothing. A wrong, used or
//!   expired code is `verified: false`.
//! - A reverse session waits for ten minutes. It is verified when its phone texts its factor to its number
//!   ([`Phone::text`]), in any case and with any space around it; every other text changes nothing. Cancelling a
//!   cancelled session succeeds again, a verified or expired one cannot be cancelled (400). Texts and instructions are
//!   English whatever the language.
//! - When a session with a `success_url` on loopback is verified, the webhook is posted to it, signed with
//!   [`Sandbox::webhook_secret`]. Unless an answer of 2xx comes within 3 seconds it is posted again, four times in all,
//!   after 0.1, 0.4 and 1.6 seconds. See [`Sandbox::webhooks`].
//! - Any key that begins with `contiguity_sk_` will do, others get a 401. What is malformed gets a 400 that says why,
//!   in the service's error envelope.
//! - Of texts, codes, sessions and webhook attempts the newest 10,000 are kept, and no more than 8 MiB of the text in
//!   them; the oldest are forgotten, and their ids with them. [`Sandbox::deliveries`] counts on, for the last 100,000
//!   numbers.
//!
//! # From other programs
//!
//! The server speaks to any client in any language; `Sandbox::start_on(4010)` gives it a port to be known by. What the
//! methods of [`Sandbox`] do is also at hand over HTTP, in JSON and without a key:
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /sandbox/messages` | | `[{"to","text","code","otp_id","language","at"}]`, oldest first |
//! | `GET /sandbox/webhooks` | | `[{"url","event_id","otp_id","attempt","status","error","at"}]`, oldest first |
//! | `POST /sandbox/text` | `{"from","to","body"}` | `{"verified":[otp_id]}`, the sessions that this verified |
//! | `POST /sandbox/advance` | `{"seconds"}` | `{"now"}`, the service's time |
//! | `POST /sandbox/fail` | `{"fault"}` and what belongs to it | `{"waiting"}`, the number of faults queued |
//! | `POST /sandbox/reset` | none, or `{}` | `{}` |
//!
//! `fault` is `status` (with `status`, and if wanted `after_acting` and `retry_after` in seconds), `delay` (with
//! `seconds`), `drop_before`, `drop_after`, `half` or `garbage`. Times are ISO 8601 in UTC, by the service's clock.

mod api;
mod control;
mod fault;
mod server;
mod state;
mod webhooks;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use self::server::Server;
use self::state::{State, random_text};
use crate::{Client, Error, Input, Language, OtpId, PhoneNumber, reverse};

pub use self::fault::{Fault, StatusFault};

/// A service of one's own: a server on loopback that stops, and frees its port, when this is dropped.
///
/// All methods take `&self`, so that threads can share one sandbox by reference. The [module](self) says what it does.
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
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// let code = sandbox.phone("+14155552671").last_message().expect("a text").code;
/// let check = VerifyOtp::otp_id(&sent.otp_id).otp(code).send(&client)?;
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
    /// [`Error::Config`] if this machine gives no port or no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// assert!(sandbox.url().starts_with("http://127.0.0.1:"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start() -> Result<Self, Error> {
        Self::start_on(0)
    }

    /// Starts a sandbox on the given port of 127.0.0.1, for other programs to find; port 0 is a free one.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if the port is in use or not allowed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use contiguity::sandbox::Sandbox; // no_run: another program may have the port
    ///
    /// let sandbox = Sandbox::start_on(4010)?;
    /// assert_eq!(sandbox.url(), "http://127.0.0.1:4010");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_on(port: u16) -> Result<Self, Error> {
        let server = Server::start(port).map_err(|error| {
            let advice = if port == 0 { "" } else { "; stop the program that uses the port, or take another one" };
            Error::config(format!("the sandbox cannot listen on 127.0.0.1:{port}: {error}{advice}"))
        })?;
        let url = format!("http://{}", server.address);
        let client = Client::builder(API_KEY).base_url(url.as_str()).build()?;
        Ok(Self { server, url, client })
    }

    /// A client of this sandbox, with the defaults of [`Client`]. All clients that this gives share their connections.
    ///
    /// For a client with other settings, build one from [`url`](Self::url) and [`api_key`](Self::api_key).
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::{Client, NewOtp};
    ///
    /// let sandbox = Sandbox::start()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&sandbox.client())?;
    ///
    /// let own = Client::builder(sandbox.api_key()).base_url(sandbox.url()).build()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&own)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where the server listens, `http://127.0.0.1:PORT`: the base URL for a client.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A key that the sandbox takes. Any other that begins with `contiguity_sk_` does as well.
    #[must_use]
    pub fn api_key(&self) -> &str {
        API_KEY
    }

    /// The phone with this number: what it has received, and what it texts.
    ///
    /// # Panics
    ///
    /// If the number is not in E.164, such as `+14155552671`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// assert!(sandbox.phone("+14155552671").messages().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn phone(&self, number: impl Into<Input<PhoneNumber>>) -> Phone<'_> {
        Phone { sandbox: self, number: checked(number.into()) }
    }

    /// Moves the service's clock forward: codes and sessions expire, and all times that the service tells move along.
    /// The clock of this program stays, and so do waits, delays and the signatures of webhooks. It ends with the year
    /// 9999.
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
    /// sandbox.advance(Duration::from_secs(11 * 60)); // sessions wait for ten minutes
    /// let status = VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
    /// assert_eq!(status.status, Status::Expired);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance(&self, by: Duration) {
        self.server.shared.with(|state, _| state.advance(by));
    }

    /// The service's clock, to wait by: sleeping moves it along and takes no time, so that a
    /// [`Wait`](crate::reverse::Wait) of five minutes is over at once.
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
    /// let outcome = session.wait(&client).clock(&sandbox.clock()).run()?; // nobody texts
    /// assert_eq!(outcome, Outcome::TimedOut { cancelled: true });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn clock(&self) -> Clock<'_> {
        Clock { sandbox: self, began: Instant::now() }
    }

    /// Queues a fault, a [`Fault`] or a [`StatusFault`]: one for each of the API requests that arrive whole from now
    /// on, first in, first out. A request that a client repeats by itself is another one. Control calls are never hit.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let send = || NewOtp::to("+14155552671").language("en").name("MyApp").send(&client);
    ///
    /// sandbox.fail_next(Fault::status(502).after_acting());
    /// let error = send().unwrap_err();
    /// assert_eq!(error.status(), Some(502));
    /// assert!(error.may_have_sent()); // and so it was:
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    ///
    /// assert!(send().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fail_next(&self, fault: impl Into<Fault>) {
        let fault = fault.into();
        self.server.shared.with(|state, _| state.fail_next(fault));
    }

    /// How many texts were sent to a number: what its owner counts, whatever the callers were told. Texts that are no
    /// longer kept are counted too.
    ///
    /// # Panics
    ///
    /// If the number is not in E.164, such as `+14155552671`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::Sandbox;
    /// use contiguity::{NewOtp, ResendOtp};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// ResendOtp::otp_id(&sent.otp_id).send(&client)?;
    /// assert_eq!(sandbox.deliveries("+14155552671"), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn deliveries(&self, number: impl Into<Input<PhoneNumber>>) -> usize {
        let number = checked(number.into());
        self.server.shared.with(|state, _| state.deliveries(number))
    }

    /// The secret that the webhooks of this sandbox are signed with, `whsec_…`: another one in each sandbox.
    #[must_use]
    pub fn webhook_secret(&self) -> &str {
        &self.server.shared.webhook_secret
    }

    /// The webhooks that were posted, oldest first: each attempt, from the moment it begins.
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
    /// let (_connection, _) = receiver.accept()?; // the sandbox calls
    ///
    /// let attempts = sandbox.webhooks();
    /// assert_eq!(attempts[0].otp_id, session.otp_id);
    /// assert_eq!(attempts[0].attempt, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookAttempt> {
        self.server.shared.with(|state, _| state.attempts().cloned().collect())
    }

    /// Starts over: no texts, codes, sessions, counts, faults or webhooks, and the real time. URL and webhook secret
    /// stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&sandbox.client())?;
    /// sandbox.reset();
    /// assert_eq!(sandbox.deliveries("+14155552671"), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(&self) {
        self.server.shared.with(|state, _| state.reset());
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The service's clock, as something to wait by. Made by [`Sandbox::clock`], where an example stands.
#[derive(Debug, Clone)]
pub struct Clock<'a> {
    sandbox: &'a Sandbox,
    began: Instant,
}

impl reverse::Clock for Clock<'_> {
    fn now(&self) -> Instant {
        let advanced = self.sandbox.server.shared.with(|state, _| state.advanced());
        self.began.checked_add(advanced).unwrap_or(self.began)
    }

    fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        self.sandbox.advance(duration);
        ControlFlow::Continue(())
    }
}

/// A phone in the sandbox's world. Made by [`Sandbox::phone`].
///
/// # Examples
///
/// ```
/// use contiguity::sandbox::Sandbox;
/// use contiguity::{InitiateReverseOtp, VerifyReverseOtp};
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
/// let session = InitiateReverseOtp::number("+14155552671").factor("MyApp2024").send(&client)?;
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
    /// The texts that came, oldest first.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&sandbox.client())?;
    /// for sms in sandbox.phone("+14155552671").messages() {
    ///     println!("{}", sms.text);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn messages(&self) -> Vec<Sms> {
        let shared = &self.sandbox.server.shared;
        shared.with(|state, _| state.messages().filter(|sms| sms.to == self.number).cloned().collect())
    }

    /// The newest text, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::start()?;
    /// NewOtp::to("+14155552671").language("en").name("MyApp").send(&sandbox.client())?;
    /// let sms = sandbox.phone("+14155552671").last_message().expect("a text");
    /// assert_eq!(sms.code.len(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn last_message(&self) -> Option<Sms> {
        let shared = &self.sandbox.server.shared;
        shared.with(|state, _| state.messages().rfind(|sms| sms.to == self.number).cloned())
    }

    /// The person texts `body` to the number `to`. Verifies the sessions of this phone that wait for just that, and
    /// sends their webhooks; a text that nobody waits for changes nothing.
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
    /// assert!(VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?.is_verified());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn text(&self, to: &str, body: &str) {
        self.sandbox.server.shared.text(self.number, to, body);
    }
}

/// A text message that the service sent. Read with [`Phone::messages`].
///
/// # Examples
///
/// ```
/// use contiguity::NewOtp;
/// use contiguity::sandbox::Sandbox;
///
/// let sandbox = Sandbox::start()?;
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&sandbox.client())?;
/// let sms = sandbox.phone("+14155552671").last_message().expect("a text");
/// assert_eq!(sms.otp_id, sent.otp_id);
/// assert!(sms.text.ends_with(&sms.code));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Sms {
    /// The number that it went to.
    pub to: PhoneNumber,
    /// What the person reads: `Your MyApp code is 123456`.
    pub text: String,
    /// The six digits alone.
    pub code: String,
    /// What the caller knows the code by.
    pub otp_id: OtpId,
    /// The language that was asked for. The text is English in any case.
    pub language: Language,
    /// When it was sent, by the service's clock.
    pub at: SystemTime,
}

/// The code is not shown, as everywhere: [`text`](Self::text) and [`code`](Self::code) say it.
impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, text, code, otp_id, language, at } = self;
        f.debug_struct("Sms")
            .field("to", to)
            .field("text", &text.replace(&**code, "•••••"))
            .field("otp_id", otp_id)
            .field("language", language)
            .field("at", at)
            .finish_non_exhaustive()
    }
}

/// One attempt to deliver a webhook. Read with [`Sandbox::webhooks`], where an example stands.
///
/// `status` and `error` are both `None` until it is known how the attempt ends. A `success_url` that is not on loopback
/// gets one attempt whose error says that nothing was sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookAttempt {
    /// The session's `success_url`.
    pub url: String,
    /// The event's id, the same in all attempts to deliver it.
    pub event_id: String,
    /// The session that was verified.
    pub otp_id: OtpId,
    /// 1 for the first attempt, at most 4.
    pub attempt: u32,
    /// The status that the receiver answered with. One of 2xx ends the attempts.
    pub status: Option<u16>,
    /// What went wrong if no answer came.
    pub error: Option<String>,
    /// When the attempt began, by the service's clock.
    pub at: SystemTime,
}

/// What the server's thread and the threads of the program share.
struct Shared {
    state: Mutex<State>,
    /// To send webhooks from, whoever causes them.
    runtime: tokio::runtime::Handle,
    webhook_secret: String,
    /// Made for the first webhook; most sandboxes send none.
    agent: OnceLock<ureq::Agent>,
}

impl Shared {
    fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { state: Mutex::default(), runtime, webhook_secret: random_text("whsec_"), agent: OnceLock::new() }
    }

    /// Reads or changes the state, at the service's time.
    fn with<T>(&self, act: impl FnOnce(&mut State, SystemTime) -> T) -> T {
        // A panic under the lock is a bug here, and leaves the state no worse than unfinished: tests go on to see it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.time(SystemTime::now());
        act(&mut state, now)
    }

    /// Takes a text from a person, and sends the webhooks of the sessions that it verifies.
    fn text(self: &Arc<Self>, from: PhoneNumber, to: &str, body: &str) -> Vec<OtpId> {
        let verified = self.with(|state, now| state.text(from, to, body, now));
        let ids = verified.iter().map(|verification| verification.otp_id.clone()).collect();
        for verification in verified {
            self.runtime.spawn(webhooks::deliver(Arc::clone(self), verification));
        }
        ids
    }
}

#[track_caller]
fn checked(number: Input<PhoneNumber>) -> PhoneNumber {
    match number.check() {
        Ok(number) => number,
        Err(error) => panic!("the sandbox has no such phone: {error}"),
    }
}

const API_KEY: &str = "contiguity_sk_sandbox";

/// Keys that look like the service's, so that one for something else is noticed.
const KEY_PREFIX: &str = "contiguity_sk_";
