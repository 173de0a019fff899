//! The parameters of log tools, and the reading of a log.

use super::{
    digest::Digest,
    lines::{Level, Line},
    partial::PartialLines,
    search::RedactedSearch,
    split::Splitter,
    time::Calendar,
    window::{Tail, TailLimits},
};
use jiff::Timestamp;
use mcp_core::{Answer, Budget, Deadline, LogStream, Pattern, Row, ToolError, age, moment};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// The beginning of the text that the kubelet returns as the content of a log whose file no longer exists.
const REFUSED: &str = "unable to retrieve container logs for ";

/// The parameters of all log tools, which select the lines of a log.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LogParams {
    /// Start time: 2026-11-22T08:00:00Z, or an age such as 15m, which in a bundle counts from the end of the log.
    since: Option<String>,
    /// End time, in the form of `since`.
    until: Option<String>,
    /// Show only lines before this line number, to page backwards.
    #[schemars(range(min = 1))]
    before: Option<u64>,
    /// Regex for lines.
    grep: Option<String>,
    /// Lines to show around each match.
    #[schemars(range(max = 50))]
    context: Option<usize>,
    /// Minimum level of the lines.
    level: Option<Level>,
    /// Number of lines, from the end. Default: 100.
    #[schemars(range(min = 1, max = 10000))]
    tail: Option<usize>,
    /// Show message templates instead of lines.
    pub(crate) digest: bool,
}

/// The reading of one log.
#[derive(Debug)]
pub(crate) struct LogReading {
    calendar: Calendar,
    pub(crate) since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The line number at which the reading stops.
    before: u64,
    /// The end of the log, if ages were counted back from it.
    end: Option<Timestamp>,
    /// The number of last lines, if the source was asked only for these.
    last: Option<u64>,
    /// The start of the run. The source may have lost the lines after it.
    begun: Option<Timestamp>,
    grep: Option<RedactedSearch>,
    level: Option<Level>,
    context: usize,
    whole: bool,
    sink: LineSink,
    splitter: Splitter,
    partial: PartialLines,
    counts: LineCounts,
    /// The number of lines whose time has no zone.
    zoneless: u64,
    /// The text that the kubelet returns instead of a log that it does not have.
    refused: Option<String>,
    /// The time of the first line that has a time.
    first: Option<Timestamp>,
    /// The time of the last line that has a time. Lines without a time count as written at this time.
    time: Option<Timestamp>,
    /// The time at which to stop and answer with what was read.
    deadline: Instant,
    /// The end of the call, after which nobody waits for the answer.
    call: Deadline,
    /// Whether the time limit was reached before the end of the log.
    late: bool,
}

#[derive(Debug)]
enum LineSink {
    Tail(Tail),
    Digest(Digest),
}

/// The numbers of lines by the way they were handled.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LineCounts {
    pub(crate) lines: u64,
    pub(crate) found: u64,
    pub(crate) out_of_time: u64,
    pub(crate) no_level: u64,
    pub(crate) other: u64,
}

impl LogParams {
    /// Checks whether a time is an age, which counts back from now or from the end of the log.
    pub(crate) fn is_relative(&self) -> bool {
        let is_age = |text: &String| age(text).is_some();
        self.since.iter().chain(&self.until).any(is_age)
    }

    /// Prepares the reading of a log. `now` gives the year of times without a year. Ages count back from `end`, the end
    /// of a collected log, or else from `now`.
    ///
    /// # Errors
    /// If a time or the regular expression is invalid, or `since` is after `until`.
    pub(crate) fn reading(
        &self,
        now: Option<Timestamp>,
        end: Option<Timestamp>,
        budget: Budget,
        within: Duration,
    ) -> Result<LogReading, ToolError> {
        /// The bytes that are reserved for the first line and the notes of the answer.
        const REST: usize = 2_500;
        let calendar = Calendar(now);
        let time = |name, text: &Option<String>| {
            text.as_deref()
                .filter(|t| !t.trim().is_empty())
                .map(|text| moment(name, text, end.or(now)))
                .transpose()
        };
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(ToolError::bad(
                format!("since ({since}) is after until ({until})"),
                "Swap the two times.",
            ));
        }
        let tail = self.tail.unwrap_or(100);
        let sink = if self.digest {
            LineSink::Digest(Digest::default())
        } else {
            let lines = budget.lines.saturating_sub(4).max(1);
            let most = TailLimits { found: tail.min(lines), lines, bytes: budget.bytes.saturating_sub(REST) };
            LineSink::Tail(Tail::new(most, self.context.unwrap_or(0)))
        };
        let grep = self
            .grep
            .as_deref()
            .filter(|grep| !grep.trim().is_empty())
            .map(Pattern::new)
            .transpose()?
            .map(RedactedSearch::new);
        Ok(LogReading {
            calendar,
            since,
            until,
            before: self.before.unwrap_or(u64::MAX),
            end: end.filter(|_| self.is_relative()),
            last: self.only_tail(),
            begun: None,
            grep,
            level: self.level,
            context: self.context.unwrap_or(0),
            whole: false,
            sink,
            splitter: Splitter::default(),
            partial: PartialLines::default(),
            counts: LineCounts::default(),
            zoneless: 0,
            refused: None,
            first: None,
            time: None,
            deadline: Instant::now() + within,
            call: Deadline::current(),
            late: false,
        })
    }

    /// Returns the number of last lines if the call needs only the end of the log.
    pub(crate) fn only_tail(&self) -> Option<u64> {
        let all = self.until.is_some()
            || self.grep.is_some()
            || self.level.is_some()
            || self.before.is_some()
            || self.digest;
        (!all).then(|| self.tail.unwrap_or(100) as u64)
    }
}

