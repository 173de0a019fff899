//! A Kubernetes API server in front of the lab, for tests of cluster clients without a cluster.
//!
//! It implements only what kubectl and kube need; `docs/lab.md` lists what it serves. Its objects are those of a
//! recorded cluster joined with the lab's objects (`join`), and its containers are the lab's nodes and pods
//! (`process`).
//!
//! Tests start it in their own process ([`LabApi`]). The program `lab-api` serves until it is stopped.

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
use self::cluster::LabCluster;
use self::discovery::Discovery;
use self::fault::Faults;
use self::lab::Lab;
use self::recorded::Recording;
use self::store::Store;

pub use self::flavour::Flavour;
pub use self::in_process::LabApi;
pub use self::process::running_under;

/// The result of server operations. The error is a text for the user.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The options of a server, and the files that it reads and writes.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The kubeconfig to write. It is removed when the server ends
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// The loopback port to listen on. 0 selects a free port
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// The distribution whose names of namespaces, pods and containers are used
    #[arg(long, value_enum, default_value_t = Flavour::Upstream)]
    pub flavour: Flavour,
    /// A file with ClusterRoles. Each role becomes a user of the same name, with its rights and a context in the
    /// kubeconfig
    #[arg(long, value_name = "FILE")]
    pub rbac: Vec<PathBuf>,
    /// A file with additional kinds: an array of groups in the format of `apidiscovery.k8s.io/v2`
    #[arg(long, value_name = "FILE")]
    pub kinds: Option<PathBuf>,
    /// A file with faults to simulate. It is read again when it changes, and need not exist
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// A listening server whose kubeconfig has been written.
pub struct Server {
    address: SocketAddr,
    listener: Listener,
    cluster: Arc<LabCluster>,
    kubeconfig: PathBuf,
}

impl Server {
    /// Starts to listen, in front of the lab in a folder, and writes the kubeconfig.
    ///
    /// # Errors
    /// If the lab is not up, an input file cannot be read, or the port is in use.
    pub async fn bind(lab: &Path, options: &Options) -> Result<Self> {
        let mut recorded = Recording::open()?;
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
        let cluster = Arc::new(LabCluster::new(lab, discovery, store, access, faults));
        Ok(Self { address, listener, cluster, kubeconfig: options.kubeconfig.clone() })
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` completes. Then it kills the processes in its containers and removes the kubeconfig.
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

/// Returns the kubeconfig as JSON, which is also YAML.
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
