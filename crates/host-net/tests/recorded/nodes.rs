//! The output of programs on the nodes of the captured cluster. Each row is printed again as it was recorded.

use crate::{node_files, words};
use host_net::{
    address_filter::AddressFilter,
    connection::Connection,
    interface, iptables,
    lines::Parsed,
    neighbour::Neighbour,
    nft::{self, NftObject},
    route,
    rule::RoutingRule,
    socket,
};
use std::{collections::BTreeSet, net::IpAddr};

/// A message breaks one line of the capture. No word of the other lines is lost.
#[test]
fn recorded_connections_are_printed_again() {
    for text in node_files("conntrack_L") {
        let mut read = 0;
        for line in text.lines().filter(|line| line.starts_with("ipv") && !line.contains("conntrack v")) {
            let printed = Connection::parse(line).map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(printed.split(' ').collect::<Vec<_>>(), line.split_whitespace().collect::<Vec<_>>());
            read += 1;
        }
        assert!(read > 20, "{read}");
    }
}

/// The rows contain all words of every recorded address, and one row for every interface.
#[test]
fn recorded_addresses_are_printed_again() {
    for text in node_files("ip_addr") {
        let parsed = interface::parse(text);
        assert_eq!(parsed.other, Vec::<String>::new());
        let printed = parsed.rows.iter().flat_map(|it| &it.addresses);
        let printed: Vec<String> =
            printed.flat_map(|it| [it.words.clone(), it.lifetime.clone()]).flatten().collect();
        let is_address = |line: &&str| ["inet", "valid_lft"].iter().any(|word| line.trim().starts_with(word));
        let original: Vec<&str> = text.lines().filter(is_address).flat_map(str::split_whitespace).collect();
        assert_eq!(printed, original);
        assert_eq!(parsed.rows.len(), text.lines().filter(|line| !line.starts_with(' ')).count());
    }
}

#[test]
fn recorded_dumps_are_printed_again() {
    for text in node_files("iptables-save").into_iter().chain(node_files("ip6tables-save")) {
        let parsed = iptables::parse_save(text);
        assert_eq!(parsed.other, Vec::<String>::new());
        let printed: Vec<String> = parsed.rows.iter().map(iptables::IptablesRule::print).collect();
        let original: Vec<&str> =
            text.lines().filter(|line| !line.starts_with(['#', '*']) && *line != "COMMIT").collect();
        assert_eq!(printed, original);
    }
}

#[test]
fn recorded_neighbours_are_printed_again() {
    for text in node_files("ip_neigh") {
        let parsed = Parsed::of_lines(text, Neighbour::parse);
        let printed: Vec<String> = parsed.rows.iter().map(Neighbour::text).collect();
        let original: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!((printed, parsed.other.len()), (original, 0));
        assert!(parsed.rows.iter().any(Neighbour::is_permanent));
    }
}

/// The printed ruleset contains every token of the recorded ruleset, in its order.
#[test]
fn no_token_of_a_ruleset_is_lost() {
    let tokens = |text: &str| -> Vec<String> {
        let text = text.replace(',', " , ");
        text.split_whitespace().filter(|token| *token != ",").map(str::to_owned).collect()
    };
    for text in node_files("nft_list_ruleset") {
        let parsed = nft::parse(text);
        assert_eq!(parsed.other, Vec::<String>::new());
        assert!(parsed.rows.len() > 10);
        let mut printed = String::new();
        let mut table = String::new();
        for object in &parsed.rows {
            let of = format!("table {} {} {{", object.family, object.table);
            if of != table {
                printed += &format!("{}{of}\n", if table.is_empty() { "" } else { "}\n" });
                table = of;
            }
            if object.kind != "table" {
                printed += &print(object);
            }
        }
        printed += "}\n";
        // Only the handle of a table is missing in the rows.
        let original: String = text
            .lines()
            .map(|line| {
                let kept = line.split(" # handle ").next().filter(|_| line.starts_with("table "));
                kept.unwrap_or(line).to_owned() + "\n"
            })
            .collect();
        let (printed, original) = (tokens(&printed), tokens(&original));
        let differs = printed.iter().zip(&original).position(|(a, b)| a != b);
        assert_eq!(differs.map(|at| (&printed[at], &original[at])), None);
        assert_eq!(printed.len(), original.len());
    }
}

