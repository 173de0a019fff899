//! Geneve (RFC 8926) with the option of OVN (ovn-architecture(7), "Tunnel Encapsulations").

use super::{
    Frame, FrameProblem, Geneve, Network, OvnPorts, UdpContent,
    input::{Depth, Input},
    link,
};

/// The length of the header in bytes, without options.
const HEADER: usize = 8;

/// The class and the type of OVN's option. The highest bit of the type says that the option is critical.
const OVN_OPTION: (u16, u8) = (0x0102, 0x80);

/// The EtherType of an Ethernet frame in a tunnel.
const ETHERNET: u16 = 0x6558;

/// Dissects a tunnel header and the frame in the tunnel.
pub(super) fn dissect(input: Input<'_>, depth: Depth) -> (UdpContent, Option<FrameProblem>) {
    let Some([first, flags, p0, p1, v0, v1, v2, _]) = input.array::<HEADER>(0) else {
        return (UdpContent::Other, Some(input.lacks("Geneve")));
    };
    // RFC 8926, section 3.4: another version than 0 is dropped.
    if first >> 6 != 0 {
        return (UdpContent::Other, Some(FrameProblem::Malformed("Geneve")));
    }
    let length = usize::from(first & 0x3f) * 4;
    let (ports, problem) = options(input.after(HEADER).limit(length));
    let payload = input.after(HEADER + length);
    let kind = u16::from_be_bytes([p0, p1]);
    let depth = Depth { tunnels: depth.tunnels + 1, ..depth };
    let inner = if problem.is_some() {
        Frame { macs: (None, None), vlans: Vec::new(), network: Network::Unknown, problem: None }
    } else if kind == ETHERNET {
        link::ethernet(payload, depth)
    } else if kind == 0 && payload.length() == 0 {
        Frame { macs: (None, None), vlans: Vec::new(), network: Network::Other(0), problem: None }
    } else {
        link::follow((None, None), kind, payload, depth)
    };
    let geneve =
        Geneve { vni: u32::from_be_bytes([0, v0, v1, v2]), ports, control: flags & 0x80 != 0, inner };
    (UdpContent::Geneve(Box::new(geneve)), problem)
}

/// Returns the ports in OVN's option.
fn options(mut options: Input<'_>) -> (Option<OvnPorts>, Option<FrameProblem>) {
    let mut ports = None;
    while options.length() > 0 {
        let Some([c0, c1, kind, length]) = options.array(0) else {
            return (ports, Some(options.lacks("Geneve options")));
        };
        let length = usize::from(length & 0x1f) * 4;
        let value = options.after(4).limit(length);
        if value.bytes.len() < length {
            return (ports, Some(value.lacks("Geneve options")));
        }
        if (u16::from_be_bytes([c0, c1]), kind) == OVN_OPTION && length == 4 {
            ports = value
                .u16(0)
                .zip(value.u16(2))
                .map(|(ingress, egress)| OvnPorts { ingress: ingress & 0x7fff, egress });
        }
        options = options.after(4 + length);
    }
    (ports, None)
}
