//! Reads the logical ports of a node's zone from the northbound, southbound and Open_vSwitch databases.

use super::Locator;
use crate::nodes::{KnownNode, joined, same, subnets_of_switch};
use futures::StreamExt;
use mcp_core::{Db, NodeName};
use ovsdb::{Condition, Row, Rows, Select, Uuid};
use std::collections::{BTreeMap, BTreeSet};

/// A logical switch port.
#[derive(Clone, Debug, Default)]
pub(super) struct LogicalPort {
    uuid: Uuid,
    pub(super) name: String,
    pub(super) switch: String,
    /// The NetworkAttachmentDefinition of a user-defined network; empty for the default network.
    pub(super) nad: String,
    pub(super) kind: String,
    /// The namespace and the name of the port's pod.
    pub(super) pod: Option<(String, String)>,
    /// The UID of the pod for which ovnkube-controller created the port.
    pub(super) uid: String,
    pub(super) addresses: Vec<String>,
    pub(super) up: Option<bool>,
    /// The port binding: `tunnel key 5 of datapath 3, bound to ovn-worker`.
    pub(super) binding: Option<String>,
    pub(super) bound: bool,
    /// The interface, `3a8cc1b9_0 (ofport 12)`, and whether ovn-controller has marked it as ovn-installed.
    pub(super) interface: Option<(String, bool)>,
}

/// The rows of a zone that ovnkube_locate uses.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneRows {
    pub(super) ports: Vec<LogicalPort>,
    /// The load balancers: name, and the backends of each virtual address.
    pub(super) balancers: Vec<(String, Vec<(String, String)>)>,
    /// The router ports: name, MAC address, networks.
    pub(super) router_ports: Vec<(String, String, Vec<String>)>,
    /// The NAT rules: type, external address, logical address.
    pub(super) nats: Vec<(String, String, String)>,
    pub(super) has_southbound: bool,
    pub(super) has_interfaces: bool,
}

pub(super) fn table(rows: &[Rows], at: usize) -> impl Iterator<Item = &Row> {
    rows.get(at).into_iter().flat_map(|rows| &rows.rows)
}

