//! A number that a person typed becomes that person's number or an error, never the number of
//! someone else.

use contiguity::{Error, PhoneNumber};

const NOT_ONE_NUMBER: &str = "invalid phone number: must be one number without letters or an extension; \
                              start it with `+` and the country calling code if in doubt";
const LENGTH: &str = "invalid phone number: has the wrong length for its country; \
                      use the whole number with its area code";
const CALLING_CODE: &str = "invalid phone number: does not start with an assigned country calling code; \
                            check the digits after `+`";
const REGION: &str = "unknown region; use a two-letter ISO 3166-1 code such as US";

#[test]
fn an_international_number_is_the_same_everywhere() {
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
        // The digits after `+` start like the region's international prefix.
        ("+994 50 123 45 67", "FI", "+994501234567"),
        ("+81 03 1234 5678", "RU", "+81312345678"),
        // A number with the 8 and without it.
        ("+375 8111234547", "MV", "+3758111234547"),
        // Not a number of the plan with the 0 or without it.
        ("+49 0999", "DE", "+490999"),
        ("+15551234567", "DE", "+15551234567"),
    ] {
        reads(text, region, number);
    }
}

#[test]
fn an_international_number_needs_no_known_region() {
    for region in ["AQ", "ZZ", "001", "", "\u{e9}"] {
        reads("+14155552671", region, "+14155552671");
    }
    refuses("415 555 2671", "AQ", REGION);
    for (region, code) in [
        ("UK", "GB for the United Kingdom"),
        (" uk", "GB for the United Kingdom"),
        ("GBR", "GB for the United Kingdom"),
        ("USA", "US for the United States"),
        ("EL", "GR for Greece"),
    ] {
        refuses("20 7946 0958", region, &format!("unknown region; use {code}"));
    }
    // The program names the region, so an unknown one is not an error of the person's number.
    let error = Error::from(PhoneNumber::from_user_input("20 7946 0958", "UK").unwrap_err());
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert_eq!(error.to_string(), "unknown region; use GB for the United Kingdom");
    let error = Error::from(PhoneNumber::from_user_input("911", "GB").unwrap_err());
    assert!(matches!(error, Error::Validation(_)), "{error}");
    // It may be England or the language English.
    refuses("20 7946 0958", "EN", REGION);
    refuses("00 49 171 1234567", "AQ", REGION);
    refuses("+00 49 171 1234567", "AQ", CALLING_CODE);
}

#[test]
fn a_plus_before_the_international_prefix_is_dropped() {
    reads("+0049 171 1234567", "DE", "+491711234567");
    reads("+011 49 171 1234567", "US", "+491711234567");
    // Not the region's international prefix.
    refuses("+011 49 171 1234567", "DE", CALLING_CODE);
    refuses("+0171 1234567", "DE", CALLING_CODE);
    refuses("+0 415 555 2671", "US", CALLING_CODE);
}

#[test]
fn a_national_number_loses_the_national_prefix() {
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
        // 8 is the national prefix, and the first digit of some numbers.
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("8 (812) 345-67-89", "RU", "+78123456789"),
        ("+7 812 345 67 89", "RU", "+78123456789"),
        ("812 345 67 89", "RU", "+78123456789"),
        ("8 800 555 35 35", "RU", "+78005553535"),
        ("800 555 35 35", "RU", "+78005553535"),
        ("801823956", "BY", "+375801823956"),
        ("91757 95671", "IN", "+919175795671"),
        // Too short without the 1, though not a valid number with it.
        ("1 830 292 445", "US", "+11830292445"),
        // Too long without its calling code, though not a valid number with it.
        ("45 1234 5678", "DK", "+4512345678"),
        // The region's own prefixes apply after its own calling code.
        ("61 9164 1234", "CX", "+61891641234"),
        ("9164 1234", "CX", "+61891641234"),
        // 00 is not the international prefix if a 0 follows.
        ("0000 123 456", "FI", "+358000123456"),
    ] {
        reads(text, region, number);
    }
}

#[test]
fn separators_labels_and_digits_of_other_scripts_are_read() {
    for text in [
        " +1 [415] 555.2671. ",
        "tel:+1-415-555-2671",
        "Mobile: (415) 555-2671",
        "\u{202a}+1\u{a0}(415)\u{2011}555\u{ad}\u{2212}2671\u{202c}",
        "\u{61c}+1 415 555 2671",
        "\u{ff0b}１（４１５）５５５－２６７１",
        "٤١٥ ٥٥٥ ٢٦٧١",
        "+၁ ៤១៥ ൫൫൫ ২৬৭১",
        "++1 415 555 2671",
        "415/555/2671",
        "415\t555\n2671",
    ] {
        reads(text, "US", "+14155552671");
    }
    reads("\u{61c}+971 50 123 4567", "AE", "+971501234567");
    reads("\u{2067}\u{200f}٠٥٠ ١٢٣ ٤٥٦٧\u{2069}", "AE", "+971501234567");
}

