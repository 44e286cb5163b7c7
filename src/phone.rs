//! Phone numbers in E.164, and the characters that numbers are written with.

pub(crate) mod calling_codes;
#[cfg(feature = "phonenumber")]
pub(crate) mod plan;

use std::fmt;
use std::str;

use crate::value::{debug_is_display, text_value};

/// A phone number in E.164: `+`, a country calling code and the rest of the number.
///
/// Every request checks its numbers with [`parse`](Self::parse), which takes nanoseconds and needs
/// no numbering plan. A well-formed number need not be in use; `is_valid_in_plan` (feature `phonenumber`) checks its country's plan.
///
/// [`Display`](fmt::Display) and [`as_str`](Self::as_str) give the whole number. [`Debug`] and
/// [`masked`](Self::masked) hide its middle, so that numbers do not end up in logs.
///
/// See ITU-T E.164 (11/2010) §6.
///
/// # Examples
///
/// ```
/// use contiguity::PhoneNumber;
///
/// let number = PhoneNumber::parse("+14155552671")?;
/// assert_eq!(number.calling_code(), 1);
/// assert_eq!(number.to_string(), "+14155552671");
/// assert_eq!(format!("{number:?}"), "PhoneNumber(+1•••••2671)");
/// # Ok::<(), contiguity::InvalidPhoneNumber>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber {
    /// `+` and the digits, then zeros: a number is small enough to need no allocation.
    text: [u8; MAX_DIGITS + 1],
    length: u8,
}

impl PhoneNumber {
    /// Parses a number in E.164: `+` and up to 15 ASCII digits.
    ///
    /// The digits must start with an assigned calling code, followed by at least two more digits.
    /// Separators, letters and extensions are refused. For numbers as people type them, use
    /// `from_user_input` (feature `phonenumber`).
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPhoneNumber`], which says what is wrong, and may
    /// [suggest](InvalidPhoneNumber::suggestion) the number without its separators.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// assert!(PhoneNumber::parse("+14155552671").is_ok());
    /// assert!(PhoneNumber::parse("(415) 555-2671").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        check(text).map_err(|problem| InvalidPhoneNumber { problem, suggestion: without_separators(text) })
    }

    /// Returns the country calling code: 1 for `+14155552671`, 44 for `+442079460958`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// assert_eq!(PhoneNumber::parse("+442079460958")?.calling_code(), 44);
    /// # Ok::<(), contiguity::InvalidPhoneNumber>(())
    /// ```
    #[must_use]
    pub fn calling_code(&self) -> u16 {
        self.find_calling_code().0
    }

    /// Returns the number to show on a page or in a log: `+1•••••2671`.
    ///
    /// The calling code is shown, and the last four digits if at least four more stay hidden.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// let number = PhoneNumber::parse("+14155552671")?;
    /// let page = format!("We sent a code to {}.", number.masked());
    /// assert_eq!(page, "We sent a code to +1•••••2671.");
    /// # Ok::<(), contiguity::InvalidPhoneNumber>(())
    /// ```
    #[must_use]
    pub fn masked(&self) -> impl fmt::Display + fmt::Debug + use<> {
        Masked(*self)
    }

    /// Returns the whole number, with its `+`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a number is always ASCII")]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..usize::from(self.length)]).expect("`check` allows only ASCII")
    }

    /// The digits after the calling code.
    pub(crate) fn national(&self) -> &str {
        &self.as_str()[1 + self.find_calling_code().1..]
    }

    /// The calling code, and how many digits it has.
    fn find_calling_code(&self) -> (u16, usize) {
        calling_codes::find(&self.as_str().as_bytes()[1..]).expect("`check` found a calling code")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

text_value!(PhoneNumber, InvalidPhoneNumber);

struct Masked(PhoneNumber);

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let national = self.0.national();
        let shown = if national.len() >= 8 { &national[national.len() - 4..] } else { "" };
        f.pad(&format!("+{}•••••{shown}", self.0.calling_code()))
    }
}

