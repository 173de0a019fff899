//! The reads that the tools on logical flows share.

use crate::compare::annotations;
use mcp_core::{Db, Fact, Node, ReadError, Row, RowField, RowIdentity, ToolError};
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

/// Logical flows and the datapaths that they belong to.
#[derive(Debug, Default)]
pub(crate) struct ZoneFlows {
    pub(crate) datapaths: Datapaths,
    /// The flows in the order in which OVN tries them.
    pub(crate) flows: Vec<Flow>,
    pub(crate) notes: Vec<String>,
}

impl ZoneFlows {
    /// Returns the flows of each datapath, sorted by name, then the flows of each datapath group, each flow once.
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

/// Reads the datapaths of a zone.
pub(crate) async fn datapaths(node: &Node<'_>) -> Result<Datapaths, ReadError> {
    let schema = node.schema(Db::Sb).await?;
    Ok(Datapaths::new(&rows(node, &Datapaths::selects(&schema)).await?))
}

/// Reads rows of the southbound database.
pub(crate) async fn rows(node: &Node<'_>, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
    node.rows(Db::Sb, selects).await
}

/// Finds the datapaths with a name. `<node>` in the name stands for the name of the node.
pub(crate) fn find_datapaths<'a>(
    node: &Node<'_>,
    datapaths: &'a Datapaths,
    wanted: &str,
) -> Vec<&'a Datapath> {
    datapaths.find(&wanted.replace("<node>", node.name().as_str()))
}

/// Reads the layout of the pipelines in OpenFlow tables, if the OVN version of the database is known.
pub(crate) async fn layout(node: &Node<'_>) -> Option<Layout> {
    let global = rows(node, &[Release::select()]).await.ok()?;
    Layout::of(Release::of(global.first()?)?)
}

/// Reads the node's own values for the comparison of flows. Without the northbound database, it uses names only.
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

/// Reads the node's own pods, if the northbound database can be read.
pub(crate) async fn local_pods(node: &Node<'_>) -> LocalPods {
    let ports = node.own_values("pods", node.rows(Db::Nb, &[LocalPods::select()]).await);
    ports.first().map(LocalPods::new).unwrap_or_default()
}

/// Reads the port groups of the node that have a port. Some flows exist only in zones where a port group has ports.
pub(crate) async fn groups(node: &Node<'_>) -> BTreeSet<String> {
    if !node.is_compared() {
        return BTreeSet::new();
    }
    let groups = node.own_values("port groups", node.rows(Db::Nb, &[groups_select()]).await);
    groups.first().map(groups_with_ports).unwrap_or_default()
}

/// Returns one row for each flow and datapath, for the comparison with other zones.
pub(crate) async fn compared(
    node: &Node<'_>,
    filter: &Filter,
    read: &mut ZoneFlows,
) -> Result<Vec<Row>, ToolError> {
    /// The limit of rows. A zone of one node has about ten datapaths; a database of all nodes is not compared.
    const ROWS: usize = 200_000;
    let pods = local_pods(node).await;
    if read.flows.extract_if(.., |flow| is_ecmp_member(flow)).count() > 0 {
        read.notes.push(
            "flows of individual members of ECMP routes and policies are not compared, because each zone numbers them \
             itself; compare Logical_Router_Static_Route and Logical_Router_Policy with ovn_nbctl_list instead"
                .into(),
        );
    }
    let mut rows = Vec::new();
    for datapath in
        read.datapaths.iter().filter(|it| filter.datapaths.is_empty() || filter.datapaths.contains(&it.uuid))
    {
        for flow in read.flows.iter().filter(|flow| flow.is_of(datapath.uuid, &read.datapaths)) {
            let stage = flow.stage.as_deref().unwrap_or("no name");
            let identity = RowIdentity {
                key: format!(
                    "{} {} table={} ({stage}), priority={}, match=({})",
                    datapath.name, flow.pipeline, flow.table, flow.priority, flow.matches
                ),
                local: pods.have(flow),
                needs: port_group(flow).map(str::to_owned),
                fields: match has_own_endpoints(flow) {
                    true => Vec::new(),
                    false => vec![RowField::one("action", flow.actions.clone())],
                },
                ..RowIdentity::default()
            };
            rows.push(Row::with(format!("{}: {}", datapath.name, flow.line()), identity));
        }
        if rows.len() > ROWS {
            return Err(ToolError::bad(
                format!(
                    "{} has more than {ROWS} matching flows, which is the limit of a comparison",
                    node.name()
                ),
                "Filter by datapath or stage.",
            ));
        }
    }
    Ok(rows)
}
