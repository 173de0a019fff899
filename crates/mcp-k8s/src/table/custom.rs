//! Prints custom resources with the columns of their definition (`additionalPrinterColumns`).

use super::{Cells, TableContext, age::since, object::Object, path::FieldPath};
use mcp_core::{Column, ObjectKind};
use serde_json::Value;

/// The columns of the custom resources of OVN-Kubernetes and the network plumbing group in their definitions of
/// 2026-08: resource, version, column, type, priority, path. A test compares the table with the definitions of the
/// captured cluster.
pub(super) const SHIPPED: &str = include_str!("custom.tsv");

/// A column of a custom resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PrinterColumn {
    column: Column,
    kind: String,
    /// The path of the value. `None` for an unsupported path, whose cells are empty.
    path: Option<FieldPath>,
}

/// Returns the columns of a version in a CustomResourceDefinition.
pub(crate) fn of_definition(definition: &Value, version: &str) -> Option<Vec<PrinterColumn>> {
    let definition = Object(definition);
    let served = definition.list("/spec/versions").find(|served| served.text("/name") == version)?;
    let columns = served.list("/additionalPrinterColumns").map(|column| PrinterColumn {
        column: Column { name: column.text("/name").into(), priority: column.int("/priority") },
        kind: column.text("/type").into(),
        path: column.text("/jsonPath").parse().ok(),
    });
    Some(or_age(columns.collect()))
}

/// Returns the columns of a resource from the shipped table.
pub(super) fn shipped(kind: &ObjectKind) -> Option<Vec<PrinterColumn>> {
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
            all.push(PrinterColumn { column, kind: (*typed).into(), path: path.parse().ok() });
        }
    }
    known.then_some(all)
}

/// Adds the default column `Age` if a definition has no columns.
fn or_age(columns: Vec<PrinterColumn>) -> Vec<PrinterColumn> {
    if !columns.is_empty() {
        return columns;
    }
    let column = Column { name: "Age".into(), priority: 0 };
    vec![PrinterColumn { column, kind: "date".into(), path: ".metadata.creationTimestamp".parse().ok() }]
}

pub(super) fn columns(printed: &[PrinterColumn]) -> Vec<Column> {
    let name = Column { name: "Name".into(), priority: 0 };
    std::iter::once(name).chain(printed.iter().map(|one| one.column.clone())).collect()
}

pub(super) fn cells(object: &Value, printed: &[PrinterColumn], context: &TableContext) -> Cells {
    let name = Object(object).text("/metadata/name").into();
    std::iter::once(name).chain(printed.iter().map(|one| one.cell(object, context))).collect()
}

impl PrinterColumn {
    /// Returns the cell as the API server computes it
    /// (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`). It uses the first of several values.
    fn cell(&self, object: &Value, context: &TableContext) -> Value {
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

/// Returns the columns of all versions of a definition in the format of [`SHIPPED`].
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
