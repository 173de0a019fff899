//! The flow that the action `learn` adds (`ovs-actions(7)`). A trace adds no flow; a second trace with the learnt flow
//! shows the path of the next packet.

use crate::{field, tokens};
use packet::{Packet, Subfield};

/// A flow that a switch learns from a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearntFlow {
    /// The bridge that gets the flow.
    pub bridge: String,
    /// The flow, as a dump prints it.
    pub line: String,
    /// The number of seconds after which the flow expires if no packet matches it.
    pub idle_timeout: Option<u32>,
}

/// Returns the flow that `learn(…)` adds for a packet, or `None` if a part of the action is not understood.
pub(super) fn learnt(bridge: &str, action: &str, packet: &Packet) -> Option<LearntFlow> {
    let parts = action.strip_prefix("learn(")?.strip_suffix(')')?;
    let (mut head, mut matched, mut actions) = (Vec::new(), Vec::new(), Vec::new());
    let (mut priority, mut idle_timeout) = ("32768", None);
    for part in tokens::split(parts) {
        let part = part.trim();
        match part.split_once('=') {
            _ if part.starts_with("load:") || part.starts_with("output:") => {
                actions.push(done(part, packet)?)
            }
            Some(("table" | "cookie", _)) => head.push(part.to_owned()),
            Some(("priority", value)) => priority = value,
            Some(("idle_timeout", value)) => idle_timeout = Some(value.parse().ok()?),
            Some(("hard_timeout" | "fin_idle_timeout" | "fin_hard_timeout", _)) => {}
            None if matches!(part, "delete_learned" | "send_flow_rem") => {}
            Some((into, from)) if into.contains('[') => {
                matched.push(test(field::subfield(into)?, packet.bits(field::subfield(from)?)));
            }
            Some((name, _)) => {
                field::named(name)?;
                matched.push(part.to_owned());
            }
            None => {
                let bits = field::subfield(part)?;
                matched.push(test(bits, packet.bits(bits)));
            }
        }
    }
    let actions = if actions.is_empty() { "drop".to_owned() } else { actions.join(",") };
    let matched: String = matched.into_iter().map(|part| format!(",{part}")).collect();
    let line = format!(" {}, priority={priority}{matched} actions={actions}", head.join(", "));
    Some(LearntFlow { bridge: bridge.to_owned(), line, idle_timeout })
}

/// Returns an action of the learnt flow, with the value that the packet has now.
fn done(part: &str, packet: &Packet) -> Option<String> {
    if let Some(port) = part.strip_prefix("output:") {
        return Some(format!("output:{}", packet.bits(field::subfield(port)?)));
    }
    let (value, into) = part.strip_prefix("load:")?.split_once("->")?;
    field::subfield(into)?;
    Some(match field::subfield(value) {
        Some(from) => format!("load:{:#x}->{into}", packet.bits(from)),
        None => part.to_owned(),
    })
}

/// Returns the test of a part of a field, as a match prints it.
fn test(bits: Subfield, value: u128) -> String {
    let field = bits.field();
    if bits.is_whole() {
        return format!("{field}={}", field.show(value));
    }
    let mask = packet::bits(bits.width()) << bits.first();
    format!("{field}={:#x}/{mask:#x}", value << bits.first())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ports;

    #[test]
    fn a_learnt_flow_has_values_of_the_packet() {
        let packet = crate::packet(
            "tcp,metadata=0x3,nw_src=10.244.1.5,nw_dst=10.244.1.4,tp_src=40000,tp_dst=5432,reg0=0x1234",
            &Ports::default(),
        );
        let packet = packet.unwrap();
        let affinity = "learn(table=78,idle_timeout=10800,delete_learned,cookie=0x26c0bf62,OXM_OF_METADATA[],eth_type=0x800,NXM_OF_IP_SRC[],ip_dst=10.96.48.82,nw_proto=6,tcp_dst=5432,load:0x1->NXM_NX_REG10[14],load:0xaf40104->NXM_NX_REG4[])";
        let flow = learnt("br-int", affinity, &packet).unwrap();
        assert_eq!(
            flow.line,
            " table=78, cookie=0x26c0bf62, priority=32768,metadata=0x3,eth_type=0x800,ip_src=10.244.1.5,ip_dst=10.96.48.82,nw_proto=6,tcp_dst=5432 actions=load:0x1->NXM_NX_REG10[14],load:0xaf40104->NXM_NX_REG4[]"
        );
        assert_eq!(flow.idle_timeout, Some(10800));
        let reply = "learn(table=69,priority=7,NXM_OF_TCP_SRC[]=NXM_OF_TCP_DST[],NXM_NX_REG0[4..7],load:NXM_NX_REG0[0..3]->NXM_NX_REG1[0..3])";
        let flow = learnt("br-int", reply, &packet).unwrap();
        assert_eq!(
            flow.line,
            " table=69, priority=7,tcp_src=5432,reg0=0x30/0xf0 actions=load:0x4->NXM_NX_REG1[0..3]"
        );
        assert_eq!(learnt("br-int", "learn(table=69,limit=3,result_dst=NXM_NX_REG0[0])", &packet), None);
    }
}
