//! `reverse start`, `status`, `cancel` and `wait`.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use contiguity::qr::Background;
use contiguity::reverse::{self, Outcome, Stop};
use contiguity::{
    CancelReverseOtp, Client, InitiateReverseOtp, Metadata, OtpId, ReverseSession, ReverseStatus, Status,
    VerifyReverseOtp,
};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::arguments::{Session, Start, Wait};
use crate::ending::{Act, Ending, Failure};
use crate::otp::{client, not_verified, verified};
use crate::output::{Drawing, Event, GOOD, Output, printable};
use crate::people;
use crate::signals::Signals;

pub(crate) fn start(command: Start, output: &Output) -> Result<Ending, Failure> {
    let number = people::number(command.number, command.region.region.as_deref())?;
    let mut request = InitiateReverseOtp::number(number).language(people::language(&command.language).as_str());
    if let Some(factor) = command.factor {
        request = request.factor(factor);
    }
    if let Some(to) = command.to {
        request = request.to(to);
    }
    if let Some(service) = command.service {
        request = request.service(service);
    }
    if let Some(success_url) = command.success_url {
        request = request.success_url(success_url);
    }
    let client = client()?;
    // Before the session is opened, so that Ctrl-C always cancels it.
    let stopper = if command.wait { Some(Stopper::listen()?) } else { None };
    let session = request.send(&client).map_err(|error| Act::OpenSession.failed(error))?;
    let shown = show(&session, output);
    match stopper {
        None => shown.map(|()| Ending::Done),
        Some(stopper) => {
            if let Err(failure) = shown {
                // The instructions did not reach anyone.
                let _ = CancelReverseOtp::otp_id(&session.otp_id).send(&client);
                return Err(failure);
            }
            let left = left(session.expires_at, &session.metadata);
            let wait = session.wait(&client);
            run(wait, &session.otp_id, command.timeout.seconds, left, &client, &stopper, output)
        }
    }
}

pub(crate) fn status(command: &Session, output: &Output) -> Result<Ending, Failure> {
    let request = VerifyReverseOtp::otp_id(command.otp_id.as_str());
    let status = request.send(&client()?).map_err(|error| Act::Read.failed(error))?;
    let is_verified = status.is_verified();
    let left = match status.status {
        Status::Pending => left(status.expires_at, &status.metadata),
        _ => None,
    };
    let event = Event::Status {
        otp_id: &status.otp_id,
        status: status.status.as_str(),
        verified: is_verified,
        seconds_left: left.map(|left| left.as_secs()),
    };
    let time = left.map(|left| format!(", {} left", people::clock(left.as_secs()))).unwrap_or_default();
    output.result(&event, format!("The session is {}{time}.", printable(status.status.as_str())))?;
    Ok(if is_verified { Ending::Done } else { Ending::NotVerified })
}

pub(crate) fn cancel(command: &Session, output: &Output) -> Result<Ending, Failure> {
    let request = CancelReverseOtp::otp_id(command.otp_id.as_str());
    let cancellation = request.send(&client()?).map_err(|error| Act::CancelSession.failed(error))?;
    let status = cancellation.status;
    cancelled(&cancellation.otp_id, &status, output)?;
    Ok(if status == Status::Cancelled { Ending::Done } else { Ending::NotSent })
}

pub(crate) fn wait(command: &Wait, output: &Output) -> Result<Ending, Failure> {
    let client = client()?;
    let otp_id = OtpId::parse(&command.session.otp_id).map_err(|error| Failure::local(error.to_string()))?;
    let stopper = Stopper::listen()?;
    let wait = VerifyReverseOtp::otp_id(&otp_id).wait(&client);
    run(wait, &otp_id, command.timeout.seconds, None, &client, &stopper, output)
}

/// Waits, and cancels the session if the wait is stopped or fails.
fn run(
    wait: reverse::Wait<'_>,
    otp_id: &OtpId,
    timeout: u32,
    left: Option<Duration>,
    client: &Client,
    stopper: &Stopper,
    output: &Output,
) -> Result<Ending, Failure> {
    let timeout = Duration::from_secs(timeout.into());
    let progress = Progress::start(left.map_or(timeout, |left| left.min(timeout)), output);
    let outcome = wait
        .timeout(timeout)
        .interval(INTERVAL.0, INTERVAL.1)
        .on_poll(|status| {
            progress.polled(status);
            ControlFlow::Continue(())
        })
        .stop_on(&stopper.stop)
        .run();
    progress.finish();

    let reason = match outcome {
        Ok(Outcome::Verified(proof)) => return verified(&proof, output),
        Ok(Outcome::Expired) => "the session expired before the text arrived",
        Ok(Outcome::Cancelled) => "the session was cancelled",
        Ok(Outcome::TimedOut { cancelled: true }) => "time is up, and the session is cancelled",
        Ok(Outcome::TimedOut { .. }) => "time is up, and the session will expire",
        Ok(Outcome::Stopped) => {
            match CancelReverseOtp::otp_id(otp_id).send(client) {
                Ok(cancellation) => cancelled(otp_id, &cancellation.status, output)?,
                Err(error) => output.failure(&Act::CancelSession.failed(error)),
            }
            return Ok(Ending::Interrupted(stopper.status.load(Ordering::Acquire)));
        }
        Ok(_) => "the wait ended",
        Err(error) => {
            // So that a late text verifies no one. The error of the wait is the one to report.
            let _ = CancelReverseOtp::otp_id(otp_id).send(client);
            return Err(Act::Read.failed(error));
        }
    };
    not_verified(otp_id, reason, output)
}

