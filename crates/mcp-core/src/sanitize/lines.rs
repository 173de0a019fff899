//! Redacts secrets that span several lines, and text that arrives in pieces.

use super::{
    LineClasses, REDACTED,
    forms::{self, decode},
    pairs::{self, indent, without_prefix},
};
use crate::{CallEnded, Deadline};
use memchr::memmem;
use regex::{Captures, Regex};
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// The state that a line leaves open for the following lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OpenState {
    #[default]
    Nothing,
    /// A private key, with the number of bytes since its beginning that do not look like a key.
    Key { odd: usize },
    /// A key or a certificate in base64 on several lines.
    Base64,
    /// All lines with a deeper indentation, and list items with the same indentation.
    Block { indent: usize, list: bool },
    /// Lines with a deeper indentation and without a name of their own.
    Plain { indent: usize },
    /// The value is on the next line. If that line is a list item, the following items belong to the value, too.
    Next { indent: usize, list: bool },
    /// The value of this variable is on a line with the name `value`.
    Named,
    /// Everything up to this quote.
    Quoted { quote: char, triple: bool },
}

/// The number of bytes that do not look like a key and are hidden after the beginning of a key without an end.
const ODD: usize = 8 << 10;
/// The length in bytes after which an incomplete line is no longer waited for.
const LINE: usize = 64 << 10;

/// Matches the beginning of a private key (RFC 7468, and the armour of OpenPGP and SSH).
static BEGIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}").expect("a literal")
});
static END: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-{4,5} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}").expect("a literal"));

/// The base64 forms of `-----BEGIN `, and of `PRIVATE KEY` at each of the three alignments.
pub(super) const ENCODED: [&str; 4] =
    ["LS0tLS1CRUdJTi", "UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"];

static ENCODED_ANY: LazyLock<Regex> = LazyLock::new(|| Regex::new(&ENCODED.join("|")).expect("literals"));

/// Matches the beginning of a new log message, which ends a quote of the line before.
static FRESH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?:[IWEF]\d{4} |\d{4}[-/]\d\d|\w{3} [ \d]\d \d\d:|\{"|(?:time|level|ts)=|\[\d)"#)
        .expect("a literal")
});

