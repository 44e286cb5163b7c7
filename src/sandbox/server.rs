//! The HTTP server: its thread and listener, its limits, and faults as they appear on a socket.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use http::request::Parts;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{access, control, events, log, page, webhooks};
use crate::sandbox::api::{self, ApiRequest, ApiResponse, MAX_BODY_BYTES, Rejection};
use crate::sandbox::backend::{Backend, Settings};
use crate::sandbox::fault::{FaultKind, StatusFault};

/// A running server, until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) backend: Arc<Backend>,
    /// The thread, which stops when the sender is dropped.
    running: Option<(oneshot::Sender<Infallible>, JoinHandle<()>)>,
}

impl Server {
    /// Listens on `address`, on a free port if its port is 0.
    pub(super) fn start(address: SocketAddr, settings: Settings) -> io::Result<Self> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;

        let (stop, stopped) = oneshot::channel();
        let (ready, started) = std::sync::mpsc::channel();
        let run = move || match open(listener, settings) {
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
fn open(listener: StdListener, settings: Settings) -> io::Result<(Runtime, Arc<Backend>)> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // Only webhooks use these.
        .max_blocking_threads(MAX_WEBHOOK_THREADS)
        .thread_name("contiguity-sandbox-webhook")
        .build()?;
    let backend = Arc::new(Backend::new(settings, runtime.handle().clone(), webhooks::agent()));
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

async fn converse(stream: TcpStream, backend: Arc<Backend>, permit: OwnedSemaphorePermit) {
    // Head and body leave in one write. Nagle's algorithm would only delay half responses.
    let _ = stream.set_nodelay(true);
    let Ok(address) = stream.local_addr() else { return };
    let max_request_time = backend.max_request_time;
    let permit = Mutex::new(Some(permit));
    let service = service_fn(|request| serve(&backend, request, address.port(), &permit));
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

/// Responds to a request once its body has arrived.
async fn serve(
    backend: &Arc<Backend>,
    request: Request<Incoming>,
    port: u16,
    permit: &Mutex<Option<OwnedSemaphorePermit>>,
) -> Result<Response<ResponseBody>, Closed> {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(backend.max_request_time, read(body)).await;
    let body = match body {
        Ok(body) => Ok(body?),
        Err(_) => Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    };
    respond(backend, &head, body, port, permit).await
}

/// Responds to a request with this body, which is `None` if it is too long. An event stream gives up
/// the permit of its connection.
pub(super) async fn respond(
    backend: &Arc<Backend>,
    head: &Parts,
    body: Result<Option<Vec<u8>>, Rejection>,
    port: u16,
    permit: &Mutex<Option<OwnedSemaphorePermit>>,
) -> Result<Response<ResponseBody>, Closed> {
    let (body, check) = match body {
        Ok(body) => (body, access::check(head, backend, port)),
        Err(late) => (None, Err(late)),
    };
    let request = ApiRequest {
        method: &head.method,
        path: head.uri.path(),
        authorization: head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
        body: body.as_deref(),
    };
    if let Err(rejection) = check {
        return Ok(whole(backend.change(|state, now| {
            let response = rejection.into_response(now);
            state.log(log::received(&request, None, Some(&response), now));
            response
        })));
    }
    if let Some(file) = page::respond(&request) {
        return Ok(whole(file));
    }
    if request.path == events::PATH {
        return match events::open(&request, backend) {
            Ok(events) => {
                drop(permit.lock().unwrap_or_else(PoisonError::into_inner).take());
                Ok(events_response(events))
            }
            Err(rejection) => Ok(whole(backend.read(|_, now| rejection.into_response(now)))),
        };
    }
    if control::is_control(request.path) {
        return saved(backend, Ok(whole(control::respond(&request, backend))));
    }

    // Under one lock, so that a fault belongs to the request that acts, or does not act, with it.
    let (response, fault) = backend.change(|state, now| {
        let fault = state.faults.take(api::target(&request, state));
        let response = apply(fault.as_ref(), || api::respond(&request, state, now), now);
        let logged = response.as_ref().ok().map(|(response, _)| response);
        state.log(log::received(&request, fault.as_ref(), logged, now));
        (response.map(|(response, missing)| http_response(response, missing)), fault)
    });
    if let Some(FaultKind::Delay(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    saved(backend, response)
}

/// Returns the response that a fault leaves, and how many bytes of its body are missing.
fn apply(
    fault: Option<&FaultKind>,
    act: impl FnOnce() -> ApiResponse,
    now: SystemTime,
) -> Result<(ApiResponse, usize), Closed> {
    let response = match fault {
        None | Some(FaultKind::Delay(_)) => act(),
        Some(FaultKind::Half) => {
            let mut response = act();
            let missing = response.body.len().div_ceil(2);
            response.body.truncate(response.body.len() - missing);
            return Ok((response, missing));
        }
        Some(FaultKind::Garbage) => {
            act();
            garbage()
        }
        Some(FaultKind::DropAfter) => {
            act();
            return Err(Closed);
        }
        Some(FaultKind::DropBefore) => return Err(Closed),
        Some(FaultKind::Status(StatusFault { status, after_acting, retry_after })) => {
            if *after_acting {
                act();
            }
            let status = StatusCode::from_u16(*status).expect("a fault's status is from 200 to 599");
            let message = status.canonical_reason().unwrap_or("a fault of the sandbox");
            let mut response = Rejection::new(status, message).into_response(now);
            response.headers.extend(retry_after.map(|wait| (RETRY_AFTER, whole_seconds(wait))));
            response
        }
    };
    Ok((response, 0))
}

/// Replaces the response to a change that could not be kept in the state file.
fn saved(
    backend: &Backend,
    response: Result<Response<ResponseBody>, Closed>,
) -> Result<Response<ResponseBody>, Closed> {
    match backend.file_problem() {
        None => response,
        Some(problem) => {
            let rejection = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, problem);
            Ok(whole(backend.read(|_, now| rejection.into_response(now))))
        }
    }
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

fn whole(response: ApiResponse) -> Response<ResponseBody> {
    http_response(response, 0)
}

fn garbage() -> ApiResponse {
    let page = b"<html>\r\n<head><title>Welcome</title></head>\r\n<body><h1>It works!</h1></body>\r\n</html>\r\n";
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    ApiResponse { status: StatusCode::OK, headers, body: page.to_vec() }
}

fn http_response(ApiResponse { status, headers, mut body }: ApiResponse, missing: usize) -> Response<ResponseBody> {
    if matches!(status.as_u16(), 204 | 205 | 304) {
        body.clear();
    }
    let mut response = Response::new(ResponseBody::Whole { bytes: body.into(), missing, is_flushed: false });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn events_response(events: mpsc::Receiver<Bytes>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Events(events));
    response.headers_mut().extend([
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    response
}

fn whole_seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)))
}

pub(super) enum ResponseBody {
    /// A body that may be shorter than its `Content-Length`.
    Whole {
        bytes: Bytes,
        /// The bytes that `Content-Length` counts and that are never sent.
        missing: usize,
        is_flushed: bool,
    },
    /// An event stream, which ends with its sender.
    Events(mpsc::Receiver<Bytes>),
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        match &mut *self {
            Self::Events(events) => events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes)))),
            Self::Whole { bytes, .. } if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Whole { missing: 0, .. } => Poll::Ready(None),
            Self::Whole { is_flushed: true, .. } => Poll::Ready(Some(Err(Closed))),
            Self::Whole { is_flushed, .. } => {
                // hyper sends what it has when the body is not ready, and drops it when the body fails.
                *is_flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole { bytes, missing: 0, .. } if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, missing, .. } => SizeHint::with_exact((bytes.len() + missing) as u64),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// The connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed")]
pub(super) struct Closed;

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
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;
    use crate::sandbox::state::State;

    /// Sends the start of a request, and returns everything that the server sends until it closes
    /// the connection.
    #[track_caller]
    fn response_to(start: &str) -> String {
        let settings = Settings {
            state: State::default(),
            file: None,
            webhook_secret: "whsec_test".to_owned(),
            hosts: Vec::new(),
            is_exposed: false,
            max_request_time: Duration::from_millis(100),
        };
        let server = Server::start((Ipv4Addr::LOCALHOST, 0).into(), settings).expect("a server");
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
