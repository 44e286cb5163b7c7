//! The sandbox's state, and the operations on it. Nothing here uses a socket or reads the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::language::Language;
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::sandbox::bounded_map::BoundedMap;
use crate::sandbox::fault::Faults;
use crate::sandbox::message::{self, PhoneText, ReceivedRequest, SavedSms, Sms, WebhookAttempt};

/// Everything behind the endpoints. Each `now` is the sandbox's time, see [`State::time`].
pub(super) struct State {
    /// How far the sandbox's clock is ahead of the real one.
    pub(super) ahead: Duration,
    /// How far the clock was moved in all. A reset keeps it, so that a wait never sees the time go
    /// back.
    pub(super) advanced: Duration,
    pub(super) any_language: bool,
    /// The code of every OTP, or `None` for random ones.
    pub(super) fixed_code: Option<String>,
    pub(super) codes: BoundedMap<String, Code>,
    pub(super) sessions: BoundedMap<String, Session>,
    /// Messages, by serial number.
    pub(super) inbox: BoundedMap<u64, Sms>,
    /// The number of messages sent to each phone.
    pub(super) deliveries: BoundedMap<PhoneNumber, usize>,
    pub(super) faults: Faults,
    /// Texts from phones, by serial number.
    pub(super) texts: BoundedMap<u64, PhoneText>,
    /// Requests to the API, by serial number.
    requests: BoundedMap<u64, ReceivedRequest>,
    /// Webhook attempts, by serial number.
    attempts: BoundedMap<u64, WebhookAttempt>,
    /// A reset keeps it, so that an attempt from before the reset is not taken for a later one.
    last_serial: u64,
    resets: u64,
}

/// The sandbox never returned this id, or has dropped it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownId;

impl Default for State {
    fn default() -> Self {
        Self {
            ahead: Duration::ZERO,
            advanced: Duration::ZERO,
            any_language: false,
            fixed_code: None,
            codes: BoundedMap::new(MAX_KEPT),
            sessions: BoundedMap::new(MAX_KEPT),
            inbox: BoundedMap::new(MAX_KEPT),
            deliveries: BoundedMap::new(MAX_COUNTED),
            faults: Faults::default(),
            texts: BoundedMap::new(MAX_KEPT),
            requests: BoundedMap::new(MAX_KEPT),
            attempts: BoundedMap::new(MAX_KEPT),
            last_serial: 0,
            resets: 0,
        }
    }
}

/// The clock and the reset.
impl State {
    /// Returns the sandbox's time when the real time is `real`.
    pub(super) fn time(&self, real: SystemTime) -> SystemTime {
        let latest = UNIX_EPOCH + LATEST;
        real.max(UNIX_EPOCH).checked_add(self.ahead).map_or(latest, |time| time.min(latest))
    }

    pub(super) fn advance(&mut self, by: Duration) {
        // Later times cannot be written.
        let by = by.min(LATEST);
        self.ahead = self.ahead.saturating_add(by);
        self.advanced = self.advanced.saturating_add(by);
    }

    pub(super) fn reset(&mut self) {
        *self = Self {
            advanced: self.advanced,
            any_language: self.any_language,
            fixed_code: self.fixed_code.take(),
            last_serial: self.last_serial,
            resets: self.resets + 1,
            ..Self::default()
        };
    }

    fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }
}

/// Codes by text message.
impl State {
    pub(super) fn send_code(&mut self, to: PhoneNumber, language: Language, name: &str, now: SystemTime) -> OtpId {
        let id = random_id("otp_");
        let code = self.fixed_code.clone().unwrap_or_else(|| format!("{:06}", fastrand::u32(..1_000_000)));
        let text = message::text(&language, name, &code);
        let sms = Sms { to, text, code, otp_id: id.clone(), language, at: now };

        self.keep_code(Code { sms: sms.clone(), expires_at: now + CODE_LIFETIME, is_used: false });
        self.deliver(sms);
        id
    }

    pub(super) fn keep_code(&mut self, code: Code) {
        let text_bytes = text_bytes(&code.sms);
        self.codes.insert(code.sms.otp_id.as_str().to_owned(), code, text_bytes);
    }

    /// Returns whether the code is right, and uses it up. A wrong, used or expired code is `false`
    /// and changes nothing.
    pub(super) fn check_code(&mut self, id: &str, otp: &str, now: SystemTime) -> Result<bool, UnknownId> {
        let code = self.codes.get_mut(id).ok_or(UnknownId)?;
        let is_right = code.is_open(now) && code.sms.code == otp.trim();
        code.is_used |= is_right;
        Ok(is_right)
    }

