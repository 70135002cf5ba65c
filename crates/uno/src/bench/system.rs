//! Systems under test by name.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use uno_bench::baseline::{Baseline, MemoryKind, Remembering, Tools};
use uno_learn::reflect::AnswerOptions;
use uno_learn::route::Policy;

use super::trained::{LoraLoss, Trained, Way};
use crate::config::Settings;
use crate::learn::Pipeline;
use crate::output::Console;

/// A system under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemName {
    /// A memory before the base model.
    Memory(MemoryKind),
    /// One adapter for all logs.
    Lora(LoraLoss),
    /// UNO with one generation per answer.
    UnoSingle,
    /// UNO.
    Uno,
}

impl SystemName {
    /// All systems, in the order of tables.
    pub fn all() -> Vec<Self> {
        let memories = MemoryKind::ALL.into_iter().map(Self::Memory);
        let loras = [LoraLoss::Sft, LoraLoss::Dpo, LoraLoss::DpoSft].into_iter().map(Self::Lora);
        memories.chain(loras).chain([Self::UnoSingle, Self::Uno]).collect()
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory(kind) => kind.name(),
            Self::Lora(LoraLoss::Sft) => "lora_sft",
            Self::Lora(LoraLoss::Dpo) => "lora_dpo",
            Self::Lora(LoraLoss::DpoSft) => "lora_dpo_sft",
            Self::UnoSingle => "uno_single",
            Self::Uno => "uno",
        })
    }
}

impl FromStr for SystemName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::all();
        let found = known.iter().find(|system| system.to_string() == name).copied();
        found.ok_or_else(|| {
            let names: Vec<String> = known.iter().map(ToString::to_string).collect();
            format!("`{name}` is no system; there are {}", names.join(", "))
        })
    }
}

/// What systems under test are made of.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The benchmark's own run: its models and caches serve all memories.
    pub pipeline: &'a Pipeline<'a>,
    /// Settings of the systems that train.
    pub settings: &'a Settings,
    /// How all systems answer.
    pub answer: &'a AnswerOptions,
    /// Where progress goes.
    pub console: &'a Console,
}

impl<'a> Bench<'a> {
    /// A new system that has seen no log. Systems that train keep their runs in `runs`.
    ///
    /// # Errors
    /// When the models are not open.
    pub fn create(&self, system: SystemName, runs: PathBuf) -> anyhow::Result<Box<dyn Baseline + 'a>> {
        let trained = |way| Box::new(Trained::new(*self, way, runs)) as Box<dyn Baseline + 'a>;
        Ok(match system {
            SystemName::Memory(kind) => {
                let roles = self.pipeline.roles()?;
                let tools = Tools {
                    chat: roles.target(),
                    embedder: roles.embedder(),
                    answer: self.answer,
                    distil: &self.settings.distil,
                };
                Box::new(Remembering::new(kind.create(), tools))
            }
            SystemName::Lora(loss) => trained(Way::OneLora(loss)),
            SystemName::UnoSingle => trained(Way::Uno(Policy::Single)),
            SystemName::Uno => trained(Way::Uno(Policy::Uno)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_found_by_its_name() {
        for system in SystemName::all() {
            assert_eq!(system.to_string().parse(), Ok(system));
        }
        assert!("mem1".parse::<SystemName>().unwrap_err().contains("mem0"));
    }
}
