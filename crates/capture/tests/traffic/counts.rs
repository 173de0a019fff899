//! Compares every count of an analysis with tshark.

use std::{collections::BTreeMap, path::Path};

use capture::{
    analysis::{Conversation, Report, SegmentCounts},
    tuple::Protocol,
};

use crate::tshark::{Conversations, conversations, count, rows, size};

/// Compares a report on a file with one point, in which no packet is a copy of another.
pub(crate) fn compare(file: &Path, report: &Report) {
    assert_eq!(rows(file, "frame", &["frame.number"]).len() as u64, report.points[&0].frames, "frames");
    compare_conversations(file, report);
    compare_segments(file, report);
    compare_questions(file, report);
}

/// Puts our conversations of a protocol in the form of tshark's table.
fn ours(report: &Report, protocol: Protocol) -> Conversations {
    let mut found = Conversations::new();
    for conversation in report.conversations.iter().filter(|found| found.protocol == protocol) {
        let [first, second] = conversation.ends.map(|end| end.to_string().replace(['[', ']'], ""));
        let [one, two] = [0, 1].map(|side| {
            let flow = &conversation.flows[side];
            // tshark leaves out the fragments that are not the first, and only they are so long here.
            (flow.packets, size(flow.bytes))
        });
        let (key, counts) =
            if first <= second { ((first, second), [one, two]) } else { ((second, first), [two, one]) };
        found.entry(key).or_default().push(counts);
    }
    for counts in found.values_mut() {
        counts.sort();
    }
    found
}

fn compare_conversations(file: &Path, report: &Report) {
    let short = count(file, "_ws.short && tcp.flags.syn == 1");
    if short == 0 {
        assert_eq!(conversations(file, "tcp"), ours(report, Protocol::Tcp), "TCP conversations");
    } else {
        // tshark leaves segments out of its table if the capture cut them inside their options.
        let packets = |table: &Conversations| -> u64 {
            table.values().flatten().flatten().map(|(packets, _)| packets).sum()
        };
        let theirs = packets(&conversations(file, "tcp"));
        assert_eq!(theirs + short, packets(&ours(report, Protocol::Tcp)), "TCP packets");
    }
    let fragmented = |found: &Conversation| found.flows.iter().any(|flow| flow.fragments > 0);
    let mut theirs = conversations(file, "udp");
    let mut known = ours(report, Protocol::Udp);
    // The outer packets of a tunnel are no conversation of ours.
    theirs.retain(|(first, second), _| !first.ends_with(":6081") && !second.ends_with(":6081"));
    for conversation in report.conversations.iter().filter(|found| fragmented(found)) {
        let ends = conversation.ends.map(|end| end.to_string());
        let key = (ends[0].clone().min(ends[1].clone()), ends[0].clone().max(ends[1].clone()));
        known.remove(&key);
        theirs.remove(&key);
    }
    assert_eq!(theirs, known, "UDP conversations");
    let tunnelled: u64 = report.tunnels.values().map(|tunnel| tunnel.packets).sum();
    assert_eq!(count(file, "geneve"), tunnelled, "packets in tunnels");
}

/// The name of a count, tshark's filter for it, and our value.
type Kind = (&'static str, &'static str, fn(&SegmentCounts) -> u32);

const KINDS: [Kind; 9] = [
    ("retransmission", "tcp.analysis.retransmission", |counts| {
        counts.retransmissions + counts.fast_retransmissions + counts.spurious_retransmissions
    }),
    ("fast", "tcp.analysis.fast_retransmission", |counts| counts.fast_retransmissions),
    ("spurious", "tcp.analysis.spurious_retransmission", |counts| counts.spurious_retransmissions),
    ("out of order", "tcp.analysis.out_of_order", |counts| counts.out_of_order),
    ("duplicate ACK", "tcp.analysis.duplicate_ack", |counts| counts.duplicate_acks),
    ("zero window", "tcp.analysis.zero_window", |counts| counts.zero_windows),
    ("lost", "tcp.analysis.lost_segment", |counts| counts.gaps),
    ("ack lost", "tcp.analysis.ack_lost_segment", |counts| counts.acked_unseen),
    ("keep alive", "tcp.analysis.keep_alive", |counts| counts.keep_alives),
];

