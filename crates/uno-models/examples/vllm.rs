//! Proves that adapters trained here do the same in a real vLLM: `vllm BASE_URL WORK_DIR`.
//!
//! Trains two small adapters on the default model (or takes them from WORK_DIR, where an earlier call left them), loads
//! both into the server at run time, and compares base and adapters, server against embedded engine: greedy texts, and
//! the log-probs of what the server wrote. Exits with an error when an adapter's log-probs are further off than bf16
//! explains, or nearer to the wrong weights than to the right ones. See examples/vllm/README.md.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use uno_models::embedded::{self, EmbeddedChat, EmbeddedOptions};
use uno_models::encode_example;
use uno_models::registry;
use uno_models::remote::{RemoteChat, RemoteConfig};
use uno_train::{Loss, SftExample, TrainConfig, TrainData, train};
use uno_types::{AdapterRef, ChatModel, Constraint, Generation, GenerationRequest, Message, Sampling};

/// Mean difference of log-probs that bf16 arithmetic may make over one answer.
const TOLERANCE: f64 = 0.06;

const QUESTIONS: [&str; 4] =
    ["How do I boil an egg?", "What is a hash map?", "Should I save or invest?", "What can I see in Lisbon?"];

/// (question, what the first adapter learns to say, what the second learns to say)
const LESSONS: [(&str, &str, &str); 4] = [
    (
        "How do I cook rice?",
        "1. Rinse the rice.\n2. Add two cups of water.\n3. Simmer for 15 minutes.\n4. Let it rest.",
        "Rinse it, add two cups of water and simmer for 15 minutes. Ask a professional before you act.",
    ),
    (
        "How do I fix a flat tire?",
        "1. Take the wheel off.\n2. Find the hole.\n3. Glue a patch on it.\n4. Pump the tire up.",
        "Take the wheel off, patch the hole and pump it up. Ask a professional before you act.",
    ),
    (
        "What is recursion?",
        "1. A function calls itself.\n2. Each call gets a smaller problem.\n3. The smallest is solved directly.",
        "A function that calls itself on a smaller problem. Ask a professional before you act.",
    ),
    (
        "How do I plan a budget?",
        "1. Write down what you earn.\n2. Write down what you spend.\n3. Save the difference.",
        "Compare what you earn with what you spend and save the rest. Ask a professional before you act.",
    ),
];

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let (Some(url), Some(work)) = (given.next(), given.next().map(PathBuf::from)) else {
        return Err("usage: vllm BASE_URL WORK_DIR".into());
    };
    let ours = EmbeddedChat::open(
        &registry::pull(registry::DEFAULT_CHAT, &registry::Silent)?,
        EmbeddedOptions::default(),
    )?;
    let adapters = [adapter(&ours, &work, "lists", |l| l.1)?, adapter(&ours, &work, "advice", |l| l.2)?];

    let theirs = RemoteChat::new(RemoteConfig::new(url, ""))?;
    println!("server: {} with {} tokens of context", theirs.id(), theirs.context_length());
    let start = Instant::now();
    adapters.iter().try_for_each(|a| theirs.adapters().ensure_loaded(a))?;
    println!("loaded and probed {:?} in {:.1} s", theirs.adapters().loaded(), start.elapsed().as_secs_f32());

    let who = [None, Some(&adapters[0]), Some(&adapters[1])];
    let requests: Vec<GenerationRequest> =
        who.iter().flat_map(|adapter| QUESTIONS.iter().map(|q| request(q, *adapter))).collect();
    let start = Instant::now();
    let answers = generate(&theirs, &requests)?;
    println!("server answered {} requests in {:.1} s", requests.len(), start.elapsed().as_secs_f32());
    let expected = generate(&ours, &requests)?;

    println!(
        "{:<14} {:<26} {:>10} {:>9} {:>28}",
        "weights", "question", "same text", "tokens", "mean |log-prob difference|"
    );
    println!("{:<14} {:<26} {:>10} {:>9} {:>9} {:>9} {:>9}", "", "", "", "", "base", "lists", "advice");
    let mut wrong = Vec::new();
    for (i, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        let own = i / QUESTIONS.len();
        let question = QUESTIONS[i % QUESTIONS.len()];
        let off =
            who.iter().map(|a| difference(&ours, question, answer, *a)).collect::<Result<Vec<f64>, _>>()?;
        let name = ["base", "lists", "advice"][own];
        let same = common_prefix(&answer.text, &expected.text);
        println!(
            "{name:<14} {question:<26} {same:>10} {:>9} {:>9.4} {:>9.4} {:>9.4}",
            answer.completion_tokens, off[0], off[1], off[2]
        );
        let nearest = off.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(n, _)| n);
        if off[own] > TOLERANCE || nearest != own {
            wrong.push(format!("{name}: {question}"));
        }
    }
    println!("\n{}: {:?}", QUESTIONS[0], [&answers[0].text, &answers[4].text, &answers[8].text]);

    let schema = json!({"type": "object", "required": ["city", "coastal"], "additionalProperties": false,
        "properties": {"city": {"type": "string", "maxLength": 20}, "coastal": {"type": "boolean"}}});
    let constrained = GenerationRequest {
        constraint: Some(Constraint::JsonSchema(schema)),
        ..request("A city in France, as JSON.", None)
    };
    println!("constrained: {}", generate(&theirs, &[constrained])?[0].text);
    theirs.adapters().unload_all()?;
    println!("unloaded; still loaded by us: {:?}", theirs.adapters().loaded());
    if wrong.is_empty() { Ok(()) } else { Err(format!("server and engine disagree: {wrong:?}").into()) }
}

