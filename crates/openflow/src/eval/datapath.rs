//! The datapath actions of a trace: the changes of flows are written when the packet leaves, as one `set` per header.

use super::run::Run;
use packet::{Field, Packet};

/// The reason why userspace handles packets whose headers the datapath cannot set.
const NOT_BY_DATAPATH: &str = "Uses action(s) not supported by datapath.";

/// A field of a header and its name in the datapath.
type Named = (Field, &'static str);

const ETHERNET: &[Named] = &[(Field::ETH_SRC, "src"), (Field::ETH_DST, "dst")];
const IPV4: &[Named] =
    &[(Field::IP_SRC, "src"), (Field::IP_DST, "dst"), (Field::IP_TOS, "tos"), (Field::IP_TTL, "ttl")];
const IPV6: &[Named] = &[
    (Field::IPV6_SRC, "src"),
    (Field::IPV6_DST, "dst"),
    (Field::IPV6_LABEL, "label"),
    (Field::IP_TOS, "tclass"),
    (Field::IP_TTL, "hlimit"),
];
const ARP: &[Named] = &[
    (Field::ARP_SPA, "sip"),
    (Field::ARP_TPA, "tip"),
    (Field::ARP_OP, "op"),
    (Field::ARP_SHA, "sha"),
    (Field::ARP_THA, "tha"),
];
const DISCOVERY: &[Named] = &[(Field::ND_TARGET, "target"), (Field::ND_SLL, "sll"), (Field::ND_TLL, "tll")];
const PORTS: &[Named] = &[(Field::TCP_SRC, "src"), (Field::TCP_DST, "dst")];
const ICMP4: &[Named] = &[(Field::ICMP4_TYPE, "type"), (Field::ICMP4_CODE, "code")];
const ICMP6: &[Named] = &[(Field::ICMP6_TYPE, "type"), (Field::ICMP6_CODE, "code")];

impl Run<'_, '_> {
    /// Adds a datapath action.
    pub(super) fn emit(&mut self, action: impl Into<String>) {
        self.datapath.push(action.into());
    }

    /// Adds an action with inner actions in brackets, or nothing if there are no inner actions.
    pub(super) fn emit_within(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.datapath);
        inner(self);
        let inner = std::mem::replace(&mut self.datapath, outer);
        if !inner.is_empty() {
            self.emit(format!("{name}({})", inner.join(",")));
        }
    }

    /// Writes the changes that flows made since the last write (`commit_odp_actions` in Open vSwitch).
    pub(super) fn commit(&mut self) {
        let is = |field: Field, value: u128| self.packet.get(field) == value;
        let protocol = self.packet.get(Field::IP_PROTO);
        let ip = self.packet.is_ip4() || self.packet.is_ip6();
        let mut headers: Vec<(&str, &[Named], bool)> = vec![("eth", ETHERNET, false)];
        if self.packet.is_ip4() {
            headers.push(("ipv4", IPV4, false));
        } else if self.packet.is_ip6() {
            headers.push(("ipv6", IPV6, false));
            let kind = self.packet.get(Field::ICMP6_TYPE);
            if protocol == 58 && is(Field::ICMP6_CODE, 0) && matches!(kind, 135 | 136) {
                headers.push(("nd", DISCOVERY, true));
            }
        } else if is(Field::ETH_TYPE, 0x0806) || is(Field::ETH_TYPE, 0x8035) {
            headers.push(("arp", ARP, true));
        }
        match protocol {
            6 if ip => headers.push(("tcp", PORTS, false)),
            17 if ip => headers.push(("udp", PORTS, false)),
            132 if ip => headers.push(("sctp", PORTS, false)),
            1 if self.packet.is_ip4() => headers.push(("icmp", ICMP4, true)),
            58 if self.packet.is_ip6() => headers.push(("icmpv6", ICMP6, true)),
            _ => {}
        }
        for (header, fields, by_userspace) in headers {
            let changed = changed(&self.base, &self.packet, fields);
            if !changed.is_empty() {
                if by_userspace {
                    self.slow.insert(NOT_BY_DATAPATH);
                }
                self.emit(format!("set({header}({changed}))"));
            }
        }
        let (before, after) = (self.base.get(Field::VLAN_TCI), self.packet.get(Field::VLAN_TCI));
        if before != after {
            if before & 0x1000 != 0 {
                self.emit("pop_vlan");
            }
            if after & 0x1000 != 0 {
                self.emit(format!("push_vlan(vid={},pcp={})", after & 0xfff, after >> 13));
            }
        }
        for (field, name) in [(Field::SKB_PRIORITY, "skb_priority"), (Field::PKT_MARK, "skb_mark")] {
            let value = self.packet.get(field);
            if self.base.get(field) != value {
                self.emit(format!("set({name}({}))", field.show(value)));
            }
        }
        self.base = self.packet.clone();
    }
}

fn changed(before: &Packet, after: &Packet, fields: &[Named]) -> String {
    let differing = fields.iter().filter(|(field, _)| before.get(*field) != after.get(*field));
    let shown = differing.map(|(field, name)| {
        let value = after.get(*field);
        match *field {
            Field::IP_TOS => format!("{name}={value:#x}"),
            field => format!("{name}={}", field.show(value)),
        }
    });
    shown.collect::<Vec<_>>().join(",")
}
