//! How a client asks whether a call may be made, without knowing who decides: the guard is built on
//! top of the client.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::otp_id::OtpId;
use crate::phone::PhoneNumber;

/// Decides about calls before anything is sent.
pub(crate) trait Gate: Send + Sync {
    /// Counts the call, or refuses it.
    fn admit(&self, subject: &Subject<'_>, clock: &WallClock) -> Result<Box<dyn Permit>, Error>;
}

/// A call that was counted. Dropping it leaves the counts as they are.
pub(crate) trait Permit {
    fn settle(self: Box<Self>, outcome: Settled<'_>);
}

/// What a call does, as far as limits count it.
#[cfg_attr(not(feature = "guard"), expect(dead_code, reason = "read by the guard"))]
pub(crate) enum Subject<'a> {
    /// It texts this number.
    Text(PhoneNumber),
    /// It opens a session in which this number texts. Nothing is sent to the number.
    Session(PhoneNumber),
    /// It texts the number that this code was sent to.
    Resend { otp_id: &'a OtpId, number: Option<PhoneNumber> },
    /// It checks a code. Its id has so many attempts.
    Check { otp_id: &'a OtpId, number: Option<PhoneNumber>, attempts: u32 },
}

/// How a call ended, if that changes what was counted.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "guard"), expect(dead_code, reason = "read by the guard"))]
pub(crate) enum Settled<'a> {
    /// The service certainly did not act.
    Unsent,
    /// The text went out, and its code has this id.
    Sent(&'a OtpId),
    /// The code was the right one.
    Right,
}

/// How many codes may be checked for one id by default: five guesses at six digits are right once
/// in 200,000 times.
pub(crate) const ATTEMPTS: u32 = 5;

/// Milliseconds since the Unix epoch. A time before it is the epoch.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time of so many milliseconds since the Unix epoch, but no later than the year 9999: a stored
/// time can be any number, and later ones cannot be written.
pub(crate) fn from_unix_ms(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds.min(LATEST))
}

/// 9999-12-31T23:59:59.999Z
const LATEST: u64 = 253_402_300_799_999;

/// The time of day: the system's, or a substitute for tests.
#[derive(Clone, Default)]
pub(crate) struct WallClock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

impl WallClock {
    pub(crate) fn new(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(clock)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.0.as_ref().map_or_else(SystemTime::now, |clock| clock())
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "WallClock(custom)" } else { "WallClock(system)" })
    }
}
