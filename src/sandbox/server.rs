//! The HTTP server: its thread and listener, its limits, and faults as they appear on a socket.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{access, control, webhooks};
use crate::sandbox::api::{self, ApiRequest, ApiResponse, MAX_BODY_BYTES, Rejection};
use crate::sandbox::backend::Backend;
use crate::sandbox::fault::{FaultKind, StatusFault};

/// A running server, until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) backend: Arc<Backend>,
    /// The thread, which stops when the sender is dropped.
    running: Option<(oneshot::Sender<Infallible>, JoinHandle<()>)>,
}

impl Server {
    /// Listens on loopback, on a free port if `port` is 0. A request must arrive within
    /// `max_request_time`.
    pub(super) fn start(port: u16, max_request_time: Duration) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;

        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let run = move || match open(listener, max_request_time) {
            Ok((runtime, backend)) => {
                if ready.send(Ok(backend)).is_ok() {
                    let _ = runtime.block_on(stopped);
                }
                // This closes the connections and drops delayed responses. An attempt to deliver a
                // webhook ends within its timeout.
                runtime.shutdown_background();
            }
            Err(error) => drop(ready.send(Err(error))),
        };
        let thread = thread::Builder::new().name("contiguity-sandbox".to_owned()).spawn(run)?;
        let backend = started.recv().expect("the thread sends a result before it ends")?;
        Ok(Self { address, backend, running: Some((stop, thread)) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            // A panic of the thread was printed when it happened.
            let _ = thread.join();
        }
    }
}

/// Accepts connections once the runtime runs.
fn open(listener: StdListener, max_request_time: Duration) -> io::Result<(Runtime, Arc<Backend>)> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // Only webhooks use these.
        .max_blocking_threads(MAX_WEBHOOK_THREADS)
        .thread_name("contiguity-sandbox-webhook")
        .build()?;
    let backend = Arc::new(Backend::new(runtime.handle().clone(), webhooks::agent(), max_request_time));
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    runtime.spawn(accept(listener, Arc::clone(&backend)));
    Ok((runtime, backend))
}

async fn accept(listener: TcpListener, backend: Arc<Backend>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // More connections wait in the system's queue.
        let permit = Arc::clone(&permits).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, Arc::clone(&backend), permit))),
            // Most likely out of file descriptors, until connections close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, backend: Arc<Backend>, _permit: OwnedSemaphorePermit) {
    // Head and body leave in one write. Nagle's algorithm would only delay half responses.
    let _ = stream.set_nodelay(true);
    let Ok(address) = stream.local_addr() else { return };
    let max_request_time = backend.max_request_time;
    let service = service_fn(move |request| serve(Arc::clone(&backend), request, address.port()));
    let conversation = http1::Builder::new()
        // Some clients shut down their side after the request and still read the response.
        .half_close(true)
        .max_buf_size(MAX_HEAD_BYTES)
        .timer(TokioTimer::new())
        .header_read_timeout(max_request_time)
        .serve_connection(TokioIo::new(stream), service);
    // A fault that closes the connection is an error here, and so is a client that goes away.
    let _ = conversation.await;
}

async fn serve(backend: Arc<Backend>, request: Request<Incoming>, port: u16) -> Result<Response<ResponseBody>, Closed> {
    let (head, body) = request.into_parts();
    let reject = |rejection: Rejection| Ok(whole(backend.with(|_, now| rejection.into_response(now))));
    let Ok(body) = tokio::time::timeout(backend.max_request_time, read(body)).await else {
        return reject(Rejection::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"));
    };
    let body = body?;
    if let Err(rejection) = access::check(&head, port) {
        return reject(rejection);
    }
    let request = ApiRequest {
        method: &head.method,
        path: head.uri.path(),
        authorization: head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
        body: body.as_deref(),
    };
    if control::is_control(request.path) {
        return Ok(whole(control::respond(&request, &backend)));
    }

    let mut delay = Duration::ZERO;
    // Under one lock, so that a fault belongs to the request that acts, or does not act, with it.
    let response = backend.with(|state, now| {
        let fault = state.faults.pop_front().map(|fault| fault.kind);
        let mut act = || api::respond(&request, state, now);
        match fault {
            None => Ok(whole(act())),
            Some(FaultKind::Delay(time)) => {
                delay = time;
                Ok(whole(act()))
            }
            Some(FaultKind::Half) => Ok(half(act())),
            Some(FaultKind::Garbage) => {
                act();
                Ok(garbage())
            }
            Some(FaultKind::DropAfter) => {
                act();
                Err(Closed)
            }
            Some(FaultKind::DropBefore) => Err(Closed),
            Some(FaultKind::Status(StatusFault { status, after_acting, retry_after })) => {
                if after_acting {
                    act();
                }
                let status = StatusCode::from_u16(status).expect("a fault's status is from 200 to 599");
                let message = status.canonical_reason().unwrap_or("a fault of the sandbox");
                let response = Rejection::new(status, message).into_response(now);
                let header = retry_after.map(|wait| (RETRY_AFTER, whole_seconds(wait)));
                Ok(whole(ApiResponse { header, ..response }))
            }
        }
    });
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    response
}

/// Returns the whole body, or `None` if it is too long.
async fn read(mut body: Incoming) -> Result<Option<Vec<u8>>, Closed> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.map_err(|_| Closed)?.into_data() else { continue };
        length += data.len();
        if length > MAX_BODY_BYTES {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&data);
        }
        if length > MAX_DRAINED_BYTES {
            break;
        }
    }
    Ok((length <= MAX_BODY_BYTES).then_some(bytes))
}

