//! Processes that share a Redis share their limits, whatever happens to it.
//!
//! These tests start a real `redis-server`. If it is not installed, they are skipped, with a message.
//! `REQUIRE_REDIS=1` makes that a failure.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use contiguity::guard::{Caller, Guard, GuardBuilder, Redis, Script, WhenAway};
use contiguity::sandbox::Sandbox;
use contiguity::{Client, Error, InitiateReverseOtp, Limit, NewOtp, OtpId, Reason, Refusal, ResendOtp, VerifyOtp};
use redis::{Connection, RedisError, Value};

const PHONE: &str = "+14155552671";
const SECRET: &str = "a secret of 32 bytes for testing";

/// A server that stops at the end of the test.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    options: Vec<String>,
}

impl Server {
    /// Returns `None` if this machine has no `redis-server`.
    fn start(options: &[&str]) -> Option<Self> {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        static SAID: Once = Once::new();
        let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !is_there {
            assert!(std::env::var_os("REQUIRE_REDIS").is_none(), "redis-server is not installed");
            // Not by `eprintln!`, which the test harness shows only if the test fails.
            SAID.call_once(|| {
                let _ = writeln!(std::io::stderr(), "skipped the tests of Redis: redis-server is not installed");
            });
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = format!("redis-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let options: Vec<_> = options.iter().map(ToString::to_string).collect();
        let child = Self::spawn(port, &folder, &options);
        let server = Self { child, port, folder, options };
        server.wait();
        Some(server)
    }

    fn spawn(port: u16, folder: &PathBuf, options: &[String]) -> Child {
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(options)
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn wait(&self) {
        for _ in 0..1_000 {
            if self.try_connect().is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok()) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not start");
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn try_connect(&self) -> Result<Connection, RedisError> {
        redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(5))
    }

    #[track_caller]
    fn command<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = self.try_connect().unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query(&mut connection).unwrap()
    }

    fn keys(&self) -> Vec<String> {
        self.command(&["KEYS", "*"])
    }

    /// Reports whether this is the key of a note: 32 sealed bytes in hexadecimal.
    fn has_note(&self, key: &str) -> bool {
        let value: Vec<u8> = self.command(&["GET", key]);
        value.len() == 64 && value.iter().all(u8::is_ascii_hexdigit)
    }

    /// Returns every key with its content.
    fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let mut keys = self.keys();
        keys.sort();
        keys.into_iter().map(|key| (key.clone(), self.command(&["DUMP", &key]))).collect()
    }

    /// Returns how often a command was called.
    fn calls(&self, command: &str) -> u64 {
        let info: String = self.command(&["INFO", "commandstats"]);
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.port, &self.folder, &self.options);
        self.wait();
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn with_total(total: Limit) -> GuardBuilder {
    Guard::total(total).everywhere().per_number([]).per_caller([]).unverified([]).neighbors([]).wrong_codes([])
}

fn connected(server: &Server) -> Redis {
    Redis::connect(&server.url(), SECRET).unwrap()
}

#[track_caller]
fn guarded(sandbox: &Sandbox, guard: GuardBuilder) -> Client {
    sandbox.client().guarded(guard.build().unwrap()).by(Caller::nobody())
}

fn send(to: &str, client: &Client) -> Result<OtpId, Error> {
    NewOtp::to(to).language("en").name("MyApp").send(client).map(|sent| sent.otp_id)
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Reason {
    refusal(result).reason()
}

#[test]
fn two_processes_share_limits_and_notes() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let guard =
        || Guard::total(Limit::per_day(100)).everywhere().per_number(Limit::per_day(3)).unverified(Limit::per_day(3));
    let [one, other] = [(); 2].map(|()| guarded(&sandbox, guard().shared(connected(&server))));
    let sent = send(PHONE, &one).unwrap();
    // The other process also knows the number of the id.
    assert!(ResendOtp::otp_id(&sent).send(&other).unwrap().resent);
    assert!(send(PHONE, &one).is_ok());
    assert_eq!(reason(ResendOtp::otp_id(&sent).send(&other)), Reason::Number);
    for _ in 0..2 {
        assert!(!VerifyOtp::otp_id(&sent).otp("0000").send(&one).unwrap().verified);
        assert!(!VerifyOtp::otp_id(&sent).otp("0000").send(&other).unwrap().verified);
    }
    // A process that sent one of the texts of the id gives back both.
    let first = sandbox.phone(PHONE).messages()[0].code.clone();
    assert!(VerifyOtp::otp_id(&sent).otp(first).send(&other).unwrap().verified);
    assert!(send("+14155550001", &one).is_ok());
    assert!(send("+14155550002", &one).is_ok());
    assert_eq!(reason(send("+14155550003", &one)), Reason::Unverified);

    let apart = connected(&server).prefix("another program").unwrap();
    assert!(send(PHONE, &guarded(&sandbox, guard().shared(apart))).is_ok());
    let apart = Redis::connect(&server.url(), "another secret of 32 bytes......").unwrap();
    assert!(send(PHONE, &guarded(&sandbox, guard().shared(apart))).is_ok());
}

/// A service on a free port that returns JSON for every request.
fn respond(response: impl Fn(&str) -> String + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let response = Arc::new(response);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let response = Arc::clone(&response);
            thread::spawn(move || {
                let (mut request, mut buffer) = (String::new(), [0; 4096]);
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    request += &String::from_utf8_lossy(&buffer[..read]);
                    if request.ends_with('}') {
                        if stream.write_all(response(&request).as_bytes()).is_err() {
                            return;
                        }
                        request.clear();
                    }
                }
            });
        }
    });
    port
}

