//! Adapters on one server, step by step, for a caller that knows itself what is in flight (the gateway).
//!
//! The rules are those of [`VllmAdapters`](super::VllmAdapters): files are checked before, the model list after, then a probe; a name
//! is never loaded from other files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use uno_types::AdapterRef;

use super::adapter_files::check_adapter_files;
use super::adapters::load_and_list;
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
    /// Content hashes of all names ever loaded from here.
    names: Mutex<HashMap<String, String>>,
}

impl AdapterHost {
    /// The server of `config`; it is not asked anything yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(config: &RemoteConfig) -> Result<Self, RemoteError> {
        Ok(Self {
            server: Server::new(config)?,
            base_model: config.model.clone(),
            paths: config.adapter_paths.clone(),
            names: Mutex::default(),
        })
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

    /// Checks an adapter's files, loads it unless it is there, and probes it. The caller sees to it that a slot is free and
    /// that no adapter is answering. One that fails its probe is unloaded again.
    ///
    /// # Errors
    /// What is wrong with the files, the server, or what the adapter answers.
    pub fn load(&self, adapter: &AdapterRef) -> Result<(), RemoteError> {
        let files = check_adapter_files(adapter)?;
        {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let known = names.entry(adapter.name.clone()).or_insert_with(|| files.hash.clone());
            if *known != files.hash {
                let problem =
                    "its files changed after it was loaded under this name; give the new weights a new name";
                return Err(RemoteError::Adapter { name: adapter.name.clone(), problem: problem.into() });
            }
        }
        let path = self.paths.as_ref().map_or_else(|| files.dir.clone(), |map| map.map(&files.dir));
        let (server, base, name) = (self.server.clone(), self.base_model.clone(), adapter.name.clone());
        let outcome = runtime::wait(async move {
            load_and_list(&server, &name, &path.to_string_lossy()).await?;
            probe::probe(&server, &base, &name, &files.dir).await
        })?;
        if let Err(error) = outcome {
            if !error.is_gone() {
                let _ = self.unload(&adapter.name);
            }
            return Err(error);
        }
        tracing::info!(adapter = adapter.name, server = self.server.base(), "loaded and probed");
        Ok(())
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
