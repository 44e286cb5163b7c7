//! Serves the sandbox beside a program, for programs in any language.
//!
//! ```text
//! cargo run --example sandbox -- --port 4010
//! ```
//!
//! It prints two exports. A program that makes its client by `Client::from_env()` and sees them talks to the sandbox instead
//! of the service, with no code changed. Ctrl-C stops it.

use std::process::ExitCode;
use std::thread;

use contiguity::sandbox::Sandbox;

const USAGE: &str = "usage: cargo run --example sandbox -- [--port PORT]   (PORT defaults to 4010, 0 takes a free one)";

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
    println!("The sandbox listens at {url}. It texts nobody. To use it from a program:\n");
    println!("export CONTIGUITY_BASE_URL={url}");
    println!("export CONTIGUITY_API_KEY={}", sandbox.api_key());
    println!(
        "
To play the phone and the weather:

curl {url}/sandbox/messages                                                          # every text, with its code
curl {url}/sandbox/text -d '{{\"from\":\"+14155552671\",\"to\":\"+16465550123\",\"body\":\"1234\"}}'   # a person texts
curl {url}/sandbox/advance -d '{{\"seconds\":960}}'                                    # codes are now expired
curl {url}/sandbox/fail -d '{{\"fault\":\"status\",\"status\":502,\"after_acting\":true}}'   # the next request fails
curl {url}/sandbox/webhooks                                                          # what was posted to success_url
curl {url}/sandbox/reset -X POST                                                     # begin anew

Webhooks are signed with {}. Ctrl-C stops the sandbox.",
        sandbox.webhook_secret(),
    );
    loop {
        // The sandbox serves on a thread of its own, for as long as this one lives.
        thread::park();
    }
}

fn port(mut arguments: impl Iterator<Item = String>) -> Result<u16, String> {
    let mut port = 4010;
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--port") {
            Some("") => arguments.next().ok_or("--port wants a number")?,
            Some(value) if value.starts_with('=') => value[1..].to_owned(),
            _ => return Err(format!("unknown argument {argument:?}")),
        };
        port = value.parse().map_err(|_| format!("{value:?} is no port: give a number from 0 to 65535"))?;
    }
    Ok(port)
}
