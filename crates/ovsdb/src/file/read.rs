//! Reads rows from the fragments of a file.

use std::sync::Arc;

use memchr::memmem::Finder;

use super::index::{RowFragment, since_insertion};
use super::{Database, scan};
use crate::row::Problem;
use crate::{ColumnSchema, Datum, Row, Rows, Select, SelectError, TableSchema, Uuid, decode};

/// Returns the matching rows of a table, which is given by its index in the schema.
pub(super) fn select(db: &Database, table: usize, select: &Select) -> Result<Rows, SelectError> {
    let Some(schema) = db.schema.tables.get(table) else {
        return Err(db.schema.unknown_table(&select.table).into());
    };
    let wanted = select.wanted(schema)?;
    let tested: Vec<bool> = schema
        .columns
        .iter()
        .map(|column| select.conditions.iter().any(|condition| condition.column() == column.name))
        .collect();
    let needles: Vec<Finder<'static>> = select
        .conditions
        .iter()
        .filter(|_| db.plain)
        .filter_map(|condition| condition.needle())
        .map(|needle| Finder::new(&needle).into_owned())
        .collect();
    let index = db.index.table(table);
    let mut rows = Vec::new();
    let mut consider = |uuid, chain: &[RowFragment]| {
        let may_match = needles.iter().all(|needle| {
            chain.iter().any(|fragment| needle.find(fragment.of(&db.text).as_bytes()).is_some())
        });
        if !may_match {
            return;
        }
        if !select.conditions.is_empty() && !select.matches(&read(db, schema, uuid, chain, &tested)) {
            return;
        }
        rows.push(read(db, schema, uuid, chain, &wanted));
    };
    match select.conditions.iter().find_map(crate::Condition::exact_uuid) {
        Some(uuid) => {
            let chain = since_insertion(index.fragments_of(uuid), &db.text);
            if !chain.is_empty() {
                consider(uuid, chain);
            }
        }
        None => index.chains(&db.text).for_each(|(uuid, chain)| consider(uuid, chain)),
    }
    Ok(Rows { table: Arc::clone(schema), columns: select.columns.clone(), rows })
}

/// Returns the row that results from its fragments up to some transaction, or `None` if the row does not exist then.
pub(super) fn row(db: &Database, table: usize, uuid: Uuid, fragments: &[RowFragment]) -> Option<Row> {
    let schema = db.schema.tables.get(table)?;
    let chain = since_insertion(fragments, &db.text);
    let all = vec![true; schema.columns.len()];
    (!chain.is_empty()).then(|| read(db, schema, uuid, chain, &all))
}

/// Reads the wanted columns of a row by replaying its fragments.
fn read(db: &Database, schema: &Arc<TableSchema>, uuid: Uuid, chain: &[RowFragment], wanted: &[bool]) -> Row {
    let mut row = Row::new(schema, uuid);
    let is_wanted = |at: usize| wanted.get(at).copied().unwrap_or_default();
    for (at, column) in schema.columns.iter().enumerate().filter(|(at, _)| is_wanted(*at)) {
        row.set(at, Some(column.ty.default_datum()));
    }
    for fragment in chain {
        let is_diff = db.index.records.get(fragment.record).is_some_and(|record| record.is_diff);
        scan::columns(fragment.of(&db.text), |name, text| {
            let Some(at) = schema.column_index(name) else {
                // Only a select of all columns reports an unknown column.
                if wanted.iter().all(|wanted| *wanted) {
                    row.problems.push(problem(name, text, "the schema has no such column".to_owned()));
                }
                return;
            };
            let Some(column) = schema.columns.get(at).filter(|_| is_wanted(at)) else { return };
            let (value, wrong) = decode::from_text(text, &column.ty);
            let before = row.take(at);
            let value = if is_diff && is_difference(before.as_ref(), column) {
                before.zip(value).map(|(before, change)| before.with_difference(change))
            } else {
                // The new value replaces an earlier one that did not fit.
                row.problems.retain(|problem| problem.column != name);
                value
            };
            row.problems.extend(wrong.map(|reason| problem(name, text, reason)));
            row.set(at, value);
        });
    }
    row
}

/// Returns true if a transaction with `_is_diff` contains a difference for this value and not a new value. Columns with
/// at most one element get a new value (`ovsdb-server(7)`, section 4.1.14), and so do values that were never written,
/// as in a new row.
///
/// A value equal to the default counts as never written, as it does for `ovsdb-server` when it loads a file. If the
/// default has an element (`"min": 1`), the server of version 3.1 nevertheless writes a difference. Its own reader then
/// gets a value that differs from the one in memory, and so does this one.
fn is_difference(before: Option<&Datum>, column: &ColumnSchema) -> bool {
    column.ty.max > 1 && before.is_none_or(|before| *before != column.ty.default_datum())
}

fn problem(column: &str, text: &str, reason: String) -> Problem {
    Problem { column: column.to_owned(), found: decode::cut(text), reason }
}
