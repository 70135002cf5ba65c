//! A bar with rate and remaining time on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Without a terminal: at most one line in this time.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress of one piece of work.
pub struct Bar {
    label: String,
    bar: ProgressBar,
    plain: bool,
    last_line: Instant,
}

impl Bar {
    pub(super) fn new(label: &str, total: u64, terminal: bool, quiet: bool) -> Self {
        let target =
            if terminal && !quiet { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style =
            ProgressStyle::with_template("{prefix:22} {bar:28} {pos}/{len} {per_sec} {eta} left {msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(label.to_owned());
        Self { label: label.to_owned(), bar, plain: !terminal && !quiet, last_line: Instant::now() }
    }

    /// `done` of `total` are done.
    pub fn at(&mut self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        if self.plain && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let rate = self.bar.per_sec();
            super::eprint_line(format_args!("{}: {done}/{total} ({rate:.1}/s)", self.label));
        }
    }

    /// A word beside the bar.
    pub fn say(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
