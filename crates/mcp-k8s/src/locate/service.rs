//! Where a service is: its endpoints, and what OVN's load balancers make of them.

use super::{Locator, ports::host};
use crate::{
    nodes::joined,
    pods::{items, text},
};
use mcp_core::ToolError;
use serde_json::Value;
use std::collections::BTreeSet;

/// Endpoints that are named.
const ENDPOINTS: usize = 20;

/// An endpoint of a slice.
struct Endpoint {
    address: String,
    ready: bool,
    node: String,
    target: String,
}

impl Locator<'_, '_> {
    /// A service, from its object and its endpoint slices.
    pub(super) async fn service(&mut self, service: &Value, slices: &[Value]) -> Result<(), ToolError> {
        let full = format!("{}/{}", text(service, "/metadata/namespace"), text(service, "/metadata/name"));
        let ips: Vec<String> =
            items(service, "/spec/clusterIPs").filter_map(Value::as_str).map(str::to_owned).collect();
        let number = |port: &Value, key: &str| {
            port.get(key).map(|n| n.to_string().replace('"', "")).unwrap_or_default()
        };
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
        let endpoints = endpoints(slices);
        let ready: BTreeSet<&str> =
            endpoints.iter().filter(|e| e.ready).map(|e| e.address.as_str()).collect();
        if ready.is_empty() {
            self.findings.push(format!("service {full} has no ready endpoint: clients are refused at once"));
        }
        for endpoint in endpoints.iter().take(ENDPOINTS) {
            let state = if endpoint.ready { "ready" } else { "NOT ready" };
            self.lines.push(format!(
                "endpoint {} {state} on {} {}",
                endpoint.address, endpoint.node, endpoint.target
            ));
        }
        if endpoints.len() > ENDPOINTS {
            self.lines.push(format!("and {} more endpoints", endpoints.len() - ENDPOINTS));
        }
        let local = text(service, "/spec/internalTrafficPolicy") == "Local";
        self.balanced(&full, &ips, &ready, local).await
    }

    /// What the load balancers of one zone have for it: each zone has the same of a service for the whole cluster.
    async fn balanced(
        &mut self,
        full: &str,
        ips: &[String],
        ready: &BTreeSet<&str>,
        local: bool,
    ) -> Result<(), ToolError> {
        let Some(node) = self.readable.first().map(ToString::to_string) else { return Ok(()) };
        let Some(zone) = self.zone_of(&node).await? else { return Ok(()) };
        let prefix = format!("Service_{full}_");
        let mut backends = BTreeSet::new();
        let mut any = false;
        for (name, vips) in zone.balancers.iter().filter(|(name, _)| name.starts_with(&prefix)) {
            for (vip, to) in vips {
                self.lines.push(format!(
                    "load balancer {name} of {node}: {vip} to {}",
                    if to.is_empty() { "no backend" } else { to }
                ));
                if ips.iter().any(|ip| ip == host(vip)) {
                    any = true;
                    backends.extend(to.split(',').map(host).filter(|one| !one.is_empty()));
                }
            }
        }
        let headless = ips.iter().all(|ip| ip == "None");
        if !any && !headless {
            self.findings.push(format!(
                "the northbound database of {node} has no load balancer {prefix}… for {}",
                joined(ips)
            ));
        } else if any && !local {
            let missing: Vec<_> = ready.iter().filter(|ip| !backends.contains(**ip)).collect();
            let stale: Vec<_> = backends.iter().filter(|ip| !ready.contains(**ip)).collect();
            if !missing.is_empty() {
                self.findings.push(format!("ready, and no backend in OVN of {node}: {}", joined(missing)));
            }
            if !stale.is_empty() {
                self.findings
                    .push(format!("a backend in OVN of {node}, and no ready endpoint: {}", joined(stale)));
            }
        }
        self.notes.push(format!(
            "load balancers are those of {node}; ovn_nbctl_list node_name=all table=Load_Balancer grep={full} compares all nodes"
        ));
        Ok(())
    }
}

fn endpoints(slices: &[Value]) -> Vec<Endpoint> {
    let mut all: Vec<Endpoint> = slices
        .iter()
        .flat_map(|slice| items(slice, "/endpoints"))
        .flat_map(|endpoint| {
            let ready = endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
            items(endpoint, "/addresses").filter_map(Value::as_str).map(move |address| Endpoint {
                address: address.to_owned(),
                ready,
                node: text(endpoint, "/nodeName").to_owned(),
                target: text(endpoint, "/targetRef/name").to_owned(),
            })
        })
        .collect();
    all.sort_by(|a, b| (!a.ready, &a.address).cmp(&(!b.ready, &b.address)));
    // Several slices of one service have the same endpoints, for different ports.
    all.dedup_by(|a, b| a.address == b.address);
    all
}
