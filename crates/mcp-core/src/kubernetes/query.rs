//! Kinds of objects, and queries for objects.

use super::{FieldSelector, LabelSelector};
use crate::{Namespace, name::name_type, sanitize};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

name_type! {
    /// The name of an object: a path segment, which is the rule that all kinds share (RBAC names may contain `:`).
    ObjectName, "an object's name", r"^[A-Za-z0-9]([A-Za-z0-9:._-]*[A-Za-z0-9_-])?$", 253
}

/// A kind of object, named as in the discovery of an API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct ObjectKind {
    /// The API group, which is empty for the core group.
    pub group: String,
    /// The version that the API server prefers: `v1`.
    pub version: String,
    /// The kind: `NetworkPolicy`.
    pub kind: String,
    /// The plural name, as in API paths: `networkpolicies`.
    pub plural: String,
    /// The singular name: `networkpolicy`.
    pub singular: String,
    /// The short names: `netpol`.
    pub short_names: Vec<String>,
    /// Whether the objects are in namespaces.
    pub namespaced: bool,
}

impl ObjectKind {
    /// Returns the kind of pods.
    pub(crate) fn pod() -> Self {
        Self {
            group: String::new(),
            version: "v1".into(),
            kind: "Pod".into(),
            plural: "pods".into(),
            singular: "pod".into(),
            short_names: vec!["po".into()],
            namespaced: true,
        }
    }

    /// Returns the kind of nodes.
    pub(crate) fn node() -> Self {
        Self {
            group: String::new(),
            version: "v1".into(),
            kind: "Node".into(),
            plural: "nodes".into(),
            singular: "node".into(),
            short_names: vec!["no".into()],
            namespaced: false,
        }
    }

    /// Returns the API version: `v1`, `networking.k8s.io/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether `name` is a name of this kind: its plural, singular, short name or kind, alone or with the group
    /// (`egressips.k8s.ovn.org`). Case does not matter.
    pub fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let (name, group) = name.split_once('.').map_or((name.as_str(), None), |(n, g)| (n, Some(g)));
        let of_group = group.is_none_or(|group| {
            group == self.group || group == format!("{}.{}", self.version, self.group).trim_end_matches('.')
        });
        let names = [&self.plural, &self.singular].into_iter().chain(&self.short_names);
        of_group && (self.kind.to_lowercase() == name || names.into_iter().any(|known| *known == name))
    }
}

/// Formats the plural name with the group: `networkpolicies.networking.k8s.io`.
impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// A query for objects of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectQuery {
    /// The kind.
    pub kind: ObjectKind,
    /// The namespace of the objects, or `None` for all namespaces.
    pub namespace: Option<Namespace>,
    /// The name of the object, or `None` for all names.
    pub name: Option<ObjectName>,
    /// The labels that the objects must have.
    pub labels: LabelSelector,
    /// The fields that the objects must have.
    pub fields: FieldSelector,
    /// The fields that the tool does not read, which a source may leave out. A pod of a large cluster takes 20 KB of
    /// memory.
    pub without: UnreadFields,
}

/// Paths of fields, in which `*` stands for each item of a list and each field of an object: `spec/*/*/env`.
pub type UnreadFields = &'static [&'static str];

/// Removes fields from an object.
pub(crate) fn leave_out(object: &mut Value, unread: UnreadFields) {
    fn at(value: &mut Value, path: &str) {
        match (path.split_once('/'), value) {
            (Some(("*", rest)), Value::Array(all)) => all.iter_mut().for_each(|item| at(item, rest)),
            (Some(("*", rest)), Value::Object(all)) => all.values_mut().for_each(|value| at(value, rest)),
            (Some((field, rest)), Value::Object(fields)) => {
                if let Some(value) = fields.get_mut(field) {
                    at(value, rest);
                }
            }
            (None, Value::Object(fields)) => _ = fields.shift_remove(path),
            _ => {}
        }
    }
    unread.iter().for_each(|path| at(object, path));
}

