//! Where a service is: its endpoints, and what OVN's load balancers make of them.

use super::{Locator, balancers::Wanted};
use crate::{
    nodes::joined,
    pods::{items, text},
};
use serde_json::Value;
use std::{collections::BTreeSet, net::IpAddr};

/// Endpoints that are named.
const ENDPOINTS: usize = 20;

/// An endpoint of a slice, for one of its ports.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) address: String,
    pub(super) ip: Option<IpAddr>,
    pub(super) ready: bool,
    pub(super) serving: bool,
    pub(super) node: String,
    target: String,
    /// The name of the service's port that it is for.
    pub(super) port_name: String,
    pub(super) protocol: String,
    pub(super) port: String,
}

/// A port of a service.
pub(super) struct ServicePort {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: String,
}

impl Locator<'_, '_> {
    /// A service, from its object and its endpoint slices.
    pub(super) async fn service(&mut self, service: &Value, slices: &[Value]) {
        let full = format!("{}/{}", text(service, "/metadata/namespace"), text(service, "/metadata/name"));
        let ips: Vec<String> =
            items(service, "/spec/clusterIPs").filter_map(Value::as_str).map(str::to_owned).collect();
        let ports = items(service, "/spec/ports").map(|port| {
            let node_port = match number(port, "nodePort") {
                none if none.is_empty() => none,
                n => format!(", node port {n}"),
            };
            format!(
                "{}/{} to {}{node_port}",
                number(port, "port"),
                text(port, "/protocol"),
                number(port, "targetPort")
            )
        });
        self.lines.push(format!(
            "service {full}: {} {}, {}",
            text(service, "/spec/type"),
            joined(&ips),
            ports.collect::<Vec<_>>().join("; ")
        ));
        let policies = [
            ("internalTrafficPolicy", "Cluster"),
            ("externalTrafficPolicy", "Cluster"),
            ("sessionAffinity", "None"),
        ];
        for (policy, usual) in policies {
            let value = text(service, &format!("/spec/{policy}"));
            if !value.is_empty() && value != usual {
                self.lines.push(format!("{policy} {value}"));
            }
        }
        let outside = items(service, "/spec/externalIPs").filter_map(Value::as_str);
        let outside =
            outside.chain(items(service, "/status/loadBalancer/ingress").map(|ingress| text(ingress, "/ip")));
        let outside: Vec<&str> = outside.filter(|ip| !ip.is_empty()).collect();
        if !outside.is_empty() {
            self.lines.push(format!("from outside: {}", outside.join(",")));
        }
        if text(service, "/spec/type") == "ExternalName" {
            self.lines.push(format!("it is another name of {}", text(service, "/spec/externalName")));
            return;
        }
        let endpoints = endpoints(slices);
        // Several slices of one service have the same endpoints, for different ports; ready for one is ready here.
        let mut named = endpoints.clone();
        named.sort_by(|a, b| (!a.ready, &a.address).cmp(&(!b.ready, &b.address)));
        let mut seen = BTreeSet::new();
        named.retain(|endpoint| seen.insert(endpoint.address.clone()));
        if !named.iter().any(|endpoint| endpoint.ready) {
            self.findings.push(format!("service {full} has no ready endpoint: clients are refused at once"));
        }
        for endpoint in named.iter().take(ENDPOINTS) {
            let state = if endpoint.ready { "ready" } else { "NOT ready" };
            self.lines.push(format!(
                "endpoint {} {state} on {} {}",
                endpoint.address, endpoint.node, endpoint.target
            ));
        }
        if named.len() > ENDPOINTS {
            self.lines.push(format!("and {} more endpoints", named.len() - ENDPOINTS));
        }
        let ports: Vec<ServicePort> = items(service, "/spec/ports")
            .map(|port| ServicePort {
                name: text(port, "/name").to_owned(),
                protocol: text(port, "/protocol").to_owned(),
                port: number(port, "port"),
            })
            .collect();
        self.balanced(&Wanted {
            full: &full,
            ips: ips.iter().filter_map(|ip| ip.parse().ok()).collect(),
            ports: &ports,
            endpoints: &endpoints,
            local: text(service, "/spec/internalTrafficPolicy") == "Local",
        })
        .await;
    }
}

/// A field that is a number, or a name in place of one.
fn number(port: &Value, key: &str) -> String {
    port.get(key).map(|n| n.to_string().replace('"', "")).unwrap_or_default()
}

fn endpoints(slices: &[Value]) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for slice in slices {
        // One without ports stands for itself: headless services have such.
        let none = Value::Null;
        let ports: Vec<&Value> = items(slice, "/ports").collect();
        let ports = if ports.is_empty() { vec![&none] } else { ports };
        for endpoint in items(slice, "/endpoints") {
            let is = |condition: &str| {
                endpoint.pointer(&format!("/conditions/{condition}")).and_then(Value::as_bool)
            };
            let ready = is("ready").unwrap_or(true);
            for address in items(endpoint, "/addresses").filter_map(Value::as_str) {
                all.extend(ports.iter().map(|port| Endpoint {
                    address: address.to_owned(),
                    ip: address.parse().ok(),
                    ready,
                    serving: is("serving").unwrap_or(ready),
                    node: text(endpoint, "/nodeName").to_owned(),
                    target: text(endpoint, "/targetRef/name").to_owned(),
                    port_name: text(port, "/name").to_owned(),
                    protocol: text(port, "/protocol").to_owned(),
                    port: number(port, "port"),
                }));
            }
        }
    }
    all
}
