//! An answer to each of the six calls, with any status and any body: nobody is let in and nothing is read that it does
//! not say, no id that it says is lost, and every error is of its kind and shows nothing that is secret.

#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use contiguity::fuzzing::answer_with;
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, Metadata, NewOtp, OtpId, PhoneNumber, ResendOtp, VerifyOtp,
    VerifyReverseOtp,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const KEY: &str = "contiguity_sk_Zx81secretKEY";
const NUMBER: &str = "+16505550142";
const CODE: &str = "804315";

static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::builder(KEY).base_url("http://127.0.0.1:1").retries(0).build().unwrap());

// Two parts, so that seeds can be written by hand: a line with the status, and with `close` if the connection's end is
// the body's; then the body.
fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let line = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let body = parts.next().unwrap_or_default();
    let mut words = line.split(' ');
    let status = words.next().and_then(|status| status.parse().ok());
    let status = status.filter(|status| (100..=999).contains(status)).unwrap_or(200);
    let answer = Answer { status, is_announced: words.next() != Some("close"), body };

    answer.give();
    let tree = answer.tree();
    new(&answer, tree.as_ref());
    verify(&answer, tree.as_ref());
    resend(&answer, tree.as_ref());
    initiate(&answer, tree.as_ref());
    status_read(&answer, tree.as_ref());
    cancel(&answer, tree.as_ref());
    if let Some(Value::Object(fields)) = tree {
        an_id_is_never_lost(fields.into_iter().collect());
    }
});

struct Answer<'a> {
    status: u16,
    /// By a Content-Length, rather than by the connection's end.
    is_announced: bool,
    body: &'a [u8],
}

impl Answer<'_> {
    /// To every call from now on.
    fn give(&self) {
        let length = self.body.len().to_string();
        let announcement = [("content-length", length.as_bytes())];
        answer_with(self.status, if self.is_announced { &announcement } else { &[] }, self.body);
    }

    /// What the body says, read by other means; these are pickier about what nobody reads here, such as 1e999.
    fn tree(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok()
    }

    /// An error of the kind that the delivery table has for this answer. Says whether the call went well.
    fn check<T: Debug>(&self, acts: bool, result: Result<T, Error>) -> Option<T> {
        let error = match result {
            Ok(answer) => {
                assert!((200..300).contains(&self.status), "{} is no success: {answer:?}", self.status);
                return Some(answer);
            }
            Err(error) => error,
        };
        assert_eq!(error.status(), Some(self.status));
        assert!(!error.is_timeout());
        assert_eq!(error.retry_after(), None);
        match &error {
            Error::Api(api) => {
                assert!(!(200..300).contains(&self.status), "{error}");
                assert_eq!(error.may_have_sent(), !(300..500).contains(&self.status), "{error}");
                let passes = self.status == 429 || (!acts && (500..600).contains(&self.status));
                assert_eq!(error.is_retryable(), passes, "{error}");
                assert!(!api.message().trim().is_empty(), "a message that says nothing");
                is_fit_to_show(api.message());
                is_fit_to_show(api.agreement_url().unwrap_or_default());
            }
            Error::Decode(_) => {
                assert!((200..300).contains(&self.status), "{error}");
                assert!(error.may_have_sent() && !error.is_retryable(), "{error}");
            }
            Error::Transport(_) => {
                assert!((200..300).contains(&self.status) && !self.is_announced, "{error}");
                assert!(error.may_have_sent() && error.is_retryable() != acts, "{error}");
            }
            other => panic!("no error of an answer: {other:?}"),
        }
        is_fit_to_show(error.request_id().unwrap_or_default());
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "control characters in {text:?}");
        shows_no_secret(&format!("{text} {error:?}"));
        None
    }
}

fn new(answer: &Answer<'_>, tree: Option<&Value>) {
    let result = NewOtp::to(NUMBER).language("en").name("MyApp").send(&CLIENT);
    let (Some(sent), Some(tree)) = (answer.check(true, result), tree) else { return };
    assert_eq!(tree["data"]["otp_id"], sent.otp_id.as_str());
    metadata(&sent.metadata, tree);
}

fn verify(answer: &Answer<'_>, tree: Option<&Value>) {
    let result = VerifyOtp::otp_id("otp_1").otp(CODE).send(&CLIENT);
    if let Err(error) = &result {
        assert!(!format!("{error} {error:?}").contains(CODE), "the code is shown");
    }
    let Some(check) = answer.check(true, result) else { return };
    if let Some(tree) = tree {
        assert_eq!(tree["data"]["verified"], check.verified);
        metadata(&check.metadata, tree);
    }
    let verified = check.verified;
    match check.proof() {
        Ok(proof) => assert!(verified && proof.otp_id().as_str() == "otp_1"),
        Err(refusal) => assert!(!verified && refusal.otp_id().as_str() == "otp_1"),
    }
}

fn resend(answer: &Answer<'_>, tree: Option<&Value>) {
    let result = ResendOtp::otp_id("otp_1").send(&CLIENT);
    let (Some(again), Some(tree)) = (answer.check(true, result), tree) else { return };
    assert_eq!(tree["data"]["resent"], again.resent);
    metadata(&again.metadata, tree);
}

