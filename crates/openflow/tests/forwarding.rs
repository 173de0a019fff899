//! The datapath actions and the fate of a packet on small bridges.

use openflow::{
    BadPacket, Bridge, End, FlowPlace, Port, PortKind, Ports, Switch, Vlans,
    eval::{NEW, Question, Trace, trace},
};

/// Follows a packet that enters through the first of the ports a, b and c.
fn follow(flows: &str, packet: &str, isolates: bool) -> Trace {
    let port = |(number, name): (u16, &str)| {
        let port = Port { name: name.to_owned(), kind: PortKind::Plain, vlans: Vlans::default(), bond: None };
        (number, port)
    };
    let ports = [(1, "a"), (2, "b"), (3, "c")].map(port).into_iter().collect();
    let bridge = Bridge::new(ports, flows, "", "");
    assert!(bridge.notes().is_empty(), "{:?}", bridge.notes());
    let question = Question {
        bridge: "br".into(),
        packet: openflow::packet(&format!("in_port=1,{packet}"), &Ports::default()).expect("a packet"),
        states: Vec::new(),
        assumed: vec![NEW],
        tells_tuple: true,
        names: true,
    };
    trace(&Switch::new([("br".to_owned(), bridge)]).with_isolated_copies(isolates), &question)
}

fn datapath(flows: &str, packet: &str) -> Vec<String> {
    told(flows, packet, true)
}

fn told(flows: &str, packet: &str, isolates: bool) -> Vec<String> {
    let passes = follow(flows, packet, isolates).passes;
    passes.iter().map(|pass| pass.datapath.join(",")).collect()
}

#[test]
fn a_tracked_packet_gets_ct_clear() {
    let flows = " table=0, ip actions=ct(table=1)\n table=1, ip actions=ct_clear,output:2\n";
    assert_eq!(datapath(flows, "tcp"), ["ct,recirc(0x1)", "ct_clear,b"]);
}

#[test]
fn a_copy_with_permanent_effects_is_a_clone() {
    let cleared = " table=0, ip actions=clone(ct(commit),output:2),output:3\n";
    assert_eq!(datapath(cleared, "tcp"), ["clone(ct(commit),b),c"]);
    // The same is true if only a later table changes the packet.
    let later =
        " table=0, ip actions=clone(resubmit(,1)),output:3\n table=1, ip actions=ct(commit),output:2\n";
    assert_eq!(datapath(later, "tcp"), ["clone(ct(commit),b),c"]);
    // Before 4.0, the switch does not notice this.
    assert_eq!(told(later, "tcp", false), ["ct(commit),b,c"]);
    assert_eq!(told(cleared, "tcp", false), ["clone(ct(commit),b),c"]);
    // No action follows.
    assert_eq!(
        datapath(" table=0, ip actions=clone(ct(commit),output:2),set_field:1->reg0\n", "tcp"),
        ["ct(commit),b"]
    );
    let changed = " table=0, ip actions=clone(dec_ttl,output:2),output:3\n";
    assert_eq!(datapath(changed, "tcp,nw_ttl=64"), ["set(ipv4(ttl=63)),b,set(ipv4(ttl=64)),c"]);
}

#[test]
fn normal_removes_an_empty_tag() {
    let flows = " table=0, actions=NORMAL\n";
    assert_eq!(datapath(flows, "tcp,vlan_tci=0x1000"), ["pop_vlan,b,c"]);
    assert_eq!(datapath(flows, "tcp,vlan_tci=0x3000"), ["b,c"]);
}

#[test]
fn a_large_packet_has_its_own_fate() {
    let flows = " table=0, ip actions=check_pkt_larger(1400)->reg0[0],resubmit(,1)\n cookie=0x7, table=1, reg0=0x1/0x1 actions=controller(reason=no_match)\n table=1, reg0=0/0x1 actions=output:2\n";
    let trace = follow(flows, "tcp", true);
    let place = FlowPlace { bridge: "br".into(), table: 1, cookie: Some(7), before: vec![0] };
    let wanted = [End::Port("b".into()), End::Larger(1400, Box::new(End::Controller(place)))];
    assert_eq!(trace.ends(), wanted);
    // The text gives the same fates as the evaluation.
    assert_eq!(openflow::ends(&trace.to_string()), wanted);
    let dropped = flows.replace("output:2", "drop");
    let ends = follow(&dropped, "tcp", true).ends();
    assert!(matches!(ends.as_slice(), [End::Dropped(_), End::Larger(1400, _)]), "{ends:?}");
}

