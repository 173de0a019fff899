//! nftables rulesets, from `nft list ruleset` with or without handles (`-a`), or as JSON (`-j`).

use crate::{
    address_filter::AddressFilter,
    lines::{Parsed, Text, words},
    nft_filter, nft_json,
};
use std::collections::BTreeMap;

/// An object of a table (a chain, set, map, flowtable and so on), or the table itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NftObject {
    /// The address family: `inet`.
    pub family: String,
    /// The name of the table.
    pub table: String,
    /// The kind of object: `chain`, `set`, `map`.
    pub kind: String,
    /// The name of the object. A table has none here.
    pub name: String,
    /// The handle, if handles were printed.
    pub handle: Option<String>,
    /// The properties: type, flags and comment, and for a base chain its hook, priority and policy.
    pub properties: Vec<String>,
    /// The rules of a chain.
    pub rules: Vec<NftRule>,
    /// The elements of a set or map.
    pub elements: Vec<String>,
}

/// A rule of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NftRule {
    /// The text of the rule without its handle.
    pub text: String,
    /// The handle, if handles were printed.
    pub handle: Option<String>,
}

impl NftObject {
    /// Returns the full name of the object: `inet ovn-kubernetes mgmtport-snat`.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.family, self.table, self.name).trim_end().to_owned()
    }

    /// Returns the properties without trailing semicolons: `type filter hook input priority 0; policy accept`, `comment
    /// "…"`.
    pub fn property_texts(&self) -> Vec<&str> {
        self.properties.iter().map(|property| property.trim_end_matches(';')).collect()
    }

    /// Returns true if the object has neither rules nor elements.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.elements.is_empty()
    }
}

impl NftObject {
    /// Returns true if an element of this object matches the filter.
    pub fn element_matches(&self, element: &str, wanted: AddressFilter) -> bool {
        let (address, port) = nft_filter::in_element(self, element, wanted);
        wanted.is_satisfied(address, port)
    }
}

impl NftRule {
    /// Returns the number of packets that the rule matched, from its own counter or from a named counter of its table.
    pub fn packets(&self, counters: &BTreeMap<String, u64>, of: &NftObject) -> Option<u64> {
        packets(&self.text).or_else(|| {
            let words = words(&self.text);
            let name = words.windows(3).find_map(|three| match three {
                ["counter", "name", name] => Some(name.trim_matches('"')),
                _ => None,
            })?;
            counters.get(&format!("{} {} {name}", of.family, of.table)).copied()
        })
    }

    /// Returns the rule without counter values and expiry times.
    pub fn without_counters(&self) -> String {
        without_counters(&self.text)
    }

    /// Returns true if the rule matches the filter, by its own words or by the sets that it refers to.
    pub fn matches(
        &self,
        wanted: AddressFilter,
        sets: &BTreeMap<String, &NftObject>,
        of: &NftObject,
    ) -> bool {
        let named = |name: &str| sets.get(&format!("{} {} {name}", of.family, of.table)).copied();
        nft_filter::rule(&self.text, wanted, named)
    }
}

/// Returns the number of packets in the counter of a rule or an element.
pub fn packets(text: &str) -> Option<u64> {
    words(text).windows(3).find_map(|three| match three {
        ["counter", "packets", packets] => packets.parse().ok(),
        _ => None,
    })
}

/// Returns a rule or an element without the parts that change by themselves: counter values and expiry times.
pub fn without_counters(text: &str) -> String {
    let mut kept = Vec::new();
    let mut words = words(text).into_iter().peekable();
    while let Some(word) = words.next() {
        match word {
            "expires" => _ = words.next(),
            "counter" if words.peek() == Some(&"packets") => {
                kept.push(word);
                // Skips `packets 7 bytes 420`.
                words.by_ref().take(4).for_each(drop);
            }
            word => kept.push(word),
        }
    }
    kept.join(" ")
}

