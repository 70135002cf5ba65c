//! Merging settings key by key. The known keys are those of the defaults, so they cannot drift from the types.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use uno_train::Backend;

use super::{ConfigError, Settings};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file, by name.
    File(String),
    /// An environment variable, by name.
    Environment(String),
    /// `--set`.
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(name) | Origin::Environment(name) => f.write_str(name),
            Origin::Flag => f.write_str("--set"),
        }
    }
}

/// Every setting by its dotted key, with value and origin.
#[derive(Clone, Debug)]
pub struct Merged {
    values: BTreeMap<String, (Value, Origin)>,
}

impl Merged {
    /// The defaults.
    pub fn new(defaults: &Settings) -> Self {
        let mut values = BTreeMap::new();
        // Through text, so that an f32 of 0.1 reads 0.1 and not 0.10000000149011612.
        let tree = serde_json::to_string(defaults).and_then(|text| serde_json::from_str(&text));
        flatten("", tree.unwrap_or(Value::Null), &mut |key, value| {
            values.insert(key, (value, Origin::Default));
        });
        Self { values }
    }

    /// All keys with value and origin, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        self.values.iter().map(|(key, (value, origin))| (key.as_str(), value, origin))
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Overrides every leaf of `tree`.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] or [`ConfigError::BadValue`].
    pub fn overlay(&mut self, tree: Value, origin: &Origin) -> Result<(), ConfigError> {
        let mut leaves = Vec::new();
        flatten("", tree, &mut |key, value| leaves.push((key, value)));
        leaves.into_iter().try_for_each(|(key, value)| self.set(&key, value, origin.clone()))
    }

    /// Overrides one key.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] or [`ConfigError::BadValue`].
    pub fn set(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), ConfigError> {
        let Some(slot) = self.values.get_mut(key) else {
            let prefix = format!("{key}.");
            if self.values.keys().any(|known| known.starts_with(&prefix)) {
                let message = "this is a table of settings, not a single one".to_owned();
                return Err(ConfigError::BadValue {
                    origin: origin.to_string(),
                    key: key.to_owned(),
                    message,
                });
            }
            let nearest = self.nearest(key);
            return Err(ConfigError::UnknownKey { origin: origin.to_string(), key: key.to_owned(), nearest });
        };
        *slot = (value, origin);
        Ok(())
    }

    /// Gives the one `seed` to everything that was not given a seed of its own.
    pub fn inherit_seed(&mut self) {
        let Some((seed, origin)) = self.values.get("seed").cloned() else { return };
        for (key, slot) in &mut self.values {
            if key.ends_with(".seed") && slot.1 == Origin::Default {
                *slot = (seed.clone(), origin.clone());
            }
        }
    }

    /// Critics are trained where Experts are, unless something else was said.
    pub fn inherit_backend(&mut self) {
        let Some(backend) = self.values.get("train.backend").cloned() else { return };
        if Backend::deserialize(&backend.0).is_err() {
            return; // said once, of the key that was written
        }
        if let Some(slot) = self.values.get_mut("critic.backend").filter(|s| s.1 == Origin::Default) {
            *slot = backend;
        }
    }

    /// The known key that looks most like `key`, if any looks like it.
    fn nearest(&self, key: &str) -> Option<String> {
        let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_owned();
        let likeness = |known: &str| {
            // A right name in the wrong table counts almost as much as a misspelt whole.
            strsim::jaro_winkler(known, key).max(0.95 * strsim::jaro_winkler(&leaf(known), &leaf(key)))
        };
        self.keys()
            .map(|known| (likeness(known), known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness > 0.75)
            .map(|(_, known)| known.to_owned())
    }

    /// The typed settings, checked.
    ///
    /// # Errors
    /// [`ConfigError::BadValue`] with key and origin.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let mut tree = Value::Object(serde_json::Map::new());
        for (key, (value, _)) in &self.values {
            insert(&mut tree, key, value.clone());
        }
        let settings: Settings = serde_path_to_error::deserialize(tree)
            .map_err(|error| self.bad(&error.path().to_string(), error.inner().to_string()))?;
        settings.check().map_err(|(key, message)| self.bad(&key, message))?;
        Ok(settings)
    }

    fn bad(&self, key: &str, message: String) -> ConfigError {
        let origin = self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigError::BadValue { origin: origin.to_string(), key: key.to_owned(), message }
    }
}

fn flatten(prefix: &str, value: Value, leaf: &mut impl FnMut(String, Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                flatten(&key, value, leaf);
            }
        }
        value => leaf(prefix.to_owned(), value),
    }
}

fn insert(tree: &mut Value, key: &str, value: Value) {
    match key.split_once('.') {
        Some((head, rest)) => insert(&mut tree[head], rest, value),
        None => tree[key] = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(key: &str, value: Value) -> Result<Settings, ConfigError> {
        let mut merged = Merged::new(&Settings::default());
        merged.set(key, value, Origin::Flag)?;
        merged.settings()
    }

    #[test]
    fn defaults_survive_merging() {
        assert_eq!(Merged::new(&Settings::default()).settings().unwrap(), Settings::default());
    }

    #[test]
    fn a_misspelt_key_names_the_nearest() {
        for (key, nearest) in [
            ("train.epoch", "train.epochs"),
            ("cluster.treshold", "cluster.threshold"),
            ("epochs", "train.epochs"),
        ] {
            let error = set(key, json!(1)).unwrap_err().to_string();
            assert!(error.contains(&format!("did you mean `{nearest}`?")), "{error}");
        }
        assert!(set("zzz", json!(1)).unwrap_err().to_string().contains("uno config show"));
        assert!(set("train", json!(1)).unwrap_err().to_string().contains("table"));
    }

    #[test]
    fn a_wrong_value_names_key_and_place() {
        let error = set("train.epochs", json!("many")).unwrap_err().to_string();
        assert!(error.starts_with("--set: setting `train.epochs`: invalid type: string \"many\""), "{error}");
        let error = set("train.epochs", json!(0)).unwrap_err().to_string();
        assert!(error.contains("`train.epochs`"), "{error}");
        let error = set("plan.min_win_rate", json!(1.5)).unwrap_err().to_string();
        assert!(error.contains("between 0 and 1"), "{error}");
    }
}
