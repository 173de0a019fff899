//! Faults that only one node has: each is put into a copy of the capture's sosreports, and one short answer over all
//! nodes must show it.

use mcp_core::Bundle;
use mcp_testing::{Case, Failed, answer, unpack};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

const REPORTS: [&str; 3] = [
    "sosreport-ovn-control-plane-2026-11-22-wvkhveu",
    "sosreport-ovn-worker-2026-11-22-olhriiu",
    "sosreport-ovn-worker2-2026-11-22-xzpdlmo",
];

/// An unpacked copy of the reports, which a test can change.
struct Reports(TempDir);

impl Reports {
    fn new() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        for report in REPORTS {
            unpack(&format!("capture/{report}.tar.xz"), dir.path())?;
        }
        Ok(Self(dir))
    }

    /// Returns the file with the output of a command on ovn-worker2.
    fn output(&self, file: &str) -> Result<PathBuf, Failed> {
        let path = self.0.path().join(REPORTS[2]).join("sos_commands/openvswitch").join(file);
        path.exists()
            .then_some(path.clone())
            .ok_or_else(|| format!("{} does not exist", path.display()).into())
    }

    /// Changes the output of a command on ovn-worker2.
    fn change(&self, file: &str, change: impl Fn(&str) -> String) -> Result<(), Failed> {
        let path = self.output(file)?;
        let text = fs::read_to_string(&path)?;
        let changed = change(&text);
        assert_ne!(text, changed, "the fault was not inserted");
        Ok(fs::write(path, changed)?)
    }

    fn ask(&self, tool: &str, params: Value) -> Result<String, Failed> {
        let mut params = params.as_object().expect("an object").clone();
        params.insert("node_name".into(), "all".into());
        let case = Case { scenario: String::new(), tool: tool.into(), params };
        let backend = Bundle::new(REPORTS.map(|report| self.0.path().join(report)).to_vec());
        let text = answer(mcp_ovs::layer(), Arc::new(backend), &case)?;
        assert!(text.len() < 2_500, "{} bytes:\n{text}", text.len());
        Ok(text)
    }
}

impl Reports {
    /// Returns the answer about ovn-worker2, or the error.
    fn of_one(&self, tool: &str, params: Value) -> String {
        let mut params = params.as_object().expect("an object").clone();
        params.insert("node_name".into(), "ovn-worker2".into());
        let case = Case { scenario: String::new(), tool: tool.into(), params };
        let backend = Bundle::new(vec![self.0.path().join(REPORTS[2])]);
        answer(mcp_ovs::layer(), Arc::new(backend), &case).unwrap_or_else(|e| e.to_string())
    }
}

/// The ends of the names of the files that a tool reads, the tool, its parameters, and what it must not conclude from
/// an error message.
const LISTS: [(&[&str], &str, &str, &str); 6] = [
    (&["dump-ports-desc_br-int", "_show_br-int"], "ovs_ofctl_show", "{}", "there are no"),
    (&["dump-groups_br-int"], "ovs_ofctl_show", r#"{"what":"groups"}"#, "there are no"),
    (&["dump-meters_br-int"], "ovs_ofctl_show", r#"{"what":"meters"}"#, "there are no"),
    (
        &["dump-flows_br-int", "dump-flows_--offload-stats_br-int"],
        "ovs_ofctl_dump_flows",
        r#"{"table":"0"}"#,
        "the bridge has no flow",
    ),
    (
        &["dpctl.dump-conntrack_-m_netdev_ovs-netdev"],
        "ovs_appctl_dpctl_dump_conntrack",
        "{}",
        "no connection is tracked",
    ),
    (&["dpctl.dump-flows_-m_netdev_ovs-netdev"], "ovs_appctl_dpctl_dump_flows", "{}", "no packet arrived"),
];

#[test]
fn an_error_message_instead_of_a_list_is_not_an_empty_list() -> Result<(), Failed> {
    const MESSAGES: [&str; 4] = [
        "ovs-ofctl: br-int is not a bridge or a socket\n",
        "2026-11-22T08:40:01Z|00001|unixctl|WARN|failed to connect to /run/openvswitch/ovs-vswitchd.7.ctl\n",
        "Connection refused\n",
        "bash: ovs-appctl: command not found\n",
    ];
    for (files, tool, params, conclusion) in LISTS {
        let reports = Reports::new()?;
        let folder = reports.0.path().join(REPORTS[2]).join("sos_commands/openvswitch");
        let params: Value = serde_json::from_str(params)?;
        let healthy = reports.of_one(tool, params.clone());
        assert!(!healthy.contains(conclusion) && !healthy.contains("cannot read"), "{files:?}: {healthy}");
        // Every form of the command that the report holds is damaged alike.
        let same: Vec<PathBuf> = fs::read_dir(&folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| files.iter().any(|file| path.to_string_lossy().ends_with(file)))
            .collect();
        assert!(!same.is_empty(), "{files:?} are not in the report");
        for message in MESSAGES {
            for path in &same {
                fs::write(path, message)?;
            }
            let text = reports.of_one(tool, params.clone());
            assert!(!text.contains(conclusion), "{files:?} {message:?}: {text}");
            assert!(text.contains(message.trim()), "{files:?} {message:?}: {text}");
        }
    }
    Ok(())
}

/// Returns the differences in an answer, without the evidence, the summary, the rows themselves and the notes.
fn differences(text: &str) -> Vec<&str> {
    let mut in_row = false;
    let rest = |line: &&str| {
        in_row = line.starts_with("  on ") || (in_row && line.starts_with(' '));
        let heads =
            ["# ", "compared and equal", "different: ", "not compared: ", "on one node only", "note: "];
        !in_row && !heads.iter().any(|start| line.starts_with(start))
    };
    text.lines().filter(rest).collect()
}

const FLOWS: &str = "ovs-ofctl_-O_OpenFlow15_dump-flows_br-ex";

#[test]
fn healthy_nodes_show_no_difference() -> Result<(), Failed> {
    let reports = Reports::new()?;
    for (tool, params) in [
        ("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex" })),
        ("ovs_ofctl_dump_flows", json!({ "bridge": "br-int" })),
        ("ovs_ofctl_show", json!({ "bridge": "br-ex" })),
        ("ovs_appctl_show", json!({ "subject": "tunnels" })),
    ] {
        let text = reports.ask(tool, params.clone())?;
        assert!(text.lines().any(|line| line.starts_with("compared and equal: ")), "{tool} {params}: {text}");
    }
    Ok(())
}

