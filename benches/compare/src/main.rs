//! Compares the SDK with bare ureq and a raw socket, and prints one table. See ../README.md.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml            # counts and times
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- counts  # counts only
//! ```

mod contestants;
mod responder;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, process};

use contiguity::Client;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use rustls::ServerConfig;

use contestants::{Contestant, KEY, Raw, Ureq};

/// `POST /otp/new`, `GET /otp/reverse/verify/{otp_id}`, and a POST that the responder refuses.
const CALLS: [&str; 3] = ["new", "status read", "400"];

/// In the order of the columns.
const CONTESTANTS: [&str; 4] = ["SDK", "bare", "limits", "raw"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => table(true),
        ["counts"] => table(false),
        // The program starts itself with these arguments.
        ["calls", name, call, url, count] => {
            let contestant = contestant(name, url);
            (0..count.parse().expect("a number")).for_each(|_| contestant.call(call));
        }
        ["times", call, url] => times(call, url),
        _ => panic!("unknown arguments; use `counts` or none"),
    }
}

fn contestant(name: &str, url: &str) -> Box<dyn Contestant> {
    let pem = env::var(CERTIFICATE).expect("the responder's certificate");
    let sdk = || Client::builder(KEY).base_url(url).root_certificates(&pem).build().expect("a valid client");
    match name {
        "SDK" => Box::new(sdk()),
        "SDK with_timeout" => Box::new(sdk().with_timeout(Duration::from_secs(20))),
        "bare" => Box::new(Ureq::new(url, &pem, false)),
        "limits" => Box::new(Ureq::new(url, &pem, true)),
        "raw" => Box::new(Raw::new(url, &pem)),
        _ => panic!("unknown contestant {name}"),
    }
}

/// Prints the table. Exits with status 1 if the SDK exceeds a budget.
fn table(with_times: bool) {
    stay_on_one_cpu();
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let pem = certified.cert.pem();
    let key = certified.signing_key.serialize_der().try_into().expect("a key");
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certified.cert.into()], key);
    let tls = Arc::new(tls.expect("a certificate and its key"));
    let http = responder::start(None, "");
    let https = responder::start(Some(Arc::clone(&tls)), "");
    let https_once = responder::start(Some(tls), "Connection: close\r\n");
    let warm: Vec<_> = [("http", &http), ("https", &https)]
        .into_iter()
        .flat_map(|(scheme, url)| CALLS.map(|call| (format!("{call}, {scheme}"), call, url)))
        .collect();

    let mut is_within_budgets = true;
    let mut row = |measure: &str, sdk: f64, ratios: [f64; 3], budget: Budget| {
        let (budget, is_met) = match budget {
            Budget::None => (String::new(), true),
            Budget::Ratio(max) => (format!("≤ {max:.2}×"), ratios[0] <= max),
            Budget::Value(max) => (format!("≤ {max}"), sdk <= max),
        };
        let [bare, limited, raw] = ratios.map(|ratio| format!("{ratio:.2}×"));
        let missed = if is_met { "" } else { " **missed**" };
        let places = usize::from(sdk < 1000.0);
        println!("| {measure:<41} | {sdk:>7.places$} | {bare:>6} | {limited:>8} | {raw:>6} | {budget}{missed} |");
        is_within_budgets &= is_met;
    };
    println!("| {:<41} | {:>7} | {:>6} | {:>8} | {:>6} | budget |", "per call", "SDK", "÷ bare", "÷ limits", "÷ raw");
    println!("|{:-<43}|{:->9}|{:->8}|{:->10}|{:->8}|---|", "", ":", ":", ":", ":");

    for (tool, budget) in [
        (&INSTRUCTIONS, Budget::Ratio(0.95)),
        (&ALLOCATIONS, Budget::Value(42.0)),
        (&SYSTEM_CALLS, Budget::Value(12.0)),
    ] {
        for (title, call, url) in &warm {
            // Over https, each TLS record is handed on by itself, so that no response answers another call.
            let budget = match budget {
                Budget::Ratio(_) if url.starts_with("https") => Budget::Ratio(1.0),
                budget => budget,
            };
            let [sdk, others @ ..] = CONTESTANTS.map(|name| tool.per_call(name, call, url, &pem));
            row(&format!("{}, {title}", tool.counts), sdk, others.map(|other| sdk / other), budget);
        }
    }
    let [sdk, others @ ..] = CONTESTANTS.map(|name| INSTRUCTIONS.per_call(name, "new", &https_once, &pem));
    let with_timeout = INSTRUCTIONS.per_call("SDK with_timeout", "new", &https_once, &pem);
    for (title, sdk) in [("new, fresh https connection", sdk), ("the same, with_timeout", with_timeout)] {
        row(&format!("instructions, {title}"), sdk, others.map(|other| sdk / other), Budget::Ratio(0.95));
    }

    let warm = if with_times { warm } else { Vec::new() };
    for (title, call, url) in warm {
        // Several processes, because code and data are at different addresses in each.
        let output: String = (0..5).map(|_| run(&[], &["times", call, url], &pem)).collect();
        let numbers = |line: &str| line.split(' ').map(|number| number.parse().expect("a number")).collect();
        let turns: Vec<Vec<f64>> = output.lines().map(numbers).collect();
        let median = |value: &dyn Fn(&[f64]) -> f64| {
            let mut values: Vec<f64> = turns.iter().map(|turn| value(turn)).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let ratios = [1, 2, 3].map(|other| median(&|turn| turn[0] / turn[other]));
        row(&format!("CPU time in µs, {title}"), median(&|turn| turn[0] * 1e6), ratios, Budget::None);
        let ratios = [5, 6, 7].map(|other| median(&|turn| turn[other] / turn[4]));
        row(&format!("calls per second, {title}"), median(&|turn| 1.0 / turn[4]), ratios, Budget::None);
    }
    if !is_within_budgets {
        process::exit(1);
    }
}

