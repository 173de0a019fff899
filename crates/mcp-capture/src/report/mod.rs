//! The answer about a capture: what went wrong first, then the connections.

mod conversation;
mod finding;
mod packets;
mod path;

use crate::{
    names::TunnelNames,
    source::{Packet, PacketSource, PointRead, TakePackets},
    types::Question,
};
use capture::{
    analysis::{Analysis, Report},
    select::Select,
    text,
};
use mcp_core::{Answer, ClusterReader, NodeName, Row, ToolError, counted};
use packets::PacketList;
use path::Paths;
use std::sync::Arc;

/// The packets and what they say, while they are read.
struct Examination {
    select: Select,
    analysis: Analysis,
    paths: Paths,
    /// The list of packets, if it is asked for.
    list: Option<PacketList>,
    selected: u64,
}

impl TakePackets for Examination {
    fn take(&mut self, packet: &Packet<'_>) {
        if !self.select.matches(packet.nanos, packet.frame) {
            return;
        }
        self.selected += 1;
        match &mut self.list {
            Some(list) => list.take(packet),
            None => {
                self.analysis.add(packet.nanos, packet.point, packet.length, packet.frame);
                self.paths.take(packet);
            }
        }
    }
}

/// What the report of a capture is about.
struct Subject<'a> {
    report: &'a Report,
    points: &'a [PointRead],
    names: &'a TunnelNames,
}

impl Subject<'_> {
    /// The name of a point, if the capture has several points.
    fn at(&self, point: usize) -> String {
        match self.points.get(point) {
            Some(read) if self.points.len() > 1 => format!(" at {}", read.name),
            _ => String::new(),
        }
    }
}

/// Answers a question about a capture. The nodes are those whose southbound databases may name the tunnels.
pub(crate) async fn of(
    cluster: &ClusterReader<'_>,
    source: PacketSource,
    question: &Question,
    nodes: Vec<NodeName>,
) -> Result<Answer, ToolError> {
    let examination = Examination {
        select: question.select(cluster.as_of())?,
        analysis: Analysis::default(),
        paths: Paths::of(&source),
        list: question.packets().then(PacketList::default),
        selected: 0,
    };
    let (examination, mut points) = source.read(cluster, examination).await?;
    path::add_reports(&source, &mut points);
    let Examination { analysis, paths, list, selected, .. } = examination;
    let mut answer = match list {
        Some(list) => {
            let names = TunnelNames::read_if(list.has_tunnels(), cluster, &nodes).await;
            list.answer(&points, &names)
        }
        None => {
            let report = analysis.finish();
            let names = TunnelNames::read_if(!report.tunnels.is_empty(), cluster, &nodes).await;
            let subject = Subject { report: &report, points: &points, names: &names };
            let mut answer = Answer { rows: rows_of_points(&points), ..Answer::default() };
            match selected {
                // Nothing was looked at, so nothing can be said about it.
                0 => answer.notes.push("no packet of the capture matches the question".into()),
                _ => {
                    finding::add(&subject, &mut answer);
                    let is_joined = paths.add(&subject, &mut answer);
                    conversation::add(&subject, is_joined, &mut answer);
                }
            }
            answer
        }
    };
    for point in &points {
        if let Some(problem) = &point.problem {
            answer.notes.push(format!("{}: {problem}; the packets before that were read", point.name));
        }
    }
    let all: u64 = points.iter().map(|point| point.packets).sum();
    if 0 < selected && selected < all {
        answer.notes.push(format!("{} of {} match the question", selected, counted_packets(all)));
    }
    if answer.if_empty.is_empty() {
        answer.if_empty = "the capture has no packet".into();
    }
    Ok(answer)
}

/// Returns a row for each point: how much was captured there and when.
fn rows_of_points(points: &[PointRead]) -> Vec<Row> {
    let heading: Arc<str> = "captured:".into();
    let row = |point: &PointRead| {
        let mut line = format!("  {}: {}", point.name, counted_packets(point.packets));
        if let Some((first, last)) = point.times {
            line += &format!(", {} bytes, {} to {} UTC", point.bytes, text::time(first), text::time(last));
        }
        match point.dropped {
            Some(0) => line += "; the kernel dropped none",
            Some(dropped) => line += &format!("; the kernel dropped {dropped} more"),
            None => line += "; how many the kernel dropped is not known",
        }
        Row::line(line).under(&heading)
    };
    points.iter().map(row).collect()
}

/// Returns a number of packets with its noun.
fn counted_packets(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "packet")
}

/// Formats a duration in nanoseconds: `0.31 ms`, `2.4 s`.
fn duration(nanos: u64) -> String {
    match nanos {
        0..1_000_000_000 => format!("{:.2} ms", nanos as f64 / 1e6),
        _ => format!("{:.1} s", nanos as f64 / 1e9),
    }
}
