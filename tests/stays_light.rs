//! What a call costs in memory: few allocations, and never the world's numbering plans.
//!
//! Allocations are counted on the calling thread alone, and the same in every run; time is measured in `benches/`.

#[path = "support/responder.rs"]
mod responder;

use allocation_counter::{AllocationInfo, measure};
use contiguity::{Client, Error, InitiateReverseOtp, NewOtp, OtpId, VerifyReverseOtp};
use responder::respond;

#[test]
fn a_warm_call_allocates_little() {
    let client = client();
    let (answer, _) = counted(|| send(&client));
    answer.expect("an answer to warm up");

    let (answer, new) = counted(|| send(&client));
    answer.expect("an answer");
    let (answer, status) = counted(|| VerifyReverseOtp::otp_id("r_otp_123456").send(&client));
    assert_eq!(answer.expect("an answer").status.as_str(), "pending");
    let (error, refused) = counted(|| NewOtp::to("+14155552671").language("en").name("Refused").send(&client));
    assert!(matches!(error, Err(Error::Api(_))), "{error:?}");

    // Bare ureq with serde_json makes 48 for the first, and 54 with time limits. Most of our 32 are ureq's own, so that a few
    // more or less may come with a new version of it; a header copied by the letter or a name looked up is more than that.
    assert!(new.count_total <= MOST_ALLOCATIONS, "a new OTP allocates {} times", new.count_total);
    assert!(status.count_total <= MOST_ALLOCATIONS, "a status read allocates {} times", status.count_total);
    assert!(refused.count_total <= MOST_ALLOCATIONS + 2, "a refused call allocates {} times", refused.count_total);
    for (name, call) in [("a new OTP", new), ("a status read", status), ("a refused call", refused)] {
        assert!(call.bytes_total <= 8 * 1024, "{name} allocates {} bytes", call.bytes_total);
    }
}

#[test]
fn nothing_stays_behind() {
    let client = client();
    send(&client).expect("an answer to warm up");
    let ((), calls) = counted(|| (0..50).for_each(|_| drop(send(&client).expect("an answer"))));
    assert_eq!((calls.count_current, calls.bytes_current), (0, 0));
}

/// The plans take 6 to 16 MiB. They are loaded once a process, by the first who asks: no other test of this file may.
#[test]
fn no_send_loads_the_numbering_plans() {
    const FAR_LESS: u64 = 1024 * 1024;

    let client = client();
    let sends: [(&str, &dyn Fn() -> bool); 6] = [
        ("the first send of all", &|| send(&client).is_ok()),
        ("a send to a number of no plan", &|| {
            NewOtp::to("+15551234567").language("en").name("MyApp").send(&client).is_ok()
        }),
        ("a send to a number with separators", &|| {
            matches!(NewOtp::to("+1 (415) 555-2671").language("en").name("").send(&client), Err(Error::Validation(_)))
        }),
        ("a send to no number", &|| {
            matches!(NewOtp::to("(415) 555-2671").language("en").name("MyApp").send(&client), Err(Error::Validation(_)))
        }),
        ("a send to an unassigned calling code", &|| {
            matches!(InitiateReverseOtp::number("+9995550142").send(&client), Err(Error::Validation(_)))
        }),
        ("a reverse OTP with a factor that is too long", &|| {
            let initiate = InitiateReverseOtp::number("+14155552671").factor("seventeen letters");
            matches!(initiate.send(&client), Err(Error::Validation(_)))
        }),
    ];
    for (name, send) in sends {
        let (is_as_expected, memory) = counted(send);
        assert!(is_as_expected, "{name}");
        assert!(memory.bytes_total < FAR_LESS, "{name} allocates {} bytes", memory.bytes_total);
    }

    // The control: it is seen when they are.
    #[cfg(feature = "phonenumber")]
    {
        let (number, memory) = counted(|| contiguity::PhoneNumber::from_user_input("(415) 555-2671", "US"));
        assert_eq!(number.expect("a number").as_str(), "+14155552671");
        assert!(memory.bytes_total > 4 * FAR_LESS, "the plans took {} bytes: too few to be seen", memory.bytes_total);
    }
}

fn send(client: &Client) -> Result<OtpId, Error> {
    Ok(NewOtp::to("+14155552671").language("en").name("MyApp").send(client)?.otp_id)
}

fn counted<T>(work: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut result = None;
    let info = measure(|| result = Some(work()));
    (result.expect("a result"), info)
}

/// A client of a service on a thread of its own, which answers whatever comes, and refuses the app "Refused".
fn client() -> Client {
    let port = respond("127.0.0.1:0", |request| {
        let (status, data) = if String::from_utf8_lossy(request).contains("Refused") {
            ("400 Bad Request", r#"{"error":"Bad Request","status":400}"#)
        } else {
            ("200 OK", r#"{"otp_id":"otp_1234567890","status":"pending"}"#)
        };
        let body = format!(
            r#"{{"id":"req_0123456789abcdef","timestamp":1785380854155,"api_version":"v2026.7.29","data":{data}}}"#
        );
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        (head + &body).into_bytes()
    });
    let url = format!("http://127.0.0.1:{port}");
    Client::builder("contiguity_sk_test").base_url(url).build().expect("a client")
}

/// The count as it is, 32, and room for what a new version of ureq may take.
const MOST_ALLOCATIONS: u64 = 36;
