//! The display names of rows.

use ovsdb::{Row, Rows, Schema, Select, TableSchema, Uuid};
use std::collections::{BTreeSet, HashMap};

/// The columns that identify a row for a person, the most common first. `column:key` is a key of a map.
///
/// These are the record identifiers of the clients (ovn-nbctl(8), ovn-sbctl(8), "Identifying records"), or, if the
/// clients have none, the columns that distinguish rows.
pub fn name_columns(table: &TableSchema) -> Vec<&'static str> {
    let known: &[&str] = match table.name.as_str() {
        "ACL" => &["name", "external_ids:k8s.ovn.org/id", "external_ids:k8s.ovn.org/name"],
        "Address_Set" | "Port_Group" => {
            &["name", "external_ids:k8s.ovn.org/id", "external_ids:k8s.ovn.org/name"]
        }
        "Chassis" => &["hostname", "name"],
        "Datapath_Binding" => &["external_ids:name"],
        "Port_Binding" | "MAC_Binding" | "Static_MAC_Binding" => &["logical_port"],
        "NAT" => &["logical_ip", "external_ip"],
        "Logical_Router_Static_Route" => &["ip_prefix"],
        "Logical_Router_Policy" => &["external_ids:k8s.ovn.org/id", "external_ids:k8s.ovn.org/name"],
        "DHCP_Options" => &["cidr"],
        "Encap" => &["chassis_name", "ip"],
        "Load_Balancer_Health_Check" => &["vip"],
        "Chassis_Template_Var" => &["chassis"],
        "Connection" | "Controller" | "Manager" => &["target"],
        "Interface" => &["name", "external_ids:iface-id"],
        "FDB" => &["mac"],
        _ => &["name"],
    };
    known.iter().copied().filter(|column| table.column(base(column)).is_some()).collect()
}

/// Returns the column of `column:key`: `external_ids` for `external_ids:name`.
fn base(column: &str) -> &str {
    column.split_once(':').map_or(column, |(column, _)| column)
}

/// Returns the columns that [`label`] reads.
pub fn label_columns(table: &TableSchema) -> Vec<&str> {
    let wanted: &[&str] = match table.name.as_str() {
        "ACL" => &["name", "external_ids", "direction", "priority", "match"],
        "Address_Set" | "Port_Group" => &["name", "external_ids"],
        "Chassis" => &["hostname", "name"],
        "Datapath_Binding" => &["external_ids", "tunnel_key"],
        "Encap" => &["type", "ip"],
        "Port_Binding" => &["logical_port"],
        "NAT" => &["type", "external_ip", "logical_ip", "logical_port"],
        "Logical_Router_Static_Route" => &["ip_prefix", "nexthop", "output_port", "policy", "route_table"],
        "Logical_Router_Policy" => &["priority", "match"],
        "MAC_Binding" | "Static_MAC_Binding" => &["logical_port", "ip"],
        "DHCP_Options" => &["cidr", "name"],
        "RBAC_Permission" => &["table"],
        "HA_Chassis" => &["chassis_name", "priority"],
        "QoS" => &["direction", "priority", "match"],
        "Load_Balancer_Health_Check" => &["vip"],
        "Chassis_Template_Var" => &["chassis"],
        "Connection" | "Controller" | "Manager" => &["target"],
        "FDB" => &["mac", "dp_key"],
        "Meter_Band" => &["action", "rate"],
        "Logical_Flow" => &["pipeline", "table_id", "priority", "match"],
        "Logical_DP_Group" => &["datapaths"],
        "Sample" => &["metadata"],
        _ => &["name"],
    };
    wanted.iter().copied().filter(|column| table.column(column).is_some()).collect()
}

