//! Random packets between the pods, services and neighbours of a node, in the language of OVN and in that of OpenFlow.

use crate::random::Random;
use ovn_lflow::Zone;
use ovsdb::{Rows, Select};
use std::collections::BTreeMap;

/// The ends of connections in a zone.
pub(crate) struct Ends {
    /// The ports by name, with their MAC address, their addresses and their datapath.
    ports: BTreeMap<String, End>,
    /// All addresses to which packets may go.
    targets: Vec<String>,
    /// All MAC addresses to which packets may go.
    macs: Vec<String>,
}

struct End {
    mac: String,
    addresses: Vec<String>,
    /// The MAC addresses of the router ports that the port's switch connects to.
    gateways: Vec<String>,
}

/// A packet that a logical port sends.
pub(crate) struct Sent {
    pub(crate) inport: String,
    eth: (String, String),
    addresses: (String, String),
    what: What,
    ttl: u8,
}

enum What {
    /// The name of the protocol and the destination port.
    Transport(&'static str, u16),
    Ping,
    /// An ARP request, or a reply.
    Arp(u8),
    /// An IPv6 datagram with its own addresses.
    Six,
}

/// Ports of services, backends, NodePorts and policies of the lab, and others.
const PORTS: &[u16] = &[22, 53, 67, 80, 443, 5432, 8080, 30080, 30081, 40001];
/// Addresses outside the lab's databases: the world, and no pod.
const ELSEWHERE: &[&str] =
    &["172.18.0.1", "8.8.8.8", "10.244.0.77", "10.201.9.9", "224.0.0.5", "255.255.255.255", "169.254.0.2"];
/// MAC addresses outside the lab's databases: an outside host, broadcast, multicast, and an address that no host has.
const OTHER_MACS: &[&str] = &[
    "02:42:ac:12:00:01",
    "ff:ff:ff:ff:ff:ff",
    "01:00:5e:00:00:05",
    "33:33:00:00:00:01",
    "0a:00:00:00:00:09",
];

impl Ends {
    pub(crate) fn selects() -> Vec<Select> {
        let ports = Select::from("Port_Binding").columns(["logical_port", "mac", "options"]);
        vec![ports, Select::from("Load_Balancer").columns(["vips"])]
    }

    pub(crate) fn new(read: &[Rows], zone: &Zone) -> Self {
        let table = |name: &'static str| {
            read.iter().filter(move |rows| rows.table.name == name).flat_map(|rows| &rows.rows)
        };
        let mut ports = BTreeMap::new();
        let mut peers = BTreeMap::new();
        for row in table("Port_Binding") {
            let Some(name) = row.text("logical_port") else { continue };
            let mut words = row.strings("mac").flat_map(str::split_whitespace);
            let mac = words.next().filter(|mac| mac.contains(':')).unwrap_or_default().to_owned();
            let addresses = words.filter(|word| !word.contains(':'));
            let addresses = addresses.map(|word| word.split('/').next().unwrap_or_default().to_owned());
            ports.insert(name.to_owned(), End { mac, addresses: addresses.collect(), gateways: Vec::new() });
            if let Some(peer) = row.map_get("options", "peer") {
                peers.insert(name.to_owned(), peer.to_owned());
            }
        }
        let of_gateway = |name: &String| {
            let own = zone.port(name)?.datapath;
            let near = |(port, _): &(&String, &String)| zone.port(port).is_some_and(|it| it.datapath == own);
            let gateways =
                peers.iter().filter(near).filter_map(|(_, peer)| Some(ports.get(peer)?.mac.clone()));
            Some((name.clone(), gateways.collect()))
        };
        let gateways: Vec<(String, Vec<String>)> = ports.keys().filter_map(of_gateway).collect();
        for (name, gateways) in gateways {
            if let Some(end) = ports.get_mut(&name) {
                end.gateways = gateways;
            }
        }
        let vips = table("Load_Balancer").flat_map(|row| row.map("vips"));
        let vips = vips.filter_map(|(vip, _)| vip.rsplit_once(':').map(|(address, _)| address.to_owned()));
        // The zone of the lab has template variables, which are addresses of nodes.
        let targets = vips.filter(|vip| !vip.starts_with('^'));
        let of_ports = ports.values().flat_map(|end| end.addresses.iter().cloned());
        let mut targets: Vec<String> =
            targets.chain(of_ports).chain(ELSEWHERE.iter().map(|it| (*it).to_owned())).collect();
        let of_ports = ports.values().map(|end| end.mac.clone()).filter(|mac| !mac.is_empty());
        let mut macs: Vec<String> = of_ports.chain(OTHER_MACS.iter().map(|it| (*it).to_owned())).collect();
        for all in [&mut targets, &mut macs] {
            all.sort();
            all.dedup();
        }
        Self { ports, targets, macs }
    }

