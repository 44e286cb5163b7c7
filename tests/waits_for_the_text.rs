//! A wait ends as it should: verified, expired, cancelled, timed out or stopped.
//!
//! Tests wait by a sandbox's clock, so that minutes take no time. The service's time also includes
//! the real time that a test takes, so times are compared with some slack.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use contiguity::reverse::{Outcome, Stop, Wait};
use contiguity::sandbox::{Fault, Sandbox};
use contiguity::{
    CancelReverseOtp, Client, Error, InitiateReverseOtp, ReverseSession, ReverseStatus, Status, VerifyReverseOtp,
};

const PHONE: &str = "+14155552671";

#[test]
fn a_text_before_the_first_poll() {
    let world = World::new();
    world.text();
    let outcome = world.run(world.wait());
    assert_eq!(world.polls.get(), 1);
    let Outcome::Verified(proof) = outcome else { panic!("{outcome:?}") };
    assert_eq!((proof.otp_id(), proof.number()), (&world.session.otp_id, Some(world.session.number)));
}

#[test]
fn a_text_in_the_middle() {
    let world = World::new().at(60, World::text);
    assert!(matches!(world.run(world.wait()), Outcome::Verified(_)));
    // Two polls later, which are up to 22 s apart.
    world.assert_elapsed(60, 105);
}

#[test]
fn a_text_before_the_last_poll() {
    let world = World::new().at(15, World::text);
    assert!(matches!(world.run(world.wait_of_three_polls()), Outcome::Verified(_)));
    world.assert_elapsed(30, 35);
}

#[test]
fn five_minutes_take_up_to_25_polls_and_then_the_session_is_cancelled() {
    for _ in 0..10 {
        let world = World::new();
        assert_eq!(world.run(world.wait()), Outcome::TimedOut { cancelled: true });
        world.assert_elapsed(300, 305);
        assert!((15..=25).contains(&world.polls.get()), "{} polls", world.polls.get());
        world.text();
        assert_eq!(world.status().status, Status::Cancelled);
    }
}

#[test]
fn a_timeout_without_a_cancellation_leaves_the_session_open() {
    let world = World::new();
    let wait = world.wait().cancel_on_timeout(false).timeout(Duration::from_secs(30));
    assert_eq!(world.run(wait), Outcome::TimedOut { cancelled: false });
    world.assert_elapsed(30, 35);
    world.text();
    assert_eq!(world.status().status, Status::Verified);
}

#[test]
fn a_wait_without_time_polls_once() {
    let world = World::new();
    assert_eq!(world.run(world.wait().timeout(Duration::ZERO)), Outcome::TimedOut { cancelled: true });
    assert_eq!(world.polls.get(), 1);
}

#[test]
fn a_wait_ends_with_the_session() {
    for with_session in [true, false] {
        let world = World::new();
        let wait = if with_session { world.wait() } else { world.wait_from_the_id() };
        assert_eq!(world.run(wait.timeout(Duration::MAX)), Outcome::Expired);
        world.assert_elapsed(600, 605);
    }
}

#[test]
fn a_wait_ends_even_if_the_time_of_the_service_stands_still() {
    let sandbox = Sandbox::start().unwrap();
    // The last time that a timestamp can hold.
    sandbox.advance(Duration::MAX);
    let client = sandbox.client();
    let session = InitiateReverseOtp::number(PHONE).send(&client).unwrap();
    let outcome = session.wait(&client).clock(&sandbox.clock()).run().unwrap();
    assert_eq!(outcome, Outcome::TimedOut { cancelled: true });
}

#[test]
fn the_service_may_be_hours_ahead() {
    // As if the machine had slept between two polls.
    let world = World::new().at(20, |world| world.sandbox.advance(Duration::from_secs(3600)));
    assert_eq!(world.run(world.wait()), Outcome::Expired);
    assert!(world.polls.get() < 10, "{} polls", world.polls.get());
}

#[test]
fn another_program_cancels() {
    let world =
        World::new().at(20, |world| drop(CancelReverseOtp::otp_id(&world.session.otp_id).send(&world.client).unwrap()));
    assert_eq!(world.run(world.wait()), Outcome::Cancelled);
}

