//! Phone numbers in E.164.

pub(crate) mod calling_codes;
#[cfg(feature = "phonenumber")]
mod plan;

use std::fmt;
use std::str;

use crate::error::IssueKind;
use crate::redact::is_invisible;
use crate::validate::{Fault as FieldFault, text_value};

/// A phone number in E.164: `+`, a country calling code, and the rest of the number, 15 digits at most.
///
/// [`PhoneNumber::parse`] is the check that every request makes before anything is sent: it knows the calling codes that
/// are assigned, takes nanoseconds, and needs no numbering plan. A well-formed number may still be one that nobody has;
/// `is_valid_in_plan` (feature `phonenumber`) asks the plan of its country.
///
/// [`Display`](fmt::Display) and [`as_str`](Self::as_str) give the whole number. [`Debug`] masks it, so that a number
/// does not end up in a log by accident.
///
/// Source of the rule: ITU-T E.164 (11/2010) §6.
///
/// # Examples
///
/// ```
/// use contiguity::PhoneNumber;
///
/// let number = PhoneNumber::parse("+14155552671")?;
/// assert_eq!(number.country_code(), 1);
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
    /// Checks that `text` is a number in E.164, as it stands: `+` and at most 15 ASCII digits, which begin with an
    /// assigned calling code and go on for at least two more. Separators, letters and extensions are refused; for what
    /// people type there is `from_user_input` (feature `phonenumber`).
    ///
    /// # Errors
    ///
    /// [`InvalidPhoneNumber`] says what is wrong, and what the number would be without separators.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// assert!(PhoneNumber::parse("+14155552671").is_ok());
    ///
    /// let error = PhoneNumber::parse("+1 (415) 555-2671").unwrap_err();
    /// assert_eq!(error.suggestion().unwrap().as_str(), "+14155552671");
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        check(text).map_err(|fault| InvalidPhoneNumber { suggestion: without_separators(text), fault })
    }

    /// Reads a number as people type it, and brings it to E.164: `(415) 555-2671` in region `US` is `+14155552671`.
    ///
    /// `region` is a two-letter code of ISO 3166-1 in any case, such as `US`: where the person dials from. A number with a
    /// calling code, after `+` or after what is dialled there for calls abroad (`011`), is that number from everywhere;
    /// a 0 between, as in `+44 (0)20 7946 0958`, is left out. A number without one is the region's, and loses what is
    /// dialled first within the country. Separators, marks of text direction and a label such as `tel:` are left out, and
    /// full-width digits and those of other scripts are read; letters are refused.
    ///
    /// The rules and the plans are libphonenumber's; whether the number is in its plan says
    /// [`is_valid_in_plan`](Self::is_valid_in_plan). The first call in a process loads the numbering plans of the world
    /// (some 80 ms of processor time and 6 to 16 MiB in a release build), the following ones take microseconds.
    ///
    /// # Errors
    ///
    /// [`InvalidPhoneNumber`] if the region is unknown, the text cannot be read as a number or has more than 250
    /// characters, or the number has an extension, which cannot receive a text, or is not E.164.
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
    #[cfg(feature = "phonenumber")]
    pub fn from_user_input(text: &str, region: &str) -> Result<Self, InvalidPhoneNumber> {
        plan::from_user_input(text, region).map_err(|fault| InvalidPhoneNumber { fault, suggestion: None })
    }

    /// Whether the numbering plan of its country knows numbers of this form, by libphonenumber's metadata.
    ///
    /// Not a condition for sending: the vendor's own example `+15551234567` is not valid in the plan. Loads the numbering
    /// plans on the first call in a process, as `from_user_input` does.
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
    #[cfg(feature = "phonenumber")]
    #[must_use]
    pub fn is_valid_in_plan(&self) -> bool {
        plan::is_valid(self)
    }

    /// The country calling code: 1 for `+14155552671`, 44 for `+442079460958`.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// assert_eq!(PhoneNumber::parse("+442079460958")?.country_code(), 44);
    /// # Ok::<(), contiguity::InvalidPhoneNumber>(())
    /// ```
    #[must_use]
    pub fn country_code(&self) -> u16 {
        self.calling_code().0
    }

    /// The whole number, `+` included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The digits after the calling code.
    pub(crate) fn national(&self) -> &str {
        &self.as_str()[1 + self.calling_code().1..]
    }

    fn calling_code(&self) -> (u16, usize) {
        calling_codes::find(self.digits()).unwrap_or_default()
    }

    fn digits(&self) -> &[u8] {
        &self.text[1..usize::from(self.length)]
    }
}

/// Masked: the calling code, and the last four digits only where at least four more stay hidden.
impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let national = self.national();
        let shown = if national.len() >= 8 { &national[national.len() - 4..] } else { "" };
        write!(f, "PhoneNumber(+{}•••••{shown})", self.country_code())
    }
}

