//! Calls go through the proxy of `.proxy(url)` or the environment, and errors name the proxy when it
//! is what failed.

mod support;

use std::process::Command;
use std::time::Duration;

use contiguity::{Client, ClientBuilder, Error};

use support::{Connection, Ending, KEY, Operation, Server, answer, certificate};

/// A name that only a proxy could resolve.
const BASE_URL: &str = "https://api.example.invalid";

const NOT_ALLOWED: &str = "; it has to allow the host of the base URL";

const NOT_ACTED: &str = "; the service did not act on this call";

/// A call with a body, a call without one that acts, and a status read.
const EACH: [Operation; 3] = [Operation::New, Operation::Cancel, Operation::Status];

/// Each row runs [`child`] in a process of its own, with that environment.
#[test]
fn the_environment_names_the_proxy() {
    let proxy = Server::answering(answer(403, "", ""));
    let address = proxy.address;
    let refused = format!("POST /otp/new: the proxy {address} returned 403 Forbidden{NOT_ALLOWED}{NOT_ACTED}");
    let unusable = "HTTPS_PROXY contains a space or a control character; remove it";
    for (variable, value, expected, credentials) in [
        ("https_proxy", format!("http://{address}"), &*refused, Some(None)),
        // DOM\user:p@w
        ("HTTPS_PROXY", format!("http://DOM\\user:p@w@{address}"), &refused, Some(Some("Basic RE9NXHVzZXI6cEB3"))),
        ("HTTPS_PROXY", format!("http://{address} "), unusable, None),
    ] {
        let before = proxy.requests().len();
        assert_eq!(in_a_child(variable, &value), expected, "{value:?}");
        let requests = &proxy.requests()[before..];
        let heard = requests.first().map(|request| {
            assert!(request.head.starts_with("CONNECT api.example.invalid:443 HTTP/1.1\r\n"), "{}", request.head);
            assert!(!request.head.contains(KEY), "{}", request.head);
            request.head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "))
        });
        assert_eq!(heard, credentials, "{value:?}");
        assert!(requests.len() < 2, "{value:?}");
    }
}

#[test]
fn only_temporary_statuses_of_a_proxy_are_retried() {
    let check = "; put a user name and a password in its URL, such as http://user:password@host:3128";
    for (status, text, advice, is_retryable) in [
        (502, "502 Bad Gateway", "", true),
        (503, "503 Service Unavailable", "", true),
        (504, "504 Gateway Timeout", "", true),
        (403, "403 Forbidden", NOT_ALLOWED, false),
        (407, "407 Proxy Authentication Required", check, false),
        (204, "204 No Content", "", false),
        (302, "302 Found", "", false),
        (500, "500 Internal Server Error", "", false),
        (599, "599", "", false),
    ] {
        let proxy = Server::answering(answer(status, "", ""));
        let expected = format!("the proxy {} returned {text}{advice}{NOT_ACTED}", proxy.address);
        for operation in EACH {
            let error = fails(operation, through(&proxy).retries(0));
            let message = format!("{}: {expected}", operation.name());
            assert_eq!((error.to_string(), error.is_retryable()), (message, is_retryable));
            assert_eq!(error.status(), None, "{operation:?}: a status of the service");
            assert!(is_proxy(&error), "{status}, {operation:?}");
        }
        let before = proxy.requests().len();
        fails(Operation::New, through(&proxy).retries(1));
        assert_eq!(proxy.requests().len() - before, if is_retryable { 2 } else { 1 }, "{status}");
    }
}

#[test]
fn a_proxy_without_an_http_response_is_named() {
    type Act = fn(&mut Connection);
    let closed = ("the proxy {} closed the connection before responding", true);
    let not_http = ("the proxy {} did not respond with HTTP", false);
    let acts: [(&str, Act, (&str, bool)); 5] = [
        ("closes", |connection| drop(connection.request()), closed),
        ("cuts", |connection| drop((connection.request(), connection.send("HTTP/1.1 200 OK\r\nA:"))), closed),
        (
            "resets",
            |connection| drop((connection.request(), connection.end(Ending::Reset))),
            ("the proxy {} closed the connection", true),
        ),
        (
            "speaks SSH",
            |connection| {
                connection.send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
                connection.wait_for_the_end();
            },
            not_http,
        ),
        ("is silent", Connection::wait_for_the_end, ("no response from the proxy {} within 200 ms", true)),
    ];
    for (what, act, (expected, is_retryable)) in acts {
        let proxy = Server::plain(act);
        for operation in EACH {
            let timeout = Duration::from_millis(if what == "is silent" { 200 } else { 10_000 });
            let error = fails(operation, through(&proxy).connect_timeout(timeout).retries(0));
            let expected = expected.replace("{}", &proxy.address.to_string());
            assert_eq!(error.to_string(), format!("{}: {expected}{NOT_ACTED}", operation.name()), "{what}");
            assert_eq!(error.is_retryable(), is_retryable, "{what}, {operation:?}");
            assert_eq!(error.is_timeout(), what == "is silent", "{what}, {operation:?}");
            assert!(is_proxy(&error), "{what}, {operation:?}");
        }
    }
}

