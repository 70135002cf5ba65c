//! Connections: accepted within bounds, served, and ended in good order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use uno_models::remote::{AdapterHost, RemoteConfig};

use crate::adapters::{Reconciler, Server as AdapterServer};
use crate::gateway::{Adapters, Gateway};
use crate::http::Reply;
use crate::rollout::run_judging;
use crate::watcher::{PlanWatch, watch as watch_plans};
use crate::{ServeError, admin, handle};

/// A gateway that listens.
pub struct Server {
    gateway: Arc<Gateway>,
    clients: TcpListener,
    admins: Option<TcpListener>,
}

impl Server {
    /// Listens on the addresses of the settings. Port 0 is any free port.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub async fn bind(gateway: Gateway) -> Result<Self, ServeError> {
        let listen = |address: String| async move {
            TcpListener::bind(&address).await.map_err(|source| ServeError::Listen { address, source })
        };
        let clients = listen(gateway.options.listen.clone()).await?;
        let admins = match gateway.options.admin_listen.clone() {
            none if none.is_empty() => None,
            address => Some(listen(address).await?),
        };
        Ok(Self { gateway: Arc::new(gateway), clients, admins })
    }

    /// The address that clients connect to.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.clients.local_addr()
    }

    /// The address of the admin plane, if it is on.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admins.as_ref()?.local_addr().ok()
    }

    /// The gateway's state.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Serves until `stop` is done; then takes no more connections, lets requests in work end (at most
    /// `serve.drain_seconds`), and writes the log to its end.
    ///
    /// # Errors
    /// When the system gives up on the listener.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { gateway, clients, admins } = self;
        let mut plans = PlanWatch::default();
        let first = Arc::clone(&gateway);
        plans = tokio::task::spawn_blocking(move || {
            plans.look(&first);
            plans
        })
        .await
        .unwrap_or_default();
        let reconciler = match &gateway.adapters {
            Adapters::Servers(config) => {
                Some(Reconciler::start(&gateway, adapter_servers(&gateway, config)?)?)
            }
            Adapters::Nobody | Adapters::Embedded(_) => None,
        };
        let (tell, told) = watch::channel(false);
        let mut side = JoinSet::new();
        side.spawn(watch_plans(Arc::clone(&gateway), plans));
        side.spawn(run_judging(Arc::clone(&gateway)));
        if let Some(listener) = admins {
            let (gateway, told) = (Arc::clone(&gateway), told.clone());
            side.spawn(async move { accept(listener, gateway, told, admin::handle).await });
        }
        let exporting = gateway.traces.is_some().then(|| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move {
                if let Some(traces) = &gateway.traces {
                    traces.run().await;
                }
            })
        });
        let serving = tokio::spawn(accept(clients, Arc::clone(&gateway), told, handle::handle));
        stop.await;
        gateway.stopping.store(true, Ordering::Relaxed);
        let _ = tell.send(true);
        let patience = Duration::from_secs(gateway.options.drain_seconds);
        if tokio::time::timeout(patience, serving).await.is_err() {
            tracing::warn!("requests are still in work after {} s; they are cut off", patience.as_secs());
        }
        side.shutdown().await;
        let _ = tokio::task::spawn_blocking(move || drop(reconciler)).await;
        let log = Arc::clone(&gateway.log);
        let _ = tokio::task::spawn_blocking(move || log.stop()).await;
        // The log's thread makes the spans, so the last of them are there now.
        if let (Some(traces), Some(exporting)) = (&gateway.traces, exporting) {
            traces.flush().await;
            exporting.abort();
        }
        Ok(())
    }
}

/// Every server as one that adapters are loaded into.
fn adapter_servers(gateway: &Gateway, config: &RemoteConfig) -> Result<Vec<AdapterServer>, ServeError> {
    let servers = gateway.replicas.iter().map(|replica| {
        let config = RemoteConfig { base_url: replica.address.to_string(), retries: 0, ..config.clone() };
        let host = AdapterHost::new(&config).map_err(|e| ServeError::Settings(e.to_string()))?;
        Ok(AdapterServer { host, slots: config.max_loras.max(1) })
    });
    servers.collect()
}

/// Serves a listener until told to stop; returns when its last connection has ended.
async fn accept<F>(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    mut told: watch::Receiver<bool>,
    answer: fn(Arc<Gateway>, Request<Incoming>) -> F,
) where
    F: Future<Output = Reply> + Send + 'static,
{
    let limits = &gateway.options.limits;
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(limits.header_seconds.max(1)));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, for example: others may end meanwhile.
                    tracing::warn!("no connection could be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = told.changed() => break,
        };
        let _ = stream.set_nodelay(true);
        let (gateway, mut told, http) = (Arc::clone(&gateway), told.clone(), http.clone());
        connections.spawn(async move {
            let _place = place;
            gateway.metrics.connections.fetch_add(1, Ordering::Relaxed);
            let service = {
                let gateway = Arc::clone(&gateway);
                service_fn(move |request| {
                    let reply = answer(Arc::clone(&gateway), request);
                    async move { Ok::<_, std::convert::Infallible>(reply.await) }
                })
            };
            let connection = http.serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => note(ended),
                _ = told.changed() => {
                    connection.as_mut().graceful_shutdown();
                    note(connection.await);
                }
            }
            gateway.metrics.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn note(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}
