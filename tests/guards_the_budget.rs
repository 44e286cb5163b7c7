//! A guard keeps its limits in every window, gives back what was not used, and stops attackers but
//! not people.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contiguity::guard::{
    Caller, Claim, Decision, Guard, GuardBuilder, Guarded, Limits, Redis, Return, Store, StoreError, WhenAway,
};
use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{
    Attempt, Client, Error, InitiateReverseOtp, Limit, NewOtp, Policy, Reason, Refusal, ResendOtp, SentOtp, VerifyOtp,
    VerifyReverseOtp,
};
use proptest::prelude::*;

const PHONE: &str = "+14155552671";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A sandbox, and clients with a clock that only the test moves.
struct Bench {
    sandbox: Sandbox,
    clock: Arc<AtomicU64>,
}

impl Bench {
    fn new() -> Self {
        Self { sandbox: Sandbox::start().unwrap(), clock: Arc::new(AtomicU64::new(START)) }
    }

    fn client(&self) -> Client {
        self.client_of(self.sandbox.url())
    }

    fn client_of(&self, url: &str) -> Client {
        let clock = Arc::clone(&self.clock);
        Client::builder(self.sandbox.api_key())
            .base_url(url)
            .retries(0)
            .clock(move || UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::Relaxed)))
            .build()
            .unwrap()
    }

    #[track_caller]
    fn guarded(&self, guard: GuardBuilder) -> Guarded {
        self.client().guarded(guard.build().unwrap())
    }

    fn advance(&self, seconds: u64) {
        self.advance_ms(seconds * 1000);
    }

    fn advance_ms(&self, milliseconds: u64) {
        self.clock.fetch_add(milliseconds, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn code(&self, number: &str) -> String {
        self.sandbox.phone(number).last_message().unwrap().code
    }

    fn wrong_code(&self, number: &str) -> &'static str {
        if self.code(number) == "000000" { "000001" } else { "000000" }
    }
}

const START: u64 = 1_785_380_854_155;

/// A guard with a large total, and without any other limit.
fn unlimited() -> GuardBuilder {
    with_total(Limit::per_hour(1_000_000))
}

fn with_total(total: impl Into<Limits>) -> GuardBuilder {
    Guard::total(total).everywhere().per_number([]).per_caller([]).unverified([]).neighbors([]).wrong_codes([])
}

