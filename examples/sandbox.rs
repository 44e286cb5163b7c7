//! Runs the sandbox beside a program in any language.
//!
//! ```text
//! cargo run --example sandbox -- --port 4010
//! ```
//!
//! It prints two environment variables. A program that uses `Client::from_env()` with these variables
//! set talks to the sandbox without code changes. Ctrl-C stops the sandbox.

use std::process::ExitCode;
use std::thread;

use contiguity::sandbox::Sandbox;

const USAGE: &str = "usage: cargo run --example sandbox -- [--port PORT]   (PORT defaults to 4010; 0 is a free port)";

fn main() -> ExitCode {
    let port = match port(std::env::args().skip(1)) {
        Ok(port) => port,
        Err(error) => {
            eprintln!("sandbox: {error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let sandbox = match Sandbox::start_on(port) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("sandbox: {error}");
            return ExitCode::FAILURE;
        }
    };
    let url = sandbox.url();
    println!("The sandbox listens on {url} and sends no real texts. To use it from a program:\n");
    println!("export CONTIGUITY_BASE_URL={url}");
    println!("export CONTIGUITY_API_KEY={}", sandbox.api_key());
    println!(
        "
To play the phone, move the clock and inject faults:

  # all texts, with their codes
  curl {url}/sandbox/messages
  # a person texts the service
  curl {url}/sandbox/text -d '{{\"from\":\"+14155552671\",\"to\":\"+16465550123\",\"body\":\"1234\"}}'
  # codes are now expired
  curl {url}/sandbox/advance -d '{{\"seconds\":960}}'
  # the next request fails
  curl {url}/sandbox/fail -d '{{\"fault\":\"status\",\"status\":502,\"after_acting\":true}}'
  # what was posted to success_url
  curl {url}/sandbox/webhooks
  # start over
  curl {url}/sandbox/reset -X POST

Webhooks are signed with {}. Ctrl-C stops the sandbox.",
        sandbox.webhook_secret(),
    );
    loop {
        // The sandbox serves on its own thread, for as long as the program runs.
        thread::park();
    }
}

fn port(mut arguments: impl Iterator<Item = String>) -> Result<u16, String> {
    let mut port = 4010;
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--port") {
            Some("") => arguments.next().ok_or("--port needs a number")?,
            Some(value) if value.starts_with('=') => value[1..].to_owned(),
            _ => return Err(format!("unknown argument {argument:?}")),
        };
        port = value.parse().map_err(|_| format!("invalid port {value:?}; use 0 to 65535"))?;
    }
    Ok(port)
}
