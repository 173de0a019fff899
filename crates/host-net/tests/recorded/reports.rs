//! The output of commands in the reports of the capture (of hosts and of pod namespaces), and in a report of a machine
//! with the kernel's datapath.

use crate::{archive, words};
use host_net::{
    connection::Connection, interface, iptables, lines::Parsed, neighbour::Neighbour, route, rule,
};
use std::{collections::BTreeMap, sync::LazyLock};

/// Returns the files of all reports whose paths have one of these endings.
fn report_files(endings: &[&str]) -> Vec<(&'static str, &'static str)> {
    static REPORTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        let captured =
            ["control-plane-2026-11-22-wvkhveu", "worker-2026-11-22-olhriiu", "worker2-2026-11-22-xzpdlmo"];
        let mut archives = captured.map(|name| format!("capture/sosreport-ovn-{name}.tar.xz")).to_vec();
        archives.push("kernel-zones/sosreport-ovn-worker-2026-11-22-datapath.tar.xz".into());
        archives.iter().flat_map(|name| archive(name)).collect()
    });
    let wanted = |path: &str| endings.iter().any(|ending| path.ends_with(ending));
    REPORTS
        .iter()
        .filter(|(path, _)| wanted(path))
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect()
}

/// Returns true for a message on standard error, which is in the same file: a message about an interface whose peer is
/// in a namespace that ip(8) cannot see, or the number of connections.
fn is_message(line: &str) -> bool {
    line == "Error: Peer netns reference is invalid." || line.ends_with("flow entries have been shown.")
}

/// Checks that each output is printed again word by word. Returns the number of outputs.
fn are_printed_again(endings: &[&str], print: impl Fn(&str) -> (String, Vec<String>)) -> usize {
    let all = report_files(endings);
    for (path, text) in &all {
        let (printed, other) = print(text);
        assert!(other.iter().all(|line| is_message(line)), "{path}: {other:#?}");
        let text: String =
            text.lines().filter(|line| !is_message(line)).map(|line| format!("{line}\n")).collect();
        assert_eq!(words(&printed), words(&text), "{path}");
    }
    all.len()
}

#[test]
fn routes_rules_and_neighbours_of_hosts_and_pods_are_printed_again() {
    let lines = |rows: Vec<String>| rows.join("\n");
    let routes = are_printed_again(&["ip_route_show_table_all", "ip_-6_route_show_table_all"], |text| {
        let parsed = route::parse(text);
        (lines(parsed.rows.iter().map(route::Route::text).collect()), parsed.other)
    });
    let rules = are_printed_again(&["ip_-4_rule_list", "ip_-6_rule_list"], |text| {
        let parsed = Parsed::of_lines(text, rule::RoutingRule::parse);
        let print = |rule: &rule::RoutingRule| format!("{}: {}", rule.priority, rule.text());
        (lines(parsed.rows.iter().map(print).collect()), parsed.other)
    });
    let neighbours = are_printed_again(&["ip_-s_-s_neigh_show"], |text| {
        let parsed = Parsed::of_lines(text, Neighbour::parse);
        (lines(parsed.rows.iter().map(Neighbour::text).collect()), parsed.other)
    });
    assert!(routes > 10 && rules > 10 && neighbours > 10, "{routes} {rules} {neighbours}");
}

#[test]
fn addresses_of_hosts_and_pods_are_printed_again() {
    let is_address = |line: &&str| ["inet", "valid_lft"].iter().any(|word| line.trim().starts_with(word));
    let all = report_files(&["ip_-d_address", "ip_-d_address_show"]);
    for (path, text) in &all {
        let parsed = interface::parse(text);
        assert!(parsed.other.iter().all(|line| is_message(line)), "{path}: {:#?}", parsed.other);
        let addresses = parsed.rows.iter().flat_map(|it| &it.addresses);
        let printed: Vec<String> =
            addresses.flat_map(|it| [it.words.clone(), it.lifetime.clone()]).flatten().collect();
        let original: Vec<&str> = text.lines().filter(is_address).flat_map(words).collect();
        assert_eq!(printed, original, "{path}");
    }
    assert!(all.len() > 10, "{} outputs", all.len());
}

/// Checks connections with zones and marks from the kernel's datapath, and the iptables list that sos records.
#[test]
fn connections_and_iptables_lists_of_the_kernels_datapath_are_parsed() {
    let connections = are_printed_again(&["conntrack_-L_-o_extended"], |text| {
        let shown = |line: &&str| !is_message(line);
        let parsed: Vec<_> = text.lines().filter(shown).map(|line| (line, Connection::parse(line))).collect();
        let other = parsed.iter().filter(|(_, it)| it.is_none()).map(|(line, _)| (*line).to_owned());
        let printed = parsed.iter().filter_map(|(_, it)| it.as_ref()).map(ToString::to_string);
        (printed.collect::<Vec<_>>().join("\n"), other.collect())
    });
    assert_eq!(connections, 1);
    for (path, text) in report_files(&["iptables_-t_nat_-nvL"]) {
        let parsed = iptables::parse_list(text, "nat");
        assert!(parsed.other.is_empty() && parsed.rows.len() > 4, "{path}: {:#?}", parsed.other);
    }
}
