//! Does a word of a rule concern an address or a port?

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// What is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// An address.
    pub address: Option<IpAddr>,
    /// A port of a transport protocol.
    pub port: Option<u16>,
}

impl Wanted {
    /// Is anything looked for?
    pub fn is_any(self) -> bool {
        self.address.is_some() || self.port.is_some()
    }

    /// Is this word the address, or a network or range that holds it? A port may stand behind it, as in the target of a
    /// translation: `10.244.0.4:8080`, `[fd00::4]:80`.
    pub fn is_address(self, word: &str) -> bool {
        self.address.is_some_and(|wanted| holds(target(word).0, wanted))
    }

    /// Is this word the port, or a range or list that holds it? `80`, `30000-32767`, `80,443`, `30000:32767`, `!80`.
    pub fn is_port(self, word: &str) -> bool {
        let Some(wanted) = self.port else { return false };
        word.trim_start_matches('!').split(',').any(|part| {
            // A translation to a range may say where in it to begin: `5000-5009/80`.
            let part = part.split('/').next().unwrap_or(part);
            match part.split_once(['-', ':']).map(|(from, to)| (from.parse::<u16>(), to.parse::<u16>())) {
                Some((Ok(from), Ok(to))) => (from..=to).contains(&wanted),
                _ => part.parse() == Ok(wanted),
            }
        })
    }

    /// Is this the target of a translation, with the port? `10.244.0.4:8080`, `:1024-65535`.
    pub fn is_target(self, word: &str) -> bool {
        let (host, ports) = target(word);
        ports.is_some_and(|ports| (host.is_empty() || is_address(host)) && self.is_port(ports))
    }

    /// Of what is looked for, is everything there?
    pub fn are(self, address: bool, port: bool) -> bool {
        (self.address.is_none() || address) && (self.port.is_none() || port)
    }
}

/// An address, network or range, and the ports behind it. An IPv6 address without brackets has no port.
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

/// The ends of a range of addresses, without the brackets that nft puts around each end of IPv6, and iptables around both.
fn range(host: &str) -> Option<(IpAddr, IpAddr)> {
    let (from, to) = host.split_once('-').unwrap_or((host, host));
    let address = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    Some((address(from)?, address(to)?))
}

/// A network by its mask, as iptables prints one that is not contiguous.
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
    // `0.0.0.0/0` stands for no condition.
    host.parse::<IpNet>().is_ok_and(|net| net.prefix_len() > 0 && net.contains(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_ranges_and_targets_hold_an_address() {
        let wanted = Wanted { address: "10.244.0.4".parse().ok(), port: Some(8080) };
        for word in [
            "10.244.0.4",
            "10.244.0.0/16,",
            "!10.244.0.0/16",
            "10.244.0.1-10.244.0.9",
            "10.244.0.4:8080",
            "10.244.0.1-10.244.0.9:80-90",
            "10.0.0.4/255.0.255.255",
        ] {
            assert!(wanted.is_address(word), "{word}");
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
            assert!(!wanted.is_address(word), "{word}");
        }
        for word in ["8080", "80,8080", "8000-9000", "8000:9000", "!8080"] {
            assert!(wanted.is_port(word), "{word}");
        }
        for word in ["80", "1-2", "x", "8080ms", ""] {
            assert!(!wanted.is_port(word), "{word}");
        }
        for word in
            ["10.244.0.4:8080", ":8080", ":8000-9000", "10.0.0.1-10.0.0.9:8000-9000/80", "[fd00::1]:8080"]
        {
            assert!(wanted.is_target(word), "{word}");
        }
        // Groups of IPv6, bytes of MAC addresses and numbers behind a name are no ports.
        for word in
            ["8080", "fd00::8080", "fd00:1:2:3:4:5:6:8080", "00:11:22:33:44:8080", "tcp:8080", "[fd00::8080]"]
        {
            assert!(!wanted.is_target(word), "{word}");
        }
    }

    #[test]
    fn addresses_of_ipv6_have_brackets_where_a_port_follows() {
        let wanted = Wanted { address: "fd00::4".parse().ok(), port: None };
        for word in [
            "fd00::4",
            "[fd00::4]:80",
            "[fd00::1]-[fd00::9]:80",
            "[fd00::1-fd00::9]:80",
            "fd00::/64",
            "fd00::1-fd00::9",
        ] {
            assert!(wanted.is_address(word), "{word}");
        }
        for word in ["fd00::4:80", "[fd00::5]:80", "fd00::4:0/112"] {
            assert!(!wanted.is_address(word), "{word}");
        }
    }
}
