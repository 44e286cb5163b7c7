//! What needs a numbering plan: reading what people type, and whether a country has such numbers.
//!
//! The plans are the phonenumber crate's metadata, loaded on first use. The reader follows
//! libphonenumber's rules and does not use the crate's own `parse`, which (as of 0.3.10) removes
//! the region's national prefix from numbers of other countries, too, and removes it twice: `+49
//! 171 1234567` typed in region US becomes the number of someone else.

use std::borrow::Cow;

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex::Regex;

use super::{
    InvalidPhoneNumber, PhoneNumber, PhoneNumberProblem, calling_codes, check, digit, is_opening_bracket, is_separator,
    region_advice,
};

impl PhoneNumber {
    /// Parses a number as people type it: `(415) 555-2671` in region `US` is `+14155552671`.
    ///
    /// `region` is the two-letter ISO 3166-1 code of the place that the person dials from, in any
    /// case. A number without a calling code is read as one of that region, and its national
    /// prefix, such as a leading 0, is removed. International numbers, written with `+` or the
    /// region's international prefix (such as `011`), are read as such. Numbers with `+` do not need
    /// a known region.
    ///
    /// Separators, marks of text direction, a label such as `tel:` and punctuation after the number
    /// are ignored. Digits of any script are read.
    ///
    /// Input is refused if it might be someone else's number: if it contains letters, an extension or
    /// a second number, or has a length that the country does not use. Still, a person may have
    /// mistyped it, or left out the area code. Show the result before you send a message to it.
    ///
    /// The rules and the numbering plans are libphonenumber's.
    /// To check validity as well, call [`is_valid_in_plan`](Self::is_valid_in_plan).
    ///
    /// # Performance
    ///
    /// The first call in a process loads the numbering plans; see [`load_plans`](Self::load_plans).
    /// After that, a number takes a few microseconds if the numbers are from a few regions. It takes a
    /// few hundred if they are from many, because only recently used patterns are kept.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPhoneNumber`] if the text is not one number or has more than 250
    /// characters, if its country has no number of that length, if the number is not E.164, or if
    /// it needs a region and the region is unknown. As an [`Error`](crate::Error), an unknown region
    /// is [`Config`](crate::Error::Config), since your program names it. Any other problem is
    /// [`Validation`](crate::Error::Validation).
    ///
    /// Requires the feature `phonenumber`, which is on by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// let number = PhoneNumber::from_user_input("(415) 555-2671", "US")?;
    /// assert_eq!(number.as_str(), "+14155552671");
    ///
    /// let number = PhoneNumber::from_user_input("+49 171 1234567", "US")?;
    /// assert_eq!(number.as_str(), "+491711234567");
    /// # Ok::<(), contiguity::InvalidPhoneNumber>(())
    /// ```
    pub fn from_user_input(text: &str, region: &str) -> Result<Self, InvalidPhoneNumber> {
        read_number(text, region).map_err(|problem| InvalidPhoneNumber { problem, suggestion: None })
    }

    /// Reports whether the number is valid in its country's numbering plan.
    ///
    /// The plans are libphonenumber's metadata. A number may be valid without being in use. Sending
    /// does not require a valid number: the service's own example `+15551234567` is not valid.
    ///
    /// The first call in a process loads the numbering plans; see [`load_plans`](Self::load_plans).
    ///
    /// Requires the feature `phonenumber`, which is on by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// assert!(PhoneNumber::parse("+14155552671")?.is_valid_in_plan());
    /// assert!(!PhoneNumber::parse("+15551234567")?.is_valid_in_plan());
    /// # Ok::<(), contiguity::InvalidPhoneNumber>(())
    /// ```
    #[must_use]
    pub fn is_valid_in_plan(&self) -> bool {
        is_valid(self)
    }

    /// Loads the numbering plans of the world, if they are not loaded yet.
    ///
    /// Otherwise the first call of [`from_user_input`](Self::from_user_input) or
    /// [`is_valid_in_plan`](Self::is_valid_in_plan) loads them. Call it when your program
    /// starts, so that the first person does not wait.
    ///
    /// In a release build, this takes about 0.1 seconds and, with the patterns of one region, about 8
    /// MiB. The patterns of a region are compiled when its first number is read. Memory grows to about
    /// 40 MiB if numbers of the whole world are read.
    ///
    /// Requires the feature `phonenumber`, which is on by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// std::thread::spawn(PhoneNumber::load_plans);
    /// ```
    pub fn load_plans() {
        let _ = DATABASE.by_code(&1);
    }
}

