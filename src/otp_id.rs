//! The id of an OTP.

use std::borrow::Borrow;

use crate::value::text_value;

/// The id of an OTP or of a reverse OTP session, such as `otp_1234567890`.
///
/// The id is opaque and not secret. Store it in the person's session or in a database: it
/// serializes as text, and deserializing checks it.
///
/// # Examples
///
/// ```
/// use contiguity::OtpId;
///
/// let id: OtpId = "otp_1234567890".parse()?;
/// assert_eq!(id, "otp_1234567890");
/// assert!("..".parse::<OtpId>().is_err());
/// # Ok::<(), contiguity::InvalidOtpId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtpId(Box<str>);

impl OtpId {
    /// Parses an id: 1 to 500 characters, not blank, no control characters.
    ///
    /// `.` and `..` are refused, since they would change the URL of a call.
    ///
    /// # Errors
    ///
    /// [`InvalidOtpId`] if the text is not a valid id.
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
        let problem = if text.trim().is_empty() {
            IdProblem::Blank
        } else if text == "." || text == ".." {
            IdProblem::Dots
        } else if text.chars().any(char::is_control) {
            IdProblem::Control
        } else if text.len() > MAX_CHARACTERS && text.chars().count() > MAX_CHARACTERS {
            IdProblem::TooLong
        } else {
            return Ok(Self(text.into()));
        };
        Err(InvalidOtpId { problem })
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(OtpId, InvalidOtpId);

impl Borrow<str> for OtpId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// The error returned by [`OtpId::parse`].
///
/// # Examples
///
/// ```
/// use contiguity::OtpId;
///
/// let error = OtpId::parse(" ").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid OTP id: must not be blank; use the id that the service returned"
/// );
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; use the id that the service returned", self.without_advice())]
pub struct InvalidOtpId {
    pub(crate) problem: IdProblem,
}

impl InvalidOtpId {
    pub(crate) fn without_advice(&self) -> String {
        format!("invalid OTP id: {}", self.problem)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdProblem {
    #[error("must not be blank")]
    Blank,
    #[error("must not be `.` or `..`")]
    Dots,
    #[error("must not contain control characters, such as a line break")]
    Control,
    #[error("must have at most 500 characters")]
    TooLong,
}

/// The ids of the service have some twenty. The limit keeps the URL of a call short.
const MAX_CHARACTERS: usize = 500;