debug_is_display!(Masked);

/// The error of [`PhoneNumber::parse`] and `PhoneNumber::from_user_input`.
///
/// The message never contains the text that was refused, so it is safe to log.
///
/// # Examples
///
/// ```
/// use contiguity::PhoneNumber;
///
/// let error = PhoneNumber::parse("415 555 2671").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid phone number: must start with `+` \
///      and a country calling code, for example +14155552671"
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidPhoneNumber {
    pub(crate) problem: PhoneNumberProblem,
    suggestion: Option<PhoneNumber>,
}

impl InvalidPhoneNumber {
    /// Returns the number without its separators, if that is certain to be what was meant.
    ///
    /// Only text that starts with `+` and a calling code has a suggestion. Text has none if a 0
    /// follows the calling code, as in `+44 (0)20 7946 0958`, or if it may have an extension or a
    /// second number. Show a suggestion to the person before you use it.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// let error = PhoneNumber::parse("+1 (415) 555-2671").unwrap_err();
    /// assert_eq!(error.suggestion().unwrap().as_str(), "+14155552671");
    /// ```
    #[must_use]
    pub fn suggestion(&self) -> Option<PhoneNumber> {
        self.suggestion
    }

    pub(crate) fn without_advice(&self) -> String {
        format!("invalid phone number: {}", self.problem())
    }

    pub(crate) fn problem(&self) -> &'static str {
        self.problem.in_words().0
    }

    /// What to do, with the punctuation in front of it.
    pub(crate) fn advice(&self) -> &'static str {
        self.problem.in_words().1
    }
}

impl fmt::Display for InvalidPhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self.problem {
            // The number may be all right.
            PhoneNumberProblem::Region(_) => "",
            _ => "invalid phone number: ",
        };
        write!(f, "{subject}{}{}", self.problem(), self.advice())
    }
}

impl std::error::Error for InvalidPhoneNumber {}

#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "phonenumber"), expect(dead_code, reason = "the last three come from numbering plans"))]
pub(crate) enum PhoneNumberProblem {
    Blank,
    WhiteSpace,
    NoPlus,
    SecondPlus,
    Character,
    TooLong,
    TooShort,
    CallingCode,
    /// With what to do.
    Region(&'static str),
    NotOneNumber,
    Length,
}

impl PhoneNumberProblem {
    /// The problem and the advice of [`InvalidPhoneNumber`].
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Blank => ("must not be blank", "; use a number such as +14155552671"),
            Self::WhiteSpace => ("has white space at an end", "; trim it"),
            Self::NoPlus => ("must start with `+` and a country calling code", ", for example +14155552671"),
            Self::SecondPlus => ("has a second `+`", "; write one, at the start"),
            Self::Character => (
                "has characters other than `+` and the digits 0 to 9",
                "; leave out separators, letters and extensions",
            ),
            Self::TooLong => ("has more than 15 digits", "; check that it is one number"),
            Self::TooShort => ("has fewer than two digits after the country calling code", "; use the whole number"),
            Self::CallingCode => {
                ("does not start with an assigned country calling code", "; check the digits after `+`")
            }
            Self::Region(advice) => ("unknown region", advice),
            Self::NotOneNumber => (
                "must be one number without letters or an extension",
                "; start it with `+` and the country calling code if in doubt",
            ),
            Self::Length => ("has the wrong length for its country", "; use the whole number with its area code"),
        }
    }
}

/// Says what to do about an unknown region, with the punctuation in front of it. Only codes that
/// cannot mean another region have an advice of their own.
#[cfg(any(feature = "guard", feature = "phonenumber"))]
pub(crate) fn region_advice(region: &str) -> &'static str {
    match region.trim().to_ascii_uppercase().as_str() {
        "UK" | "GBR" => "; use GB for the United Kingdom",
        "USA" => "; use US for the United States",
        // The European Union's code.
        "EL" => "; use GR for Greece",
        _ => "; use a two-letter ISO 3166-1 code such as US",
    }
}

