//! Tests with Kubernetes objects in bundles.

use crate::common::*;
use mcp_core::{Backend, Bundle, ObjectKind, ObjectQuery, ReadError, ReadValue};
use serde_json::Value;
use std::{path::PathBuf, time::Duration};

const WITHIN: Duration = Duration::from_secs(60);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn kind(bundle: &Bundle, name: &str) -> Option<ObjectKind> {
    block_on(bundle.kinds(WITHIN)).unwrap().value.into_iter().find(|kind| kind.is_called(name))
}

fn ask(
    bundle: &Bundle,
    name: &str,
    namespace: Option<&str>,
    one: Option<&str>,
) -> Result<ReadValue<Vec<Value>>, ReadError> {
    let query = ObjectQuery {
        namespace: namespace.map(|namespace| namespace.parse().unwrap()),
        name: one.map(|name| name.parse().unwrap()),
        ..ObjectQuery::all(kind(bundle, name).unwrap())
    };
    block_on(bundle.objects(&query, WITHIN))
}

/// Formats each object as `namespace/name: phase`.
fn phases(read: &ReadValue<Vec<Value>>) -> Vec<String> {
    let text =
        |object: &Value, path| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let one = |object| {
        let [namespace, name, phase] =
            ["/metadata/namespace", "/metadata/name", "/status/phase"].map(|p| text(object, p));
        format!("{namespace}/{name}: {phase}")
    };
    read.value.iter().map(one).collect()
}

fn pod(name: &str, phase: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\nstatus: {{phase: {phase}}}\n"
    )
}

fn list(pods: &[(&str, &str)]) -> String {
    let item = |(name, phase): &(&str, &str)| {
        format!(
            "- metadata: {{name: {name}, namespace: shop, managedFields: [{{manager: kubelet}}]}}\n  status: {{phase: {phase}}}\n"
        )
    };
    format!("---\napiVersion: v1\nkind: PodList\nitems:\n{}", pods.iter().map(item).collect::<String>())
}

