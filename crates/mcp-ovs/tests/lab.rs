//! Compares the answers for the two live nodes of the lab with the real programs, and checks that questions change
//! nothing.
//! `cargo xtask test` builds the lab and runs these tests. To run them by hand, use `cargo xtask lab up`, and then
//! the command `cargo test -- --ignored`.

use mcp_testing::{Case, Failed, answer, lab};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const NODES: [&str; 2] = ["ovn-worker", "ovn-worker2"];

/// Tests that create traffic and faults in the one lab would disturb each other, so they run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LAB: Mutex<()> = Mutex::new(());
    LAB.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Repeats a question until the answer is as wanted, because a switch shows a change only after its thread has
/// handled it.
fn until(wanted: impl Fn(&str) -> bool, ask: impl Fn() -> Result<String, Failed>) -> Result<(), Failed> {
    const TIMES: usize = 120;
    let mut last = String::new();
    for _ in 0..TIMES {
        last = ask()?;
        if wanted(&last) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Err(format!("never as wanted: {last}").into())
}

/// Returns a command that runs in the namespaces of a node.
fn in_node(node: &str, command: &[&str]) -> Result<Command, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid"))
        .map_err(|e| format!("no lab: {e}: cargo xtask lab up"))?;
    #[expect(clippy::disallowed_methods, reason = "a test asks the real programs")]
    let mut program = Command::new("nsenter");
    program.arg(format!("--target={}", pid.trim())).args(["--net", "--mount", "--uts", "--"]).args(command);
    Ok(program)
}

fn on(node: &str, command: &[&str]) -> Result<String, Failed> {
    let output = in_node(node, command)?.output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn ask(tool: &str, params: Value) -> Result<String, Failed> {
    let params = params.as_object().expect("an object").clone();
    answer(mcp_ovs::layer(), lab()?, &Case { scenario: String::new(), tool: tool.into(), params })
}

/// Returns all pages of an answer.
fn all(tool: &str, params: Value) -> Result<String, Failed> {
    let mut text = String::new();
    let mut offset = 0;
    loop {
        let mut params = params.clone();
        params.as_object_mut().ok_or("no object")?.insert("offset".into(), json!(offset));
        let page = ask(tool, params)?;
        text += &page;
        match page.split_once("; offset=").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok()) {
            Some(next) => offset = next,
            None => return Ok(text),
        }
    }
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn flows_are_those_of_the_real_client() -> Result<(), Failed> {
    let _alone = alone();
    for node in NODES {
        for bridge in ["br-ex", "br-int"] {
            let theirs = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", bridge])?;
            let theirs: Vec<&str> = theirs.lines().filter(|line| line.contains("actions=")).collect();
            if bridge == "br-ex" {
                let ours = all("ovs_ofctl_dump_flows", json!({ "node_name": node, "bridge": bridge }))?;
                assert_eq!(ours.matches(" actions=").count(), theirs.len(), "{node} {bridge}");
                continue;
            }
            let mut flows = 0;
            for table in [0, 8, 33, 65, 73] {
                let ours =
                    all("ovs_ofctl_dump_flows", json!({ "node_name": node, "table": table.to_string() }))?;
                let of_table = |line: &&&str| match table {
                    0 => !line.contains(" table="),
                    table => line.contains(&format!(" table={table},")),
                };
                let wanted = theirs.iter().filter(of_table).count();
                assert_eq!(ours.matches("actions=").count(), wanted, "{node} table {table}: {ours}");
                flows += wanted;
            }
            assert!(flows > 20, "only {flows} flows were compared");
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn the_switch_is_that_of_the_real_client() -> Result<(), Failed> {
    let _alone = alone();
    for node in NODES {
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text
                .lines()
                .filter(|line| !line.starts_with('#') && !line.contains("ovs_version") && line.len() != 36)
                .map(|line| line.trim().to_owned())
                .collect();
            lines.sort();
            lines
        };
        let (ours, theirs) =
            (ask("ovs_vsctl_show", json!({ "node_name": node }))?, on(node, &["ovs-vsctl", "show"])?);
        assert_eq!(sorted(&ours), sorted(&theirs), "{node}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn ports_and_groups_are_those_of_the_real_client() -> Result<(), Failed> {
    let _alone = alone();
    for node in NODES {
        let theirs = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "dump-ports-desc", "br-int"])?;
        let ours = ask("ovs_ofctl_show", json!({ "node_name": node }))?;
        assert_eq!(ours.matches(": addr:").count(), theirs.matches("): addr:").count(), "{node}");
        let theirs = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "dump-groups", "br-int"])?;
        let ours = ask("ovs_ofctl_show", json!({ "node_name": node, "what": "groups" }))?;
        assert_eq!(ours.matches("\ngroup ").count(), theirs.matches("group_id=").count(), "{node}");
        assert_eq!(ours.matches("bucket=").count(), theirs.matches("bucket=").count(), "{node}");
    }
    Ok(())
}

/// Returns the state that a question could change: learnt addresses, connections, flows, groups, rows.
fn state(node: &str) -> Result<BTreeSet<String>, Failed> {
    let mut state = BTreeSet::new();
    let mut add = |what: &str, text: &str| state.extend(text.lines().map(|line| format!("{what}: {line}")));
    // The state excludes values that change by themselves: ages, and the states of connections.
    let connections = on(node, &["ovs-appctl", "dpctl/dump-conntrack"])?;
    let lasting = |line: &str| line.split(",protoinfo=").next().unwrap_or(line).to_owned() + "\n";
    add("connection", &connections.lines().map(lasting).collect::<String>());
    for bridge in ["br-int", "br-ex"] {
        let learnt = on(node, &["ovs-appctl", "fdb/show", bridge])?;
        let ageless =
            |line: &str| line.rsplit_once(' ').map_or(line, |(entry, _)| entry.trim()).to_owned() + "\n";
        add("learnt", &learnt.lines().map(ageless).collect::<String>());
        let flows = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", bridge])?;
        let flows = flows.lines().filter(|line| line.contains("actions="));
        add(bridge, &flows.map(|line| line.to_owned() + "\n").collect::<String>());
        let groups = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "dump-groups", bridge])?;
        add("group", &groups.lines().filter(|line| line.contains("bucket")).collect::<Vec<_>>().join("\n"));
    }
    for table in ["Open_vSwitch", "Bridge", "Port"] {
        add(
            table,
            &on(node, &["ovs-vsctl", "--columns=name,external_ids,other_config", "list", table]).or_else(
                |_| on(node, &["ovs-vsctl", "--columns=external_ids,other_config", "list", table]),
            )?,
        );
    }
    Ok(state)
}

