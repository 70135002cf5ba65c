//! Reading a request's body within bounds of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::Reply;
use super::reply::{self, Fault};

/// The whole body.
///
/// # Errors
/// The reply for a body that is too large, too slow, or broken off.
pub async fn body(incoming: Incoming, limit: usize, patience: Duration) -> Result<Bytes, Reply> {
    let too_large = || {
        let message = format!("the body is larger than {limit} bytes, which serve.limits.body_mib allows");
        reply::error(Fault::TooLarge, &message)
    };
    if incoming.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(patience, collect(incoming, limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(e)) => Err(reply::error(Fault::Invalid, &format!("the body broke off: {e}"))),
        Err(_) => Err(reply::error(Fault::Slow, "the body did not arrive in time")),
    }
}

/// `None` when it is larger than `limit`. A body that comes in one piece is not copied.
pub(crate) async fn collect<B>(mut body: B, limit: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        size += data.len();
        if size > limit {
            return Ok(None);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(Some(if rest.is_empty() { first } else { rest.freeze() }))
}
