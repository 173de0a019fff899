//! What a line says of itself: when it was written and how serious it is.
//!
//! Around the program's own line there may be one of the kubelet's (`2026-…Z `), the runtime's (`2026-…Z stderr F `) or
//! the journal's (`Nov 22 08:01:53 host kubelet[1]: `). Programs of OVN-Kubernetes write klog
//! (`I1122 08:01:53.123456    6050 metrics.go:442] …`), Open vSwitch and OVN
//! `2026-…Z|00123|module|WARN|…` (ovs-appctl(8), `vlog/set`'s PATTERN), others logfmt, JSON or `LEVEL …`.

use super::time::{self, Calendar};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

/// How serious a line is. Not all programs say.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

/// A line, understood as far as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// When it was written: by the kubelet, the runtime or the journal, else by the program itself.
    pub(crate) time: Option<Timestamp>,
    /// Has the time no zone, on a host that may have another than UTC?
    pub(crate) is_zoneless: bool,
    /// What the program says.
    pub(crate) level: Option<Level>,
    /// The program's own line, without what was put before it. Has it a time of its own?
    pub(crate) own: &'a str,
    pub(crate) own_time: bool,
    /// Where it says something, without times and counters: the end of the line.
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

    /// The words of klog's letters, of Open vSwitch (`vlog`), logrus, zap and zerolog.
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
    /// Never fails: a line of another form is its own message.
    pub(crate) fn of(text: &'a str, calendar: Calendar) -> Self {
        let Wrapped { time, is_zoneless, own } = wrapped(text, calendar);
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

/// What stands around a program's line: the time, and the line.
struct Wrapped<'a> {
    time: Option<Timestamp>,
    is_zoneless: bool,
    own: &'a str,
}

fn wrapped(text: &str, calendar: Calendar) -> Wrapped<'_> {
    if let Some((time, rest)) = time::rfc3339(text)
        && let Some(rest) = rest.strip_prefix(' ')
    {
        let streams = ["stdout F ", "stderr F ", "stdout P ", "stderr P "];
        let rest = streams.iter().find_map(|stream| rest.strip_prefix(stream)).unwrap_or(rest);
        return Wrapped { time: Some(time), is_zoneless: false, own: program(rest).unwrap_or(rest) };
    }
    match time::syslog(text, calendar) {
        // The host comes before the program.
        Some((time, rest)) => {
            Wrapped { time, is_zoneless: true, own: program(rest.trim_start()).unwrap_or(rest) }
        }
        None => Wrapped { time: None, is_zoneless: false, own: text },
    }
}

/// What follows `host program[123]: `.
fn program(text: &str) -> Option<&str> {
    let (host, rest) = text.split_once(' ')?;
    let (program, line) = rest.split_once(": ")?;
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.[]()@/".contains(c))
    };
    (is_name(host) && is_name(program) && (program.ends_with(']') || program == "kernel")).then_some(line)
}

/// What a program's line says.
struct Body<'a> {
    time: Option<Timestamp>,
    is_zoneless: bool,
    level: Option<Level>,
    message: &'a str,
}

fn body(text: &str, calendar: Calendar) -> Body<'_> {
    klog(text, calendar)
        .or_else(|| vlog(text))
        .or_else(|| structured(text))
        .or_else(|| dated(text))
        .unwrap_or_else(|| Body { time: None, is_zoneless: false, level: leading(text), message: text })
}

/// `I1122 08:11:59.312458    6050 metrics.go:442] message`
fn klog(text: &str, calendar: Calendar) -> Option<Body<'_>> {
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
    Some(Body {
        time: calendar.of_year(month, day, clock.0, clock.1, clock.2, clock.3),
        // Containers have UTC, and on hosts the journal stands around it.
        is_zoneless: false,
        level: Some(level),
        message,
    })
}

/// `2026-11-22T08:01:54.801Z|00001|vlog|INFO|message`
fn vlog(text: &str) -> Option<Body<'_>> {
    let (time, rest) = time::rfc3339(text)?;
    let (sequence, message) = rest.strip_prefix('|')?.split_once('|')?;
    let mut fields = message.splitn(3, '|');
    let (_module, level) = (fields.next()?, fields.next()?);
    if !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Body { time: Some(time), is_zoneless: false, level: Level::named(level), message })
}

/// JSON (`{"level":"info","ts":…}`) and logfmt (`time="…" level=info msg="…"`). Their messages stay as they are.
fn structured(text: &str) -> Option<Body<'_>> {
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
    Some(Body { time, is_zoneless: false, level: Some(level), message: text })
}

/// The value of a key of a JSON object, in quotes or without; not of an object in it, nor of its text.
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

/// The value of a key of logfmt; not of what only looks so within the value of another.
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

/// Where a text in quotes ends: at the first quote that is not escaped.
fn quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A time of the program's own, and perhaps a level: `2026-11-22 08:01:53 ERROR …`, zap's `2026-…Z\tINFO\t…`, the
/// kernel's.
fn dated(text: &str) -> Option<Body<'_>> {
    let zoned = time::rfc3339(text);
    let (time, rest) = zoned.or_else(|| time::civil(text)).or_else(|| time::dmesg(text))?;
    let message = rest.trim_start_matches([' ', '\t', '|', ':']);
    Some(Body { time: Some(time), is_zoneless: zoned.is_none(), level: leading(message), message })
}

/// `[ERROR] …`, `[error] …`, `WARN …`, NetworkManager's `<warn>  …`, Go's `panic: …`.
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
