//! Network interfaces and their addresses, as ip(8) prints them: `ip -s -d link`, `ip -d address`, and the older
//! `ip -o addr` with a line an address.

use crate::lines::Parsed;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name, without what follows an `@`.
    pub(crate) name: String,
    /// Where the other end is: the name or number after the `@`.
    pub(crate) peer: Option<String>,
    /// `UP`, `LOWER_UP`, `NO-CARRIER`.
    pub(crate) flags: Vec<String>,
    /// What else its first line says: `mtu 1400 qdisc noqueue state UP`.
    pub(crate) words: Vec<String>,
    /// `link/ether 0a:58:… brd … link-netns …`.
    pub(crate) link: Vec<String>,
    /// What kind of device it is: `veth …`, `tun type tap …`, `vrf table 1007`.
    pub(crate) kind: Vec<String>,
    /// Its addresses.
    pub(crate) addresses: Vec<Address>,
    /// Counters by direction (`rx`, `tx`) and name.
    pub(crate) counters: Vec<(&'static str, String, u64)>,
    /// Lines about something else.
    pub(crate) more: Vec<String>,
}

/// An address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// `inet 10.244.2.2/24 brd 10.244.2.255 scope global ovn-k8s-mp0`.
    pub(crate) words: Vec<String>,
    /// `valid_lft forever preferred_lft forever`.
    pub(crate) lifetime: Vec<String>,
}

/// The word after a word.
pub(crate) fn after<'a>(words: &'a [String], key: &str) -> Option<&'a str> {
    words.iter().skip_while(|word| *word != key).nth(1).map(String::as_str)
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

impl Address {
    /// `10.244.2.2/24`; an end of a tunnel has no length.
    pub(crate) fn network(&self) -> Option<IpNet> {
        let word = self.words.get(1)?;
        word.parse().ok().or_else(|| Some(IpNet::from(word.parse::<std::net::IpAddr>().ok()?)))
    }

    /// Is it made by the kernel for one link?
    pub(crate) fn is_link_local(&self) -> bool {
        after(&self.words, "scope") == Some("link")
    }

    /// As ip prints it, in one line; that it lasts for ever goes without saying.
    pub(crate) fn text(&self) -> String {
        let lasting = self.lifetime == ["valid_lft", "forever", "preferred_lft", "forever"];
        let lifetime = if lasting { &[][..] } else { &self.lifetime };
        [&self.words[..], lifetime].concat().join(" ")
    }
}

impl Interface {
    /// `mtu`, `state`, `master`, `qdisc`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        after(&self.words, key)
    }

    /// Its MAC address.
    pub(crate) fn mac(&self) -> Option<&str> {
        self.link
            .get(1)
            .map(String::as_str)
            .filter(|_| self.link.first().is_some_and(|kind| kind == "link/ether"))
    }

    /// The routing table that it stands for, if it is a VRF.
    pub(crate) fn vrf_table(&self) -> Option<&str> {
        after(&self.kind, "table").filter(|_| self.kind.first().is_some_and(|kind| kind == "vrf"))
    }

    /// Is it an interface of one pod?
    pub(crate) fn is_of_pod(&self) -> bool {
        ovn_model::host::is_pod_interface(&self.name)
    }
}

/// Reads any of the forms.
pub(crate) fn parse(text: &str) -> Parsed<Interface> {
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
pub(crate) fn vrfs(interfaces: &[Interface]) -> BTreeMap<String, String> {
    let of = |it: &Interface| Some((it.vrf_table()?.to_owned(), it.name.clone()));
    interfaces.iter().filter_map(of).collect()
}
