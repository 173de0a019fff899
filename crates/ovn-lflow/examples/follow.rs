//! Traces a packet through zones, from the files of their southbound databases. The packet starts in the first zone.
//!
//! `cargo run -p ovn-lflow --example follow -- 'inport == "pod" && …' <database> <database>`

use ovn_lflow::{Network, Semantics, Zone, tree};
use ovsdb::{Database, Rows, SelectError};
use std::{collections::BTreeMap, error::Error, fs, io::Write as _};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().ok_or("usage: follow <microflow> <database>…")?;
    let mut zones = Vec::new();
    for path in arguments {
        let database = Database::open(fs::read(&path)?)?;
        let selects = Zone::selects(database.schema());
        let rows: Vec<Rows> =
            selects.iter().map(|it| database.select(it)).collect::<Result<_, SelectError>>()?;
        zones.push((path, Zone::new(&rows, Semantics::Datapath)));
    }
    let (first, zone) = zones.first().ok_or("usage: follow <microflow> <database>…")?;
    let start = zone.start(&text)?;
    let network = Network::new(zones.iter().map(|(name, zone)| (name.clone(), zone)));
    let hop = network.trace(first, &start, &BTreeMap::new()).ok_or("the first zone does not exist")?;
    let mut out = std::io::stdout().lock();
    for (branch, _) in &hop.branches {
        writeln!(out, "{}{:#?}", tree::detailed(&branch.lines), branch.notes)?;
    }
    for path in hop.paths() {
        let zones: Vec<&str> = path.legs.iter().map(|leg| leg.zone.as_str()).collect();
        writeln!(out, "{zones:?} {:?} {:#?}", path.choices, path.outcome)?;
    }
    Ok(())
}
