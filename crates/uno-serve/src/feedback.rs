//! `POST /v1/feedback` and `DELETE /v1/feedback/DECISION`. The reply comes after the feedback is durable.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use uno_store::live::{Entry, FeedbackRow, now};

use crate::auth::Caller;
use crate::decision::Decision;
use crate::gateway::Gateway;
use crate::http::Reply;
use crate::http::reply::{self, Fault};

/// Longest comment or corrected answer, bytes.
const LONGEST: usize = 256 << 10;

/// The body of a feedback.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// `x-uno-decision` of the answer.
    decision: String,
    /// Who says so.
    #[serde(default)]
    author: String,
    /// `up`, `down`, or nothing.
    thumbs: Option<Thumbs>,
    /// 0 (bad) to 1 (good).
    rating: Option<f64>,
    comment: Option<String>,
    /// The answer as it should have been.
    corrected: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Thumbs {
    Up,
    Down,
}

/// Takes feedback. The last word of an author on a decision counts; the same again changes nothing.
///
/// # Errors
/// The reply that says what is wrong.
pub async fn give(gateway: &Gateway, caller: &Caller, body: &Bytes) -> Result<Reply, Box<Reply>> {
    let no = |message: &str| Box::new(reply::error(Fault::Invalid, message));
    let given: Given = serde_json::from_slice(body).map_err(|e| no(&format!("not a feedback: {e}")))?;
    if !Decision::is_id(&given.decision) {
        return Err(no("`decision` must be what the answer's header x-uno-decision said"));
    }
    if given.rating.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
        return Err(no("`rating` must be from 0 (bad) to 1 (good)"));
    }
    let texts = [given.comment.as_deref(), given.corrected.as_deref(), Some(given.author.as_str())];
    if texts.into_iter().flatten().any(|t| t.len() > LONGEST) {
        return Err(no("a text is longer than 256 KiB"));
    }
    if given.thumbs.is_none()
        && given.rating.is_none()
        && given.comment.is_none()
        && given.corrected.is_none()
    {
        return Err(no("give at least one of `thumbs`, `rating`, `comment`, `corrected`"));
    }
    let row = FeedbackRow {
        decision: given.decision,
        author: given.author,
        time: now(),
        key: caller.name().to_owned(),
        deleted: false,
        thumbs: given.thumbs.map(|t| match t {
            Thumbs::Up => 1,
            Thumbs::Down => -1,
        }),
        rating: given.rating,
        comment: given.comment,
        corrected: given.corrected,
    };
    keep(gateway, row).await
}

/// Takes feedback back. `query` may name its author: `author=NAME`.
///
/// # Errors
/// The reply that says what is wrong.
pub async fn withdraw(
    gateway: &Gateway,
    caller: &Caller,
    decision: &str,
    query: Option<&str>,
) -> Result<Reply, Box<Reply>> {
    if !Decision::is_id(decision) {
        return Err(Box::new(reply::error(Fault::NotFound, "there is no such decision")));
    }
    let author = query.and_then(|q| q.split('&').find_map(|p| p.strip_prefix("author=")));
    let Some(author) = author.map_or(Some(String::new()), unescape) else {
        return Err(Box::new(reply::error(Fault::Invalid, "`author` is not percent-encoded UTF-8")));
    };
    let row = FeedbackRow {
        decision: decision.to_owned(),
        author,
        time: now(),
        key: caller.name().to_owned(),
        deleted: true,
        ..FeedbackRow::default()
    };
    keep(gateway, row).await
}

async fn keep(gateway: &Gateway, row: FeedbackRow) -> Result<Reply, Box<Reply>> {
    let told = json!({"decision": row.decision, "deleted": row.deleted});
    let (tell, durable) = oneshot::channel();
    gateway.log.acknowledge(Entry::Feedback(row), move |outcome| {
        let _ = tell.send(outcome);
    });
    let lost = |why: &str| {
        let message = format!("the feedback could not be kept, send it again later: {why}");
        Box::new(reply::error(Fault::Unavailable, &message))
    };
    match durable.await {
        Ok(Ok(())) => {
            gateway.metrics.feedback.fetch_add(1, Ordering::Relaxed);
            Ok(reply::json(StatusCode::OK, &told))
        }
        Ok(Err(why)) => Err(lost(&why)),
        Err(_) => Err(lost("the log has ended")),
    }
}

/// Undoes percent-encoding.
fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let value = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
                out.push(u8::try_from(value).ok()?);
            }
            b'+' => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_are_undone_or_refused() {
        assert_eq!(super::unescape("a%20b+%C3%BC").unwrap(), "a b ü");
        for wrong in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(super::unescape(wrong), None, "{wrong}");
        }
    }
}
