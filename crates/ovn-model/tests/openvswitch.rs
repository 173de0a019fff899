//! Parses the output of Open vSwitch and prints it again: every flow, datapath flow and connection of the test data,
//! word by word.

use ovn_model::{conntrack::Entry, datapath};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

type Failed = Box<dyn std::error::Error>;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Returns the available outputs by their paths. They come from the three nodes of the capture (Open vSwitch 4.0,
/// userspace datapath), from a machine with the kernel's datapath (3.1), and from the lab in every form (`forms`).
fn outputs(wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, String>, Failed> {
    let mut outputs = BTreeMap::new();
    for folder in ["capture", "kernel-datapath", "forms"] {
        for archive in std::fs::read_dir(testdata().join(folder))?.flatten().map(|entry| entry.path()) {
            let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.ends_with(".tar.xz") || name.starts_with("must-gather") || name.contains("clients") {
                continue;
            }
            for entry in tar::Archive::new(liblzma::read::XzDecoder::new(File::open(&archive)?)).entries()? {
                let mut entry = entry?;
                let path = entry.path()?.display().to_string();
                if entry.header().entry_type().is_file() && wanted(&path) {
                    let mut text = String::new();
                    entry.read_to_string(&mut text)?;
                    outputs.insert(format!("{name}/{path}"), text);
                }
            }
        }
    }
    Ok(outputs)
}

/// Returns the words of a line, which commas and spaces separate.
fn words(line: &str) -> Vec<&str> {
    line.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect()
}

/// Parses and prints a line. Returns `None` if the line was not understood.
type Printer = fn(&str) -> Option<String>;

/// Checks how many lines of how many outputs are printed unchanged, and that the lines that are not understood are
/// the expected ones.
fn all_words_are_kept(
    outputs: &BTreeMap<String, String>,
    print: Printer,
    not_understood: impl Fn(&str) -> bool,
) -> (usize, usize) {
    let (mut files, mut lines) = (0, 0);
    for (path, text) in outputs {
        files += 1;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match print(line) {
                Some(printed) => {
                    assert_eq!(words(&printed), words(line), "{path}");
                    lines += 1;
                }
                None => assert!(not_understood(line), "{path}: not understood: {line}"),
            }
        }
    }
    (files, lines)
}

#[test]
fn datapath_flows_of_the_kernel_and_of_userspace() -> Result<(), Failed> {
    let outputs = outputs(|path| path.contains("dpctl") && path.contains("dump-flows"))?;
    for datapath in ["system_ovs-system", "netdev_ovs-netdev", "nodes/", "dump-flows_-m_--names"] {
        assert!(outputs.keys().any(|path| path.contains(datapath)), "no output of {datapath}");
    }
    let print = |line: &str| datapath::Flow::parse(line).map(|flow| flow.to_string());
    let other = |line: &str| line.starts_with("flow-dump from") || line.starts_with("ovs-dpctl: ");
    let (files, flows) = all_words_are_kept(&outputs, print, other);
    assert!(files >= 7 && flows > 100, "{flows} flows in {files} outputs");
    Ok(())
}

#[test]
fn connections() -> Result<(), Failed> {
    let outputs = outputs(|path| path.contains("dump-conntrack"))?;
    let print = |line: &str| Entry::parse(line).map(|entry| entry.to_string());
    let (files, connections) = all_words_are_kept(&outputs, print, |_| false);
    assert!(files >= 7 && connections > 100, "{connections} connections in {files} outputs");
    Ok(())
}

/// Tables of conf.db in the output of `ovs-vsctl list` become typed rows, which print the same text again.
#[test]
fn lists_of_tables() -> Result<(), Failed> {
    let outputs =
        outputs(|path| path.contains("vsctl") && path.contains("_list_") && !path.contains("list_br"))?;
    let records = |list: &str| {
        let mut records: Vec<String> = list.trim_end().split("\n\n").map(str::to_owned).collect();
        records.sort();
        records
    };
    let mut rows = 0;
    for (path, text) in &outputs {
        let listing = ovsdb::Listing::parse("Open_vSwitch", "a table", text);
        assert_eq!((listing.other.len(), listing.rows.problems().count()), (0, 0), "{path}");
        assert_eq!(records(&ovsdb::print::list(&listing.rows, None)), records(text), "{path}");
        rows += listing.rows.rows.len();
    }
    assert!(outputs.len() > 12 && rows > 80, "{rows} rows in {} outputs", outputs.len());
    Ok(())
}
