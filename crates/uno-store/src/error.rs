//! What can go wrong with files of a run.

use std::io;
use std::path::{Path, PathBuf};

/// Every error names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left: nothing half-written stays behind, the run directory can be used again.
    #[error("no space left while writing {}: free some space and run the same command again; finished work is kept", path.display())]
    DiskFull {
        /// The file being written.
        path: PathBuf,
    },
    /// Any other failure of the file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: read, write, create…
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of a JSON-lines file is not what it should be.
    #[error("{}:{line}: not a valid {what}: {message}; delete the file to have it made again", path.display())]
    CorruptLine {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The type the line should hold.
        what: &'static str,
        /// What the parser said.
        message: String,
    },
    /// A JSON file is not what it should be.
    #[error("{}: not a valid {what}: {message}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The type the file should hold.
        what: &'static str,
        /// What the parser said.
        message: String,
    },
    /// Another process works in this run directory.
    #[error("{} is in use by another uno process{}: wait for it, stop it, or choose another --run", path.display(), holder.map_or(String::new(), |pid| format!(" (pid {pid})")))]
    Locked {
        /// The run directory.
        path: PathBuf,
        /// The other process, if it left its number.
        holder: Option<u32>,
    },
    /// The directory holds something else.
    #[error("{} is not a run directory (it has files but no run.json): choose an empty or new directory for --run", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// There is no run where one was expected.
    #[error("{} holds no run (no run.json): make one with `uno learn --logs LOGS --run {}`", path.display(), path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
    },
    /// The database that holds the live log.
    #[error("cannot {action} the log in {place}: {message}")]
    Database {
        /// The file or address, without password.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What the database said.
        message: String,
    },
    /// The directory was made by a newer program.
    #[error("{} has layout version {found}, this program knows up to {known}: use a newer uno", path.display())]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
}

impl StoreError {
    /// Wraps what the system said; a full disk gets its own variant.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::DiskFull { path: path.to_path_buf() }
            }
            _ => StoreError::Io { action, path: path.to_path_buf(), source: plain(source) },
        }
    }
}

/// fs-err puts the path into its message; our own variant names it already.
fn plain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}
