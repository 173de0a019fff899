//! Tests of single events.

use super::*;

#[test]
fn an_event_of_retis_has_what_its_json_says() {
    let events = read(RETIS);
    let recording = events.recording.unwrap();
    assert_eq!(recording.version, "v1.7.0");
    assert_eq!(recording.kernel.as_deref(), Some("6.1.0-56-cloud-amd64"));
    assert_eq!(recording.offset, Some(1_795_336_866_161_768_112));
    let first = &events.events[0];
    assert_eq!((first.function.as_str(), first.hook), ("net:netif_receive_skb", Hook::Tracepoint));
    assert_eq!(first.packet, Some(PacketId::Tracked(18_713_074_398, 18_391_701_054_918_394_880)));
    assert_eq!((first.nanos, first.cpu, first.length), (Some(18_713_074_398), Some(1), Some(98)));
    assert_eq!(first.task.as_deref(), Some("ping:137"));
    assert_eq!(first.netns, Some(4_026_531_840));
    assert_eq!(first.interface, Some(Interface { name: Some("lo".into()), index: 1 }));
    assert_eq!(first.ether_type, Some(0x0800));
    let local = "127.0.0.1".parse().unwrap();
    let tuple = Tuple { source: local, destination: local, ports: None, protocol: Some(1), flags: None };
    assert_eq!(first.tuple, Some(tuple.clone()));
    let conntrack = first.conntrack.as_ref().unwrap();
    assert_eq!((conntrack.state.as_str(), conntrack.zone, conntrack.mark), ("new", Some(0), Some(0)));
    assert_eq!((conntrack.original.as_ref(), conntrack.reply.as_ref()), (Some(&tuple), Some(&tuple)));
    let states = events.events.iter().filter_map(|event| event.conntrack.as_ref()?.protocol_state.as_deref());
    let (sent, closed): (Vec<_>, Vec<_>) = states.partition(|state| *state == "SYN_SENT");
    assert!(!sent.is_empty() && !closed.is_empty() && closed.iter().all(|state| *state == "CLOSE"));
}

#[test]
fn an_event_of_pwru_has_what_its_json_says() {
    let events = read(DROPS_6_1).events;
    let first = &events[0];
    assert_eq!((first.function.as_str(), first.hook), ("kfree_skb_reason", Hook::Function));
    assert_eq!(first.drop_reason.as_deref(), Some("NOT_SPECIFIED"));
    assert_eq!(first.packet, Some(PacketId::Buffer(0xff47_bafe_69aa_9d00)));
    assert_eq!(first.clock.as_deref(), Some("2026-11-29T03:10:29.822"));
    assert_eq!((first.nanos, first.cpu, first.netns), (None, Some(1), Some(4_026_531_840)));
    assert_eq!(first.caller.as_deref(), Some("ip6_mc_input"));
    assert_eq!(first.interface, Some(Interface { name: Some("br0".into()), index: 2 }));
    let tuple = first.tuple.as_ref().unwrap();
    assert_eq!(tuple.source, "fe80::7c89:2aff:fecd:f818".parse::<std::net::IpAddr>().unwrap());
    assert_eq!((tuple.ports, tuple.protocol), (None, Some(58)));
    assert_eq!(first.stack[..2], ["kfree_skb_reason", "ip6_mc_input"]);
    assert_eq!(first.stack.len(), 16);

    let events = read(ALL_6_12).events;
    assert_eq!(events[0].nanos, Some(301_188_362_547));
    assert_eq!(events[0].interface, Some(Interface { name: None, index: 0 }));
    assert_eq!(events[0].tuple.as_ref().unwrap().flags.as_deref(), Some("SYN"));
    assert!(events.iter().map(|event| event.nanos).is_sorted());
}

#[test]
fn functions_of_pwru_are_split_from_reasons_and_kinds() {
    let event = |func: &str| read(&format!("{{\"skb\":\"0x1\",\"func\":\"{func}\"}}")).events.remove(0);
    let split = |func| {
        let event = event(func);
        (event.function, event.hook, event.drop_reason)
    };
    let name = |name: &str| name.to_owned();
    assert_eq!(split("kfree_skb_reason (85)"), (name("kfree_skb_reason"), Hook::Function, Some("85".into())));
    assert_eq!(split("sk_skb_reason_drop(SKB_CONSUMED)"), (name("sk_skb_reason_drop"), Hook::Function, None));
    assert_eq!(split("cls_main(tc)"), (name("cls_main"), Hook::Tc, None));
    assert_eq!(split("filter(xdp)"), (name("filter"), Hook::Xdp, None));
    assert_eq!(split("nft_do_chain[nf_tables]"), (name("nft_do_chain[nf_tables]"), Hook::Function, None));
}

/// An event of retis with a section, of the packet with this number.
fn retis(packet: u64, nanos: u64, symbol: &str, section: &str) -> String {
    format!(
        "{{\"common\":{{\"timestamp\":{nanos},\"smp_id\":2}},\"kernel\":{{\"symbol\":\"{symbol}\",\"probe_type\":\"kprobe\",\
         \"stack_trace\":[\"kfree_skb_reason+0x8f\",\"ovs_dp_process_packet+0x1b\"]}},\
         \"skb-tracking\":{{\"orig_head\":{packet},\"timestamp\":{packet},\"skb\":7}},{section}}}\n"
    )
}

