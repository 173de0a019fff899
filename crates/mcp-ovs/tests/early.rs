//! The data of a node's switch in must-gathers of OpenShift 4.5 to 4.9.

use mcp_testing::{EarlyGather, Failed, unpack};
use serde_json::json;

const FLOWS_AND_PORTS: [(&str, &str); 3] = [
    ("ovs-ofctl_dump-flows_br-int", "ovn-worker_ovnkube-node-k7xwd_ovs_ofctl_dump_flows_br_int"),
    ("ovs-ofctl_dump-flows_br-ex", "ovn-worker_ovnkube-node-k7xwd_ovs_ofctl_dump_flows_br_ex"),
    ("ovs-ofctl_dump-ports-desc_br-int", "ovn-worker_ovnkube-node-k7xwd_ovs_ofctl_dump_ports_br_int"),
];

#[test]
fn flows_and_ports_are_read() -> Result<(), Failed> {
    let mut outputs = FLOWS_AND_PORTS.to_vec();
    outputs.push(("ovs-vsctl_show", "ovn-worker_ovs_dump"));
    let gather = EarlyGather::with(&outputs)?;
    for (tool, params, said) in [
        ("ovs_vsctl_show", json!({}), "Bridge br-int"),
        ("ovs_ofctl_dump_flows", json!({ "table": "0" }), "cookie=0x"),
        ("ovs_ofctl_dump_flows", json!({ "bridge": "br-ex", "cookie": "0xdeff105" }), "cookie=0xdeff105"),
        ("ovs_ofctl_show", json!({}), "ovn-k8s-mp0"),
    ] {
        let text = gather.ask(mcp_ovs::layer(), tool, params)?;
        assert!(text.contains(said) && text.contains("network_logs/ovn-worker_"), "{tool}: {text}");
    }
    // The must-gather has no statistics of ports, and a note says so.
    let text = gather.ask(mcp_ovs::layer(), "ovs_ofctl_show", json!({}))?;
    assert!(text.contains("note: without statistics: "), "{text}");
    Ok(())
}

#[test]
fn the_file_name_gives_the_node_of_a_database() -> Result<(), Failed> {
    let gather = EarlyGather::with(&FLOWS_AND_PORTS)?;
    // The content comes from another node, but the name of the file decides whose database it is.
    let file = format!("{}_conf.db", EarlyGather::POD);
    let nodes = tempfile::tempdir()?;
    unpack("capture/nodes.tar.xz", nodes.path())?;
    std::fs::copy(nodes.path().join("nodes/ovn-worker/conf.db"), gather.log(&file))?;
    let params = json!({ "table": "Open_vSwitch", "columns": ["ovs_version"] });
    let text = gather.ask(mcp_ovs::layer(), "ovs_vsctl_list", params)?;
    assert!(text.contains(&format!("network_logs/{file}")) && text.contains("\"4.0.0\""), "{text}");
    Ok(())
}
