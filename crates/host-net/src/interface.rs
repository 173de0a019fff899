//! Network interfaces and their addresses, from ip(8): `ip -s -d link` and `ip -d address` as text and JSON, and the
//! older `ip -o addr`, which prints one line for each address.

use crate::{
    json,
    lines::{Parsed, Text},
};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The name, without the part after `@`.
    pub name: String,
    /// The peer or the lower device: the name or number after `@`.
    pub peer: Option<String>,
    /// The flags: `UP`, `LOWER_UP`, `NO-CARRIER`.
    pub flags: Vec<String>,
    /// The other words of the first line: `mtu 1400 qdisc noqueue state UP`.
    pub words: Vec<String>,
    /// The words of the link line: `link/ether 0a:58:… brd … link-netns …`.
    pub link: Vec<String>,
    /// The kind of device: `veth …`, `tun type tap …`, `vrf table 1007`.
    pub kind: Vec<String>,
    /// The addresses.
    pub addresses: Vec<Address>,
    /// The counters by direction (`rx`, `tx`) and name.
    pub counters: Vec<(&'static str, String, u64)>,
    /// The other lines of the block, as printed.
    pub more: Vec<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The words of the address line: `inet 10.244.2.2/24 brd 10.244.2.255 scope global ovn-k8s-mp0`.
    pub words: Vec<String>,
    /// The words of the lifetime line: `valid_lft forever preferred_lft forever`.
    pub lifetime: Vec<String>,
}

/// Returns the word after the first occurrence of a keyword.
pub fn word_after<'a>(words: &'a [String], key: &str) -> Option<&'a str> {
    words.iter().skip_while(|word| *word != key).nth(1).map(String::as_str)
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

impl Address {
    /// Returns the address with its prefix length: `10.244.2.2/24`. The address of a tunnel endpoint has no length.
    pub fn network(&self) -> Option<IpNet> {
        let word = self.words.get(1)?;
        word.parse().ok().or_else(|| Some(IpNet::from(word.parse::<std::net::IpAddr>().ok()?)))
    }

    /// Returns true if the address has the scope `link`.
    pub fn is_link_local(&self) -> bool {
        word_after(&self.words, "scope") == Some("link")
    }

    /// Prints the address as ip does, in one line. Infinite lifetimes are omitted.
    pub fn text(&self) -> String {
        let lasting = self.lifetime == ["valid_lft", "forever", "preferred_lft", "forever"];
        let lifetime = if lasting { &[][..] } else { &self.lifetime };
        [&self.words[..], lifetime].concat().join(" ")
    }
}

impl Interface {
    /// Returns the value of a key such as `mtu`, `state`, `master` or `qdisc`.
    pub fn get(&self, key: &str) -> Option<&str> {
        word_after(&self.words, key)
    }

    /// Returns the MAC address of an Ethernet interface.
    pub fn mac(&self) -> Option<&str> {
        self.link
            .get(1)
            .map(String::as_str)
            .filter(|_| self.link.first().is_some_and(|kind| kind == "link/ether"))
    }

    /// Returns the routing table of a VRF interface.
    pub fn vrf_table(&self) -> Option<&str> {
        word_after(&self.kind, "table").filter(|_| self.kind.first().is_some_and(|kind| kind == "vrf"))
    }
}

