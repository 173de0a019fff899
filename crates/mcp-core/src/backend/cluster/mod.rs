//! A live cluster as a source: objects and logs from its API server, and commands in containers that reach the data.
//!
//! | file | what |
//! | --- | --- |
//! | `args`, `connect`, `proxy` | build a client from the command line and the environment |
//! | `api`, `error` | send requests (only GET), and explain failures |
//! | `discovery`, `objects`, `log` | read kinds, objects and tables, and logs |
//! | `pods`, `run`, `exec` | find a container for a place, and run a command in it |
//! | `debug`, `leftovers` | create pods for programs that no container has; clean up after a call |

mod api;
mod args;
mod connect;
mod coverage;
mod debug;
mod discovery;
mod error;
mod exec;
mod leftovers;
mod log;
mod objects;
mod pods;
mod proxy;
mod roles;
mod run;

pub(crate) use args::ClusterArgs;
pub use error::ClusterError;

use super::{Backend, Coverage, DataArea, Origin, Output, ReadError, ReadValue, live::DatabaseServers};
use crate::{
    Argv, CapturePart, CommandTarget, Db, LogQuery, LogStream, NodeName, ObjectKind, ObjectQuery, Table,
    commands,
};
use api::{Api, RequestDeadline};
use async_trait::async_trait;
use connect::{ClusterAccess, PendingClient};
use debug::{DebugOptions, DebugPods};
use error::ApiRequest;
use exec::TimeLimit;
use jiff::Timestamp;
use kube::api::{ListParams, Request};
use leftovers::Leftovers;
use ovsdb::{Database, Rows, Schema, Select};
use serde_json::Value;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};

/// How long the list of nodes and the list of kinds are cached.
const CACHE_TIME: Duration = Duration::from_secs(15);

/// The time limit of a request that has no limit of its own.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Longer than any call, so that the limit of the call applies first.
const LONGEST_CALL: Duration = Duration::from_secs(600);

/// Asks the API server for the metadata of objects only.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Why the cluster cannot be a source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadCluster {
    /// No cluster is configured, or its configuration is invalid.
    #[error(transparent)]
    Config(#[from] connect::ClusterConfigError),
    /// The options of debug pods are invalid.
    #[error(transparent)]
    Debug(#[from] debug::DebugOptionError),
}

/// A live cluster as a source.
pub struct LiveCluster {
    args: ClusterArgs,
    reach: ClusterAccess,
    making: PendingClient,
    debug: Option<DebugOptions>,
    /// The connection. The first request makes it, so that a server starts even if its cluster does not answer.
    connected: OnceCell<Connection>,
    databases: DatabaseServers,
    nodes: Cached<Vec<NodeName>>,
    kinds: Cached<(Vec<ObjectKind>, Vec<String>)>,
    leftovers: Leftovers,
}

/// The state of a cluster once it is connected.
struct Connection {
    api: Api,
    pods: pods::Pods,
    debug: Option<DebugPods>,
}

/// A cached value that expires.
struct Cached<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Cached<T> {
    fn get(&self) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(when, _)| when.elapsed() < CACHE_TIME).map(|(_, value)| value.clone())
    }

    fn set(&self, value: T) -> T {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), value.clone()));
        value
    }
}

impl LiveCluster {
    /// Opens the cluster of a kubeconfig, in the given or the current context, with or without debug pods.
    ///
    /// # Errors
    /// Returns what is wrong with the file, and which contexts it has.
    pub async fn open(kubeconfig: &Path, context: Option<&str>, debug_pods: bool) -> Result<Self, String> {
        let args = ClusterArgs {
            kubeconfig: Some(kubeconfig.into()),
            context: context.map(str::to_owned),
            allow_debug_pods: debug_pods,
            ..ClusterArgs::default()
        };
        Self::find(&args).await.map_err(|e| e.to_string())
    }

    /// Finds the cluster that the command line, the environment or this pod's service account names. This sends no
    /// request.
    pub(crate) async fn find(args: &ClusterArgs) -> Result<Self, BadCluster> {
        Ok(Self {
            args: args.clone(),
            reach: ClusterAccess::find(args)?,
            making: PendingClient::default(),
            debug: args.debug()?,
            connected: OnceCell::new(),
            databases: DatabaseServers::default(),
            nodes: Cached(Mutex::default()),
            kinds: Cached(Mutex::default()),
            leftovers: Leftovers::default(),
        })
    }

    /// Returns the connection, and connects first if needed.
    async fn connected(&self) -> Result<&Connection, ReadError> {
        let connect = || async {
            let client = self.making.client(&self.reach, REQUEST_TIMEOUT).await?;
            let api = Api::new(client, self.reach.server(), self.leftovers.clone());
            let debug = self.debug.clone().map(|options| DebugPods::new(options, self.leftovers.clone()));
            if debug.is_some() {
                tokio::spawn(debug::sweep(api.clone()));
            }
            Ok::<_, ReadError>(Connection { api, pods: pods::Pods::default(), debug })
        };
        let connected = self.connected.get_or_try_init(connect).await?;
        if connected.api.was_refused() {
            self.log_in_again(&connected.api).await;
        }
        Ok(connected)
    }

