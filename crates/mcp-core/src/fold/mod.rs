//! One question, many nodes: what is the same everywhere once, then what differs, is missing or is extra.
//!
//! In interconnect mode each node has its own databases, flows and tables, which mirror each other. A row of one
//! node is compared with the rows of the others after each node's own values ([`crate::Fact`]) have been
//! recognised in it:
//!
//! * a row that names nothing of any node is expected on every node, as it stands;
//! * one that names its own node (`GR_<node>`) is expected on every node, in that node's words;
//! * one that names one other node (`tstor-<peer>`) is expected on every node, for each of its peers;
//! * one that a tool calls local is expected nowhere else.

mod compare;
mod symbols;
#[cfg(test)]
mod tests;

use crate::{Answer, Field, NodeName, Row, sanitize::REDACTED};
use compare::{Cell, compare_fields, some};
use std::collections::{BTreeMap, BTreeSet};
use symbols::{NodeIndex, Speaker, Symbols};

/// Answers of several nodes, folded.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// What differs, each one or more lines.
    pub(crate) differences: Vec<String>,
    /// What is the same, and how much is not comparable.
    pub(crate) summary: Vec<String>,
}

/// Rows that are one row, seen from several nodes.
type Group<'a> = Vec<Cell<'a>>;

/// What a row is about, and its key in the words of any node. Two rows of a node may have one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    about: About,
    template: String,
    nth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Cluster,
    OwnNode,
    Peer,
}

/// Folds the answers of nodes that were asked the same.
pub(crate) fn fold(answers: &[(NodeName, Answer)]) -> Folded {
    let symbols = Symbols::new(answers.iter().map(|(_, a)| a.facts.as_slice()).enumerate());
    let groups = group(answers, &symbols);
    let names: Vec<&str> = answers.iter().map(|(name, _)| name.as_str()).collect();
    let mut folded = Folded::default();
    let (mut same, mut local) = (Vec::new(), BTreeMap::new());
    for (key, group) in &groups {
        let shown = symbols.show(&key.template);
        let before = folded.differences.len();
        if group.iter().all(|cell| cell.local) && !(key.about == About::Cluster && group.len() > 1) {
            for cell in group {
                let keys: &mut Vec<String> = local.entry(cell.who.node).or_default();
                keys.push(symbols.fill(&key.template, cell.who));
            }
            continue;
        }
        let absent = absent(key, group, names.len());
        if !absent.is_empty() {
            folded.differences.push(presence(&shown, key, group, &absent, &names, &symbols));
        }
        folded.differences.extend(compare_fields(&shown, group, &names, &symbols));
        if folded.differences.len() == before {
            same.push(match only_value(group) {
                Some(value) => format!("{shown} ({value})"),
                None => shown,
            });
        }
    }
    folded.summary = summary(&same, &local, &names);
    folded.summary.extend(not_compared(groups.values().flatten()));
    folded
}

/// Says which values were not compared, because they are secrets: that they look alike does not mean that they are.
fn not_compared<'a>(cells: impl Iterator<Item = &'a Cell<'a>>) -> Option<String> {
    let is_hidden = |field: &&Field| field.values.iter().any(|value| value.contains(REDACTED));
    let fields = cells.flat_map(|cell| cell.fields).filter(is_hidden).map(|field| field.name.clone());
    let names: Vec<String> = fields.collect::<BTreeSet<_>>().into_iter().collect();
    (!names.is_empty()).then(|| format!("not compared, because the values are redacted: {}", keys(&names)))
}

/// Puts the rows of all nodes into groups by their key.
fn group<'a>(answers: &'a [(NodeName, Answer)], symbols: &Symbols) -> BTreeMap<GroupKey, Group<'a>> {
    let mut groups: BTreeMap<GroupKey, Group<'a>> = BTreeMap::new();
    for (node, (_, answer)) in answers.iter().enumerate() {
        let mut seen: BTreeMap<(About, String, Option<NodeIndex>), usize> = BTreeMap::new();
        for row in &answer.rows {
            let (about, template, peer) = classify(key_of(row), node, symbols);
            let nth = seen.entry((about, template.clone(), peer)).or_insert(0);
            let cell = Cell {
                who: Speaker { node, peer },
                role: row.identity.as_ref().map_or("", |identity| identity.role),
                fields: row.identity.as_ref().map_or(&[], |identity| &identity.fields),
                local: row.identity.as_ref().is_some_and(|identity| identity.local),
            };
            groups.entry(GroupKey { about, template, nth: *nth }).or_default().push(cell);
            *nth += 1;
        }
    }
    groups
}

fn key_of(row: &Row) -> &str {
    row.identity.as_ref().map_or(&row.text, |identity| &identity.key)
}

