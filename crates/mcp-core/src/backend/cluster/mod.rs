//! A live cluster: objects and logs from its API server, commands in the containers that reach what they need.
//!
//! | file | what |
//! | --- | --- |
//! | `args`, `connect`, `proxy` | from the command line and the environment to a client |
//! | `api`, `error` | questions (GET and nothing else), and why one is not answered |
//! | `discovery`, `objects`, `log` | kinds, objects and tables, logs |
//! | `pods`, `run`, `exec` | from a place to a container, and a command in it |
//! | `debug`, `leftovers` | pods for what no container has; what is cleaned up after a call |

mod api;
mod args;
mod connect;
mod debug;
mod discovery;
mod error;
mod exec;
mod leftovers;
mod log;
mod objects;
mod pods;
mod proxy;
mod run;

pub(crate) use args::ClusterArgs;
pub use error::ClusterError;

use super::{Area, Backend, Coverage, Origin, Output, Read, ReadError, live::Databases};
use crate::{Argv, Db, Kind, LogQuery, LogStream, NodeName, ObjectQuery, Table, Target, commands};
use api::{Api, Deadline};
use async_trait::async_trait;
use connect::{Making, Reach};
use debug::{DebugOptions, DebugPods};
use error::Asked;
use exec::Time;
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

/// How long what hardly changes is taken to be so: nodes and kinds.
const FRESH: Duration = Duration::from_secs(15);

/// How long a question may take that comes with no time of its own.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longer than any call: its own time is over first.
const LONGEST: Duration = Duration::from_secs(600);

/// The names of objects, without what is in them.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Why a cluster cannot be the source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadCluster {
    /// There is none.
    #[error(transparent)]
    Reach(#[from] connect::NoCluster),
    /// Debug pods cannot be made so.
    #[error(transparent)]
    Debug(#[from] debug::BadDebug),
}

/// The backend.
pub struct Cluster {
    args: ClusterArgs,
    reach: Reach,
    making: Making,
    debug: Option<DebugOptions>,
    /// Made with the first question, so that a server starts though its cluster does not answer.
    connected: OnceCell<Connected>,
    databases: Databases,
    nodes: Fresh<Vec<NodeName>>,
    kinds: Fresh<(Vec<Kind>, Vec<String>)>,
    leftovers: Leftovers,
}

/// What there is once somebody has asked.
struct Connected {
    api: Api,
    pods: pods::Pods,
    debug: Option<DebugPods>,
}

/// Something that is asked again after a while.
struct Fresh<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Fresh<T> {
    fn get(&self) -> Option<T> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(when, _)| when.elapsed() < FRESH).map(|(_, value)| value.clone())
    }

    fn set(&self, value: T) -> T {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), value.clone()));
        value
    }
}

impl Cluster {
    /// The cluster of a kubeconfig, in its context or its current one, with or without debug pods.
    ///
    /// # Errors
    /// What is wrong with the file, and which contexts it has.
    pub async fn open(kubeconfig: &Path, context: Option<&str>, debug_pods: bool) -> Result<Self, String> {
        let args = ClusterArgs {
            kubeconfig: Some(kubeconfig.into()),
            context: context.map(str::to_owned),
            allow_debug_pods: debug_pods,
            ..ClusterArgs::default()
        };
        Self::find(&args).await.map_err(|e| e.to_string())
    }

    /// The cluster that the command line, the environment or this pod's service account names. Nothing is asked of it
    /// yet.
    pub(crate) async fn find(args: &ClusterArgs) -> Result<Self, BadCluster> {
        Ok(Self {
            args: args.clone(),
            reach: Reach::find(args)?,
            making: Making::default(),
            debug: args.debug()?,
            connected: OnceCell::new(),
            databases: Databases::default(),
            nodes: Fresh(Mutex::default()),
            kinds: Fresh(Mutex::default()),
            leftovers: Leftovers::default(),
        })
    }

    /// Connects, if that was not done or did not succeed.
    async fn connected(&self) -> Result<&Connected, ReadError> {
        let connect = || async {
            let client = self.making.client(&self.reach, PATIENCE).await?;
            let api = Api::new(client, self.reach.server(), self.leftovers.clone());
            let debug = self.debug.clone().map(|options| DebugPods::new(options, self.leftovers.clone()));
            if debug.is_some() {
                tokio::spawn(debug::sweep(api.clone()));
            }
            Ok::<_, ReadError>(Connected { api, pods: pods::Pods::default(), debug })
        };
        let connected = self.connected.get_or_try_init(connect).await?;
        if connected.api.was_refused() {
            self.log_in_again(&connected.api).await;
        }
        Ok(connected)
    }