    /// Reads the kubeconfig again, because someone may have logged in.
    async fn log_in_again(&self, api: &Api) {
        match ClusterAccess::find(&self.args) {
            Ok(reach) if reach.server() == self.reach.server() => {
                match self.making.client(&reach, REQUEST_TIMEOUT).await {
                    Ok(client) => api.renew(client),
                    Err(problem) => tracing::warn!(%problem, "logging in with the kubeconfig again failed"),
                }
            }
            // Answers must not suddenly come from another cluster.
            Ok(reach) => tracing::warn!(
                now = reach.server(),
                "the kubeconfig names a different server now; restart to use that server"
            ),
            Err(problem) => tracing::warn!(%problem, "reading the kubeconfig again failed"),
        }
    }

    fn read<T>(what: impl ToString, value: T, notes: Vec<String>) -> ReadValue<T> {
        let origin = Origin::new(what.to_string(), Some(Timestamp::now()));
        ReadValue { value, origin, notes }
    }
}

#[async_trait]
impl Backend for LiveCluster {
    fn name(&self) -> &str {
        &self.reach.name
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        if let Some(nodes) = self.nodes.get() {
            return Ok(nodes);
        }
        let api = &self.connected().await?.api;
        let asked = ApiRequest::cluster("list", "nodes");
        let request = Request::new("/api/v1/nodes").list(&ListParams::default());
        let request = request.map_err(|e| ReadError::unreadable("a request", e))?;
        let request = api::accept(request, METADATA);
        let list: Value = api.get(&asked, request, RequestDeadline::after(LONGEST_CALL)).await?;
        let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
        let name = |node: &Value| node.pointer("/metadata/name")?.as_str()?.parse().ok();
        let mut nodes: Vec<NodeName> = items.filter_map(name).collect();
        nodes.sort();
        Ok(self.nodes.set(nodes))
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        let nodes = crate::resolve::listed(self, REQUEST_TIMEOUT).await?;
        let mut coverage = Coverage::live(self.name(), nodes, &DataArea::ALL);
        coverage.notes.push(format!("API server: {}", self.reach.server()));
        let deadline = RequestDeadline::after(REQUEST_TIMEOUT);
        coverage::mark(&self.connected().await?.api, &mut coverage, deadline).await;
        Ok(coverage)
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        self.connected().await?.command(at, argv, TimeLimit::ToItsEnd, None).await
    }

    async fn follow(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
    ) -> Result<ReadValue<Output>, ReadError> {
        self.connected().await?.command(at, argv, TimeLimit::For(time), None).await
    }

    async fn capture(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: Duration,
        into: &CapturePart,
    ) -> Result<ReadValue<Output>, ReadError> {
        self.connected().await?.command(at, argv, TimeLimit::For(time), Some(into)).await
    }

    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.databases.schema(self, at, db).await
    }

    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        self.databases.rows(self, at, db, selects).await
    }

    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        let mut absent = None;
        for argv in commands::print_database(db) {
            match self.command(at, &argv).await {
                Ok(read) => {
                    let database = Database::open(read.value.stdout);
                    let what = format!("the file of {db} on {}", at.node);
                    let database = database.map_err(|e| ReadError::unreadable(what, e))?;
                    // The origin begins with the path, as in other sources, and the container follows.
                    let what = read.origin.what.trim_start_matches("cat ").to_owned();
                    let origin = Origin { what, ..read.origin };
                    return Ok(ReadValue { value: Arc::new(database), origin, notes: read.notes });
                }
                Err(ReadError::Failed { status: 1, stderr, .. }) if stderr.contains("No such file") => {
                    absent = Some(stderr);
                }
                Err(e) => return Err(e),
            }
        }
        Err(ReadError::NotCollected {
            what: format!("the file of {db}"),
            node: at.node.clone(),
            source_name: self.name().into(),
            why: absent,
            instead: Vec::new(),
        })
    }

    async fn kinds(&self, within: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        let (kinds, notes) = match self.kinds.get() {
            Some(known) => known,
            None => {
                let api = &self.connected().await?.api;
                self.kinds.set(discovery::kinds(api, RequestDeadline::after(within)).await?)
            }
        };
        Ok(Self::read("discovery", kinds, notes))
    }

    async fn objects(
        &self,
        query: &ObjectQuery,
        within: Duration,
    ) -> Result<ReadValue<Vec<Value>>, ReadError> {
        let api = &self.connected().await?.api;
        let (objects, notes) = objects::objects(api, query, RequestDeadline::after(within)).await?;
        Ok(Self::read(query, objects, notes))
    }

    async fn table(
        &self,
        query: &ObjectQuery,
        within: Duration,
    ) -> Result<Option<ReadValue<Table>>, ReadError> {
        let api = &self.connected().await?.api;
        let table = objects::table(api, query, RequestDeadline::after(within)).await?;
        Ok(table.map(|table| Self::read(query, table, Vec::new())))
    }

    async fn log(&self, query: &LogQuery, within: Duration) -> Result<ReadValue<LogStream>, ReadError> {
        log::log(&self.connected().await?.api, query, RequestDeadline::after(within)).await
    }

    async fn close(&self) {
        if let Some(Connection { debug: Some(debug), .. }) = self.connected.get() {
            debug.close(Duration::from_secs(5)).await;
        }
        self.leftovers.finish(Duration::from_secs(5)).await;
    }
}
