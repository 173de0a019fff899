//! From a kubeconfig, or from the pod that we are in, to a client.

use super::{args::ClusterArgs, error::ClusterError, proxy::Environment};
use kube::{
    Client, Config,
    config::{ExecAuthCluster, ExecInteractiveMode, Kubeconfig, KubeconfigError},
};
use std::{path::Path, time::Duration};
use tokio::{sync::Mutex, task::JoinHandle};

/// How long the API server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Where a service account finds its token in a pod.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Why there is no cluster to ask.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCluster {
    /// Nothing says where one is.
    #[error(
        "no source of data: --kubeconfig is not given, KUBECONFIG is not set, {home} does not exist, and this is no pod \
         with a service account\nhint: Name a kubeconfig with --kubeconfig=PATH, or give --bundle=PATH for a \
         must-gather or sosreport, or --local on a node."
    )]
    NotConfigured {
        /// Where kubectl looks.
        home: String,
    },
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig {from} cannot be used: {why}{}", contexts(known))]
    BadConfig {
        /// Which.
        from: String,
        /// Why.
        why: String,
        /// The contexts that it has, if that is what was looked for.
        known: Vec<String>,
    },
    /// A service account cannot be used.
    #[error("the service account of this pod cannot be used: {0}")]
    InCluster(String),
    /// A proxy cannot be used.
    #[error("the proxy `{}` is not a URL", without_user(.0))]
    Proxy(String),
}

/// A proxy as it can be shown: what stands before `@` is a password.
fn without_user(proxy: &str) -> &str {
    proxy.rsplit('@').next().unwrap_or(proxy)
}

fn contexts(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("\nhint: Its contexts are: {}.", known.join(", ")) }
}

/// How a cluster is reached.
#[derive(Clone)]
pub(super) struct Reach {
    /// What it is called in answers.
    pub(super) name: String,
    config: Config,
}

impl Reach {
    /// As the command line, the environment and this pod have it, in that order.
    pub(super) fn find(args: &ClusterArgs) -> Result<Self, NoCluster> {
        let home = std::env::home_dir().map(|home| home.join(".kube/config"));
        let shown = |path: &Path| path.display().to_string();
        let (from, read) = match (&args.kubeconfig, Kubeconfig::from_env(), home.as_deref()) {
            (Some(path), ..) => (shown(path), Kubeconfig::read_from(path)),
            (None, Ok(Some(config)), _) => ("named by KUBECONFIG".into(), Ok(config)),
            (None, Err(e), _) => ("named by KUBECONFIG".into(), Err(e)),
            (None, Ok(None), Some(home)) if home.exists() => (shown(home), Kubeconfig::read_from(home)),
            (None, Ok(None), _) if args.context.is_none() && Path::new(TOKEN).exists() => {
                return Self::in_cluster();
            }
            (None, Ok(None), home) => {
                let home = home.map_or_else(|| "~/.kube/config".into(), shown);
                return Err(NoCluster::NotConfigured { home });
            }
        };
        let read = read.map_err(|e| bad(&from, &e, Vec::new()))?;
        Self::of_kubeconfig(&from, &read, args.context.as_deref())
    }

