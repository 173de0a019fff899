//! Compares our tables with those of the API server of the captured cluster, cell by cell.

use super::{Object, PRINTERS, TableContext, custom, is_known, of, of_definition, shipped};
use jiff::{SignedDuration, Timestamp};
use mcp_core::{ObjectKind, Table};
use mcp_testing::{Failed, unpack};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

fn json(path: &Path) -> Result<Value, Failed> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Parses a kind from a file name such as `apis_apps_v1_daemonsets`.
fn kind(name: &str) -> ObjectKind {
    let parts: Vec<&str> = name.split('_').collect();
    let (group, version, plural) = match parts[..] {
        ["api", version, plural] => ("", version, plural),
        ["apis", group, version, plural] => (group, version, plural),
        _ => panic!("{name}"),
    };
    ObjectKind {
        group: group.into(),
        version: version.into(),
        plural: plural.into(),
        ..ObjectKind::default()
    }
}

/// Reads the recorded answers of the API server: the objects and the table of each request.
fn answers() -> Result<BTreeMap<String, (Vec<Value>, Value)>, Failed> {
    let folder = tempfile::tempdir()?;
    unpack("capture/api.tar.xz", folder.path())?;
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path().join("api"))? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".list.json") {
            let objects = json(&path)?["items"].as_array().cloned().unwrap_or_default();
            all.insert(name.to_owned(), (objects, json(&path.with_file_name(format!("{name}.table.json")))?));
        }
    }
    Ok(all)
}

fn ours(kind: &ObjectKind, objects: &[Value], definitions: &[Value], as_of: Timestamp) -> Table {
    let definition = definitions.iter().find(|one| one["metadata"]["name"] == kind.to_string().as_str());
    let custom = definition.and_then(|definition| of_definition(definition, &kind.version));
    of(kind, objects, custom.as_deref(), &TableContext { as_of: Some(as_of) })
}

/// Ages depend on the time of the request, which was not recorded. The test searches the minute around the other
/// requests for a time at which all cells of a table are equal.
#[test]
fn every_cell_equals_the_cell_of_the_api_server() -> Result<(), Failed> {
    let answers = answers()?;
    let definitions = &answers["apis_apiextensions.k8s.io_v1_customresourcedefinitions"].0;
    // The event was last seen at 08:54:45, which was 41 s before it was printed.
    let around: Timestamp = events_printed(&answers)?;
    let mut compared = 0;
    for (name, (objects, table)) in &answers {
        let kind = kind(name);
        let columns: Vec<(&str, i64)> = table["columnDefinitions"]
            .as_array()
            .ok_or("no columns")?
            .iter()
            .map(|column| {
                (column["name"].as_str().unwrap_or_default(), column["priority"].as_i64().unwrap_or(-1))
            })
            .collect();
        let rows: Vec<&Vec<Value>> = table["rows"]
            .as_array()
            .ok_or("no rows")?
            .iter()
            .filter_map(|row| row["cells"].as_array())
            .collect();
        let at = |seconds| ours(&kind, objects, definitions, around + SignedDuration::from_secs(seconds));
        let same = |table: &Table| table.rows.iter().map(|row| &row.cells).eq(rows.iter().copied());
        let moment = (-60..=60).map(at).find(same);
        let now = at(0);
        let got: Vec<(&str, i64)> = now.columns.iter().map(|c| (c.name.as_str(), c.priority)).collect();
        assert_eq!(got, columns, "{name}");
        let got: Vec<_> = now.rows.iter().map(|row| &row.cells).collect();
        assert!(moment.is_some(), "{name}: the tables differ at every time:\n{got:?}\n{rows:?}");
        assert!(!rows.is_empty(), "{name}");
        compared += rows.len();
    }
    assert_eq!((answers.len(), compared), (17, 107));
    Ok(())
}

fn events_printed(answers: &BTreeMap<String, (Vec<Value>, Value)>) -> Result<Timestamp, Failed> {
    let (objects, table) = &answers["api_v1_events"];
    let age = table["rows"][0]["cells"][0].as_str().and_then(|age| age.strip_suffix('s')).ok_or("no age")?;
    let last: Timestamp = objects[0]["lastTimestamp"].as_str().ok_or("no time")?.parse()?;
    Ok(last + SignedDuration::from_secs(age.parse()?))
}

