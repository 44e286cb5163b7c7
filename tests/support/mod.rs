//! Shared by the tests on raw sockets: a server that a test controls, and the six operations as values.
//!
//! A [`Server`] listens on a free port of loopback, with or without TLS, and passes every connection to
//! a closure of the test, which reads requests and writes any bytes. It records the complete requests.
//! It stops when it is dropped, with all its threads.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use contiguity::{
    CancelReverseOtp, Client, ClientBuilder, Error, InitiateReverseOtp, NewOtp, ResendOtp, VerifyOtp, VerifyReverseOtp,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// The secrets of every call of these tests.
pub(crate) const KEY: &str = "contiguity_sk_Zx81secretKEY";
/// Not the example number of the crate's own messages.
pub(crate) const NUMBER: &str = "+16505550142";
pub(crate) const CODE: &str = "804315";

/// One of the service's operations, with the fields that all tests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    New,
    Verify,
    Resend,
    Initiate,
    Cancel,
    Status,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] =
        [Self::New, Self::Verify, Self::Resend, Self::Initiate, Self::Cancel, Self::Status];

    /// Reports whether a second call acts twice.
    pub(crate) fn acts(self) -> bool {
        self != Self::Status
    }

    /// Returns the method and path template, as errors name the call.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "POST /otp/new",
            Self::Verify => "POST /otp/verify",
            Self::Resend => "POST /otp/resend",
            Self::Initiate => "POST /otp/reverse/initiate",
            Self::Cancel => "POST /otp/reverse/cancel/{otp_id}",
            Self::Status => "GET /otp/reverse/verify/{otp_id}",
        }
    }

    pub(crate) fn has_body(self) -> bool {
        !matches!(self, Self::Cancel | Self::Status)
    }

    /// Returns the `data` of a good response.
    pub(crate) fn data(self) -> &'static str {
        match self {
            Self::New => r#"{"otp_id":"otp_1"}"#,
            Self::Verify => r#"{"verified":true}"#,
            Self::Resend => r#"{"resent":true}"#,
            Self::Initiate => r#"{"otp_id":"r_otp_1","factor":"1234","to":"+16465550123"}"#,
            Self::Cancel => r#"{"otp_id":"r_otp_1","status":"cancelled"}"#,
            Self::Status => r#"{"otp_id":"r_otp_1","status":"pending"}"#,
        }
    }

    /// Makes the call, and returns the `Debug` of a good response.
    pub(crate) fn call(self, client: &Client) -> Result<String, Error> {
        fn shown<T: std::fmt::Debug>(response: Result<T, Error>) -> Result<String, Error> {
            response.map(|response| format!("{response:?}"))
        }
        match self {
            Self::New => shown(NewOtp::to(NUMBER).language("en").name("MyApp").send(client)),
            Self::Verify => shown(VerifyOtp::otp_id("otp_1").otp(CODE).send(client)),
            Self::Resend => shown(ResendOtp::otp_id("otp_1").send(client)),
            Self::Initiate => shown(InitiateReverseOtp::number(NUMBER).factor("1234").send(client)),
            Self::Cancel => shown(CancelReverseOtp::otp_id("r_otp_1").send(client)),
            Self::Status => shown(VerifyReverseOtp::otp_id("r_otp_1").send(client)),
        }
    }
}

/// Returns the documented envelope of a good response around `data`.
pub(crate) fn envelope(data: &str) -> String {
    format!(
        r#"{{"id":"req_1","timestamp":1785380854155,"api_version":"v2026.7.29","object":"response","data":{data}}}"#
    )
}

/// Returns a complete response with a Content-Length. Each line of `headers` ends with CRLF.
pub(crate) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = head(status, &format!("Content-Length: {}\r\n{headers}", body.len()));
    bytes.extend_from_slice(body);
    bytes
}

/// Returns the head of a response, with only these headers.
pub(crate) fn head(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n{headers}\r\n").into_bytes()
}

