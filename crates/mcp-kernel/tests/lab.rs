//! Tests on the two live nodes of the lab: healthy nodes show no difference, one call shows a fault, and a call about a
//! pod reads the pod's network namespace.
//!
//! `cargo xtask test` builds the lab and runs these tests. To run them by hand, run `cargo xtask lab up`, then
//! `cargo test -- --ignored`.

use mcp_testing::{Case, Failed, MARKS, answer, lab, planted_answer};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Held by each test, because all tests change the same lab.
static LAB: Mutex<()> = Mutex::new(());

/// Runs a program in the namespaces of a node.
fn on(node: &str, command: &str) -> Result<String, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid"))?;
    let target = format!("--target={}", pid.trim());
    let words = ["--net", "--mount", "--uts", "--"].into_iter().chain(command.split(' '));
    #[expect(clippy::disallowed_methods, reason = "a test makes and mends its own faults")]
    let output = std::process::Command::new("nsenter").arg(target).args(words).output()?;
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn ask(tool: &str, params: Value) -> Result<String, Failed> {
    let params = params.as_object().cloned().ok_or("an object")?;
    answer(mcp_kernel::layer(), lab()?, &Case { scenario: String::new(), tool: tool.into(), params })
}

fn differences(tool: &str) -> Result<Vec<String>, Failed> {
    let text = ask(tool, json!({ "node_name": "all" }))?;
    assert!(text.len() < 4_000, "{} bytes:\n{text}", text.len());
    let mut in_row = false;
    let rest = |line: &&str| {
        in_row = line.starts_with("  on ") || (in_row && line.starts_with(' '));
        let heads =
            ["# ", "compared and equal", "different: ", "not compared: ", "on one node only", "note: "];
        !in_row && !heads.iter().any(|start| line.starts_with(start))
    };
    Ok(text.lines().filter(rest).map(str::to_owned).collect())
}

const TOOLS: [&str; 8] = [
    "ip_addr_show",
    "ip_link_show",
    "ip_route_show",
    "ip_rule_show",
    "ip_neigh_show",
    "ip_xfrm_show",
    "nft_list_ruleset",
    "iptables_save",
];

/// A fault: the commands that make and mend it, the tool that shows it, and the text that the tool prints.
struct Fault {
    make: &'static str,
    mend: &'static str,
    tool: &'static str,
    seen: &'static str,
}

