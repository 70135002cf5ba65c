//! The Python side of `train.backend = "trl"`.

use uno_train::trl::PACKAGES;

use super::Finding;
use crate::config::Settings;

/// Whether TRL could train: its environment, its devices, its base model.
pub fn findings(settings: &Settings) -> Vec<Finding> {
    if !settings.uses_trl() {
        return Vec::new();
    }
    vec![environment(settings), base(settings)]
}

fn environment(settings: &Settings) -> Finding {
    let check = format!("trl: {}", settings.trl.launcher.join(" "));
    let install = format!("in that environment: pip install {PACKAGES}");
    let found = match settings.trl.check() {
        Ok(found) => found,
        // The error says what to do.
        Err(error) => return Finding::problem(check, error.to_string(), "then run `uno doctor` again"),
    };
    if let Some(problem) = found.problem() {
        return Finding::problem(check, problem, install);
    }
    let installed = found.versions.iter().filter_map(|(name, v)| Some(format!("{name} {}", v.as_ref()?)));
    let versions = installed.collect::<Vec<_>>().join(", ");
    let devices =
        if found.devices.is_empty() { "no GPU: the CPU".to_owned() } else { found.devices.join(", ") };
    let told = format!("{versions}; {devices}; {} process(es)", found.processes);
    let unchecked = found.unchecked();
    if unchecked.is_empty() {
        Finding::ok(check, told)
    } else {
        Finding::warning(
            check,
            told,
            format!("not the versions it was checked with: {}", unchecked.join(", ")),
        )
    }
}

fn base(settings: &Settings) -> Finding {
    const CHECK: &str = "trl: base model";
    let advice = "set trl.weights to the model's Hugging Face directory";
    match crate::learn::trl_base(settings) {
        Ok(path) if path.join("config.json").is_file() => Finding::ok(CHECK, path.display().to_string()),
        Ok(path) => {
            Finding::problem(CHECK, format!("{} is no Hugging Face directory", path.display()), advice)
        }
        Err(error) => Finding::problem(CHECK, format!("{error:#}"), advice),
    }
}
