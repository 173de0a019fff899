//! The rows of a table that a query selects, for every database.

use crate::{
    Labels, Parents, PartsOf, is_called, label, label_columns, name_conditions, owners, owners_selects,
    parts, parts_selects,
};
use ovsdb::{
    Atom, Condition, ConditionError, Datum, Op, Row, Rows, Schema, Select, TableSchema, Uuid, print,
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

/// A database that returns rows.
pub trait Source: Sync {
    /// The error of the database.
    type Failed;

    /// Returns rows, one [`Rows`] per select, all from the same moment.
    fn rows(&self, selects: &[Select]) -> impl Future<Output = Result<Vec<Rows>, Self::Failed>> + Send;
}

/// A query for rows of a table and their columns.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The table, as a person writes it.
    pub table: String,
    /// A single row: its name, its UUID or the first digits of its UUID.
    pub record: Option<String>,
    /// The name of an object. The query selects only rows that belong to it.
    pub of: Option<String>,
    /// The conditions that rows must meet: column or `column:key`, operator, value.
    pub conditions: Vec<(String, Op, String)>,
    /// The columns to show. An empty list means all columns with a value.
    pub columns: Vec<String>,
    /// Whether the rows are compared with another node's. Then all columns are read, and a missing row may exist
    /// elsewhere.
    pub compared: bool,
}

/// The reason why a query returned no rows.
#[derive(Debug)]
pub enum NoRecords<Failed> {
    /// No object has the name.
    Unknown {
        /// The kind of the missing object.
        kind: String,
        /// The given name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The query is invalid.
    Bad {
        /// The problem with the query.
        problem: String,
        /// The correction of the query.
        hint: String,
    },
    /// The database could not be read.
    Read(Failed),
}

impl<Failed> From<Failed> for NoRecords<Failed> {
    fn from(failed: Failed) -> Self {
        Self::Read(failed)
    }
}

/// The rows that a query selected.
#[derive(Debug)]
pub struct Records {
    /// The rows by name, then UUID.
    pub rows: Rows,
    /// The columns to show. An empty list means all columns with a value.
    pub columns: Vec<String>,
    /// The names of the rows that these rows refer to.
    pub labels: Labels,
    /// The rows that refer to these rows.
    pub owners: BTreeMap<Uuid, Vec<String>>,
    /// The text of the answer if there is no row.
    pub if_empty: String,
    /// The UUIDs of the selected rows if all rows were read for a comparison. `None` means that all rows are
    /// selected.
    asked: Option<BTreeSet<Uuid>>,
}

impl Query {
    /// Runs the query on a database.
    pub async fn ask<S: Source>(&self, source: &S, schema: &Schema) -> Result<Records, NoRecords<S::Failed>> {
        let table = find_table(schema, &self.table)?;
        let columns = find_columns(&table, &self.columns)?;
        let select = self.select(&table, &columns)?;
        let mut rows = match (&self.record, &self.of) {
            (Some(record), None) => self.record(source, &table, select, record).await?,
            (None, Some(of)) => self.parts(source, schema, &table, select, of).await?,
            (None, None) => one(&table, source.rows(&[select]).await?),
            (Some(_), Some(_)) => {
                return Err(NoRecords::Bad {
                    problem: "`record` and `of` cannot be combined".into(),
                    hint: "Pass `record` for one row by its name, or `of` for all rows of a parent.".into(),
                });
            }
        };
        let filtered = self.record.is_some() || self.of.is_some() || !self.conditions.is_empty();
        let mut asked = None;
        if self.compared && filtered {
            // A row that does not match here may be the counterpart of a matching row on another node.
            asked = Some(rows.rows.iter().map(|row| row.uuid).collect());
            rows = one(&table, source.rows(&[Select::from(table.name.as_str())]).await?);
        }
        rows.rows.sort_by_cached_key(|row| (label(row), row.uuid));
        let if_empty = match filtered {
            true => format!("no row of {} matches{}", table.name, self.conditions_in_words()),
            false => format!("table {} is empty", table.name),
        };
        let (labels, owners) = meaning(source, schema, &rows).await?;
        Ok(Records { rows, columns, labels, owners, if_empty, asked })
    }

    /// Returns the columns that conditions test.
    pub fn condition_columns(&self) -> impl Iterator<Item = &str> {
        self.conditions
            .iter()
            .map(|(column, ..)| column.split_once(':').map_or(column.as_str(), |(column, _)| column))
    }

