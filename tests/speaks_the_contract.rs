//! Every operation's exact request on the wire, and the decoding of every answer that the contract allows.

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
    NewOtp::to(&number).name(String::from("é\"\\")).language(Language::Cantonese).send(&server.client()).unwrap();
    server.saw_json("POST", "/otp/new", &json!({"to": "+15551234567", "language": "zh-hk", "name": "é\"\\"}));
}

#[test]
fn verify() {
    for (answer, expected) in [(json!({"verified": true}), true), (json!({"verified": false, "more": [1]}), false)] {
        let server = Server::answering(&success(&answer));
        let check = VerifyOtp::otp_id("otp_1").otp(" 012-345 ").send(&server.client()).unwrap();
        assert_eq!(check.verified, expected);
        assert_eq!(check.proof().is_ok(), expected);
        server.saw_json("POST", "/otp/verify", &json!({"otp_id": "otp_1", "otp": "012345"}));
    }
}

#[test]
fn verified_counts_for_true_alone() {
    for odd in [json!("true"), json!(1), json!(null), json!([true]), json!({"verified": true})] {
        let server = Server::answering(&success(&json!({ "verified": odd })));
        let error = VerifyOtp::otp_id("otp_1").otp("123456").send(&server.client()).unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{odd}: {error}");
        assert!(error.may_have_sent() && !error.is_retryable());
    }
    for twice in [r#"{"verified":false,"verified":true}"#, r#"{"verified":true,"verified":false}"#] {
        let server = Server::answering(&format!(r#"{{"data":{twice}}}"#));
        let error = VerifyOtp::otp_id("otp_1").otp("123456").send(&server.client()).unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{error}");
    }
    let server = Server::answering(r#"{"data":{"verified":false},"data":{"verified":true}}"#);
    assert!(VerifyOtp::otp_id("otp_1").otp("123456").send(&server.client()).is_err());
}

#[test]
fn resend() {
    for expected in [true, false] {
        let server = Server::answering(&success(&json!({ "resent": expected })));
        let again = ResendOtp::otp_id("otp_1").send(&server.client()).unwrap();
        assert_eq!(again.resent, expected);
        server.saw_json("POST", "/otp/resend", &json!({"otp_id": "otp_1"}));
    }
    let server = Server::answering(&success(&json!({"resent": "yes"})));
    assert!(matches!(ResendOtp::otp_id("otp_1").send(&server.client()), Err(Error::Decode(_))));
}

#[test]
fn initiate_with_a_number_alone() {
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
fn initiate_answered_by_an_older_server() {
    let ask = || InitiateReverseOtp::number("+15551234567").factor("MyApp2024").to("+16465550123");

    let server = Server::answering(&success(&json!({"otp_id": "r_otp_1"})));
    let session = ask().send(&server.client()).unwrap();
    assert_eq!((session.factor.as_str(), session.to.as_str()), ("MyApp2024", "+16465550123"));
    assert_eq!(session.number.as_str(), "+15551234567");
    assert_eq!((session.service, session.expires_at, session.ui, session.success_url), (None, None, None, None));

    // What is odd counts as absent, what is unknown is kept.
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

    // The answer's texts come first, also where they are no phone number.
    let server = Server::answering(&success(&json!({"otp_id": "r_otp_1", "factor": "x\n", "to": "85258"})));
    let session = ask().send(&server.client()).unwrap();
    assert_eq!((session.factor.as_str(), session.to.as_str()), ("x\n", "85258"));

    for missing in [json!({"otp_id": "r", "to": "1"}), json!({"otp_id": "r", "factor": "1"}), json!({"factor": "1"})] {
        let server = Server::answering(&success(&missing));
        let error = InitiateReverseOtp::number("+15551234567").send(&server.client()).unwrap_err();
        assert!(matches!(error, Error::Decode(_)), "{missing}: {error}");
    }
}

#[test]
fn reverse_verify() {
    for status in ["pending", "verified", "cancelled", "expired", "paused"] {
        let server = Server::answering(&success(
            &json!({"otp_id": "r_otp_1", "status": status, "expires_at": "2026-02-01T12:00:00.000Z"}),
        ));
        let answer = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert_eq!(answer.status.to_string(), status);
        assert_eq!(matches!(answer.status, Status::Other(_)), status == "paused");
        assert_eq!(answer.is_verified(), status == "verified");
        assert_eq!(answer.expires_at, Some(UNIX_EPOCH + Duration::from_secs(1_769_947_200)));
        assert_eq!(answer.proof().is_ok(), status == "verified");
        server.saw_nothing_but("GET", "/otp/reverse/verify/r_otp_1");
    }
    // A long one is kept whole, and makes no long message.
    let long = "paused ".repeat(1000);
    let server = Server::answering(&success(&json!({"status": long})));
    let answer = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
    assert_eq!(answer.status.as_str(), long);
    assert!(answer.proof().unwrap_err().to_string().len() < 300);

    // Nearly is not verified, and does not become it where the status is stored.
    for nearly in ["Verified", " verified", "verified\n", "verified\u{200b}", "veri\0fied"] {
        let server = Server::answering(&success(&json!({"status": nearly})));
        let answer = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert!(!answer.is_verified() && matches!(answer.status, Status::Other(_)), "{nearly:?}");
        let stored = serde_json::to_string(&answer.status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&stored).unwrap(), answer.status, "{nearly:?}");
        assert!(answer.proof().is_err(), "{nearly:?}");
    }
}

#[test]
fn reverse_verify_as_the_guide_has_it() {
    for (data, expected) in [
        (json!({"verified": true}), Status::Verified),
        (json!({"verified": false}), Status::Pending),
        (json!({"verified": true, "status": "expired"}), Status::Expired),
        (json!({"verified": true, "status": null}), Status::Verified),
        (json!({"verified": "yes", "status": "pending", "expires_at": 12}), Status::Pending),
    ] {
        let server = Server::answering(&success(&data));
        let answer = VerifyReverseOtp::otp_id("r_otp_1").send(&server.client()).unwrap();
        assert_eq!(answer.status, expected, "{data}");
        assert_eq!(answer.otp_id.as_str(), "r_otp_1", "{data}");
        assert_eq!(answer.expires_at, None, "{data}");
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
fn an_id_is_one_segment_of_the_path() {
    for (id, segment) in [
        ("a/b", "a%2Fb"),
        ("../new", "..%2Fnew"),
        ("a b?c#d", "a%20b%3Fc%23d"),
        ("%2e%2e", "%252e%252e"),
        ("é", "%C3%A9"),
        ("...", "..."),
        ("a-b.c_d~e", "a-b.c_d~e"),
        (";,@&=+$!*'()", "%3B%2C%40%26%3D%2B%24%21%2A%27%28%29"),
    ] {
        let server = Server::answering(&success(&json!({"status": "pending"})));
        let _ = VerifyReverseOtp::otp_id(id).send(&server.client()).unwrap();
        server.saw_nothing_but("GET", &format!("/otp/reverse/verify/{segment}"));
    }
}

#[test]
fn an_id_that_no_url_can_hold_is_refused() {
    let server = Server::answering(&success(&json!({"status": "pending"})));
    let error = VerifyReverseOtp::otp_id("x".repeat(70_000)).send(&server.client()).unwrap_err();
    let Error::Validation(error) = error else { panic!("{error}") };
    assert_eq!(error.issues()[0].field, "otp_id");
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_base_url_keeps_its_path_prefix() {
    for path in ["/api/v2", "/api/v2/", "/api/v2//"] {
        let server = Server::answering(&success(&json!({"otp_id": "otp_1"})));
        let client = Client::builder("key").base_url(format!("{}{path}", server.mock.base_url())).build().unwrap();
        NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).unwrap();
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
    NewOtp::to("+14155552671").language("en").name("MyApp").send(&builder.build().unwrap()).unwrap();
    server.saw_header("user-agent", concat!("contiguity-rust/", env!("CARGO_PKG_VERSION"), " my-app/1.2"));
}

#[test]
fn odd_trimmings_never_lose_a_sent_id() {
    for body in [
        r#"{"data":{"otp_id":"otp_1"}}"#,
        r#"{"id":7,"timestamp":[],"api_version":{},"object":null,"data":{"otp_id":"otp_1"}}"#,
        r#"{"id":null,"timestamp":"soon","api_version":1,"object":"error","data":{"otp_id":"otp_1"},"extra":{"a":[1,{}]}}"#,
        r#"{"id":"a","id":"b","timestamp":1,"timestamp":2,"data":{"otp_id":"otp_1","otp":1}}"#,
        r#"{"timestamp":1e400,"data":{"otp_id":"otp_1"}}"#,
        r#"{"timestamp":-1,"data":{"otp_id":"otp_1"}}"#,
        r#"{"timestamp":99999999999999999999999999,"data":{"otp_id":"otp_1"}}"#,
        "\n {\"data\" : {\"otp_id\" : \"otp_\\u0031\"} } \n",
    ] {
        let server = Server::answering(body);
        let sent = NewOtp::to("+14155552671").language("en").name("MyApp").send(&server.client());
        assert_eq!(sent.unwrap_or_else(|error| panic!("{body}: {error}")).otp_id.as_str(), "otp_1", "{body}");
    }
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
fn an_id_that_is_no_text_cannot_be_read() {
    for id in [json!(""), json!("  "), json!(7), json!(null), json!(["otp_1"])] {
        for answer in [success(&json!({ "otp_id": id })), success(&json!({"otp_id": id, "factor": "1", "to": "2"}))] {
            let server = Server::answering(&answer);
            let new = NewOtp::to("+14155552671").language("en").name("MyApp").send(&server.client()).unwrap_err();
            let initiate = InitiateReverseOtp::number("+14155552671").send(&server.client()).unwrap_err();
            for error in [new, initiate] {
                assert!(matches!(error, Error::Decode(_)), "{id}: {error}");
                assert_eq!((error.status(), error.request_id()), (Some(200), Some("req_12ab")), "{id}");
                assert!(error.may_have_sent(), "{id}");
            }
        }
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
        // The status line is the truth.
        (500, documented(400, "oops"), "oops", Some("https://example.com/agree"), Some("err_99")),
        (400, json!({"message": "no such number", "status": 500}), "no such number", None, None),
        (418, json!({"id": "err_1", "data": null}), "I'm a teapot", None, Some("err_1")),
        (499, json!([]), "no reason given", None, None),
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

/// A service that answers one thing, and remembers what it was asked.
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

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The one request that came.
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

    /// The whole request: method, path, every header, and the JSON to the byte, since key order and white space are
    /// nothing that a service should have to care about, and a `null` or a field too many is.
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

    /// Every header but `host`, which is another one in each test.
    fn headers(&self) -> BTreeSet<(String, String)> {
        let request = self.only_request();
        let all = request.headers_vec().iter().cloned();
        all.filter(|(name, _)| name != "host").collect()
    }
}

const HEADERS: [(&str, &str); 3] = [
    ("accept", "application/json"),
    ("authorization", "Token contiguity_sk_test"),
    ("user-agent", concat!("contiguity-rust/", env!("CARGO_PKG_VERSION"))),
];

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
