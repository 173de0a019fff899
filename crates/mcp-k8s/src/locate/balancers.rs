//! A service's load balancers in all zones, beside its endpoints.

use super::{
    Locator,
    ports::host,
    search::Progress,
    service::{Endpoint, ServicePort},
};
use crate::nodes::{joined, some};
use futures::StreamExt;
use mcp_core::{Db, NodeName};
use ovsdb::{Condition, Rows, Select};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The external ID by which ovnkube-controller knows whose a load balancer is: `namespace/name` of the service.
const OWNER: &str = "k8s.ovn.org/owner";
/// And of which network, if not of the default one.
const NETWORK: &str = "k8s.ovn.org/network";

/// A load balancer of a zone.
struct Balancer {
    name: String,
    protocol: String,
    default_network: bool,
    /// Virtual address and backends: `10.96.0.10:53`, `10.244.0.3:53,10.244.1.3:53`.
    vips: Vec<(String, String)>,
}

/// What the load balancers of a service should be.
pub(super) struct Wanted<'a> {
    /// `namespace/name`.
    pub(super) full: &'a str,
    /// Cluster addresses; none of a headless service.
    pub(super) ips: Vec<IpAddr>,
    pub(super) ports: &'a [ServicePort],
    pub(super) endpoints: &'a [Endpoint],
    /// Only endpoints of the same node are used: zones differ by design.
    pub(super) local: bool,
}

fn select(full: &str) -> [Select; 1] {
    let columns = ["name", "vips", "protocol", "external_ids"];
    [Select::from("Load_Balancer").columns(columns).filter(Condition::map_has("external_ids", OWNER, full))]
}

fn balancers(rows: Vec<Rows>) -> Vec<Balancer> {
    let mut all: Vec<Balancer> = rows
        .iter()
        .flat_map(|rows| &rows.rows)
        .map(|row| Balancer {
            name: row.text("name").unwrap_or_default().to_owned(),
            protocol: row.text("protocol").unwrap_or("tcp").to_owned(),
            default_network: row.map_get("external_ids", NETWORK).is_none_or(|network| network == "default"),
            vips: row.map("vips").map(|(vip, backends)| (vip.to_owned(), backends.to_owned())).collect(),
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl Locator<'_, '_> {
    /// What the load balancers of all zones have for a service. Those of one are shown; each is compared with the
    /// endpoints, and where one is not as it should be, that is a finding.
    pub(super) async fn balanced(&mut self, wanted: &Wanted<'_>) {
        let likely: Vec<String> = wanted.endpoints.iter().map(|endpoint| endpoint.node.clone()).collect();
        let selects = select(wanted.full);
        let (mut shown, mut progress) = (None, Progress::default());
        let mut complaints = BTreeMap::<String, Vec<NodeName>>::new();
        let mut zones = self.cluster.rows_of(self.in_order(&likely), Db::Nb, &selects, balancers);
        while let Some((node, read)) = zones.next().await {
            let Some(all) = progress.of(&node, read) else { continue };
            let own = self.nodes.iter().find(|known| known.name == node.as_str());
            let own = own.map(|known| known.addresses.as_slice()).unwrap_or_default();
            for complaint in wanted.complaints(&all, own) {
                complaints.entry(complaint).or_default().push(node.clone());
            }
            if shown.is_none() && !all.is_empty() {
                shown = Some((node, all));
            }
        }
        drop(zones);
        for (complaint, nodes) in complaints {
            let zones = if nodes.len() == progress.read.len() && nodes.len() > 1 {
                format!("all {} zones that were read", nodes.len())
            } else {
                format!("the zone of {}", some(&nodes))
            };
            self.findings.push(format!("in {zones}: {complaint}"));
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

    /// The load balancers of a service without an object, which should be gone with it.
    pub(super) async fn service_in_databases(&mut self, full: &str, gone: bool) -> bool {
        let selects = select(full);
        let (mut found, mut progress) = (BTreeMap::<String, Vec<NodeName>>::new(), Progress::default());
        let mut zones = self.cluster.rows_of(self.in_order(&[]), Db::Nb, &selects, balancers);
        while let Some((node, read)) = zones.next().await {
            for balancer in progress.of(&node, read).into_iter().flatten() {
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
            self.notes.push("no service of this namespace is in this source: it may exist or not".into());
        }
        if any {
            self.searched(&progress);
        }
        any
    }
}

impl Wanted<'_> {
    /// What of a zone's load balancers is not as the service and its endpoints are. `own` are the addresses of its host.
    fn complaints(&self, all: &[Balancer], own: &[String]) -> Vec<String> {
        // A service of a user-defined network has load balancers of that network only, to other addresses.
        if !all.is_empty() && all.iter().all(|balancer| !balancer.default_network) {
            return Vec::new();
        }
        let mut complaints = Vec::new();
        for port in self.ports {
            for ip in &self.ips {
                let vip = address(*ip, &port.port);
                let protocol = port.protocol.to_lowercase();
                let of_vip: Vec<&str> = all
                    .iter()
                    .filter(|balancer| balancer.default_network && balancer.protocol == protocol)
                    .flat_map(|balancer| &balancer.vips)
                    .filter(|(known, _)| *known == vip)
                    .map(|(_, backends)| backends.as_str())
                    .collect();
                if of_vip.is_empty() {
                    complaints
                        .push(format!("no load balancer for {vip}/{protocol} of service {}", self.full));
                }
                for backends in of_vip.into_iter().filter(|_| !self.local) {
                    complaints.extend(self.differences((&vip, *ip), port, backends, own));
                }
            }
        }
        complaints
    }

    fn differences(
        &self,
        (vip, ip): (&str, IpAddr),
        port: &ServicePort,
        backends: &str,
        own: &[String],
    ) -> Vec<String> {
        let mut there: BTreeSet<&str> =
            backends.split(',').map(str::trim).filter(|backend| !backend.is_empty()).collect();
        let of_port = |endpoint: &&Endpoint| {
            endpoint.ip.is_some_and(|own| own.is_ipv4() == ip.is_ipv4())
                && endpoint.port_name == port.name
                && endpoint.protocol == port.protocol
        };
        let of_port = || self.endpoints.iter().filter(of_port);
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