#[test]
fn a_packet_is_followed_through_ovs_vswitchd() {
    let flow = "\"flow\":9,\"sf_acts\":8,\"ufid\":[19088743,2309737967,19088743,2309737967],\"n_mask_hit\":1,\"n_cache_hit\":0,\
        \"dpflow\":\"recirc_id(0),in_port(2), actions:3\",\"ofpflows\":[\"cookie=0x9a5f3e2c, table=0, priority=100\",\"table=8\"]";
    let user = |kind: &str, more: &str| {
        format!(
            "{{\"common\":{{\"timestamp\":60}},\"userspace\":{{\"symbol\":\"{kind}\",\"probe_type\":\"usdt\"}},\"ovs\":{{\"event_type\":\"{kind}\",{more}}}}}\n"
        )
    };
    let text = [
        retis(1, 10, "openvswitch:ovs_dp_upcall", "\"ovs\":{\"event_type\":\"upcall\",\"cmd\":1,\"port\":2,\"cpu\":2}"),
        retis(1, 11, "queue_userspace_packet", "\"ovs\":{\"event_type\":\"upcall_enqueue\",\"ret\":0,\"cmd\":1,\"port\":2,\"upcall_ts\":10,\"upcall_cpu\":2,\"queue_id\":77}"),
        retis(1, 12, "ovs_dp_upcall", "\"ovs\":{\"event_type\":\"upcall_return\",\"upcall_ts\":10,\"upcall_cpu\":2,\"ret\":0}"),
        user("recv_upcall", "\"type\":1,\"pkt_size\":98,\"key_size\":100,\"queue_id\":77,\"batch_ts\":5,\"batch_idx\":0"),
        user("flow_operation", "\"op_type\":\"exec\",\"queue_id\":77,\"batch_ts\":5,\"batch_idx\":0"),
        // The packet comes back in another buffer.
        retis(2, 70, "openvswitch:ovs_do_execute_action", "\"ovs\":{\"event_type\":\"action_execute\",\"action\":\"ct\",\"zone_id\":20,\"flags\":1,\"recirc_id\":4,\"queue_id\":77}"),
        retis(2, 71, "openvswitch:ovs_do_execute_action", "\"ovs\":{\"event_type\":\"action_execute\",\"action\":\"output\",\"port\":3,\"recirc_id\":0}"),
        retis(3, 80, "ovs_flow_tbl_lookup_stats", &format!("\"ovs\":{{\"event_type\":\"flow_lookup\",{flow}}}")),
        retis(3, 81, "openvswitch:ovs_do_execute_action", "\"ovs\":{\"event_type\":\"action_execute\",\"action\":\"drop\",\"reason\":4,\"recirc_id\":0}"),
        retis(4, 90, "nft", "\"nft\":{\"table_name\":\"t\",\"chain_name\":\"c\",\"verdict\":\"drop\",\"table_handle\":1,\"chain_handle\":2,\"rule_handle\":3,\"policy\":false}"),
        retis(4, 91, "skb:kfree_skb", "\"skb-drop\":{\"subsys\":\"ovs\",\"drop_reason\":\"LAST_ACTION\"}"),
        retis(5, 99, "queue_userspace_packet", "\"ovs\":{\"event_type\":\"upcall_enqueue\",\"ret\":-105,\"upcall_ts\":1,\"upcall_cpu\":1,\"queue_id\":78}"),
    ]
    .concat();
    let read = read(&text);
    assert_eq!(read.notes(), [""; 0]);
    let (events, paths) = (&read.events, packets(&read.events));
    assert_eq!(paths.iter().map(|path| path.events.len()).collect::<Vec<_>>(), [7, 2, 2, 1]);
    assert_eq!(paths[0].events, (0..7).collect::<Vec<_>>());
    assert_eq!(events[0].ovs, Some(OvsStep::Upcall(Some(2), Some(1))));
    assert!(
        matches!(&events[5].ovs, Some(OvsStep::Action { name, zone: Some(20), recirculation: 4, .. }) if name == "ct")
    );
    assert!(matches!(&events[6].ovs, Some(OvsStep::Action { name, port: Some(3), .. }) if name == "output"));
    let Some(OvsStep::Lookup(Some(flow))) = &events[7].ovs else { panic!("{:?}", events[7]) };
    assert_eq!(flow.ufid.as_deref(), Some("01234567-89ab-cdef-0123-456789abcdef"));
    assert_eq!(paths[1].cookies(events), [0x9a5f_3e2c]);
    assert_eq!(paths[1].end, End::Dropped { reason: None, at: vec!["ovs_dp_process_packet".into()] });
    assert_eq!(
        paths[2].end,
        End::Dropped { reason: Some("ovs/LAST_ACTION".into()), at: vec!["ovs_dp_process_packet".into()] }
    );
    let verdict = paths[2].verdict(events).unwrap();
    assert_eq!((verdict.table.0.as_str(), verdict.chain.1, verdict.rule), ("t", Some(2), Some(3)));
    assert!(matches!(paths[3].end, End::Dropped { reason: None, .. }));
}
