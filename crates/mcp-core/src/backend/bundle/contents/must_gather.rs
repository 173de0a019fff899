//! Must-gathers and other output of `oc adm inspect`.
//!
//! `gather_network_logs_basics` of `openshift/must-gather` writes the databases of an interconnect cluster to
//! `network_logs/ovnk_database_store/<ovnkube-node pod>_{nbdb,sbdb}`, compressed or not. `oc adm inspect` writes the
//! pods, which name their nodes, to `namespaces/<ns>/pods/<pod>/<pod>.yaml` and `…/core/pods.yaml`. These folders are
//! at different depths: there is one directory per image, one per node with `--node-selector`, and sometimes another
//! around all of them.

use super::{Contents, StoredDatabase, gathered, identity, identity::yaml, wanted::database};
use crate::{Db, HostLog, NodeName, backend::bundle::files::Files};
use serde::Deserialize;
use std::collections::BTreeMap;

const STORE: &str = "network_logs/ovnk_database_store/";

/// The folder in which `gather_network_logs` stores the transaction log of ovnkube-controller:
/// `ovnk_extras_store/<pod>/ovnkube-controller/libovsdb.log`.
const EXTRAS: &str = "network_logs/ovnk_extras_store/";

/// The suffixes of the databases of a central cluster: the databases of the leader (4.10 to 4.13) or of every master
/// (4.5 to 4.9).
const CENTRAL: [&str; 2] = ["_nbdb.gz", "_sbdb.gz"];

#[derive(Deserialize)]
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

/// Finds the databases, the nodes and their logs.
pub(super) fn scan(files: &Files, contents: &mut Contents) {
    let objects = identity::of_objects(files);
    contents.objects.extend(objects.keys().cloned());
    contents.nodes.extend(objects);
    let mut pods = PodNodes::of(files);
    for path in files.paths() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some((_, log)) = path.split_once("/pods/").filter(|_| is_ovn_log(path)) {
            if let Some(node) = log.split('/').next().and_then(|pod| pods.node(pod)) {
                contents.logs.entry(node).or_default().push(path.to_owned());
            }
        } else if let Some((_, extra)) = path.split_once(EXTRAS) {
            if let Some(node) = extra.split('/').next().and_then(|pod| pods.node(pod)) {
                contents.logs.entry(node).or_default().push(path.to_owned());
            }
        } else if path.contains("host_service_logs/") {
            contents.service_logs.push(path.to_owned());
        } else if name == "timestamp" && began_only(files, path) {
            contents.troubles.push(format!(
                "{path} has the start of the collection but not its end, so the collection may be incomplete"
            ));
        } else if let Some((node, log)) = host_log(path, &mut pods) {
            contents.host_logs.push((node, log, path.to_owned()));
        } else if let Some((pod, kept)) = gathered::kept(path) {
            let node = pods.node(pod);
            let of_node = |kept: gathered::GatheredContent| Some(kept.of(node.clone()?, files, path));
            contents.gathered.extend(kept.into_iter().filter_map(of_node));
        } else if let Some((owner, kept)) = gathered::early(path) {
            let node = pods.owner(owner, &contents.nodes);
            contents.gathered.extend(node.map(|node| kept.of(node, files, path)));
        } else if let Some(owner) = gathered::in_network_logs(path).and_then(|it| it.strip_suffix("_conf.db"))
        {
            let pod = owner.rsplit('_').next().unwrap_or(owner);
            add(files, contents, &mut pods, path, Db::OpenVSwitch, pod);
        } else if folder.ends_with("network_logs") && CENTRAL.iter().any(|end| name.ends_with(end)) {
            contents.central.get_or_insert_with(|| from(path, "network_logs/"));
        } else if path.contains(STORE)
            && let Some((db, pod)) = database(name)
        {
            add(files, contents, &mut pods, path, db, pod);
        }
    }
}

fn add(files: &Files, contents: &mut Contents, pods: &mut PodNodes, path: &str, db: Db, pod: &str) {
    let shown = from(path, "network_logs/");
    let node = pods.node(pod);
    if let Some(node) = &node {
        contents.objects.insert(node.clone());
    }
    match node.or_else(|| zone_of(files, path)) {
        Some(node) => {
            contents.node(&node, identity::NodeIdentity::default());
            let when = files.modified(path);
            contents.databases.push(StoredDatabase { node, db, path: path.into(), shown, when });
        }
        None => {
            contents.unknown(
                files,
                path,
                db,
                shown,
                "the bundle contains neither its pod nor the name of its zone",
            );
        }
    }
}

