//! Reads along in an answer and logs it when it ends.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};

use super::Seen;
use crate::auth::Caller;
use crate::chat::Peek;
use crate::gateway::Gateway;
use crate::http::tee::{End, Watch};
use crate::sse::{Answer, Events};
use crate::trace::{Spans, TraceContext};
use crate::upstream::{Lease, Replica};

/// Longest answer in one piece that is read, bytes.
const LONGEST: usize = 4 << 20;

/// The answer to one request, read along.
pub struct AnswerWatch {
    gateway: Arc<Gateway>,
    caller: Caller,
    seen: Option<Seen>,
    copy: Kept,
    /// Counts the request as in flight until its answer has gone through.
    lease: Option<Lease>,
}

/// What is kept of the answer while it goes by.
enum Kept {
    Events(Box<Events>),
    Json { bytes: BytesMut, cut: bool },
}

impl AnswerWatch {
    /// `events`: the answer is a stream of server-sent events.
    pub fn new(
        gateway: Arc<Gateway>,
        caller: Caller,
        seen: Seen,
        events: bool,
        lease: Option<Lease>,
    ) -> Self {
        let copy = match events {
            true => Kept::Events(Box::default()),
            false => Kept::Json { bytes: BytesMut::new(), cut: false },
        };
        Self { gateway, caller, seen: Some(seen), copy, lease }
    }
}

impl Watch for AnswerWatch {
    fn saw(&mut self, bytes: &Bytes) {
        match &mut self.copy {
            Kept::Events(events) => events.feed(bytes),
            Kept::Json { bytes: copy, .. } if copy.len() + bytes.len() <= LONGEST => {
                copy.extend_from_slice(bytes);
            }
            Kept::Json { cut, .. } => *cut = true,
        }
    }

    fn is_whole(&self) -> bool {
        match &self.copy {
            Kept::Events(events) => events.is_whole() || self.seen.as_ref().is_some_and(|s| s.status >= 400),
            Kept::Json { .. } => true,
        }
    }

    fn ended(&mut self, end: End) {
        let Some(seen) = self.seen.take() else { return };
        let copy = std::mem::replace(&mut self.copy, Kept::Json { bytes: BytesMut::new(), cut: false });
        let total_us = seen.started.elapsed().as_micros() as u64;
        self.gateway.metrics.ended(&seen, &end, total_us);
        let (caller, gateway) = (self.caller.clone(), Arc::clone(&self.gateway));
        let weight = seen.body.len()
            + match &copy {
                Kept::Events(events) => events.answer.text.len(),
                Kept::Json { bytes, .. } => bytes.len(),
            };
        let traced = seen.trace.map(|context| Traced {
            context,
            ended: SystemTime::now(),
            server: self.lease.as_ref().map(|lease| Arc::clone(lease.replica())),
        });
        let make = move || {
            let answer = match copy {
                Kept::Events(events) => events.answer,
                Kept::Json { bytes, cut } => Answer { cut, ..Answer::of_json(&bytes) },
            };
            gateway.metrics.tokens(&answer);
            gateway.auth.spent(&caller, &answer);
            if let Some(traced) = traced {
                traced.export(&gateway, &seen, &answer, &end, total_us);
            }
            seen.row(answer, &end, total_us)
        };
        self.gateway.log.log(512 + weight, make);
    }
}

/// What spans need to know besides.
struct Traced {
    context: TraceContext,
    ended: SystemTime,
    server: Option<Arc<Replica>>,
}

impl Traced {
    fn export(self, gateway: &Gateway, seen: &Seen, answer: &Answer, end: &End, total_us: u64) {
        let Some(traces) = &gateway.traces else { return };
        let peek = Peek::parse(&seen.body);
        let spans = Spans {
            context: self.context,
            model: peek.as_ref().map_or("", |peek| &peek.model),
            base_model: &gateway.base_model,
            server: &self.server.map_or(String::new(), |server| server.address.to_string()),
            ended: self.ended,
            total_us,
        };
        traces.add(spans.of(seen, answer, end));
    }
}

/// Looks at nothing: for paths that are passed through only.
pub struct SilentWatch {
    _lease: Option<Lease>,
}

impl SilentWatch {
    /// Holds the lease until the answer has gone through.
    pub fn new(lease: Option<Lease>) -> Self {
        Self { _lease: lease }
    }
}

impl Watch for SilentWatch {
    fn saw(&mut self, _: &Bytes) {}

    fn is_whole(&self) -> bool {
        true
    }

    fn ended(&mut self, _: End) {}
}
