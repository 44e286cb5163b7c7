//! At a terminal, codes are asked for and not shown, waits show the time left, and signals end
//! commands cleanly.

use std::process::Command;

use command_line::{PHONE, PROGRAM, VARIABLES};
use contiguity::sandbox::Sandbox;
use contiguity::{InitiateReverseOtp, NewOtp};
use rexpect::process::{Signal, WaitStatus};
use rexpect::session::{PtySession, spawn_command};
use rustix::termios::{LocalModes, tcgetattr};

/// A terminal of 100 columns that shows what is typed.
struct Terminal {
    session: PtySession,
    seen: String,
}

impl Terminal {
    fn run(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        Self::start(Command::new("sh"), sandbox, arguments)
    }

    fn run_without_colors(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.env("NO_COLOR", "1");
        Self::start(shell, sandbox, arguments)
    }

    fn start(mut shell: Command, sandbox: &Sandbox, arguments: &[&str]) -> Self {
        for variable in VARIABLES.into_iter().filter(|variable| *variable != "NO_COLOR") {
            shell.env_remove(variable);
        }
        shell.env("CONTIGUITY_BASE_URL", sandbox.url()).env("CONTIGUITY_API_KEY", sandbox.api_key());
        shell.env("TERM", "xterm-256color");
        // rexpect turns the echo off, which would hide the code whatever the program does.
        shell.args(["-c", "stty rows 60 cols 100 echo; exec \"$0\" \"$@\""]).arg(&*PROGRAM).args(arguments);
        Self { session: spawn_command(shell, Some(30_000)).unwrap(), seen: String::new() }
    }

    #[track_caller]
    fn expect(&mut self, text: &str) {
        // rexpect reads each byte as a character.
        let needle: String = text.bytes().map(char::from).collect();
        match self.session.exp_string(&needle) {
            Ok(before) => self.seen += &(before + &needle),
            Err(_) => panic!("no {text:?} after {:?}", self.seen),
        }
    }

    fn type_line(&mut self, line: &str) {
        self.session.send_line(line).unwrap();
    }

    fn interrupt(&mut self) {
        self.session.send_control('c').unwrap();
    }

    fn terminate(&mut self) {
        self.session.process_mut().signal(Signal::SIGTERM).unwrap();
    }

    /// Returns the exit status and everything that was shown, once the terminal shows what is typed
    /// again.
    #[track_caller]
    fn end(mut self) -> (i32, String) {
        self.seen += &self.session.exp_eof().unwrap();
        let status = match self.session.process().wait().unwrap() {
            WaitStatus::Exited(_, status) => status,
            other => panic!("{other:?} after {:?}", self.seen),
        };
        let terminal = self.session.process().get_file_handle().unwrap();
        assert!(tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO), "the terminal shows nothing");
        let bytes = self.seen.chars().map(|c| u8::try_from(c).unwrap()).collect();
        (status, String::from_utf8(bytes).unwrap())
    }
}

#[test]
fn the_terminal_of_these_tests_shows_what_is_typed() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "stty echo; echo ready; read line; echo \"got $line\""]);
    let mut session = spawn_command(shell, Some(30_000)).unwrap();
    session.exp_string("ready").unwrap();
    session.send_line("482915").unwrap();
    assert!(session.exp_string("got 482915").unwrap().contains("482915"));
}

#[test]
fn a_sign_in_hides_the_code() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let mut terminal = Terminal::run(&sandbox, &["sign-in", PHONE, "--name", "MyApp", "--resend-after", "0"]);
    terminal.expect("Sent\x1b[0m a code to +1•••••2671.");
    terminal.expect("Code (5 attempts left; r sends it again): ");
    terminal.type_line("0000");
    terminal.expect("Wrong code.");
    terminal.expect("Code (4 attempts left; r sends it again): ");
    terminal.type_line("r");
    terminal.expect("Sent\x1b[0m the code again.");
    terminal.expect("Code (4 attempts left; r sends it again): ");
    terminal.type_line("482915");
    terminal.expect("Verified");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0);
    assert!(!seen.contains("482915") && !seen.contains("0000"), "{seen}");
    assert!(seen.contains("\x1b[32m"), "{seen:?}");
    assert_eq!(sandbox.deliveries(PHONE), 2);
}

