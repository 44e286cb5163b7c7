//! The languages of a text message.

use std::fmt;

use crate::value::text_value;

/// Generates [`Language`] from one table, so that no variant can lack a tag or a name.
macro_rules! languages {
    ($(#[$attribute:meta])* $($variant:ident, $tag:literal, $name:literal, $native_name:literal;)+) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Language {
            $(#[doc = concat!($name, ", `", $tag, "`.")] $variant,)+
            /// Another well-formed tag, as it was given.
            Other(LanguageTag),
        }

        impl Language {
            const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the code that the service expects, such as `en` or `pt-br`.
            ///
            /// For [`Other`](Self::Other), this is the tag as it was given.
            ///
            /// # Examples
            ///
            /// ```
            /// use contiguity::Language;
            ///
            /// assert_eq!(Language::BrazilianPortuguese.as_str(), "pt-br");
            /// ```
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $tag,)+
                    Self::Other(tag) => tag.as_str(),
                }
            }

            /// Returns the English name, such as `German`.
            ///
            /// For [`Other`](Self::Other), this is the tag.
            ///
            /// # Examples
            ///
            /// ```
            /// use contiguity::Language;
            ///
            /// assert_eq!(Language::German.name(), "German");
            /// ```
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(tag) => tag.as_str(),
                }
            }

            /// Returns the name in the language itself, such as `Deutsch`.
            ///
            /// For [`Other`](Self::Other), this is the tag.
            ///
            /// # Examples
            ///
            /// The options of a drop-down:
            ///
            /// ```
            /// use contiguity::Language;
            ///
            /// for language in Language::all() {
            ///     let (code, name) = (&language, language.native_name());
            ///     println!(r#"<option value="{code}">{name}</option>"#);
            /// }
            /// assert_eq!(Language::German.native_name(), "Deutsch");
            /// ```
            #[must_use]
            pub fn native_name(&self) -> &str {
                match self {
                    $(Self::$variant => $native_name,)+
                    Self::Other(tag) => tag.as_str(),
                }
            }
        }
    };
}

// In the order of the service's list. The native names are autonyms, with an initial capital as in
// a list.
languages! {
    /// The language of a text message, or of the instructions of a reverse OTP.
    ///
    /// The service documents 34 languages. Any other well-formed language tag is kept in
    /// [`Other`](Self::Other) and sent as it is, because the service may add languages.
    ///
    /// [`parse`](Self::parse) and [`FromStr`](std::str::FromStr) accept a code in any case, with
    /// `-` or `_`. [`negotiate`](Self::negotiate) chooses a language for an `Accept-Language`
    /// header or a locale.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Language;
    ///
    /// let language: Language = "pt_BR".parse()?;
    /// assert_eq!(language, Language::BrazilianPortuguese);
    /// assert_eq!(language.as_str(), "pt-br");
    /// assert_eq!("eo".parse::<Language>()?.to_string(), "eo");
    /// assert!("English, please".parse::<Language>().is_err());
    /// # Ok::<(), contiguity::InvalidLanguage>(())
    /// ```
    English, "en", "English", "English";
    Afrikaans, "af", "Afrikaans", "Afrikaans";
    Arabic, "ar", "Arabic", "العربية";
    Catalan, "ca", "Catalan", "Català";
    Chinese, "zh", "Chinese (Mandarin)", "中文";
    Cantonese, "zh-hk", "Cantonese", "粵語";
    Croatian, "hr", "Croatian", "Hrvatski";
    Czech, "cs", "Czech", "Čeština";
    Danish, "da", "Danish", "Dansk";
    Dutch, "nl", "Dutch", "Nederlands";
    Finnish, "fi", "Finnish", "Suomi";
    French, "fr", "French", "Français";
    German, "de", "German", "Deutsch";
    Greek, "el", "Greek", "Ελληνικά";
    Hebrew, "he", "Hebrew", "עברית";
    Hindi, "hi", "Hindi", "हिन्दी";
    Hungarian, "hu", "Hungarian", "Magyar";
    Indonesian, "id", "Indonesian", "Bahasa Indonesia";
    Italian, "it", "Italian", "Italiano";
    Japanese, "ja", "Japanese", "日本語";
    Korean, "ko", "Korean", "한국어";
    Malay, "ms", "Malay", "Bahasa Melayu";
    Norwegian, "nb", "Norwegian", "Norsk bokmål";
    Polish, "pl", "Polish", "Polski";
    BrazilianPortuguese, "pt-br", "Portuguese (Brazil)", "Português (Brasil)";
    Portuguese, "pt", "Portuguese", "Português";
    Romanian, "ro", "Romanian", "Română";
    Russian, "ru", "Russian", "Русский";
    Spanish, "es", "Spanish", "Español";
    Swedish, "sv", "Swedish", "Svenska";
    Tagalog, "tl", "Tagalog", "Tagalog";
    Thai, "th", "Thai", "ไทย";
    Turkish, "tr", "Turkish", "Türkçe";
    Vietnamese, "vi", "Vietnamese", "Tiếng Việt";
}

