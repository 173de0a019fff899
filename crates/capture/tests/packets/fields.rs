//! The fields of a frame under the names of tshark.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use capture::{
    frame::{Arp, Frame, FrameProblem, Icmp, Ip, Network, Tcp, Tls, Transport, UdpContent},
    text,
};

use crate::program;

/// The fields that are compared.
const FIELDS: [&str; 71] = [
    "eth.src",
    "eth.dst",
    "sll.src.eth",
    "ieee8021ad.id",
    "vlan.id",
    "arp.opcode",
    "arp.src.hw_mac",
    "arp.src.proto_ipv4",
    "arp.dst.hw_mac",
    "arp.dst.proto_ipv4",
    "ip.src",
    "ip.dst",
    "ip.ttl",
    "ip.id",
    "ip.len",
    "ip.flags.df",
    "ip.flags.mf",
    "ip.frag_offset",
    "ip.dsfield.ecn",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "ipv6.plen",
    "ipv6.tclass.ecn",
    "ipv6.fraghdr.ident",
    "ipv6.fraghdr.offset",
    "ipv6.fraghdr.more",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq",
    "tcp.ack_raw",
    "tcp.flags",
    "tcp.window_size_value",
    "tcp.len",
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "tcp.options.timestamp.tsval",
    "tcp.options.timestamp.tsecr",
    "tcp.options.sack_le",
    "tcp.options.sack_re",
    "tls.handshake.type",
    "tls.handshake.extensions_server_name",
    "tls.alert_message.level",
    "tls.alert_message.desc",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "sctp.srcport",
    "sctp.dstport",
    "sctp.verification_tag",
    "icmp.type",
    "icmp.code",
    "icmp.ident",
    "icmp.seq",
    "icmp.mtu",
    "icmpv6.type",
    "icmpv6.code",
    "icmpv6.echo.identifier",
    "icmpv6.echo.sequence_number",
    "icmpv6.mtu",
    "icmpv6.nd.ns.target_address",
    "icmpv6.nd.na.target_address",
    "geneve.vni",
    "geneve.flags.oam",
    "geneve.option.class",
    "geneve.option.unknown.data",
    "dns.id",
    "dns.flags.response",
    "dns.flags.rcode",
    "dns.qry.name",
    "dns.qry.type",
];

/// The values of each field in the order of the packets in a frame: a tunnel before the packet in it.
pub(crate) type Fields = BTreeMap<&'static str, Vec<String>>;

/// Returns what tshark says about each frame of a file. Numbers are decimal.
pub(crate) fn of_tshark(file: &Path) -> Vec<Fields> {
    program::fields(file, &FIELDS).into_iter().map(|values| one_of_tshark(&values)).collect()
}

fn one_of_tshark(values: &[String]) -> Fields {
    assert_eq!(values.len(), FIELDS.len(), "{values:?}");
    let mut fields = Fields::new();
    for (name, values) in FIELDS.into_iter().zip(values).filter(|(_, values)| !values.is_empty()) {
        fields.insert(name, values.split(',').map(decimal).collect());
    }
    // tshark prints the identifier of ICMP in both byte orders.
    if let Some(identifiers) = fields.get_mut("icmp.ident") {
        *identifiers = identifiers.iter().step_by(2).cloned().collect();
    }
    // The dissector knows no other messages than the two kinds of hello.
    if let Some(kinds) = fields.get_mut("tls.handshake.type") {
        kinds.retain(|kind| kind == "1" || kind == "2");
    }
    // tshark has another name for the outer tag of IEEE 802.1ad. Only the outer frame has one.
    if let Some(outer) = fields.remove("ieee8021ad.id") {
        fields.entry("vlan.id").or_default().splice(..0, outer);
    }
    // tshark 4.0 does not know OVN's option: it prints the class and the value of every option.
    let classes = fields.remove("geneve.option.class").unwrap_or_default();
    let values = fields.remove("geneve.option.unknown.data").unwrap_or_default();
    let ovn = classes.iter().zip(values).filter(|(class, _)| *class == "258").map(|(_, value)| value);
    let ovn: Vec<String> = ovn.collect();
    if !ovn.is_empty() {
        fields.insert("geneve.ovn", ovn);
    }
    fields.retain(|_, values| !values.is_empty());
    fields
}

