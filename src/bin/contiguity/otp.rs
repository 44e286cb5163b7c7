//! `send`, `verify`, `resend` and `sign-in`.

use std::env;
use std::time::Duration;

use contiguity::{Attempt, Challenge, Client, Error, NewOtp, OtpId, Policy, ResendOtp, Verified, VerifyOtp};

use crate::arguments::{Recipient, Sent, SignIn};
use crate::ending::{Act, Ending, Failure};
use crate::output::{BAD, Event, GOOD, Output};
use crate::people;
use crate::prompt::{self, Typed};
use crate::signals::{self, INTERRUPTED};

pub(crate) fn send(recipient: Recipient, output: &Output) -> Result<Ending, Failure> {
    let (request, language) = request(recipient)?;
    let sent = request.send(&client()?).map_err(|error| Act::SendText.failed(error))?;
    let number = sent.number.masked().to_string();
    let text = format!("{GOOD}Sent{GOOD:#} a code to {number}.\nOTP id: {}", sent.otp_id);
    output.result(&Event::Sent { otp_id: &sent.otp_id, number, language: &language }, text)?;
    Ok(Ending::Done)
}

pub(crate) fn verify(command: &Sent, output: &Output) -> Result<Ending, Failure> {
    let client = client()?;
    signals::exit_on_signal()?;
    let code = match prompt::ask("Code: ")? {
        Typed::Line(code) => code,
        Typed::End => return Err(Failure::local("the input has no code")),
        Typed::Interrupted => return Ok(Ending::Interrupted(INTERRUPTED)),
    };
    let request = VerifyOtp::otp_id(command.otp_id.as_str()).otp(code);
    let check = request.send(&client).map_err(|error| Act::CheckCode.failed(error))?;
    match check.proof() {
        Ok(proof) => verified(&proof, output),
        Err(_) => not_verified(&otp_id(&command.otp_id)?, "the code is wrong, used or expired", output),
    }
}

pub(crate) fn resend(command: &Sent, output: &Output) -> Result<Ending, Failure> {
    let request = ResendOtp::otp_id(command.otp_id.as_str());
    let again = request.send(&client()?).map_err(|error| Act::SendText.failed(error))?;
    let otp_id = otp_id(&command.otp_id)?;
    if again.resent {
        output.result(&Event::Resent { otp_id: &otp_id }, format!("{GOOD}Sent{GOOD:#} the code again."))?;
        return Ok(Ending::Done);
    }
    let text = format!("{BAD}Not sent{BAD:#}: the code was used or has expired.");
    let reason = "the code was used or has expired".to_owned();
    output.result(&Event::NotResent { otp_id: &otp_id, reason, retry_after: None }, text)?;
    Ok(Ending::NotSent)
}

pub(crate) fn sign_in(command: SignIn, output: &Output) -> Result<Ending, Failure> {
    let cooldown = Duration::from_secs(command.resend_after.into());
    let policy = Policy::DEFAULT.attempts(command.attempts).cooldown(cooldown);
    let (request, language) = request(command.recipient)?;
    let client = client()?;
    signals::exit_on_signal()?;
    let mut challenge = request.challenge(&client, policy).map_err(|error| Act::SendText.failed(error))?;
    let otp_id = challenge.otp_id().clone();
    let number = challenge.number().masked().to_string();
    let text = format!("{GOOD}Sent{GOOD:#} a code to {number}.");
    output.result(&Event::Sent { otp_id: &otp_id, number, language: &language }, text)?;

    let reason = loop {
        if challenge.attempts_left() == 0 {
            break "no attempts are left";
        }
        let typed = match prompt::ask(&question(&challenge))? {
            Typed::Line(typed) => typed,
            Typed::End => break "the input has ended",
            Typed::Interrupted => return Ok(Ending::Interrupted(INTERRUPTED)),
        };
        if typed.eq_ignore_ascii_case("r") {
            resend_challenge(&mut challenge, &client, output)?;
            continue;
        }
        match challenge.verify(&client, typed) {
            Ok(Attempt::Verified(proof)) => return verified(&proof, output),
            Ok(Attempt::Wrong { attempts_left }) => {
                let event = Event::WrongCode { otp_id: &otp_id, attempts_left };
                output.result(&event, format!("{BAD}Wrong code.{BAD:#}"))?;
            }
            // Nothing was sent, so no attempt is used.
            Err(Error::Validation(error)) => {
                let problem = error.issues().first().map_or("is not valid", |issue| issue.message.as_str());
                let event = Event::NotACode { otp_id: &otp_id, reason: format!("the code {problem}") };
                output.result(&event, format!("The code {problem}. To send it again, type r."))?;
            }
            // The lifetime is the only limit that is not asked above.
            Err(Error::Refused(_)) => break "the code has expired",
            Err(error) => return Err(Act::CheckCode.failed(error)),
        }
    };
    not_verified(&otp_id, reason, output)
}

