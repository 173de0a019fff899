//! Tests with container and host logs in all kinds of collections.

use crate::common::*;
use mcp_core::{Backend, Bundle, HostLog, LogPart, LogQuery, LogSource, ReadError};
use std::path::PathBuf;

/// A line of a log as the API server returns it. `KEPT` is the same line as the container runtime stores it.
const GIVEN: &str = "2026-11-22T08:11:59.312915400Z I1122 08:11:59.312458    6050 metrics.go:442] Starting\n";
const KEPT: &str =
    "2026-11-22T08:11:59.312915400Z stderr F I1122 08:11:59.312458    6050 metrics.go:442] Starting\n";
const BEFORE: &str = "2026-11-22T08:01:59.312915400Z I1122 08:01:59.312458    50 metrics.go:442] Before\n";
const OLDEST: &str =
    "2026-11-21T08:01:59.312915400Z stderr F I1121 08:01:59.312458    50 metrics.go:442] Oldest\n";

/// Returns the text of a log, its origin and the notes, or the error.
fn log(
    paths: Vec<PathBuf>,
    source: LogSource,
    since: Option<&str>,
) -> Result<(String, String, Vec<String>), ReadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let query = LogQuery { source, since: since.map(|time| time.parse().unwrap()), tail: None };
        let mut read = Bundle::new(paths).log(&query, std::time::Duration::from_secs(60)).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = read.value.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        Ok((String::from_utf8(bytes).unwrap(), read.origin.what, read.notes))
    })
}

fn container(pod: &str, container: &str, part: LogPart) -> LogSource {
    LogSource::Container { pod: pod.parse().unwrap(), container: container.into(), part }
}

fn host(node: &str, log: HostLog) -> LogSource {
    LogSource::Host { node: node.parse().unwrap(), log }
}

/// Creates a directory with these files. The directory is deleted with the first value.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    unpacked(dir.path(), files);
    let path = dir.path().into();
    (dir, vec![path])
}

/// The files of a must-gather with a container that ran twice.
fn inspected() -> Vec<(String, Vec<u8>)> {
    let logs = format!("{TOP}/namespaces/shop/pods/web-1/web/web/logs");
    [
        ("current.log", GIVEN.into()),
        // The collector could not read the log at first, and read it without verifying the kubelet's certificate.
        ("previous.log", Vec::new()),
        ("previous.insecure.log", BEFORE.into()),
        ("rotated/0.log.20261121-080200.gz", gz(OLDEST.as_bytes())),
    ]
    .map(|(name, bytes): (&str, Vec<u8>)| (format!("{logs}/{name}"), bytes))
    .into()
}

