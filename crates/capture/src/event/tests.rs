//! Tests on recordings of the real programs (`testdata/captured-events`), and on damaged ones.

mod path;
mod shape;

use super::*;
use proptest::prelude::*;

macro_rules! recording {
    ($file:literal) => {
        include_str!(concat!("../../../../testdata/captured-events/", $file))
    };
}

const RETIS: &str = recording!("retis/retis.json");
const RETIS_SORT: &str = recording!("retis/retis.sort");
const NETNS: &str = recording!("pwru/6.1-netns.json");
const DROPS_6_1: &str = recording!("pwru/6.1-drops.json");
const ALL_6_12: &str = recording!("pwru/6.12-multi_all.json");
const DROPS_6_12: &str = recording!("pwru/6.12-multi_drops.json");
const RECORDINGS: [&str; 5] = [RETIS, NETNS, DROPS_6_1, ALL_6_12, DROPS_6_12];

fn read(text: &str) -> Events {
    super::read(text, || false)
}

#[test]
fn every_line_of_a_recording_is_an_event() {
    for text in RECORDINGS {
        let events = read(text);
        let started = usize::from(events.recording.is_some());
        assert_eq!(events.events.len() + started, text.lines().count());
        assert_eq!(events.notes(), [""; 0]);
        assert!(events.events.iter().all(|event| event.packet.is_some() && event.tuple.is_some()));
    }
}

#[test]
fn what_is_no_event_is_counted_and_quoted() {
    let lines: Vec<&str> = DROPS_6_1.lines().take(2).collect();
    let text = format!("SKB  CPU  PROCESS\n{}\n\n[]\n{{}}\n{{\"func\":1}}\n{}\nnull\n", lines[0], lines[1]);
    let events = read(&text);
    assert_eq!((events.events.len(), events.not_understood, events.is_cut), (2, 4, false));
    assert_eq!(events.notes(), ["4 lines are not events: SKB  CPU  PROCESS"]);

    let deep = format!("{{\"common\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let long = format!("{{\"common\":{{}},\"kernel\":{{\"symbol\":\"{}\"}}}}", "a".repeat(LONGEST_LINE));
    for line in [&*deep, &*long] {
        let events = read(&format!("{line}\n"));
        assert_eq!((events.events.len(), events.not_understood), (0, 1));
        assert!(events.example.is_some_and(|example| example.len() < 300));
    }
}

#[test]
fn a_recording_that_was_ended_says_so() {
    for text in [RETIS, DROPS_6_12] {
        let text = &text[..4000];
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let (cut, whole) = (&text[..end], text[..end].matches('\n').count());
            let events = read(cut);
            let found = events.events.len() + usize::from(events.recording.is_some());
            // The last line can be complete without its newline.
            assert!(
                found == whole || found == whole + 1 && !cut.ends_with('\n'),
                "{found} of {whole} at {end}"
            );
            assert_eq!(events.is_cut, !cut.is_empty() && !cut.ends_with('\n') && found == whole, "at {end}");
            assert_eq!(events.not_understood, 0, "at {end}");
        }
    }
    assert_eq!(read(&ALL_6_12[..1000]).notes(), ["the recording ends in the middle of an event"]);
}

#[test]
fn events_are_bounded() {
    let line = ALL_6_12.lines().next().unwrap();
    let events = read(&format!("{line}\n").repeat(MOST_EVENTS + 7));
    assert_eq!((events.events.len(), events.left_out), (MOST_EVENTS, 7));
    assert_eq!(events.notes(), ["7 events after the first 50000 were left out"]);
    assert_eq!(super::read(ALL_6_12, || true), Events::default());
}

/// A recording with some bytes changed, removed or repeated.
fn damaged() -> impl Strategy<Value = String> {
    let change =
        (0usize..6000, 0usize..40, ".{0,6}|[0-9]{1,40}|[\\[{\":,]{1,200}|null|-1|1e999|\"\\\\ud800\"");
    (0..RECORDINGS.len(), prop::collection::vec(change, 0..12)).prop_map(|(which, changes)| {
        let mut bytes = RECORDINGS[which].as_bytes()[..6000].to_vec();
        for (at, length, text) in changes {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, text.bytes());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #[test]
    fn damage_never_stops_the_reader_and_no_line_is_lost(text in prop_oneof![damaged(), ".{0,400}".prop_map(String::from)]) {
        let events = read(&text);
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        let arrays = text.lines().any(|line| line.trim().starts_with('['));
        let startups = usize::from(events.recording.is_some());
        let found = events.events.len() + events.not_understood + usize::from(events.is_cut);
        // The last of several first events counts.
        prop_assert!(arrays || found <= lines && found + startups * lines >= lines, "{} of {} lines", found, lines);
        prop_assert!(events.example.as_ref().is_none_or(|example| example.len() <= LONGEST_TEXT + 3));
        for event in &events.events {
            prop_assert!(event.function.len() <= LONGEST_TEXT + 3 && event.stack.len() <= 16);
        }
        let paths = packets(&events.events);
        let with_packet = events.events.iter().filter(|event| event.packet.is_some()).count();
        prop_assert_eq!(paths.iter().map(|path| path.events.len()).sum::<usize>(), with_packet);
        for path in &paths {
            prop_assert!(!path.events.is_empty() && path.events.is_sorted());
            let functions = path.steps.iter().flat_map(|step| &step.functions);
            prop_assert_eq!(functions.map(|(_, count)| count).sum::<usize>(), path.events.len());
            let longest = path.steps.iter().flat_map(|step| &step.functions).map(|(name, _)| name.len()).max();
            prop_assert!(path.line(300).len() < 300 + 2 * (longest.unwrap_or(0) + LONGEST_TEXT * 2 + 60));
            path.cookies(&events.events);
            path.times(&events.events);
        }
    }
}
