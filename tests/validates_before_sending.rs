//! Every rule for a field, on both sides of each bound. Nothing is sent for a request with a problem.

use std::net::TcpListener;

use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, Issue, IssueKind, Language, NewOtp, OtpId, PhoneNumber,
    ResendOtp, Service, VerifyOtp, VerifyReverseOtp,
};

#[test]
fn phone_numbers() {
    for good in [
        "+1234567890",
        "+15551234567",
        "+16465550123",
        "+14155552671",
        "+442079460958",
        "+998123",
        "+112",
        "+4412",
        "+35312",
        "+123456789012345",
        "+881612345678",
        "+80012345678",
        "+97912345",
    ] {
        assert_eq!(PhoneNumber::parse(good).unwrap().as_str(), good);
        accepts(|client| new(good, "en", "MyApp", client));
        accepts(|client| InitiateReverseOtp::number(good).to(good).send(client).map(drop));
    }
    for bad in [
        "",
        "   ",
        "14155552671",
        "0014155552671",
        " +14155552671",
        "++14155552671",
        "+14155552671 ",
        "+1415555267x",
        "+1-415-555-2671",
        "+14155552671;ext=5",
        "+1415555\u{662}671",
        "\u{ff0b}14155552671",
        "+1415555267\0",
        "+1234567890123456",
        "+",
        "+0",
        "+0123456789",
        "+21012345",
        "+999123456",
        "+1",
        "+12",
        "+441",
        "+3531",
        "+353",
    ] {
        assert!(PhoneNumber::parse(bad).is_err(), "{bad}");
        refuses_number("to", |client| new(bad, "en", "MyApp", client));
        refuses_number("number", |client| InitiateReverseOtp::number(bad).send(client).map(drop));
        refuses_number("to", |client| InitiateReverseOtp::number("+14155552671").to(bad).send(client).map(drop));
    }
}

#[test]
fn a_number_with_separators_is_suggested_without() {
    for (typed, suggestion) in [
        ("+1 (415) 555-2671", Some("+14155552671")),
        ("+44 20 7946 0958", Some("+442079460958")),
        ("+49/30/901820", None),
        ("+1.415.555.2671", Some("+14155552671")),
        ("\u{a0}+1\u{2011}415\u{2013}5552671\n", Some("+14155552671")),
        ("\u{202a}+1 [415] 555\u{ff0d}2671\u{202c}", Some("+14155552671")),
        ("(415) 555-2671", None),
        ("+1\u{1b}[415]5552671", None),
        ("+1 (415) 555-267x", None),
        ("+999 123 456", None),
        ("+14155552671 ext. 5", None),
        ("+1 2345 6789 0123 456", None),
        ("14155552671", None),
    ] {
        let issue = only_issue(|client| new(typed, "en", "MyApp", client));
        assert_eq!(issue.suggestion(), suggestion, "{typed}");
    }
}

