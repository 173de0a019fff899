//! Faults of a single node. Each test puts a fault into a copy of the recorded data of three nodes, and expects it in
//! one short answer that compares all nodes.

use mcp_core::Bundle;
use mcp_testing::{Case, Failed, answer, unpack};
use serde_json::json;
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

struct Nodes(TempDir);

impl Nodes {
    fn new() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        unpack("kernel/nodes.tar.xz", dir.path())?;
        Ok(Self(dir))
    }

    /// Changes the recorded output of a command on one node.
    fn change(&self, node: &str, command: &str, change: impl Fn(String) -> String) -> Result<(), Failed> {
        let commands = self.0.path().join(format!("sosreport-{node}-2026-11-22-kernel/sos_commands"));
        let files: Vec<PathBuf> =
            fs::read_dir(commands)?.flatten().map(|plugin| plugin.path().join(command)).collect();
        let file = files.iter().find(|file| file.exists()).ok_or("no such command")?;
        let before = fs::read_to_string(file)?;
        let after = change(before.clone());
        assert_ne!(before, after, "the recorded output contains nothing to change");
        Ok(fs::write(file, after)?)
    }

    /// Returns the lines of the answer about differences, without headings, values and notes.
    fn differences(&self, tool: &str) -> Result<Vec<String>, Failed> {
        let params = json!({ "node_name": "all" });
        let case = Case {
            scenario: String::new(),
            tool: tool.into(),
            params: params.as_object().cloned().ok_or("an object")?,
        };
        let backend = Arc::new(Bundle::new(vec![self.0.path().to_owned()]));
        let text = answer(mcp_kernel::layer(), backend, &case)?;
        assert!(text.len() < 3_000, "{} bytes:\n{text}", text.len());
        let mut in_row = false;
        let rest = |line: &&str| {
            in_row = line.starts_with("  on ") || (in_row && line.starts_with(' '));
            let heads =
                ["# ", "compared and equal", "different: ", "not compared: ", "on one node only", "note: "];
            !in_row && !heads.iter().any(|start| line.starts_with(start))
        };
        Ok(text.lines().filter(rest).map(str::to_owned).collect())
    }
}

/// Returns the differences between the three healthy nodes of the captured cluster. Only two of them had a user-defined
/// network, and the third lacked a table of its test environment (testdata/capture, README).
fn known(tool: &str) -> &'static [&'static str] {
    match tool {
        "ip_addr_show" => &["missing on ovn-worker2: ovn-k8s-mp4 inet6 fe80::858:aff:fed2:2/64"],
        "ip_link_show" => &["missing on ovn-worker2: interface ovn-k8s-mp4"],
        "ip_route_show" => &["missing on ovn-worker2: table main: fe80::/64 metric 256 dev ovn-k8s-mp4"],
        "nft_list_ruleset" => &["missing on ovn-worker2: chain netdev lab-netdev-datapath eth0-ingress"],
        "iptables_save" => &["no difference in the compared fields"],
        _ => &["no difference"],
    }
}

impl Nodes {
    /// Returns the answer about ovn-worker.
    fn answer(&self, tool: &str, params: serde_json::Value) -> Result<String, Failed> {
        let mut params = params.as_object().cloned().ok_or("an object")?;
        params.insert("node_name".into(), json!("ovn-worker"));
        let case = Case { scenario: String::new(), tool: tool.into(), params };
        answer(mcp_kernel::layer(), Arc::new(Bundle::new(vec![self.0.path().to_owned()])), &case)
    }
}

const TOOLS: [&str; 7] = [
    "ip_addr_show",
    "ip_link_show",
    "ip_route_show",
    "ip_rule_show",
    "ip_neigh_show",
    "nft_list_ruleset",
    "iptables_save",
];

#[test]
fn healthy_nodes_show_only_known_differences() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    for tool in TOOLS {
        assert_eq!(nodes.differences(tool)?, known(tool), "{tool}");
    }
    Ok(())
}

/// Returns the differences that healthy nodes do not have.
fn seen(nodes: &Nodes, tool: &str) -> Result<Vec<String>, Failed> {
    let all = nodes.differences(tool)?;
    Ok(all.into_iter().filter(|line| !known(tool).contains(&line.as_str())).collect())
}

