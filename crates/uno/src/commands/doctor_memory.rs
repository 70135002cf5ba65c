//! What `uno doctor` says about memory: what there is, and what training will take of it.

use uno_engine::available_mib;
use uno_engine::weights::TensorStore;
use uno_train::{MemoryPlan, TrainConfig, budget_mib};

use super::doctor::Finding;
use crate::config::Settings;

const GIB: f64 = 1024.0;

/// Memory that is free to take.
pub(super) fn available() -> Finding {
    match available_mib() {
        Some(mib) => Finding::ok("memory", format!("{:.1} GiB available", mib / GIB)),
        None => Finding::ok("memory", "unknown on this system"),
    }
}

/// What an Expert and a Critic of the configured model take at their longest example; nothing where the model's files are
/// not on this machine, which is another finding's matter.
pub(super) fn training(settings: &Settings) -> Vec<Finding> {
    let target = &settings.target;
    let name = if target.is_remote() { &target.weights } else { &target.model };
    let Ok(path) = uno_models::registry::resolve(name) else { return Vec::new() };
    match TensorStore::open(&path) {
        Ok(store) => {
            [("train", &settings.train), ("critic", &settings.critic)].map(|(k, c)| plan(k, c, &store)).into()
        }
        Err(error) => vec![Finding::problem("training", error.to_string(), "see the message")],
    }
}

fn plan(key: &str, config: &TrainConfig, store: &TensorStore) -> Finding {
    let check = format!("training memory ({key})");
    let budget = budget_mib(config, 0);
    match MemoryPlan::longest(store.config(), store.loaded_bytes(), config, budget) {
        Ok(plan) => Finding::ok(check, words(&plan, config, store)),
        // Most examples are far shorter than the longest allowed: training refuses only what it really meets.
        Err(error) => Finding::warning(check, error.to_string(), format!("see the settings of `{key}`")),
    }
}

fn words(plan: &MemoryPlan, config: &TrainConfig, store: &TensorStore) -> String {
    let again = match plan.recomputed_blocks {
        0 => String::new(),
        n => format!(", with {n} of {} blocks computed twice", store.config().layers),
    };
    format!(
        "{:.1} GiB for the longest example ({} tokens in one pass, rank {}{again}): weights {:.1}, adapter with gradients and moments \
         {:.1}, activations {:.1}, the rest {:.1}",
        plan.total() / GIB,
        plan.tokens,
        config.rank,
        (plan.weights + plan.packs) / GIB,
        (plan.adapter + plan.gradients + plan.optimizer) / GIB,
        plan.activations / GIB,
        (plan.program + plan.scratch + plan.head) / GIB,
    )
}
