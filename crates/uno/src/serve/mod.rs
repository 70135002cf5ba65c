//! What `uno serve` needs of a run directory, and of the system.

mod evolve;
mod plans;
mod umpire;

use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use uno_store::RunDir;

pub use evolve::Evolution;
pub use plans::RunPlans;
pub use umpire::RunUmpire;

use crate::config::Settings;

/// The settings that a run was made with, as defaults; the built-in ones where there is no run yet.
///
/// # Errors
/// When the run was made by another version.
pub fn settings_of(run: &Path) -> anyhow::Result<Settings> {
    if !run.join("run.json").is_file() {
        return Ok(Settings::default());
    }
    crate::config::of_run(&RunDir::open_existing(run)?)
}

/// Done when the system says stop: SIGTERM or SIGINT.
pub async fn told_to_stop() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals cannot be received: only a kill ends this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