/// Sends the code again. Unless the output ends, a failure does not end the sign-in: the first text
/// may still arrive.
fn resend_challenge(challenge: &mut Challenge, client: &Client, output: &Output) -> Result<(), Failure> {
    let result = challenge.resend(client);
    let otp_id = challenge.otp_id();
    match result {
        Ok(()) => output.result(&Event::Resent { otp_id }, format!("{GOOD}Sent{GOOD:#} the code again.")),
        Err(Error::Refused(refusal)) => {
            let retry_after = refusal.retry_after().map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
            output.result(&Event::NotResent { otp_id, reason: refusal.advice(), retry_after }, refusal.advice())
        }
        Err(error) => {
            output.failure(&Act::SendText.failed(error));
            Ok(())
        }
    }
}

fn question(challenge: &Challenge) -> String {
    let left = challenge.attempts_left();
    let attempts = if left == 1 { "attempt" } else { "attempts" };
    let resend = if challenge.resends_left() > 0 { "; r sends it again" } else { "" };
    format!("Code ({left} {attempts} left{resend}): ")
}

/// Only a verified person gets here: this function cannot be called without the proof.
pub(crate) fn verified(proof: &Verified, output: &Output) -> Result<Ending, Failure> {
    let number = proof.number().map(|number| number.masked().to_string());
    let text = match &number {
        Some(number) => format!("{GOOD}Verified{GOOD:#} {number}."),
        None => format!("{GOOD}Verified{GOOD:#}."),
    };
    output.result(&Event::Verified { otp_id: proof.otp_id(), number }, text)?;
    Ok(Ending::Done)
}

pub(crate) fn not_verified(otp_id: &OtpId, reason: &str, output: &Output) -> Result<Ending, Failure> {
    let text = format!("{BAD}Not verified{BAD:#}: {reason}.");
    output.result(&Event::NotVerified { otp_id, reason }, text)?;
    Ok(Ending::NotVerified)
}

fn request(recipient: Recipient) -> Result<(NewOtp, String), Failure> {
    let Recipient { number, name, language, region } = recipient;
    let number = people::number(number, region.region.as_deref())?;
    let language = people::language(&language);
    Ok((NewOtp::to(number).language(language.as_str()).name(name), language))
}

/// A client for the service that the environment names.
pub(crate) fn client() -> Result<Client, Failure> {
    Client::from_env().map_err(|error| not_configured(&error))
}

/// The crate's message, with the variable that is set on the command line instead of the method that
/// a program calls.
fn not_configured(error: &Error) -> Failure {
    let set = format!("set {INSECURE_VARIABLE}=1");
    let method = "call `allow_insecure_http()`";
    let message = error.to_string().replace(&format!("{method} or {set}"), &set).replace(method, &set);
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty());
    let has_key = KEY_VARIABLES.into_iter().any(is_set);
    let hint = "get a key at https://console.contiguity.com, or try `contiguity sandbox`";
    Failure::Local { message, hint: (!has_key).then_some(hint) }
}

/// The id of a call that succeeded, and so is valid.
fn otp_id(text: &str) -> Result<OtpId, Failure> {
    OtpId::parse(text).map_err(|error| Failure::local(error.to_string()))
}

/// The variables that the key is read from.
const KEY_VARIABLES: [&str; 2] = ["CONTIGUITY_API_KEY", "CONTIGUITY_TOKEN"];

const INSECURE_VARIABLE: &str = "CONTIGUITY_ALLOW_INSECURE_HTTP";
