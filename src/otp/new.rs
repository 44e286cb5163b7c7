//! `POST /otp/new`: texts a code to a phone.

use serde::{Deserialize, Serialize};

use crate::client::{Client, Request};
use crate::envelope::Metadata;
use crate::error::Error;
use crate::language::Language;
use crate::otp::OtpId;
use crate::phone::PhoneNumber;
use crate::retry::Effect;
use crate::transport::Operation;
use crate::typestate::{HasLanguage, HasName, Missing};
use crate::validate::{Faults, Input, plain_text};

/// Texts a six-digit code to a phone: "Your NAME code is CODE".
///
/// Begin with [`NewOtp::to`], then set [`language`](Self::language) and [`name`](Self::name) in any order, each once, and
/// [`send`](Self::send). All three are required: `send` does not compile before they are set, and says which call is
/// missing. The code is valid for 15 minutes; check what the person types with [`VerifyOtp`](crate::VerifyOtp).
///
/// The type parameters keep track of what is set. A bare `NewOtp` is a request that is ready to be sent; nobody needs to
/// write the others.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::NewOtp;
///
/// let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// println!("check the code with {}", sent.otp_id);
/// # Ok::<(), contiguity::Error>(())
/// ```
///
/// A request without a name does not compile:
///
/// ```compile_fail,E0277
/// # fn f(client: &contiguity::Client) -> Result<(), contiguity::Error> {
/// contiguity::NewOtp::to("+14155552671").language("en").send(client)?;
/// # Ok(()) }
/// ```
///
/// Neither does one whose language is set twice:
///
/// ```compile_fail,E0599
/// # fn f() {
/// contiguity::NewOtp::to("+14155552671").language("en").language("de");
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent until `.send(&client)`"]
pub struct NewOtp<L = Input<Language>, N = String> {
    to: Input<PhoneNumber>,
    language: L,
    name: N,
}

impl NewOtp<Missing, Missing> {
    /// The phone that receives the code, in E.164: text such as `"+14155552671"`, or a [`PhoneNumber`].
    pub fn to(to: impl Into<Input<PhoneNumber>>) -> Self {
        Self { to: to.into(), language: Missing::FIELD, name: Missing::FIELD }
    }
}

impl<N> NewOtp<Missing, N> {
    /// The language of the message: a code such as `"en"` or `"pt-br"`, or a [`Language`]. Required.
    pub fn language(self, language: impl Into<Input<Language>>) -> NewOtp<Input<Language>, N> {
        NewOtp { to: self.to, language: language.into(), name: self.name }
    }
}

impl<L> NewOtp<L, Missing> {
    /// The name of your app, as the message has it. Not blank, no control characters. Required.
    pub fn name(self, name: impl Into<String>) -> NewOtp<L, String> {
        NewOtp { to: self.to, language: self.language, name: name.into() }
    }
}

impl<L, N> NewOtp<L, N> {
    /// Sends the request: one call, one text message.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the number is not in E.164, the language is no language code, or the name is blank or has
    ///   control characters. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] and [`Error::Decode`] if the call failed;
    ///   [`may_have_sent`](Error::may_have_sent) says whether a text may have gone out.
    /// - [`Error::Config`] if the client's time-out is zero.
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
/// let sent: SentOtp = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
/// // What to keep in the person's session until the code comes:
/// let stored = sent.otp_id.to_string();
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentOtp {
    /// The id to verify and resend with.
    pub otp_id: OtpId,
    /// What the service says about its answer.
    pub metadata: Metadata,
}

#[derive(Deserialize)]
struct Data {
    otp_id: OtpId,
}

fn send(to: Input<PhoneNumber>, language: Input<Language>, name: String, client: &Client) -> Result<SentOtp, Error> {
    let mut faults = Faults::default();
    let to = faults.check("to", to.check());
    let language = faults.check("language", language.check());
    let name = faults.check("name", plain_text(name));
    let (Some(to), Some(language), Some(name)) = (to, language, name) else {
        return Err(faults.into_error());
    };
    let fields = Fields { to: &to, language: language.as_str(), name: &name };
    let private = [to.as_str()];
    let reply = client.call(Request::new(&OPERATION).body(&fields).hiding(&private))?;
    reply.read(|Data { otp_id }, metadata| Ok(SentOtp { otp_id, metadata }))
}
