//! Databases of a generated node: the rows of the recorded zone, repeated for peers and tenants.

use super::{
    Failed,
    names::{Class, NAMESPACE, Names, Repeat},
};
use ovsdb::{Atom, ColumnSchema, Database, Datum, NewFile, Row, Schema, Select, Uuid};
use regex::Regex;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

/// A list of backends in an action of a flow, or in a load balancer.
static BACKENDS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\d{1,3}(?:\.\d{1,3}){3}:\d+(?:,\d{1,3}(?:\.\d{1,3}){3}:\d+)*").ok());
/// The port of the only service with one backend in the recording. All its copies have one on each node.
const DATABASE_PORT: &str = ":5432";

/// The beginning of the keys under which a bridge has the conntrack zone of each port.
const ZONE: &str = "ct-zone-";

/// The recorded rows of one database.
pub(super) struct Recording {
    schema: Arc<Schema>,
    rows: Vec<Row>,
}

impl Recording {
    /// Reads a database file.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, Failed> {
        let database = Database::open(bytes)?;
        let mut rows = Vec::new();
        for table in &database.schema().tables {
            rows.extend(database.select(&Select::from(table.name.as_str()))?.rows);
        }
        Ok(Self { schema: Arc::clone(database.schema()), rows })
    }

    /// Returns the hashed names of the port groups and address sets that belong to a tenant.
    pub(super) fn groups_of_tenants(&self) -> Vec<String> {
        let of_tenant = |row: &&Row| {
            let owners: String = row.map("external_ids").map(|(_, value)| format!("{value} ")).collect();
            owners.split(|c: char| !c.is_ascii_alphanumeric()).any(|it| it == NAMESPACE)
        };
        let is_group = |row: &&Row| matches!(row.table.name.as_str(), "Port_Group" | "Address_Set");
        self.rows
            .iter()
            .filter(is_group)
            .filter(of_tenant)
            .filter_map(|row| row.text("name").map(str::to_owned))
            .collect()
    }

    /// Returns the names of the port groups.
    pub(super) fn port_groups(&self) -> impl Iterator<Item = String> {
        let groups = self.rows.iter().filter(|row| row.table.name == "Port_Group");
        groups.filter_map(|row| row.text("name").map(str::to_owned))
    }
}

/// The rows of several databases of one node, and what each row belongs to.
pub(super) struct Zone<'a> {
    names: &'a Names,
    classes: HashMap<Uuid, Class>,
    /// The first digits of UUIDs, by which a logical flow names its cause.
    prefixes: HashMap<String, Uuid>,
    port_groups: HashSet<String>,
    /// The address sets that hold only pods of the node.
    local_sets: HashSet<String>,
}

impl<'a> Zone<'a> {
    /// Decides for each row of these databases what it belongs to.
    pub(super) fn new(names: &'a Names, recordings: &[&Recording]) -> Self {
        let rows = || recordings.iter().flat_map(|recording| &recording.rows);
        let mut classes: HashMap<Uuid, Class> =
            rows().map(|row| (row.uuid, names.class(&identifying(row)))).collect();
        // A row that needs a row that is left out is left out, too.
        loop {
            let needs = |row: &&Row| classes.get(&row.uuid) != Some(&Class::LeftOut) && lacks(row, &classes);
            let more: Vec<Uuid> = rows().filter(needs).map(|row| row.uuid).collect();
            if more.is_empty() {
                break;
            }
            classes.extend(more.into_iter().map(|uuid| (uuid, Class::LeftOut)));
        }
        let prefix = |uuid: &Uuid| format!("{:08x}", uuid.first32());
        Self {
            names,
            prefixes: classes.keys().map(|uuid| (prefix(uuid), *uuid)).collect(),
            classes,
            local_sets: rows()
                .filter(is_local_set)
                .filter_map(|row| row.text("name").map(str::to_owned))
                .collect(),
            port_groups: recordings.iter().flat_map(|recording| recording.port_groups()).collect(),
        }
    }

    /// Returns the file of a database of a node.
    pub(super) fn file(&self, recording: &Recording, node: usize) -> Vec<u8> {
        let mut file = NewFile::new(&recording.schema);
        for table in &recording.schema.tables {
            let rows = recording.rows.iter().filter(|row| row.table.name == table.name);
            let copies = rows.flat_map(|row| {
                let class = self.class(row.uuid);
                self.names
                    .repeats(class, Repeat::of(node))
                    .into_iter()
                    .map(move |repeat| self.copy(row, repeat))
            });
            file.table(&table.name, copies);
        }
        file.into_bytes()
    }

    fn class(&self, row: Uuid) -> Class {
        self.classes.get(&row).copied().unwrap_or(Class::Own)
    }

    fn copy(&self, row: &Row, repeat: Repeat) -> (Uuid, Vec<(String, Datum)>) {
        let columns = row.table.columns.iter().filter_map(|column| {
            let datum = self.datum(row, column, row.get(&column.name)?, repeat);
            (datum != column.ty.default_datum()).then(|| (column.name.clone(), datum))
        });
        (self.names.uuid(row.uuid, repeat), columns.collect())
    }

