//! Reads Kubernetes objects.

use super::{
    api::{Api, RequestDeadline, accept},
    error::{ApiRequest, ClusterError},
};
use crate::{Column, ObjectKind, ObjectQuery, ReadError, Table, TableRow, kubernetes};
use http::Request;
use kube::{
    api::{ListParams, Request as Ask},
    core::params::GetParams,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The number of objects in a page, which is kubectl's.
const PAGE: u32 = 500;
/// The largest number of objects in one answer. It is more than a model could ever read, and small enough for memory.
const MAX_OBJECTS: usize = 200_000;

const AS_TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// The metadata that all lists have.
#[derive(Deserialize, Default)]
struct ListMeta {
    #[serde(rename = "continue", default)]
    go_on: Option<String>,
}

#[derive(Deserialize)]
struct ObjectPage {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TablePage {
    kind: String,
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    column_definitions: Vec<TablePageColumn>,
    #[serde(default)]
    rows: Option<Vec<TablePageRow>>,
}

#[derive(Deserialize)]
struct TablePageColumn {
    name: String,
    #[serde(default)]
    priority: i64,
}

#[derive(Deserialize)]
struct TablePageRow {
    #[serde(default)]
    cells: Vec<Value>,
    #[serde(default)]
    object: Value,
}

/// A page of a list: objects, or rows of a table.
trait Page: DeserializeOwned {
    fn go_on(&self) -> Option<&str>;
}

impl Page for ObjectPage {
    fn go_on(&self) -> Option<&str> {
        self.metadata.go_on.as_deref().filter(|token| !token.is_empty())
    }
}

impl Page for TablePage {
    fn go_on(&self) -> Option<&str> {
        self.metadata.go_on.as_deref().filter(|token| !token.is_empty())
    }
}

/// A request for objects, and the form of its answer.
struct ListRequest<'a> {
    query: &'a ObjectQuery,
    asked: ApiRequest,
    accept: &'static str,
}

/// The path of a kind's objects.
fn collection(kind: &ObjectKind, namespace: Option<&str>) -> String {
    let root = if kind.group.is_empty() { "/api" } else { "/apis" };
    let of = match namespace {
        Some(namespace) if kind.namespaced => format!("namespaces/{namespace}/"),
        _ => String::new(),
    };
    format!("{root}/{}/{of}{}", kind.api_version(), kind.plural)
}

impl ListRequest<'_> {
    fn path(&self) -> String {
        collection(&self.query.kind, self.query.namespace.as_ref().map(|ns| ns.as_str()))
    }

    /// Returns true if the request is for one object with a path of its own. An object that could be in any namespace
    /// has none.
    fn is_of_one(&self) -> bool {
        self.query.name.is_some() && (!self.query.kind.namespaced || self.query.namespace.is_some())
    }

    fn one(&self, name: &str) -> Result<Request<Vec<u8>>, ReadError> {
        let request = Ask::new(self.path()).get(name, &GetParams::default());
        Ok(accept(request.map_err(|e| ReadError::unreadable("a request", e))?, self.accept))
    }

    fn page(
        &self,
        selectors: ServerSelectors,
        limit: Option<u32>,
        go_on: Option<&str>,
    ) -> Result<Request<Vec<u8>>, ReadError> {
        let ObjectQuery { name, labels, fields, .. } = self.query;
        let mut list =
            ListParams { limit, continue_token: go_on.map(str::to_owned), ..ListParams::default() };
        if !labels.is_empty() {
            list = list.labels(&labels.to_string());
        }
        let by_name = name.as_ref().map(|name| format!("metadata.name={name}"));
        let by_fields = (selectors == ServerSelectors::All && !fields.is_empty()).then(|| fields.to_string());
        let fields: Vec<String> = by_name.into_iter().chain(by_fields).collect();
        if !fields.is_empty() {
            list = list.fields(&fields.join(","));
        }
        let request = Ask::new(self.path()).list(&list);
        Ok(accept(request.map_err(|e| ReadError::unreadable("a request", e))?, self.accept))
    }
}

/// Which selectors the server evaluates. It supports few fields of most kinds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServerSelectors {
    All,
    LabelsOnly,
}

fn asked(query: &ObjectQuery, verb: &'static str) -> ApiRequest {
    ApiRequest {
        verb,
        resource: query.kind.to_string(),
        namespace: query.namespace.as_ref().map(ToString::to_string),
        name: query.name.as_ref().map(ToString::to_string),
    }
}

/// Reads all pages. `take` stores a page, and returns the number of objects so far.
async fn pages<P: Page>(
    api: &Api,
    question: &ListRequest<'_>,
    selectors: ServerSelectors,
    deadline: RequestDeadline,
    mut take: impl FnMut(P) -> usize,
) -> Result<Restarted, ReadError> {
    let (mut go_on, mut limit) = (None::<String>, Some(PAGE));
    loop {
        let request = question.page(selectors, limit, go_on.as_deref())?;
        let page: P = match api.get(&question.asked, request, deadline).await {
            // All pages show the same moment, and the server forgets that moment after a while (410 Gone). Then the
            // list is read once more, in one page.
            Err(ReadError::Cluster(ClusterError::Refused { code: 410, .. })) if go_on.is_some() => {
                (go_on, limit) = (None, None);
                continue;
            }
            page => page?,
        };
        let next = page.go_on().map(str::to_owned);
        if limit.is_none() && next.is_some() {
            return Err(ReadError::TooLarge { what: question.asked.to_string(), limit: MAX_OBJECTS as u64 });
        }
        let have = take(page);
        if have > MAX_OBJECTS {
            return Err(ReadError::TooLarge { what: question.asked.to_string(), limit: MAX_OBJECTS as u64 });
        }
        match next {
            Some(next) => go_on = Some(next),
            None => return Ok(Restarted(limit.is_none())),
        }
    }
}

