//! Routing: the plan in force, the question's embedding, and the decision.

mod cache;
mod decide;
mod embed;
mod snapshot;

pub use decide::{Asked, decide};
pub use embed::{EmbedError, EmbedThread};
pub use snapshot::{PlanSource, Plans, Snapshot};
