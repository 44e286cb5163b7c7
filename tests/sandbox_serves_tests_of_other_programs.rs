//! What the tests of other programs ask of a sandbox: a fixed code, standing faults, the requests that
//! arrived, a state that survives, and a page. Each in Rust and over HTTP.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use contiguity::sandbox::{Endpoint, Fault, Sandbox, SandboxBuilder};
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, NewOtp, Policy, Reason, ResendOtp, SentOtp, VerifyReverseOtp,
};
use serde_json::{Value, json};

const PHONE: &str = "+14155552671";
const OTHER: &str = "+442079460958";

// ---------------------------------------------------------------------------------------------------------------------
// Codes and texts

#[test]
fn a_fixed_code_is_the_code_of_every_otp() {
    let sandbox = Sandbox::builder().code("0042").start().unwrap();
    assert_eq!(sandbox.phone(PHONE).last_code(), None);
    for _ in 0..2 {
        let sent = new_otp(&sandbox.client(), PHONE).unwrap();
        assert_eq!(sandbox.phone(PHONE).last_message().unwrap().text, "Your MyApp code is 0042");
        assert!(sent.verify("0042").send(&sandbox.client()).unwrap().verified);
        sandbox.reset();
    }
    for code in ["", "123", "12345678901", "12 34", "１２３４", "abcdef"] {
        let error = Sandbox::builder().code(code).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "`code` must have 4 to 10 digits, such as 123456");
    }
}

#[test]
fn the_last_code_is_that_of_the_phone() {
    let sandbox = Sandbox::start().unwrap();
    for phone in [PHONE, OTHER, PHONE] {
        let _sent = new_otp(&sandbox.client(), phone).unwrap();
    }
    for phone in [PHONE, OTHER] {
        let code = sandbox.phone(phone).messages().last().unwrap().code.clone();
        let json = get(&sandbox, &format!("/sandbox/phones/{phone}"));
        assert_eq!(json["last_code"], code);
        assert_eq!(sandbox.phone(phone).last_code(), Some(code));
        assert_eq!(json["number"], phone);
        assert_eq!(json["deliveries"], sandbox.deliveries(phone));
        assert_eq!(json["messages"].as_array().unwrap().len(), sandbox.deliveries(phone));
    }
    assert_eq!(get(&sandbox, "/sandbox/phones/%2B14155552671")["number"], PHONE);
    let unknown = json!({ "number": "+12025550123", "last_code": null, "deliveries": 0, "messages": [] });
    assert_eq!(get(&sandbox, "/sandbox/phones/+12025550123"), unknown);
    let message = "the phone in the path must be a phone number in E.164, such as +14155552671";
    assert_eq!(get(&sandbox, "/sandbox/phones/555")["data"]["error"], message);
}

#[test]
fn all_clients_of_a_sandbox_have_its_clock() {
    let sandbox = Sandbox::builder().code("123456").start().unwrap();
    let custom = sandbox.client_builder().retries(0).user_agent_suffix("tests").build().unwrap();
    for client in [sandbox.client(), custom] {
        let otp = NewOtp::to(PHONE).language("en").name("MyApp");
        let mut challenge = otp.challenge(&client, Policy::DEFAULT).unwrap();
        sandbox.advance(Duration::from_secs(10 * 60));
        let Err(Error::Refused(refusal)) = challenge.verify(&client, "123456") else { panic!("still valid") };
        assert_eq!(refusal.reason(), Reason::Expired);
    }
}

