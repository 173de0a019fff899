//! Compares the history of a real cluster's databases with the output of `ovsdb-tool show-log`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;

use common::run;
use ovsdb::Database;

#[test]
fn the_history_equals_that_of_ovsdb_tool() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in common::databases() {
        let file = dir.path().join(name.replace('/', "_"));
        fs::write(&file, &bytes).unwrap();
        let database = Database::open(bytes).unwrap();
        let shown = run("ovsdb-tool", &["-m", "show-log", file.to_str().unwrap()]);
        let shown = String::from_utf8(shown.stdout).unwrap();
        let mut records: Vec<&str> = shown.split("\n\n").filter(|record| !record.trim().is_empty()).collect();
        records.remove(0);
        assert_eq!(records.len(), database.transactions().len(), "{name}");
        for (record, transaction) in records.into_iter().zip(database.transactions()) {
            compare(record.trim(), &transaction);
        }
    }
}

/// Compares one record of `show-log` with a transaction.
fn compare(record: &str, transaction: &ovsdb::Transaction<'_>) {
    let (number, rest) = record.strip_prefix("record ").unwrap().split_once(": ").unwrap();
    assert_eq!(number, transaction.record_number().to_string());
    // `show-log` prints the comment unchanged, with its line ends.
    let comment = transaction.comment().map(|comment| format!(" \"{comment}\"")).unwrap_or_default();
    let head = format!("{}{comment}", date(transaction.date_ms().unwrap()));
    let rest =
        rest.strip_prefix(head.as_str()).unwrap_or_else(|| panic!("record {number}: not {head}: {rest}"));

    let mut shown: Vec<(String, String, &str)> = Vec::new();
    for line in rest.lines() {
        if let Some((table, what)) = line.strip_prefix("  table ").and_then(|line| line.split_once(' ')) {
            let kind = if what.starts_with("insert row") { "insert" } else { "modify" };
            let id = what.trim_end_matches(" diff:").trim_end_matches([':', ')']);
            shown.push((table.to_owned(), id.rsplit(['(', ' ']).next().unwrap().to_owned(), kind));
        } else if line == "    delete row" {
            shown.last_mut().unwrap().2 = "delete";
        }
    }
    shown.sort();
    let mut ours: Vec<(String, String, &str)> = transaction
        .changes()
        .iter()
        .map(|change| {
            let kind = match change.kind {
                ovsdb::ChangeKind::Insert => "insert",
                ovsdb::ChangeKind::Modify => "modify",
                ovsdb::ChangeKind::Delete => "delete",
            };
            (change.table.clone(), change.uuid.to_string()[..8].to_owned(), kind)
        })
        .collect();
    ours.sort();
    assert_eq!(ours, shown, "record {number}");
}

/// Prints a time like `ovsdb-tool`. The algorithm for days is from
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn date(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let era_day = days + 719_468;
    let (era, day) = (era_day.div_euclid(146_097), era_day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + i64::from(month <= 2);
    let seconds = ms / 1000;
    let (hour, minute, second, ms) = (seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03}")
}
