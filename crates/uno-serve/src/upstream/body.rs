//! The body of a server's answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::mpsc::Receiver;

/// From a server, from the embedded engine, or gone. Dropping it tells the server to stop.
pub enum UpBody {
    /// From a server.
    Remote(Incoming),
    /// From the engine in this process.
    Local(Receiver<Bytes>),
    /// Nothing more.
    Empty,
}

/// Why the rest of an answer does not come.
pub type BodyError = hyper::Error;

impl Body for UpBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            UpBody::Remote(incoming) => Pin::new(incoming).poll_frame(cx),
            UpBody::Local(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|p| Ok(Frame::data(p)))),
            UpBody::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            UpBody::Remote(incoming) => incoming.is_end_stream(),
            UpBody::Local(_) => false,
            UpBody::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            UpBody::Remote(incoming) => incoming.size_hint(),
            UpBody::Local(_) => SizeHint::default(),
            UpBody::Empty => SizeHint::with_exact(0),
        }
    }
}