    /// Returns a random packet from one of the senders. Most packets have the sender's own addresses and go to its
    /// gateway, because others are dropped in the first stages.
    pub(crate) fn packet(&self, random: &mut Random, senders: &BTreeMap<String, u16>) -> Option<Sent> {
        let known: Vec<&String> = senders.keys().filter(|name| self.ports.contains_key(*name)).collect();
        let inport = random.of(&known)?.to_string();
        let end = self.ports.get(&inport)?;
        let mut own = |percent: u64| random.next() % 100 < percent;
        let (own_mac, own_address, gateway) = (own(90), own(90), own(75));
        let source_mac = match own_mac && !end.mac.is_empty() {
            true => end.mac.clone(),
            false => random.of(&self.macs)?.clone(),
        };
        let source = match random.of(&end.addresses) {
            Some(address) if own_address => address.clone(),
            _ => random.of(&self.targets)?.clone(),
        };
        let target_mac = match random.of(&end.gateways) {
            Some(mac) if gateway => mac.clone(),
            _ => random.of(&self.macs)?.clone(),
        };
        let target = random.of(&self.targets)?.clone();
        let port = *random.of(PORTS)?;
        let what = match random.next() % 20 {
            0..=9 => What::Transport("tcp", port),
            10..=12 => What::Transport("udp", port),
            13..=15 => What::Ping,
            16 | 17 => What::Arp(1),
            18 => What::Arp(2),
            _ => What::Six,
        };
        let ttl = if random.next().is_multiple_of(20) { 1 } else { 64 };
        Some(Sent { inport, eth: (source_mac, target_mac), addresses: (source, target), what, ttl })
    }
}

impl Sent {
    /// Returns the packet as an expression of OVN.
    pub(crate) fn expression(&self) -> String {
        let Self { inport, eth: (from_mac, to_mac), addresses: (from, to), what, ttl } = self;
        let ip = format!("ip4.src == {from} && ip4.dst == {to} && ip.ttl == {ttl}");
        let rest = match what {
            What::Transport(name, port) => format!("{ip} && {name}.src == 40000 && {name}.dst == {port}"),
            What::Ping => format!("{ip} && icmp4.type == 8 && icmp4.code == 0"),
            What::Arp(op) => format!(
                "arp.op == {op} && arp.spa == {from} && arp.tpa == {to} && arp.sha == {from_mac} && arp.tha == {to_mac}"
            ),
            What::Six => {
                format!(
                    "ip6.src == fe80::9 && ip6.dst == fd00::9 && ip.ttl == {ttl} && udp.src == 40000 && udp.dst == 53"
                )
            }
        };
        format!("inport == \"{inport}\" && eth.src == {from_mac} && eth.dst == {to_mac} && {rest}")
    }

    /// Returns the packet as a flow of OpenFlow. The hash selects the bucket of groups.
    pub(crate) fn openflow(&self, number: u16) -> String {
        let Self { eth: (from_mac, to_mac), addresses: (from, to), what, ttl, .. } = self;
        let ip = format!("nw_src={from},nw_dst={to},nw_ttl={ttl}");
        let rest = match what {
            What::Transport(name, port) => format!("{name},{ip},{name}_src=40000,{name}_dst={port}"),
            What::Ping => format!("icmp,{ip},icmp_type=8,icmp_code=0"),
            What::Arp(op) => {
                format!("arp,arp_op={op},arp_spa={from},arp_tpa={to},arp_sha={from_mac},arp_tha={to_mac}")
            }
            What::Six => {
                format!("udp6,ipv6_src=fe80::9,ipv6_dst=fd00::9,nw_ttl={ttl},udp_src=40000,udp_dst=53")
            }
        };
        format!("in_port={number},dl_src={from_mac},dl_dst={to_mac},{rest},dp_hash=0x1")
    }
}
