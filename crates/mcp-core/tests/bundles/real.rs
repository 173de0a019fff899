//! Tests with real collections of one cluster: by `oc adm inspect`, and by sos on each node a few minutes later.

use crate::common::*;
use mcp_core::{AreaState, Backend, Bundle, DataArea, Db, NodeName};
use ovsdb::{Database, Datum, Select, print};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

const NODES: [(&str, &str); 3] = [
    ("ovn-control-plane", "sosreport-ovn-control-plane-2026-11-22-wvkhveu.tar.xz"),
    ("ovn-worker", "sosreport-ovn-worker-2026-11-22-olhriiu.tar.xz"),
    ("ovn-worker2", "sosreport-ovn-worker2-2026-11-22-xzpdlmo.tar.xz"),
];

fn capture(name: &str) -> PathBuf {
    testdata("capture").join(name)
}

fn all() -> Vec<PathBuf> {
    let reports = NODES.iter().map(|(_, file)| capture(file));
    [capture("must-gather.tar.xz")].into_iter().chain(reports).chain([capture("nodes.tar.xz")]).collect()
}

async fn database(bundle: &Bundle, node: &str, db: Db) -> Arc<Database> {
    bundle.database(&at(node, db), db).await.unwrap().value
}

/// The differences between two databases: `table` if rows were added or removed, `table.column`, and for maps
/// `table.column:key`.
fn differences(one: &Database, other: &Database) -> BTreeSet<String> {
    let mut differ = BTreeSet::new();
    for table in &one.schema().tables {
        let rows = |database: &Database| -> BTreeMap<_, _> {
            let rows = database.select(&Select::from(table.name.as_str())).unwrap();
            rows.rows.into_iter().map(|row| (row.uuid, row)).collect()
        };
        let (ours, theirs) = (rows(one), rows(other));
        if ours.keys().ne(theirs.keys()) {
            differ.insert(table.name.clone());
        }
        for (row, same) in ours.iter().filter_map(|(uuid, row)| Some((row, theirs.get(uuid)?))) {
            for column in &table.columns {
                let name = format!("{}.{}", table.name, column.name);
                match (row.get(&column.name), same.get(&column.name)) {
                    (ours, theirs) if ours == theirs => {}
                    (Some(Datum::Map(ours)), Some(Datum::Map(theirs))) => {
                        let gone = ours.iter().filter(|pair| !theirs.contains(pair));
                        let come = theirs.iter().filter(|pair| !ours.contains(pair));
                        differ
                            .extend(gone.chain(come).map(|(key, _)| format!("{name}:{}", print::atom(key))));
                    }
                    _ => _ = differ.insert(name),
                }
            }
        }
    }
    differ
}

/// The sosreports were made five minutes after the must-gather. Only data that OVN changes all the time differs.
#[tokio::test]
async fn a_sosreport_and_the_must_gather_have_the_same_rows() {
    let gathered = Bundle::new(vec![capture("must-gather.tar.xz")]);
    let (mut northbound, mut southbound) = (BTreeSet::new(), BTreeSet::new());
    for (node, file) in NODES {
        let report = Bundle::new(vec![capture(file)]);
        assert_eq!(report.nodes().await.unwrap(), [node.parse::<NodeName>().unwrap()]);
        for (db, differ) in [(Db::Nb, &mut northbound), (Db::Sb, &mut southbound)] {
            let (one, other) = (database(&gathered, node, db).await, database(&report, node, db).await);
            differ.extend(differences(&one, &other));
        }
    }
    let all = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(all(northbound), "NB_Global.options:e2e_timestamp");
    // Multicast groups of IPv6 neighbour discovery and MAC bindings age, and the flows of the groups age with them.
    let ages = "IGMP_Group Logical_Flow MAC_Binding MAC_Binding.timestamp Multicast_Group";
    assert_eq!(all(southbound), format!("{ages} SB_Global.options:e2e_timestamp"));
    for (node, file) in NODES {
        let report = Bundle::new(vec![capture(file)]);
        let flows = |database: &Database| -> BTreeSet<String> {
            let rows = database.select(&Select::from("Logical_Flow").columns(["match"])).unwrap().rows;
            rows.iter().map(|row| format!("{} {}", row.uuid, row.text("match").unwrap_or_default())).collect()
        };
        let (one, other) = (database(&gathered, node, Db::Sb).await, database(&report, node, Db::Sb).await);
        let (one, other) = (flows(&one), flows(&other));
        let mut odd = one.symmetric_difference(&other).filter(|flow| !flow.contains("mcast"));
        assert_eq!(odd.next(), None, "{node}");
    }
}

