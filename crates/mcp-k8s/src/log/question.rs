//! What is asked of a log, and the reading of it.

use super::{
    digest::Digest,
    lines::{Level, Line},
    search::Search,
    split::Splitter,
    time::Calendar,
    window::Tail,
};
use jiff::Timestamp;
use mcp_core::{Answer, Budget, Deadline, LogStream, Pattern, Row, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// Which lines of a log: what all tools for logs take.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LogParams {
    /// From this time on: 2026-11-22T08:00:00Z, or how long before the end: 15m, 2h.
    since: Option<String>,
    /// Up to this time.
    until: Option<String>,
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
    counts: Counts,
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
    /// Begins to read. `now` is what spans of time are counted back from.
    pub(crate) fn reading(
        &self,
        now: Option<Timestamp>,
        budget: Budget,
        within: Duration,
    ) -> Result<Reading, ToolError> {
        /// Left for the first line and the notes.
        const REST: usize = 2_500;
        let calendar = Calendar(now);
        let time = |name, text: &Option<String>| {
            text.as_deref().filter(|t| !t.trim().is_empty()).map(|text| calendar.read(name, text)).transpose()
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
            let lines = tail.min(budget.lines.saturating_sub(4).max(1));
            Sink::Tail(Tail::new(lines, budget.bytes.saturating_sub(REST), self.context.unwrap_or(0)))
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
            last: self.only_tail(),
            begun: None,
            grep,
            level: self.level,
            context: self.context.unwrap_or(0),
            whole: false,
            sink,
            splitter: Splitter::default(),
            counts: Counts::default(),
            first: None,
            time: None,
            deadline: Instant::now() + within,
            call: Deadline::current(),
            late: false,
        })
    }

    /// Is only the end of the log asked for, so that nothing before it need be read?
    pub(crate) fn only_tail(&self) -> Option<u64> {
        let all = self.until.is_some() || self.grep.is_some() || self.level.is_some() || self.digest;
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
        splitter.feed(bytes, &mut |line| self.line(line));
        self.splitter = splitter;
    }

    fn line(&mut self, text: &str) {
        // A line can be slow to match, and a piece has thousands of them.
        self.late = self.late || Instant::now() >= self.deadline || self.call.is_over();
        if self.late {
            return;
        }
        self.counts.lines += 1;
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
        splitter.finish(&mut |line| self.line(line));
        if self.late {
            notes.push(
                "the log is longer than can be read in time: this is its beginning; give since, or raise \
                 timeout_seconds"
                    .to_owned(),
            );
        }
        let Counts { lines, found, out_of_time, no_level, .. } = self.counts;
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
            0 => "the log is empty".to_owned(),
            n => format!("none of {n} lines is what was asked for"),
        };
        let rows = match self.sink {
            Sink::Tail(tail) => {
                let (shown, found) = (tail.found() - tail.lost(), tail.found());
                // A source that gives as many as it was asked for may have more.
                let all = self.last != Some(lines);
                if tail.lost() > 0 || !all {
                    let of = if all {
                        format!(" of {found} lines")
                    } else {
                        " lines, and there may be more".into()
                    };
                    notes.push(format!(
                        "the last {shown}{of}: `until` the first time shown gives those before, `digest` all in short, \
                         `tail` more at once as far as they fit"
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
        Answer { rows, if_empty, notes, facts: Vec::new() }
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
            Sink::Tail(tail) => tail.held(),
            Sink::Digest(digest) => digest.held(),
        }
    }
}

/// The program's own line where it has a time of its own; what the kubelet or the runtime put before it says it twice.
fn shown<'a>(text: &'a str, line: &Line<'a>) -> &'a str {
    if line.own_time { line.own } else { text }
}
