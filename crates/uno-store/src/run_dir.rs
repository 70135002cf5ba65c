//! A run directory: opened, locked, and its manifest kept.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::manifest::{Manifest, OutputStamp, StageState, VERSION};
use crate::{EmbeddingCache, GenerationCache, StageTokens, StoreError, atomic, jsonl};

/// A run directory. While one that was opened for writing lives, no other process can open it so.
#[derive(Debug)]
pub struct RunDir {
    root: PathBuf,
    /// Where caches, plans and adapters lie: `root`, or the run that this is a step of.
    home: PathBuf,
    manifest: Manifest,
    /// Released by the system when the process ends, however it ends.
    lock: Option<File>,
}

impl RunDir {
    /// Opens the directory for work; makes it when it does not exist or is empty.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::NotARun`], [`StoreError::Version`], and what the file system says.
    pub fn open_or_create(root: &Path) -> Result<Self, StoreError> {
        if root.is_dir() && !root.join("run.json").exists() && holds_foreign_files(root)? {
            return Err(StoreError::NotARun { path: root.to_path_buf() });
        }
        for dir in [root.to_path_buf(), root.join("cache"), root.join("adapters")] {
            fs_err::create_dir_all(&dir).map_err(|e| StoreError::io("create", &dir, e))?;
        }
        let lock = lock(root)?;
        let manifest =
            if root.join("run.json").exists() { read_manifest(root)? } else { Manifest::default() };
        let run = Self { root: root.to_path_buf(), home: root.to_path_buf(), manifest, lock: Some(lock) };
        run.save()?;
        Ok(run)
    }

    /// Opens an existing run for reading; several processes may do so at any time.
    ///
    /// # Errors
    /// [`StoreError::NoRun`], [`StoreError::Version`], and what the file system says.
    pub fn open_existing(root: &Path) -> Result<Self, StoreError> {
        if !root.join("run.json").is_file() {
            return Err(StoreError::NoRun { path: root.to_path_buf() });
        }
        Ok(Self {
            root: root.to_path_buf(),
            home: root.to_path_buf(),
            manifest: read_manifest(root)?,
            lock: None,
        })
    }

    /// Opens or makes a directory of this run that has a manifest of its own, and shares this one's caches, plans and
    /// adapters. Whoever writes there holds the lock of this one.
    ///
    /// # Errors
    /// [`StoreError::Io`] and a damaged manifest.
    pub fn step(&self, relative: &str) -> Result<Self, StoreError> {
        let root = self.root.join(relative);
        fs_err::create_dir_all(&root).map_err(|e| StoreError::io("create", &root, e))?;
        let exists = root.join("run.json").exists();
        let manifest = if exists { read_manifest(&root)? } else { Manifest::default() };
        let run = Self { root, home: self.home.clone(), manifest, lock: None };
        run.save()?;
        Ok(run)
    }

    /// As [`Self::step`], for reading; `None` where there is no manifest.
    ///
    /// # Errors
    /// A damaged manifest.
    pub fn existing_step(&self, relative: &str) -> Result<Option<Self>, StoreError> {
        let root = self.root.join(relative);
        if !root.join("run.json").is_file() {
            return Ok(None);
        }
        Ok(Some(Self { manifest: read_manifest(&root)?, root, home: self.home.clone(), lock: None }))
    }

