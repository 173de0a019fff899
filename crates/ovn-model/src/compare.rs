//! What makes a row of one node's zone the counterpart of a row of another's.
//!
//! In interconnect mode OVN-Kubernetes writes each zone's databases from the same objects. Most rows are the same in
//! all zones; some are made for the zone's node (its gateway router, its switch), some for each other node (the
//! transit switch's ports, the routes to the other nodes' subnets), and some exist in one zone alone (the ports of
//! its pods). See the enhancement "OVN Interconnect" and `go-controller/pkg/types/const.go`.

use crate::{Labels, label};
use ipnet::IpNet;
use ovsdb::{ColumnSchema, Row, Rows, Select, Uuid};
use std::collections::BTreeMap;

/// Something that is a zone's own and so differs from zone to zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Own {
    /// What it is, in the same words in every zone: `transit address`.
    pub kind: String,
    /// What it is in this zone: `100.88.0.3`.
    pub value: String,
    /// The only column (or `column:key`) in which it means that.
    pub column: Option<&'static str>,
}

/// The kind of the zone's name, which in interconnect mode is the node's.
pub const NAME: &str = "name";

/// The columns that hold the tunnel key of a transit switch's port.
const KEY_COLUMNS: [&str; 2] = ["options:requested-tnl-key", "tunnel_key"];

/// What a port that several zones have is in each of them: the zone of its node, and the others, where it is remote.
const SPANNING: [&str; 6] =
    ["name", "logical_port", "addresses", "mac", "options:requested-tnl-key", "tunnel_key"];

/// A row as the other zones should have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counterpart {
    /// What it is called, with what tells it from its like; no UUID.
    pub key: String,
    /// No other zone has it.
    pub local: bool,
    /// Rows of different roles agree in their `spanning` properties only.
    pub role: &'static str,
    /// What should be the same.
    pub properties: Vec<Property>,
}

/// A column, or one key of a map, that should be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// `addresses`, `options:router-port`.
    pub name: String,
    /// Its elements.
    pub values: Vec<String>,
    /// It is the same in every role.
    pub spanning: bool,
}

/// What has to be read of a northbound database to know a zone's own values.
pub fn own_selects() -> Vec<Select> {
    vec![
        Select::from("NB_Global").columns(["name"]),
        Select::from("Logical_Switch").columns(["name", "other_config"]),
        Select::from("Logical_Switch_Port").columns(["name", "type", "addresses", "options"]),
        Select::from("Logical_Router").columns(["name", "options"]),
        Select::from("Logical_Router_Port").columns(["name", "mac", "networks"]),
    ]
}

/// A zone's own values, from what [`own_selects`] asked for.
///
/// What belongs to the zone is recognised by its name: it holds the node's, and what it is without that says
/// of what kind its values are.
pub fn own(node: &str, read: &[Rows]) -> Vec<Own> {
    let rows = |table: &str| {
        let mut rows: Vec<&Row> =
            read.iter().filter(|r| r.table.name == table).flat_map(|r| &r.rows).collect();
        // The default network's names are the shortest: of two meanings of one value, its comes first.
        rows.sort_by_key(|row| row.text("name").map(|name| (name.len(), name.to_owned())));
        rows
    };
    let zone =
        rows("NB_Global").first().and_then(|g| g.text("name")).filter(|n| !n.is_empty()).unwrap_or(node);
    let mut own = vec![Own { kind: NAME.into(), value: zone.into(), column: None }];
    let mut add = |name: &str, what: &str, value: &str| {
        if let Some(whose) = role_of(name, zone) {
            own.push(Own { kind: format!("{whose}{what}"), value: value.into(), column: None });
        }
    };
    for port in rows("Logical_Router_Port") {
        let name = port.text("name").unwrap_or_default();
        port.strings("networks")
            .for_each(|network| add(name, "address", network.split('/').next().unwrap_or(network)));
        add(name, "MAC", port.text("mac").unwrap_or_default());
    }
    for switch in rows("Logical_Switch") {
        let name = switch.text("name").unwrap_or_default();
        for (key, value) in switch
            .map("other_config")
            .filter(|(key, _)| matches!(*key, "subnet" | "ipv6_prefix" | "exclude_ips"))
        {
            add(name, key, value);
        }
    }
    for port in rows("Logical_Switch_Port").iter().filter(|p| p.text("type") == Some("")) {
        let name = port.text("name").unwrap_or_default();
        if name.starts_with("k8s-") || name.contains("_k8s-") {
            for (at, word) in port.strings("addresses").flat_map(|a| a.split(' ').enumerate()) {
                add(name, if at == 0 { "MAC" } else { "address" }, word);
            }
        }
    }
    for router in rows("Logical_Router") {
        let (name, chassis) = (router.text("name").unwrap_or_default(), router.map_get("options", "chassis"));
        if let Some(chassis) = chassis {
            add(name, "chassis", chassis);
            // As gateway chassis are named, after their port.
            add(name, "name and chassis", &format!("{zone}-{chassis}"));
        }
    }
    for port in rows("Logical_Switch_Port").iter().filter(|p| p.text("type") != Some("remote")) {
        let name = port.text("name").unwrap_or_default();
        if let (Some(whose), Some(key)) = (role_of(name, zone), port.map_get("options", "requested-tnl-key"))
        {
            let key =
                |column| Own { kind: format!("{whose}tunnel key"), value: key.into(), column: Some(column) };
            own.extend(KEY_COLUMNS.map(key));
        }
    }
    own.retain(|own| !own.value.is_empty());
    own
}