#[derive(Clone, Copy)]
enum Budget {
    None,
    /// The SDK's value divided by bare ureq's.
    Ratio(f64),
    /// The SDK's value.
    Value(f64),
}

/// A command that runs a program and reports a count, after `label`, on standard error.
struct Tool {
    counts: &'static str,
    command: &'static [&'static str],
    label: &'static str,
}

const INSTRUCTIONS: Tool = Tool {
    counts: "instructions",
    command: &["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"],
    label: "Collected : ",
};

/// Reallocations included.
const ALLOCATIONS: Tool = Tool {
    counts: "allocations",
    command: &["valgrind", "--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"],
    label: "total heap usage: ",
};

const SYSTEM_CALLS: Tool =
    Tool { counts: "system calls", command: &["strace", "-f", "-c", "-U", "name,calls"], label: "\ntotal " };

impl Tool {
    /// Returns the count of 200 calls minus that of 100, per call. Start and exit cancel out.
    fn per_call(&self, contestant: &str, call: &str, url: &str, pem: &str) -> f64 {
        let count = |calls: &str| -> f64 {
            let report = run(self.command, &["calls", contestant, call, url, calls], pem);
            let (_, rest) = report.split_once(self.label).unwrap_or_else(|| panic!("no count in {report}"));
            let count = rest.split_whitespace().next().unwrap_or_default();
            count.replace(',', "").parse().expect("a number")
        };
        (count("200") - count("100")) / 100.0
    }
}

/// Runs this program, under `tool` if one is given. Returns what it and the tool wrote.
fn run(tool: &[&str], arguments: &[&str], pem: &str) -> String {
    let myself = env::current_exe().expect("the path of this program");
    let mut words = tool.iter().map(AsRef::as_ref).chain([myself.as_os_str()]);
    let mut command = Command::new(words.next().expect("a program"));
    // The environment may name a proxy.
    command.args(words).args(arguments).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    let output = command.env(CERTIFICATE, pem).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", command.get_program().display()));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text.into_owned()
}

/// Measures all contestants in short turns, so that a busy moment affects each of them. Prints one
/// line per turn: each contestant's seconds of CPU time per call, then the seconds that passed.
fn times(call: &str, url: &str) {
    const CALLS: u32 = 50;
    let contestants = CONTESTANTS.map(|name| contestant(name, url));
    for turn in 0..=100 {
        let mut seconds = [0.0; 8];
        for position in 0..4 {
            // Back and forth, so that no contestant always follows the same one.
            let who = if turn % 2 == 0 { position } else { 3 - position };
            let (cpu_start, start) = (cpu_seconds(), Instant::now());
            (0..CALLS).for_each(|_| contestants[who].call(call));
            seconds[who] = (cpu_seconds() - cpu_start) / f64::from(CALLS);
            seconds[who + 4] = start.elapsed().as_secs_f64() / f64::from(CALLS);
        }
        // The first turn warms up.
        if turn > 0 {
            println!("{}", seconds.map(|seconds| seconds.to_string()).join(" "));
        }
    }
}

fn cpu_seconds() -> f64 {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("a positive time").as_secs_f64()
}

/// Binds this process and its children to one CPU. With two, waking the other one adds noise.
fn stay_on_one_cpu() {
    let mut cpus = sched_getaffinity(None).expect("the allowed CPUs");
    let first = (0..CpuSet::MAX_CPU).find(|cpu| cpus.is_set(*cpu)).expect("at least one");
    cpus.clear();
    cpus.set(first);
    sched_setaffinity(None, &cpus).expect("an allowed CPU");
}

/// The environment variable that holds the responder's certificate.
const CERTIFICATE: &str = "COMPARE_CERTIFICATE";
