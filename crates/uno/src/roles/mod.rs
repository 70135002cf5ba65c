//! The models of a run by role: opened on first use, cached, and known by id without being opened.

mod embedder;
mod lazy;
mod location;
mod once;
mod reranker;

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use uno_models::EmbeddedChat;
use uno_models::remote::RemoteConfig;
use uno_store::{
    CachedChat, CachedEmbedder, EmbeddingCache, GenerationCache, ModelStamp, RunDir, TokenLedger, hash,
    manifest,
};
use uno_train::Precision;
use uno_types::{ChatModel, Embedder, Reranker};

use crate::config::{ModelSettings, Settings};
use embedder::LazyEmbedder;
pub use embedder::routing_embedder;
use lazy::LazyChat;
pub use location::Location;
use reranker::LazyReranker;

/// The models of a run.
pub struct Roles {
    target: Arc<CachedChat<LazyChat>>,
    teacher: Arc<CachedChat<LazyChat>>,
    judge: Arc<CachedChat<LazyChat>>,
    embedder: CachedEmbedder<LazyEmbedder>,
    reranker: Option<LazyReranker>,
    /// The target's weights on this machine, which adapters are trained on.
    weights: Weights,
    stamps: Vec<(&'static str, ModelStamp)>,
}

/// Weights to train on; shared with the embedded target.
struct Weights {
    /// As configured; empty for an embedded target.
    name: String,
    settings: Settings,
    shared: Option<Arc<LazyChat>>,
    own: OnceLock<Arc<EmbeddedChat>>,
    /// Changes whenever the weights may have changed.
    id: String,
}

/// What all roles share.
struct Opening<'a> {
    settings: &'a Settings,
    run: &'a RunDir,
    generations: Arc<GenerationCache>,
    ledger: Arc<TokenLedger>,
}

impl Roles {
    /// Prepares the models of `settings` for a run. Opens only those whose id is not known from the manifest.
    ///
    /// # Errors
    /// When a model is not there, or a server that must be asked for its id does not answer.
    pub fn new(settings: &Settings, run: &RunDir, ledger: Arc<TokenLedger>) -> anyhow::Result<Self> {
        Self::with_caches(settings, run, ledger, run.generations()?, run.embeddings()?)
    }

