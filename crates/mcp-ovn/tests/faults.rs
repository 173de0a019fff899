//! Faults in a single zone: each test plants a fault in a copy of the capture and expects one short comparison of all
//! nodes to show it.

mod common;

use common::HEALTHY;
use mcp_core::Bundle;
use mcp_testing::{Capture, Case, Failed, answer};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Returns the northbound database of ovn-worker2's zone.
fn northbound(capture: &Capture) -> PathBuf {
    capture.database("ovnkube-node-pqrlf", "nbdb")
}

/// Returns the southbound database of ovn-worker2's zone.
fn southbound(capture: &Capture) -> PathBuf {
    capture.database("ovnkube-node-pqrlf", "sbdb")
}

/// Removes a database, and the archive of all databases that must-gather leaves next to it.
fn remove(file: &Path) -> Result<(), Failed> {
    fs::remove_file(file)?;
    let packed = file.parent().ok_or("no folder")?.with_extension("tar.gz");
    if packed.exists() {
        fs::remove_file(packed)?;
    }
    Ok(())
}

/// Changes the northbound database.
fn change(capture: &Capture, operation: serde_json::Value) -> Result<(), Failed> {
    transact(&northbound(capture), "OVN_Northbound", operation)
}

/// Changes a database, as the real ovsdb-tool does.
fn transact(file: &Path, database: &str, operation: serde_json::Value) -> Result<(), Failed> {
    let transaction = json!([database, operation]).to_string();
    #[expect(clippy::disallowed_methods, reason = "a test creates its data with the real program")]
    let mut tool = std::process::Command::new("ovsdb-tool");
    let output = tool.arg("transact").arg(file).arg(transaction).output()?;
    let reply = String::from_utf8(output.stdout)?;
    assert!(
        output.status.success() && !reply.contains("error"),
        "{reply}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let is_done = reply.contains("\"count\":1") || reply.contains("[\"uuid\",");
    assert!(is_done, "the fault was not planted: {reply}");
    Ok(())
}

fn ask(capture: &Capture, table: &str) -> Result<String, Failed> {
    call(capture, "ovn_nbctl_list", json!({ "node_name": "all", "table": table }))
}

fn call(capture: &Capture, tool: &str, params: serde_json::Value) -> Result<String, Failed> {
    let params = params.as_object().ok_or("an object")?.clone();
    let case = Case { scenario: String::new(), tool: tool.into(), params };
    let backend = Arc::new(Bundle::new(vec![capture.bundle()]));
    let text = answer(mcp_ovn::layer(), backend, &case)?;
    assert!(text.len() < 4_000, "{} bytes:\n{text}", text.len());
    Ok(text)
}

/// Returns the differences of an answer, without its header, summary and rows.
fn differences(text: &str) -> Vec<&str> {
    let is_head = |line: &str| {
        ["# ", "compared and equal", "different: ", "not compared: ", "on one node only"]
            .iter()
            .any(|it| line.starts_with(it))
    };
    let mut in_row = false;
    let is_rest = |line: &&str| {
        in_row = line.starts_with("  on ") || (in_row && line.starts_with(' '));
        !in_row && !is_head(line)
    };
    text.lines().filter(is_rest).collect()
}