#[test]
fn answers_name_what_is_not_compared() -> Result<(), Failed> {
    let reports = Reports::new()?;
    for tool in ["ovs_appctl_dpctl_dump_flows", "ovs_appctl_dpctl_dump_conntrack"] {
        let text = reports.ask(tool, json!({ "limit": 2 }))?;
        assert!(text.contains("\nnot compared, because "), "{tool}: {text}");
        assert!(!text.contains("no difference"), "{tool}: {text}");
    }
    Ok(())
}

#[test]
fn a_missing_flow_of_the_external_bridge() -> Result<(), Failed> {
    let reports = Reports::new()?;
    // This flow handles the replies of connections that OVN opened. Without it, replies go to the host.
    let is_it = |line: &&str| line.contains("ct_state=+est+trk,ct_mark=0x1,ip actions=");
    reports.change(FLOWS, |text| {
        text.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect()
    })?;
    let text = reports.ask("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex" }))?;
    assert_eq!(
        differences(&text),
        ["missing on ovn-worker2: table=1, priority=100,ct_state=+est+trk,ct_mark=0x1,ip"],
        "{text}"
    );
    Ok(())
}

#[test]
fn a_flow_that_sends_elsewhere() -> Result<(), Failed> {
    let reports = Reports::new()?;
    reports.change(FLOWS, |text| {
        text.replace(
            "priority=200,udp,in_port=LOCAL,tp_dst=6081 actions=output:1",
            "priority=200,udp,in_port=LOCAL,tp_dst=6081 actions=drop",
        )
    })?;
    let text = reports.ask("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex" }))?;
    let seen = differences(&text);
    assert_eq!(seen[0], "table=0, priority=200,udp,in_port=LOCAL,tp_dst=6081: actions differs", "{text}");
    assert!(seen.contains(&"    ovn-worker2: drop"), "{text}");
    Ok(())
}

#[test]
fn a_flow_that_only_one_node_has() -> Result<(), Failed> {
    let reports = Reports::new()?;
    let foreign = " cookie=0x0, duration=9.1s, table=0, n_packets=7, n_bytes=420, idle_age=1, priority=900,ip,nw_src=10.244.0.0/16 actions=drop\n";
    reports.change(FLOWS, |text| format!("{text}{foreign}"))?;
    let text = reports.ask("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex" }))?;
    assert_eq!(
        differences(&text),
        ["only on ovn-worker2: table=0, priority=900,ip,nw_src=10.244.0.0/16"],
        "{text}"
    );
    Ok(())
}

