//! Custom resources: the columns that their definition asks for (`additionalPrinterColumns`).

use super::{Cells, Context, age::since, object::Object, path::Path};
use mcp_core::{Column, Kind};
use serde_json::Value;

/// The columns of OVN-Kubernetes' and the network plumbing group's resources, as their definitions of 2026-08 have them:
/// resource, version, column, type, priority, path. A test compares it with the definitions of the captured cluster.
pub(super) const SHIPPED: &str = include_str!("custom.tsv");

/// A column of a custom resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Printed {
    column: Column,
    kind: String,
    /// None: a path that is more than we understand; its cells are empty.
    path: Option<Path>,
}

/// The columns that a CustomResourceDefinition gives for a version.
pub(crate) fn of_definition(definition: &Value, version: &str) -> Option<Vec<Printed>> {
    let definition = Object(definition);
    let served = definition.list("/spec/versions").find(|served| served.text("/name") == version)?;
    let columns = served.list("/additionalPrinterColumns").map(|column| Printed {
        column: Column { name: column.text("/name").into(), priority: column.int("/priority") },
        kind: column.text("/type").into(),
        path: column.text("/jsonPath").parse().ok(),
    });
    Some(or_age(columns.collect()))
}

/// The columns of a resource whose definition ships with us.
pub(super) fn shipped(kind: &Kind) -> Option<Vec<Printed>> {
    let resource = kind.to_string();
    let lines = SHIPPED.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let (mut known, mut all) = (false, Vec::new());
    for line in lines {
        if let [of, version, name, typed, priority, path] = line.as_slice()
            && *of == resource
            && *version == kind.version
        {
            known = true;
            let column = Column { name: (*name).into(), priority: priority.parse().unwrap_or_default() };
            all.push(Printed { column, kind: (*typed).into(), path: path.parse().ok() });
        }
    }
    known.then_some(all)
}

/// A definition without columns has one.
fn or_age(columns: Vec<Printed>) -> Vec<Printed> {
    if !columns.is_empty() {
        return columns;
    }
    let column = Column { name: "Age".into(), priority: 0 };
    vec![Printed { column, kind: "date".into(), path: ".metadata.creationTimestamp".parse().ok() }]
}

pub(super) fn columns(printed: &[Printed]) -> Vec<Column> {
    let name = Column { name: "Name".into(), priority: 0 };
    std::iter::once(name).chain(printed.iter().map(|one| one.column.clone())).collect()
}

pub(super) fn cells(object: &Value, printed: &[Printed], context: &Context) -> Cells {
    let name = Object(object).text("/metadata/name").into();
    std::iter::once(name).chain(printed.iter().map(|one| one.cell(object, context))).collect()
}

impl Printed {
    /// As the API server makes it (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`): of several values
    /// the first.
    fn cell(&self, object: &Value, context: &Context) -> Value {
        let Some(found) = self.path.as_ref().and_then(|path| path.find(object).first().copied()) else {
            return Value::Null;
        };
        match (self.kind.as_str(), found) {
            ("string", Value::String(_)) | ("integer", Value::Number(_)) => found.clone(),
            ("string", Value::Null) => Value::Null,
            ("string", other) => other.to_string().into(),
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => found.clone(),
            ("date", Value::String(text)) => match text.parse::<jiff::Timestamp>() {
                Ok(_) => since(found, context.as_of).into(),
                Err(_) => "<invalid>".into(),
            },
            _ => Value::Null,
        }
    }
}

/// The columns of a definition's versions, as [`SHIPPED`] has them.
#[cfg(test)]
pub(super) fn ship(definition: &Value) -> String {
    let definition = Object(definition);
    let mut text = String::new();
    for version in definition.list("/spec/versions") {
        let name = version.text("/name");
        let columns = version.list("/additionalPrinterColumns");
        let resource = definition.text("/metadata/name");
        if columns.len() == 0 {
            text += &format!("{resource}\t{name}\tAge\tdate\t0\t.metadata.creationTimestamp\n");
        }
        for column in columns {
            let [of, typed, path] = ["/name", "/type", "/jsonPath"].map(|field| column.text(field));
            text += &format!("{resource}\t{name}\t{of}\t{typed}\t{}\t{path}\n", column.int("/priority"));
        }
    }
    text
}
