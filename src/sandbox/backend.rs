//! The part of a sandbox that all its threads share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::sandbox::state::State;
use crate::sandbox::state_file::StateFile;

pub(super) struct Backend {
    state: Mutex<State>,
    /// The number of changes so far, for those who wait for one.
    changes: watch::Sender<u64>,
    /// Where the state is kept, and why the last change could not be.
    file: Option<(StateFile, Mutex<Option<String>>)>,
    /// Runs the webhooks, whichever thread causes them.
    pub(super) runtime: Handle,
    pub(super) webhook_secret: String,
    /// Posts the webhooks.
    pub(super) agent: ureq::Agent,
    /// One permit for each webhook that may be pending.
    pub(super) webhook_permits: Arc<Semaphore>,
    /// One permit for each event stream that may be open.
    pub(super) stream_permits: Arc<Semaphore>,
    /// The names and addresses that requests may be addressed to, in addition to loopback.
    pub(super) hosts: Vec<String>,
    /// Whether the port in an address may differ, as that of a container does.
    pub(super) is_exposed: bool,
    /// How long a request may take to arrive.
    pub(super) max_request_time: Duration,
}

/// What a sandbox is started with.
pub(super) struct Settings {
    pub(super) state: State,
    pub(super) file: Option<StateFile>,
    pub(super) webhook_secret: String,
    pub(super) hosts: Vec<String>,
    pub(super) is_exposed: bool,
    pub(super) max_request_time: Duration,
}

impl Backend {
    pub(super) fn new(settings: Settings, runtime: Handle, agent: ureq::Agent) -> Self {
        let Settings { state, file, webhook_secret, hosts, is_exposed, max_request_time } = settings;
        Self {
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
            file: file.map(|file| (file, Mutex::default())),
            runtime,
            webhook_secret,
            agent,
            webhook_permits: Arc::new(Semaphore::new(MAX_PENDING_WEBHOOKS)),
            stream_permits: Arc::new(Semaphore::new(MAX_STREAMS)),
            hosts,
            is_exposed,
            max_request_time,
        }
    }

    /// Reads the state, at the sandbox's time.
    pub(super) fn read<T>(&self, read: impl FnOnce(&State, SystemTime) -> T) -> T {
        let state = lock(&self.state);
        let now = state.time(SystemTime::now());
        read(&state, now)
    }

    /// Changes the state, at the sandbox's time.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State, SystemTime) -> T) -> T {
        let mut state = lock(&self.state);
        let now = state.time(SystemTime::now());
        let result = change(&mut state, now);
        if let Some((file, problem)) = &self.file {
            // Before anyone sees a response, so that what was seen is kept.
            *lock(problem) = file.write(&self.webhook_secret, state.save()).err().map(|error| error.to_string());
        }
        drop(state);
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Returns why the last change could not be kept in the file.
    pub(super) fn file_problem(&self) -> Option<String> {
        self.file.as_ref().and_then(|(_, problem)| lock(problem).clone())
    }

    /// Returns a receiver of the number of changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Each value is consistent after every step, so a panic under the lock does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each takes up to 64 KiB, most of it the URL. Tests have far fewer pending at a time.
pub(super) const MAX_PENDING_WEBHOOKS: usize = 1_000;

/// Each open page has one. They take a few kilobytes each.
pub(super) const MAX_STREAMS: usize = 1_000;
