//! Rows of a table, as `list` of both databases answers.

use crate::{compare::OwnValues, types::ListParams};
use mcp_core::{Answer, Db, Node, Row as AnswerRow, ToolError};
use ovn_model::{
    Labels, label, label_columns, name_conditions, owners, owners_selects, parts, parts_selects,
};
use ovsdb::{Condition, ConditionError, Row, Rows, Schema, Select, TableSchema, Uuid, print};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Answers for one node.
pub(crate) async fn list(node: &Node<'_>, db: Db, params: &ListParams) -> Result<Answer, ToolError> {
    let schema = node.schema(db).await?;
    let table = find_table(&schema, &params.table)?;
    let columns = find_columns(table, &params.columns)?;
    let conditions = params.conditions.iter().map(|c| {
        Condition::parse(table, &c.column, c.op.into(), &c.value).map_err(|e| bad_condition(table, &e))
    });
    let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
    let select = conditions.into_iter().fold(select_of(table, &columns, node.is_compared()), Select::filter);
    let mut rows = match (&params.record, &params.of) {
        (Some(record), None) => record_rows(node, db, table, select, record).await?,
        (None, Some(of)) => part_rows(node, db, &schema, table, select, of).await?,
        (None, None) => one(node.rows(db, &[select]).await?)?,
        (Some(_), Some(_)) => {
            return Err(ToolError::bad(
                "record and of are both given",
                "record is one row by its own name, of is all rows of a parent.",
            ));
        }
    };
    rows.rows.sort_by_cached_key(|row| (label(row), row.uuid));
    let filtered = params.record.is_some() || params.of.is_some() || !params.conditions.is_empty();
    let if_empty = match filtered {
        true => format!("no row of {} fits", table.name),
        false => format!("table {} is empty", table.name),
    };
    Ok(Answer { if_empty, ..answer(node, db, &schema, &rows, &columns).await? })
}

/// The rows as text, with the names of what they refer to.
async fn answer(
    node: &Node<'_>,
    db: Db,
    schema: &Schema,
    rows: &Rows,
    columns: &[String],
) -> Result<Answer, ToolError> {
    let mut selects = Labels::selects(schema, rows);
    let references = selects.len();
    selects.extend(owners_selects(schema, &rows.table.name));
    let mut labels = Labels::default();
    let read =
        if selects.is_empty() || rows.rows.is_empty() { Vec::new() } else { node.rows(db, &selects).await? };
    read.iter().take(references).for_each(|rows| labels.add(rows));
    let owners = owners(&rows.table.name, read.get(references..).unwrap_or_default());
    let own = OwnValues::read(node).await?;
    let row = |row: &Row| {
        let text = text(row, columns, &labels, &owners);
        match node.is_compared() {
            true => {
                let mut identity = own.identity(row, &labels, &owners);
                identity.fields.retain(|field| is_asked(&field.name, columns));
                AnswerRow::with(text, identity)
            }
            false => AnswerRow::line(text),
        }
    };
    Ok(Answer {
        rows: rows.rows.iter().map(row).collect(),
        if_empty: String::new(),
        notes: rows.problems().map(|(uuid, problem)| format!("{uuid}: {problem}")).collect(),
        facts: own.facts(),
    })
}

/// Is this field, a column or `column:key`, among the columns asked for?
fn is_asked(field: &str, columns: &[String]) -> bool {
    let column = field.split_once(':').map_or(field, |(column, _)| column);
    columns.is_empty() || columns.iter().any(|asked| asked == column)
}

/// A record: as the client prints it, without empty columns, with names for references and with its owner.
fn text(row: &Row, columns: &[String], labels: &Labels, owners: &BTreeMap<Uuid, Vec<String>>) -> String {
    let mut text = format!("{:<20}: {}\n", "_uuid", row.uuid);
    if let Some(owners) = owners.get(&row.uuid) {
        _ = writeln!(text, "{:<20}: {}", "(of)", owners.join(", "));
    }
    let all = || row.table.columns.iter().map(|column| column.name.as_str());
    let names: Vec<&str> =
        if columns.is_empty() { all().collect() } else { columns.iter().map(String::as_str).collect() };
    for name in names.into_iter().filter(|name| *name != "_uuid") {
        let empty = row.get(name).is_none_or(ovsdb::Datum::is_empty) || row.text(name) == Some("");
        let column = row.table.column(name);
        // A UUID that refers to no table, such as that of a row of another database, is only a UUID.
        let refers = column.is_some_and(|column| column.ty.key.ref_table.is_some());
        let refs: Vec<String> =
            if refers { row.refs(name).map(|uuid| labels.get(uuid)).collect() } else { Vec::new() };
        // What was asked for by name is shown even if it is empty.
        if empty && columns.is_empty() {
            continue;
        }
        let value = match refs.as_slice() {
            [] => print::cell(row, name).unwrap_or_default(),
            refs => {
                let mut refs = refs.to_vec();
                refs.sort();
                format!("[{}]", refs.join(", "))
            }
        };
        _ = writeln!(text, "{name:<20}: {value}");
    }
    text
}

