//! Waiting for a person's text, by the sandbox's clock: no test sleeps for a real second.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use contiguity::reverse::{Clock, Outcome};
use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{CancelReverseOtp, Client, Error, InitiateReverseOtp, ReverseSession, Status, VerifyReverseOtp};

const PHONE: &str = "+14155552671";

#[test]
fn verified_on_the_first_poll() {
    let world = World::new();
    world.text();
    let outcome = world.wait();
    assert_eq!(world.polls(), 1);
    let Outcome::Verified(proof) = outcome else { panic!("{outcome:?}") };
    assert_eq!((proof.otp_id(), proof.number().unwrap().as_str()), (&world.session.otp_id, PHONE));
}

#[test]
fn verified_in_the_middle() {
    let world = World::new().with_events(vec![(Duration::from_secs(60), Event::Text)]);
    assert!(matches!(world.wait(), Outcome::Verified(_)));
    // The text came after a minute; the next poll is 22 seconds later at the most.
    assert!((60..=82).contains(&world.elapsed().as_secs()), "{:?}", world.elapsed());
}

#[test]
fn verified_on_the_last_poll() {
    // The text comes in the last second, and the last read is at the very end.
    let world = World::new().with_events(vec![(Duration::from_millis(299_900), Event::Text)]);
    assert!(matches!(world.wait(), Outcome::Verified(_)));
    assert_eq!(world.elapsed(), Duration::from_secs(300));
}

#[test]
fn five_minutes_take_at_most_25_polls() {
    for _ in 0..20 {
        let world = World::new();
        assert_eq!(world.wait(), Outcome::TimedOut { cancelled: true });
        assert_eq!(world.elapsed(), Duration::from_secs(300));
        assert!((15..=25).contains(&world.polls()), "{}", world.polls());
    }
}

#[test]
fn timed_out_and_cancelled() {
    let world = World::new();
    assert_eq!(world.wait(), Outcome::TimedOut { cancelled: true });
    world.text();
    assert_eq!(world.status(), Status::Cancelled);
}

#[test]
fn the_clock_to_wait_by_never_goes_back_and_never_stops() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let clock = sandbox.clock();
    let mut last = clock.now();
    for step in [Duration::from_secs(60), Duration::MAX, Duration::from_secs(2), Duration::MAX] {
        assert_eq!(clock.sleep(step), ControlFlow::Continue(()));
        assert!(clock.now() > last, "after {step:?}");
        last = clock.now();
    }
    sandbox.reset();
    assert_eq!(clock.now(), last);

    // The service's time stands still there, and a wait for a text that never comes ends all the same.
    sandbox.advance(Duration::MAX);
    let session = InitiateReverseOtp::number(PHONE).send(&client).unwrap();
    let outcome = session.wait(&client).clock(&sandbox.clock()).run().unwrap();
    assert_eq!(outcome, Outcome::TimedOut { cancelled: true });
}

#[test]
fn timed_out_without_cancelling() {
    let world = World::new();
    let wait = world.session.wait(&world.client).cancel_on_timeout(false).timeout(Duration::from_secs(30));
    assert_eq!(wait.clock(&world).run().unwrap(), Outcome::TimedOut { cancelled: false });
    assert_eq!(world.elapsed(), Duration::from_secs(30));
    world.text();
    assert_eq!(world.status(), Status::Verified);
}

#[test]
fn a_wait_without_time_reads_once() {
    let world = World::new();
    let wait = world.session.wait(&world.client).timeout(Duration::ZERO).clock(&world);
    assert_eq!(wait.on_poll(|_| world.counted()).run().unwrap(), Outcome::TimedOut { cancelled: true });
    assert_eq!(world.polls(), 1);
}

#[test]
fn expired_never_waits_longer_than_the_session_lives() {
    let world = World::new();
    let wait = world.session.wait(&world.client).timeout(Duration::from_secs(3600)).clock(&world);
    assert_eq!(wait.run().unwrap(), Outcome::Expired);
    world.assert_lived_its_ten_minutes();
}

#[test]
fn a_session_from_an_id_alone_expires_as_well() {
    let world = World::new();
    let wait = VerifyReverseOtp::otp_id(world.session.otp_id.as_str()).wait(&world.client);
    assert_eq!(wait.timeout(Duration::MAX).clock(&world).run().unwrap(), Outcome::Expired);
    world.assert_lived_its_ten_minutes();
}

