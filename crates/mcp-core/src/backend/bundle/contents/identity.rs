//! By what a node is known: its names, its system-id, its tunnel addresses.

use crate::{Db, NodeName, backend::bundle::files::Files};
use ovsdb::{Database, Row, Select};
use regex::Regex;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// What a source says of a node, apart from the name it gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Open vSwitch's `external_ids:system-id`, which is the name of the node's chassis.
    pub(crate) system_id: Option<String>,
    /// Where tunnels to it end.
    pub(crate) encap_ips: BTreeSet<String>,
    /// Other names: the host's own, the label `kubernetes.io/hostname`.
    pub(crate) names: BTreeSet<String>,
}

impl Identity {
    /// From the text of `ovs-vsctl list Open_vSwitch`, or from anything that prints its `external_ids`.
    pub(crate) fn of_listing(text: &str) -> Self {
        static PAIR: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"\b(system-id|ovn-encap-ip|hostname)="?([^",}\s]+)"#).expect("a constant expression")
        });
        let mut identity = Self::default();
        // A node can have `system-id-<network>` and the like beside it: those are others.
        for found in PAIR.captures_iter(text) {
            let (_, [key, value]) = found.extract();
            identity.add(key, value);
        }
        identity
    }

    /// From `conf.db`.
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

    /// What two sources say of one node, taken together.
    pub(crate) fn merge(&mut self, other: Self) {
        self.system_id = self.system_id.take().or(other.system_id);
        self.encap_ips.extend(other.encap_ips);
        self.names.extend(other.names);
    }
}

/// The node whose database this is, as far as the database knows.
///
/// In interconnect mode a zone has the name of its node; that of a central database is `global`, or none.
pub(crate) fn node_of(db: Db, database: &Database) -> Option<NodeName> {
    let first = |select: Select| database.select(&select).ok().and_then(|rows| rows.rows.into_iter().next());
    match db {
        Db::Nb => {
            let name = first(Select::from("NB_Global").columns(["name"]))?.text("name")?.to_owned();
            if name == "global" { None } else { name.parse().ok() }
        }
        Db::OpenVSwitch => Identity::of_conf_db(database).names.first()?.parse().ok(),
        Db::Sb => match own_chassis(database).as_slice() {
            [only] => only.text("hostname")?.parse().ok(),
            _ => None,
        },
    }
}

/// Is this a database of all nodes, and not of one zone? In a zone all chassis but the node's own are remote
/// (ovn-sb(5), `Chassis`, `other_config:is-remote`).
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

/// The chassis of the zone itself.
fn own_chassis(database: &Database) -> Vec<Row> {
    let select = Select::from("Chassis").columns(["hostname", "other_config"]);
    let rows = database.select(&select).map(|rows| rows.rows).unwrap_or_default();
    rows.into_iter().filter(|row| row.map_get("other_config", "is-remote") != Some("true")).collect()
}

/// The chassis that a zone's southbound database knows: all of the cluster's.
pub(crate) fn chassis(database: &Database) -> BTreeSet<String> {
    let rows = database.select(&Select::from("Chassis").columns(["name"]));
    rows.map(|rows| rows.rows.iter().filter_map(|row| Some(row.text("name")?.to_owned())).collect())
        .unwrap_or_default()
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    addresses: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Object>,
}

/// The nodes of a cluster, from the objects that `oc adm inspect` wrote.
pub(crate) fn of_objects(files: &Files) -> BTreeMap<NodeName, Identity> {
    let mut nodes = BTreeMap::new();
    for path in files.paths().filter(|path| path.contains("cluster-scoped-resources/core/nodes")) {
        let objects = match path.ends_with("core/nodes.yaml") {
            true => yaml::<List>(files, path).map(|list| list.items),
            false => yaml::<Object>(files, path).map(|one| vec![one]),
        };
        for object in objects.unwrap_or_default() {
            if let Ok(name) = object.metadata.name.parse() {
                nodes.insert(name, of_object(&object));
            }
        }
    }
    nodes
}

/// `k8s.ovn.org/node-chassis-id` and `k8s.ovn.org/node-encap-ips` are written by ovnkube-node; where the latter is
/// missing, tunnels end at the node's own address.
fn of_object(Object { metadata, status }: &Object) -> Identity {
    let annotation = |name: &str| metadata.annotations.get(name).map(String::as_str);
    let encap_ips: Option<BTreeSet<String>> =
        annotation("k8s.ovn.org/node-encap-ips").and_then(|text| serde_json::from_str(text).ok());
    let internal = || status.addresses.iter().filter(|a| a.kind == "InternalIP").map(|a| a.address.clone());
    Identity {
        system_id: annotation("k8s.ovn.org/node-chassis-id").map(str::to_owned),
        encap_ips: encap_ips.unwrap_or_else(|| internal().collect()),
        names: metadata.labels.get("kubernetes.io/hostname").cloned().into_iter().collect(),
    }
}

/// An object of the bundle; nothing when it is not what it should be.
pub(crate) fn yaml<T: for<'de> Deserialize<'de>>(files: &Files, path: &str) -> Option<T> {
    let bytes = files.read_small(path)?;
    // The default budget refuses lists of a few thousand pods; the file's size bounds the work as well.
    let options = serde_saphyr::options! { budget: None };
    serde_saphyr::from_slice_with_options(&bytes, options).ok()
}
