//! `POST /otp/reverse/cancel/{otp_id}`: cancels a session.

use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Field, Metadata};
use crate::error::Error;
use crate::otp_id::OtpId;
use crate::retry::{Effect, Operation};
use crate::status::Status;
use crate::validate::{self, Input};

/// A request that cancels a reverse OTP session, so that a late text verifies no one.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{CancelReverseOtp, InitiateReverseOtp, Status};
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// let cancellation =
///     CancelReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// assert_eq!(cancellation.status, Status::Cancelled);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is cancelled until `.send(&client)` is called"]
pub struct CancelReverseOtp {
    otp_id: Input<OtpId>,
}

impl CancelReverseOtp {
    /// Starts a request with the id of the session.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into() }
    }

    /// Sends the request.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, `.` or `..`, too long or has control characters.
    ///   Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] or [`Error::Decode`] if the call failed.
    ///   [`may_have_sent`](Error::may_have_sent) reports whether the session may already be
    ///   cancelled.
    pub fn send(self, client: &Client) -> Result<Cancellation, Error> {
        let otp_id = validate::only_otp_id(self.otp_id)?;
        let response = client.call(&Call::new(&OPERATION).otp_id(otp_id.as_str()))?;
        response.read(|data: Data<'_>, metadata| {
            data.otp_id.expect_otp_id(&otp_id)?;
            let status = data.status.required_text("status")?;
            Ok(Cancellation { otp_id: otp_id.clone(), status: Status::from(&*status), metadata })
        })
    }
}

const OPERATION: Operation = Operation { path: "/otp/reverse/cancel/{otp_id}", effect: Effect::Acts };

/// The result of a cancellation.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
/// use contiguity::{CancelReverseOtp, Cancellation};
///
/// let cancellation: Cancellation =
///     CancelReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// println!("{} is {}", cancellation.otp_id, cancellation.status);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancellation {
    /// The id of the session.
    pub otp_id: OtpId,
    /// The status of the session, usually [`Status::Cancelled`].
    pub status: Status,
    /// The metadata of the response.
    pub metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Data<'a> {
    otp_id: Field<'a>,
    status: Field<'a>,
}
