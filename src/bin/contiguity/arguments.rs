//! The arguments, and the pages that `--help` shows.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, StyledStr};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

/// One-time passwords by SMS with the Contiguity API, and a sandbox to build on
///
/// Sends codes to phones and verifies them, has people text you instead (reverse OTP), and runs a
/// sandbox that behaves like the service, sends no real texts and needs no account.
#[derive(Debug, Parser)]
#[command(name = "contiguity", version, max_term_width = 100, after_long_help = COMMON, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON, one object a line, instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Text a code to a phone
    ///
    /// Texts a six-digit code to a phone: "Your APP code is CODE". Prints the OTP id, which `verify`
    /// and `resend` need. The code is valid for 15 minutes. Each run sends one text.
    #[command(after_long_help = SEND)]
    Send(Recipient),
    /// Verify the code that a person typed
    ///
    /// Reads the code from a hidden prompt, or from standard input if that is not a terminal. The code
    /// is never an argument, since other users of the machine can see arguments.
    #[command(after_long_help = VERIFY)]
    Verify(Sent),
    /// Text the same code again
    ///
    /// The code and its expiry do not change. A code that was used or has expired is not sent again.
    #[command(after_long_help = RESEND)]
    Resend(Sent),
    /// Sign a person in: send a code, ask for it, send it again if needed
    ///
    /// Texts a code and asks for it until it is right, with a limit on attempts and resends. To send
    /// the code again, type `r` instead of a code. At a terminal, what is typed is not shown. Otherwise
    /// each line of standard input is a code or `r`.
    #[command(after_long_help = SIGN_IN)]
    SignIn(SignIn),
    /// Have a person text you (reverse OTP)
    ///
    /// With reverse OTP, the person texts a factor from their phone to a number of the service.
    #[command(subcommand, arg_required_else_help = true, after_long_help = REVERSE)]
    Reverse(Reverse),
    /// Run a sandbox that behaves like the service
    ///
    /// The sandbox sends no real texts and needs no account. Its page shows the phones, and control
    /// calls under /sandbox/ act as a phone, move the clock and inject faults. It runs until Ctrl-C or
    /// SIGTERM, both of which stop it with exit status 0.
    #[command(after_long_help = SANDBOX)]
    Sandbox(Sandbox),
    /// Print the completions for a shell
    #[command(after_long_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sent {
    /// The id that `send` printed
    pub(crate) otp_id: String,
}

#[derive(Debug, Args)]
pub(crate) struct SignIn {
    #[command(flatten)]
    pub(crate) recipient: Recipient,
    /// How many codes may be tried
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) attempts: u32,
    /// How long to wait before the first resend. The time doubles with each resend
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) resend_after: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Recipient {
    /// The phone number with its country code, such as +14155552671, or with --region as people dial it
    pub(crate) number: String,
    /// The name of your app, as the text shows it
    #[arg(long, value_name = "APP")]
    pub(crate) name: String,
    /// The language of the text, such as en or pt-br, or auto for the language of this system
    ///
    /// `auto` is the language of `LC_ALL`, `LC_MESSAGES` or `LANG`, and English if the service does
    /// not support it.
    #[arg(long, value_name = "TAG", default_value = "en")]
    pub(crate) language: String,
    #[command(flatten)]
    pub(crate) region: Region,
}

#[derive(Debug, Args)]
pub(crate) struct Region {
    /// Read the number as people in this region write it, such as US for (415) 555-2671
    ///
    /// A two-letter ISO 3166-1 code. Numbers that start with + are international in each region.
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Reverse {
    /// Open a session and show what to text
    ///
    /// Prints the OTP id, and a QR code at a terminal. With --wait, waits for the text as `reverse
    /// wait` does.
    #[command(after_long_help = REVERSE_START)]
    Start(Start),
    /// Print the status of a session
    ///
    /// The status is pending, verified, cancelled or expired. The exit status is 0 for verified, and 3
    /// for the others.
    #[command(after_long_help = REVERSE_STATUS)]
    Status(Session),
    /// Cancel a session, so that a late text verifies no one
    #[command(after_long_help = REVERSE_CANCEL)]
    Cancel(Session),
    /// Wait until the person has texted
    ///
    /// Waits until the person has texted, the session has ended or time is up, and then cancels the
    /// session. Ctrl-C and SIGTERM cancel the session as well, with exit status 130 or 143.
    #[command(after_long_help = REVERSE_WAIT)]
    Wait(Wait),
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The phone that will text, such as +14155552671, or with --region as people dial it
    pub(crate) number: String,
    #[command(flatten)]
    pub(crate) region: Region,
    /// What the person texts, 1 to 16 characters. Defaults to four digits
    #[arg(long, value_name = "TEXT")]
    pub(crate) factor: Option<String>,
    /// The number to text to, if you lease one. Defaults to a number of the service
    #[arg(long, value_name = "NUMBER")]
    pub(crate) to: Option<String>,
    /// The messaging service. Defaults to sms
    #[arg(long, value_parser = PossibleValuesParser::new(["sms", "imessage"]))]
    pub(crate) service: Option<String>,
    /// The language of the instructions, such as en or pt-br, or auto for the language of this system
    #[arg(long, value_name = "TAG", default_value = "en")]
    pub(crate) language: String,
    /// Where the service posts a webhook once the person is verified
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) success_url: Option<String>,
    /// Wait until the person has texted
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) timeout: Timeout,
}

