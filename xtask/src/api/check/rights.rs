//! Checks the roles in `deploy/rbac`: with its own role a server can do everything, and without one right of the role
//! its error names that right.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::Server;
use super::answers::{NOT_IN_LAB, cases, tools};
use super::debug::IN_DEBUG_POD;
use super::kubectl::Kubectl;
use crate::mcp::Session;
use crate::workspace::{Crate, Result, Workspace};

/// Tools that have no answer: `node_logs` needs a right of another role.
const UNANSWERED: &[&str] = &["node_logs"];

/// Refusals that are expected, because no server's own role allows these requests.
const ON_PURPOSE: &[&str] = &["cannot list resource \"secrets\"", "cannot get resource \"nodes/proxy\""];

/// The kinds of an API group.
struct Group {
    name: &'static str,
    version: &'static str,
    namespaced: bool,
    /// The plural names, and the kinds.
    kinds: &'static [(&'static str, &'static str)],
}

const fn in_namespaces(
    name: &'static str,
    version: &'static str,
    kinds: &'static [(&'static str, &'static str)],
) -> Group {
    Group { name, version, namespaced: true, kinds }
}

const fn of_cluster(name: &'static str, kinds: &'static [(&'static str, &'static str)]) -> Group {
    Group { name, version: "v1", namespaced: false, kinds }
}

/// Kinds that the roles name and the recorded cluster does not have. If a role names a whole group, the list has one
/// kind of it.
const ELSEWHERE: &[Group] = &[
    in_namespaces("gateway.networking.k8s.io", "v1", &[("gateways", "Gateway")]),
    in_namespaces("whereabouts.cni.cncf.io", "v1alpha1", &[("ippools", "IPPool")]),
    in_namespaces("frrk8s.metallb.io", "v1beta1", &[("frrconfigurations", "FRRConfiguration")]),
    in_namespaces("metallb.io", "v1beta1", &[("ipaddresspools", "IPAddressPool")]),
    in_namespaces(
        "sriovnetwork.openshift.io",
        "v1",
        &[("sriovnetworknodepolicies", "SriovNetworkNodePolicy")],
    ),
    in_namespaces("network.operator.openshift.io", "v1", &[("egressrouters", "EgressRouter")]),
    in_namespaces(
        "kubevirt.io",
        "v1",
        &[
            ("virtualmachineinstances", "VirtualMachineInstance"),
            ("virtualmachineinstancemigrations", "VirtualMachineInstanceMigration"),
            ("virtualmachines", "VirtualMachine"),
        ],
    ),
    of_cluster("nmstate.io", &[("nodenetworkconfigurationpolicies", "NodeNetworkConfigurationPolicy")]),
    of_cluster("cloud.network.openshift.io", &[("cloudprivateipconfigs", "CloudPrivateIPConfig")]),
    of_cluster(
        "config.openshift.io",
        &[
            ("clusteroperators", "ClusterOperator"),
            ("clusterversions", "ClusterVersion"),
            ("infrastructures", "Infrastructure"),
            ("networks", "Network"),
            ("nodes", "Node"),
            ("proxies", "Proxy"),
        ],
    ),
    of_cluster("operator.openshift.io", &[("networks", "Network")]),
    of_cluster("machineconfiguration.openshift.io", &[("machineconfigpools", "MachineConfigPool")]),
];

/// Returns these kinds in the form of `--kinds`.
fn elsewhere() -> Value {
    let group = |Group { name: group, version, namespaced, kinds }: &Group| {
        let kind = |(plural, kind): &(&str, &str)| {
            json!({
                "resource": plural, "singularResource": kind.to_lowercase(), "verbs": ["get", "list"],
                "scope": if *namespaced { "Namespaced" } else { "Cluster" },
                "responseKind": { "group": group, "version": version, "kind": kind },
            })
        };
        let resources: Vec<Value> = kinds.iter().map(kind).collect();
        json!({ "metadata": { "name": group }, "versions": [{ "version": version, "resources": resources }] })
    };
    ELSEWHERE.iter().map(group).collect()
}

