//! Recorded captures of two nodes with OVN.

use capture::analysis::{Conversation, Handshake, TcpEnd};
use capture::tuple::Protocol;

use crate::{
    counts::compare,
    tshark::{analyse, sample},
};

#[test]
fn a_pod() {
    let file = sample("pod-client.pcap");
    let report = analyse(&file);
    compare(&file, &report);
    let tcp: Vec<_> = report.conversations.iter().filter(|found| found.protocol == Protocol::Tcp).collect();
    assert_eq!(tcp.len(), 2);
    for conversation in tcp {
        let tcp = conversation.tcp.as_ref().expect("TCP");
        assert!(matches!(tcp.handshake, Handshake::Complete { .. }));
        assert_eq!((tcp.opener, tcp.end), (Some(0), TcpEnd::Closed));
        assert_eq!(tcp.mss, [Some(1360), Some(1360)]);
    }
}

#[test]
fn an_uplink_with_tunnels() {
    let file = sample("n1-eth0.pcap");
    let report = analyse(&file);
    compare(&file, &report);
    // The capture cut some SYNs inside their options. tshark leaves them out of its table.
    assert_eq!(report.cut.values().sum::<u64>(), 4, "{:?}", report.cut);
    let to_server = |found: &&Conversation| found.ends[1].to_string() == "10.244.1.5:8080";
    let conversation = report.conversations.iter().find(to_server).expect("a conversation");
    let tunnels = conversation.flows.clone().map(|flow| flow.tunnel.expect("a tunnel"));
    assert_eq!(tunnels.map(|tunnel| tunnel.vni), [0x00ff_0003; 2]);
    let outer = tunnels.map(|tunnel| (tunnel.outer.0.to_string(), tunnel.outer.1.to_string()));
    assert_eq!(outer[0], ("172.18.0.2".into(), "172.18.0.3".into()));
    assert_eq!(outer[1], ("172.18.0.3".into(), "172.18.0.2".into()));
    let ports = tunnels.map(|tunnel| tunnel.ports.expect("OVN's ports"));
    assert_eq!((ports[0].ingress, ports[0].egress), (ports[1].egress, ports[1].ingress));
}

/// The interface `any` sees a packet on the pod's interface and in the tunnel, which are two conversations, and some
/// packets twice, which are copies.
#[test]
fn all_interfaces() {
    let file = sample("n1-any.pcap");
    let report = analyse(&file);
    for conversation in &report.conversations {
        let Some(tcp) = &conversation.tcp else { continue };
        // A SYN-ACK has no identification, so a copy of it looks like a segment that was sent again.
        let again = tcp.segments.map(|counts| counts.retransmissions + counts.out_of_order);
        assert!(again[0] == 0 && again[1] <= 1, "{conversation:?}");
    }
    let copies: u64 =
        report.conversations.iter().flat_map(|found| &found.flows).map(|flow| flow.copies).sum();
    assert!(copies > 0, "{report:?}");
}