#[derive(Debug, Args)]
pub(crate) struct Session {
    /// The id that `reverse start` printed
    pub(crate) otp_id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) session: Session,
    #[command(flatten)]
    pub(crate) timeout: Timeout,
}

#[derive(Debug, Args)]
pub(crate) struct Timeout {
    /// How long to wait, at most until the session expires
    #[arg(long = "timeout", value_name = "SECONDS", default_value_t = 300)]
    pub(crate) seconds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// The address to listen on. 0.0.0.0 is all addresses of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port to listen on. 0 is a free port
    #[arg(long, default_value_t = 4010)]
    pub(crate) port: u16,
    /// A name or address that requests may be addressed to, in addition to loopback. Repeatable
    ///
    /// Requests with another Host header are refused, so that a web page cannot read codes through a
    /// name of its own.
    #[arg(long = "allow-host", value_name = "NAME")]
    pub(crate) allowed_hosts: Vec<String>,
    /// Make every code this one, 4 to 10 digits. Defaults to random codes
    #[arg(long, value_name = "DIGITS")]
    pub(crate) code: Option<String>,
    /// The secret that signs webhooks. Defaults to a random one
    #[arg(long, value_name = "SECRET")]
    pub(crate) webhook_secret: Option<String>,
    /// Keep messages, codes, sessions and the clock in this file, across restarts
    #[arg(long = "state", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) state_file: Option<PathBuf>,
}

/// Masks the digits of an argument that a usage error would quote: it may be a code or a number.
pub(crate) fn without_digits(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) {
        let masked = argument.replace(|c: char| c.is_numeric(), "•");
        if masked != *argument {
            error.insert(ContextKind::InvalidArg, ContextValue::String(masked));
            let tip = StyledStr::from("quote a number that has spaces; a code is typed or piped, never an argument");
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        }
    }
    error
}

const COMMON: &str = "\
Exit status:
  0         verified, sent or done
  1         refused or failed, and certainly not sent
  2         wrong usage
  3         not verified
  4         may have been sent: do not retry
  130, 143  interrupted by Ctrl-C or SIGTERM

Environment:
  CONTIGUITY_API_KEY   the API key (or CONTIGUITY_TOKEN). It is never an argument.
  CONTIGUITY_BASE_URL  another service, such as a sandbox
  CONTIGUITY_CA_FILE   a file with the certificate authorities to trust instead, in PEM
  CONTIGUITY_ALLOW_INSECURE_HTTP
                       1 to allow plain http to another machine, on a test network
  NO_COLOR             no colors, if set
  HTTPS_PROXY and the other proxy variables, as for curl

