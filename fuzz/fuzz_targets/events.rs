//! Reads any bytes as a recording of pwru or retis.
//!
//! The reading ends, and no line is lost: it is an event, or it is counted. Every event of a packet belongs to one
//! packet, in the order of the recording, and the line of a packet stays within its limit.

#![no_main]

use capture::event::{packets, read};
use libfuzzer_sys::fuzz_target;

/// The maximum length of a line about a packet, without its longest names.
const LINE: usize = 400;

/// The maximum length of a name in an event, with the mark of a cut.
const NAME: usize = 243;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let read = read(&text, || false);
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
    let found = read.events.len() + read.left_out + read.not_understood + usize::from(read.is_cut);
    // An array is one line, and the first event of retis is not an event of a packet.
    if !text.contains('[') && read.recording.is_none() {
        assert_eq!(found, lines, "{read:?}");
    }
    assert_eq!(read.example.is_some(), read.not_understood > 0);
    assert!(read.notes().iter().all(|note| note.len() < NAME + 60));

    let paths = packets(&read.events);
    let of_packets = read.events.iter().filter(|event| event.packet.is_some()).count();
    assert_eq!(paths.iter().map(|path| path.events.len()).sum::<usize>(), of_packets);
    for path in &paths {
        assert!(path.events.is_sorted() && path.drops.iter().all(|drop| path.events.contains(drop)));
        assert!(path.line(LINE).len() < LINE + 3 * NAME + 60, "{}", path.line(LINE));
        let functions = path.steps.iter().flat_map(|step| &step.functions).map(|(_, count)| count);
        assert_eq!(functions.sum::<usize>(), path.events.len());
        path.cookies(&read.events);
    }
});
