//! `Verified`, the proof that only a successful check creates, and `NotVerified`.

use std::fmt;

use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::redact;
use crate::status::Status;
use crate::value::debug_is_display;

/// The proof that a person was verified.
///
/// Make it a parameter of the function that signs people in. It is created only when a successful
/// response is decoded. It has no public fields and does not implement `Deserialize`, `Clone` or
/// `Default`. A check whose result was never read therefore cannot sign anyone in.
///
/// Returned by [`Verification::proof`](crate::Verification::proof),
/// [`ReverseStatus::proof`](crate::ReverseStatus::proof),
/// [`Outcome::proof`](crate::reverse::Outcome::proof), [`Challenge::verify`](crate::Challenge::verify)
/// and the event of a webhook.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, PhoneNumber, Verified};
///
/// fn log_in(proof: Verified) -> Option<PhoneNumber> {
///     proof.number()
/// }
///
/// let sent = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// # let typed = sandbox.phone("+14155552671").last_message().unwrap().code;
/// let check = sent.verify(typed).send(&client)?;
/// assert_eq!(log_in(check.proof()?).unwrap(), "+14155552671");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It cannot be deserialized:
///
/// ```compile_fail,E0277
/// let forged: contiguity::Verified = serde_json::from_str("{}").unwrap();
/// ```
///
/// Nor can it be created with `Default`:
///
/// ```compile_fail,E0277
/// let forged: contiguity::Verified = Default::default();
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "pass the proof to the function that signs the person in"]
pub struct Verified {
    otp_id: OtpId,
    number: Option<PhoneNumber>,
}

impl Verified {
    pub(crate) fn new(otp_id: OtpId, number: Option<PhoneNumber>) -> Self {
        Self { otp_id, number }
    }

    /// Returns the id that was checked.
    #[must_use]
    pub fn otp_id(&self) -> &OtpId {
        &self.otp_id
    }

    /// Returns the verified number, if known.
    ///
    /// It is `Some` after [`Challenge::verify`](crate::Challenge::verify),
    /// [`SentOtp::verify`](crate::SentOtp::verify), [`ReverseSession::wait`](crate::ReverseSession::wait)
    /// and webhooks, and `None` if the check started from a stored id.
    #[must_use]
    pub fn number(&self) -> Option<PhoneNumber> {
        self.number
    }
}

/// The error of a check that completed, but did not verify the person.
///
/// It is not an [`Error`](crate::Error), since the call succeeded.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::NewOtp;
///
/// let sent = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// let not_verified = sent.verify("0000").send(&client)?.proof().unwrap_err();
/// assert_eq!(
///     not_verified.to_string(),
///     "not verified: the code is wrong, used or expired"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("not verified: {reason}")]
pub struct NotVerified {
    reason: Reason,
}

impl NotVerified {
    /// The service said that the code is not right.
    pub(crate) const WRONG_CODE: Self = Self { reason: Reason::WrongCode };

    /// Time was up before the person texted.
    pub(crate) const TIMED_OUT: Self = Self { reason: Reason::TimedOut };

    /// The program stopped the wait.
    pub(crate) const STOPPED: Self = Self { reason: Reason::Stopped };

    pub(crate) fn status_is(status: Status) -> Self {
        Self { reason: Reason::Status(status) }
    }

    /// Returns the status of a reverse OTP session, if the service returned one.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match &self.reason {
            Reason::Status(status) => Some(status),
            _ => None,
        }
    }
}

debug_is_display!(NotVerified);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    WrongCode,
    Status(Status),
    TimedOut,
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongCode => f.write_str("the code is wrong, used or expired"),
            Self::Status(Status::Pending) => f.write_str("the person has not texted yet"),
            // The service may send any text as a status.
            Self::Status(status) => write!(f, "the session is {}", redact::line(status.as_str())),
            Self::TimedOut => f.write_str("the person did not text in time"),
            Self::Stopped => f.write_str("the wait was stopped"),
        }
    }
}
