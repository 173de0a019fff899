//! Tests that printed matches and actions parse to the same, and that no text makes a parser panic.

use ovn_lflow::{
    actions::{self, Verb},
    matches,
    symbol::SYMBOLS,
};
use proptest::prelude::*;

/// Generates texts that look like matches, and often are valid matches.
fn pieces() -> impl Strategy<Value = String> {
    let names: Vec<String> = SYMBOLS.iter().map(|symbol| symbol.name.to_owned()).collect();
    let other = [
        "&&",
        "||",
        "!",
        "(",
        ")",
        "==",
        "!=",
        "<",
        ">=",
        "{",
        "}",
        ",",
        "[",
        "]",
        "..",
        "1",
        "0",
        "10.0.0.0/8",
        "fd00::1",
        "0x10/0xff",
        "0a:58:00:00:00:01",
        "\"port\"",
        "$set",
        "@group",
        "^variable",
        "is_chassis_resident",
        "3",
        "443",
        "/*",
        "//",
        "\"",
        "é",
    ];
    let all: Vec<String> = names.into_iter().chain(other.map(str::to_owned)).collect();
    prop::collection::vec(prop::sample::select(all), 0..14).prop_map(|pieces| pieces.join(" "))
}

/// Generates valid matches.
fn valid() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "ip4",
        "tcp.dst == 80",
        "ip4.src == {10.0.0.0/8, 1.2.3.4}",
        "1",
        "0",
        "!ct.est",
        "ct.new",
        "reg0[3..7] != 4",
        "inport == \"a\\\"b\"",
        "outport == @group",
        "ip6.dst == $set",
        "1 < udp.src <= 9",
        "is_chassis_resident(\"cr\")",
        "!is_chassis_resident(\"cr\")",
        "eth.dst[40]",
        "xxreg0 == fd00::/64",
        "tcp.flags == 2/0x2",
        "80 == tcp.dst",
        "ip4.dst == ^NODEIP",
        "flags.network_id > 3",
        "eth.src == 0/0x1",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 20, 4, |inner| {
        let joined = (prop::collection::vec(inner.clone(), 1..4), prop::sample::select(vec![" && ", " || "]));
        joined.prop_map(|(parts, sign)| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
            parts.join(sign)
        })
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_of_matches_panic(text in pieces()) {
        if let Ok(expr) = matches::parse(&text) {
            prop_assert_eq!(matches::parse(&expr.to_string()), Ok(expr));
        }
    }

    #[test]
    fn a_match_that_is_printed_parses_to_the_same(text in valid()) {
        // `2/0x2` mixes notations, which OVN rejects. All other matches are valid.
        match matches::parse(&text) {
            Ok(expr) => prop_assert_eq!(matches::parse(&expr.to_string()), Ok(expr)),
            Err(_) => prop_assert!(text.contains("2/0x2")),
        }
    }

    #[test]
    fn no_characters_make_the_lexer_panic(text: String) {
        prop_assert!(matches::parse(&text).is_ok() || matches::parse(&text).is_err_and(|error| error.at <= text.len()));
    }
}

#[test]
fn predicates_and_prerequisites_of_the_table_parse() {
    for symbol in SYMBOLS {
        if let ovn_lflow::symbol::Meaning::Predicate(text) = symbol.meaning {
            assert!(matches::parse(text).is_ok(), "{}: {text}", symbol.name);
        }
        if !symbol.prerequisite.is_empty() {
            assert!(matches::parse(symbol.prerequisite).is_ok(), "{}", symbol.name);
        }
    }
}

#[test]
fn matches_that_ovn_rejects_are_rejected() {
    for text in [
        "",
        "ip4 && ip6 || tcp",
        "tcp.dst == {}",
        "ip.proto != 6",
        "!tcp",
        "reg0",
        "reg0[32]",
        "inport[3] == 1",
        "tcp.dst == 65536",
        "ip4.src == fd00::1",
        "inport == 5",
        "tcp.dst < {1, 2}",
        "nonsense == 1",
        "1 < tcp.dst > 2",
        "ip4 ip6",
        "!tcp.dst == 1",
        "007 == tcp.dst",
        "f(1)",
        "tcp.dst == 1 }",
    ] {
        assert!(matches::parse(text).is_err(), "{text:?} parses");
    }
}

