//! What must-gathers of OpenShift 4.5 to 4.9 keep of a node's switch. No real one was at hand: real outputs (`testdata/forms`)
//! under the names that `gather_network_logs` of those releases gave them.

use mcp_core::{
    Bundle,
    testing::{Case, Failed, answer, unpack},
};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc};

const POD: &str = "ovnkube-node-k7xwd";

/// A must-gather of one node. With its database, or with what `ovs-vsctl show` printed.
fn gathered(root: &Path, database: bool) -> Result<(), Failed> {
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
    let nodes = image.join("cluster-scoped-resources/core/nodes");
    fs::create_dir_all(&nodes)?;
    fs::write(
        nodes.join("ovn-worker.yaml"),
        "kind: Node\napiVersion: v1\nmetadata:\n  name: ovn-worker\nstatus:\n  addresses: []\n",
    )?;
    for (output, name) in [
        ("ovs-ofctl_dump-flows_br-int", "ovs_ofctl_dump_flows_br_int"),
        ("ovs-ofctl_dump-flows_br-ex", "ovs_ofctl_dump_flows_br_ex"),
        ("ovs-ofctl_dump-ports-desc_br-int", "ovs_ofctl_dump_ports_br_int"),
    ] {
        fs::copy(root.join("outputs").join(output), logs.join(format!("ovn-worker_{POD}_{name}")))?;
    }
    if database {
        // What is in it is another node's: the name of the file says whose it is.
        unpack("capture/nodes.tar.xz", root)?;
        fs::copy(root.join("nodes/ovn-worker/conf.db"), logs.join(format!("{POD}_conf.db")))?;
    } else {
        fs::copy(root.join("outputs/ovs-vsctl_show"), logs.join("ovn-worker_ovs_dump"))?;
    }
    Ok(())
}

fn ask(root: &Path, tool: &str, params: Value) -> Result<String, Failed> {
    let mut params = params.as_object().cloned().ok_or("an object")?;
    params.insert("node_name".into(), "ovn-worker".into());
    let backend = Arc::new(Bundle::new(vec![root.join("must-gather.local.1")]));
    answer(mcp_ovs::layer(), backend, &Case { scenario: String::new(), tool: tool.into(), params })
}

#[test]
fn flows_and_ports_are_read() -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    gathered(root.path(), false)?;
    for (tool, params, said) in [
        ("ovs_vsctl_show", json!({}), "Bridge br-int"),
        ("ovs_ofctl_dump_flows", json!({ "table": "0" }), "cookie=0x"),
        ("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex", "cookie": "0xdeff105" }), "cookie=0xdeff105"),
        ("ovs_ofctl_show", json!({}), "ovn-k8s-mp0"),
    ] {
        let text = ask(root.path(), tool, params)?;
        assert!(text.contains(said) && text.contains("network_logs/ovn-worker_"), "{tool}: {text}");
    }
    // Without the statistics of ports, which nobody asked for.
    let text = ask(root.path(), "ovs_ofctl_show", json!({}))?;
    assert!(text.contains("note: without statistics: "), "{text}");
    Ok(())
}

#[test]
fn a_database_is_its_nodes() -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    gathered(root.path(), true)?;
    let text =
        ask(root.path(), "ovs_vsctl_list", json!({ "table": "Open_vSwitch", "columns": ["ovs_version"] }))?;
    assert!(text.contains(&format!("network_logs/{POD}_conf.db")) && text.contains("\"4.0.0\""), "{text}");
    Ok(())
}
