//! No memory: the question as it is.

use uno_types::Record;

use super::{BaselineError, Memory, Question, Tools};

/// Keeps nothing.
pub struct NoMemory;

impl Memory for NoMemory {
    fn name(&self) -> &'static str {
        "wo_memory"
    }

    fn add(&mut self, _: &[Record], _: &Tools<'_>) -> Result<(), BaselineError> {
        Ok(())
    }

    fn recall(&self, questions: &[Question], _: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        Ok(vec![Vec::new(); questions.len()])
    }
}
