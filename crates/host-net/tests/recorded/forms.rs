//! The same node in every output format of its programs (`testdata/forms`). No word is lost, and two formats of the
//! same data give the same rows.

use crate::{archive, node_files, words};
use host_net::{
    connection::Connection,
    interface::{self, Interface},
    iptables::{self, IptablesRule},
    neighbour::Neighbour,
    nft::{self, NftObject},
    route,
    rule::RoutingRule,
    socket,
};
use std::{collections::BTreeMap, sync::LazyLock};

/// Returns the output of a command, by the file name that sos uses for it.
fn output(name: &str) -> &'static str {
    static OUTPUTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| archive("forms/outputs.tar.xz"));
    OUTPUTS.get(&format!("outputs/{name}")).expect(name)
}

/// Returns an object as nft prints it without handles.
fn without_handles(of: &NftObject) -> NftObject {
    let rules = of.rules.iter().map(|rule| nft::NftRule { handle: None, ..rule.clone() }).collect();
    NftObject { handle: None, rules, ..of.clone() }
}

#[test]
fn routes_and_rules_are_equal_in_text_and_json() {
    let [text, json] = ["ip_route_show_table_all", "ip_-j_route_show_table_all"].map(|name| {
        let parsed = route::parse(output(name));
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        parsed.rows.iter().map(route::Route::text).collect::<Vec<_>>()
    });
    assert!(text.len() > 15);
    assert_eq!(json, text);
    let [text, json] =
        ["ip_-4_rule_list", "ip_-j_-4_rule_list"].map(|name| RoutingRule::parse_all(output(name)));
    assert_eq!((text.rows.len(), &text), (4, &json));
    // The list of all tables contains the routes in the list of one table.
    let whole = route::parse(output("ip_route_show_table_all"));
    for name in ["ip_route", "ip_-6_route"] {
        let main = route::parse(output(name));
        let all = main.rows.iter().all(|route| whole.rows.contains(route));
        assert!(all && !main.rows.is_empty() && main.other.is_empty(), "{name}: {main:#?}");
    }
    for name in ["ip_route", "ip_-6_route", "ip_-6_route_show_table_all"] {
        let printed: String =
            route::parse(output(name)).rows.iter().map(|route| route.text() + "\n").collect();
        assert_eq!(words(&printed), words(output(name)), "{name}");
    }
}

#[test]
fn neighbours_are_equal_in_text_and_json() {
    // Times and states differ, because the outputs are a few seconds apart.
    let lasting = |name: &str| {
        let parsed = Neighbour::parse_all(output(name));
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        let of = |it: &Neighbour| {
            (it.address, it.get("dev").map(str::to_owned), it.get("lladdr").map(str::to_owned))
        };
        parsed.rows.iter().map(of).collect::<Vec<_>>()
    };
    let text = lasting("ip_-s_-s_neigh_show");
    assert!(text.len() > 3);
    assert_eq!((lasting("ip_neigh_show"), lasting("ip_-j_-s_neigh_show")), (text.clone(), text));
    let json = Neighbour::parse_all(output("ip_-j_-s_neigh_show"));
    assert!(json.rows.iter().any(|it| it.is_permanent() && it.text().contains(" used ")), "{json:#?}");
}

#[test]
fn interfaces_and_addresses_are_equal_in_every_format() {
    let read = |name: &str| {
        let parsed = interface::parse(output(name));
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        parsed.rows
    };
    let addresses = |rows: &[Interface]| -> Vec<(String, String)> {
        let of = |it: &Interface| {
            it.addresses.iter().map(|address| (it.name.clone(), address.text())).collect::<Vec<_>>()
        };
        rows.iter().flat_map(of).collect()
    };
    let detailed = read("ip_-d_address");
    assert!(addresses(&detailed).len() > 5);
    for form in ["ip_-o_addr", "ip_addr", "ip_-j_-d_address"] {
        assert_eq!(addresses(&read(form)), addresses(&detailed), "{form}");
    }
    let device = |it: &Interface| {
        let words =
            ["mtu", "qdisc", "master", "state", "group", "qlen"].map(|word| it.get(word).map(str::to_owned));
        let counters: Vec<&'static str> = it.counters.iter().map(|(direction, ..)| *direction).collect();
        (
            it.name.clone(),
            it.peer.clone(),
            it.flags.clone(),
            words,
            it.mac().map(str::to_owned),
            counters,
            it.kind.first().cloned(),
        )
    };
    let [text, json] =
        ["ip_-s_-d_link", "ip_-j_-s_-d_link"].map(|name| read(name).iter().map(device).collect::<Vec<_>>());
    assert!(text.len() > 6);
    // For a veth pair, JSON contains the kind and the text contains the name of the peer.
    assert_eq!(json, text);
}

/// Removes comments and devices of chains, which only the text contains, and adds the name of a priority that older
/// versions print as a number.
fn without_comments(objects: &[NftObject]) -> Vec<NftObject> {
    let one = |of: &NftObject| {
        let mut of = of.clone();
        of.properties.retain(|property| of.kind != "chain" || !property.starts_with("comment "));
        of.properties.iter_mut().for_each(|it| {
            *it = it.replace("priority -100;", "priority dstnat;").replace("device \"eth0\" ", "")
        });
        of
    };
    objects.iter().map(one).collect()
}

