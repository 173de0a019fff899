//! Generates a cluster of any size from the recording of a small one.
//!
//! Every generated node is a copy of one recorded node, with its own name, addresses, keys and chassis. The data of
//! this node about one of its peers is repeated for every other node. One of its namespaces is a tenant, which is
//! repeated until each zone has as many logical flows as a busy node. Anything that exists once in the recording (the
//! control plane, user-defined networks, egress addresses) is left out. The same seed gives the same bytes.

mod names;
mod rows;
mod text;

use crate::{Failed, unpack};
use names::{Names, Repeat};
use rows::{Recording, Zone};
use std::{fs, path::Path};
use text::Parts;

/// The folder of the capture's must-gather.
const RECORDED: &str = "must-gather.local.4417836294/lab-ovn-kubernetes";
/// The folder of the recorded node's sosreport.
const REPORT: &str = "sosreport-ovn-worker-2026-11-22-kernel";
/// The outputs of commands that a sosreport of a generated node has, in `sos_commands`.
const OUTPUTS: [(&str, Parts); 8] = [
    ("networking/ip_-d_address", Parts::Blocks),
    ("networking/ip_-s_-d_link", Parts::Blocks),
    ("networking/ip_route_show_table_all", Parts::Lines),
    ("networking/ip_-4_rule_list", Parts::Lines),
    ("networking/ip_-s_-s_neigh_show", Parts::Lines),
    ("networking/iptables-save", Parts::Lines),
    ("networking/ip6tables-save", Parts::Lines),
    ("firewall_tables/nft_-a_list_ruleset", Parts::Lines),
];
/// The objects of a tenant.
const OF_TENANTS: [&str; 6] = [
    "shop/shop.yaml",
    "shop/core/pods.yaml",
    "shop/core/services.yaml",
    "shop/discovery.k8s.io/endpointslices.yaml",
    "shop/networking.k8s.io/networkpolicies.yaml",
    "shop/k8s.ovn.org/egressfirewalls.yaml",
];
/// The objects of the cluster.
const OF_CLUSTER: [&str; 8] = [
    "ovn-kubernetes/ovn-kubernetes.yaml",
    "ovn-kubernetes/core/pods.yaml",
    "clients/clients.yaml",
    "clients/core/pods.yaml",
    "clients/k8s.ovn.org/egressqoses.yaml",
    "default/default.yaml",
    "default/core/services.yaml",
    "default/discovery.k8s.io/endpointslices.yaml",
];

/// A cluster to generate.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    /// The number of nodes, at least 2.
    pub nodes: usize,
    /// The number of tenants: namespaces with two pods on each node, four services and their policies.
    pub tenants: usize,
    /// The seed of all names and keys.
    pub seed: u64,
}

impl Generator {
    /// The largest number of nodes: each has a subnet of `10.244.0.0/16`, and an address that ends with its number.
    pub const MAX_NODES: usize = 250;
    /// The largest number of tenants: the addresses of their pods are in the subnet of the node.
    pub const MAX_TENANTS: usize = 120;
    /// The number of tenants with which each zone has more than 8,000 logical flows.
    pub const TENANTS: usize = 120;

