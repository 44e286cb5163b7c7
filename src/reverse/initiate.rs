//! `POST /otp/reverse/initiate`: opens a session in which the person texts you.

use std::fmt;
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::client::Client;
use crate::envelope::{Field, Metadata};
use crate::error::{Error, IssueKind};
use crate::gate::Subject;
use crate::language::Language;
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::redact;
use crate::retry::{Effect, Operation};
use crate::status::Service;
use crate::validate::{self, Input, Problem, Problems};
use crate::web_url::WebUrl;

/// A request that opens a reverse OTP session.
///
/// The person sends the factor from their phone to a number of the service. Only the number is
/// required. Show the person [`ReverseSession::ui`], then
/// [`wait`](ReverseSession::wait), or receive a webhook at the [`success_url`](Self::success_url).
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
///
/// let session = InitiateReverseOtp::number("+14155552671")
///     .factor("MyApp2024")
///     .language("en")
///     .send(&client)?;
/// println!("text {} to {}", session.factor, session.to);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The type stays the same, so an option can be set if there is one:
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
///
/// let leased: Option<String> = None;
/// let mut request = InitiateReverseOtp::number("+14155552671");
/// if let Some(number) = leased {
///     request = request.to(number);
/// }
/// let session = request.send(&client)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "no session is opened until `.send(&client)` is called"]
pub struct InitiateReverseOtp {
    number: Input<PhoneNumber>,
    factor: Option<String>,
    to: Option<Input<PhoneNumber>>,
    service: Option<Service>,
    language: Option<Input<Language>>,
    success_url: Option<String>,
}

impl InitiateReverseOtp {
    /// Starts a request with the phone that will text you.
    ///
    /// Takes a [`PhoneNumber`] or text in E.164, such as `"+14155552671"`.
    pub fn number(number: impl Into<Input<PhoneNumber>>) -> Self {
        Self { number: number.into(), factor: None, to: None, service: None, language: None, success_url: None }
    }

    /// Sets what the person texts: 1 to 16 characters (Unicode scalar values), not blank, no control
    /// characters.
    ///
    /// Defaults to four digits that the service chooses.
    pub fn factor(self, factor: impl Into<String>) -> Self {
        Self { factor: Some(factor.into()), ..self }
    }

    /// Sets the number that the person texts to, in E.164, if you lease one from Contiguity.
    ///
    /// Defaults to one of the service's numbers.
    pub fn to(self, to: impl Into<Input<PhoneNumber>>) -> Self {
        Self { to: Some(to.into()), ..self }
    }

    /// Sets the messaging service: a [`Service`], or its name, `"sms"` or `"imessage"`.
    ///
    /// Defaults to SMS.
    pub fn service(self, service: impl Into<Service>) -> Self {
        Self { service: Some(service.into()), ..self }
    }

    /// Sets the language of the instructions: a [`Language`], or a code such as `"en"`.
    ///
    /// Defaults to English.
    #[doc(alias = "lang")]
    #[doc(alias = "locale")]
    pub fn language(self, language: impl Into<Input<Language>>) -> Self {
        Self { language: Some(language.into()), ..self }
    }

    /// Sets where the service posts a webhook once the person is verified: an absolute `https` URL
    /// with a host, in ASCII. `http` is allowed on loopback only.
    ///
    /// Defaults to the webhook preferences of your account.
    #[doc(alias = "callback")]
    #[doc(alias = "webhook")]
    pub fn success_url(self, success_url: impl Into<String>) -> Self {
        Self { success_url: Some(success_url.into()), ..self }
    }

    /// Sends the request. Each call opens one session.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if a field is invalid. Nothing was sent.
    /// - [`Error::Refused`] if a guard (feature `guard`) refuses the call. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] or [`Error::Decode`] if the call failed.
    ///   [`may_have_sent`](Error::may_have_sent) reports whether a session may have been opened.
    pub fn send(self, client: &Client) -> Result<ReverseSession, Error> {
        let mut problems = Problems::default();
        let number = problems.check("number", self.number.check());
        let factor = problems.check_optional("factor", self.factor.map(|text| validate::text(text, MAX_FACTOR)));
        let to = problems.check_optional("to", self.to.map(Input::check));
        let service = problems.check_optional("service", self.service.map(known_service));
        let language = problems.check_optional("language", self.language.map(Input::check));
        let success_url = problems.check_optional("success_url", self.success_url.map(callback_url));
        let (Some(number), Some(factor), Some(to), Some(service), Some(language), Some(success_url)) =
            (number, factor, to, service, language, success_url)
        else {
            return Err(problems.into_error());
        };
        let fields = Fields {
            number: &number,
            factor: factor.as_deref(),
            to: to.as_ref(),
            service: service.as_ref(),
            language: language.as_ref(),
            success_url: success_url.as_deref(),
        };
        let private = [number.as_str()];
        let call = Call::new(&OPERATION).body(&fields).hiding(&private).limited(Subject::Session(number));
        let response = client.call(&call)?;
        response.read(|data, metadata| session(&data, &fields, metadata))
    }
}

const OPERATION: Operation = Operation { path: "/otp/reverse/initiate", effect: Effect::Acts };

