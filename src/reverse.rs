//! Reverse OTP, where the person texts you.
//!
//! The six builders' reverse half stands at the crate's root; this module holds what goes with them.

mod cancel;
mod initiate;
mod verify;
mod wait;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::redact::Redactor;

pub use self::cancel::{CancelReverseOtp, Cancellation};
pub use self::initiate::{InitiateReverseOtp, Instructions, ReverseSession};
pub use self::verify::{ReverseStatus, VerifyReverseOtp};
pub use self::wait::{Clock, Outcome, Wait};

/// An enum of texts on the wire that keeps texts it does not know: ways in and out.
macro_rules! wire_value {
    ($type:ident, $other:ident, $doc:literal, $($variant:ident = $text:literal),+) => {
        impl $type {
            /// The text on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(other) => other.as_str(),
                }
            }

            pub(crate) fn from_wire(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other($other(other.into())),
                }
            }

            /// The same from an answer, where an unknown one may say anything and will be shown.
            pub(crate) fn from_answer(text: &str, redactor: &Redactor<'_>) -> Self {
                match Self::from_wire(text) {
                    Self::Other(_) => Self::Other($other(redactor.word(text).into())),
                    known => known,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        /// Reads the text on the wire; an unknown one is kept.
        impl std::str::FromStr for $type {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from_wire(text))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::validate::deserialize_text(deserializer)
            }
        }

        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $other(Box<str>);

        impl $other {
            /// The text as the service said it; of an answer's, without secrets and control characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $other {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// Where a reverse OTP session stands.
///
/// Displayed and serialised as on the wire: `pending`, `verified`, `cancelled`, `expired`. What the service may say
/// besides is kept in [`Other`](Self::Other), and means that nobody is verified.
///
/// # Examples
///
/// ```
/// use contiguity::Status;
///
/// assert_eq!(Status::Pending.to_string(), "pending");
/// assert_eq!("verified".parse::<Status>().unwrap(), Status::Verified);
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
    /// Time ran out before the person texted.
    Expired,
    /// A status that this version does not know, as the service said it.
    Other(OtherStatus),
}

wire_value! {
    Status, OtherStatus, "A status that this version does not know: made from any text that is none of the known ones.",
    Pending = "pending", Verified = "verified", Cancelled = "cancelled", Expired = "expired"
}

/// The messaging service that a reverse OTP arrives by.
///
/// Displayed and serialised as on the wire: `sms`, `imessage`.
///
/// # Examples
///
/// ```
/// use contiguity::Service;
///
/// assert_eq!(Service::IMessage.as_str(), "imessage");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// SMS.
    Sms,
    /// iMessage, for which the account needs an iMessage-capable number (the service answers 403 without).
    IMessage,
    /// A service that this version does not know, as an answer named it. A request with it is refused.
    Other(OtherService),
}

wire_value! {
    Service, OtherService, "A messaging service that this version does not know: made from any text that is none of the known ones.",
    Sms = "sms", IMessage = "imessage"
}
