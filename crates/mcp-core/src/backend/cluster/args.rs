//! Command line options for a live cluster.

use super::debug::{DebugOptionError, DebugOptions};
use crate::Namespace;
use clap::Args;
use std::path::PathBuf;

/// The options of a live cluster, which is the default source.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ClusterArgs {
    /// Kubeconfig of a live cluster [default: KUBECONFIG, `~/.kube/config`, or the service account of this pod].
    #[arg(long, global = true, value_name = "PATH", conflicts_with_all = ["bundle", "local", "recorded"])]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current context].
    #[arg(long, global = true, value_name = "NAME", conflicts_with_all = ["bundle", "local", "recorded"])]
    pub(crate) context: Option<String>,
    /// Start a privileged pod on the node if no running container has a program, and delete it afterwards.
    #[arg(long, global = true, conflicts_with_all = ["bundle", "local", "recorded"])]
    pub(super) allow_debug_pods: bool,
    /// Image of debug pods [default: the image of ovnkube-node, which the node already has].
    #[arg(long, global = true, value_name = "IMAGE", requires = "allow_debug_pods")]
    pub(super) debug_image: Option<String>,
    /// Namespace of debug pods [default: the namespace of OVN-Kubernetes, which allows privileged pods].
    #[arg(long, global = true, value_name = "NAMESPACE", requires = "allow_debug_pods")]
    pub(super) debug_namespace: Option<Namespace>,
    /// Resource limits of a debug pod: `cpu=500m`, `memory=512Mi`.
    #[arg(
        long,
        global = true,
        value_name = "NAME=QUANTITY",
        value_delimiter = ',',
        requires = "allow_debug_pods"
    )]
    pub(super) debug_limits: Vec<String>,
    /// Secret in the debug namespace for pulling the image.
    #[arg(long, global = true, value_name = "NAME", requires = "allow_debug_pods")]
    pub(super) debug_pull_secret: Vec<String>,
}

impl ClusterArgs {
    /// The options of debug pods, or `None` if they are not allowed.
    pub(super) fn debug(&self) -> Result<Option<DebugOptions>, DebugOptionError> {
        if !self.allow_debug_pods {
            return Ok(None);
        }
        let image = self.debug_image.as_deref();
        let namespace = self.debug_namespace.clone();
        DebugOptions::new(image, namespace, &self.debug_limits, &self.debug_pull_secret).map(Some)
    }
}
