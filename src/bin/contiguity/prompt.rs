//! Codes: from a hidden prompt at a terminal, otherwise a line of standard input.

use std::io::{self, BufRead, ErrorKind, IsTerminal};

use crate::ending::Failure;

/// What was typed.
pub(crate) enum Typed {
    Line(String),
    /// The input ended.
    End,
    /// Ctrl-C at the prompt.
    Interrupted,
}

/// Asks for a code. What is typed at a terminal is not shown.
pub(crate) fn ask(prompt: &str) -> Result<Typed, Failure> {
    let line = if io::stdin().is_terminal() { terminal::ask(prompt) } else { line(io::stdin().lock()) };
    match line {
        Ok(line) => Ok(Typed::Line(line.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Typed::End),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Typed::Interrupted),
        Err(error) => Err(Failure::local(format!("cannot read the code: {error}"))),
    }
}

fn line(input: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match input.take(MAX_LINE).read_line(&mut line)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// Shows what is typed again, and lets no prompt hide it any more. For a process that is about to end.
pub(crate) fn restore_terminal() {
    terminal::restore();
}

#[cfg(unix)]
mod terminal {
    use std::fs::File;
    use std::io::{self, BufReader, Write};
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// Whether a prompt hides what is typed.
    ///
    /// A signal can arrive at any point of a prompt, on another thread. All changes of the terminal are
    /// made under this lock, so that none follows the last one.
    static INPUT: Mutex<Input> = Mutex::new(Input::Shown);

    enum Input {
        Shown,
        /// With the settings to restore.
        Hidden(Box<Termios>),
        /// The process is about to end.
        Restored,
    }

    /// Hides what is typed until it is dropped.
    struct Hidden;

    impl Drop for Hidden {
        fn drop(&mut self) {
            let mut input = lock();
            show(&input);
            if matches!(*input, Input::Hidden(_)) {
                *input = Input::Shown;
            }
        }
    }

    pub(super) fn ask(prompt: &str) -> io::Result<String> {
        let mut terminal = File::options().read(true).write(true).open(TERMINAL)?;
        // Before the prompt, so that a code that is typed at once is hidden as well.
        let hidden = hide(&terminal)?;
        terminal.write_all(prompt.as_bytes())?;
        let line = super::line(BufReader::new(terminal));
        drop(hidden);
        line
    }

    pub(super) fn restore() {
        let mut input = lock();
        show(&input);
        *input = Input::Restored;
    }

    fn hide(terminal: &File) -> io::Result<Hidden> {
        let mut input = lock();
        if matches!(*input, Input::Restored) {
            drop(input);
            loop {
                thread::park();
            }
        }
        let settings = tcgetattr(terminal)?;
        let mut hidden = settings.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // Except for the end of the line.
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(terminal, OptionalActions::Now, &hidden)?;
        *input = Input::Hidden(Box::new(settings));
        Ok(Hidden)
    }

    fn show(input: &Input) {
        if let (Input::Hidden(settings), Ok(terminal)) = (input, File::open(TERMINAL)) {
            // The terminal may be gone.
            let _ = tcsetattr(&terminal, OptionalActions::Now, settings);
        }
    }

    fn lock() -> MutexGuard<'static, Input> {
        INPUT.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The terminal that the prompt is shown on.
    const TERMINAL: &str = "/dev/tty";
}

#[cfg(not(unix))]
mod terminal {
    use std::io;

    pub(super) fn ask(prompt: &str) -> io::Result<String> {
        rpassword::prompt_password(prompt)
    }

    pub(super) fn restore() {}
}

/// In bytes. Longer lines are not codes.
const MAX_LINE: u64 = 1024;
