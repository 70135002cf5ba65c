//! Counters and histograms, in Prometheus' text form. Kept by hand: two dozen atomics need no library.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decision::{Decision, Served};
use crate::gateway::{Adapters, Gateway};
use crate::http::tee::End;
use crate::record::Seen;
use crate::sse::Answer;

/// Upper bounds of the buckets, microseconds.
const BOUNDS: [u64; 14] = [
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    50_000,
    200_000,
    1_000_000,
    5_000_000,
    30_000_000,
    120_000_000,
];

/// A distribution of microseconds.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl Histogram {
    fn add(&self, us: u64) {
        let at = BOUNDS.iter().position(|b| us <= *b).unwrap_or(BOUNDS.len());
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(us, Ordering::Relaxed);
    }

    fn write(&self, out: &mut String, name: &str, help: &str) {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        let mut total = 0;
        for (i, bucket) in self.buckets.iter().enumerate() {
            total += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS.get(i).map_or("+Inf".to_owned(), |b| (*b as f64 / 1e6).to_string());
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {total}");
        }
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(out, "{name}_sum {sum}\n{name}_count {total}");
    }
}

/// Everything that is counted on the way of requests.
#[derive(Debug, Default)]
pub struct Metrics {
    /// By [`Served`] and outcome.
    requests: [[AtomicU64; 4]; 4],
    /// The base model stepped in: not ready, embedder, failed.
    fallbacks: [AtomicU64; 3],
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    /// Replies that the gateway itself made because of an error.
    pub refused: AtomicU64,
    /// Plans that could not be read.
    pub plan_errors: AtomicU64,
    /// Adapters that could not be loaded, or failed their probe.
    pub adapter_errors: AtomicU64,
    /// Feedback that was taken.
    pub feedback: AtomicU64,
    /// Connections open now.
    pub connections: AtomicU64,
    overhead: Histogram,
    embed: Histogram,
    first_byte: Histogram,
    total: Histogram,
}

const SERVED: [Served; 4] = [Served::Expert, Served::Critic, Served::Base, Served::Direct];
const OUTCOMES: [&str; 4] = ["ok", "error", "broken", "abandoned"];
const FALLBACKS: [&str; 3] = ["not_ready", "embedder", "failed"];

/// A metric without labels.
pub(crate) fn single(out: &mut String, name: &str, kind: &str, help: &str, n: u64) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {n}");
}

