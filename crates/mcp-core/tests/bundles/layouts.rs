//! Tests with the layouts of collections.

use crate::common::*;
use mcp_core::{AreaState, Backend, Bundle, Coverage, Db};
use std::{fs, path::PathBuf};

pub(crate) fn coverage(bundle: &Bundle) -> Coverage {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(bundle.coverage()).unwrap()
}

pub(crate) fn opened(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Bundle) {
    let dir = tempfile::tempdir().unwrap();
    unpacked(dir.path(), files);
    let bundle = Bundle::new(vec![dir.path().into()]);
    (dir, bundle)
}

/// Formats the states of the databases: `node: northbound southbound conf.db`.
fn databases(coverage: &Coverage) -> Vec<String> {
    let node = |node: &mcp_core::NodeCoverage| {
        let there = node.areas.iter().take(3).map(|held| match held.state {
            AreaState::Absent => "-".to_owned(),
            state => state.to_string(),
        });
        format!("{}: {}", node.node, there.collect::<Vec<_>>().join(" "))
    };
    coverage.nodes.iter().map(node).collect()
}

/// The folder of an image differs between must-gathers.
#[test]
fn must_gathers_are_found_in_every_folder() {
    let pod = pod();
    let database = database();
    for top in [
        "",
        "image/",
        "must-gather.local.1/image/",
        "case/must-gather.local.1/image/",
        "inspect.local.1/",
        "must-gather.local.1/node-1/image/",
    ] {
        let (_dir, bundle) = opened(&[
            (&format!("{top}namespaces/openshift-ovn-kubernetes/pods/p1/p1.yaml"), &pod),
            (&format!("{top}network_logs/ovnk_database_store/p1_nbdb"), &database),
        ]);
        assert_eq!(databases(&coverage(&bundle)), ["node-1: present - -"], "{top}");
    }
}

/// One image has the objects and another has the databases. A file that is present compressed and uncompressed counts
/// once.
#[test]
fn several_images_are_combined() {
    let packed = Tar::empty()
        .file("ovnk_database_store/p1_nbdb", &database())
        .file("ovnk_database_store/p2_nbdb", &database())
        .gz();
    let (_dir, bundle) = opened(&[
        ("mg/image-a/namespaces/openshift-ovn-kubernetes/core/pods.yaml", PODS.as_bytes()),
        ("mg/image-b/network_logs/ovnk_database_store/p1_nbdb", &database()),
        ("mg/image-b/network_logs/ovnk_database_store.tar.gz", &packed),
        ("mg/image-b/network_logs/ovnk_database_store/p3_nbdb", &database()),
    ]);
    let coverage = coverage(&bundle);
    assert_eq!(databases(&coverage), ["node-1: present - -", "node-2: present - -"]);
    let node = "node-1".parse().unwrap();
    assert_eq!(coverage.of(&node, mcp_core::DataArea::Northbound).unwrap().details.len(), 1);
    let lost = "p3_nbdb: the bundle contains neither its pod nor the name of its zone";
    assert!(coverage.notes.iter().any(|note| note.contains(lost)), "{coverage}");
}

pub(crate) const PODS: &str = "items:\n- {metadata: {name: p1}, spec: {nodeName: node-1}}\n\
                    - {metadata: {name: p2}, spec: {nodeName: node-2}}\nkind: PodList\n";

#[test]
fn central_clusters_are_refused() {
    for file in ["leader_nbdb.gz", "ovnkube-master-x_nbdb.gz"] {
        let (_dir, bundle) = opened(&[
            (&format!("mg/image/network_logs/{file}"), &gz(&database())),
            ("mg/image/namespaces/openshift-ovn-kubernetes/core/pods.yaml", PODS.as_bytes()),
        ]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = chain(&runtime.block_on(bundle.nodes()).unwrap_err());
        assert!(error.contains("only interconnect mode, with one zone per node, is supported"), "{error}");
        assert!(error.contains(file), "{error}");
    }
}

#[test]
fn kind_logs_and_artifacts_of_ci_are_recognized() {
    let database = database();
    let (_dir, bundle) = opened(&[
        ("kind-logs/ovn-worker/kubelet.log", b"x"),
        ("kind-logs/ovn-worker/e2e-dbs/Test-1/ovnnb_db.db", &database),
        ("kind-logs/ovn-worker/e2e-dbs/Test-1/ovn-worker-conf.db", &database),
        ("kind-logs/ovn-worker/openvswitch/ovs-vswitchd.log", b"x"),
        ("kind-logs/ovn-worker2/kubelet.log", b""),
        ("dbs/ovn-worker2_ovnnb_db.db", &database),
        ("dbs/ovn-control-plane_ovnsb_db.db", &database),
    ]);
    let coverage = coverage(&bundle);
    assert_eq!(
        databases(&coverage),
        ["ovn-control-plane: - present -", "ovn-worker: present - present", "ovn-worker2: present - -"]
    );
    let logs = |node: &str| coverage.of(&node.parse().unwrap(), mcp_core::DataArea::Logs).unwrap().state;
    assert_eq!((logs("ovn-worker"), logs("ovn-worker2")), (AreaState::Present, AreaState::Empty));
}

/// A single file that somebody sent, compressed or not.
#[test]
fn a_single_database_is_a_bundle() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("node-7_ovnnb_db.db", database()), ("node-7_ovnnb_db.db.gz", gz(&database()))] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        assert_eq!(databases(&coverage(&Bundle::new(vec![path]))), ["node-7: present - -"], "{name}");
    }
}

