//! Compares the answers of several nodes: equal rows are listed once, then the rows that differ, are missing or are
//! extra.
//!
//! In interconnect mode each node has its own databases, flows and tables, which mirror each other. A row of one node
//! is compared with the rows of the others after each node's own values ([`crate::Fact`]) have been recognized in it:
//!
//! * A row that contains no value of any node is expected on every node, with the same text.
//! * A row that names its own node (`GR_<node>`) is expected on every node, with the values of that node.
//! * A row that names one other node (`tstor-<peer>`) is expected on every node, once for each of its peers.
//! * A row that a tool marks as local is expected on no other node.

mod compare;
mod order;
mod shown;
mod symbols;
#[cfg(test)]
mod tests;

use crate::{Answer, NodeName, Row, RowField, counted, sanitize::REDACTED};
use compare::{NodeRow, compare_fields, some};
use std::collections::{BTreeMap, BTreeSet};
use symbols::{NodeIndex, RowOwner, Symbols, agree};

/// The result of a comparison.
#[derive(Debug, Default)]
pub(crate) struct FoldedAnswers {
    /// The rows that differ, are missing or are extra.
    pub(crate) differences: Vec<Difference>,
    /// The rows that no other node should have.
    pub(crate) own: Vec<FoldedRow>,
    /// The rows that are the same on all nodes.
    pub(crate) same: Vec<FoldedRow>,
    /// The fields that are not compared, because their values are redacted.
    pub(crate) hidden: BTreeSet<String>,
    /// The number of rows of all nodes together, before any filter.
    pub(crate) rows: usize,
}

/// A row that is not the same on all nodes.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The name of the row, and the nodes that differ in it.
    pub(crate) text: String,
    /// The text of the row, from one node of each variant.
    pub(crate) rows: String,
}

/// A row that is equal on all nodes or exists on one node by design.
#[derive(Debug)]
pub(crate) struct FoldedRow {
    /// The name of the row.
    pub(crate) key: String,
    /// The text of the row from each node.
    pub(crate) rows: String,
}

/// The rows of several nodes that are the same row.
type RowGroup<'a> = Vec<NodeRow<'a>>;

/// The subject of a row, and its key as a template. `nth` counts the rows of one node that have the same key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey {
    about: RowSubject,
    template: String,
    nth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RowSubject {
    Cluster,
    OwnNode,
    Peer,
}

