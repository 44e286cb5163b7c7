//! Signs a person in by a text that *they* send: QR code, instruction, a wait with the time left, and a clean end.
//!
//! ```text
//! cargo run --example reverse
//! ```
//!
//! Without an API key in the environment it runs on the embedded sandbox, where pressing Enter plays the phone. With
//! `CONTIGUITY_API_KEY` set it uses the service, and you text from a real phone. Ctrl-C cancels the session before it
//! leaves. The exit status is 0 only if you were signed in.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contiguity::qr::Background;
use contiguity::reverse::{Clock, Outcome};
use contiguity::sandbox::Sandbox;
use contiguity::{CancelReverseOtp, Client, InitiateReverseOtp, PhoneNumber, ReverseSession, Verified};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

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

/// What only a verified person may see: it cannot be called without the proof.
fn welcome(proof: &Verified) {
    let number = proof.number().map(ToString::to_string).unwrap_or_default();
    println!("Welcome, {number}! You are signed in (by {}).", proof.otp_id());
}

fn sign_in() -> Result<Option<Verified>, Box<dyn Error>> {
    let sandbox = sandbox_unless_a_key_is_set()?;
    let client = match &sandbox {
        Some(sandbox) => sandbox.client(),
        None => Client::from_env()?,
    };
    let number = ask_number()?;
    // From here on there may be something to cancel.
    ctrlc::set_handler(|| WAITING.interrupt("interrupted"))?;
    let session = InitiateReverseOtp::number(number).language("en").send(&client)?;
    show(&session);

    // In the sandbox somebody has to play the phone. The thread ends with the program: it may hang in a read of stdin.
    if let Some(sandbox) = sandbox {
        let (to, factor) = (session.to.clone(), session.factor.clone());
        println!("Press Enter to text {factor} to {to} as {number} would.");
        std::thread::spawn(move || {
            let mut line = String::new();
            match io::stdin().lock().read_line(&mut line) {
                Ok(1..) => sandbox.phone(number).text(&to, &factor),
                _ => WAITING.interrupt("the input ended, so nobody can text"),
            }
            // The service lives as long as its sandbox.
            loop {
                std::thread::park();
            }
        });
    }

    wait(&session, &client)
}

fn wait(session: &ReverseSession, client: &Client) -> Result<Option<Verified>, Box<dyn Error>> {
    let ends = Instant::now() + PATIENCE;
    let spinner = ProgressBar::new_spinner();
    let left = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let seconds = ends.saturating_duration_since(Instant::now()).as_secs();
        // A line of a terminal takes what is written.
        let _ = write!(out, "{}:{:02}", seconds / 60, seconds % 60);
    };
    spinner.set_style(
        ProgressStyle::with_template("{spinner} Waiting for your text, {left} left")?.with_key("left", left),
    );
    spinner.enable_steady_tick(Duration::from_millis(100));

    let outcome = session
        .wait(client)
        .timeout(PATIENCE)
        .interval(Duration::from_secs(2), Duration::from_secs(5))
        .clock(&WAITING)
        .run();
    spinner.finish_and_clear();

    let outcome = outcome.inspect_err(|_| cancel(session, client))?;
    match outcome {
        Outcome::Verified(proof) => return Ok(Some(proof)),
        Outcome::Expired => println!("The session expired before your text came."),
        Outcome::Cancelled => println!("The session was cancelled."),
        Outcome::TimedOut { cancelled: true } => println!("Time is up. The session is cancelled."),
        Outcome::TimedOut { .. } => {
            println!("Time is up. The session could not be cancelled and will expire by itself.");
        }
        Outcome::Stopped => {
            print!("Stopped ({}). ", WAITING.reason());
            cancel(session, client);
        }
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

/// The code to scan and the instruction, or the instruction alone where there is no terminal to draw in.
fn show(session: &ReverseSession) {
    let mut text = String::new();
    if io::stdout().is_terminal() {
        if let Ok(code) = session.qr() {
            let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let code = if is_plain { code.to_text(Background::Dark) } else { code.to_terminal() };
            let _ = writeln!(text, "\nScan this with the phone that has to text, or do it by hand:\n\n{code}");
        }
    }
    match &session.ui {
        Some(ui) => println!("{text}\n{}\n", ui.text),
        None => println!("{text}\nText {} to {}.\n", session.factor, session.to),
    }
}

fn sandbox_unless_a_key_is_set() -> Result<Option<Sandbox>, contiguity::Error> {
    let is_set = |name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    if is_set("CONTIGUITY_API_KEY") || is_set("CONTIGUITY_TOKEN") {
        return Ok(None);
    }
    println!("No CONTIGUITY_API_KEY in the environment: this runs on the embedded sandbox.");
    Sandbox::start().map(Some)
}

fn ask_number() -> io::Result<PhoneNumber> {
    loop {
        print!("Your phone number, such as +14155552671: ");
        io::stdout().flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            println!();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input ended before you were signed in"));
        }
        match PhoneNumber::parse(line.trim()).or_else(|error| error.suggestion().copied().ok_or(error)) {
            Ok(number) => return Ok(number),
            Err(error) => println!("That {error}."),
        }
    }
}

/// How long the person may take.
const PATIENCE: Duration = Duration::from_secs(300);

static WAITING: Interruptible = Interruptible { reason: Mutex::new(None), interrupted: Condvar::new() };

/// The system's clock, but for a sleep that an interrupt ends: nobody waits for the next poll after Ctrl-C.
#[derive(Debug)]
struct Interruptible {
    reason: Mutex<Option<&'static str>>,
    interrupted: Condvar,
}

impl Interruptible {
    /// The second interrupt in a row is an order.
    fn interrupt(&self, reason: &'static str) {
        let earlier = self.reason.lock().unwrap_or_else(PoisonError::into_inner).replace(reason);
        if earlier.is_some() {
            std::process::exit(130);
        }
        self.interrupted.notify_all();
    }

    fn is_interrupted(&self) -> bool {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn reason(&self) -> &'static str {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or("asked to")
    }
}

impl Clock for Interruptible {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.interrupted.wait_timeout_while(reason, duration, |reason| reason.is_none()));
        if self.is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
