//! What needs a numbering plan: reading what people type, and whether a country has numbers of a form.
//!
//! The plans are the phonenumber crate's metadata, loaded on first use. The reading follows libphonenumber's rules over
//! them and does not use the crate's `parse`, which (as of 0.3.10) takes the region's national prefix from numbers of
//! other countries too, and takes it twice: `+49 171 1234567` typed in region US came out as somebody else's number.

use std::borrow::Cow;

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex::Regex;

use super::{Fault, PhoneNumber, calling_codes, check, is_separator};

pub(super) fn from_user_input(text: &str, region: &str) -> Result<PhoneNumber, Fault> {
    let region = Some(region.trim().to_ascii_uppercase()).filter(|region| region.len() == 2);
    let plan = region.and_then(|region| DATABASE.by_id(&region)).ok_or(Fault::Region)?;
    let Typed { digits, has_plus } = read(text)?;
    if has_plus {
        return international(&digits);
    }
    if let Some(digits) = without_international_prefix(plan, &digits) {
        return international(digits);
    }
    let code = plan.country_code().to_string();
    if let Some(rest) = digits.strip_prefix(&code) {
        let is_too_long = lengths(plan).max().is_some_and(|most| digits.len() > most);
        if is_too_long || !is_possible(plan, &digits) && is_possible(plan, &national(plan, rest)) {
            return international(&digits);
        }
    }
    check(&format!("+{code}{}", national(plan, &digits)))
}

pub(super) fn is_valid(number: &PhoneNumber) -> bool {
    plans(number.country_code()).iter().any(|plan| is_assigned(plan, number.national()))
}

/// A number that begins with its calling code. It is another country's perhaps, so that a prefix is left out only where
/// the number is none with it and is one without, as in `+44 (0)20 7946 0958`.
fn international(digits: &str) -> Result<PhoneNumber, Fault> {
    let (code, length) = calling_codes::find(digits.as_bytes()).ok_or(Fault::CallingCode)?;
    let plans = plans(code);
    let is_known = |national: &str| plans.iter().any(|plan| is_possible(plan, national));
    let national = &digits[length..];
    let bare = plans.first().filter(|_| !is_known(national)).and_then(|main| without_national_prefix(main, national));
    check(&format!("+{code}{}", bare.filter(|bare| is_known(bare)).unwrap_or(national.into())))
}

/// A number as it is dialled within the country, without the prefix that is dialled first, such as 0.
fn national<'d>(plan: &Metadata, digits: &'d str) -> Cow<'d, str> {
    without_national_prefix(plan, digits)
        .filter(|bare| lengths(plan).any(|length| length == bare.len()))
        .filter(|bare| is_possible(plan, bare) || !is_possible(plan, digits))
        .unwrap_or(digits.into())
}

/// The rest of the digits, if they begin as calls to other countries do: 011 in the United States.
fn without_international_prefix<'d>(plan: &Metadata, digits: &'d str) -> Option<&'d str> {
    let prefix = plan.international_prefix()?.find(digits).filter(|prefix| prefix.start() == 0)?;
    // No calling code begins with 0.
    Some(&digits[prefix.end()..]).filter(|rest| !rest.starts_with('0'))
}

/// The rest of the digits, if they begin as calls within the country do. Some plans put digits in the prefix's place.
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

/// Whether the plan has room for numbers of this form.
fn is_possible(plan: &Metadata, national: &str) -> bool {
    is_match(plan.descriptors().general(), national)
}

/// Whether some kind of number in this plan has this form.
fn is_assigned(plan: &Metadata, national: &str) -> bool {
    is_possible(plan, national) && kinds(plan).any(|kind| is_match(kind, national))
}