    /// Not by kube's own `Config::infer`, which lets variables named KUBE_RS_DEBUG_* change user and server, nor by its other
    /// ways, which refuse a `NO_PROXY` that is no list of URLs.
    fn of_kubeconfig(from: &str, kubeconfig: &Kubeconfig, context: Option<&str>) -> Result<Self, NoCluster> {
        let known = || kubeconfig.contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>();
        let wrong = |why: String, known| NoCluster::BadConfig { from: from.into(), why, known };
        let name = context.or(kubeconfig.current_context.as_deref()).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| wrong("it has no current context".into(), known()))?;
        let named = kubeconfig.contexts.iter().find(|context| context.name == name);
        let context = named.and_then(|context| context.context.as_ref());
        let context = context.ok_or_else(|| wrong(format!("it has no context `{name}`"), known()))?;
        let named = kubeconfig.clusters.iter().find(|cluster| cluster.name == context.cluster);
        let no_cluster = || wrong(format!("it has no cluster `{}`", context.cluster), Vec::new());
        let cluster = named.and_then(|cluster| cluster.cluster.as_ref()).ok_or_else(no_cluster)?;
        let server = cluster.server.as_deref().unwrap_or_default();
        let url =
            server.parse().map_err(|_| wrong(format!("its server `{server}` is not a URL"), Vec::new()))?;
        let mut config = Config::new(url);
        // A plugin is told of the cluster; it has the authority in one piece, wherever that is kept.
        let told = ExecAuthCluster::try_from(cluster).map_err(|e| bad(from, &e, Vec::new()))?;
        if let Some(authority) = &told.certificate_authority_data {
            let all = pem::parse_many(authority);
            let all = all.map_err(|e| wrong(format!("its certificate authority: {e}"), Vec::new()))?;
            let certificates = all.into_iter().filter(|part| part.tag() == "CERTIFICATE");
            config.root_cert = Some(certificates.map(pem::Pem::into_contents).collect());
        }
        config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
        config.disable_compression = cluster.disable_compression.unwrap_or(false);
        config.tls_server_name.clone_from(&cluster.tls_server_name);
        let named = kubeconfig.auth_infos.iter().find(|user| Some(&user.name) == context.user.as_ref());
        config.auth_info = named.and_then(|user| user.auth_info.clone()).unwrap_or_default();
        if let Some(exec) = &mut config.auth_info.exec {
            // Our standard input is the protocol's: a plugin that asks on it would swallow a request.
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
            exec.cluster = exec.provide_cluster_info.then_some(told);
        }
        Self::with(format!("cluster {name}"), config, cluster.proxy_url.as_deref())
    }

    fn in_cluster() -> Result<Self, NoCluster> {
        let config = Config::incluster_env().map_err(|e| NoCluster::InCluster(crate::error::chain(&e)))?;
        Self::with("this cluster".into(), config, None)
    }

    fn with(name: String, mut config: Config, proxy: Option<&str>) -> Result<Self, NoCluster> {
        let proxy = Environment::of_process().proxy(proxy, &config.cluster_url);
        config.proxy_url = proxy.map_err(NoCluster::Proxy)?;
        config.connect_timeout = Some(CONNECT);
        // Up to fifteen retries, doubling to a quarter of an hour: an engineer wants to know now that it is busy.
        config.default_retry = false;
        Ok(Self { name, config })
    }

    /// The server, without what a URL can hide.
    pub(super) fn server(&self) -> String {
        let url = &self.config.cluster_url;
        let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", url.host().unwrap_or_default())
    }

    fn client(&self) -> JoinHandle<Result<Client, kube::Error>> {
        let config = self.config.clone();
        let runtime = tokio::runtime::Handle::current();
        // A plugin is waited for without the runtime knowing; and the client starts a task of its own.
        tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            Client::try_from(config)
        })
    }
}

/// A client that is being made, which goes on when nobody has the time to wait: one plugin at a time is enough.
#[derive(Default)]
pub(super) struct Making(Mutex<Option<JoinHandle<Result<Client, kube::Error>>>>);

impl Making {
    /// A client. Where the user is made known by a plugin, that runs here.
    pub(super) async fn client(&self, reach: &Reach, within: Duration) -> Result<Client, ClusterError> {
        let made = async {
            let mut making = self.0.lock().await;
            let made = making.get_or_insert_with(|| reach.client()).await;
            *making = None;
            made
        };
        match tokio::time::timeout(within, made).await {
            Ok(Ok(Ok(client))) => Ok(client),
            Ok(Ok(Err(e))) => Err(ClusterError::of_client(&reach.server(), e)),
            Ok(Err(e)) => Err(ClusterError::Credentials(e.to_string())),
            Err(_) => Err(ClusterError::Credentials(format!(
                "what the kubeconfig runs to prove who you are did not finish within {} s; it goes on, and the next \
                 call waits for it",
                within.as_secs()
            ))),
        }
    }
}

fn bad(from: &str, error: &KubeconfigError, known: Vec<String>) -> NoCluster {
    // Its texts repeat their causes.
    NoCluster::BadConfig { from: from.into(), why: error.to_string(), known }
}
