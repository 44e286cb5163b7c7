//! `GET /otp/reverse/verify/{otp_id}`: reads the status of a session.

use std::time::SystemTime;

use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Field, Metadata};
use crate::error::Error;
use crate::otp_id::OtpId;
use crate::retry::{Effect, Operation};
use crate::status::Status;
use crate::validate::{self, Input};
use crate::verified::{NotVerified, Verified};

/// A request that reads the status of a reverse OTP session.
///
/// The call only reads, so it is retried after every temporary failure. Contiguity recommends 20
/// seconds or more between reads in production. [`wait`](Self::wait) starts at 2 seconds and backs off
/// to 20.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{InitiateReverseOtp, VerifyReverseOtp};
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// # sandbox.phone("+14155552671").text(&session.to, &session.factor);
/// let status =
///     VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// if status.is_verified() {
///     let proof = status.proof()?;
///     println!("signed in with {}", proof.otp_id());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is read until `.send(&client)` is called"]
pub struct VerifyReverseOtp {
    pub(super) otp_id: Input<OtpId>,
}

impl VerifyReverseOtp {
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
    /// - [`Error::Transport`], [`Error::Api`] or [`Error::Decode`] if the call failed, after its
    ///   retries.
    pub fn send(self, client: &Client) -> Result<ReverseStatus, Error> {
        let otp_id = validate::only_otp_id(self.otp_id)?;
        let response = client.call(&Call::new(&OPERATION).otp_id(otp_id.as_str()))?;
        response.read(|data, metadata| reverse_status(&data, &otp_id, metadata))
    }
}

const OPERATION: Operation = Operation { path: "/otp/reverse/verify/{otp_id}", effect: Effect::Reads };

/// The status of a session. Call [`proof`](Self::proof) before you sign anyone in.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
/// use contiguity::{ReverseStatus, Status, VerifyReverseOtp};
///
/// let status: ReverseStatus =
///     VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// assert_eq!(status.status, Status::Pending);
/// assert!(status.proof().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a pending session is not an error: call `.proof()`"]
#[non_exhaustive]
pub struct ReverseStatus {
    /// The id of the session.
    pub otp_id: OtpId,
    /// The status of the session. Changing this field does not affect [`proof`](Self::proof).
    pub status: Status,
    /// When the session expires, by the service's clock. Compare it with
    /// [`metadata.timestamp`](Metadata::timestamp), not with the clock of this machine.
    pub expires_at: Option<SystemTime>,
    /// The metadata of the response.
    pub metadata: Metadata,
    proof: Result<Verified, NotVerified>,
}

impl ReverseStatus {
    /// Reports whether the service said that the person is verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.proof.is_ok()
    }

    /// Returns the proof that the person was verified, for the function that signs them in.
    ///
    /// # Errors
    ///
    /// [`NotVerified`], with the session's status, if that is not `verified`.
    pub fn proof(self) -> Result<Verified, NotVerified> {
        self.proof
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Data<'a> {
    otp_id: Field<'a>,
    status: Field<'a>,
    verified: Field<'a>,
    expires_at: Field<'a>,
}

fn reverse_status(data: &Data<'_>, asked: &OtpId, metadata: Metadata) -> Result<ReverseStatus, String> {
    data.otp_id.expect_otp_id(asked)?;
    // The vendor's guide reads `verified`, the published API returns `status`. If both are there, the
    // published field counts, even if it cannot be read.
    let status = if data.status.is_present() || !data.verified.is_present() {
        Status::from(&*data.status.required_text("status")?)
    } else if data.verified.required_bool("verified")? {
        Status::Verified
    } else {
        Status::Pending
    };
    let proof = if status == Status::Verified {
        Ok(Verified::new(asked.clone(), None))
    } else {
        Err(NotVerified::status_is(status.clone()))
    };
    Ok(ReverseStatus { otp_id: asked.clone(), status, expires_at: data.expires_at.time(), metadata, proof })
}
