//! Events of packets in the kernel, as pwru and retis record them.
//!
//! Both programs print JSON. [`read`] joins it into one shape, and [`packets`] follows each packet through the
//! functions that it reached.

mod json;
mod path;
mod pwru;
mod retis;
mod text;
mod types;

pub use path::{End, PacketPath, Step, packets};
pub use types::{
    Conntrack, Hook, Interface, KernelEvent, NftVerdict, OvsFlow, OvsStep, PacketId, Recording, Tuple,
};

use serde_json::Value;

/// The maximum number of events that [`read`] keeps. An event takes about one kilobyte.
pub const MOST_EVENTS: usize = 50_000;

/// The maximum length of a line in bytes. A longer line is not understood.
const LONGEST_LINE: usize = 1 << 20;

/// The maximum length in bytes of a text that an event keeps, and of the line that a note quotes.
const LONGEST_TEXT: usize = 240;

/// What [`read`] found in a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// The events, in the order of the text.
    pub events: Vec<KernelEvent>,
    /// How retis recorded the events, if the text says so.
    pub recording: Option<Recording>,
    /// The number of events after [`MOST_EVENTS`] that were left out.
    pub left_out: usize,
    /// The number of lines that are not events.
    pub not_understood: usize,
    /// The first line that is not an event, cut to 240 bytes.
    pub example: Option<String>,
    /// The text ends in the middle of a line, which was left out.
    pub is_cut: bool,
}

impl Events {
    /// Returns notes about what is missing: what was left out, and what the reader did not understand.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.is_cut {
            notes.push("the recording ends in the middle of an event".to_owned());
        }
        if self.left_out > 0 {
            notes.push(format!("{} events after the first {MOST_EVENTS} were left out", self.left_out));
        }
        if let Some(example) = &self.example {
            let lines =
                if self.not_understood == 1 { "line is not an event" } else { "lines are not events" };
            notes.push(format!("{} {lines}: {example}", self.not_understood));
        }
        notes
    }

    fn not_understood(&mut self, line: &str) {
        self.not_understood += 1;
        self.example.get_or_insert_with(|| json::cut(line, LONGEST_TEXT));
    }

    /// Adds what an object says. Returns whether it is an event.
    fn add(&mut self, object: &Value, tracker: &mut retis::Tracker) -> bool {
        if let Some(recording) = retis::recording(object) {
            self.recording = Some(recording);
            return true;
        }
        let Some(mut event) = retis::event(object).or_else(|| pwru::event(object)) else { return false };
        if self.events.len() < MOST_EVENTS {
            tracker.follow(object, &mut event);
            self.events.push(event);
        } else {
            self.left_out += 1;
        }
        true
    }
}

/// Reads what `pwru --output-json` or `retis collect --out` wrote: one JSON object a line; or what `retis sort --out`
/// wrote: one array of objects a line, for each packet.
///
/// The reader never fails. Between lines it calls `must_stop`; when that returns true, the text seems to end there, and
/// the caller must not use the result.
pub fn read(text: &str, must_stop: fn() -> bool) -> Events {
    const UNCHECKED: usize = 16;
    let mut events = Events::default();
    let mut tracker = retis::Tracker::default();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if index % UNCHECKED == 0 && must_stop() {
            break;
        }
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let value = (line.len() <= LONGEST_LINE).then(|| serde_json::from_str::<Value>(line).ok()).flatten();
        let understood = match &value {
            Some(Value::Array(all)) => {
                let unknown = all.iter().filter(|object| !events.add(object, &mut tracker)).count();
                events.not_understood += unknown.saturating_sub(1);
                unknown == 0
            }
            Some(object) => events.add(object, &mut tracker),
            None => false,
        };
        if understood {
            continue;
        }
        // A program that was ended did not write its last line completely.
        if value.is_none() && lines.peek().is_none() && !text.ends_with('\n') && line.starts_with(['{', '['])
        {
            events.is_cut = true;
        } else {
            events.not_understood(line);
        }
    }
    events
}

#[cfg(test)]
mod tests;
