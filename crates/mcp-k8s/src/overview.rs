//! Summarizes a cluster in a limited number of lines, whatever its number of nodes.

mod databases;

use crate::{
    nodes::{Deployment, KnownNode, finding_line, joined, same, some},
    pods::{Pod, items, objects, selected, text},
};
use databases::{NodeDatabases, databases};
use mcp_core::{AreaState, ClusterReader, Coverage, DataArea, NodeName, ObjectQuery, ToolError};
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of nodes that get a line each. A larger cluster shows only the nodes that need attention.
const EACH: usize = 12;
/// The maximum number of nodes whose databases are read.
const ASKED: usize = 12;
/// The maximum number of lines for nodes that need attention.
const STANDS_OUT: usize = 60;

/// The data that the overview is made from.
pub(crate) struct Overview {
    pub(crate) nodes: Vec<KnownNode>,
    pub(crate) readable: Vec<NodeName>,
    pub(crate) deployment: Deployment,
    databases: BTreeMap<String, NodeDatabases>,
    settings: Vec<String>,
    flavour: String,
    networks: Vec<String>,
    coverage: Option<Coverage>,
    pub(crate) notes: Vec<String>,
}

impl Overview {
    pub(crate) async fn read(cluster: &ClusterReader<'_>) -> Result<Self, ToolError> {
        let mut notes = Vec::new();
        let readable = cluster.nodes().await?;
        let nodes = KnownNode::all(cluster).await?;
        let deployment = Deployment::read(cluster).await?;
        let flavour = flavour(cluster, &deployment).await?;
        // The rest of the overview does not need the settings, and a user without the right to read them can read the
        // rest.
        let settings = settings(cluster, &deployment).await.unwrap_or_else(|e| {
            notes.push(format!("MTU and address ranges are unknown: {e}"));
            Vec::new()
        });
        let networks = networks(cluster).await?;
        if let Some(other) = &deployment.other_network {
            notes.push(format!(
                "the network of this cluster is {other}, not OVN-Kubernetes: zones, gateways and OVN databases in the \
                 answers of the tools do not apply"
            ));
        }
        let asked = nodes_to_read(&readable, &nodes, &deployment);
        let databases = databases(cluster, &asked, &mut notes).await;
        let (read, all) = (databases.len(), readable.len());
        if all > asked.len() {
            let ill = if asked.iter().any(|name| stands_out(name.as_str(), &nodes, &deployment)) {
                ", beginning with nodes that need attention"
            } else {
                ""
            };
            let names: Vec<&String> = databases.keys().collect();
            let names = if names.is_empty() { String::new() } else { format!(": {}", some(&names)) };
            notes.push(format!(
                "the databases of {read} of {all} nodes were read{ill}{names}; the OVN and Open vSwitch versions come from these \
                 nodes, and only their annotations are compared with the databases (ovnkube_locate compares any node)"
            ));
        }
        let coverage = if cluster.is_live() { None } else { Some(cluster.coverage().await?) };
        Ok(Self { nodes, readable, deployment, databases, settings, flavour, networks, coverage, notes })
    }

    pub(crate) fn rows(&self, cluster: &ClusterReader<'_>) -> Vec<String> {
        let mut rows = vec![format!("flavour: {}", self.flavour)];
        rows.extend(self.versions());
        rows.extend(self.settings.iter().cloned());
        rows.extend(match &self.deployment.other_network {
            Some(other) => vec![format!("network type: {other}")],
            None => self.zones(),
        });
        rows.extend(self.networks.iter().cloned());
        let control_plane: Vec<String> =
            self.deployment.control_plane().map(|pod| self.health(pod)).collect();
        if !control_plane.is_empty() {
            rows.push(format!("control plane: {}", some(&control_plane)));
        }
        rows.extend(if self.nodes.len().max(self.readable.len()) > EACH {
            self.aggregated()
        } else {
            self.each(cluster)
        });
        if let Some(coverage) = &self.coverage {
            rows.extend(coverage_rows(coverage));
        }
        rows
    }

