//! The fuzz targets' way in: an answer that no server gave. Built by cargo-fuzz alone (`cfg(fuzzing)`).

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use ureq::middleware::MiddlewareNext;
use ureq::{Body, SendBody};

thread_local! {
    static ANSWER: RefCell<Option<Response<Vec<u8>>>> = const { RefCell::new(None) };
}

/// Answers every call that this thread makes from now on, without a socket. What follows the head of an answer is then
/// read as always.
///
/// # Panics
///
/// If the status is no number of three digits, or a header can't stand in an answer.
pub fn answer_with(status: u16, headers: &[(&'static str, &[u8])], body: &[u8]) {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).expect("the value of a header");
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    ANSWER.set(Some(response));
}

/// What the transport's agent asks before it opens a connection.
pub(super) fn answer(request: Request<SendBody<'_>>, next: MiddlewareNext<'_>) -> Result<Response<Body>, ureq::Error> {
    match ANSWER.with_borrow(Clone::clone) {
        Some(response) => Ok(response.map(|body| Body::builder().data(body))),
        None => next.handle(request),
    }
}