#[test]
fn no_color_means_no_color() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let mut terminal = Terminal::run_without_colors(&sandbox, &["sign-in", PHONE, "--name", "MyApp"]);
    terminal.expect("Code (5 attempts left");
    terminal.type_line("482915");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0);
    assert!(seen.contains("Verified +1•••••2671."), "{seen:?}");
    assert!(!seen.contains("\x1b["), "{seen:?}");
}

#[test]
fn verify_asks_for_the_code_and_hides_it() {
    let sandbox = Sandbox::builder().code("482915").start().unwrap();
    let sent = NewOtp::to(PHONE).language("en").name("MyApp").send(&sandbox.client()).unwrap();
    let mut terminal = Terminal::run(&sandbox, &["verify", sent.otp_id.as_str()]);
    terminal.expect("Code: ");
    terminal.type_line("482915");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0);
    assert!(seen.contains("Verified") && !seen.contains("482915"), "{seen}");
}

#[test]
fn the_end_of_the_input_ends_a_sign_in() {
    let sandbox = Sandbox::start().unwrap();
    let mut terminal = Terminal::run(&sandbox, &["sign-in", PHONE, "--name", "MyApp"]);
    terminal.expect("again): ");
    terminal.session.send_control('d').unwrap();
    let (status, seen) = terminal.end();
    assert_eq!(status, 3);
    assert!(seen.contains("the input has ended"), "{seen}");
}

#[test]
fn signals_at_the_prompt_leave_a_terminal_that_shows_what_is_typed() {
    let sandbox = Sandbox::start().unwrap();
    for arguments in [&["sign-in", PHONE, "--name", "MyApp"][..], &["verify", "otp_1"]] {
        let mut terminal = Terminal::run(&sandbox, arguments);
        terminal.expect(": ");
        terminal.interrupt();
        assert_eq!(terminal.end().0, 130);

        let mut terminal = Terminal::run(&sandbox, arguments);
        terminal.expect(": ");
        terminal.terminate();
        assert_eq!(terminal.end().0, 143);
    }
}

#[test]
fn a_session_is_shown_as_a_code_and_verified_by_the_text() {
    let sandbox = Sandbox::start().unwrap();
    let mut terminal = Terminal::run(&sandbox, &["reverse", "start", PHONE, "--factor", "MyApp2024", "--wait"]);
    terminal.expect("\x1b[0;38;5;16;48;5;231m");
    terminal.expect("Text MyApp2024 to +16465550123 to verify your phone number.");
    terminal.expect("Waiting up to ");
    sandbox.phone(PHONE).text("+16465550123", "myapp2024");
    terminal.expect("Verified");
    let (status, seen) = terminal.end();
    assert_eq!(status, 0);
    assert!(seen.contains("up to 4:59") || seen.contains("up to 5:00"), "{seen}");
}

#[test]
fn ctrl_c_cancels_the_session_and_the_wait() {
    let sandbox = Sandbox::start().unwrap();
    let client = sandbox.client();
    let open = || InitiateReverseOtp::number(PHONE).send(&client).unwrap();
    let status = |session: &contiguity::ReverseSession| {
        contiguity::VerifyReverseOtp::otp_id(&session.otp_id).send(&client).unwrap().status
    };

    let session = open();
    let mut terminal = Terminal::run(&sandbox, &["reverse", "wait", session.otp_id.as_str()]);
    terminal.expect("Waiting up to ");
    terminal.interrupt();
    terminal.expect("The session is cancelled.");
    assert_eq!(terminal.end().0, 130);
    assert_eq!(status(&session), contiguity::Status::Cancelled);

    let session = open();
    let mut terminal = Terminal::run(&sandbox, &["reverse", "wait", session.otp_id.as_str()]);
    terminal.expect("Waiting up to ");
    terminal.terminate();
    assert_eq!(terminal.end().0, 143);
    assert_eq!(status(&session), contiguity::Status::Cancelled);

    let mut terminal = Terminal::run_without_colors(&sandbox, &["reverse", "start", PHONE, "--wait"]);
    terminal.expect("██");
    terminal.expect("Waiting up to ");
    terminal.interrupt();
    let (status, seen) = terminal.end();
    assert_eq!(status, 130);
    assert!(!seen.contains("\x1b[0;38"), "{seen:?}");
    let requests = sandbox.requests();
    assert!(requests.last().unwrap().path.starts_with("/otp/reverse/cancel/"));
}
