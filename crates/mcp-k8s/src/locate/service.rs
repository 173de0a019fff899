//! Locates a service: its endpoints and its OVN load balancers.

use super::{Locator, balancers::ExpectedBalancers};
use crate::{
    nodes::joined,
    pods::{CollectedObjects, items, text},
};
use mcp_core::ObjectQuery;
use serde_json::Value;
use std::{collections::BTreeSet, net::IpAddr};

/// The maximum number of endpoints that are listed.
const ENDPOINTS: usize = 20;

/// An endpoint of an EndpointSlice, for one port of the slice.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) address: String,
    pub(super) ip: Option<IpAddr>,
    pub(super) ready: bool,
    pub(super) serving: bool,
    pub(super) node: String,
    target: String,
    /// The name of the service port.
    pub(super) port_name: String,
    pub(super) protocol: String,
    pub(super) port: String,
}

/// A port of a service.
pub(super) struct ServicePort {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: String,
    pub(super) node_port: Option<String>,
}

impl ServicePort {
    /// Returns the ports of a service.
    pub(super) fn all(service: &Value) -> Vec<Self> {
        let of = |port: &Value| Self {
            name: text(port, "/name").to_owned(),
            protocol: text(port, "/protocol").to_owned(),
            port: number(port, "port"),
            node_port: Some(number(port, "nodePort")).filter(|port| !port.is_empty()),
        };
        items(service, "/spec/ports").map(of).collect()
    }
}

impl Locator<'_, '_> {
    /// Locates a service from its object and its endpoint slices.
    pub(super) async fn service(&mut self, service: &Value) {
        let slices = self.slices(service).await;
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
        // With ipMode Proxy, a proxy outside the cluster answers for the address, and OVN has no load balancer for it.
        let ingress =
            items(service, "/status/loadBalancer/ingress").filter(|of| text(of, "/ipMode") != "Proxy");
        let outside = outside.chain(ingress.map(|ingress| text(ingress, "/ip")));
        let outside: Vec<&str> = outside.filter(|ip| !ip.is_empty()).collect();
        if !outside.is_empty() {
            self.lines.push(format!("external addresses: {}", outside.join(",")));
        }
        if text(service, "/spec/type") == "ExternalName" {
            self.lines.push(format!("the service is an alias of {}", text(service, "/spec/externalName")));
            return;
        }
        let endpoints = endpoints(&slices);
        // Several slices of a service can have the same address for different ports. An address counts as ready if it
        // is ready for any port.
        let mut named = endpoints.clone();
        named.sort_by(|a, b| (!a.ready, &a.address).cmp(&(!b.ready, &b.address)));
        let mut seen = BTreeSet::new();
        named.retain(|endpoint| seen.insert(endpoint.address.clone()));
        let is_headless = ips.iter().any(|ip| ip == "None");
        self.readiness(&full, &slices, &named, is_headless);
        for endpoint in named.iter().take(ENDPOINTS) {
            let state = match endpoint {
                Endpoint { ready: true, .. } => "ready",
                Endpoint { serving: true, .. } => "terminating but serving",
                _ => "NOT ready",
            };
            self.lines.push(format!(
                "endpoint {} {} on {}: {state}",
                endpoint.address, endpoint.target, endpoint.node
            ));
        }
        if named.len() > ENDPOINTS {
            self.lines.push(format!("{} more endpoints are not shown", named.len() - ENDPOINTS));
        }
        self.compare_balancers(&ExpectedBalancers {
            full: &full,
            ips: ips.iter().filter_map(|ip| ip.parse().ok()).collect(),
            outside: outside.iter().filter_map(|ip| ip.parse().ok()).collect(),
            ports: &ServicePort::all(service),
            endpoints: slices.is_whole().then_some(endpoints.as_slice()),
            internal_local: text(service, "/spec/internalTrafficPolicy") == "Local",
            external_local: text(service, "/spec/externalTrafficPolicy") == "Local",
        })
        .await;
    }

    /// Reports what clients see if a service has no ready endpoint.
    fn readiness(&mut self, full: &str, slices: &CollectedObjects, named: &[Endpoint], is_headless: bool) {
        if named.iter().any(|endpoint| endpoint.ready) {
            return;
        }
        if named.iter().any(|endpoint| endpoint.serving) {
            self.lines.push("no endpoint is ready; terminating endpoints that still serve are used".into());
        } else if !slices.is_whole() {
            let what = if slices.is_collected() { "not all of the" } else { "no" };
            self.notes.push(format!(
                "{what} EndpointSlices of {full} were collected, so it is unknown whether it has a ready endpoint"
            ));
        } else if is_headless {
            self.findings.push(format!("service {full} has no ready endpoint: its name does not resolve"));
        } else {
            self.findings
                .push(format!("service {full} has no ready endpoint: connections are refused immediately"));
        }
    }

    /// Reads the endpoint slices of a service. An error becomes a note.
    async fn slices(&mut self, service: &Value) -> CollectedObjects {
        let labels = format!("kubernetes.io/service-name={}", text(service, "/metadata/name"));
        let query = ObjectQuery {
            namespace: text(service, "/metadata/namespace").parse().ok(),
            labels: labels.parse().unwrap_or_default(),
            ..ObjectQuery::default()
        };
        self.read("endpointslices.discovery.k8s.io", query).await
    }
}

/// Returns a field of a port that is a number or a name.
fn number(port: &Value, key: &str) -> String {
    port.get(key).map(|n| n.to_string().replace('"', "")).unwrap_or_default()
}

fn endpoints(slices: &[Value]) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for slice in slices {
        // A slice without ports, as headless services have, still yields its endpoints.
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
