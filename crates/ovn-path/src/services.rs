//! The virtual addresses of services.

use ovsdb::{Row, Rows, Select};
use std::net::SocketAddr;

/// The virtual addresses of services, from the northbound database.
#[derive(Clone, Debug, Default)]
pub struct Services(Vec<Vip>);

/// A virtual address of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vip {
    /// True if the address belongs to one node: a node port, or a template of one.
    pub of_node: bool,
    /// The service, as `namespace/name`.
    pub service: String,
    /// The protocol: `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The virtual address and port.
    pub address: SocketAddr,
}

impl Services {
    /// Returns what the caller must read from the northbound database.
    pub fn select() -> Select {
        Select::from("Load_Balancer").columns(["name", "protocol", "vips", "external_ids"])
    }

    /// Builds the services from the rows that [`Self::select`] asks for.
    pub fn new(rows: &Rows) -> Self {
        let vips = |row: &Row| {
            let service = row.map_get("external_ids", "k8s.ovn.org/owner").unwrap_or_default().to_owned();
            let of_node = !row.text("name").is_some_and(|name| name.ends_with("_cluster"));
            let protocol = row.text("protocol").unwrap_or("tcp").to_owned();
            let vip = |(vip, _): (&str, &str)| {
                Some(Vip {
                    of_node,
                    service: service.clone(),
                    protocol: protocol.clone(),
                    address: vip.parse().ok()?,
                })
            };
            row.map("vips").filter_map(vip).collect::<Vec<_>>()
        };
        let mut all: Vec<Vip> = rows.rows.iter().flat_map(vips).collect();
        all.sort();
        all.dedup();
        Self(all)
    }

    /// Returns the virtual addresses of a service, cluster addresses first.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Vip> {
        self.0.iter().filter(move |vip| vip.service == service)
    }

    /// Returns the names of all services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|vip| vip.service.as_str()).filter(|name| !name.is_empty())
    }
}
