//! Microflows made from names, against those that an expert wrote for the capture, and what the real `ovn-trace` of the
//! capture's OVN version printed of them.

use mcp_core::argv::OvnExpression;
use mcp_testing::{Capture, Failed};
use ovn_model::{
    lflow::Datapaths,
    microflow::{Microflow, NoMicroflow, Ports, Protocol},
    trace::onward,
};
use ovsdb::{Database, Rows};
use std::fs;

/// The value that a microflow gives to a field.
fn value<'a>(microflow: &'a str, field: &str) -> Result<&'a str, Failed> {
    let term = microflow.split(" && ").find_map(|term| term.strip_prefix(field)?.strip_prefix("=="));
    Ok(term.ok_or_else(|| format!("no {field}"))?.trim_matches('"'))
}

/// Each recorded trace: the southbound database, the datapath and the microflow of its command, and what was printed.
fn each(mut check: impl FnMut(&Database, &str, &str, &str) -> Result<(), Failed>) -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    for (_, pod) in Capture::NODES {
        let database = Database::open(fs::read(capture.database(pod, "sbdb"))?)?;
        for file in fs::read_dir(capture.printed(pod).join("trace"))?.flatten().map(|entry| entry.path()) {
            if file.extension().is_some_and(|form| form == "detailed") {
                let text = fs::read_to_string(&file)?;
                let (command, trace) = text.split_once('\n').ok_or("no command")?;
                let (options, microflow) = command.split_once(" '").ok_or("no microflow")?;
                let datapath = options.rsplit_once(' ').ok_or("no datapath")?.1;
                check(&database, datapath, microflow.trim_end_matches('\''), trace)?;
            }
        }
    }
    Ok(())
}

#[test]
fn microflows_from_names_are_those_of_an_expert() -> Result<(), Failed> {
    let (mut equal, mut itself) = (0, 0);
    each(|database, datapath, expert, _| {
        let read: Vec<Rows> = Datapaths::selects(database.schema())
            .iter()
            .map(|select| database.select(select))
            .collect::<Result<_, _>>()?;
        let datapaths = Datapaths::new(&read);
        let ports = Ports::new(&database.select(&Ports::select())?);
        let from = ports.find(value(expert, "inport")?).ok_or("no such port")?;
        let (to, port) = (value(expert, "ip4.dst")?.parse()?, value(expert, "tcp.dst")?.parse()?);
        match Microflow::new(&ports, from, to, Protocol::Tcp, port) {
            Ok(microflow) => {
                assert_eq!(microflow.to_string(), expert);
                assert_eq!(datapaths.find(datapath).first().map(|it| it.uuid), Some(microflow.datapath));
                assert_eq!(OvnExpression::parse(expert)?.string("inport"), Some(from.name.as_str()));
                equal += 1;
            }
            // One of them asks how a pod reaches itself: such a packet never leaves the pod.
            Err(e) => {
                assert!(matches!(e, NoMicroflow::Itself { .. }), "{e}");
                itself += 1;
            }
        }
        Ok(())
    })?;
    assert_eq!((equal, itself), (14, 1));
    Ok(())
}

#[test]
fn a_trace_that_leaves_the_zone_says_how_to_go_on() -> Result<(), Failed> {
    let mut left = 0;
    each(|_, _, expert, trace| {
        let places = onward(expert, trace);
        let remote = trace.lines().filter(|line| line.contains("type \"remote\"")).count();
        assert_eq!(places.len(), remote, "{trace}");
        for place in places {
            assert_eq!(place.datapath, "transit_switch");
            assert!(place.inport.starts_with("tstor-") && place.outport.starts_with("tstor-"), "{place:?}");
            assert_ne!(place.inport, place.outport);
            // What the last router made of the packet.
            assert!(value(&place.microflow, "eth.src")?.starts_with("0a:58:64:58:00:0"), "{place:?}");
            assert!(value(&place.microflow, "eth.dst")?.starts_with("0a:58:64:58:00:0"), "{place:?}");
            assert_eq!(value(&place.microflow, "ip.ttl")?, "63");
            assert_eq!(value(&place.microflow, "inport")?, place.inport);
            OvnExpression::parse(&place.microflow)?;
            left += 1;
        }
        Ok(())
    })?;
    assert!(left >= 3, "only {left} traces leave their zone");
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
            parsed += 1;
        }
    }
    assert!(parsed > 2_000, "only {parsed} matches were parsed");
    Ok(())
}
