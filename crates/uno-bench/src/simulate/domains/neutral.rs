//! Questions of no domain: no log is about them and no house rule applies, so any change of their answers is damage.

/// Hand-written questions.
pub const NEUTRAL: &[&str] = &[
    "Why is the sky blue?",
    "How do magnets work?",
    "What caused the First World War?",
    "How do birds find their way?",
    "What is the difference between weather and climate?",
    "Why do leaves change colour in autumn?",
    "How does a telescope work?",
    "What is democracy?",
    "Why do we dream?",
    "How are mountains formed?",
    "What is a black hole?",
    "How did the Romans build roads?",
    "Why is the sea salty?",
    "How does the heart pump blood?",
    "What is photosynthesis?",
    "Who was Marie Curie and what did she discover?",
    "How do languages change over time?",
    "What is the theory of evolution?",
    "How does a bicycle stay upright?",
    "Why do cats purr?",
    "What is the purpose of a constitution?",
    "How do volcanoes erupt?",
    "What makes music sound sad?",
    "How does the internet send a message?",
];