#[test]
fn cancelled_elsewhere() {
    let world = World::new().with_events(vec![(Duration::from_secs(20), Event::Cancel)]);
    assert_eq!(world.wait(), Outcome::Cancelled);
}

#[test]
fn stopped_by_the_callback_does_not_cancel() {
    let world = World::new();
    let mut seen = Vec::new();
    let stop_at_three = |status: &contiguity::ReverseStatus| {
        seen.push(status.status.clone());
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let outcome = world.session.wait(&world.client).on_poll(stop_at_three).clock(&world).run().unwrap();
    assert_eq!(outcome, Outcome::Stopped);
    assert_eq!(seen, [Status::Pending, Status::Pending, Status::Pending]);
    assert_eq!(world.status(), Status::Pending);
}

#[test]
fn a_verification_counts_even_if_the_callback_stops() {
    let world = World::new();
    world.text();
    let wait = world.session.wait(&world.client).on_poll(|_| ControlFlow::Break(())).clock(&world);
    assert!(matches!(wait.run().unwrap(), Outcome::Verified(_)));
}

#[test]
fn reads_that_fail_for_a_passing_reason_do_not_end_the_wait() {
    let world = World::new().with_events(vec![(Duration::from_secs(30), Event::Text)]);
    for _ in 0..2 {
        world.sandbox.fail_next(Fault::status(503));
        world.sandbox.fail_next(Fault::drop_before());
        world.sandbox.fail_next(Fault::half());
        world.sandbox.fail_next(Fault::status(429).retry_after(Duration::ZERO));
    }
    assert!(matches!(world.wait(), Outcome::Verified(_)));
    assert!(world.polls() >= 1);
}

#[test]
fn a_read_that_is_asked_to_come_later_comes_later() {
    let world = World::new();
    world.sandbox.fail_next(Fault::status(429).retry_after(Duration::from_secs(90)));
    let mut first = None;
    let at_first = |_: &contiguity::ReverseStatus| {
        first = Some(world.elapsed());
        ControlFlow::Break(())
    };
    let _ = world.session.wait(&world.client).on_poll(at_first).clock(&world).run().unwrap();
    assert_eq!(first, Some(Duration::from_secs(90)));
}

#[test]
fn a_read_that_would_fail_again_ends_the_wait_with_its_error() {
    let world = World::new();
    for (fault, status) in [(Fault::status(401).into(), Some(401)), (Fault::garbage(), Some(200))] {
        let fault: Fault = fault;
        world.sandbox.fail_next(fault);
        let error = world.session.wait(&world.client).clock(&world).run().unwrap_err();
        assert_eq!(error.status(), status);
    }
    let error = VerifyReverseOtp::otp_id("r_otp_of_nobody").wait(&world.client).clock(&world).run().unwrap_err();
    assert_eq!(error.status(), Some(400));
    let error = VerifyReverseOtp::otp_id("..").wait(&world.client).clock(&world).run().unwrap_err();
    assert!(matches!(error, Error::Validation(_)), "{error}");
}

#[test]
fn a_text_that_arrives_while_cancelling_counts() {
    // The person texts between the last read and the cancellation, which the service then refuses.
    let world = World::new();
    let text_after_the_last_read = |_: &contiguity::ReverseStatus| {
        if world.elapsed() == Duration::from_secs(30) {
            world.text();
        }
        ControlFlow::Continue(())
    };
    let wait = world.session.wait(&world.client).timeout(Duration::from_secs(30)).on_poll(text_after_the_last_read);
    let outcome = wait.clock(&world).run().unwrap();
    assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
}

#[test]
fn a_failed_cancellation_is_no_error() {
    for (fault, cancelled) in [
        (Fault::status(500).into(), false),
        (Fault::status(500).after_acting().into(), true),
        (Fault::status(403).into(), false),
        (Fault::drop_before(), false),
        (Fault::drop_after(), true),
        (Fault::garbage(), true),
    ] {
        let fault: Fault = fault;
        let world = World::new();
        let fail_the_cancellation = |_: &contiguity::ReverseStatus| {
            if world.elapsed() == Duration::from_secs(30) {
                world.sandbox.fail_next(fault.clone());
            }
            ControlFlow::Continue(())
        };
        let wait = world.session.wait(&world.client).timeout(Duration::from_secs(30)).on_poll(fail_the_cancellation);
        assert_eq!(wait.clock(&world).run().unwrap(), Outcome::TimedOut { cancelled }, "{fault:?}");
    }
}

#[test]
fn an_unknown_status_counts_as_pending() {
    let server = httpmock::MockServer::start();
    let mock = server.mock(|when, then| {
        when.method("GET");
        then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"on_its_way"}}"#);
    });
    let client = Client::builder("key").base_url(server.base_url()).build().unwrap();
    let clock = Still::default();
    let wait = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).cancel_on_timeout(false).clock(&clock);
    assert_eq!(wait.timeout(Duration::from_secs(10)).run().unwrap(), Outcome::TimedOut { cancelled: false });
    assert!(mock.calls() > 1);
}

