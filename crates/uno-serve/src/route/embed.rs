//! The embedder on a thread of its own: questions that wait are embedded together.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;
use uno_types::Embedder;

use super::cache::Cache;

/// Questions that may wait. More than the embedder manages in a routing budget make no sense.
const QUEUE: usize = 64;
/// Questions embedded in one call.
const BATCH: usize = 16;

/// Why there is no embedding. The base model answers then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// Too many questions wait.
    #[error("too many questions wait to be embedded")]
    Busy,
    /// It took too long.
    #[error("embedding took longer than serve.route.budget_ms")]
    Slow,
    /// The model failed.
    #[error("{0}")]
    Model(String),
}

type Vector = Arc<Vec<f32>>;
type Answer = oneshot::Sender<Result<Vector, EmbedError>>;

/// The thread's handle.
pub struct EmbedThread {
    queue: SyncSender<(String, Answer)>,
    cache: Arc<Cache<[u8; 32], Vector>>,
    budget: Duration,
}

impl EmbedThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(embedder: Arc<dyn Embedder>, cache: usize, budget: Duration) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let cache = Arc::new(Cache::new(cache));
        let kept = Arc::clone(&cache);
        std::thread::Builder::new()
            .name("uno-embed".into())
            .spawn(move || work(&jobs, embedder.as_ref(), &kept))?;
        Ok(Self { queue, cache, budget })
    }

    /// The embedding of a question, from memory where it was asked before.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub async fn embed(&self, question: &str) -> Result<Vector, EmbedError> {
        if let Some(known) = self.cache.get(&key(question)) {
            return Ok(known);
        }
        let (answer, waiting) = oneshot::channel();
        self.queue.try_send((question.to_owned(), answer)).map_err(|_| EmbedError::Busy)?;
        match tokio::time::timeout(self.budget, waiting).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(EmbedError::Model("the embedder's thread has ended".into())),
            Err(_) => Err(EmbedError::Slow),
        }
    }
}

fn key(question: &str) -> [u8; 32] {
    *blake3::hash(question.as_bytes()).as_bytes()
}

fn work(jobs: &Receiver<(String, Answer)>, embedder: &dyn Embedder, cache: &Cache<[u8; 32], Vector>) {
    while let Ok(first) = jobs.recv() {
        let waiting = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1));
        // Nobody waits any more for those whose time is up, but the next one may ask the same.
        let batch: Vec<(String, Answer)> = waiting.collect();
        let texts: Vec<&str> = batch.iter().map(|(text, _)| text.as_str()).collect();
        let result =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| embedder.embed_questions(&texts)));
        let vectors = match result {
            Ok(Ok(vectors)) if vectors.len() == batch.len() => Ok(vectors),
            Ok(Ok(_)) => Err(EmbedError::Model("the embedder gave another number of vectors".into())),
            Ok(Err(error)) => Err(EmbedError::Model(error.to_string())),
            Err(_) => Err(EmbedError::Model("the embedder panicked".into())),
        };
        match vectors {
            Ok(vectors) => {
                for ((text, answer), vector) in batch.into_iter().zip(vectors) {
                    let vector = Arc::new(vector);
                    cache.insert(key(&text), Arc::clone(&vector));
                    let _ = answer.send(Ok(vector));
                }
            }
            Err(error) => batch.into_iter().for_each(|(_, answer)| {
                let _ = answer.send(Err(error.clone()));
            }),
        }
    }
}
