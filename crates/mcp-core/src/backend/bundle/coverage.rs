//! Describes which data the bundles have, by node and area.

use super::cluster::{BundledCluster, CENTRAL, DatabaseCopy, EDITED};
use super::{contents::is_central, logs::held};
use crate::{
    Db, HostLog, NodeName,
    backend::coverage::{AreaOfNode, AreaState, Coverage, DataArea, NodeCoverage, SourceCoverage},
    error::chain,
};
use ovsdb::Database;
use std::collections::BTreeSet;

/// The sos plugins that collect from OVN and Open vSwitch, the kernel, libreswan and FRR.
const DATAPLANE: [&str; 4] = ["openvswitch", "ovn_host", "ovn_central", "openshift_ovn"];
const KERNEL: [&str; 4] = ["networking", "firewall_tables", "conntrack", "kernel"];
const IPSEC: [&str; 1] = ["libreswan"];
const FRR: [&str; 1] = ["frr"];

/// The coverage of a cluster. This opens every database and keeps none of them open.
pub(super) fn of(cluster: &BundledCluster) -> Coverage {
    let source = |one: &std::sync::Arc<super::cluster::OpenBundle>| SourceCoverage {
        name: one.files.name.clone(),
        when: one.when(),
        files: Some(one.files.paths().count()),
    };
    let nodes = cluster.nodes();
    let mut notes = cluster.notes.clone();
    for one in &cluster.bundles {
        let troubles = one.files.troubles().into_iter().chain(one.contents.troubles.iter().cloned());
        notes.extend(troubles.map(|trouble| format!("{}: {trouble}", one.files.name)));
        if let Some(central) = &one.contents.central {
            notes.push(format!("{}: {central} {CENTRAL}", one.files.name));
        }
    }
    Coverage {
        sources: cluster.bundles.iter().map(source).collect(),
        nodes: nodes.iter().map(|n| node(cluster, n)).collect(),
        notes,
    }
}

