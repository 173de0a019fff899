//! Finds NAT rows for addresses that no pod has any more. A pod that gets such an address later leaves the node with
//! the wrong source address.

use super::cluster_pods::ClusterPods;
use futures::StreamExt;
use ipnet::IpNet;
use mcp_core::{
    ClusterReader, Db, NodeName, ObjectQuery, ToolError,
    audit::{Certainty, Check, CheckOutcome, Finding, Severity, Source},
    counted,
};
use ovn_model::{
    annotations::{DEFAULT_NETWORK, NodeAnnotations},
    detrace::kubernetes_owner,
};
use ovsdb::{Rows, Select};
use std::{collections::BTreeSet, net::IpAddr};

pub(crate) struct StaleNats;

impl Check for StaleNats {
    const ID: &'static str = "stale-nats";
    const TITLE: &'static str = "Every SNAT of a pod's address belongs to a pod that has the address";
    const READS: &'static str = "Node and Pod objects; NAT of each zone's northbound database";
    const SOURCES: &'static [Source] =
        &[Source { name: "ovn-kubernetes 82fc3bf7a", first: None, fixed: None }];

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let pods = ClusterPods::read(cluster).await?;
        let nodes = cluster.objects(&ObjectQuery::all(cluster.kind("nodes").await?)).await?;
        let mut outcome = CheckOutcome::default();
        let known = PodRanges {
            subnets: nodes
                .iter()
                .flat_map(|node| {
                    NodeAnnotations::of(node).subnets.remove(DEFAULT_NETWORK).unwrap_or_default()
                })
                .collect(),
            taken: pods.addresses(),
            pods,
        };
        let select = Select::from("NAT").columns(["type", "external_ip", "logical_ip", "external_ids"]);
        let mut zones = cluster.rows_of(cluster.nodes().await?, Db::Nb, &[select], |rows| snats(&rows));
        let (mut read, mut compared) = (0, 0);
        while let Some((zone, result)) = zones.next().await {
            match result {
                Ok(snats) => {
                    read += 1;
                    let mut unknown = 0;
                    for nat in snats.iter().filter(|nat| known.has(nat.logical)) {
                        match known.is_stale(nat) {
                            Some(true) => outcome.findings.push(finding(&zone, nat)),
                            Some(false) => {}
                            None => unknown += 1,
                        }
                        compared += 1;
                    }
                    compared -= unknown;
                    if unknown > 0 {
                        let rows = counted(unknown, "SNAT");
                        outcome.unread.push(format!("{rows} on {zone}: not all pods were collected"));
                    }
                }
                Err(e) => outcome.could_not_read(&zone, &e),
            }
        }
        if read > 0 {
            outcome.looked_at = format!("{} of pods in {}", counted(compared, "SNAT"), counted(read, "zone"));
        }
        Ok(outcome)
    }
}

/// The addresses of pods.
struct PodRanges {
    /// The subnets of the nodes' pods on the default network.
    subnets: Vec<IpNet>,
    /// The addresses that pods have.
    taken: BTreeSet<IpAddr>,
    pods: ClusterPods,
}

impl PodRanges {
    /// Whether no pod has the address of a row. Returns `None` if a pod that was not collected may have it.
    fn is_stale(&self, nat: &PodNat) -> Option<bool> {
        if self.taken.contains(&nat.logical) {
            return Some(false);
        }
        // Only the pod that the row was made for can have the address.
        let pod = nat.owner.as_ref().and_then(|owner| owner.split_once(" for Pod "));
        match pod {
            Some((_, pod)) => self.pods.exists(pod).map(|_| true),
            None => self.pods.collected.is_whole().then_some(true),
        }
    }

    /// Whether an address is for pods. The first addresses of a node's subnet are the gateway's and the host's.
    fn has(&self, ip: IpAddr) -> bool {
        self.subnets.iter().filter(|subnet| subnet.contains(&ip) && subnet.network() != ip).any(|subnet| {
            let hosts = subnet.hosts().filter(|host| *host != subnet.network());
            !hosts.take(2).any(|reserved| reserved == ip)
        })
    }
}

/// A SNAT row for one address.
struct PodNat {
    logical: IpAddr,
    external: String,
    owner: Option<String>,
}

/// Returns the SNAT rows that translate one address.
fn snats(rows: &[Rows]) -> Vec<PodNat> {
    let all = rows.iter().flat_map(|rows| &rows.rows).filter(|row| row.text("type") == Some("snat"));
    let of_address = all.filter_map(|row| {
        let text = row.text("logical_ip")?;
        let single = text.parse::<IpNet>().ok().filter(|net| net.prefix_len() == net.max_prefix_len());
        let logical = single.map(|net| net.addr()).or_else(|| text.parse().ok())?;
        let external = row.text("external_ip").unwrap_or_default().to_owned();
        Some(PodNat { logical, external, owner: kubernetes_owner(row) })
    });
    of_address.collect()
}

fn finding(zone: &NodeName, nat: &PodNat) -> Finding {
    let PodNat { logical, external, owner } = nat;
    let owner = owner.as_ref().map(|owner| format!(", made for {owner}")).unwrap_or_default();
    Finding {
        severity: Severity::Error,
        certainty: Certainty::Suspicion,
        object: format!("NAT {logical}"),
        node: Some(zone.clone()),
        field: "logical_ip".into(),
        wrong: format!("{logical} with external_ip {external}{owner}, and no pod has the address"),
        right: "the address of a pod".into(),
        shown_by: format!("ovn_nbctl_list table=NAT where=logical_ip=={logical} node_name={zone}"),
        refuted_by: "the pod was deleted after the database was read".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_core::audit::CollectedKind;

    #[test]
    fn a_row_without_its_pod_is_stale_and_the_gateway_has_no_pod() {
        let ranges = |subnet: &str, whole| PodRanges {
            subnets: vec![subnet.parse().unwrap()],
            taken: ["10.244.1.7".parse().unwrap()].into(),
            pods: ClusterPods::new(CollectedKind::new(Vec::new(), whole)),
        };
        let ipv4 = ranges("10.244.1.0/24", None);
        let has = |ip: &str| ipv4.has(ip.parse().unwrap());
        assert_eq!(["10.244.1.0", "10.244.1.1", "10.244.1.2"].map(has), [false; 3]);
        assert_eq!(["10.244.1.3", "10.244.1.254", "10.244.2.3"].map(has), [true, true, false]);
        let ipv6 = ranges("fd00:10:244:2::/64", None);
        let has = |end: &str| ipv6.has(format!("fd00:10:244:2::{end}").parse().unwrap());
        assert_eq!(["0", "1", "2", "3"].map(has), [false, false, false, true]);
        let nat = |ip: &str, owner: &str| PodNat {
            logical: ip.parse().unwrap(),
            external: "172.18.0.101".into(),
            owner: Some(owner.to_owned()).filter(|owner| !owner.is_empty()),
        };
        assert_eq!(ipv4.is_stale(&nat("10.244.1.7", "")), Some(false));
        assert_eq!(ipv4.is_stale(&nat("10.244.1.8", "")), Some(true));
        let part = ranges("10.244.1.0/24", Some(["a".to_owned()].into()));
        assert_eq!(part.is_stale(&nat("10.244.1.8", "")), None);
        assert_eq!(part.is_stale(&nat("10.244.1.8", "EgressIP e for Pod a/p")), Some(true));
        assert_eq!(part.is_stale(&nat("10.244.1.8", "EgressIP e for Pod b/p")), None);
    }
}
