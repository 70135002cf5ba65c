//! Log-probabilities under the reference, computed once per pair.
//!
//! The reference is the base with the adapter off, so it never changes: `reference.jsonl` keeps the sums by the hashes
//! of the base and of the pair, over all epochs and re-runs. They must come from the same numeric path as the policy's,
//! hence from the engine with the pair packed in the same way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uno_engine::{Decoder, Workspace};

use crate::checkpoint::files::{JsonLog, read_lines};
use crate::data::PreferenceExample;
use crate::error::{TrainError, engine, io};
use crate::loss::PairReference;
use crate::pack::pack_preferences;

const READING: &str = "reading reference log-probabilities";

#[derive(Serialize, Deserialize)]
struct Line {
    base: String,
    pair: String,
    id: String,
    chosen: f64,
    rejected: f64,
}

/// The sums known so far, and the file behind them.
pub(crate) struct References {
    dir: PathBuf,
    base: String,
    known: HashMap<String, PairReference>,
    log: JsonLog,
}

impl References {
    /// Reads what earlier runs left for this base; lines of other bases are kept in the file.
    pub(crate) fn open(dir: &Path, base: &str) -> Result<Self, TrainError> {
        let path = dir.join("reference.jsonl");
        let mut known = HashMap::new();
        let mut kept = Vec::new();
        for text in read_lines(&path).map_err(io(READING, dir))? {
            let Ok(line) = serde_json::from_str::<Line>(&text) else { continue };
            kept.push(text);
            if line.base == base && line.chosen.is_finite() && line.rejected.is_finite() {
                known.insert(line.pair, PairReference { chosen: line.chosen, rejected: line.rejected });
            }
        }
        let log = JsonLog::open_with(&path, &kept).map_err(io(READING, dir))?;
        Ok(Self { dir: dir.to_path_buf(), base: base.to_owned(), known, log })
    }

    /// The sums of a pair, computed and appended to the file when they are not known.
    pub(crate) fn of(
        &mut self,
        decoder: &Decoder,
        example: &PreferenceExample,
        hash: blake3::Hash,
        workspace: &mut Workspace,
    ) -> Result<PairReference, TrainError> {
        let pair = hash.to_hex().to_string();
        if let Some(reference) = self.known.get(&pair) {
            return Ok(*reference);
        }
        let reference = measure(decoder, example, workspace)?;
        let PairReference { chosen, rejected } = reference;
        let line =
            Line { base: self.base.clone(), pair: pair.clone(), id: example.id.clone(), chosen, rejected };
        self.log.append(&line).map_err(io("keeping reference log-probabilities", &self.dir))?;
        self.known.insert(pair, reference);
        Ok(reference)
    }
}

/// One forward pass with the adapter off.
pub(crate) fn measure(
    decoder: &Decoder,
    example: &PreferenceExample,
    workspace: &mut Workspace,
) -> Result<PairReference, TrainError> {
    let (packed, ranges) = pack_preferences(&[example]);
    let logps = decoder
        .score(&packed, None, workspace)
        .map_err(engine(|| format!("reference log-probabilities of record {}", example.id)))?;
    let sum = |range: &std::ops::Range<usize>| logps[range.clone()].iter().map(|l| f64::from(*l)).sum();
    Ok(ranges.first().map_or(PairReference { chosen: 0.0, rejected: 0.0 }, |range| PairReference {
        chosen: sum(&range.chosen),
        rejected: sum(&range.rejected),
    }))
}
