//! The fate of a packet in one line: the port and the pod that receive it, the tunnel and the node, or the flow that
//! drops it.

use mcp_core::{Db, Node};
use openflow::{DropPlace, End};
use ovn_model::{
    UuidPrefix,
    detrace::{Index, kubernetes_owner},
    label,
    lflow::Flow,
    openflow::names::external_cookie,
    switch::{Switch, is_integration},
};
use ovn_path::{Names, pod_of};
use ovsdb::{Row, Select};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The number of fates that are shown. The others are counted.
const SHOWN: usize = 6;

/// The objects behind the fate of a packet: pods, nodes, logical flows and the rows that the flows were made for.
pub(super) struct Behind<'a> {
    /// The bridges of the node, if they are known.
    switch: Option<&'a Switch>,
    /// The nodes by the address at which their tunnels end.
    nodes: BTreeMap<IpAddr, String>,
    flows: Vec<Flow>,
    causes: Vec<Row>,
}

impl<'a> Behind<'a> {
    /// Reads the objects behind the fates of packets. Objects that could not be read have no name.
    pub(super) async fn read(node: &Node<'_>, switch: Option<&'a Switch>, ends: &[End]) -> Self {
        let mut behind = Self { switch, nodes: BTreeMap::new(), flows: Vec::new(), causes: Vec::new() };
        if ends.iter().any(|end| match end {
            End::Larger(_, end) => matches!(**end, End::Tunnel(_)),
            end => matches!(end, End::Tunnel(_)),
        }) {
            let selects = [
                Select::from("Chassis").columns(["name", "hostname"]),
                Select::from("Encap").columns(["chassis_name", "ip"]),
            ];
            let nodes = Names::new(&node.rows(Db::Sb, &selects).await.unwrap_or_default()).nodes;
            let ends = nodes.into_iter().flat_map(|(name, addresses)| {
                addresses.into_iter().map(move |address| (address, name.clone()))
            });
            behind.nodes = ends.collect();
        }
        let cookies: BTreeSet<UuidPrefix> = ends.iter().flat_map(cookies).map(UuidPrefix::cookie).collect();
        if !cookies.is_empty() {
            let rows = named_rows(node, Db::Sb, "Logical_Flow", &cookies).await;
            behind.flows = rows.iter().filter_map(Flow::new).collect();
            let hints = behind.flows.iter().filter_map(|flow| flow.hint.as_ref()?.parse().ok());
            behind.causes = named_rows(node, Db::Nb, "", &hints.collect()).await;
        }
        behind
    }

    /// Returns the verdict in one line.
    pub(super) fn verdict(&self, ends: &[End]) -> String {
        let mut shown: Vec<String> = ends.iter().take(SHOWN).map(|end| self.shown(end)).collect();
        if ends.len() > SHOWN {
            shown.push(format!("and {} more", ends.len() - SHOWN));
        }
        match shown.is_empty() {
            true => "unknown: the trace does not show where the packet goes".into(),
            false => shown.join("; "),
        }
    }

    fn shown(&self, end: &End) -> String {
        match end {
            End::Port(port) => self.port(port),
            End::Tunnel(Some(to)) => match self.nodes.get(to) {
                Some(node) => format!("sent through the tunnel to node {node} ({to})"),
                None => format!("sent through the tunnel to {to}"),
            },
            End::Tunnel(None) => "sent through a tunnel".into(),
            End::Controller => "handed to ovn-controller or another controller".into(),
            End::Lost(why) => format!("lost: {why}"),
            End::Larger(size, end) => format!("if larger than {size} bytes, {}", self.shown(end)),
            End::Unknown(why) => format!("unknown: {why}"),
            End::Dropped(drop) => self.dropped(drop),
        }
    }

