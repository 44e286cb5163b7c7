//! Builds clients with any proxy, `NO_PROXY` list and base URL. Nothing panics, a proxy means the same wherever it is
//! set, and no password is shown.

#![no_main]

use std::env;

use contiguity::{Client, Error};
use libfuzzer_sys::fuzz_target;

const PASSWORD: &str = "pw1234secret";

// Three lines, so that seeds can be written by hand: the proxy, `NO_PROXY`, and the base URL. `PASSWORD` replaces every
// `*` of the two URLs.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input).replace('\0', "");
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (proxy, no_proxy, base_url) = (line().replace('*', PASSWORD), line(), line().replace('*', PASSWORD));

    set("no_proxy", "");
    for base_url in [base_url.as_str(), "https://api.example.com"] {
        set("https_proxy", "");
        let direct = build(base_url, None);
        let explicit = build(base_url, Some(&proxy));
        set("https_proxy", &proxy);
        let by_variable = build(base_url, None);
        set("no_proxy", no_proxy);
        let unless_exempt = build(base_url, None);
        set("no_proxy", "*");
        let exempt = build(base_url, None);
        set("no_proxy", "");

        assert!(direct || !explicit, "{base_url:?} is valid only with the proxy {proxy:?}");
        assert_eq!(direct, exempt, "{base_url:?} with every host exempt");
        assert!(unless_exempt || !by_variable, "{base_url:?} is refused because of NO_PROXY={no_proxy:?}");
        assert!(direct || !unless_exempt, "{base_url:?} is valid only with NO_PROXY={no_proxy:?}");
    }
    // The last base URL uses the proxy. An empty variable means no proxy.
    let explicit = build("https://api.example.com", Some(&proxy));
    assert_eq!(build("https://api.example.com", None), explicit || proxy.is_empty(), "{proxy:?}");
});

/// Reports whether the client can be built.
fn build(base_url: &str, proxy: Option<&str>) -> bool {
    let mut builder = Client::builder("your-api-key").base_url(base_url);
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    let is_shown = |text: &str| text.contains(PASSWORD);
    assert!(!is_shown(&format!("{builder:?}")), "the password is shown");
    match builder.build() {
        // The base URL is not secret. A client whose base URL has a password cannot be built.
        Ok(client) => {
            assert!(!is_shown(&format!("{client:?}")) || is_shown(base_url), "the password is shown");
            true
        }
        Err(error) => {
            assert!(matches!(error, Error::Config(_)), "{error}");
            assert!(!error.may_have_sent() && !error.is_retryable(), "{error}");
            let text = error.to_string();
            assert!(!is_shown(&text) && !text.contains(char::is_control), "{text:?}");
            false
        }
    }
}

/// The C library keeps every value that is set, so memory grows with every input.
fn set(name: &str, value: &str) {
    // SAFETY: this process has one thread, since no call is made.
    unsafe { env::set_var(name, value) };
}
