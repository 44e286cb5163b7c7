//! One-time passwords by SMS, and the ids that both halves of the service use.

mod new;
mod resend;
mod verify;

use crate::error::IssueKind;
use crate::validate::{Fault, text_value};

pub use self::new::{NewOtp, SentOtp};
pub use self::resend::{ResendOtp, Resent};
pub use self::verify::{Verification, VerifyOtp};

/// The id of an OTP or of a reverse OTP session, such as `otp_1234567890`: opaque, and not secret by itself.
///
/// It lives in sessions and databases: it serialises as text, and deserialising checks it.
///
/// # Examples
///
/// ```
/// use contiguity::OtpId;
///
/// let id: OtpId = "otp_1234567890".parse()?;
/// assert_eq!(id.as_str(), "otp_1234567890");
/// assert!("..".parse::<OtpId>().is_err());
/// # Ok::<(), contiguity::InvalidOtpId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtpId(Box<str>);

impl OtpId {
    /// Takes an id as the service made it: not blank, no control characters, and not `.` or `..`, which would turn a URL
    /// into another one.
    ///
    /// # Errors
    ///
    /// [`InvalidOtpId`] for any other text.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::OtpId;
    ///
    /// assert!(OtpId::parse("r_otp_123456").is_ok());
    /// assert!(OtpId::parse("").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidOtpId> {
        let fault = if text.trim().is_empty() {
            IdFault::Blank
        } else if text == "." || text == ".." {
            IdFault::Dots
        } else if text.chars().any(char::is_control) {
            IdFault::Control
        } else {
            return Ok(Self(text.into()));
        };
        Err(InvalidOtpId { fault })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(OtpId, InvalidOtpId);

/// Why a text is not an id. Made by [`OtpId::parse`].
///
/// # Examples
///
/// ```
/// use contiguity::OtpId;
///
/// let error = OtpId::parse(" ").unwrap_err();
/// assert_eq!(error.to_string(), "OTP id is blank; give the id that the service answered when the OTP was made");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("OTP id {fault}")]
pub struct InvalidOtpId {
    fault: IdFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum IdFault {
    #[error("is blank; give the id that the service answered when the OTP was made")]
    Blank,
    #[error("is only dots, which is no id; give the id that the service answered")]
    Dots,
    #[error("has a control character, such as a line break; give the id as the service answered it")]
    Control,
}

impl From<InvalidOtpId> for Fault {
    fn from(error: InvalidOtpId) -> Self {
        let kind = match error.fault {
            IdFault::Blank => IssueKind::Blank,
            IdFault::Dots => IssueKind::Format,
            IdFault::Control => IssueKind::Character,
        };
        Self::new(kind, error.fault.to_string())
    }
}
