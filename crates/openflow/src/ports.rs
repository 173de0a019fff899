//! The names of a bridge's ports by their OpenFlow numbers.

use crate::described;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// The ports of a bridge. `conf.db` has their full names, and OpenFlow cuts names to 15 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    names: BTreeMap<u16, String>,
    /// The numbers of the ports that belong to pods.
    pods: BTreeSet<u16>,
}

/// The number of a bridge's own port (`OFPP_LOCAL`), which is printed as `LOCAL`.
const LOCAL: u16 = 65534;

impl Ports {
    /// Returns the same ports and marks these numbers as ports of pods.
    #[must_use]
    pub fn with_pods(self, pods: impl IntoIterator<Item = u16>) -> Self {
        Self { pods: pods.into_iter().collect(), ..self }
    }

    /// Parses the ports that `dump-ports-desc` describes. The names are cut to 15 characters.
    pub fn described(text: &str) -> Self {
        let numbered = described::port_names(text).filter_map(|(number, name)| Some((parse(number)?, name)));
        Self::of(numbered)
    }

    /// Returns whether no port is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Creates the ports from numbers and names.
    pub fn of<'a>(ports: impl IntoIterator<Item = (u16, &'a str)>) -> Self {
        let names = ports.into_iter().map(|(number, name)| (number, name.to_owned())).collect();
        Self { names, pods: BTreeSet::new() }
    }

    /// Returns the name of a port by its number or `LOCAL`.
    pub fn name(&self, number: &str) -> Option<&str> {
        self.names.get(&parse(number)?).map(String::as_str)
    }

    /// Returns whether a port belongs to a pod, by its number or `LOCAL`.
    pub fn is_of_pod(&self, number: &str) -> bool {
        parse(number).is_some_and(|number| self.pods.contains(&number))
    }

    /// Returns the number of a port by its name.
    pub fn number(&self, name: &str) -> Option<u16> {
        self.names.iter().find(|(_, it)| *it == name).map(|(number, _)| *number)
    }

    /// Returns all ports by number.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &str)> {
        self.names.iter().map(|(number, name)| (*number, name.as_str()))
    }

    /// Returns the same ports with quoted names, as Open vSwitch writes them: it quotes a name unless it begins with
    /// a letter and contains only letters and digits. The bridge's own port stays `LOCAL`.
    #[must_use]
    pub(crate) fn quoted(&self) -> Self {
        let plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let quoted = |name: &str| if plain(name) { name.to_owned() } else { format!("\"{name}\"") };
        let names = self.names.iter().filter(|(number, _)| **number != LOCAL);
        Self { names: names.map(|(number, name)| (*number, quoted(name))).collect(), pods: BTreeSet::new() }
    }

    /// Replaces port numbers in a match with names: `in_port=eth0`.
    pub fn named_match<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replaced(text, "in_port=")
    }

    /// Replaces port numbers in actions with names: `output:eth0`.
    pub fn named_actions<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replaced(text, "output:")
    }

    /// Replaces the port numbers after a word with names.
    fn replaced<'a>(&self, text: &'a str, word: &str) -> Cow<'a, str> {
        let mut parts = text.split(word);
        let mut new = parts.next().unwrap_or_default().to_owned();
        let mut changed = false;
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at_checked(end).unwrap_or((part, ""));
            // A longer word, such as a register or a name, is not a number.
            let whole =
                !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '[' | '-' | '.'));
            new += word;
            match self.name(number).filter(|_| whole && !number.is_empty()) {
                Some(name) => {
                    changed = true;
                    new += name;
                    new += rest;
                }
                None => new += part,
            }
        }
        if changed { Cow::Owned(new) } else { Cow::Borrowed(text) }
    }
}

fn parse(number: &str) -> Option<u16> {
    if number == "LOCAL" { Some(LOCAL) } else { number.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names_where_they_are_ports() {
        let ports = Ports::of([(1, "eth0"), (12, "patch-br-ex_w-to-br-int"), (65534, "br-ex")]);
        assert_eq!(ports.named_match("ip,in_port=1,nw_src=1.1.1.1"), "ip,in_port=eth0,nw_src=1.1.1.1");
        assert_eq!(ports.named_match("in_port=LOCAL"), "in_port=LOCAL");
        assert_eq!(
            ports.named_actions("output:1,output:12,output:7,output:NXM_NX_REG15[],output:1"),
            "output:eth0,output:patch-br-ex_w-to-br-int,output:7,output:NXM_NX_REG15[],output:eth0"
        );
        assert_eq!((ports.name("LOCAL"), ports.number("eth0")), (Some("br-ex"), Some(1)));
    }
}
