//! The counterpart of a row of one node's zone in the zones of other nodes.
//!
//! In interconnect mode OVN-Kubernetes writes the databases of each zone from the same objects. Most rows are the
//! same in all zones. Some belong to the zone's node (its gateway router, its switch), some to each other node (the
//! ports of the transit switch, the routes to the other nodes' subnets), and some exist in one zone only (the ports
//! of its pods). See the enhancement "OVN Interconnect" and `go-controller/pkg/types/const.go`.

use crate::{Labels, label, label::has_name};
use ipnet::IpNet;
use ovsdb::{ColumnSchema, Row, Rows, Select, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// A value that belongs to one zone and therefore differs between zones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Own {
    /// The kind of the value, in the same words in every zone: `transit address`.
    pub kind: String,
    /// The value in this zone: `100.88.0.3`.
    pub value: String,
    /// The only column (or `column:key`) in which the value has this meaning.
    pub column: Option<&'static str>,
}

/// The kind of the zone's name, which in interconnect mode is the name of the node.
pub const NAME: &str = "name";

/// The columns that hold the tunnel key of a transit switch's port.
pub(crate) const KEY_COLUMNS: [&str; 2] = ["options:requested-tnl-key", "tunnel_key"];

/// The columns of a port in several zones whose values are the same in the zone of its node and in the other zones,
/// where the port is remote.
const SPANNING: [&str; 6] =
    ["name", "logical_port", "addresses", "mac", "options:requested-tnl-key", "tunnel_key"];

/// A row in the form in which the other zones should have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counterpart {
    /// The name of the row with the data that distinguishes it from similar rows, without a UUID.
    pub key: String,
    /// Whether no other zone has the row.
    pub local: bool,
    /// The role of the row. Rows of different roles agree only in their `spanning` properties.
    pub role: &'static str,
    /// The properties that should be the same.
    pub properties: Vec<Property>,
}

/// A column, or one key of a map, that should be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The name: `addresses`, `options:router-port`.
    pub name: String,
    /// The elements of the value.
    pub values: Vec<String>,
    /// Whether the property is the same in every role.
    pub spanning: bool,
}

/// Returns the selects on a northbound database that give a zone's own values.
pub fn own_selects() -> Vec<Select> {
    vec![
        Select::from("NB_Global").columns(["name"]),
        Select::from("Logical_Switch").columns(["name", "other_config"]),
        Select::from("Logical_Switch_Port").columns(["name", "type", "addresses", "options"]),
        Select::from("Logical_Router").columns(["name", "options"]),
        Select::from("Logical_Router_Port").columns(["name", "mac", "networks"]),
    ]
}

/// The pods that a zone has alone.
#[derive(Clone, Debug, Default)]
pub struct OwnPods {
    /// The subnets of the zone's node.
    subnets: Vec<IpNet>,
    /// The names of the address sets that hold the pods that the zone itself serves. The southbound database copies
    /// these sets without their owners.
    sets: BTreeSet<String>,
}

impl OwnPods {
    /// Returns the pods of a zone from its own values.
    pub fn new(own: &[Own]) -> Self {
        Self { subnets: own.iter().filter_map(|own| own.value.parse().ok()).collect(), sets: BTreeSet::new() }
    }

    /// The select on a northbound database that [`Self::with_sets`] reads.
    pub fn sets() -> Select {
        Select::from("Address_Set").columns(["name", "external_ids"])
    }

    /// Adds the names of the northbound address sets that hold the zone's own pods. Only the comparison of southbound
    /// address sets needs them.
    #[must_use]
    pub fn with_sets(self, read: &[Rows]) -> Self {
        let rows = read.iter().flat_map(|rows| &rows.rows).filter(|row| holds_own_pods(row));
        Self { sets: rows.filter_map(|row| row.text("name")).map(str::to_owned).collect(), ..self }
    }
}

