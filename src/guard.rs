//! Limits on texts and attempts, decided before anything is sent.
//!
//! Requires the feature `guard`.
//!
//! A sign-in page that sends texts lets strangers spend your money, and one that verifies codes
//! lets them guess. A [`Guard`] limits both. It takes the client, so that all calls pass the guard.
//! A clone of the client that was made before is not limited, so give the client to the guard where
//! you create it.
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! # let ip: std::net::IpAddr = "203.0.113.7".parse()?;
//! use contiguity::guard::Guard;
//! use contiguity::{Error, Limit, NewOtp, Policy};
//!
//! // Set-up: your budget, and the countries that your users are in.
//! let guard = Guard::total([Limit::per_hour(500), Limit::per_day(2_000)])
//!     .only(["US", "CA", "GB"])
//!     .deny(["+1900", "+4470"]) // premium-rate and personal numbers
//!     .build()?;
//! let sign_in = client.guarded(guard);
//!
//! // Every request: on whose behalf.
//! let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
//! match otp.challenge(&sign_in.by(ip), Policy::DEFAULT) {
//!     Ok(challenge) => println!("code {} was sent", challenge.otp_id()),
//!     Err(Error::Refused(refusal)) => println!("{}", refusal.advice()),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Guarded::by`] returns a [`Client`] for one request, which every builder accepts.
//! `send(&sign_in)` does not compile:
//!
//! ```compile_fail,E0308
//! # fn f(sign_in: contiguity::guard::Guarded) -> Result<(), contiguity::Error> {
//! use contiguity::NewOtp;
//!
//! NewOtp::to("+14155552671").language("en").name("MyApp").send(&sign_in)?;
//! # Ok(()) }
//! ```
//!
//! # What it stops
//!
//! - **SMS pumping.** An attacker has texts sent to numbers that earn them money, thousands in a
//!   night. `total` caps the cost. `only` refuses countries where you have no users, and `deny`
//!   refuses their expensive numbers, such as `+1900` and `+4470`. `unverified` and `neighbors` detect
//!   that the codes are never verified, long before the budget is used up.
//! - **Guessing.** A code has six digits and five attempts, but a new code has five new attempts.
//!   With a new code every minute an attacker has 7,200 guesses a day and is right once in 139
//!   days. `wrong_codes` counts by number instead. It allows 30 guesses a day and 100 in 30 days,
//!   so an attacker is right once in 800 years.
//! - **Flooding one person.** A number gets 1 text in 20 seconds, 4 in 10 minutes, 6 an hour and 10
//!   a day.
//! - **A single source.** A caller makes 20 requests an hour and 60 a day.
//!
//! # Limits
//!
//! Every limit holds in any window of its length, wherever it begins. An event may count for up to a
//! 60th of the window longer, so a wait can be slightly longer than the window (see [`Limit::new`]).
//! All limits of a call are decided in one step: a call that is refused by one of them uses up none
//! of the others.
//!
//! What was counted is given back if it turns out not to count. A call is *unsent* if the service
//! certainly did not act on it ([`may_have_sent`](crate::Error::may_have_sent) is false). A text is
//! *unverified* until its code is verified.
//!
//! | limit | counts | given back if | default |
//! |---|---|---|---|
//! | [`per_number`](GuardBuilder::per_number) | texts, for each number | unsent | 1 in 20 s, 4 in 10 min, 6 per hour, 10 per day |
//! | [`per_caller`](GuardBuilder::per_caller) | texts and attempts, for each part of the caller, such as address and account | – | 20 per hour, 60 per day |
//! | [`total`](Guard::total) | texts | unsent | required |
//! | [`unverified`](GuardBuilder::unverified) | unverified texts, for each calling code | unsent, or verified | a quarter of each total, at least 20 |
//! | [`neighbors`](GuardBuilder::neighbors) | unverified texts, for each block of 1,000 numbers | unsent, or verified | 10 per hour, 30 per day |
//! | [`wrong_codes`](GuardBuilder::wrong_codes) | attempts, for each number | unsent, or right | 10 per hour, 30 per day, 100 in 30 days |
//! | [`Policy::attempts`](crate::Policy::attempts) | attempts, for each OTP id | unsent, or right | 5, for as long as a code can live |
//!
//! A reverse OTP counts as a text to its number, but not as an unverified one: no text goes to that
//! number. Status reads and cancellations are free. A number without wrong codes left can still be
//! sent a text, since its limit of texts is another one.
//!
//! The defaults follow what others publish:
//!
//! - Twilio Verify allows 5 codes to a number in 10 minutes, Telnyx 3, and Auth0 10 an hour.
//! - Telnyx allows 10 requests from an IP address per hour, Auth0 50, and Firebase 150.
//! - Telnyx expects 60 to 80 percent of codes to be verified.
//! - Twilio describes blocks of adjacent numbers as the sign of SMS pumping.
//! - NIST SP 800-63B-4 allows up to 100 failed attempts, and a new code must not reset their count.
//!
//! # Behind a proxy
//!
//! The caller must be the person. Behind a reverse proxy or load balancer the peer's address is
//! that of the proxy, and all people would share its limit. Take the address from the header that
//! your proxy sets. Do not trust a header that the client can set, such as the first entry of
//! `X-Forwarded-For`. The first caller with a loopback or private address logs a warning.
//!
//! Add the account if there is one: `Caller::ip(ip).and(Caller::key(account))`. Each part has its
//! own limit.
//!
//! # Stores
//!
//! By default a guard counts in the memory of its process, see [`Memory`]. After a restart all
//! counts are zero. [`GuardBuilder::shared`] sets a store that several processes share, such as
//! [`Redis`], whose page lists what its restarts lose. [`GuardBuilder::when_away`] sets what
//! happens while that store is unavailable.
//!
//! # When a person is locked out
//!
//! A limit that stops attackers sometimes stops a person. Show
//! [`Refusal::advice`](crate::Refusal::advice) to them, and let your support desk call
//! [`Guard::forgive`]. A stranger can also lock a number out for a day, by requesting ten texts to
//! it. Every limit by number has this drawback, so give people a second way to sign in.
//!
//! # Recipes
//!
//! **A web handler.** The cookbook has [one](crate::_cookbook#a-web-handler), and the example `server`
//! is a complete program. The guard counts attempts itself, so two requests with the same copy of a
//! challenge get no additional attempts.
//!
//! **An async handler.** A call blocks, so move the client that [`by`](Guarded::by) returns to a
//! thread for blocking work, as the cookbook [shows](crate::_cookbook#async-programs).
//!
//! **A command-line program or a script.** There is one caller, and limits last for one run. The
//! total still stops a loop that goes wrong.
//!
//! ```
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let client = sandbox.client();
//! use contiguity::guard::{Caller, Guard};
//! use contiguity::{Limit, NewOtp};
//!
//! let guard = Guard::total(Limit::per_hour(20)).everywhere().build()?;
//! let client = client.guarded(guard).by(Caller::nobody());
//! NewOtp::to("+14155552671").language("en").name("MyApp").send(&client)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A fleet.** All processes count in one Redis. While it is away, each decides by its own counts
//! and takes its share of the budget. [`Redis::over`] runs over a client that you already have.
//!
#![cfg_attr(feature = "redis", doc = "```no_run")]
#![cfg_attr(not(feature = "redis"), doc = "```ignore")]
//! use contiguity::guard::{Guard, Redis, WhenAway};
//! use contiguity::{Client, Limit};
//!
//! let secret = std::env::var("GUARD_SECRET").unwrap_or_default();
//! let store = Redis::connect("redis://127.0.0.1:6379", secret)?;
//! let guard = Guard::total([Limit::per_hour(500), Limit::per_day(2_000)])
//!     .only(["US", "CA", "GB"])
//!     .deny(["+1900", "+4470"]) // premium-rate and personal numbers
//!     .shared(store)
//!     .when_away(WhenAway::Alone { processes: 8 })
//!     .build()?;
//! let sign_in = Client::from_env()?.guarded(guard);
//! # Ok::<(), contiguity::Error>(())
//! ```
//!
//! # Cost
//!
//! In memory a decision takes about a microsecond. With Redis on the same machine it takes 60 to 150
//! microseconds, far less than the call to the service. A number that was sent a text takes about
//! 150 bytes, for a day. `cargo bench --features redis --bench guard` prints the figures of your
//! machine.
//!
//! # What to watch
//!
//! Refusals are logged with the target `contiguity`. Those by `total`, `unverified` and `neighbors`
//! are warnings, and so is a store that becomes unavailable: alert on them. Other refusals are logged
//! at debug level. No record contains a number, a caller or a key.

