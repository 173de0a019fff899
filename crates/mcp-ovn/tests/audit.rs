//! Tests the checks of `ovn_audit`: a healthy cluster has no finding, each planted fault gives exactly its finding, and
//! nothing follows from objects that were not collected.

use mcp_core::{Budget, Bundle};
use mcp_testing::{Capture, Case, Failed, answer_within};
use serde_json::{Map, Value, json};
use std::{fs, path::Path, sync::Arc};

/// The ovnkube-node pod of ovn-worker, whose databases are changed.
const OVNKUBE: &str = "ovnkube-node-vwrjk";

fn audit(capture: &Capture) -> Result<String, Failed> {
    let case = Case { scenario: String::new(), tool: "ovn_audit".into(), params: Map::new() };
    let source = Arc::new(Bundle::new(vec![capture.bundle()]));
    answer_within(mcp_ovn::layer(), source, &case, Budget { lines: 1_000, bytes: 1_000_000 })
}

/// Returns the findings of an audit, without the lines below them.
fn findings(answer: &str) -> Vec<&str> {
    let of_kind = |line: &&str| ["ERROR", "WARNING", "NOTICE"].iter().any(|kind| line.starts_with(kind));
    answer.lines().map(str::trim_start).filter(of_kind).collect()
}

fn update(table: &str, column: &str, value: &str, row: Value) -> Value {
    json!({ "op": "update", "table": table, "where": [[column, "==", value]], "row": row })
}

/// Returns each fault as a change of the northbound database of ovn-worker, with its findings.
fn faults() -> Vec<(Value, Vec<&'static str>)> {
    vec![
        (
            update(
                "Logical_Router_Static_Route",
                "ip_prefix",
                "10.244.2.0/24",
                json!({ "nexthop": "100.88.0.9" }),
            ),
            vec![
                "ERROR (certain) node-routes: Node ovn-worker2 on ovn-worker: route of ovn_cluster_router to 10.244.2.0/24 is 100.88.0.9, but should be 100.88.0.4",
            ],
        ),
        (
            update(
                "Logical_Switch_Port",
                "name",
                "shop_web-7ddbb54ff6-l6vb8",
                json!({ "addresses": "0a:58:0a:f4:01:03 10.244.1.99" }),
            ),
            vec![
                "ERROR (certain) pod-ports: Pod shop/web-7ddbb54ff6-l6vb8 on ovn-worker: Logical_Switch_Port is `0a:58:0a:f4:01:03 10.244.1.99`, but should be 0a:58:0a:f4:01:03 10.244.1.3",
            ],
        ),
        (
            update(
                "Logical_Switch_Port",
                "name",
                "shop_web-7ddbb54ff6-l6vb8",
                json!({ "name": "shop_web-of-yesterday" }),
            ),
            vec![
                "ERROR (suspicion) pod-ports: Pod shop/web-7ddbb54ff6-l6vb8 on ovn-worker: Logical_Switch_Port is absent, but should be 0a:58:0a:f4:01:03 10.244.1.3",
                "WARNING (suspicion) pod-ports: Pod shop/web-of-yesterday on ovn-worker: Logical_Switch_Port is left with `0a:58:0a:f4:01:03 10.244.1.3`, but should be absent, because no such pod exists",
            ],
        ),
        (
            update(
                "Load_Balancer",
                "name",
                "Service_shop/web_TCP_cluster",
                json!({ "external_ids": ["map", [["k8s.ovn.org/kind", "Service"], ["k8s.ovn.org/owner", "shop/gone"]]] }),
            ),
            vec![
                "ERROR (suspicion) row-owners: Service shop/gone on ovn-worker: Load_Balancer is 1 row, but should be none, because the object does not exist",
            ],
        ),
        (
            update("NAT", "logical_ip", "10.244.1.5", json!({ "logical_ip": "10.244.1.77" })),
            vec![
                "ERROR (suspicion) stale-nats: NAT 10.244.1.77 on ovn-worker: logical_ip is 10.244.1.77 with external_ip 172.18.0.101, made for EgressIP clients-egress for Pod clients/client-v58hz, and no pod has the address, but should be the address of a pod",
            ],
        ),
    ]
}

#[test]
fn each_planted_fault_gives_exactly_its_findings() -> Result<(), Failed> {
    let healthy = audit(&Capture::unpack()?)?;
    assert_eq!(findings(&healthy), [""; 0], "{healthy}");
    for (change, expected) in faults() {
        let capture = Capture::unpack_to_change()?;
        Capture::transact(&capture.database(OVNKUBE, "nbdb"), "OVN_Northbound", &[change])?;
        let answer = audit(&capture)?;
        assert_eq!(findings(&answer), expected, "{answer}");
    }
    Ok(())
}

#[test]
fn nothing_follows_from_objects_that_were_not_collected() -> Result<(), Failed> {
    for (change, _) in faults() {
        let capture = Capture::unpack_to_change()?;
        Capture::transact(&capture.database(OVNKUBE, "nbdb"), "OVN_Northbound", &[change])?;
        let image = capture.bundle().join("must-gather.local.4417836294/lab-ovn-kubernetes");
        remove(&image, &["namespaces", "cluster-scoped-resources"])?;
        let answer = audit(&capture)?;
        assert_eq!(findings(&answer), [""; 0], "{answer}");
        assert!(answer.contains("checks that could not run:"), "{answer}");
        assert!(!answer.contains("found no fault"), "{answer}");
    }
    Ok(())
}

fn remove(folder: &Path, names: &[&str]) -> Result<(), Failed> {
    for name in names {
        fs::remove_dir_all(folder.join(name))?;
    }
    Ok(())
}
