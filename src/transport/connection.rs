//! Connections that keep to the limits of the call using them.
//!
//! ureq pools connections and gives each step of a call its time. Three promises of this crate need
//! more than that, and each is one small layer here:
//!
//! - **No response answers another call.** ureq reuses a connection if its own buffer is empty and
//!   the socket has nothing to read. A second response can hide between the two: as ciphertext that
//!   was read from the socket, inside the TLS library, or as plaintext that found no room in ureq's
//!   buffer. [`Records`] hands the TLS library one record at a time, so that whatever arrived after
//!   a response is still there to be seen. [`Connection`] notices a full buffer.
//! - **No call outlasts its timeout.** ureq gives every step of a CONNECT handshake the whole time
//!   for connecting: looking up the proxy's name, connecting to it, and each read of its response.
//!   [`Connect`] notes when that time is over, and no [`Connection`] reads or writes beyond it.
//! - **A call that acts needs a fresh connection.** A status read can be retried and may use an
//!   older one. Only the pool knows a connection's age, and only the call knows what it does.
//!   [`Connection::is_open`] brings the two together.
//!
//! What a call allows its connections is kept per thread ([`Scope`]), since ureq has no place for
//! it. ureq runs all of a call on the thread that makes it.
//!
//! This file uses `ureq::unversioned`, which may change in any minor release of ureq. If it does, `tests/keeps_up_with_ureq.rs` does not compile either.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant as UreqInstant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, TcpConnector, Transport,
};
use ureq::{Agent, Error};

use super::proxy::ProxyConnector;
use super::resolver::RememberingResolver;

/// Creates an agent whose connections keep to the [`Scope`] of each call.
pub(super) fn agent(config: Config, resolver: RememberingResolver) -> Agent {
    let chain = ().chain(ProxyConnector::default()).chain(TcpConnector::default()).chain(SplitRecords);
    #[cfg(feature = "rustls")]
    let chain = chain.chain(ureq::unversioned::transport::RustlsConnector::default());
    #[cfg(feature = "native-tls")]
    let chain = chain.chain(ureq::unversioned::transport::NativeTlsConnector::default());
    Agent::with_parts(config, Connect { chain }, resolver)
}

/// What a call allows its connections, for as long as this value exists. It holds on the current
/// thread.
pub(super) struct Scope {
    /// The limits of an outer call, if a logger makes calls of its own.
    outer: Limits,
}

impl Scope {
    /// Begins a call that ends at `deadline` and reuses no connection that was idle for longer than
    /// `max_idle`.
    pub(super) fn enter(deadline: Option<Instant>, max_idle: Duration) -> Self {
        Self { outer: LIMITS.replace(Limits { deadline, max_idle, ..Limits::NONE }) }
    }

    /// Returns whether the host, or the proxy in front of it, accepted a new connection.
    #[expect(clippy::unused_self, reason = "only a call that has begun can have connected")]
    pub(super) fn has_connected(&self) -> bool {
        LIMITS.get().has_connected
    }

    /// Returns whether anything of the request may have been written. What a proxy or a TLS
    /// handshake needs does not count.
    #[expect(clippy::unused_self, reason = "only a call that has begun can have sent anything")]
    pub(super) fn has_sent(&self) -> bool {
        LIMITS.get().has_sent
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        LIMITS.set(self.outer);
    }
}

thread_local! {
    static LIMITS: Cell<Limits> = const { Cell::new(Limits::NONE) };
}

#[derive(Clone, Copy)]
struct Limits {
    /// `None` for a time too far away for the clock.
    deadline: Option<Instant>,
    max_idle: Duration,
    is_connecting: bool,
    has_connected: bool,
    has_sent: bool,
}

impl Limits {
    const NONE: Self =
        Self { deadline: None, max_idle: Duration::MAX, is_connecting: false, has_connected: false, has_sent: false };

    /// Shortens `timeout` to end at the deadline.
    fn cap(self, timeout: NextTimeout) -> Result<NextTimeout, Error> {
        let Some(deadline) = self.deadline else { return Ok(timeout) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        Ok(NextTimeout { after: timeout.after.min(left.into()), ..timeout })
    }
}

/// The time in which a connection is made. Ends with this value.
struct Connecting {
    before: Limits,
}

impl Drop for Connecting {
    fn drop(&mut self) {
        LIMITS.set(Limits { has_connected: LIMITS.get().has_connected, ..self.before });
    }
}

/// The connector of a whole chain. For a proxy, ureq runs it twice: for the service, and within
/// that for the proxy.
#[derive(Debug)]
struct Connect<C> {
    chain: C,
}

impl<C: Connector> Connector for Connect<C> {
    type Out = Connection<C::Out>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        let limits = LIMITS.get();
        let deadline = match (details.now, details.timeout.after) {
            (UreqInstant::Exact(began), UreqDuration::Exact(time)) => began.checked_add(time),
            _ => None,
        };
        let deadline = limits.deadline.into_iter().chain(deadline).min();
        let connecting = Limits { deadline, is_connecting: true, ..limits };
        // Ends with this function, however it ends.
        let _phase = Connecting { before: LIMITS.replace(connecting) };
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            // Every call of a client has the same TLS settings, but ureq keeps only what it made
            // for the settings of the agent. Without this, calls with another timeout would load
            // the roots again and never resume a session.
            request_level: false,
            resolver: details.resolver,
            now: (details.current_time)(),
            timeout: connecting.cap(details.timeout)?,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let inner = self.chain.connect(&details, chained)?;
        Ok(inner.map(|inner| Connection { inner, used_at: Instant::now(), is_full: false }))
    }
}

