//! Asks tshark(1).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use capture::{
    analysis::{Analysis, Report},
    file::Reader,
    frame::Frame,
};

use crate::lab::command;

/// Runs tshark on a file. Its times of unit and name resolution are off.
pub(crate) fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = command("tshark").args(["-n", "-r"]).arg(file).args(arguments).output().expect("tshark(1)");
    assert!(output.status.success(), "tshark {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns the values of fields, one row for each packet that matches the filter. The values of a field that a packet
/// has several times are joined by commas.
pub(crate) fn rows(file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut arguments = vec!["-Y", filter, "-T", "fields", "-E", "separator=|", "-o", "ip.defragment:FALSE"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    tshark(file, &arguments).lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// Returns the number of packets that match the filter.
pub(crate) fn count(file: &Path, filter: &str) -> u64 {
    rows(file, filter, &["frame.number"]).len() as u64
}

/// The packets and the size that each end of a conversation sent, by the lesser and the greater end.
pub(crate) type Conversations = BTreeMap<(String, String), Vec<[(u64, String); 2]>>;

/// Reads the table of `-z conv,tcp` or `-z conv,udp`.
pub(crate) fn conversations(file: &Path, kind: &str) -> Conversations {
    let text = tshark(file, &["-q", "-o", "ip.defragment:FALSE", "-z", &format!("conv,{kind}")]);
    let mut found = Conversations::new();
    for line in text.lines().filter(|line| line.contains("<->")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [first, _, second, packets2, size2, unit2, packets1, size1, unit1, ..] = words[..] else {
            panic!("{line:?}")
        };
        let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("a number in {line:?}"));
        let one = (number(packets1), format!("{size1} {unit1}"));
        let two = (number(packets2), format!("{size2} {unit2}"));
        let (first, second) = (first.to_owned(), second.to_owned());
        let (key, counts) =
            if first <= second { ((first, second), [one, two]) } else { ((second, first), [two, one]) };
        found.entry(key).or_default().push(counts);
    }
    for counts in found.values_mut() {
        counts.sort();
    }
    found
}

/// Returns a size as tshark prints it.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 10_000 { format!("{bytes} bytes") } else { format!("{} kB", bytes / 1000) }
}

/// Analyses a capture file. Each interface of the file is a point.
pub(crate) fn analyse(file: &Path) -> Report {
    let mut analysis = Analysis::default();
    frames(file, |nanos, point, length, frame| analysis.add(nanos, point, length, frame));
    analysis.finish()
}

/// Reads the frames of a capture file.
pub(crate) fn frames(file: &Path, mut take: impl FnMut(u64, usize, u32, &Frame)) {
    let mut reader = Reader::open(std::fs::File::open(file).expect("a file")).expect("a capture file");
    loop {
        let (nanos, point, length, bytes) = match reader.next() {
            None => return,
            Some(record) => {
                let record = record.expect("a whole file");
                (record.nanos, record.point, record.length, record.bytes.to_vec())
            }
        };
        let link = reader.points()[point].link;
        take(nanos, point, length, &Frame::dissect_of(link, &bytes, length));
    }
}

/// Returns a recorded capture of the repository.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture-files").join(name)
}
