//! One node in every form that its programs print (`testdata/forms`). No word is lost, and two forms of one thing tell the
//! same.

use crate::{archive, node_files, words};
use host_net::{
    connection::Connection,
    interface::{self, Interface},
    iptables::{self, Rule as Filtered},
    neighbour::Neighbour,
    nft::{self, Object},
    route,
    rule::Rule,
    socket,
};
use std::{collections::BTreeMap, sync::LazyLock};

/// What a command printed, by the name that sos gives it.
fn output(name: &str) -> &'static str {
    static OUTPUTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| archive("forms/outputs.tar.xz"));
    OUTPUTS.get(&format!("outputs/{name}")).expect(name)
}

/// As nft prints it when it is not asked for handles.
fn without_handles(of: &Object) -> Object {
    let rules = of.rules.iter().map(|rule| nft::Rule { handle: None, ..rule.clone() }).collect();
    Object { handle: None, rules, ..of.clone() }
}

#[test]
fn routes_and_rules_in_text_and_json() {
    let [text, json] = ["ip_route_show_table_all", "ip_-j_route_show_table_all"].map(|name| {
        let parsed = route::parse(output(name));
        assert_eq!(parsed.other, Vec::<String>::new(), "{name}");
        parsed.rows.iter().map(route::Route::text).collect::<Vec<_>>()
    });
    assert!(text.len() > 15);
    assert_eq!(json, text);
    let [text, json] = ["ip_-4_rule_list", "ip_-j_-4_rule_list"].map(|name| Rule::parse_all(output(name)));
    assert_eq!((text.rows.len(), &text), (4, &json));
    // Of a list of one table the routes are those of the whole.
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
fn neighbours_in_text_and_json() {
    // Seconds go by between two outputs.
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
fn interfaces_and_addresses_in_every_form() {
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
    // Of a pair, JSON has the kind and the text its name.
    assert_eq!(json, text);
}

/// Without what only the text has, comments and devices of chains, and with the name that older versions lack for a priority.
fn without_comments(objects: &[Object]) -> Vec<Object> {
    let one = |of: &Object| {
        let mut of = of.clone();
        of.properties.retain(|property| of.kind != "chain" || !property.starts_with("comment "));
        of.properties.iter_mut().for_each(|it| {
            *it = it.replace("priority -100;", "priority dstnat;").replace("device \"eth0\" ", "")
        });
        of
    };
    objects.iter().map(one).collect()
}

/// With handles and without, and as JSON: in the lab and on the nodes of the capture.
#[test]
fn rules_of_nftables() {
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
            // Of what iptables made the text has more.
            for (json, text) in
                json.rules.iter_mut().zip(&text.rules).filter(|(json, _)| json.text.contains("xt match"))
            {
                text.text.clone_into(&mut json.text);
            }
            assert_eq!(json, text);
        }
    }
}

/// A list as iptables printed it, but for the titles of its columns.
fn list_of(rows: &[Filtered]) -> String {
    let line = |row: &Filtered| match (&row.text, &row.counters, &row.policy, &row.references) {
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
fn rules_of_iptables_saved_and_listed() {
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
    let rules = |rows: &[Filtered]| {
        rows.iter().map(|row| (row.table.clone(), row.chain.clone(), row.text.clone())).collect::<Vec<_>>()
    };
    assert!(counted.rows.iter().all(|row| row.counters.is_some()));
    assert_eq!((rules(&plain.rows), plain.other.len()), (rules(&counted.rows), counted.other.len()));
    // As many rules in a list as in the dump of its table.
    let listed = iptables::parse_list(output("iptables_-vnxL"), "filter").rows;
    let of_filter =
        |rows: &[Filtered]| rows.iter().filter(|row| row.table == "filter" && row.text.is_some()).count();
    assert_eq!(of_filter(&listed), of_filter(&plain.rows));
}

#[test]
fn connections_in_every_form() {
    for name in ["conntrack_-L", "conntrack_-L_-o_extended", "conntrack_-L_-o_id_timestamp"] {
        let text = output(name);
        for line in text.lines() {
            let printed = Connection::parse(line).map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(words(&printed), words(line), "{name}");
        }
        assert!(!text.trim().is_empty(), "{name}");
    }
}

/// Of sockets all but those of other kinds, which are left out.
#[test]
fn sockets_in_both_forms() {
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
