//! Compares packets from names with the packets that an expert wrote for the capture, and the expression parser of
//! mcp-core with that of ovn-lflow.

use mcp_core::argv::OvnExpression;
use mcp_testing::{Capture, Failed};
use ovn_model::lflow::Datapaths;
use ovn_path::{Microflow, Names, NoPacket, Protocol};
use ovsdb::{Database, Rows, Schema, Select};
use std::fs;

/// Returns the value that a microflow gives to a field.
fn value<'a>(microflow: &'a str, field: &str) -> Result<&'a str, Failed> {
    let term = microflow.split(" && ").find_map(|term| term.strip_prefix(field)?.strip_prefix("=="));
    Ok(term.ok_or_else(|| format!("no {field}"))?.trim_matches('"'))
}

/// Runs a check on each recorded trace: its southbound database, datapath and microflow.
fn each(mut check: impl FnMut(&Database, &str, &str) -> Result<(), Failed>) -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    for (_, pod) in Capture::NODES {
        let database = Database::open(fs::read(capture.database(pod, "sbdb"))?)?;
        for file in fs::read_dir(capture.printed(pod).join("trace"))?.flatten().map(|entry| entry.path()) {
            if file.extension().is_some_and(|form| form == "detailed") {
                let text = fs::read_to_string(&file)?;
                let (command, _) = text.split_once('\n').ok_or("no command")?;
                let (options, microflow) = command.split_once(" '").ok_or("no microflow")?;
                let datapath = options.rsplit_once(' ').ok_or("no datapath")?.1;
                check(&database, datapath, microflow.trim_end_matches('\''))?;
            }
        }
    }
    Ok(())
}

fn read(database: &Database, selects: fn(&Schema) -> Vec<Select>) -> Result<Vec<Rows>, Failed> {
    Ok(selects(database.schema()).iter().map(|it| database.select(it)).collect::<Result<_, _>>()?)
}

#[test]
fn microflows_from_names_equal_those_of_an_expert() -> Result<(), Failed> {
    let (mut equal, mut itself) = (0, 0);
    each(|database, datapath, expert| {
        let datapaths = Datapaths::new(&read(database, Datapaths::selects)?);
        let names = Names::new(&read(database, Names::selects)?);
        let inport = value(expert, "inport")?;
        let from = names.sender(inport)?;
        let (to, port) = (value(expert, "ip4.dst")?.parse()?, value(expert, "tcp.dst")?.parse()?);
        match Microflow::new(&names.ports, from, to, Protocol::Tcp, port) {
            Ok(microflow) => {
                assert_eq!(microflow.to_string(), expert);
                assert_eq!(datapaths.find(datapath).first().map(|it| it.uuid), Some(microflow.datapath));
                assert_eq!(OvnExpression::parse(expert)?.string("inport"), Some(inport));
                equal += 1;
            }
            // One recorded trace goes from a pod to itself. Such a packet never leaves the pod.
            Err(e) => {
                assert!(matches!(e, NoPacket::Itself { .. }), "{e}");
                itself += 1;
            }
        }
        Ok(())
    })?;
    assert_eq!((equal, itself), (14, 1));
    Ok(())
}

#[test]
fn the_matches_of_all_flows_of_the_capture_are_expressions() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let mut parsed = 0;
    for (_, pod) in Capture::NODES {
        let database = Database::open(fs::read(capture.database(pod, "sbdb"))?)?;
        for row in database.select(&"Logical_Flow".into())?.rows {
            let text = row.text("match").ok_or("no match")?;
            OvnExpression::parse(text).map_err(|e| format!("{text}: {e}"))?;
            ovn_lflow::matches::parse(text).map_err(|e| format!("{text}: {e}"))?;
            parsed += 1;
        }
    }
    assert!(parsed > 2_000, "only {parsed} matches were parsed");
    Ok(())
}
