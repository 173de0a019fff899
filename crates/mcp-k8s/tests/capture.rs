//! Compares the must-gather of the captured cluster with the answers of its API server twenty minutes later. The
//! objects must be equal, except for values that change with time.

mod columns;

use columns::{Columns, without_ages};
use mcp_core::{Backend, Bundle, ObjectQuery};
use mcp_testing::{Connection, Failed, testdata, unpack};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The fields that change with every update of an object.
const CHANGES: [&str; 1] = ["metadata.resourceVersion"];

fn name(object: &Value) -> (String, String) {
    let text = |path| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/metadata/namespace"), text("/metadata/name"))
}

/// Collects the paths at which two values differ, without list indexes.
fn differences(one: &Value, other: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let get = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                differences(&get(a), &get(b), &below(key), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| differences(a, b, path, found));
        }
        (a, b) if a == b => {}
        _ => _ = found.insert(path.to_owned()),
    }
}

/// Removes the fields that both sources leave out.
fn leave_out(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
}

/// The snapshot lists the differences: heartbeats, the state of crashing pods, two annotations, and events, which an
/// API server deletes after an hour.
#[tokio::test]
async fn the_bundle_has_the_objects_of_the_api_server() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    unpack("capture/api.tar.xz", folder.path())?;
    let bundle = Bundle::new(vec![testdata().join("capture/must-gather.tar.xz")]);
    let within = Duration::from_secs(60);
    let kinds = bundle.kinds(within).await?.value;
    let (mut same, mut changed, mut absent) =
        (0, BTreeMap::<String, BTreeSet<String>>::new(), BTreeMap::<String, usize>::new());
    for entry in std::fs::read_dir(folder.path().join("api"))? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(resource) = file.strip_suffix(".list.json") else { continue };
        let plural = resource.rsplit('_').next().unwrap_or_default();
        let kind =
            kinds.iter().find(|kind| kind.plural == plural).ok_or_else(|| format!("no kind {plural}"))?;
        let list: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let mut theirs: BTreeMap<_, _> = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|object| (name(object), object.clone()))
            .collect();
        for ours in bundle.objects(&ObjectQuery::all(kind.clone()), within).await?.value {
            let Some(mut other) = theirs.remove(&name(&ours)) else {
                *absent.entry(format!("{plural} only in the bundle")).or_default() += 1;
                continue;
            };
            leave_out(&mut other);
            let mut found = BTreeSet::new();
            // Items in the lists of the API server have no kind and apiVersion.
            let mut ours = ours;
            for field in ["kind", "apiVersion"] {
                ours.as_object_mut().ok_or("no object")?.remove(field);
                other.as_object_mut().ok_or("no object")?.remove(field);
            }
            differences(&ours, &other, "", &mut found);
            found.retain(|path| !CHANGES.contains(&path.as_str()));
            if found.is_empty() {
                same += 1;
            }
            changed.entry(plural.to_owned()).or_default().extend(found);
        }
        // These objects are in a namespace that was created later. Every namespace has such objects.
        for (namespace, name) in theirs.into_keys() {
            *absent.entry(format!("{plural} only on the server: {namespace}/{name}")).or_default() += 1;
        }
    }
    changed.retain(|_, paths| !paths.is_empty());
    insta::assert_snapshot!(
        "differences_from_the_api_server",
        format!("{same} objects are the same\n{changed:#?}\n{absent:#?}")
    );
    Ok(())
}

/// Returns all rows of a kind that the tool shows for the bundle, by namespace and name.
async fn shown(
    connection: &Connection,
    kind: &str,
    output: &str,
) -> Result<(Vec<String>, BTreeMap<(String, String), Vec<String>>), Failed> {
    let (mut names, mut rows) = (Vec::new(), BTreeMap::new());
    let mut next = Some(0);
    while let Some(offset) = next {
        let params = json!({ "kind": kind, "output": output, "offset": offset });
        let text = connection.call("kubectl_get", params.as_object().ok_or("no object")?).await??;
        let table = text.lines().filter(|line| !line.starts_with("# ") && !line.starts_with("note: "));
        let table = Columns::parse(table);
        names = table.names;
        let namespaced = names.first().is_some_and(|name| name == "NAMESPACE");
        let name = names.iter().position(|name| name == "NAME");
        for row in table.rows {
            let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).cloned().unwrap_or_default();
            let key = (cell(namespaced.then_some(0)), cell(name));
            let cells = row.iter().skip(usize::from(namespaced)).map(|cell| without_ages(cell));
            rows.insert(key, cells.collect());
        }
        next = text.split_once("; offset=").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        names.drain(..usize::from(namespaced));
    }
    Ok((names, rows))
}

/// The rows that the tool prints for the bundle equal those of the API server's tables, except for ages and the events
/// of the twenty minutes between.
#[tokio::test]
async fn the_bundle_gives_the_rows_of_the_api_server() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    unpack("capture/api.tar.xz", folder.path())?;
    let bundle = Bundle::new(vec![testdata().join("capture/must-gather.tar.xz")]);
    let connection = Connection::open(mcp_k8s::layer(), Arc::new(bundle)).await?;
    let (mut kinds, mut same, mut changed, mut absent) = (0, 0, BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(folder.path().join("api"))? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(resource) = file.strip_suffix(".table.json") else { continue };
        let kind = resource.rsplit('_').next().unwrap_or_default();
        let table: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let columns = table["columnDefinitions"].as_array().ok_or("no columns")?;
        let (wide_names, wide) = shown(&connection, kind, "wide").await?;
        let (names, usual) = shown(&connection, kind, "table").await?;
        let theirs = |wide: bool| -> Vec<String> {
            let shown = columns.iter().filter(|column| wide || column["priority"] == 0);
            shown.map(|column| column["name"].as_str().unwrap_or_default().to_uppercase()).collect()
        };
        assert_eq!((&wide_names, &names), (&theirs(true), &theirs(false)), "{kind}");
        for row in table["rows"].as_array().ok_or("no rows")? {
            let key = name(&row["object"]);
            let Some(ours) = wide.get(&key) else {
                absent.insert(format!("{kind} {}/{}", key.0, key.1));
                continue;
            };
            let mut differs = false;
            let mut narrow = Vec::new();
            for (i, (column, ours)) in columns.iter().zip(ours).enumerate() {
                let theirs =
                    row["cells"][i].as_str().map_or_else(|| row["cells"][i].to_string(), str::to_owned);
                let theirs = without_ages(theirs.split('\n').next().unwrap_or_default());
                if *ours != theirs {
                    differs = true;
                    changed.insert(format!("{kind} {}: {} was {ours}, is {theirs}", key.1, wide_names[i]));
                }
                narrow.extend((column["priority"] == 0).then(|| ours.clone()));
            }
            // `wide` only adds columns.
            assert!(kind == "events" || usual.get(&key) == Some(&narrow), "{kind} {key:?}");
            same += usize::from(!differs);
        }
        kinds += 1;
    }
    insta::assert_snapshot!(
        "rows_of_the_api_server",
        format!("{same} rows of {kinds} kinds are the same\n{changed:#?}\nnot in the bundle: {absent:#?}")
    );
    Ok(())
}
