//! What is asked of a log, and the reading of it.

use super::{
    digest::Digest,
    lines::{Level, Line},
    partial::Partial,
    search::Search,
    split::Splitter,
    time::{Calendar, span},
    window::{Most, Tail},
};
use jiff::Timestamp;
use mcp_core::{Answer, Budget, Deadline, LogStream, Pattern, Row, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// What the kubelet answers in place of a log file that is gone, as if that were the log.
const REFUSED: &str = "unable to retrieve container logs for ";

/// Which lines of a log: what all tools for logs take.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LogParams {
    /// From this time on: 2026-11-22T08:00:00Z, or how long before now (of a bundle: before the log ends): 15m, 2h.
    since: Option<String>,
    /// Up to this time; as `since`.
    until: Option<String>,
    /// Only lines before the one of this number, to read on backwards.
    #[schemars(range(min = 1))]
    before: Option<u64>,
    /// Regular expression on lines.
    grep: Option<String>,
    /// Lines around each found.
    #[schemars(range(max = 50))]
    context: Option<usize>,
    /// Only lines at least so serious.
    level: Option<Level>,
    /// The last lines, so many; default 100.
    #[schemars(range(min = 1, max = 10000))]
    tail: Option<usize>,
    /// Instead of lines: templates with counts, first and last time; errors first, then the rarest.
    pub(crate) digest: bool,
}

/// The reading of one log.
#[derive(Debug)]
pub(crate) struct Reading {
    calendar: Calendar,
    pub(crate) since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Lines from this number on are not looked at.
    before: u64,
    /// What spans of time were counted back from, where that was the end of the log.
    end: Option<Timestamp>,
    /// The last lines, so many, are all that the source was asked for.
    last: Option<u64>,
    /// Since when there could be lines, of which the source may have lost the older.
    begun: Option<Timestamp>,
    grep: Option<Search>,
    level: Option<Level>,
    context: usize,
    whole: bool,
    sink: Sink,
    splitter: Splitter,
    partial: Partial,
    counts: Counts,
    /// Lines whose time has no zone.
    zoneless: u64,
    /// What the kubelet says in place of a log that it has not.
    refused: Option<String>,
    /// The time of the first line that had one, and of the last: those without follow it.
    first: Option<Timestamp>,
    time: Option<Timestamp>,
    /// When to stop and tell what was read until then, and when nobody waits for it any more.
    deadline: Instant,
    call: Deadline,
    /// The time was over with a line, and those after it were not looked at.
    late: bool,
}

#[derive(Debug)]
enum Sink {
    Tail(Tail),
    Digest(Digest),
}

/// Lines by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) lines: u64,
    pub(crate) found: u64,
    pub(crate) out_of_time: u64,
    pub(crate) no_level: u64,
    pub(crate) other: u64,
}

impl LogParams {
    /// Are there spans of time in it, which are counted back from now or from the end of the log?
    pub(crate) fn is_relative(&self) -> bool {
        let is_span = |text: &String| span(text.trim()).is_some();
        self.since.iter().chain(&self.until).any(is_span)
    }

    /// Begins to read. `now` tells the year of times without one. Spans of time are counted back from `end`, the end of a log
    /// that was collected earlier; else from now.
    pub(crate) fn reading(
        &self,
        now: Option<Timestamp>,
        end: Option<Timestamp>,
        budget: Budget,
        within: Duration,
    ) -> Result<Reading, ToolError> {
        /// Left for the first line and the notes.
        const REST: usize = 2_500;
        let calendar = Calendar(now);
        let from = Calendar(end.or(now));
        let time = |name, text: &Option<String>| {
            text.as_deref().filter(|t| !t.trim().is_empty()).map(|text| from.read(name, text)).transpose()
        };
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(ToolError::bad(format!("since is {since}, after until, {until}"), "Exchange them."));
        }
        let tail = self.tail.unwrap_or(100);
        let sink = if self.digest {
            Sink::Digest(Digest::default())
        } else {
            let lines = budget.lines.saturating_sub(4).max(1);
            let most = Most { found: tail.min(lines), lines, bytes: budget.bytes.saturating_sub(REST) };
            Sink::Tail(Tail::new(most, self.context.unwrap_or(0)))
        };
        let grep = self
            .grep
            .as_deref()
            .filter(|grep| !grep.trim().is_empty())
            .map(Pattern::new)
            .transpose()?
            .map(Search::new);
        Ok(Reading {
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
            partial: Partial::default(),
            counts: Counts::default(),
            zoneless: 0,
            refused: None,
            first: None,
            time: None,
            deadline: Instant::now() + within,
            call: Deadline::current(),
            late: false,
        })
    }

    /// Is only the end of the log asked for, so that nothing before it need be read?
    pub(crate) fn only_tail(&self) -> Option<u64> {
        let all = self.until.is_some()
            || self.grep.is_some()
            || self.level.is_some()
            || self.before.is_some()
            || self.digest;
        (!all).then(|| self.tail.unwrap_or(100) as u64)
    }
}

