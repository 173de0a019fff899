//! The names of the numbers in OVN's tunnels.

use capture::frame::OvnPorts;
use mcp_core::{ClusterReader, Db, NodeName, ReadError};
use ovn_model::lflow::Datapaths;
use ovsdb::{Rows, Select};
use std::collections::BTreeMap;

/// The names of datapaths and logical ports by the tunnel keys that a tunnel carries.
#[derive(Debug, Default)]
pub(crate) struct TunnelNames {
    datapaths: BTreeMap<u32, String>,
    ports: BTreeMap<(u32, u16), String>,
}

impl TunnelNames {
    /// Reads the names, if they are needed, from the southbound database of the first node that has one.
    pub(crate) async fn read_if(needed: bool, cluster: &ClusterReader<'_>, nodes: &[NodeName]) -> Self {
        if !needed {
            return Self::default();
        }
        let mut problem = None;
        for name in nodes {
            match Self::of_node(cluster, name).await {
                Ok(names) => return names,
                Err(ReadError::NotCollected { .. } | ReadError::NotHeld { .. }) => {}
                Err(e) => problem = problem.or(Some(mcp_core::chain(&e))),
            }
        }
        let why = problem.unwrap_or_else(|| "no southbound database was collected".into());
        cluster.note(format!("the names of the datapaths and ports in tunnels are not known: {why}"));
        Self::default()
    }

    async fn of_node(cluster: &ClusterReader<'_>, name: &NodeName) -> Result<Self, ReadError> {
        let node = cluster.node(name);
        let schema = node.schema(Db::Sb).await?;
        let mut selects = Datapaths::selects(&schema);
        let of_datapaths = selects.len();
        selects.push(Select::from("Port_Binding").columns(["datapath", "logical_port", "tunnel_key"]));
        selects.push(Select::from("Multicast_Group").columns(["datapath", "name", "tunnel_key"]));
        let rows = node.rows(Db::Sb, &selects).await?;
        let (datapaths, ports) = rows.split_at(of_datapaths.min(rows.len()));
        Ok(Self::new(&Datapaths::new(datapaths), ports))
    }

    fn new(datapaths: &Datapaths, ports: &[Rows]) -> Self {
        let mut names = Self::default();
        let mut keys = BTreeMap::new();
        for datapath in datapaths.iter() {
            if let Some(key) = datapath.tunnel_key.and_then(|key| u32::try_from(key).ok()) {
                names.datapaths.insert(key, datapath.name.clone());
                keys.insert(datapath.uuid, key);
            }
        }
        for row in ports.iter().flat_map(|rows| &rows.rows) {
            let datapath = row.refs("datapath").next().and_then(|uuid| keys.get(&uuid));
            let key = row.int("tunnel_key").and_then(|key| u16::try_from(key).ok());
            let name = row.text("logical_port").or_else(|| row.text("name"));
            if let (Some(datapath), Some(key), Some(name)) = (datapath, key, name) {
                names.ports.insert((*datapath, key), name.to_owned());
            }
        }
        names
    }

    /// The name of the datapath with this tunnel key: `transit_switch (0xff0003)`.
    pub(crate) fn datapath(&self, vni: u32) -> String {
        match self.datapaths.get(&vni) {
            Some(name) => format!("{name} ({vni:#x})"),
            None => format!("datapath {vni:#x}"),
        }
    }

    /// The name of a port: of its pod if it belongs to a pod, otherwise of the logical port.
    fn port(&self, vni: u32, key: u16) -> String {
        match self.ports.get(&(vni, key)) {
            Some(name) => match ovn_path::pod_of(name) {
                Some((namespace, pod)) => format!("{namespace}/{pod}"),
                None => name.clone(),
            },
            None => format!("port {key}"),
        }
    }

    /// The meaning of a tunnel: `transit_switch (0xff0003), tstor-ovn-worker to tstor-ovn-worker2`.
    pub(crate) fn tunnel(&self, vni: u32, ports: Option<OvnPorts>) -> String {
        let datapath = self.datapath(vni);
        match ports {
            Some(OvnPorts { ingress, egress }) => {
                format!("{datapath}, {} to {}", self.port(vni, ingress), self.port(vni, egress))
            }
            None => datapath,
        }
    }
}
