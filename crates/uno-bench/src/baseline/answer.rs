//! Answers with a memory: recall, ask, and ask with less where the prompt is too long for the model.

use uno_learn::generate::run;
use uno_types::{GenerationRequest, ModelError};

use super::{BaselineError, Memory, Question, Tools};

/// One answer per question, empty where the model gave none.
///
/// Where a prompt does not fit, the last recalled text is dropped until it does; at last the question is asked alone.
/// (MemoryBench then answers with an error message.)
///
/// # Errors
/// When the model is lost.
pub fn answer(
    memory: &dyn Memory,
    questions: &[Question],
    tools: &Tools<'_>,
) -> Result<Vec<String>, BaselineError> {
    let mut recalled = memory.recall(questions, tools)?;
    let mut answers = vec![String::new(); questions.len()];
    let mut open: Vec<usize> = (0..questions.len()).collect();
    while !open.is_empty() {
        let request = |i: usize| -> GenerationRequest {
            let texts = recalled.get(i).map(Vec::as_slice).unwrap_or_default();
            let prompt = memory.frame().messages(&questions[i].prompt, questions[i].lang, texts);
            tools.answer.answer_request(&prompt, None)
        };
        let requests: Vec<GenerationRequest> = open.iter().map(|&i| request(i)).collect();
        let mut again = Vec::new();
        for (i, result) in open.into_iter().zip(run("baseline", tools.chat, &requests, &mut |_, _| {})?) {
            match result {
                Ok(generation) => answers[i] = generation.text,
                Err(ModelError::ContextLength { .. }) if recalled.get(i).is_some_and(|r| !r.is_empty()) => {
                    recalled[i].pop();
                    again.push(i);
                }
                Err(error @ ModelError::Stopped(_)) => {
                    return Err(BaselineError::Model { baseline: memory.name(), source: error });
                }
                Err(_) => {}
            }
        }
        open = again;
    }
    Ok(answers)
}