/// A store with a script that reads the test's clock.
fn timed(server: &Server, clock: &Arc<AtomicU64>) -> Redis {
    let clock = Arc::clone(clock);
    let connection = Mutex::new(server.try_connect().unwrap());
    let run = move |script: &Script| {
        let now = clock.load(Ordering::Relaxed);
        let time = format!("{{ {}, {} }}", now / 1000, now % 1000 * 1000);
        let source = script.source().replace("redis.call('TIME')", &time);
        assert!(source.contains(&time));
        let mut eval = redis::cmd("EVAL");
        eval.arg(source).arg(script.keys().len()).arg(script.keys()).arg(script.args());
        eval.query::<Vec<i64>>(&mut *connection.lock().unwrap())
    };
    Redis::over(SECRET, run).unwrap()
}

#[test]
fn a_clock_that_goes_back_makes_no_wait_longer() {
    const WEEK: u64 = 7 * 24 * 3600 * 1000;
    let Some(server) = Server::start(&[]) else { return };
    let now = Arc::new(AtomicU64::new(1_785_380_854_155));
    let sandbox = Sandbox::start().unwrap();
    let client = guarded(&sandbox, with_total(Limit::per_hour(2)).shared(timed(&server, &now)));
    send(PHONE, &client).unwrap();
    send(PHONE, &client).unwrap();
    now.fetch_sub(WEEK, Ordering::Relaxed);
    let first = refusal(send(PHONE, &client)).retry_after().unwrap();
    assert!((3_600..=3_660).contains(&first.as_secs()), "{first:?}");
    now.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(refusal(send(PHONE, &client)).retry_after().unwrap(), first.saturating_sub(Duration::from_secs(60)));
    now.fetch_add(u64::try_from(first.as_millis()).unwrap() - 60_000, Ordering::Relaxed);
    send(PHONE, &client).unwrap();
}

#[test]
fn a_limit_that_is_lowered_holds_at_once_and_its_wait_is_exact() {
    let Some(server) = Server::start(&[]) else { return };
    let now = Arc::new(AtomicU64::new(1_785_380_854_155));
    let sandbox = Sandbox::start().unwrap();
    let client = |most| guarded(&sandbox, with_total(Limit::per_hour(most)).shared(timed(&server, &now)));
    for _ in 0..5 {
        send(PHONE, &client(5)).unwrap();
        now.fetch_add(600_000, Ordering::Relaxed);
    }
    // Four of the five have to leave the window. The fourth was sent 20 minutes ago.
    let wait = refusal(send(PHONE, &client(2))).retry_after().unwrap();
    assert!((2_400..=2_460).contains(&wait.as_secs()), "{wait:?}");
    now.fetch_add(u64::try_from(wait.as_millis()).unwrap() - 1, Ordering::Relaxed);
    assert_eq!(reason(send(PHONE, &client(2))), Reason::Total);
    now.fetch_add(1, Ordering::Relaxed);
    send(PHONE, &client(2)).unwrap();
}

