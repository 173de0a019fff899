//! Policy routing rules, which select the routing table of a packet, from `ip rule`.

use crate::{
    interface::word_after,
    json,
    lines::{Parsed, Text, number, protocol_number},
};
use ipnet::IpNet;
use std::net::IpAddr;

/// A policy routing rule: `30: from all fwmark 0x1745ec lookup 7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingRule {
    /// The priority. The kernel evaluates rules with a lower number first.
    pub priority: u32,
    words: Vec<String>,
    /// Whether the rule applies to the packets that its selectors do not match.
    pub(crate) not: bool,
    pub(crate) selectors: Vec<Selector>,
    pub(crate) action: Action,
    /// The longest prefix length of routes that the rule ignores (`suppress_prefixlength`).
    pub(crate) suppress_prefix: Option<u8>,
    /// The interface group whose routes the rule ignores (`suppress_ifgroup`).
    pub(crate) suppress_group: Option<String>,
}

/// A condition of a rule on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    From(IpNet),
    To(IpNet),
    /// The type of service bits that IPv4 routing uses, or the whole IPv6 traffic class.
    Tos(u8),
    Dscp(u8),
    Mark {
        mark: u32,
        mask: u32,
    },
    /// The interface on which a packet arrives. `lo` stands for packets that the host sends.
    Input(String),
    Output(String),
    /// The packet belongs to a VRF.
    L3mdev,
    Uid(u32, u32),
    Protocol(u8),
    SourcePort(u16, u16),
    DestinationPort(u16, u16),
    /// An interface that does not exist any more, so no packet matches.
    Detached,
    /// A selector that this crate does not know.
    Unknown(String),
}

/// The action of a rule on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Looks up the packet in this table.
    Lookup(String),
    /// Looks up the packet in the table of its VRF.
    L3mdev,
    /// Continues with the rule of this priority.
    Goto(u32),
    Nop,
    /// Refuses the packet: `unreachable`, `prohibit` or `blackhole`.
    Refuse(&'static str),
    Unknown,
}

impl RoutingRule {
    /// Parses a line of `ip rule`. Returns `None` if the line is not a rule.
    pub fn parse(line: &str) -> Option<Self> {
        let (priority, rest) = line.split_once(':')?;
        let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return None;
        }
        let mut rule = Self {
            priority: priority.trim().parse().ok()?,
            words: Vec::new(),
            not: false,
            selectors: Vec::new(),
            action: Action::Unknown,
            suppress_prefix: None,
            suppress_group: None,
        };
        rule.read(&words);
        rule.words = words;
        Some(rule)
    }

    /// Parses a list of rules, as text or JSON.
    pub fn parse_all<'a>(text: impl Into<Text<'a>>) -> Parsed<Self> {
        let text = text.into();
        Parsed::of_lines(text.with(&json::plain(text, json::rule)), Self::parse)
    }

    fn read(&mut self, words: &[String]) {
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let read = match word {
                "not" => {
                    self.not = true;
                    continue;
                }
                "nop" => {
                    self.action = Action::Nop;
                    continue;
                }
                "unreachable" | "prohibit" | "blackhole" => {
                    let kinds = ["unreachable", "prohibit", "blackhole"];
                    let kind = kinds.into_iter().find(|kind| *kind == word).unwrap_or("unreachable");
                    self.action = Action::Refuse(kind);
                    continue;
                }
                // The target of the goto does not exist. The evaluation finds that out by itself.
                "[unresolved]" => continue,
                "[detached]" => {
                    self.selectors.push(Selector::Detached);
                    continue;
                }
                key => words.next().and_then(|value| self.pair(key, value)),
            };
            if read.is_none() {
                self.selectors.push(Selector::Unknown(word.to_owned()));
            }
        }
    }

    /// Parses a keyword and its value. Returns `None` if this crate does not know the keyword.
    fn pair(&mut self, key: &str, value: &str) -> Option<()> {
        let network = |text: &str| {
            text.parse::<IpNet>().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
        };
        let selector = match key {
            "from" | "to" if value == "all" => return Some(()),
            "from" => Selector::From(network(value)?),
            "to" => Selector::To(network(value)?),
            "tos" | "dsfield" => Selector::Tos(service(value)?),
            "dscp" => Selector::Dscp(value.parse().ok().or_else(|| Some(service(value)? >> 2))?),
            "fwmark" => {
                let (mark, mask) = marked(value)?;
                Selector::Mark { mark, mask }
            }
            "iif" => Selector::Input(value.into()),
            "oif" => Selector::Output(value.into()),
            "uidrange" => {
                let (from, to) = value.split_once('-')?;
                Selector::Uid(from.parse().ok()?, to.parse().ok()?)
            }
            "ipproto" => Selector::Protocol(protocol_number(value)?),
            "sport" | "dport" => {
                let (from, to) = value.split_once('-').unwrap_or((value, value));
                let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                if key == "sport" {
                    Selector::SourcePort(from, to)
                } else {
                    Selector::DestinationPort(from, to)
                }
            }
            "lookup" | "table" if value == "[l3mdev-table]" => {
                self.action = Action::L3mdev;
                Selector::L3mdev
            }
            "lookup" | "table" => {
                self.action = Action::Lookup(value.into());
                return Some(());
            }
            "goto" => {
                self.action = Action::Goto(value.parse().ok()?);
                return Some(());
            }
            "suppress_prefixlength" => {
                self.suppress_prefix = Some(value.parse().ok()?);
                return Some(());
            }
            "suppress_ifgroup" => {
                self.suppress_group = Some(value.into());
                return Some(());
            }
            // The protocol that made the rule and the accounting realms do not influence routing.
            "proto" | "protocol" | "realms" => return Some(()),
            _ => return None,
        };
        self.selectors.push(selector);
        Some(())
    }

    /// Prints the rule as `ip rule` does, without its priority.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// Returns the value of a key such as `from`, `to`, `iif`, `fwmark` or `lookup`.
    pub fn get(&self, key: &str) -> Option<&str> {
        word_after(&self.words, key)
    }

    /// Returns the mark and the mask that the rule matches.
    pub fn mark(&self) -> Option<(u32, u32)> {
        marked(self.get("fwmark")?)
    }
}