/// Compares the marks of segments, by the end that sent them.
fn compare_segments(file: &Path, report: &Report) {
    for (name, filter, value) in KINDS {
        let mut theirs: BTreeMap<String, u32> = BTreeMap::new();
        // The last value of a field is that of the innermost packet.
        for row in rows(file, filter, &["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport"]) {
            let last = |place: usize| row[place].rsplit(',').next().unwrap_or_default().to_owned();
            *theirs.entry(format!("{}:{} {}:{}", last(0), last(1), last(2), last(3))).or_default() += 1;
        }
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        for conversation in &report.conversations {
            let Some(tcp) = &conversation.tcp else { continue };
            for side in [0, 1] {
                let [source, destination] = [conversation.ends[side], conversation.ends[1 - side]];
                let count = value(&tcp.segments[side]);
                if count > 0 {
                    *known.entry(format!("{source} {destination}")).or_default() += count;
                }
            }
        }
        assert_eq!(theirs, known, "{name} in {}", file.display());
    }
    let flagged = |flags: &str| count(file, flags);
    let resets: u32 = tcp(report).map(|tcp| tcp.resets[0] + tcp.resets[1]).sum();
    assert_eq!(flagged("tcp.flags.reset == 1 && !icmp"), u64::from(resets), "resets");
    // tshark also takes the time of a reset that answers a SYN.
    let answered: Vec<_> =
        rows(file, "tcp.flags & 0x12 == 0x12", &["tcp.stream"]).into_iter().flatten().collect();
    let mut theirs: Vec<u64> =
        rows(file, "tcp.analysis.initial_rtt", &["tcp.stream", "tcp.analysis.initial_rtt"])
            .into_iter()
            .filter(|row| answered.contains(&row[0]))
            .map(|row| (row[0].clone(), nanos(&row[1])))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect();
    let mut known: Vec<u64> = tcp(report)
        .filter_map(|tcp| match tcp.handshake {
            capture::analysis::Handshake::Complete { round_trip } => Some(round_trip),
            _ => None,
        })
        .collect();
    theirs.sort_unstable();
    known.sort_unstable();
    assert_eq!(theirs, known, "round-trip times of the handshake");
}

fn tcp(report: &Report) -> impl Iterator<Item = &capture::analysis::TcpReport> {
    report.conversations.iter().filter_map(|conversation| conversation.tcp.as_deref())
}

fn nanos(seconds: &str) -> u64 {
    let (whole, fraction) = seconds.split_once('.').expect("seconds");
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    whole.parse::<u64>().expect("seconds") * 1_000_000_000 + digits.parse::<u64>().expect("a fraction")
}

fn compare_questions(file: &Path, report: &Report) {
    let echo = |value: fn(&capture::analysis::Echo) -> u64| -> u64 {
        report.conversations.iter().filter_map(|found| found.echo.as_ref()).map(value).sum()
    };
    // An error repeats the request that it is about.
    let requests = count(file, "icmp.type == 8 && !(icmp.type in {3,11}) || icmpv6.type == 128");
    let answered = count(file, "icmp.resp_to || icmpv6.resp_to");
    assert_eq!(requests, echo(|echo| echo.requests), "echo requests");
    assert_eq!(answered, echo(|echo| echo.answered), "echo requests with reply");
    let unanswered = echo(|echo| echo.unanswered + echo.pending);
    assert_eq!(requests - answered, unanswered, "echo requests without reply");
    let errors: u64 = report.icmp_errors.iter().map(|error| error.count).sum();
    assert_eq!(count(file, "icmp.type in {3,4,5,11,12} || icmpv6.type < 128"), errors, "ICMP errors");

    let dns = &report.dns;
    assert_eq!(count(file, "dns.flags.response == 0 && udp && !icmp"), dns.questions, "questions");
    assert_eq!(count(file, "dns.response_to && udp && !icmp"), dns.answers, "answers");
    let ours: u64 = dns.unanswered.iter().map(|case| case.count).sum();
    assert_eq!(dns.questions - dns.answers, ours + dns.pending + dns.group, "questions without answer");
    let errors: u64 = dns.errors.iter().map(|case| case.count).sum();
    assert_eq!(count(file, "dns.flags.rcode > 0 && dns.response_to && udp"), errors, "answers with an error");

    assert_eq!(
        count(file, "ip.flags.mf == 1 || ip.frag_offset > 0"),
        report.fragments.fragments,
        "fragments"
    );
    let arp = count(file, "arp.opcode == 1 && !arp.isgratuitous && !arp.isprobe");
    let solicitations = count(file, "icmpv6.type == 135 && ipv6.src != ::");
    assert_eq!(arp + solicitations, report.neighbours.questions, "questions for an address");
    let answers = count(file, "arp.opcode == 2 || icmpv6.type == 136");
    assert_eq!(answers, report.neighbours.answers, "answers for an address");
}
