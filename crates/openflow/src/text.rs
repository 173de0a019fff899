//! The text of a trace in the form of `ofproto/trace`.

use crate::eval::{Pass, Trace};
use packet::{CtState, Field, Packet};
use std::fmt;

/// The kind of a line in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Bridge,
    Table,
    Thaw,
    Action,
    Bucket,
    Detail,
    Warning,
    Error,
}

/// A line with the lines below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    mark: Mark,
    text: String,
    pub(crate) subs: Vec<Self>,
}

impl Node {
    pub(crate) fn new(mark: Mark, text: String) -> Self {
        Self { mark, text, subs: Vec::new() }
    }
}

/// The number of `-` in the lines between passes.
const RULE: usize = 79;

/// Prints the trace as `ofproto/trace` does, without the megaflow, which depends on the order in which a switch
/// searches.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pass in &self.passes {
            if let Some(resumed) = &pass.resumed {
                let state = resumed.state;
                let why = match resumed.is_assumed {
                    // Open vSwitch prints this state as a fixed text.
                    true if state == CtState::NEW | CtState::TRK => {
                        "default ct_state=trk|new (use --ct-next to customize)".to_owned()
                    }
                    true => format!("default ct_state={state} (use --ct-next to customize)"),
                    false => format!("ct_state={state}"),
                };
                writeln!(
                    f,
                    "\n{}\nrecirc({:#x}) - resume conntrack with {why}",
                    "=".repeat(RULE),
                    resumed.id
                )?;
                if resumed.is_translated {
                    let shown = |packet: &Packet| {
                        resumed.before.as_ref().map_or(String::new(), |_| addresses(packet))
                    };
                    let before = resumed.before.as_ref().unwrap_or(&pass.begins);
                    writeln!(f, "Replacing src/dst IP/ports to simulate NAT:")?;
                    writeln!(f, " Initial flow: {}", shown(before))?;
                    writeln!(f, " Modified flow: {}", shown(&pass.begins))?;
                }
                writeln!(f, "{}\n", "=".repeat(RULE))?;
            }
            write!(f, "{pass}")?;
        }
        if self.cut {
            writeln!(f, "\nThere are more branches than the limit; the others are not followed.")?;
        }
        Ok(())
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, last] = &self.in_ports;
        writeln!(f, "Flow: {}", flow_by(&self.begins, first))?;
        nodes(f, &self.nodes, 0)?;
        match self.begins == self.ends {
            true => writeln!(f, "\nFinal flow: unchanged")?,
            false => writeln!(f, "\nFinal flow: {}", flow_by(&self.ends, last))?,
        }
        let actions = self.datapath.join(",");
        writeln!(f, "Datapath actions: {}", if actions.is_empty() { "drop" } else { &actions })?;
        if !self.slow.is_empty() {
            writeln!(f, "This flow is handled by the userspace slow path because it:")?;
            self.slow.iter().try_for_each(|why| writeln!(f, "  - {why}"))?;
        }
        Ok(())
    }
}

fn nodes(f: &mut fmt::Formatter<'_>, all: &[Node], level: usize) -> fmt::Result {
    for (at, node) in all.iter().enumerate() {
        let more = at + 1 < all.len() || !matches!(node.mark, Mark::Bridge | Mark::Table | Mark::Thaw);
        let deeper = level + usize::from(more);
        let indent = " ".repeat(4 * deeper);
        let text = &node.text;
        match node.mark {
            Mark::Detail => writeln!(f, "{indent} -> {text}")?,
            Mark::Warning => writeln!(f, "{indent} >> {text}")?,
            Mark::Error => writeln!(f, "{indent} >>>> {text} <<<<")?,
            Mark::Bridge => writeln!(f, "\n{indent}{text}\n{indent}{}", "-".repeat(text.len()))?,
            Mark::Table | Mark::Thaw | Mark::Action | Mark::Bucket => writeln!(f, "{indent}{text}")?,
        }
        nodes(f, &node.subs, deeper + usize::from(more))?;
    }
    Ok(())
}

fn addresses(packet: &Packet) -> String {
    let (source, destination) = match packet.is_ip6() {
        true => (Field::IPV6_SRC, Field::IPV6_DST),
        false => (Field::IP_SRC, Field::IP_DST),
    };
    let name = if packet.is_ip6() { "ipv6" } else { "nw" };
    format!(
        "{name}_src={},tp_src={},{name}_dst={},tp_dst={}",
        source.show(packet.get(source)),
        packet.get(Field::TCP_SRC),
        destination.show(packet.get(destination)),
        packet.get(Field::TCP_DST)
    )
}

/// Returns a packet in the form in which Open vSwitch writes flows: the fields that every packet has, and the others
/// that are not zero.
pub fn flow(packet: &Packet) -> String {
    flow_by(packet, &crate::show_port(packet.get(Field::IN_PORT) as u16))
}

