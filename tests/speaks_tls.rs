//! Every choice of TLS against a real TLS server on loopback, and through a real CONNECT proxy.
//!
//! What a feature brings is tried when the feature is on: `cargo test --all-features` tries all.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use contiguity::{Client, ClientBuilder, Error, NewOtp, Tls};

use support::{KEY, Operation, Server, answer, certificate, envelope};

#[test]
fn rustls_trusts_the_certificates_that_it_is_given() {
    trusts_what_it_is_given(Tls::Rustls);
}

#[test]
#[cfg(feature = "native-tls")]
fn native_tls_trusts_the_certificates_that_it_is_given() {
    trusts_what_it_is_given(Tls::NativeTls);
}

#[test]
#[cfg(feature = "platform-verifier")]
fn the_platform_verifier_trusts_the_certificates_that_it_is_given() {
    trusts_what_it_is_given(Tls::PlatformVerifier);
}

#[test]
fn what_is_in_use_without_a_choice_is_rustls() {
    // Features only add choices: with all of them on, this is the same.
    let server = good();
    let request = NewOtp::to(support::NUMBER).language("en").name("MyApp");
    let error = request.send(&client(&server, None).build().unwrap()).unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}

/// The operating system's store is a file on Linux, which can be named to a process of its own: the child below.
#[test]
#[cfg(all(target_os = "linux", any(feature = "platform-verifier", feature = "native-tls")))]
fn the_certificates_of_the_operating_system_are_trusted() {
    let server = good();
    let mut file = std::env::temp_dir();
    file.push(format!("contiguity-{}-{:?}.pem", std::process::id(), thread::current().id()));
    std::fs::write(&file, certificate()).unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env("CONTIGUITY_TEST_URL", server.url());
    let output = command.env("SSL_CERT_FILE", &file).env_remove("SSL_CERT_DIR").output();
    std::fs::remove_file(&file).unwrap();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let choices = usize::from(cfg!(feature = "platform-verifier")) + usize::from(cfg!(feature = "native-tls"));
    assert_eq!(server.requests().len(), choices);
}

/// Runs in a child of the test above, with another store of certificates.
#[test]
fn child() {
    let Ok(url) = std::env::var("CONTIGUITY_TEST_URL") else { return };
    let choices = [
        #[cfg(feature = "platform-verifier")]
        Tls::PlatformVerifier,
        #[cfg(feature = "native-tls")]
        Tls::NativeTls,
    ];
    for tls in choices {
        let client = Client::builder(KEY).base_url(&url).tls(tls).retries(0).build().unwrap();
        Operation::New.call(&client).unwrap_or_else(|error| panic!("{tls:?}: {error}"));
    }
}

#[test]
fn a_proxy_is_asked_to_connect_and_sees_nothing_of_the_call() {
    let server = good();
    let proxy = Proxy::start(server.address.port());
    for (credentials, header) in
        [("", None), ("user:pass%20word@", Some("proxy-authorization: basic dxnlcjpwyxnzihdvcmq="))]
    {
        let url = format!("http://{credentials}127.0.0.1:{}", proxy.port);
        let client = client(&server, Some(Tls::Rustls)).root_certificates(certificate()).proxy(url);
        Operation::New.call(&client.build().unwrap()).unwrap();
        let head = proxy.heard.lock().unwrap().pop().unwrap().to_lowercase();
        assert!(head.starts_with(&format!("connect localhost:{} http/1.1\r\n", server.address.port())), "{head}");
        assert_eq!(header.is_some_and(|header| head.contains(header)), header.is_some(), "{head}");
        assert!(!head.contains("token") && !head.contains("/otp"), "{head}");
    }
    assert_eq!(server.requests().len(), 2);
    assert_eq!(proxy.leaked.lock().unwrap().as_slice(), b"", "the key went through the proxy in the clear");
}

#[test]
fn a_name_that_only_the_proxy_can_resolve_is_left_to_it() {
    let server = good();
    let proxy = Proxy::start(server.address.port());
    let client =
        Client::builder(KEY).base_url("https://api.example.invalid").proxy(format!("http://127.0.0.1:{}", proxy.port));
    let error = Operation::New.call(&client.root_certificates(certificate()).retries(0).build().unwrap()).unwrap_err();
    // It gets as far as the certificate, which is for another name.
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    assert!(proxy.heard.lock().unwrap()[0].starts_with("CONNECT api.example.invalid:443 "));
}

#[track_caller]
fn trusts_what_it_is_given(tls: Tls) {
    let server = good();
    let trusting = client(&server, Some(tls)).root_certificates(certificate()).build().unwrap();
    Operation::New.call(&trusting).unwrap_or_else(|error| panic!("{tls:?}: {error}"));
    let stranger = client(&server, Some(tls)).retries(2).build().unwrap();
    // Without a body there is nothing but the kind of error to tell that nothing was sent.
    for operation in [Operation::New, Operation::Cancel, Operation::Status] {
        let before = server.connections();
        let error = operation.call(&stranger).unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{tls:?}: {error}");
        assert!(!error.may_have_sent() && !error.is_retryable() && !error.is_timeout(), "{tls:?}: {error}");
        assert_eq!(server.connections(), before + 1, "{tls:?}: a refused certificate was tried again");
    }
    assert_eq!(server.requests().len(), 1, "{tls:?}");
}

fn good() -> Server {
    Server::tls(|connection| {
        while connection.request().is_some() {
            if !connection.send(answer(200, "", envelope(Operation::New.data()))) {
                break;
            }
        }
    })
}

fn client(server: &Server, tls: Option<Tls>) -> ClientBuilder {
    let url = format!("https://localhost:{}", server.address.port());
    let client = Client::builder(KEY).base_url(url).retries(0);
    match tls {
        Some(tls) => client.tls(tls),
        None => client,
    }
}

/// A proxy that connects whoever asks to one port of this machine, and listens in.
struct Proxy {
    port: u16,
    /// The heads of what it was asked.
    heard: Arc<Mutex<Vec<String>>>,
    /// The key, if it ever passed in the clear.
    leaked: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, leaked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let proxy = Self { port, heard: Arc::clone(&heard), leaked: Arc::clone(&leaked) };
        // It ends with the process: nothing waits for it.
        thread::spawn(move || {
            while let Ok((mut client, _)) = listener.accept() {
                let mut asked = String::new();
                let mut lines = BufReader::new(client.try_clone().unwrap());
                while !asked.ends_with("\r\n\r\n") && lines.read_line(&mut asked).is_ok_and(|read| read > 0) {}
                heard.lock().unwrap().push(asked);
                let service = TcpStream::connect(("127.0.0.1", target)).unwrap();
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
                let (onward, back) = (service.try_clone().unwrap(), client.try_clone().unwrap());
                let leaked = Arc::clone(&leaked);
                thread::spawn(move || pass_on(lines, onward, &leaked));
                thread::spawn(move || pass_on(service, back, &Mutex::default()));
            }
        });
        proxy
    }
}

fn pass_on(mut from: impl Read, mut to: TcpStream, leaked: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if bytes[..read].windows(KEY.len()).any(|window| window == KEY.as_bytes()) {
            leaked.lock().unwrap().extend_from_slice(KEY.as_bytes());
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
