//! Retrieval over distilled rules: what users of similar questions asked for, as instructions.

use std::collections::HashSet;

use uno_learn::distil::distil;
use uno_types::Record;

use super::dense::{embed, nearest};
use super::{BaselineError, Frame, Memory, Question, RECALLED, Tools};

/// Rules by the question whose feedback they come from.
#[derive(Default)]
pub struct Rules {
    rules: Vec<Vec<String>>,
    vectors: Vec<Vec<f32>>,
}

const NAME: &str = "rules";

impl Memory for Rules {
    fn name(&self) -> &'static str {
        NAME
    }

    fn frame(&self) -> Frame {
        Frame::Rules
    }

    fn add(&mut self, logs: &[Record], tools: &Tools<'_>) -> Result<(), BaselineError> {
        let sets = distil(logs, tools.chat, tools.embedder, tools.distil, &mut |_, _| {})?;
        let taught: Vec<(&Record, Vec<String>)> = logs
            .iter()
            .zip(&sets)
            .map(|(record, set)| (record, set.with_feedback.iter().map(|r| r.text.clone()).collect()))
            .filter(|(_, rules): &(_, Vec<String>)| !rules.is_empty())
            .collect();
        let queries: Vec<&str> = taught.iter().map(|(record, _)| record.query()).collect();
        self.vectors.extend(embed(NAME, &queries, tools)?);
        self.rules.extend(taught.into_iter().map(|(_, rules)| rules));
        Ok(())
    }

    fn recall(&self, questions: &[Question], tools: &Tools<'_>) -> Result<Vec<Vec<String>>, BaselineError> {
        let texts: Vec<&str> = questions.iter().map(Question::text).collect();
        let recall = |query: &Vec<f32>| {
            let mut seen = HashSet::new();
            let found = nearest(query, &self.vectors, self.vectors.len()).into_iter();
            let rules =
                found.flat_map(|(i, _)| &self.rules[i]).filter(|rule| seen.insert(rule.to_lowercase()));
            rules.take(RECALLED).cloned().collect()
        };
        Ok(embed(NAME, &texts, tools)?.iter().map(recall).collect())
    }
}
