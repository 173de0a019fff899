//! The answer: the verdict, then the ways.

use ovn_lflow::{Way, Zone, tree};
use ovn_path::{Causes, Folded, Kind, Verdict, fold, route};
use std::collections::{BTreeMap, BTreeSet};

/// How much is told of each way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail {
    /// A line for each datapath.
    Route,
    /// As the real program prints it.
    Text(fn(&[tree::Line]) -> String),
}

/// What is told of the ways of a packet, as lines; and what cannot be known of them.
pub(crate) fn tell(
    ways: &[Way],
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
    detail: Detail,
) -> Vec<String> {
    let folded = fold(ways, zones, causes);
    let mut lines = vec![summary(&folded)];
    let mut next = BTreeSet::new();
    for (at, alike) in folded.iter().enumerate() {
        if folded.len() > 1 {
            lines.push(heading(at, alike));
        }
        next.extend(alike.verdict.next.clone());
        if let Some(way) = alike.ways.first() {
            match detail {
                Detail::Route => {
                    lines.extend(route(way, zones, causes).into_iter().map(|line| format!("  {line}")))
                }
                Detail::Text(text) => {
                    for leg in &way.legs {
                        lines.push(format!("# zone {}", leg.zone));
                        lines.extend(text(&leg.lines).lines().map(str::to_owned));
                    }
                }
            }
        }
    }
    lines.extend(next.into_iter().map(|call| format!("next: {call}")));
    lines
}

fn heading(at: usize, alike: &Folded<'_>) -> String {
    let choices = alike.choices();
    let of = if choices.is_empty() { String::new() } else { format!(" ({choices})") };
    format!("way {}{of}: {}", at + 1, alike.verdict.text)
}

/// The verdict on all ways: what they have in common, or how many end how.
fn summary(folded: &[Folded<'_>]) -> String {
    match folded {
        [] => "unknown: the packet went nowhere".into(),
        [one] if one.ways.len() > 1 => {
            format!("{}, on each of {} ways ({})", one.verdict.text, one.ways.len(), one.choices())
        }
        [one] => one.verdict.text.clone(),
        several => {
            let all: usize = several.iter().map(|it| it.ways.len()).sum();
            let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
            for alike in several {
                *kinds.entry(alike.verdict.kind).or_default() += alike.ways.len();
            }
            // The worst first: it is what was looked for.
            let counted =
                kinds.iter().rev().map(|(kind, count)| format!("{} on {count} of {all} ways", kind.as_str()));
            counted.collect::<Vec<_>>().join(", ")
        }
    }
}

/// What cannot be known of some ways, each once.
pub(crate) fn notes(ways: &[Way]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for leg in ways.iter().flat_map(|way| &way.legs) {
        for note in &leg.notes {
            let note = format!("{}: {note}", leg.zone);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// The ways whose answers are followed back: the first of those that arrive alike.
pub(crate) fn delivered<'a>(
    ways: &'a [Way],
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
) -> Vec<&'a Way> {
    let arrives = |it: &Folded<'_>| it.verdict.kind == Kind::Delivered;
    let folded: Vec<Folded<'a>> = fold(ways, zones, causes);
    folded.into_iter().filter(arrives).filter_map(|it| it.ways.first().copied()).collect()
}

/// The verdict on an answer on its way back: does who asked know it as an answer?
pub(crate) fn of_answer(asked: &Way, back: &Way, verdict: &Verdict) -> String {
    let first = asked.legs.first().and_then(|leg| leg.passes.first()).and_then(|pass| pass.packet.tuple());
    let last = match &back.outcome {
        ovn_lflow::Outcome::End(ovn_lflow::End::Delivered { packet, .. }) => packet.tuple(),
        _ => None,
    };
    match (verdict.kind, first, last) {
        (Kind::Delivered, Some(first), Some(last)) if !is_answer(first, last) => {
            format!("{}; the sender did not ask this address, so it does not take the answer", verdict.text)
        }
        _ => verdict.text.clone(),
    }
}

fn is_answer(asked: packet::Tuple, answer: packet::Tuple) -> bool {
    let ports = |it: packet::Tuple| match it.protocol {
        // An echo request and its reply have different types.
        1 | 58 => (0, 0),
        _ => (it.source_port, it.destination_port),
    };
    let reversed = asked.reversed();
    (answer.source, answer.destination, ports(answer))
        == (reversed.source, reversed.destination, ports(reversed))
}