impl Reading {
    /// With all templates, also those of lines that are as usual: what is compared must not be cut.
    pub(crate) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    /// Of a log that began then, and of which only the newest file is to be had.
    pub(crate) fn begun(self, begun: Option<Timestamp>) -> Self {
        Self { begun, ..self }
    }

    /// Reads to the end, or for as long as there is time: what was read until then is told.
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

    /// A line of the file, which may be a part of one that the runtime has split.
    fn piece(&mut self, text: &str) {
        let mut partial = std::mem::take(&mut self.partial);
        partial.join(text, &mut |line| self.line(line));
        self.partial = partial;
    }

    fn line(&mut self, text: &str) {
        // A line can be slow to match, and a piece has thousands of them.
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
        // What need not be understood is not looked into.
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
            Sink::Tail(tail) => tail.add(self.counts.lines, shown(text, &line), true),
            Sink::Digest(digest) => digest.add(&line, line.time),
        }
    }

    /// A line that was not found, but may stand beside one.
    fn passed(&mut self, text: &str) {
        if let Sink::Tail(tail) = &mut self.sink
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
            // Before the first time: the beginning of the log.
            None => self.since.is_none(),
        }
    }

    /// The answer, with what was found and what was not.
    pub(crate) fn finish(mut self, mut notes: Vec<String>) -> Answer {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.finish(&mut |line| self.piece(line));
        let mut partial = std::mem::take(&mut self.partial);
        partial.finish(&mut |line| self.line(line));
        if self.late {
            notes.push(
                "the log is longer than can be read in time: this is its beginning; give since, or raise \
                 timeout_seconds"
                    .to_owned(),
            );
        }
        let Counts { lines, found, out_of_time, no_level, .. } = self.counts;
        if let Some(refused) = self.refused.filter(|_| lines == 1) {
            let if_empty = format!("the kubelet has no such log: {refused}");
            return Answer { if_empty, notes, ..Answer::default() };
        }
        let is_timed = self.since.is_some() || self.until.is_some();
        if self.zoneless > 0 && (is_timed || matches!(self.sink, Sink::Digest(_))) {
            notes.push(
                "times of this log have no zone: they are taken as UTC, which the host's zone may not be"
                    .into(),
            );
        }
        if let Some(end) = self.end {
            notes.push(format!("spans of time are counted back from {end}, the time of the log's last line"));
        }
        if splitter.cut > 0 {
            notes.push(format!(
                "{} lines are longer than 64 KiB: only their beginning was looked at",
                splitter.cut
            ));
        }
        if no_level > 0 {
            notes.push(format!("{no_level} lines give no level and were left out"));
        }
        if out_of_time > 0 && found == 0 {
            notes.push(format!("{out_of_time} of {lines} lines are outside of the time asked for"));
        }
        if let (Some(since), Some(begun), Some(first)) = (self.since, self.begun, self.first)
            && begun < since
            && since < first
        {
            notes.push(format!(
                "the first line since {since} is of {first}: what was written between, if anything, may have been \
                 rotated away"
            ));
        }
        let if_empty = match lines {
            0 if self.before < u64::MAX => format!("the log has no line before {}", self.before),
            0 => "the log is empty".to_owned(),
            n => format!("none of {n} lines is what was asked for"),
        };
        let rows = match self.sink {
            Sink::Tail(tail) => {
                let (shown, found) = (tail.found() - tail.lost(), tail.found());
                // A source that gives as many as it was asked for may have more.
                let all = self.last != Some(lines);
                if !all {
                    notes.push(format!(
                        "the last {shown} lines, and there may be more: `tail` gives more at once, `digest` all in short; \
                         grep=. reads from the beginning, and says with which `before` to go on"
                    ));
                } else if tail.lost() > 0 {
                    let first = tail.first().unwrap_or(1);
                    notes.push(format!(
                        "the last {shown} of {found} lines: before={first} gives those before, `digest` all in short, `tail` \
                         more at once as far as they fit"
                    ));
                }
                tail.into_lines().into_iter().map(Row::line).collect()
            }
            Sink::Digest(digest) => {
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
                        "{more} more templates, of lines at info or without a level, are left out: grep=. shows all"
                    ));
                }
                all.into_iter().take(digest.templates() - more).collect()
            }
        };
        Answer { rows, if_empty, notes, ..Answer::default() }
    }

    /// What became of the lines so far.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Bytes of text that are held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        match &self.sink {
            Sink::Tail(tail) => tail.held() + self.partial.held(),
            Sink::Digest(digest) => digest.held(),
        }
    }
}

/// When the last line of a log that has a time was written. None: none of the last lines has one, or the end did not come in
/// time.
pub(crate) async fn end_of(
    mut stream: LogStream,
    now: Option<Timestamp>,
    within: Duration,
) -> Option<Timestamp> {
    /// As much of the end is looked at.
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

/// The program's own line where it has a time of its own; what the kubelet or the runtime put before it says it twice.
fn shown<'a>(text: &'a str, line: &Line<'a>) -> &'a str {
    if line.own_time { line.own } else { text }
}