#[test]
fn redis_decides_as_memory_does() {
    let Some(server) = Server::start(&[]) else { return };
    let now = Arc::new(AtomicU64::new(1_785_380_854_155));
    let guard = || {
        Guard::total([Limit::per_hour(60), Limit::new(12, Duration::from_secs(90))])
            .everywhere()
            .per_number([Limit::new(1, Duration::from_secs(10)), Limit::new(3, Duration::from_secs(300))])
            .per_caller([Limit::new(30, Duration::from_secs(600)), Limit::per_day(500)])
            .unverified([Limit::new(6, Duration::from_secs(200)), Limit::per_hour(40)])
            .neighbors(Limit::new(5, Duration::from_secs(400)))
            .wrong_codes([Limit::new(4, Duration::from_secs(500)), Limit::per_hour(30)])
    };
    let count = AtomicU64::new(0);
    let port = respond(move |request| {
        let is_right = request.contains(r#""otp":"1111""#);
        let (status, data) = if request.contains("Refused") || request.contains("3333") {
            ("400 Bad Request", r#"{"error":"Bad Request","status":400}"#.to_owned())
        } else {
            let id = count.fetch_add(1, Ordering::Relaxed);
            ("200 OK", format!(r#"{{"otp_id":"otp_{id}","verified":{is_right},"resent":true}}"#))
        };
        let body = format!(r#"{{"id":"req_1","timestamp":1,"api_version":"v","object":"response","data":{data}}}"#);
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    });
    let clock = Arc::clone(&now);
    let client = Client::builder("contiguity_sk_test")
        .base_url(format!("http://127.0.0.1:{port}"))
        .retries(0)
        .clock(move || UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::Relaxed)))
        .build()
        .unwrap();
    let memory = client.clone().guarded(guard().build().unwrap());
    let shared = client.guarded(guard().shared(timed(&server, &now)).build().unwrap());

    let mut random = fastrand::Rng::with_seed(12);
    let mut ids: Vec<(u64, [OtpId; 2])> = Vec::new();
    let (mut granted, mut refused) = (0, 0);
    let operations = std::env::var("OPERATIONS").map_or(5_000, |operations| operations.parse().unwrap());
    for operation in 0..operations {
        now.fetch_add(random.u64(..20_000), Ordering::Relaxed);
        if random.u32(..1_000) == 0 {
            now.fetch_add(random.u64(..7_200_000), Ordering::Relaxed);
        }
        let number = ["+14155552671", "+14155552672", "+14155562671", "+442079460958"][random.usize(..4)];
        let caller = ["one", "two", "203.0.113.7"][random.usize(..3)];
        let name = if random.u32(..8) == 0 { "Refused" } else { "MyApp" };
        let code = ["0000", "0000", "1111", "3333"][random.usize(..4)];
        // Notes expire by the server's clock, which the test cannot move, so only recent ids are used.
        let time = now.load(Ordering::Relaxed);
        ids.retain(|(sent, _)| time < sent + 900_000);
        let id = (!ids.is_empty()).then(|| ids[random.usize(..ids.len())].1.clone());
        let kind = random.u32(..8);
        let mut outcomes = Vec::new();
        for (index, sign_in) in [&memory, &shared].into_iter().enumerate() {
            let sign_in = sign_in.by(caller);
            let outcome = match (kind, &id) {
                (0..=1, Some(ids)) => {
                    VerifyOtp::otp_id(&ids[index]).otp(code).send(&sign_in).map(|check| (check.verified, None))
                }
                (2, Some(ids)) => ResendOtp::otp_id(&ids[index]).send(&sign_in).map(|again| (again.resent, None)),
                (3, _) => InitiateReverseOtp::number(number).factor("1").to(PHONE).send(&sign_in).map(|_| (true, None)),
                _ => NewOtp::to(number).language("en").name(name).send(&sign_in).map(|sent| (true, Some(sent.otp_id))),
            };
            outcomes.push(outcome);
        }
        let shared = outcomes.pop().unwrap();
        let memory = outcomes.pop().unwrap();
        match (memory, shared) {
            (Ok((memory, first)), Ok((shared, second))) => {
                assert_eq!(memory, shared, "operation {operation}");
                granted += 1;
                if let (Some(first), Some(second)) = (first, second) {
                    ids.push((time, [first, second]));
                }
            }
            (Err(memory), Err(shared)) => {
                assert_eq!(memory.to_string(), shared.to_string(), "operation {operation}");
                assert_eq!(memory.retry_after(), shared.retry_after(), "operation {operation}");
                refused += 1;
            }
            (memory, shared) => panic!("operation {operation}: {memory:?} is not {shared:?}"),
        }
    }
    assert!(granted * 10 > operations && refused * 10 > operations, "{granted} granted, {refused} refused");
}

#[test]
fn a_decision_is_one_call_of_the_script() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let guard = Guard::total(Limit::per_day(50)).everywhere().per_number(Limit::per_day(1)).shared(connected(&server));
    let client = guarded(&sandbox, guard);
    send(PHONE, &client).unwrap();
    let before = server.calls("evalsha");
    for _ in 0..100 {
        assert_eq!(reason(send(PHONE, &client)), Reason::Number);
    }
    assert_eq!(server.calls("evalsha") - before, 100);
    assert_eq!(server.calls("eval"), 1, "the script is sent once");
    // A text takes a decision and a note.
    let before = server.calls("evalsha");
    send("+14155552672", &client).unwrap();
    assert_eq!(server.calls("evalsha") - before, 2);
}

#[test]
fn the_hash_of_the_script_is_right() {
    let Some(server) = Server::start(&[]) else { return };
    let connection = Mutex::new(server.try_connect().unwrap());
    let hashes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&hashes);
    let store = Redis::over(SECRET, move |script: &Script| {
        let mut connection = connection.lock().unwrap();
        let hash: String = redis::cmd("SCRIPT").arg("LOAD").arg(script.source()).query(&mut *connection)?;
        seen.lock().unwrap().push((hash, script.sha1().to_owned()));
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.sha1()).arg(script.keys().len()).arg(script.keys()).arg(script.args());
        command.query::<Vec<i64>>(&mut *connection)
    });
    let sandbox = Sandbox::start().unwrap();
    send(PHONE, &guarded(&sandbox, with_total(Limit::per_day(1)).shared(store.unwrap()))).unwrap();
    let hashes = hashes.lock().unwrap();
    assert!(!hashes.is_empty() && hashes.iter().all(|(theirs, ours)| theirs == ours), "{hashes:?}");
}

