//! Metrics that need no model.

mod meteor;
mod readability;
mod rouge_l;
mod rouge_set;

pub use meteor::meteor;
pub use readability::{EasyWords, coleman_liau, dale_chall};
pub use rouge_l::rouge_l;
pub use rouge_set::{lexeval_tokens, set_rouge_l, set_rouge_l_of};
