//! Measures the time and the allocations of the parts of a call.
//!
//! ```text
//! cargo bench --manifest-path benches/micro/Cargo.toml
//! ```
//!
//! Only the public API is measured. Decoding has no public function, so `call` makes whole calls to
//! a responder on another thread, with short and long responses. The difference between two of them
//! is decoding. `../compare` compares the SDK with ureq.

#[path = "../../tests/support/responder.rs"]
mod responder;

use contiguity::{Client, Error, Language, NewOtp, OtpId, PhoneNumber, VerifyReverseOtp};
use divan::{AllocProfiler, Bencher, black_box};
use responder::respond;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

mod phone_number {
    use super::{Bencher, PhoneNumber, black_box};

    #[divan::bench(args = ["+14155552671", "+442079460958", "+35312345678"])]
    fn parse(text: &str) -> PhoneNumber {
        PhoneNumber::parse(black_box(text)).expect("a number")
    }

    #[divan::bench(args = ["+1 (415) 555-2671", "(415) 555-2671", "+9995550142"])]
    fn refuse(text: &str) -> contiguity::InvalidPhoneNumber {
        PhoneNumber::parse(black_box(text)).expect_err("not a number")
    }

    /// The first call loads the numbering plans and is not measured.
    #[divan::bench]
    fn from_user_input(bencher: Bencher<'_, '_>) {
        let read = || PhoneNumber::from_user_input(black_box("(415) 555-2671"), "US").expect("a number");
        read();
        bencher.bench(read);
    }
}

mod value {
    use super::{Language, OtpId, PhoneNumber, black_box};

    #[divan::bench(args = ["en", "vi", "pt_BR", "gsw-CH"])]
    fn language(text: &str) -> Language {
        black_box(text).parse().expect("a language")
    }

    #[divan::bench]
    fn otp_id() -> OtpId {
        black_box("otp_1234567890").parse().expect("an id")
    }

    /// Reads a number as it is stored in a session or a database.
    #[divan::bench]
    fn number_from_json() -> PhoneNumber {
        serde_json::from_str(black_box(r#""+14155552671""#)).expect("a number")
    }
}

mod request {
    use super::{Bencher, Client, NewOtp, black_box};

    #[divan::bench]
    fn build() -> NewOtp {
        NewOtp::to(black_box("+14155552671")).language(black_box("en")).name(black_box("MyApp"))
    }

    /// Validates a request with a problem in each of its three fields. Nothing is sent.
    #[divan::bench]
    fn refuse(bencher: Bencher<'_, '_>) {
        let client = Client::builder("contiguity_sk_test").base_url("http://127.0.0.1:9").build().expect("a client");
        bencher.bench(|| {
            NewOtp::to(black_box("415 555"))
                .language(black_box("e"))
                .name(black_box(" "))
                .send(&client)
                .expect_err("a refusal")
        });
    }
}

mod call {
    use super::{Bencher, Error, NewOtp, VerifyReverseOtp, client};

    #[divan::bench(args = [0, 4, 64])]
    fn new_with_kib_of_unknown_fields(bencher: Bencher<'_, '_>, kib: usize) {
        let client = client("200 OK", r#"{"otp_id":"otp_1234567890"}"#, kib);
        let send = || NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).expect("a response");
        let _ = send();
        bencher.bench(send);
    }

    #[divan::bench]
    fn status(bencher: Bencher<'_, '_>) {
        let data = r#"{"otp_id":"r_otp_123456","status":"pending","expires_at":"2026-02-01T12:00:00.000Z"}"#;
        let client = client("200 OK", data, 0);
        let send = || VerifyReverseOtp::otp_id("r_otp_123456").send(&client).expect("a response");
        drop(send());
        bencher.bench(send);
    }

    /// Reads the service's error message and masks it.
    #[divan::bench]
    fn refused(bencher: Bencher<'_, '_>) {
        let client = client("400 Bad Request", r#"{"error":"Bad Request","status":400}"#, 0);
        let send = || -> Error {
            NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).expect_err("a refusal")
        };
        send();
        bencher.bench(send);
    }
}

/// Returns a client of a responder that sends this response to every request.
fn client(status: &str, data: &str, kib: usize) -> Client {
    let unknown = r#"{"field":"0123456789"},"#.repeat(kib * 1024 / 23);
    let body = format!(
        r#"{{"id":"req_1","timestamp":1785380854155,"api_version":"v2026.7.29","unknown":[{unknown}0],"data":{data}}}"#
    );
    let length = body.len();
    let response =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    let port = respond("127.0.0.1:0", move |_| response.clone().into_bytes());
    let url = format!("http://127.0.0.1:{port}");
    Client::builder("contiguity_sk_test").base_url(url).build().expect("a client")
}
