//! Held-out questions answered by the base model, by UNO-Single and by UNO, and checked by a program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uno_bench::learning::{obeyed, questions as asked};
use uno_bench::simulate::{HeldOutQuestion, all_domains};
use uno_learn::route::{self, Answer, Policy};
use uno_learn::stats::Estimate;
use uno_types::Message;

use crate::learn::artefacts::files;
use crate::learn::{Pipeline, planned_routes};

/// Before-and-after answers that are shown: one per domain.
const SHOWN_CHARS: usize = 700;

/// `demo.json`: what the demo measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Share of answers that obey the house rule, with 95 % bootstrap intervals.
    pub obedience: Obedience,
    /// The same share per domain: (base, UNO-Single, UNO).
    pub domains: BTreeMap<String, [f64; 3]>,
    /// Where the questions went: domain, then cluster, then number.
    pub routed: BTreeMap<String, BTreeMap<String, usize>>,
    /// One before-and-after per domain.
    pub examples: Vec<Example>,
}

/// Three ways to answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Obedience {
    /// The base model.
    pub base: Estimate,
    /// One generation: Expert or base.
    pub uno_single: Estimate,
    /// Expert, Critic or base, as the plan says.
    pub uno: Estimate,
}

/// A question answered before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Example {
    /// The question.
    pub question: String,
    /// The house rule, as its check.
    pub rule: String,
    /// The base model's answer.
    pub base: String,
    /// UNO's answer.
    pub uno: String,
    /// Who gave it.
    pub path: String,
}

/// Writes `demo.json` unless it is there for this very plan.
///
/// # Errors
/// When the model or the embedder fails.
pub fn evaluate(pipeline: &mut Pipeline<'_>, questions: &[HeldOutQuestion]) -> anyhow::Result<Outcome> {
    let settings = pipeline.settings;
    let roles = pipeline.roles()?;
    let depends = (
        pipeline.run.plans().current(),
        questions,
        &settings.verify.answer,
        (roles.target().id(), roles.embedder().id()),
    );
    pipeline.stage("evaluate", &depends, |p| {
        let roles = p.roles()?;
        let texts: Vec<&str> = questions.iter().map(|q| q.question.as_str()).collect();
        let prompts: Vec<[Message; 1]> = texts.iter().map(|t| [Message::user(*t)]).collect();
        let prompts: Vec<&[Message]> = prompts.iter().map(|p| p.as_slice()).collect();
        let answers = |policy| -> anyhow::Result<Vec<Answer>> {
            let routes = planned_routes(p, &texts, policy)?;
            let answers = route::answer(&prompts, routes, roles.target(), &settings.verify.answer)?;
            Ok(answers.into_iter().collect::<Result<_, _>>()?)
        };
        let (base, single, uno) = (answers(Policy::Base)?, answers(Policy::Single)?, answers(Policy::Uno)?);
        let outcome = measure(questions, &[base, single, uno], settings.seed);
        p.run.write_json(files::DEMO, &outcome)?;
        Ok(vec![files::DEMO.into()])
    })?;
    Ok(pipeline.run.read_json(files::DEMO)?)
}

fn measure(questions: &[HeldOutQuestion], answers: &[Vec<Answer>; 3], seed: u64) -> Outcome {
    let asked = asked(questions, &all_domains(), 0);
    let ways = answers.each_ref().map(|way| {
        let texts: Vec<String> = way.iter().map(|answer| answer.text.clone()).collect();
        obeyed(&asked, &texts, seed)
    });
    let mut of_domain: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut routed: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (i, question) in questions.iter().enumerate() {
        of_domain.entry(question.domain.clone()).or_default().push(i);
        let cluster = answers[2][i].route.cluster.map_or("none".to_owned(), |c| c.to_string());
        *routed.entry(question.domain.clone()).or_default().entry(cluster).or_default() += 1;
    }
    let share = |domain: &String, way: usize| ways[way].by_domain.get(domain).copied().unwrap_or(0.0);
    let domains =
        of_domain.keys().map(|domain| (domain.clone(), [0, 1, 2].map(|way| share(domain, way)))).collect();
    let examples = of_domain.values().filter_map(|members| {
        // A question that was gained shows the point; otherwise the first of the domain.
        let gained = members.iter().find(|&&i| ways[2].each[i] > ways[0].each[i]);
        let &i = gained.or(members.first())?;
        Some(Example {
            question: questions[i].question.clone(),
            rule: serde_json::to_string(&questions[i].check).unwrap_or_default(),
            base: crate::report::html::shorten(&answers[0][i].text, SHOWN_CHARS),
            uno: crate::report::html::shorten(&answers[2][i].text, SHOWN_CHARS),
            path: answers[2][i].route.path.as_str().to_owned(),
        })
    });
    Outcome {
        obedience: Obedience { base: ways[0].all, uno_single: ways[1].all, uno: ways[2].all },
        domains,
        routed,
        examples: examples.collect(),
    }
}
