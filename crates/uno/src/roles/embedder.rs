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

/// The embedder that `uno serve` routes with, opened when it is first asked: that of `settings`, in `serve.route.precision`
/// where that has fewer bits. Nothing it gives is kept here.
///
/// # Errors
/// When there is no such model.
pub fn routing_embedder(settings: &Settings) -> anyhow::Result<Arc<dyn Embedder>> {
    let mut settings = settings.clone();
    let engine = &mut settings.engine;
    engine.embedder_precision = engine.embedder_precision.max(settings.serve.route.precision);
    Ok(Arc::new(LazyEmbedder::new(Location::of("embedder", &settings.embedder)?, &settings)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr, reason = "a panic is a test's report")]
mod tests {
    use uno_models::{Precision, registry};

    use super::*;

    #[test]
    fn routing_takes_fewer_bits_where_it_may() {
        let Ok(path) = registry::resolve(registry::DEFAULT_EMBEDDER) else {
            eprintln!("SKIPPED: pull the default embedder first");
            return;
        };
        let question = ["How long do I boil an egg?"];
        let vectors =
            |precision| EmbeddedEmbedder::open_in(&path, precision).unwrap().embed(&question).unwrap();
        let cases = [
            (Precision::F32, None, Precision::Bf16),
            (Precision::F32, Some(Precision::F32), Precision::F32),
            (Precision::Int8, None, Precision::Int8),
        ];
        for (run, route, expected) in cases {
            let mut settings = Settings::default();
            settings.engine.embedder_precision = run;
            settings.serve.route.precision = route.unwrap_or(settings.serve.route.precision);
            let found = routing_embedder(&settings).unwrap().embed(&question).unwrap();
            assert_eq!(found, vectors(expected), "{run:?} {route:?}");
        }
    }
}
