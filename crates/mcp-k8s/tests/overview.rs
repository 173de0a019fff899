//! The overview stays within its size limit for three nodes and for three hundred nodes.

use mcp_core::{Bundle, NodeName};
use mcp_testing::{Case, answer, scenario};
use std::{fmt::Write, fs, sync::Arc};

const NODES: usize = 300;

fn overview() -> Case {
    Case { scenario: "capture".into(), tool: "cluster_overview".into(), params: serde_json::Map::new() }
}

/// A node like those of the capture. Single nodes are not ready or are in another zone.
fn node(number: usize) -> String {
    let name = format!("worker-{number:03}");
    let (status, message) =
        if number == 17 { ("False", "container runtime is down") } else { ("True", "ok") };
    let zone = if number == 42 { "worker-041" } else { &name };
    let (high, low) = (number / 256, number % 256);
    format!(
        r#"apiVersion: v1
kind: Node
metadata:
  name: {name}
  annotations:
    k8s.ovn.org/zone-name: {zone}
    k8s.ovn.org/node-chassis-id: 00000000-0000-0000-0000-000000000{number:03}
    k8s.ovn.org/node-encap-ips: '["172.18.{high}.{low}"]'
    k8s.ovn.org/node-subnets: '{{"default":["10.{}.{low}.0/24"]}}'
    k8s.ovn.org/l3-gateway-config: '{{"default":{{"mode":"shared","bridge-id":"br-ex","mac-address":"3a:29:2d:13:44:d2","ip-addresses":["172.18.{high}.{low}/16"],"next-hops":["172.18.0.1"],"node-port-enable":"true","vlan-id":"0"}}}}'
status:
  addresses:
  - {{type: InternalIP, address: 172.18.{high}.{low}}}
  conditions:
  - {{type: Ready, status: "{status}", message: {message}}}
  nodeInfo: {{kubeletVersion: {}}}
"#,
        128 + high,
        if number == 99 { "v1.35.0" } else { "v1.36.2" },
    )
}

/// The ovnkube-node pod of a node, which crashes on one node and is missing on another.
fn pod(number: usize) -> String {
    let state = if number == 200 {
        "ready: false, restartCount: 31, state: {waiting: {reason: CrashLoopBackOff}}"
    } else {
        "ready: true, restartCount: 1, state: {running: {startedAt: 2026-11-22T08:00:00Z}}"
    };
    format!(
        r"- apiVersion: v1
  kind: Pod
  metadata: {{name: ovnkube-node-n{number:03}x, namespace: ovn-kubernetes}}
  spec:
    nodeName: worker-{number:03}
    hostNetwork: true
    containers:
    - {{name: ovnkube-controller, image: ovn-kube:1}}
  status:
    phase: Running
    containerStatuses:
    - {{name: ovnkube-controller, {state}}}
"
    )
}

#[test]
fn three_hundred_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mut pods = "apiVersion: v1\nkind: PodList\nitems:\n".to_owned();
    for number in 0..NODES {
        write(
            &format!("must-gather/image/cluster-scoped-resources/core/nodes/worker-{number:03}.yaml"),
            &node(number),
        );
        if number != 250 {
            _ = pods.write_str(&pod(number));
        }
    }
    write("must-gather/image/namespaces/ovn-kubernetes/core/pods.yaml", &pods);
    let text = answer(mcp_k8s::layer(), Arc::new(Bundle::new(vec![dir.path().into()])), &overview()).unwrap();
    assert!(text.len() < 24_000, "{} bytes", text.len());
    assert!(text.contains("nodes: 300; 297 are Ready"), "{text}");
    for stands_out in [
        "worker-017: NotReady: container runtime is down",
        "worker-200: ovnkube-node-n200x 0/1 ready: container ovnkube-controller (waiting: CrashLoopBackOff, restarted 31x)",
        "worker-250: no ovnkube-node pod",
        "Kubernetes v1.35.0 on worker-099",
        "300 nodes in 299 zones",
    ] {
        assert!(text.contains(stands_out), "{stands_out}: {text}");
    }
}

#[test]
fn three_nodes() {
    let text = answer(mcp_k8s::layer(), scenario("capture"), &overview()).unwrap();
    assert!(text.len() < 6_000, "{} bytes", text.len());
    for node in ["ovn-control-plane", "ovn-worker", "ovn-worker2"] {
        let node: NodeName = node.parse().unwrap();
        assert!(text.lines().any(|line| line.trim_start().starts_with(&format!("{node}  Ready"))), "{text}");
    }
}
