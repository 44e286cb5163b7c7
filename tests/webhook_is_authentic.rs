//! A webhook is accepted only if the service signed these bytes recently. A person is verified only
//! if both the event's type and its status say so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contiguity::PhoneNumber;
use contiguity::webhook::{self, Error, Event, OtherEvent, OtpReverseVerified, Verifier};

const SECRET: &str = "whsec_test_secret";
const SIGNED_AT: u64 = 1_726_502_400;

/// The example in the vendor's documentation.
const EXAMPLE: &str = r#"{"id":"evt_…","type":"otp.reverse.verified","timestamp":1726502400,"api_version":"v2025.12.10","data":{"otp_id":"r_otp_123456","number":"+15551234567","status":"verified"}}"#;

/// Python: `hmac.new(SECRET, b"1726502400." + EXAMPLE, hashlib.sha256).hexdigest()`.
const EXAMPLE_TAG: &str = "595b0ad2d1f858511918d1bb5a8fcb1537cea188373269c1597db42a9b3befc1";

#[test]
fn the_vendors_example_verifies() {
    let header = format!("t={SIGNED_AT},v1={EXAMPLE_TAG}");
    let event = expect_verified(verify(EXAMPLE, &header));
    assert_eq!(event.id(), "evt_…");
    assert_eq!(event.otp_id().as_str(), "r_otp_123456");
    let number: PhoneNumber = event.number();
    assert_eq!(number.as_str(), "+15551234567");
    assert_eq!(event.timestamp(), Some(UNIX_EPOCH + Duration::from_secs(1_726_502_400)));
    let proof = event.proof();
    assert_eq!(proof.otp_id().as_str(), "r_otp_123456");
    assert_eq!(proof.number().unwrap().as_str(), "+15551234567");
}

/// The expected signatures are from Python's hmac module.
#[test]
fn signatures_match_another_implementation() {
    assert_eq!(webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes()), format!("t=1726502400,v1={EXAMPLE_TAG}"));
    // HMAC hashes a key that is longer than a block of SHA-256.
    let long = "k".repeat(100);
    assert_eq!(webhook::sign(&long, 0, b""), "t=0,v1=243c2f8200e1d4ee892e7a7ded377a65e2beb1c64b997c54b8b0f516216d4b0f");
    assert_eq!(
        webhook::sign(SECRET, u64::MAX, b"\x00\xff\r\n"),
        "t=18446744073709551615,v1=3184576b2ef45578f5ad53f3a443833a7e7278ecb99beec9d5af809d6daff445"
    );
}

#[test]
fn a_flipped_bit_is_refused() {
    let verifier = verifier();
    let body = EXAMPLE.as_bytes();
    let header = webhook::sign(SECRET, SIGNED_AT, body);
    assert!(verifier.verify_at(body, Some(&header), at(0)).is_ok());

    for (index, bit) in bits(body.len()) {
        let mut body = body.to_vec();
        body[index] ^= bit;
        let error = verifier.verify_at(&body, Some(&header), at(0)).unwrap_err();
        assert!(error.is_mismatch(), "bit {bit:#x} of body byte {index}: {error}");
    }
    for (index, bit) in bits(header.len()) {
        let mut header = header.clone().into_bytes();
        header[index] ^= bit;
        // The verifier takes text, so other bytes never reach it.
        let Ok(header) = String::from_utf8(header) else { continue };
        let result = verifier.verify_at(body, Some(&header), at(0));
        let error = result.expect_err(&header);
        assert!(error.is_mismatch() || error.is_malformed_header(), "{header}: {error}");
    }
}

#[test]
fn an_inserted_or_removed_byte_is_refused() {
    let verifier = verifier();
    let body = EXAMPLE.as_bytes();
    let header = webhook::sign(SECRET, SIGNED_AT, body);

    for index in 0..body.len() {
        let mut shorter = body.to_vec();
        shorter.remove(index);
        assert!(verifier.verify_at(&shorter, Some(&header), at(0)).is_err(), "without body byte {index}");
    }
    for index in 0..=body.len() {
        let mut longer = body.to_vec();
        longer.insert(index, b' ');
        assert!(verifier.verify_at(&longer, Some(&header), at(0)).is_err(), "a space at body byte {index}");
    }
    for index in 0..header.len() {
        let mut shorter = header.clone();
        shorter.remove(index);
        assert!(verifier.verify_at(body, Some(&shorter), at(0)).is_err(), "{shorter}");
    }
    let after_comma = header.find(',').unwrap() + 1;
    for index in 0..=header.len() {
        for byte in (0..128u8).map(char::from) {
            let mut longer = header.clone();
            longer.insert(index, byte);
            let is_allowed = byte == ' ' && (index == 0 || index == after_comma);
            assert_eq!(verifier.verify_at(body, Some(&longer), at(0)).is_ok(), is_allowed, "{longer:?}");
        }
    }
}

