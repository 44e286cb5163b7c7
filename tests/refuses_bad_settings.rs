//! A client that cannot work is refused when it is built, with a message that says what to do.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use contiguity::{Client, ClientBuilder, Error, NewOtp};

const CERTIFICATE: &str = include_str!("support/localhost.pem");

#[test]
fn keys() {
    for good in ["your-api-key", "contiguity_sk_x", "k", " key\n", "!~"] {
        Client::new(good).unwrap();
    }
    for blank in ["", " ", "\t\n", "\u{a0}"] {
        let expected = "the API key must not be blank; use the key from your Contiguity console";
        assert_eq!(refused(Client::builder(blank)), expected, "{blank:?}");
    }
    for bad in ["a b", "a\r\nX-Evil: 1", "k\0", "k\u{7f}", "\u{feff}key", "a\u{a0}b", "key\u{200b}", "caf\u{e9}"] {
        let expected = "the API key must be visible ASCII; copy it again from your Contiguity console";
        assert_eq!(refused(Client::builder(bad)), expected, "{bad:?}");
    }
}

#[test]
fn base_urls() {
    for good in [
        "https://api.contiguity.com",
        "https://api.contiguity.com/",
        "HTTPS://api.example.com:8443/v1/otp-gateway/",
        "http://127.0.0.1:4010",
        "http://localhost",
        "http://[::1]:4010/",
    ] {
        Client::builder("key").base_url(good).build().unwrap();
    }
    let not_absolute = "must be an absolute URL with a host, such as https://example.com";
    let no_scheme = "has no scheme; start it with https://";
    let host = "has an invalid host; use a name or an address after ://";
    let port = "has an invalid port; use 1 to 65535";
    let credentials = "must not contain credentials; the API key is set separately";
    let query = "must not contain a query or a fragment; remove what follows `?` or `#`";
    let ascii = "must be visible ASCII; percent-encode the path and write the host in Punycode";
    let insecure = "is plain http to a host other than loopback, which would show the key to anyone on the network \
                    path; use https, or on a test network, call `allow_insecure_http()` or set \
                    CONTIGUITY_ALLOW_INSECURE_HTTP=1";
    let long = format!("https://example.com/{}", "x".repeat(8_000));
    for (bad, problem) in [
        ("", "must not be blank; use one such as https://example.com"),
        ("localhost:4010", "has no scheme; write http://localhost:4010"),
        ("localhost", "has no scheme; write http://localhost"),
        ("127.0.0.1:4010/", "has no scheme; write http://127.0.0.1:4010"),
        ("[::1]:4010", "has no scheme; write http://[::1]:4010"),
        // The path and a query may contain a secret.
        ("localhost:4010/v1?key=secret", "has no scheme; start it with http://localhost:4010"),
        ("api.contiguity.com", no_scheme),
        ("api.contiguity.com/v1", no_scheme),
        ("10.0.0.1:4010", no_scheme),
        ("localhost:99999", not_absolute),
        ("localhost:", not_absolute),
        ("localhost:http", not_absolute),
        ("user:secret@localhost:4010", not_absolute),
        ("contiguity", not_absolute),
        ("/otp", not_absolute),
        ("//localhost:4010", not_absolute),
        ("mailto:a@localhost", not_absolute),
        ("ftp://api.contiguity.com", "has an unknown scheme; use http:// or https://"),
        ("https://", not_absolute),
        ("https://:443", host),
        ("https://api.contiguity.com:99999", port),
        ("https://api.contiguity.com:0", port),
        ("https://user:secret@api.contiguity.com", credentials),
        ("https://user@api.contiguity.com", credentials),
        ("https://api.contiguity.com/?a=b", query),
        ("https://api.contiguity.com?", query),
        ("https://api.contiguity.com/#top", query),
        ("https://api.contiguity.com/#", query),
        ("https://api.conti guity.com", ascii),
        ("https://api.contiguit\u{fd}.com", ascii),
        (&long, "must have at most 8000 characters"),
        ("http://api.contiguity.com", insecure),
        ("http://localhost.contiguity.com", insecure),
        ("http://10.0.0.1", insecure),
    ] {
        assert_eq!(refused(Client::builder("key").base_url(bad)), format!("the base URL {problem}"), "{bad}");
    }
    Client::builder("key").base_url("http://10.0.0.1").allow_insecure_http().build().unwrap();
}

