//! Folds a log into message templates, with their counts and the times of their first and last lines.
//!
//! The kept templates do not depend on the order of lines. If there are more templates than can be kept, the first ones
//! in a fixed order stay: the most severe ones, and among equal levels by a hash, which is as good as a random choice.
//! The threshold of this order only rises, so a template that is kept at the end was never dropped, and its counts are
//! exact.

use super::{
    lines::{Level, Line},
    mask::mask,
};
use jiff::Timestamp;
use mcp_core::{Row, RowIdentity};
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// The maximum number of templates that are kept.
pub(crate) const KEPT: usize = 4_096;
/// The maximum number of source locations that are counted, for the lines of templates that were not kept.
const PLACES: usize = 512;
/// The maximum number of rows below the level warning, unless the call filters by level or text.
const USUAL: usize = 30;
/// The maximum number of bytes that are shown of a warning or error, and of other lines. An error has its cause at the
/// end.
const SHOWN: [usize; 2] = [700, 240];

/// A digest of the lines so far.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    templates: BTreeMap<TemplateKey, MessageTemplate>,
    places: BTreeMap<TemplateKey, SourceLocation>,
    /// The number of lines of each level. `None` counts lines without a level.
    levels: BTreeMap<Option<Level>, u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Whether templates were left out.
    full: bool,
}

/// The order in which templates are kept: by weight, then by hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TemplateKey {
    weight: Reverse<u8>,
    hash: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct MessageTemplate {
    level: Option<Level>,
    text: String,
    /// The message itself, as long as all lines of the template have the same message.
    same: Option<String>,
    place: u64,
    count: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// The place in a program's source that writes a line.
#[derive(Debug)]
struct SourceLocation {
    name: String,
    level: Option<Level>,
    count: u64,
}

/// Returns the rank of a level. A line without a level ranks between info and warning, because it can be severe.
fn weight(level: Option<Level>) -> u8 {
    match level {
        Some(Level::Fatal) => 5,
        Some(Level::Error) => 4,
        Some(Level::Warning) => 3,
        None => 2,
        Some(Level::Info) => 1,
        Some(Level::Debug) => 0,
    }
}

fn hash(value: impl Hash) -> u64 {
    // `DefaultHasher::new` has fixed keys, so every run gives the same hash.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Digest {
    /// Adds a line with its time.
    pub(crate) fn add(&mut self, line: &Line<'_>, time: Option<Timestamp>) {
        *self.levels.entry(line.level).or_default() += 1;
        (self.first, self.last) = earlier_later((self.first, self.last), time);
        let text = mask(line.message);
        let place = place(line);
        let place_hash = hash((line.level, place));
        let key = TemplateKey { weight: Reverse(weight(line.level)), hash: hash((line.level, &text)) };
        self.place(TemplateKey { hash: place_hash, ..key }, place, line.level);
        if let Some(known) = self.templates.get_mut(&key) {
            known.count += 1;
            (known.first, known.last) = earlier_later((known.first, known.last), time);
            if known.same.as_deref().is_some_and(|same| same != shown(line.level, line.message)) {
                known.same = None;
            }
            return;
        }
        self.full |= self.templates.len() >= KEPT;
        if self.full && self.templates.last_key_value().is_some_and(|(last, _)| *last < key) {
            return;
        }
        let template = MessageTemplate {
            level: line.level,
            text: shown(line.level, &text),
            same: Some(shown(line.level, line.message)),
            place: place_hash,
            count: 1,
            first: time,
            last: time,
        };
        self.templates.insert(key, template);
        if self.templates.len() > KEPT {
            self.templates.pop_last();
        }
    }

    fn place(&mut self, key: TemplateKey, name: &str, level: Option<Level>) {
        if let Some(known) = self.places.get_mut(&key) {
            known.count += 1;
        } else if self.places.len() < PLACES
            || self.places.last_key_value().is_some_and(|(last, _)| *last > key)
        {
            self.places.insert(key, SourceLocation { name: cut(name, 120), level, count: 1 });
            if self.places.len() > PLACES {
                self.places.pop_last();
            }
        }
    }

    /// Returns the number of lines.
    pub(crate) fn lines(&self) -> u64 {
        self.levels.values().sum()
    }

    /// Returns the number of lines of each kept template.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        self.rows().iter().map(|row| row.text.clone()).zip(self.sorted().iter().map(|t| t.count)).collect()
    }

    /// Returns the number of bytes of text in memory.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let of = |t: &MessageTemplate| t.text.capacity() + t.same.as_ref().map_or(0, String::capacity);
        self.templates.values().map(of).sum::<usize>()
            + self.places.values().map(|p| p.name.capacity()).sum::<usize>()
    }

    /// Returns a summary of all lines: number, time range, levels, number of templates.
    pub(crate) fn summary(&self) -> String {
        let mut levels: Vec<_> = self.levels.iter().collect();
        levels.sort_by_key(|(level, _)| Reverse(weight(**level)));
        let level = |(level, n): &(&Option<Level>, &u64)| {
            format!("{} {n}", level.map_or("without level", Level::name))
        };
        let levels: Vec<String> = levels.iter().map(level).collect();
        let time = match (self.first, self.last) {
            (Some(first), Some(last)) => format!(" from {} to {}", second(first), second(last)),
            _ => String::new(),
        };
        let more = if self.full { "more than " } else { "" };
        format!(
            "{} lines{time} ({}) in {more}{} templates",
            self.lines(),
            levels.join(", "),
            self.templates.len()
        )
    }

    fn sorted(&self) -> Vec<&MessageTemplate> {
        let mut all: Vec<&MessageTemplate> = self.templates.values().collect();
        all.sort_by(|a, b| {
            let order = |t: &MessageTemplate| (Reverse(weight(t.level)), t.count, Reverse(t.last));
            order(a).cmp(&order(b)).then_with(|| a.text.cmp(&b.text))
        });
        all
    }

    /// Returns a row for each template, ordered by level (severe first), then by count (rare first), then by time
    /// (newest first).
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.sorted().into_iter().map(MessageTemplate::row).collect()
    }

    /// Returns the number of kept templates.
    pub(crate) fn templates(&self) -> usize {
        self.templates.len()
    }

    /// Returns the number of rows at the end that the answer leaves out, because they are below the level warning.
    pub(crate) fn usual(&self) -> usize {
        let serious = self.templates.values().filter(|t| t.level >= Some(Level::Warning)).count();
        self.templates.len().saturating_sub(serious + USUAL)
    }

    /// Returns notes on lines whose templates were not kept, and on how to see these lines.
    pub(crate) fn notes(&self) -> Vec<String> {
        if !self.full {
            return Vec::new();
        }
        let (mut notes, mut by_level, mut by_place) =
            (Vec::new(), self.levels.clone(), BTreeMap::<u64, u64>::new());
        for template in self.templates.values() {
            if let Some(left) = by_level.get_mut(&template.level) {
                *left -= template.count.min(*left);
            }
            *by_place.entry(template.place).or_default() += template.count;
        }
        for (level, left) in by_level.into_iter().filter(|(_, left)| *left > 0) {
            let mut places: Vec<(u64, &str)> = self
                .places
                .iter()
                .filter(|(_, place)| place.level == level && !place.name.is_empty())
                .map(|(key, place)| {
                    (
                        place.count - by_place.get(&key.hash).copied().unwrap_or(0).min(place.count),
                        place.name.as_str(),
                    )
                })
                .filter(|(left, _)| *left > 0)
                .collect();
            places.sort_by_key(|(left, name)| (Reverse(*left), *name));
            let greps: Vec<String> = places
                .iter()
                .take(5)
                .map(|(n, name)| format!("grep={} ({n} lines)", escaped(name)))
                .collect();
            let with = if greps.is_empty() {
                "a shorter time range (since, until)".to_owned()
            } else {
                greps.join(", ")
            };
            let level = level.map_or("without level", Level::name);
            notes.push(format!(
                "{left} lines ({level}) belong to templates beyond the limit of {KEPT}; show them with {with}"
            ));
        }
        notes
    }
}

