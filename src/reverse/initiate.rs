//! `POST /otp/reverse/initiate`: opens a session in which the person texts you.

use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::{Client, Request};
use crate::envelope::{self, Metadata};
use crate::error::{Error, IssueKind};
use crate::language::Language;
use crate::otp::OtpId;
use crate::phone::PhoneNumber;
use crate::redact::Redactor;
use crate::retry::Effect;
use crate::reverse::Service;
use crate::reverse::wait::{self, Wait};
use crate::transport::Operation;
use crate::validate::{Fault, Faults, Input, short_text};
use crate::web_url::WebUrl;

/// Opens a session in which the person texts you: they send the factor from their phone to a number of the service.
///
/// Only the number is required. Show the person [`ReverseSession::ui`], then ask
/// [`VerifyReverseOtp`](crate::VerifyReverseOtp) from time to time, or be told at the
/// [`success_url`](Self::success_url).
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
///
/// let session = InitiateReverseOtp::number("+14155552671").factor("MyApp2024").language("en").send(&client)?;
/// println!("text {} to {}", session.factor, session.to);
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "no session is opened until `.send(&client)`"]
pub struct InitiateReverseOtp {
    number: Input<PhoneNumber>,
    factor: Option<String>,
    to: Option<Input<PhoneNumber>>,
    service: Option<Service>,
    language: Option<Input<Language>>,
    success_url: Option<String>,
}

impl InitiateReverseOtp {
    /// The phone that will text you, in E.164: text such as `"+14155552671"`, or a [`PhoneNumber`].
    pub fn number(number: impl Into<Input<PhoneNumber>>) -> Self {
        Self { number: number.into(), factor: None, to: None, service: None, language: None, success_url: None }
    }

    /// What the person texts: 1 to 16 characters (Unicode scalar values), not blank, no control characters. Defaults to
    /// four digits that the service picks.
    pub fn factor(self, factor: impl Into<String>) -> Self {
        Self { factor: Some(factor.into()), ..self }
    }

    /// The number they text to, in E.164, if you lease one from Contiguity. Defaults to one of the service's own.
    pub fn to(self, to: impl Into<Input<PhoneNumber>>) -> Self {
        Self { to: Some(to.into()), ..self }
    }

    /// The messaging service. Defaults to SMS.
    pub fn service(self, service: Service) -> Self {
        Self { service: Some(service), ..self }
    }

    /// The language of the instructions: a code such as `"en"`, or a [`Language`]. Defaults to English.
    pub fn language(self, language: impl Into<Input<Language>>) -> Self {
        Self { language: Some(language.into()), ..self }
    }

    /// Where the service posts when the person is verified: an absolute `https` URL with a host, in ASCII; `http` on
    /// loopback only. Defaults to your account's webhook preferences.
    pub fn success_url(self, success_url: impl Into<String>) -> Self {
        Self { success_url: Some(success_url.into()), ..self }
    }