#[test]
fn the_tolerance_is_exact_in_both_directions() {
    let header = webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes());
    let nanosecond = Duration::from_nanos(1);
    for seconds in [300, 0, 7] {
        let tolerance = Duration::from_secs(seconds);
        let verifier = if seconds == 300 { verifier() } else { verifier().tolerance(tolerance) };
        let verify = |now| verifier.verify_at(EXAMPLE.as_bytes(), Some(&header), now);
        assert!(verify(at(0) + tolerance).is_ok());
        assert!(verify(at(0) - tolerance).is_ok());
        assert_refused(verify(at(0) + tolerance + nanosecond), Error::is_stale);
        assert_refused(verify(at(0) - tolerance - nanosecond), Error::is_stale);
    }
    assert!(verifier().tolerance(Duration::MAX).verify(EXAMPLE.as_bytes(), Some(&header)).is_ok());
}

#[test]
fn extreme_times_are_stale() {
    for signed_at in [0, u64::from(u32::MAX), i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() + 1, u64::MAX] {
        let header = webhook::sign(SECRET, signed_at, EXAMPLE.as_bytes());
        assert_refused(verify(EXAMPLE, &header), Error::is_stale);
    }
    let header = webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes());
    let before_1970 = UNIX_EPOCH - Duration::from_secs(1);
    assert_refused(verifier().verify_at(EXAMPLE.as_bytes(), Some(&header), before_1970), Error::is_stale);
}

#[test]
fn verify_uses_the_clock_of_this_machine() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let verify = |signed_at| {
        let header = webhook::sign(SECRET, signed_at, EXAMPLE.as_bytes());
        verifier().verify(EXAMPLE.as_bytes(), Some(&header))
    };
    assert!(verify(now).is_ok());
    assert_refused(verify(now - 310), Error::is_stale);
    assert_refused(verify(now + 310), Error::is_stale);
}

#[test]
fn any_of_several_secrets_and_signatures_may_match() {
    let body = EXAMPLE.as_bytes();
    let tag = |secret: &str| webhook::sign(secret, SIGNED_AT, body).split_once(",v1=").unwrap().1.to_owned();
    let verify = |verifier: &Verifier, header: &str| verifier.verify_at(body, Some(header), at(0));

    let both = Verifier::new("whsec_new").unwrap().also("whsec_old").unwrap();
    for secret in ["whsec_new", "whsec_old"] {
        assert!(verify(&both, &webhook::sign(secret, SIGNED_AT, body)).is_ok(), "{secret}");
    }
    assert_refused(verify(&both, &webhook::sign("whsec_older", SIGNED_AT, body)), Error::is_mismatch);

    let (new, old) = (tag("whsec_new"), tag("whsec_old"));
    let signed_twice = format!("t={SIGNED_AT},v1={new},v1={old}");
    for secret in ["whsec_new", "whsec_old"] {
        assert!(verify(&Verifier::new(secret).unwrap(), &signed_twice).is_ok(), "{secret}");
    }
    assert_refused(verify(&verifier(), &signed_twice), Error::is_mismatch);
}

#[test]
fn the_whole_secret_is_the_key() {
    let header = webhook::sign("test_secret", SIGNED_AT, EXAMPLE.as_bytes());
    assert_refused(verify(EXAMPLE, &header), Error::is_mismatch); // the prefix is missing
    let header = webhook::sign(&SECRET.to_uppercase(), SIGNED_AT, EXAMPLE.as_bytes());
    assert_refused(verify(EXAMPLE, &header), Error::is_mismatch);
}

