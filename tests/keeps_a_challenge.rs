//! A challenge allows exactly what its policy says, even if it is stored between any two steps.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy, Reason, Refusal, ResendOtp, VerifyOtp};
use proptest::prelude::*;

const PHONE: &str = "+14155552671";

/// A sandbox and a client with a clock that only the test moves.
struct Bench {
    sandbox: Sandbox,
    client: Client,
    clock: Arc<AtomicU64>,
}

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::start().unwrap();
        let clock = Arc::new(AtomicU64::new(START));
        let shared = Arc::clone(&clock);
        let client = Client::builder(sandbox.api_key())
            .base_url(sandbox.url())
            .retries(0)
            .clock(move || UNIX_EPOCH + Duration::from_millis(shared.load(Ordering::Relaxed)))
            .build()
            .unwrap();
        Self { sandbox, client, clock }
    }

    #[track_caller]
    fn challenge(&self, policy: Policy) -> Challenge {
        NewOtp::to(PHONE).language("en").name("MyApp").challenge(&self.client, policy).unwrap()
    }

    fn code(&self) -> String {
        self.sandbox.phone(PHONE).last_message().unwrap().code
    }

    fn wrong_code(&self) -> &'static str {
        if self.code() == "000000" { "000001" } else { "000000" }
    }

    fn advance(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }
}

