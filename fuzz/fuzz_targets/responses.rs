//! Returns any status and any body to each of the six calls. Only the body can verify a person, no id in it is lost,
//! and every error is of the right kind and shows no secret.

#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use contiguity::fuzzing::respond_with;
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, Metadata, NewOtp, PhoneNumber, ResendOtp, VerifyOtp,
    VerifyReverseOtp,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const KEY: &str = "contiguity_sk_Zx81secretKEY";
const NUMBER: &str = "+16505550142";
/// The digits of `NUMBER` that give it away: those after the calling code.
const NATIONAL: &str = "6505550142";
const CODE: &str = "804315";
/// Of a call that sends none. No message has a line break.
const NO_SECRET: &str = "\n";

static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::builder(KEY).base_url("http://127.0.0.1:1").retries(0).build().unwrap());

// Two parts, so that seeds can be written by hand. A line: the status, then `close` if the body ends with the
// connection, then a Content-Encoding if there is one. The rest is the body.
fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let line = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let body = parts.next().unwrap_or_default();
    let mut words = line.split(' ').peekable();
    let status = words.next().and_then(|status| status.parse().ok());
    let status = status.filter(|status| (100..=999).contains(status)).unwrap_or(200);
    let is_announced = words.next_if_eq(&"close").is_none();
    let encoding = words.next().filter(|encoding| !encoding.contains(char::is_control));
    let response = Response { status, is_announced, encoding, body };

    response.give();
    let tree = response.tree();
    new(&response, tree.as_ref());
    verify(&response, tree.as_ref());
    resend(&response, tree.as_ref());
    initiate(&response, tree.as_ref());
    status_read(&response, tree.as_ref());
    cancel(&response, tree.as_ref());
    if let Some(Value::Object(fields)) = tree {
        an_id_is_never_lost(fields.into_iter().collect());
    }
});

struct Response<'a> {
    status: u16,
    /// The length of the body is in a Content-Length header.
    is_announced: bool,
    encoding: Option<&'a str>,
    body: &'a [u8],
}

impl Response<'_> {
    /// Makes this the response to every call from now on.
    fn give(&self) {
        let length = self.body.len().to_string();
        let mut headers = Vec::new();
        if self.is_announced {
            headers.push(("content-length", length.as_bytes()));
        }
        if let Some(encoding) = self.encoding {
            headers.push(("content-encoding", encoding.as_bytes()));
        }
        respond_with(self.status, &headers, self.body);
    }

    /// The body as another reader sees it. That reader also refuses what the crate ignores, such as 1e999.
    fn tree(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok()
    }

    /// Checks an error against the delivery table, and returns the result of a successful call. `secret` is the digits
    /// that the call sent.
    fn check<T: Debug>(&self, acts: bool, secret: &str, result: Result<T, Error>) -> Option<T> {
        let is_success = (200..300).contains(&self.status);
        let error = match result {
            Ok(value) => {
                assert!(is_success, "status {}: {value:?}", self.status);
                return Some(value);
            }
            Err(error) => error,
        };
        assert_eq!(error.status(), Some(self.status));
        assert!(!error.is_timeout());
        assert_eq!(error.retry_after(), None);
        match &error {
            Error::Api(api) => {
                assert!(!is_success, "{error}");
                assert_eq!(error.may_have_sent(), self.status == 408 || !(400..500).contains(&self.status), "{error}");
                let is_temporary = matches!(self.status, 408 | 421 | 425 | 500..=599);
                assert_eq!(error.is_retryable(), self.status == 429 || !acts && is_temporary, "{error}");
                assert!(!api.message().trim().is_empty(), "an empty message");
                assert!(api.message().chars().filter(|c| c.is_numeric()).count() < 4, "{error}");
                is_fit_to_show(api.message(), secret);
                is_fit_to_show(api.agreement_url().unwrap_or_default(), secret);
            }
            Error::Decode(_) => {
                assert!(is_success, "{error}");
                assert!(error.may_have_sent() && !error.is_retryable(), "{error}");
            }
            Error::Transport(_) => {
                assert!(is_success && !self.is_announced, "{error}");
                assert!(error.may_have_sent() && error.is_retryable() != acts, "{error}");
            }
            other => panic!("not the error of a response: {other:?}"),
        }
        is_fit_to_show(error.request_id().unwrap_or_default(), secret);
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "control characters in {text:?}");
        assert!(!text.contains(KEY) && !text.contains(secret), "a secret in {text:?}");
        None
    }
}

fn new(response: &Response<'_>, tree: Option<&Value>) {
    let result = NewOtp::to(NUMBER).language("en").name("MyApp").send(&CLIENT);
    let (Some(sent), Some(tree)) = (response.check(true, NATIONAL, result), tree) else { return };
    assert_eq!(tree["data"]["otp_id"], sent.otp_id.as_str());
    assert_eq!(sent.number, NUMBER);
    metadata(&sent.metadata, NATIONAL, tree);
}

fn verify(response: &Response<'_>, tree: Option<&Value>) {
    let result = VerifyOtp::otp_id("otp_1").otp(CODE).send(&CLIENT);
    let Some(check) = response.check(true, CODE, result) else { return };
    if let Some(tree) = tree {
        assert_eq!(tree["data"]["verified"], check.verified);
        metadata(&check.metadata, CODE, tree);
    }
    let verified = check.verified;
    let proof = check.proof();
    assert_eq!(proof.is_ok(), verified);
    assert!(proof.is_err() || proof.is_ok_and(|proof| proof.otp_id() == "otp_1"));
}