mod caller;
#[cfg(feature = "redis")]
mod connection;
mod destinations;
mod limits;
mod memory;
mod redis;
mod regions;
mod script;
mod store;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::client::Client;
use crate::error::Error;
use crate::gate::{Gate, Permit, Settled, Subject, WallClock, from_unix_ms, unix_ms};
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;
use crate::refusal::{Limit, Reason, Refusal};
use crate::typestate::{Missing, Unset};

pub use self::caller::Caller;
#[cfg(all(fuzzing, feature = "redis"))]
#[doc(hidden)]
pub use self::connection::responses;
pub use self::destinations::Destinations;
pub use self::limits::Limits;
pub use self::memory::Memory;
pub use self::redis::Redis;
pub use self::script::Script;
pub use self::store::{Claim, Decision, NOTE_LIFETIME, Return, Store, StoreError};

use self::destinations::{Allowed, Counted};
use self::limits::Window;
use self::store::{Kind, LOG_TARGET};

/// Limits on texts and attempts. See the [module](self) for what it stops.
///
/// Begin with [`Guard::total`], then say where texts may go, [`only`](GuardBuilder::only) or
/// [`everywhere`](GuardBuilder::everywhere), and [`build`](GuardBuilder::build). Clones share their
/// counts.
///
/// # Examples
///
/// ```
/// use contiguity::{Client, Limit};
/// use contiguity::guard::Guard;
///
/// let guard = Guard::total(Limit::per_day(2_000)).only(["US"]).build()?;
/// let sign_in = Client::new("your-api-key")?.guarded(guard);
/// # Ok::<(), contiguity::Error>(())
/// ```
///
/// A guard without destinations does not compile:
///
/// ```compile_fail,E0277
/// use contiguity::Limit;
/// use contiguity::guard::Guard;
///
/// let guard = Guard::total(Limit::per_day(2_000)).build();
/// ```
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

