//! Packets through the three zones of the capture, as the switch sends them.

mod common;

use common::{zone, zones};
use ovn_lflow::{Conntrack, End, Hop, Network, Outcome, Semantics, Start, Way, Zone};
use packet::{Field, Packet};
use std::collections::BTreeMap;

const CONTROL_PLANE: &str = "ovnkube-node-mk45n";
/// The pod `clients/client` on the node ovn-control-plane, to its gateway.
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

/// Where the ways end: the port, and the packet there.
fn delivered(ways: &[Way]) -> Vec<(&str, &Packet)> {
    ways.iter()
        .map(|way| match &way.outcome {
            Outcome::End(End::Delivered { port, packet, .. }) => (port.as_str(), &**packet),
            other => panic!("not delivered: {other:?}"),
        })
        .collect()
}

#[test]
fn a_pod_reaches_a_pod_of_another_node() {
    let zones = compiled();
    let ways = follow(&zones, "ip4.dst == 10.244.1.5 && tcp.dst == 8080").ways();
    let [(port, packet)] = delivered(&ways)[..] else { panic!("{ways:?}") };
    assert_eq!(port, "clients_client-v58hz");
    // Two routers, one in each zone.
    assert_eq!(packet.get(Field::IP_TTL), 62);
    assert_eq!(ways.first().map(|way| way.legs.len()), Some(2));
}

#[test]
fn a_service_reaches_each_of_its_backends_on_three_nodes() {
    let zones = compiled();
    let ways = follow(&zones, "ip4.dst == 10.96.150.255 && tcp.dst == 80").ways();
    let ends: Vec<(&str, String)> = delivered(&ways)
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
        ways.iter().flat_map(|way| &way.choices).map(|choice| choice.taken.as_str()).collect();
    assert_eq!(chosen, ["10.244.0.3:8080", "10.244.1.3:8080", "10.244.2.3:8080"]);
}

/// The answer to a packet that was delivered, from the port where it was.
fn answer(zone: &Zone, port: &str, packet: &Packet) -> Start {
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
fn an_answer_comes_back_from_the_address_of_the_service() {
    let zones = compiled();
    let ways = follow(&zones, "ip4.dst == 10.96.150.255 && tcp.dst == 80").ways();
    for way in &ways {
        let [(port, packet)] = delivered(std::slice::from_ref(way))[..] else { panic!("{way:?}") };
        let last = &way.legs.last().expect("a zone").zone;
        let start = answer(zones.get(last).expect("the zone"), port, packet);
        let back = network(&zones).trace(last, &start, &way.known).expect("a trace").ways();
        let [(port, packet)] = delivered(&back)[..] else { panic!("{back:?}") };
        assert_eq!(port, "clients_client-zg4wk");
        assert_eq!(Field::IP_SRC.show(packet.get(Field::IP_SRC)), "10.96.150.255");
        assert_eq!(packet.get(Field::TCP_SRC), 80);
    }
    // Without the connection it is a stranger's packet, from the backend's own address.
    let way = ways.first().expect("a way");
    let [(port, packet)] = delivered(std::slice::from_ref(way))[..] else { panic!("{way:?}") };
    let start = answer(zones.get(CONTROL_PLANE).expect("the zone"), port, packet);
    let strange = network(&zones).trace(CONTROL_PLANE, &start, &BTreeMap::<String, Conntrack>::new());
    let addresses: Vec<String> = strange
        .expect("a trace")
        .ways()
        .iter()
        .filter_map(|way| match &way.outcome {
            Outcome::End(End::Delivered { packet, .. }) => {
                Some(Field::IP_SRC.show(packet.get(Field::IP_SRC)))
            }
            _ => None,
        })
        .collect();
    assert!(!addresses.contains(&"10.96.150.255".to_owned()), "{addresses:?}");
}

#[test]
fn a_second_packet_goes_where_the_first_went() {
    let zones = compiled();
    for way in follow(&zones, "ip4.dst == 10.96.150.255 && tcp.dst == 80").ways() {
        let zone = zones.get(CONTROL_PLANE).expect("the zone");
        let text = format!("{CLIENT} && ip4.dst == 10.96.150.255 && tcp.dst == 80");
        let start = zone.start(&text).expect("a packet");
        let again = network(&zones).trace(CONTROL_PLANE, &start, &way.known).expect("a trace").ways();
        assert_eq!(again.len(), 1, "a connection has one backend");
        assert_eq!(again.iter().map(|way| &way.choices).collect::<Vec<_>>(), [&Vec::new()]);
        let (first, second) = (delivered(std::slice::from_ref(&way)), delivered(&again));
        assert_eq!(first.first().map(|(port, _)| port), second.first().map(|(port, _)| port));
    }
}

#[test]
fn egress_ip_leaves_by_either_node_with_its_address() {
    let zones = compiled();
    let ways = follow(&zones, "ip4.dst == 8.8.8.8 && tcp.dst == 53").ways();
    let ends: Vec<(&str, String)> = delivered(&ways)
        .into_iter()
        .map(|(port, packet)| (port, Field::IP_SRC.show(packet.get(Field::IP_SRC))))
        .collect();
    let wanted =
        [("br-ex_ovn-worker", "172.18.0.101".to_owned()), ("br-ex_ovn-worker2", "172.18.0.100".to_owned())];
    assert_eq!(ends, wanted);
}

#[test]
fn a_service_without_backends_is_answered_with_a_reset_to_the_client() {
    let zones = compiled();
    let ways = follow(&zones, "ip4.dst == 10.96.216.182 && tcp.dst == 80").ways();
    let [(port, packet)] = delivered(&ways)[..] else { panic!("{ways:?}") };
    assert_eq!((port, packet.get(Field::TCP_FLAGS)), ("clients_client-zg4wk", 4));
    // From the port that the client asked.
    assert_eq!((packet.get(Field::TCP_SRC), packet.get(Field::TCP_DST)), (80, 40000));
}

#[test]
fn what_happens_in_a_zone_that_was_not_read_is_not_known() {
    let zones = compiled();
    let only: BTreeMap<String, Zone> = zones.into_iter().filter(|(name, _)| name == CONTROL_PLANE).collect();
    let ways = follow(&only, "ip4.dst == 10.244.1.5 && tcp.dst == 8080").ways();
    let outcomes: Vec<&Outcome> = ways.iter().map(|way| &way.outcome).collect();
    assert!(
        matches!(outcomes[..], [Outcome::Lost { unknown: true, why, .. }] if why.contains("was not read")),
        "{outcomes:?}"
    );
}

#[test]
fn a_dropped_packet_names_its_flow() {
    let zones = compiled();
    let zone = zones.get(CONTROL_PLANE).expect("the zone");
    // A source address that is not the pod's own.
    let start =
        zone.start(&CLIENT.replace("ip4.src == 10.244.0.4", "ip4.src == 10.244.0.99 && ip4.dst == 8.8.8.8"));
    let trace = zone.trace(&start.expect("a packet"));
    let ends: Vec<&End> = trace.branches.iter().flat_map(|branch| &branch.ends).collect();
    assert!(
        matches!(ends[..], [End::Dropped { stage, flow: Some(_), why: None, .. }] if stage == "ls_in_apply_port_sec"),
        "{ends:?}"
    );
}