impl Language {
    /// Returns the documented languages, in the order of the service's list.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Language;
    ///
    /// assert_eq!(Language::all().len(), 34);
    /// ```
    #[must_use = "iterators are lazy and do nothing unless consumed"]
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::ALL.iter().cloned()
    }

    /// Parses a language code.
    ///
    /// The code of a documented language is accepted in any case. Another tag must have the form
    /// `[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*`; it is not looked up. An underscore counts as a hyphen.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidLanguage`] if the text is neither.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Language;
    ///
    /// assert_eq!(Language::parse("ZH_HK")?, Language::Cantonese);
    /// assert_eq!(Language::parse("sr_Latn")?.as_str(), "sr-Latn");
    /// # Ok::<(), contiguity::InvalidLanguage>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidLanguage> {
        if let Some(language) = documented(text) {
            return Ok(language);
        }
        if is_well_formed(text) {
            return Ok(Self::Other(LanguageTag(text.replace('_', "-").into())));
        }
        let problem = if text.trim().is_empty() { LanguageProblem::Blank } else { LanguageProblem::NotACode };
        Err(InvalidLanguage { problem })
    }

    /// Chooses the best documented language for an `Accept-Language` header or a locale.
    ///
    /// `text` is the value of the header, such as `en-US,en;q=0.9`, or a POSIX locale, such as
    /// `de_AT.UTF-8`. Returns `None` if it names no documented language, so that you can apply your
    /// own default. This includes `*` and the locales `C` and `POSIX`, which name no language.
    ///
    /// Ranges are tried by weight (`q`), and those of equal weight in the order of the text. A
    /// range without a match is shortened from the right: `en-US` becomes `en`. A language of
    /// weight 0 is never chosen. Other codes of a language are known: `no` is Norwegian, `iw` is
    /// Hebrew, `fil` is Tagalog, `yue` and `zh-Hant-HK` are Cantonese.
    ///
    /// Malformed ranges are ignored. Only the first 100 ranges are read.
    ///
    /// Sources: RFC 9110 §12.5.4 (`Accept-Language`), RFC 4647 §3.4 (lookup).
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Language;
    ///
    /// let language = Language::negotiate("eo, de-AT;q=0.9, en;q=0.8");
    /// assert_eq!(language, Some(Language::German));
    ///
    /// let locale = std::env::var("LANG").unwrap_or_default();
    /// let language = Language::negotiate(&locale).unwrap_or(Language::English);
    /// println!("texts will be in {}", language.name());
    /// ```
    #[must_use]
    pub fn negotiate(text: &str) -> Option<Self> {
        let mut ranges: Vec<(&str, f32)> = text.split(',').take(MAX_RANGES).filter_map(weighted_range).collect();
        ranges.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let (wanted, refused) = ranges.split_at(ranges.partition_point(|&(_, weight)| weight > 0.0));
        let is_refused = |language: &Self| refused.iter().any(|(range, _)| known(range).as_ref() == Some(language));
        wanted.iter().find_map(|(range, _)| look_up(range).filter(|language| !is_refused(language)))
    }
}

text_value!(Language, InvalidLanguage);

/// A well-formed language tag that is not among the documented ones.
///
/// Only [`Language::parse`] creates one. Underscores are replaced by hyphens; otherwise the tag is
/// kept as it was given.
///
/// # Examples
///
/// ```
/// use contiguity::Language;
///
/// let Language::Other(tag) = Language::parse("sr_Latn")? else {
///     panic!("a documented language");
/// };
/// assert_eq!(tag.as_str(), "sr-Latn");
/// # Ok::<(), contiguity::InvalidLanguage>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LanguageTag(Box<str>);

