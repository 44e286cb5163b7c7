//! Every public type is `Debug`, `Send` and `Sync`. Values also work in maps, databases and messages.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use contiguity::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn everything<T: Debug + Send + Sync + 'static>() {}
fn value<T>()
where
    T: Debug + Send + Sync + Clone + Eq + Hash + Display + AsRef<str> + FromStr + Serialize + DeserializeOwned,
    T: PartialEq<str> + for<'a> PartialEq<&'a str> + Into<String>,
{
}
fn wire_value<T: for<'a> From<&'a str> + From<String>>() {}
fn checked<T: for<'a> TryFrom<&'a str> + TryFrom<String>>() {}
fn error<T: StdError + Send + Sync + 'static>() {}
fn response<T: Debug + Clone + Eq>() {}

#[test]
fn they_do() {
    everything::<Client>();
    everything::<ClientBuilder>();
    everything::<Tls>();
    everything::<(Input<PhoneNumber>, Input<Language>, Input<OtpId>)>();
    everything::<(NewOtp, VerifyOtp, ResendOtp)>();
    everything::<(InitiateReverseOtp, VerifyReverseOtp, CancelReverseOtp)>();
    everything::<(SentOtp, Verification, Resent, ReverseSession, ReverseStatus, Cancellation)>();
    everything::<(Verified, Metadata, Issue, IssueKind, Instructions)>();
    everything::<(LanguageTag, OtherService, OtherStatus, typestate::Missing)>();
    everything::<(reverse::Wait<'static>, reverse::Outcome, reverse::Stop)>();
    everything::<(sandbox::Sandbox, sandbox::Sms, sandbox::Fault, sandbox::StatusFault, sandbox::WebhookAttempt)>();
    everything::<(sandbox::Phone<'static>, sandbox::SandboxClock<'static>)>();
    everything::<(webhook::Verifier, webhook::Event, webhook::OtpReverseVerified, webhook::OtherEvent)>();
    everything::<qr::QrCode>();
    everything::<(Challenge, Policy, Attempt, Refusal, Reason, Limit)>();
    everything::<(guard::Guard, guard::GuardBuilder, guard::Guarded, guard::Caller, guard::Limits, guard::WhenAway)>();
    everything::<(guard::Memory, guard::Redis, guard::Script, guard::Decision)>();
    everything::<(guard::Claim<'static>, guard::Return<'static>)>();
    error::<Error>();
    error::<ConfigError>();
    error::<ValidationError>();
    error::<TransportError>();
    error::<ApiError>();
    error::<Refusal>();
    error::<guard::StoreError>();
    error::<DecodeError>();
    error::<NotVerified>();
    error::<InvalidPhoneNumber>();
    error::<InvalidLanguage>();
    error::<InvalidOtpId>();
    error::<webhook::Error>();
    error::<webhook::InvalidSecret>();
    error::<qr::Error>();
    value::<OtpId>();
    value::<PhoneNumber>();
    value::<Language>();
    value::<Service>();
    value::<Status>();
    checked::<OtpId>();
    checked::<PhoneNumber>();
    checked::<Language>();
    wire_value::<Service>();
    wire_value::<Status>();
    response::<(SentOtp, Resent, ReverseSession, Cancellation, Metadata)>();
}

#[test]
fn errors_are_small_enough_to_return() {
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}

#[test]
fn values_compare_with_text() {
    let id = OtpId::parse("otp_1").unwrap();
    assert!(id == "otp_1" && id == *"otp_1" && id != "otp_2");
    assert!(PhoneNumber::parse("+14155552671").unwrap() == "+14155552671");
    assert!(Language::parse("PT_br").unwrap() == "pt-br");
    assert!(Status::Expired == "expired" && Service::Sms == "sms");
    assert_eq!(<OtpId as AsRef<str>>::as_ref(&id), "otp_1");
    // A map with ids as keys is read by text.
    let name: &str = id.borrow();
    assert_eq!(name, "otp_1");
    let sessions = HashMap::from([(id, 7)]);
    assert_eq!(sessions.get("otp_1"), Some(&7));
}

#[test]
fn unknown_values_of_the_wire_are_kept_and_displayed() {
    for text in ["paused", "Verified", "", " sms", "ver\u{e9}"] {
        let (Status::Other(status), Service::Other(service)) = (Status::from(text), Service::from(text.to_owned()))
        else {
            panic!("{text:?} is known")
        };
        assert_eq!((status.as_str(), status.to_string()), (text, text.to_owned()));
        assert_eq!((service.as_str(), service.to_string()), (text, text.to_owned()));
        assert_eq!(
            (Status::from(text).to_string(), Service::from(text).to_string()),
            (text.to_owned(), text.to_owned())
        );
        let stored = serde_json::to_string(&Status::from(text)).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&stored).unwrap(), text);
    }
    assert_eq!("verified".parse(), Ok(Status::Verified));
    assert_eq!("imessage".parse(), Ok(Service::IMessage));
}

