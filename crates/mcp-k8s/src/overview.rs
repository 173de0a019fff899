//! What a cluster is, in as many lines as fit, however many nodes it has.

use crate::{
    nodes::{Deployment, KnownNode, joined, same, some, subnets_of_switch},
    pods::{Pod, items, objects, selected, text},
};
use futures::StreamExt;
use mcp_core::{Area, Cluster, Coverage, Db, NodeName, ObjectQuery, ReadError, State, ToolError};
use ovsdb::{Rows, Select};
use std::collections::{BTreeMap, BTreeSet};

/// As many nodes have a line each; of more, those that stand out.
const EACH: usize = 12;
/// As many nodes' databases are read.
const ASKED: usize = 12;
/// Lines of nodes that stand out.
const STANDS_OUT: usize = 60;

/// What was read for it.
pub(crate) struct Overview {
    pub(crate) nodes: Vec<KnownNode>,
    pub(crate) readable: Vec<NodeName>,
    pub(crate) deployment: Deployment,
    databases: BTreeMap<String, Databases>,
    settings: Vec<String>,
    flavour: String,
    networks: Vec<String>,
    coverage: Option<Coverage>,
    pub(crate) notes: Vec<String>,
}

/// What the databases of a node say of it.
#[derive(Clone, Debug, Default)]
struct Databases {
    zone: String,
    northd: String,
    open_vswitch: String,
    encap: String,
    subnet: String,
}

impl Overview {
    pub(crate) async fn read(cluster: &Cluster<'_>) -> Result<Self, ToolError> {
        let mut notes = Vec::new();
        let readable = cluster.nodes().await?;
        let nodes = KnownNode::all(cluster).await?;
        let deployment = Deployment::read(cluster).await?;
        let flavour = flavour(cluster, &deployment).await?;
        // Nothing else hangs on them, and who may not read them may read the rest.
        let settings = settings(cluster, &deployment).await.unwrap_or_else(|e| {
            notes.push(format!("MTU and address ranges are not known: {e}"));
            Vec::new()
        });
        let networks = networks(cluster).await?;
        let asked = asked(&readable, &nodes, &deployment);
        let databases = databases(cluster, &asked, &mut notes).await;
        let (read, all) = (databases.len(), readable.len());
        if all > asked.len() {
            let ill = if asked.iter().any(|name| stands_out(name.as_str(), &nodes, &deployment)) {
                ", those that stand out first"
            } else {
                ""
            };
            let names: Vec<&String> = databases.keys().collect();
            let names = if names.is_empty() { String::new() } else { format!(": {}", some(&names)) };
            notes.push(format!(
                "databases were read of {read} of {all} nodes{ill}{names}; versions of OVN and Open vSwitch are theirs, \
                 and only their annotations are compared with databases (ovnkube_locate compares those of any node)"
            ));
        }
        let coverage = if cluster.is_live() { None } else { Some(cluster.coverage().await?) };
        Ok(Self { nodes, readable, deployment, databases, settings, flavour, networks, coverage, notes })
    }

