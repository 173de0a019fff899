//! What a model gets: text, with evidence before it and notes after it, always bounded.

use crate::{
    Answer, Deadline, Many, NodeName, Pattern, ReadError, Row, ToolError,
    error::chain,
    evidence::{Given, Record},
    fold::{self, fold},
    sanitize::{clean, redact},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

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
    /// Is this row looked for? No row is once the time of the call is over, which [`Self::in_time`] tells.
    fn wants(&self, row: &Row) -> bool {
        let Some(grep) = &self.grep else { return !row.unasked };
        !row.unasked && !Deadline::current().is_over() && grep.is_in(&Row::shown(&row.text))
    }

    /// Fails if the time was over before so many rows were looked at.
    fn in_time(&self, rows: usize) -> Result<(), ToolError> {
        match &self.grep {
            Some(_) => Ok(Deadline::current()
                .check()
                .map_err(|_| ReadError::OutOfTime { what: format!("grep in {rows} rows") })?),
            None => Ok(()),
        }
    }

    /// Leaves the rows that are looked for.
    fn filter(&self, answer: &mut Answer) -> Result<(), ToolError> {
        let all = answer.rows.len();
        let is_long = |row: &&Row| self.grep.is_some() && Pattern::is_longer(&row.text);
        let long = answer.rows.iter().filter(is_long).count();
        answer.rows.retain(|row| self.wants(row));
        self.in_time(all)?;
        if let Some(grep) = self.grep.as_ref().filter(|_| all > 0) {
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
    /// What was asked.
    pub(crate) title: &'a str,
    /// What the source is called.
    pub(crate) source: &'a str,
    /// The evidence of the call.
    pub(crate) record: &'a Record<'a>,
}

/// What a reply of several nodes needs to know beside their answers.
#[derive(Clone, Copy)]
pub(crate) struct Several<'a> {
    /// What becomes of the answers.
    pub(crate) many: Many,
    /// The nodes that were not asked.
    pub(crate) others: &'a [NodeName],
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
    several: Several<'_>,
    mut answers: Vec<NodeAnswer>,
    page: &Page,
    budget: Budget,
) -> Result<String, ToolError> {
    if answers.len() == 1
        && let Some(mut answer) = answers.pop()
    {
        if let Ok(answer) = &mut answer.result {
            page.filter(answer)?;
        }
        return one(about, answer, page, budget);
    }
    many(about, several, answers, page, budget)
}

/// The reply to a call that the whole cluster answered.
pub(crate) fn of_cluster(
    about: About<'_>,
    mut answer: Answer,
    given: Given,
    page: &Page,
    budget: Budget,
) -> Result<String, ToolError> {
    page.filter(&mut answer)?;
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

/// So many rows of several nodes are shown although nobody looked for them, if they take no more than so many bytes.
const FEW: (usize, usize) = (3, 1_000);

fn many(
    about: About<'_>,
    several: Several<'_>,
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
    let is_compared = !matches!(several.many, Many::Each { .. });
    let of = if is_compared {
        format!(" compared on {asked} nodes")
    } else {
        format!(" of each of {asked} nodes")
    };
    let named = format!("{of} ({})", names.join(", "));
    let mut given: Vec<Given> = answers.iter_mut().map(|from| std::mem::take(&mut from.given)).collect();
    let before = about.record.keep(&mut given);
    let mut head = about.line(if named.len() > NAMED { &of } else { &named }, &given);
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
    let not = if is_compared { " and is not compared" } else { "" };
    let lost = failed.iter().map(|(node, e)| format!("{node} gave no answer{not}: {}", chain(e)));
    let mut notes: Vec<String> = lost.collect();
    notes.extend(said.into_iter().map(|(note, nodes)| match nodes.len() {
        n if n == asked => format!("on all nodes: {note}"),
        _ => format!("{}: {note}", nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")),
    }));
    notes.extend(about.record.said_before(before));
    let (rows, empty) = match (several.many, good.as_slice()) {
        (Many::Each { because }, _) => {
            _ = writeln!(head, "not compared, because {because}");
            (each(good, page, budget)?, String::new())
        }
        (_, [(node, _)]) => {
            _ = writeln!(head, "not compared, because only {node} gave an answer; this is what it has");
            (each(good, page, budget)?, String::new())
        }
        _ => {
            let (verdict, rows, empty) = compared(&good, several.others, page, budget)?;
            head += &verdict;
            (rows, empty)
        }
    };
    Ok(assemble(&head, &rows, &empty, notes, page, budget))
}

/// What a comparison found: in a few lines, in rows, and what is said if no row is shown.
fn compared(
    good: &[(NodeName, Answer)],
    others: &[NodeName],
    page: &Page,
    budget: Budget,
) -> Result<(String, Vec<Row>, String), ToolError> {
    let folded = fold(good, others, |row| page.wants(row));
    page.in_time(folded.rows)?;
    let (differ, same, own) = (folded.differences.len(), folded.same.len(), folded.own.len());
    let mut head = String::new();
    let hidden: Vec<String> = folded.hidden.iter().map(|name| format!("{name} (redacted)")).collect();
    let not_compared = good.iter().flat_map(|(_, answer)| &answer.not_compared).chain(&hidden);
    let not_compared: BTreeSet<&str> = not_compared.map(String::as_str).collect();
    let not_compared: Vec<&str> = not_compared.into_iter().collect();
    if differ + same + own == 0 {
        let empty = match &page.grep {
            Some(grep) if folded.rows > 0 => format!(
                "no row matches on any node: grep={} looks at what is shown, of {}",
                grep.as_str(),
                fold::count(folded.rows)
            ),
            _ => nothing(good),
        };
        return Ok((head, Vec::new(), empty));
    }
    let is_filtered =
        page.grep.is_some() || good.iter().flat_map(|(_, answer)| &answer.rows).any(|row| row.unasked);
    let bytes = folded.same.iter().chain(&folded.own).map(|kept| kept.rows.len()).sum::<usize>();
    let shown = is_filtered || (same + own <= FEW.0 && bytes <= FEW.1);
    let named = |of: &[fold::Kept]| if shown { String::new() } else { format!(": {}", fold::keys(of)) };
    if differ > 0 {
        _ = write!(head, "different: {}; ", fold::count(differ));
    }
    _ = writeln!(head, "compared and equal: {}{}", fold::count(same), named(&folded.same));
    if own > 0 {
        _ = writeln!(head, "of one node only, as expected: {}{}", fold::count(own), named(&folded.own));
    }
    if !not_compared.is_empty() {
        _ = writeln!(head, "not compared: {}", not_compared.join("; "));
    }
    // The rows behind the differences take half of the room at most: the next page has the differences that follow.
    let mut room = budget.bytes / 2;
    let mut rows: Vec<Row> = Vec::new();
    for difference in folded.differences {
        let mut text = difference.text;
        if let Some(left) = room.checked_sub(difference.rows.len()) {
            (room, text) = (left, text + &difference.rows);
        }
        rows.push(Row::line(text));
    }
    if shown {
        let mut add = |heading: String, of: Vec<fold::Kept>| {
            let heading: Arc<str> = heading.into();
            rows.extend(of.into_iter().map(|kept| Row::line(kept.rows).under(&heading)));
        };
        add("of one node only, as expected:".into(), folded.own);
        add(format!("the same on all {} nodes:", good.len()), folded.same);
    }
    let empty = match (same, not_compared.is_empty()) {
        (0, _) => "nothing to compare: no row should be on more than one node",
        (_, true) => "no difference",
        (_, false) => "no difference in what is compared",
    };
    Ok((head, rows, empty.to_owned()))
}

/// What is said if no node has a row: once if all say the same.
fn nothing(good: &[(NodeName, Answer)]) -> String {
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (node, answer) in good {
        said.entry(&answer.if_empty).or_default().push(node.as_str());
    }
    let told: Vec<String> = match said.len() {
        1 => said.into_keys().map(str::to_owned).collect(),
        _ => said.into_iter().map(|(why, nodes)| format!("{} ({})", why, nodes.join(", "))).collect(),
    };
    format!("no row matches on any node: {}", told.join("; "))
}

/// The rows of each node under its name. Each has its share of the room, unless a page is asked for.
fn each(good: Vec<(NodeName, Answer)>, page: &Page, budget: Budget) -> Result<Vec<Row>, ToolError> {
    let nodes = good.len().max(1);
    let is_paged = page.limit.is_some() || page.offset > 0;
    let mut rows = Vec::new();
    for (node, mut answer) in good {
        page.filter(&mut answer)?;
        let heading = |of: Option<&str>| -> Arc<str> {
            of.map_or_else(|| format!("{node}:"), |of| format!("{node}: {of}")).into()
        };
        let all = answer.rows.len();
        if all == 0 {
            rows.push(Row::line(format!("  {}", answer.if_empty)).under(&heading(None)));
        }
        let (mut bytes, mut lines) = (budget.bytes * 3 / 4 / nodes, (budget.lines / nodes).saturating_sub(2));
        for (nth, row) in answer.rows.into_iter().enumerate() {
            let heading = heading(row.heading.as_deref());
            let fits = bytes.checked_sub(row.text.len()).zip(lines.checked_sub(row.text.lines().count()));
            match fits {
                Some(left) => (bytes, lines) = left,
                None if is_paged || nth == 0 => {}
                None => {
                    let more = format!("  … {} more: node_name={node} gives them", fold::count(all - nth));
                    rows.push(Row::line(more).under(&heading));
                    break;
                }
            }
            rows.push(row.under(&heading));
        }
    }
    Ok(rows)
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
mod tests;
