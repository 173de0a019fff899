//! The MCP endpoint over HTTP: authentication, allowed hosts and origins, and the size of a request.

use super::{CLIENT_TIMEOUT, connections::ConnectionSlot, request, token::Token};
use crate::{
    Server,
    message::{self, MAX_MESSAGE_BYTES, RejectedMessage},
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

/// The MCP service over HTTP without sessions, for both generations of the protocol.
type Mcp = StreamableHttpService<Server, NeverSessionManager>;

/// The MCP endpoint: a server and the clients that may use it.
pub(super) struct McpEndpoint {
    config: StreamableHttpServerConfig,
    server: Server,
    token: Option<Token>,
}

impl McpEndpoint {
    /// Returns an endpoint for clients that send the token (if there is one), address the server by one of `hosts`,
    /// and come from one of `origins` or from this host.
    pub(super) fn new(server: Server, token: Option<Token>, hosts: Vec<String>, origins: &[String]) -> Self {
        let local = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"].map(String::from);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(local.into_iter().chain(origins.iter().cloned()))
            .with_legacy_session_mode(false)
            .with_json_response(true);
        Self { config, server, token }
    }

    /// Returns a function that cancels all calls.
    pub(super) fn cancel(&self) -> impl FnOnce() + use<> {
        let token = self.config.cancellation_token.clone();
        move || token.cancel()
    }

    /// Returns the routes: `/mcp` with authentication, and `/healthz` without.
    pub(super) fn router(self) -> Router {
        let Self { config, server, token } = self;
        let mcp = Mcp::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
        Router::new()
            .route("/mcp", any(answer))
            .with_state(mcp)
            .fallback(async || StatusCode::NOT_FOUND)
            .layer(from_fn_with_state(Arc::new(token), check_token))
            // `/healthz` is added after the authentication layer, because a monitor of the process has no token. The
            // answer reveals nothing.
            .route("/healthz", get(async || ([CLOSE], "ok\n")))
            .layer(from_fn(request::reject_ambiguous))
    }
}

/// The header that closes the connection of a client that is not authenticated.
const CLOSE: (HeaderName, HeaderValue) = (CONNECTION, HeaderValue::from_static("close"));

/// Passes on a request that carries the token, and rejects any other.
async fn check_token(State(token): State<Arc<Option<Token>>>, mut request: Request, next: Next) -> Response {
    if let Some(token) = &*token
        && !token.is_in(request.headers())
    {
        let challenge = [CLOSE, (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
        return (StatusCode::UNAUTHORIZED, challenge, "send a bearer token\n").into_response();
    }
    if request.extensions().get::<Arc<ConnectionSlot>>().is_some_and(|slot| !slot.authenticate()) {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [CLOSE],
            "there are too many connections; try again later\n",
        )
            .into_response();
    }
    // The token is removed, because nothing behind this point needs it and so nothing can log it.
    request.headers_mut().remove(AUTHORIZATION);
    next.run(request).await
}

/// Reads the body of a request, and passes the request to the MCP service if the body is a valid message.
async fn answer(State(mcp): State<Mcp>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, "a request may have at most 1 MiB\n").into_response();
    if body.size_hint().lower() > MAX_MESSAGE_BYTES as u64 {
        return too_large();
    }
    let body = match timeout(CLIENT_TIMEOUT, to_bytes(body, MAX_MESSAGE_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return too_large(),
        Err(_) => {
            return (StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time\n").into_response();
        }
    };
    // The SDK itself rejects content types other than JSON.
    if is_json(&head.headers)
        && let Err(RejectedMessage { id, error }) = message::parse(&body)
    {
        return (StatusCode::BAD_REQUEST, Json(JsonRpcError::new(id, *error))).into_response();
    }
    mcp.handle(Request::from_parts(head, Body::from(body))).await.map(Body::new)
}

/// Whether the content type of a request is JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Returns the names in the Host header under which this server may be addressed. The check defends against DNS
/// rebinding: a web page that makes its own name resolve to this host sends that name.
pub(super) fn hosts(addr: SocketAddr, more: &[String]) -> Vec<String> {
    let own = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let bound = (!addr.ip().is_unspecified()).then(|| addr.ip().to_string());
    own.into_iter().chain(bound).chain(more.iter().cloned()).collect()
}

/// Parses a name with or without a port.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    if request::is_host(text) {
        Ok(text.into())
    } else {
        Err("the value must be a name or an address, with or without a port".into())
    }
}

/// Parses a scheme and a name, with or without a port.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").ok_or("the origin must have the form https://NAME")?;
    let port_is_fixed = rest.parse::<Authority>().is_ok_and(|name| name.port_u16().is_some());
    match scheme {
        "http" | "https" => parse_host(rest)?,
        _ => return Err("the scheme of the origin must be http or https".into()),
    };
    // rmcp lets an origin without a port match any port, so the default port is added.
    Ok(match scheme {
        _ if port_is_fixed => text.into(),
        "http" => format!("{text}:80"),
        _ => format!("{text}:443"),
    })
}
