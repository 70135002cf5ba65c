//! A file mapped into memory.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::EngineError;

/// A read-only memory map that knows which file it shows.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    map: Mmap,
}

impl MappedFile {
    /// Maps `path`. An empty file is a [`EngineError::Format`]: no weight format is empty.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let file = File::open(path).map_err(EngineError::io("open", path))?;
        let length = file.metadata().map_err(EngineError::io("read", path))?.len();
        if length == 0 {
            return Err(EngineError::format(path, "the file is empty; fetch it again"));
        }
        // SAFETY: the map is read-only and private to this struct. Another process that rewrites the file in place
        // while it is open could change bytes under us (the numbers read would be wrong; truncation would raise
        // SIGBUS); model files are written once and replaced by rename, which leaves this map untouched.
        let map = unsafe { Mmap::map(&file) }.map_err(EngineError::io("map", path))?;
        Ok(Self { path: path.to_owned(), map })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
