//! The tool `kubectl_get`: lists objects.

use crate::{
    json,
    table::{self, BadPath, FieldPath, TableContext},
    which::{ObjectSelection, incomplete},
};
use mcp_core::{Answer, ClusterReader, ClusterTool, ObjectKind, ObjectQuery, Row, Table, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(crate) struct KubectlGet;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// One or more kinds or short names: `pods,svc`, `eip`, `node/ovn-worker`.
    kind: String,
    /// One or more names of objects, separated by commas.
    name: Option<String>,
    /// Namespace.
    namespace: Option<String>,
    /// Label selector: `app=web,tier!=db`.
    labels: Option<String>,
    /// Field selector: `spec.nodeName=a,status.phase!=Running`.
    fields: Option<String>,
    /// Output format. Default: `table`.
    #[serde(default)]
    output: Output,
    /// Paths to show as columns: `.spec.nodeName`, `IP:.status.podIP`, `.status.conditions[?(@.type=="Ready")].status`.
    columns: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Output {
    #[default]
    Table,
    Wide,
    Yaml,
    Json,
}

impl ClusterTool for KubectlGet {
    const NAME: &'static str = "kubectl_get";
    const TITLE: &'static str = "Kubernetes objects";
    const TOOLSET: &'static str = "objects";
    const DESCRIPTION: &'static str = "Lists objects of any kind, including the custom resources of OVN-Kubernetes, as a \
         table like kubectl's, as YAML or JSON, or as selected columns. In a bundle, AGE is the age at the time of \
         collection. Values of Secrets are hidden; kubectl_describe shows more about one object.";
    type Params = Params;

    fn title(params: &Params) -> String {
        params.kind.clone()
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let which =
            ObjectSelection::parse(&params.kind, params.name.as_deref(), params.namespace.as_deref())?
                .selected(params.labels.as_deref(), params.fields.as_deref())?;
        let columns = paths(params.columns.as_deref().unwrap_or_default())?;
        let several = which.kinds.len() > 1;
        let mut answer = Answer::default();
        let (mut none, mut failed) = (Vec::new(), Vec::new());
        // A named object is printed alone, as kubectl does. Several objects are the rows of one `List`.
        let is_json = params.output == Output::Json && columns.is_empty();
        answer.objects = is_json && (several || which.names.len() != 1);
        for name in &which.kinds {
            // A kind that cannot be read must not hide the other kinds.
            let kind = match cluster.kind(name).await {
                Ok(kind) => kind,
                Err(e) => {
                    failed.push(e);
                    continue;
                }
            };
            let rows = match is_json {
                true => objects(cluster, &which, &kind, answer.objects).await,
                false => rows(cluster, &which, &kind, params.output, &columns, &mut answer.notes).await,
            };
            // Each row names its kind in the heading, because an answer can hold several kinds.
            let headed = |row| if several { headed(row, &kind) } else { row };
            match rows {
                Err(e) => failed.push(e),
                Ok(rows) if rows.is_empty() => none.push(which.words(&kind)),
                Ok(rows) => answer.rows.extend(rows.into_iter().map(headed)),
            }
        }
        if failed.len() == which.kinds.len()
            && let Some(error) = failed.drain(..).next()
        {
            return Err(error);
        }
        answer.notes.extend(failed.iter().map(ToString::to_string));
        if !none.is_empty() {
            let none = none.join(", no ");
            answer.if_empty = match cluster.damaged().as_slice() {
                [] => format!("there are no {none}"),
                damaged => format!("the readable data has no {none}, but {}", incomplete(damaged)),
            };
        }
        if !answer.rows.is_empty() && !none.is_empty() {
            answer.notes.push(answer.if_empty.clone());
        }
        Ok(answer)
    }
}

/// Returns the JSON of objects, one row for each object.
async fn objects(
    cluster: &ClusterReader<'_>,
    which: &ObjectSelection,
    kind: &ObjectKind,
    in_list: bool,
) -> Result<Vec<Row>, ToolError> {
    let objects = which.objects(cluster, kind).await?;
    let row = |object: &Value| match in_list {
        true => Ok(Row::line(object.to_string())),
        false => json::single(object, cluster.budget()).map(Row::line),
    };
    objects.iter().map(row).collect()
}

fn headed(row: Row, kind: &ObjectKind) -> Row {
    let heading = row.heading.as_deref().unwrap_or_default();
    Row { heading: Some(format!("{kind}:\n{heading}").into()), ..row }
}

/// Parses the parameter `columns`: `NAME:.path` or `.path`.
fn paths(columns: &[String]) -> Result<Vec<(String, FieldPath)>, ToolError> {
    let parse = |text: &String| {
        let (name, path) = match text.split_once(':') {
            Some((name, path))
                if !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c)) =>
            {
                (Some(name.trim().to_owned()), path)
            }
            _ => (None, text.as_str()),
        };
        let path: FieldPath = path.parse()?;
        Ok((name.unwrap_or_else(|| path.name()), path))
    };
    columns.iter().map(parse).collect::<Result<_, BadPath>>().map_err(|e| {
        ToolError::bad(
            format!("parameter `columns`: {e}"),
            "Pass paths such as .spec.nodeName, .status.conditions[*].type, .metadata.labels['a.b/c'].",
        )
    })
}

