//! The model list, and adapters at run time as vLLM has them.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::fault::{AdapterFault, error};
use crate::state::State;

pub(crate) async fn models(Extract(state): Extract<Arc<State>>) -> Json<Value> {
    let inner = state.lock();
    let base = &state.config.model;
    let mut data =
        vec![json!({"id": base, "object": "model", "root": format!("/models/{base}"), "parent": null,
                               "max_model_len": state.config.context_length})];
    if inner.adapter_fault != Some(AdapterFault::LoadNotListed) {
        data.extend(inner.adapters.keys().map(|name| {
            json!({"id": name, "object": "model", "root": name, "parent": base, "max_model_len": null})
        }));
    }
    Json(json!({"object": "list", "data": data}))
}

pub(crate) async fn load(Extract(state): Extract<Arc<State>>, Json(body): Json<Value>) -> Response<Body> {
    let (name, path) =
        (body["lora_name"].as_str().unwrap_or_default(), body["lora_path"].as_str().unwrap_or_default());
    let Ok(weights) = fs_err::read(Path::new(path).join("adapter_model.safetensors")) else {
        return error(
            StatusCode::NOT_FOUND,
            &format!("Loading lora {name} failed: No adapter found for {path}"),
        );
    };
    let mut inner = state.lock();
    if inner.adapters.contains_key(name) {
        return error(
            StatusCode::BAD_REQUEST,
            &format!(
                "The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True."
            ),
        );
    }
    if inner.adapters.len() >= state.config.max_loras {
        return error(StatusCode::BAD_REQUEST, "no free slot: more adapters than max_loras");
    }
    if inner.in_flight > 0 {
        inner.loaded_while_busy += 1;
    }
    inner.adapters.insert(name.to_owned(), blake3::hash(&weights).to_hex().to_string());
    format!("Success: LoRA adapter '{name}' added successfully.").into_response()
}

pub(crate) async fn unload(Extract(state): Extract<Arc<State>>, Json(body): Json<Value>) -> Response<Body> {
    let name = body["lora_name"].as_str().unwrap_or_default();
    match state.lock().adapters.remove(name) {
        Some(_) => format!("Success: LoRA adapter '{name}' removed successfully.").into_response(),
        None => error(StatusCode::NOT_FOUND, &format!("The lora adapter '{name}' cannot be found.")),
    }
}
