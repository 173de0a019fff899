//! Prints the rows of a table whose column has a value, as the clients do. It prints its times and memory on stderr.
//!
//! Usage: `one_row FILE TABLE COLUMN VALUE`. The benchmark compares it with `ovsdb-tool query`.

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use ovsdb::{Condition, Database, Op, Select, print};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, table, column, value] = arguments.as_slice() else {
        return Err("usage: one_row FILE TABLE COLUMN VALUE".into());
    };
    let start = Instant::now();
    let bytes = std::fs::read(file)?;
    let read = start.elapsed();
    let database = Database::open(bytes)?;
    let opened = start.elapsed();
    let table = database.schema().find_table(table)?;
    let select = Select::from(table.name.as_str()).filter(Condition::parse(table, column, Op::Eq, value)?);
    let rows = database.select(&select)?;
    let cold = start.elapsed();
    let again = Instant::now();
    database.select(&select)?;
    let warm = again.elapsed();

    std::io::stdout().write_all(print::list(&rows, None).as_bytes())?;
    eprintln!(
        "{} bytes, {} of {} rows; read {read:.1?}, opened after {opened:.1?}, first answer after {cold:.1?}, the next took {warm:.1?}",
        database.file_len(),
        rows.rows.len(),
        database.row_count(&table.name)?,
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        eprintln!("peak memory {}", peak.trim());
    }
    if let Some(damage) = database.damage() {
        eprintln!("{damage}: {}", damage.reason);
    }
    Ok(())
}
