//! Makes text from a cluster safe to show, and removes secrets from it.
//!
//! Names, annotations, logs and packets can contain text that is meant for the model and not for the engineer. Such
//! text is passed on, but without anything that a person could not see: control characters, bidirectional overrides,
//! zero-width and tag characters are made visible. Keys and tokens are replaced, wherever they came from.

mod forms;
mod lines;
pub(crate) mod names;
mod pairs;
mod rows;

pub(crate) use lines::Redactor;
pub(crate) use rows::RedactedQuery;
pub use rows::redact_datum;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use forms::Forms;
use lines::Lines;
use regex::Regex;
use std::{borrow::Cow, sync::LazyLock};

/// Returns the text with invisible characters made visible and secrets removed.
pub(crate) fn clean(text: &str) -> String {
    // Secrets are redacted before invisible characters become visible, because such a character may end a value, and
    // again afterwards, because it may be inside a name.
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

/// Whether a person cannot see the character, or the character changes how others are displayed.
fn is_invisible(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        c if c.is_control() => true,
        // These Unicode characters have zero width, or are directional marks, embeddings, overrides and isolates, the
        // word joiner and invisible operators, variation selectors, the byte order mark, or tags.
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

/// The text that replaces a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// The words that occur in every secret or its name, in any case.
static WORDS: LazyLock<(AhoCorasick, Vec<WordClass>)> = LazyLock::new(|| {
    let forms = forms::FORMS.iter().enumerate();
    let forms = forms.flat_map(|(at, form)| form.words.iter().map(move |word| (*word, WordClass::Form(at))));
    let names = pairs::TRIGGERS.iter().map(|word| (*word, WordClass::Name));
    let keys = lines::ENCODED.iter().chain(&["private"]).map(|word| (*word, WordClass::Key));
    let (words, kinds): (Vec<&str>, Vec<WordClass>) = forms.chain(names).chain(keys).unzip();
    let words =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(words);
    (words.expect("literals"), kinds)
});

/// The class of secrets that a word belongs to.
#[derive(Clone, Copy, Debug)]
enum WordClass {
    Form(usize),
    Name,
    Key,
}

/// The classes of secrets that a line may contain, by its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LineClasses {
    forms: Forms,
    names: bool,
    keys: bool,
}

impl LineClasses {
    /// Searches for the words of all classes at once, because nearly no line has any.
    fn of(line: &str) -> Self {
        let mut found = Self::default();
        let (words, kinds) = &*WORDS;
        for word in words.find_overlapping_iter(line) {
            match kinds.get(word.pattern().as_usize()) {
                Some(WordClass::Form(at)) => found.forms.add(*at),
                Some(WordClass::Name) => found.names = true,
                Some(WordClass::Key) => found.keys = true,
                None => {}
            }
        }
        found
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// Whether a text may contain a secret.
fn may_contain_secret(text: &[u8]) -> bool {
    WORDS.0.is_match(text)
}

fn may_hold(text: &str) -> bool {
    may_contain_secret(text.as_bytes())
}

/// Whether a value reveals nothing: it is empty, a switch, a reference, the path of a file, or already redacted.
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

/// Returns the text without the secrets that are recognizable by their form or by what is next to them.
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
    // This removes the line break before lines that are left out.
    if !text.ends_with('\n') && shown.ends_with('\n') {
        shown.pop();
    }
    Cow::Owned(shown)
}

/// Returns a value without its secrets, given its name: a column, a key or a variable.
pub(crate) fn redact_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    match names::sort(name) {
        Some(_) if !is_open(value) => Cow::Borrowed(REDACTED),
        _ => redact(value),
    }
}

#[cfg(test)]
mod tests;
