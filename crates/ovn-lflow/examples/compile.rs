//! Measures how long it takes to read and compile the flows of a southbound database, and to trace a packet. Prints the
//! flows that cannot come into force. With `pairs`, it traces a packet of every pod to every pod instead.
//!
//! `cargo run --release -p ovn-lflow --example compile -- <database> [pairs]`

use ovn_lflow::{Semantics, Start, Zone};
use ovsdb::{Database, Rows, Select, SelectError};
use packet::{Field, Packet};
use std::{
    error::Error,
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

/// A pod: its port, its MAC address and its IP address.
type Pod<'a> = (&'a str, u128, u128);

fn pods(zone: &Zone) -> Vec<Pod<'_>> {
    let mut pods = Vec::new();
    for port in zone.ports() {
        if let Some(allowed) = port.security.first() {
            pods.extend(allowed.ip4.first().map(|address| (port.name.as_str(), allowed.mac, *address)));
        }
    }
    pods
}

/// Builds a packet between pods, with the sender's own addresses and the MAC address of its gateway.
fn packet(zone: &Zone, (name, mac, from): Pod<'_>, (_, _, to): Pod<'_>) -> Option<Start> {
    let mut packet = Packet::default();
    for (field, value) in [
        (Field::ETH_SRC, mac),
        // The MAC address of OVN-Kubernetes' distributed gateway contains the first address of the subnet.
        (Field::ETH_DST, 0x0a58_0000_0000 | (from & 0xffff_ff00 | 1)),
        (Field::ETH_TYPE, 0x0800),
        (Field::IP_SRC, from),
        (Field::IP_DST, to),
        (Field::IP_PROTO, 6),
        (Field::IP_TTL, 64),
        (Field::TCP_SRC, 40_000),
        (Field::TCP_DST, 8_080),
    ] {
        packet.set(field, value);
    }
    Start::at(zone, name, packet)
}

/// Builds packets between pods on all subnets.
fn packets(zone: &Zone) -> Vec<Start> {
    /// The number of packets, enough for a percentile.
    const MOST: usize = 1_000;
    let pods = pods(zone);
    let shifted = pods.iter().skip(pods.len() / 2).chain(&pods);
    let pairs = pods.iter().zip(shifted).cycle().take(MOST.min(pods.len() * 10));
    pairs.filter_map(|(from, to)| packet(zone, *from, *to)).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: compile <southbound database> [pairs]")?;
    let database = Database::open(fs::read(path)?)?;
    let begun = Instant::now();
    let flows = database.select(&Select::from("Logical_Flow"))?.rows.len();
    let read = begun.elapsed();
    let selects = Zone::selects(database.schema());
    let rows: Vec<Rows> = selects.iter().map(|it| database.select(it)).collect::<Result<_, SelectError>>()?;
    let begun = Instant::now();
    let zone = Zone::new(&rows, Semantics::Datapath);
    let compiled = begun.elapsed();
    drop(rows);
    let mut out = std::io::stdout().lock();
    if arguments.next().as_deref() == Some("pairs") {
        let pods = pods(&zone);
        let pairs = pods.iter().flat_map(|from| pods.iter().map(move |to| (from, to)));
        let begun = Instant::now();
        let mut count = 0_u32;
        for start in pairs.filter_map(|(from, to)| packet(&zone, *from, *to)) {
            count += u32::from(!zone.trace(&start).branches.is_empty());
        }
        writeln!(out, "pairs: {count}")?;
        writeln!(out, "seconds: {:.2}", begun.elapsed().as_secs_f64())?;
        return Ok(());
    }
    writeln!(out, "flows in force: {} of {flows}", zone.flow_count())?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    writeln!(out, "reading: {:.1}", milliseconds(read))?;
    writeln!(out, "compiling: {:.1}", milliseconds(compiled))?;
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
        writeln!(out, "packets: {}", times.len())?;
        writeln!(out, "median: {:.3}", milliseconds(*median))?;
        writeln!(out, "99th percentile: {:.3}", milliseconds(*most))?;
    }
    for finding in &zone.findings {
        writeln!(out, "not in force: {finding}")?;
    }
    Ok(())
}
