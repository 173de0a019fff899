//! Tests that an evaluation ends and never panics, for any flows and any packet.

#[expect(dead_code, reason = "this test uses only a part of the module")]
mod common;

use ovn_lflow::{Semantics, Start, Zone, tree};
use ovsdb::{Database, Datum, NewFile, Rows};
use packet::{Field, Packet, bits};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Returns the southbound database of one node.
static DATABASE: LazyLock<Database> = LazyLock::new(|| {
    let files = common::archive("must-gather.tar.xz", |path| path.ends_with("mk45n_sbdb"));
    let bytes = files.into_values().next().expect("a database");
    Database::open(bytes).expect("a database")
});

static ROWS: LazyLock<Vec<Rows>> = LazyLock::new(|| select(&DATABASE));

static ZONES: LazyLock<[Zone; 2]> =
    LazyLock::new(|| [Semantics::Datapath, Semantics::OvnTrace].map(|semantics| Zone::new(&ROWS, semantics)));

fn select(database: &Database) -> Vec<Rows> {
    Zone::selects(database.schema()).iter().map(|it| database.select(it).expect("rows")).collect()
}

/// Replaces some bytes of a text with other bytes of the same text.
fn damaged(text: &str, seed: u64) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let length = characters.len().max(1) as u64;
    for round in 0..=seed % 3 {
        let at = (seed.wrapping_mul(31 + round) % length) as usize;
        let from = characters.get((seed.wrapping_mul(17 + round) % length) as usize).copied();
        match (seed.wrapping_add(round) % 3, from) {
            (0, _) if at < characters.len() => drop(characters.remove(at)),
            (1, Some(from)) => characters.insert(at, from),
            (_, Some(from)) => characters.iter_mut().skip(at).take(1).for_each(|it| *it = from),
            _ => {}
        }
    }
    characters.into_iter().collect()
}

/// Returns the rows of a database in which every `one_in`th flow is damaged.
fn with_damage(seed: u64, one_in: u64) -> Vec<Rows> {
    let mut file = NewFile::new(DATABASE.schema());
    for rows in ROWS.iter() {
        let columns: Vec<&str> = rows.columns.iter().flatten().map(String::as_str).collect();
        let values = rows.rows.iter().enumerate().map(|(at, row)| {
            let own = seed.wrapping_add(at as u64);
            let value = |column: &&str| {
                let value = row.get(column)?.clone();
                let is_text = ["match", "actions"].contains(column) && own.is_multiple_of(one_in);
                let text = row.text(column).filter(|_| is_text);
                Some((
                    (*column).to_owned(),
                    text.map_or(value, |text| Datum::scalar(damaged(text, own).as_str())),
                ))
            };
            (row.uuid, columns.iter().filter_map(value).collect::<Vec<_>>())
        });
        file.table(&rows.table.name, values);
    }
    select(&Database::open(file.into_bytes()).expect("a database"))
}

/// Generates packets with random values in random fields.
fn packets() -> impl Strategy<Value = Packet> {
    let fields: Vec<Field> = Field::all().collect();
    let types = prop::sample::select(vec![0x0800u128, 0x86dd, 0x0806, 0x1234]);
    let protocols = prop::sample::select(vec![6u128, 17, 1, 58, 132, 0]);
    let filled = prop::collection::vec((prop::sample::select(fields), any::<u128>()), 0..20);
    (filled, types, protocols).prop_map(|(filled, kind, protocol)| {
        let mut packet = Packet::default();
        for (field, value) in filled {
            packet.set(field, value & bits(field.width()));
        }
        packet.set(Field::ETH_TYPE, kind);
        packet.set(Field::IP_PROTO, protocol);
        packet
    })
}

/// Traces a packet from a random port and prints the trace.
fn follow(zone: &Zone, port: prop::sample::Index, packet: Packet) -> (usize, String) {
    let ports: Vec<&str> = zone.ports().map(|port| port.name.as_str()).collect();
    let start = Start::at(zone, port.get::<&str>(&ports), packet).expect("the port");
    let trace = zone.trace(&start);
    let text = trace.branches.iter().map(|branch| {
        format!(
            "{}{}{}",
            tree::detailed(&branch.lines),
            tree::summary(&branch.lines),
            tree::minimal(&branch.lines)
        )
    });
    (trace.branches.len(), text.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_packet_ends_somewhere(packet in packets(), port: prop::sample::Index) {
        for zone in ZONES.iter() {
            let (branches, text) = follow(zone, port, packet.clone());
            prop_assert!(branches > 0 && text.contains("ingress(dp="));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn damaged_flows_become_findings(seed: u64, one_in in 1u64..20, packet in packets(), port: prop::sample::Index) {
        let zone = Zone::new(&with_damage(seed, one_in), Semantics::Datapath);
        let all = ROWS.iter().find(|rows| rows.table.name == "Logical_Flow").map_or(0, |rows| rows.rows.len());
        // Each flow is in force or a finding: none is ignored silently.
        prop_assert_eq!(zone.flow_count() + zone.findings.len(), all);
        let (branches, _) = follow(&zone, port, packet);
        prop_assert!(branches > 0);
    }
}
