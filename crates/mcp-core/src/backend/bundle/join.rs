//! Matches the nodes of different bundles, and checks whether the bundles belong to the same cluster.

use super::{
    cluster::OpenBundle,
    contents::{self, NodeIdentity, chassis},
};
use crate::{Db, NodeName};
use jiff::{SpanRound, Timestamp, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// Bundles whose collection times differ by more than this, in seconds, describe different states of a cluster.
const FAR_APART: i64 = 3600;

/// Renames the nodes of all bundles to their Kubernetes names. Returns notes about what does not match.
pub(super) fn join(bundles: &mut [OpenBundle]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut known: BTreeMap<NodeName, KnownNode> = BTreeMap::new();
    for OpenBundle { files, contents, .. } in &*bundles {
        for name in &contents.objects {
            let identity = contents.nodes.get(name).cloned().unwrap_or_default();
            add_identity(&mut known, name, &identity, &files.name, &mut notes);
        }
    }
    for OpenBundle { files, contents, .. } in &mut *bundles {
        let mut names = BTreeMap::new();
        for (host, identity) in contents.nodes.iter().filter(|(name, _)| !contents.objects.contains(*name)) {
            match find_same_node(&known, host, identity) {
                Some((node, by)) => {
                    notes.push(format!("host {host} in {} is node {node}: {by}", files.name));
                    names.insert(host.clone(), node);
                }
                None => add_identity(&mut known, host, identity, &files.name, &mut notes),
            }
        }
        contents.rename(&names);
    }
    notes.extend(note_unrelated_bundles(bundles));
    notes.extend(far_apart(bundles));
    notes
}

/// A known node, and the bundle that named it first.
struct KnownNode {
    identity: NodeIdentity,
    bundle: String,
}

/// Adds what a bundle says about a node. Adds a note if another bundle has a different node of the same name.
fn add_identity(
    known: &mut BTreeMap<NodeName, KnownNode>,
    name: &NodeName,
    identity: &NodeIdentity,
    bundle: &str,
    notes: &mut Vec<String>,
) {
    let first = known
        .entry(name.clone())
        .or_insert_with(|| KnownNode { identity: identity.clone(), bundle: bundle.to_owned() });
    match (&first.identity.system_id, &identity.system_id) {
        (Some(one), Some(other)) if one != other => notes.push(format!(
            "{name} has the system-id {one} in {} and {other} in {bundle}: it was reinstalled, or the bundles are from \
             different clusters",
            first.bundle
        )),
        _ => first.identity.merge(identity.clone()),
    }
}

/// Finds the known node that a host is, if their names differ, and the reason.
fn find_same_node(
    known: &BTreeMap<NodeName, KnownNode>,
    host: &NodeName,
    own: &NodeIdentity,
) -> Option<(NodeName, String)> {
    if known.contains_key(host) {
        return None;
    }
    let possible = |other: &NodeIdentity| match (&own.system_id, &other.system_id) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    let only = |is: &dyn Fn(&NodeName, &NodeIdentity) -> bool| {
        let mut found =
            known.iter().filter(|(name, k)| possible(&k.identity) && is(name, &k.identity)).map(|(n, _)| n);
        found.next().filter(|_| found.next().is_none()).cloned()
    };
    let label = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    let by_id =
        |_: &NodeName, other: &NodeIdentity| own.system_id.is_some() && own.system_id == other.system_id;
    let by_name = |name: &NodeName, other: &NodeIdentity| {
        label(name.as_str()) == label(host.as_str())
            || other.names.contains(host.as_str())
            || own.names.contains(name.as_str())
    };
    let by_address = |_: &NodeName, other: &NodeIdentity| !own.encap_ips.is_disjoint(&other.encap_ips);
    if let Some(node) = only(&by_id) {
        return Some((node, "they have the same system-id".into()));
    }
    if let Some(node) = only(&by_name) {
        return Some((node, "one name is the other without its domain, or is its label".into()));
    }
    only(&by_address).map(|node| (node, "they have the same encapsulation address".into()))
}

/// Notes about bundles that have no chassis in common with the first bundle. The southbound database of every zone
/// knows all chassis of its cluster.
fn note_unrelated_bundles(bundles: &[OpenBundle]) -> Vec<String> {
    let Some((first, others)) = bundles.split_first() else { return Vec::new() };
    let mut notes = Vec::new();
    for other in others {
        let (mut ours, mut theirs) = (system_ids(first), system_ids(other));
        if ours.is_disjoint(&theirs) {
            ours.extend(all_chassis(first));
            theirs.extend(all_chassis(other));
        }
        let (a, b) = (&first.files.name, &other.files.name);
        let common = first.contents.nodes.keys().any(|node| other.contents.nodes.contains_key(node));
        if ours.is_empty() || theirs.is_empty() {
            if !common {
                notes.push(format!(
                    "cannot tell whether {a} and {b} are from the same cluster: they have no node in common"
                ));
            }
        } else if ours.is_disjoint(&theirs) {
            notes.push(format!("{a} and {b} are from different clusters: they have no chassis in common"));
        }
    }
    notes
}

fn system_ids(one: &OpenBundle) -> BTreeSet<String> {
    one.contents.nodes.values().filter_map(|identity| identity.system_id.clone()).collect()
}

/// The chassis in one of the bundle's southbound databases.
fn all_chassis(one: &OpenBundle) -> BTreeSet<String> {
    let southbound = one.contents.databases.iter().filter(|stored| stored.db == Db::Sb);
    let open = |path: &str| contents::open(one.files.read(path).ok()?).ok();
    southbound
        .filter_map(|stored| open(&stored.path))
        .map(|database| chassis(&database))
        .next()
        .unwrap_or_default()
}

fn far_apart(bundles: &[OpenBundle]) -> Option<String> {
    let when = |one: &OpenBundle| Some((one.contents.when()?, one.files.name.clone()));
    let times: Vec<(Timestamp, String)> = bundles.iter().filter_map(when).collect();
    let ((from, first), (to, last)) = (times.iter().min()?, times.iter().max()?);
    let apart = to.as_second() - from.as_second();
    if apart <= FAR_APART {
        return None;
    }
    let round = SpanRound::new().largest(Unit::Hour).smallest(Unit::Minute);
    let apart = (*to - *from).round(round).map_or_else(|_| format!("{apart} s"), |span| format!("{span:#}"));
    Some(format!(
        "{first} and {last} were collected {apart} apart: differences between them may be changes over that time"
    ))
}
