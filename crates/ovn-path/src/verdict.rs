//! Describes how the paths of a packet end.

use crate::{
    cause::{Causes, next_call, short},
    route::{header, neighbour_request_target, refusal},
};
use ovn_lflow::{Choice, End, Leg, PacketPath, Pass, PathOutcome, Start, Zone};
use packet::{Field, Packet};
use std::collections::BTreeMap;

/// What happens to a packet, ordered from the best to the worst outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerdictKind {
    /// The packet arrives at a port.
    Delivered,
    /// OVN asks for the MAC address of a neighbour first, and forwards the packet when it gets the reply.
    Waiting,
    /// ovn-controller handles the packet.
    Taken,
    /// The trace cannot determine what happens.
    Unknown,
    /// The sender receives a refusal, such as a TCP reset.
    Refused,
    /// A flow drops the packet.
    Dropped,
}

impl VerdictKind {
    /// Returns the word that the text of a verdict begins with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Waiting => "waiting",
            Self::Taken => "handled by ovn-controller",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}

/// How one path of a packet ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What happens to the packet.
    pub kind: VerdictKind,
    /// Where and why it happens, in one line that begins with the word of the kind.
    pub text: String,
    /// The tool call that shows more about the cause.
    pub next: Option<String>,
}

/// Paths with the same verdict.
#[derive(Clone, Debug)]
pub struct VerdictGroup<'a> {
    /// The common verdict of the paths.
    pub verdict: Verdict,
    /// The paths, at least one.
    pub paths: Vec<&'a PacketPath>,
}

impl Verdict {
    /// Returns the verdict on a path. `zones` and `causes` are those of its legs, by zone name.
    pub fn of(path: &PacketPath, zones: &BTreeMap<String, Zone>, causes: &BTreeMap<String, Causes>) -> Self {
        let Some(leg) = path.legs.last() else { return Self::unknown("the trace has no path") };
        let none = Causes::default();
        let at = PathEnd { leg, zone: zones.get(&leg.zone), causes: causes.get(&leg.zone).unwrap_or(&none) };
        match &path.outcome {
            PathOutcome::End(End::Delivered { port, kind, packet, .. }) => {
                let first = path.legs.first().and_then(|leg| leg.passes.first()).map(|pass| &pass.packet);
                if let Some(what) = refusal(packet).filter(|_| first.is_some_and(|it| refusal(it).is_none()))
                {
                    return Self::refused(path, what, zones, causes);
                }
                if let Some(target) = neighbour_request_target(packet)
                    .filter(|_| first.is_some_and(|it| neighbour_request_target(it).is_none()))
                {
                    return at.waiting(port, &target);
                }
                let text = format!("{} as {}", arrived(port, kind, &leg.zone), header(packet));
                Self { kind: VerdictKind::Delivered, text, next: None }
            }
            PathOutcome::End(End::Dropped { stage, flow, why, .. }) => {
                at.dropped(stage, *flow, why.as_deref())
            }
            PathOutcome::Lost { port, why, unknown: true, .. } => {
                Self::unknown(&format!("after port {port}, {why}"))
            }
            PathOutcome::Lost { port, why, .. } => Self {
                kind: VerdictKind::Dropped,
                text: format!("dropped between zones, after port {port} of {}: {why}", leg.zone),
                next: Some("ovn_sbctl_list node_name=all table=Port_Binding record=".to_owned() + port),
            },
            PathOutcome::Taken => at.taken(),
        }
    }

    fn refused(
        path: &PacketPath,
        what: &str,
        zones: &BTreeMap<String, Zone>,
        causes: &BTreeMap<String, Causes>,
    ) -> Self {
        const REFUSING: &[&str] = &["reject", "tcp_reset", "sctp_abort", "icmp4", "icmp6"];
        let none = Causes::default();
        let refusing = |actions: &str| REFUSING.iter().any(|word| actions.contains(word));
        let passes = path.legs.iter().flat_map(|leg| leg.passes.iter().map(move |pass| (leg, pass)));
        for (leg, pass) in passes.collect::<Vec<_>>().into_iter().rev() {
            let Some(flow) = pass.flows.iter().rev().find(|flow| refusing(&flow.actions)) else { continue };
            let at =
                PathEnd { leg, zone: zones.get(&leg.zone), causes: causes.get(&leg.zone).unwrap_or(&none) };
            let (_, row) = at.causes.of_drop(pass, Some(flow.uuid));
            let stage = flow.stage.as_deref().unwrap_or_default();
            let by = row.map_or_else(|| drop_reason(stage, false).to_owned(), short);
            let (place, number) = (at.datapath(pass), flow.uuid.first32());
            return Self {
                kind: VerdictKind::Refused,
                text: format!(
                    "refused by {by}: the sender gets {what}; in {place}, stage {stage}, flow {number:08x} with priority {}",
                    flow.priority
                ),
                next: row.map(|row| next_call(row, &leg.zone)),
            };
        }
        Self { kind: VerdictKind::Refused, text: format!("refused: the sender gets {what}"), next: None }
    }