#[test]
fn punctuation_after_the_number_is_not_an_extension() {
    for text in ["030 1234567,", "030 1234567;", "030 1234567.", "030 1234567: ", "030 1234567/", "030 1234567)\n"] {
        reads(text, "DE", "+49301234567");
    }
}

#[test]
fn an_extension_is_refused() {
    for mark in
        ["~", " ~", "\u{ff5e}", "\u{223c}", "\u{2053}", "x", " ext. ", " Ext ", "#", ",", ",,", ";", ";ext=", " доб. "]
    {
        refuses(&format!("030 1234567{mark}12"), "DE", NOT_ONE_NUMBER);
        refuses(&format!("+49 30 1234567{mark}12"), "US", NOT_ONE_NUMBER);
    }
    for mark in [" int ", " anexo ", " extensión ", " \u{ff58}", " \u{ff45}\u{ff58}\u{ff54}", "\u{ff03}", " \u{301c}"]
    {
        refuses(&format!("030 1234567{mark}12"), "DE", NOT_ONE_NUMBER);
    }
    refuses("415 555 2671 - 503#", "US", NOT_ONE_NUMBER);
    refuses("tel:+1-415-555-2671;ext=5", "US", NOT_ONE_NUMBER);
    // A national prefix as libphonenumber writes it is not a number yet.
    refuses("030~1234567", "DE", NOT_ONE_NUMBER);
}

#[test]
fn what_follows_a_complete_number_is_refused() {
    for more in ["/8", " / 8", "/567", "\u{ff0f}8", " (8)", " [12]", "\n12", "\r\n12", "\t12", "\u{2028}12", "(8"] {
        refuses(&format!("030 1234567{more}"), "DE", NOT_ONE_NUMBER);
        refuses(&format!("+49 (30) 1234567{more}"), "US", NOT_ONE_NUMBER);
    }
    refuses("415 555 2671 / 415 555 2672", "US", NOT_ONE_NUMBER);
    refuses("415 555 2671\n415 555 2672", "US", NOT_ONE_NUMBER);
    refuses("415 555 2671 or 2672", "US", NOT_ONE_NUMBER);
    refuses("415 555 +2671", "US", NOT_ONE_NUMBER);
    refuses("+1 415 555 2671 +1 415 555 2672", "US", NOT_ONE_NUMBER);
}

#[test]
fn a_length_that_the_plan_does_not_have_is_refused() {
    for (text, region) in [
        ("911", "US"),
        ("415", "US"),
        ("12345", "US"),
        ("555-2671", "US"),
        // Canada has numbers like this, and so have Californians who leave out the area code.
        ("310-1234", "US"),
        ("+1 911", "DE"),
        ("1 911", "US"),
        ("112", "FR"),
        ("7946 0958", "GB"),
        ("+1 0415 555 2671", "US"),
        ("415 555 2671 2", "US"),
        ("0800 12345678", "FR"),
    ] {
        refuses(text, region, LENGTH);
    }
}

#[test]
fn text_may_have_up_to_250_characters() {
    let number = "(415) 555-2671";
    reads(&format!("{number:<250}"), "US", "+14155552671");
    refuses(&format!("{number:<251}"), "US", NOT_ONE_NUMBER);
}

#[test]
fn what_is_not_a_number_is_refused() {
    for (text, region, message) in [
        ("415 555 2671", "ZZ", REGION),
        ("415 555 2671", "001", REGION),
        ("415 555 2671", "", REGION),
        (" ", "US", "invalid phone number: must not be blank; use a number such as +14155552671"),
        ("()", "US", NOT_ONE_NUMBER),
        ("+", "US", NOT_ONE_NUMBER),
        ("tel:", "US", NOT_ONE_NUMBER),
        // A letter can stand for a digit.
        ("1-800-FLOWERS", "US", NOT_ONE_NUMBER),
        ("415 555 2671:5", "US", NOT_ONE_NUMBER),
        ("\u{1b}[31m415 555 2671", "US", NOT_ONE_NUMBER),
        ("+999 555 0142", "US", CALLING_CODE),
        ("011 999 555 0142", "US", CALLING_CODE),
        ("0800 12345678901", "DE", "invalid phone number: has more than 15 digits; check that it is one number"),
        (
            "+1 4",
            "US",
            "invalid phone number: has fewer than two digits after the country calling code; use the whole number",
        ),
    ] {
        refuses(text, region, message);
    }
    refuses(&"1".repeat(251), "US", NOT_ONE_NUMBER);
}

