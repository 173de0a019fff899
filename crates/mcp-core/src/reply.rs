//! The reply that a model gets: the evidence line, the rows and the notes, always within a budget.

use crate::{
    Answer, Deadline, Many, NodeName, Pattern, Row, ToolError,
    error::chain,
    evidence::{CallEvidence, NodeEvidence},
    fold::{self, fold},
    sanitize::{clean, redact},
};
use assemble::Parts;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

/// The maximum size of a reply.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The number of lines of rows.
    pub lines: usize,
    /// The size of the whole reply in bytes.
    pub bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { lines: 400, bytes: 24_000 }
    }
}

/// The form of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyForm {
    /// The text that models and people read.
    #[default]
    Text,
    /// One JSON document, for scripts.
    Json,
}

/// The rows of an answer that the call wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) grep: Option<Pattern>,
    pub(crate) offset: usize,
    pub(crate) limit: Option<usize>,
}

impl Page {
    /// Whether the call wants this row. After the time of the call is over, it wants no row, and [`Self::in_time`]
    /// reports that.
    fn wants(&self, row: &Row) -> bool {
        let Some(grep) = &self.grep else { return !row.unasked };
        !row.unasked && !Deadline::current().is_over() && grep.is_in(&Row::shown(&row.text))
    }

    /// Returns an error if the time of the call was over before `rows` rows were searched.
    fn in_time(&self, rows: usize) -> Result<(), ToolError> {
        match &self.grep {
            Some(_) => Ok(Deadline::current()
                .check()
                .map_err(|over| over.stopped(format!("grep in {rows} rows")))?),
            None => Ok(()),
        }
    }

    /// Removes the rows that the call does not want.
    fn filter(&self, answer: &mut Answer) -> Result<(), ToolError> {
        let all = answer.rows.len();
        let is_long = |row: &&Row| self.grep.is_some() && Pattern::is_longer(&row.text);
        let long = answer.rows.iter().filter(is_long).count();
        let headings = |answer: &Answer| -> BTreeSet<Arc<str>> {
            answer.rows.iter().filter_map(|row| row.heading.clone()).collect()
        };
        let before = self.grep.as_ref().map(|_| headings(answer)).unwrap_or_default();
        answer.rows.retain(|row| self.wants(row));
        self.in_time(all)?;
        let after = headings(answer);
        let without: Vec<&str> = before.difference(&after).map(|heading| title(heading)).collect();
        if let (Some(grep), false, false) = (&self.grep, answer.rows.is_empty(), without.is_empty()) {
            answer.notes.push(format!("grep={} matches no row under {}", grep.as_str(), some(&without)));
        }
        if let Some(grep) = self.grep.as_ref().filter(|_| all > 0) {
            answer.if_empty = format!(
                "none of the {all} rows matches grep={}; grep searches the text that is shown",
                grep.as_str()
            );
        }
        if long > 0 {
            let most = Pattern::LOOKED_AT;
            answer
                .notes
                .push(format!("grep searched only the first {most} bytes of {long} rows that are longer"));
        }
        Ok(())
    }
}

/// Returns the first line of a heading without its colon.
fn title(heading: &str) -> &str {
    heading.lines().next().unwrap_or_default().trim_end_matches(':')
}

/// Lists a few names: `a, b`, or `a, b, c and 4 more`.
fn some(names: &[&str]) -> String {
    const NAMED: usize = 5;
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl Row {
    /// Returns the text as a reply shows it, with secrets redacted. Searches must use this text: otherwise a match
    /// would reveal a secret, or confirm a guess.
    pub fn shown(text: &str) -> Cow<'_, str> {
        // ASCII control characters do not interrupt a secret, and nearly all logs are ASCII, so such texts are not
        // copied.
        if text.is_ascii() { redact(text) } else { Cow::Owned(clean(text)) }
    }
}

/// The answer of one node.
pub(crate) struct NodeAnswer {
    pub(crate) node: NodeName,
    /// What the answer is about, as the end of its title: `on node-1`, or `of pod shop/web-1 on node-1`.
    pub(crate) subject: String,
    pub(crate) result: Result<Answer, ToolError>,
    pub(crate) given: NodeEvidence,
}

