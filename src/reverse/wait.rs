//! Waiting for the person's text: poll, then cancel when time is up.
//!
//! Each poll is one status read without retries, since the next poll is the retry. Time is counted by
//! one clock, the system's or a sandbox's, and never by the service's dates: from those only the
//! remaining life of the session is taken, as the difference of two of them. When time is up, the
//! session is cancelled, so that a late text verifies no one. If that fails, the status is read once
//! more, since the person may have texted just then.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::client::Client;
use crate::envelope::Metadata;
use crate::error::Error;
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::status::Status;
use crate::validate::{self, Input};
use crate::verified::{NotVerified, Verified};

use super::cancel::CancelReverseOtp;
use super::initiate::{Origin, ReverseSession};
use super::verify::{ReverseStatus, VerifyReverseOtp};

impl ReverseSession {
    /// Starts a wait until the person has texted or time is up. See [`Wait`] for its settings.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::InitiateReverseOtp;
    ///
    /// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// # sandbox.phone("+14155552671").text(&session.to, &session.factor);
    /// let proof = session.wait(&client).run()?.proof()?;
    /// assert_eq!(proof.number(), Some(session.number));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait<'a>(&self, client: &'a Client) -> Wait<'a> {
        let Origin { otp_id, number, received } = &self.origin;
        let number = (*otp_id == self.otp_id).then_some(*number);
        let left = left(self.expires_at, &self.metadata).map(|left| left.saturating_sub(received.elapsed()));
        Wait { number, left, ..Wait::new(Input::from(&self.otp_id), client) }
    }
}

impl VerifyReverseOtp {
    /// Starts a wait for a session by its stored id.
    ///
    /// The proof then contains the id, but not the number.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
    /// # sandbox.phone("+14155552671").text(&session.to, &session.factor);
    /// # let stored_id = session.otp_id.to_string();
    /// use contiguity::VerifyReverseOtp;
    ///
    /// let wait = VerifyReverseOtp::otp_id(stored_id).wait(&client);
    /// let proof = wait.run()?.proof()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(self, client: &Client) -> Wait<'_> {
        Wait::new(self.otp_id, client)
    }
}

/// A wait for the person's text. Nothing happens until [`run`](Self::run) is called.
///
/// Polls immediately, again after 2 seconds, then backs off to every 20 seconds: some twenty polls in
/// the default five minutes. It blocks the calling thread and starts no other.
///
/// Created by [`ReverseSession::wait`] and [`VerifyReverseOtp::wait`].
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let clock = sandbox.clock();
/// use std::time::Duration;
/// use contiguity::InitiateReverseOtp;
/// use contiguity::reverse::Outcome;
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// let outcome = session
///     .wait(&client)
///     .timeout(Duration::from_secs(120))
/// #   .clock(&clock)
///     .run()?;
/// match outcome {
///     Outcome::Verified(proof) => println!("signed in with {}", proof.otp_id()),
///     Outcome::TimedOut { .. } => println!("too late"),
///     other => println!("not signed in: {other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing happens until `.run()` is called"]
pub struct Wait<'a, F = fn(&ReverseStatus) -> ControlFlow<()>> {
    client: &'a Client,
    otp_id: Input<OtpId>,
    /// For the proof, if the session is known.
    number: Option<PhoneNumber>,
    /// How long the session lives, if that is known.
    left: Option<Duration>,
    timeout: Duration,
    interval: (Duration, Duration),
    on_poll: F,
    stop: Stop,
    cancel_on_timeout: bool,
    clock: &'a dyn Clock,
}

impl<'a> Wait<'a> {
    fn new(otp_id: Input<OtpId>, client: &'a Client) -> Self {
        Self {
            client,
            otp_id,
            number: None,
            left: None,
            timeout: TIMEOUT,
            interval: INTERVAL,
            on_poll: |_| ControlFlow::Continue(()),
            stop: Stop::new(),
            cancel_on_timeout: true,
            clock: &SystemClock,
        }
    }
}

impl<'a, F: FnMut(&ReverseStatus) -> ControlFlow<()>> Wait<'a, F> {
    /// Sets the maximum duration of the wait. It never exceeds the lifetime of the session.
    ///
    /// The wait can run over by 1 second for a poll in progress, plus 10 seconds for each final call
    /// (see [`run`](Self::run)).
    ///
    /// Defaults to 5 minutes, as in the vendor's guide.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the time between two polls.
    ///
    /// Starts at `initial`, grows by 50% after each poll up to `max`, with ±10% jitter. The minimum
    /// is 100 milliseconds. A `max` below `initial` counts as `initial`.
    ///
    /// Defaults to 2 and 20 seconds.
    pub fn interval(self, initial: Duration, max: Duration) -> Self {
        Self { interval: (initial, max), ..self }
    }

