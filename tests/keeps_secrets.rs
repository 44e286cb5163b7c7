//! The key, the code and whole phone numbers appear in no `Debug`, no error, no source of an error and
//! no log record, even if the server repeats the request anywhere in its response.

mod support;

use std::error::Error as StdError;

use std::sync::{Mutex, Once, PoisonError};

use contiguity::sandbox::Sandbox;
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, NewOtp, PhoneNumber, ResendOtp, Service, Status, VerifyOtp,
    VerifyReverseOtp,
};
use log::{LevelFilter, Log, Metadata, Record};

use support::{CODE, Ending, KEY, NUMBER, Operation, Request, Server, answer, envelope, head};

#[test]
fn calls_that_go_well() {
    for operation in Operation::ALL {
        listen();
        // A session contains the number in several places.
        let data = match operation {
            Operation::Initiate => format!(
                r#"{{"otp_id":"r_otp_1","number":"{NUMBER}","factor":"1234","to":"+16465550123","service":"{NUMBER}",
                    "ui":{{"text":"Text from (650) 555-0142","qr_code":"sms:+16465550123?body={NUMBER}"}},
                    "success_url":"https://example.com/650/5550142"}}"#
            ),
            _ => operation.data().to_owned(),
        };
        let server = Server::answering(answer(200, "", envelope(&data)));
        let client = server.client().build().expect("a client");
        search("a response", &operation.call(&client).expect("a good response"));
        search("a client", &format!("{client:?} {client:#?}"));
        let requests = server.requests();
        assert!(requests[0].head.contains(KEY), "the request contains the key");
        search_logs();
        assert!(heard().iter().any(|record| record.contains("/otp/")), "there are log records to search");
    }
}

#[test]
fn responses_that_repeat_the_request() {
    for operation in Operation::ALL {
        for status in [200, 204, 302, 400, 401, 403, 429, 500, 503] {
            for place in Place::ALL {
                listen();
                let server = Server::plain(move |connection| {
                    while let Some(request) = connection.request() {
                        if !connection.send(place.answer(status, operation, &request)) {
                            break;
                        }
                    }
                });
                let client = server.client().retries(0).build().expect("a client");
                match operation.call(&client) {
                    Ok(answer) => search(&format!("{operation:?} {status} {place:?}"), &answer),
                    Err(error) => search_error(&format!("{operation:?} {status} {place:?}"), &error),
                }
                search_logs();
            }
        }
    }
}

#[test]
fn responses_that_are_lost() {
    for operation in Operation::ALL {
        for ending in [Ending::Close, Ending::Reset] {
            listen();
            let server = Server::plain(move |connection| {
                let Some(request) = connection.request() else { return };
                connection.send(head(200, "Content-Length: 9999\r\n"));
                connection.send(&request.head);
                connection.send(&request.body);
                connection.end(ending);
            });
            let client = server.client().retries(0).build().expect("a client");
            search_error("a lost response", &operation.call(&client).expect_err("the response is cut"));

            let server = Server::plain(move |connection| {
                let Some(request) = connection.request() else { return };
                connection.send(&request.head);
                connection.send(&request.body);
                connection.end(ending);
            });
            let client = server.client().retries(0).build().expect("a client");
            search_error("no response", &operation.call(&client).expect_err("a request is not a response"));
            search_logs();
        }
    }
}

