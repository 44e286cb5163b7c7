//! Codes: from a hidden prompt at a terminal, otherwise a line of standard input.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read};

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
    let line = if io::stdin().is_terminal() { hidden(prompt) } else { piped() };
    match line {
        Ok(line) => Ok(Typed::Line(line.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Typed::End),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Typed::Interrupted),
        Err(error) => Err(Failure::local(format!("cannot read the code: {error}"))),
    }
}

fn hidden(prompt: &str) -> io::Result<String> {
    // Before the prompt, so that a code that is typed at once is hidden as well.
    let echo = terminal::hide_input()?;
    let line = rpassword::prompt_password(prompt);
    drop(echo);
    line
}

fn piped() -> io::Result<String> {
    let mut line = String::new();
    match io::stdin().lock().take(MAX_LINE).read_line(&mut line)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// Shows what is typed again, if a prompt hides it. For a process that ends during a prompt.
pub(crate) fn restore_terminal() {
    terminal::restore();
}

#[cfg(unix)]
mod terminal {
    use std::fs::File;
    use std::io;
    use std::sync::{Mutex, PoisonError};

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The settings to restore, while a prompt hides the input.
    static SHOWING: Mutex<Option<Termios>> = Mutex::new(None);

    pub(super) struct Hidden;

    impl Drop for Hidden {
        fn drop(&mut self) {
            restore();
        }
    }

    pub(super) fn hide_input() -> io::Result<Hidden> {
        let terminal = File::open(TERMINAL)?;
        let settings = tcgetattr(&terminal)?;
        *SHOWING.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings.clone());
        let hidden = Hidden;
        let mut settings = settings;
        settings.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &settings)?;
        Ok(hidden)
    }

    pub(super) fn restore() {
        let settings = SHOWING.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(settings), Ok(terminal)) = (settings, File::open(TERMINAL)) {
            // The terminal may be gone.
            let _ = tcsetattr(&terminal, OptionalActions::Now, &settings);
        }
    }

    /// The terminal that the prompt is shown on.
    const TERMINAL: &str = "/dev/tty";
}

#[cfg(not(unix))]
mod terminal {
    use std::io;

    #[expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
    pub(super) fn hide_input() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn restore() {}
}

/// In bytes. Longer lines are not codes.
const MAX_LINE: u64 = 1024;
