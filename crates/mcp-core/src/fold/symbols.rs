//! Recognising what is a node's own in a text, so that two nodes' texts can be compared.

use crate::answer::Fact;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A node, by its position among those asked.
pub(super) type NodeIndex = usize;

/// Who speaks: a node, and the other node that the row is about, if it is about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Speaker {
    pub(super) node: NodeIndex,
    pub(super) peer: Option<NodeIndex>,
}

/// The facts of all nodes.
pub(super) struct Symbols {
    /// A value and whose it is; values that several nodes share tell nothing and are left out.
    owners: HashMap<(Option<&'static str>, String), (NodeIndex, String)>,
    values: BTreeMap<(NodeIndex, String), String>,
    pattern: Option<Regex>,
}

/// Around the kind of a fact in a template. No text of a cluster holds them: they are private-use
/// characters, which [`crate::sanitize`] would leave, and here they never reach an answer.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// A text in which a node's own values are replaced by what they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) text: String,
    /// Does it name something of the speaker's node?
    pub(super) own: bool,
    /// Whose else it names something of.
    pub(super) peers: BTreeSet<NodeIndex>,
}

impl Symbols {
    pub(super) fn new<'a>(facts: impl Iterator<Item = (NodeIndex, &'a [Fact])>) -> Self {
        let mut all: BTreeMap<(Option<&'static str>, &str), BTreeMap<NodeIndex, &str>> = BTreeMap::new();
        let mut values = BTreeMap::new();
        for (node, facts) in facts {
            for Fact { kind, value, field } in facts.iter().filter(|f| !f.value.is_empty()) {
                all.entry((*field, value)).or_default().entry(node).or_insert(kind);
                values.entry((node, kind.clone())).or_insert(value.clone());
            }
        }
        let mut owners = HashMap::new();
        let mut words = Vec::new();
        for ((field, value), nodes) in all {
            if let (1, Some((node, kind))) = (nodes.len(), nodes.first_key_value()) {
                if field.is_none() {
                    words.push(regex::escape(value));
                }
                owners.insert((field, value.to_owned()), (*node, (*kind).to_owned()));
            }
        }
        // Of two values of which one begins the other, the longer one is meant.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let pattern = (!words.is_empty())
            .then(|| regex::RegexBuilder::new(&words.join("|")).size_limit(256 << 20).build().ok());
        Self { owners, values, pattern: pattern.flatten() }
    }

    /// The template of a text, as the node that has it would write it. With a peer, only that peer's values are
    /// recognised; without, every other node's.
    pub(super) fn template(&self, text: &str, field: Option<&str>, who: Speaker) -> Template {
        let mut template = Template { text: String::new(), own: false, peers: BTreeSet::new() };
        if let Some(field) = field
            && let Some((owner, kind)) = self.fact_of_field(field, text)
        {
            template.symbol(owner, kind, who);
            return template;
        }
        let mut from = 0;
        for found in self.pattern.iter().flat_map(|pattern| pattern.find_iter(text)) {
            let (before, after) = (&text[..found.start()], &text[found.end()..]);
            let Some((owner, kind)) = self.owners.get(&(None, found.as_str().to_owned())) else { continue };
            let known = *owner == who.node || who.peer.is_none_or(|peer| peer == *owner);
            if known && stands_alone(before, after) {
                template.text += &text[from..found.start()];
                template.symbol(*owner, kind, who);
                from = found.end();
            }
        }
        template.text += &text[from..];
        template
    }

    fn fact_of_field(&self, field: &str, text: &str) -> Option<(NodeIndex, &str)> {
        let is = |of: &&(Option<&'static str>, String)| of.0.is_some_and(|of| of == field) && of.1 == text;
        // Few facts belong to one field.
        let key = self.owners.keys().find(is)?;
        self.owners.get(key).map(|(owner, kind)| (*owner, kind.as_str()))
    }

    /// What a template stands for on one node.
    pub(super) fn fill(&self, template: &str, who: Speaker) -> String {
        self.replace(template, |owned, kind| {
            let node = if owned { Some(who.node) } else { who.peer };
            node.and_then(|node| self.values.get(&(node, kind.to_owned())).cloned())
        })
    }

    /// A template for people: `tstor-<peer>`.
    pub(super) fn show(&self, template: &str) -> String {
        self.replace(template, |_, _| None)
    }

    fn replace(&self, template: &str, value: impl Fn(bool, &str) -> Option<String>) -> String {
        let mut text = String::new();
        for (i, part) in template.split([OPEN, CLOSE]).enumerate() {
            match (i % 2, part.split_once(' ')) {
                (1, Some((whose, kind))) => {
                    let shown = || {
                        if kind == Fact::NAME { format!("<{whose}>") } else { format!("<{whose} {kind}>") }
                    };
                    text += &value(whose == "node", kind).unwrap_or_else(shown);
                }
                _ => text += part,
            }
        }
        text
    }
}

impl Template {
    fn symbol(&mut self, owner: NodeIndex, kind: &str, who: Speaker) {
        let whose = if owner == who.node {
            self.own = true;
            "node"
        } else {
            self.peers.insert(owner);
            "peer"
        };
        self.text += &format!("{OPEN}{whose} {kind}{CLOSE}");
    }
}

impl Fact {
    /// The kind of the fact that is the node's name.
    pub const NAME: &'static str = "name";
}

/// Is what stands between these a whole name, number or address, and not a part of a longer one?
fn stands_alone(before: &str, after: &str) -> bool {
    let part_before = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let part_after = |c: char| c.is_ascii_alphanumeric();
    let mut following = after.chars();
    let next = following.next();
    // `worker` in `worker-1` and `worker.example`, `10.0.0.1` in `10.0.0.1.5`; but not in `10.0.0.1.` or `worker-`.
    let joined = next.is_some_and(|c| c == '-' || c == '.') && following.next().is_some_and(part_after);
    !before.ends_with(part_before) && !next.is_some_and(part_after) && !joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(kind: &str, value: &str) -> Fact {
        Fact { kind: kind.into(), value: value.into(), field: None }
    }

    fn two() -> Symbols {
        let key = |value: &str| Fact { field: Some("tunnel_key"), ..fact("transit key", value) };
        let a = [
            fact("name", "w"),
            fact("subnet", "10.244.0.0/24"),
            fact("ip", "10.0.0.2"),
            key("2"),
            fact("same", "x"),
        ];
        let b = [
            fact("name", "w-2"),
            fact("subnet", "10.244.1.0/24"),
            fact("ip", "10.0.0.3"),
            key("3"),
            fact("same", "x"),
        ];
        Symbols::new([(0, &a[..]), (1, &b[..])].into_iter())
    }

    #[test]
    fn own_and_others_values_are_told_apart() {
        let symbols = two();
        let show = |text: &str, field, node| {
            let template = symbols.template(text, field, Speaker { node, peer: None });
            (symbols.show(&template.text), template.own, template.peers.len())
        };
        assert_eq!(show("GR_w", None, 0), ("GR_<node>".into(), true, 0));
        assert_eq!(show("GR_w-2", None, 0), ("GR_<peer>".into(), false, 1));
        assert_eq!(show("GR_w-2 via w", None, 1), ("GR_<node> via <peer>".into(), true, 1));
        assert_eq!(show("w-25 w2 aw 110.0.0.2 10.0.0.21", None, 0).0, "w-25 w2 aw 110.0.0.2 10.0.0.21");
        assert_eq!(show("10.244.1.0/24 10.0.0.3:80", None, 0).0, "<peer subnet> <peer ip>:80");
        assert_eq!(show("2", Some("tunnel_key"), 0).0, "<node transit key>");
        assert_eq!(show("2", Some("priority"), 0).0, "2");
        assert_eq!(show("x", None, 0).0, "x");
    }

    #[test]
    fn a_template_is_filled_for_another_node() {
        let symbols = two();
        let template = symbols.template("10.244.1.0/24 via w-2", None, Speaker { node: 0, peer: None });
        assert_eq!(symbols.fill(&template.text, Speaker { node: 1, peer: Some(0) }), "10.244.0.0/24 via w");
    }
}
