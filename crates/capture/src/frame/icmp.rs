//! ICMP (RFC 792), ICMPv6 (RFC 4443) and neighbor discovery (RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use super::{
    FrameProblem, Icmp, Transport,
    input::{Depth, Input},
    ip,
};

/// The length of the header of a message in bytes, with the field whose meaning depends on the type.
const HEADER: usize = 8;

/// Dissects an ICMP message. An error about an error does not exist (RFC 1122, section 3.2.2), so the packet in an
/// error has no packet inside.
pub(super) fn dissect(input: Input<'_>, v6: bool, depth: Depth) -> (Transport, Option<FrameProblem>) {
    let Some([kind, code]) = input.array(0) else { return (Transport::Unknown, Some(input.lacks("ICMP"))) };
    let is_echo = if v6 { matches!(kind, 128 | 129) } else { matches!(kind, 0 | 8) };
    let is_error = if v6 { matches!(kind, 1..=4) } else { matches!(kind, 3 | 4 | 5 | 11 | 12) };
    let is_neighbor = v6 && matches!(kind, 135 | 136);
    let mtu = match (v6, kind, code) {
        (false, 3, 4) => input.u16(6).map(u32::from),
        (true, 2, _) => input.u32(4),
        _ => None,
    };
    let quoted = match is_error && !depth.quoted {
        true => ip::quoted(input.after(HEADER), depth.tunnels),
        false => None,
    };
    let is_short = input.bytes.len() < HEADER
        || (is_neighbor && input.bytes.len() < HEADER + 16)
        // A sender repeats as much of a packet as it likes, so only a cut capture is a problem.
        || (is_error && !depth.quoted && input.is_cut() && !matches!(quoted, Some((_, None))));
    let target: Option<[u8; 16]> = if is_neighbor { input.array(HEADER) } else { None };
    let icmp = Icmp {
        v6,
        kind,
        code,
        echo: if is_echo { input.u16(4).zip(input.u16(6)) } else { None },
        mtu,
        about: quoted.map(|(ip, _)| Box::new(ip)),
        neighbor: target.map(|target| IpAddr::V6(Ipv6Addr::from(target))),
    };
    (Transport::Icmp(Box::new(icmp)), is_short.then(|| input.lacks("ICMP")))
}
