//! HTTP as the gateway uses it: bodies that stream through, replies made here, requests read within bounds.

pub mod body;
pub mod read;
pub mod reply;
pub mod tee;

pub use body::OutBody;
pub use tee::Tee;

/// An answer of the gateway.
pub type Reply = hyper::Response<OutBody>;

/// Why a stream that had begun cannot be ended properly. The connection is cut, so that no client takes a part for the whole.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);
