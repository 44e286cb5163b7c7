//! `Challenge`: one sign-in by code, from the first text to the proof.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::gate::{ATTEMPTS, from_unix_ms, unix_ms};
use crate::otp::new::NewOtp;
use crate::otp::resend::ResendOtp;
use crate::otp::verify::{Verification, VerifyOtp, check_code};
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::refusal::{Reason, Refusal};
use crate::typestate::{HasLanguage, HasName};
use crate::verified::Verified;

/// A sign-in by code that is under way: which number it is for, and how many attempts and resends
/// are left.
///
/// [`NewOtp::challenge`] sends the first text and creates a challenge. Keep it in the person's
/// session, [`verify`](Self::verify) what they type, and [`resend`](Self::resend) the code when
/// they ask for it. The [`Policy`] limits all three. What it does not allow is [`Error::Refused`],
/// before anything is sent.
///
/// The proof of a challenge has a [`number`](Verified::number): log in that number, not one that a
/// form sends along. Otherwise a person can verify their own phone and claim another's.
///
/// The cookbook has a [web handler](crate::_cookbook#a-web-handler) with a challenge.
///
/// # Storing a challenge
///
/// A challenge serializes to a small map with a version, in any self-describing format such as JSON
/// or `MessagePack`. Deserializing a damaged challenge, or one of another version, is an error.
/// Treat it as a session without a challenge.
///
/// **Keep it on the server.** It contains the whole phone number, and it counts attempts. In a
/// cookie, a person could send an old copy and try again. Save it after every call, whatever the
/// outcome.
///
/// Two requests at the same moment read the same copy, and each counts one attempt. If that
/// matters, use [`verify_saving`](Self::verify_saving) with a store that can compare and swap, or a
/// guard (feature `guard`), which counts attempts itself.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Attempt, Challenge, NewOtp, Policy};
///
/// // POST /sign-in
/// let challenge = NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .challenge(&client, Policy::DEFAULT)?;
/// let session = serde_json::to_string(&challenge)?;
///
/// // POST /sign-in/code
/// # let typed = sandbox.phone("+14155552671").last_message().unwrap().code;
/// let mut challenge: Challenge = serde_json::from_str(&session)?;
/// let outcome = challenge.verify(&client, typed);
/// let session = serde_json::to_string(&challenge)?; // whatever the outcome
/// match outcome? {
///     Attempt::Verified(proof) => {
///         let number = proof.number().expect("a challenge has a number");
///         println!("signed in as {number}");
///     }
///     Attempt::Wrong { attempts_left } => println!("{attempts_left} left"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "save the challenge: the code can only be verified with it"]
pub struct Challenge {
    otp_id: OtpId,
    number: PhoneNumber,
    policy: Policy,
    /// When the first and the last text were sent, in Unix milliseconds.
    sent: u64,
    texted: u64,
    tried: u32,
    resent: u32,
    finished: bool,
    revision: u32,
}

impl<L, N> NewOtp<L, N> {
    /// Sends the request, as [`send`](Self::send) does, and returns the challenge to keep in the
    /// person's session.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use contiguity::{NewOtp, Policy};
    ///
    /// let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let challenge = otp.challenge(&client, Policy::DEFAULT.attempts(3))?;
    /// assert_eq!(challenge.attempts_left(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A request without a name does not compile:
    ///
    /// ```compile_fail,E0277
    /// # fn f(client: &contiguity::Client) -> Result<(), contiguity::Error> {
    /// use contiguity::{NewOtp, Policy};
    ///
    /// let otp = NewOtp::to("+14155552671").language("en");
    /// otp.challenge(client, Policy::DEFAULT)?;
    /// # Ok(()) }
    /// ```
    pub fn challenge(self, client: &Client, policy: Policy) -> Result<Challenge, Error>
    where
        L: HasLanguage,
        N: HasName,
    {
        let now = unix_ms(client.now());
        let sent = self.send(client)?;
        Ok(Challenge {
            otp_id: sent.otp_id,
            number: sent.number,
            policy,
            sent: now,
            texted: now,
            tried: 0,
            resent: 0,
            finished: false,
            revision: 0,
        })
    }
}

impl Challenge {
    /// Verifies the code that the person typed.
    ///
    /// Every call uses an attempt, and the attempt is counted before the call is made. If the call
    /// fails and the service certainly did not act on it, the attempt is given back. Text that is
    /// not a code uses no attempt.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`] if no attempt is left, the challenge has expired or has already
    ///   verified a code, or a guard refuses the call. Nothing was sent.
    /// - Otherwise as for [`VerifyOtp::send`].
    pub fn verify(&mut self, client: &Client, otp: impl Into<String>) -> Result<Attempt, Error> {
        self.verify_saving(client, otp, |_, _| Ok::<(), Infallible>(()))
    }

