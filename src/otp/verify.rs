//! `POST /otp/verify`: checks the code that a person typed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Field, Metadata};
use crate::error::{Error, IssueKind};
use crate::gate::{ATTEMPTS, Settled, Subject};
use crate::otp_id::OtpId;
use crate::phone::{self, PhoneNumber};
use crate::retry::{Effect, Operation};
use crate::typestate::{HasOtp, Missing, Unset};
use crate::validate::{Input, Problem, Problems};
use crate::verified::{NotVerified, Verified};

/// A request that checks the code that a person typed.
///
/// [`SentOtp::verify`](crate::SentOtp::verify) creates one. If you only stored the id, start with
/// [`VerifyOtp::otp_id`], set [`otp`](Self::otp), then call [`send`](Self::send).
///
/// **Never decide on `send(..).is_ok()`.** A wrong code is a successful call with a negative result.
/// Call [`Verification::proof`] and pass the proof on.
///
/// Check the code once it is complete, and limit the number of attempts. Contiguity's guide asks for
/// both.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let sent = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// # let typed = sandbox.phone("+14155552671").last_message().unwrap().code;
/// # let stored_id = sent.otp_id;
/// use contiguity::VerifyOtp;
///
/// let check = VerifyOtp::otp_id(stored_id).otp(typed).send(&client)?;
/// match check.proof() {
///     Ok(proof) => println!("signed in with {}", proof.otp_id()),
///     Err(not_verified) => println!("{not_verified}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A check without a code does not compile:
///
/// ```compile_fail,E0277
/// # fn f(client: contiguity::Client) -> Result<(), contiguity::Error> {
/// let check = contiguity::VerifyOtp::otp_id("otp_1234567890").send(&client)?;
/// # Ok(()) }
/// ```
///
/// Setting the code twice does not compile either:
///
/// ```compile_fail,E0277
/// # fn f() {
/// contiguity::VerifyOtp::otp_id("otp_1234567890").otp("123456").otp("654321");
/// # }
/// ```
#[must_use = "nothing is checked until `.send(&client)` is called"]
pub struct VerifyOtp<O = String> {
    otp_id: Input<OtpId>,
    known: Known,
    otp: O,
}

/// What is known of the code, in addition to its id.
#[derive(Clone, Copy)]
struct Known {
    /// For the proof and for limits.
    number: Option<PhoneNumber>,
    /// How many codes a guard allows for this id.
    attempts: u32,
}

impl VerifyOtp<Missing> {
    /// Starts a check with the id that [`NewOtp`](crate::NewOtp) returned.
    pub fn otp_id(otp_id: impl Into<Input<OtpId>>) -> Self {
        Self { otp_id: otp_id.into(), known: Known { number: None, attempts: ATTEMPTS }, otp: Missing::FIELD }
    }

    pub(crate) fn of(otp_id: OtpId, number: PhoneNumber, attempts: u32) -> Self {
        Self { known: Known { number: Some(number), attempts }, ..Self::otp_id(otp_id) }
    }
}

impl<O> VerifyOtp<O> {
    /// Sets the code that the person typed. Required.
    ///
    /// Must have 4 to 10 digits, all of one script. Spaces, hyphens and invisible formatting characters
    /// between them are dropped. A code is text and not an integer, since leading zeros count.
    #[doc(alias = "code")]
    pub fn otp(self, otp: impl Into<String>) -> VerifyOtp<String>
    where
        O: Unset,
    {
        VerifyOtp { otp_id: self.otp_id, known: self.known, otp: otp.into() }
    }