    fn versions(&self) -> Vec<String> {
        let mut versions = Vec::new();
        let mut add = |what: &str, of: Vec<(String, String)>| {
            let mut by = BTreeMap::<String, Vec<String>>::new();
            for (node, version) in of.into_iter().filter(|(_, version)| !version.is_empty()) {
                by.entry(version).or_default().push(node);
            }
            match by.len() {
                0 => {}
                1 => versions.extend(by.into_keys().map(|version| format!("{what} {version}"))),
                _ => versions.extend(
                    by.into_iter().map(|(version, nodes)| format!("{what} {version} on {}", some(&nodes))),
                ),
            }
        };
        add("Kubernetes", self.nodes.iter().map(|node| (node.name.clone(), node.kubelet.clone())).collect());
        let databases = |of: fn(&NodeDatabases) -> &String| {
            self.databases.iter().map(|(node, db)| (node.clone(), of(db).clone())).collect::<Vec<_>>()
        };
        add("OVN", databases(|db| &db.northd));
        add("Open vSwitch", databases(|db| &db.open_vswitch));
        let image = self.deployment.image().map(|image| format!("image {image}"));
        versions.extend(image);
        if versions.is_empty() { Vec::new() } else { vec![format!("versions: {}", versions.join("; "))] }
    }

    fn zones(&self) -> Vec<String> {
        let own = self.nodes.iter().filter(|node| node.zone() == node.name).count();
        let mut modes = BTreeMap::<&str, Vec<String>>::new();
        for node in &self.nodes {
            let mode = node.gateway().map_or("unknown", |gateway| gateway.mode.as_str());
            modes.entry(mode).or_default().push(node.name.clone());
        }
        let mut rows = Vec::new();
        match (modes.len(), modes.keys().next()) {
            (0, _) => rows.push("gateway mode: unknown, because this source has no Node objects".to_owned()),
            (1, Some(mode)) => rows.push(format!("gateway mode: {mode} on all nodes")),
            _ => {
                let modes: Vec<String> =
                    modes.iter().map(|(mode, nodes)| format!("{mode} on {}", some(nodes))).collect();
                rows.push(format!("gateway mode: {}", modes.join("; ")));
            }
        }
        let zones: BTreeSet<&str> = self.nodes.iter().map(KnownNode::zone).collect();
        if let Some((node, switches)) = self.central() {
            rows.push(format!(
                "central mode: one zone for all nodes; the database of {node} has the switches of {switches} nodes"
            ));
        } else if !self.nodes.is_empty() {
            rows.push(match own == self.nodes.len() {
                true => format!("interconnect: each of the {own} nodes has its own zone"),
                false => format!(
                    "interconnect: {} nodes in {} zones: {}",
                    self.nodes.len(),
                    zones.len(),
                    some(&zones.iter().map(|z| (*z).to_owned()).collect::<Vec<_>>())
                ),
            });
        }
        rows
    }

    /// Detects central mode: finds a node whose database has the switches of other nodes, although these nodes announce
    /// no common zone. Also returns the number of nodes whose switches the database has.
    fn central(&self) -> Option<(&str, usize)> {
        let foreign = |name: &String, node: &str| {
            name != node && self.nodes.iter().any(|known| known.name == *name && known.zone() == name)
        };
        self.databases.iter().find_map(|(node, db)| {
            let others = db.switches.iter().filter(|name| foreign(name, node)).count();
            (others > 0).then_some((node.as_str(), others + 1))
        })
    }

