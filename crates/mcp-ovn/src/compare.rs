//! The identity of this layer's rows on other nodes: translates the rules of ovn-model into the types of mcp-core.

use mcp_core::{Db, Fact, Node, RowField, RowIdentity};
use ovn_model::{
    Labels,
    annotations::NodeAnnotations,
    compare::{self, Own, OwnPods},
    own,
};
use ovsdb::{Row, Uuid};
use std::collections::BTreeMap;

/// The values that belong to one node (addresses, subnets, names), which a comparison of nodes does not report.
#[derive(Debug, Default)]
pub(crate) struct OwnValues {
    own: Vec<Own>,
    pods: OwnPods,
}

impl OwnValues {
    /// Reads the values if the answer will be compared. Adds a note if the northbound database cannot be read.
    pub(crate) async fn read(node: &Node<'_>) -> Self {
        if !node.is_compared() {
            return Self::default();
        }
        let rows = node.own_values("addresses and names", node.rows(Db::Nb, &compare::own_selects()).await);
        let own = own::confirmed(compare::own(node.name().as_str(), &rows), &annotations(node).await);
        let pods = OwnPods::new(&own);
        Self { own, pods }
    }

    /// Reads the northbound address sets of the zone, because the rows of southbound address sets do not say what they
    /// are for.
    pub(crate) async fn with_address_sets(self, node: &Node<'_>) -> Self {
        if !node.is_compared() {
            return self;
        }
        let sets = node.own_values("address sets", node.rows(Db::Nb, &[OwnPods::sets()]).await);
        Self { pods: self.pods.with_sets(&sets), ..self }
    }

    /// Returns the values as facts of mcp-core.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let fact = |own: &Own| Fact { kind: own.kind.clone(), value: own.value.clone(), field: own.column };
        self.own.iter().map(fact).collect()
    }

    /// Returns the identity that a row has on other nodes.
    pub(crate) fn identity(
        &self,
        row: &Row,
        labels: &Labels,
        owners: &BTreeMap<Uuid, Vec<String>>,
    ) -> RowIdentity {
        let counterpart = compare::counterpart(row, labels, owners, &self.pods);
        let field = |p: compare::Property| RowField { name: p.name, values: p.values, spanning: p.spanning };
        RowIdentity {
            key: counterpart.key,
            local: counterpart.local,
            role: counterpart.role,
            fields: counterpart.properties.into_iter().map(field).collect(),
            ..RowIdentity::default()
        }
    }
}

/// Reads the annotations of the node. They are empty if the source has no Node object.
pub(crate) async fn annotations(node: &Node<'_>) -> NodeAnnotations {
    node.object().await.map(|object| NodeAnnotations::of(&object)).unwrap_or_default()
}
