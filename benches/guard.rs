//! Measures a guard: decisions per second in memory and in Redis, and the memory it needs.
//!
//! ```text
//! cargo bench --features redis --bench guard
//! ```
//!
//! Nothing is sent. A decision is the whole way from the builder to the store and back, for a text
//! with all limits and a caller of two parts: six subjects in twelve windows. Two hours of texts come
//! first, one a minute, so that the windows are as full as on a busy server. Without an installed
//! `redis-server`, the figures of Redis are skipped.

#![expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "figures for people")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use contiguity::guard::{
    Caller, Claim, Decision, Guard, GuardBuilder, Guarded, Memory, Redis, Return, Script, Store, StoreError,
};
use contiguity::{Client, Error, Limit, NewOtp};

fn main() {
    if std::env::var_os("ONLY_REDIS").is_some() {
        return in_redis();
    }
    kept();
    in_memory();
    flood();
    in_redis();
}

/// Measures the decisions of a store, then refuses, so that nothing is sent.
struct Measured<S> {
    store: S,
    times: Arc<Times>,
}

#[derive(Default)]
struct Times {
    granted: AtomicU64,
    nanoseconds: AtomicU64,
    /// By microseconds, up to 100 ms.
    histogram: Option<Vec<AtomicU64>>,
}

impl Times {
    fn with_histogram() -> Self {
        Self { histogram: Some((0..100_000).map(|_| AtomicU64::new(0)).collect()), ..Self::default() }
    }

    fn percentile(&self, percent: u64) -> usize {
        let histogram: Vec<_> = self.histogram.iter().flatten().map(|count| count.load(Ordering::Relaxed)).collect();
        let wanted = histogram.iter().sum::<u64>() * percent / 100;
        let mut seen = 0;
        histogram
            .iter()
            .position(|count| {
                seen += count;
                seen >= wanted
            })
            .unwrap_or_default()
    }
}

impl<S: Store> Store for Measured<S> {
    fn take(&self, claims: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
        let began = Instant::now();
        let decision = self.store.take(claims, clock)?;
        let took = began.elapsed();
        self.times.nanoseconds.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
        self.times.granted.fetch_add(u64::from(matches!(decision, Decision::Granted { .. })), Ordering::Relaxed);
        if let Some(histogram) = &self.times.histogram {
            histogram[(took.as_micros() as usize).min(histogram.len() - 1)].fetch_add(1, Ordering::Relaxed);
        }
        Ok(Decision::Refused { claim: 0, limit: 0, retry_after: Duration::from_secs(1) })
    }

