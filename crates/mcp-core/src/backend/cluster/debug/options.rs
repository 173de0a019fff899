//! The options of debug pods, checked before a pod is created.

use super::owner::Owner;
use crate::{
    Namespace, NodeName, ObjectName, PodName, PodRef, ReadError, backend::cluster::ClusterError, unique,
};
use k8s_openapi::api::core::v1::Pod;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The label of all debug pods of all servers.
pub(super) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "ovn-kubernetes-mcp");
/// The prefix of their names.
pub(super) const PREFIX: &str = "ovn-mcp-debug-";
/// The annotation that names the process that created the pod.
pub(super) const OWNER: &str = "ovn-kubernetes-mcp/owner";
/// The read-only mount point of the host's file system.
pub(crate) const HOST_ROOT: &str = "/host";
/// The lifetime of a pod in seconds, even if its server forgets it: twice the longest call.
pub(super) const LIFE: u32 = 600;

/// An image reference: a name with an optional registry, tag and digest.
static IMAGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$",
    )
    .expect("a literal")
});
/// A quantity (resource.Quantity), in the forms that people write.
static QUANTITY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[0-9]{1,12}(\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?$").expect("a literal"));

/// What is wrong with the options.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DebugOptionError {
    /// The image reference is invalid.
    #[error("--debug-image: `{0}` is not an image reference")]
    Image(String),
    /// The limit is invalid.
    #[error("--debug-limits: `{0}` is not cpu=QUANTITY or memory=QUANTITY")]
    Limit(String),
    /// The name of the secret is invalid.
    #[error("--debug-pull-secret: {0}")]
    Secret(crate::BadName),
}

/// How to create debug pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DebugOptions {
    image: Option<String>,
    namespace: Option<Namespace>,
    limits: Vec<(String, String)>,
    pull_secrets: Vec<ObjectName>,
}

/// A pod to create.
pub(super) struct DebugPodPlan {
    pub(super) node: NodeName,
    pub(super) at: PodRef,
    pub(super) pod: Pod,
}

/// Returns a name that no other pod has.
fn new_name() -> PodName {
    format!("{PREFIX}{:016x}", unique::number()).parse().expect("letters, digits and hyphens")
}

