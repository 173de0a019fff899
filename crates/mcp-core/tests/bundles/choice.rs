//! Tests several copies of the same data in several bundles: which copy is read, and how to choose another one.

use crate::common::*;
use mcp_core::{Backend, Bundle, Db, LogPart, LogQuery, LogSource, ObjectQuery, ReadError};
use std::{
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

const WITHIN: Duration = Duration::from_secs(60);
const LOG: &str = "namespaces/shop/pods/p1/c/c/logs/current.log";

/// Creates a bundle that was collected this many seconds after 1970.
fn collected(dir: &Path, name: &str, seconds: u64, files: &[(&str, &[u8])]) -> std::path::PathBuf {
    let bundle = dir.join(name);
    unpacked(&bundle, files);
    for (file, _) in files {
        let file = File::options().write(true).open(bundle.join(file)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    bundle
}

fn pods(name: &str) -> String {
    format!("apiVersion: v1\nkind: PodList\nitems:\n- metadata: {{name: {name}, namespace: shop}}\n")
}

/// Opens two bundles, the older one first. In the newer one, the log is empty and a pod was replaced.
fn two(dir: &Path) -> Bundle {
    let pod_path = format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml");
    let (store, shop) = (format!("{STORE}/p1_nbdb"), format!("{TOP}/namespaces/shop/core/pods.yaml"));
    let log = format!("{TOP}/{LOG}");
    let bundle = |name, seconds, pod: &str, lines: &[u8]| {
        let (database, node, pods) = (database(), crate::common::pod(), pods(pod));
        let files: [(&str, &[u8]); 4] =
            [(&pod_path, &node), (&store, &database), (&shop, pods.as_bytes()), (&log, lines)];
        collected(dir, name, seconds, &files)
    };
    let older = bundle("monday", 1_795_000_000, "web-1", b"2026-11-22T08:00:00Z it began\n");
    Bundle::new(vec![older, bundle("tuesday", 1_795_086_400, "web-2", b"")])
}

async fn names(bundle: &dyn Backend) -> (Vec<String>, Vec<String>) {
    let kinds = bundle.kinds(WITHIN).await.unwrap().value;
    let kind = kinds.into_iter().find(|kind| kind.is_called("po")).unwrap();
    let query = ObjectQuery { namespace: "shop".parse().ok(), ..ObjectQuery::all(kind) };
    let read = bundle.objects(&query, WITHIN).await.unwrap();
    let name = |object: &serde_json::Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    (read.value.iter().map(name).collect(), read.notes)
}

#[tokio::test]
async fn the_newest_copy_of_a_database_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = two(dir.path());
    let read = bundle.database(&at("node-1", Db::Nb), Db::Nb).await.unwrap();
    assert_eq!(read.origin.bundle.as_deref(), Some("tuesday"), "{:?}", read.origin);
    assert!(!read.notes.iter().any(|note| note.contains("not read")), "{:?}", read.notes);
    let [other] = read.origin.beside.as_slice() else { panic!("{:?}", read.origin) };
    assert!(other.starts_with("not read: network_logs/ovnk_database_store/p1_nbdb in monday"), "{other}");
    let coverage = bundle.coverage().await.unwrap().to_string();
    for said in ["; not read: network_logs/ovnk_database_store/p1_nbdb in monday", "read: network_logs"] {
        assert!(coverage.contains(said), "{coverage}");
    }
}

#[tokio::test]
async fn a_bundle_can_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = two(dir.path());
    for chosen in ["monday", "mon"] {
        let only = bundle.only(chosen).await.unwrap();
        assert_eq!(only.name(), "monday");
        let read = only.database(&at("node-1", Db::Nb), Db::Nb).await.unwrap();
        assert_eq!((read.origin.bundle.as_deref(), read.origin.beside.len()), (Some("monday"), 0));
        assert_eq!(names(&*only).await.0, ["web-1"]);
    }
    for (wrong, why) in [
        ("friday", "no bundle has this text in its name"),
        ("day", "several bundles have this text in their names"),
    ] {
        let Err(ReadError::NotHeld { why: Some(said), instead, .. }) = bundle.only(wrong).await.map(drop)
        else {
            panic!("{wrong} is not refused")
        };
        assert_eq!((said.as_str(), instead), (why, vec!["monday".to_owned(), "tuesday".to_owned()]));
    }
}

#[tokio::test]
async fn objects_from_different_times_are_not_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let (found, notes) = names(&two(dir.path())).await;
    assert_eq!(found, ["web-2"]);
    assert!(
        notes.iter().any(|note| note.contains("are read from tuesday") && note.contains("Not read: monday")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn an_empty_log_does_not_hide_the_log_of_another_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = two(dir.path());
    let source = LogSource::Container {
        pod: "shop/p1".parse().unwrap(),
        container: "c".into(),
        part: LogPart::Current,
    };
    let query = LogQuery { source, since: None, tail: None };
    let read = bundle.log(&query, WITHIN).await.unwrap();
    assert_eq!(read.origin.bundle.as_deref(), Some("monday"), "{:?}", read.origin);
}
