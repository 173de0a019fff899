//! Damages real collections at random. Whatever the bytes are, the server answers or reports an error, and does not
//! panic.
//!
//! The number of cases is small enough for every test run; `PROPTEST_CASES` raises it.

use crate::common::*;
use proptest::prelude::*;
use std::{fs, io::Read, sync::LazyLock};

/// A change of a file: a byte is set, the end is cut, or a part is lost or doubled.
#[derive(Clone, Debug)]
enum Damage {
    Set(usize, u8),
    Cut(usize),
    Lose(usize, usize),
    Double(usize, usize),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = 0..1_000_000usize;
    let one = prop_oneof![
        4 => (at.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => at.clone().prop_map(Damage::Cut),
        1 => (at.clone(), 1..600usize).prop_map(|(at, n)| Damage::Lose(at, n)),
        1 => (at, 1..600usize).prop_map(|(at, n)| Damage::Double(at, n)),
    ];
    prop::collection::vec(one, 1..6)
}

fn apply(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damage {
        let len = bytes.len().max(1);
        match *damage {
            Damage::Set(at, byte) => {
                if let Some(place) = bytes.get_mut(at % len) {
                    *place = byte;
                }
            }
            Damage::Cut(at) => bytes.truncate(at % len),
            Damage::Lose(at, n) => _ = bytes.drain(at % len..(at % len + n).min(bytes.len())),
            Damage::Double(at, n) => {
                let part = bytes.get(at % len..(at % len + n).min(bytes.len())).unwrap_or_default().to_vec();
                let at = (at % len).min(bytes.len());
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

/// Reads everything from a bundle with these bytes.
fn ask(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle");
    fs::write(&path, bytes).unwrap();
    let (text, _) = said(vec![path]);
    text
}

fn small() -> Tar {
    Tar::good()
        .link("sos/etc/openvswitch/conf.db", tar::EntryType::Symlink, "../../var/lib/openvswitch/conf.db")
        .file("sos/etc/hostname", b"node-2\n")
        .file("sos/sos_reports/manifest.json", MANIFEST.as_bytes())
        .file("sos/sos_commands/openvswitch/ovs-vsctl_-t_5_show", b"x")
        .file("sos/var/lib/openvswitch/conf.db", &database())
}

const MANIFEST: &str = r#"{"components":{"report":{"plugins":{"openvswitch":{"command_timeout":30,"commands":[
{"command":"ovs-vsctl","exec":"ovs-vsctl -t 5 show","filepath":"sos_commands/openvswitch/ovs-vsctl_-t_5_show",
"truncated":false,"return_code":0,"start_time":1795336840.94},
{"exec":"netstat -s","filepath":null,"return_code":127,"truncated":false}]}}}}}"#;

/// A sosreport of the capture as an uncompressed tar.
fn report() -> &'static [u8] {
    static REPORT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let file =
            fs::File::open(testdata("capture/sosreport-ovn-worker-2026-11-22-olhriiu.tar.xz")).unwrap();
        let mut bytes = Vec::new();
        liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    });
    &REPORT
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(150)) })]

    #[test]
    fn a_damaged_plain_archive_does_not_panic(damage in damage()) {
        ask(&apply(&small().bytes(), &damage));
    }

    #[test]
    fn a_damaged_gzip_archive_does_not_panic(damage in damage()) {
        ask(&apply(&small().gz(), &damage));
        // The archive was damaged before it was compressed.
        ask(&gz(&apply(&small().bytes(), &damage)));
    }

    #[test]
    fn a_damaged_xz_or_zstd_archive_does_not_panic(damage in damage()) {
        ask(&apply(&small().xz(), &damage));
        ask(&apply(&small().zst(), &damage));
    }

    #[test]
    fn a_damaged_zip_does_not_panic(damage in damage()) {
        let packed = zip(&[("case/must-gather.tar", &small().bytes()), ("sos/etc/hostname", b"node-3")]);
        ask(&apply(&packed, &damage));
    }

    #[test]
    fn a_damaged_manifest_still_has_its_node(damage in damage()) {
        let manifest = apply(MANIFEST.as_bytes(), &damage);
        let tar = Tar::empty()
            .file("etc/hostname", b"node-2\n")
            .file("sos_reports/manifest.json", &manifest)
            .file("sos_commands/openvswitch/ovs-vsctl_-t_5_show", b"x");
        let text = ask(&tar.bytes());
        prop_assert!(text.contains("node-2"), "{text}");
    }

    /// A real report is so large that each case takes a while, so only one in ten cases runs.
    #[test]
    fn a_damaged_real_report_does_not_panic(damage in damage(), seldom in 0..10u8) {
        if seldom == 0 {
            ask(&apply(report(), &damage));
        }
    }

    #[test]
    fn a_damaged_pod_and_database_do_not_panic(damage in damage()) {
        let tar = Tar::empty()
            .file(&format!("{TOP}/namespaces/ovn-kubernetes/pods/p1/p1.yaml"), &apply(&pod(), &damage))
            .file(&format!("{STORE}/p1_nbdb"), &apply(&database(), &damage));
        ask(&tar.bytes());
    }
}

fn cases(normally: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(normally)
}
