//! Random transport headers and what they carry.

use fastrand::Rng;

use crate::{
    application,
    build::{Around, bytes, ethernet, ip, pick, v6_address},
};

/// A port that no dissector of tshark claims.
fn free_port(rng: &mut Rng) -> u16 {
    rng.u16(61_000..65_000)
}

/// Returns the number of a protocol and its packet.
pub(crate) fn transport(rng: &mut Rng, is_v6: bool, around: Around) -> (u8, Vec<u8>) {
    match rng.u8(0..12) {
        0..4 => (6, tcp(rng)),
        4 => {
            let length = rng.usize(0..60);
            let payload = bytes(rng, length);
            let (source, destination) = (free_port(rng), free_port(rng));
            (17, udp(source, destination, payload))
        }
        5 | 6 => {
            let port = *pick(rng, &[53, 53, 53, 5353]);
            let message = application::dns(rng);
            let (from, to) =
                if message[2] & 0x80 == 0 { (free_port(rng), port) } else { (port, free_port(rng)) };
            (17, udp(from, to, message))
        }
        7 | 8 if around.tunnels < 2 && !around.quoted => {
            let port = free_port(rng);
            (17, udp(port, 6081, geneve(rng, around)))
        }
        // tshark does not dissect SCTP in an ICMP error.
        9 if !around.quoted => (132, sctp(rng)),
        10 => (253, bytes(rng, 20)),
        _ if is_v6 => (58, icmp_v6(rng, around)),
        _ => (1, icmp(rng, around)),
    }
}

fn udp(source: u16, destination: u16, payload: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a short datagram");
    let header = [source, destination, length, 0].map(u16::to_be_bytes).concat();
    [header, payload].concat()
}

fn sctp(rng: &mut Rng) -> Vec<u8> {
    let mut packet = [free_port(rng), free_port(rng)].map(u16::to_be_bytes).concat();
    packet.extend(bytes(rng, 8));
    // A chunk: the acknowledgment of a cookie.
    packet.extend([11, 0, 0, 4]);
    packet
}

fn tcp(rng: &mut Rng) -> Vec<u8> {
    let flags: u16 = *pick(rng, &[2, 0x12, 0x10, 0x18, 0x11, 4, 0x14, 0xc2, 0x52, 0x38, 0x110, 0]);
    let is_syn = flags & 2 != 0;
    let mut options = Vec::new();
    if is_syn && rng.u8(0..5) > 0 {
        options.extend([2, 4]);
        options.extend(rng.u16(..).to_be_bytes());
    }
    // An experimental option before known ones.
    if rng.u8(0..5) == 0 {
        options.extend([253, 4, 0xab, 0xcd]);
    }
    if is_syn && rng.bool() {
        options.extend([4, 2, 1, 3, 3, rng.u8(0..15)]);
    }
    if rng.u8(0..4) > 0 {
        options.extend([1, 1, 8, 10]);
        options.extend(bytes(rng, 8));
    }
    if !is_syn && rng.u8(0..3) == 0 {
        let ranges = rng.u8(1..3);
        options.extend([1, 1, 5, 2 + 8 * ranges]);
        options.extend(bytes(rng, 8 * usize::from(ranges)));
    }
    options.resize(options.len().next_multiple_of(4), 0);
    let (port, payload) = match (flags & 8 != 0, rng.u8(0..3)) {
        (true, 0) => {
            let length = rng.usize(1..200);
            (free_port(rng), bytes(rng, length))
        }
        (true, _) => (443, application::tls(rng)),
        (false, _) => (*pick(rng, &[80, 443, 6443, 8080]), Vec::new()),
    };
    let (source, destination) = if rng.bool() { (port, free_port(rng)) } else { (free_port(rng), port) };
    let words = u16::try_from(5 + options.len() / 4).expect("at most 15 words");
    let mut segment = [source, destination].map(u16::to_be_bytes).concat();
    segment.extend(bytes(rng, 8));
    segment.extend(((words << 12) | flags).to_be_bytes());
    segment.extend(bytes(rng, 4));
    segment.extend([0, 0]);
    segment.extend(options);
    segment.extend(payload);
    segment
}

