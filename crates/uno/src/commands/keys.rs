//! `uno keys`.

use std::path::Path;

use serde::Serialize;
use uno_serve::auth::{Key, Keys, Scope, new_key};

use super::UsageError;
use crate::args::{KeyScope, KeysArgs, KeysCommand};
use crate::output::{Console, table};

/// A new key: the only time that it is shown.
#[derive(Serialize)]
struct Made {
    name: String,
    key: String,
}

/// Makes, lists or removes keys.
///
/// # Errors
/// When the file cannot be read or written, or a name is taken or unknown.
pub fn run(args: &KeysArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        KeysCommand::Add { name, file, scopes, requests_per_minute, tokens_per_minute } => {
            let mut keys = if file.exists() { read(file)? } else { Vec::new() };
            if keys.iter().any(|k| k.name == *name) {
                return Err(UsageError(format!("there is a key `{name}` already: remove it first")).into());
            }
            let scopes = match scopes.as_slice() {
                [] => vec![Scope::Chat, Scope::Feedback],
                given => given.iter().map(|s| scope(*s)).collect(),
            };
            let (secret, hash) = new_key();
            let (requests_per_minute, tokens_per_minute) = (*requests_per_minute, *tokens_per_minute);
            keys.push(Key { name: name.clone(), hash, scopes, requests_per_minute, tokens_per_minute });
            uno_store::jsonl::write(file, &keys)?;
            console.result(&Made { name: name.clone(), key: secret }, |made| made.key.clone())
        }
        KeysCommand::List { file } => console.result(&read(file)?, |keys| {
            let head = ["name", "may", "requests/min", "tokens/min"].map(str::to_owned).to_vec();
            let rows = keys.iter().map(|k| {
                let scopes: Vec<&str> = k.scopes.iter().map(|s| s.as_str()).collect();
                let rate = |n: Option<u64>| n.map_or("any".to_owned(), |n| n.to_string());
                let rates = [rate(k.requests_per_minute), rate(k.tokens_per_minute)];
                [vec![k.name.clone(), scopes.join(", ")], rates.to_vec()].concat()
            });
            table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
        }),
        KeysCommand::Remove { name, file } => {
            let mut keys = read(file)?;
            let before = keys.len();
            keys.retain(|k| k.name != *name);
            if keys.len() == before {
                return Err(UsageError(format!("there is no key `{name}` in {}", file.display())).into());
            }
            uno_store::jsonl::write(file, &keys)?;
            console.result(&keys.len(), |left| format!("Removed `{name}`; {left} keys are left."))
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<Key>> {
    Ok(Keys::read(file)?.list())
}

fn scope(given: KeyScope) -> Scope {
    match given {
        KeyScope::Chat => Scope::Chat,
        KeyScope::Feedback => Scope::Feedback,
        KeyScope::Admin => Scope::Admin,
    }
}
