//! The thread that writes the log. Whoever serves only drops entries into its queue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::writer_clock::Retention;
use super::{Entry, LogStore, Spool, open};
use crate::StoreError;

/// Entries written in one transaction.
const BATCH: usize = 1024;
/// How long rows may wait for others to share their transaction.
const LINGER: Duration = Duration::from_millis(5);
/// Pause between attempts to reach a store that is away.
const RETRY: Duration = Duration::from_secs(1);
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

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;
type Make = Box<dyn FnOnce() -> Entry + Send>;

enum Job {
    Row(Make, u64),
    Acknowledged(Box<Entry>, Done),
    Stop,
}

/// The writer's handle. Dropping it writes what waits and ends the thread.
pub struct LogWriter {
    queue: SyncSender<Job>,
    stats: Arc<WriterStats>,
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
        Ok(Self { queue, stats, thread: Mutex::new(Some(thread)) })
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
    }

    /// What happened so far.
    pub fn stats(&self) -> &Arc<WriterStats> {
        &self.stats
    }

    /// Writes what waits and ends the thread.
    pub fn stop(&self) {
        let _ = self.queue.send(Job::Stop);
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

struct Writer {
    jobs: Receiver<Job>,
    stats: Arc<WriterStats>,
    place: String,
    store: Option<Box<dyn LogStore>>,
    /// When the store is tried next.
    try_at: Instant,
    /// That it is away was said.
    told: bool,
    requests: Spool,
    feedback: Spool,
    retention: Retention,
}

impl Writer {
    fn run(mut self) {
        loop {
            if Instant::now() >= self.try_at {
                self.reconnect();
            }
            let (mut entries, mut waiting) = (Vec::new(), Vec::new());
            let mut stop = false;
            match self.jobs.recv_timeout(RETRY) {
                Ok(first) => {
                    if matches!(first, Job::Row(..)) {
                        std::thread::sleep(LINGER);
                    }
                    let rest = self.jobs.try_iter().take(BATCH).collect::<Vec<_>>();
                    for job in std::iter::once(first).chain(rest) {
                        stop |= self.take(job, &mut entries, &mut waiting);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => stop = true,
            }
            if !entries.is_empty() {
                let outcome = self.write(&entries).map_err(|e| e.to_string());
                waiting.into_iter().for_each(|done: Done| done(outcome.clone()));
            }
            if stop {
                return;
            }
            self.clear_old();
        }
    }

    /// Whether it was the sign to stop.
    fn take(&self, job: Job, entries: &mut Vec<Entry>, waiting: &mut Vec<Done>) -> bool {
        let mut counts = BTreeMap::new();
        match job {
            Job::Row(make, weight) => {
                self.stats.queued_bytes.fetch_sub(weight, Ordering::Relaxed);
                entries.push(make().scrubbed(&mut counts));
            }
            Job::Acknowledged(entry, done) => {
                entries.push(entry.scrubbed(&mut counts));
                waiting.push(done);
            }
            Job::Stop => return true,
        }
        self.stats.scrubbed.fetch_add(counts.values().sum(), Ordering::Relaxed);
        false
    }

    /// To the store, or to the spool when the store is away. An error concerns feedback only: requests that find no room
    /// anywhere are counted.
    fn write(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        if let Some(store) = &mut self.store {
            match store.append(entries) {
                Ok(()) => {
                    self.stats.written.fetch_add(entries.len() as u64, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => self.lost(&error),
            }
        }
        let (requests, feedback): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|e| matches!(e, Entry::Request(_)));
        let lost = if requests.is_empty() { Ok(0) } else { self.requests.push(&requests) };
        let lost = lost.unwrap_or(requests.len() as u64);
        self.stats.dropped.fetch_add(lost, Ordering::Relaxed);
        self.stats.spooled.fetch_add(entries.len() as u64, Ordering::Relaxed);
        if feedback.is_empty() { Ok(()) } else { self.feedback.push(&feedback).map(drop) }
    }

    /// Opens the store, if need be, and hands over what waits for it.
    fn reconnect(&mut self) {
        self.try_at = Instant::now() + RETRY;
        if let Err(error) = self.try_reconnect() {
            self.lost(&error);
        } else if self.told {
            self.told = false;
            tracing::info!(store = self.place, "the log store is back");
        }
    }

    fn try_reconnect(&mut self) -> Result<(), StoreError> {
        let store = match &mut self.store {
            Some(_) => return Ok(()),
            None => self.store.insert(open(&self.place)?),
        };
        let mut written = 0;
        let mut hand_over = |entries: &[Entry]| {
            written += entries.len() as u64;
            store.append(entries)
        };
        self.requests.replay(&mut hand_over)?;
        self.feedback.replay(&mut hand_over)?;
        self.stats.written.fetch_add(written, Ordering::Relaxed);
        self.stats.store_down.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn lost(&mut self, error: &StoreError) {
        self.store = None;
        self.try_at = Instant::now() + RETRY;
        self.stats.store_down.store(true, Ordering::Relaxed);
        if !self.told {
            self.told = true;
            tracing::warn!("the log store is away, entries wait in the spool: {error}");
        }
    }

    fn clear_old(&mut self) {
        let Some(store) = &mut self.store else { return };
        let Some(before) = self.retention.due() else { return };
        match store.purge(before, 5000) {
            Ok(rows) => {
                self.retention.done(rows);
                self.stats.purged.fetch_add(rows, Ordering::Relaxed);
            }
            Err(error) => self.lost(&error),
        }
    }
}
