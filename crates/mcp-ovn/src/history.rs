//! The transactions of a database: what changed, when, and which client changed it.

use jiff::Timestamp;
use mcp_core::{Answer, Db, Node, Row, ToolError, moment, redact_datum};
use ovn_model::label;
use ovsdb::{Atom, ChangeKind, ChangedRow, Database, Datum, RowChange, Transaction, Uuid, print};
use std::{collections::BTreeSet, fmt::Write, sync::Arc};

/// The ends of the time range as the caller wrote them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits<'a> {
    pub(crate) since: Option<&'a str>,
    pub(crate) until: Option<&'a str>,
}

/// The time range that the caller wants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Window {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Window {
    /// Parses both ends of the range. Ages count back from `as_of`, the time at which the database was read or
    /// collected.
    fn parse(limits: TimeLimits<'_>, as_of: Option<Timestamp>) -> Result<Self, ToolError> {
        let time = |name, text: Option<&str>| text.map(|text| moment(name, text, as_of)).transpose();
        Ok(Self { since: time("since", limits.since)?, until: time("until", limits.until)? })
    }

    fn contains(&self, when: Option<Timestamp>) -> bool {
        match when {
            Some(when) => {
                self.since.is_none_or(|since| when >= since) && self.until.is_none_or(|until| when < until)
            }
            None => *self == Self::default(),
        }
    }
}

/// Lists the transactions of one node's database, newest first.
pub(crate) async fn answer(node: &Node<'_>, db: Db, limits: TimeLimits<'_>) -> Result<Answer, ToolError> {
    let database: Arc<Database> = node.database(db).await?;
    let window = Window::parse(limits, node.as_of())?;
    let of_time = |t: &Transaction<'_>| window.contains(time(t));
    let selected: Vec<Transaction<'_>> = database.transactions().rev().filter(of_time).collect();
    let similar = selected.chunk_by(|a, b| is_heartbeat(&database, a) && is_heartbeat(&database, b));
    let rows: Vec<Row> = similar.map(|several| Row::line(folded(&database, several))).collect();
    let first = database.transactions().next().and_then(|t| time(&t));
    let mut notes = Vec::new();
    if let Some(first) = first {
        notes.push(format!(
            "the log begins at {}: ovsdb-server discards older transactions when it compacts its file",
            first.strftime("%Y-%m-%dT%H:%M:%SZ")
        ));
    }
    Ok(Answer { rows, if_empty: "no transaction in this time range".into(), notes, ..Answer::default() })
}

fn time(transaction: &Transaction<'_>) -> Option<Timestamp> {
    transaction.date_ms().and_then(|ms| Timestamp::from_millisecond(ms).ok())
}