#[test]
fn a_secret_at_the_end_of_what_is_read() {
    // An excerpt is cut. Blanks are dropped, so that the cut is next to the secret.
    for padding in (4000..4120).chain(65_500..65_540) {
        for secret in [KEY, NUMBER, &NUMBER[1..]] {
            let blanks = " ".repeat(padding);
            let page = format!("<{blanks}{secret}>{}", " ".repeat(70_000));
            let message = format!(r#"{{"data":{{"error":"a{blanks}{secret}{blanks}"}}}}"#);
            for body in [page, message] {
                let server = Server::answering(answer(500, "", body));
                let client = server.client().retries(0).build().expect("a client");
                search_error(&format!("{padding} blanks before it"), &Operation::New.call(&client).expect_err("500"));
            }
        }
    }
    search_logs();
}

/// Blanks around a key are not sent.
#[test]
fn a_key_with_blanks_around_it() {
    for key in [format!("{KEY} "), format!(" {KEY}"), format!("\t{KEY}\t ")] {
        let message = format!(r#"{{"data":{{"error":"{KEY} is revoked"}}}}"#);
        let server = Server::answering(answer(401, "", message));
        let client = Client::builder(key).base_url(server.url()).retries(0).build().expect("a client");
        let error = Operation::New.call(&client).expect_err("401");
        search_error("a refused key", &error);
        assert!(error.to_string().contains("is revoked"), "{error}");
        let requests = server.requests();
        assert!(requests[0].head.contains(&format!("Token {KEY}\r\n")), "{}", requests[0].head);
    }
}

/// Digits in groups of any kind, a number without its calling code, escapes.
#[test]
fn other_spellings_of_a_secret() {
    for (operation, spelling) in [
        (Operation::Verify, "804 315"),
        (Operation::Verify, "804\u{a0}315"),
        (Operation::Verify, "804\n315"),
        (Operation::Verify, "80431\\u0035"),
        (Operation::Verify, "\u{668}\u{660}\u{664}\u{663}\u{661}\u{665}"),
        (Operation::Verify, "\u{ff18}\u{ff10}\u{ff14}\u{2010}\u{ff13}\u{ff11}\u{ff15}"),
        (Operation::New, "6505550142"),
        (Operation::New, "(650) 555\t0142"),
        (Operation::New, "1\u{2009}650\u{200b}555\u{2011}0142"),
        (Operation::Initiate, "(650) 555-0142"),
    ] {
        let message = serde_json::to_string(&format!("not {spelling}, please")).expect("text");
        let fields = format!(r#"{{"data":{{"otp_id":{{"a":{message}}},"verified":{message}}}}}"#);
        for (status, body) in [
            (400, format!(r#"{{"data":{{"error":{message}}}}}"#)),
            (200, fields),
            (200, message),
            (500, spelling.to_owned()),
        ] {
            let is_quoted = !body.contains("otp_id");
            let server = Server::answering(answer(status, "", body));
            let client = server.client().retries(0).build().expect("a client");
            let error = operation.call(&client).expect_err("not a good response");
            search_error(&format!("{status} with {spelling:?}"), &error);
            assert_eq!(error.to_string().contains("•••••"), is_quoted, "{status} with {spelling:?}: {error}");
        }
    }
}

// needs phone::digit
#[test]
fn a_code_typed_in_another_script() {
    for typed in ["\u{668}\u{660}\u{664}\u{663}\u{661}\u{665}", "\u{ff18}\u{ff10}\u{ff14} \u{ff13}\u{ff11}\u{ff15}"] {
        let verify = || VerifyOtp::otp_id("otp_1").otp(typed);
        search("a builder", &format!("{:?} {:#?}", verify(), verify()));
        for said in [CODE, typed] {
            let body = format!(r#"{{"id":"req_{said}","data":{{"error":"not {said}"}}}}"#);
            let server = Server::answering(answer(400, "", body));
            let client = server.client().build().expect("a client");
            let error = verify().send(&client).expect_err("400");
            assert!(matches!(error, Error::Api(_)), "{error}");
            search_error(&format!("{said} for {typed}"), &error);
        }
    }
}

/// A mask may be longer than the digits that it replaces.
#[test]
fn a_request_id_stays_short_when_it_is_masked() {
    let spread: String = CODE.chars().flat_map(|digit| [digit, 'a']).collect();
    let id = spread + &"0a".repeat(94);
    assert_eq!(id.len(), 200, "an id of the greatest length that is not cut");
    let server = Server::answering(answer(400, "", format!(r#"{{"id":"{id}","data":{{"error":"no"}}}}"#)));
    let client = server.client().build().expect("a client");
    let error = Operation::Verify.call(&client).expect_err("400");
    assert_eq!(error.request_id(), Some(format!("{}••…", "•••••a".repeat(33)).as_str()));
}

/// An unknown status is data, so it is kept. What is meant for logs and messages is masked.
#[test]
fn a_status_that_contains_secrets() {
    let said = format!("\u{1b}[31m\n2026 INFO let {NUMBER} in");
    for operation in [Operation::Status, Operation::Cancel] {
        let data = serde_json::json!({ "otp_id": "r_otp_1", "status": said }).to_string();
        let server = Server::answering(answer(200, "", envelope(&data)));
        let client = server.client().build().expect("a client");
        search("an unknown status", &operation.call(&client).expect("a response"));
        if let Ok(check) = VerifyReverseOtp::otp_id("r_otp_1").send(&client) {
            assert_eq!((check.status.as_str(), check.status.to_string()), (&*said, said.clone()));
            let not_verified = check.proof().expect_err("an unknown status");
            let message = "not verified: the session is [•••••m ••••• INFO let +••••• in";
            assert_eq!(not_verified.to_string(), message);
            assert_eq!(format!("{not_verified:?}"), message);
        }
    }
    for shown in [format!("{:?}", Status::from(&*said)), format!("{:?}", Service::from(&*said))] {
        assert_eq!(shown, r#"Other("[•••••m ••••• INFO let +••••• in")"#);
    }
}

#[test]
fn requests_that_are_not_sent() {
    listen();
    let client = Client::builder(KEY).base_url("http://127.0.0.1:1").build().expect("a client");
    for number in ["+1 (650) 555-0142", "16505550142", "+16505550142x", "+16505550142 ", "tel:+16505550142"] {
        let builder = NewOtp::to(number).language("en").name(" ");
        search("a builder", &format!("{builder:?} {builder:#?}"));
        let error = builder.send(&client).expect_err("not E.164");
        search("a refusal", &shown(&error));
        let builder = InitiateReverseOtp::number(number).to(number).factor("12345678901234567");
        search("a builder", &format!("{builder:?} {builder:#?}"));
        search("a refusal", &shown(&builder.send(&client).expect_err("not E.164")));
        let parsed = PhoneNumber::parse(number).expect_err("not E.164");
        search("a number", &format!("{parsed} {parsed:?} {parsed:#?}"));
    }
    for typed in ["804315a", "804 315 804 315", "80\u{664}315"] {
        let builder = VerifyOtp::otp_id("otp_1").otp(typed);
        search("a builder", &format!("{builder:?} {builder:#?}"));
        let error = builder.send(&client).expect_err("not a code");
        let text = shown(&error);
        assert!(!text.contains(typed) && !digits(&text).contains("804"), "{text}");
    }
    search_logs();
}

#[test]
fn builders_and_settings() {
    let new = NewOtp::to(NUMBER).language("en").name("MyApp");
    search("NewOtp", &format!("{new:?} {new:#?}"));
    let verify = VerifyOtp::otp_id("otp_1").otp(CODE);
    search("VerifyOtp", &format!("{verify:?} {verify:#?}"));
    let initiate = InitiateReverseOtp::number(NUMBER).to(NUMBER);
    search("InitiateReverseOtp", &format!("{initiate:?} {initiate:#?}"));
    let others = (ResendOtp::otp_id("a"), VerifyReverseOtp::otp_id("b"), CancelReverseOtp::otp_id("c"));
    search("the others", &format!("{others:?}"));

    let secret_url = format!("https://user:{KEY}@example.com/{KEY}?a={KEY}");
    let builder = Client::builder(KEY).base_url(secret_url.as_str());
    search("ClientBuilder", &format!("{builder:?} {builder:#?}"));
    search_error("a refused URL", &builder.build().expect_err("a URL with credentials"));
    for key in [format!("{KEY}\n{KEY}"), format!("{KEY}\u{feff}"), format!("{KEY}\u{e9}")] {
        search_error("a refused key", &Client::new(key).expect_err("not visible ASCII"));
    }
    for proxy in [format!("socks5://user:{KEY}@example.com"), format!("gopher://{KEY}"), format!("http://{KEY}@")] {
        let builder = Client::builder(KEY).proxy(proxy);
        search("ClientBuilder", &format!("{builder:?} {builder:#?}"));
        if let Err(error) = builder.build() {
            search_error("a refused proxy", &error);
        }
    }
}

#[test]
fn the_inbox_of_the_sandbox() {
    let sandbox = Sandbox::start().unwrap();
    let _ = NewOtp::to(NUMBER).language("en").name("MyApp").send(&sandbox.client()).unwrap();
    let sms = sandbox.phone(NUMBER).last_message().unwrap();
    for shown in [format!("{sms:?}"), format!("{sms:#?}")] {
        assert!(shown.contains("Your MyApp code is •••••") && !shown.contains(&sms.code), "{shown}");
        assert!(!shown.contains(NUMBER), "{shown}");
    }
}

#[test]
fn a_connection_that_cannot_be_made() {
    listen();
    for operation in Operation::ALL {
        let client = Client::builder(KEY).base_url("http://127.0.0.1:1").retries(0).build().expect("a client");
        if let Err(error) = operation.call(&client) {
            search_error("refused", &error);
        }
        let server = Server::tls(|connection| drop(connection.request()));
        let client = Client::builder(KEY).base_url(server.url()).retries(0).build().expect("a client");
        search_error("not trusted", &operation.call(&client).expect_err("an unknown authority"));
    }
    search_logs();
}

/// The place in the response that repeats the request.
#[derive(Clone, Copy, Debug)]
enum Place {
    Reason,
    Headers,
    Body,
    BodyTwice,
    HtmlPage,
    Error,
    Message,
    ErrorOutside,
    Id,
    ApiVersion,
    Timestamp,
    AgreementUrl,
    WrongType,
    WrongTypeOfData,
    FieldName,
}

impl Place {
    const ALL: [Self; 15] = [
        Self::Reason,
        Self::Headers,
        Self::Body,
        Self::BodyTwice,
        Self::HtmlPage,
        Self::Error,
        Self::Message,
        Self::ErrorOutside,
        Self::Id,
        Self::ApiVersion,
        Self::Timestamp,
        Self::AgreementUrl,
        Self::WrongType,
        Self::WrongTypeOfData,
        Self::FieldName,
    ];

    fn answer(self, status: u16, operation: Operation, request: &Request) -> Vec<u8> {
        let whole = format!("{}{}", request.head, String::from_utf8_lossy(&request.body));
        let line = whole.replace(|c: char| c.is_control(), " ");
        // Short, so that no secret is hidden only because the text is cut.
        let told = |secret: &'static str| if whole.contains(secret) { secret } else { "-" };
        let [key, number, bare, code] = [KEY, NUMBER, &NUMBER[1..], CODE].map(told);
        let secrets = format!("{key} in {number} {bare}?{code}");
        let quoted = serde_json::to_string(&secrets).expect("text");
        let good = operation.data();
        let body = match self {
            Self::Reason => {
                let body = envelope(good);
                let head = format!("HTTP/1.1 {status} {secrets}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                return if status == 204 { head.replace(&body, "").into_bytes() } else { head.into_bytes() };
            }
            Self::Headers => {
                let names = ["Content-Type", "Retry-After", "Location", "Date", "Server", "X-Request-Id", "Set-Cookie"];
                let headers = names.map(|name| format!("{name}: {secrets} {line}\r\n")).concat();
                return if status == 204 { head(204, &headers) } else { answer(status, &headers, envelope(good)) };
            }
            Self::Body => whole,
            Self::BodyTwice => format!("{secrets}{secrets}"),
            Self::HtmlPage => format!("<html><body>{secrets}</body></html>"),
            Self::Error => format!(r#"{{"data":{{"error":{quoted}}}}}"#),
            Self::Message => format!(r#"{{"message":{quoted},"data":{good}}}"#),
            Self::ErrorOutside => format!(r#"{{"error":{quoted},"data":{{"reason":{quoted},"message":{quoted}}}}}"#),
            Self::Id => format!(r#"{{"id":{quoted},"data":{good}}}"#),
            Self::ApiVersion => format!(r#"{{"id":"{key}","api_version":{quoted},"data":{good}}}"#),
            Self::Timestamp => format!(r#"{{"timestamp":{quoted},"object":{quoted},"data":{good}}}"#),
            Self::AgreementUrl => {
                format!(r#"{{"data":{{"error":"sign","agreement_url":"https://example.com/{key}/{number}/{code}"}}}}"#)
            }
            Self::WrongType => {
                format!(r#"{{"data":{{"otp_id":[{quoted}],"verified":{quoted},"resent":{quoted},"status":{{}}}}}}"#)
            }
            Self::WrongTypeOfData => format!(r#"{{"id":"{number}","data":{quoted}}}"#),
            Self::FieldName => format!(r#"{{{quoted}:1,"data":{{{quoted}:1}}}}"#),
        };
        if status == 204 { head(204, "") } else { answer(status, "", body) }
    }
}

/// Everything that an error shows.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:#} {error:?} {error:#?} {:?} {:?}", error.request_id(), error.retry_after());
    let mut show = |more: &dyn std::fmt::Debug| text = format!("{text} {more:?}");
    if let Error::Api(api) = error {
        show(&(api, api.to_string(), api.message(), api.agreement_url()));
    }
    let mut source = error.source();
    while let Some(error) = source {
        show(&(error.to_string(), error));
        source = error.source();
    }
    text
}

#[track_caller]
fn search_error(what: &str, error: &Error) {
    search(what, &shown(error));
}

/// Looks for the secrets literally, and for their digits whatever is between them.
#[track_caller]
fn search(what: &str, text: &str) {
    // Most of a secret is as bad as the whole.
    for secret in [KEY, &KEY[..KEY.len() - 4], NUMBER, &NUMBER[1..], &NUMBER[..9], CODE] {
        assert!(!text.contains(secret), "{what} shows {secret:?}: {text}");
    }
    let digits = digits(text);
    for secret in [&NUMBER[2..], CODE] {
        assert!(!digits.contains(secret), "{what} shows the digits {secret:?}: {text}");
    }
}

/// The digits of a text in ASCII, once the escapes of Rust and of JSON are undone.
fn digits(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some((at, (length, c))) =
        text.match_indices("\\u").find_map(|(at, _)| escape(&text[at + 2..]).map(|escape| (at, escape)))
    {
        text.replace_range(at..at + 2 + length, c.encode_utf8(&mut [0; 4]));
    }
    let zeros = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}'];
    let digit =
        |c: char| zeros.iter().find_map(|&zero| (c as u32).checked_sub(zero as u32).filter(|digit| *digit < 10));
    text.chars().filter_map(digit).filter_map(|digit| char::from_digit(digit, 10)).collect()
}

/// What follows `\u` of an escape: its length, and the character.
fn escape(text: &str) -> Option<(usize, char)> {
    let (digits, length) = match text.strip_prefix('{') {
        Some(rest) => rest.split_once('}').map(|(digits, _)| (digits, digits.len() + 2))?,
        None => (text.get(..4)?, 4),
    };
    Some((length, char::from_u32(u32::from_str_radix(digits, 16).ok()?)?))
}

#[test]
fn the_search_sees_digits_behind_escapes() {
    assert_eq!(digits(r#""804\\u{a0}315" "804\u00a0\u0033" \u{661}\u{ff12} \u{x} \u"#), "804315804312");
}

#[track_caller]
fn search_logs() {
    for record in heard() {
        search("a log record", &record);
    }
}

/// Keeps every record of this crate, at every level.
struct Listener {
    records: Mutex<Vec<String>>,
}

static LISTENER: Listener = Listener { records: Mutex::new(Vec::new()) };

impl Log for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("contiguity")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = format!("{} {} {}", record.level(), record.target(), record.args());
            self.records.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }

    fn flush(&self) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LISTENER).expect("no other logger");
        log::set_max_level(LevelFilter::Trace);
    });
}

fn heard() -> Vec<String> {
    LISTENER.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