/// Compares rulesets with handles, without handles and as JSON, of the lab and of the nodes of the capture.
#[test]
fn nftables_rulesets_are_equal_in_every_format() {
    let read = |name: &str| {
        let parsed = nft::parse(output(name));
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        parsed.rows
    };
    let (with, without) = (read("nft_-a_list_ruleset"), read("nft_list_ruleset"));
    assert!(with.iter().flat_map(|object| &object.rules).all(|rule| rule.handle.is_some()));
    assert_eq!(with.iter().map(without_handles).collect::<Vec<_>>(), without);
    let captured = ["nft_list_ruleset", "nft_json"].map(node_files);
    let [texts, jsons] =
        captured.map(|texts| texts.iter().map(|text| nft::parse(text).rows).collect::<Vec<_>>());
    let pairs = texts.into_iter().zip(jsons).chain([(with, read("nft_-j_list_ruleset"))]);
    for (text, json) in pairs {
        assert!(text.len() > 20 && text.len() == json.len());
        for (mut json, text) in without_comments(&json).into_iter().zip(without_comments(&text)) {
            // For statements that iptables created, the text contains more than the JSON.
            for (json, text) in
                json.rules.iter_mut().zip(&text.rules).filter(|(json, _)| json.text.contains("xt match"))
            {
                text.text.clone_into(&mut json.text);
            }
            assert_eq!(json, text);
        }
    }
}

/// Prints a list as iptables does, without the titles of its columns.
fn list_of(rows: &[IptablesRule]) -> String {
    let line = |row: &IptablesRule| match (&row.text, &row.counters, &row.policy, &row.references) {
        (Some(text), Some((packets, bytes)), ..) => format!("{packets} {bytes} {text}\n"),
        (None, Some((packets, bytes)), Some(policy), None) => {
            format!("Chain {} (policy {policy} {packets} packets, {bytes} bytes)\n", row.chain)
        }
        (None, None, None, Some(references)) => format!("Chain {} ({references} references)\n", row.chain),
        _ => format!("{row:?}\n"),
    };
    rows.iter().map(line).collect()
}

#[test]
fn iptables_dumps_and_lists_are_parsed_without_loss() {
    for (name, table) in [
        ("iptables_-t_filter_-nvL", "filter"),
        ("iptables_-t_nat_-nvL", "nat"),
        ("iptables_-t_mangle_-nvL", "mangle"),
        ("iptables_-vnxL", "filter"),
        ("ip6tables_-t_filter_-nvL", "filter"),
    ] {
        let text = output(name);
        let parsed = iptables::parse_list(text, table);
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        let titles = |line: &&str| !line.trim_start().starts_with("pkts ");
        let original: Vec<&str> = text.lines().filter(titles).flat_map(words).collect();
        assert_eq!(words(&list_of(&parsed.rows)), original, "{name}");
    }
    let [plain, counted] =
        ["iptables-save", "iptables-save_-c"].map(|name| iptables::parse_save(output(name)));
    let rules = |rows: &[IptablesRule]| {
        rows.iter().map(|row| (row.table.clone(), row.chain.clone(), row.text.clone())).collect::<Vec<_>>()
    };
    assert!(counted.rows.iter().all(|row| row.counters.is_some()));
    assert_eq!((rules(&plain.rows), plain.other.len()), (rules(&counted.rows), counted.other.len()));
    // The list of a table and its dump have the same number of rules.
    let listed = iptables::parse_list(output("iptables_-vnxL"), "filter").rows;
    let of_filter =
        |rows: &[IptablesRule]| rows.iter().filter(|row| row.table == "filter" && row.text.is_some()).count();
    assert_eq!(of_filter(&listed), of_filter(&plain.rows));
}

#[test]
fn connections_are_printed_again_in_every_format() {
    for name in ["conntrack_-L", "conntrack_-L_-o_extended", "conntrack_-L_-o_id_timestamp"] {
        let text = output(name);
        for line in text.lines() {
            let printed = Connection::parse(line).map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(words(&printed), words(line), "{name}");
        }
        assert!(!text.trim().is_empty(), "{name}");
    }
}

/// Both commands list the same network sockets. The parser skips sockets of other kinds.
#[test]
fn sockets_are_equal_in_both_formats() {
    let [asked, recorded] = ["ss_-tuwanpi", "ss_-peaonmi"].map(|name| {
        let parsed = socket::parse(output(name));
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        let ends = parsed
            .rows
            .iter()
            .map(|it| (it.kind.clone(), it.state.clone(), it.local.clone(), it.peer.clone()));
        let mut ends: Vec<_> = ends.filter(|(_, state, ..)| state != "TIME-WAIT").collect();
        ends.sort();
        ends
    });
    assert!(asked.len() > 10);
    assert_eq!(asked, recorded);
}