impl ObjectQuery {
    /// Returns a query for all objects of a kind.
    pub fn all(kind: ObjectKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Whether the query selects this object. Backends that hold all objects filter with it.
    pub fn matches(&self, object: &Value) -> bool {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        self.namespace.as_ref().is_none_or(|ns| ns.as_str() == text("/metadata/namespace"))
            && self.name.as_ref().is_none_or(|name| name.as_str() == text("/metadata/name"))
            && self.labels.matches(object)
            && self.fields.matches(object)
    }
}

/// Formats the query as the key by which a recording of its answer is found.
impl fmt::Display for ObjectQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, labels, fields, without: _ } = self;
        write!(f, "{kind}")?;
        if let Some(name) = name {
            write!(f, "/{name}")?;
        }
        match namespace {
            Some(namespace) => write!(f, " -n {namespace}")?,
            None if kind.namespaced => f.write_str(" -A")?,
            None => {}
        }
        if !labels.is_empty() {
            write!(f, " -l {labels}")?;
        }
        if fields.is_empty() { Ok(()) } else { write!(f, " --field-selector {fields}") }
    }
}

/// Objects as an API server prints them (`Table` of `meta.k8s.io/v1`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, one for each object.
    pub rows: Vec<TableRow>,
}

/// A column of a [`Table`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Column {
    /// The heading of the column, which `kubectl` prints in capitals.
    pub name: String,
    /// The priority: 0 is always shown, higher values only with `wide`.
    pub priority: i64,
}

/// A row of a [`Table`].
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct TableRow {
    /// The namespace of the object, which is empty for kinds without namespaces.
    pub namespace: String,
    /// The values, one for each column.
    pub cells: Vec<Value>,
}

impl Table {
    /// Redacts values that are secret by the heading of their column or by their form, because a column of a custom
    /// resource can show any field.
    pub(crate) fn redact(&mut self) {
        for row in &mut self.rows {
            for (column, cell) in self.columns.iter().zip(&mut row.cells) {
                if let Value::String(text) = cell {
                    *text = sanitize::redact_value(&column.name, text).into_owned();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policies() -> ObjectKind {
        ObjectKind {
            group: "networking.k8s.io".into(),
            version: "v1".into(),
            kind: "NetworkPolicy".into(),
            plural: "networkpolicies".into(),
            singular: "networkpolicy".into(),
            short_names: vec!["netpol".into()],
            namespaced: true,
        }
    }

    #[test]
    fn a_kind_has_many_names() {
        let names = ["netpol", "NetworkPolicy", "networkpolicies", "networkpolicy.networking.k8s.io"];
        assert!(names.iter().all(|name| policies().is_called(name)));
        let with_version = "networkpolicies.v1.networking.k8s.io";
        assert!(policies().is_called(with_version));
        assert!(!["pods", "netpol.apps", "", "networkpol"].iter().any(|name| policies().is_called(name)));
    }

    #[test]
    fn unread_fields_are_left_out() {
        let mut pod =
            json!({ "spec": { "volumes": [1], "containers": [{ "name": "a", "env": [] }, 7] }, "env": 1 });
        leave_out(&mut pod, &["spec/volumes", "spec/containers/*/env", "spec/nothing/*/env", "env/x"]);
        assert_eq!(pod, json!({ "spec": { "containers": [{ "name": "a" }, 7] }, "env": 1 }));
        leave_out(&mut pod, &["spec/*/*/name", "env/*/x"]);
        assert_eq!(pod, json!({ "spec": { "containers": [{}, 7] }, "env": 1 }));
    }

    #[test]
    fn names_of_objects_are_path_segments() {
        for good in ["web-1", "system:node", "10-244-0-5.shop", "node_1"] {
            assert!(good.parse::<ObjectName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a%2fb", "a?b", "-n", "a b", "a\n"] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_column_can_show_a_secret() {
        let column = |name: &str| Column { name: name.into(), priority: 0 };
        let columns = ["Name", "Admin Password", "URL", "Secrets"].map(column).to_vec();
        let cells = ["db", "hunter2", "https://me:hunter2@h/", "1"].map(Value::from).to_vec();
        let mut table = Table { columns, rows: vec![TableRow { namespace: "a".into(), cells }] };
        table.redact();
        let shown = ["db", "[redacted]", "https://me:[redacted]@h/", "1"].map(Value::from);
        assert_eq!(table.rows.first().map(|row| row.cells.as_slice()), Some(&shown[..]));
    }
}