/// Returns the display name of a row in one line: its name, or the values that distinguish it from similar rows.
///
/// ```text
/// Logical_Switch_Port          shop_web-7ddbb54ff6-h8c4s
/// ACL                          NP:shop:Egress (shop:Egress:defaultDeny)
/// Logical_Router_Static_Route  10.244.1.0/24 via 100.88.0.2
/// ```
pub fn label(row: &Row) -> String {
    let text = |column| row.text(column).unwrap_or_default();
    let number = |column| row.int(column).map(|n| n.to_string()).unwrap_or_default();
    let words =
        |words: &[&str]| words.iter().filter(|w| !w.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let owner = || row.map_get("external_ids", "k8s.ovn.org/id").unwrap_or_default();
    let label = match row.table.name.as_str() {
        "ACL" => match (text("name"), owner()) {
            ("", "") => words(&[text("direction"), &number("priority"), text("match")]),
            ("", owner) => owner.to_owned(),
            (name, owner) => qualified(name, owner),
        },
        "Address_Set" | "Port_Group" => qualified(text("name"), owner()),
        "Chassis" if !text("hostname").is_empty() => text("hostname").to_owned(),
        "Datapath_Binding" => match row.map_get("external_ids", "name") {
            Some(name) => name.to_owned(),
            None => format!("tunnel key {}", number("tunnel_key")),
        },
        "Encap" => words(&[text("type"), text("ip")]),
        "Port_Binding" => text("logical_port").to_owned(),
        "NAT" => words(&[text("type"), text("external_ip"), text("logical_ip"), text("logical_port")]),
        "Logical_Router_Static_Route" => words(&[
            text("ip_prefix"),
            text("policy"),
            "via",
            text("nexthop"),
            text("output_port"),
            text("route_table"),
        ]),
        "Logical_Router_Policy" => words(&[&number("priority"), text("match")]),
        "MAC_Binding" | "Static_MAC_Binding" => words(&[text("logical_port"), text("ip")]),
        "DHCP_Options" => words(&[text("cidr"), text("name")]),
        "RBAC_Permission" => text("table").to_owned(),
        "HA_Chassis" if !text("chassis_name").is_empty() => {
            words(&[text("chassis_name"), &number("priority")])
        }
        "QoS" => words(&[text("direction"), &number("priority"), text("match")]),
        "Load_Balancer_Health_Check" => text("vip").to_owned(),
        "Chassis_Template_Var" => text("chassis").to_owned(),
        "Connection" | "Controller" | "Manager" => text("target").to_owned(),
        "FDB" => words(&[text("mac"), "datapath", &number("dp_key")]),
        "Meter_Band" => words(&[text("action"), &number("rate")]),
        "Logical_Flow" => words(&[text("pipeline"), &number("table_id"), &number("priority"), text("match")]),
        "Logical_DP_Group" => format!("{} datapaths", row.refs("datapaths").count()),
        "Sample" => format!("metadata {}", number("metadata")),
        _ => text("name").to_owned(),
    };
    if label.is_empty() { short(row.uuid) } else { label }
}

/// Returns whether `text` is a name that answers print for a row: its [`label`], the label after the name of the table
/// (`Port_Group a7401… (NetpolNamespace:shop:Ingress)`), or the part of the label in parentheses.
pub fn is_called(row: &Row, text: &str) -> bool {
    let label = label(row);
    let of_table = text.strip_prefix(row.table.name.as_str()).and_then(|rest| rest.strip_prefix(' '));
    let owner = row.map_get("external_ids", "k8s.ovn.org/id").map(of_default_network);
    label == text || of_table == Some(&label) || owner == Some(text)
}

/// Returns a name without the sign that marks it in a match: `$` for an address set, `@` for a port group.
pub(crate) fn unmarked(name: &str) -> &str {
    name.strip_prefix(['$', '@']).filter(|name| !name.is_empty()).unwrap_or(name)
}

/// Returns whether a row has a name besides the digits of its UUID.
pub(crate) fn has_name(row: &Row) -> bool {
    label(row) != short(row.uuid)
}

/// Returns an owner's id without the name of the controller of the default network. Every id begins with the name of
/// its controller, which adds no information on the default network.
fn of_default_network(owner: &str) -> &str {
    owner.strip_prefix("default-network-controller:").unwrap_or(owner)
}

/// Returns a hashed name with its meaning.
fn qualified(name: &str, owner: &str) -> String {
    match of_default_network(owner) {
        "" => name.to_owned(),
        owner if owner == name => name.to_owned(),
        owner => format!("{name} ({owner})"),
    }
}

/// Returns the first digits of a UUID, which are enough to look it up.
fn short(uuid: Uuid) -> String {
    uuid.to_string().chars().take(8).collect()
}

/// The names of rows that other rows refer to.
#[derive(Debug, Default)]
pub struct Labels(HashMap<Uuid, String>);

impl Labels {
    /// Returns the selects that give the names of all references in these rows.
    pub fn selects(schema: &Schema, rows: &Rows) -> Vec<Select> {
        let mut tables = BTreeSet::new();
        for column in &rows.table.columns {
            let types = std::iter::once(&column.ty.key).chain(&column.ty.value);
            for table in types.filter_map(|ty| ty.ref_table.as_deref()) {
                if rows.rows.iter().any(|row| row.refs(&column.name).next().is_some()) {
                    tables.insert(table);
                }
            }
        }
        let select = |table: &str| Some(Select::from(table).columns(label_columns(schema.table(table)?)));
        tables.into_iter().filter_map(select).collect()
    }

    /// Adds the names of these rows.
    pub fn add(&mut self, rows: &Rows) {
        self.0.extend(rows.rows.iter().map(|row| (row.uuid, label(row))));
    }

    /// Returns the name of a row as every zone has it. For a row without a name, the result only says that it exists.
    pub(crate) fn in_any_zone(&self, uuid: Uuid) -> String {
        match self.0.get(&uuid) {
            Some(label) if *label == short(uuid) => "a row without a name".into(),
            _ => self.get(uuid),
        }
    }

    /// Returns the name of a row. A reference to a missing row is shown as dangling.
    pub fn get(&self, uuid: Uuid) -> String {
        self.0.get(&uuid).cloned().unwrap_or_else(|| format!("{uuid} (no such row)"))
    }
}