    /// Sends the same code again if it can still be used. Its expiry stays as it was.
    pub(super) fn resend_code(&mut self, id: &str, now: SystemTime) -> Result<bool, UnknownId> {
        let code = self.codes.get(id).ok_or(UnknownId)?;
        let is_open = code.is_open(now);
        if is_open {
            let sms = Sms { at: now, ..code.sms.clone() };
            self.deliver(sms);
        }
        Ok(is_open)
    }

    pub(super) fn number_of_code(&self, id: &str) -> Option<PhoneNumber> {
        self.codes.get(id).map(|code| code.sms.to)
    }

    /// The messages that are kept, oldest first.
    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = &Sms> {
        self.inbox.values()
    }

    pub(super) fn deliveries(&self, to: PhoneNumber) -> usize {
        self.deliveries.get(&to).copied().unwrap_or(0)
    }

    fn deliver(&mut self, sms: Sms) {
        match self.deliveries.get_mut(&sms.to) {
            Some(count) => *count = count.saturating_add(1),
            None => self.deliveries.insert(sms.to, 1, 0),
        }
        self.keep_message(sms);
    }

    pub(super) fn keep_message(&mut self, sms: Sms) {
        let (serial, text_bytes) = (self.next_serial(), text_bytes(&sms));
        self.inbox.insert(serial, sms, text_bytes);
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Code {
    #[serde(with = "SavedSms")]
    pub(super) sms: Sms,
    pub(super) expires_at: SystemTime,
    is_used: bool,
}

impl Code {
    fn is_open(&self, now: SystemTime) -> bool {
        !self.is_used && now < self.expires_at
    }
}

/// Reverse OTP, where the person texts.
impl State {
    pub(super) fn open_session(&mut self, request: SessionRequest, now: SystemTime) -> Session {
        let SessionRequest { number, factor, to, service, success_url } = request;
        let session = Session {
            otp_id: random_id("r_otp_"),
            number,
            factor: factor.unwrap_or_else(|| format!("{:04}", fastrand::u32(..10_000))),
            to: to.map_or_else(|| SERVICE_NUMBER.to_owned(), |to| to.as_str().to_owned()),
            service,
            expires_at: now + SESSION_LIFETIME,
            success_url,
            status: SessionStatus::Pending,
        };
        self.keep_session(session.clone());
        session
    }

    pub(super) fn keep_session(&mut self, session: Session) {
        let text_bytes = session.factor.len() + session.success_url.as_ref().map_or(0, String::len);
        self.sessions.insert(session.otp_id.as_str().to_owned(), session, text_bytes);
    }

    /// The sessions that are kept, oldest first.
    pub(super) fn sessions(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.sessions.values()
    }

    pub(super) fn session(&self, id: &str) -> Result<&Session, UnknownId> {
        self.sessions.get(id).ok_or(UnknownId)
    }

    /// Cancels a pending session and returns its status. A session that has ended otherwise keeps
    /// its status.
    pub(super) fn cancel_session(&mut self, id: &str, now: SystemTime) -> Result<SessionStatus, UnknownId> {
        let session = self.sessions.get_mut(id).ok_or(UnknownId)?;
        if session.status(now) == SessionStatus::Pending {
            session.status = SessionStatus::Cancelled;
        }
        Ok(session.status(now))
    }

    /// Takes a text from a person, and returns the pending sessions that it verifies, oldest first.
    pub(super) fn text(&mut self, from: PhoneNumber, to: &str, body: &str, now: SystemTime) -> Vec<VerifiedSession> {
        let factor = comparable(body);
        let is_verified = |session: &&Session| {
            session.number == from
                && session.to == to.trim()
                && comparable(&session.factor) == factor
                && session.status(now) == SessionStatus::Pending
        };
        let ids: Vec<OtpId> =
            self.sessions.values().filter(is_verified).map(|session| session.otp_id.clone()).collect();
        let verify = |id: OtpId| {
            let session = self.sessions.get_mut(id.as_str()).expect("the session was just found");
            session.status = SessionStatus::Verified;
            VerifiedSession {
                event_id: random_text("evt_"),
                otp_id: id,
                number: session.number,
                success_url: session.success_url.clone(),
                at: now,
                resets: self.resets,
            }
        };
        let verified: Vec<VerifiedSession> = ids.into_iter().map(verify).collect();
        let ids = verified.iter().map(|session| session.otp_id.clone()).collect();
        self.keep_text(PhoneText { from, to: to.to_owned(), body: body.to_owned(), verified: ids, at: now });
        verified
    }

    pub(super) fn keep_text(&mut self, text: PhoneText) {
        let (serial, text_bytes) = (self.next_serial(), text.to.len() + text.body.len());
        self.texts.insert(serial, text, text_bytes);
    }

    /// The texts from phones that are kept, oldest first.
    pub(super) fn texts(&self) -> impl DoubleEndedIterator<Item = &PhoneText> {
        self.texts.values()
    }
}

/// The fields that a caller of reverse initiate may choose.
pub(super) struct SessionRequest {
    pub(super) number: PhoneNumber,
    pub(super) factor: Option<String>,
    pub(super) to: Option<PhoneNumber>,
    pub(super) service: String,
    pub(super) success_url: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) otp_id: OtpId,
    pub(super) number: PhoneNumber,
    pub(super) factor: String,
    pub(super) to: String,
    pub(super) service: String,
    pub(super) expires_at: SystemTime,
    pub(super) success_url: Option<String>,
    /// Never `Expired`, which depends on the time.
    status: SessionStatus,
}

impl Session {
    pub(super) fn status(&self, now: SystemTime) -> SessionStatus {
        match self.status {
            SessionStatus::Pending if now >= self.expires_at => SessionStatus::Expired,
            status => status,
        }
    }
}

/// The service's own words. They are not taken from `crate::Status`, since a test of one by the
/// other proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SessionStatus {
    Pending,
    Verified,
    Cancelled,
    Expired,
}

