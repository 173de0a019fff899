//! Compares traces with the recorded output of the real ovn-trace 26.03 on the databases of the capture.

mod common;

use common::{archive, zone, zones};
use ovn_lflow::{Semantics, Zone, tree};

/// Checks that one of our branches prints the recorded text. ovn-trace takes one branch at random.
fn printed_by(zone: &Zone, command: &str, wanted: &str) -> Result<(), String> {
    let text = command.rsplit_once('\'').and_then(|(rest, _)| rest.split_once('\'')).map(|(_, text)| text);
    let mut start = zone.start(text.expect("a microflow"))?;
    let states = command.split_once("--ct=").and_then(|(_, rest)| rest.split_whitespace().next());
    start.states.extend(
        states.map(|states| states.parse::<packet::CtState>().expect("states") | packet::CtState::TRK),
    );
    let print = match command {
        _ if command.contains("--detailed") => tree::detailed,
        _ if command.contains("--summary") => tree::summary,
        _ => tree::minimal,
    };
    let printed: Vec<String> =
        zone.trace(&start).branches.iter().map(|branch| print(&branch.lines)).collect();
    if printed.iter().any(|text| text == wanted) {
        return Ok(());
    }
    Err(format!("ovn-trace printed:\n{wanted}\nbut our branches print:\n{}", printed.join("\nor\n")))
}

#[test]
fn every_recorded_trace_is_reproduced() {
    let traces = archive("ovn-26.03-clients.tar.xz", |path| path.contains("/trace/"));
    let (mut count, mut wrong) = (0, Vec::new());
    for (pod, rows) in zones() {
        let zone = zone(&rows, Semantics::OvnTrace);
        for (path, bytes) in traces.iter().filter(|(path, _)| path.contains(&format!("/{pod}/"))) {
            let text = String::from_utf8_lossy(bytes);
            let command = text.lines().next().expect("the command");
            let wanted: String =
                text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
            if let Err(error) = printed_by(&zone, command, &wanted) {
                wrong.push(format!("{path}: {error}"));
            }
            count += 1;
        }
    }
    assert_eq!(count, 45);
    assert!(wrong.is_empty(), "{} of 45 differ\n{}", wrong.len(), wrong.join("\n\n"));
}
