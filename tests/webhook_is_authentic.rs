//! A webhook counts if the service signed it, over these bytes, lately; and only one that says so twice verifies anybody.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contiguity::webhook::{self, Error, Event, OtherEvent, OtpReverseVerified, Verifier};

const SECRET: &str = "whsec_test_secret";
const SIGNED_AT: u64 = 1_726_502_400;

/// The vendor's example, as its documents print it.
const EXAMPLE: &str = r#"{"id":"evt_…","type":"otp.reverse.verified","timestamp":1726502400,"api_version":"v2025.12.10","data":{"otp_id":"r_otp_123456","number":"+15551234567","status":"verified"}}"#;

/// Python: `hmac.new(SECRET, b"1726502400." + EXAMPLE, hashlib.sha256).hexdigest()`.
const EXAMPLE_TAG: &str = "595b0ad2d1f858511918d1bb5a8fcb1537cea188373269c1597db42a9b3befc1";

#[test]
fn the_vendors_example_verifies() {
    let header = format!("t={SIGNED_AT},v1={EXAMPLE_TAG}");
    let event = expect_verified(verify(EXAMPLE, &header));
    assert_eq!(event.id(), "evt_…");
    assert_eq!(event.otp_id().as_str(), "r_otp_123456");
    assert_eq!(event.number().as_str(), "+15551234567");
    assert_eq!(event.timestamp(), Some(UNIX_EPOCH + Duration::from_secs(1_726_502_400)));
    let proof = event.proof();
    assert_eq!(proof.otp_id().as_str(), "r_otp_123456");
    assert_eq!(proof.number().unwrap().as_str(), "+15551234567");
}

/// Tags by Python's hmac module.
#[test]
fn signatures_are_those_of_another_implementation() {
    assert_eq!(webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes()), format!("t=1726502400,v1={EXAMPLE_TAG}"));
    // A key longer than a block of SHA-256, which is hashed first.
    let long = "k".repeat(100);
    assert_eq!(webhook::sign(&long, 0, b""), "t=0,v1=243c2f8200e1d4ee892e7a7ded377a65e2beb1c64b997c54b8b0f516216d4b0f");
    assert_eq!(
        webhook::sign(SECRET, u64::MAX, b"\x00\xff\r\n"),
        "t=18446744073709551615,v1=3184576b2ef45578f5ad53f3a443833a7e7278ecb99beec9d5af809d6daff445"
    );
}

#[test]
fn every_flipped_bit_is_refused() {
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
        // What is not text never gets as far as the verifier.
        let Ok(header) = String::from_utf8(header) else { continue };
        let result = verifier.verify_at(body, Some(&header), at(0));
        let error = result.expect_err(&header);
        assert!(error.is_mismatch() || error.is_malformed_header(), "{header}: {error}");
    }
}

#[test]
fn every_byte_put_in_or_left_out_is_refused() {
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
            // The one liberty there is: spaces after a comma.
            let is_allowed = index == after_comma && byte == ' ';
            assert_eq!(verifier.verify_at(body, Some(&longer), at(0)).is_ok(), is_allowed, "{longer:?}");
        }
    }
}

#[test]
fn the_time_is_part_of_what_is_signed() {
    let header = webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes());
    let later = header.replace("t=1726502400", "t=1726502401");
    assert_refused(verify(EXAMPLE, &later), Error::is_mismatch);
    // The same number in other words.
    for t in ["t=01726502400", "t=+1726502400", "t= 1726502400", "t=1726502400.0", "t=1726502400 "] {
        assert_refused(verify(EXAMPLE, &header.replace("t=1726502400", t)), Error::is_malformed_header);
    }
}

#[test]
fn the_tolerance_is_exact_on_both_sides() {
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
fn times_at_the_ends_of_time_are_stale_and_nothing_worse() {
    for signed_at in [0, u64::from(u32::MAX), i64::MAX.unsigned_abs(), i64::MAX.unsigned_abs() + 1, u64::MAX] {
        let header = webhook::sign(SECRET, signed_at, EXAMPLE.as_bytes());
        assert_refused(verify(EXAMPLE, &header), Error::is_stale);
    }
    let header = webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes());
    let before_1970 = UNIX_EPOCH - Duration::from_secs(1);
    assert_refused(verifier().verify_at(EXAMPLE.as_bytes(), Some(&header), before_1970), Error::is_stale);
}

