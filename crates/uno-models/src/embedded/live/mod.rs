//! A batch for a server: requests join it between two steps and leave it when they are done, when their stop is reached, or
//! when nobody waits for them any more. Texts go out token by token.
//!
//! All of it is synchronous; the server has a thread for it. What takes long and is not decoding (reading an adapter,
//! tokenising, compiling a schema) is done by [`EmbeddedChat::prepare_live`] on the caller's thread.

mod recent;
mod stop;

use std::borrow::Cow;
use std::collections::HashMap;

use uno_types::{ChatModel, Generation, GenerationRequest, ModelError};

use super::batch::{Audience, Batch, Wish};
use super::chat::EmbeddedChat;
use super::prompt::{Job, Ready};
use crate::tokenizer::TextStream;
use recent::RecentPrompts;
use stop::StopScan;

/// Most tokens fed in one engine call. A new prompt delays those who read along by the time that so many take.
const STEP_TOKENS: usize = 192;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct LiveRequest {
    /// The conversation, adapter, sampling and limits.
    pub request: GenerationRequest,
    /// A text to continue as it is, instead of the conversation in the model's template.
    pub text: Option<String>,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
}

/// Who waits for an answer.
pub trait Listener: Send {
    /// Some text came; all pieces together are the answer's text.
    fn text(&mut self, piece: &str);
    /// Nobody waits any more. Asked after each step.
    fn is_gone(&self) -> bool;
    /// It is over; not called when nobody waits any more.
    fn ended(self: Box<Self>, result: Result<Generation, ModelError>);
}

/// A request that was checked and is ready to join.
pub struct LiveJob {
    job: Job<'static>,
    stop: Vec<String>,
}

impl EmbeddedChat {
    /// Checks a request and opens what it names.
    ///
    /// # Errors
    /// What is wrong with the request, or with its adapter.
    pub fn prepare_live(&self, wanted: LiveRequest) -> Result<LiveJob, ModelError> {
        let LiveRequest { request, text, stop } = wanted;
        let text = match text {
            Some(text) => text,
            None => self.template().render(&request.messages, true)?,
        };
        let ready = Ready::of(self, &request)?;
        let job = Job::new(0, Cow::Owned(request), &text, self, self.context_length())?;
        Ok(LiveJob { job: Job { ready: Some(ready), ..job }, stop })
    }
}

/// The running batch.
pub struct LiveBatch<'c> {
    chat: &'c EmbeddedChat,
    batch: Batch<'c, 'static>,
    taps: Taps<'c>,
    recent: RecentPrompts,
    next: usize,
}

impl<'c> LiveBatch<'c> {
    /// An empty batch.
    pub fn new(chat: &'c EmbeddedChat) -> Self {
        Self {
            chat,
            batch: Batch::new(chat, STEP_TOKENS),
            taps: Taps::default(),
            recent: RecentPrompts::default(),
            next: 0,
        }
    }

    /// Rows in flight.
    pub fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// Rows in flight, and requests that joined and have no row yet.
    pub fn len(&self) -> usize {
        self.batch.rows() + self.batch.queue.len()
    }

    /// Requests that were let go because nobody waited for them any more.
    pub fn dropped(&self) -> u64 {
        self.taps.dropped
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether another request would have to wait for a slot, or for memory.
    pub fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// A request joins with the next step.
    pub fn add(&mut self, job: LiveJob, listener: Box<dyn Listener>) {
        let LiveJob { mut job, stop } = job;
        job.index = self.next;
        self.next += 1;
        let adapter = job.ready.as_ref().and_then(|ready| ready.adapter.as_ref());
        job.shared = self
            .recent
            .shared(&job.prompt, adapter, |prompt| self.chat.prefixes.longest_kept(prompt, adapter));
        let tap = Tap {
            stream: self.chat.tokenizer.stream(),
            stop: StopScan::new(stop),
            text: String::new(),
            listener,
        };
        self.taps.of.insert(job.index, tap);
        self.batch.queue.push_back(job);
    }

    /// Takes in who waits, and goes on by a step. Returns whether there was anything to do.
    ///
    /// # Errors
    /// When the engine fails; every request was told then, and the batch is empty.
    pub fn step(&mut self) -> Result<bool, ModelError> {
        let outcome = self.batch.step(&mut self.taps);
        if let Err(error) = &outcome {
            self.fail(error);
        }
        outcome
    }

    /// Ends every request with this error.
    pub fn fail(&mut self, error: &ModelError) {
        self.batch = Batch::new(self.chat, STEP_TOKENS);
        for (_, tap) in self.taps.of.drain() {
            tap.listener.ended(Err(error.clone()));
        }
    }
}

/// A row's way out.
struct Tap<'c> {
    stream: TextStream<'c>,
    stop: StopScan,
    text: String,
    listener: Box<dyn Listener>,
}

impl Tap<'_> {
    fn say(&mut self, piece: &str) {
        if !piece.is_empty() {
            self.text.push_str(piece);
            self.listener.text(piece);
        }
    }

    fn hear(&mut self, tokens: &[u32]) -> Wish {
        if self.listener.is_gone() {
            return Wish::Drop;
        }
        for token in tokens {
            let piece = self.stream.push(*token);
            let piece = self.stop.push(&piece);
            self.say(&piece);
            if self.stop.is_reached() {
                return Wish::Stop;
            }
        }
        Wish::On
    }
}

#[derive(Default)]
struct Taps<'c> {
    of: HashMap<usize, Tap<'c>>,
    dropped: u64,
}

impl Audience for Taps<'_> {
    fn hears(&mut self, index: usize, tokens: &[u32]) -> Wish {
        let wish = self.of.get_mut(&index).map_or(Wish::Drop, |tap| tap.hear(tokens));
        if wish == Wish::Drop && self.of.remove(&index).is_some() {
            self.dropped += 1;
        }
        wish
    }

    fn ended(&mut self, index: usize, result: Result<Generation, ModelError>) {
        let Some(Tap { stream, mut stop, mut text, mut listener }) = self.of.remove(&index) else { return };
        let result = result.map(|generation| {
            let mut rest = stop.push(&stream.finish());
            rest.push_str(&stop.finish());
            if !rest.is_empty() {
                listener.text(&rest);
                text.push_str(&rest);
            }
            Generation { text, ..generation }
        });
        listener.ended(result);
    }
}