    /// Returns a line for each node, and its findings.
    fn each(&self, cluster: &ClusterReader<'_>) -> Vec<String> {
        let known: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let mut rows = vec!["nodes:".to_owned()];
        for node in &self.nodes {
            rows.push(format!("  {}", self.line(node)));
            rows.extend(
                self.disagreements(node)
                    .iter()
                    .map(|finding| format!("    {}", finding_line(cluster, finding))),
            );
        }
        for name in self.readable.iter().filter(|name| !known.contains(name.as_str())) {
            let db = self.databases.get(name.as_str()).cloned().unwrap_or_default();
            rows.push(format!(
                "  {name}  zone {}  subnets {}  encapsulation {}  (no Node object)",
                or_unknown(&db.zone),
                or_unknown(&db.subnet),
                or_unknown(&db.encap)
            ));
        }
        rows
    }

    fn line(&self, node: &KnownNode) -> String {
        if self.deployment.other_network.is_some() {
            return format!("{}  {}  addresses {}", node.name, node.state, joined(&node.addresses));
        }
        let zone = match node.zone() {
            _ if self.central().is_some() => "common zone".into(),
            zone if zone == node.name => "own zone".into(),
            zone => format!("zone {zone}"),
        };
        let pods: Vec<String> = self.deployment.on(&node.name).map(|pod| self.health(pod)).collect();
        let pods = if pods.is_empty() { "no OVN-Kubernetes pod known".into() } else { pods.join(", ") };
        format!(
            "{}  {}  {zone}  subnets {}  encapsulation {}  {pods}",
            node.name,
            node.state,
            node.subnets(),
            node.encap_ips()
        )
    }

    /// Formats the health of a pod: `ovnkube-node-mk45n 6/6 ready`, and its problems.
    fn health(&self, pod: &Pod) -> String {
        let (ready, all) = pod.ready();
        let restarts = match pod.restarts() {
            0 => String::new(),
            n => format!(", restarted {n}x"),
        };
        match self.deployment.troubles(pod).as_slice() {
            [] => format!("{} {ready}/{all} ready{restarts}", pod.name),
            troubles => format!("{} {ready}/{all} ready: {}", pod.name, troubles.join("; ")),
        }
    }

    /// Returns the differences between the node's object, its pods and its databases.
    fn disagreements(&self, node: &KnownNode) -> Vec<String> {
        let mut said = Vec::new();
        if self.deployment.other_network.is_some() {
            return said;
        }
        if self.deployment.lacks_pod(node) {
            said.push("no ovnkube-node pod runs on this node".to_owned());
        }
        let given = node.given_encap_ips();
        let ends = |what: &str, ends: &str| {
            let foreign = node.foreign(ends).into_iter();
            foreign
                .map(|end| format!("encapsulation {end} in the {what} is not an address of the node"))
                .collect::<Vec<_>>()
        };
        said.extend(ends("annotation", &given));
        let Some(db) = self.databases.get(&node.name) else { return said };
        if !same(&given, &db.encap) {
            said.extend(ends("database", &db.encap));
        }
        let pairs = [
            ("zone", node.zone().to_owned(), &db.zone),
            ("encapsulation", given, &db.encap),
            ("subnets", node.subnets(), &db.subnet),
        ];
        let differ = |(_, object, database): &(&str, String, &String)| {
            !database.is_empty() && object != "none" && !object.is_empty() && !same(object, database)
        };
        said.extend(pairs.into_iter().filter(differ).map(|(what, object, db)| {
            format!("{what} is {object} in the Node object and {db} in the database")
        }));
        said
    }