#[test]
fn secrets_are_checked_when_they_are_set() {
    let blank = "invalid webhook secret: blank; use the endpoint's signing secret, such as whsec_…";
    let white_space = "invalid webhook secret: starts or ends with white space, such as the line break at the end of a \
        file; trim the secret";
    let character = "invalid webhook secret: contains a space or another character that is not visible ASCII; copy the \
        secret again, without invisible characters";
    for (secret, message) in [
        ("", blank),
        (" ", blank),
        ("\t\r\n", blank),
        ("\0", blank),
        ("\u{a0}\u{2003}\u{3000}", blank),
        ("\u{200b}", blank),
        ("\u{feff}", blank),
        ("\u{2060}\u{61c}\u{ad}", blank),
        ("whsec_secret\n", white_space),
        ("whsec_secret\r\n", white_space),
        (" whsec_secret", white_space),
        ("\twhsec_secret", white_space),
        ("whsec_secret\u{a0}", white_space),
        ("\u{2028}whsec_secret", white_space),
        ("\u{3000}whsec_secret", white_space),
        ("\u{e9}", character),
        ("whsec secret", character),
        ("whsec_\tsecret", character),
        ("whsec_\nsecret", character),
        ("whsec_secret\0", character),
        ("whsec_secret\u{7f}", character),
        ("\u{feff}whsec_secret", character),
        ("whsec_\u{a0}secret", character),
        ("whsec_\u{200b}secret", character),
        ("whsec_secret\u{200b}", character),
        ("whsec_\u{200d}secret", character),
        ("whsec_\u{2060}secret", character),
        ("\u{61c}whsec_secret", character),
        ("\u{202a}whsec_secret\u{202c}", character),
        ("whsec_\u{ad}secret", character),
        ("whsec_\u{85}secret", character),
        ("whsec_sécret", character),
        ("whsec_ｓecret", character),
        ("whsec_se\u{301}cret", character),
        ("whsec_🦀secret", character),
    ] {
        for error in [Verifier::new(secret).unwrap_err(), verifier().also(secret).unwrap_err()] {
            assert_message(&error, message);
        }
    }
    for secret in ["!", "whsec_~\"\\'+/=", &"x".repeat(10_000)] {
        let header = webhook::sign(secret, SIGNED_AT, EXAMPLE.as_bytes());
        for verifier in [Verifier::new(secret).unwrap(), verifier().also(secret).unwrap()] {
            assert!(verifier.verify_at(EXAMPLE.as_bytes(), Some(&header), at(0)).is_ok());
        }
    }
}

#[test]
fn headers_may_contain_other_schemes_and_spaces() {
    let tag = EXAMPLE_TAG;
    for header in [
        format!("t={SIGNED_AT},v1={tag}"),
        format!("t={SIGNED_AT}, v1={tag}"),
        format!("v1={tag},  t={SIGNED_AT}"),
        format!("t={SIGNED_AT},v0=anything,v1={tag},v2="),
        format!("scheme=a=b,v1={tag},t={SIGNED_AT}"),
        format!("t={SIGNED_AT},v1={},v1={tag}", "0".repeat(64)),
    ] {
        assert!(verify(EXAMPLE, &header).is_ok(), "{header}");
    }
}

#[test]
fn malformed_headers_are_refused() {
    let tag = EXAMPLE_TAG;
    for header in [
        String::new(),
        format!("t={SIGNED_AT},v1={tag},"),
        format!("t={SIGNED_AT},,v1={tag}"),
        format!("t={SIGNED_AT};v1={tag}"),
        format!("v1={tag}"),
        format!("T={SIGNED_AT},v1={tag}"),
        format!("t={SIGNED_AT},t={SIGNED_AT},v1={tag}"),
        format!("t={SIGNED_AT},v1={tag},t={SIGNED_AT},v1={tag}"),
        format!("t=,v1={tag}"),
        format!("t=-1,v1={tag}"),
        format!("t= {SIGNED_AT},v1={tag}"),
        format!("t={SIGNED_AT}.0,v1={tag}"),
        format!("t=18446744073709551616,v1={tag}"),
        format!("t={SIGNED_AT}"),
        format!("t={SIGNED_AT},v0={tag}"),
        format!("t={SIGNED_AT},v1="),
        format!("t={SIGNED_AT},v1={}", tag.to_uppercase()),
        format!("t={SIGNED_AT},v1={}", &tag[2..]),
        format!("t={SIGNED_AT},v1={tag}00"),
        format!("t={SIGNED_AT},v1={tag},v1=é"),
    ] {
        let error = verify(EXAMPLE, &header).expect_err(&header);
        assert!(error.is_malformed_header(), "{header}: {error}");
    }
}