fn send(to: &str, client: &Client) -> Result<SentOtp, Error> {
    NewOtp::to(to).language("en").name("MyApp").send(client)
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(error @ Error::Refused(_)) => {
            assert!(!error.may_have_sent() && !error.is_retryable(), "{error}");
            let Error::Refused(refusal) = error else { unreachable!() };
            refusal
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Reason {
    refusal(result).reason()
}

/// The number of texts to this number before the first refusal, and its reason.
fn until_refused(client: &Client, to: &str) -> (u32, Reason) {
    for passed in 0.. {
        match send(to, client) {
            Ok(_) => {}
            refused => return (passed, reason(refused)),
        }
    }
    unreachable!("a guard refuses at some time")
}

/// A number that shares its calling code, block and phone with no other index.
fn number(index: usize) -> String {
    let codes = ["1212", "44", "49", "33", "39", "34", "31", "32", "46", "47", "48", "61", "81", "82", "86", "91"];
    format!("+{}{:07}", codes[index % codes.len()], 1_000_000 + 1_000 * index)
}

mod windows {
    use super::*;

    /// Two numbers of one block, one with the same calling code, and one of another country.
    const NUMBERS: [&str; 4] = ["+992505550001", "+992505550002", "+992505771234", "+442079460958"];

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Text {
        at: u64,
        number: usize,
        caller: usize,
    }

    type Subject = fn(&Text) -> String;

    /// The part of a text that each kind of limit counts by.
    const KINDS: [(Reason, Subject); 5] = [
        (Reason::Number, |text| NUMBERS[text.number].to_owned()),
        (Reason::Neighbors, |text| NUMBERS[text.number][..9].to_owned()),
        (Reason::Unverified, |text| NUMBERS[text.number][..3].to_owned()),
        (Reason::Caller, |text| text.caller.to_string()),
        (Reason::Total, |_| String::new()),
    ];

    fn milliseconds(duration: Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap()
    }

    /// The longest wait by a list of all texts, and the kinds of limits that cause it: exact, or as
    /// if each text was sent at the end of its slot.
    fn wait(sent: &[Text], limits: &[Vec<Limit>; 5], text: &Text, is_exact: bool) -> Option<(u64, Vec<Reason>)> {
        let mut waits = Vec::new();
        for ((reason, subject), limits) in KINDS.iter().zip(limits) {
            for limit in limits {
                let (window, slot) = (milliseconds(limit.window()), milliseconds(limit.window()).div_ceil(60));
                let end = |sent: &Text| if is_exact { sent.at } else { (sent.at / slot + 1) * slot } + window;
                let ends: Vec<_> = sent.iter().filter(|sent| subject(sent) == subject(text)).map(end).collect();
                let ends: Vec<_> = ends.into_iter().filter(|end| *end > text.at).collect();
                if ends.len() >= limit.most() as usize {
                    waits.push((ends[ends.len() - limit.most() as usize] - text.at, *reason));
                }
            }
        }
        let longest = waits.iter().map(|(wait, _)| *wait).max()?;
        Some((longest, waits.into_iter().filter(|(wait, _)| *wait == longest).map(|(_, reason)| reason).collect()))
    }

    fn limits() -> impl Strategy<Value = Vec<Limit>> {
        let window = prop_oneof![10..60_u64, 60..4_000_u64, 4_000..200_000_u64];
        let limit = (1..6_u32, window).prop_map(|(most, seconds)| Limit::new(most, Duration::from_secs(seconds)));
        proptest::collection::vec(limit, 0..3)
    }

    /// Any window of any limit, wherever it begins, has at most as many texts as allowed. Refusals
    /// change nothing, and the wait is exact.
    #[test]
    fn every_decision_is_that_of_a_list_of_all_texts() {
        let bench = Bench::new();
        let config = ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() };
        let all_limits = (limits(), limits(), limits(), limits(), limits());
        let pause = prop_oneof![4 => Just(0), 2 => 0..500_u64, 2 => 0..30_000_u64, 1 => 0..3_000_000_u64];
        let steps = proptest::collection::vec((pause, 0..4_usize, 0..2_usize, any::<bool>()), 1..60);
        let refusals = AtomicUsize::new(0);
        proptest!(config, |((number, neighbors, unverified, caller, mut total) in all_limits, steps in steps)| {
            total.push(Limit::new(20, Duration::from_secs(60)));
            let guard = with_total(total.clone())
                .per_number(number.clone())
                .neighbors(neighbors.clone())
                .unverified(unverified.clone())
                .per_caller(caller.clone());
            let sign_in = bench.guarded(guard);
            let limits = [number, neighbors, unverified, caller, total];
            let mut texts = Vec::new();
            for (pause, number, caller, is_patient) in steps {
                bench.advance_ms(pause);
                let mut text = Text { at: bench.now(), number, caller };
                let send = || send(NUMBERS[number], &sign_in.by(caller.to_string()));
                if let Some((wait_for, reasons)) = wait(&texts, &limits, &text, false) {
                    refusals.fetch_add(1, Ordering::Relaxed);
                    let refusal = refusal(send());
                    prop_assert_eq!(refusal.retry_after(), Some(Duration::from_millis(wait_for)));
                    prop_assert!(reasons.contains(&refusal.reason()), "{:?}", refusal);
                    let kind = KINDS.iter().position(|(reason, _)| *reason == refusal.reason()).unwrap();
                    let limit = refusal.limit().unwrap();
                    prop_assert!(limits[kind].contains(&limit));
                    // The slots cost at most a 60th of the window.
                    let exact = wait(&texts, &limits, &text, true).map_or(0, |(wait, _)| wait);
                    let longest = limits.iter().flatten().map(Limit::window).max().unwrap();
                    prop_assert!(wait_for <= exact + milliseconds(longest).div_ceil(60));
                    if !is_patient {
                        continue;
                    }
                    bench.advance_ms(wait_for - 1);
                    prop_assert!(send().is_err());
                    bench.advance_ms(1);
                    text.at = bench.now();
                }
                prop_assert!(wait(&texts, &limits, &text, true).is_none(), "a window has more than its limit");
                prop_assert!(send().is_ok());
                texts.push(text);
            }
        });
        assert!(refusals.into_inner() > 1_000, "too few refusals to see anything");
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_wait_longer() {
        let bench = Bench::new();
        let sign_in = bench.guarded(with_total(Limit::per_hour(2))).by(Caller::nobody());
        assert_eq!(until_refused(&sign_in, PHONE), (2, Reason::Total));
        bench.clock.fetch_sub(7 * DAY * 1000, Ordering::Relaxed);
        // The texts count as sent now, and a minute later as sent a minute ago.
        let first = refusal(send(PHONE, &sign_in)).retry_after().unwrap();
        assert!((HOUR..=HOUR + 60).contains(&first.as_secs()), "{first:?}");
        bench.advance(60);
        assert_eq!(
            refusal(send(PHONE, &sign_in)).retry_after().unwrap(),
            first.saturating_sub(Duration::from_secs(60))
        );
        bench.advance(first.as_secs() - 59);
        assert!(send(PHONE, &sign_in).is_ok());
    }

    #[test]
    fn the_clock_of_the_sandbox_frees_a_quota() {
        let sandbox = Sandbox::start().unwrap();
        let guard = Guard::total(Limit::per_day(100)).everywhere().per_number(Limit::per_hour(1)).build().unwrap();
        let sign_in = sandbox.client().guarded(guard).by(Caller::nobody());
        assert_eq!(until_refused(&sign_in, PHONE), (1, Reason::Number));
        sandbox.advance(Duration::from_secs(HOUR + 60));
        assert!(send(PHONE, &sign_in).is_ok());
    }

    #[test]
    fn concurrent_threads_stay_within_the_limit() {
        let bench = Bench::new();
        let sign_in = bench.guarded(with_total([Limit::per_hour(100), Limit::per_day(100)]));
        let passed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (sign_in, passed) = (sign_in.by(Caller::key(thread.to_string())), &passed);
                scope.spawn(move || {
                    for index in 0..40 {
                        match send(&number(thread * 40 + index), &sign_in) {
                            Ok(_) => drop(passed.fetch_add(1, Ordering::Relaxed)),
                            refused => assert_eq!(reason(refused), Reason::Total),
                        }
                    }
                });
            }
        });
        assert_eq!(passed.load(Ordering::Relaxed), 100);
    }
}

mod decisions {
    use super::*;

    #[test]
    fn a_caller_without_quota_cannot_lock_a_number_out() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_number(Limit::per_day(3)).per_caller(Limit::per_day(1)));
        assert!(send(PHONE, &sign_in.by("attacker")).is_ok());
        for _ in 0..50 {
            assert_eq!(reason(send(PHONE, &sign_in.by("attacker"))), Reason::Caller);
        }
        assert!(send(PHONE, &sign_in.by("owner")).is_ok());
        assert!(send(PHONE, &sign_in.by("owner too")).is_ok());
        assert_eq!(reason(send(PHONE, &sign_in.by("third"))), Reason::Number);
    }

    #[test]
    fn a_refusal_has_the_longest_wait() {
        let bench = Bench::new();
        let sign_in = bench.guarded(with_total(Limit::per_hour(1)).per_number(Limit::per_day(1))).by(Caller::nobody());
        assert!(send(PHONE, &sign_in).is_ok());
        let refusal = refusal(send(PHONE, &sign_in));
        assert_eq!((refusal.reason(), refusal.limit()), (Reason::Number, Some(Limit::per_day(1))));
        assert!(refusal.retry_after().unwrap() >= Duration::from_secs(DAY));
    }

    #[test]
    fn a_bad_request_counts_for_nothing() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_caller(Limit::per_day(1))).by("caller");
        for _ in 0..3 {
            assert!(matches!(send("+1", &sign_in), Err(Error::Validation(_))));
            let check = VerifyOtp::otp_id("otp_1").otp("12").send(&sign_in);
            assert!(matches!(check, Err(Error::Validation(_))));
        }
        assert!(send(PHONE, &sign_in).is_ok());
    }

    #[test]
    fn status_reads_and_cancellations_are_free() {
        let bench = Bench::new();
        let sign_in = bench.guarded(with_total(Limit::per_day(1)).per_caller(Limit::per_day(1))).by("caller");
        let session = InitiateReverseOtp::number(PHONE).send(&sign_in).unwrap();
        assert!(InitiateReverseOtp::number(PHONE).send(&sign_in).is_err());
        for _ in 0..5 {
            assert!(VerifyReverseOtp::otp_id(&session.otp_id).send(&sign_in).is_ok());
        }
        contiguity::CancelReverseOtp::otp_id(&session.otp_id).send(&sign_in).unwrap();
    }

    #[test]
    fn a_reverse_session_counts_as_a_text_but_not_as_an_unverified_one() {
        let bench = Bench::new();
        let initiate = |client: &Client| InitiateReverseOtp::number(PHONE).send(client);
        let sign_in = bench.guarded(unlimited().unverified(Limit::per_day(1)).neighbors(Limit::per_day(1)));
        for _ in 0..5 {
            initiate(&sign_in.by("caller")).unwrap();
        }
        let sign_in = bench.guarded(unlimited().per_number(Limit::per_day(1)));
        initiate(&sign_in.by("caller")).unwrap();
        assert_eq!(reason(initiate(&sign_in.by("caller"))), Reason::Number);
        assert_eq!(reason(send(PHONE, &sign_in.by("caller"))), Reason::Number);
        let sign_in = bench.guarded(unlimited().deny(["+1415"]));
        assert_eq!(reason(initiate(&sign_in.by("caller"))), Reason::Destination);
    }
}