impl LogReading {
    /// Keeps all templates, including those below the level warning, because a comparison needs all of them.
    pub(crate) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// Sets the start of a run of which the source has only the newest log file.
    pub(crate) fn begun(self, begun: Option<Timestamp>) -> Self {
        Self { begun, ..self }
    }

    /// Reads to the end, or until the time limit is reached, and answers with what was read.
    pub(crate) async fn of(mut self, mut stream: LogStream) -> Answer {
        let mut notes = Vec::new();
        while !self.late
            && self.counts.lines + 1 < self.before
            && let Some(piece) = stream.next_before(self.deadline).await
        {
            match piece {
                Ok(bytes) => self.feed(&bytes),
                Err(e) if e.kind() == std::io::ErrorKind::TimedOut => self.late = true,
                Err(e) => notes.push(format!("not read to the end: {e}")),
            }
        }
        self.finish(notes)
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.feed(bytes, &mut |line| self.piece(line));
        self.splitter = splitter;
    }

    /// Adds a line of the file, which can be a part of a line that the runtime has split.
    fn piece(&mut self, text: &str) {
        let mut partial = std::mem::take(&mut self.partial);
        partial.join(text, &mut |line| self.line(line));
        self.partial = partial;
    }

    fn line(&mut self, text: &str) {
        // Matching can be slow, and one piece has thousands of lines, so the time is checked after each line.
        self.late = self.late || Instant::now() >= self.deadline || self.call.is_over();
        if self.late || self.counts.lines + 1 >= self.before {
            return;
        }
        self.counts.lines += 1;
        if self.counts.lines == 1 && text.starts_with(REFUSED) {
            self.refused = Some(text.to_owned());
        }
        if text.is_empty() {
            self.counts.other += 1;
            return;
        }
        let matches = self.grep.as_ref().is_none_or(|grep| grep.finds(text));
        let timed = self.since.is_some() || self.until.is_some();
        // A line that does not match need not be parsed, unless a time range is given.
        if !matches && !timed {
            self.counts.other += 1;
            return self.passed(text);
        }
        let line = Line::of(text, self.calendar);
        self.zoneless += u64::from(line.is_zoneless);
        self.first = self.first.or(line.time);
        self.time = line.time.or(self.time);
        if timed && !self.in_time() {
            self.counts.out_of_time += 1;
            return;
        }
        let serious = self.level.is_none_or(|least| line.level.is_some_and(|level| level >= least));
        if !(matches && serious) {
            let unknown = matches && line.level.is_none();
            if unknown {
                self.counts.no_level += 1
            } else {
                self.counts.other += 1
            }
            return self.passed(text);
        }
        self.counts.found += 1;
        match &mut self.sink {
            LineSink::Tail(tail) => tail.add(self.counts.lines, shown(text, &line), true),
            LineSink::Digest(digest) => digest.add(&line, line.time),
        }
    }

    /// Adds a line that does not match but can be a context line.
    fn passed(&mut self, text: &str) {
        if let LineSink::Tail(tail) = &mut self.sink
            && self.context > 0
        {
            tail.add(self.counts.lines, shown(text, &Line::of(text, self.calendar)), false);
        }
    }

    fn in_time(&self) -> bool {
        match self.time {
            Some(time) => {
                self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
            }
            // Lines before the first time are the beginning of the log.
            None => self.since.is_none(),
        }
    }

