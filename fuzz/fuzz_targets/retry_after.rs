//! Reads any header as the `Retry-After` of a 429. Seconds are that wait, a date is the time until then, and anything
//! else is not a wait.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use contiguity::fuzzing::respond_with;
use contiguity::{Client, ResendOtp};
use libfuzzer_sys::fuzz_target;

// Hardly any wait fits into a millisecond, so retries take no time here.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder("your-api-key").base_url("http://127.0.0.1:1");
    client.retries(2).timeout(Duration::from_millis(1)).build().unwrap()
});

// Two lines, so that seeds can be written by hand: the `Date` of the response, and its `Retry-After`.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |&byte| byte == b'\n');
    let (date, wait) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    // Only these bytes can be in a header.
    let is_header = |value: &[u8]| value.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7f));
    let headers = [("date", date), ("retry-after", wait)].into_iter().filter(|(_, value)| is_header(value));
    let headers: Vec<_> = headers.collect();
    respond_with(429, &headers, b"");

    let before = SystemTime::now();
    let error = ResendOtp::otp_id("otp_1").send(&CLIENT).unwrap_err();
    let after = SystemTime::now();
    assert_eq!(error.status(), Some(429));
    assert!(error.is_retryable() && !error.may_have_sent());
    let read = error.retry_after();

    let text = |value: &[u8]| {
        std::str::from_utf8(value).ok().filter(|text| is_visible(text)).map(|text| text.trim().to_owned())
    };
    let wait = text(wait).unwrap_or_default();
    let date = text(date).and_then(|date| httpdate::parse_http_date(&date).ok());
    if !wait.is_empty() && wait.chars().all(|c| c.is_ascii_digit()) {
        let digits = wait.trim_start_matches('0');
        let read = read.expect("digits are a wait");
        assert_eq!(read.subsec_nanos(), 0);
        if read.as_secs() < u64::MAX {
            assert_eq!(read.as_secs().to_string(), if digits.is_empty() { "0" } else { digits });
        } else {
            assert!(digits.len() >= 20, "{wait} does not mean never");
        }
        let advice = format!("; retry after {} s;", read.as_secs());
        assert_eq!(error.to_string().contains(&advice), !read.is_zero(), "{error}");
    } else if let Ok(until) = httpdate::parse_http_date(&wait) {
        let read = read.expect("a date is a wait");
        let left = |from| until.duration_since(from).unwrap_or_default();
        match date {
            Some(date) => assert_eq!(read, left(date)),
            None => assert!((left(after)..=left(before)).contains(&read), "{read:?} until {wait}"),
        }
    } else {
        assert_eq!(read, None, "{wait:?}");
    }
});

/// Other headers are not read as text.
fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
}
