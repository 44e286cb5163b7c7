//! A call makes few allocations and never loads the numbering plans.
//!
//! Allocations are counted on the calling thread only, so the counts are the same in every run.

#[path = "support/responder.rs"]
mod responder;

use allocation_counter::{AllocationInfo, measure};
use contiguity::{Client, Error, InitiateReverseOtp, NewOtp, OtpId, VerifyReverseOtp};
use responder::respond;

#[test]
fn a_warm_call_allocates_little() {
    let client = client();
    let (response, _) = counted(|| send(&client));
    response.expect("a response to warm up");

    let (response, new) = counted(|| send(&client));
    response.expect("a response");
    let (response, status) = counted(|| VerifyReverseOtp::otp_id("r_otp_123456").send(&client));
    assert_eq!(response.expect("a response").status.as_str(), "pending");
    let (error, refused) = counted(|| NewOtp::to("+14155552671").language("en").name("Refused").send(&client));
    assert!(matches!(error, Err(Error::Api(_))), "{error:?}");

    // Bare ureq with serde_json allocates 48 times for the first, and 54 times with timeouts. Most of
    // ours are ureq's own, so a new version of ureq may add a few.
    assert!(new.count_total <= MAX_ALLOCATIONS, "a new OTP allocates {} times", new.count_total);
    assert!(status.count_total <= MAX_ALLOCATIONS, "a status read allocates {} times", status.count_total);
    assert!(refused.count_total <= MAX_ALLOCATIONS + 2, "a refused call allocates {} times", refused.count_total);
    for (name, call) in [("a new OTP", new), ("a status read", status), ("a refused call", refused)] {
        assert!(call.bytes_total <= 8 * 1024, "{name} allocates {} bytes", call.bytes_total);
    }
}

#[test]
fn nothing_stays_behind() {
    let client = client();
    send(&client).expect("a response to warm up");
    let ((), calls) = counted(|| (0..50).for_each(|_| drop(send(&client).expect("a response"))));
    assert_eq!((calls.count_current, calls.bytes_current), (0, 0));
}

/// The plans take megabytes and are loaded once in a process, so no other test of this file may load
/// them.
#[test]
fn no_send_loads_the_numbering_plans() {
    const FAR_LESS: u64 = 1024 * 1024;

    let client = client();
    let sends: [(&str, &dyn Fn() -> bool); 6] = [
        ("the first send", &|| send(&client).is_ok()),
        ("a send to a number that is in no plan", &|| {
            NewOtp::to("+15551234567").language("en").name("MyApp").send(&client).is_ok()
        }),
        ("a send to a number with separators", &|| {
            matches!(NewOtp::to("+1 (415) 555-2671").language("en").name("").send(&client), Err(Error::Validation(_)))
        }),
        ("a send to a number without a calling code", &|| {
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

    // The control: loading the plans is seen.
    #[cfg(feature = "phonenumber")]
    {
        let (number, memory) = counted(|| contiguity::PhoneNumber::from_user_input("(415) 555-2671", "US"));
        assert_eq!(number.expect("a number").as_str(), "+14155552671");
        assert!(
            memory.bytes_total > 4 * FAR_LESS,
            "the plans took {} bytes: less than this test sees",
            memory.bytes_total
        );
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

/// A client of a service on its own thread, which refuses the app "Refused".
fn client() -> Client {
    let port = respond("127.0.0.1:0", |request| {
        let (status, data) = if String::from_utf8_lossy(request).contains("Refused") {
            ("400 Bad Request", r#"{"error":"Bad Request","status":400}"#)
        } else {
            ("200 OK", r#"{"otp_id":"r_otp_123456","status":"pending"}"#)
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

/// The count is 40. Two more may come with a new version of ureq.
const MAX_ALLOCATIONS: u64 = 42;
