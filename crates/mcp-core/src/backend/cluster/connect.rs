//! Builds a client from a kubeconfig, or from the service account of this pod.

use super::{args::ClusterArgs, error::ClusterError, proxy::ProxyEnvironment};
use kube::{
    Client, Config,
    config::{ExecAuthCluster, ExecInteractiveMode, Kubeconfig, KubeconfigError},
};
use std::{path::Path, time::Duration};
use tokio::{sync::Mutex, task::JoinHandle};

/// How long the API server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The path of a service account's token in a pod.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Why no cluster can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterConfigError {
    /// No cluster is configured.
    #[error(
        "no data source: --kubeconfig is not given, KUBECONFIG is not set, {home} does not exist, and this is not a pod \
         with a service account\nhint: Pass --kubeconfig=PATH for a live cluster, --bundle=PATH for a \
         must-gather or sosreport, or --local on a node."
    )]
    NotConfigured {
        /// The path of kubectl's default kubeconfig.
        home: String,
    },
    /// A kubeconfig cannot be used.
    #[error("the kubeconfig {from} cannot be used: {why}{}", contexts(known))]
    BadConfig {
        /// The kubeconfig.
        from: String,
        /// The reason.
        why: String,
        /// The contexts that it has, if the requested context is missing.
        known: Vec<String>,
    },
    /// A service account cannot be used.
    #[error("the service account of this pod cannot be used: {0}")]
    InCluster(String),
    /// A proxy cannot be used.
    #[error("the proxy `{}` is not a URL", without_user(.0))]
    Proxy(String),
}

/// A proxy URL that is safe to show: the text before `@` contains a password.
fn without_user(proxy: &str) -> &str {
    proxy.rsplit('@').next().unwrap_or(proxy)
}

fn contexts(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("\nhint: Its contexts are: {}.", known.join(", ")) }
}

/// How to reach a cluster.
#[derive(Clone)]
pub(super) struct ClusterAccess {
    /// The cluster's name in answers.
    pub(super) name: String,
    config: Config,
}

impl ClusterAccess {
    /// Finds the cluster: the command line comes first, then the environment, then this pod's service account.
    pub(super) fn find(args: &ClusterArgs) -> Result<Self, ClusterConfigError> {
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
                return Err(ClusterConfigError::NotConfigured { home });
            }
        };
        let read = read.map_err(|e| bad(&from, &e, Vec::new()))?;
        Self::of_kubeconfig(&from, &read, args.context.as_deref())
    }

    /// Builds the configuration without kube's `Config::infer`, which lets variables named KUBE_RS_DEBUG_* change user
    /// and server, and without kube's other constructors, which reject a `NO_PROXY` that is not a list of URLs.
    fn of_kubeconfig(
        from: &str,
        kubeconfig: &Kubeconfig,
        context: Option<&str>,
    ) -> Result<Self, ClusterConfigError> {
        let known = || kubeconfig.contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>();
        let wrong = |why: String, known| ClusterConfigError::BadConfig { from: from.into(), why, known };
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
        // A credential plugin gets the cluster's data with the certificate authority inline, wherever it is stored.
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
            // The server's standard input carries MCP messages. A plugin that prompts there would swallow a request.
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
            exec.cluster = exec.provide_cluster_info.then_some(told);
        }
        Self::with(format!("cluster {name}"), config, cluster.proxy_url.as_deref())
    }

    fn in_cluster() -> Result<Self, ClusterConfigError> {
        let config =
            Config::incluster_env().map_err(|e| ClusterConfigError::InCluster(crate::error::chain(&e)))?;
        Self::with("this cluster".into(), config, None)
    }

    fn with(name: String, mut config: Config, proxy: Option<&str>) -> Result<Self, ClusterConfigError> {
        let proxy = ProxyEnvironment::of_process().proxy(proxy, &config.cluster_url);
        config.proxy_url = proxy.map_err(ClusterConfigError::Proxy)?;
        config.connect_timeout = Some(CONNECT);
        // kube retries up to fifteen times and doubles the wait up to a quarter of an hour. An engineer wants to know
        // now that the server is busy.
        config.default_retry = false;
        Ok(Self { name, config })
    }

    /// The host and port of the server, without the parts of a URL that can contain secrets.
    pub(super) fn server(&self) -> String {
        let url = &self.config.cluster_url;
        let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", url.host().unwrap_or_default())
    }

    fn client(&self) -> JoinHandle<Result<Client, kube::Error>> {
        let config = self.config.clone();
        let runtime = tokio::runtime::Handle::current();
        // The client runs its plugin synchronously and spawns a task, so it needs a blocking thread inside the runtime.
        tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            Client::try_from(config)
        })
    }
}

/// A client under construction. The construction continues if the caller runs out of time, so that only one plugin runs
/// at a time.
#[derive(Default)]
pub(super) struct PendingClient(Mutex<Option<JoinHandle<Result<Client, kube::Error>>>>);

impl PendingClient {
    /// Returns a client. If the kubeconfig authenticates with a plugin, the plugin runs here.
    pub(super) async fn client(
        &self,
        reach: &ClusterAccess,
        within: Duration,
    ) -> Result<Client, ClusterError> {
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
                "the credential plugin of the kubeconfig did not finish within {} s; it continues, and the next \
                 call waits for it",
                within.as_secs()
            ))),
        }
    }
}

fn bad(from: &str, error: &KubeconfigError, known: Vec<String>) -> ClusterConfigError {
    // The text of this error already includes its causes.
    ClusterConfigError::BadConfig { from: from.into(), why: error.to_string(), known }
}
