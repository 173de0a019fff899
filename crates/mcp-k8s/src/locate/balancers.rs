//! A service's load balancers in all zones, beside its endpoints.

use super::{
    Locator,
    ports::host,
    search::Progress,
    service::{Endpoint, ServicePort},
};
use crate::nodes::{KnownNode, joined, some};
use futures::StreamExt;
use mcp_core::{Db, NodeName};
use ovsdb::{Condition, Row, Rows, Select, Uuid};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The external ID by which ovnkube-controller knows whose a load balancer is: `namespace/name` of the service.
const OWNER: &str = "k8s.ovn.org/owner";
/// And of which network, if not of the default one.
const NETWORK: &str = "k8s.ovn.org/network";
/// As many rows are named in one finding.
const ROWS: usize = 3;

/// A load balancer of a zone.
struct Balancer {
    uuid: Uuid,
    name: String,
    protocol: String,
    default_network: bool,
    /// Virtual address and backends: `10.96.0.10:53`, `10.244.0.3:53,10.244.1.3:53`.
    vips: Vec<(String, String)>,
}

/// A service's load balancers in a zone.
struct InZone {
    all: Vec<Balancer>,
    /// Switches and routers, and which of these load balancers each has, itself or through a group.
    attached: BTreeMap<String, BTreeSet<Uuid>>,
}

/// What the load balancers of a service should be.
pub(super) struct Wanted<'a> {
    /// `namespace/name`.
    pub(super) full: &'a str,
    /// Cluster addresses; none of a headless service.
    pub(super) ips: Vec<IpAddr>,
    /// Addresses outside of the cluster.
    pub(super) outside: Vec<IpAddr>,
    pub(super) ports: &'a [ServicePort],
    /// None: they are not known.
    pub(super) endpoints: Option<&'a [Endpoint]>,
    /// From within, only endpoints of the same node are used: zones differ by design.
    pub(super) internal_local: bool,
    /// The same for what comes from outside.
    pub(super) external_local: bool,
}

/// What is wrong in a zone, and the row in which it is, where there is one.
type Complaint = (String, Option<Uuid>);

fn select(full: &str) -> [Select; 4] {
    let columns = ["name", "vips", "protocol", "external_ids"];
    let attached = ["name", "load_balancer", "load_balancer_group"];
    [
        Select::from("Load_Balancer").columns(columns).filter(Condition::map_has(
            "external_ids",
            OWNER,
            full,
        )),
        Select::from("Load_Balancer_Group").columns(["load_balancer"]),
        Select::from("Logical_Switch").columns(attached),
        Select::from("Logical_Router").columns(attached),
    ]
}

