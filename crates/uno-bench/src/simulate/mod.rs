//! Simulated users: seeded chat logs with known house rules.
//!
//! Five domains, each with a rule that a program can check, voiced in at least twenty natural phrasings by several users;
//! noise (praise, small talk, new questions, contradictions); about a third of the conversations hold a corrected answer
//! that obeys, thanked for or let stand. What users say is hand-written and decided by the seed ([`script`]); first
//! answers come from the model itself. Held-out questions are about topics that no log mentions.

mod correct;
mod domains;
pub mod poison;
pub mod script;
mod write;

pub use correct::corrected;
pub use domains::{Domain, NEUTRAL, RuleKind, all_domains, chinese_domains, domains};
pub use write::{HeldOutQuestion, conversation_line, held_out_line, parse_held_out};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
pub use script::NoiseKind;
use script::{Script, Turn, scripts, shuffle};
use serde::{Deserialize, Serialize};
use uno_learn::check;
use uno_types::{
    ChatModel, Check, FinishReason, Generation, GenerationRequest, Lang, Message, ModelError, Record,
    Sampling, Source,
};

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulateOptions {
    /// Seed of everything.
    pub seed: u64,
    /// Conversations per domain, at most 52.
    pub per_domain: usize,
    /// Share of conversations whose user does not voice the house rule.
    pub noise: f64,
    /// What these users do instead, in equal parts.
    pub noise_kinds: Vec<NoiseKind>,
    /// Share of conversations that hold a corrected answer.
    pub corrected: f64,
    /// Held-out questions per domain, at most 16.
    pub held_out: usize,
    /// Most tokens of a first answer.
    pub max_tokens: usize,
    /// Temperature of the first answers.
    pub temperature: f32,
}

impl Default for SimulateOptions {
    fn default() -> Self {
        Self {
            seed: 42,
            per_domain: 52,
            noise: 0.2,
            noise_kinds: NoiseKind::OF_EXAMPLES.to_vec(),
            corrected: 0.34,
            held_out: 16,
            max_tokens: 160,
            temperature: 0.3,
        }
    }
}

/// Simulated logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulation {
    /// The conversations, domain after domain.
    pub records: Vec<Record>,
    /// Questions on topics that no conversation mentions.
    pub held_out: Vec<HeldOutQuestion>,
    /// Conversations by what the user did.
    pub counts: Counts,
}

