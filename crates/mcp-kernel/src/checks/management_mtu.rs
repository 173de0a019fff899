//! Finds nodes whose management port has a different MTU than on most nodes.

use crate::{
    commands,
    output::{text, timed},
};
use futures::StreamExt;
use host_net::interface;
use mcp_core::{
    ClusterReader, CommandPlace, NodeName, Output, Reading, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity},
    counted,
};
use std::collections::BTreeMap;

/// The management port of the default network (`go-controller/pkg/types/const.go`).
const PORT: &str = "ovn-k8s-mp0";

pub(crate) struct ManagementMtu;

impl Check for ManagementMtu {
    const ID: &'static str = "management-mtu";
    const TITLE: &'static str = "The management ports of all nodes have the same MTU";
    const READS: &'static str = "the interfaces of each node";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let readings = || {
            let parse = |output: Output| {
                let interfaces = interface::parse(timed(&text(&output))).rows;
                let port = interfaces.iter().find(|interface| interface.name == PORT);
                port.and_then(|port| port.get("mtu")?.parse::<u32>().ok())
            };
            vec![
                Reading::command(CommandPlace::Host, commands::links(), parse),
                Reading::command(CommandPlace::Host, commands::addresses(), parse),
                Reading::recorded(CommandPlace::Host, "ip -d address show", parse),
                Reading::recorded(CommandPlace::Host, "ip addr", parse),
            ]
        };
        let mut outcome = CheckOutcome::default();
        let mut mtus = BTreeMap::new();
        let mut nodes = cluster.first_of(cluster.nodes().await?, readings);
        while let Some((node, result)) = nodes.next().await {
            match result {
                Ok(Some(mtu)) => _ = mtus.insert(node, mtu),
                Ok(None) => outcome.unread.push(format!("{node}: no interface {PORT} with an MTU exists")),
                Err(e) => outcome.could_not_read(&node, &e),
            }
        }
        if mtus.len() == 1 {
            let only =
                mtus.into_keys().map(|node| format!("{node}: there is no other node to compare it with"));
            outcome.unread.extend(only);
            return Ok(outcome);
        }
        outcome.findings = findings(&mtus);
        if !mtus.is_empty() {
            outcome.looked_at = counted(mtus.len(), "node");
        }
        Ok(outcome)
    }
}

/// Finds the nodes that differ from the MTU of the majority. Without a majority, the largest MTU counts as right.
fn findings(mtus: &BTreeMap<NodeName, u32>) -> Vec<Finding> {
    let mut counts = BTreeMap::new();
    mtus.values().for_each(|mtu| *counts.entry(*mtu).or_insert(0_usize) += 1);
    let most = counts.iter().find(|(_, count)| **count * 2 > mtus.len()).or(counts.last_key_value());
    let Some((&usual, &count)) = most else { return Vec::new() };
    let finding = |(node, mtu): (&NodeName, &u32)| Finding {
        severity: Severity::Error,
        certainty: Certainty::Suspicion,
        object: format!("Interface {PORT}"),
        node: Some(node.clone()),
        field: "mtu".into(),
        wrong: mtu.to_string(),
        right: format!("{usual}, as on {count} of {} nodes", mtus.len()),
        shown_by: format!("ip_link_show interface={PORT} node_name=all"),
        refuted_by: "an MTU change of the cluster is in progress, node by node".into(),
    };
    mtus.iter().filter(|(_, mtu)| **mtu != usual).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_with_a_different_mtu_is_found() {
        let found = |mtus: &[(&str, u32)]| {
            let mtus = mtus.iter().map(|(node, mtu)| (node.parse().unwrap(), *mtu)).collect();
            findings(&mtus)
                .into_iter()
                .map(|it| (it.node.unwrap().to_string(), it.wrong, it.right))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(&[("a", 1400), ("b", 1400)]), []);
        let one = ("b".to_owned(), "900".to_owned(), "1400, as on 2 of 3 nodes".to_owned());
        assert_eq!(found(&[("a", 1400), ("b", 900), ("c", 1400)]), [one]);
        let one = ("b".to_owned(), "900".to_owned(), "1400, as on 1 of 2 nodes".to_owned());
        assert_eq!(found(&[("a", 1400), ("b", 900)]), [one]);
    }
}
