//! Chat templates: messages → the text that the model was trained to continue.
//!
//! Templates are Jinja as Hugging Face's `apply_chat_template` runs it: the same settings, the same extra functions, so
//! that the text is the same to the byte.

mod example;
mod functions;

use std::path::Path;

use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use uno_engine::weights::GgufFile;
use uno_types::Message;

pub use self::example::{TokenizedExample, encode_example};
use crate::ModelsError;
use crate::tokenizer::dir::{optional_json, special_text};

const NAME: &str = "chat";

/// A model's chat template, compiled.
pub struct ChatTemplate {
    environment: Environment<'static>,
    tokens: SpecialTexts,
    hash: String,
}

/// Texts that templates may ask for by name.
#[derive(Debug, Clone, Default)]
struct SpecialTexts {
    bos: Option<String>,
    eos: Option<String>,
    pad: Option<String>,
    unknown: Option<String>,
}

impl ChatTemplate {
    /// The template in `tokenizer.chat_template` of GGUF metadata.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, ModelsError> {
        let source = file.chat_template().ok_or_else(|| missing(file.path()))?;
        let tokens = match file.tokenizer() {
            Err(_) => SpecialTexts::default(),
            Ok(metadata) => {
                let text = |id: Option<u32>| id.and_then(|id| metadata.tokens.get(id as usize)).cloned();
                SpecialTexts {
                    bos: text(metadata.bos),
                    eos: text(metadata.eos),
                    pad: text(metadata.pad),
                    unknown: text(metadata.unknown),
                }
            }
        };
        Self::compile(source, tokens)
    }

    /// The template of a Hugging Face directory: `chat_template.jinja`, or `chat_template` in `tokenizer_config.json`
    /// (of several named ones, "default").
    pub fn from_dir(dir: &Path) -> Result<Self, ModelsError> {
        let config = optional_json(&dir.join("tokenizer_config.json"))?.unwrap_or_default();
        let text = |key: &str| special_text(&config, key).map(str::to_owned);
        let tokens = SpecialTexts {
            bos: text("bos_token"),
            eos: text("eos_token"),
            pad: text("pad_token"),
            unknown: text("unk_token"),
        };
        let file = dir.join("chat_template.jinja");
        if file.is_file() {
            let source = std::fs::read_to_string(&file).map_err(ModelsError::io("read", &file))?;
            return Self::compile(&source, tokens);
        }
        let template = &config["chat_template"];
        let named = template.as_array().and_then(|all| all.iter().find(|t| t["name"] == "default"));
        let source = template.as_str().or_else(|| named.and_then(|t| t["template"].as_str()));
        Self::compile(source.ok_or_else(|| missing(dir))?, tokens)
    }

    /// A template from its source, without special tokens' texts.
    pub fn from_source(source: &str) -> Result<Self, ModelsError> {
        Self::compile(source, SpecialTexts::default())
    }

    fn compile(source: &str, tokens: SpecialTexts) -> Result<Self, ModelsError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(source.as_bytes());
        for text in [&tokens.bos, &tokens.eos, &tokens.pad, &tokens.unknown] {
            hasher.update(&[0]).update(text.as_deref().unwrap_or_default().as_bytes());
        }
        let hash = hasher.finalize().to_hex().to_string();
        let invalid =
            |e: minijinja::Error| ModelsError::Template(format!("not a valid template: {}", chain(&e)));
        let mut environment = functions::environment().map_err(invalid)?;
        environment.add_template_owned(NAME, functions::without_generation_tags(source)).map_err(invalid)?;
        Ok(Self { environment, tokens, hash })
    }

    /// The text of `messages`; with `add_generation_prompt`, up to where the next assistant turn begins.
    ///
    /// Fails when the template refuses the messages (many want user and assistant to alternate), with its own words.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, ModelsError> {
        let error = |e: minijinja::Error| ModelsError::Template(chain(&e));
        let template = self.environment.get_template(NAME).map_err(error)?;
        let text = |token: &Option<String>| token.clone().map_or(Value::UNDEFINED, Value::from);
        let context = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt,
            bos_token => text(&self.tokens.bos),
            eos_token => text(&self.tokens.eos),
            pad_token => text(&self.tokens.pad),
            unk_token => text(&self.tokens.unknown),
            tools => Value::from(()),
            documents => Value::from(()),
        };
        template.render(context).map_err(error)
    }

    /// Hex hash of the source and of the special tokens' texts: two templates with one hash render alike.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTemplate")
            .field("hash", &self.hash)
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

fn missing(path: &Path) -> ModelsError {
    let path = path.display();
    ModelsError::Template(format!(
        "{path} has none; use a chat (instruct) model, or put chat_template.jinja beside it"
    ))
}

/// The error and its causes: a template's own `raise_exception` is often the innermost.
fn chain(error: &minijinja::Error) -> String {
    let mut text = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    if let Some(line) = error.line() {
        text.push_str(&format!(" (line {line})"));
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
