//! What a model gets: text, with evidence before it and notes after it, always bounded.

use crate::{
    Answer, Deadline, NodeName, Pattern, ReadError, Row, ToolError,
    error::chain,
    evidence::{Given, Record},
    fold::fold,
    sanitize::{clean, redact},
};
use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

/// What a call may take of a model's context.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Lines of rows.
    pub lines: usize,
    /// Bytes of the whole reply.
    pub bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { lines: 400, bytes: 24_000 }
    }
}

/// Which rows of an answer to give.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) grep: Option<Pattern>,
    pub(crate) offset: usize,
    pub(crate) limit: Option<usize>,
}

impl Page {
    /// Leaves the rows that match.
    fn grep(&self, answer: &mut Answer) -> Result<(), ToolError> {
        let Some(grep) = &self.grep else { return Ok(()) };
        let (deadline, all, mut long) = (Deadline::current(), answer.rows.len(), 0);
        answer.rows.retain(|row| {
            if deadline.is_over() {
                return false;
            }
            let shown = Row::shown(&row.text);
            long += usize::from(Pattern::is_longer(&shown));
            grep.is_in(&shown)
        });
        deadline.check().map_err(|_| ReadError::OutOfTime { what: format!("grep in {all} rows") })?;
        if all > 0 {
            answer.if_empty =
                format!("no row of {all} matches grep={}, which looks at what is shown", grep.as_str());
        }
        if long > 0 {
            let most = Pattern::LOOKED_AT;
            answer
                .notes
                .push(format!("grep looked at the first {most} bytes only of {long} rows that are longer"));
        }
        Ok(())
    }
}

impl Row {
    /// What a reply shows of a text. What is looked for is looked for here: where it is found must not tell what a secret
    /// is, and not even which guess at it is right.
    pub fn shown(text: &str) -> Cow<'_, str> {
        // ASCII's control characters stand in no secret's way, and nearly all logs are ASCII: no copy for them.
        if text.is_ascii() { redact(text) } else { Cow::Owned(clean(text)) }
    }
}

/// What one node gave.
pub(crate) struct NodeAnswer {
    pub(crate) node: NodeName,
    /// What the answer is of, in words: the node, or a pod on it.
    pub(crate) subject: String,
    pub(crate) result: Result<Answer, ToolError>,
    pub(crate) given: Given,
}

/// What a reply is about.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) title: &'a str,
    pub(crate) source: &'a str,
    pub(crate) record: &'a Record<'a>,
}

impl About<'_> {
    /// The first line.
    fn line(&self, of: &str, given: &[Given]) -> String {
        self.record.first_line(self.title, of, self.source, given) + "\n"
    }
}

/// The reply to a call that was answered by one node, or by several.
pub(crate) fn of_nodes(
    about: About<'_>,
    mut answers: Vec<NodeAnswer>,
    page: &Page,
    budget: Budget,
) -> Result<String, ToolError> {
    for answer in answers.iter_mut().filter_map(|answer| answer.result.as_mut().ok()) {
        page.grep(answer)?;
    }
    if answers.len() == 1
        && let Some(answer) = answers.pop()
    {
        return one(about, answer, page, budget);
    }
    many(about, answers, page, budget)
}

/// The reply to a call that the whole cluster answered.
pub(crate) fn of_cluster(
    about: About<'_>,
    mut answer: Answer,
    given: Given,
    page: &Page,
    budget: Budget,
) -> Result<String, ToolError> {
    page.grep(&mut answer)?;
    Ok(alone(about, "", answer, given, page, budget))
}

fn one(about: About<'_>, from: NodeAnswer, page: &Page, budget: Budget) -> Result<String, ToolError> {
    let of = format!(" of {}", from.subject);
    Ok(alone(about, &of, from.result?, from.given, page, budget))
}

/// The reply that is made of one answer.
fn alone(
    about: About<'_>,
    of: &str,
    answer: Answer,
    mut given: Given,
    page: &Page,
    budget: Budget,
) -> String {
    let before = about.record.keep(std::slice::from_mut(&mut given));
    let head = about.line(of, std::slice::from_ref(&given));
    let notes = given.notes.into_iter().chain(answer.notes).chain(about.record.said_before(before));
    assemble(&head, &answer.rows, &answer.if_empty, notes.collect(), page, budget)
}

/// The names of so many bytes of nodes fit in the first line; the evidence has all of them.
const NAMED: usize = 64;

