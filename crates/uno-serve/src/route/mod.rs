//! Routing: the plan in force, the question's embedding, and the decision.

mod cache;
mod decide;
mod embed;
mod plans;
mod snapshot;

pub use decide::{Asked, decide};
pub use embed::{EmbedError, EmbedThread};
pub use plans::Plans;
pub use snapshot::{PlanSource, Snapshot};
