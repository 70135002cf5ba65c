//! From requests to token ids, in an order that lets equal beginnings be computed once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use uno_engine::LoraWeights;
use uno_types::{AdapterRef, GenerationRequest, ModelError};

use super::chat::EmbeddedChat;
use crate::constraint::Grammar;
use crate::{ModelsError, sampling};

/// A beginning that prompts share pays for being computed apart from this many tokens.
pub(super) const WORTH_SHARING: usize = 16;

/// A request with its prompt in tokens.
pub(super) struct Job<'a> {
    /// Position among the caller's requests.
    pub(super) index: usize,
    pub(super) request: Cow<'a, GenerationRequest>,
    /// The rendered prompt.
    pub(super) prompt: Vec<u32>,
    /// Most tokens to generate: `max_tokens`, or what the context has left.
    pub(super) limit: usize,
    /// Lengths of the beginnings that other jobs of the same adapter share with this one, shortest first.
    pub(super) shared: Vec<usize>,
    /// What it needs besides; looked up when it starts where it is not there yet.
    pub(super) ready: Option<Ready>,
}

/// What a request names, opened.
pub(super) struct Ready {
    pub(super) adapter: Option<Arc<LoraWeights>>,
    pub(super) grammar: Option<Grammar>,
}

impl Ready {
    /// # Errors
    /// When the adapter cannot be used, or the constraint is none that can be kept.
    pub(super) fn of(chat: &EmbeddedChat, request: &GenerationRequest) -> Result<Self, ModelError> {
        let adapter = request.adapter.as_ref().map(|adapter| chat.adapter(adapter)).transpose()?;
        let grammar = request.constraint.as_ref().map(|constraint| chat.grammar(constraint)).transpose()?;
        Ok(Self { adapter, grammar })
    }
}

impl<'a> Job<'a> {
    /// Tokenises and checks a request that continues `text`.
    ///
    /// # Errors
    /// Sampling that makes no sense, a prompt that does not fit.
    pub(super) fn new(
        index: usize,
        request: Cow<'a, GenerationRequest>,
        text: &str,
        chat: &EmbeddedChat,
        context: usize,
    ) -> Result<Self, ModelError> {
        sampling::check(&request.sampling).map_err(|e| ModelError::Invalid(e.to_string()))?;
        let prompt = chat.tokenizer.encode(text)?;
        if prompt.is_empty() {
            return Err(ModelsError::Template("rendered no text for these messages".to_owned()).into());
        }
        // A prompt that fills the context leaves no room for a single token.
        if prompt.len() >= context {
            return Err(ModelError::ContextLength { tokens: prompt.len(), limit: context });
        }
        let limit = request.max_tokens.min(context - prompt.len());
        Ok(Self { index, request, prompt, limit, shared: Vec::new(), ready: None })
    }
}

/// Renders, tokenises and checks all requests.
pub(super) fn prepare<'a>(
    requests: &'a [GenerationRequest],
    chat: &EmbeddedChat,
    context: usize,
) -> Vec<Result<Job<'a>, ModelError>> {
    let job = |(index, request): (usize, &'a GenerationRequest)| {
        let text = chat.template().render(&request.messages, true)?;
        Job::new(index, Cow::Borrowed(request), &text, chat, context)
    };
    requests.par_iter().enumerate().map(job).collect()
}

/// Orders jobs: adapter by adapter (in order of first use), those that share a beginning side by side, and finds those
/// beginnings. The order is that of admission, and no job overtakes another: a long prompt waits for room, never for
/// shorter ones.
pub(super) fn arrange<'a>(jobs: Vec<Job<'a>>) -> Vec<Job<'a>> {
    let mut groups: Vec<Vec<Job<'a>>> = Vec::new();
    let mut group_of: HashMap<Option<AdapterRef>, usize> = HashMap::new();
    for job in jobs {
        let group = *group_of.entry(job.request.adapter.clone()).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(job);
    }
    let mut arranged = Vec::new();
    for mut group in groups {
        group.sort_by(|a, b| a.prompt.cmp(&b.prompt).then(a.index.cmp(&b.index)));
        share(&mut group, 0);
        arranged.append(&mut group);
    }
    arranged
}

