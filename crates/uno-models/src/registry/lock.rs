//! One process at a time pulls a model.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::error::RegistryError;
use super::progress::Progress;

/// Held until dropped; the system releases it when the process dies.
pub(super) struct Lock(#[expect(dead_code, reason = "closing it is what releases the lock")] File);

/// Waits for the lock, telling so when it is taken.
pub(super) fn lock(path: &Path, progress: &dyn Progress) -> Result<Lock, RegistryError> {
    let file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(path)?.into_file();
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.step("waiting for another process that is pulling the same model");
            file.lock()?;
        }
        Err(TryLockError::Error(e)) => return Err(e.into()),
    }
    Ok(Lock(file))
}
