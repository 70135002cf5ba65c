//! The protocols: which logs a system has seen when it is tested.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::simulate::script::shuffle;

/// When a system is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Once, after all logs.
    OffPolicy,
    /// Before the first log, and after every batch of so many.
    Stepwise {
        /// Logs of a batch; at least one.
        batch: usize,
    },
}

/// One step: logs that are new, then a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Directory of its results: `begin`, `000-100`, …; empty for off-policy.
    pub name: String,
    /// Positions of the new logs in the shuffled order.
    pub new: Range<usize>,
}

/// The steps over `logs` logs.
pub fn steps(protocol: Protocol, logs: usize) -> Vec<Step> {
    match protocol {
        Protocol::OffPolicy => vec![Step { name: String::new(), new: 0..logs }],
        Protocol::Stepwise { batch } => {
            let begin = Step { name: "begin".into(), new: 0..0 };
            let starts = (0..logs).step_by(batch.max(1));
            let batches = starts.map(|from| {
                let to = (from + batch.max(1)).min(logs);
                Step { name: format!("{from:03}-{to:03}"), new: from..to }
            });
            std::iter::once(begin).chain(batches).collect()
        }
    }
}

/// The order in which logs come: shuffled by the seed. (MemoryBench shuffles by Python's generator, so its order is another.)
pub fn order(logs: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..logs).collect();
    shuffle(&mut order, &mut ChaCha8Rng::seed_from_u64(seed));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_log_comes_once_and_the_first_test_is_on_nothing() {
        let steps = steps(Protocol::Stepwise { batch: 100 }, 250);
        let names: Vec<&str> = steps.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["begin", "000-100", "100-200", "200-250"]);
        assert_eq!(steps.iter().map(|s| s.new.len()).sum::<usize>(), 250);
        assert_eq!(super::steps(Protocol::OffPolicy, 7), [Step { name: String::new(), new: 0..7 }]);
        assert_eq!(super::steps(Protocol::Stepwise { batch: 0 }, 0).len(), 1);
    }

    #[test]
    fn the_order_is_the_seeds() {
        let mut a = order(50, 42);
        assert_eq!(a, order(50, 42));
        assert_ne!(a, order(50, 43));
        a.sort_unstable();
        assert_eq!(a, (0..50).collect::<Vec<_>>());
    }
}
