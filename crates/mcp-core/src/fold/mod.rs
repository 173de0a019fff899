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
mod order;
mod shown;
mod symbols;
#[cfg(test)]
mod tests;

use crate::{Answer, Field, NodeName, Row, sanitize::REDACTED};
use compare::{Cell, compare_fields, some};
use std::collections::{BTreeMap, BTreeSet};
use symbols::{NodeIndex, Speaker, Symbols, agree};

/// Answers of several nodes, folded.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// What differs, is missing or is extra.
    pub(crate) differences: Vec<Difference>,
    /// What no other node should have.
    pub(crate) own: Vec<Kept>,
    /// What is the same on all nodes.
    pub(crate) same: Vec<Kept>,
    /// The fields that are not compared, because their values are redacted.
    pub(crate) hidden: BTreeSet<String>,
    /// Rows that all nodes gave together, whether they were asked for or not.
    pub(crate) rows: usize,
}

/// A row that is not the same on all nodes.
#[derive(Debug)]
pub(crate) struct Difference {
    /// What it is called, and who differs in what.
    pub(crate) text: String,
    /// The row itself, of one node of each side.
    pub(crate) rows: String,
}

/// A row that does not differ.
#[derive(Debug)]
pub(crate) struct Kept {
    /// What it is called.
    pub(crate) key: String,
    /// The row itself, of each node.
    pub(crate) rows: String,
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

/// Folds the answers of nodes that were asked the same. `others` are the nodes that were not asked. Of what was folded, it
/// keeps what has a row that is asked for on any node.
pub(crate) fn fold(
    answers: &[(NodeName, Answer)],
    others: &[NodeName],
    is_asked: impl Fn(&Row) -> bool,
) -> Folded {
    let facts = answers.iter().map(|(_, a)| a.facts.as_slice()).enumerate();
    let symbols = Symbols::new(facts, others.iter().map(NodeName::as_str));
    let groups = group(answers, &symbols);
    let names: Vec<&str> = answers.iter().map(|(name, _)| name.as_str()).collect();
    let rows = answers.iter().map(|(_, answer)| answer.rows.len()).sum();
    let mut folded = Folded { rows, ..Folded::default() };
    for (key, group) in groups.iter().filter(|(_, group)| group.iter().any(|cell| is_asked(cell.row))) {
        let shown = symbols.show(&key.template);
        if group.iter().all(|cell| cell.local) && !(key.about == About::Cluster && group.len() > 1) {
            folded.own.extend(group.iter().map(|cell| {
                let name = names.get(cell.who.node).copied().unwrap_or("?");
                let key = symbols.fill(&key.template, cell.who);
                Kept { key: format!("{key} on {name}"), rows: shown::on(name, cell.row) }
            }));
            continue;
        }
        let mut absent = absent(key, group, names.len());
        let needs = group.iter().find_map(|cell| cell.row.identity.as_ref()?.needs.as_ref());
        if let Some(needs) = needs {
            let has =
                |who: &Speaker| answers.get(who.node).is_some_and(|(_, answer)| answer.has.contains(needs));
            absent.retain(has);
        }
        let mut lines: Vec<String> = Vec::new();
        if !absent.is_empty() {
            lines.push(presence(&shown, key, group, &absent, &names, &symbols));
        }
        if !agree(group.iter().map(|cell| cell.kinds.as_slice())) {
            lines.push(format!("{shown}: its name means another value of the node"));
        }
        let fields = compare_fields(group, &names, &symbols);
        lines.extend(fields.differences.iter().map(|difference| format!("{shown}: {difference}")));
        if lines.is_empty() {
            folded.same.push(Kept {
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

/// The fields whose values are secrets: that they look alike does not mean that they are.
fn hidden<'a>(cells: impl Iterator<Item = &'a Cell<'a>>) -> BTreeSet<String> {
    let is_hidden = |field: &&Field| field.values.iter().any(|value| value.contains(REDACTED));
    cells.flat_map(|cell| cell.fields).filter(is_hidden).map(|field| field.name.clone()).collect()
}

/// Puts the rows of all nodes into groups by their key.
fn group<'a>(answers: &'a [(NodeName, Answer)], symbols: &Symbols) -> BTreeMap<GroupKey, Group<'a>> {
    let mut groups: BTreeMap<GroupKey, Group<'a>> = BTreeMap::new();
    for (node, (_, answer)) in answers.iter().enumerate() {
        let mut seen: BTreeMap<(About, String, Option<NodeIndex>), usize> = BTreeMap::new();
        for (at, row) in answer.rows.iter().enumerate() {
            let Classified { about, template, peer, kinds } = classify(key_of(row), node, symbols);
            let nth = seen.entry((about, template.clone(), peer)).or_insert(0);
            let cell = Cell {
                who: Speaker { node, peer },
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

/// What the key of a row says.
struct Classified {
    about: About,
    template: String,
    peer: Option<NodeIndex>,
    kinds: Vec<symbols::Kinds>,
}

fn classify(key: &str, node: NodeIndex, symbols: &Symbols) -> Classified {
    let template = symbols.template(key, None, Speaker { node, peer: None });
    let mut peers = template.peers.iter();
    let (about, peer) = match (peers.next(), peers.next(), template.own) {
        (None, _, false) => (About::Cluster, None),
        (None, _, true) => (About::OwnNode, None),
        (Some(peer), None, _) => (About::Peer, Some(*peer)),
        // About several other nodes: only nodes that say the very same can be compared.
        (Some(_), Some(_), _) => {
            return Classified {
                about: About::Cluster,
                template: key.to_owned(),
                peer: None,
                kinds: Vec::new(),
            };
        }
    };
    Classified { about, template: template.text, peer, kinds: template.kinds }
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

/// So many rows.
pub(crate) fn count(n: usize) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
}

/// The first of many keys. Enough to see what was compared; the rows themselves come with one node.
pub(crate) fn keys(all: &[Kept]) -> String {
    const BYTES: usize = 500;
    let mut text = String::new();
    for (i, Kept { key, .. }) in all.iter().enumerate() {
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
