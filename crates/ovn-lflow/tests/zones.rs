//! Traces packets through the three zones of the capture, with the behaviour of the switch.

mod common;

use common::{zone, zones};
use ovn_lflow::{Conntrack, End, Hop, Network, PacketPath, PathOutcome, Semantics, Start, Zone};
use packet::{Field, Packet};
use std::collections::BTreeMap;

const CONTROL_PLANE: &str = "ovnkube-node-mk45n";
/// A packet from the pod `clients/client` on the node ovn-control-plane to its gateway.
const CLIENT: &str = "inport == \"clients_client-zg4wk\" && eth.src == 0a:58:0a:f4:00:04 \
    && eth.dst == 0a:58:0a:f4:00:01 && ip4.src == 10.244.0.4 && ip.ttl == 64 && tcp.src == 40000";

fn compiled() -> BTreeMap<String, Zone> {
    zones().into_iter().map(|(pod, rows)| (pod, zone(&rows, Semantics::Datapath))).collect()
}

fn network(zones: &BTreeMap<String, Zone>) -> Network<'_> {
    Network::new(zones.iter().map(|(name, zone)| (name.clone(), zone)))
}

fn follow(zones: &BTreeMap<String, Zone>, rest: &str) -> Hop {
    let start =
        zones.get(CONTROL_PLANE).expect("the zone").start(&format!("{CLIENT} && {rest}")).expect("a packet");
    network(zones).trace(CONTROL_PLANE, &start, &BTreeMap::new()).expect("a trace")
}

/// Returns the end of each path: the port, and the packet there.
fn delivered(paths: &[PacketPath]) -> Vec<(&str, &Packet)> {
    paths
        .iter()
        .map(|path| match &path.outcome {
            PathOutcome::End(End::Delivered { port, packet, .. }) => (port.as_str(), &**packet),
            other => panic!("not delivered: {other:?}"),
        })
        .collect()
}

#[test]
fn a_pod_reaches_a_pod_on_another_node() {
    let zones = compiled();
    let paths = follow(&zones, "ip4.dst == 10.244.1.5 && tcp.dst == 8080").paths();
    let [(port, packet)] = delivered(&paths)[..] else { panic!("{paths:?}") };
    assert_eq!(port, "clients_client-v58hz");
    // The packet passes two routers, one in each zone.
    assert_eq!(packet.get(Field::IP_TTL), 62);
    assert_eq!(paths.first().map(|path| path.legs.len()), Some(2));
}

#[test]
fn a_service_reaches_each_of_its_backends_on_three_nodes() {
    let zones = compiled();
    let paths = follow(&zones, "ip4.dst == 10.96.150.255 && tcp.dst == 80").paths();
    let ends: Vec<(&str, String)> = delivered(&paths)
        .into_iter()
        .map(|(port, packet)| (port, Field::IP_DST.show(packet.get(Field::IP_DST))))
        .collect();
    assert_eq!(
        ends,
        [
            ("shop_web-7ddbb54ff6-h8c4s", "10.244.0.3".to_owned()),
            ("shop_web-7ddbb54ff6-l6vb8", "10.244.1.3".to_owned()),
            ("shop_web-7ddbb54ff6-rj62d", "10.244.2.3".to_owned()),
        ]
    );
    let chosen: Vec<&str> =
        paths.iter().flat_map(|path| &path.choices).map(|choice| choice.taken.as_str()).collect();
    assert_eq!(chosen, ["10.244.0.3:8080", "10.244.1.3:8080", "10.244.2.3:8080"]);
}

/// Returns the reply to a delivered packet, from the port where it arrived.
fn reply(zone: &Zone, port: &str, packet: &Packet) -> Start {
    let mut back = Packet::default();
    let exchanged =
        [(Field::ETH_SRC, Field::ETH_DST), (Field::IP_SRC, Field::IP_DST), (Field::TCP_SRC, Field::TCP_DST)];
    for (a, b) in exchanged {
        back.set(a, packet.get(b));
        back.set(b, packet.get(a));
    }
    back.set(Field::ETH_TYPE, 0x0800);
    back.set(Field::IP_PROTO, packet.get(Field::IP_PROTO));
    back.set(Field::IP_TTL, 64);
    Start::at(zone, port, back).expect("the port")
}

