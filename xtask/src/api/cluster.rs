//! A cluster and its one API server: who asks for what, and which part answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::{Method, request::Parts};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::discovery::Discovery;
use super::exec::{Exec, PROTOCOLS};
use super::lab::Lab;
use super::path::Target;
use super::process;
use super::query::Query;
use super::status::Status;
use super::store::Store;

/// All that the server knows.
pub(super) struct Cluster {
    pub(super) lab: Lab,
    pub(super) discovery: Discovery,
    store: Mutex<Store>,
}

impl Cluster {
    pub(super) fn new(lab: Lab, discovery: Discovery, store: Store) -> Self {
        Self { lab, discovery, store: Mutex::new(store) }
    }

    /// The objects. Never held across an await.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request.
pub(super) async fn serve(State(cluster): State<Arc<Cluster>>, request: Request) -> Response {
    let (mut parts, _body) = request.into_parts();
    answer(&cluster, &mut parts).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(cluster: &Arc<Cluster>, parts: &mut Parts) -> Result<Response, Status> {
    if parts.uri.path() == "/lab/processes" {
        let running: Vec<Value> = process::running(None).iter().map(process::Running::object).collect();
        return Ok(Json(json!(running)).into_response());
    }
    if let Some(discovery) = cluster.discovery.answer(parts.uri.path(), &parts.headers) {
        return Ok(discovery);
    }
    let target = Target::parse(&parts.uri).ok_or_else(Status::no_resource)?;
    let query = Query::parse(&parts.uri)?;
    let namespace = target.namespace.clone().unwrap_or_default();
    match (&parts.method, target.name.as_deref(), target.part.as_deref()) {
        (&Method::GET, Some(name), Some("log")) if target.plural == "pods" => {
            cluster.log(&namespace, name, &query)
        }
        (&Method::GET | &Method::POST, Some(name), Some("exec")) if target.plural == "pods" => {
            let container = cluster.running_container(&namespace, name, query.get("container"))?;
            let exec = Exec::new(container, &query)?;
            let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|_| {
                Status::bad_request("unable to upgrade: this server speaks exec over WebSockets alone")
            })?;
            Ok(upgrade.protocols(PROTOCOLS).on_upgrade(|socket| exec.run(socket)))
        }
        (&Method::GET, Some(name), None | Some("status")) => cluster.get(&target, name),
        (&Method::GET, None, None) => cluster.list(&target, &query),
        _ => Err(Status::method_not_allowed()),
    }
}