/// The description of a reply for its first line.
#[derive(Clone, Copy)]
pub(crate) struct ReplyHeader<'a> {
    /// The title of the call.
    pub(crate) title: &'a str,
    /// The name of the source.
    pub(crate) source: &'a str,
    /// The evidence of the call.
    pub(crate) record: &'a CallEvidence<'a>,
    /// The form of the reply.
    pub(crate) form: ReplyForm,
}

/// The context of a reply about several nodes.
#[derive(Clone, Copy)]
pub(crate) struct ComparisonContext<'a> {
    /// What happens with the answers.
    pub(crate) many: Many,
    /// The other nodes of the source, which the call did not read.
    pub(crate) others: &'a [NodeName],
}

impl ReplyHeader<'_> {
    /// Returns the first line.
    fn line(&self, of: &str, given: &[NodeEvidence]) -> String {
        self.record.first_line(self.title, of, self.source, given) + "\n"
    }
}

/// Returns the reply to a call about one node or several nodes.
pub(crate) fn of_nodes(
    about: ReplyHeader<'_>,
    several: ComparisonContext<'_>,
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

/// Returns the reply to a call about the whole cluster.
pub(crate) fn of_cluster(
    about: ReplyHeader<'_>,
    mut answer: Answer,
    given: NodeEvidence,
    page: &Page,
    budget: Budget,
) -> Result<String, ToolError> {
    page.filter(&mut answer)?;
    Ok(alone(about, "", answer, given, page, budget))
}

fn one(about: ReplyHeader<'_>, from: NodeAnswer, page: &Page, budget: Budget) -> Result<String, ToolError> {
    let of = format!(" {}", from.subject);
    Ok(alone(about, &of, from.result?, from.given, page, budget))
}

/// Returns the reply that is made of one answer.
fn alone(
    about: ReplyHeader<'_>,
    of: &str,
    answer: Answer,
    mut given: NodeEvidence,
    page: &Page,
    budget: Budget,
) -> String {
    let before = about.record.keep(std::slice::from_mut(&mut given));
    let head = about.line(of, std::slice::from_ref(&given));
    let notes = given.notes.into_iter().chain(answer.notes).chain(about.record.said_before(before)).collect();
    let (rows, empty, objects) = (&answer.rows, &*answer.if_empty, answer.objects);
    Parts { head: &head, rows, empty, objects, notes }.assemble(about.form, page, budget)
}

/// The maximum size in bytes of the node names in the first line. The evidence has all names.
const MAX_NAMES: usize = 64;

/// The number of rows and of bytes up to which equal rows are shown in full without a filter.
const SHOWN_IN_FULL: (usize, usize) = (3, 1_000);

fn many(
    about: ReplyHeader<'_>,
    several: ComparisonContext<'_>,
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
        format!(" on each of {asked} nodes")
    };
    let named = format!("{of} ({})", names.join(", "));
    let mut given: Vec<NodeEvidence> =
        answers.iter_mut().map(|from| std::mem::take(&mut from.given)).collect();
    let before = about.record.keep(&mut given);
    let mut head = about.line(if named.len() > MAX_NAMES { &of } else { &named }, &given);
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
                // Redact before rows are joined into one line: some secrets are recognised at the start of a line.
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
            _ = writeln!(head, "not compared, because only {node} answered; its rows follow");
            (each(good, page, budget)?, String::new())
        }
        _ => {
            let (verdict, rows, empty) = compared(&good, several.others, page, budget)?;
            head += &verdict;
            (rows, empty)
        }
    };
    let parts = Parts { head: &head, rows: &rows, empty: &empty, objects: false, notes };
    Ok(parts.assemble(about.form, page, budget))
}

