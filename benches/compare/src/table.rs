//! The table of ratios.

use std::process::Command;

use crate::contestants::{What, Who};
use crate::measure::{self, median};
use crate::responder::Responder;

pub fn machine() {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    let processors = run("lscpu", &[]);
    let model = processors.lines().find_map(|line| line.strip_prefix("Model name:")).unwrap_or("unknown").trim();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{model}, {cores} cores, {}, {}", run("rustc", &["--version"]).trim(), run("date", &["+%F"]).trim());
}

pub fn calls() {
    let responder = Responder::start("on-one-processor");
    let base = responder.base();
    println!();
    println!("| measure | SDK | bare ureq, with limits | bare ureq | raw socket | SDK ÷ bare | budget |");
    println!("|---|--:|--:|--:|--:|--:|---|");
    exact(&base);
    timed(&base);
    slow_names(&responder);
    drop(responder);
    threads(&Responder::start("on-all-processors"));
    println!();
}

/// Counted, not timed: the same in every run.
fn exact(base: &str) {
    let three = [(What::New, "new"), (What::Status, "status read"), (What::Refused, "400 answer")];
    if measure::is_installed("valgrind") {
        for (what, name) in three {
            let counts = Who::ALL.map(|who| measure::instructions(who, what, base));
            row(&format!("instructions a call, {name}"), counts, Show::Whole, Budget::AtMost(0.95));
        }
        let count = measure::instructions(Who::Sdk, What::Invalid, base);
        row("instructions, refused before the call", [count, None, None, None], Show::Whole, Budget::None);
    } else {
        println!("| instructions a call: valgrind is not installed | | | | | | |");
    }
    for (what, name) in three {
        let counts = Who::ALL
            .map(|who| measure::child(["child", "allocations", who.name(), what.name(), base]).first().copied());
        let budget = if what == What::New { Budget::Absolute(42.0) } else { Budget::None };
        row(&format!("allocations a call, {name}"), counts, Show::Tenths, budget);
    }
    if measure::is_installed("strace") {
        let counts = Who::ALL.map(|who| measure::system_calls(who, What::New, base));
        row("system calls a call, new", counts, Show::Tenths, Budget::Absolute(12.0));
    } else {
        println!("| system calls a call: strace is not installed | | | | | | |");
    }
}

fn timed(base: &str) {
    for (what, name) in [(What::New, "new"), (What::Status, "status read"), (What::Refused, "400 answer")] {
        let [walls, processors, wall_ratios, processor_ratios] = slices(what, "1", base);
        let micros = processors.map(|time| time.map(|time| time / 1e3));
        let measure = format!("µs of processor a call, {name}");
        row_with(&measure, micros, processor_ratios, Show::Tenths, Budget::AtMost(1.0));
        let measure = format!("calls a second, one thread, {name}");
        row_with(&measure, walls.map(rate), wall_ratios.map(inverse), Show::Whole, Budget::AtLeast(1.0));
    }
    let runs = interleaved(5, |who| measure::child(["child", "calls", who.name(), "new", "2000", base])[0]);
    row("peak memory over 2,000 calls, KiB", runs, Show::Whole, Budget::AtMost(1.1));
    let runs = interleaved(101, |who| measure::cold_start(who, base));
    row("cold start: a process for one call, ms", runs, Show::Hundredths, Budget::AtMost(1.1));
}

fn threads(responder: &Responder) {
    let base = responder.base();
    for threads in ["2", "4", "8"] {
        let [walls, _, ratios, _] = slices(What::New, threads, &base);
        let measure = format!("calls a second, {threads} threads on one client");
        row_with(&measure, walls.map(rate), ratios.map(inverse), Show::Whole, Budget::AtLeast(1.0));
    }
    // One long burst, and fifty short ones.
    for (bursts, threads, name) in
        [("1", "4", "connections, 4 threads"), ("50", "8", "connections, 50 bursts of 8 threads")]
    {
        responder.connections();
        let opened = Who::ALL.map(|who| {
            if who == Who::Raw {
                return None;
            }
            measure::child(["child", "bursts", who.name(), bursts, threads, &base]);
            Some(responder.connections() as f64)
        });
        row(name, opened, Show::Whole, Budget::Absolute(threads.parse().expect("a number")));
    }
}

