//! The names and meanings of OVN-Kubernetes' objects in a node's kernel: marks, routing tables, priorities of rules,
//! chains and sets of netfilter, interfaces.
//!
//! The numbers are constants of OVN-Kubernetes (`go-controller/pkg/types/const.go`, `pkg/node/types/const.go`,
//! `pkg/node/iptables/`, `pkg/node/nftables/`, `pkg/node/egressip/`). Other numbers have no meaning here.

/// Returns the meaning of a packet mark in the host's kernel.
pub fn packet_mark(mark: u32) -> Option<&'static str> {
    Some(match mark {
        0x3f0 => "egress IP: traffic to the node itself, without translation",
        0x3f1 => "egress IP on a secondary interface",
        0x0017_45ec => "service with internalTrafficPolicy=Local",
        _ => return None,
    })
}

/// Returns the meaning of a connection mark in the zones of the external bridge.
pub fn connection_mark(zone: u16, mark: u32) -> Option<&'static str> {
    match (zone, mark) {
        (64000..=64004, 0x1) => Some("opened by OVN"),
        (64000..=64004, 0x2) => Some("opened by the host"),
        _ => None,
    }
}

/// Returns the purpose of a routing policy rule with this priority.
pub fn rule(priority: u32) -> Option<&'static str> {
    Some(match priority {
        30 => "OVN-Kubernetes: services with internalTrafficPolicy=Local",
        5000 => "OVN-Kubernetes: egress services",
        5999 => "OVN-Kubernetes: egress IP, traffic to nodes",
        6000 => "OVN-Kubernetes: egress IP on a secondary interface",
        _ => return None,
    })
}

/// Returns whether rules of this priority are made for pods. Only the node that serves the pods needs them.
pub fn is_rule_of_pods(priority: u32) -> bool {
    matches!(priority, 5000 | 6000)
}

/// Returns the purpose of a routing table by its number.
pub fn routing_table(table: &str) -> Option<&'static str> {
    Some(match table {
        "7" => "OVN-Kubernetes: services with internalTrafficPolicy=Local",
        _ => return None,
    })
}

/// Returns the purpose of a chain of netfilter.
pub fn chain(name: &str) -> Option<&'static str> {
    Some(match name {
        "OVN-KUBE-NODEPORT" => "OVN-Kubernetes: node ports",
        "OVN-KUBE-EXTERNALIP" => "OVN-Kubernetes: external and load balancer IPs",
        "OVN-KUBE-ETP" => "OVN-Kubernetes: externalTrafficPolicy=Local",
        "OVN-KUBE-ITP" => "OVN-Kubernetes: internalTrafficPolicy=Local",
        "OVN-KUBE-SNAT-MGMTPORT" => {
            "OVN-Kubernetes: source address of traffic that enters through the management port"
        }
        "OVN-KUBE-EGRESS-SVC" => "OVN-Kubernetes: egress services",
        "OVN-KUBE-EGRESS-IP-MULTI-NIC" => "OVN-Kubernetes: egress IP on a secondary interface",
        _ => return None,
    })
}

/// The table of nftables that OVN-Kubernetes manages.
pub const NFT_TABLE: &str = "ovn-kubernetes";

/// Returns whether this set or map of [`NFT_TABLE`] holds data of one node: its pods, and services with endpoints on
/// it.
pub fn is_set_of_own_pods(name: &str) -> bool {
    const OWN: [&str; 9] = [
        "mgmtport-no-snat-nodeports",
        "mgmtport-no-snat-services",
        "nodeports-etp-local",
        "external-ips-etp-local",
        "itp-",
        "egress-service-snat",
        "egress-ip-snat",
        "udn-open-ports",
        "udn-pod-default-ips",
    ];
    OWN.iter().any(|own| name.starts_with(own))
}

/// Returns whether this is the interface of a pod. OVN-Kubernetes names it after the pod's sandbox, within the limit
/// of 15 characters: 15 digits, or fewer digits, `_` and the number of the network.
pub fn is_pod_interface(name: &str) -> bool {
    const LENGTH: usize = 15;
    let (sandbox, network) = name.split_once('_').unwrap_or((name, "0"));
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    name.len() == LENGTH && sandbox.len() >= 10 && hex(sandbox) && network.bytes().all(|b| b.is_ascii_digit())
}

/// The interface between the host and the pods (`types.K8sMgmtIntfName`).
pub const MANAGEMENT_PORT: &str = "ovn-k8s-mp0";

/// Returns the MAC address that OVN-Kubernetes derives from an IPv4 address (`util.IPAddrToHWAddr`).
pub fn derived_mac(address: std::net::Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("0a:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_of_pods_are_recognised_by_their_names() {
        for pod in ["593cbb593dfe40b", "be8591970f3d04e", "4742216693f95_3", "4742216693f9_12"] {
            assert!(is_pod_interface(pod), "{pod}");
        }
        for other in
            ["eth0", "br-ex", "ovn-k8s-mp0", "genev_sys_6081", "593cbb593dfe40", "enp0s31f6abcdeg", "abcdef"]
        {
            assert!(!is_pod_interface(other), "{other}");
        }
    }

    #[test]
    fn unknown_numbers_have_no_name() {
        assert_eq!(packet_mark(0x17_45ec), Some("service with internalTrafficPolicy=Local"));
        assert_eq!(
            (packet_mark(1), rule(31), routing_table("8"), chain("KUBE-SERVICES")),
            (None, None, None, None)
        );
        assert_eq!((connection_mark(64000, 2), connection_mark(7, 2)), (Some("opened by the host"), None));
    }

    #[test]
    fn a_mac_is_derived_from_an_address() {
        assert_eq!(derived_mac([10, 244, 2, 1].into()), "0a:58:0a:f4:02:01");
    }
}
