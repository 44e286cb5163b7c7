//! `contiguity sandbox` starts, says what it needs to say, keeps its state and stops cleanly.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use command_line::{PHONE, PROGRAM, VARIABLES, contiguity, run, run_with};
use contiguity::{Client, NewOtp};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use tempfile::tempdir;

/// A running `contiguity sandbox`.
struct Running {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(&*PROGRAM);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command.arg("sandbox").args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Reads up to a line that contains this text.
    fn text_to(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            assert_ne!(self.output.read_line(&mut text).unwrap(), 0, "{text}");
        }
        text
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Returns the exit status and what was printed since.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let mut errors = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(errors, "");
        (self.process.wait().unwrap().code(), rest)
    }
}

fn client(event: &Value) -> Client {
    let text = |field: &str| event[field].as_str().unwrap();
    Client::builder(text("api_key")).base_url(text("url")).build().unwrap()
}

fn text_a_code(client: &Client) -> contiguity::SentOtp {
    NewOtp::to(PHONE).language("en").name("MyApp").send(client).unwrap()
}

#[test]
fn a_program_can_use_what_it_prints() {
    let mut sandbox = Running::start(&["--port", "0"]);
    let text = sandbox.text_to("Ctrl-C stops the sandbox.");
    let value = |variable: &str| {
        text.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(variable)?.strip_prefix('=')).unwrap()
    };
    let (url, key) = (value("CONTIGUITY_BASE_URL"), value("CONTIGUITY_API_KEY"));
    assert!(value("CONTIGUITY_WEBHOOK_SECRET").starts_with("whsec_"), "{text}");
    assert!(text.contains(&format!("Its page shows the phones and their texts: {url}/\n")), "{text}");
    assert!(!text.contains("Anyone") && !text.contains('\x1b'), "{text}");
    let mut command = contiguity(&["send", PHONE, "--name", "MyApp"]);
    assert_eq!(run(command.env("CONTIGUITY_BASE_URL", url).env("CONTIGUITY_API_KEY", key)).status, 0);

    // All control calls that it prints work.
    let calls: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("curl ")).collect();
    assert!(calls.len() >= 8, "{text}");
    let script = format!("set -e\n{}", calls.join("\n").replace("curl ", "curl --fail --silent --show-error "));
    let called = run(assert_cmd::Command::new("sh").args(["-c", &script]));
    assert_eq!((called.status, called.stderr.as_str()), (0, ""));

    sandbox.send(Signal::INT);
    assert_eq!(sandbox.end(), (Some(0), "\nThe sandbox is stopped.\n".to_owned()));
}

#[test]
fn sigint_and_sigterm_stop_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut sandbox = Running::start(&["--port", "0", "--json"]);
        let event = sandbox.event();
        assert!(event["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
        assert!(event["webhook_secret"].as_str().unwrap().starts_with("whsec_"));
        let names: Vec<&String> = event.as_object().unwrap().keys().collect();
        assert_eq!(names, ["allowed_hosts", "api_key", "event", "state_file", "url", "webhook_secret"]);
        assert_eq!(event["event"], "listening");
        assert_eq!((&event["allowed_hosts"], &event["state_file"]), (&serde_json::json!([]), &Value::Null));
        sandbox.send(signal);
        assert_eq!(sandbox.end(), (Some(0), "{\"event\":\"stopped\"}\n".to_owned()));
    }
}

#[test]
fn its_options_arrive() {
    let secret = "whsec_0123456789abcdef0123";
    let mut sandbox = Running::start(&["--port", "0", "--json", "--code", "482915", "--webhook-secret", secret]);
    let event = sandbox.event();
    assert_eq!(event["webhook_secret"], secret);
    let client = client(&event);
    assert!(text_a_code(&client).verify("482915").send(&client).unwrap().verified);
    sandbox.send(Signal::TERM);
    assert_eq!(sandbox.end().0, Some(0));
}

#[test]
fn its_state_survives_a_stop_and_a_kill() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let file = file.to_str().unwrap();
    let mut sent = Vec::new();
    for signal in [Signal::TERM, Signal::KILL, Signal::INT] {
        let mut sandbox = Running::start(&["--port", "0", "--json", "--code", "482915", "--state", file]);
        let event = sandbox.event();
        assert_eq!(event["state_file"], file);
        sent.push(text_a_code(&client(&event)));
        sandbox.send(signal);
        sandbox.end();
    }
    let mut sandbox = Running::start(&["--port", "0", "--json", "--state", file]);
    let client = client(&sandbox.event());
    for sent in sent {
        assert!(sent.verify("482915").send(&client).unwrap().verified);
    }
    sandbox.send(Signal::TERM);
    sandbox.end();
}

