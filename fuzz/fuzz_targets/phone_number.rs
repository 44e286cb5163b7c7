//! Reads any text as a phone number. An accepted number is E.164 and parses again, a suggestion is the same number, and
//! no error repeats a number.

#![no_main]

use contiguity::PhoneNumber;
use libfuzzer_sys::fuzz_target;
use phonenumber::metadata::DATABASE;

// Two lines, so that seeds can be written by hand: a region, and a number as a person types it there.
fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let (region, text) = text.split_once('\n').unwrap_or(("US", &text));

    match PhoneNumber::parse(text) {
        Ok(number) => {
            assert!(is_e164(text), "{text:?} was accepted");
            assert_eq!(number.as_str(), text);
            check(&number);
            // A number with its calling code is the same in every region.
            let typed = PhoneNumber::from_user_input(text, region);
            assert!(typed.is_err() || typed == Ok(number) || !number.is_valid_in_plan(), "{text:?} is {typed:?}");
        }
        Err(error) => {
            assert!(!is_e164(text), "{text:?} was refused: {error}");
            if let Some(suggestion) = error.suggestion() {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                assert_eq!(suggestion.as_str().strip_prefix('+'), Some(&*digits), "suggested for {text:?}");
                assert!(text.trim_start().contains('+') && !text.contains(char::is_alphabetic), "{text:?}");
                check(&suggestion);
            }
            is_silent(&error, text);
        }
    }
    match PhoneNumber::from_user_input(text, region) {
        Ok(number) => check(&number),
        Err(error) => is_silent(&error, text),
    }
});

/// Checks what holds for every number.
fn check(number: &PhoneNumber) {
    let text = number.as_str();
    assert!(is_e164(text), "{text:?} is a number");
    assert!((4..=16).contains(&text.len()), "{text:?} has + and 3 to 15 digits");
    assert_eq!(PhoneNumber::parse(text).as_ref(), Ok(number));
    assert_eq!(number.to_string(), text);
    let json = serde_json::to_string(number).unwrap();
    assert_eq!(serde_json::from_str::<PhoneNumber>(&json).unwrap(), *number);
    let code = number.calling_code().to_string();
    assert!(text[1..].starts_with(&code), "{code} of {text:?}");
    let national = &text[1 + code.len()..];
    assert!(national.len() >= 2, "{national:?} of {text:?}");
    // Shown are the calling code, and the last four digits if four more stay hidden.
    let shown = if national.len() >= 8 { &national[national.len() - 4..] } else { "" };
    assert_eq!(number.masked().to_string(), format!("+{code}•••••{shown}"));
    assert_eq!(format!("{number:?}"), format!("PhoneNumber(+{code}•••••{shown})"));
    let _ = number.is_valid_in_plan();
}

/// The rule in other words: an assigned calling code of 1 to 3 digits, at least two digits more, and at most 15 in all.
fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    let is_code = |code: &str| !code.starts_with('0') && DATABASE.by_code(&code.parse().unwrap()).is_some();
    digits.len() <= 15
        && digits.chars().all(|c| c.is_ascii_digit())
        && (1..=3).any(|length| digits.len() >= length + 2 && is_code(&digits[..length]))
}

/// An error is fit for logs: it never repeats a number.
fn is_silent(error: &contiguity::InvalidPhoneNumber, text: &str) {
    let shown = format!("{error} {error:?}").replace("+14155552671", "");
    let mut runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= 5);
    assert!(!runs.any(|run| shown.contains(run)), "{shown:?} repeats {text:?}");
}
