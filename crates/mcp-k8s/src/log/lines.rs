//! Parses the time and the level of log lines.
//!
//! The program's own line can have a prefix of the kubelet (`2026-…Z `), of the runtime (`2026-…Z stderr F `) or of
//! the journal (`Nov 22 08:01:53 host kubelet[1]: `). Programs of OVN-Kubernetes write klog
//! (`I1122 08:01:53.123456    6050 metrics.go:442] …`), Open vSwitch and OVN
//! `2026-…Z|00123|module|WARN|…` (ovs-appctl(8), `vlog/set`'s PATTERN), others logfmt, JSON or `LEVEL …`.

use super::time::{self, Calendar};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

/// The level of a line. Not all programs write it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

/// A parsed line. Parts that could not be parsed are absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The time in the prefix of the kubelet, the runtime or the journal, or else the program's own time.
    pub(crate) time: Option<Timestamp>,
    /// Whether the time has no zone and comes from a host, whose zone may not be UTC.
    pub(crate) is_zoneless: bool,
    /// The level that the program wrote.
    pub(crate) level: Option<Level>,
    /// The program's own line, without the prefix.
    pub(crate) own: &'a str,
    /// Whether the program's own line has a time.
    pub(crate) own_time: bool,
    /// The message at the end of the line, without times and counters.
    pub(crate) message: &'a str,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// Parses the level names of klog, Open vSwitch (`vlog`), logrus, zap and zerolog.
    fn named(word: &str) -> Option<Self> {
        const NAMES: [(&str, Level); 17] = [
            ("debug", Level::Debug),
            ("dbg", Level::Debug),
            ("trace", Level::Debug),
            ("info", Level::Info),
            ("information", Level::Info),
            ("notice", Level::Info),
            ("warn", Level::Warning),
            ("warning", Level::Warning),
            ("err", Level::Error),
            ("error", Level::Error),
            ("fatal", Level::Fatal),
            ("panic", Level::Fatal),
            ("dpanic", Level::Fatal),
            ("emer", Level::Fatal),
            ("emerg", Level::Fatal),
            ("crit", Level::Fatal),
            ("critical", Level::Fatal),
        ];
        NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
    }
}

impl<'a> Line<'a> {
    /// Parses a line. It never fails: a line of an unknown form is its own message.
    pub(crate) fn of(text: &'a str, calendar: Calendar) -> Self {
        let WrappedLine { time, is_zoneless, own } = wrapped(text, calendar);
        let inner = body(own, calendar);
        Self {
            time: time.or(inner.time),
            is_zoneless: if time.is_some() { is_zoneless } else { inner.is_zoneless },
            level: inner.level,
            own,
            own_time: inner.time.is_some(),
            message: inner.message,
        }
    }
}

/// The time in the prefix of a line, and the program's own line.
struct WrappedLine<'a> {
    time: Option<Timestamp>,
    is_zoneless: bool,
    own: &'a str,
}

fn wrapped(text: &str, calendar: Calendar) -> WrappedLine<'_> {
    if let Some((time, rest)) = time::rfc3339(text)
        && let Some(rest) = rest.strip_prefix(' ')
    {
        let streams = ["stdout F ", "stderr F ", "stdout P ", "stderr P "];
        let rest = streams.iter().find_map(|stream| rest.strip_prefix(stream)).unwrap_or(rest);
        return WrappedLine { time: Some(time), is_zoneless: false, own: program(rest).unwrap_or(rest) };
    }
    match time::syslog(text, calendar) {
        // The prefix continues with the host and the program.
        Some((time, rest)) => {
            WrappedLine { time, is_zoneless: true, own: program(rest.trim_start()).unwrap_or(rest) }
        }
        None => WrappedLine { time: None, is_zoneless: false, own: text },
    }
}

/// Returns the text after `host program[123]: `.
fn program(text: &str) -> Option<&str> {
    let (host, rest) = text.split_once(' ')?;
    let (program, line) = rest.split_once(": ")?;
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.[]()@/".contains(c))
    };
    (is_name(host) && is_name(program) && (program.ends_with(']') || program == "kernel")).then_some(line)
}

/// The parsed parts of a program's own line.
struct LineBody<'a> {
    time: Option<Timestamp>,
    is_zoneless: bool,
    level: Option<Level>,
    message: &'a str,
}

fn body(text: &str, calendar: Calendar) -> LineBody<'_> {
    klog(text, calendar)
        .or_else(|| vlog(text))
        .or_else(|| structured(text))
        .or_else(|| dated(text))
        .unwrap_or_else(|| LineBody { time: None, is_zoneless: false, level: leading(text), message: text })
}