/// Returns `body` in chunks of up to `size` bytes.
pub(crate) fn chunked(body: &str, size: usize) -> String {
    let mut chunks = String::new();
    for chunk in body.as_bytes().chunks(size) {
        // Writing to a String cannot fail.
        let _ = write!(chunks, "{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).expect("ASCII"));
    }
    chunks + "0\r\n\r\n"
}

/// A server that a test controls.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    is_tls: bool,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server for http, which passes each connection to `act`, on its own thread.
    pub(crate) fn plain(act: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::start(false, Box::new(act))
    }

    /// Does the same for https, with the certificate that [`Server::client`] trusts. The first read makes
    /// the handshake.
    pub(crate) fn tls(act: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::start(true, Box::new(act))
    }

    /// Starts a server that sends the same response to every request and keeps connections open.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::plain(move |connection| while connection.request().is_some() && connection.send(&bytes) {})
    }

    /// Starts a server for https or http.
    pub(crate) fn speaking(is_tls: bool, act: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::start(is_tls, Box::new(act))
    }

    fn start(is_tls: bool, act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the port that was bound");
        let shared = Arc::new(Shared::default());
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, is_tls, &Arc::from(act), &shared)
        });
        Self { address, is_tls, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.address.port())
    }

    /// Returns the settings of a client for this server.
    pub(crate) fn client(&self) -> ClientBuilder {
        let client = Client::builder(KEY).base_url(self.url());
        if self.is_tls { client.root_certificates(CERTIFICATE) } else { client }
    }

    /// Returns the complete requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// Returns the number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits until this many connections are open.
    #[track_caller]
    pub(crate) fn wait_for_open(&self, count: usize) {
        let mut state = self.shared.state();
        // Long before the server itself gives up on a silent connection.
        let deadline = Instant::now() + PATIENCE / 4;
        while state.open != count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} connections are open, not {count}", state.open);
            state = self.shared.wait(state, left);
        }
    }

    /// Waits until the closure has returned for every connection so far.
    #[track_caller]
    pub(crate) fn settle(&self) {
        // Connections are accepted in order: once this one is, all earlier ones are.
        let mut state = self.shared.state();
        let mark = TcpStream::connect(self.address).expect("the server listens");
        let mark = mark.local_addr().expect("a connected socket");
        state.marks.insert(mark);
        let deadline = Instant::now() + PATIENCE;
        while state.marks.contains(&mark) || state.open > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the server is still busy with {} connections", state.open);
            state = self.shared.wait(state, left);
        }
        assert!(!state.panicked, "a connection's closure panicked");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_stopping = true;
        for socket in state.sockets.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(state);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let mut state = self.shared.state();
        let deadline = Instant::now() + PATIENCE;
        while state.open > 0 && Instant::now() < deadline {
            state = self.shared.wait(state, PATIENCE);
        }
        if !thread::panicking() {
            assert!(state.open == 0, "a connection is still open");
            assert!(!state.panicked, "a connection's closure panicked");
        }
    }
}

type Act = Box<dyn Fn(&mut Connection) + Send + Sync>;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    connections: usize,
    /// The number of connections whose closure runs, and their sockets.
    open: usize,
    sockets: HashMap<usize, TcpStream>,
    /// The addresses of connections that only wait for the server.
    marks: HashSet<SocketAddr>,
    is_stopping: bool,
    panicked: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }
}

fn accept(listener: &TcpListener, is_tls: bool, act: &Arc<Act>, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        let Ok(socket) = socket else { continue };
        let mut state = shared.state();
        if state.is_stopping {
            return;
        }
        if socket.peer_addr().is_ok_and(|peer| state.marks.remove(&peer)) {
            shared.changed.notify_all();
            continue;
        }
        state.connections += 1;
        state.open += 1;
        shared.changed.notify_all();
        let id = state.connections;
        if let Ok(socket) = socket.try_clone() {
            state.sockets.insert(id, socket);
        }
        drop(state);
        let (act, shared) = (Arc::clone(act), Arc::clone(shared));
        thread::spawn(move || {
            let done = Done { shared: Arc::clone(&shared), id };
            act(&mut Connection::new(socket, is_tls, shared));
            drop(done);
        });
    }
}

