//! Matches nftables rules and elements of sets against an address and a port.
//!
//! Any word that looks like an address is one. A number is a port only where the rule or the type of the set says so:
//! after `dport`, at that position of a concatenation, or as the target of a NAT statement.

use crate::{address_filter::AddressFilter, lines::words, nft::NftObject};

/// The positions of a key, and of the value of a map, that are ports.
#[derive(Clone, Debug, Default)]
struct PortPositions {
    key: Vec<bool>,
    value: Vec<bool>,
}

/// Whether the address and the port were found, in an element or in a rule without its sets.
type AddressPortMatch = (bool, bool);

/// Whether the address and the port were found in the elements of one set.
#[derive(Clone, Copy, Debug, Default)]
struct SetMatch {
    address: bool,
    port: bool,
    /// Whether one element contains both.
    both: bool,
}

impl SetMatch {
    fn of(elements: impl Iterator<Item = AddressPortMatch>) -> Self {
        elements.fold(Self::default(), |set, (address, port)| Self {
            address: set.address || address,
            port: set.port || port,
            both: set.both || (address && port),
        })
    }
}

/// Returns true if a rule matches the filter, by its own words or by the sets that `named` finds.
pub(crate) fn rule<'a>(
    text: &str,
    wanted: AddressFilter,
    named: impl Fn(&str) -> Option<&'a NftObject>,
) -> bool {
    let mut reader = RuleMatcher { wanted, ..RuleMatcher::default() };
    let tokens = tokens(text);
    let mut tokens = tokens.iter().copied().peekable();
    while let Some(token) = tokens.next() {
        match token {
            // The next word is free text.
            "comment" | "prefix" => _ = tokens.next(),
            "{" => {
                let mut inside = Vec::new();
                for token in tokens.by_ref().take_while(|token| *token != "}") {
                    inside.push(token);
                }
                reader.braces(&inside);
            }
            "." if reader.in_value => {}
            _ => match token.strip_prefix('@').and_then(&named) {
                Some(set) => {
                    reader.set(SetMatch::of(set.elements.iter().map(|it| in_element(set, it, wanted))))
                }
                None => reader.word(token, tokens.peek() == Some(&".")),
            },
        }
    }
    reader.matches()
}

/// Returns whether an element of a set (`10.96.0.10 . tcp . 80 : 10.244.0.4 . 8080`) contains the address and the port.
pub(crate) fn in_element(set: &NftObject, element: &str, wanted: AddressFilter) -> AddressPortMatch {
    element_of(&tokens(element), &types(set), wanted)
}

/// Returns the positions of ports in a set or map, from `type ipv4_addr . inet_service : ipv4_addr` or from
/// `typeof ip daddr . tcp dport`.
fn types(set: &NftObject) -> PortPositions {
    let is_port = |part: &str| {
        let last = part.split_whitespace().next_back().unwrap_or_default();
        last.trim_end_matches(';') == "inet_service" || is_port_field(last)
    };
    let kinds = |text: &str| text.split(" . ").map(is_port).collect();
    let declared = set
        .properties
        .iter()
        .find_map(|property| property.strip_prefix("type ").or_else(|| property.strip_prefix("typeof ")));
    match declared.map(|declared| declared.split_once(" : ").unwrap_or((declared, ""))) {
        Some((key, value)) => PortPositions { key: kinds(key), value: kinds(value) },
        None => PortPositions::default(),
    }
}

fn is_port_field(word: &str) -> bool {
    matches!(word, "dport" | "sport" | "proto-dst" | "proto-src")
}

/// Splits a text into words, and makes each comma a word of its own.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for word in words(text) {
        let bare = word.trim_end_matches(',');
        tokens.extend((!bare.is_empty()).then_some(bare));
        tokens.extend((bare.len() < word.len()).then_some(","));
    }
    tokens
}

/// Matches one element: its key, and the value that a map has for it. Counters, limits and comments do not match.
fn element_of(tokens: &[&str], kinds: &PortPositions, wanted: AddressFilter) -> AddressPortMatch {
    let (mut address, mut port) = (false, false);
    let mut sides = tokens.split(|token| *token == ":");
    for (side, kinds) in [(sides.next(), &kinds.key), (sides.next(), &kinds.value)] {
        let of_itself = |token: &&&str| {
            !matches!(**token, "counter" | "timeout" | "expires" | "comment" | "limit" | "quota" | "last")
        };
        let side: Vec<&str> = side.unwrap_or_default().iter().take_while(of_itself).copied().collect();
        for (nth, part) in side.split(|token| *token == ".").enumerate() {
            address |= part.iter().any(|word| wanted.matches_address(word));
            port |= kinds.get(nth) == Some(&true) && part.iter().any(|word| wanted.matches_port(word));
            // Older versions of nft print the address and the port of a target in one word.
            port |= part.iter().any(|word| wanted.matches_nat_target(word));
        }
    }
    (address, port)
}

