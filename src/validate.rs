//! `Input`, and collecting the faults of a request before anything is sent.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::Deserializer;
use serde::de::Visitor;

use crate::error::{Error, Issue, IssueKind, ValidationError};
use crate::language::Language;
use crate::otp::OtpId;
use crate::phone::PhoneNumber;

/// What a setter takes where a typed value exists: that value, or text still to be judged.
///
/// Nobody needs to name it: `"en"` and [`Language::English`], `"+14155552671"` and a [`PhoneNumber`], `&OtpId`, `&str`
/// and `String` all convert into it. Text that is no such value is no error yet: `send` reports it, together with every
/// other fault of the request, as [`Error::Validation`].
///
/// # Examples
///
/// ```
/// use contiguity::{Input, Language};
///
/// fn greet(language: impl Into<Input<Language>>) {
///     let _: Input<Language> = language.into();
/// }
/// greet("pt-BR");
/// greet(Language::English);
/// ```
pub struct Input<T>(Result<T, Fault>);

impl<T> Input<T> {
    /// The value, or what is wrong with the text.
    pub(crate) fn check(self) -> Result<T, Fault> {
        self.0
    }
}

/// Text that was refused is not shown: it may be a phone number.
impl<T: fmt::Debug> fmt::Debug for Input<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(value) => value.fmt(f),
            Err(fault) => write!(f, "Invalid({:?})", fault.message),
        }
    }
}

/// What is wrong with one field, before its name is known.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    kind: IssueKind,
    message: String,
    suggestion: Option<PhoneNumber>,
}

impl Fault {
    pub(crate) fn new(kind: IssueKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), suggestion: None }
    }

    pub(crate) fn suggesting(self, suggestion: Option<PhoneNumber>) -> Self {
        Self { suggestion, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The faults of one request, gathered field by field: a field that is in order gives its value, every other adds an
/// issue.
#[derive(Default)]
pub(crate) struct Faults(Vec<Issue>);

impl Faults {
    pub(crate) fn check<T>(&mut self, field: &'static str, checked: Result<T, Fault>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(Fault { kind, message, suggestion }) => {
                self.0.push(Issue::new(field, kind, message, suggestion));
                None
            }
        }
    }

    /// The same for a field that may be left out: `Some(None)` is one that was.
    #[expect(clippy::option_option, reason = "left out and refused are two things, and both are rare to read")]
    pub(crate) fn check_optional<T>(
        &mut self,
        field: &'static str,
        checked: Option<Result<T, Fault>>,
    ) -> Option<Option<T>> {
        match checked {
            None => Some(None),
            Some(checked) => self.check(field, checked).map(Some),
        }
    }

    pub(crate) fn into_error(self) -> Error {
        Error::Validation(ValidationError::new(self.0))
    }
}

/// Text that a person reads: not blank, no control characters.
pub(crate) fn plain_text(text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new(IssueKind::Blank, "is blank; give at least one visible character"));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new(IssueKind::Character, "has a control character, such as a line break; leave it out"));
    }
    Ok(text)
}

/// The same, of at most `most` characters, counted as Unicode scalar values.
pub(crate) fn short_text(text: String, most: usize) -> Result<String, Fault> {
    let text = plain_text(text)?;
    let length = text.chars().count();
    if length > most {
        return Err(Fault::new(IssueKind::TooLong, format!("has {length} characters; at most {most} are allowed")));
    }
    Ok(text)
}

/// Deserialises what is made from text, and borrows the text while it does.
pub(crate) fn deserialize_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct TextVisitor<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Everything a type has that is a checked text: ways in that check, ways out, and the way into [`Input`].
///
/// The type brings `parse(&str) -> Result<Self, Self's error>` and `as_str(&self) -> &str`; the error, `into_fault`.
macro_rules! text_value {
    ($type:ident, $error:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::validate::deserialize_text(deserializer)
            }
        }
    };
}
pub(crate) use text_value;

macro_rules! input_from {
    ($($type:ident),+) => {$(
        impl From<$type> for Input<$type> {
            fn from(value: $type) -> Self {
                Self(Ok(value))
            }
        }

        impl From<&$type> for Input<$type> {
            fn from(value: &$type) -> Self {
                Self(Ok(value.clone()))
            }
        }

        impl From<&str> for Input<$type> {
            fn from(text: &str) -> Self {
                Self($type::parse(text).map_err(Fault::from))
            }
        }

        impl From<String> for Input<$type> {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl From<&String> for Input<$type> {
            fn from(text: &String) -> Self {
                Self::from(text.as_str())
            }
        }

        impl From<std::borrow::Cow<'_, str>> for Input<$type> {
            fn from(text: std::borrow::Cow<'_, str>) -> Self {
                Self::from(&*text)
            }
        }
    )+};
}
input_from!(PhoneNumber, Language, OtpId);