mod giving_back {
    use super::*;

    /// A port that no program listens on.
    fn nothing() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    fn faults() -> [(Fault, bool); 9] {
        [
            (Fault::status(400).into(), false),
            (Fault::status(401).into(), false),
            (Fault::status(429).into(), false),
            (Fault::status(500).into(), true),
            (Fault::status(502).after_acting().into(), true),
            (Fault::drop_before(), true),
            (Fault::drop_after(), true),
            (Fault::half(), true),
            (Fault::garbage(), true),
        ]
    }

    #[test]
    fn a_text_that_was_certainly_not_sent_is_given_back_except_to_the_caller() {
        let one = Limit::per_day(1);
        let limits: [(Reason, GuardBuilder, bool); 5] = [
            (Reason::Number, unlimited().per_number(one), true),
            (Reason::Total, with_total(one), true),
            (Reason::Unverified, unlimited().unverified(one), true),
            (Reason::Neighbors, unlimited().neighbors(one), true),
            (Reason::Caller, unlimited().per_caller(one), false),
        ];
        for (limit, guard, is_returned) in limits {
            let bench = Bench::new();
            let guard = guard.build().unwrap();
            let sign_in = bench.client().guarded(guard.clone());
            let unreachable = bench.client_of(&nothing()).guarded(guard);
            for (index, (fault, may_have_sent)) in faults().into_iter().enumerate() {
                bench.sandbox.fail_next(fault);
                let error = send(PHONE, &sign_in.by("caller")).unwrap_err();
                assert_eq!(error.may_have_sent(), may_have_sent, "{error}");
                let next = send(PHONE, &sign_in.by("caller"));
                let is_free = !may_have_sent && is_returned;
                assert_eq!(next.is_ok(), is_free, "{limit:?}, fault {index}: {error}");
                if !is_free {
                    assert_eq!(reason(next), limit);
                }
                bench.advance(2 * DAY);
            }
            let error = send(PHONE, &unreachable.by("caller")).unwrap_err();
            assert!(!error.may_have_sent(), "{error}");
            assert_eq!(send(PHONE, &sign_in.by("caller")).is_ok(), is_returned, "{limit:?}");
        }
    }

    #[test]
    fn an_attempt_that_was_certainly_not_made_is_given_back() {
        for (fault, may_have_sent) in faults() {
            let bench = Bench::new();
            let sign_in = bench.guarded(unlimited().wrong_codes(Limit::per_day(1))).by("caller");
            let sent = send(PHONE, &sign_in).unwrap();
            let check = || VerifyOtp::otp_id(&sent.otp_id).otp(bench.wrong_code(PHONE)).send(&sign_in);
            bench.sandbox.fail_next(fault);
            let error = check().unwrap_err();
            assert_eq!(error.may_have_sent(), may_have_sent, "{error}");
            assert_eq!(check().is_ok(), !may_have_sent, "{error}");
        }
    }

    #[test]
    fn a_code_that_is_not_sent_again_is_given_back() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_number(Limit::per_day(2))).by("caller");
        let sent = send(PHONE, &sign_in).unwrap();
        assert!(VerifyOtp::otp_id(&sent.otp_id).otp(bench.code(PHONE)).send(&sign_in).unwrap().verified);
        for _ in 0..3 {
            assert!(!ResendOtp::otp_id(&sent.otp_id).send(&sign_in).unwrap().resent);
        }
        assert!(send(PHONE, &sign_in).is_ok());
        assert_eq!(reason(send(PHONE, &sign_in)), Reason::Number);
    }

    #[test]
    fn a_verified_code_gives_back_all_of_its_texts_and_its_own_attempt() {
        let limits = |limit| unlimited().unverified(limit).neighbors(limit);
        let bench = Bench::new();
        let sign_in = bench.guarded(limits(Limit::per_day(3)).wrong_codes(Limit::per_day(2))).by("caller");
        let sent = send(PHONE, &sign_in).unwrap();
        for _ in 0..2 {
            bench.advance(300);
            assert!(ResendOtp::otp_id(&sent.otp_id).send(&sign_in).unwrap().resent);
        }
        assert!(send(PHONE, &sign_in).is_err());
        let code = bench.code(PHONE);
        assert!(VerifyOtp::otp_id(&sent.otp_id).otp(code).send(&sign_in).unwrap().verified);
        // Three texts and both attempts are free again.
        let sent = send(PHONE, &sign_in).unwrap();
        for _ in 0..2 {
            assert!(!VerifyOtp::otp_id(&sent.otp_id).otp(bench.wrong_code(PHONE)).send(&sign_in).unwrap().verified);
        }
        assert_eq!(reason(VerifyOtp::otp_id(&sent.otp_id).otp("1234").send(&sign_in)), Reason::WrongCodes);
        assert_eq!(until_refused(&sign_in, PHONE).0, 2);
    }
}

mod subjects {
    use super::*;

