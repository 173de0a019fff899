//! How the ways of a packet end, in words.

use crate::{
    cause::{Causes, next_call, short},
    route::{asks_for, header, refuses},
};
use ovn_lflow::{Choice, End, Leg, Outcome, Pass, Start, Way, Zone};
use packet::{Field, Packet};
use std::collections::BTreeMap;

/// What becomes of a packet, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It arrives at a port.
    Delivered,
    /// It arrives as soon as a neighbour has told its MAC address.
    Waiting,
    /// ovn-controller handles it.
    Taken,
    /// What becomes of it cannot be known.
    Unknown,
    /// Its sender is told that it is not wanted.
    Refused,
    /// A flow drops it.
    Dropped,
}

impl Kind {
    /// The word that a verdict begins with.
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

/// How one way of a packet ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the packet.
    pub kind: Kind,
    /// Where and why, in one line that begins with the word of the kind.
    pub text: String,
    /// The call that shows more of the cause.
    pub next: Option<String>,
}

/// Ways that end alike.
#[derive(Clone, Debug)]
pub struct Folded<'a> {
    /// How they end.
    pub verdict: Verdict,
    /// The ways, at least one.
    pub ways: Vec<&'a Way>,
}

impl Verdict {
    /// The verdict on a way. `zones` and `causes` are those of its legs, by the name of the zone.
    pub fn of(way: &Way, zones: &BTreeMap<String, Zone>, causes: &BTreeMap<String, Causes>) -> Self {
        let Some(leg) = way.legs.last() else { return Self::unknown("the packet went nowhere") };
        let none = Causes::default();
        let at = At { leg, zone: zones.get(&leg.zone), causes: causes.get(&leg.zone).unwrap_or(&none) };
        match &way.outcome {
            Outcome::End(End::Delivered { port, kind, packet, .. }) => {
                let first = way.legs.first().and_then(|leg| leg.passes.first()).map(|pass| &pass.packet);
                if let Some(what) = refuses(packet).filter(|_| first.is_some_and(|it| refuses(it).is_none()))
                {
                    return Self::refused(way, what, zones, causes);
                }
                if let Some(target) =
                    asks_for(packet).filter(|_| first.is_some_and(|it| asks_for(it).is_none()))
                {
                    return at.waiting(port, &target);
                }
                let text = format!("{} as {}", arrived(port, kind, &leg.zone), header(packet));
                Self { kind: Kind::Delivered, text, next: None }
            }
            Outcome::End(End::Dropped { stage, flow, why, .. }) => at.dropped(stage, *flow, why.as_deref()),
            Outcome::Lost { port, why, unknown: true, .. } => {
                Self::unknown(&format!("after port {port}, {why}"))
            }
            Outcome::Lost { port, why, .. } => Self {
                kind: Kind::Dropped,
                text: format!("dropped between zones, after port {port} of {}: {why}", leg.zone),
                next: Some("ovn_sbctl_list node_name=all table=Port_Binding record=".to_owned() + port),
            },
            Outcome::Taken => at.taken(),
        }
    }

    fn refused(
        way: &Way,
        what: &str,
        zones: &BTreeMap<String, Zone>,
        causes: &BTreeMap<String, Causes>,
    ) -> Self {
        const REFUSING: &[&str] = &["reject", "tcp_reset", "sctp_abort", "icmp4", "icmp6"];
        let none = Causes::default();
        let refusing = |actions: &str| REFUSING.iter().any(|word| actions.contains(word));
        let passes = way.legs.iter().flat_map(|leg| leg.passes.iter().map(move |pass| (leg, pass)));
        for (leg, pass) in passes.collect::<Vec<_>>().into_iter().rev() {
            let Some(flow) = pass.flows.iter().rev().find(|flow| refusing(&flow.actions)) else { continue };
            let at = At { leg, zone: zones.get(&leg.zone), causes: causes.get(&leg.zone).unwrap_or(&none) };
            let (_, row) = at.causes.of_drop(pass, Some(flow.uuid));
            let stage = flow.stage.as_deref().unwrap_or_default();
            let by = row.map_or_else(|| of_stage(stage, false).to_owned(), short);
            let (place, number) = (at.datapath(pass), flow.uuid.first32());
            return Self {
                kind: Kind::Refused,
                text: format!(
                    "refused by {by}: the sender gets {what}; in {place}, stage {stage}, flow {number:08x} of priority {}",
                    flow.priority
                ),
                next: row.map(|row| next_call(row, &leg.zone)),
            };
        }
        Self { kind: Kind::Refused, text: format!("refused: the sender gets {what}"), next: None }
    }

    fn unknown(why: &str) -> Self {
        Self { kind: Kind::Unknown, text: format!("unknown: {why}"), next: None }
    }
}

/// The place where a way ends.
struct At<'a> {
    leg: &'a Leg,
    zone: Option<&'a Zone>,
    causes: &'a Causes,
}