/// Conversations by what the user did after the first answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Voiced the house rule.
    pub complaints: usize,
    /// Of these, with a corrected answer.
    pub corrected: usize,
    /// Praised as scripted.
    pub praise: usize,
    /// Would have complained, but the first answer happened to obey: praised instead.
    pub obeyed_at_once: usize,
    /// Small talk.
    pub small_talk: usize,
    /// A new question.
    pub new_questions: usize,
    /// The opposite of the house rule.
    pub contradictions: usize,
    /// About another question.
    pub about_another: usize,
    /// Corrected to something that is not the house rule, and content with it.
    pub wrong_corrections: usize,
    /// Left out, because no first answer could be had.
    pub failed: usize,
}

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The model gave up.
    #[error("first answers of the simulated logs: {0}")]
    Model(#[from] ModelError),
    /// A sidecar line that cannot be read.
    #[error("held-out questions, line {line}: {reason}; write the file again with `uno bench simulate`")]
    HeldOut {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Plays all conversations against `chat`, telling `on_progress` (finished, total) generations.
///
/// # Errors
/// [`SimulateError::Model`] when the model is lost altogether. Single failed generations are counted.
pub fn simulate(
    options: &SimulateOptions,
    chat: &dyn ChatModel,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Simulation, SimulateError> {
    simulate_in(&domains(), options, chat, on_progress)
}

/// As [`simulate`], in the given domains. English domains only ask a second time where an answer is not in English.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_in(
    domains: &[Domain],
    options: &SimulateOptions,
    chat: &dyn ChatModel,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Simulation, SimulateError> {
    let scripts: Vec<Script> = (0..domains.len()).flat_map(|i| scripts(domains, i, options)).collect();
    play_all(domains, &scripts, options, chat, on_progress)
}

/// Plays scripts whose domains are those of `domains`.
///
/// # Errors
/// As [`simulate`].
pub fn play_all(
    domains: &[Domain],
    scripts: &[Script],
    options: &SimulateOptions,
    chat: &dyn ChatModel,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Simulation, SimulateError> {
    let prompts: Vec<Vec<Message>> = scripts.iter().map(|s| vec![Message::user(&s.question)]).collect();
    let mut first = answers(chat, &prompts, options, on_progress)?;
    // A foreign city's name makes a small model fall into a language of its own now and then: such an answer gets a
    // second try, as a user would ask again.
    let strange = |a: &Option<String>| {
        !a.as_deref().is_some_and(|a| a.contains("```") || check::holds(&Check::English, a))
    };
    let english = |i: usize| Lang::detect(&scripts[i].question) == Lang::En;
    let again: Vec<usize> = (0..first.len()).filter(|&i| english(i) && strange(&first[i])).collect();
    let retry: Vec<Vec<Message>> = again.iter().map(|&i| prompts[i].clone()).collect();
    let reseeded = SimulateOptions { seed: options.seed + 1, temperature: 0.7, ..options.clone() };
    for (i, answer) in again.into_iter().zip(answers(chat, &retry, &reseeded, on_progress)?) {
        if !strange(&answer) || first[i].is_none() {
            first[i] = answer;
        }
    }

    let mut out = Simulation { held_out: held_out(domains, options), ..Simulation::default() };
    let mut continued: Vec<usize> = Vec::new();
    for (script, first) in scripts.iter().zip(first) {
        let Some(first) = first else {
            out.counts.failed += 1;
            continue;
        };
        if matches!(script.turn, Turn::NewQuestion(_)) {
            continued.push(out.records.len());
        }
        out.records.push(play(script, domains, first, &mut out.counts));
    }
    // New questions get an answer of the model as well.
    let prompts: Vec<Vec<Message>> = continued.iter().map(|&i| out.records[i].messages.clone()).collect();
    let second = answers(chat, &prompts, options, on_progress)?;
    for (i, answer) in continued.into_iter().zip(second) {
        out.records[i].messages.extend(answer.map(Message::assistant));
    }
    for (line, record) in out.records.iter_mut().enumerate() {
        record.source =
            Source { file: "simulated".into(), line: line as u64 + 1, format: "openai_chat".into() };
    }
    Ok(out)
}

/// The conversation of `script`, given the first answer.
fn play(script: &Script, domains: &[Domain], first: String, counts: &mut Counts) -> Record {
    let domain = &domains[script.domain];
    let mut messages = vec![Message::user(&script.question), Message::assistant(&first)];
    match &script.turn {
        Turn::Complaint(_) if check::holds(&domain.check, &first) => {
            counts.obeyed_at_once += 1;
            messages.push(Message::user("Thanks, just the way I like it!"));
        }
        Turn::Complaint(said) => {
            counts.complaints += 1;
            messages.push(Message::user(said));
            let better = script.corrected.then(|| corrected(domain, script.topic, &first)).flatten();
            if let Some(better) = better {
                counts.corrected += 1;
                messages.push(Message::assistant(better));
                messages.extend(script.thanks.as_ref().map(Message::user));
            }
        }
        Turn::Praise(said) => {
            counts.praise += 1;
            messages.push(Message::user(said));
        }
        Turn::SmallTalk(said, reply) => {
            counts.small_talk += 1;
            messages.push(Message::user(said));
            messages.push(Message::assistant(reply));
        }
        Turn::NewQuestion(said) => {
            counts.new_questions += 1;
            messages.push(Message::user(said));
        }
        Turn::Contradiction(said) => {
            counts.contradictions += 1;
            messages.push(Message::user(said));
        }
        Turn::AboutAnother(said) => {
            counts.about_another += 1;
            messages.push(Message::user(said));
        }
        Turn::WrongCorrection(said, other) => {
            counts.wrong_corrections += 1;
            messages.push(Message::user(said));
            if let Some(wrong) = corrected(&domains[*other], script.topic, &first) {
                messages.push(Message::assistant(wrong));
                messages.extend(script.thanks.as_ref().map(Message::user));
            }
        }
    }
    Record {
        id: script.id.clone(),
        lang: Lang::detect(&script.question),
        user: Some(script.user.clone()),
        messages,
        accepted: Vec::new(),
        source: Source::default(),
    }
}

/// One answer per prompt; `None` where it failed or is empty.
fn answers(
    chat: &dyn ChatModel,
    prompts: &[Vec<Message>],
    options: &SimulateOptions,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Option<String>>, ModelError> {
    let requests: Vec<GenerationRequest> = prompts
        .iter()
        .map(|messages| GenerationRequest {
            messages: messages.clone(),
            adapter: None,
            sampling: Sampling { temperature: options.temperature, top_p: 0.95, seed: options.seed },
            max_tokens: options.max_tokens,
            constraint: None,
            logprobs: false,
        })
        .collect();
    let mut out: Vec<Option<String>> = vec![None; requests.len()];
    if requests.is_empty() {
        return Ok(out);
    }
    let mut finished = 0;
    chat.generate(&requests, &mut |i, result| {
        finished += 1;
        if let (Some(slot), Ok(generation)) = (out.get_mut(i), result) {
            *slot = Some(whole(&generation)).filter(|t| !t.is_empty());
        }
        on_progress(finished, requests.len());
    })?;
    Ok(out)
}

/// The answer; one that the limit cut off ends with its last whole sentence instead.
fn whole(generation: &Generation) -> String {
    let text = generation.text.trim();
    if generation.finish == FinishReason::Stop {
        return text.to_owned();
    }
    let mut cut = text;
    while let Some(end) = cut.rfind(['.', '!', '?']) {
        cut = &cut[..=end];
        // The dot of a list number ("…\n4.") ends no sentence.
        if !cut[..end].ends_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        cut = &cut[..end];
    }
    if cut.len() * 2 >= text.len() { cut.to_owned() } else { text.to_owned() }
}

fn held_out(domains: &[Domain], options: &SimulateOptions) -> Vec<HeldOutQuestion> {
    domains.iter().enumerate().flat_map(|(index, domain)| held_out_of(domain, index, options)).collect()
}

/// The held-out questions of the domain at `index`.
pub fn held_out_of(domain: &Domain, index: usize, options: &SimulateOptions) -> Vec<HeldOutQuestion> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed.wrapping_add(1000 + index as u64));
    let mut topics: Vec<&str> = domain.held_out.to_vec();
    shuffle(&mut topics, &mut rng);
    let question = |(i, topic): (usize, &str)| HeldOutQuestion {
        id: format!("{}-held-out-{i:02}", domain.name),
        domain: domain.name.to_owned(),
        question: domain.question(topic, i),
        check: domain.check.clone(),
    };
    topics.into_iter().take(options.held_out).enumerate().map(question).collect()
}

#[cfg(test)]
mod tests;
