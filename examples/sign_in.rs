//! Signs a person in by a code that is texted to their phone: the whole job of this crate.
//!
//! ```text
//! cargo run --example sign_in
//! ```
//!
//! Without an API key in the environment it runs on the embedded sandbox and shows the phone's inbox. With
//! `CONTIGUITY_API_KEY` set it uses the service, and texts a real phone.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use contiguity::sandbox::Sandbox;
use contiguity::{Client, NewOtp, OtpId, PhoneNumber, ResendOtp, Verified, VerifyOtp};

fn main() -> ExitCode {
    match sign_in() {
        Ok(Some(proof)) => {
            welcome(&proof);
            ExitCode::SUCCESS
        }
        Ok(None) => {
            println!("Not signed in.");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("sign_in: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What only a verified person may see: it cannot be called without the proof.
fn welcome(proof: &Verified) {
    println!("Welcome! You are signed in (by {}).", proof.otp_id());
}

fn sign_in() -> Result<Option<Verified>, Box<dyn Error>> {
    let service = Service::from_env()?;
    let client = service.client()?;

    let number = ask_number()?;
    let sent = NewOtp::to(number).language("en").name("MyApp").send(&client)?;
    println!("We have texted you a code.");
    service.show_inbox(&number);

    let mut attempts = 3;
    let mut resends = 2;
    while attempts > 0 {
        let typed = ask(&format!("The code (r sends it again; attempts left: {attempts}): "))?;
        if typed.eq_ignore_ascii_case("r") {
            if resends == 0 {
                println!("We have texted you often enough. Please wait for the code.");
                continue;
            }
            resends -= 1;
            resend(&client, &sent.otp_id)?;
            service.show_inbox(&number);
            continue;
        }
        match VerifyOtp::otp_id(&sent.otp_id).otp(typed).send(&client) {
            Ok(check) => match check.proof() {
                Ok(proof) => return Ok(Some(proof)),
                Err(not_verified) => println!("{not_verified}."),
            },
            // What was typed is no code at all: nothing was sent, and no attempt is used up.
            Err(contiguity::Error::Validation(error)) => {
                println!("{error}.");
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        attempts -= 1;
    }
    Ok(None)
}

fn resend(client: &Client, otp_id: &OtpId) -> Result<(), contiguity::Error> {
    if ResendOtp::otp_id(otp_id).send(client)?.resent {
        println!("We have texted you the code again.");
    } else {
        println!("This code can't be sent again: it was used or has expired.");
    }
    Ok(())
}

fn ask_number() -> io::Result<PhoneNumber> {
    loop {
        let typed = ask("Your phone number, such as +14155552671: ")?;
        match PhoneNumber::parse(&typed).or_else(|error| error.suggestion().copied().ok_or(error)) {
            Ok(number) => return Ok(number),
            Err(error) => println!("That {error}."),
        }
    }
}

/// A line that the person types. The end of the input is an error, so that nothing asks forever.
fn ask(prompt: &str) -> io::Result<String> {
    print!("{prompt}");
    io::stdout().flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        println!();
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input ended before you were signed in"));
    }
    Ok(line.trim().to_owned())
}

/// The service itself, or the sandbox in its place.
enum Service {
    Real,
    Sandbox(Sandbox),
}

impl Service {
    fn from_env() -> Result<Self, contiguity::Error> {
        let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
        if is_set("CONTIGUITY_API_KEY") || is_set("CONTIGUITY_TOKEN") {
            return Ok(Self::Real);
        }
        println!("No CONTIGUITY_API_KEY in the environment: this runs on the embedded sandbox, and texts nobody.");
        Ok(Self::Sandbox(Sandbox::start()?))
    }

    fn client(&self) -> Result<Client, contiguity::Error> {
        match self {
            Self::Real => Client::from_env(),
            Self::Sandbox(sandbox) => Ok(sandbox.client()),
        }
    }

    /// In the sandbox, the phone's newest message, as the person would read it.
    fn show_inbox(&self, number: &PhoneNumber) {
        if let Self::Sandbox(sandbox) = self {
            if let Some(sms) = sandbox.phone(number).last_message() {
                println!("\n  [{number}] {}\n", sms.text);
            }
        }
    }
}