    /// Returns the conditions as they were understood: ` priority == "1001" and type != "router"`.
    fn conditions_in_words(&self) -> String {
        let word = |(column, op, value): &(String, Op, String)| format!("{column} {op} {value:?}");
        let words: Vec<String> = self.conditions.iter().map(word).collect();
        if words.is_empty() { String::new() } else { format!(" {}", words.join(" and ")) }
    }

    /// Returns the select of the table. It includes the columns that the names of rows need. A comparison reads all
    /// columns, because any of them can show how a row relates to other nodes.
    fn select<F>(&self, table: &TableSchema, columns: &[String]) -> Result<Select, NoRecords<F>> {
        let mut select = Select::from(table.name.as_str());
        if !columns.is_empty() && !self.compared {
            let all: BTreeSet<&str> =
                columns.iter().map(String::as_str).chain(label_columns(table)).collect();
            select = select.columns(all);
        }
        for (column, op, value) in &self.conditions {
            let condition =
                Condition::parse(table, column, *op, value).map_err(|e| bad_condition(table, &e))?;
            select = select.filter(condition);
        }
        Ok(select)
    }

    /// Returns the rows with this name, UUID or beginning of a UUID.
    async fn record<S: Source>(
        &self,
        source: &S,
        table: &Arc<TableSchema>,
        select: Select,
        record: &str,
    ) -> Result<Rows, NoRecords<S::Failed>> {
        if let Ok(uuid) = record.parse::<Uuid>() {
            let rows = one(table, source.rows(&[by_uuid(&select, uuid)]).await?);
            if !rows.rows.is_empty() {
                return Ok(rows);
            }
        }
        // The port of a pod has the name `<namespace>_<pod>`.
        let names = [record.to_owned(), record.replacen('/', "_", 1)];
        let conditions = names.iter().flat_map(|name| name_conditions(table, name));
        let mut selects: Vec<Select> = conditions.map(|condition| select.clone().filter(condition)).collect();
        if matches!(record, ".") || selects.is_empty() {
            selects = vec![select.clone()];
        }
        let found = merged(table, source.rows(&selects).await?);
        if !found.rows.is_empty() {
            return Ok(found);
        }
        let all = Select::from(table.name.as_str()).columns(label_columns(table));
        let all = one(table, source.rows(&[all]).await?);
        let digits = record.to_ascii_lowercase();
        let is_prefix = digits.len() >= 4 && digits.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let begins = |row: &Row| is_prefix && row.uuid.to_string().starts_with(&digits);
        let meant = all.rows.iter().filter(|row| is_called(row, record) || begins(row));
        let selects: Vec<Select> = meant.map(|row| by_uuid(&select, row.uuid)).collect();
        if !selects.is_empty() {
            return Ok(merged(table, source.rows(&selects).await?));
        }
        if self.compared {
            // The row may exist on another node, which a comparison shows.
            return Ok(found);
        }
        let known = all.rows.iter().map(label).collect();
        Err(NoRecords::Unknown { kind: format!("row of {}", table.name), name: record.into(), known })
    }

