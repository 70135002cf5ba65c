//! The judge's prompts, by data set: our own, or texts of the same placeholders from files.

/// Prompts with `{question}`, `{answer}`, `{gold}`, `{metrics}` and `{checks}` as placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// NFCats: an answer by itself, 1 to 5.
    pub answer: String,
    /// JRE-L and JuDGE: an answer with its metrics beside the gold answer, 1 to 10.
    pub merge: String,
    /// HelloBench: an answer by a list of checks.
    pub checks: String,
    /// WritingBench: an answer by criteria, 1 to 10.
    pub criteria: String,
}

impl Default for Prompts {
    fn default() -> Self {
        Self {
            answer: "Rate how well the answer solves the question, from 1 to 5.\n\
                     1: it has nothing to do with the question. 2: it is about the question but does not solve it. \
                     3: it solves a part. 4: it solves most of it. 5: it solves it fully.\n\n\
                     Question:\n{question}\n\nAnswer:\n{answer}\n\nReply with the number alone.\nScore:"
                .into(),
            merge: "Rate the text that was written for the task, from 1 (useless or wrong) to 10 (as good as the \
                    reference), with everything in view: the task, the reference and the measurements.\n\n\
                    Task:\n{question}\n\nText:\n{answer}\n\nReference:\n{gold}\n\nMeasurements:\n{metrics}\n\n\
                    Reply with one whole number.\nScore:"
                .into(),
            checks: "Check the answer point by point. For each point give a short reason and a score: 0 (not at all), \
                     0.25, 0.5, 0.75 or 1 (fully).\n\nTask:\n{question}\n\nAnswer:\n{answer}\n\nPoints:\n{checks}\n\n\
                     Reply with JSON: {\"checks\": [{\"reason\": …, \"evaluation_score\": …}, …]}, one entry per point, in order."
                .into(),
            criteria: "Rate the text that was written for the task by these criteria together, from 1 to 10.\n\n\
                       Task:\n{question}\n\nText:\n{answer}\n\nCriteria:\n{checks}\n\nReply with one whole number.\nScore:"
                .into(),
        }
    }
}

impl Prompts {
    /// Names of the prompts, as files are called (with `.txt`).
    pub const NAMES: [&'static str; 4] = ["answer", "merge", "checks", "criteria"];

    /// Replaces the prompt of a name; `false` when there is none of that name.
    pub fn set(&mut self, name: &str, text: String) -> bool {
        let slot = match name {
            "answer" => &mut self.answer,
            "merge" => &mut self.merge,
            "checks" => &mut self.checks,
            "criteria" => &mut self.criteria,
            _ => return false,
        };
        *slot = text;
        true
    }
}

/// Puts texts in the places of `{name}`. What a text holds is not looked at again.
pub(in crate::memorybench) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let known = values
            .iter()
            .find(|(name, _)| rest[1..].strip_prefix(name).is_some_and(|after| after.starts_with('}')));
        match known {
            Some((name, value)) => {
                out.push_str(value);
                rest = &rest[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_filled_again() {
        let text = fill("{a} and {b} in {\"json\": {c}}", &[("a", "{b}"), ("b", "B")]);
        assert_eq!(text, "{b} and B in {\"json\": {c}}");
    }
}
