//! The program under test, and a sandbox for it to call.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use contiguity::sandbox::Sandbox;
use serde_json::Value;

/// The phone that the tests use.
pub const PHONE: &str = "+14155552671";

/// The program, built with the feature `cli` once for each file of tests.
pub static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut build = escargot::CargoBuild::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .bin("contiguity")
        .features("cli");
    // What cargo says about this package would build the dependencies again whose build scripts read it.
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
    {
        build = build.env_remove(name);
    }
    build.run().expect("the program").path().to_owned()
});

/// The environment variables that matter, none of which may come from the caller.
pub const VARIABLES: [&str; 17] = [
    "ALL_PROXY",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "CONTIGUITY_ALLOW_INSECURE_HTTP",
    "CONTIGUITY_API_KEY",
    "CONTIGUITY_BASE_URL",
    "CONTIGUITY_CA_FILE",
    "CONTIGUITY_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_ALL",
    "LC_MESSAGES",
    "NO_COLOR",
    "all_proxy",
    "http_proxy",
];

/// The program with these arguments, and without a service.
pub fn contiguity(arguments: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    // Instead of a test that never ends, if a command starts what it should refuse.
    command.timeout(Duration::from_secs(60));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.args(arguments);
    command
}

/// The program with these arguments, which calls the sandbox.
pub fn calls(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = contiguity(arguments);
    command.env("CONTIGUITY_BASE_URL", sandbox.url()).env("CONTIGUITY_API_KEY", sandbox.api_key());
    command
}

/// What the program did.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The lines of JSON, with the ids replaced by the names of their fields.
    #[track_caller]
    pub fn events(&self) -> Vec<String> {
        assert_eq!(self.stderr, "");
        let mask = |line: &str| {
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            let ids = ["otp_id", "request_id"].into_iter().filter_map(|name| Some((name, event[name].as_str()?)));
            ids.fold(line.to_owned(), |line, (name, id)| line.replace(id, &format!("<{name}>")))
        };
        self.stdout.lines().map(mask).collect()
    }

    /// Everything that was printed.
    pub fn printed(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

pub fn run(command: &mut Command) -> Run {
    read(&command.assert())
}

/// Runs the program with this standard input.
pub fn run_with(command: &mut Command, input: &str) -> Run {
    read(&command.write_stdin(input).assert())
}

fn read(assert: &Assert) -> Run {
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).expect("UTF-8");
    Run {
        status: output.status.code().expect("an exit status"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