fn decimal(value: &str) -> String {
    match (value, value.strip_prefix("0x")) {
        (_, Some(hex)) => u64::from_str_radix(hex, 16).expect("a hexadecimal number").to_string(),
        ("True", _) => "1".to_owned(),
        ("False", _) => "0".to_owned(),
        _ => value.to_owned(),
    }
}

/// Returns what the dissector says about a frame.
pub(crate) fn of_frame(frame: &Frame, is_cooked: bool) -> Fields {
    let mut fields = Fields::new();
    if let (true, Some(source)) = (is_cooked, frame.macs.0) {
        add(&mut fields, "sll.src.eth", text::mac(source));
        let frame = Frame { macs: (None, None), ..frame.clone() };
        add_frame(&mut fields, &frame);
    } else {
        add_frame(&mut fields, frame);
    }
    fields
}

/// Returns true if the capture cut a header of the frame, or of a frame in it.
pub(crate) fn is_cut(frame: &Frame) -> bool {
    let is_cut = matches!(frame.problem, Some(FrameProblem::Cut(_)));
    is_cut || matches!(&frame.network, Network::Ip(ip) if is_cut_inside(ip))
}

fn is_cut_inside(ip: &Ip) -> bool {
    match &ip.transport {
        Transport::Udp(udp) => matches!(&udp.content, UdpContent::Geneve(geneve) if is_cut(&geneve.inner)),
        Transport::Icmp(icmp) => icmp.about.as_deref().is_some_and(is_cut_inside),
        _ => false,
    }
}

fn add(fields: &mut Fields, name: &'static str, value: impl ToString) {
    fields.entry(name).or_default().push(value.to_string());
}

fn add_frame(fields: &mut Fields, frame: &Frame) {
    if let Some(source) = frame.macs.0 {
        add(fields, "eth.src", text::mac(source));
    }
    if let Some(destination) = frame.macs.1 {
        add(fields, "eth.dst", text::mac(destination));
    }
    for vlan in &frame.vlans {
        add(fields, "vlan.id", vlan);
    }
    match &frame.network {
        Network::Ip(ip) => add_ip(fields, ip),
        Network::Arp(Arp { operation, sender, target }) => {
            add(fields, "arp.opcode", operation);
            add(fields, "arp.src.hw_mac", text::mac(sender.0));
            add(fields, "arp.src.proto_ipv4", sender.1);
            add(fields, "arp.dst.hw_mac", text::mac(target.0));
            add(fields, "arp.dst.proto_ipv4", target.1);
        }
        Network::Other(_) | Network::Unknown => {}
    }
}

fn add_ip(fields: &mut Fields, ip: &Ip) {
    let fragment = ip.fragment;
    if ip.source.is_ipv4() {
        add(fields, "ip.src", ip.source);
        add(fields, "ip.dst", ip.destination);
        add(fields, "ip.ttl", ip.ttl);
        add(fields, "ip.id", ip.id.expect("every IPv4 packet has an identification"));
        add(fields, "ip.len", ip.length);
        add(fields, "ip.flags.df", u8::from(ip.dont_fragment));
        add(fields, "ip.flags.mf", u8::from(fragment.is_some_and(|place| place.more)));
        // tshark prints the number in the header, which counts units of 8 bytes.
        add(fields, "ip.frag_offset", fragment.map_or(0, |place| place.offset / 8));
        add(fields, "ip.dsfield.ecn", ip.ecn);
    } else {
        add(fields, "ipv6.src", ip.source);
        add(fields, "ipv6.dst", ip.destination);
        add(fields, "ipv6.hlim", ip.ttl);
        add(fields, "ipv6.plen", ip.length - 40);
        add(fields, "ipv6.tclass.ecn", ip.ecn);
        if let Some(place) = fragment {
            add(fields, "ipv6.fraghdr.ident", ip.id.expect("every fragment has an identification"));
            add(fields, "ipv6.fraghdr.offset", place.offset / 8);
            add(fields, "ipv6.fraghdr.more", u8::from(place.more));
        }
    }
    match &ip.transport {
        Transport::Tcp(tcp) => add_tcp(fields, tcp),
        Transport::Udp(udp) => {
            add(fields, "udp.srcport", udp.source);
            add(fields, "udp.dstport", udp.destination);
            add(fields, "udp.length", udp.payload + 8);
            add_content(fields, &udp.content);
        }
        Transport::Sctp(source, destination, tag) => {
            add(fields, "sctp.srcport", source);
            add(fields, "sctp.dstport", destination);
            add(fields, "sctp.verification_tag", tag);
        }
        Transport::Ports(source, destination, sequence) => {
            let (from, to) = match ip.protocol {
                6 => ("tcp.srcport", "tcp.dstport"),
                17 => ("udp.srcport", "udp.dstport"),
                _ => ("sctp.srcport", "sctp.dstport"),
            };
            add(fields, from, source);
            add(fields, to, destination);
            if let Some(sequence) = sequence {
                add(fields, "tcp.seq", sequence);
            }
        }
        Transport::Icmp(icmp) => add_icmp(fields, icmp),
        Transport::Other | Transport::Unknown => {}
    }
}

