//! Entries that wait on disk while the store is away. Bounded; a torn or damaged line costs itself only.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::Entry;
use crate::StoreError;

/// Entries handed over at once.
const BATCH: usize = 500;

/// Files of lines `CHECKSUM JSON`, replayed and deleted oldest first.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    name: &'static str,
    /// Most bytes on disk.
    cap: u64,
    /// Where room is short: drop the oldest file, or refuse.
    drops: bool,
    next: u64,
    current: Option<(File, u64)>,
}

impl Spool {
    /// The spool `name` in `dir`, which is made when needed. With `drops` the oldest entries go when `cap` bytes are
    /// reached, otherwise new ones are refused.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(dir: &Path, name: &'static str, cap: u64, drops: bool) -> Result<Self, StoreError> {
        fs_err::create_dir_all(dir).map_err(|e| StoreError::io("create", dir, e))?;
        let mut spool = Self { dir: dir.to_path_buf(), name, cap, drops, next: 0, current: None };
        spool.next = spool.files()?.last().map_or(0, |(n, _, _)| n + 1);
        Ok(spool)
    }

    /// Whether nothing waits.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.files()?.is_empty())
    }

    /// Bytes that wait.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.files()?.iter().map(|(_, _, size)| size).sum())
    }

    /// Adds entries, durably; gives the number of older ones that had to go.
    ///
    /// # Errors
    /// When there is no room; nothing counts as added then, though part of it may be replayed.
    pub fn push(&mut self, entries: &[&Entry]) -> Result<u64, StoreError> {
        let mut lines = Vec::new();
        for entry in entries {
            let json = serde_json::to_vec(entry).map_err(|e| StoreError::io("write", &self.dir, e.into()))?;
            lines.extend_from_slice(checksum(&json).as_bytes());
            lines.push(b' ');
            lines.extend_from_slice(&json);
            lines.push(b'\n');
        }
        // Many at once must not push out all that waits, and then find no room themselves.
        if self.drops && entries.len() > 1 && lines.len() as u64 > self.cap / 8 {
            let (first, rest) = entries.split_at(entries.len() / 2);
            return Ok(self.push(first)? + self.push(rest)?);
        }
        if lines.len() as u64 > self.cap {
            return Err(StoreError::DiskFull { path: self.dir.clone() });
        }
        let mut dropped = 0;
        while self.bytes()? + lines.len() as u64 > self.cap {
            let files = self.files()?;
            let Some((_, oldest, _)) = files.first().filter(|_| self.drops) else {
                return Err(StoreError::DiskFull { path: self.dir.clone() });
            };
            dropped += lines_of(oldest)?.count() as u64;
            if files.len() == 1 {
                self.current = None;
            }
            fs_err::remove_file(oldest).map_err(|e| StoreError::io("delete", oldest, e))?;
        }
        self.write(&lines)?;
        Ok(dropped)
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), StoreError> {
        let dir = self.dir.clone();
        let fail = |e| StoreError::io("write", &dir, e);
        if self.current.as_ref().is_none_or(|(_, size)| *size > self.cap / 8) {
            let path = self.dir.join(format!("{}-{:012}.spool", self.name, self.next));
            self.next += 1;
            let file = File::options().append(true).create(true).open(&path).map_err(fail)?;
            self.current = Some((file, 0));
        }
        let Some((file, size)) = &mut self.current else { return Ok(()) };
        match file.write_all(lines).and_then(|()| file.sync_data()) {
            Ok(()) => {
                *size += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What was written of it has no line end: the next file begins afresh.
                self.current = None;
                Err(fail(error))
            }
        }
    }

    /// Hands everything over, oldest first; what was taken is deleted. Gives the number of entries.
    ///
    /// # Errors
    /// Those of `take`; the rest stays for the next time, and some of it may come twice.
    pub fn replay(
        &mut self,
        take: &mut dyn FnMut(&[Entry]) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        for (_, path, _) in self.files()? {
            self.current = None;
            let mut batch = Vec::new();
            for entry in lines_of(&path)? {
                batch.push(entry);
                count += 1;
                if batch.len() == BATCH {
                    take(&batch)?;
                    batch.clear();
                }
            }
            take(&batch)?;
            fs_err::remove_file(&path).map_err(|e| StoreError::io("delete", &path, e))?;
        }
        Ok(count)
    }

    /// Number, path and size of every file, oldest first.
    fn files(&self) -> Result<Vec<(u64, PathBuf, u64)>, StoreError> {
        let fail = |e| StoreError::io("read", &self.dir, e);
        let mut files = Vec::new();
        for entry in fs_err::read_dir(&self.dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.strip_prefix(self.name).and_then(|n| n.strip_prefix('-'));
            let number = number.and_then(|n| n.strip_suffix(".spool")).and_then(|n| n.parse().ok());
            if let Some(number) = number {
                files.push((number, entry.path(), entry.metadata().map_err(fail)?.len()));
            }
        }
        files.sort();
        Ok(files)
    }
}

