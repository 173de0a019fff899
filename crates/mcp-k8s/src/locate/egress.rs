//! Checks the EgressIPs of a pod.

use super::{Locator, ports::table};
use crate::{
    pods::{Pod, items, text},
    table::{Object, selector},
};
use mcp_core::{Db, LabelSelector, ObjectQuery};
use ovn_model::annotations::{DEFAULT_NETWORK, PodNetwork};
use ovsdb::{Condition, Select};
use serde_json::Value;
use std::net::IpAddr;

/// The priority of the router policies that reroute a pod's traffic to the node of its EgressIP
/// (`types.EgressIPReroutePriority`).
const REROUTE: i64 = 100;

impl Locator<'_, '_> {
    /// Compares the EgressIPs that select a pod with the router policies of the pod's zone.
    pub(super) async fn egress(&mut self, object: &Value, pod: &Pod, networks: &[PodNetwork]) {
        let all = self.read("egressips.k8s.ovn.org", ObjectQuery::default()).await;
        if all.is_empty() {
            return;
        }
        let query = ObjectQuery { name: pod.namespace.parse().ok(), ..ObjectQuery::default() };
        let namespaces = self.read("namespaces", query).await;
        let Some(namespace) = namespaces.first() else {
            self.notes.push(format!(
                "namespace {} was not collected, so it is unknown whether an EgressIP selects the pod",
                pod.namespace
            ));
            return;
        };
        let selected: Vec<&Value> = all
            .iter()
            .filter(|egress| {
                selects(egress, "/spec/namespaceSelector", namespace)
                    && selects(egress, "/spec/podSelector", object)
            })
            .collect();
        if selected.is_empty() {
            return;
        }
        let policies = [Select::from("Logical_Router_Policy")
            .columns(["priority", "match", "action", "nexthops"])
            .filter(Condition::is("priority", REROUTE))];
        let [policies] = self.databases(&pod.node, [(Db::Nb, policies.as_slice())]).await;
        for egress in selected {
            let name = text(egress, "/metadata/name");
            let given: Vec<(IpAddr, &str)> = items(egress, "/status/items")
                .filter_map(|item| Some((text(item, "/egressIP").parse().ok()?, text(item, "/node"))))
                .collect();
            let shown: Vec<String> = given.iter().map(|(ip, node)| format!("{ip} on node {node}")).collect();
            if shown.is_empty() && egress.pointer("/status/items").is_none() {
                self.lines.push(format!("EgressIP {name} selects the pod, but has no status in this source"));
                continue;
            }
            if shown.is_empty() {
                self.findings.push(format!(
                    "EgressIP {name} selects the pod, but its addresses are not assigned to a node"
                ));
                continue;
            }
            self.lines.push(format!(
                "EgressIP {name} selects the pod; its traffic leaves the cluster as {}",
                shown.join(" or ")
            ));
            let Some(rows) = &policies else { continue };
            for address in egressing(networks) {
                if !given.iter().any(|(ip, _)| ip.is_ipv4() == address.is_ipv4()) {
                    continue;
                }
                let family = if address.is_ipv4() { "ip4" } else { "ip6" };
                let wanted = format!("{family}.src == {address}");
                let policy = table(rows, 0)
                    .find(|row| row.text("match") == Some(&wanted) && row.text("action") == Some("reroute"));
                match policy {
                    Some(row) => {
                        let hops: Vec<&str> = row.strings("nexthops").collect();
                        self.lines.push(format!(
                            "  router policy with priority {REROUTE} and match {wanted}: reroute to {} (_uuid {})",
                            hops.join(","),
                            row.uuid
                        ));
                    }
                    None => self.findings.push(format!(
                        "EgressIP {name}: the zone of {} has no reroute policy with priority {REROUTE} and match {wanted}, \
                         so the pod's traffic leaves with the address of its node",
                        pod.node
                    )),
                }
            }
        }
    }
}

/// Returns the addresses of a pod's primary network, with which its traffic leaves the cluster.
fn egressing(networks: &[PodNetwork]) -> impl Iterator<Item = IpAddr> {
    let is_primary = |network: &&PodNetwork| match network.role.as_str() {
        "" => network.network == DEFAULT_NETWORK,
        role => role == "primary",
    };
    networks.iter().filter(is_primary).flat_map(|network| &network.ip_addresses).map(|net| net.addr())
}

/// Checks whether the selector at `path` in an object matches another object. An empty or absent selector matches all.
fn selects(object: &Value, path: &str, other: &Value) -> bool {
    let selector = selector(Object(object), path);
    match selector.as_str() {
        None | Some("<none>") => true,
        Some(text) => text.parse::<LabelSelector>().is_ok_and(|selector| selector.matches(other)),
    }
}