/// How many digits a number of this plan may have.
fn lengths(plan: &Metadata) -> impl Iterator<Item = usize> {
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

/// Whether the whole number is of this kind, where [`Descriptor::is_match`] is content with its beginning.
fn is_match(kind: &Descriptor, national: &str) -> bool {
    let lengths = kind.possible_length();
    if !lengths.is_empty() && !lengths.iter().any(|&length| usize::from(length) == national.len()) {
        return false;
    }
    match kind.national_number().find(national) {
        Some(found) if found.start() == 0 && found.end() < national.len() => {
            // The first alternative that fits may be shorter than another one.
            let whole = format!("^(?x-u:{})$", kind.national_number().as_str());
            Regex::new(&whole).is_ok_and(|whole| whole.is_match(national))
        }
        Some(found) => found.start() == 0,
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
}

/// The digits of a text that holds a number and nothing else but separators, a `+` in front, and a label such as `tel:`.
fn read(text: &str) -> Result<Typed, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::Empty);
    }
    if text.chars().count() > MAX_CHARACTERS {
        return Err(Fault::NoNumber);
    }
    let is_label = |label: &str| !label.contains(|c| c == '+' || digit(c).is_some());
    let number = text.rsplit_once(':').filter(|(label, _)| is_label(label)).map_or(text, |(_, number)| number);
    let mut typed = Typed { digits: String::new(), has_plus: false };
    for (index, c) in number.char_indices() {
        match digit(c) {
            Some(digit) => typed.digits.push(digit),
            None if matches!(c, '+' | '\u{ff0b}') && typed.digits.is_empty() => typed.has_plus = true,
            None if is_separator(c) => {}
            None if !typed.digits.is_empty() && begins_extension(&number[index..]) => return Err(Fault::Extension),
            None => return Err(Fault::NoNumber),
        }
    }
    if typed.digits.is_empty() { Err(Fault::NoNumber) } else { Ok(typed) }
}

fn begins_extension(text: &str) -> bool {
    let begins = |mark: &str| text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark));
    ["ext", "x", "#", ",", ";"].into_iter().any(begins)
}

/// A decimal digit of the scripts that people type numbers in, as ASCII.
fn digit(c: char) -> Option<char> {
    let value = ZEROS.iter().find_map(|&zero| u32::from(c).checked_sub(zero.into()).filter(|&value| value < 10))?;
    char::from_digit(value, 10)
}

/// ASCII; Arabic-Indic and its extension; N'Ko; nine scripts of India; Thai, Lao, Burmese, Khmer; full-width. Each ten in a
/// row.
const ZEROS: [char; 18] = ['0', '٠', '۰', '߀', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '๐', '໐', '၀', '០', '０'];

/// libphonenumber's own bound on what it tries to read (`MAX_INPUT_STRING_LENGTH_`).
const MAX_CHARACTERS: usize = 250;

#[cfg(test)]
mod tests {
    use phonenumber::metadata::DATABASE;
    use regex::Regex;

    use super::{kinds, lengths};
    use crate::PhoneNumber;

