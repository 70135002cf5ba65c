//! Continuous batching: every row is at its own place in its own text, and a free slot is refilled at once.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;
use uno_engine::{EngineError, KvBlock};
use uno_types::{FinishReason, Generation, ModelError};

use super::chat::EmbeddedChat;
use super::prompt::{Job, Ready};
use super::row::{Progress, Row};

/// Who waits for the rows' texts.
pub(super) trait Audience {
    /// Called for each row after each step with the tokens that came: whether the row goes on.
    fn hears(&mut self, index: usize, tokens: &[u32]) -> Wish;

    /// A row is complete, or cannot be completed. Called once for each job, but for those that were dropped.
    fn ended(&mut self, index: usize, result: Result<Generation, ModelError>);
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// It goes on.
    On,
    /// It ends here, as if the model had ended its turn.
    Stop,
    /// Nobody waits for it any more.
    Drop,
}

/// Rows in flight, and jobs that wait for a place.
///
/// Jobs are admitted strictly in order while there is a slot and memory for their keys and values, so none waits for
/// ever. What a row generates does not depend on its neighbours: the engine computes each row bit by bit alike in any
/// batch, and draws depend on the row's own seed and step.
pub(super) struct Batch<'c, 'j> {
    chat: &'c EmbeddedChat,
    pub(super) queue: VecDeque<Job<'j>>,
    rows: Vec<Row<'j>>,
    /// The first in the queue waits for memory.
    blocked: bool,
    /// Most tokens fed in one engine call; decoding rows always get theirs, the rest is prefill.
    step_tokens: usize,
}

impl<'c, 'j> Batch<'c, 'j> {
    pub(super) fn new(chat: &'c EmbeddedChat, step_tokens: usize) -> Self {
        Self { chat, queue: VecDeque::new(), rows: Vec::new(), blocked: false, step_tokens }
    }

    /// Rows in flight.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether another job would have to wait for a slot, or for memory.
    pub(super) fn is_full(&self) -> bool {
        self.blocked || self.rows.len() + self.queue.len() >= self.chat.options.max_batch
    }

    /// Runs until every job is answered.
    ///
    /// # Errors
    /// Only when the engine itself fails.
    pub(super) fn run(mut self, audience: &mut impl Audience) -> Result<(), ModelError> {
        while self.step(audience)? {}
        Ok(())
    }

    /// Fills free slots from the queue, feeds every row what it waits for, and draws for those that are through; `false`
    /// when there is nothing to do.
    ///
    /// # Errors
    /// Only when the engine itself fails.
    pub(super) fn step(&mut self, audience: &mut impl Audience) -> Result<bool, ModelError> {
        self.admit(audience)?;
        if self.rows.is_empty() {
            return Ok(false);
        }
        self.advance(audience)?;
        Ok(true)
    }

    fn admit(&mut self, audience: &mut impl Audience) -> Result<(), ModelError> {
        self.blocked = false;
        while self.rows.len() < self.chat.options.max_batch {
            let Some(job) = self.queue.pop_front() else { return Ok(()) };
            if !self.fits(&job) {
                self.blocked = true;
                self.queue.push_front(job);
                return Ok(());
            }
            let index = job.index;
            if audience.hears(index, &[]) == Wish::Drop {
                continue;
            }
            match self.start(job) {
                Ok((mut row, progress)) => {
                    if let Some(row) = self.told(&mut row, progress, audience).then_some(row) {
                        self.rows.push(row);
                    }
                }
                Err(Start::Request(error)) => audience.ended(index, Err(error)),
                Err(Start::Engine(error)) => return Err(ModelError::Engine(error.to_string())),
            }
        }
        Ok(())
    }

    /// Whether the job's keys and values fit beside those in use. One job always may run: its context is bounded.
    fn fits(&self, job: &Job<'_>) -> bool {
        if self.rows.is_empty() {
            return true;
        }
        let mut blocks: Vec<&Arc<KvBlock>> =
            self.rows.iter().filter_map(|row| row.beginning.as_ref()).collect();
        blocks.sort_by_key(|block| Arc::as_ptr(block));
        blocks.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let in_use: usize = blocks.into_iter().map(|block| block.bytes()).sum::<usize>()
            + self.rows.iter().map(|row| row.bytes).sum::<usize>();
        let wanted = (job.prompt.len() + job.limit) * self.chat.decoder.kv_bytes_per_token();
        in_use + wanted <= self.chat.options.kv_bytes
    }

    fn start(&self, mut job: Job<'j>) -> Result<(Row<'j>, Progress), Start> {
        let chat = self.chat;
        let Ready { adapter, grammar } = match job.ready.take() {
            Some(ready) => ready,
            None => Ready::of(chat, &job.request)?,
        };
        let beginning = chat
            .on_threads(|| chat.prefixes.beginning(&chat.decoder, &job.prompt, &job.shared, adapter.as_ref()))
            .map_err(Start::Engine)?;
        let own = job.prompt.len() - beginning.as_ref().map_or(0, |b| b.len()) + job.limit;
        let sequence = chat.decoder.start(beginning.clone(), adapter, own);
        let mut row = Row::new(job, sequence, beginning, own * chat.decoder.kv_bytes_per_token(), grammar);
        let progress = row.begin();
        Ok((row, progress))
    }

    fn advance(&mut self, audience: &mut impl Audience) -> Result<(), ModelError> {
        let chat = self.chat;
        let mut prefill = self.step_tokens.saturating_sub(self.rows.len()).max(1);
        let portions: Vec<usize> = self
            .rows
            .iter()
            .map(|row| {
                // One token is always granted, so that prefill elsewhere never stops a row that decodes.
                let extra = (row.waiting() - 1).min(prefill);
                prefill -= extra;
                1 + extra
            })
            .collect();
        let mut fed: Vec<_> = self.rows.iter_mut().zip(&portions).map(|(row, &n)| row.feed(n)).collect();
        let logits = chat
            .on_threads(|| chat.decoder.advance(&mut fed))
            .map_err(|error| ModelError::Engine(error.to_string()))?;
        let rows = &mut self.rows;
        let progress: Vec<Progress> = chat.on_threads(|| {
            rows.par_iter_mut()
                .enumerate()
                .map(
                    |(i, row)| {
                        if row.waiting() > 0 { Progress::More } else { row.draw(logits.row(i), &chat.ends) }
                    },
                )
                .collect()
        });
        let mut going = Vec::with_capacity(self.rows.len());
        for (mut row, progress) in std::mem::take(&mut self.rows).into_iter().zip(progress) {
            if self.told(&mut row, progress, audience) {
                going.push(row);
            }
        }
        self.rows = going;
        Ok(())
    }

    /// Tells the audience what came of a row, and whether the row goes on.
    fn told(&self, row: &mut Row<'j>, progress: Progress, audience: &mut impl Audience) -> bool {
        let index = row.job.index;
        let finish = match (progress, audience.hears(index, row.news())) {
            (_, Wish::Drop) => return false,
            (Progress::Failed(error), _) => {
                audience.ended(index, Err(error));
                return false;
            }
            (Progress::More, Wish::On) => return true,
            (Progress::Done(finish), Wish::On) => finish,
            (_, Wish::Stop) => FinishReason::Stop,
        };
        audience.ended(index, Ok(row.finish(finish, &self.chat.tokenizer)));
        false
    }
}

/// Why a job did not start.
enum Start {
    /// The request is wrong; the others go on.
    Request(ModelError),
    /// Nothing can go on.
    Engine(EngineError),
}

impl From<ModelError> for Start {
    fn from(error: ModelError) -> Self {
        Start::Request(error)
    }
}
