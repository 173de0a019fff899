//! nftables, as `nft -a list ruleset` prints it, with handles or without, or as JSON.

use crate::{
    lines::{Parsed, words},
    nft_json,
    wanted::Wanted,
};
use mcp_core::Row;
use std::collections::BTreeMap;

/// A table's object: a chain, a set, a map, a flowtable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    /// `inet`.
    pub(crate) family: String,
    /// The table.
    pub(crate) table: String,
    /// `chain`, `set`, `map`.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    pub(crate) handle: Option<String>,
    /// What is said of it: its type, flags, comment; of a base chain its hook, priority and policy.
    pub(crate) properties: Vec<String>,
    /// Of a chain.
    pub(crate) rules: Vec<Rule>,
    /// Of a set or map.
    pub(crate) elements: Vec<String>,
}

/// A rule of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Without its handle.
    pub(crate) text: String,
    pub(crate) handle: Option<String>,
}

impl Object {
    /// `inet ovn-kubernetes mgmtport-snat`.
    pub(crate) fn key(&self) -> String {
        format!("{} {} {}", self.family, self.table, self.name).trim_end().to_owned()
    }

    /// `type nat hook postrouting priority srcnat; policy accept; comment "…"`; or that there is nothing.
    pub(crate) fn about(&self) -> String {
        // Each by itself: in the middle of a line nobody would see that one is a secret.
        let said: Vec<_> = self.properties.iter().map(|it| Row::shown(it.trim_end_matches(';'))).collect();
        match (said.is_empty(), self.rules.is_empty() && self.elements.is_empty()) {
            (false, false) => said.join("; "),
            (false, true) => format!("{}; empty", said.join("; ")),
            (true, _) => "empty".into(),
        }
    }

    /// As nft prints it when it is not asked for handles.
    #[cfg(test)]
    pub(crate) fn without_handles(&self) -> Self {
        let rules = self.rules.iter().map(|rule| Rule { handle: None, ..rule.clone() }).collect();
        Self { handle: None, rules, ..self.clone() }
    }

    /// As nft prints it, to be compared with what it printed.
    #[cfg(test)]
    fn print(&self) -> String {
        let handle =
            |handle: &Option<String>| handle.as_ref().map(|it| format!(" # handle {it}")).unwrap_or_default();
        let mut text = format!("{} {} {{{}\n", self.kind, self.name, handle(&self.handle));
        self.properties.iter().for_each(|property| text += &format!("{property}\n"));
        if !self.elements.is_empty() {
            text += &format!("elements = {{ {} }}\n", self.elements.join(", "));
        }
        self.rules.iter().for_each(|rule| text += &format!("{}{}\n", rule.text, handle(&rule.handle)));
        text + "}\n"
    }
}

impl Rule {
    /// Packets that it met, if it counts.
    pub(crate) fn packets(&self) -> Option<u64> {
        let mut words = self.text.split_whitespace().skip_while(|word| *word != "packets");
        words.nth(1)?.parse().ok()
    }

    /// The rule without what its counter says.
    pub(crate) fn lasting(&self) -> String {
        let mut kept = Vec::new();
        let mut words = words(&self.text).into_iter();
        while let Some(word) = words.next() {
            match word {
                "packets" | "bytes" => _ = words.next(),
                word => kept.push(word),
            }
        }
        kept.join(" ")
    }

    /// The sets and maps that it looks into.
    fn sets(&self) -> impl Iterator<Item = &str> {
        self.text.split_whitespace().filter_map(|word| word.strip_prefix('@'))
    }

    /// Does it name what is looked for, itself or in a set?
    pub(crate) fn concerns(&self, wanted: Wanted, sets: &BTreeMap<String, &Object>, of: &Object) -> bool {
        let text = self.lasting();
        let words = words(&text);
        let ported = words.iter().any(|word| matches!(*word, "dport" | "sport"));
        let is_port =
            |word: &&str| wanted.is_target(word) || (ported && wanted.is_port(word.trim_end_matches(',')));
        let port = words.iter().any(is_port);
        let address = words.iter().any(|word| wanted.is_address(word));
        let in_sets = self.sets().filter_map(|name| sets.get(&format!("{} {} {name}", of.family, of.table)));
        let elements: Vec<&String> = in_sets.flat_map(|set| &set.elements).collect();
        wanted.are(address, port)
            || elements.iter().any(|element| {
                let (in_address, in_port) = held(element, wanted);
                wanted.are(address || in_address, port || in_port)
            })
    }
}

/// What of what is looked for an element of a set holds: `10.96.0.10 . tcp . 80 : 10.244.0.4 . 8080`.
pub(crate) fn held(element: &str, wanted: Wanted) -> (bool, bool) {
    let words = words(element);
    (
        words.iter().any(|word| wanted.is_address(word)),
        words.iter().any(|word| wanted.is_port(word) || wanted.is_target(word)),
    )
}

/// Reads a ruleset, or a part of one.
pub(crate) fn parse(text: &str) -> Parsed<Object> {
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
pub(crate) fn sets(objects: &[Object]) -> BTreeMap<String, &Object> {
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

    /// Every token of a recorded ruleset is found again in what is printed of it, in its order.
    #[test]
    fn nothing_of_a_ruleset_is_lost() {
        let tokens = |text: &str| -> Vec<String> {
            let text = text.replace(',', " , ");
            text.split_whitespace().filter(|token| *token != ",").map(str::to_owned).collect()
        };
        for text in crate::recorded::files("nft_list_ruleset") {
            let parsed = parse(&text);
            assert_eq!(parsed.other, Vec::<String>::new());
            assert!(parsed.rows.len() > 10);
            let mut printed = String::new();
            let mut table = String::new();
            for object in &parsed.rows {
                let of = format!("table {} {} {{", object.family, object.table);
                if of != table {
                    printed += &format!("{}{of}\n", if table.is_empty() { "" } else { "}\n" });
                    table = of;
                }
                if object.kind != "table" {
                    printed += &object.print();
                }
            }
            printed += "}\n";
            // A table's own handle is the one thing that no row has.
            let original: String = text
                .lines()
                .map(|line| {
                    if line.starts_with("table ") { without_handle(line).0 } else { line }.to_owned() + "\n"
                })
                .collect();
            let (printed, original) = (tokens(&printed), tokens(&original));
            let differs = printed.iter().zip(&original).position(|(a, b)| a != b);
            assert_eq!(differs.map(|at| (&printed[at], &original[at])), None);
            assert_eq!(printed.len(), original.len());
        }
    }

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
        assert_eq!(chain.rules[1].packets(), Some(7));
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