impl DebugOptions {
    /// Checks the options.
    pub(crate) fn new(
        image: Option<&str>,
        namespace: Option<Namespace>,
        limits: &[String],
        pull_secrets: &[String],
    ) -> Result<Self, DebugOptionError> {
        if let Some(image) = image.filter(|image| image.len() > 512 || !IMAGE.is_match(image)) {
            return Err(DebugOptionError::Image(image.into()));
        }
        let limit = |text: &String| {
            let (name, quantity) =
                text.split_once('=').ok_or_else(|| DebugOptionError::Limit(text.clone()))?;
            let known = ["cpu", "memory"].contains(&name) && QUANTITY.is_match(quantity);
            if known {
                Ok((name.into(), quantity.into()))
            } else {
                Err(DebugOptionError::Limit(text.clone()))
            }
        };
        Ok(Self {
            image: image.map(str::to_owned),
            namespace,
            limits: limits.iter().map(limit).collect::<Result<_, _>>()?,
            pull_secrets: pull_secrets
                .iter()
                .map(|name| name.parse().map_err(DebugOptionError::Secret))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Builds the pod for a node. Options that are not set are taken from the OVN-Kubernetes pods on that node.
    pub(super) fn plan(
        &self,
        node: &NodeName,
        image: Option<String>,
        namespace: Option<Namespace>,
    ) -> Result<DebugPodPlan, ReadError> {
        let missing = |what: &str| {
            let why = format!("the node has no OVN-Kubernetes pod to take {what} from");
            ReadError::Cluster(ClusterError::DebugPod { node: node.to_string(), why })
        };
        let image = self.image.clone().or(image).ok_or_else(|| missing("an image (--debug-image)"))?;
        let namespace =
            self.namespace.clone().or(namespace).ok_or_else(|| missing("a namespace (--debug-namespace)"))?;
        let limits: Map<String, Value> =
            self.limits.iter().map(|(name, quantity)| (name.clone(), quantity.clone().into())).collect();
        let secrets: Vec<Value> =
            self.pull_secrets.iter().map(|name| json!({ "name": name.as_str() })).collect();
        let name = new_name();
        let (label, value) = MANAGED_BY;
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                // The client chooses the name, so that the pod can be deleted even if the answer of the API server is
                // lost.
                "name": name.as_str(),
                "labels": { label: value },
                "annotations": { OWNER: Owner::this_process().to_string() },
            },
            "spec": {
                "nodeName": node.as_str(),
                "hostNetwork": true,
                "hostPID": true,
                "restartPolicy": "Never",
                "activeDeadlineSeconds": LIFE,
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "tolerations": [{ "operator": "Exists" }],
                "imagePullSecrets": secrets,
                "containers": [{
                    "name": "debug",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", LIFE.to_string()],
                    "resources": { "limits": limits },
                    "securityContext": { "privileged": true },
                    // Mounts below the root are read-only too from Kubernetes 1.30 on, if the kernel and the runtime
                    // support it.
                    "volumeMounts": [{
                        "name": "host", "mountPath": HOST_ROOT, "readOnly": true, "recursiveReadOnly": "IfPossible",
                    }],
                }],
                "volumes": [{ "name": "host", "hostPath": { "path": "/", "type": "Directory" } }],
            },
        });
        let pod = serde_json::from_value(pod).map_err(|e| ReadError::unreadable("a debug pod", e))?;
        Ok(DebugPodPlan { node: node.clone(), at: PodRef { namespace, name }, pod })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| one.to_string()).collect()
    }

    #[test]
    fn options_are_checked_before_a_pod_is_created() {
        for image in [
            "toolbox",
            "registry.example:5000/team/toolbox:v1.2_x",
            "example.org/a/b@sha256:0123456789012345678901234567890123456789012345678901234567890123",
        ] {
            assert!(DebugOptions::new(Some(image), None, &[], &[]).is_ok(), "{image}");
        }
        for image in ["", "a b", "a\n", "-x", "a@sha256:12", "Upper/x", "a,b", "a;b", "../x\0"] {
            assert_eq!(
                DebugOptions::new(Some(image), None, &[], &[]),
                Err(DebugOptionError::Image(image.into()))
            );
        }
        let limits = |all: &[&str]| DebugOptions::new(None, None, &strings(all), &[]);
        assert!(limits(&["cpu=500m", "memory=512Mi", "cpu=0.5"]).is_ok());
        for bad in ["cpu", "cpu=", "disk=1Gi", "memory=-1", "memory=1e99", "cpu=1 "] {
            assert_eq!(limits(&[bad]), Err(DebugOptionError::Limit(bad.into())));
        }
        assert!(DebugOptions::new(None, None, &[], &strings(&["regcred"])).is_ok());
        assert!(DebugOptions::new(None, None, &[], &strings(&["a/b"])).is_err());
    }

    #[test]
    fn a_debug_pod_has_limits_and_labels_and_mounts_the_host_read_only() {
        let options =
            DebugOptions::new(None, None, &strings(&["memory=1Gi"]), &strings(&["regcred"])).unwrap();
        let node: NodeName = "worker-1".parse().unwrap();
        let namespace: Namespace = "ovn-kubernetes".parse().unwrap();
        let plan = options.plan(&node, Some("ovn:1".into()), Some(namespace.clone())).unwrap();
        assert_eq!(plan.at.namespace, namespace);
        assert_ne!(options.plan(&node, Some("ovn:1".into()), Some(namespace.clone())).unwrap().at, plan.at);
        let pod = serde_json::to_value(&plan.pod).unwrap();
        for (path, value) in [
            ("/spec/nodeName", json!("worker-1")),
            ("/spec/activeDeadlineSeconds", json!(LIFE)),
            ("/spec/automountServiceAccountToken", json!(false)),
            ("/spec/containers/0/image", json!("ovn:1")),
            ("/metadata/name", json!(plan.at.name.as_str())),
            ("/spec/containers/0/volumeMounts/0/readOnly", json!(true)),
            ("/spec/containers/0/volumeMounts/0/recursiveReadOnly", json!("IfPossible")),
            ("/spec/containers/0/resources/limits/memory", json!("1Gi")),
            ("/spec/imagePullSecrets/0/name", json!("regcred")),
            ("/metadata/labels/app.kubernetes.io~1managed-by", json!("ovn-kubernetes-mcp")),
            ("/metadata/annotations/ovn-kubernetes-mcp~1owner", json!(Owner::this_process().to_string())),
        ] {
            assert_eq!(pod.pointer(path), Some(&value), "{path}");
        }
        assert!(options.plan(&node, None, Some(namespace)).is_err(), "no image is known");
    }
}
