//! Tests of packets and their ways.

use super::*;
use std::collections::HashMap;

/// An event as `retis sort` prints it.
#[derive(Debug, PartialEq)]
struct Printed {
    nanos: u64,
    function: String,
    dropped: Option<String>,
    ends: String,
}

/// Returns the packets that `retis sort` printed, each with its events in their order.
fn sorted() -> Vec<Vec<Printed>> {
    let mut packets: Vec<Vec<Printed>> = Vec::new();
    let mut lines = RETIS_SORT.lines();
    while let Some(line) = lines.next() {
        // `  ↳ 18720642648 (1) [ping] 137 [k] ip_rcv #45b6… (skb ff3c…) n 1 drop (reason NO_SOCKET)`
        let words: Vec<&str> = line.trim_start_matches([' ', '↳']).split(' ').collect();
        let [nanos, _, _, _, _, function, id, ..] = words[..] else { continue };
        let (Ok(nanos), true) = (nanos.parse(), id.starts_with('#')) else { continue };
        if !line.starts_with(' ') {
            packets.push(Vec::new());
        }
        let (ends, _) = lines.next().unwrap().trim().split_once(" tos ").unwrap();
        packets.last_mut().unwrap().push(Printed {
            nanos,
            function: function.to_owned(),
            dropped: line.split_once("(reason ").map(|(_, reason)| reason.trim_end_matches(')').to_owned()),
            ends: ends.to_owned(),
        });
    }
    packets
}

/// Returns an event as `retis sort` prints it.
fn printed(event: &KernelEvent) -> Printed {
    let tuple = event.tuple.as_ref().unwrap();
    let end = |address, port: Option<u16>| match port {
        Some(port) => format!("{address}.{port}"),
        None => format!("{address}"),
    };
    Printed {
        nanos: event.nanos.unwrap(),
        function: event.function.clone(),
        dropped: event.drop_reason.clone(),
        ends: format!(
            "{} > {}",
            end(tuple.source, tuple.ports.map(|(port, _)| port)),
            end(tuple.destination, tuple.ports.map(|(_, port)| port))
        ),
    }
}

#[test]
fn packets_and_their_events_are_those_of_retis_sort() {
    let events = read(RETIS).events;
    let ours: Vec<Vec<Printed>> = packets(&events)
        .iter()
        .map(|path| path.events.iter().map(|index| printed(&events[*index])).collect())
        .collect();
    let theirs = sorted();
    assert!(theirs.len() > 20, "{} packets", theirs.len());
    assert_eq!(ours, theirs);
}

#[test]
fn arrays_of_sorted_events_have_the_same_packets() {
    let mut arrays: Vec<Vec<&str>> = Vec::new();
    let mut lines: HashMap<PacketId, usize> = HashMap::new();
    for line in RETIS.lines().skip(1) {
        let id = read(line).events[0].packet.unwrap();
        let at = *lines.entry(id).or_insert(arrays.len());
        if at == arrays.len() {
            arrays.push(Vec::new());
        }
        arrays[at].push(line);
    }
    let text: String = arrays.iter().map(|array| format!("[{}]\n", array.join(","))).collect();
    let (sorted, events) = (read(&text).events, read(RETIS).events);
    let functions = |events: &[KernelEvent]| -> Vec<Vec<u64>> {
        let nanos =
            |path: &PacketPath| path.events.iter().map(|index| events[*index].nanos.unwrap()).collect();
        packets(events).iter().map(nanos).collect()
    };
    assert_eq!(functions(&sorted), functions(&events));
}

/// Returns the paths of a recording of pwru whose destination is an address with a port.
fn to_port(events: &[KernelEvent], port: u16, protocol: u8) -> Vec<PacketPath> {
    let is_to = |tuple: &Tuple| {
        tuple.protocol == Some(protocol) && tuple.ports.is_some_and(|(_, destination)| destination == port)
    };
    packets(events).into_iter().filter(|path| path.tuples.iter().any(is_to)).collect()
}