#[test]
fn a_proxy_that_cannot_be_connected_to_is_named_without_its_credentials() {
    let client = Client::builder(KEY).base_url(BASE_URL).proxy("http://user:secret@127.0.0.1:1").retries(0);
    let error = fails(Operation::Status, client);
    let problem = "could not connect to the proxy 127.0.0.1:1: connection refused";
    assert_eq!(error.to_string(), format!("{}: {problem}{NOT_ACTED}", Operation::Status.name()));
    assert!(error.is_retryable(), "{error}");
    let Error::Transport(error) = error else { unreachable!() };
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionRefused));
}

#[test]
fn refused_credentials_are_to_be_checked() {
    let proxy = Server::answering(answer(407, "", ""));
    let url = proxy.url().replace("http://", "http://user:secret@");
    let error = fails(Operation::New, Client::builder(KEY).base_url(BASE_URL).proxy(url).retries(0));
    let problem = format!("the proxy {} returned 407 Proxy Authentication Required", proxy.address);
    let advice = "check the user name and password in its URL";
    assert_eq!(error.to_string(), format!("POST /otp/new: {problem}; {advice}{NOT_ACTED}"));
}

#[test]
fn plain_http_goes_through_a_proxy_only_if_it_is_allowed() {
    let proxy = Server::answering(answer(403, "", ""));
    let client = || Client::builder(KEY).base_url("http://127.0.0.1:1").proxy(proxy.url());
    assert_eq!(
        client().build().unwrap_err().to_string(),
        "the base URL is plain http, which would show the API key to the proxy; use https, or call \
         `allow_insecure_http()` on a test network"
    );
    let error = fails(Operation::New, client().allow_insecure_http());
    let problem = format!("the proxy {} returned 403 Forbidden{NOT_ALLOWED}", proxy.address);
    assert_eq!(error.to_string(), format!("POST /otp/new: {problem}{NOT_ACTED}"));
}

#[test]
fn a_proxy_can_be_https() {
    for base_url in [BASE_URL, "http://api.example.invalid"] {
        let proxy = Server::tls(|connection| {
            connection.request();
            connection.send(answer(403, "", ""));
        });
        let stranger = Client::builder(KEY).base_url(base_url).allow_insecure_http().proxy(proxy.url());
        let client = stranger.clone().root_certificates(certificate());
        let error = fails(Operation::New, client);
        let problem = format!("the proxy {} returned 403 Forbidden{NOT_ALLOWED}", proxy.address);
        assert_eq!(error.to_string(), format!("POST /otp/new: {problem}{NOT_ACTED}"));
        let error = fails(Operation::Cancel, stranger);
        let expected = "TLS with the proxy {} failed: the certificate's authority is not trusted; \
                        if your network has its own, call `root_certificates`, or set CONTIGUITY_CA_FILE and use \
                        `from_env`";
        let expected = expected.replace("{}", &proxy.address.to_string());
        assert_eq!(error.to_string(), format!("{}: {expected}{NOT_ACTED}", Operation::Cancel.name()));
        assert!(!error.is_retryable());
    }
}

fn is_proxy(error: &Error) -> bool {
    matches!(error, Error::Transport(error) if error.is_proxy())
}

#[test]
fn an_https_proxy_that_does_not_speak_tls_is_named() {
    let proxy = Server::plain(Connection::wait_for_the_end);
    let url = proxy.url().replace("http:", "https:");
    let client = Client::builder(KEY).base_url(BASE_URL).proxy(url).connect_timeout(Duration::from_millis(200));
    let error = fails(Operation::New, client.retries(0));
    let problem = format!("no response from the proxy {} within 200 ms", proxy.address);
    assert_eq!(error.to_string(), format!("POST /otp/new: {problem}{NOT_ACTED}"));
    assert!(is_proxy(&error) && error.is_retryable());
}

#[test]
fn an_error_behind_the_proxy_is_not_one_of_the_proxy() {
    let proxy = Server::plain(|connection| {
        connection.request();
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        connection.wait_for_the_end();
    });
    let error = fails(Operation::New, through(&proxy).connect_timeout(Duration::from_millis(200)).retries(0));
    let problem = "no response from api.example.invalid within 200 ms";
    assert_eq!(error.to_string(), format!("POST /otp/new: {problem}{NOT_ACTED}"));
    assert!(!is_proxy(&error));
}

/// Makes a call in a child process of the test above, and prints its error.
#[test]
fn child() {
    if std::env::var_os("CONTIGUITY_TEST_CHILD").is_none() {
        return;
    }
    let client = Client::builder(KEY).base_url(BASE_URL).retries(0).build();
    let error = client.and_then(|client| Operation::New.call(&client)).unwrap_err();
    println!("\nerror <{error}>");
}

fn in_a_child(variable: &str, value: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env("CONTIGUITY_TEST_CHILD", "1");
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = command.env(variable, value).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = text.split("error <").nth(1).and_then(|rest| rest.split_once(">\n"));
    error.unwrap_or_else(|| panic!("the child printed no error: {output:?}")).0.to_owned()
}

fn through(proxy: &Server) -> ClientBuilder {
    Client::builder(KEY).base_url(BASE_URL).proxy(proxy.url())
}

/// Returns the error of a call that was certainly not sent.
#[track_caller]
fn fails(operation: Operation, client: ClientBuilder) -> Error {
    let error = operation.call(&client.build().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{operation:?}: {error}");
    assert!(!error.may_have_sent(), "{operation:?}: {error}");
    assert!(!format!("{error:?}").contains("secret"), "{operation:?}: {error:?}");
    error
}