/// Parses klog: `I1122 08:11:59.312458    6050 metrics.go:442] message`.
fn klog(text: &str, calendar: Calendar) -> Option<LineBody<'_>> {
    let level = match text.as_bytes().first()? {
        b'I' => Level::Info,
        b'W' => Level::Warning,
        b'E' => Level::Error,
        b'F' => Level::Fatal,
        _ => return None,
    };
    let (day, rest) = text.get(1..)?.split_at_checked(4)?;
    if !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (clock, rest) = time::clock(rest.strip_prefix(' ')?)?;
    let (month, day) = (day.get(..2)?.parse().ok()?, day.get(2..)?.parse().ok()?);
    let message = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    Some(LineBody {
        time: calendar.of_year(month, day, clock.0, clock.1, clock.2, clock.3),
        // Containers use UTC, and on hosts the journal adds its own time.
        is_zoneless: false,
        level: Some(level),
        message,
    })
}

/// Parses the format of Open vSwitch: `2026-11-22T08:01:54.801Z|00001|vlog|INFO|message`.
fn vlog(text: &str) -> Option<LineBody<'_>> {
    let (time, rest) = time::rfc3339(text)?;
    let (sequence, message) = rest.strip_prefix('|')?.split_once('|')?;
    let mut fields = message.splitn(3, '|');
    let (_module, level) = (fields.next()?, fields.next()?);
    if !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(LineBody { time: Some(time), is_zoneless: false, level: Level::named(level), message })
}

/// Parses JSON (`{"level":"info","ts":…}`) and logfmt (`time="…" level=info msg="…"`). The message is the whole line.
fn structured(text: &str) -> Option<LineBody<'_>> {
    let json = text.starts_with('{');
    let value = |names: &[&str]| {
        names.iter().find_map(|name| if json { json_value(text, name) } else { pair(text, name) })
    };
    let level = value(&["level", "lvl", "severity"]).and_then(Level::named)?;
    let time = value(&["time", "ts", "timestamp", "@timestamp"]);
    let seconds = |text: &str| {
        // zap writes seconds with a fraction.
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        Timestamp::new(seconds.parse().ok()?, nanos).ok()
    };
    let time = time.and_then(|text| text.parse().ok().or_else(|| seconds(text)));
    Some(LineBody { time, is_zoneless: false, level: Some(level), message: text })
}

/// Returns the value of a top-level key of a JSON object, quoted or unquoted. Keys in nested objects and in strings do
/// not count.
fn json_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text.strip_prefix('{')?;
    let mut depth = 1_usize;
    loop {
        rest = rest.trim_start();
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quote(quoted)?;
            let (word, after) = (quoted.get(..end)?, quoted.get(end + 1..)?);
            match after.trim_start().strip_prefix(':') {
                Some(value) if depth == 1 && word == name => {
                    let value = value.trim_start();
                    return match value.strip_prefix('"') {
                        Some(quoted) => quoted.get(..quote(quoted)?),
                        None => value.split([',', '}', ' ']).next(),
                    };
                }
                Some(value) => rest = value,
                None => rest = after,
            }
            continue;
        }
        let c = rest.chars().next()?;
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest = rest.get(c.len_utf8()..)?;
    }
}

/// Returns the value of a logfmt key. Text within the quoted value of another key does not count.
fn pair<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let end = rest.find(['=', ' '])?;
        let (key, after) = (rest.get(..end)?, rest.get(end..)?);
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => {
                let end = quote(quoted)?;
                (quoted.get(..end)?, quoted.get(end + 1..)?)
            }
            None => value.split_at_checked(value.find(' ').unwrap_or(value.len()))?,
        };
        if key == name {
            return Some(value);
        }
        rest = after;
    }
}

/// Returns the end of a quoted text: the first quote that is not escaped.
fn quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Parses a line with a time and optionally a level: `2026-11-22 08:01:53 ERROR …`, zap's `2026-…Z\tINFO\t…`, or a line
/// of the kernel.
fn dated(text: &str) -> Option<LineBody<'_>> {
    let zoned = time::rfc3339(text);
    let (time, rest) = zoned.or_else(|| time::civil(text)).or_else(|| time::dmesg(text))?;
    let message = rest.trim_start_matches([' ', '\t', '|', ':']);
    Some(LineBody { time: Some(time), is_zoneless: zoned.is_none(), level: leading(message), message })
}

/// Parses a level at the beginning: `[ERROR] …`, `[error] …`, `WARN …`, NetworkManager's `<warn>  …`, Go's `panic: …`.
fn leading(text: &str) -> Option<Level> {
    if let Some((word, _)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        return Level::named(word);
    }
    if text.starts_with("panic: ") || text.starts_with("fatal error: ") {
        return Some(Level::Fatal);
    }
    if let Some(inside) = text.strip_prefix('[') {
        return Level::named(inside.split(']').next()?);
    }
    let word = text.split([' ', '\t', ':']).next()?;
    let capitals = !word.is_empty() && word.len() <= 11 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    if capitals { Level::named(word) } else { None }
}