#[test]
fn half_built_requests_have_a_name() {
    use typestate::Missing;

    fn in_english(to: &str) -> NewOtp<Input<Language>, Missing> {
        NewOtp::to(to).language("en")
    }
    fn ready(request: NewOtp<Input<Language>, Missing>) -> NewOtp {
        request.name("MyApp")
    }
    fn checks<O: typestate::HasOtp>(check: VerifyOtp<O>, client: &Client) -> bool {
        check.send(client).is_err()
    }
    let sandbox = sandbox::Sandbox::start().unwrap();
    let sent = ready(in_english("+14155552671")).send(&sandbox.client()).unwrap();
    let unfinished: VerifyOtp<Missing> = VerifyOtp::otp_id(&sent.otp_id);
    assert!(checks(unfinished.otp(""), &sandbox.client()));
}

/// `main` prints the `Debug` of an error.
#[test]
fn the_debug_of_an_error_is_its_message() {
    fn check(error: &dyn StdError) {
        assert_eq!(format!("{error:?}"), error.to_string());
        assert_eq!(format!("{error:#?}"), error.to_string());
        assert!(!error.to_string().is_empty());
    }
    let sandbox = sandbox::Sandbox::start().unwrap();
    let client = sandbox.client().with_retries(0);
    let config = Client::new("").unwrap_err();
    let validation = ResendOtp::otp_id("").send(&client).unwrap_err();
    let api = ResendOtp::otp_id("otp_unknown").send(&client).unwrap_err();
    sandbox.fail_next(sandbox::Fault::garbage());
    let decode = ResendOtp::otp_id("otp_1").send(&client).unwrap_err();
    sandbox.fail_next(sandbox::Fault::drop_before());
    let transport = ResendOtp::otp_id("otp_1").send(&client).unwrap_err();
    let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
    let mut challenge = otp.challenge(&client, Policy::DEFAULT).unwrap();
    let refused = challenge.resend(&client).unwrap_err();
    for error in [&config, &validation, &refused, &api, &decode, &transport] {
        check(error);
        match error {
            Error::Config(error) => check(error),
            Error::Validation(error) => check(error),
            Error::Refused(error) => check(error),
            Error::Api(error) => check(error),
            Error::Decode(error) => check(error),
            Error::Transport(error) => check(error),
            _ => panic!("{error}"),
        }
    }
    check(&OtpId::parse("").unwrap_err());
    check(&PhoneNumber::parse("").unwrap_err());
    check(&Language::parse("").unwrap_err());
    check(&reverse::Outcome::Stopped.proof().unwrap_err());
    check(&webhook::Verifier::new("").unwrap_err());
    check(&guard::StoreError::new("no response within 500 ms"));
    let error = guard::StoreError::with_source("the pool is empty", std::io::Error::other("closed"));
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("closed"));
}

#[test]
fn setters_take_values_references_and_text() {
    fn texts<T>(text: &str) -> [Input<T>; 4]
    where
        Input<T>: for<'a> From<&'a str> + From<String> + for<'a> From<&'a String> + for<'a> From<Cow<'a, str>>,
    {
        let owned = text.to_owned();
        [text.into(), (&owned).into(), owned.into(), Cow::from(text).into()]
    }
    let number = PhoneNumber::parse("+14155552671").unwrap();
    let id = OtpId::parse("otp_1234567890").unwrap();
    for number in texts("+14155552671").into_iter().chain([number.into(), (&number).into()]) {
        let _: NewOtp<_, _> = NewOtp::to(number);
    }
    for language in texts("en").into_iter().chain([Language::English.into(), (&Language::English).into()]) {
        let _: NewOtp<_, _> = NewOtp::to(number).language(language);
    }
    for id in texts("otp_1234567890").into_iter().chain([(&id).into(), id.into()]) {
        let _: ResendOtp = ResendOtp::otp_id(id);
    }
}
