//! MCP over Streamable HTTP, for clients that cannot start a program: one listener with limits on everything that an
//! unauthenticated client can make it do.
//!
//! axum's own `serve` waits forever for a client that stalls, so this module has its own accept loop.

mod connections;
mod endpoint;
mod request;
#[cfg(test)]
mod tests;
mod token;

use crate::Server;
use clap::Args;
use connections::ConnectionSlots;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, path::PathBuf, pin::pin, time::Duration};
use token::{BadToken, Token};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

/// The time limit for reading a request, for a client that does not read its answer, and for an idle connection.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that running calls get after the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The maximum size of a request's head in bytes: more than any client sends, and small enough for many connections.
const HEAD_BYTES: usize = 32 * 1024;

/// The options for serving over HTTP.
#[derive(Args)]
pub(crate) struct HttpArgs {
    /// Serve MCP over HTTP at http://ADDR/mcp instead of on standard input and output, for example at
    /// `127.0.0.1:8931`. Every address except a loopback address needs a token.
    #[arg(long = "http", global = true, value_name = "ADDR")]
    pub(crate) addr: Option<SocketAddr>,
    /// Read the bearer token that clients must send from this file. Without the option, the environment variable
    /// MCP_HTTP_TOKEN is used.
    #[arg(long = "http-token-file", global = true, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Accept this name in the Host header of a request, in addition to the loopback names and the address of --http.
    #[arg(long = "http-host", global = true, value_name = "NAME", value_parser = endpoint::parse_host)]
    hosts: Vec<String>,
    /// Accept requests from web pages of this origin, in addition to pages of this host: `https://tools.example`.
    #[arg(long = "http-origin", global = true, value_name = "ORIGIN", value_parser = endpoint::parse_origin)]
    origins: Vec<String>,
}

/// The reason why a server cannot serve over HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Any host that reaches the address could call the server.
    #[error(
        "{0} is reachable from other hosts, so clients must authenticate\nhint: Pass a token with \
         --http-token-file=PATH or in the environment variable MCP_HTTP_TOKEN, or listen on 127.0.0.1."
    )]
    NeedsToken(SocketAddr),
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// The address cannot be used.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// Without signals the server could not stop cleanly.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// A server with an open listening socket.
pub(crate) struct Listening {
    listener: TcpListener,
    /// The address of the socket, with the port that the kernel chose if port 0 was requested.
    pub(crate) addr: SocketAddr,
    endpoint: endpoint::McpEndpoint,
}

impl Listening {
    /// Checks the options and opens the listening socket.
    pub(crate) async fn open(server: Server, addr: SocketAddr, args: &HttpArgs) -> Result<Self, HttpError> {
        let token = Token::find(args.token_file.as_deref())?;
        if token.is_none() && !addr.ip().to_canonical().is_loopback() {
            return Err(HttpError::NeedsToken(addr));
        }
        let listen = |e| HttpError::Listen(addr, e);
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let endpoint =
            endpoint::McpEndpoint::new(server, token, endpoint::hosts(addr, &args.hosts), &args.origins);
        Ok(Self { listener, addr, endpoint })
    }

    /// Serves until `stop` is ready. Running calls then get [`GRACE`] to end.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(CLIENT_TIMEOUT).max_buf_size(HEAD_BYTES);
        let slots = ConnectionSlots::new();
        let open = GracefulShutdown::new();
        let cancel = self.endpoint.cancel();
        let service = TowerToHyperService::new(self.endpoint.router());
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(problem) => {
                    // The process is probably out of file descriptors, which are freed as other connections close.
                    tracing::warn!(%problem, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // Without a write time limit, a client that sends requests but does not read would keep its slot forever.
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(CLIENT_TIMEOUT));
            let stream = TokioIo::new(Box::pin(stream));
            let slot = slots.open(peer.ip().to_canonical());
            // Each request carries the slot of its connection.
            let (inside, of) = (service.clone(), slot.clone());
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(of.clone());
                inside.call(request)
            });
            let connection = open.watch(http.serve_connection(stream, service));
            tokio::spawn(async move {
                tokio::select! {
                    ended = connection => if let Err(problem) = ended {
                        tracing::debug!(%problem, "a connection ended early");
                    },
                    () = slot.evicted() => tracing::debug!("evicted a pending connection"),
                }
            });
        }
        drop(self.listener);
        let mut ended = pin!(open.shutdown());
        if timeout(GRACE, &mut ended).await.is_err() {
            cancel();
            // This is time to end the programs that calls started, and to answer the clients.
            _ = timeout(Duration::from_secs(1), ended).await;
        }
    }
}

/// Serves over HTTP until SIGTERM or SIGINT arrives.
pub(crate) async fn serve(server: Server, addr: SocketAddr, args: &HttpArgs) -> Result<(), HttpError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(HttpError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(HttpError::Signals)?;
    let listening = Listening::open(server, addr, args).await?;
    eprintln!("serving MCP on http://{}/mcp", listening.addr);
    if addr.ip().is_unspecified() && args.hosts.is_empty() {
        eprintln!(
            "note: clients can reach this server only by loopback names; --http-host=NAME adds another name"
        );
    }
    listening
        .serve(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    Ok(())
}
