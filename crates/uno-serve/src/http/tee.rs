//! A server's answer on its way to the client: the bytes go through as they are, a copy is read along the way.
//!
//! A stream that breaks off is never ended as if it were whole: an event with the error follows, then the connection is cut.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::Broken;
use super::reply::{self, Fault};
use crate::upstream::UpBody;

/// How long an error event gets to leave before the connection is cut: an error right behind it would take it along.
const FLUSH: Duration = Duration::from_millis(20);

/// Who reads the copy.
pub trait Watch: Send {
    /// Some bytes went by.
    fn saw(&mut self, bytes: &Bytes);
    /// The server ended the body in due form: whether that was the end of the answer, too.
    fn is_whole(&self) -> bool;
    /// It is over. Called once.
    fn ended(&mut self, end: End);
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Whole.
    Whole,
    /// The server broke off; why.
    Broken(String),
    /// The client left.
    Abandoned,
}

/// The copying body.
pub struct Tee {
    inner: UpBody,
    watch: Box<dyn Watch>,
    /// Set up when first needed: most bodies are there at once.
    idle: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    /// An error event can be added: server-sent events without a length.
    events: bool,
    state: State,
}

enum State {
    Running,
    /// The error event is on its way; cut the connection when it has left.
    Cut(String, Pin<Box<Sleep>>),
    Ended,
}

impl Tee {
    /// `patience`: the longest pause. `events`: the body is a stream of server-sent events.
    pub fn new(inner: UpBody, watch: Box<dyn Watch>, patience: Duration, events: bool) -> Self {
        let events = events && inner.size_hint().exact().is_none();
        Self { inner, watch, idle: None, patience, events, state: State::Running }
    }

    fn breaks(&mut self, why: String) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.watch.ended(End::Broken(why.clone()));
        // What the server holds for us is let go at once, not when the client has read the event.
        self.inner = UpBody::Empty;
        if !self.events {
            self.state = State::Ended;
            return Poll::Ready(Some(Err(Broken(why))));
        }
        let mut event = b"\n\ndata: ".to_vec();
        event.extend(reply::error_json(Fault::Upstream, &why));
        event.extend(b"\n\n");
        self.state = State::Cut(why, Box::pin(tokio::time::sleep(FLUSH)));
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }

    fn is_idle_for_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        let patience = self.patience;
        let idle = self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        idle.as_mut().poll(cx).is_ready()
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        match std::mem::replace(&mut this.state, State::Ended) {
            State::Cut(why, mut flushed) => {
                if flushed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Some(Err(Broken(why))));
                }
                this.state = State::Cut(why, flushed);
                return Poll::Pending;
            }
            State::Ended => return Poll::Ready(None),
            State::Running => this.state = State::Running,
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.watch.saw(data);
                }
                if let Some(idle) = &mut this.idle {
                    idle.as_mut().reset(Instant::now() + this.patience);
                }
                // With a length given, the server of the client's side asks no further once it has all bytes.
                if this.inner.is_end_stream() && this.watch.is_whole() {
                    this.state = State::Ended;
                    this.watch.ended(End::Whole);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => this.breaks(format!("the server broke off its answer: {error}")),
            Poll::Ready(None) if this.watch.is_whole() => {
                this.state = State::Ended;
                this.watch.ended(End::Whole);
                Poll::Ready(None)
            }
            Poll::Ready(None) => this.breaks("the server ended its answer before it was complete".into()),
            Poll::Pending if this.is_idle_for_too_long(cx) => {
                this.breaks(format!("the server was silent for {} s", this.patience.as_secs()))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Running => self.inner.size_hint(),
            State::Cut(..) => SizeHint::default(),
            State::Ended => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if matches!(self.state, State::Running) {
            self.watch.ended(End::Abandoned);
        }
    }
}
