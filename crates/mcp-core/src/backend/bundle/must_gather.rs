//! What is where in a must-gather.
//!
//! `openshift/must-gather`'s `gather_network_logs_basics` leaves the databases of an interconnect cluster in
//! `network_logs/ovnk_database_store/<ovnkube-node pod>_{nbdb,sbdb}` (packed or not); `oc adm inspect` leaves
//! the pods, and so their nodes, in `namespaces/<ns>/pods/<pod>/<pod>.yaml` and `.../core/pods.yaml`.

use super::tree::Tree;
use crate::{Db, NodeName};
use ovsdb::{Database, Select};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The databases of a must-gather.
pub(super) struct Found {
    /// Their paths, by node.
    pub(super) databases: BTreeMap<(NodeName, Db), String>,
    /// Files whose node is not known, and why.
    pub(super) homeless: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
}

#[derive(Deserialize)]
struct PodList {
    items: Vec<Pod>,
}

/// Looks through the paths of a bundle, and at the few files that tell which pod ran where.
pub(super) fn find(tree: &Tree) -> Found {
    let mut found = Found { databases: BTreeMap::new(), homeless: Vec::new() };
    for (path, pod, db) in tree.paths().filter_map(database_file) {
        match node_of(tree, pod).or_else(|| zone_of(tree, path)) {
            Some(node) => _ = found.databases.insert((node, db), path.to_owned()),
            None => found.homeless.push(format!("{path}: neither its pod nor its zone's name is in the bundle")),
        }
    }
    found
}

/// `…/network_logs/ovnk_database_store/<pod>_nbdb` -> path, pod, database.
fn database_file(path: &str) -> Option<(&str, &str, Db)> {
    let (_, file) = path.rsplit_once("network_logs/ovnk_database_store/")?;
    let (pod, db) = file.rsplit_once('_')?;
    let db = match db {
        "nbdb" => Db::Nb,
        "sbdb" => Db::Sb,
        _ => return None,
    };
    Some((path, pod, db))
}

/// The node on which a pod ran, from the objects that `oc adm inspect` wrote.
fn node_of(tree: &Tree, pod: &str) -> Option<NodeName> {
    let own = format!("/pods/{pod}/{pod}.yaml");
    let of = |p: Pod| (p.metadata.name == pod).then_some(p.spec.node_name).flatten();
    let from_object = || tree.paths().find(|p| p.ends_with(&own)).and_then(|p| yaml::<Pod>(tree, p)).and_then(of);
    let from_list = || {
        let lists = tree.paths().filter(|p| p.contains("ovn-kubernetes/") && p.ends_with("/core/pods.yaml"));
        lists.filter_map(|p| yaml::<PodList>(tree, p)).flat_map(|list| list.items).find_map(of)
    };
    from_object().or_else(from_list)?.parse().ok()
}

/// The zone that a northbound database says it is: in interconnect mode the node's name. A southbound
/// database does not say so itself, but lies beside the northbound one.
fn zone_of(tree: &Tree, path: &str) -> Option<NodeName> {
    let beside = path.strip_suffix("_sbdb").map(|pod| format!("{pod}_nbdb"));
    let database = Database::open(tree.read(beside.as_deref().unwrap_or(path)).ok()?).ok()?;
    let global = database.select(&Select::from("NB_Global")).ok()?;
    global.rows.first()?.text("name")?.parse().ok()
}

fn yaml<T: for<'de> Deserialize<'de>>(tree: &Tree, path: &str) -> Option<T> {
    let bytes = tree.read(path).ok()?;
    // The default budget refuses lists of a few thousand pods; the file's size bounds the work as well.
    let options = serde_saphyr::options! { budget: None };
    serde_saphyr::from_slice_with_options(&bytes, options).ok()
}