    /// Sends the request: one call, one session.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if a field is not as its setter says. Nothing was sent.
    /// - [`Error::Transport`], [`Error::Api`] and [`Error::Decode`] if the call failed;
    ///   [`may_have_sent`](Error::may_have_sent) says whether a session may have been opened.
    /// - [`Error::Config`] if the client's time-out is zero.
    pub fn send(self, client: &Client) -> Result<ReverseSession, Error> {
        let mut faults = Faults::default();
        let number = faults.check("number", self.number.check());
        let factor = faults.check_optional("factor", self.factor.map(|factor| short_text(factor, LONGEST_FACTOR)));
        let to = faults.check_optional("to", self.to.map(Input::check));
        let service = faults.check_optional("service", self.service.map(known_service));
        let language = faults.check_optional("language", self.language.map(Input::check));
        let success_url = faults.check_optional("success_url", self.success_url.map(callback_url));
        let (Some(number), Some(factor), Some(to), Some(service), Some(language), Some(success_url)) =
            (number, factor, to, service, language, success_url)
        else {
            return Err(faults.into_error());
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
        let reply = client.call(Request::new(&OPERATION).body(&fields).hiding(&private))?;
        reply.read(|data, metadata| session(data, &fields, metadata, reply.redactor()))
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
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{InitiateReverseOtp, ReverseSession};
///
/// let session: ReverseSession = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// println!("text {} to {} from {}", session.factor, session.to, session.number);
/// if let (Some(end), Some(now)) = (session.expires_at, session.metadata.timestamp) {
///     println!("within {} seconds", end.duration_since(now).unwrap_or_default().as_secs());
/// }
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReverseSession {
    /// The id to ask for the status with, and to cancel.
    pub otp_id: OtpId,
    /// The phone that has to text.
    pub number: PhoneNumber,
    /// What it has to text.
    pub factor: String,
    /// The number to text to. Not always in E.164: a short code is possible.
    pub to: String,
    /// The messaging service, if the answer names it.
    pub service: Option<Service>,
    /// When the session ends, by the service's clock, if the answer says so. Compare it with
    /// [`metadata.timestamp`](Metadata::timestamp), not with the clock of this machine.
    pub expires_at: Option<SystemTime>,
    /// What to show to the person, if the answer has it.
    pub ui: Option<Instructions>,
    /// Where the service posts when the person is verified, if anywhere.
    pub success_url: Option<String>,
    /// What the service says about its answer.
    pub metadata: Metadata,
    origin: Origin,
}

impl ReverseSession {
    /// Waits until the person has texted, or time is up. See [`Wait`] for its settings.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::InitiateReverseOtp;
    /// use contiguity::reverse::Outcome;
    ///
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// # sandbox.phone("+14155552671").text(&session.to, &session.factor);
    /// match session.wait(&client).run()? {
    ///     Outcome::Verified(proof) => println!("signed in by {}", proof.otp_id()),
    ///     outcome => println!("not signed in: {outcome:?}"),
    /// }
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    pub fn wait<'a>(&self, client: &'a Client) -> Wait<'a> {
        let Origin { otp_id, number, answered } = &self.origin;
        let number = (*otp_id == self.otp_id).then_some(*number);
        let left = wait::left(self.expires_at, &self.metadata).map(|left| left.saturating_sub(answered.elapsed()));
        Wait::new(Input::from(&self.otp_id), client).knowing(number, left)
    }
}

/// What an answer said, out of reach of a write to a public field: a proof says whose phone it is, and a wait ends in time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    otp_id: OtpId,
    number: PhoneNumber,
    answered: Instant,
}

/// What to show to the person who is to text you.
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
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instructions {
    /// A sentence in the chosen language.
    pub text: String,
    /// A link that opens the person's messages with everything filled in, such as `sms:+16465550123?body=1234`: to be
    /// shown as a QR code, or as a link on the phone itself.
    pub qr_code: String,
}

#[derive(Deserialize)]
struct Data<'a> {
    otp_id: OtpId,
    #[serde(borrow, default)]
    number: Option<&'a RawValue>,
    #[serde(borrow, default)]
    factor: Option<&'a RawValue>,
    #[serde(borrow, default)]
    to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    service: Option<&'a RawValue>,
    #[serde(borrow, default)]
    expires_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ui: Option<&'a RawValue>,
    #[serde(borrow, default)]
    success_url: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Ui {
    text: String,
    qr_code: String,
}

/// The session, of the answer where it says so, else of the request: an older server says less.
fn session(
    data: Data<'_>,
    asked: &Fields<'_>,
    metadata: Metadata,
    redactor: &Redactor<'_>,
) -> Result<ReverseSession, String> {
    let text = |raw: Option<&RawValue>| raw.and_then(envelope::text).map(String::from);
    let number = data.number.and_then(envelope::read).unwrap_or(*asked.number);
    Ok(ReverseSession {
        origin: Origin { otp_id: data.otp_id.clone(), number, answered: Instant::now() },
        otp_id: data.otp_id,
        number,
        factor: text(data.factor)
            .or_else(|| asked.factor.map(str::to_owned))
            .ok_or("it does not say which `factor` is to be texted")?,
        to: text(data.to)
            .or_else(|| asked.to.map(PhoneNumber::to_string))
            .ok_or("it does not say which number to text `to`")?,
        service: data.service.and_then(envelope::text).map(|service| Service::from_answer(&service, redactor)),
        expires_at: data.expires_at.and_then(envelope::time),
        ui: data.ui.and_then(envelope::read).map(|Ui { text, qr_code }| Instructions { text, qr_code }),
        success_url: text(data.success_url),
        metadata,
    })
}

fn known_service(service: Service) -> Result<Service, Fault> {
    match service {
        Service::Other(_) => Err(Fault::new(
            IssueKind::Unsupported,
            "is one that only answers name; give Service::Sms or Service::IMessage",
        )),
        known => Ok(known),
    }
}

fn callback_url(text: String) -> Result<String, Fault> {
    let kind = if text.trim().is_empty() { IssueKind::Blank } else { IssueKind::Format };
    let url = WebUrl::parse(&text).map_err(|fault| Fault::new(kind, fault))?;
    if url.is_https || url.is_loopback {
        Ok(text)
    } else {
        Err(Fault::new(kind, "is plain http to a host that is not loopback; use https"))
    }
}

/// The service's own limit.
const LONGEST_FACTOR: usize = 16;
