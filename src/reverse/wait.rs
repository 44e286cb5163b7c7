//! Waiting for the person's text: poll, then cancel when time is up.

use std::fmt;
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::client::Client;
use crate::envelope::Metadata;
use crate::error::Error;
use crate::otp::OtpId;
use crate::phone::PhoneNumber;
use crate::reverse::{CancelReverseOtp, ReverseStatus, Status, VerifyReverseOtp};
use crate::validate::{Faults, Input};
use crate::verified::Verified;

/// A wait for a person's text, made by [`ReverseSession::wait`](crate::ReverseSession::wait) or
/// [`VerifyReverseOtp::wait`]. Nothing happens until [`run`](Self::run).
///
/// The wait asks for the status at once, again after 2 seconds, then ever more rarely up to every 20 seconds: some twenty
/// times in the default five minutes. It blocks its thread and starts no other.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let clock = sandbox.clock();
/// use std::ops::ControlFlow;
/// use std::time::Duration;
/// use contiguity::InitiateReverseOtp;
/// use contiguity::reverse::Outcome;
///
/// let session = InitiateReverseOtp::number("+14155552671").factor("MyApp2024").send(&client)?;
/// let outcome = session
///     .wait(&client)
///     .timeout(Duration::from_secs(120))
///     .on_poll(|status| {
///         println!("{}", status.status);
///         ControlFlow::Continue(())
///     })
/// #   .clock(&clock)
///     .run()?;
/// match outcome {
///     Outcome::Verified(proof) => println!("signed in by {}", proof.otp_id()),
///     Outcome::TimedOut { .. } => println!("too late"),
///     other => println!("not signed in: {other:?}"),
/// }
/// # Ok::<(), contiguity::Error>(())
/// ```
#[must_use = "nothing is waited for until `.run()`"]
pub struct Wait<'a, F = fn(&ReverseStatus) -> ControlFlow<()>> {
    client: &'a Client,
    otp_id: Input<OtpId>,
    /// For the proof, where the session is known.
    number: Option<PhoneNumber>,
    /// How long the session lives, where that is known.
    left: Option<Duration>,
    timeout: Duration,
    interval: (Duration, Duration),
    on_poll: F,
    cancel_on_timeout: bool,
    clock: &'a dyn Clock,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(otp_id: Input<OtpId>, client: &'a Client) -> Self {
        Self {
            client,
            otp_id,
            number: None,
            left: None,
            timeout: TIMEOUT,
            interval: INTERVAL,
            on_poll: |_| ControlFlow::Continue(()),
            cancel_on_timeout: true,
            clock: &SystemClock,
        }
    }

    pub(crate) fn knowing(self, number: Option<PhoneNumber>, left: Option<Duration>) -> Self {
        Self { number, left, ..self }
    }
}

impl<'a, F: FnMut(&ReverseStatus) -> ControlFlow<()>> Wait<'a, F> {
    /// How long to wait. Defaults to 5 minutes, as in the vendor's guide; never longer than the session lives. A read that has
    /// begun may take a second more, and the calls that end the wait 10 seconds each ([`run`](Self::run)).
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long to wait between two reads: `first` after the first one, then half as long again each time, up to `most`;
    /// each a tenth shorter or longer, at random. Defaults to 2 and 20 seconds. Shorter than 100 ms counts as 100 ms, and a
    /// `most` below `first` as `first`.
    pub fn interval(self, first: Duration, most: Duration) -> Self {
        Self { interval: (first, most), ..self }
    }

