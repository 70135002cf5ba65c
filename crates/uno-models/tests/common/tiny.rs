//! A random Llama of 100 000 weights with a tokenizer of single bytes, as a Hugging Face directory, and two adapters of it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use uno_types::AdapterRef;

/// Where the weights are; the tests of uno-serve use them, too.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../uno-models/tests/fixtures/tiny-llama")
}

/// One token a byte (ids 3 to 258) behind pad, bos and eos.
fn tokenizer() -> Value {
    let mut vocab = Map::new();
    let mut next = 256;
    for byte in 0..=255u32 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let character = if printable { byte } else { next };
        next += u32::from(!printable);
        vocab.insert(char::from_u32(character).unwrap().to_string(), json!(byte + 3));
    }
    let special = |id: u32, text: &str| {
        json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    for (id, text) in [(0, "<pad>"), (1, "<bos>"), (2, "<eos>")] {
        vocab.insert(text.to_owned(), json!(id));
    }
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<pad>"), special(1, "<bos>"), special(2, "<eos>")],
        "normalizer": null, "pre_tokenizer": bytes, "post_processor": null, "decoder": bytes,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                  "vocab": vocab, "merges": []},
    })
}

/// Writes the model to `dir`; its template gives every turn a line.
pub fn write(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture().join(file), dir.join(file)).unwrap();
    }
    std::fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    let template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}\
                    {% if add_generation_prompt %}[assistant] {% endif %}";
    let config =
        json!({"eos_token": "<eos>", "bos_token": "<bos>", "pad_token": "<pad>", "chat_template": template});
    std::fs::write(dir.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// The fixture's adapter at `alpha` (its own is 16) below `dir`: another strength makes another adapter.
pub fn adapter(dir: &Path, alpha: u32) -> AdapterRef {
    let (name, from) = (format!("tiny-{alpha}"), fixture().join("adapter"));
    let to = dir.join(&name);
    std::fs::create_dir_all(&to).unwrap();
    std::fs::copy(from.join("adapter_model.safetensors"), to.join("adapter_model.safetensors")).unwrap();
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(from.join("adapter_config.json")).unwrap()).unwrap();
    config["lora_alpha"] = json!(alpha);
    std::fs::write(to.join("adapter_config.json"), config.to_string()).unwrap();
    AdapterRef { name, dir: to.display().to_string() }
}