    #[test]
    fn spellings_that_reach_one_phone_are_one_number() {
        for spellings in [
            ["+442079460958", "+4402079460958", "+44002079460958"],
            ["+525512345678", "+5215512345678", "+52015512345678"],
            ["+541112345678", "+5491112345678", "+54091112345678"],
        ] {
            let bench = Bench::new();
            let sign_in = bench.guarded(unlimited().per_number(Limit::per_day(2))).by(Caller::nobody());
            assert!(send(spellings[0], &sign_in).is_ok());
            assert!(send(spellings[1], &sign_in).is_ok());
            assert_eq!(reason(send(spellings[2], &sign_in)), Reason::Number);
            assert_eq!(reason(send(spellings[0], &sign_in)), Reason::Number);
        }
    }

    #[test]
    fn addresses_of_one_customer_are_one_caller() {
        let ip = |text: &str| Caller::ip(text.parse().unwrap());
        for (one, same, other) in [
            (ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff:ffff:ffff:ffff"), ip("2001:db8:1:3::1")),
            (ip("203.0.113.7"), ip("::ffff:203.0.113.7"), ip("203.0.113.8")),
            (ip("203.0.113.7"), Caller::from("203.0.113.7"), Caller::key("203.0.113.7")),
            (ip("203.0.113.7"), Caller::from("203.0.113.7:50123"), ip("203.0.113.70")),
            (ip("2001:db8::1"), Caller::from("[2001:db8::2]:443".to_owned()), Caller::from("2001:db8:0:1::1")),
            (Caller::key("account 42"), Caller::from("account 42"), Caller::key("account 43")),
        ] {
            let bench = Bench::new();
            let sign_in = bench.guarded(unlimited().per_caller(Limit::per_day(1)));
            assert!(send(PHONE, &sign_in.by(one.clone())).is_ok());
            assert_eq!(reason(send(PHONE, &sign_in.by(same))), Reason::Caller, "{one:?}");
            assert!(send(PHONE, &sign_in.by(other)).is_ok(), "{one:?}");
        }
    }

    #[test]
    fn each_part_of_a_caller_has_its_own_limit() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_caller(Limit::per_day(2)));
        let ip = Caller::ip(IpAddr::from(Ipv4Addr::new(203, 0, 113, 7)));
        let both = ip.clone().and(Caller::key("account 42")).and(ip.clone());
        assert!(send(PHONE, &sign_in.by(both.clone())).is_ok());
        assert!(send(PHONE, &sign_in.by(ip.clone())).is_ok());
        assert_eq!(reason(send(PHONE, &sign_in.by(both))), Reason::Caller);
        // The refused call did not count for the account.
        assert!(send(PHONE, &sign_in.by("account 42")).is_ok());
        assert_eq!(reason(send(PHONE, &sign_in.by("account 42"))), Reason::Caller);
        for _ in 0..5 {
            assert!(send(PHONE, &sign_in.by(Caller::nobody())).is_ok());
        }
    }

    #[test]
    fn a_call_that_only_has_an_id_counts_for_its_number() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_number(Limit::per_day(3)).wrong_codes(Limit::per_day(2)));
        let first = send(PHONE, &sign_in.by("a")).unwrap().otp_id;
        let second = send(PHONE, &sign_in.by("b")).unwrap().otp_id;
        assert!(ResendOtp::otp_id(&first).send(&sign_in.by("c")).unwrap().resent);
        assert_eq!(reason(ResendOtp::otp_id(&second).send(&sign_in.by("d"))), Reason::Number);
        for id in [&first, &second] {
            let check = VerifyOtp::otp_id(id).otp("0000").send(&sign_in.by("e")).unwrap();
            assert!(!check.verified);
        }
        assert_eq!(reason(VerifyOtp::otp_id(&first).otp("0000").send(&sign_in.by("f"))), Reason::WrongCodes);
    }

    #[test]
    fn unknown_ids_are_limited_by_id_and_in_total() {
        let bench = Bench::new();
        let ids: Vec<_> = (0..12).map(|index| send(&number(index), &bench.client()).unwrap().otp_id).collect();
        let guard = with_total(Limit::per_hour(8)).per_number(Limit::per_hour(2)).build().unwrap();
        let sign_in = bench.client().guarded(guard).by(Caller::nobody());
        for _ in 0..2 {
            assert!(ResendOtp::otp_id(&ids[0]).send(&sign_in).unwrap().resent);
        }
        assert_eq!(reason(ResendOtp::otp_id(&ids[0]).send(&sign_in)), Reason::Number);
        for id in &ids[1..7] {
            assert!(VerifyOtp::otp_id(id).otp("0000").send(&sign_in).is_ok());
        }
        assert_eq!(reason(VerifyOtp::otp_id(&ids[8]).otp("0000").send(&sign_in)), Reason::Total);
    }

    #[test]
    fn an_id_has_five_attempts_or_those_of_its_policy() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited()).by(Caller::nobody());
        let sent = send(PHONE, &sign_in).unwrap();
        for _ in 0..5 {
            assert!(!VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&sign_in).unwrap().verified);
        }
        assert_eq!(reason(sent.verify("0000").send(&sign_in)), Reason::NoAttemptsLeft);
        let refusal = refusal(VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&sign_in));
        assert_eq!((refusal.reason(), refusal.retry_after()), (Reason::NoAttemptsLeft, None));

        let otp = NewOtp::to(PHONE).language("en").name("MyApp");
        let fresh = otp.challenge(&sign_in, Policy::DEFAULT.attempts(2)).unwrap();
        for passes in [true, true, false] {
            let attempt = fresh.clone().verify(&sign_in, bench.wrong_code(PHONE));
            assert_eq!(attempt.is_ok(), passes);
        }
    }
}

mod destinations {
    use super::*;

    fn passes(guard: GuardBuilder, numbers: &[&str]) -> Vec<bool> {
        let bench = Bench::new();
        let sign_in = bench.guarded(guard).by(Caller::nobody());
        let is_allowed = |number: &&str| match send(number, &sign_in) {
            Ok(_) => true,
            refused => {
                let refusal = refusal(refused);
                assert_eq!((refusal.reason(), refusal.retry_after()), (Reason::Destination, None), "{number}");
                false
            }
        };
        numbers.iter().map(is_allowed).collect()
    }

    fn anywhere() -> GuardBuilder<contiguity::typestate::Missing> {
        Guard::total(Limit::per_hour(1_000)).per_number([])
    }

    #[track_caller]
    fn check(guard: GuardBuilder, allowed: &[&str], refused: &[&str]) {
        assert_eq!(
            passes(guard, &[allowed, refused].concat()),
            [vec![true; allowed.len()], vec![false; refused.len()]].concat()
        );
    }

