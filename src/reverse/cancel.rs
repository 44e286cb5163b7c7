//! `POST /otp/reverse/cancel/{otp_id}`: ends a session.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, Request};
use crate::envelope::{self, Metadata};
use crate::error::Error;
use crate::otp::OtpId;
use crate::retry::Effect;
use crate::reverse::Status;
use crate::transport::Operation;
use crate::validate::{Faults, Input};

/// Cancels a reverse OTP session, so that a text that arrives later verifies nobody.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{CancelReverseOtp, InitiateReverseOtp, Status};
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// let cancellation = CancelReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// assert_eq!(cancellation.status, Status::Cancelled);
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is cancelled until `.send(&client)`"]
pub struct CancelReverseOtp {
    otp_id: Input<OtpId>,
}

impl CancelReverseOtp {
    /// The id of the session.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into() }
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, dots or has control characters. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] and [`Error::Decode`] if the call failed;
    ///   [`may_have_sent`](Error::may_have_sent) says whether the session may be cancelled.
    /// - [`Error::Config`] if the client's time-out is zero.
    pub fn send(self, client: &Client) -> Result<Cancellation, Error> {
        let mut faults = Faults::default();
        let Some(otp_id) = faults.check("otp_id", self.otp_id.check()) else {
            return Err(faults.into_error());
        };
        let reply = client.call(Request::new(&OPERATION).otp_id(otp_id.as_str()))?;
        reply.read(|data: Data<'_>, metadata| {
            let status = data.status.and_then(envelope::text).ok_or("it does not say the session's `status`")?;
            Ok(Cancellation {
                otp_id: data.otp_id.and_then(envelope::read).unwrap_or_else(|| otp_id.clone()),
                status: Status::from_answer(&status, reply.redactor()),
                metadata,
            })
        })
    }
}

const OPERATION: Operation = Operation { path: "/otp/reverse/cancel/{otp_id}", effect: Effect::Acts };

/// The answer to a cancellation.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
/// use contiguity::{CancelReverseOtp, Cancellation};
///
/// let cancellation: Cancellation = CancelReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// println!("{} is {}", cancellation.otp_id, cancellation.status);
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancellation {
    /// The session's id, of the answer if it names one, else the one asked for.
    pub otp_id: OtpId,
    /// Where the session stands now: [`Status::Cancelled`].
    pub status: Status,
    /// What the service says about its answer.
    pub metadata: Metadata,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    otp_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}
