//! The part of a sandbox that all its threads share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::sandbox::state::{State, random_text};

pub(super) struct Backend {
    state: Mutex<State>,
    /// Runs the webhooks, whichever thread causes them.
    pub(super) runtime: Handle,
    pub(super) webhook_secret: String,
    /// Posts the webhooks.
    pub(super) agent: ureq::Agent,
    /// One permit for each webhook that may be pending.
    pub(super) webhook_permits: Arc<Semaphore>,
    /// How long a request may take to arrive.
    pub(super) max_request_time: Duration,
}

impl Backend {
    pub(super) fn new(runtime: Handle, agent: ureq::Agent, max_request_time: Duration) -> Self {
        Self {
            state: Mutex::default(),
            runtime,
            webhook_secret: random_text("whsec_"),
            agent,
            webhook_permits: Arc::new(Semaphore::new(MAX_PENDING_WEBHOOKS)),
            max_request_time,
        }
    }

    /// Reads or changes the state, at the sandbox's time.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State, SystemTime) -> T) -> T {
        // The state is consistent after every step, so a panic under the lock does no harm.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.time(SystemTime::now());
        act(&mut state, now)
    }
}

/// Each takes up to 64 KiB, most of it the URL. Tests have far fewer pending at a time.
pub(super) const MAX_PENDING_WEBHOOKS: usize = 1_000;