#[test]
fn timeouts_of_zero() {
    let zero = Duration::ZERO;
    assert_eq!(refused(Client::builder("key").timeout(zero)), "`timeout` must be longer than zero");
    assert_eq!(refused(Client::builder("key").connect_timeout(zero)), "`connect_timeout` must be longer than zero");
    Client::builder("key").timeout(Duration::MAX).connect_timeout(Duration::MAX).build().unwrap();
}

#[test]
fn the_longest_timeout_works() {
    let server = httpmock::MockServer::start();
    server.mock(|_, then| {
        then.status(200).body(r#"{"data":{"otp_id":"otp_1"}}"#);
    });
    let client = Client::builder("key").base_url(server.base_url()).timeout(Duration::MAX).build().unwrap();
    for client in [&client, &client.with_timeout(Duration::MAX / 2)] {
        let _ = NewOtp::to("+14155552671").language("en").name("MyApp").send(client).unwrap();
    }
}

#[test]
fn user_agent_suffixes() {
    Client::builder("key").user_agent_suffix("my-app/1.2 (linux)").build().unwrap();
    for bad in ["a\r\nb", "a\tb", "\u{e9}", "\u{65e5}", "\u{7f}"] {
        let error = refused(Client::builder("key").user_agent_suffix(bad));
        assert_eq!(error, "`user_agent_suffix` must be visible ASCII and spaces", "{bad:?}");
    }
}

#[test]
fn proxies_and_certificates() {
    Client::builder("key").proxy("http://user:password@proxy.example.com:3128").build().unwrap();
    for bad in ["", "proxy url", "gopher://proxy.example.com", "http://"] {
        let error = refused(Client::builder("key").proxy(bad));
        assert!(error.contains("`proxy`"), "{bad}: {error}");
    }
    let error = refused(Client::builder("key").proxy("socks5://user:secret@proxy.example.com"));
    assert!(error.contains("SOCKS") && !error.contains("secret"), "{error}");
    for bad in ["", "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n"] {
        let expected = "`root_certificates` has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----";
        assert_eq!(refused(Client::builder("key").root_certificates(bad)), expected);
    }
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let expected = "`root_certificates` has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----";
    assert_eq!(refused(Client::builder("key").root_certificates(key)), expected);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let expected = "`root_certificates` has no certificate that can be read; export it again";
    assert_eq!(refused(Client::builder("key").root_certificates(garbage)), expected);
    // As in a bundle of a system with a certificate that this TLS library does not know.
    Client::builder("key").root_certificates(format!("{garbage}{CERTIFICATE}")).build().unwrap();
}

#[test]
fn nothing_secret_is_shown() {
    let builder = Client::builder("sk_secret").proxy("http://u:secret@127.0.0.1:1").base_url("https://localhost");
    let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("https://localhost"), "{shown}");
}