fn many(
    about: About<'_>,
    mut answers: Vec<NodeAnswer>,
    page: &Page,
    budget: Budget,
) -> Result<String, ToolError> {
    let asked = answers.len();
    let mut said: BTreeMap<String, Vec<NodeName>> = BTreeMap::new();
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    if answers.iter().all(|from| from.result.is_err()) {
        let failed = answers.into_iter().filter_map(|from| Some((from.node, from.result.err()?)));
        return Err(ToolError::all_failed(failed.collect()));
    }
    let names: Vec<&str> = answers.iter().map(|from| from.node.as_str()).collect();
    let compared = format!(" compared on {asked} nodes");
    let named = format!("{compared} ({})", names.join(", "));
    let mut given: Vec<Given> = answers.iter_mut().map(|from| std::mem::take(&mut from.given)).collect();
    let before = about.record.keep(&mut given);
    let mut head = about.line(if named.len() > NAMED { &compared } else { &named }, &given);
    for (mut from, given) in answers.into_iter().zip(given) {
        let mut notes = given.notes;
        if let Ok(answer) = &mut from.result {
            notes.append(&mut answer.notes);
        }
        for note in notes {
            said.entry(note).or_default().push(from.node.clone());
        }
        match from.result {
            Ok(mut answer) => {
                // Before several rows become one line: a secret may be known by standing where a line begins.
                answer.rows.iter_mut().for_each(without_secrets);
                good.push((from.node, answer));
            }
            Err(e) => failed.push((from.node, e)),
        }
    }
    let lost =
        failed.iter().map(|(node, e)| format!("{node} gave no answer and is not compared: {}", chain(e)));
    let mut notes: Vec<String> = lost.collect();
    notes.extend(said.into_iter().map(|(note, nodes)| match nodes.len() {
        n if n == asked => format!("on all nodes: {note}"),
        _ => format!("{}: {note}", nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")),
    }));
    notes.extend(about.record.said_before(before));
    let folded = fold(&good);
    let rows: Vec<Row> = folded.differences.into_iter().map(Row::line).collect();
    for line in folded.summary {
        _ = writeln!(head, "{line}");
    }
    Ok(assemble(&head, &rows, "no difference", notes, page, budget))
}

fn without_secrets(row: &mut Row) {
    let hide = |text: &mut String| {
        if let Cow::Owned(shown) = redact(text) {
            *text = shown;
        }
    };
    hide(&mut row.text);
    if let Some(identity) = &mut row.identity {
        hide(&mut identity.key);
        identity.fields.iter_mut().flat_map(|field| &mut field.values).for_each(hide);
    }
}

/// Puts a reply together, cut to the page and the budget; what was cut is said.
fn assemble(
    head: &str,
    rows: &[Row],
    empty: &str,
    notes: Vec<String>,
    page: &Page,
    budget: Budget,
) -> String {
    /// Left for the notes that say what was cut.
    const RESERVED: usize = 400;
    let mut text = clean(head);
    let mut tail = String::new();
    for note in notes {
        _ = writeln!(tail, "note: {}", clean(&note));
    }
    let room = budget.bytes.saturating_sub(text.len() + tail.len().min(budget.bytes / 4) + RESERVED);
    let (total, limit) = (rows.len(), page.limit.unwrap_or(usize::MAX));
    let (mut body, mut lines, mut shown) = (String::new(), 0, 0);
    let mut under = None;
    for row in rows.iter().skip(page.offset).take(limit) {
        let heading = row.heading.as_deref().filter(|heading| under != Some(*heading));
        under = row.heading.as_deref();
        let row = heading.map(|heading| clean(heading) + "\n").unwrap_or_default() + &clean(&row.text);
        let row_lines = row.lines().count().max(1);
        if shown > 0 && (body.len() + row.len() > room || lines + row_lines > budget.lines) {
            break;
        }
        if body.len() + row.len() > room || lines + row_lines > budget.lines {
            // One row that does not fit: its beginning is better than nothing.
            body += &cut(&row, room, budget.lines);
            _ = writeln!(body, "\nnote: this row is cut: it has {} bytes; ask for fewer columns", row.len());
        } else {
            body += &row;
            body += "\n";
        }
        lines += row_lines;
        shown += 1;
    }
    text += &body;
    if total == 0 && !empty.is_empty() {
        _ = writeln!(text, "{empty}");
    } else if total > 0 && page.offset >= total {
        _ = writeln!(text, "note: offset={} is past the end: there are {total} rows", page.offset);
    } else if shown < total {
        let next = page.offset + shown;
        _ = write!(text, "note: rows {} to {next} of {total}", page.offset + 1);
        text += &if next < total { format!("; offset={next} gives the next\n") } else { "\n".into() };
    }
    if tail.len() > budget.bytes / 4 {
        let cut = cut(&tail, budget.bytes / 4, usize::MAX);
        _ = writeln!(text, "{cut}\nnote: further notes are cut");
    } else {
        text += &tail;
    }
    text
}

/// The beginning of a text, in whole characters.
fn cut(text: &str, bytes: usize, lines: usize) -> String {
    let by_lines = text.match_indices('\n').nth(lines.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let mut end = bytes.min(by_lines).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, evidence::Evidence};

    fn node_answer(name: &str, answer: Answer) -> NodeAnswer {
        let origins = vec![Origin::new("file", "2026-11-22T08:35:03Z".parse().ok())];
        NodeAnswer {
            node: name.parse().unwrap(),
            subject: name.into(),
            result: Ok(answer),
            given: Given { node: Some(name.into()), origins, notes: Vec::new() },
        }
    }

    fn rows(n: usize) -> Answer {
        Answer { rows: (0..n).map(|i| Row::line(format!("row {i}"))).collect(), ..Answer::default() }
    }

    fn page(offset: usize, limit: Option<usize>) -> Page {
        Page { grep: None, offset, limit }
    }

    fn reply(answers: Vec<NodeAnswer>, page: &Page, budget: Budget) -> Result<String, ToolError> {
        let evidence = Evidence::new("mcp-test");
        let record = evidence.record("rows", &serde_json::Map::new());
        of_nodes(About { title: "rows", source: "source", record: &record }, answers, page, budget)
    }

    fn text(answer: Answer, page: &Page, budget: Budget) -> String {
        reply(vec![node_answer("n", answer)], page, budget).unwrap()
    }

    #[test]
    fn the_first_line_says_what_was_read_and_the_last_what_was_cut() {
        let text = text(rows(5), &page(1, Some(2)), Budget::default());
        assert_eq!(
            text,
            "# rows of n, from source, 2026-11-22T08:35:03Z; evidence://mcp-test/e2631532\nrow 1\nrow 2\nnote: rows 2 to 3 of 5; offset=3 gives the next\n"
        );
    }

    #[test]
    fn every_answer_is_bounded_and_every_row_can_be_had() {
        let budget = Budget { lines: 400, bytes: 2_000 };
        let (mut offset, mut seen) = (0, 0);
        while offset < 1000 {
            let text = text(rows(1000), &page(offset, None), budget);
            assert!(text.len() <= budget.bytes, "{}", text.len());
            let shown = text.lines().filter(|line| line.starts_with("row ")).count();
            assert!(shown > 0);
            (offset, seen) = (offset + shown, seen + shown);
        }
        assert_eq!(seen, 1000);
        let lines = text(rows(1000), &page(0, None), Budget::default())
            .lines()
            .filter(|l| l.starts_with("row "))
            .count();
        assert_eq!(lines, 400);
    }

    #[test]
    fn a_row_larger_than_the_budget_is_cut_and_said_to_be() {
        let answer =
            Answer { rows: vec![Row::line("é".repeat(5_000)), Row::line("next")], ..Answer::default() };
        let text = text(answer, &page(0, None), Budget { lines: 400, bytes: 2_000 });
        assert!(text.len() <= 2_000, "{}", text.len());
        assert!(text.contains("note: this row is cut: it has 10000 bytes"), "{text}");
        assert!(text.contains("rows 1 to 1 of 2; offset=1"), "{text}");
    }

    #[test]
    fn empty_past_the_end_and_filtered_away_are_three_answers() {
        let empty = Answer { if_empty: "table X is empty".into(), ..Answer::default() };
        assert!(text(empty, &page(0, None), Budget::default()).ends_with("table X is empty\n"));
        assert!(
            text(rows(3), &page(7, None), Budget::default())
                .ends_with("note: offset=7 is past the end: there are 3 rows\n")
        );
        let grep = Page { grep: Pattern::new("absent").ok(), ..Page::default() };
        let answer = Answer { if_empty: "table X is empty".into(), ..rows(3) };
        assert!(
            text(answer, &grep, Budget::default())
                .ends_with("no row of 3 matches grep=absent, which looks at what is shown\n")
        );
    }

    #[test]
    fn a_search_sees_no_secret() {
        let found = |grep: &str| {
            let grep = Page { grep: Pattern::new(grep).ok(), ..Page::default() };
            let rows = vec![Row::line("options: {psk=hunter2}")];
            !text(Answer { rows, ..Answer::default() }, &grep, Budget::default())
                .contains("no row of 1 matches")
        };
        assert!(found("psk"));
        assert!(!found("hunter"));
        let (right, wrong) = (r"psk=(hunter2|\[redacted)", r"psk=(hunter3|\[redacted)");
        assert_eq!(found(right), found(wrong));
    }

    #[test]
    fn a_node_that_fails_is_named_and_the_others_are_compared() {
        let mut answers: Vec<NodeAnswer> = ["a", "b", "c"].map(|name| node_answer(name, rows(2))).into();
        answers[1].result = Err(ToolError::bad("it is broken", "mend it"));
        answers[0].given.notes.push("odd".into());
        let text = reply(answers, &Page::default(), Budget::default()).unwrap();
        assert!(text.contains("the same on all 2 nodes: 2 rows: row 0; row 1\nno difference\n"), "{text}");
        assert!(
            text.contains("note: b gave no answer and is not compared: it is broken\nnote: a: odd\n"),
            "{text}"
        );
        let failed = ["a", "b"].map(|name| NodeAnswer {
            result: Err(ToolError::bad(format!("{name} is broken"), "mend it")),
            ..node_answer(name, rows(0))
        });
        let error = reply(failed.into(), &Page::default(), Budget::default()).unwrap_err();
        assert!(error.report().starts_with(
            "error: none of the 2 nodes gave an answer\n  a: a is broken\n  b: b is broken\nhint: "
        ));
    }
}