#[test]
fn a_text_is_in_the_requested_language() {
    let sandbox = Sandbox::builder().code("123456").start().unwrap();
    for (language, text) in [
        ("en", "Your MyApp code is 123456"),
        ("af", "Jou MyApp-kode is 123456"),
        ("da", "Din MyApp-kode er 123456"),
        ("de", "Dein MyApp-Code lautet 123456"),
        ("es", "Tu código de MyApp es 123456"),
        ("fr", "Votre code MyApp est 123456"),
        ("it", "Il tuo codice MyApp è 123456"),
        ("nb", "Din MyApp-kode er 123456"),
        ("nl", "Je MyApp-code is 123456"),
        ("pt", "O seu código MyApp é 123456"),
        ("pt-BR", "Seu código MyApp é 123456"),
        ("sv", "Din MyApp-kod är 123456"),
        ("ja", "Your MyApp code is 123456"),
    ] {
        let _sent = NewOtp::to(PHONE).language(language).name("MyApp").send(&sandbox.client()).unwrap();
        assert_eq!(sandbox.phone(PHONE).last_message().unwrap().text, text);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Faults

#[test]
fn a_fault_affects_as_many_requests_as_it_says() {
    for injected in [Injected::InRust, Injected::OverHttp] {
        let sandbox = Sandbox::start().unwrap();
        let client = sandbox.client().with_retries(0);
        let statuses = |count: usize| -> Vec<u16> {
            (0..count).map(|_| new_otp(&client, PHONE).err().map_or(200, |error| error.status().unwrap())).collect()
        };

        injected.times(&sandbox, 2, Fault::status(500), &json!({ "fault": "status", "status": 500, "times": 2 }));
        injected.times(&sandbox, 1, Fault::status(403), &json!({ "fault": "status", "status": 403 }));
        assert_eq!(statuses(4), [500, 500, 403, 200]);

        injected.always(&sandbox, Fault::status(503), &json!({ "fault": "status", "status": 503, "always": true }));
        injected.times(&sandbox, 1, Fault::status(502), &json!({ "fault": "status", "status": 502, "times": 1 }));
        assert_eq!(statuses(4), [502, 503, 503, 503], "a queued fault comes first");
        injected.always(&sandbox, Fault::status(404), &json!({ "fault": "status", "status": 404, "always": true }));
        assert_eq!(statuses(2), [404, 404], "the latest standing fault applies");

        injected.times(&sandbox, 5, Fault::status(500), &json!({ "fault": "status", "status": 500, "times": 5 }));
        injected.heal(&sandbox);
        assert_eq!(statuses(2), [200, 200]);
    }
    let sandbox = Sandbox::start().unwrap();
    sandbox.fail_times(0, Fault::status(500));
    assert!(new_otp(&sandbox.client(), PHONE).is_ok());
}

#[test]
fn a_fault_on_an_endpoint_waits_for_it() {
    for (endpoint, name) in [
        (Endpoint::New, "new"),
        (Endpoint::Verify, "verify"),
        (Endpoint::Resend, "resend"),
        (Endpoint::Initiate, "initiate"),
        (Endpoint::Status, "status"),
        (Endpoint::Cancel, "cancel"),
    ] {
        for injected in [Injected::InRust, Injected::OverHttp] {
            let sandbox = Sandbox::start().unwrap();
            let client = sandbox.client().with_retries(0);
            let fault = json!({ "fault": "status", "status": 418, "always": true, "endpoint": name });
            injected.always(&sandbox, Fault::status(418).on(endpoint), &fault);
            assert_eq!(failing(&client), [name]);

            injected.heal(&sandbox);
            injected.times(
                &sandbox,
                1,
                Fault::drop_before().on(endpoint),
                &json!({ "fault": "drop_before", "endpoint": name }),
            );
            assert_eq!(failing(&client), [name], "it was still queued");
            assert_eq!(failing(&client), [""; 0], "it is over");
        }
    }
}

#[test]
fn a_fault_for_a_number_affects_its_codes_and_sessions_too() {
    for injected in [Injected::InRust, Injected::OverHttp] {
        let sandbox = Sandbox::start().unwrap();
        let client = sandbox.client().with_retries(0);
        let fault = json!({ "fault": "status", "status": 418, "always": true, "number": OTHER });
        injected.always(&sandbox, Fault::status(418).for_number(OTHER), &fault);
        assert_eq!(failing(&client), [""; 0]);

        let (sent, session) =
            (new_otp(&client, PHONE).unwrap(), InitiateReverseOtp::number(PHONE).send(&client).unwrap());
        let fault = json!({ "fault": "status", "status": 418, "always": true, "number": PHONE });
        injected.always(&sandbox, Fault::status(418).for_number(PHONE), &fault);
        assert_eq!(failing(&client), ["new", "initiate"]);
        assert_eq!(sent.verify("1234").send(&client).unwrap_err().status(), Some(418));
        assert_eq!(ResendOtp::otp_id(&sent.otp_id).send(&client).unwrap_err().status(), Some(418));
        assert_eq!(VerifyReverseOtp::otp_id(&session.otp_id).send(&client).unwrap_err().status(), Some(418));
        assert_eq!(CancelReverseOtp::otp_id(&session.otp_id).send(&client).unwrap_err().status(), Some(418));
    }
}

#[test]
fn faults_are_listed_as_they_were_posted() {
    let sandbox = Sandbox::start().unwrap();
    let queued = [
        json!({ "fault": "status", "status": 502, "after_acting": true, "retry_after": 1.5, "times": 3 }),
        json!({ "fault": "delay", "seconds": 2.0, "times": 1, "endpoint": "new", "number": PHONE }),
        json!({ "fault": "half", "times": 4_294_967_295_u32 }),
    ];
    let standing = [json!({ "fault": "garbage", "endpoint": "status" }), json!({ "fault": "drop_after" })];
    for (waiting, fault) in (1..).zip(&queued) {
        assert_eq!(post(&sandbox, "/sandbox/fail", fault), json!({ "waiting": waiting }));
    }
    for fault in &standing {
        let mut fault = fault.clone();
        fault["always"] = true.into();
        assert_eq!(post(&sandbox, "/sandbox/fail", &fault), json!({ "waiting": 3 }));
    }
    assert_eq!(get(&sandbox, "/sandbox/faults"), json!({ "queued": queued, "standing": standing }));
    assert_eq!(post(&sandbox, "/sandbox/heal", &json!({})), json!({}));
    assert_eq!(get(&sandbox, "/sandbox/faults"), json!({ "queued": [], "standing": [] }));
}

#[test]
fn malformed_faults_are_refused_and_nothing_is_queued() {
    let sandbox = Sandbox::start().unwrap();
    let one_of = "fault must be one of status, delay, drop_before, drop_after, half, garbage";
    let example = "the body must be JSON such as {\"fault\":\"status\",\"status\":502}, {\"fault\":\"delay\",\"seconds\":2} \
                   or {\"fault\":\"half\"}";
    for (fault, message) in [
        (json!({}), one_of),
        (json!({ "fault": "nothing" }), one_of),
        (json!({ "fault": "status" }), "status must be a status from 200 to 599"),
        (json!({ "fault": "status", "status": 502, "seconds": 1 }), example),
        (json!({ "fault": "status", "status": 199 }), "the status of a fault must be from 200 to 599"),
        (json!({ "fault": "delay" }), "seconds must be a number of seconds, 0 or more"),
        (json!({ "fault": "delay", "seconds": -1 }), "seconds must be a number of seconds, 0 or more"),
        (json!({ "fault": "delay", "seconds": 1, "after_acting": false }), example),
        (json!({ "fault": "half", "status": 502 }), example),
        (json!({ "fault": "half", "retry_after": 1 }), example),
        (json!({ "fault": "half", "times": 0 }), "times must be 1 or more"),
        (json!({ "fault": "half", "times": -1 }), example),
        (
            json!({ "fault": "half", "times": 1, "always": true }),
            "times and always exclude each other; give one of them",
        ),
        (json!({ "fault": "half", "endpoint": "NEW" }), example),
        (json!({ "fault": "half", "endpoints": ["new"] }), example),
        (json!({ "fault": "half", "number": "555" }), "number must be a phone number in E.164, such as +14155552671"),
    ] {
        assert_eq!(post(&sandbox, "/sandbox/fail", &fault)["data"]["error"], message, "{fault}");
    }
    assert_eq!(get(&sandbox, "/sandbox/faults"), json!({ "queued": [], "standing": [] }));
}

#[test]
fn faults_are_bounded() {
    let sandbox = Sandbox::start().unwrap();
    for _ in 0..10_000 {
        sandbox.fail_next(Fault::half());
    }
    let refused = post(&sandbox, "/sandbox/fail", &json!({ "fault": "half" }));
    assert_eq!(refused["data"]["error"], "10000 faults are waiting already");
}

// ---------------------------------------------------------------------------------------------------------------------
// The requests that arrived

#[test]
fn requests_are_listed_without_keys() {
    let key = "contiguity_sk_Very-secret_1";
    let sandbox = Sandbox::start().unwrap();
    let client = Client::builder(key).base_url(sandbox.url()).retries(0).build().unwrap();
    let sent = NewOtp::to(PHONE).language("en").name(key).send(&client).unwrap();
    sandbox.fail_next(Fault::status(502).after_acting());
    assert!(sent.verify("123456").send(&client).is_err());
    sandbox.fail_next(Fault::drop_after());
    assert!(VerifyReverseOtp::otp_id(key).send(&client).is_err());
    get(&sandbox, "/sandbox/messages");
    get(&sandbox, "/favicon.ico");

    let requests = sandbox.requests();
    let seen: Vec<_> = requests.iter().map(|it| (&*it.method, &*it.path, it.status, it.fault)).collect();
    let status_path = "/otp/reverse/verify/contiguity_sk_•••••";
    assert_eq!(
        seen,
        [
            ("POST", "/otp/new", Some(200), None),
            ("POST", "/otp/verify", Some(502), Some("status")),
            ("GET", status_path, None, Some("drop_after")),
            ("GET", "/favicon.ico", Some(401), None),
        ],
    );
    assert_eq!(requests[0].body, r#"{"to":"+14155552671","language":"en","name":"contiguity_sk_•••••"}"#);
    assert!(requests[0].response.contains(&format!(r#""otp_id":"{}""#, sent.otp_id)));
    assert!(requests[0].at.elapsed().unwrap() < Duration::from_secs(60));
    assert!(!format!("{requests:?}").contains("123456"), "Debug shows no code");

    let json = get(&sandbox, "/sandbox/requests");
    let json: Vec<_> = json.as_array().unwrap().iter().map(|it| (&it["method"], &it["path"], &it["status"])).collect();
    assert_eq!(json[2], (&json!("GET"), &json!(status_path), &json!(null)));
    assert_eq!(json.len(), 4);
    let everything = get(&sandbox, "/sandbox/snapshot").to_string();
    assert!(!everything.replace(&sandbox.phone(PHONE).last_message().unwrap().text, "").contains("Very-secret"));
}

#[test]
fn a_refused_request_is_listed_too() {
    let sandbox = Sandbox::start().unwrap();
    let url = format!("{}/otp/new", sandbox.url());
    let response = agent().post(url).header("host", "sandbox:4010").send("{}").unwrap();
    assert_eq!(response.status(), 421);
    let requests = sandbox.requests();
    assert_eq!((requests.len(), requests[0].status, &*requests[0].body), (1, Some(421), "{}"));
}

// ---------------------------------------------------------------------------------------------------------------------
// The page

#[test]
fn the_page_has_a_strict_policy_and_nothing_from_elsewhere() {
    let sandbox = Sandbox::start().unwrap();
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ] {
        let mut response = agent().get(format!("{}{path}", sandbox.url())).call().unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), content_type);
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let text = response.body_mut().read_to_string().unwrap();
        for elsewhere in
            ["https://", "//cdn", "innerHTML", "insertAdjacentHTML", "document.write", "onclick=", "style="]
        {
            assert!(!text.contains(elsewhere), "{path} contains {elsewhere}");
        }
    }
    assert!(sandbox.requests().is_empty(), "the page's own requests are not logged");
    assert_eq!(agent().post(format!("{}/", sandbox.url())).send("").unwrap().status(), 401);
}

#[test]
fn the_snapshot_shows_everything_and_at_most_the_newest_200() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let session = InitiateReverseOtp::number(PHONE)
        .factor("My App&1")
        .service("imessage")
        .success_url("https://example.com/")
        .send(&client)
        .unwrap();
    sandbox.phone(PHONE).text(&session.to, "hello");
    sandbox.phone(PHONE).text(&session.to, " my app&1 ");
    let snapshot = get(&sandbox, "/sandbox/snapshot");
    assert_eq!(snapshot["api_key"], sandbox.api_key());
    assert_eq!(snapshot["texts"].as_array().unwrap().len(), 2);
    assert_eq!(snapshot["texts"][0]["verified"], json!([]));
    assert_eq!(snapshot["texts"][1]["verified"], json!([session.otp_id]));
    assert_eq!(snapshot["texts"][1]["from"], PHONE);
    assert_eq!(snapshot["texts"][1]["to"], session.to);
    assert_eq!(snapshot["texts"][1]["body"], " my app&1 ");
    let listed = &snapshot["sessions"][0];
    assert_eq!(listed["status"], "verified");
    assert_eq!(listed["service"], "imessage");
    assert_eq!(listed["link"], format!("sms:{}?body=My%20App%261", session.to));
    assert_eq!(listed["success_url"], "https://example.com/");
    assert_eq!(get(&sandbox, "/sandbox/sessions")[0], *listed);
    assert_eq!(snapshot["webhooks"], get(&sandbox, "/sandbox/webhooks"));

    for number in 0..201 {
        let _sent = NewOtp::to(PHONE).language("en").name(format!("App{number}")).send(&client).unwrap();
    }
    let snapshot = get(&sandbox, "/sandbox/snapshot");
    let messages = snapshot["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 200);
    assert!(messages[0]["text"].as_str().unwrap().contains("App1 "));
    assert!(messages[199]["text"].as_str().unwrap().contains("App200 "));
    assert_eq!(snapshot["requests"].as_array().unwrap().len(), 200);
}

#[test]
fn an_event_arrives_at_once_and_after_each_change() {
    let sandbox = Sandbox::start().unwrap();
    let mut events = Events::open(&sandbox);
    let mut last = events.next();
    for change in [
        &(|| drop(new_otp(&sandbox.client(), PHONE))) as &dyn Fn(),
        &|| sandbox.advance(Duration::from_secs(1)),
        &|| sandbox.fail_next(Fault::half()),
        &|| sandbox.heal(),
        &|| sandbox.phone(PHONE).text("+16465550123", "hello"),
        &|| sandbox.reset(),
    ] {
        change();
        let version = events.next();
        assert!(version > last, "{version} after {last}");
        last = version;
    }
    // Reading changes nothing.
    get(&sandbox, "/sandbox/snapshot");
    get(&sandbox, "/sandbox/messages");
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(events.next(), last + 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// The state file

#[test]
fn the_state_survives_a_restart() {
    let folder = Folder::new("restart");
    let start = || Sandbox::builder().state_file(folder.file()).start().unwrap();

    let sandbox = start();
    let client = sandbox.client();
    let used = new_otp(&client, PHONE).unwrap();
    let used_code = sandbox.phone(PHONE).last_code().unwrap();
    assert!(used.verify(&used_code).send(&client).unwrap().verified);
    sandbox.advance(Duration::from_secs(3600));
    let open = new_otp(&client, PHONE).unwrap();
    let open_code = sandbox.phone(PHONE).last_code().unwrap();
    let pending =
        InitiateReverseOtp::number(PHONE).factor("pending").success_url("https://example.com/").send(&client).unwrap();
    let cancelled = InitiateReverseOtp::number(OTHER).service("imessage").send(&client).unwrap();
    let _ = CancelReverseOtp::otp_id(&cancelled.otp_id).send(&client).unwrap();
    sandbox.phone(OTHER).text("+16465550123", "hello");
    let mut before = get(&sandbox, "/sandbox/snapshot");
    let secret = sandbox.webhook_secret().to_owned();
    drop(sandbox);

    let sandbox = start();
    let client = sandbox.client();
    let mut after = get(&sandbox, "/sandbox/snapshot");
    for snapshot in [&mut before, &mut after] {
        for not_kept in ["now", "requests", "webhooks", "faults"] {
            snapshot[not_kept].take();
        }
    }
    assert_eq!(after, before);
    assert_eq!(sandbox.webhook_secret(), secret);
    assert_eq!(sandbox.deliveries(PHONE), 2);
    let expires_at = pending.expires_at.unwrap();
    assert!(!used.verify(&used_code).send(&client).unwrap().verified, "a code works once");
    assert!(open.verify(&open_code).send(&client).unwrap().verified);
    sandbox.phone(PHONE).text(&pending.to, "pending");
    let status = VerifyReverseOtp::otp_id(&pending.otp_id).send(&client).unwrap();
    assert!(status.is_verified());
    assert_eq!(status.expires_at, Some(expires_at));
    drop(sandbox);

    // Each change is in the file before anyone sees it.
    let sandbox = start();
    let now: SystemTime =
        humantime::parse_rfc3339(get(&sandbox, "/sandbox/snapshot")["now"].as_str().unwrap()).unwrap();
    assert!(now > SystemTime::now() + Duration::from_secs(3000), "the clock was moved by an hour");
    let kept = std::fs::read(folder.file()).unwrap();
    let sent = new_otp(&sandbox.client(), PHONE).unwrap();
    let now = std::fs::read_to_string(folder.file()).unwrap();
    assert!(now.contains(sent.otp_id.as_str()) && !String::from_utf8(kept).unwrap().contains(sent.otp_id.as_str()));
    assert_eq!(folder.names(), ["state.json"], "nothing is left beside it");

    let other = Sandbox::builder().state_file(folder.file()).webhook_secret("whsec_of_my_own_0001").start().unwrap();
    assert_eq!(other.webhook_secret(), "whsec_of_my_own_0001");
}

#[test]
fn a_file_that_cannot_be_read_is_left_as_it_is() {
    let folder = Folder::new("unreadable");
    let _ = Sandbox::builder().state_file(folder.file()).start().unwrap();
    let good = std::fs::read_to_string(folder.file()).unwrap();
    let message = |content: &str| {
        std::fs::write(folder.file(), content).unwrap();
        let error = Sandbox::builder().state_file(folder.file()).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(std::fs::read_to_string(folder.file()).unwrap(), content, "it is left as it is");
        assert_eq!(folder.names(), ["state.json"]);
        error.to_string().replace(&*folder.file().to_string_lossy(), "FILE")
    };
    let advice = "it was left as it is; choose another file, or delete it to start over";
    let invalid = |line, column| format!("FILE is not a state file: invalid at line {line}, column {column}; {advice}");
    assert_eq!(message(""), invalid(1, 0));
    assert_eq!(message("{}"), invalid(1, 2));
    assert_eq!(message("[package]\nname = \"contiguity\"\n"), invalid(1, 2));
    assert_eq!(message(&good[..good.len() - 1]), invalid(1, good.len() - 1));
    assert!(
        message(&good.replace("\"codes\":[]", "\"codes\":[1]"))
            .starts_with("FILE is not a state file: invalid at line 1")
    );
    assert_eq!(
        message(&good.replace("\"contiguity_sandbox\":1", "\"contiguity_sandbox\":2")),
        format!("FILE is not a state file: format 2 is not supported by this version; {advice}"),
    );

    let missing = folder.0.join("missing").join("state.json");
    let error = Sandbox::builder().state_file(&missing).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with(&format!("the state file {} cannot be written: ", missing.display())));
    let error = Sandbox::builder().state_file(&folder.0).start().unwrap_err();
    assert!(error.to_string().starts_with(&format!("the state file {} cannot be read: ", folder.0.display())));
}

#[test]
fn a_file_that_no_sandbox_writes_is_refused() {
    let folder = Folder::new("impossible");
    let sandbox = Sandbox::builder().state_file(folder.file()).start().unwrap();
    let sent = new_otp(&sandbox.client(), PHONE).unwrap();
    let session = InitiateReverseOtp::number(PHONE).send(&sandbox.client()).unwrap();
    sandbox.phone(OTHER).text("+16465550123", "hello");
    drop(sandbox);
    let good: Value = serde_json::from_slice(&std::fs::read(folder.file()).unwrap()).unwrap();
    let start = |change: &dyn Fn(&mut Value)| {
        let mut content = good.clone();
        change(&mut content);
        std::fs::write(folder.file(), content.to_string()).unwrap();
        Sandbox::builder().state_file(folder.file()).start()
    };
    let problem = |change: &dyn Fn(&mut Value)| {
        let error = start(change).unwrap_err().to_string();
        error.split_once("is not a state file: ").unwrap().1.split_once(';').unwrap().0.to_owned()
    };

    // 10000-01-01, which RFC 3339 cannot write.
    let late = json!({ "secs_since_epoch": 253_402_300_800_u64, "nanos_since_epoch": 0 });
    for time in [
        "/state/codes/0/expires_at",
        "/state/codes/0/sms/at",
        "/state/messages/0/at",
        "/state/sessions/0/expires_at",
        "/state/texts/0/at",
    ] {
        let change = |content: &mut Value| content.pointer_mut(time).unwrap().clone_from(&late);
        assert_eq!(problem(&change), "a time is after the year 9999", "{time}");
    }
    for list in ["codes", "sessions", "deliveries"] {
        let change = |content: &mut Value| {
            let list = content["state"][list].as_array_mut().unwrap();
            list.push(list[0].clone());
        };
        assert_eq!(problem(&change), "an id or a number occurs twice", "{list}");
    }
    for secret in ["", " "] {
        assert_eq!(problem(&|content| content["webhook_secret"] = secret.into()), "the webhook secret is not valid");
    }

    // A number of deliveries that does not fit.
    let sandbox = start(&|content| content["state"]["deliveries"][0][1] = u64::MAX.into()).unwrap();
    assert!(new_otp(&sandbox.client(), PHONE).is_ok());
    assert!(sent.verify("0000").send(&sandbox.client()).is_ok());
    assert!(VerifyReverseOtp::otp_id(&session.otp_id).send(&sandbox.client()).is_ok());
}

#[test]
fn a_change_that_cannot_be_kept_is_no_success() {
    let folder = Folder::new("unwritable");
    let sandbox = Sandbox::builder().state_file(folder.file()).start().unwrap();
    std::fs::remove_dir_all(&folder.0).unwrap();
    let error = new_otp(&sandbox.client(), PHONE).unwrap_err();
    assert_eq!(error.status(), Some(500));
    assert!(error.may_have_sent());
    assert!(
        post(&sandbox, "/sandbox/advance", &json!({ "seconds": 1 }))["data"]["error"]
            .as_str()
            .unwrap()
            .contains("cannot be written")
    );

    std::fs::create_dir(&folder.0).unwrap();
    assert!(new_otp(&sandbox.client(), PHONE).is_ok());
    assert_eq!(get(&sandbox, &format!("/sandbox/phones/{PHONE}"))["deliveries"], 2);
}

// ---------------------------------------------------------------------------------------------------------------------
// Beside containers

#[test]
fn an_exposed_sandbox_serves_the_names_that_it_was_given() {
    let sandbox =
        Sandbox::builder().host(Ipv4Addr::UNSPECIFIED).allow_host("sandbox").allow_host("192.0.2.7").start().unwrap();
    assert!(sandbox.url().starts_with("http://127.0.0.1:"), "{}", sandbox.url());
    assert!(new_otp(&sandbox.client(), PHONE).is_ok());
    // A container's port may be published as another one.
    for (host, origin, status) in [
        ("sandbox:4010", None, 200),
        ("SANDBOX", None, 200),
        ("192.0.2.7:1", None, 200),
        ("localhost:1", None, 200),
        ("sandbox:8080", Some("http://sandbox:8080"), 200),
        ("localhost:8080", Some("http://localhost:8080"), 200),
        ("sandbox:8080", Some("http://sandbox:8081"), 403),
        ("sandbox:8080", Some("http://localhost:8080"), 403),
        ("sandbox.example.com", None, 421),
        ("192.0.2.8", None, 421),
        ("0.0.0.1", None, 421),
    ] {
        let mut request = agent().get(format!("{}/sandbox/messages", sandbox.url())).header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        assert_eq!(request.call().unwrap().status(), status, "{host} {origin:?}");
    }
    for name in ["", "sandbox:4010", "http://sandbox", "a b", "user@sandbox", "sandbox/"] {
        let error = Sandbox::builder().allow_host(name).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "`allow_host` must be a name or an address without a port, such as sandbox or 192.0.2.1",
        );
    }
    let sandbox = Sandbox::builder().allow_host("2001:db8::1").allow_host("[2001:db8::2]").start().unwrap();
    for host in ["[2001:db8::1]:4010", "[2001:db8::2]"] {
        let request = agent().get(format!("{}/sandbox/messages", sandbox.url())).header("host", host);
        assert_eq!(request.call().unwrap().status(), 200, "{host}");
    }
}

#[test]
fn a_sandbox_refuses_settings_that_cannot_work() {
    let start = |builder: SandboxBuilder| {
        let error = builder.start().unwrap_err();
        (error.kind(), error.to_string())
    };
    let (kind, message) = start(Sandbox::builder().webhook_secret(" "));
    assert_eq!(kind, ErrorKind::InvalidInput);
    assert!(message.starts_with("invalid webhook secret: blank"), "{message}");
    let (kind, message) = start(Sandbox::builder().host([192, 0, 2, 1]).port(4010));
    assert_eq!(kind, ErrorKind::AddrNotAvailable);
    assert!(message.starts_with("the sandbox cannot listen on 192.0.2.1:4010: "), "{message}");
    assert!(message.ends_with("; choose an address of this machine"), "{message}");
}

// ---------------------------------------------------------------------------------------------------------------------
// Helpers

/// The two ways to inject a fault, which must do the same.
#[derive(Clone, Copy)]
enum Injected {
    InRust,
    OverHttp,
}

impl Injected {
    fn times(self, sandbox: &Sandbox, times: u32, fault: impl Into<Fault>, body: &Value) {
        match self {
            Self::InRust => sandbox.fail_times(times, fault),
            Self::OverHttp => drop(post(sandbox, "/sandbox/fail", body)),
        }
    }

    fn always(self, sandbox: &Sandbox, fault: impl Into<Fault>, body: &Value) {
        match self {
            Self::InRust => sandbox.fail_always(fault),
            Self::OverHttp => drop(post(sandbox, "/sandbox/fail", body)),
        }
    }

    fn heal(self, sandbox: &Sandbox) {
        match self {
            Self::InRust => sandbox.heal(),
            Self::OverHttp => drop(post(sandbox, "/sandbox/heal", &json!({}))),
        }
    }
}

/// Calls each endpoint once, and returns the names of those that fail.
fn failing(client: &Client) -> Vec<&'static str> {
    let (otp_id, session) = ("otp_unknown", "r_otp_unknown");
    let is_fault = |error: &Error| error.status().is_none_or(|status| status == 418);
    let mut failing = Vec::new();
    let mut note = |name, error: Option<Error>| {
        if error.as_ref().is_some_and(is_fault) {
            failing.push(name);
        }
    };
    note("new", new_otp(client, PHONE).err());
    note("verify", contiguity::VerifyOtp::otp_id(otp_id).otp("1234").send(client).err());
    note("resend", ResendOtp::otp_id(otp_id).send(client).err());
    note("initiate", InitiateReverseOtp::number(PHONE).send(client).err());
    note("status", VerifyReverseOtp::otp_id(session).send(client).err());
    note("cancel", CancelReverseOtp::otp_id(session).send(client).err());
    failing
}

#[must_use = "a test reads the result"]
fn new_otp(client: &Client, phone: &str) -> Result<SentOtp, Error> {
    NewOtp::to(phone).language("en").name("MyApp").send(client)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

#[track_caller]
fn get(sandbox: &Sandbox, path: &str) -> Value {
    let mut response = agent().get(format!("{}{path}", sandbox.url())).call().unwrap();
    serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
}

#[track_caller]
fn post(sandbox: &Sandbox, path: &str, body: &Value) -> Value {
    let mut response = agent().post(format!("{}{path}", sandbox.url())).send(body.to_string()).unwrap();
    serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
}

/// An open event stream.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(sandbox: &Sandbox) -> Self {
        let mut stream = TcpStream::connect(sandbox.url().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"GET /sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        Self(reader)
    }

    /// Returns the version in the next event.
    fn next(&mut self) -> u64 {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str::<Value>(data).unwrap()["version"].as_u64().unwrap();
            }
        }
    }
}

/// A folder for one test, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("contiguity-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(&self.0).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
