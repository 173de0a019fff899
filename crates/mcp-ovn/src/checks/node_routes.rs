//! Finds zones without a route to the pods of another node, and routes that lead to the wrong node.

use futures::StreamExt;
use ipnet::IpNet;
use mcp_core::{
    ClusterReader, Db, NodeName, ObjectQuery, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity},
    counted,
};
use ovn_model::annotations::{DEFAULT_NETWORK, NodeAnnotations};
use ovsdb::{Rows, Select};
use serde_json::Value;
use std::net::IpAddr;

pub(crate) struct NodeRoutes;

/// The router of the default network.
const ROUTER: &str = "ovn_cluster_router";

impl Check for NodeRoutes {
    const ID: &'static str = "node-routes";
    const TITLE: &'static str =
        "Each zone routes the pod subnets of all other zones to their transit addresses";
    const READS: &'static str =
        "Node objects; Logical_Router_Static_Route of each zone's northbound database";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let nodes = cluster.objects(&ObjectQuery::all(cluster.kind("nodes").await?)).await?;
        let nodes: Vec<RoutedNode> = nodes.iter().filter_map(RoutedNode::new).collect();
        let mut outcome = CheckOutcome::default();
        if nodes.iter().all(|node| node.transit.is_empty()) {
            let why = "all zones: no node has the annotation k8s.ovn.org/node-transit-switch-port-ifaddr";
            outcome.unread.push(why.into());
            return Ok(outcome);
        }
        let selects = [
            Select::from("Logical_Router").columns(["name", "static_routes"]),
            Select::from("Logical_Router_Static_Route").columns(["ip_prefix", "nexthop"]),
        ];
        let mut zones = cluster.rows_of(cluster.nodes().await?, Db::Nb, &selects, |rows| routes(&rows));
        let (mut read, mut compared) = (0, 0);
        while let Some((zone, result)) = zones.next().await {
            match result {
                Ok(routes) => {
                    read += 1;
                    let own = nodes.iter().find(|node| node.name == zone.as_str());
                    let own = own.map_or(zone.as_str(), |node| node.zone.as_str());
                    let others = nodes.iter().filter(|node| node.zone != own && !node.transit.is_empty());
                    for node in others {
                        compared += node.subnets.len();
                        outcome.findings.extend(node.findings(&zone, &routes));
                    }
                }
                Err(e) => outcome.could_not_read(&zone, &e),
            }
        }
        if read > 0 {
            outcome.looked_at = format!("{} in {}", counted(compared, "route"), counted(read, "zone"));
        }
        Ok(outcome)
    }
}

/// A node and how other zones reach its pods.
struct RoutedNode {
    name: String,
    zone: String,
    subnets: Vec<IpNet>,
    transit: Vec<IpAddr>,
}

impl RoutedNode {
    fn new(node: &Value) -> Option<Self> {
        let name = node.pointer("/metadata/name")?.as_str()?.to_owned();
        let mut annotations = NodeAnnotations::of(node);
        Some(Self {
            zone: annotations.zone.unwrap_or_else(|| name.clone()),
            name,
            subnets: annotations.subnets.remove(DEFAULT_NETWORK).unwrap_or_default(),
            transit: annotations.transit.iter().map(IpNet::addr).collect(),
        })
    }

    /// Compares the routes of another zone with what the node needs.
    fn findings(&self, zone: &NodeName, routes: &[StaticRoute]) -> Vec<Finding> {
        let mut found = Vec::new();
        for subnet in &self.subnets {
            let wanted = self.transit.iter().filter(|ip| ip.is_ipv4() == subnet.addr().is_ipv4());
            let wanted: Vec<String> = wanted.map(IpAddr::to_string).collect();
            let given: Vec<&str> =
                routes.iter().filter(|(prefix, _)| prefix == subnet).map(|(_, hop)| hop.as_str()).collect();
            if wanted.is_empty()
                || !given.is_empty() && given.iter().all(|hop| wanted.iter().any(|it| it == hop))
            {
                continue;
            }
            found.push(Finding {
                severity: Severity::Error,
                certainty: Certainty::Certain,
                object: format!("Node {}", self.name),
                node: Some(zone.clone()),
                field: format!("route of {ROUTER} to {subnet}"),
                wrong: if given.is_empty() { "absent".into() } else { given.join(" and ") },
                right: wanted.join(" or "),
                shown_by: format!(
                    "ovn_nbctl_list table=Logical_Router_Static_Route where=ip_prefix=={subnet} node_name={zone}"
                ),
                refuted_by: "the node has just joined or left".into(),
            });
        }
        found
    }
}

/// A static route: the destination and the next hop.
type StaticRoute = (IpNet, String);

/// Returns the static routes of the router of the default network.
fn routes(rows: &[Rows]) -> Vec<StaticRoute> {
    let [routers, routes] = rows else { return Vec::new() };
    let of_router = routers.rows.iter().filter(|row| row.text("name") == Some(ROUTER));
    let all = of_router.flat_map(|row| row.refs("static_routes")).filter_map(|uuid| routes.get(uuid));
    let parsed =
        all.filter_map(|row| Some((row.text("ip_prefix")?.parse().ok()?, row.text("nexthop")?.to_owned())));
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_or_wrong_route_is_found() {
        let node = RoutedNode {
            name: "n2".into(),
            zone: "n2".into(),
            subnets: vec!["10.244.2.0/24".parse().unwrap()],
            transit: vec!["100.88.0.4".parse().unwrap()],
        };
        let found = |routes: &[(&str, &str)]| -> Vec<String> {
            let routes: Vec<StaticRoute> =
                routes.iter().map(|(prefix, hop)| (prefix.parse().unwrap(), (*hop).to_owned())).collect();
            node.findings(&"n1".parse().unwrap(), &routes).into_iter().map(|it| it.wrong).collect()
        };
        assert!(found(&[("10.244.2.0/24", "100.88.0.4")]).is_empty());
        assert_eq!(found(&[("10.244.3.0/24", "100.88.0.4")]), ["absent"]);
        assert_eq!(found(&[("10.244.2.0/24", "100.88.0.3")]), ["100.88.0.3"]);
        let both = [("10.244.2.0/24", "100.88.0.4"), ("10.244.2.0/24", "100.88.0.9")];
        assert_eq!(found(&both), ["100.88.0.4 and 100.88.0.9"]);
    }
}
