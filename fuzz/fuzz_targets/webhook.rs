//! A webhook's header and body, from anyone: nothing panics, nothing unsigned verifies, and what is signed is read as its
//! own text says.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use contiguity::webhook::{self, Event, Verifier};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

// Three lines, so that seeds can be written by hand: when it is signed and received, in seconds; the header; the body.
fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |&byte| byte == b'\n').map(|line| String::from_utf8_lossy(line));
    let (times, header) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let body = input.splitn(3, |&byte| byte == b'\n').nth(2).unwrap_or_default();
    let mut times = times.split(' ').map(|time| time.parse().unwrap_or(1_726_502_400));
    let (signed_at, now) = (times.next().unwrap_or_default(), times.next().unwrap_or_default());
    let Some(now) = UNIX_EPOCH.checked_add(Duration::from_secs(now)) else { return };
    let verifier = Verifier::new("whsec_of_the_receiver").unwrap().also("whsec_of_yesterday").unwrap();

    // The fuzzer cannot know a signature: whatever the header says, and whatever time it is, this is refused.
    assert!(verifier.verify_at(body, Some(&header), now).is_err());
    assert!(verifier.clone().tolerance(Duration::MAX).verify_at(body, Some(&header), now).is_err());

    // Signed by somebody else, and by the service over another body or another time: refused for just that.
    let forged = webhook::sign(&header, signed_at, body);
    assert!(verifier.verify_at(body, Some(&forged), now).unwrap_err().is_mismatch());
    let genuine = webhook::sign("whsec_of_yesterday", signed_at, body);
    let longer = [body, b" "].concat();
    assert!(verifier.verify_at(&longer, Some(&genuine), now).unwrap_err().is_mismatch());

    // Signed: read or refused by what it says, and never for its signature. A tree of values is pickier about what nobody
    // reads here, such as 1e999.
    let patient = verifier.tolerance(Duration::MAX);
    match patient.verify_at(body, Some(&genuine), now) {
        Ok(Event::OtpReverseVerified(event)) => {
            let Ok(json) = serde_json::from_slice::<Value>(body) else { return };
            assert_eq!(json["type"], "otp.reverse.verified");
            assert_eq!(json["data"]["status"], "verified");
            assert_eq!(json["data"]["otp_id"], event.otp_id().as_str());
            assert_eq!(json["data"]["number"], event.number().as_str());
            assert_eq!(json["id"], event.id());
            assert_eq!(event.proof().number().unwrap().as_str(), json["data"]["number"]);
        }
        Ok(Event::Other(event)) => {
            let Ok(json) = serde_json::from_slice::<Value>(body) else { return };
            assert_eq!(json["type"], event.kind());
            assert_eq!(serde_json::from_str::<Value>(event.data()).unwrap(), json["data"]);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => assert!(error.is_bad_body(), "{error}"),
    }
});