#[test]
fn a_foreign_rule_is_shown() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    let rule = "99:\tfrom all to 10.244.0.0/16 lookup 99\n";
    nodes.change("ovn-worker", "ip_-4_rule_list", |text| text.replace("32766:", &format!("{rule}32766:")))?;
    assert_eq!(
        seen(&nodes, "ip_rule_show")?,
        ["only on ovn-worker: IPv4 rule 99: from all to 10.244.0.0/16 lookup 99"]
    );
    Ok(())
}

#[test]
fn a_blackhole_route_and_a_changed_route_are_shown() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker", "ip_route_show_table_all", |text| text + "blackhole 10.244.0.0/24 \n")?;
    nodes.change("ovn-worker2", "ip_route_show_table_all", |text| {
        text.replace("10.244.0.0/16 via 10.244.2.1 dev ovn-k8s-mp0", "10.244.0.0/16 via 172.18.0.1 dev br-ex")
    })?;
    let seen = seen(&nodes, "ip_route_show")?;
    assert!(
        seen.iter().any(|line| line.contains(
            "present on ovn-worker for peer ovn-control-plane (table main: blackhole 10.244.0.0/24)"
        )),
        "{seen:#?}"
    );
    assert!(seen.contains(&"table main: 10.244.0.0/16: dev differs".into()), "{seen:#?}");
    assert!(seen.contains(&"    ovn-worker2: br-ex".into()), "{seen:#?}");
    Ok(())
}

#[test]
fn a_foreign_chain_and_a_changed_policy_are_shown() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-control-plane", "nft_-a_list_ruleset", |text| {
        text + "table inet firewalld { # handle 9\n\tchain filter_FORWARD { # handle 1\n\
                \t\ttype filter hook forward priority filter + 10; policy accept;\n\t\tip daddr 10.244.0.0/16 drop # handle 2\n\t}\n}\n"
    })?;
    nodes.change("ovn-worker", "nft_-a_list_ruleset", |text| {
        text.replace(
            "type nat hook postrouting priority srcnat; policy accept;",
            "type nat hook postrouting priority srcnat; policy drop;",
        )
    })?;
    let seen = seen(&nodes, "nft_list_ruleset")?;
    assert_eq!(
        seen[..2],
        [
            "only on ovn-control-plane: chain inet firewalld filter_FORWARD",
            "only on ovn-control-plane: chain inet firewalld filter_FORWARD: ip daddr 10.244.0.0/16 drop",
        ],
        "{seen:#?}"
    );
    assert!(
        seen.iter().any(|line| line == "chain inet ovn-kubernetes mgmtport-snat: properties differs"),
        "{seen:#?}"
    );
    Ok(())
}

#[test]
fn a_different_mtu_is_shown() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker2", "ip_-s_-d_link", |text| {
        text.replace(
            "ovn-k8s-mp0: <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1400",
            "ovn-k8s-mp0: <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1500",
        )
    })?;
    assert_eq!(
        seen(&nodes, "ip_link_show")?,
        [
            "interface ovn-k8s-mp0: mtu differs",
            "    ovn-worker2: 1500",
            "    ovn-control-plane, ovn-worker: 1400",
        ]
    );
    Ok(())
}

/// Each pod interface exists on one node only, but all of them have the same MTU.
#[test]
fn a_different_mtu_of_a_pod_is_shown() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker2", "ip_-s_-d_link", |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let pod = lines.iter_mut().find(|line| line.contains("mtu 1400") && line.contains("@if"));
        pod.into_iter().for_each(|line| *line = line.replace("mtu 1400", "mtu 900"));
        lines.join("\n") + "\n"
    })?;
    assert_eq!(
        seen(&nodes, "ip_link_show")?,
        ["interfaces of pods: mtu and state differs", "    mtu 900 state UP: only on ovn-worker2"]
    );
    Ok(())
}

