//! The findings of a capture: what explains a broken connection, with examples.

use super::{Subject, conversation::ends, duration};
use capture::{
    analysis::{Finding, FindingKind},
    text::record_type,
};
use mcp_core::{Answer, Row};
use std::sync::Arc;

/// The number of examples of each kind of finding.
const EXAMPLES: usize = 3;

/// Adds the findings to an answer, what explains a broken connection first.
pub(super) fn add(subject: &Subject<'_>, answer: &mut Answer) {
    let heading: Arc<str> = "findings:".into();
    for finding in &subject.report.findings {
        let mut text = format!("  {}: {}", finding.kind, finding.count);
        let (examples, all) = examples(subject, finding);
        let more = all.saturating_sub(examples.len());
        for example in &examples {
            text += &format!("\n    {example}");
        }
        if more > 0 {
            text += &format!("\n    and {more} more");
        }
        answer.rows.push(Row::line(text).under(&heading));
    }
    if subject.report.findings.is_empty() {
        answer
            .rows
            .push(Row::line("  nothing: every connection was answered, and none was reset").under(&heading));
    }
}

/// Returns the first examples of a finding, and the number of all.
fn examples(subject: &Subject<'_>, finding: &Finding) -> (Vec<String>, usize) {
    let report = subject.report;
    let first = |all: Vec<String>| {
        let count = all.len();
        (all.into_iter().take(EXAMPLES).collect::<Vec<_>>(), count)
    };
    match finding.kind {
        FindingKind::TooBig | FindingKind::IcmpError => {
            let wanted = finding.kind == FindingKind::TooBig;
            let errors = report.icmp_errors.iter().filter(|error| error.is_too_big() == wanted);
            first(
                errors
                    .map(|error| {
                        let mtu = error.mtu.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
                        let about = error.about.map(|about| format!(", about {about}")).unwrap_or_default();
                        let largest = match error.largest {
                            0 => String::new(),
                            bytes => format!(" of {bytes} bytes"),
                        };
                        format!(
                            "{} to {}{}: {error}{mtu}{about}{largest}, {} times",
                            error.from,
                            error.to,
                            subject.at(error.point),
                            error.count
                        )
                    })
                    .collect(),
            )
        }
        FindingKind::AddressConflict => first(
            report
                .neighbours
                .conflicts
                .iter()
                .map(|conflict| {
                    let macs = conflict.claims.iter().map(|(mac, ..)| capture::text::mac(*mac));
                    format!("{}: {}", conflict.address, macs.collect::<Vec<_>>().join(", "))
                })
                .collect(),
        ),
        FindingKind::NeighbourUnanswered => first(
            report
                .neighbours
                .unanswered
                .iter()
                .map(|case| {
                    let at = subject.at(case.segment.point);
                    format!("{} asks for {}{at}, {} times", case.asker, case.target, case.count)
                })
                .collect(),
        ),
        FindingKind::DnsUnanswered | FindingKind::DnsError => {
            let cases = match finding.kind {
                FindingKind::DnsUnanswered => &report.dns.unanswered,
                _ => &report.dns.errors,
            };
            first(
                cases
                    .iter()
                    .map(|case| {
                        let name = case.name.as_deref().unwrap_or("a name that was cut");
                        let kind = case.kind.map(|kind| format!("{} ", record_type(kind))).unwrap_or_default();
                        let code = case.code.map(|code| format!(": {}", response(code))).unwrap_or_default();
                        let at = subject.at(case.point);
                        format!("{} asks {} for {kind}{name}{at}{code}, {} times", case.client, case.server, case.count)
                    })
                    .collect(),
            )
        }
        FindingKind::IncompleteFragments => first(
            report
                .fragments
                .sets
                .iter()
                .map(|set| {
                    let missing = match (set.first_seen, set.last_seen) {
                        (false, _) => "without the first",
                        (true, false) => "without the last",
                        (true, true) => "without one in the middle",
                    };
                    format!("{}{}: {} fragments, {missing}", set.tuple, subject.at(set.point), set.fragments)
                })
                .collect(),
        ),
        FindingKind::Malformed | FindingKind::Cut => {
            let reasons =
                if finding.kind == FindingKind::Cut { &report.cut } else { &report.malformed };
            first(reasons.iter().map(|(header, count)| format!("{header}: {count}")).collect())
        }
        _ => first(
            finding
                .conversations
                .iter()
                .filter_map(|index| report.conversations.get(*index))
                .map(|conversation| {
                    let stuck = conversation.tcp.iter().flat_map(|tcp| tcp.stuck.iter().flatten());
                    let stuck = stuck.filter(|stuck| finding.kind == FindingKind::Stuck && stuck.payload > 0);
                    let stuck = stuck.map(|stuck| {
                        format!(
                            "; {} bytes were sent {} times in {}, and the largest segment that arrived had {} bytes",
                            stuck.payload,
                            stuck.times,
                            duration(stuck.waited),
                            stuck.largest_acknowledged
                        )
                    });
                    format!("{}{}{}", ends(conversation), subject.at(conversation.point), stuck.collect::<String>())
                })
                .collect(),
        ),
    }
}

/// The name of a response code of DNS (RFC 1035 section 4.1.1, RFC 2136 section 2.2).
fn response(code: u8) -> String {
    match code {
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "NXDOMAIN".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        code => format!("response code {code}"),
    }
}
