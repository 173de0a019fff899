//! What the databases of nodes say of the nodes themselves.

use crate::nodes::{joined, some, subnets_of_switch};
use futures::StreamExt;
use mcp_core::{Cluster, Db, NodeName, ReadError};
use ovsdb::{Rows, Select};
use std::collections::{BTreeMap, BTreeSet};

/// What the databases of a node say of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Databases {
    pub(super) zone: String,
    pub(super) northd: String,
    pub(super) open_vswitch: String,
    pub(super) encap: String,
    pub(super) subnet: String,
    /// The switches that the zone has, by name.
    pub(super) switches: Vec<String>,
}

/// What is asked of each of a node's databases.
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

impl Databases {
    /// Takes what one of them answered.
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

/// What the databases of nodes say: a node is among them if at least one of its own was read.
pub(super) async fn databases(
    cluster: &Cluster<'_>,
    nodes: &[NodeName],
    notes: &mut Vec<String>,
) -> BTreeMap<String, Databases> {
    let questions: Vec<_> = nodes.iter().flat_map(questions).collect();
    let dbs: Vec<Db> = questions.iter().map(|(_, db, _)| *db).collect();
    let answers = cluster.ask(questions, |rows| rows).collect::<Vec<_>>().await;
    let (mut read, mut failed) = (BTreeMap::<String, Databases>::new(), BTreeMap::<_, Vec<NodeName>>::new());
    for (db, (node, rows)) in dbs.into_iter().zip(answers) {
        match rows {
            Ok(rows) => read.entry(node.to_string()).or_default().take(db, &rows),
            // Of a bundle it is said what was collected.
            Err(ReadError::NotCollected { .. } | ReadError::NotHeld { .. }) if !cluster.is_live() => {}
            Err(e) => {
                // The same of many nodes is said once.
                let why = e.to_string().replace(node.as_str(), "<node>");
                failed.entry((db, why)).or_default().push(node);
            }
        }
    }
    notes.extend(
        failed.into_iter().map(|((db, why), nodes)| format!("{db} was not read of {}: {why}", some(&nodes))),
    );
    read
}
