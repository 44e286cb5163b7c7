//! `POST /otp/verify`: checks the code that a person typed.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::client::{Client, Request};
use crate::envelope::Metadata;
use crate::error::{Error, IssueKind};
use crate::otp::OtpId;
use crate::retry::Effect;
use crate::transport::Operation;
use crate::typestate::{HasOtp, Missing};
use crate::validate::{Fault, Faults, Input};
use crate::verified::{NotVerified, Verified};

/// Checks the code that a person typed.
///
/// Begin with [`VerifyOtp::otp_id`], set [`otp`](Self::otp), and [`send`](Self::send). The answer to a wrong code is no error:
/// ask [`Verification::proof`] who is let in. **Not** `send(..).is_ok()`, which is true for a wrong code as well.
///
/// Check when the whole code is there, not with every digit typed, and limit the attempts yourself: the vendor asks for
/// both.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, VerifyOtp};
///
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// # let typed = sandbox.phone("+14155552671").last_message().unwrap().code;
/// match VerifyOtp::otp_id(&sent.otp_id).otp(typed).send(&client)?.proof() {
///     Ok(proof) => println!("signed in by {}", proof.otp_id()),
///     Err(not_verified) => println!("{not_verified}"),
/// }
/// # Ok::<(), contiguity::Error>(())
/// ```
///
/// A check without a code does not compile:
///
/// ```compile_fail,E0277
/// # fn f(client: &contiguity::Client) -> Result<(), contiguity::Error> {
/// let check = contiguity::VerifyOtp::otp_id("otp_1234567890").send(client)?;
/// # Ok(()) }
/// ```
///
/// Neither does one with two:
///
/// ```compile_fail,E0599
/// # fn f() {
/// contiguity::VerifyOtp::otp_id("otp_1234567890").otp("123456").otp("654321");
/// # }
/// ```
#[must_use = "nothing is checked until `.send(&client)`"]
pub struct VerifyOtp<O = String> {
    otp_id: Input<OtpId>,
    otp: O,
}

impl VerifyOtp<Missing> {
    /// The id that [`NewOtp`](crate::NewOtp) answered.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into(), otp: Missing::FIELD }
    }

    /// The code that the person typed: 4 to 10 ASCII digits. Spaces and hyphens between them are dropped, leading zeros are
    /// kept. Required.
    pub fn otp(self, otp: impl Into<String>) -> VerifyOtp<String> {
        VerifyOtp { otp_id: self.otp_id, otp: otp.into() }
    }
}

impl<O> VerifyOtp<O> {
    /// Sends the check. It is not repeated once the service may have counted it as an attempt.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, dots or has control characters, or the code is not 4 to 10 digits. Nothing
    ///   was sent.
    /// - [`Error::Transport`], [`Error::Api`] and [`Error::Decode`] if the call failed. Nobody is verified then;
    ///   [`may_have_sent`](Error::may_have_sent) says whether the service may have used the code up.
    /// - [`Error::Config`] if the client's time-out is zero.
    pub fn send(self, client: &Client) -> Result<Verification, Error>
    where
        O: HasOtp,
    {
        send(self.otp_id, &self.otp.into(), client)
    }
}

/// The code is not shown.
impl<O> fmt::Debug for VerifyOtp<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOtp").field("otp_id", &self.otp_id).finish_non_exhaustive()
    }
}

const OPERATION: Operation = Operation { path: "/otp/verify", effect: Effect::Acts };

#[derive(Serialize)]
struct Fields<'a> {
    otp_id: &'a OtpId,
    otp: &'a str,
}

/// The answer to a check. Whether it was the right code is in it: ask [`proof`](Self::proof).
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let sent = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// use contiguity::{Verification, VerifyOtp};
///
/// let check: Verification = VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&client)?;
/// assert!(!check.verified);
/// assert!(check.proof().is_err());
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "an unread `verified: false` lets a stranger in: ask `.proof()`"]
#[non_exhaustive]
pub struct Verification {
    /// Whether it was the right code. Writing to it proves nothing: [`proof`](Self::proof) keeps what the service said.
    pub verified: bool,
    /// What the service says about its answer.
    pub metadata: Metadata,
    proof: Result<Verified, NotVerified>,
}

impl Verification {
    /// The proof that the code was right, for the function that lets the person in.
    ///
    /// # Errors
    ///
    /// [`NotVerified`] if the code was wrong, used or expired.
    pub fn proof(self) -> Result<Verified, NotVerified> {
        self.proof
    }
}

#[derive(Deserialize)]
struct Data {
    verified: bool,
}

fn send(otp_id: Input<OtpId>, typed: &str, client: &Client) -> Result<Verification, Error> {
    let mut faults = Faults::default();
    let otp_id = faults.check("otp_id", otp_id.check());
    let otp = faults.check("otp", code(typed));
    let (Some(otp_id), Some(otp)) = (otp_id, otp) else {
        return Err(faults.into_error());
    };
    let fields = Fields { otp_id: &otp_id, otp: &otp };
    let private = [otp.as_str(), typed];
    let reply = client.call(Request::new(&OPERATION).body(&fields).hiding(&private))?;
    reply.read(|Data { verified }, metadata| {
        let proof = if verified {
            Ok(Verified::new(otp_id.clone(), None))
        } else {
            Err(NotVerified::new(otp_id.clone(), None))
        };
        Ok(Verification { verified, metadata, proof })
    })
}

/// The digits of a code as people type it.
fn code(typed: &str) -> Result<String, Fault> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && !is_hyphen(*c)).collect();
    if digits.is_empty() {
        return Err(Fault::new(IssueKind::Blank, "is blank; give the digits of the code"));
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::new(
            IssueKind::Character,
            "has characters other than the digits 0 to 9; give the digits alone",
        ));
    }
    match digits.len() {
        0..SHORTEST => Err(Fault::new(IssueKind::TooShort, "has fewer than 4 digits; give the whole code")),
        SHORTEST..=LONGEST => Ok(digits),
        _ => Err(Fault::new(IssueKind::TooLong, "has more than 10 digits; give the code alone")),
    }
}

fn is_hyphen(c: char) -> bool {
    // HYPHEN, NON-BREAKING HYPHEN and the dashes that keyboards put in its place.
    matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

/// Codes have six digits today; a client should not stand in the way of others.
const SHORTEST: usize = 4;
const LONGEST: usize = 10;