#[test]
fn no_key_or_value_shows_a_subject_and_every_key_expires() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let guard = Guard::total(Limit::per_day(50)).everywhere().shared(connected(&server)).build().unwrap();
    let caller = Caller::from("203.0.113.7").and(Caller::key("account 4711"));
    let client = sandbox.client().guarded(guard).by(caller);
    let sent = send(PHONE, &client).unwrap();
    assert!(VerifyOtp::otp_id(&sent).otp("0000").send(&client).is_ok());

    let keys = server.keys();
    // Number, neighbors, unverified, two callers, total, note; wrong codes and attempts.
    assert_eq!(keys.len(), 9, "{keys:?}");
    for key in &keys {
        let hash = key.strip_prefix("{contiguity}:").expect("the hash tag");
        assert!(hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
        let lifetime: i64 = server.command(&["PTTL", key]);
        assert!(lifetime > 0 && lifetime <= 31 * 24 * 3600 * 1000, "{key} lives {lifetime} ms");
        let value: Vec<u8> = server.command(&["GET", key]);
        for secret in [PHONE, "4155552671", "5552671", "203.0.113.7", "4711", "account", sent.as_str(), SECRET] {
            let in_hexadecimal = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            for shown in [secret, &in_hexadecimal] {
                let is_in = |bytes: &[u8]| bytes.windows(shown.len()).any(|window| window == shown.as_bytes());
                assert!(!is_in(&value) && !is_in(key.as_bytes()), "{key} shows {secret}");
            }
        }
    }
    assert_eq!(keys.iter().filter(|key| server.has_note(key)).count(), 1);
}