/// Returns a tunnel header with OVN's option among others, and a frame or an IP packet.
fn geneve(rng: &mut Rng, around: Around) -> Vec<u8> {
    let around = Around { tunnels: around.tunnels + 1, ..around };
    let mut options = Vec::new();
    let other = |rng: &mut Rng| [vec![0xff, 0xfe, rng.u8(1..5), 2], bytes(rng, 8)].concat();
    if rng.u8(0..5) == 0 {
        options.extend(other(rng));
    }
    if rng.u8(0..5) > 0 {
        options.extend([1, 2, 0x80, 1]);
        // The highest bit is reserved.
        options.extend((rng.u16(..) & 0x7fff).to_be_bytes());
        options.extend(rng.u16(..).to_be_bytes());
    }
    if rng.u8(0..5) == 0 {
        options.extend(other(rng));
    }
    let (kind, inner) = if rng.u8(0..8) == 0 { ip(rng, around) } else { (0x6558, ethernet(rng, around)) };
    let mut packet =
        vec![u8::try_from(options.len() / 4).expect("few options"), *pick(rng, &[0, 0x40, 0x80])];
    packet.extend(kind.to_be_bytes());
    packet.extend(bytes(rng, 3));
    packet.push(0);
    packet.extend(options);
    packet.extend(inner);
    packet
}

/// Returns the beginning of a packet that an error is about: 8 bytes after the header, or more.
fn quoted(rng: &mut Rng, is_v6: bool, around: Around) -> Vec<u8> {
    let around = Around { quoted: true, ..around };
    loop {
        let (kind, mut packet) = ip(rng, around);
        if (kind == 0x86dd) == is_v6 {
            // An ICMPv6 error repeats as much as fits (RFC 4443, section 3.1). Between the two lengths for IPv4 tshark
            // shows more or less of a TCP header than the dissector.
            let header = 4 * usize::from(packet[0] & 15);
            let length = if rng.bool() { header + 8 } else { rng.usize(header + 44..header + 150) };
            packet.truncate(if is_v6 { 1232 } else { length });
            return packet;
        }
    }
}

fn icmp(rng: &mut Rng, around: Around) -> Vec<u8> {
    if around.quoted || rng.bool() {
        let mut message = vec![*pick(rng, &[0, 8]), 0, 0, 0];
        message.extend(bytes(rng, 4));
        message.extend(bytes(rng, 56));
        return message;
    }
    let (kind, code) =
        *pick(rng, &[(3, 0), (3, 1), (3, 3), (3, 4), (3, 10), (3, 13), (4, 0), (11, 0), (12, 0)]);
    let mut message = vec![kind, code, 0, 0];
    message.extend(match (kind, code) {
        (3, 4) => [vec![0, 0], rng.u16(..).to_be_bytes().to_vec()].concat(),
        _ => vec![0; 4],
    });
    message.extend(quoted(rng, false, around));
    message
}

fn icmp_v6(rng: &mut Rng, around: Around) -> Vec<u8> {
    match rng.u8(0..4) {
        0 => {
            let mut message = vec![*pick(rng, &[135, 136]), 0, 0, 0, 0, 0, 0, 0];
            message.extend(v6_address(rng).octets());
            message.extend([1, 1]);
            message.extend(bytes(rng, 6));
            message
        }
        1 | 2 if !around.quoted => {
            let (kind, code) = *pick(rng, &[(1, 0), (1, 1), (1, 3), (1, 4), (2, 0), (3, 0), (4, 1)]);
            let mut message = vec![kind, code, 0, 0];
            message.extend(if kind == 2 { rng.u32(1280..9000).to_be_bytes() } else { [0; 4] });
            message.extend(quoted(rng, true, around));
            message
        }
        _ => {
            let mut message = vec![*pick(rng, &[128, 129]), 0, 0, 0];
            message.extend(bytes(rng, 20));
            message
        }
    }
}
