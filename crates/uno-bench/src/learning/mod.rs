//! The learning benchmark: simulated users with house rules, noise, held-out questions; what a system learned of the rules
//! and what it spoiled, both scored by programs; and the tables and pictures of it.

mod plot;
mod question;
mod score;
mod table;

pub use plot::{Bar, Line, bars, lines};
pub use question::{TestQuestion, questions};
pub use score::{Answered, Damage, Obeyed, Score, obeyed, obeys, perplexity, score};
pub use table::{Cell, ahead_of, csv, text};

use serde::{Deserialize, Serialize};

use crate::simulate::{Domain, NoiseKind, SimulateOptions, all_domains};

/// Size of the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningOptions {
    /// Domains by name.
    pub domains: Vec<String>,
    /// Conversations of a domain.
    pub per_domain: usize,
    /// Held-out questions of a domain.
    pub held_out: usize,
    /// Questions of no domain.
    pub neutral: usize,
    /// Shares of conversations whose users do not voice the house rule, 0 to 0.5.
    pub noise: Vec<f64>,
    /// Seeds of the logs. Each is learnt from and tested on its own; figures are over all.
    pub seeds: Vec<u64>,
}

impl Default for LearningOptions {
    /// Six domains, two of each kind of rule; 40 conversations each, so that a dozen records can be held out.
    fn default() -> Self {
        let names = ["cooking", "office", "travel", "health", "finance", "gardening"];
        Self {
            domains: names.map(str::to_owned).to_vec(),
            per_domain: 40,
            held_out: 10,
            neutral: 12,
            noise: vec![0.0, 0.3],
            seeds: vec![42],
        }
    }
}

impl LearningOptions {
    /// One domain of each kind of rule, one level of noise.
    pub fn quick() -> Self {
        Self {
            domains: ["cooking", "health", "finance"].map(str::to_owned).to_vec(),
            held_out: 8,
            neutral: 8,
            noise: vec![0.2],
            ..Self::default()
        }
    }

    /// The domains.
    ///
    /// # Errors
    /// The first name that is none, with those that are.
    pub fn chosen(&self) -> Result<Vec<Domain>, String> {
        let mut known = all_domains();
        let mut chosen = Vec::new();
        for name in &self.domains {
            let Some(i) = known.iter().position(|d| d.name == name) else {
                let names: Vec<&str> = known.iter().map(|d| d.name).collect();
                return Err(format!(
                    "`{name}` is no domain, or there twice; there are still {}",
                    names.join(", ")
                ));
            };
            chosen.push(known.remove(i));
        }
        if chosen.len() < 2 { Err("at least two domains are needed".into()) } else { Ok(chosen) }
    }

    /// How logs of a noise level are simulated. The level changes who says what, not what is asked; the seed changes both.
    pub fn simulation(&self, noise: f64, seed: u64) -> SimulateOptions {
        SimulateOptions {
            seed,
            per_domain: self.per_domain,
            held_out: self.held_out,
            noise,
            noise_kinds: NoiseKind::OF_BENCHMARK.to_vec(),
            ..SimulateOptions::default()
        }
    }
}

#[cfg(test)]
mod tests;
