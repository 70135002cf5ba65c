//! Run directories and the generation cache.
