//! A call of an operation, down to the transport, and its response on the way back.

use serde::{Deserialize, Serialize};

use crate::envelope::{self, Envelope, Metadata};
use crate::error::{DecodeError, DecodeInner, Delivery, Error};
use crate::gate::{Permit, Settled, Subject};
use crate::redact::Redactor;
use crate::retry::{Failure, Operation};

/// One request of an operation.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static Operation,
    /// The value of `{otp_id}` in the path.
    pub(crate) otp_id: Option<&'a str>,
    /// JSON.
    pub(crate) body: Option<Vec<u8>>,
    /// Codes and phone numbers of this request, which are never shown.
    pub(crate) private: &'a [&'a str],
    /// What limits count this call as. Without one, the call is free.
    pub(crate) subject: Option<Subject<'a>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(operation: &'static Operation) -> Self {
        Self { operation, otp_id: None, body: None, private: &[], subject: None }
    }

    pub(crate) fn otp_id(self, otp_id: &'a str) -> Self {
        Self { otp_id: Some(otp_id), ..self }
    }

    pub(crate) fn body(self, fields: &impl Serialize) -> Self {
        let body = serde_json::to_vec(fields).expect("a struct of strings can be written as JSON");
        Self { body: Some(body), ..self }
    }

    pub(crate) fn hiding(self, private: &'a [&'a str]) -> Self {
        Self { private, ..self }
    }

    pub(crate) fn limited(self, subject: Subject<'a>) -> Self {
        Self { subject: Some(subject), ..self }
    }
}

/// A complete 2xx response.
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// A `Content-Encoding` that was not asked for.
    pub(crate) encoding: Option<String>,
    pub(crate) operation: &'static Operation,
    pub(crate) redactor: Redactor<'a>,
    pub(crate) permit: Option<Box<dyn Permit>>,
}

impl Response<'_> {
    /// Reads `data` into the result of an operation. The error of `read` is the end of a sentence
    /// about the response.
    pub(crate) fn read<'s, D: Deserialize<'s>, T>(
        &'s self,
        read: impl FnOnce(D, Metadata) -> Result<T, String>,
    ) -> Result<T, Error> {
        let envelope = Envelope::parse(&self.body).map_err(|problem| self.unreadable(&problem, None))?;
        envelope
            .data()
            .and_then(|data| read(data, envelope.metadata(&self.redactor)))
            .map_err(|problem| self.unreadable(&problem, envelope.request_id(&self.redactor)))
    }

    /// Reports how the call ended, if that changes what limits have counted.
    pub(crate) fn settle(self, outcome: Settled<'_>) {
        if let Some(permit) = self.permit {
            permit.settle(outcome);
        }
    }

    /// Returns the error of a response that cannot be read.
    #[cold]
    pub(crate) fn unreadable(&self, problem: &str, request_id: Option<String>) -> Error {
        Error::Decode(DecodeError::new(DecodeInner {
            delivery: Delivery::new(self.operation, Failure::Unreadable),
            status: self.status,
            message: describe(problem, &self.body, self.encoding.as_deref(), &self.redactor),
            request_id,
        }))
    }
}

/// Adds to the problem of a body what the body is, if it is not JSON.
pub(crate) fn describe(problem: &str, body: &[u8], encoding: Option<&str>, redactor: &Redactor<'_>) -> String {
    if let Some(encoding) = encoding {
        return format!("the body has the unexpected Content-Encoding {:?}", redactor.line(encoding));
    }
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    // JSON may contain anything in escapes. A page or plain text is shown to recognize its origin.
    let is_json = envelope::without_mark(body).trim_ascii_start().starts_with(b"{");
    let excerpt = if is_json { String::new() } else { redactor.excerpt(body) };
    if excerpt.is_empty() { problem.to_owned() } else { format!("{problem}: {excerpt:?}") }
}