#[test]
fn each_error_has_one_kind_and_a_message() {
    let signed_at = |seconds| webhook::sign(SECRET, seconds, EXAMPLE.as_bytes());
    let verify_at = |now| verifier().verify_at(EXAMPLE.as_bytes(), Some(&signed_at(SIGNED_AT)), now).unwrap_err();
    let half_a_second = verifier().tolerance(Duration::from_millis(500));
    let kinds: [fn(&Error) -> bool; 5] =
        [Error::is_missing_header, Error::is_malformed_header, Error::is_mismatch, Error::is_stale, Error::is_bad_body];
    for (kind, error, message) in [
        (
            0,
            verifier().verify_at(EXAMPLE.as_bytes(), None, at(0)).unwrap_err(),
            "the webhook has no `Contiguity-Signature` header; check that no proxy removes the header",
        ),
        (
            1,
            verify(EXAMPLE, "t").unwrap_err(),
            "the webhook's `Contiguity-Signature` header is malformed: expected `t=<seconds>,v1=<64 hex digits>`; pass \
             the header's value unchanged",
        ),
        (
            2,
            verify(EXAMPLE, &webhook::sign("another", SIGNED_AT, EXAMPLE.as_bytes())).unwrap_err(),
            "the webhook's signature does not match; check that the secret is this endpoint's, and pass the body \
             unchanged, byte for byte",
        ),
        // A wrong signature is never stale, however old: only the service's own webhooks are.
        (
            2,
            verify(EXAMPLE, &format!("t=1,v1={}", "0".repeat(64))).unwrap_err(),
            "the webhook's signature does not match; check that the secret is this endpoint's, and pass the body \
             unchanged, byte for byte",
        ),
        (
            3,
            verify_at(at(301)),
            "the webhook's signature is 301 s old, more than the tolerance of 300 s: a replay, or this machine's clock \
             is wrong",
        ),
        (
            3,
            verify_at(at(300) + Duration::from_nanos(1)),
            "the webhook's signature is 301 s old, more than the tolerance of 300 s: a replay, or this machine's clock \
             is wrong",
        ),
        (
            3,
            half_a_second.verify_at(EXAMPLE.as_bytes(), Some(&signed_at(SIGNED_AT)), at(1)).unwrap_err(),
            "the webhook's signature is 1 s old, more than the tolerance of 0.5 s: a replay, or this machine's clock is \
             wrong",
        ),
        (
            3,
            verify_at(at(0) - Duration::from_secs(301)),
            "the webhook's signature is 301 s in the future, more than the tolerance of 300 s: this machine's clock is \
             wrong",
        ),
        (4, signed("[]").unwrap_err(), "the webhook's signature is valid, but its body is not a JSON object"),
    ] {
        for (index, is_kind) in kinds.iter().enumerate() {
            assert_eq!(is_kind(&error), index == kind, "{error}");
        }
        assert_message(&error, message);
    }
}