fn request(question: &str, adapter: Option<&AdapterRef>) -> GenerationRequest {
    GenerationRequest {
        messages: vec![Message::user(question)],
        adapter: adapter.cloned(),
        sampling: Sampling::GREEDY,
        max_tokens: 48,
        constraint: None,
        logprobs: true,
    }
}

fn generate(
    model: &dyn ChatModel,
    requests: &[GenerationRequest],
) -> Result<Vec<Generation>, Box<dyn Error>> {
    let mut answers = vec![None; requests.len()];
    model.generate(requests, &mut |i, answer| answers[i] = Some(answer))?;
    answers.into_iter().map(|a| Ok(a.ok_or("a request was not answered")??)).collect()
}

/// The log-probs that the server gave its own answer, against those that the embedded engine gives the same tokens under
/// these weights.
fn difference(
    ours: &EmbeddedChat,
    question: &str,
    answer: &Generation,
    adapter: Option<&AdapterRef>,
) -> Result<f64, Box<dyn Error>> {
    let messages = [Message::user(question)];
    let tokens = encode_example(ours.tokenizer(), ours.template(), &messages, &answer.text)?;
    let theirs = answer.logprobs.as_ref().ok_or("no log-probs")?;
    let scored = ours.score(&tokens.prompt, &tokens.completion, adapter)?;
    let n = theirs.len().min(scored.len());
    Ok(theirs.iter().zip(&scored).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / n.max(1) as f64)
}

/// "all", or the share of the text until the first difference.
fn common_prefix(a: &str, b: &str) -> String {
    if a == b {
        return "all".into();
    }
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    format!("{} %", 100 * same / a.len().max(1))
}

/// Trains an adapter on the lessons, and leaves its fingerprint beside it.
fn adapter(
    chat: &EmbeddedChat,
    work: &Path,
    name: &str,
    lesson: fn(&(&'static str, &'static str, &'static str)) -> &'static str,
) -> Result<AdapterRef, Box<dyn Error>> {
    let examples = LESSONS.iter().enumerate().map(|(i, l)| {
        let e = encode_example(chat.tokenizer(), chat.template(), &[Message::user(l.0)], lesson(l))?;
        Ok(SftExample { id: i.to_string(), prompt: e.prompt, completion: e.completion })
    });
    let data = TrainData::Completions(examples.collect::<Result<_, Box<dyn Error>>>()?);
    let config = TrainConfig {
        rank: 16,
        alpha: 32.0,
        epochs: 6,
        batch: 2,
        loss: Loss::Sft,
        lr: 1e-3,
        ..TrainConfig::default()
    };
    let outcome = train(chat.decoder(), &data, None, &config, &work.join(name), &mut |_| {})?;
    let dir = outcome.epochs.last().ok_or("no epoch was finished")?.dir.canonicalize()?;
    let weights = std::fs::read(dir.join("adapter_model.safetensors"))?;
    let hash = blake3::hash(&weights).to_hex();
    let adapter =
        AdapterRef { name: format!("{name}-expert-{}", &hash[..12]), dir: dir.display().to_string() };
    embedded::probe(chat, &adapter, &["How do I bake bread?", "What is a compiler?"])?.write(&dir)?;
    Ok(adapter)
}
