//! `Store`: where a guard counts, and what it asks of that place.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::limits::Window;
use crate::refusal::{Limit, Reason};

/// Where a guard counts: this process's memory, a shared [`Redis`](super::Redis), or a store of
/// your own.
///
/// A store decides about all claims of a call in one step, and keeps its promise with any number of
/// callers at once: **at most [`most`](Limit::most) events in any window, wherever it begins**. Two
/// claims are about the same subject if their [`kind`](Claim::kind) and
/// [`subject`](Claim::subject) are equal.
///
/// If a store cannot decide, it returns an error. The guard then follows
/// [`when_away`](super::GuardBuilder::when_away).
///
/// # Examples
///
/// A store that is never available:
///
/// ```
/// use std::time::SystemTime;
/// use contiguity::guard::{Claim, Decision, Return, Store, StoreError};
///
/// struct Away;
///
/// impl Store for Away {
///     fn take(
///         &self,
///         _: &[Claim<'_>],
///         _: &dyn Fn() -> SystemTime,
///     ) -> Result<Decision, StoreError> {
///         Err(StoreError::new("away"))
///     }
///
///     fn give_back(&self, _: &[Return<'_>]) -> Result<(), StoreError> {
///         Err(StoreError::new("away"))
///     }
///
///     fn forget(&self, _: &[Claim<'_>]) -> Result<(), StoreError> {
///         Err(StoreError::new("away"))
///     }
/// }
/// ```
pub trait Store: Send + Sync + 'static {
    /// Counts one event for every claim, or for none if one of them has reached a limit.
    ///
    /// A refusal changes no count. `clock` returns the time of the client; a store may have a clock
    /// of its own. If the clock goes back, events that lie ahead count as if they happened now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot decide.
    fn take(&self, claims: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError>;

    /// Takes events back that were counted by [`take`](Self::take). What is no longer counted is
    /// ignored.
    ///
    /// The guard returns each event once and ignores errors.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be changed.
    fn give_back(&self, returns: &[Return<'_>]) -> Result<(), StoreError>;

    /// Removes all events of these subjects.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be changed.
    fn forget(&self, claims: &[Claim<'_>]) -> Result<(), StoreError>;

    /// Keeps a note about an OTP id for [`NOTE_LIFETIME`](super::NOTE_LIFETIME).
    ///
    /// The note contains a phone number. By default nothing is kept. A call that only has an id is
    /// then limited by the id instead of the number.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be changed.
    fn remember(&self, otp_id: &str, note: &[u8], clock: &dyn Fn() -> SystemTime) -> Result<(), StoreError> {
        let _ = (otp_id, note, clock);
        Ok(())
    }

    /// Returns the note about an OTP id, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    fn recall(&self, otp_id: &str, clock: &dyn Fn() -> SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let _ = (otp_id, clock);
        Ok(None)
    }
}

/// One subject of a call, and the limits that hold for it.
///
/// `Debug` does not show the subject, which may be a phone number.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    pub(super) kind: Kind,
    pub(super) subject: &'a [u8],
    pub(super) windows: &'a [Window],
}

impl<'a> Claim<'a> {
    /// Returns what the subject is, such as `number` or `caller`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.as_str()
    }

    /// Returns the subject: a phone number's digits, a part of the caller, a calling code, or an
    /// OTP id.
    ///
    /// Do not store it as it is, or its plain hash: there are few enough phone numbers to try all.
    #[must_use]
    pub fn subject(&self) -> &'a [u8] {
        self.subject
    }

    /// Returns the limits. None of them may be exceeded.
    #[must_use]
    pub fn limits(&self) -> impl ExactSizeIterator<Item = Limit> + use<'a> {
        self.windows.iter().map(|window| window.limit)
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<_> = self.limits().collect();
        f.debug_struct("Claim").field("kind", &self.kind()).field("limits", &limits).finish_non_exhaustive()
    }
}

/// Events to take back.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Return<'a> {
    /// The subject that they were counted for.
    pub claim: Claim<'a>,
    /// When they were counted: the time in [`Decision::Granted`], for several events the last one.
    pub at: SystemTime,
    /// How many.
    pub count: u32,
}

/// What a [`Store`] decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every claim was counted.
    Granted {
        /// When, by the store's clock, to the millisecond.
        at: SystemTime,
    },
    /// Nothing was counted.
    Refused {
        /// The index of a claim that has reached a limit: of several, the one with the longest
        /// wait.
        claim: usize,
        /// The index of the limit in [`Claim::limits`].
        limit: usize,
        /// How long to wait until all claims would be counted.
        retry_after: Duration,
    },
}

/// Why a [`Store`] could not do its work.
///
/// The message and `Debug` contain nothing of the cause, which is the
/// [`source`](std::error::Error::source).
///
/// # Examples
///
/// ```
/// use contiguity::guard::StoreError;
///
/// let error = StoreError::new("no response within 500 ms");
/// assert_eq!(error.to_string(), "no response within 500 ms");
/// ```
pub struct StoreError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StoreError {
    /// Creates an error with a message for logs.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// Creates an error with a message for logs and its cause.
    pub fn with_source(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// What the subject of a claim is. A store counts kinds apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Number,
    Caller,
    Total,
    Unverified,
    Neighbors,
    WrongCodes,
    /// Codes checked for an OTP id.
    Attempts,
    /// Texts of an OTP id whose number is not known: in the number's place.
    Resends,
    /// Calls for OTP ids whose number is not known, all together.
    Unknown,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Caller => "caller",
            Self::Total => "total",
            Self::Unverified => "unverified",
            Self::Neighbors => "neighbors",
            Self::WrongCodes => "wrong_codes",
            Self::Attempts => "attempts",
            Self::Resends => "resends",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Number | Self::Resends => Reason::Number,
            Self::Caller => Reason::Caller,
            Self::Total | Self::Unknown => Reason::Total,
            Self::Unverified => Reason::Unverified,
            Self::Neighbors => Reason::Neighbors,
            Self::WrongCodes => Reason::WrongCodes,
            Self::Attempts => Reason::NoAttemptsLeft,
        }
    }
}

/// How long a store keeps a note about an OTP id, and how long its attempts count: longer than the
/// 15 minutes that a code lives.
pub const NOTE_LIFETIME: Duration = Duration::from_secs(16 * 60);

pub(super) const LOG_TARGET: &str = "contiguity";
