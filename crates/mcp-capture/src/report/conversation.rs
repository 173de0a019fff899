//! The conversations of a capture, one line each. Conversations that explain a fault come first.

use super::{Subject, counted_packets, duration};
use capture::{
    analysis::{Conversation, Handshake, SegmentCounts, ServerHello, TcpEnd, TcpReport},
    tuple::Protocol,
};
use mcp_core::{Answer, Row};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The number of conversations between the same ends, without a finding, that are shown.
const LIKE: usize = 3;

/// Adds the conversations to an answer. If the points are joined, each conversation is shown as the first point that
/// saw it saw it.
pub(super) fn add(subject: &Subject<'_>, is_joined: bool, answer: &mut Answer) {
    let report = subject.report;
    let (mut seen, mut healthy) = (BTreeSet::new(), BTreeMap::new());
    let odd: BTreeSet<usize> =
        report.findings.iter().flat_map(|finding| finding.conversations.iter().copied()).collect();
    let mut order: Vec<usize> = (0..report.conversations.len()).collect();
    let point = |index: &usize| report.conversations.get(*index).map(|conversation| conversation.point);
    order.sort_by_key(|index| (point(index), !odd.contains(index), *index));
    for index in order {
        let Some(conversation) = report.conversations.get(index) else { continue };
        let [from, to] = conversation.ends;
        let is_new = seen.insert((conversation.protocol, from.min(to), from.max(to)));
        if is_joined && !is_new {
            continue;
        }
        let heading: Arc<str> = format!("conversations{}:", subject.at(conversation.point)).into();
        // Equal conversations of a client that explain no fault are shown once.
        let like = (conversation.point, conversation.protocol, from.address, to);
        if !odd.contains(&index) {
            let count = healthy.entry(like).or_insert(0usize);
            *count += 1;
            if *count > LIKE {
                continue;
            }
        }
        answer.rows.push(Row::line(format!("  {}", line(subject, conversation))).under(&heading));
    }
    let more = healthy.iter().filter(|(_, count)| **count > LIKE);
    for ((point, protocol, from, to), count) in more {
        let heading: Arc<str> = format!("conversations{}:", subject.at(*point)).into();
        let more = format!("  {protocol} {from} > {to}: {} more without a finding", count - LIKE);
        answer.rows.push(Row::line(more).under(&heading));
    }
    if let (packets @ 1.., bytes) = report.untracked {
        answer.notes.push(format!(
            "{} ({bytes} bytes) belong to further conversations, which are not listed; select fewer packets with address, \
             port or protocol",
            counted_packets(packets)
        ));
    }
}

/// Returns the ends of a conversation: `TCP 10.244.0.4:60488 > 10.244.1.5:8080`.
pub(super) fn ends(conversation: &Conversation) -> String {
    let [from, to] = conversation.ends;
    format!("{} {from} > {to}", conversation.protocol)
}

fn line(subject: &Subject<'_>, conversation: &Conversation) -> String {
    let [sent, answered] = &conversation.flows;
    let mut parts = vec![format!(
        "{}: {} and {} bytes there, {} and {} bytes back, within {}",
        ends(conversation),
        counted_packets(sent.packets),
        sent.bytes,
        counted_packets(answered.packets),
        answered.bytes,
        duration(conversation.times.1.saturating_sub(conversation.times.0))
    )];
    if let Some(tcp) = &conversation.tcp {
        parts.extend(tcp_parts(tcp));
    }
    if let Some(echo) = conversation.echo
        && echo.requests > 0
    {
        parts.push(format!("{} of {} echo requests answered", echo.answered, echo.requests));
    }
    if conversation.protocol == Protocol::Udp && answered.packets == 0 && conversation.group {
        parts.push("to a group".into());
    }
    if let Some(vlan) = conversation.vlan {
        parts.push(format!("VLAN {vlan}"));
    }
    match (sent.tunnel, answered.tunnel) {
        (Some(there), back) => {
            parts.push(format!("in tunnel {}", subject.names.tunnel(there.vni, there.ports)));
            if let Some(back) = back.filter(|back| back.vni != there.vni) {
                parts.push(format!("back in tunnel {}", subject.names.tunnel(back.vni, back.ports)));
            }
        }
        (None, Some(back)) => {
            parts.push(format!("back in tunnel {}", subject.names.tunnel(back.vni, back.ports)));
        }
        (None, None) => {}
    }
    parts.join("; ")
}

fn tcp_parts(tcp: &TcpReport) -> Vec<String> {
    let mut parts = vec![match tcp.handshake {
        Handshake::Complete { round_trip } => format!("{} in {}", tcp.handshake, duration(round_trip)),
        other => other.to_string(),
    }];
    match (tcp.end, tcp.reset) {
        (TcpEnd::Reset(_), Some(reset)) if tcp.handshake != Handshake::Refused => {
            parts.push(format!("reset by the {} end {}", ordinal(reset.by), reset.after));
        }
        (TcpEnd::Open, _)
            if !matches!(tcp.handshake, Handshake::Complete { .. } | Handshake::BeforeCapture) => {}
        (TcpEnd::Reset(_), _) => {}
        (TcpEnd::HalfClosed(side), _) => parts.push(format!("closed by the {} end only", ordinal(side))),
        (end, _) => parts.push(end.to_string()),
    }
    for (side, counts) in tcp.segments.iter().enumerate() {
        let counts = counts_of(counts);
        if !counts.is_empty() {
            parts.push(format!("the {} end sent {}", ordinal(side), counts.join(", ")));
        }
    }
    if let [Some(first), Some(second)] = tcp.mss
        && first != second
    {
        parts.push(format!("MSS {first} and {second}"));
    }
    if let Some(tls) = &tcp.tls {
        let name = tls.server_name.as_deref().map(|name| format!(" for {name}")).unwrap_or_default();
        match tls.server_hello {
            ServerHello::NotAsked => {}
            hello => parts.push(format!("TLS{name}: {hello}")),
        }
        for (side, level, description) in &tls.alerts {
            let level = if *level == 2 { "fatal alert" } else { "alert" };
            parts.push(format!("TLS {level} {description} by the {} end", ordinal(*side)));
        }
    }
    parts
}

fn ordinal(side: usize) -> &'static str {
    if side == 0 { "first" } else { "second" }
}

/// Returns the counts that are not zero.
fn counts_of(counts: &SegmentCounts) -> Vec<String> {
    let all = [
        (counts.retransmissions + counts.fast_retransmissions, "retransmission"),
        (counts.spurious_retransmissions, "needless retransmission"),
        (counts.out_of_order, "segment out of order"),
        (counts.duplicate_acks, "duplicate ACK"),
        (counts.zero_windows, "zero window"),
        (counts.gaps, "gap in the capture"),
    ];
    let shown = |(count, noun): (u32, &str)| match noun.split_once(' ') {
        Some(("segment", rest)) => format!("{} {rest}", mcp_core::counted(count as usize, "segment")),
        Some(("gap", rest)) => format!("{} {rest}", mcp_core::counted(count as usize, "gap")),
        _ => mcp_core::counted(count as usize, noun),
    };
    all.into_iter().filter(|(count, _)| *count > 0).map(shown).collect()
}