#[test]
fn a_flushed_script_and_a_closed_connection_change_nothing() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let client = guarded(&sandbox, with_total(Limit::per_day(6)).shared(connected(&server)));
    for disturb in [&["SCRIPT", "FLUSH"][..], &["CLIENT", "KILL", "TYPE", "normal"]] {
        send(PHONE, &client).unwrap();
        let _: Value = server.command(disturb);
        send(PHONE, &client).unwrap();
        send(PHONE, &client).unwrap();
    }
    assert_eq!(reason(send(PHONE, &client)), Reason::Total);
}

/// The counts that a restart loses, of three texts. With save points, the last save comes after the
/// second text.
#[test]
fn a_restart_loses_what_redis_had_not_saved() {
    let append_only = ["--appendonly", "yes", "--appendfsync", "always"];
    let save_points = ["--save", "3600 1"];
    for (options, signal, lost) in [
        (&append_only[..], "-KILL", 0),
        (&save_points[..], "-TERM", 0),
        (&save_points[..], "-KILL", 1),
        (&[][..], "-TERM", 3),
    ] {
        let Some(mut server) = Server::start(options) else { return };
        let sandbox = Sandbox::start().unwrap();
        let client = guarded(&sandbox, with_total(Limit::per_day(3)).shared(connected(&server)));
        for text in 1..=3 {
            send(PHONE, &client).unwrap();
            if text == 2 && options == save_points {
                let _: Value = server.command(&["SAVE"]);
            }
        }
        assert_eq!(reason(send(PHONE, &client)), Reason::Total);
        server.signal(signal);
        server.child.wait().unwrap();
        server.restart();
        let again = (0..4).filter(|_| send(PHONE, &client).is_ok()).count();
        assert_eq!(again, lost, "{options:?} {signal}");
    }
}

#[test]
fn a_server_that_hangs_is_asked_once_and_for_one_timeout() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let client = guarded(&sandbox, with_total(Limit::per_day(3)).shared(connected(&server)));
    send(PHONE, &client).unwrap();
    server.signal("-STOP");
    let began = Instant::now();
    assert_eq!(reason(send(PHONE, &client)), Reason::Unavailable);
    let took = began.elapsed();
    // One timeout of 500 ms, not two.
    assert!((400..950).contains(&took.as_millis()), "{took:?}");
    let patient = with_total(Limit::per_day(3)).shared(connected(&server).timeout(Duration::from_secs(2)));
    let began = Instant::now();
    assert_eq!(reason(send(PHONE, &guarded(&sandbox, patient))), Reason::Unavailable);
    assert!(began.elapsed() >= Duration::from_secs(2));
    server.signal("-CONT");
    thread::sleep(Duration::from_millis(100));
    // The server counted the request once.
    send(PHONE, &client).unwrap();
    assert_eq!(reason(send(PHONE, &client)), Reason::Total);
    assert_eq!(sandbox.deliveries(PHONE), 2);
}

#[test]
fn a_number_that_is_forgiven_is_forgiven_for_all_processes() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let guard = || with_total(Limit::per_day(100)).per_number(Limit::per_day(1)).shared(connected(&server));
    let (desk, process) = (guard().build().unwrap(), guarded(&sandbox, guard()));
    send(PHONE, &process).unwrap();
    assert_eq!(reason(send(PHONE, &process)), Reason::Number);
    desk.forgive(&PHONE.parse().unwrap()).unwrap();
    send(PHONE, &process).unwrap();
    assert_eq!(reason(send(PHONE, &process)), Reason::Number);
}

