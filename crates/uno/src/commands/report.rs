//! `uno report`.

use std::process::{Command, Stdio};

use serde_json::json;
use uno_store::RunDir;

use crate::args::ReportArgs;
use crate::learn::artefacts::files;
use crate::output::Console;

/// Writes the report of a run.
///
/// # Errors
/// When the run has no plan yet or an artefact is damaged.
pub fn run(args: &ReportArgs, console: &Console) -> anyhow::Result<()> {
    let run = RunDir::open_existing(&args.run)?;
    // The evidence for the plan in force is that of the step that made it.
    let path = match crate::learn::evolve::in_force(&run).ok().and_then(|(_, step)| step) {
        Some(step) => {
            let own = crate::report::write(&step)?;
            run.write_bytes(files::REPORT, &fs_err::read(own)?)?;
            run.path(files::REPORT)
        }
        None => crate::report::write(&run)?,
    };
    if args.open {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let opened = Command::new(opener).arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        if let Err(error) = opened {
            console.warn(format_args!("cannot start {opener} ({error}): open {} yourself", path.display()));
        }
    }
    console.result(&json!({"report": path}), |_| path.display().to_string())
}