#[test]
fn recorded_routes_and_rules_are_printed_again() {
    for text in node_files("ip_route") {
        let parsed = route::parse(text);
        let printed: String = parsed.rows.iter().map(|route| route.text() + "\n").collect();
        assert_eq!((words(&printed), parsed.other.len()), (words(text), 0));
    }
    for text in node_files("ip_rule") {
        let parsed = RoutingRule::parse_all(text);
        let print = |rule: &RoutingRule| format!("{}: {}\n", rule.priority, rule.text());
        let printed: String = parsed.rows.iter().map(print).collect();
        assert_eq!((words(&printed), parsed.other.len()), (words(text), 0));
    }
}

#[test]
fn recorded_links_have_counters_and_kinds() {
    for text in node_files("ip_link") {
        let parsed = interface::parse(text);
        assert_eq!(parsed.other, Vec::<String>::new());
        let management = parsed.rows.iter().find(|it| it.name == "ovn-k8s-mp0").expect("a management port");
        assert_eq!((management.get("mtu"), management.counters.len()), (Some("1400"), 12));
        assert_eq!(management.kind.first().map(String::as_str), Some("tun"));
    }
}

/// Prints an object as nft does, to compare it with the recorded output.
fn print(of: &NftObject) -> String {
    let handle =
        |handle: &Option<String>| handle.as_ref().map(|it| format!(" # handle {it}")).unwrap_or_default();
    let mut text = format!("{} {} {{{}\n", of.kind, of.name, handle(&of.handle));
    of.properties.iter().for_each(|property| text += &format!("{property}\n"));
    if !of.elements.is_empty() {
        text += &format!("elements = {{ {} }}\n", of.elements.join(", "));
    }
    of.rules.iter().for_each(|rule| text += &format!("{}{}\n", rule.text, handle(&rule.handle)));
    text + "}\n"
}

/// Tests every recorded address with every recorded port, and each of them alone. The expected result comes from the
/// printed addresses and ports.
#[test]
fn a_filter_finds_the_sockets_with_an_address_or_a_port() {
    for text in node_files("ss_peaonmi") {
        let is_shown = |line: &&str| {
            ["tcp ", "udp ", "raw ", "icmp6 ", "mptcp "].iter().any(|kind| line.starts_with(kind))
        };
        let lines: Vec<Vec<&str>> = text.lines().filter(is_shown).map(words).collect();
        let parsed = socket::parse(text);
        assert_eq!(parsed.rows.len(), lines.len());
        let split = |end: &'static str| -> (String, &'static str) {
            let (host, port) = end.rsplit_once(':').expect("a host and a port");
            let host = host.split('%').next().expect("a host").replace(['[', ']'], "");
            (host.strip_prefix("::ffff:").map(str::to_owned).unwrap_or(host), port)
        };
        let ends = || lines.iter().flat_map(|line| [split(line[4]), split(line[5])]);
        let mut addresses: BTreeSet<Option<IpAddr>> = ends().map(|(host, _)| host.parse().ok()).collect();
        addresses.extend([None, "192.0.2.1".parse().ok(), "2001:db8::1".parse().ok()]);
        let mut ports: BTreeSet<Option<u16>> = ends().map(|(_, port)| port.parse().ok()).collect();
        ports.extend([None, Some(7)]);
        for wanted in addresses.iter().flat_map(|address| ports.iter().map(move |port| (*address, *port))) {
            let (address, port) = wanted;
            for (line, socket) in lines.iter().zip(&parsed.rows) {
                let (local, peer) = (split(line[4]), split(line[5]));
                let waits = line[1] == "LISTEN" || (line[1] == "UNCONN" && peer.1 == "*");
                let everywhere = |address: IpAddr| match local.0.as_str() {
                    "*" => waits,
                    "0.0.0.0" => waits && address.is_ipv4(),
                    "::" => waits && address.is_ipv6(),
                    _ => false,
                };
                let has = |address: IpAddr| [&local, &peer].iter().any(|end| end.0.parse() == Ok(address));
                let expected = address.is_none_or(|it| has(it) || everywhere(it))
                    && port.is_none_or(|port| [&local, &peer].iter().any(|end| end.1.parse() == Ok(port)));
                let ours = socket.matches(AddressFilter { address, port });
                assert_eq!(ours, expected, "{wanted:?}: {line:?}");
            }
        }
    }
}
