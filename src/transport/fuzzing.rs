//! Responses for the fuzz targets, without a server. Compiled only by cargo-fuzz (`cfg(fuzzing)`).

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use ureq::middleware::MiddlewareNext;
use ureq::{Body, SendBody};

thread_local! {
    static RESPONSE: RefCell<Option<Response<Vec<u8>>>> = const { RefCell::new(None) };
}

/// Sets the response to every call that this thread makes from now on. No socket is used; the response
/// is read as usual.
///
/// # Panics
///
/// If the status or a header is not valid in a response.
pub fn respond_with(status: u16, headers: &[(&'static str, &[u8])], body: &[u8]) {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).expect("the value of a header");
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    RESPONSE.set(Some(response));
}

/// The agent's middleware, which comes before any connection.
pub(super) fn respond(request: Request<SendBody<'_>>, next: MiddlewareNext<'_>) -> Result<Response<Body>, ureq::Error> {
    match RESPONSE.with_borrow(Clone::clone) {
        Some(response) => Ok(response.map(|body| Body::builder().data(body))),
        None => next.handle(request),
    }
}
