//! Every flow of the vendor's guide, from end to end against the sandbox.

use std::time::Duration;

use contiguity::sandbox::Sandbox;
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, Metadata, NewOtp, ResendOtp, ReverseSession, ReverseStatus,
    SentOtp, Status, Verification, VerifyOtp, VerifyReverseOtp,
};

const PHONE: &str = "+14155552671";

#[test]
fn new_then_verify() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let sent = send(&client);
    let sms = sandbox.phone(PHONE).last_message().unwrap();
    assert_eq!(sms.text, format!("Your MyApp code is {}", sms.code));
    assert_eq!(sms.otp_id, sent.otp_id);
    let proof = verify(&client, &sent, &sms.code).proof().unwrap();
    // A check from a stored id does not know the number.
    assert_eq!((proof.otp_id(), proof.number()), (&sent.otp_id, None));
}

#[test]
fn a_check_that_begins_with_the_sent_otp_knows_the_number() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let mut sent = send(&client);
    assert_eq!(sent.number, PHONE);
    // Writing to the public fields changes neither the check nor the proof.
    let otp_id = sent.otp_id.clone();
    sent.otp_id = "otp_other".parse().unwrap();
    sent.number = "+14155550000".parse().unwrap();
    sent.metadata = Metadata::default();
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    let proof = sent.verify(code).send(&client).unwrap().proof().unwrap();
    assert_eq!(proof.otp_id(), &otp_id);
    assert_eq!(proof.number().unwrap(), PHONE);
}

#[test]
fn a_wrong_code_is_neither_an_error_nor_a_proof() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let sent = send(&client);
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let not_verified = verify(&client, &sent, wrong).proof().unwrap_err();
    assert_eq!(not_verified.status(), None);
    assert_eq!(not_verified.to_string(), "not verified: the code is wrong, used or expired");
    assert!(verify(&client, &sent, &code).verified);
}

#[test]
fn a_code_verifies_once() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let sent = send(&client);
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    assert!(verify(&client, &sent, &code).verified);
    assert!(!verify(&client, &sent, &code).verified);
}

#[test]
fn the_resend_flow() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let sent = send(&client);
    sandbox.advance(Duration::from_secs(14 * 60));
    assert!(ResendOtp::otp_id(&sent.otp_id).send(&client).unwrap().resent);
    let texts = sandbox.phone(PHONE).messages();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0].code, texts[1].code);
    // The resend does not renew the code.
    sandbox.advance(Duration::from_secs(60));
    assert!(!verify(&client, &sent, &texts[1].code).verified);
    assert!(!ResendOtp::otp_id(&sent.otp_id).send(&client).unwrap().resent);
    assert_eq!(sandbox.deliveries(PHONE), 2);
}

#[test]
fn a_used_code_is_not_resent() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let sent = send(&client);
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    assert!(verify(&client, &sent, &code).verified);
    assert!(!ResendOtp::otp_id(&sent.otp_id).send(&client).unwrap().resent);
}

#[test]
fn the_polling_flow() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let session = initiate(&client);
    assert_eq!(status(&client, &session).status, Status::Pending);
    sandbox.phone("+14155550000").text(&session.to, &session.factor);
    sandbox.phone(PHONE).text(&session.to, "something else");
    sandbox.phone(PHONE).text("+16465550199", &session.factor);
    let pending = status(&client, &session);
    assert_eq!(pending.status, Status::Pending);
    assert_eq!(pending.proof().unwrap_err().to_string(), "not verified: the person has not texted yet");
    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let read = status(&client, &session);
    assert!(read.is_verified());
    assert_eq!(read.proof().unwrap().otp_id(), &session.otp_id);
    // A verified session cannot be cancelled.
    let error = CancelReverseOtp::otp_id(&session.otp_id).send(&client).unwrap_err();
    assert_eq!(error.status(), Some(400));
}

#[test]
fn a_session_can_be_cancelled() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let session = initiate(&client);
    let cancelled = CancelReverseOtp::otp_id(&session.otp_id).send(&client).unwrap();
    assert_eq!((cancelled.otp_id, cancelled.status), (session.otp_id.clone(), Status::Cancelled));
    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let not_verified = status(&client, &session).proof().unwrap_err();
    assert_eq!(not_verified.status(), Some(&Status::Cancelled));
    assert_eq!(not_verified.to_string(), "not verified: the session is cancelled");
}

#[test]
fn a_session_expires() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let session = initiate(&client);
    let life = session.expires_at.unwrap().duration_since(session.metadata.timestamp.unwrap()).unwrap();
    assert_eq!(life, Duration::from_secs(600));
    sandbox.advance(life);
    assert_eq!(status(&client, &session).status, Status::Expired);
}

#[test]
fn a_validation_error_differs_from_an_api_error() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    match VerifyOtp::otp_id("").otp("12").send(&client).unwrap_err() {
        Error::Validation(error) => assert_eq!(error.issues().len(), 2),
        error => panic!("{error}"),
    }
    match VerifyOtp::otp_id("otp_unknown").otp("123456").send(&client).unwrap_err() {
        Error::Api(error) => assert_eq!((error.status(), error.message()), (400, "otp_id is unknown")),
        error => panic!("{error}"),
    }
}

#[test]
fn the_service_refuses_a_wrong_key() {
    let sandbox = Sandbox::start().unwrap();
    let client = Client::builder("sk_of_another_service").base_url(sandbox.url()).build().unwrap();
    let error = NewOtp::to(PHONE).language("en").name("MyApp").send(&client).unwrap_err();
    assert_eq!((error.status(), error.may_have_sent()), (Some(401), false));
    assert_eq!(sandbox.deliveries(PHONE), 0);
}

#[test]
fn a_write_to_a_public_field_proves_nothing() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();

    let sent = send(&client);
    let code = sandbox.phone(PHONE).last_message().unwrap().code;
    let mut check = verify(&client, &sent, if code == "000000" { "000001" } else { "000000" });
    check.verified = true;
    check.metadata = Metadata::default();
    assert!(check.proof().is_err());

    let session = initiate(&client);
    let mut read = status(&client, &session);
    read.status = Status::Verified;
    assert!(!read.is_verified());
    assert!(read.proof().is_err());

    // The proof of a session is for the phone that was asked for.
    let mut session = session;
    session.number = "+14155550000".parse().unwrap();
    sandbox.phone(PHONE).text(&session.to, &session.factor);
    let proof = session.wait(&client).run().unwrap().proof().unwrap();
    assert_eq!(proof.number().unwrap(), PHONE);

    let mut other = InitiateReverseOtp::number("+14155550000").send(&client).unwrap();
    other.otp_id = session.otp_id.clone();
    let proof = other.wait(&client).run().unwrap().proof().unwrap();
    assert_eq!((proof.otp_id(), proof.number()), (&session.otp_id, None));
}

fn send(client: &Client) -> SentOtp {
    NewOtp::to(PHONE).language("en").name("MyApp").send(client).unwrap()
}

fn verify(client: &Client, sent: &SentOtp, code: &str) -> Verification {
    VerifyOtp::otp_id(&sent.otp_id).otp(code).send(client).unwrap()
}

fn initiate(client: &Client) -> ReverseSession {
    InitiateReverseOtp::number(PHONE).factor("MyApp2024").language("en").send(client).unwrap()
}

fn status(client: &Client, session: &ReverseSession) -> ReverseStatus {
    VerifyReverseOtp::otp_id(&session.otp_id).send(client).unwrap()
}
