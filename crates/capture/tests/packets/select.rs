//! Filters against what tshark says about the same packets.
//!
//! For each field tshark gives the values of all packets in a frame. So one condition holds if any value meets it, and
//! that is also what several conditions mean if a frame has only one packet. If it has several packets, then one of
//! them must meet all conditions.

use std::{fs, net::IpAddr};

use capture::{
    frame::{Frame, LinkType, Tcp},
    select::{Protocol, Select},
};
use fastrand::Rng;
use ipnet::IpNet;

use crate::{
    build::{self, Link, pick},
    program::{self, Packet, Pcap},
};

const FIELDS: [&str; 24] = [
    "ip.src",
    "ipv6.src",
    "arp.src.proto_ipv4",
    "ip.dst",
    "ipv6.dst",
    "arp.dst.proto_ipv4",
    "icmpv6.nd.ns.target_address",
    "icmpv6.nd.na.target_address",
    "tcp.srcport",
    "udp.srcport",
    "sctp.srcport",
    "tcp.dstport",
    "udp.dstport",
    "sctp.dstport",
    "ip.proto",
    "ah.next_header",
    "ipv6.nxt",
    "ipv6.hopopts.nxt",
    "ipv6.routing.nxt",
    "ipv6.dstopts.nxt",
    "ipv6.fraghdr.nxt",
    "tcp.flags",
    "arp.opcode",
    "frame.number",
];

/// What tshark says about a frame.
struct Theirs(Vec<String>);

impl Theirs {
    /// Returns the values of the fields in this range.
    fn values(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = &str> {
        self.0[range].iter().flat_map(|values| values.split(',')).filter(|value| !value.is_empty())
    }

    /// Returns true if the frame has one packet.
    fn is_simple(&self) -> bool {
        self.values(0..3).count() <= 1
    }

    fn matches(&self, select: &Select) -> bool {
        let within = |range, prefix: &IpNet| {
            self.values(range).any(|value| prefix.contains(&value.parse::<IpAddr>().expect("an address")))
        };
        let has = |range, number: u16| self.values(range).any(|value| value.parse() == Ok(number));
        let number = |value: &str| u16::from_str_radix(value.strip_prefix("0x").expect("a number"), 16);
        select.addresses.iter().all(|prefix| within(0..8, prefix))
            && select.source.is_none_or(|prefix| within(0..3, &prefix))
            && select.destination.is_none_or(|prefix| within(3..6, &prefix))
            && select.ports.iter().all(|port| has(8..14, *port))
            && select.source_port.is_none_or(|port| has(8..11, port))
            && select.destination_port.is_none_or(|port| has(11..14, port))
            && match select.protocol {
                None => true,
                Some(Protocol::Arp) => self.values(22..23).count() > 0,
                Some(Protocol::Icmp) => has(14..21, 1) || has(14..21, 58),
                Some(Protocol::Number(wanted)) => has(14..21, u16::from(wanted)),
            }
            && (select.flags == 0
                || self.values(21..22).any(|value| number(value).expect("flags") & select.flags != 0))
    }
}

/// Adds one random condition, which often meets the packets of [`build`].
fn restrict(rng: &mut Rng, select: &mut Select) {
    let prefix = |rng: &mut Rng| match rng.u8(0..5) {
        0 => IpNet::new(build::v6_address(rng).into(), *pick(rng, &[48, 64, 128])).expect("a prefix"),
        1 => "10.244.0.0/16".parse().expect("a prefix"),
        2 => IpNet::new(build::v4_address(rng).into(), 32).expect("a prefix"),
        _ => IpNet::new(build::v4_address(rng).into(), 24).expect("a prefix"),
    };
    let port = |rng: &mut Rng| *pick(rng, &[53, 80, 443, 5353, 6081, 6443, 8080]);
    match rng.u8(0..9) {
        0 | 1 => select.addresses.push(prefix(rng)),
        2 => select.source = Some(prefix(rng)),
        3 => select.destination = Some(prefix(rng)),
        4 => select.ports.push(port(rng)),
        5 => select.source_port = Some(port(rng)),
        6 => select.destination_port = Some(port(rng)),
        7 => {
            let all = [
                Protocol::TCP,
                Protocol::UDP,
                Protocol::SCTP,
                Protocol::Icmp,
                Protocol::Arp,
                Protocol::Number(58),
                Protocol::Number(253),
            ];
            select.protocol = Some(*pick(rng, &all));
        }
        _ => select.flags = *pick(rng, &[Tcp::RST, Tcp::SYN, Tcp::SYN | Tcp::FIN, Tcp::ACK]),
    }
}

#[test]
fn filters_select_what_tshark_finds() {
    let (cases, seed) = program::cases();
    let mut rng = Rng::with_seed(seed + 2);
    let packets: Vec<Packet> = (0..cases)
        .map(|_| {
            let bytes = build::frame(&mut rng, Link::Ethernet);
            Packet { nanos: 0, length: u32::try_from(bytes.len()).expect("a short frame"), bytes }
        })
        .collect();
    let folder = program::folder();
    let file = folder.path().join("select.pcap");
    let form = Pcap { big_endian: false, nanoseconds: false, link: 1 };
    fs::write(&file, form.file(&packets)).expect("a written file");
    let theirs: Vec<Theirs> = program::fields(&file, &FIELDS).into_iter().map(Theirs).collect();
    assert_eq!(theirs.len(), packets.len());
    let frames: Vec<Frame> =
        packets.iter().map(|packet| Frame::dissect(LinkType::Ethernet, &packet.bytes)).collect();
    let (mut selected, mut nested, mut narrower) = (0, 0, 0);
    for round in 0..300 {
        let mut select = Select::default();
        let conditions = 1 + round % 3;
        for _ in 0..conditions {
            restrict(&mut rng, &mut select);
        }
        for (frame, theirs) in frames.iter().zip(&theirs) {
            let (ours, wanted) = (select.matches(7, frame), theirs.matches(&select));
            if conditions == 1 || theirs.is_simple() {
                assert_eq!(ours, wanted, "seed {seed}: {select:?} {:?}: {frame:?}", theirs.0);
            } else {
                assert!(!ours || wanted, "seed {seed}: {select:?} {:?}: {frame:?}", theirs.0);
                narrower += usize::from(wanted && !ours);
            }
            selected += usize::from(ours);
            nested += usize::from(ours && !theirs.is_simple());
        }
    }
    assert!(
        selected > 10 * cases && nested > cases,
        "{selected} {nested}: the filters select too few packets"
    );
    assert!(narrower > 0, "no frame meets the conditions only with several packets together");
}

#[test]
fn times_are_inclusive_and_select_frames_that_are_not_understood() {
    let frame = Frame::dissect(LinkType::Other(9), &[]);
    let select = Select { from: Some(10), until: Some(20), ..Select::default() };
    let found: Vec<u64> = (0..30).filter(|nanos| select.matches(*nanos, &frame)).collect();
    assert_eq!(found, (10..=20).collect::<Vec<_>>());
    let select = Select { ports: vec![80], ..select };
    assert!(!select.matches(15, &frame));
}
