//! Injected faults: how a request to the sandbox is made to fail.

use std::time::Duration;

/// A failure of one API request, queued with
/// [`Sandbox::fail_next`](crate::sandbox::Sandbox::fail_next).
///
/// The sandbox either acts on the request (it sends the text) or it does not, and the response does
/// not always show which. A client that then tries again may send a second text. So each fault defines
/// whether the sandbox acts:
///
/// | fault | acts | what the client receives |
/// |---|---|---|
/// | [`Fault::status`] | no | that status, in the service's error envelope |
/// | [`Fault::status`] with [`after_acting`](StatusFault::after_acting) | yes | the same |
/// | [`Fault::delay`] | yes | the normal response, late |
/// | [`Fault::drop_before`] | no | no response: the connection is closed |
/// | [`Fault::drop_after`] | yes | no response: the connection is closed |
/// | [`Fault::half`] | yes | the head and half of the body, then the connection is closed |
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
/// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
/// let result = request.send(&client);
///
/// assert!(result.unwrap_err().may_have_sent());
/// assert_eq!(sandbox.deliveries("+14155552671"), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a fault does nothing until `Sandbox::fail_next` queues it"]
pub struct Fault {
    pub(super) kind: FaultKind,
}

impl Fault {
    /// Responds with `status` in the service's error envelope, without acting.
    ///
    /// Use [`after_acting`](StatusFault::after_acting) to act first, and
    /// [`retry_after`](StatusFault::retry_after) to add a `Retry-After` header. The statuses 204,
    /// 205 and 304 have no body.
    ///
    /// # Panics
    ///
    /// Panics if `status` is not from 200 to 599.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_next(Fault::status(403));
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert_eq!(result.unwrap_err().status(), Some(403));
    /// assert_eq!(sandbox.deliveries("+14155552671"), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn status(status: u16) -> StatusFault {
        StatusFault::checked(status).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Acts, and delays the response by `delay` in real time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client().with_timeout(Duration::from_millis(200));
    /// sandbox.fail_next(Fault::delay(Duration::from_secs(60)));
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert!(result.unwrap_err().is_timeout());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delay(delay: Duration) -> Self {
        Self { kind: FaultKind::Delay(delay) }
    }

    /// Reads the request and closes the connection, without acting or responding.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_next(Fault::drop_before());
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert!(result.is_err());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_before() -> Self {
        Self { kind: FaultKind::DropBefore }
    }

    /// Acts, and closes the connection without responding.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_next(Fault::drop_after());
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert!(result.is_err());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_after() -> Self {
        Self { kind: FaultKind::DropAfter }
    }

    /// Acts, sends the head and half of the body, and closes the connection.
    ///
    /// `Content-Length` is that of the whole body.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_next(Fault::half());
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert!(result.is_err());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn half() -> Self {
        Self { kind: FaultKind::Half }
    }

    /// Acts, and responds with status 200 and the HTML page of a gateway.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_next(Fault::garbage());
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert!(result.is_err());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn garbage() -> Self {
        Self { kind: FaultKind::Garbage }
    }
}

/// A [`Fault`] that responds with a status. Created by [`Fault::status`].
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
    pub(super) status: u16,
    pub(super) after_acting: bool,
    pub(super) retry_after: Option<Duration>,
}

impl StatusFault {
    /// Acts on the request before responding with the status, as if a gateway lost the service's
    /// response.
    ///
    /// Defaults to not acting.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_next(Fault::status(502).after_acting());
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert!(result.unwrap_err().may_have_sent());
    /// assert_eq!(sandbox.deliveries("+14155552671"), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after_acting(mut self) -> Self {
        self.after_acting = true;
        self
    }

    /// Adds a `Retry-After` header, in whole seconds, rounded up.
    ///
    /// Defaults to no such header.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// let an_hour = Duration::from_secs(60 * 60);
    /// sandbox.fail_next(Fault::status(429).retry_after(an_hour));
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let result = request.send(&client);
    /// assert_eq!(result.unwrap_err().retry_after(), Some(an_hour));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(super) fn checked(status: u16) -> Result<Self, &'static str> {
        let fault = Self { status, after_acting: false, retry_after: None };
        if (200..=599).contains(&status) { Ok(fault) } else { Err("the status of a fault must be from 200 to 599") }
    }
}

impl From<StatusFault> for Fault {
    fn from(fault: StatusFault) -> Self {
        Self { kind: FaultKind::Status(fault) }
    }
}

#[derive(Debug, Clone)]
pub(super) enum FaultKind {
    Status(StatusFault),
    Delay(Duration),
    DropBefore,
    DropAfter,
    Half,
    Garbage,
}
