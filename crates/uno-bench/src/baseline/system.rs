//! Systems under test: a memory before a model, or whatever else takes in logs and answers.

use uno_types::Record;

use super::{BaselineError, Memory, Metered, Question, Tools, Usage, answer};

/// A system under test.
pub trait Baseline {
    /// Its name in tables.
    fn name(&self) -> String;
    /// Takes in logs, after those it has; gives what it spent.
    ///
    /// # Errors
    /// When a model is lost or training fails.
    fn learn(&mut self, logs: &[Record]) -> Result<Usage, BaselineError>;
    /// Takes over logs that an earlier process had it learn: as [`Self::learn`], except that a system which keeps what it learned
    /// need not do so again.
    ///
    /// # Errors
    /// As [`Self::learn`].
    fn resume(&mut self, logs: &[Record]) -> Result<(), BaselineError> {
        self.learn(logs).map(|_| ())
    }
    /// Answers questions; an answer that could not be had is empty.
    ///
    /// # Errors
    /// When a model is lost.
    fn answer(&mut self, questions: &[Question]) -> Result<Answers, BaselineError>;
    /// Perplexity of the base model's `answers` under the system and under the base model: how much was forgotten. None for
    /// systems that leave the model as it is.
    ///
    /// # Errors
    /// When the model cannot be opened.
    fn perplexity(
        &mut self,
        _questions: &[Question],
        _answers: &[String],
    ) -> Result<Option<(f64, f64)>, BaselineError> {
        Ok(None)
    }
    /// Seconds of learning so far where it was not all done now: another system of the same benchmark shares a part of it.
    fn learning_seconds(&self) -> Option<f64> {
        None
    }
    /// Seconds of training so far; none for systems that do not train.
    fn training_seconds(&self) -> Option<f64> {
        None
    }
}

/// Answers, and what they took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// One per question.
    pub texts: Vec<String>,
    /// Tokens of all generations behind them.
    pub usage: Usage,
}

/// A memory before a model.
pub struct Remembering<'a> {
    memory: Box<dyn Memory>,
    tools: Tools<'a>,
}

impl<'a> Remembering<'a> {
    /// With a memory that is empty or not.
    pub fn new(memory: Box<dyn Memory>, tools: Tools<'a>) -> Self {
        Self { memory, tools }
    }
}

impl Baseline for Remembering<'_> {
    fn name(&self) -> String {
        self.memory.name().to_owned()
    }

    fn learn(&mut self, logs: &[Record]) -> Result<Usage, BaselineError> {
        let metered = Metered::new(self.tools.chat);
        self.memory.add(logs, &Tools { chat: &metered, ..self.tools })?;
        Ok(metered.take())
    }

    fn answer(&mut self, questions: &[Question]) -> Result<Answers, BaselineError> {
        let metered = Metered::new(self.tools.chat);
        let texts = answer(self.memory.as_ref(), questions, &Tools { chat: &metered, ..self.tools })?;
        Ok(Answers { texts, usage: metered.take() })
    }
}
