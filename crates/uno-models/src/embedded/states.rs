//! Last hidden states of many texts.

use std::sync::Arc;

use uno_engine::{Decoder, EngineError, KvBlock};

/// Most tokens computed in one engine call; bounds its activations.
const CHUNK: usize = 1024;

/// The normalised hidden state after the last token of each of `texts`, behind `prefix` if there is one. Each is what it
/// would be alone. No text may be empty.
pub(super) fn last_states(
    decoder: &Decoder,
    prefix: Option<&Arc<KvBlock>>,
    texts: &[Vec<u32>],
) -> Result<Vec<Vec<f32>>, EngineError> {
    let width = decoder.config().hidden_size;
    let mut states = Vec::with_capacity(texts.len());
    let mut rest = texts;
    while let Some(first) = rest.first() {
        let mut tokens = 0;
        let fits = rest.iter().take_while(|text| {
            tokens += text.len();
            tokens <= CHUNK
        });
        let (batch, after) = rest.split_at(fits.count().max(1));
        rest = after;
        if first.len() > CHUNK {
            states.push(long(decoder, prefix, first)?);
            continue;
        }
        let mut sequences: Vec<_> =
            batch.iter().map(|text| decoder.start(prefix.cloned(), None, text.len())).collect();
        let mut rows: Vec<_> = sequences.iter_mut().zip(batch.iter().map(Vec::as_slice)).collect();
        let hidden = decoder.last_hidden(&mut rows)?;
        states.extend(hidden.chunks_exact(width).map(<[f32]>::to_vec));
    }
    Ok(states)
}

/// One text in pieces.
fn long(decoder: &Decoder, prefix: Option<&Arc<KvBlock>>, text: &[u32]) -> Result<Vec<f32>, EngineError> {
    let mut sequence = decoder.start(prefix.cloned(), None, text.len());
    let mut hidden = Vec::new();
    for piece in text.chunks(CHUNK) {
        hidden = decoder.last_hidden(&mut [(&mut sequence, piece)])?;
    }
    Ok(hidden)
}
