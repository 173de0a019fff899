//! Compares traces through the flows in a report of the lab's nodes with the same traces in the live switches.

use mcp_core::{Backend, Budget, Bundle};
use mcp_testing::{Case, Failed, answer_within, lab};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

const NODES: [&str; 2] = ["ovn-worker", "ovn-worker2"];

fn lab_dir() -> String {
    std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into())
}

fn on_lab(node: &str, command: &[&str]) -> Result<(), Failed> {
    let pid = std::fs::read_to_string(format!("{}/{node}/pid", lab_dir()))
        .map_err(|e| format!("no lab: {e}: cargo xtask lab up"))?;
    #[expect(clippy::disallowed_methods, reason = "a test makes traffic in the lab")]
    let mut program = std::process::Command::new("nsenter");
    program.arg(format!("--target={}", pid.trim())).args(["--net", "--mount", "--uts", "--"]).args(command);
    let output = program.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} on {node}: {}", String::from_utf8_lossy(&output.stdout)).into()),
    }
}

/// Returns the reports of both nodes as one cluster.
fn reports(dir: &Path) -> Result<Arc<dyn Backend>, Failed> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/lab/report.sh");
    let lab = lab_dir();
    let mut reports: Vec<PathBuf> = Vec::new();
    for node in NODES {
        let out = dir.join(node);
        #[expect(clippy::disallowed_methods, reason = "a test makes reports of the lab")]
        let mut report = std::process::Command::new("bash");
        report.arg(&script).arg(node).arg(&out).env("LAB_DIR", &lab);
        assert!(report.status()?.success(), "no report of {node}: is the lab up?");
        reports.push(out);
    }
    Ok(Arc::new(Bundle::new(reports)))
}

fn ask(source: &Arc<dyn Backend>, params: &Map<String, Value>) -> Result<String, Failed> {
    let mut params = params.clone();
    params.insert("limit".into(), json!(10_000));
    let case = Case { scenario: String::new(), tool: "ovs_appctl_ofproto_trace".into(), params };
    let room = Budget { lines: 10_000, bytes: 10_000_000 };
    answer_within(mcp_ovs::layer(), source.clone(), &case, room)
}

/// Returns the lines of a trace without the parts that differ by design. Recirculation numbers come from a counter.
/// An action has the form of the OpenFlow version of the dump, not of the version in which it was added. The megaflow
/// (`Megaflow`) depends on the order in which a switch searches flows of one priority.
fn lines(answer: &str) -> Vec<String> {
    let other = ["# ", "note: ", "Megaflow: ", "verdict"];
    let trace = answer.lines().filter(|line| !other.iter().any(|begin| line.starts_with(begin)));
    let number = |line: &str, before: &str| {
        let mut parts = line.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| {
            line + before + part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == 'x')
        })
    };
    let reads = [
        ("dec_ttl()", "dec_ttl"),
        ("load:0x1->NXM_NX_CT_MARK[]", "set_field:0x1->ct_mark"),
        ("load:0x2->NXM_NX_CT_MARK[]", "set_field:0x2->ct_mark"),
        // The switch numbers the continuations and the sockets of packets for a controller.
        ("userspace(pid=0,", "userspace("),
        ("continuation=0,recirc_id=,", "continuation=0,"),
    ];
    let same = |line: String| reads.iter().fold(line, |line, (one, other)| line.replace(one, other));
    // A datapath numbers its meters in the order in which they were added.
    let counted = ["recirc_id=", "recirc(", "meter(", "tnl_port("];
    let mut lines = Vec::new();
    let (mut resumes, mut heading) = (false, false);
    for line in trace {
        // On a bridge where the packet did not begin, Open vSwitch prints its own rule for packets that match no flow.
        // If the packet continues there, Open vSwitch names the bridge and the port where the packet began.
        let line = match line.split_once(". reg0=0x") {
            Some((before, rule)) if rule.ends_with(", priority 0") => format!("{before}. No match."),
            _ => line.to_owned(),
        };
        if line.starts_with("Flow: ") {
            resumes = line.contains("recirc_id=");
        }
        heading = resumes && line.starts_with("bridge(") || heading && line.starts_with("---");
        if heading {
            continue;
        }
        // For a packet from a tunnel, Open vSwitch prints all fields of the tunnel, without the key.
        let other = |part: &&str| {
            let flow = line.contains("low: ");
            flow && (part.starts_with("tun_") || part.starts_with("gtpu_"))
                || flow && line.contains("recirc_id=") && part.starts_with("in_port=")
        };
        let parts = line.split(',').filter(|part| !other(part));
        let line = parts.collect::<Vec<_>>().join(",");
        lines.push(same(counted.iter().fold(line, |line, before| number(&line, before))));
    }
    lines
}

