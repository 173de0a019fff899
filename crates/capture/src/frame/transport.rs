//! TCP (RFC 9293), UDP (RFC 768) and SCTP (RFC 9260).

use etherparse::ip_number;

use super::{
    FrameProblem, Tcp, Transport, Udp, UdpContent, dns, geneve, icmp,
    input::{Depth, Input},
    tls,
};

/// The length of the headers in bytes, without options.
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// The ports of what a datagram carries.
const DNS: u16 = 53;
const MULTICAST_DNS: u16 = 5353;
const GENEVE: u16 = 6081;

/// What the header says, and why it is not dissected to its end.
type Dissected = (Transport, Option<FrameProblem>);

/// Dissects what follows the IP header and its extensions. A first fragment is not `is_whole`.
pub(super) fn dissect(
    protocol: u8,
    is_v6: bool,
    is_whole: bool,
    input: Input<'_>,
    depth: Depth,
) -> Dissected {
    match etherparse::IpNumber(protocol) {
        ip_number::TCP => tcp(input),
        ip_number::UDP => udp(input, is_whole, depth),
        ip_number::SCTP => sctp(input),
        ip_number::ICMP if !is_v6 => icmp::dissect(input, false, depth),
        ip_number::IPV6_ICMP if is_v6 => icmp::dissect(input, true, depth),
        _ => (Transport::Other, None),
    }
}

/// Returns what an incomplete header has.
fn incomplete(input: Input<'_>, name: &'static str, sequence: Option<u32>) -> Dissected {
    let transport = match (input.u16(0), input.u16(2)) {
        (Some(source), Some(destination)) => Transport::Ports(source, destination, sequence),
        _ => Transport::Unknown,
    };
    (transport, Some(input.lacks(name)))
}

fn sctp(input: Input<'_>) -> Dissected {
    match (input.u16(0), input.u16(2), input.u32(4)) {
        (Some(source), Some(destination), Some(tag)) => (Transport::Sctp(source, destination, tag), None),
        _ => incomplete(input, "SCTP", None),
    }
}

fn udp(input: Input<'_>, is_whole: bool, depth: Depth) -> Dissected {
    let Some([s0, s1, d0, d1, l0, l1, _, _]) = input.array::<UDP_HEADER>(0) else {
        return incomplete(input, "UDP", None);
    };
    let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let stated = usize::from(u16::from_be_bytes([l0, l1]));
    let room = input.length();
    let (payload, mut problem) = match stated {
        // The length of a datagram that is longer than the header can say (RFC 2675).
        0 => (room - UDP_HEADER, None),
        1..UDP_HEADER => (0, Some(FrameProblem::Malformed("UDP"))),
        // Only a fragment ends before its datagram.
        _ if is_whole && stated > room && !depth.quoted => {
            (stated - UDP_HEADER, Some(FrameProblem::Malformed("UDP")))
        }
        _ => (stated - UDP_HEADER, None),
    };
    let content = if problem.is_some() {
        UdpContent::Other
    } else {
        let datagram = input.after(UDP_HEADER).limit(payload);
        let (content, inner) = content(source, destination, datagram, depth);
        problem = inner;
        content
    };
    let payload = u32::try_from(payload).unwrap_or(u32::MAX);
    (Transport::Udp(Box::new(Udp { source, destination, payload, content })), problem)
}

fn content(
    source: u16,
    destination: u16,
    input: Input<'_>,
    depth: Depth,
) -> (UdpContent, Option<FrameProblem>) {
    let has = |port| source == port || destination == port;
    if destination == GENEVE && depth.tunnels < Depth::TUNNELS {
        geneve::dissect(input, depth)
    } else if has(DNS) || has(MULTICAST_DNS) {
        dns::dissect(input)
    } else {
        (UdpContent::Other, None)
    }
}

fn tcp(input: Input<'_>) -> Dissected {
    let Some(header) = input.array::<TCP_HEADER>(0) else {
        return incomplete(input, "TCP", input.u32(4));
    };
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, f0, f1, w0, w1, ..] = header;
    let mut tcp = Tcp {
        source: u16::from_be_bytes([s0, s1]),
        destination: u16::from_be_bytes([d0, d1]),
        sequence: u32::from_be_bytes([q0, q1, q2, q3]),
        acknowledgment: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: u16::from_be_bytes([f0, f1]) & 0xfff,
        window: u16::from_be_bytes([w0, w1]),
        mss: None,
        window_scale: None,
        sack: Vec::new(),
        timestamps: None,
        payload: 0,
        tls: Vec::new(),
    };
    let header = usize::from(f0 >> 4) * 4;
    let Some(payload) = input.length().checked_sub(header).filter(|_| header >= TCP_HEADER) else {
        return (Transport::Tcp(Box::new(tcp)), Some(FrameProblem::Malformed("TCP")));
    };
    tcp.payload = u32::try_from(payload).unwrap_or(u32::MAX);
    let problem = options(&mut tcp, input.limit(header).after(TCP_HEADER));
    let problem = if problem.is_none() && payload > 0 {
        let (records, problem) = tls::records(input.after(header));
        tcp.tls = records;
        problem
    } else {
        problem
    };
    (Transport::Tcp(Box::new(tcp)), problem)
}

/// Reads the options. An option that the dissector does not know is skipped by its length: etherparse would end there,
/// but multipath TCP and fast open put options before known ones.
fn options(tcp: &mut Tcp, mut options: Input<'_>) -> Option<FrameProblem> {
    const NAME: &str = "TCP options";
    let malformed = Some(FrameProblem::Malformed(NAME));
    while options.length() > 0 {
        let Some(kind) = options.u8(0) else { return Some(options.lacks(NAME)) };
        let length = match kind {
            0 => return None,
            1 => 1,
            _ => match options.u8(1).map(usize::from) {
                Some(..2) => return malformed,
                Some(length) if length > options.length() => return malformed,
                Some(length) => length,
                None => return Some(options.lacks(NAME)),
            },
        };
        let option = options.limit(length);
        if option.bytes.len() < length {
            return Some(option.lacks(NAME));
        }
        match (kind, length) {
            (2, 4) => tcp.mss = option.u16(2),
            (3, 3) => tcp.window_scale = option.u8(2),
            (8, 10) => tcp.timestamps = option.u32(2).zip(option.u32(6)),
            (5, _) => {
                let ranges = (2..length).step_by(8).map_while(|at| option.u32(at).zip(option.u32(at + 4)));
                tcp.sack = ranges.collect();
            }
            _ => {}
        }
        options = options.after(length);
    }
    None
}
