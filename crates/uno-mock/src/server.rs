//! The server's life: a thread with its own runtime, stopped when the handle is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::http::Response;
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::fault::{AdapterFault, Fault};
use crate::state::{MockConfig, Seen, State};
use crate::{adapters, chat, completions, embeddings};

/// A running server on a free port of 127.0.0.1.
pub struct MockServer {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MockServer {
    /// Starts it; ready for requests when this returns.
    ///
    /// # Errors
    /// When no port or thread can be had.
    pub fn start(config: MockConfig) -> std::io::Result<Self> {
        let state = Arc::new(State::new(config));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let app = router(state.clone());
        let thread = std::thread::Builder::new().name("uno-mock".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                // Not a graceful end: hanging requests must not keep a test waiting.
                tokio::select! {
                    _ = axum::serve(listener, app).into_future() => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// For example `http://127.0.0.1:40123/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The next `n` requests (of any kind) fail like this.
    pub fn fail_next(&self, n: usize, fault: Fault) {
        self.state.lock().queued.extend(std::iter::repeat_n(fault, n));
    }

    /// From now on every request fails like this; `None` heals.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.state.lock().always = fault;
    }

    /// From now on adapters misbehave like this; `None` heals.
    pub fn adapter_fault(&self, fault: Option<AdapterFault>) {
        self.state.lock().adapter_fault = fault;
    }

    /// All requests so far, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().seen.clone()
    }

    /// Requests so far whose path ends like this.
    pub fn count(&self, path: &str) -> usize {
        self.state.lock().seen.iter().filter(|s| s.path.ends_with(path)).count()
    }

    /// Names of the adapters it holds, sorted.
    pub fn adapters(&self) -> Vec<String> {
        self.state.lock().adapters.keys().cloned().collect()
    }

    /// Forgets all adapters, like a restart.
    pub fn forget_adapters(&self) {
        self.state.lock().adapters.clear();
    }

    /// Chat requests that are in work now.
    pub fn in_flight(&self) -> usize {
        self.state.lock().in_flight
    }

    /// The most chat requests that were in work at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.lock().most_in_flight
    }

    /// How often an adapter was loaded while chat requests were in work.
    pub fn loaded_while_busy(&self) -> usize {
        self.state.lock().loaded_while_busy
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/models", get(adapters::models))
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(completions::completions))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v1/load_lora_adapter", post(adapters::load))
        .route("/v1/unload_lora_adapter", post(adapters::unload))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state)
}

/// Writes the request down, then lets a fault have it or passes it on.
async fn observe(Extract(state): Extract<Arc<State>>, request: Request, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 64 << 20).await.unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let (authorization, traceparent) = (header("authorization"), header("traceparent"));
    state.lock().seen.push(Seen {
        path: parts.uri.path().to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        authorization,
        traceparent,
    });
    match state.next_fault() {
        Some(fault) => fault.answer().await,
        None => next.run(Request::from_parts(parts, Body::from(bytes))).await,
    }
}
