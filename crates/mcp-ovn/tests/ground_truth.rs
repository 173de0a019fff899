//! Compares `ovn_nbctl_show` on the capture's databases with the output of the real client of the same OVN version.

use mcp_testing::{Capture, Failed};
use ovn_model::show;
use ovsdb::Database;
use std::{collections::BTreeSet, fs, path::Path};

/// Splits the client's output into switches and routers: the first line of each, and the lines of each port and NAT.
fn blocks(text: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let starts = |line: &str| line.starts_with("switch ") || line.starts_with("router ");
    let lines: Vec<&str> = text.lines().collect();
    let blocks = lines.chunk_by(|_, next| !starts(next));
    let parts = |lines: &[&str]| {
        let (head, rest) = lines.split_first().expect("a chunk is not empty");
        let parts = rest.chunk_by(|_, next| next.starts_with("        "));
        (head.to_string(), parts.map(|part| part.join("\n")).collect())
    };
    blocks.map(parts).collect()
}

#[test]
fn show_of_three_nodes_equals_the_real_client() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let mut compared = 0;
    for (node, pod) in Capture::NODES {
        let ours = shown(&capture.database(pod, "nbdb"))?;
        let theirs = fs::read_to_string(capture.printed(pod).join("nbdb/show"))?;
        assert_eq!(blocks(&ours), blocks(&theirs), "{node}");
        compared += blocks(&theirs).len();
    }
    assert!(compared > 30, "only {compared} switches and routers were compared");
    Ok(())
}

fn shown(file: &Path) -> Result<String, Failed> {
    let database = Database::open(fs::read(file)?)?;
    let rows = show::selects().iter().map(|select| database.select(select)).collect::<Result<Vec<_>, _>>()?;
    Ok(show::show(&rows).iter().map(|it| it.text.as_str()).collect())
}
