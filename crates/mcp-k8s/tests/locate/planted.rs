//! Tests the findings that have no other test: each fault is planted, and its finding did not exist before.

use crate::changed::{ADDRESS, Changed, POD, PORT, by_name};
use mcp_testing::Failed;
use serde_json::{Value, json};

const PODS: &str = "namespaces/shop/core/pods.yaml";
const NODE: &str = "cluster-scoped-resources/core/nodes/ovn-worker.yaml";
const EGRESS: &str = "cluster-scoped-resources/k8s.ovn.org/egressips/clients-egress.yaml";

/// A fault to plant, the target to locate, and the expected finding.
struct PlantedFault {
    plant: fn(&Changed) -> Result<(), Failed>,
    ask: &'static str,
    found: String,
}

fn pod(capture: &Changed, edit: fn(&mut Value)) -> Result<(), Failed> {
    let name = POD.split_once('/').map_or(POD, |(_, name)| name);
    capture.edit_named(PODS, name, edit)
}

fn port(capture: &Changed, row: Value) -> Result<(), Failed> {
    capture.change(
        &json!({ "op": "update", "table": "Logical_Switch_Port", "where": by_name(PORT), "row": row }),
    )
}

fn binding(capture: &Changed, row: Value) -> Result<(), Failed> {
    capture.change_southbound(&json!({
        "op": "update", "table": "Port_Binding", "where": [["logical_port", "==", PORT]], "row": row
    }))
}

fn cases() -> Vec<PlantedFault> {
    let case = |ask: &'static str, found: String, plant: fn(&Changed) -> Result<(), Failed>| PlantedFault {
        plant,
        ask,
        found,
    };
    vec![
        case(
            POD,
            format!("pod {POD} has no annotation k8s.ovn.org/pod-networks: OVN-Kubernetes has not assigned an address yet"),
            |capture| pod(capture, |pod| pod["metadata"]["annotations"] = Value::Null),
        ),
        case(POD, "status.podIPs has 10.244.1.99, but the annotation does not".into(), |capture| {
            pod(capture, |pod| pod["status"]["podIPs"] = json!([{ "ip": "10.244.1.99" }]))
        }),
        case(POD, format!("network default: port {PORT} is not up"), |capture| port(capture, json!({ "up": false }))),
        case(POD, format!("network default: port {PORT} is bound to no chassis"), |capture| {
            binding(capture, json!({ "chassis": ["set", []] }))
        }),
        case(POD, format!("network default: port {PORT} is not in the southbound database"), |capture| {
            binding(capture, json!({ "logical_port": "other" }))
        }),
        case(POD, format!("{ADDRESS} is also an address of port shop_db-d9f74476-j7v76 on the same switch"), |capture| {
            capture.change(&json!({
                "op": "update", "table": "Logical_Switch_Port", "where": by_name("shop_db-d9f74476-j7v76"),
                "row": { "addresses": "0a:58:0a:f4:01:04 10.244.1.3" }
            }))
        }),
        case(POD, format!("the pod has ended (Failed), but port {PORT} still exists"), |capture| {
            pod(capture, |pod| pod["status"]["phase"] = "Failed".into())
        }),
        case(
            "blue/blue-app-6cf57b6ccc-ccpnr",
            "network blue/l2-secondary: port blue.l2.secondary_blue_blue-app-6cf57b6ccc-ccpnr is in the northbound database \
             of ovn-worker, but the annotation has no such network"
                .into(),
            |capture| {
                capture.edit_named("namespaces/blue/core/pods.yaml", "blue-app-6cf57b6ccc-ccpnr", |pod| {
                    let annotation = &mut pod["metadata"]["annotations"]["k8s.ovn.org/pod-networks"];
                    let mut networks: Value = annotation.as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
                    networks.as_object_mut().map(|all| all.shift_remove("blue/l2-secondary"));
                    *annotation = networks.to_string().into();
                })
            },
        ),
        case("172.18.0.100", "EgressIP clients-egress has 172.18.0.100, but it is not assigned to a node".into(), |capture| {
            capture.edit(EGRESS, |egress| egress["status"]["items"] = json!([]))
        }),
        case(
            "clients/client-v58hz",
            "EgressIP clients-egress selects the pod, but its addresses are not assigned to a node".into(),
            |capture| capture.edit(EGRESS, |egress| egress["status"]["items"] = json!([])),
        ),
        case(
            "ovn-worker",
            "cannot parse annotation k8s.ovn.org/node-subnets of node ovn-worker: {".into(),
            |capture| {
                capture.edit(NODE, |node| {
                    node["metadata"]["annotations"]["k8s.ovn.org/node-subnets"] = "{".into();
                })
            },
        ),
        case(
            "ovn-worker",
            "zone: the Node object has other, but the databases of ovn-worker have ovn-worker".into(),
            |capture| {
                capture.edit(NODE, |node| {
                    node["metadata"]["annotations"]["k8s.ovn.org/zone-name"] = "other".into();
                })
            },
        ),
    ]
}

#[tokio::test]
async fn every_planted_fault_is_found() -> Result<(), Failed> {
    let healthy = Changed::new()?;
    for PlantedFault { plant, ask, found } in cases() {
        assert!(!healthy.findings(ask).await?.contains(&found), "{ask}: {found}");
        let capture = Changed::new()?;
        plant(&capture)?;
        let all = capture.findings(ask).await?;
        assert!(all.contains(&found), "{ask}: {found}\n{all:#?}");
    }
    Ok(())
}

/// A difference that follows from a damaged file is reported as uncertain, not as a finding.
#[tokio::test]
async fn a_damaged_file_causes_no_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let pod = POD.split_once('/').map_or(POD, |(_, name)| name);
    capture.remove(&format!("namespaces/shop/pods/{pod}"))?;
    let path = capture.image().join(PODS);
    let text = std::fs::read_to_string(&path)?.replace("\"0a:58:0a:f4:01:03\"", "\"0a:58:0a:f4:01:99\"");
    let end = text.find("\nkind: PodList").ok_or("the end of the list")?;
    std::fs::write(&path, text.get(..=end).unwrap_or_default())?;
    let answer = capture.locate(POD).await?;
    assert!(!answer.contains("FINDING"), "{answer}");
    assert!(answer.contains("uncertain, because 4 files of pods could not be read completely: "), "{answer}");
    assert!(
        answer.contains("namespaces/shop/core/pods.yaml is damaged; only the 4 objects before the damage"),
        "{answer}"
    );
    assert!(answer.contains("the file is cut: the list ends before its kind"), "{answer}");
    Ok(())
}