/// Returns whether an answer lacks a right that the role should have.
fn is_refused(text: &str) -> bool {
    text.contains("(403)") && !ON_PURPOSE.iter().any(|refused| text.contains(refused))
}

/// One right of a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    verb: String,
    group: String,
    /// The resource with its subresource: `pods/exec`.
    resource: String,
}

impl Right {
    /// Returns the right as a rule of a role.
    fn rule(&self) -> Value {
        json!({ "apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb] })
    }

    /// Returns the right in the notation of an engineer.
    fn full(&self) -> String {
        if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }
}

/// Returns the rights of a role, each alone.
fn rights(file: &Path) -> Result<Vec<Right>> {
    let role: Value = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
    let words = |rule: &Value, key: &str| -> Vec<String> {
        let all = rule.get(key).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|word| word.as_str().map(ToOwned::to_owned)).collect()
    };
    let mut all = Vec::new();
    for rule in role.get("rules").and_then(Value::as_array).into_iter().flatten() {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                let right = |verb| Right { verb, group: group.clone(), resource: resource.clone() };
                all.extend(words(rule, "verbs").into_iter().map(right));
            }
        }
    }
    Ok(all)
}

fn role<'a>(name: &str, rights: impl Iterator<Item = &'a Right>) -> Value {
    let rules: Vec<Value> = rights.map(Right::rule).collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name }, "rules": rules,
    })
}

/// Returns the name of the user who lacks one right.
fn without(layer: &Crate, number: usize) -> String {
    format!("{}-without-{number}", layer.name)
}

/// Calls the tools with all rights of a role, and with all rights except one.
pub(super) fn check(workspace: &Workspace, lab: &Path, folder: &Path) -> Result {
    let deployed = workspace.root.join("deploy/rbac");
    let mut roles = Vec::new();
    let mut layers = Vec::new();
    for layer in workspace.layers() {
        let mut all = rights(&deployed.join(format!("{}.yaml", layer.name)))?;
        // Some tools run commands in the network of any pod.
        all.extend(rights(&deployed.join("exec-everywhere.yaml"))?);
        roles.push(role(&layer.name, all.iter()));
        for (number, missing) in all.iter().enumerate() {
            roles.push(role(&without(layer, number), all.iter().filter(|right| *right != missing)));
        }
        if layer.name == "mcp-k8s" {
            let logs = rights(&deployed.join("node-logs.yaml"))?;
            roles.push(role("with-node-logs", all.iter().chain(&logs)));
            let no_logs = all.iter().filter(|right| !right.resource.contains('/'));
            roles.push(role("without-logs-and-commands", no_logs));
        }
        if layer.name == "mcp-kernel" {
            let pods = rights(&deployed.join("debug-pods.yaml"))?;
            roles.push(role("with-debug-pods", all.iter().chain(&pods)));
        }
        layers.push((layer, all));
    }
    let file = folder.join("roles.yaml");
    let documents: Vec<String> = roles.iter().map(Value::to_string).collect();
    fs::write(&file, documents.join("\n---\n"))?;
    let kinds = folder.join("kinds.json");
    fs::write(&kinds, elsewhere().to_string())?;
    let options = ["--rbac", &file.to_string_lossy(), "--kinds", &kinds.to_string_lossy()];
    let server = Server::start(workspace, lab, &options)?;
    let kubectl = Kubectl::install(workspace, &server.kubeconfig())?;
    for (layer, all) in &layers {
        enough(workspace, &server, layer)?;
        for (number, right) in all.iter().enumerate() {
            missing(workspace, &server, &kubectl, layer, number, right)?;
        }
        println!("{}: if one of its {} rights is missing, the error names it", layer.name, all.len());
    }
    toolsets(workspace, &server)?;
    debug_pods(workspace, &server, &kubectl)
}

