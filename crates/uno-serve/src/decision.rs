//! Who answers, and what the client and the log are told about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use uno_store::live::now;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// A cluster's Expert.
    Expert,
    /// Base answer, Critic's suggestions, refined answer.
    Critic,
    /// The base model, as the plan (or its absence) says.
    Base,
    /// The model that the client named: nothing was routed.
    Direct,
}

impl Served {
    /// The word in headers, rows and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Served::Expert => "expert",
            Served::Critic => "critic",
            Served::Base => "base",
            Served::Direct => "direct",
        }
    }
}

/// Why this path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The plan says so.
    Plan,
    /// The plan says so for the conversation's first question.
    FirstTurn,
    /// The client asked for it (`x-uno-path`).
    Forced,
    /// The client named a model.
    Named,
    /// There is no plan.
    NoPlan,
    /// No cluster is near enough.
    Far,
    /// Tools are offered or were called.
    Tools,
    /// Images, sounds or files.
    Media,
    /// There is no question.
    NoQuestion,
    /// Several answers are wanted, which the Critic's path cannot give.
    Many,
    /// The adapter is not ready on any server.
    NotReady,
    /// The question could not be embedded in time.
    Embedder,
    /// The adapter's path failed.
    Failed,
}

impl Reason {
    /// The word in headers, rows and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Plan => "plan",
            Reason::FirstTurn => "first_turn",
            Reason::Forced => "forced",
            Reason::Named => "named",
            Reason::NoPlan => "no_plan",
            Reason::Far => "far",
            Reason::Tools => "tools",
            Reason::Media => "media",
            Reason::NoQuestion => "no_question",
            Reason::Many => "many",
            Reason::NotReady => "not_ready",
            Reason::Embedder => "embedder",
            Reason::Failed => "failed",
        }
    }

    /// Whether something of ours failed, so that the base model had to step in.
    pub fn is_failure(self) -> bool {
        matches!(self, Reason::NotReady | Reason::Embedder | Reason::Failed)
    }
}

/// Decisions so far, in the lower 16 bits.
static COUNT: AtomicU16 = AtomicU16::new(0);

/// A decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Unique, ordered by time, not to be guessed.
    pub id: String,
    /// When, milliseconds since 1970.
    pub time: i64,
    /// Who answers.
    pub served: Served,
    /// Why.
    pub reason: Reason,
    /// The nearest cluster, if near enough.
    pub cluster: Option<usize>,
    /// The adapter that answers, or suggests.
    pub adapter: Option<Arc<str>>,
    /// The plan that was asked.
    pub plan: Option<Arc<str>>,
    /// The plan is on trial.
    pub canary: bool,
    /// While a plan is on trial: its nearest cluster, whichever plan is asked.
    pub stratum: Option<usize>,
    /// Microseconds for embedding the question.
    pub embed_us: u64,
}

impl Decision {
    /// A new decision.
    pub fn new(served: Served, reason: Reason) -> Self {
        let time = now();
        // Requests of the same millisecond keep their order; 64 random bits cannot be guessed.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:012x}{count:04x}{:016x}", time & 0xffff_ffff_ffff, rand::random::<u64>());
        Self {
            id,
            time,
            served,
            reason,
            cluster: None,
            adapter: None,
            plan: None,
            canary: false,
            stratum: None,
            embed_us: 0,
        }
    }

    /// The same question, answered by the base model.
    #[must_use]
    pub fn instead(&self, reason: Reason) -> Self {
        Self { served: Served::Base, reason, adapter: None, ..self.clone() }
    }

    /// Whether an id could be one of ours.
    pub fn is_id(id: &str) -> bool {
        id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// `plan` or `canary`.
    pub fn arm(&self) -> &'static str {
        if self.canary { "canary" } else { "plan" }
    }

    /// Tells the client. `overhead_us`: what the gateway took before the server was asked.
    pub fn tell(&self, headers: &mut HeaderMap, overhead_us: u64) {
        let mut put = |name: &'static str, value: &str| {
            // Names of adapters and plans come from files: anything that is no header value is left out.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-uno-decision", &self.id);
        put("x-uno-path", self.served.as_str());
        put("x-uno-reason", self.reason.as_str());
        put("x-uno-overhead-ms", &format!("{:.3}", overhead_us as f64 / 1000.0));
        if self.embed_us > 0 {
            put("x-uno-embed-ms", &format!("{:.3}", self.embed_us as f64 / 1000.0));
        }
        if let Some(cluster) = self.cluster {
            put("x-uno-cluster", &cluster.to_string());
        }
        if let Some(adapter) = &self.adapter {
            put("x-uno-adapter", adapter);
        }
        if let Some(plan) = &self.plan {
            put("x-uno-plan", plan);
            put("x-uno-arm", self.arm());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_and_recognised() {
        let (a, b) = (Decision::new(Served::Base, Reason::Plan), Decision::new(Served::Base, Reason::Plan));
        assert!(a.id != b.id && a.id[..12] <= b.id[..12]);
        assert!(Decision::is_id(&a.id));
        for wrong in ["", "x", "../../etc/passwd", &a.id.to_uppercase().replace(char::is_numeric, "A")] {
            assert!(!Decision::is_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn no_name_can_smuggle_a_header() {
        let mut decision = Decision::new(Served::Expert, Reason::Plan);
        decision.adapter = Some("a\r\nset-cookie: x=1".into());
        decision.plan = Some("3fa9".into());
        let mut headers = HeaderMap::new();
        decision.tell(&mut headers, 1234);
        assert!(!headers.contains_key("x-uno-adapter") && !headers.contains_key("set-cookie"));
        assert_eq!(headers["x-uno-overhead-ms"], "1.234");
        assert_eq!(
            (headers["x-uno-plan"].to_str().unwrap(), headers["x-uno-arm"].to_str().unwrap()),
            ("3fa9", "plan")
        );
    }
}