fn read_number(text: &str, region: &str) -> Result<PhoneNumber, PhoneNumberProblem> {
    let id = Some(region.trim().to_ascii_uppercase()).filter(|id| id.len() == 2);
    let plan = id.and_then(|id| DATABASE.by_id(&id)).ok_or_else(|| PhoneNumberProblem::Region(region_advice(region)));
    let Typed { digits, has_plus, breaks } = read(text)?;
    // Digits after a complete number and a break are an extension or another number.
    let is_complete = |end| resolve(plan, &digits[..end], has_plus).is_ok_and(|number| is_valid(&number));
    if breaks.into_iter().any(|end| end < digits.len() && is_complete(end)) {
        return Err(PhoneNumberProblem::NotOneNumber);
    }
    resolve(plan, &digits, has_plus)
}

fn is_valid(number: &PhoneNumber) -> bool {
    plans(number.calling_code()).iter().any(|plan| is_assigned(plan, number.national()))
}

/// The number that is reached by these digits, dialed in the plan's region.
fn resolve(
    plan: Result<&Metadata, PhoneNumberProblem>,
    digits: &str,
    has_plus: bool,
) -> Result<PhoneNumber, PhoneNumberProblem> {
    let number = if has_plus && calling_codes::find(digits.as_bytes()).is_some() {
        international(digits)?
    } else {
        // People write `+0049`, too.
        let abroad = plan.ok().and_then(|plan| without_international_prefix(plan, digits));
        match abroad {
            Some(digits) => international(digits)?,
            None if has_plus => return Err(PhoneNumberProblem::CallingCode),
            None => domestic(plan?, digits)?,
        }
    };
    // The main plan only, as in libphonenumber: Canada's seven digits are other people's local
    // numbers in the others.
    let plans = plans(number.calling_code());
    let has_length = plans.first().is_some_and(|plan| lengths(plan).any(|length| length == number.national().len()));
    if has_length { Ok(number) } else { Err(PhoneNumberProblem::Length) }
}

/// A number that starts with its calling code. It may be of another country, so a national prefix
/// is removed only if the number is impossible with it and possible without it, as in `+44 (0)20
/// 7946 0958`.
fn international(digits: &str) -> Result<PhoneNumber, PhoneNumberProblem> {
    let (code, length) = calling_codes::find(digits.as_bytes()).ok_or(PhoneNumberProblem::CallingCode)?;
    let plans = plans(code);
    let is_known = |national: &str| plans.iter().any(|plan| is_possible(plan, national));
    let national = &digits[length..];
    let bare = plans.first().filter(|_| !is_known(national)).and_then(|main| without_national_prefix(main, national));
    check(&format!("+{code}{}", bare.filter(|bare| is_known(bare)).unwrap_or(national.into())))
}

/// A number of the region, with or without its national prefix and its calling code.
fn domestic(plan: &Metadata, digits: &str) -> Result<PhoneNumber, PhoneNumberProblem> {
    let code = plan.country_code().to_string();
    if let Some(rest) = digits.strip_prefix(&code) {
        let national = national(plan, rest);
        let is_too_long = lengths(plan).max().is_some_and(|most| digits.len() > most);
        if is_too_long || !is_possible(plan, digits) && is_possible(plan, &national) {
            return international(&format!("{code}{national}"));
        }
    }
    check(&format!("+{code}{}", national(plan, digits)))
}

/// A number as it is dialed within the country, without the national prefix, such as 0.
fn national<'d>(plan: &Metadata, digits: &'d str) -> Cow<'d, str> {
    without_national_prefix(plan, digits)
        .filter(|bare| lengths(plan).any(|length| length == bare.len()))
        .filter(|bare| is_possible(plan, bare) || !is_possible(plan, digits))
        .unwrap_or(digits.into())
}

/// The digits after the international prefix, such as 011 in the United States, if there is one.
fn without_international_prefix<'d>(plan: &Metadata, digits: &'d str) -> Option<&'d str> {
    let prefix = plan.international_prefix()?.find(digits).filter(|prefix| prefix.start() == 0)?;
    // No calling code starts with 0.
    Some(&digits[prefix.end()..]).filter(|rest| !rest.starts_with('0'))
}

/// The digits after the national prefix, if there is one. Some plans put other digits in its place.
fn without_national_prefix<'d>(plan: &Metadata, digits: &'d str) -> Option<Cow<'d, str>> {
    let Some(prefix) = plan.national_prefix_for_parsing() else {
        return digits.strip_prefix(plan.national_prefix()?).map(Cow::from);
    };
    let found = prefix.captures(digits)?;
    let rest = found.get(0).filter(|whole| whole.start() == 0).map(|whole| &digits[whole.end()..])?;
    let last_group = (1..found.len()).next_back().and_then(|last| found.get(last));
    match plan.national_prefix_transform_rule().filter(|_| last_group.is_some()) {
        Some(rule) => {
            let mut transformed = String::new();
            found.expand(rule, &mut transformed);
            Some((transformed + rest).into())
        }
        None => Some(rest.into()),
    }
}

