//! Tests a bundle with the databases of one node only: data that it lacks is unknown.

use crate::changed::{Changed, findings};
use mcp_testing::Failed;

#[tokio::test]
async fn the_owner_of_an_address_is_unknown_if_its_node_was_not_read() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.only_ovn_worker()?;
    for (what, said) in [
        (
            "10.244.0.77",
            "the owner of 10.244.0.77 is unknown: the northbound database of ovn-control-plane was not read",
        ),
        ("10.244.1.77", "no pod, service, port or NAT rule in the data that was read has 10.244.1.77"),
    ] {
        let answer = capture.locate(what).await?;
        assert_eq!(findings(&answer), [""; 0], "{answer}");
        assert!(answer.contains(said), "{answer}");
    }
    capture.remove_list("namespaces/shop/core/pods.yaml")?;
    // The load balancers of ovn-worker send to this address, and its port is in a zone that was not read.
    let answer = capture.locate("10.244.0.3").await?;
    assert_eq!(findings(&answer), [""; 0], "{answer}");
    assert!(
        answer.contains("load balancer Service_shop/web_TCP_cluster (10.96.150.255:80) sends to 10.244.0.3"),
        "{answer}"
    );
    Ok(())
}

#[tokio::test]
async fn a_pod_on_a_node_that_was_not_read_may_exist() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.only_ovn_worker()?;
    let of_another = "shop/web-7ddbb54ff6-h8c4s";
    capture.remove_list("namespaces/shop/core/pods.yaml")?;
    let answer = capture.locate(of_another).await?;
    assert!(
        answer
            .contains("a pod could be on ovn-control-plane, ovn-worker2, whose northbound database was not"),
        "{answer}"
    );
    // All pods of this namespace were collected, so the pod does not exist.
    let answer = capture.locate("clients/nobody").await?;
    assert!(answer.contains("no pod, service or node is named `clients/nobody`\n"), "{answer}");
    let answer = capture.locate("shop/web").await?;
    assert!(
        answer.contains("note: the databases of ovn-control-plane, ovn-worker2 were not searched"),
        "{answer}"
    );
    assert_eq!(findings(&answer), [""; 0], "{answer}");
    Ok(())
}
