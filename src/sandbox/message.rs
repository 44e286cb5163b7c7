//! What the sandbox sent: text messages and webhooks.

use std::fmt;
use std::time::SystemTime;

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
    /// The text that the person reads: `Your MyApp code is 123456`.
    pub text: String,
    /// The six-digit code.
    pub code: String,
    /// The id of the OTP.
    pub otp_id: OtpId,
    /// The requested language. The text is in English regardless.
    pub language: Language,
    /// When the message was sent, by the sandbox's clock.
    pub at: SystemTime,
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