    fn datum(&self, row: &Row, column: &ColumnSchema, datum: &Datum, repeat: Repeat) -> Datum {
        let name = column.name.as_str();
        match datum {
            Datum::Set(atoms) => {
                let listed = row.table.name == "Address_Set" && name == "addresses" && !self.is_derived(row);
                let atoms = atoms.iter().flat_map(|atom| match atom {
                    Atom::Integer(number) => vec![Atom::Integer(key(row, name, *number, repeat))],
                    Atom::String(text) if listed => self.everywhere(text, repeat),
                    Atom::String(text) if name == "nat_addresses" => {
                        self.strings(&text.replace(" 172.18.0.101", ""), repeat)
                    }
                    Atom::String(text) => self.strings(text, repeat),
                    Atom::Uuid(uuid) => {
                        let repeats = self.names.repeats(self.class(*uuid), repeat).into_iter();
                        repeats.map(|repeat| Atom::Uuid(self.names.uuid(*uuid, repeat))).collect()
                    }
                    other => vec![other.clone()],
                });
                Datum::set(atoms)
            }
            Datum::Map(pairs) => {
                let pairs = pairs.iter().filter(|(key, _)| key.as_str() != Some("affinity_timeout"));
                Datum::map(pairs.flat_map(|(key, value)| {
                    let class = self.names.class(&without_backends(key.as_str().unwrap_or_default()));
                    let repeats = self.decided(class, repeat).into_iter();
                    repeats.map(|repeat| self.pair(row, key, value, repeat)).collect::<Vec<_>>()
                }))
            }
        }
    }

    fn pair(&self, row: &Row, key: &Atom, value: &Atom, repeat: Repeat) -> (Atom, Atom) {
        let reference = |atom: &Atom| match atom {
            Atom::String(text) => Atom::from(self.string(text, repeat).as_str()),
            Atom::Uuid(uuid) => Atom::Uuid(self.names.uuid(*uuid, Repeat::of(repeat.node))),
            other => other.clone(),
        };
        let mut names = ["name", "logical_port"].into_iter().filter_map(|column| row.text(column));
        let of_transit = names.any(|name| name.contains("tstor-"));
        let value = match key.as_str() {
            Some("requested-tnl-key") if of_transit => {
                Atom::from(Names::id(repeat.peer.unwrap_or(repeat.node)).to_string().as_str())
            }
            Some("stage-hint") => {
                value.as_str().map_or_else(|| value.clone(), |hint| self.hint(hint, repeat))
            }
            // Every port has a conntrack zone of its own.
            Some(zone) if zone.starts_with(ZONE) && repeat.tenant.is_some() => {
                let number = value.as_str().and_then(|zone| zone.parse::<usize>().ok()).unwrap_or_default();
                let number = number + 100 + 16 * repeat.tenant.unwrap_or(0);
                Atom::from(number.to_string().as_str())
            }
            _ => reference(value),
        };
        (reference(key), value)
    }

    /// Returns the first digits of the UUID of a copy.
    fn hint(&self, hint: &str, repeat: Repeat) -> Atom {
        let uuid = self.prefixes.get(hint).map(|uuid| {
            let repeats = self.names.repeats(self.class(*uuid), repeat);
            self.names.uuid(*uuid, repeats.first().copied().unwrap_or(repeat))
        });
        Atom::from(uuid.map_or_else(|| hint.to_owned(), |uuid| format!("{:08x}", uuid.first32())).as_str())
    }

    /// Returns the copies of an element of this class, in the copy of a row.
    fn decided(&self, class: Class, repeat: Repeat) -> Vec<Repeat> {
        if class == Class::Own { vec![repeat] } else { self.names.repeats(class, repeat) }
    }

    /// Returns the copies of an element of a set.
    fn strings(&self, text: &str, repeat: Repeat) -> Vec<Atom> {
        let decided = self.decided(self.names.class(&without_backends(text)), repeat);
        decided.into_iter().map(|repeat| Atom::from(self.string(text, repeat).as_str())).collect()
    }

    /// Returns the address for every node, as in a set of all pods.
    fn everywhere(&self, text: &str, repeat: Repeat) -> Vec<Atom> {
        let class = self.names.class(text);
        if class >= Class::Peer {
            return Vec::new();
        }
        if !self.names.is_of_worker(text) {
            return self.strings(text, repeat);
        }
        let nodes =
            (1..=self.names.nodes).flat_map(|node| self.names.repeats(class, Repeat { node, ..repeat }));
        nodes.map(|repeat| Atom::from(self.names.rename(text, repeat).as_str())).collect()
    }

