//! The store in this process's memory.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::limits::Window;
use super::store::{Claim, Decision, NOTE_LIFETIME, Return, Store, StoreError};
use crate::gate::{from_unix_ms, unix_ms};

/// A [`Store`] in the memory of this process: what a guard counts in by default.
///
/// Nothing is dropped to make room, since that would forget a limit. Entries exist for calls that
/// were allowed only, so the guard's `total` limits them. Subjects are kept as hashes, whose key is
/// random in every process.
///
/// # Examples
///
/// A store around it that counts refusals for a dashboard:
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::SystemTime;
/// use contiguity::guard::{
///     Claim, Decision, Memory, Return, Store, StoreError,
/// };
///
/// #[derive(Default)]
/// struct Counted {
///     store: Memory,
///     refusals: AtomicU64,
/// }
///
/// impl Store for Counted {
///     fn take(
///         &self,
///         claims: &[Claim<'_>],
///         clock: &dyn Fn() -> SystemTime,
///     ) -> Result<Decision, StoreError> {
///         let decision = self.store.take(claims, clock)?;
///         if matches!(decision, Decision::Refused { .. }) {
///             self.refusals.fetch_add(1, Ordering::Relaxed);
///         }
///         Ok(decision)
///     }
///
///     fn give_back(&self, returns: &[Return<'_>]) -> Result<(), StoreError> {
///         self.store.give_back(returns)
///     }
///
///     fn forget(&self, claims: &[Claim<'_>]) -> Result<(), StoreError> {
///         self.store.forget(claims)
///     }
///
///     // Optional, but without them the guard does not know the number of
///     // an OTP id.
///     fn remember(
///         &self,
///         otp_id: &str,
///         note: &[u8],
///         clock: &dyn Fn() -> SystemTime,
///     ) -> Result<(), StoreError> {
///         self.store.remember(otp_id, note, clock)
///     }
///
///     fn recall(
///         &self,
///         otp_id: &str,
///         clock: &dyn Fn() -> SystemTime,
///     ) -> Result<Option<Vec<u8>>, StoreError> {
///         self.store.recall(otp_id, clock)
///     }
/// }
/// ```
#[derive(Default)]
pub struct Memory {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counters: HashMap<u64, Counter, BuildHasherDefault<Hashed>>,
    notes: HashMap<u64, Note, BuildHasherDefault<Hashed>>,
    /// At how many entries expired ones are looked for.
    sweep_at: usize,
}

/// The events of one subject: windows one after another, and each in the order of time.
type Counter = Vec<Mark>;

/// Events of one slot of one window.
#[derive(Clone, Copy)]
struct Mark {
    /// When they leave the window, in Unix milliseconds.
    frees_at: u64,
    /// How many they are, together with those of the window's marks before, so that no decision has
    /// to add them up.
    total: u32,
    window: u8,
}

struct Note {
    text: Box<[u8]>,
    expires: u64,
}

impl Store for Memory {
    fn take(&self, claims: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
        let mut state = self.lock();
        // Read under the lock, so that times are in the order of decisions.
        let now = unix_ms(clock());
        let mut worst: Option<(u64, usize, usize)> = None;
        for (index, claim) in claims.iter().enumerate() {
            let mut counter = state.counters.get_mut(&self.key(claim)).map(Vec::as_mut_slice).unwrap_or_default();
            for (number, window) in claim.windows.iter().enumerate() {
                let (marks, rest) = counter.split_at_mut(end_of(counter, number));
                counter = rest;
                if let Some(wait) = wait(marks, *window, now) {
                    if worst.is_none_or(|(longest, ..)| wait > longest) {
                        worst = Some((wait, index, number));
                    }
                }
            }
        }
        if let Some((wait, claim, limit)) = worst {
            return Ok(Decision::Refused { claim, limit, retry_after: Duration::from_millis(wait) });
        }
        for claim in claims {
            state.add(self.key(claim), claim.windows, now);
        }
        state.sweep(now);
        Ok(Decision::Granted { at: from_unix_ms(now) })
    }