/// Records the end of a connection, even if its closure panicked.
struct Done {
    shared: Arc<Shared>,
    id: usize,
}

impl Drop for Done {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.open -= 1;
        state.sockets.remove(&self.id);
        state.panicked |= thread::panicking();
        self.shared.changed.notify_all();
    }
}

/// A complete request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a length"))
        });
        let end = head_end + length.unwrap_or(0);
        let body = bytes.get(head_end..end)?.to_vec();
        Some((Self { head, body }, end))
    }
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN, as when a process exits.
    Close,
    /// RST, as when a machine in between drops the connection.
    Reset,
}

/// The server's end of a connection.
pub(crate) struct Connection {
    stream: Stream,
    received: Vec<u8>,
    shared: Arc<Shared>,
}

enum Stream {
    Plain(Wire),
    Tls(Box<StreamOwned<ServerConnection, Wire>>),
}

impl Connection {
    fn new(socket: TcpStream, is_tls: bool, shared: Arc<Shared>) -> Self {
        let _ = socket.set_nodelay(true);
        let _ = socket.set_read_timeout(Some(PATIENCE));
        let _ = socket.set_write_timeout(Some(PATIENCE));
        let most = usize::MAX;
        let wire = Wire { socket, read: 0, written: 0, most_read: most, most_written: most, record_left: None };
        let stream = if is_tls { Stream::Tls(Box::new(tls_over(wire))) } else { Stream::Plain(wire) };
        Self { stream, received: Vec::new(), shared }
    }

    /// Returns the next request once it is complete, or `None` if it is cut.
    pub(crate) fn request(&mut self) -> Option<Request> {
        loop {
            if let Some((request, end)) = Request::parse(&self.received) {
                self.received.drain(..end);
                self.shared.state().requests.push(request.clone());
                return Some(request);
            }
            let mut buffer = [0; 4096];
            let count = match &mut self.stream {
                Stream::Plain(wire) => wire.read(&mut buffer),
                // Bytes before an error may complete the request.
                Stream::Tls(stream) => stream.read(&mut buffer).or_else(|_| stream.conn.reader().read(&mut buffer)),
            };
            match count {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Makes the TLS handshake, and reads nothing after it.
    pub(crate) fn shake_hands(&mut self) -> bool {
        let Stream::Tls(stream) = &mut self.stream else { return true };
        stream.sock.record_left = Some(0);
        let mut result = Ok(());
        while result.is_ok() && (stream.conn.is_handshaking() || stream.conn.wants_write()) {
            result = stream.conn.complete_io(&mut stream.sock).map(drop);
        }
        stream.sock.record_left = None;
        result.is_ok()
    }

    /// Sends bytes, and reports whether all were written.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        match &mut self.stream {
            Stream::Plain(wire) => wire.write_all(bytes).is_ok(),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()).is_ok(),
        }
    }

    /// The bytes on the wire that carry `parts`, each part in TLS records of its own. On a plain connection, the parts.
    pub(crate) fn encode(&mut self, parts: &[&[u8]]) -> Vec<u8> {
        match &mut self.stream {
            Stream::Plain(_) => parts.concat(),
            Stream::Tls(stream) => {
                let mut bytes = Vec::new();
                // Records wait in the session until they are written, up to a limit.
                stream.conn.set_buffer_limit(None);
                for part in parts {
                    stream.conn.writer().write_all(part).expect("room in the session");
                }
                while stream.conn.wants_write() {
                    stream.conn.write_tls(&mut bytes).expect("a write to memory");
                }
                bytes
            }
        }
    }

    /// Sends what [`encode`](Self::encode) returned in a single write, and returns whether all of it was sent.
    pub(crate) fn send_encoded(&mut self, bytes: &[u8]) -> bool {
        self.wire_mut().write_all(bytes).is_ok()
    }

