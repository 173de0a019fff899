//! Recognises a node's own values in a text, so that the texts of two nodes can be compared.

use crate::answer::Fact;
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The position of a node among the nodes of the call.
pub(super) type NodeIndex = usize;

/// The node that has a row, and the peer that the row is about, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowOwner {
    pub(super) node: NodeIndex,
    pub(super) peer: Option<NodeIndex>,
}

/// The facts of all nodes.
pub(super) struct Symbols {
    /// The values that are recognized anywhere in a text. Values that several nodes share are left out. `None` stands
    /// for the name of a node that the call does not read.
    words: Vec<Option<OwnValue>>,
    pattern: Option<AhoCorasick>,
    /// The values that are recognized only as the whole value of one field.
    of_fields: HashMap<&'static str, HashMap<String, OwnValue>>,
    /// The value of each class on each node, or `None` if the class has several values there.
    values: BTreeMap<(NodeIndex, String), Option<String>>,
}

/// A value that belongs to one node.
struct OwnValue {
    owner: NodeIndex,
    /// The name of the value in a template. Kinds that have the same value on any node form one class, because what
    /// one node cannot tell apart must not count as a difference on another node.
    class: String,
    /// The meanings of the value on its node: the kinds of the class that have this value there.
    kinds: FactKinds,
    is_name: bool,
}

/// The kinds of facts that a value has on its node.
pub(super) type FactKinds = BTreeSet<String>;

/// The delimiters of a fact's kind in a template. They are private-use characters, which no text of a cluster
/// contains. [`crate::sanitize`] would not remove them, but templates never reach an answer.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// A text in which the kinds of a node's own values replace the values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) text: String,
    /// The possible meanings of each replaced value, in the order of the text.
    pub(super) kinds: Vec<FactKinds>,
    /// Whether the text contains a value of the speaker's node.
    pub(super) own: bool,
    /// The other nodes whose values the text contains.
    pub(super) peers: BTreeSet<NodeIndex>,
}

/// A value in a field, or anywhere in a text.
type FactKey<'a> = (Option<&'static str>, &'a str);

