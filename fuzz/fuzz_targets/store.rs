//! Gives a guard whatever a Redis server or a custom store may return. Nothing is sent that the store did not grant, and
//! no error repeats what a server said.

#![no_main]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contiguity::fuzzing::{redis_responses, respond_with};
use contiguity::guard::{Claim, Decision, Guard, Redis, Return, Script, Store, StoreError, WhenAway};
use contiguity::{Client, Error, Limit, NewOtp, ResendOtp, VerifyOtp};
use libfuzzer_sys::fuzz_target;

type Next = Box<dyn FnMut() -> Result<Vec<i64>, StoreError> + Send>;

// What a server sends (RESP), which seeds can be written by hand in.
fuzz_target!(|input: &[u8]| {
    let mut next = redis_responses(std::io::Cursor::new(input.to_vec()));
    for _ in 0..8 {
        if let Err(error) = next() {
            is_fit_to_show(&error.to_string());
        }
    }
    for when_away in [WhenAway::Refuse, WhenAway::Allow, WhenAway::Alone { processes: 2 }] {
        let server = Server::new(input);
        let redis = server.clone();
        let redis = Redis::over("a secret of at least 16 bytes", move |script: &Script| redis.run(script)).unwrap();
        act(&server, guard().shared(redis).when_away(when_away).build().unwrap(), when_away);

        let server = Server::new(input);
        act(&server, guard().shared(Foreign(server.clone())).when_away(when_away).build().unwrap(), when_away);
    }
});

fn guard() -> contiguity::guard::GuardBuilder {
    Guard::total(Limit::per_day(1000)).everywhere()
}

/// Calls through a guard.
fn act(server: &Server, guard: Guard, when_away: WhenAway) {
    let client = Client::builder("your-api-key").base_url("http://127.0.0.1:1").retries(0);
    let client =
        client.clock(|| UNIX_EPOCH + Duration::from_secs(1_790_000_000)).build().unwrap().guarded(guard.clone());
    let client = client.by("203.0.113.7".parse::<std::net::IpAddr>().unwrap());
    let granted = |result: Result<(), Error>| {
        let last = std::mem::take(&mut *lock(&server.taken));
        match result {
            Ok(()) => assert!(last == Some(true) || (last.is_none() && when_away != WhenAway::Refuse)),
            Err(error) => {
                is_fit_to_show(&error.to_string());
                is_fit_to_show(&format!("{error:?}"));
                assert!(matches!(error, Error::Refused(_)), "{error}");
                let _ = error.retry_after();
            }
        }
    };

    respond_with(200, &[], br#"{"object":"response","data":{"otp_id":"otp_1","verified":true,"resent":true}}"#);
    granted(NewOtp::to("+14155552671").language("en").name("MyApp").send(&client).map(drop));
    granted(ResendOtp::otp_id("otp_1").send(&client).map(drop));
    granted(VerifyOtp::otp_id("otp_1").otp("804315").send(&client).map(drop));
    granted(VerifyOtp::otp_id("otp_2").otp("804315").send(&client).map(drop));
    respond_with(429, &[], b"");
    let unsent = NewOtp::to("+442071838750").language("en").name("MyApp").send(&client).unwrap_err();
    assert!(!unsent.may_have_sent(), "{unsent}");
    if let Err(error) = guard.forgive(&"+14155552671".parse().unwrap()) {
        is_fit_to_show(&error.to_string());
    }
}

/// A server that sends what the fuzzer made up.
#[derive(Clone)]
struct Server {
    next: Arc<Mutex<Next>>,
    /// The sealed note, which the fuzzer cannot guess.
    note: Arc<Mutex<Vec<i64>>>,
    /// Whether the last decision was a grant.
    taken: Arc<Mutex<Option<bool>>>,
}

impl Server {
    fn new(input: &[u8]) -> Self {
        let next: Next = Box::new(redis_responses(std::io::Cursor::new(input.to_vec())));
        Self { next: Arc::new(Mutex::new(next)), note: Arc::default(), taken: Arc::default() }
    }

    fn next(&self) -> Result<Vec<i64>, StoreError> {
        lock(&self.next)()
    }

    fn run(&self, script: &Script) -> Result<Vec<i64>, StoreError> {
        let response = self.next();
        match script.args()[0].as_str() {
            // Anything else is an error, as if the server were away.
            "take" => {
                *lock(&self.taken) = match response.as_deref() {
                    Ok([1, _]) => Some(true),
                    Ok([0, wait, claim, limit]) if [wait, claim, limit].iter().all(|n| **n >= 0) => Some(false),
                    _ => None,
                }
            }
            "remember" => *lock(&self.note) = script.args()[2].bytes().map(i64::from).collect(),
            "recall" if matches!(response.as_deref(), Ok([7])) => return Ok(lock(&self.note).clone()),
            _ => {}
        }
        response
    }
}

/// A store that returns what it wants.
struct Foreign(Server);

impl Store for Foreign {
    fn take(&self, _: &[Claim<'_>], _: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
        *lock(&self.0.taken) = None;
        let response = self.0.next()?;
        let number = |index: usize| response.get(index).map_or(0, |number| number.unsigned_abs());
        let decision = if number(0) == 1 {
            Decision::Granted { at: UNIX_EPOCH + Duration::from_millis(number(1)) }
        } else {
            let index = |at| usize::try_from(number(at)).unwrap_or(usize::MAX);
            Decision::Refused { retry_after: Duration::from_millis(number(1)), claim: index(2), limit: index(3) }
        };
        *lock(&self.0.taken) = Some(number(0) == 1);
        Ok(decision)
    }

    fn give_back(&self, _: &[Return<'_>]) -> Result<(), StoreError> {
        self.0.next().map(drop)
    }

    fn forget(&self, _: &[Claim<'_>]) -> Result<(), StoreError> {
        self.0.next().map(drop)
    }

    fn remember(&self, _: &str, note: &[u8], _: &dyn Fn() -> SystemTime) -> Result<(), StoreError> {
        *lock(&self.0.note) = note.iter().copied().map(i64::from).collect();
        self.0.next().map(drop)
    }

    fn recall(&self, _: &str, _: &dyn Fn() -> SystemTime) -> Result<Option<Vec<u8>>, StoreError> {
        let mut response = self.0.next()?;
        if response == [7] {
            response.clone_from(&lock(&self.0.note));
        }
        Ok(Some(response.into_iter().filter_map(|byte| u8::try_from(byte).ok()).collect()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One line that is not long.
fn is_fit_to_show(text: &str) {
    assert!(!text.contains(char::is_control) && text.len() < 300, "{text:?}");
}
