//! The `uno` binary.
fn main() {}