impl LanguageTag {
    /// Returns the tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error of [`Language::parse`].
///
/// # Examples
///
/// ```
/// use contiguity::Language;
///
/// let error = Language::parse("Esperanto!").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid language: not a language code; \
///      use one such as en, pt-br or zh-hk"
/// );
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid language: {}{}", self.problem(), self.advice())]
pub struct InvalidLanguage {
    pub(crate) problem: LanguageProblem,
}

impl InvalidLanguage {
    pub(crate) fn without_advice(&self) -> String {
        format!("invalid language: {}", self.problem())
    }

    /// Reads well after "is", too.
    pub(crate) fn problem(&self) -> &'static str {
        match self.problem {
            LanguageProblem::Blank => "blank",
            LanguageProblem::NotACode => "not a language code",
        }
    }

    /// What to do, with the punctuation in front of it.
    #[expect(clippy::unused_self, reason = "the errors of all values have this method")]
    pub(crate) fn advice(&self) -> &'static str {
        "; use one such as en, pt-br or zh-hk"
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LanguageProblem {
    Blank,
    NotACode,
}

/// The documented language with this code.
fn documented(text: &str) -> Option<Language> {
    Language::ALL.iter().find(|language| is_same(language.as_str(), text)).cloned()
}

/// The documented language that has this code or uses it elsewhere.
fn known(text: &str) -> Option<Language> {
    let other = || OTHER_CODES.iter().find(|(code, _)| is_same(code, text)).map(|(_, language)| language.clone());
    documented(text).or_else(other)
}

/// The documented language for a range, shortened from the right until there is one (RFC 4647
/// §3.4).
fn look_up(mut range: &str) -> Option<Language> {
    loop {
        match known(range) {
            Some(language) => return Some(language),
            None => range = &range[..range.rfind(is_subtag_separator)?],
        }
    }
}

/// The range and weight of an element such as `en-US;q=0.9`, or of a locale such as
/// `de_AT.UTF-8@euro`.
fn weighted_range(element: &str) -> Option<(&str, f32)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next()?.split(['.', '@']).next()?;
    let weight = match parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.strip_prefix('=')) {
        Some(weight) => weight.parse().ok().filter(|weight| (0.0..=1.0).contains(weight))?,
        None => 1.0,
    };
    (range.len() <= MAX_RANGE_BYTES && is_well_formed(range)).then_some((range, weight))
}

/// Whether a string is this lower-case code, in any case and with `_` for `-`.
fn is_same(code: &str, text: &str) -> bool {
    code.len() == text.len()
        && code
            .bytes()
            .zip(text.bytes())
            .all(|(ours, theirs)| ours == theirs.to_ascii_lowercase() || (ours == b'-' && theirs == b'_'))
}

/// Whether a string has the form of a language tag (RFC 5646 §2.1), with a code of ISO 639 in front.
fn is_well_formed(text: &str) -> bool {
    let mut subtags = text.split(is_subtag_separator);
    let primary = subtags.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn is_subtag_separator(c: char) -> bool {
    matches!(c, '-' | '_')
}

/// What browsers and systems may call a documented language: deprecated codes (IANA's registry),
/// the members of macrolanguages, and the regions where written Chinese is read as Cantonese.
const OTHER_CODES: [(&str, Language); 13] = [
    ("cmn", Language::Chinese),
    ("fil", Language::Tagalog),
    ("in", Language::Indonesian),
    ("iw", Language::Hebrew),
    ("mo", Language::Romanian),
    ("nn", Language::Norwegian),
    ("no", Language::Norwegian),
    ("yue", Language::Cantonese),
    ("zh-hant-hk", Language::Cantonese),
    ("zh-hant-mo", Language::Cantonese),
    ("zh-mo", Language::Cantonese),
    ("zh-yue", Language::Cantonese),
    ("zsm", Language::Malay),
];

/// More than any browser sends. The text may come from anyone, so the work must be bounded.
const MAX_RANGES: usize = 100;

/// The length that RFC 5646 §4.4.1 asks every implementation to support.
const MAX_RANGE_BYTES: usize = 35;