impl Guard {
    /// Creates the settings of a guard from your budget: how many texts may be sent in all.
    ///
    /// There is no default: the right budget depends on your app. A limit per day caps the cost of a
    /// bad night. A limit per hour gives you time to react.
    pub fn total(total: impl Into<Limits>) -> GuardBuilder<Missing> {
        let total = total.into();
        GuardBuilder {
            unverified: total.quarter(LEAST_UNVERIFIED),
            total,
            destinations: Missing::FIELD,
            also: Vec::new(),
            denied: Vec::new(),
            per_number: Limits::from([
                Limit::new(1, Duration::from_secs(20)),
                Limit::new(4, Duration::from_secs(600)),
                Limit::per_hour(6),
                Limit::per_day(10),
            ]),
            per_caller: Limits::from([Limit::per_hour(20), Limit::per_day(60)]),
            neighbors: Limits::from([Limit::per_hour(10), Limit::per_day(30)]),
            wrong_codes: Limits::from([
                Limit::per_hour(10),
                Limit::per_day(30),
                Limit::new(100, Duration::from_secs(30 * 24 * 3600)),
            ]),
            store: None,
            when_away: WhenAway::Refuse,
        }
    }

    /// Forgets the texts to a number and the wrong codes for it, for a support desk.
    ///
    /// Other limits stay as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store is unavailable.
    ///
    /// # Examples
    ///
    /// ```
    /// # let guard = contiguity::guard::Guard::total(contiguity::Limit::per_day(9)).everywhere().build()?;
    /// guard.forgive(&"+14155552671".parse()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forgive(&self, number: &PhoneNumber) -> Result<(), StoreError> {
        let counted = Counted::new(*number);
        let claim = |kind| Claim { kind, subject: counted.number(), windows: &[] };
        let claims = [claim(Kind::Number), claim(Kind::WrongCodes)];
        if let Some(alone) = &self.inner.alone {
            alone.memory.forget(&claims)?;
        }
        self.inner.store.forget(&claims)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("when_away", &self.inner.when_away).finish_non_exhaustive()
    }
}

impl Client {
    /// Returns this client behind a guard.
    ///
    /// The guard limits the calls of this client only. A clone that was made before, or another client
    /// with the same key, is not limited.
    ///
    /// A client that is already behind a guard is then behind both: a call must pass all of them.
    ///
    /// Requires the feature `guard`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::{Client, Limit};
    /// use contiguity::guard::Guard;
    ///
    /// let guard = Guard::total(Limit::per_day(2_000)).only(["US"]).build()?;
    /// let sign_in = Client::new("your-api-key")?.guarded(guard);
    /// # Ok::<(), contiguity::Error>(())
    /// ```
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Guarded {
        Guarded { client: self, guard }
    }
}

