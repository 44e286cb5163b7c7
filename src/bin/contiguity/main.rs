//! The command line of the Contiguity OTP API: `contiguity send`, `verify`, `sign-in` and the rest.
//!
//! Installed with `cargo install contiguity --features cli`. `contiguity help COMMAND` describes each
//! command with examples. The program uses only the public API of the crate.
//!
//! # JSON
//!
//! With `--json`, each command prints JSON objects on standard output, one a line, and nothing else.
//! Each has the field `event`; [`output::Event`] lists them all with their fields. A failure is the
//! event `error` on standard output as well. What `clap` refuses (exit status 2) is text on standard
//! error.
//!
//! # Exit statuses
//!
//! | status | |
//! |---|---|
//! | 0 | verified, sent or done |
//! | 1 | refused or failed, and certainly not sent |
//! | 2 | wrong usage |
//! | 3 | not verified |
//! | 4 | may have been sent: do not retry |
//! | 130, 143 | interrupted by Ctrl-C or SIGTERM |

mod arguments;
mod ending;
mod otp;
mod output;
mod people;
mod prompt;
mod reverse;
mod sandbox;
mod signals;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command, Reverse};
use ending::{Ending, Failure};
use output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => arguments::without_digits(error).exit(),
    };
    let output = Output::new(arguments.json);
    match run(arguments.command, &output) {
        Ok(ending) => ending.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.into()
        }
    }
}

fn run(command: Command, output: &Output) -> Result<Ending, Failure> {
    match command {
        Command::Send(recipient) => otp::send(recipient, output),
        Command::Verify(command) => otp::verify(&command, output),
        Command::Resend(command) => otp::resend(&command, output),
        Command::SignIn(command) => otp::sign_in(command, output),
        Command::Reverse(Reverse::Start(command)) => reverse::start(command, output),
        Command::Reverse(Reverse::Status(command)) => reverse::status(&command, output),
        Command::Reverse(Reverse::Cancel(command)) => reverse::cancel(&command, output),
        Command::Reverse(Reverse::Wait(command)) => reverse::wait(&command, output),
        Command::Sandbox(command) => sandbox::run(command, output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "contiguity", &mut script);
            output::script(&script)
        }
    }
}