/// The shipped columns equal those of the definitions, so the table is the same without a definition.
#[test]
fn shipped_columns_equal_those_of_the_definitions() -> Result<(), Failed> {
    let answers = answers()?;
    let mut definitions = answers["apis_apiextensions.k8s.io_v1_customresourcedefinitions"].0.clone();
    definitions.sort_by_key(|one| one["metadata"]["name"].as_str().map(str::to_owned));
    let wanted: String = definitions.iter().map(custom::ship).collect();
    assert!(custom::SHIPPED == wanted, "custom.tsv should be:\n{wanted}");
    for definition in &definitions {
        for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
            let version = version["name"].as_str().ok_or("no name")?.to_owned();
            let (plural, group) = definition["metadata"]["name"]
                .as_str()
                .and_then(|name| name.split_once('.'))
                .ok_or("no name")?;
            let kind =
                ObjectKind { group: group.into(), version, plural: plural.into(), ..ObjectKind::default() };
            let printed = of_definition(definition, &kind.version);
            assert!(printed.is_some() && printed == shipped(&kind), "{kind}");
        }
    }
    Ok(())
}

/// Every built-in kind has a printer. The columns of custom resources are in their definitions.
#[test]
fn every_kind_that_the_api_server_lists_has_columns() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    unpack("capture/api.tar.xz", folder.path())?;
    let mut known = 0;
    for file in ["discovery-api.json", "discovery-apis.json"] {
        let document = json(&folder.path().join("api").join(file))?;
        for group in document["items"].as_array().into_iter().flatten() {
            let name = group["metadata"]["name"].as_str().unwrap_or_default();
            for version in group["versions"].as_array().into_iter().flatten() {
                for resource in version["resources"].as_array().into_iter().flatten() {
                    let verbs = resource["verbs"].as_array().cloned().unwrap_or_default();
                    if !verbs.contains(&"list".into()) {
                        continue;
                    }
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let kind = ObjectKind {
                        group: name.into(),
                        version: text(&version["version"]),
                        plural: text(&resource["resource"]),
                        ..ObjectKind::default()
                    };
                    assert!(is_known(&kind) || shipped(&kind).is_some(), "{kind}");
                    known += 1;
                }
            }
        }
    }
    assert_eq!(known, 79);
    Ok(())
}

/// Every printer returns a cell for each column, even for an empty object.
#[test]
fn every_column_has_a_cell() {
    for printer in PRINTERS {
        let cells = printer.cells(Object(&Value::Null), &TableContext { as_of: None });
        assert_eq!(cells.len(), printer.columns().len(), "{}", printer.plural);
    }
}

