//! Tests the state of each area in the coverage: present, absent, empty or damaged, and why.

use crate::{
    common::*,
    layouts::{PODS, coverage, opened},
};
use mcp_core::{AreaOfNode, AreaState, Coverage, DataArea};

const MG: &str = "mg/image";

fn held(coverage: &Coverage, node: &str, area: DataArea) -> AreaOfNode {
    coverage.of(&node.parse().unwrap(), area).unwrap().clone()
}

/// Builds a must-gather with the pod `p1` on node-1, the pod `p2` on node-2, and these files.
fn must_gather(files: &[(&str, &[u8])]) -> Coverage {
    let files: Vec<(String, &[u8])> =
        files.iter().map(|(name, bytes)| (format!("{MG}/{name}"), *bytes)).collect();
    let pods = format!("{MG}/namespaces/openshift-ovn-kubernetes/core/pods.yaml");
    let mut all: Vec<(&str, &[u8])> = vec![(&pods, PODS.as_bytes())];
    all.extend(files.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
    let (_dir, bundle) = opened(&all);
    coverage(&bundle)
}

#[test]
fn ipsec_of_a_must_gather_is_covered() {
    let said = must_gather(&[
        ("network_logs/ipsec/p1_ipsec.conf", b"conn x\n"),
        ("network_logs/ipsec/p1_ipsec.d/openvswitch.conf", b"conn y\n"),
        ("network_logs/ipsec/xfrm/p1_state.log", b"src 192.0.2.1\n"),
        ("network_logs/ipsec/xfrm/p1_policy.log", b""),
        ("network_logs/ipsec/status/p1.log", b"000 Total\n"),
        ("network_logs/ipsec/trafficstatus/p1.log", b""),
        ("network_logs/ipsec/p1_libreswan.log", b"pluto\n"),
        ("network_logs/ipsec/status/p2.log", b""),
    ]);
    let one = held(&said, "node-1", DataArea::Ipsec);
    assert_eq!(one.state, AreaState::Present);
    assert_eq!(one.details, ["6 outputs, 2 empty, 0 from failed commands"]);
    assert_eq!(held(&said, "node-2", DataArea::Ipsec).state, AreaState::Empty);
    assert_eq!(held(&said, "node-1", DataArea::Frr).state, AreaState::Absent);
    let logs = held(&said, "node-1", DataArea::Logs);
    assert_eq!(
        (logs.state, logs.details.as_slice()),
        (AreaState::Present, &["logs of this host: libreswan".into()][..])
    );
}

#[test]
fn frr_of_a_must_gather_is_covered() {
    let dump = b"###### show running-config\nrouter bgp 64512\n###### show bgp ipv4\n###### show bfd peer\n";
    for namespace in ["openshift-frr-k8s", "frr-k8s-system", "metallb-system"] {
        let pods = format!("{MG}/namespaces/{namespace}/core/pods.yaml");
        let logs = format!("{MG}/namespaces/{namespace}/pods/p1/frr/frr/logs");
        let (_dir, bundle) = opened(&[
            (&pods, PODS.as_bytes()),
            (&format!("{logs}/dump_frr"), dump),
            (&format!("{logs}/frr.conf"), b"router bgp 64512\n"),
            (&format!("{logs}/daemons"), b"bgpd=yes\n"),
        ]);
        let said = coverage(&bundle);
        let one = held(&said, "node-1", DataArea::Frr);
        assert_eq!((one.state, one.details.len()), (AreaState::Present, 1), "{namespace}: {said}");
        assert_eq!(one.details, ["2 outputs, 0 empty, 0 from failed commands"]);
    }
}

/// The logs are in one file per role, in one folder per node as in older must-gathers, and in files of single nodes.
#[test]
fn logs_of_hosts_in_a_must_gather_are_covered() {
    let said = must_gather(&[
        ("network_logs/ovnk_database_store/p1_nbdb", &database()),
        ("network_logs/ovnk_database_store/p2_nbdb", &database()),
        ("host_service_logs/masters/kubelet_service.log", b"Nov 22 08:12:01 node-1 kubelet[7]: x\n"),
        ("host_service_logs/masters/crio_service.log", b""),
        ("host_service_logs/node-2/ovs-vswitchd_service.log", b"Nov 22 08:12:01 node-2 ovs-vswitchd[7]: x\n"),
        ("nodes/node-2/node-2_logs_kubelet.gz", &gz(b"I1122 08:11:59.3 7 a.go:1] x\n")),
    ]);
    let together = "logs of all hosts of a role, perhaps including this host: ";
    assert_eq!(held(&said, "node-1", DataArea::Logs).details, [format!("{together}kubelet, ovs-vswitchd")]);
    assert_eq!(held(&said, "node-2", DataArea::Logs).details, ["logs of this host: kubelet, ovs-vswitchd"]);
}

/// The transaction log of ovnkube-controller, compressed as `gather_network_logs` writes it, or uncompressed.
#[test]
fn transaction_logs_of_a_must_gather_are_covered() {
    let file = "ovnk_extras_store/p1/ovnkube-controller/libovsdb.log";
    let packed = Tar::empty().file(file, b"x\n").file(&format!("{file}.1"), b"").gz();
    for said in [
        must_gather(&[
            ("network_logs/ovnk_extras_store.tar.gz", &packed),
            ("network_logs/ovnk_database_store/p1_nbdb", &database()),
        ]),
        must_gather(&[
            (&format!("network_logs/{file}"), b"x\n"),
            (&format!("network_logs/{file}.1"), b""),
            ("network_logs/ovnk_database_store/p1_nbdb", &database()),
        ]),
    ] {
        let logs = held(&said, "node-1", DataArea::Logs);
        assert_eq!(logs.details, ["2 files, 1 empty"], "{said}");
    }
}

/// The test covers each reason that a report can have for a missing output.
#[test]
fn missing_outputs_of_a_report_are_explained() {
    let command = |exec: &str, file: Option<&str>, status: i32, truncated: bool| {
        let file = file.map(|file| format!("sos_commands/libreswan/{file}"));
        serde_json::json!({ "exec": exec, "filepath": file, "return_code": status, "truncated": truncated })
    };
    let libreswan = [
        command("ipsec whack --status", Some("ipsec_whack_--status"), 0, true),
        command("ipsec auto --status", Some("ipsec_auto_--status"), 1, false),
        command("certutil -L", None, 127, false),
        command("ip xfrm policy", Some("ip_xfrm_policy"), 0, false),
        command("ip xfrm state", Some("ip_xfrm_state"), 0, false),
    ];
    let frr = [serde_json::json!({ "exec": "vtysh -c show bgp", "filepath": null, "return_code": 126 })];
    let manifest = serde_json::json!({ "components": { "report": { "plugins": {
        "libreswan": { "commands": libreswan }, "frr": { "commands": frr },
    } } } });
    let (_dir, bundle) = opened(&[
        ("sosreport-node-1-2026-01-01-abc/etc/hostname", b"node-1\n"),
        ("sosreport-node-1-2026-01-01-abc/sos_reports/manifest.json", manifest.to_string().as_bytes()),
        ("sosreport-node-1-2026-01-01-abc/sos_commands/libreswan/ipsec_whack_--status", b"x"),
        ("sosreport-node-1-2026-01-01-abc/sos_commands/libreswan/ipsec_auto_--status", b"failed\n"),
        ("sosreport-node-1-2026-01-01-abc/sos_commands/libreswan/ip_xfrm_policy", b""),
    ]);
    let said = coverage(&bundle);
    let ipsec = held(&said, "node-1", DataArea::Ipsec);
    assert_eq!(ipsec.state, AreaState::Present);
    assert_eq!(
        ipsec.details,
        [
            "3 outputs, 1 empty, 1 from failed commands",
            "outputs in the manifest but not in the bundle: 1",
            "programs that the node does not have: certutil",
            "cut: ipsec whack --status",
        ]
    );
    let frr = held(&said, "node-1", DataArea::Frr);
    assert_eq!(
        (frr.state, frr.details.as_slice()),
        (AreaState::Absent, &["programs that the node does not have: vtysh".to_owned()][..])
    );
    assert_eq!(held(&said, "node-1", DataArea::Kernel).state, AreaState::Absent);
}

/// A collection that ran out of time or space records its start, but not its end.
#[test]
fn a_collection_that_did_not_end_is_reported() {
    let begun = "2026-11-22 08:34:55.535425953 +0000 UTC m=+0.400717961\n";
    let note = "timestamp has the start of the collection but not its end";
    for (text, given_up) in [(begun.to_owned(), true), (begun.repeat(2), false)] {
        let said = must_gather(&[
            ("timestamp", text.as_bytes()),
            ("network_logs/ovnk_database_store/p1_nbdb", &database()),
        ]);
        assert_eq!(said.notes.iter().any(|told| told.contains(note)), given_up, "{said}");
    }
}
