//! The sandbox behaves as the documented API does, for any client. These tests use raw sockets or
//! plain ureq.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use contiguity::sandbox::{Fault, Phone, Sandbox, Sms, StatusFault, WebhookAttempt};
use serde_json::{Value, json};

const PHONE: &str = "+14155552671";
const OTHER: &str = "+442079460958";
const KEY: &str = "Token contiguity_sk_test";

// ---------------------------------------------------------------------------------------------------------------------
// Codes by text message

#[test]
fn a_code_is_sent_and_verified_once() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);

    let response = api.post("/otp/new", &json!({ "to": PHONE, "language": "EN", "name": "MyApp" }));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.json["object"], "response");
    assert_eq!(response.json["api_version"], "v2026.7.29");
    assert!(response.json["id"].as_str().unwrap().starts_with("req_"));
    let drift = response.json["timestamp"].as_u64().unwrap().abs_diff(unix_milliseconds());
    assert!(drift < 5_000, "{drift}");
    assert_eq!(response.keys(), ["otp_id"]);
    let id = response.data("otp_id");

    let sms = sandbox.phone(PHONE).last_message().unwrap();
    assert_eq!(sms.to.as_str(), PHONE);
    assert_eq!(sms.text, format!("Your MyApp code is {}", sms.code));
    assert_eq!(sms.otp_id.as_str(), id);
    assert!(sms.code.len() == 6 && sms.code.bytes().all(|digit| digit.is_ascii_digit()), "{}", sms.code);
    assert!(sandbox.phone(OTHER).messages().is_empty());
    assert_eq!((sandbox.deliveries(PHONE), sandbox.deliveries(OTHER)), (1, 0));

    let verify = |otp: &str| {
        let response = api.post("/otp/verify", &json!({ "otp_id": id, "otp": otp }));
        assert_eq!((response.status, response.keys()), (200, vec!["verified".to_owned()]));
        response.json["data"]["verified"].as_bool().unwrap()
    };
    let wrong = if sms.code == "000000" { "000001" } else { "000000" };
    assert!(!verify(wrong));
    assert!(!verify("no code at all"));
    assert!(verify(&sms.code));
    assert!(!verify(&sms.code), "a code works once");
}

#[test]
fn codes_are_random_with_leading_zeros() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    for _ in 0..200 {
        api.send(PHONE);
    }
    let mut codes: Vec<String> = sandbox.phone(PHONE).messages().into_iter().map(|sms| sms.code).collect();
    assert!(codes.iter().all(|code| code.len() == 6));
    // By chance, 200 codes have no leading zero once in 1.4 billion runs.
    assert!(codes.iter().any(|code| code.starts_with('0')));
    codes.sort();
    codes.dedup();
    assert!(codes.len() > 190);
}

#[test]
fn a_code_expires_and_a_resend_keeps_code_and_expiry() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.send(PHONE);
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    let resend = || api.post("/otp/resend", &json!({ "otp_id": id })).json["data"]["resent"].clone();

    sandbox.advance(Duration::from_secs(14 * 60));
    assert_eq!(resend(), true);
    let messages = sandbox.phone(PHONE).messages();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|sms| sms.code == code && sms.otp_id.as_str() == id));
    let between = messages[1].at.duration_since(messages[0].at).unwrap();
    assert!((14 * 60..14 * 60 + 10).contains(&between.as_secs()), "{between:?}");

    sandbox.advance(Duration::from_secs(61));
    assert_eq!(api.post("/otp/verify", &json!({ "otp_id": id, "otp": code })).fields(), json!({ "verified": false }));
    assert_eq!(resend(), false);
    assert_eq!(sandbox.deliveries(PHONE), 2);
}

#[test]
fn a_used_code_is_not_resent() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.send(PHONE);
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    assert_eq!(api.post("/otp/verify", &json!({ "otp_id": id, "otp": code })).fields(), json!({ "verified": true }));
    let response = api.post("/otp/resend", &json!({ "otp_id": id }));
    assert_eq!((response.status, response.fields()), (200, json!({ "resent": false })));
    assert_eq!(sandbox.deliveries(PHONE), 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// Reverse OTP

#[test]
fn a_session_has_the_documented_fields_and_defaults() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);

    let response = api.post("/otp/reverse/initiate", &json!({ "number": PHONE }));
    assert_eq!(response.status, 200);
    assert_eq!(response.keys(), ["expires_at", "factor", "number", "otp_id", "service", "success_url", "to", "ui"],);
    let data = &response.fields();
    let factor = response.data("factor");
    assert!(factor.len() == 4 && factor.bytes().all(|digit| digit.is_ascii_digit()), "{factor}");
    assert_eq!((&data["number"], &data["service"]), (&json!(PHONE), &json!("sms")));
    assert_eq!((&data["to"], &data["success_url"]), (&json!("+16465550123"), &Value::Null));
    assert_eq!(data["ui"]["qr_code"], format!("sms:+16465550123?body={factor}"));
    assert!(response.data("otp_id").starts_with("r_otp_"));
    let instruction = data["ui"]["text"].as_str().unwrap();
    assert!(instruction.contains(&factor) && instruction.contains("+16465550123"), "{instruction}");

    let full = json!({
        "number": PHONE, "factor": "a b&ü", "to": OTHER, "service": "imessage", "language": "de",
        "success_url": "https://example.com/hook",
    });
    let data = &api.post("/otp/reverse/initiate", &full).fields();
    assert_eq!(data["ui"]["qr_code"], format!("sms:{OTHER}?body=a%20b%26%C3%BC"));
    for field in ["number", "factor", "to", "service", "success_url"] {
        assert_eq!(data[field], full[field], "{field}");
    }
}

