//! Tests that `ovnkube_locate` reports differences between Kubernetes objects, OVN-Kubernetes annotations and
//! databases. Each fault is planted in a copy of the capture, which has no such finding before.

use crate::changed::{ADDRESS, Changed, POD, PORT, by_name, findings, locate};
use mcp_core::NodeName;
use mcp_testing::{Connection, Failed, scenario};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

#[tokio::test]
async fn a_healthy_cluster_has_no_finding_but_the_planted_pods() -> Result<(), Failed> {
    let source = scenario("capture");
    let within = Duration::from_secs(60);
    let kinds = source.kinds(within).await?.value;
    let mut asked: BTreeSet<String> = source.nodes().await?.iter().map(NodeName::to_string).collect();
    for called in ["pods", "services"] {
        let kind = kinds.iter().find(|kind| kind.is_called(called)).ok_or("the kind does not exist")?;
        for object in source.objects(&mcp_core::ObjectQuery::all(kind.clone()), within).await?.value {
            let part = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            asked.insert(format!("{}/{}", part("namespace"), part("name")));
        }
    }
    assert!(asked.len() > 25, "{asked:?}");
    let connection = Connection::open(mcp_k8s::layer(), source).await?;
    let mut found = Vec::new();
    for what in &asked {
        found.extend(
            findings(&locate(&connection, what).await?)
                .into_iter()
                .map(|finding| format!("{what}: {finding}")),
        );
    }
    insta::assert_snapshot!("findings_of_the_capture", found.join("\n"));
    Ok(())
}

#[tokio::test]
async fn an_address_that_differs_between_annotation_and_database_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let other = "0a:58:0a:f4:01:03 10.244.1.99";
    capture.change(&json!({
        "op": "update", "table": "Logical_Switch_Port", "where": by_name(PORT), "row": { "addresses": other }
    }))?;
    assert_eq!(
        capture.findings(POD).await?,
        [
            format!(
                "network default: {ADDRESS} is in the annotation but not in the northbound database, port {PORT}"
            ),
            format!(
                "network default: 10.244.1.99 is in the northbound database, port {PORT}, but not in the annotation"
            ),
        ]
    );
    // This is the other direction: no object has this address, but the zone of its subnet has the port.
    assert_eq!(
        capture.findings("10.244.1.99").await?,
        [format!(
            "port {PORT} with {other} in the northbound database of ovn-worker, but the object of pod {POD} has {ADDRESS}"
        )]
    );
    Ok(())
}

#[tokio::test]
async fn a_pod_without_its_port_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let port = capture.uuid("Logical_Switch_Port", PORT)?;
    capture.change(&json!({
        "op": "mutate", "table": "Logical_Switch", "where": by_name("ovn-worker"),
        "mutations": [["ports", "delete", ["uuid", port]]]
    }))?;
    let wanted = ["network default: the northbound database of ovn-worker has no port for the pod"];
    assert_eq!(capture.findings(POD).await?, wanted);
    // The address leads to the same pod and the same zone.
    assert_eq!(capture.findings(ADDRESS).await?, wanted);
    Ok(())
}

#[tokio::test]
async fn a_port_of_a_deleted_pod_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.change(&json!({
        "op": "update", "table": "Logical_Switch_Port", "where": by_name(PORT),
        "row": { "name": "shop_gone-1", "addresses": "0a:58:0a:f4:01:63 10.244.1.99" }
    }))?;
    let wanted =
        ["port shop_gone-1 with 0a:58:0a:f4:01:63 10.244.1.99 in the northbound database of ovn-worker, \
                   but there is no pod shop/gone-1"];
    for what in ["shop/gone-1", "10.244.1.99", "0a:58:0a:f4:01:63"] {
        assert_eq!(capture.findings(what).await?, wanted, "{what}");
    }
    Ok(())
}

#[tokio::test]
async fn a_port_of_an_earlier_pod_of_the_same_name_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let earlier = "00000000-0000-4000-8000-000000000001";
    capture.change(&json!({
        "op": "update", "table": "Logical_Switch_Port", "where": by_name(PORT),
        "row": { "options": ["map", [["iface-id-ver", earlier]]] }
    }))?;
    let found = capture.findings(POD).await?;
    let [one] = found.as_slice() else { return Err(format!("{found:?}").into()) };
    assert!(one.starts_with(&format!(
        "port {PORT} was created for another pod of this name: its iface-id-ver is {earlier}"
    )));
    Ok(())
}

#[tokio::test]
async fn a_backend_that_one_zone_lacks_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let backends = "10.244.0.3:8080,10.244.2.3:8080,10.244.1.77:8080";
    capture.change(&json!({
        "op": "update", "table": "Load_Balancer", "where": by_name("Service_shop/web_TCP_cluster"),
        "row": { "vips": ["map", [["10.96.150.255:80", backends]]] }
    }))?;
    let wanted = [
        "in the zone of ovn-worker: backends of 10.96.150.255:80/TCP are not ready endpoints: 10.244.1.77:8080",
        "in the zone of ovn-worker: ready endpoints are not backends of 10.96.150.255:80/TCP: 10.244.1.3:8080",
    ];
    for what in ["shop/web", "10.96.150.255"] {
        assert_eq!(capture.findings(what).await?, wanted, "{what}");
    }
    // Nothing has the address of the stale backend.
    assert_eq!(
        capture.findings("10.244.1.77").await?,
        [
            "load balancer Service_shop/web_TCP_cluster (10.96.150.255:80) in the zone of ovn-worker sends to 10.244.1.77, \
          but no pod and no port has this address"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn load_balancers_of_a_deleted_service_are_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.change(&json!({
        "op": "update", "table": "Load_Balancer", "where": by_name("Service_shop/db_TCP_cluster"),
        "row": {
            "name": "Service_shop/gone_TCP_cluster",
            "external_ids": ["map", [["k8s.ovn.org/kind", "Service"], ["k8s.ovn.org/owner", "shop/gone"]]],
            "vips": ["map", [["10.96.7.7:5432", "10.244.1.4:5432"]]]
        }
    }))?;
    assert_eq!(
        capture.findings("shop/gone").await?,
        [
            "in the zone of ovn-worker: load balancer Service_shop/gone_TCP_cluster: 10.96.7.7:5432 to 10.244.1.4:5432; \
          service shop/gone does not exist"
        ]
    );
    assert_eq!(
        capture.findings("shop/db").await?,
        ["in the zone of ovn-worker: there is no load balancer for 10.96.48.82:5432/tcp of service shop/db"]
    );
    Ok(())
}

#[tokio::test]
async fn a_subnet_that_differs_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.change(&json!({
        "op": "mutate", "table": "Logical_Switch", "where": by_name("ovn-worker"),
        "mutations": [
            ["other_config", "delete", ["set", ["subnet"]]],
            ["other_config", "insert", ["map", [["subnet", "10.244.9.0/24"]]]]
        ]
    }))?;
    assert_eq!(
        capture.findings("ovn-worker").await?,
        [
            "subnet of its switch: the Node object has 10.244.1.0/24, but the databases of ovn-worker have 10.244.9.0/24"
        ]
    );
    assert_eq!(capture.findings("ovn-worker2").await?, [""; 0]);
    Ok(())
}
