//! Tests with damaged files in a bundle: databases, objects, manifests.

use crate::common::*;
use mcp_core::{Backend, Bundle, Db};
use std::fs;

/// The valid bundle with a different database.
fn with_database(bytes: &[u8]) -> (String, Result<usize, String>) {
    with(&[
        (&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &pod()),
        (&format!("{STORE}/p1_nbdb"), bytes),
    ])
}

fn with(files: &[(&str, &[u8])]) -> (String, Result<usize, String>) {
    let dir = tempfile::tempdir().unwrap();
    unpacked(dir.path(), files);
    said(vec![dir.path().into()])
}

#[test]
fn damaged_databases_are_reported() {
    let good = database();
    let (half, last) = (good.len() / 2, good.len() - 5);
    let flipped = [&good[..last], b"!", &good[last + 1..]].concat();
    let long = {
        // This record is one line of 10 MB.
        let json = format!("{{\"_comment\":\"{}\"}}", "x".repeat(10 << 20));
        [good.clone(), format!("OVSDB JSON {} {}\n{json}\n", json.len() + 1, "0".repeat(40)).into_bytes()]
            .concat()
    };
    let cases: [(&str, Vec<u8>, bool, &str); 10] = [
        ("whole", good.clone(), true, "present"),
        ("empty", Vec::new(), false, "the file is empty"),
        ("text", b"no such file".to_vec(), false, "not an OVSDB file"),
        ("compressed", gz(&good), false, "compressed with gzip"),
        ("cut in the schema", good[..100].to_vec(), false, "the first record, which contains the schema"),
        ("cut in a record", good[..good.len() - 20].to_vec(), true, "the record is truncated"),
        ("cut between records", good[..half + 3].to_vec(), true, "cannot be read"),
        ("wrong checksum", flipped, true, "the checksum does not match"),
        (
            "no schema",
            b"OVSDB JSON 3 bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f\n{}\n".to_vec(),
            false,
            "schema",
        ),
        ("a line of 10 MB", long, true, "the checksum does not match"),
    ];
    for (name, bytes, answers, says) in cases {
        let (text, rows) = with_database(&bytes);
        assert_eq!(rows.is_ok(), answers, "{name}: {text}{rows:?}");
        assert!(text.contains(says), "{name}: {text}");
        assert_eq!(text.contains("DAMAGED"), name != "whole", "{name}: {text}");
    }
}

/// A database that was collected and has no rows differs from one that was not collected.
#[test]
fn a_database_without_rows_is_empty() {
    let good = database();
    let second = good.windows(6).skip(1).position(|bytes| bytes == b"OVSDB ").unwrap() + 1;
    let (text, rows) = with_database(&good[..second]);
    assert_eq!(rows, Ok(0), "{text}");
    assert!(text.contains("northbound of node-1: empty:"), "{text}");
}

#[test]
fn damaged_objects_do_not_hide_other_nodes() {
    let store = format!("{STORE}/p1_nbdb");
    let pod = format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml");
    let laughs = (1..30).fold("a0: &a0 x\n".to_owned(), |yaml, i| {
        yaml + &format!("a{i}: &a{i} [*a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}]\n", p = i - 1)
    });
    let nested = format!("metadata: {}", "[".repeat(200_000));
    let cases: [(&str, &[u8]); 8] = [
        ("no YAML", b"metadata: [}"),
        ("no text", b"\xff\xfe\0"),
        ("of another pod", b"metadata: {name: p2}\nspec: {nodeName: node-2}\n"),
        ("no node yet", b"metadata: {name: p1}\nspec: {}\n"),
        ("an invalid name", b"metadata: {name: p1}\nspec: {nodeName: ../../etc}\n"),
        ("a long line", &[b'x'; 10 << 20]),
        ("aliases of aliases", laughs.as_bytes()),
        ("nested deeply", nested.as_bytes()),
    ];
    for (name, bytes) in cases {
        // The other database, whose pod is known, still answers.
        let (text, rows) = with(&[
            (&pod, bytes),
            (&store, &database()),
            (
                &format!("{TOP}/namespaces/ovn-kubernetes/pods/p9/p9.yaml"),
                b"metadata: {name: p9}\nspec: {nodeName: node-1}\n",
            ),
            (&format!("{STORE}/p9_nbdb"), &database()),
        ]);
        assert_eq!(rows, Ok(2), "{name}: {text}");
        let says = "p1_nbdb: the bundle contains neither its pod nor the name of its zone";
        assert!(text.contains(says), "{name}: {text}");
    }
}

