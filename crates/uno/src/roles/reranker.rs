//! A reranker that is opened, and self-tested, when it is needed.

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use uno_models::remote::RemoteReranker;
use uno_models::{EmbeddedReranker, qwen3};
use uno_types::{ModelError, Reranker};

use super::Location;
use super::embedder::instructed;
use super::lazy::remote_config;
use super::once::Once;
use crate::config::Settings;

/// A reranker of this process or of a server. It has passed its self-test before its id is known.
pub struct LazyReranker {
    location: Location,
    settings: Settings,
    id: OnceLock<String>,
    open: Once<Arc<dyn Reranker>>,
}

impl LazyReranker {
    /// The reranker of `settings`, or `None` when nobody plays the role.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        if settings.reranker.is_unset() {
            return Ok(None);
        }
        let location = Location::of("reranker", &settings.reranker)?;
        Ok(Some(Self { location, settings: settings.clone(), id: OnceLock::new(), open: Once::default() }))
    }

    /// Where it lies.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Runs the self-test to learn the id of its weights: hours of other stages come before the first score. One in this
    /// process is let go again until then, because it may be larger than the target.
    ///
    /// # Errors
    /// When it cannot be opened or fails the test.
    pub fn open_id(&self) -> anyhow::Result<String> {
        let id = self.opened()?.id();
        if matches!(self.location, Location::Embedded { .. }) {
            self.open.close();
        }
        Ok(id)
    }

    /// Says what the id of its weights is.
    pub fn set_id(&self, id: &str) {
        self.id.get_or_init(|| id.to_owned());
    }

    fn opened(&self) -> anyhow::Result<Arc<dyn Reranker>> {
        let own = self.settings.reranker.instruction.as_str();
        let instruction = if own.is_empty() { qwen3::RERANK_INSTRUCTION } else { own };
        self.open.get_or_open(|| match &self.location {
            Location::Embedded { path } => {
                let open = || format!("opening the reranker {}", path.display());
                let opened = EmbeddedReranker::open(path, instruction).with_context(open)?;
                Ok(Arc::new(opened) as Arc<dyn Reranker>)
            }
            Location::Remote { url, model, api_key_env } => {
                let config = remote_config(url, model, api_key_env, &self.settings)?;
                Ok(Arc::new(RemoteReranker::new(config, instruction)?))
            }
        })
    }
}

impl Reranker for LazyReranker {
    /// With another instruction it is another reranker.
    fn id(&self) -> String {
        let weights = self.id.get().cloned().unwrap_or_else(|| self.location.to_string());
        instructed(weights, &self.settings.reranker.instruction)
    }

    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f32>, ModelError> {
        self.opened().map_err(|error| ModelError::Engine(format!("{error:#}")))?.score(pairs)
    }
}
