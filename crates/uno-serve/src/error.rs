//! Why the gateway cannot serve at all. What happens to single requests is no [`ServeError`]: clients get a reply.

use std::io;

/// What, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another serve.listen")]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A setting that cannot be right.
    #[error("{0}")]
    Settings(String),
    /// The system's certificates cannot be used.
    #[error("certificates for https cannot be loaded: {0}; install the system's CA certificates")]
    Tls(String),
    /// The log store.
    #[error(transparent)]
    Store(#[from] uno_store::StoreError),
    /// The file of API keys.
    #[error("{path}: {message}")]
    Keys {
        /// The file.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// Threads or sockets.
    #[error("{0}")]
    Io(#[from] io::Error),
}