/// Returns true if a collection started but did not end. `oc adm inspect` writes one line for each.
fn began_only(files: &Files, path: &str) -> bool {
    files.read_small(path).is_some_and(|text| text.iter().filter(|byte| **byte == b'\n').count() == 1)
}

/// Returns true for a log of an OVN-Kubernetes or Open vSwitch pod.
fn is_ovn_log(path: &str) -> bool {
    path.contains("/logs/") && (path.contains("ovn-kubernetes/pods/"))
}

/// Recognizes the logs of a node or pod outside `host_service_logs`: `gather_ppc` writes
/// `nodes/<node>/{dmesg,<node>_logs_kubelet.gz}`, and `gather_network_logs` writes
/// `network_logs/ipsec/<pod>_libreswan.log`.
fn host_log(path: &str, pods: &mut PodNodes) -> Option<(NodeName, HostLog)> {
    let (folder, name) = path.rsplit_once('/')?;
    if let Some(pod) = name.strip_suffix("_libreswan.log").filter(|_| folder.ends_with("network_logs/ipsec"))
    {
        return Some((pods.node(pod)?, HostLog::Libreswan));
    }
    let (above, node) = folder.rsplit_once('/')?;
    let log = match name {
        "dmesg" => HostLog::Kernel,
        name if name.strip_suffix("_logs_kubelet.gz") == Some(node) => HostLog::Kubelet,
        _ => return None,
    };
    (above == "nodes" || above.ends_with("/nodes")).then_some((node.parse().ok()?, log))
}

/// The path without the leading folders, which are named after the collection and an image.
fn from(path: &str, folder: &str) -> String {
    path.find(folder).and_then(|at| path.get(at..)).unwrap_or(path).to_owned()
}

/// The nodes on which pods ran.
struct PodNodes<'a> {
    files: &'a Files,
    objects: BTreeMap<&'a str, &'a str>,
    known: BTreeMap<String, Option<NodeName>>,
    lists: Option<BTreeMap<String, NodeName>>,
}

impl<'a> PodNodes<'a> {
    fn of(files: &'a Files) -> Self {
        let object = |path: &'a str| {
            let (folder, name) = path.rsplit_once('/')?;
            let (above, pod) = folder.rsplit_once('/')?;
            (above.ends_with("/pods") && name.strip_suffix(".yaml") == Some(pod)).then_some((pod, path))
        };
        let objects = files.paths().filter_map(object).collect();
        Self { files, objects, known: BTreeMap::new(), lists: None }
    }

    fn node(&mut self, pod: &str) -> Option<NodeName> {
        if let Some(node) = self.known.get(pod) {
            return node.clone();
        }
        let object = self.objects.get(pod).and_then(|path| yaml::<Pod>(self.files, path));
        let node =
            object.filter(|object| object.metadata.name == pod).and_then(|object| object.spec.node_name);
        let node = node.and_then(|name| name.parse().ok()).or_else(|| self.lists().get(pod).cloned());
        self.known.insert(pod.to_owned(), node.clone());
        node
    }

    /// The owner of a file that is named after a pod, a node and its pod (`<node>_<pod>`), or a node. The names of
    /// nodes and pods contain no underscore.
    fn owner(&mut self, name: &str, known: &BTreeMap<NodeName, identity::NodeIdentity>) -> Option<NodeName> {
        let (first, pod) = name.split_once('_').unwrap_or((name, name));
        let node = || first.parse().ok().filter(|node| first != pod || known.contains_key(node));
        self.node(pod).or_else(node)
    }

    /// Reads the lists of pods. They are large, so they are read only for a pod without a file of its own.
    fn lists(&mut self) -> &BTreeMap<String, NodeName> {
        let files = self.files;
        self.lists.get_or_insert_with(|| {
            let ours = |path: &str| {
                ["ovn-kubernetes/", "frr-k8s", "metallb-system/"].iter().any(|ns| path.contains(ns))
            };
            let paths = files.paths().filter(|p| ours(p) && p.ends_with("/core/pods.yaml"));
            let pods = paths.filter_map(|path| yaml::<PodList>(files, path)).flat_map(|list| list.items);
            pods.filter_map(|pod| Some((pod.metadata.name, pod.spec.node_name?.parse().ok()?))).collect()
        })
    }
}

/// The node that a database, or the northbound database next to it, names.
fn zone_of(files: &Files, path: &str) -> Option<NodeName> {
    let open = |path: &str| super::open(files.read(path).ok()?).ok();
    let beside = path.strip_suffix("_sbdb").map(|pod| format!("{pod}_nbdb"));
    let northbound = identity::node_of(Db::Nb, &open(beside.as_deref().unwrap_or(path))?);
    northbound.or_else(|| identity::node_of(Db::Sb, &open(path)?))
}
