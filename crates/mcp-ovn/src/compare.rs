//! What this layer's rows are to other nodes' rows: ovn-model's knowledge in core's terms.

use ipnet::IpNet;
use mcp_core::{Db, Fact, Field, Identity, Node};
use ovn_model::{
    Labels,
    annotations::NodeAnnotations,
    compare::{self, Own},
    own,
};
use ovsdb::{Row, Uuid};
use std::collections::BTreeMap;

/// What is the node's own: for the comparison of its rows with other nodes'.
#[derive(Debug, Default)]
pub(crate) struct OwnValues {
    own: Vec<Own>,
    subnets: Vec<IpNet>,
}

impl OwnValues {
    /// Reads it, if the answer will be compared. A note says if the northbound database cannot be read.
    pub(crate) async fn read(node: &Node<'_>) -> Self {
        if !node.is_compared() {
            return Self::default();
        }
        let rows = node.own_values("addresses and names", node.rows(Db::Nb, &compare::own_selects()).await);
        let own = own::confirmed(compare::own(node.name().as_str(), &rows), &annotations(node).await);
        let subnets = own.iter().filter_map(|own| own.value.parse().ok()).collect();
        Self { own, subnets }
    }

    /// As core takes them.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let fact = |own: &Own| Fact { kind: own.kind.clone(), value: own.value.clone(), field: own.column };
        self.own.iter().map(fact).collect()
    }

    /// What identifies a row on other nodes.
    pub(crate) fn identity(
        &self,
        row: &Row,
        labels: &Labels,
        owners: &BTreeMap<Uuid, Vec<String>>,
    ) -> Identity {
        let counterpart = compare::counterpart(row, labels, owners, &self.subnets);
        let field = |p: compare::Property| Field { name: p.name, values: p.values, spanning: p.spanning };
        Identity {
            key: counterpart.key,
            local: counterpart.local,
            role: counterpart.role,
            fields: counterpart.properties.into_iter().map(field).collect(),
            ..Identity::default()
        }
    }
}

/// What the node's annotations say; nothing where the source has no objects.
pub(crate) async fn annotations(node: &Node<'_>) -> NodeAnnotations {
    node.object().await.map(|object| NodeAnnotations::of(&object)).unwrap_or_default()
}