#[test]
fn a_clock_that_breaks_off_stops_the_wait_even_if_no_read_succeeds() {
    /// Somebody pressed Ctrl-C.
    #[derive(Debug)]
    struct Interrupted(Instant);

    impl Clock for Interrupted {
        fn now(&self) -> Instant {
            self.0
        }

        fn sleep(&self, _: Duration) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }

    let client = Client::builder("key").base_url("http://127.0.0.1:1").build().unwrap();
    let clock = Interrupted(Instant::now());
    let outcome = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).clock(&clock).run().unwrap();
    assert_eq!(outcome, Outcome::Stopped);
}

#[test]
fn one_poll_is_one_request_whatever_comes_back() {
    let server = httpmock::MockServer::start();
    let mock = server.mock(|when, then| {
        when.method("GET");
        then.status(503);
    });
    // With the client's own repeats on: the wait is not to wait for them, nor to ask three times as often.
    let client = Client::builder("key").base_url(server.base_url()).build().unwrap();
    let clock = Still::default();
    let wait = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).cancel_on_timeout(false).clock(&clock);
    assert_eq!(wait.run().unwrap(), Outcome::TimedOut { cancelled: false });
    assert_eq!(mock.calls(), clock.sleeps.lock().unwrap().len() + 1);
    assert!(mock.calls() <= 25, "{}", mock.calls());
}

#[test]
fn a_cancellation_that_came_too_late_does_not_hide_a_verification() {
    let server = httpmock::MockServer::start();
    server.mock(|when, then| {
        when.method("POST");
        then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"verified"}}"#);
    });
    let mut pending = server.mock(|when, then| {
        when.method("GET");
        then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"pending"}}"#);
    });
    let client = Client::builder("key").base_url(server.base_url()).build().unwrap();
    let clock = Still::default();
    let wait = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).timeout(Duration::ZERO).clock(&clock);
    let outcome = wait
        .on_poll(|_| {
            pending.delete();
            server.mock(|when, then| {
                when.method("GET");
                then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"verified"}}"#);
            });
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
}

#[test]
fn a_clock_that_jumps_ends_the_wait() {
    // The machine slept for an hour between two polls.
    let world = World::new().with_events(vec![(Duration::from_secs(20), Event::Jump(Duration::from_secs(3600)))]);
    assert_eq!(world.wait(), Outcome::Expired);
    assert!(world.polls() < 10, "{}", world.polls());
}

