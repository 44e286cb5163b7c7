//! Which failure of which call may be repeated, and after how long. Pure: no socket, no clock, no sleep.

use std::time::Duration;

/// What a call does to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It sends a text, uses up an attempt or changes a session: done twice, it acts twice.
    Acts,
    /// It only reads, and may be done again at any time.
    Reads,
}

/// How a call failed, as far as it matters for doing it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request did not reach the service whole, for a reason that may pass: no such host, refused, timed out or cut
    /// while connecting.
    Unsent,
    /// The handshake was refused, by a certificate or a TLS message: nothing was sent, and nothing will be next time.
    Refused,
    /// The request may have reached the service whole, and no complete answer came back.
    Lost,
    /// The service, or something in front of it, answered with a status other than 2xx.
    Answered(u16),
    /// A complete 2xx that cannot be read.
    Unreadable,
}

impl Failure {
    /// Whether the service may have acted on the request.
    pub(crate) fn may_have_acted(self) -> bool {
        match self {
            Self::Unsent | Self::Refused => false,
            Self::Lost | Self::Unreadable => true,
            // A redirect or a refusal is no act. What else is not 2xx may come from a gateway that has passed the
            // request on.
            Self::Answered(status) => !(300..500).contains(&status),
        }
    }

    /// Whether doing the call again cannot act twice and may succeed. The one place that decides it.
    pub(crate) fn may_be_repeated(self, effect: Effect) -> bool {
        match self {
            // Nothing was sent. 429 (RFC 6585 §4) is the one answer that says: not done, come back.
            Self::Unsent | Self::Answered(429) => true,
            Self::Lost | Self::Answered(500..=599) => effect == Effect::Reads,
            // The next handshake, the next answer would be the same.
            Self::Refused | Self::Answered(_) | Self::Unreadable => false,
        }
    }
}

/// How long to wait before the repeat with this number, counted from 0: what the service asked for, else exponential
/// backoff with full jitter, a random share of 0.5 s, 1 s, 2 s and so on up to 8 s.
///
/// `random` is drawn uniformly from 0 up to 1. Full jitter spreads the repeats of many clients best:
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
pub(crate) fn wait_before(repeat: u32, retry_after: Option<Duration>, random: f64) -> Duration {
    retry_after.unwrap_or_else(|| {
        let ceiling = FIRST_BACKOFF.saturating_mul(1 << repeat.min(16)).min(LONGEST_BACKOFF);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    })
}

/// Half a second: long enough for a restarted process or a moved address, short enough for a person who waits.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Eight seconds: beyond it a person has given up, and the call's time-out is near.
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Reads `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3), which counts from the answer's own `Date` where
/// it has one, since clocks differ.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: std::time::SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit mean "never" and are no less a wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(now);
    // A date that has passed asks for no wait.
    Some(until.duration_since(from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Effect, Failure, retry_after, wait_before};

    #[test]
    fn the_delivery_table() {
        use Effect::{Acts, Reads};
        // (failure, may have acted, repeated where it acts, repeated where it reads)
        let table = [
            (Failure::Unsent, false, true, true),
            (Failure::Refused, false, false, false),
            (Failure::Answered(429), false, true, true),
            (Failure::Answered(300), false, false, false),
            (Failure::Answered(307), false, false, false),
            (Failure::Answered(400), false, false, false),
            (Failure::Answered(401), false, false, false),
            (Failure::Answered(408), false, false, false),
            (Failure::Answered(499), false, false, false),
            (Failure::Answered(500), true, false, true),
            (Failure::Answered(503), true, false, true),
            (Failure::Answered(599), true, false, true),
            (Failure::Answered(101), true, false, false),
            (Failure::Answered(600), true, false, false),
            (Failure::Lost, true, false, true),
            (Failure::Unreadable, true, false, false),
        ];
        for (failure, acted, acts, reads) in table {
            assert_eq!(failure.may_have_acted(), acted, "{failure:?} may have acted");
            assert_eq!(failure.may_be_repeated(Acts), acts, "{failure:?} repeated where it acts");
            assert_eq!(failure.may_be_repeated(Reads), reads, "{failure:?} repeated where it reads");
        }
    }

    #[test]
    fn what_acts_is_never_repeated_after_it_may_have_acted() {
        let all = (100..=999).map(Failure::Answered).chain([
            Failure::Unsent,
            Failure::Refused,
            Failure::Lost,
            Failure::Unreadable,
        ]);
        for failure in all {
            assert!(!(failure.may_have_acted() && failure.may_be_repeated(Effect::Acts)), "{failure:?}");
        }
    }

    #[test]
    fn backoff_doubles_to_eight_seconds() {
        let ceilings: Vec<u128> = (0..7).map(|repeat| wait_before(repeat, None, 1.0).as_millis()).collect();
        assert_eq!(ceilings, [500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(wait_before(u32::MAX, None, 1.0), Duration::from_secs(8));
        assert_eq!(wait_before(3, None, 0.0), Duration::ZERO);
        assert_eq!(wait_before(0, None, 0.5), Duration::from_millis(250));
    }

    #[test]
    fn what_the_service_asked_for_comes_before_backoff() {
        assert_eq!(wait_before(0, Some(Duration::from_secs(90)), 0.1), Duration::from_secs(90));
        assert_eq!(wait_before(5, Some(Duration::ZERO), 1.0), Duration::ZERO);
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

    /// The seconds that HTTP dates can name: up to the year 9999.
    const DATES: std::ops::Range<u64> = 0..253_402_300_800;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    proptest! {
        // What failed once belongs into a test with a name, not into a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn backoff_stays_within_eight_seconds(
            repeat in prop_oneof![0..8_u32, any::<u32>()],
            random in prop_oneof![0.0..1.0, -1e300..1e300],
        ) {
            let wait = wait_before(repeat, None, random);
            prop_assert!(wait <= Duration::from_secs(8), "{:?}", wait);
            prop_assert!(wait <= wait_before(repeat, None, 1.0));
        }

        #[test]
        fn backoff_grows_and_begins_with_half_a_second(
            repeat in prop_oneof![0..8_u32, 0..u32::MAX],
            (less, more) in (0.0..1.0, 0.0..1.0).prop_map(|(a, b): (f64, f64)| (a.min(b), a.max(b))),
        ) {
            let ceiling = wait_before(repeat, None, 1.0);
            prop_assert!(ceiling >= Duration::from_millis(500));
            let next = wait_before(repeat + 1, None, 1.0);
            prop_assert_eq!(next, (ceiling * 2).min(Duration::from_secs(8)));
            prop_assert!(wait_before(repeat, None, less) <= wait_before(repeat, None, more));
        }

        #[test]
        fn what_was_asked_for_is_waited(repeat: u32, asked: Duration, random in 0.0..1.0) {
            prop_assert_eq!(wait_before(repeat, Some(asked), random), asked);
        }

        #[test]
        fn seconds_are_read_as_they_are(seconds: u64, space in "[ \t]{0,2}", zeros in "0{0,3}", now in DATES) {
            let text = format!("{space}{zeros}{seconds}{space}");
            prop_assert_eq!(retry_after(&text, None, at(now)), Some(Duration::from_secs(seconds)));
        }

        #[test]
        fn a_date_is_the_time_until_then(
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
        fn nothing_else_is_a_wait(
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