    /// Summarizes many nodes: the number of healthy nodes, and a line for each node that needs attention.
    fn aggregated(&self) -> Vec<String> {
        let usual = self.usual_restarts();
        let (mut well, mut others) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            let mut why = self.disagreements(node);
            if node.state != "Ready" {
                why.push(node.state.clone());
            }
            if node.subnets() == "none" {
                why.push("no subnet".into());
            }
            let pods: Vec<&Pod> = self.deployment.on(&node.name).collect();
            why.extend(
                pods.iter()
                    .filter(|pod| !self.deployment.troubles(pod).is_empty() || pod.restarts() > usual)
                    .map(|pod| self.health(pod)),
            );
            if why.is_empty() {
                well.push(node.name.clone())
            } else {
                others.push(format!("  {}: {}", node.name, why.join("; ")))
            }
        }
        let mut rows = vec![format!(
            "nodes: {}; {} are Ready and have a subnet and healthy OVN-Kubernetes pods: {}",
            self.nodes.len(),
            well.len(),
            some(&well)
        )];
        if !others.is_empty() {
            rows.push(format!("{} need attention:", others.len()));
            let more = others.len().saturating_sub(STANDS_OUT);
            rows.extend(others.into_iter().take(STANDS_OUT).map(|line| crate::log::cut(&line, 260)));
            if more > 0 {
                rows.push(format!(
                    "  and {more} more; list them with kubectl_get kind=nodes and kubectl_get kind=pods namespace={}",
                    self.deployment.namespace
                ));
            }
        }
        let known: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let bare: Vec<String> =
            self.readable.iter().filter(|n| !known.contains(n.as_str())).map(ToString::to_string).collect();
        if !bare.is_empty() {
            rows.push(format!("{} nodes have no Node object in this source: {}", bare.len(), some(&bare)));
        }
        rows
    }

    /// Returns the median number of restarts. Restarts up to this number are not shown as a problem, because an upgrade
    /// restarts all pods.
    fn usual_restarts(&self) -> u64 {
        let mut all: Vec<u64> = self.deployment.pods.iter().map(Pod::restarts).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or(0)
    }
}

/// Checks whether a node needs attention: it is not Ready, or an OVN-Kubernetes pod on it has a problem.
fn stands_out(name: &str, nodes: &[KnownNode], deployment: &Deployment) -> bool {
    let is_well = nodes.iter().any(|node| node.name == name && node.state == "Ready");
    !is_well || deployment.on(name).any(|pod| !deployment.troubles(pod).is_empty())
}