/// Compares the first verdicts. If no bucket was chosen, the evaluation names the fates for all buckets, and the live
/// trace some of them.
fn same_verdict(live: &str, evaluated: &str) -> bool {
    let verdict =
        |answer: &str| answer.lines().find_map(|line| line.strip_prefix("verdict: ")).map(str::to_owned);
    let (Some(live), Some(evaluated)) = (verdict(live), verdict(evaluated)) else { return false };
    match evaluated.strip_prefix("one of these, because a group chooses one: ") {
        Some(all) => live.split("; ").all(|end| all.split("; ").any(|it| it == end)),
        None => live == evaluated,
    }
}

/// Sends traffic that fills the tables whose entries expire soon: neighbours of tunnels and gateways.
fn warm() -> Result<(), Failed> {
    for (node, peer) in [("ovn-worker", "172.18.0.3"), ("ovn-worker2", "172.18.0.2")] {
        on_lab(node, &["ping", "-c1", "-W2", peer])?;
        on_lab(node, &["ping", "-c1", "-W2", "172.18.0.1"])?;
    }
    Ok(())
}

fn questions() -> Vec<Map<String, Value>> {
    let senders = [
        ("ovn-worker", "default/client"),
        ("ovn-worker", "default/web-1"),
        ("ovn-worker2", "default/client-2"),
        ("ovn-worker2", "default/db"),
    ];
    let destinations = [
        // The destinations are a pod of each zone, and the database, which allows clients on one port only.
        ("10.244.0.6", "tcp", 8080),
        ("10.244.1.5", "tcp", 8080),
        ("10.244.1.7", "udp", 53),
        ("10.96.0.10", "tcp", 80),
        ("10.96.0.20", "tcp", 80),
        ("10.96.0.1", "tcp", 443),
        ("8.8.8.8", "udp", 53),
        ("172.18.0.3", "tcp", 6443),
    ];
    let named = senders.iter().flat_map(|(node, from)| {
        destinations.iter().map(move |(to, protocol, port)| {
            json!({ "node_name": node, "from": from, "to": to, "protocol": protocol, "port": port })
        })
    });
    let database = [5432, 22].map(
        |port| json!({ "node_name": "ovn-worker2", "from": "default/client-2", "to": "10.244.1.6", "port": port }),
    );
    let est = json!({ "node_name": "ovn-worker", "from": "default/client", "to": "10.244.1.5", "port": 8080, "ct_state": ["est", "est", "est"] });
    // These traces have no ports, use another bucket of the service, or follow the reply through its translation.
    let other = [
        json!({ "node_name": "ovn-worker", "from": "default/client", "to": "10.244.1.5", "protocol": "icmp" }),
        json!({ "node_name": "ovn-worker2", "from": "default/client-2", "to": "172.18.0.1", "protocol": "icmp" }),
        json!({ "node_name": "ovn-worker", "from": "default/client", "to": "10.96.0.10", "port": 80, "dp_hash": 6 }),
        json!({ "node_name": "ovn-worker", "from": "default/web-1", "to": "172.18.0.1", "port": 40000, "ct_state": ["est", "reply", "est"] }),
    ];
    let bridges = [
        // These traces come from outside, leave the cluster or a tunnel, use NORMAL or IPv6, or request addresses.
        ("br-ex", "in_port=eth0,tcp,dl_src=02:42:ac:12:00:01,dl_dst=02:42:ac:12:00:02,nw_src=172.18.0.1,nw_dst=172.18.0.2,nw_ttl=64,tp_src=80,tp_dst=40000"),
        ("br-ex", "in_port=LOCAL,tcp,dl_src=02:42:ac:12:00:02,dl_dst=02:42:ac:12:00:01,nw_src=172.18.0.2,nw_dst=172.18.0.1,nw_ttl=64,tp_src=40000,tp_dst=80"),
        ("br-ex", "in_port=LOCAL,arp,dl_src=02:42:ac:12:00:02,dl_dst=02:42:ac:12:00:01,arp_op=2,arp_spa=172.18.0.2,arp_tpa=172.18.0.1"),
        ("br-ex", "in_port=eth0,tcp,dl_src=02:42:ac:12:00:01,dl_dst=02:42:ac:12:00:02,nw_src=172.18.0.1,nw_dst=172.18.0.2,nw_ttl=64,tp_src=40000,tp_dst=30080"),
        ("br-int", "in_port=1,tun_id=0xff0003,tun_metadata0=0x30002,tun_src=172.18.0.3,tun_dst=172.18.0.2,tcp,dl_src=0a:58:64:58:00:03,dl_dst=0a:58:64:58:00:02,nw_src=10.244.1.5,nw_dst=10.244.0.4,nw_ttl=63,tp_src=8080,tp_dst=40000"),
        ("br-int", "in_port=4,arp,dl_src=0a:58:0a:f4:00:04,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.244.0.4,arp_tpa=10.244.0.1,arp_sha=0a:58:0a:f4:00:04"),
        ("br-int", "in_port=4,tcp6,dl_src=0a:58:0a:f4:00:04,dl_dst=0a:58:0a:f4:00:01,ipv6_src=fd00::4,ipv6_dst=fd00::5,nw_ttl=64,tp_dst=80"),
        ("br-int", "in_port=4,icmp6,dl_src=0a:58:0a:f4:00:04,dl_dst=33:33:ff:00:00:01,ipv6_src=fd00::4,ipv6_dst=ff02::1:ff00:1,nw_ttl=255,icmpv6_type=135,icmpv6_code=0,nd_target=fd00::1,nd_sll=0a:58:0a:f4:00:04"),
    ]
    .map(|(bridge, flow)| json!({ "node_name": "ovn-worker", "bridge": bridge, "flow": flow }));
    let all = named.chain(database).chain([est]).chain(other).chain(bridges);
    all.filter_map(|params| params.as_object().cloned()).collect()
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn an_evaluated_trace_is_the_live_one() -> Result<(), Failed> {
    let questions = questions();
    assert!(questions.len() >= 40, "{}", questions.len());
    let (mut equal, mut longest) = (0, 0);
    let mut dir = tempfile::tempdir()?;
    warm()?;
    let mut source = reports(dir.path())?;
    for params in &questions {
        // Learnt entries expire, so a report that is too old for a question is made again.
        for attempt in 0.. {
            let (live, evaluated) = (ask(&lab()?, params)?, ask(&source, params)?);
            assert!(
                !live.starts_with("error") && !evaluated.starts_with("error"),
                "{params:?}\n{live}\n{evaluated}"
            );
            if lines(&live) == lines(&evaluated) && same_verdict(&live, &evaluated) {
                longest = longest.max(lines(&live).len());
                equal += 1;
                break;
            }
            if attempt == 3 {
                let verdicts = |of: &str| {
                    of.lines().filter(|line| line.starts_with("verdict")).collect::<Vec<_>>().join("\n")
                };
                let told = [verdicts(&live), verdicts(&evaluated)];
                let (live, evaluated) = (lines(&live), lines(&evaluated));
                let differ = live
                    .iter()
                    .zip(&evaluated)
                    .position(|(a, b)| a != b)
                    .unwrap_or(live.len().min(evaluated.len()));
                let around = |of: &[String]| {
                    of.iter().skip(differ.saturating_sub(3)).take(8).cloned().collect::<Vec<_>>().join("\n")
                };
                return Err(format!(
                    "{params:?}\n{told:?}\n--- live\n{}\n--- evaluated\n{}",
                    around(&live),
                    around(&evaluated)
                )
                .into());
            }
            dir = tempfile::tempdir()?;
            warm()?;
            source = reports(dir.path())?;
        }
    }
    assert_eq!(equal, questions.len());
    assert!(longest > 300, "the longest trace has {longest} lines");
    Ok(())
}
