//! An embedder that is opened when the first text comes, and what goes before questions.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use uno_models::remote::RemoteEmbedder;
use uno_models::{EmbeddedEmbedder, qwen3};
use uno_store::hash;
use uno_types::{Embedder, ModelError};

use super::Location;
use super::lazy::remote_config;
use super::once::Once;
use crate::config::Settings;

/// The id of a model that is asked with an instruction.
pub(super) fn instructed(id: String, instruction: &str) -> String {
    if instruction.is_empty() {
        return id;
    }
    let hash: String = hash::of_value(&instruction).chars().take(8).collect();
    format!("{id}+{hash}")
}

/// An embedder, not opened before it is needed.
pub struct LazyEmbedder {
    location: Location,
    settings: Settings,
    /// Before questions; empty: none.
    instruction: String,
    id: OnceLock<String>,
    open: Once<Arc<dyn Embedder>>,
}

impl LazyEmbedder {
    /// An embedder that will be opened from `location`.
    pub fn new(location: Location, settings: &Settings) -> Self {
        let instruction = settings.embedder.instruction.clone();
        Self { location, settings: settings.clone(), instruction, id: OnceLock::new(), open: Once::default() }
    }

    /// Opens the embedder to learn the id of its weights.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_id(&self) -> anyhow::Result<String> {
        Ok(self.opened()?.id())
    }

    /// Says what the id of its weights is.
    pub fn set_id(&self, id: &str) {
        self.id.get_or_init(|| id.to_owned());
    }

    fn opened(&self) -> anyhow::Result<Arc<dyn Embedder>> {
        self.open.get_or_open(|| match &self.location {
            Location::Embedded { path } => {
                let precision = self.settings.engine.embedder_precision;
                let embedder = EmbeddedEmbedder::open_in(path, precision)
                    .with_context(|| format!("opening {}", path.display()))?;
                anyhow::ensure!(
                    self.instruction.is_empty() || embedder.takes_instructions(),
                    "embedder.instruction is set, but {} takes none: leave it empty",
                    self.location
                );
                Ok(Arc::new(embedder) as Arc<dyn Embedder>)
            }
            Location::Remote { url, model, api_key_env } => {
                let config = remote_config(url, model, api_key_env, &self.settings)?;
                Ok(Arc::new(RemoteEmbedder::new(config)?))
            }
        })
    }
}

impl Embedder for LazyEmbedder {
    /// With another instruction it is another embedder.
    fn id(&self) -> String {
        let weights = self.id.get().cloned().unwrap_or_else(|| self.location.to_string());
        instructed(weights, &self.instruction)
    }

    fn question_text<'a>(&self, question: &'a str) -> Cow<'a, str> {
        match self.instruction.as_str() {
            "" => Cow::Borrowed(question),
            instruction => Cow::Owned(qwen3::embedding_query(instruction, question)),
        }
    }

    fn dimensions(&self) -> usize {
        self.opened().map_or(0, |e| e.dimensions())
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let opened = self.opened().map_err(|error| ModelError::Engine(format!("{error:#}")))?;
        opened.embed(texts)
    }
}
