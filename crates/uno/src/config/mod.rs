//! Settings: built-in defaults ← uno.toml ← `UNO_*` environment ← flags.
//!
//! Three moments: what users write ([`sources`]) is merged key by key ([`merge`]), and becomes typed [`Settings`] in
//! which nothing is unknown and everything is in range.

mod merge;
mod settings;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub use merge::{Merged, Origin};
pub use settings::{ClusterBy, ModelSettings, Settings};

use crate::args::SettingsArgs;

/// A wrong setting: what, where, and what to do. Ends with exit status 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key that does not exist.
    #[error("{origin}: unknown setting `{key}`{}", nearest.as_ref().map_or_else(|| ": `uno config show` lists all".to_owned(), |n| format!(": did you mean `{n}`?")))]
    UnknownKey {
        /// Where it was written.
        origin: String,
        /// As it was written.
        key: String,
        /// The nearest key that does exist.
        nearest: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("{origin}: setting `{key}`: {message}")]
    BadValue {
        /// Where it was written.
        origin: String,
        /// The setting.
        key: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Not TOML, or not readable.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// `--set` without `=`.
    #[error("--set {0}: write it as KEY=VALUE, for example --set train.epochs=4")]
    Flag(String),
}

/// Loads the settings that `args`, the environment and the files give.
///
/// # Errors
/// [`ConfigError`], which names the place.
pub fn load(args: &SettingsArgs) -> Result<Settings, ConfigError> {
    load_over(Settings::default(), args)
}

/// As [`load`], with other defaults (the demo has its own).
///
/// # Errors
/// [`ConfigError`].
pub fn load_over(defaults: Settings, args: &SettingsArgs) -> Result<Settings, ConfigError> {
    merged_over(&defaults, args)?.settings()
}

/// Settings with some of them changed: KEY=VALUE, as `--set` takes them.
///
/// # Errors
/// [`ConfigError`].
pub fn with(settings: &Settings, changes: &[&str]) -> Result<Settings, ConfigError> {
    let mut merged = Merged::new(settings);
    let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
    sources::flags(&mut merged, &changes)?;
    merged.settings()
}

/// The settings of a run, with what is said now on top: a named settings file and flags, but neither `uno.toml` nor the
/// environment, which the run's own settings hold already.
///
/// # Errors
/// [`ConfigError`].
pub fn load_over_run(of_run: &Settings, args: &SettingsArgs) -> Result<Settings, ConfigError> {
    let mut merged = Merged::new(of_run);
    if let Some(path) = &args.config {
        sources::file(&mut merged, path)?;
    }
    sources::flags(&mut merged, &args.set)?;
    merged.settings()
}

/// All settings with their origins.
///
/// # Errors
/// [`ConfigError`].
pub fn merged_over(defaults: &Settings, args: &SettingsArgs) -> Result<Merged, ConfigError> {
    let mut merged = Merged::new(defaults);
    match &args.config {
        Some(path) => sources::file(&mut merged, path)?,
        None if Path::new("uno.toml").is_file() => sources::file(&mut merged, Path::new("uno.toml"))?,
        None => {}
    }
    sources::environment(&mut merged, std::env::vars())?;
    sources::flags(&mut merged, &args.set)?;
    merged.inherit_seed();
    merged.inherit_backend();
    Ok(merged)
}

/// The settings that a run was made with, from its manifest.
///
/// # Errors
/// When the manifest was written by another version with other settings.
pub fn of_run(run: &uno_store::RunDir) -> anyhow::Result<Settings> {
    serde_json::from_value(run.manifest().config.clone()).with_context(|| {
        format!("{} holds settings of another version of uno", run.path("run.json").display())
    })
}