fn resend(response: &Response<'_>, tree: Option<&Value>) {
    let result = ResendOtp::otp_id("otp_1").send(&CLIENT);
    let (Some(again), Some(tree)) = (response.check(true, NO_SECRET, result), tree) else { return };
    assert_eq!(tree["data"]["resent"], again.resent);
    metadata(&again.metadata, NO_SECRET, tree);
}

fn initiate(response: &Response<'_>, tree: Option<&Value>) {
    let result = InitiateReverseOtp::number(NUMBER).factor("1234").to("+16465550123").send(&CLIENT);
    let Some(session) = response.check(true, NATIONAL, result) else { return };
    let shown = format!("{:?} {:?} {:?}", session.number, session.service, session.ui);
    assert!(!shown.contains(NATIONAL), "the number in {shown}");
    let Some(tree) = tree else { return };
    let data = &tree["data"];
    assert_eq!(data["otp_id"], session.otp_id.as_str());
    assert_eq!(data["factor"].as_str().unwrap_or("1234"), session.factor);
    assert_eq!(data["to"].as_str().unwrap_or("+16465550123"), session.to);
    assert_eq!(data["service"].as_str(), session.service.as_ref().map(AsRef::as_ref));
    assert_eq!(data["success_url"].as_str(), session.success_url.as_deref());
    let number = data["number"].as_str().and_then(|number| PhoneNumber::parse(number).ok());
    assert_eq!(session.number, number.unwrap_or(PhoneNumber::parse(NUMBER).unwrap()));
    if let Some(ui) = session.ui {
        let ui_fields = if data["ui"].is_array() {
            [&data["ui"][0], &data["ui"][1]]
        } else {
            [&data["ui"]["text"], &data["ui"]["qr_code"]]
        };
        assert_eq!(ui_fields, [ui.text.as_str(), ui.qr_code.as_str()]);
    }
    metadata(&session.metadata, NATIONAL, tree);
}

fn status_read(response: &Response<'_>, tree: Option<&Value>) {
    let result = VerifyReverseOtp::otp_id("r_otp_1").send(&CLIENT);
    let Some(status) = response.check(false, NO_SECRET, result) else { return };
    let is_verified = status.is_verified();
    assert_eq!(status.otp_id, "r_otp_1");
    if let Some(tree) = tree {
        names_no_other_id(tree, "r_otp_1");
        match tree["data"]["status"].as_str() {
            Some(text) => assert_eq!(status.status, text),
            None => assert_eq!(tree["data"]["verified"], is_verified),
        }
        metadata(&status.metadata, NO_SECRET, tree);
    }
    assert_eq!(is_verified, status.status == "verified");
    let proof = status.proof();
    assert_eq!(proof.is_ok(), is_verified);
    match proof {
        Ok(proof) => assert_eq!(proof.otp_id(), "r_otp_1"),
        Err(refusal) => assert!(!refusal.to_string().contains(char::is_control), "control characters in {refusal}"),
    }
}

fn cancel(response: &Response<'_>, tree: Option<&Value>) {
    let result = CancelReverseOtp::otp_id("r_otp_1").send(&CLIENT);
    let (Some(cancellation), Some(tree)) = (response.check(true, NO_SECRET, result), tree) else { return };
    names_no_other_id(tree, "r_otp_1");
    assert_eq!(tree["data"]["status"], cancellation.status.as_str());
    metadata(&cancellation.metadata, NO_SECRET, tree);
}

/// A response that names another id belongs to another call.
fn names_no_other_id(tree: &Value, asked: &str) {
    let id = &tree["data"]["otp_id"];
    assert!(id.is_null() || id == asked, "{id} instead of {asked}");
}

/// Returns the same response with an id in it. Whatever else it contains, the id is read.
fn an_id_is_never_lost(mut fields: BTreeMap<String, Value>) {
    let data = fields.entry("data".to_owned()).or_insert_with(|| json!({}));
    if !data.is_object() {
        *data = json!({});
    }
    data["otp_id"] = json!("otp_1");
    let body = serde_json::to_vec(&fields).unwrap();
    for is_announced in [true, false] {
        Response { status: 200, is_announced, encoding: None, body: &body }.give();
        let sent = NewOtp::to(NUMBER).language("en").name("MyApp").send(&CLIENT).unwrap();
        assert_eq!(sent.otp_id, "otp_1");
    }
}

fn metadata(metadata: &Metadata, secret: &str, tree: &Value) {
    is_fit_to_show(metadata.request_id.as_deref().unwrap_or_default(), secret);
    is_fit_to_show(metadata.api_version.as_deref().unwrap_or_default(), secret);
    let is_plain = |id: &str| !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_lowercase());
    if let Some(id) = tree["id"].as_str().filter(|id| is_plain(id)) {
        assert_eq!(metadata.request_id.as_deref(), Some(id));
    }
    if let Some(milliseconds) = tree["timestamp"].as_u64() {
        assert_eq!(metadata.timestamp, UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)));
    }
}

/// One line, not too long, without the key, and without the secret whatever is between its digits.
fn is_fit_to_show(text: &str, secret: &str) {
    assert!(!text.contains(char::is_control), "control characters in {text:?}");
    assert!(text.chars().count() <= 201, "{} characters", text.chars().count());
    assert!(!text.contains(KEY), "the key in {text:?}");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert!(!digits.contains(secret), "{secret} in {text:?}");
}
