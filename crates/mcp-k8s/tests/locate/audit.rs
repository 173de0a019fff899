//! Tests the checks of `k8s_audit`: a healthy cluster has no certain finding, each planted fault is found, and nothing
//! follows from objects that were not collected.

use crate::changed::{ADDRESS, Changed};
use mcp_testing::Failed;
use serde_json::json;

const PODS: &str = "namespaces/shop/core/pods.yaml";
const SERVICES: &str = "namespaces/shop/core/services.yaml";
const POLICIES: &str = "namespaces/shop/networking.k8s.io/networkpolicies.yaml";
const NODE: &str = "cluster-scoped-resources/core/nodes/ovn-worker2.yaml";

/// Returns the findings of an audit, without the lines below them.
fn findings(answer: &str) -> Vec<&str> {
    let of_kind = |line: &&str| ["ERROR", "WARNING", "NOTICE"].iter().any(|kind| line.starts_with(kind));
    answer.lines().map(str::trim_start).filter(of_kind).collect()
}

/// A fault to plant, and what the new findings say.
type PlantedFault = (&'static str, fn(&Changed) -> Result<(), Failed>);

const FAULTS: [PlantedFault; 6] = [
    (
        "ERROR (certain) node-identities: Node ovn-worker2 on ovn-worker2: annotation k8s.ovn.org/node-id is 2, which node",
        |capture| {
            capture.edit(NODE, |node| node["metadata"]["annotations"]["k8s.ovn.org/node-id"] = "2".into())
        },
    ),
    (
        "ERROR (certain) pod-addresses: Pod shop/db-d9f74476-j7v76 on ovn-worker: address on network default is 10.244.1.3, which pod shop/web-",
        |capture| {
            capture.edit_named(PODS, "db-", |pod| {
                let own =
                    pod["metadata"]["annotations"]["k8s.ovn.org/pod-networks"].as_str().unwrap_or_default();
                let new = own.replace("10.244.1.4/", &format!("{ADDRESS}/"));
                pod["metadata"]["annotations"]["k8s.ovn.org/pod-networks"] = new.into();
                pod["status"]["podIPs"] = json!([{ "ip": ADDRESS }]);
            })
        },
    ),
    (
        "ERROR (certain) pod-addresses: Pod shop/db-d9f74476-j7v76 on ovn-worker: status.podIPs is 10.244.1.99",
        |capture| {
            capture.edit_named(PODS, "db-", |pod| pod["status"]["podIPs"] = json!([{ "ip": "10.244.1.99" }]))
        },
    ),
    (
        "ERROR (suspicion) service-endpoints: Service shop/web: spec.selector is app=wev, which no pod",
        |capture| {
            capture
                .edit_named(SERVICES, "web", |service| service["spec"]["selector"] = json!({ "app": "wev" }))
        },
    ),
    (
        "ERROR (certain) service-endpoints: Service shop/db: ready endpoints is none, although the service selects 1 pod",
        |capture| {
            capture.edit_named("namespaces/shop/discovery.k8s.io/endpointslices.yaml", "db-", |slice| {
                slice["endpoints"][0]["conditions"] = json!({ "ready": false, "serving": false });
            })
        },
    ),
    (
        "NOTICE (suspicion) policy-selectors: NetworkPolicy shop/allow-db-from-web: spec.podSelector is",
        |capture| {
            capture.edit_named(POLICIES, "allow-db-from-web", |policy| {
                policy["spec"]["podSelector"] = json!({ "matchLabels": { "app": "nothing" } });
            })
        },
    ),
];

#[tokio::test]
async fn each_planted_fault_is_the_only_new_finding() -> Result<(), Failed> {
    let healthy = Changed::new()?.audit().await?;
    let before = findings(&healthy);
    assert!(!before.iter().any(|line| line.contains("(certain)")), "{healthy}");
    for (found, plant) in FAULTS {
        let capture = Changed::new()?;
        plant(&capture)?;
        let answer = capture.audit().await?;
        let new: Vec<&str> = findings(&answer).into_iter().filter(|line| !before.contains(line)).collect();
        assert!(!new.is_empty() && new.iter().all(|line| family(line) == family(found)), "{found}\n{answer}");
        assert!(new.iter().any(|line| line.starts_with(found)), "{found}\n{answer}");
    }
    Ok(())
}

/// Returns the check and the object of a finding: a fault can have several findings about one object.
fn family(line: &str) -> Option<&str> {
    line.split_once(") ").map(|(_, rest)| rest.split(": ").next().unwrap_or_default())
}

#[tokio::test]
async fn nothing_follows_from_objects_that_were_not_collected() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.remove_list(PODS)?;
    let answer = capture.audit().await?;
    let about_shop = findings(&answer).into_iter().find(|line| line.contains(" shop/"));
    assert_eq!(about_shop, None, "{answer}");
    assert!(
        answer.contains(
            "service-endpoints of the services of shop: not all of its pods and EndpointSlices were collected"
        ),
        "{answer}"
    );
    assert!(answer.contains("policy-selectors of spec.podSelector of shop/allow-db-from-web: "), "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_empty_list_says_that_there_are_no_pods() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.remove_list(PODS)?;
    capture.add(PODS, &json!({ "kind": "PodList", "apiVersion": "v1", "items": [] }))?;
    let answer = capture.audit().await?;
    assert!(answer.contains("Service shop/web: spec.selector is app=web, which no pod"), "{answer}");
    Ok(())
}
