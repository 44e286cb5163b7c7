//! The states of a request builder.
//!
//! A builder has a type parameter for each required field that its first call does not set. It is
//! [`Missing`] until the setter is called, then the type of the value. `send` needs every field to be
//! set, and each setter needs its field to be [`Unset`]. A request with a missing or a duplicate field
//! therefore does not compile.
//!
//! You need these names only to write the type of an unfinished request:
//!
//! ```
//! use contiguity::NewOtp;
//! use contiguity::typestate::Missing;
//!
//! /// A request in the language of the app. Only the name is missing.
//! fn in_english(to: &str) -> NewOtp<contiguity::Input<contiguity::Language>, Missing> {
//!     NewOtp::to(to).language("en")
//! }
//!
//! let request: NewOtp = in_english("+14155552671").name("MyApp");
//! ```

use crate::language::Language;
use crate::validate::Input;

/// The state of a required field that is not set yet.
#[derive(Clone, Copy, Debug)]
pub struct Missing(());

impl Missing {
    pub(crate) const FIELD: Self = Self(());
}

/// A field that is not set yet, so that its setter can be called.
#[diagnostic::on_unimplemented(
    message = "this field is already set",
    label = "already set: remove one of the two calls",
    note = "a required field can be set only once"
)]
pub trait Unset: sealed::Sealed {}

#[diagnostic::do_not_recommend]
impl Unset for Missing {}

/// A request whose `language` is set.
#[diagnostic::on_unimplemented(
    message = "this OTP request has no language",
    label = "call `.language(..)` before this",
    note = "a request can be sent once every required field is set"
)]
pub trait HasLanguage: sealed::Sealed + Into<Input<Language>> {}

#[diagnostic::do_not_recommend]
impl HasLanguage for Input<Language> {}

/// A request whose app `name` is set.
#[diagnostic::on_unimplemented(
    message = "this OTP request has no app name",
    label = "call `.name(..)` before this",
    note = "a request can be sent once every required field is set"
)]
pub trait HasName: sealed::Sealed + Into<String> {}

#[diagnostic::do_not_recommend]
impl HasName for String {}

/// A check whose `otp`, the code that the person typed, is set.
#[diagnostic::on_unimplemented(
    message = "this OTP check has no code to verify",
    label = "call `.otp(..)` before this",
    note = "a request can be sent once every required field is set"
)]
pub trait HasOtp: sealed::Sealed + Into<String> {}

#[diagnostic::do_not_recommend]
impl HasOtp for String {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::Missing {}
    impl Sealed for String {}
    impl Sealed for super::Input<super::Language> {}
}
