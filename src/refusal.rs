//! `Refusal`, `Reason` and `Limit`: what a limit of your own refused, and for how long.

use std::fmt;
use std::time::Duration;

/// A call that a limit of your own refused. Nothing was sent.
///
/// A [`Challenge`](crate::Challenge) and a guard (feature `guard`) refuse with
/// [`Error::Refused`](crate::Error::Refused). The error is neither
/// [`is_retryable`](crate::Error::is_retryable) nor
/// [`may_have_sent`](crate::Error::may_have_sent): a retry loop must not wait for a limit.
///
/// `Display` is for logs. [`advice`](Self::advice) is for the person. Neither contains a phone
/// number, a code or the caller.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Error, NewOtp, Policy, Reason};
///
/// let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
/// let mut challenge = otp.challenge(&client, Policy::DEFAULT)?;
///
/// // A text was sent a moment ago.
/// let error = challenge.resend(&client).unwrap_err();
/// let Error::Refused(refusal) = error else { panic!("{error}") };
/// assert_eq!(refusal.reason(), Reason::TooSoon);
/// assert_eq!(
///     refusal.advice(),
///     "Please wait 30 seconds before you ask for another text."
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.in_words())]
pub struct Refusal {
    reason: Reason,
    retry_after: Option<Duration>,
    limit: Option<Limit>,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, retry_after: Option<Duration>, limit: Option<Limit>) -> Self {
        Self { reason, retry_after, limit }
    }

    /// Returns which limit refused the call.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns how long to wait until the same call passes this limit.
    ///
    /// `None` if waiting does not help: the person needs a new code or another number.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the limit of the guard that was reached, if it was one that counts.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// Returns a sentence in English to show to the person.
    ///
    /// It contains what the person can do, and nothing about accounts, other people or budgets.
    #[must_use]
    pub fn advice(&self) -> String {
        let wait = self.retry_after.map_or_else(|| "a while".to_owned(), spoken);
        match self.reason {
            Reason::NoAttemptsLeft => "Please ask for a new code. There were too many wrong attempts.".to_owned(),
            Reason::NoResendsLeft => "Please ask for a new code. This one cannot be sent again.".to_owned(),
            Reason::Expired => "Please ask for a new code. This one has expired.".to_owned(),
            Reason::Finished => "Please ask for a new code. This one was already used.".to_owned(),
            Reason::TooSoon => format!("Please wait {wait} before you ask for another text."),
            Reason::Destination => "We cannot send a text to this number. Please use another one.".to_owned(),
            Reason::NotSaved | Reason::Unavailable => "Something went wrong. Please try again in a moment.".to_owned(),
            Reason::Number
            | Reason::WrongCodes
            | Reason::Caller
            | Reason::Total
            | Reason::Unverified
            | Reason::Neighbors => format!("Please try again in {wait}."),
        }
    }

    fn in_words(&self) -> String {
        let mut words = format!("refused before sending: {}", self.reason.in_words());
        if let Some(limit) = self.limit {
            words += &format!(" ({limit})");
        }
        if let Some(wait) = self.retry_after {
            words += &format!("; possible again in {} s", seconds(wait));
        }
        words
    }
}

/// Why a call was refused.
///
/// # Examples
///
/// ```
/// use contiguity::Reason;
///
/// fn needs_a_new_code(reason: Reason) -> bool {
///     matches!(
///         reason,
///         Reason::NoAttemptsLeft
///             | Reason::NoResendsLeft
///             | Reason::Expired
///             | Reason::Finished
///     )
/// }
/// assert!(needs_a_new_code(Reason::Expired));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// All attempts at this code are used up. A new code is needed.
    NoAttemptsLeft,
    /// The code was resent as often as the policy allows. A new code is needed.
    NoResendsLeft,
    /// The challenge's last text is too recent to send another one.
    TooSoon,
    /// The challenge is too old. A new code is needed.
    Expired,
    /// The code of the challenge was already used. A new code is needed.
    Finished,
    /// The challenge could not be saved before the call.
    NotSaved,
    /// This number got too many texts.
    Number,
    /// Too many codes were checked for this number.
    WrongCodes,
    /// This caller made too many requests.
    Caller,
    /// The total budget is used up.
    Total,
    /// Too many texts to this calling code were never verified.
    Unverified,
    /// Too many texts to adjacent numbers were never verified.
    Neighbors,
    /// The guard does not allow this destination.
    Destination,
    /// The guard's store is unavailable.
    Unavailable,
}

