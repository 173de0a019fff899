//! A filter for an address and a port, which matches the words of rules, elements and sockets.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// A filter for an address, a port, or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressFilter {
    /// The address to find, if any.
    pub address: Option<IpAddr>,
    /// The port to find, if any.
    pub port: Option<u16>,
}

impl AddressFilter {
    /// Returns true if the filter has an address or a port.
    pub fn is_set(self) -> bool {
        self.address.is_some() || self.port.is_some()
    }

    /// Returns true if the word is the address, or a network or range that contains it. A port may follow, as in the
    /// target of a NAT rule: `10.244.0.4:8080`, `[fd00::4]:80`.
    pub fn matches_address(self, word: &str) -> bool {
        self.address.is_some_and(|wanted| holds(target(word).0, wanted))
    }

    /// Returns true if the word is the port, or a range or list that contains it: `80`, `30000-32767`, `80,443`,
    /// `30000:32767`. It also matches a negated port: `!80`.
    pub fn matches_port(self, word: &str) -> bool {
        let Some(wanted) = self.port else { return false };
        word.trim_start_matches('!').split(',').any(|part| {
            // A port range of a NAT rule may end with the port that maps to its start: `5000-5009/80`.
            let part = part.split('/').next().unwrap_or(part);
            match part.split_once(['-', ':']).map(|(from, to)| (from.parse::<u16>(), to.parse::<u16>())) {
                Some((Ok(from), Ok(to))) => (from..=to).contains(&wanted),
                _ => part.parse() == Ok(wanted),
            }
        })
    }

    /// Returns true if the word is the target of a NAT rule with the port: `10.244.0.4:8080`, `:1024-65535`.
    pub fn matches_nat_target(self, word: &str) -> bool {
        let (host, ports) = target(word);
        ports.is_some_and(|ports| (host.is_empty() || is_address(host)) && self.matches_port(ports))
    }

    /// Returns true if everything that the filter asks for was found: the address and the port.
    pub fn is_satisfied(self, address: bool, port: bool) -> bool {
        (self.address.is_none() || address) && (self.port.is_none() || port)
    }
}

/// Splits a word into an address, network or range, and the ports after it. An IPv6 address without brackets has no
/// port.
fn target(word: &str) -> (&str, Option<&str>) {
    let word = word.trim_start_matches('!').trim_end_matches([',', ';']);
    if let Some((host, ports)) = word.rsplit_once("]:") {
        return (host, Some(ports));
    }
    match word.split_once(':') {
        Some((host, ports)) if !ports.contains(':') && !host.starts_with('[') => (host, Some(ports)),
        _ => (word, None),
    }
}

/// Returns the two ends of a range of addresses. nft puts brackets around each IPv6 end, and iptables around the whole
/// range.
fn range(host: &str) -> Option<(IpAddr, IpAddr)> {
    let (from, to) = host.split_once('-').unwrap_or((host, host));
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    Some((address(from)?, address(to)?))
}

/// Returns the address and mask of a network. iptables prints a mask that is not contiguous this way.
fn masked(host: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (address, mask) = host.split_once('/')?;
    Some((address.parse().ok()?, mask.parse().ok()?))
}

fn is_address(host: &str) -> bool {
    range(host).is_some() || host.parse::<IpNet>().is_ok()
}

fn holds(host: &str, wanted: IpAddr) -> bool {
    if let Some((from, to)) = range(host) {
        return from.is_ipv4() == wanted.is_ipv4() && (from..=to).contains(&wanted);
    }
    if let (Some((address, mask)), IpAddr::V4(wanted)) = (masked(host), wanted) {
        return address.to_bits() & mask.to_bits() == wanted.to_bits() & mask.to_bits();
    }
    // `0.0.0.0/0` means that there is no condition.
    host.parse::<IpNet>().is_ok_and(|net| net.prefix_len() > 0 && net.contains(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_ranges_and_nat_targets_match_an_address() {
        let wanted = AddressFilter { address: "10.244.0.4".parse().ok(), port: Some(8080) };
        for word in [
            "10.244.0.4",
            "10.244.0.0/16,",
            "!10.244.0.0/16",
            "10.244.0.1-10.244.0.9",
            "10.244.0.4:8080",
            "10.244.0.1-10.244.0.9:80-90",
            "10.0.0.4/255.0.255.255",
        ] {
            assert!(wanted.matches_address(word), "{word}");
        }
        for word in [
            "10.244.0.40",
            "0.0.0.0/0",
            "10.244.1.0/24",
            "fd00::/8",
            "::-::f",
            "br-ex",
            "10.244.0.5-10.244.0.9",
        ] {
            assert!(!wanted.matches_address(word), "{word}");
        }
        for word in ["8080", "80,8080", "8000-9000", "8000:9000", "!8080"] {
            assert!(wanted.matches_port(word), "{word}");
        }
        for word in ["80", "1-2", "x", "8080ms", ""] {
            assert!(!wanted.matches_port(word), "{word}");
        }
        for word in
            ["10.244.0.4:8080", ":8080", ":8000-9000", "10.0.0.1-10.0.0.9:8000-9000/80", "[fd00::1]:8080"]
        {
            assert!(wanted.matches_nat_target(word), "{word}");
        }
        // Groups of IPv6 addresses, bytes of MAC addresses and numbers after a name are not ports.
        for word in
            ["8080", "fd00::8080", "fd00:1:2:3:4:5:6:8080", "00:11:22:33:44:8080", "tcp:8080", "[fd00::8080]"]
        {
            assert!(!wanted.matches_nat_target(word), "{word}");
        }
    }

    #[test]
    fn ipv6_addresses_have_brackets_before_a_port() {
        let wanted = AddressFilter { address: "fd00::4".parse().ok(), port: None };
        for word in [
            "fd00::4",
            "[fd00::4]:80",
            "[fd00::1]-[fd00::9]:80",
            "[fd00::1-fd00::9]:80",
            "fd00::/64",
            "fd00::1-fd00::9",
        ] {
            assert!(wanted.matches_address(word), "{word}");
        }
        for word in ["fd00::4:80", "[fd00::5]:80", "fd00::4:0/112"] {
            assert!(!wanted.matches_address(word), "{word}");
        }
    }
}
