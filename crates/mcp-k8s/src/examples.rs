//! Examples of calls, which `tools NAME` and the help of a tool print. A test makes each of them.

use mcp_core::Example;

/// At least one example for each tool. The names are those of the shipped test data.
pub(crate) const EXAMPLES: &[Example] = &[
    Example { tool: "cluster_overview", arguments: &[] },
    Example { tool: "kubectl_get", arguments: &["kind=pods,svc", "namespace=shop", "output=wide"] },
    Example {
        tool: "kubectl_get",
        arguments: &["kind=pods", "fields=spec.nodeName=ovn-worker", "output=json", "limit=2"],
    },
    Example { tool: "kubectl_describe", arguments: &["kind=eip", "name=clients-egress"] },
    Example { tool: "kubectl_events", arguments: &["type=Warning", "since=30m"] },
    Example { tool: "kubectl_logs", arguments: &["pod=clients/crashy-67b46f8869-p2vbt", "run=previous"] },
    Example {
        tool: "kubectl_logs",
        arguments: &[
            "pod=ovn-kubernetes/ovnkube-node-pqrlf",
            "container=ovnkube-controller",
            "digest=true",
            "since=2h",
        ],
    },
    Example { tool: "node_logs", arguments: &["node_name=ovn-worker", "log=ovs-vswitchd", "tail=20"] },
    Example { tool: "ovnkube_locate", arguments: &["what=shop/web"] },
    Example { tool: "bundle_files", arguments: &["path=core/services.yaml", "search=clusterIP"] },
    Example { tool: "k8s_audit", arguments: &[] },
];