    /// With what the kubeconfig says now: someone may have logged in.
    async fn log_in_again(&self, api: &Api) {
        match Reach::find(&self.args) {
            Ok(reach) if reach.server() == self.reach.server() => {
                match self.making.client(&reach, PATIENCE).await {
                    Ok(client) => api.renew(client),
                    Err(problem) => tracing::warn!(%problem, "the kubeconfig was read again"),
                }
            }
            // Answers must not come from another cluster all of a sudden.
            Ok(reach) => tracing::warn!(
                now = reach.server(),
                "the kubeconfig names another server than when this one started: restart to ask that"
            ),
            Err(problem) => tracing::warn!(%problem, "the kubeconfig was read again"),
        }
    }

    fn read<T>(what: impl ToString, value: T, notes: Vec<String>) -> Read<T> {
        let origin = Origin::new(what.to_string(), Some(Timestamp::now()));
        Read { value, origin, notes }
    }
}

#[async_trait]
impl Backend for Cluster {
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
        let asked = Asked::cluster("list", "nodes");
        let request = Request::new("/api/v1/nodes").list(&ListParams::default());
        let request = request.map_err(|e| ReadError::unreadable("a question", e))?;
        let request = api::accept(request, METADATA);
        let list: Value = api.get(&asked, request, Deadline::after(LONGEST)).await?;
        let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
        let name = |node: &Value| node.pointer("/metadata/name")?.as_str()?.parse().ok();
        let mut nodes: Vec<NodeName> = items.filter_map(name).collect();
        nodes.sort();
        Ok(self.nodes.set(nodes))
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        let nodes = crate::resolve::listed(self, PATIENCE).await?;
        let mut coverage = Coverage::live(self.name(), nodes, &Area::ALL);
        coverage.notes.push(format!("asked at {}", self.reach.server()));
        Ok(coverage)
    }

    async fn command(&self, at: &Target, argv: &Argv) -> Result<Read<Output>, ReadError> {
        self.connected().await?.command(at, argv, Time::ToItsEnd).await
    }

    async fn follow(&self, at: &Target, argv: &Argv, time: Duration) -> Result<Read<Output>, ReadError> {
        self.connected().await?.command(at, argv, Time::For(time)).await
    }

    async fn schema(&self, at: &Target, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.databases.schema(self, at, db).await
    }

    async fn rows(&self, at: &Target, db: Db, selects: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
        self.databases.rows(self, at, db, selects).await
    }

    async fn database(&self, at: &Target, db: Db) -> Result<Read<Arc<Database>>, ReadError> {
        let mut absent = None;
        for argv in commands::print_database(db) {
            match self.command(at, &argv).await {
                Ok(read) => {
                    let database = Database::open(read.value.stdout);
                    let what = format!("the file of {db} on {}", at.node);
                    let database = database.map_err(|e| ReadError::unreadable(what, e))?;
                    // The path, as other sources name it, and then the container.
                    let what = read.origin.what.trim_start_matches("cat ").to_owned();
                    let origin = Origin { what, ..read.origin };
                    return Ok(Read { value: Arc::new(database), origin, notes: read.notes });
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

    async fn kinds(&self, within: Duration) -> Result<Read<Vec<Kind>>, ReadError> {
        let (kinds, notes) = match self.kinds.get() {
            Some(known) => known,
            None => {
                let api = &self.connected().await?.api;
                self.kinds.set(discovery::kinds(api, Deadline::after(within)).await?)
            }
        };
        Ok(Self::read("discovery", kinds, notes))
    }

    async fn objects(&self, query: &ObjectQuery, within: Duration) -> Result<Read<Vec<Value>>, ReadError> {
        let api = &self.connected().await?.api;
        let (objects, notes) = objects::objects(api, query, Deadline::after(within)).await?;
        Ok(Self::read(query, objects, notes))
    }

    async fn table(&self, query: &ObjectQuery, within: Duration) -> Result<Option<Read<Table>>, ReadError> {
        let api = &self.connected().await?.api;
        let table = objects::table(api, query, Deadline::after(within)).await?;
        Ok(table.map(|table| Self::read(query, table, Vec::new())))
    }

    async fn log(&self, query: &LogQuery, within: Duration) -> Result<Read<LogStream>, ReadError> {
        log::log(&self.connected().await?.api, query, Deadline::after(within)).await
    }

    async fn close(&self) {
        if let Some(Connected { debug: Some(debug), .. }) = self.connected.get() {
            debug.close(Duration::from_secs(5)).await;
        }
        self.leftovers.finish(Duration::from_secs(5)).await;
    }
}