/// Returns a zone's own values from the rows that [`own_selects`] selected.
///
/// Rows that belong to the zone are recognised by their names, which contain the name of the node. The rest of the
/// name gives the kind of the values.
pub fn own(node: &str, read: &[Rows]) -> Vec<Own> {
    let rows = |table: &str| {
        let mut rows: Vec<&Row> =
            read.iter().filter(|r| r.table.name == table).flat_map(|r| &r.rows).collect();
        // The default network's names are the shortest. If a value has two meanings, that of the default network
        // comes first.
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
            // A gateway chassis has a name of this form, which begins with the name of its port.
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

/// OVN-Kubernetes derives most MAC addresses from an IPv4 address. If a MAC address is derived on other nodes but not
/// on this one, its kind differs, and the comparison shows it.
fn mac_kind(mac: &str, addresses: &[&str]) -> &'static str {
    let derived = |address: &&str| address.parse().is_ok_and(|ip| crate::host::derived_mac(ip) == mac);
    if addresses.iter().any(derived) { "derived MAC" } else { "MAC" }
}

/// Returns the role in the name of a node's own object: `rtots-worker` is the node's transit port.
fn role_of(name: &str, node: &str) -> Option<String> {
    let before = name.strip_suffix(node)?;
    if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.') {
        return None;
    }
    // The network may be on either side of the prefix: `rtos-blue_worker` and `blue_rtots-worker`.
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

/// Returns the properties that a row should have in common with its counterparts.
///
/// `labels` name the rows that the row refers to, `owners` the rows that refer to it. `pods` are the zone's own.
pub fn counterpart(
    row: &Row,
    labels: &Labels,
    owners: &BTreeMap<Uuid, Vec<String>>,
    pods: &OwnPods,
) -> Counterpart {
    let table = row.table.name.as_str();
    let owned = matches!(table, "Logical_Router_Static_Route" | "Logical_Router_Policy" | "NAT" | "QoS");
    let owner = owners.get(&row.uuid).filter(|_| owned).map(|names| names.join(" and ")).unwrap_or_default();
    // The table of an owned row already implies the table of its owner.
    let owner =
        owner.strip_prefix("Logical_Router ").or(owner.strip_prefix("Logical_Switch ")).unwrap_or(&owner);
    let key = match (owner, singleton(table)) {
        (_, true) => table.to_owned(),
        ("", _) => name_of(row, labels, pods),
        (owner, _) => format!("{owner}: {}", name_of(row, labels, pods)),
    };
    let spans = row.map_get("options", "requested-tnl-key").is_some();
    let own_key = |column: &str| column == "tunnel_key" && !spans;
    let columns = row.table.columns.iter().filter(|c| !differs(table, &c.name) && !own_key(&c.name));
    Counterpart {
        key,
        local: !spans && is_local(row, &pods.subnets),
        role: match (spans, row.text("type")) {
            (true, Some("remote")) => "remote",
            (true, _) => "own",
            _ => "",
        },
        properties: columns.flat_map(|column| properties(row, column, labels, pods, spans)).collect(),
    }
}

/// Returns the name of a row in every zone. A row without a name is named after its values, because each zone has its
/// own UUIDs.
fn name_of(row: &Row, labels: &Labels, pods: &OwnPods) -> String {
    let table = row.table.name.as_str();
    let name = match has_name(row) {
        true => without_uuids(&label(row)),
        false => {
            let columns =
                row.table.columns.iter().filter(|c| !differs(table, &c.name) && c.name != "tunnel_key");
            let held = columns.flat_map(|column| properties(row, column, labels, pods, false));
            let held = held
                .filter(|of| !of.values.is_empty())
                .map(|of| format!("{}={}", of.name, of.values.join(",")));
            format!("{table} {}", held.collect::<Vec<_>>().join(" "))
        }
    };
    match (table, row.refs("datapath").next()) {
        // Each datapath has such rows with the same names, or one row.
        ("Multicast_Group" | "IP_Multicast", Some(datapath)) => format!("{}: {name}", labels.get(datapath)),
        _ => name,
    }
}

/// Removes UUIDs from a name, such as those that ovn-northd puts into names of meters.
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

/// Returns the columns and keys of these rows that are not compared because they differ between zones by design.
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
            // `external_ids:ct-zone-…` has one key per port, and `variables:Service_…` one key per port of a service.
            names.extend(own.map(|name| {
                match (name.split_once("ct-zone-"), name.starts_with("variables:")) {
                    (Some((before, _)), _) => format!("{before}ct-zone-*"),
                    (None, true) => "variables:Service_*".to_owned(),
                    (None, false) => name,
                }
            }));
        }
    }
    // Parts of values that other zones need not have.
    let leads_to_own =
        |row: &Row| table == "Load_Balancer" && row.map("vips").any(|(vip, _)| is_own(row, vip));
    if rows.rows.iter().any(leads_to_own) {
        names.insert(
            "vips of load balancers for the node's own endpoints (only their presence is compared)".into(),
        );
    }
    let of_address_sets = |is: fn(&Row) -> bool| table == "Address_Set" && rows.rows.iter().any(is);
    if of_address_sets(is_of_northd) {
        let what = "addresses that ovn-northd chooses for its zone (the node's own ports in port groups, svc_monitor_mac)";
        names.insert(what.into());
    }
    // The rows of the southbound database do not say what they are for.
    let is_southbound = |row: &Row| row.table.column("external_ids").is_none();
    if of_address_sets(holds_own_pods) || of_address_sets(is_southbound) {
        names.insert("addresses of the node's own pods in address sets for egress".into());
    }
    names
}