fn directory(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<(String, &[u8])> =
        files.iter().map(|(path, text)| (format!("{TOP}/{path}"), text.as_bytes())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    unpacked(dir.path(), &files);
    let path = dir.path().to_owned();
    (dir, path)
}

/// An object in a list and in a file of its own counts once, and the file wins. If two bundles have lists of the same
/// namespace, only one list is read, because their union would be a state that never existed.
#[test]
fn an_object_in_two_files_counts_once() {
    let (_first, first) = directory(&[
        ("namespaces/shop/core/pods.yaml", &list(&[("a", "Pending"), ("b", "Pending")])),
        ("namespaces/shop/pods/a/a.yaml", &pod("a", "Running")),
    ]);
    let (_second, second) =
        directory(&[("namespaces/shop/core/pods.yaml", &list(&[("b", "Failed"), ("c", "Failed")]))]);
    let bundle = Bundle::new(vec![first.clone()]);
    let read = ask(&bundle, "po", None, None).unwrap();
    assert_eq!(phases(&read), ["shop/a: Running", "shop/b: Pending"]);
    // A field that is left out of the answer can still select objects, and the next query returns it.
    let pods = ObjectQuery::all(kind(&bundle, "po").unwrap());
    let running =
        ObjectQuery { fields: "status.phase=Running".parse().unwrap(), without: &["status"], ..pods };
    assert_eq!(phases(&block_on(bundle.objects(&running, WITHIN)).unwrap()), ["shop/a: "]);
    assert_eq!(phases(&ask(&bundle, "po", None, None).unwrap()), ["shop/a: Running", "shop/b: Pending"]);
    assert_eq!(read.value[1]["kind"], "Pod", "items of a list get the kind of the list");
    assert!(read.value[1].pointer("/metadata/managedFields").is_none());
    assert_eq!(phases(&ask(&bundle, "po", Some("shop"), Some("a")).unwrap()), ["shop/a: Running"]);
    assert_eq!(phases(&ask(&bundle, "po", Some("shop"), Some("b")).unwrap()), ["shop/b: Pending"]);
    let older = second.join(TOP).join("namespaces/shop/core/pods.yaml");
    let older = std::fs::File::options().write(true).open(older).unwrap();
    older.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let both = Bundle::new(vec![second, first]);
    let read = ask(&both, "po", None, None).unwrap();
    assert_eq!(phases(&read), ["shop/a: Running", "shop/b: Pending"]);
    assert!(read.notes.iter().any(|note| note.contains("Not read: ")), "{:?}", read.notes);
}

#[test]
fn empty_not_collected_and_unknown_are_three_answers() {
    let (_dir, path) = directory(&[
        ("namespaces/shop/core/pods.yaml", &list(&[("a", "Running")])),
        ("namespaces/shop/core/services.yaml", "apiVersion: v1\nitems: null\nkind: ServiceList\n"),
    ]);
    let bundle = Bundle::new(vec![path]);
    let empty = ask(&bundle, "svc", None, None).unwrap();
    assert!(empty.value.is_empty());
    assert_eq!(empty.notes, ["only these namespaces were collected: shop"]);
    match ask(&bundle, "eip", None, None) {
        Err(ReadError::NotHeld { instead, why: None, .. }) => assert_eq!(instead, ["pods", "services"]),
        other => panic!("{other:?}"),
    }
    match ask(&bundle, "po", Some("shopp"), None) {
        Err(ReadError::NotHeld { instead, why: Some(why), .. }) => {
            assert_eq!(
                (instead, why.as_str()),
                (vec!["shop".to_owned()], "nothing was collected from namespace shopp")
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kind(&bundle, "nonsense"), None);
}

/// Kinds come from discovery, from definitions, and from the objects in the bundle.
#[test]
fn kinds_are_those_of_the_cluster() {
    let widget = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n";
    let gadgets = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.example.org}\n\
                   spec: {group: example.org, scope: Namespaced, names: {kind: Gadget, plural: gadgets, shortNames: [gd]}, versions: [{name: v2, served: true}]}\n";
    let definition =
        "cluster-scoped-resources/apiextensions.k8s.io/customresourcedefinitions/gadgets.example.org.yaml";
    let (_dir, path) =
        directory(&[("cluster-scoped-resources/example.org/widgets/w.yaml", widget), (definition, gadgets)]);
    let bundle = Bundle::new(vec![path]);
    let gadget = kind(&bundle, "gd").unwrap();
    assert_eq!((gadget.api_version().as_str(), gadget.namespaced), ("example.org/v2", true));
    assert_eq!(kind(&bundle, "widget").unwrap().to_string(), "widgets.example.org");
    assert!(kind(&bundle, "cudn").is_some(), "without discovery, the known kinds of OVN-Kubernetes exist");
    // A compressed archive, of which only some files are kept, has the same kinds.
    let capture = Bundle::new(vec![testdata("capture/must-gather.tar.xz")]);
    assert_eq!(kind(&capture, "udn").unwrap().api_version(), "k8s.ovn.org/v1");
    assert_eq!(
        kind(&capture, "frrconfigurations"),
        None,
        "a kind that discovery does not list does not exist"
    );
    assert_eq!(ask(&capture, "no", None, None).unwrap().value.len(), 3);
}

#[test]
fn damaged_files_do_not_hide_the_others() {
    let cut = list(&[("b", "Running"), ("c", "Running")]) + "- metadata: {name: [\n";
    let (_dir, path) = directory(&[
        ("namespaces/blue/core/pods.yaml", "no: [object"),
        ("namespaces/shop/core/pods.yaml", &cut),
        ("namespaces/shop/pods/a/a.yaml", &pod("a", "Running")),
        ("namespaces/red/core/pods.yaml", &"[".repeat(100_000)),
    ]);
    let bundle = Bundle::new(vec![path]);
    let read = ask(&bundle, "po", None, None).unwrap();
    assert_eq!(phases(&read), ["shop/a: Running", "shop/b: Running", "shop/c: Running"]);
    let notes = read.notes.join("\n");
    for said in [
        "blue/core/pods.yaml",
        "red/core/pods.yaml",
        "shop/core/pods.yaml is damaged; only the 2 objects before the damage",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    assert!(matches!(ask(&bundle, "po", Some("blue"), None), Err(ReadError::Unreadable { .. })));
}
