//! One connection to a server. It has no task of its own: whoever waits for an answer drives it. A request then passes
//! through the gateway in one task, and no thread is woken for what two tasks would tell each other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::{Request, Response};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::nudge::Nudge;

/// Plain or encrypted.
pub(super) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// What reads and writes; `None` once the connection has ended.
type Driver = Option<Pin<Box<Connection<Io, Full<Bytes>>>>>;

/// Longest time that a connection is kept unused.
const KEEP: Duration = Duration::from_secs(30);
/// Most connections kept unused per server.
const MOST: usize = 1024;

/// A connection.
pub(super) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    connection: Driver,
    nudge: Nudge,
    idle_since: Instant,
}

impl Wire {
    /// Speaks HTTP/1.1 on it.
    pub(super) async fn new(io: Io) -> Result<Self, hyper::Error> {
        let (sender, connection) = handshake(io).await?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
            nudge: Nudge::new(),
            idle_since: Instant::now(),
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Self), hyper::Error> {
        let mut answer = pin!(self.sender.send_request(request));
        let (nudge, connection) = (&self.nudge, &mut self.connection);
        let reply = poll_fn(|cx| {
            nudge.poll(cx, |cx| {
                if let Poll::Ready(reply) = answer.as_mut().poll(cx) {
                    return Poll::Ready(reply);
                }
                drive(connection, cx);
                answer.as_mut().poll(cx)
            })
        });
        let reply = reply.await?;
        Ok((reply, self))
    }

    /// The next piece of the answer's body.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let (nudge, connection) = (&self.nudge, &mut self.connection);
        nudge.poll(cx, |cx| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            drive(connection, cx);
            Pin::new(&mut *body).poll_frame(cx)
        })
    }

    /// Whether another request can be sent. Notices when the server closed it.
    fn is_free(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }
}

fn drive(connection: &mut Driver, cx: &mut Context<'_>) {
    let Some(running) = connection else { return };
    if let Poll::Ready(ended) = running.as_mut().poll(cx) {
        // What waits for it is told by its halves; that it ended is seen when it is dropped.
        *connection = None;
        if let Err(error) = ended {
            tracing::trace!("a connection to a server ended: {error}");
        }
    }
}

/// Connections that wait for their next request, the last used on top.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<Wire>>);

impl Idle {
    /// One that is open.
    pub(super) fn take(&self) -> Option<Wire> {
        loop {
            let mut wire = self.lock().pop()?;
            if wire.idle_since.elapsed() < KEEP && wire.is_free() {
                return Some(wire);
            }
        }
    }

    /// Keeps a connection whose answer was read to its end; one that cannot be used again is closed.
    pub(super) fn put(&self, mut wire: Wire) {
        if !wire.is_free() {
            return;
        }
        wire.idle_since = Instant::now();
        let mut all = self.lock();
        if all.len() < MOST {
            all.push(wire);
        }
    }

    /// Closes those that were unused for long, or that the server closed.
    pub(super) fn sweep(&self) {
        self.lock().retain_mut(|wire| wire.idle_since.elapsed() < KEEP && wire.is_free());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Wire>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
