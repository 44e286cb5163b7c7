//! Which numbers a guard lets through at all, and which of them count as the same.

use std::collections::BTreeMap;

use super::regions;
use crate::error::Error;
use crate::phone::{PhoneNumber, calling_codes, region_advice};

/// The destinations that a guard allows: the state of a [`GuardBuilder`](super::GuardBuilder) after
/// [`only`](super::GuardBuilder::only) or [`everywhere`](super::GuardBuilder::everywhere).
#[derive(Clone, Debug)]
pub struct Destinations {
    /// Two-letter regions. Without them, every calling code but those of [`UNUSUAL`].
    pub(super) regions: Option<Vec<String>>,
}

/// The same, checked.
#[derive(Debug)]
pub(super) struct Allowed {
    /// The lengths that are allowed after a calling code, as bits.
    lengths: Option<BTreeMap<u16, u32>>,
    /// The regions that are allowed in +1, unless all are.
    regions_of_1: Option<Vec<String>>,
    also: Vec<u16>,
    /// In the digits of [`Counted`].
    denied: Vec<Box<[u8]>>,
}

impl Allowed {
    pub(super) fn new(destinations: &Destinations, also: Vec<u16>, denied: &[String]) -> Result<Self, Error> {
        let is_assigned =
            |code: u16| calling_codes::find(code.to_string().as_bytes()).is_some_and(|(found, _)| found == code);
        if let Some(code) = also.iter().find(|&&code| !is_assigned(code)) {
            return Err(Error::config(format!("the guard's `also` has {code}, which is not an assigned calling code")));
        }
        let denied = denied.iter().map(|prefix| denied_prefix(prefix)).collect::<Result<_, _>>()?;
        let Some(regions) = &destinations.regions else {
            return Ok(Self { lengths: None, regions_of_1: None, also, denied });
        };
        let mut lengths = BTreeMap::new();
        for region in regions {
            let (code, possible) = regions::find(region).ok_or_else(|| unknown(region))?;
            let bits = possible.iter().fold(0, |bits, length| bits | 1 << length);
            *lengths.entry(code).or_default() |= bits;
        }
        if regions.is_empty() && also.is_empty() {
            return Err(Error::config("the guard's `only` has no region; give those that your users are in"));
        }
        Ok(Self { lengths: Some(lengths), regions_of_1: Some(regions.clone()), also, denied })
    }

    pub(super) fn contains(&self, number: PhoneNumber, counted: &Counted) -> bool {
        if self.denied.iter().any(|prefix| counted.number().starts_with(prefix)) {
            return false;
        }
        let code = number.calling_code();
        if self.also.contains(&code) {
            return true;
        }
        let Some(lengths) = &self.lengths else {
            return !UNUSUAL.contains(&code);
        };
        let Some(lengths) = lengths.get(&code) else {
            return false;
        };
        let national = number.national();
        // The digit of a mobile phone that is not part of a number of its plan.
        let bare = mobile_prefix(code).and_then(|prefix| national.strip_prefix(prefix)).unwrap_or(national);
        let has_length = |digits: &str| lengths >> digits.len() & 1 == 1;
        let is_in_region = |regions: &Vec<String>| {
            let area = national.get(..3).and_then(|area| area.parse().ok()).unwrap_or_default();
            regions.iter().any(|region| region.eq_ignore_ascii_case(regions::of_area(area)))
        };
        (has_length(national) || has_length(bare)) && (code != 1 || self.regions_of_1.as_ref().is_none_or(is_in_region))
    }
}

/// A number as limits count it: spellings that reach the same phone are one.
///
/// Leading zeros of the national part are left out, and so is the digit that mobile phones of
/// Mexico and Argentina have after the calling code.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    digits: [u8; 15],
    length: usize,
    code_length: usize,
}

impl Counted {
    pub(super) fn new(number: PhoneNumber) -> Self {
        let all = &number.as_str().as_bytes()[1..];
        let (code, national) = all.split_at(all.len() - number.national().len());
        let national = without_prefix(number.calling_code(), national);
        let mut counted = Self { digits: [0; 15], length: code.len() + national.len(), code_length: code.len() };
        for (to, from) in counted.digits.iter_mut().zip(code.iter().chain(national)) {
            *to = *from;
        }
        counted
    }

    /// Digits only, from the calling code on.
    pub(super) fn number(&self) -> &[u8] {
        &self.digits[..self.length]
    }

    pub(super) fn calling_code(&self) -> &[u8] {
        &self.digits[..self.code_length]
    }

    /// What the number has in common with the thousand numbers around it.
    pub(super) fn neighbors(&self) -> &[u8] {
        &self.digits[..self.length.saturating_sub(3).max(self.code_length)]
    }
}

/// A word is quoted, since a list may be long. Other text may be a number in the wrong place.
fn unknown(region: &str) -> Error {
    let is_word = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphabetic());
    let which = if is_word { format!("the unknown region {region:?}") } else { "an unknown region".to_owned() };
    Error::config(format!("the guard's `only` has {which}{}", region_advice(region)))
}

fn without_prefix(code: u16, national: &[u8]) -> &[u8] {
    let national = without_zeros(national);
    match mobile_prefix(code).and_then(|prefix| national.strip_prefix(prefix.as_bytes())) {
        Some(rest) => without_zeros(rest),
        None => national,
    }
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|digit| **digit == b'0').count()..]
}

/// The digit before mobile numbers that may be left out. No other number of these plans begins with
/// it.
fn mobile_prefix(code: u16) -> Option<&'static str> {
    match code {
        52 => Some("1"),
        54 => Some("9"),
        _ => None,
    }
}

fn denied_prefix(prefix: &str) -> Result<Box<[u8]>, Error> {
    let digits = prefix.strip_prefix('+').map(str::as_bytes).filter(|digits| digits.iter().all(u8::is_ascii_digit));
    let found = digits.and_then(|digits| calling_codes::find(digits).map(|(code, length)| (digits, code, length)));
    let (digits, code, length) = found.ok_or_else(|| {
        // A short prefix is quoted, since a list may be long. A whole number is not.
        let is_prefix = prefix.len() <= 5 && prefix.bytes().all(|b| b.is_ascii_digit() || b == b'+');
        let which = if is_prefix { format!("the invalid prefix {prefix:?}") } else { "an invalid prefix".to_owned() };
        Error::config(format!(
            "the guard's `deny` has {which}; begin it with + and an assigned calling code, such as +4470"
        ))
    })?;
    let (code_digits, national) = digits.split_at(length);
    Ok([code_digits, without_prefix(code, national)].concat().into())
}

/// Satellite phones and networks, international freephone, shared cost, personal and premium
/// numbers.
const UNUSUAL: [u16; 9] = [800, 808, 870, 878, 881, 882, 883, 888, 979];