    /// Verifies a code like [`verify`](Self::verify), and saves the used attempt before the call.
    ///
    /// `save` receives the challenge to store and the [`revision`](Self::revision) that it
    /// replaces. It should replace a stored challenge only if it has that revision, in one step. If
    /// two requests read the same copy, one of them is then refused, and no one gets more attempts
    /// than the policy allows.
    ///
    /// Save the challenge after the call as well, with its own revision as the one to replace: an
    /// attempt may have been given back, and the right code ends the challenge. If that replaces
    /// nothing, another request was faster, and its copy stays.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with [`Reason::NotSaved`] if `save` returns an error. Nothing was sent,
    /// and no attempt is used. The error itself is dropped: log it in `save` if it matters.
    /// Otherwise as for [`verify`](Self::verify).
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use std::sync::Mutex;
    /// use contiguity::{Challenge, NewOtp, Policy};
    ///
    /// struct Conflict;
    ///
    /// fn compare_and_swap(
    ///     stored: &Mutex<Challenge>,
    ///     new: &Challenge,
    ///     replaces: u32,
    /// ) -> Result<(), Conflict> {
    ///     let mut stored = stored.lock().unwrap();
    ///     if stored.revision() != replaces {
    ///         return Err(Conflict);
    ///     }
    ///     *stored = new.clone();
    ///     Ok(())
    /// }
    ///
    /// let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let stored = Mutex::new(otp.challenge(&client, Policy::DEFAULT)?);
    ///
    /// let mut challenge = stored.lock().unwrap().clone();
    /// let mut copy = challenge.clone();
    /// let save = |new: &Challenge, replaces| {
    ///     compare_and_swap(&stored, new, replaces)
    /// };
    /// let outcome = challenge.verify_saving(&client, "0000", save);
    /// let _ = save(&challenge, challenge.revision()); // after the call
    /// assert!(outcome.is_ok());
    /// # assert_eq!(*stored.lock().unwrap(), challenge);
    ///
    /// // Another request read the same copy.
    /// assert!(copy.verify_saving(&client, "0001", save).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn verify_saving<E>(
        &mut self,
        client: &Client,
        otp: impl Into<String>,
        save: impl FnOnce(&Self, u32) -> Result<(), E>,
    ) -> Result<Attempt, Error> {
        let typed = otp.into();
        self.check_open(unix_ms(client.now()))?;
        if self.attempts_left() == 0 {
            return Err(refused(Reason::NoAttemptsLeft, None));
        }
        check_code(&typed)?;
        let before = self.clone();
        self.tried += 1;
        self.save(&before, save)?;
        let check = VerifyOtp::of(self.otp_id.clone(), self.number, self.policy.attempts).otp(typed).send(client);
        match check.map(Verification::proof) {
            Ok(Ok(proof)) => {
                self.finished = true;
                Ok(Attempt::Verified(proof))
            }
            Ok(Err(_)) => Ok(Attempt::Wrong { attempts_left: self.attempts_left() }),
            Err(error) => {
                if !error.may_have_sent() {
                    self.tried = before.tried;
                }
                Err(error)
            }
        }
    }

    /// Texts the same code once more.
    ///
    /// The code does not change, and its time is not extended.
    ///
    /// # Errors
    ///
    /// - [`Error::Refused`] if no attempt or no resend is left, the last text is too recent, the
    ///   challenge has expired or its code was already used, or a guard refuses the call. No text was
    ///   sent.
    /// - Otherwise as for [`ResendOtp::send`].
    pub fn resend(&mut self, client: &Client) -> Result<(), Error> {
        self.resend_saving(client, |_, _| Ok::<(), Infallible>(()))
    }

    /// Texts the code again like [`resend`](Self::resend), and saves the used resend before the
    /// call.
    ///
    /// For `save`, and for saving after the call, see [`verify_saving`](Self::verify_saving).
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with [`Reason::NotSaved`] if `save` returns an error. Otherwise as for
    /// [`resend`](Self::resend).
    pub fn resend_saving<E>(
        &mut self,
        client: &Client,
        save: impl FnOnce(&Self, u32) -> Result<(), E>,
    ) -> Result<(), Error> {
        let now = unix_ms(client.now());
        self.check_open(now)?;
        if self.attempts_left() == 0 {
            // The text would be of no use.
            return Err(refused(Reason::NoAttemptsLeft, None));
        }
        if self.resends_left() == 0 {
            return Err(refused(Reason::NoResendsLeft, None));
        }
        let wait = self.next_resend().saturating_sub(now);
        if wait > 0 {
            return Err(refused(Reason::TooSoon, Some(Duration::from_millis(wait))));
        }
        let before = self.clone();
        self.resent += 1;
        self.texted = now;
        self.save(&before, save)?;
        match ResendOtp::of(self.otp_id.clone(), self.number).send(client) {
            Ok(again) if again.resent => Ok(()),
            // A challenge does not outlive its code, so the code was used.
            Ok(_) => Err(refused(Reason::Finished, None)),
            Err(error) => {
                if !error.may_have_sent() {
                    (self.resent, self.texted) = (before.resent, before.texted);
                }
                Err(error)
            }
        }
    }

    /// Returns the id of the code.
    #[must_use]
    pub fn otp_id(&self) -> &OtpId {
        &self.otp_id
    }

    /// Returns the number that the code was sent to.
    #[must_use]
    pub fn number(&self) -> PhoneNumber {
        self.number
    }

    /// Returns how many codes may still be tried.
    #[must_use]
    pub fn attempts_left(&self) -> u32 {
        self.policy.attempts.saturating_sub(self.tried)
    }

    /// Returns how often the code may still be sent again.
    #[must_use]
    pub fn resends_left(&self) -> u32 {
        self.policy.resends.saturating_sub(self.resent)
    }

    /// Returns the number of attempts and resends so far, also of those that were given back.
    ///
    /// Copies of a challenge with different revisions are different: see
    /// [`verify_saving`](Self::verify_saving).
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Returns when the code may be sent again, or `None` if it may not.
    ///
    /// For a countdown on a page use [`resend_in`](Self::resend_in), which reads the right clock.
    #[must_use]
    pub fn next_resend_at(&self) -> Option<SystemTime> {
        let next = self.next_resend();
        let is_open = !self.finished && self.attempts_left() > 0 && self.resends_left() > 0;
        let possible = is_open && next < self.expires();
        possible.then(|| from_unix_ms(next))
    }

    /// Returns when the challenge expires.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        from_unix_ms(self.expires())
    }

    /// Returns how long to wait until the code may be sent again, by the client's clock: zero if it
    /// may be now, and `None` if it may not be sent again.
    ///
    /// # Examples
    ///
    /// ```
    /// # let sandbox = contiguity::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client();
    /// use std::time::Duration;
    /// use contiguity::{NewOtp, Policy};
    ///
    /// let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let challenge = otp.challenge(&client, Policy::DEFAULT)?;
    /// let wait = challenge.resend_in(&client).expect("a resend is left");
    /// assert!(wait <= Duration::from_secs(30));
    ///
    /// sandbox.advance(Duration::from_secs(30));
    /// assert_eq!(challenge.resend_in(&client), Some(Duration::ZERO));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn resend_in(&self, client: &Client) -> Option<Duration> {
        let now = unix_ms(client.now());
        self.next_resend_at()?;
        // After a clock that went back, at most the whole cooldown is left.
        let since = now.saturating_sub(self.texted);
        (now < self.expires()).then(|| Duration::from_millis(self.cooldown().saturating_sub(since)))
    }

    /// Fails if the challenge is over. After a clock that went back, its ages stay as they were.
    fn check_open(&mut self, now: u64) -> Result<(), Error> {
        let ahead = self.texted.saturating_sub(now);
        self.texted -= ahead;
        self.sent = self.sent.saturating_sub(ahead);
        if self.finished {
            return Err(refused(Reason::Finished, None));
        }
        if now >= self.expires() {
            return Err(refused(Reason::Expired, None));
        }
        Ok(())
    }

    /// Puts the changes since `before` on record, or takes them back.
    fn save<E>(&mut self, before: &Self, save: impl FnOnce(&Self, u32) -> Result<(), E>) -> Result<(), Error> {
        self.revision = before.revision.wrapping_add(1);
        save(self, before.revision).map_err(|_| {
            self.clone_from(before);
            refused(Reason::NotSaved, None)
        })
    }

    fn expires(&self) -> u64 {
        self.sent.saturating_add(milliseconds(self.policy.lifetime))
    }

    fn next_resend(&self) -> u64 {
        self.texted.saturating_add(self.cooldown())
    }

    /// Doubles with every resend.
    fn cooldown(&self) -> u64 {
        let doubled = 1_u64.checked_shl(self.resent).unwrap_or(u64::MAX);
        milliseconds(self.policy.cooldown).saturating_mul(doubled)
    }
}

