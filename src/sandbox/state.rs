//! What the service remembers, and what its operations do to that: no socket, and no clock but the time it is handed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sandbox::{Fault, Sms, WebhookAttempt};
use crate::{Language, OtpId, PhoneNumber};

/// The whole of the service behind its endpoints. Every `now` is the service's time, see [`State::time`].
#[derive(Default)]
pub(super) struct State {
    /// By how much the service's clock is ahead of the real one.
    ahead: Duration,
    /// By how much it was ever moved. Goes on over a reset, so that who waits by it never sees it go back.
    advanced: Duration,
    codes: Shelf<Code>,
    sessions: Shelf<Session>,
    inbox: Newest<Sms>,
    /// Texts sent, by number.
    deliveries: Shelf<usize>,
    faults: VecDeque<Fault>,
    attempts: Newest<(AttemptNumber, WebhookAttempt)>,
    /// Goes on over a reset, so that a webhook from before it finds no attempt of its own.
    last_attempt: u64,
    resets: u64,
}

/// An id that the service never gave out, or has forgotten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownId;

/// The clock, the faults, and starting over.
impl State {
    /// The service's time when the real time is `real`.
    pub(super) fn time(&self, real: SystemTime) -> SystemTime {
        let latest = UNIX_EPOCH + LATEST;
        real.max(UNIX_EPOCH).checked_add(self.ahead).map_or(latest, |time| time.min(latest))
    }

    /// By how much the service's clock was ever moved, resets or not.
    pub(super) fn advanced(&self) -> Duration {
        self.advanced
    }

    pub(super) fn advance(&mut self, by: Duration) {
        // As far as times can be written. Who waits by the clock goes on from there.
        let by = by.min(LATEST);
        self.ahead = self.ahead.saturating_add(by);
        self.advanced = self.advanced.saturating_add(by);
    }

    pub(super) fn fail_next(&mut self, fault: Fault) {
        self.faults.push_back(fault);
    }

    pub(super) fn waiting_faults(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn take_fault(&mut self) -> Option<Fault> {
        self.faults.pop_front()
    }

    pub(super) fn reset(&mut self) {
        *self = Self {
            advanced: self.advanced,
            last_attempt: self.last_attempt,
            resets: self.resets + 1,
            ..Self::default()
        };
    }
}

/// Codes by text message.
impl State {
    pub(super) fn send_code(&mut self, to: PhoneNumber, language: Language, name: &str, now: SystemTime) -> OtpId {
        let id = random_id("otp_");
        let code = format!("{:06}", fastrand::u32(..1_000_000));
        let sms = Sms { to, text: format!("Your {name} code is {code}"), code, otp_id: id.clone(), language, at: now };

        let bytes = weight(&sms);
        self.codes.insert(
            id.as_str(),
            Code { sms: sms.clone(), expires_at: now + CODE_LIFE, used: false },
            bytes,
            KEPT,
        );
        self.deliver(sms);
        id
    }

    /// Whether the code is the right one, now used up: a wrong, used or expired one is `false`, and changes nothing.
    pub(super) fn check_code(&mut self, id: &str, otp: &str, now: SystemTime) -> Result<bool, UnknownId> {
        let code = self.codes.get_mut(id).ok_or(UnknownId)?;
        let right = code.is_open(now) && code.sms.code == otp.trim();
        code.used |= right;
        Ok(right)
    }

    /// Sends the same code again if it can still be used. That does not renew it.
    pub(super) fn resend_code(&mut self, id: &str, now: SystemTime) -> Result<bool, UnknownId> {
        let code = self.codes.get_mut(id).ok_or(UnknownId)?;
        let open = code.is_open(now);
        if open {
            let sms = Sms { at: now, ..code.sms.clone() };
            self.deliver(sms);
        }
        Ok(open)
    }

    /// All texts that are kept, oldest first.
    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = &Sms> {
        self.inbox.iter()
    }

    pub(super) fn deliveries(&self, to: PhoneNumber) -> usize {
        self.deliveries.get(to.as_str()).copied().unwrap_or(0)
    }

