//! The fate of a packet in one line: the port and the pod that receive it, the tunnel and the node, or the flow that
//! drops it.

use mcp_core::{Db, Node, ReadError, chain};
use openflow::{End, FlowPlace};
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
    /// The southbound rows that are no logical flows and have OpenFlow flows of their own.
    others: Vec<Row>,
    /// Why the logical flows or the rows that they were made for are unknown.
    unread: Option<String>,
}

impl<'a> Behind<'a> {
    /// Reads the objects behind the fates of packets. Objects that could not be read have no name.
    pub(super) async fn read(node: &Node<'_>, switch: Option<&'a Switch>, ends: &[End]) -> Self {
        let mut behind = Self {
            switch,
            nodes: BTreeMap::new(),
            flows: Vec::new(),
            causes: Vec::new(),
            others: Vec::new(),
            unread: None,
        };
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
            behind.unread = behind.explain(node, &cookies).await.err().map(|e| chain(&e));
        }
        behind
    }

    /// Reads the logical flows of the cookies, and the rows that the flows were made for.
    async fn explain(&mut self, node: &Node<'_>, cookies: &BTreeSet<UuidPrefix>) -> Result<(), ReadError> {
        let rows = named_rows(node, Db::Sb, cookies).await?;
        let (flows, others): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.table.name == "Logical_Flow");
        self.flows = flows.iter().filter_map(Flow::new).collect();
        self.others = others;
        let hints = self.flows.iter().filter_map(|flow| flow.hint.as_ref()?.parse().ok());
        self.causes = named_rows(node, Db::Nb, &hints.collect()).await?;
        Ok(())
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
            End::Controller(place) if self.is_refusal(place) => {
                format!("refused: ovn-controller answers the sender, because of {}", self.flow(place))
            }
            End::Controller(place) => format!("handed to a controller by {}", self.flow(place)),
            End::Lost(why) => format!("lost: {why}"),
            End::Larger(size, end) => match &**end {
                // Nearly every trace has this branch, so its rows are not read.
                End::Controller(place) => {
                    format!("if larger than {size} bytes, handed to a controller by {}", numbers(place))
                }
                end => format!("if larger than {size} bytes, {}", self.shown(end)),
            },
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

    fn dropped(&self, place: &FlowPlace) -> String {
        match place.cookie {
            Some(_) => format!("dropped by {}", self.flow(place)),
            None => format!("dropped: no flow of {} matches in table {}", place.bridge, place.table),
        }
    }

    /// Whether the logical flow behind a flow makes ovn-controller answer the sender with a TCP reset or an ICMP error
    /// (ovn-sb(5), the actions of `Logical_Flow`).
    fn is_refusal(&self, place: &FlowPlace) -> bool {
        const ANSWERS: [&str; 5] = ["reject", "tcp_reset", "sctp_abort", "icmp4", "icmp6"];
        let flow =
            place.cookie.filter(|_| is_integration(&place.bridge)).and_then(|cookie| self.logical(cookie));
        let words = flow.into_iter().flat_map(|flow| flow.actions.split([';', '{', ' ']));
        words.map(str::trim).any(|word| ANSWERS.contains(&word))
    }

    /// Returns the logical flow that has this cookie.
    fn logical(&self, cookie: u64) -> Option<&Flow> {
        let prefix = UuidPrefix::cookie(u32::try_from(cookie).ok()?);
        self.flows.iter().find(|flow| prefix.is_of(flow.uuid))
    }

    /// Returns the flow that decides the fate of a packet, with the rows behind it.
    fn flow(&self, place: &FlowPlace) -> String {
        let FlowPlace { bridge, cookie, before, .. } = place;
        let (at, cookie) = (numbers(place), &cookie.unwrap_or(0));
        if !is_integration(bridge) {
            let owner = external_cookie(*cookie).map_or_else(String::new, |what| format!(" ({what})"));
            return format!("{at}{owner}");
        }
        let Some(flow) = self.logical(*cookie) else {
            let prefix = u32::try_from(*cookie).ok().map(UuidPrefix::cookie);
            let row = prefix.and_then(|it| self.others.iter().find(|row| it.is_of(row.uuid)));
            return match (row, &self.unread) {
                (Some(row), _) => format!("{at}, made for {} {}", row.table.name, label(row)),
                (None, Some(why)) => format!("{at}, whose logical flow is unknown: {why}"),
                (None, None) => format!("{at}, which no row of this zone's southbound database explains"),
            };
        };
        let stage = flow.stage.as_deref().unwrap_or("no name");
        let cause = self.cause(flow).or_else(|| {
            // The stages that act on the verdict of an ACL are the same for all ACLs.
            let earlier = before.iter().filter_map(|cookie| self.cause(self.logical(*cookie)?));
            stage.contains("_acl").then(|| earlier.into_iter().find(|row| row.table.name == "ACL"))?
        });
        let cause = match (cause, &self.unread) {
            (Some(row), _) => {
                let owner = kubernetes_owner(row).map_or_else(String::new, |owner| format!(" of {owner}"));
                format!(", made for {} {}{owner}", row.table.name, label(row))
            }
            (None, Some(why)) if flow.hint.is_some() => format!(", made for an unknown row: {why}"),
            (None, _) => String::new(),
        };
        format!("{at}: logical flow {} of stage {stage}, priority {}{cause}", flow.uuid, flow.priority)
    }

    fn cause(&self, flow: &Flow) -> Option<&Row> {
        let prefix: UuidPrefix = flow.hint.as_ref()?.parse().ok()?;
        self.causes.iter().find(|row| prefix.is_of(row.uuid))
    }
}

/// Returns the flow by its cookie, table and bridge.
fn numbers(place: &FlowPlace) -> String {
    format!("flow {:#x} in table {} of {}", place.cookie.unwrap_or(0), place.table, place.bridge)
}

/// Returns the cookies of the integration bridge's flows that may explain the fate of a packet. OVN's cookies have
/// 32 bits.
fn cookies(end: &End) -> impl Iterator<Item = u32> {
    let place = match end {
        End::Dropped(place) | End::Controller(place) => Some(place),
        End::Larger(_, end) => match &**end {
            End::Dropped(place) => Some(place),
            _ => None,
        },
        _ => None,
    };
    let place = place.filter(|place| is_integration(&place.bridge));
    let all = place.into_iter().flat_map(|place| place.cookie.iter().chain(&place.before));
    all.filter_map(|cookie| u32::try_from(*cookie).ok()).filter(|cookie| *cookie != 0)
}

/// Returns the rows of all tables whose UUIDs begin with one of the prefixes.
async fn named_rows(node: &Node<'_>, db: Db, prefixes: &BTreeSet<UuidPrefix>) -> Result<Vec<Row>, ReadError> {
    let schema = node.schema(db).await?;
    let read = node.rows(db, &Index::selects(&schema)).await?;
    let index = Index::new(&read);
    let found: Vec<_> = prefixes.iter().flat_map(|prefix| index.find(prefix)).collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let read = node.rows(db, &Index::rows_selects(&found)).await?;
    let rows = read.into_iter().flat_map(|rows| rows.rows);
    Ok(rows.filter(|row| prefixes.iter().any(|it| it.is_of(row.uuid))).collect())
}