#[test]
fn an_error_says_where_it_is() {
    let error = matches::parse("ip4 && nonsense == 1").expect_err("a field that does not exist");
    assert_eq!(error.to_string(), "unknown field \"nonsense\" (at byte 7)");
}

/// Generates texts that look like actions, and often are valid actions.
fn actions_pieces() -> impl Strategy<Value = String> {
    let verbs: Vec<String> = Verb::ALL.iter().map(|verb| verb.text().to_owned()).collect();
    let other = [
        ";",
        ";",
        "(",
        ")",
        "{",
        "}",
        "=",
        "<->",
        "--",
        "reg0",
        "reg1",
        "ip.ttl",
        "next",
        "inport",
        "outport",
        ",",
        "5",
        "10.0.0.1",
        "backends",
        "\"x\"",
        "80",
        ":",
        "eth.src",
        "pipeline",
        "egress",
        "table",
        "fd00::1",
        "drop",
        "-",
        "values",
        "hash_fields",
    ];
    let all: Vec<String> = verbs.into_iter().chain(other.map(str::to_owned)).collect();
    prop::collection::vec(prop::sample::select(all), 0..14).prop_map(|pieces| pieces.join(" "))
}

fn printed(parsed: &[actions::Action]) -> String {
    parsed.iter().map(|action| format!("{action} ")).collect()
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_of_actions_panic(text in actions_pieces()) {
        if let Ok(parsed) = actions::parse(&text) {
            prop_assert_eq!(actions::parse(&printed(&parsed)), Ok(parsed));
        }
    }
}

/// One example of every named action.
const EVERY_ACTION: &[&str] = &[
    "output;",
    "ct_next;",
    "ct_next(snat);",
    "ct_commit;",
    "ct_commit { ct_mark.blocked = 1; };",
    "ct_commit_to_zone(dnat);",
    "ct_dnat;",
    "ct_dnat(10.0.0.1);",
    "ct_snat(10.0.0.1,1024-65535);",
    "ct_snat(fd00::1);",
    "ct_dnat_in_czone(10.0.0.1);",
    "ct_snat_in_czone;",
    "ct_lb(backends=10.0.0.1:80);",
    "ct_lb_mark;",
    "ct_lb_mark(backends=10.0.0.1:80,[fd00::1]:80,10.0.0.2; hash_fields=\"ip_src\"; skip_snat);",
    "ct_lb_mark_local(backends=\"port\":10.0.0.1:80);",
    "reg8[16..31] = select(1=50, 2=100);",
    "reg8[0..15] = select(values=(1=100, 2=100); hash_fields=\"ip_src\");",
    "ct_clear;",
    "ct_commit_nat(snat);",
    "clone { outport = \"a\"; output; };",
    "arp { eth.dst = ff:ff:ff:ff:ff:ff; output; };",
    "icmp4 { output; };",
    "icmp4_error { icmp4.frag_mtu = 1400; output; };",
    "icmp6 { output; };",
    "icmp6_error { icmp6.frag_mtu = 1400; };",
    "igmp;",
    "tcp_reset { output; };",
    "sctp_abort { output; };",
    "reject { outport <-> inport; next(pipeline=egress, table=10); };",
    "nd_na { nd.target = fd00::1; };",
    "nd_na_router { output; };",
    "nd_ns { nd.target = xxreg0; output; };",
    "get_arp(outport, reg0);",
    "put_arp(inport, arp.spa, arp.sha);",
    "reg9[2] = lookup_arp(inport, arp.spa, arp.sha);",
    "reg9[3] = lookup_arp_ip(inport, arp.spa);",
    "get_nd(outport, xxreg0);",
    "put_nd(inport, nd.target, nd.tll);",
    "reg9[2] = lookup_nd(inport, nd.target, nd.tll);",
    "reg9[3] = lookup_nd_ip(inport, nd.target);",
    "put_fdb(inport, eth.src);",
    "outport = get_fdb(eth.dst);",
    "reg0[11] = lookup_fdb(inport, eth.src);",
    "outport = get_remote_fdb(eth.dst);",
    "reg0[3] = put_dhcp_opts(offerip = 10.0.0.4, router = 10.0.0.1);",
    "reg0[3] = put_dhcpv6_opts(ia_addr = fd00::4);",
    "reg0[3] = put_nd_ra_opts(addr_mode = \"slaac\", mtu = 1400);",
    "reg9[7] = dhcp_relay_req_chk(10.0.0.1, 10.0.0.2);",
    "reg2 = dhcp_relay_resp_chk(10.0.0.1, 10.0.0.2);",
    "handle_dhcpv6_reply;",
    "set_queue(61440);",
    "reg0[4] = dns_lookup();",
    "log(name=\"x\", verdict=allow, severity=info);",
    "set_meter(100, 1000);",
    "trigger_event(event = \"empty_lb_backends\", vip = \"10.0.0.1:80\");",
    "bind_vport(\"vip\", inport);",
    "handle_svc_check(inport);",
    "fwd_group(liveness=\"true\", childports=\"a\", \"b\");",
    "handle_bfd_msg;",
    "reg9[1] = check_pkt_larger(1414);",
    "reg0[6] = chk_lb_hairpin();",
    "reg0[12] = chk_lb_hairpin_reply();",
    "ct_snat_to_vip;",
    "reg0[15] = check_in_port_sec();",
    "reg0[15] = check_out_port_sec();",
    "commit_ecmp_nh(ipv6=\"false\");",
    "reg9[5] = chk_ecmp_nh();",
    "reg9[5] = chk_ecmp_nh_mac();",
    "commit_lb_aff(vip = \"10.0.0.1:80\", backend = \"10.0.0.2:80\", proto = tcp, timeout = 30);",
    "reg9[6] = chk_lb_aff();",
    "sample(probability=65535, collector_set=1, obs_domain=1, obs_point=$cookie);",
    "mac_cache_use;",
    "reg4 = ct_nw_dst();",
    "xxreg1 = ct_ip6_dst();",
    "reg2[0..15] = ct_tp_dst();",
    "reg1[16..23] = ct_proto();",
    "reg4[0..7] = ct_state_save();",
    "flood_remote;",
    "mirror(\"port\");",
];