    /// The models of a run that another process may be working on: its caches are left alone.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn uncached(settings: &Settings, run: &RunDir) -> anyhow::Result<Self> {
        let ledger = Arc::new(TokenLedger::new(None));
        Self::with_caches(settings, run, ledger, GenerationCache::default(), EmbeddingCache::default())
    }

    fn with_caches(
        settings: &Settings,
        run: &RunDir,
        ledger: Arc<TokenLedger>,
        generations: GenerationCache,
        embeddings: EmbeddingCache,
    ) -> anyhow::Result<Self> {
        let (generations, embeddings) = (Arc::new(generations), Arc::new(embeddings));
        let opening = Opening { settings, run, generations, ledger };
        let mut stamps = Vec::new();
        let (target, lazy_target) = opening.chat("target", &settings.target, &mut stamps)?;
        let target = Arc::new(target);
        let mut other = |role: &'static str, model: &ModelSettings| -> anyhow::Result<_> {
            if model.is_unset() || *model == settings.target {
                return Ok(Arc::clone(&target));
            }
            Ok(Arc::new(opening.chat(role, model, &mut stamps)?.0))
        };
        let teacher = other("teacher", &settings.teacher)?;
        let judge = if !settings.judge.is_unset() && settings.judge == settings.teacher {
            Arc::clone(&teacher)
        } else {
            other("judge", &settings.judge)?
        };
        let embedder = opening.embedder(&settings.embedder, &mut stamps)?;
        let reranker = opening.reranker(&mut stamps)?;
        let weights = Weights::new(settings, lazy_target, &target.id());
        Ok(Self {
            target,
            teacher,
            judge,
            embedder: CachedEmbedder::new(embedder, embeddings),
            reranker,
            weights,
            stamps,
        })
    }

    /// The model being improved.
    pub fn target(&self) -> &dyn ChatModel {
        self.target.as_ref()
    }

    /// Its id, which adapters belong to.
    pub fn target_id(&self) -> String {
        self.target.id()
    }

    /// The judge's id.
    pub fn judge_id(&self) -> String {
        self.judge.id()
    }

    /// The embedder's id.
    pub fn embedder_id(&self) -> String {
        self.embedder.id()
    }

    /// What adapters are trained on, without opening it.
    pub fn weights_id(&self) -> &str {
        &self.weights.id
    }

    /// Opens target and embedder now.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open(&self) -> anyhow::Result<()> {
        self.target.inner().open_id()?;
        self.embedder.inner().open_id()?;
        Ok(())
    }

    /// Distils and revises.
    pub fn teacher(&self) -> &dyn ChatModel {
        self.teacher.as_ref()
    }

    /// Scores answers.
    pub fn judge(&self) -> &dyn ChatModel {
        self.judge.as_ref()
    }

    /// Embeds queries and rules.
    pub fn embedder(&self) -> &dyn Embedder {
        &self.embedder
    }

    /// Measures the gap, where there is one.
    pub fn reranker(&self) -> Option<&dyn Reranker> {
        self.reranker.as_ref().map(|reranker| reranker as &dyn Reranker)
    }

    /// The target's weights with tokenizer and template.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn weights(&self) -> anyhow::Result<Arc<EmbeddedChat>> {
        self.weights.get()
    }

    /// What the manifest keeps about the models, by role.
    pub fn stamps(&self) -> &[(&'static str, ModelStamp)] {
        &self.stamps
    }

    /// Unloads adapters from servers. Failing to is worth a line, not an error: their names are never reused.
    pub fn release(&self) {
        for chat in [&self.target, &self.teacher, &self.judge] {
            if let Err(error) = chat.inner().release() {
                tracing::warn!("adapters stay loaded on the server: {error}");
            }
        }
    }
}

/// The stamp of an embedded model that multiplies in `precision`: another precision is another model.
fn stamped(stamp: String, model: &ModelSettings, precision: Precision) -> String {
    match precision.effective() {
        precision if !model.is_remote() && precision != Precision::F32 => hash::of_value(&(stamp, precision)),
        _ => stamp,
    }
}

