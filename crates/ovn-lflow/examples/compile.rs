//! Compiles a southbound database and says how long that takes, and which flows cannot come into force.
//!
//! `cargo run -p ovn-lflow --example compile -- <database>`

use ovn_lflow::{Semantics, Zone};
use ovsdb::{Database, Rows, SelectError};
use std::{error::Error, fs, io::Write as _, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which southbound database?")?;
    let database = Database::open(fs::read(path)?)?;
    let begun = Instant::now();
    let selects = Zone::selects(database.schema());
    let rows: Vec<Rows> = selects.iter().map(|it| database.select(it)).collect::<Result<_, SelectError>>()?;
    let read = begun.elapsed();
    let begun = Instant::now();
    let zone = Zone::new(&rows, Semantics::Datapath);
    let compiled = begun.elapsed();
    let mut out = std::io::stdout().lock();
    let flows = rows.iter().find(|rows| rows.table.name == "Logical_Flow").map_or(0, |rows| rows.rows.len());
    writeln!(out, "{} of {flows} flows are in force", zone.flow_count())?;
    writeln!(out, "reading took {read:?}, compiling {compiled:?}")?;
    for finding in &zone.findings {
        writeln!(out, "{finding}")?;
    }
    Ok(())
}