/// A bundle gives the same answers in every format.
#[tokio::test]
async fn every_format_of_a_bundle_gives_the_same_answers() {
    use std::io::Read;
    let mut tar = Vec::new();
    let packed = std::fs::read(capture(NODES[1].1)).unwrap();
    liblzma::read::XzDecoder::new(packed.as_slice()).read_to_end(&mut tar).unwrap();
    let dir = tempfile::tempdir().unwrap();
    tar::Archive::new(tar.as_slice()).unpack(dir.path().join("unpacked")).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let zst = ruzstd::encoding::compress_to_vec(tar.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let forms = [
        capture(NODES[1].1),
        dir.path().join("unpacked"),
        write("1", &tar),
        write("2", &gz(&tar)),
        write("3", &zst),
        write("4", &zip(&[("sosreport-ovn-worker.tar", &tar)])),
    ];
    let mut first = None;
    for form in forms {
        let bundle = Bundle::new(vec![form.clone()]);
        let coverage = bundle.coverage().await.unwrap();
        let states = coverage.nodes.iter().map(|node| {
            (node.node.clone(), node.areas.iter().map(|held| (held.area, held.state)).collect::<Vec<_>>())
        });
        let states: Vec<_> = states.collect();
        let differ = match &first {
            None => {
                first = Some((states, database(&bundle, "ovn-worker", Db::Sb).await));
                continue;
            }
            Some((expected, database_of_first)) => {
                assert_eq!(&states, expected, "{}", form.display());
                differences(database_of_first, &*database(&bundle, "ovn-worker", Db::Sb).await)
            }
        };
        assert!(differ.is_empty(), "{}: {differ:?}", form.display());
    }
}

#[tokio::test]
async fn all_bundles_together_cover_every_area_of_every_node() {
    let coverage = Bundle::new(all()).coverage().await.unwrap();
    for (node, _) in NODES {
        let node = node.parse().unwrap();
        for area in DataArea::ALL {
            // The cluster uses neither IPsec nor FRR.
            let expected = if matches!(area, DataArea::Ipsec | DataArea::Frr) {
                AreaState::Absent
            } else {
                AreaState::Present
            };
            assert_eq!(coverage.of(&node, area).unwrap().state, expected, "{area} of {node}: {coverage}");
        }
    }
    assert!(coverage.notes.is_empty(), "{coverage}");
}

/// sos runs no shell, so `ovn-controller.*.ctl` matches no daemon, which is not the daemon's fault.
#[tokio::test]
async fn absent_failed_and_missing_programs_are_told_apart() {
    let bundle = Bundle::new(vec![capture(NODES[1].1)]);
    let conf_db =
        bundle.rows(&at("ovn-worker", Db::OpenVSwitch), Db::OpenVSwitch, &[Select::from("Bridge")]).await;
    let conf_db = conf_db.unwrap_err().to_string();
    assert!(conf_db.contains("Open_vSwitch of ovn-worker was not collected"), "{conf_db}");
    assert!(
        conf_db.contains("the path is a link to var/lib/openvswitch/conf.db, which is not in the bundle"),
        "{conf_db}"
    );
    let coverage = bundle.coverage().await.unwrap();
    let kernel = coverage.of(&"ovn-worker".parse().unwrap(), DataArea::Kernel).unwrap();
    assert!(
        kernel.details.iter().any(|detail| detail.starts_with("programs that the node does not have: ")
            && detail.contains("netstat"))
    );
}

/// A report that `sos clean` (sos 4.12) edited has other names and addresses, and the same rows.
#[tokio::test]
async fn a_cleaned_report_has_the_same_rows() {
    let cleaned = "bundles/cleaned/sosreport-obfuscatedword1-2026-11-22-olhriiu-obfuscated.tar.xz";
    let cleaned = Bundle::new(vec![testdata(cleaned)]);
    let original = Bundle::new(vec![capture("sosreport-ovn-worker-2026-11-22-olhriiu.tar.xz")]);
    assert_eq!(cleaned.nodes().await.unwrap(), ["obfuscatedword1".parse::<NodeName>().unwrap()]);
    for db in [Db::Nb, Db::Sb] {
        let read = cleaned.database(&at("obfuscatedword1", db), db).await.unwrap();
        assert!(read.notes.iter().any(|note| note.contains("was edited by `sos clean`")), "{:?}", read.notes);
        let theirs = database(&original, "ovn-worker", db).await;
        for table in &theirs.schema().tables {
            let none: [&str; 0] = [];
            let select = Select::from(table.name.as_str()).columns(none);
            let uuids = |database: &Database| -> Vec<_> {
                database.select(&select).unwrap().rows.into_iter().map(|row| row.uuid).collect()
            };
            assert_eq!(uuids(&read.value), uuids(&theirs), "{}", table.name);
        }
    }
    let coverage = cleaned.coverage().await.unwrap();
    let held = coverage.of(&"obfuscatedword1".parse().unwrap(), DataArea::Southbound).unwrap();
    assert_eq!(held.state, AreaState::Present, "{held:?}");
}

/// A southbound database with several chassis that are not remote belongs to all nodes.
#[tokio::test]
async fn a_central_database_is_recognized_by_its_content() {
    let gathered = Bundle::new(vec![capture("must-gather.tar.xz")]);
    let zone = database(&gathered, "ovn-worker", Db::Sb).await;
    assert!(zone.damage().is_none());
    let dir = tempfile::tempdir().unwrap();
    let unpacked = dir.path().join("unpacked");
    let packed = std::fs::File::open(capture("must-gather.tar.xz")).unwrap();
    tar::Archive::new(liblzma::read::XzDecoder::new(packed)).unpack(&unpacked).unwrap();
    let file = walk(&unpacked).into_iter().find(|path| path.ends_with("ovnkube-node-vwrjk_sbdb")).unwrap();
    // The file looks as if `sos clean` had edited it, so that its checksums are not verified.
    let text = std::fs::read_to_string(file)
        .unwrap()
        .replace(r#"["is-remote","true"]"#, r#"["x","53:4f:53:00:00:01"]"#);
    let central = dir.path().join("databases");
    std::fs::create_dir(&central).unwrap();
    std::fs::write(central.join("ovnsb_db.db"), &text).unwrap();
    let said = chain(&Bundle::new(vec![central]).nodes().await.unwrap_err());
    assert!(
        said.contains("ovnsb_db.db is from a cluster in central mode, with one database for all nodes; only"),
        "{said}"
    );
    // In the report of a node, the database is read, with a note that it is a central one.
    let report = dir.path().join("report");
    std::fs::create_dir_all(report.join("sos_commands")).unwrap();
    std::fs::create_dir_all(report.join("etc/ovn")).unwrap();
    std::fs::write(report.join("etc/hostname"), "master-0\n").unwrap();
    std::fs::write(report.join("sos_commands/x"), "").unwrap();
    std::fs::write(report.join("etc/ovn/ovnsb_db.db"), &text).unwrap();
    let read = Bundle::new(vec![report]).database(&at("master-0", Db::Sb), Db::Sb).await.unwrap();
    assert!(read.notes.iter().any(|note| note.contains("in central mode")), "{:?}", read.notes);
}

/// Lists all files below a directory.
fn walk(dir: &std::path::Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    std::fs::read_dir(dir).unwrap().flatten().flat_map(|entry| below(entry.path())).collect()
}
