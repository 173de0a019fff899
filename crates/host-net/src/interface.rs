//! Network interfaces and their addresses, as ip(8) prints them: `ip -s -d link`, `ip -d address`, and the older
//! `ip -o addr` with a line an address. And the JSON of the first two.

use crate::{json, lines::Parsed};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name, without what follows an `@`.
    pub name: String,
    /// Where the other end is: the name or number after the `@`.
    pub peer: Option<String>,
    /// `UP`, `LOWER_UP`, `NO-CARRIER`.
    pub flags: Vec<String>,
    /// What else its first line says: `mtu 1400 qdisc noqueue state UP`.
    pub words: Vec<String>,
    /// `link/ether 0a:58:… brd … link-netns …`.
    pub link: Vec<String>,
    /// What kind of device it is: `veth …`, `tun type tap …`, `vrf table 1007`.
    pub kind: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Counters by direction (`rx`, `tx`) and name.
    pub counters: Vec<(&'static str, String, u64)>,
    /// Lines about something else.
    pub more: Vec<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// `inet 10.244.2.2/24 brd 10.244.2.255 scope global ovn-k8s-mp0`.
    pub words: Vec<String>,
    /// `valid_lft forever preferred_lft forever`.
    pub lifetime: Vec<String>,
}

/// The word after a word.
pub fn after<'a>(words: &'a [String], key: &str) -> Option<&'a str> {
    words.iter().skip_while(|word| *word != key).nth(1).map(String::as_str)
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

impl Address {
    /// `10.244.2.2/24`; an end of a tunnel has no length.
    pub fn network(&self) -> Option<IpNet> {
        let word = self.words.get(1)?;
        word.parse().ok().or_else(|| Some(IpNet::from(word.parse::<std::net::IpAddr>().ok()?)))
    }

    /// Is it made by the kernel for one link?
    pub fn is_link_local(&self) -> bool {
        after(&self.words, "scope") == Some("link")
    }

    /// As ip prints it, in one line; that it lasts for ever goes without saying.
    pub fn text(&self) -> String {
        let lasting = self.lifetime == ["valid_lft", "forever", "preferred_lft", "forever"];
        let lifetime = if lasting { &[][..] } else { &self.lifetime };
        [&self.words[..], lifetime].concat().join(" ")
    }
}

impl Interface {
    /// `mtu`, `state`, `master`, `qdisc`.
    pub fn get(&self, key: &str) -> Option<&str> {
        after(&self.words, key)
    }

    /// Its MAC address.
    pub fn mac(&self) -> Option<&str> {
        self.link
            .get(1)
            .map(String::as_str)
            .filter(|_| self.link.first().is_some_and(|kind| kind == "link/ether"))
    }

    /// The routing table that it stands for, if it is a VRF.
    pub fn vrf_table(&self) -> Option<&str> {
        after(&self.kind, "table").filter(|_| self.kind.first().is_some_and(|kind| kind == "vrf"))
    }
}

/// Reads any of the forms.
pub fn parse(text: &str) -> Parsed<Interface> {
    let text = &json::plain(text, json::interface);
    let mut parsed = Parsed::<Interface>::default();
    let mut lines = text.lines().peekable();
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

/// `14: ovn-k8s-mp0: <…> mtu 1400 …`, or `14: ovn-k8s-mp0    inet 10.244.2.2/24 …\       valid_lft …`.
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

/// Which VRF has which routing table.
pub fn vrfs(interfaces: &[Interface]) -> BTreeMap<String, String> {
    let of = |it: &Interface| Some((it.vrf_table()?.to_owned(), it.name.clone()));
    interfaces.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_older_form_and_vrfs_are_read() {
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
