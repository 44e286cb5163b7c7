//! Signs a person in with a text that *they* send: QR code, instructions, and a wait with the time
//! left.
//!
//! ```text
//! cargo run --example reverse
//! ```
//!
//! Without an API key in the environment, it runs on the embedded sandbox, where pressing Enter
//! acts as the phone. With `CONTIGUITY_API_KEY` set, it uses the service, and you text from a real
//! phone. Ctrl-C cancels the session. The exit status is 0 only if you were signed in.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use contiguity::qr::Background;
use contiguity::reverse::{Outcome, Stop};
use contiguity::sandbox::Sandbox;
use contiguity::{CancelReverseOtp, Client, InitiateReverseOtp, PhoneNumber, ReverseSession, Verified};

/// How long the person may take.
const TIMEOUT: Duration = Duration::from_secs(300);

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
            eprintln!("reverse: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Only a verified person gets here: this function cannot be called without the proof.
fn welcome(proof: &Verified) {
    let number = proof.number().map(|number| number.to_string()).unwrap_or_default();
    println!("Welcome, {number}! You are signed in (session {}).", proof.otp_id());
}

fn sign_in() -> Result<Option<Verified>, Box<dyn Error>> {
    let sandbox = sandbox_unless_a_key_is_set()?;
    let client = match &sandbox {
        Some(sandbox) => sandbox.client(),
        None => Client::from_env()?,
    };
    let number = ask_number()?;
    println!("Waiting for a text from {number}.");

    let stop = Stop::new();
    let on_ctrl_c = stop.clone();
    ctrlc::set_handler(move || on_ctrl_c.stop())?;
    let session = InitiateReverseOtp::number(number).language("en").send(&client)?;
    show(&session);
    if let Some(sandbox) = sandbox {
        play_the_phone(sandbox, &session, stop.clone());
    }
    wait(&session, &client, &stop)
}

fn wait(session: &ReverseSession, client: &Client, stop: &Stop) -> Result<Option<Verified>, Box<dyn Error>> {
    let ends = Instant::now() + TIMEOUT;
    let outcome = session
        .wait(client)
        .timeout(TIMEOUT)
        .interval(Duration::from_secs(2), Duration::from_secs(5))
        .on_poll(|status| {
            let left = ends.saturating_duration_since(Instant::now()).as_secs();
            println!("The session is {}, {}:{:02} left.", status.status, left / 60, left % 60);
            ControlFlow::Continue(())
        })
        .stop_on(stop)
        .run();

    match outcome.inspect_err(|_| cancel(session, client))? {
        Outcome::Verified(proof) => return Ok(Some(proof)),
        Outcome::Expired => println!("The session expired before your text arrived."),
        Outcome::Cancelled => println!("The session was cancelled."),
        Outcome::TimedOut { cancelled: true } => println!("Time is up. The session is cancelled."),
        Outcome::TimedOut { .. } => {
            println!("Time is up. The session could not be cancelled and will expire.");
        }
        Outcome::Stopped => cancel(session, client),
        outcome => println!("The wait ended: {outcome:?}."),
    }
    Ok(None)
}

fn cancel(session: &ReverseSession, client: &Client) {
    match CancelReverseOtp::otp_id(&session.otp_id).send(client) {
        Ok(_) => println!("The session is cancelled."),
        Err(error) => println!("The session could not be cancelled: {error}."),
    }
}

/// Texts from the sandbox's phone once Enter is pressed.
fn play_the_phone(sandbox: Sandbox, session: &ReverseSession, stop: Stop) {
    let (number, to, factor) = (session.number, session.to.clone(), session.factor.clone());
    println!("Press Enter to text {factor} to {to} as {number} would.");
    // The thread ends with the program, since it may hang in a read of the input.
    std::thread::spawn(move || {
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(1..) => sandbox.phone(number).text(&to, &factor),
            _ => stop.stop(),
        }
        // The sandbox stops when it is dropped.
        loop {
            std::thread::park();
        }
    });
}

/// Prints the instructions, with a code to scan if there is a terminal to draw it in.
fn show(session: &ReverseSession) {
    if io::stdout().is_terminal() {
        if let Ok(code) = session.qr() {
            let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let code = if is_plain { code.to_text(Background::Dark) } else { code.to_terminal() };
            println!("\nScan this with your phone, or text as described below:\n\n{code}");
        }
    }
    match &session.ui {
        Some(ui) => println!("\n{}\n", ui.text),
        None => println!("\nText {} to {}.\n", session.factor, session.to),
    }
}

fn sandbox_unless_a_key_is_set() -> io::Result<Option<Sandbox>> {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    if is_set("CONTIGUITY_API_KEY") || is_set("CONTIGUITY_TOKEN") {
        println!("Using the real service.");
        return Ok(None);
    }
    println!("CONTIGUITY_API_KEY is not set. Using the embedded sandbox.");
    Sandbox::start().map(Some)
}

fn ask_number() -> io::Result<PhoneNumber> {
    loop {
        print!("Phone number, such as +14155552671: ");
        io::stdout().flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            println!();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input ended before you were signed in"));
        }
        match PhoneNumber::from_user_input(line.trim(), REGION) {
            Ok(number) => return Ok(number),
            Err(_) => println!("Please enter your phone number with its area code or country code."),
        }
    }
}
