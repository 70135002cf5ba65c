//! The thread behind [`LogWriter`](super::LogWriter): makes rows, scrubs them, and writes them where it can.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::writer::{Done, Job, WriterStats};
use super::writer_clock::Retention;
use super::{Entry, LogStore, Spool, open};
use crate::StoreError;

/// Entries written in one transaction.
const BATCH: usize = 1024;
/// How long rows may wait for others to share their transaction: each one costs a sync of the disk. Acknowledged entries
/// do not wait, and take those before them along.
const LINGER: Duration = Duration::from_millis(50);
/// Pause between attempts to reach a store that is away.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub(super) jobs: Receiver<Job>,
    pub(super) stats: Arc<WriterStats>,
    pub(super) place: String,
    pub(super) store: Option<Box<dyn LogStore>>,
    /// When the store is tried next.
    pub(super) try_at: Instant,
    /// That it is away was said.
    pub(super) told: bool,
    pub(super) requests: Spool,
    pub(super) feedback: Spool,
    pub(super) retention: Retention,
}

impl Writer {
    pub(super) fn run(mut self) {
        let mut more = false;
        loop {
            if Instant::now() >= self.try_at {
                self.reconnect();
            }
            let (mut entries, mut waiting) = (Vec::new(), Vec::new());
            let mut stop = false;
            match self.jobs.recv_timeout(RETRY) {
                Ok(first) => {
                    // Not asleep on the queue: a row that comes meanwhile then wakes nobody. Whoever waits unparks.
                    if matches!(first, Job::Row(..)) && !more {
                        std::thread::park_timeout(LINGER);
                    }
                    let rest = self.jobs.try_iter().take(BATCH).collect::<Vec<_>>();
                    more = rest.len() == BATCH;
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
            store.append_late(entries)?;
            written += entries.len() as u64;
            Ok(())
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
