//! Traces through the flows of real reports, without starting a program.

use mcp_core::{Backend, Budget, Bundle};
use mcp_testing::{Case, Failed, answer_within, testdata, unpack};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const REPORT: &str = "sosreport-ovn-worker-2026-11-22-olhriiu";

/// Unpacks the report. Its `conf.db` is a link to a missing file, as in many real reports.
fn report(dir: &Path) -> Result<PathBuf, Failed> {
    unpack(&format!("capture/{REPORT}.tar.xz"), dir)?;
    Ok(dir.join(REPORT))
}

/// Adds the `conf.db` that was copied from the node.
fn with_database(dir: &Path, report: &Path) -> Result<(), Failed> {
    unpack("capture/nodes.tar.xz", dir)?;
    let database = report.join("etc/openvswitch/conf.db");
    fs::remove_file(&database)?;
    fs::copy(dir.join("nodes/ovn-worker/conf.db"), database)?;
    Ok(())
}

fn ask(report: PathBuf) -> Result<String, Failed> {
    let params = json!({ "node_name": "ovn-worker", "from": "clients/client-v58hz", "to": "shop/web", "port": 80, "limit": 10_000 });
    trace(report, params)
}

fn trace(report: PathBuf, params: serde_json::Value) -> Result<String, Failed> {
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![report]));
    let params = params.as_object().expect("an object").clone();
    let case = Case { scenario: String::new(), tool: "ovs_appctl_ofproto_trace".into(), params };
    answer_within(mcp_ovs::layer(), source, &case, Budget { lines: 10_000, bytes: 10_000_000 })
}

/// The database has session affinity. OVN learns the backend from the first packet and drops the packet; the client
/// sends the packet again. In the report, the switch has learnt the backend of one client.
#[test]
fn the_second_packet_to_a_service_with_affinity_follows_the_learnt_flow() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let ask = |from: &str| {
        let params = json!({ "node_name": "ovn-worker", "from": from, "to": "shop/db", "port": 5432 });
        trace(report.clone(), params)
    };
    let second = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("verdict for the same packet again"));
        line.unwrap_or_default().to_owned()
    };
    let known = ask("shop/web-7ddbb54ff6-l6vb8")?;
    assert!(verdict(&known).contains("delivered to pod shop/db-") && second(&known).is_empty(), "{known}");
    // Without the flow that the real switch learnt, the evaluation learns it.
    let dump = report.join("sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-int");
    let flows = fs::read_to_string(&dump)?;
    let without: Vec<&str> = flows.lines().filter(|line| !line.contains(" table=78,")).collect();
    assert!(without.len() < flows.lines().count(), "no learnt flow");
    fs::write(&dump, without.join("\n") + "\n")?;
    let text = ask("shop/web-7ddbb54ff6-l6vb8")?;
    assert!(verdict(&text).contains("of stage ls_in_lb_aff_learn"), "{text}");
    let fate = verdict(&known).strip_prefix("verdict: ").unwrap_or_default();
    assert!(second(&text).contains("expires after 10800 s") && second(&text).ends_with(fate), "{text}");
    // The policy of the database refuses this client, which only the second packet reaches.
    let text = ask("clients/client-v58hz")?;
    assert!(second(&text).contains("NetpolNamespace:shop:Ingress:defaultDeny"), "{text}");
    Ok(())
}

/// Returns the verdict, which is the first line after the evidence.
fn verdict(text: &str) -> &str {
    text.lines().find(|line| line.starts_with("verdict: ")).unwrap_or_default()
}

