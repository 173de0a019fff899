//! A trace through the flows of a real sosreport of Open vSwitch 4.0, with whatever version is installed here.

use mcp_core::{Backend, Budget, Bundle};
use mcp_testing::{Case, Failed, answer_within, testdata, unpack};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const REPORT: &str = "sosreport-ovn-worker-2026-11-22-olhriiu";

/// The report. Its `conf.db` is a link to a file that it does not have, as in many real ones.
fn report(dir: &Path) -> Result<PathBuf, Failed> {
    unpack(&format!("capture/{REPORT}.tar.xz"), dir)?;
    Ok(dir.join(REPORT))
}

/// Gives it the `conf.db` that was copied from the node.
fn with_database(dir: &Path, report: &Path) -> Result<(), Failed> {
    unpack("capture/nodes.tar.xz", dir)?;
    let database = report.join("etc/openvswitch/conf.db");
    fs::remove_file(&database)?;
    fs::copy(dir.join("nodes/ovn-worker/conf.db"), database)?;
    Ok(())
}

fn ask(report: PathBuf) -> Result<String, Failed> {
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![report]));
    let params = json!({ "node_name": "ovn-worker", "from": "clients/client-v58hz", "to": "shop/web", "port": 80, "limit": 10_000 });
    let params = params.as_object().expect("an object").clone();
    let case = Case { scenario: String::new(), tool: "ovs_appctl_ofproto_trace".into(), params };
    answer_within(mcp_ovs::layer(), source, &case, Budget { lines: 10_000, bytes: 10_000_000 })
}

fn is_installed() -> bool {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .any(|dir| Path::new(dir).join("ovs-vswitchd").is_file())
}

#[test]
fn a_report_answers_or_says_why_not() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let text = ask(report.clone())?;
    if !is_installed() {
        assert!(text.starts_with("error: ovs-vswitchd is not installed where this server runs"), "{text}");
        return Ok(());
    }
    assert!(text.contains("bridge(\"br-int\")"), "{text}");
    // The pod's egress IP, a group of two ways, is followed; the service is not, and the answer says so.
    assert!(text.contains("-> using bucket "), "{text}");
    assert!(text.contains("note: this OVN finds load balancers by conntrack's protocol and port"), "{text}");
    assert!(text.contains("Final flow: ") && text.contains("Datapath actions: "), "{text}");
    assert!(text.contains(", collected from 4.0.0; a replay has no conntrack"), "{text}");
    // The database says nothing else than what ovs-vsctl printed of it.
    with_database(dir.path(), &report)?;
    let trace = |text: &str| {
        text.lines().filter(|line| !line.starts_with("# ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(trace(&ask(report)?), trace(&text));
    Ok(())
}

#[test]
fn flows_that_are_not_understood_are_no_answer() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let dump = report.join("sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-int");
    let flows = fs::read_to_string(&dump)?;
    fs::write(&dump, flows.replacen("resubmit(,8)", "teleport(br-moon)", 1))?;
    let text = ask(report)?;
    if !is_installed() {
        assert!(text.starts_with("error: ovs-vswitchd is not installed where this server runs"), "{text}");
        return Ok(());
    }
    assert!(text.starts_with("error: unknown: ovs-ofctl on this host is Open vSwitch "), "{text}");
    assert!(text.contains("does not understand the data") && text.contains("teleport"), "{text}");
    assert!(text.contains("hint: Run the server where that version is installed"), "{text}");
    Ok(())
}

#[test]
fn without_its_ports_a_switch_is_not_replayed() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    fs::remove_file(report.join("sos_commands/openvswitch/ovs-vsctl_-t_5_show"))?;
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![report]));
    let params = json!({ "node_name": "ovn-worker", "bridge": "br-int", "flow": "in_port=7,tcp,tp_dst=80" });
    let params = params.as_object().expect("an object").clone();
    let case = Case { scenario: String::new(), tool: "ovs_appctl_ofproto_trace".into(), params };
    let text = answer_within(mcp_ovs::layer(), source, &case, Budget::default())?;
    assert!(text.starts_with("error: a trace is replayed on the ports that conf.db or `ovs-vsctl show` has, and Open_vSwitch of ovn-worker was not collected"), "{text}");
    assert!(text.contains("ovs_ofctl_dump_flows"), "{text}");
    Ok(())
}

