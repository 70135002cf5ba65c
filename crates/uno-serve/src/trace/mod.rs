//! OpenTelemetry traces: a server span for each request and, below it, a client span for the model's answer with the attributes of the
//! GenAI semantic conventions. Sent as OTLP over HTTP in JSON; off by default.
//!
//! Written by hand: the exporter crates would bring twenty others for the few fields that are sent here. Spans are made on the log's
//! thread and wait in a bounded queue; when the collector is slow or away they are dropped and counted. No request waits for any of it.

mod context;
mod export;
mod span;

use serde::{Deserialize, Serialize};

pub use context::TraceContext;
pub use export::{Exporter, TraceStats};
pub use span::Spans;

/// OpenTelemetry traces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceOptions {
    /// Base address of a collector that takes OTLP over HTTP, for example `http://localhost:4318`; empty: no traces.
    pub endpoint: String,
    /// Name of the environment variable that holds headers for the collector, `name=value,name=value`; empty: none.
    pub headers_env: String,
    /// The name that the gateway has in traces.
    pub service: String,
    /// Share of the requests that are traced; those that come with a trace are if their caller says so.
    pub sample: f64,
    /// Spans that may wait to be sent; more are dropped and counted.
    pub queue: usize,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            headers_env: String::new(),
            service: "uno".into(),
            sample: 1.0,
            queue: 4096,
        }
    }
}