#[test]
fn a_session_is_verified_only_by_its_phone_factor_and_number() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.initiate(&json!({ "number": PHONE, "factor": "MyApp2024" }));
    let response = api.status(&id);
    assert_eq!(response.keys(), ["expires_at", "otp_id", "status"]);
    assert_eq!((response.data("otp_id"), response.data("status")), (id.clone(), "pending".to_owned()));

    for (from, to, body) in [
        (PHONE, "+16465550123", "MyApp2025"),
        (PHONE, "+16465550123", ""),
        (PHONE, "+16465550124", "MyApp2024"),
        (PHONE, "no number", "MyApp2024"),
        (OTHER, "+16465550123", "MyApp2024"),
    ] {
        sandbox.phone(from).text(to, body);
        assert_eq!(api.status(&id).data("status"), "pending", "{from} {to} {body}");
    }
    sandbox.phone(PHONE).text("+16465550123", "  myapp2024\n");
    assert_eq!(api.status(&id).data("status"), "verified");

    sandbox.advance(Duration::from_secs(3600));
    assert_eq!(api.status(&id).data("status"), "verified", "verified sessions do not expire");
    assert_eq!(api.cancel(&id).status, 400);
    assert_eq!(api.status(&id).data("status"), "verified");
}

#[test]
fn a_session_expires_and_is_cancelled() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let cancelled = api.initiate(&json!({ "number": PHONE, "factor": "1234" }));
    for _ in 0..2 {
        let response = api.cancel(&cancelled);
        assert_eq!(response.status, 200);
        assert_eq!(response.fields(), json!({ "otp_id": cancelled, "status": "cancelled" }));
    }
    sandbox.phone(PHONE).text("+16465550123", "1234");
    assert_eq!(api.status(&cancelled).data("status"), "cancelled");

    let expired = api.initiate(&json!({ "number": PHONE, "factor": "1234" }));
    sandbox.advance(Duration::from_secs(10 * 60 - 5));
    assert_eq!(api.status(&expired).data("status"), "pending");
    sandbox.advance(Duration::from_secs(6));
    assert_eq!(api.status(&expired).data("status"), "expired");
    sandbox.phone(PHONE).text("+16465550123", "1234");
    assert_eq!(api.status(&expired).data("status"), "expired");
    assert_eq!(api.cancel(&expired).status, 400);
    assert_eq!(api.status(&cancelled).data("status"), "cancelled");
}

#[test]
fn times_move_with_the_clock() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    sandbox.advance(Duration::from_secs(1_000_000));
    let response = api.post("/otp/reverse/initiate", &json!({ "number": PHONE }));
    let ahead = response.json["timestamp"].as_u64().unwrap() - unix_milliseconds();
    assert!((999_990_000..=1_000_000_000).contains(&ahead), "{ahead}");

    // By the times in the response, the session expires in ten minutes.
    let expires_at = response.data("expires_at");
    assert_eq!((expires_at.len(), &expires_at[10..11], &expires_at[19..20], &expires_at[23..]), (24, "T", ".", "Z"));
    let expires_at = humantime::parse_rfc3339(&expires_at).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let left = expires_at.as_millis() - u128::from(response.json["timestamp"].as_u64().unwrap());
    assert_eq!(left, 600_000);

    sandbox.advance(Duration::MAX);
    sandbox.advance(Duration::MAX);
    assert!(api.post("/otp/reverse/initiate", &json!({ "number": PHONE })).data("expires_at").starts_with("9999-"));
}

