//! The thread that writes the log. Whoever serves only drops entries into its queue.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;

use super::writer_clock::Retention;
use super::writer_thread::Writer;
use super::{Entry, Spool};
use crate::StoreError;

/// Most bytes that wait in memory.
const QUEUE_BYTES: u64 = 64 << 20;
/// Share of the spool's room that is for feedback.
const FEEDBACK_SHARE: u64 = 8;

/// How the writer is set up.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// As for [`open`].
    pub store: String,
    /// Where entries wait while the store is away.
    pub spool_dir: PathBuf,
    /// Most bytes of the spool.
    pub spool_bytes: u64,
    /// Most entries in memory.
    pub queue: usize,
    /// Days that rows are kept; 0: for good.
    pub keep_days: u64,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct WriterStats {
    /// Entries in the store.
    pub written: AtomicU64,
    /// Entries that had to go to the spool.
    pub spooled: AtomicU64,
    /// Requests that were lost because queue or spool were full.
    pub dropped: AtomicU64,
    /// Personal data replaced.
    pub scrubbed: AtomicU64,
    /// Rows deleted because they were old.
    pub purged: AtomicU64,
    /// Bytes waiting in memory.
    pub queued_bytes: AtomicU64,
    /// The store cannot be reached.
    pub store_down: AtomicBool,
}

pub(super) type Done = Box<dyn FnOnce(Result<(), String>) + Send>;
pub(super) type Make = Box<dyn FnOnce() -> Entry + Send>;

pub(super) enum Job {
    Row(Make, u64),
    Acknowledged(Box<Entry>, Done),
    Stop,
}

/// The writer's handle. Dropping it writes what waits and ends the thread.
pub struct LogWriter {
    queue: SyncSender<Job>,
    stats: Arc<WriterStats>,
    /// To be woken when somebody waits.
    writer: Thread,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LogWriter {
    /// Starts the thread. A store that cannot be reached is no reason not to serve: entries go to the spool until it can.
    ///
    /// # Errors
    /// When the spool's directory cannot be used, or no thread can be had.
    pub fn start(options: WriterOptions) -> Result<Self, StoreError> {
        let feedback_bytes = options.spool_bytes / FEEDBACK_SHARE;
        let requests =
            Spool::open(&options.spool_dir, "requests", options.spool_bytes - feedback_bytes, true)?;
        let feedback = Spool::open(&options.spool_dir, "feedback", feedback_bytes, false)?;
        let (queue, jobs) = sync_channel(options.queue.max(1));
        let stats = Arc::new(WriterStats::default());
        let spool_dir = options.spool_dir.clone();
        let retention = Retention::new(options.keep_days);
        let writer = Writer {
            jobs,
            stats: Arc::clone(&stats),
            place: options.store,
            store: None,
            try_at: Instant::now(),
            told: false,
            requests,
            feedback,
            retention,
        };
        let thread = std::thread::Builder::new().name("uno-log".into()).spawn(move || writer.run());
        let thread = thread.map_err(|e| StoreError::io("start the log's thread for", &spool_dir, e))?;
        Ok(Self { queue, stats, writer: thread.thread().clone(), thread: Mutex::new(Some(thread)) })
    }

    /// Logs what `make` gives, which is called on the writer's thread. `weight`: the bytes that it holds until then. Never
    /// waits; when the queue is full the entry is dropped and counted.
    pub fn log(&self, weight: usize, make: impl FnOnce() -> Entry + Send + 'static) {
        let weight = weight as u64;
        if self.stats.queued_bytes.load(Ordering::Relaxed) + weight > QUEUE_BYTES {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.stats.queued_bytes.fetch_add(weight, Ordering::Relaxed);
        if self.queue.try_send(Job::Row(Box::new(make), weight)).is_err() {
            self.stats.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Logs an entry and says when it is durable, or why it cannot be.
    pub fn acknowledge(&self, entry: Entry, done: impl FnOnce(Result<(), String>) + Send + 'static) {
        let job = Job::Acknowledged(Box::new(entry), Box::new(done));
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = self.queue.try_send(job)
            && let Job::Acknowledged(_, done) = job
        {
            done(Err("the log's queue is full".into()));
        }
        self.writer.unpark();
    }

    /// What happened so far.
    pub fn stats(&self) -> &Arc<WriterStats> {
        &self.stats
    }

    /// Writes what waits and ends the thread.
    pub fn stop(&self) {
        let _ = self.queue.send(Job::Stop);
        self.writer.unpark();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.stop();
    }
}
