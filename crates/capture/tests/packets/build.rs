//! Random frames: links, VLAN tags, ARP, and IP with options, extensions and fragments.

use std::net::{Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use crate::layers;

/// The link of a random frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Cooked,
    Cooked2,
    Raw,
    Null,
}

impl Link {
    pub(crate) const ALL: [Self; 5] = [Self::Ethernet, Self::Cooked, Self::Cooked2, Self::Raw, Self::Null];

    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Cooked => 113,
            Self::Cooked2 => 276,
            Self::Raw => 101,
            Self::Null => 0,
        }
    }
}

/// What is around a packet, which decides what it can carry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Around {
    /// The number of tunnels.
    pub(crate) tunnels: usize,
    /// The packet is in an ICMP error.
    pub(crate) quoted: bool,
}

pub(crate) fn frame(rng: &mut Rng, link: Link) -> Vec<u8> {
    match link {
        Link::Ethernet => ethernet(rng, Around::default()),
        Link::Cooked => {
            let (kind, packet) = packet(rng, Around::default());
            let mut frame = vec![0, 4, 0, 1, 0, 6];
            frame.extend(bytes(rng, 6));
            frame.extend([0, 0]);
            frame.extend(kind.to_be_bytes());
            frame.extend(packet);
            frame
        }
        Link::Cooked2 => {
            let (kind, packet) = packet(rng, Around::default());
            let mut frame = kind.to_be_bytes().to_vec();
            frame.extend([0, 0, 0, 0, 0, rng.u8(1..9), 0, 1, 0, 6]);
            frame.extend(bytes(rng, 6));
            frame.extend([0, 0]);
            frame.extend(packet);
            frame
        }
        Link::Raw => ip(rng, Around::default()).1,
        Link::Null => {
            let (kind, packet) = ip(rng, Around::default());
            let family: u32 = if kind == 0x0800 { 2 } else { *pick(rng, &[24, 28, 30]) };
            let family = if rng.bool() { family.to_be_bytes() } else { family.to_le_bytes() };
            [family.to_vec(), packet].concat()
        }
    }
}

/// Returns an Ethernet frame, with up to two VLAN tags and sometimes with padding.
pub(crate) fn ethernet(rng: &mut Rng, around: Around) -> Vec<u8> {
    let (kind, packet) = packet(rng, around);
    let mut frame = vec![2];
    frame.extend(bytes(rng, 5));
    frame.push(2);
    frame.extend(bytes(rng, 5));
    let tags: &[u16] = match rng.u8(0..6) {
        0 => &[0x8100],
        1 => &[0x8100, 0x8100],
        2 if around.tunnels == 0 => &[0x88a8, 0x8100],
        _ => &[],
    };
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend(rng.u16(..).to_be_bytes());
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(packet);
    if frame.len() < 60 && rng.bool() {
        frame.resize(60, 0);
    }
    frame
}

fn packet(rng: &mut Rng, around: Around) -> (u16, Vec<u8>) {
    if rng.u8(0..10) == 0 { (0x0806, arp(rng)) } else { ip(rng, around) }
}

fn arp(rng: &mut Rng) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, rng.u8(1..3)];
    for _ in 0..2 {
        arp.extend(bytes(rng, 6));
        arp.extend(v4_address(rng).octets());
    }
    arp
}

/// Returns the EtherType of an IP packet and the packet.
pub(crate) fn ip(rng: &mut Rng, around: Around) -> (u16, Vec<u8>) {
    if rng.u8(0..3) == 0 { (0x86dd, v6(rng, around)) } else { (0x0800, v4(rng, around)) }
}

fn v4(rng: &mut Rng, around: Around) -> Vec<u8> {
    let (mut protocol, mut payload) = layers::transport(rng, false, around);
    if !around.quoted && rng.u8(0..20) == 0 {
        // An authentication header with an integrity value of 12 bytes.
        let mut header = vec![protocol, 4, 0, 0];
        header.extend(bytes(rng, 20));
        payload = [header, payload].concat();
        protocol = 51;
    }
    let options: Vec<u8> = match rng.u8(0..6) {
        0 => vec![148, 4, 0, 0],
        1 => [vec![1; 3], vec![0], vec![0; 4 * rng.usize(0..9)]].concat(),
        _ => Vec::new(),
    };
    let place: u16 = match rng.u8(0..8) {
        0 => 0x2000,
        1 => 0x2000 | rng.u16(1..8000),
        2 => rng.u16(1..8000),
        3..6 => 0x4000,
        _ => 0,
    };
    // Only the last fragment can have any length.
    let place = if payload.len().is_multiple_of(8) { place } else { place & !0x2000 };
    let words = 5 + u8::try_from(options.len() / 4).expect("at most 10 words");
    let length = u16::try_from(20 + options.len() + payload.len()).expect("a short packet");
    let mut packet = vec![0x40 | words, rng.u8(..)];
    packet.extend(length.to_be_bytes());
    packet.extend(rng.u16(..).to_be_bytes());
    packet.extend(place.to_be_bytes());
    packet.extend([rng.u8(1..), protocol]);
    packet.extend(rng.u16(..).to_be_bytes());
    packet.extend(v4_address(rng).octets());
    packet.extend(v4_address(rng).octets());
    packet.extend(options);
    packet.extend(payload);
    packet
}

fn v6(rng: &mut Rng, around: Around) -> Vec<u8> {
    let (protocol, mut payload) = layers::transport(rng, true, around);
    let mut next = protocol;
    // The extension headers are added from the last to the first.
    if rng.u8(0..6) == 0 {
        let place: u16 = match rng.u8(0..3) {
            0 => 1,
            1 => (rng.u16(1..8000) << 3) | 1,
            _ => rng.u16(1..8000) << 3,
        };
        let mut header = vec![next, 0];
        header.extend(place.to_be_bytes());
        header.extend(rng.u32(..).to_be_bytes());
        payload = [header, payload].concat();
        next = 44;
    }
    for kind in [43, 60, 0] {
        if rng.u8(0..8) == 0 {
            let more = rng.u8(0..3);
            let header = match kind {
                // Segment routing's type is not used, and no segment is left.
                43 => [vec![next, more, 253, 0], vec![0; 4 + 8 * usize::from(more)]].concat(),
                // One option: padding.
                _ => [vec![next, more, 1, 4 + 8 * more], vec![0; 4 + 8 * usize::from(more)]].concat(),
            };
            payload = [header, payload].concat();
            next = kind;
        }
    }
    let mut packet = vec![0x60 | rng.u8(0..16), rng.u8(..)];
    packet.extend(bytes(rng, 2));
    packet.extend(u16::try_from(payload.len()).expect("a short packet").to_be_bytes());
    packet.extend([next, rng.u8(1..)]);
    packet.extend(v6_address(rng).octets());
    packet.extend(v6_address(rng).octets());
    packet.extend(payload);
    packet
}

pub(crate) fn v4_address(rng: &mut Rng) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, rng.u8(0..4), rng.u8(1..5))
}

pub(crate) fn v6_address(rng: &mut Rng) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x10, 0x244, rng.u16(0..4), 0, 0, 0, rng.u16(1..5))
}

pub(crate) fn bytes(rng: &mut Rng, length: usize) -> Vec<u8> {
    (0..length).map(|_| rng.u8(..)).collect()
}

pub(crate) fn pick<'a, T>(rng: &mut Rng, all: &'a [T]) -> &'a T {
    &all[rng.usize(..all.len())]
}
