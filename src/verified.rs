//! `Verified`, which only a successful check makes, and `NotVerified`.

use crate::otp::OtpId;
use crate::phone::PhoneNumber;
use crate::reverse::Status;

/// The proof that a person was verified: what a function that lets somebody in should ask for.
///
/// Only a successful check makes one: it is set while the service's answer is read, and nothing else yields it, no write to
/// a public field, no `Deserialize`, no `Clone`, no `Default`. A function with a `Verified` parameter can't be called with
/// a check whose result nobody looked at.
///
/// It comes from [`Verification::proof`](crate::Verification::proof), [`ReverseStatus::proof`](crate::ReverseStatus::proof),
/// the outcome of a wait, and the webhook's event.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, Verified, VerifyOtp};
///
/// fn log_in(proof: Verified) -> String {
///     format!("signed in by {}", proof.otp_id())
/// }
///
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// # let code = sandbox.phone("+14155552671").last_message().unwrap().code;
/// let check = VerifyOtp::otp_id(&sent.otp_id).otp(code).send(&client)?;
/// println!("{}", log_in(check.proof()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// No text becomes a proof:
///
/// ```compile_fail,E0277
/// let forged: contiguity::Verified = serde_json::from_str("{}").unwrap();
/// ```
///
/// Neither does a default:
///
/// ```compile_fail,E0277
/// let forged: contiguity::Verified = Default::default();
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a proof that nobody asks for protects nothing"]
pub struct Verified {
    otp_id: OtpId,
    number: Option<PhoneNumber>,
}

impl Verified {
    pub(crate) fn new(otp_id: OtpId, number: Option<PhoneNumber>) -> Self {
        Self { otp_id, number }
    }

    pub(crate) fn with_number(self, number: Option<PhoneNumber>) -> Self {
        Self { number, ..self }
    }

    /// The id that the check asked for.
    #[must_use]
    pub fn otp_id(&self) -> &OtpId {
        &self.otp_id
    }

    /// The number that was verified, where the check knows it: not from a bare
    /// [`VerifyOtp`](crate::VerifyOtp) or [`VerifyReverseOtp`](crate::VerifyReverseOtp), which know the id alone.
    #[must_use]
    pub fn number(&self) -> Option<&PhoneNumber> {
        self.number.as_ref()
    }
}

/// The answer came, and the person is not verified.
///
/// Not an [`Error`](crate::Error): the call went well, and its answer is no.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, VerifyOtp};
///
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// let check = VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&client)?;
/// let not_verified = check.proof().unwrap_err();
/// assert_eq!(not_verified.otp_id(), &sent.otp_id);
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not verified: {}", self.reason())]
pub struct NotVerified {
    otp_id: OtpId,
    status: Option<Status>,
}

impl NotVerified {
    pub(crate) fn new(otp_id: OtpId, status: Option<Status>) -> Self {
        Self { otp_id, status }
    }

    /// The id that the check asked for.
    #[must_use]
    pub fn otp_id(&self) -> &OtpId {
        &self.otp_id
    }

    /// The status of a reverse OTP. `None` after a [`VerifyOtp`](crate::VerifyOtp), which says no more than no.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    fn reason(&self) -> String {
        match &self.status {
            None => "the code is wrong, used or expired".to_owned(),
            // The service may say any text of any length.
            Some(status) => format!("the session is {status:.200}"),
        }
    }
}