    /// Sets a function that is called with every status, to show progress.
    ///
    /// `ControlFlow::Break(())` stops the wait, unless the status ends it anyway.
    ///
    /// Defaults to a function that does nothing.
    pub fn on_poll<G: FnMut(&ReverseStatus) -> ControlFlow<()>>(self, on_poll: G) -> Wait<'a, G> {
        let Self { client, otp_id, number, left, timeout, interval, stop, cancel_on_timeout, clock, .. } = self;
        Wait { client, otp_id, number, left, timeout, interval, on_poll, stop, cancel_on_timeout, clock }
    }

    /// Sets a handle that stops the wait from a Ctrl-C handler or another thread.
    ///
    /// Defaults to none.
    pub fn stop_on(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Sets whether the session is cancelled when time is up, so that a late text verifies no one.
    ///
    /// Defaults to `true`.
    pub fn cancel_on_timeout(self, cancel_on_timeout: bool) -> Self {
        Self { cancel_on_timeout, ..self }
    }

    /// Sets the clock to wait by. With a sandbox's clock, a five-minute wait ends at once.
    ///
    /// Defaults to the system's clock.
    pub fn clock(self, clock: &'a dyn Clock) -> Self {
        Self { clock, ..self }
    }

    /// Waits until the person has texted, the session has ended, or time is up.
    ///
    /// A poll that fails for a temporary reason does not end the wait. When time is up, the session
    /// is cancelled. If that fails, the status is read once more, since the person may have texted
    /// just then.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is not valid.
    /// - The error of a poll that would fail again: a wrong key, an unknown id, a response that cannot
    ///   be read, a refused certificate.
    pub fn run(mut self) -> Result<Outcome, Error> {
        let otp_id = validate::only_otp_id(std::mem::replace(&mut self.otp_id, Input::from("")))?;
        let (initial, max) = self.interval;
        let mut interval = initial.clamp(MIN_INTERVAL, MAX_INTERVAL);
        let max = max.clamp(interval, MAX_INTERVAL);
        let started = self.clock.now();
        let mut time = self.left.map_or(self.timeout, |left| self.timeout.min(left));
        loop {
            let left = time.saturating_sub(self.elapsed(started));
            let mut pause = jittered(interval);
            // One poll is one request: the next poll is its retry.
            match read(&otp_id, &self.client.within(left.max(MIN_READ)).with_retries(0)) {
                Ok(status) => {
                    if let Some(left) = self::left(status.expires_at, &status.metadata) {
                        time = time.min(self.elapsed(started).saturating_add(left));
                    }
                    let flow = (self.on_poll)(&status);
                    if let Some(outcome) = self.ended(status) {
                        return Ok(outcome);
                    }
                    if flow.is_break() {
                        return Ok(Outcome::Stopped);
                    }
                }
                Err(error) if error.is_retryable() => pause = pause.max(error.retry_after().unwrap_or_default()),
                Err(error) => return Err(error),
            }
            let left = time.saturating_sub(self.elapsed(started));
            if !left.is_zero() {
                self.clock.sleep(pause.min(left), &self.stop);
            }
            if self.stop.is_stopped() {
                return Ok(Outcome::Stopped);
            }
            if left.is_zero() {
                return Ok(self.time_is_up(&otp_id));
            }
            interval = (interval * 3 / 2).min(max);
        }
    }

    /// Returns the outcome of a status that ends the wait. An unknown status counts as pending.
    fn ended(&self, status: ReverseStatus) -> Option<Outcome> {
        match status.status {
            // What the service said counts, not what a callback may have written to the status.
            _ if status.is_verified() => {
                let otp_id = status.proof().ok()?.otp_id().clone();
                Some(Outcome::Verified(Verified::new(otp_id, self.number)))
            }
            Status::Expired => Some(Outcome::Expired),
            Status::Cancelled => Some(Outcome::Cancelled),
            _ => None,
        }
    }

    fn time_is_up(&self, otp_id: &OtpId) -> Outcome {
        if !self.cancel_on_timeout {
            return Outcome::TimedOut { cancelled: false };
        }
        let client = self.client.within(MAX_LAST_CALL);
        let cancellation = CancelReverseOtp::otp_id(otp_id).send(&client);
        if cancellation.is_ok_and(|cancellation| cancellation.status == Status::Cancelled) {
            return Outcome::TimedOut { cancelled: true };
        }
        match read(otp_id, &client).ok().and_then(|status| self.ended(status)) {
            // The response to the cancellation was lost, or another program cancelled first.
            Some(Outcome::Cancelled) => Outcome::TimedOut { cancelled: true },
            Some(outcome) => outcome,
            None => Outcome::TimedOut { cancelled: false },
        }
    }

    fn elapsed(&self, started: Instant) -> Duration {
        self.clock.now().saturating_duration_since(started)
    }
}

impl<F> fmt::Debug for Wait<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("otp_id", &self.otp_id)
            .field("timeout", &self.timeout)
            .field("interval", &self.interval)
            .field("cancel_on_timeout", &self.cancel_on_timeout)
            .finish_non_exhaustive()
    }
}

