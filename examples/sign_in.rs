//! Signs a person in with a code that is texted to their phone: the main job of this crate.
//!
//! ```text
//! cargo run --example sign_in
//! ```
//!
//! Without an API key in the environment, it runs on the embedded sandbox and shows the phone's
//! inbox. With `CONTIGUITY_API_KEY` set, it uses the service and texts a real phone.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use contiguity::guard::{Caller, Guard};
use contiguity::sandbox::Sandbox;
use contiguity::{Attempt, Client, Limit, NewOtp, PhoneNumber, Policy, Verified};

/// Numbers without a `+` are read as they are dialed here.
const REGION: &str = "US";

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

/// Only a verified person gets here: this function cannot be called without the proof.
fn welcome(proof: &Verified) {
    println!("Welcome! You are signed in (session {}).", proof.otp_id());
}

fn sign_in() -> Result<Option<Verified>, Box<dyn Error>> {
    let service = Service::from_env()?;
    // However this program is used, it sends up to 20 texts an hour.
    let guard = Guard::total(Limit::per_hour(20)).everywhere().build()?;
    let client = service.client()?.guarded(guard).by(Caller::nobody());

    let number = ask_number()?;
    println!("Sending a code to {number}.");
    let otp = NewOtp::to(number).language("en").name("MyApp");
    let mut challenge = otp.challenge(&client, Policy::DEFAULT.attempts(3))?;
    service.show_inbox(number);

    while challenge.attempts_left() > 0 {
        let typed = ask(&format!("Code (attempts left: {}; r resends it): ", challenge.attempts_left()))?;
        if typed.eq_ignore_ascii_case("r") {
            match challenge.resend(&client) {
                Ok(()) => {
                    println!("The code was sent again.");
                    service.show_inbox(number);
                }
                Err(contiguity::Error::Refused(refusal)) => println!("{}", refusal.advice()),
                Err(error) => return Err(error.into()),
            }
            continue;
        }
        match challenge.verify(&client, typed) {
            Ok(Attempt::Verified(proof)) => return Ok(Some(proof)),
            Ok(Attempt::Wrong { .. }) => println!("Wrong code."),
            // The text is not a code. Nothing was sent, so no attempt is used.
            Err(contiguity::Error::Validation(_)) => println!("Please enter the digits of the code."),
            Err(contiguity::Error::Refused(refusal)) => {
                println!("{}", refusal.advice());
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn ask_number() -> io::Result<PhoneNumber> {
    loop {
        let typed = ask("Phone number, such as +14155552671: ")?;
        match PhoneNumber::from_user_input(&typed, REGION) {
            Ok(number) => return Ok(number),
            Err(_) => println!("Please enter your phone number with its area code or country code."),
        }
    }
}

/// Reads a line. The end of the input is an error, so that no loop asks forever.
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

/// The real service, or the sandbox in its place.
enum Service {
    Real,
    Sandbox(Sandbox),
}

impl Service {
    fn from_env() -> io::Result<Self> {
        let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
        if is_set("CONTIGUITY_API_KEY") || is_set("CONTIGUITY_TOKEN") {
            println!("Using the real service, which sends a real text.");
            return Ok(Self::Real);
        }
        println!("CONTIGUITY_API_KEY is not set. Using the embedded sandbox, which sends no real texts.");
        Ok(Self::Sandbox(Sandbox::start()?))
    }

    fn client(&self) -> Result<Client, contiguity::Error> {
        match self {
            Self::Real => Client::from_env(),
            Self::Sandbox(sandbox) => Ok(sandbox.client()),
        }
    }

    /// Prints the newest message of a sandbox phone, as the person would read it.
    fn show_inbox(&self, number: PhoneNumber) {
        if let Self::Sandbox(sandbox) = self {
            if let Some(sms) = sandbox.phone(number).last_message() {
                println!("\n  [{number}] {}\n", sms.text);
            }
        }
    }
}
