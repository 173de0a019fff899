//! Compares kubectl's columns with ours, for every kind of which the API server has objects: headings and rows, cell by
//! cell.

use serde_json::{Map, Value, json};

use super::super::Server;
use super::{Kubectl, start};
use crate::mcp::Session;
use crate::workspace::{Result, Workspace};

// The layer's own tests use the same code to take tables apart.
#[path = "../../../../crates/mcp-k8s/tests/columns/mod.rs"]
mod apart;

use apart::{Columns, without_ages};

/// Questions about some objects of a kind: kubectl's words, and our parameters.
const SOME: &[(&str, &str)] = &[
    ("pods -A -l app=web,!x", r#"{"kind": "pods", "labels": "app=web,!x"}"#),
    ("pods -A -l app=web,!x -o wide", r#"{"kind": "po", "labels": "app=web,!x", "output": "wide"}"#),
    ("pods -A -l app", r#"{"kind": "pods", "labels": "app"}"#),
    ("pods -A -l app!=web", r#"{"kind": "pods", "labels": "app!=web"}"#),
    (
        "pods -A --field-selector spec.nodeName=ovn-worker",
        r#"{"kind": "pods", "fields": "spec.nodeName=ovn-worker"}"#,
    ),
    (
        "pods -A --field-selector status.phase!=Running",
        r#"{"kind": "pods", "fields": "status.phase!=Running"}"#,
    ),
    ("events -A --field-selector type=Warning", r#"{"kind": "ev", "fields": "type=Warning"}"#),
    ("pod web-1 -n default", r#"{"kind": "pod/web-1", "namespace": "default"}"#),
    ("svc -n default -o wide", r#"{"kind": "svc", "namespace": "default", "output": "wide"}"#),
    ("node ovn-worker -o wide", r#"{"kind": "node", "name": "ovn-worker", "output": "wide"}"#),
    ("eip client-egress", r#"{"kind": "eip/client-egress"}"#),
    ("netpol -n default", r#"{"kind": "netpol", "namespace": "default"}"#),
];

/// Selected fields, in kubectl's words (`-o custom-columns`) and in ours.
const FIELDS: &[(&str, &str, &[&str])] = &[
    (
        "pods -n default",
        "NAME:.metadata.name,NODENAME:.spec.nodeName,IP:.status.podIP",
        &[".spec.nodeName", "IP:.status.podIP"],
    ),
    (
        "pods -n default",
        r#"NAME:.metadata.name,READY:.status.conditions[?(@.type=="Ready")].status,IPS:.status.podIPs[*].ip"#,
        &[r#"READY:.status.conditions[?(@.type=="Ready")].status"#, "IPS:.status.podIPs[*].ip"],
    ),
    (
        "nodes",
        r"NAME:.metadata.name,ZONE:.metadata.annotations.k8s\.ovn\.org/zone-name,NOTHING:.spec.nothing",
        &["ZONE:.metadata.annotations['k8s.ovn.org/zone-name']", "NOTHING:.spec.nothing"],
    ),
    ("svc -n default", "NAME:.metadata.name,PORT:.spec.ports[0].port", &["PORT:.spec.ports[0].port"]),
];

/// Compares all kinds and questions.
pub(super) fn check(workspace: &Workspace, server: &Server, kubectl: &Kubectl) -> Result {
    // The limit is high, because the rows are compared and not the paging.
    let mut session = start(workspace, server, workspace.layer("mcp-k8s")?, &["--max-bytes=10000000"])?;
    let mut both = ColumnComparison { kubectl, session: &mut session, rows: 0 };
    let kinds = kubectl.run("admin", &["api-resources", "--verbs=list", "-o", "name"], "")?.text;
    let (mut with_objects, mut without) = (0, 0);
    for kind in kinds.lines() {
        match both.kind(kind).map_err(|error| format!("{kind}: {error}"))? {
            true => with_objects += 1,
            false => without += 1,
        }
    }
    for (words, params) in SOME {
        let rows = both.tables(words, &serde_json::from_str(params)?)?;
        if rows == 0 {
            return Err(format!("kubectl get {words}: no row was compared").into());
        }
    }
    for (words, theirs, ours) in FIELDS {
        both.fields(words, theirs, ours)?;
    }
    let rows = both.rows;
    session.close()?;
    println!(
        "kubectl get: {rows} rows of {with_objects} kinds equal ours in every cell, and one whole object of each kind; {without} kinds have no objects"
    );
    Ok(())
}

type Params = Map<String, Value>;

fn params<const N: usize>(given: [(&str, &str); N]) -> Params {
    given.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

struct ColumnComparison<'a> {
    kubectl: &'a Kubectl,
    session: &'a mut Session,
    rows: usize,
}

impl ColumnComparison<'_> {
    fn theirs(&self, words: &str) -> Result<String> {
        let words: Vec<&str> = ["get"].into_iter().chain(words.split(' ')).collect();
        Ok(self.kubectl.expect("admin", &words, "", 0, &[])?.text)
    }

    /// Returns the lines of the answer itself, from all its pages.
    fn ours(&mut self, params: &Params) -> Result<Vec<String>> {
        let (mut params, mut all) = (params.clone(), Vec::<String>::new());
        loop {
            let text = self.session.call("kubectl_get", &json!(params))??;
            let lines = text.lines().filter(|line| !line.starts_with("# ") && !line.starts_with("note: "));
            // Each page repeats the heading.
            let page = lines.filter(|line| all.first().is_none_or(|first| first != line)).map(str::to_owned);
            all.append(&mut page.collect());
            match text.split_once("; offset=").and_then(|(_, rest)| rest.split_once(' ')) {
                Some((next, _)) => _ = params.insert("offset".into(), next.parse::<u64>()?.into()),
                None => return Ok(all),
            }
        }
    }

    /// Compares the tables of all objects of a kind, and one whole object. Returns false if there is no object.
    fn kind(&mut self, kind: &str) -> Result<bool> {
        if self.theirs(&format!("{kind} -A"))?.starts_with("No resources found") {
            let ours = self.ours(&params([("kind", kind)]))?;
            return match ours.as_slice() {
                [line] if line.starts_with("there are no ") => Ok(false),
                _ => Err(format!("kubectl finds no object, but kubectl_get answers {ours:?}").into()),
            };
        }
        for output in ["table", "wide"] {
            let wide = if output == "wide" { " -o wide" } else { "" };
            self.tables(&format!("{kind} -A{wide}"), &params([("kind", kind), ("output", output)]))?;
        }
        self.whole(kind)?;
        Ok(true)
    }

    /// Returns the number of rows that were compared.
    fn tables(&mut self, words: &str, params: &Params) -> Result<usize> {
        let theirs = self.theirs(words)?;
        let ours = self.ours(params)?;
        let (mut theirs, mut ours) =
            (Columns::parse(theirs.lines()), Columns::parse(ours.iter().map(String::as_str)));
        for table in [&mut theirs, &mut ours] {
            table.rows.iter_mut().flatten().for_each(|cell| *cell = without_ages(cell));
            // The server sorts by its keys, and we sort by name.
            table.rows.sort();
        }
        if theirs != ours {
            let of = |table: &Columns, other: &Columns| {
                let rows = table.rows.iter().filter(|row| !other.rows.contains(row));
                format!("{:?}\n{}", table.names, rows.map(|row| format!("{row:?}\n")).collect::<String>())
            };
            return Err(format!(
                "kubectl get {words} and kubectl_get {params:?} differ\nkubectl:\n{}ours:\n{}",
                of(&theirs, &ours),
                of(&ours, &theirs)
            )
            .into());
        }
        self.rows += ours.rows.len();
        Ok(ours.rows.len())
    }

    /// Compares the first object as YAML.
    fn whole(&mut self, kind: &str) -> Result {
        let list: Value = serde_json::from_str(&self.theirs(&format!("{kind} -A -o json"))?)?;
        let first = list.pointer("/items/0/metadata").ok_or("the list has no object")?;
        let of = |key| first.get(key).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (of("namespace"), of("name"));
        let (mut words, mut params) =
            (format!("{kind} {name} -o yaml"), params([("kind", kind), ("name", name), ("output", "yaml")]));
        if !namespace.is_empty() {
            words += &format!(" -n {namespace}");
            params.insert("namespace".into(), namespace.into());
        }
        let mut theirs: Value = serde_saphyr::from_str(&self.theirs(&words)?)?;
        let ours: Value = serde_saphyr::from_str(&self.ours(&params)?.join("\n"))?;
        leave_out(&mut theirs);
        match difference(&theirs, &ours, "") {
            None => Ok(()),
            Some(at) => Err(format!("kubectl get {words} and kubectl_get {params:?} differ at {at}").into()),
        }
    }

    fn fields(&mut self, words: &str, theirs: &str, ours: &[&str]) -> Result {
        let text = self.theirs(&format!("{words} -o custom-columns={theirs}"))?;
        let (kind, namespace) = words.split_once(" -n ").unwrap_or((words, ""));
        let mut params = params([("kind", kind)]);
        params.insert("columns".into(), json!(ours));
        if !namespace.is_empty() {
            params.insert("namespace".into(), namespace.into());
        }
        let answer = self.ours(&params)?;
        let (theirs, ours) =
            (Columns::parse(text.lines()), Columns::parse(answer.iter().map(String::as_str)));
        if theirs == ours && !ours.rows.is_empty() {
            return Ok(());
        }
        Err(format!("kubectl get {words}: {theirs:?}\nours: {ours:?}").into())
    }
}

/// Removes the fields that our answers leave out, because they copy the rest.
fn leave_out(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.ends_with("last-applied-configuration"));
        }
        metadata.retain(|key, value| {
            key != "annotations" || value.as_object().is_some_and(|all| !all.is_empty())
        });
    }
}

/// Returns the first place at which two objects differ, except in secrets.
fn difference(theirs: &Value, ours: &Value, path: &str) -> Option<String> {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = a
                .keys()
                .find(|key| !b.contains_key(*key))
                .or_else(|| b.keys().find(|key| !a.contains_key(*key)));
            missing.map(|key| format!("{path}.{key}")).or_else(|| {
                a.iter().find_map(|(key, value)| difference(value, b.get(key)?, &format!("{path}.{key}")))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| difference(a, b, &format!("{path}[]")))
        }
        (a, b) if a == b => None,
        (_, Value::String(text)) if text.contains("[redacted") => None,
        _ => Some(format!("{path}: {theirs} and {ours}")),
    }
}
