//! Compares the load balancers of a service in all zones with its endpoints.

use super::{
    Locator,
    ports::host,
    search::ZoneProgress,
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

/// The external ID in which ovnkube-controller stores the owner of a load balancer: `namespace/name` of the service.
const OWNER: &str = "k8s.ovn.org/owner";
/// The external ID for the network of a load balancer. It is absent for the default network.
const NETWORK: &str = "k8s.ovn.org/network";
/// The maximum number of rows that a finding names.
const ROWS: usize = 3;

/// A load balancer of a zone.
struct LoadBalancer {
    uuid: Uuid,
    name: String,
    protocol: String,
    default_network: bool,
    /// The virtual addresses and their backends: `10.96.0.10:53` and `10.244.0.3:53,10.244.1.3:53`.
    vips: Vec<(String, String)>,
}

/// The load balancers of a service in a zone.
struct ServiceBalancers {
    all: Vec<LoadBalancer>,
    /// The load balancers of each switch and router, attached directly or through a group.
    attached: BTreeMap<String, BTreeSet<Uuid>>,
}

/// What the load balancers of a service should contain.
pub(super) struct ExpectedBalancers<'a> {
    /// The service as `namespace/name`.
    pub(super) full: &'a str,
    /// The cluster addresses. Empty for a headless service.
    pub(super) ips: Vec<IpAddr>,
    /// The external addresses.
    pub(super) outside: Vec<IpAddr>,
    pub(super) ports: &'a [ServicePort],
    /// The endpoints, or `None` if they are unknown.
    pub(super) endpoints: Option<&'a [Endpoint]>,
    /// Whether internalTrafficPolicy is Local. Then each node uses only its own endpoints, and zones differ by design.
    pub(super) internal_local: bool,
    /// Whether externalTrafficPolicy is Local.
    pub(super) external_local: bool,
}

/// A fault in a zone, and its row if there is one.
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

fn balancers(rows: Vec<Rows>) -> ServiceBalancers {
    let table = |at: usize| rows.get(at).into_iter().flat_map(|rows| &rows.rows);
    let mut all: Vec<LoadBalancer> = table(0)
        .map(|row| LoadBalancer {
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
    ServiceBalancers { all, attached: table(2).chain(table(3)).map(place).collect() }
}

impl Locator<'_, '_> {
    /// Compares the load balancers of a service in all zones with its endpoints, and shows the load balancers of one
    /// zone.
    pub(super) async fn compare_balancers(&mut self, wanted: &ExpectedBalancers<'_>) {
        let endpoints = wanted.endpoints.unwrap_or_default();
        let likely: Vec<String> = endpoints.iter().map(|endpoint| endpoint.node.clone()).collect();
        let selects = select(wanted.full);
        let (mut shown, mut progress) = (None, ZoneProgress::default());
        let mut complaints = BTreeMap::<String, Vec<(NodeName, Option<Uuid>)>>::new();
        let mut zones = self.cluster.rows_of(self.in_order(&likely), Db::Nb, &selects, balancers);
        while let Some((node, read)) = zones.next().await {
            let Some(zone) = progress.record(&node, read) else { continue };
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
                "only the load balancers of {node} are shown; ovn_nbctl_list node_name=all table=Load_Balancer grep={} \
                 compares all nodes",
                wanted.full
            ));
        }
        self.note_searched(&progress);
    }

    /// Lists the load balancers of a service without an object. `gone` says that the source has all services of the
    /// namespace, so the service does not exist and its load balancers are a finding.
    pub(super) async fn service_in_databases(&mut self, full: &str, gone: bool) -> bool {
        let selects = select(full);
        let (mut found, mut progress) = (BTreeMap::<String, Vec<NodeName>>::new(), ZoneProgress::default());
        let mut zones = self.cluster.rows_of(self.in_order(&[]), Db::Nb, &selects, balancers);
        while let Some((node, read)) = zones.next().await {
            for balancer in progress.record(&node, read).into_iter().flat_map(|zone| zone.all) {
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
                true => self.findings.push(format!("{text}; service {full} does not exist")),
                false => self.lines.push(text),
            }
        }
        if any && !gone {
            self.notes.push(format!(
                "this source does not have all services, so it is unknown whether {full} exists"
            ));
        }
        if any {
            self.note_searched(&progress);
        }
        any
    }
}

