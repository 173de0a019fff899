//! What a tool says of one node, before core makes a reply of it.

use std::{collections::BTreeSet, sync::Arc};

/// A tool's answer for one node.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The rows, in a stable order: by name, then UUID.
    pub rows: Vec<Row>,
    /// What to say if there is no row: empty is an answer.
    pub if_empty: String,
    /// What is missing or odd.
    pub notes: Vec<String>,
    /// What is the node's own and so differs from node to node. Only read when nodes are compared.
    pub facts: Vec<Fact>,
    /// What of the rows is not compared with other nodes, each with the reason: `column ports (the pods of the node)`.
    /// Only read when nodes are compared.
    pub not_compared: Vec<String>,
    /// What the node has of that which rows can need: [`Identity::needs`].
    pub has: BTreeSet<String>,
}

/// A piece of an answer that stands for itself: a record, a flow, a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What it stands under: shown once before the first of several rows that have the same, and again on each page.
    pub heading: Option<Arc<str>>,
    /// What is shown, one or more lines.
    pub text: String,
    /// What identifies it on other nodes. None: the text does, and lines of a heading stay out of it.
    pub identity: Option<Identity>,
    /// It does not fit the question. It is there because its counterpart on another node may fit: a filter that ran
    /// before the comparison would make a missing row of one that differs.
    pub unasked: bool,
}

/// What makes a row of one node comparable with a row of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The same on every node, but for the [`Fact`]s in it: a name, not a UUID.
    pub key: String,
    /// It belongs to this node alone (a pod's port): that other nodes lack it means nothing.
    pub local: bool,
    /// What a node must have to have this row too (a member of a port group): a node without it lacks nothing.
    pub needs: Option<String>,
    /// The list in which the order of the rows matters (a chain of rules): rows that all nodes have must stand there in the
    /// same order.
    pub sequence: Option<String>,
    /// Rows of different roles are compared in their [`Field::spanning`] fields only: a port is `remote` on all nodes
    /// but its own.
    pub role: &'static str,
    /// What should be the same on every node. A field that is expected to differ is left out.
    pub fields: Vec<Field>,
}

/// One comparable property of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name: a column, or `column:key`.
    pub name: String,
    /// Its value; several for a set, in any order.
    pub values: Vec<String>,
    /// It is the same in every role.
    pub spanning: bool,
}

/// Something that is a node's own: its name, an address, a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// What it is, in the same words on every node: `join address`.
    pub kind: String,
    /// What it is on this node: `100.64.0.3`.
    pub value: String,
    /// Where it means that: a number such as a tunnel key is a fact in its own field only.
    pub field: Option<&'static str>,
}

impl Row {
    /// A line that other nodes can only have or not have.
    pub fn line(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A row with a name and properties.
    pub fn with(text: impl Into<String>, identity: Identity) -> Self {
        Self { text: text.into(), identity: Some(identity), ..Self::default() }
    }

    /// The row, which fits the question or is there for the comparison only.
    #[must_use]
    pub fn asked(self, asked: bool) -> Self {
        Self { unasked: !asked, ..self }
    }

    /// The row under a heading.
    #[must_use]
    pub fn under(self, heading: &Arc<str>) -> Self {
        Self { heading: Some(heading.clone()), ..self }
    }
}

impl Field {
    /// A field with one value.
    pub fn one(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), values: vec![value.into()], spanning: true }
    }
}