fn checksum(json: &[u8]) -> String {
    blake3::hash(json).to_hex()[..16].to_owned()
}

/// The good lines of a file.
fn lines_of(path: &Path) -> Result<impl Iterator<Item = Entry>, StoreError> {
    let file = File::open(path).map_err(|e| StoreError::io("read", path, e))?;
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    Ok(lines.filter_map(|line| {
        let (sum, json) = (line.get(..16)?, line.get(17..)?);
        (sum == checksum(json).as_bytes()).then_some(())?;
        serde_json::from_slice(json).ok()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{FeedbackRow, RequestRow};

    fn entry(id: usize) -> Entry {
        Entry::Request(Box::new(RequestRow { id: format!("{id:04}"), ..RequestRow::default() }))
    }

    fn replayed(spool: &mut Spool) -> Vec<String> {
        let mut ids = Vec::new();
        spool
            .replay(&mut |entries| {
                ids.extend(entries.iter().map(|e| match e {
                    Entry::Request(r) => r.id.clone(),
                    Entry::Feedback(f) => f.decision.clone(),
                }));
                Ok(())
            })
            .unwrap();
        ids
    }

    #[test]
    fn what_waits_comes_back_in_order_after_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), "requests", 1 << 20, true).unwrap();
        for i in 0..3 {
            assert_eq!(spool.push(&[&entry(i)]).unwrap(), 0);
        }
        drop(spool);
        // Torn in the last line.
        let file = fs_err::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = fs_err::read(&file).unwrap();
        fs_err::write(&file, &bytes[..bytes.len() - 5]).unwrap();
        let mut spool = Spool::open(dir.path(), "requests", 1 << 20, true).unwrap();
        spool.push(&[&entry(7), &entry(8)]).unwrap();
        let failed = spool.replay(&mut |_| Err(StoreError::DiskFull { path: "x".into() }));
        assert!(failed.is_err() && !spool.is_empty().unwrap());
        assert_eq!(replayed(&mut spool), ["0000", "0001", "0007", "0008"]);
        assert!(spool.is_empty().unwrap());
        assert_eq!(replayed(&mut spool), [""; 0]);
    }

    #[test]
    fn a_full_spool_drops_the_oldest_and_counts_or_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), "requests", 8 << 10, true).unwrap();
        let dropped: u64 = (0..100).map(|i| spool.push(&[&entry(i)]).unwrap()).sum();
        assert!(spool.bytes().unwrap() <= 8 << 10);
        let ids = replayed(&mut spool);
        assert_eq!(ids.len() as u64 + dropped, 100);
        assert_eq!(ids.last().unwrap(), "0099");

        let mut strict = Spool::open(dir.path(), "feedback", 600, false).unwrap();
        let feedback =
            |i: usize| Entry::Feedback(FeedbackRow { decision: i.to_string(), ..FeedbackRow::default() });
        let taken = (0..20).filter(|i| strict.push(&[&feedback(*i)]).is_ok()).count();
        assert!((1..20).contains(&taken));
        assert_eq!(replayed(&mut strict).len(), taken, "what was accepted is kept");
        assert!(strict.push(&[&feedback(1)]).is_ok());
    }
}
