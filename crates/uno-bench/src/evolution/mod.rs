//! Logs that come in steps and change: a house rule that changes halfway, a domain that appears late, a burst of noise; and
//! what a system makes of it on the same held-out questions after every step.

mod table;

pub use table::{StepScore, csv, recovers, rows, svg};

use serde::{Deserialize, Serialize};
use uno_types::{ChatModel, Record};

use crate::learning::TestQuestion;
use crate::simulate::script::{ROUNDS, Script, scripts};
use crate::simulate::{
    Domain, NEUTRAL, NoiseKind, SimulateError, SimulateOptions, all_domains, held_out_of, play_all,
};

/// What happens in which step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvolutionOptions {
    /// Steps; at least six.
    pub steps: usize,
    /// Conversations of a domain in the first step: the logs that are there when somebody begins.
    pub first: usize,
    /// New conversations of a domain in a later step.
    pub per_step: usize,
    /// Held-out questions of a domain.
    pub held_out: usize,
    /// Questions of no domain.
    pub neutral: usize,
    /// Share of noise in ordinary steps.
    pub noise: f64,
    /// Domains by name; the first one's rule changes, the last one appears late.
    pub domains: Vec<String>,
    /// From this step (from 0) on, users of the first domain want the other rule.
    pub drift: usize,
    /// The step in which the last domain appears.
    pub late: usize,
    /// The step in which `burst_noise` of the users say something else.
    pub burst: usize,
    /// That share.
    pub burst_noise: f64,
    /// Seed of the logs.
    pub seed: u64,
}

impl Default for EvolutionOptions {
    fn default() -> Self {
        Self {
            steps: 8,
            first: 24,
            per_step: 10,
            held_out: 8,
            neutral: 8,
            noise: 0.1,
            domains: ["cooking", "health", "gardening", "finance"].map(str::to_owned).to_vec(),
            drift: 4,
            late: 2,
            burst: 6,
            burst_noise: 0.5,
            seed: 42,
        }
    }
}

impl EvolutionOptions {
    /// Six steps with three domains.
    pub fn quick() -> Self {
        Self {
            steps: 6,
            per_step: 12,
            held_out: 6,
            neutral: 4,
            domains: ["cooking", "health", "finance"].map(str::to_owned).to_vec(),
            drift: 3,
            late: 1,
            burst: 5,
            ..Self::default()
        }
    }

    /// Conversations of a domain that is there from the first step on.
    fn conversations(&self) -> usize {
        self.first + self.per_step * self.steps.saturating_sub(1)
    }

    /// What happens in a step, in words; empty for an ordinary one.
    pub fn event(&self, step: usize) -> String {
        let last = self.domains.last().map_or("", String::as_str);
        let first = self.domains.first().map_or("", String::as_str);
        let events = [
            (self.late, format!("{last} appears")),
            (self.drift, format!("new rule in {first}")),
            (self.burst, format!("{:.0} % noise", self.burst_noise * 100.0)),
        ];
        let now = events.into_iter().filter(|(at, _)| *at == step).map(|(_, what)| what);
        now.collect::<Vec<_>>().join(", ")
    }

    /// Steps whose events change what is asked for: a fall right after them is no fault.
    pub fn changes(&self) -> Vec<usize> {
        vec![self.late, self.drift]
    }
}

/// The whole story, decided before any model is asked.
pub struct Story {
    options: EvolutionOptions,
    /// The domains before the rule changes.
    before: Vec<Domain>,
    /// The same with the other rule in the first domain.
    after: Vec<Domain>,
}

