//! Tests the findings about pods.

use crate::changed::{ADDRESS, Changed, POD, by_name, findings};
use mcp_testing::Failed;
use serde_json::{Value, json};

const PODS: &str = "namespaces/shop/core/pods.yaml";
const BLUE: &str = "namespaces/blue/core/pods.yaml";
/// A pod of ovn-worker on three networks, and its port on the layer 2 network.
const BLUE_POD: &str = "blue/blue-app-6cf57b6ccc-ccpnr";
const BLUE_PORT: &str = "blue.l2.secondary_blue_blue-app-6cf57b6ccc-ccpnr";

fn name(pod: &str) -> &str {
    pod.split_once('/').map_or(pod, |(_, name)| name)
}

/// Changes the annotation with the networks of a pod.
fn edit_networks(pod: &mut Value, edit: impl FnOnce(&mut Value)) {
    let annotation = &mut pod["metadata"]["annotations"]["k8s.ovn.org/pod-networks"];
    let mut networks: Value =
        serde_json::from_str(annotation.as_str().unwrap_or_default()).unwrap_or_default();
    edit(&mut networks);
    *annotation = networks.to_string().into();
}

#[tokio::test]
async fn a_network_without_address_management_is_no_fault() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let mut mac = String::new();
    capture.edit_named(BLUE, name(BLUE_POD), |pod| {
        edit_networks(pod, |networks| {
            let network = &mut networks["blue/l2-secondary"];
            network["ip_addresses"] = Value::Null;
            mac = network["mac_address"].as_str().unwrap_or_default().to_owned();
        });
    })?;
    capture.change(&json!({
        "op": "update", "table": "Logical_Switch_Port", "where": by_name(BLUE_PORT), "row": { "addresses": mac }
    }))?;
    let answer = capture.locate(BLUE_POD).await?;
    assert_eq!(findings(&answer), [""; 0], "{answer}");
    assert!(answer.contains("network blue/l2-secondary: none 0a:58:"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_annotation_that_cannot_be_parsed_is_one_finding() -> Result<(), Failed> {
    for (text, said) in [(r#"{"default":{"ip_addresses":7}}"#, r#"default: {"ip_addresses":7}"#), ("{", "{")]
    {
        let capture = Changed::new()?;
        capture.edit_named(PODS, name(POD), |pod| {
            pod["metadata"]["annotations"]["k8s.ovn.org/pod-networks"] = text.into();
        })?;
        assert_eq!(
            capture.findings(POD).await?,
            [format!("cannot parse annotation k8s.ovn.org/pod-networks: {said}")]
        );
    }
    Ok(())
}

/// A port of another namespace whose name has the same end is not a port of the pod.
#[tokio::test]
async fn a_port_whose_name_has_the_same_end_belongs_to_another_pod() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.change(&json!({
        "op": "update", "table": "Logical_Switch_Port", "where": by_name(BLUE_PORT),
        "row": {
            "name": format!("blue.l2.secondary_light-{}", BLUE_POD.replace('/', "_")),
            "external_ids": ["map", [["namespace", "light-blue"], ["pod", "true"], ["k8s.ovn.org/nad", "blue/l2-secondary"]]]
        }
    }))?;
    assert_eq!(
        capture.findings(BLUE_POD).await?,
        ["network blue/l2-secondary: the northbound database of ovn-worker has no port for the pod"]
    );
    Ok(())
}

#[tokio::test]
async fn an_address_is_unique_within_a_network() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let other = |network: &'static str| {
        move |pod: &mut Value| {
            edit_networks(pod, |networks| {
                networks[network] =
                    json!({ "ip_addresses": [format!("{ADDRESS}/24")], "mac_address": "0a:58:0a:f4:01:03" });
            });
        }
    };
    let several = |answer: &str| {
        findings(answer).into_iter().filter(|finding| finding.contains("several pods")).collect::<Vec<_>>()
    };
    capture.edit_named(BLUE, name(BLUE_POD), other("blue/l2-secondary"))?;
    let answer = capture.locate(ADDRESS).await?;
    assert_eq!(several(&answer), [""; 0], "{answer}");
    assert!(answer.contains(POD) && answer.contains(BLUE_POD), "{answer}");
    capture.edit_named(BLUE, name(BLUE_POD), other("default"))?;
    assert_eq!(
        several(&capture.locate(ADDRESS).await?),
        [format!("{ADDRESS} is the address of several pods on network default: {BLUE_POD}, {POD}")]
    );
    // A pod that has ended has released its address.
    capture.edit_named(BLUE, name(BLUE_POD), |pod| pod["status"]["phase"] = "Succeeded".into())?;
    assert_eq!(several(&capture.locate(ADDRESS).await?), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_pod_can_be_unhealthy_although_its_containers_are_ready() -> Result<(), Failed> {
    let ready = |reason: &'static str, message: &'static str| {
        move |pod: &mut Value| {
            for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
                if condition["type"] == "Ready" {
                    condition["status"] = "False".into();
                    condition["reason"] = reason.into();
                    condition["message"] = message.into();
                }
            }
        }
    };
    for (reason, message, said) in [
        // The node lifecycle controller writes this condition if the node is dead.
        ("", "", String::new()),
        (
            "ReadinessGatesNotReady",
            "corresponding condition of pod readiness gate \"lb\" does not exist.",
            ": ReadinessGatesNotReady: corresponding condition of pod readiness gate \"lb\" does not exist."
                .into(),
        ),
    ] {
        let capture = Changed::new()?;
        capture.edit_named(PODS, name(POD), ready(reason, message))?;
        assert_eq!(
            capture.findings(POD).await?,
            [format!("pod {POD} is unhealthy: all containers are ready, but condition Ready is False{said}")]
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_pod_that_is_not_deleted_in_time_is_a_finding() -> Result<(), Failed> {
    for (gone_by, late) in [("2026-11-22T08:20:00Z", true), ("2026-11-22T08:35:30Z", false)] {
        let capture = Changed::new()?;
        capture.edit_named(PODS, name(POD), |pod| pod["metadata"]["deletionTimestamp"] = gone_by.into())?;
        let answer = capture.locate(POD).await?;
        let wanted =
            format!("pod {POD} is unhealthy: it is being deleted and should have been gone by {gone_by}");
        assert_eq!(findings(&answer), if late { vec![wanted] } else { Vec::new() }, "{answer}");
        assert!(
            answer.contains(&format!("the pod is being deleted and should be gone by {gone_by}")),
            "{answer}"
        );
    }
    Ok(())
}

/// `kubectl debug` leaves a container that is never ready.
#[tokio::test]
async fn an_ephemeral_container_is_no_fault() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let add = |pod: &mut Value| {
        pod["spec"]["ephemeralContainers"] = json!([{ "name": "debugger-x", "image": "tools" }]);
        pod["status"]["ephemeralContainerStatuses"] = json!([{
            "name": "debugger-x", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-22T08:30:00Z" } }
        }]);
    };
    capture.edit_named(PODS, name(POD), add)?;
    let ovnkube = "ovnkube-node-vwrjk";
    capture.edit_named("namespaces/ovn-kubernetes/core/pods.yaml", ovnkube, add)?;
    assert_eq!(capture.findings(POD).await?, [""; 0]);
    let overview = capture.overview().await?;
    assert!(overview.contains(&format!("{ovnkube} 6/6 ready, ovs-node")), "{overview}");
    Ok(())
}

#[tokio::test]
async fn an_egress_ip_without_a_reroute_policy_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let pod = "clients/client-v58hz";
    let healthy = capture.locate(pod).await?;
    assert_eq!(findings(&healthy), [""; 0], "{healthy}");
    assert!(healthy.contains("EgressIP clients-egress selects the pod"), "{healthy}");
    assert!(
        healthy.contains("router policy with priority 100 and match ip4.src == 10.244.1.5: reroute to 100.64.0.2,100.88.0.4"),
        "{healthy}"
    );
    capture.change(&json!({
        "op": "update", "table": "Logical_Router_Policy", "where": [["match", "==", "ip4.src == 10.244.1.5"]],
        "row": { "match": "ip4.src == 10.244.1.99" }
    }))?;
    assert_eq!(
        capture.findings(pod).await?,
        [
            "EgressIP clients-egress: the zone of ovn-worker has no reroute policy with priority 100 and match \
          ip4.src == 10.244.1.5, so the pod's traffic leaves with the address of its node"
        ]
    );
    // Without the namespace's labels it is unknown which pods the EgressIP selects.
    capture.remove("namespaces/clients/clients.yaml")?;
    assert_eq!(capture.findings(pod).await?, [""; 0]);
    Ok(())
}
