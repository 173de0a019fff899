//! A test server that answers as a test tells it to.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        FromRequestParts, State,
        ws::{Message, WebSocketUpgrade},
    },
    http::{HeaderMap, Request, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use mcp_core::LiveCluster;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

/// The answer to a request.
pub(crate) enum Reply {
    Json(u16, Value),
    Text(&'static [u8]),
    /// The beginning of an answer, after which the connection is cut.
    Cut(&'static [u8]),
    /// No answer, ever.
    Hang,
    /// Messages over a WebSocket, each with its channel, followed by the end of the connection.
    Streams(&'static str, Vec<(u8, Vec<u8>)>),
}

impl Reply {
    pub(crate) fn ok(value: Value) -> Self {
        Self::Json(200, value)
    }

    /// An error as the real API server returns it.
    pub(crate) fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::Json(
            code,
            json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message }),
        )
    }
}

/// Chooses the answer to a request.
type Answer = dyn Fn(&Uri, &HeaderMap) -> Reply + Send + Sync;

pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    dir: tempfile::TempDir,
}

#[derive(Clone)]
struct Shared {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Uri, &HeaderMap) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let shared = Shared { answer: Arc::new(answer), asked: asked.clone() };
        let app = Router::new().fallback(serve).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, asked, dir: tempfile::tempdir().unwrap() }
    }

    /// The requests that the server received, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A live cluster whose API server is this server.
    pub(crate) async fn source(&self) -> LiveCluster {
        self.source_that(false).await
    }

    /// A live cluster that may create debug pods.
    pub(crate) async fn source_with_debug_pods(&self) -> LiveCluster {
        self.source_that(true).await
    }

    async fn source_that(&self, makes_debug_pods: bool) -> LiveCluster {
        let file = self.dir.path().join("kubeconfig");
        std::fs::write(&file, kubeconfig(&format!("http://127.0.0.1:{}", self.port)).to_string()).unwrap();
        LiveCluster::open(&file, None, makes_debug_pods).await.unwrap()
    }
}

/// A kubeconfig with one context. The text is JSON, which is valid YAML.
pub(crate) fn kubeconfig(server: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "c", "cluster": { "server": server } }],
        "users": [{ "name": "u", "user": { "token": "t" } }],
        "contexts": [{ "name": "test", "context": { "cluster": "c", "user": "u" } }],
        "current-context": "test",
    })
}

async fn serve(State(shared): State<Shared>, request: Request<Body>) -> Response {
    let (mut parts, _) = request.into_parts();
    shared.asked.lock().unwrap().push(format!("{} {}", parts.method, parts.uri));
    match (shared.answer)(&parts.uri, &parts.headers) {
        Reply::Json(code, value) => {
            (StatusCode::from_u16(code).unwrap(), [(CONTENT_TYPE, "application/json")], value.to_string())
                .into_response()
        }
        Reply::Text(bytes) => bytes.into_response(),
        Reply::Cut(bytes) => {
            // The connection is cut after the beginning is on its way.
            let pieces = futures::stream::unfold(Some(bytes), |bytes| async move {
                if bytes.is_none() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                Some((bytes.map(Bytes::from_static).ok_or(cut), None))
            });
            Body::from_stream(pieces).into_response()
        }
        Reply::Hang => std::future::pending().await,
        Reply::Streams(protocol, messages) => {
            let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await.unwrap();
            upgrade.protocols([protocol]).on_upgrade(|mut socket| async move {
                for (channel, bytes) in messages {
                    let message = std::iter::once(channel).chain(bytes).collect::<Vec<u8>>();
                    if socket.send(Message::Binary(message.into())).await.is_err() {
                        return;
                    }
                }
            })
        }
    }
}
