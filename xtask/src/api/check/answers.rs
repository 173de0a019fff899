//! Checks that an answer is the same through the API server and from the nodes themselves, and with every flavour of
//! the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value, json};
use xshell::cmd;

use super::super::Server;
use super::start;
use crate::cases;
use crate::mcp::{Era, Session};
use crate::workspace::{Crate, Result, Workspace};

/// Tools that ask only the API server, which a node does not have.
const OF_OBJECTS: &[&str] =
    &["cluster_overview", "kubectl_describe", "kubectl_events", "kubectl_get", "kubectl_logs"];

/// The tool that reads the files of bundles, which every live source refuses, and the tools whose programs need another
/// kernel than that of the lab.
pub(super) const NOT_IN_LAB: [&str; 3] = ["bundle_files", "pwru_trace", "retis_capture"];

/// Tools that print changing data: counters, ages, connections. Their numbers may differ, and some of their lines may
/// exist only for a while.
const MOVING: &[&str] = &[
    "conntrack_events",
    "conntrack_list",
    "frr_show",
    "host_counters",
    "iptables_save",
    "ip_link_show",
    "ip_neigh_show",
    "ipsec_show",
    "nft_list_ruleset",
    "ovn_db_status",
    "ovs_appctl_dpctl_dump_conntrack",
    "ovs_appctl_dpctl_dump_flows",
    "ovs_appctl_show",
    "ovs_ofctl_dump_flows",
    "ovs_ofctl_show",
    "ss_show",
    "tcpdump_analyze",
    "tcpdump_capture",
];

/// Tools that watch a node for some seconds.
const WATCHING: &[&str] = &["conntrack_events", "tcpdump_capture"];

/// A tool that joins objects and databases: without objects, a node still knows its ports.
const JOINING: &str = "ovnkube_locate";

/// What an audit says about a check that needs objects if the source has no objects.
const NO_OBJECTS: &str = "Kubernetes objects is not available";

/// How often two answers may differ because the data changed between them.
const TRIES: usize = 5;

/// Compares all tools that ask nodes.
pub(super) fn check(workspace: &Workspace, lab: &Path) -> Result {
    for (flavour, node, per_tool) in
        [("upstream", "all", 3), ("openshift", "ovn-worker2", 1), ("microshift", "ovn-worker", 1)]
    {
        // A MicroShift cluster has one node, so it is compared with this node only.
        let nodes: &[&str] = if flavour == "microshift" { &[node] } else { &["ovn-worker", "ovn-worker2"] };
        let server = Server::start(workspace, lab, &["--flavour", flavour])?;
        let mut count = 0;
        for each in workspace.layers() {
            let cases = cases(workspace, each, node, per_tool)?;
            let (answered, silent) = layer(workspace, lab, nodes, &server, each, &cases)
                .map_err(|error| format!("{flavour}, {}: {error}", each.name))?;
            // With few nodes and few questions, the only question of a tool may be about missing data.
            if flavour == "upstream" && !silent.is_empty() {
                return Err(format!("{}: these tools answered no question: {silent:?}", each.name).into());
            }
            count += answered;
        }
        println!("{flavour}: {count} answers equal the answers of the nodes themselves");
        if flavour != "upstream" {
            overview(workspace, &server, flavour)?;
        }
    }
    Ok(())
}

/// Returns the cases of a layer that make sense in the lab, each once, and at most `per_tool` for each tool. If a case
/// names a node, this node replaces it.
pub(super) fn cases(
    workspace: &Workspace,
    layer: &Crate,
    node: &str,
    per_tool: usize,
) -> Result<Vec<(String, Map<String, Value>)>> {
    let mut all = cases::with_lab(workspace, layer)?;
    // The cases of the lab come first, because they are known to have an answer.
    all.sort_by_key(|case| !case.is_of_lab());
    let mut seen = BTreeSet::new();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for mut case in all {
        let of_lab = |node: &Value| ["ovn-worker", "ovn-worker2", "all"].iter().any(|known| node == known);
        if case.params.get("node_name").is_some_and(|named| !of_lab(named) || node != "all") {
            case.params.insert("node_name".into(), json!(if node == "all" { "ovn-worker" } else { node }));
        }
        // A second sample or a longer time would show nothing more.
        case.params.remove("delta_seconds");
        if WATCHING.contains(&case.tool.as_str()) {
            case.params.insert("seconds".into(), json!(1));
        }
        let used = count.entry(case.tool.clone()).or_default();
        if *used < per_tool && seen.insert(format!("{} {:?}", case.tool, case.params)) {
            *used += 1;
            chosen.push((case.tool, case.params));
        }
    }
    Ok(chosen)
}