/// Fails if a question leaves something behind each time. The nodes sometimes send packets by themselves (neighbours,
/// routers), so a single difference does not count.
fn leaves_nothing_behind(node: &str, look: impl Fn() -> Result<(), Failed>) -> Result<(), Failed> {
    const TIMES: usize = 5;
    let mut new: Vec<String> = Vec::new();
    for _ in 0..TIMES {
        let before = state(node)?;
        assert!(before.len() > 500, "only {} entries are compared", before.len());
        look()?;
        new = state(node)?.difference(&before).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
    }
    Err(format!("left behind: {new:#?}").into())
}

/// Returns the number of packets that flows counted.
fn counted(node: &str) -> Result<u64, Failed> {
    let flows = on(node, &["ovs-ofctl", "-O", "OpenFlow15", "dump-flows", "br-int"])?;
    let counts =
        flows.split("n_packets=").skip(1).filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok());
    Ok(counts.sum())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn questions_change_nothing() -> Result<(), Failed> {
    let _alone = alone();
    let before = counted("ovn-worker")?;
    let questions = [
        ("ovs_vsctl_show", json!({})),
        ("ovs_vsctl_list", json!({ "table": "Interface" })),
        ("ovs_ofctl_dump_flows", json!({})),
        ("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex" })),
        ("ovs_ofctl_show", json!({})),
        ("ovs_ofctl_show", json!({ "what": "groups" })),
        ("ovs_ofctl_show", json!({ "what": "meters" })),
        ("ovs_appctl_dpctl_dump_flows", json!({})),
        ("ovs_appctl_dpctl_dump_conntrack", json!({})),
        ("ovs_appctl_ofproto_trace", json!({ "from": "default/client", "to": "default/web", "port": 80 })),
    ];
    let subjects = [
        "coverage",
        "upcall",
        "memory",
        "dpif",
        "datapath",
        "ct_stats",
        "pmd",
        "pmd_rxq",
        "fdb",
        "fdb_stats",
        "mdb",
        "tunnels",
        "tunnel_ports",
        "tunnel_routes",
        "tunnel_neighbours",
        "bond",
        "lacp",
        "bfd",
        "cfm",
    ];
    let subjects = subjects.map(|subject| ("ovs_appctl_show", json!({ "subject": subject })));
    let all: Vec<(&str, Value)> = questions.into_iter().chain(subjects).collect();
    leaves_nothing_behind("ovn-worker", || {
        for (tool, params) in &all {
            let mut params = params.clone();
            params["node_name"] = "ovn-worker".into();
            let text = ask(tool, params.clone())?;
            assert!(text.starts_with("# "), "{tool} {params}: {text}");
        }
        Ok(())
    })?;
    // Counters that only grow show that none was reset.
    assert!(counted("ovn-worker")? >= before);
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_trace_equals_the_real_one_and_leaves_nothing_behind() -> Result<(), Failed> {
    let _alone = alone();
    leaves_nothing_behind("ovn-worker", || {
        for (to, port) in [("default/web", 80), ("10.244.1.5", 8080), ("172.18.0.1", 80)] {
            // A learnt address may expire between the two traces.
            until(|differs| differs.is_empty(), || differs_from_the_real_one(to, port))?;
        }
        Ok(())
    })?;
    for flow in
        ["ffffffffffff0a580af400040800", "in_port=4,tcp -generate", "-generate", "in_port=4,tcp\n-generate"]
    {
        let refused = ask("ovs_appctl_ofproto_trace", json!({ "node_name": "ovn-worker", "flow": flow }))?;
        assert!(refused.starts_with("error: "), "{flow}: {refused}");
    }
    Ok(())
}

