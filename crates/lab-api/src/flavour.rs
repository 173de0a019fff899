//! The names that packagings of OVN-Kubernetes give to namespaces, pods and containers.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::store::{Store, key};

/// Whose names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavour {
    /// The Helm chart: namespace ovn-kubernetes, Open vSwitch in pods of its own
    Upstream,
    /// Namespace openshift-ovn-kubernetes, other names of containers, Open vSwitch on the host
    Openshift,
    /// The same on one node, whose databases are those of a pod ovnkube-master
    Microshift,
}

/// Names of containers, upstream's first.
const OPENSHIFT: &[(&str, &str)] = &[
    ("nb-ovsdb", "nbdb"),
    ("sb-ovsdb", "sbdb"),
    ("ovn-northd", "northd"),
    ("ovs-metrics-exporter", "kube-rbac-proxy-ovn-metrics"),
];

impl Flavour {
    /// Renames what is in the store.
    pub(super) fn apply(self, store: &mut Store) {
        match self {
            Self::Upstream => {}
            Self::Openshift => openshift(store),
            Self::Microshift => {
                openshift(store);
                microshift(store);
            }
        }
    }
}

/// The containers of ovnkube-master.
const MASTER: &[&str] = &["northd", "nbdb", "sbdb", "ovnkube-controller"];

/// Leaves one node, and divides the pod of OVN-Kubernetes there.
fn microshift(store: &mut Store) {
    let Some(nodes) = store.resource_mut("v1", "nodes") else { return };
    while nodes.objects.len() > 1 {
        nodes.objects.pop_last();
    }
    let left: Vec<String> = nodes.objects.keys().map(|(_, name)| name.clone()).collect();
    let Some(pods) = store.resource_mut("v1", "pods") else { return };
    pods.objects.retain(|_, pod| {
        pod.pointer("/spec/nodeName")
            .and_then(Value::as_str)
            .is_none_or(|on| left.iter().any(|node| node == on))
    });
    let is_of_node =
        |pod: &&mut Value| pod.pointer("/metadata/labels/app").is_some_and(|app| app == "ovnkube-node");
    let Some(node) = pods.objects.values_mut().find(is_of_node) else { return };
    let mut master = node.clone();
    keep_containers(node, |name| !MASTER.contains(&name));
    keep_containers(&mut master, |name| MASTER.contains(&name));
    if let Some(metadata) = master.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("name".into(), "ovnkube-master-zx5qk".into());
        metadata.insert("uid".into(), "5b0cf6a2-58a5-4d6c-9d0e-0f7c63f7f1ae".into());
    }
    if let Some(labels) = master.pointer_mut("/metadata/labels") {
        labels["app"] = json!("ovnkube-master");
    }
    pods.objects.insert(key(&master), master);
}

/// Leaves some of a pod's containers.
fn keep_containers(pod: &mut Value, is_kept: impl Fn(&str) -> bool) {
    for path in ["/spec/containers", "/status/containerStatuses"] {
        if let Some(containers) = pod.pointer_mut(path).and_then(Value::as_array_mut) {
            containers
                .retain(|container| container.get("name").and_then(Value::as_str).is_some_and(&is_kept));
        }
    }
}

fn openshift(store: &mut Store) {
    for resource in store.resources_mut() {
        let objects = std::mem::take(&mut resource.objects);
        for (_, mut object) in objects {
            let ours = "ovn-kubernetes";
            let here = object.pointer("/metadata/namespace").is_some_and(|namespace| namespace == ours)
                || (resource.kind == "Namespace" && key(&object).1 == ours);
            // Open vSwitch is a service of the host there.
            if here && key(&object).1.starts_with("ovs-node") {
                continue;
            }
            if here {
                for path in ["/metadata/namespace", "/metadata/name"] {
                    if let Some(text) = object.pointer_mut(path).filter(|text| **text == *ours) {
                        *text = format!("openshift-{ours}").into();
                    }
                }
                rename_containers(&mut object);
                resource.cells.remove(&key(&object));
            }
            resource.objects.insert(key(&object), object);
        }
    }
}

/// Containers in the specification and in the status of a pod, and in the template of a daemon set.
fn rename_containers(object: &mut Value) {
    for path in ["/spec/containers", "/status/containerStatuses", "/spec/template/spec/containers"] {
        for container in object.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(name) = container.get_mut("name")
                && let Some((_, other)) = OPENSHIFT.iter().find(|(upstream, _)| *name == **upstream)
            {
                *name = (*other).into();
            }
        }
    }
}
