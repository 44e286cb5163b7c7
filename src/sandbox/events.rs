//! Event streams, by which a page learns of changes (server-sent events).

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use crate::sandbox::api::{ApiRequest, Rejection};
use crate::sandbox::backend::{Backend, MAX_STREAMS};

/// Opens a stream. It runs until its receiver or the sandbox is dropped.
pub(super) fn open(request: &ApiRequest<'_>, backend: &Arc<Backend>) -> Result<mpsc::Receiver<Bytes>, Rejection> {
    request.require(&Method::GET)?;
    let permit = Arc::clone(&backend.stream_permits).try_acquire_owned().map_err(|_| {
        let problem = format!("{MAX_STREAMS} event streams are open already; close some pages");
        Rejection::new(StatusCode::SERVICE_UNAVAILABLE, problem)
    })?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(run(backend.changes(), sender, permit));
    Ok(receiver)
}

/// Sends the number of changes now and after each change. Changes that come before the client has
/// read the last event are one event.
async fn run(mut changes: watch::Receiver<u64>, sender: mpsc::Sender<Bytes>, _permit: OwnedSemaphorePermit) {
    loop {
        let version = *changes.borrow_and_update();
        let event = format!("event: change\ndata: {{\"version\":{version}}}\n\n");
        if sender.send(event.into()).await.is_err() {
            return;
        }
        tokio::time::sleep(MIN_INTERVAL).await;
        while tokio::time::timeout(KEEP_ALIVE, changes.changed()).await.is_err() {
            if sender.send(Bytes::from_static(b": keep-alive\n\n")).await.is_err() {
                return;
            }
        }
        if changes.has_changed().is_err() {
            return;
        }
    }
}

pub(super) const PATH: &str = "/sandbox/events";

/// People see no difference to a shorter one, and a program that sends thousands of texts costs the
/// page ten updates a second.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A client that has gone is noticed when something is sent to it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