const START: u64 = 1_785_380_854_155;

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(error @ Error::Refused(_)) => {
            assert!(!error.may_have_sent() && !error.is_retryable(), "{error}");
            assert_eq!((error.status(), error.request_id()), (None, None));
            let wait = error.retry_after();
            let Error::Refused(refusal) = error else { unreachable!() };
            assert_eq!((refusal.limit(), refusal.retry_after()), (None, wait));
            refusal
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Reason {
    refusal(result).reason()
}

fn stored_and_read(challenge: &Challenge) -> Challenge {
    serde_json::from_str(&serde_json::to_string(challenge).unwrap()).unwrap()
}

#[test]
fn the_right_code_proves_the_number_of_the_challenge() {
    let bench = Bench::new();
    let mut challenge = stored_and_read(&bench.challenge(Policy::DEFAULT));
    let Ok(Attempt::Verified(proof)) = challenge.verify(&bench.client, bench.code()) else { panic!() };
    assert_eq!(proof.number(), Some(challenge.number()));
    assert_eq!(challenge.number(), PHONE);
    assert_eq!(proof.otp_id(), challenge.otp_id());
    let mut challenge = stored_and_read(&challenge);
    let code = bench.code();
    assert_eq!(reason(challenge.verify(&bench.client, code)), Reason::Finished);
    assert_eq!(reason(challenge.resend(&bench.client)), Reason::Finished);
    assert_eq!((challenge.next_resend_at(), challenge.resend_in(&bench.client)), (None, None));
}

#[test]
fn version_1_is_stored_in_this_form() {
    const VERSION_1: &str = concat!(
        r#"{"attempts":5,"cooldown":30000,"finished":false,"lifetime":600000,"number":"+14155552671","#,
        r#""otp_id":"otp_1234567890","resends":3,"resent":1,"revision":3,"sent":1785380854155,"#,
        r#""texted":1785380884155,"tried":2,"version":1}"#
    );
    let challenge: Challenge = serde_json::from_str(VERSION_1).unwrap();
    assert_eq!(challenge.otp_id().as_str(), "otp_1234567890");
    assert_eq!(challenge.number().as_str(), PHONE);
    assert_eq!((challenge.attempts_left(), challenge.resends_left(), challenge.revision()), (3, 2, 3));
    assert_eq!(challenge.expires_at(), UNIX_EPOCH + Duration::from_millis(START + 600_000));
    assert_eq!(challenge.next_resend_at(), Some(UNIX_EPOCH + Duration::from_millis(START + 30_000 + 60_000)));
    assert_eq!(serde_json::to_string(&challenge).unwrap(), VERSION_1);
    assert!(VERSION_1.len() < 256);
}

#[test]
fn another_version_means_to_start_again() {
    for stored in [
        r#"{"version":2}"#,
        r#"{"otp":17,"number":["+14155552671"],"version":4294967296}"#,
        r#"{"version":0,"attempts":5}"#,
    ] {
        let error = serde_json::from_str::<Challenge>(stored).unwrap_err();
        let expected = "the stored challenge is of another version of this library; start again with a new one";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn a_damaged_challenge_is_an_error_without_what_it_says() {
    let whole = serde_json::to_value(Bench::new().challenge(Policy::DEFAULT)).unwrap();
    let fields: Vec<String> = whole.as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields.len(), 13);
    for field in fields {
        let mut missing = whole.clone();
        missing.as_object_mut().unwrap().remove(&field);
        let mut odd = whole.clone();
        odd[&field] = "4155552671".into();
        let mut negative = whole.clone();
        negative[&field] = (-1).into();
        for damaged in [missing, odd, negative] {
            // An id may be any text.
            let Err(error) = serde_json::from_value::<Challenge>(damaged) else {
                assert_eq!(field, "otp_id");
                continue;
            };
            assert_eq!(error.to_string(), "the stored challenge is damaged; start again with a new one", "{field}");
        }
    }
    for damaged in ["null", "[]", "17", r#""+14155552671""#, "{}", r#"{"version":"1"}"#, "{\"version\":1"] {
        let error = serde_json::from_str::<Challenge>(damaged).unwrap_err().to_string();
        assert!(error.starts_with("the stored challenge is damaged"), "{damaged}: {error}");
    }
}

#[test]
fn a_first_text_after_the_last_one_is_damage() {
    let bench = Bench::new();
    let mut fields = serde_json::to_value(bench.challenge(Policy::DEFAULT)).unwrap();
    fields["sent"] = (fields["texted"].as_u64().unwrap() + 1).into();
    // It would expire later than any code.
    assert!(serde_json::from_value::<Challenge>(fields).is_err());
}

#[test]
fn debug_masks_the_number() {
    let challenge = Bench::new().challenge(Policy::DEFAULT);
    let shown = format!("{challenge:?}");
    assert!(shown.contains("+1•••••2671") && !shown.contains("415555"), "{shown}");
}

#[test]
fn the_cooldown_doubles_and_an_early_resend_says_how_long_to_wait() {
    let bench = Bench::new();
    let mut challenge = bench.challenge(Policy::DEFAULT);
    for cooldown in [30, 60, 120] {
        bench.advance(cooldown - 1);
        let refusal = refusal(challenge.resend(&bench.client));
        assert_eq!((refusal.reason(), refusal.retry_after()), (Reason::TooSoon, Some(Duration::from_secs(1))));
        assert_eq!(challenge.resend_in(&bench.client), Some(Duration::from_secs(1)));
        bench.advance(1);
        assert_eq!(challenge.resend_in(&bench.client), Some(Duration::ZERO));
        challenge.resend(&bench.client).unwrap();
    }
    bench.advance(240);
    assert_eq!(reason(challenge.resend(&bench.client)), Reason::NoResendsLeft);
    assert_eq!(bench.sandbox.deliveries(PHONE), 4);
}

#[test]
fn a_challenge_never_outlives_the_services_codes() {
    let bench = Bench::new();
    for lifetime in [Duration::from_secs(15 * 60), Duration::from_millis(900_001), Duration::MAX] {
        let challenge = bench.challenge(Policy::DEFAULT.lifetime(lifetime));
        assert_eq!(challenge.expires_at(), UNIX_EPOCH + Duration::from_millis(bench.now() + 900_000));
    }
    let longer = serde_json::json!({
        "version": 1, "otp_id": "otp_1", "number": PHONE, "sent": 0, "texted": u64::MAX, "attempts": 0, "tried": 7,
        "resends": u32::MAX, "resent": 0, "cooldown": u64::MAX, "lifetime": u64::MAX, "finished": false, "revision": 0
    });
    let challenge: Challenge = serde_json::from_value(longer).unwrap();
    assert_eq!(challenge.expires_at(), UNIX_EPOCH + Duration::from_secs(900));
    assert_eq!((challenge.attempts_left(), challenge.next_resend_at()), (0, None));
}

#[test]
fn no_resend_is_announced_that_is_not_possible() {
    let bench = Bench::new();
    let cooldown = |seconds| Policy::DEFAULT.cooldown(Duration::from_secs(seconds));
    let late = bench.challenge(cooldown(600));
    assert_eq!((late.next_resend_at(), late.resend_in(&bench.client)), (None, None));

    let none = bench.challenge(Policy::DEFAULT.resends(0));
    assert_eq!((none.next_resend_at(), none.resend_in(&bench.client)), (None, None));

    let mut tried = bench.challenge(Policy::DEFAULT.attempts(1));
    assert!(tried.next_resend_at().is_some());
    let _ = tried.verify(&bench.client, bench.wrong_code()).unwrap();
    assert_eq!((tried.next_resend_at(), tried.resend_in(&bench.client)), (None, None));

    let last = bench.challenge(cooldown(599));
    bench.advance(599);
    assert_eq!(last.resend_in(&bench.client), Some(Duration::ZERO));
    bench.advance(1);
    assert_eq!(last.resend_in(&bench.client), None);
}

#[test]
fn the_times_of_every_challenge_can_be_written() {
    let far = serde_json::json!({
        "version": 1, "otp_id": "otp_1", "number": PHONE, "sent": u64::MAX - 900_000, "texted": u64::MAX - 900_000,
        "attempts": 5, "tried": 0, "resends": 3, "resent": 0, "cooldown": 1000, "lifetime": 900_000,
        "finished": false, "revision": 0
    });
    let challenge: Challenge = serde_json::from_value(far).unwrap();
    for time in [challenge.expires_at(), challenge.next_resend_at().unwrap()] {
        assert_eq!(humantime::format_rfc3339_millis(time).to_string(), "9999-12-31T23:59:59.999Z");
    }
}

#[test]
fn text_that_is_not_a_code_uses_no_attempt() {
    let bench = Bench::new();
    let mut challenge = bench.challenge(Policy::DEFAULT);
    let before = challenge.clone();
    let error = challenge.verify(&bench.client, "abc").unwrap_err();
    assert!(matches!(error, Error::Validation(_)), "{error}");
    assert_eq!(challenge, before);
}

#[test]
fn what_was_certainly_not_sent_is_given_back() {
    let bench = Bench::new();
    let lost: [(Fault, bool); 6] = [
        (Fault::status(400).into(), false),
        (Fault::status(429).into(), false),
        (Fault::status(502).into(), true),
        (Fault::drop_before(), true),
        (Fault::drop_after(), true),
        (Fault::garbage(), true),
    ];
    for (fault, is_used) in lost {
        let mut challenge = bench.challenge(Policy::DEFAULT);
        let wrong = bench.wrong_code();
        bench.sandbox.fail_next(fault.clone());
        let error = challenge.verify(&bench.client, wrong).unwrap_err();
        assert_eq!(error.may_have_sent(), is_used, "{error}");
        assert_eq!(challenge.attempts_left(), if is_used { 4 } else { 5 }, "{error}");

        bench.advance(30);
        bench.sandbox.fail_next(fault);
        let error = challenge.resend(&bench.client).unwrap_err();
        assert_eq!(challenge.resends_left(), if is_used { 2 } else { 3 }, "{error}");
        assert_eq!(challenge.resend_in(&bench.client).unwrap().is_zero(), !is_used, "{error}");
    }
}

#[test]
fn a_code_that_the_service_no_longer_resends_was_used() {
    let bench = Bench::new();
    let mut challenge = bench.challenge(Policy::DEFAULT);
    let check = VerifyOtp::otp_id(challenge.otp_id()).otp(bench.code()).send(&bench.client).unwrap();
    assert!(check.proof().is_ok());
    bench.advance(30);
    assert!(!ResendOtp::otp_id(challenge.otp_id()).send(&bench.client).unwrap().resent);
    assert_eq!(reason(challenge.resend(&bench.client)), Reason::Finished);
}

#[test]
fn an_attempt_is_on_record_before_anything_is_sent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let saved = Arc::new(AtomicUsize::new(0));
    let seen_at_arrival = {
        let saved = Arc::clone(&saved);
        thread::spawn(move || {
            let (mut connection, _) = silent.accept().unwrap();
            let _ = connection.read(&mut [0; 1024]).unwrap();
            let seen = saved.load(Ordering::SeqCst);
            connection.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").unwrap();
            seen
        })
    };
    let client = Client::builder("contiguity_sk_test").base_url(url).retries(0).build().unwrap();
    let mut challenge = Bench::new().challenge(Policy::DEFAULT);
    // The two clients have different clocks.
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let mut stored = serde_json::to_value(&challenge).unwrap();
    stored["sent"] = u64::try_from(now).unwrap().into();
    stored["texted"] = stored["sent"].clone();
    challenge = serde_json::from_value(stored).unwrap();
    let error = challenge.verify_saving(&client, "123456", |challenge, replaces| {
        assert_eq!((challenge.attempts_left(), challenge.revision(), replaces), (4, 1, 0));
        saved.store(1, Ordering::SeqCst);
        Ok::<(), ()>(())
    });
    assert!(error.unwrap_err().may_have_sent());
    assert_eq!(seen_at_arrival.join().unwrap(), 1);
    assert_eq!(challenge.attempts_left(), 4);
}

#[test]
fn what_cannot_be_saved_is_not_sent() {
    let bench = Bench::new();
    let mut challenge = bench.challenge(Policy::DEFAULT);
    bench.advance(30);
    let before = challenge.clone();
    let code = bench.code();
    assert_eq!(reason(challenge.verify_saving(&bench.client, &*code, |_, _| Err("no"))), Reason::NotSaved);
    assert_eq!(reason(challenge.resend_saving(&bench.client, |_, _| Err("no"))), Reason::NotSaved);
    assert_eq!(challenge, before);
    assert_eq!(bench.sandbox.deliveries(PHONE), 1);
    assert!(matches!(challenge.verify(&bench.client, code), Ok(Attempt::Verified(_))), "the code was not used up");
}

#[test]
fn sixteen_threads_with_one_stored_challenge_try_five_codes() {
    let bench = Bench::new();
    let stored = Mutex::new(bench.challenge(Policy::DEFAULT));
    let code: u32 = bench.code().parse().unwrap();
    let tried = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..16_u32 {
            let (bench, stored, tried) = (&bench, &stored, &tried);
            scope.spawn(move || {
                for guess in 0..5 {
                    let mut challenge = stored.lock().unwrap().clone();
                    let guess = format!("{:06}", (code + 1 + thread * 5 + guess) % 1_000_000);
                    let outcome = challenge.verify_saving(&bench.client, guess, |new, replaces| {
                        let mut stored = stored.lock().unwrap();
                        if stored.revision() != replaces {
                            return Err("another request was first");
                        }
                        *stored = new.clone();
                        Ok(())
                    });
                    match outcome {
                        Ok(Attempt::Wrong { .. }) => drop(tried.fetch_add(1, Ordering::Relaxed)),
                        other => assert!(matches!(other, Err(Error::Refused(_))), "{other:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(tried.load(Ordering::Relaxed), 5);
    assert_eq!(stored.lock().unwrap().attempts_left(), 0);
}

#[test]
fn a_clock_that_goes_back_makes_no_wait_longer() {
    const DAY: u64 = 24 * 60 * 60;
    let bench = Bench::new();
    let mut challenge = bench.challenge(Policy::DEFAULT);
    bench.clock.fetch_sub(DAY * 1000, Ordering::Relaxed);
    assert_eq!(challenge.resend_in(&bench.client), Some(Duration::from_secs(30)));
    assert_eq!(refusal(challenge.resend(&bench.client)).retry_after(), Some(Duration::from_secs(30)));
    bench.advance(30);
    challenge.resend(&bench.client).unwrap();
    bench.advance(600 - 30);
    let code = bench.code();
    assert_eq!(reason(challenge.verify(&bench.client, code)), Reason::Expired);
}

/// What a challenge should do, without storage or network.
struct Model {
    sent: u64,
    texted: u64,
    tried: u32,
    resent: u32,
    finished: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wrong,
    Right,
    Resend,
    Advance(u64),
}

impl Model {
    fn step(&mut self, step: Step, policy: (u32, u32, u64, u64), now: u64) -> Result<&'static str, Reason> {
        let (attempts, resends, cooldown, lifetime) = policy;
        if self.finished {
            return Err(Reason::Finished);
        }
        if now >= self.sent + lifetime {
            return Err(Reason::Expired);
        }
        match step {
            Step::Wrong | Step::Right | Step::Resend if self.tried == attempts => Err(Reason::NoAttemptsLeft),
            Step::Wrong => {
                self.tried += 1;
                Ok("wrong")
            }
            Step::Right => {
                self.tried += 1;
                self.finished = true;
                Ok("verified")
            }
            Step::Resend if self.resent == resends => Err(Reason::NoResendsLeft),
            Step::Resend if now < self.texted + cooldown * 2_u64.pow(self.resent) => Err(Reason::TooSoon),
            Step::Resend => {
                self.resent += 1;
                self.texted = now;
                Ok("resent")
            }
            Step::Advance(_) => unreachable!("not a call"),
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Wrong),
        1 => Just(Step::Right),
        4 => Just(Step::Resend),
        4 => prop_oneof![0..40_u64, 0..200_u64, 0..1_000_u64].prop_map(Step::Advance),
    ];
    proptest::collection::vec(step, 1..24)
}

#[test]
fn every_sequence_of_steps_goes_as_the_policy_says() {
    let bench = Bench::new();
    let config = ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() };
    let policies = (0..7_u32, 0..5_u32, 0..60_u64, 1..900_u64);
    proptest!(config, |(steps in steps(), (attempts, resends, cooldown, lifetime) in policies)| {
        let policy = Policy::DEFAULT
            .attempts(attempts)
            .resends(resends)
            .cooldown(Duration::from_secs(cooldown))
            .lifetime(Duration::from_secs(lifetime));
        let mut challenge = bench.challenge(policy);
        let mut model = Model { sent: bench.now(), texted: bench.now(), tried: 0, resent: 0, finished: false };
        for step in steps {
            challenge = stored_and_read(&challenge);
            let revision = challenge.revision();
            let outcome = match step {
                Step::Advance(seconds) => {
                    bench.advance(seconds);
                    continue;
                }
                Step::Wrong => challenge.verify(&bench.client, bench.wrong_code()),
                Step::Right => challenge.verify(&bench.client, bench.code()),
                Step::Resend => challenge.resend(&bench.client).map(|()| Attempt::Wrong { attempts_left: u32::MAX }),
            };
            let outcome = match outcome {
                Ok(Attempt::Verified(_)) => Ok("verified"),
                Ok(Attempt::Wrong { attempts_left: u32::MAX }) => Ok("resent"),
                Ok(Attempt::Wrong { attempts_left }) => {
                    prop_assert_eq!(attempts_left, challenge.attempts_left());
                    Ok("wrong")
                }
                Err(Error::Refused(refusal)) => Err(refusal.reason()),
                Err(error) => panic!("{error}"),
            };
            let expected = model.step(step, (attempts, resends, cooldown * 1000, lifetime * 1000), bench.now());
            prop_assert_eq!(outcome, expected, "{:?}", step);
            prop_assert_eq!(challenge.revision(), revision + u32::from(expected.is_ok()));
        }
        prop_assert_eq!(challenge.attempts_left(), attempts - model.tried);
        prop_assert_eq!(challenge.resends_left(), resends - model.resent);
    });
}
