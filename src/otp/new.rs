//! `POST /otp/new`: texts a code to a phone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Field, Metadata};
use crate::error::Error;
use crate::gate::{ATTEMPTS, Settled, Subject};
use crate::language::Language;
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::retry::{Effect, Operation};
use crate::typestate::{HasLanguage, HasName, Missing, Unset};
use crate::validate::{self, Input, Problems};

use super::resend::ResendOtp;
use super::verify::VerifyOtp;

/// A request that texts a six-digit code to a phone: "Your NAME code is CODE".
///
/// Start with [`NewOtp::to`], set [`language`](Self::language) and [`name`](Self::name) in any
/// order, then call [`send`](Self::send). All three fields are required. Without one of them `send`
/// does not compile, and the compiler says which call is missing.
///
/// The code is valid for 15 minutes. Check what the person types with [`SentOtp::verify`].
///
/// The type parameters track which fields are set. `NewOtp` without type arguments is a request that
/// is ready to send.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::NewOtp;
///
/// let sent = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// println!("sent {}", sent.otp_id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A request without a name does not compile:
///
/// ```compile_fail,E0277
/// # fn f(client: contiguity::Client) -> Result<(), contiguity::Error> {
/// contiguity::NewOtp::to("+14155552671").language("en").send(&client)?;
/// # Ok(()) }
/// ```
///
/// Setting a field twice does not compile either:
///
/// ```compile_fail,E0277
/// # fn f() {
/// contiguity::NewOtp::to("+14155552671").language("en").language("de");
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until `.send(&client)` is called"]
pub struct NewOtp<L = Input<Language>, N = String> {
    to: Input<PhoneNumber>,
    language: L,
    name: N,
}

impl NewOtp<Missing, Missing> {
    /// Starts a request to text a code to this number.
    ///
    /// Takes a [`PhoneNumber`] or text in E.164, such as `"+14155552671"`.
    pub fn to(to: impl Into<Input<PhoneNumber>>) -> Self {
        Self { to: to.into(), language: Missing::FIELD, name: Missing::FIELD }
    }
}

impl<L, N> NewOtp<L, N> {
    /// Sets the language of the message. Required.
    ///
    /// Takes a [`Language`] or a code such as `"en"` or `"pt-br"`.
    #[doc(alias = "lang")]
    #[doc(alias = "locale")]
    pub fn language(self, language: impl Into<Input<Language>>) -> NewOtp<Input<Language>, N>
    where
        L: Unset,
    {
        NewOtp { to: self.to, language: language.into(), name: self.name }
    }

    /// Sets the name of your app, as it appears in the message. Required.
    ///
    /// Must have 1 to 1,000 characters, not be blank, and contain no control characters.
    #[doc(alias = "app_name")]
    pub fn name(self, name: impl Into<String>) -> NewOtp<L, String>
    where
        N: Unset,
    {
        NewOtp { to: self.to, language: self.language, name: name.into() }
    }

    /// Sends the request. Each call sends one text message.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the number is not in E.164, the language is not a language code,
    ///   or the name is blank, too long or has control characters. Nothing was sent.
    /// - [`Error::Refused`] if a guard (feature `guard`) refuses the call. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] or [`Error::Decode`] if the call failed.
    ///   [`may_have_sent`](Error::may_have_sent) reports whether a text may have been sent.
    pub fn send(self, client: &Client) -> Result<SentOtp, Error>
    where
        L: HasLanguage,
        N: HasName,
    {
        send(self.to, self.language.into(), self.name.into(), client)
    }
}

const OPERATION: Operation = Operation { path: "/otp/new", effect: Effect::Acts };

#[derive(Serialize)]
struct Fields<'a> {
    to: &'a PhoneNumber,
    language: &'a str,
    name: &'a str,
}

/// An OTP that was sent.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{NewOtp, SentOtp};
///
/// let sent: SentOtp = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&client)?;
/// // Store this in the person's session until they type the code:
/// let stored = sent.otp_id.to_string();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use = "the code can only be verified with this id"]
#[non_exhaustive]
pub struct SentOtp {
    /// The id to pass to [`VerifyOtp`] and [`ResendOtp`](crate::ResendOtp).
    pub otp_id: OtpId,
    /// The number that the code was sent to.
    pub number: PhoneNumber,
    /// The metadata of the response.
    pub metadata: Metadata,
    /// What was sent, out of reach of a write to a public field: a proof says which number it is for.
    sent: (OtpId, PhoneNumber),
}

impl fmt::Debug for SentOtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentOtp")
            .field("otp_id", &self.otp_id)
            .field("number", &self.number)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

impl SentOtp {
    /// Starts a check of the code that the person typed.
    ///
    /// The proof then contains the number ([`Verified::number`](crate::Verified::number)). If you only
    /// stored the id, use [`VerifyOtp::otp_id`]. A code is text and not an integer, since leading zeros
    /// count.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// # let sent = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// # let typed = sandbox.phone("+14155552671").last_message().unwrap().code;
    /// let proof = sent.verify(typed).send(&client)?.proof()?;
    /// assert_eq!(proof.number(), Some(sent.number));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify(&self, otp: impl Into<String>) -> VerifyOtp {
        let (otp_id, number) = &self.sent;
        VerifyOtp::of(otp_id.clone(), *number, ATTEMPTS).otp(otp)
    }

    /// Starts a resend of this code. It knows the number, for the limits of a guard.
    ///
    /// If you only stored the id, use [`ResendOtp::otp_id`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// # let sent = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
    /// let again = sent.resend().send(&client)?;
    /// assert!(again.resent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resend(&self) -> ResendOtp {
        let (otp_id, number) = &self.sent;
        ResendOtp::of(otp_id.clone(), *number)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Data<'a> {
    otp_id: Field<'a>,
}

fn send(to: Input<PhoneNumber>, language: Input<Language>, name: String, client: &Client) -> Result<SentOtp, Error> {
    let mut problems = Problems::default();
    let to = problems.check("to", to.check());
    let language = problems.check("language", language.check());
    let name = problems.check("name", validate::text(name, MAX_NAME));
    let (Some(number), Some(language), Some(name)) = (to, language, name) else {
        return Err(problems.into_error());
    };
    let fields = Fields { to: &number, language: language.as_str(), name: &name };
    let private = [number.as_str()];
    let call = Call::new(&OPERATION).body(&fields).hiding(&private).limited(Subject::Text(number));
    let response = client.call(&call)?;
    let sent = response.read(|data: Data<'_>, metadata| {
        let otp_id = data.otp_id.required_otp_id()?;
        Ok(SentOtp { otp_id: otp_id.clone(), number, metadata, sent: (otp_id, number) })
    })?;
    response.settle(Settled::Sent(&sent.otp_id));
    Ok(sent)
}

/// A message of ten parts has some 1,500 characters; more is not the name of an app.
const MAX_NAME: usize = 1_000;
