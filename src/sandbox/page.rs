//! The sandbox's page, whose files are in `page/`.

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};

use crate::sandbox::api::{ApiRequest, ApiResponse};

/// Returns the file that is requested, if it is one of the page.
pub(super) fn respond(request: &ApiRequest<'_>) -> Option<ApiResponse> {
    let (content_type, file) = match request.path {
        "/" => ("text/html; charset=utf-8", &include_bytes!("page/index.html")[..]),
        "/page.css" => ("text/css; charset=utf-8", &include_bytes!("page/page.css")[..]),
        "/page.js" => ("text/javascript; charset=utf-8", &include_bytes!("page/page.js")[..]),
        _ => return None,
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        return None;
    }
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A page of an older version must not stay behind.
        (CACHE_CONTROL, "no-store"),
    ];
    let headers = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    Some(ApiResponse { status: StatusCode::OK, headers, body: file.to_vec() })
}

/// Nothing from elsewhere, and nothing inline, so that text that is taken for markup does nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
