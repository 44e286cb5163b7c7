//! The language that fits an `Accept-Language` header or a locale, and what a person reads in a
//! list of languages.

use std::collections::HashSet;

use contiguity::Language;

#[test]
fn a_header_gives_the_first_documented_language() {
    for (header, tag) in [
        ("en-US,en;q=0.9", Some("en")),
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", Some("de")),
        ("eo, de-AT;q=0.9, en;q=0.8", Some("de")),
        ("da, en-gb;q=0.8, en;q=0.7", Some("da")),
        ("DE-de", Some("de")),
        ("es-419", Some("es")),
        ("pt-BR", Some("pt-br")),
        ("pt-PT", Some("pt")),
        ("pt-AO", Some("pt")),
        ("pt", Some("pt")),
        ("pt-BR-x-private", Some("pt-br")),
        ("ca-ES-valencia", Some("ca")),
        ("eo", None),
        ("english", None),
        ("", None),
        (" , ,, ", None),
    ] {
        gives(header, tag);
    }
}

#[test]
fn a_locale_gives_its_language() {
    for (locale, tag) in [
        ("de_AT.UTF-8", Some("de")),
        ("pt_BR@euro", Some("pt-br")),
        ("pt_BR.ISO8859-1@euro", Some("pt-br")),
        ("zh_HK.UTF-8", Some("zh-hk")),
        ("nb_NO", Some("nb")),
        ("sr_RS@latin", None),
        ("C", None),
        ("C.UTF-8", None),
        ("POSIX", None),
    ] {
        gives(locale, tag);
    }
}

#[test]
fn weights_decide_the_order() {
    for (header, tag) in [
        ("en;q=0.1, de;q=0.2", Some("de")),
        ("en ; q=0.1 , de ; Q=0.2", Some("de")),
        ("fr;q=0.5, en;q=0.5", Some("fr")),
        ("fr;q=0.500, en;q=0.501", Some("en")),
        ("fr;q=0.9, en", Some("en")),
        ("fr;q=1.000, en;q=1", Some("fr")),
        // A weight that is none is not a wish.
        ("fr;q=2, en;q=0.1", Some("en")),
        ("fr;q=-1, en;q=0.1", Some("en")),
        ("fr;q=NaN, en;q=0.1", Some("en")),
        ("fr;q=, en;q=0.1", Some("en")),
    ] {
        gives(header, tag);
    }
}

#[test]
fn a_language_with_weight_zero_is_never_chosen() {
    for (header, tag) in [
        ("en;q=0", None),
        ("en;q=0.000", None),
        ("en-US, en;q=0", None),
        ("en-US, en;q=0, de;q=0.1", Some("de")),
        // English as such was not refused.
        ("en-US;q=0, en;q=0.5", Some("en")),
        ("pt-BR;q=0, pt", Some("pt")),
        ("nb, no;q=0, sv;q=0.1", Some("sv")),
    ] {
        gives(header, tag);
    }
}

#[test]
fn a_wildcard_leaves_the_choice_to_the_caller() {
    for (header, tag) in [("*", None), ("eo, *;q=0.5", None), ("*, de;q=0.5", Some("de")), ("*;q=0, de", Some("de"))] {
        gives(header, tag);
    }
}

#[test]
fn languages_with_several_codes_are_found_by_each() {
    for (code, tag) in [
        ("zh-HK", Some("zh-hk")),
        ("zh-Hant-HK", Some("zh-hk")),
        ("zh-Hant-MO", Some("zh-hk")),
        ("zh-MO", Some("zh-hk")),
        ("zh-yue", Some("zh-hk")),
        ("yue", Some("zh-hk")),
        ("yue-Hant-HK", Some("zh-hk")),
        ("zh-TW", Some("zh")),
        ("zh-Hant-TW", Some("zh")),
        ("zh-Hans-HK", Some("zh")),
        ("zh-CN", Some("zh")),
        ("cmn-Hans-CN", Some("zh")),
        ("no", Some("nb")),
        ("nn-NO", Some("nb")),
        ("iw-IL", Some("he")),
        ("in_ID", Some("id")),
        ("fil-PH", Some("tl")),
        ("mo", Some("ro")),
        ("zsm", Some("ms")),
    ] {
        gives(code, tag);
    }
}

#[test]
fn every_documented_code_gives_itself() {
    for language in Language::all() {
        assert_eq!(Language::negotiate(&language.as_str().to_uppercase()), Some(language));
    }
}

#[test]
fn text_from_anywhere_is_bounded() {
    gives(&format!("{}de", "eo,".repeat(99)), Some("de"));
    gives(&format!("{}de", "eo,".repeat(100)), None);
    gives(&format!("de{}", "-a".repeat(1_000_000)), None);
    gives(&format!("de;q=0.{}", "9".repeat(1_000_000)), Some("de"));
    gives("\u{e9}\u{0}\u{1f680};q=\u{e9},de-\u{e9},-,_,;,;q=1,en", Some("en"));
}

#[test]
fn languages_have_names_for_a_drop_down() {
    for (language, name, native_name) in [
        (Language::English, "English", "English"),
        (Language::Chinese, "Chinese (Mandarin)", "中文"),
        (Language::Cantonese, "Cantonese", "粵語"),
        (Language::Norwegian, "Norwegian", "Norsk bokmål"),
        (Language::BrazilianPortuguese, "Portuguese (Brazil)", "Português (Brasil)"),
        (Language::parse("sr_Latn").unwrap(), "sr-Latn", "sr-Latn"),
    ] {
        assert_eq!((language.name(), language.native_name()), (name, native_name));
    }
    let native_names: HashSet<_> = Language::all().map(|language| language.native_name().to_owned()).collect();
    assert_eq!(native_names.len(), 34);
}

#[test]
fn an_underscore_counts_as_a_hyphen_in_every_tag() {
    for (text, tag) in [("eo_XX", "eo-XX"), ("sr_Latn-RS", "sr-Latn-RS"), ("zh_HK", "zh-hk")] {
        assert_eq!(Language::parse(text).unwrap().as_str(), tag);
    }
    let Language::Other(tag) = Language::parse("eo").unwrap() else { panic!("a documented language") };
    assert_eq!(format!("{tag:>4}|{tag:?}"), "  eo|\"eo\"");
}

#[test]
fn text_that_is_not_a_code_is_refused_with_advice() {
    let not_a_code = "invalid language: not a language code; use one such as en, pt-br or zh-hk";
    for (text, message) in [
        ("", "invalid language: blank; use one such as en, pt-br or zh-hk"),
        ("\u{3000}", "invalid language: blank; use one such as en, pt-br or zh-hk"),
        ("e", not_a_code),
        ("english", not_a_code),
        ("abcd", not_a_code),
        ("en-", not_a_code),
        ("_en", not_a_code),
        ("en-123456789", not_a_code),
        ("en\n", not_a_code),
    ] {
        let error = Language::parse(text).expect_err(text);
        assert_eq!(error.to_string(), message);
        // What `main` prints when it returns the error.
        assert_eq!(format!("{error:?}"), message);
    }
}

#[track_caller]
fn gives(text: &str, tag: Option<&str>) {
    assert_eq!(Language::negotiate(text).as_ref().map(Language::as_str), tag, "{text:.80}");
}