/// What the name of a node's own object says that it is: `rtots-worker` is the node's transit port.
fn role_of(name: &str, node: &str) -> Option<String> {
    let before = name.strip_suffix(node)?;
    if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.') {
        return None;
    }
    // `rtos-blue_worker` and `blue_rtots-worker`: the network may stand on either side of the prefix.
    let known = [
        ("rtots-", "transit "),
        ("tstor-", "transit "),
        ("rtoj-GR_", "join "),
        ("rtoe-GR_", "external "),
        ("rtos-", "gateway "),
        ("k8s-", "management "),
        ("GR_", ""),
    ];
    let role = known
        .iter()
        .find_map(|(prefix, role)| before.contains(prefix).then(|| (before.replace(prefix, ""), *role)));
    let (network, role) = role.unwrap_or((before.to_owned(), ""));
    let network = network.trim_matches('_');
    Some(if network.is_empty() { role.to_owned() } else { format!("{network} {role}") })
}

/// What a row should have in common with its counterparts.
///
/// `labels` name the rows that it refers to, `owners` those that refer to it. `subnets` are the zone's own.
pub fn counterpart(
    row: &Row,
    labels: &Labels,
    owners: &BTreeMap<Uuid, Vec<String>>,
    subnets: &[IpNet],
) -> Counterpart {
    let table = row.table.name.as_str();
    let owned = matches!(table, "Logical_Router_Static_Route" | "Logical_Router_Policy" | "NAT" | "QoS");
    let owner = owners.get(&row.uuid).filter(|_| owned).map(|names| names.join(" and ")).unwrap_or_default();
    // Of what is owned, the owner's table is clear from its own.
    let owner =
        owner.strip_prefix("Logical_Router ").or(owner.strip_prefix("Logical_Switch ")).unwrap_or(&owner);
    let key = match (owner, singleton(table)) {
        (_, true) => table.to_owned(),
        ("", _) => label(row),
        (owner, _) => format!("{owner}: {}", label(row)),
    };
    let spans = row.map_get("options", "requested-tnl-key").is_some();
    let own_key = |column: &str| column == "tunnel_key" && !spans;
    let columns = row.table.columns.iter().filter(|c| !differs(table, &c.name) && !own_key(&c.name));
    Counterpart {
        key,
        local: !spans && is_local(row, subnets),
        role: match (spans, row.text("type")) {
            (true, Some("remote")) => "remote",
            (true, _) => "own",
            _ => "",
        },
        properties: columns.flat_map(|column| properties(row, column, labels, subnets, spans)).collect(),
    }
}

fn singleton(table: &str) -> bool {
    matches!(table, "NB_Global" | "SB_Global" | "Open_vSwitch")
}

/// Does no other zone have this row, by design?
fn is_local(row: &Row, subnets: &[IpNet]) -> bool {
    let owner = row.map_get("external_ids", "k8s.ovn.org/owner-type").unwrap_or_default();
    match row.table.name.as_str() {
        // A pod's port.
        "Logical_Switch_Port" | "Port_Binding" => {
            row.map_get("external_ids", "pod").is_some() || row.map_get("external_ids", "namespace").is_some()
        }
        // An egress IP is served by one node and rerouted where its pods are.
        "NAT" | "Logical_Router_Policy" if owner == "EgressIP" => {
            row.text("external_ip").is_some() || row.int("priority") == Some(100)
        }
        // Rows for one pod: its egress gateway, its port's state.
        "NAT" => within(row.text("logical_ip"), subnets),
        "Logical_Router_Static_Route" => within(row.text("ip_prefix"), subnets),
        // A pod's interface.
        "Interface" => row.map_get("external_ids", "sandbox").is_some(),
        // What a zone has learnt, and what its ovn-northd made for its own ports.
        "MAC_Binding" | "FDB" | "IGMP_Group" | "Chassis_Template_Var" => true,
        "Port_Group" => row.table.column("acls").is_none(),
        _ => false,
    }
}

/// Is this the address of one host in one of the subnets?
fn within(address: Option<&str>, subnets: &[IpNet]) -> bool {
    let Some(address) = address else { return false };
    let host = address.strip_suffix("/32").or(address.strip_suffix("/128")).unwrap_or(address);
    host.parse::<std::net::IpAddr>().is_ok_and(|ip| subnets.iter().any(|subnet| subnet.contains(&ip)))
}