fn sosreport(root: &str, host: &str, system_id: &str) -> Vec<(String, Vec<u8>)> {
    let listing = format!(
        "external_ids : {{hostname={host}, ovn-encap-ip=\"192.0.2.7\", system-id=\"{system_id}\"}}\n"
    );
    vec![
        (format!("{root}etc/hostname"), format!("{host}\n").into_bytes()),
        (format!("{root}var/lib/ovn-ic/etc/ovnnb_db.db"), database()),
        (format!("{root}sos_commands/openvswitch/ovs-vsctl_-t_5_list_Open_vSwitch"), listing.into_bytes()),
        (
            format!(
                "{root}sos_commands/openshift_ovn/ovs-appctl_-t_.var.run.ovn-ic.ovn-controller.7.ctl_ct-zone-list"
            ),
            b"join_dnat 3\n".to_vec(),
        ),
    ]
}

fn write(dir: &std::path::Path, files: &[(String, Vec<u8>)]) -> PathBuf {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    unpacked(dir, &files);
    dir.to_owned()
}

fn node_object(name: &str, system_id: &str, address: &str) -> (String, Vec<u8>) {
    let yaml = format!(
        "metadata:\n  name: {name}\n  annotations:\n    k8s.ovn.org/node-chassis-id: {system_id}\nstatus:\n  \
         addresses:\n  - {{type: InternalIP, address: {address}}}\n"
    );
    (format!("mg/image/cluster-scoped-resources/core/nodes/{name}.yaml"), yaml.into_bytes())
}

/// The name of a host may differ from the node's name in Kubernetes.
#[test]
fn nodes_of_several_bundles_are_joined() {
    let cases = [
        ("by system-id", "host0", "chassis-1", "they have the same system-id"),
        ("by its name's first label", "node-1.example.com", "", "without its domain"),
        ("by encapsulation address", "host0", "", "the same encapsulation address"),
    ];
    for (how, host, system_id, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = |pod: &str| (format!("mg/image/network_logs/ovnk_database_store/{pod}_nbdb"), database());
        let gathered = write(
            &dir.path().join("mg"),
            &[
                ("mg/image/namespaces/ovn-kubernetes/pods/p1/p1.yaml".into(), pod()),
                node_object("node-1", "chassis-1", "192.0.2.7"),
                node_object("node-2", "chassis-2", "192.0.2.8"),
                store("p1"),
            ],
        );
        let report =
            write(&dir.path().join("sos"), &sosreport("sosreport-x-2026-01-01-abc/", host, system_id));
        let coverage = coverage(&Bundle::new(vec![gathered, report]));
        assert_eq!(databases(&coverage), ["node-1: present - -", "node-2: - - -"], "{how}: {coverage}");
        let note = format!("host {host} in sos is node node-1");
        let said = coverage.notes.iter().any(|n| n.contains(&note) && n.contains(says));
        assert!(said, "{how}: {coverage}");
    }
}

#[test]
fn bundles_that_do_not_belong_together_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(&dir.path().join("one"), &sosreport("", "node-1", "chassis-1"));
    let other = write(&dir.path().join("other"), &sosreport("", "node-1", "chassis-9"));
    let third = write(&dir.path().join("third"), &sosreport("", "node-3", "chassis-3"));
    let coverage = coverage(&Bundle::new(vec![one.clone(), other.clone(), third]));
    let says =
        |text: &str| assert!(coverage.notes.iter().any(|note| note.contains(text)), "{text}: {coverage}");
    says("node-1 has the system-id chassis-1 in one and chassis-9 in other");
    says("one and third are from different clusters: they have no chassis in common");

    // The bundles are weeks apart.
    let old = filetime(&one, 1_700_000_000);
    let text = said(vec![old, other]).0;
    assert!(text.contains("were collected") && text.contains("apart: differences between them"), "{text}");
}

/// Sets the modification time of all files below a directory.
fn filetime(dir: &std::path::Path, seconds: u64) -> PathBuf {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let mut ahead = vec![dir.to_owned()];
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
    }
    dir.to_owned()
}

/// A zip of collections, as people attach it to a support case.
#[test]
fn a_zip_of_bundles_is_opened() {
    let report = sosreport("sosreport-node-1-2026-01-01-abc/", "node-1", "chassis-1");
    let packed = report.iter().fold(Tar::empty(), |tar, (name, bytes)| tar.file(name, bytes)).xz();
    let all = zip(&[
        ("case/sosreport-node-1-2026-01-01-abc.tar.xz", &packed),
        ("case/must-gather.tar.gz", &Tar::good().gz()),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("case.zip");
    fs::write(&path, all).unwrap();
    let bundle = Bundle::new(vec![path]);
    let coverage = coverage(&bundle);
    assert_eq!(databases(&coverage), ["node-1: present - -"], "{coverage}");
    let held = coverage.of(&"node-1".parse().unwrap(), mcp_core::DataArea::Northbound).unwrap();
    assert_eq!(held.details.len(), 2, "{coverage}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(rows(&bundle, "node-1", Db::Nb, "Logical_Switch")), Ok(2));
}
