//! Explains masquerade addresses. They represent the host, the gateway router or a service inside OVN, and are the same
//! on all nodes (ovn-kubernetes.io, "Masquerade IPs").

use super::Locator;
use ipnet::IpNet;
use std::net::IpAddr;

/// The default ranges for nodes without a masquerade annotation: those of upstream, and of OpenShift up to 4.16.
const RANGES: [&str; 4] = ["169.254.0.0/17", "169.254.169.0/29", "fd69::/112", "fd69::/125"];

/// The uses of the first addresses of a range, beginning with the first address after the network address.
const ROLES: [&str; 5] = [
    "address of the gateway router, for OVN's own traffic to services on the host",
    "address of the host, for its traffic to services when the traffic enters OVN",
    "address of the host, for node ports of services with externalTrafficPolicy=Local",
    "dummy next hop without an owner: the host's route to services points to it and so leads to br-ex",
    "source address of traffic that a pod sends to itself through a service",
];
/// The number of addresses before those of user-defined networks. Each user-defined network has two addresses.
const RESERVED: u128 = 10;

impl Locator<'_, '_> {
    /// Explains an address of the masquerade range. Returns false if the address is not in the range.
    pub(super) fn masquerade(&mut self, address: IpAddr) -> bool {
        let given: Vec<IpNet> =
            self.nodes.iter().flat_map(|node| node.annotations.masquerade.iter().copied()).collect();
        let ranges = if given.is_empty() {
            RANGES.iter().filter_map(|range| range.parse().ok()).collect()
        } else {
            given
        };
        let Some(range) = ranges.iter().find(|range| range.contains(&address)) else { return false };
        let role = role(range, address).unwrap_or_else(|| "unused".into());
        self.lines
            .push(format!("{address} is a masquerade address, the same on all nodes ({range}): {role}"));
        true
    }
}

/// Returns the use of an address of a masquerade range.
fn role(range: &IpNet, address: IpAddr) -> Option<String> {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let offset = bits(address).checked_sub(bits(range.network()))?;
    if offset <= RESERVED {
        let at = usize::try_from(offset).ok()?.checked_sub(1)?;
        return ROLES.get(at).map(|role| (*role).to_owned());
    }
    // In go-controller's AllocateV4MasqueradeIPs the gateway router has the odd address, and the management port
    // has the even one.
    let after = offset - RESERVED;
    let (network, what) =
        (after.div_ceil(2), if after % 2 == 1 { "gateway router" } else { "management port" });
    Some(format!("address of the {what} of the user-defined network with ID {network}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_roles() {
        for (range, address, is) in [
            ("169.254.0.0/17", "169.254.0.0", None),
            ("169.254.0.0/17", "169.254.0.2", Some("address of the host, for its traffic")),
            ("169.254.169.0/29", "169.254.169.4", Some("dummy next hop")),
            ("fd69::/112", "fd69::5", Some("source address of traffic that a pod")),
            ("169.254.0.0/17", "169.254.0.6", None),
            (
                "169.254.0.0/17",
                "169.254.0.11",
                Some("address of the gateway router of the user-defined network with ID 1"),
            ),
            (
                "169.254.0.0/17",
                "169.254.0.12",
                Some("address of the management port of the user-defined network with ID 1"),
            ),
            (
                "fd69::/112",
                "fd69::d",
                Some("address of the gateway router of the user-defined network with ID 2"),
            ),
        ] {
            let role = role(&range.parse().unwrap(), address.parse().unwrap());
            match is {
                Some(is) => {
                    assert!(role.as_ref().is_some_and(|role| role.starts_with(is)), "{address}: {role:?}")
                }
                None => assert_eq!(role, None, "{address}"),
            }
        }
    }
}