    /// How files of the home are named from here: empty, or "../../" and the like.
    pub fn home_prefix(&self) -> String {
        let below = self.root.strip_prefix(&self.home).map_or(0, |rest| rest.components().count());
        "../".repeat(below)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the directory.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The published plans.
    pub fn plans(&self) -> crate::Plans {
        crate::Plans::new(&self.home)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Changes the manifest and writes it.
    ///
    /// # Errors
    /// When `run.json` cannot be written.
    pub fn update(&mut self, change: impl FnOnce(&mut Manifest)) -> Result<(), StoreError> {
        change(&mut self.manifest);
        self.save()
    }

    fn save(&self) -> Result<(), StoreError> {
        jsonl::write_json(&self.path("run.json"), &self.manifest)
    }

    /// Whether stage `name` is done for exactly this input and all its artefacts are as it wrote them.
    pub fn is_fresh(&self, name: &str, input: &str) -> bool {
        self.manifest.stage(name).is_some_and(|stage| {
            stage.state == StageState::Done
                && stage.input == input
                && stage.outputs.iter().all(|(file, stamp)| stamp.holds(&self.path(file)))
        })
    }

    /// Notes that a stage begins. Time and tokens of an interrupted run on the same input are kept.
    ///
    /// # Errors
    /// When `run.json` cannot be written.
    pub fn begin(&mut self, name: &str, input: &str) -> Result<(), StoreError> {
        self.update(|manifest| {
            let stage = manifest.stage_mut(name);
            if stage.input != input || stage.state == StageState::Done {
                (stage.seconds, stage.tokens) = (0.0, StageTokens::default());
            }
            stage.state = StageState::Running;
            input.clone_into(&mut stage.input);
            stage.outputs.clear();
            stage.error = None;
        })
    }

    /// Notes that a stage is done and stamps its artefacts (paths inside the directory).
    ///
    /// # Errors
    /// When an artefact is missing or `run.json` cannot be written.
    pub fn finish(
        &mut self,
        name: &str,
        outputs: &[String],
        seconds: f64,
        tokens: StageTokens,
    ) -> Result<(), StoreError> {
        let stamps: Result<_, StoreError> =
            outputs.iter().map(|file| Ok((file.clone(), OutputStamp::of(&self.path(file))?))).collect();
        let stamps = stamps?;
        self.update(|manifest| {
            let stage = manifest.stage_mut(name);
            stage.state = StageState::Done;
            stage.outputs = stamps;
            stage.seconds += seconds;
            stage.tokens.add(&tokens);
        })
    }

    /// Notes that a stage ended with an error.
    ///
    /// # Errors
    /// When `run.json` cannot be written.
    pub fn fail(
        &mut self,
        name: &str,
        error: &str,
        seconds: f64,
        tokens: StageTokens,
    ) -> Result<(), StoreError> {
        self.update(|manifest| {
            let stage = manifest.stage_mut(name);
            stage.state = StageState::Failed;
            stage.error = Some(error.to_owned());
            stage.seconds += seconds;
            stage.tokens.add(&tokens);
        })
    }

    /// Opens the generation cache.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn generations(&self) -> Result<GenerationCache, StoreError> {
        GenerationCache::open(&self.home.join("cache/generations.jsonl"))
    }

    /// Opens the embedding cache.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn embeddings(&self) -> Result<EmbeddingCache, StoreError> {
        EmbeddingCache::open(&self.home.join("cache/embeddings.jsonl"))
    }

    /// Writes a JSON-lines artefact.
    ///
    /// # Errors
    /// As [`jsonl::write`].
    pub fn write_lines<T: Serialize>(&self, file: &str, items: &[T]) -> Result<(), StoreError> {
        jsonl::write(&self.path(file), items)
    }

    /// Reads a JSON-lines artefact.
    ///
    /// # Errors
    /// As [`jsonl::read`].
    pub fn read_lines<T: DeserializeOwned>(&self, file: &str) -> Result<Vec<T>, StoreError> {
        jsonl::read(&self.path(file))
    }

    /// Writes a JSON artefact.
    ///
    /// # Errors
    /// As [`jsonl::write_json`].
    pub fn write_json<T: Serialize>(&self, file: &str, value: &T) -> Result<(), StoreError> {
        jsonl::write_json(&self.path(file), value)
    }

    /// Reads a JSON artefact.
    ///
    /// # Errors
    /// As [`jsonl::read_json`].
    pub fn read_json<T: DeserializeOwned>(&self, file: &str) -> Result<T, StoreError> {
        jsonl::read_json(&self.path(file))
    }

    /// Writes any artefact.
    ///
    /// # Errors
    /// As [`atomic::write`].
    pub fn write_bytes(&self, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        atomic::write(&self.path(file), bytes)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Closing alone would not do while a child process that is just being started still holds a copy of the file.
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

fn read_manifest(root: &Path) -> Result<Manifest, StoreError> {
    let path = root.join("run.json");
    let manifest: Manifest = jsonl::read_json(&path)?;
    if manifest.version > VERSION {
        return Err(StoreError::Version { path, found: manifest.version, known: VERSION });
    }
    Ok(manifest)
}

/// A process killed between making the directory and writing run.json leaves only our own sub-directories and lock.
fn holds_foreign_files(root: &Path) -> Result<bool, StoreError> {
    let fail = |e| StoreError::io("read", root, e);
    for entry in fs_err::read_dir(root).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        if !["cache", "adapters", ".lock", ".run.json.tmp"].iter().any(|ours| name == *ours) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lock(root: &Path) -> Result<File, StoreError> {
    let path = root.join(".lock");
    let fail = |e| StoreError::io("lock", &path, e);
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {
            // The number is a courtesy for the message of the next process; the lock itself is the system's.
            let pid = std::process::id().to_string();
            let noted =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes()));
            noted.map_err(fail)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let holder = file.read_to_string(&mut pid).ok().and_then(|_| pid.trim().parse().ok());
            Err(StoreError::Locked { path: root.to_path_buf(), holder })
        }
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}