fn cancelled(otp_id: &OtpId, status: &Status, output: &Output) -> Result<(), Failure> {
    let text = format!("The session is {}.", printable(status.as_str()));
    output.result(&Event::Cancelled { otp_id, status: status.as_str() }, text)
}

/// Prints what the person has to do, with a code to scan if there is a terminal to draw it in.
fn show(session: &ReverseSession, output: &Output) -> Result<(), Failure> {
    if let (Some(drawing), Ok(code)) = (output.drawing(), session.qr()) {
        let code = match drawing {
            Drawing::Plain => code.to_text(Background::Dark),
            Drawing::Colored => code.to_terminal(),
        };
        output.text(format!("Scan this with the phone, or text as described below:\n\n{code}\n"))?;
    }
    let number = session.number.masked().to_string();
    let link = session.ui.as_ref().map(|ui| ui.qr_code.as_str());
    let left = left(session.expires_at, &session.metadata).map(|left| left.as_secs());
    let instructions = match &session.ui {
        Some(ui) => printable(&ui.text),
        None => printable(&format!("Text {} to {}.", session.factor, session.to)),
    };
    let time = left.map(|left| format!("\nExpires in: {}", people::clock(left))).unwrap_or_default();
    let link_line = link.map(|link| format!("\nLink: {}", printable(link))).unwrap_or_default();
    let text = format!(
        "{GOOD}Opened{GOOD:#} a session for {number}.\n{instructions}{link_line}{time}\nOTP id: {}",
        session.otp_id
    );
    let event = Event::Session {
        otp_id: &session.otp_id,
        number,
        factor: &session.factor,
        to: &session.to,
        service: session.service.as_ref().map(contiguity::Service::as_str),
        link,
        seconds_left: left,
    };
    output.result(&event, text)
}

/// How long a session lives, by the service's clock only: ours may differ.
fn left(expires_at: Option<SystemTime>, metadata: &Metadata) -> Option<Duration> {
    Some(expires_at?.duration_since(metadata.timestamp?).unwrap_or_default())
}

/// Stops the wait on Ctrl-C or SIGTERM.
struct Stopper {
    stop: Stop,
    status: Arc<AtomicU8>,
}

impl Stopper {
    fn listen() -> Result<Self, Failure> {
        let stopper = Self { stop: Stop::new(), status: Arc::default() };
        let (stop, status) = (stopper.stop.clone(), Arc::clone(&stopper.status));
        Signals::listen()?.spawn(move |signal| {
            status.store(signal, Ordering::Release);
            stop.stop();
        });
        Ok(stopper)
    }
}

/// A spinner with the time left, if someone sees it.
struct Progress {
    bar: ProgressBar,
    ends: Arc<Mutex<Instant>>,
}

impl Progress {
    fn start(left: Duration, output: &Output) -> Self {
        let ends = Arc::new(Mutex::new(Instant::now() + left));
        let bar = if output.is_live() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let shown = Arc::clone(&ends);
        let style =
            ProgressStyle::with_template("{spinner} Waiting up to {left} for the text. Ctrl-C cancels the session.")
                .expect("a valid template")
                .with_key("left", move |_: &ProgressState, writer: &mut dyn std::fmt::Write| {
                    let ends = *shown.lock().unwrap_or_else(PoisonError::into_inner);
                    let left = ends.saturating_duration_since(Instant::now());
                    // A line that cannot be formatted is drawn again soon.
                    let _ = writer.write_str(&people::clock(left.as_secs()));
                });
        bar.set_style(style);
        bar.enable_steady_tick(TICK);
        Self { bar, ends }
    }

    /// The session may end before the wait does.
    fn polled(&self, status: &ReverseStatus) {
        if let Some(left) = left(status.expires_at, &status.metadata) {
            let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            *ends = (*ends).min(Instant::now() + left);
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Someone waits at the terminal, so polls are more frequent than the default of the crate.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));

/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(100);
