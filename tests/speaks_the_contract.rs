//! Every operation's exact request on the wire, and the decoding of every documented response.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, Language, NewOtp, PhoneNumber, ResendOtp, Service, Status,
    VerifyOtp, VerifyReverseOtp,
};
use httpmock::{HttpMockRequest, MockServer};
use serde_json::{Value, json};

#[test]
fn new() {
    let server = Server::answering(&success(&json!({"otp_id": "otp_1234567890"})));
    let sent = NewOtp::to("+14155552671").language("EN").name("My App").send(&server.client()).unwrap();
    assert_eq!(sent.otp_id.as_str(), "otp_1234567890");
    assert_eq!(sent.metadata.request_id.as_deref(), Some("req_12ab"));
    assert_eq!(sent.metadata.api_version.as_deref(), Some("v2026.7.29"));
    assert_eq!(sent.metadata.timestamp, Some(UNIX_EPOCH + Duration::from_millis(1_785_380_854_155)));
    server.saw_json("POST", "/otp/new", &json!({"to": "+14155552671", "language": "en", "name": "My App"}));
}

#[test]
fn new_with_typed_values() {
    let server = Server::answering(&success(&json!({"otp_id": "otp_1"})));
    let number = PhoneNumber::parse("+15551234567").unwrap();
    #[expect(clippy::needless_borrows_for_generic_args, reason = "a borrowed number is what is tried")]
    let _ =
        NewOtp::to(&number).name(String::from("é\"\\")).language(Language::Cantonese).send(&server.client()).unwrap();
    server.saw_json("POST", "/otp/new", &json!({"to": "+15551234567", "language": "zh-hk", "name": "é\"\\"}));
}

#[test]
fn verify() {
    for (data, expected) in [(json!({"verified": true}), true), (json!({"verified": false, "more": [1]}), false)] {
        let server = Server::answering(&success(&data));
        let check = VerifyOtp::otp_id("otp_1").otp(" 012-345 ").send(&server.client()).unwrap();
        assert_eq!(check.verified, expected);
        assert_eq!(check.proof().is_ok(), expected);
        server.saw_json("POST", "/otp/verify", &json!({"otp_id": "otp_1", "otp": "012345"}));
    }
}

// needs phone::digit
#[test]
fn a_code_in_any_script_is_sent_in_ascii() {
    // Full-width, Arabic-Indic, Persian, Devanagari, Bengali and Thai digits.
    for zero in ['\u{ff10}', '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}'] {
        let digits = |range: std::ops::Range<u32>| {
            range.map(|digit| char::from_u32(u32::from(zero) + digit).unwrap()).collect::<String>()
        };
        let (first, last) = (digits(0..3), digits(3..6));
        for typed in [
            format!("{first}{last}"),
            format!("\u{202a}{first}{last}\u{202c}"),
            format!("\u{61c}{first} {last}\u{200f}\n"),
            format!("{first}\u{2011}{last}"),
            format!("{first}\u{2212}{last}"),
            format!("{first}\u{ff0d}{last}"),
        ] {
            let server = Server::answering(&success(&json!({"verified": true})));
            let _ = VerifyOtp::otp_id("otp_1").otp(typed).send(&server.client()).unwrap();
            server.saw_json("POST", "/otp/verify", &json!({"otp_id": "otp_1", "otp": "012345"}));
        }
    }
}

#[test]
fn resend() {
    for expected in [true, false] {
        let server = Server::answering(&success(&json!({ "resent": expected })));
        let again = ResendOtp::otp_id("otp_1").send(&server.client()).unwrap();
        assert_eq!(again.resent, expected);
        server.saw_json("POST", "/otp/resend", &json!({"otp_id": "otp_1"}));
    }
}

#[test]
fn initiate_with_only_a_number() {
    let server = Server::answering(&success(&session()));
    let session = InitiateReverseOtp::number("+15551234567").send(&server.client()).unwrap();
    assert_eq!(session.otp_id.as_str(), "r_otp_123456");
    assert_eq!(session.number.as_str(), "+15551234567");
    assert_eq!(session.factor, "1234");
    assert_eq!(session.to, "+16465550123");
    assert_eq!(session.service, Some(Service::Sms));
    assert_eq!(session.expires_at, Some(UNIX_EPOCH + Duration::from_secs(1_769_947_200)));
    let ui = session.ui.unwrap();
    assert_eq!(ui.text, "Text 1234 to +16465550123");
    assert_eq!(ui.qr_code, "sms:+16465550123?body=1234");
    assert_eq!(session.success_url, None);
    server.saw_json("POST", "/otp/reverse/initiate", &json!({"number": "+15551234567"}));
}

