//! What can be wrong with MemoryBench's files.

/// Why nothing was scored.
#[derive(Debug, thiserror::Error)]
pub enum MemoryBenchError {
    /// A file that is not what it should be.
    #[error("{file}: {reason}")]
    File {
        /// Its name as given.
        file: String,
        /// What is wrong, and where in it.
        reason: String,
    },
    /// A set that is not of the form `task/NAME` or `domain/NAME`, or that the statistics do not hold.
    #[error("set `{set}`: {reason}")]
    Set {
        /// As given.
        set: String,
        /// What is wrong, and what is there.
        reason: String,
    },
    /// Results that cannot be brought to a score.
    #[error("{data_set}, item {test_idx}: {reason}")]
    Item {
        /// The data set.
        data_set: String,
        /// The item's id.
        test_idx: i64,
        /// What is wrong.
        reason: String,
    },
    /// The judge is lost.
    #[error("judging: {0}")]
    Judge(uno_learn::LearnError),
    /// A given mean that fits nothing.
    #[error("means of the merged score: {0}")]
    Means(String),
}

impl MemoryBenchError {
    /// An error about a file.
    pub fn file(file: &str, reason: impl Into<String>) -> Self {
        Self::File { file: file.to_owned(), reason: reason.into() }
    }
}