fn singleton(table: &str) -> bool {
    matches!(table, "NB_Global" | "SB_Global" | "Open_vSwitch")
}

/// Returns whether no other zone has this row, by design.
fn is_local(row: &Row, subnets: &[IpNet]) -> bool {
    let owner = row.map_get("external_ids", "k8s.ovn.org/owner-type").unwrap_or_default();
    match row.table.name.as_str() {
        // The port of a pod.
        "Logical_Switch_Port" | "Port_Binding" => {
            row.map_get("external_ids", "pod").is_some() || row.map_get("external_ids", "namespace").is_some()
        }
        // One node serves an egress IP, and the nodes of its pods reroute it.
        "NAT" | "Logical_Router_Policy" if owner == "EgressIP" => {
            row.text("external_ip").is_some() || row.int("priority") == Some(100)
        }
        // Rows for one pod, such as its egress gateway.
        "NAT" => within(row.text("logical_ip"), subnets),
        "Logical_Router_Static_Route" => within(row.text("ip_prefix"), subnets),
        // The interface of a pod.
        "Interface" => row.map_get("external_ids", "sandbox").is_some(),
        // Addresses that a zone has learnt, and port groups that its ovn-northd made for its own ports.
        "MAC_Binding" | "FDB" | "IGMP_Group" => true,
        "Port_Group" => row.table.column("acls").is_none(),
        _ => false,
    }
}

/// Returns whether this is the address of one host in one of the subnets.
fn within(address: Option<&str>, subnets: &[IpNet]) -> bool {
    let Some(address) = address else { return false };
    let host = address.strip_suffix("/32").or(address.strip_suffix("/128")).unwrap_or(address);
    host.parse::<std::net::IpAddr>().is_ok_and(|ip| subnets.iter().any(|subnet| subnet.contains(&ip)))
}