fn classify(key: &str, node: NodeIndex, symbols: &Symbols) -> (About, String, Option<NodeIndex>) {
    let template = symbols.template(key, None, Speaker { node, peer: None });
    let mut peers = template.peers.iter();
    match (peers.next(), peers.next(), template.own) {
        (None, _, false) => (About::Cluster, template.text, None),
        (None, _, true) => (About::OwnNode, template.text, None),
        (Some(peer), None, _) => (About::Peer, template.text, Some(*peer)),
        // About several other nodes: only nodes that say the very same can be compared.
        (Some(_), Some(_), _) => (About::Cluster, key.to_owned(), None),
    }
}

/// Who should have a row of this group and has not.
fn absent(key: &GroupKey, group: &Group<'_>, nodes: usize) -> Vec<Speaker> {
    let present: BTreeSet<Speaker> = group.iter().map(|cell| cell.who).collect();
    let expected: Vec<Speaker> = match key.about {
        About::Cluster | About::OwnNode => (0..nodes).map(|node| Speaker { node, peer: None }).collect(),
        About::Peer => {
            // Among the nodes that have it for somebody, or for which somebody has it: a network need not be
            // on every node.
            let involved: BTreeSet<NodeIndex> =
                group.iter().flat_map(|cell| [Some(cell.who.node), cell.who.peer]).flatten().collect();
            let pairs = involved
                .iter()
                .flat_map(|node| involved.iter().map(|peer| Speaker { node: *node, peer: Some(*peer) }));
            pairs.filter(|who| who.peer != Some(who.node)).collect()
        }
    };
    expected.into_iter().filter(|who| !present.contains(who)).collect()
}

/// One line for a row that some have and others have not, from the side of the fewer.
fn presence(
    shown: &str,
    key: &GroupKey,
    group: &Group<'_>,
    absent: &[Speaker],
    names: &[&str],
    symbols: &Symbols,
) -> String {
    let concrete = |who: &Speaker| match symbols.fill(&key.template, *who) {
        text if text == shown => compare::name(*who, names),
        text => format!("{} ({text})", compare::name(*who, names)),
    };
    let nth = if key.nth > 0 { format!(" (occurrence {})", key.nth + 1) } else { String::new() };
    if key.about == About::Peer && absent.len() == group.len() {
        // Of two nodes one has it for the other: which of the two is odd, nobody can tell from here.
        let have = some(group.iter().map(|cell| concrete(&cell.who)));
        format!("missing on {}, there on {have}: {shown}{nth}", some(absent.iter().map(concrete)))
    } else if absent.len() <= group.len() {
        format!("missing on {}: {shown}{nth}", some(absent.iter().map(concrete)))
    } else {
        format!("only on {}: {shown}{nth}", some(group.iter().map(|cell| concrete(&cell.who))))
    }
}

/// The value of a row that has only one, the same on every node: short enough to stand beside its key.
fn only_value<'a>(group: &Group<'a>) -> Option<&'a str> {
    const SHORT: usize = 40;
    let value = |cell: &Cell<'a>| match cell.fields {
        [Field { values, .. }] => match values.as_slice() {
            [value] if (1..=SHORT).contains(&value.len()) => Some(value.as_str()),
            _ => None,
        },
        _ => None,
    };
    let first = value(group.first()?)?;
    group.iter().all(|cell| value(cell) == Some(first)).then_some(first)
}

fn summary(same: &[String], local: &BTreeMap<NodeIndex, Vec<String>>, names: &[&str]) -> Vec<String> {
    let rows = |n: usize| if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
    let mut lines = Vec::new();
    if !same.is_empty() {
        lines.push(format!("the same on all {} nodes: {}: {}", names.len(), rows(same.len()), keys(same)));
    }
    if !local.is_empty() {
        let all: Vec<String> = local
            .iter()
            .flat_map(|(node, keys)| keys.iter().map(|key| (names.get(*node).copied().unwrap_or("?"), key)))
            .map(|(node, key)| format!("{key} on {node}"))
            .collect();
        lines.push(format!("of one node only, as expected: {}: {}", rows(all.len()), keys(&all)));
    }
    lines
}

/// The first of many keys. Enough to see what was compared; the rows themselves come with one node.
fn keys(all: &[String]) -> String {
    const BYTES: usize = 500;
    let mut text = String::new();
    for (i, key) in all.iter().enumerate() {
        if i > 0 && text.len() + key.len() > BYTES {
            text += &format!("; and {} more", all.len() - i);
            break;
        }
        text += if i > 0 { "; " } else { "" };
        text += key;
    }
    text
}

/// The values of a field, for what compares them.
fn values<'a>(fields: &'a [Field], name: &str) -> Option<&'a [String]> {
    fields.iter().find(|field| field.name == name).map(|field| field.values.as_slice())
}