fn check(text: &str) -> Result<PhoneNumber, PhoneNumberProblem> {
    let trimmed = text.trim();
    let digits = match trimmed.as_bytes() {
        [] => return Err(PhoneNumberProblem::Blank),
        [b'+', digits @ ..] => digits,
        _ => return Err(PhoneNumberProblem::NoPlus),
    };
    if !digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'+') {
        return Err(PhoneNumberProblem::Character);
    }
    if digits.contains(&b'+') {
        return Err(PhoneNumberProblem::SecondPlus);
    }
    if digits.len() > MAX_DIGITS {
        return Err(PhoneNumberProblem::TooLong);
    }
    let (_, code_length) = calling_codes::find(digits).ok_or(PhoneNumberProblem::CallingCode)?;
    if digits.len() < code_length + MIN_NATIONAL_DIGITS {
        return Err(PhoneNumberProblem::TooShort);
    }
    // Last, since it is the only problem then.
    if trimmed.len() < text.len() {
        return Err(PhoneNumberProblem::WhiteSpace);
    }
    let mut number = PhoneNumber { text: [0; MAX_DIGITS + 1], length: 0 };
    for (to, from) in number.text.iter_mut().zip(text.as_bytes()) {
        *to = *from;
        number.length += 1;
    }
    Ok(number)
}

/// The number without its separators, where nothing else can be meant.
fn without_separators(text: &str) -> Option<PhoneNumber> {
    // Longer text is not a number with separators, and is not worth a copy.
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    let mut bare = String::new();
    for c in text.trim().chars() {
        if !is_separator(c) {
            bare.push(c);
        } else if is_opening_bracket(c) && !may_precede_bracket(&bare) {
            return None;
        }
    }
    // A 0 after the calling code is dialed in some countries, and left out in most.
    check(&bare).ok().filter(|number| bare != text && !number.national().starts_with('0'))
}

/// Brackets are put around the calling code or around the area code after it; later ones may hold
/// an extension.
fn may_precede_bracket(bare: &str) -> bool {
    let digits = bare.trim_start_matches('+').as_bytes();
    digits.is_empty()
        || digits.iter().all(u8::is_ascii_digit)
            && calling_codes::find(digits).is_some_and(|(_, length)| length == digits.len())
}

/// The value of a decimal digit of any script (Unicode's general category `Nd`), as an ASCII digit.
pub(crate) fn digit(c: char) -> Option<char> {
    let zero = *ZEROS[..ZEROS.partition_point(|&zero| zero <= c)].last()?;
    char::from_digit(u32::from(c) - u32::from(zero), 10)
}

/// What people and their address books put between the digits of one number, full-width forms
/// included.
///
/// Not a slash, a tilde or a line break: a second number or an extension may follow those.
pub(crate) fn is_separator(c: char) -> bool {
    is_blank(c)
        || is_invisible(c)
        || is_hyphen(c)
        || is_opening_bracket(c)
        || matches!(c, ')' | ']' | '.' | '\u{ff09}' | '\u{ff3d}' | '\u{ff0e}')
}

