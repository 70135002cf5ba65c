//! `uno adapters`.

mod export;
mod list;
mod rollback;

use crate::args::{AdaptersArgs, AdaptersCommand};
use crate::output::Console;

/// Lists, verifies or exports adapters, or goes back to an earlier plan.
///
/// # Errors
/// When the run has no plan, or an adapter is not what its name says.
pub fn run(args: &AdaptersArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        AdaptersCommand::List { run } => list::list(run, console),
        AdaptersCommand::Verify { run } => list::verify(run, console),
        AdaptersCommand::Export(args) => export::run(args, console),
        AdaptersCommand::Rollback(args) => rollback::run(args, console),
    }
}
