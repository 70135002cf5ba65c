//! The judge is judged: how often it prefers the answer that is known to be better, before its verdicts count.
//!
//! Two ways of asking. *Scoring* is what verification does: each answer gets its score, and the better one should get
//! the higher. *Choosing* shows both answers in both orders: it tells how much their order and their length sway the
//! judge. Scoring decides whether the judge is trusted, because its scores are what verdicts rest on.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uno_types::{ChatModel, GenerationRequest, Outcome, Role, Sampling};

use super::known::{Known, KnownBy};
use super::{Item, JudgeOptions, judge};
use crate::generate::{OnProgress, json_request, parse_json, run};
use crate::stats::wilson;
use crate::verify::by_score;
use crate::{LearnError, prompts};

/// How the judge is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasureOptions {
    /// Most questions with a known better answer that the judge is asked; 0: it is not measured, and may promote nothing.
    pub max_items: usize,
    /// Seed of the draw among the known ones.
    pub seed: u64,
}

impl Default for MeasureOptions {
    fn default() -> Self {
        Self { max_items: 24, seed: 42 }
    }
}

/// How often the judge was right, with a 95 % interval (Wilson).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The better answer was preferred.
    pub right: usize,
    /// Neither was.
    pub ties: usize,
    /// The worse one was.
    pub wrong: usize,
    /// The judge gave no usable reply; not in `rate`.
    pub unknown: usize,
    /// (right + ties / 2) / (right + ties + wrong); 0 when nothing is known.
    pub rate: f64,
    /// Lower end of the interval; 0 when nothing is known.
    pub low: f64,
    /// Upper end of the interval; 1 when nothing is known.
    pub high: f64,
}

impl Accuracy {
    fn of(outcomes: &[Outcome]) -> Self {
        let w = crate::stats::win_rate(outcomes);
        // Here a tie is a judge who cannot tell: it counts as half a success of a coin.
        let (low, high) = crate::stats::wilson(w.rate, w.known());
        Self { right: w.wins, ties: w.ties, wrong: w.losses, unknown: w.unknown, rate: w.rate, low, high }
    }

    /// Items with a usable reply.
    pub fn known(&self) -> usize {
        self.right + self.ties + self.wrong
    }

    /// Whether the whole interval lies above chance.
    pub fn beats_chance(&self) -> bool {
        self.known() > 0 && self.low > 0.5
    }
}

/// A share with its count and 95 % interval (Wilson).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Of how many.
    pub n: usize,
    /// The share; 0 when `n` is 0.
    pub rate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Share {
    fn of(hits: usize, n: usize) -> Self {
        let rate = hits as f64 / n.max(1) as f64;
        let (low, high) = wilson(rate, n);
        Self { n, rate, low, high }
    }
}

/// What was found about the judge: `judge.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeReport {
    /// The judge's id.
    pub judge: String,
    /// Questions with an answer that a user let stand after complaining about another one.
    pub by_user: usize,
    /// Questions whose better answer a program knows.
    pub by_program: usize,
    /// Scoring each answer by itself, as verification does.
    pub scoring: Accuracy,
    /// The same on what users know.
    pub scoring_by_user: Accuracy,
    /// The same on what programs know.
    pub scoring_by_program: Accuracy,
    /// Choosing between both answers, in both orders.
    pub choosing: Accuracy,
    /// How often the answer shown first was chosen: one half without position bias.
    pub first_chosen: Share,
    /// How often both orders led to the same answer.
    pub consistent: Share,
    /// How often the longer answer was chosen, less how often it is the better one: 0 without length bias, −1 to 1.
    pub length_bias: f64,
    /// How often the longer answer is the better one.
    pub longer_is_better: f64,
    /// Replies that could not be parsed, of all.
    pub unparsable: Share,
    /// Whether its verdicts count: the interval of `scoring` lies above one half.
    pub trusted: bool,
    /// The finding in words.
    pub words: String,
}

#[derive(Deserialize)]
struct Choice {
    better: String,
}

