//! Finds the owner of an address with a port: a service, a node port or a pod.

use super::{
    Locator,
    address::{is, serves},
    service::ServicePort,
};
use crate::{
    nodes::joined,
    pods::{objects, text},
};
use mcp_core::ToolError;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

impl Locator<'_, '_> {
    /// Locates an address with a port: the services that have it, or else the owner of the address.
    pub(super) async fn endpoint(&mut self, endpoint: SocketAddr) -> Result<(), ToolError> {
        let (address, port) = (endpoint.ip(), endpoint.port().to_string());
        let services = objects(self.cluster, "services").await?;
        let node = self.host(address);
        let full = |service: &Value| {
            format!("{}/{}", text(service, "/metadata/namespace"), text(service, "/metadata/name"))
        };
        let mut found = false;
        for service in services.iter() {
            let ports = ServicePort::all(service);
            let of = if serves(service, address) && ports.iter().any(|one| one.port == port) {
                "a port"
            } else if node.is_some() && ports.iter().any(|one| one.node_port.as_ref() == Some(&port)) {
                "a node port"
            } else {
                continue;
            };
            found = true;
            let of_node = match &node {
                Some(node) if of == "a node port" => format!(" on {node}"),
                _ => String::new(),
            };
            self.lines.push(format!("{endpoint} is {of} of service {}{of_node}", full(service)));
            self.service(service).await;
        }
        if found {
            return Ok(());
        }
        if services.is_collected() {
            for service in services.iter().filter(|service| serves(service, address)) {
                let ports = ServicePort::all(service);
                let ports = joined(ports.iter().map(|one| format!("{}/{}", one.port, one.protocol)));
                self.lines.push(format!("service {} has no port {port}; it has {ports}", full(service)));
            }
            if let Some(node) = &node {
                self.lines.push(format!(
                    "no service in this source has node port {port}; the address belongs to {node}"
                ));
            }
        } else {
            self.notes.push(format!(
                "no services were collected, so it is unknown whether a service has port {port}"
            ));
        }
        self.address(address).await
    }

    /// Returns the host that an address belongs to.
    fn host(&mut self, address: IpAddr) -> Option<String> {
        let of = |net: &ipnet::IpNet| net.addr() == address;
        let node = self.nodes.iter().find(|node| {
            node.addresses.iter().any(|own| is(own, address))
                || node.annotations.host_cidrs.iter().chain(&node.annotations.primary).any(of)
        });
        match node {
            Some(node) => Some(format!("node {}", node.name)),
            None => self.masquerade(address).then(|| "each node's own host".to_owned()),
        }
    }
}
