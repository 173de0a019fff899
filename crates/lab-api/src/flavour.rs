//! The names that distributions of OVN-Kubernetes give to namespaces, pods and containers.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::store::{Store, key};

/// The distribution of OVN-Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavour {
    /// The Helm chart: namespace ovn-kubernetes, Open vSwitch in separate pods
    Upstream,
    /// OpenShift: namespace openshift-ovn-kubernetes, other container names, Open vSwitch on the host
    Openshift,
    /// MicroShift: like OpenShift, with one node, whose databases run in a pod ovnkube-master
    Microshift,
}

/// The container names of upstream, with those of OpenShift.
const OPENSHIFT: &[(&str, &str)] = &[
    ("nb-ovsdb", "nbdb"),
    ("sb-ovsdb", "sbdb"),
    ("ovn-northd", "northd"),
    ("ovs-metrics-exporter", "kube-rbac-proxy-ovn-metrics"),
];

impl Flavour {
    /// Renames the objects in the store.
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

/// Keeps one node, and splits its OVN-Kubernetes pod in two.
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

/// Keeps only some containers of a pod.
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
            // In OpenShift, Open vSwitch is a service of the host.
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

/// Renames the containers in the spec and the status of a pod, and in the template of a daemon set.
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
