//! `Input`, and the problems of a request, collected before anything is sent.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Issue, IssueKind, ValidationError};
use crate::language::{InvalidLanguage, Language, LanguageProblem};
use crate::otp_id::{IdProblem, InvalidOtpId, OtpId};
use crate::phone::{InvalidPhoneNumber, PhoneNumber, PhoneNumberProblem};

/// An argument that is either a typed value or text that `send` validates.
///
/// You rarely write this type. A `&str`, a `String` or the typed value (a [`Language`], a
/// [`PhoneNumber`], an [`OtpId`] or a reference to one) converts into it. Text that is not a valid value is
/// not an error yet: `send` reports it as [`Error::Validation`], with all other problems of the
/// request.
///
/// # Examples
///
/// ```
/// use contiguity::{Input, Language};
///
/// fn set_language(language: impl Into<Input<Language>>) {
///     let _: Input<Language> = language.into();
/// }
/// set_language("pt-BR");
/// set_language(Language::English);
/// ```
pub struct Input<T>(Result<T, Problem>);

impl<T> Input<T> {
    /// Returns the value, or the problem of the text.
    pub(crate) fn check(self) -> Result<T, Problem> {
        self.0
    }
}

#[cfg(feature = "sandbox")]
impl<T> Input<T> {
    /// Returns the value, or panics with the problem of the text, for code that runs in tests.
    #[track_caller]
    pub(crate) fn expect_valid(self, what: &str) -> T {
        match self.0 {
            Ok(value) => value,
            Err(problem) => panic!("invalid {what}: {problem}"),
        }
    }
}

/// Refused text is not shown, since it may be a phone number.
impl<T: fmt::Debug> fmt::Debug for Input<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(value) => value.fmt(f),
            Err(problem) => write!(f, "Invalid({:?})", problem.message),
        }
    }
}

/// The problem of a value, before the name of its field is known.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: IssueKind,
    message: String,
    suggestion: Option<PhoneNumber>,
}

impl Problem {
    pub(crate) fn new(kind: IssueKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), suggestion: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The problems of one request, collected field by field.
#[derive(Default)]
pub(crate) struct Problems(Vec<Issue>);

impl Problems {
    /// Returns the value of a valid field, or records the problem.
    pub(crate) fn check<T>(&mut self, field: &'static str, checked: Result<T, Problem>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(Problem { kind, message, suggestion }) => {
                self.0.push(Issue::new(field, kind, message, suggestion));
                None
            }
        }
    }

    /// Does the same for an optional field. `Some(None)` is a field that was left out.
    #[expect(clippy::option_option, reason = "left out and refused are two different things")]
    pub(crate) fn check_optional<T>(
        &mut self,
        field: &'static str,
        checked: Option<Result<T, Problem>>,
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

/// Checks the `otp_id` of a request that has no other field.
pub(crate) fn only_otp_id(otp_id: Input<OtpId>) -> Result<OtpId, Error> {
    let mut problems = Problems::default();
    problems.check("otp_id", otp_id.check()).ok_or_else(|| problems.into_error())
}

/// Checks text that a person reads: not blank, no control characters, at most `max` characters
/// (Unicode scalar values).
pub(crate) fn text(text: String, max: usize) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(IssueKind::Blank, "must not be blank"));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::new(IssueKind::Character, "must not contain control characters, such as a line break"));
    }
    let length = text.chars().count();
    if length > max {
        return Err(Problem::new(IssueKind::TooLong, format!("must have at most {max} characters, but has {length}")));
    }
    Ok(text)
}

// A value that was parsed on its own is refused as the field of a request is. Without a macro, which
// the compiler's messages would show.

impl From<InvalidPhoneNumber> for Error {
    fn from(error: InvalidPhoneNumber) -> Self {
        match error.problem {
            // The program names the region, not the person.
            PhoneNumberProblem::Region(_) => Self::config(error.to_string()),
            _ => refused("number", error),
        }
    }
}

impl From<InvalidLanguage> for Error {
    fn from(error: InvalidLanguage) -> Self {
        refused("language", error)
    }
}

impl From<InvalidOtpId> for Error {
    fn from(error: InvalidOtpId) -> Self {
        refused("otp_id", error)
    }
}

fn refused(field: &'static str, problem: impl Into<Problem>) -> Error {
    let mut problems = Problems::default();
    problems.check::<()>(field, Err(problem.into()));
    problems.into_error()
}

impl From<InvalidOtpId> for Problem {
    fn from(InvalidOtpId { problem }: InvalidOtpId) -> Self {
        let kind = match problem {
            IdProblem::Blank => IssueKind::Blank,
            IdProblem::Dots => IssueKind::Format,
            IdProblem::Control => IssueKind::Character,
            IdProblem::TooLong => IssueKind::TooLong,
        };
        Self::new(kind, format!("{problem}; use the id that the service returned"))
    }
}

impl From<InvalidLanguage> for Problem {
    fn from(error: InvalidLanguage) -> Self {
        let kind = match error.problem {
            LanguageProblem::Blank => IssueKind::Blank,
            LanguageProblem::NotACode => IssueKind::Format,
        };
        Self::new(kind, format!("is {}{}", error.problem(), error.advice()))
    }
}

impl From<InvalidPhoneNumber> for Problem {
    fn from(error: InvalidPhoneNumber) -> Self {
        let kind = match error.problem {
            PhoneNumberProblem::Blank => IssueKind::Blank,
            PhoneNumberProblem::Character | PhoneNumberProblem::SecondPlus | PhoneNumberProblem::WhiteSpace => {
                IssueKind::Character
            }
            PhoneNumberProblem::TooLong => IssueKind::TooLong,
            PhoneNumberProblem::TooShort => IssueKind::TooShort,
            _ => IssueKind::Format,
        };
        let message = format!("{}{}", error.problem(), error.advice());
        Self { suggestion: error.suggestion(), ..Self::new(kind, message) }
    }
}

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
                Self($type::parse(text).map_err(Problem::from))
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

        impl From<Cow<'_, str>> for Input<$type> {
            fn from(text: Cow<'_, str>) -> Self {
                Self::from(&*text)
            }
        }
    )+};
}
input_from!(PhoneNumber, Language, OtpId);
