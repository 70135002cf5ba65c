//! Replies made by the gateway itself, errors in OpenAI's form.

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::{OutBody, Reply};

/// What kind of error a client is told. Its word stands in `error.type`, as OpenAI's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is wrong.
    Invalid,
    /// No key, or an unknown one.
    Unauthorized,
    /// The key may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// Known path, wrong method.
    Method,
    /// The client took too long to send.
    Slow,
    /// The body is too large.
    TooLarge,
    /// More than the key may, for so many seconds.
    TooMany(u64),
    /// No server could be reached, or it broke off.
    Upstream,
    /// The server took too long.
    UpstreamSlow,
    /// The gateway cannot do it now.
    Unavailable,
}

impl Fault {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Fault::Invalid => StatusCode::BAD_REQUEST,
            Fault::Unauthorized => StatusCode::UNAUTHORIZED,
            Fault::Forbidden => StatusCode::FORBIDDEN,
            Fault::NotFound => StatusCode::NOT_FOUND,
            Fault::Method => StatusCode::METHOD_NOT_ALLOWED,
            Fault::Slow => StatusCode::REQUEST_TIMEOUT,
            Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Fault::Upstream => StatusCode::BAD_GATEWAY,
            Fault::UpstreamSlow => StatusCode::GATEWAY_TIMEOUT,
            Fault::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word in `error.type`.
    pub fn kind(self) -> &'static str {
        match self {
            Fault::Invalid | Fault::NotFound | Fault::Method | Fault::Slow | Fault::TooLarge => {
                "invalid_request_error"
            }
            Fault::Unauthorized => "authentication_error",
            Fault::Forbidden => "permission_error",
            Fault::TooMany(_) => "rate_limit_error",
            Fault::Upstream | Fault::UpstreamSlow => "upstream_error",
            Fault::Unavailable => "unavailable_error",
        }
    }
}

/// The JSON of an error.
pub fn error_json(fault: Fault, message: &str) -> Vec<u8> {
    let status = fault.status().as_u16();
    serde_json::json!({"error": {"message": message, "type": fault.kind(), "param": null, "code": status}})
        .to_string()
        .into_bytes()
}

/// An error reply.
pub fn error(fault: Fault, message: &str) -> Reply {
    let mut reply = bytes(fault.status(), "application/json", error_json(fault, message));
    if let Fault::TooMany(seconds) = fault {
        reply.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    reply
}

/// A JSON reply.
pub fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(text) => bytes(status, "application/json", text),
        Err(e) => error(Fault::Unavailable, &format!("the answer cannot be written: {e}")),
    }
}

/// A reply of these bytes.
pub fn bytes(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(OutBody::full(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
