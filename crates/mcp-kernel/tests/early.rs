//! What must-gathers of OpenShift 4.5 to 4.9 keep of a node beside databases. No real one was at hand: real outputs (`testdata/forms`)
//! under the names that `gather_network_logs` of those releases gave them.

use mcp_core::{
    Bundle,
    testing::{Case, Failed, answer, unpack},
};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc};

const POD: &str = "ovnkube-node-k7xwd";

/// A must-gather of one node, whose files begin like this.
fn gathered(root: &Path, owner: &str) -> Result<(), Failed> {
    unpack("forms/outputs.tar.xz", root)?;
    let image = root.join("must-gather.local.1/quay-io-must-gather");
    let (logs, pod) =
        (image.join("network_logs"), image.join(format!("namespaces/openshift-ovn-kubernetes/pods/{POD}")));
    fs::create_dir_all(&logs)?;
    fs::create_dir_all(&pod)?;
    let object = format!(
        "kind: Pod\nmetadata:\n  name: {POD}\n  namespace: openshift-ovn-kubernetes\nspec:\n  nodeName: ovn-worker\n"
    );
    fs::write(pod.join(format!("{POD}.yaml")), object)?;
    for (output, name) in [
        ("iptables-save_-c", "iptables"),
        ("ip_addr", "ip_addr"),
        ("ip_route", "ip_route"),
        ("ip_-6_route", "ip_6_route"),
        ("ip_-s_-d_link", "ip_-s_-d_link"),
    ] {
        fs::copy(root.join("outputs").join(output), logs.join(format!("{owner}_{name}")))?;
    }
    Ok(())
}

fn ask(root: &Path, tool: &str, params: Value) -> Result<String, Failed> {
    let mut params = params.as_object().cloned().ok_or("an object")?;
    params.insert("node_name".into(), "ovn-worker".into());
    let backend = Arc::new(Bundle::new(vec![root.join("must-gather.local.1")]));
    answer(mcp_kernel::layer(), backend, &Case { scenario: String::new(), tool: tool.into(), params })
}

#[test]
fn addresses_routes_and_rules_are_read() -> Result<(), Failed> {
    // Named after the pod at first, later after its node and it.
    for owner in [POD.to_owned(), format!("ovn-worker_{POD}")] {
        let root = tempfile::tempdir()?;
        gathered(root.path(), &owner)?;
        let answers = [
            (
                "ip_addr_show",
                json!({ "interface": "ovn-k8s-mp0" }),
                "  inet 10.244.0.2/24 brd 10.244.0.255 scope global ovn-k8s-mp0",
            ),
            (
                "ip_link_show",
                json!({ "interface": "ovn-k8s-mp0" }),
                "ovn-k8s-mp0 <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1400",
            ),
            ("ip_route_show", json!({}), "  10.96.0.0/16 via 169.254.0.4 dev br-ex src 169.254.0.2 mtu 1400"),
            (
                "iptables_save",
                json!({ "chain": "KUBE-FIREWALL" }),
                "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8",
            ),
        ];
        for (tool, params, said) in answers {
            let text = ask(root.path(), tool, params)?;
            assert!(text.contains(said), "{tool}: {text}");
            assert!(text.contains(&format!("network_logs/{owner}_")), "{tool}: {text}");
        }
        // Of the other tables nothing is known, and it is said; what was not asked of the node is no answer.
        let text = ask(root.path(), "ip_route_show", json!({}))?;
        assert!(text.contains("fe80::/64 dev br-ex") && text.contains("note: of table main alone"), "{text}");
        let text = ask(root.path(), "ip_rule_show", json!({}))?;
        assert!(text.starts_with("error: ") && text.contains("was not collected"), "{text}");
    }
    Ok(())
}
