//! DNS questions and their answers.

use std::collections::BTreeMap;

use super::pending::{Pending, SECOND};
use super::table::Scope;
use crate::{
    frame::Dns,
    tuple::{End, Tuple},
};

/// The different questions that are listed; further ones are counted.
const CASES: usize = 1_000;

/// What the DNS messages over UDP of a capture say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsReport {
    /// Questions, each time that they were asked.
    pub questions: u64,
    /// Questions that were asked again with the same identifier before an answer came.
    pub repeated: u64,
    /// Answers to questions of the capture.
    pub answers: u64,
    /// Answers whose questions the capture lacks.
    pub answers_without_question: u64,
    /// Questions that came so late that their answers may have come after the capture: within a second before its end.
    pub pending: u64,
    /// Questions to a group of hosts (mDNS), which need no answer.
    pub group: u64,
    /// Questions that found the table of open questions full, so that their answers are unknown.
    pub untracked: u64,
    /// The longest time in nanoseconds from a question to its answer.
    pub slowest: u64,
    /// Questions without an answer, at most 1,000 different ones.
    pub unanswered: Vec<DnsCase>,
    /// Answers with an error code, at most 1,000 different ones.
    pub errors: Vec<DnsCase>,
    /// Further cases, which the lists have no room for.
    pub unlisted: u64,
}

/// Equal DNS questions with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsCase {
    /// The point of the capture.
    pub point: usize,
    /// The host that asks.
    pub client: std::net::IpAddr,
    /// The server that it asks.
    pub server: End,
    /// The name, if the message could be read so far.
    pub name: Option<String>,
    /// The type: 1 is A, 28 is AAAA.
    pub kind: Option<u16>,
    /// The response code: 2 is SERVFAIL, 3 is NXDOMAIN. `None` if no answer came.
    pub code: Option<u8>,
    /// The number of questions.
    pub count: u64,
    /// The time of the first question in nanoseconds since 1970.
    pub first: u64,
    /// The time in nanoseconds from the first question to the end of the capture, if no answer came.
    pub waited: u64,
}

type Key = (Scope, End, End, u16);
type Case = (usize, std::net::IpAddr, End, Option<(String, u16)>, Option<u8>);

struct Question {
    text: Option<(String, u16)>,
    times: u64,
}

/// Joins questions and answers.
pub(super) struct DnsState {
    report: DnsReport,
    pending: Pending<Key, Question>,
    /// The cases, with their counts and first times.
    cases: BTreeMap<Case, (u64, u64)>,
}

impl DnsState {
    pub(super) fn new(limit: usize) -> Self {
        Self { report: DnsReport::default(), pending: Pending::new(limit), cases: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, nanos: u64, scope: Scope, tuple: Tuple, group: bool, dns: &Dns) {
        let report = &mut self.report;
        if dns.answer {
            let key = (scope, tuple.destination, tuple.source, dns.id);
            let Some((asked, question)) = self.pending.remove(&key) else {
                report.answers_without_question += 1;
                return;
            };
            report.answers += 1;
            report.slowest = report.slowest.max(nanos.saturating_sub(asked));
            if dns.code != 0 {
                self.count(&key, asked, question, Some(dns.code));
            }
            return;
        }
        report.questions += 1;
        if group {
            report.group += 1;
            return;
        }
        let key = (scope, tuple.source, tuple.destination, dns.id);
        if let Some((_, question)) = self.pending.get_mut(&key)
            && question.text == dns.question
        {
            question.times += 1;
            report.repeated += 1;
            return;
        }
        // The client uses the identifier again, so it no longer waits for the answer to the old question.
        if let Some((asked, question)) = self.pending.remove(&key) {
            self.count(&key, asked, question, None);
        }
        let expired = self.pending.insert(nanos, key, Question { text: dns.question.clone(), times: 1 });
        for (key, asked, question) in expired {
            self.count(&key, asked, question, None);
        }
    }

    fn count(&mut self, key: &Key, asked: u64, question: Question, code: Option<u8>) {
        let (scope, client, server, _) = key;
        let case = (scope.point, client.address, *server, question.text, code);
        let times = if code.is_some() { 1 } else { question.times };
        if self.cases.len() >= CASES && !self.cases.contains_key(&case) {
            self.report.unlisted += times;
            return;
        }
        let entry = self.cases.entry(case).or_insert((0, asked));
        entry.0 += times;
        entry.1 = entry.1.min(asked);
    }

    /// Ends the joining. `end` returns the time of the last frame of a point.
    pub(super) fn finish(mut self, end: impl Fn(usize) -> u64) -> DnsReport {
        let pending = std::mem::replace(&mut self.pending, Pending::new(0));
        self.report.untracked = pending.untracked;
        for (key, asked, question) in pending.into_sorted() {
            if end(key.0.point).saturating_sub(asked) < SECOND && question.times == 1 {
                self.report.pending += 1;
            } else {
                self.count(&key, asked, question, None);
            }
        }
        for ((point, client, server, question, code), (count, first)) in self.cases {
            let (name, kind) = question.unzip();
            let waited = if code.is_some() { 0 } else { end(point).saturating_sub(first) };
            let case = DnsCase { point, client, server, name, kind, code, count, first, waited };
            if code.is_some() { self.report.errors.push(case) } else { self.report.unanswered.push(case) }
        }
        self.report.unanswered.sort_by_key(|case| std::cmp::Reverse(case.count));
        self.report.errors.sort_by_key(|case| std::cmp::Reverse(case.count));
        self.report
    }
}
