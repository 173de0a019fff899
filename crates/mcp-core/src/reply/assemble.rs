//! Assembles the parts of a reply to a text or a JSON document, and cuts it to the page and the budget.

use super::{Budget, Page, ReplyForm};
use crate::{Row, sanitize::clean};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The parts of a reply.
pub(super) struct Parts<'a> {
    /// The first line, and the summary of a comparison.
    pub(super) head: &'a str,
    pub(super) rows: &'a [Row],
    /// The text that is shown if there is no row.
    pub(super) empty: &'a str,
    /// Whether each row is a Kubernetes object in JSON.
    pub(super) objects: bool,
    pub(super) notes: Vec<String>,
    /// The meanings of names that may be in rows.
    pub(super) meanings: &'a BTreeMap<String, String>,
}

/// The maximum size in bytes of the note with the meanings of names.
const MEANINGS: usize = 1_500;

/// The rows that a page shows.
struct Shown {
    text: String,
    rows: usize,
    /// The size in bytes of the first row of the page, if not even this row fits.
    too_long: Option<usize>,
}

impl Parts<'_> {
    /// Returns the reply. Notes say what was cut.
    pub(super) fn assemble(&self, form: ReplyForm, page: &Page, budget: Budget) -> String {
        match form {
            ReplyForm::Text => self.text(page, budget),
            ReplyForm::Json => self.json(page, budget),
        }
    }

    fn text(&self, page: &Page, budget: Budget) -> String {
        /// The room for the notes that say what was cut.
        const RESERVED: usize = 400;
        let mut text = clean(self.head);
        let mut tail = String::new();
        for note in &self.notes {
            _ = writeln!(tail, "note: {}", clean(note));
        }
        let meanings = self.room_for_meanings(budget);
        let reserved = RESERVED + meanings;
        let room = budget.bytes.saturating_sub(text.len() + tail.len().min(budget.bytes / 4) + reserved);
        let total = self.rows.len();
        let shown = if self.objects {
            self.list(page, room, budget.lines)
        } else {
            self.lines(page, room, budget.lines)
        };
        text += &shown.text;
        if total == 0 && !self.empty.is_empty() {
            let note = if self.objects { "note: " } else { "" };
            _ = writeln!(text, "{note}{}", cut(&clean(self.empty), room, budget.lines));
        } else if total > 0 && page.offset >= total {
            _ = writeln!(text, "note: offset={} is past the end: there are only {total} rows", page.offset);
        } else if let Some(bytes) = shown.too_long {
            let next = page.offset + 1;
            _ = write!(text, "note: row {next} of {total} has {bytes} bytes and does not fit");
            text +=
                &if next < total { format!("; offset={next} shows the next rows\n") } else { "\n".into() };
        } else if shown.rows < total {
            let next = page.offset + shown.rows;
            _ = write!(text, "note: rows {} to {next} of {total}", page.offset + 1);
            text +=
                &if next < total { format!("; offset={next} shows the next rows\n") } else { "\n".into() };
        }
        if let Some(meanings) = self.meanings_in(&shown.text, meanings) {
            _ = writeln!(text, "note: {}", clean(&meanings));
        }
        if tail.len() > budget.bytes / 4 {
            let cut = cut(&tail, budget.bytes / 4, usize::MAX);
            _ = writeln!(text, "{cut}\nnote: the remaining notes were cut");
        } else {
            text += &tail;
        }
        text
    }

    /// Returns the room for the meanings of names, in bytes.
    fn room_for_meanings(&self, budget: Budget) -> usize {
        if self.meanings.is_empty() { 0 } else { MEANINGS.min(budget.bytes / 8) }
    }

    /// Returns the meanings of the names in a text, in the order of the names, if there are any.
    fn meanings_in(&self, text: &str, room: usize) -> Option<String> {
        let is_part = |c: char| c.is_alphanumeric() || "@$_.-".contains(c);
        let mut seen = BTreeSet::new();
        let words = text.split(|c| !is_part(c)).filter(|_| !self.meanings.is_empty());
        let known = words.filter_map(|word| self.meanings.get_key_value(word));
        let found: Vec<_> = known.filter(|(name, _)| seen.insert(name.as_str())).collect();
        let (mut told, mut left) = (String::new(), found.len());
        for (name, meaning) in found {
            let one = format!("{}{name} is {meaning}", if told.is_empty() { "" } else { "; " });
            if told.len() + one.len() + 40 > room {
                let separator = if told.is_empty() { "" } else { "; " };
                _ = write!(told, "{separator}{left} more names are not explained");
                break;
            }
            told += &one;
            left -= 1;
        }
        (!told.is_empty()).then_some(told)
    }

    /// Returns the rows of the page.
    fn page(&self, page: &Page) -> impl Iterator<Item = &Row> {
        self.rows.iter().skip(page.offset).take(page.limit.unwrap_or(usize::MAX))
    }

    /// Returns rows as lines under their headings.
    fn lines(&self, page: &Page, room: usize, most: usize) -> Shown {
        let (mut text, mut lines, mut rows) = (String::new(), 0, 0);
        let mut under = None;
        for row in self.page(page) {
            let heading = row.heading.as_deref().filter(|heading| under != Some(*heading));
            under = row.heading.as_deref();
            let row = heading.map(|heading| clean(heading) + "\n").unwrap_or_default() + &clean(&row.text);
            let row_lines = row.lines().count().max(1);
            let fits = text.len() + row.len() <= room && lines + row_lines <= most;
            if rows > 0 && !fits {
                break;
            }
            if fits {
                text += &row;
                text += "\n";
            } else {
                // If the first row does not fit, its beginning is shown.
                text += &cut(&row, room, most);
                _ = writeln!(
                    text,
                    "\nnote: this row was cut; the full row has {} bytes; select fewer columns",
                    row.len()
                );
            }
            lines += row_lines;
            rows += 1;
        }
        Shown { text, rows, too_long: None }
    }

    /// Returns objects as one `List` of the Kubernetes API. An object that does not fit is left out as a whole, so that
    /// the document is valid.
    fn list(&self, page: &Page, room: usize, most: usize) -> Shown {
        /// The room for the fields around the items.
        const AROUND: usize = 120;
        let (mut items, mut bytes) = (Vec::new(), AROUND);
        let mut too_long = None;
        for row in self.page(page) {
            let text = clean(&row.text);
            bytes += text.len() + 2;
            if bytes > room || items.len() + 2 > most {
                too_long = items.is_empty().then_some(text.len());
                break;
            }
            items.push(text);
        }
        let metadata = match self.rows.len().saturating_sub(page.offset + items.len()) {
            0 => json!({}),
            more => json!({ "remainingItemCount": more }),
        };
        let rows = items.len();
        let items = items.join(",\n");
        let list = r#"{"apiVersion":"v1","kind":"List","metadata":"#;
        Shown { text: format!("{list}{metadata},\"items\":[{items}]}}\n"), rows, too_long }
    }

    /// Returns the reply as one JSON document. A row that does not fit is left out as a whole, and `remaining` says how
    /// many rows follow. Only the size in bytes is limited, because a script has no use for a limit of lines.
    fn json(&self, page: &Page, budget: Budget) -> String {
        let mut head = self.head.lines().map(clean);
        let first = head.next().unwrap_or_default();
        let (title, evidence) = first.rsplit_once("; ").unwrap_or((&first, ""));
        let value = |row: &Row| {
            let text = clean(&row.text);
            // A row that is an object in JSON stays one.
            let object = row.object.as_ref().map(|object| clean(&object.to_string()));
            let object = object.as_ref().or(Some(&text).filter(|text| text.starts_with('{')));
            let object = object.and_then(|text| serde_json::from_str(text).ok()).filter(Value::is_object);
            object.unwrap_or_else(|| match row.heading.as_deref() {
                None => json!({ "text": text }),
                Some(heading) => json!({ "heading": clean(heading), "text": text }),
            })
        };
        let mut notes: Vec<String> = self.notes.iter().map(|note| clean(note)).collect();
        if self.rows.is_empty() && !self.empty.is_empty() {
            notes.insert(0, clean(self.empty));
        }
        let mut reply = json!({
            "title": title.trim_start_matches("# "), "evidence": evidence, "summary": head.collect::<Vec<_>>(),
            "rows": [], "total": self.rows.len(), "remaining": self.rows.len(), "notes": notes,
        });
        let reserved = self.room_for_meanings(budget);
        let mut room = budget.bytes.saturating_sub(reply.to_string().len() + reserved);
        let mut rows = Vec::new();
        for row in self.page(page).map(value) {
            let Some(left) = room.checked_sub(row.to_string().len() + 1) else { break };
            room = left;
            rows.push(row);
        }
        let texts = rows.iter().filter_map(|row| row.get("text")?.as_str());
        let meanings = self.meanings_in(&texts.collect::<Vec<_>>().join("\n"), reserved).map(|it| clean(&it));
        if let Some(fields) = reply.as_object_mut() {
            if let Some(notes) = fields.get_mut("notes").and_then(Value::as_array_mut) {
                notes.extend(meanings.map(Value::from));
            }
            fields
                .insert("remaining".into(), self.rows.len().saturating_sub(page.offset + rows.len()).into());
            fields.insert("rows".into(), rows.into());
        }
        reply.to_string() + "\n"
    }
}

/// Returns the beginning of a text, without splitting a character.
fn cut(text: &str, bytes: usize, lines: usize) -> String {
    let by_lines = text.match_indices('\n').nth(lines.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let mut end = bytes.min(by_lines).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
