//! The body of an answer: whole, or streaming through.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use super::Broken;
use super::tee::Tee;

/// What the gateway sends back.
pub enum OutBody {
    /// Made here.
    Full(Full<Bytes>),
    /// From a server, copied on the way.
    Tee(Box<Tee>),
}

impl OutBody {
    /// A body of these bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        OutBody::Full(Full::new(bytes.into()))
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            OutBody::Full(full) => {
                Pin::new(full).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|never| match never {})))
            }
            OutBody::Tee(tee) => Pin::new(tee.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OutBody::Full(full) => full.is_end_stream(),
            OutBody::Tee(tee) => tee.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutBody::Full(full) => full.size_hint(),
            OutBody::Tee(tee) => tee.size_hint(),
        }
    }
}
