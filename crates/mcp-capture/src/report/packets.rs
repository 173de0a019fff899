//! The list of packets, one line each.

use super::{TunnelNames, counted_packets};
use crate::source::{Packet, PointRead};
use capture::{
    frame::{Frame, Network, OvnPorts, Transport, UdpContent},
    text,
};
use mcp_core::{Answer, Row};

/// The maximum number of packets that are kept as lines.
const MOST: usize = 50_000;

/// The packets that a question selects.
#[derive(Debug, Default)]
pub(super) struct PacketList {
    lines: Vec<PacketLine>,
    left_out: u64,
}

/// A packet in one line.
#[derive(Debug)]
struct PacketLine {
    nanos: u64,
    point: usize,
    line: String,
    /// The tunnel around the packet, whose name follows the line.
    tunnel: Option<(u32, Option<OvnPorts>)>,
}

impl PacketList {
    pub(super) fn take(&mut self, packet: &Packet<'_>) {
        if self.lines.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let Packet { nanos, point, frame, .. } = *packet;
        self.lines.push(PacketLine { nanos, point, line: text::line(nanos, frame), tunnel: tunnel(frame) });
    }

    /// Whether a packet is in a tunnel.
    pub(super) fn has_tunnels(&self) -> bool {
        self.lines.iter().any(|line| line.tunnel.is_some())
    }

    /// Returns the packets of all points, sorted by time.
    pub(super) fn answer(mut self, points: &[PointRead], names: &TunnelNames) -> Answer {
        self.lines.sort_by_key(|line| (line.nanos, line.point));
        let row = |PacketLine { point, line, tunnel, .. }: PacketLine| {
            let at = points.get(point).filter(|_| points.len() > 1);
            let at = at.map(|read| format!("{}: ", read.name)).unwrap_or_default();
            let tunnel = tunnel.map(|(vni, ports)| format!(" ({})", names.tunnel(vni, ports)));
            Row::line(format!("{at}{line}{}", tunnel.unwrap_or_default()))
        };
        let mut notes = Vec::new();
        if self.left_out > 0 {
            notes.push(format!(
                "the last {} are not listed; select fewer packets with address, port, protocol, since or until",
                counted_packets(self.left_out)
            ));
        }
        let rows = self.lines.into_iter().map(row).collect();
        Answer { rows, if_empty: "no packet matches the question".into(), notes, ..Answer::default() }
    }
}

/// Returns the tunnel of a frame.
fn tunnel(frame: &Frame) -> Option<(u32, Option<OvnPorts>)> {
    let Network::Ip(ip) = &frame.network else { return None };
    let Transport::Udp(udp) = &ip.transport else { return None };
    let UdpContent::Geneve(geneve) = &udp.content else { return None };
    Some((geneve.vni, geneve.ports))
}
