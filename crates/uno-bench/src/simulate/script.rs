//! Who says what in which conversation, decided before any model is asked: seeded, and independent of the model.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use serde::{Deserialize, Serialize};

use super::SimulateOptions;
use super::domains::Domain;

/// What the user does after the first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Voices the house rule.
    Complaint(String),
    /// Praises.
    Praise(String),
    /// Talks of something else; the reply is part of the script.
    SmallTalk(String, String),
    /// Asks something else.
    NewQuestion(String),
    /// Asks for the opposite of the house rule.
    Contradiction(String),
    /// Says something about another question of another domain.
    AboutAnother(String),
    /// Voices the rule of another domain (its index), is given an answer that obeys that, and is content.
    WrongCorrection(String, usize),
}

/// What users do who do not voice the house rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseKind {
    /// Praise.
    Praise,
    /// Small talk.
    SmallTalk,
    /// Another question.
    NewQuestion,
    /// The opposite of the house rule.
    Contradiction,
    /// Feedback about another question.
    AboutAnother,
    /// A correction that is not the house rule, accepted by the user.
    WrongCorrection,
}

impl NoiseKind {
    /// The noise of the example logs.
    pub const OF_EXAMPLES: [Self; 4] =
        [Self::Praise, Self::SmallTalk, Self::NewQuestion, Self::Contradiction];
    /// The noise of the learning benchmark.
    pub const OF_BENCHMARK: [Self; 5] =
        [Self::Praise, Self::SmallTalk, Self::Contradiction, Self::AboutAnother, Self::WrongCorrection];
}

/// One conversation to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Unique id, for example `travel-007`.
    pub id: String,
    /// Index of the domain.
    pub domain: usize,
    /// The user's id.
    pub user: String,
    /// What is asked about.
    pub topic: &'static str,
    /// The question.
    pub question: String,
    /// What follows the first answer.
    pub turn: Turn,
    /// After a complaint: whether a corrected answer follows.
    pub corrected: bool,
    /// After a corrected answer: what the user says, if anything.
    pub thanks: Option<String>,
}

const PRAISES: &[&str] = &[
    "Thanks, that is exactly what I needed!",
    "Great, thank you!",
    "Perfect, thanks a lot.",
    "That was really helpful, thank you!",
    "Wonderful, I'll try that.",
    "Awesome, thanks!",
    "Thank you so much.",
    "Nice, that works for me.",
    "Lovely answer, thanks.",
    "Cheers, very helpful.",
];

const SMALL_TALK: &[(&str, &str)] = &[
    ("It is raining cats and dogs here today.", "I hope it clears up soon!"),
    ("My neighbour just got a puppy, it is so cute.", "How sweet! Puppies are a lot of fun."),
    ("I'm so tired, it was a long week.", "I hope you get some rest."),
    ("Ha, my sister just called while I was reading.", "I hope it was a good call!"),
    ("Tomorrow is my birthday!", "Happy birthday in advance!"),
    ("I am sitting on the balcony with a cup of tea.", "That sounds lovely."),
    ("We are moving to a new flat in March.", "Good luck with the move!"),
    ("The football match last night was thrilling.", "Sounds like an exciting evening!"),
];

const THANKS: &[&str] = &[
    "Thanks, much better!",
    "Perfect, thank you.",
    "Exactly like that, thanks!",
    "Great, that's what I wanted.",
    "Thank you!",
];

/// How often a topic comes, each time in another phrasing.
pub const ROUNDS: usize = 2;

