//! TLS to Postgres, by the libraries that the gateway's other connections use. Certificates are always checked, by `sslmode=require`
//! too: against the system's roots, or those in the PEM file that `sslrootcert` names.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as Encrypted;

/// Modes of libpq that encrypt in any case.
const MODES: [&str; 3] = ["require", "verify-ca", "verify-full"];

/// Makes connections that are encrypted.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

/// The address as the client understands it, and how to encrypt if it says so (`?sslmode=require&sslrootcert=FILE`).
///
/// # Errors
/// In words: the file of roots cannot be read, or the system has no roots.
pub(super) fn of_url(url: &str) -> Result<(String, Option<Tls>), String> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut wanted, mut roots) = (Vec::new(), false, None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("sslmode", mode)) if MODES.contains(&mode) => {
                wanted = true;
                kept.push("sslmode=require");
            }
            Some(("sslrootcert", file)) => roots = Some(file),
            _ => kept.push(part),
        }
    }
    let place = if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
    match (wanted, roots) {
        (true, roots) => Ok((place, Some(Tls::new(roots)?))),
        (false, None) => Ok((place, None)),
        (false, Some(_)) => Err("sslrootcert is of no use without sslmode=require".into()),
    }
}

impl Tls {
    fn new(roots: Option<&str>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|e| e.to_string())?;
        let config = match roots {
            Some(file) => builder.with_root_certificates(read_roots(file)?),
            None => builder.with_platform_verifier().map_err(|e| e.to_string())?,
        };
        Ok(Self(Arc::new(config.with_no_client_auth()).into()))
    }
}

fn read_roots(file: &str) -> Result<RootCertStore, String> {
    let fail = |error: &dyn std::fmt::Display| format!("sslrootcert {file}: {error}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| fail(&e))? {
        roots.add(certificate.map_err(|e| fail(&e))?).map_err(|e| fail(&e))?;
    }
    if roots.is_empty() { Err(fail(&"no certificate in it")) } else { Ok(roots) }
}

/// A connection that is being encrypted.
pub(super) struct Handshake(TlsConnector, ServerName<'static>);

/// An encrypted connection.
pub(super) struct Stream<S>(Encrypted<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Handshake;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, InvalidDnsNameError> {
        Ok(Handshake(self.0.clone(), ServerName::try_from(host)?.to_owned()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.0.connect(self.1, stream);
        Box::pin(async move { connecting.await.map(Stream) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is a test's report")]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_whether_to_encrypt() {
        let plain = "postgres://uno@db/live?connect_timeout=3&sslmode=disable";
        let (kept, tls) = of_url(plain).unwrap();
        assert!(kept == plain && tls.is_none(), "{kept}");
        let error =
            of_url("postgres://uno@db/live?sslmode=verify-full&sslrootcert=/nowhere.pem").err().unwrap();
        assert!(error.contains("/nowhere.pem"), "{error}");
        let error = of_url("postgres://uno@db/live?sslrootcert=/nowhere.pem").err().unwrap();
        assert!(error.contains("sslmode=require"), "{error}");
    }
}
