//! Reverse OTP: the person texts you.
//!
//! Open a session with [`InitiateReverseOtp`](crate::InitiateReverseOtp), show the person what to
//! text, and [`wait`](crate::ReverseSession::wait) until the text has arrived:
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! use std::ops::ControlFlow;
//! use std::time::Duration;
//! use contiguity::InitiateReverseOtp;
//! use contiguity::reverse::{Outcome, Stop};
//!
//! let session = InitiateReverseOtp::number("+14155552671")
//!     .factor("MyApp2024")
//!     .send(&client)?;
//! println!("Text {} to {}", session.factor, session.to);
//! # sandbox.phone("+14155552671").text(&session.to, &session.factor);
//!
//! // Call `stop.stop()` from a Ctrl-C handler or another thread.
//! let stop = Stop::new();
//! let outcome = session
//!     .wait(&client)
//!     .timeout(Duration::from_secs(120))
//!     .on_poll(|status| {
//!         println!("{}", status.status);
//!         ControlFlow::Continue(())
//!     })
//!     .stop_on(&stop)
//!     .run()?;
//!
//! match outcome {
//!     Outcome::Verified(proof) => println!("signed in with {}", proof.otp_id()),
//!     Outcome::TimedOut { .. } => println!("too late"),
//!     other => println!("not signed in: {other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! If you only stored the session's id, wait with
//! [`VerifyReverseOtp::wait`](crate::VerifyReverseOtp::wait). A server that should not block can
//! receive a webhook at the session's
//! [`success_url`](crate::InitiateReverseOtp::success_url).

pub(crate) mod cancel;
pub(crate) mod initiate;
pub(crate) mod verify;
mod wait;

#[cfg(feature = "sandbox")]
pub(crate) use self::wait::sealed;
pub use self::wait::{Clock, Outcome, Stop, Wait};