fn add_tcp(fields: &mut Fields, tcp: &Tcp) {
    add(fields, "tcp.srcport", tcp.source);
    add(fields, "tcp.dstport", tcp.destination);
    add(fields, "tcp.seq", tcp.sequence);
    add(fields, "tcp.ack_raw", tcp.acknowledgment);
    add(fields, "tcp.flags", tcp.flags);
    add(fields, "tcp.window_size_value", tcp.window);
    add(fields, "tcp.len", tcp.payload);
    if let Some(mss) = tcp.mss {
        add(fields, "tcp.options.mss_val", mss);
    }
    if let Some(shift) = tcp.window_scale {
        add(fields, "tcp.options.wscale.shift", shift);
    }
    if let Some((value, echo)) = tcp.timestamps {
        add(fields, "tcp.options.timestamp.tsval", value);
        add(fields, "tcp.options.timestamp.tsecr", echo);
    }
    for (from, to) in &tcp.sack {
        add(fields, "tcp.options.sack_le", from);
        add(fields, "tcp.options.sack_re", to);
    }
    for record in &tcp.tls {
        match record {
            Tls::ClientHello(name) => {
                add(fields, "tls.handshake.type", 1);
                if let Some(name) = name {
                    add(fields, "tls.handshake.extensions_server_name", name);
                }
            }
            Tls::ServerHello => add(fields, "tls.handshake.type", 2),
            Tls::Alert(level, description) => {
                add(fields, "tls.alert_message.level", level);
                add(fields, "tls.alert_message.desc", description);
            }
        }
    }
}

fn add_content(fields: &mut Fields, content: &UdpContent) {
    match content {
        UdpContent::Geneve(geneve) => {
            add(fields, "geneve.vni", geneve.vni);
            add(fields, "geneve.flags.oam", u8::from(geneve.control));
            if let Some(ports) = geneve.ports {
                add(fields, "geneve.ovn", format!("{:04x}{:04x}", ports.ingress, ports.egress));
            }
            add_frame(fields, &geneve.inner);
        }
        UdpContent::Dns(dns) => {
            add(fields, "dns.id", dns.id);
            add(fields, "dns.flags.response", u8::from(dns.answer));
            if dns.answer {
                add(fields, "dns.flags.rcode", dns.code);
            }
            if let Some((name, kind)) = &dns.question {
                add(fields, "dns.qry.name", name);
                add(fields, "dns.qry.type", kind);
            }
        }
        UdpContent::Other => {}
    }
}

fn add_icmp(fields: &mut Fields, icmp: &Icmp) {
    let names = if icmp.v6 {
        ["icmpv6.type", "icmpv6.code", "icmpv6.echo.identifier", "icmpv6.echo.sequence_number", "icmpv6.mtu"]
    } else {
        ["icmp.type", "icmp.code", "icmp.ident", "icmp.seq", "icmp.mtu"]
    };
    add(fields, names[0], icmp.kind);
    add(fields, names[1], icmp.code);
    if let Some((id, sequence)) = icmp.echo {
        add(fields, names[2], id);
        add(fields, names[3], sequence);
    }
    if let Some(mtu) = icmp.mtu {
        add(fields, names[4], mtu);
    }
    if let Some(target @ IpAddr::V6(_)) = icmp.neighbor {
        let name =
            if icmp.kind == 135 { "icmpv6.nd.ns.target_address" } else { "icmpv6.nd.na.target_address" };
        add(fields, name, target);
    }
    if let Some(about) = &icmp.about {
        add_ip(fields, about);
    }
}
