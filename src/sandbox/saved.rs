//! The part of the state that a state file keeps.

use std::time::Duration;

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