    /// Returns whether the TLS session continues an earlier one. `None` on a plain connection and before the handshake.
    pub(crate) fn is_resumed(&self) -> Option<bool> {
        let Stream::Tls(stream) = &self.stream else { return None };
        stream.conn.handshake_kind().map(|kind| kind == HandshakeKind::Resumed)
    }

    /// Sends TLS's `close_notify`, and nothing on a plain connection.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        match &mut self.stream {
            Stream::Plain(_) => true,
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().is_ok()
            }
        }
    }

    /// Limits the bytes that are read and written on the wire from now on. More is an error.
    pub(crate) fn limit(&mut self, most_read: usize, most_written: usize) {
        let wire = self.wire_mut();
        (wire.most_read, wire.most_written) = (most_read, most_written);
        (wire.read, wire.written) = (0, 0);
    }

    /// Returns the bytes read and written on the wire since the start or the last [`limit`](Self::limit).
    pub(crate) fn traffic(&mut self) -> (usize, usize) {
        let wire = self.wire_mut();
        (wire.read, wire.written)
    }

    /// Ends the connection. [`Ending::Close`] returns the socket, since dropping it with unread bytes
    /// would reset the connection.
    pub(crate) fn end(&mut self, ending: Ending) -> Option<TcpStream> {
        let socket = &self.wire_mut().socket;
        match ending {
            Ending::Close => {
                let _ = socket.shutdown(Shutdown::Write);
                socket.try_clone().ok()
            }
            Ending::Reset => {
                let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
                None
            }
        }
    }

    /// Reads and drops everything until the client is gone.
    pub(crate) fn wait_for_the_end(&mut self) {
        let mut buffer = [0; 4096];
        while matches!(self.wire_mut().socket.read(&mut buffer), Ok(1..)) {}
    }

    fn wire_mut(&mut self) -> &mut Wire {
        match &mut self.stream {
            Stream::Plain(wire) => wire,
            Stream::Tls(stream) => &mut stream.sock,
        }
    }
}

/// A socket that counts its bytes and fails beyond a limit.
struct Wire {
    socket: TcpStream,
    read: usize,
    written: usize,
    most_read: usize,
    most_written: usize,
    /// The bytes left of a TLS record that is read separately.
    record_left: Option<usize>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(self.most_read - self.read);
        if room == 0 {
            return Err(io::Error::other("cut here"));
        }
        if let Some(left) = &mut self.record_left {
            // A record begins with five bytes. The last two are its length (RFC 8446 §5.1).
            if *left == 0 {
                self.socket.read_exact(&mut buffer[..5])?;
                *left = usize::from(u16::from_be_bytes([buffer[3], buffer[4]]));
                self.read += 5;
                return Ok(5);
            }
            let count = self.socket.read(&mut buffer[..room.min(*left)])?;
            *left -= count;
            self.read += count;
            return Ok(count);
        }
        let count = self.socket.read(&mut buffer[..room])?;
        self.read += count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = bytes.len().min(self.most_written - self.written);
        if room == 0 {
            return Err(io::Error::other("cut here"));
        }
        let count = self.socket.write(&bytes[..room])?;
        self.written += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// The certificate of every TLS server here, in PEM.
pub(crate) fn certificate() -> &'static str {
    CERTIFICATE
}

/// A TLS session with that certificate on top of any stream, such as another session.
pub(crate) fn tls_over<T: Read + Write>(stream: T) -> StreamOwned<ServerConnection, T> {
    let connection = ServerConnection::new(Arc::clone(&TLS_CONFIG)).expect("a good configuration");
    StreamOwned::new(connection, stream)
}

/// The server's certificate for `localhost` and 127.0.0.1. It is self-signed and valid until 2126. Its
/// key beside it protects nothing but these tests.
const CERTIFICATE: &str = include_str!("localhost.pem");
const KEY_OF_CERTIFICATE: &str = include_str!("localhost.key.pem");

static TLS_CONFIG: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY_OF_CERTIFICATE.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring supports")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key that fits");
    Arc::new(config)
});

/// Longer than anything here takes on a slow machine. Only a bug takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
