//! Compiles matches: resolves names, shares sets and adds prerequisites.

use super::{
    Ports,
    sets::{Numbers, PortSet},
};
use crate::{
    matches::{Constant, Expr, Operand, Relation, parse},
    symbol::{Meaning, Symbol},
};
use packet::{Field, Masked, Packet, Subfield, bits};
use std::{collections::HashMap, sync::Arc};

/// A compiled match.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Constant(bool),
    Test(Subfield, Test, bool),
    /// Compares a port field with a set of ports.
    Port(Field, Arc<PortSet>),
    All(Arc<[Node]>),
    Any(Arc<[Node]>),
}

/// The comparison of some bits. The flag beside it in [`Node`] says whether the result is negated.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Masked(Masked),
    Less(u128),
    LessOrEqual(u128),
    Among(Arc<Numbers>),
}

impl Node {
    /// Returns whether the match is true for a packet in the datapath with this index.
    pub(crate) fn matches(&self, datapath: usize, packet: &Packet) -> bool {
        match self {
            Self::Constant(truth) => *truth,
            Self::Test(place, test, negated) => {
                let value = packet.bits(*place);
                let found = match test {
                    Test::Masked(masked) => masked.matches(value),
                    Test::Less(than) => value < *than,
                    Test::LessOrEqual(than) => value <= *than,
                    Test::Among(numbers) => numbers.has(value),
                };
                found != *negated
            }
            Self::Port(field, ports) => ports.has(datapath, packet.get(*field) as u32),
            Self::All(parts) => parts.iter().all(|part| part.matches(datapath, packet)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(datapath, packet)),
        }
    }

    pub(crate) fn all(parts: Vec<Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Constant(true) => {}
                Self::Constant(false) => return part,
                Self::All(inner) => kept.extend(inner.iter().cloned()),
                other => kept.push(other),
            }
        }
        match kept.pop() {
            None => Self::Constant(true),
            Some(part) if kept.is_empty() => part,
            Some(part) => {
                kept.push(part);
                Self::All(kept.into())
            }
        }
    }

    pub(crate) fn any(parts: Vec<Self>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Constant(false) => {}
                Self::Constant(true) => return part,
                Self::Any(inner) => kept.extend(inner.iter().cloned()),
                other => kept.push(other),
            }
        }
        match kept.pop() {
            None => Self::Constant(false),
            Some(part) if kept.is_empty() => part,
            Some(part) => {
                kept.push(part);
                Self::Any(kept.into())
            }
        }
    }
}