#[test]
fn initiate_with_every_field() {
    let server = Server::answering(&success(&session()));
    InitiateReverseOtp::number("+15551234567")
        .factor("MyApp2024")
        .to("+16465550123")
        .service(Service::IMessage)
        .language("pt_BR")
        .success_url("https://myapp.com/webhook/otp-verified")
        .send(&server.client())
        .unwrap();
    let fields = json!({
        "number": "+15551234567", "factor": "MyApp2024", "to": "+16465550123", "service": "imessage",
        "language": "pt-br", "success_url": "https://myapp.com/webhook/otp-verified",
    });
    server.saw_json("POST", "/otp/reverse/initiate", &fields);
}

#[test]
fn initiate_on_an_older_server() {
    let ask = || InitiateReverseOtp::number("+15551234567").factor("MyApp2024").to("+16465550123");

    let server = Server::answering(&success(&json!({"otp_id": "r_otp_1"})));
    let session = ask().send(&server.client()).unwrap();
    assert_eq!((session.factor.as_str(), session.to.as_str()), ("MyApp2024", "+16465550123"));
    assert_eq!(session.number.as_str(), "+15551234567");
    assert_eq!((session.service, session.expires_at, session.ui, session.success_url), (None, None, None, None));

    // A field of another type counts as missing. Unknown text is kept.
    let odd = json!({
        "otp_id": "r_otp_1", "number": "12", "factor": 1, "to": null, "service": "pigeon", "expires_at": "tomorrow",
        "ui": "none", "success_url": 7,
    });
    let server = Server::answering(&success(&odd));
    let session = ask().send(&server.client()).unwrap();
    assert_eq!((session.factor.as_str(), session.to.as_str()), ("MyApp2024", "+16465550123"));
    assert_eq!(session.number.as_str(), "+15551234567");
    assert_eq!(session.service.unwrap().as_str(), "pigeon");
    assert_eq!((session.expires_at, session.ui, session.success_url), (None, None, None));

    // The texts of the response come first, even if they are not phone numbers.
    let server = Server::answering(&success(&json!({"otp_id": "r_otp_1", "factor": "x\n", "to": "85258"})));
    let session = ask().send(&server.client()).unwrap();
    assert_eq!((session.factor.as_str(), session.to.as_str()), ("x\n", "85258"));

    for (data, missing) in [
        (json!({"otp_id": "r", "to": "1"}), "factor"),
        (json!({"otp_id": "r", "factor": "1"}), "to"),
        (json!({"factor": "1"}), "otp_id"),
    ] {
        let server = Server::answering(&success(&data));
        let error = InitiateReverseOtp::number("+15551234567").send(&server.client()).unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{data}: {error}");
        assert!(error.to_string().contains(&format!("`data.{missing}` is missing; ")), "{data}: {error}");
    }

    // The session of another phone is still the session that was asked for.
    let server = Server::answering(&success(&json!({"otp_id": "r_otp_1", "number": "+16505550142"})));
    assert_eq!(ask().send(&server.client()).unwrap().number, "+16505550142");
}

#[test]
fn reverse_verify() {
    for status in ["pending", "verified", "cancelled", "expired", "paused"] {
        let server = Server::answering(&success(
            &json!({"otp_id": "r_otp_1", "status": status, "expires_at": "2026-02-01T12:00:00.000Z"}),
        ));
        let check = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert_eq!(check.status.to_string(), status);
        assert_eq!(matches!(check.status, Status::Other(_)), status == "paused");
        assert_eq!(check.is_verified(), status == "verified");
        assert_eq!(check.expires_at, Some(UNIX_EPOCH + Duration::from_secs(1_769_947_200)));
        assert_eq!(check.proof().is_ok(), status == "verified");
        server.saw_nothing_but("GET", "/otp/reverse/verify/r_otp_1");
    }
    // A long status is kept whole, and cut in the message.
    let long = "paused ".repeat(1000);
    let server = Server::answering(&success(&json!({"status": long})));
    let check = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
    assert_eq!(check.status.as_str(), long);
    assert!(check.proof().unwrap_err().to_string().len() < 300);

    // A similar text is not verified, even after it was stored.
    for nearly in ["Verified", " verified", "verified\n", "verified\u{200b}", "veri\0fied"] {
        let server = Server::answering(&success(&json!({"status": nearly})));
        let check = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert!(!check.is_verified() && matches!(check.status, Status::Other(_)), "{nearly:?}");
        let stored = serde_json::to_string(&check.status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&stored).unwrap(), check.status, "{nearly:?}");
        assert!(check.proof().is_err(), "{nearly:?}");
    }
}

