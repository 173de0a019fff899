//! The identity of this layer's rows on other nodes, converted from ovn-model to the types of mcp-core.

use crate::switch;
use mcp_core::{Db, Fact, Node, RowField, RowIdentity};
use ovn_model::{
    Labels,
    annotations::NodeAnnotations,
    compare::{self, Own, OwnPods},
    own, switch as model,
};
use ovsdb::{AtomType, Row, Rows, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// The values that are a node's own, for the comparison of its rows with those of other nodes.
#[derive(Debug, Default)]
pub(crate) struct OwnValues {
    own: Vec<Own>,
    /// The interfaces of pods. Their names are also the names of their ports.
    pods: BTreeSet<String>,
}

impl OwnValues {
    /// Reads the values if the answer is compared. Values of the northbound database are left out if it is missing.
    pub(crate) async fn read(node: &Node<'_>) -> Self {
        if !node.is_compared() {
            return Self::default();
        }
        let name = node.name().as_str();
        let northbound =
            node.own_values("addresses and names", node.rows(Db::Nb, &compare::own_selects()).await);
        let bridges = node.own_values("bridges", switch::read(node).await);
        let mut rows = match node.rows(Db::OpenVSwitch, &model::own_selects()).await {
            Ok(rows) => rows,
            Err(_) => listed(node).await,
        };
        // The southbound database is only needed if conf.db does not contain the system-id.
        let has_id =
            rows.iter().flat_map(|of| &of.rows).any(|row| row.map_get("external_ids", "system-id").is_some());
        if !has_id {
            let chassis = node.rows(Db::Sb, &[model::chassis_select()]).await;
            rows.extend(node.own_values("system-id", chassis));
        }
        let mut own = model::own(name, &bridges, &rows);
        let known: Vec<String> = own.iter().map(|own| own.value.clone()).collect();
        own.extend(compare::own(name, &northbound).into_iter().filter(|own| !known.contains(&own.value)));
        let annotations = node.object().await.map(|object| NodeAnnotations::of(&object)).unwrap_or_default();
        let own = own::confirmed(own, &annotations);
        let interfaces = bridges.bridges.values().flatten();
        let pods = interfaces.filter(|it| it.of_pod).map(|it| it.name.clone()).collect();
        Self { own, pods }
    }

    /// Returns the values as facts of mcp-core.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let fact = |own: &Own| Fact { kind: own.kind.clone(), value: own.value.clone(), field: own.column };
        self.own.iter().map(fact).collect()
    }

    /// Returns the identity of a row of `conf.db` on other nodes.
    pub(crate) fn identity(
        &self,
        row: &Row,
        labels: &Labels,
        owners: &BTreeMap<Uuid, Vec<String>>,
    ) -> RowIdentity {
        let counterpart = compare::counterpart(row, labels, owners, &OwnPods::default());
        // A row that a listing refers to has no name, and its UUID is the node's own.
        let is_uuid = |p: &compare::Property| {
            let column = row.table.column(&p.name);
            column.is_some_and(|it| it.ty.key.kind == AtomType::Uuid && it.ty.key.ref_table.is_none())
        };
        let field = |p: compare::Property| RowField { name: p.name, values: p.values, spanning: p.spanning };
        RowIdentity {
            key: counterpart.key,
            local: counterpart.local || self.is_of_pod(row),
            role: counterpart.role,
            fields: counterpart.properties.into_iter().filter(|p| !is_uuid(p)).map(field).collect(),
            ..RowIdentity::default()
        }
    }

    fn is_of_pod(&self, row: &Row) -> bool {
        row.table.name == "Port" && row.text("name").is_some_and(|name| self.pods.contains(name))
    }
}

/// Returns the recorded listings of the tables that contain a node's own values.
async fn listed(node: &Node<'_>) -> Vec<Rows> {
    let mut rows = Vec::new();
    for select in model::own_selects() {
        rows.extend(switch::listing(node, &select.table).await.map(|listing| listing.rows));
    }
    rows
}