fn balancers(rows: Vec<Rows>) -> InZone {
    let table = |at: usize| rows.get(at).into_iter().flat_map(|rows| &rows.rows);
    let mut all: Vec<Balancer> = table(0)
        .map(|row| Balancer {
            uuid: row.uuid,
            name: row.text("name").unwrap_or_default().to_owned(),
            protocol: row.text("protocol").unwrap_or("tcp").to_owned(),
            default_network: row.map_get("external_ids", NETWORK).is_none_or(|network| network == "default"),
            vips: row.map("vips").map(|(vip, backends)| (vip.to_owned(), backends.to_owned())).collect(),
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let own: BTreeSet<Uuid> = all.iter().map(|balancer| balancer.uuid).collect();
    let of = |row: &Row| row.refs("load_balancer").filter(|uuid| own.contains(uuid)).collect::<BTreeSet<_>>();
    let groups: BTreeMap<Uuid, BTreeSet<Uuid>> = table(1).map(|row| (row.uuid, of(row))).collect();
    let place = |row: &Row| {
        let grouped = row.refs("load_balancer_group").filter_map(|group| groups.get(&group)).flatten();
        (
            row.text("name").unwrap_or_default().to_owned(),
            of(row).into_iter().chain(grouped.copied()).collect(),
        )
    };
    InZone { all, attached: table(2).chain(table(3)).map(place).collect() }
}

impl Locator<'_, '_> {
    /// What the load balancers of all zones have for a service. Those of one are shown; each is compared with the
    /// endpoints, and where one is not as it should be, that is a finding.
    pub(super) async fn balanced(&mut self, wanted: &Wanted<'_>) {
        let endpoints = wanted.endpoints.unwrap_or_default();
        let likely: Vec<String> = endpoints.iter().map(|endpoint| endpoint.node.clone()).collect();
        let selects = select(wanted.full);
        let (mut shown, mut progress) = (None, Progress::default());
        let mut complaints = BTreeMap::<String, Vec<(NodeName, Option<Uuid>)>>::new();
        let mut zones = self.cluster.rows_of(self.in_order(&likely), Db::Nb, &selects, balancers);
        while let Some((node, read)) = zones.next().await {
            let Some(zone) = progress.of(&node, read) else { continue };
            let own = self.nodes.iter().find(|known| known.name == node.as_str());
            for (complaint, row) in wanted.complaints(&zone, node.as_str(), own) {
                complaints.entry(complaint).or_default().push((node.clone(), row));
            }
            if shown.is_none() && !zone.all.is_empty() {
                shown = Some((node, zone.all));
            }
        }
        drop(zones);
        for (complaint, of) in complaints {
            let nodes: Vec<&NodeName> = of.iter().map(|(node, _)| node).collect();
            let zones = if nodes.len() == progress.read.len() && nodes.len() > 1 {
                format!("all {} zones that were read", nodes.len())
            } else {
                format!("the zone of {}", some(&nodes))
            };
            let rows: Vec<String> =
                of.iter().filter_map(|(_, row)| Some(format!(" (_uuid {})", (*row)?))).collect();
            let rows = if rows.len() <= ROWS { rows.concat() } else { String::new() };
            self.findings.push(format!("in {zones}: {complaint}{rows}"));
        }
        if let Some((node, all)) = shown {
            for (balancer, (vip, to)) in all.iter().flat_map(|all| all.vips.iter().map(move |vip| (all, vip)))
            {
                let to = if to.is_empty() { "no backend" } else { to };
                self.lines.push(format!("load balancer {} of {node}: {vip} to {to}", balancer.name));
            }
            self.notes.push(format!(
                "load balancers shown are those of {node}; ovn_nbctl_list node_name=all table=Load_Balancer grep={} \
                 compares all columns",
                wanted.full
            ));
        }
        self.searched(&progress);
    }

    /// The load balancers of a service without an object. `gone`: the source has all services of its namespace, and it is
    /// not among them; then its load balancers should be gone too.
    pub(super) async fn service_in_databases(&mut self, full: &str, gone: bool) -> bool {
        let selects = select(full);
        let (mut found, mut progress) = (BTreeMap::<String, Vec<NodeName>>::new(), Progress::default());
        let mut zones = self.cluster.rows_of(self.in_order(&[]), Db::Nb, &selects, balancers);
        while let Some((node, read)) = zones.next().await {
            for balancer in progress.of(&node, read).into_iter().flat_map(|zone| zone.all) {
                let vips = balancer.vips.iter().map(|(vip, to)| format!("{vip} to {to}"));
                let text = format!("load balancer {}: {}", balancer.name, joined(vips));
                found.entry(text).or_default().push(node.clone());
            }
        }
        drop(zones);
        let any = !found.is_empty();
        for (text, nodes) in found {
            let text = format!("in the zone of {}: {text}", some(&nodes));
            match gone {
                true => self.findings.push(format!("{text}; there is no service {full}")),
                false => self.lines.push(text),
            }
        }
        if any && !gone {
            self.notes
                .push("not all services of this namespace are in this source: it may exist or not".into());
        }
        if any {
            self.searched(&progress);
        }
        any
    }
}

impl Wanted<'_> {
    /// What of a zone's load balancers is not as the service and its endpoints are. `known` is the node whose zone it is.
    fn complaints(&self, zone: &InZone, node: &str, known: Option<&KnownNode>) -> Vec<Complaint> {
        // A service of a user-defined network has load balancers of that network only, to other addresses.
        if !zone.all.is_empty() && zone.all.iter().all(|balancer| !balancer.default_network) {
            return Vec::new();
        }
        let own = known.map(|known| known.addresses.as_slice()).unwrap_or_default();
        let has_local =
            self.endpoints.is_some_and(|all| all.iter().any(|one| one.serving && one.node == node));
        // Without an endpoint of its own, a node may have nothing for what comes from outside.
        let from_outside = !self.external_local || has_local;
        let mut complaints = Vec::new();
        for port in self.ports {
            let outside = self.outside.iter().filter(|_| from_outside);
            for ip in self.ips.iter().chain(outside) {
                let vip = address(*ip, &port.port);
                let found = self.expect(zone, node, port, &vip, |known| known == vip, &mut complaints);
                let is_local = if self.ips.contains(ip) { self.internal_local } else { self.external_local };
                for (balancer, backends) in found.into_iter().filter(|_| !is_local) {
                    let said = self.differences((&vip, *ip), port, backends, own);
                    complaints.extend(said.into_iter().map(|said| (said, Some(balancer.uuid))));
                }
            }
            let serves = known.and_then(KnownNode::gateway).is_some_and(|of| of.node_port_enable == "true");
            if let Some(node_port) = port.node_port.as_ref().filter(|_| serves && from_outside) {
                for is_ipv4 in [true, false] {
                    if self.ips.iter().any(|ip| ip.is_ipv4() == is_ipv4) {
                        let is = |vip: &str| is_node_port(vip, node_port, own, is_ipv4);
                        let what = format!("node port {node_port}");
                        self.expect(zone, node, port, &what, is, &mut complaints);
                    }
                }
            }
        }
        complaints
    }

    /// The load balancers of a zone that have a virtual address, and their backends. There must be one, on the switch of the
    /// node and on its gateway router.
    fn expect<'z>(
        &self,
        zone: &'z InZone,
        node: &str,
        port: &ServicePort,
        what: &str,
        is: impl Fn(&str) -> bool,
        complaints: &mut Vec<Complaint>,
    ) -> Vec<(&'z Balancer, &'z str)> {
        let protocol = port.protocol.to_lowercase();
        let balancers =
            zone.all.iter().filter(|balancer| balancer.default_network && balancer.protocol == protocol);
        let of = |balancer: &'z Balancer| {
            let vips = balancer.vips.iter().filter(|(vip, _)| is(vip));
            vips.map(|(_, backends)| (balancer, backends.as_str())).collect::<Vec<_>>()
        };
        let found: Vec<_> = balancers.flat_map(of).collect();
        if found.is_empty() {
            let none = format!("no load balancer for {what}/{protocol} of service {}", self.full);
            complaints.push((none, None));
            return found;
        }
        for (place, name) in [("switch", node.to_owned()), ("router", format!("GR_{node}"))] {
            let attached = zone.attached.get(&name);
            if attached.is_some_and(|attached| !found.iter().any(|(one, _)| attached.contains(&one.uuid))) {
                let full = self.full;
                complaints.push((
                    format!("{place} {name} has no load balancer for {what}/{protocol} of service {full}, which its zone has"),
                    found.first().map(|(balancer, _)| balancer.uuid),
                ));
            }
        }
        found
    }

    fn differences(
        &self,
        (vip, ip): (&str, IpAddr),
        port: &ServicePort,
        backends: &str,
        own: &[String],
    ) -> Vec<String> {
        let Some(endpoints) = self.endpoints else { return Vec::new() };
        let mut there: BTreeSet<&str> =
            backends.split(',').map(str::trim).filter(|backend| !backend.is_empty()).collect();
        let of_port = |endpoint: &&Endpoint| {
            endpoint.ip.is_some_and(|own| own.is_ipv4() == ip.is_ipv4())
                && endpoint.port_name == port.name
                && endpoint.protocol == port.protocol
        };
        let of_port = || endpoints.iter().filter(of_port);
        // As kube-proxy does: where none is ready, those that serve until they are gone.
        let any_ready = of_port().any(|endpoint| endpoint.ready);
        let eligible = of_port().filter(|endpoint| if any_ready { endpoint.ready } else { endpoint.serving });
        let mut eligible: BTreeSet<String> =
            eligible.filter_map(|endpoint| Some(address(endpoint.ip?, &endpoint.port))).collect();
        // A router reaches an endpoint on its own host by an address that stands for the host.
        let masqueraded = there.len();
        there.retain(|backend| !is_masquerade(backend));
        if masqueraded != there.len() {
            eligible.retain(|endpoint| !own.iter().any(|own| *own == host(endpoint)));
        }
        let missing: Vec<&String> = eligible.iter().filter(|one| !there.contains(one.as_str())).collect();
        let stale: Vec<&&str> = there.iter().filter(|one| !eligible.contains(**one)).collect();
        let mut said = Vec::new();
        if !missing.is_empty() {
            said.push(format!("ready, and no backend of {vip}/{}: {}", port.protocol, joined(missing)));
        }
        if !stale.is_empty() {
            said.push(format!(
                "a backend of {vip}/{}, and no ready endpoint: {}",
                port.protocol,
                joined(stale)
            ));
        }
        said
    }
}

/// Is a virtual address the node port of a node with these addresses? It can stand in a template, with a variable in the
/// address's place: `^NODEIP_IPv4_0:30080`.
fn is_node_port(vip: &str, node_port: &str, own: &[String], is_ipv4: bool) -> bool {
    let of = host(vip);
    let is_own = match of.strip_prefix('^') {
        Some(variable) => variable.contains(if is_ipv4 { "IPv4" } else { "IPv6" }),
        None => of
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_ipv4() == is_ipv4 && own.iter().any(|own| own.parse() == Ok(ip))),
    };
    is_own && vip.rsplit_once(':').is_some_and(|(_, port)| port == node_port)
}

/// `10.0.0.1:80` or `[fd00::1]:80`.
fn address(ip: IpAddr, port: &str) -> String {
    if ip.is_ipv6() { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// go-controller's masquerade subnets are link-local in IPv4, and fd69::/112 or wider in IPv6.
fn is_masquerade(backend: &str) -> bool {
    match host(backend).parse() {
        Ok(IpAddr::V4(ip)) => ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.segments().first() == Some(&0xfd69),
        Err(_) => false,
    }
}