/// Starts a server that is this user.
fn start(
    workspace: &Workspace,
    server: &Server,
    layer: &Crate,
    user: &str,
    more: &[&str],
) -> Result<Session> {
    let context = format!("--context={user}");
    super::start(workspace, server, layer, &[&[context.as_str()], more].concat())
}

/// Checks that a server with only its own role is never refused, and that each of its tools answers.
fn enough(workspace: &Workspace, server: &Server, layer: &Crate) -> Result {
    let mut session = start(workspace, server, layer, &layer.name, &[])?;
    let tools = tools(&mut session)?;
    let mut silent: BTreeSet<&str> = tools
        .iter()
        .map(String::as_str)
        .filter(|tool| !UNANSWERED.contains(tool) && !NOT_IN_LAB.contains(tool))
        .collect();
    let asked = cases(workspace, layer, "all", 4)?;
    for (tool, params) in &asked {
        let said = session.call(tool, &Value::Object(params.clone()))?;
        match &said {
            Ok(text) | Err(text) if is_refused(text) => {
                return Err(format!("with the server's own role, {tool} {params:?} failed: {text}").into());
            }
            Ok(_) => _ = silent.remove(tool.as_str()),
            Err(_) => {}
        }
    }
    session.close()?;
    if !silent.is_empty() {
        return Err(format!("{}: these tools answered no question: {silent:?}", layer.name).into());
    }
    println!("{}: {} calls with only its own role, and the API server refused none", layer.name, asked.len());
    Ok(())
}

/// Returns a call that needs a right.
fn question(kubectl: &Kubectl, layer: &Crate, right: &Right) -> Result<(&'static str, Value)> {
    if layer.name == "mcp-capture" {
        let of_pod = (right.verb.as_str(), right.resource.as_str()) == ("get", "pods");
        let at = if of_pod { "pod default/client" } else { "node ovn-worker" };
        return Ok(("tcpdump_capture", json!({ "at": [at], "seconds": 1 })));
    }
    let node = json!({ "node_name": "ovn-worker" });
    let tool = match layer.name.as_str() {
        "mcp-ovn" => "ovn_nbctl_show",
        "mcp-ovs" => "ovs_vsctl_show",
        "mcp-kernel" => "ip_addr_show",
        "mcp-k8s" => return of_objects(kubectl, right),
        name => return Err(format!("no call is known for the group {name}").into()),
    };
    Ok(match (right.verb.as_str(), right.resource.as_str()) {
        ("get", "pods") => (tool, json!({ "pod": "ovn-kubernetes/ovnkube-node-k7xwd" })),
        // A comparison takes a node's own values from the annotations of its Node object.
        ("get", "nodes") => (tool, json!({ "node_name": "ovn-worker,ovn-worker2" })),
        ("list", "services" | "networkpolicies" | "adminnetworkpolicies") => {
            ("ovn_audit", json!({ "check": "row-owners" }))
        }
        _ => (tool, node),
    })
}

fn of_objects(kubectl: &Kubectl, right: &Right) -> Result<(&'static str, Value)> {
    Ok(match right.resource.as_str() {
        "pods/log" => {
            ("kubectl_logs", json!({ "pod": "ovn-kubernetes/ovnkube-node-k7xwd", "container": "ovn-northd" }))
        }
        "pods/exec" => ("ovnkube_locate", json!({ "what": "10.96.0.10" })),
        resource => {
            let group = format!("--api-group={}", right.group);
            let words = ["api-resources", "--verbs=list", "-o", "name", &group];
            let known = kubectl.run("admin", &words, "")?.text;
            let mut known = known.lines();
            let full = right.full();
            let kind = known
                .find(|name| resource == "*" || **name == full || *name == resource)
                .ok_or_else(|| format!("no kind needs {right:?}: add it to ELSEWHERE"))?;
            match right.verb.as_str() {
                "get" => ("kubectl_get", json!({ "kind": kind, "name": "x", "namespace": "default" })),
                _ => ("kubectl_get", json!({ "kind": kind })),
            }
        }
    })
}