/// The state while the words of a rule are read.
#[derive(Default)]
struct RuleMatcher {
    wanted: AddressFilter,
    found: AddressPortMatch,
    sets: Vec<SetMatch>,
    /// Whether each complete field of the current expression is a port.
    fields: Vec<bool>,
    /// Whether the last field of the current expression is a port.
    port: bool,
    /// Whether a value has begun.
    in_value: bool,
    /// The number of parts of the value that were read.
    parts: usize,
    /// The comparison operator, such as `<` or `>=`.
    operator: &'static str,
    /// Whether the statement is a NAT statement. The values of its maps may be ports.
    translates: bool,
}

impl RuleMatcher {
    fn word(&mut self, token: &str, goes_on: bool) {
        const OPERATORS: [&str; 6] = ["==", "!=", "<", ">", "<=", ">="];
        let wanted = self.wanted;
        // An IPv6 address may begin with a letter.
        let is_value = token.starts_with(|c: char| c == '"' || c.is_ascii_digit())
            || (token.contains(':') && !token.starts_with(':'));
        self.found.0 |= wanted.matches_address(token);
        self.found.1 |= wanted.matches_nat_target(token);
        if let Some(operator) = OPERATORS.into_iter().find(|it| *it == token) {
            self.operator = operator;
        } else if token == "." {
            self.fields.push(self.port);
            self.port = false;
        } else if is_port_field(token) {
            self.port = true;
        } else if is_value {
            let is_port = self.fields.iter().chain([&self.port]).nth(self.parts) == Some(&true);
            self.found.1 |= is_port && self.compares(token);
            if goes_on {
                (self.in_value, self.parts) = (true, self.parts + 1);
            } else {
                self.end();
            }
        } else if matches!(token, "dnat" | "snat" | "redirect" | "masquerade" | "tproxy") {
            self.end();
            self.translates = true;
        } else if !matches!(token, "map" | "vmap") {
            // The word begins another field or a verdict.
            self.port = false;
        }
    }

    fn compares(&self, token: &str) -> bool {
        let Some(wanted) = self.wanted.port else { return false };
        let than = token.parse::<u16>();
        match (self.operator, than) {
            ("<", Ok(than)) => wanted < than,
            ("<=", Ok(than)) => wanted <= than,
            (">", Ok(than)) => wanted > than,
            (">=", Ok(than)) => wanted >= than,
            _ => self.wanted.matches_port(token),
        }
    }

    fn braces(&mut self, inside: &[&str]) {
        let key: Vec<bool> = self.fields.iter().copied().chain([self.port]).collect();
        let value = if self.translates { vec![true; 4] } else { Vec::new() };
        let kinds = PortPositions { key, value };
        let elements = inside.split(|token| *token == ",").map(|it| element_of(it, &kinds, self.wanted));
        self.set(SetMatch::of(elements));
    }

    fn set(&mut self, set: SetMatch) {
        self.sets.push(set);
        self.end();
    }

    /// Resets the state at the end of an expression.
    fn end(&mut self) {
        self.fields.clear();
        (self.port, self.in_value, self.parts, self.operator) = (false, false, 0, "");
    }

    /// Returns true if the address and the port were found in the rule itself, in one element, in the rule and a set,
    /// or in elements of two sets.
    fn matches(&self) -> bool {
        let (address, port) = self.found;
        let any = |test: fn(&SetMatch) -> bool| self.sets.iter().filter(|set| test(set)).count();
        let (in_address, in_port) = (any(|set| set.address), any(|set| set.port));
        match (self.wanted.address.is_some(), self.wanted.port.is_some()) {
            (true, true) => {
                let two = self.sets.iter().enumerate().any(|(nth, one)| {
                    one.address && self.sets.iter().enumerate().any(|(other, set)| other != nth && set.port)
                });
                (address && (port || in_port > 0))
                    || (port && in_address > 0)
                    || two
                    || any(|set| set.both) > 0
            }
            (has_address, has_port) => {
                (!has_address || address || in_address > 0) && (!has_port || port || in_port > 0)
            }
        }
    }
}