#[test]
fn ids_in_paths_are_percent_decoded() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.initiate(&json!({ "number": PHONE }));
    assert_eq!(api.status(&id.replace('_', "%5F")).data("otp_id"), id);
    for odd in ["%2e%2e", "%00", "%ff", "%", "a%2Fb"] {
        assert_eq!(api.status(odd).refused(), (400, "otp_id is unknown".to_owned()), "{odd}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Refused requests

#[test]
fn malformed_requests_get_400_and_a_reason() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.send(PHONE);
    let session = |field: &str, value: Value| {
        let mut body = json!({ "number": PHONE });
        body[field] = value;
        ("/otp/reverse/initiate", body)
    };
    let long = "x".repeat(17);
    for ((path, body), why) in [
        (("/otp/new", json!({ "language": "en", "name": "MyApp" })), "to is missing"),
        (("/otp/new", json!({ "to": PHONE, "name": "MyApp" })), "language is missing"),
        (("/otp/new", json!({ "to": PHONE, "language": "en" })), "name is missing"),
        (("/otp/new", json!({ "to": 1_415, "language": "en", "name": "MyApp" })), "to must be text"),
        (("/otp/new", json!({ "to": PHONE, "language": null, "name": "MyApp" })), "language must be text"),
        (("/otp/new", json!({ "to": PHONE, "language": "en", "name": " \t" })), "name must not be blank"),
        (
            ("/otp/new", json!({ "to": PHONE, "language": "en", "name": "a\u{7}b" })),
            "name must not have control characters",
        ),
        (
            ("/otp/new", json!({ "to": "4155552671", "language": "en", "name": "MyApp" })),
            "to must be a phone number in E.164, such as +14155552671",
        ),
        (
            ("/otp/new", json!({ "to": "+1 415 555", "language": "en", "name": "MyApp" })),
            "to must be a phone number in E.164, such as +14155552671",
        ),
        (
            ("/otp/new", json!({ "to": PHONE, "language": "e n", "name": "MyApp" })),
            "language must be one of the 34 that the service supports, such as en or pt-br; in a test, Sandbox::any_language allows others",
        ),
        (("/otp/new", json!([])), "the body must be a JSON object"),
        (("/otp/verify", json!({ "otp": "123456" })), "otp_id is missing"),
        (("/otp/verify", json!({ "otp_id": id })), "otp is missing"),
        (("/otp/verify", json!({ "otp_id": id, "otp": 123_456 })), "otp must be text"),
        (("/otp/verify", json!({ "otp_id": "otp_unknown", "otp": "123456" })), "otp_id is unknown"),
        (("/otp/resend", json!({})), "otp_id is missing"),
        (("/otp/resend", json!({ "otp_id": ["a"] })), "otp_id must be text"),
        (("/otp/resend", json!({ "otp_id": "otp_unknown" })), "otp_id is unknown"),
        (("/otp/reverse/initiate", json!({})), "number is missing"),
        (session("number", json!("+0123456")), "number must be a phone number in E.164, such as +14155552671"),
        (session("factor", json!(long)), "factor must have 1 to 16 characters"),
        (session("factor", json!("")), "factor must not be blank"),
        (session("factor", json!(1234)), "factor must be text"),
        (session("to", json!("shop")), "to must be a phone number in E.164, such as +14155552671"),
        (session("service", json!("fax")), "service must be `sms` or `imessage`"),
        (session("language", json!("")), "language must not be blank"),
        (session("success_url", json!("/hook")), "success_url must be an absolute http or https URL"),
        (session("success_url", json!("mailto:a@b.c")), "success_url must be an absolute http or https URL"),
        (session("success_url", json!("ftp://example.com/")), "success_url must be an absolute http or https URL"),
    ] {
        let response = api.post(path, &body);
        assert_eq!(response.refused(), (400, why.to_owned()), "{path} {body}");
    }
    assert_eq!(api.post("/otp/reverse/initiate", &json!({ "number": PHONE, "factor": "ü".repeat(16) })).status, 200);
    assert_eq!(sandbox.deliveries(PHONE), 1, "refused requests send nothing");

    // The message says where the JSON is wrong, and does not quote it.
    for (body, place) in [
        (&b""[..], "line 1, column 0"),
        (b"{", "line 1, column 1"),
        (b"{\"to\":", "line 1, column 6"),
        (b"{\n\"to\":123456 123456}", "line 2, column 13"),
        (b"nonsense", "line 1, column 2"),
        (b"\0", "line 1, column 1"),
        (b"{\"to\":\"\xff\"}", "line 1, column 8"),
        (&vec![b'['; 60_000], "line 1, column 128"),
    ] {
        let expected = format!("the body is not valid JSON ({place})");
        assert_eq!(api.call("POST", "/otp/new", &[("Authorization", KEY)], body).refused(), (400, expected));
    }
    assert_eq!(api.status("r_otp_unknown").refused(), (400, "otp_id is unknown".to_owned()));
    assert_eq!(api.cancel("r_otp_unknown").refused(), (400, "otp_id is unknown".to_owned()));
    assert_eq!(api.status(&id).refused().0, 400, "a code is not a session");
}

#[test]
fn requests_without_a_valid_key_get_401() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
    for authorization in [
        None,
        Some(""),
        Some("Token"),
        Some("Token "),
        Some("contiguity_sk_test"),
        Some("Bearer contiguity_sk_test"),
        Some("Token sk_test"),
        Some("Token Contiguity_sk_test"),
        Some("Tokencontiguity_sk_test"),
        Some("Token \u{fc}"),
    ] {
        let headers: Vec<_> = authorization.iter().map(|value| ("Authorization", *value)).collect();
        for (method, path, body) in [
            ("POST", "/otp/new", body.as_str()),
            ("POST", "/otp/new", "{"),
            ("GET", "/otp/new", ""),
            ("GET", "/otp/nothing", ""),
            ("GET", "/otp/reverse/verify/r_otp_1", ""),
        ] {
            let response = api.call(method, path, &headers, body.as_bytes());
            assert_eq!(response.refused().0, 401, "{authorization:?} {method} {path}");
            assert_eq!(response.header("www-authenticate"), Some("Token"));
        }
    }
    assert_eq!(sandbox.deliveries(PHONE), 0);
    for key in ["Token contiguity_sk_", "token contiguity_sk_x", sandbox.api_key()] {
        let value = if key.contains(' ') { key.to_owned() } else { format!("Token {key}") };
        assert_eq!(api.call("POST", "/otp/new", &[("Authorization", &value)], body.as_bytes()).status, 200);
    }
}

#[test]
fn unknown_paths_get_404_and_wrong_methods_405() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let key = [("Authorization", KEY)];
    for path in [
        "/otp",
        "/otp/",
        "/otp/new/",
        "/otp/nothing",
        "/otp/reverse/verify",
        "/otp/reverse/verify/",
        "/otp/reverse/verify/a/b",
        "//otp/new",
        "/sandbox",
        "/sandbox/",
        "/sandbox/nothing",
        "/OTP/new",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(api.call(method, path, &key, b"").refused().0, 404, "{method} {path}");
        }
    }
    for (path, allowed) in [
        ("/otp/new", "POST"),
        ("/otp/verify", "POST"),
        ("/otp/resend", "POST"),
        ("/otp/reverse/initiate", "POST"),
        ("/otp/reverse/verify/r_otp_1", "GET"),
        ("/otp/reverse/cancel/r_otp_1", "POST"),
        ("/sandbox/messages", "GET"),
        ("/sandbox/phones/+14155552671", "GET"),
        ("/sandbox/sessions", "GET"),
        ("/sandbox/requests", "GET"),
        ("/sandbox/webhooks", "GET"),
        ("/sandbox/faults", "GET"),
        ("/sandbox/snapshot", "GET"),
        ("/sandbox/text", "POST"),
        ("/sandbox/advance", "POST"),
        ("/sandbox/fail", "POST"),
        ("/sandbox/heal", "POST"),
        ("/sandbox/reset", "POST"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"] {
            if method == allowed {
                continue;
            }
            let response = api.call(method, path, &key, b"");
            assert_eq!(response.status, 405, "{method} {path}");
            assert_eq!(response.header("allow"), Some(allowed));
            if method == "HEAD" {
                assert_eq!(response.body, b"");
            } else {
                assert_eq!(response.refused().0, 405);
            }
        }
    }
}

#[test]
fn bodies_have_a_limit() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let name = |length| json!({ "to": PHONE, "language": "en", "name": "n".repeat(length) });
    assert_eq!(api.post("/otp/new", &name(60 << 10)).status, 200);
    for length in [64 << 10, 500 << 10] {
        assert_eq!(api.post("/otp/new", &name(length)).refused().0, 413);
    }
    // It is read to its end, so that clients that write first receive the response.
    let mut connection = Connection::open(&sandbox);
    assert_eq!(connection.post("/otp/new", &name(500 << 10).to_string()), 413);
    assert_eq!(connection.post("/otp/new", &name(10).to_string()), 200);
    drop(api.write(b"POST /otp/new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"));
    assert_eq!(api.control("GET", "/sandbox/messages", b"").status, 200, "the sandbox still responds");
}

