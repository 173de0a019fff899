//! Joins the recorded cluster and the lab into one cluster.
//!
//! Nodes, pods and services are those of the lab. The workloads and objects of OVN-Kubernetes, the custom resources,
//! and the failed pods, which need no network, are recorded.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Result;
use super::flavour::Flavour;
use super::kubelet;
use super::lab::Lab;
use super::store::{Key, Resource, Store, key, list, text};

/// The kinds whose recorded objects are all replaced by those of the lab.
const RUNNING: &[(&str, &str)] = &[
    ("v1", "services"),
    ("discovery.k8s.io/v1", "endpointslices"),
    ("networking.k8s.io/v1", "networkpolicies"),
    ("k8s.ovn.org/v1", "egressips"),
];

/// A node with its recorded address and its address in the lab.
struct NodePair {
    name: String,
    recorded: String,
    lab: String,
}

/// Puts the lab's objects into the store.
pub(super) fn join(store: &mut Store, lab: &Lab, flavour: Flavour) -> Result {
    let objects = lab.objects()?;
    let of = |kind: &str| {
        objects.iter().filter(|object| object.get("kind").is_some_and(|k| k == kind)).collect::<Vec<_>>()
    };
    for (group_version, plural) in RUNNING {
        if let Some(resource) = store.resource_mut(group_version, plural) {
            resource.objects.clear();
        }
    }
    let nodes = join_nodes(store, &of("Node"))?;
    let (ovnkube, pods): (Vec<&Value>, Vec<&Value>) = of("Pod")
        .into_iter()
        .partition(|pod| pod.pointer("/metadata/namespace").is_some_and(|n| n == "ovn-kubernetes"));
    recorded_pods(store, &nodes, &ovnkube)?;
    let sets = store.resource_mut("apps/v1", "daemonsets").ok_or("the recording has no daemon sets")?;
    for set in sets.objects.values_mut() {
        for (_, number) in set.get_mut("status").and_then(Value::as_object_mut).into_iter().flatten() {
            if *number == 3 {
                *number = nodes.len().into();
            }
        }
    }
    for pod in pods {
        let mut pod = pod.clone();
        complete(&mut pod);
        kubelet::is_running(&mut pod);
        store.put("v1", "pods", pod);
    }
    for object in &objects {
        let (group_version, plural) = match object.get("kind").map_or("", text) {
            "Service" => ("v1", "services"),
            "EndpointSlice" => ("discovery.k8s.io/v1", "endpointslices"),
            "NetworkPolicy" => ("networking.k8s.io/v1", "networkpolicies"),
            "EgressIP" => ("k8s.ovn.org/v1", "egressips"),
            _ => continue,
        };
        let mut object = object.clone();
        complete(&mut object);
        store.put(group_version, plural, object);
    }
    flavour.apply(store);
    Ok(())
}

/// Keeps the recorded nodes that the lab has, with the lab's addresses and annotations.
fn join_nodes(store: &mut Store, lab: &[&Value]) -> Result<Vec<NodePair>> {
    let resource = store.resource_mut("v1", "nodes").ok_or("the recording has no nodes")?;
    let recorded = std::mem::take(&mut resource.objects);
    let mut nodes = Vec::new();
    for object in lab {
        let mut node = recorded.get(&key(object)).cloned().ok_or("the recording lacks a node of the lab")?;
        let pair = NodePair { name: key(object).1, recorded: address(&node), lab: address(object) };
        replace(&mut node, &[(&pair.recorded, &pair.lab)]);
        if let Some(annotations) = node.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !name.starts_with("k8s.ovn.org/"));
        }
        if let Some(labels) = node.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.retain(|name, _| !name.starts_with("k8s.ovn.org/"));
        }
        for part in ["annotations", "labels"] {
            let ours = object.pointer(&format!("/metadata/{part}")).and_then(Value::as_object);
            let theirs = node.pointer_mut(&format!("/metadata/{part}")).and_then(Value::as_object_mut);
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                theirs.extend(ours.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        store.put("v1", "nodes", node);
        nodes.push(pair);
    }
    Ok(nodes)
}

/// Keeps the recorded OVN-Kubernetes pods on the lab's nodes, and the recorded failed pods.
fn recorded_pods(store: &mut Store, nodes: &[NodePair], ovnkube: &[&Value]) -> Result {
    let resource = store.resource_mut("v1", "pods").ok_or("the recording has no pods")?;
    let recorded: BTreeMap<Key, Value> = std::mem::take(&mut resource.objects);
    let first = nodes.first().ok_or("the lab has no nodes")?;
    for pod in recorded.into_values() {
        let mut pod = pod;
        let on = pod.pointer("/spec/nodeName").map_or("", text).to_owned();
        let node = nodes.iter().find(|node| node.name == on);
        let of_daemon_set =
            pod.pointer("/metadata/ownerReferences/0/kind").is_some_and(|kind| kind == "DaemonSet");
        let ours = pod.pointer("/metadata/namespace").is_some_and(|namespace| namespace == "ovn-kubernetes");
        if (ours && of_daemon_set && node.is_none()) || (!ours && is_ready(&pod)) {
            continue;
        }
        match node {
            Some(node) => {
                let name = key(&pod).1;
                let in_lab = ovnkube.iter().find(|lab| {
                    lab.pointer("/spec/nodeName").is_some_and(|n| *n == *node.name)
                        && name.starts_with("ovnkube-node-")
                });
                let new_name = in_lab.map_or_else(|| name.clone(), |lab| key(lab).1);
                replace(&mut pod, &[(&node.recorded, &node.lab), (&name, &new_name)]);
            }
            // Pods of a node that the lab lacks move to the first node.
            None if !on.is_empty() => replace(&mut pod, &[(&on, &first.name), ("172.18.0.2", &first.lab)]),
            None => {}
        }
        store.put("v1", "pods", pod);
    }
    Ok(())
}

fn is_ready(pod: &Value) -> bool {
    let status = pod.get("status").unwrap_or(&Value::Null);
    list(status, "conditions").any(|condition| {
        condition.get("type").is_some_and(|kind| kind == "Ready")
            && condition.get("status").is_some_and(|s| s == "True")
    })
}

/// Returns a node's address in the cluster.
fn address(node: &Value) -> String {
    let status = node.get("status").unwrap_or(&Value::Null);
    let internal = list(status, "addresses")
        .find(|address| address.get("type").is_some_and(|kind| kind == "InternalIP"));
    internal.and_then(|address| address.get("address")).map_or("", text).to_owned()
}

/// Replaces texts in all strings of an object.
pub(super) fn replace(object: &mut Value, pairs: &[(&str, &str)]) {
    match object {
        Value::String(text) => {
            for (from, to) in pairs {
                if text.contains(from) {
                    *text = text.replace(from, to);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, pairs)),
        Value::Object(map) => map.iter_mut().for_each(|(_, value)| replace(value, pairs)),
        _ => {}
    }
}

/// Adds the fields that the API server adds to a new object.
pub(super) fn complete(object: &mut Value) {
    let (namespace, name) = key(object);
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let defaults = json!({ "uid": uid(&namespace, &name), "creationTimestamp": now() });
    for (key, value) in defaults.as_object().cloned().unwrap_or_else(Map::new) {
        metadata.entry(key).or_insert(value);
    }
}

/// Returns the current time in the format of objects.
pub(super) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns a new random UID.
fn uid(namespace: &str, name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = || RandomState::new().hash_one((namespace, name));
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff,
    )
}

impl Resource {
    /// Returns all objects.
    pub(super) fn all(&self) -> impl Iterator<Item = &Value> {
        self.objects.values()
    }
}