#[test]
fn a_server_that_cannot_write_counts_nothing() {
    let Some(server) = Server::start(&[]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let guard = Guard::total(Limit::per_day(50)).everywhere().per_number(Limit::per_day(2)).shared(connected(&server));
    let client = guarded(&sandbox, guard);
    send(PHONE, &client).unwrap();
    let before = server.dump();
    let set = |options: &[&str]| {
        let _: Value = server.command(options);
    };
    for (spoil, repair) in [
        (&["CONFIG", "SET", "maxmemory", "1"][..], &["CONFIG", "SET", "maxmemory", "0"][..]),
        (&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]),
    ] {
        set(spoil);
        assert_eq!(reason(send(PHONE, &client)), Reason::Unavailable, "{spoil:?}");
        set(repair);
        assert_eq!(server.dump(), before, "{spoil:?}");
    }
    // Any counter may have a key of another type. The note of the first text is not a counter.
    let counters: Vec<_> = server.keys().into_iter().filter(|key| !server.has_note(key)).collect();
    assert_eq!(counters.len(), 4);
    for key in counters {
        set(&["RENAME", &key, "kept"]);
        set(&["RPUSH", &key, "not a counter"]);
        let spoiled = server.dump();
        assert_eq!(reason(send(PHONE, &client)), Reason::Unavailable);
        assert_eq!(server.dump(), spoiled);
        set(&["RENAME", "kept", &key]);
    }
    send(PHONE, &client).unwrap();
    assert_eq!(reason(send(PHONE, &client)), Reason::Number);
}

#[test]
fn each_way_to_decide_while_redis_is_away() {
    let Some(mut server) = Server::start(&["--appendonly", "yes"]) else { return };
    let sandbox = Sandbox::start().unwrap();
    let client = |when_away| {
        let guard = with_total(Limit::per_day(12)).per_number(Limit::per_day(2)).shared(connected(&server));
        guarded(&sandbox, guard.when_away(when_away))
    };
    let refuses = client(WhenAway::Refuse);
    let allows = client(WhenAway::Allow);
    let alone = client(WhenAway::Alone { processes: 4 });
    send(PHONE, &alone).unwrap();
    send(PHONE, &alone).unwrap();
    server.kill();
    let began = Instant::now();
    assert_eq!(reason(send("+14155552672", &refuses)), Reason::Unavailable);
    send(PHONE, &allows).unwrap();
    assert_eq!(reason(send(PHONE, &alone)), Reason::Number, "it knows what it sent before");
    send("+14155552672", &alone).unwrap();
    assert_eq!(reason(send("+14155552673", &alone)), Reason::Total, "a quarter of 12, two of them before");
    assert!(began.elapsed() < Duration::from_secs(2), "no call waits for a server that is not there");
    server.restart();
    assert_eq!(reason(send(PHONE, &refuses)), Reason::Number);
    send("+14155552673", &alone).unwrap();
}

#[test]
fn a_server_that_is_unreachable_at_the_start_is_not_an_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = Redis::connect(&format!("redis://127.0.0.1:{port}"), SECRET).unwrap();
    let sandbox = Sandbox::start().unwrap();
    let client = guarded(&sandbox, with_total(Limit::per_day(1)).shared(store));
    assert_eq!(reason(send(PHONE, &client)), Reason::Unavailable);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let config = |error: Error| match error {
        Error::Config(error) => error.to_string(),
        error => panic!("{error}"),
    };
    let run = |_: &Script| Err::<Vec<i64>, _>("never");
    assert_eq!(
        config(Redis::over("15 bytes are it", run).unwrap_err()),
        "the secret of a shared guard has fewer than 16 bytes; use a random one of 32"
    );
    for prefix in ["", " ", "my{app}", "a}", "a\nb"] {
        let error = Redis::over(SECRET, run).unwrap().prefix(prefix).unwrap_err();
        assert_eq!(config(error), "the prefix of Redis keys is blank, or has a brace or a control character");
    }
    for url in ["", "127.0.0.1", "http://127.0.0.1", "rediss://user:hunter2@127.0.0.1"] {
        assert_eq!(
            config(Redis::connect(url, SECRET).unwrap_err()),
            "the Redis URL cannot be used; give one such as redis://127.0.0.1:6379, and for TLS use `Redis::over`"
        );
    }
}

