//! One row of a large database file: cold, warm, and memory, next to `ovsdb-tool` and next to just reading the file.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xshell::cmd;

use super::measure::{median, middle, peak, wall};
use super::{Plan, Table, data, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

/// A table with as many rows as there are pods, and the column that names them.
const TABLE: &str = "Port_Binding";
const COLUMN: &str = "logical_port";

/// The smallest file to which the aims apply; with a small file, the start of the process dominates.
const LARGE: u64 = 10_000_000;

/// Measures each database.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = workspace.sh.create_temp_dir()?;
    let judge = table.judge;
    for file in data::southbound(workspace, plan, scratch.path())? {
        table.judge = judge && fs::metadata(&file)?.len() >= LARGE;
        one(workspace, plan, &file, table)?;
    }
    table.judge = judge;
    Ok(())
}

fn one(workspace: &Workspace, plan: &Plan, file: &Path, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let size = fs::metadata(file)?.len();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let port = last_port(workspace, file)?;
    let one_row = workspace.target.join(plan.profile).join("examples/one_row");
    let ours = || cmd!(sh, "{one_row} {file} {TABLE} {COLUMN} {port}").quiet();
    let query = query(&port).to_string();
    let theirs = || cmd!(sh, "ovsdb-tool query {file} {query}").quiet();

    table.say(format!("**{name}**, one row of {TABLE}"), megabytes(size));
    // The programs run alternately, so that other load on the machine slows down both.
    let (mut cold, mut tool) = (Vec::new(), Vec::new());
    for _ in 0..plan.runs {
        cold.push(wall(ours())?);
        tool.push(wall(theirs())?);
    }
    let (cold, tool) = (middle(cold)?, middle(tool)?);
    table.say("cold: a new process, with one answer", milliseconds(cold));
    table.say("`ovsdb-tool query`, the same select", milliseconds(tool));
    let ratio = tool.as_secs_f64() / cold.as_secs_f64();
    table.aim("faster than `ovsdb-tool` by", format!("{ratio:.1} x"), "8 x", ratio >= 8.0);
    let warm = median(plan.runs, || warm(&String::from_utf8_lossy(&ours().output()?.stderr)))?;
    table.aim("warm: the next answer", milliseconds(warm), "< 5 ms", warm < Duration::from_millis(5));
    let (memory, tool_memory) = (peak(ours())?, peak(theirs())?);
    let files = memory as f64 / size as f64;
    table.aim(
        "peak memory, in multiples of the file size",
        format!("{files:.1} ({})", megabytes(memory)),
        "< 4",
        files < 4.0,
    );
    let tool_files = tool_memory as f64 / size as f64;
    table.say("peak memory of `ovsdb-tool`", format!("{tool_files:.1} ({})", megabytes(tool_memory)));
    let cat = median(plan.runs, || wall(cmd!(sh, "cat {file}").quiet()))?;
    table.say("floor: `cat` to `/dev/null`", milliseconds(cat));
    let read = median(plan.runs, || {
        let start = Instant::now();
        std::hint::black_box(fs::read(file)?);
        Ok(start.elapsed())
    })?;
    table.say("floor: reading the file into memory", milliseconds(read));
    Ok(())
}

fn query(port: &str) -> Value {
    json!(["OVN_Southbound", { "op": "select", "table": TABLE, "where": [[COLUMN, "==", port]] }])
}

/// Returns the name of a row that every such database has: the last in the alphabet.
fn last_port(workspace: &Workspace, file: &Path) -> Result<String> {
    let all = json!(["OVN_Southbound", { "op": "select", "table": TABLE, "where": [], "columns": [COLUMN] }]);
    let all = all.to_string();
    let answer: Value =
        serde_json::from_str(&cmd!(workspace.sh, "ovsdb-tool query {file} {all}").quiet().read()?)?;
    let rows = answer.pointer("/0/rows").and_then(Value::as_array).ok_or("ovsdb-tool query: no rows")?;
    let last = rows.iter().filter_map(|row| row.get(COLUMN)?.as_str()).max();
    Ok(last.ok_or("the database has no ports")?.to_owned())
}

/// Returns the time of the second answer from the example's output: `..., the next took 1.2ms`.
fn warm(log: &str) -> Result<Duration> {
    let text = log.split_once("the next took ").and_then(|(_, rest)| rest.split_whitespace().next());
    let text = text.ok_or("one_row does not print the time of its second answer")?;
    let units = [("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
        .ok_or_else(|| format!("`{text}` is not a time"))?;
    Ok(Duration::from_secs_f64(number.parse::<f64>()? * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_time_of_the_second_answer() {
        let warm = |text: &str| warm(&format!("1 of 9 rows; read 1.0ms, the next took {text}\npeak")).ok();
        assert_eq!(warm("1.5ms"), Some(Duration::from_micros(1500)));
        assert_eq!(warm("250.0µs"), Some(Duration::from_micros(250)));
        assert_eq!(warm("2.0s"), Some(Duration::from_secs(2)));
        assert_eq!(warm("soon"), None);
    }
}