#[test]
fn the_callback_stops_the_wait_and_the_session_stays_open() {
    let world = World::new();
    let mut seen = Vec::new();
    let stop_at_three = |status: &ReverseStatus| {
        seen.push(status.status.clone());
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let outcome = world.wait().on_poll(stop_at_three).clock(&world.sandbox.clock()).run().unwrap();
    assert_eq!(outcome, Outcome::Stopped);
    assert_eq!(seen, [Status::Pending, Status::Pending, Status::Pending]);
    assert_eq!(world.status().status, Status::Pending);
}

#[test]
fn a_stop_from_another_thread_ends_the_sleep_and_the_session_stays_open() {
    let world = World::new();
    let stop = Stop::new();
    let (polled, first_poll) = mpsc::channel();
    let handler = stop.clone();
    let thread = thread::spawn(move || {
        first_poll.recv().expect("a poll");
        // Most likely the wait sleeps by now. It has to stop in either case.
        thread::sleep(Duration::from_millis(50));
        handler.stop();
    });
    let started = Instant::now();
    let wait = world.wait().interval(Duration::from_secs(200), Duration::from_secs(200)).stop_on(&stop);
    let wait = wait.on_poll(|_| {
        polled.send(()).expect("the thread waits");
        ControlFlow::Continue(())
    });
    assert_eq!(wait.run().unwrap(), Outcome::Stopped);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert_eq!(world.status().status, Status::Pending);
    thread.join().unwrap();
}

#[test]
fn a_stop_from_the_callback_ends_the_wait() {
    let world = World::new();
    let stop = Stop::new();
    assert!(!stop.is_stopped());
    let wait = world.wait().stop_on(&stop).on_poll(|_| {
        stop.stop();
        world.count()
    });
    assert_eq!(wait.clock(&world.sandbox.clock()).run().unwrap(), Outcome::Stopped);
    assert!(stop.is_stopped() && stop.clone().is_stopped());
    assert_eq!(world.polls.get(), 1);
    // The handle stops later waits as well.
    assert_eq!(world.run(world.wait().stop_on(&stop)), Outcome::Stopped);
    assert_eq!(world.status().status, Status::Pending);
}

#[test]
fn a_stop_ends_a_wait_of_which_no_poll_succeeds() {
    let client = Client::builder("key").base_url("http://127.0.0.1:1").build().unwrap();
    let stop = Stop::new();
    stop.stop();
    let outcome = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).stop_on(&stop).run().unwrap();
    assert_eq!(outcome, Outcome::Stopped);
}

#[test]
fn a_verification_counts_even_if_the_wait_is_stopped() {
    let world = World::new();
    world.text();
    let outcome = world.wait().on_poll(|_| ControlFlow::Break(())).run().unwrap();
    assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
    let stop = Stop::new();
    stop.stop();
    let outcome = world.wait().stop_on(&stop).run().unwrap();
    assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
}

#[test]
fn polls_that_fail_for_a_temporary_reason_do_not_end_the_wait() {
    let world = World::new();
    for _ in 0..2 {
        world.sandbox.fail_next(Fault::status(503));
        world.sandbox.fail_next(Fault::status(408));
        world.sandbox.fail_next(Fault::drop_before());
        world.sandbox.fail_next(Fault::half());
        world.sandbox.fail_next(Fault::status(429).retry_after(Duration::ZERO));
    }
    let world = world.at(30, World::text);
    assert!(matches!(world.run(world.wait()), Outcome::Verified(_)));
    assert!(world.polls.get() >= 2);
}

#[test]
fn the_next_poll_honors_retry_after() {
    let world = World::new();
    world.sandbox.fail_next(Fault::status(429).retry_after(Duration::from_secs(90)));
    let wait = world.wait().on_poll(|_| ControlFlow::Break(())).clock(&world.sandbox.clock()).run();
    assert_eq!(wait.unwrap(), Outcome::Stopped);
    world.assert_elapsed(90, 95);
}

#[test]
fn a_poll_that_would_fail_again_ends_the_wait_with_its_error() {
    let world = World::new();
    for (fault, status) in [(Fault::status(401).into(), Some(401)), (Fault::garbage(), Some(200))] {
        let fault: Fault = fault;
        world.sandbox.fail_next(fault);
        assert_eq!(world.wait().run().unwrap_err().status(), status);
    }
    let error = VerifyReverseOtp::otp_id("r_otp_unknown").wait(&world.client).run().unwrap_err();
    assert_eq!(error.status(), Some(400));
    let error = VerifyReverseOtp::otp_id("..").wait(&world.client).run().unwrap_err();
    assert!(matches!(error, Error::Validation(_)), "{error}");
}