#[test]
fn a_reply_comes_back_from_the_address_of_the_service() {
    let zones = compiled();
    let paths = follow(&zones, "ip4.dst == 10.96.150.255 && tcp.dst == 80").paths();
    for path in &paths {
        let [(port, packet)] = delivered(std::slice::from_ref(path))[..] else { panic!("{path:?}") };
        let last = &path.legs.last().expect("a zone").zone;
        let start = reply(zones.get(last).expect("the zone"), port, packet);
        let back = network(&zones).trace(last, &start, &path.known).expect("a trace").paths();
        let [(port, packet)] = delivered(&back)[..] else { panic!("{back:?}") };
        assert_eq!(port, "clients_client-zg4wk");
        assert_eq!(Field::IP_SRC.show(packet.get(Field::IP_SRC)), "10.96.150.255");
        assert_eq!(packet.get(Field::TCP_SRC), 80);
    }
    // Without the known connection, the reply keeps the backend's own source address.
    let path = paths.first().expect("a path");
    let [(port, packet)] = delivered(std::slice::from_ref(path))[..] else { panic!("{path:?}") };
    let start = reply(zones.get(CONTROL_PLANE).expect("the zone"), port, packet);
    let strange = network(&zones).trace(CONTROL_PLANE, &start, &BTreeMap::<String, Conntrack>::new());
    let addresses: Vec<String> = strange
        .expect("a trace")
        .paths()
        .iter()
        .filter_map(|path| match &path.outcome {
            PathOutcome::End(End::Delivered { packet, .. }) => {
                Some(Field::IP_SRC.show(packet.get(Field::IP_SRC)))
            }
            _ => None,
        })
        .collect();
    assert!(!addresses.contains(&"10.96.150.255".to_owned()), "{addresses:?}");
}

#[test]
fn a_second_packet_takes_the_path_of_the_first() {
    let zones = compiled();
    for path in follow(&zones, "ip4.dst == 10.96.150.255 && tcp.dst == 80").paths() {
        let zone = zones.get(CONTROL_PLANE).expect("the zone");
        let text = format!("{CLIENT} && ip4.dst == 10.96.150.255 && tcp.dst == 80");
        let start = zone.start(&text).expect("a packet");
        let again = network(&zones).trace(CONTROL_PLANE, &start, &path.known).expect("a trace").paths();
        assert_eq!(again.len(), 1, "a connection has one backend");
        assert_eq!(again.iter().map(|path| &path.choices).collect::<Vec<_>>(), [&Vec::new()]);
        let (first, second) = (delivered(std::slice::from_ref(&path)), delivered(&again));
        assert_eq!(first.first().map(|(port, _)| port), second.first().map(|(port, _)| port));
    }
}

#[test]
fn egress_ip_traffic_leaves_by_either_node_with_its_address() {
    let zones = compiled();
    let paths = follow(&zones, "ip4.dst == 8.8.8.8 && tcp.dst == 53").paths();
    let ends: Vec<(&str, String)> = delivered(&paths)
        .into_iter()
        .map(|(port, packet)| (port, Field::IP_SRC.show(packet.get(Field::IP_SRC))))
        .collect();
    let wanted =
        [("br-ex_ovn-worker", "172.18.0.101".to_owned()), ("br-ex_ovn-worker2", "172.18.0.100".to_owned())];
    assert_eq!(ends, wanted);
}

#[test]
fn a_service_without_backends_resets_the_client() {
    let zones = compiled();
    let paths = follow(&zones, "ip4.dst == 10.96.216.182 && tcp.dst == 80").paths();
    let [(port, packet)] = delivered(&paths)[..] else { panic!("{paths:?}") };
    assert_eq!((port, packet.get(Field::TCP_FLAGS)), ("clients_client-zg4wk", 4));
    // The reset comes from the port that the client connected to.
    assert_eq!((packet.get(Field::TCP_SRC), packet.get(Field::TCP_DST)), (80, 40000));
}

#[test]
fn the_outcome_in_an_unread_zone_is_unknown() {
    let zones = compiled();
    let only: BTreeMap<String, Zone> = zones.into_iter().filter(|(name, _)| name == CONTROL_PLANE).collect();
    let paths = follow(&only, "ip4.dst == 10.244.1.5 && tcp.dst == 8080").paths();
    let outcomes: Vec<&PathOutcome> = paths.iter().map(|path| &path.outcome).collect();
    assert!(
        matches!(outcomes[..], [PathOutcome::Lost { unknown: true, why, .. }] if why.contains("was not read")),
        "{outcomes:?}"
    );
}

#[test]
fn a_dropped_packet_names_its_flow() {
    let zones = compiled();
    let zone = zones.get(CONTROL_PLANE).expect("the zone");
    // The source address is not the pod's own.
    let start =
        zone.start(&CLIENT.replace("ip4.src == 10.244.0.4", "ip4.src == 10.244.0.99 && ip4.dst == 8.8.8.8"));
    let trace = zone.trace(&start.expect("a packet"));
    let ends: Vec<&End> = trace.branches.iter().flat_map(|branch| &branch.ends).collect();
    assert!(
        matches!(ends[..], [End::Dropped { stage, flow: Some(_), why: None, .. }] if stage == "ls_in_apply_port_sec"),
        "{ends:?}"
    );
}