impl MessageTemplate {
    fn row(&self) -> Row {
        let level = self.level.map_or("-", Level::name);
        let time = match (self.first, self.last) {
            (Some(first), Some(last)) if second(first) == second(last) => format!(" {}", second(last)),
            (Some(first), Some(last)) => format!(" {}..{}", second(first), second(last)),
            _ => String::new(),
        };
        let text = self.same.as_ref().unwrap_or(&self.text);
        let identity = RowIdentity { key: format!("{level} {}", self.text), ..RowIdentity::default() };
        Row::with(format!("{level} {}x{time} {text}", self.count), identity)
    }
}

/// Returns the source location of a line: klog's `file.go:123]`, or the module of Open vSwitch.
fn place<'a>(line: &Line<'a>) -> &'a str {
    let word = line.message.split([' ', '|']).next().unwrap_or_default();
    let is_place = word.ends_with(']') && word.contains(".go:")
        || line.message.get(word.len()..).is_some_and(|r| r.starts_with('|'));
    if is_place { word } else { "" }
}

/// Escapes a text for a regular expression.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| "[](){}.*+?^$|\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

fn earlier_later(
    (first, last): (Option<Timestamp>, Option<Timestamp>),
    time: Option<Timestamp>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    match time {
        Some(_) => (first.map_or(time, |first| Some(first).min(time)), last.max(time)),
        None => (first, last),
    }
}

fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn shown(level: Option<Level>, text: &str) -> String {
    let [long, short] = SHOWN;
    cut(text, if level >= Some(Level::Warning) { long } else { short })
}

/// Truncates a text to about `most` bytes: keeps the beginning, and the end, which holds the cause.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let (mut head, mut tail) = (most * 2 / 5, text.len() - most * 3 / 5);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    let left_out = tail - head;
    format!(
        "{} […{left_out} bytes…] {}",
        text.get(..head).unwrap_or_default(),
        text.get(tail..).unwrap_or_default()
    )
}
