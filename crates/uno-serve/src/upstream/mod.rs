//! The servers that answer: which one, how it is asked, and what it holds for us.

mod address;
mod body;
mod client;
mod lease;
mod nudge;
mod replica;
mod replicas;
mod wire;

pub use address::Address;
pub use body::UpBody;
pub use client::{Client, SendError};
pub use lease::Lease;
pub use replica::{Hold, Replica};
pub use replicas::Replicas;

/// An answer of a server, its body not read yet.
pub type UpReply = hyper::Response<UpBody>;
