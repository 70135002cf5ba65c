//! Weight files: GGUF and Hugging Face directories.
