//! JSON lines: one object a line.

use std::io::BufRead;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{StoreError, atomic};

/// Writes one line per item, atomically.
///
/// # Errors
/// As [`atomic::write_with`].
pub fn write<T: Serialize>(path: &Path, items: &[T]) -> Result<(), StoreError> {
    atomic::write_with(path, |out| {
        for item in items {
            serde_json::to_writer(&mut *out, item)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Reads every line; blank lines are skipped.
///
/// # Errors
/// [`StoreError::CorruptLine`] with file and line, or [`StoreError::Io`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, StoreError> {
    let file = fs_err::File::open(path).map_err(|e| StoreError::io("read", path, e))?;
    let mut reader = std::io::BufReader::new(file);
    let (mut items, mut buffer, mut line) = (Vec::new(), Vec::new(), 0);
    loop {
        buffer.clear();
        line += 1;
        let read = reader.read_until(b'\n', &mut buffer).map_err(|e| StoreError::io("read", path, e))?;
        if read == 0 {
            return Ok(items);
        }
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        items.push(serde_json::from_slice(&buffer).map_err(|error| StoreError::CorruptLine {
            path: path.to_path_buf(),
            line,
            what: short_name::<T>(),
            message: error.to_string(),
        })?);
    }
}

/// Writes a value as indented JSON with a final newline, atomically.
///
/// # Errors
/// As [`atomic::write_with`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    atomic::write_with(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Reads a JSON file.
///
/// # Errors
/// [`StoreError::Corrupt`] with the position, or [`StoreError::Io`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let bytes = fs_err::read(path).map_err(|e| StoreError::io("read", path, e))?;
    serde_json::from_slice(&bytes).map_err(|error| StoreError::Corrupt {
        path: path.to_path_buf(),
        what: short_name::<T>(),
        message: error.to_string(),
    })
}

/// The type's own name, without its path and generics.
fn short_name<T>() -> &'static str {
    let full = std::any::type_name::<T>();
    let head = full.split('<').next().unwrap_or(full);
    head.rsplit("::").next().unwrap_or(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_corrupt_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        fs_err::write(&path, "{\"a\":1}\n\n{\"a\":\n").unwrap();
        let error = read::<serde_json::Value>(&path).unwrap_err().to_string();
        assert!(error.contains("x.jsonl:3: not a valid Value"), "{error}");
        fs_err::write(&path, b"\"\xff\xfe\"\n").unwrap();
        assert!(read::<String>(&path).unwrap_err().to_string().contains("x.jsonl:1"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(items in proptest::collection::vec(".*", 0..20)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.jsonl");
            write(&path, &items).unwrap();
            prop_assert_eq!(read::<String>(&path).unwrap(), items);
        }
    }
}
