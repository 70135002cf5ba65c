//! Files that are either whole or absent, and append-only logs that forgive a torn last line.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use fs_err as fs;

/// Writes `bytes` beside `path`, makes them durable and renames them into place.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(&temporary, path)
}

/// Renames and makes the directory entry durable.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    match to.parent() {
        // Windows cannot open directories as files; there the rename alone has to do.
        Some(dir) if cfg!(unix) => fs::File::open(dir)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

/// Takes the directory for this process until the file is dropped; `None` when another process has it. The system
/// releases it when a process dies in whatever way.
pub(crate) fn lock(dir: &Path) -> io::Result<Option<File>> {
    let file = fs::OpenOptions::new().create(true).append(true).open(dir.join(".lock"))?.into_parts().0;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Complete lines of a log; nothing when it does not exist. Lines that are not UTF-8 and a last line without a line
/// break are left out: a crash can leave them.
pub(crate) fn read_lines(path: &Path) -> io::Result<Vec<String>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        if bytes.pop() == Some(b'\n')
            && let Ok(line) = String::from_utf8(std::mem::take(&mut bytes))
        {
            lines.push(line);
        }
        bytes.clear();
    }
    Ok(lines)
}

/// A log opened for appending JSON lines.
#[derive(Debug)]
pub(crate) struct JsonLog(fs::File);

impl JsonLog {
    /// Replaces the log by `lines` when it holds anything else (a torn last line, lines beyond the resume point), then
    /// opens it for appending.
    pub(crate) fn open_with(path: &Path, lines: &[String]) -> io::Result<Self> {
        let mut wanted = lines.join("\n").into_bytes();
        if !wanted.is_empty() {
            wanted.push(b'\n');
        }
        let present = match fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if present.is_some_and(|bytes| bytes != wanted) {
            write_atomically(path, &wanted)?;
        }
        Ok(Self(fs::OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Appends one line with one write, so that another reader never sees half of it unless the machine stops.
    pub(crate) fn append(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value).map_err(io::Error::other)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_and_foreign_lines_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        std::fs::write(&path, b"{\"a\":1}\n\xff\xfe\n{\"a\":2}\n{\"a\":").unwrap();
        let lines = read_lines(&path).unwrap();
        assert_eq!(lines, ["{\"a\":1}", "{\"a\":2}"]);
        JsonLog::open_with(&path, &lines).unwrap().append(&serde_json::json!({"a": 3})).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    }

    #[test]
    fn absent_log_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        assert!(read_lines(&path).unwrap().is_empty());
        JsonLog::open_with(&path, &[]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn lock_is_exclusive_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        assert!(held.is_some());
        assert!(lock(dir.path()).unwrap().is_none());
        drop(held);
        assert!(lock(dir.path()).unwrap().is_some());
    }
}
