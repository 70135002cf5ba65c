//! What users write: TOML files, environment variables, flags.

use std::path::Path;

use serde_json::Value;

use super::{ConfigError, Merged, Origin};

/// Variables that are no settings.
const RESERVED: [&str; 4] = ["UNO_HOME", "UNO_PYTHON", "UNO_SHARED", "UNO_LOG"];

/// Overlays a TOML file.
pub fn file(merged: &mut Merged, path: &Path) -> Result<(), ConfigError> {
    let fail = |message: String| ConfigError::File { path: path.to_path_buf(), message };
    let text = std::fs::read_to_string(path).map_err(|e| fail(format!("cannot read the settings: {e}")))?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| fail(format!("not valid TOML: {e}")))?;
    let tree = serde_json::to_value(table).map_err(|e| fail(e.to_string()))?;
    merged.overlay(tree, &Origin::File(path.display().to_string()))
}

/// Overlays `UNO_TRAIN_EPOCHS=4` for `train.epochs`, and so on.
pub fn environment(
    merged: &mut Merged,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let name_of = |key: &str| format!("UNO_{}", key.replace('.', "_").to_uppercase());
    let known: std::collections::HashMap<String, String> =
        merged.keys().map(|key| (name_of(key), key.to_owned())).collect();
    let mut given: Vec<(String, String)> = variables
        .filter(|(name, _)| name.starts_with("UNO_") && !RESERVED.contains(&name.as_str()))
        .filter(|(name, _)| !name.starts_with("UNO_TEST_"))
        .collect();
    given.sort();
    for (name, text) in given {
        let Some(key) = known.get(&name) else {
            let nearest = known
                .keys()
                .map(|k| (strsim::jaro_winkler(k, &name), k))
                .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
                .map(|(_, k)| k.clone());
            return Err(ConfigError::UnknownKey { origin: "environment".into(), key: name, nearest });
        };
        merged.set(key, value(&text), Origin::Environment(name))?;
    }
    Ok(())
}

/// Overlays `--set KEY=VALUE`.
pub fn flags(merged: &mut Merged, set: &[String]) -> Result<(), ConfigError> {
    set.iter().try_for_each(|item| {
        let (key, text) = item.split_once('=').ok_or_else(|| ConfigError::Flag(item.clone()))?;
        merged.set(key.trim(), value(text.trim()), Origin::Flag)
    })
}

/// A TOML value where the text is one (numbers, true, arrays, quoted strings), otherwise the text itself.
fn value(text: &str) -> Value {
    let parsed: Option<toml::Table> = toml::from_str(&format!("v = {text}")).ok();
    let value = parsed.and_then(|mut table| table.remove("v")).and_then(|v| serde_json::to_value(v).ok());
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn later_sources_win_and_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.toml");
        std::fs::write(&path, "seed = 7\n[train]\nepochs = 3\nlr = 1e-3\n").unwrap();
        let mut merged = Merged::new(&Settings::default());
        file(&mut merged, &path).unwrap();
        let env = [
            ("UNO_TRAIN_EPOCHS", "5"),
            ("UNO_TARGET_MODEL", "my-model"),
            ("UNO_HOME", "/x"),
            ("PATH", "/bin"),
        ];
        environment(&mut merged, env.iter().map(|(k, v)| (k.to_string(), v.to_string()))).unwrap();
        flags(&mut merged, &["seed=9".into()]).unwrap();
        let settings = merged.settings().unwrap();
        assert_eq!((settings.seed, settings.train.epochs, settings.train.lr), (9, 5, 1e-3));
        assert_eq!(settings.target.model, "my-model");
        let origin = |key: &str| merged.iter().find(|(k, ..)| *k == key).unwrap().2.to_string();
        assert_eq!((origin("seed"), origin("train.epochs")), ("--set".into(), "UNO_TRAIN_EPOCHS".into()));
        assert_eq!(
            (origin("train.rank"), origin("train.lr")),
            ("default".into(), path.display().to_string())
        );
    }

    #[test]
    fn mistakes_name_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.toml");
        let mut merged = Merged::new(&Settings::default());
        std::fs::write(&path, "[train]\nepochs = = 3\n").unwrap();
        assert!(file(&mut merged, &path).unwrap_err().to_string().contains("line 2"));
        std::fs::write(&path, "[train]\nepoch = 3\n").unwrap();
        let error = file(&mut merged, &path).unwrap_err().to_string();
        assert!(
            error.contains("my.toml: unknown setting `train.epoch`: did you mean `train.epochs`?"),
            "{error}"
        );
        let env = std::iter::once(("UNO_TRAIN_EPOCS".to_owned(), "5".to_owned()));
        assert!(environment(&mut merged, env).unwrap_err().to_string().contains("`UNO_TRAIN_EPOCHS`"));
        assert!(flags(&mut merged, &["seed".into()]).unwrap_err().to_string().contains("KEY=VALUE"));
    }
}