impl Opening<'_> {
    fn chat(
        &self,
        role: &'static str,
        model: &ModelSettings,
        stamps: &mut Vec<(&'static str, ModelStamp)>,
    ) -> anyhow::Result<(CachedChat<LazyChat>, Arc<LazyChat>)> {
        let location = Location::of(role, model)?;
        let lazy = LazyChat::new(location.clone(), self.settings, self.run.root());
        let mut stamp = location.stamp()?;
        stamp = stamped(stamp, model, self.settings.engine.precision);
        lazy.set_id(&self.id_of(role, &location, stamp, stamps, || lazy.open_id())?);
        let lazy = Arc::new(lazy);
        let cached =
            CachedChat::new(LazyChat::clone(&lazy), Arc::clone(&self.generations), Arc::clone(&self.ledger));
        Ok((cached, lazy))
    }

    fn embedder(
        &self,
        model: &ModelSettings,
        stamps: &mut Vec<(&'static str, ModelStamp)>,
    ) -> anyhow::Result<LazyEmbedder> {
        let location = Location::of("embedder", model)?;
        let lazy = LazyEmbedder::new(location.clone(), self.settings);
        let stamp = stamped(location.stamp()?, model, self.settings.engine.embedder_precision);
        lazy.set_id(&self.id_of("embedder", &location, stamp, stamps, || lazy.open_id())?);
        Ok(lazy)
    }

    fn reranker(&self, stamps: &mut Vec<(&'static str, ModelStamp)>) -> anyhow::Result<Option<LazyReranker>> {
        let Some(lazy) = LazyReranker::of(self.settings)? else { return Ok(None) };
        let location = lazy.location();
        lazy.set_id(&self.id_of("reranker", location, location.stamp()?, stamps, || lazy.open_id())?);
        Ok(Some(lazy))
    }

    /// The id that the manifest holds for these very files, otherwise the one that the opened model states; `stamps` gets
    /// what the manifest is to hold.
    fn id_of(
        &self,
        role: &'static str,
        location: &Location,
        stamp: String,
        stamps: &mut Vec<(&'static str, ModelStamp)>,
        open: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let location = location.to_string();
        let known = self.run.manifest().models.get(role);
        let id = match known.filter(|m| m.stamp == stamp && m.location == location && !m.id.is_empty()) {
            Some(known) => known.id.clone(),
            None => open()?,
        };
        stamps.push((role, ModelStamp { location, stamp, id: id.clone() }));
        Ok(id)
    }
}

impl Weights {
    /// `target_id` names the weights of an embedded target; those of a remote one are named by their files.
    fn new(settings: &Settings, target: Arc<LazyChat>, target_id: &str) -> Self {
        let embedded = !settings.target.is_remote();
        let name = settings.target.weights.clone();
        let id = if embedded {
            target_id.to_owned()
        } else {
            let path = uno_models::registry::resolve(&name).ok();
            path.and_then(|p| manifest::stamp_of(&p).ok()).unwrap_or_else(|| name.clone())
        };
        let shared = embedded.then_some(target);
        Self { name, settings: settings.clone(), shared, own: OnceLock::new(), id }
    }

    fn get(&self) -> anyhow::Result<Arc<EmbeddedChat>> {
        if let Some(target) = &self.shared {
            return target.embedded();
        }
        if let Some(own) = self.own.get() {
            return Ok(Arc::clone(own));
        }
        let need = || {
            format!(
                "training needs the target's weights on this machine: set target.weights to a GGUF file or a Hugging \
                 Face directory of the model that {} serves",
                self.settings.target.url
            )
        };
        anyhow::ensure!(!self.name.is_empty(), need());
        let path = uno_models::registry::resolve(&self.name).with_context(need)?;
        let opened = Arc::new(lazy::open_embedded(&path, &self.settings)?);
        Ok(Arc::clone(self.own.get_or_init(|| opened)))
    }
}

/// The embedded target of a run by itself, opened now.
///
/// # Errors
/// When it cannot be opened.
pub fn open_target(settings: &Settings, run: &std::path::Path) -> anyhow::Result<Arc<EmbeddedChat>> {
    LazyChat::new(Location::of("target", &settings.target)?, settings, run).embedded()
}

/// How to reach the target's server, for whoever loads adapters into it.
///
/// # Errors
/// When its key is not in the environment.
pub fn target_config(settings: &Settings) -> anyhow::Result<RemoteConfig> {
    let target = &settings.target;
    lazy::remote_config(&target.url, &target.model, &target.api_key_env, settings)
}

/// Asks a server for its chat model's id.
///
/// # Errors
/// When it does not answer, or does not have the model.
pub fn probe_chat(model: &ModelSettings, settings: &Settings) -> anyhow::Result<String> {
    LazyChat::new(Location::of("doctor", model)?, settings, std::path::Path::new(".")).open_id()
}

/// Asks a server for its embedder's id.
///
/// # Errors
/// When it does not answer, or does not have the model.
pub fn probe_embedder(model: &ModelSettings, settings: &Settings) -> anyhow::Result<String> {
    LazyEmbedder::new(Location::of("doctor", model)?, settings).open_id()
}

/// Runs the reranker's self-test.
///
/// # Errors
/// When it does not answer, or fails the test.
pub fn probe_reranker(settings: &Settings) -> anyhow::Result<String> {
    LazyReranker::of(settings)?.map_or_else(|| Ok(String::new()), |reranker| reranker.open_id())
}