fn own(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// Returns the queries to a northbound database: ports, switches, load balancers, router ports, NAT rules.
pub(super) fn northbound() -> [Select; 5] {
    [
        Select::from("Logical_Switch_Port").columns([
            "name",
            "addresses",
            "type",
            "up",
            "external_ids",
            "options",
        ]),
        Select::from("Logical_Switch").columns(["name", "ports"]),
        Select::from("Load_Balancer").columns(["name", "vips"]),
        Select::from("Logical_Router_Port").columns(["name", "mac", "networks"]),
        Select::from("NAT").columns(["type", "external_ip", "logical_ip"]),
    ]
}

impl Locator<'_, '_> {
    /// Reads several databases of a node in parallel. A database that cannot be read becomes a note and does not affect
    /// the others.
    pub(super) async fn databases<const N: usize>(
        &mut self,
        name: &str,
        questions: [(Db, &[Select]); N],
    ) -> [Option<Vec<Rows>>; N] {
        let Ok(node) = name.parse::<NodeName>() else { return [const { None }; N] };
        if !self.is_readable(name) {
            self.notes.push(format!("this source does not have the databases of {name}"));
            return [const { None }; N];
        }
        let questions = questions.map(|(db, selects)| (node.clone(), db, selects.to_vec()));
        let mut answers =
            self.cluster.ask(questions.into(), |rows| rows).collect::<Vec<_>>().await.into_iter();
        std::array::from_fn(|_| match answers.next()?.1 {
            Ok(rows) => Some(rows),
            Err(e) => {
                self.notes.push(e.to_string());
                None
            }
        })
    }

    /// Reads a zone. Returns `None` if its northbound database cannot be read.
    pub(super) async fn zone_of(&mut self, name: &str) -> Option<ZoneRows> {
        let southbound = [
            Select::from("Port_Binding").columns(["logical_port", "tunnel_key", "datapath", "chassis"]),
            Select::from("Datapath_Binding").columns(["tunnel_key"]),
            Select::from("Chassis").columns(["name", "hostname"]),
        ];
        let interfaces = [Select::from("Interface").columns(["name", "ofport", "external_ids"])];
        let nb = northbound();
        let questions = [
            (Db::Nb, nb.as_slice()),
            (Db::Sb, southbound.as_slice()),
            (Db::OpenVSwitch, interfaces.as_slice()),
        ];
        let [nb, sb, ovs] = self.databases(name, questions).await;
        Some(zone(&nb?, sb.as_deref(), ovs.as_deref()))
    }

    /// Compares the annotations of a node with its databases.
    pub(super) async fn own_tables(&mut self, name: &str, object: Option<&KnownNode>) {
        let northbound = [
            Select::from("NB_Global").columns(["name"]),
            Select::from("Logical_Switch").columns(["name", "other_config"]),
        ];
        let grouped = ["name", "load_balancer_group"];
        let balancing = [
            Select::from("Load_Balancer_Group").columns(["name"]),
            Select::from("Logical_Switch").columns(grouped).filter(Condition::is("name", name)),
            Select::from("Logical_Router")
                .columns(grouped)
                .filter(Condition::is("name", format!("GR_{name}").as_str())),
        ];
        let southbound = [
            Select::from("Chassis").columns(["hostname", "encaps"]).filter(Condition::is("hostname", name)),
            Select::from("Encap").columns(["ip"]),
        ];
        let open_vswitch = [Select::from("Open_vSwitch").columns(["external_ids"])];
        let questions = [
            (Db::Nb, northbound.as_slice()),
            (Db::Nb, balancing.as_slice()),
            (Db::Sb, southbound.as_slice()),
            (Db::OpenVSwitch, open_vswitch.as_slice()),
        ];
        let [nb, balancing, sb, ovs] = self.databases(name, questions).await;
        self.grouped(&balancing.unwrap_or_default());
        let mut said = Vec::new();
        let given_encap = object.map(KnownNode::given_encap_ips);
        if let Some(rows) = &nb {
            let zone = table(rows, 0).next().map(|row| own(row.text("name"))).unwrap_or_default();
            let switch = table(rows, 1).find(|row| row.text("name") == Some(name));
            said.push(("zone", zone, object.map(|o| o.zone().to_owned())));
            let subnets = switch.map(subnets_of_switch).unwrap_or_default();
            said.push(("subnet of its switch", subnets, object.map(KnownNode::subnets)));
        }
        if let Some(rows) = &ovs
            && let Some(row) = table(rows, 0).next()
        {
            let id = |key: &str| own(row.map_get("external_ids", key));
            said.push((
                "chassis (system-id)",
                id("system-id"),
                object.and_then(|o| o.annotations.chassis_id.clone()),
            ));
            said.push(("encapsulation", id("ovn-encap-ip"), given_encap.clone()));
            self.lines.push(format!("bridge mappings: {}", id("ovn-bridge-mappings")));
        }
        if let Some([chassis, encaps]) = sb.as_deref()
            && let Some(chassis) = chassis.rows.first()
        {
            let ends = chassis.refs("encaps").filter_map(|encap| encaps.get(encap)?.text("ip"));
            // A chassis can have one row for each tunnel type with the same address.
            let ends: BTreeSet<&str> = ends.collect();
            if !ends.is_empty() {
                said.push(("encapsulation in the southbound database", joined(ends), given_encap));
            }
        }
        for (what, database, _) in said.iter().filter(|(what, ..)| what.starts_with("encapsulation")) {
            for end in object.into_iter().flat_map(|object| object.foreign(database)) {
                self.findings.push(format!("{what}: {end} is not an address of node {name}"));
            }
        }
        for (what, database, annotation) in said {
            // Without an annotation, the node chose the value itself. A subnet is always assigned, so for a subnet a
            // value without an annotation is a difference.
            let chosen =
                |given: &str| given == "none" && (!what.starts_with("subnet") || database.is_empty());
            match annotation.filter(|given| !same(given, &database) && !chosen(given)) {
                Some(annotation) if database.is_empty() => {
                    self.findings.push(format!(
                        "{what}: the Node object has {annotation}, but the databases of {name} have none"
                    ));
                }
                Some(annotation) => {
                    self.findings.push(format!(
                        "{what}: the Node object has {annotation}, but the databases of {name} have {database}"
                    ));
                }
                None => self.lines.push(format!("in the node's databases, the {what} is {database}")),
            }
        }
    }
}

impl Locator<'_, '_> {
    /// Finds a switch or gateway router without the cluster's load balancer group, from which no service is reachable.
    fn grouped(&mut self, rows: &[Rows]) {
        /// The name that go-controller uses (`types.ClusterLBGroupName`).
        const GROUP: &str = "clusterLBGroup";
        let Some(group) = table(rows, 0).find(|row| row.text("name") == Some(GROUP)) else { return };
        for (what, at) in [("switch", 1), ("router", 2)] {
            for row in
                table(rows, at).filter(|row| !row.refs("load_balancer_group").any(|of| of == group.uuid))
            {
                self.findings.push(format!(
                    "{what} {} (_uuid {}) lacks the load balancer group {GROUP}: it cannot reach services of the cluster",
                    row.text("name").unwrap_or_default(),
                    row.uuid
                ));
            }
        }
    }
}

/// Builds a zone from the rows of [`northbound`], or from the first tables of it. The southbound and Open_vSwitch
/// databases add bindings and interfaces to the ports.
pub(super) fn zone(nb: &[Rows], sb: Option<&[Rows]>, ovs: Option<&[Rows]>) -> ZoneRows {
    let mut switches = BTreeMap::new();
    for switch in table(nb, 1) {
        switches.extend(switch.refs("ports").map(|port| (port, own(switch.text("name")))));
    }
    let keys: BTreeMap<_, _> = sb
        .into_iter()
        .flat_map(|rows| table(rows, 1))
        .map(|row| (row.uuid, row.int("tunnel_key").unwrap_or(0)))
        .collect();
    let hosts: BTreeMap<_, _> = sb
        .into_iter()
        .flat_map(|rows| table(rows, 2))
        .map(|row| (row.uuid, own(row.text("hostname"))))
        .collect();
    let bindings: BTreeMap<String, &Row> = sb
        .into_iter()
        .flat_map(|rows| table(rows, 0))
        .map(|row| (own(row.text("logical_port")), row))
        .collect();
    let interfaces: BTreeMap<String, &Row> = ovs
        .into_iter()
        .flat_map(|rows| table(rows, 0))
        .filter_map(|row| Some((row.map_get("external_ids", "iface-id")?.to_owned(), row)))
        .collect();
    let port = |row: &Row| {
        let name = own(row.text("name"));
        let binding = bindings.get(&name);
        let chassis =
            binding.and_then(|row| row.refs("chassis").next()).and_then(|chassis| hosts.get(&chassis));
        let interface = interfaces.get(&name).map(|row| {
            let ofport = row.int("ofport").map_or("none".into(), |n| n.to_string());
            let text = format!("{} (ofport {ofport})", row.text("name").unwrap_or_default());
            (text, row.map_get("external_ids", "ovn-installed") == Some("true"))
        });
        LogicalPort {
            uuid: row.uuid,
            switch: switches.get(&row.uuid).cloned().unwrap_or_default(),
            nad: own(row.map_get("external_ids", "k8s.ovn.org/nad")),
            kind: own(row.text("type")),
            pod: of_pod(row),
            uid: own(row.map_get("options", "iface-id-ver")),
            addresses: row.strings("addresses").map(str::to_owned).collect(),
            up: row.bool("up"),
            binding: binding.map(|row| {
                let datapath = row.refs("datapath").next().and_then(|datapath| keys.get(&datapath));
                format!(
                    "tunnel key {} of datapath {}, {}",
                    row.int("tunnel_key").unwrap_or(0),
                    datapath.map_or("unknown".into(), ToString::to_string),
                    chassis.map_or("bound to no chassis".into(), |host| format!("bound to {host}"))
                )
            }),
            bound: chassis.is_some(),
            interface,
            name,
        }
    };
    let mut zone = ZoneRows {
        ports: table(nb, 0).map(port).collect(),
        balancers: table(nb, 2)
            .map(|row| {
                let vips = row.map("vips").map(|(vip, backends)| (vip.to_owned(), backends.to_owned()));
                (own(row.text("name")), vips.collect())
            })
            .collect(),
        router_ports: table(nb, 3)
            .map(|row| {
                (
                    own(row.text("name")),
                    own(row.text("mac")),
                    row.strings("networks").map(str::to_owned).collect(),
                )
            })
            .collect(),
        nats: table(nb, 4)
            .map(|row| (own(row.text("type")), own(row.text("external_ip")), own(row.text("logical_ip"))))
            .collect(),
        has_southbound: sb.is_some(),
        has_interfaces: ovs.is_some(),
    };
    // Rows arrive in the order of their UUIDs, which is arbitrary.
    zone.ports.sort_by(|a, b| a.name.cmp(&b.name));
    zone.balancers.sort();
    zone.router_ports.sort();
    zone.nats.sort();
    zone
}

/// Returns the namespace and name of a port's pod. go-controller names the port
/// `<prefix of the network><namespace>_<pod>`, and neither a namespace nor a pod name has an underscore.
fn of_pod(row: &Row) -> Option<(String, String)> {
    if row.map_get("external_ids", "pod") != Some("true") {
        return None;
    }
    let (_, pod) = row.text("name")?.rsplit_once('_')?;
    Some((own(row.map_get("external_ids", "namespace")), pod.to_owned()))
}

impl LogicalPort {
    /// Returns the name of the port and the UUID of its row.
    pub(super) fn row(&self) -> String {
        format!("port {} (_uuid {})", self.name, self.uuid)
    }

    /// Returns a line with everything that the tools of other layers take as parameters.
    pub(super) fn line(&self) -> String {
        let mut line =
            format!("port {} on switch {}, addresses {}", self.name, self.switch, joined(&self.addresses));
        if !self.kind.is_empty() {
            line = format!("{line}, type {}", self.kind);
        }
        if let Some(binding) = &self.binding {
            line = format!("{line}; {binding}");
        }
        if let Some((interface, installed)) = &self.interface {
            line =
                format!("{line}; interface {interface}{}", if *installed { ", ovn-installed" } else { "" });
        }
        line
    }

    /// Returns the MAC and IP addresses of the port, without the keywords `router`, `dynamic` and `unknown`.
    pub(super) fn each(&self) -> impl Iterator<Item = &str> {
        let words = self.addresses.iter().flat_map(|all| all.split_whitespace());
        words.filter_map(|one| one.split('/').next()).filter(|one| one.contains(['.', ':']))
    }

    /// Checks whether the port has an address.
    pub(super) fn has(&self, address: &str) -> bool {
        self.each().any(|one| one == address)
    }
}

impl ZoneRows {
    /// Returns the load balancers that have an address as a backend: name and virtual address.
    pub(super) fn balancers_to(&self, address: &str) -> Vec<String> {
        let to = |backends: &str| backends.split(',').any(|one| host(one) == address);
        let mut names: Vec<String> = self
            .balancers
            .iter()
            .flat_map(|(name, vips)| {
                vips.iter()
                    .filter(|(_, backends)| to(backends))
                    .map(move |(vip, _)| format!("{name} ({vip})"))
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Returns the address part of `10.0.0.1:80` or `[fd00::1]:80`.
pub(super) fn host(text: &str) -> &str {
    let text = text.trim();
    match text.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or(inside),
        None => text.rsplit_once(':').map_or(text, |(host, _)| host),
    }
}