#[test]
fn reverse_verify_as_in_the_guide() {
    for (data, expected) in [
        (json!({"verified": true}), Status::Verified),
        (json!({"verified": false}), Status::Pending),
        (json!({"verified": true, "status": "expired"}), Status::Expired),
        (json!({"verified": true, "status": null}), Status::Verified),
        (json!({"verified": "yes", "status": "pending", "expires_at": 12}), Status::Pending),
    ] {
        let server = Server::answering(&success(&data));
        let check = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert_eq!(check.status, expected, "{data}");
        assert_eq!(check.otp_id.as_str(), "r_otp_1", "{data}");
        assert_eq!(check.expires_at, None, "{data}");
    }
    for data in [
        json!({}),
        json!({"verified": "true"}),
        json!({"verified": true, "status": 5}),
        json!({"verified": true, "status": ["pending"]}),
        json!([]),
        json!("verified"),
    ] {
        let server = Server::answering(&success(&data));
        let error = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{data}: {error}");
    }
}

#[test]
fn reverse_cancel() {
    for data in [json!({"otp_id": "r_otp_1", "status": "cancelled"}), json!({"status": "cancelled"})] {
        let server = Server::answering(&success(&data));
        let cancellation = CancelReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert_eq!((cancellation.otp_id.as_str(), cancellation.status), ("r_otp_1", Status::Cancelled));
        server.saw_nothing_but("POST", "/otp/reverse/cancel/r_otp_1");
    }
}

#[test]
fn the_base_url_keeps_its_path_prefix() {
    for path in ["/api/v2", "/api/v2/", "/api/v2//"] {
        let server = Server::answering(&success(&json!({"otp_id": "otp_1"})));
        let client = Client::builder("key").base_url(format!("{}{path}", server.mock.base_url())).build().unwrap();
        let _ = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).unwrap();
        server.saw_at("POST", "/api/v2/otp/new");
        let server = Server::answering(&success(&json!({"status": "pending"})));
        let client = Client::builder("key").base_url(format!("{}{path}", server.mock.base_url())).build().unwrap();
        let _ = VerifyReverseOtp::otp_id("r").send(&client).unwrap();
        server.saw_at("GET", "/api/v2/otp/reverse/verify/r");
    }
}

#[test]
fn the_user_agent_names_the_crate_and_the_suffix() {
    let server = Server::answering(&success(&json!({"otp_id": "otp_1"})));
    let builder = Client::builder("key").base_url(server.mock.base_url()).user_agent_suffix("my-app/1.2");
    let _ = NewOtp::to("+14155552671").language("en").name("MyApp").send(&builder.build().unwrap()).unwrap();
    server.saw_header("user-agent", concat!("contiguity-rust/", env!("CARGO_PKG_VERSION"), " my-app/1.2"));
}

