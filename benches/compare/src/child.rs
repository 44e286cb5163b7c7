//! What is measured, each in a process of its own: it makes calls, and prints what it knows about itself.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::allocations;
use crate::contestants::{What, Who, caller};
use crate::measure::median;

/// Calls one after the other, to be watched by a tool. Prints the peak of memory in KiB.
pub fn calls(who: Who, what: What, count: u32, base: &str) {
    stay_on_one_processor();
    let caller = caller(who, base);
    (0..count).for_each(|_| caller.call(what));
    println!("{}", peak_memory());
}

/// Calls for a quarter of a second, after a few to warm up. Prints nanoseconds a call.
pub fn pace(who: Who, base: &str) {
    stay_on_one_processor();
    let caller = caller(who, base);
    (0..5).for_each(|_| caller.call(What::New));
    let began = Instant::now();
    let mut calls = 0;
    while began.elapsed() < Duration::from_millis(250) {
        caller.call(What::New);
        calls += 1;
    }
    println!("{}", began.elapsed().as_nanos() as f64 / f64::from(calls));
}

/// Prints the allocations of one warm call, a mean of many.
pub fn allocations(who: Who, what: What, base: &str) {
    const CALLS: u32 = 100;
    let caller = caller(who, base);
    for _ in 0..3 {
        caller.call(what);
    }
    let counted = allocations::count(|| (0..CALLS).for_each(|_| caller.call(what)));
    println!("{}", counted as f64 / f64::from(CALLS));
}

/// All contestants in one process, in slices of a few milliseconds by turns, so that a busy moment of the machine hits each
/// of them alike. Prints, for each in turn, the medians of nanoseconds a call by the clock and of processor time, and of
/// their ratios to bare ureq's in the same turn, which say more on a busy machine than the ratios of the medians.
pub fn slices(what: What, threads: u32, base: &str) {
    const SLICES: usize = 100;
    const CALLS: u32 = 50;
    if threads == 1 {
        stay_on_one_processor();
    }
    // A socket is nothing to share.
    let contestants = Who::ALL.into_iter().filter(|who| threads == 1 || *who != Who::Raw);
    let mut contestants: Vec<_> = contestants.map(|who| (who, caller(who, base), Vec::new(), Vec::new())).collect();
    for slice in 0..=SLICES {
        // To and fro, so that nobody always comes after the same one.
        contestants.reverse();
        for (_, caller, walls, processors) in &mut contestants {
            let calls = || (0..CALLS).for_each(|_| caller.call(what));
            let processor = processor_time();
            let began = Instant::now();
            if threads == 1 {
                calls();
            } else {
                thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(calls))));
            }
            // The first one warms up.
            if slice > 0 {
                let all = f64::from(CALLS * threads);
                walls.push(began.elapsed().as_nanos() as f64 / all);
                processors.push((processor_time() - processor) as f64 / all);
            }
        }
    }
    contestants.sort_by_key(|contestant| contestant.0 as usize);
    let (_, _, bare_walls, bare_processors) = &contestants[Who::Bare as usize];
    let ratios = |times: &[f64], bare: &[f64]| times.iter().zip(bare).map(|(time, bare)| time / bare).collect();
    for (.., walls, processors) in &contestants {
        let wall_ratio = median(ratios(walls, bare_walls));
        let processor_ratio = median(ratios(processors, bare_processors));
        println!("{} {} {wall_ratio} {processor_ratio}", median(walls.clone()), median(processors.clone()));
    }
}

/// All threads call at once, then nobody for a moment, again and again. Prints nothing; the responder counts.
pub fn bursts(who: Who, bursts: u32, threads: u32, base: &str) {
    let caller = caller(who, base);
    let start = Barrier::new(threads as usize);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..bursts {
                    start.wait();
                    (0..5).for_each(|_| caller.call(What::New));
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
    });
}

/// Ties this process to the first processor that it may use. A call wakes the responder and waits for it: on two
/// processors, what that costs depends on which of them sleeps how deep, and says nothing about the one who calls.
pub fn stay_on_one_processor() {
    let allowed = sched_getaffinity(None).expect("the processors of this process");
    let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).expect("a processor");
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("one of them");
}

/// Nanoseconds of processor time of this process, threads that have ended included.
fn processor_time() -> i128 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}
