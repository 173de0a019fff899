//! What the tools on logical flows read.

use crate::compare::annotations;
use mcp_core::{Db, Fact, Field, Identity, Node, ReadError, Row, ToolError};
use ovn_model::{
    compare,
    lflow::{
        Datapath, Datapaths, Filter, Flow, LocalPods, derived, groups_select, groups_with_ports,
        has_own_endpoints, is_ecmp_member, port_group,
    },
    own,
    stages::{Layout, Release},
};
use ovsdb::{Rows, Select, Uuid};
use std::collections::BTreeSet;

/// Flows and what they belong to.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) datapaths: Datapaths,
    /// In the order in which they are tried.
    pub(crate) flows: Vec<Flow>,
    pub(crate) notes: Vec<String>,
}

impl Read {
    /// The flows of each datapath, by name, then those of each group of datapaths, each once.
    pub(crate) fn by_owner(&self) -> Vec<(String, Vec<&Flow>)> {
        let of = |owner: fn(&Flow) -> Option<Uuid>| {
            let mut owners: Vec<Uuid> = self.flows.iter().filter_map(owner).collect();
            owners.sort();
            owners.dedup();
            let flows = move |uuid: Uuid| {
                self.flows.iter().filter(|flow| owner(flow) == Some(uuid)).collect::<Vec<_>>()
            };
            owners.into_iter().map(move |uuid| (uuid, flows(uuid)))
        };
        let heading = |uuid| {
            self.datapaths
                .get(uuid)
                .map_or_else(|| format!("Datapath: {uuid} (no such row)"), Datapath::heading)
        };
        let mut single: Vec<_> =
            of(|flow| flow.datapath).map(|(uuid, flows)| (heading(uuid), flows)).collect();
        single.sort_by(|a, b| a.0.cmp(&b.0));
        single.extend(of(|flow| flow.group).map(|(uuid, flows)| (self.datapaths.group_heading(uuid), flows)));
        single
    }
}

/// The datapaths of a zone.
pub(crate) async fn datapaths(node: &Node<'_>) -> Result<Datapaths, ReadError> {
    let schema = node.schema(Db::Sb).await?;
    Ok(Datapaths::new(&rows(node, &Datapaths::selects(&schema)).await?))
}

/// Rows of the southbound database.
pub(crate) async fn rows(node: &Node<'_>, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
    node.rows(Db::Sb, selects).await
}

/// The datapaths of a name, in which `<node>` is the node's.
pub(crate) fn find_datapaths<'a>(
    node: &Node<'_>,
    datapaths: &'a Datapaths,
    wanted: &str,
) -> Vec<&'a Datapath> {
    datapaths.find(&wanted.replace("<node>", node.name().as_str()))
}

/// Where the pipelines lie among OpenFlow tables, if the version of the data tells.
pub(crate) async fn layout(node: &Node<'_>) -> Option<Layout> {
    let global = rows(node, &[Release::select()]).await.ok()?;
    Layout::of(Release::of(global.first()?)?)
}

/// What is the node's own, for flows. Without the northbound database, names alone are compared.
pub(crate) async fn facts(node: &Node<'_>) -> Vec<Fact> {
    if !node.is_compared() {
        return Vec::new();
    }
    let rows = node.own_values("addresses and names", node.rows(Db::Nb, &compare::own_selects()).await);
    let own = compare::own(node.name().as_str(), &rows);
    let mut own = own::confirmed(own, &annotations(node).await);
    own.extend(derived(&own));
    own.into_iter().map(|own| Fact { kind: own.kind, value: own.value, field: own.column }).collect()
}

/// The node's own pods, as far as the northbound database can be read.
pub(crate) async fn local_pods(node: &Node<'_>) -> LocalPods {
    let ports = node.own_values("pods", node.rows(Db::Nb, &[LocalPods::select()]).await);
    ports.first().map(LocalPods::new).unwrap_or_default()
}

/// The port groups of the node that have a port, as what rows of the comparison can need.
pub(crate) async fn groups(node: &Node<'_>) -> BTreeSet<String> {
    if !node.is_compared() {
        return BTreeSet::new();
    }
    let groups = node.own_values("port groups", node.rows(Db::Nb, &[groups_select()]).await);
    groups.first().map(groups_with_ports).unwrap_or_default()
}

/// A row for each datapath that has a flow, to be compared with the other zones' flows.
pub(crate) async fn compared(
    node: &Node<'_>,
    filter: &Filter,
    read: &mut Read,
) -> Result<Vec<Row>, ToolError> {
    /// A zone of one node has ten datapaths; a database of all nodes is not compared with another.
    const ROWS: usize = 200_000;
    let pods = local_pods(node).await;
    if read.flows.extract_if(.., |flow| is_ecmp_member(flow)).count() > 0 {
        read.notes.push(
            "members of ECMP routes and policies have numbers that each zone gives out: not compared; compare \
             Logical_Router_Static_Route and Logical_Router_Policy with ovn_nbctl_list"
                .into(),
        );
    }
    let mut rows = Vec::new();
    for datapath in
        read.datapaths.iter().filter(|it| filter.datapaths.is_empty() || filter.datapaths.contains(&it.uuid))
    {
        for flow in read.flows.iter().filter(|flow| flow.is_of(datapath.uuid, &read.datapaths)) {
            let stage = flow.stage.as_deref().unwrap_or("no name");
            let identity = Identity {
                key: format!(
                    "{} {} table={} ({stage}), priority={}, match=({})",
                    datapath.name, flow.pipeline, flow.table, flow.priority, flow.matches
                ),
                local: pods.have(flow),
                needs: port_group(flow).map(str::to_owned),
                fields: match has_own_endpoints(flow) {
                    true => Vec::new(),
                    false => vec![Field::one("action", flow.actions.clone())],
                },
                ..Identity::default()
            };
            rows.push(Row::with(format!("{}: {}", datapath.name, flow.line()), identity));
        }
        if rows.len() > ROWS {
            return Err(ToolError::bad(
                format!("more than {ROWS} flows of {} are too many to compare", node.name()),
                "Give a datapath or a stage.",
            ));
        }
    }
    Ok(rows)
}
