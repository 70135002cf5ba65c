//! Continuous batching: every row is at its own place in its own text, and a free slot is refilled at once.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;
use uno_engine::{EngineError, KvBlock};
use uno_types::{FinishReason, Generation, ModelError};

use super::chat::EmbeddedChat;
use super::prompt::{self, Job};
use super::row::{Progress, Row};

/// Most tokens fed in one engine call; decoding rows always get theirs, the rest is prefill.
const STEP_TOKENS: usize = 1024;

/// One call of `generate`.
///
/// Jobs are admitted strictly in order while there is a slot and memory for their keys and values, so none waits for
/// ever. What a row generates does not depend on its neighbours: the engine computes each row bit by bit alike in any
/// batch, and draws depend on the row's own seed and step.
pub(super) struct Scheduler<'a, 'd> {
    chat: &'a EmbeddedChat,
    queue: VecDeque<Job<'a>>,
    rows: Vec<Row<'a>>,
    done: &'d mut (dyn FnMut(usize, Result<Generation, ModelError>) + 'd),
}

impl<'a, 'd> Scheduler<'a, 'd> {
    pub(super) fn new(
        chat: &'a EmbeddedChat,
        jobs: Vec<Job<'a>>,
        done: &'d mut (dyn FnMut(usize, Result<Generation, ModelError>) + 'd),
    ) -> Self {
        Self { chat, queue: prompt::arrange(jobs).into(), rows: Vec::new(), done }
    }

    /// Runs until every job is answered.
    ///
    /// # Errors
    /// Only when the engine itself fails.
    pub(super) fn run(mut self) -> Result<(), ModelError> {
        loop {
            self.admit()?;
            if self.rows.is_empty() {
                return Ok(());
            }
            self.step()?;
        }
    }

    /// Fills free slots from the queue.
    fn admit(&mut self) -> Result<(), ModelError> {
        while self.rows.len() < self.chat.options.max_batch {
            let Some(job) = self.queue.pop_front() else { return Ok(()) };
            if !self.fits(&job) {
                self.queue.push_front(job);
                return Ok(());
            }
            let index = job.index;
            match self.start(job) {
                Ok((row, Progress::More)) => self.rows.push(row),
                Ok((row, Progress::Done(finish))) => self.answer(row, finish),
                Ok((_, Progress::Failed(error))) | Err(Start::Request(error)) => {
                    (self.done)(index, Err(error))
                }
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
        let wanted = (job.prompt.len() + job.limit) * self.chat.decoder.config().kv_bytes_per_token();
        in_use + wanted <= self.chat.options.kv_bytes
    }

    fn start(&self, job: Job<'a>) -> Result<(Row<'a>, Progress), Start> {
        let chat = self.chat;
        let config = chat.decoder.config();
        let adapter = job.request.adapter.as_ref().map(|adapter| chat.adapter(adapter)).transpose()?;
        let grammar =
            job.request.constraint.as_ref().map(|constraint| chat.grammar(constraint)).transpose()?;
        let beginning = chat
            .on_threads(|| chat.prefixes.beginning(&chat.decoder, &job.prompt, &job.shared, adapter.as_ref()))
            .map_err(Start::Engine)?;
        let own = job.prompt.len() - beginning.as_ref().map_or(0, |b| b.len()) + job.limit;
        let sequence = chat.decoder.start(beginning.clone(), adapter, own);
        let mut row = Row::new(job, sequence, beginning, own * config.kv_bytes_per_token(), grammar);
        let progress = row.begin();
        Ok((row, progress))
    }

    /// Feeds every row what it waits for, within the bound on tokens, and draws for those that are through.
    fn step(&mut self) -> Result<(), ModelError> {
        let chat = self.chat;
        let mut prefill = STEP_TOKENS.saturating_sub(self.rows.len()).max(1);
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
        for (row, progress) in std::mem::take(&mut self.rows).into_iter().zip(progress) {
            match progress {
                Progress::More => going.push(row),
                Progress::Done(finish) => self.answer(row, finish),
                Progress::Failed(error) => (self.done)(row.job.index, Err(error)),
            }
        }
        self.rows = going;
        Ok(())
    }

    fn answer(&mut self, row: Row<'a>, finish: FinishReason) {
        let index = row.job.index;
        let generation = row.finish(finish, &self.chat.tokenizer);
        (self.done)(index, Ok(generation));
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

impl From<crate::ModelsError> for Start {
    fn from(error: crate::ModelsError) -> Self {
        Start::Request(error.into())
    }
}
