//! What commands print: JSON for programs, text for people.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use contiguity::OtpId;
use serde::Serialize;

use crate::ending::{Ending, Failure};

/// A line of JSON.
///
/// Fields that do not apply are `null`. Phone numbers are masked, such as `+1•••••2671`. Times are in
/// seconds.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// A code was texted (`send`, `sign-in`).
    Sent { otp_id: &'a OtpId, number: String, language: &'a str },
    /// The same code was texted again (`resend`, `sign-in`).
    Resent { otp_id: &'a OtpId },
    /// The code was not texted again (`resend`, `sign-in`).
    NotResent { otp_id: &'a OtpId, reason: String, retry_after: Option<u64> },
    /// What was typed was not a code, so no attempt was used (`sign-in`).
    NotACode { otp_id: &'a OtpId, reason: String },
    /// The code was wrong (`sign-in`).
    WrongCode { otp_id: &'a OtpId, attempts_left: u32 },
    /// The person is verified (`verify`, `sign-in`, `reverse start --wait`, `reverse wait`).
    Verified { otp_id: &'a OtpId, number: Option<String> },
    /// The person is not verified (the same commands).
    NotVerified { otp_id: &'a OtpId, reason: &'a str },
    /// A session was opened (`reverse start`). `link` opens the text on a phone.
    Session {
        otp_id: &'a OtpId,
        number: String,
        factor: &'a str,
        to: &'a str,
        service: Option<&'a str>,
        link: Option<&'a str>,
        seconds_left: Option<u64>,
    },
    /// The status of a session (`reverse status`): `pending`, `verified`, `cancelled` or `expired`.
    Status { otp_id: &'a OtpId, status: &'a str, verified: bool, seconds_left: Option<u64> },
    /// The session was cancelled, or has the status that the service returned (`reverse cancel`, and
    /// the waits when they are stopped).
    Cancelled { otp_id: &'a OtpId, status: &'a str },
    /// The sandbox accepts requests (`sandbox`).
    Listening {
        url: &'a str,
        api_key: &'a str,
        webhook_secret: &'a str,
        allowed_hosts: &'a [String],
        state_file: Option<String>,
    },
    /// The sandbox was stopped by a signal (`sandbox`).
    Stopped,
    /// The command failed (all commands).
    Error {
        error: String,
        hint: Option<&'static str>,
        may_have_sent: bool,
        retryable: bool,
        status: Option<u16>,
        request_id: Option<&'a str>,
        retry_after: Option<u64>,
    },
}

/// Where a command prints.
#[derive(Debug)]
pub(crate) struct Output {
    is_json: bool,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// Whether there is a person to show progress to.
    pub(crate) fn is_live(&self) -> bool {
        !self.is_json && io::stderr().is_terminal()
    }

    /// Whether to draw a QR code, and whether in colors.
    pub(crate) fn drawing(&self) -> Option<Drawing> {
        let stdout = io::stdout();
        if self.is_json || !stdout.is_terminal() {
            return None;
        }
        let is_plain = AutoStream::choice(&stdout) == ColorChoice::Never;
        Some(if is_plain { Drawing::Plain } else { Drawing::Colored })
    }

    /// Prints a result: the event for programs, or the text for people.
    pub(crate) fn result(&self, event: &Event<'_>, text: impl Display) -> Result<(), Failure> {
        if self.is_json { Self::line(event) } else { written(writeln!(anstream::stdout(), "{text}")) }
    }

    /// Prints something that only people need.
    pub(crate) fn text(&self, text: impl Display) -> Result<(), Failure> {
        if self.is_json { Ok(()) } else { written(writeln!(anstream::stdout(), "{text}")) }
    }

    /// Prints a failure: on standard error for people, or if standard output is what failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        // There is nowhere to report a failure to write.
        let _ = if self.is_json && !matches!(failure, Failure::Output(_)) {
            Self::line(&event(failure))
        } else {
            let hint = failure.hint().map(|hint| format!("\n{HINT}hint:{HINT:#} {hint}")).unwrap_or_default();
            written(writeln!(anstream::stderr(), "{ERROR}error:{ERROR:#} {}{hint}", printable(&failure.to_string())))
        };
    }

    fn line(event: &Event<'_>) -> Result<(), Failure> {
        let line = serde_json::to_string(event).expect("an event has only strings, numbers and booleans");
        written(writeln!(io::stdout(), "{line}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawing {
    Plain,
    Colored,
}

/// Prints a script as it is.
pub(crate) fn script(script: &[u8]) -> Result<Ending, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(script).and_then(|()| stdout.flush()) {
        // As with `head`, the reader has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::local(format!("cannot write the script: {error}")))
        }
        _ => Ok(Ending::Done),
    }
}

fn event(failure: &Failure) -> Event<'_> {
    let error = failure.error();
    Event::Error {
        error: failure.to_string(),
        hint: failure.hint(),
        may_have_sent: failure.may_have_sent(),
        retryable: error.is_some_and(contiguity::Error::is_retryable),
        status: error.and_then(contiguity::Error::status),
        request_id: error.and_then(contiguity::Error::request_id),
        retry_after: error.and_then(contiguity::Error::retry_after).map(|wait| wait.as_secs()),
    }
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(Failure::Output)
}

/// Text of the service for a terminal: without control characters, which could move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The style of a good result.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();

/// The style of a bad result.
pub(crate) const BAD: Style = AnsiColor::Yellow.on_default().bold();

/// The styles that clap has for its own errors.
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Green.on_default();