    fn unknown(why: &str) -> Self {
        Self { kind: VerdictKind::Unknown, text: format!("unknown: {why}"), next: None }
    }
}

/// The end of a path.
struct PathEnd<'a> {
    leg: &'a Leg,
    zone: Option<&'a Zone>,
    causes: &'a Causes,
}

impl PathEnd<'_> {
    /// Describes the datapath of a pass: `switch ovn-worker of zone ovn-worker`.
    fn datapath(&self, pass: &Pass) -> String {
        let datapath = self.zone.and_then(|zone| zone.datapaths.get(pass.datapath));
        let kind = if datapath.is_some_and(|it| it.is_switch) { "switch" } else { "router" };
        format!("{kind} {} of zone {}", datapath.map_or("", |it| it.name.as_str()), self.leg.zone)
    }

    fn dropped(&self, stage: &str, flow: Option<ovsdb::Uuid>, why: Option<&str>) -> Verdict {
        let Some(pass) = self.leg.passes.last() else { return Verdict::unknown("the trace has no path") };
        let (found, row) = self.causes.of_drop(pass, flow);
        let flow = match found {
            Some(flow) => format!("flow {:08x} with priority {}", flow.uuid.first32(), flow.priority),
            None => "no flow matches".to_owned(),
        };
        let reason = match (row, why) {
            // The row names what the engineer wrote, so it says more than the evaluator's reason.
            (Some(row), _) => format!("by {}", short(row)),
            (None, Some(why)) => format!("because {why}"),
            (None, None) => format!("by {}", drop_reason(stage, found.is_none())),
        };
        let name =
            self.zone.and_then(|zone| zone.datapaths.get(pass.datapath)).map_or("", |it| it.name.as_str());
        let node = &self.leg.zone;
        let next = match row {
            Some(row) => next_call(row, node),
            None => format!("ovn_sbctl_lflow_list node_name={node} datapath={name} stage={stage}"),
        };
        let text = format!("dropped {reason}; in {}, stage {stage}, {flow}", self.datapath(pass));
        Verdict { kind: VerdictKind::Dropped, text, next: Some(next) }
    }

    fn waiting(&self, port: &str, target: &str) -> Verdict {
        let zone = &self.leg.zone;
        Verdict {
            kind: VerdictKind::Waiting,
            text: format!(
                "waiting for the MAC address of {target}: zone {zone} has not learnt it and sends a request through port {port}; the packet continues when {target} replies"
            ),
            next: Some(format!("ovn_sbctl_list node_name={zone} table=MAC_Binding grep={target}")),
        }
    }

    fn taken(&self) -> Verdict {
        let Some(pass) = self.leg.passes.last() else { return Verdict::unknown("the trace has no path") };
        let by = pass.flows.last().map_or_else(String::new, |flow| {
            let stage = flow.stage.as_deref().unwrap_or_default();
            format!(", stage {stage}, flow {:08x}: {}", flow.uuid.first32(), flow.actions)
        });
        let text = format!("handled by ovn-controller: in {}{by}", self.datapath(pass));
        Verdict { kind: VerdictKind::Taken, text, next: None }
    }
}

/// Describes the port where a packet arrives.
fn arrived(port: &str, kind: &str, node: &str) -> String {
    match kind {
        "localnet" => format!("delivered to the external network through port {port} of node {node}"),
        "" if port.starts_with("k8s-") => format!("delivered to the host of node {node} through port {port}"),
        "" => match pod_of(port) {
            Some((namespace, pod)) => format!("delivered to pod {namespace}/{pod} on {node}"),
            None => format!("delivered to port {port} on {node}"),
        },
        kind => format!("delivered to port {port} of type {kind} on {node}"),
    }
}