/// A connection to the service or to a proxy.
#[derive(Debug)]
struct Connection<T> {
    inner: T,
    used_at: Instant,
    /// Whether the last read filled the input buffer. The TLS library may then have more.
    is_full: bool,
}

impl<T: Transport> Transport for Connection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limits = LIMITS.get();
        let timeout = limits.cap(timeout)?;
        LIMITS.set(Limits { has_sent: limits.has_sent || !limits.is_connecting, ..limits });
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = LIMITS.get().cap(timeout)?;
        let has_more = self.inner.await_input(timeout)?;
        self.used_at = Instant::now();
        self.is_full = self.inner.buffers().input_append_buf().is_empty();
        Ok(has_more)
    }

    /// Returns whether this call may use the connection. The pool asks when it takes the connection
    /// back, and again before it gives it to another call.
    fn is_open(&mut self) -> bool {
        !self.is_full
            && self.used_at.elapsed() <= LIMITS.get().max_idle
            && self.inner.buffers().input().is_empty()
            && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Puts [`Records`] under the TLS library.
#[derive(Debug)]
struct SplitRecords;

impl<In: Transport> Connector<In> for SplitRecords {
    type Out = Either<In, Records<In>>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| {
            // The connector before this one has connected.
            LIMITS.set(Limits { has_connected: true, ..LIMITS.get() });
            if !details.needs_tls() || inner.is_tls() {
                return Either::A(inner);
            }
            // Output goes through the buffer below as well.
            let output = details.config.output_buffer_size().min(MAX_RECORD);
            let buffers = LazyBuffers::new(MAX_RECORD, output);
            Either::B(Records { inner, buffers, position: Position::default() })
        }))
    }
}

/// Hands on what arrives one TLS record at a time.
///
/// A TLS library asks for more only if it has nothing to give. After the last record of a response,
/// the next record is therefore still here or in the socket, and never in the library, however far
/// ahead the library would read.
struct Records<T> {
    inner: T,
    /// What the TLS library was given. It takes all of it before it asks for more.
    buffers: LazyBuffers,
    position: Position,
}

impl<T: Transport> Transport for Records<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.buffers().output()[..amount].copy_from_slice(&self.buffers.output()[..amount]);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if self.inner.buffers().input().is_empty() {
            self.inner.await_input(timeout)?;
        }
        let arrived = self.inner.buffers();
        let room = self.buffers.input_append_buf();
        let most = arrived.input().len().min(room.len());
        let count = self.position.advance(&arrived.input()[..most]);
        room[..count].copy_from_slice(&arrived.input()[..count]);
        arrived.input_consume(count);
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.inner.buffers().input().is_empty() && self.inner.is_open()
    }
}

/// How much of the current TLS record was handed on.
#[derive(Default)]
struct Position {
    head: [u8; HEAD],
    head_length: usize,
    content_left: usize,
}

impl Position {
    /// Moves on by those of `bytes` that belong to the current record, and returns how many they
    /// are.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let head = bytes.len().min(HEAD - self.head_length);
        self.head[self.head_length..][..head].copy_from_slice(&bytes[..head]);
        self.head_length += head;
        if self.head_length < HEAD {
            return head;
        }
        if head > 0 {
            // The last two bytes of the head are the length of the content (RFC 8446 §5.1).
            self.content_left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
        }
        let content = (bytes.len() - head).min(self.content_left);
        self.content_left -= content;
        if self.content_left == 0 {
            self.head_length = 0;
        }
        head + content
    }
}

impl<T: fmt::Debug> fmt::Debug for Records<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Records").field(&self.inner).finish()
    }
}

/// Bytes of a TLS record's head.
const HEAD: usize = 5;

/// Bytes of the longest TLS record (RFC 5246 §6.2.3; TLS 1.3 allows fewer).
const MAX_RECORD: usize = HEAD + (1 << 14) + 2048;
