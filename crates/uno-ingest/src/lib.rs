//! Log formats to records; scrubbing of personal data; near-duplicates.