/// Returns the namespace and the name of the pod of a logical port. The port is called `<namespace>_<pod>`, and on
/// other networks the name of the network attachment comes before it.
pub fn pod_of(port: &str) -> Option<(&str, &str)> {
    let (before, pod) = port.rsplit_once('_')?;
    Some((before.rsplit('_').next()?, pod))
}

/// Describes why a stage drops packets if no northbound row is known.
fn drop_reason(stage: &str, no_flow: bool) -> &'static str {
    let reasons = [
        ("port_sec", "port security: the port may not use these source addresses"),
        ("_acl", "the ACLs: none of them allows the packet"),
        ("ip_routing", "routing: the router has no route to the destination"),
        ("policy", "a routing policy"),
        ("admission", "admission control: this router port does not accept the destination MAC address"),
        ("arp_resolve", "next hop resolution: the MAC address of the next hop is unknown"),
        ("l2_unknown", "the destination MAC address: no port of the switch has it"),
        ("l2_lkup", "the destination MAC address: no port of the switch has it"),
        ("larger_pkts", "the packet size: it exceeds the MTU of the path"),
        ("ip_input", "the router itself: it neither accepts nor forwards this packet"),
        ("_lb", "a service without endpoints"),
        ("dnat", "a service without endpoints"),
    ];
    let found = reasons.iter().find(|(part, _)| stage.contains(part)).map(|(_, reason)| *reason);
    found.unwrap_or(if no_flow {
        "the stage, in which no flow matches"
    } else {
        "a flow without a northbound row"
    })
}

/// Groups the paths by their verdict, in the order of the first path of each group.
pub fn group_by_verdict<'a>(
    paths: &'a [PacketPath],
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
) -> Vec<VerdictGroup<'a>> {
    let mut groups: Vec<VerdictGroup<'a>> = Vec::new();
    for path in paths {
        let verdict = Verdict::of(path, zones, causes);
        match groups.iter_mut().find(|it| it.verdict == verdict) {
            Some(same) => same.paths.push(path),
            None => groups.push(VerdictGroup { verdict, paths: vec![path] }),
        }
    }
    groups
}

impl VerdictGroup<'_> {
    /// Describes the choices that lead to this verdict: `backend 10.244.0.3:8080`. Returns an empty text without
    /// choices.
    pub fn choices(&self) -> String {
        /// The limit of choices that are shown; the others are counted.
        const SHOWN: usize = 4;
        let one = |choice: &Choice| format!("{} {}", choice.what, choice.taken);
        let of_path = |path: &&PacketPath| path.choices.iter().map(one).collect::<Vec<_>>().join(", ");
        let mut all: Vec<String> = self.paths.iter().map(of_path).filter(|text| !text.is_empty()).collect();
        all.dedup();
        let more = all.len().saturating_sub(SHOWN);
        all.truncate(SHOWN);
        let more = if more > 0 { format!(" or {more} more") } else { String::new() };
        all.join(" or ") + &more
    }
}

/// Returns the reply to a delivered packet: the zone in which it starts, and the start of its trace.
pub fn reply_to(path: &PacketPath, zones: &BTreeMap<String, Zone>) -> Option<(String, Start)> {
    let PathOutcome::End(End::Delivered { port, packet, .. }) = &path.outcome else { return None };
    let zone = &path.legs.last()?.zone;
    let mut back: Packet = (**packet).clone();
    back.clear_ct();
    for register in (0..16).filter_map(Field::reg) {
        back.set(register, 0);
    }
    let mut swap = |a: Field, b: Field| {
        back.set(a, packet.get(b));
        back.set(b, packet.get(a));
    };
    swap(Field::ETH_SRC, Field::ETH_DST);
    swap(Field::IP_SRC, Field::IP_DST);
    swap(Field::IPV6_SRC, Field::IPV6_DST);
    if packet.has_ports() {
        swap(Field::TCP_SRC, Field::TCP_DST);
    }
    match (packet.get(Field::IP_PROTO), packet.get(Field::ICMP4_TYPE)) {
        (1, 8) => back.set(Field::ICMP4_TYPE, 0),
        (58, 128) => back.set(Field::ICMP6_TYPE, 129),
        _ => {}
    }
    back.set(Field::IP_TTL, 64);
    Some((zone.clone(), Start::at(zones.get(zone)?, port, back)?))
}
