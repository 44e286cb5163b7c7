//! `Limits`, and the windows that a store counts in.

use std::time::Duration;

use crate::error::Error;
use crate::refusal::Limit;

/// The limits of one kind: a [`Limit`], or an array or `Vec` of them. An empty list turns the kind
/// off.
///
/// # Examples
///
/// ```
/// use contiguity::Limit;
/// use contiguity::guard::Limits;
///
/// let one = Limits::from(Limit::per_hour(5));
/// let several = Limits::from([Limit::per_hour(5), Limit::per_day(20)]);
/// let off = Limits::from([]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits(Vec<Limit>);

impl From<Limit> for Limits {
    fn from(limit: Limit) -> Self {
        Self(vec![limit])
    }
}

impl<const N: usize> From<[Limit; N]> for Limits {
    fn from(limits: [Limit; N]) -> Self {
        Self(limits.into())
    }
}

impl From<Vec<Limit>> for Limits {
    fn from(limits: Vec<Limit>) -> Self {
        Self(limits)
    }
}

impl Limits {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A quarter of each, but at least `least`.
    pub(super) fn quarter(&self, least: u32) -> Self {
        Self(self.0.iter().map(|limit| Limit::new((limit.most() / 4).max(least), limit.window())).collect())
    }

    /// The windows to count in, or what is wrong with the limits of this name.
    pub(super) fn windows(&self, name: &str) -> Result<Vec<Window>, Error> {
        if self.0.len() > MAX_WINDOWS {
            return Err(Error::config(format!("the guard's `{name}` has more than {MAX_WINDOWS} limits")));
        }
        for limit in &self.0 {
            if limit.most() == 0 {
                // A guard has no use without a budget.
                let advice = if name == "total" { "" } else { ", or an empty list to turn the limit off" };
                return Err(Error::config(format!("the guard's `{name}` has a limit of 0; give at least 1{advice}")));
            }
            if !(MIN_WINDOW..=MAX_WINDOW).contains(&limit.window()) {
                return Err(Error::config(format!(
                    "the guard's `{name}` has a window that is not from 10 seconds to 31 days"
                )));
            }
        }
        Ok(self.0.iter().copied().map(Window::new).collect())
    }
}

/// A limit, and the length of the slots that its window is counted in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) limit: Limit,
    /// Both in milliseconds.
    pub(super) length: u64,
    pub(super) slot: u64,
}

impl Window {
    pub(super) fn new(limit: Limit) -> Self {
        // Far below the maximum, so that sums with a time do not overflow.
        let length = u64::try_from(limit.window().as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 4);
        Self { limit, length, slot: length.div_ceil(SLOTS).max(1) }
    }

    /// When an event at `time` leaves the window: as if it had happened at the end of its slot, so
    /// never too early. Both in Unix milliseconds.
    pub(super) fn frees_at(self, time: u64) -> u64 {
        (time / self.slot + 1) * self.slot + self.length
    }

    /// The same window for one of so many processes, which decide without each other.
    pub(super) fn divided(self, processes: u32) -> Self {
        let most = (self.limit.most() / processes).max(1);
        Self { limit: Limit::new(most, self.limit.window()), ..self }
    }
}

/// A wait is at most this share of its window longer than it has to be, and a counter takes this
/// many numbers at most.
const SLOTS: u64 = 60;

/// A window's number fits into a byte, and is small where counters are looked through.
const MAX_WINDOWS: usize = 8;

const MIN_WINDOW: Duration = Duration::from_secs(10);

const MAX_WINDOW: Duration = Duration::from_secs(31 * 24 * 3600);