/// The rows of one name, UUID or beginning of a UUID.
async fn record_rows(
    node: &Node<'_>,
    db: Db,
    table: &TableSchema,
    select: Select,
    record: &str,
) -> Result<Rows, ToolError> {
    if let Ok(uuid) = record.parse::<Uuid>() {
        let rows = one(node.rows(db, &[by_uuid(select.clone(), uuid)]).await?)?;
        if !rows.rows.is_empty() {
            return Ok(rows);
        }
    }
    // A pod's port is named `<namespace>_<pod>`.
    let names = [record.to_owned(), record.replacen('/', "_", 1)];
    let conditions = names.iter().flat_map(|name| name_conditions(table, name));
    let mut selects: Vec<Select> = conditions.map(|condition| select.clone().filter(condition)).collect();
    if matches!(record, ".") || selects.is_empty() {
        selects = vec![select.clone()];
    }
    let mut found = merged(node.rows(db, &selects).await?)?;
    if !found.rows.is_empty() {
        return Ok(found);
    }
    let all = one(node.rows(db, &[Select::from(table.name.as_str()).columns(label_columns(table))]).await?)?;
    let digits = record.to_ascii_lowercase();
    let is_prefix = digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let begins: Vec<Uuid> = all
        .rows
        .iter()
        .map(|row| row.uuid)
        .filter(|uuid| is_prefix && uuid.to_string().starts_with(&digits))
        .collect();
    if !begins.is_empty() {
        let selects: Vec<Select> = begins.into_iter().map(|uuid| by_uuid(select.clone(), uuid)).collect();
        found = merged(node.rows(db, &selects).await?)?;
        return Ok(found);
    }
    if node.is_compared() {
        // Not here, but perhaps on another node: that is what is asked.
        return Ok(found);
    }
    Err(ToolError::not_found(format!("row of {}", table.name), record, all.rows.iter().map(label)))
}

/// The rows that belong to something.
async fn part_rows(
    node: &Node<'_>,
    db: Db,
    schema: &Schema,
    table: &TableSchema,
    select: Select,
    of: &str,
) -> Result<Rows, ToolError> {
    let selects = parts_selects(schema, &table.name, of);
    if selects.is_empty() {
        return Err(ToolError::bad(
            format!("rows of {} belong to nothing that has a name", table.name),
            "Leave out `of`; `where` and `grep` filter as well.",
        ));
    }
    let read = node.rows(db, &selects).await?;
    let parts = parts(schema, &table.name, of, &read);
    let empty = Rows { table: select_table(schema, &table.name)?, columns: None, rows: Vec::new() };
    if parts.found.is_empty() {
        if node.is_compared() {
            return Ok(empty);
        }
        let tables: BTreeSet<&str> = selects.iter().map(|select| select.table.as_str()).collect();
        let all: Vec<Select> = tables
            .iter()
            .filter_map(|name| Some(Select::from(*name).columns(label_columns(schema.table(name)?))))
            .collect();
        let names = node.rows(db, &all).await?;
        let kinds = tables.into_iter().collect::<Vec<_>>().join(" or ");
        return Err(ToolError::not_found(
            kinds,
            of,
            names.iter().flat_map(|rows| rows.rows.iter().map(label)),
        ));
    }
    let selects = parts.selects(&select);
    if selects.is_empty() {
        return Ok(empty);
    }
    let mut rows = merged(node.rows(db, &selects).await?)?;
    rows.rows.retain(|row| parts.contains(row));
    Ok(rows)
}

fn by_uuid(select: Select, uuid: Uuid) -> Select {
    select.filter(Condition::is("_uuid", uuid))
}

/// The results of several selects on one table as one, without repeating a row.
fn merged(results: Vec<Rows>) -> Result<Rows, ToolError> {
    let mut results = results.into_iter();
    let mut all = one(results.by_ref().take(1).collect())?;
    let mut seen: BTreeSet<Uuid> = all.rows.iter().map(|row| row.uuid).collect();
    all.rows.extend(results.flat_map(|rows| rows.rows).filter(|row| seen.insert(row.uuid)));
    Ok(all)
}

/// The result of the one select that was asked.
pub(crate) fn one(results: Vec<Rows>) -> Result<Rows, ToolError> {
    let lost = || ToolError::bad("the source answered nothing", "Ask again.");
    results.into_iter().next().ok_or_else(lost)
}

fn select_table(schema: &Schema, name: &str) -> Result<std::sync::Arc<TableSchema>, ToolError> {
    schema.table(name).cloned().ok_or_else(|| unknown_table(schema, name))
}

/// The select of a table: with the columns asked for, those that its label needs; to be compared, all, since what a row
/// is to other nodes can show in any of them.
fn select_of(table: &TableSchema, columns: &[String], compared: bool) -> Select {
    let select = Select::from(table.name.as_str());
    if columns.is_empty() || compared {
        return select;
    }
    let all: BTreeSet<&str> = columns.iter().map(String::as_str).chain(label_columns(table)).collect();
    select.columns(all)
}

/// A table by its name, as the clients take it: without regard to case, `-` for `_`.
fn find_table<'a>(schema: &'a Schema, name: &str) -> Result<&'a TableSchema, ToolError> {
    schema.find_table(name).map(|table| &**table).map_err(|_| unknown_table(schema, name))
}

fn unknown_table(schema: &Schema, name: &str) -> ToolError {
    let known = schema.tables.iter().map(|table| table.name.as_str());
    ToolError::not_found(format!("table of {} {}", schema.name, schema.version), name, known)
}

fn find_columns(table: &TableSchema, names: &[String]) -> Result<Vec<String>, ToolError> {
    let find = |name: &String| match name.as_str() {
        "_uuid" => Ok(name.clone()),
        name => {
            table.find_column(name).map(|column| column.name.clone()).map_err(|_| unknown_column(table, name))
        }
    };
    names.iter().filter(|name| !name.is_empty()).map(find).collect()
}

fn unknown_column(table: &TableSchema, name: &str) -> ToolError {
    let known = table.columns.iter().map(|column| column.name.as_str());
    ToolError::not_found(format!("column of {}", table.name), name, known)
}

fn bad_condition(table: &TableSchema, e: &ConditionError) -> ToolError {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    ToolError::bad(e.to_string(), format!("The columns of {} are: {}.", table.name, columns.join(", ")))
}