impl Reason {
    fn in_words(self) -> &'static str {
        match self {
            Self::NoAttemptsLeft => "no attempts left for this code",
            Self::NoResendsLeft => "no resends left for this code",
            Self::TooSoon => "the last text of this challenge is too recent",
            Self::Expired => "the challenge has expired",
            Self::Finished => "the challenge is already verified",
            Self::NotSaved => "the challenge could not be saved",
            Self::Number => "too many texts to this number",
            Self::WrongCodes => "too many codes checked for this number",
            Self::Caller => "too many requests from this caller",
            Self::Total => "the total budget is used up",
            Self::Unverified => "too many texts to this calling code were not verified",
            Self::Neighbors => "too many texts to adjacent numbers were not verified",
            Self::Destination => "this destination is not allowed",
            Self::Unavailable => "the guard's store is unavailable",
        }
    }
}

/// A maximum number of events in a window of time, wherever the window begins.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use contiguity::Limit;
///
/// let limit = Limit::new(4, Duration::from_secs(600));
/// assert_eq!(limit.to_string(), "4 in 10 minutes");
/// assert_eq!(Limit::per_hour(5), Limit::new(5, Duration::from_secs(3600)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    most: u32,
    window: Duration,
}

impl Limit {
    /// Creates a limit of `most` events in any window of this length.
    ///
    /// A guard accepts windows from 10 seconds to 31 days, and `most` from 1. It counts a window
    /// in 60 slots: an event counts for up to a 60th of the window longer, never shorter.
    #[must_use]
    pub const fn new(most: u32, window: Duration) -> Self {
        Self { most, window }
    }

    /// Creates a limit of `most` events in any hour.
    #[must_use]
    pub const fn per_hour(most: u32) -> Self {
        Self::new(most, Duration::from_secs(3600))
    }

    /// Creates a limit of `most` events in any 24 hours.
    #[must_use]
    pub const fn per_day(most: u32) -> Self {
        Self::new(most, Duration::from_secs(24 * 3600))
    }

    /// Returns the maximum number of events.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Returns the length of the window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.most, exact(self.window))
    }
}

/// A time for people, in the largest unit of which it is at least two, rounded up. A time that differs
/// from one unit by up to a twelfth is about one: a limit per hour may last 61 minutes.
fn spoken(time: Duration) -> String {
    let seconds = seconds(time);
    for (length, unit, one) in [(DAY, "day", "a day"), (HOUR, "hour", "an hour"), (MINUTE, "minute", "a minute")] {
        if seconds >= 2 * length {
            return count(seconds.div_ceil(length), unit);
        }
        if seconds.abs_diff(length) <= length / 12 {
            return format!("about {one}");
        }
    }
    count(seconds.max(1), "second")
}

/// A time as it is, in the largest unit that it is a whole number of.
fn exact(time: Duration) -> String {
    let seconds = seconds(time);
    let units = [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds % length == 0).unwrap_or((1, "second"));
    count(seconds / length, unit)
}

fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Rounded up: what is over in this time is over after it.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

const MINUTE: u64 = 60;

const HOUR: u64 = 60 * MINUTE;

