//! Entries of the neighbour table (ARP and NDP), from `ip -s neigh`.

use crate::{
    interface::word_after,
    json,
    lines::{Parsed, Text},
};
use std::net::IpAddr;

/// The states of ip-neighbour(8).
pub const NEIGHBOUR_STATES: [&str; 9] =
    ["PERMANENT", "NOARP", "REACHABLE", "STALE", "NONE", "INCOMPLETE", "DELAY", "PROBE", "FAILED"];

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The neighbour's IP address.
    pub address: IpAddr,
    words: Vec<String>,
}

impl Neighbour {
    /// Parses a line: `10.244.2.1 dev ovn-k8s-mp0 lladdr 0a:58:… used 479/4/480probes 0 PERMANENT`.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Some(Self { address: words.first()?.parse().ok()?, words }).filter(|it| it.get("dev").is_some())
    }

    /// Parses a list of neighbours, as text or JSON.
    pub fn parse_all<'a>(text: impl Into<Text<'a>>) -> Parsed<Self> {
        let text = text.into();
        Parsed::of_lines(text.with(&json::plain(text, json::neighbour)), Self::parse)
    }

    /// Returns the value of a key such as `dev` or `lladdr`.
    pub fn get(&self, key: &str) -> Option<&str> {
        word_after(&self.words, key)
    }

    /// Returns the state: `REACHABLE`, `STALE`, `FAILED`, `PERMANENT`. The protocol that made the entry may follow the
    /// state: `NOARP proto zebra`.
    pub fn state(&self) -> &str {
        self.words
            .iter()
            .rev()
            .map(String::as_str)
            .find(|word| NEIGHBOUR_STATES.contains(word))
            .unwrap_or_default()
    }

    /// Returns true if the entry was configured and not learned.
    pub fn is_permanent(&self) -> bool {
        matches!(self.state(), "PERMANENT" | "NOARP")
    }

    /// Prints the entry as ip does.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_not_always_the_last_word() {
        let text = "10.244.2.1 dev vxlan1 lladdr 0a:58:0a:f4:02:01 extern_learn NOARP proto zebra\n\
                    10.244.2.2 dev eth0 lladdr 0a:58:0a:f4:02:02 used 479/4/480 probes 0 PERMANENT\n10.244.2.3 dev eth0 FAILED\n";
        let parsed = Neighbour::parse_all(text);
        let states: Vec<&str> = parsed.rows.iter().map(Neighbour::state).collect();
        assert_eq!(states, ["NOARP", "PERMANENT", "FAILED"]);
        assert_eq!(parsed.rows.iter().filter(|it| it.is_permanent()).count(), 2);
    }
}