text_value!(PhoneNumber, InvalidPhoneNumber);

/// Why a text is not a phone number. Made by [`PhoneNumber::parse`].
///
/// The message never repeats the number, so it is fit for logs.
///
/// # Examples
///
/// ```
/// use contiguity::PhoneNumber;
///
/// let error = PhoneNumber::parse("+1 (415) 555-2671").unwrap_err();
/// assert!(error.to_string().contains("leave out separators"));
/// assert!(!error.to_string().contains("555"));
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("phone number {fault}")]
pub struct InvalidPhoneNumber {
    fault: Fault,
    suggestion: Option<PhoneNumber>,
}

impl InvalidPhoneNumber {
    /// The number that the text would be without separators, if it would be one.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::PhoneNumber;
    ///
    /// let error = PhoneNumber::parse("+44 20 7946 0958").unwrap_err();
    /// assert_eq!(error.suggestion(), PhoneNumber::parse("+442079460958").ok().as_ref());
    /// ```
    #[must_use]
    pub fn suggestion(&self) -> Option<&PhoneNumber> {
        self.suggestion.as_ref()
    }
}

impl fmt::Debug for InvalidPhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidPhoneNumber({:?})", self.fault.to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("is empty; give a number in E.164, such as +14155552671")]
    Empty,
    #[error(
        "does not begin with +; give the number in E.164: + and the country calling code first, such as +14155552671"
    )]
    NoPlus,
    #[error("has characters other than + and the digits 0 to 9; leave out separators, letters and extensions")]
    Character,
    #[error("has more than 15 digits, the most that E.164 allows")]
    TooLong,
    #[error("does not begin with an assigned country calling code; check the digits after +")]
    CallingCode,
    #[error("has fewer than two digits after the country calling code; give the whole number")]
    TooShort,
    #[cfg(feature = "phonenumber")]
    #[error("cannot be read in that region: it is no two-letter code of ISO 3166-1, such as US")]
    Region,
    #[cfg(feature = "phonenumber")]
    #[error(
        "cannot be read; give its digits alone, as they are dialled in that region or with + and the country calling code"
    )]
    NoNumber,
    #[cfg(feature = "phonenumber")]
    #[error("has an extension, which cannot receive a text; leave it out")]
    Extension,
}

impl From<InvalidPhoneNumber> for FieldFault {
    fn from(error: InvalidPhoneNumber) -> Self {
        let kind = match error.fault {
            Fault::Empty => IssueKind::Blank,
            Fault::Character => IssueKind::Character,
            Fault::TooLong => IssueKind::TooLong,
            Fault::TooShort => IssueKind::TooShort,
            _ => IssueKind::Format,
        };
        FieldFault::new(kind, error.fault.to_string()).suggesting(error.suggestion)
    }
}

fn check(text: &str) -> Result<PhoneNumber, Fault> {
    let digits = match text.as_bytes() {
        [] => return Err(Fault::Empty),
        [b'+', digits @ ..] => digits,
        _ if text.trim().is_empty() => return Err(Fault::Empty),
        _ => return Err(Fault::NoPlus),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Character);
    }
    if digits.len() > MAX_DIGITS {
        return Err(Fault::TooLong);
    }
    let (_, code_length) = calling_codes::find(digits).ok_or(Fault::CallingCode)?;
    if digits.len() < code_length + MIN_NATIONAL_DIGITS {
        return Err(Fault::TooShort);
    }
    let mut number = PhoneNumber { text: [0; MAX_DIGITS + 1], length: 0 };
    for (to, from) in number.text.iter_mut().zip(text.as_bytes()) {
        *to = *from;
        number.length += 1;
    }
    Ok(number)
}

/// The number without what people put between digits; nothing if that is no number, or if there was nothing to leave out.
fn without_separators(text: &str) -> Option<PhoneNumber> {
    // Longer text is no number with separators, and is not worth a copy.
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    let bare: String = text.chars().filter(|&c| !is_separator(c)).collect();
    if bare.len() == text.len() { None } else { check(&bare).ok() }
}

/// What people and their address books put between digits, full-width forms and marks of text direction included.
pub(crate) fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(c, '(' | ')' | '[' | ']' | '-' | '.' | '/' | '~' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        || matches!(c, '\u{30fc}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}' | '\u{ff3b}' | '\u{ff3d}')
}

/// ITU-T E.164 §6.2.1: an international number has at most 15 digits.
const MAX_DIGITS: usize = 15;

/// Two digits after the calling code are the least that some plan uses.
const MIN_NATIONAL_DIGITS: usize = 2;

#[cfg(all(test, feature = "phonenumber"))]
mod tests {
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
