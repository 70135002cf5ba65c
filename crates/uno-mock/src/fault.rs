//! What can go wrong on demand.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::stream;

/// How a request fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with an OpenAI error body.
    Status(u16),
    /// 429, with a `Retry-After` header of so many seconds if given.
    TooManyRequests {
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// 200 with something that is not JSON.
    GarbageJson,
    /// 200 with no body.
    EmptyBody,
    /// 200 with valid JSON whose `choices` or `data` are empty.
    EmptyChoices,
    /// No answer for a minute.
    Hang,
    /// The connection ends in the middle of the answer.
    Drop,
    /// A stream of events begins, then the connection is cut.
    CutMidway,
    /// A stream of events begins, then nothing more comes.
    StallMidway,
    /// A stream of events begins, then ends in due form without having come to its end.
    EndMidway,
}

/// How adapters misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterFault {
    /// Loading answers 200, but the adapter never appears in the model list.
    LoadNotListed,
    /// The adapter is listed and answers exactly like the base model (vllm#34186).
    ServesBase,
    /// Requests are answered with the weights of another adapter, if one is loaded (vllm#47724).
    ServesOther,
}

/// Ways of constraining the output that the server turns down with a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `response_format: {"type": "json_schema"}`.
    JsonSchema,
    /// `guided_json`.
    GuidedJson,
    /// `response_format: {"type": "json_object"}`.
    JsonObject,
}

impl Fault {
    /// The faulty answer to a request.
    pub(crate) async fn answer(self) -> Response<Body> {
        match self {
            Fault::Status(code) => error(
                StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                "injected fault",
            ),
            Fault::TooManyRequests { retry_after } => {
                let mut response = error(StatusCode::TOO_MANY_REQUESTS, "slow down");
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                response
            }
            Fault::GarbageJson => "<html>nginx is not a language model</html>".into_response(),
            Fault::EmptyBody => ().into_response(),
            Fault::EmptyChoices => {
                axum::Json(serde_json::json!({"object": "list", "choices": [], "data": []})).into_response()
            }
            Fault::Hang => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                error(StatusCode::GATEWAY_TIMEOUT, "hung for a minute")
            }
            Fault::Drop => {
                let broken =
                    futures::stream::once(async { Err::<&str, _>(std::io::Error::other("dropped")) });
                Body::from_stream(broken).into_response()
            }
            Fault::CutMidway => {
                let cut = futures::stream::once(async {
                    // What was sent before must be on its way.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err::<String, _>(std::io::Error::other("cut"))
                });
                stream::begun(cut)
            }
            Fault::StallMidway => stream::begun(futures::stream::pending()),
            Fault::EndMidway => stream::begun(futures::stream::empty()),
        }
    }
}

/// An error in OpenAI's form.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let body = serde_json::json!({"error": {"message": message, "code": status.as_u16(), "type": "mock"}});
    (status, axum::Json(body)).into_response()
}