impl ExpectedBalancers<'_> {
    /// Compares the load balancers of a zone with the service and its endpoints. `known` is the node of the zone.
    fn complaints(&self, zone: &ServiceBalancers, node: &str, known: Option<&KnownNode>) -> Vec<Complaint> {
        // A service of a user-defined network has load balancers of that network only, to other addresses.
        if !zone.all.is_empty() && zone.all.iter().all(|balancer| !balancer.default_network) {
            return Vec::new();
        }
        let own = known.map(|known| known.addresses.as_slice()).unwrap_or_default();
        let has_local =
            self.endpoints.is_some_and(|all| all.iter().any(|one| one.serving && one.node == node));
        // With externalTrafficPolicy=Local, a node without local endpoints may have no load balancer for external
        // traffic.
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

    /// Returns the load balancers of a zone that have a virtual address, and their backends. It is a fault if there is
    /// none, or if the node's switch or gateway router has none of them.
    fn expect<'z>(
        &self,
        zone: &'z ServiceBalancers,
        node: &str,
        port: &ServicePort,
        what: &str,
        is: impl Fn(&str) -> bool,
        complaints: &mut Vec<Complaint>,
    ) -> Vec<(&'z LoadBalancer, &'z str)> {
        let protocol = port.protocol.to_lowercase();
        let balancers =
            zone.all.iter().filter(|balancer| balancer.default_network && balancer.protocol == protocol);
        let of = |balancer: &'z LoadBalancer| {
            let vips = balancer.vips.iter().filter(|(vip, _)| is(vip));
            vips.map(|(_, backends)| (balancer, backends.as_str())).collect::<Vec<_>>()
        };
        let found: Vec<_> = balancers.flat_map(of).collect();
        if found.is_empty() {
            let none = format!("there is no load balancer for {what}/{protocol} of service {}", self.full);
            complaints.push((none, None));
            return found;
        }
        for (place, name) in [("switch", node.to_owned()), ("router", format!("GR_{node}"))] {
            let attached = zone.attached.get(&name);
            if attached.is_some_and(|attached| !found.iter().any(|(one, _)| attached.contains(&one.uuid))) {
                let full = self.full;
                complaints.push((
                    format!("{place} {name} lacks the load balancer for {what}/{protocol} of service {full}, which its zone has"),
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
        // Like kube-proxy: if no endpoint is ready, terminating endpoints that still serve are used.
        let any_ready = of_port().any(|endpoint| endpoint.ready);
        let eligible = of_port().filter(|endpoint| if any_ready { endpoint.ready } else { endpoint.serving });
        let mut eligible: BTreeSet<String> =
            eligible.filter_map(|endpoint| Some(address(endpoint.ip?, &endpoint.port))).collect();
        // A router reaches an endpoint on its own host through a masquerade address.
        let masqueraded = there.len();
        there.retain(|backend| !is_masquerade(backend));
        if masqueraded != there.len() {
            eligible.retain(|endpoint| !own.iter().any(|own| *own == host(endpoint)));
        }
        let missing: Vec<&String> = eligible.iter().filter(|one| !there.contains(one.as_str())).collect();
        let stale: Vec<&&str> = there.iter().filter(|one| !eligible.contains(**one)).collect();
        let mut said = Vec::new();
        if !missing.is_empty() {
            said.push(format!(
                "ready endpoints are not backends of {vip}/{}: {}",
                port.protocol,
                joined(missing)
            ));
        }
        if !stale.is_empty() {
            said.push(format!(
                "backends of {vip}/{} are not ready endpoints: {}",
                port.protocol,
                joined(stale)
            ));
        }
        said
    }
}

/// Checks whether a virtual address is a node port of a node with these addresses. A load balancer template has a
/// variable in place of the address: `^NODEIP_IPv4_0:30080`.
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

/// Formats an address and a port: `10.0.0.1:80` or `[fd00::1]:80`.
fn address(ip: IpAddr, port: &str) -> String {
    if ip.is_ipv6() { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// Checks whether a backend has a masquerade address. The masquerade subnets of go-controller are link-local in IPv4,
/// and fd69::/112 or wider in IPv6.
fn is_masquerade(backend: &str) -> bool {
    match host(backend).parse() {
        Ok(IpAddr::V4(ip)) => ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.segments().first() == Some(&0xfd69),
        Err(_) => false,
    }
}