/// Matches a YAML name and the text after it.
static MAPPING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\s*(?:- )?["']?[\w./-]+["']?\s*:(?:\s|$)"#).expect("a literal"));

/// Matches the value of a variable whose name was on the line before.
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^(.*?\\*["']?\b[Vv]alue\\*["']?\s*[:=]\s*)(\S.*)$"#).expect("a literal"));

/// Matches the kind Secret of an object: in YAML, in JSON at any depth of quotes, or as Go prints it.
static KIND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b[kK]ind\\*["']?\s*[:=]\s*\\*["']?(?:Secret|SecretList)\b"#).expect("a literal")
});
/// Matches the kind of any object.
static ANY_KIND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^\s*["']?kind["']?:"#).expect("a literal"));

/// Matches the fields of a Secret that contain its values.
static DATA: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b(?:data|stringData|binaryData|Data|StringData)\\*["']?\s*:\s*(?:map)?(?<open>[\[{]?)"#)
        .expect("a literal")
});

/// Removes the secrets from lines that it gets in their order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: OpenState,
    /// Whether the lines belong to an object of the kind Secret.
    of_secret: bool,
    /// The number of Secret kinds that still follow, because the values of an object precede its kind.
    to_come: usize,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let to_come = if text.contains("Secret") { KIND.find_iter(text).count() } else { 0 };
        Self { of_secret: to_come > 0, to_come, ..Self::default() }
    }

    /// Whether lines without secrets pass unchanged.
    fn is_idle(&self) -> bool {
        self.open == OpenState::Nothing && !self.of_secret
    }

    /// Returns what is shown of a line, or `None` if all of the line is secret.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        match self.go_on(line) {
            LineAction::Hidden => None,
            LineAction::Shown(text) => Some(Cow::Owned(text)),
            LineAction::From(prefix, rest) => {
                let shown = self.redact(rest);
                Some(if prefix.is_empty() { shown } else { Cow::Owned(prefix + &shown) })
            }
            // The rest of the line may be another quoted text, or the middle of one, so only its punctuation is
            // shown. The rest may also leave a quote open.
            LineAction::After(prefix, rest, quote) => {
                self.redact(rest);
                let (_, after) = rest.split_once(&quote)?;
                let is_end = after.chars().all(|c| c.is_whitespace() || ",;)]}>".contains(c));
                Some(Cow::Owned(prefix + &quote + if is_end { after } else { "" }))
            }
        }
    }

    /// Decides what happens with a line, given the state of the line before.
    fn go_on<'a>(&mut self, line: &'a str) -> LineAction<'a> {
        let all = LineAction::From(String::new(), line);
        let open = std::mem::take(&mut self.open);
        let text = without_prefix(line);
        let trimmed = text.trim();
        let prefix = || line.get(..line.len() - text.len()).unwrap_or_default().to_owned();
        let hide = |lines: &mut Self, open| {
            lines.open = open;
            LineAction::Hidden
        };
        match open {
            OpenState::Nothing => all,
            OpenState::Key { odd } => match END.find(line) {
                Some(end) => {
                    LineAction::From(prefix() + end.as_str(), line.get(end.end()..).unwrap_or_default())
                }
                None if is_body(text) => hide(self, open),
                None if odd + line.len() <= ODD => hide(self, OpenState::Key { odd: odd + line.len() }),
                None => all,
            },
            OpenState::Base64 if is_base64(trimmed) && !trimmed.is_empty() => hide(self, open),
            OpenState::Base64 => all,
            OpenState::Block { indent: of, list } => match trimmed.is_empty()
                || indent(line) > of
                || list && indent(line) == of && trimmed.starts_with("- ")
            {
                true => hide(self, open),
                false => all,
            },
            OpenState::Plain { indent: of } if indent(line) > of && !MAPPING.is_match(text) => {
                hide(self, open)
            }
            OpenState::Plain { .. } => all,
            OpenState::Next { indent: of, list } => self.next(line, text, of, list),
            OpenState::Named => match VALUE.captures(line) {
                Some(found) if is_hidden(&found) => {
                    let (name, value) = (found.get(1), found.get(2).map_or("", |value| value.as_str()));
                    if value.starts_with(['|', '>']) {
                        self.open = OpenState::Block { indent: indent(line), list: false };
                    } else if !value.starts_with(['"', '{']) {
                        self.open = OpenState::Plain { indent: indent(line) };
                    }
                    let comma = if value.trim_end().ends_with("\",") { "," } else { "" };
                    let quote = if value.starts_with('"') { "\"" } else { "" };
                    let name = name.map_or("", |name| name.as_str());
                    LineAction::Shown([name, quote, REDACTED, quote, comma].concat())
                }
                _ => all,
            },
            OpenState::Quoted { quote, triple } => {
                let end: String = std::iter::repeat_n(quote, if triple { 3 } else { 1 }).collect();
                match text.find(&end) {
                    _ if FRESH.is_match(text) => all,
                    Some(_) => LineAction::After(prefix(), text, end),
                    None => hide(self, open),
                }
            }
        }
    }

    /// Decides what happens with the line after a name without a value.
    fn next<'a>(&mut self, line: &'a str, text: &'a str, of: usize, list: bool) -> LineAction<'a> {
        let trimmed = text.trim();
        let item = trimmed.strip_prefix("- ").unwrap_or(trimmed);
        let deeper = indent(line) > of;
        if trimmed.is_empty() {
            self.open = OpenState::Next { indent: of, list };
            return LineAction::From(String::new(), line);
        }
        let quoted = item.starts_with(['"', '\'']);
        let is_value = match deeper {
            true => !MAPPING.is_match(text) && !item.starts_with(['{', '[', '}', ']']),
            // This is a single word.
            false => {
                !item.contains(char::is_whitespace)
                    && !item.ends_with(':')
                    && indent(line) == of
                    && !item.contains(['=', '{', '[', '}', ']'])
            }
        };
        let is_list = trimmed.starts_with("- ");
        let is_item = is_list && !MAPPING.is_match(text) && indent(line) >= of;
        if !(is_value || is_item) || super::is_open(item) {
            return LineAction::From(String::new(), line);
        }
        if deeper && (list || !is_list) {
            self.open = OpenState::Plain { indent: of };
        } else if is_list && list {
            self.open = OpenState::Next { indent: of, list };
        }
        let marks = line.get(..line.len() - text.trim_start().len()).unwrap_or_default();
        let list = if is_list { "- " } else { "" };
        let (quote, end) = match quoted {
            true => ("\"", if item.ends_with(',') { "\"," } else { "\"" }),
            false => ("", ""),
        };
        LineAction::Shown([marks, list, quote, REDACTED, end].concat())
    }

    /// Returns the line without the secrets that begin in it.
    fn redact<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        if self.of_secret {
            let kinds = KIND.find_iter(line).count();
            self.to_come = self.to_come.saturating_sub(kinds);
            if ANY_KIND.is_match(line) {
                self.of_secret = kinds > 0 || self.to_come > 0;
            }
        }
        let found = LineClasses::of(line);
        if !self.of_secret && found.is_none() {
            return Cow::Borrowed(line);
        }
        let mut shown = Cow::Borrowed(line);
        if found.keys {
            self.keys(&mut shown);
            self.encoded(&mut shown);
        }
        // Every name that contains "Secret" also has a word of a secret's name.
        self.of_secret |= found.names && shown.contains("Secret") && KIND.is_match(&shown);
        if self.of_secret {
            self.data(&mut shown);
        }
        if let Cow::Owned(text) = forms::redact(&shown, found.forms) {
            shown = Cow::Owned(text);
        }
        if !found.names {
            return shown;
        }
        let (text, open) = pairs::redact(&shown);
        if self.open == OpenState::Nothing {
            self.open = open;
        }
        if let Cow::Owned(text) = text {
            shown = Cow::Owned(text);
        }
        shown
    }

    /// Removes private keys that begin in the line.
    fn keys(&mut self, shown: &mut Cow<'_, str>) {
        let mut cut = LineCutter::of(shown);
        let mut from = 0;
        while let Some(begin) = shown.get(from..).and_then(|rest| BEGIN.find(rest)) {
            let begin = from + begin.end();
            let rest = shown.get(begin..).unwrap_or_default();
            from = begin;
            if rest.trim_start().starts_with("[redacted") {
                continue;
            }
            let end = END.find(rest).map(|end| begin + end.end());
            if end.is_none() {
                self.open = OpenState::Key { odd: 0 };
            }
            from = end.unwrap_or(shown.len());
            cut.out(begin..from, REDACTED);
        }
        if let Some(left) = cut.done() {
            *shown = Cow::Owned(left);
        }
    }

    /// Removes private keys in base64, as in a kubeconfig, where a certificate may precede the key.
    fn encoded(&mut self, shown: &mut Cow<'_, str>) {
        let is_part = |c: u8| c.is_ascii_alphanumeric() || b"+/=_-".contains(&c);
        let mut cut = LineCutter::of(shown);
        let mut from = 0;
        let bytes = shown.as_bytes();
        while let Some(at) =
            ENCODED_ANY.find(shown.get(from..).unwrap_or_default()).map(|it| from + it.start())
        {
            let before = bytes.get(from..at).unwrap_or_default();
            let start =
                before.iter().rposition(|c| !is_part(*c) || *c == b'=').map_or(from, |it| from + it + 1);
            let end = bytes.iter().skip(at).position(|c| !is_part(*c)).map_or(bytes.len(), |len| at + len);
            let run = shown.get(start..end).unwrap_or_default();
            let decoded = decode(run);
            let goes_on = end == bytes.len() && run.len() >= 60 && !decoded.ends_with(b"-----\n");
            if goes_on || memmem::find(&decoded, b"PRIVATE KEY").is_some() || !run.starts_with(ENCODED[0]) {
                if goes_on {
                    self.open = OpenState::Base64;
                }
                cut.out(start..end, REDACTED);
            }
            from = end;
        }
        if let Some(left) = cut.done() {
            *shown = Cow::Owned(left);
        }
    }

    /// Removes the values of a Secret.
    fn data(&mut self, shown: &mut Cow<'_, str>) {
        let mut cut = LineCutter::of(shown);
        let mut from = 0;
        while let Some(found) = DATA.captures_at(shown, from) {
            let start = found.get(0).map_or(shown.len(), |found| found.end());
            let bracket = found.name("open").is_some_and(|open| !open.is_empty());
            let rest = shown.get(start..).unwrap_or_default();
            from = start;
            if rest.trim_start().is_empty() {
                if self.open == OpenState::Nothing {
                    self.open = OpenState::Block { indent: indent(shown), list: true };
                    let end = shown.trim_end().len();
                    cut.out(end..shown.len(), if bracket { REDACTED } else { " [redacted]" });
                }
                break;
            }
            if rest.trim_start_matches(['"', '\\', '\'']).starts_with("[redacted") {
                continue;
            }
            from = match bracket {
                true => start + closing(rest),
                false => shown.len(),
            };
            cut.out(start..from, REDACTED);
        }
        if let Some(left) = cut.done() {
            *shown = Cow::Owned(left);
        }
    }
}