#[test]
fn an_extra_iptables_rule_is_shown() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker", "iptables-save", |text| {
        text.replacen("COMMIT", "-A FORWARD -d 10.244.0.0/16 -j DROP\nCOMMIT", 1)
    })?;
    assert_eq!(
        seen(&nodes, "iptables_save")?,
        ["only on ovn-worker: iptables *mangle -A FORWARD -d 10.244.0.0/16 -j DROP"]
    );
    Ok(())
}

/// With a tenth of the data of a busy node, the answer stays short and says what it leaves out.
#[test]
fn many_connections_rules_and_routes_make_a_short_answer() -> Result<(), Failed> {
    const CONNECTIONS: usize = 50_000;
    const MANY: usize = 2_000;
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker", "conntrack_-L_-o_extended", |_| {
        let line = |n: usize| {
            let (a, b) = (n / 250 % 250, n % 250);
            format!(
                "ipv4     2 tcp      6 86 ESTABLISHED src=10.244.{a}.{b} dst=10.96.0.10 sport={p} dport=80 \
                 src=10.244.1.5 dst=10.244.{a}.{b} sport=8080 dport={p} [ASSURED] mark=2 zone={z} use=1\n",
                p = 1024 + n % 60_000,
                z = n % 40
            )
        };
        (0..CONNECTIONS).map(line).collect()
    })?;
    nodes.change("ovn-worker", "nft_-a_list_ruleset", |_| {
        let rules: String = (0..MANY)
            .map(|n| {
                format!(
                    "\t\tip daddr 10.96.{}.{} tcp dport {} counter packets {n} bytes 0 accept # handle {n}\n",
                    n / 250,
                    n % 250,
                    1000 + n
                )
            })
            .collect();
        format!("table ip t {{\n\tchain c {{\n{rules}\t}}\n}}\n")
    })?;
    nodes.change("ovn-worker", "ip_route_show_table_all", |_| {
        (0..MANY)
            .map(|n| {
                format!("10.{}.{}.0/24 via 172.18.0.1 dev br-ex proto bgp metric 20\n", n / 250, n % 250)
            })
            .collect()
    })?;
    let ask = |tool: &str, params: serde_json::Value| -> Result<String, Failed> {
        let params = params.as_object().cloned().ok_or("an object")?;
        let case = Case { scenario: String::new(), tool: tool.into(), params };
        let text =
            answer(mcp_kernel::layer(), Arc::new(Bundle::new(vec![nodes.0.path().to_owned()])), &case)?;
        assert!(text.len() <= 24_000, "{tool}: {} bytes", text.len());
        Ok(text)
    };
    let node = json!("ovn-worker");
    let text = ask("conntrack_list", json!({ "node_name": node }))?;
    assert!(
        text.contains("50000 of 50000 connections")
            && text.contains("only 10000 of 50000 connections can be listed"),
        "{text}"
    );
    let text = ask("conntrack_list", json!({ "node_name": node, "address": "10.244.7.9" }))?;
    assert!(text.contains("note: 1 of 50000 connections"), "{text}");
    let text = ask("nft_list_ruleset", json!({ "node_name": node, "port": 2000 }))?;
    assert!(
        text.contains("ip daddr 10.96.4.0 tcp dport 2000")
            && text.contains("2000 rules in 1 chain, and all sets and maps, were searched"),
        "{text}"
    );
    let text = ask("ip_route_show", json!({ "node_name": node }))?;
    assert!(text.contains("of 2000; offset="), "{text}");
    Ok(())
}