    fn deliver(&mut self, sms: Sms) {
        match self.deliveries.get_mut(sms.to.as_str()) {
            Some(count) => *count += 1,
            None => self.deliveries.insert(sms.to.as_str(), 1, 0, KEPT_COUNTS),
        }
        let bytes = weight(&sms);
        self.inbox.push(sms, bytes);
        while self.inbox.pop_excess(KEPT).is_some() {}
    }
}

struct Code {
    sms: Sms,
    expires_at: SystemTime,
    used: bool,
}

impl Code {
    fn is_open(&self, now: SystemTime) -> bool {
        !self.used && now < self.expires_at
    }
}

/// Reverse OTP, where the person texts.
impl State {
    pub(super) fn open_session(&mut self, request: SessionRequest, now: SystemTime) -> Session {
        let SessionRequest { number, factor, to, success_url } = request;
        let session = Session {
            otp_id: random_id("r_otp_"),
            number,
            factor: factor.unwrap_or_else(|| format!("{:04}", fastrand::u32(..10_000))),
            to: to.map_or_else(|| SERVICE_NUMBER.to_owned(), |to| to.as_str().to_owned()),
            expires_at: now + SESSION_LIFE,
            success_url,
            ending: None,
        };
        let bytes = session.factor.len() + session.success_url.as_ref().map_or(0, String::len);
        self.sessions.insert(session.otp_id.as_str(), session.clone(), bytes, KEPT);
        session
    }

    pub(super) fn session(&self, id: &str) -> Result<&Session, UnknownId> {
        self.sessions.get(id).ok_or(UnknownId)
    }

    /// Cancels a session that is pending, and gives the status that it then has: one that has ended otherwise keeps it.
    pub(super) fn cancel_session(&mut self, id: &str, now: SystemTime) -> Result<SessionStatus, UnknownId> {
        let session = self.sessions.get_mut(id).ok_or(UnknownId)?;
        if session.status(now) == SessionStatus::Pending {
            session.ending = Some(Ending::Cancelled);
        }
        Ok(session.status(now))
    }

    /// Somebody texts the service: verifies every pending session that waits for just this, and gives the webhooks that
    /// are now due, one for each session, with or without a `success_url`.
    pub(super) fn text(&mut self, from: PhoneNumber, to: &str, body: &str, now: SystemTime) -> Vec<Verification> {
        let factor = comparable(body);
        let mut verified = Vec::new();
        for session in self.sessions.values_mut() {
            let expected = session.number == from && session.to == to.trim() && comparable(&session.factor) == factor;
            if expected && session.status(now) == SessionStatus::Pending {
                session.ending = Some(Ending::Verified);
                verified.push(Verification {
                    event_id: random_text("evt_"),
                    otp_id: session.otp_id.clone(),
                    number: session.number,
                    success_url: session.success_url.clone(),
                    at: now,
                    resets: self.resets,
                });
            }
        }
        verified
    }
}

/// What a caller of reverse initiate may choose.
pub(super) struct SessionRequest {
    pub(super) number: PhoneNumber,
    pub(super) factor: Option<String>,
    pub(super) to: Option<PhoneNumber>,
    pub(super) success_url: Option<String>,
}

#[derive(Clone)]
pub(super) struct Session {
    pub(super) otp_id: OtpId,
    pub(super) number: PhoneNumber,
    pub(super) factor: String,
    pub(super) to: String,
    pub(super) expires_at: SystemTime,
    pub(super) success_url: Option<String>,
    ending: Option<Ending>,
}

#[derive(Clone, Copy)]
enum Ending {
    Verified,
    Cancelled,
}

impl Session {
    pub(super) fn status(&self, now: SystemTime) -> SessionStatus {
        match self.ending {
            Some(Ending::Verified) => SessionStatus::Verified,
            Some(Ending::Cancelled) => SessionStatus::Cancelled,
            None if now < self.expires_at => SessionStatus::Pending,
            None => SessionStatus::Expired,
        }
    }
}

/// The service's own words: `crate::Status` is what the client makes of them, and a test of one by the other proves
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A session that was just verified: what its webhook tells.
#[derive(Clone)]
pub(super) struct Verification {
    pub(super) event_id: String,
    pub(super) otp_id: OtpId,
    pub(super) number: PhoneNumber,
    pub(super) success_url: Option<String>,
    pub(super) at: SystemTime,
    resets: u64,
}

/// What became of webhooks.
impl State {
    /// Records that an attempt begins; its outcome comes with [`State::end_attempt`]. None if a reset came between:
    /// then the webhook is to be forgotten.
    pub(super) fn begin_attempt(
        &mut self,
        webhook: &Verification,
        url: &str,
        attempt: u32,
        now: SystemTime,
    ) -> Option<AttemptNumber> {
        if webhook.resets != self.resets {
            return None;
        }
        self.last_attempt += 1;
        let number = AttemptNumber(self.last_attempt);
        let record = WebhookAttempt {
            url: url.to_owned(),
            event_id: webhook.event_id.clone(),
            otp_id: webhook.otp_id.clone(),
            attempt,
            status: None,
            error: None,
            at: now,
        };
        self.attempts.push((number, record), url.len());
        while self.attempts.pop_excess(KEPT).is_some() {}
        Some(number)
    }