const FAULTS: [Fault; 5] = [
    Fault {
        make: "ip rule add priority 99 to 10.244.0.0/16 lookup 99",
        mend: "ip rule del priority 99",
        tool: "ip_rule_show",
        seen: "IPv4 rule 99: from all to 10.244.0.0/16 lookup 99",
    },
    Fault {
        make: "ip route add blackhole 10.9.0.0/16",
        mend: "ip route del blackhole 10.9.0.0/16",
        tool: "ip_route_show",
        seen: "table main: blackhole 10.9.0.0/16",
    },
    Fault {
        make: "nft add table inet foreign { chain forward { type filter hook forward priority 0 ; policy drop ; } ; }",
        mend: "nft delete table inet foreign",
        tool: "nft_list_ruleset",
        seen: "chain inet foreign forward",
    },
    Fault {
        make: "ip link set eth0 mtu 1300",
        mend: "ip link set eth0 mtu 1500",
        tool: "ip_link_show",
        seen: "interface eth0: mtu differs",
    },
    Fault {
        make: "iptables -A FORWARD -d 10.244.0.0/16 -j DROP",
        mend: "iptables -D FORWARD -d 10.244.0.0/16 -j DROP",
        tool: "iptables_save",
        seen: "iptables *filter -A FORWARD -d 10.244.0.0/16 -j DROP",
    },
];

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn healthy_nodes_show_no_difference_and_each_fault_is_shown() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    for tool in TOOLS {
        let seen = differences(tool)?;
        assert!(matches!(&seen[..], [line] if line.starts_with("no difference")), "{tool}: {seen:?}");
    }
    for fault in FAULTS {
        on("ovn-worker2", fault.make)?;
        let seen = differences(fault.tool);
        on("ovn-worker2", fault.mend)?;
        let seen = seen?.join("\n");
        // With two nodes, a row can be `only on` one node or `missing on` the other.
        assert!(seen.contains(fault.seen), "{}: {seen}", fault.make);
        let seen = differences(fault.tool)?;
        assert!(
            matches!(&seen[..], [line] if line.starts_with("no difference")),
            "after {}: {seen:?}",
            fault.mend
        );
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_call_about_a_pod_reads_its_network_namespace() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let text = ask("ip_addr_show", json!({ "pod": "default/web-1" }))?;
    assert!(text.contains("inet 10.244.0.5/24") && !text.contains("br-ex"), "{text}");
    let text = ask("ip_route_show", json!({ "pod": "default/web-1", "get": "10.96.0.10" }))?;
    assert!(text.contains("via 10.244.0.1 dev eth0 src 10.244.0.5"), "{text}");
    let text = ask("ss_show", json!({ "pod": "default/web-1", "state": "LISTEN" }))?;
    assert!(text.contains("tcp LISTEN 0.0.0.0:8080"), "{text}");
    let text = ask("ip_addr_show", json!({ "pod": "default/nobody" }))?;
    assert!(text.starts_with("error:"), "{text}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn events_and_counters_show_what_happens() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    // Each ping is a connection of its own, so new connections begin while the tool listens.
    let asking = AtomicBool::new(true);
    let (events, moved) = std::thread::scope(|scope| {
        let pings = scope.spawn(|| -> Result<(), String> {
            while asking.load(Ordering::Relaxed) {
                on("ovn-worker", "ping -c 1 -W 1 172.18.0.3").map_err(|e| e.to_string())?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        });
        let events =
            ask("conntrack_events", json!({ "node_name": "ovn-worker", "seconds": 2, "protocol": "icmp" }));
        let moved =
            ask("host_counters", json!({ "node_name": "ovn-worker", "what": "nstat", "delta_seconds": 1 }));
        asking.store(false, Ordering::Relaxed);
        pings.join().map_err(|_| "the thread that pings panicked")??;
        Ok::<_, Failed>((events?, moved?))
    })?;
    assert!(events.contains("dst=172.18.0.3") && events.contains("[NEW]"), "{events}");
    assert!(moved.contains("IcmpOutEchos") && moved.contains("/s), now "), "{moved}");
    Ok(())
}

/// The routing daemons and libreswan answer on a node, and both nodes have the same configuration.
#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn daemons_answer_and_have_the_same_configuration() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    for (tool, what, said) in [
        ("frr_show", "bgp_summary", "172.18.0.3      4      64512"),
        ("frr_show", "bgp_routes", "*>i10.244.1.0/24    172.18.0.3"),
        ("frr_show", "bgp_neighbors", "BGP state = Established"),
        ("frr_show", "ip_route", "10.244.1.0/24 [200/0] via 172.18.0.3, br-ex"),
        ("frr_show", "bfd", "BFD Peers:"),
        ("frr_show", "version", "FRRouting "),
        ("ipsec_show", "status", "\"ovn-b81d04-0-in-1\": 172.18.0.2/32:UDP/6081===172.18.0.2...172.18.0.3"),
        ("ipsec_show", "brief", "IKE SAs: total("),
        ("ipsec_show", "states", "ESTABLISHED_IKE_SA"),
        ("ipsec_show", "traffic", "libreswan answered with an empty list"),
    ] {
        let text = ask(tool, json!({ "node_name": "ovn-worker", "what": what }))?;
        assert!(text.contains(said), "{tool} {what}: {text}");
    }
    for (tool, what) in [("frr_show", "running_config"), ("ipsec_show", "config")] {
        let text = ask(tool, json!({ "node_name": "all", "what": what }))?;
        assert!(text.lines().any(|line| line.starts_with("no difference")), "{tool}: {text}");
    }
    Ok(())
}

/// The output of the only tool that needs a live node contains planted secrets, and its answer does not.
#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn events_contain_no_secret() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let params = json!({ "node_name": "ovn-worker", "seconds": 1 });
    let params = params.as_object().cloned().ok_or("an object")?;
    let case = Case { scenario: String::new(), tool: "conntrack_events".into(), params };
    let text = planted_answer(mcp_kernel::layer(), lab()?, &case)?;
    assert!(text.contains("[redacted"), "no secret was planted: {text}");
    assert!(!MARKS.iter().any(|mark| text.contains(mark)), "{text}");
    Ok(())
}

/// The state of a live node is the same before and after all tools have read it, except for its counters.
#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn reading_changes_nothing() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let state = || -> Result<Vec<String>, Failed> {
        let commands = ["ip -o addr", "ip route show table all", "ip rule", "nft list ruleset"];
        let mut state =
            commands.iter().map(|command| on("ovn-worker", command)).collect::<Result<Vec<_>, _>>()?;
        // This file names the tables that iptables-legacy registered. A kernel without it has no such file.
        state.push(on("ovn-worker", "cat /proc/net/ip_tables_names").unwrap_or_default());
        Ok(state)
    };
    let before = state()?;
    for tool in TOOLS {
        ask(tool, json!({ "node_name": "ovn-worker" }))?;
    }
    for what in ["nstat", "softnet", "conntrack", "xfrm", "sysctl"] {
        ask("host_counters", json!({ "node_name": "ovn-worker", "what": what }))?;
    }
    let without_counters = |all: Vec<String>| -> Vec<String> {
        let counted = |word: &&str| word.bytes().all(|b| b.is_ascii_digit());
        all.iter()
            .map(|text| text.split_whitespace().filter(|word| !counted(word)).collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(without_counters(state()?), without_counters(before));
    Ok(())
}