/// A client behind a [`Guard`], created by [`Client::guarded`].
///
/// It is cheap to clone. It does not send anything itself: [`by`](Self::by) returns a client for
/// one request. If the compiler expects `&Client` and finds `&Guarded`, call `by` first.
///
/// # Examples
///
/// ```
/// # let sandbox = contiguity::sandbox::Sandbox::start()?;
/// # let client = sandbox.client();
/// use contiguity::{Limit, NewOtp};
/// use contiguity::guard::{Caller, Guard};
///
/// let guard = Guard::total(Limit::per_day(2_000)).only(["US"]).build()?;
/// let sign_in = client.guarded(guard);
///
/// let caller = Caller::key("account 42");
/// NewOtp::to("+14155552671")
///     .language("en")
///     .name("MyApp")
///     .send(&sign_in.by(caller))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Guarded {
    client: Client,
    guard: Guard,
}

impl Guarded {
    /// Returns a client for a request on behalf of this caller: an IP address, a string, or a
    /// [`Caller`].
    #[must_use]
    pub fn by(&self, caller: impl Into<Caller>) -> Client {
        let guard = Arc::clone(&self.guard.inner);
        let outer = self.client.gate().cloned();
        self.client.with_gate(Arc::new(Gatekeeper { guard, caller: caller.into(), outer }))
    }
}

/// The settings of a [`Guard`], created by [`Guard::total`].
///
/// An empty list turns a limit off, except the total: `.per_caller([])`.
///
/// # Examples
///
/// ```
/// use contiguity::Limit;
/// use contiguity::guard::Guard;
///
/// let guard = Guard::total([Limit::per_hour(500), Limit::per_day(2_000)])
///     .only(["US", "CA"])
///     .deny(["+1900"])
///     .per_caller([Limit::per_hour(10), Limit::per_day(30)])
///     .build()?;
/// # Ok::<(), contiguity::Error>(())
/// ```
#[must_use = "settings do nothing until `.build()` creates a guard from them"]
pub struct GuardBuilder<D = Destinations> {
    destinations: D,
    also: Vec<u16>,
    denied: Vec<String>,
    total: Limits,
    per_number: Limits,
    per_caller: Limits,
    unverified: Limits,
    neighbors: Limits,
    wrong_codes: Limits,
    store: Option<Arc<dyn Store>>,
    when_away: WhenAway,
}

impl<D> GuardBuilder<D> {
    /// Allows numbers of these regions only: two-letter codes of ISO 3166-1 such as `US`.
    ///
    /// A number must also have a length that exists in its region's numbering plan. Regions that
    /// share a calling code are allowed together (`GB` with Jersey, `RU` with `KZ`). The exception
    /// is +1, whose 25 regions are distinguished by area code.
    ///
    /// Premium-rate, personal and toll-free numbers of these regions are allowed. Refuse them with
    /// [`deny`](Self::deny), such as `.deny(["+1900", "+4470"])`.
    pub fn only<R: Into<String>>(self, regions: impl IntoIterator<Item = R>) -> GuardBuilder
    where
        D: Unset,
    {
        self.to(Destinations { regions: Some(regions.into_iter().map(Into::into).collect()) })
    }

    /// Allows all numbers, except for calling codes that are expensive and have no ordinary phones:
    /// satellite phones and networks (870, 881, 882, 883), international freephone, shared cost,
    /// personal and premium numbers (800, 808, 878, 979), and 888.
    pub fn everywhere(self) -> GuardBuilder
    where
        D: Unset,
    {
        self.to(Destinations { regions: None })
    }

    fn to(self, destinations: Destinations) -> GuardBuilder {
        let Self { also, denied, total, per_number, per_caller, unverified, neighbors, wrong_codes, .. } = self;
        let (store, when_away) = (self.store, self.when_away);
        GuardBuilder {
            destinations,
            also,
            denied,
            total,
            per_number,
            per_caller,
            unverified,
            neighbors,
            wrong_codes,
            store,
            when_away,
        }
    }

    /// Allows all numbers with these calling codes as well, such as 881 for satellite phones.
    pub fn also(self, calling_codes: impl IntoIterator<Item = u16>) -> Self {
        Self { also: calling_codes.into_iter().collect(), ..self }
    }

    /// Refuses numbers that begin with one of these prefixes, such as `+1900`.
    ///
    /// Prefixes are compared without leading zeros after the calling code, as numbers are counted.
    pub fn deny<P: Into<String>>(self, prefixes: impl IntoIterator<Item = P>) -> Self {
        Self { denied: prefixes.into_iter().map(Into::into).collect(), ..self }
    }