#[test]
fn every_action_prints_its_original_text() {
    for text in EVERY_ACTION {
        let parsed = actions::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let printed = printed(&parsed);
        assert_eq!(printed.trim_end(), *text);
    }
    for verb in Verb::ALL {
        let pattern = |text: &str| {
            text.split(|it: char| !it.is_alphanumeric() && it != '_').any(|it| it == verb.text())
        };
        assert!(EVERY_ACTION.iter().any(|text| pattern(text)), "{} has no example", verb.text());
    }
    // These are the actions without a name. Setting a field of the packet that is created counts as a separate action.
    let unnamed = [
        "next;",
        "reg0 = 1;",
        "icmp4.frag_mtu = 1400;",
        "reg0 = reg1;",
        "reg0 <-> reg1;",
        "push(reg0);",
        "pop(reg0);",
        "ip.ttl--;",
    ];
    assert!(
        unnamed
            .iter()
            .all(|text| actions::parse(text).is_ok_and(|parsed| printed(&parsed).trim_end() == *text))
    );
    // OVN 26.03 has 82 actions.
    assert_eq!(Verb::ALL.len() + unnamed.len(), 82);
}

#[test]
fn actions_that_ovn_rejects_are_rejected() {
    for text in [
        "frobnicate;",
        "output",
        "reg0 = 4294967296;",
        "reg0 = ip6.src;",
        "ip4 = 1;",
        "next(pipeline=sideways);",
        "arp;",
        "ct_lb_mark(ends=1);",
        "get_arp(outport);",
        "reg0[0] = select(1, 2);",
        "reg0 = nothing();",
        "drop; output;",
        "inport = 5;",
        "clone { output; ",
    ] {
        assert!(actions::parse(text).is_err(), "{text:?} parses");
    }
}

#[test]
fn actions_have_prerequisites() {
    let parsed = actions::parse("ip.ttl--; put_arp(inport, arp.spa, arp.sha); clone { tcp.src = 1; };")
        .expect("actions");
    assert_eq!(actions::Action::prerequisites(&parsed), ["arp", "ip"]);
}
