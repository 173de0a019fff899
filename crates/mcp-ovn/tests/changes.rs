//! A comparison of all zones shows any single change in a zone, or says that it does not compare the changed column.
//!
//! The changes are random: a column of a row of the captured cluster, or a logical flow. `CHANGES_SEED=<seed>` selects
//! other ones, and `CHANGES=<number>` more of them.

use mcp_testing::{Capture, Failed, RandomChanges, answer_uncut, other_letter};
use ovsdb::{Atom, Database, Datum, NewFile, Row, Select, Uuid};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// A database of a zone.
struct Zone {
    node: &'static str,
    tool: &'static str,
    file: PathBuf,
    original: Vec<u8>,
    database: Database,
    /// The rows of each table that is not empty.
    tables: Vec<(String, Vec<Row>)>,
}

impl Zone {
    fn open(capture: &Capture, node: &'static str, pod: &str, db: &str) -> Result<Self, Failed> {
        let file = capture.database(pod, db);
        let original = fs::read(&file)?;
        let database = Database::open(original.clone())?;
        let mut tables = Vec::new();
        for table in &database.schema().tables {
            let rows = database.select(&Select::from(table.name.as_str()))?.rows;
            if !rows.is_empty() {
                tables.push((table.name.clone(), rows));
            }
        }
        let tool = if db == "nbdb" { "ovn_nbctl_list" } else { "ovn_sbctl_list" };
        Ok(Self { node, tool, file, original, database, tables })
    }

    /// Writes the database with a new value in one column of a row, or without the row if there is no value.
    fn write(&self, table: &str, of: Uuid, change: Option<(&str, &Datum)>) -> Result<(), Failed> {
        let mut file = NewFile::new(self.database.schema());
        for (name, rows) in &self.tables {
            let mut all = Vec::new();
            for row in rows {
                let is_it = row.uuid == of && name == table;
                if is_it && change.is_none() {
                    continue;
                }
                let value = |column: &str| match change {
                    Some((changed, value)) if is_it && changed == column => Some(value.clone()),
                    _ => row.get(column).cloned(),
                };
                let columns = row.table.columns.iter();
                let columns = columns.filter_map(|column| {
                    let value = value(&column.name).filter(|it| *it != column.ty.default_datum())?;
                    Some((column.name.clone(), value))
                });
                all.push((row.uuid, columns.collect::<Vec<_>>()));
            }
            file.table(name, all);
        }
        Ok(fs::write(&self.file, file.into_bytes())?)
    }

    fn restore(&self) -> Result<(), Failed> {
        Ok(fs::write(&self.file, &self.original)?)
    }

    /// Returns another row of a referenced table with different content, because a comparison resolves references to
    /// content.
    fn other_row(&self, table: &str, now: Uuid, rng: &mut fastrand::Rng) -> Option<Uuid> {
        let (_, rows) = self.tables.iter().find(|(name, _)| name == table)?;
        let says = |row: &Row| -> Vec<Option<Datum>> {
            row.table.columns.iter().map(|column| row.get(&column.name).cloned()).collect()
        };
        let before = rows.iter().find(|row| row.uuid == now).map(says);
        let other = rng.choice(rows)?;
        (Some(says(other)) != before).then_some(other.uuid)
    }
}