impl Story {
    /// Prepares the domains.
    ///
    /// # Errors
    /// When a domain is unknown, or the options do not fit together.
    pub fn new(options: &EvolutionOptions) -> Result<Self, String> {
        let known = all_domains();
        let find = |name: &String| {
            let names = || known.iter().map(|d| d.name).collect::<Vec<_>>().join(", ");
            let found = known.iter().find(|d| d.name == name).cloned();
            found.ok_or_else(|| format!("`{name}` is no domain; there are {}", names()))
        };
        let before: Vec<Domain> = options.domains.iter().map(find).collect::<Result<_, _>>()?;
        if before.len() < 2 {
            return Err(
                "at least two domains are needed: one whose rule changes, one that appears late".into()
            );
        }
        let last = options.steps.saturating_sub(1);
        if options.steps < 6
            || [options.drift, options.late, options.burst].iter().any(|s| *s == 0 || *s > last)
        {
            return Err(
                "at least six steps are needed, and every event after the first and not after the last"
                    .into(),
            );
        }
        let topics = before.iter().map(|d| d.topics.len()).min().unwrap_or(0);
        let most = ROUNDS * topics;
        if options.first == 0 || options.per_step == 0 || options.conversations() > most {
            return Err(format!(
                "a domain has {} conversations in the first step and {} in each of the others: neither may be 0, and all together \
                 no more than {most}, its topics {ROUNDS} times",
                options.first, options.per_step
            ));
        }
        // The other rule is one that users of any domain can voice in the same words: bullet points.
        let other = find(&"office".to_owned())?;
        if before[0].name == other.name {
            return Err(
                "the rule of office is the one that the first domain changes to: put another domain first"
                    .into(),
            );
        }
        let mut after = before.clone();
        after[0].check = other.check;
        after[0].complaints = other.complaints;
        after[0].contradictions = other.contradictions;
        Ok(Self { options: options.clone(), before, after })
    }

    /// The domains as they are in a step.
    pub fn domains(&self, step: usize) -> &[Domain] {
        if step < self.options.drift { &self.before } else { &self.after }
    }

    /// The logs of a step.
    ///
    /// # Errors
    /// When the model is lost.
    pub fn logs(
        &self,
        step: usize,
        chat: &dyn ChatModel,
        on_progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Record>, SimulateError> {
        let (options, domains) = (self.simulation(step), self.domains(step));
        Ok(play_all(domains, &self.scripts(step), &options, chat, on_progress)?.records)
    }

    fn simulation(&self, step: usize) -> SimulateOptions {
        let o = &self.options;
        SimulateOptions {
            seed: o.seed,
            per_domain: o.conversations(),
            noise: if step == o.burst { o.burst_noise } else { o.noise },
            noise_kinds: NoiseKind::OF_BENCHMARK.to_vec(),
            held_out: o.held_out,
            ..SimulateOptions::default()
        }
    }

    /// Who says what in a step: each question comes in one step only, whatever the step's noise and rule.
    fn scripts(&self, step: usize) -> Vec<Script> {
        let (options, domains) = (self.simulation(step), self.domains(step));
        let EvolutionOptions { first, per_step, .. } = self.options;
        let (from, count) = if step == 0 { (0, first) } else { (first + (step - 1) * per_step, per_step) };
        let last = domains.len() - 1;
        let there = (0..domains.len()).filter(|&d| d != last || step >= self.options.late);
        let of_domain = |d: usize| {
            let all = scripts(domains, d, &options).into_iter();
            all.skip(from).take(count).collect::<Vec<_>>()
        };
        there.flat_map(of_domain).collect()
    }

    /// The held-out questions, the same in every step, with the rule that is in force in this step: none in a domain that has
    /// not appeared yet.
    pub fn questions(&self, step: usize) -> Vec<TestQuestion> {
        let domains = self.domains(step);
        let last = domains.len() - 1;
        let mut out = Vec::new();
        for (d, domain) in domains.iter().enumerate() {
            let there = d != last || step >= self.options.late;
            for question in held_out_of(domain, d, &self.simulation(step)) {
                out.push(TestQuestion {
                    id: question.id,
                    domain: question.domain,
                    kind: there.then_some(domain.kind),
                    question: question.question,
                    check: there.then_some(question.check),
                });
            }
        }
        out.extend(NEUTRAL.iter().take(self.options.neutral).enumerate().map(|(i, question)| TestQuestion {
            id: format!("neutral-{i:02}"),
            domain: "neutral".into(),
            kind: None,
            question: (*question).to_owned(),
            check: None,
        }));
        out
    }
}

#[cfg(test)]
mod tests;
