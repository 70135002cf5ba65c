//! The sentence encoder (BERT, MiniLM).