/// Not a promise of this crate: the reason why it has a reader of its own.
#[test]
fn the_phonenumber_crate_still_misreads_numbers() {
    let reads = |text, region: &str, number: &str| {
        let read = phonenumber::parse(Some(region.parse().unwrap()), text);
        read.is_ok_and(|read| read.format().mode(phonenumber::Mode::E164).to_string() == number)
    };
    assert!(
        !(reads("91757 95671", "IN", "+919175795671") && reads("8 812 345 67 89", "RU", "+78123456789")),
        "`phonenumber::parse` reads both now, so `from_user_input` can use it: remove the reader in src/phone/plan.rs"
    );
    assert!(reads("+1 415 555 2671", "US", "+14155552671"), "this test no longer reads what the crate returns");
}

#[test]
fn plans_can_be_loaded_early() {
    PhoneNumber::load_plans();
    PhoneNumber::load_plans();
    reads("(415) 555-2671", "US", "+14155552671");
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
        // The pattern also matches its start.
        ("+951655834", true),
        ("+5078002173822", true),
        // Longer than the number whose pattern it starts with.
        ("+611380163406", false),
        ("+213308123496", false),
    ] {
        assert_eq!(PhoneNumber::parse(number).unwrap().is_valid_in_plan(), is_valid, "{number}");
    }
}

#[test]
fn a_suggestion_is_given_only_if_it_is_certain() {
    for (text, suggestion) in [
        ("+1 (415) 555-2671", Some("+14155552671")),
        ("+(1) 415 555 2671", Some("+14155552671")),
        ("+44 20 7946 0958", Some("+442079460958")),
        ("+1.415.555.2671", Some("+14155552671")),
        (" +14155552671\n", Some("+14155552671")),
        ("\u{202a}+1 [415] 555\u{ff0d}2671\u{202c}", Some("+14155552671")),
        // Longer text is not a number with separators.
        (&format!("{:<64}", "+1 (415) 555-2671"), Some("+14155552671")),
        (&format!("{:<65}", "+1 (415) 555-2671"), None),
        // Left out from abroad in one country, dialed in the other.
        ("+44 (0)20 7946 0958", None),
        ("+39 06 1234 5678", None),
        // An extension or a second number may follow.
        ("+49 30 1234567~12", None),
        ("+49 30 1234567/8", None),
        ("+49 30 1234567 (12)", None),
        ("+49 30 1234567\t12", None),
        ("+49 30 1234567\n12", None),
        ("+49 30 1234567 x12", None),
        ("+1 415 555 2671, +1 415 555 2672", None),
        ("(415) 555-2671", None),
        ("+999 123 456", None),
        ("+1 2345 6789 0123 456", None),
    ] {
        let error = PhoneNumber::parse(text).expect_err(text);
        assert_eq!(error.suggestion().as_ref().map(PhoneNumber::as_str), suggestion, "{text:?}");
    }
}

#[test]
fn a_message_says_what_is_wrong_and_what_to_do() {
    for (text, message) in [
        ("", "must not be blank; use a number such as +14155552671"),
        (" \n", "must not be blank; use a number such as +14155552671"),
        ("+14155552671\n", "has white space at an end; trim it"),
        ("\u{a0}+14155552671", "has white space at an end; trim it"),
        ("14155552671", "must start with `+` and a country calling code, for example +14155552671"),
        (
            "+1 415 555 2671",
            "has characters other than `+` and the digits 0 to 9; leave out separators, letters and extensions",
        ),
        ("+1+14155552671", "has a second `+`; write one, at the start"),
        ("+1234567890123456", "has more than 15 digits; check that it is one number"),
        ("+999123456", "does not start with an assigned country calling code; check the digits after `+`"),
        ("+441", "has fewer than two digits after the country calling code; use the whole number"),
    ] {
        let error = PhoneNumber::parse(text).expect_err(text);
        assert_eq!(error.to_string(), format!("invalid phone number: {message}"));
        // What `main` prints when it returns the error.
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}

#[test]
fn a_masked_number_shows_four_digits_only_if_four_more_stay_hidden() {
    for (number, masked) in [
        ("+14155552671", "+1•••••2671"),
        ("+112345678", "+1•••••5678"),
        ("+11234567", "+1•••••"),
        ("+35312", "+353•••••"),
    ] {
        let number = PhoneNumber::parse(number).unwrap();
        assert_eq!(number.masked().to_string(), masked);
        assert_eq!(format!("{:>14}", number.masked()), format!("{masked:>14}"));
        assert_eq!(format!("{:?}", number.masked()), masked);
        assert_eq!(format!("{number:?}"), format!("PhoneNumber({masked})"));
    }
}

#[track_caller]
fn reads(text: &str, region: &str, number: &str) {
    match PhoneNumber::from_user_input(text, region) {
        Ok(read) => assert_eq!(read.as_str(), number, "{text} in {region}"),
        Err(error) => panic!("{text} in {region}: {error}"),
    }
}

#[track_caller]
fn refuses(text: &str, region: &str, message: &str) {
    match PhoneNumber::from_user_input(text, region) {
        Ok(read) => panic!("{text} in {region} is {}", read.as_str()),
        Err(error) => assert_eq!(error.to_string(), message, "{text} in {region}"),
    }
}