#[test]
fn only_type_and_status_together_are_a_proof() {
    for (kind, data) in [
        ("otp.reverse.verified", r#"{"otp_id":"r_otp_1","number":"+15551234567","status":"pending"}"#),
        ("otp.reverse.verified", r#"{"otp_id":"r_otp_1","number":"+15551234567","status":"Verified"}"#),
        ("otp.reverse.verified", r#"{"otp_id":"r_otp_1","number":"+15551234567","status":true}"#),
        ("otp.reverse.verified", r#"{"otp_id":"r_otp_1","number":"+15551234567"}"#),
        ("otp.reverse.verified", r#"{"data":{"status":"verified"}}"#),
        ("otp.reverse.verified", r#"["r_otp_1","+15551234567","verified"]"#),
        ("otp.reverse.verified", "null"),
        ("otp.reverse.expired", r#"{"otp_id":"r_otp_1","number":"+15551234567","status":"verified"}"#),
        ("otp.reverse.Verified", r#"{"otp_id":"r_otp_1","number":"+15551234567","status":"verified"}"#),
        ("", r#"{"otp_id":"r_otp_1","number":"+15551234567","status":"verified"}"#),
    ] {
        let body = format!(r#"{{"id":"evt_1","type":"{kind}","timestamp":1726502400,"data":{data}}}"#);
        let event = expect_other(signed(&body));
        assert_eq!((event.kind(), event.data(), event.id()), (kind, data, Some("evt_1")));
    }
}

#[test]
fn the_spelling_of_the_json_does_not_matter() {
    let body = r#" { "data" : {"number":"\u002b15551234567", "more":[{}], "status":"veri\u0066ied", "otp_id":"r_otp_1"} ,
        "\u0074ype":"otp.reverse.verified", "more":{"type":"x"}, "id":"evt_1"}
        "#;
    let event = expect_verified(signed(body));
    assert_eq!((event.id(), event.otp_id().as_str(), event.number().as_str()), ("evt_1", "r_otp_1", "+15551234567"));
    assert_eq!(event.timestamp(), None);
}

#[test]
fn other_events_keep_their_type_and_data() {
    let data = r#"{ "to": "+15551234567", "n": 1.50, "ü": ["\u00fc"] }"#;
    let event = expect_other(signed(&format!(r#"{{"type":"text.received","timestamp":1726502400,"data":{data}}}"#)));
    assert_eq!((event.kind(), event.data(), event.id()), ("text.received", data, None));
    assert_eq!(event.timestamp(), Some(at(0)));

    for body in [r#"{"type":"ping"}"#, r#"{"id":7,"type":"ping","timestamp":"now","data":null}"#] {
        let event = expect_other(signed(body));
        assert_eq!((event.kind(), event.data(), event.id(), event.timestamp()), ("ping", "null", None, None));
    }
}

#[test]
fn bodies_that_are_not_events_are_refused() {
    let verified = |id: &str, otp_id: &str, number: &str| {
        format!(r#"{{{id}"type":"otp.reverse.verified","data":{{{otp_id}{number}"status":"verified"}}}}"#)
    };
    let (id, otp_id, number) = (r#""id":"evt_1","#, r#""otp_id":"r_otp_1","#, r#""number":"+15551234567","#);
    assert!(signed(&verified(id, otp_id, number)).is_ok());
    for (body, problem) in [
        (verified("", otp_id, number), "has no valid `id`"),
        (verified(r#""id":" ","#, otp_id, number), "has no valid `id`"),
        (verified(r#""id":"\ud800","#, otp_id, number), "has no valid `id`"),
        (verified(id, "", number), "has no valid `data.otp_id`"),
        (verified(id, r#""otp_id":"..","#, number), "has no valid `data.otp_id`"),
        (verified(id, r#""otp_id":7,"#, number), "has no valid `data.otp_id`"),
        (verified(id, otp_id, ""), "has no valid `data.number`"),
        (verified(id, otp_id, r#""number":"15551234567","#), "has no valid `data.number`"),
        ("{}".to_owned(), "has no valid `type`"),
        (r#"{"type":null}"#.to_owned(), "has no valid `type`"),
        (String::new(), "is not a JSON object"),
        ("null".to_owned(), "is not a JSON object"),
        (r#"["evt_1","ping",0,{}]"#.to_owned(), "is not a JSON object"),
        ("{\n \"type\": ping}".to_owned(), "is not valid JSON (line 2, column 10)"),
        (r#"{"type":"ping""#.to_owned(), "is not valid JSON (line 1, column 14)"),
        (r#"{"type":"ping"}{}"#.to_owned(), "is not valid JSON (line 1, column 16)"),
        (r#"{"type":"otp.reverse.verified","data":{"\ud800":1}}"#.to_owned(), "is not valid JSON (line 1, column 47)"),
        (format!("{{{}", "[".repeat(100_000)), "is not valid JSON (line 1, column 2)"),
    ] {
        let error = signed(&body).expect_err(&body);
        assert!(error.is_bad_body(), "{error}");
        assert_message(&error, &format!("the webhook's signature is valid, but its body {problem}"));
    }
    let not_text = b"{\"type\":\"\xff\"}";
    let header = webhook::sign(SECRET, SIGNED_AT, not_text);
    let error = verifier().verify_at(not_text, Some(&header), at(0)).unwrap_err();
    assert_message(&error, "the webhook's signature is valid, but its body is not UTF-8");
}

#[test]
fn a_field_that_is_given_twice_is_refused() {
    for twice in [
        (r#""id":"evt_…""#, r#""id":"evt_2""#),
        (r#""type":"otp.reverse.verified""#, r#""type":"ping""#),
        (r#""type":"otp.reverse.verified""#, r#""ty\u0070e":"ping""#),
        (r#""timestamp":1726502400"#, r#""timestamp":null"#),
        (r#""data":{"#, r#""data":{"status":"pending"},"data":{"#),
        (r#""otp_id":"r_otp_123456""#, r#""otp_id":"r_otp_2""#),
        (r#""number":"+15551234567""#, r#""number":"+14155552671""#),
        (r#""status":"verified""#, r#""status":"pending""#),
    ] {
        let (once, other) = twice;
        assert!(EXAMPLE.contains(once));
        let bodies = if once.ends_with('{') {
            vec![EXAMPLE.replace(once, other)]
        } else {
            vec![
                EXAMPLE.replace(once, &format!("{once},{other}")),
                EXAMPLE.replace(once, &format!("{other},{once}")),
                EXAMPLE.replace(once, &format!("{once},{once}")),
            ]
        };
        for body in bodies {
            assert_refused(signed(&body), Error::is_bad_body);
        }
    }
    for (body, place) in [
        (r#"{"type":"ping","id":"804315","id":"804315"}"#, "line 1, column 33"),
        (
            "{\"type\":\"otp.reverse.verified\",\n\"data\":{\"number\":\"804315\",\"number\":\"804315\"}}",
            "line 2, column 34",
        ),
    ] {
        let message = format!("the webhook's signature is valid, but its body contains a field twice ({place})");
        assert_message(&signed(body).unwrap_err(), &message);
    }
}

#[test]
fn secrets_and_numbers_are_not_shown() {
    let verifier = verifier().also("whsec_old").unwrap();
    assert_eq!(format!("{verifier:?}"), "Verifier { secrets: 2, tolerance: 300s }");

    let forged = "0".repeat(64);
    let number = "+15551234567";
    let bad_number = EXAMPLE.replace("15551234567", "1555123456789012");
    let shown = [
        verify(EXAMPLE, &format!("t={SIGNED_AT},v1={forged}")).unwrap_err(),
        verify(EXAMPLE, &webhook::sign(SECRET, 0, EXAMPLE.as_bytes())).unwrap_err(),
        verify(EXAMPLE, &format!("t={SIGNED_AT},v1={EXAMPLE_TAG}0")).unwrap_err(),
        signed(&bad_number).unwrap_err(),
        signed(&EXAMPLE.replace(r#""status""#, r#"+15551234567 "status""#)).unwrap_err(),
    ]
    .map(|error| format!("{error} {error:?}"));
    let invalid = Verifier::new(format!("{SECRET}\n")).unwrap_err();
    let event = format!("{:?}", verify(EXAMPLE, &webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes())).unwrap());
    let other = format!("{:?}", signed(&EXAMPLE.replace("reverse", "other")).unwrap());
    for text in shown.into_iter().chain([format!("{invalid} {invalid:?}"), event, other]) {
        for secret in [SECRET, EXAMPLE_TAG, number, &number[1..], "1555123456789012"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

fn verifier() -> Verifier {
    Verifier::new(SECRET).unwrap()
}

/// Returns the time this many seconds after the signature.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(SIGNED_AT + seconds)
}

fn verify(body: &str, header: &str) -> Result<Event, Error> {
    verifier().verify_at(body.as_bytes(), Some(header), at(0))
}

/// Verifies the body with a valid signature.
fn signed(body: &str) -> Result<Event, Error> {
    verify(body, &webhook::sign(SECRET, SIGNED_AT, body.as_bytes()))
}

fn bits(bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    (0..bytes).flat_map(|index| (0..8).map(move |bit| (index, 1 << bit)))
}

#[test]
fn every_event_has_the_id_of_its_body() {
    for (body, id) in [
        (EXAMPLE, Some("evt_…")),
        (r#"{"id":"evt_1","type":"ping"}"#, Some("evt_1")),
        (r#"{"id":"","type":"ping"}"#, None),
        (r#"{"type":"ping"}"#, None),
    ] {
        assert_eq!(signed(body).unwrap().id(), id);
    }
}

#[track_caller]
fn expect_verified(result: Result<Event, Error>) -> OtpReverseVerified {
    match result.unwrap() {
        Event::OtpReverseVerified(event) => event,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn expect_other(result: Result<Event, Error>) -> OtherEvent {
    match result.unwrap() {
        Event::Other(event) => event,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_refused(result: Result<Event, Error>, is_kind: fn(&Error) -> bool) {
    let error = result.unwrap_err();
    assert!(is_kind(&error), "{error}");
}

/// The message is also what `main` prints of an error that it returns, by `Debug`.
#[track_caller]
fn assert_message(error: &impl std::error::Error, message: &str) {
    assert_eq!(error.to_string(), message);
    assert_eq!(format!("{error:?}"), message);
}
