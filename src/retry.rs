//! What may be retried, and when. No socket, no clock, no sleep.

use std::fmt;
use std::time::{Duration, SystemTime};

/// One of the service's operations.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The path below the base URL. `{otp_id}` at its end stands for the id of the call.
    pub(crate) path: &'static str,
    pub(crate) effect: Effect,
}

/// The name in errors and log records, such as `POST /otp/new`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.effect {
            Effect::Acts => "POST",
            Effect::Reads => "GET",
        };
        write!(f, "{method} {}", self.path)
    }
}

/// What a call does to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It sends a text, uses up an attempt or changes a session. Done twice, it acts twice.
    Acts,
    /// It only reads. It can be done again at any time.
    Reads,
}

/// How a call failed, as far as it matters for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request did not reach the service whole, for a reason that may be temporary: no such
    /// host, connection refused, or timed out or cut while connecting.
    Unsent,
    /// Nothing was sent, and the next try would fail the same way: a certificate or TLS message was
    /// refused, or a proxy refused to connect.
    Refused,
    /// The request may have reached the service whole, and no complete response came back.
    Lost,
    /// The service, or something in front of it, returned a status other than 2xx.
    Returned(u16),
    /// A complete 2xx that cannot be read.
    Unreadable,
}

impl Failure {
    /// Reports whether the service may have acted on the request.
    pub(crate) fn may_have_acted(self) -> bool {
        match self {
            Self::Unsent | Self::Refused => false,
            Self::Lost | Self::Unreadable => true,
            // Gateways return 408 for requests that they passed on, and a redirect such as 303 is the
            // response to a request that was processed. Every other 4xx is a refusal.
            Self::Returned(status) => status == 408 || !(400..500).contains(&status),
        }
    }

    /// Reports whether the call can be made again without acting twice, and may then succeed. This
    /// is the only place that decides it.
    pub(crate) fn can_be_retried(self, effect: Effect) -> bool {
        match self {
            // Nothing was sent. 429 (RFC 6585 §4) is the one status that says: not done, come back.
            Self::Unsent | Self::Returned(429) => true,
            Self::Lost | Self::Returned(408 | 421 | 425 | 500..=599) => effect == Effect::Reads,
            // The next handshake or response would be the same.
            Self::Refused | Self::Returned(_) | Self::Unreadable => false,
        }
    }
}

/// Returns the wait before the retry with this number, counted from 0: what the service asked for,
/// or exponential backoff with full jitter, a random time up to 0.5 s, 1 s, 2 s and so on to 8 s.
///
/// `random` is drawn uniformly from 0 to 1. Full jitter spreads the retries of many clients best:
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
pub(crate) fn wait_before(retry: u32, retry_after: Option<Duration>, random: f64) -> Duration {
    retry_after.filter(|wait| *wait > MIN_RETRY_AFTER).unwrap_or_else(|| {
        let max = FIRST_BACKOFF.saturating_mul(1 << retry.min(16)).min(MAX_BACKOFF);
        max.mul_f64(random.clamp(0.0, 1.0))
    })
}

/// A server that asks for no wait at all would otherwise be asked again in a busy loop.
const MIN_RETRY_AFTER: Duration = Duration::from_millis(100);

/// Half a second: long enough for a process that restarts or an address that moves, short enough
/// for a person who waits.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// After eight seconds a person has given up, and the call's timeout is near.
const MAX_BACKOFF: Duration = Duration::from_secs(8);

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3). A date is compared with the
/// response's own `Date` if there is one, since clocks differ.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number too large for u64 means "never", which is still a wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(now);
    // A date in the past asks for no wait.
    Some(until.duration_since(from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Effect, Failure, retry_after, wait_before};

    #[test]
    fn the_delivery_table() {
        use Effect::{Acts, Reads};
        // (failure, may have acted, retried if it acts, retried if it reads)
        let table = [
            (Failure::Unsent, false, true, true),
            (Failure::Refused, false, false, false),
            (Failure::Returned(429), false, true, true),
            (Failure::Returned(300), true, false, false),
            (Failure::Returned(303), true, false, false),
            (Failure::Returned(307), true, false, false),
            (Failure::Returned(400), false, false, false),
            (Failure::Returned(401), false, false, false),
            (Failure::Returned(408), true, false, true),
            (Failure::Returned(421), false, false, true),
            (Failure::Returned(425), false, false, true),
            (Failure::Returned(499), false, false, false),
            (Failure::Returned(500), true, false, true),
            (Failure::Returned(503), true, false, true),
            (Failure::Returned(599), true, false, true),
            (Failure::Returned(101), true, false, false),
            (Failure::Returned(600), true, false, false),
            (Failure::Lost, true, false, true),
            (Failure::Unreadable, true, false, false),
        ];
        for (failure, acted, acts, reads) in table {
            assert_eq!(failure.may_have_acted(), acted, "{failure:?} may have acted");
            assert_eq!(failure.can_be_retried(Acts), acts, "{failure:?} is retried if it acts");
            assert_eq!(failure.can_be_retried(Reads), reads, "{failure:?} is retried if it reads");
        }
    }

    #[test]
    fn a_call_that_may_have_acted_is_never_retried() {
        let all = (100..=999).map(Failure::Returned).chain([
            Failure::Unsent,
            Failure::Refused,
            Failure::Lost,
            Failure::Unreadable,
        ]);
        for failure in all {
            assert!(!(failure.may_have_acted() && failure.can_be_retried(Effect::Acts)), "{failure:?}");
        }
    }

    #[test]
    fn backoff_doubles_to_eight_seconds() {
        let waits: Vec<u128> = (0..7).map(|retry| wait_before(retry, None, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(wait_before(u32::MAX, None, 1.0), Duration::from_secs(8));
        assert_eq!(wait_before(3, None, 0.0), Duration::ZERO);
        assert_eq!(wait_before(0, None, 0.5), Duration::from_millis(250));
    }

    #[test]
    fn retry_after_counts_if_it_is_longer_than_100_ms() {
        assert_eq!(wait_before(0, Some(Duration::from_secs(90)), 0.1), Duration::from_secs(90));
        assert_eq!(wait_before(5, Some(Duration::ZERO), 1.0), Duration::from_secs(8));
        assert_eq!(wait_before(0, Some(Duration::from_millis(100)), 0.5), Duration::from_millis(250));
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(retry_after("120", None, now), seconds(120));
        assert_eq!(retry_after(" 0 ", None, now), seconds(0));
        assert_eq!(retry_after("99999999999999999999999", None, now), seconds(u64::MAX));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:07 GMT", None, now), seconds(30));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:07 GMT", None, now), seconds(0));
        let date = Some("Sun, 06 Nov 1994 08:50:00 GMT");
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:07 GMT", date, now), seconds(7));
        for odd in ["", "soon", "-1", "1.5", "1e3", "Sun, 06 Nov 1994", "\u{663}"] {
            assert_eq!(retry_after(odd, None, now), None, "{odd:?}");
        }
    }
}

