//! Rows as Postgres takes and gives them.

use postgres::Row;
use postgres::types::ToSql;

use super::{FeedbackRow, RequestRow};

/// Values of a statement.
pub(super) type Params<'a> = Vec<&'a (dyn ToSql + Sync)>;

pub(super) fn request_values<'a>(r: &'a RequestRow, messages: &'a (dyn ToSql + Sync)) -> Params<'a> {
    vec![
        &r.id,
        &r.time,
        &r.key,
        &r.user,
        &r.conversation,
        &r.parent,
        &r.prompt,
        &r.after,
        &r.path,
        &r.reason,
        &r.cluster,
        &r.adapter,
        &r.plan,
        &r.arm,
        &r.model,
        &r.status,
        &r.outcome,
        &r.stream,
        &r.prompt_tokens,
        &r.completion_tokens,
        &r.overhead_us,
        &r.embed_us,
        &r.first_byte_us,
        &r.total_us,
        messages,
        &r.answer,
        &r.stratum,
    ]
}

pub(super) fn feedback_values(f: &FeedbackRow) -> Params<'_> {
    vec![&f.decision, &f.author, &f.time, &f.key, &f.deleted, &f.thumbs, &f.rating, &f.comment, &f.corrected]
}

pub(super) fn feedback_of(r: &Row) -> FeedbackRow {
    FeedbackRow {
        decision: r.get(0),
        author: r.get(1),
        time: r.get(2),
        key: r.get(3),
        deleted: r.get(4),
        thumbs: r.get(5),
        rating: r.get(6),
        comment: r.get(7),
        corrected: r.get(8),
    }
}

pub(super) fn request_of(r: &Row) -> RequestRow {
    RequestRow {
        id: r.get(0),
        time: r.get(1),
        key: r.get(2),
        user: r.get(3),
        conversation: r.get(4),
        parent: r.get(5),
        prompt: r.get(6),
        after: r.get(7),
        path: r.get(8),
        reason: r.get(9),
        cluster: r.get(10),
        adapter: r.get(11),
        plan: r.get(12),
        arm: r.get(13),
        model: r.get(14),
        status: r.get(15),
        outcome: r.get(16),
        stream: r.get(17),
        prompt_tokens: r.get(18),
        completion_tokens: r.get(19),
        overhead_us: r.get(20),
        embed_us: r.get(21),
        first_byte_us: r.get(22),
        total_us: r.get(23),
        messages: serde_json::from_str(r.get(24)).unwrap_or_default(),
        answer: r.get(25),
        stratum: r.get(26),
    }
}