#[test]
fn a_cluster_runs_the_script_on_the_node_that_has_the_keys() {
    let cluster = || Server::start(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
    let (Some(one), Some(two), Some(three)) = (cluster(), cluster(), cluster()) else { return };
    let nodes = [one, two, three];
    for (node, slots) in nodes.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
        let _: Value = node.command(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
        let _: Value = node.command(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port.to_string()]);
    }
    let is_up = |node: &Server| {
        let info: String = node.command(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
    };
    for _ in 0..600 {
        if nodes.iter().all(is_up) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(nodes.iter().all(is_up), "the cluster does not come up");
    // Follows a redirect to another node.
    let connection = Mutex::new(nodes[0].try_connect().unwrap());
    let store = Redis::over(SECRET, move |script: &Script| {
        let mut connection = connection.lock().unwrap();
        let mut eval = redis::cmd("EVAL");
        eval.arg(script.source()).arg(script.keys().len()).arg(script.keys()).arg(script.args());
        let result = eval.query::<Vec<i64>>(&mut *connection);
        let Some((node, _)) = result.as_ref().err().and_then(RedisError::redirect_node) else { return result };
        *connection = redis::Client::open(format!("redis://{node}"))?.get_connection()?;
        eval.query(&mut *connection)
    });
    let sandbox = Sandbox::start().unwrap();
    let guard = Guard::total(Limit::per_day(50)).everywhere().per_number(Limit::per_day(1)).shared(store.unwrap());
    let client = guarded(&sandbox, guard);
    let sent = send(PHONE, &client).unwrap();
    assert!(VerifyOtp::otp_id(&sent).otp("0000").send(&client).is_ok());
    assert_eq!(reason(send(PHONE, &client)), Reason::Number);
    let holding = nodes.iter().filter(|node| !node.keys().is_empty()).count();
    assert_eq!(holding, 1, "all keys have one hash tag");
}

mod fleet {
    use super::*;

    const PROCESSES: usize = 8;
    const TOTAL: u32 = 200;

    /// One process of a fleet, which sends texts until the budget is used up.
    #[test]
    fn a_process_of_the_fleet() {
        let Ok(redis) = std::env::var("FLEET_REDIS") else { return };
        let store = Redis::connect(&redis, SECRET).unwrap();
        let guard = with_total(Limit::per_day(TOTAL)).shared(store).build().unwrap();
        let client = Client::from_env().unwrap().guarded(guard).by(Caller::nobody());
        println!("ready");
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < Duration::from_secs(60), "the fleet does not finish");
            match send(PHONE, &client) {
                Ok(_) => {}
                Err(Error::Refused(refusal)) if refusal.reason() == Reason::Total => return,
                Err(Error::Refused(refusal)) => {
                    assert_eq!(refusal.reason(), Reason::Unavailable);
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn start(server: &Server, sandbox: &Sandbox) -> Vec<Child> {
        let process = || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "fleet::a_process_of_the_fleet", "--nocapture"])
                .env("FLEET_REDIS", server.url())
                .env("CONTIGUITY_API_KEY", sandbox.api_key())
                .env("CONTIGUITY_BASE_URL", sandbox.url())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let mut processes: Vec<_> = (0..PROCESSES).map(|_| process()).collect();
        for process in &mut processes {
            let lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
            assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
        }
        processes
    }

    fn finish(processes: Vec<Child>) {
        for mut process in processes {
            assert!(process.wait().unwrap().success());
        }
    }

    #[test]
    fn eight_processes_send_exactly_the_budget() {
        let Some(server) = Server::start(&[]) else { return };
        let sandbox = Sandbox::start().unwrap();
        finish(start(&server, &sandbox));
        assert_eq!(sandbox.deliveries(PHONE), TOTAL as usize);
    }

    #[test]
    fn eight_processes_never_send_more_although_redis_is_killed_three_times() {
        let Some(mut server) = Server::start(&["--appendonly", "yes", "--appendfsync", "everysec"]) else { return };
        let sandbox = Sandbox::start().unwrap();
        let processes = start(&server, &sandbox);
        for kill in 1..=3_usize {
            let began = Instant::now();
            while sandbox.deliveries(PHONE) < kill * TOTAL as usize / 5 && began.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(1));
            }
            server.kill();
            thread::sleep(Duration::from_millis(20));
            server.restart();
        }
        finish(processes);
        let sent = sandbox.deliveries(PHONE);
        // A text that was counted but not granted when the server died is lost: one per process and
        // kill.
        assert!((TOTAL as usize - 3 * PROCESSES..=TOTAL as usize).contains(&sent), "{sent} texts");
    }
}
