//! What comes from a cluster is not trusted, and what is secret stays there.
//!
//! Names, annotations, logs and packets can carry text that is meant for the model rather than for the
//! engineer. It is passed on as text, without what a person could not see: control characters, bidirectional
//! overrides, zero-width and tag characters. Keys and tokens are replaced, wherever they came from.

mod forms;
mod lines;
pub(crate) mod names;
mod pairs;
mod rows;

pub(crate) use lines::Redactor;
pub(crate) use rows::Seen;
pub use rows::redact_datum;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use forms::Forms;
use lines::Lines;
use regex::Regex;
use std::{borrow::Cow, sync::LazyLock};

/// A text that is safe to show: invisible characters are made visible, secrets are gone.
pub(crate) fn clean(text: &str) -> String {
    // Before what cannot be seen is shown: it may end a value. And after it: it may stand within a name.
    redact(&visible(&redact(text))).into_owned()
}

fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let (keep, code) = if is_invisible(c) { (None, Some(c)) } else { (Some(c), None) };
            keep.into_iter().chain(code.into_iter().flat_map(|c| c.escape_unicode()))
        })
        .collect()
}

/// Characters that a person does not see, or that change how others are seen.
fn is_invisible(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        c if c.is_control() => true,
        // Unicode: zero width, directional marks, embeddings, overrides and isolates, word joiner and the
        // invisible operators, variation selectors, the byte order mark, tags.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e01ef}' => true,
        _ => false,
    }
}

/// What stands in place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// What may be a secret has one of these words, in small or capital letters.
static WORDS: LazyLock<(AhoCorasick, Vec<Kind>)> = LazyLock::new(|| {
    let forms = forms::FORMS.iter().enumerate();
    let forms = forms.flat_map(|(at, form)| form.words.iter().map(move |word| (*word, Kind::Form(at))));
    let names = pairs::TRIGGERS.iter().map(|word| (*word, Kind::Name));
    let keys = lines::ENCODED.iter().chain(&["private"]).map(|word| (*word, Kind::Key));
    let (words, kinds): (Vec<&str>, Vec<Kind>) = forms.chain(names).chain(keys).unzip();
    let words =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(words);
    (words.expect("literals"), kinds)
});

/// What a word may belong to.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Form(usize),
    Name,
    Key,
}

/// What a line may hold, by its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    forms: Forms,
    names: bool,
    keys: bool,
}

impl Found {
    /// One look for all classes, since nearly no line has any.
    fn of(line: &str) -> Self {
        let mut found = Self::default();
        let (words, kinds) = &*WORDS;
        for word in words.find_overlapping_iter(line) {
            match kinds.get(word.pattern().as_usize()) {
                Some(Kind::Form(at)) => found.forms.add(*at),
                Some(Kind::Name) => found.names = true,
                Some(Kind::Key) => found.keys = true,
                None => {}
            }
        }
        found
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Whether a text may hold a secret.
fn any(text: &[u8]) -> bool {
    WORDS.0.is_match(text)
}

fn may_hold(text: &str) -> bool {
    any(text.as_bytes())
}

/// Whether this value tells nothing: it is none, a switch, a reference, where a file is, or redacted already.
pub(crate) fn is_open(value: &str) -> bool {
    static OPEN: LazyLock<Regex> = LazyLock::new(|| {
        let path = r"/(?:etc|var|run|tmp|opt|home|root|usr|host|mnt|proc|sys|dev)(?:/[\w.@:-]+)*/?|(?:/[\w.@-]+)+\.(?:pem|key|crt|cert|p12|jks|json|ya?ml|txt|conf)";
        Regex::new(&format!(
            r#"^(?:true|false|null|none|nil|unset|yes|no|~|-+|""|''|[{{}}\[\]|>]+-?|<[a-z -]*>|<set to [^>]*>.*|\$\(\w+\)|\$\{{\w+\}}|\*{{3,}}|{path})[,;]?$"#
        ))
        .expect("a literal")
    });
    let value = value.trim();
    value.is_empty()
        || value.trim_start_matches(['"', '\'', '\\']).starts_with("[redacted")
        || OPEN.is_match(value)
}

/// The text without the secrets that can be known by what they look like or stand beside.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    if !may_hold(text) {
        return Cow::Borrowed(text);
    }
    let mut lines = Lines::of(text);
    let mut shown = String::new();
    let mut changed = false;
    for line in text.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        match lines.line(content) {
            Some(same) if *same == *content => shown += line,
            Some(other) => {
                changed = true;
                shown += &other;
                shown += line.get(content.len()..).unwrap_or_default();
            }
            None => changed = true,
        }
    }
    if !changed {
        return Cow::Borrowed(text);
    }
    // The line break before lines that are left out.
    if !text.ends_with('\n') && shown.ends_with('\n') {
        shown.pop();
    }
    Cow::Owned(shown)
}

/// The value without what is secret in it, given its name: a column, a key, a variable.
pub(crate) fn redact_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    match names::sort(name) {
        Some(_) if !is_open(value) => Cow::Borrowed(REDACTED),
        _ => redact(value),
    }
}

#[cfg(test)]
mod tests;
