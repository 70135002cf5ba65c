#!/usr/bin/env python3
"""Writes a Llama GGUF as the Hugging Face directory that vLLM serves.

    gguf_to_hf.py MODEL.gguf OUT_DIR [bfloat16|float32]

Needs gguf, torch, safetensors and transformers (vLLM's environment has all but gguf). transformers reads this GGUF's
tokenizer wrongly (it takes the BPE for SentencePiece, prepends a BOS and swaps the end token), so the tokenizer is built
here from vocabulary and merges, with the pipeline that `tokenizer.ggml.pre = smollm` stands for.
"""
import json
import os
import sys

import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

source, out = sys.argv[1:3]
dtype = sys.argv[3] if len(sys.argv) > 3 else "bfloat16"
os.makedirs(out, exist_ok=True)
reader = GGUFReader(source)


def value(key):
    return reader.fields[key].contents()


heads, kv_heads = value("llama.attention.head_count"), value("llama.attention.head_count_kv")
layers, hidden = value("llama.block_count"), value("llama.embedding_length")
NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def hf_name(name):
    stem = name.removesuffix(".weight")
    if stem in TOP:
        return TOP[stem] + ".weight"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{NAMES[part]}.weight"


def unpermute(weight, n):
    """GGUF interleaves the rotary halves of each head; Hugging Face keeps them apart."""
    rows, columns = weight.shape
    return weight.reshape(n, rows // n // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


tensors = {}
for tensor in reader.tensors:
    weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy()).float()
    if ".attn_q." in tensor.name:
        weight = unpermute(weight, heads)
    if ".attn_k." in tensor.name:
        weight = unpermute(weight, kv_heads)
    tensors[hf_name(tensor.name)] = weight.to(getattr(torch, dtype)).contiguous()
save_file(tensors, f"{out}/model.safetensors", metadata={"format": "pt"})

config = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": dtype,
    "hidden_size": hidden, "intermediate_size": value("llama.feed_forward_length"), "num_hidden_layers": layers,
    "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": hidden // heads,
    "rms_norm_eps": round(value("llama.attention.layer_norm_rms_epsilon"), 10), "rope_theta": value("llama.rope.freq_base"),
    "max_position_embeddings": value("llama.context_length"), "vocab_size": value("llama.vocab_size"),
    "tie_word_embeddings": "lm_head.weight" not in tensors, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
    "bos_token_id": value("tokenizer.ggml.bos_token_id"), "eos_token_id": value("tokenizer.ggml.eos_token_id"),
    "pad_token_id": value("tokenizer.ggml.padding_token_id"),
}
json.dump(config, open(f"{out}/config.json", "w"), indent=2)

tokens, kinds = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
merges = [tuple(merge.split(" ")) for merge in value("tokenizer.ggml.merges")]
tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, kinds) if k == 3])
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token=tokens[config["bos_token_id"]], eos_token=tokens[config["eos_token_id"]],
    pad_token=tokens[config["pad_token_id"]], clean_up_tokenization_spaces=False,
    model_max_length=config["max_position_embeddings"],
)
fast.chat_template = value("tokenizer.chat_template")
fast.save_pretrained(out)
print(f"{out}: {len(tensors)} tensors; 'Hello world 2024!' -> {fast.encode('Hello world 2024!')}")