/// What a [`Challenge`] allows.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use contiguity::Policy;
///
/// const POLICY: Policy =
///     Policy::DEFAULT.attempts(3).lifetime(Duration::from_secs(300));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    attempts: u32,
    resends: u32,
    cooldown: Duration,
    lifetime: Duration,
}

impl Policy {
    /// 5 attempts, 3 resends, 30 seconds before the first resend, and a lifetime of 10 minutes.
    pub const DEFAULT: Self =
        Self { attempts: ATTEMPTS, resends: 3, cooldown: Duration::from_secs(30), lifetime: Duration::from_secs(600) };

    /// Sets how many codes may be tried.
    ///
    /// Defaults to 5.
    #[must_use]
    pub const fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Sets how often the code may be sent again.
    ///
    /// Defaults to 3.
    #[must_use]
    pub const fn resends(self, resends: u32) -> Self {
        Self { resends, ..self }
    }

    /// Sets the time from the first text to the first resend. It doubles after every resend.
    ///
    /// Defaults to 30 seconds.
    #[must_use]
    pub const fn cooldown(self, cooldown: Duration) -> Self {
        Self { cooldown, ..self }
    }

    /// Sets how long a challenge may be verified after its first text: up to 15 minutes, after
    /// which the service's codes expire. A longer time counts as 15 minutes.
    ///
    /// Defaults to 10 minutes.
    #[must_use]
    pub const fn lifetime(self, lifetime: Duration) -> Self {
        let lifetime = if lifetime.as_secs() < MAX_LIFETIME.as_secs() { lifetime } else { MAX_LIFETIME };
        Self { lifetime, ..self }
    }
}

