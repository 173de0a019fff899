//! The names that packagings of OVN-Kubernetes give to namespaces, pods and containers.

use clap::ValueEnum;
use serde_json::Value;

use super::store::{Store, key};

/// Whose names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Flavour {
    /// The Helm chart: namespace ovn-kubernetes, Open vSwitch in pods of its own
    Upstream,
    /// Namespace openshift-ovn-kubernetes, other names of containers, Open vSwitch on the host
    Openshift,
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
