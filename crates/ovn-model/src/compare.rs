//! What makes a row of one node's zone the counterpart of a row of another's.
//!
//! In interconnect mode OVN-Kubernetes writes each zone's databases from the same objects. Most rows are the same in
//! all zones; some are made for the zone's node (its gateway router, its switch), some for each other node (the
//! transit switch's ports, the routes to the other nodes' subnets), and some exist in one zone alone (the ports of
//! its pods). See the enhancement "OVN Interconnect" and `go-controller/pkg/types/const.go`.

use crate::{Labels, label, label::has_name};
use ipnet::IpNet;
use ovsdb::{ColumnSchema, Row, Rows, Select, Uuid};
use std::collections::{BTreeMap, BTreeSet};

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
pub(crate) const KEY_COLUMNS: [&str; 2] = ["options:requested-tnl-key", "tunnel_key"];

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
        let addresses: Vec<&str> =
            port.strings("networks").map(|network| network.split('/').next().unwrap_or(network)).collect();
        addresses.iter().for_each(|address| add(name, "address", address));
        let networks = port.strings("networks").filter_map(|network| network.parse::<IpNet>().ok());
        networks
            .filter(|_| name.contains("rtoj-"))
            .for_each(|it| add(name, "network", &it.trunc().to_string()));
        let mac = port.text("mac").unwrap_or_default();
        add(name, mac_kind(mac, &addresses), mac);
    }
    for switch in rows("Logical_Switch") {
        let name = switch.text("name").unwrap_or_default();
        for (key, value) in
            switch.map("other_config").filter(|(key, _)| matches!(*key, "subnet" | "ipv6_prefix"))
        {
            add(name, key, value);
        }
    }
    for port in rows("Logical_Switch_Port").iter().filter(|p| p.text("type") == Some("")) {
        let name = port.text("name").unwrap_or_default();
        if name.starts_with("k8s-") || name.contains("_k8s-") {
            for addresses in port.strings("addresses") {
                let mut words = addresses.split(' ');
                let mac = words.next().unwrap_or_default();
                let addresses: Vec<&str> = words.collect();
                add(name, mac_kind(mac, &addresses), mac);
                addresses.iter().for_each(|address| add(name, "address", address));
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

/// OVN-Kubernetes makes most MAC addresses of an IPv4 address. One that is made so on other nodes and not on this one is of
/// another kind, and stands out.
fn mac_kind(mac: &str, addresses: &[&str]) -> &'static str {
    let derived = |address: &&str| address.parse().is_ok_and(|ip| crate::host::derived_mac(ip) == mac);
    if addresses.iter().any(derived) { "derived MAC" } else { "MAC" }
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
        ("", _) => name_of(row, labels, subnets),
        (owner, _) => format!("{owner}: {}", name_of(row, labels, subnets)),
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

/// What a row is called in every zone. What has no name is called after what it holds: its UUID is its zone's own.
fn name_of(row: &Row, labels: &Labels, subnets: &[IpNet]) -> String {
    let table = row.table.name.as_str();
    let name = match has_name(row) {
        true => without_uuids(&label(row)),
        false => {
            let columns =
                row.table.columns.iter().filter(|c| !differs(table, &c.name) && c.name != "tunnel_key");
            let held = columns.flat_map(|column| properties(row, column, labels, subnets, false));
            let held = held
                .filter(|of| !of.values.is_empty())
                .map(|of| format!("{}={}", of.name, of.values.join(",")));
            format!("{table} {}", held.collect::<Vec<_>>().join(" "))
        }
    };
    match (table, row.refs("datapath").next()) {
        // Each datapath has some of the same name, or one.
        ("Multicast_Group" | "IP_Multicast", Some(datapath)) => format!("{}: {name}", labels.get(datapath)),
        _ => name,
    }
}

/// A name in which UUIDs, such as those that ovn-northd puts into names of meters, are left out.
fn without_uuids(name: &str) -> String {
    const LENGTH: usize = 36;
    let mut text = name.to_owned();
    let mut from = 0;
    while let Some(part) = text.get(from..).filter(|part| part.len() >= LENGTH) {
        match part.get(..LENGTH).filter(|part| part.parse::<Uuid>().is_ok()) {
            Some(_) => text.replace_range(from..from + LENGTH, "<uuid>"),
            None => from += part.chars().next().map_or(1, char::len_utf8),
        }
    }
    text
}

/// The columns and keys of these rows that are not compared, because they are a zone's own affair.
pub fn left_out(rows: &Rows) -> BTreeSet<String> {
    let table = rows.table.name.as_str();
    let mut names = BTreeSet::new();
    for column in &rows.table.columns {
        let is_foreign = column.ty.key.kind == ovsdb::AtomType::Uuid && column.ty.key.ref_table.is_none();
        if differs(table, &column.name) || is_foreign || column.name == "tunnel_key" {
            names.insert(column.name.clone());
        } else if column.ty.value.is_some() {
            let datums = rows.rows.iter().filter_map(|row| row.get(&column.name));
            let keys = datums.flat_map(|datum| datum.pairs()).map(|(key, _)| ovsdb::print::atom(key));
            let property = |key: String| format!("{}:{}", column.name, key.trim_matches('"'));
            let own = keys.map(property).filter(|property| own_affair(property));
            // `external_ids:ct-zone-…`: one for each port. `variables:Service_…`: one for each port of a service.
            names.extend(own.map(|name| {
                match (name.split_once("ct-zone-"), name.starts_with("variables:")) {
                    (Some((before, _)), _) => format!("{before}ct-zone-*"),
                    (None, true) => "variables:Service_*".to_owned(),
                    (None, false) => name,
                }
            }));
        }
    }
    // Parts of values, which no other zone need have.
    let leads_to_own =
        |row: &Row| table == "Load_Balancer" && row.map("vips").any(|(vip, _)| is_own(row, vip));
    if rows.rows.iter().any(leads_to_own) {
        names.insert("vips of load balancers for the node's own endpoints: only that they are there".into());
    }
    if rows.rows.iter().any(|row| table == "Address_Set" && holds_own_pods(row)) {
        names.insert("addresses of the node's own pods in address sets for egress".into());
    }
    names
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
        "MAC_Binding" | "FDB" | "IGMP_Group" => true,
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
        ("NB_Global" | "SB_Global", "connections" | "ssl") => true,
        // Which ports and pods are here; the tables of what is referred to tell what is missing.
        ("Port_Group" | "Multicast_Group", "ports") => true,
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
    let atom = |atom: &ovsdb::Atom| match (atom, atom.as_str()) {
        (ovsdb::Atom::Uuid(uuid), _) => without_uuids(&labels.in_any_zone(*uuid)),
        (_, Some(text)) => text.to_owned(),
        (other, None) => ovsdb::print::atom(other),
    };
    if column.ty.value.is_some() {
        let pairs = datum.pairs().iter().map(|(key, value)| {
            let name = format!("{}:{}", column.name, ovsdb::print::atom(key).trim_matches('"'));
            property(name, vec![atom(value)])
        });
        return pairs.filter(|p| !own_affair(&p.name)).collect();
    }
    vec![property(column.name.clone(), datum.atoms().iter().map(atom).collect())]
}

/// What a load balancer does, a virtual address and a backend each.
fn backends(row: &Row) -> Vec<String> {
    let pairs = row.map("vips").flat_map(|(vip, backends)| {
        let backends: Vec<&str> =
            if is_own(row, vip) { vec!["the node's own endpoints"] } else { backends.split(',').collect() };
        backends
            .into_iter()
            .map(move |backend| format!("{vip} -> {}", if backend.is_empty() { "none" } else { backend }))
    });
    pairs.collect()
}

/// Does a virtual address of a load balancer lead to endpoints of the zone's own node? Where the traffic policy is `Local`, each
/// node has the endpoints that are on it: which load balancers and addresses these are, is in
/// `go-controller/pkg/ovn/controller/services/lb_config.go` and `docs/design/masquerade-ips.md`.
fn is_own(row: &Row, vip: &str) -> bool {
    let host = vip.rsplit_once(':').map_or(vip, |(host, _)| host);
    row.text("name").is_some_and(|name| name.contains("_node_local_"))
        || matches!(host, "169.254.0.3" | "169.254.169.3" | "[fd69::3]")
}

/// The members of an address set. Those for egress hold the pods that the zone itself has to serve.
fn addresses(row: &Row, subnets: &[IpNet]) -> Vec<String> {
    let own_pods = holds_own_pods(row);
    row.strings("addresses")
        .filter(|address| !(own_pods && within(Some(address), subnets)))
        .map(str::to_owned)
        .collect()
}

fn holds_own_pods(row: &Row) -> bool {
    let owner = row.map_get("external_ids", "k8s.ovn.org/owner-type").unwrap_or_default();
    matches!(owner, "EgressIP" | "EgressQoS" | "EgressService")
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
            // What each zone's ovn-northd makes up, and when it last did something.
            | "options:mac_prefix"
            | "options:svc_monitor_mac"
            | "options:e2e_timestamp"
    )
        // Backends of a service as its template has them on one chassis, which may be those of the node alone.
        || property.starts_with("variables:Service_")
        || crate::switch::own_affair(property)
}