/// Compares the answers that several nodes gave to one call. `others` are the nodes of the source that the call did
/// not read. The result keeps only rows that the call wants on at least one node.
pub(crate) fn fold(
    answers: &[(NodeName, Answer)],
    others: &[NodeName],
    is_asked: impl Fn(&Row) -> bool,
) -> FoldedAnswers {
    let facts = answers.iter().map(|(_, a)| a.facts.as_slice()).enumerate();
    let symbols = Symbols::new(facts, others.iter().map(NodeName::as_str));
    let groups = group(answers, &symbols);
    let names: Vec<&str> = answers.iter().map(|(name, _)| name.as_str()).collect();
    let rows = answers.iter().map(|(_, answer)| answer.rows.len()).sum();
    let mut folded = FoldedAnswers { rows, ..FoldedAnswers::default() };
    for (key, group) in groups.iter().filter(|(_, group)| group.iter().any(|cell| is_asked(cell.row))) {
        let shown = symbols.show(&key.template);
        let mut absent = absent(key, group, names.len());
        let needs = group.iter().find_map(|cell| cell.row.identity.as_ref()?.needs.as_ref());
        if let Some(needs) = needs {
            let has =
                |who: &RowOwner| answers.get(who.node).is_some_and(|(_, answer)| answer.has.contains(needs));
            absent.retain(has);
        }
        let is_local =
            group.iter().all(|cell| cell.local) && !(key.about == RowSubject::Cluster && group.len() > 1);
        // No other node has what the row depends on, so there is nothing to compare it with.
        let is_alone = needs.is_some() && absent.is_empty() && group.len() == 1 && names.len() > 1;
        if is_local || is_alone {
            folded.own.extend(group.iter().map(|cell| {
                let name = names.get(cell.who.node).copied().unwrap_or("?");
                let key = symbols.fill(&key.template, cell.who);
                FoldedRow { key: format!("{key} on {name}"), rows: shown::on(name, cell.row) }
            }));
            continue;
        }
        let mut lines: Vec<String> = Vec::new();
        if !absent.is_empty() {
            lines.push(presence(&shown, key, group, &absent, &names, &symbols));
        }
        if !agree(group.iter().map(|cell| cell.kinds.as_slice())) {
            lines.push(format!("{shown}: the values in its name do not mean the same on every node"));
        }
        // A row that names its own node or a peer says whose it is, so it has the same role on every node.
        let of_one_role = key.about != RowSubject::Cluster;
        let fields = compare_fields(group, of_one_role, &names, &symbols);
        lines.extend(fields.differences.iter().map(|difference| format!("{shown}: {difference}")));
        if lines.is_empty() {
            folded.same.push(FoldedRow {
                key: only_value(group).map_or(shown.clone(), |value| format!("{shown} ({value})")),
                rows: shown::everywhere(&shown, group, &names),
            });
        } else {
            let rows = shown::sides(&shown, group, &fields.sides, &names);
            folded.differences.push(Difference { text: lines.join("\n"), rows });
        }
    }
    let asked = groups.values().filter(|group| group.iter().any(|cell| is_asked(cell.row)));
    folded.hidden = hidden(asked.flatten());
    folded.differences.extend(order::compare(&groups, &names, is_asked));
    folded
}

/// Returns the fields that contain redacted values. Two redacted values that look alike may differ.
fn hidden<'a>(cells: impl Iterator<Item = &'a NodeRow<'a>>) -> BTreeSet<String> {
    let is_hidden = |field: &&RowField| field.values.iter().any(|value| value.contains(REDACTED));
    cells.flat_map(|cell| cell.fields).filter(is_hidden).map(|field| field.name.clone()).collect()
}