/// The conversations of one domain: `per_domain` of them, noise and phrasings spread evenly; no topic comes again before all
/// others came, and none more than [`ROUNDS`] times.
pub fn scripts(domains: &[Domain], index: usize, options: &SimulateOptions) -> Vec<Script> {
    let domain = &domains[index];
    let mut rng =
        ChaCha8Rng::seed_from_u64(options.seed ^ (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let n = options.per_domain.min(ROUNDS * domain.topics.len());
    let mut topics: Vec<&'static str> = domain.topics.to_vec();
    shuffle(&mut topics, &mut rng);
    if n > topics.len() {
        let mut again = topics.clone();
        shuffle(&mut again, &mut rng);
        topics.extend(again);
    }
    let mut complaints: Vec<&str> = domain.complaints.to_vec();
    shuffle(&mut complaints, &mut rng);
    let noisy = (n as f64 * options.noise).round() as usize;
    let mut slots: Vec<usize> = (0..n).collect();
    shuffle(&mut slots, &mut rng);
    let (noise_slots, complaint_slots) = slots.split_at(noisy.min(n));
    let wanted = (n as f64 * options.corrected).round() as usize;

    let mut turns: Vec<Option<(Turn, bool)>> = vec![None; n];
    for (k, &slot) in noise_slots.iter().enumerate() {
        let pick = k / options.noise_kinds.len().max(1);
        let Some(kind) = options.noise_kinds.get(k % options.noise_kinds.len().max(1)) else { continue };
        let turn = noise(*kind, pick, domains, index, &mut rng);
        turns[slot] = Some((turn, false));
    }
    let mut corrected = 0;
    for (k, &slot) in complaint_slots.iter().enumerate() {
        // Hand-written code exists for some topics only.
        let possible = domain.code.is_empty() || domain.code.iter().any(|(t, ..)| *t == topics[slot]);
        let fix = possible && corrected < wanted;
        corrected += usize::from(fix);
        turns[slot] = Some((Turn::Complaint(complaints[k % complaints.len()].to_owned()), fix));
    }
    let mut out = Vec::with_capacity(n);
    for (slot, turn) in turns.into_iter().enumerate() {
        let Some((turn, fix)) = turn else { continue };
        // Each round has phrasings of its own, whatever the noise.
        let half = domain.frames.len() / ROUNDS;
        let frames = match (n > domain.topics.len(), slot < domain.topics.len()) {
            (false, _) => 0..domain.frames.len(),
            (true, true) => 0..half,
            (true, false) => half..domain.frames.len(),
        };
        let frame = frames.start + below(frames.len(), &mut rng);
        // Two of three corrected answers are thanked for; the others are met with silence.
        let thanks = (below(3, &mut rng) < 2).then(|| any(THANKS, &mut rng).to_owned());
        let thanked = fix || matches!(turn, Turn::WrongCorrection(..));
        out.push(Script {
            id: format!("{}-{slot:03}", domain.name),
            domain: index,
            user: format!("{}-{}", domain.name, domain.users[below(domain.users.len(), &mut rng)]),
            topic: topics[slot],
            question: domain.question(topics[slot], frame),
            turn,
            corrected: fix,
            thanks: thanks.filter(|_| thanked),
        });
    }
    out
}

/// What the user says in place of the house rule; `pick` counts the conversations of this kind.
fn noise(kind: NoiseKind, pick: usize, domains: &[Domain], index: usize, rng: &mut ChaCha8Rng) -> Turn {
    let domain = &domains[index];
    match kind {
        NoiseKind::Praise => Turn::Praise(any(PRAISES, rng).to_owned()),
        NoiseKind::SmallTalk => {
            let (said, reply) = SMALL_TALK[below(SMALL_TALK.len(), rng)];
            Turn::SmallTalk(said.to_owned(), reply.to_owned())
        }
        NoiseKind::NewQuestion => {
            Turn::NewQuestion(domain.new_questions[pick % domain.new_questions.len()].to_owned())
        }
        NoiseKind::Contradiction => {
            Turn::Contradiction(domain.contradictions[pick % domain.contradictions.len()].to_owned())
        }
        NoiseKind::AboutAnother | NoiseKind::WrongCorrection => {
            // A domain with another rule whose obedience a program can bring about in any text.
            let others: Vec<usize> =
                (0..domains.len()).filter(|&i| i != index && domains[i].code.is_empty()).collect();
            let Some(&other) = others.get(pick % others.len().max(1)) else {
                return Turn::Praise(any(PRAISES, rng).to_owned());
            };
            let said = any(domains[other].complaints, rng);
            if kind == NoiseKind::WrongCorrection {
                return Turn::WrongCorrection(said.to_owned(), other);
            }
            let topic = any(domains[other].topics, rng);
            let before = below(domains[other].frames.len(), rng);
            let question = domains[other].question(topic, before);
            Turn::AboutAnother(format!("About my question from yesterday, \"{question}\": {said}"))
        }
    }
}

fn any<'a>(list: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
    list[below(list.len(), rng)]
}

/// A number below `n`; the tiny bias of the remainder does not matter here, being the same everywhere does.
fn below(n: usize, rng: &mut ChaCha8Rng) -> usize {
    (rng.next_u64() % n.max(1) as u64) as usize
}

/// Fisher–Yates.
pub fn shuffle<T>(list: &mut [T], rng: &mut ChaCha8Rng) {
    for i in (1..list.len()).rev() {
        list.swap(i, below(i + 1, rng));
    }
}
