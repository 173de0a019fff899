//! Compares rows whose order matters, such as the rules of a chain.

use super::{Difference, GroupKey, NodeRow, RowGroup, compare::some, symbols::NodeIndex};
use crate::Row;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of each list by group. The groups have no particular order.
type RowLists<'a> = BTreeMap<&'a str, Vec<ListedRow<'a>>>;

/// A row of a list and the nodes that have it.
type ListedRow<'a> = (&'a GroupKey, BTreeMap<NodeIndex, &'a NodeRow<'a>>);

/// Returns the lists whose common rows are in a different order on some node.
pub(super) fn compare(
    groups: &BTreeMap<GroupKey, RowGroup<'_>>,
    names: &[&str],
    is_asked: impl Fn(&Row) -> bool,
) -> Vec<Difference> {
    let mut lists = RowLists::new();
    for (key, group) in groups {
        let sequence = group.iter().find_map(|cell| cell.row.identity.as_ref()?.sequence.as_deref());
        if let Some(sequence) = sequence {
            let rows = group.iter().map(|cell| (cell.who.node, cell)).collect();
            lists.entry(sequence).or_default().push((key, rows));
        }
    }
    lists.into_iter().filter_map(|(name, rows)| difference(name, &rows, names, &is_asked)).collect()
}

fn difference(
    name: &str,
    rows: &[ListedRow<'_>],
    names: &[&str],
    is_asked: &impl Fn(&Row) -> bool,
) -> Option<Difference> {
    let nodes: BTreeSet<NodeIndex> = rows.iter().flat_map(|(_, of)| of.keys().copied()).collect();
    let common: Vec<_> = rows.iter().filter(|(_, of)| of.len() == nodes.len()).collect();
    if !common.iter().any(|(_, of)| of.values().any(|cell| is_asked(cell.row))) {
        return None;
    }
    let in_order = |node: NodeIndex| {
        let mut rows: Vec<_> = common.iter().filter_map(|(key, of)| Some((*of.get(&node)?, *key))).collect();
        rows.sort_by_key(|(cell, _)| cell.at);
        rows
    };
    let mut orders: BTreeMap<Vec<&GroupKey>, Vec<NodeIndex>> = BTreeMap::new();
    for node in &nodes {
        orders.entry(in_order(*node).into_iter().map(|(_, key)| key).collect()).or_default().push(*node);
    }
    let mut orders: Vec<(Vec<&GroupKey>, Vec<NodeIndex>)> = orders.into_iter().collect();
    orders.sort_by_key(|(_, nodes)| nodes.len());
    let [(odd, few), .., (usual, _)] = orders.as_slice() else { return None };
    let from = odd.iter().zip(usual).position(|(a, b)| a != b)?;
    let is_different = |at: usize| odd.get(at) != usual.get(at);
    let to = (from..odd.len()).rev().find(|at| is_different(*at))?;
    /// The number of rows that is enough to see which rows changed places.
    const SHOWN: usize = 8;
    let told = |node: NodeIndex| {
        let rows = in_order(node).into_iter().skip(from).take((to - from + 1).min(SHOWN));
        rows.map(|(cell, _)| format!("\n    {}", cell.row.text.trim())).collect::<String>()
    };
    let who = |nodes: &[NodeIndex]| {
        some(nodes.iter().filter_map(|node| names.get(*node)).map(|name| (*name).to_owned()))
    };
    let rows = orders
        .iter()
        .take(3)
        .filter_map(|(_, nodes)| Some(format!("\n  on {}:{}", who(nodes), told(*nodes.first()?))))
        .collect();
    Some(Difference { text: format!("{name}: the order of its rows differs on {}", who(few)), rows })
}