/// Returns whether the values of this column differ between zones by design.
fn differs(table: &str, column: &str) -> bool {
    match (table, column) {
        // Progress, and values that a daemon chose for itself.
        (
            _,
            "nb_cfg" | "sb_cfg" | "hv_cfg" | "nb_cfg_timestamp" | "sb_cfg_timestamp" | "hv_cfg_timestamp",
        ) => true,
        ("NB_Global" | "SB_Global", "connections" | "ssl") => true,
        // The ports and pods of this node; comparing the referenced tables shows what is missing.
        ("Port_Group" | "Multicast_Group", "ports") => true,
        ("Logical_Switch", "ports") => true,
        ("Logical_Router", "ports" | "static_routes" | "policies" | "nat") => true,
        // Numbers that each zone's ovn-northd or ovn-controller assigns itself.
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

/// Returns the comparable properties of one column.
fn properties(
    row: &Row,
    column: &ColumnSchema,
    labels: &Labels,
    pods: &OwnPods,
    spans: bool,
) -> Vec<Property> {
    let property = |name: String, values: Vec<String>| {
        let spanning = !spans || SPANNING.contains(&name.as_str());
        Property { name, values, spanning }
    };
    let Some(datum) = row.get(&column.name) else { return Vec::new() };
    match (row.table.name.as_str(), column.name.as_str()) {
        ("Load_Balancer", "vips") => return vec![property(column.name.clone(), backends(row))],
        ("Address_Set", "addresses") => return vec![property(column.name.clone(), addresses(row, pods))],
        _ => {}
    }
    // The UUID of a row of another database, which each zone creates for itself.
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

/// Returns the virtual addresses of a load balancer, each with one backend.
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

/// Returns whether a virtual address of a load balancer leads to endpoints of the zone's own node. With the traffic
/// policy `Local`, each node has only its own endpoints. `go-controller/pkg/ovn/controller/services/lb_config.go` and
/// `docs/design/masquerade-ips.md` describe these load balancers and addresses.
fn is_own(row: &Row, vip: &str) -> bool {
    let host = vip.rsplit_once(':').map_or(vip, |(host, _)| host);
    row.text("name").is_some_and(|name| name.contains("_node_local_"))
        || matches!(host, "169.254.0.3" | "169.254.169.3" | "[fd69::3]")
}

/// Returns the members of an address set that other zones have too. Address sets for egress hold the pods that the zone
/// itself serves, and ovn-northd makes sets of its zone's own ports.
fn addresses(row: &Row, pods: &OwnPods) -> Vec<String> {
    if is_of_northd(row) {
        return Vec::new();
    }
    let own_pods = holds_own_pods(row) || row.text("name").is_some_and(|name| pods.sets.contains(name));
    row.strings("addresses")
        .filter(|address| !(own_pods && within(Some(address), &pods.subnets)))
        .map(str::to_owned)
        .collect()
}

/// Returns whether ovn-northd made this southbound address set for its zone: from the ports of a port group (ovn-nb(5),
/// Port_Group: the set `<name>_ip4` or `<name>_ip6`), or with the MAC addresses that it chose for its service monitor.
fn is_of_northd(row: &Row) -> bool {
    let is_southbound = row.table.column("external_ids").is_none();
    let is_made = |name: &str| name.ends_with("_ip4") || name.ends_with("_ip6") || name == "svc_monitor_mac";
    is_southbound && row.text("name").is_some_and(is_made)
}

fn holds_own_pods(row: &Row) -> bool {
    let owner = row.map_get("external_ids", "k8s.ovn.org/owner-type").unwrap_or_default();
    matches!(owner, "EgressIP" | "EgressQoS" | "EgressService")
}

/// Returns whether the value of a map's key differs between zones by design, such as a requested chassis or a time.
fn own_affair(property: &str) -> bool {
    matches!(
        property,
        "options:iface-id-ver"
            | "external_ids:ovnkube-node"
            | "other_config:ovn-cms-options"
            // The row of the zone's own northbound database that a datapath binding was made from.
            | "external_ids:logical-switch"
            | "external_ids:logical-router"
            // Values that each zone's ovn-northd chooses, and the time of its last action.
            | "options:mac_prefix"
            | "options:svc_monitor_mac"
            | "options:e2e_timestamp"
    )
        // The backends of a service in the template for one chassis, which may be only those of the node.
        || property.starts_with("variables:Service_")
        || crate::switch::own_affair(property)
}