/// Returns the number of packets of each named counter, by its key.
pub fn counters(objects: &[NftObject]) -> BTreeMap<String, u64> {
    let count = |of: &NftObject| {
        let said = of.properties.iter().find_map(|property| property.strip_prefix("packets "))?;
        Some((of.key(), said.split_whitespace().next()?.parse().ok()?))
    };
    objects.iter().filter(|object| object.kind == "counter").filter_map(count).collect()
}

/// Parses a ruleset or a part of one.
pub fn parse<'a>(text: impl Into<Text<'a>>) -> Parsed<NftObject> {
    let text = text.into();
    if text.as_str().trim_start().starts_with('{')
        && let Some(rows) = nft_json::parse(text)
    {
        return Parsed { rows, other: Vec::new() };
    }
    let mut parsed = Parsed::<NftObject>::default();
    let mut table: Option<NftObject> = None;
    let mut object: Option<NftObject> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (code, handle) = without_handle(line);
        let first = words(code);
        match (first.as_slice(), &mut table, &mut object) {
            ([], ..) => {}
            (["table", family, name, "{"], None, None) => {
                table = Some(NftObject {
                    family: (*family).into(),
                    table: (*name).into(),
                    kind: "table".into(),
                    handle,
                    ..NftObject::default()
                });
            }
            (["}"], Some(_), Some(_)) => parsed.rows.extend(object.take()),
            (["}"], Some(of), None) => {
                // An empty table is an object too.
                let alone = parsed
                    .rows
                    .last()
                    .is_none_or(|last| (&last.family, &last.table) != (&of.family, &of.table));
                parsed.rows.extend(table.take().filter(|of| alone || !of.properties.is_empty()));
            }
            // A property of the table: `flags dormant`, `comment "…"`.
            ([.., last], Some(of), None) if *last != "{" => of.properties.push(code.trim().to_owned()),
            ([kind @ .., name, "{"], Some(of), None) => {
                object = Some(NftObject {
                    family: of.family.clone(),
                    table: of.table.clone(),
                    kind: kind.join(" "),
                    name: (*name).into(),
                    handle,
                    ..NftObject::default()
                });
            }
            (_, Some(_), Some(object)) => {
                let mut whole = code.trim().to_owned();
                let mut handle = handle;
                // Elements and other text in braces may span several lines.
                let mut braces = Braces::default();
                braces.read(&whole);
                while braces.depth > 0 {
                    let Some(next) = lines.next() else { break };
                    let (code, its) = without_handle(next);
                    braces.read(code);
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

impl NftObject {
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
            self.rules.push(NftRule { text: line, handle });
        }
    }
}

/// Splits off the handle at the end of a line: `… # handle 38`.
fn without_handle(line: &str) -> (&str, Option<String>) {
    match line.rsplit_once(" # handle ") {
        Some((code, handle)) if handle.bytes().all(|b| b.is_ascii_digit()) => (code, Some(handle.into())),
        _ => (line, None),
    }
}

/// The braces in a text so far. A text of many lines is read once, and not again for each line.
#[derive(Default)]
struct Braces {
    /// The number of opening braces without a closing brace, outside of quotes.
    depth: i32,
    quoted: bool,
}

impl Braces {
    /// Reads the next part of the text.
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'{' if !self.quoted => self.depth += 1,
                b'}' if !self.quoted => self.depth -= 1,
                _ => {}
            }
        }
    }
}

/// Splits elements at commas. Commas inside quoted comments and braces do not separate elements.
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

/// Returns the sets and maps by their keys.
pub fn sets(objects: &[NftObject]) -> BTreeMap<String, &NftObject> {
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
    fn elements_may_span_lines_and_rules_match_by_their_sets() {
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
        assert_eq!(
            chain.rules[1].without_counters(),
            "ip saddr 10.1.0.0/16 tcp dport { 80, 443 } counter accept"
        );
        let sets = sets(&parsed.rows);
        let concerned = |address: Option<&str>, port| -> Vec<usize> {
            let wanted = AddressFilter { address: address.and_then(|a| a.parse().ok()), port };
            (0..3).filter(|i| chain.rules[*i].matches(wanted, &sets, chain)).collect()
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
