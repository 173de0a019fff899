//! An API server in front of the lab, so that what speaks to clusters can be tried without one.
//!
//! It is as faithful as kubectl and kube need, and no more: `docs/lab.md` lists what it serves. Its objects are those of a recorded
//! cluster joined with the lab's own (`join`); its containers are the lab's nodes and pods (`process`).
//!
//! Tests start it in their own process ([`LabApi`]), and the program `lab-api` serves until it is stopped.

mod access;
mod certificate;
mod cluster;
mod discovery;
mod exec;
mod fault;
mod flavour;
mod in_process;
mod join;
mod kubelet;
mod lab;
mod log;
mod path;
mod process;
mod protobuf;
mod query;
mod read;
mod recorded;
mod selector;
mod status;
mod store;
mod table;
mod watch;
mod workload;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener as _;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};

use self::access::Access;
use self::certificate::{Identity, Listener};
use self::cluster::Cluster;
use self::discovery::Discovery;
use self::fault::Faults;
use self::lab::Lab;
use self::recorded::Recorded;
use self::store::Store;

pub use self::flavour::Flavour;
pub use self::in_process::LabApi;
pub use self::process::running_under;

/// What can go wrong with a server: a text for the one who started it.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What a server is, and which files it reads and writes.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The kubeconfig to write; it goes with the server
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// The port of the loopback to listen on; 0: any that is free
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Whose names of namespaces, pods and containers
    #[arg(long, value_enum, default_value_t = Flavour::Upstream)]
    pub flavour: Flavour,
    /// A file with ClusterRoles: each becomes a user of its name, with a context in the kubeconfig and no more rights
    #[arg(long, value_name = "FILE")]
    pub rbac: Vec<PathBuf>,
    /// A file with kinds that the recorded cluster does not have: an array of groups, as `apidiscovery.k8s.io/v2` lists them
    #[arg(long, value_name = "FILE")]
    pub kinds: Option<PathBuf>,
    /// A file with the faults of the moment, read whenever it has changed; it need not be there
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// A server that listens, and whose kubeconfig is written.
pub struct Server {
    address: SocketAddr,
    listener: Listener,
    cluster: Arc<Cluster>,
    kubeconfig: PathBuf,
}

impl Server {
    /// Makes one, in front of the lab in a folder.
    pub async fn bind(lab: &Path, options: &Options) -> Result<Self> {
        let mut recorded = Recorded::open()?;
        if let Some(kinds) = &options.kinds {
            recorded.add_kinds(kinds)?;
        }
        let lab = Lab::open(lab)?;
        let mut store = Store::new(&recorded)?;
        join::join(&mut store, &lab, options.flavour)?;
        let (discovery, access) = (Discovery::new(&recorded)?, Access::read(&options.rbac)?);
        let faults = Faults::new(options.faults.clone());
        let identity = Identity::new()?;
        let listener = identity.listen(options.port).await?;
        let address = listener.local_addr()?;
        let config = kubeconfig(&format!("https://{address}"), &identity.authority, &access);
        fs::write(&options.kubeconfig, config)?;
        let cluster = Arc::new(Cluster::new(lab, discovery, store, access, faults));
        Ok(Self { address, listener, cluster, kubeconfig: options.kubeconfig.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is over. Then what runs in its containers is ended, and its kubeconfig is gone.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result {
        let app = Router::new().fallback(cluster::serve).with_state(self.cluster.clone());
        let outcome = tokio::select! {
            served = axum::serve(self.listener, app) => served.map_err(Into::into),
            () = stop => Ok(()),
        };
        self.cluster.processes.kill(None).await;
        fs::remove_file(self.kubeconfig)?;
        outcome
    }
}

/// How clients find the server and what they trust. JSON is YAML.
fn kubeconfig(server: &str, authority: &str, access: &Access) -> String {
    let users: Vec<Value> =
        access.users().map(|user| json!({ "name": user, "user": { "token": user } })).collect();
    let contexts: Vec<Value> = access
        .users()
        .map(|user| json!({ "name": user, "context": { "cluster": "lab", "user": user, "namespace": "default" } }))
        .collect();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "lab",
            "cluster": { "server": server, "certificate-authority-data": BASE64_STANDARD.encode(authority) },
        }],
        "users": users,
        "contexts": contexts,
        "current-context": "admin",
    });
    format!("{config:#}\n")
}