#[test]
fn any_http_client_can_use_it() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.initiate(&json!({ "number": PHONE }));

    // The vendor's JavaScript client sends a JSON content type with every call, and no body.
    let headers = [("Authorization", KEY), ("Content-Type", "application/json")];
    assert_eq!(api.call("POST", &format!("/otp/reverse/cancel/{id}"), &headers, b"").status, 200);
    assert_eq!(api.call("POST", &format!("/otp/reverse/cancel/{id}"), &headers, b"{}").status, 200);
    assert_eq!(api.call("POST", &format!("/otp/reverse/cancel/{id}"), &[("Authorization", KEY)], b"x").status, 200);

    // Chunked, pipelined, half-closed, `Expect: 100-continue` and HTTP/1.0: all are in use
    // somewhere.
    let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
    let head = format!("POST /otp/new HTTP/1.1\r\nHost: localhost\r\nAuthorization: {KEY}\r\n");
    let (start, rest) = body.split_at(10);
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{start}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
        start.len(),
        rest.len(),
    );
    let stream = api.write(format!("{chunked}{chunked}").as_bytes());
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reader = BufReader::new(stream);
    for _ in 0..2 {
        assert_eq!(Response::read(&mut reader, "POST").unwrap().status, 200);
    }

    sandbox.fail_next(Fault::delay(Duration::from_millis(50)));
    let stream = api.write(chunked.as_bytes());
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Response::read(&mut BufReader::new(stream), "POST").expect("the delayed response").status, 200);

    let length = body.len();
    let stream = api.write(format!("{head}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n").as_bytes());
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100"), "{line}");
    reader.read_line(&mut line).unwrap();
    reader.get_mut().write_all(body.as_bytes()).unwrap();
    assert_eq!(Response::read(&mut reader, "POST").unwrap().status, 200);

    let old = format!("POST /otp/new HTTP/1.0\r\nAuthorization: {KEY}\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut text = String::new();
    api.write(old.as_bytes()).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    assert_eq!(sandbox.deliveries(PHONE), 5);
}

#[test]
fn a_partial_request_does_nothing_and_uses_no_fault() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    sandbox.fail_next(Fault::status(500));
    let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
    let whole = format!(
        "POST /otp/new HTTP/1.1\r\nHost: localhost\r\nAuthorization: {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for length in 0..whole.len() {
        let mut stream = api.write(&whole.as_bytes()[..length]);
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{length}");
    }
    for nonsense in ["\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET \u{0} HTTP/1.1\r\n\r\n"] {
        let mut stream = api.write(nonsense.as_bytes());
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut stream = api.write(b"GET / HTTP/1.1\r\n");
    for _ in 0..4_000 {
        if stream.write_all(b"X-Long: 0123456789012345678901234567890123456789\r\n").is_err() {
            break;
        }
    }
    let _ = stream.read_to_end(&mut Vec::new());
    assert_eq!(sandbox.deliveries(PHONE), 0);
    assert_eq!(api.post("/otp/new", &json!({})).status, 500, "the fault is still queued");
}

// ---------------------------------------------------------------------------------------------------------------------
// Faults

#[test]
fn each_fault_affects_one_request_in_order() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    for status in [500, 429, 302] {
        sandbox.fail_next(Fault::status(status));
    }
    assert_eq!(api.control("GET", "/sandbox/messages", b"").status, 200, "faults do not affect control calls");
    assert_eq!(api.control("POST", "/sandbox/advance", b"{\"seconds\":1}").status, 200);
    for status in [500, 429, 302] {
        let response = api.new_otp(PHONE).unwrap();
        assert_eq!(response.refused().0, status);
        assert_eq!(response.header("retry-after"), None);
    }
    assert_eq!(sandbox.deliveries(PHONE), 0);
    assert_eq!(api.new_otp(PHONE).unwrap().status, 200);
    assert_eq!(sandbox.deliveries(PHONE), 1);
}

#[test]
fn a_status_fault_can_act_and_have_retry_after() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    sandbox.fail_next(Fault::status(502).after_acting());
    assert_eq!(api.new_otp(PHONE).unwrap().refused(), (502, "Bad Gateway".to_owned()));
    assert_eq!(sandbox.deliveries(PHONE), 1);

    for (wait, seconds) in [(0, "0"), (1, "1"), (1_000, "1"), (1_001, "2")] {
        sandbox.fail_next(Fault::status(429).retry_after(Duration::from_millis(wait)));
        assert_eq!(api.new_otp(PHONE).unwrap().header("retry-after"), Some(seconds));
    }
    sandbox.fail_next(Fault::status(503).retry_after(Duration::MAX));
    assert_eq!(api.new_otp(PHONE).unwrap().refused().0, 503);
    assert_eq!(sandbox.deliveries(PHONE), 1);

    for status in [204, 205, 304] {
        sandbox.fail_next(Fault::status(status));
        let response = api.new_otp(PHONE).unwrap();
        assert_eq!((response.status, response.body.len()), (status, 0));
    }
    for status in [200, 418, 499, 599] {
        sandbox.fail_next(Fault::status(status));
        assert_eq!(api.new_otp(PHONE).unwrap().status, status);
    }
    for status in [0, 99, 100, 199, 600, u16::MAX] {
        assert!(std::panic::catch_unwind(|| Fault::status(status)).is_err(), "{status}");
    }
}

#[test]
fn a_delay_acts_at_once_and_responds_late() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    sandbox.fail_next(Fault::delay(Duration::from_millis(300)));
    let started = Instant::now();
    thread::scope(|scope| {
        let late = scope.spawn(|| api.new_otp(PHONE).unwrap());
        while sandbox.deliveries(PHONE) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(started.elapsed() < Duration::from_millis(250), "it acts first");
        assert_eq!(api.new_otp(OTHER).unwrap().status, 200, "other requests do not wait");
        assert!(started.elapsed() < Duration::from_millis(250), "other requests do not wait");
        assert_eq!(late.join().unwrap().status, 200);
    });
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_dropped_connection_gets_no_response() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    for (fault, texts) in [(Fault::drop_before(), 0), (Fault::drop_after(), 1)] {
        sandbox.reset();
        sandbox.fail_next(fault);
        let mut bytes = Vec::new();
        let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
        api.send_request("POST", "/otp/new", &[("Authorization", KEY)], body.as_bytes())
            .read_to_end(&mut bytes)
            .expect("a closed connection without a reset");
        assert_eq!((bytes.len(), sandbox.deliveries(PHONE)), (0, texts));
        assert_eq!(api.new_otp(OTHER).unwrap().status, 200);
    }
}