    pub(super) fn end_attempt(&mut self, number: AttemptNumber, outcome: Result<u16, String>) {
        if let Some((_, record)) = self.attempts.iter_mut().rfind(|(found, _)| *found == number) {
            match outcome {
                Ok(status) => record.status = Some(status),
                Err(error) => record.error = Some(error),
            }
        }
    }

    /// All attempts that are kept, oldest first.
    pub(super) fn attempts(&self) -> impl Iterator<Item = &WebhookAttempt> {
        self.attempts.iter().map(|(_, record)| record)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttemptNumber(u64);

/// The newest things, by how many and how much: the oldest leave first.
struct Newest<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Newest<T> {
    /// `bytes`: the text in the item, as far as a caller chooses its length.
    fn push(&mut self, item: T, bytes: usize) {
        self.items.push_back((item, bytes));
        self.bytes += bytes;
    }

    fn pop_excess(&mut self, most: usize) -> Option<T> {
        if self.items.len() <= most && self.bytes <= KEPT_BYTES {
            return None;
        }
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }

    fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.items.iter_mut().map(|(item, _)| item)
    }
}

/// The newest things by a key, bounded likewise.
struct Shelf<T> {
    by_key: HashMap<Arc<str>, T>,
    keys: Newest<Arc<str>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), keys: Newest::default() }
    }
}

impl<T> Shelf<T> {
    /// `key` is new: ids are random, and a number is looked for before it is inserted.
    fn insert(&mut self, key: &str, value: T, bytes: usize, most: usize) {
        let key = Arc::<str>::from(key);
        self.by_key.insert(Arc::clone(&key), value);
        self.keys.push(key, bytes);
        while let Some(oldest) = self.keys.pop_excess(most) {
            self.by_key.remove(&oldest);
        }
    }

    fn get(&self, key: &str) -> Option<&T> {
        self.by_key.get(key)
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        self.by_key.get_mut(key)
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.by_key.values_mut()
    }
}

/// `prefix` and twenty random letters and digits: not for secrets, but no two alike.
pub(super) fn random_text(prefix: &str) -> String {
    prefix.chars().chain(std::iter::repeat_with(fastrand::alphanumeric).take(20)).collect()
}

fn random_id(prefix: &str) -> OtpId {
    random_text(prefix).parse().unwrap_or_else(|_| unreachable!("letters, digits and `_` are an id"))
}

/// A factor as people may type it: in any case, with space around.
fn comparable(factor: &str) -> String {
    factor.trim().to_lowercase()
}

fn weight(sms: &Sms) -> usize {
    sms.text.len() + sms.language.as_str().len()
}

/// CONTRACT: a code lives for 15 minutes from the first text, resent or not.
const CODE_LIFE: Duration = Duration::from_secs(15 * 60);

/// The service's number when the caller of reverse initiate names none: the vendor's own example.
const SERVICE_NUMBER: &str = "+16465550123";

const SESSION_LIFE: Duration = Duration::from_secs(10 * 60);

/// Texts, codes, sessions and webhook attempts kept, of each: more than a test looks at, less than 10 MiB of each kind.
pub(super) const KEPT: usize = 10_000;

/// Text kept of each kind, where callers choose its length (names, URLs): 10,000 bodies of 64 KiB would be 640 MiB.
const KEPT_BYTES: usize = 8 << 20;