/// The outcome of an attempt at a [`Challenge`].
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// # let otp = contiguity::NewOtp::to("+14155552671").language("en").name("MyApp");
/// # let mut challenge = otp.challenge(&client, contiguity::Policy::DEFAULT)?;
/// use contiguity::Attempt;
///
/// let attempt = challenge.verify(&client, "0000")?;
/// assert_eq!(attempt, Attempt::Wrong { attempts_left: 4 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a wrong code is not an error: match on the attempt"]
pub enum Attempt {
    /// The code was right. The proof has the number that the code was sent to.
    Verified(Verified),
    /// The code was wrong, or the service no longer accepts it.
    Wrong {
        /// How many codes may still be tried.
        attempts_left: u32,
    },
}

/// A map in every format, with a `version`.
impl Serialize for Challenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored {
            version: VERSION,
            otp_id: self.otp_id.clone(),
            number: self.number,
            sent: self.sent,
            texted: self.texted,
            attempts: self.policy.attempts,
            tried: self.tried,
            resends: self.policy.resends,
            resent: self.resent,
            cooldown: milliseconds(self.policy.cooldown),
            lifetime: milliseconds(self.policy.lifetime),
            finished: self.finished,
            revision: self.revision,
        };
        // A map in every format, since some formats drop the names of fields and the version is
        // read first.
        serde_json::to_value(stored).expect("numbers and texts are JSON").serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Challenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The errors of serde quote what they read, which may be a phone number.
        let damaged = || D::Error::custom("the stored challenge is damaged; start again with a new one");
        let value = Value::deserialize(deserializer).map_err(|_| damaged())?;
        let version = value.get("version").and_then(Value::as_u64).ok_or_else(damaged)?;
        if version != VERSION {
            return Err(D::Error::custom(
                "the stored challenge is of another version of this library; start again with a new one",
            ));
        }
        let stored: Stored = serde_json::from_value(value).map_err(|_| damaged())?;
        // The first text is not later than the last one. Otherwise it could expire too late.
        if stored.sent > stored.texted {
            return Err(damaged());
        }
        let policy = Policy {
            attempts: stored.attempts,
            resends: stored.resends,
            cooldown: Duration::from_millis(stored.cooldown),
            lifetime: Duration::from_millis(stored.lifetime),
        };
        Ok(Self {
            otp_id: stored.otp_id,
            number: stored.number,
            policy: policy.lifetime(policy.lifetime),
            sent: stored.sent,
            texted: stored.texted,
            tried: stored.tried,
            resent: stored.resent,
            finished: stored.finished,
            revision: stored.revision,
        })
    }
}

/// A challenge as it is stored. Any change of a field's name or meaning needs another version.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u64,
    otp_id: OtpId,
    number: PhoneNumber,
    sent: u64,
    texted: u64,
    attempts: u32,
    tried: u32,
    resends: u32,
    resent: u32,
    cooldown: u64,
    lifetime: u64,
    finished: bool,
    revision: u32,
}

fn refused(reason: Reason, retry_after: Option<Duration>) -> Error {
    Error::Refused(Refusal::new(reason, retry_after, None))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const VERSION: u64 = 1;

/// The service's codes expire 15 minutes after the first text.
const MAX_LIFETIME: Duration = Duration::from_secs(15 * 60);
