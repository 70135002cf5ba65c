//! Adapter files whatever their format, and writing them whole.

use std::io::Write;
use std::path::Path;

use super::weights::LoraWeights;
use crate::config::ModelConfig;
use crate::error::EngineError;

impl LoraWeights {
    /// Reads an adapter: a `.gguf` file ([`LoraWeights::read_gguf`]) or else a PEFT directory ([`LoraWeights::read_peft`]).
    ///
    /// # Errors
    /// As these.
    pub fn read(path: &Path, model: &ModelConfig) -> Result<Self, EngineError> {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) {
            LoraWeights::read_gguf(path, model)
        } else {
            LoraWeights::read_peft(path, model)
        }
    }
}

/// Puts the file's name to what is wrong with an adapter.
pub(super) fn in_file(path: &Path) -> impl Fn(EngineError) -> EngineError {
    move |error| match error {
        EngineError::Adapter { what, .. } => EngineError::adapter(path, what),
        other => other,
    }
}

/// Writes a file whole or not at all: beside its place, made durable, renamed.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    replace_with(path, |out| out.write_all(bytes))
}

/// [`replace`] with what `fill` writes.
pub(super) fn replace_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), EngineError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name);
    let write = || {
        let mut file = std::io::BufWriter::new(std::fs::File::create(partial)?);
        fill(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()
    };
    write().map_err(EngineError::io("write", partial))?;
    std::fs::rename(partial, path).map_err(EngineError::io("rename", partial))
}
