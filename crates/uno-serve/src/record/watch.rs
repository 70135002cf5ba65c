//! Reads along in an answer and logs it when it ends.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Seen;
use crate::auth::Caller;
use crate::gateway::Gateway;
use crate::http::tee::{End, Watch};
use crate::sse::{Answer, Events};
use crate::upstream::Lease;

/// Longest answer in one piece that is read, bytes.
const LONGEST: usize = 4 << 20;

/// The answer to one request, read along.
pub struct AnswerWatch {
    gateway: Arc<Gateway>,
    caller: Caller,
    seen: Option<Seen>,
    copy: Kept,
    /// Counts the request as in flight until its answer has gone through.
    _lease: Option<Lease>,
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
        Self { gateway, caller, seen: Some(seen), copy, _lease: lease }
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
        let make = move || {
            let answer = match copy {
                Kept::Events(events) => events.answer,
                Kept::Json { bytes, cut } => Answer { cut, ..Answer::of_json(&bytes) },
            };
            gateway.metrics.tokens(&answer);
            gateway.auth.spent(&caller, &answer);
            seen.row(answer, &end, total_us)
        };
        self.gateway.log.log(512 + weight, make);
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
