//! Finds chassis whose tunnel endpoint is not an address of their node.

use futures::StreamExt;
use mcp_core::{
    ClusterReader, Db, NodeName, ObjectQuery, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity},
    counted,
};
use ovn_model::annotations::tunnel_ends_of;
use ovsdb::{Rows, Select};
use std::net::IpAddr;

pub(crate) struct ChassisEncap;

impl Check for ChassisEncap {
    const ID: &'static str = "chassis-encap";
    const TITLE: &'static str = "In every zone, tunnels to each node end at an address of that node";
    const READS: &'static str = "Node objects; Chassis and Encap of each zone's southbound database";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let nodes = cluster.objects(&ObjectQuery::all(cluster.kind("nodes").await?)).await?;
        let ends = tunnel_ends_of(&nodes);
        let selects =
            [Select::from("Chassis").columns(["hostname", "encaps"]), Select::from("Encap").columns(["ip"])];
        let mut outcome = CheckOutcome::default();
        let mut zones = cluster.rows_of(cluster.nodes().await?, Db::Sb, &selects, |rows| encaps(&rows));
        let (mut read, mut compared) = (0, 0);
        while let Some((zone, result)) = zones.next().await {
            match result {
                Ok(encaps) => {
                    read += 1;
                    for (hostname, ip) in &encaps {
                        let Some(ends) = ends.get(hostname).filter(|ends| !ends.is_empty()) else {
                            let why = format!("{zone}: no Node object has the address of chassis {hostname}");
                            outcome.unread.push(why);
                            continue;
                        };
                        compared += 1;
                        outcome.findings.extend(finding(&zone, hostname, ip, ends));
                    }
                }
                Err(e) => outcome.could_not_read(&zone, &e),
            }
        }
        if compared > 0 {
            outcome.looked_at =
                format!("{} in {}", counted(compared, "tunnel endpoint"), counted(read, "zone"));
        }
        Ok(outcome)
    }
}

/// Returns the host name and the address of each tunnel endpoint. The address is empty if the chassis has no endpoint.
fn encaps(rows: &[Rows]) -> Vec<(String, String)> {
    let [chassis, encaps] = rows else { return Vec::new() };
    let ends = |row: &ovsdb::Row| {
        let hostname = row.text("hostname").unwrap_or_default().to_owned();
        let mut ips: Vec<String> =
            row.refs("encaps").filter_map(|uuid| encaps.get(uuid)?.text("ip").map(str::to_owned)).collect();
        if ips.is_empty() {
            ips.push(String::new());
        }
        ips.into_iter().map(move |ip| (hostname.clone(), ip))
    };
    chassis.rows.iter().flat_map(ends).collect()
}

fn finding(zone: &NodeName, hostname: &str, ip: &str, ends: &[IpAddr]) -> Option<Finding> {
    if ip.parse().is_ok_and(|ip: IpAddr| ends.contains(&ip)) {
        return None;
    }
    let right: Vec<String> = ends.iter().map(IpAddr::to_string).collect();
    Some(Finding {
        severity: Severity::Error,
        certainty: Certainty::Certain,
        object: format!("Chassis {hostname}"),
        node: Some(zone.clone()),
        field: "Encap ip".into(),
        wrong: if ip.is_empty() { "absent".into() } else { ip.to_owned() },
        right: right.join(" or "),
        shown_by: format!("ovn_sbctl_show node_name={zone} grep={hostname}"),
        refuted_by: "the address of the node has just changed".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_node_is_found() {
        let zone: NodeName = "n1".parse().unwrap();
        let ends = vec!["172.18.0.2".parse().unwrap()];
        assert!(finding(&zone, "n2", "172.18.0.2", &ends).is_none());
        let found = finding(&zone, "n2", "172.18.0.3", &ends).unwrap();
        assert_eq!((found.wrong.as_str(), found.right.as_str()), ("172.18.0.3", "172.18.0.2"));
        assert_eq!(finding(&zone, "n2", "", &ends).unwrap().wrong, "absent");
    }
}
