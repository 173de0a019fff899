//! One line for each packet, in the form of `tcpdump -nn`.
//!
//! The lines differ from those of tcpdump in these points:
//!
//! * Times are of UTC and have microseconds.
//! * Sequence numbers are absolute, as with `tcpdump -S`, because a line does not depend on the lines before it.
//! * TCP options that say nothing about the connection (`nop`, `eol`, `sackOK` and unknown ones) are left out, and the
//!   others have one order.
//! * VLAN tags are always shown, and so is the place of a fragment. `[CE]` marks a packet that met congestion.
//! * A tunnel shows the ports of OVN's option, `ovn ports INGRESS > EGRESS`, instead of flags and the length of
//!   options.
//! * An ICMP error shows the packet that it is about. ICMP and unknown protocols show the length that the IP header
//!   states (`ip length`), not that of the message.
//! * Payload is not shown, except TLS hello and alerts, and the question and the code of DNS.
//! * `[|tcp options]` marks the header in which the captured bytes end, and `[invalid tcp options]` a header that
//!   contradicts itself.

mod content;
mod icmp;

use std::{fmt::Write, net::IpAddr};

use crate::frame::{
    Arp, Fragment, Frame, FrameProblem, Geneve, Ip, MacAddress, Network, Tcp, Transport, Udp, UdpContent,
};

pub use content::record_type;

/// Returns the line of a packet that was captured at this time, in nanoseconds since 1970.
pub fn line(nanos: u64, frame: &Frame) -> String {
    format!("{} {}", time(nanos), packet(frame))
}

/// Returns the time of day in UTC: `07:20:27.629115`.
pub fn time(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:06}", seconds % 60, nanos / 1_000 % 1_000_000)
}

/// Returns the line of a packet without its time.
pub fn packet(frame: &Frame) -> String {
    let mut line = String::new();
    show_frame(&mut line, frame);
    line
}

/// Returns a hardware address: `02:42:ac:12:00:02`.
pub fn mac(address: MacAddress) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

/// Adds formatted text. Writing into a string cannot fail.
macro_rules! add {
    ($line:expr, $($format:tt)*) => {
        let _ = write!($line, $($format)*);
    };
}
use add;

fn show_frame(line: &mut String, frame: &Frame) {
    for vlan in &frame.vlans {
        add!(line, "vlan {vlan}, ");
    }
    match &frame.network {
        Network::Ip(ip) => show_ip(line, ip),
        Network::Arp(arp) => show_arp(line, arp),
        Network::Other(length @ ..1536) => {
            add!(line, "802.3, length {length}");
        }
        Network::Other(kind) => {
            add!(line, "ethertype {}(0x{kind:04x})", ether_type(*kind));
        }
        Network::Unknown if frame.problem.is_none() => line.push_str("link type is not dissected"),
        Network::Unknown => line.push_str("no packet"),
    }
    match frame.problem {
        Some(FrameProblem::Cut(header)) => {
            add!(line, " [|{}]", header.to_lowercase());
        }
        Some(FrameProblem::Malformed(header)) => {
            add!(line, " [invalid {}]", header.to_lowercase());
        }
        None => {}
    }
}

/// Returns the name of a type of packet, with a space after it.
fn ether_type(kind: u16) -> &'static str {
    match kind {
        0x0800 => "IPv4 ",
        0x0806 => "ARP ",
        0x8035 => "Reverse ARP ",
        0x8100 | 0x88a8 | 0x9100 => "802.1Q ",
        0x86dd => "IPv6 ",
        0x8809 => "Slow Protocols ",
        0x8847 => "MPLS unicast ",
        0x888e => "EAPOL ",
        0x88cc => "LLDP ",
        _ => "",
    }
}

fn show_arp(line: &mut String, arp: &Arp) {
    let (sender, target) = (arp.sender.1, arp.target.1);
    match arp.operation {
        1 => {
            add!(line, "ARP, Request who-has {target} tell {sender}");
        }
        2 => {
            add!(line, "ARP, Reply {sender} is-at {}", mac(arp.sender.0));
        }
        other => {
            add!(line, "ARP, operation {other}, {sender} to {target}");
        }
    }
}

