//! Tests of log reading with lines of real programs, and of properties that hold for all lines.

use super::{
    digest::{Digest, KEPT},
    lines::{Level, Line},
    mask::mask,
    question::{LogParams, LogReading},
    split::Splitter,
    time::Calendar,
};
use jiff::Timestamp;
use mcp_core::Budget;
use proptest::prelude::*;
use std::time::Duration;

pub(super) fn now() -> Calendar {
    Calendar("2026-11-22T09:00:00Z".parse().ok())
}

pub(super) fn time(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

pub(super) fn params(value: serde_json::Value) -> LogParams {
    serde_json::from_value(value).unwrap()
}

/// Prepares a reading with a time limit that is long enough on slow machines.
pub(super) fn reading(value: serde_json::Value) -> LogReading {
    params(value).reading(now().0, None, Budget::default(), Duration::from_secs(3600)).unwrap()
}

/// The lines were written by programs of the captured cluster, or of a node with systemd.
#[test]
fn times_and_levels_of_real_lines_are_parsed() {
    for (text, when, level, message) in [
        (
            "2026-11-22T08:50:00.000000+0000 here NetworkManager[77]: <warn>  [1795337400.1] dhcp4 (eth0): request timed out",
            time("2026-11-22T08:50:00Z"),
            Some(Level::Warning),
            "<warn>  [1795337400.1] dhcp4 (eth0): request timed out",
        ),
        (
            "2026-11-22T08:11:59.312915400Z I1122 08:11:59.312458    6050 metrics.go:442] Starting Metrics Server",
            time("2026-11-22T08:11:59.312915400Z"),
            Some(Level::Info),
            "metrics.go:442] Starting Metrics Server",
        ),
        (
            "F1122 08:32:28.173223    2535 ovnkube.go:149] failed to run ovnkube: x",
            time("2026-11-22T08:32:28.173223Z"),
            Some(Level::Fatal),
            "ovnkube.go:149] failed to run ovnkube: x",
        ),
        (
            "2026-11-22T08:01:56.385Z|00002|vif_plug_provider|WARN|failed to initialize",
            time("2026-11-22T08:01:56.385Z"),
            Some(Level::Warning),
            "vif_plug_provider|WARN|failed to initialize",
        ),
        (
            "2026-11-22T08:01:54.088Z|00002|vlog(monitor)|INFO|closing log file",
            time("2026-11-22T08:01:54.088Z"),
            Some(Level::Info),
            "vlog(monitor)|INFO|closing log file",
        ),
        (
            "2026-11-22T08:11:58.850713423Z 2026-11-22T08:11:58Z|00001|unixctl|WARN|failed to connect to /var/run/ovn/x.ctl",
            time("2026-11-22T08:11:58.850713423Z"),
            Some(Level::Warning),
            "unixctl|WARN|failed to connect to /var/run/ovn/x.ctl",
        ),
        (
            "2026-11-22T08:11:58.809898412Z stderr F E1122 08:11:58.809000    1 a.go:1] b",
            time("2026-11-22T08:11:58.809898412Z"),
            Some(Level::Error),
            "a.go:1] b",
        ),
        (
            "Nov 22 08:12:01.123456 master-0 kubenswrapper[1234]: E1122 08:12:01.123000    1234 kubelet.go:2] no CNI",
            time("2026-11-22T08:12:01.123456Z"),
            Some(Level::Error),
            "kubelet.go:2] no CNI",
        ),
        (
            "Dec 31 23:59:59 master-0 ovs-vswitchd[9]: ovs|00012|bridge|INFO|added",
            time("2025-12-31T23:59:59Z"),
            None,
            "ovs|00012|bridge|INFO|added",
        ),
        (
            r#"time="2026-11-22T08:01:50.5Z" level=warning msg="cleaning up""#,
            time("2026-11-22T08:01:50.5Z"),
            Some(Level::Warning),
            r#"time="2026-11-22T08:01:50.5Z" level=warning msg="cleaning up""#,
        ),
        (
            r#"{"level":"error","ts":1795334514.25,"msg":"reconcile"}"#,
            time("2026-11-22T08:01:54.25Z"),
            Some(Level::Error),
            r#"{"level":"error","ts":1795334514.25,"msg":"reconcile"}"#,
        ),
        (
            "2026-11-22T08:00:00.000Z\tINFO\tsetup\tstarting manager",
            time("2026-11-22T08:00:00Z"),
            Some(Level::Info),
            "INFO\tsetup\tstarting manager",
        ),
        (
            "[Sun Nov 22 08:01:53 2026] nf_conntrack: table full, dropping packet",
            time("2026-11-22T08:01:53Z"),
            None,
            "nf_conntrack: table full, dropping packet",
        ),
        (
            "[ERROR] plugin/errors: 2 example.com. A: timeout",
            None,
            Some(Level::Error),
            "[ERROR] plugin/errors: 2 example.com. A: timeout",
        ),
        (
            "panic: runtime error: index out of range",
            None,
            Some(Level::Fatal),
            "panic: runtime error: index out of range",
        ),
        (
            " ==================== command: ovs-server",
            None,
            None,
            " ==================== command: ovs-server",
        ),
        ("Information about nothing", None, None, "Information about nothing"),
        // A level in the text of another field or in a nested object does not count.
        (
            r#"time="2026-11-22T08:01:50.5Z" msg="probe said level=error code=\"7\" level=error" level=info"#,
            time("2026-11-22T08:01:50.5Z"),
            Some(Level::Info),
            r#"time="2026-11-22T08:01:50.5Z" msg="probe said level=error code=\"7\" level=error" level=info"#,
        ),
        (
            r#"{"msg":"got \"level\":\"fatal\"","request":{"level":"error","n":[{"level":"error"}]},"level":"warn"}"#,
            None,
            Some(Level::Warning),
            r#"{"msg":"got \"level\":\"fatal\"","request":{"level":"error","n":[{"level":"error"}]},"level":"warn"}"#,
        ),
        ("[error] connect() failed", None, Some(Level::Error), "[error] connect() failed"),
        ("[notice] 1#1: start", None, Some(Level::Info), "[notice] 1#1: start"),
        ("[anything] at all", None, None, "[anything] at all"),
    ] {
        let line = Line::of(text, now());
        assert_eq!((line.time, line.level, line.message), (when, level, message), "{text}");
    }
}

#[test]
fn a_line_without_a_known_year_has_no_time() {
    let line = Line::of("I1122 08:11:59.312458    6050 metrics.go:442] x", Calendar(None));
    assert_eq!((line.time, line.level), (None, Some(Level::Info)));
}

#[test]
fn templates_mask_the_parts_that_change() {
    for (text, template) in [
        (
            "handler.go:193] Removing already-removed *v1.Pod event handler 12",
            "handler.go:193] Removing already-removed *v1.Pod event handler <n>",
        ),
        ("Adding pod shop/web-7ddbb54ff6-h8c4s 10.244.0.3/24", "Adding pod shop/web-<id>-<id> <ip>/<n>"),
        ("ovnkube-node-mk45n took 12.5ms", "ovnkube-node-<id> took <n>"),
        (
            "Where:[where column _uuid == {f604ac9c-8cf0-454b-91c5-4cab30b18ca3}]",
            "Where:[where column _uuid == {<uuid>}]",
        ),
        ("at 172.18.0.4:9410, 0a:58:0a:f4:00:03, fd69::1, 0x1f", "at <ip>:<n>, <mac>, <ip>, <hex>"),
        ("a12345678901234567890 on mp4-udn-vrf of ovn-worker2", "<hex> on mp4-udn-vrf of ovn-worker2"),
        ("Unreasonably long 1234ms poll interval", "Unreasonably long <n> poll interval"),
        ("failed: operation not supported", "failed: operation not supported"),
        ("time=\"2026-11-22T08:01:50.5Z\" took 1s", "time=\"<time>\" took <n>"),
    ] {
        assert_eq!(mask(text), template);
    }
}

/// A search matches redacted text only, so that an answer does not reveal whether a guess at a secret is right.
#[test]
fn a_search_does_not_find_secrets() {
    let found = |grep: &str| {
        let mut reading = reading(serde_json::json!({ "grep": grep }));
        reading.feed(
            "2026-11-22T08:00:00Z login password=hunter2 now\nanother\nnaïve token=hunter2 now\n".as_bytes(),
        );
        let shown = reading.counts().found;
        let text: Vec<String> = reading.finish(Vec::new()).rows.into_iter().map(|row| row.text).collect();
        (shown, text)
    };
    assert_eq!(found("now").0, 2);
    assert_eq!(found("password|token").0, 2);
    for secret in ["hunter", "hunter2", "=hunter2", "h.nter", "password=h", "nothing|hunter2"] {
        assert_eq!(found(secret).0, 0, "{secret}");
    }
    for (right, wrong) in [(r"word=(hunter2|\[red)", r"word=(hunter3|\[red)"), ("hunter2|act", "hunter3|act")]
    {
        assert_eq!(found(right), found(wrong), "{right}");
        assert!(found(right).0 > 0, "{right}");
    }
}

/// A live cluster returns only the requested last lines, and only lines that were not rotated away.
#[test]
fn a_note_says_that_earlier_lines_may_exist() {
    let notes = |asked: serde_json::Value, lines: usize, begun: &str| {
        let mut reading = reading(asked).begun(time(begun));
        for line in 0..lines {
            reading.feed(format!("2026-11-22T08:30:{line:02}Z a line\n").as_bytes());
        }
        reading.finish(Vec::new()).notes.join("; ")
    };
    let tail = serde_json::json!({ "tail": 3 });
    assert!(
        notes(tail.clone(), 3, "2026-11-22T08:00:00Z")
            .starts_with("the last 3 lines are shown, and there may be more: ")
    );
    assert_eq!(notes(tail.clone(), 2, "2026-11-22T08:00:00Z"), "");
    assert!(notes(tail, 4, "2026-11-22T08:00:00Z").starts_with("the last 3 of 4 lines are shown; "));
    let since = serde_json::json!({ "since": "2026-11-22T08:10:00Z" });
    let rotated = notes(since.clone(), 2, "2026-11-22T08:00:00Z");
    assert!(
        rotated.contains("the first line after 2026-11-22T08:10:00Z is from 2026-11-22T08:30:00Z"),
        "{rotated}"
    );
    assert_eq!(notes(since, 2, "2026-11-22T08:20:00Z"), "");
}

/// In the log of a crash-looping ovnkube-controller the last line is the cause, and the digest shows it first.
#[test]
fn the_cause_of_a_failure_is_the_first_row() {
    let log = include_bytes!("../../tests/logs/udn-without-vrf.log");
    let mut reading = reading(serde_json::json!({ "digest": true }));
    reading.feed(log);
    let answer = reading.finish(Vec::new());
    let first = &answer.rows.first().unwrap().text;
    assert!(
        first.starts_with("fatal 1x 2026-11-22T08:32:28Z ovnkube.go:149] failed to run ovnkube: "),
        "{first}"
    );
    assert!(
        first.ends_with("failed to create VRF device mp4-udn-vrf, err: operation not supported"),
        "{first}"
    );
    let errors: Vec<&str> =
        answer.rows.iter().map(|row| row.text.as_str()).filter(|t| t.starts_with("error ")).collect();
    assert!(
        errors.iter().any(|text| text.contains("Failed to get ops to clean up stale QoSes")),
        "{errors:?}"
    );
    // The errors that follow from the cause are folded into one row for each kind.
    assert!(
        errors.iter().any(|text| text.starts_with("error 4x") && text.contains("*v1.Pod event handler <n>")),
        "{errors:?}"
    );
    assert!(answer.notes.first().unwrap().starts_with("681 lines from "), "{:?}", answer.notes);
}

/// If a log has more templates than can be kept, the kept ones are the same in any order, their counts are exact, and
/// errors are kept before other levels.
#[test]
fn kept_templates_do_not_depend_on_the_order_of_lines() {
    let word = |mut n: u32| {
        let mut text = String::new();
        loop {
            text.push(char::from(b'a' + (n % 26) as u8));
            n /= 26;
            if n == 0 {
                return text;
            }
        }
    };
    let mut lines: Vec<String> = (0..3 * KEPT as u32)
        .flat_map(|n| {
            let letter = if n % 3 == 0 { 'E' } else { 'I' };
            let line =
                format!("{letter}1122 08:00:{:02}.000000    1 a.go:{}] word {}", n % 60, n % 7, word(n));
            vec![line; 1 + n as usize % 3]
        })
        .collect();
    let fold = |lines: &[String]| {
        let mut digest = Digest::default();
        lines.iter().for_each(|text| {
            let line = Line::of(text, now());
            digest.add(&line, line.time);
        });
        digest
    };
    let forward = fold(&lines);
    lines.reverse();
    let backward = fold(&lines);
    assert_eq!(forward.counts(), backward.counts());
    assert_eq!(forward.notes(), backward.notes());
    assert_eq!(forward.counts().len(), KEPT);
    let errors = forward.counts().iter().filter(|(text, _)| text.starts_with("error ")).count();
    assert_eq!(errors, KEPT, "all kept templates are errors");
    assert!(
        forward
            .notes()
            .iter()
            .any(|note| note.contains("lines (info) belong to templates beyond")
                && note.contains("grep=a\\.go:")),
        "{:?}",
        forward.notes()
    );
}

/// Reading a log of 48 MiB, in which each kind of line comes several times, keeps only a small part of it in memory,
/// whatever the parameters are.
#[test]
fn memory_is_bounded_for_long_logs() {
    const BYTES: usize = 48 << 20;
    for (asked, most) in [
        (serde_json::json!({ "digest": true }), 8 << 20),
        (serde_json::json!({ "tail": 10_000, "context": 50, "grep": "pod-1" }), 1 << 20),
    ] {
        let mut reading = reading(asked);
        let (mut fed, mut lines, mut held) = (0, 0_u64, 0);
        let mut piece = Vec::new();
        while fed < BYTES {
            piece.clear();
            for _ in 0..4_000 {
                // Names of letters are not masked, so each line is a new template.
                let name: String =
                    (0..4).map(|at| char::from(b'a' + (lines >> (4 * at) & 15) as u8)).collect();
                let text = format!(
                    "2026-11-22T08:{:02}:{:02}.123456789Z I1122 08:00:00.000000    6050 pods.go:{}] Adding pod shop/{name} pod-{}\n",
                    lines / 60 % 60,
                    lines % 60,
                    lines % 40,
                    lines % 3,
                );
                piece.extend_from_slice(text.as_bytes());
                lines += 1;
            }
            fed += piece.len();
            reading.feed(&piece);
            held = held.max(reading.held());
        }
        assert!(held < most, "{held} bytes held of {fed}");
        assert_eq!(reading.counts().lines, lines);
    }
}

fn answer_of(bytes: &[u8], asked: serde_json::Value) -> (LogReading, u64) {
    let mut reading = reading(asked);
    let mut lines = 0;
    let mut splitter = Splitter::default();
    splitter.feed(bytes, &mut |_| lines += 1);
    splitter.finish(&mut |_| lines += 1);
    reading.feed(bytes);
    reading.feed(b"\n");
    (reading, lines)
}

proptest! {
    #[test]
    fn message_and_own_line_are_suffixes_of_any_line(text in ".{0,300}") {
        let line = Line::of(&text, now());
        prop_assert!(text.ends_with(line.message));
        prop_assert!(text.ends_with(line.own));
    }

    #[test]
    fn the_message_is_a_suffix_of_a_line_with_a_known_beginning(
        begin in prop::sample::select(vec!["I1122 ", "2026-11-22T", "2026-11-22T08:00:00Z ", "2026-11-22T08:00:00Z|1|", "Nov 22 08:00:00 ", "[Sun Nov 2", "{\"level\":", "level=", "2026-11-22 "]),
        rest in ".{0,60}",
    ) {
        let text = format!("{begin}{rest}");
        let line = Line::of(&text, now());
        prop_assert!(text.ends_with(line.message));
    }

    #[test]
    fn numbers_and_addresses_are_masked(word in "[a-z]{1,8}", a in any::<u32>(), b in any::<u32>()) {
        let line = |n: u32| {
            let ip = std::net::Ipv4Addr::from(n);
            mask(&format!("{word} {n} of {ip}:{}, took {n}ms ({word}-{word}) 0x{n:x}", n % 65_536))
        };
        prop_assert_eq!(line(a), line(b));
    }

    #[test]
    fn text_without_numbers_is_not_masked(text in "[^0-9:-]{0,200}", any in ".{0,200}") {
        prop_assert_eq!(mask(&text), text);
        mask(&any);
    }

    #[test]
    fn every_line_is_counted_once(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2_000),
        grep in prop::option::of(prop::sample::select(vec!["a", "^.", "[0-9]+"])),
        level in prop::option::of(prop::sample::select(vec!["debug", "error"])),
        since in prop::option::of(Just("1h")),
        digest in any::<bool>(),
    ) {
        let asked = serde_json::json!({ "grep": grep, "level": level, "since": since, "digest": digest });
        let (reading, _) = answer_of(&bytes, asked);
        let counts = reading.counts();
        prop_assert_eq!(counts.found + counts.out_of_time + counts.no_level + counts.other, counts.lines);
    }

    #[test]
    fn lines_do_not_depend_on_the_size_of_pieces(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..500), size in 1_usize..50) {
        let whole = {
            let mut lines = Vec::new();
            let mut splitter = Splitter::default();
            splitter.feed(&bytes, &mut |line| lines.push(line.to_owned()));
            splitter.finish(&mut |line| lines.push(line.to_owned()));
            lines
        };
        let mut lines = Vec::new();
        let mut splitter = Splitter::default();
        for piece in bytes.chunks(size) {
            splitter.feed(piece, &mut |line| lines.push(line.to_owned()));
        }
        splitter.finish(&mut |line| lines.push(line.to_owned()));
        prop_assert_eq!(lines, whole);
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order(
        mut lines in prop::collection::vec((0_u8..4, 0_u8..5, 0_u32..60), 0..60),
        seed in any::<u64>(),
    ) {
        let fold = |lines: &[(u8, u8, u32)]| {
            let mut digest = Digest::default();
            for (level, what, second) in lines {
                let text = format!("{}1122 08:00:{second:02}.000000    1 a.go:{what}] n {second}", ["I", "W", "E", "F"][usize::from(*level)]);
                let line = Line::of(&text, now());
                digest.add(&line, line.time);
            }
            digest
        };
        let forward = fold(&lines);
        let len = lines.len().max(1);
        lines.sort_by_key(|(a, b, c)| (u64::from(*a) << 40 ^ u64::from(*b) << 20 ^ u64::from(*c)).wrapping_mul(seed | 1));
        lines.rotate_left(seed as usize % len);
        let other = fold(&lines);
        prop_assert_eq!(forward.counts(), other.counts());
        prop_assert_eq!(forward.summary(), other.summary());
        prop_assert_eq!(forward.counts().iter().map(|(_, n)| n).sum::<u64>(), forward.lines());
    }
}
