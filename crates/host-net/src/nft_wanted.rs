//! Does a rule of nftables, or an element of a set, concern an address or a port?
//!
//! Any word of the form of an address is one. A number is a port only where the rule, or the type of the set, says so: behind
//! `dport`, at that place of a concatenation, or as the target of a translation.

use crate::{lines::words, nft::Object, wanted::Wanted};

/// Which places of a key, and of what a map gives, are ports.
#[derive(Clone, Debug, Default)]
struct Kinds {
    key: Vec<bool>,
    value: Vec<bool>,
}

/// What is found of an address and a port: in an element, or in a rule without its sets.
type Found = (bool, bool);

/// What is found in the elements of one set.
#[derive(Clone, Copy, Debug, Default)]
struct InSet {
    address: bool,
    port: bool,
    /// In one element.
    both: bool,
}

impl InSet {
    fn of(elements: impl Iterator<Item = Found>) -> Self {
        elements.fold(Self::default(), |set, (address, port)| Self {
            address: set.address || address,
            port: set.port || port,
            both: set.both || (address && port),
        })
    }
}

/// Does a rule concern what is looked for, itself or by the sets that `named` finds?
pub(crate) fn rule<'a>(text: &str, wanted: Wanted, named: impl Fn(&str) -> Option<&'a Object>) -> bool {
    let mut reader = Reader { wanted, ..Reader::default() };
    let tokens = tokens(text);
    let mut tokens = tokens.iter().copied().peekable();
    while let Some(token) = tokens.next() {
        match token {
            // What follows is text.
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
                Some(set) => reader.set(InSet::of(set.elements.iter().map(|it| in_element(set, it, wanted)))),
                None => reader.word(token, tokens.peek() == Some(&".")),
            },
        }
    }
    reader.concerns()
}

/// What of what is looked for an element of a set holds: `10.96.0.10 . tcp . 80 : 10.244.0.4 . 8080`.
pub(crate) fn in_element(set: &Object, element: &str, wanted: Wanted) -> Found {
    element_of(&tokens(element), &types(set), wanted)
}

/// The types of a set or map, from `type ipv4_addr . inet_service : ipv4_addr` or from `typeof ip daddr . tcp dport`.
fn types(set: &Object) -> Kinds {
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
        Some((key, value)) => Kinds { key: kinds(key), value: kinds(value) },
        None => Kinds::default(),
    }
}

fn is_port_field(word: &str) -> bool {
    matches!(word, "dport" | "sport" | "proto-dst" | "proto-src")
}

/// Words, with commas apart.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for word in words(text) {
        let bare = word.trim_end_matches(',');
        tokens.extend((!bare.is_empty()).then_some(bare));
        tokens.extend((bare.len() < word.len()).then_some(","));
    }
    tokens
}

/// One element: its key, what counts and limits it, and what a map gives for it.
fn element_of(tokens: &[&str], kinds: &Kinds, wanted: Wanted) -> Found {
    let (mut address, mut port) = (false, false);
    let mut sides = tokens.split(|token| *token == ":");
    for (side, kinds) in [(sides.next(), &kinds.key), (sides.next(), &kinds.value)] {
        let of_itself = |token: &&&str| {
            !matches!(**token, "counter" | "timeout" | "expires" | "comment" | "limit" | "quota" | "last")
        };
        let side: Vec<&str> = side.unwrap_or_default().iter().take_while(of_itself).copied().collect();
        for (nth, part) in side.split(|token| *token == ".").enumerate() {
            address |= part.iter().any(|word| wanted.is_address(word));
            port |= kinds.get(nth) == Some(&true) && part.iter().any(|word| wanted.is_port(word));
            // A target that an older nft prints in one word.
            port |= part.iter().any(|word| wanted.is_target(word));
        }
    }
    (address, port)
}

/// What is known while the words of a rule go by.
#[derive(Default)]
struct Reader {
    wanted: Wanted,
    found: Found,
    sets: Vec<InSet>,
    /// Which fields of the expression that is read are ports, and whether the last one is.
    fields: Vec<bool>,
    port: bool,
    /// A value has begun: how many of its parts have gone by.
    in_value: bool,
    parts: usize,
    /// `<`, `>=`.
    operator: &'static str,
    /// A statement that translates: what its maps give may be ports.
    translates: bool,
}

impl Reader {
    fn word(&mut self, token: &str, goes_on: bool) {
        const OPERATORS: [&str; 6] = ["==", "!=", "<", ">", "<=", ">="];
        let wanted = self.wanted;
        // An address of IPv6 may begin with a letter.
        let is_value = token.starts_with(|c: char| c == '"' || c.is_ascii_digit())
            || (token.contains(':') && !token.starts_with(':'));
        self.found.0 |= wanted.is_address(token);
        self.found.1 |= wanted.is_target(token);
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
            // Another field begins, or a verdict.
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
            _ => self.wanted.is_port(token),
        }
    }

    fn braces(&mut self, inside: &[&str]) {
        let key: Vec<bool> = self.fields.iter().copied().chain([self.port]).collect();
        let value = if self.translates { vec![true; 4] } else { Vec::new() };
        let kinds = Kinds { key, value };
        let elements = inside.split(|token| *token == ",").map(|it| element_of(it, &kinds, self.wanted));
        self.set(InSet::of(elements));
    }

    fn set(&mut self, set: InSet) {
        self.sets.push(set);
        self.end();
    }

    /// An expression has ended.
    fn end(&mut self) {
        self.fields.clear();
        (self.port, self.in_value, self.parts, self.operator) = (false, false, 0, "");
    }

    /// Is everything that is looked for in the rule itself, in one element, or in elements of two sets?
    fn concerns(&self) -> bool {
        let (address, port) = self.found;
        let any = |test: fn(&InSet) -> bool| self.sets.iter().filter(|set| test(set)).count();
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