    #[test]
    fn only_the_named_regions_get_texts() {
        check(
            anywhere().only(["us", "GB"]),
            &["+14155552671", "+15551234567", "+442079460958"],
            // Jamaica, Canada, the Dominican Republic, Germany and a satellite phone.
            &["+18765551234", "+14165551234", "+18095551234", "+491711234567", "+88163123456"],
        );
        check(anywhere().only(["CA"]), &["+14165551234"], &["+14155552671"]);
        check(anywhere().only(["JM"]), &["+18765551234", "+16585551234"], &["+14155552671", "+17675551234"]);
    }

    #[test]
    fn a_number_has_a_length_of_its_plan() {
        check(
            anywhere().only(["US", "GB", "MX", "AR"]),
            &["+525512345678", "+5215512345678", "+541112345678", "+5491112345678"],
            &["+1415555267", "+141555526711", "+44207", "+442079460958123", "+5255123456789"],
        );
        // If all numbers are allowed, no plan is read.
        check(anywhere().everywhere(), &["+1415555267", "+442079460958123"], &[]);
    }

    #[test]
    fn everywhere_excludes_what_is_not_an_ordinary_phone() {
        let unusual = [
            "+80012345678",
            "+80812345678",
            "+870773123456",
            "+878101234567",
            "+88163123456",
            "+88213123456",
            "+88312345678",
            "+88812345678",
            "+979123456789",
        ];
        check(anywhere().everywhere(), &["+14155552671", "+18765551234", "+8801712345678"], &unusual);
        check(anywhere().everywhere().also([881]), &["+88163123456"], &["+870773123456"]);
        check(anywhere().only(["US"]).also([44, 881]), &["+4420", "+88163123456"], &["+491711234567"]);
    }

    #[test]
    fn denied_prefixes_are_compared_as_numbers_are_counted() {
        check(
            anywhere().everywhere().deny(["+1900", "+4470", "+52155"]),
            &["+14155552671", "+447911123456"],
            &["+19005551234", "+447012345678", "+4407012345678", "+525512345678", "+5215512345678"],
        );
        check(anywhere().only(["US"]).also([44]).deny(["+44"]), &["+14155552671"], &["+442079460958"]);
    }

    #[test]
    fn a_destination_is_refused_before_anything_is_counted() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_caller(Limit::per_day(1)).deny(["+44"])).by("caller");
        for _ in 0..5 {
            assert_eq!(reason(send("+442079460958", &sign_in)), Reason::Destination);
        }
        assert!(send(PHONE, &sign_in).is_ok());
    }
}

mod attacks {
    use super::*;

    #[test]
    fn sixty_new_codes_in_twenty_hours_are_ten_texts_and_thirty_guesses() {
        let bench = Bench::new();
        let guard = Guard::total(Limit::per_day(100_000)).everywhere();
        let sign_in = bench.guarded(guard);
        let (mut texts, mut guesses) = (0, 0);
        for round in 0..60 {
            let by = |request: u32| sign_in.by(format!("bot {round} {request}"));
            if let Ok(sent) = send(PHONE, &by(0)) {
                texts += 1;
                for guess in 0..10 {
                    let check = VerifyOtp::otp_id(&sent.otp_id).otp(bench.wrong_code(PHONE)).send(&by(guess));
                    guesses += u32::from(check.is_ok());
                }
            }
            bench.advance(20 * 60);
        }
        assert_eq!((texts, guesses), (10, 30));
        assert_eq!(bench.sandbox.deliveries(PHONE), 10);
    }

