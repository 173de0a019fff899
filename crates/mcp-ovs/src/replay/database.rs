//! The private `conf.db`: the bridges and ports that were collected, with dummies for devices.
//!
//! Only what a trace needs is taken over, column by column. Mirrors, controllers, managers, sFlow targets and the options of
//! devices, some of which name files and sockets, are not among it.

use mcp_core::argv::BridgeName;
use ovsdb::{Atom, Datum, NewFile, Row, Rows, Schema, Select, Uuid};

/// The tables that are read.
pub(super) fn selects() -> [Select; 4] {
    ["Open_vSwitch", "Bridge", "Port", "Interface"].map(Select::from)
}

/// Tunnels and patch ports are what they were; everything else is a dummy.
const KEPT: [&str; 4] = ["patch", "geneve", "vxlan", "gre"];
/// The options of tunnels and patch ports that a trace depends on.
const OPTIONS: [&str; 10] =
    ["peer", "remote_ip", "local_ip", "key", "in_key", "out_key", "csum", "tos", "ttl", "dst_port"];

/// A bridge that was collected.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub(super) name: BridgeName,
    /// OpenFlow numbers and names of its ports.
    pub(super) ports: Vec<(String, String)>,
}

/// What was collected of a switch's database.
pub(super) struct Recorded<'a> {
    schema: &'a Schema,
    switch: &'a Row,
    bridges: &'a Rows,
    ports: &'a Rows,
    interfaces: &'a Rows,
    /// Open vSwitch's version when it was collected.
    pub(super) version: Option<&'a str>,
}

impl<'a> Recorded<'a> {
    /// Of the rows of [`selects`].
    pub(super) fn new(schema: &'a Schema, rows: &'a [Rows]) -> Option<Self> {
        let [switch, bridges, ports, interfaces] = rows else { return None };
        let switch = switch.rows.first()?;
        Some(Self { schema, switch, bridges, ports, interfaces, version: switch.text("ovs_version") })
    }

    /// Is the datapath the kernel's?
    pub(super) fn is_kernel(&self) -> bool {
        self.bridges.rows.iter().all(|row| row.text("datapath_type") != Some("netdev"))
    }

    /// The bridges. One whose name no bridge can have is left out.
    pub(super) fn bridges(&self) -> Vec<Bridge> {
        let bridge = |row: &Row| {
            let name = BridgeName::parse(row.text("name")?).ok()?;
            let port = |row: &Row| {
                let own = row.text("name") == Some(name.as_str());
                let number = row.int("ofport").map(|number| number.to_string());
                Some((if own { "LOCAL".into() } else { number? }, row.text("name")?.to_owned()))
            };
            let ports = self.interfaces_of(row).filter_map(port).collect();
            Some(Bridge { name, ports })
        };
        self.bridges.rows.iter().filter_map(bridge).collect()
    }

    fn ports_of(&self, bridge: &Row) -> impl Iterator<Item = &'a Row> {
        let ports: Vec<Uuid> = bridge.refs("ports").collect();
        let all = self.ports;
        ports.into_iter().filter_map(move |uuid| all.get(uuid))
    }

    fn interfaces_of(&self, bridge: &Row) -> impl Iterator<Item = &'a Row> {
        let all = self.interfaces;
        self.ports_of(bridge).flat_map(move |port| {
            port.refs("interfaces").collect::<Vec<_>>().into_iter().filter_map(move |uuid| all.get(uuid))
        })
    }

    /// The private database.
    pub(super) fn private(&self) -> Vec<u8> {
        let mut file = NewFile::new(self.schema);
        let uuids = |rows: &[&Row]| Datum::set(rows.iter().map(|row| Atom::from(row.uuid)));
        let bridges: Vec<&Row> = self
            .bridges
            .rows
            .iter()
            .filter(|row| row.text("name").is_some_and(|it| BridgeName::parse(it).is_ok()))
            .collect();
        let ports: Vec<&Row> = bridges.iter().flat_map(|bridge| self.ports_of(bridge)).collect();
        file.table("Open_vSwitch", [(self.switch.uuid, [("bridges", uuids(&bridges))])]);
        file.table("Bridge", bridges.iter().map(|row| (row.uuid, bridge(row))));
        let copied = ["name", "interfaces", "tag", "trunks", "vlan_mode"];
        file.table("Port", ports.iter().map(|row| (row.uuid, copy(row, &copied))));
        let interfaces = bridges.iter().flat_map(|row| {
            let name = row.text("name").unwrap_or_default();
            self.interfaces_of(row).map(move |it| (it.uuid, interface(it, name)))
        });
        file.table("Interface", interfaces);
        file.into_bytes()
    }
}

/// These columns as they are.
fn copy(row: &Row, columns: &[&'static str]) -> Vec<(&'static str, Datum)> {
    columns.iter().filter_map(|column| Some((*column, row.get(column)?.clone()))).collect()
}

fn bridge(row: &Row) -> Vec<(&'static str, Datum)> {
    let mut columns = copy(row, &["name", "ports"]);
    columns.push(("datapath_type", Datum::scalar("dummy")));
    // Without a controller: no flows but those that were recorded.
    columns.push(("fail_mode", Datum::scalar("secure")));
    columns.push(("other_config", strings(row, "other_config", &["hwaddr"])));
    columns
}

fn interface(row: &Row, bridge: &str) -> Vec<(&'static str, Datum)> {
    let mut columns = copy(row, &["name", "external_ids"]);
    let kind = row.text("type").unwrap_or_default();
    let kept = KEPT.contains(&kind);
    let own = row.text("name") == Some(bridge);
    let kind = match kept {
        true => kind,
        false if own => "internal",
        false => "dummy",
    };
    columns.push(("type", Datum::scalar(kind)));
    if kept {
        columns.push(("options", strings(row, "options", &OPTIONS)));
    }
    if let Some(number) = row.int("ofport").filter(|number| !own && *number > 0) {
        columns.push(("ofport_request", Datum::scalar(number)));
    }
    columns
}

/// These keys of a map of strings.
fn strings(row: &Row, column: &str, keys: &[&str]) -> Datum {
    let pairs = keys.iter().filter_map(|key| Some((Atom::from(*key), Atom::from(row.map_get(column, key)?))));
    Datum::map(pairs)
}
