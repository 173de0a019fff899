//! The way of the packets over the points of a capture.

use super::{Subject, counted_packets, duration};
use crate::{
    nat,
    source::{Packet, PacketSource, PointRead},
    tools::tcpdump_capture::{TcpdumpCounts, nodes_of},
};
use capture::{
    join::{
        Change, Direction, Join, JoinReport, JoinedConversation, Options, Order, PointInfo, Station,
        Translation,
    },
    text,
};
use mcp_core::{Answer, Capture, Row};
use std::{collections::BTreeSet, sync::Arc};

/// The time in nanoseconds at the beginning and at the end of a capture in which a point may not watch yet or no
/// longer: the points do not begin and end at the same moment.
const MARGIN: u64 = 1_000_000_000;

/// Joins the packets of several points.
pub(super) struct Paths(Option<Join>);

impl Paths {
    /// Begins to join the points of a kept capture. The points of a file are not joined, because nothing says which of
    /// them have the same clock.
    pub(super) fn of(source: &PacketSource) -> Self {
        let PacketSource::Kept(kept) = source else { return Self(None) };
        if kept.parts().len() < 2 {
            return Self(None);
        }
        let nodes = nodes_of(kept);
        let translations: BTreeSet<nat::Translated> =
            kept.context().iter().flat_map(|lines| nat::parse(lines)).collect();
        let translations =
            translations.into_iter().map(|it| Translation { before: it.before, after: it.after });
        let point = |(index, part): (usize, &mcp_core::CapturePart)| {
            let name = nodes.get(index);
            let node = nodes.iter().position(|other| Some(other) == name).unwrap_or(index);
            let drops = part.report().and_then(|report| TcpdumpCounts::parse(&report.said).dropped);
            PointInfo { node, window: window(kept, part), kernel_drops: drops }
        };
        let points = kept.parts().iter().enumerate().map(point).collect();
        Self(Some(Join::new(points, translations.collect(), Options::default())))
    }

    pub(super) fn take(&mut self, packet: &Packet<'_>) {
        if let Some(join) = &mut self.0 {
            join.add(packet.point, packet.nanos, packet.frame);
        }
    }

    /// Adds the ways to an answer. Returns true if the points were joined.
    pub(super) fn add(self, subject: &Subject<'_>, answer: &mut Answer) -> bool {
        let Some(join) = self.0 else { return false };
        let report = join.finish();
        let heading: Arc<str> = "way of the packets:".into();
        let mut order: Vec<&JoinedConversation> = report.conversations.iter().collect();
        // What is lost comes first.
        order.sort_by_key(|conversation| {
            let lost = |direction: &Direction| !direction.losses.is_empty();
            (!conversation.directions.iter().any(lost), is_whole(conversation))
        });
        let mut shapes: Vec<(String, &JoinedConversation, usize)> = Vec::new();
        for conversation in order {
            let shape = shape(conversation);
            match shapes.iter_mut().find(|(known, ..)| *known == shape) {
                Some((_, _, count)) => *count += 1,
                None => shapes.push((shape, conversation, 1)),
            }
        }
        for (_, conversation, count) in shapes {
            let mut text = shown(subject, &report, conversation);
            if count > 1 {
                let connections = if count == 2 { "connection" } else { "connections" };
                text += &format!("\n    and {} more {connections} went the same way", count - 1);
            }
            answer.rows.push(Row::line(text).under(&heading));
        }
        if report.untracked > 0 {
            let more = counted_packets(report.untracked);
            answer.notes.push(format!("the way of {more} more is not known; use a narrower filter"));
        }
        true
    }
}

/// Returns what connections have in common that went the same way: everything except the port of the client and, if no
/// packet is missing, the number of packets.
fn shape(conversation: &JoinedConversation) -> String {
    let ends: Vec<_> = conversation
        .tuples
        .iter()
        .map(|tuple| (tuple.protocol, tuple.source.address, tuple.destination))
        .collect();
    let way = |direction: &Direction| {
        let stations = direction.stations.iter().map(|station| (station.point, station.tunnel, station.ttl));
        let missing = (direction.losses.clone(), direction.unknown.clone(), direction.points_without.clone());
        format!("{:?} {missing:?}", stations.collect::<Vec<_>>())
    };
    format!("{ends:?} {:?}", conversation.directions.each_ref().map(way))
}

/// Returns true if every point saw every packet.
fn is_whole(conversation: &JoinedConversation) -> bool {
    let whole = |direction: &Direction| {
        direction.losses.is_empty() && direction.unknown.is_empty() && direction.points_without.is_empty()
    };
    conversation.directions.iter().all(whole)
}

/// The time that a point surely watched, as far as the server knows it.
fn window(kept: &Capture, part: &mcp_core::CapturePart) -> Option<(u64, u64)> {
    let nanos = |time: jiff::Timestamp| u64::try_from(time.as_nanosecond()).ok();
    let (begun, ended) = (nanos(kept.begun())?, nanos(part.report()?.ended)?);
    Some((begun.saturating_add(MARGIN), ended.saturating_sub(MARGIN)))
}

