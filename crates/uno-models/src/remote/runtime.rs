//! The thread on which requests run, so that callers need no async runtime and may well be inside one.

use std::future::Future;
use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Runtime};

use super::error::RemoteError;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

fn runtime() -> Result<&'static Runtime, RemoteError> {
    RUNTIME
        .get_or_init(|| {
            // Without a provider rustls would panic at the first https URL. An error means that one is installed.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("uno-remote")
                .enable_all()
                .build()
                .map_err(|e| e.to_string())
        })
        .as_ref()
        .map_err(|e| RemoteError::Config(format!("cannot start the network thread: {e}")))
}

/// Prepares what HTTP clients need; must come before the first client is built.
pub(crate) fn prepare() -> Result<(), RemoteError> {
    runtime().map(|_| ())
}

/// A task that ends when this is dropped.
pub(crate) struct Task(tokio::task::AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a future on the network thread.
pub(crate) fn spawn<F>(future: F) -> Result<Task, RemoteError>
where
    F: Future<Output = ()> + Send + 'static,
{
    Ok(Task(runtime()?.spawn(future).abort_handle()))
}

/// Runs a future on the network thread and waits for it here.
pub(crate) fn wait<T, F>(future: F) -> Result<T, RemoteError>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    let _task = spawn(async move {
        let _ = sender.send(future.await);
    })?;
    receiver.recv().map_err(|_| RemoteError::Config("the network thread died; this is a bug of UNO".into()))
}