#[test]
fn a_text_between_the_last_poll_and_the_cancellation_counts() {
    // The service then refuses the cancellation.
    let world = World::new().at(30, World::text);
    let outcome = world.run(world.wait_of_three_polls());
    let Outcome::Verified(proof) = outcome else { panic!("{outcome:?}") };
    assert_eq!(proof.number(), Some(world.session.number));
}

#[test]
fn a_failed_cancellation_is_not_an_error() {
    for (fault, cancelled) in [
        (Fault::status(500).into(), false),
        (Fault::status(500).after_acting().into(), true),
        (Fault::status(403).into(), false),
        (Fault::drop_before(), false),
        (Fault::drop_after(), true),
        (Fault::garbage(), true),
    ] {
        let fault: Fault = fault;
        let fail_the_cancellation = {
            let fault = fault.clone();
            move |world: &World| world.sandbox.fail_next(fault.clone())
        };
        let world = World::new().at(30, fail_the_cancellation);
        assert_eq!(world.run(world.wait_of_three_polls()), Outcome::TimedOut { cancelled }, "{fault:?}");
    }
}

#[test]
fn an_unknown_status_counts_as_pending() {
    let service = httpmock::MockServer::start();
    let mock = service.mock(|when, then| {
        when.method("GET");
        then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"on_its_way"}}"#);
    });
    let client = Client::builder("key").base_url(service.base_url()).build().unwrap();
    let sandbox = Sandbox::start().unwrap();
    let clock = sandbox.clock();
    let wait = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).cancel_on_timeout(false).clock(&clock);
    assert_eq!(wait.timeout(Duration::from_secs(10)).run().unwrap(), Outcome::TimedOut { cancelled: false });
    assert!(mock.calls() > 1);
}

#[test]
fn one_poll_is_one_request() {
    let service = httpmock::MockServer::start();
    let mock = service.mock(|when, then| {
        when.method("GET");
        then.status(503);
    });
    // This client retries on its own. A wait neither waits for that nor makes three requests a poll.
    let client = Client::builder("key").base_url(service.base_url()).build().unwrap();
    let sandbox = Sandbox::start().unwrap();
    let clock = sandbox.clock();
    let wait = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).cancel_on_timeout(false).clock(&clock);
    assert_eq!(wait.run().unwrap(), Outcome::TimedOut { cancelled: false });
    assert!((15..=25).contains(&mock.calls()), "{} requests", mock.calls());
}