fn initiate(answer: &Answer<'_>, tree: Option<&Value>) {
    let result = InitiateReverseOtp::number(NUMBER).factor("1234").to("+16465550123").send(&CLIENT);
    let (Some(session), Some(tree)) = (answer.check(true, result), tree) else { return };
    let data = &tree["data"];
    assert_eq!(data["otp_id"], session.otp_id.as_str());
    assert_eq!(data["factor"].as_str().unwrap_or("1234"), session.factor);
    assert_eq!(data["to"].as_str().unwrap_or("+16465550123"), session.to);
    is_kept(data["service"].as_str(), session.service.as_ref().map(AsRef::as_ref));
    assert_eq!(data["success_url"].as_str(), session.success_url.as_deref());
    let number = data["number"].as_str().and_then(|number| PhoneNumber::parse(number).ok());
    assert_eq!(session.number, number.unwrap_or(PhoneNumber::parse(NUMBER).unwrap()));
    if let Some(ui) = session.ui {
        let said = if data["ui"].is_array() {
            [&data["ui"][0], &data["ui"][1]]
        } else {
            [&data["ui"]["text"], &data["ui"]["qr_code"]]
        };
        assert_eq!(said, [ui.text.as_str(), ui.qr_code.as_str()]);
    }
    metadata(&session.metadata, tree);
}

fn status_read(answer: &Answer<'_>, tree: Option<&Value>) {
    let result = VerifyReverseOtp::otp_id("r_otp_1").send(&CLIENT);
    let Some(status) = answer.check(false, result) else { return };
    let is_verified = status.is_verified();
    if let Some(tree) = tree {
        let data = &tree["data"];
        let says_so = match data["status"].as_str() {
            Some(status) => status == "verified",
            None => data["verified"] == true,
        };
        assert_eq!(is_verified, says_so);
        let named = data["otp_id"].as_str().and_then(|id| OtpId::parse(id).ok());
        assert_eq!(status.otp_id.as_str(), named.as_ref().map_or("r_otp_1", OtpId::as_str));
        metadata(&status.metadata, tree);
    }
    match status.proof() {
        Ok(proof) => assert!(is_verified && proof.otp_id().as_str() == "r_otp_1"),
        Err(refusal) => assert!(!is_verified && refusal.otp_id().as_str() == "r_otp_1"),
    }
}

fn cancel(answer: &Answer<'_>, tree: Option<&Value>) {
    let result = CancelReverseOtp::otp_id("r_otp_1").send(&CLIENT);
    let (Some(cancellation), Some(tree)) = (answer.check(true, result), tree) else { return };
    is_kept(tree["data"]["status"].as_str(), Some(cancellation.status.as_str()));
    metadata(&cancellation.metadata, tree);
}

/// The same answer once more, with an id in it: whatever else it says, the id is read.
fn an_id_is_never_lost(mut fields: BTreeMap<String, Value>) {
    let data = fields.entry("data".to_owned()).or_insert_with(|| json!({}));
    if !data.is_object() {
        *data = json!({});
    }
    data["otp_id"] = json!("otp_1");
    let body = serde_json::to_vec(&fields).unwrap();
    for is_announced in [true, false] {
        Answer { status: 200, is_announced, body: &body }.give();
        let sent = NewOtp::to(NUMBER).language("en").name("MyApp").send(&CLIENT).unwrap();
        assert_eq!(sent.otp_id.as_str(), "otp_1");
    }
}

fn metadata(metadata: &Metadata, tree: &Value) {
    is_fit_to_show(metadata.request_id.as_deref().unwrap_or_default());
    is_fit_to_show(metadata.api_version.as_deref().unwrap_or_default());
    shows_no_secret(&format!("{metadata:?}"));
    let is_plain = |id: &str| !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_lowercase());
    if let Some(id) = tree["id"].as_str().filter(|id| is_plain(id)) {
        assert_eq!(metadata.request_id.as_deref(), Some(id));
    }
    if let Some(milliseconds) = tree["timestamp"].as_u64() {
        assert_eq!(metadata.timestamp, UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)));
    }
}

/// One line, not too long.
fn is_fit_to_show(text: &str) {
    assert!(!text.chars().any(char::is_control), "control characters in {text:?}");
    assert!(text.chars().count() <= 201, "{} characters", text.chars().count());
}

fn shows_no_secret(shown: &str) {
    for secret in [KEY, NUMBER] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

/// A word is kept as it was said, unless it holds what is not to be shown: and then it is no other word.
fn is_kept(said: Option<&str>, kept: Option<&str>) {
    assert_eq!(said.is_some(), kept.is_some());
    let (Some(said), Some(kept)) = (said, kept) else { return };
    if said.bytes().all(|b| b == b' ' || b.is_ascii_graphic() && b != b'+' && !b.is_ascii_digit())
        && !said.contains(KEY)
    {
        assert_eq!(said, kept);
    }
    let known = ["pending", "verified", "cancelled", "expired", "sms", "imessage"];
    assert_eq!(known.contains(&said), known.contains(&kept), "{said:?} became {kept:?}");
    assert!(!kept.contains(char::is_control), "control characters in {kept:?}");
}