/// Returns the number of questions that both sides answered, and the tools without such an answer.
fn layer(
    workspace: &Workspace,
    lab: &Path,
    nodes: &[&str],
    server: &Server,
    layer: &Crate,
    cases: &[(String, Map<String, Value>)],
) -> Result<(usize, BTreeSet<String>)> {
    let locals: Vec<String> =
        nodes.iter().map(|node| format!("--local={node}={}", lab.join(node).join("pid").display())).collect();
    let mut local = Session::start(&workspace.sh, &workspace.binary(layer), &locals, Era::Initialize)?;
    local.open()?;
    let mut cluster = start(workspace, server, layer, &[])?;
    let mut silent: BTreeSet<String> = tools(&mut local)?.into_iter().collect();
    silent.retain(|tool| !OF_OBJECTS.contains(&tool.as_str()) && !NOT_IN_LAB.contains(&tool.as_str()));
    let mut answered = 0;
    for (tool, params) in cases.iter().filter(|(tool, _)| !OF_OBJECTS.contains(&tool.as_str())) {
        let _traffic =
            WATCHING.contains(&tool.as_str()).then(|| Traffic::start(workspace, lab)).transpose()?;
        let mut ask = || -> Result<(ToolOutcome, ToolOutcome)> {
            let params = Value::Object(params.clone());
            Ok((ToolOutcome::new(local.call(tool, &params)?), ToolOutcome::new(cluster.call(tool, &params)?)))
        };
        let how = Agreement::of(tool);
        let mut told = ask()?;
        for _ in 1..TRIES {
            if told.0.is_same(&told.1, how) {
                break;
            }
            told = ask()?;
        }
        if !told.0.is_same(&told.1, how) {
            return Err(format!(
                "{tool} {params:?}: from the node\n{}\nthrough the API server\n{}",
                told.0.text, told.1.text
            )
            .into());
        }
        if told.0.answers {
            answered += 1;
            silent.remove(tool);
        }
    }
    local.close()?;
    cluster.close()?;
    Ok((answered, silent))
}

/// Returns the names of a server's tools.
pub(super) fn tools(session: &mut Session) -> Result<Vec<String>> {
    let list = session.expect("tools/list", json!({}))?;
    let tools = list.get("tools").and_then(Value::as_array).into_iter().flatten();
    Ok(tools.filter_map(|tool| Some(tool.get("name")?.as_str()?.to_owned())).collect())
}

/// Connections that a node opens again and again, until this value is dropped.
struct Traffic(Child);