/// Is this column's value a zone's own affair?
fn differs(table: &str, column: &str) -> bool {
    match (table, column) {
        // Progress, and what a daemon made up for itself.
        (
            _,
            "nb_cfg" | "sb_cfg" | "hv_cfg" | "nb_cfg_timestamp" | "sb_cfg_timestamp" | "hv_cfg_timestamp",
        ) => true,
        ("NB_Global" | "SB_Global", "options" | "connections" | "ssl") => true,
        // Which ports and pods are here; the tables of what is referred to tell what is missing.
        ("Port_Group", "ports") => true,
        ("Logical_Switch", "ports") => true,
        ("Logical_Router", "ports" | "static_routes" | "policies" | "nat") => true,
        // Numbers that each zone's ovn-northd or ovn-controller gives out for itself.
        ("Port_Binding", "up" | "virtual_parent" | "nat_addresses") => true,
        (
            "Load_Balancer" | "Logical_Flow",
            "datapaths" | "datapath_group" | "ls_datapath_group" | "lr_datapath_group" | "logical_dp_group",
        ) => true,
        ("MAC_Binding" | "FDB", "timestamp" | "idle_age") => true,
        ("Logical_Flow", "controller_meter" | "tags" | "external_ids") => true,
        _ => crate::switch::differs(table, column),
    }
}

/// The comparable properties of one column.
fn properties(
    row: &Row,
    column: &ColumnSchema,
    labels: &Labels,
    subnets: &[IpNet],
    spans: bool,
) -> Vec<Property> {
    let property = |name: String, values: Vec<String>| {
        let spanning = !spans || SPANNING.contains(&name.as_str());
        Property { name, values, spanning }
    };
    let Some(datum) = row.get(&column.name) else { return Vec::new() };
    match (row.table.name.as_str(), column.name.as_str()) {
        ("Load_Balancer", "vips") => return vec![property(column.name.clone(), backends(row))],
        ("Address_Set", "addresses") => return vec![property(column.name.clone(), addresses(row, subnets))],
        _ => {}
    }
    // The UUID of a row of another database, which each zone made for itself.
    if column.ty.key.kind == ovsdb::AtomType::Uuid && column.ty.key.ref_table.is_none() {
        return Vec::new();
    }
    if column.ty.value.is_some() {
        let pairs = datum.pairs().iter().map(|(key, value)| {
            let name = format!("{}:{}", column.name, ovsdb::print::atom(key).trim_matches('"'));
            let value = value.as_str().map_or_else(|| ovsdb::print::atom(value), str::to_owned);
            property(name, vec![value])
        });
        return pairs.filter(|p| !own_affair(&p.name)).collect();
    }
    let atom = |atom: &ovsdb::Atom| match (atom, atom.as_str()) {
        (ovsdb::Atom::Uuid(uuid), _) => labels.get(*uuid),
        (_, Some(text)) => text.to_owned(),
        (other, None) => ovsdb::print::atom(other),
    };
    vec![property(column.name.clone(), datum.atoms().iter().map(atom).collect())]
}

/// What a load balancer does, a virtual address and a backend each. Where the traffic policy is `Local`, each node has
/// the endpoints that are on it: which load balancers and addresses these are, is in
/// `go-controller/pkg/ovn/controller/services/lb_config.go` and `docs/design/masquerade-ips.md`.
fn backends(row: &Row) -> Vec<String> {
    let local_balancer = row.text("name").is_some_and(|name| name.contains("_node_local_"));
    let pairs = row.map("vips").flat_map(|(vip, backends)| {
        let host = vip.rsplit_once(':').map_or(vip, |(host, _)| host);
        let local = local_balancer || matches!(host, "169.254.0.3" | "169.254.169.3" | "[fd69::3]");
        let backends: Vec<&str> =
            if local { vec!["the node's own endpoints"] } else { backends.split(',').collect() };
        backends
            .into_iter()
            .map(move |backend| format!("{vip} -> {}", if backend.is_empty() { "none" } else { backend }))
    });
    pairs.collect()
}

/// The members of an address set. Those for egress hold the pods that the zone itself has to serve.
fn addresses(row: &Row, subnets: &[IpNet]) -> Vec<String> {
    let owner = row.map_get("external_ids", "k8s.ovn.org/owner-type").unwrap_or_default();
    let own_pods = matches!(owner, "EgressIP" | "EgressQoS" | "EgressService");
    row.strings("addresses")
        .filter(|address| !(own_pods && within(Some(address), subnets)))
        .map(str::to_owned)
        .collect()
}

/// A key of a map whose value is a zone's own affair: which chassis of its own it wants, when something was made.
fn own_affair(property: &str) -> bool {
    matches!(
        property,
        "options:iface-id-ver"
            | "external_ids:ovnkube-node"
            | "other_config:ovn-cms-options"
            // Of a datapath binding: which row of its own northbound database it was made of.
            | "external_ids:logical-switch"
            | "external_ids:logical-router"
    ) || crate::switch::own_affair(property)
}
