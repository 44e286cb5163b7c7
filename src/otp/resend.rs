//! `POST /otp/resend`: texts the same code again.

use serde::{Deserialize, Serialize};

use crate::client::{Client, Request};
use crate::envelope::Metadata;
use crate::error::Error;
use crate::otp::OtpId;
use crate::retry::Effect;
use crate::transport::Operation;
use crate::validate::{Faults, Input};

/// Texts the same code once more, for a person who did not receive it.
///
/// The code and its 15 minutes stay as they are. A code that was used or has expired is not sent again:
/// [`Resent::resent`] is `false` then, and a [`NewOtp`](crate::NewOtp) is due.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, ResendOtp};
///
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// let again = ResendOtp::otp_id(&sent.otp_id).send(&client)?;
/// assert!(again.resent);
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until `.send(&client)`"]
pub struct ResendOtp {
    otp_id: Input<OtpId>,
}

impl ResendOtp {
    /// The id that [`NewOtp`](crate::NewOtp) answered.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into() }
    }

    /// Sends the request: one call, one text message at most.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, dots or has control characters. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] and [`Error::Decode`] if the call failed;
    ///   [`may_have_sent`](Error::may_have_sent) says whether a text may have gone out.
    /// - [`Error::Config`] if the client's time-out is zero.
    pub fn send(self, client: &Client) -> Result<Resent, Error> {
        let mut faults = Faults::default();
        let Some(otp_id) = faults.check("otp_id", self.otp_id.check()) else {
            return Err(faults.into_error());
        };
        let reply = client.call(Request::new(&OPERATION).body(&Fields { otp_id: &otp_id }))?;
        reply.read(|Data { resent }, metadata| Ok(Resent { resent, metadata }))
    }
}

const OPERATION: Operation = Operation { path: "/otp/resend", effect: Effect::Acts };

#[derive(Serialize)]
struct Fields<'a> {
    otp_id: &'a OtpId,
}

/// The answer to a resend.
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
/// println!("{}", if again.resent { "the code is on its way" } else { "ask for a new code" });
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resent {
    /// Whether the code was texted again. `false` if it was used or has expired.
    pub resent: bool,
    /// What the service says about its answer.
    pub metadata: Metadata,
}

#[derive(Deserialize)]
struct Data {
    resent: bool,
}
