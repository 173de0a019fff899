//! Neighbours: which MAC address an address has, as `ip -s neigh` prints it.

use crate::{interface::after, json, lines::Parsed};
use std::net::IpAddr;

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) address: IpAddr,
    words: Vec<String>,
}

impl Neighbour {
    /// Reads a line: `10.244.2.1 dev ovn-k8s-mp0 lladdr 0a:58:… used 479/4/480probes 0 PERMANENT`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Some(Self { address: words.first()?.parse().ok()?, words }).filter(|it| it.get("dev").is_some())
    }

    /// Reads a list of them, as text or JSON.
    pub(crate) fn parse_all(text: &str) -> Parsed<Self> {
        Parsed::of_lines(&json::plain(text, json::neighbour), Self::parse)
    }

    /// `dev`, `lladdr`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        after(&self.words, key)
    }

    /// `REACHABLE`, `STALE`, `FAILED`, `PERMANENT`: the last word.
    pub(crate) fn state(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// Was it put there rather than learnt?
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self.state(), "PERMANENT" | "NOARP")
    }

    /// As ip prints it.
    pub(crate) fn text(&self) -> String {
        self.words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_neighbours_are_printed_again() {
        for text in crate::recorded::files("ip_neigh") {
            let parsed = Parsed::of_lines(&text, Neighbour::parse);
            let printed: Vec<String> = parsed.rows.iter().map(Neighbour::text).collect();
            let original: Vec<String> =
                text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            assert_eq!((printed, parsed.other.len()), (original, 0));
            assert!(parsed.rows.iter().any(Neighbour::is_permanent));
        }
    }
}