#[test]
fn half_a_response_has_the_content_length_of_the_whole() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    for count in 1..=100 {
        sandbox.fail_next(Fault::half());
        let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
        let mut text = String::new();
        api.send_request("POST", "/otp/new", &[("Authorization", KEY)], body.as_bytes())
            .read_to_string(&mut text)
            .expect("a closed connection without a reset");
        let (head, body) = text.split_once("\r\n\r\n").expect("the whole head");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let promised: usize = header(head, "content-length").unwrap().parse().unwrap();
        assert_eq!(body.len(), promised / 2, "{text}");
        assert!(body.starts_with("{\"id\":\"req_"), "{body}");
        assert_eq!(sandbox.deliveries(PHONE), count);
    }
}

#[test]
fn garbage_is_the_page_of_a_gateway() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    sandbox.fail_next(Fault::garbage());
    let response = api.new_otp(PHONE).unwrap();
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/html")));
    assert!(response.body.starts_with(b"<html>"));
    assert_eq!(sandbox.deliveries(PHONE), 1);
}

#[test]
fn faults_do_not_bypass_the_key() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
    sandbox.fail_next(Fault::garbage());
    api.call("POST", "/otp/new", &[], body.as_bytes());
    sandbox.fail_next(Fault::status(502).after_acting());
    api.call("POST", "/otp/new", &[], body.as_bytes());
    assert_eq!(sandbox.deliveries(PHONE), 0);
}

// ---------------------------------------------------------------------------------------------------------------------
// Control calls

#[test]
fn messages_are_listed() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    assert_eq!(api.control("GET", "/sandbox/messages", b"").json, json!([]));
    let first = api.send(PHONE);
    let second = api.send(OTHER);
    let messages = api.control("GET", "/sandbox/messages?any=query", b"").json;
    let sms = sandbox.phone(PHONE).last_message().unwrap();
    let at = messages[0]["at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    assert_eq!(
        messages[0],
        json!({ "to": PHONE, "text": sms.text, "code": sms.code, "otp_id": first, "language": "en", "at": at }),
    );
    assert_eq!((&messages[1]["to"], &messages[1]["otp_id"]), (&json!(OTHER), &json!(second)));
    assert_eq!(messages.as_array().unwrap().len(), 2);
}

#[test]
fn control_calls_do_what_the_methods_do() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let id = api.initiate(&json!({ "number": PHONE, "factor": "1234" }));
    let text = |body: Value| api.control("POST", "/sandbox/text", body.to_string().as_bytes());
    assert_eq!(text(json!({ "from": OTHER, "to": "+16465550123", "body": "1234" })).json, json!({ "verified": [] }));
    assert_eq!(text(json!({ "from": PHONE, "to": "+16465550123", "body": "1234" })).json, json!({ "verified": [id] }));
    assert_eq!(api.status(&id).data("status"), "verified");

    let id = api.initiate(&json!({ "number": PHONE }));
    let now = api.control("POST", "/sandbox/advance", b"{\"seconds\":600.5}").json["now"].clone();
    assert!(now.as_str().unwrap().ends_with('Z'));
    assert_eq!(api.status(&id).data("status"), "expired");

    api.send(PHONE);
    assert_eq!(api.control("POST", "/sandbox/fail", b"{\"fault\":\"half\"}").json, json!({ "waiting": 1 }));
    assert_eq!(api.control("POST", "/sandbox/reset", b"").json, json!({}));
    assert_eq!(api.control("POST", "/sandbox/reset", b"{}").status, 200);
    assert_eq!(api.status(&id).refused().0, 400, "the session is gone, and so is the fault");
    assert_eq!(sandbox.deliveries(PHONE), 0);
    assert!(sandbox.phone(PHONE).messages().is_empty());
    let response = api.new_otp(PHONE).unwrap();
    assert!(response.json["timestamp"].as_u64().unwrap() <= unix_milliseconds(), "the clock is at the real time");
}

#[test]
fn control_calls_queue_faults() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let fail = |body: Value| {
        let response = api.control("POST", "/sandbox/fail", body.to_string().as_bytes());
        assert_eq!((response.status, &response.json), (200, &json!({ "waiting": 1 })), "{body}");
    };
    fail(json!({ "fault": "status", "status": 502, "after_acting": true, "retry_after": 1 }));
    let response = api.new_otp(PHONE).unwrap();
    assert_eq!((response.status, response.header("retry-after")), (502, Some("1")));
    assert_eq!(sandbox.deliveries(PHONE), 1);
    fail(json!({ "fault": "status", "status": 500 }));
    assert_eq!(api.new_otp(PHONE).unwrap().status, 500);
    assert_eq!(sandbox.deliveries(PHONE), 1);
    fail(json!({ "fault": "delay", "seconds": 0.2 }));
    let started = Instant::now();
    assert_eq!(api.new_otp(PHONE).unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
    for (fault, texts) in [("drop_before", 2), ("drop_after", 3), ("half", 4)] {
        fail(json!({ "fault": fault }));
        assert!(api.new_otp(PHONE).is_none());
        assert_eq!(sandbox.deliveries(PHONE), texts, "{fault}");
    }
    fail(json!({ "fault": "garbage" }));
    assert!(api.new_otp(PHONE).unwrap().body.starts_with(b"<html>"));
}