    /// Returns the rows that belong to an object.
    async fn parts<S: Source>(
        &self,
        source: &S,
        schema: &Schema,
        table: &Arc<TableSchema>,
        select: Select,
        of: &str,
    ) -> Result<Rows, NoRecords<S::Failed>> {
        let named = Parents::Named(of);
        let selects = parts_selects(schema, &table.name, &named);
        if selects.is_empty() {
            return Err(NoRecords::Bad {
                problem: format!("rows of {} do not belong to a named object", table.name),
                hint: "Omit `of`; filter with `where` or `grep` instead.".into(),
            });
        }
        let mut found: PartsOf = parts(schema, &table.name, &named, &source.rows(&selects).await?);
        if found.found.is_empty() {
            let tables: BTreeSet<&str> = selects.iter().map(|select| select.table.as_str()).collect();
            let columns = |name: &&str| Some(Select::from(*name).columns(label_columns(schema.table(name)?)));
            let all: Vec<Select> = tables.iter().filter_map(columns).collect();
            let names = source.rows(&all).await?;
            let all = || names.iter().flat_map(|rows| &rows.rows);
            // The text may be a label as answers print it.
            let called: BTreeSet<Uuid> = all().filter(|row| is_called(row, of)).map(|row| row.uuid).collect();
            if called.is_empty() && !self.compared {
                return Err(NoRecords::Unknown {
                    kind: tables.into_iter().collect::<Vec<_>>().join(" or "),
                    name: of.into(),
                    known: all().map(label).collect(),
                });
            }
            let called = Parents::Rows(called);
            let selects = parts_selects(schema, &table.name, &called);
            found = parts(schema, &table.name, &called, &source.rows(&selects).await?);
        }
        let selects = found.selects(&select);
        let mut rows = match selects.is_empty() {
            true => one(table, Vec::new()),
            false => merged(table, source.rows(&selects).await?),
        };
        rows.rows.retain(|row| found.contains(row));
        Ok(rows)
    }
}

/// Returns the names of the rows that these rows refer to, and of the rows that refer to them.
async fn meaning<S: Source>(
    source: &S,
    schema: &Schema,
    rows: &Rows,
) -> Result<(Labels, BTreeMap<Uuid, Vec<String>>), S::Failed> {
    let mut selects = Labels::selects(schema, rows);
    let references = selects.len();
    selects.extend(owners_selects(schema, &rows.table.name));
    let mut labels = Labels::default();
    let read = match selects.is_empty() || rows.rows.is_empty() {
        true => Vec::new(),
        false => source.rows(&selects).await?,
    };
    read.iter().take(references).for_each(|rows| labels.add(rows));
    Ok((labels, owners(&rows.table.name, read.get(references..).unwrap_or_default())))
}

impl Records {
    /// Returns a row as the client prints it, without empty columns, with names for references and with its owner. If
    /// the query names columns, the text has these columns only.
    ///
    /// `instead` returns the text that replaces a column's value if the row does not have the original value.
    pub fn text(&self, row: &Row, instead: impl Fn(&Row, &str) -> Option<String>) -> String {
        let mut text = String::new();
        if self.columns.is_empty() || self.columns.iter().any(|name| name == "_uuid") {
            _ = writeln!(text, "{:<20}: {}", "_uuid", row.uuid);
        }
        if let Some(owners) = self.owners.get(&row.uuid).filter(|_| self.columns.is_empty()) {
            _ = writeln!(text, "{:<20}: {}", "(of)", owners.join(", "));
        }
        let all = || row.table.columns.iter().map(|column| column.name.as_str());
        let names: Vec<&str> = if self.columns.is_empty() {
            all().collect()
        } else {
            self.columns.iter().map(String::as_str).collect()
        };
        for name in names.into_iter().filter(|name| *name != "_uuid") {
            if let Some(value) = instead(row, name) {
                _ = writeln!(text, "{name:<20}: {value}");
                continue;
            }
            let empty = row.get(name).is_none_or(Datum::is_empty) || row.text(name) == Some("");
            // A column that was requested by name is shown even if it is empty.
            if empty && self.columns.is_empty() {
                continue;
            }
            _ = writeln!(text, "{name:<20}: {}", self.cell(row, name));
        }
        text
    }

    /// Returns a row as a JSON object for scripts, with the same columns and names as [`Self::text`]: a map is an
    /// object, a set is an array, a single value or none is that value or null. `(of)` lists the owners.
    pub fn object(&self, row: &Row, instead: impl Fn(&Row, &str) -> Option<String>) -> Value {
        let mut object = Map::new();
        if self.columns.is_empty() || self.columns.iter().any(|name| name == "_uuid") {
            object.insert("_uuid".into(), row.uuid.to_string().into());
        }
        if let Some(owners) = self.owners.get(&row.uuid).filter(|_| self.columns.is_empty()) {
            object.insert("(of)".into(), owners.clone().into());
        }
        for column in &row.table.columns {
            let (name, datum) = (column.name.as_str(), row.get(&column.name));
            let is_asked = self.columns.iter().any(|asked| asked == name);
            let is_empty = datum.is_none_or(Datum::is_empty) || row.text(name) == Some("");
            if !is_asked && (is_empty || !self.columns.is_empty()) {
                continue;
            }
            let refers = [Some(&column.ty.key), column.ty.value.as_ref()];
            let refers = refers.into_iter().flatten().any(|ty| ty.ref_table.is_some());
            let value = match (instead(row, name), datum) {
                (Some(text), _) => text.into(),
                (None, Some(datum)) => {
                    self.value(datum, refers, column.ty.is_scalar() || column.ty.is_optional())
                }
                (None, None) => Value::Null,
            };
            object.insert(name.into(), value);
        }
        object.into()
    }