/// Returns the same text with the given name of the input port.
fn flow_by(packet: &Packet, in_port: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut add = |name: &str, field: Field| parts.push(format!("{name}={}", field.show(packet.get(field))));
    let set = |field: &Field| packet.get(*field) != 0;
    let first = [Field::PKT_MARK, Field::RECIRC_ID, Field::DP_HASH, Field::CONJ_ID, Field::SKB_PRIORITY];
    let tracked = [Field::CT_STATE, Field::CT_ZONE, Field::CT_MARK, Field::CT_LABEL];
    first.into_iter().chain(tracked).filter(set).for_each(|field| add(field.name(), field));
    let ethernet = packet.get(Field::ETH_TYPE);
    let protocol = packet.get(Field::IP_PROTO);
    if set(&Field::RECIRC_ID) {
        parts.push("eth".into());
    }
    let version = if packet.is_ip6() { "6" } else { "" };
    match (ethernet, protocol) {
        (0x0800 | 0x86dd, 6) => parts.push(format!("tcp{version}")),
        (0x0800 | 0x86dd, 17) => parts.push(format!("udp{version}")),
        (0x0800 | 0x86dd, 132) => parts.push(format!("sctp{version}")),
        (0x0800, 1) => parts.push("icmp".into()),
        (0x86dd, 58) => parts.push("icmp6".into()),
        (0x0800, _) => parts.push("ip".into()),
        (0x86dd, _) => parts.push("ipv6".into()),
        (0x0806, _) => parts.push("arp".into()),
        (0x8035, _) => parts.push("rarp".into()),
        _ => {}
    }
    let mut add = |name: &str, field: Field| parts.push(format!("{name}={}", field.show(packet.get(field))));
    (0..16).filter_map(Field::reg).filter(set).for_each(|field| add(field.name(), field));
    let tunnel = [Field::TUN_ID, Field::TUN_SRC, Field::TUN_DST, Field::TUN_IPV6_SRC, Field::TUN_IPV6_DST];
    let options = (0..8).filter_map(Field::tun_metadata);
    tunnel.into_iter().chain(options).filter(set).for_each(|field| add(field.name(), field));
    Some(Field::METADATA).filter(set).into_iter().for_each(|field| add("metadata", field));
    parts.push(format!("in_port={in_port}"));
    match packet.get(Field::VLAN_TCI) {
        0 => parts.push("vlan_tci=0x0000".into()),
        tag => parts.push(format!("dl_vlan={},dl_vlan_pcp={},vlan_tci1=0x0000", tag & 0xfff, tag >> 13)),
    }
    let mut add = |name: &str, field: Field| parts.push(format!("{name}={}", field.show(packet.get(field))));
    add("dl_src", Field::ETH_SRC);
    add("dl_dst", Field::ETH_DST);
    match ethernet {
        0x0806 | 0x8035 => {
            for field in [Field::ARP_SPA, Field::ARP_TPA, Field::ARP_OP, Field::ARP_SHA, Field::ARP_THA] {
                add(field.name(), field);
            }
        }
        0x0800 | 0x86dd => {
            match packet.is_ip6() {
                true => {
                    add("ipv6_src", Field::IPV6_SRC);
                    add("ipv6_dst", Field::IPV6_DST);
                    parts.push(format!("ipv6_label=0x{:05x}", packet.get(Field::IPV6_LABEL)));
                }
                false => {
                    add("nw_src", Field::IP_SRC);
                    add("nw_dst", Field::IP_DST);
                }
            }
            transport(packet, protocol, &mut parts);
        }
        other => parts.push(format!("dl_type=0x{other:04x}")),
    }
    parts.join(",")
}

/// Adds the fields of IP and of the protocols above it.
fn transport(packet: &Packet, protocol: u128, parts: &mut Vec<String>) {
    let known = matches!((packet.is_ip6(), protocol), (_, 6 | 17 | 132) | (false, 1) | (true, 58));
    if !known {
        parts.push(format!("nw_proto={protocol}"));
    }
    let fragment = match packet.get(Field::IP_FRAG) {
        0 => "no",
        1 => "first",
        _ => "later",
    };
    parts.push(format!(
        "nw_tos={},nw_ecn={},nw_ttl={},nw_frag={fragment}",
        packet.get(Field::IP_TOS) & 0xfc,
        packet.get(Field::IP_ECN),
        packet.get(Field::IP_TTL)
    ));
    let (source, destination) = (packet.get(Field::TCP_SRC), packet.get(Field::TCP_DST));
    match (packet.is_ip6(), protocol) {
        (_, 6 | 17 | 132) => parts.push(format!("tp_src={source},tp_dst={destination}")),
        (false, 1) | (true, 58) => parts.push(format!("icmp_type={source},icmp_code={destination}")),
        _ => {}
    }
    match (packet.is_ip6(), protocol, source) {
        (_, 6, _) => match packet.get(Field::TCP_FLAGS) {
            0 => parts.push("tcp_flags=0".into()),
            flags => parts.push(format!("tcp_flags={flags:#x}")),
        },
        (true, 58, 135 | 136) => {
            for field in [Field::ND_TARGET, Field::ND_SLL, Field::ND_TLL] {
                parts.push(format!("{}={}", field.name(), field.show(packet.get(field))));
            }
        }
        _ => {}
    }
}