/// True if the list was read again from the start, so that the last page contains all earlier ones.
struct Restarted(bool);

/// Returns true if the server cannot select by the field.
fn is_unknown_field(error: &ReadError) -> bool {
    matches!(error, ReadError::Cluster(ClusterError::Refused { code: 400, said, .. })
        if said.contains("field label not supported") || said.contains("not a known field selector"))
}

/// Returns true if the kind exists, but the object does not.
fn is_no_object(error: &ReadError, query: &ObjectQuery) -> bool {
    let named = |said: &str| query.name.as_ref().is_some_and(|name| said.contains(&format!("\"{name}\"")));
    matches!(error, ReadError::Cluster(ClusterError::NotFound { said, .. }) if named(said))
}

/// Returns objects sorted by namespace and name, and notes.
pub(super) async fn objects(
    api: &Api,
    query: &ObjectQuery,
    deadline: RequestDeadline,
) -> Result<(Vec<Value>, Vec<String>), ReadError> {
    let mut notes = Vec::new();
    let question = ListRequest { query, asked: asked(query, "list"), accept: "application/json" };
    let mut objects = if let Some(name) = query.name.as_ref().filter(|_| question.is_of_one()) {
        match api.get::<Value>(&asked(query, "get"), question.one(name.as_str())?, deadline).await {
            Ok(object) => prepared(query, vec![object]).collect(),
            Err(e) if is_no_object(&e, query) => Vec::new(),
            Err(e) => return Err(e),
        }
    } else {
        let mut selectors = ServerSelectors::All;
        loop {
            let mut all = Vec::new();
            let mut begun = Vec::new();
            let read = pages(api, &question, selectors, deadline, |page: ObjectPage| {
                begun.push(all.len());
                // Each page is reduced as it arrives, because all pages together may not fit into memory.
                all.extend(prepared(query, page.items.unwrap_or_default()));
                all.len()
            });
            match read.await {
                Ok(Restarted(true)) => {
                    all.drain(..begun.last().copied().unwrap_or(0));
                    break all;
                }
                Ok(Restarted(false)) => break all,
                Err(e) if selectors == ServerSelectors::All && is_unknown_field(&e) => {
                    notes.push(format!(
                        "the API server cannot select by {}, so this server did it",
                        query.fields
                    ));
                    selectors = ServerSelectors::LabelsOnly;
                }
                Err(e) => return Err(e),
            }
        }
    };
    objects.sort_by_cached_key(key);
    Ok((objects, notes))
}

/// Completes, redacts and filters the objects of a page.
fn prepared(query: &ObjectQuery, page: Vec<Value>) -> impl Iterator<Item = Value> {
    page.into_iter().filter_map(|mut object| {
        if let Some(object) = object.as_object_mut() {
            // Lists of built-in kinds omit the kind and version of their items.
            object.insert("apiVersion".into(), query.kind.api_version().into());
            object.insert("kind".into(), query.kind.kind.clone().into());
        }
        // Values are redacted before the selectors are evaluated: a selector that sees a secret would reveal it.
        kubernetes::redact(&query.kind, &mut object);
        // The objects are filtered again, for servers that ignore a selector and fields that a server cannot select by.
        query.matches(&object).then(|| {
            kubernetes::leave_out(&mut object, query.without);
            object
        })
    })
}

fn key(object: &Value) -> (String, String) {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/metadata/namespace"), text("/metadata/name"))
}

/// Returns objects as the server prints them, or `None` if it does not.
pub(super) async fn table(
    api: &Api,
    query: &ObjectQuery,
    deadline: RequestDeadline,
) -> Result<Option<Table>, ReadError> {
    let question = ListRequest { query, asked: asked(query, "list"), accept: AS_TABLE };
    let mut all: Vec<TablePage> = Vec::new();
    if let Some(name) = query.name.as_ref().filter(|_| question.is_of_one()) {
        match api.get::<Value>(&asked(query, "get"), question.one(name.as_str())?, deadline).await {
            Ok(value) => all.extend(serde_json::from_value::<TablePage>(value)),
            Err(e) if is_no_object(&e, query) => return Ok(Some(Table::default())),
            Err(e) => return Err(e),
        }
    } else {
        let mut begun = 0;
        let read = pages(api, &question, ServerSelectors::All, deadline, |page: TablePage| {
            begun = all.len();
            all.push(page);
            all.iter().map(|page| page.rows.as_ref().map_or(0, Vec::len)).sum()
        });
        match read.await {
            Ok(Restarted(true)) => _ = all.drain(..begun),
            Ok(Restarted(false)) => {}
            // A table without the selector would show other objects.
            Err(e) if is_unknown_field(&e) => return Ok(None),
            Err(e) => return Err(e),
        }
    }
    if all.is_empty() || all.iter().any(|page| page.kind != "Table") {
        return Ok(None);
    }
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for page in all {
        // Later pages may omit the columns.
        if columns.is_empty() {
            let column = |c: TablePageColumn| Column { name: c.name, priority: c.priority };
            columns = page.column_definitions.into_iter().map(column).collect();
        }
        for row in page.rows.unwrap_or_default() {
            let (namespace, name) = key(&row.object);
            rows.push((name, TableRow { namespace, cells: row.cells }));
        }
    }
    rows.sort_by(|(a, x), (b, y)| (&x.namespace, a).cmp(&(&y.namespace, b)));
    let mut table = Table { columns, rows: rows.into_iter().map(|(_, row)| row).collect() };
    table.redact();
    Ok(Some(table))
}
