//! Any header as the `Retry-After` of a 429: seconds are those seconds, a date is the time until then, and everything
//! else is no wait at all.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use contiguity::fuzzing::answer_with;
use contiguity::{Client, ResendOtp};
use libfuzzer_sys::fuzz_target;

// A wait that fits into a millisecond is none, so that repeats cost no time here.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder("your-api-key").base_url("http://127.0.0.1:1");
    client.retries(2).timeout(Duration::from_millis(1)).build().unwrap()
});

// Two lines, so that seeds can be written by hand: the answer's `Date`, and its `Retry-After`.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |&byte| byte == b'\n');
    let (date, wait) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    // What no header can hold is no header.
    let can_stand = |value: &&[u8]| value.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7f));
    let headers = [("date", date), ("retry-after", wait)].into_iter().filter(|(_, value)| can_stand(value));
    let headers: Vec<_> = headers.collect();
    answer_with(429, &headers, b"");

    let before = SystemTime::now();
    let error = ResendOtp::otp_id("otp_1").send(&CLIENT).unwrap_err();
    let after = SystemTime::now();
    assert_eq!(error.status(), Some(429));
    assert!(error.is_retryable() && !error.may_have_sent());
    let told = error.retry_after();

    let text = |value: &[u8]| {
        std::str::from_utf8(value).ok().filter(|text| is_visible(text)).map(|text| text.trim().to_owned())
    };
    let wait = text(wait).unwrap_or_default();
    let date = text(date).and_then(|date| httpdate::parse_http_date(&date).ok());
    if !wait.is_empty() && wait.chars().all(|c| c.is_ascii_digit()) {
        let seconds = wait.trim_start_matches('0');
        let whole = told.expect("digits are a wait");
        assert_eq!(whole.subsec_nanos(), 0);
        if whole.as_secs() < u64::MAX {
            assert_eq!(whole.as_secs().to_string(), if seconds.is_empty() { "0" } else { seconds });
        } else {
            assert!(seconds.len() >= 20, "{wait} is not for ever");
        }
        assert!(error.to_string().contains(&format!("wait {} s", whole.as_secs())));
    } else if let Ok(until) = httpdate::parse_http_date(&wait) {
        let told = told.expect("a date is a wait");
        let left = |from| until.duration_since(from).unwrap_or_default();
        match date {
            Some(date) => assert_eq!(told, left(date)),
            None => assert!((left(after)..=left(before)).contains(&told), "{told:?} until {wait}"),
        }
    } else {
        assert_eq!(told, None, "{wait:?}");
    }
});

/// What the value of a header is read as text for.
fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
}
