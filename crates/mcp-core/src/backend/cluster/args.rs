//! What the command line says about a live cluster.

use super::debug::{BadDebug, DebugOptions};
use crate::Namespace;
use clap::Args;
use std::path::PathBuf;

/// A live cluster: the source, if no other is named.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ClusterArgs {
    /// The kubeconfig of a live cluster; else KUBECONFIG, `~/.kube/config`, or the service account of this pod.
    #[arg(long, global = true, value_name = "PATH", conflicts_with_all = ["bundle", "local", "recorded"])]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; else its current one.
    #[arg(long, global = true, value_name = "NAME", conflicts_with_all = ["bundle", "local", "recorded"])]
    pub(crate) context: Option<String>,
    /// Where no running container has a program, start a privileged pod on the node for it, and delete it again.
    #[arg(long, global = true, conflicts_with_all = ["bundle", "local", "recorded"])]
    pub(super) allow_debug_pods: bool,
    /// The image of debug pods; else the one of ovnkube-node, which is on the node already.
    #[arg(long, global = true, value_name = "IMAGE", requires = "allow_debug_pods")]
    pub(super) debug_image: Option<String>,
    /// The namespace of debug pods; else that of OVN-Kubernetes, which may have privileged pods.
    #[arg(long, global = true, value_name = "NAMESPACE", requires = "allow_debug_pods")]
    pub(super) debug_namespace: Option<Namespace>,
    /// What a debug pod may use at most: `cpu=500m`, `memory=512Mi`.
    #[arg(
        long,
        global = true,
        value_name = "NAME=QUANTITY",
        value_delimiter = ',',
        requires = "allow_debug_pods"
    )]
    pub(super) debug_limits: Vec<String>,
    /// A secret of the debug namespace that the image is pulled with.
    #[arg(long, global = true, value_name = "NAME", requires = "allow_debug_pods")]
    pub(super) debug_pull_secret: Vec<String>,
}

impl ClusterArgs {
    /// How debug pods are made; none: not at all.
    pub(super) fn debug(&self) -> Result<Option<DebugOptions>, BadDebug> {
        if !self.allow_debug_pods {
            return Ok(None);
        }
        let image = self.debug_image.as_deref();
        let namespace = self.debug_namespace.clone();
        DebugOptions::new(image, namespace, &self.debug_limits, &self.debug_pull_secret).map(Some)
    }
}
