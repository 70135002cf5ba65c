//! The demo: example logs inside the binary, settings that fit a laptop, and the measurement of what was gained.

mod evaluate;
mod logs;

pub use evaluate::{Outcome, evaluate};
pub use logs::logs;

use crate::config::Settings;

/// The demo's own defaults: the method's stages and losses, with the sizes that two cores can train in minutes.
pub fn settings(quick: bool) -> Settings {
    let mut settings = Settings::default();
    for config in [&mut settings.train, &mut settings.critic] {
        config.rank = 16;
        config.alpha = 64.0;
        config.epochs = 2;
        config.batch = 1;
        config.max_length = 1024;
    }
    // An Expert that has to add a closing line writes nothing else at first; after fewer steps some clusters still do.
    settings.cluster.min_steps = 100;
    settings.candidates.from_feedback = 1;
    settings.candidates.from_rules = 1;
    settings.verify.judge.samples = 0;
    if quick {
        // Ward's distance grows with the size of the clusters; the quick demo has fewer conversations in each.
        settings.cluster.threshold = 3.0;
        settings.cluster.min_pairs = 5;
        settings.cluster.min_steps = 72;
    }
    settings
}