#[test]
fn a_cancellation_that_came_too_late_does_not_hide_a_verification() {
    let service = httpmock::MockServer::start();
    service.mock(|when, then| {
        when.method("POST");
        then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"verified"}}"#);
    });
    let mut pending = service.mock(|when, then| {
        when.method("GET");
        then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"pending"}}"#);
    });
    let client = Client::builder("key").base_url(service.base_url()).build().unwrap();
    let wait = VerifyReverseOtp::otp_id("r_otp_1").wait(&client).timeout(Duration::ZERO).on_poll(|_| {
        pending.delete();
        service.mock(|when, then| {
            when.method("GET");
            then.status(200).body(r#"{"data":{"otp_id":"r_otp_1","status":"verified"}}"#);
        });
        ControlFlow::Continue(())
    });
    let outcome = wait.run().unwrap();
    assert!(matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
}

#[test]
fn intervals_are_kept_within_reason() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
    for (initial, max, least, most) in [
        (zero, zero, 90, 110),
        (second, second, 900, 1_100),
        (second * 10, second, 9_000, 11_000),
        // The last poll is when the session ends.
        (Duration::MAX, Duration::MAX, 599_000, 600_001),
        (Duration::from_secs(u64::MAX / 2), zero, 599_000, 600_001),
    ] {
        let session = InitiateReverseOtp::number(PHONE).send(&client).unwrap();
        let mut times = Vec::new();
        let note = |status: &ReverseStatus| {
            times.push(status.metadata.timestamp.expect("a time"));
            if times.len() == 8 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let clock = sandbox.clock();
        let wait = session.wait(&client).timeout(Duration::MAX).interval(initial, max).clock(&clock);
        let outcome = wait.on_poll(note).run().unwrap();
        assert!(matches!(outcome, Outcome::Stopped | Outcome::Expired), "{outcome:?}");
        for pair in times.windows(2) {
            let gap = pair[1].duration_since(pair[0]).expect("time goes on").as_millis();
            // Timestamps are cut to milliseconds, and the poll itself takes real time.
            assert!((least - 1..=most + 2_000).contains(&gap), "{gap} ms for {initial:?} to {max:?}");
        }
    }
}

#[test]
fn only_a_verified_outcome_gives_a_proof() {
    for (outcome, message) in [
        (Outcome::Expired, "not verified: the session is expired"),
        (Outcome::Cancelled, "not verified: the session is cancelled"),
        (Outcome::TimedOut { cancelled: true }, "not verified: the person did not text in time"),
        (Outcome::TimedOut { cancelled: false }, "not verified: the person did not text in time"),
        (Outcome::Stopped, "not verified: the wait was stopped"),
    ] {
        assert_eq!(outcome.proof().unwrap_err().to_string(), message);
    }
    let world = World::new();
    world.text();
    let proof = world.run(world.wait_from_the_id()).proof().unwrap();
    assert_eq!((proof.otp_id(), proof.number()), (&world.session.otp_id, None));
}

/// A session in a sandbox, and what happens there during a wait.
struct World {
    sandbox: Sandbox,
    client: Client,
    session: ReverseSession,
    /// Happens after the first poll at this time of the session or later.
    event: RefCell<Option<(Duration, Event)>>,
    polls: Cell<usize>,
}

type Event = Box<dyn FnOnce(&World)>;

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::start().unwrap();
        // The waits before retries are real.
        let client = sandbox.client().with_retries(0);
        let session = InitiateReverseOtp::number(PHONE).send(&client).unwrap();
        Self { sandbox, client, session, event: RefCell::default(), polls: Cell::default() }
    }

    fn at(self, seconds: u64, event: impl FnOnce(&World) + 'static) -> Self {
        Self { event: RefCell::new(Some((Duration::from_secs(seconds), Box::new(event)))), ..self }
    }

    fn wait(&self) -> Wait<'_> {
        self.session.wait(&self.client)
    }

    fn wait_from_the_id(&self) -> Wait<'_> {
        VerifyReverseOtp::otp_id(self.session.otp_id.as_str()).wait(&self.client)
    }

    /// Polls at once, after 18 to 22 seconds, and at the end.
    fn wait_of_three_polls(&self) -> Wait<'_> {
        let interval = Duration::from_secs(20);
        self.wait().timeout(Duration::from_secs(30)).interval(interval, interval)
    }

    fn run(&self, wait: Wait<'_>) -> Outcome {
        let clock = self.sandbox.clock();
        wait.clock(&clock).on_poll(|status| self.polled(status)).run().unwrap()
    }

    fn polled(&self, status: &ReverseStatus) -> ControlFlow<()> {
        let due = self.event.borrow_mut().take_if(|(at, _)| *at <= self.elapsed(status));
        if let Some((_, event)) = due {
            event(self);
        }
        self.count()
    }

    fn count(&self) -> ControlFlow<()> {
        self.polls.set(self.polls.get() + 1);
        ControlFlow::Continue(())
    }

    fn text(&self) {
        self.sandbox.phone(PHONE).text(&self.session.to, &self.session.factor);
    }

    fn status(&self) -> ReverseStatus {
        VerifyReverseOtp::otp_id(&self.session.otp_id).send(&self.client).unwrap()
    }

    /// The age of the session, by the service's time.
    fn elapsed(&self, status: &ReverseStatus) -> Duration {
        let (now, began) = (status.metadata.timestamp, self.session.metadata.timestamp);
        now.expect("a time").duration_since(began.expect("a time")).expect("time goes on")
    }

    #[track_caller]
    fn assert_elapsed(&self, least: u64, most: u64) {
        let elapsed = self.elapsed(&self.status()).as_secs();
        assert!((least..=most).contains(&elapsed), "{elapsed} s");
    }
}
