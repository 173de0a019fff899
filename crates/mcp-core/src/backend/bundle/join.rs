//! Which node of one bundle is which of another, and whether the bundles fit together at all.

use super::{
    cluster::One,
    contents::{self, Identity, chassis},
};
use crate::{Db, NodeName};
use jiff::{SpanRound, Timestamp, Unit};
use std::collections::{BTreeMap, BTreeSet};

/// Bundles collected further apart than this describe different states of a cluster, in seconds.
const FAR_APART: i64 = 3600;

/// Gives the nodes of all bundles the names that Kubernetes has for them. What does not fit is returned.
pub(super) fn join(bundles: &mut [One]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut known: BTreeMap<NodeName, Known> = BTreeMap::new();
    for One { files, contents, .. } in &*bundles {
        for name in &contents.objects {
            let identity = contents.nodes.get(name).cloned().unwrap_or_default();
            meet(&mut known, name, &identity, &files.name, &mut notes);
        }
    }
    for One { files, contents, .. } in &mut *bundles {
        let mut names = BTreeMap::new();
        for (host, identity) in contents.nodes.iter().filter(|(name, _)| !contents.objects.contains(*name)) {
            match same(&known, host, identity) {
                Some((node, by)) => {
                    notes.push(format!("the host {host} of {} is the node {node}: {by}", files.name));
                    names.insert(host.clone(), node);
                }
                None => meet(&mut known, host, identity, &files.name, &mut notes),
            }
        }
        contents.rename(&names);
    }
    notes.extend(strangers(bundles));
    notes.extend(far_apart(bundles));
    notes
}

/// A node, and the bundle that told of it first.
struct Known {
    identity: Identity,
    bundle: String,
}

/// Another bundle tells of a node of this name. If it is another node, that is noted.
fn meet(
    known: &mut BTreeMap<NodeName, Known>,
    name: &NodeName,
    identity: &Identity,
    bundle: &str,
    notes: &mut Vec<String>,
) {
    let first = known
        .entry(name.clone())
        .or_insert_with(|| Known { identity: identity.clone(), bundle: bundle.to_owned() });
    match (&first.identity.system_id, &identity.system_id) {
        (Some(one), Some(other)) if one != other => notes.push(format!(
            "{name} has the system-id {one} in {} and {other} in {bundle}: it was installed anew, or these are of \
             different clusters",
            first.bundle
        )),
        _ => first.identity.merge(identity.clone()),
    }
}

/// The known node that a host is, if its name does not say so, and what tells.
fn same(known: &BTreeMap<NodeName, Known>, host: &NodeName, own: &Identity) -> Option<(NodeName, String)> {
    if known.contains_key(host) {
        return None;
    }
    let possible = |other: &Identity| match (&own.system_id, &other.system_id) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    let only = |is: &dyn Fn(&NodeName, &Identity) -> bool| {
        let mut found =
            known.iter().filter(|(name, k)| possible(&k.identity) && is(name, &k.identity)).map(|(n, _)| n);
        found.next().filter(|_| found.next().is_none()).cloned()
    };
    let label = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    let by_id = |_: &NodeName, other: &Identity| own.system_id.is_some() && own.system_id == other.system_id;
    let by_name = |name: &NodeName, other: &Identity| {
        label(name.as_str()) == label(host.as_str())
            || other.names.contains(host.as_str())
            || own.names.contains(name.as_str())
    };
    let by_address = |_: &NodeName, other: &Identity| !own.encap_ips.is_disjoint(&other.encap_ips);
    if let Some(node) = only(&by_id) {
        return Some((node, "they have the same system-id".into()));
    }
    if let Some(node) = only(&by_name) {
        return Some((node, "one name is the other without its domain, or its label".into()));
    }
    only(&by_address).map(|node| (node, "they have the same encapsulation address".into()))
}

/// Bundles that share no chassis with the first. Every zone's southbound database knows all chassis of its cluster.
fn strangers(bundles: &[One]) -> Vec<String> {
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
                    "whether {a} and {b} are of one cluster cannot be told: they have no node in common"
                ));
            }
        } else if ours.is_disjoint(&theirs) {
            notes.push(format!("{a} and {b} are of different clusters: they have no chassis in common"));
        }
    }
    notes
}

fn system_ids(one: &One) -> BTreeSet<String> {
    one.contents.nodes.values().filter_map(|identity| identity.system_id.clone()).collect()
}

/// The chassis in one of the bundle's southbound databases.
fn all_chassis(one: &One) -> BTreeSet<String> {
    let southbound = one.contents.databases.iter().filter(|stored| stored.db == Db::Sb);
    let open = |path: &str| contents::open(one.files.read(path).ok()?).ok();
    southbound
        .filter_map(|stored| open(&stored.path))
        .map(|database| chassis(&database))
        .next()
        .unwrap_or_default()
}

fn far_apart(bundles: &[One]) -> Option<String> {
    let when = |one: &One| Some((one.contents.when()?, one.files.name.clone()));
    let times: Vec<(Timestamp, String)> = bundles.iter().filter_map(when).collect();
    let ((from, first), (to, last)) = (times.iter().min()?, times.iter().max()?);
    let apart = to.as_second() - from.as_second();
    if apart <= FAR_APART {
        return None;
    }
    let round = SpanRound::new().largest(Unit::Hour).smallest(Unit::Minute);
    let apart = (*to - *from).round(round).map_or_else(|_| format!("{apart} s"), |span| format!("{span:#}"));
    Some(format!(
        "{first} and {last} were collected {apart} apart: what differs between them may have changed since"
    ))
}