#[test]
fn on_other_addresses_it_says_what_it_exposes() {
    let arguments = ["--port", "0", "--host", "0.0.0.0"];
    let mut sandbox = Running::start(&arguments);
    let text = sandbox.text_to("Ctrl-C stops the sandbox.");
    let (_, port) = text.lines().find_map(|line| line.strip_prefix("export ")?.rsplit_once(':')).unwrap();
    let exposed = format!(
        "Anyone who can reach port {port} of this machine can read codes, text as any phone and move the clock.\n\
         Only requests addressed to localhost are accepted, such as those to a published port."
    );
    assert!(text.contains(&exposed), "{text}");
    assert!(text.contains("add it with --allow-host, for example --allow-host sandbox"), "{text}");
    sandbox.send(Signal::TERM);
    sandbox.end();

    let mut sandbox =
        Running::start(&[&arguments[..], &["--allow-host", "sandbox", "--allow-host", "fd00::1"]].concat());
    let text = sandbox.text_to("Ctrl-C stops the sandbox.");
    let (_, port) = text.lines().find_map(|line| line.strip_prefix("export ")?.rsplit_once(':')).unwrap();
    assert!(text.contains("It accepts requests addressed to localhost, sandbox, fd00::1."), "{text}");
    for host in ["sandbox", "[fd00::1]"] {
        let line = format!("export CONTIGUITY_BASE_URL=http://{host}:{port} CONTIGUITY_ALLOW_INSECURE_HTTP=1\n");
        assert!(text.contains(&line), "{text}");
    }
    sandbox.send(Signal::TERM);
    sandbox.end();
}

#[test]
fn what_it_cannot_do_is_a_sentence_of_its_own() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "my notes: 482915").unwrap();
    let file = file.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();

    let refused = |arguments: &[&str]| {
        let refused = run(&mut contiguity(&[&["sandbox"], arguments].concat()));
        assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
        refused.stderr
    };
    assert_eq!(
        refused(&["--port", &port]),
        format!(
            "error: the sandbox cannot listen on {address}: Address already in use (os error 98); stop the program \
             that uses the port, or choose another port\nhint: --port 0 chooses a free port\n"
        )
    );
    assert_eq!(
        refused(&["--host", "192.0.2.1"]),
        "error: the sandbox cannot listen on 192.0.2.1:4010: Cannot assign requested address (os error 99); choose an \
         address of this machine\n"
    );
    assert_eq!(
        refused(&["--port", "0", "--state", file]),
        format!(
            "error: {file} is not a state file: invalid at line 1, column 1; it was left as it is; choose another \
             file, or delete it to start over\n"
        )
    );
    assert_eq!(fs::read_to_string(file).unwrap(), "my notes: 482915");
    let missing = refused(&["--port", "0", "--state", "/nowhere/sandbox.json"]);
    assert!(missing.starts_with("error: the state file /nowhere/sandbox.json cannot be written: "), "{missing}");
    assert_eq!(refused(&["--port", "0", "--code", "12"]), "error: --code must have 4 to 10 digits, such as 123456\n");
    let name = refused(&["--port", "0", "--allow-host", "sandbox:4010"]);
    assert!(name.starts_with("error: --allow-host must be a name or an address without a port"), "{name}");
    let secret = refused(&["--port", "0", "--webhook-secret", "hunter 2"]);
    assert!(secret.starts_with("error: invalid webhook secret: ") && !secret.contains("hunter"), "{secret}");

    let json = run(&mut contiguity(&["sandbox", "--port", "0", "--code", "12", "--json"]));
    assert_eq!(
        json.events(),
        [
            r#"{"event":"error","error":"--code must have 4 to 10 digits, such as 123456","hint":null,"may_have_sent":false,"retryable":false,"status":null,"request_id":null,"retry_after":null}"#
        ]
    );
}

/// Ports below 1024 need a right that root has, and everyone in some containers.
#[test]
fn a_port_that_is_not_allowed_is_a_sentence_of_its_own() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() <= 80 {
        eprintln!("skipped: everyone may use port 80 here");
        return;
    }
    let refused = if geteuid().is_root() {
        let mut command = assert_cmd::Command::new("setpriv");
        command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--ambient-caps", "-all", "--reuid", "65534"]);
        command.args(["--clear-groups", "--"]).arg(&*PROGRAM).args(["sandbox", "--port", "80"]);
        run(command.timeout(Duration::from_secs(60)))
    } else {
        run(&mut contiguity(&["sandbox", "--port", "80"]))
    };
    assert_eq!(refused.status, 1);
    let end = "Permission denied (os error 13); choose a port from 1024 to 65535\n";
    assert!(refused.stderr.ends_with(end), "{}", refused.stderr);
}

#[test]
fn the_readme_signs_in_from_python() {
    let readme = include_str!("../../../README.md");
    let (_, program) = readme.split_once("```python\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let mut sandbox = Running::start(&["--port", "0", "--json", "--code", "482915"]);
    let event = sandbox.event();
    for (typed, outcome) in [("482915\n", "Code: You are signed in.\n"), ("0000\n", "Code: Wrong code.\n")] {
        let mut python = assert_cmd::Command::new("python3");
        python.args(["-c", program]).timeout(Duration::from_secs(60));
        python.env("CONTIGUITY_BASE_URL", event["url"].as_str().unwrap());
        python.env("CONTIGUITY_API_KEY", event["api_key"].as_str().unwrap());
        let done = run_with(&mut python, typed);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), (outcome, ""));
    }
    sandbox.send(Signal::TERM);
    sandbox.end();
}