impl At<'_> {
    /// `switch ovn-worker on ovn-worker`
    fn datapath(&self, pass: &Pass) -> String {
        let datapath = self.zone.and_then(|zone| zone.datapaths.get(pass.datapath));
        let kind = if datapath.is_some_and(|it| it.is_switch) { "switch" } else { "router" };
        format!("{kind} {} of zone {}", datapath.map_or("", |it| it.name.as_str()), self.leg.zone)
    }

    fn dropped(&self, stage: &str, flow: Option<ovsdb::Uuid>, why: Option<&str>) -> Verdict {
        let Some(pass) = self.leg.passes.last() else { return Verdict::unknown("the packet went nowhere") };
        let (found, row) = self.causes.of_drop(pass, flow);
        let flow = match found {
            Some(flow) => format!("flow {:08x} of priority {}", flow.uuid.first32(), flow.priority),
            None => "no flow matches".to_owned(),
        };
        let reason = match (row, why) {
            (_, Some(why)) => why.to_owned(),
            (Some(row), None) => short(row),
            (None, None) => of_stage(stage, found.is_none()).to_owned(),
        };
        let name =
            self.zone.and_then(|zone| zone.datapaths.get(pass.datapath)).map_or("", |it| it.name.as_str());
        let node = &self.leg.zone;
        let next = match row {
            Some(row) => next_call(row, node),
            None => format!("ovn_sbctl_lflow_list node_name={node} datapath={name} stage={stage}"),
        };
        let text = format!("dropped by {reason}: in {}, stage {stage}, {flow}", self.datapath(pass));
        Verdict { kind: Kind::Dropped, text, next: Some(next) }
    }

    fn waiting(&self, port: &str, target: &str) -> Verdict {
        let zone = &self.leg.zone;
        Verdict {
            kind: Kind::Waiting,
            text: format!(
                "waiting for the MAC address of {target}: zone {zone} has not learnt it and asks for it by port {port}; the packet goes on when {target} answers"
            ),
            next: Some(format!("ovn_sbctl_list node_name={zone} table=MAC_Binding grep={target}")),
        }
    }

    fn taken(&self) -> Verdict {
        let Some(pass) = self.leg.passes.last() else { return Verdict::unknown("the packet went nowhere") };
        let by = pass.flows.last().map_or_else(String::new, |flow| {
            let stage = flow.stage.as_deref().unwrap_or_default();
            format!(", stage {stage}, flow {:08x}: {}", flow.uuid.first32(), flow.actions)
        });
        let text = format!("handled by ovn-controller: in {}{by}", self.datapath(pass));
        Verdict { kind: Kind::Taken, text, next: None }
    }
}

/// Where a packet arrives.
fn arrived(port: &str, kind: &str, node: &str) -> String {
    match kind {
        "localnet" => format!("delivered to the network outside, which node {node} reaches by port {port},"),
        "" if port.starts_with("k8s-") => format!("delivered to the host of node {node} by port {port}"),
        "" => match pod_of(port) {
            Some((namespace, pod)) => format!("delivered to pod {namespace}/{pod} on {node}"),
            None => format!("delivered to port {port} on {node}"),
        },
        kind => format!("delivered to port {port} of type {kind} on {node}"),
    }
}

/// The pod of a port: `<namespace>_<pod>`, on other networks after the network attachment's name.
fn pod_of(port: &str) -> Option<(&str, &str)> {
    let (before, pod) = port.rsplit_once('_')?;
    Some((before.rsplit('_').next()?, pod))
}

/// What a stage drops packets for, where no northbound row is behind it.
fn of_stage(stage: &str, no_flow: bool) -> &'static str {
    let reasons = [
        ("port_sec", "port security: the source addresses are not those of the port"),
        ("_acl", "the verdict of the ACLs: none allows the packet"),
        ("ip_routing", "routing: the router has no route to the destination"),
        ("policy", "a routing policy"),
        (
            "admission",
            "admission: the router does not take packets with this destination MAC address at this port",
        ),
        ("arp_resolve", "next hop: its MAC address is not known"),
        ("l2_unknown", "the destination MAC address, which no port of the switch has"),
        ("l2_lkup", "the destination MAC address, which no port of the switch has"),
        ("larger_pkts", "size: the packet is larger than the MTU of the way"),
        ("ip_input", "the router itself: the packet is not one that it takes or forwards"),
        ("_lb", "a service without endpoints"),
        ("dnat", "a service without endpoints"),
    ];
    let found = reasons.iter().find(|(part, _)| stage.contains(part)).map(|(_, reason)| *reason);
    found.unwrap_or(if no_flow { "a stage in which no flow matches" } else { "a flow of no northbound row" })
}

/// Ways that end alike, together, in the order of their first.
pub fn fold<'a>(
    ways: &'a [Way],
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
) -> Vec<Folded<'a>> {
    let mut folded: Vec<Folded<'a>> = Vec::new();
    for way in ways {
        let verdict = Verdict::of(way, zones, causes);
        match folded.iter_mut().find(|it| it.verdict == verdict) {
            Some(same) => same.ways.push(way),
            None => folded.push(Folded { verdict, ways: vec![way] }),
        }
    }
    folded
}

impl Folded<'_> {
    /// The choices that lead here: `backend 10.244.0.3:8080`; nothing where there were none.
    pub fn choices(&self) -> String {
        /// More are counted.
        const SHOWN: usize = 4;
        let one = |choice: &Choice| format!("{} {}", choice.what, choice.taken);
        let of_way = |way: &&Way| way.choices.iter().map(one).collect::<Vec<_>>().join(", ");
        let mut all: Vec<String> = self.ways.iter().map(of_way).filter(|text| !text.is_empty()).collect();
        all.dedup();
        let more = all.len().saturating_sub(SHOWN);
        all.truncate(SHOWN);
        let more = if more > 0 { format!(" or {more} others") } else { String::new() };
        all.join(" or ") + &more
    }
}

/// The answer to a packet that was delivered: in which zone it begins, and with what.
pub fn answer_to(way: &Way, zones: &BTreeMap<String, Zone>) -> Option<(String, Start)> {
    let Outcome::End(End::Delivered { port, packet, .. }) = &way.outcome else { return None };
    let zone = &way.legs.last()?.zone;
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
