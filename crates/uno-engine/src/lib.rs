//! The CPU transformer: kernels, decoder with explicit forward and backward, LoRA, KV cache, MiniLM encoder, weight files.