    fn give_back(&self, returns: &[Return<'_>]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for Return { claim, at, count } in returns {
            let key = self.key(claim);
            let Some(counter) = state.counters.get_mut(&key) else { continue };
            let mut start = 0;
            for (number, window) in claim.windows.iter().enumerate() {
                let end = start + end_of(&counter[start..], number);
                give_back(&mut counter[start..end], window.frees_at(unix_ms(*at)), *count);
                start = end;
            }
            let (mut window, mut before) = (u8::MAX, 0);
            counter.retain(|mark| {
                let count = if mark.window == window { mark.total - before } else { mark.total };
                (window, before) = (mark.window, mark.total);
                count > 0
            });
            if counter.is_empty() {
                state.counters.remove(&key);
            }
        }
        Ok(())
    }

    fn forget(&self, claims: &[Claim<'_>]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for claim in claims {
            state.counters.remove(&self.key(claim));
        }
        Ok(())
    }

    fn remember(&self, otp_id: &str, note: &[u8], clock: &dyn Fn() -> SystemTime) -> Result<(), StoreError> {
        let mut state = self.lock();
        let expires = unix_ms(clock() + NOTE_LIFETIME);
        state.notes.insert(self.hasher.hash_one(otp_id), Note { text: note.into(), expires });
        Ok(())
    }

    fn recall(&self, otp_id: &str, clock: &dyn Fn() -> SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.lock();
        let now = unix_ms(clock());
        let note = state.notes.get(&self.hasher.hash_one(otp_id)).filter(|note| note.expires > now);
        Ok(note.map(|note| note.text.to_vec()))
    }
}

impl Memory {
    /// Creates a store without counts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of subjects and OTP ids in the store.
    ///
    /// Expired ones are removed when there are twice as many entries as after the last removal.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.lock().len()
    }

    /// Counts what another store has granted.
    pub(super) fn add(&self, claims: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> SystemTime {
        let mut state = self.lock();
        let now = unix_ms(clock());
        for claim in claims {
            state.add(self.key(claim), claim.windows, now);
        }
        state.sweep(now);
        from_unix_ms(now)
    }

    fn key(&self, claim: &Claim<'_>) -> u64 {
        self.hasher.hash_one((claim.kind, claim.subject))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves counts that are too high at worst.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("entries", &self.entries()).finish_non_exhaustive()
    }
}

impl State {
    fn add(&mut self, key: u64, windows: &[Window], now: u64) {
        let counter = self.counters.entry(key).or_insert_with(|| Vec::with_capacity(windows.len()));
        let mut start = 0;
        for (number, window) in windows.iter().enumerate() {
            let mut end = start + end_of(&counter[start..], number);
            let frees_at = window.frees_at(now);
            match counter[start..end].last_mut() {
                Some(mark) if mark.frees_at >= frees_at => mark.total = mark.total.saturating_add(1),
                _ => {
                    let (expired, gone) = expired(&counter[start..end], now);
                    counter.drain(start..start + expired);
                    end -= expired;
                    counter[start..end].iter_mut().for_each(|mark| mark.total -= gone);
                    let before = counter[start..end].last().map_or(0, |mark| mark.total);
                    let window = u8::try_from(number).expect("a kind has few windows");
                    counter.insert(end, Mark { frees_at, total: before.saturating_add(1), window });
                    end += 1;
                }
            }
            start = end;
        }
    }

    /// Drops what has expired, once there are twice as many entries as after the last time.
    fn sweep(&mut self, now: u64) {
        if self.len() <= self.sweep_at.max(FEW_ENTRIES) {
            return;
        }
        self.counters.retain(|_, counter| counter.iter().any(|mark| mark.frees_at > now));
        self.notes.retain(|_, note| note.expires > now);
        self.sweep_at = 2 * self.len();
    }

    fn len(&self) -> usize {
        self.counters.len() + self.notes.len()
    }
}

/// Where the marks of a window end, in a counter that begins with them.
fn end_of(counter: &[Mark], window: usize) -> usize {
    counter.partition_point(|mark| usize::from(mark.window) <= window)
}

/// How many marks of a window have expired, and how many events.
fn expired(marks: &[Mark], now: u64) -> (usize, u32) {
    let expired = marks.partition_point(|mark| mark.frees_at <= now);
    (expired, marks[..expired].last().map_or(0, |mark| mark.total))
}