/// Compares the answers. It returns the summary lines, the rows, and the text that is shown if there is no row.
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
                "no row matches on any node: grep={} searched the shown text of {}",
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
    let shown = is_filtered || (same + own <= SHOWN_IN_FULL.0 && bytes <= SHOWN_IN_FULL.1);
    let named = |of: &[fold::FoldedRow]| if shown { String::new() } else { format!(": {}", fold::keys(of)) };
    if differ > 0 {
        _ = write!(head, "different: {}; ", fold::count(differ));
    }
    _ = writeln!(head, "compared and equal: {}{}", fold::count(same), named(&folded.same));
    if own > 0 {
        _ = writeln!(head, "on one node only, by design: {}{}", fold::count(own), named(&folded.own));
    }
    if !not_compared.is_empty() {
        _ = writeln!(head, "not compared: {}", not_compared.join("; "));
    }
    // The rows behind the differences take at most half of the room. The next page has the differences that follow.
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
        let mut add = |heading: String, of: Vec<fold::FoldedRow>| {
            let heading: Arc<str> = heading.into();
            rows.extend(of.into_iter().map(|kept| Row::line(kept.rows).under(&heading)));
        };
        add("on one node only, by design:".into(), folded.own);
        add(format!("equal on all {} nodes:", good.len()), folded.same);
    }
    let empty = match (same, not_compared.is_empty()) {
        (0, _) => "nothing to compare: no row is expected on more than one node",
        (_, true) => "no difference",
        (_, false) => "no difference in the compared fields",
    };
    Ok((head, rows, empty.to_owned()))
}

/// Returns the text for a comparison without rows. Nodes with the same reason share one text.
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

/// Returns the rows of each node under the name of the node. Each node has an equal share of the room, unless the call
/// selects a page.
fn each(good: Vec<(NodeName, Answer)>, page: &Page, budget: Budget) -> Result<Vec<Row>, ToolError> {
    let nodes = good.len().max(1);
    let is_paged = page.limit.is_some() || page.offset > 0;
    let room = (budget.bytes * 3 / 4 / nodes, (budget.lines / nodes).saturating_sub(2));
    let mut rows = Vec::new();
    for (node, mut answer) in good {
        page.filter(&mut answer)?;
        let all = answer.rows.len();
        if all == 0 {
            rows.push(Row::line(format!("  {}", answer.if_empty)).under(&headed(&node, None)));
        }
        let shown = match (is_paged, answer.ends_matter) {
            (true, _) => all,
            (false, true) => fitting(answer.rows.iter().rev(), room),
            (false, false) => fitting(answer.rows.iter(), room),
        };
        let first = if answer.ends_matter { all - shown } else { 0 };
        let left_out = |heading: Option<&str>| {
            let place = if answer.ends_matter { " before these" } else { "" };
            let more = format!(
                "  … {}{place} left out: pass node_name={node} to list them",
                fold::count(all - shown)
            );
            Row::line(more).under(&headed(&node, heading))
        };
        if first > 0 {
            rows.push(left_out(answer.rows.get(first).and_then(|row| row.heading.as_deref())));
        }
        let after = answer.rows.get(first + shown).map(|row| left_out(row.heading.as_deref()));
        let kept = answer.rows.into_iter().skip(first).take(shown);
        rows.extend(kept.map(|row| {
            let heading = headed(&node, row.heading.as_deref());
            row.under(&heading)
        }));
        rows.extend(after);
    }
    Ok(rows)
}

/// Returns the heading of a node's rows, with the heading that the rows have on the node.
fn headed(node: &NodeName, of: Option<&str>) -> Arc<str> {
    of.map_or_else(|| format!("{node}:"), |of| format!("{node}: {of}")).into()
}

/// Returns the number of rows that fit into a number of bytes and of lines, and at least 1 if there is a row.
fn fitting<'a>(rows: impl Iterator<Item = &'a Row>, (mut bytes, mut lines): (usize, usize)) -> usize {
    let fits = |row: &&Row| {
        let left = bytes.checked_sub(row.text.len()).zip(lines.checked_sub(row.text.lines().count()));
        left.map(|left| (bytes, lines) = left).is_some()
    };
    let mut rows = rows.peekable();
    let any = usize::from(rows.peek().is_some());
    rows.take_while(fits).count().max(any)
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

mod assemble;
#[cfg(test)]
mod tests;
