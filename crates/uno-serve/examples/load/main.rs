//! Load for the gateway: a static server that looks like one of OpenAI's kind, and a client that measures.
//!
//! ```text
//! load upstream 127.0.0.1:9001
//! load fire http://127.0.0.1:8080/v1/chat/completions --rate 500 --seconds 20 --connections 16 --model uno
//! load streams http://127.0.0.1:8080/v1/chat/completions --count 1000 --model uno
//! load plan RUN_DIR --adapters c00-expert-…,c01-expert-…
//! ```

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a tool for measurements"
)]

mod fire;
mod plan;
mod upstream;

use std::collections::HashMap;

fn main() {
    let mut words = std::env::args().skip(1);
    let (what, place) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let rest: Vec<String> = words.collect();
    let options: HashMap<String, String> = rest
        .chunks(2)
        .map(|pair| (pair[0].trim_start_matches("--").to_owned(), pair.get(1).cloned().unwrap_or_default()))
        .collect();
    let threads = options.get("threads").and_then(|t| t.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.expect("threads can be had");
    match what.as_str() {
        "upstream" => runtime.block_on(upstream::serve(&place, &options)),
        "fire" => runtime.block_on(fire::fire(&place, &options)),
        "streams" => runtime.block_on(fire::streams(&place, &options)),
        "plan" => plan::write(&place, &options),
        other => eprintln!("`{other}` is none of upstream, fire, streams, plan"),
    }
}

/// A number among the options.
fn number(options: &HashMap<String, String>, name: &str, default: f64) -> f64 {
    options.get(name).and_then(|n| n.parse().ok()).unwrap_or(default)
}
