//! Tests which lines of a log an answer shows, and how paging reaches the others.

use super::{
    question::end_of,
    tests::{now, params, reading, time},
};
use jiff::Timestamp;
use mcp_core::Budget;
use proptest::prelude::*;
use std::time::Duration;

/// A runtime splits long lines, so a match can span several parts.
#[test]
fn parts_of_a_line_are_joined() {
    let log = "2026-11-22T08:00:00Z stdout P {\"begin\":1,\"na\n\
               2026-11-22T08:00:00Z stderr F E1122 08:00:00.000000       1 a.go:1] between\n\
               2026-11-22T08:00:00Z stdout P me\":\"need\n\
               2026-11-22T08:00:00Z stdout F le\"}\n\
               2026-11-22T08:00:01Z stdout F whole\n\
               2026-11-22T08:00:02Z stdout P without an e\n\
               2026-11-22T08:00:03Z stdout P nd";
    let lines = |asked: serde_json::Value| {
        let mut reading = reading(asked);
        reading.feed(log.as_bytes());
        reading.finish(Vec::new()).rows.into_iter().map(|row| row.text).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(serde_json::json!({})),
        [
            "E1122 08:00:00.000000       1 a.go:1] between",
            "2026-11-22T08:00:00Z stdout F {\"begin\":1,\"name\":\"needle\"}",
            "2026-11-22T08:00:01Z stdout F whole",
            "2026-11-22T08:00:02Z stdout F without an end",
        ]
    );
    assert_eq!(lines(serde_json::json!({ "grep": "needle" })).len(), 1);
    assert_eq!(lines(serde_json::json!({ "grep": "an end" })).len(), 1);
}

/// The kubelet returns its error about a missing log file as the content of the log.
#[test]
fn an_error_of_the_kubelet_is_not_a_log_line() {
    let refused = "unable to retrieve container logs for containerd://0123";
    for (log, rows) in [(format!("{refused}\n"), 0), (refused.to_owned(), 0), (format!("{refused}\nx\n"), 2)]
    {
        let mut reading = reading(serde_json::json!({}));
        reading.feed(log.as_bytes());
        let answer = reading.finish(Vec::new());
        assert_eq!(answer.rows.len(), rows);
        assert_eq!(answer.if_empty.contains(refused), rows == 0, "{}", answer.if_empty);
    }
}

#[test]
fn a_note_says_that_times_have_no_zone() {
    let notes = |asked: serde_json::Value, line: &str| {
        let mut reading = reading(asked);
        reading.feed(line.as_bytes());
        reading.finish(Vec::new()).notes.join("; ").contains("have no zone")
    };
    let digest = || serde_json::json!({ "digest": true });
    assert!(notes(digest(), "Nov 22 08:12:01 master-0 kubelet[1]: E1122 08:12:01.000000 1 a.go:1] x\n"));
    assert!(notes(serde_json::json!({ "since": "2h" }), "[Sun Nov 22 08:01:53 2026] eth0: link up\n"));
    assert!(!notes(serde_json::json!({}), "Nov 22 08:12:01 master-0 kubelet[1]: x\n"));
    assert!(!notes(digest(), "2026-11-22T08:12:01Z E1122 08:12:01.000000 1 a.go:1] x\n"));
}

#[tokio::test]
async fn the_end_of_a_log_is_its_last_time() {
    for (log, end) in [
        ("2026-11-22T08:00:00Z a\n2026-11-22T08:05:00Z b\n\tat c\n", time("2026-11-22T08:05:00Z")),
        ("no time at all\n", None),
        ("", None),
    ] {
        let (sender, stream) = mcp_core::LogStream::channel();
        sender.send(Ok(log.into())).await.unwrap();
        drop(sender);
        let found = end_of(stream, now().0, Duration::from_secs(60)).await;
        assert_eq!(found, end, "{log}");
        let asked = params(serde_json::json!({ "since": "5m" }));
        assert!(asked.is_relative());
        let reading = asked.reading(now().0, found, Budget::default(), Duration::from_secs(60)).unwrap();
        let from = end.or(now().0).unwrap();
        assert_eq!(reading.since, Some(from - jiff::SignedDuration::from_mins(5)));
    }
    assert!(!params(serde_json::json!({ "since": "2026-11-22T08:00:00Z" })).is_relative());
}

proptest! {
    /// Reading a log backwards with `before` returns each matching line once, even if times are equal, missing or not
    /// in order.
    #[test]
    fn paging_with_before_neither_loses_nor_repeats_lines(
        seconds in prop::collection::vec((0_u32..4, prop::option::of(0_i64..7200), 0_usize..200), 0..120),
        tail in 1_usize..20,
        lines in 5_usize..30,
        bytes in 2_600_usize..4_000,
        grep in prop::option::of(prop::sample::select(vec!["k", "even", "line [0-9]*7"])),
        context in 0_usize..3,
    ) {
        let begin: Timestamp = "2026-11-22T07:00:00Z".parse().unwrap();
        let text = |(number, (form, second, long)): (usize, &(u32, Option<i64>, usize))| {
            let word = if number % 2 == 0 { "even" } else { "odd" };
            let rest = format!("{word} line {number} {}", "k".repeat(*long));
            match (second, form) {
                (None, _) => rest,
                (Some(second), form) => {
                    let time = begin + jiff::SignedDuration::from_secs(*second);
                    let clock = time.strftime("%H:%M:%S");
                    match form {
                        0 => format!("{time} {rest}"),
                        1 => format!("{time} stderr F I1122 08:00:00.000000    1 a.go:1] {rest}"),
                        2 => format!("I1122 {clock}.000000    1 a.go:1] {rest}"),
                        _ => format!("Nov 22 {clock} host kubelet[1]: {rest}"),
                    }
                }
            }
        };
        let all: Vec<String> = seconds.iter().enumerate().map(text).collect();
        let log = all.iter().map(|line| format!("{line}\n")).collect::<String>();
        let number = |line: &str| -> usize {
            let (_, rest) = line.split_once(" line ").unwrap_or_else(|| line.split_once("line ").unwrap());
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        let expression = mcp_core::Pattern::new(grep.unwrap_or(".")).unwrap();
        let wanted: Vec<usize> = (0..all.len()).filter(|at| expression.is_in(&all[*at])).collect();
        let (mut before, mut pages) = (None::<u64>, Vec::new());
        loop {
            let asked = serde_json::json!({ "tail": tail, "grep": grep.unwrap_or("."), "context": context, "before": before });
            let budget = Budget { lines, bytes };
            let mut reading = params(asked).reading(now().0, None, budget, Duration::from_secs(60)).unwrap();
            reading.feed(log.as_bytes());
            let answer = reading.finish(Vec::new());
            let shown: Vec<usize> = answer.rows.iter().filter(|row| row.text != "--").map(|row| number(&row.text)).collect();
            let first = before.map_or(usize::MAX, |before| before as usize - 1);
            let found: Vec<usize> =
                shown.into_iter().filter(|at| wanted.contains(at) && *at < first).collect();
            pages.push(found);
            let next = answer.notes.iter().find_map(|note| {
                note.split_once("before=")?.1.split(' ').next()?.parse::<u64>().ok()
            });
            match next {
                Some(next) => {
                    prop_assert!(before.is_none_or(|before| next < before), "{next} after {before:?}");
                    before = Some(next);
                }
                None => break,
            }
        }
        pages.reverse();
        prop_assert_eq!(pages.concat(), wanted);
    }
}