    pub(crate) fn rows(&self) -> Vec<String> {
        let mut rows = vec![format!("flavour: {}", self.flavour)];
        rows.extend(self.versions());
        rows.extend(self.settings.iter().cloned());
        rows.extend(self.zones());
        rows.extend(self.networks.iter().cloned());
        let control_plane: Vec<String> = self.deployment.control_plane().map(health).collect();
        if !control_plane.is_empty() {
            rows.push(format!("control plane: {}", some(&control_plane)));
        }
        rows.extend(if self.nodes.len().max(self.readable.len()) > EACH {
            self.aggregated()
        } else {
            self.each()
        });
        if let Some(coverage) = &self.coverage {
            rows.extend(held(coverage));
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
        let databases = |of: fn(&Databases) -> &String| {
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
            (0, _) => rows.push("gateway mode: not known without objects of nodes".to_owned()),
            (1, Some(mode)) => rows.push(format!("gateway mode: {mode} on all nodes")),
            _ => {
                let modes: Vec<String> =
                    modes.iter().map(|(mode, nodes)| format!("{mode} on {}", some(nodes))).collect();
                rows.push(format!("gateway mode: {}", modes.join("; ")));
            }
        }
        let zones: BTreeSet<&str> = self.nodes.iter().map(KnownNode::zone).collect();
        if !self.nodes.is_empty() {
            rows.push(match own == self.nodes.len() {
                true => format!("interconnect: each of {own} nodes is a zone of its own"),
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

    /// A line a node.
    fn each(&self) -> Vec<String> {
        let known: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let mut rows = vec!["nodes:".to_owned()];
        for node in &self.nodes {
            rows.push(format!("  {}", self.line(node)));
        }
        for name in self.readable.iter().filter(|name| !known.contains(name.as_str())) {
            let db = self.databases.get(name.as_str()).cloned().unwrap_or_default();
            rows.push(format!(
                "  {name}  zone {}  subnets {}  encapsulation {}  (no object)",
                or_unknown(&db.zone),
                or_unknown(&db.subnet),
                or_unknown(&db.encap)
            ));
        }
        rows
    }

    fn line(&self, node: &KnownNode) -> String {
        let zone = if node.zone() == node.name { "own".into() } else { node.zone().to_owned() };
        let pods: Vec<String> = self.deployment.on(&node.name).map(health).collect();
        let pods = if pods.is_empty() { "no pod of OVN-Kubernetes known".into() } else { pods.join(", ") };
        let mut line = format!(
            "{}  {}  zone {zone}  subnets {}  encapsulation {}  {pods}",
            node.name,
            node.state,
            node.subnets(),
            node.encap_ips()
        );
        for finding in self.disagreements(node) {
            line = format!("{line}  FINDING: {finding}");
        }
        line
    }

    /// Where the node's object and its databases differ.
    fn disagreements(&self, node: &KnownNode) -> Vec<String> {
        let Some(db) = self.databases.get(&node.name) else { return Vec::new() };
        let pairs = [
            ("zone", node.zone().to_owned(), &db.zone),
            ("encapsulation", node.given_encap_ips(), &db.encap),
            ("subnets", node.subnets(), &db.subnet),
        ];
        let differ = |(_, object, database): &(&str, String, &String)| {
            !database.is_empty() && object != "none" && !object.is_empty() && !same(object, database)
        };
        pairs
            .into_iter()
            .filter(differ)
            .map(|(what, object, db)| format!("{what} is {object} in the object and {db} in the database"))
            .collect()
    }

    /// Many nodes: what most have in common, and who stands out.
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
            if !self.deployment.pods.is_empty()
                && !pods.iter().any(|pod| pod.name.starts_with("ovnkube-node"))
            {
                why.push("no pod ovnkube-node".into());
            }
            why.extend(
                pods.iter()
                    .filter(|pod| !pod.troubles().is_empty() || pod.restarts() > usual)
                    .map(|pod| health(pod)),
            );
            if why.is_empty() {
                well.push(node.name.clone())
            } else {
                others.push(format!("  {}: {}", node.name, why.join("; ")))
            }
        }
        let mut rows = vec![format!(
            "nodes: {}; {} are Ready, have a subnet and healthy pods of OVN-Kubernetes: {}",
            self.nodes.len(),
            well.len(),
            some(&well)
        )];
        if !others.is_empty() {
            rows.push(format!("{} stand out:", others.len()));
            let more = others.len().saturating_sub(STANDS_OUT);
            rows.extend(others.into_iter().take(STANDS_OUT).map(|line| crate::log::cut(&line, 260)));
            if more > 0 {
                rows.push(format!(
                    "  and {more} more: kubectl_get nodes, kubectl_get pods of {}",
                    self.deployment.namespace
                ));
            }
        }
        let known: BTreeSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let bare: Vec<String> =
            self.readable.iter().filter(|n| !known.contains(n.as_str())).map(ToString::to_string).collect();
        if !bare.is_empty() {
            rows.push(format!("{} nodes have no object here: {}", bare.len(), some(&bare)));
        }
        rows
    }

    /// Restarts that most pods have had: those of an upgrade are no finding.
    fn usual_restarts(&self) -> u64 {
        let mut all: Vec<u64> = self.deployment.pods.iter().map(Pod::restarts).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or(0)
    }
}

/// Is the node, or a pod that its network depends on, not as it should be?
fn stands_out(name: &str, nodes: &[KnownNode], deployment: &Deployment) -> bool {
    let is_well = nodes.iter().any(|node| node.name == name && node.state == "Ready");
    !is_well || deployment.on(name).any(|pod| !pod.troubles().is_empty())
}

/// The nodes whose databases are read: those that stand out before others.
fn asked(readable: &[NodeName], nodes: &[KnownNode], deployment: &Deployment) -> Vec<NodeName> {
    let mut asked = readable.to_vec();
    if asked.len() > ASKED {
        asked.sort_by_key(|name| !stands_out(name.as_str(), nodes, deployment));
        asked.truncate(ASKED);
    }
    asked
}

/// `ovnkube-node-mk45n 6/6`, and what is wrong with it.
fn health(pod: &Pod) -> String {
    let (ready, all) = pod.ready();
    let restarts = match pod.restarts() {
        0 => String::new(),
        n => format!(", restarted {n}x"),
    };
    match pod.troubles().as_slice() {
        [] => format!("{} {ready}/{all} ready{restarts}", pod.name),
        troubles => format!("{} {ready}/{all} ready: {}", pod.name, troubles.join("; ")),
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

async fn flavour(cluster: &Cluster<'_>, deployment: &Deployment) -> Result<String, ToolError> {
    let versions = objects(cluster, "clusterversions.config.openshift.io").await?;
    if let Some(version) = versions.first() {
        return Ok(format!("OpenShift {}", text(version, "/status/desired/version")));
    }
    Ok(match deployment.namespace.as_str() {
        "ovn-kubernetes" => "upstream OVN-Kubernetes (namespace ovn-kubernetes)".into(),
        "" => "not known: no pod of OVN-Kubernetes is in this source".into(),
        // MicroShift runs OpenShift's OVN-Kubernetes without a ClusterVersion.
        namespace if deployment.pods.iter().any(|pod| pod.name.starts_with("ovnkube-master")) => {
            format!("MicroShift, or OpenShift up to 4.13 (namespace {namespace}, no ClusterVersion here)")
        }
        namespace => format!("OpenShift or MicroShift (namespace {namespace}, no ClusterVersion here)"),
    })
}

/// MTU and address ranges: upstream in the ConfigMap `ovn-config`, in OpenShift in the object Network.
async fn settings(cluster: &Cluster<'_>, deployment: &Deployment) -> Result<Vec<String>, ToolError> {
    if let Some(network) = objects(cluster, "networks.config.openshift.io").await?.first() {
        let mtu = network.pointer("/status/clusterNetworkMTU").map(ToString::to_string).unwrap_or_default();
        let pods = joined(items(network, "/status/clusterNetwork").map(|of| text(of, "/cidr").to_owned()));
        let services = joined(items(network, "/status/serviceNetwork").filter_map(|of| of.as_str()));
        return Ok(vec![format!("MTU {}; pods {pods}; services {services}", or_unknown(&mtu))]);
    }
    // Where it is not known where to look, there is no such one.
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

/// The networks that users defined.
async fn networks(cluster: &Cluster<'_>) -> Result<Vec<String>, ToolError> {
    let mut names = Vec::new();
    for (kind, short) in
        [("userdefinednetworks.k8s.ovn.org", "udn"), ("clusteruserdefinednetworks.k8s.ovn.org", "cudn")]
    {
        for network in objects(cluster, kind).await? {
            let spec = if short == "udn" { "/spec" } else { "/spec/network" };
            let topology = text(&network, &format!("{spec}/topology")).to_owned();
            let role = text(&network, &format!("{spec}/{}/role", topology.to_lowercase())).to_lowercase();
            let name = joined(
                [text(&network, "/metadata/namespace"), text(&network, "/metadata/name")]
                    .into_iter()
                    .filter(|t| !t.is_empty()),
            );
            names.push(format!("{short} {} ({topology} {role})", name.replace(',', "/")));
        }
    }
    Ok(match names.len() {
        0 => Vec::new(),
        n => vec![format!("networks beside the default one: {n}: {}", some(&names))],
    })
}

/// What is asked of each of a node's databases.
fn questions(node: &NodeName) -> [(NodeName, Db, Vec<Select>); 3] {
    let is = |column: &str| ovsdb::Condition::is(column, node.as_str());
    let global = Select::from("NB_Global").columns(["name", "options"]);
    let switch = Select::from("Logical_Switch").columns(["name", "other_config"]).filter(is("name"));
    let chassis = Select::from("Chassis").columns(["hostname", "encaps"]).filter(is("hostname"));
    let encaps = Select::from("Encap").columns(["ip"]);
    [
        (node.clone(), Db::Nb, vec![global, switch]),
        (node.clone(), Db::Sb, vec![chassis, encaps]),
        (node.clone(), Db::OpenVSwitch, vec![Select::from("Open_vSwitch").columns(["ovs_version"])]),
    ]
}

impl Databases {
    /// Takes what one of them answered.
    fn take(&mut self, db: Db, rows: &[Rows]) {
        let first = |at: usize| rows.get(at).and_then(|rows| rows.rows.first());
        match db {
            Db::Nb => {
                if let Some(global) = first(0) {
                    self.zone = global.text("name").unwrap_or_default().to_owned();
                    self.northd =
                        global.map_get("options", "northd_internal_version").unwrap_or_default().to_owned();
                }
                self.subnet = first(1).map(subnets_of_switch).unwrap_or_default();
            }
            Db::Sb => {
                if let (Some(chassis), Some(encaps)) = (first(0), rows.get(1)) {
                    let ips: BTreeSet<&str> =
                        chassis.refs("encaps").filter_map(|encap| encaps.get(encap)?.text("ip")).collect();
                    self.encap = joined(ips);
                }
            }
            Db::OpenVSwitch => {
                let version = first(0).and_then(|row| row.text("ovs_version"));
                self.open_vswitch = version.unwrap_or_default().to_owned();
            }
        }
    }
}

/// What the databases of nodes say: a node is among them if at least one of its own was read.
async fn databases(
    cluster: &Cluster<'_>,
    nodes: &[NodeName],
    notes: &mut Vec<String>,
) -> BTreeMap<String, Databases> {
    let questions: Vec<_> = nodes.iter().flat_map(questions).collect();
    let dbs: Vec<Db> = questions.iter().map(|(_, db, _)| *db).collect();
    let answers = cluster.ask(questions, |rows| rows).collect::<Vec<_>>().await;
    let (mut read, mut failed) = (BTreeMap::<String, Databases>::new(), BTreeMap::<_, Vec<NodeName>>::new());
    for (db, (node, rows)) in dbs.into_iter().zip(answers) {
        match rows {
            Ok(rows) => read.entry(node.to_string()).or_default().take(db, &rows),
            // Of a bundle it is said what was collected.
            Err(ReadError::NotCollected { .. } | ReadError::NotHeld { .. }) if !cluster.is_live() => {}
            Err(e) => {
                // The same of many nodes is said once.
                let why = e.to_string().replace(node.as_str(), "<node>");
                failed.entry((db, why)).or_default().push(node);
            }
        }
    }
    notes.extend(
        failed.into_iter().map(|((db, why), nodes)| format!("{db} was not read of {}: {why}", some(&nodes))),
    );
    read
}

/// What a bundle holds, nodes of which the same is true together.
fn held(coverage: &Coverage) -> Vec<String> {
    let mut by = BTreeMap::<String, Vec<String>>::new();
    for node in &coverage.nodes {
        let of = |state: State| {
            let areas =
                node.areas.iter().filter(|held| held.state == state).map(|held| held.area.to_string());
            (state, areas.map(|area: String| area.trim().to_owned()).collect::<Vec<_>>())
        };
        let states = [State::Present, State::Absent, State::Damaged, State::Empty].map(of);
        let told = states.iter().filter(|(_, areas)| !areas.is_empty());
        let told: Vec<String> =
            told.map(|(state, areas)| format!("{} {}", state.to_string().trim(), areas.join(", "))).collect();
        by.entry(told.join("; ")).or_default().push(node.node.to_string());
    }
    let mut rows = vec!["collected:".to_owned()];
    rows.extend(by.into_iter().map(|(what, nodes)| format!("  {}: {what}", some(&nodes))));
    rows
}

/// The areas that any node has, for what to ask next.
pub(crate) fn has(coverage: Option<&Coverage>, area: Area) -> bool {
    coverage.is_none_or(|coverage| {
        coverage
            .nodes
            .iter()
            .flat_map(|node| &node.areas)
            .any(|held| held.area == area && held.state == State::Present)
    })
}

impl Overview {
    /// What to ask next.
    pub(crate) fn next(&self) -> Vec<String> {
        let mut next = vec!["ovnkube_locate for a pod, service, node or address".to_owned()];
        if has(self.coverage.as_ref(), Area::Northbound) {
            next.push("ovn_db_status node_name=all".into());
        }
        if has(self.coverage.as_ref(), Area::Logs) {
            next.push("kubectl_logs or node_logs with digest=true".into());
        }
        next
    }
}