#[test]
fn malformed_control_calls_get_400_and_a_reason() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let text = r#"the body must be JSON such as {"from":"+14155552671","to":"+16465550123","body":"1234"}"#;
    let advance = r#"the body must be JSON such as {"seconds":960}"#;
    let fail = r#"the body must be JSON such as {"fault":"status","status":502}, {"fault":"delay","seconds":2} or {"fault":"half"}"#;
    let one_of = "fault must be one of status, delay, drop_before, drop_after, half, garbage";
    let reset = "the body must be JSON such as {}";
    for (path, body, example) in [
        ("/sandbox/text", json!({ "from": PHONE, "to": OTHER }), text),
        ("/sandbox/text", json!({ "from": PHONE, "to": OTHER, "body": 804_315 }), text),
        ("/sandbox/text", json!({ "from": PHONE, "to": OTHER, "body": "1", "at": 1 }), text),
        ("/sandbox/advance", json!({}), advance),
        ("/sandbox/advance", json!({ "seconds": "804315" }), advance),
        ("/sandbox/advance", json!({ "minutes": 1 }), advance),
        ("/sandbox/fail", json!({}), one_of),
        ("/sandbox/fail", json!({ "fault": "804315" }), one_of),
        ("/sandbox/fail", json!({ "fault": "half", "seconds": 1 }), fail),
        ("/sandbox/fail", json!({ "fault": "drop_after", "after_acting": true }), fail),
        ("/sandbox/fail", json!({ "fault": "status" }), "status must be a status from 200 to 599"),
        ("/sandbox/fail", json!({ "fault": "status", "status": 70_000 }), fail),
        ("/sandbox/fail", json!({ "fault": "delay" }), "seconds must be a number of seconds, 0 or more"),
        ("/sandbox/reset", json!({ "all": true }), reset),
        ("/sandbox/reset", json!(1), reset),
    ] {
        let response = api.control("POST", path, body.to_string().as_bytes());
        assert_eq!(response.refused(), (400, example.to_owned()), "{path} {body}");
    }
    for (path, body, why) in [
        (
            "/sandbox/text",
            json!({ "from": "me", "to": OTHER, "body": "1" }),
            "from must be a phone number in E.164, such as +14155552671",
        ),
        (
            "/sandbox/text",
            json!({ "from": PHONE, "to": "you", "body": "1" }),
            "to must be a phone number in E.164, such as +14155552671",
        ),
        ("/sandbox/advance", json!({ "seconds": -1 }), "seconds must be a number of seconds, 0 or more"),
        ("/sandbox/advance", json!({ "seconds": 1e300 }), "seconds must be a number of seconds, 0 or more"),
        ("/sandbox/fail", json!({ "fault": "status", "status": 99 }), "the status of a fault must be from 200 to 599"),
        (
            "/sandbox/fail",
            json!({ "fault": "status", "status": 429, "retry_after": -1 }),
            "retry_after must be a number of seconds, 0 or more",
        ),
        (
            "/sandbox/fail",
            json!({ "fault": "delay", "seconds": -0.5 }),
            "seconds must be a number of seconds, 0 or more",
        ),
    ] {
        let response = api.control("POST", path, body.to_string().as_bytes());
        assert_eq!(response.refused(), (400, why.to_owned()), "{path} {body}");
    }
    let not_json = "the body is not valid JSON (line 1, column 0)".to_owned();
    assert_eq!(api.control("POST", "/sandbox/text", b"").refused(), (400, not_json));
    assert_eq!(api.new_otp(PHONE).unwrap().status, 200, "no fault was queued");
}

// ---------------------------------------------------------------------------------------------------------------------
// Webhooks

#[test]
fn the_webhook_is_signed_and_posted_once() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let (url, posts) = receiver(&[200]);
    let id = api.initiate(&json!({ "number": PHONE, "factor": "1234", "success_url": format!("{url}/verified?a=b") }));
    sandbox.advance(Duration::from_secs(300));
    sandbox.phone(PHONE).text("+16465550123", "1234");
    sandbox.phone(PHONE).text("+16465550123", "1234");

    let post = posts.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(post.head.starts_with("POST /verified?a=b HTTP/1.1\r\n"), "{}", post.head);
    assert_eq!(header(&post.head, "content-type"), Some("application/json"));
    assert_eq!(header(&post.head, "authorization"), None);
    let event: Value = serde_json::from_str(&post.body).unwrap();
    let event_id = event["id"].as_str().unwrap();
    assert!(event_id.starts_with("evt_"));
    let timestamp = event["timestamp"].as_u64().unwrap();
    assert!(timestamp.abs_diff(unix_milliseconds() / 1000 + 300) < 10, "the sandbox's time, in seconds");
    assert_eq!(
        event,
        json!({
            "id": event_id, "type": "otp.reverse.verified", "timestamp": timestamp, "api_version": "v2026.7.29",
            "data": { "otp_id": id, "number": PHONE, "status": "verified" },
        }),
    );

    let signature = header(&post.head, "contiguity-signature").unwrap();
    let (time, _) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let time: u64 = time.parse().unwrap();
    assert!(time.abs_diff(unix_milliseconds() / 1000) < 10, "signatures have the real time");
    assert!(sandbox.webhook_secret().starts_with("whsec_"));
    assert_eq!(signature, contiguity::webhook::sign(sandbox.webhook_secret(), time, post.body.as_bytes()));

    let attempts = until(|| Some(sandbox.webhooks()).filter(|attempts| attempts[0].status.is_some()));
    assert_eq!(attempts.len(), 1);
    let WebhookAttempt { url: at_url, event_id: of, otp_id, attempt, status, error, .. } = &attempts[0];
    assert_eq!((at_url.as_str(), of.as_str()), (format!("{url}/verified?a=b").as_str(), event_id));
    assert_eq!((otp_id.as_str(), *attempt, *status, error.as_deref()), (id.as_str(), 1, Some(200), None));
    let listed = api.control("GET", "/sandbox/webhooks", b"").json;
    assert_eq!(listed[0]["event_id"], event_id);
    assert_eq!(
        (&listed[0]["attempt"], &listed[0]["status"], &listed[0]["error"]),
        (&json!(1), &json!(200), &Value::Null)
    );
    thread::sleep(Duration::from_millis(700));
    assert_eq!(sandbox.webhooks().len(), 1, "posted once");
}

