//! `POST /v1/embeddings`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::Response;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::answer::logprob;
use crate::state::State;

pub(crate) async fn embeddings(
    Extract(state): Extract<Arc<State>>,
    Json(body): Json<Value>,
) -> Response<Body> {
    let texts: Vec<&str> = match &body["input"] {
        Value::String(one) => vec![one.as_str()],
        other => other.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    // Last first: clients must go by `index`.
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .rev()
        .map(|(i, text)| {
            let vector: Vec<f32> = (0..state.config.dimensions)
                .map(|d| logprob(&state.config.model, &[(*text).to_owned(), d.to_string()]) + 2.0)
                .collect();
            json!({"object": "embedding", "index": i, "embedding": vector})
        })
        .collect();
    Json(json!({"object": "list", "model": state.config.model, "data": data})).into_response()
}
