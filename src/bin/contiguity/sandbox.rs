//! `sandbox`.

use std::io;
use std::net::IpAddr;

use contiguity::sandbox::Sandbox;

use crate::arguments::Sandbox as SandboxCommand;
use crate::ending::{Ending, Failure};
use crate::output::{BAD, Event, GOOD, Output};
use crate::signals::Signals;

pub(crate) fn run(command: SandboxCommand, output: &Output) -> Result<Ending, Failure> {
    // Before the sandbox starts, so that a signal always stops it cleanly.
    let mut signals = Signals::listen()?;
    raise_open_files();
    let SandboxCommand { host, port, allowed_hosts, code, webhook_secret, state_file, .. } = command;
    let mut builder = Sandbox::builder().host(host).port(port);
    for name in &allowed_hosts {
        builder = builder.allow_host(name);
    }
    if let Some(code) = code {
        builder = builder.code(code);
    }
    if let Some(secret) = webhook_secret {
        builder = builder.webhook_secret(secret);
    }
    if let Some(path) = &state_file {
        builder = builder.state_file(path);
    }
    let sandbox = builder.start().map_err(|error| not_started(&error))?;

    let event = Event::Listening {
        url: sandbox.url(),
        api_key: sandbox.api_key(),
        webhook_secret: sandbox.webhook_secret(),
        allowed_hosts: &allowed_hosts,
        state_file: state_file.as_ref().map(|path| path.display().to_string()),
    };
    let kept = match &state_file {
        Some(path) => format!("Messages, codes, sessions and the clock are kept in {}. ", path.display()),
        None => String::new(),
    };
    let text = format!(
        "{}{}{}Ctrl-C stops the sandbox.",
        introduction(&sandbox),
        exposure(&sandbox, host, &allowed_hosts),
        kept
    );
    output.result(&event, text)?;
    signals.next();
    drop(sandbox);
    output.result(&Event::Stopped, "\nThe sandbox is stopped.")?;
    Ok(Ending::Done)
}

fn introduction(sandbox: &Sandbox) -> String {
    let (url, key, secret) = (sandbox.url(), sandbox.api_key(), sandbox.webhook_secret());
    format!(
        "\
{GOOD}The sandbox listens on {url}{GOOD:#} and sends no real texts.
Its page shows the phones and their texts: {url}/

To use it from a program:

export CONTIGUITY_BASE_URL={url}
export CONTIGUITY_API_KEY={key}

To act as a phone, move the clock and inject faults:

  # all texts, with their codes
  curl {url}/sandbox/messages
  # the last code of a phone
  curl {url}/sandbox/phones/+14155552671
  # a person texts the service
  curl {url}/sandbox/text -d '{{\"from\":\"+14155552671\",\"to\":\"+16465550123\",\"body\":\"1234\"}}'
  # 16 minutes pass for codes and sessions, but not for challenges in your program
  curl {url}/sandbox/advance -d '{{\"seconds\":960}}'
  # every new code fails, until heal
  curl {url}/sandbox/fail -d '{{\"fault\":\"status\",\"status\":503,\"endpoint\":\"new\",\"always\":true}}'
  curl {url}/sandbox/heal -X POST
  # the requests that arrived
  curl {url}/sandbox/requests
  # start over
  curl {url}/sandbox/reset -X POST

To verify its webhooks:

export CONTIGUITY_WEBHOOK_SECRET={secret}

"
    )
}

/// What others can do, and by which names they can reach the sandbox, unless it listens on loopback.
fn exposure(sandbox: &Sandbox, host: IpAddr, allowed_hosts: &[String]) -> String {
    if host.is_loopback() {
        return String::new();
    }
    let port = sandbox.url().rsplit(':').next().unwrap_or_default();
    let mut text = format!(
        "
{BAD}Anyone who can reach port {port} of {} can read codes, text as any phone and move the clock.{BAD:#}
",
        if host.is_unspecified() { "this machine".to_owned() } else { host.to_string() },
    );
    let mut names: Vec<&str> = allowed_hosts.iter().map(String::as_str).collect();
    let address = host.to_string();
    if !host.is_unspecified() {
        names.push(&address);
    }
    if names.is_empty() {
        text += "\
Only requests addressed to localhost are accepted, such as those to a published port. For another name
or address, add it with --allow-host, for example --allow-host sandbox for a container named sandbox.
";
        return text;
    }
    text += &format!(
        "It accepts requests addressed to localhost, {}. To use it from a program there:\n\n",
        names.join(", ")
    );
    for name in names {
        let name = if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name.to_owned() };
        text += &format!("export CONTIGUITY_BASE_URL=http://{name}:{port} CONTIGUITY_ALLOW_INSECURE_HTTP=1\n");
    }
    text + "\n"
}

/// The crate's message, with the names of the options.
fn not_started(error: &io::Error) -> Failure {
    let settings = [("`code`", "--code"), ("`allow_host`", "--allow-host")];
    let message = settings.into_iter().fold(error.to_string(), |text, (setting, option)| text.replace(setting, option));
    let is_taken = error.kind() == io::ErrorKind::AddrInUse;
    Failure::Local { message, hint: is_taken.then_some("--port 0 chooses a free port") }
}

/// Lets the sandbox serve more event streams than the soft limit of open files allows.
fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        // Without it, the sandbox serves fewer streams.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