#[test]
fn a_report_answers() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let text = ask(report.clone())?;
    assert!(text.contains("bridge(\"br-int\")"), "{text}");
    // The service is translated to a backend: conntrack gives the destination port of the packet.
    assert!(text.contains("nat(dst=10.244."), "{text}");
    assert!(
        verdict(&text).contains("delivered to pod shop/web-") || verdict(&text).contains("tunnel to node"),
        "{text}"
    );
    assert!(text.contains("Final flow: ") && text.contains("Datapath actions: "), "{text}");
    assert!(text.contains("evaluated from the recorded flows of Open vSwitch 4.0.0"), "{text}");
    // The database gives the same answer as the recorded output of ovs-vsctl.
    with_database(dir.path(), &report)?;
    let plain = |text: &str| {
        text.lines().filter(|line| !line.starts_with("# ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(plain(&ask(report)?), plain(&text));
    Ok(())
}

#[test]
fn flows_that_are_not_understood_give_no_verdict() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let dump = report.join("sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-int");
    let flows = fs::read_to_string(&dump)?;
    fs::write(&dump, flows.replace("resubmit(,8)", "teleport(br-moon)"))?;
    let text = ask(report.clone())?;
    assert_eq!(verdict(&text), "verdict: unknown: the action teleport(br-moon) is not evaluated", "{text}");
    // A dump that ends early has lost flows.
    let end =
        flows.len() / 2 + flows.get(flows.len() / 2..).and_then(|rest| rest.find("actions=")).unwrap_or(0);
    fs::write(&dump, flows.get(..end).unwrap_or_default())?;
    let text = ask(report)?;
    assert!(text.contains("note: br-int: not all lines of the dumps are understood"), "{text}");
    assert!(text.contains("the dump ends within a line"), "{text}");
    Ok(())
}

#[test]
fn a_table_without_flows_makes_a_drop_doubtful() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let dump = report.join("sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-int");
    let flows = fs::read_to_string(&dump)?;
    // Flows send packets to the table, and the recording has no flow of it.
    let without: Vec<&str> = flows.lines().filter(|line| !line.contains(" table=8,")).collect();
    fs::write(&dump, without.join("\n") + "\n")?;
    let text = ask(report)?;
    assert!(
        text.contains("\nverdict (may be wrong, because the recording has no flow of table 8): dropped: "),
        "{text}"
    );
    Ok(())
}

/// Unpacks the report as if it were of a later time, at which the sender has another port.
fn second_report(second: &Path, hours: f64) -> Result<(), Failed> {
    unpack(&format!("capture/{REPORT}.tar.xz"), second)?;
    let second = second.join(REPORT);
    let manifest = second.join("sos_reports/manifest.json");
    let mut value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&manifest)?)?;
    let plugins = value.pointer_mut("/components/report/plugins").and_then(|it| it.as_object_mut());
    for plugin in plugins.ok_or("no plugins")?.values_mut() {
        for command in plugin["commands"].as_array_mut().ok_or("no commands")? {
            let time = command["start_time"].as_f64().ok_or("no time")?;
            command["start_time"] = (time + hours * 3600.0).into();
        }
    }
    fs::write(&manifest, value.to_string())?;
    let list = second.join("sos_commands/openvswitch/ovs-vsctl_-t_5_list_interface");
    let interfaces = fs::read_to_string(&list)?;
    fs::write(&list, interfaces.replace("ofport              : 7\n", "ofport              : 70\n"))?;
    Ok(())
}

/// Removes the outputs whose names contain a text.
fn remove(report: &Path, name: &str) -> Result<(), Failed> {
    let mut removed = 0;
    for entry in fs::read_dir(report.join("sos_commands/openvswitch"))?.flatten() {
        if entry.file_name().to_string_lossy().contains(name) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    assert!(removed > 0, "no output {name}");
    Ok(())
}

/// Returns an answer without its first line, which names the sources and their times.
fn body(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("# ")).collect()
}

#[test]
fn all_data_comes_from_the_report_that_has_the_flows() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    fs::create_dir_all(&old)?;
    let first = report(&old)?;
    let alone = ask(first.clone())?;
    second_report(&new, 1.0)?;
    // The newer report has all data, and in it the sender has another port, which no flow matches.
    let both = ask(dir.path().to_owned())?;
    assert!(both.contains("in_port=70,") && !both.contains("the trace mixes data"), "{both}");
    assert!(both.contains("note: the flows of br-int do not fit its ports: "), "{both}");
    assert!(both.contains("pod clients/client-v58hz"), "{both}");
    // Without its flows, nothing of it is read: neither the ports nor the groups.
    remove(&new.join(REPORT), "dump-flows")?;
    let both = ask(dir.path().to_owned())?;
    assert_eq!(body(&both), body(&alone));
    Ok(())
}