/// Returns a similar but different value, and for a map the key that changed.
fn changed(
    zone: &Zone,
    column: &ovsdb::ColumnSchema,
    value: &Datum,
    rng: &mut fastrand::Rng,
) -> Option<(Datum, Option<String>)> {
    let other = |atom: &Atom, rng: &mut fastrand::Rng| match atom {
        Atom::Integer(number) => Some(Atom::Integer(number + rng.i64(1..100))),
        Atom::Real(number) => Some(Atom::Real(number + 1.5)),
        Atom::Boolean(truth) => Some(Atom::Boolean(!truth)),
        Atom::String(text) => Some(Atom::from(other_text(text, rng).as_str())),
        Atom::Uuid(now) => zone.other_row(column.ty.key.ref_table.as_deref()?, *now, rng).map(Atom::Uuid),
    };
    let new = match value {
        Datum::Set(atoms) => {
            let mut atoms = atoms.clone();
            let at = rng.usize(0..atoms.len().max(1));
            match (atoms.get(at).cloned(), rng.u8(0..3)) {
                (Some(_), 0) if atoms.len() > column.ty.min => _ = atoms.remove(at),
                (Some(atom), _) => *atoms.get_mut(at)? = other(&atom, rng)?,
                (None, _) => atoms.push(other(&Atom::default_of(column.ty.key.kind), rng)?),
            }
            (Datum::set(atoms), None)
        }
        Datum::Map(pairs) => {
            let mut pairs = pairs.clone();
            let at = rng.usize(0..pairs.len().max(1));
            let key = match (pairs.get(at).cloned(), rng.u8(0..3)) {
                (Some((key, _)), 0) => {
                    pairs.remove(at);
                    key
                }
                (Some((key, value)), _) => {
                    pairs.get_mut(at)?.1 = other(&value, rng)?;
                    key
                }
                (None, _) => {
                    let key = Atom::from("unheard-of");
                    pairs.push((key.clone(), Atom::from("value")));
                    key
                }
            };
            (Datum::map(pairs), key.as_str().map(str::to_owned))
        }
    };
    (new.0 != *value).then_some(new)
}

/// Changes one character of a text, like a typing error in a name or an address.
fn other_text(text: &str, rng: &mut fastrand::Rng) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return "something".into();
    }
    let at = rng.usize(0..letters.len());
    if let Some(letter) = letters.get_mut(at) {
        *letter = other_letter(*letter);
    }
    letters.into_iter().collect()
}

fn ask(capture: &Capture, tool: &str, params: Value) -> Result<String, Failed> {
    let text = answer_uncut(mcp_ovn::layer(), vec![capture.bundle()], tool, params)?;
    Ok(text.lines().skip(1).map(|line| format!("{line}\n")).collect())
}

/// How an answer reports a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reported {
    Different,
    NotCompared,
    OneNodeOnly,
}

/// Returns how the answer reports the change of this column and key. The query selects only the changed row.
fn seen(before: &str, after: &str, column: &str, key: Option<&str>) -> Option<Reported> {
    if after.contains("different: ") && before != after {
        return Some(Reported::Different);
    }
    let left_out = after.lines().find_map(|line| line.strip_prefix("not compared: ")).unwrap_or_default();
    let is_named = |name: &str| {
        name.split(" of ").next() == Some(column)
            || name.split_once(':').is_some_and(|(of, own)| {
                let own = own.trim_end_matches('*');
                of == column && key.is_some_and(|key| key.starts_with(own))
            })
    };
    if left_out.split("; ").any(is_named) {
        return Some(Reported::NotCompared);
    }
    is_of_one_node(after).then_some(Reported::OneNodeOnly)
}

/// Returns whether the answer says that all selected rows exist on one node only.
fn is_of_one_node(answer: &str) -> bool {
    answer.contains("compared and equal: 0 rows") && answer.contains("\non one node only, by design: ")
}

/// Returns a regular expression for a text, in which every punctuation mark matches any character.
fn pattern(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect()
}

fn zones(capture: &Capture, db: &str) -> Result<Vec<Zone>, Failed> {
    Capture::NODES.iter().map(|(node, pod)| Zone::open(capture, node, pod, db)).collect()
}

#[test]
fn any_change_of_a_row_is_seen() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let RandomChanges { mut rng, wanted } = RandomChanges::from_environment();
    let mut zones_of_all = zones(&capture, "nbdb")?;
    zones_of_all.extend(zones(&capture, "sbdb")?);
    let (mut told, mut missed) = (BTreeMap::<Reported, usize>::new(), Vec::new());
    while told.values().sum::<usize>() + missed.len() < wanted {
        let zone = rng.choice(&zones_of_all).ok_or("no zone")?;
        let (table, rows) = rng.choice(&zone.tables).ok_or("no table")?;
        let row = rng.choice(rows).ok_or("no row")?;
        let column = rng.choice(&row.table.columns).ok_or("no column")?;
        let value = row.get(&column.name).ok_or("no value")?;
        let Some((new, key)) = changed(zone, column, value, &mut rng) else { continue };
        let params = || json!({ "node_name": "all", "table": table, "record": row.uuid.to_string() });
        let before = ask(&capture, zone.tool, params())?;
        zone.write(table, row.uuid, Some((column.name.as_str(), &new)))?;
        let after = ask(&capture, zone.tool, params())?;
        zone.restore()?;
        match seen(&before, &after, &column.name, key.as_deref()) {
            Some(seen) => *told.entry(seen).or_default() += 1,
            None => missed.push(format!(
                "{} of {} {table} {}: {}: {value:?} became {new:?}\n{after}",
                zone.tool, zone.node, row.uuid, column.name
            )),
        }
    }
    println!("{told:?}");
    assert!(
        missed.is_empty(),
        "{} of {wanted} changes are not reported:\n{}",
        missed.len(),
        missed.join("\n\n")
    );
    assert!(
        told.get(&Reported::Different).is_some_and(|n| *n >= wanted / 4),
        "most changes are not compared: {told:?}"
    );
    Ok(())
}