async fn rows(
    cluster: &ClusterReader<'_>,
    which: &ObjectSelection,
    kind: &ObjectKind,
    output: Output,
    columns: &[(String, FieldPath)],
    notes: &mut Vec<String>,
) -> Result<Vec<Row>, ToolError> {
    let several = kind.namespaced && which.namespace.is_none();
    let shown = |table: &Table, wide| {
        let table::TableLines { heading, rows } = table::lines(table, wide, several);
        let heading: Arc<str> = heading.into();
        rows.into_iter().map(|line| Row::line(line).under(&heading)).collect()
    };
    if !columns.is_empty() {
        let objects = which.objects(cluster, kind).await?;
        return Ok(shown(&table::of_paths(&objects, columns), false));
    }
    if let Output::Table | Output::Wide = output {
        let table = table(cluster, which, kind, notes).await?;
        return Ok(shown(&table, output == Output::Wide));
    }
    let objects = which.objects(cluster, kind).await?;
    // One object: each line is a row, so that paging can split the object. Several objects: each object is a row, so
    // that `limit` counts objects.
    Ok(match objects.as_slice() {
        [only] => yaml_rows(only, kind),
        several => several.iter().map(|object| merged(yaml_rows(object, kind))).collect(),
    })
}

/// Merges the rows of an object into one row.
fn merged(rows: Vec<Row>) -> Row {
    let heading = rows.first().and_then(|row| row.heading.clone());
    let text = rows.into_iter().map(|row| row.text).collect::<Vec<_>>().join("\n");
    Row { heading, ..Row::line(text) }
}

/// Returns the table that the API server prints, or builds the same table from the objects of a bundle.
async fn table(
    cluster: &ClusterReader<'_>,
    which: &ObjectSelection,
    kind: &ObjectKind,
    notes: &mut Vec<String>,
) -> Result<Table, ToolError> {
    if which.names.len() < 2
        && let Some(table) = cluster.table(&which.query(kind.clone())).await?
    {
        if table.rows.is_empty() {
            // This call fails with the reason if the name or the namespace does not exist.
            which.listed(cluster, kind).await?;
        }
        return Ok(table);
    }
    let objects = which.listed(cluster, kind).await?;
    let custom = if table::is_known(kind) { None } else { definition(cluster, kind).await };
    if custom.is_none() && !table::is_known(kind) {
        notes.push(format!(
            "the columns that kubectl prints for {kind} are unknown; output=yaml shows all fields"
        ));
    }
    Ok(table::of(kind, &objects, custom.as_deref(), &TableContext { as_of: cluster.as_of() }))
}

/// Returns the columns of a custom resource, from its definition in the source or from the shipped table.
async fn definition(cluster: &ClusterReader<'_>, kind: &ObjectKind) -> Option<Vec<table::PrinterColumn>> {
    let definitions = cluster.kind("customresourcedefinitions.apiextensions.k8s.io").await.ok()?;
    let query = ObjectQuery { name: kind.to_string().parse().ok(), ..ObjectQuery::all(definitions) };
    let found = cluster.objects(&query).await.unwrap_or_default();
    let given = found.first().and_then(|definition| table::of_definition(definition, &kind.version));
    given.or_else(|| table::shipped(kind))
}

/// Returns an object as YAML, one row for each line.
fn yaml_rows(object: &Value, kind: &ObjectKind) -> Vec<Row> {
    let part = |path| table::Object(object).text(path);
    let name = match (part("/metadata/namespace"), part("/metadata/name")) {
        ("", name) => format!("# {}/{name}", kind.singular),
        (namespace, name) => format!("# {}/{name} in {namespace}", kind.singular),
    };
    let heading: Arc<str> = name.into();
    mcp_core::yaml_lines(object).into_iter().map(|line| Row::line(line).under(&heading)).collect()
}