/// Parses any of the output formats.
pub fn parse<'a>(text: impl Into<Text<'a>>) -> Parsed<Interface> {
    let text = text.into();
    let plain = json::plain(text, json::interface);
    let mut parsed = Parsed::<Interface>::default();
    let mut lines = text.with(&plain).lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            match header(line) {
                Some(Header::Block(interface)) => parsed.rows.push(*interface),
                Some(Header::OneLine(name, address)) => {
                    match parsed.rows.last_mut().filter(|last| last.name == name) {
                        Some(last) => last.addresses.push(address),
                        None => parsed.rows.push(Interface {
                            name,
                            addresses: vec![address],
                            ..Interface::default()
                        }),
                    }
                }
                None => parsed.other.push(line.to_owned()),
            }
            continue;
        }
        let Some(interface) = parsed.rows.last_mut() else {
            parsed.other.push(line.to_owned());
            continue;
        };
        let words = split(line);
        match words.first().map(String::as_str).unwrap_or_default() {
            "inet" | "inet6" => interface.addresses.push(Address { words, lifetime: Vec::new() }),
            "valid_lft" => match interface.addresses.last_mut() {
                Some(address) => address.lifetime = words,
                None => parsed.other.push(line.to_owned()),
            },
            title @ ("RX:" | "TX:") => {
                let direction = if title == "RX:" { "rx" } else { "tx" };
                let numbers =
                    lines.next_if(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
                let numbers = numbers.unwrap_or_default().split_whitespace().filter_map(|n| n.parse().ok());
                let names = words.into_iter().skip(1);
                interface.counters.extend(names.zip(numbers).map(|(name, number)| (direction, name, number)));
            }
            link if link.starts_with("link/") => interface.link = words,
            "altname" | "alias" | "vf" | "RX" | "TX" => interface.more.push(line.trim().to_owned()),
            _ if interface.kind.is_empty() => interface.kind = words,
            _ => interface.more.push(line.trim().to_owned()),
        }
    }
    parsed
}

enum Header {
    Block(Box<Interface>),
    OneLine(String, Address),
}

/// Parses `14: ovn-k8s-mp0: <…> mtu 1400 …`, or `14: ovn-k8s-mp0    inet 10.244.2.2/24 …\       valid_lft …`.
fn header(line: &str) -> Option<Header> {
    let (number, rest) = line.split_once(": ")?;
    number.parse::<u32>().ok()?;
    let mut words = rest.split_whitespace();
    let name = words.next()?;
    let Some(name) = name.strip_suffix(':') else {
        let (address, lifetime) = rest.get(name.len()..)?.split_once('\\').unwrap_or((rest, ""));
        let words = split(address);
        let is_address = words.first().is_some_and(|family| family.starts_with("inet"));
        return is_address
            .then(|| Header::OneLine(name.into(), Address { words, lifetime: split(lifetime) }));
    };
    let (name, peer) =
        name.split_once('@').map_or((name, None), |(name, peer)| (name, Some(peer.to_owned())));
    let flags = words.next()?.strip_prefix('<')?.strip_suffix('>')?;
    Some(Header::Block(Box::new(Interface {
        name: name.into(),
        peer,
        flags: flags.split(',').map(str::to_owned).collect(),
        words: words.map(str::to_owned).collect(),
        ..Interface::default()
    })))
}

/// Maps routing tables to the names of their VRFs.
pub fn vrfs(interfaces: &[Interface]) -> BTreeMap<String, String> {
    let of = |it: &Interface| Some((it.vrf_table()?.to_owned(), it.name.clone()));
    interfaces.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_older_format_and_vrfs_are_parsed() {
        let old = "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n\
                   17: br-ex    inet 172.18.0.4/16 scope global br-ex\\       valid_lft forever preferred_lft forever\n\
                   17: br-ex    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever\n";
        let parsed = parse(old);
        assert_eq!((parsed.rows.len(), parsed.rows[1].addresses.len(), parsed.other.len()), (2, 2, 0));
        assert_eq!(parsed.rows[1].addresses[0].text(), "inet 172.18.0.4/16 scope global br-ex");
        let vrf = "9: mp1-udn-vrf: <NOARP,MASTER,UP> mtu 65575 qdisc noqueue state UP\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n    vrf table 1009 addrgenmode eui64\n";
        assert_eq!(vrfs(&parse(vrf).rows).get("1009").map(String::as_str), Some("mp1-udn-vrf"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{1,2}: [a-z]{1,4}(@if2)?: <UP> mtu 7\n|    link/ether 0a\n|    inet [0-9./]{1,9}\n|    RX: a b\n| 7 8\n|\n| valid_lft 1\n){0,20}|.*") {
            let parsed = parse(&text);
            prop_assert!(parsed.rows.len() + parsed.other.len() <= text.lines().count());
        }
    }
}
