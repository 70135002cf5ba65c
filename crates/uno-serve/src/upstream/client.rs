//! Asks servers, on connections that are kept open.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use super::body::RemoteBody;
use super::wire::Wire;
use super::{Replica, UpBody, UpReply};
use crate::ServeError;
use crate::options::LimitOptions;

/// Why a server gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// It broke off before it began to answer.
    #[error("{0}")]
    Broken(String),
    /// It did not begin to answer in time.
    #[error("{0}")]
    Slow(String),
}

/// Asks servers.
pub struct Client {
    connector: HttpsConnector<HttpConnector>,
    first_byte: Duration,
    key: Option<HeaderValue>,
}

impl Client {
    /// `key`: the servers' own key, sent instead of the client's.
    ///
    /// # Errors
    /// When the system's certificates cannot be used, or the key is no header.
    pub fn new(limits: &LimitOptions, key: Option<&str>) -> Result<Self, ServeError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(limits.connect_seconds)));
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(provider)
            .map_err(|e| ServeError::Tls(e.to_string()))?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let key = key.map(|k| HeaderValue::from_str(&format!("Bearer {k}"))).transpose();
        let mut key = key.map_err(|_| {
            ServeError::Settings("the servers' key has characters that no header may have".into())
        })?;
        if let Some(key) = &mut key {
            key.set_sensitive(true);
        }
        Ok(Self { connector, first_byte: Duration::from_secs(limits.first_byte_seconds), key })
    }

    /// Whether the servers are asked with a key of their own.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Sends a request; gives the answer as soon as its headers are there. Dropping the future, or the answer's body,
    /// closes the connection, which is how servers learn that nobody waits any more.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        replica: &Arc<Replica>,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<UpReply, SendError> {
        let request = || self.request(replica, method.clone(), path, headers, body.clone());
        match tokio::time::timeout(self.first_byte, self.exchange(replica, request)).await {
            Ok(reply) => reply,
            Err(_) => {
                let (address, seconds) = (&replica.address, self.first_byte.as_secs());
                Err(SendError::Slow(format!("{address} did not begin to answer within {seconds} s")))
            }
        }
    }

    fn request(
        &self,
        replica: &Replica,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, SendError> {
        let address = &replica.address;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() =
            address.path(path).map_err(|e| SendError::Broken(format!("{address}{path}: {e}")))?;
        headers.clone_into(request.headers_mut());
        request.headers_mut().insert(HOST, address.host());
        // A compressed answer could not be read along.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(key) = &self.key {
            request.headers_mut().insert(AUTHORIZATION, key.clone());
        }
        Ok(request)
    }

    async fn exchange(
        &self,
        replica: &Arc<Replica>,
        request: impl Fn() -> Result<Request<Full<Bytes>>, SendError>,
    ) -> Result<UpReply, SendError> {
        let address = &replica.address;
        let answered = |(reply, wire): (hyper::Response<_>, Wire)| {
            replica.set_down(false);
            reply.map(|body| UpBody::Remote(RemoteBody::new(body, wire, Arc::clone(replica))))
        };
        if let Some(wire) = replica.idle.take() {
            match wire.exchange(request()?).await {
                Ok(reply) => return Ok(answered(reply)),
                // A server closes a connection that it finds idle whenever it likes: not its last word.
                Err(error) => tracing::debug!("{address} closed a kept connection: {}", chain(&error)),
            }
        }
        let unreachable = |error: &dyn std::error::Error| {
            replica.set_down(true);
            SendError::Unreachable(format!("{address} cannot be reached: {}", chain(error)))
        };
        // Such a connector is always ready.
        let io = self.connector.clone().call(address.uri()).await.map_err(|e| unreachable(e.as_ref()))?;
        let wire = Wire::new(io).await.map_err(|e| unreachable(&e))?;
        let reply = wire.exchange(request()?).await;
        reply
            .map(answered)
            .map_err(|error| SendError::Broken(format!("{address} broke off: {}", chain(&error))))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}
