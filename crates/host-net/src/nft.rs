//! nftables, as `nft -a list ruleset` prints it, with handles or without, or as JSON.

use crate::{
    lines::{Parsed, words},
    nft_json, nft_wanted,
    wanted::Wanted,
};
use std::collections::BTreeMap;

/// A table's object: a chain, a set, a map, a flowtable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// `inet`.
    pub family: String,
    /// The table.
    pub table: String,
    /// `chain`, `set`, `map`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The number by which nft names it, where handles were printed.
    pub handle: Option<String>,
    /// What is said of it: its type, flags, comment; of a base chain its hook, priority and policy.
    pub properties: Vec<String>,
    /// Of a chain.
    pub rules: Vec<Rule>,
    /// Of a set or map.
    pub elements: Vec<String>,
}

/// A rule of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Without its handle.
    pub text: String,
    /// The number by which nft names it, where handles were printed.
    pub handle: Option<String>,
}

impl Object {
    /// `inet ovn-kubernetes mgmtport-snat`.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.family, self.table, self.name).trim_end().to_owned()
    }

    /// What is said of it, one by one: `type nat hook postrouting priority srcnat`, `policy accept`, `comment "…"`.
    pub fn said(&self) -> Vec<&str> {
        self.properties.iter().map(|property| property.trim_end_matches(';')).collect()
    }

    /// Has it neither rules nor elements?
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.elements.is_empty()
    }
}

impl Object {
    /// What of what is looked for one of its elements holds: the address, and the port.
    pub fn element_concerns(&self, element: &str, wanted: Wanted) -> bool {
        let (address, port) = nft_wanted::in_element(self, element, wanted);
        wanted.are(address, port)
    }
}

impl Rule {
    /// Packets that it met, if it counts: itself, or with a counter of its table.
    pub fn packets(&self, counters: &BTreeMap<String, u64>, of: &Object) -> Option<u64> {
        packets(&self.text).or_else(|| {
            let words = words(&self.text);
            let name = words.windows(3).find_map(|three| match three {
                ["counter", "name", name] => Some(name.trim_matches('"')),
                _ => None,
            })?;
            counters.get(&format!("{} {} {name}", of.family, of.table)).copied()
        })
    }

    /// The rule without what its counter says.
    pub fn lasting(&self) -> String {
        lasting(&self.text)
    }

    /// Does it name what is looked for, itself or in a set?
    pub fn concerns(&self, wanted: Wanted, sets: &BTreeMap<String, &Object>, of: &Object) -> bool {
        let named = |name: &str| sets.get(&format!("{} {} {name}", of.family, of.table)).copied();
        nft_wanted::rule(&self.text, wanted, named)
    }
}

/// Packets that the counter of a rule or an element has met.
pub fn packets(text: &str) -> Option<u64> {
    words(text).windows(3).find_map(|three| match three {
        ["counter", "packets", packets] => packets.parse().ok(),
        _ => None,
    })
}

/// A rule or an element without what changes by itself: what its counter says, and when it expires.
pub fn lasting(text: &str) -> String {
    let mut kept = Vec::new();
    let mut words = words(text).into_iter().peekable();
    while let Some(word) = words.next() {
        match word {
            "expires" => _ = words.next(),
            "counter" if words.peek() == Some(&"packets") => {
                kept.push(word);
                // `packets 7 bytes 420`.
                words.by_ref().take(4).for_each(drop);
            }
            word => kept.push(word),
        }
    }
    kept.join(" ")
}

/// The packets of the counters that have names, by their keys.
pub fn counters(objects: &[Object]) -> BTreeMap<String, u64> {
    let count = |of: &Object| {
        let said = of.properties.iter().find_map(|property| property.strip_prefix("packets "))?;
        Some((of.key(), said.split_whitespace().next()?.parse().ok()?))
    };
    objects.iter().filter(|object| object.kind == "counter").filter_map(count).collect()
}

/// Reads a ruleset, or a part of one.
pub fn parse(text: &str) -> Parsed<Object> {
    if text.trim_start().starts_with('{')
        && let Some(rows) = nft_json::parse(text)
    {
        return Parsed { rows, other: Vec::new() };
    }
    let mut parsed = Parsed::<Object>::default();
    let mut table: Option<Object> = None;
    let mut object: Option<Object> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (code, handle) = without_handle(line);
        let first = words(code);
        match (first.as_slice(), &mut table, &mut object) {
            ([], ..) => {}
            (["table", family, name, "{"], None, None) => {
                table = Some(Object {
                    family: (*family).into(),
                    table: (*name).into(),
                    kind: "table".into(),
                    handle,
                    ..Object::default()
                });
            }
            (["}"], Some(_), Some(_)) => parsed.rows.extend(object.take()),
            (["}"], Some(of), None) => {
                // A table that has nothing is there all the same.
                let alone = parsed
                    .rows
                    .last()
                    .is_none_or(|last| (&last.family, &last.table) != (&of.family, &of.table));
                parsed.rows.extend(table.take().filter(|of| alone || !of.properties.is_empty()));
            }
            // A property of the table: `flags dormant`, `comment "…"`.
            ([.., last], Some(of), None) if *last != "{" => of.properties.push(code.trim().to_owned()),
            ([kind @ .., name, "{"], Some(of), None) => {
                object = Some(Object {
                    family: of.family.clone(),
                    table: of.table.clone(),
                    kind: kind.join(" "),
                    name: (*name).into(),
                    handle,
                    ..Object::default()
                });
            }
            (_, Some(_), Some(object)) => {
                let mut whole = code.trim().to_owned();
                let mut handle = handle;
                // Elements, and whatever else is in braces, may go over many lines.
                while open(&whole) {
                    let Some(next) = lines.next() else { break };
                    let (code, its) = without_handle(next);
                    whole = whole + " " + code.trim();
                    handle = handle.or(its);
                }
                object.add(whole, handle);
            }
            _ => parsed.other.push(line.to_owned()),
        }
    }
    parsed.rows.extend(object);
    parsed
}

