//! How to reach a server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A secret that no log, error or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Wraps a key; white space around it (a newline of a secrets file) is dropped.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into().trim().to_owned())
    }
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// Where the server sees the directory that adapters are written to, when it sees it elsewhere (container, shared disk).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathMap {
    /// Prefix on this machine.
    pub local: PathBuf,
    /// The same directory as the server names it.
    pub server: PathBuf,
}

impl PathMap {
    /// The server's name for a local path.
    pub fn map(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.local).map_or_else(|_| path.to_owned(), |rest| self.server.join(rest))
    }
}

/// How to reach one model of one server.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// For example `http://127.0.0.1:8000/v1`; `/v1` is added when missing.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<ApiKey>,
    /// The model's name on the server; empty: the only base model that the server lists.
    pub model: String,
    /// For one attempt, from sending to the last byte.
    pub timeout: Duration,
    /// For establishing a connection.
    pub connect_timeout: Duration,
    /// Further attempts after the first.
    pub retries: u32,
    /// Pause before the first further attempt; doubles each time, with jitter.
    pub backoff: Duration,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Adapters the server was started to hold (`--max-loras`).
    pub max_loras: usize,
    /// Tokens of context, for servers that do not tell (`max_model_len`).
    pub context_length: Option<usize>,
    /// Set when the server sees the adapter directory elsewhere.
    pub adapter_paths: Option<PathMap>,
}

impl RemoteConfig {
    /// The defaults: 5 minutes an attempt, 4 retries from 0.5 s, 8 in flight, 4 adapters.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            model: model.into(),
            timeout: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(5),
            retries: 4,
            backoff: Duration::from_millis(500),
            concurrency: 8,
            max_loras: 4,
            context_length: None,
            adapter_paths: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_not_in_debug_output() {
        let mut config = RemoteConfig::new("http://localhost", "m");
        config.api_key = Some(ApiKey::new("sk-secret\n"));
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(config.api_key.unwrap().expose(), "sk-secret");
    }

    #[test]
    fn paths_are_mapped_below_the_prefix_only() {
        let map = PathMap { local: "/runs".into(), server: "/mnt/runs".into() };
        assert_eq!(map.map(Path::new("/runs/a/adapters/x")), Path::new("/mnt/runs/a/adapters/x"));
        assert_eq!(map.map(Path::new("/other/x")), Path::new("/other/x"));
    }
}