/// Selects the nodes whose databases are read. Nodes that need attention come first.
fn nodes_to_read(readable: &[NodeName], nodes: &[KnownNode], deployment: &Deployment) -> Vec<NodeName> {
    let mut asked = readable.to_vec();
    if asked.len() > ASKED {
        asked.sort_by_key(|name| !stands_out(name.as_str(), nodes, deployment));
        asked.truncate(ASKED);
    }
    asked
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

async fn flavour(cluster: &ClusterReader<'_>, deployment: &Deployment) -> Result<String, ToolError> {
    let versions = objects(cluster, "clusterversions.config.openshift.io").await?;
    if let Some(version) = versions.first() {
        return Ok(format!("OpenShift {}", text(version, "/status/desired/version")));
    }
    Ok(match deployment.namespace.as_str() {
        "ovn-kubernetes" => "upstream OVN-Kubernetes (namespace ovn-kubernetes)".into(),
        "" => "unknown, because this source has no OVN-Kubernetes pod".into(),
        // MicroShift runs OpenShift's OVN-Kubernetes without a ClusterVersion.
        namespace if deployment.pods.iter().any(|pod| pod.name.starts_with("ovnkube-master")) => {
            format!("MicroShift, or OpenShift up to 4.13 (namespace {namespace}, no ClusterVersion object)")
        }
        namespace => format!("OpenShift or MicroShift (namespace {namespace}, no ClusterVersion object)"),
    })
}

/// Reads MTU and address ranges, from the ConfigMap `ovn-config` upstream and from the Network object in OpenShift.
async fn settings(cluster: &ClusterReader<'_>, deployment: &Deployment) -> Result<Vec<String>, ToolError> {
    if let Some(network) = objects(cluster, "networks.config.openshift.io").await?.first() {
        let mtu = network.pointer("/status/clusterNetworkMTU").map(ToString::to_string).unwrap_or_default();
        let pods = joined(items(network, "/status/clusterNetwork").map(|of| text(of, "/cidr").to_owned()));
        let services = joined(items(network, "/status/serviceNetwork").filter_map(|of| of.as_str()));
        return Ok(vec![format!("MTU {}; pods {pods}; services {services}", or_unknown(&mtu))]);
    }
    // Without a known OVN-Kubernetes namespace there is no ConfigMap to read.
    let Ok(namespace) = deployment.namespace.parse() else { return Ok(Vec::new()) };
    let query =
        ObjectQuery { namespace: Some(namespace), name: "ovn-config".parse().ok(), ..ObjectQuery::default() };
    let maps = selected(cluster, "configmaps", query).await?;
    Ok(match maps.first() {
        Some(map) => vec![format!(
            "MTU {}; pods {}; services {}",
            or_unknown(text(map, "/data/mtu")),
            or_unknown(text(map, "/data/net_cidr")),
            or_unknown(text(map, "/data/svc_cidr"))
        )],
        None => Vec::new(),
    })
}

/// Lists the user-defined networks.
async fn networks(cluster: &ClusterReader<'_>) -> Result<Vec<String>, ToolError> {
    let mut names = Vec::new();
    for (kind, short) in
        [("userdefinednetworks.k8s.ovn.org", "udn"), ("clusteruserdefinednetworks.k8s.ovn.org", "cudn")]
    {
        for network in objects(cluster, kind).await?.iter() {
            let spec = if short == "udn" { "/spec" } else { "/spec/network" };
            let topology = text(network, &format!("{spec}/topology")).to_owned();
            let role = text(network, &format!("{spec}/{}/role", topology.to_lowercase())).to_lowercase();
            let name = joined(
                [text(network, "/metadata/namespace"), text(network, "/metadata/name")]
                    .into_iter()
                    .filter(|t| !t.is_empty()),
            );
            names.push(format!("{short} {} ({topology} {role})", name.replace(',', "/")));
        }
    }
    Ok(match names.len() {
        0 => Vec::new(),
        n => vec![format!("additional networks ({n}): {}", some(&names))],
    })
}

/// Returns which data of each node was collected. Nodes with the same data share a line.
fn coverage_rows(coverage: &Coverage) -> Vec<String> {
    let mut by = BTreeMap::<String, Vec<String>>::new();
    for node in &coverage.nodes {
        let of = |state: AreaState| {
            let areas =
                node.areas.iter().filter(|held| held.state == state).map(|held| held.area.to_string());
            (state, areas.map(|area: String| area.trim().to_owned()).collect::<Vec<_>>())
        };
        let states = [AreaState::Present, AreaState::Absent, AreaState::Damaged, AreaState::Empty].map(of);
        let told = states.iter().filter(|(_, areas)| !areas.is_empty());
        let told: Vec<String> = told
            .map(|(state, areas)| format!("{}: {}", state.to_string().trim(), areas.join(", ")))
            .collect();
        by.entry(told.join("; ")).or_default().push(node.node.to_string());
    }
    let mut rows = vec!["collected:".to_owned()];
    rows.extend(by.into_iter().map(|(what, nodes)| format!("  {}: {what}", some(&nodes))));
    rows
}

/// Checks whether any node has data of an area. A live cluster has all areas.
pub(crate) fn has(coverage: Option<&Coverage>, area: DataArea) -> bool {
    coverage.is_none_or(|coverage| {
        coverage
            .nodes
            .iter()
            .flat_map(|node| &node.areas)
            .any(|held| held.area == area && held.state == AreaState::Present)
    })
}

impl Overview {
    /// Suggests the next calls.
    pub(crate) fn next(&self) -> Vec<String> {
        let mut next = vec!["ovnkube_locate for the pod, service, node or address in question".to_owned()];
        if has(self.coverage.as_ref(), DataArea::Northbound) {
            next.push("ovn_db_status node_name=all".into());
        }
        if has(self.coverage.as_ref(), DataArea::Logs) {
            next.push("kubectl_logs or node_logs with digest=true".into());
        }
        next
    }
}
