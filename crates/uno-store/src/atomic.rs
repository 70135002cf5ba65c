//! Files that are either the old or the new one, never half of one.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Calls `fill` with a writer and puts what it wrote in the place of `path`: temporary file beside it, fsync, rename,
/// fsync of the directory. On any error the temporary file is removed and `path` is as it was.
///
/// # Errors
/// [`StoreError::DiskFull`] or [`StoreError::Io`].
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), StoreError> {
    let temporary = temporary_name(path);
    let written = write_temporary(&temporary, fill)
        .and_then(|()| fs_err::rename(&temporary, path))
        .and_then(|()| sync_directory(path));
    written.map_err(|error| {
        // The first error is what matters; a temporary file that cannot be removed is overwritten next time.
        let _ = fs_err::remove_file(&temporary);
        StoreError::io("write", path, error)
    })
}

/// Writes `bytes` as the whole of `path`; see [`write_with`].
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_with(path, |out| out.write_all(bytes))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

fn write_temporary(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(fs_err::File::create(path)?);
    fill(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()
}

/// A rename is durable once its directory is synced.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if cfg!(unix) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            fs_err::File::open(parent)?.sync_all()
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |out| {
            out.write_all(b"half of the ne")?;
            Err(std::io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(failed, Err(StoreError::DiskFull { .. })), "{failed:?}");
        assert_eq!(fs_err::read(&path).unwrap(), b"old");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    }
}