/// Returns the first line of the real program's trace that our trace lacks.
fn differs_from_the_real_one(to: &str, port: u16) -> Result<String, Failed> {
    let ours = all(
        "ovs_appctl_ofproto_trace",
        json!({ "node_name": "ovn-worker", "from": "default/client", "to": to, "port": port}),
    )?;
    assert!(ours.contains("Final flow: ") && ours.contains("Datapath actions: "), "{ours}");
    let flow = ours.split_once("note: packet in br-int: ").ok_or(ours.clone())?.1.lines().next();
    let flow = flow.unwrap_or_default();
    let theirs = on("ovn-worker", &["ovs-appctl", "ofproto/trace", "br-int", flow, "--names"])?;
    let mut lines = theirs.lines().filter(|line| !line.trim().is_empty() && !line.contains("recirc"));
    let missing = lines.find(|line| !ours.contains(line.trim_end()));
    Ok(missing.map(|line| format!("{to}: {line} is not in\n{ours}")).unwrap_or_default())
}

/// A ping that runs until the value is dropped.
struct Pinging(Child);

impl Pinging {
    fn start(node: &str, to: &str) -> Result<Self, Failed> {
        // If the address does not answer, no counter would change.
        on(node, &["ping", "-c", "1", "-W", "10", to])?;
        let mut ping = in_node(node, &["ping", "-q", "-i", "0.2", to])?;
        Ok(Self(ping.stdout(Stdio::null()).spawn()?))
    }
}

impl Drop for Pinging {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn changing_counters_are_shown() -> Result<(), Failed> {
    let _alone = alone();
    // The ping runs as long as necessary: on a busy machine a few pings would end before the first sample.
    let _pinging = Pinging::start("ovn-worker", "172.18.0.3")?;
    let ports =
        ask("ovs_ofctl_show", json!({ "node_name": "ovn-worker", "bridge": "br-ex", "delta_seconds": 2 }))?;
    assert!(ports.contains("eth0 tx pkts") && ports.contains("/s), now "), "{ports}");
    let coverage = ask(
        "ovs_appctl_show",
        json!({ "node_name": "ovn-worker", "subject": "coverage", "delta_seconds": 1 }),
    )?;
    assert!(coverage.contains("the two samples are "), "{coverage}");
    let never =
        ask("ovs_appctl_show", json!({ "node_name": "ovn-worker", "subject": "fdb", "delta_seconds": 1 }))?;
    assert!(never.starts_with("error: fdb has no counters to sample"), "{never}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_missing_flow_is_shown() -> Result<(), Failed> {
    let _alone = alone();
    let params = json!({ "node_name": "all", "bridge": "br-ex" });
    let healthy = ask("ovs_ofctl_dump_flows", params.clone())?;
    let flow = "table=0,priority=200,udp,in_port=LOCAL,udp_dst=6081";
    on("ovn-worker2", &["ovs-ofctl", "--strict", "del-flows", "br-ex", flow])?;
    let text = ask("ovs_ofctl_dump_flows", params);
    on(
        "ovn-worker2",
        &["ovs-ofctl", "add-flow", "br-ex", &format!("cookie=0xdeff105,{flow},actions=output:1")],
    )?;
    let text = text?;
    assert!(
        text.contains("missing on ovn-worker2: table=0, priority=200,udp,in_port=LOCAL,tp_dst=6081"),
        "{text}"
    );
    assert!(!healthy.contains("in_port=LOCAL,tp_dst=6081\n"), "{healthy}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_hanging_switch_is_reported_in_time() -> Result<(), Failed> {
    let _alone = alone();
    let pid = on("ovn-worker2", &["cat", "/var/run/openvswitch/ovs-vswitchd.pid"])?;
    on("ovn-worker2", &["kill", "-STOP", pid.trim()])?;
    let text = ask(
        "ovs_ofctl_dump_flows",
        json!({ "node_name": "ovn-worker2", "bridge": "br-ex", "timeout_seconds": 2 }),
    );
    on("ovn-worker2", &["kill", "-CONT", pid.trim()])?;
    let text = text?;
    assert!(text.contains("did not finish on ovn-worker2 within 2 s"), "{text}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_different_mtu_is_shown() -> Result<(), Failed> {
    let _alone = alone();
    let compared = || ask("ovs_vsctl_list", json!({ "node_name": "all", "table": "Interface" }));
    let differs = |text: &str| text.contains("eth0: mtu differs") && text.contains("    ovn-worker2: 1300");
    until(|text| text.contains("\nno difference"), compared)?;
    on("ovn-worker2", &["ip", "link", "set", "eth0", "mtu", "1300"])?;
    let seen = until(differs, compared);
    on("ovn-worker2", &["ip", "link", "set", "eth0", "mtu", "1500"])?;
    seen?;
    until(|text| text.contains("\nno difference"), compared)
}
