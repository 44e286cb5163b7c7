//! How a command ends: the exit statuses, and what a failure means for the person at the phone.

use std::fmt;
use std::io;
use std::process::ExitCode;

use contiguity::{Error, IssueKind};

/// A command that did what it was asked to do, or learned that the person is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Verified, sent or done.
    Done,
    /// The person is not verified.
    NotVerified,
    /// The service certainly did not send anything.
    NotSent,
    /// Ctrl-C or a signal to terminate.
    Interrupted(u8),
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::NotSent => NOT_SENT,
            Ending::NotVerified => 3,
            Ending::Interrupted(status) => status,
        })
    }
}

/// A command that failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A call of the service.
    Call { error: Error, act: Act },
    /// A problem of this machine. Nothing was sent.
    Local { message: String, hint: Option<&'static str> },
    /// Arguments that are wrong whatever the person does.
    Usage(String),
    /// The call succeeded, and its result could not be written.
    Output(io::Error),
}

/// What a call does if the service acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    SendText,
    CheckCode,
    OpenSession,
    CancelSession,
    /// Reads a status, which changes nothing.
    Read,
}

impl Act {
    /// Makes a failure of an error.
    pub(crate) fn failed(self, error: Error) -> Failure {
        Failure::Call { error, act: self }
    }
}

impl Failure {
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::Local { message: message.into(), hint: None }
    }

    /// Reports whether the service may have acted on the call.
    pub(crate) fn may_have_sent(&self) -> bool {
        match self {
            Self::Call { act: Act::Read, .. } | Self::Local { .. } | Self::Usage(_) => false,
            Self::Call { error, .. } => error.may_have_sent(),
            Self::Output(_) => true,
        }
    }

    /// Returns the error of the service or of the client.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self {
            Self::Call { error, .. } => Some(error),
            Self::Local { .. } | Self::Usage(_) | Self::Output(_) => None,
        }
    }

    /// Returns what to do, if the message does not say it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let (error, act) = match self {
            Self::Call { error, act } => (error, *act),
            Self::Local { hint, .. } => return *hint,
            Self::Usage(_) => return None,
            Self::Output(_) => return Some("the command itself succeeded, so do not run it again"),
        };
        if self.may_have_sent() {
            return Some(match act {
                Act::SendText => "a text may have been sent, so check the phone before you run this again",
                Act::CheckCode => "the code may have been used, so do not check it again",
                Act::OpenSession => "a session may have been opened; it expires by itself",
                Act::CancelSession | Act::Read => "see the state of the session with `contiguity reverse status`",
            });
        }
        match error {
            Error::Validation(error) if error.issues().iter().any(is_number_as_typed) => {
                Some("to use a number as people write it, add the region, such as --region US")
            }
            _ => None,
        }
    }
}

/// Whether this is a number that can be read with a region.
fn is_number_as_typed(issue: &contiguity::Issue) -> bool {
    matches!(issue.field, "to" | "number") && matches!(issue.kind, IssueKind::Format | IssueKind::Character)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { error, .. } => error.fmt(f),
            Self::Local { message, .. } | Self::Usage(message) => f.write_str(message),
            Self::Output(error) => write!(f, "cannot write the result: {error}"),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(match failure {
            Failure::Usage(_) => WRONG_USAGE,
            failure if failure.may_have_sent() => MAY_HAVE_SENT,
            _ => NOT_SENT,
        })
    }
}

/// Refused or failed, and certainly not sent.
const NOT_SENT: u8 = 1;

/// The same as clap's.
const WRONG_USAGE: u8 = 2;

/// A text may have been sent, or a code used: a retry could do it twice.
const MAY_HAVE_SENT: u8 = 4;
