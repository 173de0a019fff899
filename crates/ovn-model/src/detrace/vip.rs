//! The virtual IP that a logical flow handles.

use ovsdb::Row;
use std::net::IpAddr;

/// The address that clients of a load balancer connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualIp {
    address: IpAddr,
    /// The port with its protocol, if the flow matches on a port.
    port: Option<(String, u16)>,
}

impl VirtualIp {
    /// Parses the match of a flow that ovn-northd made (northd/northd.c, `build_lb_rules` and similar functions): the
    /// address is in the packet, or in the register where an earlier stage stored it.
    pub fn of_match(text: &str) -> Option<Self> {
        let (mut address, mut port) = (None, None);
        for part in text.split("&&") {
            let Some((field, value)) = part.trim().split_once(" == ") else { continue };
            match (field, field.strip_suffix(".dst")) {
                ("ip4.dst" | "ip6.dst" | "reg0" | "xxreg0", _) => address = value.parse().ok(),
                (_, Some(protocol @ ("tcp" | "udp" | "sctp"))) => {
                    port = Some((protocol.to_owned(), value.parse().ok()?));
                }
                _ => {}
            }
        }
        Some(Self { address: address?, port })
    }

    /// Returns whether a row of the northbound `Load_Balancer` has this virtual IP. Without a protocol it is for TCP
    /// (ovn-nb(5)).
    pub fn is_of(&self, balancer: &Row) -> bool {
        let key = match (&self.port, self.address) {
            (None, address) => address.to_string(),
            (Some((_, port)), IpAddr::V4(address)) => format!("{address}:{port}"),
            (Some((_, port)), IpAddr::V6(address)) => format!("[{address}]:{port}"),
        };
        let protocol = balancer.text("protocol").unwrap_or("tcp");
        self.port.as_ref().is_none_or(|(of, _)| of == protocol) && balancer.map_get("vips", &key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_of_load_balancers() {
        let of = |text| VirtualIp::of_match(text).map(|vip| (vip.address.to_string(), vip.port));
        let tcp = |port| Some(("tcp".to_owned(), port));
        for (text, address, port) in [
            ("reg0[2] == 1 && ip4.dst == 10.96.0.1 && tcp.dst == 443", "10.96.0.1", tcp(443)),
            ("ct.new && !ct.rel && ip6 && xxreg0 == fd00::1 && tcp && tcp.dst == 80", "fd00::1", tcp(80)),
            ("ct.new && ip4.dst == 10.96.0.1", "10.96.0.1", None),
        ] {
            assert_eq!(of(text), Some((address.to_owned(), port)), "{text}");
        }
        for text in ["1", "ip4.dst == $a123 && tcp.dst == 80", "tcp.dst == 443", "ip4.dst == 10.0.0.0/8"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