    /// Limits the texts to one number.
    ///
    /// Defaults to 1 in 20 seconds, 4 in 10 minutes, 6 per hour and 10 per day. Spellings that
    /// reach the same phone count as one number.
    pub fn per_number(self, limits: impl Into<Limits>) -> Self {
        Self { per_number: limits.into(), ..self }
    }

    /// Limits the requests of each part of a [`Caller`]: texts and attempts.
    ///
    /// Defaults to 20 per hour and 60 per day. Many people may share an IP address.
    pub fn per_caller(self, limits: impl Into<Limits>) -> Self {
        Self { per_caller: limits.into(), ..self }
    }

    /// Limits unverified texts, by calling code.
    ///
    /// Defaults to a quarter of each total, but at least 20.
    pub fn unverified(self, limits: impl Into<Limits>) -> Self {
        Self { unverified: limits.into(), ..self }
    }

    /// Limits unverified texts to a block of a thousand adjacent numbers.
    ///
    /// Defaults to 10 per hour and 30 per day.
    pub fn neighbors(self, limits: impl Into<Limits>) -> Self {
        Self { neighbors: limits.into(), ..self }
    }

    /// Limits the codes that are checked for one number and are not the right one.
    ///
    /// Texts to the number are limited by [`per_number`](Self::per_number) only, so a person can be sent
    /// a code that no attempt is left for.
    ///
    /// Defaults to 10 per hour, 30 per day and 100 in 30 days.
    pub fn wrong_codes(self, limits: impl Into<Limits>) -> Self {
        Self { wrong_codes: limits.into(), ..self }
    }

    /// Counts in this store, which several processes may share.
    ///
    /// Defaults to the memory of this process.
    pub fn shared(self, store: impl Store) -> Self {
        Self { store: Some(Arc::new(store)), ..self }
    }

    /// Sets what happens while the [`shared`](Self::shared) store is unavailable.
    ///
    /// Defaults to [`WhenAway::Refuse`].
    pub fn when_away(self, when_away: WhenAway) -> Self {
        Self { when_away, ..self }
    }

    /// Creates the guard.
    ///
    /// In memory, a text adds an entry of some 40 to 150 bytes for its number, for its block of numbers
    /// and for its caller, and a wrong code adds one for its number. An entry is kept for the longest
    /// window of its limit. Only calls that were allowed add entries, so `total` limits them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if `total` is empty, a limit is 0, a window is not from 10 seconds to 31
    /// days, a kind has more than 8 limits, a region is unknown, a calling code is not assigned, or
    /// a prefix does not begin with `+` and a calling code.
    pub fn build(self) -> Result<Guard, Error>
    where
        D: HasDestinations,
    {
        if self.total.is_empty() {
            return Err(Error::config("the guard's `total` is empty; give at least one limit"));
        }
        let rates = Rates {
            number: self.per_number.windows("per_number")?,
            caller: self.per_caller.windows("per_caller")?,
            total: self.total.windows("total")?,
            unverified: self.unverified.windows("unverified")?,
            neighbors: self.neighbors.windows("neighbors")?,
            wrong_codes: self.wrong_codes.windows("wrong_codes")?,
        };
        let alone = match self.when_away {
            WhenAway::Alone { processes: 0 } => {
                return Err(Error::config(
                    "the guard's `when_away` has 0 processes; give the number of your processes",
                ));
            }
            WhenAway::Alone { processes } => Some(Alone { memory: Memory::default(), rates: rates.divided(processes) }),
            WhenAway::Refuse | WhenAway::Allow => None,
        };
        Ok(Guard {
            inner: Arc::new(Inner {
                store: self.store.unwrap_or_else(|| Arc::new(Memory::default())),
                rates,
                allowed: Allowed::new(&self.destinations.into(), self.also, &self.denied)?,
                when_away: self.when_away,
                alone,
                is_away: AtomicBool::new(false),
            }),
        })
    }
}

impl<D> fmt::Debug for GuardBuilder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardBuilder")
            .field("total", &self.total)
            .field("per_number", &self.per_number)
            .field("per_caller", &self.per_caller)
            .field("unverified", &self.unverified)
            .field("neighbors", &self.neighbors)
            .field("wrong_codes", &self.wrong_codes)
            .field("when_away", &self.when_away)
            .finish_non_exhaustive()
    }
}

/// A guard whose destinations are set.
#[diagnostic::on_unimplemented(
    message = "this guard has no destinations",
    label = "call `.only(..)` or `.everywhere()` before this",
    note = "a guard allows texts to the regions that your users are in"
)]
pub trait HasDestinations: sealed::Sealed + Into<Destinations> {}