#[test]
fn a_port_that_is_down() -> Result<(), Failed> {
    let reports = Reports::new()?;
    reports.change("ovs-ofctl_-O_OpenFlow15_dump-ports-desc_br-ex", |text| {
        text.replacen("state:      LIVE", "state:      LINK_DOWN", 1)
    })?;
    let text = reports.ask("ovs_ofctl_show", json!({ "bridge": "br-ex" }))?;
    let seen = differences(&text);
    assert_eq!(seen[0], "port eth0: state differs", "{text}");
    assert!(seen.contains(&"    ovn-worker2: LINK_DOWN"), "{text}");
    Ok(())
}

#[test]
fn a_tunnel_that_is_missing() -> Result<(), Failed> {
    let reports = Reports::new()?;
    reports.change("ovs-appctl_ofproto.list-tunnels", |text| {
        text.lines().filter(|line| !line.contains("->172.18.0.3")).map(|line| format!("{line}\n")).collect()
    })?;
    let text = reports.ask("ovs_appctl_show", json!({ "subject": "tunnels" }))?;
    assert!(differences(&text)[0].starts_with("missing on ovn-worker2 for peer ovn-worker ("), "{text}");
    Ok(())
}

/// The recorded output of `ovs-vsctl list` for interfaces: these reports have no conf.db. Only two of the nodes have
/// a user-defined network.
#[test]
fn another_mtu_of_an_interface() -> Result<(), Failed> {
    const KNOWN: &str = "missing on ovn-worker2: ovn-k8s-mp4";
    let reports = Reports::new()?;
    let ask = |params: Value| reports.ask("ovs_vsctl_list", params);
    let text = ask(json!({ "table": "Interface" }))?;
    assert_eq!(differences(&text), [KNOWN], "{text}");
    reports.change("ovs-vsctl_-t_5_list_interface", |text| {
        let record = |record: &str| match record.contains(": ovn-k8s-mp0\n") {
            true => record.replace("mtu                 : 1400", "mtu                 : 1500"),
            false => record.to_owned(),
        };
        text.split("\n\n").map(record).collect::<Vec<_>>().join("\n\n")
    })?;
    let text = ask(json!({ "table": "Interface", "columns": ["mtu"] }))?;
    let seen = differences(&text);
    assert!(seen.contains(&"ovn-k8s-mp0: mtu differs") && seen.contains(&"    ovn-worker2: 1500"), "{text}");
    Ok(())
}

/// The output of `ovs-vsctl show` for a port and its interface, from `conf.db` and from a recording.
#[test]
fn a_tag_and_an_error_of_an_interface() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    unpack("capture/nodes.tar.xz", dir.path())?;
    let database = dir.path().join("nodes/ovn-worker2/conf.db");
    for (table, row) in [
        ("Port", json!({ "tag": 5 })),
        ("Interface", json!({ "error": "could not open network device eth0" })),
    ] {
        let update = json!({ "op": "update", "table": table, "where": [["name", "==", "eth0"]], "row": row });
        let transaction = json!(["Open_vSwitch", update]).to_string();
        #[expect(clippy::disallowed_methods, reason = "a test makes its own data with the real program")]
        let mut tool = std::process::Command::new("ovsdb-tool");
        let output = tool.arg("transact").arg(&database).arg(transaction).output()?;
        let reply = String::from_utf8(output.stdout)?;
        assert!(reply.contains("\"count\":1"), "the fault was not inserted: {reply}");
    }
    let params = json!({ "node_name": "all", "bridge": "br-ex" });
    let case = Case {
        scenario: String::new(),
        tool: "ovs_vsctl_show".into(),
        params: params.as_object().ok_or("an object")?.clone(),
    };
    let text = answer(mcp_ovs::layer(), Arc::new(Bundle::new(vec![dir.path().to_owned()])), &case)?;
    let seen = differences(&text);
    assert_eq!(seen[0], "Bridge br-ex Port eth0: interface differs", "{text}");
    assert!(
        seen[1].starts_with("    ovn-worker2: Interface eth0 ") && seen[1].contains("could not open"),
        "{text}"
    );
    assert!(seen.contains(&"Bridge br-ex Port eth0: tag differs"), "{text}");

    let reports = Reports::new()?;
    reports.change("ovs-vsctl_-t_5_show", |text| {
        text.replacen("Port eth0\n", "Port eth0\n            tag: 5\n", 1)
    })?;
    let text = reports.ask("ovs_vsctl_show", json!({ "bridge": "br-ex" }))?;
    assert_eq!(
        differences(&text)[..3],
        [
            "Bridge br-ex Port eth0: tag differs",
            "    ovn-worker2: 5",
            "    ovn-control-plane, ovn-worker: nothing"
        ],
        "{text}"
    );
    Ok(())
}