/// Compiles expressions. Compiles the parts that many flows share only once.
pub(crate) struct Compiler<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) address_sets: &'a HashMap<String, Arc<Numbers>>,
    pub(crate) port_groups: &'a HashMap<String, Arc<PortSet>>,
    /// Returns whether a port is on the chassis of this zone.
    pub(crate) resident: &'a dyn Fn(&str) -> bool,
    /// The compiled texts of the symbol table.
    texts: HashMap<&'static str, Node>,
    names: HashMap<String, Arc<PortSet>>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(
        ports: &'a Ports,
        address_sets: &'a HashMap<String, Arc<Numbers>>,
        port_groups: &'a HashMap<String, Arc<PortSet>>,
        resident: &'a dyn Fn(&str) -> bool,
    ) -> Self {
        let (texts, names) = (HashMap::new(), HashMap::new());
        Self { ports, address_sets, port_groups, resident, texts, names }
    }

    /// Compiles an expression. Returns an error if it refers to a set that does not exist, or is not valid for its
    /// field.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Result<Node, String> {
        match expr {
            Expr::Constant(truth) => Ok(Node::Constant(*truth)),
            Expr::Resident { port, negated } => Ok(Node::Constant((self.resident)(port) != *negated)),
            Expr::All(parts) => Ok(Node::all(self.parts(parts)?)),
            Expr::Any(parts) => Ok(Node::any(self.parts(parts)?)),
            Expr::Compare { operand, relation, with, .. } => self.compare(*operand, *relation, with),
        }
    }

    fn parts(&mut self, parts: &[Expr]) -> Result<Vec<Node>, String> {
        parts.iter().map(|part| self.expr(part)).collect()
    }

    /// Compiles a text of the symbol table.
    pub(crate) fn text(&mut self, text: &'static str) -> Result<Node, String> {
        if text.is_empty() {
            return Ok(Node::Constant(true));
        }
        if let Some(node) = self.texts.get(text) {
            return Ok(node.clone());
        }
        let node = parse(text).map_err(|error| error.to_string()).and_then(|expr| self.expr(&expr))?;
        self.texts.insert(text, node.clone());
        Ok(node)
    }

    fn compare(&mut self, operand: Operand, relation: Relation, with: &[Constant]) -> Result<Node, String> {
        let symbol = operand.symbol;
        let prerequisite = self.text(symbol.prerequisite)?;
        let test = match (symbol.meaning, operand.place()) {
            (Meaning::Predicate(text), _) => return self.predicate(symbol, text, relation, with),
            (Meaning::Port(field), _) => self.port(field, with)?,
            (_, Some(place)) => self.number(place, relation, with)?,
            (_, None) => return Err(format!("{} cannot be used in a match", symbol.name)),
        };
        Ok(Node::all(vec![prerequisite, test]))
    }

    /// Compiles a predicate that is compared with 0 or 1. Its negation also negates its prerequisites, as in OVN.
    fn predicate(
        &mut self,
        symbol: &Symbol,
        text: &'static str,
        relation: Relation,
        with: &[Constant],
    ) -> Result<Node, String> {
        let [Constant::Number(number)] = with else {
            return Err(format!("{} is a predicate and can only be true or false", symbol.name));
        };
        if (number.value == 1) == (relation == Relation::Eq) {
            return self.text(text);
        }
        self.text(text).map(negated)
    }

    fn port(&mut self, field: Field, with: &[Constant]) -> Result<Node, String> {
        let mut parts = Vec::new();
        for constant in with {
            let ports = match constant {
                Constant::Text(name) => self.named(name),
                Constant::PortGroup(name) => self
                    .port_groups
                    .get(name)
                    .cloned()
                    .ok_or_else(|| format!("port group {name} does not exist"))?,
                other => return Err(format!("{other} is not a port name")),
            };
            parts.push(Node::Port(field, ports));
        }
        Ok(Node::any(parts))
    }

    fn named(&mut self, name: &str) -> Arc<PortSet> {
        if let Some(found) = self.names.get(name) {
            return Arc::clone(found);
        }
        let made = Arc::new(self.ports.named(name));
        self.names.insert(name.to_owned(), Arc::clone(&made));
        made
    }

    fn number(&mut self, place: Subfield, relation: Relation, with: &[Constant]) -> Result<Node, String> {
        let width = place.width();
        let mut own = Vec::new();
        let mut parts = Vec::new();
        for constant in with {
            match constant {
                Constant::Number(number) => {
                    own.push(Masked::new(number.value, number.mask.unwrap_or(bits(width))));
                }
                Constant::AddressSet(name) => {
                    let set = self
                        .address_sets
                        .get(name)
                        .ok_or_else(|| format!("address set {name} does not exist"))?;
                    parts.push(Test::Among(Arc::clone(set)));
                }
                other => return Err(format!("{other} is not a number")),
            }
        }
        let bound = own.first().map_or(0, |masked| masked.value);
        // The flag negates the result.
        let (test, negated) = match relation {
            Relation::Lt => (Test::Less(bound), false),
            Relation::Ge => (Test::Less(bound), true),
            Relation::Le => (Test::LessOrEqual(bound), false),
            Relation::Gt => (Test::LessOrEqual(bound), true),
            Relation::Eq | Relation::Ne => {
                match own.as_slice() {
                    [] => {}
                    [one] => parts.push(Test::Masked(*one)),
                    several => parts.push(Test::Among(Arc::new(Numbers::new(several.iter().copied())))),
                }
                let negated = relation == Relation::Ne;
                let tests = parts.into_iter().map(|test| Node::Test(place, test, negated)).collect();
                return Ok(if negated { Node::all(tests) } else { Node::any(tests) });
            }
        };
        Ok(Node::Test(place, test, negated))
    }
}

/// Negates a compiled match.
fn negated(node: Node) -> Node {
    match node {
        Node::Constant(truth) => Node::Constant(!truth),
        Node::Test(place, test, turned) => Node::Test(place, test, !turned),
        // Ports are only tested for equality, and no predicate contains a port.
        Node::Port(..) => Node::Constant(false),
        Node::All(parts) => Node::any(parts.iter().cloned().map(negated).collect()),
        Node::Any(parts) => Node::all(parts.iter().cloned().map(negated).collect()),
    }
}
