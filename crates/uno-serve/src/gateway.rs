//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use uno_models::remote::RemoteConfig;
use uno_store::live::{LogWriter, WriterOptions};
use uno_types::Embedder;

use crate::ServeError;
use crate::auth::Auth;
use crate::embedded::EngineStats;
use crate::metrics::Metrics;
use crate::options::ServeOptions;
use crate::rollout::Judged;
use crate::route::{EmbedThread, PlanSource, Plans};
use crate::trace::Exporter;
use crate::upstream::{Address, Client, Replicas};

/// Who sees to it that adapters are there.
#[derive(Clone, Debug)]
pub enum Adapters {
    /// Nobody: only what somebody marks as ready is routed to.
    Nobody,
    /// They are loaded into the servers at run time; the address is each server's own.
    Servers(Box<RemoteConfig>),
    /// The embedded engine opens and checks them itself when they are first asked for.
    Embedded(Arc<EngineStats>),
}

/// What the gateway is made of.
pub struct Parts {
    /// The settings.
    pub options: ServeOptions,
    /// The base model's name on the servers.
    pub base_model: String,
    /// The servers' base addresses.
    pub upstreams: Vec<String>,
    /// The servers' own key.
    pub upstream_key: Option<String>,
    /// Embeds questions; without one every request goes to the base model.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Where plans come from.
    pub plans: Arc<dyn PlanSource>,
    /// The log's store and spool.
    pub log: WriterOptions,
    /// Who sees to it that adapters are there.
    pub adapters: Adapters,
}

/// The running gateway's state.
pub struct Gateway {
    /// The settings.
    pub options: ServeOptions,
    /// The base model's name on the servers.
    pub base_model: String,
    /// The servers.
    pub replicas: Replicas,
    /// Asks them.
    pub client: Client,
    /// Embeds questions.
    pub embedder: Option<EmbedThread>,
    /// The plans in force.
    pub plans: Plans,
    /// Where plans come from.
    pub source: Arc<dyn PlanSource>,
    /// What the judge says about the trial.
    pub(crate) judged: Judged,
    /// The way to the collector of traces, where they are on.
    pub traces: Option<Exporter>,
    /// Who may do what.
    pub auth: Auth,
    /// What was counted.
    pub metrics: Metrics,
    /// The log.
    pub log: Arc<LogWriter>,
    /// Who sees to it that adapters are there.
    pub adapters: Adapters,
    /// The log's store, for whoever reads it.
    pub store: String,
    /// No new requests are taken: the gateway is about to end.
    pub stopping: AtomicBool,
}

impl Gateway {
    /// Puts the parts together. Plans are read by the watcher, not here.
    ///
    /// # Errors
    /// Wrong addresses, keys or certificates; no threads.
    pub fn new(parts: Parts) -> Result<Self, ServeError> {
        let options = parts.options;
        let addresses: Result<Vec<Address>, String> =
            parts.upstreams.iter().map(|u| Address::parse(u)).collect();
        let addresses = addresses.map_err(|e| ServeError::Settings(format!("serve.upstreams: {e}")))?;
        let budget = Duration::from_millis(options.route.budget_ms);
        let embedder = parts
            .embedder
            .map(|embedder| EmbedThread::start(embedder, options.route.cache, budget))
            .transpose()?;
        let store = parts.log.store.clone();
        Ok(Self {
            store,
            client: Client::new(&options.limits, parts.upstream_key.as_deref())?,
            replicas: Replicas::new(addresses),
            base_model: parts.base_model,
            embedder,
            plans: Plans::default(),
            source: parts.plans,
            judged: Judged::default(),
            traces: Exporter::new(&options.traces)?,
            auth: Auth::new(&options.keys)?,
            metrics: Metrics::default(),
            log: Arc::new(LogWriter::start(parts.log)?),
            adapters: parts.adapters,
            stopping: AtomicBool::new(false),
            options,
        })
    }

    /// Whether a model's name is one that is routed.
    pub fn is_alias(&self, model: &str) -> bool {
        self.options.aliases.iter().any(|a| a == model)
    }

    /// Adapters that a server holds at once.
    pub fn slots(&self) -> usize {
        match &self.adapters {
            Adapters::Servers(config) => config.max_loras,
            Adapters::Nobody | Adapters::Embedded(_) => usize::MAX,
        }
    }

    /// Whether some server that is up may be routed to for an adapter.
    pub fn is_ready(&self, adapter: &str) -> bool {
        self.replicas.iter().any(|r| !r.is_down() && r.is_ready(adapter))
    }

    /// Whether a client's key must not reach the servers: it is ours, or they are asked with a key of their own.
    pub fn hides_keys(&self) -> bool {
        self.client.has_key() || self.auth.is_on()
    }

    /// The longest pause within an answer.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.options.limits.idle_seconds)
    }
}