/// Removes parts of a line in their order. It copies each byte once, however many parts there are.
struct LineCutter<'a> {
    line: &'a str,
    shown: String,
    copied: usize,
}

impl<'a> LineCutter<'a> {
    fn of(line: &'a str) -> Self {
        Self { line, shown: String::new(), copied: 0 }
    }

    /// Replaces a part of the line.
    fn out(&mut self, part: Range<usize>, instead: &str) {
        self.shown += self.line.get(self.copied..part.start).unwrap_or_default();
        self.shown += instead;
        self.copied = part.end;
    }

    /// Returns the remaining line, or `None` if nothing was replaced.
    fn done(mut self) -> Option<String> {
        (!self.shown.is_empty()).then(|| {
            self.shown += self.line.get(self.copied..).unwrap_or_default();
            self.shown
        })
    }
}

/// Whether the value of a variable is secret.
fn is_hidden(found: &Captures<'_>) -> bool {
    let value = found.get(2).map_or("", |value| value.as_str());
    value.starts_with(['|', '>']) || !super::is_open(value.trim_matches(['"', '\'', ',']))
}

/// The decision about a line.
enum LineAction<'a> {
    Hidden,
    Shown(String),
    /// Show this text, followed by the redacted part of the line.
    From(String, &'a str),
    /// Show this text, followed by the redacted part of the line after the quote that ends a secret.
    After(String, &'a str, String),
}

/// Returns the position of the bracket that closes an earlier one, or the end of the text.
fn closing(rest: &str) -> usize {
    let mut depth = 1_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn is_base64(word: &str) -> bool {
    word.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=_-\\".contains(&c))
}

/// Whether a line belongs to a key: base64, alone or after the prefix of a program, or a header, or an empty line.
fn is_body(text: &str) -> bool {
    let text = text.trim().trim_end_matches(['"', '\'', ',']);
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let headers = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:", "Hash:", "Subject:"];
    is_base64(text) || (last.len() >= 16 && is_base64(last)) || headers.iter().any(|it| text.starts_with(it))
}

/// Removes the secrets from a text that arrives in pieces.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    /// The beginning of an incomplete line.
    rest: Vec<u8>,
    lines: Lines,
}

impl Redactor {
    /// Returns a whole text without its secrets, or an error if the call ends before the text was searched.
    pub(crate) fn of(text: Vec<u8>) -> Result<Vec<u8>, CallEnded> {
        /// The approximate number of bytes that are searched without checking the time.
        const PIECE: usize = 64 << 10;
        if !is_wide(&text) && !super::may_contain_secret(&text) {
            return Ok(text);
        }
        let mut filter = Self { lines: Lines::of(&String::from_utf8_lossy(&text)), ..Self::default() };
        let (mut shown, mut rest) = (Vec::with_capacity(text.len()), text.as_slice());
        while !rest.is_empty() {
            Deadline::current().check()?;
            let end = rest.get(PIECE..).and_then(|after| memchr::memchr(b'\n', after));
            let (lines, after) = rest.split_at(end.map_or(rest.len(), |end| PIECE + end + 1));
            filter.lines(lines, &mut shown);
            rest = after;
        }
        Ok(shown)
    }

    /// Takes a piece and returns what can be shown so far: whole lines, and the available part of very long lines.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.rest);
        text.extend_from_slice(piece);
        let mut whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        if text.len() - whole > LINE {
            // A long line is split at one of its last blanks, so that no value is cut in two.
            let last = text.len() - LINE / 16;
            whole = text.iter().rposition(|byte| *byte == b' ').filter(|at| *at > last).unwrap_or(text.len());
        }
        self.rest = text.split_off(whole);
        self.text(text)
    }

    /// Returns the rest of the last line.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.rest);
        self.text(rest)
    }

    fn text(&mut self, text: Vec<u8>) -> Vec<u8> {
        if self.lines.is_idle() && !is_wide(&text) && !super::may_contain_secret(&text) {
            return text;
        }
        let mut shown = Vec::with_capacity(text.len());
        self.lines(&text, &mut shown);
        shown
    }

    fn lines(&mut self, text: &[u8], shown: &mut Vec<u8>) {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let narrow =
                is_wide(line).then(|| line.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>());
            let line = narrow.as_deref().unwrap_or(line);
            if self.lines.is_idle() && !super::may_contain_secret(line) {
                shown.extend_from_slice(line);
                continue;
            }
            let end = line.strip_suffix(b"\n").unwrap_or(line);
            let text = String::from_utf8_lossy(end);
            match self.lines.line(&text) {
                // An unchanged line keeps its bytes, even if they are not valid UTF-8.
                Some(Cow::Borrowed(same)) if same.len() == text.len() => shown.extend_from_slice(line),
                Some(text) => {
                    shown.extend_from_slice(text.as_bytes());
                    shown.extend_from_slice(line.get(end.len()..).unwrap_or_default());
                }
                None => {}
            }
        }
    }
}

/// Whether the text is UTF-16. A quarter or more of its bytes are then zero, unlike in any other text.
fn is_wide(text: &[u8]) -> bool {
    let head = text.get(..text.len().min(4096)).unwrap_or_default();
    memchr::memchr(0, head).is_some() && head.iter().filter(|byte| **byte == 0).count() * 4 >= head.len()
}