#[test]
fn a_clock_that_is_set_back_does_not_prolong_the_wait() {
    let sandbox = Sandbox::start().unwrap();
    let session = InitiateReverseOtp::number(PHONE).send(&sandbox.client()).unwrap();
    let clock = Backwards(AtomicU64::new(0), Instant::now() + Duration::from_secs(3600));
    let client = sandbox.client();
    let mut polls = 0;
    let count = |_: &contiguity::ReverseStatus| {
        polls += 1;
        if polls == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    // It goes back at every look: the wait can't end by it, but it neither panics nor spins without sleeping.
    assert_eq!(session.wait(&client).clock(&clock).on_poll(count).run().unwrap(), Outcome::Stopped);
    assert_eq!(clock.0.load(Ordering::Relaxed), 99);
}

#[test]
fn intervals_are_kept_within_reason() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let session = InitiateReverseOtp::number(PHONE).send(&client).unwrap();
    for (first, most, least, longest) in [
        (Duration::ZERO, Duration::ZERO, 90, 110),
        (Duration::from_secs(10), Duration::from_secs(1), 9_000, 11_000),
        (Duration::from_secs(1), Duration::from_secs(1), 900, 1_100),
        // Never further than the session lives.
        (Duration::MAX, Duration::MAX, 599_000, 600_001),
        (Duration::from_secs(u64::MAX / 2), Duration::ZERO, 599_000, 600_001),
    ] {
        let clock = Still::default();
        let mut polls = 0;
        let count = |_: &contiguity::ReverseStatus| {
            polls += 1;
            if polls == 8 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let wait = session.wait(&client).timeout(Duration::MAX).interval(first, most).clock(&clock);
        let _ = wait.cancel_on_timeout(false).on_poll(count).run().unwrap();
        for slept in clock.sleeps.lock().unwrap().iter() {
            assert!((least..=longest).contains(&slept.as_millis()), "{slept:?} for {first:?} to {most:?}");
        }
    }
}

/// A session in a sandbox, and a clock that makes things happen while a wait sleeps.
#[derive(Debug)]
struct World {
    sandbox: Sandbox,
    client: Client,
    session: ReverseSession,
    began: Instant,
    elapsed: Mutex<Duration>,
    events: Mutex<Vec<(Duration, Event)>>,
    polls: Mutex<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Text,
    Cancel,
    Jump(Duration),
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::start().unwrap();
        // No repeats: their waits are real ones.
        let client = sandbox.client().with_retries(0);
        let session = InitiateReverseOtp::number(PHONE).send(&client).unwrap();
        let (elapsed, events, polls) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { sandbox, client, session, began: Instant::now(), elapsed, events, polls }
    }

    fn with_events(self, events: Vec<(Duration, Event)>) -> Self {
        Self { events: Mutex::new(events), ..self }
    }

    fn wait(&self) -> Outcome {
        self.session.wait(&self.client).on_poll(|_| self.counted()).clock(self).run().unwrap()
    }

    fn counted(&self) -> ControlFlow<()> {
        *self.polls.lock().unwrap() += 1;
        ControlFlow::Continue(())
    }

    fn text(&self) {
        self.sandbox.phone(PHONE).text(&self.session.to, &self.session.factor);
    }

    fn status(&self) -> Status {
        VerifyReverseOtp::otp_id(&self.session.otp_id).send(&self.client).unwrap().status
    }

    fn polls(&self) -> usize {
        *self.polls.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap()
    }

    /// By its own clock, that is: the service's runs with the real one besides.
    #[track_caller]
    fn assert_lived_its_ten_minutes(&self) {
        let seconds = self.elapsed().as_secs_f64();
        assert!((590.0..600.1).contains(&seconds), "{seconds}");
    }

    fn move_on(&self, by: Duration) {
        // The service's clock runs with the real one as well, by the milliseconds that a test takes.
        self.sandbox.advance(by);
        *self.elapsed.lock().unwrap() += by;
    }
}

impl Clock for World {
    fn now(&self) -> Instant {
        self.began + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        let until = self.elapsed() + duration;
        let due: Vec<_> = {
            let mut events = self.events.lock().unwrap();
            let (due, later) = events.drain(..).partition(|(at, _)| *at <= until);
            *events = later;
            due
        };
        for (at, event) in due {
            self.move_on(at.saturating_sub(self.elapsed()));
            match event {
                Event::Text => self.text(),
                Event::Cancel => drop(CancelReverseOtp::otp_id(&self.session.otp_id).send(&self.client).unwrap()),
                Event::Jump(by) => self.move_on(by),
            }
        }
        self.move_on(until.saturating_sub(self.elapsed()));
        ControlFlow::Continue(())
    }
}

/// A clock that only sleeping moves, and that remembers every sleep.
#[derive(Debug, Default)]
struct Still {
    sleeps: Mutex<Vec<Duration>>,
}

impl Clock for Still {
    fn now(&self) -> Instant {
        static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *BEGAN.get_or_init(Instant::now) + self.sleeps.lock().unwrap().iter().sum::<Duration>()
    }

    fn sleep(&self, duration: Duration) -> ControlFlow<()> {
        self.sleeps.lock().unwrap().push(duration);
        ControlFlow::Continue(())
    }
}

/// A clock that goes back by a second whenever somebody sleeps.
#[derive(Debug)]
struct Backwards(AtomicU64, Instant);

impl Clock for Backwards {
    fn now(&self) -> Instant {
        self.1.checked_sub(Duration::from_secs(self.0.load(Ordering::Relaxed))).unwrap()
    }

    fn sleep(&self, _: Duration) -> ControlFlow<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    }
}