/// Checks that without this right the answer names the missing right.
fn missing(
    workspace: &Workspace,
    server: &Server,
    kubectl: &Kubectl,
    layer: &Crate,
    number: usize,
    right: &Right,
) -> Result {
    let (tool, params) = question(kubectl, layer, right)?;
    let mut session = start(workspace, server, layer, &without(layer, number), &[])?;
    let text = session.call(tool, &params)?.unwrap_or_else(|error| error);
    session.close()?;
    let resource = if right.resource == "*" { "" } else { right.resource.as_str() };
    let named =
        text.contains("(403)") && text.contains(&format!("cannot {} resource \"{resource}", right.verb));
    let namespace = !right.resource.starts_with("pods/") || text.contains("in namespace ovn-kubernetes");
    if named && namespace {
        Ok(())
    } else {
        Err(format!(
            "{}: without {right:?}, the error of {tool} {params} does not name the right: {text}",
            layer.name
        )
        .into())
    }
}

/// Checks that tools outside the toolset need no rights, and that tools which need more than the server's role have
/// another role for it.
fn toolsets(workspace: &Workspace, server: &Server) -> Result {
    let k8s = workspace.layer("mcp-k8s")?;
    let toolset = "--toolset=kubectl_get,kubectl_describe,kubectl_events";
    let mut session = start(workspace, server, k8s, "without-logs-and-commands", &[toolset])?;
    let tools = tools(&mut session)?;
    if tools.len() != 3 {
        return Err(format!("{toolset} serves {tools:?}").into());
    }
    let asked = cases(workspace, k8s, "all", 4)?;
    for (tool, params) in asked.iter().filter(|(tool, _)| tools.contains(tool)) {
        let text = session.call(tool, &Value::Object(params.clone()))?.unwrap_or_else(|error| error);
        if is_refused(&text) {
            return Err(format!("{toolset}: {tool} {params:?}: {text}").into());
        }
    }
    session.close()?;
    let logs = json!({ "node_name": "ovn-worker", "log": "ovs-vswitchd" });
    for (user, says) in [("mcp-k8s", "cannot get resource \"nodes/proxy\""), ("with-node-logs", "|INFO|")] {
        let mut session = start(workspace, server, k8s, user, &[])?;
        let text = session.call("node_logs", &logs)?.unwrap_or_else(|error| error);
        session.close()?;
        if !text.contains(says) {
            return Err(format!("node_logs of {user}: {text}").into());
        }
    }
    println!("mcp-k8s: tools outside the toolset need no rights, and host logs need a separate role");
    Ok(())
}

/// Checks that debug pods have their own role, which is enough to make one and to delete it.
fn debug_pods(workspace: &Workspace, server: &Server, kubectl: &Kubectl) -> Result {
    let kernel = workspace.layer("mcp-kernel")?;
    server.faults(&json!([{ "lacks": "conntrack" }]))?;
    for (user, says) in [
        ("mcp-kernel", ["cannot create resource \"pods\"", "deploy/rbac/debug-pods.yaml"]),
        ("with-debug-pods", [IN_DEBUG_POD, "connection"]),
    ] {
        let mut session = start(workspace, server, kernel, user, &["--allow-debug-pods"])?;
        let text = match session.call("conntrack_list", &json!({ "node_name": "ovn-worker" }))? {
            Ok(answer) => session.evidence(&answer)? + &answer,
            Err(error) => error,
        };
        session.close()?;
        if let Some(missing) = says.iter().find(|part| !text.contains(**part)) {
            return Err(
                format!("the error for a debug pod of {user} does not contain `{missing}`: {text}").into()
            );
        }
    }
    server.faults(&json!([]))?;
    let list = ["get", "pods", "-n", "ovn-kubernetes", "-o", "name"];
    let left = kubectl.expect("admin", &list, "", 0, &[])?.text;
    if left.contains("ovn-mcp-debug-") {
        return Err(format!("a server with its own role left {left}").into());
    }
    println!("mcp-kernel: debug pods need a separate role, and no other right");
    Ok(())
}
