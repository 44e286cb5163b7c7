//! Verifies any header and body as a webhook. Nothing without a valid signature verifies, and a signed event is read as
//! it was written.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use contiguity::webhook::{self, Error, Event, Verifier};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

// Three lines, so that seeds can be written by hand: the times of signing and of receiving in seconds, the header, and
// the body.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |&byte| byte == b'\n').map(|line| String::from_utf8_lossy(line));
    let (times, header) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let body = input.splitn(3, |&byte| byte == b'\n').nth(2).unwrap_or_default();
    let mut times = times.split(' ').map(|time| time.parse().unwrap_or(1_726_502_400));
    let (signed_at, now) = (times.next().unwrap_or_default(), times.next().unwrap_or_default());
    let Some(now) = UNIX_EPOCH.checked_add(Duration::from_secs(now)) else { return };
    let verifier = Verifier::new("whsec_today").unwrap().also("whsec_yesterday").unwrap();
    let patient = verifier.clone().tolerance(Duration::MAX);

    // The fuzzer cannot guess a signature, so every header of its own is refused at any time.
    is_fit_to_show(&verifier.verify_at(body, Some(&header), now).unwrap_err());
    is_fit_to_show(&patient.verify_at(body, Some(&header), now).unwrap_err());

    // A signature with another secret, and one of another body.
    let forged = webhook::sign(&header, signed_at, body);
    assert!(verifier.verify_at(body, Some(&forged), now).unwrap_err().is_mismatch());
    let genuine = webhook::sign("whsec_yesterday", signed_at, body);
    let longer = [body, b" "].concat();
    assert!(verifier.verify_at(&longer, Some(&genuine), now).unwrap_err().is_mismatch());

    // A valid signature is refused only for its age.
    let is_recent = now.duration_since(UNIX_EPOCH).unwrap().as_secs().abs_diff(signed_at) <= 300;
    let is_stale = verifier.verify_at(body, Some(&genuine), now).is_err_and(|error| error.is_stale());
    assert_ne!(is_stale, is_recent, "signed at {signed_at}, received at {now:?}");

    // Another reader of JSON also refuses what the crate ignores, such as 1e999.
    let json = serde_json::from_slice::<Value>(body).ok();
    match patient.verify_at(body, Some(&genuine), now) {
        Ok(Event::OtpReverseVerified(event)) => {
            let Some(json) = json else { return };
            assert_eq!(json["type"], "otp.reverse.verified");
            assert_eq!(json["data"]["status"], "verified");
            assert_eq!(json["data"]["otp_id"], event.otp_id().as_str());
            assert_eq!(json["data"]["number"], event.number().as_str());
            assert_eq!(json["id"], event.id());
            assert_eq!(event.proof().number().unwrap(), json["data"]["number"].as_str().unwrap());
        }
        Ok(Event::Other(event)) => {
            let Some(json) = json else { return };
            assert_eq!(json["type"], event.kind());
            assert_eq!(serde_json::from_str::<Value>(event.data()).unwrap(), json["data"]);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(error.is_bad_body(), "{error}");
            is_fit_to_show(&error);
        }
    }
});

/// One line that is not long, whatever the header and the body contain.
fn is_fit_to_show(error: &Error) {
    let text = error.to_string();
    assert!(!text.contains(char::is_control) && text.len() < 200, "{text:?}");
}