/// Prints the time of a transaction, to the millisecond.
fn time_text(transaction: &Transaction<'_>) -> String {
    time(transaction).map_or("time unknown".into(), |t| t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Returns whether a transaction only writes the time stamp by which ovnkube-controller measures how fast changes reach
/// the southbound database (`options:e2e_timestamp`, every 30 seconds).
fn is_heartbeat(database: &Database, transaction: &Transaction<'_>) -> bool {
    let changes = transaction.changes();
    let is_stamp = |change: &ChangedRow| {
        let is_global = matches!(change.table.as_str(), "NB_Global" | "SB_Global");
        let Ok(rows) = transaction.row(&change.table, change.uuid) else { return false };
        let options = |row: &Option<ovsdb::Row>| {
            elements(database, row.as_ref().and_then(|row| row.get("options")).cloned())
        };
        let (before, after) = (options(&rows.before), options(&rows.after));
        is_global
            && change.kind == ChangeKind::Modify
            && rows.columns().all(|column| column == "options")
            && before.symmetric_difference(&after).all(|option| option.starts_with("e2e_timestamp="))
    };
    !changes.is_empty() && changes.iter().all(is_stamp)
}

/// Prints a transaction, or several consecutive ones that only write the time stamp, as one row.
fn folded(database: &Database, several: &[Transaction<'_>]) -> String {
    match several {
        [] => String::new(),
        [one] => text(database, one),
        [newest, .., oldest] => format!(
            "{} to {} #{} to #{}: {} transactions changed only options:e2e_timestamp, which ovnkube-controller writes every 30 s",
            time_text(oldest),
            time_text(newest),
            oldest.record_number(),
            newest.record_number(),
            several.len()
        ),
    }
}

/// Prints a transaction: `2026-11-22T08:21:54.478Z #3 ovn-nbctl: …`, and one line for each row that it changed.
fn text(database: &Database, transaction: &Transaction<'_>) -> String {
    /// The limit of rows shown. A transaction that compacts a file or starts a node changes every row.
    const ROWS: usize = 12;
    let when = time_text(transaction);
    let comment = transaction.comment().unwrap_or_default();
    let by = if comment.is_empty() { "(no comment)" } else { &comment };
    let mut text = format!("{when} #{} {by}", transaction.record_number());
    let changes = transaction.changes();
    for change in changes.iter().take(ROWS) {
        _ = write!(text, "\n    {}", line(database, transaction, change));
    }
    if changes.len() > ROWS {
        _ = write!(text, "\n    and {} more rows", changes.len() - ROWS);
    }
    text
}

fn line(database: &Database, transaction: &Transaction<'_>, change: &ChangedRow) -> String {
    let rows = transaction.row(&change.table, change.uuid).ok();
    let row = rows.as_ref().and_then(|rows| rows.after.as_ref().or(rows.before.as_ref()));
    let name = row.map_or_else(|| change.uuid.to_string(), label);
    match (change.kind, &rows) {
        (ChangeKind::Insert, _) => format!("insert {} {name}", change.table),
        (ChangeKind::Delete, _) => format!("delete {} {name}", change.table),
        (ChangeKind::Modify, Some(rows)) => {
            format!("modify {} {name}: {}", change.table, columns(database, rows))
        }
        (ChangeKind::Modify, None) => {
            format!("modify {} {name}: {}", change.table, change.columns.join(", "))
        }
    }
}

/// Prints the changed columns as `up: false -> true`. For sets and maps, prints the added and the removed elements.
fn columns(database: &Database, rows: &RowChange) -> String {
    let change = |column: &str| {
        let shown = |datum: &Datum| redact_datum(column, datum).unwrap_or_else(|| datum.clone());
        let datum = |row: &Option<ovsdb::Row>| row.as_ref().and_then(|row| row.get(column).map(shown));
        let (before, after) =
            (elements(database, datum(&rows.before)), elements(database, datum(&rows.after)));
        let is_secret = |row: &Option<ovsdb::Row>| {
            row.as_ref().and_then(|row| redact_datum(column, row.get(column)?)).is_some()
        };
        if before == after && (is_secret(&rows.before) || is_secret(&rows.after)) {
            return format!("{column}: a secret value changed");
        }
        match (before.len(), after.len()) {
            (0..=1, 0..=1) => format!("{column}: {} -> {}", value(&before), value(&after)),
            _ => {
                let gone = before.difference(&after).map(|it| format!("-{it}"));
                let come = after.difference(&before).map(|it| format!("+{it}"));
                format!("{column}: {}", short(&gone.chain(come).collect::<Vec<_>>().join(" ")))
            }
        }
    };
    rows.columns().map(change).collect::<Vec<_>>().join("; ")
}

fn value(elements: &BTreeSet<String>) -> String {
    elements.first().map_or_else(|| "(empty)".into(), |one| short(one))
}

/// Returns the elements of a set or the pairs of a map. A reference becomes the current name of its row.
fn elements(database: &Database, datum: Option<Datum>) -> BTreeSet<String> {
    let atom = |atom: &Atom| match atom {
        Atom::Uuid(uuid) => name(database, *uuid),
        other => print::atom(other),
    };
    match datum {
        None => BTreeSet::new(),
        Some(Datum::Map(pairs)) => {
            pairs.iter().map(|(k, v)| format!("{}={}", print::atom(k), atom(v))).collect()
        }
        Some(set) => set.atoms().iter().map(atom).collect(),
    }
}

fn name(database: &Database, uuid: Uuid) -> String {
    let rows =
        database.schema().tables.iter().filter_map(|table| database.get(&table.name, uuid).ok().flatten());
    rows.map(|row| label(&row)).next().unwrap_or_else(|| format!("{uuid} (row deleted since)"))
}

/// Shortens a long value. The `list` tools show the full value.
fn short(text: &str) -> String {
    const CHARACTERS: usize = 240;
    match text.char_indices().nth(CHARACTERS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
