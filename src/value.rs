//! What all values that are text have in common.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::Visitor;

/// The ways out of a value with `as_str(&self) -> &str`: text for people, comparisons, and serde.
macro_rules! shown_as_text {
    ($type:ident) => {
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

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
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
    };
}
pub(crate) use shown_as_text;

/// `Debug` as `Display`, for errors: a `main` that returns one prints it by `Debug`.
macro_rules! debug_is_display {
    ($($type:ident),+) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )+};
}
pub(crate) use debug_is_display;

/// The ways in and out of a checked text, and `Debug` of its error.
///
/// The type has `parse(&str) -> Result<Self, $error>` and `as_str(&self) -> &str`. The error has
/// `without_advice(&self)`, the message for a reader of data, who cannot act on advice for callers.
macro_rules! text_value {
    ($type:ident, $error:ident) => {
        crate::value::shown_as_text!($type);
        crate::value::debug_is_display!($error);

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

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::value::deserialize(deserializer, |text| {
                    Self::parse(text).map_err(|error| error.without_advice())
                })
            }
        }
    };
}
pub(crate) use text_value;

/// Deserializes a value from text. The text is borrowed, not copied.
pub(crate) fn deserialize<'de, T, P, D>(deserializer: D, read: impl FnOnce(&str) -> Result<T, P>) -> Result<T, D::Error>
where
    P: fmt::Display,
    D: Deserializer<'de>,
{
    struct TextVisitor<T, R>(R, PhantomData<T>);

    impl<T, P: fmt::Display, R: FnOnce(&str) -> Result<T, P>> Visitor<'_> for TextVisitor<T, R> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(TextVisitor(read, PhantomData))
}