/// A program may print an error instead of its list and still exit with status 0. The list is then unknown, not empty.
#[test]
fn an_error_instead_of_a_list_is_not_an_empty_list() -> Result<(), Failed> {
    const SAID: &str = "connect: Connection refused\n";
    let lists = [
        ("ip_addr_show", json!({}), "ip_-d_address", true),
        ("ip_link_show", json!({ "interface": "br-ex" }), "ip_-s_-d_link", true),
        ("ip_route_show", json!({}), "ip_route_show_table_all", false),
        ("ip_route_show", json!({ "get": "8.8.8.8" }), "ip_route_show_table_all", false),
        ("ip_route_show", json!({ "get": "8.8.8.8" }), "ip_-4_rule_list", true),
        ("ip_rule_show", json!({}), "ip_-4_rule_list", true),
        ("ip_neigh_show", json!({}), "ip_-s_-s_neigh_show", false),
        ("nft_list_ruleset", json!({}), "nft_-a_list_ruleset", false),
        ("iptables_save", json!({ "family": "ipv4" }), "iptables-save", false),
        ("conntrack_list", json!({}), "conntrack_-L_-o_extended", false),
        ("ss_show", json!({}), "ss_-peaonmi", false),
        ("host_counters", json!({ "what": "conntrack" }), "conntrack_-S", false),
    ];
    for (tool, params, file, never_empty) in lists {
        let nodes = Nodes::new()?;
        let healthy = nodes.answer(tool, params.clone())?;
        assert!(!healthy.contains("could not be read"), "{tool}: {healthy}");
        nodes.change("ovn-worker", file, |_| SAID.into())?;
        let text = nodes.answer(tool, params.clone())?;
        assert!(text.contains("could not be read"), "{tool} {params} with an error: {text}");
        nodes.change("ovn-worker", file, |_| String::new())?;
        let text = nodes.answer(tool, params.clone())?;
        assert_eq!(text.contains("could not be read"), never_empty, "{tool} {params} with nothing: {text}");
    }
    Ok(())
}

#[test]
fn words_after_the_state_of_a_neighbour_are_not_its_state() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker", "ip_-s_-s_neigh_show", |text| {
        text + "10.9.9.9 dev br-ex lladdr 0a:58:0a:09:09:09 NOARP proto zebra\n"
    })?;
    let text = nodes.answer("ip_neigh_show", json!({ "state": "noarp", "address": "10.9.9.9" }))?;
    assert!(text.contains("NOARP proto zebra"), "{text}");
    Ok(())
}

/// sos writes the standard output and the standard error of conntrack into one file, so the count may be in the middle
/// of a line.
#[test]
fn a_count_in_the_middle_of_a_connection_breaks_nothing() -> Result<(), Failed> {
    const COUNT: &str = "conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.\n";
    let nodes = Nodes::new()?;
    let line = |port: u16| {
        format!(
            "ipv4     2 tcp      6 86 ESTABLISHED src=10.9.0.1 dst=10.9.0.2 sport={port} dport=80 src=10.9.0.2 \
             dst=10.9.0.1 sport=80 dport={port} [ASSURED] mark=0 use=1\n"
        )
    };
    let whole = line(1001) + &line(1002);
    for at in [10, 100, whole.len() - 20] {
        nodes.change("ovn-worker", "conntrack_-L_-o_extended", |_| {
            format!("{}{COUNT}{}", &whole[..at], &whole[at..])
        })?;
        let text = nodes.answer("conntrack_list", json!({}))?;
        assert!(text.contains("2 of 2 connections") && !text.contains("not understood"), "{at}: {text}");
    }
    Ok(())
}

/// If a rule depends on a property that the recorded data does not contain, the answer is conditional.
#[test]
fn a_rule_for_one_user_gives_two_possible_routes() -> Result<(), Failed> {
    let nodes = Nodes::new()?;
    nodes.change("ovn-worker", "ip_-4_rule_list", |text| {
        text.replace(
            "32766:",
            "90:\tfrom all uidrange 7-7 lookup 90\n91:\tfrom all to 9.9.9.9 prohibit\n32766:",
        )
    })?;
    nodes.change("ovn-worker", "ip_route_show_table_all", |text| text + "blackhole default table 90 \n")?;
    let text = nodes.answer("ip_route_show", json!({ "get": "8.8.8.8" }))?;
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("if rule 90 ")).collect();
    let [one, other] = rows.as_slice() else { panic!("{text}") };
    assert!(
        one.ends_with("blackhole default; table 90 by rule 90: from all uidrange 7-7 lookup 90"),
        "{text}"
    );
    assert!(other.contains("does not apply") && other.contains("table main by rule 32766"), "{text}");
    let text = nodes.answer("ip_route_show", json!({ "get": "9.9.9.9" }))?;
    assert!(text.contains("prohibit; by rule 91: from all to 9.9.9.9 prohibit"), "{text}");
    Ok(())
}