#[test]
fn languages() {
    for (good, sent) in [
        ("en", "en"),
        ("EN", "en"),
        ("pt_BR", "pt-br"),
        ("pt-BR", "pt-br"),
        ("ZH_hk", "zh-hk"),
        ("eo", "eo"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("abc-12345678", "abc-12345678"),
        ("eo_XX", "eo-XX"),
        ("sr-1", "sr-1"),
    ] {
        assert_eq!(good.parse::<Language>().unwrap().as_str(), sent);
        accepts(|client| new("+14155552671", good, "MyApp", client));
        accepts(|client| InitiateReverseOtp::number("+14155552671").language(good).send(client).map(drop));
    }
    for (bad, kind) in [
        ("", IssueKind::Blank),
        (" ", IssueKind::Blank),
        ("e", IssueKind::Format),
        ("abcdefghi", IssueKind::Format),
        ("en-", IssueKind::Format),
        ("-en", IssueKind::Format),
        ("en--us", IssueKind::Format),
        ("en-123456789", IssueKind::Format),
        ("e1", IssueKind::Format),
        ("en us", IssueKind::Format),
        ("abcd", IssueKind::Format),
        ("\u{e9}n", IssueKind::Format),
        ("en\n", IssueKind::Format),
        ("English, please", IssueKind::Format),
    ] {
        refuses("language", kind, |client| new("+14155552671", bad, "MyApp", client));
    }
}

#[test]
fn every_documented_language_reads_back() {
    let codes: Vec<String> = Language::all().map(|language| language.to_string()).collect();
    let documented =
        "en af ar ca zh zh-hk hr cs da nl fi fr de el he hi hu id it ja ko ms nb pl pt-br pt ro ru es sv tl th tr vi";
    assert_eq!(codes.join(" "), documented);
    for language in Language::all() {
        let shouted = language.as_str().to_uppercase().replace('-', "_");
        assert_eq!(shouted.parse::<Language>().unwrap(), language);
        assert!(!matches!(language, Language::Other(_)));
    }
}

#[test]
fn names() {
    for good in ["MyApp", " a ", "\u{1f680}", "'\"<&>\\", &"x".repeat(1_000), &"\u{1f680}".repeat(1_000)] {
        accepts(|client| new("+14155552671", "en", good, client));
    }
    for (bad, kind) in [
        ("", IssueKind::Blank),
        (" \t\u{3000}", IssueKind::Blank),
        ("My\nApp", IssueKind::Character),
        ("MyApp\0", IssueKind::Character),
        ("My\u{85}App", IssueKind::Character),
        ("\u{1b}[1mMyApp", IssueKind::Character),
        (&"x".repeat(1_001), IssueKind::TooLong),
    ] {
        refuses("name", kind, |client| new("+14155552671", "en", bad, client));
    }
}

#[test]
fn codes() {
    for good in [
        "1234",
        "0000000000",
        "012345",
        "123 456",
        "123-456",
        " 1 2 3 4 ",
        "1\u{2013}2\u{a0}34",
        "1234\n",
        "\u{202a}1234\u{202c}",
    ] {
        accepts(|client| VerifyOtp::otp_id("otp_1").otp(good).send(client).map(drop));
    }
    for (bad, kind) in [
        ("", IssueKind::Blank),
        (" - ", IssueKind::Blank),
        ("123", IssueKind::TooShort),
        ("1-2-3", IssueKind::TooShort),
        ("12345678901", IssueKind::TooLong),
        ("12345x", IssueKind::Character),
        ("12.345", IssueKind::Character),
        ("+12345", IssueKind::Character),
        ("12\u{663}\u{664}", IssueKind::Character),
        ("\u{ff11}234", IssueKind::Character),
    ] {
        refuses("otp", kind, |client| VerifyOtp::otp_id("otp_1").otp(bad).send(client).map(drop));
    }
}

#[test]
fn ids() {
    type Operation = fn(&str, &Client) -> Result<(), Error>;
    let operations: [Operation; 4] = [
        |id, client| VerifyOtp::otp_id(id).otp("123456").send(client).map(drop),
        |id, client| ResendOtp::otp_id(id).send(client).map(drop),
        |id, client| VerifyReverseOtp::otp_id(id).send(client).map(drop),
        |id, client| CancelReverseOtp::otp_id(id).send(client).map(drop),
    ];
    for operation in operations {
        for good in ["otp_1234567890", "a", "...", "a/b", " a", "\u{e9}", &"\u{e9}".repeat(500)] {
            accepts(|client| operation(good, client));
        }
        for (bad, kind) in [
            ("", IssueKind::Blank),
            (" \u{a0}", IssueKind::Blank),
            (".", IssueKind::Format),
            ("..", IssueKind::Format),
            ("otp\n1", IssueKind::Character),
            ("otp_1\r\nX: y", IssueKind::Character),
            ("\0", IssueKind::Character),
            (&"x".repeat(501), IssueKind::TooLong),
        ] {
            refuses("otp_id", kind, |client| operation(bad, client));
        }
    }
}

#[test]
fn factors() {
    for good in ["1", "MyApp2024", "sixteen letters!", &"\u{1f680}".repeat(16), " x "] {
        accepts(|client| InitiateReverseOtp::number("+14155552671").factor(good).send(client).map(drop));
    }
    for (bad, kind) in [
        ("", IssueKind::Blank),
        ("  ", IssueKind::Blank),
        ("seventeen letters", IssueKind::TooLong),
        (&"\u{1f680}".repeat(17), IssueKind::TooLong),
        // Each has two scalar values and looks like one character.
        (&"e\u{301}".repeat(9), IssueKind::TooLong),
        ("a\tb", IssueKind::Character),
    ] {
        refuses("factor", kind, |client| InitiateReverseOtp::number("+14155552671").factor(bad).send(client).map(drop));
    }
}

#[test]
fn services() {
    for good in [Service::Sms, Service::IMessage] {
        accepts(|client| InitiateReverseOtp::number("+14155552671").service(good.clone()).send(client).map(drop));
    }
    for good in ["sms", "imessage"] {
        accepts(|client| InitiateReverseOtp::number("+14155552671").service(good).send(client).map(drop));
    }
    for unknown in ["pigeon", "SMS", "sms ", ""] {
        refuses("service", IssueKind::Unsupported, |client| {
            InitiateReverseOtp::number("+14155552671").service(unknown).send(client).map(drop)
        });
    }
}

#[test]
fn success_urls() {
    let ask =
        |url: &str, client: &Client| InitiateReverseOtp::number("+14155552671").success_url(url).send(client).map(drop);
    for good in [
        "https://myapp.com/webhook/otp-verified",
        "https://myapp.com",
        "HTTPS://myapp.com:8443/?a=b#c",
        "http://localhost:3000/done",
        "http://127.0.0.1/",
        "http://[::1]:80/",
    ] {
        accepts(|client| ask(good, client));
    }
    for (bad, kind) in [
        ("", IssueKind::Blank),
        (" ", IssueKind::Blank),
        ("myapp.com/done", IssueKind::Format),
        ("/done", IssueKind::Format),
        ("//myapp.com/done", IssueKind::Format),
        ("https://", IssueKind::Format),
        ("https:///done", IssueKind::Format),
        ("https://myapp.com:99999/", IssueKind::Format),
        ("https://m\u{fc}app.com/", IssueKind::Format),
        ("https://myapp.com/a b", IssueKind::Format),
        ("https://myapp.com/\n", IssueKind::Format),
        ("http://myapp.com/done", IssueKind::Format),
        ("http://localhost.myapp.com/", IssueKind::Format),
        ("ftp://myapp.com/", IssueKind::Format),
        ("javascript:alert(1)", IssueKind::Format),
    ] {
        refuses("success_url", kind, |client| ask(bad, client));
    }
}

#[test]
fn every_problem_is_reported_at_once_in_the_order_of_the_fields() {
    let issues = issues(|client| {
        InitiateReverseOtp::number("1")
            .success_url("x")
            .language("!")
            .service("pigeon")
            .to("2")
            .factor("")
            .send(client)
            .map(drop)
    });
    let fields: Vec<_> = issues.iter().map(|issue| issue.field).collect();
    assert_eq!(fields, ["number", "factor", "to", "service", "language", "success_url"]);
}

#[test]
fn a_repeated_optional_setter_replaces() {
    accepts(|client| InitiateReverseOtp::number("+14155552671").factor("").factor("ok").send(client).map(drop));
}

#[test]
fn each_message_says_what_to_do() {
    type Send<'a> = Box<dyn Fn(&Client) -> Result<(), Error> + 'a>;

    let ask = || InitiateReverseOtp::number("+14155552671");
    let long = "x".repeat(1_001);
    let table: [(Send<'_>, &str); 19] = [
        (Box::new(|c| new("+14155552671", "en", " ", c)), "`name` must not be blank"),
        (
            Box::new(|c| new("+14155552671", "en", "a\nb", c)),
            "`name` must not contain control characters, such as a line break",
        ),
        (Box::new(|c| new("+14155552671", "en", &long, c)), "`name` must have at most 1000 characters, but has 1001"),
        (Box::new(|c| verify("otp_1", "-", c)), "`otp` must not be blank"),
        (Box::new(|c| verify("otp_1", "123", c)), "`otp` must have 4 to 10 digits"),
        (Box::new(|c| verify("otp_1", "12345678901", c)), "`otp` must have 4 to 10 digits"),
        (Box::new(|c| verify("otp_1", "12e45", c)), "`otp` must contain only digits"),
        (Box::new(|c| verify("otp_1", "12\u{663}\u{664}", c)), "`otp` must not mix digits of different scripts"),
        (Box::new(|c| verify("", "1234", c)), "`otp_id` must not be blank; use the id that the service returned"),
        (
            Box::new(|c| verify("..", "1234", c)),
            "`otp_id` must not be `.` or `..`; use the id that the service returned",
        ),
        (
            Box::new(|c| verify(&long, "1234", c)),
            "`otp_id` must have at most 500 characters; use the id that the service returned",
        ),
        (
            Box::new(|c| ask().factor("seventeen letters").send(c).map(drop)),
            "`factor` must have at most 16 characters, but has 17",
        ),
        (
            Box::new(|c| ask().service("pigeon").send(c).map(drop)),
            "`service` is not supported in requests; use Service::Sms (`sms`) or Service::IMessage (`imessage`)",
        ),
        (
            Box::new(|c| ask().success_url("/done").send(c).map(drop)),
            "`success_url` must be an absolute URL with a host, such as https://example.com",
        ),
        (
            Box::new(|c| ask().success_url("ftp://example.com/done").send(c).map(drop)),
            "`success_url` has an unknown scheme; use http:// or https://",
        ),
        (
            Box::new(|c| ask().success_url("example.com/done").send(c).map(drop)),
            "`success_url` has no scheme; start it with https://",
        ),
        (
            Box::new(|c| ask().success_url("localhost:3000/done").send(c).map(drop)),
            "`success_url` has no scheme; start it with http://localhost:3000",
        ),
        (
            Box::new(|c| ask().success_url("http://example.com").send(c).map(drop)),
            "`success_url` is plain http to a host other than loopback; use https",
        ),
        (
            Box::new(|c| ask().success_url("https://example.com:0").send(c).map(drop)),
            "`success_url` has an invalid port; use 1 to 65535",
        ),
    ];
    for (send, message) in table {
        let error = send(&Silent::start().client()).unwrap_err();
        assert_eq!(error.to_string(), format!("invalid request, nothing was sent: {message}"));
        assert_eq!(format!("{error:?}"), error.to_string());
        assert!(!error.may_have_sent() && !error.is_retryable() && !error.is_timeout());
        assert_eq!((error.status(), error.request_id(), error.retry_after()), (None, None, None));
    }
    // Each of several problems has its own line.
    let error = verify(" ", "12", &Silent::start().client()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid request, nothing was sent:\n\
         - `otp_id` must not be blank; use the id that the service returned\n\
         - `otp` must have 4 to 10 digits"
    );
}

#[test]
fn every_way_to_create_a_value_checks_it() {
    assert!(OtpId::try_from("..").is_err() && OtpId::try_from(String::from("a")).is_ok());
    assert!(PhoneNumber::try_from("1").is_err() && Language::try_from("!").is_err());
    // Without advice, which is for callers. serde adds where it is.
    let error = serde_json::from_str::<PhoneNumber>("\"1\"").unwrap_err().to_string();
    assert!(error.starts_with("invalid phone number: must start with `+` and a country calling code at"), "{error}");
    let error = serde_json::from_str::<OtpId>("\"\"").unwrap_err().to_string();
    assert!(error.starts_with("invalid OTP id: must not be blank at"), "{error}");
    let error = serde_json::from_str::<Language>("\"english, please\"").unwrap_err().to_string();
    assert!(error.starts_with("invalid language: not a language code at"), "{error}");
    for text in ["\"+14155552671\"", "\"\\u002b14155552671\""] {
        let number: PhoneNumber = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"+14155552671\"");
    }
    let id: OtpId = serde_json::from_str("\"otp_1\"").unwrap();
    assert_eq!(serde_json::to_string(&id).unwrap(), "\"otp_1\"");
    assert_eq!(serde_json::to_string(&Service::IMessage).unwrap(), "\"imessage\"");
    assert_eq!(serde_json::to_string(&Language::Cantonese).unwrap(), "\"zh-hk\"");
}

#[test]
fn the_kind_of_a_problem_is_that_of_the_number() {
    for (text, kind) in [
        ("", IssueKind::Blank),
        (" ", IssueKind::Blank),
        ("+1 415 555 2671", IssueKind::Character),
        ("+1+14155552671", IssueKind::Character),
        ("+14155552671\n", IssueKind::Character),
        ("+1234567890123456", IssueKind::TooLong),
        ("+1", IssueKind::TooShort),
        ("14155552671", IssueKind::Format),
        ("+999123456", IssueKind::Format),
    ] {
        assert_eq!(only_issue(|client| new(text, "en", "MyApp", client)).kind, kind, "{text:?}");
    }
}

/// `?` works on a value that a function parsed before it calls the service.
#[test]
fn a_refused_value_is_an_error_of_its_field() {
    let error = PhoneNumber::parse("+1 415 555 2671").unwrap_err();
    let suggestion = error.suggestion();
    let errors: [Error; 3] =
        [error.into(), "x".parse::<Language>().unwrap_err().into(), OtpId::parse(" ").unwrap_err().into()];
    let expected = [
        "`number` has characters other than `+` and the digits 0 to 9; leave out separators, letters and extensions",
        "`language` is not a language code; use one such as en, pt-br or zh-hk",
        "`otp_id` must not be blank; use the id that the service returned",
    ];
    for (error, expected) in errors.iter().zip(expected) {
        let Error::Validation(error) = error else { panic!("{error}") };
        let [issue] = error.issues() else { panic!("{error}") };
        assert_eq!(format!("`{}` {}", issue.field, issue.message), expected);
        let suggested = suggestion.as_ref().filter(|_| issue.field == "number");
        assert_eq!(issue.suggestion(), suggested.map(PhoneNumber::as_str));
    }
}

#[test]
fn a_number_shows_four_digits_only_if_four_more_stay_hidden() {
    for (number, shown) in [
        ("+14155552671", "PhoneNumber(+1•••••2671)"),
        ("+112345678", "PhoneNumber(+1•••••5678)"),
        ("+11234567", "PhoneNumber(+1•••••)"),
        ("+35312", "PhoneNumber(+353•••••)"),
    ] {
        assert_eq!(format!("{:?}", PhoneNumber::parse(number).unwrap()), shown);
    }
}

fn verify(otp_id: &str, otp: &str, client: &Client) -> Result<(), Error> {
    VerifyOtp::otp_id(otp_id).otp(otp).send(client).map(drop)
}

fn new(to: &str, language: &str, name: &str, client: &Client) -> Result<(), Error> {
    NewOtp::to(to).language(language).name(name).send(client).map(drop)
}

/// The request passes validation and reaches the network, where the connection is refused.
#[track_caller]
fn accepts(send: impl Fn(&Client) -> Result<(), Error>) {
    let refused = Client::builder("key").base_url(closed_port()).retries(0).build().unwrap();
    let error = send(&refused).unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error}");
}