    #[test]
    fn a_month_has_a_hundred_guesses() {
        let bench = Bench::new();
        let sign_in = bench.guarded(Guard::total(Limit::per_day(100_000)).everywhere());
        let mut guesses = 0;
        for request in 0..30 * 8_u32 {
            if let Ok(sent) = send(PHONE, &sign_in.by(format!("bot {request}"))) {
                for guess in 0..5 {
                    let by = sign_in.by(format!("bot {request} {guess}"));
                    guesses += u32::from(VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&by).is_ok());
                }
            }
            bench.advance(3 * HOUR);
        }
        assert_eq!(guesses, 100);
    }

    #[test]
    fn a_replayed_challenge_tries_five_codes() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited());
        let otp = NewOtp::to(PHONE).language("en").name("MyApp");
        let stored = otp.challenge(&sign_in.by("caller"), Policy::DEFAULT).unwrap();
        let wrong = bench.wrong_code(PHONE);
        let tried = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        match stored.clone().verify(&sign_in.by("caller"), wrong) {
                            Ok(Attempt::Wrong { .. }) => drop(tried.fetch_add(1, Ordering::Relaxed)),
                            refused => assert_eq!(reason(refused), Reason::NoAttemptsLeft),
                        }
                    }
                });
            }
        });
        assert_eq!(tried.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn pumping_a_block_of_numbers_ends_after_ten_texts() {
        let bench = Bench::new();
        let sign_in = bench.guarded(Guard::total(Limit::per_day(10_000)).everywhere());
        let pumped = (0..300)
            .filter(|index| send(&format!("+9925055550{index:03}"), &sign_in.by(format!("bot {index}"))).is_ok());
        assert_eq!(pumped.count(), 10);
    }

    #[test]
    fn pumping_a_country_ends_at_a_quarter_of_the_total() {
        let bench = Bench::new();
        let sign_in = bench.guarded(Guard::total(Limit::per_hour(200)).everywhere());
        let mut refusals = BTreeMap::new();
        for index in 0..300 {
            if let Err(error) = send(&format!("+992505{index:03}123"), &sign_in.by(format!("bot {index}"))) {
                *refusals.entry(format!("{:?}", reason::<()>(Err(error)))).or_insert(0) += 1;
            }
        }
        assert_eq!(refusals, BTreeMap::from([("Unverified".to_owned(), 250)]));
        assert!(send(PHONE, &sign_in.by("a person elsewhere")).is_ok());
    }

    #[test]
    fn an_honest_crowd_is_not_stopped() {
        let bench = Bench::new();
        let sign_in = bench.guarded(Guard::total([Limit::per_hour(400), Limit::per_day(5_000)]).only(["US"]));
        // 300 people an hour for three hours. Three in ten never type the code, and one in ten asks
        // for it again.
        for person in 0..900_u32 {
            let number = format!("+1415{:07}", 2_000_000 + person * 7_919 % 8_000_000);
            let by = || sign_in.by(IpAddr::from(Ipv4Addr::from(0xcb00_0000 + person / 3)));
            let otp = NewOtp::to(&*number).language("en").name("MyApp");
            let mut challenge = otp.challenge(&by(), Policy::DEFAULT).expect("a text");
            bench.advance(12);
            if person % 10 == 1 {
                bench.advance(30);
                challenge.resend(&by()).expect("another text");
            }
            if person % 10 < 7 {
                if person % 4 == 0 {
                    assert!(challenge.verify(&by(), bench.wrong_code(&number)).is_ok());
                }
                let code = bench.code(&number);
                assert!(matches!(challenge.verify(&by(), code), Ok(Attempt::Verified(_))));
            }
        }
    }

    #[test]
    fn the_default_policy_fits_into_the_default_guard() {
        let bench = Bench::new();
        let sign_in = bench.guarded(Guard::total(Limit::per_day(1_000)).only(["US"])).by("caller");
        let otp = NewOtp::to(PHONE).language("en").name("MyApp");
        let mut challenge = otp.challenge(&sign_in, Policy::DEFAULT).unwrap();
        for _ in 0..3 {
            bench.advance_ms(u64::try_from(challenge.resend_in(&sign_in).unwrap().as_millis()).unwrap());
            challenge.resend(&sign_in).unwrap();
        }
    }

    #[test]
    fn no_client_of_a_guard_avoids_it() {
        let bench = Bench::new();
        let sign_in = bench.guarded(unlimited().per_number(Limit::per_day(1)));
        assert!(send(PHONE, &sign_in.by("one")).is_ok());
        let client = sign_in.by("another");
        for client in [
            client.clone(),
            client.with_timeout(Duration::from_secs(1)),
            client.with_retries(5),
            // A second guard does not replace the first one.
            client.guarded(unlimited().build().unwrap()).by("a third"),
        ] {
            assert_eq!(reason(send(PHONE, &client)), Reason::Number);
        }
        assert_eq!(bench.sandbox.deliveries(PHONE), 1);
    }

    #[test]
    fn a_call_that_one_of_two_guards_refuses_counts_for_neither() {
        let bench = Bench::new();
        let outer = bench.guarded(with_total(Limit::per_day(2)));
        let inner = unlimited().per_number(Limit::per_day(1)).build().unwrap();
        let both = outer.by("caller").guarded(inner).by("caller");
        assert!(send(PHONE, &both).is_ok());
        for _ in 0..5 {
            assert_eq!(reason(send(PHONE, &both)), Reason::Number);
        }
        // Both give back an unsent text.
        bench.sandbox.fail_next(Fault::status(400));
        assert!(matches!(send("+14155552672", &both), Err(Error::Api(_))));
        assert!(send("+14155552672", &both).is_ok());
        assert_eq!(reason(send("+14155552673", &both)), Reason::Total);
    }

    #[test]
    fn a_support_desk_can_forgive_a_number() {
        let bench = Bench::new();
        let guard = unlimited().per_number(Limit::per_day(1)).wrong_codes(Limit::per_day(1)).build().unwrap();
        let sign_in = bench.client().guarded(guard.clone()).by("caller");
        let sent = send(PHONE, &sign_in).unwrap();
        assert!(VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&sign_in).is_ok());
        assert_eq!(reason(send(PHONE, &sign_in)), Reason::Number);
        guard.forgive(&PHONE.parse().unwrap()).unwrap();
        assert!(VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&sign_in).is_ok());
        assert_eq!(until_refused(&sign_in, PHONE), (1, Reason::Number));
    }
}

mod stores {
    use super::*;

    /// A store that a test can make unavailable. It grants everything otherwise.
    #[derive(Clone, Default)]
    pub(super) struct Fickle {
        pub(super) is_away: Arc<AtomicBool>,
        taken: Arc<Mutex<Vec<String>>>,
    }

    impl Fickle {
        fn work(&self) -> Result<(), StoreError> {
            if self.is_away.load(Ordering::Relaxed) { Err(StoreError::new("away")) } else { Ok(()) }
        }
    }

    impl Store for Fickle {
        fn take(&self, claims: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
            self.work()?;
            let kinds: Vec<_> = claims.iter().map(Claim::kind).collect();
            self.taken.lock().unwrap().push(kinds.join(" "));
            Ok(Decision::Granted { at: clock() })
        }