fn show_ip(line: &mut String, ip: &Ip) {
    line.push_str(if ip.source.is_ipv4() { "IP " } else { "IP6 " });
    match &ip.transport {
        Transport::Tcp(tcp) => {
            ends(line, ip, Some((tcp.source, tcp.destination)));
            show_tcp(line, tcp);
        }
        Transport::Udp(udp) => {
            ends(line, ip, Some((udp.source, udp.destination)));
            show_udp(line, udp);
        }
        Transport::Sctp(source, destination, tag) => {
            ends(line, ip, Some((*source, *destination)));
            add!(line, "sctp, tag 0x{tag:08x}");
        }
        Transport::Ports(source, destination, sequence) => {
            ends(line, ip, Some((*source, *destination)));
            line.push_str(&protocol(ip.protocol));
            if let Some(sequence) = sequence {
                add!(line, ", seq {sequence}");
            }
        }
        Transport::Icmp(icmp) => {
            ends(line, ip, None);
            icmp::show(line, icmp);
            add!(line, ", ip length {}", ip.length);
            if let Some(about) = &icmp.about {
                line.push_str("; about ");
                show_ip(line, about);
            }
        }
        Transport::Other | Transport::Unknown => {
            ends(line, ip, None);
            add!(line, "{}, ip length {}", protocol(ip.protocol), ip.length);
        }
    }
    if let Some(Fragment { offset, more }) = ip.fragment {
        let (id, more) = (ip.id.unwrap_or(0), if more { "+" } else { "" });
        add!(line, " (frag {id}@{offset}{more})");
    }
    if ip.ecn == 3 {
        line.push_str(" [CE]");
    }
}

/// Adds `10.0.0.1.80 > 10.0.0.2.1234: `.
fn ends(line: &mut String, ip: &Ip, ports: Option<(u16, u16)>) {
    let end = |address: IpAddr, port: Option<u16>| match port {
        Some(port) => format!("{address}.{port}"),
        None => address.to_string(),
    };
    let (source, destination) = ports.unzip();
    add!(line, "{} > {}: ", end(ip.source, source), end(ip.destination, destination));
}

/// Returns the name of a protocol, in the form of tcpdump.
fn protocol(number: u8) -> String {
    let name = match number {
        1 => "icmp",
        2 => "igmp",
        4 => "ipip",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmp6",
        59 => "no next header",
        89 => "ospf",
        112 => "vrrp",
        132 => "sctp",
        _ => return format!("ip-proto-{number}"),
    };
    name.to_owned()
}

fn show_tcp(line: &mut String, tcp: &Tcp) {
    add!(line, "Flags [{}]", flags(tcp.flags));
    let &Tcp { sequence, payload, .. } = tcp;
    let counts = tcp.flags & (Tcp::SYN | Tcp::FIN | Tcp::RST) != 0;
    if payload > 0 {
        add!(line, ", seq {sequence}:{}", sequence.wrapping_add(payload));
    } else if counts {
        add!(line, ", seq {sequence}");
    }
    if tcp.flags & Tcp::ACK != 0 {
        add!(line, ", ack {}", tcp.acknowledgment);
    }
    add!(line, ", win {}", tcp.window);
    let mut options: Vec<String> = Vec::new();
    options.extend(tcp.mss.map(|mss| format!("mss {mss}")));
    options.extend(tcp.timestamps.map(|(value, echo)| format!("TS val {value} ecr {echo}")));
    options.extend(tcp.window_scale.map(|shift| format!("wscale {shift}")));
    if !tcp.sack.is_empty() {
        let ranges: String = tcp.sack.iter().map(|(from, to)| format!("{{{from}:{to}}}")).collect();
        options.push(format!("sack {} {ranges}", tcp.sack.len()));
    }
    if !options.is_empty() {
        add!(line, ", options [{}]", options.join(","));
    }
    add!(line, ", length {payload}");
    for record in &tcp.tls {
        content::show_tls(line, record);
    }
}

/// Returns the flags of a segment in the order of tcpdump, or `none`.
pub fn flags(flags: u16) -> String {
    const NAMES: [(u16, char); 9] = [
        (Tcp::FIN, 'F'),
        (Tcp::SYN, 'S'),
        (Tcp::RST, 'R'),
        (Tcp::PSH, 'P'),
        (Tcp::ACK, '.'),
        (32, 'U'),
        (64, 'E'),
        (128, 'W'),
        (256, 'e'),
    ];
    let text: String = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| name).collect();
    if text.is_empty() { "none".to_owned() } else { text }
}

fn show_udp(line: &mut String, udp: &Udp) {
    match &udp.content {
        UdpContent::Geneve(geneve) => show_geneve(line, geneve),
        UdpContent::Dns(dns) => content::show_dns(line, dns, udp.payload),
        UdpContent::Other => {
            add!(line, "UDP, length {}", udp.payload);
        }
    }
}

fn show_geneve(line: &mut String, geneve: &Geneve) {
    line.push_str("Geneve, ");
    if geneve.control {
        line.push_str("Flags [O], ");
    }
    add!(line, "vni 0x{:x}", geneve.vni);
    if let Some(ports) = geneve.ports {
        add!(line, ", ovn ports {} > {}", ports.ingress, ports.egress);
    }
    line.push_str(": ");
    show_frame(line, &geneve.inner);
}
