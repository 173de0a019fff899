//! Dispatches the requests to the cluster's API server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Method, request::Parts};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};

use super::access::Access;
use super::discovery::Discovery;
use super::exec::{self, Exec, PROTOCOLS};
use super::fault::{self, Fault, Faults};
use super::lab::Lab;
use super::path::Target;
use super::process::{Processes, RunningProcess};
use super::query::Query;
use super::read::ReadRequest;
use super::status::Status;
use super::store::Store;
use super::watch;
use super::workload::Workloads;

/// The maximum size of a request body in bytes. Objects that clients create here are smaller.
const LARGEST_BODY: usize = 1 << 20;

/// The state of the server.
pub(super) struct LabCluster {
    pub(super) lab: Lab,
    pub(super) discovery: Discovery,
    pub(super) access: Access,
    pub(super) faults: Faults,
    pub(super) workloads: Workloads,
    pub(super) processes: Processes,
    /// The containers that a fault keeps from running.
    pub(super) restarting: Mutex<BTreeSet<String>>,
    store: Mutex<Store>,
}

impl LabCluster {
    pub(super) fn new(lab: Lab, discovery: Discovery, store: Store, access: Access, faults: Faults) -> Self {
        Self {
            lab,
            discovery,
            access,
            faults,
            workloads: Workloads::default(),
            processes: Processes::new(),
            restarting: Mutex::default(),
            store: Mutex::new(store),
        }
    }

    /// Locks the objects. The lock must not be held across an await.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request, or applies the fault that is set for it.
pub(super) async fn serve(State(cluster): State<Arc<LabCluster>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let refreshed = cluster.faults.refresh().and_then(|restarting| match restarting {
        Some(restarting) => cluster.restart(&restarting),
        None => Ok(()),
    });
    if let Err(wrong) = refreshed {
        return wrong.into_response();
    }
    let fault = cluster.faults.of(&parts.method, &parts.uri);
    match &fault {
        Some(Fault::Slow(time)) => tokio::time::sleep(*time).await,
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Refused(code)) => {
            let target = Target::parse(&parts.uri);
            let verb = target.as_ref().map_or("get", |target| target.verb(&parts.method, false));
            let user = cluster.access.user(&parts.headers).unwrap_or_default();
            return fault::refusal(*code, &user, verb, target.as_ref()).into_response();
        }
        Some(Fault::Cut(_)) | None => {}
    }
    let cut = match fault {
        Some(Fault::Cut(size)) => Some(size),
        _ => None,
    };
    let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let response = answer(&cluster, &mut parts, &body, cut).await.unwrap_or_else(IntoResponse::into_response);
    match cut {
        // `exec` itself cuts the messages of a WebSocket.
        Some(size) if !parts.uri.path().ends_with("/exec") => cut_short(response, size).await,
        _ => response,
    }
}

/// Returns the beginning of an answer, after which the connection breaks.
async fn cut_short(response: Response, size: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    let beginning = body.slice(..size.min(body.len()));
    let gone = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    Response::from_parts(parts, Body::from_stream(stream::iter([Ok(beginning), gone])))
}

async fn answer(
    cluster: &Arc<LabCluster>,
    parts: &mut Parts,
    body: &Bytes,
    cut: Option<usize>,
) -> Result<Response, Status> {
    let user = cluster.access.user(&parts.headers)?;
    if parts.uri.path() == "/lab/processes" {
        let running: Vec<Value> =
            cluster.processes.running(None).iter().map(RunningProcess::object).collect();
        return Ok(Json(json!(running)).into_response());
    }
    if let Some(discovery) = cluster.discovery.answer(parts.uri.path(), &parts.headers) {
        return Ok(discovery);
    }
    let target = Target::parse(&parts.uri).ok_or_else(Status::no_resource)?;
    let query = Query::parse(&parts.uri)?;
    let verb = target.verb(&parts.method, query.is("watch"));
    cluster.access.check(&user, verb, &target)?;
    let streams = matches!(target.part.as_deref(), Some("exec" | "attach"));
    if streams && parts.method == Method::GET {
        // Since Kubernetes 1.35, exec and attach need the right to create, also for a WebSocket, which begins with GET.
        cluster.access.check(&user, "create", &target)?;
    }
    let namespace = target.namespace.clone().unwrap_or_default();
    let pods = target.plural == "pods" && target.group.is_empty();
    match (&parts.method, target.name.as_deref(), target.part.as_deref()) {
        (&Method::GET, Some(name), Some("log")) if pods => cluster.log(&namespace, name, &query),
        (&Method::GET | &Method::POST, Some(name), Some("exec")) if pods => {
            let container = cluster.running_container(&namespace, name, query.get("container"))?;
            let exec = Exec::new(container, &query, cut)?;
            Ok(upgrade(parts).await?.on_upgrade(|socket| exec.run(socket)))
        }
        (&Method::GET | &Method::POST, Some(name), Some("attach")) if pods => {
            let output =
                cluster.workloads.output(&namespace, name).ok_or_else(|| Status::pod_not_found(name))?;
            Ok(upgrade(parts).await?.on_upgrade(|socket| exec::attach(output, socket)))
        }
        (&Method::GET, Some(name), Some("proxy")) if target.plural == "nodes" => {
            cluster.node_log(name, &target.rest, &query)
        }
        (&Method::GET, _, None) if query.is("watch") => watch::watch(cluster, &target, &query),
        (&Method::GET, Some(name), None | Some("status")) => {
            cluster.get(&target, name, &ReadRequest { query: &query, headers: &parts.headers })
        }
        (&Method::GET, None, None) => {
            cluster.list(&target, &ReadRequest { query: &query, headers: &parts.headers })
        }
        (&Method::POST, None, None) if pods => cluster.create_pod(&target, body),
        (&Method::POST, None, None) if target.plural == "selfsubjectaccessreviews" => {
            cluster.access.review(&user, body)
        }
        (&Method::DELETE, Some(name), None) if pods => cluster.delete_pod(&target, name, body).await,
        (&Method::DELETE, None, None) if pods => cluster.delete_pods(&target, &query).await,
        _ => Err(Status::method_not_allowed()),
    }
}

async fn upgrade(parts: &mut Parts) -> Result<WebSocketUpgrade, Status> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await;
    let refused = |_| Status::bad_request("unable to upgrade: this server supports only WebSockets");
    Ok(upgrade.map_err(refused)?.protocols(PROTOCOLS))
}
