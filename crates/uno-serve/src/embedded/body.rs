//! The body of an answer: whole, or as it is generated.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::engine::{Heard, Said};
use super::say::Teller;
use crate::http::Broken;

/// What the embedded server sends.
pub(super) enum LocalBody {
    /// All of it; `None` when it was sent.
    Full(Option<Bytes>),
    /// Events as they come. Dropping it frees the row.
    Events(Box<Events>),
}

pub(super) struct Events {
    teller: Teller,
    /// `None` after the end.
    heard: Option<Heard>,
    ready: Vec<u8>,
}

impl LocalBody {
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        LocalBody::Full(Some(bytes.into()))
    }

    /// A stream that begins with `first`.
    pub(super) fn events(teller: Teller, first: Said, heard: Heard) -> Self {
        let mut events = Events { ready: teller.begin(), teller, heard: Some(heard) };
        events.add(first);
        LocalBody::Events(Box::new(events))
    }
}

impl Events {
    fn add(&mut self, said: Said) {
        match said {
            Said::Text(piece) => self.teller.piece(&piece, &mut self.ready),
            Said::Ended(result) => {
                self.teller.end(&result, &mut self.ready);
                self.heard = None;
            }
        }
    }

    /// All events that are there, in one frame.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while let Some(heard) = &mut self.heard {
            let said = match heard.at_hand() {
                Some(said) => said,
                None if !self.ready.is_empty() => break,
                None => match heard.poll(cx) {
                    Poll::Ready(said) => said,
                    Poll::Pending => return Poll::Pending,
                },
            };
            self.add(said);
        }
        let ready = std::mem::take(&mut self.ready);
        Poll::Ready((!ready.is_empty()).then(|| ready.into()))
    }
}

impl Body for LocalBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let bytes = match self.get_mut() {
            LocalBody::Full(bytes) => Poll::Ready(bytes.take()),
            LocalBody::Events(events) => events.poll(cx),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            LocalBody::Full(bytes) => bytes.is_none(),
            LocalBody::Events(events) => events.heard.is_none() && events.ready.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            LocalBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            LocalBody::Events(_) => SizeHint::default(),
        }
    }
}
