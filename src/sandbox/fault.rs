//! Faults: what the sandbox does wrong on purpose, once each.

use std::time::Duration;

/// Something that goes wrong with one API request, queued with
/// [`Sandbox::fail_next`](crate::sandbox::Sandbox::fail_next).
///
/// The service either acted on the request or it did not, and the answer does not always tell. That difference is what
/// makes a client send a second text, so every fault says on which side it is:
///
/// | fault | the service acts | what the client gets |
/// |---|---|---|
/// | [`Fault::status`] | no | that status, in the service's error envelope |
/// | [`Fault::status`] with [`after_acting`](StatusFault::after_acting) | yes | the same |
/// | [`Fault::delay`] | yes | the true answer, late |
/// | [`Fault::drop_before`] | no | a closed connection, without a byte of answer |
/// | [`Fault::drop_after`] | yes | the same |
/// | [`Fault::half`] | yes | the head and half of the true answer, then a closed connection |
/// | [`Fault::garbage`] | yes | 200 with the HTML page of a gateway |
///
/// # Examples
///
/// ```
/// use contiguity::NewOtp;
/// use contiguity::sandbox::{Fault, Sandbox};
///
/// let sandbox = Sandbox::start()?;
/// let client = sandbox.client();
///
/// sandbox.fail_next(Fault::drop_after());
/// let lost = NewOtp::to("+14155552671").language("en").name("MyApp").send(&client);
///
/// assert!(lost.is_err());
/// assert_eq!(sandbox.deliveries("+14155552671"), 1); // the answer was lost, the text was not
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a fault does nothing until `Sandbox::fail_next` queues it"]
pub struct Fault {
    pub(super) kind: FaultKind,
}

impl Fault {
    /// Answers with `status` in the service's error envelope, and does not act. The statuses 204, 205 and 304 come
    /// without a body.
    ///
    /// [`after_acting`](StatusFault::after_acting) makes the service act first;
    /// [`retry_after`](StatusFault::retry_after) adds a `Retry-After`. Only a status has those two, hence the type of
    /// its own; [`Sandbox::fail_next`](crate::sandbox::Sandbox::fail_next) takes both types.
    ///
    /// # Panics
    ///
    /// If `status` is not from 200 to 599: no other is a final answer of HTTP (RFC 9110 §15).
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// sandbox.fail_next(Fault::status(403));
    ///
    /// let refused = NewOtp::to("+14155552671").language("en").name("MyApp").send(&sandbox.client());
    /// assert_eq!(refused.unwrap_err().status(), Some(403));
    /// assert_eq!(sandbox.deliveries("+14155552671"), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn status(status: u16) -> StatusFault {
        match StatusFault::checked(status) {
            Some(fault) => fault,
            None => panic!("{}", StatusFault::RANGE),
        }
    }

    /// Acts, then answers late by `delay`, in real time.
    pub fn delay(delay: Duration) -> Self {
        FaultKind::Delay(delay).into()
    }

    /// Reads the request, does not act, and closes the connection without a byte of answer.
    pub fn drop_before() -> Self {
        FaultKind::DropBefore.into()
    }

    /// Acts, then closes the connection without a byte of answer.
    pub fn drop_after() -> Self {
        FaultKind::DropAfter.into()
    }

    /// Acts, then sends the whole head, with the `Content-Length` of the whole answer, and half of the body, and closes
    /// the connection.
    pub fn half() -> Self {
        FaultKind::Half.into()
    }

    /// Acts, then answers 200 with the HTML page of a gateway.
    pub fn garbage() -> Self {
        FaultKind::Garbage.into()
    }
}

/// A [`Fault`] that is a status, with what only a status can have. Made by [`Fault::status`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use contiguity::sandbox::{Fault, Sandbox};
///
/// let sandbox = Sandbox::start()?;
/// sandbox.fail_next(Fault::status(502).after_acting());
/// sandbox.fail_next(Fault::status(429).retry_after(Duration::from_secs(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a fault does nothing until `Sandbox::fail_next` queues it"]
pub struct StatusFault {
    status: u16,
    after_acting: bool,
    retry_after: Option<Duration>,
}

impl StatusFault {
    /// Makes the service act on the request before it answers with the status, as a gateway does that loses the answer
    /// of the service behind it. Off by default.
    pub fn after_acting(mut self) -> Self {
        self.after_acting = true;
        self
    }

    /// Adds the header `Retry-After`, in whole seconds, rounded up. None by default.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(super) const RANGE: &'static str = "the status of a fault is a number from 200 to 599";

    pub(super) fn checked(status: u16) -> Option<Self> {
        (200..=599).contains(&status).then_some(Self { status, after_acting: false, retry_after: None })
    }
}

impl From<StatusFault> for Fault {
    fn from(StatusFault { status, after_acting, retry_after }: StatusFault) -> Self {
        FaultKind::Status { status, after_acting, retry_after }.into()
    }
}

#[derive(Debug, Clone)]
pub(super) enum FaultKind {
    Status { status: u16, after_acting: bool, retry_after: Option<Duration> },
    Delay(Duration),
    DropBefore,
    DropAfter,
    Half,
    Garbage,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind }
    }
}