#[cfg(test)]
mod for_all_input {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::{retry_after, wait_before};

    /// The range of HTTP dates, in seconds: up to the year 9999.
    const DATES: std::ops::Range<u64> = 0..253_402_300_800;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    proptest! {
        // An input that failed once gets a test of its own, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn backoff_stays_within_eight_seconds(
            retry in prop_oneof![0..8_u32, any::<u32>()],
            random in prop_oneof![0.0..1.0, -1e300..1e300],
        ) {
            let wait = wait_before(retry, None, random);
            prop_assert!(wait <= Duration::from_secs(8), "{:?}", wait);
            prop_assert!(wait <= wait_before(retry, None, 1.0));
        }

        #[test]
        fn backoff_starts_at_half_a_second_and_grows(
            retry in prop_oneof![0..8_u32, 0..u32::MAX],
            (less, more) in (0.0..1.0, 0.0..1.0).prop_map(|(a, b): (f64, f64)| (a.min(b), a.max(b))),
        ) {
            let max = wait_before(retry, None, 1.0);
            prop_assert!(max >= Duration::from_millis(500));
            let next = wait_before(retry + 1, None, 1.0);
            prop_assert_eq!(next, (max * 2).min(Duration::from_secs(8)));
            prop_assert!(wait_before(retry, None, less) <= wait_before(retry, None, more));
        }

        #[test]
        fn the_service_is_given_the_time_it_asks_for(retry: u32, seconds in 1..u64::MAX, random in 0.0..1.0) {
            let asked = Duration::from_secs(seconds);
            prop_assert_eq!(wait_before(retry, Some(asked), random), asked);
        }

        #[test]
        fn seconds_are_read_as_they_are(seconds: u64, space in "[ \t]{0,2}", zeros in "0{0,3}", now in DATES) {
            let text = format!("{space}{zeros}{seconds}{space}");
            prop_assert_eq!(retry_after(&text, None, at(now)), Some(Duration::from_secs(seconds)));
        }

        #[test]
        fn a_date_is_the_time_until_it(
            (until, date) in (DATES, DATES),
            (near, before) in (-100..100_i64, any::<bool>()),
            now in DATES,
        ) {
            // Dates far apart, and some seconds apart.
            let date = if before { until.saturating_add_signed(near).min(DATES.end - 1) } else { date };
            let text = |seconds| httpdate::fmt_http_date(at(seconds));
            let left = |from: u64| Some(Duration::from_secs(until.saturating_sub(from)));
            prop_assert_eq!(retry_after(&text(until), Some(&text(date)), at(now)), left(date));
            prop_assert_eq!(retry_after(&text(until), None, at(now)), left(now));
            prop_assert_eq!(retry_after(&text(until), Some("yesterday"), at(now)), left(now));
        }

        #[test]
        fn any_other_text_is_not_a_wait(
            text in prop_oneof![
                "(?s).{0,40}",
                "[0-9.+eE -]{0,12}",
                "(Mon|Sun|sun), [0-9]{2} (Nov|Feb|nov) [0-9]{4} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] (GMT|UTC)",
            ],
            date in proptest::option::of("(?s).{0,40}"),
            now in DATES,
        ) {
            let is_number = text.trim().chars().all(|c| c.is_ascii_digit()) && !text.trim().is_empty();
            let is_date = httpdate::parse_http_date(text.trim()).is_ok();
            let read = retry_after(&text, date.as_deref(), at(now));
            prop_assert_eq!(read.is_some(), is_number || is_date);
        }
    }
}