    fn read(text: &str, region: &str) -> Result<String, String> {
        PhoneNumber::from_user_input(text, region).map(|number| number.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_with_its_calling_code_is_nobody_elses() {
        for (text, region, number) in [
            ("+49 171 1234567", "US", "+491711234567"),
            ("+491711234567", "us", "+491711234567"),
            ("011 49 171 1234567", "US", "+491711234567"),
            ("00 49 171 1234567", "FR", "+491711234567"),
            ("8~10 49 171 1234567", "RU", "+491711234567"),
            ("+86 138 0013 8000", "US", "+8613800138000"),
            ("+55 11 91234-5678", "US", "+5511912345678"),
            ("+39 06 1234 5678", "DE", "+390612345678"),
            ("+91 80123 45678", "RU", "+918012345678"),
            ("+36 1 234 5678", "US", "+3612345678"),
            // What begins like the region's way out of the country is still the number.
            ("+994 50 123 45 67", "FI", "+994501234567"),
            ("+81 03 1234 5678", "RU", "+81312345678"),
            // In the plan with 8 and without it: as it was typed.
            ("+375 8111234547", "MV", "+3758111234547"),
            // Neither with 0 nor without it: as it was typed.
            ("+49 0999", "DE", "+490999"),
            ("+15551234567", "DE", "+15551234567"),
        ] {
            assert_eq!(read(text, region).as_deref(), Ok(number), "{text} in {region}");
        }
    }

    #[test]
    fn a_prefix_of_calls_within_the_country_is_left_out() {
        for (text, region, number) in [
            ("(415) 555-2671", "US", "+14155552671"),
            ("1 415 555 2671", "US", "+14155552671"),
            ("1 (242) 359-1234", "BS", "+12423591234"),
            ("020 7946 0958", "GB", "+442079460958"),
            ("+44 (0)20 7946 0958", "US", "+442079460958"),
            ("+49 (0)171 1234567", "US", "+491711234567"),
            ("0171/1234567", "DE", "+491711234567"),
            ("44 20 7946 0958", "GB", "+442079460958"),
            ("06 1234 5678", "IT", "+390612345678"),
            ("06 30 123 4567", "HU", "+36301234567"),
            ("011 15 2345-6789", "AR", "+5491123456789"),
            ("0 21 11 91234-5678", "BR", "+5511912345678"),
            // 8 is dialled first, and is the first digit of some.
            ("8 (495) 123-45-67", "RU", "+74951234567"),
            ("8 (812) 345-67-89", "RU", "+78123456789"),
            ("+7 812 345 67 89", "RU", "+78123456789"),
            ("812 345 67 89", "RU", "+78123456789"),
            ("8 800 555 35 35", "RU", "+78005553535"),
            ("800 555 35 35", "RU", "+78005553535"),
            ("801823956", "BY", "+375801823956"),
            // Too short without the 1, though it is none with it.
            ("1 830 292 445", "US", "+11830292445"),
            // Too long for a number without its calling code, though it is none with it.
            ("45 1234 5678", "DK", "+4512345678"),
            // 00 is no way out of the country where 0 comes next.
            ("0000 123 456", "FI", "+358000123456"),
        ] {
            assert_eq!(read(text, region).as_deref(), Ok(number), "{text} in {region}");
        }
    }

    #[test]
    fn separators_labels_and_digits_of_other_scripts_are_read() {
        for text in [
            " +1 [415] 555.2671. ",
            "tel:+1-415-555-2671",
            "Mobile: (415) 555-2671",
            "\u{202a}+1\u{a0}(415)\u{2011}555\u{ad}\u{2212}2671\u{202c}",
            "\u{ff0b}１（４１５）５５５－２６７１",
            "٤١٥ ٥٥٥ ٢٦٧١",
            "+၁ ៤១៥ ൫൫൫ ২৬৭১",
            "++1 415 555 2671",
        ] {
            assert_eq!(read(text, "US").as_deref(), Ok("+14155552671"), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for (text, region, why) in [
            ("415 555 2671", "ZZ", "is no two-letter code"),
            ("415 555 2671", "001", "is no two-letter code"),
            ("415 555 2671", "", "is no two-letter code"),
            (" ", "US", "is empty"),
            ("()", "US", "cannot be read;"),
            ("tel:", "US", "cannot be read;"),
            // A letter could stand for a digit, or begin another number.
            ("1-800-FLOWERS", "US", "cannot be read;"),
            ("415 555 2671 or 2672", "US", "cannot be read;"),
            ("415 555 2671:5", "US", "cannot be read;"),
            ("415 555 +2671", "US", "cannot be read;"),
            ("\u{1b}[31m415 555 2671", "US", "cannot be read;"),
            ("415 555 2671 ext. 5", "US", "has an extension"),
            ("415 555 2671 Ext 5", "US", "has an extension"),
            ("415 555 2671 x5", "US", "has an extension"),
            ("415 555 2671#5", "US", "has an extension"),
            ("tel:+1-415-555-2671;ext=5", "US", "has an extension"),
            ("+999 555 0142", "US", "assigned country calling code"),
            ("011 999 555 0142", "US", "assigned country calling code"),
            ("0800 12345678901", "DE", "more than 15 digits"),
            ("+1 4", "US", "fewer than two digits"),
        ] {
            let error = read(text, region).expect_err(text);
            assert!(error.contains(why), "{text} in {region}: {error}");
        }
        assert!(read(&"1".repeat(251), "US").is_err_and(|error| error.contains("cannot be read;")));
    }

    #[test]
    fn validity_is_that_of_the_whole_number() {
        for (number, is_valid) in [
            ("+14155552671", true),
            ("+15551234567", false),
            ("+78005553535", true),
            ("+78123456789", true),
            ("+74951234567", true),
            ("+390612345678", true),
            ("+80012345678", true),
            ("+12423591234", true),
            ("+442079460958", true),
            ("+4402079460958", false),
            // A longer number than the pattern that it begins with.
            ("+611380163406", false),
            ("+213308123496", false),
        ] {
            assert_eq!(PhoneNumber::parse(number).unwrap().is_valid_in_plan(), is_valid, "{number}");
        }
    }

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