/// The request is refused for one field, and nothing is sent.
#[track_caller]
fn refuses(field: &str, kind: IssueKind, send: impl Fn(&Client) -> Result<(), Error>) {
    let issue = only_issue(send);
    assert_eq!((issue.field, issue.kind), (field, kind), "{issue}");
    assert!(!issue.message.is_empty());
}

/// The same for a phone number, whose kinds and messages have their own tests.
#[track_caller]
fn refuses_number(field: &str, send: impl Fn(&Client) -> Result<(), Error>) {
    let issue = only_issue(send);
    assert_eq!(issue.field, field, "{issue}");
    assert!(!issue.message.is_empty());
}

#[track_caller]
fn only_issue(send: impl Fn(&Client) -> Result<(), Error>) -> Issue {
    let issues = issues(send);
    assert_eq!(issues.len(), 1, "{issues:?}");
    issues[0].clone()
}

#[track_caller]
fn issues(send: impl Fn(&Client) -> Result<(), Error>) -> Vec<Issue> {
    let server = Silent::start();
    let error = send(&server.client()).unwrap_err();
    assert!(!server.was_called(), "a request with a problem was sent");
    let Error::Validation(error) = error else { panic!("not refused: {error}") };
    error.issues().to_vec()
}

/// A server that only records whether it was called.
struct Silent(TcpListener);

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn client(&self) -> Client {
        Client::builder("key").base_url(format!("http://{}", self.0.local_addr().unwrap())).build().unwrap()
    }

    fn was_called(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// An address that refuses connections.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
