//! Chat models that are opened when the first request comes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use uno_models::remote::{ApiKey, RemoteChat, RemoteConfig};
use uno_models::{EmbeddedChat, EmbeddedOptions};
use uno_types::role::OnGeneration;
use uno_types::{AdapterRef, ChatModel, GenerationRequest, ModelError};

use super::Location;
use super::once::Once;
use crate::config::Settings;

/// A chat model, not opened before it is needed. Clones share the opened model.
#[derive(Clone)]
pub struct LazyChat(Arc<Inner>);

struct Inner {
    location: Location,
    settings: Settings,
    /// Adapters' directories are relative to it.
    root: PathBuf,
    id: OnceLock<String>,
    open: Once<Opened>,
}

#[derive(Clone)]
enum Opened {
    Embedded(Arc<EmbeddedChat>),
    Remote(Arc<RemoteChat>),
}

impl Opened {
    fn chat(&self) -> &dyn ChatModel {
        match self {
            Opened::Embedded(chat) => chat.as_ref(),
            Opened::Remote(chat) => chat.as_ref(),
        }
    }
}

/// Opens an embedded chat model.
///
/// # Errors
/// When the files are missing or damaged.
pub fn open_embedded(path: &Path, settings: &Settings) -> anyhow::Result<EmbeddedChat> {
    let engine = &settings.engine;
    let threads = (engine.threads > 0).then_some(engine.threads);
    let options = EmbeddedOptions {
        max_batch: engine.max_batch,
        threads,
        precision: engine.precision,
        kv_bytes: engine.kv_mib << 20,
        ..EmbeddedOptions::default()
    };
    EmbeddedChat::open(path, options).with_context(|| format!("opening {}", path.display()))
}

/// How to reach a server.
pub(super) fn remote_config(
    url: &str,
    model: &str,
    api_key_env: &str,
    settings: &Settings,
) -> anyhow::Result<RemoteConfig> {
    let remote = &settings.remote;
    let mut config = RemoteConfig::new(url, model);
    config.timeout = std::time::Duration::from_secs(remote.timeout_seconds);
    config.retries = remote.retries;
    config.concurrency = remote.concurrency;
    config.max_loras = remote.max_loras;
    if !api_key_env.is_empty() {
        let key = std::env::var(api_key_env).with_context(|| {
            format!("the settings say that the key for {url} is in ${api_key_env}: set it")
        })?;
        config.api_key = Some(ApiKey::new(key));
    }
    Ok(config)
}

impl LazyChat {
    /// A model that will be opened from `location`.
    pub fn new(location: Location, settings: &Settings, root: &Path) -> Self {
        Self(Arc::new(Inner {
            location,
            settings: settings.clone(),
            root: root.to_path_buf(),
            id: OnceLock::new(),
            open: Once::default(),
        }))
    }

    /// Opens the model to learn its id.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_id(&self) -> anyhow::Result<String> {
        Ok(self.opened()?.chat().id())
    }

    /// Says what the id is, so that nothing need be opened for it.
    pub fn set_id(&self, id: &str) {
        self.0.id.get_or_init(|| id.to_owned());
    }

    /// The embedded model.
    ///
    /// # Errors
    /// When it cannot be opened, or a server plays the role.
    pub fn embedded(&self) -> anyhow::Result<Arc<EmbeddedChat>> {
        match self.opened()? {
            Opened::Embedded(chat) => Ok(chat),
            Opened::Remote(_) => anyhow::bail!("{} is behind a server", self.0.location),
        }
    }

    /// Unloads adapters from the server, if there is one.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn release(&self) -> anyhow::Result<()> {
        match self.0.open.get() {
            Some(Opened::Remote(chat)) => Ok(chat.adapters().unload_all()?),
            _ => Ok(()),
        }
    }

    fn opened(&self) -> anyhow::Result<Opened> {
        self.0.open.get_or_open(|| match &self.0.location {
            Location::Embedded { path } => {
                Ok(Opened::Embedded(Arc::new(open_embedded(path, &self.0.settings)?)))
            }
            Location::Remote { url, model, api_key_env } => {
                let config = remote_config(url, model, api_key_env, &self.0.settings)?;
                Ok(Opened::Remote(Arc::new(RemoteChat::new(config)?)))
            }
        })
    }

    fn ready(&self) -> Result<Opened, ModelError> {
        self.opened().map_err(|error| ModelError::Engine(format!("{error:#}")))
    }
}

impl ChatModel for LazyChat {
    fn id(&self) -> String {
        match self.0.id.get() {
            Some(id) => id.clone(),
            None => self.ready().map(|m| m.chat().id()).unwrap_or_else(|_| self.0.location.to_string()),
        }
    }

    fn context_length(&self) -> usize {
        // A model that cannot be opened fails with its reason at the first request.
        self.ready().map_or(0, |m| m.chat().context_length())
    }

    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        let opened = self.ready()?;
        if requests.iter().all(|r| r.adapter.is_none()) {
            return opened.chat().generate(requests, done);
        }
        let located: Vec<GenerationRequest> = requests.iter().map(|r| self.locate(r)).collect();
        opened.chat().generate(&located, done)
    }
}

impl LazyChat {
    /// The request with its adapter's directory below the run directory.
    fn locate(&self, request: &GenerationRequest) -> GenerationRequest {
        let adapter = request.adapter.as_ref().map(|a| AdapterRef {
            name: a.name.clone(),
            dir: std::path::absolute(self.0.root.join(&a.dir))
                .unwrap_or_else(|_| self.0.root.join(&a.dir))
                .display()
                .to_string(),
        });
        GenerationRequest { adapter, ..request.clone() }
    }
}