/// Asks the judge about `known` and counts. Programs do not help it here.
///
/// # Errors
/// [`LearnError::Model`] when the judge is lost altogether.
pub fn measure(
    known: &[Known],
    model: &dyn ChatModel,
    options: &JudgeOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<JudgeReport, LearnError> {
    // Greedy alone: what sampling adds to a mean of scores is a little steadiness, and it costs three times as much.
    let alone = JudgeOptions { programs: false, samples: 0, ..options.clone() };
    let items: Vec<Item<'_>> = known
        .iter()
        .flat_map(|k| {
            [&k.worse, &k.better].map(|answer| Item {
                lang: k.lang,
                prompt: &k.prompt,
                rules: &k.rules,
                answer,
            })
        })
        .collect();
    let scores = judge(&items, model, &alone, on_progress)?;
    let scored: Vec<Outcome> = scores.chunks_exact(2).map(|s| by_score(s[0], s[1])).collect();
    let lost = scores.iter().filter(|s| s.is_none()).count();

    let requests: Vec<GenerationRequest> =
        known.iter().flat_map(|k| [choice(k, true, &alone), choice(k, false, &alone)]).collect();
    let replies = run("judge", model, &requests, on_progress)?;
    // Whether the answer shown first was chosen.
    let chosen: Vec<Option<bool>> = replies
        .into_iter()
        .map(|r| match parse_json::<Choice>(&r.ok()?.text)?.better.trim() {
            "A" | "a" => Some(true),
            "B" | "b" => Some(false),
            _ => None,
        })
        .collect();
    let mut report = count(known, &scored, &chosen);
    report.judge = model.id();
    let failed = lost + chosen.iter().filter(|c| c.is_none()).count();
    report.unparsable = Share::of(failed, scores.len() + chosen.len());
    report.words = words(&report);
    Ok(report)
}

/// The better answer is shown first when `better_first`.
fn choice(known: &Known, better_first: bool, options: &JudgeOptions) -> GenerationRequest {
    let find = |role| known.prompt.iter().find(|m| m.role == role).map(|m| m.content.as_str());
    let (a, b) = if better_first { (&known.better, &known.worse) } else { (&known.worse, &known.better) };
    let rules: Vec<String> =
        known.rules.iter().enumerate().map(|(i, r)| format!("{}. {}", i + 1, r.text)).collect();
    let (system, q) = (find(Role::System), find(Role::User).unwrap_or(""));
    let messages = prompts::choose(known.lang, system, q, &rules.join("\n"), a, b);
    let schema = json!({
        "type": "object",
        "properties": {
            "reason": { "type": "string", "maxLength": options.max_reason_chars },
            "better": { "type": "string", "enum": ["A", "B"] }
        },
        "required": ["reason", "better"],
        "additionalProperties": false
    });
    json_request(messages, Sampling::GREEDY, options.max_tokens, schema)
}

/// `scored[i]` belongs to `known[i]`; `chosen[2i]` saw the better answer first, `chosen[2i + 1]` last.
fn count(known: &[Known], scored: &[Outcome], chosen: &[Option<bool>]) -> JudgeReport {
    let of = |by: KnownBy| -> Vec<Outcome> {
        known.iter().zip(scored).filter(|(k, _)| k.by == by).map(|(_, o)| *o).collect()
    };
    let (by_user, by_program) = (of(KnownBy::User), of(KnownBy::Program));
    let scoring = Accuracy::of(scored);
    let (mut choices, mut first, mut asked) = (Vec::new(), 0, 0);
    let (mut same, mut both, mut longer_chosen, mut longer_better, mut compared) = (0, 0, 0.0, 0, 0);
    for (k, pair) in known.iter().zip(chosen.chunks_exact(2)) {
        let right = [pair[0], pair[1].map(|first| !first)];
        asked += pair.iter().flatten().count();
        first += pair.iter().flatten().filter(|first| **first).count();
        // One outcome per question: both orders together.
        choices.push(match right {
            [Some(true), Some(true)] => Outcome::Win,
            [Some(false), Some(false)] => Outcome::Loss,
            [Some(_), Some(_)] => Outcome::Tie,
            _ => Outcome::Unknown,
        });
        if let [Some(a), Some(b)] = right {
            both += 1;
            same += usize::from(a == b);
            let (better, worse) = (k.better.chars().count(), k.worse.chars().count());
            if better != worse {
                compared += 1;
                let is_longer = better > worse;
                longer_better += usize::from(is_longer);
                let share = (f64::from(u8::from(a)) + f64::from(u8::from(b))) / 2.0;
                longer_chosen += if is_longer { share } else { 1.0 - share };
            }
        }
    }
    let longer_is_better = f64::from(longer_better as u32) / f64::from(compared.max(1) as u32);
    JudgeReport {
        by_user: by_user.len(),
        by_program: by_program.len(),
        scoring,
        scoring_by_user: Accuracy::of(&by_user),
        scoring_by_program: Accuracy::of(&by_program),
        choosing: Accuracy::of(&choices),
        first_chosen: Share::of(first, asked),
        consistent: Share::of(same, both),
        length_bias: if compared == 0 {
            0.0
        } else {
            longer_chosen / f64::from(compared as u32) - longer_is_better
        },
        longer_is_better,
        trusted: scoring.beats_chance(),
        ..JudgeReport::default()
    }
}

fn words(r: &JudgeReport) -> String {
    let percent = |x: f64| format!("{:.0} %", x * 100.0);
    if r.by_user + r.by_program == 0 {
        return "The judge could not be measured: the logs hold no question whose better answer is known. Its verdicts \
                promote nothing; programs' verdicts still may."
            .to_owned();
    }
    let s = &r.scoring;
    let finding = format!(
        "The judge gave the better answer the higher score in {} of {} known cases (interval {} to {}; ties count half): ",
        percent(s.rate),
        s.known(),
        percent(s.low),
        percent(s.high),
    );
    let verdict = if r.trusted {
        "better than chance, so its verdicts count."
    } else {
        "not better than chance, so it may not promote anything. Programs' verdicts still may."
    };
    let sway = format!(
        " Choosing between two answers it takes the first one {} of the time, says the same in both orders {}, and leans {:+.0} \
         points towards longer answers. {} of its replies could not be read.",
        percent(r.first_chosen.rate),
        percent(r.consistent.rate),
        r.length_bias * 100.0,
        percent(r.unparsable.rate),
    );
    format!("{finding}{verdict}{sway}")
}