/// How a wait ended. Call [`proof`](Self::proof) before you sign anyone in.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let session = contiguity::InitiateReverseOtp::number("+14155552671").send(&client)?;
/// use contiguity::reverse::Outcome;
///
/// # sandbox.phone("+14155552671").text(&session.to, &session.factor);
/// let page = match session.wait(&client).run()? {
///     Outcome::Verified(proof) => format!("signed in with {}", proof.otp_id()),
///     Outcome::Expired | Outcome::TimedOut { .. } => "too late".to_owned(),
///     other => format!("not signed in: {other:?}"),
/// };
/// # assert!(page.starts_with("signed in"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "only `Outcome::Verified` signs the person in: call `.proof()`"]
#[non_exhaustive]
pub enum Outcome {
    /// The person texted. The proof contains the number if [`ReverseSession::wait`] created the wait.
    Verified(Verified),
    /// The session expired before the person texted.
    Expired,
    /// Another program cancelled the session.
    Cancelled,
    /// The wait timed out.
    TimedOut {
        /// Whether the session is cancelled now. If not, a late text may still verify the person.
        cancelled: bool,
    },
    /// The callback of [`Wait::on_poll`] or a [`Stop`] ended the wait. The session is still open.
    Stopped,
}

impl Outcome {
    /// Returns the proof that the person was verified, for the function that signs them in.
    ///
    /// # Errors
    ///
    /// [`NotVerified`] for every outcome other than [`Verified`](Self::Verified).
    pub fn proof(self) -> Result<Verified, NotVerified> {
        match self {
            Self::Verified(proof) => Ok(proof),
            Self::Expired => Err(NotVerified::status_is(Status::Expired)),
            Self::Cancelled => Err(NotVerified::status_is(Status::Cancelled)),
            Self::TimedOut { .. } => Err(NotVerified::TIMED_OUT),
            Self::Stopped => Err(NotVerified::STOPPED),
        }
    }
}

/// A handle that stops a [`Wait`] from a Ctrl-C handler or another thread.
///
/// Clones stop the same waits. Once stopped, a handle also stops later waits.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::InitiateReverseOtp;
/// use contiguity::reverse::{Outcome, Stop};
///
/// let stop = Stop::new();
/// let handler = stop.clone();
/// std::thread::spawn(move || handler.stop()); // for example on Ctrl-C
///
/// let session = InitiateReverseOtp::number("+14155552671").send(&client)?;
/// let outcome = session.wait(&client).stop_on(&stop).run()?;
/// assert_eq!(outcome, Outcome::Stopped);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Creates a handle that has not been used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the waits with this handle, now and in the future.
    ///
    /// A wait that sleeps ends at once, and one that is polling ends after the response.
    pub fn stop(&self) {
        let (stopped, changed) = &*self.shared;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Reports whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, unless and until it is stopped.
    fn sleep(&self, duration: Duration) {
        let (stopped, changed) = &*self.shared;
        let stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_timeout_while(stopped, duration, |stopped| !*stopped));
    }
}

/// The clock of a [`Wait`]: the system's, or a sandbox's.
///
/// This trait is sealed. `Sandbox::clock` (feature `sandbox`) returns a clock that moves the
/// sandbox's time, so that a five-minute wait ends at once.
pub trait Clock: sealed::Clock {}

impl<C: sealed::Clock> Clock for C {}

pub(crate) mod sealed {
    use std::fmt;
    use std::time::{Duration, Instant};

    use super::Stop;

    pub trait Clock: fmt::Debug + Send + Sync {
        /// Returns the time now, which never goes back.
        fn now(&self) -> Instant;

        /// Returns once this much time has passed by this clock, or the wait is stopped.
        fn sleep(&self, duration: Duration, stop: &Stop);
    }
}

#[derive(Debug)]
struct SystemClock;

impl sealed::Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration, stop: &Stop) {
        stop.sleep(duration);
    }
}

/// Returns how long a session lives from its response on, by the service's clock only: ours may
/// differ.
fn left(expires_at: Option<SystemTime>, metadata: &Metadata) -> Option<Duration> {
    let left = expires_at?.duration_since(metadata.timestamp?).unwrap_or_default();
    // Both times are cut to milliseconds: a poll in the last of them would come too early to see the
    // end.
    Some(left.saturating_add(Duration::from_millis(1)))
}

fn read(otp_id: &OtpId, client: &Client) -> Result<ReverseStatus, Error> {
    VerifyReverseOtp::otp_id(otp_id).send(client)
}

/// ±10%, so that waits that began together do not poll together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// As in the vendor's guide.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The guide polls every 2 s. The API's notes ask for 20 s or more in production.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(20));

/// A shorter interval would be a busy loop.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// As good as never, and a time that can still be multiplied.
const MAX_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);

/// A poll just before the end still has time for a response.
const MIN_READ: Duration = Duration::from_secs(1);

/// How long each of the two calls after the end may take.
const MAX_LAST_CALL: Duration = Duration::from_secs(10);
