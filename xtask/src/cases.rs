//! The cases of the layers: the questions of the golden tests, which other tasks also record and try.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::workspace::{Crate, Result, Workspace};

/// A case file.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The name of the case and of its snapshot.
    pub(crate) name: String,
    /// The folder of `testdata` that holds the source.
    pub(crate) scenario: String,
    /// The name of the tool.
    pub(crate) tool: String,
    /// The parameters of the call.
    pub(crate) params: Map<String, Value>,
}

/// Questions about the lab, for tools whose cases are about bundles.
const OF_LAB: &[(&str, &str, &str)] = &[
    ("mcp-k8s", "cluster_overview", "{}"),
    ("mcp-k8s", "kubectl_get", r#"{"kind": "pods", "namespace": "default", "output": "wide"}"#),
    ("mcp-k8s", "kubectl_describe", r#"{"kind": "pod", "name": "web-1", "namespace": "default"}"#),
    ("mcp-k8s", "kubectl_events", r#"{"namespace": "clients"}"#),
    (
        "mcp-k8s",
        "kubectl_logs",
        r#"{"pod": "ovn-kubernetes/ovnkube-node-k7xwd", "container": "ovn-northd", "tail": 3}"#,
    ),
    ("mcp-k8s", "node_logs", r#"{"node_name": "ovn-worker", "log": "ovs-vswitchd"}"#),
    ("mcp-k8s", "ovnkube_locate", r#"{"what": "default/web-1"}"#),
    ("mcp-capture", "tcpdump_analyze", "{}"),
    ("mcp-capture", "tcpdump_capture", r#"{"at": ["pod default/client"], "seconds": 1}"#),
    ("mcp-kernel", "conntrack_events", r#"{"node_name": "ovn-worker", "seconds": 1}"#),
    ("mcp-kernel", "ip_addr_show", r#"{"pod": "default/web-1"}"#),
    (
        "mcp-ovn",
        "ovn_trace",
        r#"{"node_name": "ovn-worker", "from": "default/client", "to": "10.244.1.6", "port": 5432}"#,
    ),
    ("mcp-ovn", "ovn_sbctl_lflow_list", r#"{"node_name": "ovn-worker", "datapath": "join"}"#),
];

/// Returns all cases of a layer, by name, and the questions about the lab.
pub(crate) fn with_lab(workspace: &Workspace, layer: &Crate) -> Result<Vec<Case>> {
    let mut all = of(workspace, layer)?;
    for (_, tool, params) in OF_LAB.iter().filter(|(name, ..)| *name == layer.name) {
        all.push(Case {
            name: (*tool).into(),
            scenario: LAB.into(),
            tool: (*tool).into(),
            params: serde_json::from_str(params)?,
        });
    }
    Ok(all)
}

impl Case {
    /// Returns whether the case is about the lab.
    pub(crate) fn is_of_lab(&self) -> bool {
        self.scenario == LAB
    }
}

/// The scenario that is recorded in the lab.
const LAB: &str = "lab";

/// Returns all cases of a layer, by name.
pub(crate) fn of(workspace: &Workspace, layer: &Crate) -> Result<Vec<Case>> {
    let folder = workspace.root.join(&layer.folder).join("tests/cases");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| read(file).map_err(|e| format!("{}: {e}", file.display()).into())).collect()
}

fn read(file: &PathBuf) -> Result<Case> {
    let value: Value = serde_json::from_slice(&fs::read(file)?)?;
    let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or(format!("no \"{key}\""));
    Ok(Case {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        scenario: text("scenario")?,
        tool: text("tool")?,
        params: value.get("params").and_then(Value::as_object).cloned().ok_or("no \"params\"")?,
    })
}
