//! Reads any text as a code that a person typed, and as a language that a browser or a person chose.

#![no_main]

use std::sync::LazyLock;

use contiguity::fuzzing::respond_with;
use contiguity::{Client, Error, Language, VerifyOtp};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::builder("your-api-key").base_url("http://127.0.0.1:1").retries(0).build().unwrap());

// Two lines, so that seeds can be written by hand: a code, and an Accept-Language header.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let (typed, language) = text.split_once('\n').unwrap_or((&text, &text));
    code(typed);
    parse(language);
    negotiate(language);
});

/// A code is sent or refused by its digits. No message repeats it, in any spelling.
fn code(typed: &str) {
    let digits = digits(typed);
    let body = json!({ "id": digits, "data": { "error": typed } }).to_string();
    respond_with(400, &[], body.as_bytes());
    let error = VerifyOtp::otp_id("otp_1").otp(typed).send(&CLIENT).unwrap_err();
    let count = typed.chars().filter(|c| c.is_numeric()).count();
    let shown = match &error {
        Error::Validation(problems) => {
            assert!(digits.is_none_or(|digits| !(4..=10).contains(&digits.len())), "{typed:?} is refused");
            assert_eq!(problems.issues()[0].field, "otp");
            error.to_string()
        }
        Error::Api(api) => {
            assert!(
                (4..=10).contains(&count) && !typed.contains(|c: char| c.is_ascii_alphabetic()),
                "{typed:?} is sent"
            );
            assert!(digits.is_none_or(|digits| !error.to_string().contains(&digits)), "the code is shown: {error}");
            api.message().to_owned()
        }
        other => panic!("{other:?}"),
    };
    assert!(shown.chars().filter(|c| c.is_numeric()).count() < 4, "the code is shown: {shown}");
}

/// The digits of a text that has nothing else but spaces and hyphens, if they are of one of the common scripts.
fn digits(text: &str) -> Option<String> {
    ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}'].into_iter().find_map(|zero| {
        let digit = |c: char| char::from_digit(u32::from(c).checked_sub(u32::from(zero))?, 10);
        text.chars().filter(|c| !matches!(c, ' ' | '-')).map(digit).collect()
    })
}

/// A language is kept as it is, except for its case and its hyphens.
fn parse(text: &str) {
    let is_same = |other: &str| text.replace('_', "-").eq_ignore_ascii_case(other);
    match Language::parse(text) {
        Ok(language) => {
            assert!(is_same(language.as_str()), "{text:?} is {language}");
            assert_eq!(Language::parse(language.as_str()), Ok(language.clone()));
            let is_documented = Language::all().any(|other| other == language);
            assert_eq!(is_documented, !matches!(language, Language::Other(_)));
            if is_documented {
                assert_eq!(Language::negotiate(text), Some(language));
            }
        }
        Err(error) => {
            assert!(!Language::all().any(|language| is_same(language.as_str())), "{text:?} is refused");
            assert!(error.to_string().len() < 100, "{error}");
        }
    }
}

/// Only a documented language is chosen: in any case of letters, whatever comes after it, and never with weight 0.
fn negotiate(text: &str) {
    let chosen = Language::negotiate(text);
    assert_eq!(Language::negotiate(&text.to_ascii_uppercase()), chosen);
    assert_eq!(Language::negotiate(&format!("{text},*,-,é")), chosen);
    let Some(language) = chosen else { return };
    assert!(!matches!(language, Language::Other(_)), "{language} is not documented");
    let refused = format!("{language};q=0,{text}");
    assert_ne!(Language::negotiate(&refused), Some(language), "{refused:?}");
}