    /// Sends the check.
    ///
    /// The call is not retried once the service may have counted it as an attempt.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is blank, `.` or `..`, too long or has control characters,
    ///   or if the code does not have 4 to 10 digits. Nothing was sent.
    /// - [`Error::Refused`] if a guard (feature `guard`) refuses the call. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] or [`Error::Decode`] if the call failed. The person is
    ///   not verified. [`may_have_sent`](Error::may_have_sent) reports whether the service may have
    ///   used up the code.
    pub fn send(self, client: &Client) -> Result<Verification, Error>
    where
        O: HasOtp,
    {
        send(self.otp_id, self.known, &self.otp.into(), client)
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

/// The result of a check. Call [`proof`](Self::proof) to read it.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let sent = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// use contiguity::Verification;
///
/// let check: Verification = sent.verify("0000").send(&client)?;
/// assert!(!check.verified);
/// assert!(check.proof().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a wrong code is not an error: call `.proof()`"]
#[non_exhaustive]
pub struct Verification {
    /// Whether the code was right. Changing this field does not affect [`proof`](Self::proof).
    pub verified: bool,
    /// The metadata of the response.
    pub metadata: Metadata,
    proof: Result<Verified, NotVerified>,
}

impl Verification {
    /// Returns the proof that the code was right, for the function that signs the person in.
    ///
    /// # Errors
    ///
    /// [`NotVerified`] if the code was wrong, used or expired. It does not convert into [`Error`], since
    /// the call succeeded: match on it, or return `Box<dyn std::error::Error>`.
    pub fn proof(self) -> Result<Verified, NotVerified> {
        self.proof
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Data<'a> {
    verified: Field<'a>,
}

fn send(otp_id: Input<OtpId>, known: Known, typed: &str, client: &Client) -> Result<Verification, Error> {
    let mut problems = Problems::default();
    let otp_id = problems.check("otp_id", otp_id.check());
    let otp = problems.check("otp", code(typed));
    let (Some(otp_id), Some(otp)) = (otp_id, otp) else {
        return Err(problems.into_error());
    };
    let fields = Fields { otp_id: &otp_id, otp: &otp };
    let private = [otp.as_str()];
    let Known { number, attempts } = known;
    let subject = Subject::Check { otp_id: &otp_id, number, attempts };
    let response = client.call(&Call::new(&OPERATION).body(&fields).hiding(&private).limited(subject))?;
    let check = response.read(|data: Data<'_>, metadata| {
        let verified = data.verified.required_bool("verified")?;
        let proof = if verified { Ok(Verified::new(otp_id.clone(), number)) } else { Err(NotVerified::WRONG_CODE) };
        Ok(Verification { verified, metadata, proof })
    })?;
    if check.verified {
        response.settle(Settled::Right);
    }
    Ok(check)
}

/// Returns the error of typed text that is not a code.
pub(crate) fn check_code(typed: &str) -> Result<(), Error> {
    let mut problems = Problems::default();
    match problems.check("otp", code(typed)) {
        Some(_) => Ok(()),
        None => Err(problems.into_error()),
    }
}

/// Returns the digits of a code as people type it, in ASCII.
fn code(typed: &str) -> Result<String, Problem> {
    let is_between = |c: char| c.is_whitespace() || phone::is_hyphen(c) || phone::is_invisible(c);
    let typed: String = typed.chars().filter(|&c| !is_between(c)).collect();
    if typed.is_empty() {
        return Err(Problem::new(IssueKind::Blank, "must not be blank"));
    }
    let digits: Option<String> = typed.chars().map(phone::digit).collect();
    // The ten digits of a script are in a row, so the first of them tells the script.
    let zeros = typed.chars().zip(digits.iter().flat_map(|digits| digits.bytes()));
    let mut zeros = zeros.map(|(typed, digit)| u32::from(typed) - u32::from(digit - b'0'));
    let first = zeros.next();
    match digits {
        Some(digits) if zeros.all(|zero| Some(zero) == first) => {
            if (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) {
                return Ok(digits);
            }
            let kind = if digits.len() < MIN_DIGITS { IssueKind::TooShort } else { IssueKind::TooLong };
            Err(Problem::new(kind, "must have 4 to 10 digits"))
        }
        Some(_) => Err(Problem::new(IssueKind::Character, "must not mix digits of different scripts")),
        None => Err(Problem::new(IssueKind::Character, "must contain only digits")),
    }
}

/// Codes have six digits today. A client should not stand in the way of others.
const MIN_DIGITS: usize = 4;
const MAX_DIGITS: usize = 10;