impl Object {
    fn add(&mut self, line: String, handle: Option<String>) {
        let is_property = |word| matches!(word, "type" | "comment" | "policy" | "hook" | "devices");
        let first = line.split_whitespace().next().unwrap_or_default();
        if let Some(elements) =
            line.strip_prefix("elements = {").and_then(|rest| rest.trim_end().strip_suffix('}'))
        {
            self.elements = split_elements(elements);
        } else if self.kind != "chain" || (handle.is_none() && self.rules.is_empty() && is_property(first)) {
            self.properties.push(line);
        } else {
            self.rules.push(Rule { text: line, handle });
        }
    }
}

/// A line and the handle at its end: `… # handle 38`.
fn without_handle(line: &str) -> (&str, Option<String>) {
    match line.rsplit_once(" # handle ") {
        Some((code, handle)) if handle.bytes().all(|b| b.is_ascii_digit()) => (code, Some(handle.into())),
        _ => (line, None),
    }
}

/// Are there more braces opened than closed, outside of quotes?
fn open(text: &str) -> bool {
    let (mut depth, mut quoted) = (0i32, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth > 0
}

/// Elements are separated by commas; one may hold a quoted comment or a verdict in braces.
fn split_elements(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut from) = (0i32, false, 0);
    let mut elements = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                elements.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    elements.extend(text.get(from..));
    let one_space = |element: &str| words(element).join(" ");
    elements.into_iter().map(one_space).filter(|element| !element.is_empty()).collect()
}

/// The sets and maps by their keys.
pub fn sets(objects: &[Object]) -> BTreeMap<String, &Object> {
    objects
        .iter()
        .filter(|object| matches!(object.kind.as_str(), "set" | "map"))
        .map(|it| (it.key(), it))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn elements_may_go_over_lines_and_rules_look_into_sets() {
        let text = "table inet t {\n\tmap m {\n\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service\n\
                    \t\telements = { 10.96.0.10 . tcp . 80 comment \"a, b\" : 10.244.0.4 . 8080,\n\t\t\t     10.96.0.11 . udp . 53 : 10.244.0.5 . 5353 }\n\t}\n\
                    \tchain c { # handle 3\n\t\ttype nat hook output priority -100; policy accept;\n\
                    \t\tdnat ip to ip daddr . meta l4proto . th dport map @m # handle 4\n\
                    \t\tip saddr 10.1.0.0/16 tcp dport { 80, 443 } counter packets 7 bytes 9 accept # handle 5\n\t\tcounter packets 0 bytes 0 jump d # handle 6\n\t}\n}\n";
        let parsed = parse(text);
        let [map, chain] = parsed.rows.as_slice() else { panic!("{parsed:?}") };
        assert_eq!(map.elements.len(), 2);
        assert_eq!((chain.properties.len(), chain.rules.len()), (1, 3));
        assert_eq!(chain.rules[1].packets(&BTreeMap::new(), chain), Some(7));
        assert_eq!(chain.rules[1].lasting(), "ip saddr 10.1.0.0/16 tcp dport { 80, 443 } counter accept");
        let sets = sets(&parsed.rows);
        let concerned = |address: Option<&str>, port| -> Vec<usize> {
            let wanted = Wanted { address: address.and_then(|a| a.parse().ok()), port };
            (0..3).filter(|i| chain.rules[*i].concerns(wanted, &sets, chain)).collect()
        };
        assert_eq!(concerned(Some("10.244.0.4"), None), [0]);
        assert_eq!(concerned(Some("10.244.0.4"), Some(80)), [0]);
        assert_eq!(concerned(Some("10.244.0.4"), Some(53)), Vec::<usize>::new());
        assert_eq!(concerned(Some("10.1.2.3"), Some(443)), [1]);
        assert_eq!(concerned(None, Some(443)), [1]);
        assert_eq!(concerned(None, Some(7)), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-z]{1,5} |\\{|\\}|\n|\t|\"|,|# handle 3|table inet x \\{\n|chain c \\{\n|elements = \\{ ){0,40}|.*") {
            let parsed = parse(&text);
            prop_assert!(parsed.rows.len() <= text.len() && parsed.other.len() <= text.lines().count());
        }
    }
}