#[test]
fn a_healthy_cluster_shows_no_difference() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    for table in HEALTHY {
        let text = ask(&capture, table)?;
        assert!(
            matches!(differences(&text)[..], [line] if line.starts_with("no difference")),
            "{table}: {text}"
        );
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
    // ovsdb deletes a route when no router refers to it.
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

/// Returns the configuration state of ovn-worker2 from `ovn_db_status`, and the whole answer.
fn configuration(capture: &Capture) -> Result<(String, String), Failed> {
    let text = call(capture, "ovn_db_status", json!({ "node_name": "ovn-worker2" }))?;
    let line = text.lines().find_map(|line| line.strip_prefix("configuration")).ok_or("no such line")?;
    let state = line.trim_start_matches([' ', ':']).split(':').next().unwrap_or_default().to_owned();
    Ok((state, text))
}

#[test]
fn in_force_behind_and_unknown_are_three_states() -> Result<(), Failed> {
    let sb = |capture: &Capture, operation| transact(&southbound(capture), "OVN_Southbound", operation);
    let capture = Capture::unpack()?;
    let (state, text) = configuration(&capture)?;
    assert_eq!(state, "in force", "{text}");
    assert!(text.contains("2026-11-22T08:34:57Z, copied by ovn-northd (e2e_timestamp"), "{text}");

    // ovn-northd stopped long ago. nb_cfg has not changed since, but ovnkube-controller still updates its timestamp.
    let stamp = json!(["map", [["e2e_timestamp", "1795336000"]]]);
    sb(
        &capture,
        json!({
            "op": "mutate", "table": "SB_Global", "where": [],
            "mutations": [["options", "delete", ["set", ["e2e_timestamp"]]], ["options", "insert", stamp]],
        }),
    )?;
    let (state, text) = configuration(&capture)?;
    assert_eq!(state, "behind", "{text}");
    assert!(text.contains("ovn-northd has not followed the northbound database for 497 s"), "{text}");

    // The southbound database lacks a row that the northbound database has.
    let capture = Capture::unpack()?;
    sb(
        &capture,
        json!({
            "op": "delete", "table": "Load_Balancer",
            "where": [["name", "==", "Service_shop/web_TCP_cluster"]],
        }),
    )?;
    let (state, text) = configuration(&capture)?;
    assert_eq!(state, "behind", "{text}");
    assert!(
        text.contains("lacks what the northbound one has: load balancer Service_shop/web_TCP_cluster;"),
        "{text}"
    );

    // The databases do not show what ovn-controller has installed.
    let capture = Capture::unpack()?;
    sb(&capture, json!({ "op": "delete", "table": "Chassis_Private", "where": [] }))?;
    let (state, text) = configuration(&capture)?;
    assert_eq!(state, "unknown", "{text}");
    assert!(text.contains("Chassis_Private has no row for a chassis of this zone"), "{text}");

    // The state is the same if the southbound or the northbound database is missing.
    for of in [southbound, northbound] {
        let capture = Capture::unpack()?;
        remove(&of(&capture))?;
        let (state, text) = configuration(&capture)?;
        assert_eq!(state, "unknown", "{text}");
    }
    Ok(())
}

#[test]
fn a_node_without_databases_is_named() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    remove(&northbound(&capture))?;
    remove(&southbound(&capture))?;
    let text = ask(&capture, "Port_Group")?;
    assert!(text.contains(" compared on 3 nodes, "), "{text}");
    assert!(
        text.contains("note: ovn-worker2 gave no answer and is not compared: OVN_Northbound of ovn-worker2"),
        "{text}"
    );
    Ok(())
}

#[test]
fn unreadable_own_values_are_noted() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    remove(&northbound(&capture))?;
    for (tool, params) in [
        ("ovn_sbctl_list", json!({ "node_name": "all", "table": "Encap" })),
        (
            "ovn_sbctl_lflow_list",
            json!({ "node_name": "all", "datapath": "join", "stage": "ls_in_l2_lkup", "limit": 1 }),
        ),
        ("ovn_db_status", json!({ "node_name": "all" })),
    ] {
        let text = call(&capture, tool, params)?;
        assert!(
            text.contains("note: ovn-worker2: addresses and names of the node are not known (not collected), so some of them may be listed as differences"),
            "{tool}: {text}"
        );
    }
    Ok(())
}

