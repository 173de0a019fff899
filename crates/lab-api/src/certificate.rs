//! Provides TLS with the server's own certificate authority. It is created at each start, and only the kubeconfig has
//! it.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Result;

/// The certificate of the server and the certificate of its authority.
pub(super) struct Identity {
    /// The certificate of the authority in PEM, for the kubeconfig.
    pub(super) authority: String,
    acceptor: TlsAcceptor,
}

impl Identity {
    /// Creates certificates for the loopback address.
    pub(super) fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "ovnk-lab");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["127.0.0.1".into(), "localhost".into(), "kubernetes.default.svc".into()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: authority.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Listens on a port of the loopback address. 0 selects a free port.
    pub(super) async fn listen(&self, port: u16) -> Result<Listener> {
        let tcp = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = tcp.local_addr()?;
        let (sender, connections) = mpsc::channel(16);
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            while let Ok((stream, peer)) = tcp.accept().await {
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                // Each handshake has its own task, so that a slow client does not delay others.
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        _ = sender.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Listener { address, connections })
    }
}

/// A listener that returns connections after their TLS handshake.
pub(super) struct Listener {
    address: SocketAddr,
    connections: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}
