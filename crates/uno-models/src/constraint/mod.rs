//! Holding a generation to a JSON schema, through `llguidance`.
//!
//! A schema is compiled once ([`Constraints::start`] keeps the result); each generation then walks its own
//! [`Grammar`]: a mask of allowed tokens before each draw, and runs of tokens that the grammar leaves no choice about,
//! which need no draw and are fed to the model together.

mod schema;
mod vocabulary;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::InferenceCapabilities;
use llguidance::{Matcher, ParserFactory};
use toktrie::SimpleVob;
use uno_types::Constraint;

use crate::ModelsError;

pub use vocabulary::{Encode, Vocabulary};

/// Compiled schemas beyond this are forgotten: a run uses a handful, a server may be sent any number.
const KEPT_GRAMMARS: usize = 64;

/// Compiles constraints for one vocabulary.
pub struct Constraints {
    factory: ParserFactory,
    compiled: Mutex<HashMap<String, Matcher>>,
}

impl Constraints {
    /// Prepares the token trie; some tens of milliseconds for 50 000 tokens.
    ///
    /// # Errors
    /// [`ModelsError::Schema`] when the vocabulary cannot serve constraints (no tokens, no end token).
    pub fn new(vocabulary: Vocabulary) -> Result<Constraints, ModelsError> {
        let env = vocabulary.into_env()?;
        let capabilities = InferenceCapabilities { ff_tokens: true, ..Default::default() };
        let slices = llguidance::earley::SlicedBiasComputer::json_slices();
        let mut factory = ParserFactory::new(&env, capabilities, &slices).map_err(schema_error)?;
        factory.quiet().limits_mut().verbose_errors = false;
        Ok(Constraints { factory, compiled: Mutex::default() })
    }

    /// The start state of a generation under `constraint`; compiles it on first use.
    ///
    /// # Errors
    /// [`ModelsError::Schema`] names what the schema asks for that cannot be held to.
    pub fn start(&self, constraint: &Constraint) -> Result<Grammar, ModelsError> {
        let Constraint::JsonSchema(schema) = constraint;
        let key = schema.to_string();
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = compiled.get(&key) {
            // A deep clone has its own lexer caches: rows of a batch compute their masks at the same time.
            return Ok(Grammar { matcher: matcher.deep_clone() });
        }
        let grammar = TopLevelGrammar::from_json_schema(schema::tighten(schema.clone()));
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        if let Some(error) = matcher.get_error() {
            return Err(ModelsError::Schema(error));
        }
        if compiled.len() >= KEPT_GRAMMARS {
            compiled.clear();
        }
        compiled.insert(key, matcher.clone());
        Ok(Grammar { matcher: matcher.deep_clone() })
    }
}

/// Where one generation is in its grammar.
pub struct Grammar {
    matcher: Matcher,
}

impl Grammar {
    /// Accepts and returns the tokens that the grammar leaves no choice about; often none.
    pub fn forced(&mut self) -> Result<Vec<u32>, ModelsError> {
        if self.matcher.is_stopped() {
            return self.sound(Vec::new());
        }
        let forced = self.matcher.consume_ff_tokens();
        self.sound(forced)
    }

    /// The tokens allowed next, over the tokenizer's vocabulary. End tokens are among them where the text may end.
    pub fn mask(&mut self) -> Result<SimpleVob, ModelsError> {
        self.matcher.compute_mask_or_eos().map_err(schema_error)
    }

    /// Accepts a token that [`Grammar::mask`] allowed.
    pub fn accept(&mut self, token: u32) -> Result<(), ModelsError> {
        self.matcher.consume_token(token).map_err(schema_error)
    }

    /// Whether the text is complete and nothing may follow.
    pub fn is_finished(&self) -> bool {
        self.matcher.is_stopped()
    }

    fn sound<T>(&self, value: T) -> Result<T, ModelsError> {
        match self.matcher.get_error() {
            None => Ok(value),
            Some(error) => Err(ModelsError::Schema(error)),
        }
    }
}

fn schema_error(error: impl std::fmt::Display) -> ModelsError {
    ModelsError::Schema(error.to_string())
}

#[cfg(test)]
mod tests;