        fn give_back(&self, _: &[Return<'_>]) -> Result<(), StoreError> {
            self.work()
        }

        fn forget(&self, _: &[Claim<'_>]) -> Result<(), StoreError> {
            self.work()
        }
    }

    #[test]
    fn a_store_sees_all_subjects_of_a_call_at_once() {
        let bench = Bench::new();
        let store = Fickle::default();
        let guard = Guard::total(Limit::per_day(100)).everywhere().shared(store.clone());
        let sign_in = bench.guarded(guard).by(Caller::key("account 42").and("203.0.113.7"));
        let sent = send(PHONE, &sign_in).unwrap();
        assert!(ResendOtp::otp_id(&sent.otp_id).send(&sign_in).is_ok());
        assert!(VerifyOtp::otp_id(&sent.otp_id).otp("0000").send(&sign_in).is_ok());
        assert!(sent.verify("0000").send(&sign_in).is_ok());
        assert!(InitiateReverseOtp::number(PHONE).send(&sign_in).is_ok());
        let otp = NewOtp::to(PHONE).language("en").name("MyApp");
        let mut challenge = otp.challenge(&sign_in, Policy::DEFAULT.cooldown(Duration::ZERO)).unwrap();
        challenge.resend(&sign_in).unwrap();
        assert_eq!(
            *store.taken.lock().unwrap(),
            [
                "number neighbors unverified caller caller total",
                // This store has no notes.
                "resends unknown caller caller total",
                "unknown caller caller attempts",
                // A sent OTP knows its number.
                "wrong_codes caller caller attempts",
                "number caller caller total",
                // A challenge knows its number, also when it resends.
                "number neighbors unverified caller caller total",
                "number neighbors unverified caller caller total",
            ]
        );
    }

    #[test]
    fn an_unavailable_store_refuses_by_default() {
        let bench = Bench::new();
        let store = Fickle::default();
        store.is_away.store(true, Ordering::Relaxed);
        let guard = || Guard::total(Limit::per_day(100)).only(["US"]).shared(store.clone());
        let sign_in = bench.guarded(guard()).by("caller");
        let refusal = refusal(send(PHONE, &sign_in));
        assert_eq!((refusal.reason(), refusal.retry_after()), (Reason::Unavailable, None));
        assert_eq!(refusal.to_string(), "refused before sending: the guard's store is unavailable");
        assert_eq!(bench.sandbox.deliveries(PHONE), 0);

        let sign_in = bench.guarded(guard().when_away(WhenAway::Allow)).by("caller");
        for _ in 0..20 {
            assert!(send(PHONE, &sign_in).is_ok());
        }
        assert_eq!(reason(send("+442079460958", &sign_in)), Reason::Destination);
    }

    #[test]
    fn a_store_that_responds_with_nonsense_is_unavailable() {
        let bench = Bench::new();
        for response in [vec![], vec![1], vec![2, 0], vec![0, -1, 0, 0], vec![0, 1, -1, 0], vec![0, 1, 99, 0]] {
            let store =
                Redis::over("a secret of at least 16 bytes", move |_| Ok::<_, Error>(response.clone())).unwrap();
            let guard = Guard::total(Limit::per_day(100)).everywhere().shared(store);
            assert_eq!(reason(send(PHONE, &bench.guarded(guard).by("caller"))), Reason::Unavailable);
        }
        assert_eq!(bench.sandbox.deliveries(PHONE), 0);
    }

    #[test]
    fn a_number_is_forgiven_in_the_counts_of_the_process_too() {
        let bench = Bench::new();
        let store = Fickle::default();
        let guard = with_total(Limit::per_hour(40)).per_number(Limit::per_hour(2)).shared(store.clone());
        let guard = guard.when_away(WhenAway::Alone { processes: 1 }).build().unwrap();
        let sign_in = bench.client().guarded(guard.clone()).by(Caller::nobody());
        for _ in 0..2 {
            assert!(send(PHONE, &sign_in).is_ok());
        }
        guard.forgive(&PHONE.parse().unwrap()).unwrap();
        store.is_away.store(true, Ordering::Relaxed);
        assert!(send(PHONE, &sign_in).is_ok());
        assert!(guard.forgive(&PHONE.parse().unwrap()).is_err());
    }

    #[test]
    fn without_its_store_a_process_uses_its_own_counts_and_share() {
        let bench = Bench::new();
        let store = Fickle::default();
        let guard = with_total(Limit::per_hour(40)).per_number(Limit::per_hour(2)).shared(store.clone());
        let sign_in = bench.guarded(guard.when_away(WhenAway::Alone { processes: 8 })).by(Caller::nobody());
        assert!(send(PHONE, &sign_in).is_ok());
        assert!(send(PHONE, &sign_in).is_ok());
        store.is_away.store(true, Ordering::Relaxed);
        // Two texts were counted while the store was available.
        assert_eq!(reason(send(PHONE, &sign_in)), Reason::Number);
        let passed = (0..20).filter(|index| send(&number(*index), &sign_in).is_ok()).count();
        assert_eq!(passed, 3, "an eighth of 40, less the two before");
        store.is_away.store(false, Ordering::Relaxed);
        assert!(send(&number(30), &sign_in).is_ok());
    }

    #[test]
    fn the_timeout_of_a_call_includes_the_decision() {
        struct Slow;

        impl Store for Slow {
            fn take(&self, _: &[Claim<'_>], clock: &dyn Fn() -> SystemTime) -> Result<Decision, StoreError> {
                thread::sleep(Duration::from_millis(500));
                Ok(Decision::Granted { at: clock() })
            }

            fn give_back(&self, _: &[Return<'_>]) -> Result<(), StoreError> {
                Ok(())
            }

            fn forget(&self, _: &[Claim<'_>]) -> Result<(), StoreError> {
                Ok(())
            }
        }

        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Bench::new().client_of(&format!("http://{}", silent.local_addr().unwrap()));
        let guard = unlimited().shared(Slow).build().unwrap();
        let sign_in = client.with_timeout(Duration::from_millis(700)).guarded(guard).by(Caller::nobody());
        let began = Instant::now();
        let error = send(PHONE, &sign_in).unwrap_err();
        assert!(error.is_timeout() && began.elapsed() < Duration::from_secs(1), "{:?}: {error}", began.elapsed());
    }

    #[test]
    fn without_its_store_a_process_gives_back_and_remembers() {
        let bench = Bench::new();
        let store = Fickle::default();
        let limits = unlimited().unverified(Limit::per_hour(1)).wrong_codes(Limit::per_hour(1)).shared(store.clone());
        let sign_in = bench.guarded(limits.when_away(WhenAway::Alone { processes: 1 })).by(Caller::nobody());
        store.is_away.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            let sent = send(PHONE, &sign_in).unwrap();
            assert!(VerifyOtp::otp_id(&sent.otp_id).otp(bench.code(PHONE)).send(&sign_in).unwrap().verified);
        }
        assert!(send(PHONE, &sign_in).is_ok());
        assert_eq!(reason(send(PHONE, &sign_in)), Reason::Unverified);
    }
}

mod logs {
    use super::*;
    use log::{Level, LevelFilter, Log, Metadata, Record};
    use std::sync::Once;
    use std::thread::ThreadId;

    /// Every log record of this crate in this process, with its thread.
    static RECORDS: Mutex<Vec<(ThreadId, Level, String)>> = Mutex::new(Vec::new());

    struct Listener;

    impl Log for Listener {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "contiguity"
        }

        fn log(&self, record: &Record<'_>) {
            if self.enabled(record.metadata()) {
                let record = (thread::current().id(), record.level(), record.args().to_string());
                RECORDS.lock().unwrap().push(record);
            }
        }

        fn flush(&self) {}
    }

    fn records_of<T>(work: impl FnOnce() -> T) -> Vec<(Level, String)> {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            log::set_logger(&Listener).unwrap();
            log::set_max_level(LevelFilter::Debug);
        });
        work();
        let mut records = RECORDS.lock().unwrap();
        let this = thread::current().id();
        let (own, others) = records.drain(..).partition::<Vec<_>, _>(|(thread, ..)| *thread == this);
        *records = others;
        own.into_iter().map(|(_, level, text)| (level, text)).filter(|(_, text)| !text.contains("/otp/")).collect()
    }

