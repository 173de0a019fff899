//! Resolves the OpenFlow flows of the capture's nodes to the northbound rows that they implement.

use mcp_core::Bundle;
use mcp_testing::{Capture, Case, Failed, answer, unpack};
use ovn_model::detrace::mentions;
use ovsdb::{Database, Row, Select};
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

fn ask(backend: &Arc<Bundle>, node: &str, cookies: &[String]) -> Result<String, Failed> {
    let mut all = String::new();
    // Read all pages of the answer.
    for offset in 0.. {
        let rows =
            all.lines().filter(|line| !line.starts_with([' ', '#']) && !line.starts_with("note:")).count();
        if rows >= cookies.len() || offset > cookies.len() {
            break;
        }
        let params = json!({ "node_name": node, "cookies": cookies, "offset": rows });
        let params = params.as_object().expect("an object").clone();
        all += &answer(
            mcp_ovn::layer(),
            backend.clone(),
            &Case { scenario: String::new(), tool: "ovn_detrace".into(), params },
        )?;
    }
    Ok(all)
}

fn rows(database: &Database, table: &str) -> Result<Vec<Row>, Failed> {
    Ok(database.select(&Select::from(table))?.rows)
}

/// Returns whether an ACL applies to no port of this zone. ovn-northd creates no flow for a port group without ports.
fn is_of_empty_group(acl: &Row, groups: &[Row]) -> bool {
    let of = |group: &&Row| group.refs("acls").any(|uuid| uuid == acl.uuid);
    let mut owners = groups.iter().filter(of).peekable();
    owners.peek().is_some() && owners.all(|group| group.refs("ports").next().is_none())
}

#[test]
fn every_acl_nat_route_policy_and_load_balancer_is_found_again() -> Result<(), Failed> {
    let (capture, dir) = (Capture::unpack()?, tempfile::tempdir()?);
    unpack("capture/br-int-flows.tar.xz", dir.path())?;
    let backend = Arc::new(Bundle::new(vec![capture.bundle()]));
    let (mut found, mut absent) = (0, 0);
    for (node, pod) in Capture::NODES {
        let flows = fs::read_to_string(
            dir.path().join("br-int-flows").join(node).join("ovs-ofctl_dump-flows_br-int"),
        )?;
        let cookies: BTreeSet<u64> =
            mentions(&flows).iter().map(|mention| mention.cookie).filter(|cookie| *cookie != 0).collect();
        let cookies: Vec<String> = cookies.iter().map(|cookie| format!("{cookie:#x}")).collect();
        let mut told = String::new();
        for cookies in cookies.chunks(200) {
            told += &ask(&backend, node, cookies)?;
        }
        let database = Database::open(fs::read(capture.database(pod, "nbdb"))?)?;
        let groups = rows(&database, "Port_Group")?;
        for table in
            ["ACL", "NAT", "QoS", "Load_Balancer", "Logical_Router_Static_Route", "Logical_Router_Policy"]
        {
            for row in rows(&database, table)? {
                if told.contains(&format!("* {table} ")) && told.contains(&row.uuid.to_string()) {
                    found += 1;
                } else {
                    assert!(
                        table == "ACL" && is_of_empty_group(&row, &groups),
                        "{node}: {table} {} {row:?}",
                        row.uuid
                    );
                    absent += 1;
                }
            }
        }
        check_tables(node, &capture.database(pod, "sbdb"), &flows)?;
    }
    assert!(found > 120 && absent < 40, "{found} rows were found, {absent} ACLs have no port");
    Ok(())
}

/// Checks that the OpenFlow flows of each logical flow are in the table of its stage.
fn check_tables(node: &str, southbound: &Path, flows: &str) -> Result<(), Failed> {
    use ovn_model::{
        lflow::Flow,
        stages::{Layout, Release, Table},
    };
    let database = Database::open(fs::read(southbound)?)?;
    let release = Release::of(&database.select(&Release::select())?).ok_or("no version")?;
    let layout = Layout::of(release).ok_or("an unknown version")?;
    let (logical, _) = Flow::read(&[database.select(&Select::from("Logical_Flow"))?]);
    let seen: Vec<(u8, u32)> =
        mentions(flows).iter().filter_map(|m| Some((m.table?, u32::try_from(m.cookie).ok()?))).collect();
    let inferred = Layout::seen(seen.iter().copied(), &logical).ok_or("the flows show no layout")?;
    assert_eq!((inferred.ingress, inferred.egress), (layout.ingress, layout.egress), "{node}");
    let (mut checked, mut learned) = (0, 0);
    for (table, cookie) in seen {
        for flow in logical.iter().filter(|flow| flow.uuid.first32() == cookie) {
            if flow.actions.contains("commit_lb_aff") && layout.role(table) == Some(Table::Physical) {
                learned += 1;
                continue;
            }
            assert_eq!(
                layout.table(flow.pipeline, flow.table),
                Some(table),
                "{node}: {}",
                flow.line_with_uuid()
            );
            checked += 1;
        }
    }
    assert!(checked > 1_500 && learned < 10, "{node}: {checked} flows were checked, {learned} were learned");
    Ok(())
}
