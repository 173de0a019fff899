//! The answer of a tool for one node, from which core makes a reply.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Returns a number with its noun in the singular or the plural: `1 flow`, `2 flows`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A tool's answer for one node.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The rows in a stable order: by name, then by UUID.
    pub rows: Vec<Row>,
    /// The text that is shown if there is no row: what "nothing" means here.
    pub if_empty: String,
    /// Notes on data that is missing or unusual.
    pub notes: Vec<String>,
    /// The values that belong to the node and therefore differ from node to node. They are only used when nodes are
    /// compared.
    pub facts: Vec<Fact>,
    /// The parts of the rows that are not compared with other nodes, each with the reason: `column ports (the pods of
    /// the node)`. They are only used when nodes are compared.
    pub not_compared: Vec<String>,
    /// The things that the node has and that rows can depend on; see [`RowIdentity::needs`].
    pub has: BTreeSet<String>,
    /// The meanings of names that mean nothing to a reader, by name: the owner of the port group `@a7401…`. A note of
    /// the reply gives the meanings of those names that are in the rows that it shows.
    pub meanings: BTreeMap<String, String>,
    /// True if the last rows matter most, as in a log. If the rows of several nodes do not all fit, the reply then
    /// leaves out the first rows of each node and not the last ones.
    pub ends_matter: bool,
    /// True if each row is a Kubernetes object in JSON. The reply then contains one `List` of the objects that fit, and
    /// `metadata.remainingItemCount` says how many objects follow.
    pub objects: bool,
}

/// A part of an answer that makes sense alone: a record, a flow or a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The heading of the row. It is shown once before consecutive rows with the same heading, and again on each page.
    pub heading: Option<Arc<str>>,
    /// The text of the row, one or more lines.
    pub text: String,
    /// The identity of the row for comparisons. If it is `None`, rows with the same text are the same row, whatever
    /// their heading.
    pub identity: Option<RowIdentity>,
    /// The row as a JSON object, for replies in JSON ([`Node::wants_objects`](crate::Node::wants_objects)).
    pub object: Option<Value>,
    /// True if the row does not match the parameters. Such a row is only there because its counterpart on another node
    /// may match: filtering before the comparison would report a differing row as missing.
    pub unasked: bool,
}

/// The identity of a row, by which the rows of several nodes are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowIdentity {
    /// The key of the row, which is the same on every node except for the [`Fact`]s in it: a name, not a UUID.
    pub key: String,
    /// True if the row belongs to this node alone, as a pod's port does. Other nodes are not expected to have it.
    pub local: bool,
    /// What a node must have to need this row, such as a member of a port group. A node without it does not miss the
    /// row.
    pub needs: Option<String>,
    /// The list whose order matters, such as a chain of rules. The rows that all nodes have must be in the same order
    /// in this list.
    pub sequence: Option<String>,
    /// The role of the row. Rows of different roles are compared in their [`RowField::spanning`] fields only: a port is
    /// `remote` on all nodes except its own.
    pub role: &'static str,
    /// The properties that should be the same on every node. Properties that are expected to differ are left out.
    pub fields: Vec<RowField>,
}

/// One property of a row that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowField {
    /// The name of the property: a column, or `column:key`.
    pub name: String,
    /// The value of the property. A set has several values, in any order.
    pub values: Vec<String>,
    /// True if the property is the same in every role.
    pub spanning: bool,
}

/// A value that belongs to one node: its name, an address or a subnet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// The kind of the value, which is the same text on every node: `join address`.
    pub kind: String,
    /// The value on this node: `100.64.0.3`.
    pub value: String,
    /// The only field in which the value has this meaning. A number such as a tunnel key is a fact only in its own
    /// field.
    pub field: Option<&'static str>,
}

impl Row {
    /// Returns a row that other nodes either have or do not have.
    pub fn line(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Returns a row with an identity.
    pub fn with(text: impl Into<String>, identity: RowIdentity) -> Self {
        Self { text: text.into(), identity: Some(identity), ..Self::default() }
    }

    /// Marks the row as one that matches the parameters, or as one that is only there for the comparison.
    #[must_use]
    pub fn asked(self, asked: bool) -> Self {
        Self { unasked: !asked, ..self }
    }

    /// Puts the row under a heading.
    #[must_use]
    pub fn under(self, heading: &Arc<str>) -> Self {
        Self { heading: Some(heading.clone()), ..self }
    }
}

impl RowField {
    /// Returns a field with one value.
    pub fn one(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), values: vec![value.into()], spanning: true }
    }
}
