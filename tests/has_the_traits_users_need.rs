//! Every public type is `Debug`, `Send` and `Sync`; values are also what maps, databases and messages ask for.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use contiguity::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn everything<T: Debug + Send + Sync + 'static>() {}
fn value<T: Debug + Send + Sync + Clone + Eq + Hash + Display + AsRef<str> + FromStr + Serialize + DeserializeOwned>() {
}
fn checked<T: for<'a> TryFrom<&'a str> + TryFrom<String>>() {}
fn error<T: StdError + Send + Sync + 'static>() {}
fn answer<T: Debug + Clone + Eq>() {}

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
    everything::<(LanguageTag, OtherService, OtherStatus)>();
    everything::<(reverse::Wait<'static>, reverse::Outcome)>();
    everything::<(sandbox::Sandbox, sandbox::Sms, sandbox::Fault, sandbox::StatusFault, sandbox::WebhookAttempt)>();
    everything::<(sandbox::Phone<'static>, sandbox::Clock<'static>)>();
    everything::<(webhook::Verifier, webhook::Event, webhook::OtpReverseVerified, webhook::OtherEvent)>();
    everything::<qr::QrCode>();
    error::<Error>();
    error::<ConfigError>();
    error::<ValidationError>();
    error::<TransportError>();
    error::<ApiError>();
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
    answer::<(SentOtp, Resent, ReverseSession, Cancellation, Metadata)>();
}

#[test]
fn errors_are_small_enough_to_return() {
    assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
}
