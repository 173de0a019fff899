//! The northbound rows that logical flows implement: why a flow exists.

use ovn_lflow::{PacketPath, Pass};
use ovn_model::{UuidPrefix, detrace::kubernetes_owner, label, lflow::Flow};
use ovsdb::{Row, Uuid};
use std::collections::BTreeSet;

/// The northbound rows that the logical flows of a zone implement.
#[derive(Clone, Debug, Default)]
pub struct Causes(Vec<Row>);

/// Tables whose rows describe a port or datapath and do not decide what happens to a packet.
const DESCRIPTIVE_TABLES: &[&str] = &[
    "Copp",
    "DHCP_Options",
    "Load_Balancer_Group",
    "Logical_Router",
    "Logical_Router_Port",
    "Logical_Switch",
    "Logical_Switch_Port",
    "Port_Group",
];

impl Causes {
    /// Returns the UUID prefixes of the rows that the caller must read from a zone's northbound database.
    pub fn hints<'a>(paths: impl IntoIterator<Item = &'a PacketPath>, zone: &str) -> BTreeSet<UuidPrefix> {
        let legs = paths.into_iter().flat_map(|path| &path.legs).filter(|leg| leg.zone == zone);
        let flows = legs.flat_map(|leg| &leg.passes).flat_map(|pass| &pass.flows);
        flows.filter_map(|flow| flow.hint.as_ref()?.parse().ok()).collect()
    }

    /// Builds the causes from the rows that [`Self::hints`] names.
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// Returns the northbound row that a flow implements.
    pub fn of(&self, flow: &Flow) -> Option<&Row> {
        let prefix: UuidPrefix = flow.hint.as_ref()?.parse().ok()?;
        self.0.iter().find(|row| prefix.is_of(row.uuid))
    }

    /// Returns the rows that decided something in the passes, in order, without duplicates.
    pub(crate) fn decisions<'a>(&'a self, passes: &'a [Pass]) -> Vec<&'a Row> {
        let mut seen = BTreeSet::new();
        let flows = passes.iter().flat_map(|pass| &pass.flows);
        let rows = flows.filter_map(|flow| self.of(flow)).filter(|row| !is_descriptive(row));
        rows.filter(|row| seen.insert(row.uuid)).collect()
    }

    /// Returns the flow that drops or rejects the packet, and its northbound row. The stages that apply the verdict of
    /// ACLs have the same flows for all ACLs, so there the row is that of an earlier flow.
    pub(crate) fn of_drop<'a>(
        &'a self,
        pass: &'a Pass,
        dropped: Option<Uuid>,
    ) -> (Option<&'a Flow>, Option<&'a Row>) {
        let last = pass.flows.iter().rposition(|flow| Some(flow.uuid) == dropped);
        let flow = last.and_then(|at| pass.flows.get(at));
        let own = flow.and_then(|flow| self.of(flow));
        let is_acl = flow.and_then(|flow| flow.stage.as_ref()).is_some_and(|stage| stage.contains("_acl"));
        if own.is_some() || !is_acl {
            return (flow.map(|flow| &**flow), own);
        }
        let earlier = pass.flows.iter().take(last.unwrap_or(0)).rev();
        let acl = earlier.filter_map(|flow| self.of(flow)).find(|row| row.table.name == "ACL");
        (flow.map(|flow| &**flow), acl)
    }
}

fn is_descriptive(row: &Row) -> bool {
    DESCRIPTIVE_TABLES.contains(&row.table.name.as_str())
}

/// Describes a row in a few words: `ACL drop NP:shop:Ingress (NetworkPolicy shop/deny)`.
pub(crate) fn short(row: &Row) -> String {
    let action = match row.table.name.as_str() {
        "ACL" | "Logical_Router_Policy" => row.text("action").unwrap_or_default(),
        _ => "",
    };
    let space = if action.is_empty() { "" } else { " " };
    let owner = kubernetes_owner(row).map_or_else(String::new, |owner| format!(" ({owner})"));
    format!("{}{space}{action} {}{owner}", row.table.name, label(row))
}

/// Returns the tool calls that show more about a row: its Kubernetes owner, and the row itself.
pub(crate) fn next_call(row: &Row, node: &str) -> String {
    let id = |key| row.map_get("external_ids", key);
    let owner = id("k8s.ovn.org/owner-type")
        .zip(id("k8s.ovn.org/name"))
        .map(|(kind, name)| (kind, name.replace(':', "/")));
    let service =
        id("k8s.ovn.org/kind").zip(id("k8s.ovn.org/owner")).map(|(kind, name)| (kind, name.to_owned()));
    let row_call = format!("ovn_nbctl_list node_name={node} table={} record={}", row.table.name, row.uuid);
    let Some((kind, name)) = service.or(owner) else { return row_call };
    let kind = kind.to_ascii_lowercase();
    match (kind.as_str(), name.split_once('/')) {
        // This default-deny ACL exists in every namespace with a policy, so the cause is the policies of the namespace.
        ("netpolnamespace", _) => {
            let namespace = name.split('/').next().unwrap_or_default();
            format!("kubectl_get kind=networkpolicies namespace={namespace}; {row_call}")
        }
        ("networkpolicy" | "egressfirewall" | "service", Some((namespace, name))) => {
            format!("kubectl_get kind={kind} namespace={namespace} name={name}; {row_call}")
        }
        ("adminnetworkpolicy" | "baselineadminnetworkpolicy" | "egressip", _) => {
            let name = name.split(['/', '_']).next().unwrap_or_default();
            format!("kubectl_get kind={kind} name={name}; {row_call}")
        }
        _ => row_call,
    }
}
