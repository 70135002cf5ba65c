//! No hand-written source file above 25 KB: a file that size holds more than one idea.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const LIMIT: u64 = 25_000;

/// Fails when a tracked or new `.rs` file is too large, and prints how sizes are spread.
pub fn check(root: &Path) -> Result<()> {
    let mut sizes: Vec<(u64, PathBuf)> = Vec::new();
    for file in sources(root)? {
        let path = root.join(&file);
        // A file that is tracked and was just removed has no size.
        if let Ok(meta) = std::fs::metadata(&path) {
            sizes.push((meta.len(), file));
        }
    }
    sizes.sort();
    let at = |share: f64| sizes.get((sizes.len() as f64 * share) as usize).map_or(0, |s| s.0);
    println!("{} .rs files: median {} bytes, p90 {} bytes", sizes.len(), at(0.5), at(0.9));
    let large: Vec<String> =
        sizes.iter().filter(|s| s.0 > LIMIT).map(|(n, p)| format!("{n} bytes {}", p.display())).collect();
    if large.is_empty() {
        Ok(())
    } else {
        bail!("above {LIMIT} bytes, split them:\n  {}", large.join("\n  "))
    }
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .context("starting git")?;
    let list = String::from_utf8(output.stdout).context("git's list of files")?;
    Ok(list.lines().map(PathBuf::from).collect())
}
