//! Adapters on one server, step by step, for a caller that knows itself what is in flight (the gateway).
//!
//! Files are checked before a load, the model list after, then a probe; a name is never loaded from other files
//! ([`VllmAdapters`](super::VllmAdapters), which adds leases and slots to this, says why).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use uno_types::AdapterRef;

use super::adapter_files::{AdapterFiles, check_adapter_files};
use super::config::{PathMap, RemoteConfig};
use super::error::RemoteError;
use super::server::Server;
use super::{models, probe, runtime};

/// What a server holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Names of adapters, whoever loaded them.
    pub adapters: Vec<String>,
}

/// One server. All calls block.
pub struct AdapterHost {
    server: Arc<Server>,
    base_model: String,
    paths: Option<PathMap>,
    /// Content hashes of all names ever used here, unloaded ones too: the server may have cached under them.
    names: Mutex<HashMap<String, String>>,
}

impl AdapterHost {
    /// The server of `config`; it is not asked anything yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(config: &RemoteConfig) -> Result<Self, RemoteError> {
        Ok(Self::on(Server::new(config)?, &config.model, config.adapter_paths.clone()))
    }

    /// On a server that others use too.
    pub(super) fn on(server: Arc<Server>, base_model: &str, paths: Option<PathMap>) -> Self {
        Self { server, base_model: base_model.to_owned(), paths, names: Mutex::default() }
    }

    pub(super) fn server(&self) -> Arc<Server> {
        self.server.clone()
    }

    /// What it holds now.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn held(&self) -> Result<Held, RemoteError> {
        let server = self.server.clone();
        let cards = runtime::wait(async move { models::list(&server).await })??;
        let adapters = cards.into_iter().filter(|c| c.parent.is_some()).map(|c| c.id).collect();
        Ok(Held { adapters })
    }

    /// Whether the server takes adapters at run time. Asks it for one without a path, which it cannot load.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn loads_adapters(&self) -> Result<bool, RemoteError> {
        let server = self.server.clone();
        let name = "uno-asks-whether";
        let body = json!({ "lora_name": name, "lora_path": "" });
        match runtime::wait(async move { server.post_text("/load_lora_adapter", &body).await })? {
            // A server that knows the path and not the adapter names it.
            Err(RemoteError::Status { status: 404 | 405, message, .. }) => Ok(message.contains(name)),
            Ok(_) | Err(RemoteError::Status { status: 400 | 422 | 500, .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Adapters that it holds at once, where its metrics say so (vLLM's `max_lora`).
    pub fn slots(&self) -> Option<usize> {
        let server = self.server.clone();
        let metrics = runtime::wait(async move { server.metrics().await }).ok()?.ok()?;
        let (_, rest) = metrics.split_once("max_lora=\"")?;
        rest.split('"').next()?.parse().ok()
    }

    /// Checks an adapter's files, loads it unless it is there, and probes it. The caller sees to it that a slot is free and
    /// that no adapter is answering. One that fails its probe is unloaded again.
    ///
    /// # Errors
    /// What is wrong with the files, the server, or what the adapter answers.
    pub fn load(&self, adapter: &AdapterRef) -> Result<(), RemoteError> {
        let files = check_adapter_files(adapter)?;
        self.claim_name(&adapter.name, &files)?;
        let path = self.paths.as_ref().map_or_else(|| files.dir.clone(), |map| map.map(&files.dir));
        let (server, base, name) = (self.server.clone(), self.base_model.clone(), adapter.name.clone());
        let outcome = runtime::wait(async move {
            load_and_list(&server, &name, &path.to_string_lossy()).await?;
            probe::probe(&server, &base, &name, &files.dir).await
        })?;
        if let Err(error) = outcome {
            // Nothing must be routed to it by whoever reads the model list. A server that is gone holds nothing.
            if !error.is_gone() {
                let _ = self.unload(&adapter.name);
            }
            return Err(error);
        }
        tracing::info!(adapter = adapter.name, server = self.server.base(), "loaded and probed");
        Ok(())
    }

    /// One name, one content, for good.
    fn claim_name(&self, name: &str, files: &AdapterFiles) -> Result<(), RemoteError> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.entry(name.to_owned()).or_insert_with(|| files.hash.clone());
        if *known == files.hash {
            return Ok(());
        }
        Err(RemoteError::Adapter {
            name: name.to_owned(),
            problem: "its files changed after it was loaded under this name, and the server may have cached answers of \
                      the old ones; give the new weights a new name"
                .into(),
        })
    }

    /// Unloads an adapter; one that is not there counts as unloaded.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn unload(&self, name: &str) -> Result<(), RemoteError> {
        let (server, body) = (self.server.clone(), json!({ "lora_name": name }));
        match runtime::wait(async move { server.post_text("/unload_lora_adapter", &body).await })? {
            Ok(_) | Err(RemoteError::Status { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Loads an adapter and makes sure that the server lists it.
async fn load_and_list(server: &Server, name: &str, path: &str) -> Result<(), RemoteError> {
    let adapter_error = |problem: String| RemoteError::Adapter { name: name.to_owned(), problem };
    let listed = |cards: &[super::wire::ModelCard]| cards.iter().any(|c| c.id == name);
    // Left over from an earlier run of ours: the same name is the same content, and the probe checks it.
    if listed(&models::list(server).await?) {
        return Ok(());
    }
    let body = json!({ "lora_name": name, "lora_path": path });
    match server.post_text("/load_lora_adapter", &body).await {
        Ok(_) => {}
        // Another gateway, or an earlier one of ours, was loading it: vLLM refuses a name that it has.
        Err(RemoteError::Status { .. }) if listed(&models::list(server).await?) => return Ok(()),
        Err(RemoteError::Status { status: 404 | 405, message, .. }) if !message.contains(name) => {
            return Err(adapter_error(format!(
                "{} does not exist; start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True",
                server.url("/load_lora_adapter")
            )));
        }
        Err(RemoteError::Status { status, message, .. }) if !matches!(status, 401 | 403 | 429) => {
            return Err(adapter_error(format!(
                "the server does not load it from {path}: {message}; check that the server sees this path and that its \
                 --max-loras and --max-lora-rank are large enough"
            )));
        }
        Err(error) => return Err(error),
    }
    if listed(&models::list(server).await?) {
        return Ok(());
    }
    Err(adapter_error(format!(
        "the server said that it loaded it from {path}, but {} does not list it; see the server's log",
        server.url("/models")
    )))
}
