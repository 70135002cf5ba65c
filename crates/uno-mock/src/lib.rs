//! An OpenAI-compatible server for tests. It looks like vLLM: chat, completions with echo, embeddings, the model list, and
//! adapters loaded at run time. Answers are deterministic and depend on the model's name, the adapter's files and the
//! prompt, so that a test can tell who answered. Faults are switched on while it runs.
//!
//! ```
//! let server = uno_mock::MockServer::start(uno_mock::MockConfig::default()).unwrap();
//! server.fail_next(2, uno_mock::Fault::Status(500));
//! assert!(server.base_url().starts_with("http://127.0.0.1:"));
//! ```

mod adapters;
mod answer;
mod chat;
mod completions;
mod embeddings;
mod fault;
mod server;
mod state;
mod stream;

pub use answer::{chat_answer, logprob};
pub use fault::{AdapterFault, Fault, Refusal};
pub use server::MockServer;
pub use state::{MockConfig, Seen};
