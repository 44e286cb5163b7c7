//! Injected faults: how requests to the sandbox are made to fail.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::phone::PhoneNumber;
use crate::validate::Input;

/// A failure of API requests, injected with
/// [`Sandbox::fail_next`](crate::sandbox::Sandbox::fail_next),
/// [`fail_times`](crate::sandbox::Sandbox::fail_times) or
/// [`fail_always`](crate::sandbox::Sandbox::fail_always).
///
/// A fault affects all API requests, unless [`on`](Fault::on) or [`for_number`](Fault::for_number)
/// selects some.
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
#[must_use = "a fault does nothing until it is passed to a method such as `Sandbox::fail_next`"]
pub struct Fault {
    pub(super) kind: FaultKind,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) number: Option<PhoneNumber>,
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
        match StatusFault::checked(status) {
            Ok(fault) => fault,
            Err(problem) => panic!("{problem}"),
        }
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
        Self::new(FaultKind::Delay(delay))
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
        Self::new(FaultKind::DropBefore)
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
        Self::new(FaultKind::DropAfter)
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
        Self::new(FaultKind::Half)
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
        Self::new(FaultKind::Garbage)
    }

    /// Limits the fault to requests to one endpoint.
    ///
    /// Defaults to all endpoints.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Endpoint, Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_always(Fault::drop_before().on(Endpoint::Verify));
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// let sent = request.send(&client)?;
    /// assert!(sent.verify("123456").send(&client).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on(self, endpoint: Endpoint) -> Self {
        Self { endpoint: Some(endpoint), ..self }
    }

    /// Limits the fault to requests about one phone number: those that name it, and those that name
    /// an id of its codes or sessions.
    ///
    /// Defaults to all numbers.
    ///
    /// # Panics
    ///
    /// Panics if the number is not in E.164, such as `+14155552671`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::NewOtp;
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// let client = sandbox.client();
    /// sandbox.fail_always(Fault::status(500).for_number("+14155552671"));
    ///
    /// let request = NewOtp::to("+14155552671").language("en").name("MyApp");
    /// assert_eq!(request.send(&client).unwrap_err().status(), Some(500));
    /// let request = NewOtp::to("+442071838750").language("en").name("MyApp");
    /// assert!(request.send(&client).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn for_number(self, number: impl Into<Input<PhoneNumber>>) -> Self {
        Self { number: Some(number.into().expect_valid("phone number")), ..self }
    }

    pub(super) fn new(kind: FaultKind) -> Self {
        Self { kind, endpoint: None, number: None }
    }

    fn affects(&self, target: Target) -> bool {
        (self.endpoint.is_none() || self.endpoint == target.endpoint)
            && (self.number.is_none() || self.number == target.number)
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
#[must_use = "a fault does nothing until it is passed to a method such as `Sandbox::fail_next`"]
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
    /// The header is left out by default.
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

    /// Limits the fault to requests to one endpoint, as [`Fault::on`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::{Endpoint, Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// sandbox.fail_next(Fault::status(502).after_acting().on(Endpoint::Resend));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on(self, endpoint: Endpoint) -> Fault {
        Fault::from(self).on(endpoint)
    }

    /// Limits the fault to requests about one phone number, as [`Fault::for_number`] does.
    ///
    /// # Panics
    ///
    /// Panics if the number is not in E.164, such as `+14155552671`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::start()?;
    /// sandbox.fail_always(Fault::status(403).for_number("+14155552671"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn for_number(self, number: impl Into<Input<PhoneNumber>>) -> Fault {
        Fault::from(self).for_number(number)
    }

    pub(super) fn checked(status: u16) -> Result<Self, &'static str> {
        let fault = Self { status, after_acting: false, retry_after: None };
        if (200..=599).contains(&status) { Ok(fault) } else { Err("the status of a fault must be from 200 to 599") }
    }
}

impl From<StatusFault> for Fault {
    fn from(fault: StatusFault) -> Self {
        Self::new(FaultKind::Status(fault))
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

impl FaultKind {
    /// The name in the control calls.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Delay(_) => "delay",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::Half => "half",
            Self::Garbage => "garbage",
        }
    }
}

/// An endpoint of the API, for [`Fault::on`].
///
/// # Examples
///
/// ```
/// use contiguity::sandbox::{Endpoint, Fault, Sandbox};
///
/// let sandbox = Sandbox::start()?;
/// sandbox.fail_next(Fault::half().on(Endpoint::Status));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /otp/new`
    New,
    /// `POST /otp/verify`
    Verify,
    /// `POST /otp/resend`
    Resend,
    /// `POST /otp/reverse/initiate`
    Initiate,
    /// `GET /otp/reverse/verify/{otp_id}`
    Status,
    /// `POST /otp/reverse/cancel/{otp_id}`
    Cancel,
}

/// What a request is about, as far as the sandbox can tell.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) endpoint: Option<Endpoint>,
    pub(super) number: Option<PhoneNumber>,
}

/// The faults of a sandbox.
#[derive(Default)]
pub(super) struct Faults {
    /// Each with the number of requests that it still affects, which is not 0.
    pub(super) queued: VecDeque<(Fault, u32)>,
    /// Those that affect requests until they are removed.
    pub(super) standing: Vec<Fault>,
}

impl Faults {
    pub(super) fn queue(&mut self, fault: Fault, times: u32) {
        if times > 0 {
            self.queued.push_back((fault, times));
        }
    }

    /// Takes the fault of a request: the first queued one that affects it, else the latest standing
    /// one.
    pub(super) fn take(&mut self, target: Target) -> Option<FaultKind> {
        if let Some(index) = self.queued.iter().position(|(fault, _)| fault.affects(target)) {
            let (fault, times) = &mut self.queued[index];
            *times -= 1;
            let kind = fault.kind.clone();
            if *times == 0 {
                self.queued.remove(index);
            }
            return Some(kind);
        }
        self.standing.iter().rfind(|fault| fault.affects(target)).map(|fault| fault.kind.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.queued.len() + self.standing.len()
    }
}