const DAY: u64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Limit, Reason, Refusal, spoken};

    #[test]
    fn times_are_rounded_up_to_what_people_say() {
        for (milliseconds, words) in [
            (1, "1 second"),
            (1_000, "1 second"),
            (29_001, "30 seconds"),
            (54_001, "about a minute"),
            (60_000, "about a minute"),
            (65_000, "about a minute"),
            (65_001, "66 seconds"),
            (119_000, "119 seconds"),
            (120_000, "2 minutes"),
            (600_001, "11 minutes"),
            (54 * 60_000, "54 minutes"),
            (55 * 60_000, "about an hour"),
            (61 * 60_000, "about an hour"),
            (65 * 60_000, "about an hour"),
            (66 * 60_000, "66 minutes"),
            (7_200_000, "2 hours"),
            (7_201_000, "3 hours"),
            (21 * 3_600_000, "21 hours"),
            (24 * 3_660_000, "about a day"),
            (27 * 3_600_000, "27 hours"),
            (30 * 86_400_000, "30 days"),
        ] {
            assert_eq!(spoken(Duration::from_millis(milliseconds)), words);
        }
    }

    #[test]
    fn a_limit_is_shown_as_it_is() {
        for (seconds, words) in [
            (20, "1 in 20 seconds"),
            (500, "1 in 500 seconds"),
            (600, "1 in 10 minutes"),
            (3_600, "1 in 1 hour"),
            (2_592_000, "1 in 30 days"),
        ] {
            assert_eq!(Limit::new(1, Duration::from_secs(seconds)).to_string(), words);
        }
    }

    #[test]
    fn the_message_is_for_logs_and_the_advice_for_the_person() {
        let wait = Some(Duration::from_millis(1_500));
        let refusal = Refusal::new(Reason::Number, wait, Some(Limit::per_hour(6)));
        assert_eq!(
            refusal.to_string(),
            "refused before sending: too many texts to this number (6 in 1 hour); possible again in 2 s"
        );
        assert_eq!(format!("{refusal:?}"), refusal.to_string());
        assert_eq!(refusal.advice(), "Please try again in 2 seconds.");
    }

    #[test]
    fn each_reason_has_words_for_logs_and_advice_for_the_person() {
        let new_code = |why| format!("Please ask for a new code. This one {why}.");
        let later = || "Please try again in about a minute.".to_owned();
        let wrong = || "Something went wrong. Please try again in a moment.".to_owned();
        for (reason, words, advice) in [
            (
                Reason::NoAttemptsLeft,
                "no attempts left for this code",
                "Please ask for a new code. There were too many wrong attempts.".to_owned(),
            ),
            (Reason::NoResendsLeft, "no resends left for this code", new_code("cannot be sent again")),
            (
                Reason::TooSoon,
                "the last text of this challenge is too recent",
                "Please wait about a minute before you ask for another text.".to_owned(),
            ),
            (Reason::Expired, "the challenge has expired", new_code("has expired")),
            (Reason::Finished, "the challenge is already verified", new_code("was already used")),
            (Reason::NotSaved, "the challenge could not be saved", wrong()),
            (Reason::Number, "too many texts to this number", later()),
            (Reason::WrongCodes, "too many codes checked for this number", later()),
            (Reason::Caller, "too many requests from this caller", later()),
            (Reason::Total, "the total budget is used up", later()),
            (Reason::Unverified, "too many texts to this calling code were not verified", later()),
            (Reason::Neighbors, "too many texts to adjacent numbers were not verified", later()),
            (
                Reason::Destination,
                "this destination is not allowed",
                "We cannot send a text to this number. Please use another one.".to_owned(),
            ),
            (Reason::Unavailable, "the guard's store is unavailable", wrong()),
        ] {
            let refusal = Refusal::new(reason, Some(Duration::from_secs(60)), Some(Limit::per_hour(500)));
            let end = "(500 in 1 hour); possible again in 60 s";
            assert_eq!(refusal.to_string(), format!("refused before sending: {words} {end}"));
            assert_eq!(refusal.advice(), advice);
            for word in ["account", "other p", "budget", "total", "limit", "500", "caller", "neighbor", "store"] {
                assert!(!advice.contains(word), "{reason:?}: {advice}");
            }
        }
        assert_eq!(
            Refusal::new(Reason::Expired, None, None).to_string(),
            "refused before sending: the challenge has expired"
        );
    }
}