/// Groups the rows of all nodes by their key.
fn group<'a>(answers: &'a [(NodeName, Answer)], symbols: &Symbols) -> BTreeMap<GroupKey, RowGroup<'a>> {
    let mut groups: BTreeMap<GroupKey, RowGroup<'a>> = BTreeMap::new();
    for (node, (_, answer)) in answers.iter().enumerate() {
        let mut seen: BTreeMap<(RowSubject, String, Option<NodeIndex>), usize> = BTreeMap::new();
        for (at, row) in answer.rows.iter().enumerate() {
            let ClassifiedKey { about, template, peer, kinds } = classify(key_of(row), node, symbols);
            let nth = seen.entry((about, template.clone(), peer)).or_insert(0);
            let cell = NodeRow {
                who: RowOwner { node, peer },
                row,
                at,
                role: row.identity.as_ref().map_or("", |identity| identity.role),
                fields: row.identity.as_ref().map_or(&[], |identity| &identity.fields),
                local: row.identity.as_ref().is_some_and(|identity| identity.local),
                kinds,
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

/// The subject and the template of a row's key.
struct ClassifiedKey {
    about: RowSubject,
    template: String,
    peer: Option<NodeIndex>,
    kinds: Vec<symbols::FactKinds>,
}

fn classify(key: &str, node: NodeIndex, symbols: &Symbols) -> ClassifiedKey {
    let template = symbols.template(key, None, RowOwner { node, peer: None });
    let mut peers = template.peers.iter();
    let (about, peer) = match (peers.next(), peers.next(), template.own) {
        (None, _, false) => (RowSubject::Cluster, None),
        (None, _, true) => (RowSubject::OwnNode, None),
        (Some(peer), None, _) => (RowSubject::Peer, Some(*peer)),
        // The row is about several other nodes, so only rows with the very same text can be compared.
        (Some(_), Some(_), _) => {
            return ClassifiedKey {
                about: RowSubject::Cluster,
                template: key.to_owned(),
                peer: None,
                kinds: Vec::new(),
            };
        }
    };
    ClassifiedKey { about, template: template.text, peer, kinds: template.kinds }
}

/// Returns the nodes, with the peer for a row about a peer, that should have a row of this group and do not.
fn absent(key: &GroupKey, group: &RowGroup<'_>, nodes: usize) -> Vec<RowOwner> {
    let present: BTreeSet<RowOwner> = group.iter().map(|cell| cell.who).collect();
    let expected: Vec<RowOwner> = match key.about {
        RowSubject::Cluster | RowSubject::OwnNode => {
            (0..nodes).map(|node| RowOwner { node, peer: None }).collect()
        }
        RowSubject::Peer => {
            // A node counts only if it has the row for some peer, or is such a peer, because a network need not be on
            // every node.
            let involved: BTreeSet<NodeIndex> =
                group.iter().flat_map(|cell| [Some(cell.who.node), cell.who.peer]).flatten().collect();
            let pairs = involved
                .iter()
                .flat_map(|node| involved.iter().map(|peer| RowOwner { node: *node, peer: Some(*peer) }));
            pairs.filter(|who| who.peer != Some(who.node)).collect()
        }
    };
    expected.into_iter().filter(|who| !present.contains(who)).collect()
}

/// Returns one line about a row that only some nodes have. It names the smaller side.
fn presence(
    shown: &str,
    key: &GroupKey,
    group: &RowGroup<'_>,
    absent: &[RowOwner],
    names: &[&str],
    symbols: &Symbols,
) -> String {
    let concrete = |who: &RowOwner| match symbols.fill(&key.template, *who) {
        text if text == shown => compare::name(*who, names),
        text => format!("{} ({text})", compare::name(*who, names)),
    };
    let nth = if key.nth > 0 { format!(" (occurrence {})", key.nth + 1) } else { String::new() };
    if key.about == RowSubject::Peer && absent.len() == group.len() {
        // With two nodes, one has the row about its peer and the other does not. The data does not show which of the
        // two is wrong.
        let have = some(group.iter().map(|cell| concrete(&cell.who)));
        format!("missing on {}, present on {have}: {shown}{nth}", some(absent.iter().map(concrete)))
    } else if absent.len() <= group.len() {
        format!("missing on {}: {shown}{nth}", some(absent.iter().map(concrete)))
    } else {
        format!("only on {}: {shown}{nth}", some(group.iter().map(|cell| concrete(&cell.who))))
    }
}

/// Returns the only value of a row if it is the same on every node and short enough to follow the key.
fn only_value<'a>(group: &RowGroup<'a>) -> Option<&'a str> {
    const SHORT: usize = 40;
    let value = |cell: &NodeRow<'a>| match cell.fields {
        [RowField { values, .. }] => match values.as_slice() {
            [value] if (1..=SHORT).contains(&value.len()) => Some(value.as_str()),
            _ => None,
        },
        _ => None,
    };
    let first = value(group.first()?)?;
    group.iter().all(|cell| value(cell) == Some(first)).then_some(first)
}

/// Returns a number of rows in words.
pub(crate) fn count(n: usize) -> String {
    counted(n, "row")
}

/// Returns the first of many keys. They are enough to see what was compared; a call for one node lists the rows.
pub(crate) fn keys(all: &[FoldedRow]) -> String {
    const BYTES: usize = 500;
    let mut text = String::new();
    for (i, FoldedRow { key, .. }) in all.iter().enumerate() {
        if i > 0 && text.len() + key.len() > BYTES {
            text += &format!("; and {} more", all.len() - i);
            break;
        }
        text += if i > 0 { "; " } else { "" };
        text += key;
    }
    text
}

/// Returns the values of a field.
fn values<'a>(fields: &'a [RowField], name: &str) -> Option<&'a [String]> {
    fields.iter().find(|field| field.name == name).map(|field| field.values.as_slice())
}