    /// What to do with every status that is read: show progress, or stop the wait with `ControlFlow::Break(())`. A status
    /// that ends the wait anyway does so whatever this returns. Defaults to nothing.
    pub fn on_poll<G: FnMut(&ReverseStatus) -> ControlFlow<()>>(self, on_poll: G) -> Wait<'a, G> {
        let Self { client, otp_id, number, left, timeout, interval, cancel_on_timeout, clock, .. } = self;
        Wait { client, otp_id, number, left, timeout, interval, on_poll, cancel_on_timeout, clock }
    }

    /// Whether to cancel the session when time is up, so that a late text verifies nobody. Defaults to `true`.
    pub fn cancel_on_timeout(self, cancel_on_timeout: bool) -> Self {
        Self { cancel_on_timeout, ..self }
    }

    /// The clock to wait by. Defaults to the system's; tests bring their own, such as the sandbox's, by which five minutes
    /// take no time.
    pub fn clock(self, clock: &'a dyn Clock) -> Self {
        Self { clock, ..self }
    }

    /// Waits.
    ///
    /// Each poll is one request. One that fails for a passing reason does not end the wait, and the next poll comes when it
    /// is due. When time is up, the status is read a last time, and the
    /// session is cancelled. A cancellation that fails is no error: the status is read once more instead, since the
    /// person may have texted in that very moment. Each of these last calls takes 10 seconds at most.
    ///
    /// # Errors
    ///
    /// - [`Error::Validation`] if the id is no id.
    /// - The error of a read that would fail again: a wrong key, an unknown id, an answer that cannot be read, a refused
    ///   certificate.
    /// - [`Error::Config`] if the client's time-out is zero.
    pub fn run(mut self) -> Result<Outcome, Error> {
        let mut faults = Faults::default();
        let otp_id = std::mem::replace(&mut self.otp_id, Input::from("")).check();
        let Some(otp_id) = faults.check("otp_id", otp_id) else {
            return Err(faults.into_error());
        };
        let (first, most) = self.interval;
        let mut interval = first.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        let most = most.clamp(interval, LONGEST_INTERVAL);
        let began = self.clock.now();
        let mut time = self.left.map_or(self.timeout, |left| self.timeout.min(left));
        loop {
            let left = time.saturating_sub(self.elapsed(began));
            let mut pause = jittered(interval);
            // The next poll is the repeat: one poll is one request.
            match read(&otp_id, &self.client.hurried(left.max(SHORTEST_READ)).with_retries(0)) {
                Ok(status) => {
                    if let Some(left) = self::left(status.expires_at, &status.metadata) {
                        // Seldom does the person's text come in the instant of expiry; the status says what is true then.
                        time = time.min(self.elapsed(began).saturating_add(left));
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
            let left = time.saturating_sub(self.elapsed(began));
            if left.is_zero() {
                return Ok(self.time_is_up(&otp_id));
            }
            if self.clock.sleep(pause.min(left)).is_break() {
                return Ok(Outcome::Stopped);
            }
            interval = (interval * 3 / 2).min(most);
        }
    }

    /// The outcome of a status that ends the wait. An unknown one counts as pending.
    fn ended(&self, status: ReverseStatus) -> Option<Outcome> {
        match status.status {
            Status::Expired => Some(Outcome::Expired),
            Status::Cancelled => Some(Outcome::Cancelled),
            // What the service said counts, whatever a callback may have been given to write to.
            _ => status.proof().ok().map(|proof| Outcome::Verified(proof.with_number(self.number))),
        }
    }

    fn time_is_up(&self, otp_id: &OtpId) -> Outcome {
        if !self.cancel_on_timeout {
            return Outcome::TimedOut { cancelled: false };
        }
        let client = self.client.hurried(LONGEST_LAST_CALL);
        let cancellation = CancelReverseOtp::otp_id(otp_id).send(&client);
        if cancellation.is_ok_and(|cancellation| cancellation.status == Status::Cancelled) {
            return Outcome::TimedOut { cancelled: true };
        }
        match read(otp_id, &client).ok().and_then(|status| self.ended(status)) {
            // The answer to the cancellation was lost, or somebody else was faster.
            Some(Outcome::Cancelled) => Outcome::TimedOut { cancelled: true },
            Some(outcome) => outcome,
            None => Outcome::TimedOut { cancelled: false },
        }
    }

    fn elapsed(&self, began: Instant) -> Duration {
        self.clock.now().saturating_duration_since(began)
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

/// How a wait ended.
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
/// let words = match session.wait(&client).run()? {
///     Outcome::Verified(proof) => format!("welcome, {:?}", proof.number()),
///     Outcome::Expired | Outcome::TimedOut { .. } => "too late".to_owned(),
///     Outcome::Cancelled | Outcome::Stopped => "never mind".to_owned(),
///     other => format!("{other:?}"),
/// };
/// # assert!(words.starts_with("welcome"));
/// # Ok::<(), contiguity::Error>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "only `Outcome::Verified` lets the person in"]
#[non_exhaustive]
pub enum Outcome {
    /// The person texted, and this proves it. It knows the number, if the wait began with the session.
    Verified(Verified),
    /// The session ended before the person texted.
    Expired,
    /// Somebody else cancelled the session.
    Cancelled,
    /// The wait's time was up.
    TimedOut {
        /// Whether the session is cancelled now. If not, a late text may still verify the person.
        cancelled: bool,
    },
    /// The callback of [`Wait::on_poll`] or the [`Clock`] stopped the wait. The session is still open.
    Stopped,
}

/// What a [`Wait`] tells the time by, and sleeps by.
///
/// For tests, so that none sleeps for real: `Sandbox::clock` (feature `sandbox`) moves the sandbox's time along.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow;
/// use std::sync::Mutex;
/// use std::time::{Duration, Instant};
/// use contiguity::reverse::Clock;
///
/// /// A clock that only sleeping moves.
/// #[derive(Debug)]
/// struct Still(Mutex<Instant>);
///
/// impl Clock for Still {
///     fn now(&self) -> Instant {
///         *self.0.lock().unwrap()
///     }
///
///     fn sleep(&self, duration: Duration) -> ControlFlow<()> {
///         *self.0.lock().unwrap() += duration;
///         ControlFlow::Continue(())
///     }
/// }
///
/// let clock = Still(Mutex::new(Instant::now()));
/// let before = clock.now();
/// assert!(clock.sleep(Duration::from_secs(3600)).is_continue());
/// assert_eq!(clock.now() - before, Duration::from_secs(3600));
/// ```
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now. It never goes back.
    fn now(&self) -> Instant;

    /// Returns once this much time has passed by this clock, or sooner: the status is read then and there.
    ///
    /// `ControlFlow::Break(())` stops the wait, whether the service answers or not; it ends as [`Outcome::Stopped`].
    fn sleep(&self, duration: Duration) -> ControlFlow<()>;
}

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        thread::sleep(duration);
        ControlFlow::Continue(())
    }
}

/// How long a session lives from its answer on, by the service's clock alone, since ours may be another.
pub(super) fn left(expires_at: Option<SystemTime>, metadata: &Metadata) -> Option<Duration> {
    let left = expires_at?.duration_since(metadata.timestamp?).unwrap_or_default();
    // Both times are cut to milliseconds: a read in the last of them would come too early to see the end.
    Some(left.saturating_add(Duration::from_millis(1)))
}

fn read(otp_id: &OtpId, client: &Client) -> Result<ReverseStatus, Error> {
    VerifyReverseOtp::otp_id(otp_id).send(client)
}

/// A tenth more or less, so that many waits that began together do not ask together.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// As in the vendor's guide.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The guide polls every 2 s; the API's notes ask for 20 s or more in production.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(20));

/// Below this a wait would be a busy loop.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// As good as never, and a time that can still be reckoned with.
const LONGEST_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);

/// A read that begins just before the end still has time for an answer.
const SHORTEST_READ: Duration = Duration::from_secs(1);

/// What may come after the wait's own time, for each of at most two calls.
const LONGEST_LAST_CALL: Duration = Duration::from_secs(10);