fn whole(mut response: ApiResponse) -> Response<ResponseBody> {
    if matches!(response.status.as_u16(), 204 | 205 | 304) {
        response.body.clear();
    }
    http_response(response, 0)
}

fn half(mut response: ApiResponse) -> Response<ResponseBody> {
    let missing = response.body.len().div_ceil(2);
    response.body.truncate(response.body.len() - missing);
    http_response(response, missing)
}

fn garbage() -> Response<ResponseBody> {
    let page = b"<html>\r\n<head><title>Welcome</title></head>\r\n<body><h1>It works!</h1></body>\r\n</html>\r\n";
    let header = Some((CONTENT_TYPE, HeaderValue::from_static("text/html")));
    whole(ApiResponse { status: StatusCode::OK, header, body: page.to_vec() })
}

fn http_response(ApiResponse { status, header, body }: ApiResponse, missing: usize) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody { bytes: body.into(), missing, flushed: false });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, value);
    }
    response
}

fn whole_seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)))
}

/// A body that may be shorter than its `Content-Length`.
struct ResponseBody {
    bytes: Bytes,
    /// The bytes that `Content-Length` counts and that are never sent.
    missing: usize,
    flushed: bool,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.missing == 0 {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // hyper sends what it has when the body is not ready, and drops it when the body fails.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Closed)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.bytes.len() + self.missing) as u64)
    }
}

/// The connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed")]
struct Closed;

/// The heads of real requests have a few hundred bytes, and a few thousand with a long id in the
/// path.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// A body that is too long is read up to here, since some clients read the 413 only after they sent
/// everything.
const MAX_DRAINED_BYTES: usize = 1 << 20;

/// Many systems let a process open 1,024 files, and the clients in the same process need as many.
/// With the largest heads and bodies, the connections take about 60 MiB.
const MAX_CONNECTIONS: usize = 256;

/// A receiver that hangs blocks one for the timeout of an attempt. The other webhooks wait.
const MAX_WEBHOOK_THREADS: usize = 8;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// Sends the start of a request, and returns everything that the server sends until it closes
    /// the connection.
    #[track_caller]
    fn response_to(start: &str) -> String {
        let server = Server::start(0, Duration::from_millis(100)).expect("a server");
        let mut stream = TcpStream::connect(server.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(start.as_bytes()).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("the server closes the connection");
        response
    }

    #[test]
    fn unfinished_heads_are_dropped() {
        for start in ["", "G", "GET / HTTP/1.1\r\nHost: localhost\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r"] {
            assert_eq!(response_to(start), "", "{start:?}");
        }
    }

    #[test]
    fn unfinished_bodies_get_408() {
        let head = "POST /otp/new HTTP/1.1\r\nHost: localhost\r\n";
        for start in
            ["Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n"]
        {
            let response = response_to(&format!("{head}{start}"));
            assert!(response.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{response}");
            assert!(response.contains(r#""error":"the body did not arrive in time""#), "{response}");
        }
    }

    #[test]
    fn idle_connections_are_closed() {
        let request = "GET /sandbox/messages HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let response = response_to(request);
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\n[]"), "{response}");
    }
}
