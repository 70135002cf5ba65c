//! `cargo xtask check`: formatting, lints, tests, documentation freshness, file sizes. One command before a change is
//! handed in; `.ci/run` runs the same.

mod docs;
mod sizes;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo xtask check | sizes | docs [--write] [BINARY]";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check"] => check(),
        ["sizes"] => sizes::check(&root()?),
        ["docs", "--write"] => docs::write(&root()?, None),
        ["docs", "--write", binary] => docs::write(&root()?, Some(binary)),
        ["docs"] => docs::check(&root()?, None),
        ["docs", binary] => docs::check(&root()?, Some(binary)),
        _ => bail!(USAGE),
    }
}

/// Everything, cheap things first.
fn check() -> Result<()> {
    let root = root()?;
    sizes::check(&root)?;
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    cargo(&["test", "--workspace", "--locked"])?;
    docs::check(&root, None)
}

/// Runs cargo in the workspace and fails with it.
fn cargo(words: &[&str]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo).args(words).current_dir(root()?).status().context("starting cargo")?;
    if status.success() { Ok(()) } else { bail!("cargo {} failed", words.join(" ")) }
}

/// The workspace's directory.
fn root() -> Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask lies in no workspace")?.to_path_buf())
}
