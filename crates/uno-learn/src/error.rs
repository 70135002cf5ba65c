//! What can go wrong in the method's own arithmetic and stages.

use uno_types::ModelError;

/// Why a stage or a computation gave no result. Every message says what, where and what to do.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum LearnError {
    /// A vector or matrix has another shape than the rest.
    #[error(
        "{what}: expected {expected} values, found {found}; all vectors of a run must come from the same embedder"
    )]
    Shape {
        /// Which vector, for example `rule embeddings of record r17`.
        what: String,
        /// Length that was needed.
        expected: usize,
        /// Length that was given.
        found: usize,
    },
    /// A vector holds NaN or an infinity.
    #[error(
        "{what}: value {position} is not a finite number; embed the texts again or check the embedding model"
    )]
    NotFinite {
        /// Which vector.
        what: String,
        /// Position of the first such value.
        position: usize,
    },
    /// More points than the quadratic algorithm is meant for.
    #[error(
        "{found} records are too many to cluster at once (limit {limit}); sample the logs or learn in steps"
    )]
    TooMany {
        /// Records given.
        found: usize,
        /// Largest number accepted.
        limit: usize,
    },
    /// Nothing to work on.
    #[error("{0}")]
    Empty(String),
    /// A parameter lies outside its range.
    #[error("{name} = {value} is out of range: {expected}")]
    Parameter {
        /// Its name in the configuration.
        name: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The model gave up.
    #[error("{stage}: {source}")]
    Model {
        /// The stage that asked.
        stage: &'static str,
        /// Why.
        source: ModelError,
    },
}
