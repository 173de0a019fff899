//! From a kubeconfig, or from the pod that we are in, to a client.

use super::{args::ClusterArgs, error::ClusterError, proxy::Environment};
use kube::{
    Client, Config,
    config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use std::{path::Path, time::Duration};

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
    #[error("the proxy `{0}` is not a URL")]
    Proxy(String),
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
    pub(super) async fn find(args: &ClusterArgs) -> Result<Self, NoCluster> {
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
        Self::of_kubeconfig(&from, read, args.context.clone()).await
    }

    async fn of_kubeconfig(
        from: &str,
        mut kubeconfig: Kubeconfig,
        context: Option<String>,
    ) -> Result<Self, NoCluster> {
        // Our standard input is the protocol's: a plugin that asks on it would swallow a request.
        for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
            if let Some(exec) = &mut user.exec {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
        }
        let known = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>();
        let name = context.clone().or_else(|| kubeconfig.current_context.clone());
        let cluster = kubeconfig.contexts.iter().find(|c| Some(&c.name) == name.as_ref());
        let cluster = cluster.and_then(|c| c.context.as_ref()).map(|c| c.cluster.clone());
        let cluster = kubeconfig.clusters.iter().find(|c| Some(&c.name) == cluster.as_ref());
        let proxy = cluster.and_then(|c| c.cluster.as_ref()).and_then(|c| c.proxy_url.clone());
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        // Not `Config::infer`: that one lets variables named KUBE_RS_DEBUG_* change user and server.
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.map_err(|e| {
            let is_about_contexts =
                matches!(e, KubeconfigError::LoadContext(_) | KubeconfigError::CurrentContextNotSet);
            bad(from, &e, if is_about_contexts { known } else { Vec::new() })
        })?;
        Self::with(format!("cluster {}", name.unwrap_or_default()), config, proxy.as_deref())
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

    /// A client. Where the user is made known by a plugin, that runs here.
    pub(super) async fn client(&self, within: Duration) -> Result<Client, ClusterError> {
        let config = self.config.clone();
        let runtime = tokio::runtime::Handle::current();
        // A plugin is waited for without the runtime knowing; and the client starts a task of its own.
        let made = tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            Client::try_from(config)
        });
        match tokio::time::timeout(within, made).await {
            Ok(Ok(Ok(client))) => Ok(client),
            Ok(Ok(Err(e))) => Err(ClusterError::of_client(&self.server(), e)),
            Ok(Err(e)) => Err(ClusterError::Credentials(e.to_string())),
            Err(_) => Err(ClusterError::Credentials(format!(
                "what the kubeconfig runs to prove who you are did not finish within {} s",
                within.as_secs()
            ))),
        }
    }
}

fn bad(from: &str, error: &KubeconfigError, known: Vec<String>) -> NoCluster {
    // Its texts repeat their causes.
    NoCluster::BadConfig { from: from.into(), why: error.to_string(), known }
}