    #[test]
    fn signs_of_an_attack_are_warnings_and_no_record_shows_a_number_or_caller() {
        let bench = Bench::new();
        let one = Limit::per_day(1);
        for (guard, level, message) in [
            (with_total(one), Level::Warn, "the total budget is used up"),
            (unlimited().unverified(one), Level::Warn, "too many texts to this calling code were not verified"),
            (unlimited().neighbors(one), Level::Warn, "too many texts to adjacent numbers were not verified"),
            (unlimited().per_number(one), Level::Debug, "too many texts to this number"),
            (unlimited().per_caller(one), Level::Debug, "too many requests from this caller"),
        ] {
            let sign_in = bench.guarded(guard).by("account 4711");
            let records = records_of(|| (send(PHONE, &sign_in), send(PHONE, &sign_in)));
            let [(seen, text)] = &records[..] else { panic!("{records:?}") };
            assert!(text.starts_with(&format!("refused before sending: {message} (1 in 1 day)")), "{text}");
            assert_eq!(*seen, level, "{text}");
            assert!(!text.contains("4155552671") && !text.contains("4711"), "{text}");
        }
    }

    #[test]
    fn a_store_that_goes_away_and_returns_is_logged_once_each() {
        let bench = Bench::new();
        let store = stores::Fickle::default();
        let sign_in = bench.guarded(unlimited().shared(store.clone())).by(Caller::nobody());
        let records = records_of(|| {
            for is_away in [false, true, true, true, false, false] {
                store.is_away.store(is_away, Ordering::Relaxed);
                let _ = send(PHONE, &sign_in);
            }
        });
        let unavailable = "the guard's store is unavailable: away; it acts as Refuse";
        let refused = "refused before sending: the guard's store is unavailable";
        let expected = [
            (Level::Warn, unavailable),
            (Level::Debug, refused),
            (Level::Debug, refused),
            (Level::Debug, refused),
            (Level::Info, "the guard's store is available again"),
        ];
        assert_eq!(records, expected.map(|(level, text)| (level, text.to_owned())));
    }

    #[test]
    fn the_first_caller_with_a_private_address_is_a_warning() {
        let records = records_of(|| {
            for address in ["203.0.113.7", "127.0.0.1", "10.0.0.1", "::1"] {
                let _ = Caller::from(address);
            }
            let _ = Caller::from(SocketAddr::from(([127, 0, 0, 1], 4010)));
        });
        let [(Level::Warn, text)] = &records[..] else { panic!("{records:?}") };
        assert_eq!(text, "a caller has a loopback or private address; behind a proxy, everyone would share that limit");
    }
}

mod settings {
    use super::*;

    #[track_caller]
    fn error(guard: GuardBuilder) -> String {
        let error = guard.build().unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        error.to_string()
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let total = || Guard::total(Limit::per_day(100));
        let everywhere = || total().everywhere();
        for (guard, message) in [
            (Guard::total([]).everywhere(), "the guard's `total` is empty; give at least one limit"),
            (Guard::total(Limit::per_day(0)).everywhere(), "the guard's `total` has a limit of 0; give at least 1"),
            (
                everywhere().per_caller(Limit::per_day(0)),
                "the guard's `per_caller` has a limit of 0; give at least 1, or an empty list to turn the limit off",
            ),
            (
                everywhere().per_number(Limit::new(1, Duration::from_millis(9_999))),
                "the guard's `per_number` has a window that is not from 10 seconds to 31 days",
            ),
            (
                everywhere().wrong_codes(Limit::new(1, Duration::from_secs(31 * DAY + 1))),
                "the guard's `wrong_codes` has a window that is not from 10 seconds to 31 days",
            ),
            (everywhere().neighbors(vec![Limit::per_day(1); 9]), "the guard's `neighbors` has more than 8 limits"),
            (total().only(Vec::<String>::new()), "the guard's `only` has no region; give those that your users are in"),
            (
                total().only(["US", "UK"]),
                "the guard's `only` has the unknown region \"UK\"; use GB for the United Kingdom",
            ),
            (
                total().only(["usa", "CA"]),
                "the guard's `only` has the unknown region \"usa\"; use US for the United States",
            ),
            (
                total().only(["US", "EN"]),
                "the guard's `only` has the unknown region \"EN\"; use a two-letter ISO 3166-1 code such as US",
            ),
            // It may be a number.
            (
                total().only(["+14155552671"]),
                "the guard's `only` has an unknown region; use a two-letter ISO 3166-1 code such as US",
            ),
            (everywhere().also([44, 999]), "the guard's `also` has 999, which is not an assigned calling code"),
            (everywhere().also([44, 4415]), "the guard's `also` has 4415, which is not an assigned calling code"),
            (
                everywhere().deny(["4470"]),
                "the guard's `deny` has the invalid prefix \"4470\"; begin it with + and an assigned calling code, such as +4470",
            ),
            (
                everywhere().deny(["+1900", "+999"]),
                "the guard's `deny` has the invalid prefix \"+999\"; begin it with + and an assigned calling code, such as +4470",
            ),
            // It may be a whole number.
            (
                everywhere().deny(["4155552671"]),
                "the guard's `deny` has an invalid prefix; begin it with + and an assigned calling code, such as +4470",
            ),
            (
                everywhere().when_away(WhenAway::Alone { processes: 0 }),
                "the guard's `when_away` has 0 processes; give the number of your processes",
            ),
        ] {
            assert_eq!(error(guard), message);
        }
        let edges = [Limit::new(1, Duration::from_secs(10)), Limit::new(u32::MAX, Duration::from_secs(31 * DAY))];
        assert!(everywhere().per_number(edges).build().is_ok());
    }

    #[test]
    fn nothing_shows_a_number_or_a_caller() {
        let bench = Bench::new();
        let guard = Guard::total(Limit::per_day(1)).everywhere().deny(["+1900555"]).build().unwrap();
        let caller = Caller::ip("203.0.113.7".parse().unwrap()).and(Caller::key("account 4711"));
        let sign_in = bench.client().guarded(guard.clone());
        let by = sign_in.by(caller.clone());
        assert!(send(PHONE, &by).is_ok());
        let error = send(PHONE, &by).unwrap_err();
        let shown = format!(
            "{guard:?} {sign_in:?} {by:?} {caller:?} {error:?} {error} {:?}",
            Guard::total(Limit::per_day(1)).everywhere().deny(["+1900555"])
        );
        for secret in ["4155552671", "5552671", "203.0", "4711", "1900555"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