impl Symbols {
    /// Collects the facts of the nodes that the call reads, and the names of the `others`. The other names are needed
    /// so that a short node name is not recognized inside a longer one.
    pub(super) fn new<'a>(
        facts: impl Iterator<Item = (NodeIndex, &'a [Fact])>,
        others: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut all: BTreeMap<FactKey<'_>, BTreeMap<NodeIndex, BTreeSet<&str>>> = BTreeMap::new();
        let mut of_kinds: BTreeMap<(NodeIndex, &str), BTreeSet<&str>> = BTreeMap::new();
        for (node, facts) in facts {
            for Fact { kind, value, field } in facts.iter().filter(|f| !f.value.is_empty()) {
                all.entry((*field, value)).or_default().entry(node).or_default().insert(kind);
                of_kinds.entry((node, kind)).or_default().insert(value);
            }
        }
        let classes = classes(all.values().flat_map(BTreeMap::values));
        let class = |kind: &str| classes.get(kind).cloned().unwrap_or_else(|| kind.to_owned());
        let mut of_classes: BTreeMap<(NodeIndex, String), BTreeSet<&str>> = BTreeMap::new();
        for ((node, kind), values) in of_kinds {
            of_classes.entry((node, class(kind))).or_default().extend(values);
        }
        let only = |of: BTreeSet<&str>| match (of.len(), of.first()) {
            (1, Some(value)) => Some((*value).to_owned()),
            _ => None,
        };
        let mut symbols = Self {
            words: Vec::new(),
            pattern: None,
            of_fields: HashMap::new(),
            values: of_classes.into_iter().map(|(of, values)| (of, only(values))).collect(),
        };
        let mut patterns = Vec::new();
        for ((field, value), nodes) in all {
            let (1, Some((owner, kinds))) = (nodes.len(), nodes.first_key_value()) else { continue };
            let Some(first) = kinds.first() else { continue };
            let word = OwnValue {
                owner: *owner,
                class: class(first),
                is_name: kinds.contains(Fact::NAME),
                kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            };
            match field {
                Some(field) => {
                    symbols.of_fields.entry(field).or_default().insert(value.to_owned(), word);
                }
                None => {
                    patterns.push(value);
                    symbols.words.push(Some(word));
                }
            }
        }
        for other in others {
            patterns.push(other);
            symbols.words.push(None);
        }
        symbols.pattern = AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns).ok();
        symbols
    }

    /// Returns the template of a text of a node. If `who` has a peer, only values of the node and of that peer are
    /// recognized; otherwise values of all nodes.
    pub(super) fn template(&self, text: &str, field: Option<&str>, who: RowOwner) -> Template {
        let mut template =
            Template { text: String::new(), kinds: Vec::new(), own: false, peers: BTreeSet::new() };
        if let Some(word) = field.and_then(|field| self.of_fields.get(field)?.get(text)) {
            template.symbol(word, who);
            return template;
        }
        let mut found: Vec<(usize, usize, Option<&OwnValue>)> = Vec::new();
        for place in self.pattern.iter().flat_map(|pattern| pattern.find_overlapping_iter(text)) {
            let Some(word) = self.words.get(place.pattern().as_usize()) else { continue };
            let is_known =
                |word: &OwnValue| word.owner == who.node || who.peer.is_none_or(|peer| peer == word.owner);
            let is_name = word.as_ref().is_none_or(|word| word.is_name);
            let (before, after) = (&text[..place.start()], &text[place.end()..]);
            if word.as_ref().is_none_or(is_known) && stands_alone(before, after, is_name) {
                found.push((place.start(), place.end(), word.as_ref()));
            }
        }
        // If one value is a prefix of another, the longer one is meant.
        found.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut from = 0;
        for (start, end, word) in found {
            if start >= from {
                template.text += &text[from..start];
                match word {
                    Some(word) => template.symbol(word, who),
                    None => template.text += &text[start..end],
                }
                from = end;
            }
        }
        template.text += &text[from..];
        template
    }

    /// Returns the text that a template stands for on one node.
    pub(super) fn fill(&self, template: &str, who: RowOwner) -> String {
        self.replace(template, |owned, kind| {
            let node = if owned { Some(who.node) } else { who.peer };
            node.and_then(|node| self.values.get(&(node, kind.to_owned())).cloned().flatten())
        })
    }

    /// Returns a template as people read it: `tstor-<peer>`.
    pub(super) fn show(&self, template: &str) -> String {
        self.replace(template, |_, _| None)
    }

    fn replace(&self, template: &str, value: impl Fn(bool, &str) -> Option<String>) -> String {
        let mut text = String::new();
        for (i, part) in template.split([OPEN, CLOSE]).enumerate() {
            match (i % 2, part.split_once(' ')) {
                (1, Some((whose, kind))) => {
                    let is_name = kind.split(OR).any(|kind| kind == Fact::NAME);
                    let shown = || if is_name { format!("<{whose}>") } else { format!("<{whose} {kind}>") };
                    text += &value(whose == "node", kind).unwrap_or_else(shown);
                }
                _ => text += part,
            }
        }
        text
    }
}

impl Template {
    fn symbol(&mut self, word: &OwnValue, who: RowOwner) {
        let whose = if word.owner == who.node {
            self.own = true;
            "node"
        } else {
            self.peers.insert(word.owner);
            "peer"
        };
        self.text += &format!("{OPEN}{whose} {}{CLOSE}", word.class);
        self.kinds.push(word.kinds.clone());
    }
}

impl Fact {
    /// The kind of the fact that is the node's name.
    pub const NAME: &'static str = "name";
}

/// The separator between the kinds of a class.
const OR: &str = " or ";

/// Returns the class of each kind that shares a value with another kind on any node.
fn classes<'a, 'b>(same: impl Iterator<Item = &'b BTreeSet<&'a str>>) -> BTreeMap<&'a str, String>
where
    'a: 'b,
{
    let mut classes: Vec<BTreeSet<&str>> = Vec::new();
    for kinds in same.filter(|kinds| kinds.len() > 1) {
        let mut joined = kinds.clone();
        for class in classes.extract_if(.., |class| !class.is_disjoint(kinds)) {
            joined.extend(class);
        }
        classes.push(joined);
    }
    // `transit address` also covers `blue transit address`.
    let name = |class: &BTreeSet<&str>| {
        let mut kinds: Vec<&str> = class.iter().copied().collect();
        kinds.sort_by_key(|kind| kind.len());
        let shortest = kinds.first().copied().unwrap_or_default();
        kinds.retain(|kind| *kind == shortest || !kind.ends_with(&format!(" {shortest}")));
        kinds.join(OR)
    };
    classes.iter().flat_map(|class| class.iter().map(|kind| (*kind, name(class)))).collect()
}