/// Objects of kinds that the capture lacks, with the cells that the API server's tests (`printers_test.go`) expect.
#[test]
fn kinds_that_the_capture_lacks_are_printed_as_by_the_api_server() {
    let unknown = "<unknown>";
    for (of, object, cells) in [
        (
            "persistentvolumeclaims",
            json!({ "spec": { "volumeName": "v", "volumeMode": "Filesystem" },
                "status": { "phase": "Bound", "accessModes": ["ReadWriteMany", "ReadOnlyMany"], "capacity": { "storage": "4Gi" } } }),
            json!(["a", "Bound", "v", "4Gi", "ROX,RWX", "", "<unset>", unknown, "Filesystem"]),
        ),
        (
            "persistentvolumeclaims",
            json!({ "spec": { "volumeName": "v" }, "status": { "phase": "Lost" } }),
            json!(["a", "Lost", "v", "0", "", "", "<unset>", unknown, "<unset>"]),
        ),
        (
            "persistentvolumes",
            json!({ "spec": { "capacity": { "storage": "4Gi" }, "accessModes": ["ReadOnlyMany"], "claimRef": { "namespace": "n", "name": "c" },
                "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast" }, "status": { "phase": "Bound" } }),
            json!(["a", "4Gi", "ROX", "Retain", "Bound", "n/c", "fast", "<unset>", "", unknown, "<unset>"]),
        ),
        (
            "storageclasses",
            json!({ "provisioner": "kubernetes.io/glusterfs", "allowVolumeExpansion": true }),
            json!(["a", "kubernetes.io/glusterfs", "Delete", "Immediate", true, unknown]),
        ),
        (
            "volumeattachments",
            json!({ "spec": { "attacher": "x", "nodeName": "n", "source": { "persistentVolumeName": "v" } } }),
            json!(["a", "x", "v", "n", false, unknown]),
        ),
        (
            "csidrivers",
            json!({ "spec": { "volumeLifecycleModes": ["Ephemeral", "Persistent"] } }),
            json!(["a", true, false, false, "<unset>", false, "Ephemeral,Persistent", unknown]),
        ),
        (
            "resourceclaims",
            json!({ "status": { "allocation": {}, "reservedFor": [{}] } }),
            json!(["a", "allocated,reserved", unknown]),
        ),
        ("resourceclaims", json!({}), json!(["a", "pending", unknown])),
        (
            "resourcequotas",
            json!({ "status": { "hard": { "limits.cpu": "2", "requests.cpu": "6", "pods": "10" }, "used": { "limits.cpu": "1", "pods": "3" } } }),
            json!(["a", "pods: 3/10, requests.cpu: 0/6", "limits.cpu: 1/2", unknown]),
        ),
        (
            "certificatesigningrequests",
            json!({ "spec": { "signerName": "example.com/s", "username": "u", "expirationSeconds": 7200 },
                "status": { "conditions": [{ "type": "Approved" }], "certificate": "eA==" } }),
            json!(["a", unknown, "example.com/s", "u", "120m", "Approved,Issued"]),
        ),
        ("certificatesigningrequests", json!({}), json!(["a", unknown, "<none>", "", "<none>", "Pending"])),
        (
            "controllerrevisions",
            json!({ "revision": 3, "metadata": { "name": "a", "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": true }] } }),
            json!(["a", "daemonset.apps/d", 3, unknown]),
        ),
        ("runtimeclasses", json!({ "handler": "h" }), json!(["a", "h", unknown])),
        ("leases", json!({ "spec": { "holderIdentity": "me" } }), json!(["a", "me", unknown])),
        (
            "ipaddresses",
            json!({ "spec": { "parentRef": { "resource": "services", "namespace": "default", "name": "kubernetes" } } }),
            json!(["a", "services/default/kubernetes"]),
        ),
        (
            "ipaddresses",
            json!({ "spec": { "parentRef": { "group": "mygroup", "resource": "myresource", "name": "myname" } } }),
            json!(["a", "myresource.mygroup/myname"]),
        ),
        (
            "flowschemas",
            json!({ "spec": { "matchingPrecedence": 1000, "priorityLevelConfiguration": { "name": "exempt" } }, "status": { "conditions": [{ "type": "Dangling", "status": "False" }] } }),
            json!(["a", "exempt", 1000, "<none>", unknown, "False"]),
        ),
        (
            "prioritylevelconfigurations",
            json!({ "spec": { "type": "Exempt" } }),
            json!(["a", "Exempt", "<none>", "<none>", "<none>", "<none>", unknown]),
        ),
        (
            "validatingadmissionpolicybindings",
            json!({ "spec": { "policyName": "p", "paramRef": { "name": "n" } } }),
            json!(["a", "p", "*/n", unknown]),
        ),
        (
            "mutatingadmissionpolicies",
            json!({ "spec": { "mutations": [{}] } }),
            json!(["a", 1, "<unset>", unknown]),
        ),
        (
            "apiservices",
            json!({ "status": { "conditions": [{ "type": "Available", "status": "False", "reason": "MissingEndpoints" }] } }),
            json!(["a", "Local", "False (MissingEndpoints)", unknown]),
        ),
        (
            "endpoints",
            json!({ "subsets": [{ "notReadyAddresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 80 }] }] }),
            json!(["a", "", unknown]),
        ),
        (
            "componentstatuses",
            json!({ "conditions": [{ "type": "Healthy", "status": "False", "message": "m", "error": "e" }] }),
            json!(["a", "Unhealthy", "m", "e"]),
        ),
        (
            "pods",
            json!({ "spec": { "containers": [{}, {}] }, "status": { "phase": "Running", "containerStatuses": [
                { "state": { "terminated": { "reason": "Completed", "exitCode": 0 } } },
                { "state": { "terminated": { "reason": "Error", "exitCode": 1 } } } ] } }),
            json!(["a", "0/2", "Error", "0", unknown, "<none>", "<none>", "<none>", "<none>"]),
        ),
    ] {
        let mut whole = json!({ "metadata": { "name": "a" } });
        for (key, value) in object.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        let printer = PRINTERS.iter().find(|printer| printer.plural == of).unwrap();
        assert_eq!(
            Value::from(printer.cells(Object(&whole), &TableContext { as_of: None })),
            cells,
            "{of} {object}"
        );
    }
}