    fn value(&self, datum: &Datum, refers: bool, is_single: bool) -> Value {
        let atom = |atom: &Atom| match atom {
            Atom::Integer(number) => (*number).into(),
            Atom::Real(number) => (*number).into(),
            Atom::Boolean(truth) => (*truth).into(),
            Atom::String(text) => text.to_string().into(),
            Atom::Uuid(uuid) if refers => self.labels.get(*uuid).into(),
            Atom::Uuid(uuid) => uuid.to_string().into(),
        };
        let key = |key: &Atom| match atom(key) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match datum {
            Datum::Map(pairs) => {
                Value::Object(pairs.iter().map(|(name, value)| (key(name), atom(value))).collect())
            }
            set if is_single => set.atoms().first().map_or(Value::Null, atom),
            set => Value::Array(set.atoms().iter().map(atom).collect()),
        }
    }

    fn cell(&self, row: &Row, name: &str) -> String {
        // A UUID that refers to no table, such as that of a row of another database, has no name.
        let refers = row.table.column(name).is_some_and(|column| column.ty.key.ref_table.is_some());
        let mut refs: Vec<String> =
            if refers { row.refs(name).map(|uuid| self.labels.get(uuid)).collect() } else { Vec::new() };
        if refs.is_empty() {
            return print::cell(row, name).unwrap_or_default();
        }
        refs.sort();
        format!("[{}]", refs.join(", "))
    }

    /// Returns whether the query selects this row.
    pub fn is_row_asked(&self, row: &Row) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(&row.uuid))
    }

    /// Returns the requested columns and keys that are not compared with other nodes.
    pub fn left_out(&self) -> Vec<String> {
        crate::compare::left_out(&self.rows).into_iter().filter(|name| self.is_asked(name)).collect()
    }

    /// Returns whether the query requests this field, a column or `column:key`.
    pub fn is_asked(&self, field: &str) -> bool {
        let column = field.split_once(':').map_or(field, |(column, _)| column);
        self.columns.is_empty() || self.columns.iter().any(|asked| asked == column)
    }
}

fn by_uuid(select: &Select, uuid: Uuid) -> Select {
    select.clone().filter(Condition::is("_uuid", uuid))
}

/// Merges the results of several selects on one table without repeating a row.
fn merged(table: &Arc<TableSchema>, results: Vec<Rows>) -> Rows {
    let mut results = results.into_iter();
    let mut all = one(table, results.by_ref().take(1).collect());
    let mut seen: BTreeSet<Uuid> = all.rows.iter().map(|row| row.uuid).collect();
    all.rows.extend(results.flat_map(|rows| rows.rows).filter(|row| seen.insert(row.uuid)));
    all
}

/// Returns the result of a single select.
fn one(table: &Arc<TableSchema>, results: Vec<Rows>) -> Rows {
    let none = || Rows { table: table.clone(), columns: None, rows: Vec::new() };
    results.into_iter().next().unwrap_or_else(none)
}

/// Returns a table by its name as the clients accept it: case is ignored, and `-` stands for `_`.
fn find_table<F>(schema: &Schema, name: &str) -> Result<Arc<TableSchema>, NoRecords<F>> {
    schema.find_table(name).cloned().map_err(|_| NoRecords::Unknown {
        kind: format!("table of {} {}", schema.name, schema.version),
        name: name.into(),
        known: schema.tables.iter().map(|table| table.name.clone()).collect(),
    })
}

fn find_columns<F>(table: &TableSchema, names: &[String]) -> Result<Vec<String>, NoRecords<F>> {
    let find = |name: &String| match name.as_str() {
        "_uuid" => Ok(name.clone()),
        name => table.find_column(name).map(|column| column.name.clone()).map_err(|_| NoRecords::Unknown {
            kind: format!("column of {}", table.name),
            name: name.into(),
            known: table.columns.iter().map(|column| column.name.clone()).collect(),
        }),
    };
    names.iter().filter(|name| !name.is_empty()).map(find).collect()
}

fn bad_condition<F>(table: &TableSchema, e: &ConditionError) -> NoRecords<F> {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    NoRecords::Bad {
        problem: e.to_string(),
        hint: format!("The columns of {} are: {}.", table.name, columns.join(", ")),
    }
}
