//! Tests that the names which answers print are accepted as parameters.

use mcp_testing::{Capture, Connection, Failed, scenario};
use ovn_model::label;
use ovsdb::{Database, Select};
use serde_json::{Map, Value, json};
use std::fs;

/// The number of rows of each table that are looked up.
const ROWS: usize = 4;

async fn ask(connection: &Connection, tool: &str, params: Value) -> Result<Result<String, String>, Failed> {
    let params: Map<String, Value> = params.as_object().cloned().unwrap_or_default();
    connection.call(tool, &params).await
}

/// Each row is found by its label, by the label after the name of its table, and by its name with the sign of a match.
/// The rows and labels come from the databases, without the tool.
#[tokio::test]
async fn a_printed_label_selects_its_row() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let connection = Connection::open(mcp_ovn::layer(), scenario("capture")).await?;
    let (node, pod) = Capture::NODES[1];
    let mut asked = 0;
    for (file, tool) in [("nbdb", "ovn_nbctl_list"), ("sbdb", "ovn_sbctl_list")] {
        let database = Database::open(fs::read(capture.database(pod, file))?)?;
        for table in &database.schema().tables {
            let rows = database.select(&Select::from(table.name.as_str()))?.rows;
            let step = rows.len() / ROWS + 1;
            for row in rows.iter().step_by(step) {
                let name = label(row);
                let mut names = vec![name.clone(), format!("{} {name}", table.name)];
                match table.name.as_str() {
                    "Port_Group" => names.extend(row.text("name").map(|name| format!("@{name}"))),
                    "Address_Set" => names.extend(row.text("name").map(|name| format!("${name}"))),
                    _ => {}
                }
                for record in names {
                    let params =
                        json!({ "node_name": node, "table": table.name, "record": record, "limit": 10_000 });
                    let answer = ask(&connection, tool, params).await?;
                    let found = answer.as_ref().is_ok_and(|text| {
                        // Several rows can have one label, and a long answer is cut.
                        text.contains(&row.uuid.to_string()) || text.contains("note: rows 1 to ")
                    });
                    assert!(found, "{} {record}: {answer:?}", table.name);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 200, "{asked}");
    Ok(())
}

/// The owners that a row prints in `(of)` are accepted as `of`.
#[tokio::test]
async fn a_printed_owner_selects_its_rows() -> Result<(), Failed> {
    let connection = Connection::open(mcp_ovn::layer(), scenario("capture")).await?;
    let mut asked = 0;
    for table in ["ACL", "Load_Balancer", "Logical_Router_Static_Route", "Logical_Router_Policy", "NAT"] {
        let list = json!({ "node_name": "ovn-worker", "table": table, "limit": 40 });
        let text = ask(&connection, "ovn_nbctl_list", list).await??;
        for row in text.split("\n\n") {
            let column = |name: &str| {
                let line =
                    row.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(": "));
                line.map(str::to_owned)
            };
            // Several owners are separated by commas, which names can contain.
            let (Some(uuid), Some(owner)) = (column("_uuid"), column("(of)").filter(|of| !of.contains(", ")))
            else {
                continue;
            };
            let (_, name) = owner.split_once(' ').ok_or("an owner has a table and a name")?;
            let meaning = name.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
            for of in [Some(owner.as_str()), Some(name), meaning].into_iter().flatten() {
                let params = json!({ "node_name": "ovn-worker", "table": table, "of": of, "limit": 10_000 });
                let answer = ask(&connection, "ovn_nbctl_list", params).await?;
                let found = answer
                    .as_ref()
                    .is_ok_and(|text| text.contains(&uuid) || text.contains("note: rows 1 to "));
                assert!(found, "{table} of {of}: {answer:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "{asked}");
    let params = json!({ "node_name": "ovn-worker", "table": "ACL", "of": "NetworkPolicy:shop:nothing" });
    let unknown = ask(&connection, "ovn_nbctl_list", params).await?;
    assert!(
        unknown.as_ref().is_err_and(|error| error.contains("is named `NetworkPolicy:shop:nothing`\nhint: Did you mean: ")),
        "{unknown:?}"
    );
    Ok(())
}