impl SessionStatus {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// A session that was just verified, with what its webhook contains.
#[derive(Clone)]
pub(super) struct VerifiedSession {
    pub(super) event_id: String,
    pub(super) otp_id: OtpId,
    pub(super) number: PhoneNumber,
    pub(super) success_url: Option<String>,
    pub(super) at: SystemTime,
    resets: u64,
}

/// Attempts to deliver webhooks.
impl State {
    /// Records that an attempt begins, and returns its serial number for [`State::end_attempt`].
    ///
    /// Returns `None` if the sandbox was reset after the session was verified. The webhook is then
    /// not to be sent.
    pub(super) fn begin_attempt(
        &mut self,
        session: &VerifiedSession,
        url: &str,
        attempt: u32,
        now: SystemTime,
    ) -> Option<u64> {
        if session.resets != self.resets {
            return None;
        }
        let record = WebhookAttempt {
            url: url.to_owned(),
            event_id: session.event_id.clone(),
            otp_id: session.otp_id.clone(),
            attempt,
            status: None,
            error: None,
            at: now,
        };
        let serial = self.next_serial();
        self.attempts.insert(serial, record, url.len());
        Some(serial)
    }

    pub(super) fn end_attempt(&mut self, serial: u64, result: Result<u16, String>) {
        if let Some(record) = self.attempts.get_mut(&serial) {
            match result {
                Ok(status) => record.status = Some(status),
                Err(error) => record.error = Some(error),
            }
        }
    }

    /// The attempts that are kept, oldest first.
    pub(super) fn attempts(&self) -> impl DoubleEndedIterator<Item = &WebhookAttempt> {
        self.attempts.values()
    }
}

/// The log of requests.
impl State {
    pub(super) fn log(&mut self, request: ReceivedRequest) {
        let ReceivedRequest { method, path, body, response, .. } = &request;
        let text_bytes = method.len() + path.len() + body.len() + response.len();
        let serial = self.next_serial();
        self.requests.insert(serial, request, text_bytes);
    }

    /// The requests that are kept, oldest first.
    pub(super) fn requests(&self) -> impl DoubleEndedIterator<Item = &ReceivedRequest> {
        self.requests.values()
    }
}

/// Returns `prefix` with twenty random letters and digits. They are unique, but not fit for real
/// secrets.
pub(super) fn random_text(prefix: &str) -> String {
    prefix.chars().chain(std::iter::repeat_with(fastrand::alphanumeric).take(20)).collect()
}

fn random_id(prefix: &str) -> OtpId {
    random_text(prefix).parse().expect("letters, digits and `_` are an id")
}

/// People may type the factor in any case, and with space around it.
fn comparable(factor: &str) -> String {
    factor.trim().to_lowercase()
}

fn text_bytes(sms: &Sms) -> usize {
    sms.text.len() + sms.language.as_str().len()
}

/// A code expires 15 minutes after the first message. A resend does not change that.
const CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The default of `to` in reverse initiate, from the vendor's own example.
const SERVICE_NUMBER: &str = "+16465550123";

const SESSION_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The limit for messages, codes, sessions, texts, requests and webhook attempts, each. Tests look at far fewer.
const MAX_KEPT: usize = 10_000;

/// The limit for phones whose messages are counted.
const MAX_COUNTED: usize = 100_000;

/// 9999-12-31T00:00:00Z. RFC 3339 years have four digits, and expiry times are up to a day later.
const LATEST: Duration = Duration::from_secs(253_402_214_400);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::bounded_map::MAX_TEXT_BYTES;

