//! Recipes for common tasks.
//!
//! Each recipe is complete. The programs are compiled and run as tests of this crate, on the
//! [sandbox], which needs no account. Where a recipe needs a feature, a `cargo add` line names it.
//!
//! | to | see |
//! |---|---|
//! | text a code from a script | [A script](#a-script) |
//! | ask for a code in a terminal | [A command-line tool](#a-command-line-tool) |
//! | sign people in on a website | [A web handler](#a-web-handler) |
//! | send from several threads | [Threads](#threads) |
//! | call from tokio, axum or actix-web | [Async programs](#async-programs) |
//! | test your own code without an account | [Testing](#testing) |
//! | learn at once that a person has texted you | [A webhook receiver](#a-webhook-receiver) |
//! | get through a company's network | [Proxies and certificates](#proxies-and-certificates) |
//! | see what the client does | [Logging](#logging) |
//! | respond to a failed call | [HTTP statuses](#http-statuses) |
//! | port a JavaScript program | [From the JavaScript SDK](#from-the-javascript-sdk) |
//!
//! # A script
//!
//! A script is a small project. Create it once, and put the program below in `src/main.rs`:
//!
//! ```text
//! cargo new verify-number
//! cd verify-number
//! cargo add contiguity
//! ```
//!
//! ```standalone_crate
//! # mod script {
//! use std::error::Error;
//!
//! use contiguity::{Client, NewOtp};
//!
//! # pub
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let number = std::env::args().nth(1).ok_or("no phone number")?;
//!     let client = Client::from_env()?;
//!     let sent = NewOtp::to(number)
//!         .language("en")
//!         .name("MyApp")
//!         .send(&client)?;
//!
//!     eprintln!("Code:");
//!     let code = std::io::stdin().lines().next().ok_or("no code")??;
//!     let proof = sent.verify(code).send(&client)?.proof()?;
//!     println!("verified {}", proof.number().ok_or("no number")?);
//!     Ok(())
//! }
//! # }
//! # // Runs this program again as the script, on a sandbox.
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     use std::process::{Command, Stdio};
//! #     if std::env::args().len() > 1 {
//! #         return script::main();
//! #     }
//! #     let sandbox = contiguity::sandbox::Sandbox::builder().code("123456").start()?;
//! #     let mut script = Command::new(std::env::current_exe()?)
//! #         .arg("+14155552671")
//! #         .env("CONTIGUITY_API_KEY", sandbox.api_key())
//! #         .env("CONTIGUITY_BASE_URL", sandbox.url())
//! #         .stdin(Stdio::piped())
//! #         .stdout(Stdio::piped())
//! #         .spawn()?;
//! #     std::io::Write::write_all(&mut script.stdin.take().unwrap(), b"123456\n")?;
//! #     let output = script.wait_with_output()?;
//! #     assert!(output.status.success());
//! #     assert_eq!(output.stdout, b"verified +14155552671\n");
//! #     Ok(())
//! # }
//! ```
//!
//! ```text
//! export CONTIGUITY_API_KEY=…
//! cargo run -- +14155552671
//! ```
//!
//! `cargo install --path .` makes it a command. The program ends with status 1 and a message if
//! anything fails, a wrong code included.
//!
//! With a nightly toolchain, the script can be a single file. [Cargo scripts][cargo-script] are not
//! stable yet. The dependencies are at the top of the file, and `fn main` follows as above:
//!
//! ```text
//! #!/usr/bin/env -S cargo +nightly -Zscript
//! ---
//! package.edition = "2024"
//!
//! [dependencies]
//! contiguity = "0.1"
//! ---
//! ```
//!
//! ```text
//! chmod +x verify-number.rs
//! ./verify-number.rs +14155552671
//! ```
//!
//! # A command-line tool
//!
//! This program reads a number as people type it, and allows three attempts. A [`Challenge`] counts
//! them. `sign_in` takes the client and the input as parameters, so [tests](#testing) can call it.
//!
//! ```
//! # mod program {
//! use std::error::Error;
//! use std::io::{self, BufRead};
//! use std::process::ExitCode;
//!
//! use contiguity::{
//!     Attempt, Client, NewOtp, PhoneNumber, Policy, Verified,
//! };
//!
//! fn main() -> ExitCode {
//!     match run() {
//!         Ok(Some(proof)) => {
//!             println!("Signed in (session {}).", proof.otp_id());
//!             ExitCode::SUCCESS
//!         }
//!         Ok(None) => ExitCode::FAILURE,
//!         Err(error) => {
//!             eprintln!("my-app: {error}");
//!             ExitCode::from(2)
//!         }
//!     }
//! }
//!
//! fn run() -> Result<Option<Verified>, Box<dyn Error>> {
//!     sign_in(&Client::from_env()?, &mut io::stdin().lock())
//! }
//!
//! # pub
//! fn sign_in(
//!     client: &Client,
//!     input: &mut impl BufRead,
//! ) -> Result<Option<Verified>, Box<dyn Error>> {
//!     // Numbers without a + are read as they are dialed in the US.
//!     let typed = ask("Phone number:", input)?;
//!     let number = PhoneNumber::from_user_input(&typed, "US")?;
//!
//!     let otp = NewOtp::to(number).language("en").name("MyApp");
//!     let policy = Policy::DEFAULT.attempts(3);
//!     let mut challenge = otp.challenge(client, policy)?;
//!
//!     while challenge.attempts_left() > 0 {
//!         match challenge.verify(client, ask("Code:", input)?) {
//!             Ok(Attempt::Verified(proof)) => return Ok(Some(proof)),
//!             Ok(Attempt::Wrong { .. }) => eprintln!("Wrong code."),
//!             // Not a code, so nothing was sent and no attempt was used.
//!             Err(contiguity::Error::Validation(_)) => {
//!                 eprintln!("Please enter the digits of the code.");
//!             }
//!             Err(error) => return Err(error.into()),
//!         }
//!     }
//!     Ok(None)
//! }
//!
//! fn ask(question: &str, input: &mut impl BufRead) -> io::Result<String> {
//!     eprintln!("{question}");
//!     let mut line = String::new();
//!     if input.read_line(&mut line)? == 0 {
//!         return Err(io::ErrorKind::UnexpectedEof.into());
//!     }
//!     Ok(line.trim().to_owned())
//! }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let sandbox = contiguity::sandbox::Sandbox::builder().code("123456").start()?;
//! #     let typed = |text: &'static str| program::sign_in(&sandbox.client(), &mut text.as_bytes());
//! #     assert!(typed("(415) 555-2671\n000000\n12\n123 456\n")?.is_some());
//! #     assert!(typed("(415) 555-2671\n1111\n2222\n3333\n4444\n")?.is_none());
//! #     assert!(typed("(415) 555-2671\n1111\n").is_err());
//! #     assert!(typed("911\n").is_err());
//! #     Ok(())
//! # }
//! ```
//!
//! The example [`sign_in`] adds resends and a [guard]. [`Language::negotiate`] picks the language
//! of the message from a locale such as `LANG`.
//!
//! # A web handler
//!
//! ```text
//! cargo add contiguity --features guard
//! ```
//!
//! These functions fit any synchronous web framework. A [guard] limits texts and attempts, and a
//! [`Challenge`] in the person's session keeps the sign-in. The session must be on the server, and
//! must be saved after each request, whatever the outcome.
//!
//! ```
//! use std::net::IpAddr;
//!
//! use contiguity::guard::{Guard, Guarded};
//! use contiguity::{
//!     Attempt, Challenge, Client, Error, Limit, NewOtp, PhoneNumber, Policy,
//! };
//!
//! /// What your framework stores for a person.
//! #[derive(Default)]
//! struct Session {
//!     challenge: Option<Challenge>,
//!     user: Option<PhoneNumber>,
//! }
//!
//! /// Called once. Sets your budget, and the countries of your users.
//! fn guarded(client: Client) -> Result<Guarded, Error> {
//!     let budget = [Limit::per_hour(500), Limit::per_day(2_000)];
//!     let guard = Guard::total(budget)
//!         .only(["US", "CA", "GB"])
//!         .deny(["+1900", "+4470"]) // premium-rate and personal numbers
//!         .build()?;
//!     Ok(client.guarded(guard))
//! }
//!
//! /// POST /sign-in
//! fn sign_in(
//!     app: &Guarded,
//!     session: &mut Session,
//!     ip: IpAddr,
//!     typed: &str,
//! ) -> Result<String, Error> {
//!     // Numbers without a + are read as they are dialed in the US.
//!     let number = PhoneNumber::from_user_input(typed, "US")?;
//!     let otp = NewOtp::to(number).language("en").name("MyApp");
//!     let challenge = otp.challenge(&app.by(ip), Policy::DEFAULT)?;
//!     session.challenge = Some(challenge);
//!     Ok("We have texted you a code.".to_owned())
//! }
//!
//! /// POST /code
//! fn code(
//!     app: &Guarded,
//!     session: &mut Session,
//!     ip: IpAddr,
//!     typed: &str,
//! ) -> Result<String, Error> {
//!     let Some(challenge) = &mut session.challenge else {
//!         return Ok("Please start with your number.".to_owned());
//!     };
//!     match challenge.verify(&app.by(ip), typed)? {
//!         Attempt::Verified(proof) => {
//!             // The number of the proof, not one that the form contains.
//!             session.user = proof.number();
//!             session.challenge = None;
//!             Ok("Welcome!".to_owned())
//!         }
//!         Attempt::Wrong { attempts_left } => {
//!             Ok(format!("Wrong code. Attempts left: {attempts_left}."))
//!         }
//!     }
//! }
//!
//! /// POST /resend
//! fn resend(
//!     app: &Guarded,
//!     session: &mut Session,
//!     ip: IpAddr,
//! ) -> Result<String, Error> {
//!     let Some(challenge) = &mut session.challenge else {
//!         return Ok("Please start with your number.".to_owned());
//!     };
//!     challenge.resend(&app.by(ip))?;
//!     Ok("We have texted you the code again.".to_owned())
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let sandbox = contiguity::sandbox::Sandbox::builder().code("123456").start()?;
//! #     let (app, ip, mut session) = (guarded(sandbox.client())?, "203.0.113.7".parse()?, Session::default());
//! #     assert_eq!(code(&app, &mut session, ip, "123456")?, "Please start with your number.");
//! #     assert!(matches!(sign_in(&app, &mut session, ip, "911"), Err(Error::Validation(_))));
//! #     sign_in(&app, &mut session, ip, "(415) 555-2671")?;
//! #     assert_eq!(code(&app, &mut session, ip, "000000")?, "Wrong code. Attempts left: 4.");
//! #     assert!(matches!(resend(&app, &mut session, ip), Err(Error::Refused(_))));
//! #     sandbox.advance(std::time::Duration::from_secs(60));
//! #     resend(&app, &mut session, ip)?;
//! #     assert_eq!(code(&app, &mut session, ip, "123456")?, "Welcome!");
//! #     assert_eq!(session.user.unwrap(), "+14155552671");
//! #     for number in ["+33612345678", "+19005551234", "+447012345678"] {
//! #         let refused = sign_in(&app, &mut session, ip, number).unwrap_err();
//! #         assert!(matches!(refused, Error::Refused(refusal) if refusal.reason() == contiguity::Reason::Destination));
//! #     }
//! #     Ok(())
//! # }
//! ```
//!
//! - `ip` must be the person's address. [Behind a proxy][guard-proxy], it is in a header that your
//!   proxy sets.
//! - [HTTP statuses](#http-statuses) turns the errors into responses.
//! - Give the session a new id when the person is signed in, so that an id that a stranger planted
//!   is worthless.
//! - Protect the forms against cross-site requests, as your framework recommends.
//!
//! The example [`server`] is a complete program.
//!
//! # Threads
//!
//! A [`Client`] holds a pool of connections, and can be used from any number of threads at once.
//! Create one, and lend it to scoped threads:
//!
//! ```
//! use std::thread;
//!
//! use contiguity::{Client, Error, NewOtp, SentOtp};
//!
//! /// Texts a code to each number, all at the same time.
//! fn text_all(
//!     client: &Client,
//!     numbers: &[&str],
//! ) -> Vec<Result<SentOtp, Error>> {
//!     let text = |number: &str| {
//!         NewOtp::to(number).language("en").name("MyApp").send(client)
//!     };
//!     thread::scope(|scope| {
//!         let threads: Vec<_> = numbers
//!             .iter()
//!             .map(|number| scope.spawn(|| text(number)))
//!             .collect();
//!         threads
//!             .into_iter()
//!             .map(|thread| thread.join().expect("no panic"))
//!             .collect()
//!     })
//! }
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let sent = text_all(&sandbox.client(), &["+14155552671", "1", "+14155552672"]);
//! # assert!(sent[0].is_ok() && sent[1].is_err() && sent[2].is_ok());
//! # assert_eq!(sandbox.requests().len(), 2);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Give a clone to a thread that outlives its creator. Clones are cheap and share the connections:
//!
//! ```
//! use std::sync::mpsc;
//! use std::thread;
//!
//! use contiguity::{Client, NewOtp};
//!
//! /// Starts a thread that texts a code to each number it receives.
//! fn start(client: &Client) -> (mpsc::Sender<String>, thread::JoinHandle<()>) {
//!     let client = client.clone();
//!     let (sender, numbers) = mpsc::channel::<String>();
//!     let thread = thread::spawn(move || {
//!         for number in numbers {
//!             let otp = NewOtp::to(number).language("en").name("MyApp");
//!             match otp.send(&client) {
//!                 Ok(sent) => println!("sent {}", sent.otp_id),
//!                 Err(error) => eprintln!("{error}"),
//!             }
//!         }
//!     });
//!     (sender, thread)
//! }
//! # let sandbox = contiguity::sandbox::Sandbox::start()?;
//! # let (sender, thread) = start(&sandbox.client());
//! # sender.send("+14155552671".to_owned())?;
//! # drop(sender);
//! # thread.join().unwrap();
//! # assert_eq!(sandbox.deliveries("+14155552671"), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Async programs
//!
//! Calls block, so an async program moves them to a thread for blocking work. With tokio that is
//! `spawn_blocking`:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! use contiguity::{
//!     Challenge, Client, Error, NewOtp, PhoneNumber, Policy,
//! };
//!
//! /// Stands in for your framework's session store.
//! type Sessions = Arc<Mutex<HashMap<String, Challenge>>>;
//!
//! /// POST /sign-in
//! async fn sign_in(
//!     client: Client,
//!     sessions: Sessions,
//!     session_id: String,
//!     number: String,
//! ) -> Result<(), Error> {
//!     let call = move || {
//!         let number = PhoneNumber::from_user_input(&number, "US")?;
//!         let otp = NewOtp::to(number).language("en").name("MyApp");
//!         let challenge = otp.challenge(&client, Policy::DEFAULT)?;
//!         // Saved here, even if no one awaits the result any more.
//!         sessions.lock().unwrap().insert(session_id, challenge);
//!         Ok(())
//!     };
//!     tokio::task::spawn_blocking(call).await.expect("no panic")
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     use contiguity::sandbox::{Fault, Sandbox};
//! #     use std::time::Duration;
//! #     let sandbox = Sandbox::start()?;
//! #     let sessions = Sessions::default();
//! #     let call = |id: &str| {
//! #         let (sessions, number) = (Arc::clone(&sessions), "+14155552671".to_owned());
//! #         sign_in(sandbox.client(), sessions, id.to_owned(), number)
//! #     };
//! #     let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! #     runtime.block_on(call("patient"))?;
//! #     // The person goes away while the text is being sent.
//! #     sandbox.fail_next(Fault::delay(Duration::from_millis(100)));
//! #     let gone = async { tokio::time::timeout(Duration::ZERO, call("gone")).await };
//! #     assert!(runtime.block_on(gone).is_err());
//! #     let is_saved = || sessions.lock().unwrap().contains_key("gone");
//! #     assert!(!is_saved());
//! #     let began = std::time::Instant::now();
//! #     while !is_saved() && began.elapsed() < Duration::from_secs(30) {
//! #         std::thread::yield_now();
//! #     }
//! #     assert!(is_saved());
//! #     assert_eq!(sandbox.deliveries("+14155552671"), 2);
//! #     Ok(())
//! # }
//! ```
//!
//! With a [guard], move the client that `app.by(ip)` returns into the closure in the same way. Other
//! runtimes have a similar function, such as `smol::unblock`.
//!
//! **Cancelling does not stop a call.** Web frameworks drop a handler's future when the browser
//! disconnects. A dropped future, an aborted task or a `tokio::time::timeout` around it only loses
//! the result: the call runs to its end, and the text is sent. Therefore:
//!
//! - Save what the call returns inside the closure, as above. The code that arrives on the phone
//!   then works, although the response was lost.
//! - Limit the time with [`ClientBuilder::timeout`] or [`Client::with_timeout`] instead of a
//!   timeout of the runtime. The error then reports whether a text may be on its way
//!   ([`Error::may_have_sent`]).
//! - When the runtime is dropped, tokio waits for calls that have begun. A call takes up to the
//!   client's timeout, which is 30 seconds by default.
//! - Do not wait for a reverse OTP on such a thread, which would be occupied for minutes. Use a
//!   [webhook](#a-webhook-receiver), or send a [`VerifyReverseOtp`] each time that the page asks.
//!
//! # Testing
//!
//! ```text
//! cargo add contiguity --dev --features sandbox
//! ```
//!
//! Let your functions take the client as a parameter. Tests then pass a client of a [sandbox],
//! which starts in milliseconds and stops when it is dropped. Each test starts its own, so tests
//! can run in parallel. The tests in this section are for these two functions, in `src/lib.rs` of a
//! package named `my_app`. Each test is a file in `tests/`:
//!
//! ```
//! use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy};
//!
//! /// Texts a code to a number.
//! pub fn start(client: &Client, number: &str) -> Result<Challenge, Error> {
//!     let otp = NewOtp::to(number).language("en").name("MyApp");
//!     otp.challenge(client, Policy::DEFAULT)
//! }
//!
//! /// Checks a code, and returns what to show to the person.
//! pub fn finish(
//!     client: &Client,
//!     challenge: &mut Challenge,
//!     typed: &str,
//! ) -> String {
//!     match challenge.verify(client, typed) {
//!         Ok(Attempt::Verified(_)) => "Welcome!".to_owned(),
//!         Ok(Attempt::Wrong { .. }) => "Wrong code.".to_owned(),
//!         Err(Error::Refused(refusal)) => refusal.advice(),
//!         Err(_) => "Please try again.".to_owned(),
//!     }
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let sandbox = contiguity::sandbox::Sandbox::builder().code("123456").start()?;
//! #     let client = sandbox.client();
//! #     let mut challenge = start(&client, "+14155552671")?;
//! #     for (typed, shown) in [("000000", "Wrong code."), ("12", "Please try again."), ("123456", "Welcome!")] {
//! #         assert_eq!(finish(&client, &mut challenge, typed), shown);
//! #     }
//! #     Ok(())
//! # }
//! ```
//!
//! ## A unit test
//!
//! The test reads the code from the phone that it was sent to.
//!
//! ```
//! # mod my_app {
//! # use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy};
//! #
//! # /// Texts a code to a number.
//! # pub fn start(client: &Client, number: &str) -> Result<Challenge, Error> {
//! #     let otp = NewOtp::to(number).language("en").name("MyApp");
//! #     otp.challenge(client, Policy::DEFAULT)
//! # }
//! #
//! # /// Checks a code, and returns what to show to the person.
//! # pub fn finish(
//! #     client: &Client,
//! #     challenge: &mut Challenge,
//! #     typed: &str,
//! # ) -> String {
//! #     match challenge.verify(client, typed) {
//! #         Ok(Attempt::Verified(_)) => "Welcome!".to_owned(),
//! #         Ok(Attempt::Wrong { .. }) => "Wrong code.".to_owned(),
//! #         Err(Error::Refused(refusal)) => refusal.advice(),
//! #         Err(_) => "Please try again.".to_owned(),
//! #     }
//! # }
//! # }
//! use contiguity::sandbox::Sandbox;
//! use my_app::{finish, start};
//!
//! # /*
//! #[test]
//! # */
//! fn the_right_code_signs_in() {
//!     let sandbox = Sandbox::start().unwrap();
//!     let client = sandbox.client();
//!
//!     let mut challenge = start(&client, "+14155552671").unwrap();
//!     let code = sandbox.phone("+14155552671").last_code().unwrap();
//!     assert_eq!(finish(&client, &mut challenge, &code), "Welcome!");
//! }
//! # fn main() { the_right_code_signs_in() }
//! ```
//!
//! ## A fault
//!
//! [`fail_next`] makes the next request fail. This gateway loses the response after the text was
//! sent. The test checks that `start` reports it and does not send another text.
//!
//! ```
//! # mod my_app {
//! # use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy};
//! #
//! # /// Texts a code to a number.
//! # pub fn start(client: &Client, number: &str) -> Result<Challenge, Error> {
//! #     let otp = NewOtp::to(number).language("en").name("MyApp");
//! #     otp.challenge(client, Policy::DEFAULT)
//! # }
//! #
//! # /// Checks a code, and returns what to show to the person.
//! # pub fn finish(
//! #     client: &Client,
//! #     challenge: &mut Challenge,
//! #     typed: &str,
//! # ) -> String {
//! #     match challenge.verify(client, typed) {
//! #         Ok(Attempt::Verified(_)) => "Welcome!".to_owned(),
//! #         Ok(Attempt::Wrong { .. }) => "Wrong code.".to_owned(),
//! #         Err(Error::Refused(refusal)) => refusal.advice(),
//! #         Err(_) => "Please try again.".to_owned(),
//! #     }
//! # }
//! # }
//! use contiguity::sandbox::{Fault, Sandbox};
//! use my_app::start;
//!
//! # /*
//! #[test]
//! # */
//! fn a_lost_response_sends_no_second_text() {
//!     let sandbox = Sandbox::start().unwrap();
//!     sandbox.fail_next(Fault::status(502).after_acting());
//!
//!     let error = start(&sandbox.client(), "+14155552671").unwrap_err();
//!     assert!(error.may_have_sent());
//!     assert_eq!(sandbox.deliveries("+14155552671"), 1);
//! }
//! # fn main() { a_lost_response_sends_no_second_text() }
//! ```
//!
//! [`fail_always`] makes requests fail until [`heal`] is called. A [fault][Fault] can be limited to
//! an endpoint or a number.
//!
//! ## The clock
//!
//! [`advance`] moves the clock of the sandbox and of its clients, without sleeping. Its clients are
//! those of [`Sandbox::client`] and, for other settings, [`Sandbox::client_builder`].
//!
//! ```
//! # mod my_app {
//! # use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy};
//! #
//! # /// Texts a code to a number.
//! # pub fn start(client: &Client, number: &str) -> Result<Challenge, Error> {
//! #     let otp = NewOtp::to(number).language("en").name("MyApp");
//! #     otp.challenge(client, Policy::DEFAULT)
//! # }
//! #
//! # /// Checks a code, and returns what to show to the person.
//! # pub fn finish(
//! #     client: &Client,
//! #     challenge: &mut Challenge,
//! #     typed: &str,
//! # ) -> String {
//! #     match challenge.verify(client, typed) {
//! #         Ok(Attempt::Verified(_)) => "Welcome!".to_owned(),
//! #         Ok(Attempt::Wrong { .. }) => "Wrong code.".to_owned(),
//! #         Err(Error::Refused(refusal)) => refusal.advice(),
//! #         Err(_) => "Please try again.".to_owned(),
//! #     }
//! # }
//! # }
//! use std::time::Duration;
//!
//! use contiguity::sandbox::Sandbox;
//! use my_app::{finish, start};
//!
//! # /*
//! #[test]
//! # */
//! fn a_challenge_expires_after_ten_minutes() {
//!     let sandbox = Sandbox::start().unwrap();
//!     let client = sandbox.client();
//!     let mut challenge = start(&client, "+14155552671").unwrap();
//!     let code = sandbox.phone("+14155552671").last_code().unwrap();
//!
//!     sandbox.advance(Duration::from_secs(10 * 60));
//!     assert_eq!(
//!         finish(&client, &mut challenge, &code),
//!         "Please ask for a new code. This one has expired.",
//!     );
//! }
//! # fn main() { a_challenge_expires_after_ten_minutes() }
//! ```
//!
//! ## A fixed code
//!
//! With a fixed code, a test needs no access to the sandbox to type it. That suits tests that drive
//! a browser.
//!
//! ```
//! # mod my_app {
//! # use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy};
//! #
//! # /// Texts a code to a number.
//! # pub fn start(client: &Client, number: &str) -> Result<Challenge, Error> {
//! #     let otp = NewOtp::to(number).language("en").name("MyApp");
//! #     otp.challenge(client, Policy::DEFAULT)
//! # }
//! #
//! # /// Checks a code, and returns what to show to the person.
//! # pub fn finish(
//! #     client: &Client,
//! #     challenge: &mut Challenge,
//! #     typed: &str,
//! # ) -> String {
//! #     match challenge.verify(client, typed) {
//! #         Ok(Attempt::Verified(_)) => "Welcome!".to_owned(),
//! #         Ok(Attempt::Wrong { .. }) => "Wrong code.".to_owned(),
//! #         Err(Error::Refused(refusal)) => refusal.advice(),
//! #         Err(_) => "Please try again.".to_owned(),
//! #     }
//! # }
//! # }
//! use contiguity::sandbox::Sandbox;
//! use my_app::{finish, start};
//!
//! # /*
//! #[test]
//! # */
//! fn everyone_gets_the_same_code() {
//!     let sandbox = Sandbox::builder().code("123456").start().unwrap();
//!     let client = sandbox.client();
//!
//!     let mut challenge = start(&client, "+14155552671").unwrap();
//!     assert_eq!(finish(&client, &mut challenge, "000000"), "Wrong code.");
//!     assert_eq!(finish(&client, &mut challenge, "123456"), "Welcome!");
//! }
//! # fn main() { everyone_gets_the_same_code() }
//! ```
//!
//! ## The requests
//!
//! [`requests`] returns every request with its body and its response, retries included.
//!
//! ```
//! # mod my_app {
//! # use contiguity::{Attempt, Challenge, Client, Error, NewOtp, Policy};
//! #
//! # /// Texts a code to a number.
//! # pub fn start(client: &Client, number: &str) -> Result<Challenge, Error> {
//! #     let otp = NewOtp::to(number).language("en").name("MyApp");
//! #     otp.challenge(client, Policy::DEFAULT)
//! # }
//! #
//! # /// Checks a code, and returns what to show to the person.
//! # pub fn finish(
//! #     client: &Client,
//! #     challenge: &mut Challenge,
//! #     typed: &str,
//! # ) -> String {
//! #     match challenge.verify(client, typed) {
//! #         Ok(Attempt::Verified(_)) => "Welcome!".to_owned(),
//! #         Ok(Attempt::Wrong { .. }) => "Wrong code.".to_owned(),
//! #         Err(Error::Refused(refusal)) => refusal.advice(),
//! #         Err(_) => "Please try again.".to_owned(),
//! #     }
//! # }
//! # }
//! use contiguity::sandbox::Sandbox;
//! use my_app::{finish, start};
//!
//! # /*
//! #[test]
//! # */
//! fn text_that_is_not_a_code_is_not_sent() {
//!     let sandbox = Sandbox::start().unwrap();
//!     let client = sandbox.client();
//!     let mut challenge = start(&client, "+14155552671").unwrap();
//!     finish(&client, &mut challenge, "hello");
//!
//!     let requests = sandbox.requests();
//!     assert_eq!(requests.len(), 1);
//!     assert_eq!(requests[0].path, "/otp/new");
//!     assert_eq!(
//!         requests[0].body,
//!         r#"{"to":"+14155552671","language":"en","name":"MyApp"}"#,
//!     );
//!     assert_eq!(requests[0].status, Some(200));
//! }
//! # fn main() { text_that_is_not_a_code_is_not_sent() }
//! ```
//!
//! # A webhook receiver
//!
//! ```text
//! cargo add contiguity --features webhook
//! ```
//!
//! When a reverse OTP has a [`success_url`], the service posts to it as soon as the person has
//! texted. This function fits any HTTP server. Pass it the raw body (read up to 64 KiB) and the
//! `Contiguity-Signature` header.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//!
//! use contiguity::webhook::{Event, Verifier};
//! use contiguity::{OtpId, Verified};
//!
//! /// The sessions that you started. Use a table in your database.
//! pub type Sessions = Mutex<HashMap<OtpId, Session>>;
//!
//! pub enum Session {
//!     Waiting,
//!     SignedIn(Verified),
//! }
//!
//! /// POST /otp-verified. Returns the status to respond with.
//! pub fn receive(
//!     verifier: &Verifier,
//!     sessions: &Sessions,
//!     body: &[u8],
//!     signature: Option<&str>,
//! ) -> u16 {
//!     let event = match verifier.verify(body, signature) {
//!         Ok(Event::OtpReverseVerified(event)) => event,
//!         // An event of another kind. With 200, it is not sent again.
//!         Ok(_) => return 200,
//!         // Anyone can post to a public URL.
//!         Err(error) => {
//!             eprintln!("refused a webhook: {error}");
//!             return 401;
//!         }
//!     };
//!     // An unknown session is ignored, and so is a second copy of an event.
//!     let mut sessions = sessions.lock().unwrap();
//!     if let Some(session) = sessions.get_mut(event.otp_id()) {
//!         if matches!(session, Session::Waiting) {
//!             *session = Session::SignedIn(event.proof());
//!         }
//!     }
//!     200
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let verifier = Verifier::new("whsec_example")?;
//! #     let otp_id: OtpId = "r_1".parse()?;
//! #     let sessions = Sessions::default();
//! #     sessions.lock().unwrap().insert(otp_id.clone(), Session::Waiting);
//! #     let body = br#"{"id":"evt_1","type":"otp.reverse.verified","data":
//! #         {"otp_id":"r_1","number":"+14155552671","status":"verified"}}"#;
//! #     let now = std::time::UNIX_EPOCH.elapsed()?.as_secs();
//! #     let signature = contiguity::webhook::sign("whsec_example", now, body);
//! #     assert_eq!(receive(&verifier, &sessions, body, None), 401);
//! #     assert!(matches!(sessions.lock().unwrap()[&otp_id], Session::Waiting));
//! #     for _ in 0..2 {
//! #         assert_eq!(receive(&verifier, &sessions, body, Some(&signature)), 200);
//! #         assert!(matches!(sessions.lock().unwrap()[&otp_id], Session::SignedIn(_)));
//! #     }
//! #     Ok(())
//! # }
//! ```
//!
//! Create the verifier once, with the endpoint's signing secret:
//! `Verifier::new(std::env::var("CONTIGUITY_WEBHOOK_SECRET")?)?`. Contiguity issues the secret, and
//! `contiguity sandbox` prints its own. When you start a reverse OTP, store its id as `Waiting`. Only
//! the browser that started it may then be signed in.
//!
//! A test signs a body as the service does:
//!
//! ```
//! # mod my_app {
//! # use std::collections::HashMap;
//! # use std::sync::Mutex;
//! #
//! # use contiguity::webhook::{Event, Verifier};
//! # use contiguity::{OtpId, Verified};
//! #
//! # /// The sessions that you started. Use a table in your database.
//! # pub
//! # type Sessions = Mutex<HashMap<OtpId, Session>>;
//! #
//! # pub
//! # enum Session {
//! #     Waiting,
//! #     SignedIn(Verified),
//! # }
//! #
//! # /// POST /otp-verified. Returns the status to respond with.
//! # pub
//! # fn receive(
//! #     verifier: &Verifier,
//! #     sessions: &Sessions,
//! #     body: &[u8],
//! #     signature: Option<&str>,
//! # ) -> u16 {
//! #     let event = match verifier.verify(body, signature) {
//! #         Ok(Event::OtpReverseVerified(event)) => event,
//! #         // An event of another kind. With 200, it is not sent again.
//! #         Ok(_) => return 200,
//! #         // Anyone can post to a public URL.
//! #         Err(error) => {
//! #             eprintln!("refused a webhook: {error}");
//! #             return 401;
//! #         }
//! #     };
//! #     // An unknown session is ignored, and so is a second copy of an event.
//! #     let mut sessions = sessions.lock().unwrap();
//! #     if let Some(session) = sessions.get_mut(event.otp_id()) {
//! #         if matches!(session, Session::Waiting) {
//! #             *session = Session::SignedIn(event.proof());
//! #         }
//! #     }
//! #     200
//! # }
//! # }
//! use std::time::UNIX_EPOCH;
//!
//! use contiguity::OtpId;
//! use contiguity::webhook::{self, Verifier};
//! use my_app::{Session, Sessions, receive};
//!
//! # /*
//! #[test]
//! # */
//! fn only_a_signed_webhook_signs_in() {
//!     let verifier = Verifier::new("whsec_example").unwrap();
//!     let otp_id: OtpId = "r_otp_123456".parse().unwrap();
//!     let sessions = Sessions::default();
//!     let waiting = (otp_id.clone(), Session::Waiting);
//!     sessions.lock().unwrap().extend([waiting]);
//!
//!     let body = br#"{
//!         "id": "evt_1",
//!         "type": "otp.reverse.verified",
//!         "data": {
//!             "otp_id": "r_otp_123456",
//!             "number": "+14155552671",
//!             "status": "verified"
//!         }
//!     }"#;
//!     let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
//!     let signed = webhook::sign("whsec_example", now, body);
//!     let forged = webhook::sign("whsec_forged", now, body);
//!
//!     assert_eq!(receive(&verifier, &sessions, body, Some(&forged)), 401);
//!     assert_eq!(receive(&verifier, &sessions, body, Some(&signed)), 200);
//!     let session = sessions.lock().unwrap().remove(&otp_id);
//!     assert!(matches!(session, Some(Session::SignedIn(_))));
//! }
//! # fn main() { only_a_signed_webhook_signs_in() }
//! ```
//!
//! The [sandbox] tests the whole way: the person texts, the webhook arrives over HTTP, and `receive`
//! verifies it. Any address on loopback can be the `success_url`.
//!
//! ```text
//! cargo add contiguity --dev --features sandbox
//! ```
//!
//! ```
//! # mod my_app {
//! # use std::collections::HashMap;
//! # use std::sync::Mutex;
//! #
//! # use contiguity::webhook::{Event, Verifier};
//! # use contiguity::{OtpId, Verified};
//! #
//! # /// The sessions that you started. Use a table in your database.
//! # pub
//! # type Sessions = Mutex<HashMap<OtpId, Session>>;
//! #
//! # pub
//! # enum Session {
//! #     Waiting,
//! #     SignedIn(Verified),
//! # }
//! #
//! # /// POST /otp-verified. Returns the status to respond with.
//! # pub
//! # fn receive(
//! #     verifier: &Verifier,
//! #     sessions: &Sessions,
//! #     body: &[u8],
//! #     signature: Option<&str>,
//! # ) -> u16 {
//! #     let event = match verifier.verify(body, signature) {
//! #         Ok(Event::OtpReverseVerified(event)) => event,
//! #         // An event of another kind. With 200, it is not sent again.
//! #         Ok(_) => return 200,
//! #         // Anyone can post to a public URL.
//! #         Err(error) => {
//! #             eprintln!("refused a webhook: {error}");
//! #             return 401;
//! #         }
//! #     };
//! #     // An unknown session is ignored, and so is a second copy of an event.
//! #     let mut sessions = sessions.lock().unwrap();
//! #     if let Some(session) = sessions.get_mut(event.otp_id()) {
//! #         if matches!(session, Session::Waiting) {
//! #             *session = Session::SignedIn(event.proof());
//! #         }
//! #     }
//! #     200
//! # }
//! # }
//! use std::io::{BufRead, BufReader, Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! use contiguity::InitiateReverseOtp;
//! use contiguity::sandbox::Sandbox;
//! use contiguity::webhook::Verifier;
//! use my_app::{Session, Sessions, receive};
//!
//! # /*
//! #[test]
//! # */
//! fn a_text_signs_in_by_webhook() {
//!     let sandbox = Sandbox::start().unwrap();
//!     let verifier = Verifier::new(sandbox.webhook_secret()).unwrap();
//!     let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
//!     let address = receiver.local_addr().unwrap();
//!
//!     let session = InitiateReverseOtp::number("+14155552671")
//!         .success_url(format!("http://{address}/otp-verified"))
//!         .send(&sandbox.client())
//!         .unwrap();
//!     let sessions = Sessions::default();
//!     let waiting = (session.otp_id.clone(), Session::Waiting);
//!     sessions.lock().unwrap().extend([waiting]);
//!
//!     // The person texts. Then `accept` waits for the webhook.
//!     let phone = sandbox.phone("+14155552671");
//!     phone.text(&session.to, &session.factor);
//!     let (mut stream, _) = receiver.accept().unwrap();
//!     let (signature, body) = read_request(&stream);
//!
//!     let status = receive(&verifier, &sessions, &body, Some(&signature));
//!     assert_eq!(status, 200);
//!     let session = sessions.lock().unwrap().remove(&session.otp_id);
//!     assert!(matches!(session, Some(Session::SignedIn(_))));
//!     write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
//! }
//!
//! /// Reads the signature and the body of a webhook.
//! fn read_request(stream: &TcpStream) -> (String, Vec<u8>) {
//!     let mut reader = BufReader::new(stream);
//!     let (mut signature, mut length) = (String::new(), 0);
//!     for line in reader.by_ref().lines().map(Result::unwrap) {
//!         let Some((name, value)) = line.split_once(": ") else {
//!             // The request line, or the end of the headers.
//!             if line.is_empty() { break } else { continue }
//!         };
//!         match name.to_ascii_lowercase().as_str() {
//!             "contiguity-signature" => signature = value.to_owned(),
//!             "content-length" => length = value.parse().unwrap(),
//!             _ => {}
//!         }
//!     }
//!     let mut body = vec![0; length];
//!     reader.read_exact(&mut body).unwrap();
//!     (signature, body)
//! }
//! # fn main() { a_text_signs_in_by_webhook() }
//! ```
//!
//! If the receiver is a server on threads of its own, let it send each status through a
//! [channel](std::sync::mpsc), and wait for the channel in the test. [`Sandbox::webhooks`] lists the
//! attempts, but does not wait: `status` is `None` until the receiver has responded.
//!
//! The example [`webhook`] is a complete program with an HTTP server, which also runs on the
//! sandbox. The module [`webhook`][webhook-module] describes what to do about replays.
//!
//! # Proxies and certificates
//!
//! The client uses the proxy in the environment, as curl does. No code is needed. Some companies
//! inspect TLS with a certificate authority of their own, whose certificate can be in a file in PEM:
//!
//! ```text
//! export HTTPS_PROXY=http://proxy.example.com:3128
//! export NO_PROXY=localhost,.internal.example.com
//! export CONTIGUITY_CA_FILE=company.pem
//! ```
//!
//! [`Client::from_env`] and [`ClientBuilder::from_env`] read this file, and other clients do not. It
//! replaces the built-in authorities, and may hold several certificates. The same can be set in code. A proxy that is set in code
//! replaces the one in the environment, `NO_PROXY` included:
//!
//! ```
//! use contiguity::{Client, Error};
//!
//! /// Creates a client that trusts only the company's authority.
//! fn company_client(key: &str, pem: &[u8]) -> Result<Client, Error> {
//!     Client::builder(key)
//!         .proxy("http://user:p%40ss@proxy.example.com:3128")
//!         .root_certificates(pem) // from std::fs::read("company.pem")
//!         .build()
//! }
//! # // A self-signed certificate, with which no connection is made.
//! # let pem = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/localhost.pem"));
//! # assert!(company_client("your-api-key", pem).is_ok());
//! # assert!(company_client("your-api-key", b"not PEM").is_err());
//! ```
//!
//! If that authority is already installed on the machine, use the certificates of the operating
//! system:
//!
//! ```text
//! cargo add contiguity --features platform-verifier
//! ```
//!
#![cfg_attr(feature = "platform-verifier", doc = "```")]
#![cfg_attr(not(feature = "platform-verifier"), doc = "```ignore")]
//! use contiguity::{Client, Tls};
//!
//! let client = Client::builder("your-api-key")
//!     .tls(Tls::PlatformVerifier)
//!     .build()?;
//! # Ok::<(), contiguity::Error>(())
//! ```
//!
//! - A proxy that is set but cannot be used is an [`Error::Config`]. The client never connects
//!   without it.
//! - If the proxy is what failed, the error names it, and [`TransportError::is_proxy`] is true.
//! - If the error says that the certificate's authority is not trusted, your network probably
//!   inspects TLS. Set `CONTIGUITY_CA_FILE`, as above.
//! - Base URLs on loopback, such as a sandbox's, do not use the proxy in the environment.
//! - SOCKS proxies are [not supported](crate#what-it-does-not-do).
//!
//! # Logging
//!
//! Calls are logged with the [`log`] facade, at debug level. Any logger shows them, such as
//! `env_logger`:
//!
//! ```text
//! cargo add env_logger
//! ```
//!
//! ```
//! # mod env_logger {
//! #     use std::sync::Mutex;
//! #     pub static RECORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());
//! #     struct Logger;
//! #     impl log::Log for Logger {
//! #         fn enabled(&self, _: &log::Metadata<'_>) -> bool { true }
//! #         fn log(&self, record: &log::Record<'_>) {
//! #             if record.target() == "contiguity" {
//! #                 RECORDS.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
//! #             }
//! #         }
//! #         fn flush(&self) {}
//! #     }
//! #     pub fn init() {
//! #         log::set_logger(&Logger).unwrap();
//! #         log::set_max_level(log::LevelFilter::Debug);
//! #     }
//! # }
//! # mod program {
//! use contiguity::{Client, Error, NewOtp};
//!
//! fn main() -> Result<(), Error> {
//!     env_logger::init();
//!     text_code(&Client::from_env()?)
//! }
//!
//! # pub
//! fn text_code(client: &Client) -> Result<(), Error> {
//!     let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
//!     let sent = otp.send(client)?;
//!     println!("sent {}", sent.otp_id);
//!     Ok(())
//! }
//! # use super::env_logger;
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     use contiguity::sandbox::{Fault, Sandbox};
//! #     env_logger::init();
//! #     let sandbox = Sandbox::start()?;
//! #     sandbox.fail_next(Fault::status(429));
//! #     program::text_code(&sandbox.client())?;
//! #     let records = env_logger::RECORDS.lock().unwrap().clone();
//! #     assert_eq!(records.len(), 2);
//! #     assert!(records[0].starts_with("DEBUG POST /otp/new: 429, attempt 1, "));
//! #     assert!(records[1].starts_with("DEBUG POST /otp/new: 200, attempt 2, "));
//! #     sandbox.fail_next(Fault::drop_before());
//! #     assert!(program::text_code(&sandbox.client()).is_err());
//! #     let records = env_logger::RECORDS.lock().unwrap().clone();
//! #     assert!(records[2].contains("closed the connection, attempt 1, "), "{}", records[2]);
//! #     Ok(())
//! # }
//! ```
//!
//! ```text
//! RUST_LOG=contiguity=debug cargo run
//! ```
//!
//! In this output, the service returned 429 at first, so the client retried the call:
//!
//! ```text
//! [… DEBUG contiguity] POST /otp/new: 429, attempt 1, 96 ms, request err_8LhMKxw…
//! [… DEBUG contiguity] POST /otp/new: 200, attempt 2, 81 ms, request req_9kkxfT7…
//! ```
//!
//! Records have the target `contiguity`, and never contain an API key, a code or a phone number. A
//! guard logs some refusals as warnings: [What to watch][guard-watch] lists those to alert on.
//! Programs that use `tracing` see the records through its `tracing-log` bridge, which
//! `tracing_subscriber::fmt::init()` installs.
//!
//! If an attempt received no response, the record has the cause, such as `the proxy
//! 10.0.0.1:3128 returned 403 Forbidden`.
//!
//! Dependencies write records of their own. At debug level, ureq shows the method and the host of a
//! request. **At trace level, `ureq_proto` shows request heads with the API key and OTP ids, and
//! responses.** Do not enable trace for that target where logs are stored.
//!
//! # HTTP statuses
//!
//! A web handler has to turn an [`Error`] into a response. This mapping tells the person what they
//! can fix, and nothing about your account:
//!
//! | what happened | status | reason |
//! |---|---|---|
//! | [`Validation`] | 422 | The person can fix the field. |
//! | [`Refused`], with a wait | 429 | The person can try again after `Retry-After`. |
//! | [`Refused`], without a wait | 403 | Waiting does not help: the person needs a new code or another number. |
//! | [`Refused`], because a store is unavailable or the challenge was not saved | 503 | The person did nothing wrong. |
//! | [`Api`], 429 | 503 | The service limits your account, not this person. |
//! | [`Api`], 401 to 403 | 500 | Your key or your account has a problem. |
//! | [`Api`], 421 or 425 | 503 | The service did not act. The person can try again. |
//! | [`Api`], any other 4xx except 408 | 422 | The service refused a value that this crate could not check. |
//! | any error that [may have sent][`Error::may_have_sent`] | 502, or 504 on timeout | The outcome is unknown. Say so, and do not retry automatically. |
//! | any other [`Transport`] or [`Api`] | 503 | The service did not act. The person can try again. |
//! | [`Config`] | 500 | Your program is not set up correctly. |
//!
//! ```
//! use contiguity::{Error, Reason};
//!
//! /// Returns the status of a response to a request whose call failed.
//! fn status(error: &Error) -> u16 {
//!     match error {
//!         Error::Validation(_) => 422,
//!         Error::Refused(refusal) => match refusal.reason() {
//!             Reason::NotSaved | Reason::Unavailable => 503,
//!             _ if refusal.retry_after().is_some() => 429,
//!             _ => 403,
//!         },
//!         Error::Config(_) => 500,
//!         // A text may be on its way, or the attempt may have counted.
//!         error if error.may_have_sent() && error.is_timeout() => 504,
//!         error if error.may_have_sent() => 502,
//!         Error::Api(error) => match error.status() {
//!             401..=403 => 500,
//!             421 | 425 | 429 => 503,
//!             400..=499 => 422,
//!             _ => 503,
//!         },
//!         Error::Transport(_) => 503,
//!         Error::Decode(_) => 502,
//!         // What a later version of this crate adds.
//!         _ => 500,
//!     }
//! }
//!
//! /// Returns what to show to the person.
//! fn message(error: &Error) -> String {
//!     match error {
//!         // The error's own message is for you.
//!         Error::Validation(error) => match error.issues()[0].field {
//!             "otp" => "Please enter the digits of the code.".to_owned(),
//!             "to" | "number" => {
//!                 "Please enter your phone number with its country code."
//!                     .to_owned()
//!             }
//!             _ => "Please check what you entered.".to_owned(),
//!         },
//!         Error::Refused(refusal) => refusal.advice(),
//!         error if error.may_have_sent() => {
//!             "Something went wrong, and a text may be on its way. \
//!              Please ask for a new code in a minute."
//!                 .to_owned()
//!         }
//!         _ => "Something went wrong. Please try again in a moment.".to_owned(),
//!     }
//! }
//!
//! /// Returns the value of the `Retry-After` header, in whole seconds.
//! fn retry_after(error: &Error) -> Option<u64> {
//!     let wait = error.retry_after()?;
//!     Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     use contiguity::guard::Guard;
//! #     use contiguity::sandbox::{Fault, Sandbox};
//! #     use contiguity::{Client, Limit, NewOtp, Policy};
//! #     use std::time::Duration;
//! #     let sandbox = Sandbox::start()?;
//! #     let client = sandbox.client().with_retries(0);
//! #     let send = |number: &str, client: &Client| {
//! #         NewOtp::to(number).language("en").name("MyApp").send(client).unwrap_err()
//! #     };
//! #     let error = send("1", &client);
//! #     assert_eq!((status(&error), &*message(&error)), (422, "Please enter your phone number with its country code."));
//! #     let statuses = [(400, 422), (401, 500), (402, 500), (403, 500), (404, 422), (408, 502)];
//! #     let statuses = statuses.into_iter().chain([(429, 503), (500, 502), (302, 502)]);
//! #     for (returned, expected) in statuses {
//! #         sandbox.fail_next(Fault::status(returned));
//! #         assert_eq!(status(&send("+14155552671", &client)), expected, "{returned}");
//! #     }
//! #     for fault in [Fault::drop_after(), Fault::half(), Fault::garbage()] {
//! #         sandbox.fail_next(fault);
//! #         assert_eq!(status(&send("+14155552671", &client)), 502);
//! #     }
//! #     sandbox.fail_next(Fault::delay(Duration::from_secs(2)));
//! #     let error = send("+14155552671", &client.with_timeout(Duration::from_millis(500)));
//! #     assert_eq!(status(&error), 504, "{error}");
//! #     assert!(message(&error).contains("a text may be on its way"));
//! #     let nowhere = Client::builder("key").base_url("http://127.0.0.1:1").retries(0).build()?;
//! #     assert_eq!(status(&send("+14155552671", &nowhere)), 503);
//! #     assert_eq!(status(&Client::new(" ").unwrap_err()), 500);
//! #     let guarded = client.clone().guarded(Guard::total(Limit::per_day(9)).only(["US"]).build()?);
//! #     let client = guarded.by("203.0.113.7");
//! #     assert_eq!(status(&send("+33612345678", &client)), 403);
//! #     let otp = NewOtp::to("+14155552671").language("en").name("MyApp");
//! #     let mut challenge = otp.challenge(&client, Policy::DEFAULT)?;
//! #     let error = challenge.verify(&client, "12 a").unwrap_err();
//! #     assert_eq!((status(&error), &*message(&error)), (422, "Please enter the digits of the code."));
//! #     let error = challenge.resend(&client).unwrap_err();
//! #     assert_eq!((status(&error), retry_after(&error)), (429, Some(30)));
//! #     assert_eq!(message(&error), "Please wait 30 seconds before you ask for another text.");
//! #     let error = challenge.resend_saving(&client, |_, _| Err(())).unwrap_err();
//! #     assert_eq!(status(&error), 429);
//! #     sandbox.advance(Duration::from_secs(31));
//! #     let error = challenge.resend_saving(&client, |_, _| Err(())).unwrap_err();
//! #     assert_eq!(status(&error), 503);
//! #     Ok(())
//! # }
//! ```
//!
//! Log the error itself: its message contains the request id that the vendor's support asks for.
//!
//! What "may have sent" means to the person depends on the call:
//!
//! - After a [`NewOtp`], the id is lost with the response. A code that arrives cannot be verified,
//!   so the person needs a new one.
//! - After a [`ResendOtp`], you still have the id, and a code that arrives can be verified. Responding
//!   202 is also correct.
//! - After a [`VerifyOtp`], the attempt may have counted, and a right code may be used up. If the same
//!   code is then wrong, the person needs a new one.
//!
//! # From the JavaScript SDK
//!
//! The fields have the same names. In the table, `otp` is the `contiguity.otp` of the JavaScript
//! SDK (npm, version 0.1), and `client` is the [`Client`] of this crate.
//!
//! | JavaScript | Rust |
//! |---|---|
//! | `new Contiguity(key)` | `Client::new(key)?` |
//! | `new Contiguity()` | `Client::from_env()?`, which reads the same variables |
//! | `new Contiguity(key, { debug: true })` | see [Logging](#logging) |
//! | `await otp.send({ to, language, name })`, or `otp.new` | `NewOtp::to(to)`<br>`.language(language).name(name)`<br>`.send(&client)?` |
//! | `await otp.verify({ otp_id, otp })` | `sent.verify(otp).send(&client)?`, or<br>`VerifyOtp::otp_id(otp_id).otp(otp)`<br>`.send(&client)?` |
//! | `check.verified` | `check.proof()?`, or `check.verified` |
//! | `await otp.resend({ otp_id })` | `sent.resend().send(&client)?`, or<br>`ResendOtp::otp_id(otp_id)`<br>`.send(&client)?` |
//! | `again.resent` | `again.resent` |
//! | `await otp.reverse.initiate({ number, factor, to, service, language, success_url })` | `InitiateReverseOtp::number(number)`<br>`.factor(factor).to(to).service(service)`<br>`.language(language).success_url(success_url)`<br>`.send(&client)?` |
//! | `session.ui.text`, `session.ui.qr_code` | the same on `session.ui`, which is an `Option` |
//! | `await otp.reverse.verify(otp_id)` | `VerifyReverseOtp::otp_id(otp_id)`<br>`.send(&client)?` |
//! | `result.status === "verified"` | `result.proof()?`, or `result.is_verified()` |
//! | a loop over `otp.reverse.verify` and `setTimeout` | `session.wait(&client).run()?.proof()?` |
//! | `await otp.reverse.cancel(otp_id)` | `CancelReverseOtp::otp_id(otp_id)`<br>`.send(&client)?` |
//! | `contiguity.webhook.verify(body, signature, secret, tolerance)` and `contiguity.webhook.parse(body)` | `Verifier::new(secret)?`<br>`.tolerance(Duration::from_secs(tolerance))`<br>`.verify(body, signature)?` |
//! | `response.metadata.id` | `response.metadata.request_id` |
//! | `catch (error)`: a `ZodError`, with `issues` | `Err(Error::Validation(error))`,<br>with `issues()` |
//! | `catch (error)`: a `ContiguityError`, with `status`, `message`, `data.agreement_url` | `Err(Error::Api(error))`, with `status()`,<br>`message()`, `agreement_url()` |
//! | `catch (error)`: any other, such as `fetch failed` | `Err(Error::Transport(error))` or<br>`Err(Error::Decode(error))` |
//!
//! A whole program, with each call:
//!
//! ```
//! # mod program {
//! use contiguity::{
//!     CancelReverseOtp, Client, InitiateReverseOtp, NewOtp, ResendOtp,
//!     VerifyOtp, VerifyReverseOtp,
//! };
//!
//! # pub
//! fn all_calls(
//!     client: &Client,
//!     ask: impl Fn() -> String,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let sent = NewOtp::to("+14155552671")
//!         .language("en")
//!         .name("MyApp")
//!         .send(client)?;
//!     let again = ResendOtp::otp_id(&sent.otp_id).send(client)?;
//!     println!("sent again: {}", again.resent);
//!
//!     let check = VerifyOtp::otp_id(&sent.otp_id).otp(ask()).send(client)?;
//!     println!("verified {}", check.proof()?.otp_id());
//!
//!     let session = InitiateReverseOtp::number("+14155552671")
//!         .factor("MyApp2024")
//!         .service("sms")
//!         .language("en")
//!         .success_url("https://myapp.com/otp-verified")
//!         .send(client)?;
//!     println!("Text {} to {}.", session.factor, session.to);
//!
//!     let status = VerifyReverseOtp::otp_id(&session.otp_id).send(client)?;
//!     if !status.is_verified() {
//!         CancelReverseOtp::otp_id(&session.otp_id).send(client)?;
//!     }
//!     Ok(())
//! }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let sandbox = contiguity::sandbox::Sandbox::start()?;
//! #     let ask = || sandbox.phone("+14155552671").last_code().unwrap();
//! #     program::all_calls(&sandbox.client(), ask)?;
//! #     assert_eq!(sandbox.requests().len(), 6);
//! #     Ok(())
//! # }
//! ```
//!
//! What behaves differently:
//!
//! - **A wrong code is not an error** in either SDK. Here, [`proof`](crate::Verification::proof)
//!   turns it into one.
//! - **Values are checked before a call.** Numbers must be in E.164, and a name is required. The
//!   JavaScript SDK leaves both to the service.
//! - **Calls have a timeout and are retried** where that cannot send a second text. In JavaScript,
//!   a call waits as long as `fetch` does and is not retried.
//! - **Webhooks have a tolerance** of 300 seconds by default. In JavaScript there is none unless
//!   you pass one.
//!
//! [sandbox]: https://docs.rs/contiguity/latest/contiguity/sandbox/index.html
//! [Fault]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Fault.html
//! [`fail_next`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.fail_next
//! [`fail_always`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.fail_always
//! [`heal`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.heal
//! [`advance`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.advance
//! [`requests`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.requests
//! [`Sandbox::client`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.client
//! [`Sandbox::client_builder`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.client_builder
//! [`Sandbox::webhooks`]: https://docs.rs/contiguity/latest/contiguity/sandbox/struct.Sandbox.html#method.webhooks
//! [guard]: https://docs.rs/contiguity/latest/contiguity/guard/index.html
//! [guard-proxy]: https://docs.rs/contiguity/latest/contiguity/guard/index.html#behind-a-proxy
//! [guard-watch]: https://docs.rs/contiguity/latest/contiguity/guard/index.html#what-to-watch
//! [webhook-module]: https://docs.rs/contiguity/latest/contiguity/webhook/index.html
//! [`sign_in`]: https://docs.rs/crate/contiguity/latest/source/examples/sign_in.rs
//! [`server`]: https://docs.rs/crate/contiguity/latest/source/examples/server.rs
//! [`webhook`]: https://docs.rs/crate/contiguity/latest/source/examples/webhook.rs
//! [`log`]: https://docs.rs/log
//! [cargo-script]: https://doc.rust-lang.org/nightly/cargo/reference/unstable.html#script
//! [`Challenge`]: crate::Challenge
//! [`Client`]: crate::Client
//! [`Client::from_env`]: crate::Client::from_env
//! [`Client::with_timeout`]: crate::Client::with_timeout
//! [`ClientBuilder::from_env`]: crate::ClientBuilder::from_env
//! [`ClientBuilder::timeout`]: crate::ClientBuilder::timeout
//! [`Language::negotiate`]: crate::Language::negotiate
//! [`NewOtp`]: crate::NewOtp
//! [`ResendOtp`]: crate::ResendOtp
//! [`VerifyOtp`]: crate::VerifyOtp
//! [`VerifyReverseOtp`]: crate::VerifyReverseOtp
//! [`success_url`]: crate::InitiateReverseOtp::success_url
//! [`Error`]: crate::Error
//! [`TransportError::is_proxy`]: crate::TransportError::is_proxy
//! [`Error::Config`]: crate::Error::Config
//! [`Error::may_have_sent`]: crate::Error::may_have_sent
//! [`Config`]: crate::Error::Config
//! [`Validation`]: crate::Error::Validation
//! [`Refused`]: crate::Error::Refused
//! [`Transport`]: crate::Error::Transport
//! [`Api`]: crate::Error::Api
