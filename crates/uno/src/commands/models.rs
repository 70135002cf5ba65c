//! `uno models`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;
use uno_models::registry;

use crate::args::{ModelsArgs, ModelsCommand};
use crate::output::{Bar, Console, table};

/// Pulls or lists models.
///
/// # Errors
/// When a model is not known or cannot be pulled.
pub fn run(args: &ModelsArgs, console: &Console) -> anyhow::Result<()> {
    match &args.command {
        ModelsCommand::Pull { names } => pull(names, console),
        ModelsCommand::List => {
            let known = registry::list();
            let all: Vec<_> = known
                .iter()
                .map(|k| {
                    json!({"name": k.name, "role": k.role, "state": k.state.as_str(), "bytes": k.size,
                           "path": k.path, "source": k.source})
                })
                .collect();
            console.result(&all, |_| {
                let head = ["model", "role", "MB", "state", "place", "source"];
                let mut rows = vec![head.map(str::to_owned).to_vec()];
                rows.extend(known.iter().map(|k| {
                    vec![
                        k.name.to_owned(),
                        k.role.to_owned(),
                        format!("{:.0}", k.size as f64 / 1e6),
                        k.state.as_str().to_owned(),
                        k.path.display().to_string(),
                        k.source.clone(),
                    ]
                }));
                table(&rows)
            })
        }
    }
}

fn pull(names: &[String], console: &Console) -> anyhow::Result<()> {
    let defaults = registry::known::DEFAULTS.map(|known| known.name.to_owned());
    let names = if names.is_empty() { &defaults[..] } else { names };
    let mut pulled = Vec::new();
    for name in names {
        let path = registry::pull(name, &Pulling::new(console)).with_context(|| format!("pulling {name}"))?;
        pulled.push(json!({"name": name, "path": path}));
    }
    console.result(&pulled, |all| {
        all.iter()
            .map(|m| format!("{}  {}\n", m["name"].as_str().unwrap_or(""), m["path"].as_str().unwrap_or("")))
            .collect()
    })
}

/// Where a model lies: a path, or a known name, which is pulled when it is not there yet.
///
/// # Errors
/// When it is neither, or cannot be pulled.
pub fn resolve_or_pull(name: &str) -> anyhow::Result<PathBuf> {
    match registry::resolve(name) {
        Ok(path) => Ok(path),
        Err(error) if !registry::known::ALL.iter().any(|known| known.name == name) => Err(error.into()),
        Err(_) => {
            let console = Console::new(false, !std::io::stderr().is_terminal() && cfg!(test));
            console.note(format_args!("pulling {name} into {}", registry::home().display()));
            Ok(registry::pull(name, &Pulling::new(&console))?)
        }
    }
}

/// A bar for a download.
struct Pulling {
    console: Console,
    bar: std::cell::RefCell<Option<Bar>>,
}

impl Pulling {
    fn new(console: &Console) -> Self {
        Self { console: *console, bar: std::cell::RefCell::new(None) }
    }
}

impl registry::Progress for Pulling {
    fn step(&self, text: &str) {
        *self.bar.borrow_mut() = None;
        self.console.note(text);
    }

    fn bytes(&self, done: u64, total: u64) {
        let mut slot = self.bar.borrow_mut();
        slot.get_or_insert_with(|| self.console.bar("bytes", total)).at(done, total);
    }
}
