//! Who may come in, and how much they may bring.

use super::{PATIENCE, token::Token};
use crate::Server;
use axum::{
    Router,
    body::{Body, HttpBody, to_bytes},
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        uri::Authority,
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{sync::Semaphore, time::timeout};

/// What a request may bring: a call is a few hundred bytes.
const BODY_BYTES: usize = 1 << 20;

/// How many calls are answered at once; more wait.
const CALLS: usize = 64;

/// MCP over HTTP without sessions, in both eras.
type Mcp = StreamableHttpService<Server, NeverSessionManager>;

/// A server and who may use it.
pub(super) struct Door {
    config: StreamableHttpServerConfig,
    server: Server,
    token: Option<Token>,
}

/// What answers a request.
#[derive(Clone)]
struct Inside {
    mcp: Mcp,
    calls: Arc<Semaphore>,
}

impl Door {
    /// A door for those who know the token, if there is one, name one of these hosts and come from none but these
    /// origins or this host.
    pub(super) fn new(server: Server, token: Option<Token>, hosts: Vec<String>, origins: &[String]) -> Self {
        let local = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"].map(String::from);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(local.into_iter().chain(origins.iter().cloned()))
            .with_legacy_session_mode(false)
            .with_json_response(true);
        Self { config, server, token }
    }

    /// What ends all calls.
    pub(super) fn cancel(&self) -> impl FnOnce() + use<> {
        let token = self.config.cancellation_token.clone();
        move || token.cancel()
    }

    /// The paths and what is there.
    pub(super) fn router(self) -> Router {
        let Self { config, server, token } = self;
        let mcp = Mcp::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
        let inside = Inside { mcp, calls: Arc::new(Semaphore::new(CALLS)) };
        Router::new()
            .route("/mcp", any(answer))
            .with_state(inside)
            .fallback(async || StatusCode::NOT_FOUND)
            .layer(from_fn_with_state(Arc::new(token), admit))
            // After the layer: whoever looks after the process has no token, and learns nothing here.
            .route("/healthz", get(async || "ok\n"))
    }
}

/// Lets in who has the token.
async fn admit(State(token): State<Arc<Option<Token>>>, mut request: Request, next: Next) -> Response {
    if let Some(token) = &*token
        && !token.is_in(request.headers())
    {
        let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
        return (StatusCode::UNAUTHORIZED, challenge, "a bearer token is needed\n").into_response();
    }
    // What is behind the door has no use for it, and cannot log what it does not have.
    request.headers_mut().remove(AUTHORIZATION);
    next.run(request).await
}

/// Reads a request, and hands it on when its turn has come.
async fn answer(State(inside): State<Inside>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, "a request has at most 1 MiB\n").into_response();
    if body.size_hint().lower() > BODY_BYTES as u64 {
        return too_large();
    }
    let body = match timeout(PATIENCE, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(bytes)) => Body::from(bytes),
        Ok(Err(_)) => return too_large(),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the request did not arrive\n").into_response(),
    };
    let turn = inside.calls.acquire().await;
    let response = inside.mcp.handle(Request::from_parts(head, body)).await.map(Body::new);
    drop(turn);
    response
}

/// The names that a request may give to this server: a page that makes its own name mean this host has another.
pub(super) fn hosts(addr: SocketAddr, more: &[String]) -> Vec<String> {
    let own = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let bound = (!addr.ip().is_unspecified()).then(|| addr.ip().to_string());
    own.into_iter().chain(bound).chain(more.iter().cloned()).collect()
}

/// A name with or without a port.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    let fine = text.parse::<Authority>().is_ok_and(|name| !name.host().is_empty() && !text.contains('@'));
    if fine { Ok(text.into()) } else { Err("give a name or an address, with or without a port".into()) }
}

/// A scheme, a name, and perhaps a port.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").ok_or("it is not https://NAME")?;
    let port_is_fixed = rest.parse::<Authority>().is_ok_and(|name| name.port_u16().is_some());
    match scheme {
        "http" | "https" => parse_host(rest)?,
        _ => return Err("its scheme is neither http nor https".into()),
    };
    // rmcp takes an origin without a port for one with any.
    Ok(match scheme {
        _ if port_is_fixed => text.into(),
        "http" => format!("{text}:80"),
        _ => format!("{text}:443"),
    })
}