/// Whether the values at each position of one template can have the same meaning on every node. On a node whose
/// management port has the gateway's address, the address has both meanings; on other nodes it has only one.
pub(super) fn agree<'a>(of_nodes: impl Iterator<Item = &'a [FactKinds]>) -> bool {
    let mut common: Option<Vec<FactKinds>> = None;
    for kinds in of_nodes {
        match &mut common {
            None => common = Some(kinds.to_vec()),
            Some(common) => {
                common.iter_mut().zip(kinds).for_each(|(all, more)| all.retain(|k| more.contains(k)))
            }
        }
    }
    common.is_none_or(|common| common.iter().all(|kinds| !kinds.is_empty()))
}

/// Whether the text between `before` and `after` is a whole name, number or address and not a part of a longer one.
/// Node names occur inside other names (`patch-br-ex_worker-to-br-int`, `worker.example`); addresses do not.
fn stands_alone(before: &str, after: &str, is_name: bool) -> bool {
    let part_before = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let part_after = |c: char| c.is_ascii_alphanumeric();
    let mut following = after.chars();
    let next = following.next();
    // `10.0.0.1` does not match in `10.0.0.1.5` but matches in `10.0.0.1.`. `worker` does not match in `worker-1`,
    // which may be a node that the call does not read.
    let joins = |c: char| if is_name { c.is_ascii_digit() } else { part_after(c) };
    let joined = next.is_some_and(|c| c == '-' || c == '.') && following.next().is_some_and(joins);
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
        Symbols::new([(0, &a[..]), (1, &b[..])].into_iter(), ["w-2-x"].into_iter())
    }

    #[test]
    fn own_values_and_peers_values_are_told_apart() {
        let symbols = two();
        let show = |text: &str, field, node| {
            let template = symbols.template(text, field, RowOwner { node, peer: None });
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
    fn a_name_is_recognised_inside_other_names() {
        let symbols = two();
        let show =
            |text: &str| symbols.show(&symbols.template(text, None, RowOwner { node: 0, peer: None }).text);
        assert_eq!(show("patch-br-ex_w-to-br-int"), "patch-br-ex_<node>-to-br-int");
        assert_eq!(show("kube-proxy-w.example"), "kube-proxy-<node>.example");
        assert_eq!(show("GR_w-2-x"), "GR_w-2-x", "a node that the call does not read");
    }

    #[test]
    fn kinds_with_one_value_form_a_class_but_stay_distinct_on_other_nodes() {
        let a = [fact("port address", "10.0.0.2"), fact("gateway", "10.0.0.2")];
        let b = [fact("port address", "10.0.1.2"), fact("gateway", "10.0.1.1")];
        let symbols = Symbols::new([(0, &a[..]), (1, &b[..])].into_iter(), std::iter::empty());
        let of = |text: &str, node| symbols.template(text, None, RowOwner { node, peer: None });
        let (first, port, gateway) = (of("10.0.0.2", 0), of("10.0.1.2", 1), of("10.0.1.1", 1));
        assert_eq!(first.text, port.text);
        assert_eq!(first.text, gateway.text);
        assert!(agree([&first.kinds[..], &port.kinds].into_iter()));
        assert!(agree([&first.kinds[..], &gateway.kinds].into_iter()));
        assert!(!agree([&first.kinds[..], &gateway.kinds, &port.kinds].into_iter()));
    }

    #[test]
    fn thousands_of_values_are_recognised() {
        let facts: Vec<Fact> = (0..20_000)
            .map(|n| fact(&format!("address {n}"), &format!("10.{}.{}.1", n / 250, n % 250)))
            .collect();
        let symbols = Symbols::new([(0, &facts[..])].into_iter(), std::iter::empty());
        let template = symbols.template("via 10.79.249.1", None, RowOwner { node: 0, peer: None });
        assert_eq!(symbols.show(&template.text), "via <node address 19999>");
    }

    #[test]
    fn a_template_is_filled_for_another_node() {
        let symbols = two();
        let template = symbols.template("10.244.1.0/24 via w-2", None, RowOwner { node: 0, peer: None });
        assert_eq!(symbols.fill(&template.text, RowOwner { node: 1, peer: Some(0) }), "10.244.0.0/24 via w");
    }
}
