//! How pulling tells where it is.

/// Receives news while a model is pulled. Called from one thread.
pub trait Progress {
    /// A new step begins, for example "downloading SmolLM2-135M-Instruct from huggingface.co".
    fn step(&self, text: &str);
    /// So many bytes of the step are done.
    fn bytes(&self, done: u64, total: u64);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _text: &str) {}
    fn bytes(&self, _done: u64, _total: u64) {}
}
