//! The answer about events of the kernel: one row for each packet.

use capture::event::{End, packets, read};
use mcp_core::{Answer, Row, counted, must_stop};
use std::sync::Arc;

/// The length of the line with the functions of a packet, in bytes.
const LINE: usize = 400;

/// Returns the packets in the output of pwru or in a recording of retis: those that were dropped first.
pub(crate) fn answer(text: &str) -> Answer {
    let read = read(text, must_stop);
    let all = packets(&read.events);
    let mut rows = Vec::new();
    for (heading, wanted) in [("dropped:", true), ("not dropped:", false)] {
        let heading: Arc<str> = heading.into();
        for packet in all.iter().filter(|packet| packet.drops.is_empty() != wanted) {
            let row = format!("  {}\n    {}", packet.summary(&read.events), packet.line(LINE));
            rows.push(Row::line(row).under(&heading));
        }
    }
    let mut notes = read.notes();
    if let Some(recording) = &read.recording {
        let kernel = recording.kernel.as_deref().unwrap_or("an unknown kernel");
        notes.push(format!("recorded by retis {} on {kernel}", recording.version));
    }
    notes.push(format!(
        "{} of {}; {} dropped",
        counted(read.events.len(), "event"),
        counted(all.len(), "packet"),
        all.iter().filter(|packet| matches!(packet.end, End::Dropped { .. })).count()
    ));
    Answer {
        rows,
        if_empty: "no packet matched the filter while it was recorded".into(),
        notes,
        ..Answer::default()
    }
}