#[derive(Serialize)]
struct Fields<'a> {
    number: &'a PhoneNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a PhoneNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a Service>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a Language>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success_url: Option<&'a str>,
}

/// A session that waits for the person's text.
///
/// `Debug` masks the digits of [`ui`](Self::ui) and [`success_url`](Self::success_url), as it does in
/// all text of a server.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{InitiateReverseOtp, ReverseSession};
///
/// let session: ReverseSession =
///     InitiateReverseOtp::number("+14155552671").send(&client)?;
/// println!("text {} to {}", session.factor, session.to);
///
/// let (end, now) = (session.expires_at, session.metadata.timestamp);
/// if let (Some(end), Some(now)) = (end, now) {
///     let left = end.duration_since(now).unwrap_or_default();
///     println!("within {} seconds", left.as_secs());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReverseSession {
    /// The id to read the status and to cancel with.
    pub otp_id: OtpId,
    /// The phone that has to text.
    pub number: PhoneNumber,
    /// The text that the person has to send.
    pub factor: String,
    /// The number to text to. It is not always in E.164, since it may be a short code.
    pub to: String,
    /// The messaging service, if the response contains it.
    pub service: Option<Service>,
    /// When the session expires, by the service's clock. Compare it with
    /// [`metadata.timestamp`](Metadata::timestamp), not with the clock of this machine.
    pub expires_at: Option<SystemTime>,
    /// What to show to the person, if the response contains it.
    pub ui: Option<Instructions>,
    /// Where the service posts a webhook once the person is verified, if set.
    pub success_url: Option<String>,
    /// The metadata of the response.
    pub metadata: Metadata,
    pub(super) origin: Origin,
}

/// Digits of what the service returned are masked, since it may contain the person's number.
impl fmt::Debug for ReverseSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReverseSession")
            .field("otp_id", &self.otp_id)
            .field("number", &self.number)
            .field("factor", &self.factor)
            .field("to", &self.to)
            .field("service", &self.service)
            .field("expires_at", &self.expires_at)
            .field("ui", &self.ui)
            .field("success_url", &self.success_url.as_deref().map(redact::line))
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// What the session began with, out of reach of a write to a public field: a proof says which
/// number it is for, and a wait ends in time.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) otp_id: OtpId,
    /// The number that was asked for.
    pub(super) number: PhoneNumber,
    pub(super) received: Instant,
}

/// Instructions to show to the person.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// if let Some(ui) = &session.ui {
///     println!("<a href=\"{}\">{}</a>", ui.qr_code, ui.text);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instructions {
    /// A sentence in the chosen language.
    pub text: String,
    /// A link that opens the person's messages with everything filled in, such as
    /// `sms:+16465550123?body=1234`. Show it as a QR code, or as a link on the phone itself.
    pub qr_code: String,
}

/// Digits are masked, since the text may contain the person's number.
impl fmt::Debug for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instructions")
            .field("text", &redact::line(&self.text))
            .field("qr_code", &redact::line(&self.qr_code))
            .finish()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Data<'a> {
    otp_id: Field<'a>,
    number: Field<'a>,
    factor: Field<'a>,
    to: Field<'a>,
    service: Field<'a>,
    expires_at: Field<'a>,
    ui: Field<'a>,
    success_url: Field<'a>,
}

#[derive(Deserialize)]
struct Ui {
    text: String,
    qr_code: String,
}

/// Reads the session from the response, or what is missing there from the request: an older server
/// returns less.
fn session(data: &Data<'_>, asked: &Fields<'_>, metadata: Metadata) -> Result<ReverseSession, String> {
    let text = |field: &Field<'_>| field.text().map(String::from);
    let otp_id = data.otp_id.required_otp_id()?;
    let factor = text(&data.factor).or_else(|| asked.factor.map(str::to_owned));
    let to = text(&data.to).or_else(|| asked.to.map(PhoneNumber::to_string));
    Ok(ReverseSession {
        origin: Origin { otp_id: otp_id.clone(), number: *asked.number, received: Instant::now() },
        otp_id,
        number: data.number.read().unwrap_or(*asked.number),
        factor: factor.ok_or("`data.factor` is missing")?,
        to: to.ok_or("`data.to` is missing")?,
        service: data.service.text().map(|service| Service::from(&*service)),
        expires_at: data.expires_at.time(),
        ui: data.ui.read().map(|Ui { text, qr_code }| Instructions { text, qr_code }),
        success_url: text(&data.success_url),
        metadata,
    })
}

fn known_service(service: Service) -> Result<Service, Problem> {
    match service {
        Service::Other(_) => Err(Problem::new(
            IssueKind::Unsupported,
            "is not supported in requests; use Service::Sms (`sms`) or Service::IMessage (`imessage`)",
        )),
        known => Ok(known),
    }
}

fn callback_url(text: String) -> Result<String, Problem> {
    let kind = if text.trim().is_empty() { IssueKind::Blank } else { IssueKind::Format };
    let url = WebUrl::parse(&text).map_err(|problem| Problem::new(kind, problem))?;
    if url.is_https() || url.is_loopback {
        Ok(text)
    } else {
        Err(Problem::new(kind, "is plain http to a host other than loopback; use https"))
    }
}

/// The service's own limit.
const MAX_FACTOR: usize = 16;
