//! Identifies a node: its names, its system-id, and its tunnel addresses.

use crate::{
    Db, NodeName,
    backend::bundle::{files::Files, objects},
};
use ovsdb::{Database, Row, Select};
use regex::Regex;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// The identity of a node in one source, apart from the node's name there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeIdentity {
    /// `external_ids:system-id` of Open vSwitch, which is also the name of the node's chassis.
    pub(crate) system_id: Option<String>,
    /// The addresses of the node's tunnel endpoint.
    pub(crate) encap_ips: BTreeSet<String>,
    /// Other names: the host's own name, the label `kubernetes.io/hostname`.
    pub(crate) names: BTreeSet<String>,
}

impl NodeIdentity {
    /// Parses the output of `ovs-vsctl list Open_vSwitch`, or any other output that contains its `external_ids`.
    pub(crate) fn of_listing(text: &str) -> Self {
        static PAIR: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"\b(system-id|ovn-encap-ip|hostname)="?([^",}\s]+)"#).expect("a constant expression")
        });
        let mut identity = Self::default();
        // A node can also have keys such as `system-id-<network>`, which do not count.
        for found in PAIR.captures_iter(text) {
            let (_, [key, value]) = found.extract();
            identity.add(key, value);
        }
        identity
    }

    /// Reads the identity from `conf.db`.
    pub(crate) fn of_conf_db(database: &Database) -> Self {
        let mut identity = Self::default();
        let rows = database.select(&Select::from("Open_vSwitch").columns(["external_ids"]));
        if let Some(row) = rows.ok().and_then(|rows| rows.rows.into_iter().next()) {
            for key in ["system-id", "ovn-encap-ip", "hostname"] {
                if let Some(value) = row.map_get("external_ids", key) {
                    identity.add(key, value);
                }
            }
        }
        identity
    }

    fn add(&mut self, key: &str, value: &str) {
        match key {
            "system-id" => self.system_id = Some(value.into()),
            "ovn-encap-ip" => self.encap_ips.extend(value.split(',').map(str::to_owned)),
            _ => _ = self.names.insert(value.into()),
        }
    }

    /// Adds the identity from another source to this one.
    pub(crate) fn merge(&mut self, other: Self) {
        self.system_id = self.system_id.take().or(other.system_id);
        self.encap_ips.extend(other.encap_ips);
        self.names.extend(other.names);
    }
}

/// The node that a database belongs to, if the database names it.
///
/// In interconnect mode, the name of a zone is the name of its node. A central database has the name `global` or none.
pub(crate) fn node_of(db: Db, database: &Database) -> Option<NodeName> {
    let first = |select: Select| database.select(&select).ok().and_then(|rows| rows.rows.into_iter().next());
    match db {
        Db::Nb => {
            let name = first(Select::from("NB_Global").columns(["name"]))?.text("name")?.to_owned();
            if name == "global" { None } else { name.parse().ok() }
        }
        Db::OpenVSwitch => NodeIdentity::of_conf_db(database).names.first()?.parse().ok(),
        Db::Sb => match own_chassis(database).as_slice() {
            [only] => only.text("hostname")?.parse().ok(),
            _ => None,
        },
    }
}

/// Returns true if the database has the data of all nodes and not of one zone. In a zone, all chassis except the node's
/// own are remote (ovn-sb(5), `Chassis`, `other_config:is-remote`).
pub(crate) fn is_central(db: Db, database: &Database) -> bool {
    match db {
        Db::Nb => {
            let rows = database.select(&Select::from("NB_Global").columns(["name"]));
            rows.is_ok_and(|rows| rows.rows.iter().any(|row| row.text("name") == Some("global")))
        }
        Db::Sb => own_chassis(database).len() > 1,
        Db::OpenVSwitch => false,
    }
}

/// The chassis that are not remote.
fn own_chassis(database: &Database) -> Vec<Row> {
    let select = Select::from("Chassis").columns(["hostname", "other_config"]);
    let rows = database.select(&select).map(|rows| rows.rows).unwrap_or_default();
    rows.into_iter().filter(|row| row.map_get("other_config", "is-remote") != Some("true")).collect()
}

/// The names of the chassis that a zone's southbound database knows, which are all chassis of the cluster.
pub(crate) fn chassis(database: &Database) -> BTreeSet<String> {
    let rows = database.select(&Select::from("Chassis").columns(["name"]));
    rows.map(|rows| rows.rows.iter().filter_map(|row| Some(row.text("name")?.to_owned())).collect())
        .unwrap_or_default()
}

#[derive(Deserialize)]
struct NodeObject {
    #[serde(default)]
    metadata: NodeMetadata,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeMetadata {
    name: String,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    addresses: Vec<NodeAddress>,
}

#[derive(Deserialize)]
struct NodeAddress {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Deserialize)]
struct NodeList {
    items: Vec<NodeObject>,
}

/// Reads the nodes of a cluster from the objects that `oc adm inspect` wrote.
pub(crate) fn of_objects(files: &Files) -> BTreeMap<NodeName, NodeIdentity> {
    let mut nodes = BTreeMap::new();
    for path in files.paths().filter(|path| path.contains("cluster-scoped-resources/core/nodes")) {
        let objects = match path.ends_with("core/nodes.yaml") {
            true => yaml::<NodeList>(files, path).map(|list| list.items),
            false => yaml::<NodeObject>(files, path).map(|one| vec![one]),
        };
        for object in objects.unwrap_or_default() {
            if let Ok(name) = object.metadata.name.parse() {
                nodes.insert(name, of_object(&object));
            }
        }
    }
    nodes
}

/// ovnkube-node writes the annotations `k8s.ovn.org/node-chassis-id` and `k8s.ovn.org/node-encap-ips`. Without the
/// second one, tunnels end at the node's internal address.
fn of_object(NodeObject { metadata, status }: &NodeObject) -> NodeIdentity {
    let annotation = |name: &str| metadata.annotations.get(name).map(String::as_str);
    let encap_ips: Option<BTreeSet<String>> =
        annotation("k8s.ovn.org/node-encap-ips").and_then(|text| serde_json::from_str(text).ok());
    let internal = || status.addresses.iter().filter(|a| a.kind == "InternalIP").map(|a| a.address.clone());
    NodeIdentity {
        system_id: annotation("k8s.ovn.org/node-chassis-id").map(str::to_owned),
        encap_ips: encap_ips.unwrap_or_else(|| internal().collect()),
        names: metadata.labels.get("kubernetes.io/hostname").cloned().into_iter().collect(),
    }
}

/// Parses an object of the bundle. Returns `None` if the file does not contain such an object.
pub(crate) fn yaml<T: DeserializeOwned>(files: &Files, path: &str) -> Option<T> {
    objects::typed(&files.read_small(path)?).ok()
}