/// The environment belongs to the process, so each case runs [`child`] in its own process.
#[test]
fn the_environment() {
    let url = "CONTIGUITY_BASE_URL";
    let insecure = "CONTIGUITY_ALLOW_INSECURE_HTTP";
    let certificates = "CONTIGUITY_CA_FILE";
    let (key, token) = ("CONTIGUITY_API_KEY", "CONTIGUITY_TOKEN");
    for (variables, expected) in [
        (vec![], "config: no API key; set CONTIGUITY_API_KEY (or CONTIGUITY_TOKEN) in the environment"),
        (
            vec![(key, ""), (token, " ")],
            "config: no API key; set CONTIGUITY_API_KEY (or CONTIGUITY_TOKEN) in the environment",
        ),
        (vec![(key, "a")], "client: https://api.contiguity.com"),
        (vec![(token, "b")], "client: https://api.contiguity.com"),
        (vec![(key, " "), (token, "b")], "client: https://api.contiguity.com"),
        (vec![(key, "a"), (url, "http://127.0.0.1:4010/x/")], "client: http://127.0.0.1:4010/x"),
        (vec![(key, "a"), (url, "  ")], "client: https://api.contiguity.com"),
        (
            vec![(key, "a"), (url, "127.0.0.1:4010")],
            "config: CONTIGUITY_BASE_URL has no scheme; write http://127.0.0.1:4010",
        ),
        (
            vec![(key, "a"), (url, "http://sandbox:4010")],
            "config: CONTIGUITY_BASE_URL is plain http to a host other than loopback, which would show the key to anyone \
             on the network path; use https, or on a test network, call `allow_insecure_http()` or set \
             CONTIGUITY_ALLOW_INSECURE_HTTP=1",
        ),
        (vec![(key, "a"), (url, "http://sandbox:4010"), (insecure, "1")], "client: http://sandbox:4010"),
        (
            vec![(key, "a"), (url, "http://sandbox:4010"), (insecure, "yes")],
            "config: CONTIGUITY_ALLOW_INSECURE_HTTP must be 1 or 0, or not set",
        ),
        (vec![(key, "a"), (url, "https://example.com"), (insecure, "0")], "client: https://example.com"),
        (
            vec![(key, "a"), (certificates, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/localhost.pem"))],
            "client: https://api.contiguity.com",
        ),
        (
            vec![(key, "a"), (certificates, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/localhost.key.pem"))],
            "config: CONTIGUITY_CA_FILE has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----",
        ),
        (
            vec![(key, "a"), (certificates, "/nothing/here.pem")],
            "config: CONTIGUITY_CA_FILE: cannot read /nothing/here.pem: No such file or directory (os error 2)",
        ),
        (vec![(key, "a\nb")], "config: the API key must be visible ASCII; copy it again from your Contiguity console"),
        (vec![(key, "a"), ("ALL_PROXY", "http://127.0.0.1:1")], "client: https://api.contiguity.com"),
        (
            vec![(key, "a"), ("ALL_PROXY", "socks5://127.0.0.1:1")],
            "config: ALL_PROXY is a SOCKS proxy, which is not supported; use an http:// or https:// proxy",
        ),
        (
            vec![(key, "a"), ("ALL_PROXY", "socks5://127.0.0.1:1"), ("NO_PROXY", "api.contiguity.com")],
            "client: https://api.contiguity.com",
        ),
        (
            vec![(key, "a"), (url, "http://localhost:1"), ("ALL_PROXY", "socks5://127.0.0.1:1")],
            "client: http://localhost:1",
        ),
    ] {
        assert_eq!(in_a_child("from_env", &variables), expected, "{variables:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt;

    for name in ["CONTIGUITY_API_KEY", "CONTIGUITY_TOKEN"] {
        let said = in_a_child("from_env", &[(name, OsStr::from_bytes(b"k\xff"))]);
        assert_eq!(said, format!("config: {name} must be UTF-8"));
    }
}

#[test]
fn loopback_never_uses_the_proxy_of_the_environment() {
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"] {
        assert_eq!(in_a_child("sandbox", &[(name, "http://127.0.0.1:1")]), "sent", "{name}");
    }
}

/// Runs in a child process of the tests above, and prints what it sees on its own line.
#[test]
fn child() {
    let said = match std::env::var("CONTIGUITY_TEST_CHILD").as_deref() {
        Ok("from_env") => match Client::from_env() {
            Ok(client) => {
                let shown = format!("{client:?}");
                let url = shown.split("base_url: ").nth(1).and_then(|rest| rest.split(',').next());
                format!("client: {}", url.unwrap_or(&shown))
            }
            Err(Error::Config(error)) => format!("config: {error}"),
            Err(error) => format!("another error: {error}"),
        },
        Ok("sandbox") => {
            let sandbox = contiguity::sandbox::Sandbox::start().unwrap();
            let request = NewOtp::to("+14155552671").language("en").name("MyApp");
            request.send(&sandbox.client()).map_or_else(|error| error.to_string(), |_| "sent".to_owned())
        }
        _ => return,
    };
    println!("\nsaid <{said}>");
}

fn in_a_child(task: &str, variables: &[(&str, impl AsRef<OsStr>)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env("CONTIGUITY_TEST_CHILD", task);
    for name in [
        "CONTIGUITY_API_KEY",
        "CONTIGUITY_TOKEN",
        "CONTIGUITY_BASE_URL",
        "CONTIGUITY_ALLOW_INSECURE_HTTP",
        "CONTIGUITY_CA_FILE",
    ] {
        command.env_remove(name);
    }
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = command.envs(variables.iter().map(|(name, value)| (name, value))).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.split("said <").nth(1).and_then(|rest| rest.split_once(">\n"));
    said.unwrap_or_else(|| panic!("no output of the child: {output:?}")).0.to_owned()
}

#[track_caller]
fn refused(builder: ClientBuilder) -> String {
    match builder.build() {
        Err(Error::Config(error)) => error.to_string(),
        Err(error) => panic!("another error: {error}"),
        Ok(client) => panic!("not refused: {client:?}"),
    }
}
