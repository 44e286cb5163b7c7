//! Reads any text as a stored challenge, and verifies and resends with it. A challenge that is read is consistent and
//! never allows more than it says, and no error repeats what was read.

#![no_main]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contiguity::fuzzing::respond_with;
use contiguity::{Attempt, Challenge, Client, Error};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static NOW: AtomicU64 = AtomicU64::new(0);

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder("your-api-key").base_url("http://127.0.0.1:1").retries(0);
    client.clock(|| at(NOW.load(Ordering::Relaxed))).build().unwrap()
});

// Two lines, so that seeds can be written by hand: the time in Unix milliseconds and a status, and the stored challenge.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |&byte| byte == b'\n');
    let line = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let json = lines.next().unwrap_or_default();
    let mut words = line.split(' ');
    let now = words.next().and_then(|now| now.parse().ok()).unwrap_or(1_790_000_000_000);
    let status = words.next().and_then(|status| status.parse().ok()).filter(|status| (200..=599).contains(status));
    NOW.store(now, Ordering::Relaxed);

    let mut challenge: Challenge = match serde_json::from_slice(json) {
        Ok(challenge) => challenge,
        Err(error) => {
            // serde adds where in the text it is.
            let text = error.to_string();
            let is_own = text.starts_with("the stored challenge is ") || serde_json::from_slice::<Value>(json).is_err();
            assert!(is_own && text.len() < 150, "{text}");
            return;
        }
    };
    if serde_json::from_slice::<Value>(json).is_ok_and(|json| json["version"] != 1) {
        panic!("another version was read: {challenge:?}");
    }
    is_consistent(&challenge);

    let status = status.unwrap_or(200);
    for _ in 0..4 {
        respond_with(status, &[], br#"{"object":"response","data":{"verified":false,"resent":true}}"#);
        let before = challenge.clone();
        let result = challenge.verify(&CLIENT, "804315");
        assert!(before.attempts_left() > 0 || result.is_err());
        check(&before, &challenge, result.as_ref().err());
        match result {
            Ok(Attempt::Verified(_)) => panic!("verified by verified:false"),
            Ok(Attempt::Wrong { attempts_left }) => {
                assert_eq!(attempts_left, before.attempts_left() - 1);
                assert_eq!(attempts_left, challenge.attempts_left());
            }
            Err(_) => {}
        }

        let before = challenge.clone();
        let result = challenge.resend(&CLIENT);
        check(&before, &challenge, result.as_ref().err());
        if result.is_ok() {
            assert_eq!(challenge.resends_left(), before.resends_left() - 1);
            assert_eq!(before.resend_in(&CLIENT), Some(Duration::ZERO));
        }
        // The next resend, if there is time for it.
        if let Some(wait) = challenge.resend_in(&CLIENT) {
            NOW.fetch_add(u64::try_from(wait.as_millis()).unwrap(), Ordering::Relaxed);
        }
    }

    respond_with(200, &[], br#"{"object":"response","data":{"verified":true}}"#);
    let before = challenge.clone();
    if let Ok(Attempt::Verified(proof)) = challenge.verify(&CLIENT, "804315") {
        assert_eq!(proof.number(), Some(before.number()));
        assert!(challenge.verify(&CLIENT, "804315").is_err_and(|error| matches!(error, Error::Refused(_))));
        assert!(challenge.resend(&CLIENT).is_err_and(|error| matches!(error, Error::Refused(_))));
        assert_eq!(challenge.next_resend_at(), None);
    }
    is_consistent(&challenge);
});

/// What holds for every challenge.
fn is_consistent(challenge: &Challenge) {
    let json = serde_json::to_string(challenge).unwrap();
    assert_eq!(&serde_json::from_str::<Challenge>(&json).unwrap(), challenge);
    let fields: Value = serde_json::from_str(&json).unwrap();
    let sent = fields["sent"].as_u64().unwrap();
    assert!(fields["lifetime"].as_u64().unwrap() <= 900_000, "codes live for 15 minutes");
    let expires = challenge.expires_at();
    assert!(expires <= at(sent.saturating_add(900_000)));
    // A page may show these times.
    let _ = humantime::format_rfc3339(expires).to_string();
    if let Some(next) = challenge.next_resend_at() {
        assert!(next <= expires);
        let _ = humantime::format_rfc3339(next).to_string();
    }
    if let Some(wait) = challenge.resend_in(&CLIENT) {
        assert!(wait <= Duration::from_secs(900), "{wait:?} for {challenge:?}");
    }
    is_silent(&format!("{challenge:?}"), challenge);
}

/// What holds after every call.
fn check(before: &Challenge, after: &Challenge, error: Option<&Error>) {
    is_consistent(after);
    assert_eq!((after.number(), after.otp_id()), (before.number(), before.otp_id()));
    assert!(after.attempts_left() <= before.attempts_left());
    assert!(after.resends_left() <= before.resends_left());
    assert!(after.expires_at() <= before.expires_at());
    let is_refused = matches!(error, Some(Error::Refused(_))) && after.revision() == before.revision();
    assert!(is_refused || after.revision() == before.revision().wrapping_add(1));
    if let Some(error) = error {
        let text = error.to_string();
        assert!(!text.contains(char::is_control) && text.len() < 500, "{text:?}");
        is_silent(&text, after);
        if is_refused || !error.may_have_sent() {
            assert_eq!((after.attempts_left(), after.resends_left()), (before.attempts_left(), before.resends_left()));
        }
    }
}

/// The number is not shown, unless the id repeats it.
fn is_silent(text: &str, challenge: &Challenge) {
    let number = challenge.number();
    assert!(!text.contains(number.as_str()) || challenge.otp_id().as_str().contains(number.as_str()), "{text:?}");
}

fn at(milliseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(milliseconds)
}
