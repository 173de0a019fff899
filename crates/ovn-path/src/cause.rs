//! The northbound rows that logical flows implement: why a flow exists.

use ipnet::IpNet;
use ovn_lflow::{PacketPath, Pass};
use ovn_model::{UuidPrefix, detrace::kubernetes_owner, label, lflow::Flow};
use ovsdb::{Condition, Row, Select, Uuid};
use packet::{Field, Packet};
use std::{collections::BTreeSet, net::IpAddr};

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

    /// Returns the selects for the rows that share a flow with one of the rows. The caller also passes the rows that it
    /// reads with these selects to [`Self::new`].
    ///
    /// ovn-northd writes one flow for all NAT rows of a router that have the same external address, and the flow names
    /// only one of them. An egress IP is an example: it has a row for each pod.
    pub fn shared_selects<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Select> {
        let nat = rows.into_iter().filter(|row| row.table.name == "NAT");
        let shared: BTreeSet<&str> = nat.filter_map(|row| row.text("external_ip")).collect();
        let routers = Select::from("Logical_Router").columns(["name", "nat"]);
        let of_address = |address: &str| Select::from("NAT").filter(Condition::is("external_ip", address));
        let selects: Vec<Select> = shared.into_iter().map(of_address).collect();
        if selects.is_empty() { selects } else { selects.into_iter().chain([routers]).collect() }
    }

    /// Returns the northbound row that a flow implements.
    pub fn of(&self, flow: &Flow) -> Option<&Row> {
        let prefix: UuidPrefix = flow.hint.as_ref()?.parse().ok()?;
        self.0.iter().find(|row| prefix.is_of(row.uuid))
    }

    /// Describes the rows that decided something in the passes of one datapath, in order, without duplicates.
    pub(crate) fn decisions(&self, passes: &[Pass]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut decisions = Vec::new();
        for flow in passes.iter().flat_map(|pass| &pass.flows) {
            let Some(row) = self.of(flow).filter(|row| !is_descriptive(row)) else { continue };
            let undoes = flow.stage.as_deref().is_some_and(|stage| stage.contains("unsnat"));
            let sharing = if undoes { self.sharing(row) } else { Vec::new() };
            let after = passes.last().and_then(|pass| destination(&pass.packet));
            let fitting = sharing.iter().copied().filter(|row| after.is_some_and(|it| is_inside(row, it)));
            // The most specific row translates: ovn-northd gives its flow the higher priority.
            let (row, note) = match (fitting.max_by_key(|row| prefix_length(row)), sharing.len()) {
                (Some(fitting), _) => (fitting, String::new()),
                (None, 0 | 1) => (row, String::new()),
                (None, count) => (row, format!(" (one of {count} rows that share the flow)")),
            };
            if seen.insert(row.uuid) {
                decisions.push(short(row) + &note);
            }
        }
        decisions
    }

    /// Returns the NAT rows that share the flow of a NAT row: those of the same router with the same external address.
    fn sharing(&self, of: &Row) -> Vec<&Row> {
        let is_nat =
            |row: &&Row| row.table.name == "NAT" && row.text("external_ip") == of.text("external_ip");
        let router = self.0.iter().find(|row| row.refs("nat").any(|nat| nat == of.uuid));
        let in_router =
            |row: &&Row| router.is_none_or(|router| router.refs("nat").any(|nat| nat == row.uuid));
        let mut seen = BTreeSet::new();
        let rows = self.0.iter().filter(is_nat).filter(in_router);
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

/// Returns the IP address to which a packet goes.
fn destination(packet: &Packet) -> Option<IpAddr> {
    match (packet.is_ip4(), packet.is_ip6()) {
        (true, _) => Some(IpAddr::V4((packet.get(Field::IP_DST) as u32).into())),
        (_, true) => Some(IpAddr::V6(packet.get(Field::IPV6_DST).into())),
        _ => None,
    }
}

fn logical_network(nat: &Row) -> Option<IpNet> {
    let text = nat.text("logical_ip")?;
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn is_inside(nat: &Row, address: IpAddr) -> bool {
    logical_network(nat).is_some_and(|network| network.contains(&address))
}

fn prefix_length(nat: &Row) -> u8 {
    logical_network(nat).map_or(0, |network| network.prefix_len())
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