    const NOON: SystemTime = UNIX_EPOCH;

    fn phone() -> PhoneNumber {
        PhoneNumber::parse("+14155552671").expect("a number in E.164")
    }

    fn send_code(state: &mut State, name: &str) -> OtpId {
        state.send_code(phone(), Language::English, name, NOON)
    }

    fn verified_session(state: &mut State) -> VerifiedSession {
        let request =
            SessionRequest { number: phone(), factor: None, to: None, service: "sms".to_owned(), success_url: None };
        let session = state.open_session(request, NOON);
        state.text(phone(), &session.to, &session.factor, NOON).remove(0)
    }

    #[test]
    fn a_code_expires_after_fifteen_minutes_exactly() {
        for (age, is_open) in [(Duration::from_millis(15 * 60 * 1000 - 1), true), (CODE_LIFETIME, false)] {
            let mut state = State::default();
            let id = send_code(&mut state, "MyApp");
            let code = state.messages().next().expect("a message").code.clone();
            assert_eq!(state.resend_code(id.as_str(), NOON + age), Ok(is_open));
            assert_eq!(state.check_code(id.as_str(), &code, NOON + age), Ok(is_open));
            assert_eq!(state.check_code(id.as_str(), &code, NOON + age), Ok(false), "a code works once");
        }
    }

    #[test]
    fn a_session_expires_after_ten_minutes_exactly() {
        for (age, count) in [(Duration::from_millis(10 * 60 * 1000 - 1), 1), (SESSION_LIFETIME, 0)] {
            let mut state = State::default();
            let request = SessionRequest {
                number: phone(),
                factor: None,
                to: None,
                service: "sms".to_owned(),
                success_url: None,
            };
            let session = state.open_session(request, NOON);
            assert_eq!(state.text(phone(), &session.to, &session.factor, NOON + age).len(), count);
        }
    }

    #[test]
    fn the_clock_stops_at_the_latest_time_that_can_be_written() {
        let mut state = State::default();
        state.advance(Duration::MAX);
        state.advance(Duration::MAX);
        let now = state.time(SystemTime::now());
        assert!(humantime::format_rfc3339_millis(now + SESSION_LIFETIME).to_string().starts_with("9999-12-31T00:10"));
        assert_eq!(State::default().time(UNIX_EPOCH - Duration::from_secs(1)), UNIX_EPOCH);
    }

    #[test]
    fn messages_and_codes_are_bounded_and_deliveries_are_counted_on() {
        let mut state = State::default();
        let first = send_code(&mut state, "MyApp");
        for _ in 0..MAX_KEPT {
            send_code(&mut state, "MyApp");
        }
        assert_eq!(state.messages().count(), MAX_KEPT);
        assert_eq!(state.deliveries(phone()), MAX_KEPT + 1);
        assert_eq!(state.check_code(first.as_str(), "123456", NOON), Err(UnknownId));

        let long = "n".repeat(60_000);
        for _ in 0..200 {
            send_code(&mut state, &long);
        }
        assert!(state.messages().map(text_bytes).sum::<usize>() <= MAX_TEXT_BYTES);
        assert!(state.codes.values().map(|code| text_bytes(&code.sms)).sum::<usize>() <= MAX_TEXT_BYTES);
        assert_eq!(state.deliveries(phone()), MAX_KEPT + 201);
    }

    #[test]
    fn a_reset_drops_pending_webhooks() {
        let mut state = State::default();
        let old = verified_session(&mut state);
        let old_attempt = state.begin_attempt(&old, "http://127.0.0.1", 1, NOON).expect("no reset yet");
        state.reset();
        state.end_attempt(old_attempt, Ok(200));
        assert_eq!(state.begin_attempt(&old, "http://127.0.0.1", 2, NOON), None);
        assert_eq!(state.attempts().count(), 0);

        let new = verified_session(&mut state);
        state.begin_attempt(&new, "http://127.0.0.1", 1, NOON).expect("no reset since");
        state.end_attempt(old_attempt, Ok(200));
        assert_eq!(state.attempts().next().expect("an attempt").status, None, "the old attempt is not the new one");
    }
}
