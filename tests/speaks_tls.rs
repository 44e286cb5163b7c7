//! Every TLS implementation against a TLS server on loopback, and through a CONNECT proxy.
//!
//! An implementation is tested if its feature is enabled: `cargo test --all-features` tests all.

#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use contiguity::{Client, ClientBuilder, Error, NewOtp, Tls};

use proxy::Proxy;
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
fn rustls_is_the_default() {
    // This holds with all features, too.
    let server = good();
    let request = NewOtp::to(support::NUMBER).language("en").name("MyApp");
    let error = request.send(&client(&server, None).build().unwrap()).unwrap_err();
    assert!(error.to_string().contains("the certificate's authority is not trusted;"), "{error}");
}

/// On Linux, the operating system's store is a file that a child process can be given.
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

/// Runs in a child process of the test above, with another store of certificates.
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
fn a_proxy_connects_and_sees_nothing_of_the_call() {
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
    assert_eq!(proxy.leaked.lock().unwrap().as_slice(), b"", "the proxy saw the key");
}

/// The session with the service is inside the one with the proxy.
#[test]
fn a_proxy_that_speaks_tls_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = thread::spawn(move || {
        let mut stream = support::tls_over(listener.accept().unwrap().0);
        assert!(read_to(&mut stream, b"\r\n\r\n").starts_with(b"CONNECT localhost:443 "));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut stream = support::tls_over(stream);
        // Larger than a TLS record, and than the client's buffer.
        for pad in [0, 20_000, 100_000] {
            read_to(&mut stream, b"}");
            let data = format!(r#"{{"otp_id":"otp_1","pad":"{}"}}"#, "x".repeat(pad));
            stream.write_all(&answer(200, "", envelope(&data))).unwrap();
            stream.flush().unwrap();
        }
    });
    let client = Client::builder(KEY).base_url("https://localhost").proxy(format!("https://127.0.0.1:{port}"));
    let client = client.root_certificates(certificate()).pool_idle_timeout(support::PATIENCE).build().unwrap();
    for _ in 0..3 {
        Operation::New.call(&client).unwrap();
    }
    proxy.join().unwrap();
}

#[test]
fn the_proxy_looks_up_the_host() {
    let server = good();
    let proxy = Proxy::start(server.address.port());
    let client =
        Client::builder(KEY).base_url("https://api.example.invalid").proxy(format!("http://127.0.0.1:{}", proxy.port));
    let error = Operation::New.call(&client.root_certificates(certificate()).retries(0).build().unwrap()).unwrap_err();
    // The call reaches the server, whose certificate is for another name.
    assert!(error.to_string().contains("failed: the certificate is for another host;"), "{error}");
    assert!(proxy.heard.lock().unwrap()[0].starts_with("CONNECT api.example.invalid:443 "));
}

#[track_caller]
fn trusts_what_it_is_given(tls: Tls) {
    let server = good();
    let trusting = client(&server, Some(tls)).root_certificates(certificate()).build().unwrap();
    Operation::New.call(&trusting).unwrap_or_else(|error| panic!("{tls:?}: {error}"));
    let stranger = client(&server, Some(tls)).retries(2).build().unwrap();
    // Without a body, only the kind of error shows that nothing was sent.
    for operation in [Operation::New, Operation::Cancel, Operation::Status] {
        let before = server.connections();
        let error = operation.call(&stranger).unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{tls:?}: {error}");
        assert!(!error.may_have_sent() && !error.is_retryable() && !error.is_timeout(), "{tls:?}: {error}");
        assert_eq!(server.connections(), before + 1, "{tls:?}: a refused certificate was retried");
    }
    assert_eq!(server.requests().len(), 1, "{tls:?}");
}

/// Reads until what was read ends like this.
fn read_to(mut stream: impl Read, end: &[u8]) -> Vec<u8> {
    let (mut read, mut bytes) = (Vec::new(), [0; 4096]);
    while !read.ends_with(end) {
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the client is gone");
        read.extend_from_slice(&bytes[..count]);
    }
    read
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
