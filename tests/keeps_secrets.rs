//! The key, the code and whole phone numbers appear in no `Debug`, no error, no source of an error and no log record: not
//! even if the other side repeats all it was told, wherever an answer has room for it.

mod support;

use std::error::Error as StdError;

use std::sync::{Mutex, Once, PoisonError};

use contiguity::sandbox::Sandbox;
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, NewOtp, PhoneNumber, ResendOtp, VerifyOtp, VerifyReverseOtp,
};
use log::{LevelFilter, Log, Metadata, Record};

use support::{CODE, Ending, KEY, NUMBER, Operation, Request, Server, answer, envelope, head};

#[test]
fn calls_that_go_well() {
    for operation in Operation::ALL {
        listen();
        // The session's number comes back in its answer.
        let data = match operation {
            Operation::Initiate => {
                format!(r#"{{"otp_id":"r_otp_1","number":"{NUMBER}","factor":"1234","to":"+16465550123"}}"#)
            }
            _ => operation.data().to_owned(),
        };
        let server = Server::answering(answer(200, "", envelope(&data)));
        let client = server.client().build().expect("a client");
        search("an answer", &operation.call(&client).expect("a good answer"));
        search("a client", &format!("{client:?} {client:#?}"));
        let requests = server.requests();
        assert!(requests[0].head.contains(KEY), "the request does hold the key");
        search_logs();
        assert!(heard().iter().any(|record| record.contains("/otp/")), "there are log records to search");
    }
}

#[test]
fn answers_that_repeat_the_request() {
    for operation in Operation::ALL {
        for status in [200, 204, 302, 400, 401, 403, 429, 500, 503] {
            for place in Place::ALL {
                listen();
                let server = Server::plain(move |connection| {
                    while let Some(request) = connection.request() {
                        // Every repeat is another record, and the waits between them are nothing to wait for here.
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
fn answers_that_are_lost() {
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
            search_error("a lost answer", &operation.call(&client).expect_err("the answer is cut"));

            let server = Server::plain(move |connection| {
                let Some(request) = connection.request() else { return };
                connection.send(&request.head);
                connection.send(&request.body);
                connection.end(ending);
            });
            let client = server.client().retries(0).build().expect("a client");
            search_error("no answer", &operation.call(&client).expect_err("a request is no answer"));
            search_logs();
        }
    }
}

#[test]
fn a_secret_at_the_end_of_what_is_read() {
    // What is looked at ends somewhere, and blanks make room for what stands there to be shown.
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

/// Blanks around a key are lost on the way, so that the service never saw them.
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

/// What a person would still read: digits in groups of any kind, a number without its calling code, escapes.
#[test]
fn other_spellings_of_a_secret() {
    for (operation, spelling) in [
        (Operation::Verify, "804 315"),
        (Operation::Verify, "804\u{a0}315"),
        (Operation::Verify, "804\n315"),
        (Operation::Verify, "80431\\u0035"),
        (Operation::New, "6505550142"),
        (Operation::New, "(650) 555\t0142"),
        (Operation::New, "1\u{2009}650\u{200b}555\u{2011}0142"),
        (Operation::Initiate, "(650) 555-0142"),
    ] {
        let message = serde_json::to_string(&format!("not {spelling}, please")).expect("text");
        let answers =
            [(400, format!(r#"{{"data":{{"error":{message}}}}}"#)), (200, message), (500, spelling.to_owned())];
        for (status, body) in answers {
            let server = Server::answering(answer(status, "", body));
            let client = server.client().retries(0).build().expect("a client");
            let error = operation.call(&client).expect_err("no good answer");
            let text = shown(&error).replace("\\u0035", "5");
            search_digits(&format!("{status} with {spelling:?}"), &text);
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            assert!(!digits.contains(&NUMBER[2..]), "{status} with {spelling:?}: {text}");
            assert!(text.contains("•••••"), "{status} with {spelling:?}: {text}");
        }
    }
}

/// A status that nobody knows is kept, and fit to be shown.
#[test]
fn a_status_that_holds_secrets() {
    for operation in [Operation::Status, Operation::Cancel] {
        let status = format!("{KEY}\u{1b}[31m\n2026 INFO let {NUMBER} in");
        let data = serde_json::json!({ "otp_id": "r_otp_1", "status": status }).to_string();
        let server = Server::answering(answer(200, "", envelope(&data)));
        let client = server.client().build().expect("a client");
        search("an unknown status", &operation.call(&client).expect("an answer"));
        if let Ok(check) = VerifyReverseOtp::otp_id("r_otp_1").send(&client) {
            assert!(check.status.as_str().ends_with("INFO let ••••• in"), "{}", check.status);
            let not_verified = check.proof().expect_err("nobody knows this status").to_string();
            search("a refusal", &not_verified);
            assert!(!not_verified.contains(char::is_control), "{not_verified:?}");
        }
    }
}

#[test]
fn requests_that_are_not_sent() {
    listen();
    let nobody = Client::builder(KEY).base_url("http://127.0.0.1:1").build().expect("a client");
    for number in ["+1 (650) 555-0142", "16505550142", "+16505550142x", "+16505550142 ", "tel:+16505550142"] {
        let builder = NewOtp::to(number).language("en").name(" ");
        search_digits("a builder", &format!("{builder:?} {builder:#?}"));
        let error = builder.send(&nobody).expect_err("no E.164");
        search_digits("a refusal", &shown(&error));
        let builder = InitiateReverseOtp::number(number).to(number).factor("12345678901234567");
        search_digits("a builder", &format!("{builder:?} {builder:#?}"));
        search_digits("a refusal", &shown(&builder.send(&nobody).expect_err("no E.164")));
        let parsed = PhoneNumber::parse(number).expect_err("no E.164");
        search_digits("a number", &format!("{parsed} {parsed:?} {parsed:#?}"));
    }
    for typed in ["804315a", "804 315 804 315", "80\u{664}315"] {
        let builder = VerifyOtp::otp_id("otp_1").otp(typed);
        search_digits("a builder", &format!("{builder:?} {builder:#?}"));
        let error = builder.send(&nobody).expect_err("no code");
        let text = shown(&error);
        assert!(!text.contains(typed) && !text.contains("804"), "{text}");
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
    for key in [format!("{KEY}\n"), format!("{KEY}\u{1}{KEY}")] {
        search_error("a refused key", &Client::new(key).expect_err("no header"));
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
    NewOtp::to(NUMBER).language("en").name("MyApp").send(&sandbox.client()).unwrap();
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
        search_error("not trusted", &operation.call(&client).expect_err("a stranger's certificate"));
    }
    search_logs();
}

/// Where in the answer the request stands.
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
        // The shortest that still holds every secret, so that no cut comes to the rescue.
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

/// Everything that an error says in any way.
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

#[track_caller]
fn search(what: &str, text: &str) {
    // Most of a secret is as good as the whole.
    for secret in [KEY, &KEY[..KEY.len() - 4], NUMBER, &NUMBER[1..], &NUMBER[..9], CODE] {
        assert!(!text.contains(secret), "{what} shows {secret:?}: {text}");
    }
}

/// For texts in which the number may stand with separators.
#[track_caller]
fn search_digits(what: &str, text: &str) {
    search(what, text);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert!(!digits.contains(&NUMBER[1..]) && !digits.contains(CODE), "{what} shows a number or a code: {text}");
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