/// Whether a number of this plan may look like this.
fn is_possible(plan: &Metadata, national: &str) -> bool {
    is_match(plan.descriptors().general(), national)
}

/// Whether some kind of number in this plan looks like this.
fn is_assigned(plan: &Metadata, national: &str) -> bool {
    is_possible(plan, national) && kinds(plan).any(|kind| is_match(kind, national))
}

/// How many digits a number of this plan may have.
pub(crate) fn lengths(plan: &Metadata) -> impl Iterator<Item = usize> {
    kinds(plan).flat_map(Descriptor::possible_length).map(|&length| length.into())
}

/// The kinds of numbers that subscribers have.
fn kinds(plan: &Metadata) -> impl Iterator<Item = &Descriptor> {
    let kinds = plan.descriptors();
    [
        kinds.fixed_line(),
        kinds.mobile(),
        kinds.toll_free(),
        kinds.premium_rate(),
        kinds.shared_cost(),
        kinds.personal_number(),
        kinds.voip(),
        kinds.pager(),
        kinds.uan(),
        kinds.voicemail(),
    ]
    .into_iter()
    .flatten()
}

/// Whether the whole number is of this kind; [`Descriptor::is_match`] looks at its start only.
fn is_match(kind: &Descriptor, national: &str) -> bool {
    let lengths = kind.possible_length();
    if !lengths.is_empty() && !lengths.iter().any(|&length| usize::from(length) == national.len()) {
        return false;
    }
    match kind.national_number().find(national) {
        Some(found) if found.len() == national.len() => true,
        Some(_) => {
            // The first alternative that matches may be shorter than another one.
            let whole = format!("^(?x-u:{})$", kind.national_number().as_str());
            Regex::new(&whole).is_ok_and(|whole| whole.is_match(national))
        }
        None => false,
    }
}

/// The plans of the countries that share a calling code, the main one first.
fn plans(code: u16) -> Vec<&'static Metadata> {
    DATABASE.by_code(&code).unwrap_or_default()
}

struct Typed {
    digits: String,
    has_plus: bool,
    /// How many digits come before each character that may also start an extension or a second
    /// number.
    breaks: Vec<usize>,
}

/// The digits of a string that has nothing else but separators, a `+` in front, a label such as
/// `tel:`, and punctuation at its end.
fn read(text: &str) -> Result<Typed, PhoneNumberProblem> {
    if text.trim().is_empty() {
        return Err(PhoneNumberProblem::Blank);
    }
    if text.chars().count() > MAX_CHARACTERS {
        return Err(PhoneNumberProblem::NotOneNumber);
    }
    let text = text.trim_end_matches(is_end);
    let is_label = |label: &str| !label.contains(|c| is_plus(c) || digit(c).is_some());
    let number = text.rsplit_once(':').filter(|(label, _)| is_label(label)).map_or(text, |(_, number)| number);
    let mut typed = Typed { digits: String::new(), has_plus: false, breaks: Vec::new() };
    for c in number.chars() {
        match digit(c) {
            Some(digit) => typed.digits.push(digit),
            None if is_plus(c) && typed.digits.is_empty() => typed.has_plus = true,
            None if is_break(c) => typed.breaks.push(typed.digits.len()),
            None if is_separator(c) => {}
            // The wait for a dial tone in an international prefix, such as 8~10. Later it is the
            // mark of an extension.
            None if c == '~' && typed.digits.len() == 1 => {}
            None => return Err(PhoneNumberProblem::NotOneNumber),
        }
    }
    if typed.digits.is_empty() { Err(PhoneNumberProblem::NotOneNumber) } else { Ok(typed) }
}

fn is_plus(c: char) -> bool {
    matches!(c, '+' | '\u{ff0b}')
}

/// What may stand after an area code, and also between a number and an extension or a second
/// number.
fn is_break(c: char) -> bool {
    is_opening_bracket(c) || matches!(c, '/' | '\u{ff0f}') || c.is_whitespace() && !is_separator(c)
}

/// What may follow a number in a sentence or a list.
fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '،' | '、' | '。' | '，' | '；')
}

/// libphonenumber's own bound on what it tries to read (`MAX_INPUT_STRING_LENGTH_`).
const MAX_CHARACTERS: usize = 250;

#[cfg(test)]
mod tests {
    use phonenumber::metadata::DATABASE;
    use regex::Regex;

    use super::{kinds, lengths};

    #[test]
    fn every_plan_can_be_asked() {
        for plan in DATABASE.iter() {
            for kind in kinds(plan).chain([plan.descriptors().general()]) {
                let pattern = kind.national_number().as_str();
                assert!(Regex::new(&format!("^(?x-u:{pattern})$")).is_ok(), "{}: {pattern}", plan.id());
            }
            assert!(lengths(plan).min() >= Some(2), "{}", plan.id());
        }
    }
}
