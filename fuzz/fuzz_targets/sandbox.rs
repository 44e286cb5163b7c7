//! Sends any requests to the sandbox. Every response is one, only the right code verifies, only the calls that text do,
//! and a request that a web page could send changes nothing.

#![no_main]

use contiguity::fuzzing::Service;
use http::Request;
use http::request::Parts;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const KEY: &str = "contiguity_sk_Zx81secretKEY";

// Pairs of lines, so that seeds can be written by hand: a method, a path and headers, all separated by tabs, and a body.
// `*` stands for the last id, and `#` for the last code. Without headers, the request has a key and a valid host.
fuzz_target!(|input: &[u8]| {
    let service = Service::new();
    let mut lines = input.split(|&byte| byte == b'\n');
    let mut names = Names { id: "otp_1".to_owned(), code: "000000".to_owned(), has_shown_key: false };
    while let Some(line) = lines.next() {
        let line = names.written_out(&String::from_utf8_lossy(line));
        let body = lines.next().unwrap_or_default();
        let body = match std::str::from_utf8(body) {
            Ok(text) => names.written_out(text).into_bytes(),
            Err(_) => body.to_vec(),
        };
        let Some(head) = head(&line) else { continue };
        exchange(&service, &head, &body, &mut names);
    }
    // Everything that the page reads is there, and what was kept can be read again.
    read(&service, "snapshot");
    let file = service.saved();
    let again = Service::restored(&file).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(again.saved(), file);
});

struct Names {
    id: String,
    code: String,
    /// Whether a request had the key where it does not belong. The list of requests then shows it.
    has_shown_key: bool,
}

impl Names {
    fn written_out(&self, text: &str) -> String {
        text.replace('*', &self.id).replace('#', &self.code)
    }
}

fn head(line: &str) -> Option<Parts> {
    let mut words = line.split('\t');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    let headers: Vec<&str> = words.collect();
    if headers.is_empty() {
        request = request.header("host", "localhost:4010").header("authorization", format!("Token {KEY}"));
    }
    for header in headers {
        let (name, value) = header.split_once(':')?;
        request = request.header(name, value.trim());
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fn exchange(service: &Service, head: &Parts, body: &[u8], names: &mut Names) {
    let path = head.uri.path();
    let before = read(service, "messages");
    let sessions_before = read(service, "sessions");
    names.has_shown_key |= !is_without_key(head, body);
    let response = service.respond(head, body);
    let after = read(service, "messages");

    let is_reset = path == "/sandbox/reset";
    let texts = usize::from(matches!(path, "/otp/new" | "/otp/resend"));
    let (count, count_before) = (after.as_array().unwrap().len(), before.as_array().unwrap().len());
    assert!(is_reset || (count_before..=count_before + texts).contains(&count), "{path} sent texts");
    if let Some(sms) = after.as_array().unwrap().last() {
        sms["code"].as_str().unwrap().clone_into(&mut names.code);
    }

    // A fault closed the connection, or the response is late.
    let Some((status, headers, bytes)) = response else { return };
    assert!((200..=599).contains(&status), "{status}");
    if head.headers.contains_key("origin") && status == 403 || status == 421 {
        assert_eq!(after, before);
        assert_eq!(read(service, "sessions"), sessions_before);
    }
    let is_empty = matches!(status, 204 | 205 | 304) || path == "/sandbox/events";
    if headers.get("content-type").is_none_or(|kind| kind != "application/json") || is_empty {
        return;
    }
    // Half a response is not JSON.
    let Ok(json) = serde_json::from_slice::<Value>(&bytes) else { return };
    let data = &json["data"];
    if status >= 400 {
        assert_eq!(json["object"], "error", "{json}");
        assert_eq!(data["status"], status, "{json}");
        let message = data["error"].as_str().unwrap();
        assert!(!message.contains(char::is_control) && message.len() < 300, "{message:?}");
    }
    if let Some(id) = data["otp_id"].as_str() {
        id.clone_into(&mut names.id);
    }
    if data["verified"] == true {
        let sent: Value = serde_json::from_slice(body).unwrap();
        let is_right = |sms: &Value| {
            sms["otp_id"] == sent["otp_id"] && sms["code"].as_str() == sent["otp"].as_str().map(str::trim)
        };
        assert!(before.as_array().unwrap().iter().any(is_right), "{sent} was verified");
    }
    assert!(names.has_shown_key || !String::from_utf8_lossy(&bytes).contains("Zx81secretKEY"), "{json}");
}

/// Reports whether the key is only where it belongs.
fn is_without_key(head: &Parts, body: &[u8]) -> bool {
    let line = format!("{} {}", head.method, head.uri);
    !line.contains("Zx81") && !String::from_utf8_lossy(body).contains("Zx81")
}

/// Reads a list by the control calls.
fn read(service: &Service, list: &str) -> Value {
    let head = head(&format!("GET\t/sandbox/{list}")).unwrap();
    let (status, _, body) = service.respond(&head, b"").unwrap();
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}