#[test]
fn the_clock_of_this_machine_is_the_default() {
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
fn secrets_rotate_on_either_side() {
    let body = EXAMPLE.as_bytes();
    let tag = |secret: &str| webhook::sign(secret, SIGNED_AT, body).split_once(",v1=").unwrap().1.to_owned();
    let verify = |verifier: &Verifier, header: &str| verifier.verify_at(body, Some(header), at(0));

    let both = Verifier::new("whsec_new").unwrap().also("whsec_old");
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
fn all_of_a_secret_is_the_key() {
    let header = webhook::sign("test_secret", SIGNED_AT, EXAMPLE.as_bytes());
    assert_refused(verify(EXAMPLE, &header), Error::is_mismatch); // the prefix is missing
    let header = webhook::sign(&SECRET.to_uppercase(), SIGNED_AT, EXAMPLE.as_bytes());
    assert_refused(verify(EXAMPLE, &header), Error::is_mismatch);
}

#[test]
fn secrets_that_anyone_could_guess_are_refused() {
    for secret in ["", " ", "\t\n", "\u{a0}\u{2003}"] {
        assert_text(
            Verifier::new(secret).unwrap_err(),
            "webhook secret is blank, and anyone could sign with that; give the endpoint's signing secret, whsec_…",
        );
        // A blank old secret is none: nothing that is signed with it passes.
        let header = webhook::sign(secret, SIGNED_AT, EXAMPLE.as_bytes());
        let both = verifier().also(secret);
        assert_refused(both.verify_at(EXAMPLE.as_bytes(), Some(&header), at(0)), Error::is_mismatch);
    }
    assert_text(
        Verifier::new("whsec_test_secret\n").unwrap_err(),
        "webhook secret has a control character, such as the line break at the end of a file; leave it out",
    );
}

#[test]
fn headers_may_have_other_schemes_and_spaces() {
    let tag = EXAMPLE_TAG;
    for header in [
        format!("t={SIGNED_AT},v1={tag}"),
        format!("t={SIGNED_AT}, v1={tag}"),
        format!("v1={tag},  t={SIGNED_AT}"),
        format!("t={SIGNED_AT},v0=anything,v1={tag},v2="),
        format!("scheme=a=b,v1={tag},t={SIGNED_AT}"),
    ] {
        assert!(verify(EXAMPLE, &header).is_ok(), "{header}");
    }
}

#[test]
fn each_refusal_says_what_it_is() {
    assert_text(
        verifier().verify_at(EXAMPLE.as_bytes(), None, at(0)).unwrap_err(),
        "the webhook has no `Contiguity-Signature` header; check that nothing on its way here drops the header",
    );
    let tag = EXAMPLE_TAG;
    for (header, what) in [
        (String::new(), "has a part that is not `name=value`"),
        (format!("t={SIGNED_AT},v1={tag},"), "has a part that is not `name=value`"),
        (format!("t={SIGNED_AT},,v1={tag}"), "has a part that is not `name=value`"),
        (format!("=,t={SIGNED_AT},v1={tag}"), "has a part that is not `name=value`"),
        (format!("v1={tag}"), "has no `t`"),
        (format!("T={SIGNED_AT},v1={tag}"), "has no `t`"),
        (format!("t={SIGNED_AT},t={SIGNED_AT},v1={tag}"), "has `t` twice"),
        (format!("t={SIGNED_AT},v1={tag},t={SIGNED_AT},v1={tag}"), "has `t` twice"),
        (format!("t=,v1={tag}"), "has a `t` that is not a number of whole seconds"),
        (format!("t=-1,v1={tag}"), "has a `t` that is not a number of whole seconds"),
        (format!("t=18446744073709551616,v1={tag}"), "has a `t` that is not a number of whole seconds"),
        (format!("t={SIGNED_AT}"), "has no `v1`"),
        (format!("t={SIGNED_AT},v0={tag}"), "has no `v1`"),
        (format!("t={SIGNED_AT},v1="), "has a `v1` that is not 64 hexadecimal digits in lower case"),
        (
            format!("t={SIGNED_AT},v1={}", tag.to_uppercase()),
            "has a `v1` that is not 64 hexadecimal digits in lower case",
        ),
        (format!("t={SIGNED_AT},v1={}", &tag[2..]), "has a `v1` that is not 64 hexadecimal digits in lower case"),
        (format!("t={SIGNED_AT},v1={tag}00"), "has a `v1` that is not 64 hexadecimal digits in lower case"),
        (format!("t={SIGNED_AT},v1={tag},v1=é"), "has a `v1` that is not 64 hexadecimal digits in lower case"),
    ] {
        let error = verify(EXAMPLE, &header).expect_err(&header);
        assert!(error.is_malformed_header(), "{header}");
        let text = format!("the webhook's `Contiguity-Signature` header {what}; give the header's value as it came");
        assert_text(error, &text);
    }
    assert_text(
        verify(EXAMPLE, &format!("t={SIGNED_AT},v1={}", "0".repeat(64))).unwrap_err(),
        "the webhook's signature is of another secret or another body; check that the secret is this endpoint's, and that \
         the body is given as it came, byte for byte",
    );
    let header = webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes());
    let verify_at = |now| verifier().verify_at(EXAMPLE.as_bytes(), Some(&header), now).unwrap_err();
    assert_text(
        verify_at(at(301)),
        "the webhook was signed 301s ago, longer than 300s; check this machine's clock, or it was sent again",
    );
    assert_text(
        verify_at(at(0) - Duration::from_secs(301)),
        "the webhook's signature is more than 300s in the future; check this machine's clock",
    );
}

#[test]
fn the_kinds_of_error_exclude_each_other() {
    let stale = webhook::sign(SECRET, 0, EXAMPLE.as_bytes());
    let errors = [
        verifier().verify_at(EXAMPLE.as_bytes(), None, at(0)).unwrap_err(),
        verify(EXAMPLE, "t").unwrap_err(),
        verify(EXAMPLE, &webhook::sign("another", SIGNED_AT, EXAMPLE.as_bytes())).unwrap_err(),
        verify(EXAMPLE, &stale).unwrap_err(),
        signed("no event").unwrap_err(),
    ];
    let kinds: [fn(&Error) -> bool; 5] =
        [Error::is_missing_header, Error::is_malformed_header, Error::is_mismatch, Error::is_stale, Error::is_bad_body];
    for (row, error) in errors.iter().enumerate() {
        for (column, is_kind) in kinds.iter().enumerate() {
            assert_eq!(is_kind(error), row == column, "{error}");
        }
    }
    // What nobody signed is not called stale, however old: that word is about the service's own webhooks.
    assert_refused(verify(EXAMPLE, &format!("t=1,v1={}", "0".repeat(64))), Error::is_mismatch);
}

#[test]
fn a_proof_takes_both_type_and_status() {
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
fn the_same_event_in_other_json_is_the_same() {
    let body = r#" { "data" : {"number":"\u002b15551234567", "more":[{}], "status":"veri\u0066ied", "otp_id":"r_otp_1"} ,
        "\u0074ype":"otp.reverse.verified", "more":{"type":"x"}, "id":"evt_1"}
        "#;
    let event = expect_verified(signed(body));
    assert_eq!((event.id(), event.otp_id().as_str(), event.number().as_str()), ("evt_1", "r_otp_1", "+15551234567"));
    assert_eq!(event.timestamp(), None);
}

#[test]
fn events_of_other_kinds_keep_what_they_say() {
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
fn bodies_that_are_no_event_are_refused() {
    let lacks = |what: &str| {
        format!(
            "the webhook is authentic, and its body says that a person is verified, but has no {what} that can be read"
        )
    };
    let verified = |id: &str, otp_id: &str, number: &str| {
        format!(r#"{{{id}"type":"otp.reverse.verified","data":{{{otp_id}{number}"status":"verified"}}}}"#)
    };
    let (id, otp_id, number) = (r#""id":"evt_1","#, r#""otp_id":"r_otp_1","#, r#""number":"+15551234567","#);
    assert!(signed(&verified(id, otp_id, number)).is_ok());
    for (body, text) in [
        (verified("", otp_id, number), lacks("`id`")),
        (verified(r#""id":" ","#, otp_id, number), lacks("`id`")),
        (verified(id, "", number), lacks("`data.otp_id`")),
        (verified(id, r#""otp_id":"..","#, number), lacks("`data.otp_id`")),
        (verified(id, r#""otp_id":7,"#, number), lacks("`data.otp_id`")),
        (verified(id, otp_id, ""), lacks("`data.number` in E.164")),
        (verified(id, otp_id, r#""number":"15551234567","#), lacks("`data.number` in E.164")),
        (String::new(), "the webhook is authentic, and its body is not a JSON object".to_owned()),
        ("[]".to_owned(), "the webhook is authentic, and its body is not a JSON object".to_owned()),
        (
            r#"["evt_1","ping",0,{}]"#.to_owned(),
            "the webhook is authentic, and its body is not a JSON object".to_owned(),
        ),
        ("{}".to_owned(), "the webhook is authentic, and its body has no `type`".to_owned()),
        (r#"{"type":null}"#.to_owned(), "the webhook is authentic, and its body has no `type`".to_owned()),
    ] {
        let error = signed(&body).expect_err(&body);
        assert!(error.is_bad_body(), "{body}");
        assert_text(error, &text);
    }
    for body in [EXAMPLE.replace("}}", "}"), format!("{EXAMPLE}{EXAMPLE}"), format!("{{{}", "[".repeat(100_000))] {
        assert_refused(signed(&body), Error::is_bad_body);
    }
    let not_text = b"{\"type\":\"\xff\"}";
    let header = webhook::sign(SECRET, SIGNED_AT, not_text);
    assert_refused(verifier().verify_at(not_text, Some(&header), at(0)), Error::is_bad_body);
}

#[test]
fn a_field_that_stands_twice_is_refused_whichever_comes_first() {
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
}

#[test]
fn nothing_secret_is_shown() {
    let verifier = Verifier::new(SECRET).unwrap().also("whsec_old");
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
    let blank = Verifier::new(format!("{SECRET}\n")).unwrap_err();
    let event = format!("{:?}", verify(EXAMPLE, &webhook::sign(SECRET, SIGNED_AT, EXAMPLE.as_bytes())).unwrap());
    let other = format!("{:?}", signed(&EXAMPLE.replace("reverse", "other")).unwrap());
    for text in shown.into_iter().chain([format!("{blank} {blank:?}"), event, other]) {
        for secret in [SECRET, EXAMPLE_TAG, number, &number[1..], "1555123456789012"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn everything_crosses_threads() {
    fn is_shared<T: Send + Sync + std::fmt::Debug + 'static>() {}
    is_shared::<Verifier>();
    is_shared::<Event>();
    is_shared::<Error>();
    is_shared::<webhook::InvalidSecret>();
}

fn verifier() -> Verifier {
    Verifier::new(SECRET).unwrap()
}

/// A time in seconds after the signature's.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(SIGNED_AT + seconds)
}

fn verify(body: &str, header: &str) -> Result<Event, Error> {
    verifier().verify_at(body.as_bytes(), Some(header), at(0))
}

/// The body as the service would send it.
fn signed(body: &str) -> Result<Event, Error> {
    verify(body, &webhook::sign(SECRET, SIGNED_AT, body.as_bytes()))
}

fn bits(bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    (0..bytes).flat_map(|index| (0..8).map(move |bit| (index, 1 << bit)))
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

#[track_caller]
fn assert_text(error: impl std::error::Error, text: &str) {
    assert_eq!(error.to_string(), text);
}
