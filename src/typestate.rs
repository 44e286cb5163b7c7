//! The states of a builder's required fields, and what the compiler says when one is missing.
//!
//! A builder has a type parameter for each required field that its first call does not give: [`Missing`] until the
//! setter is called, then the type that holds the value. Setters stand on the `Missing` state alone, so that a field can't
//! be set twice; `send` asks for the traits below, which `Missing` does not have.

use crate::language::Language;
use crate::validate::Input;

/// The state of a required field that has not been set yet.
///
/// It appears in the types of unfinished requests, such as `NewOtp<Missing, Missing>`; nobody needs to write it.
#[derive(Clone, Copy, Debug)]
pub struct Missing(());

impl Missing {
    pub(crate) const FIELD: Self = Self(());
}

/// A request whose `language` is set.
#[diagnostic::on_unimplemented(
    message = "this OTP request has no language",
    label = "call `.language(..)` before this",
    note = "a request is sent once every required field is set"
)]
pub trait HasLanguage: sealed::Sealed + Into<Input<Language>> {}

#[diagnostic::do_not_recommend]
impl HasLanguage for Input<Language> {}

/// A request whose app `name` is set.
#[diagnostic::on_unimplemented(
    message = "this OTP request has no app name",
    label = "call `.name(..)` before this",
    note = "a request is sent once every required field is set"
)]
pub trait HasName: sealed::Sealed + Into<String> {}

#[diagnostic::do_not_recommend]
impl HasName for String {}

/// A check whose `otp` is set: the code that the person typed.
#[diagnostic::on_unimplemented(
    message = "this OTP check has no code to verify",
    label = "call `.otp(..)` before this",
    note = "a request is sent once every required field is set"
)]
pub trait HasOtp: sealed::Sealed + Into<String> {}

#[diagnostic::do_not_recommend]
impl HasOtp for String {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for String {}
    impl Sealed for super::Input<super::Language> {}
}
