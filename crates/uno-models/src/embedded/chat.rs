//! A chat model in this process.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::ThreadPool;
use uno_engine::weights::GgufFile;
use uno_engine::{Decoder, LoraWeights, Packed, Precision};
use uno_types::role::OnGeneration;
use uno_types::{AdapterRef, ChatModel, Constraint, Generation, GenerationRequest, Message, ModelError};

use super::adapters::AdapterCache;
use super::batch::{Audience, Batch, Wish};
use super::precision;
use super::prefix::PrefixCache;
use super::prompt;
use crate::ModelsError;
use crate::constraint::{Constraints, Grammar, Vocabulary};
use crate::template::{ChatTemplate, encode_example};
use crate::tokenizer::TextTokenizer;

/// Most tokens fed in one engine call where nobody waits for single tokens.
const STEP_TOKENS: usize = 1024;

/// Bounds of an [`EmbeddedChat`].
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Most texts decoded at the same time.
    pub max_batch: usize,
    /// Threads; those of rayon's global pool (all cores) when absent.
    pub threads: Option<usize>,
    /// Most tokens of prompt and answer together; the model's own limit when absent or larger.
    pub context: Option<usize>,
    /// Most bytes of keys and values of texts in flight. A single text may exceed it.
    pub kv_bytes: usize,
    /// Most bytes of shared prompt beginnings kept between calls.
    pub prefix_bytes: usize,
    /// Most bytes of adapters kept between calls.
    pub adapter_bytes: usize,
    /// In what generation multiplies with the frozen weights, where this machine can.
    pub precision: Precision,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            max_batch: 32,
            threads: None,
            context: None,
            kv_bytes: 1024 * MIB,
            prefix_bytes: 256 * MIB,
            adapter_bytes: 512 * MIB,
            precision: Precision::F32,
        }
    }
}

/// A decoder with its tokenizer and chat template.
///
/// `generate` may be called from several threads at once; each call batches its own requests.
pub struct EmbeddedChat {
    name: String,
    pub(super) decoder: Arc<Decoder>,
    pub(super) tokenizer: Arc<TextTokenizer>,
    template: ChatTemplate,
    pub(super) options: EmbeddedOptions,
    pub(super) ends: Vec<u32>,
    adapters: AdapterCache,
    pub(super) prefixes: PrefixCache,
    /// Built when the first constraint comes: many runs have none.
    constraints: OnceLock<Result<Constraints, String>>,
    pool: Option<ThreadPool>,
}

impl EmbeddedChat {
    /// Opens a `*.gguf` file or a Hugging Face directory. The name is the path's last part without `.gguf`.
    ///
    /// # Errors
    /// Weights, tokenizer or chat template are missing, damaged or of an unknown kind.
    pub fn open(path: &Path, options: EmbeddedOptions) -> Result<Self, ModelsError> {
        let file_name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = file_name.strip_suffix(".gguf").unwrap_or(&file_name);
        let decoder = Decoder::open(path)?;
        let (tokenizer, template) = if path.is_dir() {
            (TextTokenizer::from_dir(path)?, ChatTemplate::from_dir(path)?)
        } else {
            let file = GgufFile::open(path)?;
            (TextTokenizer::from_gguf(&file)?, ChatTemplate::from_gguf(&file)?)
        };
        Self::from_parts(name, decoder, tokenizer, template, options)
    }

    /// A chat model from parts that are open already.
    ///
    /// # Errors
    /// The tokenizer has more tokens than the decoder, or the threads cannot be started.
    pub fn from_parts(
        name: impl Into<String>,
        decoder: Decoder,
        tokenizer: TextTokenizer,
        template: ChatTemplate,
        options: EmbeddedOptions,
    ) -> Result<Self, ModelsError> {
        let name = name.into();
        tokenizer.check_fits(decoder.config().vocab_size)?;
        if !decoder.has_head() {
            let what = "the weights are an embedding model's and cannot generate; use the chat model they were made from";
            return Err(ModelsError::format(&name, what));
        }
        let mut ends = tokenizer.eos().to_vec();
        ends.extend(&decoder.config().eos);
        ends.sort_unstable();
        ends.dedup();
        let pool = match options.threads {
            None => None,
            Some(threads) => Some(
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .map_err(|e| ModelsError::Invalid(format!("cannot start {threads} threads: {e}")))?,
            ),
        };
        let decoder = decoder.generating_in(options.precision);
        precision::check(&decoder, &tokenizer)?;
        Ok(Self {
            name,
            decoder: Arc::new(decoder),
            tokenizer: Arc::new(tokenizer),
            template,
            ends,
            adapters: AdapterCache::new(options.adapter_bytes),
            prefixes: PrefixCache::new(options.prefix_bytes),
            constraints: OnceLock::new(),
            pool,
            options: EmbeddedOptions { max_batch: options.max_batch.max(1), ..options },
        })
    }

    /// The frozen model, for training.
    pub fn decoder(&self) -> &Arc<Decoder> {
        &self.decoder
    }