impl Traffic {
    fn start(workspace: &Workspace, lab: &Path) -> Result<Self> {
        let enter = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/enter.sh");
        let connect = "while sleep 0.2; do (exec 3<>/dev/tcp/172.18.0.1/6443); done";
        let command = cmd!(workspace.sh, "bash {enter} ovn-worker bash -c {connect}").env("LAB_DIR", lab);
        Ok(Self(Command::from(command).stdin(Stdio::null()).spawn()?))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// The text of an answer or of an error.
#[derive(Default)]
struct ToolOutcome {
    answers: bool,
    text: String,
}

impl ToolOutcome {
    fn new(said: std::result::Result<String, String>) -> Self {
        Self { answers: said.is_ok(), text: said.unwrap_or_else(|error| error) }
    }

    /// Returns whether two answers are the same. Their sources may differ, and two errors may have different words.
    fn is_same(&self, other: &Self, how: Agreement) -> bool {
        let body = |said: &Self| -> Vec<String> {
            let lines = said.text.lines().filter(|line| !line.starts_with("# ")).map(without_place);
            lines.map(|line| if how == Agreement::Moving { without_numbers(&line) } else { line }).collect()
        };
        let (ours, theirs) = (body(self), body(other));
        let common = |line: &&String| theirs.contains(line);
        match (self.answers, other.answers) {
            (false, false) => true,
            (true, true) => match how {
                Agreement::Whole => ours == theirs,
                // Entries come and go, but not the kinds of entries.
                Agreement::Moving => ours.iter().filter(common).count() * 2 >= ours.len().max(theirs.len()),
                Agreement::Ports => {
                    let ports = |lines: &[String]| -> Vec<String> {
                        lines.iter().filter(|line| line.starts_with("  port ")).cloned().collect()
                    };
                    !ours.iter().any(|line| line.starts_with("FINDING")) && ports(&ours) == ports(&theirs)
                }
                Agreement::Checks => {
                    let lacks_objects = |lines: &[String]| lines.iter().any(|line| line.contains(NO_OBJECTS));
                    ours == theirs || lacks_objects(&ours) && !lacks_objects(&theirs)
                }
            },
            _ => false,
        }
    }
}

/// The way in which two answers must agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreement {
    /// In every line.
    Whole,
    /// In at least half of the lines, ignoring numbers.
    Moving,
    /// In the ports that they name, and without a finding.
    Ports,
    /// In every line, unless a check lacks its objects on the node only.
    Checks,
}

impl Agreement {
    /// Returns the way in which the answers of a tool must agree.
    fn of(tool: &str) -> Self {
        match tool {
            JOINING => Self::Ports,
            _ if tool.ends_with("_audit") => Self::Checks,
            _ if MOVING.contains(&tool) => Self::Moving,
            _ => Self::Whole,
        }
    }
}

/// Removes what only one of the sources can say: the container in the note about a failed command
/// ("`ip route` in `ovn-controller of ...` failed"), and why another node was not read.
fn without_place(line: &str) -> String {
    if let Some((before, _)) = line.split_once("was not read: ") {
        return format!("{before}was not read");
    }
    match line.split_once("` in `").and_then(|(before, rest)| Some((before, rest.split_once('`')?.1))) {
        Some((before, after)) => format!("{before}`{after}"),
        None => line.to_owned(),
    }
}

/// Replaces the numbers of a line.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if text.ends_with('0') => {}
            '0'..='9' => text.push('0'),
            c => text.push(c),
        }
    }
    text
}

/// Checks the overview that mcp-k8s gives of this flavour.
fn overview(workspace: &Workspace, server: &Server, flavour: &str) -> Result {
    let mut session = start(workspace, server, workspace.layer("mcp-k8s")?, &[])?;
    let text = session.call("cluster_overview", &json!({}))?.unwrap_or_else(|error| error);
    session.close()?;
    let wanted = ["openshift-ovn-kubernetes", "ovn-worker"];
    if text.starts_with("error") || wanted.iter().any(|word| !text.contains(word)) {
        return Err(format!("{flavour}: the overview is {text}").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_may_move() {
        let said = |text: &str| ToolOutcome::new(Ok(text.into()));
        let is_same = |ours: &str, theirs: &str, how| said(ours).is_same(&said(theirs), how);
        assert!(is_same("# a\nn_packets=12", "# b\nn_packets=7", Agreement::Moving));
        assert!(!is_same("n_packets=12", "n_packets=7", Agreement::Whole));
        assert!(is_same("note: `a` failed", "note: `a` in `b of c` failed", Agreement::Whole));
        assert!(is_same("zone b was not read: why", "zone b was not read: other", Agreement::Whole));
        assert!(!is_same("zone b was not read: why", "zone c was not read: why", Agreement::Whole));
        assert!(!is_same("drop", "output", Agreement::Moving));
        assert!(!said("drop").is_same(&ToolOutcome::new(Err("drop".into())), Agreement::Moving));
        assert!(is_same("pod a: where\n  port a", "pod a: Running\n  port a", Agreement::Ports));
        assert!(!is_same("  port a", "  port a\n  port b", Agreement::Ports));
        assert!(!is_same("FINDING: x\n  port a", "  port a", Agreement::Ports));
    }
}