#[test]
fn a_timestamp_may_be_text() {
    for timestamp in ["1785380854155", "\"1785380854155\"", "1785380854155.0", "1.785380854155e12"] {
        let server = Server::answering(&format!(r#"{{"timestamp":{timestamp},"data":{{"otp_id":"otp_1"}}}}"#));
        let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&server.client()).unwrap();
        let milliseconds = sent.metadata.timestamp.unwrap().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert_eq!(milliseconds, 1_785_380_854_155, "{timestamp}");
    }
}

#[test]
fn every_2xx_is_a_success() {
    for status in [200, 201, 202, 299] {
        let server = Server::with_status(status, &success(&json!({"otp_id": "otp_1"})));
        assert!(NewOtp::to("+14155552671").language("en").name("MyApp").send(&server.client()).is_ok(), "{status}");
    }
}

#[test]
fn errors_as_documented_and_as_seen() {
    let documented = |status: u16, text: &str| {
        json!({
            "id": "err_99", "timestamp": 1, "api_version": "v2026.7.29", "object": "error",
            "data": {"error": text, "status": status, "agreement_url": "https://example.com/agree"},
        })
    };
    for (status, body, message, agreement, id) in [
        (400, documented(400, "Bad Request"), "Bad Request", Some("https://example.com/agree"), Some("err_99")),
        (401, documented(401, "Unauthorized"), "Unauthorized", Some("https://example.com/agree"), Some("err_99")),
        (403, documented(403, "Forbidden"), "Forbidden", Some("https://example.com/agree"), Some("err_99")),
        // The status line counts, not the body.
        (500, documented(400, "oops"), "oops", Some("https://example.com/agree"), Some("err_99")),
        (400, json!({"message": "no such number", "status": 500}), "no such number", None, None),
        (418, json!({"id": "err_1", "data": null}), "I'm a teapot", None, Some("err_1")),
        (499, json!([]), "no message", None, None),
    ] {
        let server = Server::with_status(status, &body.to_string());
        let error = NewOtp::to("+14155552671").language("en").name("MyApp").send(&server.client()).unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(error.request_id(), id, "{body}");
        assert_eq!(error.may_have_sent(), status >= 500, "{body}");
        assert!(!error.is_retryable() && !error.is_timeout() && error.retry_after().is_none(), "{body}");
        let Error::Api(error) = error else { panic!("{error}") };
        assert_eq!((error.message(), error.agreement_url()), (message, agreement), "{body}");
    }
}

fn success(data: &Value) -> String {
    let envelope = json!({
        "id": "req_12ab", "timestamp": 1_785_380_854_155_u64, "api_version": "v2026.7.29", "object": "response",
        "data": data,
    });
    envelope.to_string()
}

fn session() -> Value {
    json!({
        "otp_id": "r_otp_123456", "number": "+15551234567", "factor": "1234", "to": "+16465550123", "service": "sms",
        "expires_at": "2026-02-01T12:00:00.000Z", "success_url": null,
        "ui": {"text": "Text 1234 to +16465550123", "qr_code": "sms:+16465550123?body=1234"},
    })
}

/// A service that sends the same response to every request, and records the requests.
struct Server {
    mock: MockServer,
    seen: Arc<Mutex<Vec<HttpMockRequest>>>,
}

impl Server {
    fn answering(body: &str) -> Self {
        Self::with_status(200, body)
    }

    fn with_status(status: u16, body: &str) -> Self {
        let mock = MockServer::start();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        mock.mock(|when, then| {
            when.is_true(move |request| {
                record.lock().unwrap().push(request.clone());
                true
            });
            then.status(status).header("content-type", "application/json").body(body);
        });
        Self { mock, seen }
    }

    fn client(&self) -> Client {
        Client::builder("contiguity_sk_test").base_url(self.mock.base_url()).retries(0).build().unwrap()
    }

    /// The only request.
    #[track_caller]
    fn only_request(&self) -> HttpMockRequest {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }

    #[track_caller]
    fn saw_at(&self, method: &str, path: &str) {
        let request = self.only_request();
        let uri = request.uri();
        let seen = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        assert_eq!((request.method_str(), seen.as_str()), (method, path));
    }

    #[track_caller]
    fn saw_header(&self, name: &str, value: &str) {
        assert_eq!(self.only_request().headers().get(name).unwrap(), value);
    }

    /// Compares the whole request: method, path, headers and JSON.
    #[track_caller]
    fn saw_json(&self, method: &str, path: &str, fields: &Value) {
        self.saw_at(method, path);
        let request = self.only_request();
        let body = request.body_string();
        assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), fields);
        assert_eq!(
            self.headers(),
            HEADERS
                .iter()
                .copied()
                .chain([("content-length", body.len().to_string().as_str()), ("content-type", "application/json"),])
                .map(owned)
                .collect()
        );
    }

    /// The same for a request without a body.
    #[track_caller]
    fn saw_nothing_but(&self, method: &str, path: &str) {
        self.saw_at(method, path);
        assert_eq!(self.only_request().body_string(), "");
        let length = (method == "POST").then_some(("content-length", "0"));
        assert_eq!(self.headers(), HEADERS.iter().copied().chain(length).map(owned).collect());
    }

    /// Every header other than `host`, which has a port.
    fn headers(&self) -> BTreeSet<(String, String)> {
        let request = self.only_request();
        let all = request.headers_vec().iter().cloned();
        all.filter(|(name, _)| name != "host").collect()
    }
}

const HEADERS: [(&str, &str); 4] = [
    ("accept", "application/json"),
    ("accept-encoding", "identity"),
    ("authorization", "Token contiguity_sk_test"),
    ("user-agent", concat!("contiguity-rust/", env!("CARGO_PKG_VERSION"))),
];

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