/// How long until one more event fits into the window of these marks, in milliseconds. `None` if it
/// does now.
fn wait(marks: &mut [Mark], window: Window, now: u64) -> Option<u64> {
    let latest = window.frees_at(now);
    if marks.last().is_some_and(|mark| mark.frees_at > latest) {
        // The clock went back. Events in the future count as now. This is kept, so that a later call
        // does not move them to its own time again.
        for mark in marks.iter_mut() {
            mark.frees_at = mark.frees_at.min(latest);
        }
    }
    let (expired, gone) = expired(marks, now);
    let count = marks.last().map_or(0, |mark| mark.total) - gone;
    let excess = (u64::from(count) + 1).checked_sub(window.limit.most().into()).filter(|excess| *excess > 0)?;
    let live = &marks[expired..];
    let first_enough = live.partition_point(|mark| u64::from(mark.total - gone) < excess);
    Some(live.get(first_enough).map_or(latest, |mark| mark.frees_at) - now)
}

/// Takes events back from the marks of a window, the newest first that are not after `frees_at`.
fn give_back(marks: &mut [Mark], frees_at: u64, count: u32) {
    let mut left = count;
    for index in (0..marks.partition_point(|mark| mark.frees_at <= frees_at)).rev() {
        let before = if index == 0 { 0 } else { marks[index - 1].total };
        let taken = left.min(marks[index].total - before);
        marks[index..].iter_mut().for_each(|mark| mark.total -= taken);
        left -= taken;
    }
}

/// Takes a hash as it is: it is one already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are of type u64");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// So few that looking for expired ones is not worth it.
const FEW_ENTRIES: usize = 1024;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::Memory;
    use crate::guard::limits::Window;
    use crate::guard::store::{Claim, Decision, Kind, Return, Store};
    use crate::refusal::Limit;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_785_380_854 + seconds)
    }

    #[test]
    fn a_flood_of_numbers_creates_entries_for_those_that_pass_only() {
        let memory = Memory::default();
        let total = [Window::new(Limit::per_hour(1_000))];
        let number = [Window::new(Limit::per_day(10)), Window::new(Limit::per_hour(6))];
        let mut granted = 0;
        for flood in 0..100_000_u32 {
            let subject = flood.to_be_bytes();
            let claims = [
                Claim { kind: Kind::Number, subject: &subject, windows: &number },
                Claim { kind: Kind::Total, subject: &[], windows: &total },
            ];
            // Two hours. Each lets a thousand pass, and no window of 24 hours ends.
            let decision = memory.take(&claims, &|| at(u64::from(flood) * 7_200 / 100_000)).unwrap();
            granted += usize::from(matches!(decision, Decision::Granted { .. }));
        }
        assert_eq!((granted, memory.entries()), (2_000, 2_001));
    }

    #[test]
    fn what_has_expired_does_not_stay() {
        let memory = Memory::default();
        let windows = [Window::new(Limit::per_hour(10))];
        for second in 0..100_000_u64 {
            let subject = second.to_be_bytes();
            let claim = Claim { kind: Kind::Number, subject: &subject, windows: &windows };
            memory.take(&[claim], &|| at(second)).unwrap();
            memory.remember(&second.to_string(), b"note", &|| at(second)).unwrap();
        }
        // An hour and a minute of numbers and 16 minutes of notes, twice.
        assert!(memory.entries() <= 2 * (3_660 + 960), "{memory:?}");
        assert_eq!(memory.recall("99000", &|| at(100_000)).unwrap(), None);
        assert_eq!(memory.recall("99999", &|| at(100_000)).unwrap().as_deref(), Some(&b"note"[..]));
    }

    #[test]
    fn what_was_given_back_leaves_nothing_behind() {
        let memory = Memory::default();
        let windows = [Window::new(Limit::per_hour(10)), Window::new(Limit::per_day(10))];
        let claim = Claim { kind: Kind::WrongCodes, subject: b"14155552671", windows: &windows };
        memory.take(&[claim], &|| at(0)).unwrap();
        memory.take(&[claim], &|| at(600)).unwrap();
        memory.give_back(&[Return { claim, at: at(600), count: 1 }]).unwrap();
        assert_eq!(memory.entries(), 1);
        // One too many is ignored.
        memory.give_back(&[Return { claim, at: at(600), count: 7 }]).unwrap();
        assert_eq!(memory.entries(), 0);
    }
}
