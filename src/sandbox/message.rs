//! What the sandbox received and sent: requests, text messages and webhooks.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::language::Language;
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;

/// A text message that the sandbox sent.
///
/// Returned by [`Phone::messages`] and [`Phone::last_message`].
///
/// [`Phone::messages`]: crate::sandbox::Phone::messages
/// [`Phone::last_message`]: crate::sandbox::Phone::last_message
///
/// # Examples
///
/// ```
/// use contiguity::NewOtp;
/// use contiguity::sandbox::Sandbox;
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
/// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
/// let sent = request.send(&client)?;
///
/// let sms = sandbox.phone("+14155552671").last_message().expect("a message");
/// assert_eq!(sms.otp_id, sent.otp_id);
/// assert_eq!(sms.text, format!("Your MyApp code is {}", sms.code));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Sms {
    /// The number that the message was sent to.
    pub to: PhoneNumber,
    /// The text that the person reads: `Your MyApp code is 123456`, in the requested language if
    /// the sandbox [has it](crate::sandbox#texts-in-other-languages).
    pub text: String,
    /// The code.
    pub code: String,
    /// The id of the OTP.
    pub otp_id: OtpId,
    /// The requested language.
    pub language: Language,
    /// When the message was sent, by the sandbox's clock.
    pub at: SystemTime,
}

/// The fields of an [`Sms`], which has no serde traits in the public API.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Sms")]
pub(super) struct SavedSms {
    to: PhoneNumber,
    text: String,
    code: String,
    otp_id: OtpId,
    language: Language,
    at: SystemTime,
}

/// The code is masked. Read [`text`](Self::text) or [`code`](Self::code) for it.
impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, text, code, otp_id, language, at } = self;
        f.debug_struct("Sms")
            .field("to", to)
            .field("text", &text.replace(&**code, "•••••"))
            .field("otp_id", otp_id)
            .field("language", language)
            .field("at", at)
            .finish_non_exhaustive()
    }
}

/// Returns the text of a message. In a language that is not listed here, it is in English.
pub(super) fn text(language: &Language, name: &str, code: &str) -> String {
    match language {
        Language::Afrikaans => format!("Jou {name}-kode is {code}"),
        Language::Danish | Language::Norwegian => format!("Din {name}-kode er {code}"),
        Language::Dutch => format!("Je {name}-code is {code}"),
        Language::French => format!("Votre code {name} est {code}"),
        Language::German => format!("Dein {name}-Code lautet {code}"),
        Language::Italian => format!("Il tuo codice {name} è {code}"),
        Language::Portuguese => format!("O seu código {name} é {code}"),
        Language::BrazilianPortuguese => format!("Seu código {name} é {code}"),
        Language::Spanish => format!("Tu código de {name} es {code}"),
        Language::Swedish => format!("Din {name}-kod är {code}"),
        _ => format!("Your {name} code is {code}"),
    }
}

/// A request to the sandbox, and its response.
///
/// Returned by [`Sandbox::requests`](crate::sandbox::Sandbox::requests). The API key is not kept,
/// and keys in the path or a body are masked. `Debug` leaves out the path and the bodies, which
/// contain ids, numbers and codes.
///
/// # Examples
///
/// ```
/// use contiguity::NewOtp;
/// use contiguity::sandbox::Sandbox;
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
/// NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
///
/// let requests = sandbox.requests();
/// assert_eq!(requests.len(), 1);
/// assert_eq!((&*requests[0].method, &*requests[0].path), ("POST", "/otp/new"));
/// assert!(requests[0].body.contains(r#""name":"MyApp""#));
/// assert_eq!(requests[0].status, Some(200));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The method, such as `POST`.
    pub method: String,
    /// The path, such as `/otp/new`.
    pub path: String,
    /// The body. Bytes that are not UTF-8 are replaced, and a body that was too long is empty.
    pub body: String,
    /// The status of the response, or `None` if a fault closed the connection before it.
    pub status: Option<u16>,
    /// The body of the response, without what a fault removed.
    pub response: String,
    /// The name of the fault that affected the request, as in the control calls: `status`, `delay`,
    /// `drop_before`, `drop_after`, `half` or `garbage`.
    pub fault: Option<&'static str>,
    /// When the request arrived, by the sandbox's clock.
    pub at: SystemTime,
}

/// Path and bodies contain codes, numbers and ids, and are left out.
impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("method", &self.method)
            .field("status", &self.status)
            .field("fault", &self.fault)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A text from a phone to the service.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PhoneText {
    pub(super) from: PhoneNumber,
    pub(super) to: String,
    pub(super) body: String,
    /// The sessions that it verified.
    pub(super) verified: Vec<OtpId>,
    pub(super) at: SystemTime,
}

/// One attempt to deliver a webhook.
///
/// Returned by [`Sandbox::webhooks`](crate::sandbox::Sandbox::webhooks). While the attempt is under
/// way, both `status` and `error` are `None`. A webhook that is not sent at all is listed as one
/// attempt whose error says why.
///
/// # Examples
///
/// ```
/// use contiguity::InitiateReverseOtp;
/// use contiguity::sandbox::Sandbox;
///
/// let sandbox = Sandbox::start()?;
/// let session = InitiateReverseOtp::number("+14155552671")
///     .success_url("https://example.com/otp-verified")
///     .send(&sandbox.client())?;
/// sandbox.phone("+14155552671").text(&session.to, &session.factor);
///
/// let attempts = sandbox.webhooks();
/// assert_eq!(
///     attempts[0].error.as_deref(),
///     Some("not sent: the sandbox posts to loopback hosts only"),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookAttempt {
    /// The session's `success_url`.
    pub url: String,
    /// The id of the event. All attempts to deliver an event share it.
    pub event_id: String,
    /// The session that was verified.
    pub otp_id: OtpId,
    /// The number of the attempt, from 1 to 4.
    pub attempt: u32,
    /// The status of the receiver's response. A 2xx status ends the attempts.
    pub status: Option<u16>,
    /// What went wrong, if there was no response.
    pub error: Option<String>,
    /// When the attempt began, by the sandbox's clock.
    pub at: SystemTime,
}
