//! Tests the findings about services.

use crate::changed::{Changed, by_name, findings};
use mcp_testing::Failed;
use serde_json::{Value, json};

const SLICES: &str = "namespaces/shop/discovery.k8s.io/endpointslices.yaml";

fn delete(name: &str) -> Value {
    json!({ "op": "delete", "table": "Load_Balancer", "where": by_name(name) })
}

#[tokio::test]
async fn a_missing_load_balancer_of_a_node_port_is_a_finding() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let service = "shop/web-nodeport";
    assert_eq!(capture.findings(service).await?, [""; 0]);
    let uuid = capture.uuid("Load_Balancer", "Service_shop/web-nodeport_TCP_node_local_router_ovn-worker")?;
    capture.change(&delete("Service_shop/web-nodeport_TCP_node_switch_ovn-worker"))?;
    let answer = capture.locate(service).await?;
    assert_eq!(
        findings(&answer),
        [
            "in the zone of ovn-worker: switch ovn-worker lacks the load balancer for node port 30080/tcp of service \
          shop/web-nodeport, which its zone has"
        ]
    );
    assert!(answer.contains(&format!("(_uuid {uuid})")), "{answer}");
    capture.change(&delete("Service_shop/web-nodeport_TCP_node_local_router_ovn-worker"))?;
    assert_eq!(
        capture.findings(service).await?,
        [
            "in the zone of ovn-worker: there is no load balancer for node port 30080/tcp of service shop/web-nodeport"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_switch_or_router_without_the_load_balancer_group_is_a_finding() -> Result<(), Failed> {
    for (table, what, name) in
        [("Logical_Switch", "switch", "ovn-worker"), ("Logical_Router", "router", "GR_ovn-worker")]
    {
        let capture = Changed::new()?;
        let group = capture.uuid("Load_Balancer_Group", "clusterLBGroup")?;
        capture.change(&json!({
            "op": "mutate", "table": table, "where": by_name(name),
            "mutations": [["load_balancer_group", "delete", ["uuid", group]]]
        }))?;
        assert_eq!(
            capture.findings("shop/db").await?,
            [format!(
                "in the zone of ovn-worker: {what} {name} lacks the load balancer for 10.96.48.82:5432/tcp of service shop/db, \
                 which its zone has"
            )]
        );
        assert_eq!(
            capture.findings("ovn-worker").await?,
            [format!(
                "{what} {name} lacks the load balancer group clusterLBGroup: it cannot reach services of the cluster"
            )]
        );
    }
    Ok(())
}

#[tokio::test]
async fn terminating_endpoints_that_still_serve_are_used() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let set = |ready: bool, serving: bool| {
        move |slice: &mut Value| {
            for endpoint in slice["endpoints"].as_array_mut().into_iter().flatten() {
                endpoint["conditions"] = json!({ "ready": ready, "serving": serving, "terminating": true });
            }
        }
    };
    capture.edit_named(SLICES, "web-", set(false, true))?;
    for service in ["shop/web", "shop/web-headless"] {
        let answer = capture.locate(service).await?;
        assert_eq!(findings(&answer), [""; 0], "{answer}");
        assert!(
            answer.contains(
                "endpoint 10.244.0.3 web-7ddbb54ff6-h8c4s on ovn-control-plane: terminating but serving"
            ),
            "{answer}"
        );
        assert!(
            answer.contains("no endpoint is ready; terminating endpoints that still serve are used"),
            "{answer}"
        );
    }
    capture.edit_named(SLICES, "web-", set(false, false))?;
    assert_eq!(
        capture.findings("shop/web-headless").await?,
        ["service shop/web-headless has no ready endpoint: its name does not resolve"]
    );
    assert!(
        capture.findings("shop/web").await?.contains(
            &"service shop/web has no ready endpoint: connections are refused immediately".to_owned()
        )
    );
    Ok(())
}

#[tokio::test]
async fn endpoints_that_were_not_collected_are_not_missing() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.remove_list(SLICES)?;
    for service in ["shop/web", "shop/web-nodeport", "shop/web-headless", "10.96.150.255"] {
        let answer = capture.locate(service).await?;
        assert_eq!(findings(&answer), [""; 0], "{answer}");
        assert!(
            answer.contains("were collected, so it is unknown whether it has a ready endpoint"),
            "{answer}"
        );
    }
    // Findings that do not need endpoints are still reported.
    capture.change(&delete("Service_shop/db_TCP_cluster"))?;
    assert_eq!(
        capture.findings("shop/db").await?,
        ["in the zone of ovn-worker: there is no load balancer for 10.96.48.82:5432/tcp of service shop/db"]
    );
    Ok(())
}

#[tokio::test]
async fn addresses_with_ports_are_located() -> Result<(), Failed> {
    let capture = Changed::new()?;
    for (what, said) in [
        (
            "172.18.0.3:30080",
            "172.18.0.3:30080 is a node port of service shop/web-nodeport on node ovn-worker",
        ),
        (
            "169.254.0.3:30080",
            "169.254.0.3:30080 is a node port of service shop/web-nodeport on each node's own host",
        ),
        ("10.96.150.255:80", "10.96.150.255:80 is a port of service shop/web"),
        ("10.96.150.255:81", "service shop/web has no port 81; it has 80/TCP,80/UDP"),
        (
            "172.18.0.3:30081",
            "no service in this source has node port 30081; the address belongs to node ovn-worker",
        ),
        ("10.244.1.3:8080", "pod shop/web-7ddbb54ff6-l6vb8: phase Running, on node ovn-worker"),
        (
            "169.254.0.2",
            "169.254.0.2 is a masquerade address, the same on all nodes (169.254.0.0/17): address of the host",
        ),
        ("fd69::4", "fd69::4 is a masquerade address, the same on all nodes (fd69::/112): dummy next hop"),
    ] {
        let answer = capture.locate(what).await?;
        assert!(answer.contains(said), "{what}: {answer}");
        assert_eq!(findings(&answer), [""; 0], "{answer}");
    }
    Ok(())
}