#[test]
fn the_rule_of_the_router_drops_its_packets_while_it_forwards_them() {
    // The older kernel recorded the UDP packet that the router rejects. The newer one recorded also the TCP packet that
    // the router drops.
    for (text, protocol) in [(DROPS_6_1, 17), (DROPS_6_12, 17), (DROPS_6_12, 6)] {
        let events = read(text).events;
        let paths = to_port(&events, 8080, protocol);
        assert!(!paths.is_empty());
        for path in paths {
            let at = vec!["nft_do_chain[nf_tables]".to_owned(), "ip_forward".to_owned()];
            assert_eq!(path.end, End::Dropped { reason: Some("NETFILTER_DROP".into()), at });
            let step = path.steps.last().unwrap();
            assert_eq!(step.netns_name.as_deref(), Some("r"));
            assert_eq!(step.interface.as_ref().unwrap().name.as_deref(), Some("ra"));
        }
    }
}

#[test]
fn closed_ports_dead_packets_and_missing_routes_have_their_reasons() {
    for text in [DROPS_6_1, DROPS_6_12] {
        let events = read(text).events;
        let mut ends = Vec::new();
        for path in packets(&events) {
            let namespace = path.steps[0].netns_name.clone().unwrap_or_default();
            if let End::Dropped { reason: Some(reason), at } = path.end {
                // Compilers add parts to the names of functions.
                let at = at[0].split('.').next().unwrap_or_default();
                ends.push(format!("{reason} in {at} of {namespace}"));
            }
        }
        for expected in [
            "NO_SOCKET in __udp4_lib_rcv of b",
            "IP_INHDR in ip_forward of r",
            "IP_INNOROUTES in ip_error of r",
            "IP_RPFILTER in ip_rcv_finish_core of r",
        ] {
            assert!(ends.iter().any(|end| end == expected), "{expected} is not among {ends:?}");
        }
    }
}

#[test]
fn a_packet_is_followed_over_the_router_and_its_buffer_is_used_again() {
    let events = read(ALL_6_12).events;
    let paths = packets(&events);
    let syn = &paths[0];
    let names = |path: &PacketPath| -> Vec<String> {
        let mut names: Vec<_> = path.steps.iter().map(|step| step.place()).collect();
        names.dedup();
        names
    };
    assert_eq!(names(syn), ["no device", "a0", "ra", "rb", "b0"]);
    assert_eq!(syn.end, End::Dropped { reason: Some("NO_SOCKET".into()), at: vec![] });
    assert_eq!(syn.tuples.len(), 1);
    assert_eq!(syn.tuples[0].ports.map(|(_, port)| port), Some(9));
    let line = syn.line(600);
    assert!(
        line.starts_with("no device: ip_local_out > __ip_local_out > ip_output; a0: nf_hook_slow > "),
        "{line}"
    );
    assert!(line.contains(" functions … "), "{line}");
    assert!(line.len() < 700, "{} bytes", line.len());
    assert!(syn.line(100_000).contains("; ra: __netif_rx > "), "{}", syn.line(100_000));

    // The reset goes back; then each attempt at the other port is a packet of its own, and the router drops it.
    let reset = &paths[1];
    assert_eq!(reset.tuples[0].flags.as_deref(), Some("RST|ACK"));
    assert_eq!(names(reset), ["no device", "b0", "rb", "ra", "a0", "no device"]);
    assert_eq!(reset.end, End::Consumed { at: vec!["tcp_reset".into()] });
    let dropped = paths.iter().filter(|path| path.tuples[0].ports.is_some_and(|(_, port)| port == 8080));
    let dropped: Vec<_> = dropped.filter(|path| !matches!(path.end, End::Seen(_))).collect();
    assert!(dropped.len() > 3, "{} packets", dropped.len());
    for path in dropped {
        assert!(
            matches!(&path.end, End::Dropped { reason: Some(reason), .. } if reason == "NETFILTER_DROP"),
            "{path:?}"
        );
        assert_eq!(names(path).last().map(String::as_str), Some("ra"));
    }
}
