//! Finds nodes whose Open vSwitch ends tunnels at an address that is not an address of the node.

use futures::StreamExt;
use mcp_core::{
    ClusterReader, Db, NodeName, ObjectQuery, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity},
    counted,
};
use ovn_model::annotations::tunnel_ends_of;
use ovsdb::Select;
use std::net::IpAddr;

pub(crate) struct EncapIp;

impl Check for EncapIp {
    const ID: &'static str = "encap-ip";
    const TITLE: &'static str = "Each switch ends its tunnels at an address of its node";
    const READS: &'static str = "Node objects; external_ids:ovn-encap-ip of each node's conf.db";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let nodes = cluster.objects(&ObjectQuery::all(cluster.kind("nodes").await?)).await?;
        let ends = tunnel_ends_of(&nodes);
        let select = Select::from("Open_vSwitch").columns(["external_ids"]);
        let mut outcome = CheckOutcome::default();
        let ips = |rows: Vec<ovsdb::Rows>| {
            let rows = rows.iter().flat_map(|rows| &rows.rows);
            let ip = |row: &ovsdb::Row| row.map_get("external_ids", "ovn-encap-ip").map(str::to_owned);
            rows.map(ip).next().flatten()
        };
        let mut switches = cluster.rows_of(cluster.nodes().await?, Db::OpenVSwitch, &[select], ips);
        let mut read = 0;
        while let Some((name, result)) = switches.next().await {
            match (result, ends.get(name.as_str())) {
                (Err(e), _) => outcome.could_not_read(&name, &e),
                (Ok(ip), Some(ends)) if !ends.is_empty() => {
                    read += 1;
                    outcome.findings.extend(finding(&name, ip.as_deref(), ends));
                }
                (Ok(_), _) => {
                    outcome.unread.push(format!("{name}: no Node object contains the address of this node"))
                }
            }
        }
        if read > 0 {
            outcome.looked_at = counted(read, "node");
        }
        Ok(outcome)
    }
}

fn finding(node: &NodeName, given: Option<&str>, ends: &[IpAddr]) -> Option<Finding> {
    let is_right = |ip: &str| ip.trim().parse().is_ok_and(|ip: IpAddr| ends.contains(&ip));
    if given.is_some_and(|given| given.split(',').all(is_right)) {
        return None;
    }
    let right: Vec<String> = ends.iter().map(IpAddr::to_string).collect();
    Some(Finding {
        severity: Severity::Error,
        certainty: Certainty::Certain,
        object: format!("Open_vSwitch {node}"),
        node: Some(node.clone()),
        field: "external_ids:ovn-encap-ip".into(),
        wrong: given.unwrap_or("absent").to_owned(),
        right: right.join(" or "),
        shown_by: format!("ovs_vsctl_list table=Open_vSwitch columns=external_ids node_name={node}"),
        refuted_by: "the address of the node has just changed, or ovnkube-node has not started yet".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_must_belong_to_the_node() {
        let node: NodeName = "n1".parse().unwrap();
        let ends = ["172.18.0.2", "fc00::2"].map(|ip| ip.parse().unwrap());
        let wrong = |given: Option<&str>| finding(&node, given, &ends).map(|finding| finding.wrong);
        assert_eq!(wrong(Some("172.18.0.2")), None);
        assert_eq!(wrong(Some("172.18.0.2,fc00::2")), None);
        assert_eq!(wrong(Some("172.18.0.2,172.18.0.9")).as_deref(), Some("172.18.0.2,172.18.0.9"));
        assert_eq!(wrong(None).as_deref(), Some("absent"));
    }
}
