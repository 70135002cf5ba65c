//! What can be set about serving.

use serde::{Deserialize, Serialize};
use uno_models::Precision;

use crate::rollout::RolloutOptions;
use crate::trace::TraceOptions;

/// The gateway (`uno serve`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeOptions {
    /// Address that clients connect to.
    pub listen: String,
    /// Address of the admin plane (metrics, reload, state); empty: none.
    pub admin_listen: String,
    /// Base addresses of the servers that answer, all with the same model; empty: `target.url`.
    pub upstreams: Vec<String>,
    /// Model names that are routed; any other name goes to the server as it is.
    pub aliases: Vec<String>,
    /// File of API keys (`uno keys`); empty: nobody is asked for one.
    pub keys: String,
    /// Threads that serve; 0: half of the cores, at least one. A request is served by one thread, which manages many
    /// thousands a second; more threads than needed only wake each other.
    pub threads: usize,
    /// Adapters are loaded into a server only while it answers nothing: requests that come meanwhile wait, or go to another
    /// server. Off: only requests to adapters are kept away.
    pub load_idle: bool,
    /// Seconds that requests in work may take after a signal to stop.
    pub drain_seconds: u64,
    /// Bounds of requests.
    pub limits: LimitOptions,
    /// Routing.
    pub route: RouteOptions,
    /// Trials of new plans.
    pub rollout: RolloutOptions,
    /// Evolution in the background (`uno serve --evolve`).
    pub evolve: EvolveOptions,
    /// The log of requests and feedback.
    pub log: LogOptions,
    /// OpenTelemetry traces.
    pub traces: TraceOptions,
}

/// Evolution in the background (`uno serve --evolve`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvolveOptions {
    /// A step is taken after so many hours if there is any new evidence; 0: only on `min_evidence`.
    pub every_hours: u64,
    /// A step is taken as soon as there are so many new pieces of evidence: feedback, and requests that go on from an answer.
    pub min_evidence: u64,
}

impl Default for EvolveOptions {
    fn default() -> Self {
        Self { every_hours: 24, min_evidence: 50 }
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin_listen: String::new(),
            upstreams: Vec::new(),
            aliases: vec!["uno".into()],
            keys: String::new(),
            threads: 0,
            load_idle: true,
            drain_seconds: 30,
            limits: LimitOptions::default(),
            route: RouteOptions::default(),
            rollout: RolloutOptions::default(),
            evolve: EvolveOptions::default(),
            log: LogOptions::default(),
            traces: TraceOptions::default(),
        }
    }
}

/// Bounds of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitOptions {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Largest body of a request, MiB.
    pub body_mib: usize,
    /// Longest time a client may take to send a request's headers, seconds.
    pub header_seconds: u64,
    /// Longest time a client may take to send a request's body, seconds.
    pub body_seconds: u64,
    /// Longest time to connect to a server, seconds.
    pub connect_seconds: u64,
    /// Longest time until a server begins to answer, seconds.
    pub first_byte_seconds: u64,
    /// Longest pause within an answer, seconds.
    pub idle_seconds: u64,
    /// Requests that may wait for the embedded engine; more are refused with 429.
    pub engine_queue: usize,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            connections: 4096,
            body_mib: 20,
            header_seconds: 10,
            body_seconds: 60,
            connect_seconds: 5,
            first_byte_seconds: 300,
            idle_seconds: 120,
            engine_queue: 64,
        }
    }
}

/// Routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteOptions {
    /// Longest time that routing may take before the base model answers, milliseconds.
    pub budget_ms: u64,
    /// Questions whose embedding is remembered.
    pub cache: usize,
    /// Numbers in which the embedded embedder multiplies for routing, on machines that have them; `engine.embedder_precision`
    /// where that has fewer bits. bf16 takes half the time of f32 and routes as it does: no vector moves by more than a
    /// cosine of 0.9999.
    pub precision: Precision,
    /// Most tokens of a Critic's suggestions.
    pub max_suggestion_tokens: usize,
}

impl Default for RouteOptions {
    fn default() -> Self {
        Self { budget_ms: 250, cache: 20_000, precision: Precision::Bf16, max_suggestion_tokens: 96 }
    }
}

/// The log of requests and feedback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// A SQLite file, or `postgres://…`; empty: `live.db` in the run directory.
    pub store: String,
    /// Whether what was asked and answered is kept, personal data replaced; otherwise only who answered, when and how.
    pub text: bool,
    /// Days that rows are kept; 0: for good.
    pub keep_days: u64,
    /// Rows that may wait in memory to be written; more are dropped and counted.
    pub queue: usize,
    /// Size of the spool on disk that takes rows while the store is away, MiB; then the oldest are dropped and counted.
    pub spool_mib: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { store: String::new(), text: true, keep_days: 90, queue: 20_000, spool_mib: 256 }
    }
}
