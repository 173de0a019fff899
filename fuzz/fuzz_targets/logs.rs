//! Reads any bytes as a log, with any parameters.
//!
//! The pages of an answer lose and repeat nothing, an answer stays within its limits, and the pieces in which the log
//! arrives do not matter. Without conditions, every line is shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_core::{Answer, Budget, fuzzing as core};
use mcp_k8s::fuzzing::read_log;
use serde_json::{Value, json};

const PATTERNS: [Option<&str>; 8] = [
    None,
    Some("."),
    Some("a"),
    Some("^.{0,9}$"),
    Some("[0-9]+"),
    Some("E|error"),
    Some("redacted"),
    Some("\\s"),
];
const LEVELS: [Option<&str>; 5] = [None, Some("debug"), Some("info"), Some("warning"), Some("error")];
const TIMES: [Option<&str>; 4] =
    [None, Some("1h"), Some("2026-11-22T08:00:00Z"), Some("2027-01-15T07:59:00Z")];

/// The maximum number of lines of a log.
const LINES: usize = 200;

/// A limit that no log of a fuzz target reaches.
const UNLIMITED: Budget = Budget { lines: 1 << 30, bytes: 1 << 30 };

/// The length of a shown line, which is never left out for its length alone, and its mark.
const LONGEST_LINE: usize = 2_100;

fuzz_target!(|input: &[u8]| {
    let Some(([grep, level, since, until, tail, context, piece], log)) = input.split_first_chunk() else {
        return;
    };
    let log = &*core::redact_log(log, usize::from(*piece));
    // The log is read once for each page, and a page can have one line.
    if log.iter().filter(|byte| **byte == b'\n').count() > LINES {
        return;
    }
    let pick = |all: &'static [Option<&str>], byte: &u8| all[usize::from(*byte) % all.len()];
    let conditions = json!({
        "grep": pick(&PATTERNS, grep),
        "level": pick(&LEVELS, level),
        "since": pick(&TIMES, since),
        "until": pick(&TIMES, until),
    });
    let with = |more: &[(&str, u64)]| {
        let mut params = conditions.clone();
        more.iter().for_each(|(name, value)| params[*name] = (*value).into());
        params
    };
    let read = |params: Value, budget| read_log(log, log.len(), params, budget);
    // The only parameters that are refused are a beginning after the end.
    let Ok(all) = read(with(&[("tail", 1 << 30)]), UNLIMITED) else { return };
    let all = texts(all);

    let pieces = read_log(log, usize::from(*piece), with(&[("tail", 1 << 30)]), UNLIMITED);
    assert_eq!(texts(pieces.expect("the same parameters")), all);
    if conditions.as_object().is_some_and(|all| all.values().all(Value::is_null)) {
        assert_eq!(all.len(), lines(log).unwrap_or(all.len()));
    }

    let budget = Budget { lines: 5 + usize::from(*context), bytes: 2_600 + 16 * usize::from(*tail) };
    let (mut before, mut pages) = (1 << 40, Vec::new());
    loop {
        let params = with(&[("tail", 1 + u64::from(*tail)), ("before", before)]);
        let page = read(params, budget).expect("the same parameters");
        let next =
            page.notes.iter().find_map(|note| note.split_once("before=")?.1.split(' ').next()?.parse().ok());
        pages.push(texts(page));
        let Some(next) = next else { break };
        assert!(next < before, "a page before line {before} says that the next page is before line {next}");
        before = next;
    }
    pages.reverse();
    assert_eq!(pages.concat(), all);

    let params = with(&[("tail", 1 + u64::from(*tail)), ("context", u64::from(*context) % 50)]);
    let answer = texts(read(params, budget).expect("the same parameters"));
    let bytes: usize = answer.iter().map(|row| row.len() + 1).sum();
    assert!(
        bytes <= budget.bytes + (2 + usize::from(*context)) * LONGEST_LINE,
        "{bytes} bytes of {budget:?}"
    );

    let digest = |piece| {
        let mut params = conditions.clone();
        params["digest"] = true.into();
        read_log(log, piece, params, UNLIMITED).expect("the same parameters")
    };
    let (whole, pieces) = (digest(log.len()), digest(usize::from(*piece)));
    assert_eq!(texts(whole), texts(pieces));
});

fn texts(answer: Answer) -> Vec<String> {
    answer.rows.into_iter().map(|row| row.text).collect()
}

/// Returns the number of lines that are not empty, or `None` if the runtime may have split lines, or if the log can be
/// the error of a kubelet.
fn lines(log: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(log);
    let is_special = text.contains(" P") || text.starts_with("unable to retrieve container logs");
    let full = |line: &&str| !line.strip_suffix('\r').unwrap_or(line).is_empty();
    (!is_special).then(|| text.split('\n').filter(full).count())
}
