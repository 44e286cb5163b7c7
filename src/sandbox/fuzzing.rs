//! The service for the fuzz targets, without a server. Compiled only by cargo-fuzz (`cfg(fuzzing)`).

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use tokio::runtime::{Builder, Runtime};

use super::api::MAX_BODY_BYTES;
use super::backend::{Backend, Settings};
use super::server::{self, ResponseBody};
use super::state::State;
use super::state_file::Content;
use super::webhooks;

/// A sandbox whose socket is the caller. It posts no webhooks, since nothing drives its runtime.
pub struct Service {
    runtime: Runtime,
    backend: Arc<Backend>,
}

impl Service {
    /// Creates a service whose ids and codes are the same in every run.
    #[must_use]
    pub fn new() -> Self {
        Self::with(State::default(), "whsec_fuzzing".to_owned())
    }

    /// Creates a service from the content of a state file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn restored(file: &[u8]) -> Result<Self, String> {
        let Content { webhook_secret, state: saved, .. } = Content::read(file)?;
        let mut state = State::default();
        state.restore(saved);
        Ok(Self::with(state, webhook_secret))
    }

    fn with(state: State, webhook_secret: String) -> Self {
        fastrand::seed(7);
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let max_request_time = Duration::from_secs(60);
        let settings =
            Settings { state, file: None, webhook_secret, hosts: Vec::new(), is_exposed: false, max_request_time };
        let backend = Arc::new(Backend::new(settings, runtime.handle().clone(), webhooks::agent()));
        Self { runtime, backend }
    }

    /// Returns the content of a state file.
    #[must_use]
    pub fn saved(&self) -> Vec<u8> {
        Content::write(&self.backend.webhook_secret, self.backend.read(|state, _| state.save()))
    }

    /// Responds to a request on port 4010. `None` if the connection would be closed, or the response be
    /// delayed.
    #[must_use]
    pub fn respond(&self, head: &Parts, body: &[u8]) -> Option<(u16, HeaderMap, Vec<u8>)> {
        let body = (body.len() <= MAX_BODY_BYTES).then(|| body.to_vec());
        let _inside = self.runtime.enter();
        let permit = Mutex::default();
        let response = pin!(server::respond(&self.backend, head, Ok(body), 4010, &permit));
        let Poll::Ready(Ok(response)) = response.poll(&mut Context::from_waker(Waker::noop())) else { return None };
        let (head, body) = response.into_parts();
        let body = match body {
            ResponseBody::Whole { bytes, .. } => bytes.to_vec(),
            ResponseBody::Events(_) => Vec::new(),
        };
        Some((head.status.as_u16(), head.headers, body))
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}
