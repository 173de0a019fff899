//! Compares the fields of one row, as several nodes have it.

use super::{
    symbols::{FactKinds, RowOwner, Symbols, agree},
    values,
};
use crate::{Row, RowField};
use std::collections::{BTreeMap, BTreeSet};

/// A row of a node, as a member of a group.
pub(super) struct NodeRow<'a> {
    pub(super) who: RowOwner,
    pub(super) row: &'a Row,
    /// The position of the row among the rows of the node.
    pub(super) at: usize,
    pub(super) fields: &'a [RowField],
    pub(super) role: &'static str,
    pub(super) local: bool,
    /// The possible meanings of the node's own values in the key.
    pub(super) kinds: Vec<FactKinds>,
}

/// The differences between the fields of a group's cells.
#[derive(Default)]
pub(super) struct FieldComparison {
    /// The fields that differ, with the nodes and their values.
    pub(super) differences: Vec<String>,
    /// The values of the differing fields for each cell. Cells with the same values have the same text.
    pub(super) sides: Vec<String>,
}

/// Compares each field, with each node's own values replaced by their templates. `of_one_role` says that all rows of
/// the group should have the same role, so that a row with another role differs.
pub(super) fn compare_fields(
    group: &[NodeRow<'_>],
    of_one_role: bool,
    names: &[&str],
    symbols: &Symbols,
) -> FieldComparison {
    let all = || group.iter().flat_map(|cell| cell.fields);
    let fields: BTreeSet<&str> = all().map(|f| f.name.as_str()).collect();
    let mut compared = FieldComparison { differences: Vec::new(), sides: vec![String::new(); group.len()] };
    for field in fields {
        let roles: BTreeSet<&str> = if of_one_role || all().any(|f| f.name == field && f.spanning) {
            BTreeSet::from([""])
        } else {
            group.iter().map(|cell| cell.role).collect()
        };
        for role in roles {
            let (places, cells): (Vec<usize>, Vec<&NodeRow<'_>>) =
                group.iter().enumerate().filter(|(_, cell)| role.is_empty() || cell.role == role).unzip();
            let Some((difference, sides)) = difference(field, &cells, names, symbols) else { continue };
            compared.differences.push(difference);
            for (place, side) in places.into_iter().zip(sides) {
                if let Some(of) = compared.sides.get_mut(place) {
                    of.push_str(&side);
                }
            }
        }
    }
    compared
}

/// The templates of a field's values, each with the values that it stands for on this node and their possible
/// meanings.
type Templates<'a> = BTreeMap<String, Vec<(&'a str, Vec<FactKinds>)>>;

fn difference(
    field: &str,
    group: &[&NodeRow<'_>],
    names: &[&str],
    symbols: &Symbols,
) -> Option<(String, Vec<String>)> {
    let raw: Vec<BTreeSet<&str>> = group
        .iter()
        .map(|cell| values(cell.fields, field).unwrap_or_default().iter().map(String::as_str).collect())
        .collect();
    let (first, others) = raw.split_first()?;
    if others.iter().all(|other| other == first) {
        return None;
    }
    // Values that all nodes have are equal. Only the others are compared as templates.
    let common: BTreeSet<&str> =
        first.iter().filter(|v| others.iter().all(|o| o.contains(*v))).copied().collect();
    let rest: Vec<Templates<'_>> = raw
        .iter()
        .zip(group)
        .map(|(values, cell)| {
            let mut templates = Templates::new();
            for value in values.difference(&common) {
                let template = symbols.template(value, Some(field), cell.who);
                templates.entry(template.text).or_default().push((value, template.kinds));
            }
            templates
        })
        .collect();
    let count = |of: &Templates<'_>| of.iter().map(|(t, v)| (t.clone(), v.len())).collect::<Vec<_>>();
    let counts: Vec<_> = rest.iter().map(count).collect();
    let sides = || counts.iter().map(|count| format!("{field}\n{count:?}\n")).collect();
    if counts.windows(2).all(|two| matches!(two, [a, b] if a == b)) {
        // Several values with the same template cannot be told apart. A single value must have the same meaning on
        // each node.
        let templates = rest.first().into_iter().flat_map(BTreeMap::keys);
        let mut unlike = templates.filter(|template| {
            let of = |node: &Templates<'_>| match node.get(*template).map(Vec::as_slice) {
                Some([(_, kinds)]) => Some(kinds.clone()),
                _ => None,
            };
            let of_nodes: Option<Vec<Vec<FactKinds>>> = rest.iter().map(of).collect();
            of_nodes.is_some_and(|all| !agree(all.iter().map(Vec::as_slice)))
        });
        unlike.next()?;
        let told = |(values, cell): (&BTreeSet<&str>, &&NodeRow<'_>)| {
            let values: Vec<&str> = values.difference(&common).copied().collect();
            format!("{}: {}", name(cell.who, names), values.join(", "))
        };
        let lines = some(raw.iter().zip(group).map(told));
        // The values alone do not show which node is right, so each distinct set of values is a variant of its own.
        let sides = raw.iter().map(|values| format!("{field}\n{values:?}\n")).collect();
        return Some((
            format!("the values of {field} do not mean the same on every node\n    {lines}"),
            sides,
        ));
    }
    let set = raw.iter().any(|values| values.len() > 1);
    let lines =
        if set { members(&rest, group, names, symbols) } else { variants(&rest, group, names, symbols) };
    Some((format!("{field} differs{}", lines.concat()), sides()))
}

/// Returns the members of a set that are not on all nodes.
fn members(rest: &[Templates<'_>], group: &[&NodeRow<'_>], names: &[&str], symbols: &Symbols) -> Vec<String> {
    let templates: BTreeSet<&str> = rest.iter().flat_map(|of| of.keys()).map(String::as_str).collect();
    let mut lines = Vec::new();
    for template in templates {
        let amount = |i: usize| rest.get(i).and_then(|of| of.get(template)).map_or(0, Vec::len);
        let most = (0..rest.len()).map(amount).max().unwrap_or(0);
        let (have, lack): (Vec<usize>, Vec<usize>) = (0..rest.len()).partition(|i| amount(*i) == most);
        if lack.is_empty() {
            continue;
        }
        let who = |of: &[usize]| some(of.iter().filter_map(|i| Some(name(group.get(*i)?.who, names))));
        let example = have.first().and_then(|i| rest.get(*i)?.get(template)?.first());
        let value = match (have.len(), example) {
            (1, Some((value, _))) => (*value).to_owned(),
            _ => symbols.show(template),
        };
        lines.push(if lack.len() <= have.len() {
            format!("\n    {value}: missing on {}", who(&lack))
        } else {
            format!("\n    {value}: only on {}", who(&have))
        });
    }
    lines
}

/// Returns the variants of a single value, with their nodes.
fn variants(
    rest: &[Templates<'_>],
    group: &[&NodeRow<'_>],
    names: &[&str],
    symbols: &Symbols,
) -> Vec<String> {
    let mut holders: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (i, of) in rest.iter().enumerate() {
        holders.entry(of.keys().next().map(String::as_str)).or_default().push(i);
    }
    let mut variants: Vec<(Option<&str>, Vec<usize>)> = holders.into_iter().collect();
    variants.sort_by_key(|(_, of)| of.len());
    let line = |(template, of): &(Option<&str>, Vec<usize>)| {
        let who = some(of.iter().filter_map(|i| Some(name(group.get(*i)?.who, names))));
        let value = match (template, of.as_slice()) {
            (None, _) => "nothing".to_owned(),
            (Some(template), [one]) => match group.get(*one) {
                Some(cell) => with_meaning(template, cell.who, symbols),
                None => symbols.show(template),
            },
            (Some(template), _) => symbols.show(template),
        };
        format!("\n    {who}: {value}")
    };
    variants.iter().map(line).collect()
}

/// Returns a value on one node and its meaning: `4 (<peer transit key>)`.
fn with_meaning(template: &str, who: RowOwner, symbols: &Symbols) -> String {
    let (value, meaning) = (symbols.fill(template, who), symbols.show(template));
    if value == meaning { value } else { format!("{value} ({meaning})") }
}

/// Returns the name of a node, with its peer for a row about a peer: `worker for peer worker-2`.
pub(super) fn name(who: RowOwner, names: &[&str]) -> String {
    let name = |i: usize| names.get(i).copied().unwrap_or("?");
    match who.peer {
        None => name(who.node).to_owned(),
        Some(peer) => format!("{} for peer {}", name(who.node), name(peer)),
    }
}

/// Returns the first few items and the number of the others.
pub(super) fn some(all: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 6;
    let mut all = all;
    let shown: Vec<String> = all.by_ref().take(SHOWN).collect();
    match all.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
