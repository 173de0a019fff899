//! Parses and prints every recorded dump, of every version of OpenFlow, with and without names and statistics.

mod common;

use common::{Failed, archive, testdata};
use openflow::{
    Flow, Match, Ports,
    action::{Action, Does, actions},
    group, is_header,
};
use std::collections::BTreeMap;

/// The dumps come from the three nodes of the capture (Open vSwitch 4.0, userspace datapath), from a machine with the
/// kernel's datapath (3.1), and from the lab in every form (`forms`).
fn outputs(wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, String>, Failed> {
    let mut outputs = BTreeMap::new();
    for folder in ["capture", "kernel-datapath", "forms"] {
        for entry in std::fs::read_dir(testdata().join(folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".tar.xz") && !name.starts_with("must-gather") && !name.contains("clients") {
                let found = archive(&format!("{folder}/{name}"), &wanted)?;
                outputs.extend(found.into_iter().map(|(path, text)| (format!("{name}/{path}"), text)));
            }
        }
    }
    Ok(outputs)
}

/// Returns the words of a line, which commas and spaces separate.
fn words(line: &str) -> Vec<&str> {
    line.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect()
}

/// Returns the names in quotes and the names after `in_port=` and `output:`. A dump with `--names` does not contain
/// the numbers of ports.
fn named_ports(text: &str) -> Ports {
    let mut names: Vec<&str> = Vec::new();
    for word in ["in_port=", "output:"] {
        for (at, _) in text.match_indices(word) {
            let rest = text.get(at + word.len()..).unwrap_or_default();
            let name = rest.split([',', ' ', ')', '\n']).next().unwrap_or_default().trim_matches('"');
            if name.parse::<u16>().is_err() && !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ports::of((100u16..).zip(names))
}

fn not_understood<'a>(actions: &'a [Action<'_>]) -> Option<&'a str> {
    actions.iter().find_map(|action| match &action.does {
        Does::Other => Some(action.text),
        Does::Clone(inner) => not_understood(inner),
        Does::Ct(ct) => not_understood(&ct.actions),
        _ => None,
    })
}

#[test]
fn every_flow_is_understood_and_printed_as_it_was() -> Result<(), Failed> {
    let outputs = outputs(|path| {
        path.contains("dump-flows") && !path.contains("dpctl") || path.ends_with("_br-int.txt")
    })?;
    let forms = [
        "OpenFlow10",
        "OpenFlow11",
        "OpenFlow12",
        "OpenFlow13",
        "OpenFlow14",
        "OpenFlow15",
        "bridge.dump-flows",
        "--names_--no-stats",
    ];
    for form in forms {
        assert!(outputs.keys().any(|path| path.contains(form)), "no output of {form}");
    }
    let mut flows = 0;
    for (path, text) in &outputs {
        let ports = named_ports(text);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let Some(flow) = Flow::parse(line) else {
                assert!(is_header(line) || line.starts_with("ovs-"), "{path}: not understood: {line}");
                continue;
            };
            flows += 1;
            let printed = flow.to_string();
            assert_eq!(words(&printed), words(line), "{path}");
            assert_eq!(Flow::parse(&printed).as_ref(), Some(&flow), "{path}");
            let matched = Match::of(&flow.fields, &ports);
            assert!(matched.is_ok(), "{path}: {matched:?} in {line}");
            let read = actions(flow.actions, &ports);
            assert_eq!(not_understood(&read), None, "{path}: {line}");
            let joined = read.iter().map(|action| action.text).collect::<Vec<_>>().join(",");
            assert_eq!(actions(&joined, &ports), read, "{path}");
        }
    }
    assert!(outputs.len() >= 20 && flows > 20_000, "{flows} flows in {} outputs", outputs.len());
    Ok(())
}

#[test]
fn every_group_is_understood() -> Result<(), Failed> {
    let outputs = outputs(|path| path.contains("dump-groups"))?;
    let mut count = 0;
    for (path, text) in &outputs {
        let (groups, other) = group::groups(text);
        assert!(other.is_empty(), "{path}: {other:?}");
        assert_eq!(groups.len(), text.matches("group_id=").count(), "{path}");
        for bucket in groups.iter().flat_map(|group| &group.buckets) {
            let read = actions(bucket.actions, &Ports::default());
            assert_eq!(not_understood(&read), None, "{path}");
            assert!(!read.is_empty(), "{path}");
        }
        count += groups.len();
    }
    assert!(count > 50, "{count} groups in {} outputs", outputs.len());
    Ok(())
}
