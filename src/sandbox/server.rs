//! The HTTP server: a thread, its listener, and faults as they show on a socket.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::sandbox::Shared;
use crate::sandbox::api::{self, Answer, Call, MOST_BODY_BYTES, Refusal};
use crate::sandbox::control;
use crate::sandbox::fault::FaultKind;

/// A server that runs, until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) shared: Arc<Shared>,
    /// The thread stops when this is gone.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on loopback; port 0 is a free one.
    pub(super) fn start(port: u16) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;

        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("contiguity-sandbox".to_owned())
            .spawn(move || run(listener, &ready, stopped))?;
        let shared = started.recv().map_err(io::Error::other)??;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened; there is nobody to tell here.
            let _ = thread.join();
        }
    }
}

fn run(listener: StdListener, ready: &mpsc::Sender<io::Result<Arc<Shared>>>, stopped: oneshot::Receiver<Infallible>) {
    let runtime = match Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // Only webhooks use these.
        .max_blocking_threads(MOST_WEBHOOK_THREADS)
        .thread_name("contiguity-sandbox-webhook")
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let shared = Arc::new(Shared::new(runtime.handle().clone()));
    let listening = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)
    };
    match listening {
        Ok(listener) => drop(runtime.spawn(accept(listener, Arc::clone(&shared)))),
        Err(error) => return drop(ready.send(Err(error))),
    }
    if ready.send(Ok(shared)).is_ok() {
        let _ = runtime.block_on(stopped);
    }
    // Connections close and delayed answers are forgotten; a webhook on its way ends by itself, within its time-out.
    runtime.shutdown_background();
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, Arc::clone(&shared)))),
            // Out of file descriptors, most likely: they come back when connections close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    // Head and body leave in one write; what is left of Nagle's wait would only hit answers cut in half.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
    let conversation = http1::Builder::new()
        // Clients that shut down their side after the request still want the answer.
        .half_close(true)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // A fault that cuts the connection is an error here, and so is a client that goes away.
    let _ = conversation.await;
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<AnswerBody>, Cut> {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let call = Call {
        method: &head.method,
        path: head.uri.path(),
        authorization: head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes),
        body: body.as_deref(),
    };
    if control::is_control(call.path) {
        return Ok(whole(control::answer(&call, &shared)));
    }

    // Under one lock: a fault belongs to the request that acts, or does not, by it.
    let outcome = shared.with(|state, now| {
        let Some(fault) = state.take_fault() else {
            return Outcome::Answer(api::answer(&call, state, now));
        };
        match fault.kind {
            FaultKind::Delay(delay) => Outcome::Late(delay, api::answer(&call, state, now)),
            FaultKind::Half => Outcome::Half(api::answer(&call, state, now)),
            FaultKind::Garbage => {
                api::answer(&call, state, now);
                Outcome::Garbage
            }
            FaultKind::DropAfter => {
                api::answer(&call, state, now);
                Outcome::Cut
            }
            FaultKind::DropBefore => Outcome::Cut,
            FaultKind::Status { status, after_acting, retry_after } => {
                if after_acting {
                    api::answer(&call, state, now);
                }
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let message = status.canonical_reason().unwrap_or("a fault of the sandbox");
                let answer = Refusal::new(status, message).into_answer(now);
                Outcome::Answer(Answer { header: retry_after.map(|wait| (RETRY_AFTER, whole_seconds(wait))), ..answer })
            }
        }
    });
    match outcome {
        Outcome::Answer(answer) => Ok(whole(answer)),
        Outcome::Late(delay, answer) => {
            tokio::time::sleep(delay).await;
            Ok(whole(answer))
        }
        Outcome::Half(answer) => Ok(half(answer)),
        Outcome::Garbage => Ok(garbage()),
        Outcome::Cut => Err(Cut),
    }
}

enum Outcome {
    Answer(Answer),
    Late(Duration, Answer),
    Half(Answer),
    Garbage,
    Cut,
}

/// The whole body, None if it is too long, or a cut if the client goes away before it has sent it.
async fn read(mut body: Incoming) -> Result<Option<Vec<u8>>, Cut> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.map_err(|_| Cut)?.into_data() else { continue };
        length += data.len();
        if length > MOST_BODY_BYTES {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&data);
        }
        if length > MOST_DRAINED_BYTES {
            break;
        }
    }
    Ok((length <= MOST_BODY_BYTES).then_some(bytes))
}

fn whole(answer: Answer) -> Response<AnswerBody> {
    let no_body = matches!(answer.status.as_u16(), 204 | 205 | 304);
    let body = if no_body { Vec::new() } else { answer.body };
    let mut response = response(answer.status, "application/json", AnswerBody::new(body, 0));
    response.headers_mut().extend(answer.header);
    response
}

fn half(mut answer: Answer) -> Response<AnswerBody> {
    let missing = answer.body.len() - answer.body.len() / 2;
    answer.body.truncate(answer.body.len() / 2);
    let mut response = response(answer.status, "application/json", AnswerBody::new(answer.body, missing));
    response.headers_mut().extend(answer.header);
    response
}

fn garbage() -> Response<AnswerBody> {
    let page = b"<html>\r\n<head><title>Welcome</title></head>\r\n<body><h1>It works!</h1></body>\r\n</html>\r\n";
    response(StatusCode::OK, "text/html", AnswerBody::new(page.to_vec(), 0))
}

fn response(status: StatusCode, content_type: &'static str, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn whole_seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)))
}

/// A body that may promise more than it gives.
struct AnswerBody {
    bytes: Bytes,
    /// Bytes that `Content-Length` counts and that never come.
    missing: usize,
    flushed: bool,
}

impl AnswerBody {
    fn new(bytes: Vec<u8>, missing: usize) -> Self {
        Self { bytes: bytes.into(), missing, flushed: false }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.missing == 0 {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // hyper sends what it has when the body is not ready, and throws it away when the body fails.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.bytes.len() + self.missing) as u64)
    }
}

/// The connection is to close here.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

/// A request line and headers: any client's are a few hundred bytes, an id in a path at most some thousand.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// Read of a body that is too long, so that a client that sends first and reads then sees the 413.
const MOST_DRAINED_BYTES: usize = 1 << 20;

/// A receiver that hangs holds one for the time-out of an attempt; the others wait in line.
const MOST_WEBHOOK_THREADS: usize = 8;