    /// Returns the answer, with notes on lines that are not shown.
    pub(crate) fn finish(mut self, mut notes: Vec<String>) -> Answer {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.finish(&mut |line| self.piece(line));
        let mut partial = std::mem::take(&mut self.partial);
        partial.finish(&mut |line| self.line(line));
        if self.late {
            notes.push(
                "the log could not be read completely within the time limit, and the answer covers its beginning; pass \
                 since, or raise timeout_seconds"
                    .to_owned(),
            );
        }
        let LineCounts { lines, found, out_of_time, no_level, .. } = self.counts;
        if let Some(refused) = self.refused.filter(|_| lines == 1) {
            let if_empty = format!("the kubelet does not have this log: {refused}");
            return Answer { if_empty, notes, ..Answer::default() };
        }
        let is_timed = self.since.is_some() || self.until.is_some();
        if self.zoneless > 0 && (is_timed || matches!(self.sink, LineSink::Digest(_))) {
            notes.push(
                "times in this log have no zone and are read as UTC; the host may use another zone".into(),
            );
        }
        if let Some(end) = self.end {
            notes.push(format!("ages count back from {end}, the time of the log's last line"));
        }
        if splitter.cut > 0 {
            notes.push(format!(
                "lines longer than 64 KiB: {}; only the first 64 KiB of each were searched",
                splitter.cut
            ));
        }
        if no_level > 0 {
            notes.push(match no_level {
                1 => "1 line without a level was left out".to_owned(),
                n => format!("{n} lines without a level were left out"),
            });
        }
        if out_of_time > 0 && found == 0 {
            notes.push(format!("{out_of_time} of {lines} lines are outside the requested time range"));
        }
        if let (Some(since), Some(begun), Some(first)) = (self.since, self.begun, self.first)
            && begun < since
            && since < first
        {
            notes.push(format!(
                "the first line after {since} is from {first}; lines between the two times may have been rotated away"
            ));
        }
        let if_empty = match lines {
            0 if self.before < u64::MAX => format!("the log has no line before {}", self.before),
            0 => "the log is empty".to_owned(),
            n => format!("none of the {n} lines matches"),
        };
        let ends_matter = matches!(self.sink, LineSink::Tail(_));
        let rows = match self.sink {
            LineSink::Tail(tail) => {
                let (shown, found) = (tail.found() - tail.lost(), tail.found());
                // A source that returns exactly the requested number of lines may have more.
                let all = self.last != Some(lines);
                if !all {
                    notes.push(format!(
                        "the last {shown} lines are shown, and there may be more: raise `tail`, pass digest=true for a \
                         summary, or pass grep=. to read from the beginning and page with `before`"
                    ));
                } else if tail.lost() > 0 {
                    let first = tail.first().unwrap_or(1);
                    notes.push(format!(
                        "the last {shown} of {found} lines are shown; before={first} shows earlier lines, a larger `tail` shows \
                         more lines at once, and digest=true summarizes all lines"
                    ));
                }
                tail.into_lines().into_iter().map(Row::line).collect()
            }
            LineSink::Digest(digest) => {
                notes.extend(digest.notes());
                notes.insert(0, digest.summary());
                let all = digest.rows();
                let more = if self.level.is_none() && self.grep.is_none() && !self.whole {
                    digest.usual()
                } else {
                    0
                };
                if more > 0 {
                    notes.push(format!(
                        "{more} more templates at level info or below, or without a level, are left out; grep=. shows all"
                    ));
                }
                all.into_iter().take(digest.templates() - more).collect()
            }
        };
        Answer { rows, if_empty, notes, ends_matter, ..Answer::default() }
    }

    /// Returns the numbers of lines so far.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> &LineCounts {
        &self.counts
    }

    /// Returns the number of bytes of text in memory.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        match &self.sink {
            LineSink::Tail(tail) => tail.held() + self.partial.held(),
            LineSink::Digest(digest) => digest.held(),
        }
    }
}

/// Returns the time of the last line that has a time. Returns `None` if none of the last lines has a time, or if the
/// end of the log was not reached in time.
pub(crate) async fn end_of(
    mut stream: LogStream,
    now: Option<Timestamp>,
    within: Duration,
) -> Option<Timestamp> {
    /// The number of bytes at the end that are searched for a time.
    const END: usize = 128 << 10;
    let deadline = Instant::now() + within;
    let mut end: Vec<u8> = Vec::new();
    while let Some(piece) = stream.next_before(deadline).await {
        end.extend_from_slice(&piece.ok()?);
        if end.len() > 2 * END {
            end.drain(..end.len() - END);
        }
    }
    let text = String::from_utf8_lossy(&end);
    text.lines().rev().find_map(|line| Line::of(line, Calendar(now)).time)
}

/// Returns the program's own line if it has a time, because the prefix of the kubelet or the runtime repeats this time.
fn shown<'a>(text: &'a str, line: &Line<'a>) -> &'a str {
    if line.own_time { line.own } else { text }
}
