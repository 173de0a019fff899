//! Why a flow is there: the northbound row that it was made for.

use ovn_lflow::{Pass, Way};
use ovn_model::{UuidPrefix, detrace::kubernetes_owner, label, lflow::Flow};
use ovsdb::{Row, Uuid};
use std::collections::BTreeSet;

/// The northbound rows that flows were made for.
#[derive(Clone, Debug, Default)]
pub struct Causes(Vec<Row>);

/// Rows that say what a port or datapath is rather than what is done with packets.
const PLAIN: &[&str] = &[
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
    /// The beginnings of the UUIDs of the rows that have to be read of a zone's northbound database.
    pub fn hints<'a>(ways: impl IntoIterator<Item = &'a Way>, zone: &str) -> BTreeSet<UuidPrefix> {
        let legs = ways.into_iter().flat_map(|way| &way.legs).filter(|leg| leg.zone == zone);
        let flows = legs.flat_map(|leg| &leg.passes).flat_map(|pass| &pass.flows);
        flows.filter_map(|flow| flow.hint.as_ref()?.parse().ok()).collect()
    }

    /// From those rows.
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// The row that a flow was made for.
    pub fn of(&self, flow: &Flow) -> Option<&Row> {
        let prefix: UuidPrefix = flow.hint.as_ref()?.parse().ok()?;
        self.0.iter().find(|row| prefix.is_of(row.uuid))
    }

    /// The rows that decided something in a pass, in order, each once.
    pub(crate) fn decisions<'a>(&'a self, passes: &'a [Pass]) -> Vec<&'a Row> {
        let mut seen = BTreeSet::new();
        let flows = passes.iter().flat_map(|pass| &pass.flows);
        let rows = flows.filter_map(|flow| self.of(flow)).filter(|row| !is_plain(row));
        rows.filter(|row| seen.insert(row.uuid)).collect()
    }

    /// The flow that a drop or rejection comes from, and its row. The stages that act on the verdict of an ACL are the same for
    /// all ACLs: there, the ACL is behind an earlier flow.
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

fn is_plain(row: &Row) -> bool {
    PLAIN.contains(&row.table.name.as_str())
}

/// What a row is and does, in a few words: `ACL drop NP:shop:Ingress (NetworkPolicy shop/deny)`.
pub(crate) fn short(row: &Row) -> String {
    let action = match row.table.name.as_str() {
        "ACL" | "Logical_Router_Policy" => row.text("action").unwrap_or_default(),
        _ => "",
    };
    let space = if action.is_empty() { "" } else { " " };
    let owner = kubernetes_owner(row).map_or_else(String::new, |owner| format!(" ({owner})"));
    format!("{}{space}{action} {}{owner}", row.table.name, label(row))
}

/// The call that shows more of a row: the Kubernetes object that it was made for, or the row itself.
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
        // What every namespace with a policy has: its policies are the cause.
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
