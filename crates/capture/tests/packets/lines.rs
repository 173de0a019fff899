//! The lines of packets against those of tcpdump.

use std::{fs, path::Path};

use capture::{
    file::{Reader, Record},
    frame::Frame,
    text,
};

use crate::{
    fields,
    program::{self, run},
};

/// Returns the lines of tcpdump without what the module `text` says that it leaves out.
fn of_tcpdump(file: &Path) -> Vec<String> {
    let output = run("tcpdump", &["-nn", "-S", "-r", file.to_str().expect("a path of text")]);
    output.lines().map(simple).collect()
}

fn simple(line: &str) -> String {
    let (time, line) = line.split_once(' ').expect("a time");
    // The interface and the direction of version 2 of cooked captures.
    let start = [" IP ", " IP6 ", " ARP, "].iter().filter_map(|word| line.find(word)).min();
    let line = match start {
        Some(at) if !line.starts_with("IP") && !line.starts_with("ARP") => &line[at + 1..],
        _ => line,
    };
    format!("{} {}", time.get(..15).unwrap_or(time), without(line))
}

/// Removes what only one of the two prints: nothing of the header fields that both print.
fn without(line: &str) -> String {
    let mut line = line.to_owned();
    for (begin, end) in [("Geneve, ", "vni"), (", ovn ports ", ":"), (", options [8 bytes]", ":")] {
        while let Some(at) = line.find(begin) {
            let from = if begin == "Geneve, " { at + begin.len() } else { at };
            let Some(length) = line[from..].find(end) else { break };
            if length == 0 && begin == "Geneve, " {
                break;
            }
            line.replace_range(from..from + length, "");
            if begin == "Geneve, " {
                break;
            }
        }
    }
    for (long, short) in
        [("nop,", ""), ("sackOK,", ""), (",nop", ""), (",eol", ""), (",sackOK", ""), ("(Who is", "(who is")]
    {
        line = line.replace(long, short);
    }
    // What follows the length: tcpdump's text of the payload, and our text of TLS.
    if let Some(at) = line.find(", length ") {
        let digits = line[at + 9..].chars().take_while(char::is_ascii_digit).count();
        line.truncate(at + 9 + digits);
    }
    line
}

#[test]
fn recorded_tcp_lines() {
    for file in program::recorded() {
        let theirs = of_tcpdump(&file);
        let mut reader = Reader::open(fs::File::open(&file).expect("a file")).expect("a capture");
        let (mut index, mut compared) = (0, 0);
        while let Some(record) = reader.next() {
            let Record { nanos, link, length, bytes, .. } = record.expect("a record");
            let frame = Frame::dissect_of(link, bytes, length);
            let ours = text::line(nanos, &frame);
            if ours.contains("Flags [") && !fields::is_cut(&frame) {
                assert_eq!(without(&ours), theirs[index], "{}: packet {index}", file.display());
                compared += 1;
            }
            index += 1;
        }
        assert_eq!(index, theirs.len());
        assert!(compared > 10, "{}: {compared} lines were compared", file.display());
    }
}
