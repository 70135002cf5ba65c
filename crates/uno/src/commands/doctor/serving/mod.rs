//! What `uno doctor --serve` says about serving a run.

mod access;
mod place;
mod servers;

use std::path::Path;

use super::Finding;
use crate::config::Settings;

/// Everything that `uno serve --run RUN` will need.
pub(super) fn findings(settings: &Settings, run: &Path) -> Vec<Finding> {
    let adapters = servers::adapters(run);
    let mut all = servers::all(settings, &adapters);
    all.extend(adapters.findings);
    all.extend(place::all(&settings.serve, run));
    all.extend(access::all(&settings.serve));
    all
}
