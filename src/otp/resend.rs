//! `POST /otp/resend`: texts the same code again.

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Field, Metadata};
use crate::error::Error;
use crate::gate::{Settled, Subject};
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::retry::{Effect, Operation};
use crate::validate::{self, Input};

/// A request that texts the same code again, for a person who did not receive it.
///
/// The code and its expiry do not change. A code that was used or has expired is not sent
/// again: [`Resent::resent`] is `false`. Send a [`NewOtp`](crate::NewOtp) instead.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, ResendOtp};
///
/// let sent = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// let again = ResendOtp::otp_id(&sent.otp_id).send(&client)?;
/// assert!(again.resent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until `.send(&client)` is called"]
pub struct ResendOtp {
    otp_id: Input<OtpId>,
    /// For limits, if it is known.
    number: Option<PhoneNumber>,
}

impl ResendOtp {
    /// Starts a request with the id that [`NewOtp`](crate::NewOtp) returned.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into(), number: None }
    }

    pub(crate) fn of(otp_id: OtpId, number: PhoneNumber) -> Self {
        Self { otp_id: otp_id.into(), number: Some(number) }
    }

    /// Sends the request. Each call sends at most one text message.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, `.` or `..`, too long or has control characters.
    ///   Nothing was sent.
    /// - [`Error::Refused`] if a guard (feature `guard`) refuses the call. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] or [`Error::Decode`] if the call failed.
    ///   [`may_have_sent`](Error::may_have_sent) reports whether a text may have been sent.
    pub fn send(self, client: &Client) -> Result<Resent, Error> {
        let otp_id = validate::only_otp_id(self.otp_id)?;
        let subject = Subject::Resend { otp_id: &otp_id, number: self.number };
        let response = client.call(&Call::new(&OPERATION).body(&Fields { otp_id: &otp_id }).limited(subject))?;
        let again = response.read(|data: Data<'_>, metadata| {
            let resent = data.resent.required_bool("resent")?;
            Ok(Resent { resent, metadata })
        })?;
        response.settle(if again.resent { Settled::Sent(&otp_id) } else { Settled::Unsent });
        Ok(again)
    }
}

const OPERATION: Operation = Operation { path: "/otp/resend", effect: Effect::Acts };

#[derive(Serialize)]
struct Fields<'a> {
    otp_id: &'a OtpId,
}

/// The result of a resend.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let sent = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// use contiguity::{ResendOtp, Resent};
///
/// let again: Resent = ResendOtp::otp_id(&sent.otp_id).send(&client)?;
/// if again.resent {
///     println!("the code was sent again");
/// } else {
///     println!("the code was used or has expired");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "read `resent`: a code that was used or has expired is not sent again"]
#[non_exhaustive]
pub struct Resent {
    /// Whether the code was texted again. `false` if it was used or has expired.
    pub resent: bool,
    /// The metadata of the response.
    pub metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Data<'a> {
    resent: Field<'a>,
}