/// Numbers whose texts are counted.
pub(super) const KEPT_COUNTS: usize = 100_000;

/// 9999-12-31T00:00:00Z. RFC 3339 has four digits for the year; a day is left for what expires later than now.
const LATEST: Duration = Duration::from_secs(253_402_214_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap_or_else(|_| panic!("{text} is a number"))
    }

    fn english() -> Language {
        "en".parse().unwrap_or_else(|_| panic!("en is a language"))
    }

    const NOON: SystemTime = UNIX_EPOCH;

    #[test]
    fn a_code_lives_for_fifteen_minutes_to_the_instant() {
        for (age, right) in [(Duration::from_millis(15 * 60 * 1000 - 1), true), (CODE_LIFE, false)] {
            let mut state = State::default();
            let id = state.send_code(number("+14155552671"), english(), "MyApp", NOON);
            let code = state.messages().next().unwrap().code.clone();
            assert_eq!(state.resend_code(id.as_str(), NOON + age), Ok(right));
            assert_eq!(state.check_code(id.as_str(), &code, NOON + age), Ok(right));
            assert_eq!(state.check_code(id.as_str(), &code, NOON + age), Ok(false), "once at most");
        }
    }

    #[test]
    fn a_session_lives_for_ten_minutes_to_the_instant() {
        for (age, count) in [(Duration::from_millis(10 * 60 * 1000 - 1), 1), (SESSION_LIFE, 0)] {
            let mut state = State::default();
            let from = number("+14155552671");
            let request = SessionRequest { number: from, factor: None, to: None, success_url: None };
            let session = state.open_session(request, NOON);
            assert_eq!(state.text(from, &session.to, &session.factor, NOON + age).len(), count);
        }
    }

    #[test]
    fn the_clock_stops_where_times_can_no_longer_be_written() {
        let mut state = State::default();
        state.advance(Duration::MAX);
        state.advance(Duration::MAX);
        let now = state.time(SystemTime::now());
        assert!(humantime::format_rfc3339_millis(now + SESSION_LIFE).to_string().starts_with("9999-12-31T00:10"));
        assert_eq!(State::default().time(UNIX_EPOCH - Duration::from_secs(1)), UNIX_EPOCH);
    }

    #[test]
    fn old_things_leave_by_number_and_by_size() {
        let mut state = State::default();
        let to = number("+14155552671");
        let first = state.send_code(to, english(), "MyApp", NOON);
        for _ in 0..KEPT {
            state.send_code(to, english(), "MyApp", NOON);
        }
        assert_eq!(state.messages().count(), KEPT);
        assert_eq!(state.deliveries(to), KEPT + 1);
        assert_eq!(state.check_code(first.as_str(), "123456", NOON), Err(UnknownId));

        let long = "n".repeat(60_000);
        for _ in 0..1_000 {
            state.send_code(to, english(), &long, NOON);
        }
        assert!(state.messages().map(weight).sum::<usize>() <= KEPT_BYTES);
        assert_eq!(state.codes.by_key.len(), state.codes.keys.items.len());
        assert_eq!(state.deliveries(to), KEPT + 1_001);
    }

    #[test]
    fn a_webhook_from_before_a_reset_is_forgotten() {
        let mut state = State::default();
        let from = number("+14155552671");
        let request = SessionRequest { number: from, factor: None, to: None, success_url: None };
        let session = state.open_session(request, NOON);
        let webhook = state.text(from, &session.to, &session.factor, NOON).remove(0);
        let before = state.begin_attempt(&webhook, "http://127.0.0.1", 1, NOON).unwrap();
        state.reset();
        state.end_attempt(before, Ok(200));
        assert_eq!(state.begin_attempt(&webhook, "http://127.0.0.1", 2, NOON), None);
        assert_eq!(state.attempts().count(), 0);

        let session =
            state.open_session(SessionRequest { number: from, factor: None, to: None, success_url: None }, NOON);
        let webhook = state.text(from, &session.to, &session.factor, NOON).remove(0);
        state.begin_attempt(&webhook, "http://127.0.0.1", 1, NOON).unwrap();
        state.end_attempt(before, Ok(200));
        assert_eq!(state.attempts().next().unwrap().status, None, "the old attempt is not taken for the new one");
    }
}
