//! The answer of a trace: the verdict first, then the paths.

use ovn_lflow::{PacketPath, Zone, tree};
use ovn_path::{Causes, Verdict, VerdictGroup, VerdictKind, group_by_verdict, route};
use std::collections::{BTreeMap, BTreeSet};

/// How much the answer shows of each path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail {
    /// One line for each datapath.
    Route,
    /// The text of the real ovn-trace.
    Text(fn(&[tree::Line]) -> String),
}

/// Returns the lines of the answer: the verdict, each path, and the next calls to make.
pub(crate) fn answer_lines(
    paths: &[PacketPath],
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
    detail: Detail,
) -> Vec<String> {
    let groups = group_by_verdict(paths, zones, causes);
    let mut lines = vec![summary(&groups)];
    let mut next = BTreeSet::new();
    for (at, alike) in groups.iter().enumerate() {
        if groups.len() > 1 {
            lines.push(heading(at, alike));
        }
        next.extend(alike.verdict.next.clone());
        if let Some(path) = alike.paths.first() {
            match detail {
                Detail::Route => {
                    lines.extend(route(path, zones, causes).into_iter().map(|line| format!("  {line}")))
                }
                Detail::Text(text) => {
                    for leg in &path.legs {
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

fn heading(at: usize, alike: &VerdictGroup<'_>) -> String {
    let choices = alike.choices();
    let of = if choices.is_empty() { String::new() } else { format!(" ({choices})") };
    format!("path {}{of}: {}", at + 1, alike.verdict.text)
}

/// Returns the verdict on all paths: their common verdict, or the number of paths for each kind of verdict.
fn summary(groups: &[VerdictGroup<'_>]) -> String {
    match groups {
        [] => "unknown: the trace has no path".into(),
        [one] if one.paths.len() > 1 => {
            format!("{}, on all {} paths ({})", one.verdict.text, one.paths.len(), one.choices())
        }
        [one] => one.verdict.text.clone(),
        several => {
            let all: usize = several.iter().map(|it| it.paths.len()).sum();
            let mut kinds: BTreeMap<VerdictKind, usize> = BTreeMap::new();
            for alike in several {
                *kinds.entry(alike.verdict.kind).or_default() += alike.paths.len();
            }
            // The worst kind comes first, because it is usually the one that the user looks for.
            let counted = kinds
                .iter()
                .rev()
                .map(|(kind, count)| format!("{} on {count} of {all} paths", kind.as_str()));
            counted.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Adds the notes on what the trace could not determine, each once.
pub(crate) fn add_notes(notes: &mut Vec<String>, paths: &[PacketPath]) {
    for leg in paths.iter().flat_map(|path| &path.legs) {
        for note in &leg.notes {
            let note = format!("{}: {note}", leg.zone);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
}

/// Returns the paths whose replies are traced: the first one of each group of delivered paths with the same verdict.
pub(crate) fn delivered<'a>(
    paths: &'a [PacketPath],
    zones: &BTreeMap<String, Zone>,
    causes: &BTreeMap<String, Causes>,
) -> Vec<&'a PacketPath> {
    let arrives = |it: &VerdictGroup<'_>| it.verdict.kind == VerdictKind::Delivered;
    let groups: Vec<VerdictGroup<'a>> = group_by_verdict(paths, zones, causes);
    groups.into_iter().filter(arrives).filter_map(|it| it.paths.first().copied()).collect()
}

/// Returns the verdict on a reply, and says if the original sender does not recognize it as the reply to its packet.
pub(crate) fn reply_verdict(asked: &PacketPath, back: &PacketPath, verdict: &Verdict) -> String {
    let first = asked.legs.first().and_then(|leg| leg.passes.first()).and_then(|pass| pass.packet.tuple());
    let last = match &back.outcome {
        ovn_lflow::PathOutcome::End(ovn_lflow::End::Delivered { packet, .. }) => packet.tuple(),
        _ => None,
    };
    match (verdict.kind, first, last) {
        (VerdictKind::Delivered, Some(first), Some(last)) if !is_reply(first, last) => {
            format!(
                "{}; the reply does not match the sender's connection, so the sender discards it",
                verdict.text
            )
        }
        _ => verdict.text.clone(),
    }
}

fn is_reply(request: packet::Tuple, reply: packet::Tuple) -> bool {
    let ports = |it: packet::Tuple| match it.protocol {
        // An echo request and its reply differ in the ICMP type, which is stored where other protocols have their
        // ports.
        1 | 58 => (0, 0),
        _ => (it.source_port, it.destination_port),
    };
    let reversed = request.reversed();
    (reply.source, reply.destination, ports(reply))
        == (reversed.source, reversed.destination, ports(reversed))
}
