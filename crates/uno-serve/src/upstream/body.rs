//! The body of a server's answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::mpsc::Receiver;

use super::Replica;
use super::wire::Wire;

/// From a server, from the embedded engine, or gone. Dropping it tells the server to stop.
pub enum UpBody {
    /// From a server.
    Remote(RemoteBody),
    /// From the engine in this process.
    Local(Receiver<Bytes>),
    /// Nothing more.
    Empty,
}

/// Why the rest of an answer does not come.
pub type BodyError = hyper::Error;

/// A body with the connection that it comes from. The connection is kept for the next request when the body was read to its
/// end, and closed otherwise.
pub struct RemoteBody {
    incoming: Incoming,
    wire: Option<Wire>,
    home: Arc<Replica>,
}

impl RemoteBody {
    pub(super) fn new(incoming: Incoming, wire: Wire, home: Arc<Replica>) -> Self {
        Self { incoming, wire: Some(wire), home }
    }

    fn keep(&mut self) {
        if let Some(wire) = self.wire.take() {
            self.home.idle.put(wire);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(wire) = &mut self.wire else { return Pin::new(&mut self.incoming).poll_frame(cx) };
        let frame = wire.poll_frame(&mut self.incoming, cx);
        match &frame {
            Poll::Ready(Some(Err(_))) => self.wire = None,
            Poll::Ready(None) => self.keep(),
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.keep(),
            _ => {}
        }
        frame
    }
}

impl Drop for RemoteBody {
    fn drop(&mut self) {
        // An answer without a body is never polled.
        if self.incoming.is_end_stream() {
            self.keep();
        }
    }
}

impl Body for UpBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            UpBody::Remote(remote) => remote.poll_frame(cx),
            UpBody::Local(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|p| Ok(Frame::data(p)))),
            UpBody::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            UpBody::Remote(remote) => remote.incoming.is_end_stream(),
            UpBody::Local(_) => false,
            UpBody::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            UpBody::Remote(remote) => remote.incoming.size_hint(),
            UpBody::Local(_) => SizeHint::default(),
            UpBody::Empty => SizeHint::with_exact(0),
        }
    }
}
