//! A blocking SDK for the Contiguity OTP API: one-time passwords by SMS, and reverse OTP, where the person texts you.
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! use contiguity::{NewOtp, VerifyOtp};
//!
//! // let client = contiguity::Client::new("your-api-key")?;
//! let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
//! # let typed = sandbox.phone("+14155552671").last_message().unwrap().code;
//!
//! let check = VerifyOtp::otp_id(&sent.otp_id).otp(typed).send(&client)?;
//! let proof = check.proof()?; // `Verified`: what your log-in should ask for
//! println!("signed in by {}", proof.otp_id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Three promises
//!
//! 1. **A wrong request does not compile, and a malformed one does not leave the machine.** A builder's `send` exists once
//!    its required fields are set; every other rule is checked before any I/O, all at once, with the field's name and what
//!    to do ([`Error::Validation`]).
//! 2. **One call, one text message.** A call is repeated only where the service certainly did not act on it, and every
//!    error says whether it may have ([`Error::may_have_sent`]).
//! 3. **Testable without an account.** The [`sandbox`](sandbox/index.html) (feature `sandbox`) is the service in a box: an inbox to read the codes
//!    from, a clock to move, faults to inject, in your process or beside it.
//!
//! # The tour
//!
//! | to do | begin with | answer |
//! |---|---|---|
//! | text a code to a phone | [`NewOtp::to`] | [`SentOtp`] |
//! | check the code that the person typed | [`VerifyOtp::otp_id`] | [`Verification`] |
//! | text the same code again | [`ResendOtp::otp_id`] | [`Resent`] |
//! | have the person text you | [`InitiateReverseOtp::number`] | [`ReverseSession`] |
//! | ask whether they have | [`VerifyReverseOtp::otp_id`] | [`ReverseStatus`] |
//! | wait until they have | [`ReverseSession::wait`] | [`reverse::Outcome`] |
//! | stop waiting for it | [`CancelReverseOtp::otp_id`] | [`Cancellation`] |
//!
//! Builders and methods bear the API's own field names, so that the vendor's guide reads across. Each is sent with
//! `send(&client)`, which consumes it: one builder, one call.
//!
//! Who may come in? A check whose answer is *no* is not an error, so **`send(..).is_ok()` lets everybody in.** Ask for
//! [`Verified`], which only a check that succeeded makes: [`Verification::proof`], [`ReverseStatus::proof`].
//!
//! ```compile_fail,E0308
//! # fn f(client: &contiguity::Client) -> Result<(), contiguity::Error> {
//! fn log_in(proof: contiguity::Verified) { /* … */ }
//!
//! let check = contiguity::VerifyOtp::otp_id("otp_1234567890").otp("123456").send(client)?;
//! log_in(check); // does not compile: nobody has asked what the answer was
//! # Ok(()) }
//! ```
//!
//! # Errors
//!
//! Every call gives an [`Error`], which answers the questions that matter: [`may_have_sent`](Error::may_have_sent),
//! [`is_retryable`](Error::is_retryable), [`is_timeout`](Error::is_timeout), [`retry_after`](Error::retry_after),
//! [`status`](Error::status), [`request_id`](Error::request_id).
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! use contiguity::{Error, NewOtp};
//!
//! match NewOtp::to("(415) 555-2671").language("en").name("MyApp").send(&client) {
//!     Ok(sent) => println!("sent: {}", sent.otp_id),
//!     Err(Error::Validation(error)) => eprintln!("please correct: {error}"),
//!     Err(error) if error.may_have_sent() => eprintln!("wait for the text before you try again: {error}"),
//!     Err(error) => eprintln!("nothing was sent: {error}"),
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! | what happened | [`Error`] | may have sent | repeated by the client |
//! |---|---|---|---|
//! | a bad key, URL or field | `Config`, `Validation` | no | no |
//! | no such host, refused, timed out or cut while connecting | `Transport` | no | yes |
//! | certificate or TLS message refused in the handshake | `Transport` | no | no |
//! | lost or timed out once the request may have been written | `Transport` | yes | a status read alone |
//! | 429 | `Api` | no | yes, after `Retry-After`, else backing off |
//! | other 4xx, and 3xx, which is never followed | `Api` | no | no |
//! | 5xx | `Api` | yes | a status read alone |
//! | a 2xx whose body is cut or late | `Transport` | yes | a status read alone |
//! | a complete 2xx that cannot be read, or over 1 MiB | `Decode` | yes | no |
//!
//! # Defaults
//!
//! A call takes 30 seconds at most, repeats and the waits between them included; connecting takes 5. It is repeated twice at
//! most. Answers are read up to 1 MiB. Connections are kept for 3 idle seconds. [`ClientBuilder`] changes all of it, and
//! [`Client::with_timeout`] and [`Client::with_retries`] do for a single call.
//!
//! # Secrets
//!
//! The API key, the code of a call and whole phone numbers appear in no `Debug`, no error text and no log record of this
//! crate. They are scrubbed from what a server sends back, however their digits are grouped, and the call's own number
//! without its calling code too; of other calls' numbers, those that are written with `+` and without separators. (A
//! reverse factor and the service's own number are not secret.)
//! Log records go through the [`log`] facade with the target `contiguity`, at debug level: method, path template, status,
//! attempt, duration, request id.
//!
//! The libraries below keep records of their own, which this crate cannot scrub. At debug level ureq shows the method, host
//! and path of a request, with an OTP id where the path has one, and harmless headers. **At trace level `ureq_proto` dumps
//! the bytes of request heads, the API key among them, and of answers**, though not of request bodies: leave that target
//! below trace wherever logs are kept.
//!
//! # Async programs
//!
//! Calls block. Inside an async runtime, move them to a thread that may:
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! use contiguity::NewOtp;
//!
//! let sent = tokio::task::spawn_blocking(move || {
//!     NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)
//! })
//! .await??;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! All of them add, and none changes what another build does.
//!
//! | feature | default | |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls with ring and Mozilla's certificate authorities |
//! | `phonenumber` | yes | [`from_user_input`](struct.PhoneNumber.html#method.from_user_input) and [`is_valid_in_plan`](struct.PhoneNumber.html#method.is_valid_in_plan): what needs a numbering plan |
//! | `platform-verifier` | | rustls with the certificate authorities of the operating system |
//! | `native-tls` | | the operating system's own TLS and certificate authorities |
//! | `webhook` | | [`webhook::Verifier`](webhook/struct.Verifier.html): the callback to `success_url`, its signature and its event |
//! | `qr` | | [`ReverseSession::qr`](struct.ReverseSession.html#method.qr): the session's link as a QR code for terminal and SVG |
//! | `sandbox` | | [`sandbox::Sandbox`](sandbox/struct.Sandbox.html): the service in a box |
//!
//! The lean build is `default-features = false, features = ["rustls"]`. Rust 1.85 builds the default features (ureq asks for
//! it).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod envelope;
mod error;
mod language;
mod otp;
mod phone;
#[cfg(feature = "qr")]
pub mod qr;
mod redact;
mod retry;
pub mod reverse;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod transport;
mod typestate;
mod validate;
mod verified;
mod web_url;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use client::{Client, ClientBuilder};
pub use envelope::Metadata;
pub use error::{ApiError, ConfigError, DecodeError, Error, Issue, IssueKind, TransportError, ValidationError};
pub use language::{InvalidLanguage, Language, LanguageTag};
pub use otp::{InvalidOtpId, NewOtp, OtpId, ResendOtp, Resent, SentOtp, Verification, VerifyOtp};
pub use phone::{InvalidPhoneNumber, PhoneNumber};
pub use reverse::{
    CancelReverseOtp, Cancellation, InitiateReverseOtp, Instructions, OtherService, OtherStatus, ReverseSession,
    ReverseStatus, Service, Status, VerifyReverseOtp,
};
pub use transport::Tls;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use transport::fuzzing;
pub use validate::Input;
pub use verified::{NotVerified, Verified};

/// The README's code blocks, run as tests.
#[cfg(all(doctest, feature = "sandbox", feature = "webhook", feature = "qr"))]
#[doc = include_str!("../README.md")]
mod readme {}