#[test]
fn data_of_two_reports_is_named_and_makes_the_verdict_doubtful() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    fs::create_dir_all(&old)?;
    let first = report(&old)?;
    second_report(&new, 1.0)?;
    // Only the older report has flows, and only the newer one has groups.
    remove(&new.join(REPORT), "dump-flows")?;
    remove(&first, "dump-groups")?;
    let text = ask(dir.path().to_owned())?;
    let note = text.lines().find(|line| line.starts_with("note: the trace mixes data")).unwrap_or_default();
    for part in [
        "the flows are ",
        "dump-flows_br-int",
        "2026-11-22T08:4",
        "of another collection are ",
        "dump-groups_br-int",
        "2026-11-22T09:4",
    ] {
        assert!(note.contains(part), "{part}: {text}");
    }
    assert!(
        text.contains("\nverdict (may be wrong, because it mixes data of different collections): "),
        "{text}"
    );
    Ok(())
}

#[test]
fn the_flows_of_another_node_are_recognised() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    let other = "sosreport-ovn-worker2-2026-11-22-xzpdlmo";
    unpack(&format!("capture/{other}.tar.xz"), dir.path())?;
    let file = "sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-int";
    fs::copy(dir.path().join(other).join(file), report.join(file))?;
    let text = ask(report)?;
    assert!(text.contains("the flows are probably those of another node"), "{text}");
    assert!(
        text.contains("\nverdict (may be wrong, because the flows of br-int do not fit its ports): "),
        "{text}"
    );
    Ok(())
}

#[test]
fn without_the_ports_there_is_no_trace() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let report = report(dir.path())?;
    fs::remove_file(report.join("sos_commands/openvswitch/ovs-vsctl_-t_5_show"))?;
    let text = trace(
        report,
        json!({ "node_name": "ovn-worker", "bridge": "br-int", "flow": "in_port=7,tcp,tp_dst=80" }),
    )?;
    assert!(text.starts_with("error: a trace needs the ports from conf.db or `ovs-vsctl show`, but Open_vSwitch of ovn-worker was not collected"), "{text}");
    assert!(text.contains("ovs_ofctl_dump_flows"), "{text}");
    Ok(())
}

/// Returns a trace without recirculation numbers and without the megaflow, with port numbers instead of names, and
/// with `dec_ttl` as OpenFlow 1.5 writes it. The packet has the `dp_hash` that the tool sets.
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
    let other = ["# ", "note: ", "verdict", "Megaflow: "];
    let shown = |line: &&str| !other.iter().any(|start| line.starts_with(start));
    trace.lines().filter(shown).filter(|line| !line.is_empty()).map(|line| counted(renamed(line))).collect()
}

/// The output of the real program on a node with a kernel datapath and kernel tunnels, from the time of its report.
#[test]
fn a_kernel_datapath_is_evaluated_as_its_node_traced() -> Result<(), Failed> {
    let folder = testdata().join("kernel-datapath");
    for (file, mac, to, wanted) in [
        (
            "trace-cross.txt",
            "0a:58:0a:f4:00:01",
            "10.244.1.5",
            "sent through the tunnel to node ovn-worker2 (172.18.0.3)",
        ),
        ("trace-same.txt", "0a:58:0a:f4:00:05", "10.244.0.5", "delivered to pod default/web-1 through port"),
    ] {
        let flow = format!(
            "in_port=4,tcp,dl_src=0a:58:0a:f4:00:04,dl_dst={mac},nw_src=10.244.0.4,nw_dst={to},nw_ttl=64,tp_src=40000,tp_dst=8080"
        );
        let params = json!({ "node_name": "ovn-worker", "bridge": "br-int", "flow": flow, "limit": 10_000 });
        let text = trace(folder.join("sosreport-ovn-worker.tar.xz"), params)?;
        assert!(verdict(&text).contains(wanted), "{text}");
        let (ours, theirs) = (plain(&text), plain(&fs::read_to_string(folder.join(file))?));
        assert!(theirs.len() > 150, "{file}: {} lines", theirs.len());
        // The last line has the datapath actions, with the port numbers that the kernel assigned.
        let (ours, theirs) = (ours.split_last(), theirs.split_last());
        assert_eq!(ours.map(|(_, lines)| lines), theirs.map(|(_, lines)| lines), "{file}");
    }
    Ok(())
}
