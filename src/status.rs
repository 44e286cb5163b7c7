//! What a response may say of a reverse OTP session: its status and its messaging service.

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::redact;
use crate::value::{self, shown_as_text};

/// What an enum of strings on the wire has in common: a string for each variant, and a catch-all for
/// strings that this version does not know.
///
/// The enums are written out, so that the compiler's messages about them show no macro.
macro_rules! wire_value {
    ($type:ident, $other:ident, $($variant:ident = $text:literal),+) => {
        impl $type {
            /// Returns the text, as the API spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(other) => other.as_str(),
                }
            }
        }

        shown_as_text!($type);

        /// Never fails: unknown text is kept.
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other($other(other.into())),
                }
            }
        }

        /// Never fails: unknown text is kept.
        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }

        /// Never fails: unknown text is kept.
        impl std::str::FromStr for $type {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                value::deserialize(deserializer, |text| Ok::<_, &str>(Self::from(text)))
            }
        }

        impl $other {
            /// Returns the text as it was received.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $other {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        /// Runs of digits are masked, since they may be a number or a code.
        impl fmt::Debug for $other {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                redact::line(&self.0).fmt(f)
            }
        }
    };
}

/// The status of a reverse OTP session.
///
/// Displays and serializes as the API spells it: `pending`, `verified`, `cancelled`, `expired`. Any
/// other text is kept in [`Other`](Self::Other) and means that the person is not verified. To
/// handle such a status, match on [`as_str`](Self::as_str), since a later version may add a variant
/// for it.
///
/// # Examples
///
/// ```
/// use contiguity::Status;
///
/// assert_eq!(Status::Pending.to_string(), "pending");
/// assert_eq!(Status::from("verified"), Status::Verified);
/// assert_eq!(Status::from("paused"), "paused");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The person has not texted yet.
    Pending,
    /// The right phone texted the right factor.
    Verified,
    /// The session was cancelled.
    Cancelled,
    /// The session expired before the person texted.
    Expired,
    /// A status that this version does not know, as the service sent it.
    Other(OtherStatus),
}

/// A status that this version does not know. Created by `Status::from`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OtherStatus(Box<str>);

wire_value!(
    Status,
    OtherStatus,
    Pending = "pending",
    Verified = "verified",
    Cancelled = "cancelled",
    Expired = "expired"
);

/// The messaging service that delivers a reverse OTP.
///
/// Displays and serializes as the API spells it: `sms`, `imessage`. Any other text is kept in
/// [`Other`](Self::Other), since a response may name a service that this version does not know.
/// A request with such a service is refused.
///
/// # Examples
///
/// ```
/// use contiguity::Service;
///
/// assert_eq!(Service::IMessage, "imessage");
/// assert_eq!(Service::from("sms"), Service::Sms);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// SMS.
    Sms,
    /// iMessage. The account needs an iMessage-capable number; otherwise the service returns 403.
    IMessage,
    /// A service that this version does not know, as the service sent it.
    Other(OtherService),
}

/// A messaging service that this version does not know. Created by `Service::from`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OtherService(Box<str>);

wire_value!(Service, OtherService, Sms = "sms", IMessage = "imessage");
