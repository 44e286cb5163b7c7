//! The languages of a text message.

use std::fmt;

use crate::error::IssueKind;
use crate::validate::{Fault, text_value};

/// The language of a message, or of the instructions of a reverse OTP.
///
/// The service documents 34 languages; any other well-formed language tag is kept in [`Other`](Self::Other) and sent as
/// it is, since the service may learn more languages than this crate knows.
///
/// Made from text by [`parse`](Self::parse) or [`FromStr`](std::str::FromStr), in any case, with `-` or `_`: `EN`,
/// `pt-BR` and `pt_BR` are known codes.
///
/// # Examples
///
/// ```
/// use contiguity::Language;
///
/// assert_eq!("pt_BR".parse::<Language>()?, Language::BrazilianPortuguese);
/// assert_eq!(Language::English.as_str(), "en");
/// assert_eq!("eo".parse::<Language>()?.to_string(), "eo");
/// assert!("English, please".parse::<Language>().is_err());
/// # Ok::<(), contiguity::InvalidLanguage>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English, `en`.
    English,
    /// Afrikaans, `af`.
    Afrikaans,
    /// Arabic, `ar`.
    Arabic,
    /// Catalan, `ca`.
    Catalan,
    /// Chinese (Mandarin), `zh`.
    Chinese,
    /// Cantonese, `zh-hk`.
    Cantonese,
    /// Croatian, `hr`.
    Croatian,
    /// Czech, `cs`.
    Czech,
    /// Danish, `da`.
    Danish,
    /// Dutch, `nl`.
    Dutch,
    /// Finnish, `fi`.
    Finnish,
    /// French, `fr`.
    French,
    /// German, `de`.
    German,
    /// Greek, `el`.
    Greek,
    /// Hebrew, `he`.
    Hebrew,
    /// Hindi, `hi`.
    Hindi,
    /// Hungarian, `hu`.
    Hungarian,
    /// Indonesian, `id`.
    Indonesian,
    /// Italian, `it`.
    Italian,
    /// Japanese, `ja`.
    Japanese,
    /// Korean, `ko`.
    Korean,
    /// Malay, `ms`.
    Malay,
    /// Norwegian, `nb`.
    Norwegian,
    /// Polish, `pl`.
    Polish,
    /// Portuguese (Brazil), `pt-br`.
    BrazilianPortuguese,
    /// Portuguese, `pt`.
    Portuguese,
    /// Romanian, `ro`.
    Romanian,
    /// Russian, `ru`.
    Russian,
    /// Spanish, `es`.
    Spanish,
    /// Swedish, `sv`.
    Swedish,
    /// Tagalog, `tl`.
    Tagalog,
    /// Thai, `th`.
    Thai,
    /// Turkish, `tr`.
    Turkish,
    /// Vietnamese, `vi`.
    Vietnamese,
    /// A well-formed tag that is none of the above, as it was given.
    Other(LanguageTag),
}

impl Language {
    /// The documented languages, in the order of the vendor's list.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Language;
    ///
    /// assert_eq!(Language::all().len(), 34);
    /// ```
    #[must_use = "an iterator does nothing until it is used"]
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        KNOWN.iter().map(|(_, language)| language.clone())
    }

    /// Reads a language code: a known one in any case, with `-` or `_`, or another tag of the form
    /// `[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*`, which is not looked up.
    ///
    /// # Errors
    ///
    /// [`InvalidLanguage`] for text that is neither.
    ///
    /// # Examples
    ///
    /// ```
    /// use contiguity::Language;
    ///
    /// assert_eq!(Language::parse("ZH-HK")?, Language::Cantonese);
    /// # Ok::<(), contiguity::InvalidLanguage>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidLanguage> {
        if let Some(language) = known(text) {
            return Ok(language);
        }
        if is_well_formed(text) {
            return Ok(Self::Other(LanguageTag(text.into())));
        }
        Err(InvalidLanguage { is_blank: text.trim().is_empty() })
    }

    /// The code as the service knows it, such as `en` or `pt-br`; another tag as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(tag) => tag.as_str(),
            known => KNOWN.iter().find(|(_, language)| language == known).map_or("", |(code, _)| code),
        }
    }
}

text_value!(Language, InvalidLanguage);

/// A well-formed language tag that is not among the documented ones. Only [`Language::parse`] makes it.
///
/// # Examples
///
/// ```
/// use contiguity::Language;
///
/// let Language::Other(tag) = Language::parse("eo")? else { panic!("known") };
/// assert_eq!(tag.as_str(), "eo");
/// # Ok::<(), contiguity::InvalidLanguage>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LanguageTag(Box<str>);

impl LanguageTag {
    /// The tag as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a language. Made by [`Language::parse`].
///
/// # Examples
///
/// ```
/// use contiguity::Language;
///
/// let error = Language::parse("Esperanto!").unwrap_err();
/// assert_eq!(error.to_string(), "language is not a language code; give one such as en, pt-br or zh-hk");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("language {}", self.what_to_do())]
pub struct InvalidLanguage {
    is_blank: bool,
}

impl InvalidLanguage {
    fn what_to_do(&self) -> &'static str {
        if self.is_blank {
            "is blank; give a code such as en or pt-br"
        } else {
            "is not a language code; give one such as en, pt-br or zh-hk"
        }
    }
}

impl From<InvalidLanguage> for Fault {
    fn from(error: InvalidLanguage) -> Self {
        let kind = if error.is_blank { IssueKind::Blank } else { IssueKind::Format };
        Self::new(kind, error.what_to_do())
    }
}

fn known(text: &str) -> Option<Language> {
    let same = |code: &str| {
        code.len() == text.len()
            && code
                .bytes()
                .zip(text.bytes())
                .all(|(ours, theirs)| ours == theirs.to_ascii_lowercase() || (ours == b'-' && theirs == b'_'))
    };
    KNOWN.iter().find(|(code, _)| same(code)).map(|(_, language)| language.clone())
}

/// The shape of a language tag: subtags of letters and digits, the first of letters alone (RFC 5646 §2.1).
fn is_well_formed(text: &str) -> bool {
    let mut subtags = text.split('-');
    let primary = subtags.next().unwrap_or_default();
    (2..=8).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The vendor's list, in its order; English comes first there too.
const KNOWN: [(&str, Language); 34] = [
    ("en", Language::English),
    ("af", Language::Afrikaans),
    ("ar", Language::Arabic),
    ("ca", Language::Catalan),
    ("zh", Language::Chinese),
    ("zh-hk", Language::Cantonese),
    ("hr", Language::Croatian),
    ("cs", Language::Czech),
    ("da", Language::Danish),
    ("nl", Language::Dutch),
    ("fi", Language::Finnish),
    ("fr", Language::French),
    ("de", Language::German),
    ("el", Language::Greek),
    ("he", Language::Hebrew),
    ("hi", Language::Hindi),
    ("hu", Language::Hungarian),
    ("id", Language::Indonesian),
    ("it", Language::Italian),
    ("ja", Language::Japanese),
    ("ko", Language::Korean),
    ("ms", Language::Malay),
    ("nb", Language::Norwegian),
    ("pl", Language::Polish),
    ("pt-br", Language::BrazilianPortuguese),
    ("pt", Language::Portuguese),
    ("ro", Language::Romanian),
    ("ru", Language::Russian),
    ("es", Language::Spanish),
    ("sv", Language::Swedish),
    ("tl", Language::Tagalog),
    ("th", Language::Thai),
    ("tr", Language::Turkish),
    ("vi", Language::Vietnamese),
];