#[test]
fn the_webhook_is_retried_until_it_is_accepted() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let (url, posts) = receiver(&[500, 302, 204]);
    api.initiate(&json!({ "number": PHONE, "factor": "1234", "success_url": url }));
    sandbox.phone(PHONE).text("+16465550123", "1234");
    let bodies: Vec<String> = (0..3).map(|_| posts.recv_timeout(Duration::from_secs(5)).unwrap().body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "each attempt sends the same event");
    let attempts = until(|| Some(sandbox.webhooks()).filter(|all| all.last().unwrap().status == Some(204)));
    let seen: Vec<_> = attempts.iter().map(|one| (one.attempt, one.status)).collect();
    assert_eq!(seen, [(1, Some(500)), (2, Some(302)), (3, Some(204))]);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(sandbox.webhooks().len(), 3, "it was accepted");
}

#[test]
fn the_webhook_is_attempted_four_times() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let id = api.initiate(&json!({ "number": PHONE, "factor": "1234", "success_url": url }));
    let body = json!({ "from": PHONE, "to": "+16465550123", "body": "1234" }).to_string();
    api.control("POST", "/sandbox/text", body.as_bytes());
    let attempts =
        until(|| Some(sandbox.webhooks()).filter(|all| all.iter().filter(|one| one.error.is_some()).count() == 4));
    assert!(attempts.iter().all(|one| one.status.is_none() && one.event_id == attempts[0].event_id));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(sandbox.webhooks().len(), 4);
    assert_eq!(api.status(&id).data("status"), "verified", "the webhook does not matter");
}

#[test]
fn webhooks_are_sent_to_loopback_only() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    api.initiate(&json!({ "number": PHONE, "factor": "1234", "success_url": "https://example.com/hook" }));
    api.initiate(&json!({ "number": PHONE, "factor": "1234" }));
    sandbox.phone(PHONE).text("+16465550123", "1234");
    let attempts = until(|| Some(sandbox.webhooks()).filter(|all| all.first().is_some_and(|one| one.error.is_some())));
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].error.as_deref(), Some("not sent: the sandbox posts to loopback hosts only"));
}

#[test]
fn a_reset_stops_webhooks_and_a_hanging_receiver_does_not_delay_the_drop() {
    let sandbox = Sandbox::start().unwrap();
    let api = Api(&sandbox);
    let (url, posts) = receiver(&[500; 4]);
    api.initiate(&json!({ "number": PHONE, "factor": "1234", "success_url": url }));
    sandbox.phone(PHONE).text("+16465550123", "1234");
    posts.recv_timeout(Duration::from_secs(5)).unwrap();
    sandbox.reset();
    // The second attempt may be under way. The third one would follow 0.4 s later.
    while posts.recv_timeout(Duration::from_millis(50)).is_ok() {}
    assert!(posts.recv_timeout(Duration::from_millis(700)).is_err());
    assert!(sandbox.webhooks().is_empty());

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    api.initiate(&json!({ "number": PHONE, "factor": "1234", "success_url": url }));
    sandbox.phone(PHONE).text("+16465550123", "1234");
    let (_connection, _) = silent.accept().unwrap();
    assert_eq!(sandbox.webhooks().len(), 1, "an attempt is listed once it begins");
    let started = Instant::now();
    drop(sandbox);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

// ---------------------------------------------------------------------------------------------------------------------
// The server

#[test]
fn dropping_the_sandbox_frees_its_port() {
    let sandbox = Sandbox::start().unwrap();
    let url = sandbox.url().to_owned();
    let port: u16 = url.strip_prefix("http://127.0.0.1:").unwrap().parse().unwrap();
    let mut idle = Api(&sandbox).write(b"");
    Api(&sandbox).new_otp(PHONE).unwrap();

    let taken = Sandbox::start_on(port).unwrap_err().to_string();
    assert!(taken.contains(&format!("127.0.0.1:{port}")), "{taken}");

    // A delayed response does not delay the drop.
    sandbox.fail_next(Fault::delay(Duration::from_secs(3600)));
    let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
    let mut waiting = Api(&sandbox).send_request("POST", "/otp/new", &[("Authorization", KEY)], body.as_bytes());
    until(|| (sandbox.deliveries(PHONE) == 2).then_some(()));
    let started = Instant::now();
    drop(sandbox);
    assert!(started.elapsed() < Duration::from_millis(500));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    for stream in [&mut idle, &mut waiting] {
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0, "connections are closed");
    }
    let again = Sandbox::start_on(port).unwrap();
    assert_eq!(again.url(), url);
}

/// Counts the open files of this process. Other tests open some as well.
#[test]
#[cfg(target_os = "linux")]
fn connections_closed_by_clients_are_released() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let sandbox = Sandbox::start().unwrap();
    let before = open();
    for _ in 0..300 {
        drop(Api(&sandbox).write(b""));
        Api(&sandbox).new_otp(PHONE).unwrap();
        drop(Api(&sandbox).write(b"POST /otp/new HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"));
    }
    until(|| (open() < before + 150).then_some(()));
}

#[test]
fn many_sandboxes_run_at_once_and_start_in_milliseconds() {
    let started = Instant::now();
    let sandboxes: Vec<Sandbox> = (0..50).map(|_| Sandbox::start().unwrap()).collect();
    let each = started.elapsed() / 50;
    println!("start: {each:?} each");
    assert!(each < Duration::from_millis(50), "{each:?}");
    for (index, sandbox) in sandboxes.iter().enumerate() {
        for _ in 0..index {
            Api(sandbox).new_otp(PHONE).unwrap();
        }
    }
    for (index, sandbox) in sandboxes.iter().enumerate() {
        assert_eq!(sandbox.deliveries(PHONE), index);
    }
}

#[test]
fn a_thousand_sign_ins_work() {
    let sandbox = Sandbox::start().unwrap();
    let agent = ureq::agent();
    let post = |path: &str, body: Value| -> Value {
        let url = format!("{}{path}", sandbox.url());
        let request = agent.post(url).header("Authorization", KEY);
        let mut response = request.send(body.to_string()).unwrap();
        serde_json::from_reader(response.body_mut().as_reader()).unwrap()
    };
    for index in 0..1_000 {
        let to = format!("+1415{index:07}");
        let sent = post("/otp/new", json!({ "to": to, "language": "en", "name": "MyApp" }));
        let code = sandbox.phone(to.as_str()).last_message().unwrap().code;
        let check = post("/otp/verify", json!({ "otp_id": sent["data"]["otp_id"], "otp": code }));
        assert_eq!(check["data"]["verified"], true);
    }
}

