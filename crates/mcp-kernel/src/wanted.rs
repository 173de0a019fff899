//! Does a rule concern an address or a port?

use ipnet::IpNet;
use std::net::IpAddr;

/// What is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: Option<u16>,
}

impl Wanted {
    /// Is anything looked for?
    pub(crate) fn is_any(self) -> bool {
        self.address.is_some() || self.port.is_some()
    }

    /// Is this word the address, or a network or range that holds it?
    pub(crate) fn is_address(self, word: &str) -> bool {
        let Some(wanted) = self.address else { return false };
        let word = word.trim_matches(|c: char| matches!(c, ',' | '{' | '}' | '[' | ']' | '"' | ';'));
        if let Ok(address) = word.parse::<IpAddr>() {
            return address == wanted;
        }
        if let Some((from, to)) = word.split_once('-')
            && let (Ok(from), Ok(to)) = (from.parse::<IpAddr>(), to.parse::<IpAddr>())
        {
            return from.is_ipv4() == wanted.is_ipv4() && (from..=to).contains(&wanted);
        }
        // `0.0.0.0/0` stands for no condition.
        word.parse::<IpNet>().is_ok_and(|net| net.prefix_len() > 0 && net.contains(&wanted))
            // `10.244.0.4:8080`, the target of a translation.
            || word.rsplit_once(':').and_then(|(host, _)| host.trim_matches(['[', ']']).parse().ok()) == Some(wanted)
    }

    /// Is this word the port, or a range or list that holds it? `80`, `30000-32767`, `80,443`, `30000:32767`.
    pub(crate) fn is_port(self, word: &str) -> bool {
        let Some(wanted) = self.port else { return false };
        word.trim_matches(|c: char| matches!(c, '{' | '}' | '"' | ';')).split(',').any(|part| {
            match part.split_once(['-', ':']).map(|(from, to)| (from.parse::<u16>(), to.parse::<u16>())) {
                Some((Ok(from), Ok(to))) => (from..=to).contains(&wanted),
                _ => part.parse() == Ok(wanted),
            }
        })
    }

    /// The port of `10.244.0.4:8080`.
    pub(crate) fn is_target(self, word: &str) -> bool {
        word.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && self.is_port(port))
    }

    /// Of what is looked for, is everything there?
    pub(crate) fn are(self, address: bool, port: bool) -> bool {
        (self.address.is_none() || address) && (self.port.is_none() || port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_ranges_and_targets_hold_an_address() {
        let wanted = Wanted { address: "10.244.0.4".parse().ok(), port: Some(8080) };
        for word in
            ["10.244.0.4", "10.244.0.0/16,", "10.244.0.1-10.244.0.9", "10.244.0.4:8080", "{10.244.0.4}"]
        {
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
        assert!(
            wanted.is_port("8080")
                && wanted.is_port("80,8080")
                && wanted.is_port("8000-9000")
                && wanted.is_port("8000:9000")
        );
        assert!(!wanted.is_port("80") && !wanted.is_port("1-2") && !wanted.is_port("x"));
        assert!(wanted.is_target("10.244.0.4:8080") && !wanted.is_target("8080"));
    }
}