/// Parses a mark with an optional mask, which selects the bits to compare: `0x1/0xff`.
fn marked(text: &str) -> Option<(u32, u32)> {
    let (mark, mask) = text.split_once('/').map_or((text, None), |(mark, mask)| (mark, Some(mask)));
    Some((number(mark)?, mask.map_or(Some(u32::MAX), number)?))
}

/// Parses a type of service: `0x10`, or a name from iproute2's `rt_dsfield`.
pub(crate) fn service(text: &str) -> Option<u8> {
    const NAMES: [(&str, u8); 6] = [
        ("default", 0),
        ("lowdelay", 0x10),
        ("throughput", 0x08),
        ("reliability", 0x04),
        ("mincost", 0x02),
        ("EF", 0xb8),
    ];
    if let Some((_, value)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(*value);
    }
    let digit = |at: usize, most: u8| {
        text.as_bytes().get(at).and_then(|b| b.checked_sub(b'0')).filter(|digit| *digit <= most)
    };
    match text.get(..2) {
        Some("CS") if text.len() == 3 => Some(digit(2, 7)? << 5),
        Some("AF") if text.len() == 4 => Some((digit(2, 4)? << 5) | (digit(3, 3)? << 3)),
        _ => u8::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_and_action_of_the_manual_is_parsed() {
        let text = "0:\tfrom all lookup local\n5:\tfrom all to 1.2.3.4 unreachable\n6:\tfrom 10.0.0.0/24 tos 0x10 lookup 50\n\
                    7:\tfrom all ipproto udp sport 1-100 dport 53 lookup 50\n8:\tfrom all uidrange 0-10 lookup 51\n\
                    9:\tnot from all fwmark 0x1/0xff lookup 52\n10:\tfrom all goto 100\n11:\tfrom all nop\n\
                    12:\tfrom all lookup main suppress_prefixlength 0\n13:\tfrom all lookup main suppress_ifgroup default\n\
                    14:\tfrom all iif d0 [detached] oif v0 lookup 5\n100:\tfrom all lookup 53\n120:\tfrom all to 9.9.9.9 goto 200 [unresolved]\n\
                    121:\tfrom all lookup 5 realms 3/4\n1000:\tfrom all lookup [l3mdev-table]\n";
        let rules = RoutingRule::parse_all(text);
        assert_eq!((rules.rows.len(), rules.other.len()), (15, 0));
        let unknown: Vec<&RoutingRule> = rules
            .rows
            .iter()
            .filter(|rule| {
                rule.action == Action::Unknown
                    || rule.selectors.iter().any(|it| matches!(it, Selector::Unknown(_)))
            })
            .collect();
        assert_eq!(unknown, Vec::<&RoutingRule>::new());
        assert_eq!(rules.rows[5].mark(), Some((1, 0xff)));
        // ip(8) of iproute2 6.1 printed this JSON for the same rules, except for the rules of VRFs.
        let json = r#"[{"priority":0,"src":"all","table":"local"},{"priority":5,"src":"all","dst":"1.2.3.4","action":"unreachable"},{"priority":6,"src":"10.0.0.0","srclen":24,"tos":"0x10","table":"50"},{"priority":7,"src":"all","ipproto":"udp","sport_start":1,"sport_end":100,"dport":53,"table":"50"},{"priority":8,"src":"all","uid_start":0,"uid_end":10,"table":"51"},{"priority":9,"not":null,"src":"all","fwmark":"0x1","fwmask":"0xff","table":"52"},{"priority":10,"src":"all","goto":100},{"priority":11,"src":"all","nop":null},{"priority":12,"src":"all","table":"main","suppress_prefixlen":0},{"priority":13,"src":"all","table":"main","suppress_ifgroup":"default"},{"priority":14,"src":"all","iif":"d0","iif_detached":null,"oif":"v0","table":"5"},{"priority":100,"src":"all","table":"53"},{"priority":120,"src":"all","dst":"9.9.9.9","goto":200,"unresolved":null},{"priority":121,"src":"all","table":"5","flow_from":"3","flow_to":"4"},{"priority":1000,"src":"all","l3mdev":null}]"#;
        assert_eq!(RoutingRule::parse_all(json), rules);
    }

    #[test]
    fn types_of_service_have_names() {
        for (text, value) in
            [("0x10", 0x10), ("lowdelay", 0x10), ("CS1", 0x20), ("AF41", 0x88), ("EF", 0xb8), ("08", 8)]
        {
            assert_eq!(service(text), Some(value), "{text}");
        }
        assert_eq!((service("AF99"), service("é"), service("")), (None, None, None));
    }
}