    fn give_back(&self, returns: &[Return<'_>]) -> Result<(), StoreError> {
        self.store.give_back(returns)
    }

    fn forget(&self, claims: &[Claim<'_>]) -> Result<(), StoreError> {
        self.store.forget(claims)
    }
}

/// Has as many windows as the defaults, but with limits that the benchmark does not reach.
fn wide() -> GuardBuilder {
    let most = 1_000_000_000;
    let limits = |count: u64| (1..=count).map(|n| Limit::new(most, Duration::from_secs(n * 3600))).collect::<Vec<_>>();
    Guard::total(limits(2))
        .everywhere()
        .per_number(limits(4))
        .per_caller(limits(2))
        .unverified(limits(2))
        .neighbors(limits(2))
}

fn guarded(guard: GuardBuilder, store: impl Store) -> (Guarded, Arc<Times>) {
    guarded_with(guard, store, Times::default(), &Arc::default())
}

/// Uses a clock that is this many minutes behind.
fn guarded_with(guard: GuardBuilder, store: impl Store, times: Times, ago: &Arc<AtomicU64>) -> (Guarded, Arc<Times>) {
    let (times, ago) = (Arc::new(times), Arc::clone(ago));
    let guard = guard.shared(Measured { store, times: Arc::clone(&times) }).build().expect("a guard");
    let clock = move || SystemTime::now() - Duration::from_secs(60 * ago.load(Ordering::Relaxed));
    let client = Client::builder("contiguity_sk_test").clock(clock).build().expect("a client");
    (client.guarded(guard), times)
}

/// The minutes of texts before anything is measured.
const MINUTES: u64 = 120;

fn decide(client: &Client, number: u64) {
    let to = format!("+49{number:010}");
    let result = NewOtp::to(to).language("en").name("MyApp").send(client);
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
}

fn caller() -> Caller {
    Caller::from("203.0.113.7").and(Caller::key("account 42"))
}

fn in_memory() {
    const DECISIONS: u64 = 1_000_000;
    let rate = |client: &Client, times: &Times, numbers: std::ops::Range<u64>| {
        times.nanoseconds.store(0, Ordering::Relaxed);
        let began = Instant::now();
        (0..DECISIONS)
            .for_each(|index| decide(client, 7_919 * (numbers.start + index % (numbers.end - numbers.start))));
        let all = DECISIONS as f64 / began.elapsed().as_secs_f64() / 1e6;
        let store = DECISIONS as f64 / (times.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9) / 1e6;
        format!("{store:.2} M decisions/s in the store, {all:.2} M/s from the builder on")
    };
    let ago = Arc::new(AtomicU64::new(0));
    let (sign_in, times) = guarded_with(wide(), Memory::new(), Times::default(), &ago);
    let client = sign_in.by(caller());
    for minutes in (1..=MINUTES).rev() {
        ago.store(minutes, Ordering::Relaxed);
        decide(&client, 7_919 * (2_000_000 + minutes));
    }
    ago.store(0, Ordering::Relaxed);
    (0..1_000).for_each(|number| decide(&client, 7_919 * number));
    println!("memory, 1,000 numbers          {}", rate(&client, &times, 0..1_000));
    println!("memory, a million new numbers  {}", rate(&client, &times, 1_000..1_000 + DECISIONS));
    println!("memory, the same again         {}", rate(&client, &times, 1_000..1_000 + DECISIONS));

    let (sign_in, times) = guarded(Guard::total(Limit::per_day(100_000)).everywhere(), Memory::new());
    let client = sign_in.by(caller());
    (0..1_000).for_each(|_| decide(&client, 1));
    println!("memory, refusals               {}", rate(&client, &times, 0..1));
}

/// Each count has its own process, since an allocator returns little memory.
fn kept() {
    const NUMBERS: u64 = 1_000_000;
    let only_number = || wide().per_caller([]).unverified([]).neighbors([]);
    let cases: [(&str, GuardBuilder, u64); 2] =
        [("1 window", only_number().per_number(Limit::per_day(10)), 1), ("the 4 windows by default", only_number(), 4)];
    if let Some(case) = std::env::var("KEPT").ok().and_then(|case| case.parse::<usize>().ok()) {
        let (name, guard, pairs) = cases.into_iter().nth(case).expect("a case");
        let (sign_in, _) = guarded(guard, Memory::new());
        let client = sign_in.by(caller());
        decide(&client, 0);
        let before = resident();
        (1..=NUMBERS).for_each(|number| decide(&client, number));
        let bytes = (resident() - before) / NUMBERS;
        println!("a million numbers, {name}: {bytes} bytes a number, {} a number and limit", bytes / pairs);
        std::process::exit(0);
    }
    for case in 0..cases.len() {
        let program = std::env::current_exe().expect("this program");
        let status = Command::new(program).env("KEPT", case.to_string()).status().expect("a process");
        assert!(status.success());
    }
}

fn flood() {
    const NUMBERS: u64 = 5_000_000;
    let memory = Arc::new(Memory::new());
    let guard = Guard::total(Limit::per_hour(1_000)).everywhere().per_caller([]);
    let (sign_in, times) = guarded(guard, Shared(Arc::clone(&memory)));
    let client = sign_in.by(Caller::nobody());
    let before = resident();
    (0..NUMBERS).for_each(|number| decide(&client, 1_009 * number));
    println!(
        "a flood of 5 million numbers against 1,000 an hour: {} pass, {} entries, {} KiB more",
        times.granted.load(Ordering::Relaxed),
        memory.entries(),
        (resident().saturating_sub(before)) / 1024,
    );
}

struct Shared(Arc<Memory>);

impl Store for Shared {
    fn take(&self, claims: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
        self.0.take(claims, clock)
    }

    fn give_back(&self, returns: &[Return<'_>]) -> Result<(), StoreError> {
        self.0.give_back(returns)
    }

    fn forget(&self, claims: &[Claim<'_>]) -> Result<(), StoreError> {
        self.0.forget(claims)
    }
}

fn in_redis() {
    const DECISIONS: u64 = 50_000;
    let Some(server) = Server::start() else {
        println!("Redis: left out, since redis-server is not installed");
        return;
    };
    server.fill();
    let (sign_in, times) = guarded_with(wide(), server.connect(), Times::with_histogram(), &Arc::default());
    let client = sign_in.by(caller());
    (0..DECISIONS).for_each(|number| decide(&client, 7_919 * number));
    println!(
        "Redis, one thread          p50 {} µs, p99 {} µs, of which {} µs in the server",
        times.percentile(50),
        times.percentile(99),
        server.microseconds_per_call(),
    );

    for threads in [1, 2, 4, 8] {
        let (sign_in, _) = guarded(wide(), server.connect());
        let began = Instant::now();
        thread::scope(|scope| {
            for thread in 0..threads {
                let client = sign_in.by(caller());
                scope.spawn(move || {
                    let numbers = thread * DECISIONS..thread * DECISIONS + DECISIONS / threads;
                    numbers.for_each(|number| decide(&client, 7_919 * number));
                });
            }
        });
        let rate = (DECISIONS / threads * threads) as f64 / began.elapsed().as_secs_f64();
        println!("Redis, {threads} threads           {rate:.0} decisions/s");
    }
}

const SECRET: &str = "a secret for benchmarks";

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        thread::sleep(Duration::from_millis(500));
        Some(Self { child, port })
    }

    fn connect(&self) -> Redis {
        Redis::connect(&self.url(), SECRET).expect("a store")
    }

    /// Counts the texts of the last hours, with a script that reads another clock.
    fn fill(&self) {
        let ago = Arc::new(AtomicU64::new(0));
        let connection = redis::Client::open(self.url()).and_then(|client| client.get_connection());
        let connection = Mutex::new(connection.expect("a connection"));
        let seconds = Arc::clone(&ago);
        let run = move |script: &Script| {
            let behind = seconds.load(Ordering::Relaxed);
            let clock = format!("now = now - {behind}\nlocal next_argument");
            let mut eval = redis::cmd("EVAL");
            eval.arg(script.source().replacen("local next_argument", &clock, 1));
            eval.arg(script.keys().len()).arg(script.keys()).arg(script.args());
            eval.query::<Vec<i64>>(&mut *connection.lock().expect("one thread"))
        };
        let store = Redis::over(SECRET, run).expect("a store");
        let (sign_in, times) = guarded(wide(), store);
        let client = sign_in.by(caller());
        for minutes in (1..=MINUTES).rev() {
            ago.store(minutes * 60_000, Ordering::Relaxed);
            decide(&client, 7_919 * (2_000_000 + minutes));
        }
        assert_eq!(times.granted.load(Ordering::Relaxed), MINUTES);
    }

    /// Returns the server's statistics of EVALSHA.
    fn microseconds_per_call(&self) -> String {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut connection = client.get_connection().expect("a connection");
        let info: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).expect("statistics");
        let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap_or_default();
        line.split("usec_per_call=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("?").to_owned()
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}
