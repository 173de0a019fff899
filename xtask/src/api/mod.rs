//! `cargo xtask lab api`: an API server in front of the lab, so that what speaks to clusters can be tried without one.
//!
//! As faithful as kubectl and kube need, and no more: `docs/lab.md` lists what it serves. Its objects are those of a recorded
//! cluster joined with the lab's own (`join`), its containers are the lab's nodes and pods (`process`).

mod access;
mod certificate;
mod check;
mod cluster;
mod discovery;
mod exec;
mod fault;
mod flavour;
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
mod server;
mod status;
mod store;
mod table;
mod watch;
mod workload;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener as _;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use self::access::Access;
use self::certificate::Identity;
use self::cluster::Cluster;
use self::discovery::Discovery;
use self::fault::Faults;
use self::flavour::Flavour;
use self::lab::Lab;
use self::recorded::Recorded;
use self::store::Store;
use crate::workspace::{self, Result};

pub(crate) use self::check::Kubectl;
pub(crate) use self::server::Server;

/// `cargo xtask lab api`
#[derive(Debug, Args)]
pub(crate) struct Api {
    /// The kubeconfig to write; it goes with the server
    #[arg(long, value_name = "FILE", required_unless_present = "check")]
    kubeconfig: Option<PathBuf>,
    /// The port of the loopback to listen on; 0: any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Whose names of namespaces, pods and containers
    #[arg(long, value_enum, default_value_t = Flavour::Upstream)]
    flavour: Flavour,
    /// A file with ClusterRoles: each becomes a user of its name, with a context in the kubeconfig and no more rights
    #[arg(long, value_name = "FILE")]
    rbac: Vec<PathBuf>,
    /// A file with kinds that the recorded cluster does not have: an array of groups, as `apidiscovery.k8s.io/v2` lists them
    #[arg(long, value_name = "FILE")]
    kinds: Option<PathBuf>,
    /// A file with the faults of the moment, read whenever it has changed; it need not be there
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Instead of serving: start one, and see that kubectl works with it
    #[arg(long)]
    check: bool,
    /// End when standard input does, so that a test that dies leaves no server behind
    #[arg(long)]
    with_stdin: bool,
}

/// Serves until it is told to stop.
pub(crate) fn run(dir: &Path, api: &Api) -> Result {
    let Some(kubeconfig) = &api.kubeconfig else { return check::run(dir) };
    let root = workspace::root()?;
    let mut recorded = Recorded::open(&root)?;
    if let Some(kinds) = &api.kinds {
        recorded.add_kinds(kinds)?;
    }
    let lab = Lab::open(dir)?;
    let mut store = Store::new(&recorded)?;
    join::join(&mut store, &lab, api.flavour)?;
    let (discovery, access) = (Discovery::new(&recorded)?, Access::read(&api.rbac)?);
    let cluster = Arc::new(Cluster::new(lab, discovery, store, access, Faults::new(api.faults.clone())));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(serve(api, kubeconfig, cluster));
    runtime.shutdown_background();
    outcome
}

async fn serve(api: &Api, path: &Path, cluster: Arc<Cluster>) -> Result {
    let identity = Identity::new()?;
    let listener = identity.listen(api.port).await?;
    let address = listener.local_addr()?;
    let config = kubeconfig(&format!("https://{address}"), &identity.authority, &cluster.access);
    let app = Router::new().fallback(cluster::serve).with_state(cluster);
    fs::write(path, config)?;
    println!("https://{address}, as {} says", path.display());
    let outcome = tokio::select! {
        served = axum::serve(listener, app) => served.map_err(Into::into),
        stopped = stop(api.with_stdin) => stopped,
    };
    process::kill(None).await;
    fs::remove_file(path)?;
    outcome
}

/// Until somebody says so.
async fn stop(with_stdin: bool) -> Result {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let end_of_input = async {
        if with_stdin {
            _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = end_of_input => {}
    }
    Ok(())
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