fn shown(subject: &Subject<'_>, report: &JoinReport, conversation: &JoinedConversation) -> String {
    let tuples: Vec<String> = conversation.tuples.iter().map(ToString::to_string).collect();
    let inferred =
        if conversation.inferred { " (the translation is inferred from equal segments)" } else { "" };
    let mut text = format!("  {}{inferred}", tuples.join(", translated to "));
    for (name, direction) in ["there", "back"].into_iter().zip(&conversation.directions) {
        if direction.packets == 0 {
            continue;
        }
        text += &format!("\n    {name}: {}", stations(subject, direction));
        for loss in &direction.losses {
            let at = |index: usize| {
                direction.stations.get(index).map_or("?", |station| point(subject, station.point))
            };
            text += &format!(
                "\n      LOST: {} between {} and {}, {} to {} UTC",
                counted_packets(loss.packets),
                at(loss.after),
                at(loss.before),
                text::time(loss.times.0),
                text::time(loss.times.1)
            );
        }
        for unknown in &direction.unknown {
            let at =
                direction.stations.get(unknown.before).map_or("?", |station| point(subject, station.point));
            text += &format!(
                "\n      not seen at {at}: {}; {}",
                counted_packets(unknown.packets),
                unknown.reason
            );
        }
        let without: Vec<&str> = direction.points_without.iter().map(|it| point(subject, *it)).collect();
        if let (false, Some(last)) = (without.is_empty(), direction.stations.last()) {
            text += &format!(
                "\n      none at {}: either they are lost after {}, or these points are not on their way",
                without.join(", "),
                point(subject, last.point)
            );
        }
    }
    for (name, points) in ["there", "back"].into_iter().zip(&conversation.one_way_points) {
        if !points.is_empty() {
            let points: Vec<&str> = points.iter().map(|it| point(subject, *it)).collect();
            text += &format!("\n    only the packets {name} pass {}", points.join(", "));
        }
    }
    let unsure = report.clocks.iter().any(|clock| clock.ahead.is_none());
    let assumed = |direction: &Direction| {
        direction
            .stations
            .iter()
            .filter_map(|station| station.delay)
            .any(|delay| delay.order == Order::Assumed)
    };
    if unsure && conversation.directions.iter().any(assumed) {
        text += "\n    the order of points on different nodes is assumed from their clocks";
    }
    text
}

fn point<'a>(subject: &'a Subject<'_>, index: usize) -> &'a str {
    subject.points.get(index).map_or("?", |read| read.name.as_str())
}

/// Returns the stations of a direction: `pod shop/web eth0 7 packets > 0.31 ms > node ovn-worker eth0 7 (enters …)`.
fn stations(subject: &Subject<'_>, direction: &Direction) -> String {
    let mut shown = Vec::new();
    let mut before: Option<&Station> = None;
    for station in &direction.stations {
        let mut text = String::new();
        if let Some(delay) = station.delay.filter(|delay| delay.uncertainty.is_some() && delay.median >= 0) {
            text += &format!("{} > ", duration(delay.median.unsigned_abs()));
        }
        text += &format!("{} {}", point(subject, station.point), counted_packets(station.packets));
        if station.duplicates > 0 {
            text += &format!(" and {} copies", station.duplicates);
        }
        let changes = before.map(|before| station.changes_since(before)).unwrap_or_default();
        let changes: Vec<String> = changes.iter().map(|change| changed(subject, *change, station)).collect();
        if !changes.is_empty() {
            text += &format!(" ({})", changes.join("; "));
        }
        shown.push(text);
        before = Some(station);
    }
    shown.join(" > ")
}

/// A change in words, with the names of a tunnel.
fn changed(subject: &Subject<'_>, change: Change, station: &Station) -> String {
    match (change, station.tunnel) {
        (Change::EntersTunnel(vni), Some(tunnel)) => {
            format!("enters the tunnel {}", subject.names.tunnel(vni, tunnel.ports))
        }
        (Change::LeavesTunnel(vni), _) => format!("leaves the tunnel {}", subject.names.datapath(vni)),
        (other, _) => other.to_string(),
    }
}

/// Adds what the capturing programs reported to the points.
pub(super) fn add_reports(source: &PacketSource, points: &mut [PointRead]) {
    let PacketSource::Kept(kept) = source else { return };
    for part in kept.parts() {
        let Some(point) = points.iter_mut().find(|point| point.name == part.name()) else { continue };
        let report = part.report();
        point.dropped = report.and_then(|report| TcpdumpCounts::parse(&report.said).dropped);
        let broken = report.and_then(|report| report.broken.clone());
        let full = part.is_full().then(|| "the capture reached its size limit".to_owned());
        point.problem = broken.or(full).or(point.problem.take());
    }
}
