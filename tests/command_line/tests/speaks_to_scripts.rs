//! Each command has the documented exit status, prints the documented JSON, and shows no secret.

use std::time::Duration;

use command_line::{PHONE, Run, calls, contiguity, run, run_with};
use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{InitiateReverseOtp, NewOtp, ReverseSession, SentOtp};

const UNSENT: &str = r#""may_have_sent":false,"retryable":false"#;

// ---------------------------------------------------------------------------------------------------------------------
// send

#[test]
fn send_texts_a_code() {
    let sandbox = Sandbox::start().unwrap();
    let sent = run(&mut calls(&sandbox, &["send", PHONE, "--name", "MyApp"]));
    let sms = sandbox.phone(PHONE).last_message().unwrap();
    assert_eq!(sent.status, 0);
    assert_eq!(sent.stdout, format!("Sent a code to +1•••••2671.\nOTP id: {}\n", sms.otp_id));
    assert_eq!(sent.stderr, "");
    assert_eq!(sms.text, format!("Your MyApp code is {}", sms.code));

    let sent = run(&mut calls(&sandbox, &["send", PHONE, "--name", "MyApp", "--json"]));
    assert_eq!(sent.status, 0);
    assert_eq!(sent.events(), [r#"{"event":"sent","otp_id":"<otp_id>","number":"+1•••••2671","language":"en"}"#]);
    assert_eq!(sandbox.deliveries(PHONE), 2);
}

#[test]
fn send_reads_numbers_and_languages_as_people_write_them() {
    let sandbox = Sandbox::start().unwrap();
    let language_of = |variables: &[(&str, &str)], language: &str| {
        let arguments = ["send", "(415) 555-2671", "--region", "US", "--name", "MyApp", "--language", language];
        let sent = run(calls(&sandbox, &arguments).envs(variables.iter().copied()));
        assert_eq!(sent.status, 0, "{}", sent.printed());
        sandbox.phone(PHONE).last_message().unwrap().language.to_string()
    };
    assert_eq!(language_of(&[("LANG", "de_AT.UTF-8")], "auto"), "de");
    assert_eq!(language_of(&[("LANG", "de_AT.UTF-8")], "fr"), "fr");
    assert_eq!(language_of(&[("LANG", "de_AT.UTF-8"), ("LC_MESSAGES", "pt_BR")], "auto"), "pt-br");
    assert_eq!(language_of(&[("LC_ALL", "ja_JP"), ("LC_MESSAGES", "pt_BR")], "auto"), "ja");
    assert_eq!(language_of(&[("LANG", "de_AT.UTF-8"), ("LC_ALL", "")], "AUTO"), "de");
    assert_eq!(language_of(&[("LANG", "de_AT.UTF-8"), ("LC_ALL", "C")], "auto"), "en");
    assert_eq!(language_of(&[], "auto"), "en");
    assert_eq!(language_of(&[], "pt_BR"), "pt-br");
}

#[test]
fn a_number_that_is_not_e_164_is_not_sent() {
    let sandbox = Sandbox::start().unwrap();
    let refused = run(&mut calls(&sandbox, &["send", "(415) 555-2671", "--name", " "]));
    assert_eq!(refused.status, 1);
    assert_eq!(refused.stdout, "");
    assert_eq!(
        refused.stderr,
        "error: invalid request, nothing was sent:\n\
         - `to` must start with `+` and a country calling code, for example +14155552671\n\
         - `name` must not be blank\n\
         hint: to use a number as people write it, add the region, such as --region US\n"
    );
    let refused = run(&mut calls(&sandbox, &["send", "911", "--region", "US", "--name", "MyApp"]));
    assert_eq!(refused.status, 1);
    assert_eq!(
        refused.stderr,
        "error: invalid phone number: has the wrong length for its country; use the whole number with its area code\n"
    );
    for (region, error) in [
        ("XX", "unknown region \"XX\"; use a two-letter ISO 3166-1 code such as US"),
        ("uk", "unknown region \"uk\"; use GB for the United Kingdom"),
        // It may be a number in the wrong place.
        ("+14155552671", "unknown region; use a two-letter ISO 3166-1 code such as US"),
    ] {
        let refused = run(&mut calls(&sandbox, &["send", "4155552671", "--region", region, "--name", "MyApp"]));
        assert_eq!((refused.status, refused.stderr), (2, format!("error: {error}\n")));
    }
    let refused = run(&mut calls(&sandbox, &["send", "911", "--region", "US", "--name", "MyApp", "--json"]));
    assert_eq!(
        refused.events(),
        [format!(
            r#"{{"event":"error","error":"invalid phone number: has the wrong length for its country; use the whole number with its area code","hint":null,{UNSENT},"status":null,"request_id":null,"retry_after":null}}"#
        )]
    );
    assert!(sandbox.requests().is_empty());
}

#[test]
fn a_number_with_its_country_code_may_have_separators() {
    let sandbox = Sandbox::start().unwrap();
    for number in ["+1 (415) 555-2671", " +14155552671", "+1 415 555 2671"] {
        assert_eq!(run(&mut calls(&sandbox, &["send", number, "--name", "MyApp"])).status, 0, "{number}");
    }
    assert_eq!(sandbox.deliveries(PHONE), 3);
    // In E.164, if not in its country's plan.
    assert_eq!(run(&mut calls(&sandbox, &["send", "+15551234567", "--name", "MyApp"])).status, 0);
    let refused = run(&mut calls(&sandbox, &["send", "+1 415 555 2671 ext. 3", "--name", "MyApp"]));
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (
            1,
            "error: invalid phone number: must be one number without letters or an extension; start it with `+` and \
             the country calling code if in doubt\n"
        )
    );
}

#[test]
fn a_failure_is_certainly_not_sent_or_may_be() {
    let sandbox = Sandbox::start().unwrap();
    let send = |fault: Fault, json: &[&str]| {
        sandbox.fail_next(fault);
        run(&mut calls(&sandbox, &[&["send", PHONE, "--name", "MyApp"], json].concat()))
    };
    let refused = send(Fault::status(403).into(), &["--json"]);
    assert_eq!(refused.status, 1);
    assert_eq!(
        refused.events(),
        [format!(
            r#"{{"event":"error","error":"POST /otp/new: the service returned 403 Forbidden (request <request_id>); the service did not act on this call","hint":null,{UNSENT},"status":403,"request_id":"<request_id>","retry_after":null}}"#
        )]
    );
    assert_eq!(send(Fault::status(400).into(), &[]).status, 1);

    let lost = send(Fault::drop_after(), &[]);
    assert_eq!(lost.status, 4);
    assert!(lost.stderr.contains("; the service may have acted on this call\n"), "{}", lost.stderr);
    assert!(lost.stderr.ends_with("hint: a text may have been sent, so check the phone before you run this again\n"));
    for fault in [Fault::status(502).after_acting().into(), Fault::status(500).into(), Fault::half(), Fault::garbage()]
    {
        let lost = send(fault, &["--json"]);
        assert_eq!(lost.status, 4);
        let [event] = lost.events().try_into().unwrap();
        assert!(event.contains(r#""may_have_sent":true,"retryable":false"#), "{event}");
    }
    assert_eq!(sandbox.deliveries(PHONE), 4);
}

#[test]
fn a_service_that_cannot_be_reached_is_certainly_not_sent_and_retryable() {
    let mut command = contiguity(&["send", PHONE, "--name", "MyApp", "--json"]);
    command.env("CONTIGUITY_BASE_URL", "http://127.0.0.1:1").env("CONTIGUITY_API_KEY", "contiguity_sk_test");
    let failed = run(&mut command);
    assert_eq!(failed.status, 1);
    let [event] = failed.events().try_into().unwrap();
    assert!(event.contains(r#""may_have_sent":false,"retryable":true,"status":null"#), "{event}");
}

#[test]
fn a_refusal_for_a_time_says_how_long() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fail_always(Fault::status(429).retry_after(Duration::from_secs(90)));
    let refused = run(&mut calls(&sandbox, &["send", PHONE, "--name", "MyApp", "--json"]));
    assert_eq!(refused.status, 1);
    let [event] = refused.events().try_into().unwrap();
    assert!(event.contains(r#""may_have_sent":false,"retryable":true,"status":429"#), "{event}");
    assert!(event.ends_with(r#""retry_after":90}"#), "{event}");
}

#[test]
fn the_key_comes_from_the_environment_only() {
    let sandbox = Sandbox::start().unwrap();
    let failed = run(&mut contiguity(&["send", PHONE, "--name", "MyApp"]));
    assert_eq!(failed.status, 1);
    assert_eq!(
        failed.stderr,
        "error: no API key; set CONTIGUITY_API_KEY (or CONTIGUITY_TOKEN) in the environment\n\
         hint: get a key at https://console.contiguity.com, or try `contiguity sandbox`\n"
    );
    let refused = run(calls(&sandbox, &["send", PHONE, "--name", "MyApp"]).env("CONTIGUITY_API_KEY", "a-wrong-key"));
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("the service returned 401 Unauthorized"), "{}", refused.stderr);
    assert!(refused.stderr.contains("; check the API key; "), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hint:"), "{}", refused.stderr);
    assert!(!refused.printed().contains("a-wrong-key"));
    let wrong = run(&mut contiguity(&["send", PHONE, "--name", "MyApp", "--api-key", "contiguity_sk_1"]));
    assert_eq!(wrong.status, 2);
}

#[test]
fn plain_http_is_refused_with_the_variable_that_allows_it() {
    let mut command = contiguity(&["send", PHONE, "--name", "MyApp"]);
    command.env("CONTIGUITY_BASE_URL", "http://sandbox.example:4010").env("CONTIGUITY_API_KEY", "contiguity_sk_test");
    let refused = run(&mut command);
    assert_eq!(refused.status, 1);
    assert_eq!(
        refused.stderr,
        "error: CONTIGUITY_BASE_URL is plain http to a host other than loopback, which would show the key to anyone on \
         the network path; use https, or on a test network, set CONTIGUITY_ALLOW_INSECURE_HTTP=1\n"
    );
}

// ---------------------------------------------------------------------------------------------------------------------
// verify and resend

#[test]
fn verify_reads_the_code_from_standard_input() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let sent = send(&sandbox);
    let verify = ["verify", sent.otp_id.as_str()];

    let wrong = run_with(&mut calls(&sandbox, &verify), "0000\n");
    assert_eq!((wrong.status, wrong.stdout.as_str()), (3, "Not verified: the code is wrong, used or expired.\n"));
    assert_eq!(wrong.stderr, "");
    let wrong = run_with(&mut calls(&sandbox, &[verify[0], verify[1], "--json"]), "0000\n");
    assert_eq!(wrong.status, 3);
    let reason = "the code is wrong, used or expired";
    assert_eq!(wrong.events(), [format!(r#"{{"event":"not_verified","otp_id":"<otp_id>","reason":"{reason}"}}"#)]);

    // As people copy it, and without a line break.
    let right = run_with(&mut calls(&sandbox, &verify), "482 915");
    assert_eq!((right.status, right.stdout.as_str(), right.stderr.as_str()), (0, "Verified.\n", ""));

    let sent = send(&sandbox);
    let right = run_with(&mut calls(&sandbox, &["verify", sent.otp_id.as_str(), "--json"]), "482915\n");
    assert_eq!(right.status, 0);
    assert_eq!(right.events(), [r#"{"event":"verified","otp_id":"<otp_id>","number":null}"#]);
}

#[test]
fn what_is_not_a_code_is_not_checked() {
    let sandbox = Sandbox::start().unwrap();
    let verify = |id: &str, input: &str| run_with(&mut calls(&sandbox, &["verify", id]), input);
    let refused = verify("otp_1", "");
    assert_eq!((refused.status, refused.stderr.as_str()), (1, "error: the input has no code\n"));
    let refused = verify("otp_1", "12\n");
    assert_eq!(refused.status, 1);
    assert_eq!(refused.stderr, "error: invalid request, nothing was sent: `otp` must have 4 to 10 digits\n");
    assert_eq!(verify(" ", "123456\n").status, 1);
    assert!(sandbox.requests().is_empty());

    let lost = {
        sandbox.fail_next(Fault::drop_after());
        verify("otp_1", "123456\n")
    };
    assert_eq!(lost.status, 4);
    assert!(lost.stderr.ends_with("hint: the code may have been used, so do not check it again\n"), "{}", lost.stderr);
}

#[test]
fn a_code_or_number_that_is_an_argument_is_not_shown_again() {
    let sandbox = Sandbox::start().unwrap();
    for arguments in [&["verify", "otp_1", "482915"][..], &["send", "+1", "4155552671", "--name", "MyApp"]] {
        let wrong = run(&mut calls(&sandbox, arguments));
        assert_eq!(wrong.status, 2);
        assert!(wrong.stderr.contains("a code is typed or piped, never an argument"), "{}", wrong.stderr);
        assert!(!wrong.printed().contains("482915") && !wrong.printed().contains("4155552671"), "{}", wrong.stderr);
    }
    // Other arguments are.
    let wrong = run(&mut contiguity(&["send", "--nmae", "MyApp"]));
    assert!(wrong.stderr.contains("'--nmae'"), "{}", wrong.stderr);
}

#[test]
fn resend_texts_the_same_code() {
    let sandbox = Sandbox::start().unwrap();
    let sent = send(&sandbox);
    let resend = |json: &[&str]| run(&mut calls(&sandbox, &[&["resend", sent.otp_id.as_str()], json].concat()));

    let again = resend(&[]);
    assert_eq!((again.status, again.stdout.as_str(), again.stderr.as_str()), (0, "Sent the code again.\n", ""));
    let again = resend(&["--json"]);
    assert_eq!(again.status, 0);
    assert_eq!(again.events(), [r#"{"event":"resent","otp_id":"<otp_id>"}"#]);
    assert_eq!(sandbox.deliveries(PHONE), 3);

    sandbox.fail_next(Fault::status(502).after_acting());
    assert_eq!(resend(&[]).status, 4);
    assert_eq!(run(&mut calls(&sandbox, &["resend", ".."])).status, 1);

    sandbox.advance(Duration::from_secs(16 * 60));
    let not = resend(&[]);
    assert_eq!((not.status, not.stdout.as_str()), (1, "Not sent: the code was used or has expired.\n"));
    let not = resend(&["--json"]);
    assert_eq!(not.status, 1);
    let reason = "the code was used or has expired";
    let event = format!(r#"{{"event":"not_resent","otp_id":"<otp_id>","reason":"{reason}","retry_after":null}}"#);
    assert_eq!(not.events(), [event]);
    assert_eq!(sandbox.deliveries(PHONE), 4);
}

// ---------------------------------------------------------------------------------------------------------------------
// sign-in

#[test]
fn sign_in_is_the_whole_of_it() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let sign_in = |json: &[&str], input: &str| {
        let arguments = ["sign-in", PHONE, "--name", "MyApp", "--resend-after", "0"];
        run_with(&mut calls(&sandbox, &[&arguments, json].concat()), input)
    };
    let done = sign_in(&[], "0000\nno code\nr\n482915\n");
    assert_eq!(done.status, 0);
    assert_eq!(done.stderr, "");
    assert_eq!(
        done.stdout,
        "Sent a code to +1•••••2671.\n\
         Wrong code.\n\
         The code must contain only digits. To send it again, type r.\n\
         Sent the code again.\n\
         Verified +1•••••2671.\n"
    );
    let done = sign_in(&["--json"], "0000\nno code\nr\n482915\n");
    assert_eq!(done.status, 0);
    assert_eq!(
        done.events(),
        [
            r#"{"event":"sent","otp_id":"<otp_id>","number":"+1•••••2671","language":"en"}"#,
            r#"{"event":"wrong_code","otp_id":"<otp_id>","attempts_left":4}"#,
            r#"{"event":"not_a_code","otp_id":"<otp_id>","reason":"the code must contain only digits"}"#,
            r#"{"event":"resent","otp_id":"<otp_id>"}"#,
            r#"{"event":"verified","otp_id":"<otp_id>","number":"+1•••••2671"}"#,
        ]
    );
    assert_eq!(sandbox.deliveries(PHONE), 4);
}

#[test]
fn sign_in_limits_attempts_and_resends() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let sign_in = |more: &[&str], input: &str| {
        let arguments = ["sign-in", PHONE, "--name", "MyApp", "--json"];
        let run = run_with(&mut calls(&sandbox, &[&arguments, more].concat()), input);
        let events = run.events().split_off(1);
        (run.status, events)
    };
    let not_verified = |reason: &str| format!(r#"{{"event":"not_verified","otp_id":"<otp_id>","reason":"{reason}"}}"#);

    let (status, events) = sign_in(&["--attempts", "1"], "0000\n482915\n");
    assert_eq!(status, 3);
    let wrong = r#"{"event":"wrong_code","otp_id":"<otp_id>","attempts_left":0}"#.to_owned();
    assert_eq!(events, [wrong, not_verified("no attempts are left")]);

    let (status, events) = sign_in(&[], "r\n");
    assert_eq!(status, 3);
    let reason = "Please wait 30 seconds before you ask for another text.";
    let not = format!(r#"{{"event":"not_resent","otp_id":"<otp_id>","reason":"{reason}","retry_after":30}}"#);
    assert_eq!(events, [not, not_verified("the input has ended")]);

    assert_eq!(sign_in(&[], ""), (3, vec![not_verified("the input has ended")]));
    assert_eq!(sandbox.deliveries(PHONE), 3);

    let zero = run(&mut calls(&sandbox, &["sign-in", PHONE, "--name", "MyApp", "--attempts", "0"]));
    assert_eq!(zero.status, 2);
}

#[test]
fn a_sign_in_goes_on_after_a_failed_resend_and_ends_after_a_failed_check() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let sign_in = |input: &str| {
        let arguments = ["sign-in", PHONE, "--name", "MyApp", "--resend-after", "0", "--json"];
        run_with(&mut calls(&sandbox, &arguments), input)
    };
    sandbox.fail_next(Fault::status(502).after_acting().on(contiguity::sandbox::Endpoint::Resend));
    let done = sign_in("r\n482915\n");
    assert_eq!(done.status, 0, "{}", done.printed());
    assert!(done.events()[1].contains(r#""may_have_sent":true"#), "{:?}", done.events());

    sandbox.fail_next(Fault::drop_after().on(contiguity::sandbox::Endpoint::Verify));
    assert_eq!(sign_in("482915\n").status, 4);
    sandbox.fail_next(Fault::status(403).on(contiguity::sandbox::Endpoint::New));
    assert_eq!(sign_in("482915\n").status, 1);
}

// ---------------------------------------------------------------------------------------------------------------------
// reverse

#[test]
fn reverse_start_opens_a_session() {
    let sandbox = Sandbox::start().unwrap();
    let start = |json: &[&str]| {
        let arguments = ["reverse", "start", "415-555-2671", "--region", "us", "--factor", "MyApp2024"];
        run(&mut calls(&sandbox, &[&arguments, json].concat()))
    };
    let opened = start(&["--json"]);
    assert_eq!(opened.status, 0);
    assert_eq!(
        opened.events(),
        [
            r#"{"event":"session","otp_id":"<otp_id>","number":"+1•••••2671","factor":"MyApp2024","to":"+16465550123","service":"sms","link":"sms:+16465550123?body=MyApp2024","seconds_left":600}"#
        ]
    );
    let opened = start(&[]);
    assert_eq!(opened.status, 0);
    let (text, id) = opened.stdout.split_once("OTP id: ").unwrap();
    assert_eq!(
        text,
        "Opened a session for +1•••••2671.\n\
         Text MyApp2024 to +16465550123 to verify your phone number.\n\
         Link: sms:+16465550123?body=MyApp2024\n\
         Expires in: 10:00\n"
    );
    assert!(!id.trim().is_empty());

    let all =
        ["reverse", "start", PHONE, "--to", "+16465550199", "--service", "imessage", "--language", "de", "--json"];
    let opened = run(calls(&sandbox, &all).args(["--success-url", "http://localhost:1/hook"]));
    assert!(opened.stdout.contains(r#""to":"+16465550199","service":"imessage""#), "{}", opened.printed());
}

#[test]
fn a_session_that_cannot_be_opened_is_an_error() {
    let sandbox = Sandbox::start().unwrap();
    let start = |more: &[&str]| run(&mut calls(&sandbox, &[&["reverse", "start", PHONE], more].concat()));
    assert_eq!(start(&["--factor", ""]).status, 1);
    assert_eq!(start(&["--service", "pigeon"]).status, 2);
    sandbox.fail_next(Fault::status(403));
    assert_eq!(start(&["--wait"]).status, 1);
    sandbox.fail_next(Fault::drop_after());
    let lost = start(&[]);
    assert_eq!(lost.status, 4);
    assert!(lost.stderr.ends_with("hint: a session may have been opened; it expires by itself\n"), "{}", lost.stderr);
}

#[test]
fn reverse_status_is_0_only_for_verified() {
    let sandbox = Sandbox::start().unwrap();
    let session = open(&sandbox);
    let status =
        |json: &[&str]| run(&mut calls(&sandbox, &[&["reverse", "status", session.otp_id.as_str()], json].concat()));

    let pending = status(&["--json"]);
    assert_eq!(pending.status, 3);
    let [event] = pending.events().try_into().unwrap();
    let (event, left) = event.split_once(r#""seconds_left":"#).unwrap();
    assert_eq!(event, r#"{"event":"status","otp_id":"<otp_id>","status":"pending","verified":false,"#);
    let left: u64 = left.trim_end_matches('}').parse().unwrap();
    assert!((540..=600).contains(&left), "{left}");
    assert!(status(&[]).stdout.starts_with("The session is pending, "));

    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let verified = status(&["--json"]);
    assert_eq!(verified.status, 0);
    assert_eq!(
        verified.events(),
        [r#"{"event":"status","otp_id":"<otp_id>","status":"verified","verified":true,"seconds_left":null}"#]
    );
    assert_eq!(status(&[]).stdout, "The session is verified.\n");

    // A read sends nothing, whatever happens to it.
    sandbox.fail_times(3, Fault::status(502).after_acting());
    let failed = status(&["--json"]);
    assert_eq!(failed.status, 1);
    assert!(failed.stdout.contains(r#""may_have_sent":false,"retryable":true,"status":502"#), "{}", failed.stdout);
}

#[test]
fn reverse_cancel_cancels() {
    let sandbox = Sandbox::start().unwrap();
    let session = open(&sandbox);
    let cancel =
        |json: &[&str]| run(&mut calls(&sandbox, &[&["reverse", "cancel", session.otp_id.as_str()], json].concat()));

    sandbox.fail_next(Fault::drop_before());
    let lost = cancel(&[]);
    assert_eq!(lost.status, 4);
    assert!(lost.stderr.ends_with("hint: see the state of the session with `contiguity reverse status`\n"));
    let cancelled = cancel(&["--json"]);
    assert_eq!(cancelled.status, 0);
    assert_eq!(cancelled.events(), [r#"{"event":"cancelled","otp_id":"<otp_id>","status":"cancelled"}"#]);
    assert_eq!(cancel(&[]).stdout, "The session is cancelled.\n");

    let session = open(&sandbox);
    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let refused = run(&mut calls(&sandbox, &["reverse", "cancel", session.otp_id.as_str()]));
    assert_eq!(refused.status, 1);
}

#[test]
fn reverse_wait_ends_with_the_session() {
    let sandbox = Sandbox::start().unwrap();
    let wait = |session: &ReverseSession, more: &[&str]| {
        run(&mut calls(&sandbox, &[&["reverse", "wait", session.otp_id.as_str()], more].concat()))
    };
    let not_verified = |run: Run, reason: &str| {
        assert_eq!(run.status, 3);
        assert_eq!(run.events(), [format!(r#"{{"event":"not_verified","otp_id":"<otp_id>","reason":"{reason}"}}"#)]);
    };

    let session = open(&sandbox);
    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let verified = wait(&session, &["--json"]);
    assert_eq!(verified.status, 0);
    assert_eq!(verified.events(), [r#"{"event":"verified","otp_id":"<otp_id>","number":null}"#]);
    let verified = wait(&session, &[]);
    assert_eq!((verified.stdout.as_str(), verified.stderr.as_str()), ("Verified.\n", ""));

    let session = open(&sandbox);
    not_verified(wait(&session, &["--json", "--timeout", "0"]), "time is up, and the session is cancelled");
    not_verified(wait(&session, &["--json"]), "the session was cancelled");
    let session = open(&sandbox);
    sandbox.advance(Duration::from_secs(11 * 60));
    not_verified(wait(&session, &["--json"]), "the session expired before the text arrived");

    let unknown = run(&mut calls(&sandbox, &["reverse", "wait", "r_unknown"]));
    assert_eq!(unknown.status, 1);
    assert_eq!(run(&mut calls(&sandbox, &["reverse", "wait", " "])).status, 1);
}

#[test]
fn a_wait_that_fails_cancels_the_session() {
    let sandbox = Sandbox::start().unwrap();
    let session = open(&sandbox);
    sandbox.fail_next(Fault::status(403).on(contiguity::sandbox::Endpoint::Status));
    let failed = run(&mut calls(&sandbox, &["reverse", "wait", session.otp_id.as_str()]));
    assert_eq!(failed.status, 1);
    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let status = run(&mut calls(&sandbox, &["reverse", "status", session.otp_id.as_str()]));
    assert_eq!(status.stdout, "The session is cancelled.\n");
}

#[test]
fn reverse_start_can_wait() {
    let sandbox = Sandbox::start().unwrap();
    let arguments = ["reverse", "start", PHONE, "--wait", "--timeout", "0", "--json"];
    let late = run(&mut calls(&sandbox, &arguments));
    assert_eq!(late.status, 3);
    let events = late.events();
    assert!(events[0].starts_with(r#"{"event":"session","#), "{events:?}");
    let reason = "time is up, and the session is cancelled";
    assert_eq!(events[1], format!(r#"{{"event":"not_verified","otp_id":"<otp_id>","reason":"{reason}"}}"#));
}

// ---------------------------------------------------------------------------------------------------------------------
// All commands

#[test]
fn no_command_shows_a_code_a_key_or_a_whole_number() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let sent = send(&sandbox);
    let session = open(&sandbox);
    let (otp, reverse) = (sent.otp_id.as_str(), session.otp_id.as_str());
    let key = "contiguity_sk_0123456789";
    let commands: [&[&str]; 9] = [
        &["send", PHONE, "--name", "MyApp"],
        &["send", "4155552671", "--region", "US", "--name", "MyApp"],
        &["sign-in", PHONE, "--name", "MyApp"],
        &["verify", otp],
        &["resend", otp],
        &["reverse", "start", PHONE],
        &["reverse", "status", reverse],
        &["reverse", "wait", reverse, "--timeout", "0"],
        &["reverse", "cancel", reverse],
    ];
    let faults: [Option<Fault>; 4] =
        [None, Some(Fault::status(400).into()), Some(Fault::garbage()), Some(Fault::drop_after())];
    for arguments in commands {
        for fault in &faults {
            for json in [None, Some("--json")] {
                sandbox.heal();
                if let Some(fault) = fault {
                    sandbox.fail_always(fault.clone());
                }
                let mut command = calls(&sandbox, arguments);
                command.args(json).env("CONTIGUITY_API_KEY", key);
                let printed = run_with(&mut command, "482915\n").printed();
                for secret in ["482915", key, "4155552671"] {
                    assert!(!printed.contains(secret), "{arguments:?} shows {secret}: {printed}");
                }
            }
        }
    }
}

#[test]
fn there_are_no_colors_and_no_progress_unless_it_is_a_terminal() {
    let sandbox = Sandbox::start().unwrap();
    for arguments in [
        &["send", PHONE, "--name", "MyApp"][..],
        &["send", "1", "--name", "MyApp"],
        &["reverse", "start", PHONE, "--wait", "--timeout", "0"],
        &["--help"],
        &["nothing"],
    ] {
        let printed = run(&mut calls(&sandbox, arguments)).printed();
        assert!(!printed.contains('\x1b'), "{printed}");
        assert!(!printed.contains("Waiting"), "{printed}");
    }
    // clap's convention for pipes that keep colors, and NO_COLOR before it.
    let mut command = calls(&sandbox, &["send", PHONE, "--name", "MyApp"]);
    assert!(run(command.env("CLICOLOR_FORCE", "1")).stdout.starts_with("\x1b[1m\x1b[32mSent\x1b[0m "));
    assert!(run(command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE")).stdout.starts_with("Sent "));
}

#[test]
fn an_output_that_cannot_be_written_is_not_sent_again() {
    let sandbox = Sandbox::start().unwrap();
    let script = "\"$0\" send \"$1\" --name MyApp > /dev/full";
    let mut command = assert_cmd::Command::new("sh");
    command.args(["-c", script]).arg(&*command_line::PROGRAM).arg(PHONE);
    command.env("CONTIGUITY_BASE_URL", sandbox.url()).env("CONTIGUITY_API_KEY", sandbox.api_key());
    let lost = run(&mut command);
    assert_eq!(lost.status, 4);
    assert!(lost.stderr.ends_with("hint: the command itself succeeded, so do not run it again\n"), "{}", lost.stderr);
    assert_eq!(sandbox.deliveries(PHONE), 1);
}

fn send(sandbox: &Sandbox) -> SentOtp {
    NewOtp::to(PHONE).language("en").name("MyApp").send(&sandbox.client()).unwrap()
}

fn open(sandbox: &Sandbox) -> ReverseSession {
    InitiateReverseOtp::number(PHONE).send(&sandbox.client()).unwrap()
}
