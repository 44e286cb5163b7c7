//! Starts children, alone or under a tool, and reads what they or the tool say.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, process};

use crate::contestants::{What, Who};

/// Runs this program as a child; gives the numbers that it prints.
pub fn child<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<f64> {
    numbers(command(None).args(arguments))
}

/// The same with a name server that takes 5 ms.
pub fn child_with_slow_names<'a>(shim: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Vec<f64> {
    numbers(command(None).env("LD_PRELOAD", shim).args(arguments))
}

/// Milliseconds from the start of a process to its end, in which it makes one call.
pub fn cold_start(who: Who, base: &str) -> f64 {
    let mut command = command(None);
    command.args(["child", "calls", who.name(), "new", "1", base]).stdout(Stdio::null());
    let began = Instant::now();
    let status = command.status().expect("a process");
    let took = began.elapsed();
    assert!(status.success());
    took.as_secs_f64() * 1e3
}

/// Instructions of one call, by valgrind's callgrind. Repeatable to a few.
pub fn instructions(who: Who, what: What, base: &str) -> Option<f64> {
    per_call(|count| {
        let output = command(Some("valgrind"))
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(myself())
            .args(["child", "calls", who.name(), what.name(), count, base])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok())
    })
}

/// System calls of one call, by strace.
pub fn system_calls(who: Who, what: What, base: &str) -> Option<f64> {
    let file = env::temp_dir().join(format!("contiguity-compare-{}.strace", process::id()));
    let counted = per_call(|count| {
        let output = command(Some("strace"))
            .args(["-f", "-c", "-o"])
            .args([&file, &myself()])
            .args(["child", "calls", who.name(), what.name(), count, base])
            .output()
            .ok()?;
        if !output.status.success() {
            return None;
        }
        // "% time  seconds  usecs/call  calls  errors  syscall", and a line with the total at the end.
        let report = fs::read_to_string(&file).ok()?;
        let total = report.lines().rfind(|line| line.trim_end().ends_with("total"))?;
        total.split_whitespace().nth(3)?.parse().ok()
    });
    let _ = fs::remove_file(file);
    counted
}

/// The shim for a slow name server, if there is a C compiler.
pub fn slow_names() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/slow_names.c");
    let shim = env::temp_dir().join(format!("contiguity-compare-{}.so", process::id()));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).args([source, "-ldl"]).status();
    built.is_ok_and(|status| status.success()).then_some(shim)
}

pub fn is_installed(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a hundred more calls cost, by the call: start and end of the process fall out.
fn per_call(measure: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    Some((measure("200")? - measure("100")?) / 100.0)
}

fn numbers(command: &mut Command) -> Vec<f64> {
    let output = command.stderr(Stdio::inherit()).output().expect("a process");
    assert!(output.status.success(), "{command:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn command(tool: Option<&str>) -> Command {
    let mut command = tool.map_or_else(|| Command::new(myself()), Command::new);
    // All calls stay on this machine.
    for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command
}

fn myself() -> PathBuf {
    env::current_exe().expect("this program")
}