    /// Most texts decoded at the same time.
    pub fn max_batch(&self) -> usize {
        self.options.max_batch
    }

    /// Text to ids and back.
    pub fn tokenizer(&self) -> &Arc<TextTokenizer> {
        &self.tokenizer
    }

    /// Tokens that end a text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Messages to text.
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    /// Log-probabilities of `completion` as the answer to `messages`: their sum, and one per token, the turn's end as the
    /// template writes it included.
    ///
    /// # Errors
    /// As `generate`: template, context length, adapter, engine.
    pub fn token_logprobs(
        &self,
        messages: &[Message],
        completion: &str,
        adapter: Option<&AdapterRef>,
    ) -> Result<(f64, Vec<f32>), ModelError> {
        let example = encode_example(&self.tokenizer, &self.template, messages, completion)?;
        let logprobs = self.score(&example.prompt, &example.completion, adapter)?;
        Ok((logprobs.iter().map(|&l| f64::from(l)).sum(), logprobs))
    }

    /// Log-probability of every token of `completion` after the tokens `prompt`.
    ///
    /// # Errors
    /// As [`EmbeddedChat::token_logprobs`].
    pub fn score(
        &self,
        prompt: &[u32],
        completion: &[u32],
        adapter: Option<&AdapterRef>,
    ) -> Result<Vec<f32>, ModelError> {
        let (tokens, limit) = (prompt.len() + completion.len(), self.context_length());
        if tokens > limit {
            return Err(ModelError::ContextLength { tokens, limit });
        }
        let adapter = adapter.map(|adapter| self.adapter(adapter)).transpose()?;
        let packed = Packed::single(prompt, completion);
        self.on_threads(|| self.decoder.token_logprobs(&packed, adapter.as_deref()))
            .map_err(|error| ModelError::Engine(error.to_string()))
    }

    /// The adapter's weights, kept for the next request.
    pub(super) fn adapter(&self, adapter: &AdapterRef) -> Result<Arc<LoraWeights>, ModelError> {
        self.on_threads(|| {
            self.adapters.get(adapter, &self.decoder, &mut |forgotten| self.prefixes.forget(forgotten))
        })
    }

    /// Where a text under `constraint` begins.
    pub(super) fn grammar(&self, constraint: &Constraint) -> Result<Grammar, ModelsError> {
        let constraints = self.constraints.get_or_init(|| {
            let bytes = (0..self.tokenizer.vocab_size() as u32)
                .map(|id| (!self.tokenizer.is_special(id)).then(|| self.tokenizer.token_bytes(id).to_vec()))
                .collect();
            let ends = self
                .ends
                .iter()
                .copied()
                .filter(|&end| (end as usize) < self.tokenizer.vocab_size())
                .collect();
            let tokenizer = self.tokenizer.clone();
            // A text that cannot be tokenised is then spelled out by the trie's longest matches.
            let encode = Box::new(move |text: &str| tokenizer.encode(text).unwrap_or_default());
            Constraints::new(Vocabulary { bytes, ends, encode }).map_err(|error| error.to_string())
        });
        match constraints {
            Ok(constraints) => constraints.start(constraint),
            Err(error) => Err(ModelsError::Schema(error.clone())),
        }
    }

    /// Runs `work` on this model's threads.
    pub(super) fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl ChatModel for EmbeddedChat {
    /// Name, hash of the weights, hash of the template (another template makes other prompts of the same messages), and the
    /// precision when it is not f32.
    fn id(&self) -> String {
        let short = |hash: &str| hash.chars().take(16).collect::<String>();
        let precision = precision::suffix(self.decoder.generation_precision());
        format!("{}@{}.{}{precision}", self.name, short(self.decoder.hash()), short(self.template.hash()))
    }

    fn context_length(&self) -> usize {
        let limit = self.decoder.config().max_positions;
        self.options.context.map_or(limit, |context| context.min(limit))
    }

    fn generate(
        &self,
        requests: &[GenerationRequest],
        done: &mut OnGeneration<'_>,
    ) -> Result<(), ModelError> {
        let prepared = self.on_threads(|| prompt::prepare(requests, self, self.context_length()));
        let mut jobs = Vec::with_capacity(requests.len());
        for (index, job) in prepared.into_iter().enumerate() {
            match job {
                Ok(job) => jobs.push(job),
                Err(error) => done(index, Err(error)),
            }
        }
        let mut batch = Batch::new(self, STEP_TOKENS);
        batch.queue = prompt::arrange(jobs).into();
        batch.run(&mut Whole(done))
    }
}

/// Hands over whole texts.
struct Whole<'a, 'd>(&'a mut OnGeneration<'d>);

impl Audience for Whole<'_, '_> {
    fn hears(&mut self, _: usize, _: &[u32]) -> Wish {
        Wish::On
    }

    fn ended(&mut self, index: usize, result: Result<Generation, ModelError>) {
        (self.0)(index, result);
    }
}
