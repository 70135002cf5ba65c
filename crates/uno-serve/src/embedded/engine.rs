//! The thread that runs the batch, and the way there and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uno_models::EmbeddedChat;
use uno_models::embedded::{Listener, LiveBatch, LiveJob, LiveRequest};
use uno_types::{Generation, ModelError};

use super::queue::{Leaves, Queue};
use crate::metrics::single;

/// How the engine is doing.
#[derive(Debug, Default)]
pub struct EngineStats {
    /// Requests in the batch.
    pub rows: AtomicU64,
    /// Requests that wait for a place in it.
    pub waiting: AtomicU64,
    /// Tokens of answers that were completed.
    pub tokens: AtomicU64,
    /// Requests that found no place to wait.
    pub refused: AtomicU64,
    /// Requests whose client left before the end.
    pub left: AtomicU64,
    /// How long an answer took of late, from its request on; milliseconds.
    answer_ms: AtomicU64,
}

impl EngineStats {
    fn took(&self, ms: u64) {
        let before = self.answer_ms.load(Ordering::Relaxed);
        let now = if before == 0 { ms } else { (before * 7 + ms) / 8 };
        self.answer_ms.store(now, Ordering::Relaxed);
    }

    /// As metrics.
    pub(crate) fn write(&self, out: &mut String) {
        for (name, kind, help, n) in [
            ("uno_engine_rows", "gauge", "Requests in the embedded engine's batch", &self.rows),
            ("uno_engine_waiting", "gauge", "Requests that wait for a place in it", &self.waiting),
            ("uno_engine_tokens_total", "counter", "Tokens of answers that it completed", &self.tokens),
            ("uno_engine_refused_total", "counter", "Requests that found no place to wait", &self.refused),
            ("uno_engine_left_total", "counter", "Requests whose client left before the end", &self.left),
        ] {
            single(out, name, kind, help, n.load(Ordering::Relaxed));
        }
    }

    /// When somebody who found no place should come back, seconds: after as long as an answer takes.
    fn come_back(&self) -> u64 {
        self.answer_ms.load(Ordering::Relaxed).div_ceil(1000).clamp(1, 60)
    }
}

/// What is said to a client.
pub(super) enum Said {
    /// Some more text.
    Text(String),
    /// It is over.
    Ended(Result<Generation, ModelError>),
}

/// The client's end. Dropping it frees the row.
pub(super) struct Heard(UnboundedReceiver<Said>);

impl Heard {
    /// The next piece; after the end, an error.
    pub(super) async fn next(&mut self) -> Said {
        self.0.recv().await.unwrap_or_else(silent)
    }

    pub(super) fn poll(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Said> {
        self.0.poll_recv(cx).map(|said| said.unwrap_or_else(silent))
    }

    /// What is there already.
    pub(super) fn at_hand(&mut self) -> Option<Said> {
        self.0.try_recv().ok()
    }
}

fn silent() -> Said {
    Said::Ended(Err(ModelError::Engine("the engine gave no answer".into())))
}

/// The engine's end. Unbounded, but no longer than the answer: a client that reads slowly delays nobody.
struct Speaker {
    to: UnboundedSender<Said>,
    stats: Arc<EngineStats>,
    since: Instant,
}

impl Listener for Speaker {
    fn text(&mut self, piece: &str) {
        let _ = self.to.send(Said::Text(piece.to_owned()));
    }

    fn is_gone(&self) -> bool {
        self.to.is_closed()
    }

    fn ended(self: Box<Self>, result: Result<Generation, ModelError>) {
        if let Ok(generation) = &result {
            self.stats.tokens.fetch_add(generation.completion_tokens as u64, Ordering::Relaxed);
            self.stats.took(u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        let _ = self.to.send(Said::Ended(result));
    }
}

struct Waiting {
    job: LiveJob,
    speaker: Box<Speaker>,
}

impl Leaves for Waiting {
    fn is_gone(&self) -> bool {
        self.speaker.is_gone()
    }
}

/// Why a request does not even wait.
pub(super) enum Refused {
    /// Too many wait already.
    Busy {
        /// When to come back.
        seconds: u64,
    },
    /// It cannot be answered.
    Model(ModelError),
}

/// The engine's handle. The thread ends with it.
pub(super) struct Engine {
    chat: Arc<EmbeddedChat>,
    queue: Arc<Queue<Waiting>>,
    stats: Arc<EngineStats>,
}

impl Engine {
    pub(super) fn start(chat: Arc<EmbeddedChat>, queue: usize) -> std::io::Result<Self> {
        let engine =
            Self { chat, queue: Arc::new(Queue::new(queue.max(1))), stats: Arc::new(EngineStats::default()) };
        let (chat, queue, stats) =
            (Arc::clone(&engine.chat), Arc::clone(&engine.queue), Arc::clone(&engine.stats));
        std::thread::Builder::new().name("uno-engine".into()).spawn(move || work(&chat, &queue, &stats))?;
        Ok(engine)
    }

    pub(super) fn stats(&self) -> &Arc<EngineStats> {
        &self.stats
    }

    /// Puts a request into the queue.
    pub(super) async fn ask(&self, wanted: LiveRequest) -> Result<Heard, Refused> {
        let since = Instant::now();
        // Before any work is done for it; looked at again when it joins.
        if !self.queue.has_room(self.free()) {
            return Err(self.busy());
        }
        let chat = Arc::clone(&self.chat);
        let prepared = tokio::task::spawn_blocking(move || chat.prepare_live(wanted)).await;
        let job = prepared
            .map_err(|_| Refused::Model(ModelError::Engine("the request could not be prepared".into())))?
            .map_err(Refused::Model)?;
        let (to, heard) = unbounded_channel();
        let speaker = Box::new(Speaker { to, stats: Arc::clone(&self.stats), since });
        self.queue.push(Waiting { job, speaker }, self.free()).map_err(|_| self.busy())?;
        self.stats.waiting.store(self.queue.len() as u64, Ordering::Relaxed);
        Ok(Heard(heard))
    }

    /// Places in the batch that nobody has.
    fn free(&self) -> usize {
        let rows = usize::try_from(self.stats.rows.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        self.chat.max_batch().saturating_sub(rows)
    }

    fn busy(&self) -> Refused {
        self.stats.refused.fetch_add(1, Ordering::Relaxed);
        Refused::Busy { seconds: self.stats.come_back() }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(chat: &EmbeddedChat, queue: &Queue<Waiting>, stats: &EngineStats) {
    let mut batch = LiveBatch::new(chat);
    loop {
        while !batch.is_full() {
            let next = if batch.is_empty() { queue.take() } else { queue.try_take() };
            match next {
                Some(Waiting { job, speaker }) => batch.add(job, speaker),
                None if batch.is_empty() => return,
                None => break,
            }
        }
        stats.rows.store(batch.len() as u64, Ordering::Relaxed);
        let step = || batch.step();
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!("the embedded engine failed: {error}"),
            Err(_) => batch.fail(&ModelError::Engine("the embedded engine panicked".into())),
        }
        stats.rows.store(batch.len() as u64, Ordering::Relaxed);
        stats.waiting.store(queue.len() as u64, Ordering::Relaxed);
        stats.left.store(batch.dropped(), Ordering::Relaxed);
    }
}
