//! Who may come in, and how much they may bring.

use super::{PATIENCE, guests::Guest, request, token::Token};
use crate::{
    Server,
    message::{self, MOST, Refused},
};
use axum::{
    Json, Router,
    body::{Body, HttpBody, to_bytes},
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE},
        uri::Authority,
    },
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use rmcp::{
    model::JsonRpcError,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use std::{net::SocketAddr, sync::Arc};
use tokio::time::timeout;

/// MCP over HTTP without sessions, in both eras.
type Mcp = StreamableHttpService<Server, NeverSessionManager>;

/// A server and who may use it.
pub(super) struct Door {
    config: StreamableHttpServerConfig,
    server: Server,
    token: Option<Token>,
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
        Router::new()
            .route("/mcp", any(answer))
            .with_state(mcp)
            .fallback(async || StatusCode::NOT_FOUND)
            .layer(from_fn_with_state(Arc::new(token), admit))
            // After the layer: whoever looks after the process has no token, and learns nothing here.
            .route("/healthz", get(async || ([CLOSE], "ok\n")))
            .layer(from_fn(request::clear))
    }
}

/// The end of a connection whose client has not proved that it may be here.
const CLOSE: (HeaderName, HeaderValue) = (CONNECTION, HeaderValue::from_static("close"));

/// Lets in who has the token.
async fn admit(State(token): State<Arc<Option<Token>>>, mut request: Request, next: Next) -> Response {
    if let Some(token) = &*token
        && !token.is_in(request.headers())
    {
        let challenge = [CLOSE, (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
        return (StatusCode::UNAUTHORIZED, challenge, "a bearer token is needed\n").into_response();
    }
    if request.extensions().get::<Arc<Guest>>().is_some_and(|guest| !guest.welcome()) {
        return (StatusCode::SERVICE_UNAVAILABLE, [CLOSE], "there are too many connections\n")
            .into_response();
    }
    // What is behind the door has no use for it, and cannot log what it does not have.
    request.headers_mut().remove(AUTHORIZATION);
    next.run(request).await
}

/// Reads a request, and hands it on if it holds a message.
async fn answer(State(mcp): State<Mcp>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, "a request has at most 1 MiB\n").into_response();
    if body.size_hint().lower() > MOST as u64 {
        return too_large();
    }
    let body = match timeout(PATIENCE, to_bytes(body, MOST)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return too_large(),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the request did not arrive\n").into_response(),
    };
    // What is of another type than JSON, the SDK refuses as that.
    if is_json(&head.headers)
        && let Err(Refused { id, error }) = message::parse(&body)
    {
        return (StatusCode::BAD_REQUEST, Json(JsonRpcError::new(id, error))).into_response();
    }
    mcp.handle(Request::from_parts(head, Body::from(body))).await.map(Body::new)
}

/// Does a request say that it brings JSON?
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The names that a request may give to this server: a page that makes its own name mean this host has another.
pub(super) fn hosts(addr: SocketAddr, more: &[String]) -> Vec<String> {
    let own = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let bound = (!addr.ip().is_unspecified()).then(|| addr.ip().to_string());
    own.into_iter().chain(bound).chain(more.iter().cloned()).collect()
}

/// A name with or without a port.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    if request::is_host(text) {
        Ok(text.into())
    } else {
        Err("give a name or an address, with or without a port".into())
    }
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