#[test]
fn a_miss_drops_the_packet() {
    let trace = |miss: &str| {
        format!(
            "Flow: tcp\n\nbridge(\"br-ex\")\n---\n 0. priority 0\n    output:2\n\nbridge(\"br-int\")\n---\n 0. {miss}\n    drop\n\nFinal flow: unchanged\nDatapath actions: drop\n"
        )
    };
    for miss in ["No match.", "reg0=0x2, priority 0"] {
        let ends = openflow::ends(&trace(miss));
        let [End::Dropped(place)] = ends.as_slice() else { panic!("{miss}: {ends:?}") };
        assert_eq!((place.bridge.as_str(), place.table, place.cookie), ("br-int", 0, None), "{miss}");
    }
}

#[test]
fn learn_adds_no_flow_and_the_trace_goes_on() {
    let flows = " table=0, ip actions=learn(table=1,eth_type=0x800,NXM_OF_IP_SRC[]),output:2\n";
    let trace = follow(flows, "tcp", true);
    let text = trace.to_string();
    assert!(text.contains(" >> suppressing side effects, so learn action ignored"), "{text}");
    assert_eq!(trace.passes.iter().map(|pass| pass.datapath.join(",")).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn the_last_flow_that_does_nothing_more_drops_the_packet() {
    // Table 20 is a detour that has no flow for the packet, and the path goes on in table 21.
    let detour = " cookie=0x1, table=0, ip actions=resubmit(,20),resubmit(,21)\n cookie=0x2, table=21, ip actions=set_field:1->reg0\n";
    // A flow sends a copy to a controller, and the packet itself is dropped later.
    let copy = " cookie=0x1, table=0, ip actions=controller(max_len=64),resubmit(,21)\n cookie=0x2, table=21, ip actions=drop\n";
    for flows in [detour, copy] {
        let trace = follow(flows, "tcp", true);
        let ends = trace.ends();
        let Some(End::Dropped(place)) = ends.last() else { panic!("{flows}: {ends:?}") };
        assert_eq!((place.table, place.cookie), (21, Some(2)), "{flows}");
        // The text gives the same fates as the evaluation.
        assert_eq!(openflow::ends(&trace.to_string()), ends, "{flows}");
    }
}

#[test]
fn a_port_that_was_not_recorded_is_no_drop_by_a_flow() {
    let ends = follow(" table=0, ip actions=output:9\n", "tcp", true).ends();
    let [End::Lost(why)] = ends.as_slice() else { panic!("{ends:?}") };
    assert!(why.contains("port 9"), "{why}");
}

#[test]
fn a_text_that_is_no_single_packet_is_refused() {
    let read = |text: &str| openflow::packet(text, &Ports::default());
    assert!(
        matches!(read("ip,nw_dst=10.0.0.0/8"), Err(BadPacket::Mask(part)) if part == "nw_dst=10.0.0.0/8")
    );
    for text in ["tcp,udp", "tcp,tp_dst=1,tp_dst=2", "in_port=1,in_port=2"] {
        assert!(matches!(read(text), Err(BadPacket::Conflict(_))), "{text}");
    }
    for text in ["tp_dst=80", "nw_src=10.0.0.1", "tcp,ipv6_src=fd00::1", "udp,nw_frag=later,tp_dst=1"] {
        assert!(matches!(read(text), Err(BadPacket::Prerequisite(_))), "{text}");
    }
    for text in ["tcp,nw_dst=10.0.0.1,tp_dst=80", "arp,arp_spa=10.0.0.1", "udp6,ipv6_src=fd00::1,tp_src=53"] {
        assert!(read(text).is_ok(), "{text}");
    }
}