/// Describes the source on one line: its bundles and their times, its nodes, and what was not collected. This opens no
/// database.
pub(super) fn about(cluster: &BundledCluster) -> String {
    /// The limit keeps the line short enough for the server's instructions.
    const NAMES: usize = 8;
    let listed = |names: Vec<String>| {
        let more = names.len().saturating_sub(NAMES);
        let shown = names.into_iter().take(NAMES).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    let bundle = |one: &std::sync::Arc<super::cluster::OpenBundle>| match one.when() {
        Some(when) => format!("{} of {}", one.files.name, when.strftime("%Y-%m-%dT%H:%M:%SZ")),
        None => format!("{} of unknown time", one.files.name),
    };
    let nodes = cluster.nodes();
    let mut missing = Vec::new();
    for area in DataArea::ALL {
        let lack: Vec<String> =
            nodes.iter().filter(|node| !is_held(cluster, node, area)).map(ToString::to_string).collect();
        match lack.len() {
            0 => {}
            n if n == nodes.len() => missing.push(area.to_string()),
            _ => missing.push(format!("{area} of {}", listed(lack))),
        }
    }
    let bundles = listed(cluster.bundles.iter().map(bundle).collect());
    let nodes = match nodes.len() {
        0 => "it contains no node".to_owned(),
        _ => format!("its nodes: {}", listed(nodes.iter().map(ToString::to_string).collect())),
    };
    let missing =
        if missing.is_empty() { String::new() } else { format!("; not collected: {}", missing.join(", ")) };
    format!("{bundles}; {nodes}{missing}")
}

/// Returns true if there is data of a node in an area, readable or not.
fn is_held(cluster: &BundledCluster, node: &NodeName, area: DataArea) -> bool {
    let some = |held: AreaOfNode| held.state != AreaState::Absent;
    match area {
        DataArea::Northbound => !cluster.candidates(node, Db::Nb).is_empty(),
        DataArea::Southbound => !cluster.candidates(node, Db::Sb).is_empty(),
        DataArea::OpenVSwitch => !cluster.candidates(node, Db::OpenVSwitch).is_empty(),
        DataArea::Dataplane => some(commands(cluster, node, &DATAPLANE, area)),
        DataArea::Kernel => some(commands(cluster, node, &KERNEL, area)),
        DataArea::Ipsec => some(commands(cluster, node, &IPSEC, area)),
        DataArea::Frr => some(commands(cluster, node, &FRR, area)),
        DataArea::Logs => some(logs(cluster, node)),
        DataArea::Objects => some(objects(cluster, node)),
    }
}

fn node(cluster: &BundledCluster, node: &NodeName) -> NodeCoverage {
    let areas = DataArea::ALL.map(|area| match area {
        DataArea::Northbound => database(cluster, node, Db::Nb, area),
        DataArea::Southbound => database(cluster, node, Db::Sb, area),
        DataArea::OpenVSwitch => database(cluster, node, Db::OpenVSwitch, area),
        DataArea::Dataplane => commands(cluster, node, &DATAPLANE, area),
        DataArea::Kernel => commands(cluster, node, &KERNEL, area),
        DataArea::Ipsec => commands(cluster, node, &IPSEC, area),
        DataArea::Frr => commands(cluster, node, &FRR, area),
        DataArea::Logs => logs(cluster, node),
        DataArea::Objects => objects(cluster, node),
    });
    NodeCoverage { node: node.clone(), areas: areas.into() }
}

fn database(cluster: &BundledCluster, node: &NodeName, db: Db, area: DataArea) -> AreaOfNode {
    let copies: Vec<_> =
        cluster.candidates(node, db).iter().map(|candidate| file(cluster, db, candidate)).collect();
    // Tools read the first undamaged copy.
    let read = copies.iter().position(|(state, _)| matches!(state, AreaState::Present | AreaState::Empty));
    let best = read.map_or(copies.last(), |read| copies.get(read)).map(|(state, _)| *state);
    let several = copies.len() > 1 && read.is_some();
    let said = |(at, (_, detail)): (usize, (AreaState, String))| match several {
        true if read == Some(at) => format!("read: {detail}"),
        true => format!("not read: {detail}"),
        false => detail,
    };
    let mut details: Vec<String> = copies.into_iter().enumerate().map(said).collect();
    let missing = cluster.bundles.iter().flat_map(|one| &one.contents.missing);
    let missing = missing.filter(|(of, which, _)| of == node && *which == db).map(|(_, _, why)| why.clone());
    details.extend(missing);
    AreaOfNode { area, state: best.unwrap_or(AreaState::Absent), details }
}

fn file(cluster: &BundledCluster, db: Db, candidate: &DatabaseCopy) -> (AreaState, String) {
    let shown = &candidate.shown;
    match cluster.open_database(candidate) {
        Err(e) => (AreaState::Damaged, chain(&e)),
        Ok(database) => match database.damage() {
            Some(damage) => (AreaState::Damaged, format!("{shown}: {}", chain(damage))),
            None if rows(&database) == 0 => (AreaState::Empty, format!("{shown} has no rows")),
            None if is_central(db, &database) => (AreaState::Present, format!("{shown} {CENTRAL}")),
            None if database.is_edited() => (AreaState::Present, format!("{shown} {EDITED}")),
            None => (AreaState::Present, shown.clone()),
        },
    }
}

fn rows(database: &Database) -> usize {
    database.schema().tables.iter().filter_map(|table| database.row_count(&table.name).ok()).sum()
}

/// The state of recorded outputs, and why others are missing.
fn commands(cluster: &BundledCluster, node: &NodeName, plugins: &[&str], area: DataArea) -> AreaOfNode {
    let (mut outputs, mut empty, mut failed, mut lost) = (0, 0, 0, 0);
    let (mut no_program, mut truncated, mut details) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (one, report) in cluster.reports(node) {
        let commands = report.commands(&one.files);
        details.extend(
            commands
                .no_manifest
                .as_ref()
                .map(|why| format!("commands are known by file names only, because {why}")),
        );
        for recorded in commands.recorded.iter().filter(|r| plugins.contains(&r.plugin.as_str())) {
            let program = || recorded.exec.split_whitespace().next().unwrap_or_default().to_owned();
            let path = recorded.path.as_ref().map(|path| format!("{}{path}", report.root));
            match (path, recorded.status) {
                (None, Some(126 | 127)) => _ = no_program.insert(program()),
                (None, _) => lost += 1,
                (Some(path), _) if !one.files.has(&path) => lost += 1,
                (Some(path), status) => {
                    outputs += 1;
                    empty += usize::from(one.files.size(&path) == Some(0));
                    failed += usize::from(status.is_some_and(|status| status != 0));
                    if recorded.truncated || one.files.cut(&path).is_some() {
                        truncated.push(recorded.exec.clone());
                    }
                }
            }
        }
    }
    // Several answers may come from the same file, which counts once.
    let mut kept = BTreeSet::new();
    for (one, gathered) in cluster.gathered(node).filter(|(_, gathered)| gathered.area == area) {
        if kept.insert((&one.files.name, &gathered.path)) {
            outputs += 1;
            empty += usize::from(one.files.size(&gathered.path) == Some(0));
            truncated.extend(one.files.cut(&gathered.path).map(|_| gathered.shown.clone()));
        }
    }
    let state = match outputs {
        0 => AreaState::Absent,
        n if n == empty => AreaState::Empty,
        _ => AreaState::Present,
    };
    if outputs > 0 {
        details.insert(0, format!("{outputs} outputs, {empty} empty, {failed} from failed commands"));
    }
    if lost > 0 {
        details.push(format!("outputs in the manifest but not in the bundle: {lost}"));
    }
    if !no_program.is_empty() {
        details.push(format!(
            "programs that the node does not have: {}",
            no_program.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    if !truncated.is_empty() {
        details.push(format!("cut: {}", truncated.join(", ")));
    }
    AreaOfNode { area, state, details }
}

fn logs(cluster: &BundledCluster, node: &NodeName) -> AreaOfNode {
    let (mut files, mut empty) = (0, 0);
    for one in &cluster.bundles {
        for path in one.contents.logs.get(node).into_iter().flatten() {
            files += 1;
            empty += usize::from(one.files.size(path) == Some(0));
        }
    }
    let (own, shared): (Vec<_>, Vec<_>) =
        held(cluster, node).into_iter().partition(|(_, of_this_host)| *of_this_host);
    let state = match files {
        n if n == empty && !(own.is_empty() && shared.is_empty()) => AreaState::Present,
        0 => AreaState::Absent,
        n if n == empty => AreaState::Empty,
        _ => AreaState::Present,
    };
    let names =
        |logs: &[(HostLog, bool)]| logs.iter().map(|(log, _)| log.to_string()).collect::<Vec<_>>().join(", ");
    let mut details = Vec::new();
    if files > 0 {
        details.push(format!("{files} files, {empty} empty"));
    }
    if !own.is_empty() {
        details.push(format!("logs of this host: {}", names(&own)));
    }
    if !shared.is_empty() {
        details.push(format!("logs of all hosts of a role, perhaps including this host: {}", names(&shared)));
    }
    AreaOfNode { area: DataArea::Logs, state, details }
}

fn objects(cluster: &BundledCluster, node: &NodeName) -> AreaOfNode {
    let told = cluster.bundles.iter().filter(|one| one.contents.objects.contains(node));
    let names: Vec<_> = told.map(|one| one.files.name.clone()).collect();
    let state = if names.is_empty() { AreaState::Absent } else { AreaState::Present };
    AreaOfNode { area: DataArea::Objects, state, details: names }
}