#[diagnostic::do_not_recommend]
impl HasDestinations for Destinations {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Destinations {}
}

/// What a guard does while its shared store is unavailable.
///
/// # Examples
///
/// ```
/// use contiguity::guard::WhenAway;
///
/// // Eight processes behind a load balancer.
/// let when_away = WhenAway::Alone { processes: 8 };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenAway {
    /// Refuses texts and attempts. No limit is exceeded, but people cannot sign in.
    Refuse,
    /// Allows every call to an allowed destination. People can sign in, but nothing stops an
    /// attacker.
    Allow,
    /// Decides by this process's own counts, which are kept while the store is available, too.
    ///
    /// `total`, `unverified` and `neighbors` are divided by the number of processes, so that all
    /// processes together stay within them. Limits by number and by caller hold in each process.
    Alone {
        /// How many processes share the store.
        processes: u32,
    },
}

/// What all clients of a guard share.
struct Inner {
    store: Arc<dyn Store>,
    rates: Rates,
    allowed: Allowed,
    when_away: WhenAway,
    alone: Option<Alone>,
    /// Whether the store failed the last time, so that a change is logged and not every call.
    is_away: AtomicBool,
}

/// The counts that a process decides by while the shared store is away.
struct Alone {
    memory: Memory,
    rates: Rates,
}

/// The windows of every kind of limit.
struct Rates {
    number: Vec<Window>,
    caller: Vec<Window>,
    total: Vec<Window>,
    unverified: Vec<Window>,
    neighbors: Vec<Window>,
    wrong_codes: Vec<Window>,
}

impl Rates {
    fn divided(&self, processes: u32) -> Self {
        let divided = |windows: &[Window]| windows.iter().map(|window| window.divided(processes)).collect();
        Self {
            number: self.number.clone(),
            caller: self.caller.clone(),
            total: divided(&self.total),
            unverified: divided(&self.unverified),
            neighbors: divided(&self.neighbors),
            wrong_codes: self.wrong_codes.clone(),
        }
    }

    /// What has to be counted for a call.
    fn claims<'a>(&'a self, call: &'a Call) -> Vec<Claim<'a>> {
        let mut claims = Vec::with_capacity(8);
        let mut claim = |kind, subject: &'a [u8], windows: &'a [Window]| {
            if !windows.is_empty() {
                claims.push(Claim { kind, subject, windows });
            }
        };
        let id = call.otp_id.as_ref().map_or(&[][..], |id| id.as_str().as_bytes());
        match (&call.act, &call.number) {
            (Act::Text, Some(number)) => {
                claim(Kind::Number, number.counted.number(), &self.number);
                claim(Kind::Neighbors, number.counted.neighbors(), &self.neighbors);
                claim(Kind::Unverified, number.counted.calling_code(), &self.unverified);
            }
            (Act::Session, Some(number)) => claim(Kind::Number, number.counted.number(), &self.number),
            (Act::Text | Act::Session, None) => {
                claim(Kind::Resends, id, &self.number);
                claim(Kind::Unknown, &[], &self.total);
            }
            (Act::Check(_), Some(number)) => claim(Kind::WrongCodes, number.counted.number(), &self.wrong_codes),
            (Act::Check(_), None) => claim(Kind::Unknown, &[], &self.total),
        }
        for key in call.caller.keys() {
            claim(Kind::Caller, key, &self.caller);
        }
        match &call.act {
            Act::Text | Act::Session => claim(Kind::Total, &[], &self.total),
            Act::Check(attempts) => claim(Kind::Attempts, id, std::slice::from_ref(attempts)),
        }
        claims
    }
}

/// A call, as limits see it.
struct Call {
    act: Act,
    caller: Caller,
    number: Option<Number>,
    otp_id: Option<OtpId>,
}

enum Act {
    Text,
    Session,
    /// With the attempts that its id has.
    Check(Window),
}

#[derive(Clone, Copy)]
struct Number {
    whole: PhoneNumber,
    counted: Counted,
}

impl From<PhoneNumber> for Number {
    fn from(whole: PhoneNumber) -> Self {
        Self { whole, counted: Counted::new(whole) }
    }
}

/// A guard and the caller of one request.
struct Gatekeeper {
    guard: Arc<Inner>,
    caller: Caller,
    /// Of a client that was already behind a guard.
    outer: Option<Arc<dyn Gate>>,
}