fn slow_names(responder: &Responder) {
    let Some(shim) = measure::slow_names() else {
        println!("| a name server that takes 5 ms: there is no C compiler for the shim | | | | | | |");
        return;
    };
    let base = format!("http://api.bench.test:{}", responder.port);
    let paces = interleaved(9, |who| match who {
        Who::Raw => f64::NAN,
        _ => measure::child_with_slow_names(&shim, ["child", "pace", who.name(), &base])[0],
    });
    let rates = paces.map(|pace| rate(pace.filter(|pace| pace.is_finite())));
    row("calls a second, name server takes 5 ms", rates, Show::Whole, Budget::AtLeast(50.0));
    let _ = std::fs::remove_file(shim);
}

/// Medians of all contestants: nanoseconds a call by the clock, and of processor time, and their ratios to bare ureq's. Of
/// several processes each, because where one lies in memory and which processor its threads begin on stays with it.
fn slices(what: What, threads: &str, base: &str) -> [[Option<f64>; 4]; 4] {
    const PROCESSES: usize = 7;
    let runs: Vec<_> =
        (0..PROCESSES).map(|_| measure::child(["child", "slices", what.name(), threads, base])).collect();
    [0, 1, 2, 3].map(|column| {
        Who::ALL.map(|who| {
            let medians = runs.iter().map(|run| run.get(4 * who as usize + column).copied());
            medians.collect::<Option<_>>().map(median)
        })
    })
}

/// Runs each contestant in turn, round after round. Gives the medians.
fn interleaved(rounds: usize, mut run: impl FnMut(Who) -> f64) -> [Option<f64>; 4] {
    let mut runs = [const { Vec::new() }; 4];
    for round in 0..rounds {
        for turn in 0..4 {
            let who = Who::ALL[(round + turn) % 4];
            runs[who as usize].push(run(who));
        }
    }
    runs.map(|runs| Some(median(runs)))
}

fn rate(nanoseconds: Option<f64>) -> Option<f64> {
    nanoseconds.map(|nanoseconds| 1e9 / nanoseconds)
}

fn inverse(ratio: Option<f64>) -> Option<f64> {
    ratio.map(|ratio| 1.0 / ratio)
}

#[derive(Clone, Copy)]
enum Show {
    Whole,
    Tenths,
    Hundredths,
}

/// What the SDK may cost.
#[derive(Clone, Copy)]
enum Budget {
    None,
    /// This much of bare ureq's, at most.
    AtMost(f64),
    /// This much of bare ureq's, at least.
    AtLeast(f64),
    /// At most this.
    Absolute(f64),
}

/// `values` in the order of [`Who::ALL`].
fn row(measure: &str, values: [Option<f64>; 4], show: Show, budget: Budget) {
    let bare = values[Who::Bare as usize];
    row_with(measure, values, values.map(|value| Some(value? / bare?)), show, budget);
}

/// The same with ratios to bare ureq that were taken in another way.
fn row_with(measure: &str, values: [Option<f64>; 4], ratios: [Option<f64>; 4], show: Show, budget: Budget) {
    let [sdk, limited, bare, raw] = Who::ALL.map(|who| match (values[who as usize], show) {
        (None, _) => "–".to_owned(),
        (Some(value), Show::Whole) => thousands(value),
        (Some(value), Show::Tenths) => format!("{value:.1}"),
        (Some(value), Show::Hundredths) => format!("{value:.2}"),
    });
    let [sdk_ratio, limited_ratio, _, raw_ratio] =
        ratios.map(|ratio| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}×")));
    let (value, ratio) = (values[0].unwrap_or(f64::NAN), ratios[0].unwrap_or(f64::NAN));
    // To the two places that are shown.
    let ratio = (ratio * 100.0).round() / 100.0;
    let met = |is_met: bool| if is_met { "met" } else { "**missed**" };
    let budget = match budget {
        Budget::None => "–".to_owned(),
        Budget::AtMost(most) => format!("≤ {most:.2}×: {}", met(ratio <= most)),
        Budget::AtLeast(least) => format!("≥ {least:.2}×: {}", met(ratio >= least)),
        Budget::Absolute(most) => format!("≤ {most}: {}", met(value <= most)),
    };
    let row = format!(
        "| {measure} | {sdk} | {limited} ({limited_ratio}) | {bare} | {raw} ({raw_ratio}) | {sdk_ratio} | {budget} |"
    );
    println!("{}", row.replace("– (–)", "–"));
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