#[test]
fn damaged_manifests_are_reported() {
    let manifest = |command: &str| {
        format!(
            "{{\"components\":{{\"report\":{{\"plugins\":{{\"openvswitch\":{{\"commands\":[{command}]}}}}}}}}}}"
        )
    };
    let secret = r#"{"exec":"ovn-appctl ct-zone-list","filepath":"../../../../etc/passwd","return_code":0}"#;
    let absolute = r#"{"exec":"ovn-appctl ct-zone-list","filepath":"/etc/passwd","return_code":0}"#;
    let nested = "[".repeat(100_000);
    let long = format!(r#"{{"exec":"{}","filepath":null,"return_code":127}}"#, "x".repeat(10 << 20));
    let cases: [(&str, String, &str); 9] = [
        ("no JSON", "{".into(), "cannot be parsed"),
        ("nothing", String::new(), "cannot be parsed"),
        ("another JSON", "[]".into(), "cannot be parsed"),
        ("nested deeply", nested, "cannot be parsed"),
        ("a path that leads out", manifest(secret), "outputs in the manifest but not in the bundle: 1"),
        ("an absolute path", manifest(absolute), "outputs in the manifest but not in the bundle: 1"),
        ("a long command", manifest(&long), "programs that the node does not have: xxx"),
        ("no command", manifest(""), "absent"),
        (
            "few fields",
            manifest(r#"{"exec":"ovs-vsctl show"}"#),
            "outputs in the manifest but not in the bundle: 1",
        ),
    ];
    for (name, json, says) in cases {
        let (text, rows) = with(&[
            ("sosreport-node-1-2026-01-01-abc/sos_reports/manifest.json", json.as_bytes()),
            ("sosreport-node-1-2026-01-01-abc/etc/hostname", b"node-1\n"),
            ("sosreport-node-1-2026-01-01-abc/var/lib/ovn/etc/ovnnb_db.db", &database()),
            ("sosreport-node-1-2026-01-01-abc/sos_commands/openvswitch/ovs-vsctl_show", b"x\n"),
        ]);
        assert_eq!(rows, Ok(2), "{name}: {text}");
        assert!(text.contains(says), "{name}: {}", text.get(..3000).unwrap_or(&text));
        assert!(!text.contains("root:"), "{name}");
    }
}

/// The database of the first bundle is damaged, and that of the second is undamaged.
#[test]
fn an_undamaged_copy_in_another_bundle_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let good = database();
    let pod_path = format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml");
    for (name, bytes) in [("damaged", &good[..good.len() - 20]), ("whole", &good[..])] {
        let store = format!("{STORE}/p1_nbdb");
        unpacked(&dir.path().join(name), &[(&pod_path, &pod()), (&store, bytes)]);
        // If two copies have the same age, the server reads the copy of the first bundle.
        let store = fs::File::options().write(true).open(dir.path().join(name).join(store)).unwrap();
        store.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    let bundle = Bundle::new(vec![dir.path().join("damaged"), dir.path().join("whole")]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let read = runtime.block_on(bundle.database(&at("node-1", Db::Nb), Db::Nb)).unwrap();
    assert!(read.value.damage().is_none());
    assert!(read.origin.what.ends_with("p1_nbdb in whole"), "{:?}", read.origin);
    assert!(read.notes.iter().any(|note| note.contains("in damaged is damaged")), "{:?}", read.notes);
}

#[test]
fn bundles_of_the_same_name_and_unreadable_bundles_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let pod_path = format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml");
    for parent in ["a", "b"] {
        let files: [(&str, &[u8]); 2] = [(&pod_path, &pod()), (&format!("{STORE}/p1_nbdb"), &database())];
        unpacked(&dir.path().join(parent).join("must-gather"), &files);
    }
    fs::write(dir.path().join("broken.tar.xz"), b"\xfd7zXZ\0broken").unwrap();
    let paths = ["a/must-gather", "broken.tar.xz", "b/must-gather"].map(|path| dir.path().join(path));
    let (text, rows) = said(paths.into());
    assert_eq!(rows, Ok(2), "{text}");
    assert!(text.contains("# must-gather: 2 files"), "{text}");
    assert!(text.contains("# must-gather (2): 2 files"), "{text}");
    assert!(text.contains("broken.tar.xz could not be read"), "{text}");
}

/// Data that a cut archive lacks may have been in the missing part, so every answer has a note about it.
#[tokio::test]
async fn every_answer_mentions_a_cut_archive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("must-gather.tar");
    let whole = Tar::good().file("must-gather.local.1/image/audit_logs/a", &[0; 4096]).bytes();
    fs::write(&path, &whole[..whole.len() - 4096]).unwrap();
    let bundle = Bundle::new(vec![path]);
    let read = bundle.rows(&at("node-1", Db::Nb), Db::Nb, &["Logical_Switch".into()]).await.unwrap();
    assert!(
        read.notes.iter().any(|note| note.contains("must-gather.tar cannot be read to its end")),
        "{:?}",
        read.notes
    );
}
