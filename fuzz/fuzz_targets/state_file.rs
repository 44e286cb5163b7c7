//! Reads any bytes as the sandbox's state file. A file that is read is written the same again, and the sandbox that
//! comes of it responds to every call.

#![no_main]

use contiguity::fuzzing::Service;
use contiguity::webhook::Verifier;
use http::Request;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let service = match Service::restored(input) {
        Ok(service) => service,
        Err(problem) => {
            assert!(!problem.contains(char::is_control) && problem.len() < 120, "{problem:?}");
            return;
        }
    };
    let file = service.saved();
    let again = Service::restored(&file).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(again.saved(), file);
    let content: Value = serde_json::from_slice(&file).unwrap();
    Verifier::new(content["webhook_secret"].as_str().unwrap()).unwrap();

    let snapshot = call(&service, "GET", "/sandbox/snapshot", "");
    for list in ["messages", "sessions", "requests", "webhooks", "faults"] {
        call(&service, "GET", &format!("/sandbox/{list}"), "");
    }
    for message in snapshot["messages"].as_array().unwrap() {
        let (id, code, to) = (&message["otp_id"], &message["code"], message["to"].as_str().unwrap());
        call(&service, "POST", "/otp/resend", &format!(r#"{{"otp_id":{id}}}"#));
        call(&service, "POST", "/otp/verify", &format!(r#"{{"otp_id":{id},"otp":{code}}}"#));
        call(&service, "POST", "/otp/new", &format!(r#"{{"to":"{to}","language":"en","name":"MyApp"}}"#));
        call(&service, "GET", &format!("/sandbox/phones/{to}"), "");
    }
    for session in snapshot["sessions"].as_array().unwrap() {
        let (number, to, factor) = (&session["number"], &session["to"], &session["factor"]);
        call(&service, "POST", "/sandbox/text", &format!(r#"{{"from":{number},"to":{to},"body":{factor}}}"#));
        if let Some(id) = session["otp_id"].as_str().filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric())) {
            call(&service, "GET", &format!("/otp/reverse/verify/{id}"), "");
            call(&service, "POST", &format!("/otp/reverse/cancel/{id}"), "");
        }
    }
    call(&service, "POST", "/sandbox/advance", r#"{"seconds":1e18}"#);
    call(&service, "GET", "/sandbox/snapshot", "");
    call(&service, "POST", "/sandbox/reset", "");
});

fn call(service: &Service, method: &str, path: &str, body: &str) -> Value {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:4010");
    let head = request.header("authorization", "Token contiguity_sk_fuzzing").body(()).unwrap().into_parts().0;
    let (status, _, response) = service.respond(&head, body.as_bytes()).unwrap();
    assert!(status < 500, "{method} {path}: {status}");
    serde_json::from_slice(&response).unwrap()
}
