//! Requests that wait are generated together, on a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::oneshot;
use uno_types::{ChatModel, Generation, GenerationRequest, ModelError};

/// Requests that may wait; more are refused.
const QUEUE: usize = 512;

type Answer = oneshot::Sender<Result<Generation, ModelError>>;

/// The thread's handle.
pub(super) struct Batcher {
    queue: SyncSender<(GenerationRequest, Answer)>,
}

impl Batcher {
    pub(super) fn start(model: Arc<dyn ChatModel>, max_batch: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("uno-engine".into())
            .spawn(move || work(&jobs, model.as_ref(), max_batch.max(1)))?;
        Ok(Self { queue })
    }

    pub(super) async fn generate(&self, request: GenerationRequest) -> Result<Generation, ModelError> {
        let (answer, waiting) = oneshot::channel();
        let full = || ModelError::Stopped("too many requests wait for the embedded engine".into());
        self.queue.try_send((request, answer)).map_err(|_| full())?;
        waiting.await.map_err(|_| ModelError::Engine("the engine gave no answer".into()))?
    }
}

fn work(jobs: &Receiver<(GenerationRequest, Answer)>, model: &dyn ChatModel, max_batch: usize) {
    while let Ok(first) = jobs.recv() {
        let waiting = std::iter::once(first).chain(jobs.try_iter().take(max_batch - 1));
        // Whoever has left needs no answer.
        let (requests, answers): (Vec<_>, Vec<_>) = waiting.filter(|(_, answer)| !answer.is_closed()).unzip();
        let mut answers: Vec<Option<Answer>> = answers.into_iter().map(Some).collect();
        let mut done = |i: usize, result| {
            if let Some(answer) = answers.get_mut(i).and_then(Option::take) {
                let _ = answer.send(result);
            }
        };
        let generate = || model.generate(&requests, &mut done);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(generate));
        let error = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_) => ModelError::Engine("the engine panicked".into()),
        };
        for answer in answers.iter_mut().filter_map(Option::take) {
            let _ = answer.send(Err(error.clone()));
        }
    }
}