/// Hyphens and dashes, and what stands for them: the minus sign, and the long vowel mark of
/// Japanese.
pub(crate) fn is_hyphen(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{58a}' | '\u{5be}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{30fc}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// Characters that show nothing: marks of text direction, joiners, soft hyphens, variation
/// selectors (Unicode's `Default_Ignorable_Code_Point`).
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Spaces of any width, but no line break and no tab.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_opening_bracket(c: char) -> bool {
    matches!(c, '(' | '[' | '\u{ff08}' | '\u{ff3b}')
}

/// ITU-T E.164 §6.2.1: an international number has at most 15 digits.
const MAX_DIGITS: usize = 15;

/// Two digits after the calling code are the fewest that some plan uses.
const MIN_NATIONAL_DIGITS: usize = 2;

/// The zero of every script, each followed by the digits 1 to 9 (Unicode 16).
#[rustfmt::skip] // one a line would be a page
const ZEROS: [char; 76] = [
    '0', '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{1090}', '\u{17e0}', '\u{1810}',
    '\u{1946}', '\u{19d0}', '\u{1a80}', '\u{1a90}', '\u{1b50}', '\u{1bb0}', '\u{1c40}', '\u{1c50}', '\u{a620}',
    '\u{a8d0}', '\u{a900}', '\u{a9d0}', '\u{a9f0}', '\u{aa50}', '\u{abf0}', '\u{ff10}', '\u{104a0}', '\u{10d30}',
    '\u{10d40}', '\u{11066}', '\u{110f0}', '\u{11136}', '\u{111d0}', '\u{112f0}', '\u{11450}', '\u{114d0}',
    '\u{11650}', '\u{116c0}', '\u{116d0}', '\u{116da}', '\u{11730}', '\u{118e0}', '\u{11950}', '\u{11bf0}',
    '\u{11c50}', '\u{11d50}', '\u{11da0}', '\u{11f50}', '\u{16130}', '\u{16a60}', '\u{16ac0}', '\u{16b50}',
    '\u{16d70}', '\u{1ccf0}', '\u{1d7ce}', '\u{1d7d8}', '\u{1d7e2}', '\u{1d7ec}', '\u{1d7f6}', '\u{1e140}',
    '\u{1e2f0}', '\u{1e4f0}', '\u{1e5f1}', '\u{1e950}', '\u{1fbf0}',
];

#[cfg(test)]
mod tests {
    use super::{ZEROS, digit, is_invisible};

    #[test]
    fn digits_of_every_script_are_read() {
        for (digits, value) in [
            ("0123456789", "0123456789"),
            ("٠١٢٣٤٥٦٧٨٩", "0123456789"),
            ("۰۱۲۳۴۵۶۷۸۹", "0123456789"),
            ("०९", "09"),
            ("０９", "09"),
            ("๐๙", "09"),
            ("𝟎𝟗𝟘𝟡𝟢𝟫𝟬𝟵𝟶𝟿", "0909090909"),
            ("\u{10d30}\u{10d39}", "09"),
        ] {
            assert_eq!(digits.chars().map(digit).collect::<Option<String>>().as_deref(), Some(value));
        }
        let digits = ('\0'..=char::MAX).filter(|&c| digit(c).is_some());
        assert_eq!(digits.filter(|c| c.is_numeric()).count(), 10 * ZEROS.len());
        // Numeric, but not decimal digits.
        for c in "²½①Ⅷ一/:".chars() {
            assert_eq!(digit(c), None, "{c}");
        }
    }

    #[test]
    fn characters_that_show_nothing_are_invisible() {
        assert!("\u{ad}\u{61c}\u{180e}\u{200b}\u{200f}\u{202a}\u{2069}\u{fe0f}\u{feff}".chars().all(is_invisible));
        assert!(!" -0a\u{a0}\u{301}".chars().any(is_invisible));
    }
}

#[cfg(all(test, feature = "phonenumber"))]
mod calling_code_tests {
    use std::collections::BTreeSet;

    use phonenumber::metadata::DATABASE;

    use super::calling_codes;

    #[test]
    fn the_calling_codes_are_those_of_libphonenumber() {
        let ours: BTreeSet<u16> = calling_codes::all().iter().copied().collect();
        let theirs: BTreeSet<u16> = (0..1000).filter(|code| DATABASE.by_code(code).is_some()).collect();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn no_calling_code_begins_with_another() {
        let codes: Vec<String> = calling_codes::all().iter().map(u16::to_string).collect();
        for code in &codes {
            let longer: Vec<_> = codes.iter().filter(|other| *other != code && other.starts_with(code)).collect();
            assert!(longer.is_empty(), "{code} is the beginning of {longer:?}");
        }
    }
}
