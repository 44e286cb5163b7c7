//! Ctrl-C and SIGTERM.

#[cfg(unix)]
use std::future::poll_fn;
use std::io;
use std::process;
#[cfg(unix)]
use std::task::Poll;
use std::thread;

use tokio::runtime::{Builder, Runtime};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ending::Failure;
use crate::prompt;

/// The signals that end a command. From their creation on, they do not end the process by themselves.
pub(crate) struct Signals {
    runtime: Runtime,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Self::start().map_err(|error| Failure::local(format!("cannot listen for Ctrl-C: {error}")))
    }

    #[cfg(unix)]
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let guard = runtime.enter();
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(guard);
        Ok(Self { runtime, interrupt, terminate })
    }

    #[cfg(not(unix))]
    fn start() -> io::Result<Self> {
        Ok(Self { runtime: Builder::new_current_thread().enable_io().build()? })
    }

    /// Waits for the next signal and returns the exit status of a shell for it.
    #[cfg(unix)]
    pub(crate) fn next(&mut self) -> u8 {
        let Self { runtime, interrupt, terminate } = self;
        runtime.block_on(poll_fn(|context| {
            if interrupt.poll_recv(context).is_ready() {
                return Poll::Ready(INTERRUPTED);
            }
            terminate.poll_recv(context).map(|_| TERMINATED)
        }))
    }

    #[cfg(not(unix))]
    pub(crate) fn next(&mut self) -> u8 {
        // An error means that no Ctrl-C can arrive.
        if self.runtime.block_on(tokio::signal::ctrl_c()).is_err() {
            thread::park();
        }
        INTERRUPTED
    }

    /// Calls `first` for the first signal, on another thread, and ends the process for the second.
    pub(crate) fn spawn(mut self, first: impl FnOnce(u8) + Send + 'static) {
        thread::spawn(move || {
            first(self.next());
            exit(self.next());
        });
    }
}

/// Ends the process on the first signal. The terminal shows what is typed again.
pub(crate) fn exit_on_signal() -> Result<(), Failure> {
    Signals::listen()?.spawn(|status| exit(status));
    Ok(())
}

fn exit(status: u8) -> ! {
    prompt::restore_terminal();
    process::exit(status.into());
}

/// 128 and the number of the signal, as shells report it.
pub(crate) const INTERRUPTED: u8 = 128 + 2;
#[cfg(unix)]
const TERMINATED: u8 = 128 + 15;
