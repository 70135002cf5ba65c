//! An append-only file of keyed, checksummed lines that survives `kill -9` and a full disk.
//!
//! One line is `{"k":KEY,"c":CHECKSUM,"v":VALUE}`; the checksum covers key and value. A line reaches the kernel with a
//! single write before [`AppendLog::append`] returns, so that only a crash of the machine can lose it
//! ([`AppendLog::sync`] guards against that, too).

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::StoreError;

/// What opening a log found besides good lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Lines with a wrong checksum or form, left where they are and ignored.
    pub corrupt: usize,
    /// Bytes of an unfinished last line that were cut off.
    pub torn_bytes: u64,
}

/// The open file. Not synchronised: its users hold a mutex.
#[derive(Debug)]
pub struct AppendLog {
    path: PathBuf,
    file: File,
    /// Where the last good line ends.
    end: u64,
    /// Set when a failed append could not be undone; then the file must be opened afresh.
    broken: bool,
}

#[derive(Serialize)]
struct LineOut<'a> {
    k: &'a str,
    c: &'a str,
    v: &'a RawValue,
}

#[derive(Deserialize)]
struct LineIn<'a> {
    k: &'a str,
    c: &'a str,
    #[serde(borrow)]
    v: &'a RawValue,
}

impl AppendLog {
    /// Opens or creates the log and hands every good line to `each`, in order. An unfinished last line is cut off.
    ///
    /// # Errors
    /// When the file cannot be read or cut.
    pub fn open<T: DeserializeOwned>(
        path: &Path,
        each: impl FnMut(&str, T),
    ) -> Result<(Self, Recovery), StoreError> {
        let fail = |action| move |error| StoreError::io(action, path, error);
        let file = File::options().read(true).append(true).create(true).open(path).map_err(fail("open"))?;
        let (end, recovery) = scan_file(path, &file, each)?;
        if recovery.torn_bytes > 0 {
            file.set_len(end).map_err(fail("repair"))?;
        }
        Ok((Self { path: path.to_path_buf(), file, end, broken: false }, recovery))
    }

    /// Reads a log that another process may be writing: nothing is repaired. A missing file holds nothing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn scan<T: DeserializeOwned>(path: &Path, each: impl FnMut(&str, T)) -> Result<Recovery, StoreError> {
        match File::open(path) {
            Ok(file) => Ok(scan_file(path, &file, each)?.1),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Recovery::default()),
            Err(error) => Err(StoreError::io("read", path, error)),
        }
    }

    /// Appends one line. When that fails, what was written of it is cut off again.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Io`].
    pub fn append<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), StoreError> {
        if self.broken {
            return Err(StoreError::io("append to", &self.path, io::ErrorKind::StorageFull.into()));
        }
        let line = render(key, value).map_err(|e| StoreError::io("append to", &self.path, e.into()))?;
        match self.file.write_all(&line) {
            Ok(()) => {
                self.end += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.broken = self.file.set_len(self.end).is_err();
                Err(StoreError::io("append to", &self.path, error))
            }
        }
    }

    /// Forces everything to the disk.
    ///
    /// # Errors
    /// When the system says so.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| StoreError::io("sync", &self.path, e))
    }
}

/// Hands every good line to `each`; says where the last whole line ends.
fn scan_file<T: DeserializeOwned>(
    path: &Path,
    file: &File,
    mut each: impl FnMut(&str, T),
) -> Result<(u64, Recovery), StoreError> {
    let mut recovery = Recovery::default();
    let mut reader = io::BufReader::new(file);
    let (mut end, mut line) = (0u64, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|e| StoreError::io("read", path, e))? as u64;
        if read == 0 {
            return Ok((end, recovery));
        }
        if line.last() != Some(&b'\n') {
            recovery.torn_bytes = read;
            return Ok((end, recovery));
        }
        end += read;
        match parse(&line) {
            Some((key, value)) => each(key, value),
            None => recovery.corrupt += 1,
        }
    }
}

fn checksum(key: &str, value: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes()).update(b"\n").update(value.as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}

fn render<T: Serialize>(key: &str, value: &T) -> serde_json::Result<Vec<u8>> {
    let value = serde_json::value::to_raw_value(value)?;
    let mut line = serde_json::to_vec(&LineOut { k: key, c: &checksum(key, value.get()), v: &value })?;
    line.push(b'\n');
    Ok(line)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Option<(&str, T)> {
    let line: LineIn<'_> = serde_json::from_slice(line).ok()?;
    (checksum(line.k, line.v.get()) == line.c).then_some(())?;
    Some((line.k, serde_json::from_str(line.v.get()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load(path: &Path) -> (Vec<(String, String)>, Recovery) {
        let mut lines = Vec::new();
        let (_, recovery) = AppendLog::open(path, |k, v: String| lines.push((k.to_owned(), v))).unwrap();
        (lines, recovery)
    }

    #[test]
    fn a_full_disk_is_a_typed_error() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let file = File::options().append(true).open(full).unwrap();
        let mut log = AppendLog { path: full.into(), file, end: 0, broken: false };
        assert!(matches!(log.append("k", &"v"), Err(StoreError::DiskFull { .. })));
        assert!(matches!(log.append("k", &"v"), Err(StoreError::DiskFull { .. })));
    }

    #[test]
    fn a_flipped_byte_costs_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut log, _) = AppendLog::open(&path, |_, _: String| ()).unwrap();
        for k in ["a", "b", "c"] {
            log.append(k, &"value").unwrap();
        }
        let text = fs_err::read_to_string(&path)
            .unwrap()
            .replacen("value", "valve", 2)
            .replacen("valve", "value", 1);
        fs_err::write(&path, text).unwrap();
        let (lines, recovery) = load(&path);
        assert_eq!(lines.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(recovery, Recovery { corrupt: 1, torn_bytes: 0 });
    }

    proptest! {
        #[test]
        fn cut_anywhere_keeps_every_whole_line(values in proptest::collection::vec(".*", 1..8), share in 0.0..1.0f64) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log");
            let (mut log, _) = AppendLog::open(&path, |_, _: String| ()).unwrap();
            let mut ends = vec![0];
            for (i, value) in values.iter().enumerate() {
                log.append(&i.to_string(), value).unwrap();
                ends.push(fs_err::metadata(&path).unwrap().len());
            }
            let cut = (ends[values.len()] as f64 * share) as u64;
            File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
            let whole = ends.iter().filter(|&&e| e <= cut).count() - 1;
            let (lines, recovery) = load(&path);
            prop_assert_eq!(lines.len(), whole);
            prop_assert_eq!(recovery.torn_bytes, cut - ends[whole]);
            let (mut log, _) = AppendLog::open(&path, |_, _: String| ()).unwrap();
            log.append("again", &"x").unwrap();
            prop_assert_eq!(load(&path).0.len(), whole + 1);
        }
    }
}
