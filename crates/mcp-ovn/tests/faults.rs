//! Faults that one zone has and the others have not: each is put into a copy of the capture and has to be seen in one
//! short answer over all nodes.

mod common;

use common::HEALTHY;
use mcp_core::Bundle;
use mcp_testing::{Capture, Case, Failed, answer};
use serde_json::json;
use std::{fs, path::PathBuf, sync::Arc};

/// The northbound database of ovn-worker2's zone.
fn northbound(capture: &Capture) -> PathBuf {
    capture.database("ovnkube-node-pqrlf", "nbdb")
}

/// Changes it, as the real ovsdb-tool does.
fn change(capture: &Capture, operation: serde_json::Value) -> Result<(), Failed> {
    let transaction = json!(["OVN_Northbound", operation]).to_string();
    #[expect(clippy::disallowed_methods, reason = "a test makes its own data with the real program")]
    let mut tool = std::process::Command::new("ovsdb-tool");
    let output = tool.arg("transact").arg(northbound(capture)).arg(transaction).output()?;
    let reply = String::from_utf8(output.stdout)?;
    assert!(
        output.status.success() && !reply.contains("error"),
        "{reply}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(reply.contains("\"count\":1"), "the fault was not put in: {reply}");
    Ok(())
}

fn ask(capture: &Capture, table: &str) -> Result<String, Failed> {
    let params = json!({ "node_name": "all", "table": table });
    let case = Case {
        scenario: String::new(),
        tool: "ovn_nbctl_list".into(),
        params: params.as_object().expect("an object").clone(),
    };
    let backend = Arc::new(Bundle::new(vec![capture.bundle()]));
    let text = answer(mcp_ovn::layer(), backend, &case)?;
    assert!(text.len() < 2_000, "{} bytes:\n{text}", text.len());
    Ok(text)
}

/// What is said after the evidence and the summary.
fn differences(text: &str) -> Vec<&str> {
    let head = |line: &&str| {
        line.starts_with("# ") || line.starts_with("the same on all") || line.starts_with("of one node")
    };
    text.lines().skip_while(head).collect()
}

#[test]
fn a_healthy_cluster_shows_no_difference() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    for table in HEALTHY {
        assert_eq!(differences(&ask(&capture, table)?), ["no difference"], "{table}");
    }
    Ok(())
}

#[test]
fn a_changed_tunnel_key() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    change(
        &capture,
        json!({
            "op": "mutate", "table": "Logical_Switch_Port", "where": [["name", "==", "tstor-ovn-worker"]],
            "mutations": [["options", "delete", ["set", ["requested-tnl-key"]]],
                          ["options", "insert", ["map", [["requested-tnl-key", "77"]]]]],
        }),
    )?;
    let text = ask(&capture, "Logical_Switch_Port")?;
    let seen = differences(&text);
    assert_eq!(seen[0], "tstor-<peer>: options:requested-tnl-key differs");
    assert_eq!(seen[1], "    ovn-worker2 about ovn-worker: 77");
    assert_eq!(seen.len(), 3, "{text}");
    Ok(())
}

#[test]
fn a_missing_static_route() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    // The rows of routes go when no router refers to them.
    let routes = route_to("10.244.1.0/24", &capture)?;
    change(
        &capture,
        json!({
            "op": "mutate", "table": "Logical_Router", "where": [["name", "==", "ovn_cluster_router"]],
            "mutations": [["static_routes", "delete", ["uuid", routes]]],
        }),
    )?;
    let text = ask(&capture, "Logical_Router_Static_Route")?;
    let seen = differences(&text);
    assert_eq!(
        seen,
        ["missing on ovn-worker2 about ovn-worker (ovn_cluster_router: 10.244.1.0/24 via 100.88.0.2): \
          ovn_cluster_router: <peer subnet> via <peer transit address>"],
        "{text}"
    );
    Ok(())
}

fn route_to(prefix: &str, capture: &Capture) -> Result<String, Failed> {
    let database = ovsdb::Database::open(fs::read(northbound(capture))?)?;
    let select = ovsdb::Select::from("Logical_Router_Static_Route")
        .filter(ovsdb::Condition::is("ip_prefix", prefix))
        .columns(["ip_prefix", "policy"]);
    let rows = database.select(&select)?;
    let route = rows.rows.iter().find(|row| row.text("policy").is_none()).ok_or("no such route")?;
    Ok(route.uuid.to_string())
}

#[test]
fn a_missing_load_balancer_backend() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    change(
        &capture,
        json!({
            "op": "update", "table": "Load_Balancer", "where": [["name", "==", "Service_shop/web_TCP_cluster"]],
            "row": { "vips": ["map", [["10.96.150.255:80", "10.244.0.3:8080,10.244.2.3:8080"]]] },
        }),
    )?;
    let text = ask(&capture, "Load_Balancer")?;
    let seen = differences(&text);
    assert_eq!(
        seen,
        [
            "Service_shop/web_TCP_cluster: vips differs",
            "    10.96.150.255:80 -> 10.244.1.3:8080: missing on ovn-worker2"
        ],
        "{text}"
    );
    Ok(())
}

#[test]
fn a_missing_member_of_an_address_set() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    change(
        &capture,
        json!({
            "op": "mutate", "table": "Address_Set", "where": [["name", "==", "a930837685428365392"]],
            "mutations": [["addresses", "delete", "10.244.1.3"]],
        }),
    )?;
    let text = ask(&capture, "Address_Set")?;
    let seen = differences(&text);
    assert!(
        seen[0].starts_with("a930837685428365392 (PodSelector:shop_")
            && seen[0].ends_with("addresses differs"),
        "{text}"
    );
    assert_eq!(seen[1..], ["    10.244.1.3: missing on ovn-worker2"], "{text}");
    Ok(())
}
