//! `GET /otp/reverse/verify/{otp_id}`: where a session stands.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, Request};
use crate::envelope::{self, Metadata};
use crate::error::Error;
use crate::otp::OtpId;
use crate::redact::Redactor;
use crate::retry::Effect;
use crate::reverse::{Status, Wait};
use crate::transport::Operation;
use crate::validate::{Faults, Input};
use crate::verified::{NotVerified, Verified};

/// Asks where a reverse OTP session stands.
///
/// This call only reads, and is repeated after every passing failure. Ask every 20 seconds or more in the long run, as the
/// vendor's notes do.
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
/// let status = VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// if status.is_verified() {
///     let proof = status.proof()?;
///     println!("signed in by {}", proof.otp_id());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is asked until `.send(&client)`"]
pub struct VerifyReverseOtp {
    otp_id: Input<OtpId>,
}

impl VerifyReverseOtp {
    /// The id of the session.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into() }
    }

    /// Sends the question.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, dots or has control characters. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] and [`Error::Decode`] if the call failed, also after its repeats.
    /// - [`Error::Config`] if the client's time-out is zero.
    pub fn send(self, client: &Client) -> Result<ReverseStatus, Error> {
        let mut faults = Faults::default();
        let Some(otp_id) = faults.check("otp_id", self.otp_id.check()) else {
            return Err(faults.into_error());
        };
        let reply = client.call(Request::new(&OPERATION).otp_id(otp_id.as_str()))?;
        reply.read(|data, metadata| reverse_status(data, &otp_id, metadata, reply.redactor()))
    }

    /// Waits until the person has texted, or time is up: the same as [`ReverseSession::wait`](crate::ReverseSession::wait), from an id that was stored.
    /// The proof then knows the id and not the number.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// # sandbox.phone("+14155552671").text(&session.to, &session.factor);
    /// # let stored = session.otp_id.to_string();
    /// use contiguity::VerifyReverseOtp;
    ///
    /// let outcome = VerifyReverseOtp::otp_id(stored).wait(&client).run()?;
    /// # assert!(matches!(outcome, contiguity::reverse::Outcome::Verified(_)));
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn wait(self, client: &Client) -> Wait<'_> {
        Wait::new(self.otp_id, client)
    }
}

const OPERATION: Operation = Operation { path: "/otp/reverse/verify/{otp_id}", effect: Effect::Reads };

/// Where a session stands.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
/// use contiguity::{ReverseStatus, Status, VerifyReverseOtp};
///
/// let status: ReverseStatus = VerifyReverseOtp::otp_id(&session.otp_id).send(&client)?;
/// assert_eq!(status.status, Status::Pending);
/// assert!(status.proof().is_err());
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "an unread status lets a stranger in: ask `.proof()`"]
#[non_exhaustive]
pub struct ReverseStatus {
    /// The session's id, of the answer if it names one, else the one asked for.
    pub otp_id: OtpId,
    /// Where the session stands. Writing to it proves nothing: [`proof`](Self::proof) keeps what the service said.
    pub status: Status,
    /// When the session ends, by the service's clock, if the answer says so. Compare it with
    /// [`metadata.timestamp`](Metadata::timestamp), not with the clock of this machine.
    pub expires_at: Option<SystemTime>,
    /// What the service says about its answer.
    pub metadata: Metadata,
    proof: Result<Verified, NotVerified>,
}

impl ReverseStatus {
    /// Whether [`status`](Self::status) is [`Status::Verified`].
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.status == Status::Verified
    }

    /// The proof that the person was verified, for the function that lets them in.
    ///
    /// # Errors
    ///
    /// [`NotVerified`] if the service said anything else, with the status that it said.
    pub fn proof(self) -> Result<Verified, NotVerified> {
        self.proof
    }
}

#[derive(Clone, Copy, Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    otp_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    verified: Option<&'a RawValue>,
    #[serde(borrow, default)]
    expires_at: Option<&'a RawValue>,
}

fn reverse_status(
    data: Data<'_>,
    asked: &OtpId,
    metadata: Metadata,
    redactor: &Redactor<'_>,
) -> Result<ReverseStatus, String> {
    // The guide reads `verified`, the published API says `status`; where both stand, the published one counts, even if it
    // cannot be read. Null does not stand.
    let status = match (data.status, data.verified.and_then(envelope::read)) {
        (Some(status), _) => Status::from_answer(&envelope::text(status).ok_or("its `status` is not text")?, redactor),
        (None, Some(true)) => Status::Verified,
        (None, Some(false)) => Status::Pending,
        (None, None) => return Err("it has neither a `status` nor a `verified`".to_owned()),
    };
    let proof = if status == Status::Verified {
        Ok(Verified::new(asked.clone(), None))
    } else {
        Err(NotVerified::new(asked.clone(), Some(status.clone())))
    };
    Ok(ReverseStatus {
        otp_id: data.otp_id.and_then(envelope::read).unwrap_or_else(|| asked.clone()),
        status,
        expires_at: data.expires_at.and_then(envelope::time),
        metadata,
        proof,
    })
}
