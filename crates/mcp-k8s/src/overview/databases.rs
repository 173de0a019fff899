//! Reads what the databases of nodes say about the nodes themselves.

use crate::nodes::{joined, some, subnets_of_switch};
use futures::StreamExt;
use mcp_core::{ClusterReader, Db, NodeName, ReadError};
use ovsdb::{Rows, Select};
use std::collections::{BTreeMap, BTreeSet};

/// What the databases of a node say about the node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeDatabases {
    pub(super) zone: String,
    pub(super) northd: String,
    pub(super) open_vswitch: String,
    pub(super) encap: String,
    pub(super) subnet: String,
    /// The names of all switches in the zone.
    pub(super) switches: Vec<String>,
}

/// Returns the queries for each database of a node.
fn questions(node: &NodeName) -> [(NodeName, Db, Vec<Select>); 3] {
    let is = |column: &str| ovsdb::Condition::is(column, node.as_str());
    let global = Select::from("NB_Global").columns(["name", "options"]);
    let switch = Select::from("Logical_Switch").columns(["name", "other_config"]).filter(is("name"));
    let switches = Select::from("Logical_Switch").columns(["name"]);
    let chassis = Select::from("Chassis").columns(["hostname", "encaps"]).filter(is("hostname"));
    let encaps = Select::from("Encap").columns(["ip"]);
    [
        (node.clone(), Db::Nb, vec![global, switch, switches]),
        (node.clone(), Db::Sb, vec![chassis, encaps]),
        (node.clone(), Db::OpenVSwitch, vec![Select::from("Open_vSwitch").columns(["ovs_version"])]),
    ]
}

impl NodeDatabases {
    /// Stores the answer of one database.
    fn take(&mut self, db: Db, rows: &[Rows]) {
        let first = |at: usize| rows.get(at).and_then(|rows| rows.rows.first());
        match db {
            Db::Nb => {
                if let Some(global) = first(0) {
                    self.zone = global.text("name").unwrap_or_default().to_owned();
                    self.northd =
                        global.map_get("options", "northd_internal_version").unwrap_or_default().to_owned();
                }
                self.subnet = first(1).map(subnets_of_switch).unwrap_or_default();
                let switches = rows.get(2).into_iter().flat_map(|rows| &rows.rows);
                self.switches = switches.filter_map(|row| row.text("name").map(str::to_owned)).collect();
            }
            Db::Sb => {
                if let (Some(chassis), Some(encaps)) = (first(0), rows.get(1)) {
                    let ips: BTreeSet<&str> =
                        chassis.refs("encaps").filter_map(|encap| encaps.get(encap)?.text("ip")).collect();
                    self.encap = joined(ips);
                }
            }
            Db::OpenVSwitch => {
                let version = first(0).and_then(|row| row.text("ovs_version"));
                self.open_vswitch = version.unwrap_or_default().to_owned();
            }
        }
    }
}

/// Reads the databases of nodes. The result has each node of which at least one database was read.
pub(super) async fn databases(
    cluster: &ClusterReader<'_>,
    nodes: &[NodeName],
    notes: &mut Vec<String>,
) -> BTreeMap<String, NodeDatabases> {
    let questions: Vec<_> = nodes.iter().flat_map(questions).collect();
    let dbs: Vec<Db> = questions.iter().map(|(_, db, _)| *db).collect();
    let answers = cluster.ask(questions, |rows| rows).collect::<Vec<_>>().await;
    let (mut read, mut failed) =
        (BTreeMap::<String, NodeDatabases>::new(), BTreeMap::<_, Vec<NodeName>>::new());
    for (db, (node, rows)) in dbs.into_iter().zip(answers) {
        match rows {
            Ok(rows) => read.entry(node.to_string()).or_default().take(db, &rows),
            // For a bundle, the coverage rows already say what was not collected.
            Err(ReadError::NotCollected { .. } | ReadError::NotHeld { .. }) if !cluster.is_live() => {}
            Err(e) => {
                // Nodes with the same error share one note.
                let why = e.to_string().replace(node.as_str(), "<node>");
                failed.entry((db, why)).or_default().push(node);
            }
        }
    }
    notes.extend(
        failed
            .into_iter()
            .map(|((db, why), nodes)| format!("{db} of {} could not be read: {why}", some(&nodes))),
    );
    read
}
