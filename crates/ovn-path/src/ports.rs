//! The logical ports of a zone.

use ipnet::IpNet;
use ovsdb::{Row, Rows, Select, Uuid};
use std::net::IpAddr;

/// The ports of a zone, with the columns that building a packet needs.
#[derive(Clone, Debug, Default)]
pub struct Ports(Vec<Port>);

/// A logical port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name of the port.
    pub name: String,
    /// The datapath of the port.
    pub datapath: Uuid,
    /// The type: `patch`, `remote`, …; empty for the port of a workload.
    pub kind: String,
    /// The MAC address of the port, if it has one.
    pub mac: Option<String>,
    /// The IP addresses of the port. Those of a router port have a prefix length.
    pub addresses: Vec<IpNet>,
    /// The peer of a patch port.
    pub peer: Option<String>,
    /// The chassis that claimed the port.
    pub chassis: Option<Uuid>,
}

impl Port {
    fn new(row: &Row) -> Option<Self> {
        // The column is like `"0a:58:0a:f4:00:04 10.244.0.4"`, or `router` for a switch port that connects to a router.
        let words: Vec<&str> = row.strings("mac").flat_map(str::split_whitespace).collect();
        let net = |word: &&str| word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
        Some(Self {
            name: row.text("logical_port")?.to_owned(),
            datapath: row.refs("datapath").next()?,
            kind: row.text("type").unwrap_or_default().to_owned(),
            mac: words.first().filter(|word| word.matches(':').count() == 5).map(|mac| (*mac).to_owned()),
            addresses: words.iter().skip(1).filter_map(net).collect(),
            peer: row.map_get("options", "peer").map(str::to_owned),
            chassis: row.refs("chassis").next(),
        })
    }
}

impl Ports {
    /// Returns what the caller must read from the southbound database.
    pub fn select() -> Select {
        Select::from("Port_Binding").columns([
            "logical_port",
            "datapath",
            "mac",
            "type",
            "options",
            "chassis",
        ])
    }

    /// Builds the ports from the rows that [`Self::select`] asks for.
    pub fn new(rows: &Rows) -> Self {
        Self(rows.rows.iter().filter_map(Port::new).collect())
    }

    /// Returns all ports.
    pub fn iter(&self) -> impl Iterator<Item = &Port> {
        self.0.iter()
    }

    /// Finds the port with this name, or the port of the pod `namespace/name` on the default network.
    pub fn find(&self, name: &str) -> Option<&Port> {
        let of_pod = name.replacen('/', "_", 1);
        self.0.iter().find(|port| port.name == name || port.name == of_pod)
    }

    /// Finds the workload port with an address, on any network.
    pub(crate) fn of_pod_with(&self, address: IpAddr) -> Option<&Port> {
        let has = |port: &&Port| port.addresses.iter().any(|net| net.addr() == address);
        self.0.iter().filter(|port| port.kind.is_empty()).find(has)
    }

    /// Finds the port of a datapath with an address.
    pub(crate) fn with_address(&self, datapath: Uuid, address: IpAddr) -> Option<&Port> {
        self.0
            .iter()
            .find(|port| port.datapath == datapath && port.addresses.iter().any(|net| net.addr() == address))
    }

    /// Returns the router ports that a datapath connects to.
    pub(crate) fn gateways(&self, datapath: Uuid) -> impl Iterator<Item = &Port> {
        let peers =
            self.0.iter().filter(move |port| port.datapath == datapath).filter_map(|port| port.peer.as_ref());
        peers.filter_map(|peer| self.0.iter().find(|port| port.name == *peer))
    }
}