    /// Returns a text with its facts, its lists of backends and the UUIDs of rows replaced.
    fn string(&self, text: &str, repeat: Repeat) -> String {
        if let Ok(uuid) = text.parse::<Uuid>()
            && let Some(class) = self.classes.get(&uuid)
        {
            let repeats = self.names.repeats(*class, repeat);
            return self.names.uuid(uuid, repeats.first().copied().unwrap_or(repeat)).to_string();
        }
        let Some(backends) = BACKENDS.as_ref() else { return self.names.rename(text, repeat) };
        let (mut renamed, mut end) = (String::new(), 0);
        for found in backends.find_iter(text) {
            renamed += &self.names.rename(text.get(end..found.start()).unwrap_or_default(), repeat);
            renamed += &self.backends(found.as_str(), repeat);
            end = found.end();
        }
        renamed + &self.names.rename(text.get(end..).unwrap_or_default(), repeat)
    }

    /// Returns a list of backends. A list that names backends of other nodes has backends on all generated nodes.
    fn backends(&self, list: &str, repeat: Repeat) -> String {
        let of_all = self.names.class(list) >= Class::Peer || list.ends_with(DATABASE_PORT);
        let mut all = Vec::new();
        for backend in list.split(',') {
            if !self.names.is_of_pod(backend) || !of_all {
                if self.names.class(backend) < Class::Peer {
                    all.push(self.names.rename(backend, repeat));
                }
                continue;
            }
            all.extend(
                (1..=self.names.nodes).map(|node| self.names.rename(backend, Repeat { node, ..repeat })),
            );
        }
        all.join(",")
    }

    /// Returns true for an address set that holds the addresses of the ports of a port group, which are those of this
    /// node.
    fn is_derived(&self, row: &Row) -> bool {
        let name = row.text("name").unwrap_or_default();
        self.local_sets.contains(name)
            || name.rsplit_once("_ip").is_some_and(|(group, _)| self.port_groups.contains(group))
    }
}

/// Returns true for an address set of egress features, of which each zone has its own pods.
fn is_local_set(row: &&Row) -> bool {
    let owner = row.map_get("external_ids", "k8s.ovn.org/owner-type");
    row.table.name == "Address_Set" && matches!(owner, Some("EgressQoS" | "EgressIP"))
}

/// Returns the texts that say to which peer or tenant a row belongs: all except the elements of lists.
fn identifying(row: &Row) -> String {
    let mut text = String::new();
    for column in &row.table.columns {
        let Some(datum) = row.get(&column.name) else { continue };
        if column.name == "vips" || (column.ty.value.is_none() && column.ty.max > 1) {
            continue;
        }
        let is_zone = |key: &Atom| key.as_str().is_some_and(|key| key.starts_with(ZONE));
        let pairs = datum.pairs().iter().filter(|(key, _)| !is_zone(key));
        let pairs = pairs.flat_map(|(key, value)| [key, value]);
        for atom in datum.atoms().iter().chain(pairs).filter_map(Atom::as_str) {
            text.push_str(&without_backends(atom));
            text.push('\n');
        }
    }
    // A flow for session affinity names one backend, and there is one flow for each.
    if row.table.name == "Logical_Flow" && text.contains("lb_aff(") { "blue".to_owned() } else { text }
}

fn without_backends(text: &str) -> String {
    BACKENDS.as_ref().map_or_else(|| text.to_owned(), |backends| backends.replace_all(text, "").into_owned())
}

/// Returns true if a row refers to a row that is left out, in a column that holds one reference, or in all references
/// of a group of datapaths.
fn lacks(row: &Row, classes: &HashMap<Uuid, Class>) -> bool {
    let left_out = |uuid: Uuid| classes.get(&uuid) == Some(&Class::LeftOut);
    row.table.columns.iter().any(|column| {
        let mut refs = row.refs(&column.name).peekable();
        let decides = column.ty.max == 1 || row.table.name == "Logical_DP_Group";
        decides && refs.peek().is_some() && refs.all(left_out)
    })
}

/// Returns a number of a copy. Keys and ports are unique on a node.
fn key(row: &Row, column: &str, number: i64, repeat: Repeat) -> i64 {
    let more =
        |from: i64, step: i64, tenant: usize| from + i64::try_from(tenant).unwrap_or(0) * step + number;
    let id = |node: usize| i64::try_from(Names::id(node)).unwrap_or(0);
    let of_transit = || row.text("logical_port").is_some_and(|port| port.contains("tstor-"));
    match (row.table.name.as_str(), column, repeat) {
        ("Port_Binding", "tunnel_key", Repeat { peer: Some(peer), .. }) => id(peer),
        ("Port_Binding", "tunnel_key", Repeat { tenant: Some(tenant), .. }) => more(100, 16, tenant),
        ("Port_Binding", "tunnel_key", Repeat { node, .. }) if of_transit() => id(node),
        ("Interface", "ofport", Repeat { peer: Some(peer), .. }) => 1000 + id(peer),
        ("Interface", "ofport", Repeat { tenant: Some(tenant), .. }) => more(2000, 16, tenant),
        _ => number,
    }
}