    fn port(&self, port: &str) -> String {
        let mut bridges = self.switch.into_iter().flat_map(|switch| &switch.bridges);
        let found = bridges
            .find_map(|(bridge, of)| Some((bridge, of.iter().find(|interface| interface.name == port)?)));
        let Some((bridge, interface)) = found else { return format!("delivered to port {port}") };
        match interface.iface_id.as_deref() {
            _ if bridge == port => format!("delivered to the host through {port}, the bridge's own port"),
            Some(id) if interface.of_pod => match pod_of(id) {
                Some((namespace, pod)) => {
                    format!("delivered to pod {namespace}/{pod} through port {port} of {bridge}")
                }
                None => format!("delivered to logical port {id} through port {port} of {bridge}"),
            },
            Some(id) => format!("delivered to logical port {id} through port {port} of {bridge}"),
            None => format!("delivered to port {port} of {bridge}"),
        }
    }

    fn dropped(&self, drop: &DropPlace) -> String {
        let DropPlace { bridge, table, cookie, before } = drop;
        let Some(cookie) = cookie else {
            return format!("dropped: no flow of {bridge} matches in table {table}");
        };
        let at = format!("flow {cookie:#x} in table {table} of {bridge}");
        if !is_integration(bridge) {
            let owner = external_cookie(*cookie).map_or_else(String::new, |what| format!(" ({what})"));
            return format!("dropped by {at}{owner}");
        }
        let of = |cookie: u64| {
            let prefix = UuidPrefix::cookie(u32::try_from(cookie).ok()?);
            self.flows.iter().find(|flow| prefix.is_of(flow.uuid))
        };
        let Some(flow) = of(*cookie) else {
            return format!("dropped by {at}, which no logical flow of this zone explains");
        };
        let stage = flow.stage.as_deref().unwrap_or("no name");
        let cause = self.cause(flow).or_else(|| {
            // The stages that act on the verdict of an ACL are the same for all ACLs.
            let earlier = before.iter().filter_map(|cookie| self.cause(of(*cookie)?));
            stage.contains("_acl").then(|| earlier.into_iter().find(|row| row.table.name == "ACL"))?
        });
        let cause = cause.map_or_else(String::new, |row| {
            let owner = kubernetes_owner(row).map_or_else(String::new, |owner| format!(" of {owner}"));
            format!(", made for {} {}{owner}", row.table.name, label(row))
        });
        format!(
            "dropped by {at}: logical flow {} of stage {stage}, priority {}{cause}",
            flow.uuid, flow.priority
        )
    }

    fn cause(&self, flow: &Flow) -> Option<&Row> {
        let prefix: UuidPrefix = flow.hint.as_ref()?.parse().ok()?;
        self.causes.iter().find(|row| prefix.is_of(row.uuid))
    }
}

/// Returns the cookies of the integration bridge's flows that may explain why a packet is dropped. OVN's cookies have
/// 32 bits.
fn cookies(end: &End) -> impl Iterator<Item = u32> {
    let end = match end {
        End::Larger(_, end) => end,
        end => end,
    };
    let drop = match end {
        End::Dropped(drop) if is_integration(&drop.bridge) => Some(drop),
        _ => None,
    };
    let all = drop.into_iter().flat_map(|drop| drop.cookie.iter().chain(&drop.before));
    all.filter_map(|cookie| u32::try_from(*cookie).ok()).filter(|cookie| *cookie != 0)
}

/// Returns the rows of a table, or of all tables if none is named, whose UUIDs begin with one of the prefixes.
async fn named_rows(node: &Node<'_>, db: Db, table: &str, prefixes: &BTreeSet<UuidPrefix>) -> Vec<Row> {
    let Ok(schema) = node.schema(db).await else { return Vec::new() };
    let mut selects = Index::selects(&schema);
    selects.retain(|select| table.is_empty() || select.table == table);
    let Ok(read) = node.rows(db, &selects).await else { return Vec::new() };
    let index = Index::new(&read);
    let found: Vec<_> = prefixes.iter().flat_map(|prefix| index.find(prefix)).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let read = node.rows(db, &Index::rows_selects(&found)).await.unwrap_or_default();
    read.into_iter()
        .flat_map(|rows| rows.rows)
        .filter(|row| prefixes.iter().any(|it| it.is_of(row.uuid)))
        .collect()
}
