//! A blocking SDK for the Contiguity OTP API: one-time passwords by SMS, and reverse OTP, where the
//! person texts you.
//!
//! ```text
//! cargo add contiguity
//! cargo add contiguity --dev --features sandbox
//! ```
//!
//! The second line is for tests and examples: the [sandbox] behaves like the service and needs no
//! account. To run the program below, save it as `examples/sign_in.rs` and run
//! `cargo run --example sign_in`.
//!
//! ```
//! use contiguity::NewOtp;
//! use contiguity::sandbox::Sandbox;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start()?;
//!     let client = sandbox.client(); // in production: Client::from_env()?
//!
//!     let sent = NewOtp::to("+14155552671")
//!         .language("en")
//!         .name("MyApp")
//!         .send(&client)?;
//!
//!     // In production, the person types the code.
//!     let sms = sandbox.phone("+14155552671").last_message().unwrap();
//!     let check = sent.verify(sms.code).send(&client)?;
//!     let proof = check.proof()?;
//!     println!("{} is signed in", proof.number().unwrap());
//!     Ok(())
//! }
//! ```
//!
//! # Promises
//!
//! 1. **A wrong request does not compile, and a malformed one is not sent.** `send` compiles only
//!    once the required fields are set. Every other rule is checked before any I/O, and one error lists
//!    all problems, each with its field and a fix ([`Error::Validation`]).
//! 2. **One call, one text message.** A call is retried only if the service certainly did not act on
//!    it. Every error reports whether the service may have acted ([`Error::may_have_sent`]).
//! 3. **Testable without an account.** The [sandbox] runs in your process or as a separate
//!    server. It has an inbox to read codes from, a clock to move and faults to inject.
//! 4. **Abuse is limited by a type, not by advice.** A [guard] limits texts and attempts before any
//!    I/O, in one process or in many. A [`Challenge`] tracks a sign-in: its number, its
//!    attempts and its resends.
//!
//! # Tour
//!
//! | to | start with | result |
//! |---|---|---|
//! | text a code to a phone | [`NewOtp::to`] | [`SentOtp`] |
//! | check the code that the person typed | [`SentOtp::verify`], [`VerifyOtp::otp_id`] | [`Verification`] |
//! | text the same code again | [`SentOtp::resend`], [`ResendOtp::otp_id`] | [`Resent`] |
//! | keep a sign-in between requests, with all of the above | [`NewOtp::challenge`] | [`Challenge`] |
//! | limit texts and attempts | [`Guard::total`] | [`Guarded`] |
//! | have the person text you | [`InitiateReverseOtp::number`] | [`ReverseSession`] |
//! | ask whether they have | [`VerifyReverseOtp::otp_id`] | [`ReverseStatus`] |
//! | wait until they have | [`ReverseSession::wait`] | [`reverse::Outcome`] |
//! | cancel the session | [`CancelReverseOtp::otp_id`] | [`Cancellation`] |
//!
//! Builders and setters have the names of the API's own fields, so [Contiguity's guide](https://docs.contiguity.com)
//! applies directly.
//! `send(&client)` consumes the builder: one builder, one call.
//!
//! The [cookbook](_cookbook) has recipes: a script, a web handler, threads, async programs, tests, a
//! webhook receiver, proxies, logging, errors as HTTP statuses, and the JavaScript SDK call by call.
//!
//! # Signing people in
//!
//! **Never decide on `send(..).is_ok()`.** A wrong code is a successful call with a negative result.
//! Make a [`Verified`] the parameter of the function that signs people in: only a successful check
//! creates one, and [`Verification::proof`], [`ReverseStatus::proof`] and
//! [`Outcome::proof`](reverse::Outcome::proof) return it.
//!
//! ```compile_fail,E0308
//! # fn f(sent: contiguity::SentOtp, client: &contiguity::Client) -> Result<(), contiguity::Error> {
//! fn log_in(proof: contiguity::Verified) { /* … */ }
//!
//! let check = sent.verify("123456").send(client)?;
//! log_in(check); // does not compile: the result was not read
//! # Ok(()) }
//! ```
//!
//! # Errors
//!
//! Every call returns an [`Error`]. Its methods are [`may_have_sent`](Error::may_have_sent), [`is_retryable`](Error::is_retryable),
//! [`is_timeout`](Error::is_timeout), [`retry_after`](Error::retry_after), [`status`](Error::status),
//! [`request_id`](Error::request_id).
//!
//! | what happened | [`Error`] | may have sent | retried by the client |
//! |---|---|---|---|
//! | a bad key, URL, proxy or field | `Config`, `Validation` | no | no |
//! | refused by a challenge or a guard | `Refused` | no | no |
//! | the host was not found, or connecting was refused, timed out or cut; the proxy returned 502, 503 or 504 | `Transport` | no | yes |
//! | the TLS handshake failed, for example because of the certificate; the proxy refused | `Transport` | no | no |
//! | lost or timed out once the request may have been sent | `Transport` | yes | only [`VerifyReverseOtp`] |
//! | 429 | `Api` | no | yes, after `Retry-After` or backing off |
//! | 421, 425 | `Api` | no | only [`VerifyReverseOtp`] |
//! | other 4xx, except 408 | `Api` | no | no |
//! | 408, 5xx | `Api` | yes | only [`VerifyReverseOtp`] |
//! | 3xx, which is never followed | `Api` | yes | no |
//! | a 2xx response whose body is incomplete or late | `Transport` | yes | only [`VerifyReverseOtp`] |
//! | a complete 2xx response that cannot be read, or is longer than 1 MiB | `Decode` | yes | no |
//!
//! For a web handler, see [HTTP statuses](_cookbook#http-statuses).
//!
//! # Defaults
//!
//! A call takes up to 30 seconds, including 2 retries and the waits between them. Connecting takes up
//! to 5 seconds. Idle connections are kept for 3 seconds. [`ClientBuilder`] changes these settings.
//! [`Client::with_timeout`] and [`Client::with_retries`] change them for single calls.
//!
//! # Security
//!
//! - The API key, codes and full phone numbers never appear in this crate's `Debug` output, errors or
//!   log records. If an error quotes text from a server, its digits are masked. A reverse factor and
//!   the service's own number are not secret.
//! - Certificates are always verified, redirects are never followed, and plain http is refused except
//!   on loopback, unless you allow it.
//! - Only a successful check creates a [`Verified`]. A response that names another OTP id does not.
//! - This crate contains no unsafe code.
//!
//! What remains for you:
//!
//! - Limit texts and attempts with a [guard], and keep each [`Challenge`] on the server.
//! - Keep trace records of dependencies out of stored logs: they contain the API key. See
//!   [Logging](_cookbook#logging).
//! - A verified number proves that someone received a text, not who they are. A SIM card can be
//!   swapped, and a text can be read on a locked screen.
//!
//! [SECURITY.md] describes this in more detail, and how to report a vulnerability.
//!
//! # Stability
//!
//! Releases follow [semantic versioning]. Before 1.0, a breaking change raises the minor version, such
//! as from 0.1 to 0.2.
//!
//! - **A type that is `#[non_exhaustive]` may grow.** Match on such an enum with a `_` arm, and
//!   use `..` to destructure such a struct. New variants and fields are not breaking changes.
//! - **Wording may change in any release:** error messages, `Debug` output, log records,
//!   [`Refusal::advice`] and the sandbox's messages. Match on variants, [`IssueKind`] and [`Reason`],
//!   and call methods such as [`Error::may_have_sent`].
//! - **No type of another crate is in the API,** except for serde's traits. A new major version of
//!   ureq is therefore not a breaking change of this crate.
//! - **The minimum supported Rust version is 1.85.** It is raised only in a minor release, never in a
//!   patch.
//!
//! # What it does not do
//!
//! | not supported | use instead |
//! |---|---|
//! | async calls | a blocking thread, as [Async programs](_cookbook#async-programs) shows |
//! | Contiguity's other products, such as plain texts, email and number leases | the vendor's [JavaScript SDK] or [HTTP API] |
//! | SOCKS proxies | an HTTP proxy, such as a local [Privoxy] that forwards to the SOCKS proxy |
//! | client certificates | a local TLS proxy such as stunnel, on loopback, as the base URL |
//! | codes of an authenticator app (TOTP) | [totp-rs] |
//! | sessions, accounts and cookies | your web framework; a [`Challenge`] serializes into its sessions |
//!
//! # Features
//!
//! All features are additive. If the compiler does not find a method that is on these pages, its
//! feature may be off: the method's page names it.
//!
//! | feature | default | |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls with ring and Mozilla's certificate authorities |
//! | `phonenumber` | yes | [`PhoneNumber::from_user_input`] and [`is_valid_in_plan`], which use libphonenumber's numbering plans |
//! | `platform-verifier` | | rustls with the certificate authorities of the operating system |
//! | `native-tls` | | the TLS library and certificate authorities of the operating system |
//! | `webhook` | | [`webhook::Verifier`], which verifies the callback to `success_url` |
//! | `guard` | | [`guard::Guard`], limits on texts and attempts that are decided before anything is sent |
//! | `redis` | | [`guard::Redis::connect`], connections to the counts that several processes share; includes `guard` |
//! | `qr` | | [`ReverseSession::qr`], the session's link as a QR code for a terminal or a page |
//! | `sandbox` | | [`sandbox::Sandbox`], a local stand-in for the service, for tests; includes `webhook` |
//! | `cli` | | the program `contiguity`: the API and the sandbox on the command line |
//!
//! For the smallest build, use `default-features = false, features = ["rustls"]`.
//!
//! [sandbox]: https://docs.rs/contiguity/latest/contiguity/sandbox/index.html
//! [`PhoneNumber::from_user_input`]: https://docs.rs/contiguity/latest/contiguity/struct.PhoneNumber.html#method.from_user_input
//! [`is_valid_in_plan`]: https://docs.rs/contiguity/latest/contiguity/struct.PhoneNumber.html#method.is_valid_in_plan
//! [`webhook::Verifier`]: https://docs.rs/contiguity/latest/contiguity/webhook/struct.Verifier.html
//! [`ReverseSession::qr`]: https://docs.rs/contiguity/latest/contiguity/struct.ReverseSession.html#method.qr
//! [`sandbox::Sandbox`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html
//! [guard]: https://docs.rs/contiguity/latest/contiguity/guard/index.html
//! [`Guard::total`]: https://docs.rs/contiguity/latest/contiguity/guard/struct.Guard.html#method.total
//! [`Guarded`]: https://docs.rs/contiguity/latest/contiguity/guard/struct.Guarded.html
//! [`guard::Guard`]: https://docs.rs/contiguity/latest/contiguity/guard/struct.Guard.html
//! [SECURITY.md]: https://docs.rs/crate/contiguity/latest/source/SECURITY.md
//! [semantic versioning]: https://semver.org
//! [JavaScript SDK]: https://www.npmjs.com/package/contiguity
//! [HTTP API]: https://docs.contiguity.com
//! [Privoxy]: https://www.privoxy.org
//! [totp-rs]: https://docs.rs/totp-rs
//! [`guard::Redis::connect`]: https://docs.rs/contiguity/latest/contiguity/guard/struct.Redis.html#method.connect

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod _cookbook;
mod call;
mod challenge;
mod client;
mod envelope;
mod error;
mod gate;
#[cfg(feature = "guard")]
pub mod guard;
mod language;
mod otp;
mod otp_id;
mod phone;
#[cfg(feature = "qr")]
pub mod qr;
mod redact;
mod refusal;
mod retry;
pub mod reverse;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod status;
mod transport;
pub mod typestate;
mod validate;
mod value;
mod verified;
mod web_url;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use challenge::{Attempt, Challenge, Policy};
pub use client::{Client, ClientBuilder};
pub use envelope::Metadata;
pub use error::{ApiError, ConfigError, DecodeError, Error, Issue, IssueKind, TransportError, ValidationError};
pub use language::{InvalidLanguage, Language, LanguageTag};
pub use otp::new::{NewOtp, SentOtp};
pub use otp::resend::{ResendOtp, Resent};
pub use otp::verify::{Verification, VerifyOtp};
pub use otp_id::{InvalidOtpId, OtpId};
pub use phone::{InvalidPhoneNumber, PhoneNumber};
pub use refusal::{Limit, Reason, Refusal};
pub use reverse::cancel::{CancelReverseOtp, Cancellation};
pub use reverse::initiate::{InitiateReverseOtp, Instructions, ReverseSession};
pub use reverse::verify::{ReverseStatus, VerifyReverseOtp};
pub use status::{OtherService, OtherStatus, Service, Status};
pub use transport::Tls;
pub use validate::Input;
pub use verified::{NotVerified, Verified};

/// What the fuzz targets need beyond the public API.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    #[cfg(feature = "redis")]
    pub use crate::guard::responses as redis_responses;
    #[cfg(feature = "sandbox")]
    pub use crate::sandbox::fuzzing::Service;
    pub use crate::transport::fuzzing::respond_with;
}

/// The README's code blocks, run as tests.
#[cfg(all(doctest, feature = "sandbox", feature = "webhook", feature = "qr", feature = "guard"))]
#[doc = include_str!("../README.md")]
mod readme {}
