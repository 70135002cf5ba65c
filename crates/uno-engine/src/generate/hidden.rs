//! Hidden states instead of logits: what embedding models pool, and what a yes/no question is read from.

use super::Sequence;
use super::advance::Want;
use crate::decoder::Decoder;
use crate::error::EngineError;

impl Decoder {
    /// [`Decoder::advance`] without the head: the output of the final norm [rows, hidden] after each sequence's last fed
    /// token, in the order of `rows`. Transformers calls it `last_hidden_state`. A row's numbers do not depend on the other
    /// rows.
    ///
    /// # Errors
    /// As [`Decoder::advance`].
    pub fn last_hidden(&self, rows: &mut [(&mut Sequence, &[u32])]) -> Result<Vec<f32>, EngineError> {
        self.feed(rows, Want::Hidden)
    }

    /// Logits of `tokens` only, for one row of [`Decoder::last_hidden`]: two products instead of a whole vocabulary's.
    ///
    /// # Errors
    /// When a token is outside the vocabulary, `hidden` has another length than the model's hidden states, or the weights
    /// have no head ([`Decoder::has_head`]).
    pub fn logits_of(&self, hidden: &[f32], tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        self.check_ids(tokens)?;
        let width = self.config.hidden_size;
        if hidden.len() != width {
            return Err(EngineError::Input(format!(
                "a hidden state of {} numbers, not {width}",
                hidden.len()
            )));
        }
        self.need_head()?;
        let head = self.head();
        let logit = |token: &u32| {
            let row = &head[*token as usize * width..][..width];
            row.iter().zip(hidden).map(|(w, x)| w * x).sum()
        };
        Ok(tokens.iter().map(logit).collect())
    }
}