impl Gate for Gatekeeper {
    fn admit(&self, subject: &Subject<'_>, clock: &WallClock) -> Result<Box<dyn Permit>, Error> {
        let caller = self.caller.clone();
        let call = match *subject {
            Subject::Text(number) => Call { act: Act::Text, caller, number: Some(number.into()), otp_id: None },
            Subject::Session(number) => Call { act: Act::Session, caller, number: Some(number.into()), otp_id: None },
            Subject::Resend { otp_id, number } => {
                let number = self.guard.number_of(otp_id, number, clock);
                Call { act: Act::Text, caller, number, otp_id: Some(otp_id.clone()) }
            }
            Subject::Check { otp_id, number, attempts } => {
                let number = self.guard.number_of(otp_id, number, clock);
                let attempts = Window::new(Limit::new(attempts, NOTE_LIFETIME));
                Call { act: Act::Check(attempts), caller, number, otp_id: Some(otp_id.clone()) }
            }
        };
        let outer = self.outer.as_ref().map(|outer| outer.admit(subject, clock)).transpose()?;
        match self.guard.decide(&call, clock) {
            Ok(granted) => {
                let guard = Arc::clone(&self.guard);
                Ok(Box::new(Ticket { guard, clock: clock.clone(), call, granted, outer }))
            }
            Err(refusal) => {
                if let Some(outer) = outer {
                    outer.settle(Settled::Unsent);
                }
                let level = match refusal.reason() {
                    Reason::Total | Reason::Unverified | Reason::Neighbors => log::Level::Warn,
                    _ => log::Level::Debug,
                };
                log::log!(target: LOG_TARGET, level, "{refusal}");
                Err(Error::Refused(refusal))
            }
        }
    }
}

/// When a call was counted, in each store that has counted it.
#[derive(Clone, Copy, Default)]
struct Granted {
    shared: Option<SystemTime>,
    alone: Option<SystemTime>,
}

impl Inner {
    /// Destination first, which takes no I/O, then one decision.
    fn decide(&self, call: &Call, clock: &WallClock) -> Result<Granted, Refusal> {
        let is_text = !matches!(call.act, Act::Check(_));
        if let Some(Number { whole, counted }) = call.number.as_ref().filter(|_| is_text) {
            if !self.allowed.contains(*whole, counted) {
                return Err(Refusal::new(Reason::Destination, None, None));
            }
        }
        let now = || clock.now();
        let claims = self.rates.claims(call);
        match self.store.take(&claims, &now) {
            Ok(Decision::Granted { at }) => {
                self.is_back();
                let alone = self.alone.as_ref().map(|alone| alone.memory.add(&claims, &now));
                Ok(Granted { shared: Some(at), alone })
            }
            Ok(refused) => {
                self.is_back();
                Err(refusal(&claims, refused))
            }
            Err(error) => {
                self.is_away(&error);
                match (self.when_away, &self.alone) {
                    (WhenAway::Allow, _) => Ok(Granted::default()),
                    (WhenAway::Alone { .. }, Some(Alone { memory, rates })) => {
                        let claims = rates.claims(call);
                        match memory.take(&claims, &now) {
                            Ok(Decision::Granted { at }) => Ok(Granted { shared: None, alone: Some(at) }),
                            Ok(refused) => Err(refusal(&claims, refused)),
                            Err(_) => Err(Refusal::new(Reason::Unavailable, None, None)),
                        }
                    }
                    _ => Err(Refusal::new(Reason::Unavailable, None, None)),
                }
            }
        }
    }

    /// The number that an OTP id belongs to: the call's own, or the one that a text to it left
    /// behind.
    fn number_of(&self, otp_id: &OtpId, number: Option<PhoneNumber>, clock: &WallClock) -> Option<Number> {
        let recall = |store: &dyn Store| store.recall(otp_id.as_str(), &|| clock.now());
        let note = || {
            let alone = self.alone.as_ref().map(|alone| &alone.memory as &dyn Store);
            recall(&*self.store).or_else(|error| alone.map_or(Err(error), recall)).ok().flatten()
        };
        number.or_else(|| note().and_then(|note| Note::read(&note)).map(|note| note.number)).map(Number::from)
    }

    fn is_away(&self, error: &StoreError) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            log::warn!(target: LOG_TARGET, "the guard's store is unavailable: {error}; it acts as {:?}", self.when_away);
        }
    }

    fn is_back(&self) {
        if self.is_away.load(Ordering::Relaxed) && self.is_away.swap(false, Ordering::Relaxed) {
            log::info!(target: LOG_TARGET, "the guard's store is available again");
        }
    }
}