Output:
  Results are on standard output. Errors are on standard error, and with --json on standard output.
  With --json, each line is an object with the field `event`. Errors are
  {\"event\":\"error\",\"error\",\"hint\",\"may_have_sent\",\"retryable\",\"status\",\"request_id\",
  \"retry_after\"}. Phone numbers are masked. Codes and your API key are never printed.

Examples:
  Try everything without an account, in two terminals:
    contiguity sandbox
    export CONTIGUITY_BASE_URL=http://127.0.0.1:4010 CONTIGUITY_API_KEY=contiguity_sk_sandbox
    contiguity sign-in +14155552671 --name MyApp";

const SEND: &str = "\
Exit status:
  0  sent
  1  refused or failed, and certainly not sent
  2  wrong usage
  4  may have been sent: do not retry

JSON:
  {\"event\":\"sent\",\"otp_id\",\"number\",\"language\"}

Examples:
  Text a code in English:
    contiguity send +14155552671 --name MyApp
  Text a code to a number as people write it, in the language of this system:
    contiguity send '(415) 555-2671' --region US --name MyApp --language auto
  Keep the id in a script:
    sent=$(contiguity send +14155552671 --name MyApp --json) || exit
    id=$(echo \"$sent\" | jq -r .otp_id)";

const VERIFY: &str = "\
Exit status:
  0  verified
  1  refused or failed; the code was not checked
  2  wrong usage
  3  not verified: the code is wrong, used or expired
  4  the code may have been checked: do not retry

JSON:
  {\"event\":\"verified\",\"otp_id\",\"number\":null}
  {\"event\":\"not_verified\",\"otp_id\",\"reason\"}

Examples:
  Ask for the code:
    contiguity verify otp_123
  Read the code from another program:
    read_code | contiguity verify otp_123 && echo welcome";

const RESEND: &str = "\
Exit status:
  0  sent
  1  refused or failed, and certainly not sent
  2  wrong usage
  4  may have been sent: do not retry

JSON:
  {\"event\":\"resent\",\"otp_id\"}
  {\"event\":\"not_resent\",\"otp_id\",\"reason\",\"retry_after\"}

Examples:
  Text the same code again:
    contiguity resend otp_123";

const SIGN_IN: &str = "\
Exit status:
  0    verified
  1    refused or failed, and certainly not sent
  2    wrong usage
  3    not verified: no attempts are left, the code has expired or the input has ended
  4    may have been sent, or the code may have been checked: do not retry
  130  Ctrl-C

JSON:
  {\"event\":\"sent\",\"otp_id\",\"number\",\"language\"}
  {\"event\":\"resent\",\"otp_id\"}
  {\"event\":\"not_resent\",\"otp_id\",\"reason\",\"retry_after\"}
  {\"event\":\"not_a_code\",\"otp_id\",\"reason\"}
  {\"event\":\"wrong_code\",\"otp_id\",\"attempts_left\"}
  and at the end one of
  {\"event\":\"verified\",\"otp_id\",\"number\"}
  {\"event\":\"not_verified\",\"otp_id\",\"reason\"}

Examples:
  Sign a person in:
    contiguity sign-in +14155552671 --name MyApp
  Run a command only for the owner of a phone:
    contiguity sign-in +14155552671 --name Deploy && ./deploy";

const REVERSE: &str = "\
Examples:
  Open a session, show its QR code and wait for the text:
    contiguity reverse start +14155552671 --wait
  The same in two steps:
    session=$(contiguity reverse start +14155552671 --json) || exit
    id=$(echo \"$session\" | jq -r .otp_id)
    contiguity reverse wait \"$id\"";

const REVERSE_START: &str = "\
Exit status:
  0    opened, or with --wait: verified
  1    refused or failed, and no session was opened
  2    wrong usage
  3    with --wait: not verified
  4    a session may have been opened: do not retry
  130  with --wait: Ctrl-C. The session is cancelled.

JSON:
  {\"event\":\"session\",\"otp_id\",\"number\",\"factor\",\"to\",\"service\",\"link\",\"seconds_left\"}
  With --wait, the lines of `reverse wait` follow. `link` opens the text on the person's phone.

Examples:
  Open a session, show its QR code and wait for the text:
    contiguity reverse start +14155552671 --factor MyApp2024 --wait
  Open a session and print the link for the phone:
    contiguity reverse start +14155552671 --json | jq -r .link";

const REVERSE_STATUS: &str = "\
Exit status:
  0  verified
  1  the status could not be read
  2  wrong usage
  3  not verified, or not yet

JSON:
  {\"event\":\"status\",\"otp_id\",\"status\",\"verified\",\"seconds_left\"}

Examples:
  Ask whether the person has texted:
    contiguity reverse status otp_123 && echo welcome";

const REVERSE_CANCEL: &str = "\
Exit status:
  0  cancelled
  1  refused or failed. A verified or expired session cannot be cancelled.
  2  wrong usage
  4  may have been cancelled: see its status

JSON:
  {\"event\":\"cancelled\",\"otp_id\",\"status\"}

Examples:
  Cancel a session:
    contiguity reverse cancel otp_123";

const REVERSE_WAIT: &str = "\
Exit status:
  0    verified
  1    the status could not be read
  2    wrong usage
  3    not verified: the session has expired or was cancelled, or time is up
  130  Ctrl-C. The session is cancelled. 143 for SIGTERM.

JSON:
  {\"event\":\"verified\",\"otp_id\",\"number\"}
  {\"event\":\"not_verified\",\"otp_id\",\"reason\"}
  {\"event\":\"cancelled\",\"otp_id\",\"status\"} after a signal

Examples:
  Wait for up to two minutes:
    contiguity reverse wait otp_123 --timeout 120";

const SANDBOX: &str = "\
Exit status:
  0  stopped by Ctrl-C or SIGTERM. The state file is complete.
  1  could not start: the port is taken or not allowed, or a setting or the state file is invalid
  2  wrong usage

JSON:
  {\"event\":\"listening\",\"url\",\"api_key\",\"webhook_secret\",\"allowed_hosts\",\"state_file\"}
  {\"event\":\"stopped\"}

Examples:
  Run a sandbox and open its page, http://127.0.0.1:4010/:
    contiguity sandbox
  Use the same code in every test, and keep messages and sessions in a file:
    contiguity sandbox --code 123456 --state sandbox.json
  Run it in a container that others reach as sandbox:
    contiguity sandbox --host 0.0.0.0 --allow-host sandbox
  Wait until it is up, in a script:
    curl --retry 20 --retry-connrefused http://127.0.0.1:4010/sandbox/messages
  Read the newest code of a phone:
    curl http://127.0.0.1:4010/sandbox/phones/+14155552671";

const COMPLETIONS: &str = "\
Examples:
  bash:
    contiguity completions bash > ~/.local/share/bash-completion/completions/contiguity
  zsh, for a directory in fpath:
    contiguity completions zsh > ~/.zfunc/_contiguity
  fish:
    contiguity completions fish > ~/.config/fish/completions/contiguity.fish";