impl Metrics {
    /// The base model stepped in for something of ours.
    pub fn decided(&self, decision: &Decision) {
        if let Some(i) = FALLBACKS.iter().position(|f| *f == decision.reason.as_str()) {
            self.fallbacks[i].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An answer is over.
    pub fn ended(&self, seen: &Seen, end: &End, total_us: u64) {
        let outcome = match end {
            End::Whole if seen.status < 400 => 0,
            End::Whole => 1,
            End::Broken(_) => 2,
            End::Abandoned => 3,
        };
        let served = SERVED.iter().position(|s| *s == seen.decision.served).unwrap_or(0);
        self.requests[served][outcome].fetch_add(1, Ordering::Relaxed);
        self.overhead.add(seen.overhead_us);
        if seen.decision.embed_us > 0 {
            self.embed.add(seen.decision.embed_us);
        }
        self.first_byte.add(seen.first_byte_us);
        self.total.add(total_us);
    }

    /// Tokens, as the server says.
    pub fn tokens(&self, answer: &Answer) {
        self.prompt_tokens.fetch_add(answer.prompt_tokens.unwrap_or(0), Ordering::Relaxed);
        self.completion_tokens.fetch_add(answer.completion_tokens.unwrap_or(0), Ordering::Relaxed);
    }

    /// Everything as text.
    pub fn text(&self, gateway: &Gateway) -> String {
        let mut out = String::with_capacity(8 << 10);
        let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let _ = writeln!(
            out,
            "# HELP uno_requests_total Requests by path and outcome\n# TYPE uno_requests_total counter"
        );
        for (served, counts) in SERVED.iter().zip(&self.requests) {
            for (outcome, n) in OUTCOMES.iter().zip(counts) {
                let path = served.as_str();
                let _ =
                    writeln!(out, "uno_requests_total{{path=\"{path}\",outcome=\"{outcome}\"}} {}", of(n));
            }
        }
        let _ = writeln!(
            out,
            "# HELP uno_fallbacks_total Answers by the base model because something of uno failed\n# TYPE uno_fallbacks_total counter"
        );
        for (reason, n) in FALLBACKS.iter().zip(&self.fallbacks) {
            let _ = writeln!(out, "uno_fallbacks_total{{reason=\"{reason}\"}} {}", of(n));
        }
        let log = gateway.log.stats();
        let counters = [
            ("uno_prompt_tokens_total", "Tokens of prompts", of(&self.prompt_tokens)),
            ("uno_completion_tokens_total", "Tokens of answers", of(&self.completion_tokens)),
            ("uno_refused_total", "Requests that the gateway itself refused", of(&self.refused)),
            ("uno_plan_errors_total", "Plans that could not be read", of(&self.plan_errors)),
            (
                "uno_adapter_errors_total",
                "Adapters that could not be loaded or failed their probe",
                of(&self.adapter_errors),
            ),
            ("uno_feedback_total", "Feedback taken", of(&self.feedback)),
            ("uno_log_written_total", "Entries written to the log store", of(&log.written)),
            ("uno_log_spooled_total", "Entries that had to wait in the spool", of(&log.spooled)),
            ("uno_log_dropped_total", "Requests lost to the log", of(&log.dropped)),
            ("uno_log_scrubbed_total", "Personal data replaced", of(&log.scrubbed)),
            ("uno_log_purged_total", "Old rows deleted", of(&log.purged)),
        ];
        for (name, help, n) in counters {
            single(&mut out, name, "counter", help, n);
        }
        let down = u64::from(log.store_down.load(Ordering::Relaxed));
        let gauges = [
            ("uno_log_store_down", "Whether the log store is away", down),
            ("uno_log_queued_bytes", "Bytes that wait to be logged", of(&log.queued_bytes)),
            ("uno_connections", "Connections open", of(&self.connections)),
        ];
        for (name, help, n) in gauges {
            single(&mut out, name, "gauge", help, n);
        }
        let _ = writeln!(
            out,
            "# HELP uno_replica_in_flight Requests in flight\n# TYPE uno_replica_in_flight gauge"
        );
        for replica in gateway.replicas.iter() {
            let _ = writeln!(
                out,
                "uno_replica_in_flight{{replica=\"{}\"}} {}",
                replica.address,
                replica.in_flight()
            );
        }
        let _ =
            writeln!(out, "# HELP uno_replica_up Whether it could be reached\n# TYPE uno_replica_up gauge");
        for replica in gateway.replicas.iter() {
            let up = u64::from(!replica.is_down());
            let _ = writeln!(out, "uno_replica_up{{replica=\"{}\"}} {up}", replica.address);
        }
        if let Some(traces) = &gateway.traces {
            for (name, help, n) in [
                ("uno_spans_sent_total", "Spans that the collector took", &traces.stats.sent),
                ("uno_spans_dropped_total", "Spans that were lost", &traces.stats.dropped),
            ] {
                single(&mut out, name, "counter", help, of(n));
            }
        }
        if let Adapters::Embedded(stats) = &gateway.adapters {
            stats.write(&mut out);
        }
        self.overhead.write(
            &mut out,
            "uno_overhead_seconds",
            "Time in the gateway before the server is asked",
        );
        self.embed.write(&mut out, "uno_embed_seconds", "Time to embed the question");
        self.first_byte.write(&mut out, "uno_first_byte_seconds", "Time until the server begins to answer");
        self.total.write(&mut out, "uno_request_seconds", "Time to the end of the answer");
        out
    }
}