/// Finds shared beginnings in `jobs`, which are sorted by prompt and have their first `known` tokens shared already.
fn share(jobs: &mut [Job<'_>], known: usize) {
    let [first, .., last] = &*jobs else { return };
    // In sorted order the ends have the least in common.
    let common = common_length(&first.prompt, &last.prompt);
    // The last prompt token is always fed by the row itself, which needs the logits after it.
    let sharable = common.min(first.prompt.len() - 1);
    let branch = |job: &Job<'_>| job.prompt.get(common).copied();
    let all_equal = branch(first) == branch(last);
    let worth_it = sharable >= known + WORTH_SHARING;
    if worth_it {
        jobs.iter_mut().for_each(|job| job.shared.push(sharable));
    }
    if !all_equal {
        let known = if worth_it { sharable } else { known };
        jobs.chunk_by_mut(|a, b| branch(a) == branch(b)).for_each(|jobs| share(jobs, known));
    }
}

/// How many tokens `a` and `b` begin with alike.
pub(super) fn common_length(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uno_types::Sampling;

    use super::*;

    fn request(adapter: Option<&str>) -> GenerationRequest {
        GenerationRequest {
            messages: vec![],
            adapter: adapter.map(|name| AdapterRef { name: name.to_owned(), dir: name.to_owned() }),
            sampling: Sampling::GREEDY,
            max_tokens: 1,
            constraint: None,
            logprobs: false,
        }
    }

    fn jobs<'a>(requests: &'a [GenerationRequest], prompts: &[Vec<u32>]) -> Vec<Job<'a>> {
        let job = |(index, (request, prompt)): (usize, (&'a GenerationRequest, &Vec<u32>))| Job {
            index,
            request: Cow::Borrowed(request),
            prompt: prompt.clone(),
            limit: 1,
            shared: vec![],
            ready: None,
        };
        requests.iter().zip(prompts).enumerate().map(job).collect()
    }

    #[test]
    fn few_shot_instructions_and_samples_of_one_prompt_are_both_shared() {
        let prompt = |question: u32, length: u32| -> Vec<u32> {
            (0..40).chain((0..length).map(|i| 100 * question + i)).collect()
        };
        let prompts = [prompt(1, 30), prompt(2, 20), prompt(1, 30), prompt(3, 5), prompt(2, 20)];
        let requests = vec![request(None); 5];
        let arranged = arrange(jobs(&requests, &prompts));
        let found: Vec<(usize, Vec<usize>)> = arranged.into_iter().map(|j| (j.index, j.shared)).collect();
        assert_eq!(
            found,
            [(0, vec![40, 69]), (2, vec![40, 69]), (1, vec![40, 59]), (4, vec![40, 59]), (3, vec![40])]
        );
    }

    #[test]
    fn adapters_share_nothing_with_each_other() {
        let prompts = vec![vec![7; 50]; 4];
        let requests = [request(None), request(Some("a")), request(None), request(Some("b"))];
        let arranged = arrange(jobs(&requests, &prompts));
        let found: Vec<(usize, Vec<usize>)> = arranged.into_iter().map(|j| (j.index, j.shared)).collect();
        assert_eq!(found, [(0, vec![49]), (2, vec![49]), (1, vec![]), (3, vec![])]);
    }

    proptest! {
        #[test]
        fn every_shared_beginning_is_shared_by_at_least_two_and_leaves_a_token(
            prompts in prop::collection::vec(prop::collection::vec(0u32..2, 1..60), 1..30),
        ) {
            let requests = vec![request(None); prompts.len()];
            let arranged = arrange(jobs(&requests, &prompts));
            prop_assert_eq!(arranged.len(), prompts.len());
            for job in &arranged {
                prop_assert_eq!(&job.prompt, &prompts[job.index]);
                let mut before = 0;
                for &length in &job.shared {
                    prop_assert!(length >= before + WORTH_SHARING && length < job.prompt.len());
                    before = length;
                    let users = arranged.iter().filter(|other| {
                        other.shared.contains(&length) && common_length(&other.prompt, &job.prompt) >= length
                    });
                    prop_assert!(users.count() >= 2);
                }
            }
        }
    }
}