/// A trace without what a replay counts anew (recirculation), with numbers for the names of ports, and with `dec_ttl` as
/// OpenFlow 1.5 writes it. The packet has the `dp_hash` that the tool gives it.
fn plain(trace: &str) -> Vec<String> {
    let names =
        [("6844d0909128ccb", "4"), ("96603d4dfddd0a0", "5"), ("ovn-222222-0", "2"), ("ovn-k8s-mp0", "3")];
    let renamed = |line: &str| {
        let line = names.iter().fold(line.to_owned(), |line, (name, number)| {
            line.replace(&format!("\"{name}\""), number).replace(name, number)
        });
        line.replace("dp_hash=0x1,", "").replace("dec_ttl()", "dec_ttl")
    };
    let counted = |line: String| {
        ["recirc_id=0x", "recirc(0x"].iter().fold(line, |line, before| {
            let mut parts = line.split(before);
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |line, part| {
                line + before + part.trim_start_matches(|c: char| c.is_ascii_hexdigit())
            })
        })
    };
    let shown = |line: &&str| !["# ", "note: "].iter().any(|start| line.starts_with(start));
    trace.lines().filter(shown).filter(|line| !line.is_empty()).map(|line| counted(renamed(line))).collect()
}

/// What the real program printed on a node whose datapath and tunnels are the kernel's, when its report was made.
#[test]
fn a_kernel_datapath_is_replayed_as_its_node_traced() -> Result<(), Failed> {
    let folder = testdata().join("kernel-datapath");
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![folder.join("sosreport-ovn-worker.tar.xz")]));
    for (trace, mac, to) in [
        ("trace-cross.txt", "0a:58:0a:f4:00:01", "10.244.1.5"),
        ("trace-same.txt", "0a:58:0a:f4:00:05", "10.244.0.5"),
    ] {
        let flow = format!(
            "in_port=4,tcp,dl_src=0a:58:0a:f4:00:04,dl_dst={mac},nw_src=10.244.0.4,nw_dst={to},nw_ttl=64,tp_src=40000,tp_dst=8080"
        );
        let params = json!({ "node_name": "ovn-worker", "bridge": "br-int", "flow": flow, "limit": 10_000 });
        let params = params.as_object().expect("an object").clone();
        let case = Case { scenario: String::new(), tool: "ovs_appctl_ofproto_trace".into(), params };
        let room = Budget { lines: 10_000, bytes: 10_000_000 };
        let text = answer_within(mcp_ovs::layer(), source.clone(), &case, room)?;
        if !is_installed() {
            assert!(
                text.starts_with("error: ovs-vswitchd is not installed where this server runs"),
                "{text}"
            );
            continue;
        }
        let (ours, theirs) = (plain(&text), plain(&fs::read_to_string(folder.join(trace))?));
        assert!(theirs.len() > 150, "{trace}: {} lines", theirs.len());
        // The last line is the datapath's actions: with the numbers that the kernel gave its ports, and its tunnel.
        let (ours, theirs) = (ours.split_last(), theirs.split_last());
        assert_eq!(ours.map(|(_, lines)| lines), theirs.map(|(_, lines)| lines), "{trace}");
        let tunnel = text.contains("the datapath actions here lack the output to the tunnel");
        assert_eq!(tunnel, text.contains("-> output to kernel tunnel"), "{text}");
    }
    Ok(())
}

#[test]
fn without_the_mappings_of_geneve_options_nothing_is_replayed() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    unpack("kernel-datapath/sosreport-ovn-worker.tar.xz", dir.path())?;
    let report = dir.path().join("sosreport-ovn-worker-2026-11-22-kerneldp");
    fs::remove_file(report.join("sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-tlv-map_br-int"))?;
    let params = json!({ "node_name": "ovn-worker", "bridge": "br-int", "flow": "in_port=4,tcp,tp_dst=80" });
    let params = params.as_object().expect("an object").clone();
    let case = Case { scenario: String::new(), tool: "ovs_appctl_ofproto_trace".into(), params };
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![report]));
    let text = answer_within(mcp_ovs::layer(), source, &case, Budget::default())?;
    assert!(text.starts_with("error: flows of br-int look at Geneve options, and which these are"), "{text}");
    Ok(())
}