fn refusal(claims: &[Claim<'_>], decision: Decision) -> Refusal {
    let Decision::Refused { claim, limit, retry_after } = decision else {
        unreachable!("a grant is not a refusal");
    };
    let Some(claim) = claims.get(claim) else {
        // A custom store that returns a wrong index.
        return Refusal::new(Reason::Unavailable, None, None);
    };
    let reason = claim.kind.reason();
    // An id has no attempts left for as long as its code lives.
    let retry_after = Some(retry_after).filter(|_| reason != Reason::NoAttemptsLeft);
    Refusal::new(reason, retry_after, claim.limits().nth(limit))
}

/// A call that was counted.
struct Ticket {
    guard: Arc<Inner>,
    clock: WallClock,
    call: Call,
    granted: Granted,
    outer: Option<Box<dyn Permit>>,
}

impl Permit for Ticket {
    fn settle(mut self: Box<Self>, outcome: Settled<'_>) {
        if let Some(outer) = self.outer.take() {
            outer.settle(outcome);
        }
        let alone = self.guard.alone.as_ref().map(|alone| &alone.memory as &dyn Store);
        let places = [(Some(&*self.guard.store), self.granted.shared), (alone, self.granted.alone)];
        for (store, at) in places {
            if let (Some(store), Some(at)) = (store, at) {
                if let Err(error) = self.settle_in(store, at, outcome) {
                    log::debug!(target: LOG_TARGET, "the guard's store was not updated: {error}");
                }
            }
        }
    }
}

impl Ticket {
    /// The note of the call's OTP id, if it has one.
    fn note(&self, store: &dyn Store) -> Result<Option<Note>, StoreError> {
        let Some(otp_id) = &self.call.otp_id else { return Ok(None) };
        let note = store.recall(otp_id.as_str(), &|| self.clock.now())?;
        Ok(note.and_then(|note| Note::read(&note)))
    }

    fn settle_in(&self, store: &dyn Store, at: SystemTime, outcome: Settled<'_>) -> Result<(), StoreError> {
        let Self { guard, call, .. } = self;
        let claims = guard.rates.claims(call);
        match outcome {
            Settled::Unsent => {
                let returns = claims.iter().filter(|claim| claim.kind != Kind::Caller);
                store.give_back(&returns.map(|&claim| Return { claim, at, count: 1 }).collect::<Vec<_>>())
            }
            Settled::Sent(otp_id) => {
                let Some(Number { whole, .. }) = call.number else { return Ok(()) };
                let texts = self.note(store)?.map_or(0, |note| note.texts).saturating_add(1);
                let note = Note { number: whole, at, texts }.write();
                store.remember(otp_id.as_str(), &note, &|| self.clock.now())
            }
            Settled::Right => {
                let own = claims.iter().filter(|claim| matches!(claim.kind, Kind::WrongCodes | Kind::Attempts));
                let mut returns: Vec<_> = own.map(|&claim| Return { claim, at, count: 1 }).collect();
                let verified = self.note(store)?.map(|note| (note, Counted::new(note.number)));
                if let Some((note, counted)) = &verified {
                    let claim = |kind, subject, windows| Claim { kind, subject, windows };
                    for claim in [
                        claim(Kind::Neighbors, counted.neighbors(), &guard.rates.neighbors),
                        claim(Kind::Unverified, counted.calling_code(), &guard.rates.unverified),
                    ] {
                        returns.push(Return { claim, at: note.at, count: note.texts.into() });
                    }
                }
                store.give_back(&returns)
            }
        }
    }
}

/// What a store remembers about an OTP id.
#[derive(Clone, Copy)]
struct Note {
    number: PhoneNumber,
    /// When the last text was counted, by the store's clock.
    at: SystemTime,
    texts: u8,
}

impl Note {
    fn write(&self) -> Vec<u8> {
        let mut text = vec![self.texts];
        text.extend(unix_ms(self.at).to_be_bytes());
        text.extend(self.number.as_str().as_bytes());
        text
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (&texts, rest) = text.split_first()?;
        let (at, number) = rest.split_first_chunk()?;
        let number = PhoneNumber::parse(std::str::from_utf8(number).ok()?).ok()?;
        Some(Self { number, at: from_unix_ms(u64::from_be_bytes(*at)), texts })
    }
}

/// So few unverified texts that they are no sign of anything.
const LEAST_UNVERIFIED: u32 = 20;
