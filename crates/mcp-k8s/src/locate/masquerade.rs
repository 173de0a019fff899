//! Addresses that stand for the host, the gateway router or a service inside OVN, and are the same on all nodes
//! (ovn-kubernetes.io, "Masquerade IPs").

use super::Locator;
use ipnet::IpNet;
use std::net::IpAddr;

/// The ranges of clusters whose nodes carry no annotation of it: those of upstream, and of OpenShift up to 4.16.
const RANGES: [&str; 4] = ["169.254.0.0/17", "169.254.169.0/29", "fd69::/112", "fd69::/125"];

/// What the first addresses of a range are for, in their order, from the first after the network's own.
const ROLES: [&str; 5] = [
    "the gateway router's: OVN's own traffic to services on the host",
    "the host's: its traffic to services, when it enters OVN",
    "the host's for node ports of services with externalTrafficPolicy=Local",
    "a next hop that nothing has: the host's route to services leads there, and so to br-ex",
    "the source of what a pod sends to itself through a service",
];
/// Addresses before those of user-defined networks, each of which has two.
const RESERVED: u128 = 10;

impl Locator<'_, '_> {
    /// Says what an address of the masquerade range is. True: it is one.
    pub(super) fn masquerade(&mut self, address: IpAddr) -> bool {
        let given: Vec<IpNet> =
            self.nodes.iter().flat_map(|node| node.annotations.masquerade.iter().copied()).collect();
        let ranges = if given.is_empty() {
            RANGES.iter().filter_map(|range| range.parse().ok()).collect()
        } else {
            given
        };
        let Some(range) = ranges.iter().find(|range| range.contains(&address)) else { return false };
        let role = role(range, address).unwrap_or_else(|| "nothing's".into());
        self.lines.push(format!("{address} is a masquerade address, alike on all nodes ({range}): {role}"));
        true
    }
}

/// What an address of a range is for.
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
    // go-controller's AllocateV4MasqueradeIPs: the gateway router's is odd, the management port's even.
    let after = offset - RESERVED;
    let (network, what) =
        (after.div_ceil(2), if after % 2 == 1 { "gateway router" } else { "management port" });
    Some(format!("the {what}'s of the user-defined network with ID {network}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_roles() {
        for (range, address, is) in [
            ("169.254.0.0/17", "169.254.0.0", None),
            ("169.254.0.0/17", "169.254.0.2", Some("the host's: its traffic")),
            ("169.254.169.0/29", "169.254.169.4", Some("a next hop")),
            ("fd69::/112", "fd69::5", Some("the source of what a pod")),
            ("169.254.0.0/17", "169.254.0.6", None),
            (
                "169.254.0.0/17",
                "169.254.0.11",
                Some("the gateway router's of the user-defined network with ID 1"),
            ),
            (
                "169.254.0.0/17",
                "169.254.0.12",
                Some("the management port's of the user-defined network with ID 1"),
            ),
            ("fd69::/112", "fd69::d", Some("the gateway router's of the user-defined network with ID 2")),
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