#[test]
fn threads_share_a_sandbox() {
    let sandbox = Sandbox::start().unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let to = format!("+1415555000{thread}");
                for count in 1..=50 {
                    Api(sandbox).new_otp(&to).unwrap();
                    assert_eq!(sandbox.deliveries(to.as_str()), count);
                    assert_eq!(sandbox.phone(to.as_str()).messages().len(), count);
                }
            });
        }
    });
}

#[test]
fn old_messages_are_dropped_and_still_counted() {
    let sandbox = Sandbox::start().unwrap();
    let mut connection = Connection::open(&sandbox);
    let body = json!({ "to": PHONE, "language": "en", "name": "MyApp" }).to_string();
    for _ in 0..10_050 {
        assert_eq!(connection.post("/otp/new", &body), 200);
    }
    assert_eq!(sandbox.deliveries(PHONE), 10_050);
    assert_eq!(sandbox.phone(PHONE).messages().len(), 10_000);
}

#[test]
fn public_types_are_debug_send_and_sync() {
    fn check<T: std::fmt::Debug + Send + Sync>() {}
    fn check_clone<T: Clone>() {}

    check::<Sandbox>();
    check::<Phone<'_>>();
    check::<Sms>();
    check::<Fault>();
    check::<StatusFault>();
    check::<WebhookAttempt>();
    check_clone::<(Fault, StatusFault, Sms, WebhookAttempt, Phone<'_>)>();
}

#[test]
fn an_invalid_phone_number_panics_with_a_reason() {
    let sandbox = Sandbox::start().unwrap();
    let panic = thread::scope(|scope| scope.spawn(|| sandbox.phone("415").messages()).join()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();

    assert!(text.starts_with("invalid phone number: "), "{text}");
}

// ---------------------------------------------------------------------------------------------------------------------
// A client that shows the bytes

struct Api<'a>(&'a Sandbox);

impl Api<'_> {
    fn post(&self, path: &str, body: &Value) -> Response {
        let headers = [("Authorization", KEY), ("Content-Type", "application/json")];
        self.call("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Returns `None` if the connection closes before the whole response has arrived.
    fn new_otp(&self, to: &str) -> Option<Response> {
        let body = json!({ "to": to, "language": "en", "name": "MyApp" }).to_string();
        let stream = self.send_request("POST", "/otp/new", &[("Authorization", KEY)], body.as_bytes());
        Response::read(&mut BufReader::new(stream), "POST")
    }

    fn send(&self, to: &str) -> String {
        self.new_otp(to).unwrap().data("otp_id")
    }

    fn initiate(&self, body: &Value) -> String {
        self.post("/otp/reverse/initiate", body).data("otp_id")
    }

    fn status(&self, id: &str) -> Response {
        self.call("GET", &format!("/otp/reverse/verify/{id}"), &[("Authorization", KEY)], b"")
    }

    fn cancel(&self, id: &str) -> Response {
        self.call("POST", &format!("/otp/reverse/cancel/{id}"), &[("Authorization", KEY)], b"")
    }

    fn control(&self, method: &str, path: &str, body: &[u8]) -> Response {
        self.call(method, path, &[], body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let stream = self.send_request(method, path, headers, body);
        Response::read(&mut BufReader::new(stream), method).expect("a response")
    }

    fn send_request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n"]);
        self.write(&[request.as_bytes(), body].concat())
    }

    fn write(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.0.url().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
    json: Value,
}

impl Response {
    fn read(reader: &mut impl BufRead, method: &str) -> Option<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let status = head[9..12].parse().unwrap();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        reader.read_exact(&mut body).ok()?;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(Self { status, head, body, json })
    }

    fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Returns the fields of the operation, and checks the copy of the envelope beside them, which the
    /// vendor's Python client requires.
    #[track_caller]
    fn fields(&self) -> Value {
        let mut fields = self.json["data"].clone();
        let copy = fields.as_object_mut().unwrap().remove("metadata");
        let envelope =
            ["id", "timestamp", "api_version", "object"].map(|name| (name.to_owned(), self.json[name].clone()));
        assert_eq!(copy, Some(Value::Object(envelope.into_iter().collect())));
        fields
    }

    #[track_caller]
    fn keys(&self) -> Vec<String> {
        self.fields().as_object().unwrap().keys().cloned().collect()
    }

    #[track_caller]
    fn data(&self, field: &str) -> String {
        self.json["data"][field].as_str().unwrap_or_else(|| panic!("{field} in {}", self.json)).to_owned()
    }

    /// Returns status and message, and checks the error envelope.
    #[track_caller]
    fn refused(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!((&self.json["object"], &self.json["api_version"]), (&json!("error"), &json!("v2026.7.29")));
        assert!(self.json["id"].as_str().unwrap().starts_with("err_"));
        assert!(self.json["timestamp"].is_u64());
        assert_eq!(self.json["data"]["status"], self.status);
        (self.status, self.data("error"))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A connection for many calls.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(sandbox: &Sandbox) -> Self {
        let stream = Api(sandbox).write(b"");
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn post(&mut self, path: &str, body: &str) -> u16 {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        Response::read(&mut self.0, "POST").unwrap().status
    }
}

struct Post {
    head: String,
    body: String,
}

/// Accepts one post for each status, responds with that status, and then refuses connections.
fn receiver(statuses: &[u16]) -> (String, mpsc::Receiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    let statuses = statuses.to_vec();
    thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0);
            }
            let mut body = vec![0; header(&head, "content-length").unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let response = format!("HTTP/1.1 {status} Status\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
            reader.get_mut().write_all(response.as_bytes()).unwrap();
            let _ = sender.send(Post { head, body: String::from_utf8(body).unwrap() });
        }
    });
    (url, receiver)
}

#[track_caller]
fn until<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "it did not happen within 10 seconds");
        thread::sleep(Duration::from_millis(5));
    }
}

fn unix_milliseconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}