#[test]
fn any_change_of_a_logical_flow_is_seen() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let RandomChanges { mut rng, wanted } = RandomChanges::from_environment();
    let zones = zones(&capture, "sbdb")?;
    let wanted = wanted / 4;
    let (mut done, mut missed) = (0, Vec::new());
    while done < wanted {
        let zone = rng.choice(&zones).ok_or("no zone")?;
        let rows = |table: &str| zone.tables.iter().find(|(name, _)| name == table).map(|(_, rows)| rows);
        let flow = rng.choice(rows("Logical_Flow").ok_or("no flow")?).ok_or("no flow")?;
        let group = flow.refs("logical_dp_group").next().and_then(|uuid| {
            rows("Logical_DP_Group")?.iter().find(|group| group.uuid == uuid)?.refs("datapaths").next()
        });
        let datapath = flow.refs("logical_datapath").next().or(group);
        let datapath = rows("Datapath_Binding").into_iter().flatten().find(|row| Some(row.uuid) == datapath);
        let Some(name) = datapath.and_then(|row| row.map_get("external_ids", "name")) else { continue };
        let stage = flow.map_get("external_ids", "stage-name").ok_or("a flow without a stage")?;
        let is_ecmp_member =
            stage.ends_with("_ecmp") && flow.text("match").is_some_and(|it| it.contains("reg8[16..31]"));
        let own = name.replace(zone.node, "<node>");
        // A name such as `ovn-worker2` looks like `<node>2` only to the node with the shorter name.
        let datapath = if name.ends_with(zone.node) { own } else { name.to_owned() };
        let params = || json!({ "node_name": "all", "datapath": datapath, "stage": stage });
        let value = |column: &str| flow.get(column).cloned().ok_or("no such column");
        let text = |column: &str, rng: &mut fastrand::Rng| -> Result<Datum, Failed> {
            let text = value(column)?.atoms().first().and_then(Atom::as_str).unwrap_or_default().to_owned();
            Ok(Datum::scalar(other_text(&text, rng).as_str()))
        };
        let change = match rng.u8(0..4) {
            0 => Some(("actions", text("actions", &mut rng)?)),
            1 => Some(("match", text("match", &mut rng)?)),
            2 => Some(("priority", Datum::scalar(flow.int("priority").unwrap_or(0) + 1))),
            _ => None,
        };
        let before = ask(&capture, "ovn_sbctl_lflow_list", params())?;
        let mut alone = params();
        alone["grep"] = pattern(flow.text("match").unwrap_or_default()).into();
        let alone = ask(&capture, "ovn_sbctl_lflow_list", alone)?;
        zone.write("Logical_Flow", flow.uuid, change.as_ref().map(|(column, value)| (*column, value)))?;
        let after = ask(&capture, "ovn_sbctl_lflow_list", params())?;
        zone.restore()?;
        done += 1;
        let is_left_out =
            is_ecmp_member && after.contains("members of ECMP routes and policies are not compared");
        if before == after && !is_of_one_node(&alone) && !is_left_out {
            missed.push(format!(
                "{} {datapath} {stage} {}: {change:?}: {:?}\n{after}",
                zone.node,
                flow.uuid,
                flow.text("match")
            ));
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {wanted} changes are not reported:\n{}",
        missed.len(),
        missed.join("\n\n")
    );
    Ok(())
}
