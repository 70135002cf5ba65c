//! Files: directories are walked, gzip is undone, other binary formats are named.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use fs_err as fs;

use crate::IngestError;

/// Endings of the files that a directory is searched for, before an optional `.gz`.
const ENDINGS: [&str; 3] = [".jsonl", ".ndjson", ".json"];

/// All log files under `paths`, in order; those of a directory sorted by name, with its subdirectories.
///
/// # Errors
/// [`IngestError::Io`] for a path that does not exist, [`IngestError::NoFiles`] for a directory without log files.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, IngestError> {
    let mut out = Vec::new();
    for path in paths {
        if fs::metadata(path)?.is_dir() {
            let before = out.len();
            walk(path, &mut out)?;
            if out.len() == before {
                return Err(IngestError::NoFiles(path.clone()));
            }
        } else {
            out.push(path.clone());
        }
    }
    Ok(out)
}

fn walk(directory: &Path, out: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    let entries: Result<Vec<_>, _> = fs::read_dir(directory)?.collect();
    let mut entries = entries?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if kind.is_dir() && !name.starts_with('.') {
            walk(&entry.path(), out)?;
        } else if kind.is_file() {
            let name = name.strip_suffix(".gz").unwrap_or(&name);
            if ENDINGS.iter().any(|e| name.ends_with(e)) {
                out.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Opens a file for reading, through gzip when its first bytes say so, without a byte order mark.
///
/// # Errors
/// [`IngestError::Io`]; [`IngestError::UnknownFormat`] for Parquet, zip and UTF-16.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, IngestError> {
    let mut raw = BufReader::with_capacity(1 << 16, fs::File::open(path)?);
    let head = raw.fill_buf()?;
    let refused = match head {
        [b'P', b'A', b'R', b'1', ..] => Some("this is a Parquet file; convert it to JSON lines first"),
        [b'P', b'K', 3, 4, ..] => Some("this is a zip archive; unpack it first"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("this file is UTF-16; convert it to UTF-8 first"),
        _ => None,
    };
    if let Some(saw) = refused {
        let known = crate::Format::known();
        return Err(IngestError::UnknownFormat { file: path.to_owned(), saw: saw.to_owned(), known });
    }
    let mut reader: Box<dyn BufRead> = match head {
        [0x1F, 0x8B, ..] => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw))),
        _ => Box::new(raw),
    };
    skip_byte_order_mark(&mut reader)?;
    Ok(reader)
}

fn skip_byte_order_mark(reader: &mut Box<dyn BufRead>) -> std::io::Result<()> {
    // A cut gzip file fails here or later; either way the row reader reports it.
    let Ok(head) = reader.fill_buf() else { return Ok(()) };
    if head.starts_with(&[0xEF, 0xBB, 0xBF]) {
        reader.consume(3);
    } else if head.len() < 3 && head.first() == Some(&0xEF) {
        let mut mark = [0; 3];
        reader.read_exact(&mut mark)?;
    }
    Ok(())
}