    /// Writes the cluster into an empty or new directory: one must-gather, and one sosreport for each node.
    ///
    /// # Errors
    /// The numbers are out of range, the directory has files already, or a file cannot be written.
    pub fn write(self, dir: &Path) -> Result<(), Failed> {
        if !(2..=Self::MAX_NODES).contains(&self.nodes) || !(1..=Self::MAX_TENANTS).contains(&self.tenants) {
            return Err(format!(
                "a cluster has 2 to {} nodes and 1 to {} tenants, not {} and {}",
                Self::MAX_NODES,
                Self::MAX_TENANTS,
                self.nodes,
                self.tenants
            )
            .into());
        }
        if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(format!("{} is not empty; name a new directory", dir.display()).into());
        }
        let recorded = tempfile::tempdir()?;
        for archive in ["capture/must-gather.tar.xz", "capture/nodes.tar.xz", "kernel/nodes.tar.xz"] {
            unpack(archive, recorded.path())?;
        }
        self.from(recorded.path(), dir)
    }

    fn from(self, recorded: &Path, dir: &Path) -> Result<(), Failed> {
        let gathered = recorded.join(RECORDED);
        let store = "network_logs/ovnk_database_store";
        let database = |name: &str| Recording::read(fs::read(gathered.join(store).join(name))?);
        let (northbound, southbound) =
            (database("ovnkube-node-vwrjk_nbdb")?, database("ovnkube-node-vwrjk_sbdb")?);
        let switch = Recording::read(fs::read(recorded.join("nodes/ovn-worker/conf.db"))?)?;
        let names = Names::new(self.seed, self.nodes, self.tenants, northbound.groups_of_tenants())?;
        let zone = Zone::new(&names, &[&northbound, &southbound]);
        let bridges = Zone::new(&names, &[&switch]);
        let root = dir.join("must-gather.local.1000000001/generated");
        write(&root.join("timestamp"), &fs::read(gathered.join("timestamp"))?)?;
        write(&root.join("version"), &fs::read(gathered.join("version"))?)?;
        let object =
            fs::read_to_string(gathered.join("cluster-scoped-resources/core/nodes/ovn-worker.yaml"))?;
        for node in 1..=self.nodes {
            let name = Names::node(node);
            let objects = text::object_of_node(&names, &object, node);
            write(
                &root.join(format!("cluster-scoped-resources/core/nodes/{name}.yaml")),
                objects.as_bytes(),
            )?;
            let pod = names.rename("ovnkube-node-vwrjk", Repeat::of(node));
            write(&root.join(store).join(format!("{pod}_nbdb")), &zone.file(&northbound, node))?;
            write(&root.join(store).join(format!("{pod}_sbdb")), &zone.file(&southbound, node))?;
            let report = dir.join(format!("sosreport-{name}-2026-11-22-generated"));
            host(&names, &recorded.join(REPORT), &report, node)?;
            write(&report.join("etc/openvswitch/conf.db"), &bridges.file(&switch, node))?;
        }
        let namespaces = gathered.join("namespaces");
        for path in OF_CLUSTER {
            let objects = text::list(&names, &fs::read_to_string(namespaces.join(path))?, None);
            write(&root.join("namespaces").join(path), objects.as_bytes())?;
        }
        for (path, tenant) in
            OF_TENANTS.iter().flat_map(|path| (0..self.tenants).map(move |tenant| (path, tenant)))
        {
            let objects = text::list(&names, &fs::read_to_string(namespaces.join(path))?, Some(tenant));
            let path = names.rename(path, Repeat::of(1).with_tenant(tenant));
            write(&root.join("namespaces").join(path), objects.as_bytes())?;
        }
        Ok(())
    }
}

/// Writes the outputs of commands on a node.
fn host(names: &Names, recorded: &Path, report: &Path, node: usize) -> Result<(), Failed> {
    write(&report.join("etc/hostname"), (Names::node(node) + "\n").as_bytes())?;
    let manifest = fs::read_to_string(recorded.join("sos_reports/manifest.json"))?;
    write(&report.join("sos_reports/manifest.json"), manifest_of(&manifest)?.as_bytes())?;
    for (path, parts) in OUTPUTS {
        let path = format!("sos_commands/{path}");
        let output = text::output(names, &fs::read_to_string(recorded.join(&path))?, parts, node);
        write(&report.join(path), output.as_bytes())?;
    }
    Ok(())
}

/// Returns the manifest without the commands whose output is not generated.
fn manifest_of(recorded: &str) -> Result<String, Failed> {
    let mut manifest: serde_json::Value = serde_json::from_str(recorded)?;
    let plugins = manifest.pointer_mut("/components/report/plugins").and_then(|it| it.as_object_mut());
    for plugin in plugins.into_iter().flat_map(|plugins| plugins.values_mut()) {
        let is_written = |command: &serde_json::Value| {
            let path = command.get("filepath").and_then(|it| it.as_str()).unwrap_or_default();
            OUTPUTS.iter().any(|(output, _)| path.ends_with(output))
        };
        if let Some(commands) = plugin.get_mut("commands").and_then(|it| it.as_array_mut()) {
            commands.retain(is_written);
        }
    }
    Ok(manifest.to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, bytes)?)
}
