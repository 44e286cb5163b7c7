//! What people write on the command line: numbers as they dial them, and the language of their system.

use std::env;

use contiguity::{Error, Input, Language, PhoneNumber};

use crate::ending::Failure;

/// Reads a number as people write it. Without a region, the call checks numbers that are E.164 or do
/// not start with `+`.
pub(crate) fn number(text: String, region: Option<&str>) -> Result<Input<PhoneNumber>, Failure> {
    let is_international = text.trim_start().starts_with('+');
    if region.is_none() && (!is_international || PhoneNumber::parse(&text).is_ok()) {
        return Ok(text.into());
    }
    // A number with + needs no region.
    let region = region.unwrap_or_default();
    PhoneNumber::from_user_input(&text, region).map(Input::from).map_err(|error| {
        let message = error.to_string();
        match Error::from(error) {
            Error::Config(_) => Failure::Usage(with_region(&message, region)),
            _ => Failure::local(message),
        }
    })
}

/// The crate's message, which does not quote the region. A word is quoted here. Other text may be a
/// number in the wrong place.
fn with_region(message: &str, region: &str) -> String {
    let is_word = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphabetic());
    match message.strip_prefix("unknown region") {
        Some(advice) if is_word => format!("unknown region {region:?}{advice}"),
        _ => message.to_owned(),
    }
}

/// Returns the language for a tag, or the one of the system's locale for `auto`.
pub(crate) fn language(tag: &str) -> String {
    if !tag.eq_ignore_ascii_case("auto") {
        return tag.to_owned();
    }
    // The first that is set counts (POSIX.1-2024, Base Definitions, 8.2).
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(env::var_os).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default();
    Language::negotiate(&locale.to_string_lossy()).unwrap_or(Language::English).to_string()
}

/// A time as `4:05`.
pub(crate) fn clock(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