#[test]
fn logs_are_read_from_a_must_gather_in_every_format() {
    let files = inspected();
    let mut tar = Tar::empty();
    for (name, bytes) in &files {
        tar = tar.file(name, bytes);
    }
    let plain = tar.bytes();
    let borrowed: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let zstd =
        ruzstd::encoding::compress_to_vec(plain.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    let dir = tempfile::tempdir().unwrap();
    let (_unpacked, directory) = folder(&borrowed);
    let mut forms = vec![directory];
    for (name, bytes) in [
        ("a.tar", plain.clone()),
        ("a.tar.gz", gz(&plain)),
        ("a.tar.xz", xz(&plain)),
        ("a.tar.zst", zstd),
        ("a.zip", zip(&borrowed)),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        forms.push(vec![path]);
    }
    for form in forms {
        for (part, says) in [
            (LogPart::Current, GIVEN.to_owned()),
            (LogPart::Previous, BEFORE.to_owned()),
            (LogPart::All, format!("{OLDEST}{BEFORE}{GIVEN}")),
        ] {
            let (text, what, notes) = log(form.clone(), container("shop/web-1", "web", part), None).unwrap();
            assert_eq!(text, says, "{form:?} {part:?}");
            assert!(what.contains("namespaces/shop/pods/web-1/web/web/logs/"), "{what}");
            assert_eq!(
                notes.iter().any(|note| note.contains("rotated files with older lines: 1;")),
                part != LogPart::All
            );
        }
    }
}

/// The kubelet's files in a sosreport and in kind exports, next to the names that the runtime gives them.
#[test]
fn log_files_of_the_kubelet_are_read() {
    let id = "0123456789abcdef".repeat(4);
    let rotated = gz(OLDEST.as_bytes());
    let before = BEFORE.replace("Z I", "Z stderr F I");
    for top in ["sosreport-node-1-2026-11-22-abcdefg/var/log/", "logs/node-1/", "logs/node-1/var/log/"] {
        let pod = format!("{top}pods/shop_web-1_0b1c2d3e-aaaa-bbbb-cccc-0123456789ab/web");
        let named = format!("{top}containers/web-1_shop_web-{id}.log");
        let (_dir, paths) = folder(&[
            (&format!("{pod}/0.log.20261121-080200.gz"), &rotated),
            (&format!("{pod}/0.log"), before.as_bytes()),
            (&format!("{pod}/1.log"), KEPT.as_bytes()),
            (&named, KEPT.as_bytes()),
        ]);
        for (part, says) in [
            (LogPart::Current, KEPT.to_owned()),
            (LogPart::Previous, before.clone()),
            (LogPart::All, format!("{OLDEST}{before}{KEPT}")),
        ] {
            let (text, ..) = log(paths.clone(), container("shop/web-1", "", part), None).unwrap();
            assert_eq!(text, says, "{top} {part:?}");
        }
        let (_dir, paths) = folder(&[(&named, KEPT.as_bytes())]);
        let (text, ..) = log(paths, container("shop/web-1", "web", LogPart::Current), None).unwrap();
        assert_eq!(text, KEPT, "with the runtime's name only");
    }
}

#[test]
fn an_error_about_a_missing_log_lists_the_existing_logs() {
    let logs = |container: &str| {
        format!("{TOP}/namespaces/shop/pods/web-1/{container}/{container}/logs/current.log")
    };
    let (_dir, paths) = folder(&[(&logs("web"), GIVEN.as_bytes()), (&logs("proxy"), b"")]);
    for (source, why) in [
        (container("shop/web-1", "db", LogPart::Current), "the pod has no log of this container"),
        (container("shop/web-1", "web", LogPart::Previous), "the container has no log of a previous run"),
        (container("shop/web-1", "", LogPart::Current), "the pod has several containers: name one"),
        (container("shop/web-2", "web", LogPart::Current), "the log of shop/web-2 -c web is not available"),
        (host("node-1", HostLog::Kubelet), "the kubelet log of node-1 was not collected"),
    ] {
        let error = log(paths.clone(), source, None).unwrap_err();
        assert!(chain(&error).contains(why), "{}", chain(&error));
        match error {
            ReadError::NotHeld { instead, .. } => assert!(!instead.is_empty(), "{why}"),
            ReadError::NotCollected { instead, .. } => assert!(instead.is_empty(), "{instead:?}"),
            other => panic!("{other}"),
        }
    }
    // An empty log is an answer.
    assert_eq!(log(paths, container("shop/web-1", "proxy", LogPart::Current), None).unwrap().0, "");
}

/// `host_service_logs` has all hosts of a role in one file, and a journal has all programs of a host.
#[test]
fn the_lines_of_a_host_and_a_program_are_selected() {
    let role = "Nov 22 08:12:01.1 node-1 kubenswrapper[7]: I1122 08:12:01.100000 7 a.go:1] one\n\
                Nov 22 08:12:02.1 node-2 kubenswrapper[7]: I1122 08:12:02.100000 7 a.go:1] two\n";
    let journal = "Nov 22 08:12:01 node-3 kubelet[7]: one\nNov 22 08:12:02 node-3 ovs-vswitchd[8]: two\n";
    let ring = "[    0.000000] Linux version 6.18\n";
    let (_dir, paths) = folder(&[
        (&format!("{TOP}/host_service_logs/masters/kubelet_service.log"), role.as_bytes()),
        (&format!("{TOP}/nodes/node-2/dmesg"), ring.as_bytes()),
        ("logs/node-3/kubernetes-version.txt", b"v1.36.2"),
        ("logs/node-3/journal.log", journal.as_bytes()),
        ("logs/node-4/kubelet.log", GIVEN.as_bytes()),
    ]);
    for (node, which, says, note) in [
        (
            "node-1",
            HostLog::Kubelet,
            role.lines().next().unwrap().to_owned() + "\n",
            "only the lines of node-1",
        ),
        ("node-2", HostLog::Kernel, ring.to_owned(), ""),
        (
            "node-3",
            HostLog::OvsVswitchd,
            journal.lines().nth(1).unwrap().to_owned() + "\n",
            "only the lines of ovs-vswitchd",
        ),
        ("node-4", HostLog::Kubelet, GIVEN.to_owned(), ""),
    ] {
        let (text, _, notes) = log(paths.clone(), host(node, which), None).unwrap();
        assert_eq!(text, says, "{node}");
        assert!(notes.iter().any(|n| n.contains(note)) || note.is_empty(), "{notes:?}");
    }
}

/// A line that is longer than a line can be is cut, and the next line stays a line of its own.
#[test]
fn a_long_line_of_a_journal_is_cut_and_ends() {
    let line = |second: u32, text: &str| format!("Nov 22 08:12:0{second} node-3 kubelet[7]: {text}\n");
    let journal = line(1, "one") + &line(2, &"x".repeat(2 << 20)) + &line(3, "three");
    let (_dir, paths) = folder(&[
        ("logs/node-3/kubernetes-version.txt", b"v1.36.2"),
        ("logs/node-3/journal.log", journal.as_bytes()),
    ]);
    let (text, ..) = log(paths, host("node-3", HostLog::Kubelet), None).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{:?}", lines.iter().map(|line| line.len()).collect::<Vec<_>>());
    assert_eq!((lines[0], lines[2]), (line(1, "one").trim_end(), line(3, "three").trim_end()));
    let cut = journal.lines().nth(1).unwrap().len() - (1 << 20);
    assert!(lines[1].ends_with(&format!("x … [{cut} more bytes of this line are cut]")));
}

/// Rotated files are read as far back as `since` asks.
#[test]
fn rotated_logs_of_a_host_are_read_first() {
    let root = "sosreport-node-1-2026-11-22-abcdefg";
    let log_file = format!("{root}/var/log/openvswitch/ovs-vswitchd.log");
    let line = |day: u8| format!("2026-11-{day}T08:00:00.000Z|00001|bridge|INFO|day {day}\n");
    let (_dir, paths) = folder(&[
        (&log_file, line(22).as_bytes()),
        (&format!("{log_file}-20261121.gz"), &gz(line(20).as_bytes())),
        (&format!("{log_file}.1"), line(21).as_bytes()),
        (
            &format!("{root}/sos_commands/openvswitch/journalctl_--no-pager_--unit_ovs-configuration"),
            b"-- No entries --\n",
        ),
    ]);
    let source = || host("node-1", HostLog::OvsVswitchd);
    let (text, what, notes) = log(paths.clone(), source(), None).unwrap();
    assert_eq!((text, what.as_str()), (line(22), "var/log/openvswitch/ovs-vswitchd.log"));
    assert!(notes.iter().any(|note| note.contains("rotated files with older lines: 2;")), "{notes:?}");
    let (text, what, _) = log(paths.clone(), source(), Some("2026-11-20T00:00:00Z")).unwrap();
    assert_eq!(text, format!("{}{}{}", line(20), line(21), line(22)));
    assert!(what.starts_with("3 files from "), "{what}");
    let error = chain(&log(paths, host("node-1", HostLog::OvsConfiguration), None).unwrap_err());
    assert!(error.contains("journalctl --unit ovs-configuration found no entries"), "{error}");
}

/// The logs of the real cluster.
#[test]
fn logs_of_the_capture_are_read() {
    let must_gather = || vec![testdata("capture/must-gather.tar.xz")];
    let source = container("ovn-kubernetes/ovnkube-node-pqrlf", "ovnkube-controller", LogPart::Previous);
    let (text, ..) = log(must_gather(), source, None).unwrap();
    assert_eq!(text.len(), 114_858);
    assert!(text.contains("ovnkube.go:149] failed to run ovnkube: "));
    let report = vec![testdata("capture/sosreport-ovn-worker-2026-11-22-olhriiu.tar.xz")];
    let (text, ..) = log(report, host("ovn-worker", HostLog::OvsVswitchd), None).unwrap();
    assert_eq!(text.lines().count(), 404);
}
