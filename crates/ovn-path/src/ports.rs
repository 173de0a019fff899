//! The logical ports of a zone.

use ipnet::IpNet;
use ovsdb::{Row, Rows, Select, Uuid};
use std::net::IpAddr;

/// The ports of a zone, as far as a packet that one of them sends needs them.
#[derive(Clone, Debug, Default)]
pub struct Ports(Vec<Port>);

/// A logical port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its datapath.
    pub datapath: Uuid,
    /// `patch`, `remote`, …; empty for a workload's.
    pub kind: String,
    /// Its MAC address.
    pub mac: Option<String>,
    /// Its addresses, with the length of the prefix where it has one: a router's port.
    pub addresses: Vec<IpNet>,
    /// The port at the other end.
    pub peer: Option<String>,
    /// The chassis that has it.
    pub chassis: Option<Uuid>,
}

impl Port {
    fn new(row: &Row) -> Option<Self> {
        // `"0a:58:0a:f4:00:04 10.244.0.4"`; a switch's port to a router has `router`.
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
    /// What has to be read of the southbound database.
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

    /// From what [`Self::select`] asked for.
    pub fn new(rows: &Rows) -> Self {
        Self(rows.rows.iter().filter_map(Port::new).collect())
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = &Port> {
        self.0.iter()
    }

    /// The port of this name, or of the pod `namespace/name` on the default network.
    pub fn find(&self, name: &str) -> Option<&Port> {
        let of_pod = name.replacen('/', "_", 1);
        self.0.iter().find(|port| port.name == name || port.name == of_pod)
    }

    /// The pod's port, of any network, that has an address.
    pub(crate) fn of_pod_with(&self, address: IpAddr) -> Option<&Port> {
        let has = |port: &&Port| port.addresses.iter().any(|net| net.addr() == address);
        self.0.iter().filter(|port| port.kind.is_empty()).find(has)
    }

    /// The port of a datapath that has an address.
    pub(crate) fn with_address(&self, datapath: Uuid, address: IpAddr) -> Option<&Port> {
        self.0
            .iter()
            .find(|port| port.datapath == datapath && port.addresses.iter().any(|net| net.addr() == address))
    }

    /// The router's ports that a datapath is connected to.
    pub(crate) fn gateways(&self, datapath: Uuid) -> impl Iterator<Item = &Port> {
        let peers =
            self.0.iter().filter(move |port| port.datapath == datapath).filter_map(|port| port.peer.as_ref());
        peers.filter_map(|peer| self.0.iter().find(|port| port.name == *peer))
    }
}
