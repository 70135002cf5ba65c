//! The tables, and how older ones become the present ones. A migration is never changed once it was released; a new one is
//! added.

/// The columns of `requests`, in the order in which rows are written and read.
pub(super) const REQUEST: [&str; 27] = [
    "id",
    "time",
    "key_name",
    "user_name",
    "conversation",
    "parent",
    "prompt",
    "after",
    "path",
    "reason",
    "cluster",
    "adapter",
    "plan",
    "arm",
    "model",
    "status",
    "outcome",
    "stream",
    "prompt_tokens",
    "completion_tokens",
    "overhead_us",
    "embed_us",
    "first_byte_us",
    "total_us",
    "messages",
    "answer",
    "stratum",
];

/// The columns of `feedback`.
pub(super) const FEEDBACK: [&str; 9] =
    ["decision", "author", "time", "key_name", "deleted", "thumbs", "rating", "comment", "corrected"];

/// Statements that both databases understand, one list per version.
pub(super) const MIGRATIONS: [&[&str]; 2] = [FIRST, &["ALTER TABLE requests ADD COLUMN stratum BIGINT"]];

const FIRST: &[&str] = &[
    "CREATE TABLE requests (id TEXT PRIMARY KEY, time BIGINT NOT NULL, key_name TEXT NOT NULL, user_name TEXT NOT NULL, \
     conversation TEXT NOT NULL, parent TEXT NOT NULL, prompt TEXT NOT NULL, after TEXT NOT NULL, path TEXT NOT NULL, \
     reason TEXT NOT NULL, cluster BIGINT, adapter TEXT NOT NULL, plan TEXT NOT NULL, arm TEXT NOT NULL, \
     model TEXT NOT NULL, status BIGINT NOT NULL, outcome TEXT NOT NULL, stream BOOLEAN NOT NULL, \
     prompt_tokens BIGINT, completion_tokens BIGINT, overhead_us BIGINT NOT NULL, embed_us BIGINT NOT NULL, \
     first_byte_us BIGINT NOT NULL, total_us BIGINT NOT NULL, messages TEXT NOT NULL, answer TEXT NOT NULL)",
    "CREATE INDEX requests_time ON requests (time)",
    "CREATE INDEX requests_parent ON requests (parent) WHERE parent <> ''",
    "CREATE INDEX requests_conversation ON requests (conversation) WHERE conversation <> ''",
    "CREATE TABLE feedback (decision TEXT NOT NULL, author TEXT NOT NULL, time BIGINT NOT NULL, key_name TEXT NOT NULL, \
     deleted BOOLEAN NOT NULL, thumbs BIGINT, rating DOUBLE PRECISION, comment TEXT, corrected TEXT, \
     PRIMARY KEY (decision, author))",
    "CREATE INDEX feedback_time ON feedback (time)",
];

/// The statement that adds a request; one that is there already stays. `mark` writes the n-th parameter, from 1.
pub(super) fn insert_request(mark: impl Fn(usize) -> String) -> String {
    let marks: Vec<String> = (1..=REQUEST.len()).map(mark).collect();
    format!(
        "INSERT INTO requests ({}) VALUES ({}) ON CONFLICT (id) DO NOTHING",
        REQUEST.join(", "),
        marks.join(", ")
    )
}

/// The statement that adds or replaces feedback. Where it comes `late` an older one never replaces a newer one.
pub(super) fn upsert_feedback(late: bool, mark: impl Fn(usize) -> String) -> String {
    let marks: Vec<String> = (1..=FEEDBACK.len()).map(mark).collect();
    let sets: Vec<String> = FEEDBACK[2..].iter().map(|c| format!("{c} = excluded.{c}")).collect();
    format!(
        "INSERT INTO feedback ({}) VALUES ({}) ON CONFLICT (decision, author) DO UPDATE SET {}{}",
        FEEDBACK.join(", "),
        marks.join(", "),
        sets.join(", "),
        if late { " WHERE excluded.time >= feedback.time" } else { "" }
    )
}
