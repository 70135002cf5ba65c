//! A small GGUF writer for tests.
#![allow(dead_code, reason = "each test file uses another part")]

/// A metadata value to write.
#[derive(Clone)]
pub enum Meta {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(&'static str),
    Texts(Vec<String>),
    Ints(Vec<i32>),
}

/// What a file will hold.
#[derive(Clone, Default)]
pub struct Writer {
    pub metadata: Vec<(String, Meta)>,
    /// Name, shape (row-major, outermost first), type code, bytes.
    pub tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Writer {
    pub fn meta(&mut self, key: &str, value: Meta) -> &mut Self {
        self.metadata.push((key.to_owned(), value));
        self
    }

    pub fn tensor(&mut self, name: &str, shape: &[u64], code: u32, bytes: Vec<u8>) -> &mut Self {
        self.tensors.push((name.to_owned(), shape.to_vec(), code, bytes));
        self
    }

    pub fn f32(&mut self, name: &str, shape: &[u64], values: &[f32]) -> &mut Self {
        self.tensor(name, shape, 0, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// The file's bytes, version 3, alignment 32.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            text(&mut out, key);
            let mut put = |code: u32, bytes: &[u8]| {
                out.extend(code.to_le_bytes());
                out.extend(bytes);
            };
            match value {
                Meta::U32(v) => put(4, &v.to_le_bytes()),
                Meta::F32(v) => put(6, &v.to_le_bytes()),
                Meta::Bool(v) => put(7, &[u8::from(*v)]),
                Meta::Text(v) => {
                    put(8, &[]);
                    text(&mut out, v);
                }
                Meta::Texts(all) => {
                    put(9, &8u32.to_le_bytes());
                    out.extend((all.len() as u64).to_le_bytes());
                    all.iter().for_each(|t| text(&mut out, t));
                }
                Meta::Ints(all) => {
                    put(9, &5u32.to_le_bytes());
                    out.extend((all.len() as u64).to_le_bytes());
                    all.iter().for_each(|v| out.extend(v.to_le_bytes()));
                }
            }
        }
        let mut offset = 0u64;
        for (name, shape, code, bytes) in &self.tensors {
            text(&mut out, name);
            out.extend((shape.len() as u32).to_le_bytes());
            shape.iter().rev().for_each(|d| out.extend(d.to_le_bytes()));
            out.extend(code.to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += (bytes.len() as u64).next_multiple_of(32);
        }
        for (.., bytes) in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(bytes);
        }
        out
    }
}

/// Metadata and tensors of a one-layer Llama with `heads` 2, `kv_heads` 1, `head_dim` 4, hidden 8; the values of q are
/// numbered from 0, those of k from 1000.
pub fn tiny_llama() -> Writer {
    let mut w = Writer::default();
    w.meta("general.architecture", Meta::Text("llama"))
        .meta("llama.block_count", Meta::U32(1))
        .meta("llama.context_length", Meta::U32(64))
        .meta("llama.embedding_length", Meta::U32(8))
        .meta("llama.feed_forward_length", Meta::U32(12))
        .meta("llama.attention.head_count", Meta::U32(2))
        .meta("llama.attention.head_count_kv", Meta::U32(1))
        .meta("llama.rope.freq_base", Meta::F32(1e5))
        .meta("llama.attention.layer_norm_rms_epsilon", Meta::F32(1e-5))
        .meta("tokenizer.ggml.model", Meta::Text("gpt2"))
        .meta("tokenizer.ggml.pre", Meta::Text("smollm"))
        .meta(
            "tokenizer.ggml.tokens",
            Meta::Texts(["<|im_end|>", "a", "b", "ab", "Ġ"].map(String::from).to_vec()),
        )
        .meta("tokenizer.ggml.merges", Meta::Texts(vec!["a b".into()]))
        .meta("tokenizer.ggml.token_type", Meta::Ints(vec![3, 1, 1, 1, 1]))
        .meta("tokenizer.ggml.eos_token_id", Meta::U32(0))
        .meta("tokenizer.ggml.add_bos_token", Meta::Bool(false));
    let numbered = |n: usize, from: f32| (0..n).map(|i| from + i as f32).collect::<Vec<_>>();
    w.f32("token_embd.weight", &[5, 8], &numbered(40, 0.0));
    w.f32("blk.0.attn_q.weight", &[8, 8], &numbered(64, 0.0));
    w.f32("blk.0.attn_k.weight", &[4, 8], &numbered(32, 1000.0));
    w.f32("blk.0.attn_v.weight", &[4, 8], &numbered(32, 2000.0));
    w
}
