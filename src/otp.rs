//! One-time passwords by SMS: one file an operation.

pub(crate) mod new;
pub(crate) mod resend;
pub(crate) mod verify;