/// A comparison takes the own values of a node from its annotations, so that a wrong value in a database stands out.
#[test]
fn a_wrong_own_value() -> Result<(), Failed> {
    let port = |name: &str, column: &str, value: &str| {
        let row = json!({ column: value });
        json!({ "op": "update", "table": "Logical_Router_Port", "where": [["name", "==", name]], "row": row })
    };
    for (name, column, value, seen) in [
        ("rtoj-GR_ovn-worker2", "networks", "100.64.0.9/16", "rtoj-GR_<node>: networks differs"),
        ("rtots-ovn-worker2", "networks", "100.88.0.9/16", "rtots-<node>: networks differs"),
        ("rtos-ovn-worker2", "networks", "10.244.2.9/24", "rtos-<node>: networks differs"),
        ("rtoe-GR_ovn-worker2", "networks", "172.18.0.9/16", "rtoe-GR_<node>: networks differs"),
        ("rtoe-GR_ovn-worker2", "mac", "c2:5c:06:53:ca:5d", "rtoe-GR_<node>: mac differs"),
        ("rtos-ovn-worker2", "mac", "52:54:00:00:00:01", "rtos-<node>: mac differs"),
    ] {
        let capture = Capture::unpack()?;
        change(&capture, port(name, column, value))?;
        let text = ask(&capture, "Logical_Router_Port")?;
        assert!(text.contains(&format!("\n{seen}\n    ovn-worker2: {value}")), "{name}: {text}");
    }
    // These are the addresses that serve node ports if services use templates.
    let capture = Capture::unpack()?;
    for ((_, pod), address) in Capture::NODES.iter().zip(["172.18.0.2", "172.18.0.3", "172.18.0.9"]) {
        let file = capture.database(pod, "nbdb");
        let database = ovsdb::Database::open(fs::read(&file)?)?;
        let routers = database.select(&ovsdb::Select::from("Logical_Router").columns(["options"]))?;
        let chassis =
            routers.rows.iter().find_map(|row| row.map_get("options", "chassis")).ok_or("no chassis")?;
        let row = json!({ "variables": ["map", [["NODEIP_IPv4_0", address]]] });
        transact(
            &file,
            "OVN_Northbound",
            json!({
                "op": "update", "table": "Chassis_Template_Var", "where": [["chassis", "==", chassis]],
                "row": row,
            }),
        )?;
    }
    let text = ask(&capture, "Chassis_Template_Var")?;
    assert!(text.contains("variables:NODEIP_IPv4_0 differs\n    ovn-worker2: 172.18.0.9\n"), "{text}");
    Ok(())
}

/// The southbound database has address sets of port groups and of egress, which hold other pods in each zone by design.
#[test]
fn a_changed_southbound_address_set() -> Result<(), Failed> {
    let list = |capture: &Capture| {
        call(capture, "ovn_sbctl_list", json!({ "node_name": "all", "table": "Address_Set" }))
    };
    let capture = Capture::unpack()?;
    let healthy = list(&capture)?;
    assert_eq!(differences(&healthy), ["no difference in the compared fields"], "{healthy}");
    assert!(
        healthy.contains(
            "not compared: addresses of the node's own pods in address sets for egress; addresses that ovn-northd chooses for \
             its zone (the node's own ports in port groups, svc_monitor_mac)\n"
        ),
        "{healthy}"
    );
    // The addresses of all nodes, which each zone must have.
    let nodes = json!({
        "op": "mutate", "table": "Address_Set", "where": [["name", "==", "a1042611113178530741"]],
        "mutations": [["addresses", "delete", "172.18.0.3"]],
    });
    transact(&southbound(&capture), "OVN_Southbound", nodes)?;
    let text = list(&capture)?;
    let shown = differences(&text);
    assert_eq!(shown.first(), Some(&"a1042611113178530741: addresses differs"), "{text}");
    // The address is that of ovn-worker, so it has another meaning there than on the other node.
    assert_eq!(shown.iter().filter(|line| line.contains("172.18.0.3: only on")).count(), 2, "{text}");
    Ok(())
}

/// Sizes of files and times belong to each zone, so they do not count as compared and equal.
#[test]
fn the_status_counts_only_compared_lines() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let text = call(&capture, "ovn_db_status", json!({ "node_name": "all" }))?;
    let compared = text.lines().find(|line| line.starts_with("compared and equal: ")).ok_or("no summary")?;
    for own in ["file", "installed", "last"] {
        assert!(!compared.contains(own), "{compared}");
    }
    assert!(compared.contains("configuration (in force)"), "{compared}");
    let left_out =
        text.lines().find(|line| line.starts_with("not compared: ")).ok_or("nothing is left out")?;
    assert!(left_out.contains("size and the transactions of each database file"), "{left_out}");
    Ok(())
}
