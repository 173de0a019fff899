//! MCP over Streamable HTTP, for clients that cannot start a program: one listener, bounded in all that a stranger can
//! make it do.
//!
//! axum's own `serve` waits for ever for a client that stalls, so the loop that accepts connections is here.

mod door;
mod guests;
mod request;
#[cfg(test)]
mod tests;
mod token;

use crate::Server;
use clap::Args;
use guests::Guests;
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

/// How long a client may take to say what it wants, how long it may leave what it is told unread, and how long a
/// connection may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the calls of a server that is told to stop may go on.
const GRACE: Duration = Duration::from_secs(5);

/// What the head of a request may have: more than any client sends, and little enough for many connections.
const HEAD_BYTES: usize = 32 * 1024;

/// How a server is reached over HTTP.
#[derive(Args)]
pub(crate) struct HttpArgs {
    /// Serve MCP over HTTP at http://ADDR/mcp, instead of standard input and output: `127.0.0.1:8931`.
    /// Any address but a loopback one needs a token.
    #[arg(long = "http", global = true, value_name = "ADDR")]
    pub(crate) addr: Option<SocketAddr>,
    /// The file with the bearer token that clients must send; MCP_HTTP_TOKEN in the environment is the other way.
    #[arg(long = "http-token-file", global = true, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// A name that clients reach this server by, beside those of this host's loopback and the address of --http.
    #[arg(long = "http-host", global = true, value_name = "NAME", value_parser = door::parse_host)]
    hosts: Vec<String>,
    /// An origin whose pages may call this server, beside those of this host: `https://tools.example`.
    #[arg(long = "http-origin", global = true, value_name = "ORIGIN", value_parser = door::parse_origin)]
    origins: Vec<String>,
}

/// Why a server cannot be reached over HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Whoever reaches the address could ask.
    #[error(
        "{0} can be reached from other hosts, so clients must prove who they are\nhint: Give a token with \
         --http-token-file=PATH or in the environment variable MCP_HTTP_TOKEN, or listen on 127.0.0.1."
    )]
    NeedsToken(SocketAddr),
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// The address cannot be used.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// There would be no way to stop in good order.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// A server that listens.
pub(crate) struct Listening {
    listener: TcpListener,
    /// Where: the port is known now, if any was asked for.
    pub(crate) addr: SocketAddr,
    door: door::Door,
}

impl Listening {
    /// Checks what the command line asks for, and listens.
    pub(crate) async fn open(server: Server, addr: SocketAddr, args: &HttpArgs) -> Result<Self, HttpError> {
        let token = Token::find(args.token_file.as_deref())?;
        if token.is_none() && !addr.ip().to_canonical().is_loopback() {
            return Err(HttpError::NeedsToken(addr));
        }
        let listen = |e| HttpError::Listen(addr, e);
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let door = door::Door::new(server, token, door::hosts(addr, &args.hosts), &args.origins);
        Ok(Self { listener, addr, door })
    }

    /// Serves until it is told to stop. Calls that are under way then get a moment to end.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD_BYTES);
        let guests = Guests::new();
        let open = GracefulShutdown::new();
        let cancel = self.door.cancel();
        let service = TowerToHyperService::new(self.door.router());
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(problem) => {
                    // Out of file descriptors, mostly: others will be closed.
                    tracing::warn!(%problem, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // A client that asks and does not read would keep its place for ever.
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(PATIENCE));
            let stream = TokioIo::new(Box::pin(stream));
            let guest = guests.receive(peer.ip().to_canonical());
            // Each request tells whose it is.
            let (inside, of) = (service.clone(), guest.clone());
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
                    () = guest.told_to_leave() => tracing::debug!("a connection on which nothing came in made room"),
                }
            });
        }
        drop(self.listener);
        let mut ended = pin!(open.shutdown());
        if timeout(GRACE, &mut ended).await.is_err() {
            cancel();
            // Time for the programs that calls had started to be ended, and for the clients to be told.
            _ = timeout(Duration::from_secs(1), ended).await;
        }
    }
}

/// Serves over HTTP until SIGTERM or SIGINT.
pub(crate) async fn serve(server: Server, addr: SocketAddr, args: &HttpArgs) -> Result<(), HttpError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(HttpError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(HttpError::Signals)?;
    let listening = Listening::open(server, addr, args).await?;
    eprintln!("serving MCP on http://{}/mcp", listening.addr);
    if addr.ip().is_unspecified() && args.hosts.is_empty() {
        eprintln!(
            "note: it answers to the names of this host's loopback only; --http-host=NAME adds another"
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
