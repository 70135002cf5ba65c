//! What can go wrong with a server, in words that say what to do.

use uno_types::ModelError;

/// A failed request, after the retries that made sense.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RemoteError {
    /// The configuration cannot work.
    #[error("{0}")]
    Config(String),
    /// Nothing answers at the address, for any request.
    #[error(
        "no answer from {url}: {cause}; is the server running and the base URL right? (tried {attempts} times)"
    )]
    Gone {
        /// The URL.
        url: String,
        /// The last failure.
        cause: String,
        /// Attempts made.
        attempts: u32,
    },
    /// The connection of this request failed although the server is there.
    #[error(
        "{url}: {cause} ({attempts} attempts); the server is there, so this request seems to break it: see its log"
    )]
    Connection {
        /// The URL.
        url: String,
        /// The last failure.
        cause: String,
        /// Attempts made.
        attempts: u32,
    },
    /// The server answered with an error status.
    #[error("{url} answered {status}{}: {message}{}", tried(*.attempts), advice(*.status))]
    Status {
        /// The URL.
        url: String,
        /// HTTP status.
        status: u16,
        /// The server's own words, shortened.
        message: String,
        /// Attempts made.
        attempts: u32,
    },
    /// The server answered 200 with something else than the API promises.
    #[error(
        "{url} answered something that is not an OpenAI API answer ({cause}): {excerpt:?}; check that the base URL is the API of a model server and not a web page or proxy"
    )]
    Garbage {
        /// The URL.
        url: String,
        /// What was wrong with it.
        cause: String,
        /// Its beginning.
        excerpt: String,
    },
    /// An adapter cannot be used.
    #[error("adapter {name}: {problem}")]
    Adapter {
        /// The adapter's name.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A reranker or embedder gives results that cannot be right.
    #[error("{0}")]
    SelfTest(String),
}

impl RemoteError {
    /// Whether no other request to the server can work either.
    pub fn is_gone(&self) -> bool {
        matches!(self, RemoteError::Gone { .. })
    }
}

impl From<RemoteError> for ModelError {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Config(_) | RemoteError::Adapter { .. } => ModelError::Invalid(error.to_string()),
            _ => ModelError::Upstream(error.to_string()),
        }
    }
}

fn tried(attempts: u32) -> String {
    if attempts > 1 { format!(" ({attempts} times)") } else { String::new() }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "; check the API key",
        404 => "; check the base URL and the model's name",
        429 => "; lower `concurrency` or ask for a higher rate limit, then run again: finished work is kept",
        500..=599 => "; see the server's log, then run again: finished work is kept",
        _ => "",
    }
}

/// The first characters of a text, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const MOST: usize = 300;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
