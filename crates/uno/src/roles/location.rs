//! Where a model lies.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use uno_store::{hash, manifest};

use crate::config::ModelSettings;

/// A file or directory on this machine, or a model of a server.
#[derive(Clone, Debug)]
pub enum Location {
    /// Run by the embedded engine.
    Embedded {
        /// The GGUF file or Hugging Face directory.
        path: PathBuf,
    },
    /// Behind an OpenAI-compatible server.
    Remote {
        /// Base address.
        url: String,
        /// Name on the server.
        model: String,
        /// Variable that holds the key; empty: none.
        api_key_env: String,
    },
}

impl Location {
    /// Finds the model of a role; pulls a default model that is not there yet.
    ///
    /// # Errors
    /// When there is no such model, or it cannot be pulled.
    pub fn of(role: &str, model: &ModelSettings) -> anyhow::Result<Self> {
        if model.is_remote() {
            return Ok(Location::Remote {
                url: model.url.clone(),
                model: model.model.clone(),
                api_key_env: model.api_key_env.clone(),
            });
        }
        let path = crate::commands::models::resolve_or_pull(&model.model)
            .with_context(|| format!("the model `{}` for the role {role}", model.model))?;
        Ok(Location::Embedded { path })
    }

    /// Changes whenever the model may have changed; cheap.
    ///
    /// # Errors
    /// When the files cannot be looked at.
    pub fn stamp(&self) -> anyhow::Result<String> {
        match self {
            Location::Embedded { path } => Ok(manifest::stamp_of(path)?),
            Location::Remote { url, model, .. } => Ok(hash::of_value(&(url, model))),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Embedded { path } => write!(f, "{}", path.display()),
            Location::Remote { url, model, .. } => write!(f, "{model} at {url}"),
        }
    }
}
