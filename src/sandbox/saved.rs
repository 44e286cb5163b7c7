//! The part of the state that a state file keeps.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::phone::PhoneNumber;
use crate::sandbox::message::{PhoneText, SavedSms, Sms};
use crate::sandbox::state::{Code, Session, State};

/// Everything but the log of requests, the webhook attempts and the faults. Each list is oldest
/// first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedState {
    ahead: Duration,
    codes: Vec<Code>,
    messages: Vec<SavedMessage>,
    deliveries: Vec<(PhoneNumber, usize)>,
    sessions: Vec<Session>,
    texts: Vec<PhoneText>,
}

#[derive(Serialize, Deserialize)]
struct SavedMessage(#[serde(with = "SavedSms")] Sms);

impl SavedState {
    /// Returns why no sandbox has saved this, if that is so.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let Self { codes, messages, deliveries, sessions, texts, .. } = self;
        let ends = codes.iter().map(|code| code.expires_at).chain(sessions.iter().map(|session| session.expires_at));
        let sent = codes.iter().map(|code| code.sms.at).chain(messages.iter().map(|SavedMessage(sms)| sms.at));
        let is_late = |time: SystemTime| time >= UNIX_EPOCH + TOO_LATE;
        if ends.chain(sent).chain(texts.iter().map(|text| text.at)).any(is_late) {
            return Some("a time is after the year 9999");
        }
        let is_unique = is_unique(codes.iter().map(|code| code.sms.otp_id.as_str()))
            && is_unique(sessions.iter().map(|session| session.otp_id.as_str()))
            && is_unique(deliveries.iter().map(|(number, _)| number));
        (!is_unique).then_some("an id or a number occurs twice")
    }
}

impl State {
    pub(super) fn save(&self) -> SavedState {
        SavedState {
            ahead: self.ahead,
            codes: self.codes.values().cloned().collect(),
            messages: self.inbox.values().cloned().map(SavedMessage).collect(),
            deliveries: self.deliveries.iter().map(|(number, count)| (*number, *count)).collect(),
            sessions: self.sessions.values().cloned().collect(),
            texts: self.texts.values().cloned().collect(),
        }
    }

    /// Adds what was saved to a state that has just been created.
    pub(super) fn restore(&mut self, saved: SavedState) {
        let SavedState { ahead, codes, messages, deliveries, sessions, texts } = saved;
        self.ahead = ahead;
        for code in codes {
            self.keep_code(code);
        }
        for SavedMessage(sms) in messages {
            self.keep_message(sms);
        }
        for (number, count) in deliveries {
            self.deliveries.insert(number, count, 0);
        }
        for session in sessions {
            self.keep_session(session);
        }
        for text in texts {
            self.keep_text(text);
        }
    }
}

fn is_unique<T: Eq + Hash>(mut items: impl Iterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.all(|item| seen.insert(item))
}

/// 10000-01-01T00:00:00Z, which RFC 3339 cannot write.
const TOO_LATE: Duration = Duration::from_secs(253_402_300_800);
