//! What the tests on raw sockets share: a server that does exactly what it is told, and the six operations as values.
//!
//! A [`Server`] listens on a free port of loopback, plain or with TLS, and hands every connection to the test's own closure,
//! which reads requests and writes bytes as it likes. It counts what arrived whole. It stops when it is dropped, and its
//! threads with it.

#![allow(dead_code, reason = "every test file uses a part of this, and none uses all")]

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
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// Secrets that every call of these tests carries.
pub(crate) const KEY: &str = "contiguity_sk_Zx81secretKEY";
/// Not the number that the crate's own messages give as an example.
pub(crate) const NUMBER: &str = "+16505550142";
pub(crate) const CODE: &str = "804315";

/// One of the service's operations, to be called with the fields that all tests use.
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

    /// Whether doing it twice acts twice.
    pub(crate) fn acts(self) -> bool {
        self != Self::Status
    }

    pub(crate) fn has_body(self) -> bool {
        !matches!(self, Self::Cancel | Self::Status)
    }

    /// The `data` of a good answer.
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

    /// Makes the call. A good answer is shown as `Debug` shows it.
    pub(crate) fn call(self, client: &Client) -> Result<String, Error> {
        fn shown<T: std::fmt::Debug>(answer: Result<T, Error>) -> Result<String, Error> {
            answer.map(|answer| format!("{answer:?}"))
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

/// The documented envelope around `data`, of a good answer.
pub(crate) fn envelope(data: &str) -> String {
    format!(
        r#"{{"id":"req_1","timestamp":1785380854155,"api_version":"v2026.7.29","object":"response","data":{data}}}"#
    )
}

/// A whole answer with a Content-Length. `headers` are lines that end with CRLF each.
pub(crate) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = head(status, &format!("Content-Length: {}\r\n{headers}", body.len()));
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer, with `headers` and nothing else.
pub(crate) fn head(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n{headers}\r\n").into_bytes()
}

/// `body` in chunks of at most `size` bytes.
pub(crate) fn chunked(body: &str, size: usize) -> String {
    let mut chunks = String::new();
    for chunk in body.as_bytes().chunks(size) {
        // Writing to a String cannot fail.
        let _ = write!(chunks, "{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).expect("ASCII"));
    }
    chunks + "0\r\n\r\n"
}

/// A server that does what the test says.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    is_tls: bool,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server for http, which hands every connection to `act`, on a thread of its own.
    pub(crate) fn plain(act: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::start(false, Box::new(act))
    }

    /// The same for https, with the certificate that [`Server::client`] trusts. The handshake is made by the first read.
    pub(crate) fn tls(act: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        Self::start(true, Box::new(act))
    }

    /// A server that gives the same answer to every request, and keeps connections open.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::plain(move |connection| while connection.request().is_some() && connection.send(&bytes) {})
    }

    /// The one or the other.
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

    /// The settings of a client for this server.
    pub(crate) fn client(&self) -> ClientBuilder {
        let client = Client::builder(KEY).base_url(self.url());
        if self.is_tls { client.root_certificates(IDENTITY.pem.as_str()) } else { client }
    }

    /// The requests that arrived whole so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits until every connection that was made has been dealt with.
    #[track_caller]
    pub(crate) fn settle(&self) {
        // Connections are accepted in their order: when this one was, all before it were.
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
        // Wakes the thread that accepts.
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
    /// Connections whose closure runs, and their sockets.
    open: usize,
    sockets: HashMap<usize, TcpStream>,
    /// The addresses of connections that only ask how far the server is.
    marks: HashSet<SocketAddr>,
    is_stopping: bool,
    panicked: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
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

/// Says that a connection is over, even if its closure panicked.
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

/// A request that arrived whole.
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

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By FIN, as when a process ends in good order.
    Close,
    /// By RST, as when a machine in between forgets the connection.
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
        let stream = if is_tls {
            let connection = ServerConnection::new(Arc::clone(&IDENTITY.config)).expect("a good configuration");
            Stream::Tls(Box::new(StreamOwned::new(connection, wire)))
        } else {
            Stream::Plain(wire)
        };
        Self { stream, received: Vec::new(), shared }
    }

    /// The next request, once it is whole. `None` if it will never be.
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
                // What came before an error counts: it may make the request whole.
                Stream::Tls(stream) => stream.read(&mut buffer).or_else(|_| stream.conn.reader().read(&mut buffer)),
            };
            match count {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Makes the TLS handshake, and reads no byte of what follows it.
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

    /// Sends bytes as they are, and says whether all of them left.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        match &mut self.stream {
            Stream::Plain(wire) => wire.write_all(bytes).is_ok(),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()).is_ok(),
        }
    }

    /// Sends what ends a TLS session in good order; nothing on a plain connection.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        match &mut self.stream {
            Stream::Plain(_) => true,
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().is_ok()
            }
        }
    }

    /// Reads and writes no more than this many bytes on the wire from now on: what is beyond fails.
    pub(crate) fn limit(&mut self, most_read: usize, most_written: usize) {
        let wire = self.wire_mut();
        (wire.most_read, wire.most_written) = (most_read, most_written);
        (wire.read, wire.written) = (0, 0);
    }

    /// Bytes read and written on the wire, from the beginning or the last [`limit`](Self::limit).
    pub(crate) fn traffic(&mut self) -> (usize, usize) {
        let wire = self.wire_mut();
        (wire.read, wire.written)
    }

    /// Ends the connection now. By [`Ending::Close`], what is unread stays unread and resets nothing: the socket is
    /// returned, and stays half open as long as it is kept.
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

    /// Waits until the client is gone, and reads nothing that it says.
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

/// A socket that counts its bytes, and fails beyond a limit.
struct Wire {
    socket: TcpStream,
    read: usize,
    written: usize,
    most_read: usize,
    most_written: usize,
    /// While a TLS record is read by itself: how much of it is left.
    record_left: Option<usize>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(self.most_read - self.read);
        if room == 0 {
            return Err(io::Error::other("cut here"));
        }
        if let Some(left) = &mut self.record_left {
            // A record has a head of five bytes, of which the last two are its length (RFC 8446 §5.1).
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

/// The certificate that every TLS server here has, in PEM: to be trusted by hand.
pub(crate) fn certificate() -> &'static str {
    &IDENTITY.pem
}

/// The server's certificate, for `localhost` and 127.0.0.1, made anew in every run.
struct Identity {
    config: Arc<ServerConfig>,
    pem: String,
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring speaks")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a key that fits");
    Identity { config: Arc::new(config), pem: made.cert.pem() }
});

/// Longer than anything here takes on the slowest machine: only a bug waits as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
