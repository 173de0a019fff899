//! Measures how long it takes to read and compile the flows of a southbound database, and to trace a packet. Prints the
//! flows that cannot come into force.
//!
//! `cargo run --release -p ovn-lflow --example compile -- <database>`

use ovn_lflow::{Semantics, Start, Zone};
use ovsdb::{Database, Rows, Select, SelectError};
use packet::{Field, Packet};
use std::{
    error::Error,
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

/// Builds packets between pods on all subnets, with the sender's own addresses and a made-up MAC address where none is
/// needed.
fn packets(zone: &Zone) -> Vec<Start> {
    /// The number of packets, enough for a percentile.
    const MOST: usize = 1_000;
    let ends: Vec<_> = zone
        .ports()
        .filter_map(|port| {
            let allowed = port.security.first()?;
            Some((port.name.as_str(), allowed.mac, *allowed.ip4.first()?))
        })
        .collect();
    let start = |((name, mac, from), (_, _, to)): (&(&str, u128, u128), &(&str, u128, u128))| {
        let mut packet = Packet::default();
        for (field, value) in [
            (Field::ETH_SRC, *mac),
            // The MAC address of OVN-Kubernetes' distributed gateway contains the first address of the subnet.
            (Field::ETH_DST, 0x0a58_0000_0000 | (from & 0xffff_ff00 | 1)),
            (Field::ETH_TYPE, 0x0800),
            (Field::IP_SRC, *from),
            (Field::IP_DST, *to),
            (Field::IP_PROTO, 6),
            (Field::IP_TTL, 64),
            (Field::TCP_SRC, 40_000),
            (Field::TCP_DST, 8_080),
        ] {
            packet.set(field, value);
        }
        Start::at(zone, name, packet)
    };
    let shifted = ends.iter().skip(ends.len() / 2).chain(&ends);
    ends.iter().zip(shifted).cycle().take(MOST.min(ends.len() * 10)).filter_map(start).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: compile <southbound database>")?;
    let database = Database::open(fs::read(path)?)?;
    let begun = Instant::now();
    let flows = database.select(&Select::from("Logical_Flow"))?.rows.len();
    let read = begun.elapsed();
    let selects = Zone::selects(database.schema());
    let rows: Vec<Rows> = selects.iter().map(|it| database.select(it)).collect::<Result<_, SelectError>>()?;
    let begun = Instant::now();
    let zone = Zone::new(&rows, Semantics::Datapath);
    let compiled = begun.elapsed();
    let mut out = std::io::stdout().lock();
    writeln!(out, "flows in force: {} of {flows}", zone.flow_count())?;
    writeln!(out, "reading all rows of Logical_Flow: {read:.0?}")?;
    let ratio = compiled.as_secs_f64() / read.as_secs_f64();
    writeln!(out, "compiling the zone (goal: at most 3 times as long): {compiled:.0?}, {ratio:.1} times")?;
    let mut times: Vec<Duration> = packets(&zone)
        .iter()
        .map(|start| {
            let begun = Instant::now();
            let ends = zone.trace(start).branches.len();
            if ends == 0 { Duration::MAX } else { begun.elapsed() }
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    if let (Some(median), Some(most)) = (at(50), at(99)) {
        let count = times.len();
        writeln!(
            out,
            "a warm trace (goal: under 1 ms): median {median:.0?}, 99th percentile {most:.0?} ({count} packets)"
        )?;
    }
    for finding in &zone.findings {
        writeln!(out, "not in force: {finding}")?;
    }
    Ok(())
}
